"""Barriers along a constrained overlap: where phi rises again beyond the typical overlap, and where it is negative before.

The local-entropy transition is the entropic barrier: phi ceases to decrease. The energetic barrier: at its minimum phi
falls below zero, so that there are no solutions at an intermediate distance while there are some farther in (D. Barbier,
A. El Alaoui, F. Krzakala, L. Zdeborova, arXiv:2310.02850).

With the overlap extremised, the stationary points of phi beyond the typical one come as a pair that is born in a fold. The
fold is found in four steps:

1. profiles: at some values of the parameter the slope of phi along the overlap, from which it is seen whether phi rises
   again somewhere beyond its first maximum, and the first pair of neighbouring values where this changes;
2. at the overlap where the slope is largest, the state is followed in the parameter until the slope vanishes;
3. that point is stationary in the overlap and near the fold, whose own equations are then solved;
4. a profile just before the fold must fall everywhere, or the search goes on from where it rises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np

from spinodal.numeric.bound import Bound, is_overlap
from spinodal.numeric.continuation.engine import NoBranchError, follow_problem
from spinodal.numeric.continuation.settings import Settings
from spinodal.numeric.module_problem import ModuleProblem
from spinodal.numeric.origins import begins_inside
from spinodal.numeric.path import Path, PathSettings, follow
from spinodal.numeric.polish import polished
from spinodal.numeric.results import Array, Failure, SpecialPoint
from spinodal.numeric.roots import NewtonSettings, Roots, newton
from spinodal.numeric.rows import Mask, System
from spinodal.numeric.solve import from_small_alpha, solve_points
from spinodal.numeric.symmetric import last_point
from spinodal.numeric.tracking import Line, named

KIND, ENERGETIC = "local-entropy-transition", "energetic-barrier"
#: 1 - overlap of a profile's points: phi varies on all scales of the distance.
_GAPS = (0.8, 0.6, 0.45, 0.33, 0.25, 0.18, 0.13, 0.09, 0.06, 0.04, 0.025, 0.015, 0.008)
#: More of them around references: those of a slightly larger margin are felt at very small distances alone.
_CLOSER = (4e-3, 2e-3, 1e-3, 4e-4, 1.5e-4, 5e-5, 1.5e-5)
#: Values of the parameter at which the search begins, and the factor between further ones.
_STARTS = (0.7, 0.4, 1.2, 0.25, 2.0, 0.15, 4.0)
_FACTOR = 1.35
_PROFILES = 16
#: Relative accuracy of the parameter at which the slope vanishes, and the distance before the fold that is checked.
_NEAR = 1e-3
#: The smallest step on the way to a profile's points, in units of the path.
_SMALLEST = 3e-3
#: Folds that are tried before the search is given up: each lies before the one that failed.
_ATTEMPTS = 4
#: Times that the interval of an energetic barrier is halved before its equations are solved.
_HALVINGS = 3
#: Where replicas are closer to the trivial root than this they are on it.
_TRIVIAL = 1e-4


@dataclass(frozen=True)
class Profile:
    """The slope of phi along the constrained overlap at one value of the parameter.

    Attributes:
        value: of the parameter.
        overlaps: ascending, where states were found [m].
        slopes: d phi / d overlap there [m].
        states: the states [m, n].
        entropies: phi there [m].
    """

    value: float
    overlaps: Array
    slopes: Array
    states: Array
    entropies: Array

    @property
    def rising(self) -> int | None:
        """The point beyond the first maximum at which phi rises most steeply; None where phi falls everywhere beyond."""
        falls = np.flatnonzero(self.slopes < 0.0)
        if falls.size == 0:
            return None
        later = np.where(np.arange(self.slopes.size) > falls[0], self.slopes, -np.inf)
        best = int(np.argmax(later))
        return best if later[best] > 0.0 else None

    @property
    def forbidden(self) -> int | None:
        """The point of the lowest phi before it rises again, where that is negative."""
        if self.rising is None:
            return None
        lowest = int(np.argmin(self.entropies[: self.rising + 1]))
        return lowest if self.entropies[lowest] < 0.0 else None

    def minimum(self) -> tuple[float, Array]:
        """Overlap and state where phi begins to rise again, between the two points where the slope changes sign."""
        assert self.rising is not None
        right = self.rising
        while self.slopes[right - 1] > 0.0:
            right -= 1
        share = self.slopes[right - 1] / (self.slopes[right - 1] - self.slopes[right])
        pair = slice(right - 1, right + 1)
        weight = np.array([1.0 - share, share])
        return float(weight @ self.overlaps[pair]), np.asarray(weight @ self.states[pair])


@dataclass(frozen=True)
class Search:
    """What is searched: the module with the overlap given, at parameters of which one varies.

    Attributes:
        extremised: the module with the overlap among its order parameters (``CONSTRAINED_MODULE`` has it given).
        p: parameters of the extremised module [k].
        line: what is varied.
        tolerance: wanted absolute error of the located parameter.
    """

    extremised: Bound
    p: Array
    line: Line
    tolerance: float

    @property
    def system(self) -> Bound:
        """The module with the overlap given."""
        return Bound(self.extremised.module.CONSTRAINED_MODULE, self.extremised.rule)

    @property
    def overlap(self) -> str:
        """The name of the overlap."""
        parameters = self.system.module.PARAMETERS
        return str(next(name for name in self.extremised.module.ORDER_PARAMETERS if name in parameters))

    def point(self, value: float, overlap: float) -> Array:
        """Parameters of the module with the overlap given [k]."""
        table = dict(zip(self.extremised.module.PARAMETERS, self.p, strict=True))
        table |= {self.line.name: value, self.overlap: overlap}
        return np.array([table[name] for name in self.system.module.PARAMETERS])

    def profile(self, value: float, near: Profile | None = None) -> Profile | None:
        """The slope along the overlap, where at least a few states are found.

        A part of the curve that is cut off from the typical state there is followed from a profile near by.
        """
        system = self.system
        overlaps = 1.0 - np.array((*_GAPS, *_CLOSER) if begins_inside(system.module) else _GAPS)
        points = np.array([self.point(value, overlap) for overlap in overlaps])
        path = from_small_alpha(system, points, NewtonSettings(tolerance=1e-7), _quick)
        if not np.any(path.reached > 0.0):  # where the typical state, or the references, are none there is no curve
            return None
        roots = self._cut_off(self._beyond_folds(path, points, overlaps), points, overlaps, near)
        good = roots.converged
        if np.count_nonzero(good) < 3:
            return None
        states = roots.x[good]
        slopes = system.module.observables(states, points[good], system.rule)["slope"]
        entropies = system.module.free_entropy(states, points[good], system.rule)
        return Profile(value, overlaps[good], slopes, states, entropies)

    def _beyond_folds(self, path: Path, points: Array, overlaps: Array) -> Roots:
        """The states of a path, with those at overlaps that the curve reaches after turning in folds."""
        from spinodal.numeric.ends import around_folds  # which solves points of other modules

        system, roots = self.system, path.roots
        module, begun = system.module, np.flatnonzero(path.reached > 0.0)
        if getattr(module, "SYMMETRIC", None) is None or begun.size == 0 or roots.converged[-1]:
            return roots
        column = module.PARAMETERS.index(self.overlap)
        last = int(max(begun[0], np.max(np.flatnonzero(roots.converged), initial=-1)))
        at = points[last].copy()
        if not roots.converged[last]:  # the curve turns before the first of the overlaps: its last state lies there
            (base,) = solve_points(module.SYMMETRIC_MODULE, at[None])
            at = last_point(module, at, base, float(path.reached[last]))
        curve = around_folds(system, roots.x[last], at, column, float(overlaps[-1]))
        if curve is None:
            return roots
        begin = int(np.flatnonzero(np.diff(curve.p) <= 0.0)[-1]) + 1  # beyond the last fold
        rows = np.flatnonzero(~roots.converged & (overlaps >= curve.p[begin]))
        guesses = np.array([np.interp(overlaps[rows], curve.p[begin:], values[begin:]) for values in curve.x.T]).T
        solved = newton(system, guesses, points[rows], NewtonSettings(tolerance=1e-7))
        return roots.replaced(rows, solved, np.ones(rows.size, dtype=bool))

    def _cut_off(self, roots: Roots, points: Array, overlaps: Array, near: Profile | None) -> Roots:
        """States at overlaps that the curve from the typical state does not reach, followed from another profile."""
        if near is None or roots.converged.all():
            return roots
        known = {float(overlap): state for overlap, state in zip(near.overlaps, near.states, strict=True)}
        rows = np.array([k for k, o in enumerate(overlaps) if not roots.converged[k] and float(o) in known], dtype=int)
        if rows.size == 0:
            return roots
        begin = np.array([self.point(near.value, float(overlap)) for overlap in overlaps[rows]])
        start = np.array([known[float(overlap)] for overlap in overlaps[rows]])
        path = follow(self.system, start, begin, points[rows], self._bounded, NewtonSettings(tolerance=1e-7))
        return roots.replaced(rows, path.roots, np.ones(rows.size, dtype=bool))

    @property
    def _bounded(self) -> Mask:
        module = self.system.module
        free = np.array([name in _unbounded(module) for name in module.ORDER_PARAMETERS])
        bounded: Mask = is_overlap(module) & ~free
        return bounded

    def slope(self, x: Array, value: float, overlap: float) -> float:
        """The slope at a state."""
        at = self.point(value, overlap)[None]
        return float(self.system.module.observables(x[None], at, self.system.rule)["slope"][0])

    def moved(self, x: Array, overlap: float, origin: float, target: float) -> Array | None:
        """The state followed from one value of the parameter to another."""
        begin, end = self.point(origin, overlap), self.point(target, overlap)
        path = follow(self.system, x[None], begin[None], end[None], self._bounded, NewtonSettings(tolerance=1e-7))
        return path.roots.x[0] if path.roots.converged[0] else None


def _quick(system: System, start: Array, begin: Array, end: Array, bounded: Mask, settings: NewtonSettings) -> Path:
    """A path for a profile: where a branch ends need not be known to many digits."""
    return follow(system, start, begin, end, bounded, settings, PathSettings(smallest=_SMALLEST))


def transition(extremised: Bound, p: Array, line: Line, tolerance: float) -> SpecialPoint | Failure:
    """The transition along a line, solved on the fold's equations; or why there is none, and what to try.

    Args:
        extremised: the module with the overlap among its order parameters, which carries the module with that overlap
            given (``CONSTRAINED_MODULE``).
        p: parameters of the extremised module [k].
        line: what is varied.
        tolerance: wanted absolute error of the located parameter.
    """
    search = Search(extremised, p, line, tolerance)
    pair = _neighbours(search, lambda profile: profile.rising is not None)
    if isinstance(pair, _Uniform):
        return _why_none(
            search,
            pair,
            "phi rises again beyond its first maximum: it is not monotonic",
            "phi decreases monotonically beyond its first maximum",
        )
    falling, rising = pair
    assert extremised.module.residual  # derived here, if it was not before: from now on its unknowns count, in its order
    for _ in range(_ATTEMPTS):
        start = _vanishing_slope(search, falling, rising)
        found = None if start is None else _fold(search, start, falling.value, rising.value)
        if found is None:
            break
        before = search.profile(found.p + _NEAR * (falling.value - found.p))
        if before is None or before.rising is None:
            return found
        rising = before
    low, high = sorted((falling.value, rising.value))
    return Failure(
        f"phi begins to rise between {line.name} = {low:.6g} and {high:.6g}, but the fold there was not solved",
        f"narrow the range (--along {line.name}={low:.6g}:{high:.6g}), or follow the curves there with the branch command",
    )


def energetic_barrier(extremised: Bound, p: Array, line: Line, tolerance: float) -> SpecialPoint | Failure:
    """Where the minimum of phi beyond the typical overlap is zero: arguments and result as for :func:`transition`."""
    search = Search(extremised, p, line, tolerance)
    pair = _neighbours(search, lambda profile: profile.forbidden is not None)
    if isinstance(pair, _Uniform):
        return _why_none(search, pair, "phi has a negative minimum", "phi has no negative minimum beyond its first maximum")
    above, below = pair
    assert extremised.module.residual  # derived here, if it was not before
    for _ in range(_HALVINGS):  # nearer to where the minimum vanishes
        middle = search.profile(0.5 * (above.value + below.value))
        if middle is None:
            break
        above, below = (middle, below) if middle.forbidden is None else (above, middle)
    overlap, state = below.minimum()
    table = dict(zip(search.system.module.ORDER_PARAMETERS, state, strict=True))
    start = np.array([table.get(name, overlap) for name in extremised.module.ORDER_PARAMETERS])
    at = np.array([below.value if name == line.name else value for name, value in _parameters(search)])
    minimum = newton(extremised, start[None], at[None], NewtonSettings(tolerance=1e-9))
    if not minimum.converged[0]:
        return _unsolved(search, pair, f"the minimum of phi at {line.name} = {below.value:.6g} was not solved")
    problem = ModuleProblem(extremised, p, (line.column,))
    located, solved = polished(problem, ENERGETIC, "free_entropy", np.append(minimum.x[0], below.value), tolerance)
    low, high = sorted((pair[0].value, pair[1].value))
    if not located.converged or not low - _NEAR <= float(located.u[-1]) <= high + _NEAR:
        return _unsolved(search, pair, f"phi's minimum vanishes for {line.name} {low:.6g} to {high:.6g}; it was not solved")
    return named(solved, line, located, None)


def _parameters(search: Search) -> list[tuple[str, float]]:
    return list(zip(search.extremised.module.PARAMETERS, map(float, search.p), strict=True))


@dataclass(frozen=True)
class _Uniform:
    """What was looked for holds at all values of the parameter that were tried, or at none.

    Attributes:
        holds: which of the two.
        tried: the profiles, by ascending value.
        empty: the values at which hardly any states were found, or no solutions.
    """

    holds: bool
    tried: tuple[Profile, ...]
    empty: tuple[float, ...]


def _neighbours(search: Search, holds: Callable[[Profile], bool]) -> tuple[Profile, Profile] | _Uniform:
    """Profiles at two values, near one another, at the first of which something does not hold, at the second it does."""
    line, counted = search.line, search.system.module.IS_COUNT
    tried: list[Profile] = []
    empty: list[float] = []

    def at(value: float, near: Profile | None = None) -> Profile | None:
        found = search.profile(value, near)
        if found is not None and counted and np.max(found.entropies) < 0.0 and (found.slopes[0] > 0.0 or near is not None):
            found = None  # phi counts less than one at its maximum, or all along: there are no solutions
        if found is None:
            empty.append(value)
        else:
            tried.append(found)
        return found

    first: Profile | None = None
    for share in _STARTS:
        value = share if line.low < share < line.high else line.low + min(0.5, 0.5 * share) * (line.high - line.low)
        first = at(value)
        if first is not None:
            break
    if first is None:
        return _Uniform(False, (), tuple(empty))
    before = holds(first)
    here, factor = first, 1.0 / _FACTOR if before else _FACTOR
    for _ in range(_PROFILES):
        target = min(max(here.value * factor if here.value > 0.0 else -here.value, line.low), line.high)
        there = at(target, here) if target != here.value else None
        if there is None and abs(factor - 1.0) > 0.02 and target != here.value:
            factor = 1.0 + 0.4 * (factor - 1.0)  # states end before: come closer to where
            continue
        if there is None:
            break
        if holds(there) != before:
            return (there, here) if before else (here, there)
        here = there
    return _Uniform(before, tuple(sorted(tried, key=lambda profile: profile.value)), tuple(sorted(empty)))


def _example(search: Search) -> Failure | None:
    """Why there is no state in the middle of the line, near to where all replicas coincide, if there is none."""
    middle, overlap = 0.5 * (search.line.low + search.line.high), 1.0 - _GAPS[len(_GAPS) // 2]
    (state,) = solve_points(search.system.module, search.point(middle, overlap)[None], tolerance=search.tolerance)
    if state.failure is None:
        return None
    where = f"at {search.line.name} = {middle:g}, {search.overlap} = {overlap:g}"
    return Failure(f"{where}: {state.failure.reason}", state.failure.advice)


def _why_none(search: Search, tried: _Uniform, always: str, never: str) -> Failure:
    """Why there is no transition, and what to try: the two sentences say that it is passed, or not reached, everywhere."""
    line, empty = search.line, ", ".join(f"{value:.6g}" for value in tried.empty)
    counts = search.system.module.IS_COUNT
    asked = f"{line.name} between {line.low:g} and {line.high:g}"
    if not tried.tried:
        reason, example = f"no states were found for {asked} (tried: {empty})", _example(search)
        if example is not None:
            return Failure(f"{reason}; {example.reason}", f"where there are states solve tells; {example.advice}")
        return Failure(reason, f"give the range in which there are states (--along {line.name}=LOW:HIGH)")
    low, high = tried.tried[0].value, tried.tried[-1].value
    values = ", ".join(f"{profile.value:.6g}" for profile in tried.tried)
    where = f"at all values tried of {asked} ({values})"
    if tried.empty:
        what = "there are no solutions, or hardly any states," if counts else "hardly any states were found"
        where += f"; {what} at {empty}"
    wider = f"a wider range, or follow phi with the branch command along {search.overlap}"
    if tried.holds:
        none = "there are no states" if counts else "hardly any states were found"
        if any(value < low for value in tried.empty):
            return Failure(f"{always} {where}", f"no wider range helps: below {line.name} = {low:.6g} {none}")
        return Failure(f"{always} {where}", f"try smaller {line.name}, {wider}")
    last = tried.tried[-1]
    span = f"{search.overlap} from {last.overlaps[0]:.4g} to {last.overlaps[-1]:.4g}"
    reason = f"{never} {where}; at {line.name} = {last.value:.6g} it was followed for {span}{_end_of_curve(search, last)}"
    phi = float(last.entropies[-1])
    if phi < 0.0 and counts:
        reason += f"; it is negative there (nothing else is so near): {phi:.3g}"
    if any(value > high for value in tried.empty):
        return Failure(
            reason,
            f"no wider range helps: beyond {line.name} = {high:.6g} the curve ends before it rises; "
            f"solve and branch say what else there is at given {search.overlap}",
        )
    return Failure(reason, f"try larger {line.name}, {wider}")


def _end_of_curve(search: Search, profile: Profile) -> str:
    """Where the curve ends beyond the last state of a profile, if it ends in a fold before the next overlap tried."""
    from spinodal.numeric.ends import fold_at  # which solves points of other modules

    beyond = sorted(1.0 - gap for gap in _GAPS if 1.0 - gap > profile.overlaps[-1] + _NEAR)
    if not beyond:
        return ""
    system = search.system
    module, names = system.module, system.module.ORDER_PARAMETERS
    column = module.PARAMETERS.index(search.overlap)
    begin, end = search.point(profile.value, float(profile.overlaps[-1])), search.point(profile.value, beyond[0])
    bounded = is_overlap(module) & np.array([name not in _unbounded(module) for name in names])
    path = follow(system, profile.states[-1:], begin[None], end[None], bounded, NewtonSettings(tolerance=1e-7))
    if path.roots.converged[0]:
        return ""
    at = begin + path.reached[0] * (end - begin)
    fold = fold_at(system, path.roots.x[0], at, column)
    if fold is not None:
        return f", beyond which the curve ends in a fold at {search.overlap} = {fold:.6g}"
    return f", and could not be followed beyond {at[column]:.6g}"


def _unsolved(search: Search, pair: tuple[Profile, Profile], reason: str) -> Failure:
    low, high = sorted(profile.value for profile in pair)
    return Failure(reason, f"narrow the range (--along {search.line.name}={low:.6g}:{high:.6g})")


def _vanishing_slope(search: Search, falling: Profile, rising: Profile) -> Array | None:
    """(x, value) of the extremised module where the slope vanishes at the overlap at which it is largest."""
    index = rising.rising
    assert index is not None
    overlap = float(rising.overlaps[index])
    state = rising.states[index], rising.value, float(rising.slopes[index])
    (xa, a, fa), (xb, b, fb) = state, state
    step = 0.5 * (falling.value - rising.value)
    for _ in range(12):  # the state where phi rises, followed back until it falls
        moved = search.moved(xb, overlap, b, b + step)
        if moved is None:
            step *= 0.5
            continue
        before = xb, b, fb
        xb, b = moved, b + step
        fb = search.slope(xb, b, overlap)
        if fb < 0.0:
            xa, a, fa = before
            break
    else:
        return None
    side = 0
    x, value = xb, b
    for _ in range(20):  # false position with the Illinois rule
        target = (a * fb - b * fa) / (fb - fa)
        near, origin = (xa, a) if abs(target - a) < abs(target - b) else (xb, b)
        moved = search.moved(near, overlap, origin, target)
        if moved is None:
            return None
        x, value = moved, target
        slope = search.slope(x, value, overlap)
        if abs(b - a) <= _NEAR * (1.0 + abs(value)) or abs(slope) < 1e-4:
            break
        if slope < 0.0:
            xb, b, fb = x, value, slope
            fa, side = (0.5 * fa, 1) if side == 1 else (fa, 1)
        else:
            xa, a, fa = x, value, slope
            fb, side = (0.5 * fb, -1) if side == -1 else (fb, -1)
    table = dict(zip(search.system.module.ORDER_PARAMETERS, x, strict=True))
    return np.array([*(table.get(name, overlap) for name in search.extremised.module.ORDER_PARAMETERS), value])


def _fold(search: Search, start: Array, falling: float, rising: float) -> SpecialPoint | None:
    """The fold near a stationary point: by Newton, and where that goes astray at the end of the branch through the point."""
    problem = ModuleProblem(search.extremised, search.p, (search.line.column,))
    found = _accepted(search, problem, start, falling, rising)
    if found is not None:
        return found
    bounds = {search.line.name: (min(falling, rising), max(falling, rising))}
    try:
        branch = follow_problem(
            problem, start[:-1], float(start[-1]), bounds=bounds, settings=Settings(stop_at=("fold",), points=60),
            names=search.extremised.module.ORDER_PARAMETERS, parameter=search.line.name,
        )  # fmt: skip
    except (NoBranchError, ValueError):
        return None
    for point in branch.special_points:
        if point.kind == "fold" and point.x is not None and point.converged:
            found = _accepted(search, problem, np.append(point.x, point.p), falling, rising)
            if found is not None:
                return found
    return None


def _accepted(search: Search, problem: ModuleProblem, start: Array, falling: float, rising: float) -> SpecialPoint | None:
    """The fold that Newton finds, if it lies between the two values and not on the trivial root."""
    located, solved = polished(problem, "fold", "", start, search.tolerance)
    margin = _NEAR * abs(rising - falling)
    at = float(located.u[-1])
    if not located.converged or not min(falling, rising) - margin <= at <= max(falling, rising) + margin:
        return None
    found = named(solved, search.line, replace(located, kind=KIND), None)
    return found if _beyond_typical(search.extremised.module, found) else None


def _beyond_typical(module: ModuleType, found: SpecialPoint) -> bool:
    """Whether the fold is not on the trivial root, where all levels coincide."""
    spreads = [found.order_parameters[name] for name in _unbounded(module.CONSTRAINED_MODULE)]
    return min(spreads, default=1.0) > _TRIVIAL


def _unbounded(module: ModuleType) -> tuple[str, ...]:
    """The differences of levels, which replicas at a given overlap have as y -> infinity."""
    names: tuple[str, ...] = getattr(module, "UNBOUNDED", ())
    return names
