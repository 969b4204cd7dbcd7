"""The tables of a spec, one reader each: model, student, teacher, loss, observables.

Structure and names are settled here; what the formulas mean in numbers is for :mod:`spinodal.spec.checks`.
"""

from __future__ import annotations

import re

from spinodal.spec.ast import names
from spinodal.spec.errors import clip
from spinodal.spec.names import OBSERVABLES, ORDER_PARAMETERS, SCALED_SIZE
from spinodal.spec.parameters import why_not_a_name
from spinodal.spec.tables import Table, describe
from spinodal.spec.types import FeatureMap, Formula, Loss, Observable, Student, Teacher, WeightKind, Weights

WEIGHT_WORDS: dict[str, WeightKind] = {
    "binary": "binary",
    "spherical": "spherical",
    "gaussian": "gaussian",
    "unconstrained": "unconstrained",
}
_FORMS = 'one of "binary", "spherical", "gaussian", "unconstrained", { values = [...] }, { density = "..." }'
MAX_VALUES = 100
MODEL_NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}"


def read_model(table: Table | None, default_name: str) -> tuple[str, str]:
    """The model's name and description."""
    if table is None:
        return default_name, ""
    table.allow(("name", "description"))
    name = table.string("name") if "name" in table else default_name
    if "name" in table and not re.fullmatch(MODEL_NAME, name):
        raise table.error(
            "name", f'"{clip(name)}" is no name for a model', "use letters, digits, and - _ . +, at most 80 of them"
        )
    return name, table.string("description") if "description" in table else ""


def read_student(table: Table) -> Student:
    """The student: weights and features."""
    table.allow(("weights", "features"))
    table.require("weights", f"weights are {_FORMS}")
    weights = read_weights(table, "weights", teacher=False)
    features, activation = _read_features(table) if "features" in table else ("direct", None)
    return Student(weights, features, activation)


def _read_features(table: Table) -> tuple[FeatureMap, Formula | None]:
    random = 'features = { map = "random", activation = "sign(x)" }'
    value = table.data["features"]
    if value == "direct":
        return "direct", None
    if value == "random":
        raise table.error("features", "random features need an activation", f"write {random}")
    if isinstance(value, str):
        raise table.error("features", f'features: unknown map "{clip(value)}"', f'write "direct", or {random}')
    inner = table.table("features")
    inner.allow(("map", "activation"))
    inner.require("map", 'add map = "random"')
    if inner.choice("map", ("direct", "random")) == "direct":
        if "activation" in inner:
            raise inner.error("activation", "direct features have no activation", 'write map = "random"', at_key=True)
        return "direct", None
    inner.require("activation", 'add activation = "sign(x)"')
    activation = inner.formula("activation", variables=("x",))
    if "x" not in names(activation.root):
        raise inner.error("activation", "the activation does not depend on x", "as in tanh(x)")
    return "random", activation


def read_weights(table: Table, key: str, *, teacher: bool) -> Weights:
    """A weight prior; ``teacher`` adds the entry ``normalise`` and refuses priors that cannot be sampled."""
    value = table.data[key]
    if isinstance(value, str):
        if value not in WEIGHT_WORDS:
            table.choice(key, tuple(WEIGHT_WORDS))
        if teacher and value == "unconstrained":
            raise table.error(
                key, "a teacher cannot be unconstrained: there is no measure to draw it from", 'write "gaussian"'
            )
        return Weights(WEIGHT_WORDS[value])
    if not isinstance(value, dict):
        raise table.error(key, f"{key}: {describe(value)} where weights are needed", _FORMS)
    inner = table.table(key)
    inner.allow(("values", "probabilities", "density", *(["normalise"] if teacher else [])))
    if ("values" in inner) == ("density" in inner):
        raise table.error(key, "weights have either values or a density", "as in { values = [-1, 0, 1] }")
    normalise = inner.boolean("normalise") if "normalise" in inner else True
    if "density" in inner:
        if "probabilities" in inner:
            raise inner.error("probabilities", "probabilities belong to values, not to a density", at_key=True)
        density = inner.formula("density", variables=("w",))
        if "w" not in names(density.root):
            raise inner.error("density", "the density does not depend on w", "as in exp(-abs(w))/2")
        return Weights("density", density=density, normalise=normalise)
    return _read_values(inner, normalise=normalise)


