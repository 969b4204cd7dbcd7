"""One claim from its markup to its outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from spinodal.kinds import KINDS
from spinodal.model import Model
from spinodal.spec import SpecError
from spinodal.verify.compare import ACCURACY, Comparison, Sides, Target, constant_factor
from spinodal.verify.documents import Claim, Document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.letters import Letters, read_letters
from spinodal.verify.meaning import Meaning, used_names
from spinodal.verify.proof import is_proved
from spinodal.verify.reference import PARTS, NoStatesError, Points, Reference
from spinodal.verify.repairs import find_repair
from spinodal.verify.results import Outcome, Status, numerical
from spinodal.verify.special import check_special
from spinodal.verify.statements import Statement
from spinodal.verify.tree import Node, add, free_symbols, neg, num, sym
from spinodal.verify.weights import teacher_weights

#: Names of quantities that mean the same.
SYNONYMS = {"phi": "free_entropy", "entropy_density": "entropy", "generalisation_error": "generalization_error"}
_SPECIAL = frozenset(k for k in KINDS if k.islower() and ":" not in k and k != "replicon") | {"capacity", "zero_entropy"}


@dataclass(frozen=True)
class Task:
    """A claim, the statement that it is about, and how to get at the model's side."""

    document: Document
    claim: Claim
    statement: Statement | None
    model: Model
    reference: Callable[[], Reference]
    claims: frozenset[int] = frozenset()

    @property
    def quantity(self) -> str:
        """The claimed quantity's name."""
        return SYNONYMS.get(self.claim.quantity, self.claim.quantity)


def check(task: Task) -> Outcome:
    """Check one claim. Never raises for what the equation says; a claim that cannot be checked says so.

    Raises:
        SpecError: if the markup asks for a quantity or a parameter that the model does not have.
    """
    if task.statement is None:
        return _not_checked(task, "no equation that can be read follows this markup", task.claim.offset)
    try:
        return _checked(task, task.statement)
    except UnreadableError as error:
        return _not_checked(task, error.reason, error.offset)
    except NoStatesError as error:
        return _not_checked(task, str(error), None)


def _outcome(task: Task, status: Status, detail: str) -> Outcome:
    offset = task.statement.start if task.statement is not None else task.claim.offset
    line, column = task.document.position(offset)
    return Outcome(
        document=task.document.name,
        line=line,
        column=column,
        model=task.claim.model,
        quantity=task.claim.quantity,
        ansatz=task.model.ansatz,
        status=status,
        detail=detail,
        claimed=task.claim.status,
    )


def _not_checked(task: Task, reason: str, offset: int | None, *, kind: str = "") -> Outcome:
    outcome = _outcome(task, Status.NOT_CHECKED, reason)
    return replace(outcome, kind=kind, place=task.document.position(offset) if offset is not None else None)


