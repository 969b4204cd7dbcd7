"""Parameters: their declaration, and the values of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from spinodal.spec.checks import check_meaning, default_values
from spinodal.spec.errors import SpecError, clip, did_you_mean
from spinodal.spec.overlaps import check_overlap
from spinodal.spec.tables import Table, describe
from spinodal.spec.tokens import FUNCTIONS, VARIABLES
from spinodal.spec.types import Parameter, Spec

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_MAX_PARAMETERS = 50


def read_parameters(table: Table) -> tuple[Parameter, ...]:
    """The declared parameters, in the order of the file.

    Raises:
        SpecError: a name is reserved, or a default is not a number that the parameter may take.
    """
    if len(table.data) > _MAX_PARAMETERS:
        raise table.error(None, f"more than {_MAX_PARAMETERS} parameters")
    return tuple(_read_parameter(table, name) for name in table)


def _read_parameter(table: Table, name: str) -> Parameter:
    reason = why_not_a_name(name)
    if reason is not None:
        raise table.error(name, f"{clip(name)}: {reason}", "choose another name for the parameter", at_key=True)
    value = table.data[name]
    if not isinstance(value, dict):
        return Parameter(name, _default(table, name, name, value))
    inner = table.table(name)
    inner.allow(("default", "description"))
    default = _default(inner, "default", name, inner.data["default"]) if "default" in inner else None
    return Parameter(name, default, inner.string("description") if "description" in inner else "")


def _default(table: Table, key: str, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise table.error(key, f"{name}: {describe(value)} where a number is needed", f"as in {name} = 1.0")
    reason = _why_not_a_value(name, value)
    if reason is not None:
        raise table.error(key, f"{name}: {reason[0]}", reason[1])
    return float(value)


def why_not_a_name(name: str) -> str | None:
    """Why a parameter or an observable may not have this name; None if it may."""
    if not _NAME.fullmatch(name):
        return "not a name (letters, digits and _, beginning with a letter, at most 40 characters)"
    if name in VARIABLES:
        return "reserved for a variable of formulas"
    if name in FUNCTIONS:
        return "reserved for a function of formulas"
    if name == "pi":
        return "reserved for the number"
    return "a word of the formula language" if name in ("and", "or", "not", "True", "False", "None") else None


def refuse_order_parameters(table: Table, reserved: Collection[str]) -> None:
    """Refuse parameters with the names of the model's own order parameters.

    Raises:
        SpecError: at the first of them.
    """
    for name in table:
        if name in reserved:
            raise table.error(
                name, f"{clip(name)}: reserved for an order parameter", "choose another name for the parameter", at_key=True
            )


def _why_not_a_value(name: str, value: float) -> tuple[str, str] | None:
    """What is wrong with a value, and what would be right."""
    try:
        number = float(value)
    except OverflowError:
        return f"{clip(value)} is too large", "write a finite number"
    if not math.isfinite(number):
        return f"{number} is not a number", "write a finite number"
    if name == "alpha" and number < 0:
        return f"{number:g} is negative", "alpha counts patterns per weight (P/N): 0 or more"
    if name == "alpha_T" and number <= 0:
        return f"{number:g} is not positive", "alpha_T counts patterns per input (P/D): more than 0"
    return None


def check_parameters(
    spec: Spec, values: Mapping[str, Any], *, source: str = "--set", extra: Collection[str] = ()
) -> dict[str, float]:
    """The value of every parameter for a run: those given, and the defaults of the others.

    Args:
        spec: the model.
        values: the given values.
        source: what the values came from, for messages.
        extra: names that the ansatz adds to the declared parameters (a constrained overlap such as ``q1``).

    Returns:
        The values in the order of declaration, then those of ``extra`` that were given.

    Raises:
        SpecError: an unknown name, a missing value, or a value outside what the parameter may take.
    """
    known = [*spec.parameter_names(), *extra]
    given: dict[str, float] = {}
    for name, value in values.items():
        if name not in known:
            cure = did_you_mean(str(name), known) or f"the model has {', '.join(known)}"
            raise SpecError(f"{clip(name)}: unknown parameter", cure=cure, source=source)
        given[name] = _number(name, value, source)
    complete = default_values(spec) | given
    missing = [name for name in spec.parameter_names() if name not in complete]
    if missing:
        raise SpecError(f"{missing[0]}: no value given and no default", cure=f"give {missing[0]} a number", source=source)
    ordered = {name: complete[name] for name in known if name in complete}
    if given:
        check_meaning(spec, ordered, source=source, only_depending_on=frozenset(given))
        check_overlap(spec, ordered, source=source, reached=True)
    return ordered


def _number(name: str, value: Any, source: str) -> float:
    # bool is an int, and float() takes texts: neither is a number that somebody meant.
    if isinstance(value, bool | str | bytes):
        raise SpecError(f"{name}: {describe(value)} is not a number", cure="write a finite number", source=source)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise SpecError(f"{name}: {clip(value)} is not a number", cure="write a finite number", source=source) from None
    reason = _why_not_a_value(name, number)
    if reason is not None:
        raise SpecError(f"{name}: {reason[0]}", cure=reason[1], source=source)
    return number
