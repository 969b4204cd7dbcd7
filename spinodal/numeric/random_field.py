"""Ground states: the branch begins in a strong random field on the weights, where the ground state is unique.

Without data every weight is a ground state, so that there is no state at alpha = 0 to begin from. Instead the energy is
completed by a field of independent normal components of size h on the weights (and, where their length is free, by the
stiffness h, which keeps it finite):

    E + sum_i ( -h g_i w_i + h w_i^2/2 ),      so that  q_hat = (...) + h^2,   dq_hat = (...) - h.

That is a shift of two equations by constants. In a strong field weights follow it, dq = O(1/h); it is then switched off at
the wanted parameters. Where the energy is flat (a weak regularization) dq is large, and where many ground states are left it
grows as 1/h without end: the branch is followed in variables that are scaled by powers of dq, and the field is made weaker
until it no longer matters, or to where dq would lie beyond what double precision resolves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spinodal.numeric.path import Path, follow
from spinodal.numeric.quadrature import Rule
from spinodal.numeric.results import Array
from spinodal.numeric.roots import NewtonSettings, Roots, newton
from spinodal.numeric.rows import Mask, System, solve_linear
from spinodal.numeric.scaled import ScaledSystem, scaled_ground

#: The strength of the field (times 1 + alpha) where the branch begins, and at the ends of the stages of its decline.
_STRONG, _WEAK = 10.0, (1e-3, 1e-6, 1e-9, 1e-12)
#: -dlog dq/dlog h below which a field no longer matters; above, in the weakest field, dq diverges without it.
_IDLE = 0.05
#: The largest dq times the curvature of the regularization that the latter limits.
_BOUND = 1.5
#: The largest dq h at the end of a ground state that the field has not chosen, and of its last change, relatively.
_CHOSEN, _CHANGE = 0.02, 0.2
#: What changes of scaled variables are relative to, at least.
_FLOOR = 0.1
#: The conditions that name the curvature of a parabolic regularization, and what is unknown of the teacher's field.
STIFFNESS, UNEXPLAINED = "the inverse variance of a weight", "the variance of the teacher's field given the student's"
#: A field that is nearly switched off.
_NEARLY = 0.1
#: ``reached`` of rows whose ground state is not unique, of those whose regularization is too weak to be resolved, and of
#: those whose ground state is the teacher.
DEGENERATE, TOO_WEAK, TEACHER = -3.0, -11.0, -9.0
#: Variance of the teacher's field given the student's, relatively, of a ground state that is the teacher: in a weak field,
#: and without it; a ridge keeps them apart up to rounding.
_LEARNT, _EXACT = 1e-3, (1e-10, 1e-14)
#: Overlaps with the teacher that vanish by symmetry, the part of a direction that may lie elsewhere, and where the state
#: that grows out of it is sought: overlaps, and parts of the path beyond.
NO_OVERLAP, _ELSEWHERE = 1e-3, 1e-3
_GROWN, _BEYOND = (0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97), (0.003, 0.01, 0.03)


class ModuleSystem(System, Protocol):
    """A module bound to a quadrature rule."""

    @property
    def module(self) -> ModuleType:
        """The module."""
        ...

    @property
    def rule(self) -> Rule:
        """The quadrature rule."""
        ...


@dataclass(frozen=True)
class InField:
    """The equations in a random field: parameters [B, k + 1], the last one log h."""

    system: ModuleSystem

    def _columns(self) -> tuple[int, int | None]:
        names = list(self.system.module.ORDER_PARAMETERS)
        return names.index("q_hat"), names.index("dq_hat") if "dq_hat" in names else None

    def residual_and_jacobian(self, x: Array, p: Array) -> tuple[Array, Array]:
        """F [B, n] and dF/dx [B, n, n]."""
        f, jacobian = self.system.residual_and_jacobian(x, p[:, :-1])
        h = np.exp(p[:, -1])
        field, stiffness = self._columns()
        f = np.array(f)
        f[:, field] -= h**2
        if stiffness is not None:
            f[:, stiffness] += h
        return f, jacobian

    def parameter_derivative(self, x: Array, p: Array, wanted: Collection[int] | None = None) -> Array:
        """Only the field's strength varies along the path, [B, n, k + 1]."""
        h = np.exp(p[:, -1])
        field, stiffness = self._columns()
        slopes = np.zeros((len(x), x.shape[1], p.shape[1]))
        slopes[:, field, -1] = -2.0 * h**2
        if stiffness is not None:
            slopes[:, stiffness, -1] = h
        return slopes

    def conditions(self, x: Array, p: Array) -> Array:
        """Those of the system."""
        return self.system.conditions(x, p[:, :-1])


