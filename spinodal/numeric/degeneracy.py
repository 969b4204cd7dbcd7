"""The capacity of an energy, from above: the parameter at which the ground state ceases to be unique, dq -> infinity.

At given dq, doubled again and again, the equations are solved for the other order parameters and the parameter together;
the parameter is extrapolated to 1/dq = 0. (Below, patterns can be satisfied in many ways.)
"""

from __future__ import annotations

import numpy as np

from spinodal.numeric.capacity import missing
from spinodal.numeric.extrapolation import extrapolate
from spinodal.numeric.module_problem import ModuleProblem
from spinodal.numeric.results import Array, SpecialPoint
from spinodal.numeric.scaled import ground_powers

#: Doublings of dq, from its value at the end of the branch on, and iterations at each.
_DOUBLINGS, _ITERATIONS = 12, 60


def capacity_of_ground_states(problem: ModuleProblem, name: str, state: Array, value: float) -> SpecialPoint:
    """The capacity at the end of a branch of ground states.

    Args:
        problem: F along one parameter.
        name: of the parameter.
        state: the end of the branch, where dq is large, [n].
        value: the parameter there.
    """
    module = problem.system.module
    column = module.ORDER_PARAMETERS.index("dq")
    x, at = state[None].copy(), value
    gaps: list[float] = []
    values: list[float] = []
    states: list[Array] = []
    for doubling in range(_DOUBLINGS):
        spread = float(state[column]) * 2.0**doubling
        solved = _at_spread(problem, x, at, spread)
        if solved is None:
            break
        x, at = solved
        gaps.append(1.0 / spread)
        values.append(at)
        states.append(x[0])
    if len(gaps) < 5:
        return missing(problem, name, "the states near it could not be solved for the parameter")
    limit, error = extrapolate(np.array(gaps), np.array(values))
    parameters = dict(zip(module.PARAMETERS, map(float, problem.point(limit)[0]), strict=True))
    order = dict(zip(module.ORDER_PARAMETERS, map(float, states[-1]), strict=True))
    warnings = (f"dq diverges there: the values shown are those at dq = {1.0 / gaps[-1]:.3g}",)
    return SpecialPoint("capacity", parameters, order, 0.0, error, error < 1e-5, warnings=warnings, along=name, x=states[-1])


def _at_spread(problem: ModuleProblem, x0: Array, value0: float, spread: float) -> tuple[Array, float] | None:
    """Newton for the parameter and all order parameters but dq; unknowns and equations scaled by their sizes."""
    system = problem.system
    column = system.module.ORDER_PARAMETERS.index("dq")
    x, value = x0.copy(), value0
    ratio = spread / float(x[0, column])
    x[0] *= ratio ** ground_powers(system.module)  # as sizes scale towards the capacity
    previous = np.inf
    for _ in range(_ITERATIONS):
        p = problem.point(value)
        f, jacobian = system.residual_and_jacobian(x, p)
        matrix = jacobian[0].copy()
        matrix[:, column] = system.parameter_derivative(x, p, problem.columns[:1])[0, :, problem.columns[0]]
        rows = np.abs(x[0]) + 1e-300
        sizes = rows.copy()
        sizes[column] = max(abs(value), 1e-3)
        if not (np.all(np.isfinite(matrix)) and np.all(np.isfinite(f))):
            return None
        try:
            step = np.linalg.solve(matrix * sizes / rows[:, None], f[0] / rows)
        except np.linalg.LinAlgError:
            return None
        size = float(np.max(np.abs(step)))
        damp = 1.0 if size < 0.5 else 0.5 / size
        value -= damp * float(step[column]) * sizes[column]
        step[column] = 0.0
        x = x - damp * step * sizes
        if size < 1e-13 or (size < 1e-7 and size >= 0.5 * previous):
            return x, value
        previous = size
    return None
