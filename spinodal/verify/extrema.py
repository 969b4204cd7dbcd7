r"""The global extremum of a function of one variable, for many functions at once.

A grid finds local extrema; whichever of them may be the best one are followed to their places, and compared there: on the
grid alone two competing ones would be told apart only to the square of its spacing. Where a function is not smooth (kinks
and jumps, of ``max(0, kappa - h)`` or ``\Theta(\kappa - h)``) they are found first, and each smooth piece has an extremum
of its own: inside, or at an end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spinodal.verify.derivatives import derivative
from spinodal.verify.errors import UnreadableError
from spinodal.verify.functions import kinked
from spinodal.verify.tree import Node, free_symbols

Array = NDArray[np.float64]
Lanes = NDArray[np.intp]
#: A tree's values at points [n, l] or [n, 1] of a variable, for some of the functions [l].
Value = Callable[[Node, Array, Lanes], Array]

#: Words for either of them.
STATIONARY = ("extr", "Extr", "ext", "extremum", "stat")
_GRID, _SPACING = 40.0, 0.25
_WIDENINGS = 3
#: Local extrema that are followed.
_RIVALS = 3
_ZOOMS, _BISECTIONS = 4, 48
#: Central differences of order six for the first and second derivative, on a seven-point stencil.
_FIRST = np.array([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) / 60.0
_SECOND = np.array([2.0, -27.0, 270.0, -490.0, 270.0, -27.0, 2.0]) / 180.0
_STENCIL = 0.02
_CHUNK = 600
#: How far inside a piece its ends are evaluated, relatively: beyond the rounding of the kink's place.
_INSIDE = 4e-15
_HALVINGS = 50


def maximise(word: str, key: str, body: Node, value: Value, count: int) -> tuple[Array, Array]:
    """``max``, ``min``, ``argmax``, ``argmin`` or ``extr`` of functions over the real line, and the errors of what is found.

    Args:
        word: which of them (``sup`` and ``inf`` are max and min).
        key: the variable.
        body: the function.
        value: evaluates it, or its derivative.
        count: how many functions.

    Raises:
        UnreadableError: if the extremum is not attained; for ``extr``, unless there is either a maximum or a minimum.
    """
    if word in STATIONARY:
        return _either(key, body, value, count)
    sign = -1.0 if word in ("min", "inf", "argmin") else 1.0
    try:
        slope: Node | None = derivative(body, key, between_jumps=True)
    except UnreadableError:
        slope = None
    kinks = [argument for argument in kinked(body) if key in free_symbols(argument)]
    places, tops, errors, doubts = np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count)
    for start in range(0, count, _CHUNK):
        lanes = np.arange(start, min(start + _CHUNK, count))
        for rivals, centres, spacing in _candidates(sign, word, key, body, value, lanes):
            place, error = _followed(sign, body, slope, kinks, value, rivals, centres, spacing)
            top = sign * value(body, place[None, :], rivals)[0]
            first = errors[rivals] == 0.0
            better = first | (top > tops[rivals])
            chosen = rivals[better]
            places[chosen], tops[chosen], errors[chosen] = place[better], top[better], error[better] + 1e-300
            doubts[chosen] = _doubt(body, slope, value, place, error, rivals)[better]
    if word.startswith("arg"):
        return places, errors
    return np.asarray(sign * tops), doubts + 1e-16 * np.abs(tops)


def _doubt(body: Node, slope: Node | None, value: Value, place: Array, error: Array, lanes: Lanes) -> Array:
    """What the error of a place does to the value there."""
    if slope is not None:
        return np.asarray(np.nan_to_num(np.abs(value(slope, place[None, :], lanes)[0]) * error))
    beside = np.abs(value(body, np.stack([place - error, place + error]), lanes))
    return np.asarray(np.nan_to_num(np.max(np.abs(beside - value(body, place[None, :], lanes)), axis=0)))


def _either(key: str, body: Node, value: Value, count: int) -> tuple[Array, Array]:
    """The maximum or the minimum of functions, whichever they have."""
    found = []
    for word in ("max", "min"):
        with suppress(UnreadableError):
            extremum = maximise(word, key, body, value, count)
            if np.all(np.isfinite(extremum[0])):  # a pole is no extremum
                found.append(extremum)
    if len(found) != 1:
        what = "both a maximum and a minimum" if found else "neither a maximum nor a minimum"
        raise UnreadableError(f"there is {what} over {key}: write max or min", body.start)
    return found[0]


def _candidates(
    sign: float, word: str, key: str, body: Node, value: Value, lanes: Lanes
) -> list[tuple[Lanes, Array, float]]:
    """The grid's local maxima that may be the global one: (lanes, places, spacing), the best of each lane first."""
    reach, spacing = _GRID, _SPACING
    for _ in range(_WIDENINGS):
        points = np.linspace(-reach, reach, 2 * round(reach / spacing) + 1)
        found = sign * value(body, points[:, None], lanes)
        found = np.where(np.isnan(found), -np.inf, found)
        best = np.argmax(found, axis=0)
        if np.any(np.isposinf(found)):
            raise UnreadableError(f"{word} over {key} is not attained: there is no bound", body.start)
        if not np.any((best == 0) | (best == len(points) - 1)):
            break
        reach, spacing = 4.0 * reach, 2.0 * spacing
    else:
        raise UnreadableError(f"{word} over {key} is not attained within {reach / 4.0:g}", body.start)
    middle = found[1:-1]
    with np.errstate(invalid="ignore"):
        rise = np.abs(found[2:] - 2.0 * middle + found[:-2])
    local = np.where((middle >= found[2:]) & (middle >= found[:-2]), middle, -np.inf)
    result = []
    columns = np.arange(len(lanes))
    for k in range(_RIVALS):
        index = best - 1 if k == 0 else np.argmax(local, axis=0)
        # at its place a maximum exceeds its grid point by a fraction of the second difference
        height, gain = local[index, columns], rise[index, columns]
        if k == 0:
            highest, margin = height, gain
        able = height + gain + margin >= highest
        if np.any(able):
            result.append((lanes[able], points[index + 1][able], spacing))
        local[index, columns] = -np.inf
    return result


