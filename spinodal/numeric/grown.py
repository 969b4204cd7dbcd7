"""Beyond a branch point the stable branch that grows out of it is followed: it is what ``solve`` reports there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from spinodal.numeric.continuation.branch import Branch
from spinodal.numeric.continuation.engine import NoBranchError
from spinodal.numeric.module_problem import ModuleProblem
from spinodal.numeric.results import Array
from spinodal.numeric.solve import solve_points

#: Where the state that grows out is asked for, as multiples of the parameter at the branch point.
_BEYOND = (1.01, 1.03, 1.1)
#: By how much its order parameters must differ from those of the branch that has lost its stability.
_DIFFERENT = 1e-4

Follow = Callable[[Array, float], Branch]


def with_stable_side(problem: ModuleProblem, branch: Branch, high: float, tolerance: float, follow: Follow) -> Branch:
    """A branch along alpha that leaves through its first branch point with the state that is stable beyond.

    Args:
        problem: F along alpha.
        branch: followed from the root that is connected to small alpha, towards growing alpha last.
        high: the end of the range.
        tolerance: wanted absolute error of the free entropy.
        follow: follows the branch of a state (x, alpha) towards growing alpha only.

    Returns:
        The branch as it is, where it stays stable, or no stable state is found to grow out of it.
    """
    place = _loses_stability(branch)
    if place is None:
        return branch
    index, position, at = place
    module = problem.system.module
    for factor in _BEYOND:
        value = at * factor
        if not at < value < high:
            break
        point = problem.point(value)
        (state,) = solve_points(module, point, tolerance=tolerance, rule=problem.system.rule)
        if not state.converged:
            continue
        x = np.array([state.order_parameters[name] for name in module.ORDER_PARAMETERS])
        old = np.array([np.interp(value, branch.p[branch.start :], column[branch.start :]) for column in branch.x.T])
        if np.max(np.abs(x - old)) < _DIFFERENT:
            continue
        try:
            grown = follow(x, value)
        except (NoBranchError, ValueError):
            continue
        return _joined(branch, index, position, grown, at)
    return branch


def _loses_stability(branch: Branch) -> tuple[int, float, float] | None:
    """Where a stable branch becomes unstable first: the last point before, the branch point's position and parameter."""
    if branch.unstable[branch.start] != 0 or not np.all(np.diff(branch.p[branch.start :]) > 0.0):
        return None
    for point, position in zip(branch.special_points, branch.positions, strict=True):
        before, after = int(np.floor(position)), int(np.ceil(position))
        if point.kind != "branch-point" or not point.converged or before < branch.start:
            continue
        if branch.unstable[before] == 0 and branch.unstable[min(after, len(branch) - 1)] > 0:
            return before, position, float(point.p)
    return None


def _joined(branch: Branch, index: int, position: float, grown: Branch, at: float) -> Branch:
    """The branch up to a branch point, and from there on another one."""
    kept, shift = slice(0, index + 1), index + 1
    first = [(p, s) for p, s in zip(branch.positions, branch.special_points, strict=True) if p <= position + 1e-9]
    later = [(p + shift, s) for p, s in zip(grown.positions, grown.special_points, strict=True)]
    backward, mark, _ = branch.stop_reason.partition("; forward: ")
    reason = f"{backward}{mark}{grown.stop_reason}" if mark else grown.stop_reason
    what = "the branch loses its stability at the branch point"
    remark = f"{what} {branch.parameter} = {at:.6g}: from there the stable one that grows out of it is followed"
    return replace(
        branch,
        x=np.concatenate([branch.x[kept], grown.x]),
        p=np.concatenate([branch.p[kept], grown.p]),
        tangents=np.concatenate([branch.tangents[kept], grown.tangents]),
        unstable=np.concatenate([branch.unstable[kept], grown.unstable]),
        quantities={k: np.concatenate([v[kept], grown.quantities[k]]) for k, v in branch.quantities.items()},
        special_points=tuple(s for _, s in (*first, *later)),
        positions=tuple(p for p, _ in (*first, *later)),
        stop_reason=reason,
        remarks=(*branch.remarks, *grown.remarks, remark),
        evaluations=branch.evaluations + grown.evaluations,
    )
