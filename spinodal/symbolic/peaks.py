"""Infinitely many coupled copies: a Gaussian field that concentrates where its weight is largest (Laplace's method).

The innermost of y coupled copies share a field ``xi`` of variance D/y, and as y -> infinity

    (1/y) log E_xi [Z(omega + xi)^y]  ->  Lambda(omega) = max_t [ L(t) - (t - omega)^2 / (2 D) ],      L = log Z,

a Moreau envelope (up to signs). :class:`Peak` is the maximiser t*, :class:`Peaked` is Lambda. Both are differentiated
implicitly, ``t* = omega + D L'(t*)``:

    dt* = chi [ domega + L'(t*) dD + D d(L')(t*) ],   chi = 1/(1 - D L''(t*)) (:class:`Response`),
    dLambda = L'(t*) domega + L'(t*)^2 dD / 2 + (dL)(t*).

Where L is not concave several local maxima may compete, and t* jumps at isolated omega_k (*kinks* of Lambda): averages are
differentiated as in ``maximisers.py``, once in omega at most, since every derivative of t* raises the power of chi, which is
large near the point where a kink is born.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from spinodal.symbolic.maximisers import ABOVE, BELOW, HIGHEST, UNIQUE, Follower

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


class Peak(Follower):
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

    @property
    def point(self) -> Peak:
        """The maximiser itself."""
        return self

    def beside(self, which: sp.Symbol) -> Peak:
        """Another maximiser of the same function."""
        return Peak(which, *self.args[1:])

    def jump(self, expression: sp.Expr) -> sp.Expr:
        """What an expression jumps by at a kink (Lambda itself is continuous)."""
        heights = {node: sp.Dummy() for node in expression.atoms(Peaked)}
        held = expression.xreplace(heights)
        above, below = (held.xreplace({self: self.beside(side)}) for side in (ABOVE, BELOW))
        return (above - below).xreplace({dummy: node for node, dummy in heights.items()})

    def height_derivative(self, symbol: sp.Symbol, which: sp.Symbol) -> sp.Expr:
        """The derivative of Lambda on one side of a kink."""
        return height_derivative(self.beside(which), symbol)

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
