"""Claims about special points: equations between the parameters and order parameters there, or numbers.

The point is located in alpha, at the parameters that the document gives or at drawn ones, and both sides of the claim are
evaluated there. What holds away from the point, too, says nothing about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinodal.kinds import EXTREMISED
from spinodal.spec import SpecError
from spinodal.verify.compare import TOLERANCE, Sides
from spinodal.verify.domain import kinks
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.meaning import used_names
from spinodal.verify.points import PointClaim, PointReader
from spinodal.verify.reference import NoStatesError, Points, Reference
from spinodal.verify.tree import Node

Array = NDArray[np.float64]

_DRAWS = 3
#: Order parameters at a point are known less accurately than the point's parameter.
_STATE_TOLERANCE = 1e-6
#: Relative changes of everything at the point, under which a claim about it must not go on to hold.
_AWAY = (0.07, 0.11, 0.05, 0.13)
SOLVED_FOR = "alpha"


@dataclass(frozen=True)
class Located:
    """Special points at several parameter points.

    Attributes:
        reference: the model.
        names: what has a value at the points, arrays [points].
        accuracy: the relative accuracy of the located parameter.
        places: the other parameters, point by point.
        unknowns: what the points determine besides.
    """

    reference: Reference
    names: dict[str, Array]
    accuracy: float
    places: tuple[dict[str, float], ...]
    unknowns: tuple[str, ...] = ()

    @property
    def vocabulary(self) -> frozenset[str]:
        """The names that a claim may be repaired with."""
        return frozenset(self.names)

    def values(self, sides: Sides) -> tuple[Array, Array]:
        """Both sides at the points.

        Raises:
            UnreadableError: where they have no values.
        """
        return self._valued(sides, self.names)

    def _valued(self, sides: Sides, names: Mapping[str, Array]) -> tuple[Array, Array]:
        for side in (sides.left, sides.right):
            for name in sorted(used_names(side) - names.keys()):
                raise UnreadableError(f"{name} has no value at the point that could be compared", side.start)
        evaluator = Evaluator(dict(names))
        return evaluator(sides.left), evaluator(sides.right)

    def allowed(self, sides: Sides) -> Array:
        """The absolute difference between the sides that the accuracy of the point leaves open."""
        left, right = self.values(sides)
        moved = {**self.names, SOLVED_FOR: self.names[SOLVED_FOR] * (1.0 + self.accuracy)}
        above, below = self._valued(sides, moved)
        scale = np.maximum(np.abs(left), np.abs(right))
        of_state = (used_names(sides.left) | used_names(sides.right)) & set(self.unknowns)
        return np.maximum(
            (_STATE_TOLERANCE if of_state else TOLERANCE) * scale, 10.0 * np.abs((above - below) - (left - right))
        )

    def holds(self, sides: Sides, at: Points) -> bool:
        """Whether another equation holds, for the search of what would repair the claim."""
        del at  # there is one set of points
        try:
            left, right = self.values(sides)
            return bool(np.all(np.abs(left - right) <= self.allowed(sides)))
        except UnreadableError:
            return False

    def trivial(self, sides: Sides) -> bool:
        """Whether the sides agree away from the points, too, so that nothing is said about them."""
        located = (SOLVED_FOR, *self.unknowns)
        moved = {
            name: values * (1.0 + (_AWAY[located.index(name) % len(_AWAY)] if name in located else 0.0))
            for name, values in self.names.items()
        }
        try:
            left, right = self._valued(sides, moved)
        except UnreadableError:
            return False
        return bool(np.all(np.abs(left - right) <= TOLERANCE * np.maximum(np.abs(left), np.abs(right))))


@dataclass(frozen=True)
class Judged:
    """What a comparison at special points found for one equation.

    Attributes:
        sides: the equation.
        equal: whether it holds.
        deviation: the largest relative deviation.
        values: right and left at the worst point.
        place: the other parameters there.
        located: the parameter's value there.
        rounded: whether the right side is the left one rounded to the digits that it is given with.
    """

    sides: Sides
    equal: bool
    deviation: float
    values: tuple[float, float]
    place: dict[str, float]
    located: float
    rounded: bool


def determined(reference: Reference, kind: str) -> tuple[str, ...]:
    """The parameters that a special point determines besides: an overlap that is given elsewhere, where it is extremised."""
    return tuple(name for name in reference.parameters if kind in EXTREMISED and reference.alias(name) != name)


def locate(reference: Reference, kind: str, reader: PointReader, claims: Sequence[PointClaim], offset: int) -> Located:
    """Find the special points that some statements are about.

    Raises:
        UnreadableError: if the point cannot be located.
        NoStatesError: if the parameters have no values to locate it at.
    """
    free = determined(reference, kind)
    others = [name for name in reference.parameters if name != SOLVED_FOR and name not in free]
    given = {**reference.fixed, **reader.settings}
    kinked = [a for claim in claims for side in claim.sides for a in kinks(side)]
    defaults = {d.name: d.default for d in reference.model.spec.parameters}
    generator = np.random.default_rng(41)
    used = frozenset[str]().union(*(used_names(side) for claim in claims for side in claim.sides))
    # a claim without letters is meant at the parameters' usual values
    number = not (used | reader.varied) & set(others) and all(defaults.get(name) is not None for name in others)
    draws: list[dict[str, float]] = []
    for index in range(_DRAWS if set(others) - set(given) and not number else 1):
        values = {}
        for name in others:
            default = defaults.get(name)
            if number and default is not None:
                values[name] = given.get(name, default)
                continue
            drawn = generator.uniform(0.1, 0.8) if not default else default * generator.uniform(0.8, 1.2)
            drawn *= -1.0 if index == 1 and default == 0.0 else 1.0
            values[name] = given.get(name, float(drawn))
        draws.append(values)
    rows: list[dict[str, float]] = []
    errors: list[float] = []
    places: list[dict[str, float]] = []
    for index, values in enumerate(draws):
        unusual = index == 1  # of the other sign; there need not be a point
        try:
            (point,) = reference.model.locus(kind, SOLVED_FOR, values=values).special_points
        except SpecError as error:
            if unusual:
                continue
            raise UnreadableError(f"{kind}: {error.message}", offset) from None
        if not point.converged:
            if unusual:
                continue
            raise NoStatesError(f"the {kind} of {reference.model.name} was not located")
        places.append(values)
        # in a limit the conjugates diverge: what is shown of the state is a state near it
        state = point.order_parameters if np.isfinite(point.free_entropy) else {}
        rows.append({**values, **state, SOLVED_FOR: point.parameters[SOLVED_FOR]})
        errors.append(point.error_estimate)
    names = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    if {*reference.order_parameters, *reference.parameters} <= names.keys():
        x, p = (np.stack([names[n] for n in order], axis=1) for order in (reference.order_parameters, reference.parameters))
        names = {**reference.names(Points(x, p)), **names}
    accuracy = float(np.max(np.array(errors) / np.abs(names[SOLVED_FOR]))) + 1e-13
    _refuse_one_sided(kinked, names, fixed=number or set(others) <= set(given))
    return Located(reference, names, accuracy, tuple(places), (*reference.order_parameters, *free))


def _refuse_one_sided(arguments: Sequence[Node], names: Mapping[str, Array], *, fixed: bool) -> None:
    """Refuse functions of parameters that are not smooth and that are compared on one side alone."""
    for argument in arguments:
        if fixed and SOLVED_FOR not in used_names(argument):
            continue
        try:
            values = Evaluator(dict(names))(argument)
        except (UnreadableError, KeyError):
            continue
        if np.all(values >= 0.0) or np.all(values <= 0.0):
            raise UnreadableError(
                "a function that is not smooth where this vanishes was compared on one side of it only", argument.start
            )


def judge(located: Located, claim: PointClaim) -> list[Judged]:
    """Compare the sides of one statement at the located points.

    Raises:
        UnreadableError: where a side has no value, or nothing is claimed about the point.
    """
    found = []
    for k, right in enumerate(claim.sides[1:]):
        sides = Sides(claim.sides[0], right)
        if located.trivial(sides):
            raise UnreadableError(
                "a tautology: it holds whatever the special point is, so that nothing is claimed", claim.statement.start
            )
        left, other = located.values(sides)
        difference, scale = np.abs(left - other), np.maximum(np.abs(left), np.abs(other))
        allowed = located.allowed(sides)
        uncertainty = claim.uncertainties[k + 1]
        half = _half_digit(claim, k + 1, right) if uncertainty is None else uncertainty
        approximate = claim.statement.relations[k] == "approx" or uncertainty is not None
        rounded = half is not None and not approximate and bool(np.all(difference <= half + allowed))
        if approximate:
            if half is None:
                raise UnreadableError("an approximate equality with what is no number", claim.statement.start)
            allowed = allowed + half
        relative = difference / np.maximum(scale, 1e-300)
        index = int(np.argmax(relative))
        found.append(
            Judged(
                sides,
                bool(np.all(difference <= allowed)),
                float(relative[index]),
                (float(other[index]), float(left[index])),
                located.places[index],
                float(located.names[SOLVED_FOR][index]),
                rounded,
            )
        )
    return found


def _half_digit(claim: PointClaim, index: int, right: Node) -> float | None:
    """Half a unit of the last digit that a number is given to; None for what is no number."""
    tokens = [t for t in claim.statement.sides[index] if t.kind == "number"]
    if right.kind != "num" or len(tokens) != 1 or len(claim.statement.sides[index]) != 1:
        return None
    return float(0.5 * 10.0 ** -len(tokens[0].text.partition(".")[2]))
