"""The specs that a spec contains: of a Franz-Parisi reference, of a given reference margin, of frozen copies."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from spinodal.spec.ansatz import fresh_name, is_ground
from spinodal.spec.ast import Arithmetic, Name, Number
from spinodal.spec.formula import to_text
from spinodal.spec.types import Ansatz, Formula, Loss, Parameter, Spec


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


def frozen_spec(spec: Spec) -> Spec | None:
    """The replica-symmetric model of blocks of m copies frozen in one configuration: one copy at the temperature T/m.

    Their number m is the last parameter; of a ground state it is mu = m/T. None where blocks of frozen copies are no such
    model: weights that are not counted (their probabilities would be raised to a power), constraints (they do not feel m).
    """
    temperature = spec.loss.temperature
    if not spec.student.weights.is_counted or temperature is None:
        return None
    copies = Parameter(fresh_name(spec, "copies"), None, "number of frozen copies")
    scale = Number(Fraction(1)) if is_ground(spec.loss) else temperature.root
    root = Arithmetic("/", scale, Name(copies.name))
    loss = replace(spec.loss, temperature=Formula(to_text(root), root, temperature.place))
    ansatz = Ansatz("replica-symmetric")
    return replace(spec, ansatz=ansatz, loss=loss, parameters=(*spec.parameters, copies), observables=())
