"""``continue_branch``: follow the solutions of F(x, p) = 0 as p varies, and locate what is special on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spinodal.numeric.continuation.branch import Branch
from spinodal.numeric.continuation.checkpoint import Checkpoint
from spinodal.numeric.continuation.corrector import NotCorrectedError, Scaling, first_point
from spinodal.numeric.continuation.detect import points_at_start
from spinodal.numeric.continuation.locate import Event, Located, value_of
from spinodal.numeric.continuation.loop import advance
from spinodal.numeric.continuation.problem import EvaluationError, Problem
from spinodal.numeric.continuation.segment import Node
from spinodal.numeric.continuation.settings import Settings
from spinodal.numeric.continuation.task import Limit, Task, Trace
from spinodal.numeric.continuation.units import Units, natural_units
from spinodal.numeric.results import Array, Failure, SpecialPoint

Bounds = tuple[float, float] | Mapping[Any, tuple[float, float]]


class NoBranchError(ValueError):
    """No solution was found at or near the start; the message says why.

    >>> continue_branch(lambda x, p: x**2 + 1.0 + p**2, 0.5, 0.0)
    Traceback (most recent call last):
        ...
    spinodal.numeric.continuation.engine.NoBranchError: no solution at the start (p = 0): ...
    """


def continue_branch(
    F: Callable[[Array, float], Array],
    x0: Any,
    p0: float,
    *,
    jac: Callable[[Array, float], Array] | None = None,
    dFdp: Callable[[Array, float], Array] | None = None,
    bounds: Bounds | None = None,
    settings: Settings | None = None,
    events: Mapping[str, Event] | None = None,
    second: Callable[[Array, float, Array], Array] | None = None,
    names: Sequence[str] | None = None,
    parameter: str = "p",
    checkpoint: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Branch:
    """Follow a branch of solutions of F(x, p) = 0 by pseudo-arclength continuation, to both sides of the start.

    Args:
        F: (x [n], p) -> [n]. It may return nan or raise where it makes no sense: the branch ends there, with the reason.
        x0: a guess of a solution at p0, [n] (a number if n = 1); beside a fold the nearest solution is taken.
        p0: the parameter at the start.
        jac: dF/dx, (x, p) -> [n, n]; default: complex step where F allows it, else extrapolated differences.
        dFdp: dF/dp, (x, p) -> [n]; default: the same.
        bounds: ``(low, high)`` of the parameter; or a mapping from ``"p"``, an index or name of a component of x, or the
            name of an event, to ``(low, high)``. The branch ends on the bound.
        settings: of the engine.
        events: ``{name: g(x, p) -> float}``: every zero of g is located as a special point of the kind ``name``.
        second: d(J v)/dx, (x, p, v) -> [n, n]; default: differences of the Jacobian.
        names: of the components of x; default ``x0, x1, ...``.
        parameter: name of p.
        checkpoint: a file in which the state is kept while it runs; a run with the same arguments resumes from it.
        progress: called with the number of points so far.

    Returns:
        The branch. Special points (``fold``, ``branch-point``, zeros of events, ``boundary``) solve their defining
        equations and carry error estimates.

    Raises:
        NoBranchError: if there is no solution at or near the start.
        ValueError: for bounds that are none, or that do not contain the start.

    Source: Keller (1977); Allgower and Georg, Numerical Continuation Methods (1990); Govaerts (2000).

    The S-shaped curve p = x^3/3 - x has its folds at x = -1 and 1, p = 2/3 and -2/3:

    >>> branch = continue_branch(lambda x, p: p + x - x**3 / 3, -2.5, -2.7, bounds=(-3.0, 3.0))
    >>> [(point.kind, round(point.p, 10), round(float(point.x[0]), 6)) for point in branch.special_points]
    [('fold', 0.6666666667, -1.0), ('fold', -0.6666666667, 1.0)]
    """
    _check_kinds(settings or Settings(), events or {})
    problem = Problem(F, jac, dFdp, second)
    start = np.atleast_1d(np.asarray(x0, dtype=float)).ravel()
    problem.check_derivatives(np.append(start, float(p0)))
    s = natural_units(problem, start, float(p0), _width(bounds, parameter))
    if s is None:
        return follow_problem(
            problem, start, p0, bounds=bounds, settings=settings, events=events, names=names, parameter=parameter,
            checkpoint=checkpoint, progress=progress,
        )  # fmt: skip
    units = Units(s)
    slope = dFdp and (lambda y, p: np.asarray(dFdp(s * y, p)).reshape(s.size) / s)
    return units.undone(
        follow_problem(
            Problem(units.function(F), units.matrix(jac), slope, units.second(second)), start / s, p0,
            bounds=units.bounds(bounds, names or [f"x{i}" for i in range(s.size)]), settings=settings,
            events=units.events(events), names=names, parameter=parameter, checkpoint=checkpoint, progress=progress,
        )
    )  # fmt: skip


def _width(bounds: Bounds | None, parameter: str) -> float:
    """The width of the parameter's bounds."""
    pair = bounds.get("p", bounds.get(parameter)) if isinstance(bounds, Mapping) else bounds
    return float(pair[1] - pair[0]) if pair is not None and len(pair) == 2 else np.inf


