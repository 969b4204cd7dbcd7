"""Models with a constrained overlap: their branch begins at the replica-symmetric state of the same model.

The generated module names that state (``SYMMETRIC``: the constrained parameter, the overlap that it equals there, and every
order parameter in terms of replica-symmetric ones) and carries the replica-symmetric module, which has the same parameters
(``SYMMETRIC_MODULE``). All levels of overlaps coincide there, at a regular root of the constrained system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spinodal.numeric.held import Held
from spinodal.numeric.path import Path, PathSettings, follow, nowhere
from spinodal.numeric.quadrature import Rule
from spinodal.numeric.results import Array, State
from spinodal.numeric.roots import NewtonSettings
from spinodal.numeric.rows import Mask, System, Tangent, determinant_signs
from spinodal.numeric.scaled import scaled_system

#: A constrained overlap may be this far below that of the symmetric state (rounding).
_ROUNDING = 1e-12
#: A replica-symmetric overlap below this vanishes by symmetry, and unknowns that stay so along a path stay zero.
_SYMMETRIC = 1e-10
#: Why there is no path along the constrained overlap.
BELOW, VANISHES = -1.0, -3.0


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


def symmetric_start(module: ModuleType, base: Array, state: Mapping[str, str | float]) -> Array:
    """The state [B, n] where all levels coincide, from replica-symmetric states [B, m].

    Args:
        module: the module, which carries that of the replica-symmetric state.
        base: states of the latter.
        state: the module's order parameters in terms of them (a size of blocks has no value there: 1).
    """
    names = list(module.SYMMETRIC_MODULE.ORDER_PARAMETERS)

    def column(name: str) -> Array:
        entry = state.get(name, 1.0)
        return base[:, names.index(entry)] if isinstance(entry, str) else np.full(len(base), float(entry))

    return np.stack([column(name) for name in module.ORDER_PARAMETERS], axis=1)


def follow_constraint(system: ModuleSystem, first: Path, p: Array, overlaps: Mask, settings: NewtonSettings) -> Path:
    """Follow the constrained overlap from the replica-symmetric state to its wanted value.

    Args:
        system: the constrained system.
        first: the replica-symmetric states at the same parameters.
        p: parameters [B, k].
        overlaps: which order parameters are overlaps [n].
        settings: of Newton's method.

    Returns:
        The path along the constrained overlap; ``reached`` is BELOW where there is none: the symmetric state was not found,
        or the wanted overlap is below its own. It is VANISHES where that vanishes by symmetry and infinitely many replicas
        are asked for: groups of them stay at overlap 0, and q0 does not come close to q1.
    """
    module = system.module
    start = symmetric_start(module, first.roots.x, module.SYMMETRIC["state"])
    names = list(module.SYMMETRIC_MODULE.ORDER_PARAMETERS)
    column = module.PARAMETERS.index(module.SYMMETRIC["parameter"])
    begin = p.copy()
    begin[:, column] = first.roots.x[:, names.index(module.SYMMETRIC["overlap"])]
    usable = first.roots.converged & (p[:, column] >= begin[:, column] - _ROUNDING)
    apart = first.roots.converged & (np.abs(begin[:, column]) < _SYMMETRIC) & bool(module.POWERS)
    rows = np.flatnonzero(usable & ~apart)
    path = nowhere(p, len(module.ORDER_PARAMETERS), BELOW)
    path = replace(path, roots=replace(path.roots, x=start), reached=np.where(apart, VANISHES, BELOW))
    if rows.size == 0:
        return path
    begin, end = begin[rows], p[rows]
    start = relaxed(system, start[rows], begin, module.SYMMETRIC["guessed"])
    bounded = overlaps & np.array([name not in module.UNBOUNDED for name in module.ORDER_PARAMETERS])
    if module.POWERS:
        scaled = scaled_system(system)
        found = follow(scaled, scaled.scaled(start), begin, end, bounded, settings)
        found = replace(found, roots=replace(found.roots, x=scaled.states(found.roots.x)))
    else:
        found = follow_symmetric(system, start, begin, end, bounded, settings)
    return _put(path, rows, found)


def follow_symmetric(
    system: System,
    start: Array,
    begin: Array,
    end: Array,
    bounded: Mask,
    settings: NewtonSettings,
    steps: PathSettings | None = None,
) -> Path:
    """As :func:`spinodal.numeric.path.follow`; unknowns that vanish by symmetry all along stay zero exactly.

    A variance that is zero comes out as a small negative number, at which the equations do not exist; the less stable the
    symmetry is, the larger. A path on which the symmetry loses its stability is followed with all unknowns.
    """
    still = _still(system, start, begin, end)
    if not still.any():
        return follow(system, start, begin, end, bounded, settings, steps)
    path = nowhere(end, start.shape[1], 0.0)
    for mask in np.unique(still, axis=0):
        rows = np.flatnonzero((still == mask).all(axis=1))
        found = _follow_held(system, start[rows], begin[rows], end[rows], bounded, settings, steps, mask)
        path = _put(path, rows, found)
    return path


def _follow_held(
    system: System,
    start: Array,
    begin: Array,
    end: Array,
    bounded: Mask,
    settings: NewtonSettings,
    steps: PathSettings | None,
    still: Mask,
) -> Path:
    """As :func:`follow_symmetric` for rows with the same unknowns at zero."""
    held = Held(system, still, np.zeros(still.size))
    path = follow(held, start[:, ~still], begin, end, bounded[~still], settings, steps)
    x = held.complete(path.roots.x)
    reached = begin + path.reached[:, None] * (end - begin)
    residual, jacobian = system.residual_and_jacobian(x, reached)
    _, first = system.residual_and_jacobian(held.complete(start[:, ~still]), begin)
    signs = determinant_signs(jacobian)
    good = np.max(np.abs(residual[:, still]), axis=1, initial=0.0) < _SYMMETRIC
    good &= determinant_signs(first) == signs
    roots = replace(path.roots, x=x, jacobian=jacobian, determinant_sign=signs)
    path = replace(path, roots=roots)
    rest = np.flatnonzero(~good)
    if rest.size == 0:
        return path
    return _put(path, rest, follow(system, start[rest], begin[rest], end[rest], bounded, settings, steps))


def _put(path: Path, rows: NDArray[np.intp], other: Path) -> Path:
    """The path with rows taken from another one."""
    reached, fold = path.reached.copy(), path.fold.copy()
    reached[rows], fold[rows] = other.reached, other.fold
    return Path(path.roots.replaced(rows, other.roots, np.ones(rows.size, dtype=bool)), reached, fold)


def _still(system: System, x: Array, begin: Array, end: Array) -> Mask:
    """Which unknowns vanish at the states x [B, n] and do not begin to move as parameters move from begin to end [B, n]."""
    vanish = np.abs(x) < _SYMMETRIC
    rows = np.flatnonzero(vanish.any(axis=1))
    if rows.size == 0:
        return np.zeros_like(vanish)
    _, jacobian = system.residual_and_jacobian(x[rows], begin[rows])
    asked = [Tangent(*row) for row in zip(x[rows], begin[rows], end[rows] - begin[rows], jacobian, strict=True)]
    Tangent.answer(system, asked)
    vanish[rows] &= np.abs([request.tangent for request in asked]) < _SYMMETRIC
    return vanish


def relaxed(system: ModuleSystem, x: Array, p: Array, guessed: Sequence[str]) -> Array:
    """The start with multipliers that the symmetric theory eliminates solved from their own equations, one at a time."""
    names = system.module.ORDER_PARAMETERS
    for column in (names.index(name) for name in guessed):
        for _ in range(40):
            f, jacobian = system.residual_and_jacobian(x, p)
            step = np.nan_to_num(f[:, column] / jacobian[:, column, column])
            x = x.copy()
            x[:, column] -= step
            if not np.any(np.abs(step) > 1e-12 * (1.0 + np.abs(x[:, column]))):
                break
    return x


def why_not_reached(module: ModuleType, p: Array, base: State, reached: float, fold: float | None) -> tuple[str, str]:
    """Why the constrained overlap was not reached, and what to try; ``fold`` is where the branch turns, if it does."""
    name, wanted = module.SYMMETRIC["parameter"], float(p[module.PARAMETERS.index(module.SYMMETRIC["parameter"])])
    if not base.converged:
        reason = base.failure.reason if base.failure is not None else "it was not found"
        advice = base.failure.advice if base.failure is not None else "solve the replica-symmetric model first"
        return f"there is no replica-symmetric state to begin from: {reason}", advice
    overlap = module.SYMMETRIC["overlap"]
    typical = base.order_parameters[overlap]
    if abs(typical) < _SYMMETRIC:
        typical = 0.0
    if reached == VANISHES:
        return (
            f"the typical overlap {overlap} vanishes by symmetry: groups of replicas stay at overlap 0 with one another, "
            "however many replicas they have",
            'take replicas = "zero-complexity", or a number of replicas',
        )
    if reached < 0.0:
        return (
            f"{name} = {wanted:.6g} is below the typical overlap {overlap} = {typical:.6g}, where the branch begins",
            f"take {name} above {typical:.6g}",
        )
    end = typical + reached * (wanted - typical)
    if fold is not None:
        return f"the branch from the replica-symmetric state ends in a fold at {name} = {fold:.6g}", f"take a smaller {name}"
    return (
        f"the branch from the replica-symmetric state could not be followed beyond {name} = {end:.6g} "
        "(no fold was found there)",
        f"take a smaller {name}; the branch command along {name} says how far it goes",
    )


def last_point(module: ModuleType, p: Array, base: State, reached: float) -> Array:
    """Parameters [k] of the last state on the path from the replica-symmetric one to p [k]."""
    column = module.PARAMETERS.index(module.SYMMETRIC["parameter"])
    typical = base.order_parameters[module.SYMMETRIC["overlap"]]
    last = p.copy()
    last[column] = typical + reached * (p[column] - typical)
    return last
