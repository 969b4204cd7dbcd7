"""Cumulants of discrete variables under a field: log 2cosh, log(1 + e^x), and any set of values with weights.

Every function is elementwise over float64 arrays of any shape (arguments broadcast), emits no floating-point warnings and
propagates nan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .gaussian_tail import check_order

FloatArray: TypeAlias = NDArray[np.float64]
_NEAR_ZERO = 0.25  # beyond it the hyperbolic tangent loses less than two bits to 1 - exp(-2|h|)


def log_two_cosh(h: ArrayLike) -> FloatArray:
    """log(2 cosh h), without overflow.

    >>> float(log_two_cosh(1000.0))
    1000.0
    """
    a = np.abs(np.asarray(h, dtype=np.float64))
    return np.asarray(a + np.log1p(np.exp(-2.0 * a)))


def log_sum(factors: Sequence[ArrayLike], exponents: Sequence[ArrayLike]) -> FloatArray:
    """Log of the sum of f e^w over terms, without overflow; all broadcast. A sum that vanishes has -inf, a negative one nan.

    >>> round(float(log_sum([0.5, 0.5], [-1000.0, -1001.0])), 6)
    -1000.379885
    """
    arrays = np.broadcast_arrays(*(np.asarray(part, dtype=np.float64) for part in (*factors, *exponents)))
    f, w = np.stack(arrays[: len(factors)]), np.stack(arrays[len(factors) :])
    with np.errstate(all="ignore"):
        top = np.where(f == 0.0, -np.inf, w).max(0)
        top = np.where(np.isfinite(top), top, 0.0)
        return np.asarray(top + np.log((f * np.exp(w - top)).sum(0)))


def sech2(h: ArrayLike) -> FloatArray:
    """1/cosh(h)^2 = 1 - tanh(h)^2, to relative precision until it underflows near |h| = 372.

    >>> f"{sech2(20.0):.10e}"  # 4 exp(-40)
    '1.6993417021e-17'
    """
    e = np.atleast_1d(np.abs(np.asarray(h, dtype=np.float64)))
    e *= -2.0
    np.exp(e, out=e)
    rest = e + 1.0
    rest *= rest
    e *= 4.0
    e /= rest
    return e.reshape(np.shape(h))


def _tanh_and_sech2(h: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both, to relative precision, from one exponential: it costs most of either where numpy has no vector form of them."""
    flat = h.reshape(-1)
    e = np.abs(flat)
    near = np.flatnonzero(e < _NEAR_ZERO)  # where 1 - exp(-2|h|) would cancel
    e *= -2.0
    np.exp(e, out=e)
    rest = e + 1.0
    t = 1.0 - e
    t /= rest
    np.copysign(t, flat, out=t)
    t[near] = np.tanh(flat[near])
    e *= 4.0
    rest *= rest
    e /= rest
    return t.reshape(h.shape), e.reshape(h.shape)


def log1p_exp(x: ArrayLike) -> FloatArray:
    """log(1 + exp(x)), to relative precision on both sides."""
    array = np.asarray(x, dtype=np.float64)
    return np.asarray(np.maximum(array, 0.0) + np.log1p(np.exp(-np.abs(array))))


def binary_cumulants(h: ArrayLike, order: int) -> tuple[FloatArray, ...]:
    """Derivatives 0 to order (order <= 4) of log(2 cosh h); the even ones keep relative precision in the tails."""
    check_order(order)
    if order == 0:
        return (log_two_cosh(h),)
    return log_two_cosh(h), *binary_slopes(h, order)


def binary_slopes(h: ArrayLike, order: int) -> tuple[FloatArray, ...]:
    """Derivatives 1 to order (1 <= order <= 6) of log(2 cosh h), without paying for the logarithm.

    The fifth and sixth are needed for the derivative of a Jacobian where a Gaussian teacher smears the field.
    """
    if not 1 <= order <= 6:
        raise ValueError(f"order must be 1 to 6, not {order}")
    array = np.asarray(h, dtype=np.float64)
    if order == 1:
        return (np.asarray(np.tanh(array)),)
    t, s = _tanh_and_sech2(array)
    out = [t, s]
    if order >= 3:
        out.append(np.asarray(-2.0 * t * s))
    if order >= 4:
        out.append(np.asarray(s * (4.0 - 6.0 * s)))
    if order >= 5:
        out.append(np.asarray(-8.0 * t * s * (1.0 - 3.0 * s)))
    if order >= 6:
        out.append(np.asarray(s * (16.0 - 120.0 * s * (1.0 - s))))
    return tuple(out)


