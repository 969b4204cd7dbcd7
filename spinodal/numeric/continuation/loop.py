"""The pseudo-arclength loop: predict along the curve, correct in the normal plane, judge the step, look for special points.

Every step is a function of the trace so far, so that a trace read back from a checkpoint is continued as if never left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from spinodal.numeric.continuation.corners import turned
from spinodal.numeric.continuation.corrector import Corrected, NotCorrectedError, correct
from spinodal.numeric.continuation.detect import jumped, special_points
from spinodal.numeric.continuation.locate import Located, locate_zero, placed, value_of
from spinodal.numeric.continuation.problem import EvaluationError
from spinodal.numeric.continuation.segment import Node, Segment
from spinodal.numeric.continuation.task import Limit, Task, Trace
from spinodal.numeric.results import Array

#: A corrector that stalls above this scaled step, so many times in a row, has reached the rounding level of F.
_NOISE, _NOISY = 1e-10, 6
#: Steps refused because a change of the determinant's sign could not be explained by a branch point.
_REFUSALS = 8
#: So many steps in a row whose change of the parameter has nothing to do with their tangents end a branch; changes smaller
#: than the second, in its scale, may be rounding.
_ASTRAY, _ROUNDING = 10, 1e-8

#: Corners of one branch; where there would be more, rounding makes them.
_CORNERS = 5


@np.errstate(all="ignore")  # what overflows is refused as not finite
def advance(task: Task, trace: Trace) -> Trace:
    """One accepted step (or the end, with its reason)."""
    settings, start = task.settings, trace.nodes[-1]
    scale = task.scaling.at(start.u)
    start = replace(start, t=start.t / np.linalg.norm(start.t / scale))
    if len(trace.nodes) > _NOISY and all(
        node.residual > max(_NOISE, 10.0 * settings.tolerance) for node in trace.nodes[-_NOISY:]
    ):
        return replace(trace, stop="the equations are lost in rounding: the corrector no longer converges to tolerance")
    if _astray(task, trace.nodes[-_ASTRAY - 1 :]):
        why = "F is not accurate enough for its derivatives (averages that are not resolved)"
        return replace(trace, stop=f"steps no longer follow their tangents at p = {trace.nodes[-1].u[-1]:.10g}: {why}")
    if len(trace.nodes) > settings.points:
        return replace(trace, stop=f"{settings.points} points taken")
    found = _stepped(task, trace, start, scale)
    stuck = isinstance(found, str) and task.crossings and len(trace.remarks) < _CORNERS
    corner = turned(task, start, scale) if stuck else None
    if corner is not None:
        what = "the derivative of F jumps, as where another maximum inside an average becomes the highest"
        remark = f"the branch has a corner at p = {start.u[-1]:.10g}: {what}"
        beyond = replace(trace, nodes=(*trace.nodes[:-1], corner), step=settings.step, remarks=(*trace.remarks, remark))
        onward = _stepped(task, beyond, corner, scale)
        found = found if isinstance(onward, str) else onward
    if isinstance(found, Trace):
        return found
    trace = _evaluable(task, trace)
    return replace(trace, stop=f"the step has reached its minimum at p = {trace.nodes[-1].u[-1]:.10g}: {found}")


def _stepped(task: Task, trace: Trace, start: Node, scale: Array) -> Trace | str:
    """The trace after a step from its last node, as long a one as is accepted; or why none is."""
    settings, step, before = task.settings, trace.step, _before(trace)
    why, refusals = "", 0
    while step >= settings.smallest_step:
        outcome = _attempt(task, trace, start, scale, step)
        if isinstance(outcome, str):
            why = outcome
            step *= 0.4
            continue
        end, length, growth = outcome
        segment = Segment(start, end, scale, length)
        if refusals < _REFUSALS and jumped(task, before, segment):
            # branches that nearly meet: the corrector has crossed the gap between them
            why, step, refusals = "two branches nearly meet", step * 0.3, refusals + 1
            continue
        return _conclude(task, trace, segment, min(step * growth, settings.largest_step))
    return why


def _astray(task: Task, nodes: Sequence[Node]) -> bool:
    """Whether the parameter changes otherwise than tangents say on each of the last steps, by more than it changes.

    On a curve that is only bent, that holds of a step or two about a fold.
    """
    if len(nodes) <= _ASTRAY:
        return False
    for start, end in pairwise(nodes):
        scale = task.scaling.at(start.u)
        length = float(np.linalg.norm((end.u - start.u) / scale))
        slopes = [float(node.t[-1] / np.linalg.norm(node.t / scale)) for node in (start, end)]
        change = float(end.u[-1] - start.u[-1])
        if abs(change - 0.5 * length * sum(slopes)) < max(abs(change), _ROUNDING * float(scale[-1])):
            return False
    return True


def _evaluable(task: Task, trace: Trace) -> Trace:
    """The trace without last points at which F fails: the corrector's last step may leave the domain by a rounding error."""
    nodes = trace.nodes
    while len(nodes) > 1:
        try:
            task.problem.residual(nodes[-1].u)
            break
        except EvaluationError:
            nodes = nodes[:-1]
    located = tuple(point for point in trace.located if point.position <= len(nodes) - 1)
    return replace(trace, nodes=nodes, located=located)


