"""What is maximised at one site, and the pieces and points that it is divided into (``ground.py``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
#: ``potential(t, point, *arguments)`` -> (L, L', L'') at t, of the piece that holds ``point``.
Potential = Callable[..., tuple[Any, Any, Any]]
Step = tuple[Any, Any]


@dataclass(frozen=True)
class Site:
    """What is maximised.

    Attributes:
        potential: L and its derivatives on pieces; None where L is known at points only.
        cuts: where one piece ends and the next begins, in any order.
        points: (t, L) of the points of a discrete weight.
        weight: whether omega pulls at a weight, instead of at a student's field.
        quadratic: whether L is quadratic on every piece.
        steps: (offset, slope) of expressions ``offset + slope t``: L changes over a unit of each.
        observed: ``observed(t, point, *arguments)``, a function of the maximiser that is smooth between cuts; None for none.
    """

    potential: Potential | None
    cuts: Sequence[Any] = ()
    points: Sequence[tuple[Any, Any]] = ()
    weight: bool = False
    quadratic: bool = False
    steps: Sequence[Step] = ()
    observed: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Elements:
    """Pieces and points in order of t, [b, E] each.

    Attributes:
        low, high: the ends in t (equal for a point).
        first, last: the fields at which the maximiser begins to move and stops.
        place: a point inside the piece, or inside the piece on the left of a point.
        beyond: the same, or inside the piece on the right of a point.
        level: L of a point.
        is_point: which are points.
        exists: which are there.
        left, right: of a point where pieces meet, L' on its two sides; where L jumps, infinite on the lower side.
    """

    low: Array
    high: Array
    first: Array
    last: Array
    place: Array
    beyond: Array
    level: Array
    is_point: Mask
    exists: Mask
    left: Array
    right: Array

    def take(self, index: NDArray[np.intp]) -> Elements:
        """Elements by their index [b, n], row by row."""
        return Elements(*(np.take_along_axis(part, index, axis=1) for part in vars(self).values()))
