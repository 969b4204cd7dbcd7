"""Entries of a spec replaced from outside: ``--with KEY=VALUE`` and ``--ansatz SCHEME``."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from spinodal.spec.errors import SpecError, clip
from spinodal.spec.origin import Document, Origin
from spinodal.spec.tables import describe
from spinodal.spec.toml_positions import Path, Position, scan

_KEY = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_ASSIGN = "value = "
_MAX_LENGTH = 10_000


def apply_overrides(
    data: Mapping[str, Any], document: Document, overrides: Mapping[str, Any], ansatz: str | None
) -> tuple[dict[str, Any], Origin]:
    """The data with every override in place (a copy), and where each entry now comes from.

    Raises:
        SpecError: a key is no dotted key, or runs through an entry that is no table.
    """
    merged = copy.deepcopy(dict(data))
    documents: list[Document] = []
    if ansatz is not None:
        merged["ansatz"] = {"scheme": ansatz}
        label = f"--ansatz {clip(ansatz)}"
        documents.append(Document(label, ansatz, {("ansatz", "scheme"): Position(0, 0)}, ("ansatz",)))
    for key, given in overrides.items():
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise SpecError("not a dotted key", cure="as in student.weights", source=f"--with {clip(key)}")
        path: Path = tuple(key.split("."))
        value, override = _read(path, f"--with {clip(key, 80)}", given)
        _put(merged, path, value, override)
        documents.append(override)
    return merged, Origin(document, tuple(documents))


def _read(path: Path, label: str, given: Any) -> tuple[Any, Document]:
    """An override's value: a text is TOML if it parses as one value, else it stands for itself."""
    if not isinstance(given, str):
        return given, Document(label, None, {}, path)
    if len(given) > _MAX_LENGTH:
        raise SpecError(f"the value is longer than {_MAX_LENGTH} characters", source=label)
    try:
        parsed = tomllib.loads(_ASSIGN + given)
    except (ValueError, RecursionError):
        parsed = {}
    if set(parsed) != {"value"}:
        return given, Document(label, given, {path: Position(0, 0)}, path)
    shift = len(_ASSIGN)
    positions = {
        (*path, *inner[1:]): Position(max(0, at.key - shift), None if at.value is None else at.value - shift)
        for inner, at in scan(_ASSIGN + given).items()
    }
    return parsed["value"], Document(label, given, positions, path)


def _put(merged: dict[str, Any], path: Path, value: Any, override: Document) -> None:
    table = merged
    for depth, part in enumerate(path[:-1]):
        inner = table.setdefault(str(part), {})
        if not isinstance(inner, dict):
            place = ".".join(str(key) for key in path[: depth + 1])
            raise SpecError(
                f"{place} is {describe(inner)}, not a table, and has no entry {path[depth + 1]}",
                cure=f"give the whole of it: {place}={{...}}",
                source=override.name,
            )
        table = inner
    table[str(path[-1])] = value