def _before(trace: Trace) -> Node | None:
    """The node before the last one."""
    return trace.nodes[-2] if len(trace.nodes) > 1 else None


def _attempt(task: Task, trace: Trace, start: Node, scale: Array, step: float) -> tuple[Node, float, float] | str:
    """A corrected, acceptable next node with its arclength and the growth of the step, or why there is none."""
    settings = task.settings
    guess = start.u + step * start.t + _bend(trace, scale, step, settings.angle)
    row = start.t / scale**2
    try:
        corrected = correct(task.problem, guess, row, scale, settings.tolerance, settings.newton)
        end = task.node(corrected, start.t)
    except (NotCorrectedError, EvaluationError) as failure:
        return str(failure)
    # lengths and angles in the scaled variables of the start
    before, after = start.t / scale, end.t / scale
    after = after / np.linalg.norm(after)
    chord = (end.u - start.u) / scale
    length = float(np.linalg.norm(chord))
    angle = float(np.arccos(np.clip(before @ after, -1.0, 1.0)))
    if angle > settings.angle:
        return f"the branch turns by {angle:.2f} in one step"
    # beside a branch point the matrices are nearly singular and the corrector may end on the other branch
    mismatch = float(np.linalg.norm(chord - 0.5 * length * (before + after)))
    if mismatch > settings.consistency * length:
        return "the corrector left the branch"
    end = replace(end, t=after * scale)
    segment = Segment(start, end, scale, length)
    if _turns_twice(segment) and step > 1e-3 * settings.step:
        return "the parameter turns twice in one step"
    error = float(np.linalg.norm((corrected.u - guess) / scale))
    growth = min(
        (settings.prediction / max(error, 1e-12)) ** (1.0 / 3.0),
        settings.wanted_angle / max(angle, 1e-12),
        2.0,
    )
    if corrected.iterations > settings.newton // 2 + 1:
        growth = min(growth, 0.7)
    return end, length, max(growth, 0.4)


def _turns_twice(segment: Segment) -> bool:
    """Whether the interpolated parameter goes forth and back, by more than rounding makes of a nearly constant one."""
    if segment.start.t[-1] * segment.end.t[-1] <= 0.0:
        return False
    turns = segment.turning()
    if len(turns) != 2:
        return False
    amplitude = abs(float(segment.at(turns[1])[-1] - segment.at(turns[0])[-1]))
    change = abs(float(segment.end.u[-1] - segment.start.u[-1]))
    # a bend that small compared with its own step would be long in x, and no single step would hold it
    return amplitude > 0.05 * change + 1e-7 * float(segment.scale[-1])


def _bend(trace: Trace, scale: Array, step: float, angle: float) -> Array:
    """Second-order term of the prediction, from the last two tangents; none beyond a corner."""
    if len(trace.nodes) < 2:
        return np.zeros_like(scale)
    last, before = trace.nodes[-1], trace.nodes[-2]
    distance = float(np.linalg.norm((last.u - before.u) / scale))
    if distance == 0.0:
        return np.zeros_like(scale)
    earlier = before.t / np.linalg.norm(before.t / scale)
    if float((last.t / np.linalg.norm(last.t / scale) / scale) @ (earlier / scale)) < np.cos(angle):
        return np.zeros_like(scale)
    turn = (last.t - earlier) / distance
    return np.asarray(0.5 * step**2 * turn)


