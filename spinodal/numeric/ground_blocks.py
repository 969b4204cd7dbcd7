"""Averages over ground states in blocks of copies: log E[e^(mu Lambda)] and means that it tilts, at every outer node.

As T -> 0 a block of m = mu T replicas shares a field omega ~ N(c, C) and weighs it by e^(mu Lambda(omega)), Lambda being the
ground state of one site (``ground.py``); the field's mean c = a + b z is that of the blocks around it. So an outer integrand
is a function of z and of

    u_0 = log E[e^(mu Lambda)],    u_k = E[g_k e^(mu Lambda)] / E[e^(mu Lambda)],

g_k being functions of the site's ground state at omega, some of which jump with it. Where Lambda is at which omega does not
depend on z: its pieces and their exchanges are found once for a state. The inner nodes of an outer node fill the fields at
which mu Lambda - (omega - c)^2/(2C) is within 42 of its largest value, on panels that are cut where the ground state
changes; sums over jumps are taken at the same places, times the tilted density. The outer integrand is smooth; its panels
are shorter where the tilted mean of omega moves fast, or passes a place where the ground state changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spinodal.numeric.envelope import as_column
from spinodal.numeric.ground import Field, centre_and_width, divided
from spinodal.numeric.quadrature import EDGE, Rule, gauss_legendre
from spinodal.numeric.site import Array, Site, Step

#: Nodes of a panel; units of variation in one panel (for a rule of 100 nodes); panels at least and at most.
_ORDER, _UNIT, _FEWEST, _MOST = 12, 0.85, 4, 200
#: Inner nodes at once.
_BLOCK_ELEMENTS = 60000
#: The exponent falls by this much inside the window of inner nodes: what is left out weighs 1e-18.
_FALL = 42.0
#: Points of the grids that find windows (over all fields, and around the mean in units of sqrt(C)) and that place panels.
_TABLE, _INNER, _OUTER, _GRADED = 160, 25, 65, 24
_NEAR = np.linspace(-9.5, 9.5, 20)
#: Enlargements of the range of fields until the tilted weight is inside.
_ENLARGEMENTS = 60
#: Distances from the mean at which a weight's pull is looked at, in units of the range so far.
_OUTWARDS = np.geomspace(1.0, 400.0, 48)
_LOG_SQRT_2PI = 0.5 * float(np.log(2.0 * np.pi))
_INV_SQRT_2PI = 1.0 / float(np.sqrt(2.0 * np.pi))

Functions = Callable[..., tuple[Any, ...]]


def averages(
    integrands: Functions,
    inner: Functions | None,
    jumps: Functions | None,
    site: Site,
    rule: Rule,
    mean: tuple[Any, Any],
    spread: Any,
    size: Any,
    variance: Any,
    z_steps: Sequence[Step],
    *arguments: Any,
) -> tuple[Any, ...]:
    """Averages over z ~ N(0, 1), for all rows in cache-sized blocks; each is an array [b].

    Args:
        integrands: the averages from (z, weight, u_0, means, *arguments): nodes [b, n], and a tuple of the means of
            ``inner`` and of the sums of ``jumps``, [b, n] each; arguments [b, 1].
        inner: the g_k from (omega, displacement, seen, height, slope, bend, *arguments), [b, k] each: omega, omega - c,
            what the site observes at the maximiser, Lambda and its derivatives. None for no means.
        jumps: what is summed over jumps, from (omega, displacement, below, above, *arguments), ``below`` and ``above`` being
            Lambda' on the two sides. None for no sums.
        site: what is maximised.
        rule: its size sets the number of panels.
        mean: a and b of the inner mean c = a + b z.
        spread: sqrt(C).
        size: mu; 0 for means that are not tilted.
        variance: V in Lambda(omega, V).
        z_steps: (offset, slope) of expressions ``offset + slope z`` over a unit of which other factors change.
        arguments: what does not depend on nodes, and what the site needs.
    """
    data = [*site.cuts, *(part for point in site.points for part in point), *(part for step in site.steps for part in step)]
    steps = [part for step in z_steps for part in step]
    columns = [as_column(value) for value in (*mean, spread, size, variance, *data, *steps, *arguments)]
    count = max([1, *(len(c) for c in columns if isinstance(c, np.ndarray))])
    pieces = []
    start, rows = 0, 1
    while start < count:
        chosen = slice(start, min(start + rows, count))
        part = [c[chosen] if isinstance(c, np.ndarray) and len(c) > 1 else c for c in columns]
        size_of_block = chosen.stop - chosen.start
        scales = [np.broadcast_to(np.asarray(c, float), (size_of_block, 1)) for c in part[: 5 + len(data)]]
        rest = part[5 + len(data) :]
        blocks = _Blocks(site, scales[:4], scales[4:], tuple(rest[len(steps) :]))
        moving = list(zip(rest[: len(steps) : 2], rest[1 : len(steps) : 2], strict=True))
        values, used = blocks.averages(integrands, inner, jumps, moving, rule.n / 100.0)
        pieces.append(values)
        start, rows = chosen.stop, max(1, _BLOCK_ELEMENTS * size_of_block // used)
    if len(pieces) == 1:
        return pieces[0]
    return tuple(np.concatenate([np.atleast_1d(one) for one in piece]) for piece in zip(*pieces, strict=True))


class _Blocks:
    """One block of rows."""

    def __init__(
        self,
        site: Site,
        scales: Sequence[Array],
        field_data: Sequence[Array],
        arguments: tuple[Any, ...],
    ) -> None:
        self.offset, self.slope, self.spread, self.size = scales
        self.rows, self.arguments = len(self.offset), arguments
        self.low, self.high, self.field = self._range(site, field_data)
        omega, self.below, self.above, self.valid = self.field.breaks
        self.breaks = np.where(self.valid, omega, self.high)
        self.parabolas = self._parabolas()
        self.table = self.low + (self.high - self.low) * np.linspace(0.0, 1.0, _TABLE)
        self.table_heights = self._ground(self.table)[0]

    def _range(self, site: Site, data: Sequence[Array]) -> tuple[Array, Array, Field]:
        """Fields [b, 1] between which the tilted weight of every outer node lies, and the ground states there."""
        reach = EDGE * np.abs(self.slope)
        half, pull = EDGE * self.spread, self.size * self.spread**2
        left, right = half.copy(), half.copy()
        for _ in range(_ENLARGEMENTS):
            low, high = self.offset - reach - left, self.offset + reach + right
            field = Field(site, [0.5 * (low + high), (high - low) / (2.0 * EDGE), *data])
            field.arguments = self.arguments
            first, last = (field.at_fields(end)[2] for end in (low, high))
            needs = [half + pull * np.maximum(0.0, -first), half + pull * np.maximum(0.0, last)]
            if np.all(needs[0] <= left) and np.all(needs[1] <= right):
                needs = self._beyond(site, data, reach, half, pull, (left, right))
                if np.all(needs[0] <= left) and np.all(needs[1] <= right):
                    break
            left, right = (np.where(need > had, 1.05 * need, had) for need, had in zip(needs, (left, right), strict=True))
        return low, high, field

    def _beyond(
        self, site: Site, data: Sequence[Array], reach: Array, half: Array, pull: Array, had: tuple[Array, Array]
    ) -> list[Array]:
        """How far the tilted weight extends to the left and right where it has a peak beyond the ends of the range.

        Lambda of a weight is convex: where nothing pulls at the ends (a weight of value 0 wins there), a larger value that
        wins farther out may hold up a peak there.
        """
        if not site.weight:
            return list(had)
        far = reach + _OUTWARDS[-1] * np.maximum(*had)
        wide = Field(site, [self.offset, far / EDGE, *data])
        wide.arguments = self.arguments
        needs = []
        for sign, most in zip((-1.0, 1.0), had, strict=True):
            away = _OUTWARDS * most
            need = half + pull * sign * wide.at_fields(self.offset + sign * (reach + away))[2]
            needs.append(np.where(need > away, need, most).max(axis=1, keepdims=True))
        return needs

    def _parabolas(self) -> tuple[Array, ...] | None:
        """Where Lambda is a parabola between its breaks: these in order, and a field, Lambda and its derivatives on each."""
        site = self.field.site
        if not (site.quadratic or site.potential is None):
            return None
        breaks = np.sort(np.where(self.valid, self.breaks, self.high), axis=1)
        ends = np.concatenate([self.low, breaks, self.high], axis=1)
        middle = 0.5 * (ends[:, 1:] + ends[:, :-1])
        return (breaks, middle, *self.field.at_fields(middle)[1:])

    def _ground(self, omega: Array) -> tuple[Array, Array, Array]:
        """Lambda and its first two derivatives at fields [b, ...]."""
        flat = omega.reshape(self.rows, -1)
        if self.parabolas is None:
            _seen, *values = self.field.at_fields(flat)
        else:
            breaks, *parts = self.parabolas
            index = np.zeros(flat.shape, dtype=np.intp)
            for k in range(breaks.shape[1]):
                index += flat >= breaks[:, k : k + 1]
            middle, height, slope, bend = (
                part[0][index] if self.rows == 1 else np.take_along_axis(part, index, axis=1) for part in parts
            )
            away = flat - middle
            values = [height + away * (slope + 0.5 * bend * away), slope + bend * away, bend]
        height, slope, bend = (value.reshape(omega.shape) for value in values)
        return height, slope, bend

    def averages(
        self,
        integrands: Functions,
        inner: Functions | None,
        jumps: Functions | None,
        z_steps: Sequence[Step],
        resolution: float,
    ) -> tuple[tuple[Any, ...], int]:
        """The averages, and how many inner nodes they took."""
        z, weight = self._outer(z_steps, resolution)
        norms, means, used = [], [], 0
        part = max(1, _BLOCK_ELEMENTS // (_ORDER * 12 * self.rows))
        for start in range(0, z.shape[1], part):
            chosen = z[:, start : start + part]
            omega, away, ground, tilt, log_norm = self._inner(chosen, resolution)
            used += omega.size
            norms.append(log_norm)
            means.append(self._means(inner, omega, away, ground, tilt) + self._sums(jumps, chosen, log_norm))
        found = tuple(np.concatenate(one, axis=1) for one in zip(*means, strict=True)) if means[0] else ()
        return integrands(z, weight, np.concatenate(norms, axis=1), found, *self.arguments), used

    def _means(
        self, inner: Functions | None, omega: Array, away: Array, ground: tuple[Array, ...], tilt: Array
    ) -> list[Array]:
        """The tilted means [b, n] of functions of the nodes [b, n, k]."""
        if inner is None:
            return []
        flat = [part.reshape(self.rows, -1) for part in (omega, away, *ground)]
        seen = 0.0 if self.field.site.observed is None else self.field.at_fields(flat[0])[0]
        values = inner(*flat[:2], seen, *flat[2:], *self.arguments)
        return [np.vecdot(tilt, np.broadcast_to(value, flat[0].shape).reshape(tilt.shape)) for value in values]

    def _sums(self, jumps: Functions | None, z: Array, log_norm: Array) -> list[Array]:
        """The sums over jumps [b, n], each term times the tilted density there."""
        if jumps is None:
            return []
        heights = self._ground(self.breaks)[0]
        away = self.breaks[:, None, :] - self._centres(z)[..., None]
        exponent = self.size[..., None] * heights[:, None, :] - 0.5 * (away / self.spread[..., None]) ** 2
        density = np.exp(exponent - log_norm[..., None] - _LOG_SQRT_2PI) / self.spread[..., None]

        def flat(values: Array) -> Array:
            return np.broadcast_to(values[:, None, :], away.shape).reshape(self.rows, -1)

        values = jumps(flat(self.breaks), away.reshape(self.rows, -1), flat(self.below), flat(self.above), *self.arguments)
        counts = self.valid[:, None, :] & (density > 0.0)
        found = []
        for value in values:
            terms = density * np.broadcast_to(value, (self.rows, away[0].size)).reshape(away.shape)
            found.append(np.where(counts, terms, 0.0).sum(axis=2))
        return found

    def _centres(self, z: Array) -> Array:
        return self.offset + self.slope * z

    # ---- nodes

    def _inner(self, z: Array, resolution: float) -> tuple[Array, Array, tuple[Array, ...], Array, Array]:
        """At z [b, n]: omega, omega - c, ground states, tilted weights [b, n, k]; log E[e^(mu Lambda)] [b, n]."""
        centre = self._centres(z)
        low, high = self._windows(centre)
        shape = (self.rows, z.shape[1], -1)
        cuts = np.clip(self.breaks[:, None, :], low[..., None], high[..., None])
        grid = low[..., None] + (high - low)[..., None] * np.linspace(0.0, 1.0, _INNER)
        grid = np.sort(np.concatenate([grid, cuts], axis=2), axis=2)
        lengths = self._lengths(grid)
        longest = float(np.max(np.nan_to_num(lengths.sum(axis=1)), initial=1.0))
        panels = int(np.ceil(resolution * min(max(longest / _UNIT, float(_FEWEST)), float(_MOST))))
        edges = divided(grid.reshape(-1, grid.shape[2]), lengths, panels + 1).reshape(*grid.shape[:2], -1)
        edges = np.sort(np.concatenate([edges, cuts], axis=2), axis=2)
        x, w = gauss_legendre(_ORDER)
        half = 0.5 * np.diff(edges, axis=2)[..., None]
        omega = (0.5 * (edges[..., 1:] + edges[..., :-1])[..., None] + half * x).reshape(shape)
        away = omega - centre[..., None]
        ground = self._ground(omega)
        exponent = self.size[..., None] * ground[0] - 0.5 * (away / self.spread[..., None]) ** 2
        top = exponent.max(axis=2, keepdims=True)
        tilt = np.exp(exponent - top) * (half * w).reshape(shape)
        norm = tilt.sum(axis=2, keepdims=True)
        tilt /= norm
        return omega, away, ground, tilt, (top + np.log(norm))[..., 0] - np.log(self.spread) - _LOG_SQRT_2PI

    def _windows(self, centre: Array) -> tuple[Array, Array]:
        """Ends [b, n] of the fields that weigh, given the inner means."""
        size, spread = self.size[..., None], self.spread[..., None]
        near = centre[..., None] + spread * _NEAR
        close = size * self._ground(near)[0] - 0.5 * _NEAR**2
        far = size * self.table_heights[:, None, :] - 0.5 * ((self.table[:, None, :] - centre[..., None]) / spread) ** 2
        least = np.maximum(close.max(axis=2), far.max(axis=2))[..., None] - _FALL
        table = np.broadcast_to(self.table[:, None, :], far.shape)
        ends = []
        for sign in (1.0, -1.0):  # the outermost point that weighs, and the next one outside it, of both grids together
            points = [sign * near, sign * table]
            inside = [np.where(values > least, p, np.inf) for values, p in zip((close, far), points, strict=True)]
            first = np.minimum(inside[0].min(axis=2), inside[1].min(axis=2))[..., None]
            outside = [np.where(p < first, p, -np.inf).max(axis=2) for p in points]
            end = np.maximum(outside[0], outside[1])
            ends.append(sign * np.where(np.isfinite(end), end, first[..., 0]))
        return ends[0], ends[1]

    def _lengths(self, grid: Array) -> Array:
        """How many units of variation of the tilted weight lie between neighbours of grids [b, n, k], as [b n, k - 1]."""
        middle = 0.5 * (grid[..., 1:] + grid[..., :-1])
        bend = self._ground(middle)[2]
        rate = 1.0 / self.spread[..., None] ** 2 + np.abs(self.size[..., None] * bend)
        square = 0.16 * np.diff(grid, axis=2) ** 2 * rate
        site = self.field.site
        if not site.quadratic and site.potential is not None:
            flat = self.field.variation(grid.reshape(self.rows, -1))
            padded = np.concatenate([flat, np.zeros((self.rows, 1))], axis=1).reshape(grid.shape)
            square += padded[..., :-1]  # less the steps from one grid to the next
        return np.sqrt(np.nan_to_num(square)).reshape(-1, middle.shape[2])

    def _passages(self) -> list[tuple[Array, Array]]:
        """Where the inner mean passes a break, and over which distance in z that is felt, [b, 1] each."""
        with np.errstate(all="ignore"):
            width = np.where(self.slope == 0.0, 1.0, np.abs(self.spread / self.slope))
            places = np.nan_to_num((self.breaks - self.offset) / self.slope)
        return [(np.clip(places[:, k : k + 1], -EDGE, EDGE), np.clip(width, 1e-9, 1.0)) for k in range(places.shape[1])]

    def _outer(self, z_steps: Sequence[Step], resolution: float) -> tuple[Array, Array]:
        """Outer nodes z [b, n] and the weights of averages."""
        steps = [centre_and_width(*(np.broadcast_to(np.asarray(p, float), (self.rows, 1)) for p in s)) for s in z_steps]
        grids = [np.broadcast_to(np.linspace(-EDGE, EDGE, _OUTER), (self.rows, _OUTER))]
        for centre, width in (*steps, *self._passages()):
            a, b = (np.arcsinh((edge - centre) / width) for edge in (-EDGE, EDGE))
            grids.append(np.clip(centre + width * np.sinh(a + (b - a) * np.linspace(0.0, 1.0, _GRADED)), -EDGE, EDGE))
        grid = np.sort(np.concatenate(grids, axis=1), axis=1)
        _omega, away, _ground, tilt, _norm = self._inner(grid, 0.5)
        moved = np.vecdot(tilt, away)
        square = (0.4 * np.diff(grid, axis=1)) ** 2 + (np.diff(moved, axis=1) / self.spread) ** 2
        seen = (self._centres(grid) + moved)[..., None] - self.breaks[:, None, :]
        passed = np.where(self.valid[:, None, :], np.arcsinh(seen / self.spread[..., None]), 0.0)
        square += np.sum((0.5 * np.diff(passed, axis=1)) ** 2, axis=2)
        for centre, width in steps:
            square += np.diff(np.arcsinh((grid - centre) / width), axis=1) ** 2
        lengths = np.sqrt(np.nan_to_num(square))
        longest = float(np.max(lengths.sum(axis=1), initial=1.0))
        panels = int(np.ceil(resolution * min(max(longest / _UNIT, float(_FEWEST)), float(_MOST))))
        edges = divided(grid, lengths, panels + 1)
        x, w = gauss_legendre(_ORDER)
        half = 0.5 * np.diff(edges, axis=1)[..., None]
        z = (0.5 * (edges[:, 1:] + edges[:, :-1])[..., None] + half * x).reshape(self.rows, -1)
        weight = (half * w).reshape(self.rows, -1)
        return z, weight * np.exp(-0.5 * z * z) * _INV_SQRT_2PI
