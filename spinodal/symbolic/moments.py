"""Moments of an activation under a Gaussian pre-activation: all that random features keep of it.

Gaussian equivalence (Gerace et al. 2020, Goldt et al. 2020) replaces sigma(z) by ``kappa_0 + kappa_1 z + kappa_* zeta`` with

    kappa_0 = E sigma(z),   kappa_1 = E z sigma(z),   kappa_*^2 = E sigma(z)^2 - kappa_0^2 - kappa_1^2 .
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import mpmath
import sympy as sp

from spinodal.symbolic.averages import average, planted_measure
from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.formulas import kinks, sample_points
from spinodal.symbolic.functions import Tail

_DIGITS = 30
#: Of a mean square: its square is summed with numbers of order one.
_SMALLEST = sp.Float("1e-20")
#: Distances from an edge at which panels end, and the power that integrates a pole beside it.
_CUTS, _POLE = (1, 3, 6, 12), 24


@dataclass(frozen=True, slots=True)
class Moments:
    """kappa_0, kappa_1 and kappa_*^2, and whether each came from a closed form or from quadrature."""

    mean: sp.Expr
    linear: sp.Expr
    nonlinear: sp.Expr
    method: str


def activation_moments(activation: sp.Expr, x: sp.Symbol, at: Mapping[sp.Symbol, float]) -> Moments:
    """The moments of an activation without free parameters.

    Closed forms cover piecewise products of powers, exponentials, sines and cosines (sign, relu, abs, ...) and erf(a x);
    anything else is integrated with mpmath, split where the activation is not smooth, to 25 digits.

    Raises:
        DerivationError: if the variance is zero or does not exist.
    """
    known = activation.replace(Tail, lambda y: (1 - sp.erf(y / sp.sqrt(2))) / 2)
    exact = [gaussian_expectation(f, x, at) for f in (known, x * known, known**2)]
    method = "closed form"
    if any(value is None for value in exact):
        method = "quadrature"
        activation = activation.replace(Tail, lambda y: sp.erfc(y / sp.sqrt(2)) / 2)  # log H(x) needs its tail
        exact = [_numerical_expectation(f, x, at) for f in (activation, x * activation, activation**2)]
    mean, linear, second = (sp.sympify(value) for value in exact)
    nonlinear = sp.simplify(second - mean**2 - linear**2) if method == "closed form" else second - mean**2 - linear**2
    number = sp.N(nonlinear, _DIGITS)
    if not number.is_finite:
        raise DerivationError("the activation has no finite variance", place="student.features.activation")
    size = sp.N(second, _DIGITS)
    if size != 0 and not _SMALLEST <= size <= 1 / _SMALLEST:
        raise DerivationError(
            f"the activation has a mean square of about {mpmath.nstr(mpmath.mpf(size), 2)}, beyond what is computed with",
            place="student.features.activation",
            cure="divide it by its size",
        )
    if abs(number) < 1e-20 * size:
        nonlinear = sp.Integer(0)
    if sp.N(nonlinear + linear**2) < 1e-20 * size or size == 0:
        raise DerivationError(
            "the centred activation vanishes",
            place="student.features.activation",
            cure="a constant carries no features",
        )
    return Moments(mean, linear, nonlinear, method)


def parametric_moments(activation: sp.Expr, x: sp.Symbol) -> Moments:
    """The moments of an activation with parameters: averages over x that the generated solver evaluates."""
    measure = planted_measure(((x, sp.Symbol("normal")),))
    mean, linear, second = (average(f, measure) for f in (activation, x * activation, activation**2))
    return Moments(mean, linear, second - mean**2 - linear**2, "quadrature at run time")


def gaussian_expectation(expression: sp.Expr, x: sp.Symbol, at: Mapping[sp.Symbol, float]) -> sp.Expr | None:
    """E expression(x), x ~ N(0, 1), in closed form, or None where these rules know none."""
    error_functions = [piece for piece in expression.atoms(sp.erf) if piece.has(x)]
    if error_functions:
        return _error_function_expectation(expression, x)
    edges = kinks(expression, x, at)
    if not edges:
        return _piece(expression, x, -sp.oo, sp.oo)
    if any(edge.free_symbols for edge in edges):
        return None
    bounds: list[sp.Expr] = [-sp.oo, *edges, sp.oo]
    total: sp.Expr = sp.Integer(0)
    for index, sample in enumerate(sample_points([float(edge) for edge in edges])):
        value = _piece(_smooth_branch(expression, x, sample), x, bounds[index], bounds[index + 1])
        if value is None:
            return None
        total += value
    return sp.simplify(total)


def _smooth_branch(expression: sp.Expr, x: sp.Symbol, sample: float) -> sp.Expr:
    """The smooth expression that a piecewise one equals around ``sample``."""
    for piece in sorted(expression.atoms(sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min), key=lambda p: p.count_ops()):
        if not piece.has(x):
            continue
        if isinstance(piece, (sp.Max, sp.Min)):
            choose = max if isinstance(piece, sp.Max) else min
            branch = choose(piece.args, key=lambda argument: float(argument.subs(x, sample)))
        else:
            positive = float(piece.args[0].subs(x, sample)) > 0
            if isinstance(piece, sp.Abs):
                branch = piece.args[0] if positive else -piece.args[0]
            elif isinstance(piece, sp.sign):
                branch = sp.Integer(1 if positive else -1)
            else:
                branch = sp.Integer(1 if positive else 0)
        return _smooth_branch(expression.xreplace({piece: branch}), x, sample)
    return expression


def _piece(expression: sp.Expr, x: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """E of ``x**n exp(c x)`` terms (c may be imaginary on the whole line) restricted to an interval.

    On a half-line from 0, of ``|x|**s`` with any power as well.
    """
    whole_line = low == -sp.oo and high == sp.oo
    if expression == 0:
        return sp.Integer(0)
    rewritten = expression.rewrite(sp.exp) if expression.has(sp.sin, sp.cos) else expression
    if rewritten.has(sp.I) and not whole_line:
        return None
    total: sp.Expr = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand(sp.powsimp(sp.expand(rewritten)))):
        coefficient, rest = term.as_independent(x, as_Add=False)
        power, rate, size = 0, sp.Integer(0), sp.Integer(0)
        for factor in sp.Mul.make_args(rest):
            if factor == 1:
                continue
            base, exponent = factor.as_base_exp()
            if base == x and exponent.is_Integer and exponent > 0:
                power += int(exponent)
            elif base == {(0, sp.oo): x, (-sp.oo, 0): -x}.get((low, high)) and exponent.is_Rational:
                size += exponent
            elif base == sp.E and sp.Poly(exponent, x).degree() <= 1 if exponent.is_polynomial(x) else False:
                rate += exponent.coeff(x, 1)
                coefficient *= sp.exp(exponent.coeff(x, 0))
            else:
                return None
        if size != 0:
            if rate != 0 or power + size <= -1:
                return None
            total += coefficient * (1 if low == 0 else (-1) ** power) * _half_moment(power + size)
            continue
        total += coefficient * sp.exp(rate**2 / 2) * _truncated_moment(power, rate, low - rate, high - rate)
    if total.has(sp.I):  # of a phase, cos(x + c), conjugate terms do not cancel by themselves
        total = sp.re(sp.expand(total, complex=True))
    return sp.simplify(total)


def _half_moment(power: sp.Expr) -> sp.Expr:
    """int_0^oo t^power Dt."""
    return 2 ** (power / 2) * sp.gamma((power + 1) / 2) / (2 * sp.sqrt(sp.pi))


def _truncated_moment(power: int, shift: sp.Expr, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    """int_low^high (t + shift)^power Dt by the recursion I_n = (n-1) I_(n-2) - [t^(n-1) G]."""

    def density(t: sp.Expr) -> sp.Expr:
        return sp.Integer(0) if t in (sp.oo, -sp.oo) else sp.exp(-(t**2) / 2) / sp.sqrt(2 * sp.pi)

    def cumulative(t: sp.Expr) -> sp.Expr:
        if t == sp.oo:
            return sp.Integer(1)
        return sp.Integer(0) if t == -sp.oo else sp.erfc(-t / sp.sqrt(2)) / 2

    def edge(n: int) -> sp.Expr:
        def value(t: sp.Expr) -> sp.Expr:
            return sp.Integer(0) if t in (sp.oo, -sp.oo) else t**n * density(t)

        return value(high) - value(low)

    if sp.im(shift) != 0:  # the whole line: the contour may be moved back to the real axis
        low, high = -sp.oo, sp.oo
    moments = [cumulative(high) - cumulative(low), density(low) - density(high)]
    for n in range(2, power + 1):
        moments.append((n - 1) * moments[n - 2] - edge(n - 1))
    return sp.Add(*(sp.binomial(power, k) * shift ** (power - k) * moments[k] for k in range(power + 1)))


def _error_function_expectation(expression: sp.Expr, x: sp.Symbol) -> sp.Expr | None:
    """The moments of erf(a x) needed here (Williams 1998): odd first moments and E erf(a x) erf(b x)."""
    total: sp.Expr = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand(expression)):
        coefficient, rest = term.as_independent(x, as_Add=False)
        rates: list[sp.Expr] = []
        power = 0
        for factor in sp.Mul.make_args(rest):
            base, exponent = factor.as_base_exp()
            if isinstance(base, sp.erf) and exponent.is_Integer and exponent > 0:
                slope = sp.cancel(base.args[0] / x)
                if slope.has(x):
                    return None
                rates.extend([slope] * int(exponent))
            elif base == x and exponent.is_Integer and exponent > 0:
                power += int(exponent)
            elif factor != 1:
                return None
        if (len(rates) + power) % 2:
            continue
        if not rates:
            total += coefficient * sp.factorial2(power - 1) if power else coefficient
        elif len(rates) == 1 and power == 1:
            total += coefficient * 2 * rates[0] / sp.sqrt(sp.pi * (1 + 2 * rates[0] ** 2))
        elif len(rates) == 2 and power == 0:
            a, b = rates
            argument = 2 * a * b / sp.sqrt((1 + 2 * a**2) * (1 + 2 * b**2))
            total += coefficient * 2 * sp.asin(argument) / sp.pi
        else:
            return None
    return total


def _numerical_expectation(expression: sp.Expr, x: sp.Symbol, at: Mapping[sp.Symbol, float]) -> sp.Expr:
    weighted = sp.lambdify(x, expression * sp.exp(-(x**2) / 2), "mpmath")
    if max(abs(weighted(mpmath.mpf(end))) for end in (-38, 38)) > 1e-30:
        raise DerivationError(
            f"the moment E[{expression}] does not exist: the integrand does not decay",
            place="student.features.activation",
            cure="the activation must have a finite variance under a standard normal input",
        )
    # Beyond 40 the Gaussian weight is below 1e-347.
    edges = sorted({sp.Integer(0), *(e for e in kinks(expression, x, at) if abs(float(e)) < 40)}, key=float)
    middle = [(a + b) / 2 for a, b in pairwise(edges)]
    value = error = mpmath.mpf(0)
    with mpmath.workdps(_DIGITS):
        for edge, low, high in zip(edges, [sp.Integer(-40), *middle], [*middle, sp.Integer(40)], strict=True):
            for side, reach in ((-1, edge - low), (1, high - edge)):
                part, doubt = _beside(expression, x, edge, side, mpmath.mpf(sp.N(reach, _DIGITS)))
                value, error = value + part, error + doubt
        if not mpmath.isfinite(value) or error > 1e-15 * (1 + abs(value)):
            raise DerivationError(
                f"the moment E[{expression}] does not converge (error {mpmath.nstr(error, 2)})",
                place="student.features.activation",
                cure="the activation must have a finite variance under a standard normal input",
            )
        return sp.Integer(0) if abs(value) < 1e-25 else sp.Float(value, 25)


def _beside(expression: sp.Expr, x: sp.Symbol, edge: sp.Expr, side: int, reach: mpmath.mpf) -> tuple[mpmath.mpf, mpmath.mpf]:
    """The part of E expression(x) within ``reach`` of an edge on one side, and its error.

    The distance from the edge is the variable, so that a pole stays at 0 exactly; where there is one, a power of it is.
    """
    u = sp.Dummy("u", positive=True)
    place = edge + side * u
    function = sp.lambdify(u, expression.subs(x, place) * sp.exp(-(place**2) / 2) / sp.sqrt(2 * sp.pi), "mpmath")
    cuts = [mpmath.mpf(0), *(mpmath.mpf(c) for c in _CUTS if c < reach), reach]
    if not abs(function(cuts[1] * mpmath.mpf("1e-9"))) > 3 * abs(function(cuts[1] * mpmath.mpf("1e-3"))):
        return mpmath.quad(function, cuts, error=True, maxdegree=9)
    root = cuts[1] ** (mpmath.mpf(1) / _POLE)
    near, doubt = mpmath.quad(lambda t: function(t**_POLE) * _POLE * t ** (_POLE - 1), [0, root], error=True, maxdegree=9)
    far, other = mpmath.quad(function, cuts[1:], error=True, maxdegree=9)
    return near + far, doubt + other