def _followed(
    sign: float,
    body: Node,
    slope: Node | None,
    kinks: Sequence[Node],
    value: Value,
    lanes: Lanes,
    centre: Array,
    spacing: float,
) -> tuple[Array, Array]:
    """The places of local maxima near grid points, and their errors."""
    for _ in range(_ZOOMS if slope is not None else 2 * _ZOOMS):
        points = centre + np.linspace(-2.0 * spacing, 2.0 * spacing, 17)[:, None]
        found = sign * value(body, points, lanes)
        best = np.argmax(np.where(np.isnan(found), -np.inf, found), axis=0)
        centre = points[best, np.arange(len(lanes))]
        spacing /= 4.0
    if slope is None:
        return _polished(sign, body, value, lanes, centre)
    low, high = centre - 2.0 * spacing, centre + 2.0 * spacing
    if kinks:
        return _among_pieces(sign, body, slope, kinks, value, lanes, low, high)
    found, error, inside = _root(sign, slope, value, lanes, low, high)
    return np.where(inside, found, centre), error


def _among_pieces(
    sign: float, body: Node, slope: Node, kinks: Sequence[Node], value: Value, lanes: Lanes, low: Array, high: Array
) -> tuple[Array, Array]:
    """The best place between two points of a function that is smooth between its kinks."""
    edges = np.sort(np.stack([low, *(_crossing(kink, value, lanes, low, high) for kink in kinks), high]), axis=0)
    best, place, error = np.full(len(lanes), -np.inf), 0.5 * (low + high), high - low
    for number, (left, right) in enumerate(pairwise(edges)):
        # the ends of a piece belong to it as limits, whatever the function is at a jump itself
        margin = _INSIDE * (1.0 + np.abs(left) + np.abs(right))
        left, right = np.minimum(left + margin, right), np.maximum(right - margin, left)
        stationary, width, inside = _root(sign, slope, value, lanes, left, right)
        points = np.stack([left, right, np.where(inside, stationary, left)])
        tops = sign * value(body, points, lanes)
        tops = np.where(np.isnan(tops), -np.inf, tops)
        outer = np.stack(
            [np.full(len(lanes), number == 0), np.full(len(lanes), number == len(edges) - 2), np.zeros_like(inside)]
        )
        # an extremum at the end of all of the pieces is no extremum that has been found
        errors = np.where(outer, high - low, np.stack([margin, margin, np.where(inside, width, margin)]))
        index, columns = np.argmax(tops, axis=0), np.arange(len(lanes))
        better = tops[index, columns] > best
        best = np.where(better, tops[index, columns], best)
        place = np.where(better, points[index, columns], place)
        error = np.where(better, errors[index, columns], error)
    return place, error


