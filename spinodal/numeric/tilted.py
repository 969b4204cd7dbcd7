"""Numerical inner averages: log-averages of an arbitrary weight over a Gaussian or a density, and their derivatives.

The measure is exp(phi(x)) dx, phi(x) = log f(omega + sqrt(V) x) - x^2/2 or log p(x) + h x + v x^2/2. Nothing is assumed
of log f or log p but that, between the declared splits (its steps and kinks), it is smooth and phi has one main peak.
Derivatives with respect to omega or h are cumulants of x: f is never differentiated. Per batch element and per panel
between splits:

1. Peak. A coarse scan (geometric around zero, around the tilt's own centre and next to both ends of the panel) and
   zooms into the bracket of its maximum until phi varies little within: the peak may be far out and narrow.
2. Support. On both sides of the peak the distances at which phi has dropped by CORE and by DROP are found on a
   geometric scale.
3. Nodes. Gauss-Legendre on the four segments between the peak and these points (all four on one side where the peak
   sits at the panel's end).

Where log f is smooth but much steeper somewhere than on the scale of the support (a sigmoid of slope 40), splits on
both sides of that region restore the accuracy. All weights are relative to the highest peak, and cumulants are central
moments, so a mass of exp(-1e6), a peak of width 1e-6 or one at x = 1e4 lose no precision beyond the rounding of phi
itself. The error is that of Gauss-Legendre: compare with twice the nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .modes import Nodes, shared_density_nodes, valleys
from .quadrature import Rule, gauss_legendre
from .shared_nodes import FEWEST, shared_nodes

FloatArray: TypeAlias = NDArray[np.float64]
Function: TypeAlias = Callable[[FloatArray], FloatArray]

DROP = 45.0  # exp(-45) = 3e-20, negligible even in fourth moments
CORE = 6.0  # where the nodes around the peak end and those of the tails begin
NODES = 80  # per panel: enough for 1e-12 where log f is smooth on the scale of the support
_FARTHEST = 1e5  # the domain of x for Gaussian averages
_ZOOM = np.linspace(0.0, 1.0, 11)
_MAX_ZOOMS = 14
_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


def nodes(rule: Rule) -> int:
    """Nodes per panel beside an outer rule: refined with it, so that comparing the two sees the error of both."""
    return max(NODES, NODES * rule.n // 100)


def _legendre(n: int) -> tuple[FloatArray, FloatArray]:
    """On [0, 1]."""
    s, weights = gauss_legendre(n)
    return 0.5 * (s + 1.0), 0.5 * weights


class _Weights:
    """Normalised weights on nodes: what cumulants are taken of.

    x and its deviations from the mean ``centred``, the weights ``p`` are [..., nodes]; ``mean``, ``log_total`` and
    ``empty`` of the batch shape.
    """

    x: FloatArray
    p: FloatArray
    centred: FloatArray
    mean: FloatArray
    log_total: FloatArray
    empty: NDArray[np.bool_]

    def cumulants(self, order: int) -> list[FloatArray]:
        """Cumulants 1 to order of x."""
        c = self.centred
        out = [self.mean]
        if order >= 2:
            squares = c * c
            out.append(np.vecdot(self.p, squares))
        if order >= 3:
            weighted = self.p * squares
            out.append(np.vecdot(weighted, c))
        if order >= 4:
            out.append(np.vecdot(weighted, squares) - 3.0 * out[1] * out[1])
        return out

    def joint(self, g: FloatArray, order: int) -> list[FloatArray]:
        """The average of g [..., nodes] and its joint cumulants with 1 to order (<= 3) copies of x."""
        g = np.where(self.p > 0.0, g, 0.0)
        c = self.centred
        average = (self.p * g).sum(-1)
        weighted = self.p * (g - average[..., None])
        out = [average]
        if order >= 1:
            out.append((weighted * c).sum(-1))
        if order >= 2:
            out.append((weighted * c * c).sum(-1))
        if order >= 3:
            out.append((weighted * c * c * c).sum(-1) - 3.0 * out[1] * (self.p * c * c).sum(-1))
        return out


class _Shared(_Weights):
    """Rows [b, n] of fields that share their nodes [b, m] and the weights of f on them."""

    def __init__(self, x: FloatArray, logs: FloatArray) -> None:
        mass, top, total = np.empty_like(x), np.empty((*x.shape[:2], 1)), np.empty((*x.shape[:2], 1))
        for row, exponent in enumerate(mass):  # a row at a time stays in the processor's cache
            np.multiply(x[row], x[row], out=exponent)
            exponent *= -0.5
            exponent += logs[row]
            exponent.max(-1, keepdims=True, out=top[row])
            exponent -= top[row]
            np.exp(exponent, out=exponent)
            exponent.sum(-1, keepdims=True, out=total[row])
            exponent /= total[row]
        self.x, self.p = x, mass
        self.log_total = (top + np.log(total))[..., 0]
        mean = np.vecdot(mass, x)
        self.mean, self.centred = mean, x - mean[..., None]
        self.empty = np.zeros(mean.shape, dtype=bool)


class _OfRow(_Weights):
    """Fields [n] that share their nodes [m], their normalised weights [n, m] and logarithms [n]."""

    def __init__(self, w: FloatArray, p: FloatArray, log_total: FloatArray) -> None:
        self.x, self.p, self.log_total = np.broadcast_to(w, p.shape), p, log_total
        self.mean = p @ w
        self.centred = w - self.mean[:, None]
        self.empty = np.isneginf(log_total)


class _Measure(_Weights):
    """Normalised weights on the nodes of all panels; arrays [..., nodes].

    The exponent is phi(x) = log_part(x) + x (slope + curvature x/2); log_part maps arrays [..., m] to arrays of that
    shape. edges [..., panels + 1] are ascending and finite. centre and scale [...] say where and how wide the mass
    would be without log_part. All of these are of the batch shape.
    """

    def __init__(
        self,
        log_part: Function,
        slope: FloatArray,
        curvature: FloatArray,
        edges: FloatArray,
        centre: FloatArray,
        scale: FloatArray,
        nodes: int,
    ) -> None:
        self.batch = edges.shape[:-1]
        self.log_part, self.slope, self.curvature = log_part, slope[..., None], curvature[..., None]
        lower, upper = edges[..., :-1], edges[..., 1:]
        # Stay off the panel's ends, where log f may have either of two values.
        margin = np.minimum(1e-13 * (1.0 + np.abs(lower) + np.abs(upper)), 0.25 * (upper - lower))
        inner_lower, inner_upper = lower + margin, upper - margin
        peak, height = self._find_peak(inner_lower, inner_upper, centre, scale)
        room_left, room_right = peak - inner_lower, inner_upper - peak
        core_left, far_left = self._reach(peak, height, -1.0, room_left, scale)
        core_right, far_right = self._reach(peak, height, 1.0, room_right, scale)
        # Where the peak sits at one end of the panel, all segments go to the other side.
        short = 1e-6 * (far_left + far_right)
        from_lower, from_upper = far_left <= short, far_right <= short
        # all the room but for rounding: the margin then belongs to the panel, and no mass is lost between two of them
        left = np.where(far_left >= room_left * (1.0 - 1e-12), lower, peak - far_left)
        right = np.where(far_right >= room_right * (1.0 - 1e-12), upper, peak + far_right)
        low, high = peak - core_left, peak + core_right
        cuts = np.stack([left, low, peak, high, right], -1)
        one_sided = np.stack([left, 0.5 * (left + high), high, 0.5 * (high + right), right], -1)
        cuts = np.where(from_lower[..., None], one_sided, cuts)
        one_sided = np.stack([left, 0.5 * (left + low), low, 0.5 * (low + right), right], -1)
        cuts = np.where(from_upper[..., None] & ~from_lower[..., None], one_sided, cuts)
        # Offsets from the panel's left end, so that far out the exponent's large common part is not rounded node by
        # node.
        s, weights = _legendre(max(nodes // 4, 1))
        lengths = np.diff(cuts, axis=-1)[..., None]
        half = ((cuts[..., :-1, None] - left[..., None, None]) + lengths * s).reshape(*left.shape, -1)
        jacobian = lengths * weights
        self.x = (left[..., None] + half).reshape(*self.batch, -1)
        base = left * (self.slope + 0.5 * self.curvature * left)
        anchor = left[..., None]
        quadratic = half * (self.slope[..., None] + self.curvature[..., None] * (anchor + 0.5 * half))
        log_values = self._clean(self.log_part(self.x)).reshape(half.shape) + quadratic
        highest = (base + log_values.max(-1)).argmax(-1)[..., None]
        reference = np.take_along_axis(base, highest, -1)
        values = (log_values + (base - reference)[..., None]).reshape(self.x.shape)
        top = values.max(-1)
        self.top = np.where(np.isneginf(top), 0.0, top)
        mass = np.exp(values - self.top[..., None])
        mass *= jacobian.reshape(self.x.shape)
        total = mass.sum(-1)
        with np.errstate(divide="ignore"):
            self.log_total = reference[..., 0] + self.top + np.log(total)
        mass /= np.where(total > 0.0, total, 1.0)[..., None]
        self.p = mass
        # The mean and the deviations come from the offsets: the nodes themselves are rounded at the size of x.
        origin = np.take_along_axis(left, highest, -1)
        offset = ((left - origin)[..., None] + half).reshape(self.x.shape)
        shift = (mass * offset).sum(-1, keepdims=True)
        self.mean = np.where(total > 0.0, (origin + shift)[..., 0], 0.0)
        self.centred = offset - shift
        self.empty = total <= 0.0

    @staticmethod
    def _clean(values: FloatArray) -> FloatArray:
        """Nan counts as no mass."""
        values = np.asarray(values, dtype=np.float64)
        return np.where(np.isnan(values), -np.inf, values)

    def _on_panels(self, x: FloatArray) -> FloatArray:
        """The exponent on [..., panels, m]."""
        flat = x.reshape(*self.batch, -1)
        values = self._clean(self.log_part(flat)) + flat * (self.slope + 0.5 * self.curvature * flat)
        return np.asarray(values.reshape(x.shape))

    def _find_peak(
        self, lower: FloatArray, upper: FloatArray, centre: FloatArray, scale: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        outward = np.concatenate([[0.0], np.geomspace(0.25, 1e5, 21)])
        both = np.concatenate([-outward[:0:-1], outward])
        inward = np.geomspace(1e-8, 1.0, 9)
        reach = np.minimum(scale[..., None], upper - lower)[..., None]
        parts = [centre[..., None, None] + scale[..., None, None] * both, np.stack([lower, upper], -1)]
        if np.any(centre != 0.0) or np.any(scale != 1.0):
            parts.append(both)
        if lower.shape[-1] > 1:
            parts += [lower[..., None] + reach * inward, upper[..., None] - reach * inward]
        grid = np.concatenate([np.broadcast_to(part, (*lower.shape, part.shape[-1])) for part in parts], -1)
        grid = np.minimum(np.maximum(grid, lower[..., None]), upper[..., None])
        for _ in range(_MAX_ZOOMS):
            values = self._on_panels(grid)
            best = values.argmax(-1)[..., None]
            position, top = np.take_along_axis(grid, best, -1), np.take_along_axis(values, best, -1)
            # The bracket: the nearest distinct points on either side (there may be none at the panel's ends).
            low = np.where(grid < position, grid, -np.inf).max(-1, keepdims=True)
            high = np.where(grid > position, grid, np.inf).min(-1, keepdims=True)
            low, high = np.where(np.isinf(low), position, low), np.where(np.isinf(high), position, high)
            top = np.where(np.isneginf(top), 0.0, top)
            bracket = (grid >= low) & (grid <= high)
            flat = np.where(bracket, values, np.inf).min(-1) >= top[..., 0] - 1.0
            if np.all(flat | np.isneginf(values.max(-1))):
                break
            grid = low + (high - low) * _ZOOM
        return position[..., 0], values.max(-1)

    def _reach(
        self, peak: FloatArray, height: FloatArray, sign: float, room: FloatArray, scale: FloatArray
    ) -> list[FloatArray]:
        """Distances from the peak, at most room, at which phi has dropped by CORE and by DROP for good."""
        smallest = 1e-9 * np.minimum(scale, 1.0)[..., None]
        ratio = np.maximum(room, smallest) / smallest
        ladder = smallest[..., None] * ratio[..., None] ** np.linspace(0.0, 1.0, 25)
        values = self._on_panels(peak[..., None] + sign * np.minimum(ladder, room[..., None]))
        top = np.where(np.isneginf(height), 0.0, height)
        found = []
        for drop in (CORE, DROP):
            floor = (top - drop)[..., None]
            below, above = _first_outside(ladder, values > floor)
            rungs = below * (above / below) ** np.linspace(0.0, 1.0, 10)
            finer = self._on_panels(peak[..., None] + sign * np.minimum(rungs, room[..., None]))
            found.append(np.minimum(_first_outside(rungs, finer > floor)[1][..., 0], room))
        return found


def _first_outside(ladder: FloatArray, inside: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """The last rung inside and the one beyond: conservative where inside is not monotonic."""
    count = ladder.shape[-1]
    beyond = np.where(inside.any(-1), count - np.argmax(inside[..., ::-1], -1), 0)[..., None]
    lower = np.take_along_axis(ladder, np.maximum(beyond - 1, 0), -1)
    return lower, np.take_along_axis(ladder, np.minimum(beyond, count - 1), -1)


def _check(order: int, largest: int = 4) -> None:
    if not 0 <= order <= largest:
        raise ValueError(f"order must be 0 to {largest}, not {order}")


def _edges(splits: Sequence[ArrayLike], bound: FloatArray) -> FloatArray:
    """Panel edges [..., splits + 2] from -bound to bound; a split beyond them, infinite or nan, closes no panel."""
    inner = [np.where(np.isnan(split), bound, np.minimum(np.maximum(split, -bound), bound)) for split in splits]
    return np.sort(np.stack([-bound, *inner, bound], -1), -1)


def _gaussian_measure(
    log_f: Function, omega: ArrayLike, variance: ArrayLike, splits: Sequence[ArrayLike], nodes: int
) -> tuple[_Weights, FloatArray, FloatArray]:
    shared = _on_shared_nodes(log_f, np.asarray(omega, dtype=np.float64), variance, splits, nodes)
    if shared is not None:
        return shared
    middle, spread, *positions = np.broadcast_arrays(
        *(np.asarray(part, dtype=np.float64) for part in (omega, variance, *splits))
    )
    sigma = np.sqrt(spread)

    edges = _edges([(position - middle) / sigma for position in positions], np.full(middle.shape, _FARTHEST))
    zero, one = np.zeros(middle.shape), np.ones(middle.shape)
    measure = _Measure(lambda x: log_f(middle[..., None] + sigma[..., None] * x), zero, -one, edges, zero, one, nodes)
    return measure, middle, sigma


def _on_shared_nodes(
    log_f: Function, omega: FloatArray, variance: ArrayLike, splits: Sequence[ArrayLike], nodes: int
) -> tuple[_Weights, FloatArray, FloatArray] | None:
    """The measures of rows [b, n] of fields whose variance and splits are those of the row; None where they are not."""
    if omega.ndim != 2 or omega.shape[1] < FEWEST:
        return None
    of_rows = [np.atleast_1d(np.asarray(part, dtype=np.float64)) for part in (variance, *splits)]
    if any(part.shape[-1] != 1 or part.ndim > 2 for part in of_rows):
        return None
    spread, *positions = (np.broadcast_to(part, (len(omega), 1)) for part in of_rows)
    sigma = np.sqrt(spread)
    found = shared_nodes(log_f, omega, sigma, positions, nodes)
    if found is None:
        return None
    h, logs = found
    # from the row's own origin, so that what is near stays exact where the fields are far out
    origin = omega[:, :1]
    x = ((h - origin) / sigma)[:, None, :] - ((omega - origin) / sigma)[..., None]
    return _Shared(x, logs - np.log(sigma)), omega, np.broadcast_to(sigma, omega.shape)


def _field_derivatives(measure: _Weights, sigma: FloatArray, order: int) -> tuple[FloatArray, ...]:
    out = [np.asarray(measure.log_total - _HALF_LOG_2PI)]
    cumulants = measure.cumulants(order) if order else []
    if order >= 2:
        cumulants[1] = np.where(measure.empty, 0.0, cumulants[1] - 1.0)
    scale = np.ones_like(sigma)
    for cumulant in cumulants:
        scale = scale / sigma
        out.append(np.asarray(cumulant * scale))
    return tuple(out)


def log_average(
    log_f: Function,
    omega: ArrayLike,
    variance: ArrayLike,
    splits: Sequence[ArrayLike] = (),
    order: int = 2,
    *,
    nodes: int = NODES,
) -> tuple[FloatArray, ...]:
    """Derivatives 0 to order (order <= 4) with respect to omega of log E exp(log_f(h)), h ~ N(omega, variance).

    Parameters: log_f maps arrays of shape (*batch, m) of values h to log-weights of that shape (-inf allowed); omega,
    variance > 0 and each of splits, the positions h of its steps and kinks, broadcast to the batch shape; nodes per
    panel (panels are one more than splits). Where the weight vanishes everywhere the value is -inf and the derivatives
    are 0.

    In score form the derivatives are cumulants of x = (h - omega)/sqrt(V): <x>/V^(1/2), (Var x - 1)/V, k_3/V^(3/2),
    k_4/V^2. Their absolute error is therefore about 1e-14 V^(-k/2), times the size of the cumulant where that is large.
    """
    _check(order)
    measure, _, sigma = _gaussian_measure(log_f, omega, variance, splits, nodes)
    return _field_derivatives(measure, sigma, order)


def tilted_averages(
    log_f: Function,
    functions: Sequence[Function],
    omega: ArrayLike,
    variance: ArrayLike,
    splits: Sequence[ArrayLike] = (),
    order: int = 2,
    function_order: int = 0,
    *,
    nodes: int = NODES,
) -> tuple[tuple[FloatArray, ...], list[tuple[FloatArray, ...]]]:
    """Returns log_average's result, and for each function g(h) its average under exp(log_f) N(h; omega, V)/Z.

    Each average comes with its derivatives 0 to function_order (<= 3) with respect to omega: the joint cumulants <g;
    x>, <g; x; x>, ... times V^(-1/2), V^(-1), ... Steps and kinks of g belong in splits too.
    """
    _check(order)
    _check(function_order, 3)
    measure, centre, sigma = _gaussian_measure(log_f, omega, variance, splits, nodes)
    h = centre[..., None] + sigma[..., None] * measure.x
    averages = []
    for g in functions:
        parts = measure.joint(np.broadcast_to(np.asarray(g(h), dtype=np.float64), h.shape), function_order)
        averages.append(tuple(np.asarray(part / sigma**k) for k, part in enumerate(parts)))
    return _field_derivatives(measure, sigma, order), averages


def _on_modes(
    log_p: Function,
    h: ArrayLike,
    v: ArrayLike,
    splits: Sequence[ArrayLike],
    places: Sequence[ArrayLike] | None,
    nodes: int,
) -> Nodes | None:
    """Shared nodes of a density that may have several modes, if its places are given."""
    if places is None:
        return None
    return shared_density_nodes(log_p, np.asarray(h, dtype=float), v, splits, places, nodes=nodes)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of a batch [b, ...] of fields."""

    index: NDArray[np.int64]
    every: FloatArray

    @property
    def fields(self) -> FloatArray:
        """The fields of these rows."""
        return np.asarray(self.every[self.index])

    def part(self, values: ArrayLike) -> FloatArray:
        """What broadcasts to the batch, for these rows."""
        array = np.asarray(values, dtype=np.float64)
        return array[self.index] if array.ndim == self.every.ndim and len(array) == len(self.every) else array

    def function(self, log_p: Function) -> Function:
        """A function of the whole batch (its parameters are those of all rows) on these rows."""
        of_every = np.minimum(np.searchsorted(self.index, np.arange(len(self.every))), self.index.size - 1)

        def of_these(w: FloatArray) -> FloatArray:
            if self.index.size > 1:
                try:  # a density without parameters of the rows takes any
                    return np.asarray(log_p(w))
                except ValueError:
                    pass
            values = np.asarray(log_p(w[of_every]))
            return values[self.index] if len(values) == len(self.every) else values

        return of_these

    def among(self, others: FloatArray, these: FloatArray) -> FloatArray:
        """Rows of the whole batch: the others' and these."""
        whole = np.empty((len(self.every), *these.shape[1:]))
        whole[self.index] = these
        whole[np.setdiff1d(np.arange(len(self.every)), self.index)] = others
        return whole


