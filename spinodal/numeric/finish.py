"""Converged states as results: error estimates, refinement, observables, warnings."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from spinodal.numeric.bound import Bound, is_overlap
from spinodal.numeric.remarks import blurred, not_finite, reliable, settled, unresolved, warnings_of, without_value
from spinodal.numeric.results import Array, Failure, State
from spinodal.numeric.roots import NewtonSettings, newton
from spinodal.numeric.rows import Mask, is_inside
from spinodal.numeric.scaled import GROUND_POWERS, ground_powers

#: Quadrature is refined until the free entropy's error estimate is below the tolerance, at most this often.
_REFINEMENTS = 3
#: Relative changes under which a root of the refined equations is the same state, and violations of them by a state that
#: is none.
_SAME_STATE, _UNSOLVED = 0.1, 1e-4
#: A larger last step is left to Newton with more nodes.
_LAST_STEP = 1e-5
#: Overlaps smaller than this are not far above rounding.
_TINY = 1e-9


def finish(system: Bound, x: Array, p: Array, tolerance: float, method: str) -> list[State]:
    """Error estimates, refinement, observables and warnings of converged states [B, n].

    Rows are refined by themselves: a state that needs many nodes costs its neighbours nothing.
    """
    current, states = system, x.copy()
    found: dict[int, State] = {}
    rows = np.arange(len(x))
    for attempt in range(_REFINEMENTS + 1):
        if rows.size == 0:
            break
        errors = _errors(current, states[rows], p[rows])
        # more nodes do not make rounding smaller
        good = (errors[0] <= tolerance) | (attempt == _REFINEMENTS)
        done = rows[good]
        if done.size:
            own = tuple(part[good] for part in errors)
            found.update(zip(done, _described(current, states[done], p[done], own, tolerance, method), strict=True))
        rows = rows[~good]
        current = current.refined()
        again = newton(current, states[rows], p[rows], NewtonSettings(iterations=12))
        change = np.max(np.abs(again.x - states[rows]) / (1.0 + np.abs(states[rows])), axis=1)
        near = again.converged & (change < _SAME_STATE)
        states[rows[near]] = again.x[near]
    return [found[row] for row in range(len(x))]


def _described(
    current: Bound, states: Array, p: Array, errors: tuple[Array, ...], tolerance: float, method: str
) -> list[State]:
    """States [B, n] as results, given what :func:`_errors` says of them."""
    module = current.module
    quadrature, rounding, free_entropy, shift = errors
    error = quadrature + rounding
    solved = states
    states = _last_step(current, states, shift, p)
    if getattr(
        module, "REFERENCE", None
    ):  # phi is no stationary function of a reference's overlaps: their last step changes it
        free_entropy = module.free_entropy(states, p, current.refined().rule)
    residual = current.residual(states, p)
    scaled = np.max(np.abs(residual) / (1.0 + np.abs(states)), axis=1)
    coarse, observables = (module.observables(states, p, rule) for rule in (current.rule, current.refined().rule))
    unbounded = [module.ORDER_PARAMETERS.index(name) for name in getattr(module, "UNBOUNDED", ())]
    nearby = _observables_nearby(current, states, np.where(states == solved, shift, 0.0), p)
    result = []
    for i in range(len(states)):
        everything = {name: float(column[i]) for name, column in observables.items()}
        everything = reliable(everything, float(np.max(np.abs(states[i, unbounded]), initial=0.0)))
        before = {name: float(column[i]) for name, column in coarse.items()}
        finite = {name: _rounded(name, value) for name, value in everything.items() if np.isfinite(value)}
        steady = settled(finite, before)
        values, unsure = blurred(steady, [{name: float(one[name][i]) for name in steady} for one in nearby])
        warnings = list(warnings_of(everything, float(error[i]), tolerance, counted=module.COUNTED))
        warnings += [*not_finite(everything), *without_value(finite, steady), *unresolved(values, before), *unsure]
        failure = None
        if not np.isfinite(free_entropy[i]):
            failure = Failure("the free entropy is not finite at this state", "check the model at these parameters")
        elif not scaled[i] < _UNSOLVED:
            failure = Failure(
                f"averages change too fast for the quadrature rule: more nodes violate the equations by {scaled[i]:.1g}",
                "raise the temperature or the regularization, or write a less steep loss or label",
            )
        result.append(
            State(
                parameters=dict(zip(module.PARAMETERS, map(float, p[i]), strict=True)),
                order_parameters=dict(zip(module.ORDER_PARAMETERS, map(float, states[i]), strict=True)),
                free_entropy=float(free_entropy[i]),
                observables=values,
                converged=failure is None,
                error_estimate=float(error[i]),
                residual=float(scaled[i]),
                warnings=tuple(warnings),
                failure=failure,
                method=f"{method}; {current.rule.name} quadrature, {current.rule.n} nodes",
            )
        )
    return result


def _last_step(system: Bound, x: Array, shift: Array, p: Array) -> Array:
    """The states after the Newton step of the refined rule, where it is small and stays inside."""
    moved = x - shift
    small = np.max(np.abs(shift) / (1.0 + np.abs(x)), axis=1) < _LAST_STEP
    return np.where((small & is_inside(system, moved, p))[:, None], moved, x)


def _observables_nearby(system: Bound, x: Array, shift: Array, p: Array) -> list[dict[str, Array]]:
    """Observables [B] at states that rounding cannot tell from x [B, n]; none where every overlap is well above it.

    Args:
        system: the bound module.
        x: the states.
        shift: Newton steps that could not be taken, 0 where they were.
        p: the parameters.
    """
    overlap = is_overlap(system.module)
    tiny = overlap & (x != 0.0) & (np.abs(x) < _TINY)
    if not tiny.any():
        return []
    rounded = x + np.where(tiny, 4.0 * np.finfo(float).eps * np.sign(x), 0.0)
    step = np.where(tiny, shift, 0.0)
    # a step that leads outside makes an overlap with the teacher larger than that of two students allows
    own = tiny & np.array([name in system.module.SATURATING for name in system.module.ORDER_PARAMETERS])
    missed = np.where(own, np.maximum(x, 2.0 * np.sum(step * step, axis=1, keepdims=True)), x - step)
    return [system.module.observables(moved, p, system.refined().rule) for moved in (rounded, missed)]


def _rounded(name: str, value: float) -> float:
    """An error rate that came out below zero, or a unit of rounding above, is zero."""
    return 0.0 if name.endswith(("_error", "_barycentre")) and -1e-12 < value < 3e-16 else value


def quadrature_error(system: Bound, x: Array, p: Array) -> tuple[Array, Array, Array]:
    """(error estimate of phi, phi, shift of the state) from the rule and the refined rule [B], [B], [B, n].

    phi is stationary, so that an error dx of the state enters to second order, as F . dx; the rounding floor is that of
    the pairing terms, which cancel in phi.
    """
    quadrature, rounding, phi, shift = _errors(system, x, p)
    return quadrature + rounding, phi, shift


def _errors(system: Bound, x: Array, p: Array) -> tuple[Array, Array, Array, Array]:
    """As :func:`quadrature_error`, the rounding floor by itself: (quadrature, rounding, phi, shift)."""
    finer = system.refined()
    with np.errstate(all="ignore"):  # a free entropy that is not finite is reported as such
        coarse = system.module.free_entropy(x, p, system.rule)
        fine = system.module.free_entropy(x, p, finer.rule)
        f, j = finer.residual_and_jacobian(x, p)
        scales = _magnitudes(system.module, x)
        f, j = f / scales, j * scales[:, None, :] / scales[:, :, None]
        alone = len(x) == 1 and bool(np.isfinite(j).all() and np.isfinite(f).all())
        shift = np.nan_to_num(np.linalg.lstsq(j[0], f[0])[0])[None] if alone else _shifts(j, f)
        overlap = is_overlap(system.module)
        size = np.abs(x) / scales
        pairing = np.zeros(len(x))
        if getattr(system.module, "GROUND_STATE", False):  # mu is no overlap, and no conjugate: it multiplies both
            mu, levels = _levels_in_blocks(system.module)
            pairing = np.sum(np.abs(x[:, mu]), axis=1) * np.max(np.abs(x[:, levels]), axis=1, initial=0.0)
            overlap, size = overlap & ~mu, np.where(mu, 0.0, size)
        pairing += np.sum(size[:, overlap], axis=1) * np.max(size, axis=1) * _pairing_scale(system.module, x)
        rounding = 8.0 * np.finfo(float).eps * (1.0 + pairing)
        second = np.sum(np.abs(f * shift) * (1.0 + np.abs(p[:, :1])), axis=1)
        return np.abs(fine - coarse) + second, rounding, np.asarray(fine), shift * scales


def _levels_in_blocks(module: ModuleType) -> tuple[Mask, Mask]:
    """Of a ground state: which order parameters are mu, and which are conjugates of levels, of which mu takes a share."""
    names = module.ORDER_PARAMETERS
    return np.array([name == "mu" for name in names]), ground_powers(module) == GROUND_POWERS["q_hat"]


def _magnitudes(module: ModuleType, x: Array) -> Array:
    """How order parameters scale where a difference of levels diverges (products of partners do not) [B, n]."""
    if getattr(module, "GROUND_STATE", False):
        spread = x[:, module.ORDER_PARAMETERS.index("dq")]
        return np.asarray(spread[:, None] ** ground_powers(module))
    powers = getattr(module, "POWERS", ())
    if not powers:
        return np.ones_like(x)
    driver = 1.0 + np.abs(x[:, module.ORDER_PARAMETERS.index(module.UNBOUNDED[0])])
    return np.asarray(driver[:, None] ** np.array(powers, dtype=float))


def _pairing_scale(module: ModuleType, x: Array) -> Array:
    """The product of the magnitudes of an overlap and its partner [B]: (q, dq_hat) or (dq, q_hat) at a ground state."""
    if not getattr(module, "GROUND_STATE", False):
        return np.ones(len(x))
    return np.asarray(1.0 / x[:, module.ORDER_PARAMETERS.index("dq")])


def _shifts(jacobian: Array, residual: Array) -> Array:
    with np.errstate(all="ignore"):
        try:
            return np.asarray(np.linalg.solve(jacobian, residual[..., None])[..., 0])
        except np.linalg.LinAlgError:
            return np.asarray(residual)
