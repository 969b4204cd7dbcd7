"""Nodes that resolve a density with several modes, narrow ones among them, for all the fields that tilt it at once.

The measures are p(w) exp(h w + v w^2/2) dw, for a row of fields h at one v. Where p has more than one mode the tilted
measure may have several peaks, any of which a search from outside can miss. Here the line is cut where p itself says: at its
splits (kinks, steps, ends of its support), around places that its formula singles out (where a square vanishes, an exponent
is stationary) on a scale that is read off p there, and again wherever log p is not a polynomial on a panel, or the exponent
of a field varies too much. All fields share the nodes, so that no mode is lost between two of them.

Rows that would need too many nodes (a tilt far narrower than the density) are declined: there the tilt alone makes the peak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .shared_nodes import FINE, at_splits, interpolation, last_coefficients, on_unit_interval, place, resolved

Array: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]
Indices: TypeAlias = NDArray[np.int64]
Function: TypeAlias = Callable[[Array], Array]

#: Fields in a row, below which searches at the places cost less than nodes for the whole line.
FEWEST_FIELDS = 8
#: How far out mass is looked for, and how near an anchor (relative to its own size).
_FARTHEST, _NEAREST = 1e5, 1e-9
_OCTAVES = np.exp2(np.arange(48.0))
#: Points at which a scale is looked for: two an octave.
_LOOK = np.exp2(np.arange(0.0, 48.0, 0.5))
#: How much log p may vary on the first panel beside an anchor.
_STIR = 0.5
#: Panels near the origin, where densities that the formula says nothing about have their modes.
_EVEN = np.arange(-16.0, 17.0, 2.0)
_NODES, _MOST_PANELS, _ROUNDS, _DOUBTS = 20, 400, 24, 3
_SAMPLES = 9
#: Where densities are told apart: places of no meaning.
_TELLING = np.array([-11.71, -2.93, -1.317, -0.571, -0.0837, 0.0413, 0.473, 1.139, 3.71, 12.37])
#: Of a panel: where its polynomial is looked at.
_FINE = FINE[::2]
#: Below the top of an exponent: what is negligible, and what is not felt in the twelfth digit.
_DROP, _FELT = 45.0, 28.0
_STEEPEST = 10.0
#: Last coefficients of p on a panel, relative to its largest value there.
_RESOLVED = 1e-10
#: Where in z exchanges are looked for; steps wider than this need no nodes of their own, and no more than so many get them.
_GRID, _WIDE, _MOST_STEPS = np.linspace(-7.0, 7.0, 141), 1.0, 8
#: How much larger than around it the variance of w is where two modes exchange their order.
_PROMINENT = 1.5
#: In points of the grid: how far away that is.
_AWAY = 10
_HALVINGS = 32
_ZOOM, _ZOOMS = np.linspace(0.0, 1.0, 33), 9
#: A tilt narrower than this is written around its own centre.
_NARROW = -1.0


@dataclass(frozen=True, slots=True)
class Nodes:
    """Nodes that the fields of a row share, and all rows of a group (one density, one v, fields close to each other).

    Attributes:
        w: nodes [g, m].
        logs: log p times the nodes' weights [g, m].
        declined: whether that would take too many nodes [g].
        curvature: v [g].
        field: h [b, n].
        group: of each row [b].
    """

    w: Array
    logs: Array
    declined: Mask
    curvature: Array
    field: Array
    group: Indices

    @property
    def left(self) -> Indices:
        """The rows that are declined."""
        return np.flatnonzero(self.declined[self.group])

    def rows(self) -> Iterator[tuple[Array, Array, Array]]:
        """Row by row, those declined left out: nodes [m], normalised weights [n, m] and log Z [n] of every field."""
        for row, group in enumerate(self.group):
            if not self.declined[group]:
                yield self.w[group], *self.weights(group, self.field[row])

    def weights(self, group: int, field: Array) -> tuple[Array, Array]:
        """Normalised weights [n, m] and log Z [n] of fields [n] of a group."""
        w, v = self.w[group], self.curvature[group]
        exponent = _tilt(w, field[:, None], v)
        exponent += self.logs[group]
        top = exponent.max(-1, keepdims=True)
        exponent -= np.where(np.isneginf(top), 0.0, top)
        np.exp(exponent, out=exponent)
        total = exponent.sum(-1, keepdims=True)
        exponent /= np.where(total > 0.0, total, 1.0)
        with np.errstate(divide="ignore"):
            log_total = (top + np.log(total))[:, 0]
        if v < _NARROW:
            log_total += 0.5 * field * field / -v
        return exponent, log_total


def _tilt(w: Array, field: ArrayLike, v: ArrayLike) -> Array:
    """H w + v w^2/2, less its maximum over w where that is narrow."""
    h, curvature = np.asarray(field, dtype=float), np.asarray(v, dtype=float)
    narrow = curvature < _NARROW
    if not narrow.any():
        return np.asarray(w * (h + 0.5 * curvature * w))
    if narrow.all():
        distance = w + h / curvature
        return np.asarray(0.5 * curvature * distance * distance)
    distance = w - h / np.where(narrow, -curvature, 1.0)
    return np.where(narrow, 0.5 * curvature * distance * distance, w * (h + 0.5 * curvature * w))


def shared_density_nodes(
    log_p: Function,
    h: Array,
    v: ArrayLike,
    splits: Sequence[ArrayLike] = (),
    places: Sequence[ArrayLike] = (),
    *,
    nodes: int,
) -> Nodes | None:
    """Nodes for fields h [b, ...] of rows with one v, splits and places each; None where no row can have them.

    ``log_p`` maps [b, 1, .., 1, m] (one axis more than h) to log-densities; v, splits and places broadcast to [b, 1, ..].
    ``nodes`` is what a search would use on a panel (80: the accuracy above).
    """
    field = np.asarray(h, dtype=float)
    if field.ndim < 2 or field.size < FEWEST_FIELDS * len(field):
        return None
    flat = field.reshape(len(field), -1)
    lost = ~np.isfinite(flat).all(1)
    flat = np.where(lost[:, None], 0.0, flat)
    middle, reach = 0.5 * (flat.max(1) + flat.min(1)), np.ptp(flat, axis=1).max()
    try:
        alike = _Alike.of(log_p, field.ndim, v, splits, places, [_binned(middle, reach), lost])
        if alike is None:
            return None
        order = alike.samples(flat)
        w, logs, declined = _cover(alike.log_p, order, alike.curvature, alike.splits, alike.places, nodes)
    except _MisfitError:
        return None
    declined |= lost[alike.first] | alike.lost
    return None if declined.all() else Nodes(w, logs, declined, alike.curvature[:, 0], flat, alike.group)


def _binned(middle: Array, reach: float) -> Array:
    """Which rows lie no farther apart than their fields reach: [b] numbers, equal where they do."""
    return np.floor((middle - middle.min()) / reach) if reach > 0.0 else middle


class _MisfitError(Exception):
    """A density whose parameters differ within a row."""


@dataclass(frozen=True, slots=True)
class _Alike:
    """Rows in groups that share a density and a v.

    Attributes:
        of_rows: the density of all rows, [b, m] -> [b, m].
        group: the group of each row [b].
        first: a row of each group [g].
        lost: whether the v of a group is not finite [g].
        curvature, splits, places: of each group, [g, 1].
    """

    of_rows: Function
    group: Indices
    first: Indices
    lost: Mask
    curvature: Array
    splits: list[Array]
    places: list[Array]

    @staticmethod
    def of(
        log_p: Function,
        ndim: int,
        v: ArrayLike,
        splits: Sequence[ArrayLike],
        places: Sequence[ArrayLike],
        keys: Sequence[Array],
    ) -> _Alike | None:
        """Group rows [b] with equal v, splits, places and keys, and one density; None if v varies within a row.

        ``log_p`` maps [b, 1, .., 1, m] with ``ndim + 1`` axes. Densities are told apart by their values at a few places.
        """
        rows = len(keys[0])
        columns = [_column(part, rows) for part in (v, *splits, *places)]
        known = [column for column in columns if column is not None]
        if len(known) < len(columns):
            return None
        curvature, *positions = known
        lost = ~np.isfinite(curvature)
        curvature = np.where(lost, 0.0, curvature)
        positions = [np.where(np.isfinite(position), position, _FARTHEST) for position in positions]

        def of_rows(w: Array) -> Array:
            with np.errstate(all="ignore"):
                values = np.asarray(log_p(w.reshape(rows, *(1,) * (ndim - 1), -1)), dtype=float)
            if values.size not in (w.size, w[:1].size):
                raise _MisfitError
            values = np.broadcast_to(values.reshape(-1, *w.shape[1:]), w.shape)
            return np.where(np.isnan(values) | (values == np.inf), -np.inf, values)

        told = of_rows(np.broadcast_to(_TELLING, (rows, _TELLING.size)))
        table = np.concatenate([curvature, lost, *positions, told, np.stack(keys, 1)], 1)
        _, first, group = np.unique(table, axis=0, return_index=True, return_inverse=True)
        chosen = [position[first] for position in positions]
        return _Alike(
            of_rows, group.reshape(-1), first, lost[first, 0], curvature[first], chosen[: len(splits)], chosen[len(splits) :]
        )  # fmt: skip

    def log_p(self, w: Array) -> Array:
        """The density of each group, [g, m] -> [g, m]."""
        return self.of_rows(w[self.group])[self.first]

    def samples(self, field: Array) -> Array:
        """Fields of each group, the smallest and the largest among them, in order [g, s]."""
        found = []
        for group in range(len(self.first)):
            ordered = np.sort(field[self.group == group], axis=None)
            found.append(ordered[np.linspace(0, ordered.size - 1, _SAMPLES).astype(int)])
        return np.array(found)


def _column(part: ArrayLike, rows: int) -> Array | None:
    """A number or [b, 1, ..] as [b, 1]; None where it varies within a row."""
    value = np.asarray(part, dtype=float)
    if value.ndim == 0 or value.size == 1:
        return np.full((rows, 1), float(value.reshape(-1)[0]))
    return value.reshape(rows, 1).copy() if value.shape[0] == rows and value.size == rows else None


def _cover(
    log_p: Function, order: Array, v: Array, splits: Sequence[Array], places: Sequence[Array], nodes: int
) -> tuple[Array, Array, Mask]:
    """Nodes and logarithms of weights [g, m] for all fields between the ends of ``order`` [g, s]; who needs too many [g]."""
    far = _FARTHEST + 10.0 * np.abs(order).max(1, keepdims=True)
    edges = _first_edges(log_p, [*splits, *places, np.zeros((len(order), 1))], far)
    edges = _around_mass(log_p, edges, order, v)
    count = round(_NODES * max(1.0, nodes / 80.0) ** 0.5)
    t, weights = on_unit_interval(count)
    between = interpolation(count)[:, ::2]
    declined = np.zeros(len(order), dtype=bool)
    for turn in range(_ROUNDS):
        w, speed = place(edges, splits, t)
        logs = log_p(w.reshape(len(w), -1)).reshape(w.shape)
        most = logs.max(-1, keepdims=True)
        smooth = resolved(logs, count) | _polynomial(logs, most, count)
        whole = np.isfinite(logs).all(-1, keepdims=True)
        fine = np.where(whole, np.where(whole, logs, 0.0) @ between, most)
        doubtful = fine.max(-1)
        fine = np.where(smooth[..., None], fine, np.minimum(fine, most))
        points = place(edges, splits, _FINE)[0]
        samples, tops = _samples(w, logs, order, v)
        lost = np.logical_not(np.isfinite(tops).all(1))
        declined |= lost
        tops = np.where(lost[:, None], 0.0, tops)
        tilt = _tilt(points[:, None], samples[..., None, None], v[..., None, None])
        exponent = fine[:, None] + tilt
        highest, lowest = exponent.max(-1), exponent.min(-1)
        level = tops[..., None]
        felt = (highest > level - _DROP).any(1)
        if turn < _DOUBTS:  # what nodes do not show may still be there
            felt |= (doubtful[:, None] + tilt.max(-1) > level - _DROP).any(1) & ~smooth
        begin, end = at_splits(edges, splits)
        steepest = np.where(begin | end, _STEEPEST / 3.0, _STEEPEST)[:, None]  # a cube has three times the degree
        steep = ((highest > level - _FELT) & (highest - np.maximum(lowest, level - _FELT) > steepest)).any(1)
        declined |= felt.sum(1) > 2 * _MOST_PANELS
        felt &= ~declined[:, None]
        finest = 4.0 * _NEAREST * (1.0 + np.abs(edges[:, 1:]))  # beside a pole crowded nodes do the rest
        coarse = felt & (steep | ~smooth) & (np.diff(edges, axis=1) > np.where(begin | end, finest, 0.0))
        if not coarse.any() or turn == _ROUNDS - 1:
            declined |= coarse.any(1) | (felt.sum(1) > _MOST_PANELS)
            with np.errstate(divide="ignore"):
                logs = logs + np.log(weights * speed)
            return *_of_panels(w, logs, felt & ~declined[:, None]), declined
        middle = np.where(coarse, 0.5 * (edges[:, 1:] + edges[:, :-1]), edges[:, -1:])
        edges = np.sort(np.concatenate([edges, middle], 1), 1)
        edges = edges[:, : edges.shape[1] - int((~coarse).sum(1).min())]
    raise AssertionError("the last round returns")


def _of_panels(w: Array, logs: Array, kept: Mask) -> tuple[Array, Array]:
    """Nodes and logarithms [g, P, n] of the panels kept of each group, [g, m], filled up with nodes of no weight."""
    most = max(1, int(kept.sum(1).max()))
    first = np.argsort(~kept, axis=1, kind="stable")[:, :most, None]
    none = ~np.take_along_axis(kept[..., None], first, 1)
    chosen = np.where(none, -np.inf, np.take_along_axis(logs, first, 1))
    return np.take_along_axis(w, first, 1).reshape(len(w), -1), chosen.reshape(len(w), -1)


def _around_mass(log_p: Function, edges: Array, field: Array, v: Array) -> Array:
    """The edges, those thinned out on both sides where no field's mass is seen; the mass moves with the field, outwards."""
    points = np.sort(np.concatenate([edges, 0.5 * (edges[:, 1:] + edges[:, :-1])], 1), 1)
    ends = np.stack([field.min(1), field.max(1)], 1)
    exponent = log_p(points)[:, None] + _tilt(points[:, None], ends[..., None], v[..., None])
    seen = (exponent > exponent.max(-1, keepdims=True) - _DROP).any(1)
    lowest = np.where(seen, points, np.inf).min(1, keepdims=True)
    highest = np.where(seen, points, -np.inf).max(1, keepdims=True)
    outside = np.stack([edges[:, 1:] < lowest, edges[:, :-1] > highest])
    low, high = edges[:, :1], edges[:, -1:]
    # the panel next to what is seen stays; of those beyond it one is left
    below = np.concatenate([outside[0][:, 1:], np.zeros((len(edges), 2), dtype=bool)], 1)
    above = np.concatenate([np.zeros((len(edges), 2), dtype=bool), outside[1][:, :-1]], 1)
    edges = np.sort(np.where(below, low, np.where(above, high, edges)), 1)
    spare = int((edges == low).sum(1).min()) - 1, int((edges == high).sum(1).min()) - 1
    return edges[:, max(spare[0], 0) : edges.shape[1] - max(spare[1], 0)]


