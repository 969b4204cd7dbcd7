"""One claim from its markup to its outcome."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from spinodal.kinds import KINDS
from spinodal.spec import SpecError
from spinodal.spec.errors import did_you_mean
from spinodal.verify.compare import ACCURACY, Comparison, Sides, Target, constant_factor
from spinodal.verify.contradicted import refuse_contradicted
from spinodal.verify.conventions import named_otherwise, other_meaning, refusal
from spinodal.verify.display import Surroundings, refuse_remarks
from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.lexer import tokenize
from spinodal.verify.left_sides import LeftSides
from spinodal.verify.letters import Letters, read_letters
from spinodal.verify.meaning import Meaning, used_names
from spinodal.verify.own_letter import OwnLetter
from spinodal.verify.points import PointReader
from spinodal.verify.proof import is_proved
from spinodal.verify.reference import PARTS, NoStatesError, Points, Reference
from spinodal.verify.refuted import other_equation, refuted, refuted_special
from spinodal.verify.results import Outcome, Status, numerical
from spinodal.verify.sizes import symbols_in
from spinodal.verify.special import SOLVED_FOR, determined, judge, locate
from spinodal.verify.statements import Statement, symbol_alone
from spinodal.verify.symbol_maps import of_temperature, temperature_of
from spinodal.verify.symbols import default_name, plain
from spinodal.verify.task import Task, not_checked, outcome_of
from spinodal.verify.text_values import refuse_other_values, single_values, values_in_text
from spinodal.verify.tree import Node, add, neg, num, sym
from spinodal.verify.wording import Wording

#: Seconds of computing in which a comparison must be decided; a refuted equation's repair has its own.
PATIENCE = 60.0
_SPECIAL = frozenset(k for k in KINDS if k.islower() and ":" not in k and k != "replicon") | {"capacity", "zero_entropy"}


def check(task: Task) -> Outcome:
    """Check one claim. Never raises for what the equation says; a claim that cannot be checked says so.

    Raises:
        SpecError: if the markup asks for a quantity or a parameter that the model does not have.
    """
    if task.statement is None:
        reason, place = task.unread or ("no equation that can be read follows this markup", task.claim.offset)
        return not_checked(task, reason, place)
    try:
        refuse_remarks(task, task.statement)
        return _checked(task, task.statement)
    except UnreadableError as error:
        return not_checked(task, error.reason, error.offset)
    except NoStatesError as error:
        return not_checked(task, str(error), None)


def _checked(task: Task, statement: Statement, *, alone: bool = False) -> Outcome:
    """The outcome of a claim, and of what else its display says unless it is looked at alone."""
    try:
        reference = task.reference({})
    except SpecError as error:
        if error.source is not None and "ansatz" in str(error):
            return not_checked(task, f"{error.message}", None)
        raise
    special = task.quantity.replace("_", "-") in {s.replace("_", "-") for s in _SPECIAL} and (
        task.quantity not in reference.observables
    )
    if special:
        return _special(task, statement, reference)
    _refuse_relations(statement)
    if "approx" in statement.relations:
        raise UnreadableError("an approximate equality claims no value that can be checked", statement.start)
    quantity = reference.alias(task.quantity)
    quantities = {"free_entropy", *PARTS, *reference.observables}
    if quantity not in {*reference.order_parameters, *quantities, *reference.all_names}:
        raise task.document.error(
            f"{task.claim.quantity}: no such quantity of {task.claim.model} ({task.model.ansatz})",
            task.claim.offset,
            _meant(quantity, [*reference.order_parameters, *sorted(quantities)]),
        )
    letters = _letters(task, statement, reference, quantities)
    is_equation = quantity in reference.order_parameters
    named = LeftSides(quantity, task.claim.quantity, letters, task.model.spec.loss, quantities)
    lefts: list[tuple[Node, tuple[str, ...]]] = []
    rights: list[Node] = []
    for k in range(len(statement.sides)):
        if not is_equation and (k == 0 or named.names_quantity(statement, k)):
            lefts.append(named.read(statement, k))
        elif k == 0:
            lefts.append(_equation_side(statement, letters, quantity))
        else:
            rights.append(letters.meaning.resolve(statement.parse(k, letters.declared)))
    if not rights:
        raise UnreadableError(f"what the {task.claim.quantity} is equal to is not said", statement.start)
    settings = _settings(task, statement, reference, letters)
    target = Target(task.reference(settings) if settings else reference, quantity)
    outcomes = []
    for left, notes in lefts:
        for right in rights:
            if not target.is_equation and quantity in used_names(right):
                raise UnreadableError(f"the right side contains {quantity} itself: a tautology", right.start)
            if quantity in PARTS and (others := used_names(right) & quantities):
                raise UnreadableError(
                    f"the right side contains {', '.join(sorted(others))}: no formula for {quantity}", right.start
                )
            if not target.is_equation and quantity not in used_names(left):
                raise UnreadableError(
                    f"neither side names the {task.claim.quantity}: nothing is claimed about it", left.start
                )
            used = used_names(left) | used_names(right)
            said = (*notes, *(note for name, note in letters.notes.items() if name in used))
            outcomes.append(_compared(task, target, _balanced(left, right), said, letters.meaning))
    order = [Status.WRONG, Status.OFF_BY_FACTOR, Status.NOT_CHECKED, Status.SADDLE_POINT_ONLY, Status.VERIFIED]
    worst = min(outcomes, key=lambda o: order.index(o.status))
    if not worst.passed:
        return worst
    refuse_other_values(task.document, statement, letters, target.reference.fixed)
    refuse_contradicted(task.document, statement, letters, task.model.spec, quantity)
    if not is_equation:
        _refuse_other_names(task, statement, letters)
        OwnLetter(task.document, statement, quantity, letters, named, task.model.spec, reference).refuse()
    worst = replace(worst, letters=_by_looks(task, letters, [*(left for left, _ in lefts), *rights]))
    if alone:
        reader = _reader(task, reference, letters, "")
        return _surroundings(task, statement, reference, letters, reader, beside=False).failure() or worst
    return _surroundings(task, statement, reference, letters, _reader(task, reference, letters, "")).failure() or worst


def _by_looks(task: Task, letters: Letters, trees: Sequence[Node]) -> tuple[tuple[str, str], ...]:
    """Letters that the symbol map does not declare and that have been read as names of the model."""
    found = {}
    for name, written in Wording(task.document.text, {}, trees).written().items():
        try:
            key = symbol_alone([t for t in tokenize(written, macros=task.document.macros) if t.kind != "end"])
        except UnreadableError:
            continue
        if key is not None and key not in letters.meaning.author and default_name(key, letters.meaning.names) == name:
            found[written] = name
    return tuple(sorted(found.items()))


def _surroundings(
    task: Task, statement: Statement, reference: Reference, letters: Letters, reader: PointReader, *, beside: bool = True
) -> Surroundings:
    others = tuple(_beside(task, statement)) if beside else ()
    return Surroundings(task, statement, reference, letters, reader, others, task.letters, _alone)


def _alone(task: Task) -> Outcome:
    assert task.statement is not None
    return _checked(task, task.statement, alone=True)


def _meant(name: str, known: Sequence[str]) -> str:
    """What was meant by a name that is none: the same letters in another order (q_hat_1 for q1_hat), a close one, any."""
    parts = sorted(name.replace("_hat", "^").replace("_", ""))
    same = next((k for k in known if sorted(k.replace("_hat", "^").replace("_", "")) == parts), None)
    close = f"did you mean {same}?" if same is not None else did_you_mean(name, known)
    listed = f"use one of {', '.join(known)}"
    return f"{close} ({listed})" if close else listed


def _letters(task: Task, statement: Statement, reference: Reference, quantities: Collection[str]) -> Letters:
    document, place = task.document, statement.start
    known = {*reference.order_parameters, *reference.parameters}
    derived, constants = reference.derived_names, reference.constants
    # what the document claims elsewhere to be another quantity, and the temperature's letters
    claimed = {k: sym(f"@{v}") for k, v in task.letters.items() if v in quantities and v != task.quantity}
    # beside a temperature E is the energy
    energies = {"E": sym("@energy")} if "energy" in quantities and temperature_of(task.model.spec.loss) is not None else {}
    meant = {**(energies if task.quantity != "energy" else {}), **of_temperature(task.model.spec.loss), **claimed}
    return read_letters(
        document,
        statement,
        place,
        known,
        derived,
        quantities,
        task.claims,
        task.potentials,
        constants,
        meant,
        frozenset(reference.parameters) - {"m"},  # an ansatz's m may be fixed and is one of the extremum's variables
        task.model.spec,
    )


def _refuse_relations(statement: Statement) -> None:
    reason = next((r for r in statement.relations if r not in ("=", "approx")), None)
    if reason is not None:
        raise UnreadableError(f"a relation ({reason}) that is no equation", statement.start)


def _beside(task: Task, statement: Statement) -> list[Statement]:
    """The other statements of the same display that are not claims themselves."""
    equation = next((e for e in task.document.equations if any(s is statement for s in e.statements)), None)
    found = equation.statements if equation is not None else ()
    return [s for s in found if s is not statement and s.start not in task.claims]


def _is_used(statement: Statement, letters: Letters) -> bool:
    """Whether a statement is a definition that the claim has used."""
    header = statement.header()
    key = header[0] if header is not None else statement.squared()
    definition = letters.meaning.definitions.get(key) if key is not None else None
    return definition is not None and definition.offset == statement.start and key in letters.meaning.touched


def _reader(
    task: Task, reference: Reference, letters: Letters, solved_for: str, unknowns: tuple[str, ...] = ()
) -> PointReader:
    parameters = [solved_for, *(p for p in reference.parameters if p not in (solved_for, *unknowns))]
    return PointReader(letters, parameters, (*reference.order_parameters, *unknowns), task.claim.values)


def _settings(task: Task, statement: Statement, reference: Reference, letters: Letters) -> dict[str, float]:
    """Parameters that the equation's display gives values to; the letters have been resolved already."""
    reader = _reader(task, reference, letters, "")
    for each in (statement, *_beside(task, statement)):
        if each.remark and not reader.conditions(each.remark) and (each is statement or _is_used(each, letters)):
            raise UnreadableError(
                "the remark in brackets is not read: nothing is known of what it says", each.remark[0].start
            )
        if each is not statement:
            reader.condition(each)
    return reader.settings