def from_random_field(system: ModuleSystem, p: Array, bounded: Mask, settings: NewtonSettings) -> Path:
    """The ground state at each row of p [B, k], followed from a strong random field to none.

    Args:
        system: the equations.
        p: parameters.
        bounded: which unknowns are overlaps of order one [n].
        settings: of Newton's method at the end.

    Returns:
        The path; ``reached`` is :data:`DEGENERATE` where the ground state is not unique without the field. Jacobians are
        those of the scaled equations.
    """
    module = system.module
    own = InField(system)
    in_field = scaled_ground(own, module)
    begin = np.column_stack([p, np.log(_STRONG * (1.0 + np.abs(p[:, module.PARAMETERS.index("alpha")])))])
    start = in_field.scaled(_in_strong_field(own, begin))
    curvature = _curvature(system, p)

    def learnt_early(y: Array, rows: NDArray[np.int64]) -> Mask:
        if "r" not in module.ORDER_PARAMETERS:  # no teacher
            return np.zeros(len(rows), dtype=bool)
        return np.asarray((_unexplained(system, in_field.states(y), p[rows]) < _LEARNT) & (curvature[rows] == 0.0))

    path, field = _declining(in_field, module, start, begin, bounded, settings, learnt_early)
    roots, left = path.roots, np.exp(field)
    spread = np.exp(roots.x[:, in_field.driver]) * left
    fading = _fading(in_field, roots, np.column_stack([p, field]))
    # from elsewhere Newton would wander
    whole = np.flatnonzero((left < _NEARLY) & (~path.roots.converged | (fading < _IDLE)))
    end = np.column_stack([p, np.full(len(p), -np.inf)])
    if whole.size:
        every = np.ones(whole.size, dtype=bool)
        roots = roots.replaced(whole, newton(in_field, roots.x[whole], end[whole], settings), every)
    change = _change(in_field, path.roots.x, roots.x)
    found = roots.converged & path.roots.converged & (fading < _IDLE) & (change < _CHANGE)
    flat = ~found & (left < _NEARLY) & ((spread > _CHOSEN) | (path.roots.converged & (fading >= _IDLE)))
    # where the loss is convex, dq is at most the inverse of the curvature
    limited = (curvature > 0.0) & (np.exp(path.roots.x[:, in_field.driver]) * curvature < _BOUND)
    why = np.where(limited, TOO_WEAK, DEGENERATE)
    reached = np.where(found, 1.0, np.where(flat, why, path.reached))
    if "r" in module.ORDER_PARAMETERS:  # the teacher's fields are known: the equations are singular, and rounding decides
        gaps = [_unexplained(system, in_field.states(x), p) for x in (path.roots.x, roots.x)]
        learnt = (~found & (left < _NEARLY) & (gaps[0] < _LEARNT)) | (
            found & (gaps[1] < np.where(curvature > 0.0, _EXACT[1], _EXACT[0]))
        )
        reached, found = np.where(learnt, TEACHER, reached), found & ~learnt
    return Path(replace(roots, x=in_field.states(roots.x), converged=found), reached, ~found)


def _declining(
    system: ScaledSystem,
    module: ModuleType,
    start: Array,
    begin: Array,
    bounded: Mask,
    settings: NewtonSettings,
    settled: Callable[[Array, NDArray[np.int64]], Mask],
) -> tuple[Path, Array]:
    """The path to a field that no longer matters, or as weak as it is made, and log h where it ended [B].

    ``settled(y, rows)`` says of which states of rows it is known already what becomes of them.
    """
    quick, end = replace(settings, tolerance=1e-6), begin.copy()
    end[:, -1] = np.log(_WEAK[0])
    path = follow(system, start, begin, end, bounded, quick)
    path = _learning(system, module, path, begin, end, bounded, settings)
    field = begin[:, -1] + path.reached * (end[:, -1] - begin[:, -1])
    roots, reached = path.roots, path.reached.copy()
    for weak in _WEAK[1:]:
        rows = np.flatnonzero(roots.converged)
        if rows.size:
            idle = _fading(system, roots.taken(rows), end[rows]) < _IDLE
            rows = rows[~idle & ~settled(roots.x[rows], rows)]
        if rows.size == 0:
            break
        here = end[rows].copy()
        end[rows, -1] = np.log(weak)
        further = follow(system, roots.x[rows], here, end[rows], bounded, quick)
        roots = roots.replaced(rows, further.roots, np.ones(rows.size, dtype=bool))
        field[rows] = here[:, -1] + further.reached * (end[rows, -1] - here[:, -1])
        reached[rows] = np.where(further.roots.converged, 1.0, np.minimum(further.reached, 1.0 - 1e-9))
    return Path(roots, reached, path.fold), field


