"""Roots of saddle-point systems: batched Newton, and the branch that starts at small alpha.

A system is anything with ``residual_and_jacobian(x[B, n], p[B, k])``, ``conditions`` and ``parameter_derivative`` (a
generated module, bound to a quadrature rule); nothing here knows models. F is written as x - update(x), so that a damped
fixed-point step is x - theta F: it globalises Newton where the latter's step leaves the domain or does not descend.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


#: A condition violated by less than this is met (overlaps that vanish come out as -1e-17).
_ROUNDING = 1e-12


class System(Protocol):
    """F(x; p) = 0 for a batch of states."""

    def residual_and_jacobian(self, x: Array, p: Array) -> tuple[Array, Array]:
        """F [B, n] and dF/dx [B, n, n]."""
        ...

    def parameter_derivative(self, x: Array, p: Array) -> Array:
        """dF/dp [B, n, k]."""
        ...

    def conditions(self, x: Array, p: Array) -> Array:
        """Expressions that must not be negative [B, m]."""
        ...


@dataclass(frozen=True, slots=True)
class NewtonSettings:
    """How Newton is globalised and when it has converged.

    Attributes:
        tolerance: on the scaled Newton step, max |dx_i| / (1 + |x_i|).
        iterations: Newton iterations at most.
        halvings: step halvings before a damped fixed-point step replaces a Newton step.
        damping: theta of that fixed-point step.
        fall_back: whether to take such steps at all (a corrector near its prediction should rather give up).
    """

    tolerance: float = 1e-12
    iterations: int = 60
    halvings: int = 6
    damping: float = 0.5
    fall_back: bool = True


@dataclass(frozen=True, slots=True)
class Roots:
    """Where a batch of Newton iterations ended.

    Attributes:
        x: states [B, n].
        converged: which converged [B].
        residual: max_i |F_i| / (1 + |x_i|) [B].
        step: the last scaled Newton step [B], an estimate of the distance to the root.
        iterations: Newton iterations used [B].
        determinant_sign: sign of det dF/dx at x [B].
        jacobian: dF/dx at x [B, n, n].
    """

    x: Array
    converged: Mask
    residual: Array
    step: Array
    iterations: NDArray[np.int64]
    determinant_sign: Array
    jacobian: Array

    def replaced(self, rows: NDArray[np.int64], other: Roots, chosen: Mask) -> Roots:
        """These roots with ``rows`` taken from the ``chosen`` rows of another batch."""
        merged = {}
        for name in ("x", "converged", "residual", "step", "iterations", "determinant_sign", "jacobian"):
            values = getattr(self, name).copy()
            values[rows] = getattr(other, name)[chosen]
            merged[name] = values
        return Roots(**merged)


def _scaled(values: Array, x: Array) -> Array:
    result: Array = np.max(np.abs(values) / (1.0 + np.abs(x)), axis=1)
    return result


def _inside(system: System, x: Array, p: Array) -> Mask:
    margins = system.conditions(x, p)
    return np.asarray(np.all(np.isfinite(x), axis=1) & np.all(margins >= -_ROUNDING, axis=1))


def _solve(jacobian: Array, residual: Array) -> Array:
    """Newton steps; a singular or non-finite Jacobian gives nan."""
    try:
        return np.asarray(np.linalg.solve(jacobian, residual[..., None])[..., 0])
    except np.linalg.LinAlgError:
        steps = np.full_like(residual, np.nan)
        for i in range(len(residual)):
            if np.all(np.isfinite(jacobian[i])) and np.linalg.matrix_rank(jacobian[i]) == residual.shape[1]:
                steps[i] = np.linalg.solve(jacobian[i], residual[i])
        return steps


def newton(
    system: System, start: Array, p: Array, settings: NewtonSettings | None = None, tolerance: Array | None = None
) -> Roots:
    """Newton from each row of ``start`` [B, n] at the parameters p [B, k]; rows are independent.

    ``tolerance`` [B] replaces the settings' tolerance row by row.

    A row that has converged, or cannot move, is left alone. Convergence asks for a small last step *and* a small residual,
    or for a step at the rounding level of the equations (a further step does not shrink it).
    """
    settings = settings or NewtonSettings()
    x = np.array(start, dtype=float)
    batch, _n = x.shape
    wanted = np.full(batch, settings.tolerance) if tolerance is None else tolerance
    residual, jacobian = system.residual_and_jacobian(x, p)
    merit = _scaled(residual, x)
    step_size = np.full(batch, np.inf)
    used = np.zeros(batch, dtype=np.int64)
    converged = np.zeros(batch, dtype=bool)
    alive = np.isfinite(merit) & np.all(np.isfinite(jacobian), axis=(1, 2)) & _inside(system, x, p)
    for iteration in range(settings.iterations):
        rows = np.flatnonzero(alive & ~converged)
        if rows.size == 0:
            break
        step = _solve(jacobian[rows], residual[rows])
        usable = np.all(np.isfinite(step), axis=1)
        new_size = np.where(usable, _scaled(np.where(usable[:, None], step, 0.0), x[rows]), np.inf)
        stalled = (new_size >= 0.5 * step_size[rows]) & (new_size < 1e-7) & (merit[rows] < 1e-7)
        # a step this small, of a quadratically convergent iteration, is followed by one below the wanted size
        quadratic = (new_size < 3e-7) & (new_size < 1e-2 * step_size[rows]) & (merit[rows] < 1e-5)
        done = usable & ((new_size <= wanted[rows]) | quadratic | stalled)
        step_size[rows] = new_size
        used[rows] += 1
        direction = np.where(usable[:, None], -step, 0.0)
        length = np.where(usable, 1.0, 0.0)
        # full steps where they descend, halved otherwise; a fixed-point step where halving does not help
        waiting = usable & ~done
        converged[rows[done]] = True
        last_steps = np.flatnonzero(quadratic & done)
        x[rows[last_steps]] -= step[last_steps]
        best_x, best_f, best_j = x[rows].copy(), residual[rows].copy(), jacobian[rows].copy()
        best_merit = merit[rows].copy()
        moved = np.zeros(rows.size, dtype=bool)
        for halving in range(settings.halvings + 1):
            index = np.flatnonzero(waiting & ~moved)
            if index.size == 0:
                break
            trial = x[rows[index]] + length[index, None] * direction[index]
            f, j = system.residual_and_jacobian(trial, p[rows[index]])
            m = _scaled(f, trial)
            good = np.isfinite(m) & np.all(np.isfinite(j), axis=(1, 2))
            # early full steps may climb a little: asking for descent at once costs more evaluations than it saves
            allowed = 3.0 if iteration < 3 and halving == 0 else 1.0 - 1e-4 * length[index]
            good &= (m < merit[rows[index]] * allowed) | (m < 1e-13)
            chosen = index[good]
            best_x[chosen], best_f[chosen], best_j[chosen] = trial[good], f[good], j[good]
            best_merit[chosen] = m[good]
            moved[chosen] = True
            length[index[~good]] *= 0.5 if halving < 2 else 0.25
        lost = np.flatnonzero(~done & ~moved)
        if lost.size and settings.fall_back:
            _fixed_point_step(system, x, residual, p, rows, lost, settings, best_x, best_f, best_j, best_merit, moved)
        x[rows], residual[rows], jacobian[rows], merit[rows] = best_x, best_f, best_j, best_merit
        alive[rows[~done & ~moved]] = False
    # a row that stopped moving at rounding level has converged
    converged |= (step_size < 1e-10) & (merit < 1e-10)
    # inside the loop nan marks a state outside the domain; conditions that leave F finite are asked only here
    ended = np.flatnonzero(converged)
    if ended.size:
        converged[ended] = _inside(system, x[ended], p[ended])
    with np.errstate(all="ignore"):
        finite = np.all(np.isfinite(jacobian), axis=(1, 2))
        sign = np.linalg.slogdet(np.where(finite[:, None, None], jacobian, np.eye(x.shape[1])))[0]
    return Roots(x, converged, merit, step_size, used, np.where(finite, sign, 0.0), jacobian)


def _fixed_point_step(
    system: System,
    x: Array,
    residual: Array,
    p: Array,
    rows: NDArray[np.int64],
    lost: NDArray[np.int64],
    settings: NewtonSettings,
    best_x: Array,
    best_f: Array,
    best_j: Array,
    best_merit: Array,
    moved: Mask,
) -> None:
    """A damped fixed-point step x - theta F for rows whose Newton step failed, theta halved until inside the domain."""
    theta = settings.damping
    for _ in range(4):
        index = lost[~moved[lost]]
        if index.size == 0:
            return
        trial = x[rows[index]] - theta * residual[rows[index]]
        good = _inside(system, trial, p[rows[index]])
        if good.any():
            chosen = index[good]
            f, j = system.residual_and_jacobian(trial[good], p[rows[chosen]])
            m = _scaled(f, trial[good])
            fine = np.isfinite(m) & np.all(np.isfinite(j), axis=(1, 2))
            kept = chosen[fine]
            best_x[kept], best_f[kept], best_j[kept] = trial[good][fine], f[fine], j[fine]
            best_merit[kept] = m[fine]
            moved[kept] = True
        theta *= 0.5


def fixed_point(system: System, start: Array, p: Array, sweeps: int, damping: float = 0.5) -> Array:
    """Damped fixed-point sweeps x <- x - damping F; a row that would leave the domain stays where it is."""
    x = np.array(start, dtype=float)
    for _ in range(sweeps):
        f, _ = system.residual_and_jacobian(x, p)
        trial = x - damping * f
        good = np.all(np.isfinite(trial), axis=1)
        if good.any():
            good[good] = _inside(system, trial[good], p[good])
        x[good] = trial[good]
    return x


@dataclass(frozen=True, slots=True)
class PathSettings:
    """How far a step along the branch from small alpha may go before it is halved.

    Attributes:
        overlap_error: largest difference between an overlap's change and the trapezoid rule of its two tangents.
        relative_error: the same for conjugates, relative to their size.
        overlap_change: largest change of an overlap in one step.
        smallest: the step (in units of the whole path) below which the branch is said to end.
        corrections: Newton iterations allowed per step.
        loose: tolerance of the points before the last, where steps are long.
    """

    overlap_error: float = 0.03
    relative_error: float = 0.2
    overlap_change: float = 0.5
    smallest: float = 1e-8
    corrections: int = 8
    loose: float = 1e-4


@dataclass(frozen=True, slots=True)
class Path:
    """The end of a branch followed from one parameter point to another.

    Attributes:
        roots: the Newton result at the end (or at the last point reached).
        reached: the fraction of the path that was followed [B]; 1 where the end was reached.
        fold: where the path stopped because the Jacobian became singular [B].
    """

    roots: Roots
    reached: Array
    fold: Mask


def follow(
    system: System,
    start: Array,
    p_start: Array,
    p_end: Array,
    bounded: Mask,
    newton_settings: NewtonSettings | None = None,
    settings: PathSettings | None = None,
) -> Path:
    """Follow a root along the straight path from p_start to p_end, each row with its own step.

    Tangent predictor, Newton corrector; a step counts only if the corrector stays near the prediction and the sign of
    det dF/dx does not change, so that the branch is not left for another one beyond a fold.

    Args:
        system: the equations.
        start: a root at p_start, or a state close to one [B, n].
        p_start: parameters there [B, k].
        p_end: parameters where the root is wanted [B, k].
        bounded: which unknowns are overlaps of order one (their changes are compared absolutely) [n].
        newton_settings: tolerance of the final point.
        settings: step control.
    """
    settings = settings or PathSettings()
    final = newton_settings or NewtonSettings()
    quick = replace(final, iterations=settings.corrections, halvings=0, fall_back=False)
    origin = _origin(system, start, p_start, replace(final, tolerance=settings.loose))
    change = p_end - p_start
    moving = np.any(change != 0.0, axis=0)
    x, jacobian = origin.x.copy(), origin.jacobian.copy()
    last = _Last(origin)
    s, h = np.zeros(len(start)), np.ones(len(start))
    refused = np.zeros(len(start), dtype=bool)
    active = origin.converged & np.any(change != 0.0, axis=1)
    s[origin.converged & ~active] = 1.0

    def tangent_at(rows: NDArray[np.int64], state: Array, slope_matrix: Array, where: Array) -> Array:
        here = p_start[rows] + where[:, None] * change[rows]
        derivative = system.parameter_derivative(state, here)[:, :, moving]
        slope = np.einsum("bnk,bk->bn", derivative, change[rows][:, moving])
        return np.asarray(-_solve(slope_matrix, slope))

    tangent = np.zeros_like(x)
    begin = np.flatnonzero(active)
    if begin.size:
        tangent[begin] = np.nan_to_num(tangent_at(begin, x[begin], jacobian[begin], s[begin]))
    while active.any():
        rows = np.flatnonzero(active)
        target = np.minimum(1.0, s[rows] + h[rows])
        length = (target - s[rows])[:, None]
        there = p_start[rows] + target[:, None] * change[rows]
        guess = x[rows] + length * tangent[rows]
        inside = _inside(system, guess, there)
        guess[~inside] = x[rows][~inside]
        # short steps are taken near an end of the branch, where a loose "root" may lie beyond it
        relaxed = (target < 1.0) & (h[rows] > 1e-2)
        found = newton(system, guess, there, quick, np.where(relaxed, settings.loose, final.tolerance))
        good = found.converged & (found.determinant_sign == last.sign[rows])
        good &= np.all(~bounded | (np.abs(found.x - x[rows]) <= settings.overlap_change), axis=1)
        ahead = np.full_like(guess, np.nan)
        if good.any():
            ahead[good] = tangent_at(rows[good], found.x[good], found.jacobian[good], target[good])
        # the trapezoid rule along the branch must reproduce the step, or the corrector has left for another branch
        error = np.abs(found.x - x[rows] - 0.5 * length * (tangent[rows] + ahead))
        relative = error / (1.0 + np.abs(x[rows]) + np.abs(found.x))
        with np.errstate(invalid="ignore"):
            small = np.where(bounded, error <= settings.overlap_error, relative <= settings.relative_error)
        good &= np.all(small, axis=1)
        accepted = rows[good]
        x[accepted], jacobian[accepted], s[accepted] = found.x[good], found.jacobian[good], target[good]
        tangent[accepted] = ahead[good]
        last.keep(found, good, accepted)
        # the first step after a refusal keeps its length: a longer one has just been refused
        h[accepted[(found.iterations[good] <= 4) & ~refused[accepted]]] *= 2.0
        refused[accepted] = False
        h[rows[~good]] *= 0.35
        refused[rows[~good]] = True
        active &= (s < 1.0) & (h > settings.smallest)
    reached = np.where(origin.converged, s, 0.0)
    ended = Roots(x, origin.converged & (reached >= 1.0), last.residual, last.step, last.iterations, last.sign, jacobian)
    return Path(ended, reached, origin.converged & (reached < 1.0))


def _origin(system: System, start: Array, p: Array, settings: NewtonSettings) -> Roots:
    """The root where a path begins: Newton from the start, and where it fails the Newton homotopy from the start.

    The homotopy F(x) - (1 - s) F(x0) = 0 has the root x0 at s = 0 and a root of F at s = 1; it is a path like any other.
    """
    roots = newton(system, start, p, settings)
    lost = np.flatnonzero(~roots.converged)
    if lost.size == 0 or isinstance(system, _Homotopy):
        return roots
    begin = start[lost]
    offset, _ = system.residual_and_jacobian(begin, p[lost])
    usable = np.all(np.isfinite(offset), axis=1)
    lost, begin, offset = lost[usable], begin[usable], offset[usable]
    if lost.size == 0:
        return roots
    x, converged = roots.x.copy(), roots.converged.copy()
    residual, step, sign = roots.residual.copy(), roots.step.copy(), roots.determinant_sign.copy()
    jacobian, used = roots.jacobian.copy(), roots.iterations.copy()
    for row, x0, f0 in zip(lost, begin, offset, strict=True):
        homotopy = _Homotopy(system, p[row], f0)
        everything = np.zeros(len(x0), dtype=bool)  # no unknown is compared absolutely
        path = follow(homotopy, x0[None], np.zeros((1, 1)), np.ones((1, 1)), everything, settings)
        end = path.roots
        x[row], converged[row], residual[row] = end.x[0], end.converged[0], end.residual[0]
        step[row], sign[row], jacobian[row] = end.step[0], end.determinant_sign[0], end.jacobian[0]
        used[row] += end.iterations[0]
    return Roots(x, converged, residual, step, used, sign, jacobian)


@dataclass(frozen=True)
class _Homotopy:
    """F(x) - (1 - s) F(x0) as a system with the single parameter s."""

    system: System
    point: Array
    offset: Array

    def _points(self, x: Array) -> Array:
        return np.broadcast_to(self.point, (len(x), len(self.point)))

    def residual_and_jacobian(self, x: Array, p: Array) -> tuple[Array, Array]:
        """F [B, n] and its Jacobian [B, n, n]."""
        f, j = self.system.residual_and_jacobian(x, self._points(x))
        return f - (1.0 - p) * self.offset, j

    def parameter_derivative(self, x: Array, p: Array) -> Array:
        """d/ds, [B, n, 1]."""
        return np.broadcast_to(self.offset[None, :, None], (len(x), len(self.offset), 1))

    def conditions(self, x: Array, p: Array) -> Array:
        """Those of the system."""
        return self.system.conditions(x, self._points(x))


class _Last:
    """The Newton diagnostics of the last accepted point of each row."""

    def __init__(self, roots: Roots) -> None:
        self.residual, self.step = roots.residual.copy(), roots.step.copy()
        self.iterations, self.sign = roots.iterations.copy(), roots.determinant_sign.copy()

    def keep(self, found: Roots, good: Mask, rows: NDArray[np.int64]) -> None:
        """Take over the rows that were accepted."""
        self.residual[rows], self.step[rows] = found.residual[good], found.step[good]
        self.iterations[rows] += found.iterations[good]


def multi_start(
    system: System, starts: Array, p: Array, settings: NewtonSettings | None = None, distance: float = 1e-6
) -> tuple[Array, Roots]:
    """Every distinct root that Newton finds from many starts [S, n] at one parameter point p [1, k].

    Returns:
        The indices of the distinct converged roots in the batch, and the batch itself.
    """
    batch = newton(system, starts, np.broadcast_to(p, (len(starts), p.shape[1])), settings)
    kept: list[int] = []
    for i in np.flatnonzero(batch.converged):
        if all(np.max(np.abs(batch.x[i] - batch.x[j]) / (1.0 + np.abs(batch.x[j]))) > distance for j in kept):
            kept.append(int(i))
    return np.array(kept, dtype=int), batch
