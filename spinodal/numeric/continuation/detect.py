"""What is special on a stretch of branch: signs that change between its ends, and what they mean.

the parameter's slope            a fold (two, where it dips below zero between the ends)
det [F_u; t]                     a branch point (an odd number of branches' worth)
the count of unstable directions a branch point with a kernel of several dimensions
an event                         its zero
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spinodal.numeric.continuation.corrector import NotCorrectedError, correct, tangent
from spinodal.numeric.continuation.locate import (
    Event,
    Located,
    branch_point_guess,
    fold_guess,
    locate_branch_point,
    locate_fold,
    locate_zero,
    value_of,
)
from spinodal.numeric.continuation.problem import EvaluationError
from spinodal.numeric.continuation.segment import Node, Segment
from spinodal.numeric.continuation.task import Task
from spinodal.numeric.results import Array

#: How often a stretch may be divided to separate what lies close together.
_DIVISIONS = 8


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


def special_points(task: Task, before: Node | None, segment: Segment) -> list[Located]:
    """Everything special on a segment; ``before`` is the node before its start."""
    found: list[Located] = []
    earlier = before
    for piece in _pieces(task, before, segment):
        here = branch_points(task, piece, found)
        for part in _between_turns(task, earlier, piece):
            fold = _fold(task, part, here)
            if fold is not None:
                here.append(fold)
        found += here
        earlier = piece.start
    if task.classify is not None:
        found = [known for point in found if (known := task.classify(point)) is not None]
    for index, (name, event) in enumerate(task.events.items()):
        zeros = [
            _at_branch_point(zero, found, event, segment, index)
            for zero in _zeros(task, before, segment, index, name, event)
        ]
        if task.classify is not None:
            zeros = [known for point in zeros if (known := task.classify(point)) is not None]
        found += zeros
    return found


#: A change of the parameter (scaled) by which no branch turns whose fold cannot be located: rounding gives it a sign.
_NO_TURN = 1e-12


def _fold(task: Task, piece: Segment, here: Sequence[Located]) -> Located | None:
    """The fold on a piece at whose ends the parameter runs in opposite directions, beside the branch points known there."""
    if piece.start.t[-1] * piece.end.t[-1] >= 0.0:
        return None
    guess = fold_guess(piece)
    point = locate_fold(task.problem, guess, piece.scale, task.settings.tolerance)
    if not (point.converged and _within(piece, point.u)):
        beside = [np.linalg.norm((other.u - guess) / piece.scale) for other in here if other.kind == "branch-point"]
        if beside and min(beside) < 0.2 * piece.length:
            return None  # the turn is that of a side branch at its branch point
        point = _bisected_fold(task, piece, point)
    if not point.converged:  # where a symmetry makes branches meet, the turn is no regular fold
        meeting = locate_branch_point(task.problem, point.u, piece.scale, task.settings.tolerance)
        point = meeting if meeting.converged and piece.holds(meeting.u) else point
    # where branches cross, p may turn as well (a pitchfork's side branch): that is the branch point, not a fold
    crossings = (other for other in here if other.kind == "branch-point")
    if any(_same_place(point, other, piece) for other in crossings) or _in_noise(point, piece):
        return None
    return point


def _between_turns(task: Task, before: Node | None, piece: Segment) -> list[Segment]:
    """The piece divided where the parameter runs backwards for less than a step (two folds that have hardly separated)."""
    if before is None or piece.start.t[-1] * piece.end.t[-1] <= 0.0 or before.t[-1] * piece.start.t[-1] <= 0.0:
        return [piece]
    nodes = [before, piece.start, piece.end]
    for _ in range(_DIVISIONS):
        slopes = [float(node.t[-1] / np.linalg.norm(node.t / piece.scale)) for node in nodes]
        lowest = _probe(task, nodes[0], _stretch(nodes[1], nodes[2], piece.scale), slopes)
        if lowest is None:
            break
        if lowest.t[-1] * piece.start.t[-1] < 0.0:
            first = before if _nearer(lowest, before, piece.end, piece.scale) else piece.start
            last = piece.start if first is before else piece.end
            halves = [_stretch(first, lowest, piece.scale), _stretch(lowest, last, piece.scale)]
            return halves if first is piece.start else [*halves, piece]
        nodes = sorted([*nodes, lowest], key=lambda node: _along(node, before, piece))
        middle = min((1, 2), key=lambda k: abs(nodes[k].t[-1]))
        nodes = nodes[middle - 1 : middle + 2]
    return [piece]


def _along(node: Node, before: Node, piece: Segment) -> float:
    return float(((node.u - before.u) / piece.scale) @ ((piece.end.u - before.u) / piece.scale))


def branch_points(task: Task, piece: Segment, known: Sequence[Located] = ()) -> list[Located]:
    """The branch point on a piece whose ends differ in the determinant's sign or in the number of unstable directions.

    ``known`` are points beside the piece that have been found already.
    """
    counted = piece.start.unstable >= 0 and piece.end.unstable >= 0
    if counted and abs(piece.start.unstable - piece.end.unstable) >= 2:
        several = _several(task, piece)
        if several or piece.start.sign * piece.end.sign >= 0.0:
            return several
    if piece.start.sign * piece.end.sign >= 0.0:
        return []
    guess = branch_point_guess(piece)
    for _ in range(16):
        point = locate_branch_point(task.problem, guess, piece.scale, task.settings.tolerance)
        again = any(np.max(np.abs(other.u - point.u) / piece.scale) < 1e-9 for other in known)
        if point.converged and not again and _within(piece, point.u):
            return [point]
        # Newton went to another one, or nowhere: narrow the stretch on which the sign changes
        try:
            middle = task.node_on(piece, 0.5)
        except (NotCorrectedError, EvaluationError):
            break
        ends = (piece.start, middle) if middle.sign * piece.start.sign < 0.0 else (middle, piece.end)
        piece = _stretch(*ends, piece.scale)
        guess = branch_point_guess(piece)
    return [replace(point, u=guess, converged=False, error=float("nan"))]


def _within(piece: Segment, u: Array) -> bool:
    """Whether a point lies beside a piece, between its ends."""
    chord = (piece.end.u - piece.start.u) / piece.scale
    offset = (u - piece.start.u) / piece.scale
    return piece.holds(u) and abs(float(chord @ offset) / max(float(chord @ chord), 1e-300) - 0.5) <= 0.5 + 1e-6


def jumped(task: Task, before: Node | None, segment: Segment) -> bool:
    """Whether the determinant changes sign although no branch point can be located on the segment."""
    if segment.start.sign * segment.end.sign >= 0.0:
        return False
    return not all(point.converged for piece in _pieces(task, before, segment) for point in branch_points(task, piece))


def _pieces(task: Task, before: Node | None, segment: Segment, depth: int = 0) -> list[Segment]:
    """The segment divided so that each piece holds one branch point at most."""
    if depth == _DIVISIONS or not task.crossings:
        return [segment]
    middle = None
    start, end = segment.start, segment.end
    if start.unstable >= 0 and end.unstable >= 0 and abs(start.unstable - end.unstable) >= 2:
        middle = _between(task, segment)
    elif start.sign * end.sign > 0.0 and before is not None:
        values = [node.sign * float(np.exp(np.clip(node.log - start.log, -60.0, 60.0))) for node in (before, start, end)]
        node = _probe(task, before, segment, values)
        if node is not None and node.sign * start.sign < 0.0:
            if not _nearer(node, end, before, segment.scale):  # both lie on the segment before
                pieces = [_stretch(before, node, segment.scale), _stretch(node, start, segment.scale)]
                return [*pieces, segment]
            middle = node
    if middle is None:
        return [segment]
    left, right = (_stretch(a, b, segment.scale) for a, b in ((start, middle), (middle, end)))
    return [*_pieces(task, before, left, depth + 1), *_pieces(task, start, right, depth + 1)]


def _stretch(start: Node, end: Node, scale: Array) -> Segment:
    return Segment(start, end, scale, float(np.linalg.norm((end.u - start.u) / scale)))


def _between(task: Task, segment: Segment) -> Node | None:
    """A node whose number of unstable directions lies between those of the ends, if the changes are not simultaneous."""
    low, high = 0.0, 1.0
    first, last = segment.start.unstable, segment.end.unstable
    while high - low > 1e-9:
        s = 0.5 * (low + high)
        try:
            node = task.node_on(segment, s)
        except (NotCorrectedError, EvaluationError):
            return None
        if min(first, last) < node.unstable < max(first, last):
            return node
        low, high = (s, high) if node.unstable == first else (low, s)
    return None


def _several(task: Task, piece: Segment) -> list[Located]:
    """A branch point where several eigenvalues cross zero together (their mean is a smooth function along the branch).

    Complex eigenvalues that cross the imaginary axis leave J regular: there is no branch point then.
    """
    count = abs(piece.start.unstable - piece.end.unstable)

    def crossing(node: Node) -> tuple[float, float]:
        values = np.linalg.eigvals(task.problem(node.u).jacobian)
        nearest = values[np.argsort(np.abs(values.real))[:count]]
        return float(np.mean(nearest.real)), float(np.max(np.abs(nearest)))

    try:
        points = [(0.0, crossing(piece.start)[0]), (1.0, crossing(piece.end)[0])]
    except (EvaluationError, np.linalg.LinAlgError):
        return []
    (low, g_low), (high, g_high) = points
    if g_low * g_high >= 0.0:
        return []
    best, size, modulus, s = piece.start, np.inf, np.inf, 0.0
    slope = abs(g_high - g_low)
    for _ in range(40):
        s = low + (high - low) * float(np.clip(g_low / (g_low - g_high), 0.02, 0.98))
        try:
            node = task.node_on(piece, s)
            mean, largest = crossing(node)
        except (NotCorrectedError, EvaluationError, np.linalg.LinAlgError):
            break  # so near the point that the corrector is singular
        if abs(mean) < size:
            best, size, modulus = node, abs(mean), largest
        if abs(mean) <= 1e-15 * slope or high - low < 1e-14:
            break
        if mean * g_low > 0.0:
            slope = abs(mean - g_low) / max(s - low, 1e-300)
            low, g_low, g_high = s, mean, g_high * 0.5 if g_high * mean < 0.0 and abs(g_high) > 4.0 * abs(mean) else g_high
        else:
            slope = abs(g_high - mean) / max(high - s, 1e-300)
            high, g_high, g_low = s, mean, g_low * 0.5 if g_low * mean < 0.0 and abs(g_low) > 4.0 * abs(mean) else g_low
    if modulus > 1e-4 * max(abs(points[0][1]), abs(points[1][1])) + 1e-8:
        return []
    per_length = float(np.abs(piece.slope(s)[-1]))
    rate = abs(points[1][1] - points[0][1])
    error = (4.0 * modulus + 1e-14 * (1.0 + rate)) / max(rate, 1e-300) * per_length + 1e-15 * (1.0 + abs(float(best.u[-1])))
    return [Located("branch-point", best.u, error, True, reason=f"several branches meet (a kernel of {count} dimensions)")]


def _same_place(point: Located, other: Located, segment: Segment) -> bool:
    near = float(np.linalg.norm((point.u - other.u) / segment.scale))
    return near < 1e-3 * segment.length + 1e-7 or (not other.converged) or (not point.converged)


def _at_branch_point(zero: Located, found: Sequence[Located], event: Event, segment: Segment, index: int) -> Located:
    """A zero that could not be located because it lies on a branch point, where no single branch leads through it."""
    if zero.converged:
        return zero
    size = max(abs(segment.start.events[index]), abs(segment.end.events[index]))
    for point in found:
        if point.kind == "branch-point" and point.converged and abs(value_of(event, point.u)) < 1e-6 * size:
            return replace(point, kind=zero.kind)
    return zero


def _in_noise(fold: Located, segment: Segment) -> bool:
    """Whether the parameter turns by no more than the fold's own error: rounding, not a fold."""
    turn = max(abs(float(node.u[-1] - fold.u[-1])) for node in (segment.start, segment.end))
    return bool(turn <= (4.0 * fold.error if fold.converged else _NO_TURN * segment.scale[-1]))


