"""The local-entropy transition: where phi(q1) ceases to decrease monotonically beyond the typical overlap.

With the overlap q1 extremised, the stationary points of phi beyond the typical one come as a pair that is born in a fold.
The fold is sought in two steps. At a fixed q1 the state is followed in the wanted parameter until the slope dphi/dq1
vanishes: that point is stationary in q1, and near the fold. The fold's own equations are then solved from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

import numpy as np

from spinodal.numeric.module_problem import ModuleProblem
from spinodal.numeric.path import follow
from spinodal.numeric.polish import polished
from spinodal.numeric.results import Array, SpecialPoint
from spinodal.numeric.roots import NewtonSettings
from spinodal.numeric.solve import Bound, is_overlap, solve_points
from spinodal.numeric.tracking import Line, named

KIND = "local-entropy-transition"
#: Overlaps at which a vanishing slope is sought, in this order.
_OVERLAPS = (0.9, 0.8, 0.95, 0.7, 0.97)
#: Values of the parameter that are tried as first ones, and the factor between further ones.
_STARTS = (0.7, 0.4, 1.2, 0.25, 2.0, 0.15, 4.0)
_FACTOR = 1.4
_STEPS = 24
#: Relative accuracy of the parameter at which the slope vanishes.
_NEAR = 1e-3


def transition(extremised: Bound, p: Array, line: Line, tolerance: float) -> SpecialPoint | None:
    """The transition along a line, solved on the fold's equations; None if it was not found.

    Args:
        extremised: the module with the overlap among its order parameters, which carries the module with that overlap
            given (``CONSTRAINED_MODULE``).
        p: parameters of the extremised module [k].
        line: what is varied.
        tolerance: wanted absolute error of the located parameter.
    """
    module = extremised.module
    best: SpecialPoint | None = None
    for overlap in _OVERLAPS:
        start = _vanishing_slope(extremised, p, line, overlap)
        if start is None:
            continue
        problem = ModuleProblem(extremised, p, (line.column,))
        located, solved = polished(problem, "fold", "", start, tolerance)
        at = float(located.u[-1])
        if not located.converged or not line.low <= at <= line.high:
            continue
        found = named(solved, line, replace(located, kind=KIND), None)
        if _beyond_typical(module, found) and (best is None or at < best.p):
            return found
    return best


def _vanishing_slope(extremised: Bound, p: Array, line: Line, overlap: float) -> Array | None:
    """(x, value) of the extremised module where the slope vanishes at an overlap, to a thousandth."""
    module: ModuleType = extremised.module
    constrained = Bound(module.CONSTRAINED_MODULE, extremised.rule)
    names = constrained.module.PARAMETERS
    column = names.index(line.name)
    point = np.array([overlap if n not in module.PARAMETERS else p[module.PARAMETERS.index(n)] for n in names])
    walk = _walk(constrained, point, column, line)
    before = next(walk, None)
    if before is None:
        return None
    for here in walk:
        if before[2] * here[2] <= 0.0:
            x, value = _between(constrained, point, column, *sorted((before, here), key=lambda visited: visited[2]))
            table = dict(zip(constrained.module.ORDER_PARAMETERS, x, strict=True))
            return np.array([*(table.get(name, overlap) for name in module.ORDER_PARAMETERS), value])
        before = here
    return None


_Visited = tuple[Array, float, float]


def _walk(system: Bound, point: Array, column: int, line: Line) -> Iterator[_Visited]:
    """States (x, value, slope), from one in the middle towards where the slope changes sign."""
    for share in _STARTS:
        value = share if line.low < share < line.high else line.low + min(0.5, 0.5 * share) * (line.high - line.low)
        at = point.copy()
        at[column] = value
        (state,) = solve_points(system.module, at[None], tolerance=np.inf, rule=system.rule)
        if state.converged:
            break
    else:
        return
    x = np.array([state.order_parameters[name] for name in system.module.ORDER_PARAMETERS])
    slope = state.observables["slope"]
    yield x, value, slope
    factor = _FACTOR if slope < 0.0 else 1.0 / _FACTOR
    for _ in range(_STEPS):
        target = min(max(value * factor, line.low), line.high)
        moved = _moved(system, point, column, x, value, target)
        if moved is None or target == value:
            return
        x, value = moved, target
        yield x, value, _slope(system, point, column, x, value)


def _between(system: Bound, point: Array, column: int, low: _Visited, high: _Visited) -> tuple[Array, float]:
    """Where the slope vanishes between two states, by the false position with the Illinois rule."""
    (xa, a, fa), (xb, b, fb) = low, high
    side = 0
    x, value = (xa, a) if abs(fa) < abs(fb) else (xb, b)
    for _ in range(20):
        target = (a * fb - b * fa) / (fb - fa)
        near, origin = (xa, a) if abs(target - a) < abs(target - b) else (xb, b)
        moved = _moved(system, point, column, near, origin, target)
        if moved is None:
            return near, origin
        x, value = moved, target
        slope = _slope(system, point, column, x, value)
        if abs(b - a) <= _NEAR * (1.0 + abs(value)) or abs(slope) < 1e-4:
            return x, value
        if slope < 0.0:
            xa, a, fa = x, value, slope
            fb, side = (0.5 * fb, 1) if side == 1 else (fb, 1)
        else:
            xb, b, fb = x, value, slope
            fa, side = (0.5 * fa, -1) if side == -1 else (fa, -1)
    return x, value


def _moved(system: Bound, point: Array, column: int, x: Array, origin: float, target: float) -> Array | None:
    """The state followed from one value of the parameter to another."""
    begin, end = point.copy(), point.copy()
    begin[column], end[column] = origin, target
    module = system.module
    bounded = is_overlap(module) & np.array([name not in module.UNBOUNDED for name in module.ORDER_PARAMETERS])
    path = follow(system, x[None], begin[None], end[None], bounded, NewtonSettings(tolerance=1e-7))
    return path.roots.x[0] if path.roots.converged[0] else None


def _slope(system: Bound, point: Array, column: int, x: Array, value: float) -> float:
    at = point.copy()
    at[column] = value
    return float(system.module.observables(x[None], at[None], system.rule)["slope"][0])


def _beyond_typical(module: ModuleType, found: SpecialPoint) -> bool:
    """Whether the fold is not on the trivial root, where all levels coincide."""
    spreads = [found.order_parameters[name] for name in module.CONSTRAINED_MODULE.UNBOUNDED]
    return min(spreads) > 1e-4