def _density_measure(
    log_p: Function,
    h: ArrayLike,
    v: ArrayLike,
    splits: Sequence[ArrayLike],
    places: Sequence[ArrayLike] | None,
    nodes: int,
) -> _Measure:
    if places:
        shape = np.broadcast_shapes(*(np.shape(part) for part in (v, *places)))
        splits = [*splits, *places, *valleys(log_p, places, shape)]
    field, curvature, *positions = np.broadcast_arrays(*(np.asarray(part, dtype=np.float64) for part in (h, v, *splits)))
    narrow = curvature < -1.0
    scale = 1.0 / np.sqrt(np.where(narrow, -curvature, 1.0))
    centre = np.where(narrow, field * scale * scale, 0.0)

    edges = _edges(positions, _FARTHEST + 10.0 * np.abs(field))
    return _Measure(log_p, field, curvature, edges, centre, scale, nodes)


def density_cumulants(
    log_p: Function,
    h: ArrayLike,
    v: ArrayLike,
    splits: Sequence[ArrayLike] = (),
    order: int = 2,
    *,
    places: Sequence[ArrayLike] | None = None,
    nodes: int = NODES,
) -> tuple[FloatArray, ...]:
    """Derivatives 0 to order (order <= 4) with respect to h of log int dw p(w) exp(h w + v w^2/2).

    Parameters: log_p maps arrays of shape (*batch, m) of values w to log-densities of that shape (-inf allowed); h, v,
    the splits (steps and kinks of log_p, the ends of its support) and the places (given where a density may have several
    modes: what its formula singles out) broadcast to the batch shape; nodes per panel. v may be as negative as wanted; where
    it is positive, p must decay faster than exp(-v w^2/2).
    """
    _check(order)
    shared = _on_modes(log_p, h, v, splits, places, nodes)
    if shared is None:
        measure = _density_measure(log_p, h, v, splits, places, nodes)
        return (measure.log_total, *(np.asarray(part) for part in (measure.cumulants(order) if order else ())))
    of_rows = [_OfRow(*row) for row in shared.rows()]
    parts = [(row.log_total, *(row.cumulants(order) if order else ())) for row in of_rows]
    found = tuple(np.stack(part) for part in zip(*parts, strict=True))
    if shared.left.size:
        rows = _Rows(shared.left, np.asarray(h, dtype=float))
        of_rows_left = (
            rows.part(v),
            [rows.part(s) for s in splits],
            None if places is None else [rows.part(s) for s in places],
        )
        measure = _density_measure(rows.function(log_p), rows.fields, *of_rows_left, nodes)
        left = [measure.log_total, *(measure.cumulants(order) if order else ())]
        found = tuple(rows.among(part, one.reshape(len(one), -1)) for part, one in zip(found, left, strict=True))
    return tuple(part.reshape(np.shape(h)) for part in found)