def _conclude(task: Task, trace: Trace, segment: Segment, next_step: float) -> Trace:
    """The trace with the segment appended: cut at a limit, its special points located, a closed loop recognised."""
    stop, boundary = "", None
    cut = _first_limit(task, segment)
    if cut is not None:
        limit, end, located, reason = cut
        segment = Segment(
            segment.start, end, segment.scale, float(np.linalg.norm((end.u - segment.start.u) / segment.scale))
        )
        stop, boundary = reason, located if limit.validity else None
    else:
        closed = _closes(task, trace, segment)
        if closed is not None:
            segment, stop = closed, "closed loop"
    index = len(trace.nodes) - 1
    found = [placed(point, segment, index) for point in special_points(task, _before(trace), segment)]
    found.sort(key=lambda point: point.position)
    fresh = [point for point in found if not _known(point, trace.located, segment.scale)]
    kept = list(trace.located)
    for point in fresh:
        kept.append(point)
        if not stop and (point.kind in task.settings.stop_at or len(kept) == task.settings.special_points):
            stop = f"stopped at a special point ({point.kind})"
    if boundary is not None:
        kept.append(placed(boundary, segment, index))
    return replace(trace, nodes=(*trace.nodes, segment.end), located=tuple(kept), step=next_step, stop=stop)


def _known(point: Located, others: Sequence[Located], scale: Array) -> bool:
    """Whether a point has been located already (two neighbouring segments may both lead to it)."""
    return any(
        other.kind == point.kind and float(np.max(np.abs(other.u - point.u) / scale)) < 1e-7
        for other in others[-3:]
        if other.converged and point.converged
    )


def _first_limit(task: Task, segment: Segment) -> tuple[Limit, Node, Located, str] | None:
    """The first bound that the segment crosses, the node on it, and the reason to stop."""
    best: tuple[float, Limit, Node, Located, str] | None = None
    for limit in task.limits:
        inside = value_of(limit.function, segment.start.u)
        outside = value_of(limit.function, segment.end.u)
        for bound, beyond in ((limit.low, outside < limit.low), (limit.high, outside > limit.high)):
            if not beyond or not np.isfinite(bound):
                continue
            located, node = _on_bound(task, segment, limit, bound, inside - bound, outside - bound)
            where = f"{limit.name} reached {bound:.12g}"
            reason = f"the boundary of validity: {where}" if limit.validity else where
            position = placed(located, segment, 0).position
            if best is None or position < best[0]:
                best = (position, limit, node, located, reason)
    return None if best is None else best[1:]


def _on_bound(
    task: Task, segment: Segment, limit: Limit, bound: float, inside: float, outside: float
) -> tuple[Located, Node]:
    def distance(x: Array, p: float) -> float:
        return limit.function(x, p) - bound

    if limit.is_parameter:
        s = inside / (inside - outside)
        guess = segment.at(s)
        guess[-1] = bound
        row = np.zeros(guess.size)
        row[-1] = 1.0
        try:
            corrected = correct(
                task.problem, guess, row / segment.scale**2, segment.scale, task.settings.tolerance, task.settings.newton
            )
            corrected.u[-1] = bound
            if segment.holds(corrected.u):
                return Located("boundary", corrected.u, 0.0, True), task.node(corrected, segment.start.t)
        except (NotCorrectedError, EvaluationError):
            pass
    located = locate_zero(task.problem, segment, distance, "boundary", (inside, outside), task.settings.tolerance)
    try:
        here = task.problem(located.u)
        node = task.node(Corrected(located.u, here, 0.0, 0), segment.start.t)
    except (NotCorrectedError, EvaluationError):
        node = segment.end
    return located, node


def _closes(task: Task, trace: Trace, segment: Segment) -> Segment | None:
    """The segment ended exactly at the branch's first point, if it passes through it."""
    first = trace.nodes[0]
    if len(trace.nodes) < 4:
        return None
    offset = (first.u - segment.start.u) / segment.scale
    along = float(offset @ (segment.start.t / segment.scale))
    if not 0.0 < along <= 1.05 * segment.length or float(np.linalg.norm(offset)) > 1.5 * segment.length:
        return None
    s = min(along / segment.length, 1.0)
    # in the plane through the first point, the branch must pass through that point itself
    try:
        guess = segment.at(s)
        row = first.t / segment.scale**2
        guess = guess + first.t * float(row @ (first.u - guess)) / float(row @ first.t)
        found = correct(task.problem, guess, row, segment.scale, task.settings.tolerance, task.settings.newton)
    except (NotCorrectedError, EvaluationError):
        return None
    if float(np.max(np.abs(found.u - first.u) / segment.scale)) > 1e-7:
        return None
    if float((segment.start.t / segment.scale) @ (first.t / segment.scale)) < 0.5:
        return None
    return Segment(segment.start, first, segment.scale, along)
