"""Branches that cannot begin at alpha = 0, because that lies on the boundary of their equations' domain.

Without data a probe at overlap t with its reference has a field that the reference's determines: variances between the two
vanish. A generated module of this kind carries ``ORIGIN_ALPHA`` and a guess ``origin(p)`` of the state there; relaxation
and Newton do the rest. Where a constrained overlap passes the value that it has in the ``TRIVIAL`` state (the probe is then
one more typical solution) the same variances vanish again, quadratically: the branch is smooth in the overlap, and is
stepped across by extrapolation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from spinodal.numeric.followers import from_reference, references
from spinodal.numeric.neighbours import Walk, along, from_known, improved
from spinodal.numeric.path import Path, follow, nowhere
from spinodal.numeric.roots import NewtonSettings, newton
from spinodal.numeric.rows import Array, Mask, System

if TYPE_CHECKING:
    from spinodal.numeric.bound import Bound

_SWEEPS = 40
#: The unknown margin, and where it is searched.
MARGIN = "kappa_ref"
_MARGINS, _MARGIN_STEP = (-3.0, 6.0), 0.5
#: Scaled residual from which Newton takes over.
_RELAXED = 3e-3
#: Distance from the trivial overlap within which Newton loses digits, and states are interpolated.
_NEAR = 4e-3
#: Overlaps at which a branch is reached from its origin with least trouble, the best first.
_ANCHORS = (0.7, 0.5, 0.85)
#: Overlaps above this are close to 1.
_NEAR_ONE = 0.9
#: A branch that ends with an overlap this near to its bound, and what is said of how far it was followed.
_SATURATED = 1e-3
SATURATED = -4.0
#: What is said of how far a branch was followed where there are no references.
NO_REFERENCE = -5.0
#: Where the branch is reached first when the wanted overlap lies beyond the trivial one: this part of what is left to 1.
_FAR_ENOUGH = 0.4


def begins_inside(module: ModuleType) -> bool:
    """Whether a module's branch begins at its own origin instead of alpha = 0."""
    return hasattr(module, "ORIGIN_ALPHA")


def from_origin(
    system: Bound, module: ModuleType, p: Array, bounded: Mask, settings: NewtonSettings, walk: Walk = follow
) -> Path:
    """The branch from the module's origin, followed to each row of p [B, k].

    Of rows that differ in the constrained overlap alone one is reached from the origin, and the others from one another.
    """
    base = references(system, p)
    there = np.flatnonzero(np.isfinite(base).all(axis=1))
    path = nowhere(p, len(module.ORDER_PARAMETERS), NO_REFERENCE)
    if there.size == 0:
        return path
    found = _beside_references(system, p[there], base[there], bounded, settings, walk)
    reached = path.reached.copy()
    reached[there] = found.reached
    roots = path.roots.replaced(there, found.roots, np.ones(there.size, dtype=bool))
    return Path(roots, reached, ~roots.converged & (reached > 0.0))


def _beside_references(
    system: Bound, p: Array, base: Array, bounded: Mask, settings: NewtonSettings, walk: Walk = follow
) -> Path:
    """As :func:`from_origin`, given the references' states [B, m]."""
    module = system.module
    column = module.PARAMETERS.index(module.CONSTRAINED)
    path = from_reference(system, p, base, p[:, column] > _NEAR_ONE, settings)
    if path.roots.converged.any():
        path = from_known(system, p, column, path, bounded, settings, walk)
    lost = np.flatnonzero(~path.roots.converged)
    if lost.size:  # too far from references, or overlaps at which there is no state lie between

        def begin(at: Array) -> Path:
            return _direct(system, module, at, bounded, settings, walk)

        path = improved(path, lost, along(system, p[lost], column, begin, _ANCHORS, bounded, settings, walk))
    failed = ~path.roots.converged
    _, gap = _saturation(module, path.roots.x)
    ended = failed & (path.reached > 0.0) & (gap < _SATURATED)
    path = replace(path, reached=np.where(ended, SATURATED, path.reached))
    around = np.flatnonzero(failed & ~ended)
    if around.size == 0 or not module.TRIVIAL:
        return path
    return improved(path, around, _across(system, module, p[around], bounded, settings, walk))


