"""The capacity of continuous weights: the parameter at which the variance within a state, q_d - q, vanishes.

At a fixed relative gap g = 1 - q/q_d (of the innermost overlap) the equations are solved for the other order parameters and
the free parameter together, in variables scaled by their sizes; the gap is halved again and again and the value extrapolated
to g = 0, with the change between extrapolations as error estimate. Conjugates and sizes of blocks are powers of the gap, as
which they are predicted from one gap to the next.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from spinodal.numeric.bound import Bound
from spinodal.numeric.extrapolation import extrapolate
from spinodal.numeric.module_problem import ModuleProblem
from spinodal.numeric.remarks import REPLICON_NOISE
from spinodal.numeric.results import Array, Failure, SpecialPoint

#: Gaps at which the branch is left for the scaled equations.
_LEAVE = (1e-3, 0.2)
#: The shortest step of the gap, in powers of two: broken states are followed in shorter steps than symmetric ones.
_SHORTEST = 0.05
#: Exponent of the smallest gap, 2^-21: below it rounding takes over.
_LAST_EXPONENT = 21.0


def capacity_beyond(problem: ModuleProblem, name: str, states: Array, values: Array, tolerance: float) -> SpecialPoint:
    """The capacity towards which a branch leads.

    Args:
        problem: F along one parameter.
        name: of the parameter.
        states: the branch's states, from its saturated end inwards, [points, n].
        values: the parameter at them, [points].
        tolerance: wanted absolute error of the parameter.
    """
    problem = problem.refined()  # steps become as narrow as sqrt(gap)
    system = problem.system
    all_gaps = np.array([_gap(system, x[None]) for x in states])
    eligible = np.flatnonzero((all_gaps >= _LEAVE[0]) & (all_gaps <= _LEAVE[1]))
    nearest = 0 if hasattr(system.module, "BREAKING") else -1  # the sizes of blocks of broken states vary fast before
    begin = int(eligible[nearest]) if eligible.size else int(np.argmin(np.abs(all_gaps - _LEAVE[1])))
    x, value = states[begin][None].copy(), float(values[begin])
    gap = _gap(system, x)
    before: tuple[Array, float] | None = None
    if begin + 1 < len(states) and all_gaps[begin + 1] > gap:
        before = states[begin + 1][None], float(all_gaps[begin + 1])
    values_at: list[float] = []
    found: list[Array] = []
    gaps: list[float] = []
    exponent = -np.log2(gap)
    stride = 1.0
    while exponent < _LAST_EXPONENT and stride > _SHORTEST:
        ahead = exponent + stride if stride < 1.0 else np.ceil(exponent + 0.5)
        target = 1.0 - (1.0 - 2.0**-ahead)  # so that 1 - q is exact
        solved = _at_gap(problem, _predicted(system.module, x, gap, before, target), value, target)
        if solved is None:
            stride /= 2.0
            continue
        before = x, gap
        x, value = solved
        exponent, gap = ahead, target
        stride = min(1.0, 2.0 * stride)
        gaps.append(gap)
        values_at.append(value)
        found.append(x)
    tail = [i for i, g in enumerate(gaps) if g < 1e-3]
    if len(tail) < 5:
        reason = f"the variance within a state does not vanish on the branch (smallest gap reached: {gap:.2g})"
        return missing(problem, name, reason)
    limit, error = extrapolate(np.array([gaps[i] for i in tail]), np.array([values_at[i] for i in tail]))
    module = system.module
    parameters = dict(zip(module.PARAMETERS, map(float, problem.point(limit)[0]), strict=True))
    order = dict(zip(module.ORDER_PARAMETERS, map(float, found[-1][0]), strict=True))
    for order_parameter, bound in module.SATURATING.items():
        if bound not in module.ORDER_PARAMETERS:
            order[order_parameter] = float(bound)
    warnings = [f"conjugates diverge at capacity: the values shown are those at a relative gap of {gaps[-1]:.1e}"]
    near = tail[0]
    observables = module.observables(found[near], problem.point(values_at[near]), system.rule)
    ansatz = "one-step" if hasattr(module, "BREAKING") else "replica-symmetric"
    for observable, column in observables.items():
        if observable.startswith("replicon") and column[0] < -REPLICON_NOISE:
            warnings.append(
                f"{observable} = {column[0]:.4g} < 0 on the way to capacity (at a relative gap of {gaps[near]:.1e}): the "
                f"{ansatz} value is not the true one"
            )
    # the volume of solutions vanishes: the free entropy is -infinity there
    return SpecialPoint(
        "capacity",
        parameters,
        order,
        float("nan"),
        error,
        error < 1e-5,
        warnings=tuple(warnings),
        along=name,
        x=found[-1][0],
    )


def missing(problem: ModuleProblem, name: str, reason: str, kind: str = "capacity", advice: str = "") -> SpecialPoint:
    """A special point that was not found, with the reason."""
    return missing_at(problem.system.module, problem.p, name, reason, kind, advice)


def missing_at(module: ModuleType, p: Array, name: str, reason: str, kind: str, advice: str = "") -> SpecialPoint:
    """The same for a module of which only the names need be known, at parameters p [k]."""
    parameters = dict(zip(module.PARAMETERS, map(float, p), strict=True))
    parameters[name] = float("nan")
    advice = advice or f"widen the range (--along {name}=LOW:HIGH), or check the model with solve"
    empty = dict.fromkeys(module.ORDER_PARAMETERS, float("nan"))
    return SpecialPoint(kind, parameters, empty, float("nan"), float("nan"), False, Failure(reason, advice), along=name)


def saturating(module: ModuleType) -> str:
    """The overlap within a state, which saturates at capacity."""
    return str(next(iter(module.SATURATING)))


def _differences(module: ModuleType) -> Array:
    """T [n, n]: the variables T x in which conjugates of self-overlaps are counted from those of the overlap within a state.

    Both diverge as the inverse square of the gap; their difference, an inverse variance, as its inverse.
    """
    names = list(module.ORDER_PARAMETERS)
    matrix = np.eye(len(names))
    levels = module.BREAKING["levels"] if hasattr(module, "BREAKING") else ()
    top = {row[-1][0]: row[-1] for row in levels}
    for j, name in enumerate(names):
        inner = f"{top.get(name[0], name[0])}_hat"
        if name.endswith("_d_hat") and inner in names:
            matrix[j, names.index(inner)] = -1.0
    return matrix


def _predicted(module: ModuleType, x: Array, gap: float, before: tuple[Array, float] | None, target: float) -> Array:
    """The state at a smaller gap, conjugates and sizes of blocks continued as powers of the gap.

    Without a state at a larger gap the usual powers are taken: conjugates of overlaps diverge as the inverse square, others
    (and those of self-overlaps, see :func:`_differences`) as the inverse; sizes of blocks vanish as the gap.
    """
    sizes = module.BREAKING["sizes"] if hasattr(module, "BREAKING") else ()
    change = _differences(module)
    y = change @ x[0]
    powers = np.zeros(y.size)
    for j, name in enumerate(module.ORDER_PARAMETERS):
        if name.endswith("_hat"):
            powers[j] = -2.0 if name.rstrip("0123456789_hat") == "q" else -1.0
        elif name in sizes:
            powers[j] = 1.0
    if before is not None:
        with np.errstate(all="ignore"):
            measured = np.log(y / (change @ before[0][0])) / np.log(gap / before[1])
        powers = np.where((powers != 0.0) & np.isfinite(measured), np.clip(measured, -2.5, 2.5), powers)
    return np.asarray(np.linalg.solve(change, y * (target / gap) ** powers)[None])


def _gap(system: Bound, x: Array) -> float:
    names = list(system.module.ORDER_PARAMETERS)
    return 1.0 - float(x[0, names.index(saturating(system.module))]) / _self_overlap(system, x)


def _self_overlap(system: Bound, x: Array) -> float:
    names = list(system.module.ORDER_PARAMETERS)
    bound = system.module.SATURATING[saturating(system.module)]
    return float(x[0, names.index(bound)]) if bound in names else float(bound)


def _at_gap(problem: ModuleProblem, x0: Array, value0: float, gap: float) -> tuple[Array, float] | None:
    """Newton for the parameter and all order parameters but the saturating q, which is held at q = (1 - gap) q_d.

    Gaps are powers of two, so that with a fixed self-overlap 1 - q is exact; unknowns are scaled by their sizes, since
    conjugates grow like powers of 1/gap.
    """
    system = problem.system
    names = list(system.module.ORDER_PARAMETERS)
    q = names.index(saturating(system.module))
    bound = system.module.SATURATING[names[q]]
    diagonal = names.index(bound) if bound in names else None
    x, value = x0.copy(), value0
    change = _differences(system.module)
    back = np.linalg.inv(change)
    previous = np.inf
    for _ in range(60):
        x[0, q] = (1.0 - gap) * _self_overlap(system, x)
        p = problem.point(value)
        f, jacobian = system.residual_and_jacobian(x, p)
        matrix = jacobian[0].copy()
        if diagonal is not None:
            matrix[:, diagonal] += (1.0 - gap) * matrix[:, q]
        matrix[:, q] = system.parameter_derivative(x, p, problem.columns[:1])[0, :, problem.columns[0]]
        if not np.all(np.isfinite(matrix)) or not np.all(np.isfinite(f)):
            return None
        sizes = np.abs(change @ x[0]) + 1e-300
        rows = sizes.copy()
        sizes[q], rows[q] = max(abs(value), 1e-3), gap
        try:
            step = np.linalg.solve((matrix @ back) * sizes / rows[:, None], f[0] / rows)
        except np.linalg.LinAlgError:
            return None
        size = float(np.max(np.abs(step)))
        damp = 1.0 if size < 0.5 else 0.5 / size
        value -= damp * float(step[q]) * sizes[q]
        step[q] = 0.0
        x = x - damp * (back @ (step * sizes))
        if size < 1e-14 or (size < 1e-6 and size >= previous * 0.5):
            x[0, q] = (1.0 - gap) * _self_overlap(system, x)
            return x, value
        previous = size
    return None
