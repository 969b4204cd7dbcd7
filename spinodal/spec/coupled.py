"""The specs that a Franz-Parisi spec contains: its reference's own, and the one whose reference margin is a parameter."""

from __future__ import annotations

from dataclasses import replace

from spinodal.spec.types import Ansatz, Loss, Parameter, Spec


def reference_spec(spec: Spec) -> Spec:
    """The replica-symmetric model of the reference alone, with the same parameters."""
    loss, declared = spec.loss, spec.ansatz.reference
    if declared is not None:
        kept = spec.loss.regularization if declared.energy is not None else None
        loss = Loss(declared.constraint, declared.energy, declared.temperature, kept)
    return replace(spec, ansatz=Ansatz("replica-symmetric"), loss=loss, observables=())


def given_margin(spec: Spec) -> Spec:
    """The same model with the reference's margin a parameter instead of the largest possible."""
    margin = Parameter("kappa_ref", None, "margin of the reference")
    known = spec.parameter_names()
    parameters = spec.parameters if margin.name in known else (*spec.parameters, margin)
    return replace(spec, parameters=parameters, ansatz=replace(spec.ansatz, kappa_ref_max=False))
