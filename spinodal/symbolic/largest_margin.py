"""References of the largest margin: kappa_ref becomes an unknown, the vanishing of the references' entropy its equation.

The entropy of a constraint on counted weights is the reference's free entropy, so that its derivatives are those of an
action: one more row and column of the Jacobian, in symbols that are there already. Of weights with probabilities it is less
than that by the mean of their log P, an average over the prior's channel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import sympy as sp

from spinodal.spec.types import Spec
from spinodal.symbolic.action import Action
from spinodal.symbolic.channel import Branch
from spinodal.symbolic.derivation import Derived
from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.functions import LogPartition
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.stationarity import hidden_parameters
from spinodal.symbolic.system import ChannelUse

KAPPA_REF = symbol("kappa_ref")


def at_largest_margin(
    spec: Spec, given: Derived, reference: Action, base: Derived, rename: Callable[[sp.Expr], sp.Expr]
) -> Derived:
    """Promote kappa_ref from a parameter of ``given`` to an order parameter.

    Args:
        spec: the model, without that parameter.
        given: the theory at a given margin.
        reference: the reference's action, in its own symbols.
        base: the reference's theory, in its own symbols.
        rename: turns the reference's symbols into those of ``given``.

    Raises:
        DerivationError: where configurations are not counted, or derivatives in the margin are numerical.
    """
    index = given.parameters.index(str(KAPPA_REF))
    column = [row[index] for row in given.parameter_derivative]
    _refuse_other_entropies(reference, one_threshold=not any(entry is None for entry in column))
    uses = reference.identified_uses
    counted = _LogProbability.of(reference)

    def slope(x: sp.Symbol) -> sp.Expr:
        """The derivative of the references' entropy, explicit and through their channels' arguments."""
        total = (reference.pairing + reference.block).diff(x)
        for use in uses:
            total += sp.Add(*(use.factor * use.name((v,)) * e.diff(x) for v, e in use.arguments.items()))
            if x not in base.system.unknowns:  # a parameter: explicit, in the factor and inside the averages
                value = use.finish(use.channel.value)
                total += use.factor.diff(x) * value + use.factor * value.diff(x)
        return rename(total - counted.slope(x) - (0 if x in base.system.unknowns else counted.mean.diff(x)))

    values = dict(given.channel_values)
    for use in uses:
        values.update({rename(mark): rename(use.expression(key)) for mark, key in use.names(1)})
    values.update({rename(mark): rename(value) for mark, value in counted.values.items()})
    own = {rename(x): x for x in base.system.unknowns}
    moments = [d.expression for d in base.definitions if str(d.symbol).startswith("_kappa")]
    moments += hidden_parameters(leaf for use in uses for leaf in use.channel.leaves.values())
    system = given.system
    size = len(system.unknowns)
    entries = system.jacobian.tolist()
    last = [slope(own[x]) if x in own else sp.Integer(0) for x in system.unknowns]
    jacobian = [[*row, entry] for row, entry in zip(entries, column, strict=True)] + [[*last, slope(KAPPA_REF)]]
    entropy = rename(base.free_entropy - counted.mean)
    names = tuple(name for k, name in enumerate(given.parameters) if k != index)
    hidden = {s for e in moments for s in sp.sympify(e).free_symbols}
    final = tuple(None if symbol(name) in hidden else slope(symbol(name)) for name in names)
    rows = tuple(tuple(e for k, e in enumerate(row) if k != index) for row in given.parameter_derivative)
    return replace(
        given,
        spec=spec,
        order_parameters=(*given.order_parameters, str(KAPPA_REF)),
        parameters=names,
        system=replace(
            system,
            unknowns=(*system.unknowns, KAPPA_REF),
            updates=(*system.updates, KAPPA_REF - entropy),
            residual=(*system.residual, entropy),
            jacobian=sp.ImmutableDenseMatrix(size + 1, size + 1, lambda i, j: jacobian[i][j]),
        ),
        channel_values=values,
        parameter_derivative=(*rows, final),
        origin={},
        reference={},
        follower={},
        trivial={},
        constrained="",
    )


@dataclass(frozen=True)
class _LogProbability:
    """The mean of log P(w) over a replica's weights, by which the entropy of weights with probabilities differs from phi.

    Attributes:
        use: the prior channel in the action.
        mean: the mean, in closed averages (a number where all values are equally probable).
        values: what the symbols of its slopes stand for.
    """

    use: ChannelUse
    mean: sp.Expr
    values: Mapping[sp.Symbol, sp.Expr]

    @staticmethod
    def of(reference: Action) -> _LogProbability:
        prior, use = reference.given.prior, reference.identified_uses[0]
        leaf, v = prior.leaf, use.channel.variance
        levels = dict(zip(leaf.values, leaf.log_levels, strict=True))
        if len(set(levels.values())) == 1:
            return _LogProbability(use, next(iter(levels.values())), {})

        def inner(_branch: Branch, own: Leaf, omega: sp.Expr) -> sp.Expr:
            log_z = LogPartition(sp.Symbol(own.tag), sp.Integer(0), omega, v)
            return sp.Add(*(level * sp.exp(level + omega * w + v * w**2 / 2 - log_z) for w, level in levels.items()))

        raw = use.channel.tilted(inner)
        within = use.channel.diagonal - use.channel.levels[-1]  # what v stands for
        slopes = {_mark(x): use.finish(raw.diff(x) + raw.diff(v) * within.diff(x)) for x in use.channel.variables}
        return _LogProbability(use, use.finish(raw), slopes)

    def slope(self, x: sp.Symbol) -> sp.Expr:
        """The derivative through the channel's arguments, in symbols."""
        if not self.values:
            return sp.Integer(0)
        return sp.Add(*(_mark(v) * e.diff(x) for v, e in self.use.arguments.items() if e.diff(x) != 0))


def _mark(variable: sp.Symbol) -> sp.Symbol:
    return sp.Symbol(f"_log_probability_{str(variable).lstrip('_')}", real=True)


def _refuse_other_entropies(reference: Action, *, one_threshold: bool) -> None:
    """Raise where the references' free entropy is not their entropy, or has no derivative in the margin."""
    given = reference.given
    what = ""
    if not given.prior.discrete:
        what = "the weights are not counted, so that their entropy has no meaning of its own"
    elif given.spec.loss.constraint is None:
        what = "the references have an energy: no margin is the largest at a temperature"
    elif given.penalty != 0:
        what = "the loss has a regularization: the free entropy is no count of configurations"
    elif not one_threshold:
        what = "the references' constraint has more than one threshold"
    if what:
        raise DerivationError(
            f"the largest margin is that at which the references' entropy vanishes: {what}",
            place="ansatz.kappa_ref",
            cure="give the margin of the reference by --set kappa_ref=NUMBER, without kappa_ref in the ansatz",
        )
