"""From a spec to its theory.

1. moments of the activation, prior leaf, label law, output leaves    ingredients.py, structure.py
2. channels and feature block on the ansatz' tree of replicas          action.py (replica algebra, n -> 0)
3. the free entropy as their sum, with the pairing of conjugates       action.py
4. stationarity, one equation for each order parameter                 stationarity.py (Price's theorem, textbook form)
5. Jacobian, its directional derivative, parameter derivatives         stationarity.py, system.py
6. replicon and observables                                            replicon.py, observables.py

Nothing here knows a model by name.
"""

from __future__ import annotations

import sympy as sp

from spinodal.spec.types import Observable, Spec
from spinodal.symbolic.action import Action, action_of
from spinodal.symbolic.derivation import Derived
from spinodal.symbolic.domain import conditions_of, definitions_of
from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.formulas import symbol, to_sympy
from spinodal.symbolic.franz_parisi import derive_franz_parisi
from spinodal.symbolic.ingredients import gather
from spinodal.symbolic.observables import Tilt, derive_observables
from spinodal.symbolic.replicon import replicon_of
from spinodal.symbolic.stationarity import parameter_derivative, saddle_of
from spinodal.symbolic.symbols import ALPHA, FIELD_DIAGONAL, FIELD_TEACHER


def derive(spec: Spec) -> Derived:
    """Derive a spec's theory under its ansatz.

    Raises:
        DerivationError: if the declared model has no theory here; says where in the spec and why.
    """
    if spec.ansatz.scheme == "franz-parisi":
        return derive_franz_parisi(spec, derive)
    action = action_of(gather(spec))
    saddle = saddle_of(action)
    definitions = definitions_of(action)
    observables, tilts = _observables(action)
    user = {o.name: _user_observable(action, o) for o in spec.observables}
    parameters = tuple(spec.parameter_names())
    unknowns = saddle.system.unknowns
    return Derived(
        spec=spec,
        order_parameters=tuple(str(x) for x in unknowns),
        conjugates=tuple(str(x) for x in unknowns if str(x).endswith("_hat")),
        parameters=parameters,
        definitions=definitions,
        free_entropy=action.free_entropy,
        system=saddle.system,
        channel_values=saddle.channel_values,
        parameter_derivative=parameter_derivative(action, saddle, definitions, parameters),
        textbook=saddle.textbook,
        observables={**observables, **user},
        tilts=tilts,
        conditions=conditions_of(action),
        leaves={**action.prior.leaves, **action.output.channel.leaves},
        channels=(action.prior, action.output.channel),
        fixed={str(k): v for k, v in action.fixed().items()},
        saturating={str(action.top): action.identified(action.diagonal)},
        moments=action.given.moments,
        pieces={"pairing": action.identified(action.pairing), "block": action.identified(action.block)},
    )


def _observables(action: Action) -> tuple[dict[str, sp.Expr], dict[tuple[str, str], Tilt]]:
    given = action.given
    loss = given.spec.loss
    penalty = (
        sp.Integer(0) if given.bayes or loss.regularization is None else -given.beta * to_sympy(loss.regularization.root)
    )
    found, tilts = derive_observables(
        free_entropy=action.free_entropy,
        prior=given.prior,
        prior_channel=action.prior,
        output=action.output,
        alpha=ALPHA,
        beta=given.beta,
        penalty=penalty,
        has_energy=loss.energy is not None and not given.bayes,
        covariance=(FIELD_DIAGONAL, action.structure.innermost("_Q"), FIELD_TEACHER),
        teacher_variance=action.teacher_variance,
    )
    found = {name: action.inside_identified(e) for name, e in found.items()}
    if action.structure.is_replica_symmetric:
        found["replicon"] = replicon_of(action)
    return found, tilts


def _user_observable(action: Action, observable: Observable) -> sp.Expr:
    unknowns = [x for x in action.unknowns if x not in action.identify]
    expression = action.identified(to_sympy(observable.formula.root)).subs(action.fixed())
    known = {*unknowns, *(symbol(name) for name in action.given.spec.parameter_names())}
    unknown = sorted(str(s) for s in expression.free_symbols - known)
    if unknown:
        raise DerivationError(
            f"{unknown[0]}: not an order parameter of this model",
            place=f"observables.{observable.name}",
            cure=f"use {', '.join(str(x) for x in unknowns)}, or parameters",
        )
    return expression


__all__ = ["derive", "gather"]