def _fading(system: ScaledSystem, roots: Roots, p: Array) -> Array:
    """-dlog dq/dlog h of roots at p [B, k + 1]; nan where it is unknown."""
    if len(p) == 0:
        return np.zeros(0)
    slopes = system.parameter_derivative(roots.x, p)[:, :, -1]
    return np.asarray(solve_linear(roots.jacobian, slopes)[:, system.driver])


def _change(system: ScaledSystem, before: Array, after: Array) -> Array:
    """The largest relative change of scaled variables, of dq itself instead of its logarithm [B]."""
    with np.errstate(all="ignore"):
        change = np.abs(after - before) / (_FLOOR + np.abs(before) + np.abs(after))
        change[:, system.driver] = 0.5 * np.abs(after - before)[:, system.driver]
    return np.asarray(np.max(change, axis=1))


def _curvature(system: ModuleSystem, p: Array) -> Array:
    """Of a parabolic regularization of weights of any length; 0 where there is none [B]."""
    module = system.module
    if STIFFNESS not in module.CONDITIONS or "dq_hat" not in module.ORDER_PARAMETERS:
        return np.zeros(len(p))
    free = np.array([0.0 if name.endswith("_hat") else 1.0 for name in module.ORDER_PARAMETERS])
    conditions = system.conditions(np.repeat(free[None], len(p), axis=0), p)
    return np.asarray(conditions[:, list(module.CONDITIONS).index(STIFFNESS)])


def _unexplained(system: ModuleSystem, x: Array, p: Array) -> Array:
    """The part of the teacher's field's variance that the student's fields do not determine, 1 - M^2/Q [B]."""
    names, column = list(system.module.ORDER_PARAMETERS), list(system.module.CONDITIONS).index(UNEXPLAINED)
    apart = x.copy()
    apart[:, names.index("r")] = 0.0
    variances = (system.conditions(state, p)[:, column] for state in (x, apart))
    with np.errstate(all="ignore"):
        left, whole = variances
        return np.asarray(left / whole)


def _learning(
    system: ScaledSystem,
    module: ModuleType,
    path: Path,
    begin: Array,
    end: Array,
    bounded: Mask,
    settings: NewtonSettings,
) -> Path:
    """The paths, those that end where r = 0 loses its stability followed along the state that grows out of it.

    Where the labels and the loss are even, a student and its opposite are equally good, and r vanishes in a strong field. It
    leaves 0 at a branch point, beyond which the student has learnt something.
    """
    names = list(module.ORDER_PARAMETERS)
    if "r" not in names:
        return path
    column = names.index("r")
    roots, reached = path.roots, path.reached.copy()
    for row in np.flatnonzero(path.fold & (path.reached > 0.0) & (np.abs(roots.x[:, column]) < NO_OVERLAP)):
        x, (vanishing,) = roots.x[row], np.linalg.svd(roots.jacobian[row])[2][-1:]
        odd = np.array([name.startswith("r") for name in names])
        if not abs(vanishing[column]) > 0.0 or np.max(np.abs(vanishing[~odd])) > _ELSEWHERE:
            continue
        direction = vanishing / vanishing[column]
        for beyond in _BEYOND:
            at = begin[row] + min(1.0, path.reached[row] + beyond) * (end[row] - begin[row])
            starts = np.array([x + size * direction for size in _GROWN])
            quick = replace(settings, tolerance=1e-6, patience=5, iterations=25)
            grown = newton(system, starts, np.repeat(at[None], len(starts), axis=0), quick)
            good = grown.converged & (grown.x[:, column] > 1e-3) & (grown.determinant_sign > 0.0)
            if not good.any():
                continue
            first = grown.x[good][np.argmin(grown.x[good, column])][None]
            ahead = follow(system, first, at[None], end[row][None], bounded, replace(settings, tolerance=1e-6))
            done = path.reached[row] + beyond
            roots = roots.replaced(np.array([row]), ahead.roots, np.array([True]))
            reached[row] = 1.0 if ahead.roots.converged[0] else done + ahead.reached[0] * (1.0 - done)
            break
    return replace(path, roots=roots, reached=reached)


def _in_strong_field(system: InField, p: Array) -> Array:
    """A guess of the state in a strong field, [B, n]: weights follow the field."""
    module = system.system.module
    h = np.exp(p[:, -1])
    guesses = {"q": np.ones_like(h), "dq": 1.0 / h, "q_hat": h**2, "dq_hat": -h, "p": np.ones_like(h), "dp": 1.0 / h}
    x = np.stack([guesses.get(name, np.zeros_like(h)) for name in module.ORDER_PARAMETERS], axis=1)
    inner = np.array([name in ("q", "dq") for name in module.ORDER_PARAMETERS])
    for chosen in (inner, ~inner):
        f, _ = system.residual_and_jacobian(x, p)
        x = np.where(chosen & np.isfinite(f), x - f, x)
    return x