def _polynomial(logs: Array, most: Array, count: int) -> Mask:
    """Whether p itself is a polynomial on each panel, as around its zeros, where log p is none."""
    with np.errstate(invalid="ignore"):
        p = np.exp(logs - np.where(np.isneginf(most), 0.0, most))
    good: Mask = np.abs(p @ last_coefficients(count)).max(-1) < _RESOLVED
    return good


def _samples(w: Array, logs: Array, field: Array, v: Array) -> tuple[Array, Array]:
    """Fields [b, s] between the smallest and the largest, and what their exponents reach at least [b, s].

    Between two fields the exponent's top lies above the tangents at both, which meet where it is lowest.
    """
    w, logs = w.reshape(len(w), -1), logs.reshape(len(w), -1)
    exponent = logs[:, None] + _tilt(w[:, None], field[..., None], v[..., None])
    best = exponent.argmax(-1)
    tops = np.take_along_axis(exponent, best[..., None], -1)[..., 0]
    at = np.take_along_axis(w, best, 1)
    with np.errstate(all="ignore"):
        own = np.take_along_axis(logs, best, 1) + 0.5 * v * at * at
        meeting = (own[:, :-1] - own[:, 1:]) / np.diff(at, axis=1)
    meeting = np.clip(np.where(np.isfinite(meeting), meeting, field[:, :-1]), field[:, :-1], field[:, 1:])
    least = np.maximum(*(
        np.take_along_axis(logs, index, 1) + _tilt(np.take_along_axis(w, index, 1), meeting, v)
        for index in (best[:, :-1], best[:, 1:])
    ))  # fmt: skip
    return np.concatenate([field, meeting], 1), np.concatenate([tops, least], 1)