def _checked(task: Task, statement: Statement) -> Outcome:
    reason = next((r for r in statement.relations if r not in ("=", "approx")), None)
    if reason is not None:
        raise UnreadableError(f"a relation ({reason}) that is no equation", statement.start)
    try:
        reference = task.reference()
    except SpecError as error:
        if error.source is not None and "ansatz" in str(error):
            return _not_checked(task, f"{error.message}", None)
        raise
    known = {*reference.order_parameters, *reference.parameters}
    special = task.quantity.replace("_", "-") in {s.replace("_", "-") for s in _SPECIAL} and (
        task.quantity not in reference.observables
    )
    if special:
        letters = _letters(task, statement, known, frozenset(), ())
        rights = [letters.meaning.resolve(statement.parse(k, letters.declared)) for k in range(1, len(statement.sides))]
        return _finish_special(task, statement, reference, rights)
    if "approx" in statement.relations:
        raise UnreadableError("an approximate equality claims no value that can be checked", statement.start)
    quantity = reference.alias(task.quantity)
    quantities = {"free_entropy", *PARTS, *reference.observables}
    if quantity not in {*reference.order_parameters, *quantities, *reference.all_names}:
        raise task.document.error(
            f"{task.claim.quantity}: no such quantity of {task.claim.model} ({task.model.ansatz})",
            task.claim.offset,
            f"use one of {', '.join([*reference.order_parameters, *sorted(quantities)])}",
        )
    letters = _letters(task, statement, known, reference.derived_names, quantities)
    target = Target(reference, quantity)
    left, notes = _left_side(task, statement, letters, target)
    outcomes = []
    for k in range(1, len(statement.sides)):
        right = letters.meaning.resolve(statement.parse(k, letters.declared))
        if not target.is_equation and quantity in used_names(right):
            raise UnreadableError(f"the right side contains {quantity} itself: a tautology", right.start)
        if quantity in PARTS and (named := used_names(right) & quantities):
            raise UnreadableError(
                f"the right side contains {', '.join(sorted(named))}: no formula for {quantity}", right.start
            )
        if not target.is_equation and quantity not in used_names(left):
            raise UnreadableError(f"neither side names the {task.claim.quantity}: nothing is claimed about it", left.start)
        outcomes.append(_compared(task, target, _balanced(left, right), notes, letters.meaning))
    order = [Status.WRONG, Status.OFF_BY_FACTOR, Status.NOT_CHECKED, Status.SADDLE_POINT_ONLY, Status.VERIFIED]
    return min(outcomes, key=lambda o: order.index(o.status))


def _letters(
    task: Task, statement: Statement, known: set[str], derived: frozenset[str], quantities: set[str] | tuple[str, ...]
) -> Letters:
    return read_letters(task.document, statement, statement.start, known, derived, quantities, task.claims)


def _left_side(task: Task, statement: Statement, letters: Letters, target: Target) -> tuple[Node, tuple[str, ...]]:
    r"""The left side as a tree; where it only names the quantity, the quantity itself.

    ``f``, ``-\beta f``, ``\frac{1}{N}\langle\log Z\rangle`` name the free entropy; ``2\phi`` is twice it.
    """
    whole = sym(f"@{target.quantity}", statement.start, statement.sides[0][-1].end)
    header = statement.header()
    if header is not None:
        key = header[0]
        name = letters.meaning.name_of(key)
        if name is not None:
            return sym(f"@{name}", whole.start, whole.end), ()
        if target.is_equation and key in letters.meaning.definitions:
            return letters.meaning.resolve(sym(key, whole.start, whole.end)), ()
        if key not in letters.meaning.author:
            return whole, ()
    try:
        tree = statement.parse(0, letters.declared)
    except UnreadableError:
        if target.is_equation:
            raise
        return whole, (f"the left side is taken to name the {task.claim.quantity}",)
    unknown = []
    for key, node in free_symbols(tree).items():
        try:
            letters.meaning.resolve(node)
        except UnreadableError:
            unknown.append(key)
    if not unknown or target.is_equation:
        return letters.meaning.resolve(tree), ()
    if len(unknown) == 1 and not _negative(tree):
        author = {**letters.meaning.author, unknown[0]: sym(f"@{target.quantity}")}
        return replace(letters.meaning, author=author).resolve(tree), ()
    return whole, (f"the left side is taken to name the {task.claim.quantity}",)


def _balanced(left: Node, right: Node) -> Sides:
    """``a + b = 0`` as ``a = -b``, so that deviations are relative to the size of the terms."""
    zero = num(0)
    if right == zero and left.kind == "add":
        return Sides(add(*left.args[:-1]), neg(left.args[-1]))
    if left == zero and right.kind == "add":
        return Sides(neg(right.args[-1]), add(*right.args[:-1]))
    return Sides(left, right)


def _negative(tree: Node) -> bool:
    r"""``-f`` and ``-\beta f``: a free energy on the left of a free entropy."""
    return tree.kind == "neg" and tree.args[0].kind in ("sym", "mul")


