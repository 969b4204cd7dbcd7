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
from itertools import pairwise
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spinodal.numeric.path import Path, follow
from spinodal.numeric.roots import NewtonSettings, newton
from spinodal.numeric.rows import Array, Mask, System

if TYPE_CHECKING:
    from spinodal.numeric.solve import Bound

_SWEEPS = 40
#: The unknown margin, and where it is searched.
MARGIN = "kappa_ref"
_MARGINS, _MARGIN_STEP = (-3.0, 6.0), 0.5
#: Scaled residual from which Newton takes over.
_RELAXED = 3e-3
#: Distance from the trivial overlap within which Newton loses digits, and states are interpolated.
_NEAR = 4e-3
#: Overlaps at which a branch is reached from its origin with least trouble: the first choice, and others.
_MODERATE, _OTHER_ANCHORS = 0.7, (0.5, 0.85)
#: Where the branch is reached first when the wanted overlap lies beyond the trivial one: this part of what is left to 1.
_FAR_ENOUGH = 0.4


def begins_inside(module: ModuleType) -> bool:
    """Whether a module's branch begins at its own origin instead of alpha = 0."""
    return hasattr(module, "ORIGIN_ALPHA")


def from_origin(system: System, module: ModuleType, p: Array, bounded: Mask, settings: NewtonSettings) -> Path:
    """The branch from the module's origin, followed to each row of p [B, k].

    Of rows that differ in the constrained overlap alone one is reached from the origin, and the others from one another.
    """
    path = _along_the_overlap(system, module, p, bounded, settings)
    lost = np.flatnonzero(~path.roots.converged)
    if lost.size == 0 or not module.TRIVIAL:
        return path
    return _improved(path, lost, _across(system, module, p[lost], bounded, settings))


def _improved(path: Path, rows: NDArray[np.intp], other: Path) -> Path:
    """The path with some of its rows replaced where another one got farther."""
    better = other.roots.converged | (other.reached > path.reached[rows])
    reached = path.reached.copy()
    reached[rows[better]] = other.reached[better]
    roots = path.roots.replaced(rows[better], other.roots, better)
    return Path(roots, reached, ~roots.converged & (reached > 0.0))


def _along_the_overlap(system: System, module: ModuleType, p: Array, bounded: Mask, settings: NewtonSettings) -> Path:
    """One row of each curve from the origin, at a moderate overlap; the others from their nearest neighbours."""
    column = module.PARAMETERS.index(module.CONSTRAINED)
    anchors = p.copy()
    _, curve = np.unique(np.delete(p, column, axis=1), axis=0, return_inverse=True)
    curve = curve.ravel()
    members = [np.flatnonzero(curve == k) for k in range(int(curve.max()) + 1)]
    for rows in members:
        overlap = p[rows, column]
        anchors[rows, column] = overlap[np.argmin(np.abs(overlap - _MODERATE))]
    first = np.array([rows[0] for rows in members])
    path = _direct(system, module, anchors[first], bounded, settings)
    for overlap in _OTHER_ANCHORS:
        lost = np.flatnonzero(~path.roots.converged)
        if lost.size == 0:
            break
        anchors[np.isin(curve, lost), column] = overlap
        path = _improved(path, lost, _direct(system, module, anchors[first[lost]], bounded, settings))
    curves = [_Curve(rows[np.argsort(p[rows, column])], p, column) for rows in members]
    spread = Path(path.roots.taken(curve), path.reached[curve], path.fold[curve])
    state, good = spread.roots.x.copy(), np.zeros(len(p), dtype=bool)
    for k, group in enumerate(curves):
        group.begin(anchors[first[k], column], path.roots.x[k] if path.roots.converged[k] else None)
    while True:
        asked = [request for group in curves for request in group.wanted()]
        if not asked:
            break
        rows = np.array([row for row, _, _ in asked])
        begin = p[rows].copy()
        begin[:, column] = [overlap for _, overlap, _ in asked]
        start = np.array([x for _, _, x in asked])
        found = follow(system, start, begin, p[rows], bounded, settings)
        spread = Path(spread.roots.replaced(rows, found.roots, np.ones(len(rows), dtype=bool)), spread.reached, spread.fold)
        good[rows] = found.roots.converged
        state[rows] = found.roots.x
        for k, group in enumerate(curves):
            mine = curve[rows] == k
            group.learn(rows[mine], state[rows[mine]], good[rows[mine]])
    reached = np.where(good, 1.0, 0.9 * spread.reached)
    return Path(replace(spread.roots, converged=good), reached, ~good & (reached > 0.0))


