"""Where branches of a module end: conditions that must hold, overlaps at their bounds, unknowns beyond double precision."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from spinodal.numeric.continuation.locate import Event
from spinodal.numeric.module_problem import ModuleProblem
from spinodal.numeric.results import Array
from spinodal.numeric.solve import upper_bounds

#: A branch ends where its weights freeze: an overlap within this of its bound, relatively, ...
SATURATION_GAP = 1e-12
#: ... or within 1e-2 of it with a conjugate larger than this: conjugates diverge there and rounding takes over.
LARGEST_CONJUGATE = 1e7
#: A branch of ground states ends at this dq, or where the parameter changes less than this, relatively, as dq grows by e.
LARGEST_SPREAD, LEAST_CHANGE = 1e6, 1e-8
#: A branch of infinitely many replicas ends at this log of their difference of levels: the equations square it twice.
LARGEST_DIFFERENCE = 140.0
#: A condition violated by less than this is met.
_ROUNDING = 1e-12


def limits_of(problem: ModuleProblem) -> tuple[dict[str, Event], dict[str, Event]]:
    """(conditions of validity, gaps to saturation) as functions of (x, parameters)."""
    module = problem.system.module
    names = list(module.ORDER_PARAMETERS)

    def condition(index: int) -> Event:
        def value(x: Array, *values: float) -> float:
            return float(problem.system.conditions(x[None], problem.point(*values))[0, index]) + _ROUNDING

        return value

    def gap(name: str) -> Event:
        column = names.index(name)

        def value(x: Array, *_values: float) -> float:
            bound = float(upper_bounds(module, x[None])[0, column])
            return 1.0 - float(x[column]) / bound if np.isfinite(bound) and bound else 1.0

        return value

    conjugates = np.array([name in module.CONJUGATES for name in names])
    all_gaps = {f"1 - {name}": gap(name) for name in module.SATURATING}

    near = tuple(all_gaps.values())

    def room(x: Array, *values: float) -> float:
        if all(function(x, *values) > 1e-2 for function in near):
            return 1.0
        return 1.0 - float(np.max(np.abs(x[conjugates]), initial=0.0)) / LARGEST_CONJUGATE

    all_gaps["room for the conjugates"] = room
    if getattr(module, "POWERS", ()):
        all_gaps["room for close replicas"] = _room_for_close_replicas(module)
    if getattr(module, "GROUND_STATE", False):
        all_gaps = {"room for dq": room_for_spread(problem)}
    validity = {name: condition(i) for i, name in enumerate(module.CONDITIONS)}
    return validity, all_gaps


def _room_for_close_replicas(module: ModuleType) -> Event:
    """How far the difference of levels of infinitely many replicas is from its largest value: 0 there, 1 without it."""
    spread = module.ORDER_PARAMETERS.index(module.UNBOUNDED[0])

    def room(x: Array, *_values: float) -> float:
        return 1.0 - float(np.log1p(max(float(x[spread]), 0.0))) / LARGEST_DIFFERENCE

    return room


def room_for_spread(problem: ModuleProblem) -> Event:
    """How far a branch of ground states is from where they are no longer unique: 0 where dq has become too large.

    The parameter may approach its value there exponentially, so that dq runs away while nothing else moves.
    """
    spread = list(problem.system.module.ORDER_PARAMETERS).index("dq")

    def room(x: Array, *values: float) -> float:
        size = float(x[spread])
        if size < 1.0:
            return 1.0
        _f, jacobian = problem.system.residual_and_jacobian(x[None], problem.point(*values))
        column = problem.columns[0]
        slopes = problem.system.parameter_derivative(x[None], problem.point(*values), [column])[0, :, column]
        try:
            along = abs(float(np.linalg.solve(jacobian[0], -slopes)[spread]))
        except np.linalg.LinAlgError:
            along = 0.0
        change = size / max(along * abs(values[0]), 1e-300)  # of the parameter, relatively, per factor e in dq
        return 1.0 - max(size / LARGEST_SPREAD, LEAST_CHANGE / change)

    return room
