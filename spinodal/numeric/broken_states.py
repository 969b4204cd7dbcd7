"""Solved points of models whose replica symmetry may break: the broken state, frozen blocks, or the symmetric state and why.

Stands above ``solve.py`` (which asks it for the points of such modules) and ``breaking.py`` (the search).
"""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np

from spinodal.numeric.bound import Bound
from spinodal.numeric.breaking import COINCIDENT, Broken, freezes, search, search_at_size, spread
from spinodal.numeric.every_root import random_starts
from spinodal.numeric.finish import finish
from spinodal.numeric.ground_breaking import followed, freezes_in_ground_state, search_ground
from spinodal.numeric.remarks import REPLICON_NOISE, warnings_of
from spinodal.numeric.results import Array, Failure, State, failed
from spinodal.numeric.roots import NewtonSettings, multi_start
from spinodal.numeric.solve import solve_points
from spinodal.numeric.symmetric import relaxed, symmetric_start

#: States spread over the domain from which other roots are looked for.
_STARTS = 24
#: How the method of such states begins.
_COINCIDE = "levels coincide"
#: The size of frozen blocks is looked for down to this, ...
_FEWEST = 1e-3
#: ... by this factor, and located to this relative accuracy: the free entropy is stationary in it.
_FALL, _ACCURACY = 0.7, 1e-13
#: Of a ground state up to this, in the inverse units of its energy.
_MOST = 200.0
#: Multiples of alpha at which a unique ground state is looked for.
_LARGER = (1.2, 1.5, 2.0, 3.0)
#: Multiples of a temperature at which an unstable symmetry is looked into where nothing is found at the temperature itself.
_WARMER = (1.25, 1.6, 2.5)


def broken_points(system: Bound, p: Array, tolerance: float) -> list[State]:
    """One state per row of p [B, k], without a start.

    Where no broken state exists the levels coincide: the replica-symmetric state, whose sizes of blocks have no value (nan),
    with a warning that says so and why.
    """
    if getattr(system.module, "GROUND_STATE", False):
        return [_ground_point(system, row, tolerance) for row in p]
    bases = solve_points(system.module.SYMMETRIC_MODULE, p, tolerance=tolerance)
    return [_broken_point(system, base, row, tolerance) for base, row in zip(bases, p, strict=True)]


def all_broken(system: Bound, p: Array, tolerance: float) -> list[State]:
    """Every root found at one parameter point [1, k]: the one that :func:`broken_points` finds, others, the symmetric one.

    The free entropy of a broken state is smallest in the sizes of blocks, so that it is no measure of stability here: the
    state that the symmetric one breaks into is called stable; the latter is unstable then, or metastable.
    """
    module = system.module
    (first,) = broken_points(system, p, tolerance)
    (base,) = solve_points(module.SYMMETRIC_MODULE, p, tolerance=tolerance)
    found = [replace(first, stability="stable")] if first.converged else []
    if base.converged and not coincide(base) and not (found and coincide(first)):
        stability = "unstable" if base.observables.get("replicon", 1.0) < -REPLICON_NOISE else "metastable"
        found.append(replace(_coinciding(system, base, p[0], "the state of fewer levels"), stability=stability))
    kept, batch = multi_start(system, random_starts(system, p, _STARTS), p, NewtonSettings(iterations=30))
    columns = [module.ORDER_PARAMETERS.index(name) for name in module.BREAKING["sizes"]]
    for x in batch.x[kept]:
        if spread(module, x[None])[0] <= COINCIDENT or np.any(x[columns] <= 0.0) or np.any(x[columns] > 1.0):
            continue
        (state,) = finish(system, x[None], p, tolerance, "multi-start Newton")
        known = any(np.allclose(list(other.order_parameters.values()), x, rtol=1e-5, atol=1e-6) for other in found)
        if state.converged and not known and state.error_estimate < 1e-6 * (1.0 + abs(state.free_entropy)):
            found.append(replace(state, stability="metastable"))
    return sorted(found, key=lambda state: -state.free_entropy)


def coincide(state: State) -> bool:
    """Whether a state is the replica-symmetric one, in the order parameters of a broken ansatz."""
    return state.method.startswith(_COINCIDE)


