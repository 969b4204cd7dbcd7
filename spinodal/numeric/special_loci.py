"""Special points of a generated module along one parameter, once or as a locus over a second parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spinodal.numeric.bound import Bound, is_overlap
from spinodal.numeric.capacity import capacity_beyond, missing, missing_at, saturating
from spinodal.numeric.continuation.branch import Branch
from spinodal.numeric.continuation.crossing import CrossingProblem, follow_crossing, locate_crossing
from spinodal.numeric.continuation.engine import NoBranchError
from spinodal.numeric.continuation.locate import Located
from spinodal.numeric.continuation.loci import follow_locus
from spinodal.numeric.continuation.settings import Settings
from spinodal.numeric.limits import SATURATION_GAP, limits_of
from spinodal.numeric.local_entropy import ENERGETIC, KIND, energetic_barrier, transition
from spinodal.numeric.module_problem import ModuleProblem, Observed
from spinodal.numeric.polish import polished
from spinodal.numeric.results import Array, Failure, SpecialPoint
from spinodal.numeric.solve import solve_points
from spinodal.numeric.tracking import (
    UNSTABLE,
    Line,
    NoStateError,
    Tracked,
    named,
    saturated_entropy,
    track,
)

#: The relative gap 1 - q/q_d at which the locus of a continuous capacity is followed before each point's extrapolation.
_CAPACITY_GAP = 2.0**-8
#: How a branch ends that the engine cannot follow, and where beyond, in shares of the rest of the range, solve is asked.
_LOST, _BEYOND = ("not finite", "rounding", "minimum"), (0.03, 0.2, 1.0)
#: How far apart two states are, in an overlap, that are not the same.
_ANOTHER = 1e-4
#: Names of the events that mark the grid values of a locus.
_GRID = "grid "


@dataclass(frozen=True)
class Wanted:
    """What is to be located.

    Attributes:
        kind: as in the results.
        observable: whose zero it is; empty for folds, branch points, crossings, continuous capacities.
        continuous_capacity: whether it is the limit of vanishing variance.
    """

    kind: str
    observable: str = ""
    continuous_capacity: bool = False


@dataclass(frozen=True)
class Followed:
    """A locus: its points on the grid, what is special along it, and the curve itself."""

    points: tuple[SpecialPoint, ...]
    events: tuple[SpecialPoint, ...] = ()
    curve: Branch | None = None


def locate_first(
    system: Bound,
    p: Array,
    line: Line,
    wanted: Wanted,
    *,
    start: Mapping[str, float] | None = None,
    settings: Settings | None = None,
    tolerance: float = 1e-10,
) -> SpecialPoint:
    """The first special point of a kind on the branch of a state along a line."""
    if wanted.kind in (KIND, ENERGETIC):
        search = transition if wanted.kind == KIND else energetic_barrier
        located = search(system, np.asarray(p, dtype=float), line, tolerance)
        if isinstance(located, Failure):
            return missing_at(system.module, p, line.name, located.reason, wanted.kind, located.advice)
        return located
    problem = ModuleProblem(system, p, (line.column,))
    kinds = {wanted.kind: wanted.observable} if wanted.observable else {}
    stop = (wanted.kind,) if wanted.kind != "crossing" else ()
    tracks = partial(
        track, system, p, kinds=kinds, continuous=wanted.continuous_capacity,
        settings=replace(settings or Settings(), stop_at=stop), tolerance=tolerance, with_states=False,
        with_crossings=wanted.kind == "crossing",
    )  # fmt: skip
    try:
        tracked = tracks(line=line, start=start)
        if start is None and (kinds or wanted.continuous_capacity):
            tracked = _where_solve_is(system, tracked, line, wanted.kind, tracks, tolerance)
    except NoStateError as error:
        return missing(problem, line.name, error.failure.reason, wanted.kind, error.failure.advice)
    points = [point for point in tracked.special_points if point.kind == wanted.kind]
    for point in points:
        if point.converged:
            return point
    if points:
        return points[0]
    span = f"for {line.name} between {line.low:g} and {line.high:g}"
    names = f"{wanted.observable} has no zero" if wanted.observable else f"there is no {wanted.kind}"
    if wanted.continuous_capacity:
        names = "the variance within a state does not vanish"
    reason = f"{names} on the branch {span} ({tracked.branch.stop_reason})"
    return missing(problem, line.name, reason, wanted.kind)


def _where_solve_is(
    system: Bound, tracked: Tracked, line: Line, kind: str, tracks: Callable[..., Tracked], tolerance: float
) -> Tracked:
    """The branch of the state that ``solve`` reports, where the one from the low end has lost its stability.

    Behind a branch point another state grows out of the branch. It is followed from where the wanted point was found on the
    unstable piece, or from the end of that piece. Behind a fold there may be none: the branch stays as it is.
    """
    branch = tracked.branch
    places = [
        (point.p, point.x)
        for point, position in zip(tracked.special_points, tracked.positions, strict=True)
        if point.kind == kind and point.converged
    ]
    if places and not any(UNSTABLE in point.warnings for point in tracked.special_points if point.kind == kind):
        return tracked
    if not places:
        ends = [end for end in (0, len(branch) - 1) if branch.unstable[end] > 0]
        places = [(float(branch.p[end]), branch.x[end]) for end in ends]
        last = float(branch.p[-1])
        if not ends and last < line.high and any(text in branch.stop_reason for text in _LOST):  # at a branch point, perhaps
            places = [(last + share * (line.high - last), None) for share in _BEYOND]
    for value, x in places:
        (state,) = solve_points(system.module, tracked.problem.point(value), tolerance=tolerance, rule=system.rule)
        if not state.converged or state.method.startswith("limit"):
            continue
        other = np.array([state.order_parameters[name] for name in system.module.ORDER_PARAMETERS])
        if x is None or np.max(np.abs(other - x)[is_overlap(system.module)]) > _ANOTHER:
            below, above = replace(line, high=value), replace(line, low=value)
            for side in (below, above):
                found = tracks(line=side, origin=(other, value))
                if any(point.kind == kind and point.converged for point in found.special_points):
                    return found
    return tracked


def follow(
    system: Bound,
    p: Array,
    line: Line,
    over: Line,
    grid: Sequence[float],
    wanted: Wanted,
    *,
    start: Mapping[str, float] | None = None,
    settings: Settings | None = None,
    tolerance: float = 1e-10,
    checkpoint: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Followed:
    """A special point as a locus over a second parameter, reported at the values of a grid.

    The first grid value (or the first at which the point exists) is located on its branch; from there the locus is one
    continuation in both parameters. Grid values that it does not reach are tried on their own.
    """
    if wanted.kind == "cusp":
        return _cusps(system, p, line, over, grid, start=start, settings=settings, tolerance=tolerance, progress=progress)
    results: dict[int, SpecialPoint] = {}
    events: tuple[SpecialPoint, ...] = ()
    curve: Branch | None = None

    def told(count: int) -> None:
        if progress is not None:
            progress(count)

    for index, value in enumerate(grid):
        if index in results:
            continue
        here = np.array(p, dtype=float)
        here[over.column] = value
        first = locate_first(system, here, line, wanted, start=start, settings=settings, tolerance=tolerance)
        results[index] = first
        told(len(results))
        if not first.converged or len(grid) == 1:
            continue
        try:
            curve_here = _curve(
                system, here, line, over, grid, wanted, first, settings, checkpoint if curve is None else None
            )
        except (NoBranchError, NoStateError):
            continue
        base = ModuleProblem(system, here, (line.column, over.column))
        for number, point in _on_grid(base, curve_here, line, over, grid, wanted, tolerance, results):
            results.setdefault(number, point)
            told(len(results))
        if wanted.continuous_capacity:
            continue  # that curve is at a fixed gap, near the capacity and not on it
        events = (*events, *_events(system, here, curve_here, line, over, wanted))
        curve = curve_here if curve is None else curve
    return Followed(tuple(results[i] for i in range(len(grid))), events, curve)


def _cusps(
    system: Bound, p: Array, line: Line, over: Line, grid: Sequence[float], *, tolerance: float, **options: Any
) -> Followed:
    """The cusps on the fold curve between the ends of a grid."""
    folds = follow(system, p, line, over, grid, Wanted("fold"), tolerance=tolerance, **options)
    cusps = tuple(point for point in folds.events if point.kind == "cusp" and point.converged)
    if not cusps:
        located = sum(point.converged for point in folds.points)
        what = f"folds exist at {located} of {len(grid)} values" if located else "no fold was found"
        reason = f"there is no cusp for {over.name} between {over.low:g} and {over.high:g}: {what}"
        cusps = (missing(ModuleProblem(system, p, (line.column,)), line.name, reason, "cusp"),)
    return Followed(cusps, tuple(point for point in folds.events if point.kind != "cusp"), folds.curve)


def _curve(
    system: Bound,
    p: Array,
    line: Line,
    over: Line,
    grid: Sequence[float],
    wanted: Wanted,
    first: SpecialPoint,
    settings: Settings | None,
    checkpoint: str | Path | None,
) -> Branch:
    """The locus through a located point, in both parameters."""
    base = ModuleProblem(system, p, (line.column, over.column))
    marks: dict[str, Any] = {
        f"{_GRID}{i}": (lambda *arguments, value=value: float(arguments[-1]) - value) for i, value in enumerate(grid)
    }
    names = system.module.ORDER_PARAMETERS
    low, high = min(grid), max(grid)
    bounds: dict[Any, tuple[float, float]] = {over.name: (low, high), line.name: (line.low, line.high)}
    settings = replace(settings or Settings(), flow="-F", largest_step=0.05)
    assert first.x is not None
    x, value, q = first.x, first.p, float(p[over.column])
    common: dict[str, Any] = {
        "bounds": bounds,
        "settings": settings,
        "names": names,
        "parameters": (line.name, over.name),
        "checkpoint": checkpoint,
    }
    if wanted.kind == "crossing":
        return _crossing_curve(base, first, q, marks, common)
    _, gaps = limits_of(base)
    bounds |= dict.fromkeys(gaps, (SATURATION_GAP, np.inf))
    events = {**marks, **{name: _plain(gap) for name, gap in gaps.items()}}
    if wanted.kind in ("fold", "branch-point", "local-entropy-transition"):
        of = "branch-point" if wanted.kind == "branch-point" else "fold"
        return follow_locus(base, x, value, q, of=of, events=events, **common)
    observed = Observed(base)
    if wanted.continuous_capacity:
        gap = gaps[f"1 - {saturating(system.module)}"]
        x, value = state_before_capacity(system, p, line, first)
        for name in gaps:
            bounds.pop(name)
        return follow_locus(
            base, x, value, q, of="zero", observable=lambda x, *values: np.log(gap(x, *values) / _CAPACITY_GAP),
            events=marks, **common,
        )  # fmt: skip
    name = wanted.observable
    if name in system.module.OBSERVABLES and name != "replicon" and "replicon" in system.module.OBSERVABLES:
        events["replicon"] = lambda x, *values: observed.value("replicon", x, *values)
    return follow_locus(
        base, x, value, q, of="zero", observable=lambda x, *values: observed.value(name, x, *values),
        gradient=observed.gradient(name), events=events, **common,
    )  # fmt: skip


def _plain(function: Callable[..., float]) -> Callable[..., float]:
    return lambda x, *values: function(x, *values)


def state_before_capacity(system: Bound, p: Array, line: Line, first: SpecialPoint) -> tuple[Array, float]:
    """The state, and the located parameter, at a fixed gap on the branch that leads to a capacity.

    Raises:
        NoStateError: if the branch does not reach that gap.
    """
    problem = ModuleProblem(system, p, (line.column,))
    _, gaps = limits_of(problem)
    gap = gaps[f"1 - {saturating(system.module)}"]
    from spinodal.numeric.continuation.engine import follow_problem
    from spinodal.numeric.tracking import starting_state

    x, value = starting_state(system, problem.p, line, None, 1e-8)
    branch = follow_problem(
        problem, x, value, bounds={line.name: (line.low, line.high), "gap": (_CAPACITY_GAP, np.inf)}, events={"gap": gap},
        names=system.module.ORDER_PARAMETERS, parameter=line.name, settings=Settings(flow="-F"),
    )  # fmt: skip
    ends = [i for i in (0, len(branch) - 1) if branch.quantities["gap"][i] < 1.01 * _CAPACITY_GAP]
    if not ends:
        raise NoStateError(Failure("the branch does not saturate", "widen the range"))
    return branch.x[ends[-1]], float(branch.p[ends[-1]])


def _crossing_curve(
    base: ModuleProblem, first: SpecialPoint, q: float, marks: Mapping[str, Any], common: dict[str, Any]
) -> Branch:
    """The line of first-order transitions: against the saturated state, or between two states of the branch."""
    assert first.x is not None
    observed = Observed(base)
    if first.partner is None:

        def difference(x: Array, *values: float) -> float:
            other = saturated_entropy(_pinned(base, values[1]), values[0])
            return observed.value("free_entropy", x, *values) - (other[0] if other else float("nan"))

        own = observed.gradient("free_entropy")

        def gradient(u: Array) -> tuple[float, Array]:
            # the saturated state depends on the two parameters alone: no differences in x are needed for it
            value, row = own(u)
            centre = saturated_entropy(_pinned(base, float(u[-1])), float(u[-2]))
            for i in (-2, -1):
                h = 1e-4 * (1.0 + abs(float(u[i])))
                sides = []
                for sign in (1.0, -1.0):
                    at = u.copy()
                    at[i] += sign * h
                    side = saturated_entropy(_pinned(base, float(at[-1])), float(at[-2]))
                    sides.append(side[0] if side else float("nan"))
                row[i] -= (sides[0] - sides[1]) / (2.0 * h)
            return value - (centre[0] if centre else float("nan")), row

        return follow_locus(
            base, first.x, first.p, q, of="zero", observable=difference, gradient=gradient, events=dict(marks), **common
        )
    return follow_crossing(
        base, lambda x, *values: observed.value("free_entropy", x, *values), first.x, first.partner, first.p, q,
        stationary=True, events=dict(marks), **common,
    )  # fmt: skip


def _pinned(base: ModuleProblem, q: float) -> ModuleProblem:
    return base.at(q)


def _on_grid(
    base: ModuleProblem,
    curve: Branch,
    line: Line,
    over: Line,
    grid: Sequence[float],
    wanted: Wanted,
    tolerance: float,
    known: Mapping[int, SpecialPoint],
) -> list[tuple[int, SpecialPoint]]:
    """The locus' points at the grid values, each solved again at its own value with a refined rule."""
    n = len(base.system.module.ORDER_PARAMETERS)
    nearest: dict[int, tuple[float, Array]] = {}
    candidates = [
        (int(point.kind.removeprefix(_GRID)), position, np.append(point.x, point.p))
        for point, position in zip(curve.special_points, curve.positions, strict=True)
        if point.kind.startswith(_GRID) and point.x is not None and point.converged
    ]
    for end in (0, len(curve) - 1):
        u = np.append(curve.x[end], curve.p[end])
        candidates += [
            (i, float(end), u) for i, value in enumerate(grid) if abs(value - u[-1]) <= 1e-12 * (1.0 + abs(value))
        ]
    for index, position, u in candidates:
        # where the locus folds over a grid value, the point reached first is taken
        distance = abs(position - curve.start)
        if index not in nearest or distance < nearest[index][0]:
            nearest[index] = (distance, u)
    found = []
    for index, (_, u) in sorted(nearest.items()):
        if index in known:
            continue
        problem = base.at(float(grid[index]))
        guess = np.append(u[:n], u[-2])
        if wanted.continuous_capacity:
            point = capacity_beyond(problem, line.name, guess[None, :-1], guess[None, -1], tolerance)
        elif wanted.kind == "crossing":
            point = _crossing_point(problem, line, u, n, curve)
        else:
            located, solved = polished(
                problem,
                "fold" if wanted.kind == "local-entropy-transition" else wanted.kind,
                wanted.observable,
                guess,
                tolerance,
            )
            point = named(solved, line, replace(located, kind=wanted.kind), None)
        if point.converged:
            found.append((index, point))
    return found


