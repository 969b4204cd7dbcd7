"""Stage 1 of a derivation: what the spec declares, as symbolic objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from spinodal.spec.types import Spec
from spinodal.symbolic.errors import DerivationError, placed
from spinodal.symbolic.formulas import generic_values, symbol, to_sympy
from spinodal.symbolic.labels import LabelLaw, label_law
from spinodal.symbolic.moments import Moments, activation_moments, parametric_moments
from spinodal.symbolic.outputs import inverse_temperature, is_ground
from spinodal.symbolic.priors import Prior, TeacherPrior, ground_prior, student_prior, teacher_prior
from spinodal.symbolic.structure import Structure, structure_of


@dataclass(frozen=True)
class Ingredients:
    """Everything the spec declares: structure of the replicas, priors, label law, activation, inverse temperature."""

    spec: Spec
    at: Mapping[sp.Symbol, float]
    structure: Structure
    bayes: bool
    prior: Prior
    teacher: TeacherPrior | None
    law: LabelLaw | None
    moments: Moments | None
    beta: sp.Expr

    @property
    def penalty(self) -> sp.Expr:
        """What a regularization adds to the log-weight of a weight; 0 where there is none, or where the prior is true."""
        regularization = self.spec.loss.regularization
        return sp.Integer(0) if self.bayes or regularization is None else -self.beta * to_sympy(regularization.root)


def gather(spec: Spec) -> Ingredients:
    """Read a spec's tables as symbolic objects.

    Raises:
        DerivationError: if the declared model has no theory here; says where in the spec and why.
    """
    bayes = spec.ansatz.scheme == "bayes-optimal"
    structure = structure_of(spec.ansatz, ground=is_ground(spec.loss) and not bayes)
    if bayes and (spec.teacher is None or spec.student.features != "direct"):
        raise DerivationError(
            "bayes-optimal needs a [teacher] on the student's own (direct) features", place="ansatz.scheme"
        )
    at = generic_values({p.name: p.default for p in spec.parameters})
    beta = sp.Integer(1) if bayes else inverse_temperature(spec.loss)
    if structure.ground:
        prior = ground_prior(spec.student.weights, spec.loss.regularization, at)
    else:
        prior = student_prior(spec.student.weights, None if bayes else spec.loss.regularization, beta, at)
    teacher, law = None, None
    if spec.teacher is not None:
        with placed("teacher.label"):
            law = label_law(spec.teacher, at)
        teacher = teacher_prior(spec.teacher.weights, prior, at)
        if bayes:  # the student's prior is the teacher's, at the teacher's scale
            prior = student_prior(spec.teacher.weights, None, beta, at, scale=teacher.scale)
            teacher = teacher_prior(spec.teacher.weights, prior, at)
    moments = None
    if spec.student.activation is not None and spec.student.features == "random":
        activation = to_sympy(spec.student.activation.root)
        x = symbol("x")
        free = activation.free_symbols - {x}
        with placed("student.features.activation"):
            moments = parametric_moments(activation, x) if free else activation_moments(activation, x, at)
    return Ingredients(spec, at, structure, bayes, prior, teacher, law, moments, beta)