class _Tilted:
    """Normalised weights p_j ~ exp(log_weights_j + h w_j + v w_j^2/2) of values w_j, relative to the heaviest one.

    Sums run over a Python list of K arrays, which for the few values of a discrete prior is faster than a trailing
    axis. Deviations are taken from the heaviest value (the pivot), so that a distribution which is concentrated up to
    exponentially small weights keeps the relative precision of its moments.
    """

    def __init__(self, h: ArrayLike, v: ArrayLike, values: ArrayLike, log_weights: ArrayLike) -> None:
        h, v = np.asarray(h, dtype=np.float64), np.asarray(v, dtype=np.float64)
        value_array = np.asarray(values, dtype=np.float64)
        weight_array = np.asarray(log_weights, dtype=np.float64)
        count = np.broadcast_shapes(value_array.shape[-1:], weight_array.shape[-1:])[-1]
        w = [value_array[..., j % value_array.shape[-1]] for j in range(count)]
        lw = [weight_array[..., j % weight_array.shape[-1]] for j in range(count)]
        best, self.pivot, pivot_lw = lw[0] + w[0] * (h + 0.5 * v * w[0]), w[0], lw[0]
        index: NDArray[np.intp] = np.zeros(np.shape(best), dtype=np.intp)
        for j in range(1, count):
            exponent = lw[j] + w[j] * (h + 0.5 * v * w[j])
            better = exponent > best
            best = np.where(better, exponent, best)
            self.pivot = np.where(better, w[j], self.pivot)
            pivot_lw = np.where(better, lw[j], pivot_lw)
            index = np.where(better, j, index)
        self.index = index
        # Exponents relative to the pivot; factoring w_j - pivot out keeps +-1 exact at any v.
        self.deviation = [wj - self.pivot for wj in w]
        p = [
            np.exp(np.minimum(lwj - pivot_lw + dj * (h + 0.5 * v * (wj + self.pivot)), 0.0))
            for wj, lwj, dj in zip(w, lw, self.deviation, strict=True)
        ]
        # The pivot's own term is 1: leave it out of the sum so that log1p keeps what is exponentially small.
        rest = sum((np.where(index == j, 0.0, pj) for j, pj in enumerate(p)), np.zeros(np.shape(best)))
        self.log_sum = best + np.log1p(rest)
        norm = 1.0 / (1.0 + rest)
        self.p = [pj * norm for pj in p]
        self.shift = self.average(self.deviation)
        self.centred = [dj - self.shift for dj in self.deviation]

    def average(self, terms: Sequence[FloatArray]) -> FloatArray:
        total = np.asarray(self.p[0] * terms[0])
        for pj, term in zip(self.p[1:], terms[1:], strict=True):
            total = total + pj * term
        return total


def discrete_cumulants(
    h: ArrayLike, v: ArrayLike, values: ArrayLike, log_weights: ArrayLike, order: int
) -> tuple[FloatArray, ...]:
    """Derivatives 0 to order (order <= 4) with respect to h of log sum_j exp(log_weights_j + h w_j + v w_j^2/2).

    Parameters: h and v of any shapes that broadcast; values w and log_weights of shape [K], or [..., K] with leading
    axes that broadcast against h and v. log_weights may hold -inf, but not only. The result has the broadcast shape of
    h and v.

    The cumulants are central moments about the heaviest value, so an exponentially small variance keeps relative
    precision; only where a third or fourth cumulant changes sign is its error absolute. |h| and |v| up to 1e6 and
    beyond are fine: what remains is the rounding of the exponents.
    """
    check_order(order)
    if np.shape(values) == (2,) and np.shape(log_weights) == (2,) and np.all(np.isfinite(log_weights)):
        return _two_value_cumulants(h, v, values, log_weights, order)
    tilted = _Tilted(h, v, values, log_weights)
    out = [tilted.log_sum]
    if order >= 1:
        out.append(np.asarray(tilted.pivot + tilted.shift))
    c = tilted.centred
    if order >= 2:
        out.append(tilted.average([cj * cj for cj in c]))
    if order >= 3:
        out.append(tilted.average([cj * cj * cj for cj in c]))
    if order >= 4:
        out.append(tilted.average([np.square(cj * cj) for cj in c]) - 3.0 * out[2] * out[2])
    return tuple(out)