def _crossing_point(problem: ModuleProblem, line: Line, u: Array, n: int, curve: Branch) -> SpecialPoint:
    observed = Observed(problem)
    if len(curve.names) > n + 1:  # two states of F
        doubled = CrossingProblem(problem, lambda x, *v: observed.value("free_entropy", x, *v), stationary=True)
        located = locate_crossing(doubled, u[:n], u[n : 2 * n], float(u[-2]))
        at = Located(
            "crossing", np.append(located.u[:n], located.u[-1]), located.error, located.converged, reason=located.reason
        )
        return named(problem, line, at, None)
    other = saturated_entropy(problem, float(u[-2]))
    error = (other[1] if other else 0.0) + 1e-12
    return named(problem, line, Located("crossing", np.append(u[:n], u[-2]), error, True), None)


def _events(system: Bound, p: Array, curve: Branch, line: Line, over: Line, wanted: Wanted) -> tuple[SpecialPoint, ...]:
    """What is special along the locus: cusps, folds of the locus, zeros of the replicon on it.

    Each is located again on a stretch of the locus with a refined quadrature rule; the difference adds to its error.
    """
    n = len(system.module.ORDER_PARAMETERS)
    base = ModuleProblem(system, p, (line.column, over.column))
    found = []
    for point, position in zip(curve.special_points, curve.positions, strict=True):
        if point.kind.startswith((_GRID, "1 - ", "room ")) or point.x is None:
            continue
        again = _once_more(system.refined(), p, curve, line, over, wanted, point, int(position)) if point.converged else None
        better, problem, error = point, base, point.error_estimate
        if again is not None:
            better, problem, error = again, base.refined(), again.error_estimate + abs(again.p - point.p)
        assert better.x is not None
        located = Located(point.kind, np.append(better.x[:n], better.x[-1]), error, point.converged)
        result = replace(named(problem.at(better.p), line, located, point.failure), along=over.name)
        if again is None and point.converged:
            result = replace(result, warnings=(*result.warnings, "the error estimate leaves the quadrature's error out"))
        found.append(result)
    return tuple(found)


def _once_more(
    system: Bound, p: Array, curve: Branch, line: Line, over: Line, wanted: Wanted, point: SpecialPoint, index: int
) -> SpecialPoint | None:
    """The special point nearest to a known one on the locus computed with another system, from the node before it."""
    n = len(system.module.ORDER_PARAMETERS)
    nearby = curve.p[max(index - 1, 0) : index + 3]
    width = float(np.ptp(nearby)) + 1e-6 * (1.0 + abs(point.p))
    window = (max(over.low, float(nearby.min()) - width), min(over.high, float(nearby.max()) + width))
    here = np.array(p, dtype=float)
    here[over.column] = curve.p[index]
    x = curve.x[index]
    first = replace(
        point,
        x=x[:n],
        parameters={line.name: float(x[-1])},
        along=line.name,
        partner=x[n:-1] if wanted.kind == "crossing" and x.size > n + 1 else None,
    )
    try:
        stretch = _curve(system, here, line, over, window, wanted, first, Settings(points=40, stop_at=(point.kind,)), None)
    except (NoBranchError, NoStateError, ValueError):
        return None
    same = [other for other in stretch.special_points if other.kind == point.kind and other.converged]
    return min(same, key=lambda other: abs(other.p - point.p), default=None)