def why_not_reached(system: Bound, p: Array, x: Array) -> tuple[str, str]:
    """Why there is no state at a constrained overlap though the branch has a beginning, and what to try.

    Args:
        system: a module bound to a rule.
        p: the wanted parameters [k].
        x: the last state of the branch before it ended [n].
    """
    module = system.module
    name = module.CONSTRAINED
    value = float(p[module.PARAMETERS.index(name)])
    if not np.isfinite(x).all():
        from spinodal.numeric.solve import solve_points  # which imports this module

        own = [p[module.PARAMETERS.index(other)] for other in module.REFERENCE_MODULE.PARAMETERS]
        (reference,) = solve_points(module.REFERENCE_MODULE, np.array([own]))
        failure = reference.failure
        why = "their state was not found" if failure is None else failure.reason
        return f"there are no references: {why}", "take a smaller alpha, or a smaller margin of the references"
    end = _end(system, p, x)
    if end is not None:
        saturating, overlap = end
        return (
            f"the branch ends near {name} = {overlap:.6g}, where {saturating} reaches its bound: conjugates diverge and phi "
            "falls without bound; the reference is isolated",
            f"take {name} below {overlap:.6g}, or references of a larger margin",
        )
    return (
        f"the branch from small alpha could not be followed to {name} = {value:.6g} at these parameters",
        f"take a smaller alpha, or follow {name} from a state that is found (the branch command)",
    )


def largest_at_origin(module: ModuleType, p: Array) -> float | None:
    """The constrained overlap at which the guesses at small alpha leave the domain on the way to that in p [k].

    None where they do not, or where they are outside at a vanishing overlap too.
    """
    column = module.PARAMETERS.index(module.CONSTRAINED)
    at = np.repeat(p[None], 2, axis=0)
    at[:, module.PARAMETERS.index("alpha")] = module.ORIGIN_ALPHA
    shares = np.array([1e-3, 1.0])
    for _ in range(40):
        at[:, column] = shares * p[column]
        with np.errstate(all="ignore"):
            inside = np.all(module.conditions(module.origin(at), at, module.RULE) > 0.0, axis=1)
        if not inside[0] or inside[1]:
            return None
        middle = at[:1].copy()
        middle[0, column] = 0.5 * shares.sum() * p[column]
        with np.errstate(all="ignore"):
            good = np.all(module.conditions(module.origin(middle), middle, module.RULE) > 0.0)
        shares[0 if good else 1] = 0.5 * shares.sum()
    return float(shares[0] * p[column])


def _saturation(module: ModuleType, x: Array) -> tuple[str, Array]:
    """The probe's overlap that is nearest to its bound in states x [B, n], and by how much it falls short of it [B]."""
    names = list(module.ORDER_PARAMETERS)
    gaps = {}
    for name, bound in module.SATURATING.items():
        if name not in module.REFERENCE:
            limit = x[:, names.index(bound)] if bound in names else float(bound)
            gaps[name] = limit - x[:, names.index(name)]
    name = min(gaps, key=lambda key: float(np.min(gaps[key], initial=np.inf, where=np.isfinite(gaps[key]))))
    return name, gaps[name]


def _end(system: Bound, p: Array, x: Array) -> tuple[str, float] | None:
    """Where the branch through x [n] saturates, if it is about to: the overlap that does, and the constrained one there."""
    module = system.module
    column = module.PARAMETERS.index(module.CONSTRAINED)
    name, (gap,) = _saturation(module, x[None])
    if not gap < _SATURATED:
        return None
    here = p.copy()
    # the equation of the constrained overlap's conjugate says at which overlap a state is
    here[column] += system.residual(x[None], p[None])[0, module.ORDER_PARAMETERS.index(f"{module.CONSTRAINED}_hat")]
    _, jacobian = system.residual_and_jacobian(x[None], here[None])
    slopes = system.parameter_derivative(x[None], here[None], [column])[0, :, column]
    try:
        tangent = np.linalg.solve(jacobian[0], -slopes)
    except np.linalg.LinAlgError:
        return None
    rate = float(tangent[module.ORDER_PARAMETERS.index(name)])
    return (name, float(here[column] + gap / rate)) if rate > 0.0 else None


