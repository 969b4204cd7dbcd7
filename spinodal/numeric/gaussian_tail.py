"""The Gaussian tail ``H``, its logarithm and the derivatives of that, with stable tails.

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

import functools
import math
import threading
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.float64]
_Parts: TypeAlias = tuple[FloatArray, ...]

_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_BLOCK = 8000  # elements per pass: the working set stays in the second-level cache
_PRODUCT = 240_000  # multiplications in one matrix product: BLAS starts threads for larger ones, which cost far more
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


class _Fits:
    """Rational functions of a >= 0, evaluated together.

    Each polynomial is cut into pieces of ``width`` coefficients, so that it is a polynomial in a^width whose coefficients
    are short polynomials in a. All the pieces come from one small matrix product with the rows (1, a, a^2, ...), which is
    a few times faster than Horner's rule in numpy. Wide rows need the fewest calls, narrow ones the least arithmetic.
    """

    def __init__(self, width: int, fits: Sequence[tuple[Sequence[float], Sequence[float]]]) -> None:
        self.width = width
        pieces: list[FloatArray] = []
        self.rows: list[range] = []
        for part in (part for fit in fits for part in fit):
            count = -(-len(part) // width)
            matrix = np.zeros((count, width))
            matrix.flat[: len(part)] = part
            self.rows.append(range(sum(map(len, pieces)), sum(map(len, pieces)) + count))
            pieces.append(matrix)
        self.matrix = np.concatenate(pieces)
        self.size = width + len(self.matrix)

    def __call__(self, a: FloatArray, square: FloatArray) -> list[FloatArray]:
        """The values, in memory that the next call in this thread overwrites."""
        space = _workspace(self.size, a.size)
        powers, pieces = space[: self.width], space[self.width :]
        powers[0] = 1.0
        powers[1] = a
        known, highest = 2, square  # rows so far, and the power that comes next
        while known < self.width:
            more = min(known, self.width - known)
            np.multiply(highest, powers[:more], out=powers[known : known + more])
            known += more
            highest = powers[known // 2] * powers[known - known // 2]
        block = _PRODUCT // self.matrix.size
        for start in range(0, a.size, block):
            part = slice(start, start + block)
            np.matmul(self.matrix, powers[:, part], out=pieces[:, part])
        values = []
        for rows in self.rows:
            value = pieces[rows[-1]]
            for k in rows[-2::-1]:
                value *= highest
                value += pieces[k]
            values.append(value)
        for top, low in zip(values[::2], values[1::2], strict=True):
            top /= low
        return values[::2]


class _FewFits:
    """The same for few elements, where calls cost more than arithmetic: every polynomial is one row of the product."""

    def __init__(self, fits: Sequence[tuple[Sequence[float], Sequence[float]]]) -> None:
        self.matrix = np.zeros((2 * len(fits), 16))
        for k, (top, low) in enumerate(fits):
            self.matrix[k, : len(top)] = top
            self.matrix[len(fits) + k, : len(low)] = low

    def __call__(self, a: FloatArray, square: FloatArray) -> list[FloatArray]:
        """The values, in fresh memory."""
        powers = np.empty((16, a.size))
        powers[0] = 1.0
        powers[1] = a
        np.multiply(powers[:2], square, out=powers[2:4])
        factor = square * square
        np.multiply(powers[:4], factor, out=powers[4:8])
        factor *= factor
        np.multiply(powers[:8], factor, out=powers[8:])
        values = np.dot(self.matrix, powers)
        count = len(values) // 2
        return list(np.divide(values[:count], values[count:], out=values[:count]))


_D, _E, _F = (_D_TOP, _D_LOW), (_E_TOP, _E_LOW), (_F_TOP, _F_LOW)
_NARROW = {count: _Fits(width, (_D, _E, _F)[:count]) for count, width in ((1, 6), (2, 8), (3, 8))}
_WIDE = {count: _FewFits((_D, _E, _F)[:count]) for count in (1, 2, 3)}
_FEW = 600  # elements up to which calls cost more than arithmetic
_ASYMPTOTIC = ((1.0, 1), (2.0, 4), (-6.0, 5))  # D, E and F at the largest arguments: coefficient and power of 1/x


class _Space(threading.local):
    """Work space of a thread: fresh memory of this size would be mapped, cleared and unmapped by every call."""

    def __init__(self) -> None:
        self.memory = np.empty(max(fits.size for fits in _NARROW.values()) * _BLOCK)


_SPACE = _Space()

# glibc gives memory back to the system as soon as twice the largest mapped piece that was ever freed lies unused at the end
# of the heap, and every pass would then begin with page faults. Freeing 8 MiB once (never touched) ends that.
np.empty(1 << 20)


def _workspace(rows: int, columns: int) -> FloatArray:
    if rows * columns > _SPACE.memory.size:
        _SPACE.memory = np.empty(rows * columns)
    return _SPACE.memory[: rows * columns].reshape(rows, columns)


class _Block:
    """The Gaussian tail on one flat block: everything the public functions combine.

    ``fits`` says how many of D, E, F will be needed; E and F only where x >= 0.
    """

    def __init__(self, x: FloatArray, fits: int = 1) -> None:
        a = np.abs(x)
        self.x = x
        self.true_a = a
        huge: NDArray[np.bool_] | None = None
        if not np.maximum.reduce(a, initial=0.0) <= _HUGE:  # also when it is nan
            huge = a > _HUGE
            a = np.minimum(a, _HUGE)
        self.huge = huge
        self.square = a * a
        # On the positive half line, for |x|: D, Mills = |x| + D.
        self.fitted = (_WIDE if a.size <= _FEW else _NARROW)[fits](a, self.square)
        if huge is not None:
            _asymptote(self.fitted, _ASYMPTOTIC, self.true_a, huge)
        self.d_plus = self.fitted[0]
        self.m_plus = self.true_a + self.d_plus
        self.negative = x < 0.0
        self.some_negative = bool(np.logical_or.reduce(self.negative))

    def density(self, out: FloatArray | None = None) -> FloatArray:
        """G(x); exp underflows to zero quietly."""
        g: FloatArray = np.multiply(self.square, -0.5, out=out)
        np.exp(g, out=g)
        g *= _INV_SQRT_2PI
        return g

    def mills(self) -> tuple[FloatArray, FloatArray]:
        """Mills(x) and Mills(x) - x, overwriting their values for |x|."""
        m, d = self.m_plus, self.d_plus
        if self.some_negative:
            g = self.density()
            rest = g / m
            np.subtract(1.0, rest, out=rest)
            g /= rest
            np.copyto(m, g, where=self.negative)
            g += self.true_a
            np.copyto(d, g, where=self.negative)
        return m, d

    def tail_and_density(self, h: FloatArray, g: FloatArray) -> None:
        """H(x) and G(x)."""
        self.density(g)
        np.divide(g, self.m_plus, out=h)
        if self.some_negative:  # 1 - H(|x|) there: the absolute value of H(|x|) - 1, and of H(|x|) - 0 elsewhere
            h -= self.negative
            np.abs(h, out=h)

    def log_tail(self, out: FloatArray) -> None:
        """Log H(x)."""
        np.log(self.m_plus, out=out)
        out += _HALF_LOG_2PI
        half = self.true_a * 0.5
        with np.errstate(over="ignore"):
            half *= self.true_a
        out += half
        np.negative(out, out=out)
        if self.some_negative:
            h = self.density()
            h /= self.m_plus
            np.negative(h, out=h)
            np.copyto(out, np.log1p(h, out=h), where=self.negative)

    def derivatives(self, out: Sequence[FloatArray]) -> None:
        """Derivatives 1, 2, ... of log H; log_tail is not to be called afterwards."""
        order = len(out)
        m, d = self.mills()
        minus_m = np.negative(m, out=out[0])
        if order == 1:
            return
        if self.huge is not None:  # keep 0 * inf out of the products; they are saturated long before
            m, d = np.minimum(m, 1e300), np.minimum(np.maximum(d, 1e-300), _HUGE)
            minus_m = -m
        np.multiply(minus_m, d, out=out[1])
        if order == 2:
            return
        forms = self.fitted[1:]
        if self.some_negative:
            # Below zero M is small and D = M + |x|, so the defining forms do not cancel.
            x = self.x if self.huge is None else np.minimum(np.maximum(self.x, -_HUGE), _HUGE)
            e, f = d * d, x * d
            e *= 2.0
            e += f
            if order >= 4:  # (4 D + x)(M D - 1) + D (E + 1)
                np.multiply(e, d, out=f)
                factor = d * 4.0
                factor += x
                f -= factor
                factor *= out[1]
                f -= factor
            e -= 1.0
            fitted, forms = forms, [e, f][: order - 2]
            for form, fit in zip(forms, fitted, strict=False):  # none were fitted if all of x is below zero
                np.copyto(form, fit, where=np.logical_not(self.negative))
        for form, result in zip(forms, out[2:], strict=True):
            np.multiply(minus_m, form, out=result)


def _asymptote(
    fitted: Sequence[FloatArray], terms: Sequence[tuple[float, int]], a: FloatArray, huge: NDArray[np.bool_]
) -> None:
    for value, (lead, decay) in zip(fitted, terms, strict=False):
        value[huge] = lead * (1.0 / a[huge]) ** decay


def _by_blocks(x: ArrayLike, count: int, function: Callable[[_Block, list[FloatArray]], None], fits: int = 1) -> _Parts:
    """Let a function of a block fill ``count`` arrays of the shape of x, in cache-sized blocks."""
    array = np.asarray(x, dtype=np.float64)
    flat = array.reshape(-1)
    results = [np.empty(flat.size) for _ in range(count)]
    size = _BLOCK if fits == 1 else 2 * _BLOCK  # for both sides of zero
    for start in range(0, flat.size, size):
        block = slice(start, start + size)
        part = flat[block], [result[block] for result in results]
        if fits == 1 or part[0].size <= _FEW:
            function(_Block(part[0], fits), part[1])
        else:
            _by_sides(*part, function, fits)
    return tuple(result.reshape(array.shape) for result in results)


def _by_sides(x: FloatArray, out: list[FloatArray], function: Callable[[_Block, list[FloatArray]], None], fits: int) -> None:
    """The same for one block with each side of zero gathered, so that it pays for its own formulas only."""
    negative = x < 0.0
    left = np.flatnonzero(negative)
    if left.size == 0:
        function(_Block(x, fits), out)
        return
    space = np.empty((len(out), x.size))
    for side, needed in ((left, 1), (np.flatnonzero(np.logical_not(negative)), fits)):
        if side.size:
            part = list(space[:, : side.size])
            function(_Block(x[side], needed), part)
            for result, values in zip(out, part, strict=True):
                result[side] = values


def gaussian(x: ArrayLike) -> FloatArray:
    """G(x), the standard Gaussian density. Relative error about x^2 eps/2, from rounding the exponent.

    >>> f"{gaussian(0.0):.15f}"
    '0.398942280401433'
    """
    array = np.asarray(x, dtype=np.float64)
    value = np.asarray(np.minimum(np.abs(array), _HUGE))
    value *= value
    value *= -0.5
    np.exp(value, out=value)
    value *= _INV_SQRT_2PI
    return value


def log_gaussian(x: ArrayLike) -> FloatArray:
    """Log G(x), the logarithm of the standard Gaussian density, for |x| below 1e154."""
    array = np.asarray(x, dtype=np.float64)
    return np.asarray(-0.5 * array * array - _HALF_LOG_2PI)


@functools.cache
def _scipy(name: str) -> Callable[..., FloatArray]:
    """A function of scipy.special, loaded when it is first needed: it takes longer to load than a cached solver."""
    import scipy.special

    function: Callable[..., FloatArray] = getattr(scipy.special, name)
    return function


def erf(x: ArrayLike) -> FloatArray:
    """The error function, for formulas that name it."""
    return np.asarray(_scipy("erf")(np.asarray(x, dtype=np.float64)))


def erfc(x: ArrayLike) -> FloatArray:
    """The complementary error function, 2 H(sqrt(2) x)."""
    return np.asarray(_scipy("erfc")(np.asarray(x, dtype=np.float64)))


def erfinv(x: ArrayLike) -> FloatArray:
    """The inverse of the error function, nan outside [-1, 1]."""
    return np.asarray(_scipy("erfinv")(np.asarray(x, dtype=np.float64)))


def erfcinv(x: ArrayLike) -> FloatArray:
    """The inverse of the complementary error function, nan outside [0, 2]."""
    return np.asarray(_scipy("erfcinv")(np.asarray(x, dtype=np.float64)))


def gaussian_tail(x: ArrayLike) -> FloatArray:
    """H(x) = erfc(x/sqrt 2)/2, relative error about (1 + x^2) eps for x > 0 and eps for x < 0.

    >>> f"{gaussian_tail(0.0):.3f} {gaussian_tail(10.0):.6e}"
    '0.500 7.619853e-24'
    """
    value = np.multiply(x, math.sqrt(0.5), dtype=np.float64)
    value = np.asarray(_scipy("erfc")(value))
    value *= 0.5
    return value


def gaussian_tail_and_density(x: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """The pair (H(x), G(x)); for large arrays at the price of the first."""
    array = np.asarray(x, dtype=np.float64)
    if array.size <= _FEW:
        return gaussian_tail(array), gaussian(array)
    h, g = _by_blocks(array, 2, lambda tail, out: tail.tail_and_density(out[0], out[1]))
    return h, g


def log_gaussian_tail(x: ArrayLike) -> FloatArray:
    """Log H(x), relative error a few eps on both sides (for x << 0 it is -H(-x), whose exponent is rounded).

    >>> f"{log_gaussian_tail(40.0):.10f}"  # H(40) itself underflows
    '-804.6084420138'
    """
    return _by_blocks(x, 1, lambda tail, out: tail.log_tail(out[0]))[0]


def mills(x: ArrayLike) -> FloatArray:
    """Mills(x) = G(x)/H(x), relative error a few eps for x > 0 and about x^2 eps/2 for x < 0.

    >>> f"{mills(0.0):.12f}"  # sqrt(2/pi)
    '0.797884560803'
    """
    return mills_family(x)[0]


def mills_minus_x(x: ArrayLike) -> FloatArray:
    """Mills(x) - x, relative error a few eps everywhere (it decays as 1/x).

    >>> f"{mills_minus_x(1e8):.10e}"
    '1.0000000000e-08'
    """
    return mills_family(x)[1]


def mills_family(x: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """The pair (Mills(x), Mills(x) - x) at the price of one of them."""

    def fill(tail: _Block, out: list[FloatArray]) -> None:
        out[0][...], out[1][...] = tail.mills()

    m, d = _by_blocks(x, 2, fill)
    return m, d


def log_tail_slopes(x: ArrayLike, order: int) -> tuple[FloatArray, ...]:
    """Derivatives 1 to order (1 <= order <= 4) of log H(x), without paying for log H itself."""
    if not 1 <= order <= 4:
        raise ValueError(f"order must be 1 to 4, not {order}")
    return _by_blocks(x, order, lambda tail, out: tail.derivatives(out), max(1, order - 1))


class _Tail:
    """The functions of log H at one array, for callers that combine several."""

    def __init__(self, x: FloatArray) -> None:
        self.x = x
        self.negative = x < 0.0

    def mills(self) -> tuple[FloatArray, FloatArray]:
        """Mills(x) and Mills(x) - x."""
        return mills_family(self.x)

    def log_tail(self) -> FloatArray:
        """Log H(x)."""
        return log_gaussian_tail(self.x)

    def derivatives(self, order: int) -> list[FloatArray]:
        """Derivatives 1 to order of log H."""
        return list(log_tail_slopes(self.x, order))


def log_tail_derivatives(x: ArrayLike, order: int) -> tuple[FloatArray, ...]:
    """Derivatives 0 to order (order <= 4) of log H(x): (log H, -M, -M (M - x), ...), each of the shape of x.

    Relative error a few eps for x > 0; below zero about x^2 eps/2 (the rounding of the exponent of M).
    """
    check_order(order)
    if order == 0:
        return (log_gaussian_tail(x),)

    def fill(tail: _Block, out: list[FloatArray]) -> None:
        tail.log_tail(out[0])
        tail.derivatives(out[1:])

    return _by_blocks(x, order + 1, fill, max(1, order - 1))


def check_order(order: int) -> None:
    """Refuse derivatives of an order beyond four."""
    if not 0 <= order <= 4:
        raise ValueError(f"order must be 0 to 4, not {order}")
