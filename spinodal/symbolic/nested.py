"""Averages inside averages: log E[e^w] and means tilted by e^w, as SymPy nodes with exact differentiation rules.

Copies inside copies leave ``(1/m) log E[Z^m]`` under the outer average, and its derivatives are means in the measure that
``e^w = Z^m`` tilts. :class:`LogAverage` and :class:`TiltedAverage` stay symbolic, so that exponents of any size are
summed in the log domain when they are evaluated. They are differentiated by Price's theorem, written for e^w:

    d/ds log E[e^w] = <D_s 1>,    d/ds <g> = <D_s g> - <g> <D_s 1>,
    D_s g = g_s + g w_s + m_i' (g_i + g w_i) + (1/2) C_ij' (g_ij + g_i w_j + g_j w_i + g (w_ij + w_i w_j)),

primes being derivatives of the means and covariances of the fields. As polynomials in tilted means the results are
canonical: what the heat equation makes cancel (d/dq0 of the outer average against that of the inner one) does cancel.

Where w is a number of replicas times a ground state (``ground.py``), its slope jumps with the maximiser at isolated fields.
With the displacement f - m of the field, whose variance is C, the derivatives are then taken of the Gaussian density,

    D_s 1 = w_s + m' w_f + (C'/2C) (f - m) w_f,      D_s g = g_s + g w_s + (m'/C) (f - m) g + (C'/2) [(f - m)^2/C^2 - 1/C] g,

and where what is differentiated explicitly jumps itself, the fields at which it does are summed: :class:`TiltedKinks`.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from spinodal.symbolic.averages import Average, Measure, average, expand_outside, explicit_fields, standard_normals
from spinodal.symbolic.maximisers import UNIQUE, Follower, follower_in


class _Nested(sp.Expr):
    """What both nodes share: the measure comes last, its fields are bound."""

    is_commutative = True

    @property
    def measure(self) -> Measure:
        """The Gaussian measure of the fields."""
        return self.args[-1]

    @property
    def exponent(self) -> sp.Expr:
        """w, the logarithm of the weight that tilts the measure."""
        return self.args[-2]

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """The symbols the value depends on: bound fields are not among them."""
        return set(super().free_symbols) - set(self.measure.bound)

    def _explicit_latex(self, printer: Any, body: sp.Expr) -> tuple[str, str]:
        zs = standard_normals(self.measure)
        differentials = r"\,".join(f"D{printer._print(z)}" for z in zs)
        return differentials, printer._print(body.subs(explicit_fields(self.measure, zs)))


class LogAverage(_Nested):
    """``LogAverage(w, measure)``: log E[e^w]. Build with :func:`log_average`."""

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        return _flow(sp.Integer(1), self.exponent, self.measure, symbol)

    def _sympystr(self, printer: Any) -> str:
        return f"log E[exp({printer._print(self.exponent)})]"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        differentials, body = self._explicit_latex(printer, self.exponent)
        text = rf"\log \int {differentials}\; \exp\!\left\{{{body}\right\}}"
        return text if exp is None else rf"\left[{text}\right]^{{{exp}}}"


class TiltedAverage(_Nested):
    """``TiltedAverage(g, w, measure)``: <g> = E[g e^w] / E[e^w]. Build with :func:`tilted_average`."""

    @property
    def integrand(self) -> sp.Expr:
        """What is averaged."""
        return self.args[0]

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        g, w, measure = self.args
        return _flow(g, w, measure, symbol) - self * _flow(sp.Integer(1), w, measure, symbol)

    def _sympystr(self, printer: Any) -> str:
        return f"<{printer._print(self.integrand)}>"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        differentials, weight = self._explicit_latex(printer, self.exponent)
        _, body = self._explicit_latex(printer, self.integrand)
        tilt = rf"\exp\!\left\{{{weight}\right\}}"
        text = rf"\frac{{\int {differentials}\; {tilt}\, {body}}}{{\int {differentials}\; {tilt}}}"
        return text if exp is None else rf"\left[{text}\right]^{{{exp}}}"


class Displacement(sp.Function):
    """``Displacement(f, m)`` = f - m: a field less its mean, kept together since both may be large."""

    nargs = 2

    @classmethod
    def eval(cls, field: sp.Expr, mean: sp.Expr) -> sp.Expr | None:
        """0 where the field does not fluctuate."""
        return sp.Integer(0) if field == mean else None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """1 in the field, -1 in its mean."""
        return sp.Integer(1 if argindex == 1 else -1)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        body = rf"\left({printer._print(self.args[0] - self.args[1])}\right)"
        return body if exp is None else rf"{body}^{{{exp}}}"


class TiltedKinks(_Nested):
    """``TiltedKinks(F, point, w, measure)``: the sum of F over the fields where a maximiser jumps, times the tilted density.

    F is an expression in the measure's field and in the maximisers on the two sides. It is not differentiated.
    """

    @property
    def integrand(self) -> sp.Expr:
        """F."""
        return self.args[0]

    @property
    def point(self) -> Follower:
        """The maximiser that jumps."""
        return self.args[1]

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        raise NotImplementedError("second derivatives at a maximum that jumps inside a block of copies")

    def _sympystr(self, printer: Any) -> str:
        return f"sum_kinks({printer._print(self.integrand)} density)"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        (field,) = self.measure.fields
        body = rf"\sum_{{\text{{kinks}}}} \rho\!\left({printer._print(field)}\right) {printer._print(self.integrand)}"
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


def tilted_kinks(summand: sp.Expr, point: Follower, exponent: sp.Expr, measure: Measure) -> sp.Expr:
    """The sum over kinks in a tilted measure, 0 where there is none."""
    if summand == 0 or point.which == UNIQUE:
        return sp.Integer(0)
    return TiltedKinks(summand, point, _split(exponent, measure)[1], measure)


def _flow(g: sp.Expr, w: sp.Expr, measure: Measure, symbol: sp.Symbol) -> sp.Expr:
    """``<D_s g>`` of the module's formula: d/ds E[g e^w] over E[e^w]."""
    point = follower_in(w, measure.fields)
    if point is not None:
        return _flow_with_kinks(g, w, measure, symbol, point)
    total = tilted_average(g.diff(symbol) + g * w.diff(symbol), w, measure)
    for field, mean in zip(measure.fields, measure.means, strict=True):
        slope = mean.diff(symbol)
        if slope != 0:
            total += slope * tilted_average(g.diff(field) + g * w.diff(field), w, measure)
    for i, first in enumerate(measure.fields):
        for j, second in enumerate(measure.fields):
            slope = measure.covariance[i, j].diff(symbol)
            if slope != 0:
                total += slope / 2 * tilted_average(_second(g, w, first, second), w, measure)
    return total


