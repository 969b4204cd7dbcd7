r"""Whatever else the display of a claim says: definitions, conditions, further equations, words.

Nothing of it is passed over. What a definition says besides the side that is used must agree with that side; an equation in
quantities of the model is checked as a claim of its own; what can be neither is a reason not to pass the claim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinodal.verify.averages import defined_measure
from spinodal.verify.compare import ACCURACY, TOLERANCE
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.letters import Letters
from spinodal.verify.meaning import Definition, used_names
from spinodal.verify.points import PointReader
from spinodal.verify.reference import Array, Points, Reference
from spinodal.verify.results import Outcome, Status
from spinodal.verify.statements import Statement, signed, symbol_alone, symbol_at
from spinodal.verify.symbols import plain
from spinodal.verify.tree import Node, substituted, sym

if TYPE_CHECKING:
    from spinodal.verify.task import Task

_CURE = "give it a markup of its own, or take it out of the display"
#: Letters that grow in the limit in which densities are meant, and the number of replicas.
_SIZES = frozenset(["N", "P", "D", "M", "K", "n"])
_SEED = 1921
_INEQUALITIES = frozenset(["leq", "geq", "<", ">", "ll", "gg", "neq"])


@dataclass(frozen=True)
class Surroundings:
    """A claim that holds, with what is known of its letters, and how a further claim is checked.

    Attributes:
        task: the claim.
        statement: its equation.
        reference: the model's side.
        letters: what its letters mean; those that it has used are marked.
        reader: takes note of conditions.
        beside: the other statements of its display that no markup claims.
        claimed: names of the quantities that letters are claimed to be elsewhere in the document.
        check: the outcome of another task, without its own surroundings.
    """

    task: Task
    statement: Statement
    reference: Reference
    letters: Letters
    reader: PointReader
    beside: tuple[Statement, ...]
    claimed: Mapping[str, str]
    check: Callable[[Task], Outcome]

    def failure(self) -> Outcome | None:
        """What of the display does not hold, as the outcome of the whole; None if everything does.

        Raises:
            UnreadableError: for what is not checked.
        """
        self._agreeing()
        for statement in self.beside:
            outcome = self._examined(statement)
            if outcome is not None:
                return outcome
        return None

    # ---- definitions

    def _agreeing(self) -> None:
        """Compare the sides of every definition that has been used."""
        meaning = self.letters.meaning
        for key in sorted(meaning.touched):
            definition = meaning.definitions.get(key)
            if definition is not None and definition.others and definition.body is not None:
                self._compare_sides(definition)
            if definition is not None and definition.body is not None:
                for body, place in definition.rivals:
                    self._compare_rival(definition, body, place)

    def _compare_rival(self, definition: Definition, body: Node | None, place: int) -> None:
        """Whether two definitions of a letter are the same.

        Raises:
            UnreadableError: unless they are.
        """
        try:
            if body is None:
                raise UnreadableError("it is not read", place)
            self._compare_sides(replace(definition, others=(body,)))
        except UnreadableError as error:
            lines = sorted(self.task.document.position(offset)[0] for offset in (definition.offset, place))
            raise UnreadableError(
                f"{plain(definition.key)} is defined twice, differently (lines {lines[0]} and {lines[1]}): rename one, or "
                "write the definition in the claim's display",
                place,
            ) from error

    def _compare_sides(self, definition: Definition) -> None:
        r"""Whether ``X = a = b`` holds for all values of the letters in it.

        Raises:
            UnreadableError: if not, or if it cannot be told.
        """
        assert definition.body is not None
        shown = plain(definition.key)
        trees = [definition.body, *definition.others]
        resolved, variables = self.letters.meaning.resolved_openly(trees, definition.parameters or ())
        for key in variables:
            resolved = [substituted(tree, key, sym(f"@#{key}")) for tree in resolved]
        self._compare(resolved, variables, f"the sides of the definition of {shown}", definition.offset)

    def _compare(self, trees: list[Node], variables: list[str], what: str, place: int) -> None:
        values = self._values(trees, variables)
        if values is None:
            raise UnreadableError(f"{what} have no finite values to be compared", place)
        (first, noise), *others = values
        for number, (value, further) in enumerate(others, 2):
            scale = np.maximum(np.maximum(np.abs(first), np.abs(value)), 1e-12)
            deviation, known = float(np.max(np.abs(first - value) / scale)), float(np.max((noise + further) / scale))
            if not deviation <= max(TOLERANCE, 10.0 * known):
                which = "" if len(others) == 1 else f" (side {number} of {len(values)})"
                raise UnreadableError(f"{what} do not agree: they differ by {deviation:.0e}{which}", place)
            if known > ACCURACY:
                raise UnreadableError(f"{what} are known to {known:.0e} only, too little to compare them", place)

    def _values(self, trees: list[Node], variables: list[str]) -> list[tuple[Array, Array]] | None:
        """The trees at random points, or at positive variables where others give no values."""
        free = self.reference.free
        generator = np.random.default_rng(_SEED)
        drawn = {key: generator.normal(0.0, 1.2, len(free)) for key in variables}
        for sign in (False, True):
            names = self.reference.names(free)
            names |= {f"#{key}": np.abs(value) if sign else value for key, value in drawn.items()}
            try:
                return [self._value(tree, names, free) for tree in trees]
            except UnreadableError:
                if not variables:
                    raise
        return None

    def _value(self, tree: Node, names: dict[str, Array], at: Points) -> tuple[Array, Array]:
        for name in used_names(tree) - names.keys():
            names[name] = self.reference.quantity(name, at)
        evaluator = Evaluator(names, deadline=self.reference.deadline)
        value = evaluator(tree)
        return value, evaluator.noise + 1e-13 * np.abs(value)

    # ---- other statements

    def _examined(self, statement: Statement) -> Outcome | None:
        if statement.start in self.letters.understood:
            return None
        if self.reader.condition(statement) or self._is_measure(statement):
            return None
        if statement.remark and not self.reader.conditions(statement.remark):
            raise UnreadableError(
                "the remark in brackets is not read: nothing is known of what it says", statement.remark[0].start
            )
        if any(relation != "=" for relation in statement.relations):
            self._relation(statement)
            return None
        if self._is_used_in_parts(statement):
            return None
        key = self._key(statement)
        definition = self.letters.meaning.definitions.get(key) if key is not None else None
        if key is not None and definition is not None and definition.offset == statement.start:
            return self._defined(statement, key, definition)
        quantity = self._quantity(key) if key is not None else None
        if quantity is not None:
            return self._further(statement, (quantity,))
        return self._equation(statement)

    def _is_measure(self, statement: Statement) -> bool:
        """Whether a statement says what a differential or an average means, and nothing else."""
        if len(statement.sides) != 2 or not all(statement.sides):
            return False
        if statement.standard() or statement.measured() is not None:
            return True
        left, right = statement.sides
        return defined_measure(left, statement.relations[0], right, self.letters.declared) is not None

    def _is_used_in_parts(self, statement: Statement) -> bool:
        r"""Whether a statement defines both letters of ``x_\pm`` or a function's value at a number, which the claim uses."""
        meaning = self.letters.meaning
        for each in signed(statement):
            key = each.at_value()
            found = meaning.definitions.get(key[0] if key is not None else self._key(each) or "")
            if found is None or found.key not in meaning.touched:
                continue
            if statement.start in found.places or (each is not statement and found.offset == statement.start):
                return True
        return False

    @staticmethod
    def _key(statement: Statement) -> str | None:
        header = statement.header()
        return header[0] if header is not None else statement.squared()

    def _quantity(self, key: str) -> str | None:
        """The quantity of the model that a letter on the left names; None for its parameters, and for other letters."""
        meaning, reference = self.letters.meaning, self.reference
        name = meaning.name_of(key) or meaning.name_of(key.partition("^")[0])
        if name is None:
            name = self.claimed.get(key) or ("free_entropy" if key in meaning.potentials else None)
        if name is None:
            name = next((n for n in (key, key.replace("_", "")) if n in meaning.derived), None)
        return None if name in reference.parameters else name

    def _defined(self, statement: Statement, key: str, definition: Definition) -> Outcome | None:
        quantity = self._quantity(key)
        if key in self.letters.meaning.touched:
            return None
        if quantity is not None:
            return self._further(statement, (quantity,))
        if definition.body is not None and definition.others:
            self._compare_sides(definition)
        if not self._is_used(key, statement):
            raise self._unread(statement, f"it defines {plain(key)}, which nothing uses")
        return None

    def _is_used(self, key: str, definition: Statement) -> bool:
        """Whether a letter occurs in the document's mathematics besides where it is defined."""
        for equation in self.task.document.equations:
            for statement in equation.statements:
                sides = statement.sides[1:] if statement is definition else statement.sides
                for side in sides:
                    if not side:
                        continue
                    padded = [*side, replace(side[-1], kind="end", text="")]
                    index = 0
                    while index < len(side):
                        found, width = symbol_at(padded, index)
                        if found == key:
                            return True
                        index += width
        return False

    def _relation(self, statement: Statement) -> None:
        """What is no equation: a condition on parameters takes nothing from a claim that holds without it."""
        relations = set(statement.relations)
        if relations <= _INEQUALITIES:
            try:
                sides = [
                    self.letters.meaning.resolve(statement.parse(k, self.letters.declared))
                    for k in range(len(statement.sides))
                ]
            except UnreadableError as error:
                raise self._unread(statement, error.reason) from None
            used = frozenset[str]().union(*(used_names(side) for side in sides))
            if used and used <= {*self.reference.parameters, *self.letters.meaning.constants}:
                return
        key = symbol_alone(statement.sides[0]) if statement.sides[0] else None
        text = "".join(t.text for t in statement.sides[1] if t.text not in "{}")
        if relations == {"to"} and key in _SIZES and text in ("infty", "0"):
            return
        if relations == {"in"} and text == "mathbbR":
            return
        raise self._unread(statement, "a relation that is no equation")

    def _equation(self, statement: Statement) -> Outcome | None:
        meaning = self.letters.meaning
        try:
            sides = [meaning.resolve(statement.parse(k, self.letters.declared)) for k in range(len(statement.sides))]
        except UnreadableError as error:
            raise self._unread(statement, error.reason) from None
        try:  # what holds at any state is true of this one
            self._compare(sides, [], "the sides of a further equation of the display", statement.start)
            return None
        except UnreadableError as error:
            reason = error.reason
        names = self.reference.order_parameters
        used = [used_names(side) for side in sides]
        everywhere = frozenset[str]().union(*used)
        left = tuple(n for n in names if n in used[0])
        candidates = left or tuple(n for n in names if n in everywhere)
        others = everywhere - {*names, *self.reference.all_names}
        if candidates and not others:
            return self._further(statement, candidates)
        if others and all(":" in name for name in others):  # the stationarity of the free entropy, in which variable it is
            return self._further(statement, tuple(names))
        if others:
            return self._further(statement, tuple(sorted(n for n in others if ":" not in n)))
        raise self._unread(statement, reason)

    def _further(self, statement: Statement, quantities: tuple[str, ...]) -> Outcome | None:
        """Check a statement as a claim about one of some quantities."""
        worst: Outcome | None = None
        for quantity in quantities:
            claim = replace(self.task.claim, quantity=quantity)
            try:
                found = self.check(replace(self.task, claim=claim, statement=statement))
            except UnreadableError as error:
                raise self._unread(statement, error.reason) from None
            if found.passed:
                return None
            worst = worst or found
        if worst is None:
            raise self._unread(statement, "it names no quantity of the model")
        if worst.status is Status.NOT_CHECKED:
            raise self._unread(statement, worst.detail)
        line, column = self.task.document.position(self.statement.start)
        place = worst.place or self.task.document.position(statement.start)
        there = worst.status is Status.SADDLE_POINT_ONLY
        verdict = "holds at the saddle point only" if there else f"is {worst.status.value}"
        detail = f"the display also makes a claim about {self.letters.shown(worst.quantity)} that {verdict}: {worst.detail}"
        quantity = self.task.claim.quantity
        return replace(worst, line=line, column=column, quantity=quantity, detail=detail, place=place)

    def _unread(self, statement: Statement, reason: str) -> UnreadableError:
        document = self.task.document
        text = " ".join(document.text[statement.start : statement.end].split())
        text = text if len(text) <= 40 else f"{text[:40]}.."
        return UnreadableError(f"the display also says {text}, which is not checked ({reason}): {_CURE}", statement.start)


def refuse_remarks(task: Task, statement: Statement) -> None:
    """Refuse a claim beside whose equation stand words or formulas that are not read.

    Raises:
        UnreadableError: there.
    """
    equation = next((e for e in task.document.equations if any(s is statement for s in e.statements)), None)
    if equation is not None and equation.remarks:
        text, place = equation.remarks[0]
        raise UnreadableError(
            f"a remark beside the equation is not read ({text[:40]}): it may withdraw what is claimed; put it into the text",
            place,
        )