def _broken_point(system: Bound, base: State, p: Array, tolerance: float) -> State:
    module = system.module
    if hasattr(module.SYMMETRIC_MODULE, "BREAKING") and (coincide(base) or base.method.startswith("limit")):
        return _symmetric(system, base, p, Broken(None, base.warnings[-1]))
    if not base.converged or base.method.startswith("limit"):
        failure = base.failure or Failure("it is the saturated state", "raise the temperature or lower alpha")
        reason = f"there is no replica-symmetric state to look for a broken one from: {failure.reason}"
        return failed(module, p, Failure(reason, f"{failure.advice}; or give a start (--start)"))
    x = np.array([base.order_parameters[name] for name in module.SYMMETRIC_MODULE.ORDER_PARAMETERS])
    sized = getattr(module, "SIZED_MODULE", None)
    given = None if sized is None else Bound(sized, system.rule)
    broken = search(system, given, x, p)
    if broken.x is not None:
        (state,) = finish(system, broken.x[None], p[None], tolerance, "found from the replica-symmetric state")
        if state.converged:
            return state
    entropy = base.observables.get("entropy", np.nan)
    one_step = len(module.BREAKING["levels"][0]) == 2  # frozen blocks do not break further
    if given is not None and one_step and module.BREAKING["counted"] and entropy < 0.0:
        frozen = _frozen(module, p, tolerance)
        m = frozen.order_parameters[module.BREAKING["size"]] if frozen.converged else 1.0
        if m < 1.0:
            if freezes(given, x, np.append(p, m)):
                return frozen
            # blocks of that size hold more than one configuration
            inside = search_at_size(system, given, x, p, m)
            if inside is not None:
                (state,) = finish(system, inside[None], p[None], tolerance, "found from blocks of nearly frozen copies")
                if state.converged:
                    return state
        if freezes(given, x, np.append(p, 1.0)):
            return frozen
    elif given is not None and one_step and module.BREAKING["counted"] and freezes(given, x, np.append(p, 1.0)):
        broken = Broken(None, f"the states are frozen, single configurations, and the complexity at m = 1 is {entropy:.6g}")
    if base.observables.get("replicon", 1.0) < -REPLICON_NOISE:
        elsewhere = ((module.BREAKING["temperature"], _WARMER, "a larger temperature"), ("alpha", _LARGER, "a larger alpha"))
        for name, factors, whence in elsewhere:
            followed_here = _from_larger(system, given, p, name, factors) if name else None
            if followed_here is not None:
                (state,) = finish(system, followed_here[None], p[None], tolerance, f"followed from {whence}")
                if state.converged:
                    return state
    return _symmetric(system, base, p, broken)


def _from_larger(system: Bound, sized: Bound | None, p: Array, name: str, factors: tuple[float, ...]) -> Array | None:
    """The broken state [n] of an unstable symmetry, followed from larger values of a parameter; None where there is none.

    At low temperature levels lie so close to the self-overlap that a scan over overlaps steps across the state.
    """
    module = system.module
    column = module.PARAMETERS.index(name)
    for factor in factors:
        far = p.copy()
        far[column] *= factor
        (base,) = solve_points(module.SYMMETRIC_MODULE, far[None], tolerance=1e-6)
        if not base.converged or base.method.startswith("limit") or coincide(base):
            continue
        broken = search(system, sized, _order(module.SYMMETRIC_MODULE, base), far)
        here = None if broken.x is None else followed(system, broken.x, far, p, column)
        if here is not None and spread(module, here[None])[0] > COINCIDENT:
            return here
    return None


def _ground_point(system: Bound, p: Array, tolerance: float) -> State:
    """The ground state of broken symmetry: frozen blocks, a state found from the symmetric one here or at larger alpha."""
    module = system.module
    mu = float(module.block_size(p[None])[0]) if hasattr(module, "block_size") else None
    if hasattr(module, "FROZEN_MODULE"):
        frozen = _frozen_ground(system, p, mu, tolerance)
        if frozen is not None:
            return frozen
    sized = Bound(module.SIZED_MODULE, system.rule)
    (base,) = solve_points(module.SYMMETRIC_MODULE, p[None], tolerance=tolerance)
    if not base.converged:
        x = _from_larger_alpha(system, sized, p, mu)
        if x is not None:
            (state,) = finish(system, x[None], p[None], tolerance, "followed from a larger alpha")
            if state.converged:
                return state
        failure = base.failure or Failure("it was not found", "lower alpha")
        reason = f"there is no replica-symmetric state to look for a broken one from: {failure.reason}"
        return failed(module, p, Failure(reason, f"{failure.advice}; or give a start (--start)"))
    broken = search_ground(system, sized, _order(module.SYMMETRIC_MODULE, base), p, mu)
    if broken.x is not None:
        (state,) = finish(system, broken.x[None], p[None], tolerance, "found from the replica-symmetric state")
        if state.converged:
            return state
    if not np.isfinite(base.observables.get("replicon", -np.inf)):
        reason = f"the replica-symmetric ground state is unstable, but no broken one was found: {broken.reason}"
        return failed(module, p, Failure(reason, "give a start (--start), or mu"))
    return _coinciding(system, base, p, broken.reason)