def _flow_with_kinks(g: sp.Expr, w: sp.Expr, measure: Measure, symbol: sp.Symbol, point: Follower) -> sp.Expr:
    """The same where w contains a maximiser: no derivative in the field of what jumps, but for terms at the jumps."""
    (field,), (mean,), spread = measure.fields, measure.means, measure.covariance[0, 0]
    moved, widened = mean.diff(symbol), spread.diff(symbol)
    away = Displacement(field, mean)
    total = tilted_average(g.diff(symbol) + g * w.diff(symbol), w, measure)
    along = point.retreat(symbol)
    if along != 0 and (jump := point.jump(g)) != 0:
        total += tilted_kinks(jump * along, point, w, measure)
    if g == 1:  # w is continuous: its first derivative in the field is enough
        return total + tilted_average(w.diff(field) * (moved + widened * away / (2 * spread)), w, measure)
    if moved != 0:
        total += moved / spread * tilted_average(g * away, w, measure)
    if widened != 0:
        square = tilted_average(g * away**2, w, measure) / spread**2
        total += widened / 2 * (square - tilted_average(g, w, measure) / spread)
    return total


def _second(g: sp.Expr, w: sp.Expr, first: sp.Symbol, second: sp.Symbol) -> sp.Expr:
    """``e^-w d2(g e^w) / dfirst dsecond``."""
    mixed = g.diff(first) * w.diff(second) + g.diff(second) * w.diff(first)
    return g.diff(first, second) + mixed + g * (w.diff(first, second) + w.diff(first) * w.diff(second))