def _bisected_fold(task: Task, segment: Segment, failed: Located) -> Located:
    """A fold whose Newton failed from the first guess: the bracket is narrowed on the branch, then Newton again."""
    low, high = 0.0, 1.0
    rising = segment.start.t[-1] > 0.0
    u = failed.u
    for step in range(12):
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
        if step % 4 < 3:
            continue
        point = locate_fold(task.problem, u, segment.scale, task.settings.tolerance)
        if point.converged and segment.holds(point.u):
            return point
    return replace(failed, u=u, converged=False, error=abs(high - low) * segment.length * float(segment.scale[-1]))


def _zeros(task: Task, before: Node | None, segment: Segment, index: int, name: str, event: Event) -> list[Located]:
    """Zeros of one event on the segment: a sign change, or a pair that the parabola through three points suggests."""
    first, last = segment.start.events[index], segment.end.events[index]
    if not (np.isfinite(first) and np.isfinite(last)):
        return []
    problem, tolerance = task.problem, task.settings.tolerance
    if first * last < 0.0:
        return [locate_zero(problem, segment, event, name, (first, last), tolerance)]
    if last == 0.0 and first != 0.0:
        return [Located(name, segment.end.u, 4e-16 * abs(float(segment.end.u[-1])), True, null=segment.end.t[None])]
    if before is None or first == 0.0:
        return []
    probe = _probe(task, before, segment, [node.events[index] for node in (before, segment.start, segment.end)])
    if probe is None or not np.isfinite(probe.events[index]) or probe.events[index] * first >= 0.0:
        return []
    value = probe.events[index]
    # the probe lies on this segment or on the one before
    ends = (segment.start, segment.end) if _nearer(probe, segment.end, before, segment.scale) else (before, segment.start)
    left, right = _stretch(ends[0], probe, segment.scale), _stretch(probe, ends[1], segment.scale)
    return [
        locate_zero(problem, left, event, name, (ends[0].events[index], value), tolerance),
        locate_zero(problem, right, event, name, (value, ends[1].events[index]), tolerance),
    ]


