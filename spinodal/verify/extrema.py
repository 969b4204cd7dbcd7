"""The global extremum of a function of one variable, for many functions at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spinodal.verify.errors import UnreadableError

Array = NDArray[np.float64]

_GRID, _SPACING = 40.0, 0.25
#: Central differences of order six for the first and second derivative, on a seven-point stencil.
_FIRST = np.array([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) / 60.0
_SECOND = np.array([2.0, -27.0, 270.0, -490.0, 270.0, -27.0, 2.0]) / 180.0
_STENCIL = 0.02


def maximise(word: str, key: str, value: Callable[[Array], Array], axes: int, start: int) -> Array:
    """``max``, ``min``, ``argmax`` or ``argmin`` of functions over the real line: a grid, zoomed in on its best point.

    Args:
        word: which of them (``sup`` and ``inf`` are max and min).
        key: the variable, for messages.
        value: the functions on points [n, outer.., B].
        axes: how many axes the points have besides the first.
        start: offset for messages.

    Raises:
        UnreadableError: if the extremum is not attained.
    """
    sign = -1.0 if word in ("min", "inf", "argmin") else 1.0
    reach, spacing = _GRID, _SPACING
    for _ in range(3):
        count = 2 * round(reach / spacing) + 1
        points = np.linspace(-reach, reach, count).reshape((count,) + (1,) * axes)
        found = sign * value(points)
        found = np.where(np.isnan(found), -np.inf, found)
        best = np.argmax(found, axis=0)
        if not np.any((best == 0) | (best == count - 1)):
            break
        reach, spacing = 4.0 * reach, 2.0 * spacing
    else:
        raise UnreadableError(f"{word} over {key} is not attained within {reach / 4.0:g}", start)
    top = np.take_along_axis(found, best[None], axis=0)[0]
    centre = np.take_along_axis(np.broadcast_to(points, found.shape), best[None], axis=0)[0]
    for _ in range(8):
        points = centre + np.linspace(-2.0 * spacing, 2.0 * spacing, 17).reshape((17,) + (1,) * np.ndim(centre))
        found = sign * value(points)
        best = np.argmax(np.where(np.isnan(found), -np.inf, found), axis=0)
        top = np.take_along_axis(found, best[None], axis=0)[0]
        centre = np.take_along_axis(points, best[None], axis=0)[0]
        spacing /= 4.0
    if word.startswith("arg"):
        return _polished(sign, value, centre)
    return np.asarray(sign * top)


def _polished(sign: float, value: Callable[[Array], Array], centre: Array) -> Array:
    """Newton on a difference quotient: a maximum's place is known only to the root of its value's accuracy."""
    offsets = (_STENCIL * np.arange(-3, 4)).reshape((7,) + (1,) * np.ndim(centre))
    for _ in range(3):
        table = sign * value(centre + offsets)
        slope = np.tensordot(_FIRST, table, axes=(0, 0)) / _STENCIL
        curvature = np.tensordot(_SECOND, table, axes=(0, 0)) / _STENCIL**2
        step = np.where(curvature < 0.0, slope / np.where(curvature < 0.0, curvature, -1.0), 0.0)
        centre = centre - np.clip(np.nan_to_num(step), -_STENCIL, _STENCIL)
    return centre
