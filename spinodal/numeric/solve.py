"""Solving a generated module: the state connected to small alpha, a given start, or every root, with error estimates.

Modules are generated code with the names of CONTRACT (residual, jacobian, ...); everything model-specific is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from spinodal.numeric.bound import Bound, is_overlap
from spinodal.numeric.finish import finish
from spinodal.numeric.neighbours import Walk
from spinodal.numeric.origins import NO_REFERENCE, SATURATED, begins_inside, from_largest_margin, from_origin
from spinodal.numeric.path import Path, follow
from spinodal.numeric.quadrature import Rule
from spinodal.numeric.random_field import DEGENERATE, TEACHER, TOO_WEAK, from_random_field
from spinodal.numeric.results import Array, State
from spinodal.numeric.roots import NewtonSettings, Roots, fixed_point, newton
from spinodal.numeric.rows import Mask, determinant_signs, is_inside
from spinodal.numeric.symmetric import follow_constraint
from spinodal.numeric.zero_complexity import KEEPS_SIGN, as_infinitely_many, without_complexity

#: Alternating updates of overlaps and conjugates before Newton at alpha = 0.
_ORIGIN_SWEEPS = 3
#: A state at alpha = 0 with a smaller residual needs no further updates.
_ORIGIN_FOUND = 1e-3
#: The part of alpha_T at which states at alpha = 0 are known.
FEW_PATTERNS = 1e-4
#: Of the Newton steps along the branch and at its end; the last step is taken, and one more with the refined rule follows.
_STEP_TOLERANCE = 1e-7
#: Damped iterations of x = update(x) from a start from which Newton fails.
_SWEEPS_FROM_START = 40
#: Differences of F and its Jacobian between a rule and its refinement that do not move the end of a branch visibly.
_RESOLVED = 1e-4
#: The smallest singular value of a Jacobian at a branch point, relatively.
_SINGULAR = 1e-6


def trivial_state(module: ModuleType, batch: int) -> Array:
    """The state without data, roughly: self-overlaps 1, everything else 0 [B, n]."""
    x = np.zeros((batch, len(module.ORDER_PARAMETERS)))
    for j, name in enumerate(module.ORDER_PARAMETERS):
        if name in ("q_d", "p_d"):
            x[:, j] = 1.0
    return x


def _has_own_origin(module: ModuleType) -> bool:
    """Whether the branch begins elsewhere than at alpha = 0."""
    named = (getattr(module, name, None) is not None for name in ("SYMMETRIC", "GIVEN_MODULE"))
    return any(named) or bool(getattr(module, "GROUND_STATE", False)) or begins_inside(module)


def from_small_alpha(system: Bound, p: Array, settings: NewtonSettings, walk: Walk = follow) -> Path:
    """The branch that starts at alpha = 0 (or at the module's own origin), followed to each row of p [B, k].

    ``walk`` is how a branch with an origin of its own is followed.
    """
    module = system.module
    if getattr(module, "SYMMETRIC", None) is not None:
        return _from_symmetric_state(system, p, settings)
    if getattr(module, "GIVEN_MODULE", None) is not None:
        return from_largest_margin(system, p, settings, walk)
    if getattr(module, "GROUND_STATE", False):
        bounded = np.array([name in ("q", "p", "r") for name in module.ORDER_PARAMETERS])
        return from_random_field(system, p, bounded, settings)
    if begins_inside(module):
        return from_origin(system, module, p, is_overlap(module), settings, walk)
    origin = p.copy()
    origin[:, module.PARAMETERS.index("alpha")] = 0.0
    start = trivial_state(module, len(p))
    overlaps = is_overlap(module)
    # a few alternating updates (the overlaps that conjugates imply are consistent with one another); the best is kept
    best, least = start, np.full(len(p), np.inf)
    for sweep in range(_ORIGIN_SWEEPS):
        f = system.residual(start, origin)
        merit = np.max(np.abs(f) / (1.0 + np.abs(start)), axis=1)
        better = ((merit < least) & ((sweep > 1) | ~np.isfinite(least))) & is_inside(system, start, origin)
        best, least = np.where(better[:, None], start, best), np.where(better, merit, least)
        if np.all(least < _ORIGIN_FOUND) or sweep == _ORIGIN_SWEEPS - 1:
            break
        chosen = overlaps if sweep % 2 == 0 else ~overlaps
        start = np.where(chosen & np.isfinite(f), start - f, start)

    def elsewhere(rows: NDArray[np.int64]) -> Roots:
        return on_few_patterns(system, origin[rows], settings).roots

    origins = elsewhere if "alpha_T" in module.PARAMETERS else None
    return follow(system, best, origin, p, overlaps, settings, origins=origins)


def on_few_patterns(system: Bound, p: Array, settings: NewtonSettings) -> Path:
    """States on random features at alpha = 0, followed from few patterns per input to alpha_T at p [B, k].

    At alpha = 0 no data weigh on the weights, and they are what the prior makes of them; but what they say of the inputs
    obeys equations of its own, in which alpha_T may be large. At alpha_T = 0 all overlaps are known.
    """
    module = system.module
    begin, column = p.copy(), module.PARAMETERS.index("alpha_T")
    begin[:, column] *= FEW_PATTERNS
    overlaps = is_overlap(module)
    x = trivial_state(module, len(p))
    names = np.array(module.ORDER_PARAMETERS)
    own = np.char.endswith(names, "_d") & overlaps
    inner = np.char.startswith(names, "q") & overlaps
    # each is a function of those before: self-overlaps, overlaps, what features make of them, conjugates
    for chosen in (own & inner, inner, own & ~inner, overlaps & ~inner, ~overlaps):
        f = system.residual(x, begin)
        x = np.where(chosen & np.isfinite(f), x - f, x)
    return follow(system, x, begin, p, overlaps, settings)


def _from_symmetric_state(system: Bound, p: Array, settings: NewtonSettings) -> Path:
    module = system.module
    if module.SYMMETRIC["size"]:
        sized = Bound(module.SIZED_MODULE, system.rule)
        given = lambda at: _from_symmetric_state(sized, at, settings)  # noqa: E731 - an argument with a name
        return without_complexity(system, sized, given, p, is_overlap(module), settings)
    base = Bound(module.SYMMETRIC_MODULE, system.rule)
    first = from_small_alpha(base, p, settings)
    return follow_constraint(system, first, p, is_overlap(module), settings)


def at_given_overlap(module: ModuleType) -> bool:
    """Whether an overlap is given (copies, probes): then eigenvalues of dF/dx do not say which states are stable."""
    return getattr(module, "SYMMETRIC", None) is not None or hasattr(module, "CONSTRAINED")


def sign_from_small_alpha(system: Bound, p: Array) -> float:
    """The sign of det dF/dx on the branch from small alpha at p [1, k]; 0 where it could not be followed there."""
    return sign_at(system, from_small_alpha(system, p, NewtonSettings(tolerance=1e-7)).roots, p)


def sign_at(system: Bound, roots: Roots, p: Array) -> float:
    """The sign of det dF/dx at a root; 0 where it did not converge."""
    if not roots.converged[0]:
        return 0.0
    _, jacobian = system.residual_and_jacobian(roots.x, p)
    return float(determinant_signs(jacobian)[0])


def solve_points(
    module: ModuleType,
    p: Array,
    *,
    tolerance: float = 1e-10,
    start: Mapping[str, float] | None = None,
    rule: Rule | None = None,
    iterate: bool = False,
) -> list[State]:
    """One state per row of p [B, k].

    Args:
        module: a generated module.
        p: parameter points.
        tolerance: wanted absolute error of the free entropy; quadrature is refined to reach it.
        start: order parameters to start Newton from instead of following the branch from small alpha.
        iterate: where Newton fails from the start, whether to iterate the equations from it.
        rule: the quadrature rule (default: the module's own).

    Returns:
        States in the order of the rows; failures carry a reason and advice.
    """
    if start is not None or getattr(module, "INFINITE_MODULE", None) is None:
        return _solve_points(module, p, tolerance, start, rule, iterate=iterate)
    states = as_infinitely_many(module, p, solve_points(module.INFINITE_MODULE, p, tolerance=tolerance, rule=rule))
    rest = np.array([index for index, state in enumerate(states) if state is None], dtype=int)
    if rest.size:
        for index, found in zip(rest, _solve_points(module, p[rest], tolerance, start, rule), strict=True):
            states[index] = found
    return [state for state in states if state is not None]


def _solve_points(
    module: ModuleType,
    p: Array,
    tolerance: float,
    start: Mapping[str, float] | None,
    rule: Rule | None,
    *,
    iterate: bool = False,
) -> list[State]:
    """As :func:`solve_points`, in the module's own equations."""
    system = Bound(module, rule or module.RULE)
    if start is None and hasattr(module, "BREAKING"):
        from spinodal.numeric.broken_states import broken_points  # it solves other modules' points by this function

        return broken_points(system, p, tolerance)
    settings = NewtonSettings(tolerance=_STEP_TOLERANCE)
    if start is None:
        roots, reached = _followed(system, p, settings)
        method = "followed from alpha = 0"
        if getattr(module, "SYMMETRIC", None) is not None:
            method = "followed from the replica-symmetric state"
        if getattr(module, "GROUND_STATE", False):
            method = "followed from a strong random field"
    else:
        guess = complete_start(system, p, start)
        roots, reached, method = newton(system, guess, p, settings), np.ones(len(p)), "Newton from the given start"
    states: list[State | None] = [None] * len(p)
    good = np.flatnonzero(roots.converged)
    for index, state in zip(good, finish(system, roots.x[good], p[good], tolerance, method), strict=True):
        states[index] = state
    lost = np.flatnonzero(~roots.converged)
    if start is not None and iterate and lost.size and not at_given_overlap(module):
        # Newton may stop where |F| is smallest; the map's own iteration has the start's basin of attraction
        settled = fixed_point(system, guess[lost], p[lost], sweeps=_SWEEPS_FROM_START)
        again = newton(system, settled, p[lost], settings)
        roots = roots.replaced(lost[again.converged], again, again.converged)
        good = lost[again.converged]
        method = f"Newton after {_SWEEPS_FROM_START} damped iterations from the given start"
        note = "Newton failed from the given start: the state reported is the one that damped iterations from it reach"
        for index, state in zip(good, finish(system, roots.x[good], p[good], tolerance, method), strict=True):
            states[index] = replace(state, warnings=(note, *state.warnings))
    if not roots.converged.all():
        from spinodal.numeric.ends import (
            Folds,
            end_of_branch,
            end_of_start,
        )  # which solves other modules' points by this function

        folds: Folds = {}
        for index in np.flatnonzero(~roots.converged):
            point, x, residual = p[index], roots.x[index], float(roots.residual[index])
            if start is not None:
                states[index] = end_of_start(system, point, start if iterate else {}, residual)
            else:
                states[index] = end_of_branch(system, point, x, residual, float(reached[index]), tolerance, folds)
    return [state for state in states if state is not None]


def _followed(system: Bound, p: Array, settings: NewtonSettings) -> tuple[Roots, Array]:
    """The branch from small alpha; rows that end early are followed again with more nodes, until that changes nothing.

    An integrand that is not resolved makes the Jacobian wrong and Newton slow, which looks like the end of the branch.
    """
    path = from_small_alpha(system, p, settings)
    roots, reached = path.roots, path.reached.copy()
    for _ in range(2):
        lost = np.flatnonzero(
            ~roots.converged & ~np.isin(reached, (DEGENERATE, TOO_WEAK, TEACHER, SATURATED, NO_REFERENCE, KEEPS_SIGN))
        )
        lost = lost[~_ends_resolved(system, roots.x[lost], p[lost], reached[lost])]
        if getattr(system.module, "GROUND_STATE", False):  # a branch point is one with any number of nodes
            values = np.linalg.svd(np.nan_to_num(roots.jacobian[lost]), compute_uv=False)
            lost = lost[values[:, -1] > _SINGULAR * values[:, 0]]
        if lost.size == 0:
            break
        system = system.refined()
        again = from_small_alpha(system, p[lost], settings)
        # what is negative is no distance, but says why there is no path
        gained = again.roots.converged | (again.reached > np.maximum(reached[lost], reached[lost] * (1.0 + 1e-3)))
        if not gained.any():
            break
        roots = roots.replaced(lost[gained], again.roots, gained)
        reached[lost[gained]] = again.reached[gained]
    return roots, reached


def _ends_resolved(system: Bound, x: Array, p: Array, reached: Array) -> Mask:
    """Whether the integrals at the last states [B, n] of branches from alpha = 0 to p [B, k] are exact for this purpose.

    Then more nodes would find the same end. Of branches with other origins nothing is known (False).
    """
    module, resolved = system.module, np.zeros(len(x), dtype=bool)
    if _has_own_origin(module):
        return resolved
    rows = np.flatnonzero((reached > 0.0) & np.isfinite(x).all(axis=1))
    if rows.size == 0:
        return resolved
    last = p[rows].copy()
    last[:, module.PARAMETERS.index("alpha")] *= reached[rows]
    coarse, fine = (s.residual_and_jacobian(x[rows], last) for s in (system, system.refined()))
    values, slopes = (np.abs(a - b) / (1.0 + np.abs(b)) for a, b in zip(coarse, fine, strict=True))
    resolved[rows] = (values.max(axis=1) < _RESOLVED) & (slopes.max(axis=(1, 2)) < _RESOLVED)
    return resolved


def complete_start(system: Bound, p: Array, start: Mapping[str, float]) -> Array:
    """A full state from a partial one: given values kept, missing conjugates and overlaps from a few updates."""
    module = system.module
    names = list(module.ORDER_PARAMETERS)
    x = trivial_state(module, len(p))
    overlaps = is_overlap(module)
    given = np.array([name in start for name in names])
    for name, value in start.items():
        x[:, names.index(name)] = value
    bounds = upper_bounds(module, x)
    if "r" in names and "r" not in start and "q" in start:
        x[:, names.index("r")] = start["q"]
    if "p" in names and "p" not in start and "q" in start:
        x[:, names.index("p")] = start["q"]
    x = np.where(overlaps, np.minimum(x, bounds), x)
    for sweep in range(4):
        f, _ = system.residual_and_jacobian(x, p)
        change = np.where(given | ~np.isfinite(f), 0.0, -f)
        if sweep < 2:
            change = np.where(overlaps, 0.0, change)
        x = x + change
    return x


def upper_bounds(module: ModuleType, x: Array) -> Array:
    """The largest value each order parameter may take (inf where unbounded) [B, n]."""
    names = list(module.ORDER_PARAMETERS)
    bounds = np.full_like(x, np.inf)
    for name, bound in module.SATURATING.items():
        limit = x[:, names.index(bound)] if bound in names else _as_number(bound)
        bounds[:, names.index(name)] = limit
    return bounds


def _as_number(text: str) -> float:
    try:
        return float(Fraction(text))
    except ValueError:
        return np.inf
