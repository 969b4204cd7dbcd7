"""Real replicas without external complexity: their number y*(q1) at which it vanishes.

Where the complexity stays positive however many there are, the measure is that of infinitely many (y -> infinity).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import TypeAlias

import numpy as np

from spinodal.numeric.neighbours import along, improved
from spinodal.numeric.path import Path, PathSettings, nowhere
from spinodal.numeric.results import Array, State
from spinodal.numeric.roots import NewtonSettings, newton
from spinodal.numeric.rows import Mask, System
from spinodal.numeric.symmetric import ModuleSystem, follow_symmetric

#: The numbers of copies between which the complexity is followed, and the factor between steps.
FEWEST, MOST, _GROWTH = 2.0, 1e5, 1.6
#: Overlaps at which the number of copies is searched, the best first: it is smallest where replicas are close.
_ANCHORS = (0.9, 0.95, 0.8, 0.6, 0.4)
#: Overlaps from which others are reached where that fails.
_HELPERS = (0.8, 0.7)
#: How often the number of copies is bettered before Newton's method takes over, and the complexity that is near enough.
_POSITIONS, _SMALL = 4, 1e-4
#: The smallest step, in units of the path, on the way to another number of copies or overlap.
_SMALLEST = 1e-4
#: Why a number of copies was not found: the complexity keeps its sign; larger numbers could not be followed (less 1/copies,
#: so that what got farther is larger); there are no states of the smallest number.
KEEPS_SIGN, LOST, NO_COPIES = -2.0, -6.0, -7.0
#: A complexity of infinitely many replicas that is larger than this is positive.
_POSITIVE = 1e-6

#: A state, its number of copies, and its complexity.
_Copies: TypeAlias = tuple[Array, float, float]


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

    path = along(system, p, column, begin, _ANCHORS, bounded, settings, _walk)
    lost = np.flatnonzero(~path.roots.converged & (path.reached == NO_COPIES))
    if lost.size == 0:
        return path
    # a few replicas may cease to exist at smaller overlaps than many: other overlaps are a better beginning
    helpers = np.concatenate([p[lost]] * len(_HELPERS))
    helpers[:, column] = np.repeat(_HELPERS, lost.size)
    found = along(system, np.concatenate([p[lost], helpers]), column, begin, _HELPERS, bounded, settings, _walk)
    rows = np.arange(lost.size)
    found = Path(found.roots.taken(rows), found.reached[rows], found.fold[rows])
    return improved(path, lost, found)


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
        Where there is none ``reached`` says why, and the state is the last one followed, its complexity not zero.
    """
    module, base = system.module, sized.module
    names = [name for name in module.ORDER_PARAMETERS if name != module.SYMMETRIC["size"]]
    column = module.ORDER_PARAMETERS.index(module.SYMMETRIC["size"])
    chosen = [base.ORDER_PARAMETERS.index(name) for name in names]
    state = np.insert(start.roots.x[:, chosen], column, FEWEST, axis=1)
    reached = np.where(start.roots.converged, KEEPS_SIGN, NO_COPIES)
    for row in np.flatnonzero(start.roots.converged):
        x, copies, reached[row] = _sign_change(sized, start.roots.x[row], p[row], settings)
        state[row] = np.insert(x[chosen], column, copies)
    path = nowhere(p, len(module.ORDER_PARAMETERS), 0.0)
    path = replace(path, roots=replace(path.roots, x=state), reached=reached)
    rows = np.flatnonzero(reached == 1.0)
    roots = newton(system, state[rows], p[rows], settings)
    found = roots.converged
    reached[rows] = np.where(found, 1.0, LOST - 1.0 / state[rows, column])
    return replace(path, roots=path.roots.replaced(rows[found], roots, found), reached=reached)


def _sign_change(sized: ModuleSystem, x: Array, p: Array, settings: NewtonSettings) -> tuple[Array, float, float]:
    """A state and a number of copies near where the complexity vanishes, and 1; else the last ones, and why."""
    here: _Copies = x, FEWEST, _complexity(sized, x, np.append(p, FEWEST))
    before: _Copies | None = None
    while here[1] < MOST:
        there = _at(sized, here[0], p, here[1], _GROWTH * here[1], settings)
        if there is None:
            return *here[:2], LOST - 1.0 / here[1]
        if here[2] * there[2] > 0.0 and before is not None:  # near a fold it changes its sign twice in a short stretch
            lowest = _least(sized, before, here, there, p, settings)
            here, there = (before, lowest) if lowest is not None and lowest[2] * here[2] <= 0.0 else (here, there)
        if here[2] * there[2] <= 0.0:
            return *_near_zero(sized, here, there, p, settings), 1.0
        before, here = here, there
    return *here[:2], KEEPS_SIGN


def _least(
    sized: ModuleSystem, low: _Copies, middle: _Copies, high: _Copies, p: Array, settings: NewtonSettings
) -> _Copies | None:
    """The state near which the complexity is nearest to zero, if that lies between three numbers of copies."""
    values = np.abs([low[2], middle[2], high[2]])
    if values[1] > values.min():
        return None
    at = np.log([low[1], middle[1], high[1]])
    curvature, slope, _ = np.polyfit(at - at[1], values, 2)
    return _at(sized, middle[0], p, middle[1], float(middle[1] * np.exp(-0.5 * slope / curvature)), settings)


def _walk(system: System, start: Array, begin: Array, end: Array, bounded: Mask, settings: NewtonSettings) -> Path:
    """A path whose end need not be known to many digits: what lies just beyond it is asked by other means."""
    return follow_symmetric(system, start, begin, end, bounded, settings, PathSettings(smallest=_SMALLEST))


