"""Kinks of an envelope: where the highest of several maxima changes, as gaps of the points that are maximisers at no field.

A gap is where ``t^2/(2D) - L(t)`` lies above its convex hull. Its ends are found on a grid that resolves L, at fields across
the folds of omega(t); what two fields of that search may have between them is mended by :func:`united` and by the envelope.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: Fields at which the order of two competing maxima is compared first.
_FIELDS = 48
#: The least omega' of a fold that counts: its area is of the order of the square.
SHALLOW = 1e-9


@dataclass(frozen=True, slots=True)
class Kinks:
    """Jumps of the maximiser, [b, K] each, K the largest number in a row of the batch.

    Attributes:
        omega: the fields where it jumps.
        below, above: the maximisers on the two sides.
        valid: which entries are kinks.
    """

    omega: Array
    below: Array
    above: Array
    valid: NDArray[np.bool_]


@cache
def shares(count: int) -> Array:
    """Points that divide [0, 1] evenly; not to be written to."""
    return np.linspace(0.0, 1.0, count)


def no_kinks(rows: int) -> Kinks:
    """None, for a batch of rows."""
    empty = np.zeros((rows, 0))
    return Kinks(empty, empty, empty, np.zeros((rows, 0), dtype=bool))


def inside(t: Array, kinks: Kinks) -> NDArray[np.bool_]:
    """Which points [b, n] lie in a gap."""
    hidden = np.zeros(t.shape, dtype=bool)
    for k in range(kinks.valid.shape[1]):
        part = slice(k, k + 1)
        hidden |= kinks.valid[:, part] & (t > kinks.below[:, part]) & (t < kinks.above[:, part])
    return hidden


def ends_of(kinks: Kinks) -> Array:
    """The ends of all gaps [b, 2K]; where there is none, points far away."""
    ends = np.concatenate([kinks.below, kinks.above], axis=1)
    return np.where(np.tile(kinks.valid, (1, 2)), ends, 1e300)


def ordered(valid: NDArray[np.bool_], below: Array, above: Array, field: Array) -> tuple[Array, Array, Array]:
    """Gaps from low to high, nan where there is none."""
    order = np.argsort(np.where(valid, below, np.inf), axis=1, kind="stable")[:, : int(valid.sum(axis=1).max())]
    parts = (np.take_along_axis(np.where(valid, part, np.nan), order, axis=1) for part in (below, above, field))
    below, above, field = parts
    return below, above, field


def united(kinks: Kinks) -> tuple[Array, Array, Array] | None:
    """Neighbouring gaps at fields in the wrong order as one; None if there are none.

    The maximum between them is the highest at no field; on a grid whose points lie closer to it than to others it may be.
    """
    below, above, field, valid = kinks.below.copy(), kinks.above, kinks.omega.copy(), kinks.valid.copy()
    for k in range(valid.shape[1] - 1):
        crossed = valid[:, k] & valid[:, k + 1] & (field[:, k] >= field[:, k + 1])
        below[crossed, k + 1] = below[crossed, k]
        field[crossed, k + 1] = 0.5 * (field[crossed, k] + field[crossed, k + 1])
        valid[crossed, k] = False
    return None if np.array_equal(valid, kinks.valid) else ordered(valid, below, above, field)


def falling_stretches(omega: Array, gain: Array) -> NDArray[np.bool_]:
    """Which stretches of a grid contain a fold, or what is no maximum, [b, n - 1]."""
    falling: NDArray[np.bool_] = (omega[:, 1:] - omega[:, :-1] < -SHALLOW) | (gain[:, 1:] < 0.0) | (gain[:, :-1] < 0.0)
    return falling


def folds_below(falling: NDArray[np.bool_]) -> NDArray[np.intp]:
    """How many of them lie below each point, [b, n]."""
    folds = np.zeros((len(falling), falling.shape[1] + 1), dtype=np.intp)
    np.cumsum(falling, axis=1, out=folds[:, 1:])
    return folds


def seek(t: Array, level: Array, omega: Array, gain: Array, spread: Array) -> tuple[Array, Array, Array]:
    """Approximate gaps of rows whose omega(t) is not monotonic: (below, above, omega), [b, K] each, nan where there is none.

    At fields across the folds, the highest of the grid's points is found; a gap is where it skips a fold. Points where
    omega falls are no maxima; on a coarse grid they could be the highest, and would split a gap.
    """
    left, right = omega[:, :-1], omega[:, 1:]
    falling = falling_stretches(omega, gain)
    low = np.min(np.where(falling, np.minimum(left, right), np.inf), axis=1, keepdims=True)
    high = np.max(np.where(falling, np.maximum(left, right), -np.inf), axis=1, keepdims=True)
    margin = 0.02 * (high - low)
    fields = (low - margin) + (high - low + 2.0 * margin) * shares(_FIELDS)
    potential = np.where(gain < 0.0, -np.inf, level - t * t / (2.0 * spread))
    # potential + fields/D t for all pairs of a field and a point
    heights = np.stack([fields / spread, np.ones_like(fields)], axis=2) @ np.stack([t, potential], axis=1)
    best = heights.argmax(axis=2)
    folds = folds_below(falling)
    rows = np.arange(len(t))
    passed = folds[rows[:, None], best]
    row, jump = np.nonzero(passed[:, 1:] > passed[:, :-1])
    number = np.bincount(row, minlength=len(t))
    slot = np.arange(row.size) - (np.cumsum(number) - number)[row]
    below, above, field = (np.full((len(t), int(number.max())), np.nan) for _ in range(3))
    below[row, slot] = t[row, best[row, jump]]
    above[row, slot] = t[row, best[row, jump + 1]]
    field[row, slot] = 0.5 * (fields[row, jump] + fields[row, jump + 1])
    return below, above, field
