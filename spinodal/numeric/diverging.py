"""States whose difference of levels is too large for double precision: infinitely many replicas close to one another.

As the distance of the replicas vanishes below capacity, violating a pattern costs ever less: its cost vanishes
exponentially in 1/distance, and the first difference of levels, lambda, grows exponentially. In all that depends on lambda
it enters as 1/lambda: the free entropy (which is stationary) has its limit long before lambda overflows. There lambda is
held at a huge value, and its own equation is given up; what is the same at its square root is what the limit determines.
"""

from __future__ import annotations

from types import ModuleType
from typing import Protocol

import numpy as np

from spinodal.numeric.held import Held
from spinodal.numeric.path import follow
from spinodal.numeric.quadrature import Rule
from spinodal.numeric.remarks import reliable, warnings_of
from spinodal.numeric.results import Array, State
from spinodal.numeric.roots import NewtonSettings
from spinodal.numeric.rows import Mask, System
from spinodal.numeric.scaled import scaled_system

#: log(1 + lambda) from which 1/lambda is below rounding, and the value at which it is held (its fourth power is finite).
_LARGE, _HELD = 45.0, 150.0
#: What is determined agrees between 1 + lambda and its square root to this, relatively.
_AGREEMENT = 1e-9


class _BoundModule(System, Protocol):
    @property
    def module(self) -> ModuleType: ...

    @property
    def rule(self) -> Rule: ...


def limit_state(
    system: _BoundModule, x: Array, p_x: Array, p: Array, overlaps: Mask, settings: NewtonSettings, tolerance: float
) -> State | None:
    """The limit at p [k] of a branch that was followed to the state x [n] at p_x [k]; None where lambda is not large there.

    The observables are those that the limit determines. The error estimate of the free entropy is its change between two
    values of lambda and two quadrature rules, with rounding.
    """
    module = system.module
    scaled = scaled_system(system)
    y = scaled.scaled(x[None])
    if not _LARGE < y[0, scaled.driver] < np.inf:
        return None
    bounded = overlaps & np.array([name not in module.UNBOUNDED for name in module.ORDER_PARAMETERS])
    driver = np.arange(y.shape[1]) == scaled.driver
    found = []
    for value in (0.5 * _HELD, _HELD):
        held = Held(scaled, driver, np.full(y.shape[1], value))
        path = follow(held, y[:, ~driver], p_x[None], p[None], bounded[~driver], settings)
        if not path.roots.converged[0]:
            return None
        found.append(scaled.states(held.complete(path.roots.x)))
    rules = (system.rule, system.rule.refined())
    entropies = np.array([module.free_entropy(state, p[None], rule)[0] for state in found for rule in rules])
    if not np.all(np.isfinite(entropies)):
        return None
    phi = float(entropies[-1])
    first, last = (module.observables(state, p[None], rules[-1]) for state in found)
    same = {
        name: float(value[0])
        for name, value in last.items()
        if abs(value[0] - first[name][0]) <= _AGREEMENT * (1.0 + abs(value[0]))
    }
    error = float(np.max(np.abs(entropies - phi))) + 8.0 * float(np.finfo(float).eps) * (1.0 + abs(phi))
    same = reliable(same, float(np.exp(_HELD)))
    residual, _ = held.residual_and_jacobian(path.roots.x, p[None])
    size = np.exp(_HELD)
    spread = module.UNBOUNDED[0]
    close = np.abs(found[0][0] - found[1][0]) <= _AGREEMENT * (1.0 + np.abs(found[1][0]))
    open_ones = [n for n, k, c in zip(module.ORDER_PARAMETERS, module.POWERS, close, strict=True) if k == 0 and not c]
    undetermined = f" ({', '.join(open_ones)}: not determined by the limit)" if open_ones else ""
    return State(
        parameters=dict(zip(module.PARAMETERS, map(float, p), strict=True)),
        order_parameters=dict(zip(module.ORDER_PARAMETERS, map(float, found[-1][0]), strict=True)),
        free_entropy=phi,
        observables=same,
        converged=True,
        error_estimate=error,
        residual=float(np.max(np.abs(residual))),
        warnings=(
            f"{spread} is too large for double precision (it grows exponentially as the replicas come close): the free "
            f"entropy and the observables shown have their limits, order parameters are those at {spread} = {size:.0e}"
            f"{undetermined}",
            *warnings_of(same, error, tolerance, counted=module.COUNTED),
        ),
        method=f"limit of diverging {spread}",
    )
