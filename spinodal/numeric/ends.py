"""Where the branch from its origin ends before the wanted point: a limit of it as a state, or a failure as a result.

A branch may end in a limit that is a state by itself: saturation, or a difference of levels that diverges. Everything else
is a failure with its reason. A fold is named only where continuation by arclength has passed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType

import numpy as np

from spinodal.numeric.bound import Bound, is_overlap
from spinodal.numeric.continuation.branch import Branch
from spinodal.numeric.continuation.engine import NoBranchError, follow_problem
from spinodal.numeric.continuation.settings import Settings
from spinodal.numeric.diverging import limit_state
from spinodal.numeric.finish import finish
from spinodal.numeric.held import Held
from spinodal.numeric.module_problem import ModuleProblem
from spinodal.numeric.origins import begins_inside, largest_at_origin
from spinodal.numeric.origins import why_not_reached as why_no_probe
from spinodal.numeric.path import follow
from spinodal.numeric.random_field import DEGENERATE, NO_OVERLAP, TEACHER, TOO_WEAK
from spinodal.numeric.results import Array, Failure, State, failed
from spinodal.numeric.roots import NewtonSettings, newton
from spinodal.numeric.rows import determinant_signs, solve_linear
from spinodal.numeric.saturation import saturated_state
from spinodal.numeric.solve import FEW_PATTERNS, complete_start, on_few_patterns, solve_points, trivial_state, upper_bounds
from spinodal.numeric.symmetric import last_point, relaxed, symmetric_start, why_not_reached
from spinodal.numeric.zero_complexity import FEWEST, NO_COPIES, has_no_copies, overlap_at, why_not_found

_AT_BRANCH_POINT = "the branch from small alpha loses its stability at a branch point"
#: The overlap up to which a state just beyond a branch point has grown out of it.
_CONTINUOUS = 0.25
#: Points by arclength within which the end of a branch must turn to be a fold.
_POINTS = 12
#: Points within which a curve that turns must reach the wanted overlap, how far it may go back, and the residual there.
_AROUND, _BACK, _FOUND = 400, 0.25, 1e-8
#: A singular value, relative to the largest, and a component of dF/dalpha along the left null vector that vanish there.
_SINGULAR, _ORTHOGONAL = 1e-5, 1e-4
#: Unknowns below this vanish by symmetry; times that the stretch is halved on which they lose their stability.
_STILL, _BISECTIONS = 1e-9, 30

#: A step in alpha along the tangent; conditions that are smaller have shrunk to 0, and fall at least this fast beyond.
_AHEAD, _AT_EDGE, _VIOLATED = 1e-3, 1e-9, 1e-5

#: Folds of branches by all parameters but the one that was varied: the rows of a batch share theirs.
Folds = dict[bytes, float | None]


def end_of_branch(
    system: Bound, p: Array, x: Array, residual: float, reached: float, tolerance: float, folds: Folds
) -> State:
    """What to report at p [k] of a branch that ended before: the state at its limit, if it has one there, or a failure.

    Args:
        system: a module bound to a rule.
        p: the wanted parameter point.
        x: the last state reached [n].
        residual: of the attempt beyond it.
        reached: the part of the path up to that state, or a negative code of why there is no path.
        tolerance: wanted absolute error of the free entropy.
        folds: those located so far, to which this one is added.
    """
    module = system.module
    if getattr(module, "SYMMETRIC", None) is not None and module.SYMMETRIC["size"]:
        return failure(module, p, residual, *_why_not_without_complexity(system, p, x, reached, folds))
    if getattr(module, "SYMMETRIC", None) is not None:
        (base,) = solve_points(module.SYMMETRIC_MODULE, p[None])
        fold = None
        if base.converged and reached > 0.0:
            last = last_point(module, p, base, reached)
            if getattr(module, "POWERS", ()):
                limit = limit_state(system, x, last, p, is_overlap(module), NewtonSettings(tolerance=1e-9), tolerance)
                if limit is not None:
                    return limit
            column = module.PARAMETERS.index(module.SYMMETRIC["parameter"])
            fold = _known_fold(system, x, last, column, folds)
            if fold is None:
                parted = _parted(system, base, p, x, last, tolerance)
                if parted is not None:
                    return parted
            beyond = _beyond_folds(system, x, last, p, column, tolerance) if fold is not None else None
            if beyond is not None:
                return beyond
        return failure(module, p, residual, *why_not_reached(module, p, base, reached, fold))
    if begins_inside(module) and reached != 0.0:
        return failure(module, p, residual, *why_no_probe(system, p, x))
    ground = bool(getattr(module, "GROUND_STATE", False))  # its path is one of random fields, not of alpha
    if reached > 0.0 and not ground:  # where the branch has no beginning, nothing says that it saturates
        left = _left_domain(system, p, reached, x)
        if left is not None:
            return failure(module, p, residual, *left)
        where = _describe_end(system, p, reached, x, folds)
        if _AT_BRANCH_POINT in where:
            last = p.copy()
            last[module.PARAMETERS.index("alpha")] *= reached
            grown, how_far = _grown_out(system, p, x, last, 1.0, tolerance, where)
            if grown is not None:
                return grown
            where += how_far
        perfect = saturated_state(system, p[None], where)
        if perfect is not None:
            return perfect
    if reached == DEGENERATE:
        reason = (
            "the replica-symmetric ground state is not unique: dq diverges as a random field that picks one is switched off "
            "(the energy does not determine the weights)"
        )
        advice = (
            "take more patterns, a regularization, or, to count states of energy zero, a constraint instead of the energy"
        )
    elif reached == TOO_WEAK:
        reason = "dq is too large for double precision: the regularization hardly selects one of many ground states"
        advice = "take a stronger regularization (dq is about its inverse curvature), or more patterns"
    elif reached == TEACHER:
        reason = "the ground state is the teacher itself: its energy vanishes, and so does what is left to solve for"
        advice = "add noise to the labels, a (stronger) regularization, or take fewer patterns"
    elif ground:
        reason = "the ground state could not be followed from a strong random field to none (a fold, or no stable state)"
        if (
            "r" in module.ORDER_PARAMETERS
            and abs(x[module.ORDER_PARAMETERS.index("r")]) < NO_OVERLAP
            and 0.0 < reached < 1.0
        ):
            reason = (
                "the ground state without overlap with the teacher (a student and its opposite are equally good) loses its "
                "stability while a random field is switched off, and no stable state was found to grow out of it"
            )
        advice = "give a start (--start), or search all roots (--all)"
    elif reached <= 0.0:
        reason, advice = _why_no_origin(system, p)
    else:
        reason = where
        if "reaches" in reason:
            advice = "near that point the data fix the weights, and conjugates diverge: lower alpha or the margin"
        else:
            advice = "beyond it another state takes over: try --all, or --start with order parameters of that state"
    return failure(module, p, residual, reason, advice)


def _grown_out(
    system: Bound, p: Array, x: Array, at: Array, sign: float, tolerance: float, where: str
) -> tuple[State | None, str]:
    """The state that grows continuously out of the branch point at which x [n] loses its stability, at p [k].

    None where there is none beside the point (the transition is discontinuous) or it does not reach p; then how far it
    could be followed, in words that continue ``where``.

    Args:
        system: a module bound to a rule.
        p: the wanted parameter point, which differs from ``at`` in one column.
        x: the state at the branch point.
        at: its parameters.
        sign: of det dF/dx on the branch before.
        tolerance: wanted absolute error of the free entropy.
        where: what to say of the branch point.
    """
    module, overlaps = system.module, is_overlap(system.module)
    column = int(np.argmax(np.abs(p - at)))
    name, way = module.PARAMETERS[column], p[column] - at[column]
    _, jacobian = system.residual_and_jacobian(x[None], at[None])
    direction = np.linalg.svd(jacobian[0])[2][-1]
    direction = direction / np.max(np.abs(direction[overlaps]), initial=1e-300)
    sizes = np.array([0.01, 0.03, 0.1, 0.2])
    starts = [x + side * size * direction for size in sizes for side in (1.0, -1.0)]
    for beyond in (1.003, 1.01, 1.03, 1.1):
        start = p.copy()
        start[column] = at[column] + np.sign(way) * min(abs(at[column]) * (beyond - 1.0), abs(way))
        aligned = []
        if "r" in module.ORDER_PARAMETERS:  # where r grows first, q follows as its square
            one = start[None]
            aligned = [complete_start(system, one, {"q": 2.0 * size**2, "r": float(size)})[0] for size in sizes]
        # small departures first: the others are not tried where these lead to the state
        for candidates in (starts[:4], aligned[:2], starts[4:], aligned[2:]):
            if not candidates:
                continue
            points = np.broadcast_to(start, (len(candidates), len(p)))
            roots = newton(system, np.array(candidates), points, NewtonSettings(patience=5))
            change = np.max(np.abs(roots.x - x)[:, overlaps], axis=1)
            near = (change > 1e-4) & (change < _CONTINUOUS)
            good = np.flatnonzero(roots.converged & near & (roots.determinant_sign == sign))
            if good.size:
                break
        else:
            continue
        first = roots.x[good[np.argmin(change[good])]][None]
        path = follow(system, first, start[None], p[None], overlaps, NewtonSettings(tolerance=1e-7))
        end = float(start[column] + path.reached[0] * (p[column] - start[column]))
        found = path.roots.x if path.roots.converged[0] else None
        # beside saturation steps are narrow and conjugates grow fast: more nodes, and steps of the arclength
        last_x = path.roots.x[0]
        if found is None:
            last, fine = p.copy(), system.refined().refined()
            last[column] = end
            begun = newton(fine, path.roots.x, last[None], NewtonSettings())
            branch = _by_arclength(fine, begun.x[0], last, column, float(p[column])) if begun.converged[0] else None
            if branch is not None:
                found = branch.x[-1:] if branch.p[-1] == p[column] else None
                end, last_x = float(branch.p[-1]), branch.x[-1]
        if found is not None:
            (state,) = finish(system, found, p[None], tolerance, f"followed along {name} through a branch point")
            note = f"{where}; the state reported is the stable one that grows out of it"
            return replace(state, warnings=(note, *state.warnings)), ""
        saturated = _saturates(module, last_x)
        return None, f"; the stable state that grows out of it could be followed to {name} = {end:.6g}{saturated}"
    return None, ""


def _parted(system: Bound, base: State, p: Array, x: Array, last: Array, tolerance: float) -> State | None:
    """The state at p [k] that grows out of one whose vanishing unknowns lose their stability along a constrained overlap.

    Args:
        system: a module bound to a rule.
        base: the replica-symmetric state from which the branch begins.
        p: the wanted parameter point.
        x: the last state reached, with those unknowns still zero [n].
        last: its parameters.
        tolerance: wanted absolute error of the free entropy.
    """
    module = system.module
    symmetric = np.array([base.order_parameters[name] for name in module.SYMMETRIC_MODULE.ORDER_PARAMETERS])
    start = symmetric_start(module, symmetric[None], module.SYMMETRIC["state"])
    begin = last_point(module, p, base, 0.0)
    start = relaxed(system, start, begin[None], module.SYMMETRIC["guessed"])[0]
    still = (np.abs(x) < _STILL) & (np.abs(start) < _STILL)
    if not still.any():
        return None
    held = Held(system, still, np.zeros(still.size))

    def at(share: float, guess: Array) -> tuple[Array, Array, float]:
        point = begin + share * (last - begin)
        root = newton(held, guess[None, ~still], point[None], NewtonSettings())
        state = held.complete(root.x)
        return state[0], point, float(determinant_signs(system.residual_and_jacobian(state, point[None])[1])[0])

    low, high, before, beyond = 0.0, 1.0, start, x
    sign = at(0.0, start)[2]
    if sign == 0.0 or at(1.0, x)[2] == sign:
        return None
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        state, _, found = at(middle, 0.5 * (before + beyond))
        low, before, high, beyond = (middle, state, high, beyond) if found == sign else (low, before, middle, state)
    state, point, _ = at(low, before)
    name = module.SYMMETRIC["parameter"]
    where = f"loses its stability at a branch point near {name} = {point[module.PARAMETERS.index(name)]:.6g}"
    where = f"the branch from the replica-symmetric state {where}"
    return _grown_out(system, p, state, point, sign, tolerance, where)[0]


def _why_not_without_complexity(system: Bound, p: Array, x: Array, reached: float, folds: Folds) -> tuple[str, str]:
    """Why there is no state of replicas without complexity at p [k], and what to try; arguments as :func:`end_of_branch`."""
    module = system.module
    if has_no_copies(reached):
        two = None
        if reached == NO_COPIES:
            (two,) = solve_points(module.SIZED_MODULE, np.append(p, FEWEST)[None])
        return why_not_found(system, p, x, reached, two)
    name = module.SYMMETRIC["parameter"]
    last, column = p.copy(), module.PARAMETERS.index(name)
    last[column] = overlap_at(system, x, p)
    fold = _known_fold(system, x, last, column, folds)
    side = "smaller" if last[column] < p[column] else "larger"
    if fold is not None:
        return f"the branch without complexity ends in a fold at {name} = {fold:.6g}", f"take a {side} {name} than that"
    return (
        f"the branch without complexity could not be followed beyond {name} = {last[column]:.6g} (no fold was found there)",
        f"take a {side} {name}; the branch command along {name} says how far it goes",
    )


def end_of_start(system: Bound, p: Array, start: Mapping[str, float], residual: float) -> State:
    """What to report at p [k] for a start from which Newton did not converge: a saturated state beside it, or a failure.

    Args:
        system: a module bound to a rule.
        p: the parameter point.
        start: the given order parameters; none where only roots of the equations are wanted.
        residual: where Newton stopped.
    """
    saturated = saturated_state(system, p[None], "Newton's method ends on no state beside the given start", near=start)
    return saturated or failed_start(system.module, p, residual)


def failed_start(module: ModuleType, p: Array, residual: float) -> State:
    """A given start from which Newton did not converge, nor is it beside a saturated state."""
    where = f"residual {residual:.2e}" if np.isfinite(residual) else "it lies outside the equations' domain"
    reason = f"Newton did not converge from the given start ({where})"
    advice = "start nearer to the state, or leave the start out to follow the branch from small alpha; --all searches"
    return failure(module, p, residual, reason, advice)


def failure(module: ModuleType, p: Array, residual: float, reason: str, advice: str) -> State:
    """A failure as a result: why, and what to try."""
    return failed(module, p, Failure(reason, advice), residual)


def fold_at(system: Bound, x: Array, p: Array, column: int) -> float | None:
    """The value of a parameter at the fold in which a branch ends just beyond the state x [n] at p [k], if it does."""
    value = float(p[column])
    reach = 0.05 * (1.0 + abs(value))
    name = system.module.PARAMETERS[column]
    try:
        branch = follow_problem(
            ModuleProblem(system, p, (column,)), x, value, bounds={name: (value - reach, value + reach)},
            settings=Settings(step=1e-3, points=_POINTS, stop_at=("fold",)), crossings=False,
            names=system.module.ORDER_PARAMETERS, parameter=name,
        )  # fmt: skip
    except (NoBranchError, ValueError, ArithmeticError):
        return None
    folds = [point.p for point in branch.special_points if point.kind == "fold" and point.converged]
    return min(folds, key=lambda at: abs(at - value), default=None)


def around_folds(system: Bound, x: Array, last: Array, column: int, end: float) -> Branch | None:
    """The curve from the state x [n] at ``last`` [k] to another value of a parameter, if it turns in folds and gets there.

    Args:
        system: a module bound to a rule.
        x: a state before the first fold.
        last: its parameters.
        column: of the parameter along which the curve is followed, by arclength.
        end: the value wanted.
    """
    branch = _by_arclength(system, x, last, column, end)
    turns = branch is not None and any(point.kind == "fold" for point in branch.special_points)
    return branch if branch is not None and turns and branch.p[-1] == end else None


def _by_arclength(system: Bound, x: Array, last: Array, column: int, end: float) -> Branch | None:
    """The curve through the state x [n] at ``last`` [k] towards another value of a parameter, wherever it leads."""
    name, begin = system.module.PARAMETERS[column], float(last[column])
    try:
        return follow_problem(
            ModuleProblem(system, last, (column,)), x, begin, bounds={name: (begin - _BACK * (1.0 + abs(begin)), end)},
            settings=Settings(both_directions=False, points=_AROUND), crossings=False,
            names=system.module.ORDER_PARAMETERS, parameter=name,
        )  # fmt: skip
    except (NoBranchError, ValueError, ArithmeticError):
        return None


def _beyond_folds(system: Bound, x: Array, last: Array, p: Array, column: int, tolerance: float) -> State | None:
    """The state at p [k] on the curve of x [n] at ``last`` [k], if that turns in folds on the way; else None.

    Of several states at one constrained overlap this is the first with that overlap along the curve.
    """
    branch = around_folds(system, x, last, column, float(p[column]))
    if branch is None or not np.abs(system.residual(branch.x[-1:], p[None])).max() < _FOUND:
        return None
    name = system.module.PARAMETERS[column]
    where = " and ".join(f"{name} = {point.p:.6g}" for point in branch.special_points if point.kind == "fold")
    (state,) = finish(system, branch.x[-1:], p[None], tolerance, "followed from the replica-symmetric state through folds")
    if not state.converged:
        return None
    note = f"the curve from the replica-symmetric state turns at {where}: the state is on its part beyond these folds"
    return replace(state, warnings=(note, *state.warnings))


def _known_fold(system: Bound, x: Array, p: Array, column: int, folds: Folds) -> float | None:
    """As :func:`fold_at`, once for all rows that end in the same place."""
    key = np.append(np.delete(p, column), np.round(p[column], 5)).tobytes()
    if key not in folds:
        folds[key] = fold_at(system, x, p, column)
    return folds[key]


def _describe_end(system: Bound, p: Array, reached: float, x: Array, folds: Folds) -> str:
    """Where and how the branch from small alpha ended: at saturation, at a branch point, in a fold, or otherwise."""
    module = system.module
    alpha = reached * float(p[module.PARAMETERS.index("alpha")])
    if saturated := _saturates(module, x):
        return f"the branch from small alpha could be followed to alpha = {alpha:.6g}{saturated}"
    beyond = p.copy()
    beyond[module.PARAMETERS.index("alpha")] = alpha * 1.001
    last = p.copy()
    last[module.PARAMETERS.index("alpha")] = alpha
    here, there = (np.max(np.abs(module.residual(x[None], at[None]))) for at in (last, beyond))
    unmoved = there < 1e-10 + 2.0 * here  # a state that alpha does not move
    if unmoved or _goes_on(system, x, last):
        return f"{_AT_BRANCH_POINT} near alpha = {alpha:.6g}"
    fold = _known_fold(system, x, last, module.PARAMETERS.index("alpha"), folds)
    if fold is not None:
        return f"the branch from small alpha ends in a fold near alpha = {fold:.6g}"
    return f"the branch from small alpha could not be followed beyond alpha = {alpha:.6g} (no fold was found there)"


def _saturates(module: ModuleType, x: Array) -> str:
    """Which overlap of a last state x [n] reaches its bound, in words that continue a sentence; empty where none does."""
    for name in module.SATURATING:
        bound = float(upper_bounds(module, x[None])[0, module.ORDER_PARAMETERS.index(name)])
        gap = (bound - float(x[module.ORDER_PARAMETERS.index(name)])) / bound
        if gap < 1e-2:
            return f", where {name} reaches {bound:g} ({gap:.0e} short)"
    return ""


def _left_domain(system: Bound, p: Array, reached: float, x: Array) -> tuple[str, str] | None:
    """Why a branch ends at a state x [n]: a condition that has shrunk to 0 there is violated beyond; None where none is."""
    module, column = system.module, system.module.PARAMETERS.index("alpha")
    last = p[None].copy()
    last[0, column] *= reached
    f, jacobian = system.residual_and_jacobian(x[None], last)
    slope = system.parameter_derivative(x[None], last, (column,))[:, :, column]
    ahead = x - _AHEAD * solve_linear(jacobian, slope)[0]
    here, there = (system.conditions(state[None], last)[0] for state in (x, ahead))
    violated = np.flatnonzero((np.abs(here) < _AT_EDGE) & (there < here - _VIOLATED * _AHEAD))
    if not (violated.size and np.all(np.isfinite(f))):
        return None
    return (
        f"beyond alpha = {last[0, column]:.3g} the equations make no sense: negative: {module.CONDITIONS[violated[0]]}",
        "the state leaves the equations' domain: take a smaller alpha, or other weights, loss or labels",
    )


def _goes_on(system: Bound, x: Array, p: Array) -> bool:
    """Whether a branch goes on beyond a state x [n] at p [k] at which its Jacobian is singular: no fold, but a branch point.

    There dF/dalpha is in the range of the Jacobian: the left null vector is orthogonal to it (Keller 1977).
    """
    _, jacobian = system.residual_and_jacobian(x[None], p[None])
    column = system.module.PARAMETERS.index("alpha")
    slope = system.parameter_derivative(x[None], p[None], (column,))[0, :, column]
    if not (np.all(np.isfinite(jacobian)) and np.all(np.isfinite(slope))):
        return False
    left, singular, _ = np.linalg.svd(jacobian[0])
    if singular[-1] > _SINGULAR * singular[0]:
        return False
    return bool(abs(left[:, -1] @ slope) < _ORTHOGONAL * np.linalg.norm(slope))


def _why_no_origin(system: Bound, p: Array) -> tuple[str, str]:
    """Why there is no state at alpha = 0: usually a parameter at or beyond the edge of its range."""
    module = system.module
    if begins_inside(module) and (largest := largest_at_origin(module, p)) is not None:
        name = module.CONSTRAINED
        return (
            f"{name} = {p[module.PARAMETERS.index(name)]:.6g}: no start of the branch, beside references that know few "
            f"patterns, is known for {name} above {largest:.6g}",
            f"take {name} below {largest:.6g}, or follow {name} upwards from there (the branch command)",
        )
    origin = p[None].copy()
    origin[0, module.PARAMETERS.index("alpha")] = 0.0
    x = trivial_state(module, 1)
    margins = module.conditions(x, origin)[0]
    broken = [name for name, margin in zip(module.CONDITIONS, margins, strict=True) if not margin >= -1e-12]
    if broken:
        reason = f"the equations make no sense at these parameters: negative: {broken[0]}"
        return reason, "check the parameters' signs and order"
    if not np.all(np.isfinite(module.residual(x, origin))):
        return (
            "the equations are not finite at these parameters, even at alpha = 0",
            "a temperature, noise strength, probability or width at the edge of its range does this: take one inside",
        )
    if "alpha_T" in module.PARAMETERS:
        path = on_few_patterns(system, origin, NewtonSettings(tolerance=1e-7))
        if not path.roots.converged[0] and path.reached[0] > 0.0:
            wanted = float(p[module.PARAMETERS.index("alpha_T")])
            farthest = wanted * (FEW_PATTERNS + float(path.reached[0]) * (1.0 - FEW_PATTERNS))
            return (
                f"no state was found at alpha = 0, where the branch should begin: followed from few patterns per input, it "
                f"is lost at alpha_T = {farthest:.3g}, where what is left of a field's variance is a small difference of "
                "large overlaps",
                "take a smaller alpha_T",
            )
    return (
        "no state was found at alpha = 0, where the branch should begin",
        "give a start (--start), or search all roots (--all)",
    )