def _near_zero(sized: ModuleSystem, low: _Copies, high: _Copies, p: Array, settings: NewtonSettings) -> tuple[Array, float]:
    """A state of small complexity between two of opposite signs, and its number of copies: false position, a few times."""
    nearest = min(low, high, key=lambda end: abs(end[2]))
    for _ in range(_POSITIONS):
        if abs(nearest[2]) < _SMALL:
            break
        share = low[2] / (low[2] - high[2])
        copies = low[1] * (high[1] / low[1]) ** share
        near = low if share < 0.5 else high
        middle = _at(sized, near[0], p, near[1], copies, settings)
        if middle is None:
            return (1.0 - share) * low[0] + share * high[0], copies
        low, high = (low, middle) if low[2] * middle[2] < 0.0 else (middle, high)
        nearest = middle
    return nearest[:2]


def _at(sized: ModuleSystem, x: Array, p: Array, copies: float, wanted: float, settings: NewtonSettings) -> _Copies | None:
    """The state at another number of copies, with its complexity."""
    conjugates = np.array([name in sized.module.CONJUGATES for name in sized.module.ORDER_PARAMETERS])
    everything = np.zeros(x.size, dtype=bool)
    begin, end = np.append(p, copies)[None], np.append(p, wanted)[None]
    # groups that share nothing need ever smaller conjugates, the more copies they have
    size = min(1.0, float(np.max(np.abs(x[conjugates]), initial=0.0)))
    scales = np.where(conjugates, size, 1.0)
    path = _walk(_InUnits(sized, scales), x[None] / scales, begin, end, everything, settings)
    if not path.roots.converged[0]:
        return None
    state = path.roots.x[0] * scales
    return state, wanted, _complexity(sized, state, end[0])


def overlap_at(system: ModuleSystem, x: Array, p: Array) -> float:
    """The constrained overlap of a state x [n], from the equation of its multiplier; Newton's method begins at p [k]."""
    module = system.module
    column = module.PARAMETERS.index(module.SYMMETRIC["parameter"])
    row = module.ORDER_PARAMETERS.index(f"{module.PARAMETERS[column]}_hat")
    here = p.copy()
    for _ in range(40):
        slope = system.parameter_derivative(x[None], here[None])[0, row, column]
        step = system.residual_and_jacobian(x[None], here[None])[0][0, row] / slope
        here[column] -= step
        if not abs(step) > 1e-12:
            break
    return float(here[column])


def has_no_copies(reached: float) -> bool:
    """Whether a path did not begin because no number of copies without complexity was found."""
    return reached in (KEEPS_SIGN, NO_COPIES) or LOST - 1.0 < reached < LOST


def why_not_found(system: ModuleSystem, p: Array, x: Array, reached: float, two: State | None) -> tuple[str, str]:
    """Why there is no state without complexity at p [k], and what to try.

    Args:
        system: the module whose number of copies is an order parameter.
        p: the wanted parameters.
        x: the last state [n].
        reached: what :func:`follow_size` says of it.
        two: the state of :data:`FEWEST` copies at p.
    """
    module = system.module
    name = module.SYMMETRIC["parameter"]
    wanted = float(p[module.PARAMETERS.index(name)])
    if two is not None and two.failure is not None:
        return f"there are no two replicas to begin with: {two.failure.reason}", two.failure.advice
    copies = float(x[module.ORDER_PARAMETERS.index(module.SYMMETRIC["size"])])
    at = p.copy()
    at[module.PARAMETERS.index(name)] = overlap = overlap_at(system, x, p)
    complexity = _complexity(system, x, at)
    where = f"at {name} = {overlap:.6g}" + ("" if abs(overlap - wanted) < 1e-6 else " (from where others are reached)")
    given = "or give a number of replicas"
    if reached == KEEPS_SIGN and complexity < 0.0:
        return (
            f"{where} the complexity is negative for any number of replicas from {FEWEST:g} to {copies:.4g}, where it is "
            f"{complexity:.3g}: fewer replicas than two would be needed",
            f"take a smaller {name}, {given}",
        )
    if reached == KEEPS_SIGN:
        return (
            f"{where} the complexity is still positive ({complexity:.3g}) for {copies:.4g} replicas, and there is no limit "
            "of infinitely many with positive complexity",
            f"take {name} farther from the typical overlap and from 1, where fewer replicas are needed, {given}",
        )
    return (
        f"{where} replicas could be followed from {FEWEST:g} to {copies:.4g} of them, where their complexity is still "
        f"{complexity:.3g}, and no farther",
        f"take another {name}, {given}",
    )


@dataclass(frozen=True)
class _InUnits:
    """A system with its unknowns in given units [n]."""

    system: System
    units: Array = field(compare=False)

    def residual_and_jacobian(self, y: Array, p: Array) -> tuple[Array, Array]:
        """F [B, n] and its derivatives [B, n, n]."""
        f, jacobian = self.system.residual_and_jacobian(y * self.units, p)
        return f, jacobian * self.units

    def parameter_derivative(self, y: Array, p: Array, wanted: Collection[int] | None = None) -> Array:
        """DF/dp [B, n, k]."""
        return self.system.parameter_derivative(y * self.units, p, wanted)

    def conditions(self, y: Array, p: Array) -> Array:
        """Those of the system."""
        return self.system.conditions(y * self.units, p)


def _complexity(system: ModuleSystem, x: Array, p: Array) -> float:
    return float(system.module.observables(x[None], p[None], system.rule)["complexity"][0])