def follow_problem(
    problem: Problem,
    x0: Any,
    p0: float,
    *,
    bounds: Bounds | None = None,
    settings: Settings | None = None,
    events: Mapping[str, Event] | None = None,
    names: Sequence[str] | None = None,
    parameter: str = "p",
    checkpoint: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
    classify: Callable[[Located], Located | None] | None = None,
    validity: Mapping[str, Event] | None = None,
    direction: Array | None = None,
    crossings: bool = True,
) -> Branch:
    """:func:`continue_branch` for a :class:`Problem`; ``validity`` are quantities that must not become negative.

    ``direction`` [n + 1] starts along a given direction, to that side only (branch switching). Without ``crossings`` branch
    points are not looked for.
    """
    settings = settings or Settings()
    start = np.atleast_1d(np.asarray(x0, dtype=float)).ravel()
    events = dict(events or {})
    labels = tuple(names) if names is not None else tuple(f"x{i}" for i in range(start.size))
    _check_arguments(start, labels, settings)
    limits = _limits(bounds, events, labels, float(p0), parameter)
    limits += [Limit(name, function, 0.0, np.inf, validity=True) for name, function in (validity or {}).items()]
    width = next((limit.high - limit.low for limit in limits if limit.is_parameter), np.inf)
    scaling = Scaling(width)
    task = Task(problem, scaling, settings, events, limits, classify, crossings)
    try:
        first = first_point(problem, start, float(p0), scaling, settings.tolerance)
        origin = task.node(first, None)
    except (NotCorrectedError, EvaluationError) as failure:
        raise NoBranchError(f"no solution at the start ({parameter} = {float(p0):.8g}): {failure}") from failure
    moved = _moved(first.u, start, float(p0), parameter)
    for limit in limits:
        here = value_of(limit.function, origin.u)
        slack = 1e-9 * (1.0 + abs(here))
        if not limit.validity and not limit.low - slack <= here <= limit.high + slack:
            if moved:
                raise NoBranchError(f"{moved}, which lies outside the bounds of {limit.name}")
            raise ValueError(f"the start lies outside the bounds of {limit.name}: {here:.10g}")
    store = (
        Checkpoint(checkpoint, (start.tolist(), p0, bounds, settings, tuple(events), labels, parameter))
        if checkpoint
        else None
    )
    traces = store.read() if store else []
    at_start = points_at_start(task, origin)
    if not traces:
        traces = _starts(task, origin, direction)
        traces = [replace(trace, located=at_start) for trace in traces]
    for side in range(len(traces)):
        while not traces[side].stop:
            traces[side] = advance(task, traces[side])
            if traces[side].stop == "closed loop":
                traces = [traces[side]]
            if store:
                store.write(traces)
            if progress is not None:
                progress(sum(len(trace.nodes) for trace in traces))
            if len(traces) <= side:
                break
        if len(traces) == 1:
            break
    if store:
        store.write(traces, force=True)
    branch = _assembled(task, traces, labels, parameter, len(at_start))
    return replace(branch, remarks=(f"{moved}: the branch starts there", *branch.remarks)) if moved else branch


