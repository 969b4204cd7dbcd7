"""Stages 4 and 5 of a derivation: one equation for each order parameter, and their derivatives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sympy as sp

from spinodal.symbolic.action import Q_D_HAT, Action
from spinodal.symbolic.derivation import Definition
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.functions import LogPartition
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.symbols import KAPPA_1, KAPPA_STAR_SQ, with_hat
from spinodal.symbolic.system import Alias, Differentiator, System, assemble


@dataclass(frozen=True)
class Saddle:
    """The saddle-point equations of an action.

    Attributes:
        system: residual, Jacobian, directional derivative, in channel symbols and compact form.
        textbook: each equation with channel symbols written out, (left, right).
        channel_values: what every channel symbol stands for.
        plain: the system before it was made compact.
        aliases: symbols through which derivatives are taken: the combination of channel derivatives that the saturating
            overlap's equation uses, where one saturates; eigenvalues of the feature block's matrices.
    """

    system: System
    textbook: tuple[tuple[sp.Expr, sp.Expr], ...]
    channel_values: Mapping[sp.Symbol, sp.Expr] = field(hash=False)
    plain: System
    aliases: tuple[Alias, ...]


@dataclass(frozen=True)
class Updates:
    """Every order parameter's equation solved for it, in channel symbols.

    Attributes:
        left: what each equation is about, by the order parameter that is solved for.
        right: the equations' right sides.
    """

    left: Mapping[sp.Symbol, sp.Symbol] = field(hash=False)
    right: Mapping[sp.Symbol, sp.Expr] = field(hash=False)


def updates_of(action: Action) -> Updates:
    """Stationarity in every order parameter."""
    unknowns = tuple(x for x in action.unknowns if x not in action.identify)
    # the equation of an unknown is its own, except for the conjugate of a constrained overlap: it imposes that overlap
    imposed = {action.partner[c]: c for c in action.structure.constrained}
    left = {x: imposed.get(x, x) for x in unknowns}
    multiplier = action.diagonal_conjugate if action.imposed and not action.eliminated else None
    own = {*action.structure.extremised, multiplier}
    updates = {x: action.identified(update(action, left[x])) for x in unknowns if x not in own}
    if multiplier is not None:  # its equation is the self-overlap that it imposes
        found = 2 * action.identified_uses[0].name((multiplier,))
        updates[multiplier] = multiplier - action.diagonal + found
    # a size of blocks is stationary where no complexity is left
    updates |= {x: x - complexity(action, x) for x in action.structure.extremised}
    return Updates(left, {x: updates[x] for x in unknowns})


def textbook_of(action: Action, updates: Updates) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
    """The equations with channel symbols written out, (left, right)."""
    first = {mark: use.expression(key) for use in action.identified_uses for mark, key in use.names(1)}
    return tuple((updates.left[x], action.compact(right).xreplace(first)) for x, right in updates.right.items())


def saddle_of(action: Action) -> Saddle:
    """Derive the equations of an action, and their first and second derivatives."""
    uses = action.identified_uses
    updates = updates_of(action)
    unknowns = tuple(updates.right)
    gaps = () if action.ground else (_gap(action),)
    eigenvalues = () if action.sectors is None else tuple(Alias(k, k, e) for k, e in action.sectors.eigenvalues.items())
    aliases = (*gaps, *eigenvalues)
    residual = [_residual(action, updates.left[x], updates.right[x], gaps) for x in unknowns]
    # where averages are nested, or maximisers stop moving, differences are cheaper than second derivatives
    once = bool(action.structure.finite_sizes) or action.ground
    plain = assemble(unknowns, list(updates.right.values()), residual, uses, aliases, second=not once)
    # ground states are written in differences already: factors of a long Jacobian would take as long as all else
    system = plain.mapped(action.compact, jacobian=not (action.ground and action.structure.finite_sizes))
    marks = _symbols_in(system)
    values = {mark: use.expression(key) for use in uses for mark, key in use.names() if mark in marks}
    values.update({gap.symbol: gap.value for gap in gaps})
    return Saddle(system, textbook_of(action, updates), values, plain, aliases)


def update(action: Action, x: sp.Symbol) -> sp.Expr:
    """Stationarity in the partner of x, solved for x: the pairing is bilinear, so that this is always possible."""
    partner = action.partner[x]
    coefficient = action.pairing.diff(x, partner)
    # in the pairing of several levels other order parameters may stand beside x
    beside = sp.expand(action.pairing.diff(partner) - coefficient * x)
    rational = -action.block_slope(partner) / coefficient if action.block.has(partner) else sp.Integer(0)
    if action.sectors is None:
        rational = sp.factor(rational)
    total = rational + sp.Add(*(sp.cancel(-term / coefficient) for term in sp.Add.make_args(beside)))
    for use in action.uses:
        for variable, argument in use.arguments.items():
            # an imposed multiplier is stationary by itself: only the explicit dependence counts
            explicit = sp.Integer(0) if variable == action.diagonal_conjugate and action.eliminated else argument
            slope = explicit.diff(partner)
            if slope != 0:
                weight = use.channel.weights.get(variable, sp.Integer(1))
                total -= sp.cancel(use.factor * weight * slope / coefficient) * use.name((variable,))
    return total


def _residual(action: Action, x: sp.Symbol, right: sp.Expr, gaps: tuple[Alias, ...]) -> sp.Expr:
    """F = x - update; the equation of the innermost overlap in the form that keeps its precision as it saturates."""
    if gaps and x == action.top and x not in action.structure.extremised:
        (gap,) = gaps
        return x - action.identified(action.diagonal) + gap.symbol
    return x - right


def _gap(action: Action) -> Alias:
    """E[d2 log Z], which equals q_d - q without the cancellation that E[(d log Z)^2] has as q -> q_d."""
    use = action.identified_uses[0]
    channel = use.channel
    variance = channel.diagonal - with_hat(action.top)
    raw = channel.tilted(
        lambda branch, _leaf, omega: LogPartition(sp.Symbol(branch.student), sp.Integer(2), omega, variance)
    )
    combination = -update(action, action.top)
    if Q_D_HAT in channel.variables:
        combination += 2 * use.name((Q_D_HAT,))
    return Alias(symbol("_prior_gap"), use.finish(raw), action.identified(combination))


def complexity(action: Action, size: sp.Expr) -> sp.Expr:
    """Minus a squared size of inner blocks times the derivative of the free entropy in it, in channel symbols."""
    total = action.pairing.diff(size) + action.block_slope(size)
    for use in action.uses:
        total += use.factor * use.name((size,))
    return -(size**2) * total


def slope(action: Action) -> sp.Expr | None:
    """The derivative of the free entropy in the constrained overlap, conjugates and other overlaps stationary."""
    if not action.structure.constrained:
        return None
    (x,) = action.structure.constrained
    total = action.pairing.diff(x) + action.block_slope(x)
    for use in action.uses:
        for variable, argument in use.arguments.items():
            if (along := argument.diff(x)) != 0:
                total += use.factor * along * use.slope(variable)
    return total


def parameter_derivative(
    action: Action, saddle: Saddle, definitions: tuple[Definition, ...], parameters: tuple[str, ...]
) -> tuple[tuple[sp.Expr | None, ...], ...]:
    """dF_i/dparameter, row by row; None where only finite differences are available."""
    uses, values, system = action.identified_uses, saddle.channel_values, saddle.plain
    differentiator = Differentiator(uses, saddle.aliases)
    columns: list[list[sp.Expr | None]] = []
    inputs = (KAPPA_1, KAPPA_STAR_SQ, *action.structure.given_sizes)
    moments = {d.symbol: d.expression for d in definitions if d.symbol in inputs}
    opaque = set().union(*(hidden_parameters(use.channel.leaves.values()) for use in uses))
    opaque |= action.teacher_variance.free_symbols
    for name in parameters:
        s = symbol(name)
        inner = {k: e.diff(s) for k, e in moments.items() if e.diff(s) != 0}
        # a step that moves with the parameter: differences see it, since panels are cut at the step
        if s in opaque or any(slope.has(sp.DiracDelta) for slope in inner.values()):
            columns.append([None] * len(system.residual))
            continue
        column: list[sp.Expr | None] = []
        for f in system.residual:
            total = differentiator.total(f, s)
            for k, slope in inner.items():
                total += differentiator.total(f, k) * slope
            for mark in sorted(f.free_symbols & set(values), key=str):
                total += f.diff(mark) * values[mark].diff(s)
            column.append(total)
        columns.append(column)
    return tuple(tuple(column[i] for column in columns) for i in range(len(system.residual)))


def hidden_parameters(leaves: Iterable[Leaf]) -> set[sp.Symbol]:
    """Parameters inside leaves without a closed form, whose log Z shows no derivative in them."""
    hidden: set[sp.Symbol] = set()
    for leaf in leaves:
        if leaf.is_closed:
            continue
        for expression in leaf.expressions:
            hidden |= expression.free_symbols
        hidden |= {s for i in leaf.edges for e in (i.lower, i.upper) for s in e.free_symbols}
    return hidden - {symbol("h"), symbol("w")}


def completed(action: Action, saddle: Saddle, rows: Iterable[Iterable[sp.Expr | None]]) -> dict[sp.Symbol, sp.Expr]:
    """The saddle's channel values with those that further expressions need."""
    marks = set().union(*(entry.free_symbols for row in rows for entry in row if entry is not None))
    values = dict(saddle.channel_values)
    for use in action.identified_uses:
        values |= {mark: use.expression(key) for mark, key in use.names() if mark in marks and mark not in values}
    return values


def _symbols_in(system: System) -> set[sp.Symbol]:
    found: set[sp.Symbol] = set()
    for expression in (*system.residual, *system.jacobian, *(system.directional or ())):
        found |= expression.free_symbols
    return found
