"""Nodes that many Gaussian fields of one variance share: a row of inner averages for the cost of a few exponentials each.

An inner average log E exp(log_f(h)), h ~ N(omega, V), is wanted at a hundred omega of an outer rule, for one V and one
label. Searching a peak for each (:mod:`spinodal.numeric.tilted`) costs more than the average. Here the line is cut once
for all of them: at the declared splits, into panels of three standard deviations, and these again where log f is not
resolved by a panel's polynomial, or the measure of some field varies too much. Where a panel begins or ends at a split
its nodes crowd there, so that powers such as h^(3/2) are integrated as well as smooth functions.

Rows for which this would need too many nodes, whose labels are themselves integrated in the row, or whose mass may lie
outside what the panels cover, are declined; the search serves them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .quadrature import gauss_legendre

FloatArray: TypeAlias = NDArray[np.float64]

FEWEST = 24  # fields in a row, below which searching costs no more
_WIDTH = 3.0  # of a panel, in standard deviations: the nodes integrate the Gaussian on it to 1e-15
_NODES = 20
_REACH = 9.5  # standard deviations beyond the outermost fields: exp(-45) of the density
_DROP = 45.0
_OUTSIDE = 38.0  # how far the exponent has dropped at both ends
_MOST_PANELS = 80
_ROUNDS, _DOUBTS = 10, 3
_RESOLVED = 1e-6  # last coefficients of log f on a panel: a Gauss rule sees their square
_STEEPEST = 10.0  # of the variation of a measure's exponent on a panel, where it is felt in the twelfth digit
_FELT = 28.0
#: Between the fields that stand for those of a row, in standard deviations. The depth of a measure below its highest point
#: is a convex function of the field with slopes of the distance between them, so that nothing is felt between two only.
_SPACING = 2.0
FINE = np.linspace(0.0, 1.0, 25)  # of a panel, where its polynomial is looked at
_LARGEST = 1e4  # of |log f|, where its rounding would be felt


def shared_nodes(
    log_f: Callable[[FloatArray], FloatArray],
    omega: FloatArray,
    sigma: FloatArray,
    splits: Sequence[FloatArray],
    nodes: int,
) -> tuple[FloatArray, FloatArray] | None:
    """Nodes h [b, m] and log of f times their weights [b, m] for fields omega [b, n] of standard deviations sigma [b, 1].

    log_f maps [b, 1, m] to log-weights (-inf allowed); splits are [b, 1]; nodes is what the search would use on a panel,
    to which the nodes of panels here are scaled. None: the row is declined.
    """
    low, high = omega.min(-1, keepdims=True), omega.max(-1, keepdims=True)
    if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high)) and np.all(sigma > 0.0)):
        return None
    extent = float(((high - low) / sigma).max())
    if extent > _MOST_PANELS // 2 * _WIDTH:
        return None
    sample = low + (high - low) * np.linspace(0.0, 1.0, 2 + int(extent / _SPACING))  # not of the nodes, which crowd at steps
    for reach in (_REACH, 2.0 * _REACH):
        found = _cover(log_f, sample[..., None], sigma, splits, low - reach * sigma, high + reach * sigma, nodes)
        if found is None or found[2]:
            return None if found is None else found[:2]
    return None


def _cover(
    log_f: Callable[[FloatArray], FloatArray],
    sample: FloatArray,
    sigma: FloatArray,
    splits: Sequence[FloatArray],
    low: FloatArray,
    high: FloatArray,
    nodes: int,
) -> tuple[FloatArray, FloatArray, bool] | None:
    """Nodes and log-weights between two ends, and whether no mass lies at them; None where panels would be too many.

    The fields of a row are represented by a sample [b, k, 1] of the range that they lie in.
    """
    panels = int(np.ceil(((high - low) / (_WIDTH * sigma)).max()))
    if panels > _MOST_PANELS // 2:
        return None
    cuts = [low + (high - low) * np.linspace(0.0, 1.0, panels + 1)]
    inside = [np.where((split > low) & (split < high), split, high) for split in splits]
    for split in inside:
        cuts += [split, *(np.minimum(np.maximum(split + side * 0.5 * sigma, low), high) for side in (-1.0, 1.0))]
    edges = np.sort(np.concatenate([np.broadcast_to(cut, (len(low), cut.shape[1])) for cut in cuts], 1), 1)
    count = round(_NODES * max(1.0, nodes / 80.0) ** 0.5)
    t, weights = on_unit_interval(count)
    between = interpolation(count)
    for turn in range(_ROUNDS):
        if edges.shape[1] - 1 > _MOST_PANELS:
            return None
        h, speed = place(edges, inside, t)
        values = np.asarray(log_f(h.reshape(len(h), 1, -1)), dtype=np.float64)
        if values.shape[1:] != (1, h.shape[1] * count):
            return None
        logs = np.broadcast_to(np.where(np.isnan(values), -np.inf, values)[:, 0], (len(h), values.shape[2]))
        logs = logs.reshape(h.shape)
        # a well may be narrow enough to fall between nodes, though log f is a polynomial that they know
        smooth, most = resolved(logs, count), logs.max(-1, keepdims=True)
        finite = np.isfinite(logs).all(-1, keepdims=True)
        fine = np.where(finite, np.where(finite, logs, 0.0) @ between, most)
        between_nodes = fine
        fine = np.where(smooth[..., None], fine, np.minimum(fine, most))  # beside a pole it oscillates
        places = place(edges, inside, FINE)[0]
        distance = (places[:, None] - sample[..., None]) / sigma[..., None, None]
        exponent = fine[:, None] - 0.5 * distance * distance  # [b, samples, panels, fine]
        highest = exponent.max(-1)
        top = highest.max(-1, keepdims=True)
        if not np.all(np.isfinite(top)):
            return None
        felt = (highest > top - _DROP).any(1)
        if turn < _DOUBTS:  # what nodes do not show may still be there
            doubtful = between_nodes.max(-1)[:, None] - 0.5 * (distance * distance).min(-1) > top - _DROP
            felt |= doubtful.any(1) & ~smooth
        if np.abs(fine[(exponent > top[..., None] - _DROP).any(1)]).max() > _LARGEST:
            return None
        lowest = np.maximum(exponent.min(-1), top - _FELT)
        begin, end = at_splits(edges, inside)
        steepest = np.where(begin | end, _STEEPEST / 3.0, _STEEPEST)  # a cube has three times the degree
        steep = ((highest > top - _FELT) & (highest - lowest > steepest[:, None])).any(1)
        coarse = felt & (steep | ~smooth) & (edges[:, 1:] > edges[:, :-1])
        if not coarse.any():
            with np.errstate(divide="ignore"):
                logs = logs + np.log(weights * speed)
            free = bool(np.all(exponent[..., [0, -1], [0, -1]] < top - _OUTSIDE))
            keep = felt.any(0)  # panels that some row feels
            return h[:, keep].reshape(len(h), -1), logs[:, keep].reshape(len(h), -1), free
        middle = np.where(coarse, 0.5 * (edges[:, 1:] + edges[:, :-1]), edges[:, -1:])
        edges = np.sort(np.concatenate([edges, middle], 1), 1)
        edges = edges[:, : edges.shape[1] - int((~coarse).sum(1).min())]
    return None


@cache
def on_unit_interval(count: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on [0, 1]."""
    t, weights = gauss_legendre(count)
    return 0.5 * (t + 1.0), 0.5 * weights


