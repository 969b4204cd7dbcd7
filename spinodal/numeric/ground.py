"""Averages over a Gaussian field of the ground state of one site, with the breaks where it changes.

The site's energy is -L, and its field omega ~ N(mean, root^2) pulls at it in one of two ways:

    a field of the student    Lambda(omega) = max_t [ L(t) - (t - omega)^2/(2V) ]      (a Moreau envelope)
    a weight                  Lambda(omega) = max_t [ L(t) + omega t + V t^2/2 ]       (a Legendre transform)

L is smooth between cuts and may jump there (a step), or it is known at points only (discrete weights). The line is divided
into *elements* in order of t: pieces on which the maximand is concave, and points. On each the best t follows omega and
stops at the ends; A_e(omega) is the height there. For elements d < e the difference A_d - A_e falls with omega (its slope is
proportional to t_d - t_e), so that each pair exchanges order once, and

    e wins between   max_{d<e} omega_de   and   min_{f>e} omega_ef,

which is the global maximum, whatever local ones there are. Panels for integrals over omega are cut where the winner changes
or stops moving: integrands are smooth between these breaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from spinodal.numeric.envelope import as_column
from spinodal.numeric.quadrature import EDGE, Rule, gauss_legendre
from spinodal.numeric.site import Array, Elements, Mask, Site, Step

#: States times nodes in one block.
_BLOCK_ELEMENTS = 32000
#: Nodes of a panel; units of variation per panel (for a rule of 100 nodes); panels at least, expected, and at most.
_ORDER, _UNIT, _FEWEST, _EXPECTED, _MOST = 12, 0.85, 6, 14, 60
#: Points of the grids that place panels and that find inflections.
_UNIFORM, _GRADED, _REFINED = 41, 24, 65
#: Iterations of safeguarded Newton searches.
_ITERATIONS = 60
#: Steps that have become shorter than this, relatively, and no longer shrink, are rounding.
_ROUNDING = 1e-11
#: Distances from the end of a piece, relatively, from which a power law is extrapolated to it, and the largest ratio of
#: differences of one that has a limit.
_NEAR_END, _SETTLES = (1e-4, 1e-6, 1e-8), 0.95
#: The rounding of a height, relatively.
_EPSILON = 2.3e-16
#: Levels that differ by less, relatively, meet.
_MEET = 1e-13
#: Fields over which both of two pieces that meet may move: their heights differ by the square of that.
_OVERLAP = 1e-8
#: Breaks at which the slope changes by less, relatively, are no jumps.
_CONTINUOUS = 1e-11
_INV_SQRT_2PI = 1.0 / np.sqrt(2.0 * np.pi)


def averages(
    integrands: Callable[..., tuple[Any, ...]] | None,
    summands: Callable[..., tuple[Any, ...]] | None,
    site: Site,
    rule: Rule,
    mean: Any,
    root: Any,
    variance: Any,
    z_steps: Sequence[Step],
    *arguments: Any,
) -> tuple[Any, ...]:
    """Averages, then sums over breaks, for all rows in cache-sized blocks; each is an array [b].

    Args:
        integrands: the averages from (z, seen, height, slope, bend, weight, *arguments): nodes [b, n] of the standard
            normal behind omega, what the site observes at the maximiser (its mean, as T -> 0, where that sits on a kink; 0
            where it observes nothing), Lambda, its first and second derivative, weights; arguments [b, 1]. None for no
            averages.
        summands: what is summed over breaks, from (omega, below, above, *arguments), each [b, K], ``below`` and ``above``
            being Lambda' on the two sides; None for no sums.
        site: what is maximised.
        rule: its size sets the number of panels.
        mean: the field's mean, a number or [b] (or [b, 1]).
        root: its standard deviation.
        variance: V.
        z_steps: (offset, slope) of expressions ``offset + slope z`` over a unit of which other factors change.
        arguments: what does not depend on nodes, and what the site needs.
    """
    data = [*site.cuts, *(part for point in site.points for part in point), *(part for step in site.steps for part in step)]
    steps = [part for step in z_steps for part in step]
    columns = [as_column(value) for value in (mean, root, variance, *data, *steps, *arguments)]
    count = max([1, *(len(c) for c in columns if isinstance(c, np.ndarray))])
    size = max(1, (_BLOCK_ELEMENTS * 100) // (_ORDER * _EXPECTED * rule.n))
    pieces = []
    for start in range(0, count, size):
        chosen = slice(start, min(start + size, count))
        part = [c[chosen] if isinstance(c, np.ndarray) and len(c) > 1 else c for c in columns]
        rows = chosen.stop - chosen.start
        field = Field(site, [np.broadcast_to(np.asarray(c, float), (rows, 1)) for c in part[: 3 + len(data)]])
        field.arguments = tuple(part[3 + len(data) + len(steps) :])
        moving = part[3 + len(data) : 3 + len(data) + len(steps)]
        pieces.append(_block(field, integrands, summands, list(zip(moving[::2], moving[1::2], strict=True)), rule))
    if len(pieces) == 1:
        return pieces[0]
    return tuple(np.concatenate([np.atleast_1d(one) for one in piece]) for piece in zip(*pieces, strict=True))


def _block(
    field: Field,
    integrands: Callable[..., tuple[Any, ...]] | None,
    summands: Callable[..., tuple[Any, ...]] | None,
    z_steps: Sequence[Step],
    rule: Rule,
) -> tuple[Any, ...]:
    results: list[Any] = []
    if integrands is not None:
        z, weight = field.nodes(z_steps, rule.n / 100.0)
        results += integrands(z, *field.at(z), weight, *field.arguments)
    if summands is not None:
        omega, below, above, valid = field.breaks
        values = summands(omega, below, above, *field.arguments)
        sums = [np.where(valid, value, 0.0).sum(axis=1) for value in values]
        results += sums if field.rows > 1 else [one[0] for one in sums]
    return tuple(results)


class Field:
    """One block of rows."""

    def __init__(self, site: Site, columns: Sequence[Array]) -> None:
        self.site = site
        self.mean, self.root, self.variance = columns[:3]
        self.rows = len(self.mean)
        data = list(columns[3:])
        self.cuts = [data.pop(0) for _ in site.cuts]
        self.points = [(data.pop(0), data.pop(0)) for _ in site.points]
        self.t_steps = [centre_and_width(data.pop(0), data.pop(0)) for _ in site.steps]
        self.arguments: tuple[Any, ...] = ()

    # ---- the maximand

    def potential(self, t: Array, place: Array) -> tuple[Array, Array, Array]:
        """L, L', L'' on pieces."""
        assert self.site.potential is not None
        with np.errstate(all="ignore"):
            found = self.site.potential(t, place, *self.arguments)
            level, slope, bend = (np.broadcast_to(np.asarray(v, float), t.shape) for v in found)
        return level, slope, bend

    def _end_slope(self, t: Array, place: Array) -> Array:
        """L' at an end of the piece that holds ``place``; its limit from inside where it is 0/0 there, as of |t|^(3/2)."""
        slope = self.potential(t, place)[1]
        lost = np.isnan(slope) & (t != place)
        if not lost.any():
            return slope
        inwards = np.sign(place - t) * np.minimum(np.abs(place - t), 1.0)
        first, second, third = (self.potential(t + inwards * step, place)[1] for step in _NEAR_END)
        with np.errstate(all="ignore"):
            before, after = second - first, third - second
            limit = np.where(after == 0.0, third, third - after * after / (after - before))
            limit = np.where(np.abs(after) > _SETTLES * np.abs(before), np.sign(after) * np.inf, limit)
            # what is left of a limit of 0 is rounding, of either sign: two pieces that meet there would overlap
            limit = np.where(np.abs(limit) <= _ROUNDING * np.abs(first), 0.0, limit)
        return np.where(lost, limit, slope)

    def follow(self, t: Array, slope: Array, bend: Array) -> tuple[Array, Array]:
        """The field at which t is stationary, and its derivative in t."""
        if self.site.weight:
            return -self.variance * t - slope, -self.variance - bend
        return t - self.variance * slope, 1.0 - self.variance * bend

    def height(self, level: Array, t: Array, omega: Array) -> Array:
        """The maximand."""
        if self.site.weight:
            return level + omega * t + 0.5 * self.variance * t * t
        return level - 0.5 * (t - omega) ** 2 / self.variance

    def reach(self, t: Array, omega: Array) -> Array:
        """dLambda/domega where t is the maximiser."""
        return t if self.site.weight else (t - omega) / self.variance

    # ---- elements

    @cached_property
    def elements(self) -> Elements:
        """Pieces and points in order of t."""
        parts: list[tuple[Array, ...]] = []  # low, high, place, beyond, level, is_point, exists, left, right
        yes, nothing = np.ones((self.rows, 1)), np.zeros((self.rows, 1))
        if self.site.potential is None:
            t = np.concatenate([value for value, _ in self.points], axis=1)
            level = np.concatenate([level for _, level in self.points], axis=1)
            order = np.argsort(t, axis=1)
            t, level = (np.take_along_axis(part, order, axis=1) for part in (t, level))
            full = np.ones_like(t)
            ends = np.full_like(t, -np.inf), np.full_like(t, np.inf)
            return Elements(t, t, *ends, t, t, level, full > 0, full > 0, full, full)
        cuts = self._cuts()
        count = cuts.shape[1]
        infinite = np.full((self.rows, 1), np.inf)
        bounds = np.concatenate([-infinite, cuts, infinite], axis=1)
        places = np.zeros((self.rows, 1)) if not count else np.concatenate(
            [cuts[:, :1] - 1.0, 0.5 * (cuts[:, 1:] + cuts[:, :-1]), cuts[:, -1:] + 1.0], axis=1
        )  # fmt: skip
        sides = _beside_cuts(bounds, places)
        for k in range(count + 1):
            low, high, place = bounds[:, k : k + 1], bounds[:, k + 1 : k + 2], places[:, k : k + 1]
            runs = [(low, high, yes)] if self.site.quadratic else self._concave_runs(low, high, place)
            parts += [(a, b, place, place, nothing, nothing, exists * (b > a), nothing, nothing) for a, b, exists in runs]
            if k < count:
                before, after = sides[0][:, k : k + 1], sides[1][:, k : k + 1]
                one, other = (self.potential(high, at)[0] for at in (before, after))
                left, right = (self._end_slope(high, at) for at in (before, after))
                level = np.fmax(one, other)
                left = np.where(level - one > _MEET * (1.0 + np.abs(level)), np.inf, left)
                right = np.where(level - other > _MEET * (1.0 + np.abs(level)), -np.inf, right)
                parts.append((high, high, before, after, level, yes, yes, left, right))
        columns = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        low, high, place, beyond, level, is_point, exists, left, right = columns
        first, last = self._turning(low, high, place, is_point > 0)
        concave = exists > 0
        if self.site.quadratic:  # a convex piece has its maximum at an end
            inside = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high, 0.0))
            concave &= (is_point > 0) | (self.follow(inside, *self.potential(inside, place)[1:])[1] > 0.0)
        return Elements(low, high, first, last, place, beyond, level, is_point > 0, concave, left, right)

    def _cuts(self) -> Array:
        """Where pieces meet [b, K], in order; a cut that a row lacks (nan, as sqrt(y) for y < 0) repeats another one."""
        if not self.cuts:
            return np.zeros((self.rows, 0))
        cuts = np.concatenate(self.cuts, axis=1)
        missing = ~np.isfinite(cuts)
        if missing.any():
            some = np.where(missing, np.inf, cuts).min(axis=1, keepdims=True)
            cuts = np.where(missing, np.where(np.isfinite(some), some, 0.0), cuts)
        return np.sort(cuts, axis=1)

    def _turning(self, low: Array, high: Array, place: Array, is_point: Mask) -> tuple[Array, Array]:
        ends = []
        for t, beyond in ((low, -np.inf), (high, np.inf)):
            at = np.where(np.isfinite(t), t, 0.0)
            slope = self._end_slope(at, np.where(is_point, at, place))
            omega = self.follow(at, slope, np.zeros_like(at))[0]
            ends.append(np.where(is_point | ~np.isfinite(t), beyond, omega))
        return ends[0], ends[1]

    def _window(self) -> tuple[Array, Array]:
        """An interval of t, [b, 1] each, beyond which no maximiser of a field in range lies."""
        low, high = self.mean - EDGE * self.root, self.mean + EDGE * self.root
        scale = np.maximum(self.root, 1e-3)
        if self.site.weight:
            tame = -1.0 / np.where(self.variance < 0.0, self.variance, -1.0)
            low, high, scale = low * tame, high * tame, scale * tame
        reach = np.zeros((self.rows, 1))
        for k in range(26):
            ends = [low - reach, high + reach]
            far = [self.follow(t, *self.potential(t, t)[1:])[0] for t in ends]
            inside = (far[0] <= self.mean - EDGE * self.root) & (far[1] >= self.mean + EDGE * self.root)
            if np.all(inside | ~np.isfinite(far[0])):
                break
            reach = np.where(inside, reach, 3.0**k * scale)
        return low - 3.0 * reach - scale, high + 3.0 * reach + scale

    def _concave_runs(self, low: Array, high: Array, place: Array) -> list[tuple[Array, Array, Array]]:
        """The parts of a smooth piece on which the maximand is concave: (begin, end, whether it exists), in order."""
        window = self._window()
        begin, end = np.clip(window[0], low, high), np.clip(window[1], low, high)
        grids = [begin + (end - begin) * np.linspace(0.0, 1.0, 2 * _UNIFORM)]
        for centre, width in self.t_steps:
            a, b = (np.arcsinh((edge - centre) / width) for edge in (begin, end))
            grids.append(np.clip(centre + width * np.sinh(a + (b - a) * np.linspace(0.0, 1.0, 2 * _GRADED)), begin, end))
        grid = np.sort(np.concatenate(grids, axis=1), axis=1)
        inside = grid.copy()  # curvatures are taken inside the piece
        inside[:, 0], inside[:, -1] = (0.999 * grid[:, 0] + 0.001 * grid[:, 1], 0.999 * grid[:, -1] + 0.001 * grid[:, -2])
        gain = self.follow(inside, *self.potential(inside, place)[1:])[1]
        concave = ~(gain <= 0.0)
        if concave.all():
            return [(low, high, np.ones_like(low))]
        turns = concave[:, 1:] != concave[:, :-1]
        most = int(turns.sum(axis=1).max())
        where = np.argsort(~turns, axis=1, kind="stable")[:, :most]
        valid = np.take_along_axis(turns, where, axis=1)
        left, right = np.take_along_axis(inside, where, axis=1), np.take_along_axis(inside, where + 1, axis=1)
        rising = np.take_along_axis(concave, where + 1, axis=1)
        for _ in range(50):
            middle = 0.5 * (left + right)
            found = self.follow(middle, *self.potential(middle, place)[1:])[1] > 0.0
            left, right = np.where(found == rising, left, middle), np.where(found == rising, middle, right)
        edge = np.where(valid, np.where(rising, right, left), high)
        bounds = np.concatenate([low, edge, high], axis=1)
        runs = []
        for k in range(most + 1):  # concave and convex parts alternate
            is_concave = concave[:, :1] if k % 2 == 0 else ~concave[:, :1]
            runs.append((bounds[:, k : k + 1], bounds[:, k + 1 : k + 2], is_concave.astype(float)))
        return runs

    # ---- maximisers

    def best(self, elements: Elements, omega: Array) -> tuple[Array, Array, Array, Array]:
        """(t, L, dL, ddL) at the best t of given elements, one for each field; slope and bend are nan where t is stuck."""
        stuck = elements.is_point | ~elements.exists | (omega <= elements.first) | (omega >= elements.last)
        t = np.where(omega <= elements.first, elements.low, elements.high)
        t = np.where(elements.is_point, elements.low, t)
        t = np.where(elements.exists, t, 0.0)  # what is not there is not searched
        if self.site.potential is None:
            none = np.full_like(t, np.nan)
            return t, np.broadcast_to(elements.level, t.shape), none, none
        if not stuck.all():
            t = np.where(stuck, t, self._moving(elements, omega, stuck))
        level, slope, bend = self.potential(t, elements.place)
        level = np.where(elements.is_point, elements.level, level)
        return t, level, np.where(stuck, np.nan, slope), np.where(stuck, np.nan, bend)

    def _moving(self, elements: Elements, omega: Array, stuck: Mask) -> Array:
        """The root of ``field(t) = omega`` inside each element, by Newton's method inside a bracket."""
        low = np.broadcast_to(elements.low, omega.shape).copy()
        high = np.broadcast_to(elements.high, omega.shape).copy()
        guess = omega
        if self.site.weight:
            guess = -omega / np.where(self.variance < 0.0, self.variance, -1.0)
        t = begin = np.clip(guess, low, high)
        scale, previous = 1.0 + np.abs(t), np.inf
        for _ in range(1 if self.site.quadratic else _ITERATIONS):
            _level, slope, bend = self.potential(t, elements.place)
            at, gain = self.follow(t, slope, bend)
            miss = at - omega
            high, low = np.where(miss > 0.0, t, high), np.where(miss <= 0.0, t, low)
            with np.errstate(all="ignore"):
                ahead = t - miss / gain
                farthest = scale + 2.0 * np.abs(t - begin)  # where nothing else bounds a step
                away = np.where(miss > 0.0, t - farthest, t + farthest)
                half = np.where(np.isfinite(low) & np.isfinite(high), 0.5 * (low + high), away)
            if self.site.quadratic:
                return np.clip(ahead, elements.low, elements.high)
            allowed = (ahead >= low) & (ahead <= high) & (gain > 0.0) & (np.abs(ahead - t) <= farthest)
            ahead = np.where(allowed, ahead, half)
            ahead = np.where(np.abs(miss) <= _EPSILON * (np.abs(t) + np.abs(omega)), t, ahead)
            change = np.where(stuck, 0.0, np.abs(ahead - t) / (scale + np.abs(t)))
            t, largest = np.where(stuck, t, ahead), float(np.max(change, initial=0.0))
            if largest < 4e-16 or (largest < _ROUNDING and largest > 0.75 * previous):
                break
            previous = largest
        return t

    # ---- who wins where

    @cached_property
    def winners(self) -> tuple[Array, Array, Mask]:
        """Where each element is the maximum: from, to, and whether at all, [b, E] each."""
        elements = self.elements
        count = elements.low.shape[1]
        begin, end = np.full((self.rows, count), -np.inf), np.full((self.rows, count), np.inf)
        pairs = [(d, e) for d in range(count) for e in range(d + 1, count)]
        if pairs:
            left, right = (np.broadcast_to([pair[i] for pair in pairs], (self.rows, len(pairs))) for i in (0, 1))
            at = self._exchanges(elements.take(left), elements.take(right))
            exists = elements.exists[:, left[0]] & elements.exists[:, right[0]]
            for k, (d, e) in enumerate(pairs):
                found = np.where(exists[:, k], at[:, k], np.nan)
                begin[:, e], end[:, d] = np.fmax(begin[:, e], found), np.fmin(end[:, d], found)
        return begin, end, elements.exists & (end > begin)

    def _exchanges(self, left: Elements, right: Elements) -> Array:
        """The fields [b, P] at which pairs of elements exchange order; infinite outside the field's range."""
        low = np.broadcast_to(self.mean - EDGE * self.root, left.low.shape).copy()
        high = np.broadcast_to(self.mean + EDGE * self.root, left.low.shape).copy()

        def difference(omega: Array) -> tuple[Array, Array, Array]:
            """By how much the left one is higher, its derivative, and the rounding of it."""
            (t, level, *_), (other, other_level, *_) = (self.best(side, omega) for side in (left, right))
            height, other_height = self.height(level, t, omega), self.height(other_level, other, omega)
            rounding = _EPSILON * (np.abs(height) + np.abs(other_height) + 2.0 * (np.abs(level) + np.abs(other_level)))
            return height - other_height, self.reach(t, omega) - self.reach(other, omega), rounding

        never, always = difference(low)[0] <= 0.0, difference(high)[0] >= 0.0
        meets, turns = self._meetings(left, right)
        settled = never | always | meets | ~left.exists | ~right.exists
        omega, previous = 0.5 * (low + high), np.inf
        for _ in range(_ITERATIONS):
            gap, slope, rounding = difference(omega)
            low, high = np.where(gap > 0.0, omega, low), np.where(gap > 0.0, high, omega)
            with np.errstate(all="ignore"):
                ahead = omega - gap / slope
            ahead = np.where((ahead > low) & (ahead < high), ahead, 0.5 * (low + high))
            ahead = np.where(np.abs(gap) <= rounding, omega, ahead)
            relative = np.where(settled, 0.0, np.abs(ahead - omega) / (np.abs(omega) + self.root))
            omega, largest = ahead, float(np.max(relative, initial=0.0))
            if largest < 4e-16 or (largest < _ROUNDING and largest > 0.75 * previous):
                break
            previous = largest
        omega = np.where(never, -np.inf, np.where(always, np.inf, omega))
        return np.where(meets, turns, omega)

    def _meetings(self, left: Elements, right: Elements) -> tuple[Mask, Array]:
        """Where one of a pair is a point at which the other, a piece, ends at the same level: there the piece stops moving.

        (Two pieces that both stop there have equal heights over a stretch of fields, any of which will do.)

        Returns:
            Which pairs [b, P] are like that, and the fields at which they exchange order.
        """
        turns = np.zeros(left.low.shape)
        found = np.zeros(left.low.shape, dtype=bool)
        if self.site.potential is None:
            return found, turns
        for piece, point, end, turn in ((left, right, left.high, left.last), (right, left, right.low, right.first)):
            level = self.potential(np.where(np.isfinite(end), end, 0.0), piece.place)[0]
            meets = ~piece.is_point & point.is_point & (point.low == end)
            meets &= np.abs(level - point.level) <= _MEET * (1.0 + np.abs(level))
            turns, found = np.where(meets, turn, turns), found | meets
        end = np.where(np.isfinite(left.high), left.high, 0.0)
        levels = [self.potential(end, side.place)[0] for side in (left, right)]
        both = ~left.is_point & ~right.is_point & (left.high == right.low)
        both &= left.last - right.first <= _OVERLAP * (self.root + np.abs(left.last))
        both &= np.abs(levels[0] - levels[1]) <= _MEET * (1.0 + np.abs(levels[0]))
        return found | both, np.where(both, left.last, turns)

    @cached_property
    def breaks(self) -> tuple[Array, Array, Array, Mask]:
        """Fields where the winner changes, Lambda' below and above, and which entries are breaks, [b, K] each."""
        begin, _end, wins = self.winners
        count = wins.shape[1]
        if count == 1:
            none = np.zeros((self.rows, 1))
            return none, none, none, np.zeros((self.rows, 1), dtype=bool)
        after = np.full(self.rows, -1)
        chosen = np.full((self.rows, count - 1), -1)
        for e in range(count - 1, 0, -1):
            after = np.where(wins[:, e], e, after)
            chosen[:, e - 1] = after
        omega = np.take_along_axis(begin, np.maximum(chosen, 0), axis=1)
        with np.errstate(all="ignore"):
            valid = wins[:, :-1] & (chosen > 0) & (np.abs(omega - self.mean) < EDGE * self.root)
        omega = np.where(valid, omega, self.mean)
        index = np.broadcast_to(np.arange(count - 1), chosen.shape)
        sides = []
        for part in (index, np.maximum(chosen, 0)):
            t = self.best(self.elements.take(part), omega)[0]
            sides.append(self.reach(t, omega))
        below, above = sides
        jump = np.abs(above - below) > _CONTINUOUS * (1.0 + np.abs(below) + np.abs(above))
        return omega, np.where(valid, below, 0.0), np.where(valid, np.where(jump, above, below), 0.0), valid

    def at(self, z: Array) -> tuple[Array, Array, Array, Array]:
        """(what is observed, Lambda, Lambda', Lambda'') at nodes z [b, n]."""
        return self.at_fields(self.mean + self.root * z)

    def at_fields(self, omega: Array) -> tuple[Array, Array, Array, Array]:
        """The same at fields omega [b, n]."""
        begin, _end, wins = self.winners
        index = np.broadcast_to(np.argmax(wins, axis=1)[:, None], omega.shape)
        for e in range(1, wins.shape[1]):
            index = np.where(wins[:, e : e + 1] & (omega >= begin[:, e : e + 1]), e, index)
        chosen = self.elements.take(index)
        t, level, slope, bend = self.best(chosen, omega)
        stuck = np.isnan(slope)
        seen = self._seen(chosen, t, omega)
        height = self.height(level, t, omega)
        with np.errstate(all="ignore"):
            if self.site.weight:
                return seen, height, t, np.where(stuck, 0.0, -1.0 / (self.variance + np.where(stuck, 1.0, bend)))
            moving = bend / (1.0 - self.variance * bend)
            # where L bends steeply, the rounding of t matters less to how far it has moved than to L'
            steep = stuck | (self.variance * bend < -1.0)
            first = np.where(steep, (t - omega) / self.variance, slope)
            return seen, height, first, np.where(stuck, -1.0 / self.variance, moving)

    def _seen(self, elements: Elements, t: Array, omega: Array) -> Array:
        """What is observed at maximisers t, one for each field; at a point, the mean over its two sides as T -> 0."""
        if self.site.observed is None:
            return np.zeros_like(t)
        with np.errstate(all="ignore"):
            value = np.asarray(self.site.observed(t, elements.place, *self.arguments), float) + np.zeros_like(t)
            if elements.is_point.any():
                pull = (omega - t) / self.variance
                right = _share(elements.left + pull, -elements.right - pull)
                beyond = np.asarray(self.site.observed(t, elements.beyond, *self.arguments), float)
                value = np.where(elements.is_point, (1.0 - right) * value + right * beyond, value)
        return value

    # ---- nodes

    def nodes(self, z_steps: Sequence[Step], resolution: float) -> tuple[Array, Array]:
        """Nodes z [b, n] and the weights of averages; ``resolution`` multiplies the number of panels."""
        omega, _below, _above, valid = self.breaks
        with np.errstate(all="ignore"):
            cut = np.where(valid, (omega - self.mean) / self.root, EDGE)
        cut = np.clip(np.nan_to_num(cut, nan=EDGE), -EDGE, EDGE)
        steps = [centre_and_width(*(np.broadcast_to(np.asarray(p, float), (self.rows, 1)) for p in s)) for s in z_steps]
        grids = [np.broadcast_to(np.linspace(-EDGE, EDGE, _UNIFORM), (self.rows, _UNIFORM)), cut]
        for centre, width in steps:
            a, b = (np.arcsinh((edge - centre) / width) for edge in (-EDGE, EDGE))
            grids.append(np.clip(centre + width * np.sinh(a + (b - a) * np.linspace(0.0, 1.0, _GRADED)), -EDGE, EDGE))
        grid = np.sort(np.concatenate(grids, axis=1), axis=1)
        lengths = self._lengths(grid, steps)
        if not self.site.quadratic:
            grid = np.sort(np.concatenate([divided(grid, lengths, _REFINED), cut], axis=1), axis=1)
            lengths = self._lengths(grid, steps)
        longest = float(np.max(np.nan_to_num(lengths.sum(axis=1)), initial=1.0))
        panels = int(np.ceil(resolution * min(max(longest / _UNIT, float(_FEWEST)), float(_MOST))))
        edges = np.sort(np.concatenate([divided(grid, lengths, panels + 1), cut], axis=1), axis=1)
        x, w = gauss_legendre(_ORDER)
        half = 0.5 * np.diff(edges, axis=1)[..., None]
        z = (0.5 * (edges[:, 1:] + edges[:, :-1])[..., None] + half * x).reshape(self.rows, -1)
        weight = (half * w).reshape(self.rows, -1)
        return z, weight * np.exp(-0.5 * z * z) * _INV_SQRT_2PI

    def _lengths(self, z: Array, steps: Sequence[tuple[Array, Array]]) -> Array:
        """How many units of variation lie between neighbouring points of a grid, [b, n - 1]."""
        square = (0.4 * np.diff(z, axis=1)) ** 2
        for centre, width in steps:
            square += np.diff(np.arcsinh((z - centre) / width), axis=1) ** 2
        if not self.site.quadratic and self.site.potential is not None:
            square += self.variation(self.mean + self.root * z)
        return np.sqrt(np.nan_to_num(square))

    def variation(self, omega: Array) -> Array:
        """The squared units of variation of the maximiser between neighbouring fields of a grid, [b, n - 1]."""
        _seen, _height, first, second = self.at_fields(omega)
        t = first if self.site.weight else omega + self.variance * first
        square = np.zeros((len(omega), omega.shape[1] - 1))
        for centre, width in self.t_steps:
            square += np.clip(np.diff(np.arcsinh((t - centre) / width), axis=1), -3.0, 3.0) ** 2
        gain = second if self.site.weight else 1.0 + self.variance * second
        square += np.clip(0.5 * np.diff(np.log(np.abs(gain) + 1e-12), axis=1), -3.0, 3.0) ** 2
        return square