def _refuse_other_names(task: Task, statement: Statement, letters: Letters) -> None:
    r"""Refuse a left side that names another quantity: ``\epsilon_{train}``, ``s_{ann}``, ``s_{RS}`` of another ansatz."""
    side = statement.sides[0]
    for key in sorted(symbols_in(side) | {t.text for t in side if t.kind == "word"}):
        what = "" if key in letters.meaning.author else named_otherwise(key, task.quantity, task.model.ansatz)
        if what:
            reason = f"the left side calls itself {what}, and the claim is about the {task.claim.quantity}"
            cure = f"name it by a letter alone, or declare its letter as in '% spinodal-symbols: x = {task.quantity}'"
            raise UnreadableError(f"{reason}; {cure}", statement.start)


def _equation_side(statement: Statement, letters: Letters, quantity: str) -> tuple[Node, tuple[str, ...]]:
    """The left side of an order parameter's equation, and what was assumed of it."""
    header = statement.header()
    if header is not None:
        key = header[0]
        first, last = statement.start, statement.sides[0][-1].end
        # a star or a word above an order parameter says that it is the one at the saddle point
        name = letters.meaning.name_of(key) or letters.meaning.name_of(key.partition("^")[0])
        if name is not None:
            return sym(f"@{name}", first, last), ()
        if key in letters.meaning.definitions or default_name(key, letters.meaning.derived) is not None:
            return letters.meaning.resolve(sym(key, first, last)), ()
        if key not in letters.meaning.author:
            if what := other_meaning(key, quantity, letters.meaning.derived, is_equation=True):
                raise UnreadableError(refusal(key, what, quantity), first)
            return sym(f"@{quantity}", first, last), (f"{plain(key)} is taken for {quantity}",)
    return letters.meaning.resolve(statement.parse(0, letters.declared)), ()


