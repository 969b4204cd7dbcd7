"""Real replicas without external complexity: their number y*(q1) at which it vanishes.

Where the complexity stays positive however many there are, the measure is that of infinitely many (y -> infinity).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import numpy as np

from spinodal.numeric.neighbours import along
from spinodal.numeric.path import Path, follow
from spinodal.numeric.results import Array, State
from spinodal.numeric.roots import NewtonSettings, newton
from spinodal.numeric.rows import Mask
from spinodal.numeric.symmetric import ModuleSystem

#: The numbers of copies between which the complexity is followed, and the factor between steps.
FEWEST, MOST, _GROWTH = 2.0, 1000.0, 1.6
#: Overlaps at which the number of copies is searched, the best first: it is smallest where replicas are close.
_ANCHORS = (0.9, 0.95, 0.8)
#: A complexity of infinitely many replicas that is larger than this is positive.
_POSITIVE = 1e-6


def without_complexity(
    system: ModuleSystem,
    sized: ModuleSystem,
    start: Callable[[Array], Path],
    p: Array,
    overlaps: Mask,
    settings: NewtonSettings,
) -> Path:
    """States without complexity: on each curve along the overlap one by its number of copies, the others from one another.

    Args:
        system: the module whose number of copies is an order parameter.
        sized: the module with the number given, as its last parameter (``SIZED_MODULE``).
        start: states of ``sized`` at given parameters, from the replica-symmetric ones.
        p: parameters of ``system`` [B, k].
        overlaps: which order parameters are overlaps [n].
        settings: of Newton's method.
    """
    module = system.module
    column = module.PARAMETERS.index(module.SYMMETRIC["parameter"])
    bounded = overlaps & np.array([name != module.SYMMETRIC["size"] for name in module.ORDER_PARAMETERS])

    def begin(at: Array) -> Path:
        few = np.concatenate([at, np.full((len(at), 1), FEWEST)], axis=1)
        return follow_size(system, sized, start(few), at, settings)

    return along(system, p, column, begin, _ANCHORS, bounded, settings)


def as_infinitely_many(module: ModuleType, p: Array, states: list[State]) -> list[State | None]:
    """States of infinitely many replicas as states of the module, where their complexity is positive; else None.

    Args:
        module: the module whose number of copies is an order parameter.
        p: its parameters [B, k].
        states: those of ``INFINITE_MODULE`` at the same parameters.
    """
    return [_limit(module, row, state) for row, state in zip(p, states, strict=True)]


def _limit(module: ModuleType, p: Array, state: State) -> State | None:
    complexity = state.observables.get("complexity", float("nan"))
    if not state.converged or not complexity > _POSITIVE:
        return None
    known = {**dict(zip(module.PARAMETERS, map(float, p), strict=True)), **state.order_parameters}
    known[module.SYMMETRIC["size"]] = float("inf")
    # as y -> infinity the outer overlaps q0, p0 approach the inner ones, and their conjugates likewise
    order = {name: known[name] if name in known else known[name.replace("0", "1", 1)] for name in module.ORDER_PARAMETERS}
    remark = (
        f"the complexity stays positive however many replicas there are ({complexity:.4g}): this is the limit y -> infinity"
    )
    return replace(state, order_parameters=order, warnings=(*state.warnings, remark))


def follow_size(system: ModuleSystem, sized: ModuleSystem, start: Path, p: Array, settings: NewtonSettings) -> Path:
    """The state without complexity: the number of copies grows until the complexity changes sign, Newton does the rest.

    Args:
        system: the module whose number of copies is an order parameter.
        sized: the module with the number given, as its last parameter (``SIZED_MODULE``).
        start: states of ``sized`` at :data:`FEWEST` copies.
        p: parameters of ``system`` [B, k].
        settings: of Newton's method.

    Returns:
        ``reached`` is -2 where the complexity keeps its sign.
    """
    module, base = system.module, sized.module
    names = [name for name in module.ORDER_PARAMETERS if name != module.SYMMETRIC["size"]]
    column = module.ORDER_PARAMETERS.index(module.SYMMETRIC["size"])
    chosen = [base.ORDER_PARAMETERS.index(name) for name in names]
    guess = np.full((len(p), len(module.ORDER_PARAMETERS)), np.nan)
    reached = np.where(start.roots.converged, -2.0, start.reached)
    for row in np.flatnonzero(start.roots.converged):
        found = _sign_change(sized, start.roots.x[row], p[row], settings)
        if found is not None:
            guess[row] = np.insert(found[0][chosen], column, found[1])
            reached[row] = 1.0
    roots = newton(system, np.nan_to_num(guess, nan=0.5), p, settings)
    return Path(replace(roots, converged=roots.converged & (reached >= 1.0)), reached, np.zeros(len(p), dtype=bool))


def _sign_change(sized: ModuleSystem, x: Array, p: Array, settings: NewtonSettings) -> tuple[Array, float] | None:
    """A state and a number of copies near where the complexity vanishes."""
    everything = np.zeros(x.size, dtype=bool)
    copies, before = FEWEST, _complexity(sized, x, np.append(p, FEWEST))
    while copies < MOST:
        more = copies * _GROWTH
        points = np.append(p, copies)[None], np.append(p, more)[None]
        path = follow(sized, x[None], *points, everything, settings)
        if not path.roots.converged[0]:
            return None
        here = _complexity(sized, path.roots.x[0], points[1][0])
        if before * here <= 0.0:
            share = before / (before - here)
            return (1.0 - share) * x + share * path.roots.x[0], copies * _GROWTH**share
        x, copies, before = path.roots.x[0], more, here
    return None


def _complexity(system: ModuleSystem, x: Array, p: Array) -> float:
    return float(system.module.observables(x[None], p[None], system.rule)["complexity"][0])