def _first_edges(log_p: Function, anchors: Sequence[Array], far: Array) -> Array:
    """Edges [b, E]: the anchors, and ladders from each whose first rung is as far as log p stays what it is beside it."""
    every = np.clip(np.concatenate(anchors, 1), -far, far)
    finest = _NEAREST * (1.0 + np.abs(every))
    parts = [every, np.broadcast_to(_EVEN, (len(every), _EVEN.size)), far, -far]
    for side in (-1.0, 1.0):
        looks = every[..., None] + side * finest[..., None] * _LOOK
        logs = log_p(looks.reshape(len(every), -1)).reshape(looks.shape)
        with np.errstate(invalid="ignore"):
            moved = np.abs(logs - logs[..., :1]) > _STIR  # inf - inf is no change
        first = np.where(moved.any(-1), moved.argmax(-1), _LOOK.size - 1)
        scale = finest * _LOOK[np.maximum(first - 1, 0)]
        rungs = every[..., None] + side * scale[..., None] * _OCTAVES
        distance = np.abs(rungs[..., None] - every[:, None, None, :]).min(-1)
        own = distance >= np.abs(rungs - every[..., None]) * (1.0 - 1e-9)
        parts.append(np.where(own, rungs, every[..., None]).reshape(len(every), -1))
    edges = np.sort(np.clip(np.concatenate(parts, 1), -far, far), 1)
    edges[:, 1:] = np.where(np.diff(edges, axis=1) <= 0.0, far, edges[:, 1:])
    edges = np.sort(edges, 1)
    return edges[:, : edges.shape[1] - int((edges == far).sum(1).min()) + 1]


