"""Ground states: the branch begins in a strong random field on the weights, where the ground state is unique.

Without data every weight is a ground state, so that there is no state at alpha = 0 to begin from. Instead the energy is
completed by a field of independent normal components of size h on the weights (and, where their length is free, by the
stiffness h, which keeps it finite):

    E + sum_i ( -h g_i w_i + h w_i^2/2 ),      so that  q_hat = (...) + h^2,   dq_hat = (...) - h.

That is a shift of two equations by constants. In a strong field weights follow it, dq = O(1/h); it is then switched off at
the wanted parameters. Where many ground states are left, dq diverges on the way.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Protocol

import numpy as np

from spinodal.numeric.path import Path, follow
from spinodal.numeric.quadrature import Rule
from spinodal.numeric.results import Array
from spinodal.numeric.roots import NewtonSettings, newton
from spinodal.numeric.rows import Mask, System

#: The strength of the field (times 1 + alpha) where the branch begins, and below which it is switched off.
_STRONG, _WEAK = 10.0, 1e-3
#: The largest dq h at the end of a ground state that the field has not chosen, and of its last change, relatively.
_CHOSEN, _CHANGE = 0.02, 0.2
#: What changes are relative to, at least: the weakest field itself moves conjugates by its strength and its square.
_FLOOR = 1e-5
#: A field that is nearly switched off.
_NEARLY = 0.1
#: ``reached`` of rows whose ground state is not unique, and of those whose ground state is the teacher.
DEGENERATE, TEACHER = -3.0, -9.0
#: 1 - r^2/q of a ground state that is the teacher: in a weak field, and without it.
_LEARNT, _EXACT = 1e-3, 1e-10
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
        The path; ``reached`` is :data:`DEGENERATE` where the ground state is not unique without the field.
    """
    in_field = InField(system)
    strong = np.log(_STRONG * (1.0 + np.abs(p[:, system.module.PARAMETERS.index("alpha")])))
    begin = np.column_stack([p, strong])
    end = np.column_stack([p, np.full(len(p), np.log(_WEAK))])
    start = _in_strong_field(in_field, begin)
    path = follow(in_field, start, begin, end, bounded, replace(settings, tolerance=1e-6))
    path = _learning(in_field, path, begin, end, bounded, settings)
    names = list(system.module.ORDER_PARAMETERS)
    left = np.exp(begin[:, -1] + path.reached * (end[:, -1] - begin[:, -1]))  # of the field where the path ended
    spread = path.roots.x[:, names.index("dq")] * left
    roots, whole = path.roots, np.flatnonzero(path.roots.converged | (left < _NEARLY))  # from elsewhere Newton would wander
    if whole.size:
        every = np.ones(whole.size, dtype=bool)
        roots = roots.replaced(whole, newton(system, path.roots.x[whole], p[whole], settings), every)
    change = np.max(np.abs(roots.x - path.roots.x) / (_FLOOR + np.abs(path.roots.x) + np.abs(roots.x)), axis=1)
    found = roots.converged & path.roots.converged & (change < _CHANGE)
    degenerate = ~found & (spread > _CHOSEN) & (left < _NEARLY)
    reached = np.where(found, 1.0, np.where(degenerate, DEGENERATE, path.reached))
    if "r" in names:  # of the teacher fields have no variance: the equations are singular, and rounding would decide
        column = names.index("r")
        gaps = [1.0 - x[:, column] ** 2 / (x[:, names.index("q")] if "q" in names else 1.0) for x in (path.roots.x, roots.x)]
        learnt = (~found & (left < _NEARLY) & (gaps[0] < _LEARNT)) | (found & (gaps[1] < _EXACT))
        reached, found = np.where(learnt, TEACHER, reached), found & ~learnt
    return Path(replace(roots, converged=found), reached, ~found)


def _learning(system: InField, path: Path, begin: Array, end: Array, bounded: Mask, settings: NewtonSettings) -> Path:
    """The paths, those that end where r = 0 loses its stability followed along the state that grows out of it.

    Where the labels and the loss are even, a student and its opposite are equally good, and r vanishes in a strong field. It
    leaves 0 at a branch point, beyond which the student has learnt something.
    """
    names = list(system.system.module.ORDER_PARAMETERS)
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