def _order(module: ModuleType, state: State) -> Array:
    """The order parameters [n] of a state."""
    return np.array([state.order_parameters[name] for name in module.ORDER_PARAMETERS])


def _from_larger_alpha(system: Bound, sized: Bound, p: Array, mu: float | None) -> Array | None:
    """The broken state [n] where the symmetric one is not unique, followed from larger alpha; None if it ends before."""
    module = system.module
    column = module.PARAMETERS.index("alpha")
    for factor in _LARGER:
        far = p.copy()
        far[column] *= factor
        (base,) = solve_points(module.SYMMETRIC_MODULE, far[None], tolerance=1e-6)
        if base.converged:
            broken = search_ground(system, sized, _order(module.SYMMETRIC_MODULE, base), far, mu)
            return None if broken.x is None else followed(system, broken.x, far, p, column)
    return None


def _frozen_ground(system: Bound, p: Array, mu: float | None, tolerance: float) -> State | None:
    """Single configurations in blocks, if they are frozen: replica symmetry at the temperature 1/mu; else None.

    Without a given mu it is where the entropy, which is the complexity, vanishes; a failure where it stays positive.
    """
    module = system.module

    def state(size: float) -> State:
        (found,) = solve_points(module.FROZEN_MODULE, np.append(p, size)[None], tolerance=tolerance)
        return found

    def entropy(size: float) -> float:
        return float(state(size).observables.get("entropy", np.nan))

    if mu is None:
        low = high = 1.0
        while high < _MOST and entropy(high) > 0.0:
            low, high = high, high / _FALL
        if high >= _MOST:
            reason = (
                f"the ground state is not unique: the complexity of single configurations is positive up to mu = {low:.4g}"
            )
            return failed(module, p, Failure(reason, "take more patterns, or count configurations with a constraint"))
        while low > _FEWEST and not entropy(low) > 0.0:
            low, high = _FALL * low, low
        below, above = state(low), state(high)
        if not below.observables.get("entropy", -1.0) > 0.0 >= above.observables.get("entropy", 1.0):
            return None
        mu = _vanishing(entropy, low, high, below, above)
    copy = state(mu)
    if not copy.converged or copy.method.startswith("limit"):
        return None
    sized = Bound(module.SIZED_MODULE, system.rule)
    if not freezes_in_ground_state(sized, _order(module.FROZEN_MODULE, copy), np.append(p, mu)):
        return None
    return _in_blocks(module, copy, mu, p)


def _symmetric(system: Bound, base: State, p: Array, broken: Broken) -> State:
    """The state of one level less in the broken ansatz' order parameters; a failure where it is unstable."""
    module = system.module
    replicon = base.observables.get("replicon", 1.0)
    if replicon < -REPLICON_NOISE:
        reason = f"the state of fewer levels is unstable (replicon {replicon:.4g}), but no broken state was found"
        advice = "give a start (--start), or a size of blocks"
        return failed(module, p, Failure(f"{reason}: {broken.reason}", advice))
    return _coinciding(system, base, p, broken.reason)


def _coinciding(system: Bound, base: State, p: Array, reason: str) -> State:
    """The state of one level less in the broken ansatz' order parameters, with a warning that says why it is shown."""
    module = system.module
    breaking = module.BREAKING
    own = np.array([[base.order_parameters[name] for name in module.SYMMETRIC_MODULE.ORDER_PARAMETERS]])
    (x,) = relaxed(system, symmetric_start(module, own, breaking["state"]), p[None], breaking["guessed"])
    values = dict(zip(module.ORDER_PARAMETERS, map(float, x), strict=True))
    if breaking["size"]:
        values[breaking["size"]] = float("nan")
    observables = {name: base.observables[name] for name in module.OBSERVABLES if name in base.observables}
    if "complexity" in module.OBSERVABLES:
        observables["complexity"] = 0.0
    what = "no further step of symmetry breaking" if hasattr(module.SYMMETRIC_MODULE, "BREAKING") else "replica symmetric"
    note = f"{what}: {reason}; the levels of overlaps coincide"
    if breaking["size"]:
        note += f", and {breaking['size']} has no value"
    return replace(
        base,
        order_parameters=values,
        observables=observables,
        method=f"{_COINCIDE}; {base.method}",
        warnings=(*base.warnings, note),
        parameters=dict(zip(module.PARAMETERS, map(float, p), strict=True)),
    )


