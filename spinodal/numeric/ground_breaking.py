"""Ground states whose replica symmetry breaks: the state at a given mu = m/T, and the mu at which no complexity is left.

The innermost overlap is the self-overlap, so that it is the one between blocks, q0, that says how the symmetry breaks. At q0
= q1 the state is the replica-symmetric one for every mu. From there q0 is lowered, everything else solved for at each value,
until its own equation, q0 - update, changes sign: the state. (Where q0 vanishes by symmetry the walk ends there.) That is
done at small mu, where all but q0 and its conjugate stay as they are in the symmetric state, and mu is then raised.

As mu grows from 0 the free entropy falls (its slope is minus the complexity over mu^2) until the complexity vanishes; the
energy is then the largest, and that of the ground state within the ansatz. The natural unit of mu is dq/q of the symmetric
state.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from spinodal.numeric.breaking import (
    COINCIDENT,
    Broken,
    Coarse,
    Visited,
    complexity_of,
    level_of,
    matched,
    spread,
    without_complexity,
)
from spinodal.numeric.path import PathSettings, follow
from spinodal.numeric.results import Array
from spinodal.numeric.roots import NewtonSettings, newton
from spinodal.numeric.rows import is_inside
from spinodal.numeric.symmetric import ModuleSystem, relaxed, symmetric_start

#: Ratios of the overlap between blocks to that inside, from the symmetric state to none.
_RATIOS = (0.9999, 0.99, 0.9, 0.75, 0.55, 0.35, 0.15, 0.0)
#: The same at larger mu, where the other order parameters move as well.
_CLOSE_RATIOS = (0.9999, 0.999, 0.995, 0.98, 0.95, 0.91, *(0.05 * k for k in range(17, -1, -1)))
#: An overlap between blocks below this vanishes by symmetry.
_NONE = 1e-9
#: Equations solved to this are solved along the way; one that holds to this at q0 = 0 holds there.
_MATCHED, _VANISHES = 1e-3, 1e-9
#: Values of mu, in its unit, at which a state is looked for.
_FIRST = (0.2, 0.02, 1.0)
#: Factor between values of mu while the sign of the complexity is looked for, and how many.
_FACTOR, _SIZES = 2.0, 30
#: Values of dq at which blocks are looked at for whether they freeze.
_SPREADS = np.array([1e-6, 1e-7, 1e-8])
#: Relative step of differences in mu.
_STEP = 1e-4
_SETTINGS = NewtonSettings(tolerance=1e-9, iterations=30)
#: Paths that shorten their steps further than this have come to the end of a branch.
_STEPS = PathSettings(smallest=1e-4, steps=60)


@dataclass(frozen=True)
class _Along:
    """A module for paths on which a single parameter varies."""

    system: ModuleSystem
    column: int

    def residual_and_jacobian(self, x: Array, p: Array) -> tuple[Array, Array]:
        """F [B, n] and dF/dx [B, n, n]."""
        return self.system.residual_and_jacobian(x, p)

    def parameter_derivative(self, x: Array, p: Array, wanted: Collection[int] | None = None) -> Array:
        """dF/dp [B, n, k]: one column, by a difference (those of a leaf's own parameters would cost more)."""
        slopes, shift = np.zeros((len(x), x.shape[1], p.shape[1])), np.zeros_like(p)
        shift[:, self.column] = step = _STEP * p[:, self.column]
        above, below = (np.asarray(self.system.module.residual(x, p + s * shift, self.system.rule)) for s in (1.0, -1.0))
        slopes[:, :, self.column] = (above - below) / (2.0 * step[:, None])
        return slopes

    def conditions(self, x: Array, p: Array) -> Array:
        """Expressions that must not be negative [B, m]."""
        return self.system.conditions(x, p)


def moved_to_size(sized: ModuleSystem, x: Array, p: Array, origin: float, target: float) -> Array | None:
    """A state [n] at parameters p [k] followed from one mu to another; None where it ends before."""
    return followed(sized, x, np.append(p, origin), np.append(p, target), len(p))


def search_ground(system: ModuleSystem, sized: ModuleSystem, base: Array, p: Array, mu: float | None) -> Broken:
    """Look for the ground state of broken symmetry.

    Args:
        system: the module; mu is given, or an order parameter.
        sized: the module with mu given as its last parameter.
        base: the replica-symmetric state [m] at the same parameters.
        p: parameters [k].
        mu: its value where it is given.
    """
    unit = _unit(system.module, base)
    for first in (factor * unit for factor in _FIRST):
        x = at_size(sized, base, np.append(p, first))
        if x is None:
            continue
        if mu is None:
            return _at_no_complexity(system, sized, base, (x, first, complexity_of(sized, x, np.append(p, first))), p)
        moved = _moved(sized, base, x, p, first, mu)
        if moved is not None:
            return Broken(moved)
        return Broken(None, f"the state of different overlaps at mu = {first:.4g} could not be followed to {mu:.4g}")
    return Broken(None, f"no state with different overlaps was found (at mu = {_FIRST[0] * unit:.4g})")


def _moved(sized: ModuleSystem, base: Array, x: Array, p: Array, origin: float, target: float) -> Array | None:
    """A state at another mu: followed, unless no overlap between blocks is left, which may become unstable on the way."""
    if abs(x[sized.module.ORDER_PARAMETERS.index(sized.module.BREAKING["levels"][0][0])]) > _NONE:
        return moved_to_size(sized, x, p, origin, target)
    return at_size(sized, base, np.append(p, target), _CLOSE_RATIOS)


def _at_no_complexity(system: ModuleSystem, sized: ModuleSystem, base: Array, found: Visited, p: Array) -> Broken:
    """The state without complexity, from one at some mu."""
    before = found
    up = found[2] > 0.0
    for _ in range(_SIZES):
        mu = before[1] * (_FACTOR if up else 1.0 / _FACTOR)
        moved = _moved(sized, base, before[0], p, before[1], mu)
        if moved is None or spread(sized.module, moved[None])[0] < COINCIDENT:
            break
        here = (moved, mu, complexity_of(sized, moved, np.append(p, mu)))
        if (here[2] > 0.0) != up:
            bracket = (here, before) if up else (before, here)
            state = without_complexity(system, sized, bracket, p, most=np.inf, moved=moved_to_size)
            reason = f"it changes sign between mu = {bracket[0][1]:.4g} and {bracket[1][1]:.4g}, but no zero was found"
            return Broken(state, "" if state is not None else f"of the complexity: {reason}", here[2])
        before = here
    word = "positive" if up else "negative"
    return Broken(None, f"the complexity stays {word} from mu = {found[1]:.4g} to {before[1]:.4g}", before[2])


def at_unit(system: ModuleSystem, base: Array, p: Array) -> Array | None:
    """A state [n] of different levels, stationary in all but mu where that is an order parameter: it is small; or None.

    Args:
        system: the module.
        base: the replica-symmetric state [m].
        p: parameters [k].
    """
    unit = _unit(system.module, base)
    tried = (at_size(system, base, p, held=factor * unit) for factor in _FIRST)
    return next((x for x in tried if x is not None), None)


def at_size(
    system: ModuleSystem, base: Array, p: Array, ratios: Sequence[float] = _RATIOS, held: float = 1.0
) -> Array | None:
    """The state [n] of different levels at a given mu, the one of the largest overlap between blocks; None without one.

    Args:
        system: the module with mu given; or an order parameter, which is ``held``.
        base: the replica-symmetric state [m].
        p: parameters [k].
        ratios: of the overlap between blocks to that inside, at which the other order parameters are solved for.
        held: the value of mu where it is an order parameter.
    """
    module = system.module
    names = list(module.ORDER_PARAMETERS)
    outer, inner = module.BREAKING["levels"][0]
    column = names.index(outer)
    sizes = tuple(names.index(size) for size in module.BREAKING["sizes"])
    others = np.array([j not in (column, *sizes) for j in range(len(names))])
    coarse = Coarse(system)
    x = _started(system, base, p, ratios[0])
    x[:, sizes] = held
    all_but_mu = _Held(system, sizes, x[0, list(sizes)])
    before: tuple[Array, float] | None = None
    for ratio in ratios:
        x[:, column] = ratio * level_of(module, x, inner)
        x = matched(coarse, x, p[None], others)
        with np.errstate(all="ignore"):
            f, _ = coarse.residual_and_jacobian(x, p[None])
        solved = np.max(np.abs(f[0, others]) / (1.0 + np.abs(x[0, others]))) < _MATCHED
        if not (solved and np.isfinite(f[0, column]) and is_inside(coarse, x, p[None])[0]):
            before = None
            continue
        value = float(f[0, column])
        vanishes = ratio == 0.0 and abs(value) < _VANISHES
        if before is not None and (value < 0.0 or vanishes) and before[1] > 0.0:
            share = 0.0 if vanishes else value / (value - before[1])
            guess = (1.0 - share) * x + share * before[0]
            roots = newton(all_but_mu, guess, p[None], _SETTINGS)
            if roots.converged[0] and spread(module, roots.x)[0] > COINCIDENT:
                return np.asarray(roots.x[0])
        before = x.copy(), value
    return None


@dataclass(frozen=True)
class _Held:
    """A module's equations with those of its sizes of blocks replaced: these stay where they are."""

    system: ModuleSystem
    columns: tuple[int, ...]
    values: Array

    def residual_and_jacobian(self, x: Array, p: Array) -> tuple[Array, Array]:
        """F [B, n] and dF/dx [B, n, n]."""
        f, jacobian = (np.array(part) for part in self.system.residual_and_jacobian(x, p))
        for column, value in zip(self.columns, self.values, strict=True):
            f[:, column] = x[:, column] - value
            jacobian[:, column] = np.arange(x.shape[1]) == column
        return f, jacobian

    def parameter_derivative(self, x: Array, p: Array, wanted: Collection[int] | None = None) -> Array:
        """DF/dp [B, n, k]."""
        return self.system.parameter_derivative(x, p, wanted)

    def conditions(self, x: Array, p: Array) -> Array:
        """Expressions that must not be negative [B, m]."""
        return self.system.conditions(x, p)


def _unit(module: ModuleType, base: Array) -> float:
    """The natural unit of mu at a replica-symmetric state [m]."""
    names = module.SYMMETRIC_MODULE.ORDER_PARAMETERS
    return float(base[names.index("dq")]) / (float(base[names.index("q")]) if "q" in names else 1.0)


def _started(system: ModuleSystem, base: Array, p: Array, ratio: float) -> Array:
    """The symmetric state [1, n] with the overlap between blocks, and what goes with it, smaller by a ratio."""
    module = system.module
    names = list(module.ORDER_PARAMETERS)
    with np.errstate(all="ignore"):
        start = symmetric_start(module, base[None], module.BREAKING["state"])
        x = relaxed(system, start, p[None], module.BREAKING["guessed"])
    for outer, _inner in module.BREAKING["levels"]:
        x[:, [names.index(outer), names.index(f"{outer}_hat")]] *= ratio
    return x


def followed(system: ModuleSystem, x: Array, begin: Array, end: Array, column: int) -> Array | None:
    """A state [n] followed from parameters to others [k] that differ in one column; None where it ends before."""
    module = system.module
    bounded = np.array([name not in (*module.CONJUGATES, "dq", "dp", "mu") for name in module.ORDER_PARAMETERS])
    path = follow(_Along(system, column), x[None], begin[None], end[None], bounded, _SETTINGS, _STEPS)
    return np.asarray(path.roots.x[0]) if path.roots.converged[0] else None


def freezes_in_ground_state(sized: ModuleSystem, copy: Array, p: Array) -> bool:
    """Whether blocks at the given mu are drawn into one configuration: dq, the smaller it is, is updated to a smaller one.

    Args:
        sized: the module with mu given.
        copy: the replica-symmetric state [m] of one copy at the temperature 1/mu.
        p: parameters [k], mu last.
    """
    module = sized.module
    names = list(module.ORDER_PARAMETERS)
    own = dict(zip(module.FROZEN_MODULE.ORDER_PARAMETERS, copy, strict=True))
    x = np.zeros((len(_SPREADS), len(names)))
    for j, name in enumerate(names):
        letter, hat = name.removesuffix("_hat"), "_hat" if name.endswith("_hat") else ""
        plain = letter.rstrip("0123456789")
        if plain in ("dq", "dp"):
            x[:, j] = 0.0 if hat else _SPREADS
        else:  # outer levels as the copy's, inner ones as its self-overlap
            inner = not hat and letter in {row[-1] for row in module.BREAKING["levels"]}
            x[:, j] = own.get(f"{plain}_d" if inner else f"{plain}{hat}", 1.0) * (1.0 / p[-1] if hat else 1.0)
            if hat and plain != "r":
                x[:, j] /= p[-1]
    points = np.repeat(p[None], len(x), axis=0)
    conjugates = np.array([name in module.CONJUGATES for name in names])
    # conjugates of levels grow with the innermost, whose update diverges as dq vanishes
    top = names.index(f"{module.BREAKING['levels'][0][-1]}_hat")
    x[:, top] *= 2.0
    with np.errstate(all="ignore"):
        for _ in range(3):  # at given overlaps the conjugates are explicit, but for multipliers
            f = np.asarray(module.residual(x, points, sized.rule))
            x = np.where(conjugates & np.isfinite(f), x - f, x)
        # overlaps that are solved for differ by O(sqrt(dq)) from those of a single copy, far more than dq itself
        spreads = tuple(j for j, name in enumerate(names) if name in ("dq", "dp"))
        for k in range(len(x)):
            held = newton(_Held(sized, spreads, x[k, list(spreads)]), x[k : k + 1], points[:1], _SETTINGS)
            x[k] = np.where(held.converged[0], held.x[0], x[k])
        f = np.asarray(module.residual(x, points, sized.rule))
    left = 1.0 - f[:, names.index("dq")] / x[:, names.index("dq")]
    return bool(np.all(np.isfinite(left)) and np.all(np.abs(left) < 0.05))
