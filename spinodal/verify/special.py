"""Claims about special points: a capacity as a formula in the other parameters, or as a number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinodal.spec import SpecError
from spinodal.verify.compare import TOLERANCE, Sides
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.meaning import used_names
from spinodal.verify.reference import NoStatesError, Points, Reference
from spinodal.verify.statements import Statement
from spinodal.verify.tree import Node

Array = NDArray[np.float64]

_DRAWS = 3


@dataclass(frozen=True)
class Located:
    """Special points at several parameter points, and a claim about them.

    Attributes:
        names: parameters (``alpha`` at the special point), arrays [points].
        accuracy: the relative accuracy of the located values.
        deviation: the claim's largest relative deviation.
        values: claimed and located at the worst point.
        place: the other parameters at that point.
        equal: whether the claim holds.
    """

    reference: Reference
    names: dict[str, Array]
    accuracy: float
    deviation: float
    values: tuple[float, float]
    place: dict[str, float]
    equal: bool

    def holds(self, sides: Sides, at: Points) -> bool:
        """Whether another right side holds, for the search of what would repair the claim."""
        try:
            claimed = Evaluator(self.names)(sides.right)
        except UnreadableError:
            return False
        found = self.names["alpha"]
        return bool(np.all(np.abs(claimed - found) <= max(TOLERANCE, 10.0 * self.accuracy) * found))

    def trivial(self, sides: Sides) -> bool:
        """A formula in alpha itself says nothing."""
        return "alpha" in used_names(sides.right)


def check_special(reference: Reference, kind: str, statement: Statement, rights: list[Node]) -> Located:
    """Compare a formula with the located point.

    Raises:
        UnreadableError: if the point cannot be located, or the formula not evaluated.
        NoStatesError: if the parameters have no values to locate it at.
    """
    others = [name for name in reference.parameters if name != "alpha"]
    defaults = {d.name: d.default for d in reference.model.spec.parameters}
    generator = np.random.default_rng(41)
    draws: list[dict[str, float]] = []
    # a number without letters is meant at the parameters' usual values
    number = not any(used_names(right) for right in rights) and all(defaults.get(name) is not None for name in others)
    for _ in range(_DRAWS if set(others) - set(reference.fixed) and not number else 1):
        values = {}
        for name in others:
            default = defaults.get(name)
            if number and default is not None:
                values[name] = reference.fixed.get(name, default)
                continue
            drawn = generator.uniform(0.1, 0.8) if not default else default * generator.uniform(0.8, 1.2)
            values[name] = reference.fixed.get(name, float(drawn))
        draws.append(values)
    located, errors = [], []
    for values in draws:
        try:
            (point,) = reference.model.locus(kind, "alpha", values=values).special_points
        except SpecError as error:
            raise UnreadableError(f"{kind}: {error.message}", statement.start) from None
        if not point.converged:
            raise NoStatesError(f"the {kind} of {reference.model.name} was not located")
        located.append(point.parameters["alpha"])
        errors.append(point.error_estimate)
    names = {name: np.array([values[name] for values in draws]) for name in others}
    found = np.array(located)
    accuracy = float(np.max(np.array(errors) / found)) + 1e-13
    names["alpha"] = found
    worst, pair, equal, place = 0.0, (float(found[0]), float(found[0])), True, draws[0]
    for k, right in enumerate(rights):
        if "alpha" in used_names(right):
            raise UnreadableError("the right side contains alpha itself: a tautology", right.start)
        claimed = Evaluator(names)(right)
        deviations = np.abs(claimed - found) / found
        allowed = max(TOLERANCE, 10.0 * accuracy)
        if statement.relations[k] == "approx":
            allowed = _half_digit(statement, k + 1) / float(np.min(found)) + allowed
        index = int(np.argmax(deviations))
        if deviations[index] >= worst:
            worst, pair = float(deviations[index]), (float(claimed[index]), float(found[index]))
            place = draws[index]
        equal = equal and bool(np.all(deviations <= allowed))
    return Located(reference, names, accuracy, worst, pair, place, equal)


def _half_digit(statement: Statement, index: int) -> float:
    """Half a unit of the last digit that a number is given to."""
    tokens = [t for t in statement.sides[index] if t.kind == "number"]
    if len(tokens) != 1 or len(statement.sides[index]) != 1:
        raise UnreadableError("an approximate equality with what is no number", statement.start)
    decimals = len(tokens[0].text.partition(".")[2])
    return float(0.5 * 10.0**-decimals)
