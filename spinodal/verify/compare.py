"""Whether a claimed equation is the derivation's: everywhere, at the saddle point only, up to a factor, or not at all.

An order parameter's equation ``left = right`` is compared on the surface where that equation of the derivation holds and
no other does: there both sides must agree, and away from it they must not (else the equation says nothing). The
free entropy and observables are compared at random states. What is not equal there is tried at solved states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from spinodal.verify.domain import kinks, one_sided, other_side, values_at
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.meaning import used_names
from spinodal.verify.reference import Points, Reference
from spinodal.verify.tree import Node

Array = NDArray[np.float64]

#: Two values are equal if they differ by less than this, relative to the larger.
TOLERANCE = 1e-8
#: Values known less accurately than this are not compared.
ACCURACY = 1e-6
#: A variant of an equation whose sides differ by more than this at a few points, roughly evaluated, is left out.
_ROUGH, _FEW = 2e-3, 3
#: Of the first steps of the rules that a refutation is confirmed with.
_OTHER_SCALE = 0.71
#: Relative rounding of a term.
_ROUNDING = 1e-15
_ROUGH_LIMIT = 60_000_000
#: An order parameter below this is zero at a solved state.
_NOTHING = 1e-7


@dataclass(frozen=True)
class Sides:
    """A claim ready to be compared: both sides in bound variables and model names."""

    left: Node
    right: Node


@dataclass(frozen=True)
class Comparison:
    """Both sides at some points.

    Attributes:
        left: values [B].
        right: values [B].
        accuracy: the relative error estimate of the values.
        at: the points.
        scale: what the values are compared relative to; None for the larger one.
    """

    left: Array
    right: Array
    accuracy: float
    at: Points
    scale: Array | None = None

    @property
    def deviations(self) -> Array:
        """|left - right| relative to the larger, or to their terms where both vanish, [B]."""
        scale = _scale(self.left, self.right) if self.scale is None else self.scale
        return np.asarray(np.abs(self.left - self.right) / scale)

    @property
    def deviation(self) -> float:
        """The largest relative deviation."""
        return float(np.max(self.deviations))

    @property
    def equal(self) -> bool:
        """Equal at every point within what the values are known to."""
        return self.accuracy <= ACCURACY and self.deviation <= max(TOLERANCE, 10.0 * self.accuracy)


def _scale(left: Array, right: Array) -> Array:
    return np.maximum(np.maximum(np.abs(left), np.abs(right)), 1e-12)


@dataclass(frozen=True)
class Stage:
    """A set of points to compare at.

    Attributes:
        meaning: the status that equality there has.
        at: the points.
        note: what holds there besides, for the author.
        others: order parameters whose equations hold there, too; what follows from those alone is none of the quantity's.
        equations: order parameters whose equations hold at the points.
        unknowns: what was changed for that, if not the same order parameters.
    """

    meaning: str
    at: Points
    note: str = ""
    others: tuple[str, ...] = ()
    equations: tuple[str, ...] = ()
    unknowns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Target:
    """What a claim is compared with.

    Attributes:
        reference: the model.
        quantity: an order parameter, an observable, ``free_entropy`` or a definition.
    """

    reference: Reference
    quantity: str
    _evaluators: dict[tuple[int, bool], tuple[Points, Evaluator]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_equation(self) -> bool:
        """Whether the quantity is an order parameter, given by an equation."""
        return self.quantity in self.reference.order_parameters

    @property
    def vocabulary(self) -> frozenset[str]:
        """The names that a claim may be repaired with."""
        reference = self.reference
        own = frozenset({*reference.order_parameters, *reference.parameters})
        return own | (reference.derived_names - reference.renamed)

    def names(self, at: Points) -> dict[str, Array]:
        """Model names at points, with the quantity's own value where it is one."""
        found = self.reference.names(at)
        if not self.is_equation and self.quantity not in found:
            found[self.quantity] = self.reference.quantity(self.quantity, at)
        return found

    def compare(self, sides: Sides, at: Points) -> Comparison:
        """Evaluate both sides.

        Raises:
            UnreadableError: if a side has no finite value.
        """
        return self._compared(sides, at)

    def _compared(self, sides: Sides, at: Points, *, fine: bool = True) -> Comparison:
        evaluator = self._evaluator(at, fine=fine)
        evaluator.deadline = self.reference.deadline
        few = at if fine else at.head(_FEW)
        for name in (used_names(sides.left) | used_names(sides.right)) - evaluator.names.keys():  # other quantities
            evaluator.names[name] = self.reference.quantity(name, few)
        left, noise = evaluator(sides.left), evaluator.noise
        right, noise = evaluator(sides.right), noise + evaluator.noise
        scale = _scale(left, right)
        if fine:
            terms = _magnitude(sides.left, evaluator) + _magnitude(sides.right, evaluator)
            noise = noise + _ROUNDING * terms
            # where both sides vanish (an error that is 1 - 1) that is known relative to their terms; elsewhere they must not
            vanish = (np.maximum(np.abs(left), np.abs(right)) <= noise) & (noise <= ACCURACY * terms)
            if np.any(vanish) and np.sum(~vanish) > 1:
                scale = np.where(vanish, terms, scale)
        # relative to the larger side: a side that vanishes is known well if it is known to be small
        with np.errstate(invalid="ignore"):
            error = float(np.max(noise / scale))
        return Comparison(left, right, (error if np.isfinite(error) else np.inf) + 1e-13, few, scale)

    def disagreement(self, sides: Sides, at: Points) -> float:
        """How much either side changes, relatively, under other rules: what their error estimates should be above."""
        known = self.compare(sides, at)
        evaluator = Evaluator(dict(self._evaluator(at).names), scale=_OTHER_SCALE, deadline=self.reference.deadline)
        changes = [np.abs(evaluator(side) - value) for side, value in ((sides.left, known.left), (sides.right, known.right))]
        return float(np.max(np.stack(changes) / _scale(known.left, known.right)))

    def _evaluator(self, at: Points, *, fine: bool = True) -> Evaluator:
        """One that remembers what it has computed at these points (the first few of them, roughly)."""
        known = self._evaluators.get((id(at), fine))
        if known is None:
            if fine:
                evaluator = Evaluator(self.names(at))
            else:
                steps = {key: step for _, other in self._evaluators.values() for key, step in other.steps.items()}
                evaluator = Evaluator(self.names(at.head(_FEW)), fine=False, limit=_ROUGH_LIMIT, steps=steps)
            known = self._evaluators[id(at), fine] = (at, evaluator)
        return known[1]

    def stages(self, sides: Sides) -> Iterator[Stage]:
        """Where to compare, the strongest statement first."""
        reference = self.reference
        if self.is_equation:
            yield Stage("verified", reference.on_surface((self.quantity,)), equations=(self.quantity,))
            for joint in self._joints(sides):
                others = tuple(n for n in joint if n != self.quantity)
                note = f"together with the equation{'s' if len(others) > 1 else ''} of {', '.join(others)}"
                yield Stage("verified", reference.on_surface(joint), note, others, joint)
        else:
            yield Stage("verified", reference.free)
            used = used_names(sides.right) | used_names(sides.left)
            missing = tuple(n for n in reference.order_parameters if n not in used)
            equations = tuple(reference.stationarity(n) for n in missing)
            if missing and len(missing) < len(reference.order_parameters) and not _both(missing, equations):
                points = reference.on_surface(equations, missing)
                note = f"with {', '.join(missing)} eliminated by stationarity"
                yield Stage("verified", points, note, (), equations, missing)
        for joint, unknowns in self._eliminated(sides):
            others = tuple(n for n in joint if n != self.quantity)
            note = f"with the equations of {', '.join(others)}"
            yield Stage("saddle-point-only", reference.on_surface(joint, unknowns), note, others, joint, unknowns)
        yield Stage("saddle-point-only", reference.solved)

    def _eliminated(self, sides: Sides) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
        """The equations that a claim without its own conjugate may have used, and what is solved for then.

        A conjugate is eliminated by the equations of the overlaps that are paired with it. All overlaps but its own keep
        their values, so that there is such a state where the whole system has none.
        """
        reference, used = self.reference, used_names(sides.left) | used_names(sides.right)
        partner = reference.partner(self.quantity) if self.is_equation else None
        if partner is None or self.quantity in used:
            return
        family = reference.family(partner)
        conjugates = [n if n.endswith("_hat") else reference.partner(n) for n in family]
        joint = tuple(n for n in reference.order_parameters if n in (self.quantity, *family))
        unknowns = tuple(n for n in reference.order_parameters if n in (partner, *conjugates))
        if len(joint) == len(unknowns) < len(reference.order_parameters):
            yield joint, unknowns

    def _joints(self, sides: Sides) -> Iterator[tuple[str, ...]]:
        """The order parameters whose equations an author may have combined with the quantity's own.

        Those that the left side names; and those of the same matrix of overlaps: textbooks give every entry's equation,
        the derivation those of entries and of their differences.
        """
        names = self.reference.order_parameters
        used = used_names(sides.left) | used_names(sides.right)
        if self.quantity not in used:
            return
        named, family = used_names(sides.left) & set(names), set(self.reference.family(self.quantity))
        seen: set[tuple[str, ...]] = set()
        for more in (named, family, named | family):
            joint = tuple(n for n in names if n in more | {self.quantity})
            if 1 < len(joint) < len(names) and joint not in seen:
                seen.add(joint)
                yield joint

    def follows_from(self, sides: Sides, others: tuple[str, ...]) -> bool:
        """Whether other order parameters' equations alone imply a claim, in whatever form they are written.

        Adding the quantity's own equation to one of theirs gives the form in which it does not contain the quantity.
        """
        if not others or not self.holds(sides, self.reference.on_surface(others)):
            return False
        return not (
            self.quantity in used_names(sides.left) | used_names(sides.right)
            and set(others) <= set(self.reference.family(self.quantity))
            and len(others) == 1
            and len(surface := self.reference.on_surface(others, added=self.quantity)) > 0
            and not self.holds(sides, surface)
        )

    def vanishing(self, sides: Sides) -> tuple[str, ...]:
        """The names in a claim that vanish at every solved state, where what multiplies them is not tested."""
        solved = self.reference.solved
        values = self.reference.names(solved) if len(solved) else {}
        used = (used_names(sides.left) | used_names(sides.right)) & values.keys() - set(self.reference.parameters)
        return tuple(sorted(name for name in used if np.all(np.abs(values[name]) < _NOTHING)))

    def beyond(self, sides: Sides, stage: Stage) -> Comparison | None:
        r"""What is not smooth in parameters (``|\kappa|``), compared on the side on which it has not been yet.

        Returns:
            A comparison that fails there, or None.

        Raises:
            UnreadableError: where there is another side and no state to compare at.
        """
        arguments = [a for side in (sides.left, sides.right) for a in kinks(side)]
        for argument, sign in one_sided(arguments, self.reference, stage.at):
            start = other_side(self.reference, argument, sign)
            if len(start) == 0:
                continue
            moved = (
                self.reference.from_points(start, stage.equations, stage.unknowns) if stage.meaning == "verified" else None
            )
            if moved is not None:
                there = np.flatnonzero(sign * values_at(argument, self.reference, moved) > 0.0)
                moved = Points(moved.x[there], moved.p[there])
            if moved is None or len(moved) == 0:
                raise UnreadableError(
                    "a function that is not smooth where this vanishes was compared on one side of it only", argument.start
                )
            found = self.compare(sides, moved)
            if found.accuracy > ACCURACY:
                raise UnreadableError(
                    f"on the other side of where this vanishes its integrals are known to {found.accuracy:.0e} only",
                    argument.start,
                )
            if not found.equal:
                return found
        return None

    def trivial(self, sides: Sides) -> bool:
        """Whether both sides agree everywhere, so that the equation says nothing about the quantity."""
        if not self.is_equation:
            return False
        return self.compare(sides, self.reference.free).equal

    def holds(self, sides: Sides, at: Points) -> bool:
        """Whether both sides agree at points, tried roughly first."""
        if len(at) == 0:
            return False
        try:
            if self._compared(sides, at, fine=False).deviation > _ROUGH:
                return False
            return self.compare(sides, at).equal
        except UnreadableError:
            return False