def density_averages(
    log_p: Function,
    functions: Sequence[Function],
    h: ArrayLike,
    v: ArrayLike,
    splits: Sequence[ArrayLike] = (),
    function_order: int = 0,
    *,
    places: Sequence[ArrayLike] | None = None,
    nodes: int = NODES,
) -> list[tuple[FloatArray, ...]]:
    """Averages of functions g(w) under p(w) exp(h w + v w^2/2), with their h-derivatives 0 to function_order (<= 3)."""
    _check(function_order, 3)
    shared = _on_modes(log_p, h, v, splits, places, nodes)
    if shared is not None and not shared.left.size:
        return _shared_averages(shared, functions, function_order, np.shape(h))
    measure = _density_measure(log_p, h, v, splits, places, nodes)
    averages = []
    for g in functions:
        values = np.broadcast_to(np.asarray(g(measure.x), dtype=np.float64), measure.x.shape)
        averages.append(tuple(np.asarray(part) for part in measure.joint(values, function_order)))
    return averages


def _shared_averages(
    shared: Nodes, functions: Sequence[Function], function_order: int, shape: tuple[int, ...]
) -> list[tuple[FloatArray, ...]]:
    of_rows = [_OfRow(*row) for row in shared.rows()]
    nodes = shared.w[shared.group]
    w = nodes.reshape(len(nodes), *(1,) * (len(shape) - 1), -1)
    averages = []
    for g in functions:
        values = np.broadcast_to(np.asarray(g(w), dtype=np.float64), w.shape).reshape(nodes.shape)
        parts = [
            row.joint(np.broadcast_to(value, row.p.shape), function_order)
            for row, value in zip(of_rows, values, strict=True)
        ]
        averages.append(tuple(np.stack(part).reshape(shape) for part in zip(*parts, strict=True)))
    return averages