def _beside_cuts(bounds: Array, places: Array) -> tuple[Array, Array]:
    """Points [b, K] inside the pieces on the left and right of every cut; pieces between cuts that coincide are none."""
    empty = bounds[:, 1:] <= bounds[:, :-1]
    left, right = places.copy(), places.copy()
    for k in range(1, places.shape[1]):
        left[:, k] = np.where(empty[:, k], left[:, k - 1], left[:, k])
    for k in range(places.shape[1] - 2, -1, -1):
        right[:, k] = np.where(empty[:, k], right[:, k + 1], right[:, k])
    return left[:, :-1], right[:, 1:]


def _share(left: Array, right: Array) -> Array:
    """The part on the right of a two-sided exponential that falls at the rates ``left`` and ``right``."""
    with np.errstate(all="ignore"):
        part = left / (left + right)
    return np.where(np.isinf(left), 1.0, np.where(np.isinf(right), 0.0, np.nan_to_num(part, nan=0.5)))


def divided(grid: Array, lengths: Array, count: int) -> Array:
    """``count`` points [b, count] that divide a grid's length evenly."""
    total = np.concatenate([np.zeros((len(grid), 1)), np.cumsum(lengths, axis=1)], axis=1)
    share = total / np.maximum(total[:, -1:], 1e-300)
    offset = 2.0 * np.arange(len(grid))[:, None]
    wanted = np.linspace(0.0, 1.0, count) + offset
    return np.asarray(np.interp(wanted.ravel(), (share + offset).ravel(), grid.ravel()).reshape(len(grid), count))


def centre_and_width(offset: Array, slope: Array) -> tuple[Array, Array]:
    """Centre and width [b, 1] of ``offset + slope t``."""
    size = np.maximum(np.abs(slope), 1e-9)
    centre = -offset / np.where(slope < 0.0, -size, size)
    return np.nan_to_num(centre), np.nan_to_num(1.0 / size, nan=1.0)


__all__ = ["Field", "Site", "averages", "centre_and_width", "divided"]