def _frozen(module: ModuleType, p: Array, tolerance: float) -> State:
    """Copies frozen in one configuration, in blocks: replica symmetry at the temperature T/m where the entropy vanishes."""
    frozen = getattr(module, "FROZEN_MODULE", None)
    if frozen is None:
        reason = (
            "the entropy of the replica-symmetric state is negative and its states are single configurations: there are none"
        )
        return failed(
            module, p, Failure(reason, "lower alpha, or declare an energy at a temperature instead of a constraint")
        )

    def state(m: float) -> State:
        (found,) = solve_points(frozen, np.append(p, m)[None], tolerance=tolerance)
        return found

    high, low = 1.0, _FALL
    while low > _FEWEST and not state(low).observables.get("entropy", np.nan) >= 0.0:
        high, low = low, _FALL * low
    below, above = state(low), state(high)
    if not (below.observables["entropy"] >= 0.0 > above.observables["entropy"]):
        reason = "the entropy does not vanish at any size of frozen blocks"
        return failed(module, p, Failure(reason, "raise the temperature"))
    m = _vanishing(lambda size: state(size).observables["entropy"], low, high, below, above)
    return _in_blocks(module, state(m), m, p)


def _vanishing(entropy: object, low: float, high: float, below: State, above: State) -> float:
    """Where the entropy vanishes, by the false position with the Illinois rule."""
    assert callable(entropy)
    a, fa, b, fb = low, below.observables["entropy"], high, above.observables["entropy"]
    m, side = a, 0
    for _ in range(60):
        m = (a * fb - b * fa) / (fb - fa)
        value = float(entropy(m))
        if abs(value) < _ACCURACY or abs(b - a) < _ACCURACY * b:
            break
        if value * fb > 0.0:
            b, fb = m, value
            fa, side = (0.5 * fa, 1) if side == 1 else (fa, 1)
        else:
            a, fa = m, value
            fb, side = (0.5 * fb, -1) if side == -1 else (fb, -1)
    return m


def _in_blocks(module: ModuleType, copy: State, m: float, p: Array) -> State:
    """The state of m frozen copies in the broken ansatz' order parameters; conjugates of the inner level are infinite."""
    inner = {levels[-1]: levels[0][0] for levels in module.BREAKING["levels"]}
    outer = {levels[0]: levels[0][0] for levels in module.BREAKING["levels"]}
    own = copy.order_parameters

    def value(name: str) -> float:
        letter = name.removesuffix("_hat")
        if name in module.BREAKING["sizes"]:
            return m
        if letter in ("dq", "dp"):
            return float("nan") if name.endswith("_hat") else 0.0
        if letter in inner or letter in (f"{x}_d" for x in inner.values()):
            if name.endswith("_hat"):
                return float("nan")
            return own.get(f"{name[0]}_d", 1.0)
        if letter in outer:
            source = outer[letter]
            return own[f"{source}_hat"] / m**2 if name.endswith("_hat") else own[source]
        return own[name] / m if name.endswith("_hat") else own[name]

    kept = ("energy", "training_error", "generalization_error", "generalization_error_barycentre")
    observables = {name: copy.observables[name] for name in kept if name in copy.observables and name in module.OBSERVABLES}
    if "generalization_error_barycentre" in observables:  # the centre of a block is the configuration itself
        observables["generalization_error_barycentre"] = observables["generalization_error"]
    observables |= {name: 0.0 for name in ("entropy", "complexity") if name in module.OBSERVABLES}
    if "replicon" in copy.observables:
        observables["replicon_q0"] = copy.observables["replicon"]
    note = f"frozen: every state is one configuration (conjugates of the inner level are infinite), m = {m:.6g}"
    if getattr(module, "GROUND_STATE", False):  # the entropy of a copy is that of configurations of one energy
        observables["complexity"] = copy.observables["entropy"]
        note = f"frozen: every state is one configuration (its conjugate is infinite, and dq is 0), mu = {m:.6g}"
    remarks = warnings_of(observables, copy.error_estimate, np.inf, counted=True)
    return replace(
        copy,
        parameters=dict(zip(module.PARAMETERS, map(float, p), strict=True)),
        order_parameters={name: value(name) for name in module.ORDER_PARAMETERS},
        free_entropy=copy.free_entropy / m,
        observables=observables,
        error_estimate=copy.error_estimate / m,
        warnings=(*(w for w in copy.warnings if not w.startswith(("replicon", "entropy"))), *remarks, note),
        method=f"limit of frozen blocks; {copy.method}",
    )
