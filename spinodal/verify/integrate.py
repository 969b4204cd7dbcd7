"""Integrals of one variable for many integrands at once, each resolved as far as it needs to be.

An integrand is a lane: a column of every array. A Gaussian average over the whole line is a trapezoid sum whose step is
halved until nothing changes, which converges geometrically where the integrand is analytic; a lane whose sum has converged
takes no further part. Integrals between limits, and lanes that the trapezoid rule leaves unresolved, take panels of a Fejér
rule which are bisected, each by itself, wherever two orders of the rule disagree. The disagreement that is left is the error
estimate; what the errors of inner integrals do to an integrand (its noise) is added to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinodal.verify.quadrature import Sum, Terms, fejer, summed, zeros

Array = NDArray[np.float64]
Lanes = NDArray[np.intp]
#: An integrand at nodes ([n, 1] or [n, l]) for some of the lanes [l], times the weight of its measure.
Sample = Callable[[Array, Lanes], Terms]

#: Two trapezoid sums that agree to this are followed by one that is right to its power of 3/2.
_AGREE = 2e-9
#: Terms at the ends of the range that weigh less than this, relative to the sum, are its last.
_END = 1e-15
#: A panel is accepted where the next order of its rule would change it by less than this, relative to the whole integral.
_PANEL = 1e-12
_ORDER = 31
#: The change is believed to shrink by no more than this factor from one order to the next.
_TRUST = 0.01
#: Relative errors of one order are at most so many times the square of those before, where the integrand is analytic.
_SQUARED = 100.0
_HALF_WIDTH, _FARTHEST = 8.8, 80.0
#: First panels. No simple numbers: a step that lies on an edge, as where nodes of an outer integral put it, is not seen.
_EDGES = np.array([0.0, 0.2371, 0.4837, 0.7419, 1.0])
_GAUSSIAN_EDGES = np.array([0.0, 0.1263, 0.3719, 1.0])
#: Panels that a lane may have pending, on average.
_CROWD = 24


@dataclass(frozen=True, slots=True)
class Effort:
    """How much an integral may cost.

    Attributes:
        step: the trapezoid rule's first step.
        halvings: how often it is halved before panels are tried; with none, one sum is the result, without an error.
        rounds: of bisection of panels; with one, likewise.
        width: integrands times nodes that are evaluated together.
    """

    step: float = 0.8
    halvings: int = 4
    rounds: int = 40
    width: int = 200_000

    @property
    def fine(self) -> bool:
        """Whether there is an error to speak of."""
        return self.halvings > 0


def _chunks(lanes: Lanes, size: int) -> Iterator[Lanes]:
    for start in range(0, len(lanes), max(1, size)):
        yield lanes[start : start + max(1, size)]


# ---- the whole line


def whole_line(sample: Sample, count: int, effort: Effort) -> tuple[Sum, float]:
    """Averages over a variable that runs over the whole line; ``sample`` contains its Gaussian weight.

    Returns:
        The sums, and the smallest step that was needed.
    """
    found = zeros(count)
    smallest = effort.step
    hard: list[tuple[Lanes, float]] = []
    pending: list[tuple[Lanes, float]] = [(np.arange(count), _HALF_WIDTH)]
    while pending:
        lanes, reach = pending.pop()
        nodes = 2 * int(reach / effort.step + 0.5) + 1
        for some in _chunks(lanes, effort.width // nodes):
            far, unresolved, step = _trapezoid(sample, some, reach, effort, found)
            smallest = min(smallest, step)
            if len(far) and 2.0 * reach < _FARTHEST:
                pending.append((far, 2.0 * reach))
            else:
                unresolved = np.concatenate([unresolved, far])
            if len(unresolved):
                hard.append((unresolved, reach))
    for lanes, reach in hard:
        place = Place(np.full(count, -reach), np.full(count, reach))
        panels = _panels(sample, lanes, place, _EDGES, effort, count)
        found.put(lanes, panels.at(lanes))
        smallest = min(smallest, effort.step / 2.0**effort.halvings)
    return found, smallest


def _trapezoid(sample: Sample, lanes: Lanes, reach: float, effort: Effort, found: Sum) -> tuple[Lanes, Lanes, float]:
    """Sum lanes into ``found``; which of them weigh at the ends, which are unresolved, and the last step."""
    step, half = effort.step, int(reach / effort.step + 0.5)
    terms = sample(_column(step, -half, half + 1, 0.0), lanes)
    total, _ = summed(terms, np.ones((2 * half + 1, 1)))
    ends = np.max(np.stack([_weight(terms, k, total) for k in (0, -1)]), axis=0)
    far = ends > _END * total.size
    if not effort.fine:
        found.put(lanes[~far], total.at(np.flatnonzero(~far)).times(step))
        return lanes[far], lanes[:0], step
    active = np.flatnonzero(~far)
    total = total.at(active)
    for _ in range(effort.halvings):
        if len(active) == 0:
            break
        middles = sample(_column(step, -half, half, 0.5), lanes[active])
        finer = total + summed(middles, np.ones((2 * half, 1)))[0]
        scale = np.exp(np.minimum(total.shift - finer.shift, 700.0))
        with np.errstate(invalid="ignore"):
            gap = np.abs(0.5 * finer.value - total.value * scale) / np.maximum(finer.size, 1e-300)
            good = (gap <= _AGREE) | (gap * finer.size <= 2.0 * finer.error)
        step, half = step / 2.0, 2 * half
        kept = np.flatnonzero(good)
        result = finer.at(kept).times(step)
        result.error[:] += result.size * np.maximum(gap[kept] ** 1.5, 1e-15)
        found.put(lanes[active[kept]], result)
        rest = np.flatnonzero(~good)
        active, total = active[rest], finer.at(rest)
    return lanes[far], lanes[active], step


def _column(step: float, first: int, stop: int, shift: float) -> Array:
    return np.asarray(step * (np.arange(first, stop, dtype=float) + shift))[:, None]


def _weight(terms: Terms, index: int, total: Sum) -> Array:
    """What one row of terms weighs, in the scale of the sums."""
    exponent = terms.exponent if isinstance(terms.exponent, float) else terms.exponent[index]
    return np.asarray(np.abs(terms.value[index]) * np.exp(np.minimum(exponent - total.shift, 700.0)))


# ---- panels


@dataclass(frozen=True, slots=True)
class Place:
    """From the unit interval to the ranges of lanes: ordered limits [count]; infinite ones by a rational map.

    Attributes:
        low: lower limits.
        high: upper limits.
    """

    low: Array
    high: Array

    def __call__(self, t: Array, lanes: Lanes) -> tuple[Array, Array]:
        """``(z, dz/dt)`` at t [n, l]."""
        low, high = self.low[lanes], self.high[lanes]
        below, above = np.isfinite(low), np.isfinite(high)
        if np.all(below & above):
            return low + (high - low) * t, np.broadcast_to(high - low, t.shape)
        start, stop = np.where(below, low, 0.0), np.where(above, high, 0.0)
        inside = 1.0 - t
        z = np.where(
            below & above,
            start + (stop - start) * t,
            np.where(below, start + t / inside, np.where(above, stop - inside / t, (t - 0.5) / (t * inside))),
        )
        dz = np.where(
            below & above,
            stop - start,
            np.where(below, inside**-2.0, np.where(above, t**-2.0, (t * t - t + 0.5) / (t * inside) ** 2)),
        )
        return z, dz


def between(sample: Sample, low: Array, high: Array, gaussian: bool, effort: Effort) -> Sum:
    """Integrals between limits [count], low <= high; ``sample`` contains the measure's weight.

    A Gaussian variable's infinite limit is replaced by one where the integrand no longer weighs.
    """
    count = len(low)
    edges = _GAUSSIAN_EDGES if gaussian else _EDGES
    found = zeros(count)
    lanes = np.arange(count)
    reach = _HALF_WIDTH
    while len(lanes):
        place, turned = Place(low, high), False
        if gaussian:
            start = np.where(np.isfinite(low), low, np.where(np.isfinite(high), np.minimum(high, 0.0), 0.0) - reach)
            stop = np.where(np.isfinite(high), high, np.maximum(start, 0.0) + reach)
            start, stop = np.minimum(start, stop), np.maximum(start, stop)
            # short panels belong where the weight is: at the limit that is nearer to the origin
            turned = bool(np.median(np.abs(start)) > np.median(np.abs(stop)))
            place = Place(start, stop)
        part = _panels(sample, lanes, place, 1.0 - edges[::-1] if turned else edges, effort, count).at(lanes)
        found.put(lanes, part)
        if not gaussian or reach >= _FARTHEST:
            break
        open_ends = ~(np.isfinite(low[lanes]) & np.isfinite(high[lanes]))
        lanes = lanes[open_ends]
        if len(lanes) == 0:
            break
        part = part.at(np.flatnonzero(open_ends))
        far = np.zeros(len(lanes), dtype=bool)
        for limit, end in ((low, place.low), (high, place.high)):
            terms = sample(end[lanes][None, :], lanes)
            far |= ~np.isfinite(limit[lanes]) & (_weight(terms, 0, part) > _END * part.size)
        lanes, reach = lanes[far], 2.0 * reach
    return found


def _panels(sample: Sample, lanes: Lanes, place: Place, edges: Array, effort: Effort, count: int) -> Sum:
    """Integrals of some lanes over panels that are bisected where the rule has not converged; sums [count]."""
    nodes, weights = fejer(_ORDER if effort.fine else 15)
    nodes = (nodes + 1.0) / 2.0
    total = zeros(count)
    lane = np.repeat(lanes, len(edges) - 1)
    a, b = (np.tile(e, len(lanes)) for e in (edges[:-1], edges[1:]))
    for k in range(effort.rounds):
        last = k == effort.rounds - 1 or len(lane) > max(400, _CROWD * len(lanes))
        values = zeros(len(lane))
        gaps, before = np.zeros(len(lane)), np.zeros(len(lane))
        for some in _chunks(np.arange(len(lane)), effort.width // len(nodes)):
            width = b[some] - a[some]
            z, dz = place(a[some] + width * nodes[:, None], lane[some])
            terms = sample(z, lane[some])
            jacobian = 0.5 * width * dz
            noise = terms.noise if isinstance(terms.noise, float) else terms.noise * jacobian
            one, every = summed(Terms(terms.value * jacobian, terms.exponent, noise), weights)
            values.put(some, one)
            gaps[some], before[some] = np.abs(every[0] - every[1]), np.abs(every[1] - every[2])
        change = _change(gaps, before, values.size)
        whole = _gathered(total, values, lane)
        share = np.exp(np.minimum(values.shift - whole.shift[lane], 700.0))
        with np.errstate(invalid="ignore"):
            good = (change * share <= _PANEL * whole.size[lane]) | (gaps <= 2.0 * values.error) | ~np.isfinite(gaps)
        if effort.fine:
            values.error[:] += np.where(good, change, gaps)
        good |= last
        accepted = np.flatnonzero(good)
        total = _gathered(total, values.at(accepted), lane[accepted])
        again = np.flatnonzero(~good)
        if len(again) == 0:
            break
        middle = 0.5 * (a[again] + b[again])
        lane = np.concatenate([lane[again], lane[again]])
        a, b = np.concatenate([a[again], middle]), np.concatenate([middle, b[again]])
    return total


def _change(gaps: Array, before: Array, size: Array) -> Array:
    """What the next order of the rule would change, from how two orders and the two before them disagree.

    Where the integrand is analytic, each order squares the error, and the next change is far smaller than the last; two
    orders that agree better than that by accident are told by the one before.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        analytic = gaps * size <= _SQUARED * before**2
        rate = np.clip(np.where(before > 0.0, gaps / before, 1.0), _TRUST, 1.0)
    return np.where(analytic, gaps * rate, np.maximum(gaps, 0.1 * before))


def _gathered(total: Sum, parts: Sum, lane: Lanes) -> Sum:
    """Sums [count] with parts [p] added to their lanes."""
    count = len(total.value)
    shift = np.where(total.size > 0.0, total.shift, -np.inf)
    np.maximum.at(shift, lane, np.where(parts.size > 0.0, parts.shift, -np.inf))
    shift = np.where(np.isfinite(shift), shift, 0.0)
    old = np.exp(np.minimum(total.shift - shift, 700.0))
    new = np.exp(np.minimum(parts.shift - shift[lane], 700.0))

    def sums(values: Array) -> Array:
        return np.asarray(np.bincount(lane, weights=values * new, minlength=count), dtype=float)

    return Sum(
        total.value * old + sums(parts.value),
        total.size * old + sums(parts.size),
        shift,
        total.error * old + sums(parts.error),
    )
