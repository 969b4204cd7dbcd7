"""Infinitely many coupled copies: a Gaussian field that concentrates where its weight is largest (Laplace's method).

The innermost of y coupled copies share a field ``xi`` of variance D/y, and as y -> infinity

    (1/y) log E_xi [Z(omega + xi)^y]  ->  Lambda(omega) = max_t [ L(t) - (t - omega)^2 / (2 D) ],      L = log Z,

a Moreau envelope (up to signs). :class:`Peak` is the maximiser t*, :class:`Peaked` is Lambda. Both are differentiated
implicitly, ``t* = omega + D L'(t*)``:

    dt* = chi [ domega + L'(t*) dD + D d(L')(t*) ],   chi = 1/(1 - D L''(t*)) (:class:`Response`),
    dLambda = L'(t*) domega + L'(t*)^2 dD / 2 + (dL)(t*).

Where L is not concave several local maxima may compete, and t* jumps at isolated omega_k (*kinks* of Lambda). Averages of
functions of t* then have a term for each kink in their derivatives: :class:`Kinks`. An average over omega is
differentiated once in omega at most, by Stein's identity instead of Price's second derivative, since every derivative of
t* raises the power of chi, which is large near the point where a kink is born.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from spinodal.symbolic.averages import Evaluated, Measure, average
from spinodal.symbolic.functions import Density

#: Which maximiser: the only one (L concave or quadratic), the highest, or the highest's limits at a kink.
UNIQUE, HIGHEST, BELOW, ABOVE = (sp.Symbol(name) for name in ("unique", "highest", "below", "above"))
#: The bound variable of potentials.
T = sp.Symbol("_t", real=True)


class Response(sp.Function):
    """``Response(D, c)`` = 1/(1 - D c): how the maximiser follows the field, c being the curvature L''(t*)."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """The quotient rule."""
        spread, curvature = self.args
        return self**2 * (curvature if argindex == 1 else spread)

    def doit(self, **hints: Any) -> sp.Expr:
        """The quotient itself."""
        spread, curvature = (argument.doit(**hints) for argument in self.args)
        return 1 / (1 - spread * curvature)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\left[{printer._print(1 - self.args[0] * self.args[1])}\right]^{{-1}}{power}"


class Peak(sp.Expr):
    """``Peak(which, omega, D, L)``: the maximiser t* of ``L(t) - (t - omega)^2/(2D)``, L an expression in ``T``.

    Build with :func:`peak`, which solves for it where L is quadratic.
    """

    is_commutative = True
    is_real = True

    @property
    def which(self) -> sp.Symbol:
        """Which of the local maximisers."""
        return self.args[0]

    @property
    def omega(self) -> sp.Expr:
        """The field."""
        return self.args[1]

    @property
    def spread(self) -> sp.Expr:
        """D: the number of copies times the variance of the field that they share."""
        return self.args[2]

    @property
    def potential(self) -> sp.Expr:
        """L as an expression in ``T``."""
        return self.args[3]

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """The symbols the value depends on."""
        return set(super().free_symbols) - {T, UNIQUE, HIGHEST, BELOW, ABOVE}

    def at(self, expression: sp.Expr) -> sp.Expr:
        """An expression in ``T`` at the maximiser."""
        return expression.xreplace({T: self})

    @property
    def force(self) -> sp.Expr:
        """L'(t*)."""
        return self.at(self.potential.diff(T))

    @property
    def response(self) -> sp.Expr:
        """Chi = dt*/domega."""
        return Response(self.spread, self.at(self.potential.diff(T, 2)))

    def beside(self, which: sp.Symbol) -> Peak:
        """Another maximiser of the same function."""
        return Peak(which, *self.args[1:])

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        direct = self.omega.diff(symbol) + self.spread.diff(symbol) * self.force
        direct += self.spread * self.at(self.potential.diff(T).diff(symbol))
        return self.response * direct

    def _sympystr(self, printer: Any) -> str:
        return f"t*({printer._print(self.omega)}; {printer._print(self.spread)})"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        mark = {BELOW: "_-", ABOVE: "_+"}.get(self.which, "")
        body = rf"t^\star{mark}"
        return body if exp is None else rf"({body})^{{{exp}}}"


