"""Piecewise quadratic log-weights averaged over a Gaussian: log Z = log E exp(c_j - A_j h^2/2 - B_j h), h ~ N(omega, V).

On each piece (a, b) the product of weight and density is a Gaussian again, of gain g = 1 + A V, mean m = (omega - B V)/g
and variance W = V/g, so that its mass is that of an interval:

    Z_j = exp(c - log(g)/2 - (A omega^2 + 2 B omega - B^2 V)/(2 g))  P(a < h < b),   h ~ N(m, W).

Where m lies outside the piece (a steep loss at low temperature) exponent and mass nearly cancel. There the same number is
taken from the near edge, with x = (a - m)/sqrt(W) > 0 and the density there relative to the mass, G(x)/P:

    Z_j = f(a) G((a - omega)/sqrt(V)) / (sqrt(g) G(x)/P),    <h> = a + sqrt(W) <x - (a - m)/sqrt(W)>.

The pieces are then a mixture, as in :mod:`spinodal.numeric.interval`: the law of total cumulance gives the derivatives.

Accuracy: L_0 to L_4 have errors of a few 1e-14 times V^(-k/2) (times L_0 where that is large) at every temperature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .interval import Component, Mixture, mixture_of, one_interval

FloatArray: TypeAlias = NDArray[np.float64]
#: (c, A, B) of the piece that holds a point h.
Coefficients: TypeAlias = Callable[[FloatArray], tuple[ArrayLike, ArrayLike, ArrayLike]]

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def log_average(
    coefficients: Coefficients, omega: ArrayLike, variance: ArrayLike, splits: Sequence[ArrayLike], order: int = 2
) -> tuple[FloatArray, ...]:
    """Derivatives 0 to order (<= 4) with respect to omega of log E exp(log_f(h)), h ~ N(omega, V).

    Args:
        coefficients: (c, A, B) of log_f = c - A h^2/2 - B h on the piece that holds the points h, of the shape of the
            splits or broadcasting with it. A may be negative as long as 1 + A V > 0: elsewhere the result is nan.
        omega: the field's mean.
        variance: its variance V > 0.
        splits: where one piece ends and the next begins, in any order (at least one); they may coincide.
        order: the highest derivative.

    Returns:
        Arrays of the shape that omega, variance and splits broadcast to.

    Raises:
        ValueError: if order is not 0 to 4.
    """
    if not 0 <= order <= 4:
        raise ValueError(f"order must be 0 to 4, not {order}")
    terms = _terms(coefficients, omega, variance, splits, order)
    with np.errstate(all="ignore"):
        scale = 1.0 / np.sqrt(terms.spread)
        derivatives = (terms.mixture.cumulants[k] * scale ** (k + 1) for k in range(order))
        return (terms.mixture.log_mass.reshape(terms.shape), *(part.reshape(terms.shape) for part in derivatives))


def tilted_average(
    coefficients: Coefficients,
    function: Coefficients,
    omega: ArrayLike,
    variance: ArrayLike,
    splits: Sequence[ArrayLike],
) -> FloatArray:
    """The average of a piecewise quadratic g(h) in the measure of density exp(log_f(h)) N(h; omega, V)/Z.

    Args:
        coefficients: (c, A, B) of log_f, as for :func:`log_average`.
        function: (g_0, g_1, g_2) of g = g_0 + g_1 h + g_2 h^2 on the piece that holds the points h.
        omega: the field's mean.
        variance: its variance V > 0.
        splits: where one piece of log_f or of g ends and the next begins.

    Returns:
        An array of the shape that omega, variance and splits broadcast to; its error is a few 1e-15 of the largest of
        |g_k| <|h|^k>.
    """
    terms = _terms(coefficients, omega, variance, splits, 2)
    total = np.zeros_like(terms.centre)
    with np.errstate(all="ignore"):
        for point, part, share in zip(terms.points, terms.mixture.components, terms.mixture.p, strict=True):
            constant, linear, square = (_flat(value, terms.shape) for value in function(point))
            mean = terms.centre + np.sqrt(terms.spread) * part.mean
            inside = constant + mean * (linear + square * mean) + square * terms.spread * part.variance
            total += np.where(share == 0.0, 0.0, share * inside)  # nan stays nan
    return total.reshape(terms.shape)


@dataclass(frozen=True, slots=True)
class _Terms:
    """A mixture of pieces, with a point on each, for flat arrays of means and variances of the field."""

    shape: tuple[int, ...]
    points: list[FloatArray]
    centre: FloatArray
    spread: FloatArray
    mixture: Mixture


def _terms(
    coefficients: Coefficients, omega: ArrayLike, variance: ArrayLike, splits: Sequence[ArrayLike], order: int
) -> _Terms:
    given = [np.asarray(split, dtype=np.float64) for split in splits]
    shape = np.broadcast_shapes(np.shape(omega), np.shape(variance), *(split.shape for split in given))
    cuts = list(np.sort(np.stack(np.broadcast_arrays(*given)), axis=0))
    points = [cuts[0] - 1.0, *(0.5 * (a + b) for a, b in pairwise(cuts)), cuts[-1] + 1.0]
    infinite = np.full_like(cuts[0], np.inf)
    centre, spread = _flat(omega, shape), _flat(variance, shape)
    parts = []
    with np.errstate(all="ignore"):
        for point, lower, upper in zip(points, [-infinite, *cuts], [*cuts, infinite], strict=True):
            c, curvature, slope = (_flat(part, shape) for part in coefficients(point))
            parts.append(_piece(c, curvature, slope, _flat(lower, shape), _flat(upper, shape), centre, spread, order))
        return _Terms(shape, points, centre, spread, mixture_of(parts, [np.zeros_like(centre)] * len(parts), order))


def _flat(values: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    return np.array(np.broadcast_to(np.asarray(values, dtype=np.float64), shape)).reshape(-1)


def _piece(
    c: FloatArray,
    curvature: FloatArray,
    slope: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    omega: FloatArray,
    variance: FloatArray,
    order: int,
) -> Component:
    """The mass of one piece, and its cumulants of (h - omega)/sqrt(V); flat arrays."""
    gain = 1.0 + curvature * variance
    gain = np.where(gain > 0.0, gain, np.nan)
    deviation = np.sqrt(variance / gain)

    def from_mean(edge: FloatArray) -> FloatArray:
        pull = np.where(np.isinf(edge), 0.0, curvature * edge + slope)  # of the weight, at the edge
        return (edge - omega + variance * pull) / (gain * deviation)

    def at_edge(edge: FloatArray, density: FloatArray) -> FloatArray:
        log_weight = c - edge * (0.5 * curvature * edge + slope)
        return log_weight - 0.5 * (edge - omega) ** 2 / variance - _HALF_LOG_2PI - np.log(density)

    alpha, beta = from_mean(lower), from_mean(upper)
    part = one_interval(alpha, beta, (upper - lower) / deviation, order)
    above, below = alpha >= 0.0, beta <= 0.0  # the whole piece lies above or below the Gaussian's mean
    shift = -(curvature * omega + slope) * variance / gain
    exponent = c - (omega * (0.5 * curvature * omega + slope) - 0.5 * slope * slope * variance) / gain
    log_mass = np.select(
        [np.isneginf(part.log_mass), above, below],
        [part.log_mass, at_edge(lower, part.at_lower), at_edge(upper, part.at_upper)],
        exponent + part.log_mass,
    )
    mean = np.select(
        [above, below],
        [lower - omega + deviation * part.above, upper - omega - deviation * part.below],
        shift + deviation * part.mean,
    )
    part.log_mass = log_mass - 0.5 * np.log(gain)
    part.mean = mean / np.sqrt(variance)
    part.excess = (part.excess - curvature * variance) / gain
    part.variance = part.variance / gain
    part.third = part.third / gain**1.5
    part.fourth = part.fourth / gain**2
    return part