def _magnitude(node: Node, evaluator: Evaluator) -> Array:
    """What the terms of a formula come to without their signs: what it is rounded relative to."""
    match node.kind:
        case "add":
            return np.asarray(np.sum([_magnitude(a, evaluator) for a in node.args], axis=0))
        case "mul":
            return np.asarray(np.prod([_magnitude(a, evaluator) for a in node.args], axis=0))
        case "neg" | "named":
            return _magnitude(node.args[0], evaluator)
        case "div":
            return _magnitude(node.args[0], evaluator) / np.abs(evaluator(node.args[1]))
    return np.abs(evaluator(node))


def _both(missing: tuple[str, ...], equations: tuple[str, ...]) -> bool:
    """Whether an overlap is missing together with its conjugate: neither determines the other."""
    return any(equation in missing and equation != name for name, equation in zip(missing, equations, strict=True))


# ---- factors

_CONSTANTS: tuple[tuple[str, float], ...] = (
    ("", 1.0),
    ("sqrt(2)", float(np.sqrt(2.0))),
    ("pi", float(np.pi)),
    ("sqrt(pi)", float(np.sqrt(np.pi))),
    ("sqrt(2 pi)", float(np.sqrt(2.0 * np.pi))),
    ("1/sqrt(2)", float(1.0 / np.sqrt(2.0))),
    ("1/pi", float(1.0 / np.pi)),
    ("1/sqrt(pi)", float(1.0 / np.sqrt(np.pi))),
    ("1/sqrt(2 pi)", float(1.0 / np.sqrt(2.0 * np.pi))),
    ("log(2)", float(np.log(2.0))),
)