def _compared(task: Task, target: Target, sides: Sides, notes: tuple[str, ...], meaning_of: Meaning) -> Outcome:
    failed: list[tuple[Points, Comparison | None]] = []
    unreadable: UnreadableError | None = None
    for meaning, at, note in target.stages(sides):
        if len(at) == 0:
            continue
        try:
            found = target.compare(sides, at)
        except UnreadableError as error:
            unreadable = error
            failed.append((at, None))
            continue
        if found.accuracy > ACCURACY:
            unreadable = UnreadableError(
                f"its integrals were evaluated to {found.accuracy:.0e} only, too little to compare"
                if found.accuracy < 1.0
                else "its integrals do not converge",
                sides.right.start,
            )
            failed.append((at, found))
            continue
        if found.equal:
            if target.trivial(sides):
                raise UnreadableError(
                    f"a tautology: both sides agree whatever {target.quantity} is, so that nothing is claimed",
                    sides.left.start,
                )
            noted = (*notes, note) if note else notes
            if meaning == "saddle-point-only" and not task.claim.status and (other := _other_equation(target, sides)):
                outcome = _outcome(task, Status.WRONG, f"this is the equation of {other}, not of {target.quantity}")
                return replace(outcome, kind="wrong quantity", notes=noted)
            # what holds at solved states only, or with another equation's help, is left to the numbers
            proved = meaning == "verified" and not note and is_proved(target, sides, at)
            return _equal(task, Status(meaning), found, noted, target, proved)
        failed.append((at, found))
        factor = constant_factor(target, found)
        if factor is not None and factor.simple and not factor.powers:  # off by as much where more equations hold
            break
    if not failed:
        raise UnreadableError("no states inside the model's domain were found to compare at", sides.left.start)
    if failed[0][1] is not None and is_proved(target, sides, failed[0][0]):
        disagree = "an exact rearrangement proves it, but its values differ: one of the two comparisons is at fault"
        return _not_checked(task, f"{disagree}; please report this", sides.right.start)
    return _refuted(task, target, sides, failed, unreadable, notes, meaning_of)


def _equal(task: Task, status: Status, found: Comparison, notes: tuple[str, ...], target: Target, proved: bool) -> Outcome:
    where = "random states" if status is Status.VERIFIED else "solved states"
    detail = f"equal at {len(found.at)} {where} to {found.deviation:.0e}"
    if proved:
        detail = f"proved symbolically; {detail}"
    if status is Status.SADDLE_POINT_ONLY:
        detail += ", not elsewhere"
        if task.claim.status != "saddle-point-only":
            detail += "; if no more is meant, say so: add 'saddle-point-only' to the markup"
    if notes:
        detail += f" ({'; '.join(notes)})"
    fixed = [f"{k} = {v:g}" for k, v in target.reference.fixed.items()]
    if fixed:
        detail += f", at {', '.join(fixed)}"
    outcome = _outcome(task, status, detail)
    method = "symbolic" if proved else numerical(len(found.at), found.accuracy)
    return replace(outcome, method=method, deviation=found.deviation, accuracy=found.accuracy, notes=notes)