def _nearer(probe: Node, one: Node, other: Node, scale: Array) -> bool:
    return float(np.linalg.norm((probe.u - one.u) / scale)) <= float(np.linalg.norm((probe.u - other.u) / scale))


def _probe(task: Task, before: Node, segment: Segment, values: Sequence[float]) -> Node | None:
    """The node where the parabola through three values of the same sign comes nearest to zero, if that is much nearer."""
    g0, g1, g2 = values
    if not np.all(np.isfinite(values)) or g0 * g1 <= 0.0 or g1 * g2 <= 0.0:
        return None
    previous = _stretch(before, segment.start, segment.scale)
    back = -previous.length / segment.length
    if back == 0.0:
        return None
    a = (g2 - g1 + (g1 - g0) / back) / (1.0 - back)  # g = g1 + b s + a s^2, s = 0 and 1 at the ends of the segment
    if a * g1 <= 0.0:
        return None
    b = g2 - g1 - a
    s, bottom = -b / (2 * a), g1 - b * b / (4 * a)
    if not back < s < 1.0 or bottom * np.sign(g1) >= 0.2 * min(abs(g0), abs(g1), abs(g2)):
        return None
    try:
        return task.node_on(segment, float(s)) if s >= 0.0 else task.node_on(previous, 1.0 - float(s / back))
    except (NotCorrectedError, EvaluationError):
        return None
