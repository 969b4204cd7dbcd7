"""The pseudo-arclength loop: predict along the curve, correct in the normal plane, judge the step, look for special points.

Every step is a function of the trace so far, so that a trace read back from a checkpoint is continued as if never left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from spinodal.numeric.continuation.corrector import (
    Corrected,
    NotCorrectedError,
    Scaling,
    correct,
    orientation,
    tangent,
)
from spinodal.numeric.continuation.locate import (
    Event,
    Located,
    branch_point_guess,
    fold_guess,
    locate_branch_point,
    locate_fold,
    locate_zero,
    placed,
    value_of,
)
from spinodal.numeric.continuation.problem import EvaluationError, Problem
from spinodal.numeric.continuation.segment import Node, Segment
from spinodal.numeric.continuation.settings import Settings
from spinodal.numeric.results import Array

#: A corrector that stalls above this scaled step, so many times in a row, has reached the rounding level of F.
_NOISE, _NOISY = 1e-10, 6
#: Steps refused because a change of the determinant's sign could not be explained by a branch point.
_REFUSALS = 8


@dataclass(frozen=True)
class Limit:
    """A quantity g(x, p) that must stay between two values; the branch ends where it reaches one.

    Attributes:
        name: for the stop reason.
        function: the quantity.
        low: lower bound (-inf: none).
        high: upper bound (inf: none).
        validity: whether leaving it ends the equations' validity (a special point ``boundary``).
        is_parameter: whether it is the parameter itself (the branch can end on it exactly).
    """

    name: str
    function: Event
    low: float
    high: float
    validity: bool = False
    is_parameter: bool = False


@dataclass(frozen=True)
class Trace:
    """One direction of a branch so far.

    Attributes:
        nodes: accepted points, the start first.
        located: special points in the order met.
        step: length of the next step.
        stop: why it ended; empty while it goes on.
        remarks: what a reader must know (an event that could not be evaluated, ...).
    """

    nodes: tuple[Node, ...]
    located: tuple[Located, ...] = ()
    step: float = 0.01
    stop: str = ""
    remarks: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Task:
    """Everything a trace's next step depends on besides the trace.

    Attributes:
        problem: F and derivatives.
        scaling: of the variables.
        settings: of the engine.
        events: names and functions whose zeros are special points.
        limits: where the branch ends.
        classify: turns a located fold or branch point into what it is in a larger context (loci), or drops it.
        crossings: whether the sign of the determinant means anything (on fold curves a row's sign is arbitrary).
    """

    problem: Problem
    scaling: Scaling
    settings: Settings
    events: Mapping[str, Event]
    limits: Sequence[Limit]
    classify: Callable[[Located], Located | None] | None = None
    crossings: bool = True

    def node(self, corrected: Corrected, along: Array | None) -> Node:
        """A node at a corrected point, its tangent along a direction."""
        scale = self.scaling.at(corrected.u)
        t = tangent(corrected.evaluation.f_u, scale, along)
        sign, log = orientation(corrected.evaluation.f_u, t, scale) if self.crossings else (0.0, 0.0)
        values = tuple(value_of(event, corrected.u) for event in self.events.values())
        return Node(corrected.u, t, sign, log, values, self._unstable(corrected), corrected.step)

    def _unstable(self, corrected: Corrected) -> int:
        if not self.crossings:
            return -1
        try:
            real = np.linalg.eigvals(corrected.evaluation.jacobian).real
        except np.linalg.LinAlgError:
            return -1
        return int(np.sum(real > 0.0) if self.settings.flow == "F" else np.sum(real < 0.0))


def points_at_start(task: Task, origin: Node) -> tuple[Located, ...]:
    """Special points that the first point lies on: they are no sign change on either side of it."""
    scale, tolerance = task.scaling.at(origin.u), task.settings.tolerance
    found: list[Located] = []
    scaled = task.problem(origin.u).f_u * scale
    singular = np.linalg.svd(scaled, compute_uv=False)
    if singular[-1] < 1e-7 * max(singular[0], 1e-300) or singular[0] == 0.0:
        found.append(locate_branch_point(task.problem, origin.u, scale, tolerance))
    elif abs(origin.t[-1]) < 1e-7 * scale[-1]:
        found.append(locate_fold(task.problem, origin.u, scale, tolerance))
    found = [point for point in found if point.converged and float(np.max(np.abs(point.u - origin.u) / scale)) < 1e-5]
    if task.classify is not None:
        found = [known for point in found if (known := task.classify(point)) is not None]
    for name, value in zip(task.events, origin.events, strict=True):
        if value == 0.0:
            found.append(Located(name, origin.u, 4e-16 * abs(float(origin.u[-1])), True, null=origin.t[None]))
    return tuple(found)


def advance(task: Task, trace: Trace) -> Trace:
    """One accepted step (or the end, with its reason)."""
    settings, start = task.settings, trace.nodes[-1]
    scale = task.scaling.at(start.u)
    start = replace(start, t=start.t / np.linalg.norm(start.t / scale))
    step = trace.step
    why, refusals = "", 0
    if len(trace.nodes) > _NOISY and all(node.residual > _NOISE for node in trace.nodes[-_NOISY:]):
        return replace(trace, stop="the equations are lost in rounding: the corrector no longer converges to tolerance")
    if len(trace.nodes) > settings.points:
        return replace(trace, stop=f"{settings.points} points taken")
    while step >= settings.smallest_step:
        outcome = _attempt(task, trace, start, scale, step)
        if isinstance(outcome, str):
            why = outcome
            step *= 0.4
            continue
        end, length, growth = outcome
        segment = Segment(start, end, scale, length)
        if refusals < _REFUSALS and _jumped(task, segment):
            # branches that nearly meet: the corrector has crossed the gap between them
            why, step, refusals = "two branches nearly meet", step * 0.3, refusals + 1
            continue
        return _conclude(task, trace, segment, min(step * growth, settings.largest_step))
    return replace(trace, stop=f"the step has reached its minimum at p = {start.u[-1]:.10g}: {why}")


def _jumped(task: Task, segment: Segment) -> bool:
    """Whether the determinant changes sign although no branch point can be located on the segment."""
    if segment.start.sign * segment.end.sign >= 0.0:
        return False
    point = locate_branch_point(task.problem, branch_point_guess(segment), segment.scale, task.settings.tolerance)
    return not (point.converged and segment.holds(point.u))


def _attempt(task: Task, trace: Trace, start: Node, scale: Array, step: float) -> tuple[Node, float, float] | str:
    """A corrected, acceptable next node with its arclength and the growth of the step, or why there is none."""
    settings = task.settings
    guess = start.u + step * start.t + _bend(trace, scale, step)
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


def _bend(trace: Trace, scale: Array, step: float) -> Array:
    """Second-order term of the prediction, from the last two tangents."""
    if len(trace.nodes) < 2:
        return np.zeros_like(scale)
    last, before = trace.nodes[-1], trace.nodes[-2]
    distance = float(np.linalg.norm((last.u - before.u) / scale))
    if distance == 0.0:
        return np.zeros_like(scale)
    earlier = before.t / np.linalg.norm(before.t / scale)
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
    found = [placed(point, segment, index) for point in _special_points(task, trace, segment)]
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


def _special_points(task: Task, trace: Trace, segment: Segment) -> list[Located]:
    found: list[Located] = []
    crossing = segment.start.sign * segment.end.sign < 0.0
    turning = segment.start.t[-1] * segment.end.t[-1] < 0.0
    scale, tolerance = segment.scale, task.settings.tolerance
    if crossing:
        point = locate_branch_point(task.problem, branch_point_guess(segment), scale, tolerance)
        if not (point.converged and segment.holds(point.u)):
            point = replace(point, u=branch_point_guess(segment), converged=False, error=float("nan"))
        found.append(point)
    if turning:
        point = locate_fold(task.problem, fold_guess(segment), scale, tolerance)
        if not (point.converged and segment.holds(point.u)):
            point = _bisected_fold(task, segment, point)
        # where branches cross, p may turn as well (a pitchfork's side branch): that is the branch point, not a fold
        if not any(_same_place(point, other, segment) for other in found) and not _in_noise(point, segment):
            found.append(point)
    if not found and abs(segment.start.unstable - segment.end.unstable) >= 2:
        found += _multiple(task, segment)
    if task.classify is not None:
        found = [known for point in found if (known := task.classify(point)) is not None]
    for index, (name, event) in enumerate(task.events.items()):
        zeros = _zeros(task, trace, segment, index, name, event)
        if task.classify is not None:
            zeros = [known for point in zeros if (known := task.classify(point)) is not None]
        found += zeros
    return found


def _in_noise(fold: Located, segment: Segment) -> bool:
    """Whether the parameter turns by no more than the fold's own error: rounding, not a fold."""
    turn = max(abs(float(node.u[-1] - fold.u[-1])) for node in (segment.start, segment.end))
    return bool(fold.converged and turn <= 4.0 * fold.error)


def _multiple(task: Task, segment: Segment) -> list[Located]:
    """A branch point of even multiplicity: eigenvalues cross zero together, and the determinant keeps its sign.

    The number of unstable directions is bisected; a pair of complex eigenvalues that crosses leaves J regular and is
    no branch point.
    """
    if segment.start.unstable < 0 or segment.end.unstable < 0:
        return []
    low, high = 0.0, 1.0
    node = segment.start
    for _ in range(46):
        s = 0.5 * (low + high)
        row = segment.slope(s) / segment.scale**2
        row = row / np.linalg.norm(row * segment.scale)
        try:
            found = correct(task.problem, segment.at(s), row, segment.scale, task.settings.tolerance, 12)
            node = task.node(found, segment.slope(s))
        except (NotCorrectedError, EvaluationError):
            return []
        if node.unstable == segment.start.unstable:
            low = s
        else:
            high = s
    jacobian = task.problem(node.u).jacobian * segment.scale[:-1]
    singular = np.linalg.svd(jacobian, compute_uv=False)
    if singular[-2:].max() > 1e-6 * max(1.0, float(singular[0])):
        return []
    error = (high - low) * segment.length * float(segment.scale[-1]) + 1e-14 * (1.0 + abs(float(node.u[-1])))
    return [Located("branch-point", node.u, error, True, reason="several branches meet (a kernel of two dimensions)")]


def _same_place(point: Located, other: Located, segment: Segment) -> bool:
    near = float(np.linalg.norm((point.u - other.u) / segment.scale))
    return near < 1e-3 * segment.length + 1e-7 or (not other.converged) or (not point.converged)


def _bisected_fold(task: Task, segment: Segment, failed: Located) -> Located:
    """A fold whose Newton failed from the first guess: the bracket is narrowed on the branch, then Newton again."""
    low, high = 0.0, 1.0
    rising = segment.start.t[-1] > 0.0
    u = failed.u
    for _ in range(12):
        s = 0.5 * (low + high)
        slope = segment.slope(s)
        row = slope / segment.scale**2
        try:
            found = correct(task.problem, segment.at(s), row / np.linalg.norm(row * segment.scale), segment.scale, 1e-10, 12)
            t = tangent(found.evaluation.f_u, segment.scale, slope)
        except (NotCorrectedError, EvaluationError) as failure:
            return replace(failed, u=segment.at(s), converged=False, reason=str(failure))
        u = found.u
        if (t[-1] > 0.0) == rising:
            low = s
        else:
            high = s
        point = locate_fold(task.problem, u, segment.scale, task.settings.tolerance)
        if point.converged and segment.holds(point.u):
            return point
    return replace(failed, u=u, converged=False, error=abs(high - low) * segment.length * float(segment.scale[-1]))


def _zeros(task: Task, trace: Trace, segment: Segment, index: int, name: str, event: Event) -> list[Located]:
    """Zeros of one event on the segment: a sign change, or a pair that the parabola through three points suggests."""
    first, last = segment.start.events[index], segment.end.events[index]
    if not (np.isfinite(first) and np.isfinite(last)):
        return []
    problem, tolerance = task.problem, task.settings.tolerance
    if first * last < 0.0:
        return [locate_zero(problem, segment, event, name, (first, last), tolerance)]
    if last == 0.0 and first != 0.0:
        return [Located(name, segment.end.u, 4e-16 * abs(float(segment.end.u[-1])), True, null=segment.end.t[None])]
    if len(trace.nodes) < 2 or first == 0.0:
        return []
    turn = _extremum(trace.nodes[-2], segment, index)
    if turn is None:
        return []
    try:
        row = segment.slope(turn) / segment.scale**2
        middle = correct(problem, segment.at(turn), row / np.linalg.norm(row * segment.scale), segment.scale, tolerance, 12)
        node = task.node(middle, segment.slope(turn))
    except (NotCorrectedError, EvaluationError):
        return []
    value = node.events[index]
    if not np.isfinite(value) or value * first >= 0.0:
        return []
    span = [float(np.linalg.norm((node.u - end.u) / segment.scale)) for end in (segment.start, segment.end)]
    left = Segment(segment.start, node, segment.scale, span[0])
    right = Segment(node, segment.end, segment.scale, span[1])
    return [
        locate_zero(problem, left, event, name, (first, value), tolerance),
        locate_zero(problem, right, event, name, (value, last), tolerance),
    ]


def _extremum(before: Node, segment: Segment, index: int) -> float | None:
    """Where in the segment the parabola through the last three values comes nearest to zero, if inside and much nearer."""
    g0, g1, g2 = before.events[index], segment.start.events[index], segment.end.events[index]
    if not np.isfinite(g0):
        return None
    back = -float(np.linalg.norm((segment.start.u - before.u) / segment.scale)) / segment.length
    if back == 0.0:
        return None
    a, b, c = np.polyfit([back, 0.0, 1.0], [g0, g1, g2], 2)
    if a * g1 <= 0.0:
        return None
    s = -b / (2 * a)
    if not 0.0 < s < 1.0:
        return None
    bottom = c - b * b / (4 * a)
    return float(s) if bottom * g1 < 0.2 * min(abs(g1), abs(g2)) * abs(g1) else None
