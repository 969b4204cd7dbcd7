"""Branches of a generated module along one parameter: from its state to the engine and back to labelled results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from spinodal.numeric.bound import Bound
from spinodal.numeric.broken_states import coincide
from spinodal.numeric.capacity import capacity_beyond
from spinodal.numeric.continuation.branch import Branch
from spinodal.numeric.continuation.checkpoint import CheckpointError
from spinodal.numeric.continuation.crossing import crossings
from spinodal.numeric.continuation.engine import NoBranchError, follow_problem
from spinodal.numeric.continuation.locate import Event, Located
from spinodal.numeric.continuation.problem import EvaluationError
from spinodal.numeric.continuation.settings import Settings
from spinodal.numeric.degeneracy import capacity_of_ground_states
from spinodal.numeric.finish import finish
from spinodal.numeric.grown import with_stable_side
from spinodal.numeric.limits import SATURATION_GAP, limits_of
from spinodal.numeric.module_problem import ModuleProblem, Observed
from spinodal.numeric.origins import begins_inside
from spinodal.numeric.polish import polished
from spinodal.numeric.remarks import REPLICON_NOISE
from spinodal.numeric.results import Array, Failure, SpecialPoint, State
from spinodal.numeric.saturation import saturated_state
from spinodal.numeric.scaled_branch import ScaledProblem
from spinodal.numeric.solve import at_given_overlap, sign_from_small_alpha, solve_points

_DEGENERATE = "the ground state is no longer unique (dq diverges)"
UNSTABLE = "the state at this point is unstable: it is on a piece of the branch behind a fold or a branch point"
#: Values at which a broken symmetry is looked for between a symmetric state and none.
_BISECTIONS = 14
#: A variance smaller than this at the start of a branch vanishes there.
_SYMMETRIC = 1e-10


class NoStateError(ValueError):
    """There is no state from which to follow a branch; carries the failure of the attempt."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


@dataclass(frozen=True)
class Line:
    """A parameter that is varied.

    Attributes:
        name: of the parameter.
        column: its index among the module's parameters.
        low: lower bound, of the parameter itself.
        high: upper bound.
    """

    name: str
    column: int
    low: float
    high: float


@dataclass(frozen=True)
class Tracked:
    """A followed branch and what is needed to go on from it.

    Attributes:
        branch: the engine's result, components named by order parameters.
        problem: F along the line.
        states: every point with error estimates and observables.
        special_points: polished with a refined rule, labelled with all parameters.
        positions: fractional index of each special point along the branch.
    """

    branch: Branch
    problem: ModuleProblem
    states: tuple[State, ...]
    special_points: tuple[SpecialPoint, ...]
    positions: tuple[float, ...]


def starting_state(
    system: Bound, p: Array, line: Line, start: Mapping[str, float] | None, tolerance: float
) -> tuple[Array, float]:
    """A state on the line, (x [n], value): the root that ``solve`` finds at the low end, or the first one further along.

    A broken symmetry is looked for between a symmetric state and none at all.

    Raises:
        NoStateError: with the reason of the first attempt.
    """
    failure = Failure("no state was found", "check the model at one parameter point with solve")
    kinds: dict[float, bool] = {}  # the values tried: whether levels coincide there, or else there is no state
    ahead = [0.0, 1.0, 0.5, 0.25, 0.75, 0.05, 0.95]
    for _ in range(len(ahead) + _BISECTIONS):
        if not ahead:
            known = sorted(kinds)
            edges = [(a, b) for a, b in pairwise(known) if kinds[a] != kinds[b]]
            if not edges or not hasattr(system.module, "BREAKING"):
                break
            ahead.append(0.5 * sum(edges[0]))
        fraction = ahead.pop(0)
        value = line.low + fraction * (line.high - line.low)
        point = np.array(p, dtype=float)[None].copy()
        point[0, line.column] = value
        (state,) = solve_points(system.module, point, tolerance=tolerance, start=start, rule=system.rule)
        kinds[fraction] = coincide(state)
        if state.converged and coincide(state):
            failure = Failure(state.warnings[-1], "widen the range, or follow the replica-symmetric state")
            continue
        if state.converged and not state.method.startswith("limit"):
            return np.array([state.order_parameters[name] for name in system.module.ORDER_PARAMETERS]), value
        if state.failure is not None and fraction == 0.0:
            failure = state.failure
    raise NoStateError(failure)