def _refuted(
    task: Task,
    target: Target,
    sides: Sides,
    failed: list[tuple[Points, Comparison | None]],
    unreadable: UnreadableError | None,
    notes: tuple[str, ...],
    meaning_of: Meaning,
) -> Outcome:
    compared = [found for _, found in failed if found is not None and found.accuracy <= ACCURACY]
    for found in compared[-1:]:
        one = found.at.only(int(np.argmax(found.deviations)))
        if target.disagreement(sides, one) > 0.1 * found.deviation:
            raise UnreadableError("its integrals are not resolved: two rules differ by what the sides do", sides.right.start)
    kind, text, place = "", "", sides.right.start
    status = Status.WRONG
    factor = next((f for found in compared if (f := constant_factor(target, found))), None)
    repair = None
    if factor is None or not factor.simple:
        places = [at for at, _ in failed]
        repair = find_repair(target, sides, places, teacher_weights(target.reference), meaning_of.alternatives())
    if factor is not None and repair is None:
        kind, status = factor.kind, Status.OFF_BY_FACTOR
        text = "the sign is wrong" if factor.kind == "sign" else f"the right side must be multiplied by {factor.text}"
    else:
        if repair is not None:
            kind, text = repair.kind, f"{repair.kind}: {repair.text}" if repair.kind not in repair.text else repair.text
            place = repair.offset if repair.offset >= 0 else place
            if repair.kind in ("sign", "factor"):
                status = Status.OFF_BY_FACTOR
        elif not compared:
            assert unreadable is not None
            raise unreadable
        elif (other := _other_equation(target, sides)) is not None:
            kind, text = "wrong quantity", f"this is the equation of {other}"
        else:
            text = "the two sides differ, and no single change of the usual kinds repairs it"
    if not compared:  # the formula as it stands has no value, and the repair says why
        outcome = _outcome(task, status, f"{text}; as it stands it has no finite value")
        return replace(outcome, kind=kind, place=task.document.position(place), notes=notes)
    return _with_point(task, target, replace(_outcome(task, status, text), kind=kind, notes=notes), compared, place)


def _with_point(task: Task, target: Target, outcome: Outcome, compared: list[Comparison], place: int) -> Outcome:
    found = compared[-1]
    worst = int(np.argmax(found.deviations))
    one = found.at.only(worst)
    names = (*target.reference.order_parameters, *target.reference.parameters)
    values = [*one.x[0], *one.p[0]]
    point = tuple((name, float(value)) for name, value in zip(names, values, strict=True))
    claimed, derived = float(found.right[worst]), float(found.left[worst])
    shown = ", ".join(f"{name} = {value:.6g}" for name, value in point)
    return replace(
        outcome,
        detail=f"{outcome.detail}; at {shown}: right side {claimed:.10g}, left side {derived:.10g}",
        method=numerical(len(found.at), found.accuracy),
        deviation=float(found.deviations[worst]),
        accuracy=found.accuracy,
        point=point,
        values=(claimed, derived),
        place=task.document.position(place),
    )


def _other_equation(target: Target, sides: Sides) -> str | None:
    """Whether the claim is the equation of another order parameter than it says."""
    if not target.is_equation:
        return None
    for name in target.reference.order_parameters:
        if name != target.quantity and Target(target.reference, name).holds(sides, target.reference.on_surface((name,))):
            return name
    return None


def _finish_special(task: Task, statement: Statement, reference: Reference, rights: list[Node]) -> Outcome:
    kind = task.quantity.replace("_", "-")
    found = check_special(reference, kind, statement, rights)
    count = len(found.names["alpha"])
    claimed, located = found.values
    method = numerical(count, found.accuracy)
    at = ", ".join(f"{name} = {value:.6g}" for name, value in found.place.items())
    if found.equal:
        where = f"{count} parameter points" if count > 1 else at or "its point"
        detail = f"equal to the located {kind} at {where} to {found.deviation:.0e}"
        outcome = _outcome(task, Status.VERIFIED, detail)
        return replace(outcome, method=method, deviation=found.deviation, accuracy=found.accuracy)
    detail = f"the {kind} is {located:.10g}{f' at {at}' if at else ''}, where the right side is {claimed:.10g}"
    outcome = _outcome(task, Status.WRONG, detail)
    right = rights[-1]
    place = Points(np.zeros((count, 0)), np.zeros((count, 0)))
    repair = find_repair(found, Sides(sym("@alpha"), right), [place]) if used_names(right) or count == 1 else None
    if repair is not None:
        status = Status.OFF_BY_FACTOR if repair.kind in ("sign", "factor") else Status.WRONG
        offset = repair.offset if repair.offset >= 0 else right.start
        text = f"{repair.kind}: {repair.text}; {detail}"
        outcome = replace(outcome, status=status, kind=repair.kind, detail=text, place=task.document.position(offset))
    return replace(outcome, method=method, deviation=found.deviation, accuracy=found.accuracy, values=found.values)
