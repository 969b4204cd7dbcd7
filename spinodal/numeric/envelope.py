"""Averages over a Gaussian field of functions of a maximiser that follows it (Moreau envelopes), with their kinks.

For ``Lambda(omega) = max_t [ L(t) - (t - omega)^2/(2D) ]``, omega ~ N(mean, root^2), and integrands that depend on the
maximiser t*(omega), no maximum is searched at the nodes: t is the integration variable. Where t is a maximiser,

    omega(t) = t - D L'(t),      E[F] = int dt omega'(t) N(omega(t)) F(omega(t), t),      omega' = 1 - D L'',

which is exact and stays smooth where a maximum is flat (omega' -> 0). If L is not concave, t* jumps over intervals of t
(gaps) as omega passes isolated values, the kinks of Lambda; a gap is where ``t^2/(2D) - L(t)`` lies above its convex hull,
and its ends have equal heights and equal omega (Maxwell's construction). Gaps are found on a grid that resolves L,
globally, and their ends by Newton's method.

The integral is taken on Gauss-Legendre panels whose edges follow all scales at work: the Gaussian in omega, the steps of
L in t and of other factors in omega, and the flattening of maxima.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinodal.numeric.kinks import (
    SHALLOW,
    Kinks,
    ends_of,
    falling_stretches,
    folds_below,
    inside,
    no_kinks,
    ordered,
    seek,
    shares,
    united,
)
from spinodal.numeric.quadrature import EDGE, Rule, gauss_legendre

Array = NDArray[np.float64]
#: ``level(t, *arguments)`` -> (L,) and ``slopes(t, *arguments)`` -> (L', L'') at t [b, n], arguments [b, 1] or numbers.
Level = Callable[..., tuple[Any]]
Slopes = Callable[..., tuple[Any, Any]]
Step = tuple[Any, Any]

#: States times nodes in one block.
_BLOCK_ELEMENTS = 32000
#: Nodes of a panel.
_ORDER = 12
#: Units of variation (see ``_Field._lengths``) per panel, for a rule of 100 nodes; panels expected, and at most.
_UNIT, _EXPECTED, _MOST = 0.85, 12, 60
#: Points of the grids that place the panels.
_UNIFORM, _GRADED, _REFINED, _REFINEMENTS = 33, 24, 49, 2
#: How far the range of t is sought beyond the field's: in factors of 3, up to 3^26 times that range or 1e-9 D.
_LADDER, _FIRST_RUNGS = 26, 5
_REACHES = np.concatenate([[0.0], 3.0 ** np.arange(1, _LADDER)])
#: A grid divides an interval about so much more finely than the one before it.
_SHRINKAGE = 10.0
#: Newton steps at most, at the ends of a gap: at flat folds the first ones gain a third each.
_POLISHING = 30
#: Gaps inside gaps that are looked for, and Newton steps towards the maximum between the ends of one.
_HIDDEN, _CLIMBING = 4, 8
#: The standard deviation of a field below which the maximiser is taken as linear in it (to second order it is 1e-10).
_NARROW = 1e-5
_INV_SQRT_2PI = 1.0 / np.sqrt(2.0 * np.pi)


def averages(
    integrands: Callable[..., tuple[Any, ...]] | None,
    summands: Callable[..., tuple[Any, ...]] | None,
    level: Level,
    slopes: Slopes,
    rule: Rule,
    mean: Any,
    root: Any,
    spread: Any,
    t_steps: Sequence[Step],
    z_steps: Sequence[Step],
    *arguments: Any,
    single: bool,
) -> tuple[Any, ...]:
    """Averages, then sums over kinks, for all rows in cache-sized blocks; each is an array [b].

    Args:
        integrands: the averages from (z, t, weight, *arguments): nodes [b, n] of the standard normal behind omega and of
            the maximiser, weights [b, n], arguments [b, 1]; None for no averages.
        summands: what is summed over kinks, from (omega, below, above, *arguments), each [b, K]; None for no sums.
        level: L, which competing maxima are compared by.
        slopes: its first two derivatives.
        rule: its size sets the number of panels.
        mean: the field's mean, a number or [b] (or [b, 1]).
        root: its standard deviation.
        spread: D.
        t_steps: (offset, slope) of expressions ``offset + slope t``: L changes over a unit of each.
        z_steps: the same in z, for other factors of the integrands.
        arguments: what does not depend on nodes.
        single: whether only one maximum is possible.
    """
    inputs = [mean, root, spread, *(part for step in (*t_steps, *z_steps) for part in step), *arguments]
    columns = [as_column(value) for value in inputs]
    count = max([1, *(len(c) for c in columns if isinstance(c, np.ndarray))])
    size = max(1, (_BLOCK_ELEMENTS * 100) // (_ORDER * _EXPECTED * rule.n))
    pieces = []
    narrow = np.broadcast_to(np.asarray(columns[1], dtype=float).reshape(-1) < _NARROW, count)
    if narrow.any() and not narrow.all():  # fields of both kinds: each row with its own
        chosen = [np.flatnonzero(narrow), np.flatnonzero(~narrow)]
    else:
        chosen = [np.arange(start, min(start + size, count)) for start in range(0, count, size)]
    for rows in chosen:
        part = [c[rows] if isinstance(c, np.ndarray) and len(c) > 1 else c for c in columns]
        pieces.append(_block(integrands, summands, level, slopes, rule, part, len(t_steps), len(z_steps), single))
    if len(pieces) == 1:
        return pieces[0]
    order = np.argsort(np.concatenate(chosen), kind="stable")
    if not np.array_equal(order, np.arange(count)):
        return tuple(np.concatenate([np.atleast_1d(one) for one in piece])[order] for piece in zip(*pieces, strict=True))
    return tuple(np.concatenate([np.atleast_1d(one) for one in piece]) for piece in zip(*pieces, strict=True))


def as_column(value: Any) -> Any:
    """An array [b] as a column [b, 1]; a number as it is."""
    if not isinstance(value, np.ndarray) or not value.ndim:
        return value
    return value[:, None] if value.ndim == 1 else value


def _block(
    integrands: Callable[..., tuple[Any, ...]] | None,
    summands: Callable[..., tuple[Any, ...]] | None,
    level: Level,
    slopes: Slopes,
    rule: Rule,
    columns: Sequence[Any],
    t_count: int,
    z_count: int,
    single: bool,
) -> tuple[Any, ...]:
    mean, root, spread = columns[:3]
    steps = [(columns[3 + 2 * k], columns[4 + 2 * k]) for k in range(t_count + z_count)]
    arguments = columns[3 + 2 * (t_count + z_count) :]
    field = _Field(level, slopes, mean, root, spread, steps[:t_count], steps[t_count:], tuple(arguments), single)
    results: list[Any] = []
    if integrands is None:
        kinks = field.kinks()
    elif np.all(field.root < _NARROW):
        kinks, z, t, weight = field.narrow_nodes(rule.n / 100.0)
        results += integrands(z, t, weight, *arguments)
    else:
        kinks, t, weight = field.nodes(rule.n / 100.0)
        z, weight = field.weights(t, weight)
        results += integrands(z, t, weight, *arguments)
    if summands is not None:
        if kinks.valid.any():
            values = summands(kinks.omega, kinks.below, kinks.above, *arguments)
            sums = [np.where(kinks.valid, value, 0.0).sum(axis=1) for value in values]
        else:
            empty = np.zeros((len(kinks.valid), 1))
            sums = [np.zeros(len(kinks.valid)) for _ in summands(empty, empty - 1.0, empty + 1.0, *arguments)]
        results += sums if len(kinks.valid) > 1 else [one[0] for one in sums]
    return tuple(results)


class _Field:
    """One block of rows: the map omega(t), its gaps, and panels for integrals over t."""

    def __init__(
        self,
        level: Level,
        slopes: Slopes,
        mean: Any,
        root: Any,
        spread: Any,
        t_steps: Sequence[Step],
        z_steps: Sequence[Step],
        arguments: tuple[Any, ...],
        single: bool,
    ) -> None:
        shape = np.broadcast_shapes((1, 1), *(np.shape(part) for part in (mean, root, spread)))
        rows = max(
            [
                shape[0],
                *(len(a) for a in arguments if isinstance(a, np.ndarray) and a.ndim),
                *(len(p) for s in (*t_steps, *z_steps) for p in s if isinstance(p, np.ndarray) and p.ndim),
            ]
        )
        self.mean, self.root, self.spread = (_shaped(v, (rows, 1)) for v in (mean, root, spread))
        self.t_steps = [_centre_and_width(step) for step in t_steps]
        self.z_steps = [_centre_and_width(step) for step in z_steps]
        self._level, self._slopes, self.arguments, self.single, self.rows = level, slopes, arguments, single, rows
        self.index = np.arange(rows)

    def level(self, t: Array) -> Array:
        """L at t [b, n]."""
        return _shaped(self._level(t, *self.arguments)[0], t.shape)

    def evaluate(self, t: Array) -> tuple[Array, Array]:
        """Omega and omega' at t [b, n]."""
        force, curvature = self._slopes(t, *self.arguments)
        return t - self.spread * force, _shaped(1.0 - self.spread * curvature, t.shape)

    def _chosen(self, t: Array, places: NDArray[np.intp]) -> Array:
        """One point of every row, [b, 1]."""
        return t[self.index, places][:, None]

    # ---- grids

    def _range(self) -> tuple[Array, Array]:
        """An interval of t that maps onto the field's range or more, [b, 1] each."""
        low, high = self.mean - EDGE * self.root, self.mean + EDGE * self.root
        # from the field's own scale even where D is huge: most of such a long range would not be resolved
        shortest = np.maximum((high - low) / 6.0, 1e-9 * np.minimum(self.spread, 1.0))
        excess = float(np.max(1e-9 * self.spread / shortest))
        longest = _LADDER + (int(np.ceil(np.log(excess) / np.log(3.0))) if 1.0 < excess < np.inf else 0)
        reach = (_REACHES if longest == _LADDER else np.append(0.0, 3.0 ** np.arange(1, longest))) * shortest
        # omega(t) increases where there is but one maximum: the first rung that suffices is the answer
        for rungs in (_FIRST_RUNGS, longest) if self.single else (longest,):
            ladder = np.concatenate([low - reach[:, :rungs], high + reach[:, :rungs]], axis=1)
            omega, _gain = self.evaluate(ladder)
            ends, enough = [], True
            for side, beyond in ((0, ~(omega[:, :rungs] > low)), (1, ~(omega[:, rungs:] < high))):
                always = np.logical_and.accumulate(beyond[:, ::-1], axis=1)[:, ::-1]
                found = always[:, -1]
                enough = enough and bool(found.all())
                first = np.where(found, always.argmax(axis=1), rungs - 1)
                ends.append(self._chosen(ladder, first + side * rungs))
            if enough:
                break
        return ends[0], ends[1]

    def _first_grid(self) -> Array:
        """Points [b, n] that resolve the steps of L at every scale, over the whole range."""
        low, high = self._range()
        parts = [low + (high - low) * shares(_UNIFORM)]
        for centre, width in self.t_steps:
            begin, end = (np.arcsinh((edge - centre) / width) for edge in (low, high))
            graded = centre + width * np.sinh(begin + (end - begin) * shares(_GRADED))
            parts += [np.minimum(np.maximum(part, low), high) for part in (graded, centre)]
        return np.sort(np.concatenate(parts, axis=1), axis=1)

    def _lengths(self, t: Array, z: Array, gain: Array, kinks: Kinks) -> Array:
        """How many units of variation lie between neighbouring points of a grid, [b, n - 1]."""
        z = np.minimum(np.maximum(z, -EDGE), EDGE)
        step = z[:, 1:] - z[:, :-1]
        hidden = (step == 0.0) & (np.abs(z[:, 1:]) >= EDGE)
        if kinks.valid.size:
            hidden |= inside(0.5 * (t[:, 1:] + t[:, :-1]), kinks)
        step *= 0.4
        step *= step
        square = step
        for points, steps in ((t, self.t_steps), (z, self.z_steps)):
            for centre, width in steps:
                place = (points - centre) / width
                np.arcsinh(place, out=place)
                square += (place[:, 1:] - place[:, :-1]) ** 2
        flatness = np.log(np.maximum(gain, 1e-12))
        square += np.minimum(0.25 * (flatness[:, 1:] - flatness[:, :-1]) ** 2, 9.0)
        np.sqrt(square, out=square)
        square[hidden] = 0.0
        return square

    def _normal(self, t: Array, omega: Array, kinks: Kinks) -> Array:
        """The standard normal z at t, monotonic: that of the kink inside a gap."""
        z = (omega - self.mean) / self.root
        for k in range(kinks.valid.shape[1]):
            part = slice(k, k + 1)
            at = (kinks.omega[:, part] - self.mean) / self.root
            z = np.where(kinks.valid[:, part] & (t > kinks.below[:, part]) & (t < kinks.above[:, part]), at, z)
        return np.asarray(z)

    def _refined(self, t: Array, lengths: Array, z: Array, count: int) -> Array:
        """``count`` points [b, count] that divide the grid's length evenly."""
        share = np.zeros((self.rows, t.shape[1]))
        np.cumsum(lengths, axis=1, out=share[:, 1:])
        with np.errstate(all="ignore"):
            share /= share[:, -1:]
        share[~np.isfinite(share)] = 0.0  # rows without length, or outside the domain, must not disturb the others
        offset = 2.0 * self.index[:, None]
        share += offset
        found = np.interp((shares(count) + offset).ravel(), share.ravel(), t.ravel()).reshape(self.rows, count)
        before = np.maximum(np.count_nonzero(z <= -EDGE, axis=1) - 1, 0)
        after = t.shape[1] - np.maximum(np.count_nonzero(z >= EDGE, axis=1), 1)
        begin, end = self._chosen(t, before), self._chosen(t, after)
        found[:, :1], found[:, -1:] = begin, end
        return np.minimum(np.maximum(found, begin), end)

    # ---- nodes

    def kinks(self) -> Kinks:
        """The kinks of every row."""
        return self._gaps()[0]

    def nodes(self, resolution: float) -> tuple[Kinks, Array, Array]:
        """Kinks, nodes t [b, n] and the weights dt of panels; ``resolution`` multiplies their number."""
        kinks, t, omega, gain = self._gaps()
        ends = np.clip(ends_of(kinks), t[:, :1], t[:, -1:])
        # a field much narrower than the range of t is found in more steps
        narrowness = float(np.fmax.reduce((t[:, -1] - t[:, 0]) / self.root[:, 0], initial=1.0)) / _SHRINKAGE**_REFINEMENTS
        for _ in range(_REFINEMENTS + int(np.ceil(np.log(np.clip(narrowness, 1.0, 1e20)) / np.log(_SHRINKAGE)))):
            z = self._normal(t, omega, kinks)
            t = self._refined(t, self._lengths(t, z, gain, kinks), z, _REFINED)
            t = np.sort(np.concatenate([t, ends], axis=1), axis=1) if ends.shape[1] else t
            omega, gain = self.evaluate(t)
        z = self._normal(t, omega, kinks)
        lengths = self._lengths(t, z, gain, kinks)
        longest = float(np.fmax.reduce(lengths.sum(axis=1), initial=1.0))
        panels = int(np.ceil(resolution * min(max(longest / _UNIT, 4.0), float(_MOST))))
        edges = self._refined(t, lengths, z, panels + 1)
        if ends.shape[1]:
            edges = np.sort(np.concatenate([edges, np.clip(ends, edges[:, :1], edges[:, -1:])], axis=1), axis=1)
        x, w = gauss_legendre(_ORDER)
        half = 0.5 * (edges[:, 1:] - edges[:, :-1])[..., None]
        middle = 0.5 * (edges[:, 1:] + edges[:, :-1])[..., None]
        weight = (half * w).reshape(self.rows, -1)
        nodes = (middle + half * x).reshape(self.rows, -1)
        if kinks.valid.size:
            hidden = inside(nodes, kinks)
            nodes, weight = np.where(hidden, edges[:, :1], nodes), np.where(hidden, 0.0, weight)
        return kinks, nodes, weight

    def weights(self, t: Array, weight: Array) -> tuple[Array, Array]:
        """Z at the nodes, and the weights of averages."""
        omega, gain = self.evaluate(t)
        z = (omega - self.mean) / self.root
        return z, weight * gain * np.exp(-0.5 * z * z) * (_INV_SQRT_2PI / self.root)

    def narrow_nodes(self, resolution: float) -> tuple[Kinks, Array, Array, Array]:
        """Kinks, z, t and weights for a field so narrow that t is linear in it between kinks, [b, n] each.

        The nodes are then placed in z: differences of t would be lost in rounding.
        """
        kinks = self.kinks()
        grid = self._first_grid()
        best = np.argmax(self.level(grid) - (grid - self.mean) ** 2 / (2.0 * self.spread), axis=1)[:, None]
        centre = np.take_along_axis(grid, best, axis=1)
        for _ in range(30):
            omega, gain = self.evaluate(centre)
            centre = centre - (omega - self.mean) / gain
        with np.errstate(all="ignore"):
            jumps = np.where(kinks.valid, (kinks.omega - self.mean) / self.root, np.inf)
        jumps = np.where(np.abs(jumps) < EDGE, jumps, np.inf)
        count = int(np.ceil(8 * resolution))
        edges = np.broadcast_to(np.linspace(-EDGE, EDGE, count + 1), (self.rows, count + 1))
        edges = np.sort(np.concatenate([edges, np.clip(jumps, -EDGE, EDGE)], axis=1), axis=1)
        x, w = gauss_legendre(_ORDER)
        half = 0.5 * np.diff(edges, axis=1)[..., None]
        z = (0.5 * (edges[:, 1:] + edges[:, :-1])[..., None] + half * x).reshape(self.rows, -1)
        weight = (half * w).reshape(self.rows, -1) * np.exp(-0.5 * z * z) * _INV_SQRT_2PI
        t = centre + z * self.root / self.evaluate(centre)[1]
        for k in range(jumps.shape[1]):
            at = jumps[:, k : k + 1]
            with np.errstate(all="ignore"):
                below, above = (
                    end + (z - at) * self.root / self.evaluate(end)[1]
                    for end in (kinks.below[:, k : k + 1], kinks.above[:, k : k + 1])
                )
            first = np.all(~np.isfinite(jumps[:, :k]), axis=1, keepdims=True)
            t = np.where(np.isfinite(at) & (z >= at), above, np.where(np.isfinite(at) & first, below, t))
        return kinks, z, t, weight

    # ---- gaps

    def _gaps(self) -> tuple[Kinks, Array, Array, Array]:
        """Kinks, and the first grid with omega and omega' on it."""
        t = self._first_grid()
        omega, gain = self.evaluate(t)
        if self.single:
            return no_kinks(self.rows), t, omega, gain
        # a fold as shallow as rounding has no width
        suspects = np.flatnonzero(np.any(gain < -SHALLOW, axis=1) | np.any(omega[:, 1:] < omega[:, :-1] - SHALLOW, axis=1))
        if not suspects.size:
            return no_kinks(self.rows), t, omega, gain
        level = self.level(t)
        found = seek(t[suspects], level[suspects], omega[suspects], gain[suspects], self.spread[suspects])
        below, above, field = (np.full((self.rows, found[0].shape[1]), np.nan) for _ in range(3))
        for target, values in zip((below, above, field), found, strict=True):
            target[suspects] = values
        kinks = self._polished(below, above, field)
        for _ in range(_HIDDEN):
            changed = united(kinks) or self._divided(kinks, t, level, omega, gain)
            if changed is None:
                break
            kinks = self._polished(*changed)
        return kinks, t, omega, gain

    def _divided(self, kinks: Kinks, t: Array, level: Array, omega: Array, gain: Array) -> tuple[Array, Array, Array] | None:
        """Gaps over which a third maximum is higher than both ends, as two; None if there is none.

        A maximum that is the highest in a short interval of fields only lies between the fields of the first search.
        """
        if not kinks.valid.any():
            return None
        folds = folds_below(falling_stretches(omega, gain))
        last = t.shape[1] - 1
        highest = np.full(kinks.valid.shape, np.nan)
        start, low, high = highest.copy(), highest.copy(), highest.copy()
        potential = np.where(gain < 0.0, -np.inf, level - t * t / (2.0 * self.spread))
        for k in range(kinks.valid.shape[1]):
            part = slice(k, k + 1)
            a, b, valid = kinks.below[:, part], kinks.above[:, part], kinks.valid[:, part]
            first = folds[self.index, np.maximum(np.count_nonzero(t <= a, axis=1) - 1, 0)][:, None]
            final = folds[self.index, np.minimum(np.count_nonzero(t < b, axis=1), last)][:, None]
            between = valid & (t > a) & (t < b) & (folds > first) & (folds < final)
            heights = np.where(between, potential + kinks.omega[:, part] * t / self.spread, -np.inf)
            best = heights.argmax(axis=1)
            some = between.any(axis=1) & np.isfinite(heights[self.index, best])
            start[some, k] = t[self.index, best][some]
            low[some, k] = t[self.index, np.maximum(best - 1, 0)][some]
            high[some, k] = t[self.index, np.minimum(best + 1, last)][some]
        some = np.isfinite(start)
        if not some.any():
            return None
        middle = np.where(some, start, 0.0)
        for _ in range(_CLIMBING):
            at, slope = self.evaluate(middle)
            step = np.where(some & (slope > 0.0), (kinks.omega - at) / np.where(slope > 0.0, slope, 1.0), 0.0)
            middle = np.where(some, np.clip(middle + step, low, high), 0.0)

        def height(points: Array) -> Array:
            return self.level(points) - (points - kinks.omega) ** 2 / (2.0 * self.spread)

        ends = height(kinks.below)
        hidden = some & (height(middle) > ends + 1e-12 * (1.0 + np.abs(ends)))
        if not hidden.any():
            return None
        return ordered(
            np.concatenate([kinks.valid, hidden], axis=1),
            np.concatenate([kinks.below, middle], axis=1),
            np.concatenate([np.where(hidden, middle, kinks.above), kinks.above], axis=1),
            np.concatenate([kinks.omega, kinks.omega], axis=1),
        )

    def _polished(self, below: Array, above: Array, omega: Array) -> Kinks:
        """Newton's method for equal omega and equal heights at the two ends of every gap."""
        valid = np.isfinite(below)
        a, b = np.where(valid, below, -1.0), np.where(valid, above, 1.0)
        field = np.where(valid, omega, 0.0)
        slots, last = valid.shape[1], np.inf
        for _ in range(_POLISHING if slots else 0):
            ends = np.concatenate([a, b], axis=1)
            level, (omega_ends, gain) = self.level(ends), self.evaluate(ends)
            gain = np.where(np.abs(gain) > 1e-14, gain, 1e-14)
            (level_a, omega_a, ga), (level_b, omega_b, gb) = (
                (level[:, part], omega_ends[:, part], gain[:, part]) for part in (slice(slots), slice(slots, None))
            )
            # heights at the maxima that one Newton step ahead of a and b are, to second order
            heights = level_b - level_a - ((b - field) ** 2 - (a - field) ** 2) / (2.0 * self.spread)
            heights += ((omega_b - field) ** 2 / gb - (omega_a - field) ** 2 / ga) / (2.0 * self.spread)
            width = (b - (omega_b - field) / gb) - (a - (omega_a - field) / ga)
            field = field - heights * self.spread / np.where(np.abs(width) > 1e-300, width, 1.0)
            limit = 0.45 * (b - a)
            step_a, step_b = np.clip((field - omega_a) / ga, -limit, limit), np.clip((field - omega_b) / gb, -limit, limit)
            a, b = a + step_a, b + step_b
            size = np.max(np.where(valid, np.abs(step_a) + np.abs(step_b), 0.0) / (1.0 + np.abs(b - a)))
            # steps that no longer shrink are rounding
            if not size > 1e-15 or (size < 1e-10 and size > 0.1 * last):
                break
            last = size
        # a kink that symmetry puts at the mean is found there up to rounding only, which for narrow fields would be far;
        # that of an even L lies at zero, however close to zero the mean is
        rounding = 1e-14 * (b - a)
        even = np.abs(self.level(-b) - self.level(b)) <= 1e-14 * (1.0 + np.abs(self.level(b)))
        centre = np.where(even & (np.abs(a + b) < rounding), 0.0, self.mean)
        central = np.abs(field - centre) < rounding
        field = np.where(central, centre, field)
        # so are its ends: what is even in them would jump by a rounding error times the density, which is as large as fields
        # are narrow
        a = np.where(central & (np.abs(a + b - 2.0 * centre) < rounding), 2.0 * centre - b, a)
        good = valid & np.isfinite(field) & (b > a)
        return Kinks(np.where(good, field, 0.0), np.where(good, a, -1.0), np.where(good, b, 1.0), good)


def _shaped(value: Any, shape: tuple[int, ...]) -> Array:
    """A number or an array as an array of this shape; broadcasting costs more than many a sum here."""
    if isinstance(value, np.ndarray) and value.shape == shape:
        return value
    return np.broadcast_to(np.asarray(value, dtype=float), shape)


def _centre_and_width(step: Step) -> tuple[Array, Array]:
    """Centre and width, [b, 1] or [1, 1], of ``offset + slope t``."""
    offset, slope = (np.asarray(part, float).reshape(-1, 1) for part in step)
    size = np.maximum(np.abs(slope), 1e-9)
    centre = -offset / np.where(slope < 0.0, -size, size)
    return np.nan_to_num(centre), np.nan_to_num(1.0 / size, nan=1.0)