def valleys(log_p: Function, places: Sequence[ArrayLike], shape: tuple[int, ...]) -> list[Array]:
    """Where log p is lowest between neighbouring places, of ``shape`` [b, ..]: two modes meet there, often in a kink."""
    columns = [np.broadcast_to(np.asarray(part, dtype=float), shape) for part in places]
    cuts = np.sort(np.stack(columns, -1), -1)
    found = []
    for left, right in pairwise(np.moveaxis(cuts, -1, 0)):
        low, high = left[..., None], right[..., None]
        for _ in range(_ZOOMS):
            grid = low + (high - low) * _ZOOM
            with np.errstate(all="ignore"):
                values = np.broadcast_to(np.asarray(log_p(grid), dtype=float), grid.shape)
            best = np.clip(np.nan_to_num(values, nan=np.inf).argmin(-1)[..., None], 1, _ZOOM.size - 2)
            low, high = (np.take_along_axis(grid, best + side, -1) for side in (-1, 1))
        found.append(0.5 * (low + high)[..., 0])
    return found


def exchanges(
    log_p: Function,
    variance: ArrayLike,
    splits: Sequence[ArrayLike],
    places: Sequence[ArrayLike],
    offset: ArrayLike,
    slope: ArrayLike,
) -> list[tuple[Array, Array]]:
    """Centres and widths [b] in z of the steps where modes exchange their order, for fields h = offset + slope z.

    The mean of w jumps there, and its variance s^2 is the half distance of the modes squared: over 1/(s slope) in z. The
    variance v, offset and slope are numbers, [b] or [b, 1].
    """
    columns = [np.asarray(part, dtype=float).reshape(-1) for part in (offset, slope)]
    rows = max(np.size(part) for part in (*columns, variance, *splits, *places))
    a, b = (np.broadcast_to(part, rows) for part in columns)
    idle = ~(np.isfinite(a) & np.isfinite(b)) | (b == 0.0)  # a field that does not vary has no steps
    a, unit = np.where(idle, 0.0, a), np.where(idle, 1.0, np.abs(b))
    bins = np.floor((a - a.min()) / (unit * np.ptp(_GRID)))
    try:
        alike = _Alike.of(log_p, 2, variance, splits, places, [unit, bins])
        if alike is None:
            return []
        fields = _fields(a, unit, alike)
        order = fields[:, np.linspace(0, fields.shape[1] - 1, _SAMPLES).astype(int)]
        cover = _cover(alike.log_p, order, alike.curvature, alike.splits, alike.places, 80)
    except _MisfitError:
        return []
    groups = range(len(fields))
    shared = Nodes(*cover, alike.curvature[:, 0], fields, np.arange(len(fields)))
    none = np.zeros(0), np.zeros(0)
    without = shared.declined | alike.lost
    of_groups = [
        none if without[group] else _exchanges_of(shared, group, float(unit[alike.first[group]])) for group in groups
    ]
    found = [
        _nearest_steps(of_groups[group], float(a[row]), float(b[row])) if not idle[row] else []
        for row, group in enumerate(alike.group)
    ]
    most = max(map(len, found))
    padded = [[*steps, *[(0.0, 1.0)] * (most - len(steps))] for steps in found]
    table = np.array(padded, dtype=float).reshape(rows, most, 2)
    return [(table[:, k, 0], table[:, k, 1]) for k in range(most)]


