"""Derivatives of functions that are known by their values alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spinodal.verify.errors import UnreadableError

Array = NDArray[np.float64]

#: Steps relative to the room around a point, and central differences of order six.
_STEPS = (0.01, 0.005)
_WEIGHTS = (0.75, -0.15, 1.0 / 60.0)


def slope(value: Callable[[Array], Array], here: Array, what: str) -> Array:
    """The derivative of a function at points between 0 and 1 or beyond, each with an argument of its own.

    Args:
        value: the function of all arguments at once.
        here: the arguments, [B].
        what: whose derivative, for the message.

    Raises:
        UnreadableError: where two steps disagree.

    >>> bool(abs(slope(np.exp, np.array([0.5]), "exp")[0] - np.exp(0.5)) < 1e-11)
    True
    """
    room = np.where(here < 1.0, np.minimum(np.abs(here), np.abs(1.0 - here)), np.abs(here))
    found = []
    for part in _STEPS:
        step = part * np.maximum(room, 1e-3)
        moved = (w * (value(here + k * step) - value(here - k * step)) for k, w in enumerate(_WEIGHTS, start=1))
        found.append(sum(moved, start=np.zeros_like(here)) / step)
    if not np.allclose(found[0], found[1], rtol=1e-8, atol=1e-9):
        raise UnreadableError(f"the derivative of {what} is not known accurately enough", None)
    return np.asarray(found[1])
