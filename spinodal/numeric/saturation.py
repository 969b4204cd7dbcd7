"""The state at the boundary q = q_d: a student frozen onto one configuration (for a planted one, the perfect state).

There a conjugate diverges, so that no Newton iteration ends on it. It exists when the update map pulls overlaps that are
nearly saturated closer to saturation, faster than linearly: then the overlaps equal the self-overlap to double precision,
and the free entropy and the observables have limits, which are extrapolated in the square root of the gap.
"""

from __future__ import annotations

from types import ModuleType
from typing import Protocol

import numpy as np

from spinodal.numeric.quadrature import Rule
from spinodal.numeric.results import Array, State


class _BoundModule(Protocol):
    @property
    def module(self) -> ModuleType: ...

    @property
    def rule(self) -> Rule: ...

    def residual(self, x: Array, p: Array) -> Array: ...

    def conditions(self, x: Array, p: Array) -> Array: ...


def saturated_state(system: _BoundModule, p: Array, context: str, *, with_observables: bool = True) -> State | None:
    """The saturated state at one parameter point [1, k], or None if there is none.

    Args:
        system: a module bound to a rule.
        p: the parameter point.
        context: what to say first in the warning (why the state is reported).
        with_observables: whether their limits are taken too, which may cost many times what the state does.
    """
    module = system.module
    names = list(module.ORDER_PARAMETERS)
    if "q" not in names or module.SATURATING.get("q") is None or "p" in names or "q_d" in names:
        return None
    try:
        bound = float(module.SATURATING["q"])
    except ValueError:
        return None
    gaps = 2.0 ** -np.arange(16.0, 50.0, 2.0)
    x = np.zeros((gaps.size, len(names)))
    overlaps = np.array([name not in module.CONJUGATES for name in names])
    x[:, overlaps] = bound * (1.0 - gaps)[:, None]  # exact: the gaps are powers of two
    points = np.broadcast_to(p, (gaps.size, p.shape[1]))
    for _ in range(2):
        f = system.residual(x, points)
        if not np.all(np.isfinite(f)):
            return None
        x = np.where(overlaps, x, x - f)
    f = system.residual(x, points)
    updated = (x - f)[:, overlaps]
    if not np.all(np.isfinite(f)) or np.any(x[:, ~overlaps] < 1.0):
        return None
    # E[d2 log Z] - gap is what the residual of q holds, so that the new gap keeps its relative accuracy
    q = names.index("q")
    new_gap = gaps * bound + f[:, q]
    if not np.all(new_gap[4:] < 0.05 * gaps[4:] * bound) or np.any(np.abs(updated - bound) > 2.0 * gaps[:, None]):
        return None
    conjugate = float(np.max(np.abs(x[:, ~overlaps]) * np.sqrt(gaps)[:, None], initial=0.0))
    free_entropy, error = _limit(module.free_entropy(x, points, system.rule), gaps, conjugate)
    if not np.isfinite(free_entropy) or error > 1e-3 * (1.0 + abs(free_entropy)):
        return None
    observables = {}
    for name, column in module.observables(x, points, system.rule).items() if with_observables else ():
        if np.all(np.isfinite(column)):
            observables[name] = _limit(column, gaps, conjugate)[0]
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


def _limit(values: Array, gaps: Array, conjugate: float) -> tuple[float, float]:
    """The limit of a sequence a + b sqrt(g) + c g + ... as the gap g goes to 0, and an error estimate.

    Wide gaps leave higher orders, narrow ones the rounding of terms as large as the conjugates: the window of gaps is
    chosen in which both together are smallest.

    Args:
        values: the sequence, [gaps].
        gaps: falling by a constant factor.
        conjugate: sqrt(gap) times the conjugates: terms of their size cancel in the values.
    """
    roots, width = np.sqrt(gaps), 6
    noise = 8.0 * np.finfo(float).eps * (1.0 + float(np.max(np.abs(values))) + conjugate / roots)
    # the gaps are geometric, so that one linear functional extrapolates in every window
    weights = np.linalg.pinv(np.vander(roots[:width] / roots[0], 4, increasing=True))[0]
    found = np.array([float(weights @ values[i : i + width]) for i in range(values.size - width + 1)])
    rounding = np.array([float(np.abs(weights) @ noise[i : i + width]) for i in range(found.size)])
    change = np.abs(np.diff(found))
    errors = 2.0 * np.maximum(change[1:], change[:-1]) + rounding[1:-1]
    best = int(np.argmin(errors))
    return float(found[best + 1]), float(errors[best])