def log_average(exponent: sp.Expr, measure: Measure) -> sp.Expr:
    """Log E[e^w], with the terms of w that do not fluctuate taken out, in closed form where w is quadratic.

    Raises:
        ValueError: if the measure has planted variables (they belong to the outermost average).
    """
    outside, inside = _split(exponent, measure)
    if inside == 0:
        return outside
    if _is_sharp(measure):
        return outside + _at_means(inside, measure)
    gaussian = _quadratic(inside, measure)
    if gaussian is not None:
        return outside + gaussian[0]
    return outside + LogAverage(inside, measure)


def tilted_average(integrand: sp.Expr, exponent: sp.Expr, measure: Measure) -> sp.Expr:
    """``E[g e^w] / E[e^w]``, sums split and factors that do not fluctuate taken out: a canonical linear combination."""
    _outside, weight = _split(exponent, measure)
    total: list[sp.Expr] = []
    bound = measure.bound
    tilted: Measure | None = None
    if weight == 0:
        return average(integrand, measure)
    if not _is_sharp(measure) and (gaussian := _quadratic(weight, measure)) is not None:
        tilted = gaussian[1]
    for term in sp.Add.make_args(expand_outside(integrand)):
        outside, inside = sp.S.One, sp.S.One
        for factor in sp.Mul.make_args(term):
            if factor.free_symbols & bound:
                inside *= factor
            else:
                outside *= factor
        if inside == 1:
            total.append(outside)
        elif _is_sharp(measure):
            total.append(outside * _at_means(inside, measure))
        elif tilted is not None:
            total.append(outside * average(inside, tilted))
        else:
            total.append(outside * TiltedAverage(inside, weight, measure))
    return sp.Add(*total)


def _split(exponent: sp.Expr, measure: Measure) -> tuple[sp.Expr, sp.Expr]:
    """(What does not fluctuate, what does) of a sum."""
    if measure.planted:
        raise ValueError("planted variables belong to the outermost average")
    outside: list[sp.Expr] = []
    inside: list[sp.Expr] = []
    for term in sp.Add.make_args(sp.expand_mul(exponent, deep=False)):
        (inside if term.free_symbols & measure.bound else outside).append(term)
    return sp.Add(*outside), sp.Add(*inside)


def _is_sharp(measure: Measure) -> bool:
    return all(entry == 0 for entry in measure.covariance)


def _at_means(expression: sp.Expr, measure: Measure) -> sp.Expr:
    return expression.xreplace(dict(zip(measure.fields, measure.means, strict=True)))


def _quadratic(weight: sp.Expr, measure: Measure) -> tuple[sp.Expr, Measure] | None:
    """Log E[e^w] and the tilted measure, Gaussian again, where w is a quadratic polynomial in a single field."""
    if len(measure.fields) != 1 or not weight.is_polynomial(*measure.fields):
        return None
    (field,), (mean,), spread = measure.fields, measure.means, measure.covariance[0, 0]
    polynomial = sp.Poly(sp.expand(weight), field)
    if polynomial.degree() > 2:
        return None
    a, b, c = (polynomial.coeff_monomial(field**k) for k in (2, 1, 0))
    gain = 1 - 2 * a * spread
    # exp(a f^2 + b f + c) under N(mean, spread): complete the square
    centre = (mean + b * spread) / gain
    value = c - sp.log(gain) / 2 + (a * mean**2 + b * mean + b**2 * spread / 2) / gain
    root = measure.loading[0, 0] / sp.sqrt(gain)
    return value, Measure([field], [centre], sp.Matrix([[spread / gain]]), sp.Matrix([[root]]))


def renested(expression: sp.Expr) -> sp.Expr:
    """Build every nested node of an expression again, innermost first, after what they contain has been replaced.

    Closed forms that have become possible are used, and averages whose covariance vanishes are evaluated.
    """
    if not expression.has(LogAverage, TiltedAverage, TiltedKinks, Average):
        return expression
    match expression:
        case LogAverage():
            return log_average(renested(expression.exponent), expression.measure)
        case TiltedAverage():
            return tilted_average(renested(expression.integrand), renested(expression.exponent), expression.measure)
        case TiltedKinks():
            return tilted_kinks(renested(expression.integrand), expression.point, expression.exponent, expression.measure)
        case Average():
            return average(renested(expression.integrand), expression.measure)
    return expression.func(*(renested(argument) for argument in expression.args))
