"""The state at the boundary q = q_d: a student frozen onto one configuration (for a planted one, the perfect state).

There a conjugate diverges, so that no Newton iteration ends on it. It exists when the update map pulls overlaps that are
nearly saturated closer to saturation, faster than linearly: then the overlaps equal the self-overlap to double precision,
and the free entropy and the observables have limits, which are extrapolated in the gap.
"""

from __future__ import annotations

from types import ModuleType
from typing import Protocol

import numpy as np

from spinodal.numeric.extrapolation import extrapolate
from spinodal.numeric.quadrature import Rule
from spinodal.numeric.results import Array, State
from spinodal.numeric.rows import Mask


class _BoundModule(Protocol):
    @property
    def module(self) -> ModuleType: ...

    @property
    def rule(self) -> Rule: ...

    def residual(self, x: Array, p: Array) -> Array: ...

    def conditions(self, x: Array, p: Array) -> Array: ...

    def refined(self) -> _BoundModule: ...


#: The gap at which it is asked first whether gaps close at all.
_EXAMPLE = np.array([2.0**-30])


def saturated_state(system: _BoundModule, p: Array, context: str, *, with_observables: bool = True) -> State | None:
    """The saturated state at one parameter point [1, k], or None if there is none.

    Args:
        system: a module bound to a rule.
        p: the parameter point.
        context: what to say first in the warning (why the state is reported).
        with_observables: evaluate observables too.
    """
    module = system.module
    names = list(module.ORDER_PARAMETERS)
    if hasattr(module, "CONSTRAINED"):  # a probe at a given distance from its reference is not frozen onto it
        return None
    if "q" not in names or module.SATURATING.get("q") is None or "p" in names or "q_d" in names:
        return None
    try:
        bound = float(module.SATURATING["q"])
    except ValueError:
        return None
    overlaps = np.array([name not in module.CONJUGATES for name in names])
    # where the equations say clearly that one such gap does not close, the rest need not be evaluated
    single = _updates(system, p, _EXAMPLE, bound, overlaps)
    if single is None or single[2][0] > 0.5 * _EXAMPLE[0] * bound:
        return None
    gaps = 2.0 ** -np.arange(10.0, 50.0, 2.0)
    points = np.broadcast_to(p, (gaps.size, p.shape[1]))
    system = system.refined()  # pairing terms of the size of the conjugates cancel in the limit
    found = _updates(system, p, gaps, bound, overlaps)
    if found is None:
        return None
    x, updated, new_gap = found
    if np.any(x[3:, ~overlaps] < 1.0):
        return None
    if not np.all(new_gap[7:] < 0.05 * gaps[7:] * bound) or np.any(np.abs(updated - bound)[3:] > 2.0 * gaps[3:, None]):
        return None
    # terms of the conjugates' size cancel, and what rounding leaves of them can look smooth to the extrapolation
    rounding = 4.0 * float(np.finfo(float).eps) * np.max(np.abs(x[:, ~overlaps]), axis=1)
    free_entropy, error = extrapolate(gaps, module.free_entropy(x, points, system.rule), rounding)
    if not np.isfinite(free_entropy) or error > 1e-3 * (1.0 + abs(free_entropy)):
        return None
    observables: dict[str, float] = {}
    for name, column in (module.observables(x, points, system.rule) if with_observables else {}).items():
        if np.all(np.isfinite(column)):
            limit, spread = extrapolate(gaps, column)
            observables[name] = 0.0 if abs(limit) <= spread and name.endswith(("_error", "_barycentre")) else limit
    note = f"q = {bound:g} to double precision"
    if np.any(x[-1, ~overlaps] > 2.0 * x[-4, ~overlaps]):
        note += ", and the conjugates diverge there (values shown: at a gap of 2^-48)"
    return State(
        parameters=dict(zip(module.PARAMETERS, map(float, p[0]), strict=True)),
        order_parameters={name: (bound if overlaps[j] else float(x[-1, j])) for j, name in enumerate(names)},
        free_entropy=free_entropy,
        observables=observables,
        converged=True,
        error_estimate=error,
        residual=float(np.max(np.abs(updated[-1] - bound))),
        warnings=((f"{context}; the state reported is the saturated (perfect) one: {note}") if context else note,),
        method="limit of vanishing gap",
    )


def _updates(system: _BoundModule, p: Array, gaps: Array, bound: float, overlaps: Mask) -> tuple[Array, Array, Array] | None:
    """States with overlaps ``bound (1 - gap)`` and the conjugates these imply, the updated overlaps, the gap of the new q.

    None where the equations are not finite.
    """
    x = np.zeros((gaps.size, overlaps.size))
    x[:, overlaps] = bound * (1.0 - gaps)[:, None]  # exact: the gaps are powers of two
    points = np.broadcast_to(p, (gaps.size, p.shape[1]))
    for _ in range(2):
        f = system.residual(x, points)
        if not np.all(np.isfinite(f)):
            return None
        x = np.where(overlaps, x, x - f)
    f = system.residual(x, points)
    if not np.all(np.isfinite(f)):
        return None
    # E[d2 log Z] - gap is what the residual of q holds, so that the new gap keeps its relative accuracy
    new_gap = gaps * bound + f[:, list(system.module.ORDER_PARAMETERS).index("q")]
    return x, (x - f)[:, overlaps], new_gap
