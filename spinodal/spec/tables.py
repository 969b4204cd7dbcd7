"""Typed, located access to the tables of a spec."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from spinodal.spec.ast import Negate, Node, Number
from spinodal.spec.errors import FormulaError, SpecError, clip, did_you_mean
from spinodal.spec.formula import parse_formula
from spinodal.spec.origin import Origin, place_name
from spinodal.spec.toml_positions import Path
from spinodal.spec.types import Formula


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a spec and its place; every complaint about its entries goes through it."""

    data: dict[str, Any]
    path: Path
    origin: Origin
    parameters: tuple[str, ...] = ()

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    @property
    def place(self) -> str:
        """The table's dotted name."""
        return place_name(self.path)

    def error(self, key: str | None, message: str, cure: str | None = None, *, at_key: bool = False) -> SpecError:
        """An error at one of the entries (None: at the table's own heading)."""
        path = self.path if key is None else (*self.path, key)
        return self.origin.error(path, message, cure, at_key=at_key)

    def allow(self, keys: Iterable[str], *, reasons: dict[str, str] | None = None) -> None:
        """Refuse every other key; ``reasons`` explain known keys that have no place here."""
        allowed = list(keys)
        for key in self.data:
            if key in allowed:
                continue
            if reasons and key in reasons:
                raise self.error(key, reasons[key], at_key=True)
            where = f"[{self.place}]" if len(self.path) == 1 else self.place if self.path else "a spec"
            cure = did_you_mean(key, allowed) or f"{where} may hold {', '.join(allowed)}"
            kind = "unknown table" if isinstance(self.data[key], dict) and not self.path else "unknown entry"
            raise self.error(key, f"{clip(key)}: {kind}", cure, at_key=True)

    def require(self, key: str, cure: str) -> None:
        """Refuse a table that lacks an entry."""
        if key not in self.data:
            where = f"[{self.place}]" if len(self.path) == 1 else self.place or "the spec"
            raise self.error(None, f"{where} has no {key}", cure)

    def table(self, key: str) -> Table:
        """A table inside this one."""
        value = self.data[key]
        if not isinstance(value, dict):
            cure = f"write [{key}] and its entries below"
            raise self.error(key, f"{key}: {describe(value)} where a table is needed", cure)
        return Table(value, (*self.path, key), self.origin, self.parameters)

    def string(self, key: str) -> str:
        """A text."""
        value = self.data[key]
        if not isinstance(value, str):
            raise self.error(key, f"{key}: {describe(value)} where a text is needed", "put it in quotes")
        return value

    def boolean(self, key: str) -> bool:
        """``true`` or ``false``."""
        value = self.data[key]
        if not isinstance(value, bool):
            raise self.error(key, f"{key}: {describe(value)} where true or false is needed")
        return value

    def choice(self, key: str, options: Collection[str]) -> str:
        """One of a few words."""
        value = self.string(key)
        if value not in options:
            cure = did_you_mean(value, options)
            raise self.error(
                key, f"{clip(value)}: unknown {key}", (f"{cure} " if cure else "") + f"(one of {', '.join(options)})"
            )
        return value

    def formula(
        self, key: str, *, variables: Collection[str] = (), truth: bool | None = False, with_parameters: bool = True
    ) -> Formula:
        """A formula, given as a text or as a number."""
        return self._formula(self.data[key], (*self.path, key), variables, truth, with_parameters)

    def formulas(self, key: str) -> tuple[Formula, ...]:
        """An array of formulas in the parameters."""
        value = self.data[key]
        if not isinstance(value, list):
            raise self.error(key, f"{key}: {describe(value)} where an array is needed", "write [a, b, ...]")
        path = (*self.path, key)
        return tuple(self._formula(entry, (*path, index), (), False, True) for index, entry in enumerate(value))

    def _formula(
        self, value: Any, path: Path, variables: Collection[str], truth: bool | None, with_parameters: bool
    ) -> Formula:
        place = place_name(path)
        key = next(part for part in reversed(path) if isinstance(part, str))
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not math.isfinite(value):
                raise self.origin.error(path, f"{key}: {value} is not a number", "write a finite number")
            if truth:
                raise self.origin.error(path, f"{key}: a number where a comparison is needed", 'as in "y*h >= 0"')
            return Formula(str(value), number_node(value), place)
        if not isinstance(value, str):
            raise self.origin.error(path, f"{key}: {describe(value)} where a formula is needed", "put it in quotes")
        try:
            return parse_formula(
                value,
                variables=variables,
                parameters=self.parameters if with_parameters else (),
                truth=truth,
                place=place,
            )
        except FormulaError as error:
            raise self.origin.error(path, error.message, error.cure, column=error.column) from None


def number_node(value: float) -> Node:
    """The tree of a number given as such: the decimal that was written, not the double nearest to it."""
    exact = Fraction(repr(value))
    return Number(exact) if exact >= 0 else Negate(Number(-exact))


def describe(value: object) -> str:
    """What a TOML value is, in words."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'the text "{clip(value)}"'
    if isinstance(value, int | float):
        return f"the number {clip(value)}"
    if isinstance(value, list):
        return "an array"
    return "a table" if isinstance(value, dict) else f"a {type(value).__name__}"