class _Curve:
    """Rows along the constrained overlap, in ascending order, and which of their states are known."""

    def __init__(self, rows: NDArray[np.intp], p: Array, column: int) -> None:
        self.rows = rows
        self.overlaps = p[rows, column]
        self.known: list[tuple[float, Array]] = []
        self.open = np.zeros(len(rows), dtype=bool)

    def begin(self, overlap: float, x: Array | None) -> None:
        """The state from which all others are reached, if there is one."""
        if x is not None:
            self.known, self.open[:] = [(overlap, x)], True

    def wanted(self) -> list[tuple[int, float, Array]]:
        """Of every gap between known states the row in its middle, with the nearest known state: (row, overlap, state)."""
        found = []
        edges = [-np.inf, *sorted(overlap for overlap, _ in self.known), np.inf]
        for low, high in pairwise(edges):
            inside = np.flatnonzero(self.open & (self.overlaps >= low) & (self.overlaps < high))
            if inside.size:
                middle = inside[inside.size // 2]
                overlap, x = min(self.known, key=lambda pair: abs(pair[0] - self.overlaps[middle]))
                found.append((int(self.rows[middle]), overlap, x))
        return found

    def learn(self, rows: NDArray[np.intp], states: Array, good: Mask) -> None:
        """What became of the rows asked for; where one was not reached, those beyond it are not either."""
        for row, x, reached in zip(rows, states, good, strict=True):
            place = int(np.flatnonzero(self.rows == row)[0])
            overlap = float(self.overlaps[place])
            self.open[place] = False
            if reached:
                self.known.append((overlap, x))
                continue
            above = [k for k, _ in self.known if k > overlap]
            below = [k for k, _ in self.known if k <= overlap]
            if not above:
                self.open &= self.overlaps < overlap
            if not below:
                self.open &= self.overlaps > overlap


def from_largest_margin(system: Bound, p: Array, settings: NewtonSettings) -> Path:
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
    path = from_small_alpha(type(system)(given, system.rule), points, settings)
    start = np.zeros((len(p), len(module.ORDER_PARAMETERS)))
    for j, name in enumerate(module.ORDER_PARAMETERS):
        start[:, j] = margins if name == MARGIN else path.roots.x[:, given.ORDER_PARAMETERS.index(name)]
    roots = newton(system, start, p, settings)
    converged = roots.converged & path.roots.converged
    return Path(replace(roots, converged=converged), np.where(converged, 1.0, path.reached), ~converged)


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


def _direct(system: System, module: ModuleType, p: Array, bounded: Mask, settings: NewtonSettings) -> Path:
    origin = p.copy()
    column = module.PARAMETERS.index("alpha")
    factor = np.minimum(1.0, module.ORIGIN_ALPHA / np.maximum(p[:, column], module.ORIGIN_ALPHA))
    for name in ("alpha", "alpha_T"):  # little data for the inputs too
        if name in module.PARAMETERS:
            origin[:, module.PARAMETERS.index(name)] *= factor
    start = _relaxed(system, module, module.origin(origin), origin, bounded)
    return follow(system, start, origin, p, bounded, settings)


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


def _across(system: System, module: ModuleType, p: Array, bounded: Mask, settings: NewtonSettings) -> Path:
    """Rows whose constrained overlap lies at or beyond the trivial one, reached at a larger overlap first."""
    name = module.CONSTRAINED
    column = module.PARAMETERS.index(name)
    wanted = p[:, column]
    outside = p.copy()
    outside[:, column] = wanted + _FAR_ENOUGH * (1.0 - wanted)
    path = _direct(system, module, outside, bounded, settings)
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
        step = follow(system, here, at, there, bounded, settings)
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
    end = follow(system, landed, landing, p[rows], bounded, settings)
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
