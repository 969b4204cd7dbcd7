"""Replica symmetry breaking: the broken state, from the state of one level less, or why there is none.

A module says which overlaps coincide in the state of one level less (``BREAKING``) and carries the module of that state
(``SYMMETRIC_MODULE``, replica symmetric for one step of breaking, one step for two); where the size m of the innermost
blocks is an order parameter, also the one with m given (``SIZED_MODULE``).

1. Blocks of one replica, m = 1, leave the symmetric state outside them unchanged, and the overlap inside solves an
   equation of its own: its roots are looked for from there to saturation. Continuous transitions (the replicon is negative,
   the levels differ little) and discontinuous ones (a distant root beside a stable state) are found alike.
2. The complexity there decides. Positive: there are exponentially many states that together weigh as much as the
   replica-symmetric one, and m stays 1. Negative: few of them weigh, and m < 1 is where the complexity vanishes, to which
   the state is followed.
3. Newton on all order parameters, m among them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import pairwise
from types import ModuleType

import numpy as np

from spinodal.numeric.path import follow
from spinodal.numeric.quadrature import Automatic, Rule
from spinodal.numeric.results import Array
from spinodal.numeric.roots import NewtonSettings, multi_start, newton
from spinodal.numeric.rows import Mask, is_inside
from spinodal.numeric.symmetric import ModuleSystem, relaxed, symmetric_start

#: Shares of the way from the replica-symmetric overlap to the self-overlap at which the inner overlap is tried.
_SHARES = (
    *(1e-5, 1e-4, 1e-3, 5e-3, 0.02, 0.06, 0.12, 0.2, 0.3, 0.4, 0.5),
    *(0.6, 0.7, 0.8, 0.88, 0.94, 0.98, 0.995, 0.999, 0.9999, 0.99999),
)
#: Relative gaps to saturation at which blocks are looked at for whether they freeze.
_FROZEN_GAPS = (1e-6, 1e-8, 1e-10)
#: Quadrature nodes while they are tried.
_SCAN_NODES = 48
#: A root with a smaller difference between its levels is the replica-symmetric one.
COINCIDENT = 1e-7
#: Factor by which m falls while the sign of the complexity is looked for, and where that ends.
_FALL, _LEAST = 0.8, 1e-4
#: Sizes beside a given one, in units of it, at which states may be found that a scan at it misses.
_BESIDE = (0.87, 1.15)
#: Steps of the false position for the zero of the complexity before Newton takes all order parameters.
_SECANTS = 12
_SETTINGS = NewtonSettings(tolerance=1e-9, iterations=30)


@dataclass(frozen=True)
class Broken:
    """What the search found.

    Attributes:
        x: the broken state [n], or None.
        reason: why there is none.
        complexity: at m = 1, where clusters exist there (else nan).
        overlap: the inner overlap of those clusters.
    """

    x: Array | None
    reason: str = ""
    complexity: float = float("nan")
    overlap: float = float("nan")


def spread(module: ModuleType, x: Array) -> Array:
    """The largest difference between the two innermost overlaps of a kind, of states [B, n]."""
    rows = [level_of(module, x, levels[-1]) - level_of(module, x, levels[-2]) for levels in module.BREAKING["levels"]]
    return np.asarray(np.max(rows, axis=0))


def level_of(module: ModuleType, x: Array, name: str) -> Array:
    """A level of overlaps of states [B, n], as [B]: an order parameter, or a number that the prior fixes."""
    if name in module.BREAKING["fixed"]:
        return np.full(len(x), module.BREAKING["fixed"][name])
    return x[:, module.ORDER_PARAMETERS.index(name)]


def search(system: ModuleSystem, sized: ModuleSystem | None, base: Array, p: Array) -> Broken:
    """Look for the state of broken symmetry.

    Args:
        system: the module; its sizes of blocks are given, or order parameters.
        sized: where that of the innermost blocks is an order parameter: the module with it given, as its last parameter.
        base: the state of one level less [m] at the same parameters.
        p: parameters [k].
    """
    if sized is None:
        found = clusters(system, base, p)
        if not found:
            return Broken(None, "no state with different overlaps was found at this size of blocks")
        return Broken(found[0])
    unit = np.append(p, 1.0)
    found = clusters(sized, base, unit)
    if not found:
        return Broken(None, "there are no states with a larger overlap inside them (at m = 1)")
    best = Broken(None)
    for x in found:
        value = complexity_of(sized, x, unit)
        if value >= 0.0:
            inner = float(x[sized.module.ORDER_PARAMETERS.index(sized.module.BREAKING["levels"][0][-1])])
            best = Broken(None, f"the complexity of its states is not negative at m = 1 ({value:.6g})", value, inner)
            continue
        bracket = _sign_change(sized, x, p, 1.0)
        state = None if bracket is None else without_complexity(system, sized, bracket, p, most=1.0, moved=moved_to_size)
        if state is not None:
            return Broken(state)
        best = Broken(None, "the complexity is negative at m = 1 and was not followed to a zero at smaller m", value)
    return best


def search_at_size(system: ModuleSystem, sized: ModuleSystem, base: Array, p: Array, size: float) -> Array | None:
    """The state [n] without complexity, looked for from blocks of a given size; None where none is found.

    At low temperature blocks of one replica lie nearer to saturation than double precision tells; smaller ones do not.
    """
    for m in (size, *(factor * size for factor in _BESIDE if factor * size < 1.0)):
        for x in clusters(sized, base, np.append(p, m)):
            bracket = _sign_change(sized, x, p, m)
            state = None if bracket is None else without_complexity(system, sized, bracket, p, most=1.0, moved=moved_to_size)
            if state is not None:
                return state
    return None


def clusters(system: ModuleSystem, base: Array, p: Array) -> list[Array]:
    """The states [n] of different levels at given sizes of blocks, smallest spread first.

    Everything else is solved for at inner overlaps from the replica-symmetric one to saturation; the equation of the inner
    overlap, q1 - update, itself changes sign from below where there is a state (from above: a barrier between states).
    """
    module = system.module
    inner = module.ORDER_PARAMETERS.index(module.BREAKING["levels"][0][-1])
    coarse = Coarse(system)
    x = _starts(coarse, base, p, np.array(_SHARES))
    points = np.repeat(p[None], len(x), axis=0)
    others = np.arange(x.shape[1]) != inner
    x = matched(coarse, x, points, others)
    with np.errstate(all="ignore"):
        f, _ = coarse.residual_and_jacobian(x, points)
    usable = np.max(np.abs(f[:, others]) / (1.0 + np.abs(x[:, others])), axis=1) < 1e-3
    usable &= np.isfinite(f[:, inner]) & is_inside(coarse, x, points)
    rows = np.flatnonzero(usable)
    guesses = []
    for i, j in pairwise(rows):
        if f[i, inner] < 0.0 <= f[j, inner]:
            share = f[i, inner] / (f[i, inner] - f[j, inner])
            guesses.append((1.0 - share) * x[i] + share * x[j])
    if not guesses:
        return []
    kept, batch = multi_start(system, np.array(guesses), p[None], _SETTINGS)
    states = [batch.x[i] for i in kept if spread(module, batch.x[i : i + 1])[0] > COINCIDENT]
    return sorted(states, key=lambda state: float(spread(module, state[None])[0]))


class Coarse:
    """A system with fewer nodes: what a scan needs."""

    def __init__(self, system: ModuleSystem) -> None:
        rule = system.rule
        self.module = system.module
        self.rule: Rule = replace(rule, n=min(rule.n, _SCAN_NODES)) if isinstance(rule, Automatic) else rule

    def residual_and_jacobian(self, x: Array, p: Array) -> tuple[Array, Array]:
        """F [B, n] and dF/dx [B, n, n]."""
        f, j = self.module.residual_and_jacobian(x, p, self.rule)
        return f, j

    def parameter_derivative(self, x: Array, p: Array, wanted: Collection[int] | None = None) -> Array:
        """dF/dp [B, n, k]."""
        return np.asarray(self.module.parameter_derivative(x, p, self.rule, wanted))

    def conditions(self, x: Array, p: Array) -> Array:
        """Expressions that must not be negative [B, m]."""
        return np.asarray(self.module.conditions(x, p, self.rule))


def freezes(sized: ModuleSystem, base: Array, p: Array) -> bool:
    """Whether blocks at the given sizes are drawn into one configuration: nearly saturated overlaps approach saturation.

    The update of the inner overlap then leaves a gap that is small beside the gap it starts from, the more so the smaller
    it is; otherwise configurations of a block differ.
    """
    module = sized.module
    inner = module.ORDER_PARAMETERS.index(module.BREAKING["levels"][0][-1])
    gaps = np.array(_FROZEN_GAPS)
    x = _starts(Coarse(sized), base, p, 1.0 - gaps)
    points = np.repeat(p[None], len(gaps), axis=0)
    top = _self_overlap(module, x, module.BREAKING["levels"][0][-1])
    conjugates = np.array([name in module.CONJUGATES for name in module.ORDER_PARAMETERS])
    with np.errstate(all="ignore"):
        for _ in range(3):  # at given overlaps the conjugates are explicit, but for multipliers
            f = np.asarray(module.residual(x, points, sized.rule))
            x = np.where(conjugates & np.isfinite(f), x - f, x)
        f = np.asarray(module.residual(x, points, sized.rule))
    left = (top - x[:, inner] + f[:, inner]) / (top - x[:, inner])
    return bool(np.all(np.isfinite(left)) and np.all(np.abs(left) < 0.05))


def _starts(system: ModuleSystem, base: Array, p: Array, shares: Array) -> Array:
    """The replica-symmetric state with inner overlaps at shares of the way from there to saturation."""
    module = system.module
    names = list(module.ORDER_PARAMETERS)
    x = np.repeat(symmetric_start(module, base[None], module.BREAKING["state"]), len(shares), axis=0)
    x = relaxed(system, x, np.repeat(p[None], len(shares), axis=0), module.BREAKING["guessed"])
    for levels in module.BREAKING["levels"]:
        symmetric = x[:, names.index(levels[-1])].copy()
        top = _self_overlap(module, x, levels[-1])
        x[:, names.index(levels[-1])] = symmetric + shares * (top - symmetric)
    conjugates = np.array([name in module.CONJUGATES for name in names])
    return matched(system, x, np.repeat(p[None], len(shares), axis=0), conjugates)


def _self_overlap(module: ModuleType, x: Array, name: str) -> Array:
    """The self-overlap of states [B] that bounds an overlap."""
    names = module.ORDER_PARAMETERS
    bound = module.SATURATING.get(name, f"{name[0]}_d")
    return x[:, names.index(bound)] if bound in names else np.full(len(x), float(bound))


def matched(system: ModuleSystem, x: Array, p: Array, chosen: Mask) -> Array:
    """States with the chosen unknowns solved from their own equations, as far as Newton's steps stay inside."""
    rows, columns = np.ix_(chosen, chosen)
    for _ in range(6):
        with np.errstate(all="ignore"):
            f, jacobian = system.residual_and_jacobian(x, p)
            good = np.all(np.isfinite(f), axis=1) & np.all(np.isfinite(jacobian), axis=(1, 2))
        step = np.zeros_like(x)
        for i in np.flatnonzero(good):
            try:
                step[i, chosen] = np.linalg.solve(jacobian[i][rows, columns], f[i, chosen])
            except np.linalg.LinAlgError:
                continue
        for _ in range(4):
            outside = ~is_inside(system, x - step, p)
            if not outside.any():
                break
            step[outside] *= 0.4
        step[~is_inside(system, x - step, p)] = 0.0
        x = x - step
        if np.max(np.abs(step) / (1.0 + np.abs(x))) < 1e-3:
            break
    return x