def name_factor(value: float) -> str | None:
    """``-1``, ``1/2``, ``2 pi`` ... if the number is a simple one."""
    for text, constant in _CONSTANTS:
        ratio = value / constant
        simple = Fraction(ratio).limit_denominator(24)
        if simple != 0 and abs(simple.numerator) <= 48 and abs(float(simple) / ratio - 1.0) < 1e-7:
            if not text:
                return str(simple)
            if text.startswith("1/") and abs(simple.numerator) == 1 and simple.denominator > 1:
                return f"{'-' if simple < 0 else ''}1/({simple.denominator} {text[2:]})"
            lead = {1: "", -1: "-"}.get(simple, f"{simple} ")  # type: ignore[call-overload]
            return f"{lead}{text}"
    return None


@dataclass(frozen=True, slots=True)
class Factor:
    """The factor that the right side must be multiplied by.

    Attributes:
        text: the factor, for the author.
        kind: ``sign`` or ``factor``.
        simple: whether it is a simple number, times powers.
        powers: whether it depends on parameters or order parameters (and may be 1 where more equations hold).
    """

    text: str
    kind: str
    simple: bool = True
    powers: bool = False


def _factors(target: Target, names: dict[str, Array], one: Array) -> list[tuple[str, Array]]:
    """What factors are made of: powers of a parameter, times powers of an order parameter or of one minus it."""
    reference = target.reference
    outer: list[tuple[str, Array]] = [("", one)]
    for name in reference.parameters:
        if np.all(names[name] > 0) and np.ptp(names[name]) > 1e-6:
            outer += [(text, names[name] ** power) for power, text in _powers(name)]
    inner: list[tuple[str, Array]] = [("", one)]
    for name in reference.order_parameters:
        for text, values in ((name, names[name]), (f"(1-{name})", 1.0 - names[name])):
            if np.all(values > 0) and np.ptp(values) > 1e-6:
                inner += [(t, values**power) for power, t in _powers(text)]
    return [(_product(a, b), u * v) for b, v in inner for a, u in outer]


