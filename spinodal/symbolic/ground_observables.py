"""Standard observables of a ground state: energy, errors, replicon.

The energy per weight is minus the free entropy's limit T phi. A pattern's loss and a weight's regularization are what
the maximum Lambda is without the pull of the field,

    V(y, h*) = -Lambda - V (dLambda)^2 / 2,        r(w*) = omega dLambda + V (dLambda)^2 / 2 - Lambda.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from spinodal.symbolic.action import Action
from spinodal.symbolic.channel import Branch
from spinodal.symbolic.ground import ANSWERED, Ground, Observed
from spinodal.symbolic.labels import RealLabels
from spinodal.symbolic.leaves import Leaf, LeafKind
from spinodal.symbolic.maximisers import HIGHEST
from spinodal.symbolic.observables import generalization_errors, wrong
from spinodal.symbolic.predictions import Prediction
from spinodal.symbolic.replicon import replicons_of
from spinodal.symbolic.stationarity import complexity
from spinodal.symbolic.symbols import ALPHA, FIELD_TEACHER


def ground_observables(action: Action) -> dict[str, sp.Expr]:
    """Every standard observable of a ground state that the model has."""
    prior_use, output_use = action.identified_uses
    channel = output_use.channel

    def loss(_branch: Branch, leaf: Leaf, omega: sp.Expr) -> sp.Expr:
        height, slope = (leaf.log_derivative(k, omega, channel.diagonal) for k in (0, 1))
        return -height - channel.diagonal * slope**2 / 2

    def penalty(_branch: Branch, leaf: Leaf, omega: sp.Expr) -> sp.Expr:
        height, slope = (leaf.log_derivative(k, omega, prior_use.channel.diagonal) for k in (0, 1))
        return omega * slope + prior_use.channel.diagonal * slope**2 / 2 - height

    found = {"energy": ALPHA * output_use.finish(channel.tilted(loss))}
    if action.given.prior.leaf.log_weight != 0:
        found["energy"] += prior_use.finish(prior_use.channel.tilted(penalty))
    found |= _training_error(action)
    innermost = channel.levels[-1]
    covariance = (innermost, innermost, FIELD_TEACHER)
    found |= generalization_errors(action.output, covariance, action.teacher_variance)
    found.update(replicons_of(action))
    for size in action.structure.sizes:
        first = {mark: use.expression(key) for use in action.identified_uses for mark, key in use.names(1)}
        found["complexity"] = complexity(action, size).xreplace(first)
    return found


def _training_error(action: Action) -> dict[str, sp.Expr]:
    """The part of the patterns that get a wrong answer; the mean squared error of labels that are not +-1."""
    law, use = action.output.law, action.identified_uses[1]
    channel, prediction = use.channel, action.output.prediction
    real = isinstance(law, RealLabels) or (law is not None and not law.is_binary)
    if prediction is None or (action.output.blind and not real):
        return {}

    def error(_branch: Branch, leaf: Leaf, omega: sp.Expr) -> sp.Expr:
        if real and prediction.is_field:  # nothing jumps: no cuts, and no closed form is given up
            field = omega + channel.diagonal * leaf.log_derivative(1, omega, channel.diagonal)
            return sp.expand((leaf.label - field) ** 2)
        answered = _answered(leaf, prediction)
        site = Ground(HIGHEST, sp.Integer(0), sp.Symbol(answered.tag), omega, channel.diagonal, leaf.label)
        return Observed(site, (leaf.label - prediction.value) ** 2 if real else wrong(leaf, prediction.value))

    return {"training_error": use.finish(channel.tilted(error))}


def answered_leaves(action: Action) -> dict[str, Leaf]:
    """The leaves that training errors may be read from: cut where the student's answer changes."""
    prediction = action.output.prediction
    if prediction is None:
        return {}
    students = (action.output.channel.leaves[b.student] for b in action.output.channel.branches)
    return {leaf.tag: leaf for leaf in (_answered(student, prediction) for student in students)}


def _answered(leaf: Leaf, prediction: Prediction) -> Leaf:
    kind: LeafKind = "pieces" if leaf.kind == "quadratic" else leaf.kind
    splits = tuple(dict.fromkeys((*leaf.splits, *prediction.edges)))
    return replace(leaf, tag=leaf.tag + ANSWERED, kind=kind, splits=splits)
