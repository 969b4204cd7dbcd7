"""Special functions with stable tails: the Gaussian tail ``H``, its logarithm, and cumulants of discrete variables.

Notation: ``G(x) = exp(-x^2/2)/sqrt(2 pi)``, ``H(x) = erfc(x/sqrt 2)/2``, ``Mills(x) = G(x)/H(x)``.

Every function is elementwise over float64 arrays of any shape (arguments broadcast) and returns arrays of the broadcast
shape. They emit no floating-point warnings, propagate nan, and accept infinities.

How the Gaussian tail is computed. Let ``D(x) = Mills(x) - x``. The derivatives of ``log H`` are

    d1 = -M,   d2 = -M D,   d3 = -M E,   d4 = -M F,     E = 2 D^2 + x D - 1,   F = (4 D + x)(M D - 1) + D (E + 1),

with ``M = x + D``. As polynomials in M they lose every digit at large x, where D ~ 1/x, E ~ 2/x^4 and F ~ -6/x^5. On
the half line x >= 0 each of D, E and F is therefore its own rational function: all coefficients have one sign, so
evaluating it loses nothing, and the leading coefficients reproduce the asymptotic series. The fits are interpolants at
Chebyshev points of t = (x - k)/(x + k), k = 4.5 for D and 4 for E and F, computed with 110 digits; their relative
errors on [0, inf) are 7.9e-17, 7.1e-17 and 3.6e-16. For x < 0 the identity H(x) = 1 - H(-x) gives M, and nothing
cancels in D = M + |x|.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf as _scipy_erf
from scipy.special import erfc as _scipy_erfc

FloatArray: TypeAlias = NDArray[np.float64]

_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_BLOCK = 4096  # elements per pass: the working set stays in the second-level cache
_HUGE = 1e19  # beyond it the powers in the fits approach overflow, and the leading asymptotic term is exact

# Rational fits on x >= 0, lowest degree first: D = _D_TOP/_D_LOW and so on.
_D_TOP = (
    *(
        4166260.7266518706,
        6026470.712627634,
        4397264.625290873,
        2090024.5049398232,
        709280.9981480722,
        178623.35070039783,
    ),
    *(33745.16555538399, 4728.073009214359, 472.3583806461414, 30.664624246797146, 1.0),
)
_D_LOW = (
    *(5221633.468455139, 9931147.261496771, 9320713.736134702, 5632778.086488119, 2420190.784034341, 773979.1760680657),
    *(187895.50903137642, 34683.88231592008, 4789.402257713798, 474.35838064611846, 30.66462424679718, 1.0),
)
_E_TOP = (
    *(45179975.53454333, 50641861.74708753, 29287029.05816432, 11245281.910933074, 3138310.75616791, 661203.5712975903),
    *(106289.72181316039, 12891.678324359702, 1135.3352770315637, 66.31845092570734, 2.0),
)
_E_LOW = (
    *(165349329.57209396, 404314570.15461254, 492182781.79381675, 391954836.0355579, 226956329.34716725),
    *(100787408.17683356, 35353924.19657101, 9952216.904144818, 2262489.2231743173, 414530.33194854343),
    *(60528.54020409985, 6876.909093217847, 580.6676385157117, 33.159225462853755, 1.0),
)
_F_TOP = (
    *(-18588050.349532638, -37434838.97134622, -28723711.793947123, -13271617.006846659, -4263609.052432598),
    *(-1012013.7130124891, -181659.36008798677, -24605.51497666813, -2441.2560149723017, -163.85288520317204, -6.0),
)
_F_LOW = (
    *(129223928.30524457, 358355846.29958934, 497073677.2026247, 453824128.33914685, 303558456.41642904),
    *(157159802.86903983, 64986799.48848825, 21859672.922693975, 6039290.4151002485, 1374312.8635343092),
    *(256645.25352977903, 38888.956071479246, 4674.404260961902, 427.876002495469, 27.308814200528573, 1.0),
)


class _Rational:
    """A rational function of a >= 0, evaluated by blocks of four powers.

    Numerator and denominator are polynomials in a^4 whose coefficients are cubics in a. All the cubics come from one
    small matrix product with the rows (1, a, a^2, a^3), which is about twice as fast as Horner's rule in numpy.
    """

    def __init__(self, top: Sequence[float], low: Sequence[float]) -> None:
        self.blocks = [-(-len(part) // 4) for part in (top, low)]
        self.matrix = np.zeros((sum(self.blocks), 4))
        self.matrix[: self.blocks[0]].flat[: len(top)] = top
        self.matrix[self.blocks[0] :].flat[: len(low)] = low
        self.decay = len(low) - len(top)
        self.lead = top[-1] / low[-1]

    def __call__(self, powers: FloatArray, fourth: FloatArray) -> FloatArray:
        cubics: FloatArray = self.matrix @ powers
        split = self.blocks[0]
        top: FloatArray = cubics[split - 1]
        low: FloatArray = cubics[-1]
        for row in cubics[split - 2 :: -1]:
            top *= fourth
            top += row
        for row in cubics[-2 : split - 1 : -1]:
            low *= fourth
            low += row
        top /= low
        return top


_FIT_D = _Rational(_D_TOP, _D_LOW)
_FIT_E = _Rational(_E_TOP, _E_LOW)
_FIT_F = _Rational(_F_TOP, _F_LOW)


class _Tail:
    """The Gaussian tail on one flat block: everything the public functions combine."""

    def __init__(self, x: FloatArray) -> None:
        a = np.abs(x)
        self.x = x
        self.huge: NDArray[np.bool_] | None = None
        self.true_a = a
        if a.size and not a.max() <= _HUGE:  # also when it is nan
            self.huge = a > _HUGE
            a = np.minimum(a, _HUGE)
        self.a = a
        powers = np.empty((4, a.size))
        powers[0] = 1.0
        powers[1] = a
        np.multiply(a, a, out=powers[2])
        np.multiply(powers[2], a, out=powers[3])
        self.powers = powers
        self.fourth = powers[2] * powers[2]
        # On the positive half line, for |x|: D, Mills = |x| + D.
        self.d_plus = self._fit(_FIT_D)
        self.m_plus = self.true_a + self.d_plus
        self.negative = x < 0.0
        self.some_negative = bool(self.negative.any())

    def _fit(self, fit: _Rational) -> FloatArray:
        value = fit(self.powers, self.fourth)
        if self.huge is not None:
            value[self.huge] = fit.lead * (1.0 / self.true_a[self.huge]) ** fit.decay
        return value

    def density(self) -> FloatArray:
        """G(x); exp underflows to zero quietly."""
        g: FloatArray = self.powers[2] * -0.5
        np.exp(g, out=g)
        g *= _INV_SQRT_2PI
        return g

    def upper(self) -> FloatArray:
        """H(|x|)."""
        g = self.density()
        g /= self.m_plus
        return g

    def mills(self) -> tuple[FloatArray, FloatArray]:
        """Mills(x) and Mills(x) - x."""
        if not self.some_negative:
            return self.m_plus, self.d_plus
        g = self.density()
        m = np.where(self.negative, g / (1.0 - g / self.m_plus), self.m_plus)
        d = np.where(self.negative, m + self.true_a, self.d_plus)
        return m, d

    def tail(self) -> FloatArray:
        """H(x)."""
        h = self.upper()
        if self.some_negative:
            h = np.where(self.negative, 1.0 - h, h)
        return h

    def log_tail(self) -> FloatArray:
        """Log H(x)."""
        value = np.log(self.m_plus)
        value += _HALF_LOG_2PI
        half = self.true_a * 0.5
        with np.errstate(over="ignore"):
            half *= self.true_a
        value += half
        np.negative(value, out=value)
        if self.some_negative:
            value = np.where(self.negative, np.log1p(-self.upper()), value)
        return value

    def derivatives(self, order: int) -> list[FloatArray]:
        """Derivatives 1 to order of log H."""
        m, d = self.mills()
        out = [-m]
        if self.huge is not None:  # keep 0 * inf out of the products; they are saturated long before
            m, d = np.minimum(m, 1e300), np.minimum(np.maximum(d, 1e-300), _HUGE)
        if order >= 2:
            out.append(-m * d)
        if order >= 3:
            # Below zero M is small and D = M + |x|, so the defining forms do not cancel; above zero the fits take over.
            e = self._fit(_FIT_E)
            f = self._fit(_FIT_F) if order >= 4 else e
            if self.some_negative:
                x = np.minimum(np.maximum(self.x, -_HUGE), 0.0)
                mn = np.minimum(m, 1.0)  # Mills(0) < 1: only what is discarded changes
                slope = mn * d - 1.0
                en = d * d + (d * d + x * d - 1.0)
                if order >= 4:
                    f = np.where(self.negative, (4.0 * d + x) * slope + d * (en + 1.0), f)
                e = np.where(self.negative, en, e)
            out.append(-m * e)
            if order >= 4:
                out.append(-m * f)
        return out


def _by_blocks(x: ArrayLike, count: int, function: Callable[[_Tail], Sequence[FloatArray]]) -> tuple[FloatArray, ...]:
    """Apply a function of a block to x, in cache-sized blocks, and restore the shape."""
    array = np.asarray(x, dtype=np.float64)
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.size <= _BLOCK:
        return tuple(part.reshape(array.shape) for part in function(_Tail(flat)))
    result = np.empty((count, flat.size))
    for start in range(0, flat.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        for row, part in zip(result, function(_Tail(flat[block])), strict=True):
            row[block] = part
    return tuple(row.reshape(array.shape) for row in result)


def gaussian(x: ArrayLike) -> FloatArray:
    """G(x), the standard Gaussian density. Relative error about x^2 eps/2, from rounding the exponent."""
    array = np.asarray(x, dtype=np.float64)
    with np.errstate(over="ignore"):
        value = array * array
    value *= -0.5
    return np.asarray(_INV_SQRT_2PI * np.exp(value))


def erf(x: ArrayLike) -> FloatArray:
    """The error function, for formulas that name it."""
    return np.asarray(_scipy_erf(np.asarray(x, dtype=np.float64)))


def erfc(x: ArrayLike) -> FloatArray:
    """The complementary error function, 2 H(sqrt(2) x)."""
    return np.asarray(_scipy_erfc(np.asarray(x, dtype=np.float64)))


def gaussian_tail(x: ArrayLike) -> FloatArray:
    """H(x) = erfc(x/sqrt 2)/2, relative error about (1 + x^2/2) eps for x > 0 and eps for x < 0."""
    return _by_blocks(x, 1, lambda tail: (tail.tail(),))[0]


def log_gaussian_tail(x: ArrayLike) -> FloatArray:
    """Log H(x), relative error a few eps on both sides (for x << 0 it is -H(-x), whose exponent is rounded)."""
    return _by_blocks(x, 1, lambda tail: (tail.log_tail(),))[0]


def mills(x: ArrayLike) -> FloatArray:
    """Mills(x) = G(x)/H(x), relative error a few eps for x > 0 and about x^2 eps/2 for x < 0."""
    return _by_blocks(x, 1, lambda tail: tail.mills()[:1])[0]


def mills_minus_x(x: ArrayLike) -> FloatArray:
    """Mills(x) - x, relative error a few eps everywhere (it decays as 1/x)."""
    return _by_blocks(x, 1, lambda tail: tail.mills()[1:])[0]


def mills_family(x: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """The pair (Mills(x), Mills(x) - x) at the price of one of them."""
    m, d = _by_blocks(x, 2, lambda tail: tail.mills())
    return m, d


def log_tail_slopes(x: ArrayLike, order: int) -> tuple[FloatArray, ...]:
    """Derivatives 1 to order (1 <= order <= 4) of log H(x), without paying for log H itself."""
    if not 1 <= order <= 4:
        raise ValueError(f"order must be 1 to 4, not {order}")
    return _by_blocks(x, order, lambda tail: tail.derivatives(order))


def log_tail_derivatives(x: ArrayLike, order: int) -> tuple[FloatArray, ...]:
    """Derivatives 0 to order (order <= 4) of log H(x): (log H, -M, -M (M - x), ...), each of the shape of x.

    Relative error a few eps for x > 0; below zero about x^2 eps/2 (the rounding of the exponent of M).
    """
    _check_order(order)
    if order == 0:
        return (log_gaussian_tail(x),)
    return _by_blocks(x, order + 1, lambda tail: (tail.log_tail(), *tail.derivatives(order)))


def _check_order(order: int) -> None:
    if not 0 <= order <= 4:
        raise ValueError(f"order must be 0 to 4, not {order}")


# ----------------------------------------------------------------------------------------------------------------------
# Cumulants of discrete variables


def log_two_cosh(h: ArrayLike) -> FloatArray:
    """log(2 cosh h), without overflow."""
    a = np.abs(np.asarray(h, dtype=np.float64))
    return np.asarray(a + np.log1p(np.exp(-2.0 * a)))


def sech2(h: ArrayLike) -> FloatArray:
    """1/cosh(h)^2 = 1 - tanh(h)^2, to relative precision until it underflows near |h| = 372."""
    e = np.exp(-2.0 * np.abs(np.asarray(h, dtype=np.float64)))
    return np.asarray(4.0 * e / np.square(1.0 + e))


def log1p_exp(x: ArrayLike) -> FloatArray:
    """log(1 + exp(x)), to relative precision on both sides."""
    array = np.asarray(x, dtype=np.float64)
    return np.asarray(np.maximum(array, 0.0) + np.log1p(np.exp(-np.abs(array))))


def binary_cumulants(h: ArrayLike, order: int) -> tuple[FloatArray, ...]:
    """Derivatives 0 to order (order <= 4) of log(2 cosh h); the even ones keep relative precision in the tails."""
    _check_order(order)
    array = np.asarray(h, dtype=np.float64)
    a = np.abs(array)
    e = np.exp(-2.0 * a)
    out = [np.asarray(a + np.log1p(e))]
    if order >= 1:
        t = np.asarray(np.tanh(array))
        out.append(t)
    if order >= 2:
        s = np.asarray(4.0 * e / np.square(1.0 + e))
        out.append(s)
    if order >= 3:
        out.append(np.asarray(-2.0 * t * s))
    if order >= 4:
        out.append(np.asarray(s * (4.0 - 6.0 * s)))
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
    _check_order(order)
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