def events_of(
    problem: ModuleProblem, kinds: Mapping[str, str], line: Line | None = None
) -> tuple[dict[str, Event], Observed]:
    """Events of a problem: one for each kind, named by it, the zero of an observable."""
    observed = Observed(problem)

    def event(name: str) -> Event:
        return lambda x, *values: observed.value(name, x, *values)

    return {kind: event(name) for kind, name in kinds.items()}, observed


def saturated_entropy(problem: ModuleProblem, value: float) -> tuple[float, float] | None:
    """(phi, error) of the saturated (perfect) state at a value of the parameter, if there is one."""
    try:
        state = saturated_state(problem.system, problem.point(value), "", with_observables=False)
    except (ArithmeticError, ValueError):
        return None
    return None if state is None else (state.free_entropy, state.error_estimate)


def track(
    system: Bound,
    p: Array,
    line: Line,
    *,
    kinds: Mapping[str, str],
    continuous: bool = False,
    start: Mapping[str, float] | None = None,
    origin: tuple[Array, float] | None = None,
    settings: Settings | None = None,
    tolerance: float = 1e-10,
    checkpoint: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
    with_states: bool = True,
    with_crossings: bool = True,
) -> Tracked:
    """Follow the branch of a state along a line, both ways, and locate what is special on it.

    Args:
        system: a module bound to a rule.
        p: all parameters, [k].
        line: what is varied.
        kinds: zeros to locate: kind -> observable.
        continuous: whether weights are continuous, so that saturation is a capacity.
        start: order parameters to start from instead of the root that ``solve`` finds.
        origin: a known state (x, value) to start from.
        settings: of the engine.
        tolerance: wanted absolute error of the free entropy and of located parameters.
        checkpoint: a file from which a killed run resumes.
        progress: called with the number of points so far.
        with_crossings: look for first-order transitions.
        with_states: evaluate every point's error estimate and observables (else only the special points').

    Raises:
        NoStateError: if there is no state to start from.
    """
    problem = ModuleProblem(system, p, (line.column,))
    x, value = origin if origin is not None else starting_state(system, problem.p, line, start, tolerance)
    watch = watch_for(problem, line, kinds, value, continuous=continuous, with_crossings=with_crossings, settings=settings)
    watch = replace(watch, validity=_not_met_by_symmetry(watch.validity, x, value))
    try:
        branch = _followed(problem, x, value, watch, checkpoint=checkpoint, progress=progress)
    except CheckpointError:
        raise
    except (NoBranchError, ValueError) as failure:
        raise NoStateError(Failure(str(failure), "give a start (--start), or another range")) from failure
    if start is None and origin is None and line.name == "alpha" and _may_grow(system.module):
        upwards = replace(watch, settings=replace(watch.settings, both_directions=False))
        branch = with_stable_side(problem, branch, line.high, tolerance, lambda x, at: _followed(problem, x, at, upwards))
    return watch.finish(branch, tolerance, with_states=with_states, followed=start is None and origin is None)


def _may_grow(module: ModuleType) -> bool:
    """Whether ``solve`` looks for states that grow out of branch points of alpha in such modules."""
    own_path = getattr(module, "GROUND_STATE", False) or hasattr(module, "BREAKING") or begins_inside(module)
    return not own_path and not at_given_overlap(module)


def _followed(problem: ModuleProblem, x: Array, value: float, watch: Watch, **options: Any) -> Branch:
    """The branch through a state, in scaled variables where the module names their powers."""
    arguments = watch.arguments()
    if not getattr(problem.system.module, "POWERS", ()):
        return follow_problem(problem, x, value, **options, **arguments)
    scaled = ScaledProblem(problem.system, problem.p, problem.columns)
    arguments |= {name: scaled.events(arguments[name]) for name in ("events", "validity")}
    return scaled.undone(follow_problem(scaled, scaled.scaled.scaled(x[None])[0], value, **options, **arguments))


