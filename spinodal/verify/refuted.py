"""What is said of a claim that does not hold: the kind of error, a factor, a point at which the sides differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spinodal.verify import repairs
from spinodal.verify.compare import ACCURACY, Comparison, Sides, Target, constant_factor
from spinodal.verify.errors import UnreadableError
from spinodal.verify.meaning import Meaning, used_names
from spinodal.verify.points import PointClaim
from spinodal.verify.reference import Points
from spinodal.verify.repairs import find_repair
from spinodal.verify.results import Outcome, Status, numerical
from spinodal.verify.special import SOLVED_FOR, Judged, Located
from spinodal.verify.task import Task, outcome_of
from spinodal.verify.tree import num, sym
from spinodal.verify.weights import teacher_weights
from spinodal.verify.wording import Wording

#: Seconds of computing for whether a refuted equation is another order parameter's.
OTHER_PATIENCE = 20.0


def refuted(
    task: Task,
    target: Target,
    sides: Sides,
    failed: list[tuple[Points, Comparison | None]],
    unreadable: UnreadableError | None,
    notes: tuple[str, ...],
    meaning_of: Meaning,
) -> Outcome:
    """The outcome of a claim whose sides differ.

    Args:
        task: the claim.
        target: what it was compared with.
        sides: its sides, resolved.
        failed: the sets of points at which it failed, with the comparisons; None where it has no finite value.
        unreadable: why it has none.
        notes: what was assumed.
        meaning_of: the document's letters.

    Raises:
        UnreadableError: where nothing could be compared.
    """
    target.reference.allow(OTHER_PATIENCE + repairs.PATIENCE)
    compared = [found for _, found in failed if found is not None and found.accuracy <= ACCURACY]
    if not compared and unreadable is not None and num(0) in (sides.left, sides.right):
        raise UnreadableError(f"a product that vanishes: {unreadable.reason}; write what is equal to what", sides.left.start)
    for found in compared[-1:]:
        one = found.at.only(int(np.argmax(found.deviations)))
        if target.disagreement(sides, one) > 0.1 * found.deviation:
            raise UnreadableError("its integrals are not resolved: two rules differ by what the sides do", sides.right.start)
    kind, text, place = "", "", sides.right.start
    status = Status.WRONG
    if compared and (special := _where_right(task, target, sides)):
        outcome = replace(outcome_of(task, status, special), kind="wrong parameters", notes=notes)
        return _with_point(task, target, outcome, compared, place)
    factor = next((f for found in compared if (f := constant_factor(target, found))), None)
    repair = None
    if factor is None or not factor.simple:
        places = [at for at, _ in failed]
        wording = Wording(task.document.text, meaning_of.author, (sides.left, sides.right))
        repair = find_repair(target, sides, places, teacher_weights(target.reference), meaning_of.alternatives(), wording)
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
        elif (other := other_equation(target, sides)) is not None:
            kind, text = "wrong quantity", f"this is the equation of {other}"
        else:
            text = "the two sides differ, and no single change of the usual kinds repairs it"
            if np.all(np.abs(compared[-1].right) < 1e-14):
                text = "the right side vanishes"
    if not compared:  # the formula as it stands has no value, and the repair says why
        outcome = outcome_of(task, status, f"{text}; as it stands it has no finite value")
        return replace(outcome, kind=kind, place=task.document.position(place), notes=notes)
    return _with_point(task, target, replace(outcome_of(task, status, text), kind=kind, notes=notes), compared, place)


def _where_right(task: Task, target: Target, sides: Sides) -> str:
    """Whether an equation holds where the parameters that it does not contain vanish, which the document has not said."""
    reference = target.reference
    used = used_names(sides.left) | used_names(sides.right)
    missing = {
        p.name: 0.0
        for p in task.model.spec.parameters
        if p.default == 0.0 and p.name not in used and p.name not in reference.fixed
    }
    if not missing:
        return ""
    there = Target(task.reference(missing), target.quantity)
    there.reference.allow(OTHER_PATIENCE)
    stage = next(there.stages(sides))
    if len(stage.at) == 0 or not there.holds(sides, stage.at) or there.trivial(sides):
        return ""
    values = " and ".join(f"{name} = 0" for name in missing)
    written = " ".join(f"{name}=0" for name in missing)
    return f"it holds at {values} only; if that is meant, say so in the markup: {written}"


def _with_point(task: Task, target: Target, outcome: Outcome, compared: list[Comparison], place: int) -> Outcome:
    found = compared[-1]
    worst = int(np.argmax(found.deviations))
    one = found.at.only(worst)
    names = (*target.reference.order_parameters, *target.reference.parameters)
    values = [*one.x[0], *one.p[0]]
    point = tuple((name, float(value)) for name, value in zip(names, values, strict=True))
    claimed, derived = (0.0 if abs(v) < 1e-15 else v for v in (float(found.right[worst]), float(found.left[worst])))
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


def other_equation(target: Target, sides: Sides) -> str | None:
    """Whether the claim is the equation of another order parameter than it says."""
    if not target.is_equation:
        return None
    reference = target.reference
    reference.allow(OTHER_PATIENCE)
    for name in reference.order_parameters:
        if name == target.quantity or not reference.in_time:
            continue
        other, family = Target(reference, name), reference.family(name)
        if other.holds(sides, reference.on_surface((name,))):
            return name
        among_others = name in used_names(sides.left) and 1 < len(family) < len(reference.order_parameters)
        if among_others and other.holds(sides, reference.on_surface(family)):  # as textbooks write it
            return name
    return None


def refuted_special(task: Task, kind: str, located: Located, claim: PointClaim, found: Judged, at: str) -> Outcome:
    """The outcome of a claim about a special point whose sides differ there; ``at`` says where it was located."""
    claimed, derived = found.values
    right = found.sides.right
    if found.sides.left == sym(f"@{SOLVED_FOR}"):
        detail = f"the {kind} is {derived:.10g}{f' at {at}' if at else ''}, where the right side is {claimed:.10g}"
    else:
        place = ", ".join([f"{SOLVED_FOR} = {found.located:.10g}", *([at] if at else [])])
        detail = f"at the {kind}, {place}, the left side is {derived:.10g} and the right side {claimed:.10g}"
    status, kind_of_error, offset = Status.WRONG, "", right.start
    count = len(located.places)
    place_of_points = Points(np.zeros((count, 0)), np.zeros((count, 0)))
    wording = Wording(task.document.text, {}, (found.sides.left, right))
    repair = None
    if used_names(right) or count == 1:
        repair = find_repair(located, found.sides, [place_of_points], wording=wording)
    if found.rounded:
        detail += r"; the number is right to the digits that it is given with: write \approx for ="
    elif repair is not None:
        status = Status.OFF_BY_FACTOR if repair.kind in ("sign", "factor") else Status.WRONG
        kind_of_error, offset = repair.kind, repair.offset if repair.offset >= 0 else offset
        detail = f"{repair.kind}: {repair.text}; {detail}"
    outcome = replace(outcome_of(task, status, detail), kind=kind_of_error, values=found.values)
    offset = offset if offset >= 0 else claim.statement.start
    return replace(outcome, place=task.document.position(offset))
