"""Gaussian masses of intervals, Z = E sum_j exp(l_j) 1[a_j < h < b_j], h ~ N(omega, V), and derivatives of log Z.

With x = (h - omega)/sqrt(V) and its mean and cumulants k_j under the truncated (tilted) normal,

    L_1 = <x>/sqrt(V),   L_2 = (Var x - 1)/V,   L_3 = k_3/V^(3/2),   L_4 = k_4/V^2.

One interval. By reflection its midpoint is made positive; alpha and beta are its edges in units of x and r =
H(beta)/H(alpha).

* r < 1/e:  log Z = log H(alpha) + log(1 - r), differentiated through rho = log r = -(beta^2 - alpha^2)/2 +
  log(Mills(alpha)/Mills(beta)); its derivatives are differences of those of log H, formed without their common large
  parts.
* r >= 1/e: the interval is narrow on the scale on which the density changes, and the cumulants of x are those of twelve
  weighted Gauss-Legendre nodes, exact to rounding.

Several intervals are a mixture: the law of total cumulance, with deviations taken from the heaviest component.

Accuracy, relative, for one interval with edges up to 1e4 sqrt(V) away from omega (beyond, only the rounding of the
edges matters): L_0 to L_2 1e-13, L_3 and L_4 1e-11, except for absolute errors of the same size times a natural scale
near a zero (L_1 and L_3 at the centre of a symmetric interval; L_0 where Z = 1 in a wide one is relative to 1 - Z). For
several intervals these numbers are relative to the largest term of the mixture, which matters when adjacent intervals
have nearly equal levels: with a level difference d the relative error of L_1 to L_4 near the common edge grows as 1/d.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .gaussian_tail import _Tail

FloatArray: TypeAlias = NDArray[np.float64]
Edges: TypeAlias = Sequence[tuple[ArrayLike, ArrayLike]]

_FAR = 45.0  # H(45) is 1e-441: an edge so far beyond both zero and the near edge is as good as infinite
_NARROW = -1.0  # log r above which the interval counts as narrow
_NODES, _WEIGHTS = (part[6:] for part in np.polynomial.legendre.leggauss(12))  # the positive half
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@dataclass
class Component:
    """Cumulants of x in one interval.

    excess is Var x - 1; above and below are the distances of <x> from the edges alpha and beta, both >= 0; at_lower and
    at_upper are the densities there, G(alpha)/Z and G(beta)/Z. Half lines leave what belongs to their infinite edge 0.
    """

    log_mass: FloatArray
    mean: FloatArray
    excess: FloatArray
    variance: FloatArray
    third: FloatArray
    fourth: FloatArray
    above: FloatArray
    below: FloatArray
    at_lower: FloatArray
    at_upper: FloatArray

    def reflected(self) -> Component:
        """The component of the interval (-beta, -alpha)."""
        swapped = (self.below, self.above, self.at_upper, self.at_lower)
        return Component(self.log_mass, -self.mean, self.excess, self.variance, -self.third, self.fourth, *swapped)


def _half_line(alpha: FloatArray, order: int) -> Component:
    """The component x > alpha."""
    tail = _Tail(alpha)
    m, d = tail.mills()
    zero = np.zeros_like(m)
    above = np.where(tail.negative, m - tail.x, d)
    part = Component(tail.log_tail(), m, zero, zero, zero, zero, above, zero, m, zero)
    if order >= 2:
        slopes = tail.derivatives(max(order, 3))
        part.excess = slopes[1]
        part.variance = _variance_above(alpha, m, d, slopes)
        part.third = -slopes[2]
        if order >= 4:
            part.fourth = slopes[3]
    return part


def _variance_above(alpha: FloatArray, m: FloatArray, d: FloatArray, slopes: list[FloatArray]) -> FloatArray:
    """The variance of x above alpha: 1 - M D is D^2 - E with E = -d3/M; below zero 1 + d2 is just as good."""
    right = alpha > 0.0
    return np.where(right, d * d + slopes[2] / np.where(right, np.minimum(m, 1e300), 1.0), 1.0 + slopes[1])


def _wide(alpha: FloatArray, beta: FloatArray, delta: FloatArray, order: int) -> tuple[Component, FloatArray]:
    """The component for alpha + beta >= 0 and r < 1/e, and rho = log r (capped) for all."""
    near, far = _Tail(alpha), _Tail(beta)
    (ma, da), (mb, db) = near.mills(), far.mills()
    rho = -0.5 * delta * (alpha + beta) + np.log(np.maximum(ma, 1e-300) / mb)
    rho = np.where(alpha <= -_FAR + 8.0, far.log_tail(), rho)  # there Mills(alpha) underflows, and H(alpha) = 1
    capped = np.minimum(rho, 0.5 * _NARROW)
    r = np.exp(capped)
    s = r / (1.0 - r)
    # Derivatives of rho with respect to a common shift of alpha and beta; for alpha > 0 the linear part of Mills is
    # exact.
    slope = np.where(alpha > 0.0, delta + (db - da), mb - ma)
    log_mass = near.log_tail() + np.log1p(-r)
    above = np.where(alpha > 0.0, da, ma - alpha) - s * slope
    rho1 = -slope
    mean = ma - s * slope
    zero = np.zeros_like(mean)
    part = Component(log_mass, mean, zero, zero, zero, zero, above, delta - above, ma * (1.0 + s), mb * s)
    if order >= 2:
        fa, fb = near.derivatives(max(order, 3)), far.derivatives(max(order, 3))
        va = _variance_above(alpha, ma, da, fa)
        vb = db * db + fb[2] / mb
        rho2 = np.where(alpha > 0.0, vb - va, fb[1] - fa[1])
        correction = -s * rho2 - s * (1.0 + s) * rho1 * rho1
        part.excess = fa[1] + correction
        part.variance = va + correction
    if order >= 3:
        rho3 = fb[2] - fa[2]
        p2, p3 = s * (1.0 + s), s * (1.0 + s) * (1.0 + 2.0 * s)
        part.third = -(fa[2] - s * rho3 - 3.0 * p2 * rho1 * rho2 - p3 * rho1**3)
        if order >= 4:
            rho4 = fb[3] - fa[3]
            p4 = p2 * (1.0 + 6.0 * p2)
            part.fourth = (
                fa[3]
                - s * rho4
                - p2 * (4.0 * rho1 * rho3 + 3.0 * rho2 * rho2)
                - 6.0 * p3 * rho1 * rho1 * rho2
                - p4 * rho1**4
            )
    return part, rho


def _narrow(alpha: FloatArray, beta: FloatArray, delta: FloatArray) -> Component:
    """The component for a narrow interval, from nodes s in [-1, 1]: x = middle + delta s/2.

    The nodes come in pairs +-s, so that the odd moments are sums of sinh of one sign: the mean and the third cumulant
    stay accurate when the interval is almost centred.
    """
    middle, half = 0.5 * (alpha + beta), 0.5 * delta
    tilt = (middle * half)[:, None] * _NODES
    bell = 2.0 * _WEIGHTS * np.exp((-0.5 * half * half)[:, None] * (_NODES * _NODES))
    even, odd = bell * np.cosh(tilt), -bell * np.sinh(tilt)
    total = even.sum(-1)
    m1, m2, m3, m4 = ((part * _NODES**k).sum(-1) / total for k, part in enumerate((odd, even, odd, even), 1))
    second = m2 - m1 * m1
    third = m3 - m1 * (3.0 * m2 - 2.0 * m1 * m1)
    fourth = m4 - 4.0 * m3 * m1 - 3.0 * m2 * m2 + m1 * m1 * (12.0 * m2 - 6.0 * m1 * m1)
    return Component(
        np.log(half * total) - 0.5 * middle * middle - _HALF_LOG_2PI,
        middle + half * m1,
        half * half * second - 1.0,
        half * half * second,
        half**3 * third,
        half**4 * fourth,
        half * (1.0 + m1),
        half * (1.0 - m1),
        np.exp(0.5 * half * (alpha + middle)) / (half * total),
        np.exp(-0.5 * half * (beta + middle)) / (half * total),
    )


_FIELDS = tuple(field.name for field in fields(Component))


def one_interval(alpha: FloatArray, beta: FloatArray, delta: FloatArray, order: int) -> Component:
    """Cumulants of x ~ N(0, 1) between alpha and beta; flat arrays, edges may be infinite, delta = beta - alpha."""
    if np.all(beta == np.inf) and np.all(alpha > -np.inf) and np.all(alpha < np.inf):
        return _half_line(alpha, order)
    if np.all(alpha == -np.inf) and np.all(beta < np.inf) and np.all(beta > -np.inf):
        return _half_line(-beta, order).reflected()
    empty = ~(delta > 0.0)
    nan = np.isnan(alpha) | np.isnan(beta)
    with np.errstate(invalid="ignore"):
        flip = alpha + beta < 0.0  # false for the whole line, whose sum is nan
    near = np.where(flip, -beta, alpha)
    far = np.where(flip, -alpha, beta)
    near = np.where(empty, 0.0, np.maximum(near, -_FAR))
    far = np.where(empty, 1.0, far)
    bound = np.maximum(near, 0.0) + _FAR
    cut = (far > bound) | (near <= -_FAR) | empty
    far = np.minimum(far, bound)
    width = np.where(cut, far - near, delta)
    part, rho = _wide(near, far, width, order)
    narrow = rho > _NARROW
    if narrow.any():
        better = _narrow(near[narrow], far[narrow], width[narrow])
        for field in _FIELDS:
            getattr(part, field)[narrow] = getattr(better, field)
    if flip.any():
        other = part.reflected()
        for field in _FIELDS:
            setattr(part, field, np.where(flip, getattr(other, field), getattr(part, field)))
    if empty.any():
        for field in _FIELDS:
            value = -np.inf if field == "log_mass" else 0.0
            setattr(part, field, np.where(empty, np.where(nan, np.nan, value), getattr(part, field)))
    return part


@dataclass
class Mixture:
    """The components of all intervals, their weights p_j, and the cumulants of x in the mixture; flat arrays."""

    components: list[Component]
    p: list[FloatArray]
    deviations: list[FloatArray]  # <x>_j - <x>
    log_mass: FloatArray
    cumulants: list[FloatArray]  # <x>, Var x - 1, third, fourth
    variance: FloatArray


def mixture_of(components: list[Component], levels: list[FloatArray], order: int) -> Mixture:
    """The mixture of components of log weights ``log_mass + level``; flat arrays."""
    if len(components) == 1:
        one = components[0]
        ones, zero = np.ones_like(one.mean), np.zeros_like(one.mean)
        cumulants = [one.mean, one.excess, one.third, one.fourth]
        return Mixture(components, [ones], [zero], one.log_mass + levels[0], cumulants, one.variance)
    logs = [one.log_mass + level for one, level in zip(components, levels, strict=True)]
    best, pivot = logs[0], components[0].mean
    index = np.zeros(best.shape, dtype=np.intp)
    for j in range(1, len(logs)):
        better = logs[j] > best
        best = np.where(better, logs[j], best)
        pivot = np.where(better, components[j].mean, pivot)
        index = np.where(better, j, index)
    base = np.where(np.isneginf(best), 0.0, best)
    p = [np.exp(log - base) for log in logs]
    rest = np.zeros_like(best)
    for j, pj in enumerate(p):
        rest += np.where(index == j, 0.0, pj)
    log_mass = best + np.log1p(rest)
    p = [pj / (1.0 + rest) for pj in p]

    def average(terms: list[FloatArray]) -> FloatArray:
        total = p[0] * terms[0]
        for pj, term in zip(p[1:], terms[1:], strict=True):
            total += pj * term
        return total

    offsets = [one.mean - pivot for one in components]
    shift = average(offsets)
    u = [offset - shift for offset in offsets]
    cumulants = [pivot + shift]
    variance = np.zeros_like(best)
    if order >= 2:
        spread = average([uj * uj for uj in u])
        mean_excess = average([one.excess for one in components])
        cumulants.append(mean_excess + spread)
        variance = average([one.variance for one in components]) + spread
    if order >= 3:
        total = average([one.third + uj * (3.0 * one.excess + uj * uj) for one, uj in zip(components, u, strict=True)])
        cumulants.append(total)
    if order >= 4:
        e = [one.excess - mean_excess for one in components]
        terms = [
            one.fourth + 4.0 * uj * one.third + 3.0 * ej * ej + 6.0 * uj * uj * ej + uj**4
            for one, uj, ej in zip(components, u, e, strict=True)
        ]
        cumulants.append(average(terms) - 3.0 * spread * spread)
    return Mixture(components, p, u, log_mass, cumulants, variance)


@dataclass
class _Problem:
    """Broadcast, flattened input."""

    shape: tuple[int, ...]
    sigma: FloatArray
    lower: list[FloatArray]
    upper: list[FloatArray]
    alpha: list[FloatArray]
    beta: list[FloatArray]
    levels: list[FloatArray]

    def mixture(self, order: int) -> Mixture:
        components = []
        for a, b, alpha, beta in zip(self.lower, self.upper, self.alpha, self.beta, strict=True):
            with np.errstate(invalid="ignore"):
                delta = (b - a) / self.sigma
            components.append(one_interval(alpha, beta, delta, order))
        return mixture_of(components, self.levels, order)


def _problem(omega: ArrayLike, variance: ArrayLike, edges: Edges, log_levels: Sequence[ArrayLike] | None) -> _Problem:
    count = len(edges)
    if count == 0:
        raise ValueError("at least one interval is needed")
    given = [0.0] * count if log_levels is None else list(log_levels)
    if len(given) != count:
        raise ValueError(f"{count} intervals but {len(given)} levels")
    arrays = np.broadcast_arrays(omega, variance, *(part for pair in edges for part in pair), *given)
    shape = arrays[0].shape
    flat = [np.array(array, dtype=np.float64).reshape(-1) for array in arrays]
    centre, sigma = flat[0], np.sqrt(flat[1])
    lower, upper = flat[2 : 2 + 2 * count : 2], flat[3 : 2 + 2 * count : 2]
    alpha = [(a - centre) / sigma for a in lower]
    beta = [(b - centre) / sigma for b in upper]
    return _Problem(shape, sigma, lower, upper, alpha, beta, flat[2 + 2 * count :])


def log_mass_derivatives(
    omega: ArrayLike,
    variance: ArrayLike,
    edges: Edges,
    log_levels: Sequence[ArrayLike] | None = None,
    order: int = 2,
) -> tuple[FloatArray, ...]:
    """Derivatives 0 to order (<= 4) with respect to omega of log sum_j exp(l_j) P(a_j < h < b_j), h ~ N(omega, V).

    Parameters: omega and variance V > 0 of any shapes that broadcast; edges, a sequence of pairs (a_j, b_j) of arrays
    or numbers, possibly infinite, of disjoint intervals; log_levels, one array or number per interval (default 0). All
    broadcast together, and the results have that shape. An interval with b_j <= a_j is empty; where all are, the value
    is -inf and the derivatives are 0. The module's docstring gives the method and the accuracy.
    """
    if not 0 <= order <= 4:
        raise ValueError(f"order must be 0 to 4, not {order}")
    problem = _problem(omega, variance, edges, log_levels)
    mixture = problem.mixture(order)
    out = [mixture.log_mass.reshape(problem.shape)]
    scale = np.ones_like(problem.sigma)
    for k in range(order):
        scale = scale / problem.sigma
        out.append((mixture.cumulants[k] * scale).reshape(problem.shape))
    return tuple(out)


@dataclass(frozen=True)
class EdgeDerivatives:
    """Derivatives of (L_0, L_1, L_2): for each interval j a tuple of three arrays of the broadcast shape."""

    lower: tuple[tuple[FloatArray, ...], ...]
    upper: tuple[tuple[FloatArray, ...], ...]
    log_level: tuple[tuple[FloatArray, ...], ...]


def edge_derivatives(
    omega: ArrayLike, variance: ArrayLike, edges: Edges, log_levels: Sequence[ArrayLike] | None = None
) -> EdgeDerivatives:
    """Derivatives of L_0, L_1, L_2 with respect to every lower edge, upper edge and log-level.

    With D_e = exp(l_j) N(e; omega, V)/Z at an edge e, and <h>, Var h those of the mixture, an upper edge gives

        D_e,   D_e (e - <h>)/V,   D_e [ ((e - <h>)/V)^2 - Var h/V^2 ],

    a lower edge minus that, and a level p_j, p_j (<h>_j - <h>)/V, p_j [ (<h>_j - <h>)^2 + Var_j h - Var h ]/V^2.
    Distances and variances are formed without cancellation, so these keep relative precision in the tails (but for
    zeros of the last bracket). Derivatives at infinite edges are 0.
    """
    problem = _problem(omega, variance, edges, log_levels)
    mixture = problem.mixture(2)
    sigma = problem.sigma

    def restore(first: FloatArray, second: FloatArray, third: FloatArray) -> tuple[FloatArray, ...]:
        parts = (first, second / sigma, third / (sigma * sigma))
        return tuple(np.asarray(part).reshape(problem.shape) for part in parts)

    lower: list[tuple[FloatArray, ...]] = []
    upper: list[tuple[FloatArray, ...]] = []
    level: list[tuple[FloatArray, ...]] = []
    for j, own in enumerate(mixture.components):
        p, u = mixture.p[j], mixture.deviations[j]
        for edge, distance, signed_density, out in (
            (problem.alpha[j], -own.above, -own.at_lower, lower),
            (problem.beta[j], own.below, own.at_upper, upper),
        ):
            finite = np.isfinite(edge)
            density = np.where(finite, p * signed_density, 0.0) / sigma
            # e - <x>: the distance from the edge to its own component's mean, plus that component's deviation.
            gap = np.where(finite, distance + u, 0.0)
            out.append(restore(density, density * gap, density * (gap * gap - mixture.variance)))
        # Either difference is exact where its terms are small.
        weak = np.abs(own.excess) < 0.5
        change = np.where(weak, own.excess - mixture.cumulants[1], own.variance - mixture.variance)
        level.append(restore(p, p * u, p * (u * u + change)))
    return EdgeDerivatives(tuple(lower), tuple(upper), tuple(level))