#: A state at a size of blocks, that size, and its complexity.
Visited = tuple[Array, float, float]
#: ``(sized, x, p, origin, target)``: the state x followed from one size of blocks to another, or None.
Mover = Callable[[ModuleSystem, Array, Array, float, float], Array | None]


def without_complexity(
    system: ModuleSystem, sized: ModuleSystem, bracket: tuple[Visited, Visited], p: Array, *, most: float, moved: Mover
) -> Array | None:
    """The state [n] without complexity, between two states of opposite complexity.

    Args:
        system: the module, whose size of blocks is an order parameter.
        sized: the module with that size given as its last parameter.
        bracket: the two states.
        p: parameters [k].
        most: the size of blocks is smaller.
        moved: follows a state of ``sized`` from one size to another.
    """
    column = system.module.ORDER_PARAMETERS.index(system.module.BREAKING["size"])
    (xa, a, fa), (xb, b, fb) = bracket
    side = 0
    for _ in range(_SECANTS):
        m = (a * fb - b * fa) / (fb - fa)
        near, origin = (xa, a) if abs(m - a) < abs(m - b) else (xb, b)
        here = moved(sized, near, p, origin, m)
        if here is None:
            return None
        roots = newton(system, np.insert(here, column, m)[None], p[None], NewtonSettings())
        between = min(a, b) <= roots.x[0, column] <= max(a, b) and roots.x[0, column] < most
        if roots.converged[0] and spread(system.module, roots.x)[0] > COINCIDENT and between:
            return np.asarray(roots.x[0])
        value = complexity_of(sized, here, np.append(p, m))
        if value * fb > 0.0:
            xb, b, fb = here, m, value
            fa, side = (0.5 * fa, 1) if side == 1 else (fa, 1)
        else:
            xa, a, fa = here, m, value
            fb, side = (0.5 * fb, -1) if side == -1 else (fb, -1)
    return None


