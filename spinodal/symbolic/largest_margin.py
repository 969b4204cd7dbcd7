"""References of the largest margin: kappa_ref becomes an unknown, the vanishing of the references' entropy its equation.

The entropy of a constraint on counted weights is the reference's free entropy, so that its derivatives are those of an
action: one more row and column of the Jacobian, in symbols that are there already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import sympy as sp

from spinodal.spec.types import Spec
from spinodal.symbolic.action import Action
from spinodal.symbolic.derivation import Derived
from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.stationarity import hidden_parameters

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
        DerivationError: where the entropy is not the free entropy, or derivatives in the margin are numerical.
    """
    index = given.parameters.index(str(KAPPA_REF))
    column = [row[index] for row in given.parameter_derivative]
    _refuse_other_entropies(reference, one_threshold=not any(entry is None for entry in column))
    uses = reference.identified_uses

    def slope(x: sp.Symbol) -> sp.Expr:
        """The derivative of the reference's free entropy, explicit and through its channels' arguments."""
        total = (reference.pairing + reference.block).diff(x)
        for use in uses:
            total += sp.Add(*(use.factor * use.name((v,)) * e.diff(x) for v, e in use.arguments.items()))
            if x not in base.system.unknowns:  # a parameter: explicit, in the factor and inside the averages
                value = use.finish(use.channel.value)
                total += use.factor.diff(x) * value + use.factor * value.diff(x)
        return rename(total)

    values = dict(given.channel_values)
    for use in uses:
        values.update({rename(mark): rename(use.expression(key)) for mark, key in use.names(1)})
    own = {rename(x): x for x in base.system.unknowns}
    moments = [d.expression for d in base.definitions if str(d.symbol).startswith("_kappa")]
    moments += hidden_parameters(leaf for use in uses for leaf in use.channel.leaves.values())
    system = given.system
    size = len(system.unknowns)
    entries = system.jacobian.tolist()
    last = [slope(own[x]) if x in own else sp.Integer(0) for x in system.unknowns]
    jacobian = [[*row, entry] for row, entry in zip(entries, column, strict=True)] + [[*last, slope(KAPPA_REF)]]
    entropy = rename(base.free_entropy)
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


def _refuse_other_entropies(reference: Action, *, one_threshold: bool) -> None:
    """Raise where the references' free entropy is not their entropy, or has no derivative in the margin."""
    given = reference.given
    what = ""
    if not given.prior.is_counted:
        what = "the weights are not counted, so that their entropy has no meaning of its own"
        if given.prior.discrete:
            what = "the weights have probabilities: their free entropy is no count of configurations"
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