def _read_values(table: Table, *, normalise: bool) -> Weights:
    values = table.formulas("values")
    if not 2 <= len(values) <= MAX_VALUES:
        raise table.error("values", f"{len(values)} values", f"weights take 2 to {MAX_VALUES} different values")
    probabilities = table.formulas("probabilities") if "probabilities" in table else None
    if probabilities is not None and len(probabilities) != len(values):
        raise table.error(
            "probabilities",
            f"{len(probabilities)} probabilities for {len(values)} values",
            "give one for each value, in the same order",
        )
    return Weights("discrete", values=values, probabilities=probabilities, normalise=normalise)


def read_teacher(table: Table) -> Teacher:
    """The teacher: weights, label, and the probability of a flipped label."""
    table.allow(("weights", "label", "flip_probability", "normalise"))
    table.require("weights", 'add weights = "gaussian"')
    table.require("label", 'add label = "sign(u)"')
    weights = read_weights(table, "weights", teacher=True)
    if "normalise" in table:
        normalise = table.boolean("normalise")
        weights = Weights(weights.kind, weights.values, weights.probabilities, weights.density, normalise)
    label = table.formula("label", variables=("u", "noise"))
    if not names(label.root) & {"u", "noise"}:
        raise table.error("label", "the label depends on neither u nor noise", "as in sign(u)")
    flip = table.formula("flip_probability") if "flip_probability" in table else None
    return Teacher(weights, label, flip)


def read_loss(table: Table) -> Loss:
    """The loss: a constraint, or an energy at a temperature."""
    table.allow(("constraint", "energy", "temperature", "regularization"))
    if "constraint" in table and "energy" in table:
        raise table.error("energy", "a loss has either a constraint or an energy, not both", "remove one", at_key=True)
    if "constraint" in table:
        return _read_constraint(table)
    if "energy" not in table:
        raise table.error(None, "[loss] has neither a constraint nor an energy", 'add constraint = "y*h >= 0"')
    energy = table.formula("energy", variables=("y", "h"))
    _require_field(table, "energy", energy)
    table.require("temperature", "an energy needs one: a parameter, a number, or 0 for the ground state")
    temperature = table.formula("temperature")
    regularization = table.formula("regularization", variables=("w",)) if "regularization" in table else None
    return Loss(energy=energy, temperature=temperature, regularization=regularization)


def _read_constraint(table: Table) -> Loss:
    for key, cure in (
        ("temperature", "remove it, or give an energy instead"),
        ("regularization", "give the weights a density instead"),
    ):
        if key in table:
            raise table.error(key, f"{key} belongs to an energy, not to a constraint", cure, at_key=True)
    constraint = table.formula("constraint", variables=("y", "h"), truth=True)
    _require_field(table, "constraint", constraint)
    return Loss(constraint=constraint)


def _require_field(table: Table, key: str, formula: Formula) -> None:
    if "h" not in names(formula.root):
        raise table.error(key, f"the {key} does not depend on the student's field h", 'as in "y*h >= 0"')


def read_observables(table: Table) -> tuple[Observable, ...]:
    """The user's observables: formulas in order parameters and parameters."""
    found: list[Observable] = []
    for name in table:
        reason = why_not_a_name(name)
        if reason is None and name in ORDER_PARAMETERS:
            reason = "reserved for an order parameter"
        if reason is None and name in OBSERVABLES:
            reason = "an observable that every derivation defines itself"
        if reason is None and name in table.parameters:
            reason = "already the name of a parameter"
        if reason is not None:
            raise table.error(name, f"{clip(name)}: {reason}", "choose another name", at_key=True)
        found.append(Observable(name, table.formula(name, variables=ORDER_PARAMETERS | {SCALED_SIZE})))
    return tuple(found)