@cache
def interpolation(count: int) -> FloatArray:
    """Values at Gauss-Legendre nodes to those of their polynomial at ``FINE`` [count, fine]."""
    t, weights = gauss_legendre(count)
    degrees = np.arange(count)
    coefficients = np.polynomial.legendre.legvander(t, count - 1) * weights[:, None] * (degrees + 0.5)
    return np.asarray(coefficients @ np.polynomial.legendre.legvander(2.0 * FINE - 1.0, count - 1).T)


def place(edges: FloatArray, splits: Sequence[FloatArray], t: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where t in [0, 1] lies in each panel, and dh/dt there [b, panels, len(t)]; points crowd at ends that are splits."""
    left, length = edges[:, :-1, None], np.diff(edges, axis=1)[..., None]
    first, last = (at[..., None] for at in at_splits(edges, splits))
    both, slope = t**3 * (10.0 + t * (6.0 * t - 15.0)), 30.0 * (t * (1.0 - t)) ** 2
    place = np.where(first & last, both, np.where(first, t**3, np.where(last, 1.0 - (1.0 - t) ** 3, t)))
    speed = np.where(first & last, slope, np.where(first, 3.0 * t**2, np.where(last, 3.0 * (1.0 - t) ** 2, 1.0)))
    return left + length * place, length * speed


def at_splits(edges: FloatArray, splits: Sequence[FloatArray]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which panels begin, and which end, at a split."""
    at = np.zeros(edges.shape, dtype=bool)
    for split in splits:
        at |= edges == split
    return at[:, :-1], at[:, 1:]


@cache
def last_coefficients(count: int) -> FloatArray:
    """Values on Gauss-Legendre nodes to the last two coefficients of their polynomial, up to a factor near 1."""
    t, weights = gauss_legendre(count)
    return np.asarray(np.polynomial.legendre.legvander(t, count - 1)[:, -2:] * weights[:, None] * (count - 0.5))


def resolved(logs: FloatArray, count: int) -> NDArray[np.bool_]:
    """Whether the last two Legendre coefficients on each panel are small; where f vanishes there is nothing to resolve."""
    finite = np.isfinite(logs)
    tails = np.abs(np.where(finite, logs, 0.0) @ last_coefficients(count)).max(-1)
    empty = ~finite.any(-1)
    smooth: NDArray[np.bool_] = empty | (finite.all(-1) & (tails < _RESOLVED))
    return smooth
