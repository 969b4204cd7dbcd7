"""All branches along a line: the one from small alpha, those switched to at branch points, and disconnected ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spinodal.numeric.bound import Bound
from spinodal.numeric.continuation.branch import Branch
from spinodal.numeric.continuation.corrector import NotCorrectedError, correct
from spinodal.numeric.continuation.engine import NoBranchError, follow_problem
from spinodal.numeric.continuation.problem import EvaluationError
from spinodal.numeric.continuation.settings import Settings
from spinodal.numeric.continuation.switching import switch_branches
from spinodal.numeric.every_root import all_states
from spinodal.numeric.module_problem import ModuleProblem
from spinodal.numeric.results import Array, State
from spinodal.numeric.tracking import Line, NoStateError, Tracked, Watch, track, watch_for

#: Values of the parameter, as fractions of its range, at which all roots are looked for.
_LOOK_AT = (0.5, 0.98, 0.25, 0.75, 0.02)
#: (parameter, free entropy, unstable directions) along a branch.
_Curve = tuple[Array, Array, NDArray[np.int64]]
#: Branches at most.
_MOST = 24


def track_all(
    system: Bound,
    p: Array,
    line: Line,
    *,
    kinds: Mapping[str, str],
    continuous: bool = False,
    start: Mapping[str, float] | None = None,
    settings: Settings | None = None,
    tolerance: float = 1e-10,
    progress: Callable[[int], None] | None = None,
) -> list[Tracked]:
    """Every branch found along a line, the one from small alpha first; none is followed twice.

    Side branches are switched to at branch points; disconnected ones are begun from roots that multi-start Newton finds
    at a few values of the parameter and that lie on no known branch. Each state's stability compares it with the states
    of all branches at the same parameter.

    Raises:
        NoStateError: if there is no state at all.
    """
    found: list[Tracked] = []
    problem = ModuleProblem(system, p, (line.column,))
    watch = watch_for(
        problem, line, kinds, 0.5 * (line.low + line.high), continuous=continuous, with_crossings=True, settings=settings
    )
    failure: NoStateError | None = None
    try:
        main = track(
            system, p, line, kinds=kinds, continuous=continuous, start=start, settings=settings, tolerance=tolerance,
            progress=progress,
        )  # fmt: skip
        found.append(main)
        _switch(watch, found, main, tolerance)
    except NoStateError as error:
        failure = error
    for fraction in _LOOK_AT:
        value = line.low + fraction * (line.high - line.low)
        for state in all_states(system.module, problem.point(value), tolerance=tolerance, rule=system.rule):
            if not state.converged or state.method.startswith("limit") or len(found) >= _MOST:
                continue
            x = np.array([state.order_parameters[name] for name in system.module.ORDER_PARAMETERS])
            if any(lies_on(problem, tracked.branch, x, value) for tracked in found):
                continue
            try:
                branch = follow_problem(problem, x, value, progress=progress, **watch.arguments())
            except NoBranchError:
                continue
            found.append(watch.finish(branch, tolerance))
            _switch(watch, found, found[-1], tolerance)
    if not found:
        assert failure is not None
        raise failure
    return _compared(found)


def _switch(watch: Watch, found: list[Tracked], tracked: Tracked, tolerance: float) -> None:
    """Add the side branches at the branch points of one branch, and theirs in turn."""
    arguments = watch.arguments()
    bounds, settings = arguments.pop("bounds"), arguments.pop("settings")
    for point, position in zip(tracked.branch.special_points, tracked.branch.positions, strict=True):
        if point.kind != "branch-point" or not point.converged or len(found) >= _MOST:
            continue
        known = tracked.branch.tangents[min(int(position), len(tracked.branch) - 1)]
        try:
            sides = switch_branches(watch.problem, point, known, bounds=bounds, settings=settings, **arguments)
        except (NoBranchError, EvaluationError, NotCorrectedError):
            continue
        for side in sides:
            middle = len(side) // 2
            if len(side) > 1 and not any(
                lies_on(watch.problem, other.branch, side.x[middle], float(side.p[middle])) for other in found
            ):
                found.append(watch.finish(side, tolerance))
                _switch(watch, found, found[-1], tolerance)


def lies_on(problem: ModuleProblem, branch: Branch, x: Array, value: float) -> bool:
    """Whether a state at a value of the parameter is a point of a branch."""
    for i in np.flatnonzero((branch.p[:-1] - value) * (branch.p[1:] - value) <= 0.0):
        width = float(branch.p[i + 1] - branch.p[i])
        s = (value - float(branch.p[i])) / width if width else 0.0
        guess = (1.0 - s) * branch.x[i] + s * branch.x[i + 1]
        if np.max(np.abs(guess - x) / (1.0 + np.abs(x))) > 0.1:
            continue
        if np.max(np.abs(guess - x) / (1.0 + np.abs(x))) < 1e-7:
            return True
        row = np.zeros(x.size + 1)
        row[-1] = 1.0
        u = np.append(guess, value)
        try:
            corrected = correct(problem, u, row, 1.0 + np.abs(u), 1e-11, 20).u
        except (NotCorrectedError, EvaluationError):
            continue
        if np.max(np.abs(corrected[:-1] - x) / (1.0 + np.abs(x))) < 1e-6:
            return True
    return False


def _compared(found: list[Tracked]) -> list[Tracked]:
    """Stability with all branches in view: a stable state below another stable one is metastable."""
    curves: list[_Curve] = [
        (tracked.branch.p, np.array([state.free_entropy for state in tracked.states]), tracked.branch.unstable)
        for tracked in found
    ]
    return [
        replace(tracked, states=tuple(_relabelled(state, float(at), index, curves) for state, at in zip(
            tracked.states, tracked.branch.p, strict=True
        )))
        for index, tracked in enumerate(found)
    ]  # fmt: skip


def _relabelled(state: State, value: float, index: int, curves: list[_Curve]) -> State:
    if state.stability != "stable":
        return state
    for other, (p, phi, unstable) in enumerate(curves):
        if other == index:
            continue
        for i in np.flatnonzero((p[:-1] - value) * (p[1:] - value) <= 0.0):
            if unstable[i] > 0 or unstable[i + 1] > 0:
                continue
            width = float(p[i + 1] - p[i])
            s = (value - float(p[i])) / width if width else 0.0
            if (1.0 - s) * phi[i] + s * phi[i + 1] > state.free_entropy + 1e-8 * (1.0 + abs(state.free_entropy)):
                return replace(state, stability="metastable")
    return state
