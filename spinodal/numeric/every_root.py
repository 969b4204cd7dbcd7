"""Every root at one parameter point: multi-start Newton from states spread over the domain, and what is stable."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np

from spinodal.numeric.bound import Bound, is_overlap
from spinodal.numeric.finish import finish
from spinodal.numeric.quadrature import Rule
from spinodal.numeric.results import Array, State
from spinodal.numeric.roots import NewtonSettings, fixed_point, multi_start
from spinodal.numeric.saturation import saturated_states
from spinodal.numeric.solve import at_given_overlap, from_small_alpha, sign_at, trivial_state, upper_bounds

#: States from which all roots are searched. Where evaluations are costly: twice the second number, in chunks of it.
_STARTS, _CHUNK = 128, 32


def all_states(module: ModuleType, p: Array, *, tolerance: float = 1e-10, rule: Rule | None = None) -> list[State]:
    """Every root found at one parameter point [1, k], largest free entropy first.

    Starts: the branch from small alpha, and 128 states spread over the domain, near saturation included (where every
    evaluation is costly, 32 or 64 of them). The one of
    largest free entropy is called stable, the others metastable, or unstable where det dF/dx < 0 (a saddle of the
    fixed-point map; at a given overlap: where its sign is not that of the branch from small alpha).
    """
    system = Bound(module, rule or module.RULE)
    if hasattr(module, "BREAKING"):
        from spinodal.numeric.broken_states import all_broken  # as in solve_points

        return all_broken(system, p, tolerance)
    found: list[State] = []
    signs: list[float] = []
    first = from_small_alpha(system, p, NewtonSettings())
    right = sign_at(system, first.roots, p) if at_given_overlap(module) else 1.0
    costly = getattr(module, "COSTLY", False)
    candidates = random_starts(system, p, 2 * _CHUNK if costly else _STARTS)
    if first.roots.converged[0]:
        candidates = np.concatenate([first.roots.x, candidates])
    hasty = (NewtonSettings(patience=5), _CHUNK) if costly else (None, None)
    kept, batch = multi_start(system, candidates, p, settings=hasty[0], chunk=hasty[1])
    for index in kept:
        if not _resolved(system, batch.x[index : index + 1], p):
            continue
        (state,) = finish(system, batch.x[index : index + 1], p, tolerance, "multi-start Newton")
        if state.converged and state.error_estimate < 1e-6 * (1.0 + abs(state.free_entropy)):
            found.append(state)
            signs.append(float(batch.determinant_sign[index]))
    for perfect in saturated_states(system, p, ""):
        if not any(_same(perfect, state) for state in found):
            found.append(perfect)
            signs.append(1.0)
    order = sorted(range(len(found)), key=lambda i: -found[i].free_entropy)
    if right == 0.0:
        return [found[i] for i in order]
    stable = next((i for i in order if signs[i] == right), None)
    return [
        replace(
            found[i],
            stability="stable" if i == stable else "metastable" if signs[i] == right else "unstable",
        )
        for i in order
    ]


def _resolved(system: Bound, x: Array, p: Array) -> bool:
    """Whether nearly saturated overlaps solve their equation relative to the gap, not only relative to 1."""
    names = list(system.module.ORDER_PARAMETERS)
    f, _ = system.residual_and_jacobian(x, p)
    bounds = _largest_overlaps(system.module, x, p)
    for name in system.module.SATURATING:
        j = names.index(name)
        gap = float(bounds[0, j] - x[0, j])
        if abs(float(f[0, j])) > 1e-6 * gap + 4e-16 * abs(float(bounds[0, j])):
            return False
    return True


def _same(first: State, second: State) -> bool:
    return all(
        abs(value - second.order_parameters[name]) < 1e-6
        for name, value in first.order_parameters.items()
        if not name.endswith("_hat")
    )


def _largest_overlaps(module: ModuleType, x: Array, p: Array) -> Array:
    """The largest value of each order parameter, as :func:`upper_bounds`, and of overlaps with a discrete teacher [B, n]."""
    limits = upper_bounds(module, x)
    names = list(module.ORDER_PARAMETERS)
    if hasattr(module, "alphabets") and "q" in names:
        (student,), (teacher,), (probabilities,) = module.alphabets(p)
        power, q = np.sum(probabilities * teacher**2), names.index("q")
        # a self-overlap that depends on parameters has no number among the bounds: that of the teacher, with r = q
        limits[:, q] = np.minimum(limits[:, q], np.max(student**2) if "r" in names else power)
        if "r" in names:
            limits[:, names.index("r")] = np.sqrt(limits[:, q] * power)  # Cauchy and Schwarz
    return limits


def random_starts(system: Bound, p: Array, count: int) -> Array:
    """States spread over the domain [count, n]: overlaps uniform and crowded near saturation, the rest by updates."""
    module = system.module
    names = list(module.ORDER_PARAMETERS)
    generator = np.random.default_rng(20211)
    x = trivial_state(module, count)
    fraction = np.where(
        np.arange(count) % 2 == 0, generator.random(count), 1.0 - 10.0 ** generator.uniform(-8.0, -0.3, count)
    )
    limits = _largest_overlaps(module, x, p)
    for j, name in enumerate(names):
        if name.endswith("_hat") or name in ("q_d", "p_d"):
            continue
        if name in ("dq", "dp") and getattr(module, "GROUND_STATE", False):  # of any size
            x[:, j] = 10.0 ** generator.uniform(-1.5, 1.5, count)
            continue
        limit = np.where(np.isfinite(limits[:, j]), limits[:, j], 1.0)
        x[:, j] = fraction * limit * (generator.choice([1.0, 1.0, -1.0, 0.5], count) if name == "r" else 1.0)
    points = np.broadcast_to(p, (count, p.shape[1]))
    conjugate = ~is_overlap(module)
    for _ in range(3):
        f, _ = system.residual_and_jacobian(x, points)
        x = np.where(conjugate & np.isfinite(f), x - f, x)
    return fixed_point(system, x, points, sweeps=2)