def _fields(offset: Array, unit: Array, alike: _Alike) -> Array:
    """Fields of each group at the grid's distances, from the lowest that a row of it reaches to the highest, [g, n]."""
    groups = range(len(alike.first))
    low = np.array([offset[alike.group == group].min() for group in groups])
    high = np.array([offset[alike.group == group].max() for group in groups])
    distance = unit[alike.first] * (_GRID[1] - _GRID[0])
    count = _GRID.size + int(np.ceil(((high - low) / distance).max()))
    begin = low + unit[alike.first] * _GRID[0]
    return np.asarray(begin[:, None] + distance[:, None] * np.arange(count))


def _exchanges_of(shared: Nodes, group: int, unit: float) -> tuple[Array, Array]:
    """Fields at which modes of a group exchange their order, and the standard deviation of w there."""

    def moments(h: Array) -> tuple[Array, Array]:
        p, _ = shared.weights(group, h)
        w = shared.w[group]
        mean = p @ w
        return mean, np.einsum("nm,nm->n", p, (w - mean[:, None]) ** 2)

    left, right, seen = _brackets(shared.field[group], *moments(shared.field[group]), unit)
    if not left.size:
        return left, left
    (low, before), (high, after) = moments(left), moments(right)
    for _ in range(_HALVINGS):
        middle = 0.5 * (left + right)
        below = moments(middle)[0] < 0.5 * (low + high)
        left, right = np.where(below, middle, left), np.where(below, right, middle)
    there = moments(left)[1]
    good = seen | (there > _PROMINENT * np.minimum(before, after))
    return left[good], np.sqrt(np.maximum(there[good], 1e-300))


