"""One site in its ground state: what log Z becomes as the temperature goes to 0.

With fields, variances and conjugates scaled as ``structure.py`` says, ``T log Z(omega, V)`` tends to

    a student's field:   Lambda(omega, V) = max_h [ -E(h) - (h - omega)^2/(2V) ]       (a Moreau envelope of the energy)
    a weight:            Lambda(omega, V) = max_w [ -r(w) + omega w + V w^2/2 ]        (r: the regularization)

and the heat equation of Z becomes ``dLambda/dV = (1/2) (dLambda/domega)^2`` in both cases (Hamilton and Jacobi's). That, and
that Lambda' jumps at isolated fields where the maximiser does, is all that is needed to derive the saddle-point equations:
:class:`Ground` stands for Lambda and its first two derivatives. Averages are differentiated as in ``peaks.py``.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.functions import subscript
from spinodal.symbolic.maximisers import ABOVE, BELOW, Follower

#: What ends the tags of the leaves that observables are read from: they are cut where the student's answer changes too.
ANSWERED = "_answered"


class Ground(Follower):
    """``Ground(which, k, leaf, omega, V, y)``: the k-th derivative in omega (k <= 2) of Lambda of a leaf with label y."""

    is_commutative = True
    is_real = True

    @property
    def which(self) -> sp.Symbol:
        """Which of the local maximisers."""
        return self.args[0]

    @property
    def order(self) -> int:
        """K."""
        return int(self.args[1])

    @property
    def tag(self) -> sp.Symbol:
        """The leaf."""
        return self.args[2]

    @property
    def omega(self) -> sp.Expr:
        """The field."""
        return self.args[3]

    @property
    def variance(self) -> sp.Expr:
        """V."""
        return self.args[4]

    @property
    def label(self) -> sp.Expr:
        """The label that the energy reads."""
        return self.args[5]

    @property
    def point(self) -> Ground:
        """Lambda itself: what all derivatives of one maximum share."""
        return self.derivative(0)

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """The symbols the value depends on."""
        return set(self.omega.free_symbols | self.variance.free_symbols | self.label.free_symbols)

    def derivative(self, order: int, which: sp.Symbol | None = None) -> Ground:
        """Another derivative of the same function, on one side of a kink where that is said."""
        return Ground(self.which if which is None else which, sp.Integer(order), *self.args[2:])

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        along, spread = self.omega.diff(symbol), self.variance.diff(symbol)
        if along == 0 and spread == 0:
            return sp.Integer(0)
        slope = self.derivative(1)
        match self.order:
            case 0:
                return slope * along + slope**2 * spread / 2
            case 1:
                return self.derivative(2) * (along + slope * spread)
        raise NotImplementedError("third derivatives at a maximum that may stop moving")

    def jump(self, expression: sp.Expr) -> sp.Expr:
        """What an expression jumps by at a kink (Lambda itself is continuous)."""
        sides = []
        for side in (ABOVE, BELOW):
            table = {
                node: node.derivative(node.order, side)
                for node in expression.atoms(Ground)
                if node.order and node.point == self.point
            }
            sides.append(expression.xreplace(table))
        return sides[0] - sides[1]

    def height_derivative(self, symbol: sp.Symbol, which: sp.Symbol) -> sp.Expr:
        """The derivative of Lambda on one side of a kink."""
        slope = self.derivative(1, which)
        return slope * self.omega.diff(symbol) + slope**2 * self.variance.diff(symbol) / 2

    def retreat(self, symbol: sp.Symbol) -> sp.Expr:
        """Minus how far a kink moves: the quotient of jumps, without 0/0 where the maximiser stops without jumping."""
        mean_slope = (self.derivative(1, ABOVE) + self.derivative(1, BELOW)) / 2
        return self.omega.diff(symbol) + mean_slope * self.variance.diff(symbol)

    def _sympystr(self, printer: Any) -> str:
        mark = {BELOW: "-", ABOVE: "+"}.get(self.which, "")
        return (
            f"Lambda_{self.tag}{mark}{chr(39) * self.order}({printer._print(self.omega)}; {printer._print(self.variance)})"
        )

    def _latex(self, printer: Any, exp: Any = None) -> str:
        side = {BELOW: "-", ABOVE: "+"}.get(self.which, "")
        mark = (side + r"\prime" * self.order).strip()
        head = rf"\Lambda_{{{subscript(self.tag)}}}" + (f"^{{{mark}}}" if mark else "")
        given = "" if self.label.is_number else f"{printer._print(self.label)} \\mid "  # the name says which number
        body = rf"{head}\!\left({given}{printer._print(self.omega)}; {printer._print(self.variance)}\right)"
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


class InfiniteAtJump(sp.Function):
    """``InfiniteAtJump(j)``: infinite where a jump j is not 0; else 0."""

    nargs = 1

    def doit(self, **hints: Any) -> sp.Expr:
        """As a piecewise expression."""
        return sp.Piecewise((sp.oo, sp.Abs(self.args[0]) > 0), (0, True))

    def _latex(self, printer: Any, exp: Any = None) -> str:
        return rf"\infty\,\left[{printer._print(self.args[0])} \ne 0\right]"


class Observed(Follower):
    """``Observed(point, f)``: a function f(h) at the maximiser of the :class:`Ground` ``point``.

    Where the maximiser sits on a kink of the energy at which f jumps, the limit T -> 0 of the mean of f. Its leaf is cut
    wherever f is not smooth.
    """

    is_real = True

    @property
    def point(self) -> Ground:
        """Lambda."""
        return self.args[0]

    @property
    def function(self) -> sp.Expr:
        """F, in h and the label."""
        return self.args[1]

    @property
    def which(self) -> sp.Symbol:
        """Which of the local maximisers."""
        return self.point.which

    @property
    def omega(self) -> sp.Expr:
        """The field."""
        return self.point.omega

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """The symbols the value depends on."""
        return set(self.point.free_symbols | (self.function.free_symbols - {symbol("h")}))

    def jump(self, expression: sp.Expr) -> sp.Expr:
        """Not differentiated."""
        raise NotImplementedError("an observable's jump")

    def height_derivative(self, symbol: sp.Symbol, which: sp.Symbol) -> sp.Expr:
        """That of Lambda."""
        return self.point.height_derivative(symbol, which)

    def _sympystr(self, printer: Any) -> str:
        return f"<{printer._print(self.function)}>(h* | {printer._print(self.omega)})"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        p = self.point
        given = "" if p.label == 0 else f",\\, {printer._print(p.label)}"
        place = rf"h^\star\left({printer._print(p.omega)};\, {printer._print(p.variance)}{given}\right)"
        body = rf"\left.{printer._print(self.function)}\right|_{{h = {place}}}"
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"