def _product(one: str, other: str) -> str:
    """Two powers beside each other, with one bar for what is divided by.

    >>> _product("1/alpha", "r_hat"), _product("alpha", "1/(1-q)"), _product("1/alpha", "1/q")
    ('r_hat/alpha', 'alpha/(1-q)', '1/(alpha q)')
    """
    if not one or not other:
        return one or other
    above = " ".join(text for text in (one, other) if not text.startswith("1/")) or "1"
    below = " ".join(text[2:] for text in (one, other) if text.startswith("1/"))
    if not below:
        return above
    return f"{above}/({below})" if " " in below else f"{above}/{below}"


def _powers(text: str) -> tuple[tuple[float, str], ...]:
    return (
        (1, text),
        (-1, f"1/{text}"),
        (2, f"{text}^2"),
        (-2, f"1/{text}^2"),
        (0.5, f"sqrt({text})"),
        (-0.5, f"1/sqrt({text})"),
    )


def constant_factor(target: Target, found: Comparison) -> Factor | None:
    """The factor between the two sides at several points, if it is one number, or a power of a parameter."""
    if len(found.at) < 2:
        return None
    if found.accuracy > ACCURACY or np.any(np.abs(found.right) < 1e-12) or np.any(np.abs(found.left) < 1e-12):
        return None
    ratio = found.left / found.right
    names = target.names(found.at)
    candidates = _factors(target, names, np.ones_like(ratio))
    for text, values in candidates:
        constant = ratio / values
        if np.ptp(constant) > max(1e-7, 10 * found.accuracy) * np.max(np.abs(constant)):
            continue
        number = name_factor(float(np.mean(constant)))
        if number is None and (text or len(found.at) < 3):
            continue
        if number is None:
            return Factor(f"{float(np.mean(constant)):.8g}", "factor", simple=False)
        whole = " ".join(part for part in (number if number != "1" or not text else "", text) if part)
        return Factor(whole, "sign" if whole == "-1" else "factor", powers=bool(text))
    return None


Check = Callable[[Sides], bool]