class Peaked(sp.Expr):
    """``Peaked(peak)``: Lambda, the value of the maximum."""

    is_commutative = True

    @property
    def peak(self) -> Peak:
        """The maximiser."""
        return self.args[0]

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        return height_derivative(self.peak, symbol)

    def doit(self, **hints: Any) -> sp.Expr:
        """The value in terms of the maximiser, (t* - omega)^2/(2D) = D L'(t*)^2 / 2."""
        return self.peak.at(self.peak.potential) - self.peak.spread * self.peak.force**2 / 2

    def _sympystr(self, printer: Any) -> str:
        return f"max_t({printer._print(self.peak.potential)} - ...)"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        p = self.peak
        inner = printer._print(p.potential)
        body = rf"\max_t\left[{inner} - \frac{{(t - {printer._print(p.omega)})^2}}{{2\,{printer._print(p.spread)}}}\right]"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


class Kinks(Evaluated):
    """``Kinks(F, omega, peak, mean, variance)``: the sum of F over the fields omega_k where the maximiser jumps.

    F is an expression in the bound symbol ``omega`` and in the maximisers on the two sides; it contains the density of
    omega, whose mean and variance say where kinks count.
    """

    @property
    def summand(self) -> sp.Expr:
        """F."""
        return self.args[0]

    @property
    def omega(self) -> sp.Symbol:
        """The bound field."""
        return self.args[1]

    @property
    def peak(self) -> Peak:
        """The maximiser that jumps."""
        return self.args[2]

    @property
    def mean(self) -> sp.Expr:
        """The mean of omega."""
        return self.args[3]

    @property
    def variance(self) -> sp.Expr:
        """The variance of omega."""
        return self.args[4]

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """The symbols the value depends on."""
        return set(super().free_symbols) - {self.omega}

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        # the two heights stay equal: omega_k moves by -[dLambda/ds] / [dLambda/domega]
        total = self.summand.diff(symbol)
        moving = jump_of_height(self.peak, symbol)
        if moving != 0:
            total -= self.summand.diff(self.omega) * moving / jump_of_height(self.peak, self.omega)
        return kinks(total, *self.args[1:])

    def _sympystr(self, printer: Any) -> str:
        return f"sum_kinks({printer._print(self.summand)})"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        body = rf"\sum_{{\text{{kinks}}}} {printer._print(self.summand)}"
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


def peak(which: sp.Symbol, omega: sp.Expr, spread: sp.Expr, potential: sp.Expr) -> sp.Expr:
    """The maximiser; in closed form where the potential is quadratic."""
    if potential.is_polynomial(T):
        polynomial = sp.Poly(potential, T)
        if polynomial.degree() <= 2:
            curvature, slope = 2 * polynomial.coeff_monomial(T**2), polynomial.coeff_monomial(T)
            return (omega + spread * slope) / (1 - spread * curvature)
    return Peak(which, omega, spread, potential)


def closed_peaks(expression: sp.Expr) -> sp.Expr:
    """Maximisers of potentials that have become quadratic in closed form, everywhere in an expression."""
    if not expression.has(Peak, Response):
        return expression
    marks: dict[sp.Expr, sp.Expr] = {}
    for node in sorted(expression.atoms(Peak), key=sp.default_sort_key):
        found = peak(*node.args)
        if found != node:
            marks[node] = found
    solved = {node: node.doit() for node in expression.atoms(Peaked) if node.peak in marks}
    written = expression.xreplace(solved).xreplace(marks)
    return written.xreplace({node: node.doit() for node in written.atoms(Response) if not node.has(Peak)})


def height_derivative(point: Peak, symbol: sp.Symbol) -> sp.Expr:
    """The derivative of Lambda on the branch of one maximiser."""
    total = point.force * point.omega.diff(symbol) + point.force**2 * point.spread.diff(symbol) / 2
    return total + point.at(point.potential.diff(symbol))


def jump(expression: sp.Expr, point: Peak) -> sp.Expr:
    """What an expression in the maximiser jumps by at a kink (Lambda itself is continuous)."""
    heights = {node: sp.Dummy() for node in expression.atoms(Peaked)}
    held = expression.xreplace(heights)
    above, below = (held.xreplace({point: point.beside(side)}) for side in (ABOVE, BELOW))
    return (above - below).xreplace({dummy: node for node, dummy in heights.items()})