def _moved(found: Array, x0: Array, p0: float, parameter: str) -> str:
    """That no solution was found at the wanted parameter but elsewhere; empty where one was."""
    if abs(float(found[-1]) - p0) <= 1e-9 * (1.0 + abs(p0)):
        return ""
    state = ", ".join(f"{value:.6g}" for value in found[:-1][:4]) + (", ..." if x0.size > 4 else "")
    return (
        f"no solution was found at {parameter} = {p0:.10g} near the start; the nearest one found is at "
        f"{parameter} = {float(found[-1]):.10g}, x = [{state}]"
    )


_KINDS = ("fold", "branch-point", "boundary", "cusp")


def _check_arguments(start: Array, names: Sequence[str], settings: Settings) -> None:
    """Refuse what cannot be meant.

    Raises:
        ValueError: about the first that is wrong.
    """
    if start.size == 0 or not np.all(np.isfinite(start)):
        raise ValueError("x0 must hold at least one number, and only finite ones")
    if len(names) != start.size:
        raise ValueError(f"{len(names)} names for {start.size} unknowns")
    for name in ("step", "smallest_step", "largest_step", "tolerance", "prediction", "angle", "wanted_angle", "consistency"):
        if not getattr(settings, name) > 0.0:
            raise ValueError(f"settings.{name} must be positive, not {getattr(settings, name)}")
    if settings.newton < 2 or settings.points < 1:
        raise ValueError("settings.newton is at least 2 and settings.points at least 1")


def _check_kinds(settings: Settings, events: Mapping[str, Event]) -> None:
    for kind in settings.stop_at:
        if kind not in (*_KINDS, *events):
            known = ", ".join((*_KINDS, *events))
            raise ValueError(f"settings.stop_at: {kind!r} is no special point of this branch; there are {known}")


def _starts(task: Task, origin: Node, direction: Array | None) -> list[Trace]:
    """The traces to follow from the first point: to growing and to falling parameter, or along a given direction."""
    step = task.settings.step
    if direction is not None:
        forward = origin if float((origin.t / task.scaling.at(origin.u) ** 2) @ direction) >= 0.0 else origin.reversed()
        return [Trace((forward,), step=step)]
    rising = origin if origin.t[-1] >= 0.0 else origin.reversed()
    if task.settings.both_directions:
        traces = [Trace((rising,), step=step), Trace((rising.reversed(),), step=step)]
    else:
        traces = [Trace((rising.reversed() if task.settings.backwards else rising,), step=step)]
    return [replace(trace, stop=outside) if (outside := _leaves(task, trace.nodes[0])) else trace for trace in traces]


def _leaves(task: Task, node: Node) -> str:
    """Why a start leads out of the bounds at once (it lies on one, and points outwards); empty otherwise."""
    for limit in task.limits:
        here = limit.function(node.u[:-1], float(node.u[-1]))
        ahead = node.u + 1e-6 * node.t
        there = limit.function(ahead[:-1], float(ahead[-1]))
        for bound, sign in ((limit.low, 1.0), (limit.high, -1.0)):
            if np.isfinite(bound) and abs(here - bound) <= 1e-12 * (1.0 + abs(bound)) and sign * (there - here) < 0.0:
                return f"{limit.name} reached {bound:.12g}"
    return ""