def from_largest_margin(system: Bound, p: Array, settings: NewtonSettings, walk: Walk = follow) -> Path:
    """The state whose reference has the largest margin: from the state at a margin near it, by Newton.

    That margin is where the reference's entropy (its own module's observable) falls below zero.
    """
    from spinodal.numeric.solve import from_small_alpha  # which imports this module

    module = system.module
    given = module.GIVEN_MODULE
    reference = type(system)(module.REFERENCE_MODULE, system.rule)
    margins = np.zeros(len(p))
    known: dict[bytes, float] = {}  # rows that differ in the constrained overlap share their reference
    for row in range(len(p)):
        point = _with_margin(reference.module, module, p[row : row + 1], np.zeros(1))
        apart = [name != given.CONSTRAINED for name in reference.module.PARAMETERS]
        key = point[0, apart].tobytes()
        if key not in known:
            known[key] = _largest_margin(reference, point, settings, from_small_alpha)
        margins[row] = known[key]
    points = _with_margin(given, module, p, margins)
    path = from_small_alpha(type(system)(given, system.rule), points, settings, walk)
    start = np.zeros((len(p), len(module.ORDER_PARAMETERS)))
    for j, name in enumerate(module.ORDER_PARAMETERS):
        start[:, j] = margins if name == MARGIN else path.roots.x[:, given.ORDER_PARAMETERS.index(name)]
    rows = np.flatnonzero(path.roots.converged)
    found = newton(system, start[rows], p[rows], settings)
    roots = replace(nowhere(p, start.shape[1], 0.0).roots, x=start)
    roots = roots.replaced(rows, found, np.ones(rows.size, dtype=bool))
    return Path(roots, np.where(roots.converged, 1.0, path.reached), ~roots.converged)


def _with_margin(target: ModuleType, module: ModuleType, p: Array, margins: Array) -> Array:
    """Parameters of another module at the given margins."""
    columns = [margins if name == MARGIN else p[:, module.PARAMETERS.index(name)] for name in target.PARAMETERS]
    return np.stack(np.broadcast_arrays(*columns), axis=1).astype(float)


def _largest_margin(reference: Bound, point: Array, settings: NewtonSettings, begin: Callable[..., Path]) -> float:
    """Where the typical entropy becomes negative as the margin grows, to about 1e-4; nan where it does not.

    The typical state is followed in the margin, so that nothing is solved far beyond capacity.
    """
    module = reference.module
    column = module.PARAMETERS.index(MARGIN)
    overlaps = np.array([name not in module.CONJUGATES for name in module.ORDER_PARAMETERS])
    here = point.copy()
    here[0, column] = _MARGINS[0]
    x = begin(reference, here, settings).roots

    def entropy(state: Array, at: Array) -> float:
        return float(module.observables(state, at, reference.rule)["entropy"][0])

    if not x.converged[0] or not entropy(x.x, here) > 0.0:
        return float("nan")
    state, value, step = x.x, entropy(x.x, here), _MARGIN_STEP
    while here[0, column] < _MARGINS[1]:
        there = here.copy()
        there[0, column] += step
        moved = follow(reference, state, here, there, overlaps, settings).roots
        found = entropy(moved.x, there) if moved.converged[0] else float("nan")
        if found > 0.0:
            state, value, here = moved.x, found, there
        elif step < 1e-3 and np.isfinite(found):
            return float(here[0, column] + step * value / (value - found))
        elif step < 1e-8:
            break
        else:
            step *= 0.2
    return float("nan")


def _direct(
    system: System, module: ModuleType, p: Array, bounded: Mask, settings: NewtonSettings, walk: Walk = follow
) -> Path:
    origin = p.copy()
    column = module.PARAMETERS.index("alpha")
    factor = np.minimum(1.0, module.ORIGIN_ALPHA / np.maximum(p[:, column], module.ORIGIN_ALPHA))
    for name in ("alpha", "alpha_T"):  # little data for the inputs too
        if name in module.PARAMETERS:
            origin[:, module.PARAMETERS.index(name)] *= factor
    start = _relaxed(system, module, module.origin(origin), origin, bounded)
    return walk(system, start, origin, p, bounded, settings)