def jump_of_height(point: Peak, symbol: sp.Symbol) -> sp.Expr:
    """What the derivative of Lambda jumps by at a kink."""
    above, below = (height_derivative(point.beside(side), symbol) for side in (ABOVE, BELOW))
    return above - below


def kinks(summand: sp.Expr, omega: sp.Symbol, point: Peak, mean: sp.Expr, variance: sp.Expr) -> sp.Expr:
    """The sum over kinks, 0 of 0."""
    return Kinks(summand, omega, point, mean, variance) if summand != 0 else sp.Integer(0)


def peak_in(expression: sp.Expr) -> Peak | None:
    """The maximiser that an integrand contains, if any."""
    return next((node for node in expression.atoms(Peak) if node.which in (UNIQUE, HIGHEST)), None)


def derivative_of_average(integrand: sp.Expr, measure: Measure, symbol: sp.Symbol) -> sp.Expr:
    """d/ds of E[F] for an F that contains a maximiser: one derivative in its field, and the kinks' terms.

    With omega the maximiser's field of variance C and mean m, and f any other field,

        dE[F] = E[F_s] + m' E[F_omega] + (1/2)(C'/C) ( E[(omega - m) F_omega] - C_{f omega} E[F_{f omega}] ) + ...
    """
    point = peak_in(integrand)
    assert point is not None
    omega = point.omega
    position = measure.fields.index(omega)
    mean, variance = measure.means[position], measure.covariance[position, position]
    edge = _Edge(measure, position, point)
    total = average(integrand.diff(symbol), measure)
    moving = jump_of_height(point, symbol)
    if moving != 0:
        total += edge.term(jump(integrand, point) * moving / jump_of_height(point, omega))
    for field, other in zip(measure.fields, measure.means, strict=True):
        slope = other.diff(symbol)
        if slope != 0:
            total += slope * average(integrand.diff(field), measure)
            if field == omega:
                total += slope * edge.term(jump(integrand, point))
    for i, first in enumerate(measure.fields):
        for j, second in enumerate(measure.fields):
            slope = measure.covariance[i, j].diff(symbol)
            if slope == 0:
                continue
            if omega not in (first, second):
                total += slope / 2 * average(integrand.diff(first, second), measure)
            elif i != j:
                other = second if first == omega else first
                across = integrand.diff(other)
                total += slope / 2 * (average(across.diff(omega), measure) + edge.term(jump(across, point)))
            else:
                inner = average((omega - mean) * integrand.diff(omega), measure)
                inner += edge.term((omega - mean) * jump(integrand, point))
                for k, field in enumerate(measure.fields):
                    if k != position:
                        across = integrand.diff(field)
                        both = average(across.diff(omega), measure) + edge.term(jump(across, point))
                        inner -= measure.covariance[k, position] * both
                total += slope / (2 * variance) * inner
    return total


class _Edge:
    """Terms at kinks: an expression at omega_k times the density of omega there."""

    def __init__(self, measure: Measure, position: int, point: Peak) -> None:
        self.point, self.omega = point, measure.fields[position]
        mean, variance = measure.means[position], measure.covariance[position, position]
        self.mean, self.variance = mean, variance
        root = sp.sqrt(variance)
        self.density = Density((self.omega - mean) / root) / root
        # with one standard normal behind all fields, the others are linear in omega
        self.fields = {
            f: measure.means[k] + measure.covariance[k, position] / variance * (self.omega - mean)
            for k, f in enumerate(measure.fields)
            if k != position
        }
        none = sp.ImmutableDenseMatrix(0, 0, [])
        self.outer = Measure([], [], none, none, measure.planted) if measure.planted else None

    def term(self, jumps: sp.Expr) -> sp.Expr:
        """The sum over kinks, averaged over planted variables."""
        if self.point.which == UNIQUE or jumps == 0:
            return sp.Integer(0)
        summand = jumps.xreplace(self.fields) * self.density
        found = kinks(summand, self.omega, self.point, self.mean, self.variance)
        return found if self.outer is None else average(found, self.outer)