def _limits(
    bounds: Bounds | None, events: Mapping[str, Event], names: Sequence[str], p0: float, parameter: str
) -> list[Limit]:
    if bounds is None:
        return []
    table: dict[Any, tuple[float, float]] = dict(bounds) if isinstance(bounds, Mapping) else {"p": tuple(bounds)}  # type: ignore[dict-item]
    limits = []
    for key, pair in table.items():
        if len(pair) != 2:
            raise ValueError(f"bounds of {key}: give (low, high)")
        low, high = pair
        if not low < high:
            raise ValueError(f"bounds of {key}: {low} is not below {high}")
        if key in ("p", parameter):
            if not low - 1e-12 * (1 + abs(low)) <= p0 <= high + 1e-12 * (1 + abs(high)):
                raise ValueError(f"the start, {parameter} = {p0}, lies outside its bounds ({low}, {high})")
            limits.append(Limit(parameter, lambda x, p: p, float(low), float(high), is_parameter=True))
        elif key in events:
            limits.append(Limit(str(key), events[key], float(low), float(high)))
        elif key in names or (isinstance(key, int | np.integer) and 0 <= key < len(names)):
            index = list(names).index(key) if key in names else int(key)
            limits.append(Limit(names[index], lambda x, p, index=index: float(x[index]), float(low), float(high)))  # type: ignore[misc]
        else:
            raise ValueError(f"bounds of {key!r}: neither the parameter, nor a component of x, nor an event")
    return limits


def _assembled(task: Task, traces: list[Trace], names: tuple[str, ...], parameter: str, at_start: int) -> Branch:
    forward = traces[0]
    backward = traces[1] if len(traces) > 1 else None
    back = [node.reversed() for node in reversed(backward.nodes[1:])] if backward else []
    nodes = [*back, *forward.nodes]
    offset = len(back)
    located = [(point, offset + point.position) for point in forward.located]
    if backward:  # what lies on the start itself is in both traces
        located += [(point, offset - point.position) for point in backward.located[at_start:]]
    located.sort(key=lambda pair: pair[1])
    remarks = [remark for trace in traces for remark in trace.remarks]
    for index, name in enumerate(task.events):
        values = np.array([node.events[index] for node in nodes])
        if np.all(np.isnan(values)):
            remarks.append(f"{name} could not be evaluated on this branch: its zeros were not looked for")
        elif np.all(values == 0.0):
            remarks.append(f"{name} vanishes identically on this branch")
            located = [pair for pair in located if pair[0].kind != name]
    if backward is None:
        reasons = forward.stop
    elif _rising(backward) != _rising(forward):
        reasons = f"{_side(backward)}; {_side(forward)}"
    else:  # a start on a fold: the parameter moves the same way on both sides
        reasons = f"one side: {backward.stop}; other side: {forward.stop}"
    u = np.array([node.u for node in nodes])
    events = {
        name: np.array([node.events[i] for node in nodes]) for i, name in enumerate(task.events)
    }  # fmt: skip
    return Branch(
        x=u[:, :-1],
        p=u[:, -1],
        special_points=tuple(special_point(point, names, parameter) for point, _ in located),
        stop_reason=reasons,
        tangents=np.array([node.t for node in nodes]),
        unstable=np.array([node.unstable for node in nodes], dtype=np.int64),
        quantities=events,
        start=offset,
        closed=forward.stop == "closed loop",
        positions=tuple(position for _, position in located),
        names=names,
        parameter=parameter,
        remarks=tuple(remarks),
        evaluations=task.problem.evaluations,
    )


def _rising(trace: Trace) -> bool:
    return bool(trace.nodes[min(1, len(trace.nodes) - 1)].t[-1] >= 0.0)


def _side(trace: Trace) -> str:
    return f"{'forward' if _rising(trace) else 'backward'}: {trace.stop}"


def special_point(located: Located, names: Sequence[str], parameter: str) -> SpecialPoint:
    """The result of a located point."""
    failure = None
    if not located.converged:
        failure = Failure(
            located.reason or "not located", "take smaller steps (settings.largest_step), or start nearer to it"
        )
    return SpecialPoint(
        kind=located.kind,
        parameters={parameter: float(located.u[-1])},
        order_parameters=dict(zip(names, map(float, located.u[:-1]), strict=True)),
        free_entropy=float("nan"),
        # a parameter that vanishes is known no better than the rounding of what it is made of
        error_estimate=float(max(located.error, 1e-17)),
        converged=located.converged,
        failure=failure,
        along=parameter,
        x=located.u[:-1].copy(),
        null=located.null,
        left=located.left,
    )