def _two_value_cumulants(
    h: ArrayLike, v: ArrayLike, values: ArrayLike, log_weights: ArrayLike, order: int
) -> tuple[FloatArray, ...]:
    """discrete_cumulants for two values: a hyperbolic tangent of half the log-odds x, four times faster."""
    field, curvature = np.asarray(h, dtype=np.float64), np.asarray(v, dtype=np.float64)
    w0, w1 = (float(w) for w in np.asarray(values, dtype=np.float64))
    l0, l1 = (float(w) for w in np.asarray(log_weights, dtype=np.float64))
    half = 0.5 * (w1 - w0)
    x = half * (field + 0.5 * (w0 + w1) * curvature) + 0.5 * (l1 - l0)
    e = np.exp(-2.0 * np.abs(x))
    upper = x > 0.0
    weight, log_weight = np.where(upper, w1, w0), np.where(upper, l1, l0)
    out = [np.asarray(log_weight + weight * (field + 0.5 * curvature * weight) + np.log1p(e))]
    if order >= 1:
        t = np.tanh(x)
        # Around zero the tangent is right; otherwise the distance from the heavier value.
        light = 2.0 * half * e / (1.0 + e)
        out.append(np.asarray(half * t if w0 + w1 == 0.0 else np.where(upper, w1 - light, w0 + light)))
    if order >= 2:
        s = 4.0 * e / np.square(1.0 + e)
        out.append(np.asarray(half**2 * s))
    if order >= 3:
        out.append(np.asarray(half**3 * (-2.0 * t * s)))
    if order >= 4:
        out.append(np.asarray(half**4 * (s * (4.0 - 6.0 * s))))
    return tuple(out)


def discrete_mean(
    h: ArrayLike, v: ArrayLike, values: ArrayLike, log_weights: ArrayLike, observable: ArrayLike, order: int = 0
) -> tuple[FloatArray, ...]:
    """Average of a per-value observable O_j under discrete_cumulants' weights, and its h-derivatives 0 to order <= 3.

    The derivatives are the joint cumulants <O; w>, <O; w; w>, <O; w; w; w>. Shapes as in discrete_cumulants; observable
    is [K] or [..., K].
    """
    if not 0 <= order <= 3:
        raise ValueError(f"order must be 0 to 3, not {order}")
    tilted = _Tilted(h, v, values, log_weights)
    array = np.asarray(observable, dtype=np.float64)
    terms = [array[..., j % array.shape[-1]] for j in range(len(tilted.p))]
    # a value without weight counts for nothing, be the observable finite there (as its own log-probability is not) or not
    absent = np.isneginf(np.asarray(log_weights, dtype=np.float64))
    terms = [np.where(absent[..., j % absent.shape[-1]], 0.0, term) for j, term in enumerate(terms)]
    base = terms[0]
    for j in range(1, len(terms)):
        base = np.where(tilted.index == j, terms[j], base)
    deviation = [term - base for term in terms]
    shift = tilted.average(deviation)
    o = [term - shift for term in deviation]
    c = tilted.centred
    out = [np.asarray(base + shift)]
    if order >= 1:
        out.append(tilted.average([oj * cj for oj, cj in zip(o, c, strict=True)]))
    if order >= 2:
        out.append(tilted.average([oj * cj * cj for oj, cj in zip(o, c, strict=True)]))
    if order >= 3:
        variance = tilted.average([cj * cj for cj in c])
        out.append(tilted.average([oj * cj * cj * cj for oj, cj in zip(o, c, strict=True)]) - 3.0 * out[1] * variance)
    return tuple(out)
