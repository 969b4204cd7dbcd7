"""Texts of the command line into numbers, assignments and ranges, each mistake with its cure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from spinodal.spec import SpecError
from spinodal.spec.errors import clip

_MOST_POINTS = 100_000


def number(text: str, *, option: str, example: str) -> float:
    """A finite number.

    Raises:
        SpecError: the text is none.
    """
    try:
        value = float(text) if "_" not in text else math.nan  # Python's digit groups are no notation of this language
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SpecError(f"{clip(text)!r} is not a finite number", cure=f"as in {example}", source=option)
    return value


def assignments(texts: Iterable[str], *, option: str, example: str) -> dict[str, float]:
    """``NAME=NUMBER`` pairs, separated by blanks or commas; the last of several values for one name counts.

    Raises:
        SpecError: a text is no such pair.
    """
    result: dict[str, float] = {}
    for pair in (pair for text in texts for pair in re.split(r"[,\s]+", text.strip()) if pair):
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise SpecError(f"{clip(pair)!r} is not NAME=NUMBER", cure=f"as in {option} {example}", source=option)
        result[name] = number(value, option=f"{option} {clip(name)}", example=f"{option} {clip(name)}=0.8")
    return result


def override(text: str) -> tuple[str, str]:
    """``KEY=VALUE`` of ``--with``.

    Raises:
        SpecError: there is no ``=``, or nothing on one side of it.
    """
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise SpecError(f"{clip(text)!r} is not KEY=VALUE", cure="as in --with student.weights=spherical", source="--with")
    return key, value


@dataclass(frozen=True)
class Range:
    """``NAME=LOW:HIGH`` or ``NAME=LOW:HIGH:POINTS``; ``1/NAME`` means that the inverse runs through the range."""

    name: str
    inverse: bool
    bounds: tuple[float, float] | None
    points: int | None

    @property
    def variable(self) -> str:
        """The name as it was written, ``1/`` included."""
        return f"1/{self.name}" if self.inverse else self.name

    def ends(self) -> tuple[float, float] | None:
        """The range of the parameter itself, in the order written."""
        if self.bounds is None or not self.inverse:
            return self.bounds
        return 1.0 / self.bounds[0], 1.0 / self.bounds[1]


def search_range(text: str, *, option: str = "--along") -> Range:
    """``NAME``, ``1/NAME``, ``NAME=LOW:HIGH`` or ``1/NAME=LOW:HIGH``.

    Raises:
        SpecError: the text is none of these.
    """
    result = _range(text, option, f"{option} alpha=0.1:2")
    if result.points is not None:
        raise SpecError(
            f"{clip(text)}: a number of points means nothing here",
            cure=f"write {option} {result.variable}=LOW:HIGH (a grid goes to --over)",
            source=option,
        )
    if result.bounds is not None and result.bounds[0] >= result.bounds[1]:
        raise SpecError(
            f"{clip(text)}: the range is empty",
            cure=f"the lower bound comes first, as in {option} alpha=0.1:2",
            source=option,
        )
    return result


def grid_range(text: str, *, option: str = "--over") -> Range:
    """``NAME=FIRST:LAST:POINTS`` or ``1/NAME=FIRST:LAST:POINTS``.

    Raises:
        SpecError: the text is neither.
    """
    example = f"{option} kappa=0:1:21"
    result = _range(text, option, example)
    if result.bounds is None or result.points is None:
        raise SpecError(
            f"{clip(text)}: {'a range' if result.bounds is None else 'the number of points'} is missing",
            cure=f"write NAME=FIRST:LAST:POINTS, as in {example}",
            source=option,
        )
    if result.points < 2 or result.bounds[0] == result.bounds[1]:
        raise SpecError(
            f"{clip(text)}: a grid has two different points at least",
            cure="for a single one use --set and leave --over out",
            source=option,
        )
    return result


def _range(text: str, option: str, example: str) -> Range:
    variable, equals, rest = text.partition("=")
    inverse = variable.startswith("1/")
    name = variable.removeprefix("1/")
    if not re.fullmatch(r"[A-Za-z]\w*", name) or (equals and not rest):
        raise SpecError(f"{clip(text)!r} is not NAME=LOW:HIGH", cure=f"as in {example}", source=option)
    if not equals:
        return Range(name, inverse, None, None)
    parts = rest.split(":")
    if len(parts) not in (2, 3):
        raise SpecError(f"{clip(text)}: {clip(rest)!r} is not a range", cure=f"as in {example}", source=option)
    label = f"{option} {clip(variable)}"
    bounds = number(parts[0], option=label, example=example), number(parts[1], option=label, example=example)
    if inverse and min(bounds) <= 0.0 <= max(bounds):
        raise SpecError(f"{clip(text)}: 0 has no inverse", cure="keep 0 out of the range", source=option)
    return Range(name, inverse, bounds, _points(parts[2], label, example) if len(parts) == 3 else None)


def _points(text: str, option: str, example: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text) or not 1 <= int(text) <= _MOST_POINTS:
        raise SpecError(
            f"{clip(text)!r} is not a number of points",
            cure=f"write a whole number from 2 to {_MOST_POINTS}, as in {example}",
            source=option,
        )
    return int(text)
