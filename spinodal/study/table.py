"""The study's table: key numbers, no more digits than their error estimates allow, next to the reference values."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from spinodal.model import Model
from spinodal.study.piece import Part, Section
from spinodal.study.reference import agrees, reference

_DECIMALS = 8  # at most


def rows(section: Section, models: Mapping[str, Model], parts: Mapping[str, Part]) -> list[dict[str, Any]]:
    """Key numbers of a section as plain records, in the order of the table.

    Args:
        section: of the study.
        models: by label.
        parts: by label.

    Returns:
        Records with ``part, model, label, activation, quantity, parameters, value, error_estimate, reference, agrees``;
        None where there is no value, no reference, or no activation.
    """
    records = []
    for label, part in parts.items():
        for number in part.numbers:
            known = reference(number.quantity, label, number.parameters)
            exists = math.isfinite(number.value) and math.isfinite(number.error)
            records.append(
                {
                    "part": section.name,
                    "model": models[label].name,
                    "label": label,
                    "activation": label if section.dimension == "activation" else None,
                    "quantity": number.quantity,
                    "parameters": number.parameters,
                    "value": number.value if exists else None,
                    "error_estimate": number.error if exists else None,
                    "reference": None if known is None else float(known),
                    "agrees": agrees(number.value, number.error, known) if known and exists else None,
                    "reference_text": known,
                }
            )
    return records


def show(value: float | None, error: float | None) -> str:
    """A value with at most eight decimals, and only those in which half a unit exceeds the error estimate."""
    if value is None or error is None:
        return "-"
    decimals = _DECIMALS
    while decimals > 0 and error > 0.5 * 10.0**-decimals:
        decimals -= 1
    if error > 0.5:
        return f"{value:.3g} ± {error:.1g}"
    # Adding zero turns the -0.0 of a rounded tiny number into 0.0.
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def blocks(records: Sequence[Mapping[str, Any]]) -> list[tuple[list[str], list[list[str]]]]:
    """The tables, as headers and rows: one with a column for each activation, one with a row for each further number."""
    of_activations = [record for record in records if record["activation"] is not None]
    others = [record for record in records if record["activation"] is None]
    found = []
    if of_activations:
        found.append(cells(of_activations, list(dict.fromkeys(record["activation"] for record in of_activations))))
    if others:
        body = [
            [
                _text(record["quantity"]),
                ", ".join([record["model"], record["label"], *_where(record)]),
                show(record["value"], record["error_estimate"]),
                _reference({"": record}),
            ]
            for record in others
        ]
        found.append((["quantity", "at", "value", "reference"], body))
    return found


def cells(records: Sequence[Mapping[str, Any]], activations: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of a table: a row for each quantity and point, a column for each activation."""
    lines: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for record in records:
        lines.setdefault((record["quantity"], ", ".join(_where(record))), {})[record["activation"]] = record
    body = []
    for (quantity, where), by_activation in lines.items():
        shown = [
            show(by_activation[name]["value"], by_activation[name]["error_estimate"]) if name in by_activation else "-"
            for name in activations
        ]
        body.append([_text(quantity), where, *shown, _reference(by_activation)])
    return ["quantity", "at", *activations, "reference"], body


def _where(record: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {value:g}" for name, value in record["parameters"].items()]


def _text(quantity: str) -> str:
    return re.sub(r"(?<!alpha)(?<!kappa)_", " ", quantity)


def _reference(by_activation: Mapping[str, Mapping[str, Any]]) -> str:
    texts = []
    for name, record in by_activation.items():
        if record["reference_text"]:
            verdict = {True: "agrees", False: "DIFFERS", None: "no value"}[record["agrees"]]
            texts.append(f"{name} {record['reference_text']}: {verdict}".lstrip())
    return "; ".join(texts)


def plain(headers: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """The table as aligned columns."""
    widths = [max(len(row[j]) for row in (headers, *body)) for j in range(len(headers))]
    lines = []
    for row in (headers, *body):
        aligned = [
            f"{cell:>{width}}" if 1 < j < len(row) - 1 else f"{cell:<{width}}"
            for j, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines) + "\n"


def print_table(headers: Sequence[str], body: Sequence[Sequence[str]]) -> None:
    """Print the table on stdout: boxed on a terminal, aligned columns elsewhere."""
    if not sys.stdout.isatty():
        print(plain(headers, body), end="")
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for j, header in enumerate(headers):
        table.add_column(Text(header), justify="right" if 1 < j < len(headers) - 1 else "left", overflow="fold")
    for row in body:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
