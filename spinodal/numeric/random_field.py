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
#: ``reached`` of rows whose ground state is not unique.
DEGENERATE = -3.0


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
    names = list(system.module.ORDER_PARAMETERS)
    left = np.exp(begin[:, -1] + path.reached * (end[:, -1] - begin[:, -1]))  # of the field where the path ended
    spread = path.roots.x[:, names.index("dq")] * left
    roots = newton(system, path.roots.x, p, settings)
    change = np.max(np.abs(roots.x - path.roots.x) / (1e-6 + np.abs(path.roots.x) + np.abs(roots.x)), axis=1)
    found = roots.converged & path.roots.converged & (change < _CHANGE)
    degenerate = ~found & (spread > _CHOSEN) & (left < 0.1)
    return Path(
        replace(roots, converged=found), np.where(found, 1.0, np.where(degenerate, DEGENERATE, path.reached)), ~found
    )


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