@dataclass(frozen=True)
class Watch:
    """What is looked for on branches of a problem along a line, and where they end.

    Attributes:
        problem: F along the line.
        line: what is varied.
        kinds: kind -> observable of the zeros.
        events: all events, the gaps to saturation included.
        gaps: names of those gaps.
        validity: conditions that must not become negative.
        perfect: whether a saturated state exists beside the branch.
        continuous: whether saturation is a capacity.
        with_crossings: whether first-order transitions are looked for.
        settings: of the engine.
    """

    problem: ModuleProblem
    line: Line
    kinds: Mapping[str, str]
    events: Mapping[str, Event]
    gaps: tuple[str, ...]
    validity: Mapping[str, Event]
    perfect: bool
    continuous: bool
    with_crossings: bool
    settings: Settings

    def arguments(self) -> dict[str, Any]:
        """For :func:`follow_problem`."""
        bounds: dict[Any, tuple[float, float]] = {self.line.name: (self.line.low, self.line.high)}
        return {
            "bounds": bounds | dict.fromkeys(self.gaps, (SATURATION_GAP, np.inf)),
            "settings": self.settings,
            "events": self.events,
            "names": self.problem.system.module.ORDER_PARAMETERS,
            "parameter": self.line.name,
            "validity": self.validity,
        }

    def finish(self, branch: Branch, tolerance: float, *, with_states: bool = True, followed: bool = False) -> Tracked:
        """The labelled branch: special points polished, capacities and crossings added, states evaluated.

        ``followed`` says that the branch was begun at the root that is connected to small alpha.
        """
        problem, line = self.problem, self.line
        if with_states and at_given_overlap(problem.system.module):
            branch = _judged(problem, branch, followed=followed)
        frozen = "the weights freeze (an overlap nears its bound and the conjugates diverge)"
        close = (
            "replicas are so close that their difference of levels leaves double precision (it grows exponentially); "
            "phi has its limit there, which solve finds point by point beyond"
        )
        for name in self.gaps:
            why = {"room for dq": _DEGENERATE, "room for close replicas": close}.get(name, frozen)
            reason = branch.stop_reason.replace(f"{name} reached {SATURATION_GAP:.12g}", why)
            branch = replace(branch, stop_reason=reason)
        pairs = [
            (labelled(problem, line, point, self.kinds.get(point.kind, ""), tolerance), position)
            for point, position in zip(branch.special_points, branch.positions, strict=True)
            if point.kind not in self.gaps
        ]
        if "room for dq" in self.gaps:
            pairs += _degeneracies(problem, branch, line)
        elif self.continuous:
            pairs += _capacities(problem, branch, line, tolerance)
        if self.with_crossings:
            pairs += _self_crossings(problem, branch, line, tolerance)
        pairs.sort(key=lambda pair: pair[1])
        if not at_given_overlap(problem.system.module):
            marked = {*self.kinds, "capacity"}
            pairs = [(_remarked(point, branch, at) if point.kind in marked else point, at) for point, at in pairs]
        states = _states(problem, branch, line, self.perfect, tolerance) if with_states else ()
        special = tuple(point for point, _ in pairs)
        return Tracked(branch, problem, states, special, tuple(position for _, position in pairs))


def on_unstable_piece(branch: Branch, position: float) -> bool:
    """Whether a place on a branch, as a fractional index, is between points that are unstable."""
    beside = branch.unstable[[int(np.floor(position)), int(np.ceil(position))]]
    return bool(np.all(beside > 0))


def _remarked(point: SpecialPoint, branch: Branch, position: float) -> SpecialPoint:
    """A point with a warning where its state is unstable."""
    if not point.converged or not on_unstable_piece(branch, position):
        return point
    return replace(point, warnings=(*point.warnings, UNSTABLE))


def _not_met_by_symmetry(validity: Mapping[str, Event], x: Array, value: float) -> dict[str, Event]:
    """Conditions without those that are met with equality at a state x [n]: it has a symmetry, and rounding decides."""
    return {name: condition for name, condition in validity.items() if abs(condition(x, value)) > _SYMMETRIC}


def watch_for(
    problem: ModuleProblem,
    line: Line,
    kinds: Mapping[str, str],
    value: float,
    *,
    continuous: bool,
    with_crossings: bool,
    settings: Settings | None,
) -> Watch:
    """Everything that is looked for on branches along a line; ``value`` is where they start."""
    events, _ = events_of(problem, kinds)
    perfect = None
    if with_crossings:
        perfect = saturated_entropy(problem, value) or saturated_entropy(problem, 0.5 * (line.low + line.high))
    if perfect is not None:
        phi = Observed(problem)

        def difference(x: Array, at: float) -> float:
            other = saturated_entropy(problem, at)
            return phi.value("free_entropy", x, at) - other[0] if other else float("nan")

        events["crossing"] = difference
    validity, gaps = limits_of(problem)
    return Watch(
        problem, line, kinds, {**events, **gaps}, tuple(gaps), validity, perfect is not None, continuous, with_crossings,
        replace(settings or Settings(), flow="-F"),
    )  # fmt: skip