def _sign_change(sized: ModuleSystem, x: Array, p: Array, size: float) -> tuple[Visited, Visited] | None:
    """States between which the complexity vanishes, as m falls from a size where it is negative, or grows to 1."""
    before: Visited = (x, size, complexity_of(sized, x, np.append(p, size)))
    falls = before[2] < 0.0
    while before[1] > _LEAST and (falls or before[1] < 1.0):
        m = _FALL * before[1] if falls else min(1.0, before[1] / _FALL)
        moved = moved_to_size(sized, before[0], p, before[1], m)
        if moved is None or spread(sized.module, moved[None])[0] < COINCIDENT:
            return None
        here = (moved, m, complexity_of(sized, moved, np.append(p, m)))
        if (here[2] >= 0.0) == falls:
            return (here, before) if falls else (before, here)
        before = here
    return None


def moved_to_size(sized: ModuleSystem, x: Array, p: Array, origin: float, target: float) -> Array | None:
    """A state followed from one size of the blocks to another."""
    module = sized.module
    bounded = np.array([name not in module.CONJUGATES for name in module.ORDER_PARAMETERS])
    path = follow(sized, x[None], np.append(p, origin)[None], np.append(p, target)[None], bounded, _SETTINGS)
    return np.asarray(path.roots.x[0]) if path.roots.converged[0] else None


def complexity_of(sized: ModuleSystem, x: Array, p: Array) -> float:
    """The complexity of the innermost blocks of a state [n] at parameters [k]."""
    name = [name for name in sized.module.OBSERVABLES if name.startswith("complexity")][-1]  # of the innermost blocks
    return float(sized.module.observables(x[None], p[None], sized.rule)[name][0])
