"""Averages of functions that follow a maximum over a field: what their derivatives have besides the smooth terms.

A maximiser jumps at isolated fields omega_k (*kinks* of the maximum's height). Averages of functions of it then have a term
for each kink in their derivatives: :class:`Kinks`. An average over omega is differentiated once in omega at most, by Stein's
identity instead of Price's second derivative.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import sympy as sp

from spinodal.symbolic.averages import Evaluated, Measure, average, planted_measure
from spinodal.symbolic.functions import Density

#: Which maximiser: the only one, the highest, or the highest's limits at a kink.
UNIQUE, HIGHEST, BELOW, ABOVE = (sp.Symbol(name) for name in ("unique", "highest", "below", "above"))


class Follower(sp.Expr):
    """A function of the maximiser that follows a field."""

    is_commutative = True

    @property
    @abstractmethod
    def which(self) -> sp.Symbol:
        """Which of the local maximisers."""

    @property
    @abstractmethod
    def omega(self) -> sp.Expr:
        """The field."""

    @property
    @abstractmethod
    def point(self) -> Follower:
        """What all functions of one maximiser share."""

    @abstractmethod
    def jump(self, expression: sp.Expr) -> sp.Expr:
        """What an expression jumps by at a kink."""

    @abstractmethod
    def height_derivative(self, symbol: sp.Symbol, which: sp.Symbol) -> sp.Expr:
        """The derivative of the maximum's height on one side of a kink."""

    def jump_of_height(self, symbol: sp.Symbol) -> sp.Expr:
        """What the derivative of the height jumps by at a kink."""
        return self.height_derivative(symbol, ABOVE) - self.height_derivative(symbol, BELOW)

    def retreat(self, symbol: sp.Symbol) -> sp.Expr:
        """Minus how far a kink moves with a symbol: its two heights stay equal."""
        moving = self.jump_of_height(symbol)
        return moving if moving == 0 else moving / self.jump_of_height(self.omega)


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
    def peak(self) -> Follower:
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
        total = self.summand.diff(symbol)
        moving = self.peak.retreat(symbol)
        if moving != 0:
            total -= self.summand.diff(self.omega) * moving
        return kinks(total, *self.args[1:])

    def _sympystr(self, printer: Any) -> str:
        return f"sum_kinks({printer._print(self.summand)})"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        body = rf"\sum_{{\text{{kinks}}}} {printer._print(self.summand)}"
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


def kinks(summand: sp.Expr, omega: sp.Symbol, point: Follower, mean: sp.Expr, variance: sp.Expr) -> sp.Expr:
    """The sum over kinks, 0 of 0."""
    return Kinks(summand, omega, point, mean, variance) if summand != 0 else sp.Integer(0)


def follower_in(expression: sp.Expr, fields: Sequence[sp.Symbol] | None = None) -> Follower | None:
    """The maximiser that an integrand contains, if any; given fields, one that follows one of these."""
    found = (node for node in expression.atoms(Follower) if node.which in (UNIQUE, HIGHEST))
    return next((node.point for node in found if fields is None or node.omega in fields), None)


def derivative_of_average(integrand: sp.Expr, measure: Measure, symbol: sp.Symbol) -> sp.Expr:
    """d/ds of E[F] for an F that contains a maximiser: one derivative in its field, and the kinks' terms.

    With omega the maximiser's field of variance C and mean m, and f any other field,

        dE[F] = E[F_s] + m' E[F_omega] + (1/2)(C'/C) ( E[(omega - m) F_omega] - C_{f omega} E[F_{f omega}] ) + ...
    """
    point = follower_in(integrand, measure.fields)
    assert point is not None
    omega = point.omega
    position = measure.fields.index(omega)
    mean, variance = measure.means[position], measure.covariance[position, position]
    edge = Edge(measure, point)
    total = average(integrand.diff(symbol), measure)
    moving = point.retreat(symbol)
    if moving != 0:
        total += edge.term(point.jump(integrand) * moving)
    for field, other in zip(measure.fields, measure.means, strict=True):
        slope = other.diff(symbol)
        if slope != 0:
            total += average(slope * integrand.diff(field), measure)  # the slope may be a planted variable
            if field == omega:
                total += edge.term(slope * point.jump(integrand))
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
                total += slope / 2 * (average(across.diff(omega), measure) + edge.term(point.jump(across)))
            else:
                share = slope / (2 * variance)  # which planted variables may move
                inside, outside = (share, 1) if share.free_symbols & measure.bound else (sp.S.One, share)
                inner = average(inside * (omega - mean) * integrand.diff(omega), measure)
                inner += edge.term(inside * (omega - mean) * point.jump(integrand))
                for k, field in enumerate(measure.fields):
                    if k != position:
                        across = inside * integrand.diff(field)
                        both = average(across.diff(omega), measure) + edge.term(inside * point.jump(integrand.diff(field)))
                        inner -= measure.covariance[k, position] * both
                total += outside * inner
    return total


class Edge:
    """Terms at kinks: an expression at omega_k times the density of omega there."""

    def __init__(self, measure: Measure, point: Follower) -> None:
        position = measure.fields.index(point.omega)
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
        self.outer = planted_measure(measure.planted) if measure.planted else None

    def term(self, jumps: sp.Expr) -> sp.Expr:
        """The sum over kinks, averaged over planted variables."""
        if self.point.which == UNIQUE or jumps == 0:
            return sp.Integer(0)
        summand = jumps.xreplace(self.fields) * self.density
        found = kinks(summand, self.omega, self.point, self.mean, self.variance)
        return found if self.outer is None else average(found, self.outer)
