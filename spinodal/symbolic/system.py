"""From a free entropy to its saddle-point system: textbook equations, Jacobian, directional and parameter derivatives.

The free entropy is ``pairing + block + sum of channels``. Channels enter through their gradients in their own covariance
variables, kept as symbols here (``prior_q_hat``, ``output_Q``, ...), so that every formula of the system stays small and
the chain rule is exact: a channel's averages are derived once, whatever the features and whatever the ansatz
identifies (the Bayes-optimal ansatz is a substitution ``r = q``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sympy as sp

from spinodal.symbolic.channel import Channel


@dataclass(frozen=True)
class ChannelUse:
    """A channel inside a free entropy.

    Attributes:
        channel: the channel.
        factor: what multiplies it (1 for a prior, alpha for an output channel).
        arguments: each covariance variable as an expression in order parameters and parameters.
        substitution: covariance variables identified inside the averages (Nishimori), applied after differentiation.
        parameters: the model's parameters that a channel's leaves may contain.
    """

    channel: Channel
    factor: sp.Expr
    arguments: Mapping[sp.Symbol, sp.Expr] = field(hash=False)
    substitution: Mapping[sp.Symbol, sp.Expr] = field(hash=False, default_factory=dict)

    def name(self, key: Sequence[sp.Symbol]) -> sp.Symbol:
        """The symbol that stands for a derivative of this channel (of a level with a weight: divided by it)."""
        ordered = self.channel.ordered(key)
        return sp.Symbol("_".join(["", self.channel.name, *(str(v).lstrip("_") for v in ordered)]), real=True)

    def slope(self, variable: sp.Symbol) -> sp.Expr:
        """The slope of this channel in a covariance variable, in closed averages."""
        return self.channel.weights.get(variable, sp.Integer(1)) * self.expression((variable,))

    def expression(self, key: Sequence[sp.Symbol]) -> sp.Expr:
        """The averages that a derivative of this channel stands for, in closed form."""
        return self.finish(self.channel.derivative(key))

    def names(self, order: int | None = None) -> list[tuple[sp.Symbol, tuple[sp.Symbol, ...]]]:
        """Every derivative's symbol and key, of one order or of orders 1 to 3."""
        orders = (1, 2, 3) if order is None else (order,)
        return [(self.name(key), key) for k in orders for key in self.channel.keys(k)]

    def finish(self, raw: sp.Expr) -> sp.Expr:
        """Identify variables, then close."""
        return self.channel.closed(self.channel.restricted(raw, self.substitution))

    def derivative(self, key: Sequence[sp.Symbol], x: sp.Symbol) -> sp.Expr:
        """d(name(key))/dx through the covariance variables, with the next derivatives as symbols."""
        return sp.Add(*(self.name((*key, v)) * slope for v, e in self.arguments.items() if (slope := e.diff(x)) != 0))


@dataclass(frozen=True, slots=True)
class Alias:
    """A combination of channel derivatives evaluated by an expression of its own, for precision.

    Attributes:
        symbol: the name in formulas.
        value: the closed averages that evaluate it.
        combination: the same thing (up to a constant) in channel symbols; derivatives are taken through it.
    """

    symbol: sp.Symbol
    value: sp.Expr
    combination: sp.Expr


@dataclass(frozen=True)
class System:
    """The saddle-point equations F = 0 and their derivatives, in channel symbols.

    Attributes:
        unknowns: the order parameters solved for.
        updates: each order parameter as a function of the others, ``x = update`` (textbook form).
        residual: F_i = x_i - update_i, in a form that keeps its precision when an overlap saturates.
        jacobian: dF_i/dx_j.
        directional: d/dt J(x + t v) at t = 0, in the symbols of ``directions``; None where differences are cheaper.
        directions: the symbols v.
    """

    unknowns: tuple[sp.Symbol, ...]
    updates: tuple[sp.Expr, ...]
    residual: tuple[sp.Expr, ...]
    jacobian: sp.ImmutableDenseMatrix
    directional: sp.ImmutableDenseMatrix | None
    directions: tuple[sp.Symbol, ...]

    def mapped(self, function: Callable[[sp.Expr], sp.Expr], *, jacobian: bool = True) -> System:
        """The same system with its equations (and Jacobian) rewritten by a function that does not change their value.

        (The directional derivative stays: it is long, seldom read, and common subexpressions serve it as well.)
        """
        return replace(
            self,
            updates=tuple(function(e) for e in self.updates),
            residual=tuple(function(e) for e in self.residual),
            jacobian=self.jacobian.applyfunc(function) if jacobian else self.jacobian,
        )


class Differentiator:
    """Total derivatives of expressions that contain channel symbols."""

    def __init__(self, uses: Sequence[ChannelUse], aliases: Sequence[Alias] = ()) -> None:
        self.uses = tuple(uses)
        self.aliases = {alias.symbol: alias.combination for alias in aliases}
        self.keys: dict[sp.Symbol, tuple[ChannelUse, tuple[sp.Symbol, ...]]] = {}
        for use in self.uses:
            self.keys.update({mark: (use, key) for mark, key in use.names()})

    def total(self, expression: sp.Expr, x: sp.Symbol) -> sp.Expr:
        """dE/dx, explicit and through every channel symbol."""
        result = expression.diff(x)
        for mark in sorted(expression.free_symbols & set(self.keys), key=str):
            use, key = self.keys[mark]
            slope = expression.diff(mark)
            if slope != 0:
                result += slope * use.derivative(key, x)
        for mark in sorted(expression.free_symbols & set(self.aliases), key=str):
            result += expression.diff(mark) * self.total(self.aliases[mark], x)
        return result

    def along(self, expression: sp.Expr, directions: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
        """The derivative along a direction in order-parameter space."""
        return sp.Add(*(self.total(expression, x) * v for x, v in directions.items()))


def assemble(
    unknowns: Sequence[sp.Symbol],
    updates: Sequence[sp.Expr],
    residual: Sequence[sp.Expr],
    uses: Sequence[ChannelUse],
    aliases: Sequence[Alias] = (),
    *,
    second: bool = True,
) -> System:
    """Differentiate a residual, twice unless told otherwise."""
    differentiator = Differentiator(uses, aliases)
    jacobian = sp.Matrix([[differentiator.total(f, x) for x in unknowns] for f in residual])
    directions = tuple(sp.Symbol(f"_v_{x}", real=True) for x in unknowns)
    along = dict(zip(unknowns, directions, strict=True))
    directional = None
    if second:
        directional = sp.ImmutableDenseMatrix(jacobian.applyfunc(lambda entry: differentiator.along(entry, along)))
    return System(
        tuple(unknowns),
        tuple(updates),
        tuple(residual),
        sp.ImmutableDenseMatrix(jacobian),
        directional,
        directions,
    )
