"""Where two pieces of a weight exchange dominance as its field moves: steps of averages at low temperature.

Of log f = c - A h^2/2 - B h on each piece, exp(log f(h) - (h - omega)^2/(2V)) has a highest point on every piece. Where two
of them are equally high the mean of h jumps by their distance d, within V/d in omega. A concave log f has no such place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.float64]
#: (c, A, B) of the piece that holds a point h.
Coefficients: TypeAlias = Callable[[FloatArray], tuple[ArrayLike, ArrayLike, ArrayLike]]

#: The domain of z, and how finely the dominant piece is looked for.
_GRID, _FINE = np.linspace(-9.0, 9.0, 145), np.linspace(-9.0, 9.0, 721)
_MOST = 4
_HALVINGS = 45
#: Steps wider than this (in z) need no nodes of their own.
_WIDE = 1.0
#: How near the poles of an average at one label come, in units of the width of its bump.
_NEAR = 0.45
#: Highest points nearer to one another than this (in units of sqrt(V)) pass into one another: no jump.
_TOUCH = 1e-6


def takeovers(
    coefficients: Coefficients, variance: Any, splits: Sequence[Any], offset: Any, slope: Any
) -> list[tuple[FloatArray, FloatArray]]:
    """Centres and widths [b] in z of the steps of averages whose field has the mean omega = offset + slope z.

    Args:
        coefficients: (c, A, B) of log f, for points of the shape of the splits.
        variance: V of the field around its mean, a number or [b] or [b, 1].
        splits: where pieces end.
        offset: of omega, likewise.
        slope: of omega, likewise.
    """
    shape = np.broadcast_shapes(*(np.shape(part) for part in (variance, offset, slope, *splits)))
    v, a, b = (_flat(part, shape)[:, None] for part in (variance, offset, slope))
    cuts = list(np.sort(np.stack([np.broadcast_to(np.asarray(s, dtype=float), shape) for s in splits]), axis=0))
    points = [cuts[0] - 1.0, *(0.5 * (low + high) for low, high in pairwise(cuts)), cuts[-1] + 1.0]
    infinite = np.full(shape, np.inf)
    table = np.array([
        [_flat(part, shape) for part in (*coefficients(point), low, high)]
        for point, low, high in zip(points, [-infinite, *cuts], [*cuts, infinite], strict=True)
    ])  # fmt: skip
    with np.errstate(all="ignore"):
        return _steps(table, v, a, b)


def _flat(value: Any, shape: tuple[int, ...]) -> FloatArray:
    return np.array(np.broadcast_to(np.asarray(value, dtype=float), shape)).reshape(-1)


def _highest(piece: FloatArray, omega: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The highest point on a piece (c, A, B, low, high) [5, b], and its height, [b, m]."""
    c, curvature, linear, low, high = piece[..., None]
    h = np.clip((omega - linear * v) / (1.0 + curvature * v), low, high)
    return h, c - h * (0.5 * curvature * h + linear) - 0.5 * (h - omega) ** 2 / v


def _steps(table: FloatArray, v: FloatArray, a: FloatArray, b: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """Of pieces [pieces, 5, b], for columns V, offset and slope [b, 1]."""
    heights = np.stack([_highest(piece, a + b * _GRID, v)[1] for piece in table])
    best = np.where(np.isnan(heights), -np.inf, heights).argmax(axis=0)
    changes = best[:, 1:] != best[:, :-1]
    found = []
    for rank in range(min(_MOST, int(changes.sum(axis=1).max(initial=0)))):
        there = changes & (np.cumsum(changes, axis=1) == rank + 1)
        rows = np.flatnonzero(there.any(axis=1))
        column = there[rows].argmax(axis=1)
        left, right = (table[best[rows, column + side], :, rows].T for side in (0, 1))
        centre, width = np.zeros(len(v)), np.full(len(v), np.inf)
        centre[rows], width[rows] = _exchange(left, right, v[rows], a[rows], b[rows], column)
        narrow = width < _WIDE
        if narrow.any():
            found.append((np.where(narrow, centre, 0.0), np.where(narrow, np.maximum(width, 1e-13), 1.0)))
    return found


def _exchange(
    left: FloatArray, right: FloatArray, v: FloatArray, a: FloatArray, b: FloatArray, column: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Centre and width [r] in z of the exchange of two pieces [5, r] between two points of the grid."""
    low, high = _GRID[column][:, None], _GRID[column + 1][:, None]
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        omega = a + b * middle
        first = _highest(left, omega, v)[1] > _highest(right, omega, v)[1]
        low, high = np.where(first, middle, low), np.where(first, high, middle)
    gap = np.abs(_highest(left, a + b * low, v)[0] - _highest(right, a + b * low, v)[0])
    width = np.where(gap > _TOUCH * np.sqrt(v), v / (gap * np.abs(b)), np.inf)
    return low[:, 0], width[:, 0]


def bumps(
    log_f: Callable[[FloatArray], FloatArray], variance: Any, offset: Any, slope: Any
) -> list[tuple[FloatArray, FloatArray]]:
    """Centres and widths [b] in z of the (at most two) highest maxima of a weight f(h), seen through h ~ N(omega, V).

    Args:
        log_f: maps [b, m] to the logarithm of the weight.
        variance: V, a number or [b, 1].
        offset: of omega = offset + slope z, likewise.
        slope: of omega, likewise.
    """
    v, a, b = (np.asarray(part, dtype=float).reshape(-1, 1) for part in (variance, offset, slope))
    with np.errstate(all="ignore"):
        h = a + b * _FINE
        values = np.nan_to_num(np.asarray(log_f(h), dtype=float), nan=-np.inf)
        left, middle, right = values[:, :-2], values[:, 1:-1], values[:, 2:]
        weight = np.where((middle > left) & (middle >= right), middle - 0.5 * _FINE[1:-1] ** 2, -np.inf)
        found = []
        for _ in range(2):
            best = weight.argmax(axis=1)[:, None]
            good = np.isfinite(np.take_along_axis(weight, best, 1))
            before, top, after = (np.take_along_axis(part, best, 1) for part in (left, middle, right))
            bend, tilt = before - 2.0 * top + after, 0.5 * (after - before)
            step = _FINE[1] - _FINE[0]
            centre = _FINE[1:-1][best] - step * np.clip(tilt / bend, -1.0, 1.0)
            width = _NEAR * np.sqrt(v / b**2 - step**2 / bend)
            narrow = good & (width < _WIDE)
            if narrow.any():
                found.append((np.where(narrow, centre, 0.0)[:, 0], np.where(narrow, width, 1.0)[:, 0]))
            np.put_along_axis(weight, best, -np.inf, 1)
    return found