def _relaxed(system: System, module: ModuleType, x: Array, p: Array, overlaps: Mask) -> Array:
    """Sweeps until Newton can take over: the constrained overlap's conjugate first, then conjugates and overlaps in turn.

    The constrained overlap grows with its conjugate and ever more slowly, so that Newton from below does not overshoot.
    """
    names = list(module.ORDER_PARAMETERS)
    driver = np.array([name == f"{module.CONSTRAINED}_hat" for name in names])
    x, waiting, alone = x.copy(), np.arange(len(x)), np.ones(len(x), dtype=bool)
    for sweep in range(_SWEEPS):
        f, jacobian = system.residual_and_jacobian(x[waiting], p[waiting])
        slope = np.diagonal(jacobian, axis1=1, axis2=2)
        merit = np.abs(f) / (1.0 + np.abs(x[waiting]))
        alone[waiting] &= merit[:, driver].max(axis=1) > _RELAXED
        gain = np.where(np.isfinite(slope) & (slope > 1e-6), slope, 1.0)
        turn = np.where(overlaps, 0.6 * (sweep % 2), 1.0)
        factor = np.where(alone[waiting][:, None], driver, turn)
        going = (np.nanmax(merit, axis=1) > _RELAXED) | ~np.isfinite(merit).all(axis=1)
        step = np.where(np.isfinite(f), factor * f / gain, 0.0)
        x[waiting[going]] -= step[going]
        waiting = waiting[going]
        if waiting.size == 0:
            break
    return x


def _across(
    system: System, module: ModuleType, p: Array, bounded: Mask, settings: NewtonSettings, walk: Walk = follow
) -> Path:
    """Rows whose constrained overlap lies at or beyond the trivial one, reached at a larger overlap first."""
    name = module.CONSTRAINED
    column = module.PARAMETERS.index(name)
    wanted = p[:, column]
    outside = p.copy()
    outside[:, column] = wanted + _FAR_ENOUGH * (1.0 - wanted)
    path = _direct(system, module, outside, bounded, settings, walk)
    x, reached = path.roots.x.copy(), 0.9 * path.reached
    names = list(module.ORDER_PARAMETERS)
    trivial = x.copy()
    for probe, value in module.TRIVIAL.items():
        if probe != name:
            trivial[:, names.index(probe)] = x[:, names.index(value)]
    centre = x[:, names.index(module.TRIVIAL[name])]
    at_centre = p.copy()
    at_centre[:, column] = centre
    residual = system.residual_and_jacobian(trivial, at_centre)[0]
    known = path.roots.converged & (np.max(np.abs(residual) / (1.0 + np.abs(trivial)), axis=1) < 1e-9)
    roots = path.roots
    rows = np.flatnonzero(known)
    if rows.size == 0:
        return Path(replace(roots, converged=np.zeros(len(p), dtype=bool)), reached, path.fold)
    # states on a ladder of distances from the trivial overlap
    ladder = [np.zeros(len(rows))]
    states = [trivial[rows]]
    here, at = x[rows], outside[rows]
    for distance in (5.0 * _NEAR, 4.0 * _NEAR, 3.0 * _NEAR, 2.0 * _NEAR, _NEAR):
        there = at.copy()
        there[:, column] = centre[rows] + distance
        step = walk(system, here, at, there, bounded, settings)
        here, at = step.roots.x, there
        ok = step.roots.converged
        ladder.append(np.where(ok, distance, np.nan))
        states.append(here)
    offset = wanted[rows] - centre[rows]
    close = np.abs(offset) <= _NEAR
    target = np.where(close, offset, -_NEAR)
    guess = _interpolated(np.stack(ladder, axis=1), np.stack(states, axis=1), target)
    landing = p[rows].copy()
    landing[:, column] = centre[rows] + target
    found = newton(system, guess, landing, replace(settings, iterations=8))
    # beyond Newton's reach the interpolated state is as good as the ladder: O(near^6)
    near = close & ~found.converged & np.all(np.isfinite(guess), axis=1)
    landed = np.where(near[:, None], guess, found.x)
    far = found.converged & (offset < -_NEAR)
    end = walk(system, landed, landing, p[rows], bounded, settings)
    converged = np.zeros(len(p), dtype=bool)
    converged[rows] = near | (found.converged & close) | (far & end.roots.converged)
    x[rows] = np.where(close[:, None], landed, end.roots.x)
    reached[rows] = np.where(converged[rows], 1.0, 0.9)
    return Path(replace(roots, x=x, converged=converged), reached, ~converged & path.roots.converged)


def _interpolated(at: Array, values: Array, target: Array) -> Array:
    """Lagrange interpolation of states values[B, K, n] at distances at[B, K], evaluated at target[B]."""
    total = np.zeros_like(values[:, 0])
    count = at.shape[1]
    for k in range(count):
        weight = np.ones(len(at))
        for j in range(count):
            if j != k:
                weight = weight * (target - at[:, j]) / (at[:, k] - at[:, j])
        total += weight[:, None] * values[:, k]
    return total
