"""Whether formulas cut the line at given parameters as they did where their equations were derived."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
#: Edges [k] (arrays [B] or numbers), expressions at points [B], and their signs on each interval [k + 1][m]; 0: undecided.
Partition = tuple[Sequence[Any], Callable[[Array], Sequence[Any]], Sequence[Sequence[int]]]

#: Where an interval is looked at: parts of its length, and distances from its only end.
_INSIDE, _OUTSIDE = (1e-3, 0.1, 0.5, 0.9, 0.999), (1e-10, 0.05, 0.6, 3.0)
#: Edges closer than this (relatively) coincide, and values smaller than this vanish.
_SAME = 1e-9


def same_partitions(batch: int, partitions: Sequence[Partition]) -> Mask:
    """Whether at each of ``batch`` parameter points all edges are real and in order, and all signs as noted [B].

    Intervals may be empty: what is true on them does not matter.
    """
    same = np.ones(batch, dtype=bool)
    with np.errstate(all="ignore"):
        for edges, expressions, signs in partitions:
            places = [np.broadcast_to(np.asarray(edge, dtype=float), (batch,)) for edge in edges]
            for place in places:
                same &= np.isfinite(place)
            for lower, upper in pairwise(places):
                same &= upper - lower >= -_SAME * (1.0 + np.abs(lower))
            for points, wanted in zip(_points(places, batch), signs, strict=True):
                for point in points:
                    same &= _agree(expressions(point), wanted, np.isfinite(point))
    return same


def _points(places: Sequence[Array], batch: int) -> list[list[Array]]:
    """Points inside every interval, nan where it is empty."""
    if not places:
        return [[np.full(batch, side * distance) for distance in _OUTSIDE for side in (-1.0, 1.0)]]
    inside = []
    for lower, upper in pairwise(places):
        length = np.where(upper - lower > 2.0 * _SAME * (1.0 + np.abs(lower)), upper - lower, np.nan)
        inside.append([lower + part * length for part in _INSIDE])
    below, above = ([places[end] + side * d for d in _OUTSIDE] for end, side in ((0, -1.0), (-1, 1.0)))
    return [below, *inside, above]


def _agree(values: Sequence[Any], wanted: Sequence[int], counts: Mask) -> Mask:
    agree = np.ones(counts.shape, dtype=bool)
    for value, sign in zip(values, wanted, strict=True):
        found = np.broadcast_to(np.asarray(value, dtype=float), counts.shape)
        if sign:
            agree &= ~counts | (found * sign > -_SAME)
    return agree