def _balanced(left: Node, right: Node) -> Sides:
    """``a + b = 0`` as ``a = -b``, so that deviations are relative to the size of the terms."""
    zero = num(0)
    if right == zero and left.kind == "add":
        return Sides(add(*left.args[:-1]), neg(left.args[-1]))
    if left == zero and right.kind == "add":
        return Sides(neg(right.args[-1]), add(*right.args[:-1]))
    if zero in (left, right) and any(":" in name for name in used_names(left) | used_names(right)):
        # a derivative of the model's free entropy has no terms that could be moved; it is of order one off the equation
        return Sides(add(left, num(1)), add(right, num(1)))
    return Sides(left, right)


def _compared(task: Task, target: Target, sides: Sides, notes: tuple[str, ...], meaning_of: Meaning) -> Outcome:
    target.reference.allow(PATIENCE)
    failed: list[tuple[Points, Comparison | None]] = []
    unreadable: UnreadableError | None = None
    late = tried = False
    for stage in target.stages(sides):
        meaning, at = stage.meaning, stage.at
        late = late or not target.reference.in_time
        if len(at) == 0:
            continue
        tried = tried or meaning == "saddle-point-only"
        try:
            found = target.compare(sides, at)
        except UnreadableError as error:
            unreadable = error
            failed.append((at, None))
            continue
        if found.accuracy > ACCURACY:
            unreadable = UnreadableError(
                f"its values are known to {found.accuracy:.0e} only, too little to compare"
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
            if late and Status(meaning) is Status.SADDLE_POINT_ONLY and not task.claim.status and not failed:
                raise _undecided(sides)
            if target.follows_from(sides, stage.others):  # the equation of the others, which says nothing of this one
                continue
            if meaning == "saddle-point-only" and (lost := target.vanishing(sides)):
                if task.claim.status or not failed:
                    zero = " and ".join(f"{name} = 0" for name in lost)
                    raise UnreadableError(
                        f"at every solved state {zero}, so that what is multiplied by it is not tested; "
                        "state the equation without it, or without saddle-point-only",
                        sides.right.start,
                    )
                continue
            try:
                differs = target.beyond(sides, stage)
            except UnreadableError:
                if not failed:
                    raise
                continue
            if differs is not None:
                failed.append((differs.at, differs))
                continue
            noted = (*notes, stage.note) if stage.note else notes
            if meaning == "saddle-point-only" and not task.claim.status and (other := other_equation(target, sides)):
                outcome = outcome_of(task, Status.WRONG, f"this is the equation of {other}, not of {target.quantity}")
                return replace(outcome, kind="wrong quantity", notes=noted)
            # what holds at solved states only, or with another equation's help, is left to the numbers
            proved = meaning == "verified" and not stage.note and is_proved(target, sides, at)
            return _equal(task, Status(meaning), found, noted, target, proved)
        failed.append((at, found))
        factor = constant_factor(target, found)
        if factor is not None and factor.simple and not factor.powers:  # off by as much where more equations hold
            break
    if not failed and late:
        raise _undecided(sides)
    if not failed:
        raise UnreadableError("no states inside the model's domain were found to compare at", sides.left.start)
    if task.claim.status and not tried:
        raise UnreadableError(
            f"no solved state of {target.reference.model.name} was found, and no more is claimed than what holds there",
            sides.left.start,
        )
    if failed[0][1] is not None and failed[0][1].accuracy <= ACCURACY and is_proved(target, sides, failed[0][0]):
        disagree = "an exact rearrangement proves it, but its values differ: one of the two comparisons is at fault"
        return not_checked(task, f"{disagree}; please report this", sides.right.start)
    return refuted(task, target, sides, failed, unreadable, notes, meaning_of)


def _undecided(sides: Sides) -> UnreadableError:
    reason = f"not decided within {PATIENCE:g} s of computing: the model's equations take too long to evaluate"
    return UnreadableError(reason, sides.left.start)


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
    outcome = outcome_of(task, status, detail)
    method = "symbolic" if proved else numerical(len(found.at), found.accuracy)
    return replace(outcome, method=method, deviation=found.deviation, accuracy=found.accuracy, notes=notes)


def _special(task: Task, statement: Statement, reference: Reference) -> Outcome:
    """A claim about a special point, and whatever else its display says about it."""
    letters = _letters(task, statement, reference, ())
    kind = task.quantity.replace("_", "-")
    reader = _reader(task, reference, letters, SOLVED_FOR, determined(reference, kind))
    beside = [s for s in _beside(task, statement) if not reader.condition(s)]
    claims = [reader.read(statement)]
    for other in beside:
        if not _is_used(other, letters):
            claims.append(reader.read(other))
        elif other.remark and not reader.conditions(other.remark):
            raise UnreadableError(
                "the remark in brackets is not read: nothing is known of what it says", other.remark[0].start
            )
    for claim in claims:
        _refuse_relations(claim.statement)
    _surroundings(task, statement, reference, letters, reader, beside=False).failure()
    _refuse_other_names(task, statement, letters)
    said = values_in_text(task.document, statement, letters, reference.parameters)
    reader.varied |= {one.name for one in said if one.value is None} - {SOLVED_FOR}
    refuse_contradicted(task.document, statement, letters, task.model.spec, task.quantity)
    located = locate(reference, kind, reader, claims, statement.start)
    refuse_other_values(task.document, statement, letters, single_values(located.places))
    judged = [(claim, one) for claim in claims for one in judge(located, claim)]
    count = len(located.places)
    claim, worst = max(judged, key=lambda pair: (not pair[1].equal, pair[1].deviation))
    at = ", ".join(f"{name} = {value:.6g}" for name, value in worst.place.items())
    if worst.equal:
        where = f"{count} parameter points" if count > 1 else at or "its point"
        detail = f"equal to the located {kind} at {where} to {worst.deviation:.0e}"
        if len(claims) > 1:
            detail += f"; so {'is' if len(claims) == 2 else 'are'} what else the display says of it"
        outcome = outcome_of(task, Status.VERIFIED, detail)
    else:
        outcome = refuted_special(task, kind, located, claim, worst, at)
    return replace(outcome, method=numerical(count, located.accuracy), deviation=worst.deviation, accuracy=located.accuracy)