def _crossing(argument: Node, value: Value, lanes: Lanes, low: Array, high: Array) -> Array:
    """Where an argument vanishes between two points; the upper one if it does not."""
    left, right = value(argument, np.stack([low, high]), lanes)
    there, above = (left > 0.0) != (right > 0.0), left > 0.0
    with np.errstate(invalid="ignore", divide="ignore"):  # most arguments are linear
        point = np.where(there, np.clip(low - left * (high - low) / (right - left), low, high), high)
    margin = _INSIDE / 2.0 * (1.0 + np.abs(point))
    first, last = value(argument, np.stack([point - margin, point + margin]), lanes)
    found = ~there | ((first > 0.0) != (last > 0.0))
    for _ in range(0 if np.all(found) else _HALVINGS):
        middle = 0.5 * (low + high)
        same = (value(argument, middle[None, :], lanes)[0] > 0.0) == above
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return np.where(found, point, high)


def _root(
    sign: float, slope: Node, value: Value, lanes: Lanes, low: Array, high: Array
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Where the slope changes sign: the secant's point (Illinois), and now and then the middle; and whether it does."""
    width = high - low
    ends = sign * value(slope, np.stack([low, high]), lanes)
    left, right = ends[0], ends[1]
    inside = (left > 0.0) & (right < 0.0)
    for k in range(_BISECTIONS):
        if k % 3 == 2:
            point = 0.5 * (low + high)
        else:
            with np.errstate(invalid="ignore", divide="ignore"):
                point = np.where(left == right, 0.5 * (low + high), low - left * (high - low) / (right - left))
        point = np.clip(point, low, high)
        here = sign * value(slope, point[None, :], lanes)[0]
        above, below = inside & (here > 0.0), inside & (here < 0.0)
        done = inside & (here == 0.0)
        right = np.where(above, 0.5 * right, np.where(below, here, right))
        left = np.where(below, 0.5 * left, np.where(above, here, left))
        low, high = np.where(above | done, point, low), np.where(below | done, point, high)
        if np.all((high - low <= 4e-16 * (1.0 + np.abs(low))) | ~inside):
            break
    return 0.5 * (low + high), np.where(inside, high - low, width), inside


def _polished(sign: float, body: Node, value: Value, lanes: Lanes, centre: Array) -> tuple[Array, Array]:
    """Newton on a difference quotient: a maximum's place is known only to the root of its value's accuracy."""
    offsets = (_STENCIL * np.arange(-3, 4))[:, None]
    start = centre
    for _ in range(3):
        table = sign * value(body, centre + offsets, lanes)
        slope, curvature = _FIRST @ table / _STENCIL, _SECOND @ table / _STENCIL**2
        step = np.where(curvature < 0.0, slope / np.where(curvature < 0.0, curvature, -1.0), 0.0)
        centre = centre - np.clip(np.nan_to_num(step), -_STENCIL, _STENCIL)
    # the differences' own error shows in how far they have moved what bisection has found
    return centre, np.abs(centre - start)