def _nearest_steps(exchanged: tuple[Array, Array], offset: float, slope: float) -> list[tuple[float, float]]:
    """Centre and width in z of the exchanges of a row that are narrow there, the narrowest first."""
    field, spread = exchanged
    centre, width = (field - offset) / slope, 1.0 / (spread * abs(slope))
    good = (width < _WIDE) & (np.abs(centre) <= _GRID[-1])
    kept: list[tuple[float, float]] = []
    for size, z in sorted(zip(width[good], centre[good], strict=True)):
        if len(kept) < _MOST_STEPS and all(abs(z - other) > 0.5 * max(size, own) for other, own in kept):
            kept.append((float(z), max(float(size), 1e-13)))
    return kept


def _brackets(field: Array, mean: Array, variance: Array, unit: float) -> tuple[Array, Array, Mask]:
    """Intervals of the fields that may hold an exchange, and whether they show the variance's maximum."""
    smooth = 0.5 * (variance[1:] + variance[:-1]) * np.diff(field)
    jump = np.abs(np.diff(mean)) > _PROMINENT * smooth
    around = np.maximum(*(np.pad(variance, _AWAY, mode="edge")[shift:][: len(variance)] for shift in (0, 2 * _AWAY)))
    large = (variance > _PROMINENT * around) & (np.sqrt(variance) * unit > 1.0 / _WIDE)
    peak = large[1:-1] & (variance[1:-1] >= variance[:-2]) & (variance[1:-1] > variance[2:])
    left = np.concatenate([field[:-1][jump], field[:-2][peak]])
    right = np.concatenate([field[1:][jump], field[2:][peak]])
    return left, right, np.arange(left.size) >= jump.sum()