def labelled(problem: ModuleProblem, line: Line, point: SpecialPoint, observable: str, tolerance: float) -> SpecialPoint:
    """A located point polished with a refined rule, with all parameters, its free entropy, and its warnings."""
    assert point.x is not None
    u = np.append(point.x, point.p)
    if not point.converged:
        return named(problem, line, Located(point.kind, u, point.error_estimate, False), point.failure)
    if point.kind in ("fold", "branch-point") or observable:
        located, solved = polished(problem, point.kind, observable, u, tolerance)
        if located.converged:
            return named(solved, line, located, None)
    error = point.error_estimate
    if point.kind == "crossing":
        error += _perfect_error(problem, u)
    return named(problem, line, Located(point.kind, u, error, True, null=point.null, left=point.left), None)


def _perfect_error(problem: ModuleProblem, u: Array) -> float:
    """Error of a crossing with the saturated state from that of the state's extrapolated free entropy."""
    h = 1e-4 * (1.0 + abs(float(u[-1])))
    observed = Observed(problem)
    centre, up, down = (saturated_entropy(problem, float(u[-1]) + s * h) for s in (0.0, 1.0, -1.0))
    if not (centre and up and down):
        return 0.0
    own = observed.value("free_entropy", u[:-1], float(u[-1]) + h) - observed.value("free_entropy", u[:-1], float(u[-1]) - h)
    slope = abs(own - (up[0] - down[0])) / (2 * h)
    return centre[1] / max(slope, 1e-300)


def named(
    problem: ModuleProblem, line: Line, located: Located, failure: Failure | None, value: float | None = None
) -> SpecialPoint:
    """A located point of a module as a result."""
    module = problem.system.module
    x, at = located.u[:-1], float(located.u[-1]) if value is None else value
    parameters = dict(zip(module.PARAMETERS, map(float, problem.point(at)[0]), strict=True))
    order = dict(zip(module.ORDER_PARAMETERS, map(float, x), strict=True))
    phi = float("nan")
    warnings: tuple[str, ...] = ()
    if located.converged:
        with np.errstate(all="ignore"):
            (state,) = finish(problem.system, x[None], problem.point(at), np.inf, "")
        phi, warnings = state.free_entropy, tuple(w for w in state.warnings if "tolerance" not in w)
    if not located.converged and failure is None:
        failure = Failure(located.reason or "not located", "widen the range, or follow the branch with the branch command")
    if located.converged and located.reason:
        warnings = (*warnings, located.reason)
    return SpecialPoint(
        located.kind, parameters, order, phi, float(located.error), located.converged, failure, warnings,
        along=line.name, x=x.copy(), null=located.null, left=located.left,
    )  # fmt: skip


def _capacities(problem: ModuleProblem, branch: Branch, line: Line, tolerance: float) -> list[tuple[SpecialPoint, float]]:
    """The capacities at the ends of a branch where the variance within a state vanishes."""
    found: list[tuple[SpecialPoint, float]] = []
    # a probe close to its reference is close to the others: no volume vanishes but the one that is asked for
    if line.name == getattr(problem.system.module, "CONSTRAINED", ""):
        return found
    for end in (0, len(branch) - 1):
        gap = min((branch.quantities[name][end] for name in branch.quantities if name.startswith("1 - ")), default=1.0)
        if gap < 1e-2:
            inner = branch.x[:: -1 if end else 1], branch.p[:: -1 if end else 1]
            found.append((capacity_beyond(problem, line.name, *inner, tolerance), float(end)))
    return found


def _degeneracies(problem: ModuleProblem, branch: Branch, line: Line) -> list[tuple[SpecialPoint, float]]:
    """The capacities at the ends of a branch of ground states where they are no longer unique."""
    found = []
    for end in (0, len(branch) - 1):
        if branch.quantities["room for dq"][end] < 0.5:
            point = capacity_of_ground_states(problem, line.name, branch.x[end], float(branch.p[end]))
            found.append((point, float(end)))
    return found


