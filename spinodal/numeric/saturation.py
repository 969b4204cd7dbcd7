"""The states at the boundary q = q_d: a student frozen onto one configuration (for a planted one, the perfect state).

Beside a teacher of discrete weights t it is c t, for every number c with which all values of c t are among the student's:
q = q_d = c^2 E t^2 and r = c E t^2. Without a teacher it can only be told for weights whose square is one number.

There a conjugate diverges, so that no Newton iteration ends on it. It exists when the update map pulls overlaps that are
nearly saturated closer to saturation, faster than linearly: then the overlaps equal the self-overlap to double precision,
and the free entropy and the observables have limits, which are extrapolated in the gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
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
_EXAMPLE = np.array([2.0**-42])
#: Gaps from large to small, and how many of the smallest must close at least: values of weights that lie close to one
#: another are told apart by large conjugates only, in small gaps.
_GAPS, _FEWEST = 2.0 ** -np.arange(10.0, 50.0, 2.0), 6
#: Two values of weights are one that differ by less, relatively.
_EQUAL = 1e-12
#: A start lies beside a saturated state whose overlaps are those of that state up to this, relatively.
_BESIDE = 0.02
#: What rounding leaves of terms that cancel, relative to them.
_ROUNDING = 4.0 * float(np.finfo(float).eps)


def saturated_state(
    system: _BoundModule,
    p: Array,
    context: str,
    *,
    with_observables: bool = True,
    near: Mapping[str, float] | None = None,
) -> State | None:
    """The saturated state at one parameter point [1, k], of several the one of largest free entropy; None without one.

    ``near`` are order parameters that it must lie beside (nothing lies beside none of them); the other arguments are
    those of :func:`saturated_states`.
    """
    found = saturated_states(system, p, context, with_observables=with_observables, near=near)
    return max(found, key=lambda state: state.free_entropy, default=None)


def saturated_states(
    system: _BoundModule,
    p: Array,
    context: str,
    *,
    with_observables: bool = True,
    near: Mapping[str, float] | None = None,
) -> list[State]:
    """The saturated states at one parameter point [1, k]; students opposite to the teacher only where none are aligned.

    Args:
        system: a module bound to a rule.
        p: the parameter point.
        context: what to say first in the warning (why the state is reported).
        with_observables: evaluate observables too.
        near: order parameters that the states must lie beside.
    """
    found: list[State] = []
    for bounds in frozen_overlaps(system.module, p):
        if (found and bounds.get("r", 0.0) < 0.0) or (near is not None and not _is_near(near, bounds)):
            continue
        state = _saturated_at(system, p, bounds, context, with_observables=with_observables)
        found += [] if state is None else [state]
    return found


def frozen_overlaps(module: ModuleType, p: Array) -> list[dict[str, float]]:
    """Overlaps by name at which a student may freeze at one parameter point [1, k], those aligned with a teacher first."""
    names = module.ORDER_PARAMETERS
    # a probe at a given distance from its reference is not frozen onto it
    if hasattr(module, "CONSTRAINED") or "q" not in names or "q" not in module.SATURATING or "p" in names:
        return []
    if hasattr(module, "alphabets"):
        student, teacher, probabilities = (row[0] for row in module.alphabets(p))
        power = float(np.sum(probabilities * teacher**2))
        aligned = [
            {"q": c * c * power, "q_d": c * c * power, "r": c * power}
            for c in _scales(student, teacher[probabilities > 0.0])
            if "r" in names or abs(c - 1.0) < _EQUAL  # with r = q the student is the teacher itself
        ]
        return [{name: value for name, value in bounds.items() if name in names} for bounds in aligned]
    if "r" in names or "q_d" in names:
        return []
    try:
        return [{"q": float(Fraction(module.SATURATING["q"]))}]
    except ValueError:
        return []


def _is_near(start: Mapping[str, float], bounds: Mapping[str, float]) -> bool:
    """Whether the overlaps that a start gives, q among them, are nearly saturated."""
    return "q" in start and all(
        abs(start[name] - bound) <= _BESIDE * abs(bound) for name, bound in bounds.items() if name in start
    )


def _scales(student: Array, teacher: Array) -> list[float]:
    """The numbers c for which every value of c times a teacher's weight is a value of the student's; positive ones first."""
    largest = teacher[np.argmax(np.abs(teacher))] if teacher.size else 0.0
    if largest == 0.0:
        return []
    scale = np.max(np.abs(student))
    candidates = sorted({float(value / largest) for value in student if value != 0.0}, key=lambda c: (c < 0.0, abs(c)))
    return [c for c in candidates if np.all(np.abs(student[:, None] - c * teacher).min(axis=0) <= _EQUAL * scale)]


def _saturated_at(
    system: _BoundModule, p: Array, bounds: Mapping[str, float], context: str, *, with_observables: bool
) -> State | None:
    """The state whose overlaps take given values at saturation, if nearly saturated ones are pulled there."""
    module = system.module
    names = list(module.ORDER_PARAMETERS)
    overlaps = np.array([name not in module.CONJUGATES for name in names])
    limits = np.array([bounds.get(name, 0.0) for name in names])
    bound = bounds["q"]
    # what a weight's conjugate multiplies is of the order of its overlap, whatever the unit of weights
    scales = np.array([bounds.get(name.removesuffix("_hat"), bound) for name in names])
    # where the equations say clearly that one such gap does not close, the rest need not be evaluated
    single = _updates(system, p, _EXAMPLE, limits, overlaps)
    if single is None or single[2][0] > 0.5 * _EXAMPLE[0] * bound:
        return None
    system = system.refined()  # pairing terms of the size of the conjugates cancel in the limit
    found = _updates(system, p, _GAPS, limits, overlaps)
    if found is None:
        return None
    x, updated, new_gap = found
    variances = [j for j, name in enumerate(names) if not overlaps[j] and name != "q_d_hat"]  # that one has either sign
    closes = new_gap < (0.05 * _GAPS + _ROUNDING) * bound  # the self-overlap itself is known to rounding only
    closes &= np.all((x * scales)[:, variances] >= 1.0, axis=1)
    closes &= np.all(np.abs(updated - limits[overlaps]) <= 2.0 * _GAPS[:, None] * np.abs(limits[overlaps]), axis=1)
    first = int(np.max(np.flatnonzero(~closes), initial=-1)) + 1
    if _GAPS.size - first < _FEWEST:
        return None
    # in larger gaps the limit is that of other states, such as weights of which the sign alone is known
    gaps, x = _GAPS[first:], x[first:]
    points = np.broadcast_to(p, (gaps.size, p.shape[1]))
    # terms of the conjugates' size cancel, and what rounding leaves of them can look smooth to the extrapolation
    rounding = _ROUNDING * np.max(np.abs(x * scales)[:, ~overlaps], axis=1)
    free_entropy, error = extrapolate(gaps, module.free_entropy(x, points, system.rule), rounding)
    if not np.isfinite(free_entropy) or error > 1e-3 * (1.0 + abs(free_entropy)):
        return None
    observables: dict[str, float] = {}
    for name, column in (module.observables(x, points, system.rule) if with_observables else {}).items():
        if np.all(np.isfinite(column)):
            counts = name == "entropy"  # made of the same terms as the free entropy
            limit, spread = extrapolate(gaps, column, rounding if counts else None)
            vanishes = abs(limit) <= spread + _EQUAL and (counts or name.endswith(("_error", "_barycentre")))
            observables[name] = 0.0 if vanishes else limit
    note = f"q = {bound:g} to double precision"
    if np.any(x[-1, variances] > 2.0 * x[-4, variances]):
        note += ", and the conjugates diverge there (values shown: at a gap of 2^-48)"
    return State(
        parameters=dict(zip(module.PARAMETERS, map(float, p[0]), strict=True)),
        order_parameters={name: float(limits[j] if overlaps[j] else x[-1, j]) for j, name in enumerate(names)},
        free_entropy=free_entropy,
        observables=observables,
        converged=True,
        error_estimate=error,
        residual=float(np.max(np.abs(updated[-1] - limits[overlaps]))),
        warnings=((f"{context}; the state reported is the saturated (perfect) one: {note}") if context else note,),
        method="limit of vanishing gap",
    )


def _updates(
    system: _BoundModule, p: Array, gaps: Array, limits: Array, overlaps: Mask
) -> tuple[Array, Array, Array] | None:
    """States with overlaps ``limit (1 - gap)`` and the conjugates these imply, the updated overlaps, the gap of the new q.

    None where the equations are not finite.
    """
    names = list(system.module.ORDER_PARAMETERS)
    x = np.where(overlaps, limits * (1.0 - gaps)[:, None], 0.0)  # exact for weights +-1: the gaps are powers of two
    if "q_d" in names:
        x[:, names.index("q_d")] = limits[names.index("q_d")]
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
    q = names.index("q")
    new_gap = limits[q] - x[:, q] + f[:, q]
    return x, (x - f)[:, overlaps], new_gap
