"""On which side of a locus what vanishes there is positive: the regions of a phase diagram."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spinodal.numeric.bound import Bound
from spinodal.numeric.continuation.engine import NoBranchError
from spinodal.numeric.continuation.problem import EvaluationError
from spinodal.numeric.module_problem import ModuleProblem, Observed
from spinodal.numeric.results import SpecialPoint
from spinodal.numeric.special_loci import Wanted, state_before_capacity
from spinodal.numeric.tracking import Line, NoStateError


def positive_side(system: Bound, line: Line, wanted: Wanted, points: Sequence[SpecialPoint]) -> int:
    """The side of a locus, along the located parameter, where its observable is positive.

    For the capacity of continuous weights it is the variance within a state, so that solutions exist on that side.

    Args:
        system: the module and its rule.
        line: the located parameter.
        wanted: what was located.
        points: of the locus; one in the middle is looked at.

    Returns:
        1 above the locus (at larger values of the parameter), -1 below, 0 where there are no such sides or none is found.
    """
    located = [point for point in points if point.converged and point.x is not None]
    if not located or not (wanted.continuous_capacity or wanted.observable) or wanted.kind == "energetic-barrier":
        return 0
    middle = located[len(located) // 2]
    p = np.array([middle.parameters[name] for name in system.module.PARAMETERS])
    try:
        if wanted.continuous_capacity:
            return int(np.sign(state_before_capacity(system, p, line, middle)[1] - middle.p))
        problem = ModuleProblem(system, p, (line.column,))
        assert middle.x is not None
        u = np.append(middle.x, middle.p)
        derivatives = problem(u).f_u
        _, gradient = Observed(problem).gradient(wanted.observable)(u)
        along = np.append(np.linalg.solve(derivatives[:, :-1], -derivatives[:, -1]), 1.0)  # of the branch
        slope = float(gradient @ along)
    except (NoStateError, NoBranchError, EvaluationError, np.linalg.LinAlgError):
        return 0
    return int(np.sign(slope)) if np.isfinite(slope) else 0