def _self_crossings(
    problem: ModuleProblem, branch: Branch, line: Line, tolerance: float
) -> list[tuple[SpecialPoint, float]]:
    """Where two stable pieces of a folded branch have the same free entropy: first-order transitions."""
    turns = np.sum(np.diff(np.sign(np.diff(branch.p))) != 0) if len(branch) > 2 else 0
    if turns < 2 and not branch.closed:
        return []
    system = problem.system
    points = np.concatenate([problem.point(value) for value in branch.p])
    with np.errstate(all="ignore"):
        phi = system.module.free_entropy(branch.x, points, system.rule)
    if not np.all(np.isfinite(phi)):
        return []
    observed = Observed(problem)
    found = []
    for point in crossings(problem, lambda x, at: observed.value("free_entropy", x, at), [branch], [phi], stationary=True):
        n = branch.x.shape[1]
        position = float(np.argmin(np.sum(np.abs(branch.x - point.u[:n]), axis=1) + np.abs(branch.p - point.u[-1])))
        at = Located("crossing", np.append(point.u[:n], point.u[-1]), point.error, True)
        found.append((replace(named(problem, line, at, None), partner=point.u[n : 2 * n].copy()), position))
    return found


def _states(problem: ModuleProblem, branch: Branch, line: Line, perfect: bool, tolerance: float) -> tuple[State, ...]:
    """Every point of the branch with error estimate, observables and stability."""
    points = np.concatenate([problem.point(value) for value in branch.p])
    states = finish(problem.system, branch.x, points, tolerance, "pseudo-arclength continuation")
    phi = np.array([state.free_entropy for state in states])
    best = _best_entropy(branch, phi)
    if perfect:
        for i, value in enumerate(branch.p):
            other = saturated_entropy(problem, float(value))
            if other is not None:
                best[i] = max(best[i], other[0])
    labelled_states = []
    for i, state in enumerate(states):
        if branch.unstable[i] < 0 and at_given_overlap(problem.system.module):
            stability = ""
        elif branch.unstable[i] > 0:
            stability = "unstable"
        else:
            stability = "metastable" if best[i] > phi[i] + 1e-9 * (1.0 + abs(phi[i])) else "stable"
        labelled_states.append(replace(state, stability=stability))
    return tuple(labelled_states)


def _judged(problem: ModuleProblem, branch: Branch, *, followed: bool) -> Branch:
    """The branch with ``unstable`` 0 where det dF/dx has its sign on the branch from small alpha, and 1 elsewhere.

    At a given overlap the equations are no dynamics of the state, and eigenvalues say nothing by themselves; but the state
    without data is the right one, and a root changes sides only in a fold or where branches cross.
    """
    known = branch.unstable >= 0
    reference = int(branch.unstable[branch.start])
    if not followed:
        sign = sign_from_small_alpha(problem.system, problem.point(float(branch.p[branch.start])))
        if sign == 0.0:
            return replace(branch, unstable=np.full_like(branch.unstable, -1))
        reference = 0 if sign > 0.0 else 1
    return replace(branch, unstable=np.where(known, (branch.unstable - reference) % 2, -1))


def _best_entropy(branch: Branch, phi: Array) -> Array:
    """The largest free entropy among stable pieces of the branch at each of its points' parameter values."""
    best = np.array(phi, dtype=float)
    signs = np.sign(np.diff(branch.p))
    cuts = [0, *(np.flatnonzero(signs[1:] * signs[:-1] < 0) + 1).tolist(), len(branch.p) - 1]
    for low, high in pairwise(cuts):
        part = slice(low, high + 1)
        if np.all(branch.unstable[part][1:-1] > 0) and high - low > 1:
            continue
        p, values = branch.p[part], phi[part]
        order = np.argsort(p)
        inside = (branch.p >= p.min()) & (branch.p <= p.max())
        inside[part] = False
        best[inside] = np.maximum(best[inside], np.interp(branch.p[inside], p[order], values[order]))
    return best


def finite_points(points: Sequence[SpecialPoint]) -> list[SpecialPoint]:
    """Those that were located."""
    return [point for point in points if point.converged]


__all__ = [
    "REPLICON_NOISE",
    "EvaluationError",
    "Line",
    "NoStateError",
    "Tracked",
    "events_of",
    "labelled",
    "limits_of",
    "named",
    "starting_state",
    "track",
]
