"""Locating a zero of an observable, or a capacity, along one parameter by a bracketed scalar root.

Every evaluation follows the branch from the nearest parameter value already solved, so that the same branch is meant
throughout. (Pseudo-arclength continuation will replace this: it also locates what lies on or beyond a fold.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spinodal.numeric.path import follow
from spinodal.numeric.results import Array, Failure, SpecialPoint
from spinodal.numeric.roots import NewtonSettings
from spinodal.numeric.solve import REPLICON_NOISE, Bound, finish, from_small_alpha, is_overlap, quadrature_error

_SCAN = 24


@dataclass(frozen=True)
class Along:
    """The parameter that is solved for: its column, bounds, and whether 1/parameter is the variable.

    Attributes:
        name: the parameter.
        column: its index in p.
        low: lower end of the search (of the parameter itself).
        high: upper end.
    """

    name: str
    column: int
    low: float
    high: float


class Follower:
    """Solves a module along one parameter, each time from the nearest known state of the same branch."""

    def __init__(self, system: Bound, p: Array, along: Along) -> None:
        self.system, self.p, self.along = system, p, along
        self.known: dict[float, Array] = {}

    def point(self, value: float) -> Array:
        """The parameter point with the free parameter set [1, k]."""
        p = self.p.copy()
        p[0, self.along.column] = value
        return p

    def state(self, value: float) -> Array | None:
        """The state at a value [1, n], or None where the branch does not exist."""
        if value in self.known:
            return self.known[value]
        settings = NewtonSettings()
        if self.known:
            nearest = min(self.known, key=lambda known: abs(known - value))
            path = follow(
                self.system,
                self.known[nearest],
                self.point(nearest),
                self.point(value),
                is_overlap(self.system.module),
                settings,
            )
        else:
            path = from_small_alpha(self.system, self.point(value), settings)
        if not path.roots.converged[0]:
            return None
        self.known[value] = path.roots.x
        return path.roots.x


def locate_zero(
    system: Bound, p: Array, along: Along, kind: str, observable: str, *, tolerance: float = 1e-10
) -> SpecialPoint:
    """The first zero of an observable along a parameter, on the branch from small alpha.

    Args:
        system: a module bound to a rule.
        p: the other parameters [1, k].
        along: the parameter to solve for and its range.
        kind: the name of the special point.
        observable: whose zero is wanted.
        tolerance: wanted absolute error of the free entropy at the point.
    """
    follower = Follower(system, p, along)

    def value(at: float) -> float:
        x = follower.state(at)
        if x is None:
            return float("nan")
        return _value(system, x, follower.point(at), observable)

    bracket, reason = _bracket(value, along)
    if bracket is None:
        return _missing(system, p, along, kind, f"{observable} has no zero on the branch from small alpha {reason}")
    from scipy.optimize import brentq  # imported here: loading it takes longer than loading a generated module

    root = float(brentq(value, *bracket, xtol=1e-15 * max(1.0, abs(bracket[1])), rtol=8.9e-16, maxiter=200))
    x = follower.state(root)
    assert x is not None
    h = 1e-4 * max(abs(root), 1e-2)
    slope = (value(root + h) - value(root - h)) / (2 * h)
    if not np.isfinite(slope):
        slope = (value(root) - value(root - h)) / h
    point = follower.point(root)
    error, _, shift = quadrature_error(system, x, point)
    finer = system.refined()
    moved = x - shift
    drift = abs(_value(finer, moved, point, observable) - _value(system, x, point, observable))
    (state,) = finish(system, x, point, tolerance, "bracketed root")
    uncertainty = (max(float(error[0]), drift) + abs(value(root))) / max(abs(slope), 1e-300) + 4e-16 * abs(root)
    if not uncertainty < abs(bracket[1] - bracket[0]):
        return _missing(
            system, p, along, kind, f"{observable} touches zero without crossing it near {along.name} = {root:.6g}"
        )
    return SpecialPoint(
        kind=kind,
        parameters=state.parameters,
        order_parameters=state.order_parameters,
        free_entropy=state.free_entropy,
        error_estimate=float(uncertainty),
        converged=True,
        warnings=state.warnings,
    )


def _value(system: Bound, x: Array, p: Array, observable: str) -> float:
    if observable == "free_entropy":
        return float(system.module.free_entropy(x, p, system.rule)[0])
    return float(system.module.observables(x, p, system.rule)[observable][0])


def _bracket(value: Callable[[float], float], along: Along) -> tuple[tuple[float, float] | None, str]:
    """The first sign change on a grid from the low end, refined towards the branch's end where it stops inside."""
    grid = np.linspace(along.low, along.high, _SCAN)
    previous: tuple[float, float] | None = None
    for at in grid:
        here = value(float(at))
        if not np.isfinite(here):
            if previous is None:
                continue
            found = _towards_end(value, previous, float(at))
            text = f"(the branch ends near {along.name} = {found[1]:.6g})"
            return found[0], text
        if here == 0.0 and value(float(at) + 1e-3 * (along.high - along.low)) == 0.0:
            return None, f"alone: it vanishes identically around {along.name} = {at:.4g}"
        if here == 0.0:
            return (float(at) * (1 - 1e-9) - 1e-12, float(at) * (1 + 1e-9) + 1e-12), ""
        if previous is not None and previous[1] * here < 0.0:
            return (previous[0], float(at)), ""
        previous = (float(at), here)
    span = f"for {along.name} between {along.low:g} and {along.high:g}"
    return None, span if previous is not None else f"{span}: no state was found there"


def _towards_end(
    value: Callable[[float], float], last: tuple[float, float], beyond: float
) -> tuple[tuple[float, float] | None, float]:
    low, sign = last
    high = beyond
    for _ in range(30):
        middle = (low + high) / 2
        here = value(middle)
        if not np.isfinite(here):
            high = middle
            continue
        if here * sign < 0.0:
            return (low, middle), middle
        low = middle
    return None, low


def _missing(system: Bound, p: Array, along: Along, kind: str, reason: str) -> SpecialPoint:
    module = system.module
    parameters = dict(zip(module.PARAMETERS, map(float, p[0]), strict=True))
    parameters[along.name] = float("nan")
    return SpecialPoint(
        kind,
        parameters,
        dict.fromkeys(module.ORDER_PARAMETERS, float("nan")),
        float("nan"),
        float("nan"),
        False,
        Failure(reason, f"widen the range (--along {along.name}=LOW:HIGH), or check the model with solve"),
    )


def locate_capacity(system: Bound, p: Array, along: Along, *, tolerance: float = 1e-10) -> SpecialPoint:
    """The capacity of continuous weights: the value at which the variance within a state, q_d - q, vanishes.

    At a fixed relative gap g = 1 - q/q_d the equations are solved for the other order parameters and the free parameter
    together; the gap is then reduced by factors of 4 and the value extrapolated to g = 0, with the change between
    extrapolations as error estimate.
    """
    module = system.module
    system = system.refined()  # steps become as narrow as sqrt(gap)
    follower = Follower(system, p, along)
    start = None
    for at in np.linspace(along.low, along.high, _SCAN):
        x = follower.state(float(at))
        if x is None:
            break
        start = (float(at), x)
        if _gap(system, x) < 0.2:
            break
    if start is None:
        return _missing(system, p, along, "capacity", "no state was found in the range")
    value, x = start
    gap = _gap(system, x)
    values: list[float] = []
    states: list[Array] = []
    gaps: list[float] = []
    exponent = max(1.0, np.ceil(-np.log2(gap)))
    stride = 2.0
    while exponent < 21.0 and stride > 0.2:
        solved = _at_gap(system, follower, x, value, 2.0 ** -(exponent + stride))
        if solved is None:
            stride /= 2.0
            continue
        x, value = solved
        exponent += stride
        gap = 2.0**-exponent
        stride = min(2.0, 2.0 * stride)
        gaps.append(gap)
        values.append(value)
        states.append(x)
    tail = [i for i, g in enumerate(gaps) if g < 1e-3]
    if len(tail) < 5:
        return _missing(
            system,
            p,
            along,
            "capacity",
            f"the variance within a state does not vanish on the branch (smallest gap reached: {gap:.2g})",
        )
    limit, error = extrapolate(np.array([gaps[i] for i in tail]), np.array([values[i] for i in tail]))
    parameters = dict(zip(module.PARAMETERS, map(float, follower.point(limit)[0]), strict=True))
    order = dict(zip(module.ORDER_PARAMETERS, map(float, states[-1][0]), strict=True))
    for name, bound in module.SATURATING.items():
        if bound not in module.ORDER_PARAMETERS:
            order[name] = float(bound)
    warnings = [f"conjugates diverge at capacity: the values shown are those at a relative gap of {gaps[-1]:.1e}"]
    near = tail[0]
    replicon = module.observables(states[near], follower.point(values[near]), system.rule).get("replicon")
    if replicon is not None and replicon[0] < -REPLICON_NOISE:
        warnings.append(
            f"replicon = {replicon[0]:.4g} < 0 on the way to capacity (at a relative gap of {gaps[near]:.1e}): the "
            "replica-symmetric value is not the true one"
        )
    # the volume of solutions vanishes: the free entropy is -infinity there
    return SpecialPoint("capacity", parameters, order, float("nan"), error, error < 1e-5, warnings=tuple(warnings))


def _gap(system: Bound, x: Array) -> float:
    names = list(system.module.ORDER_PARAMETERS)
    return 1.0 - float(x[0, names.index("q")]) / _self_overlap(system, x)


def _self_overlap(system: Bound, x: Array) -> float:
    names = list(system.module.ORDER_PARAMETERS)
    bound = system.module.SATURATING["q"]
    return float(x[0, names.index(bound)]) if bound in names else float(bound)


def _at_gap(system: Bound, follower: Follower, x0: Array, value0: float, gap: float) -> tuple[Array, float] | None:
    """Newton for the parameter and all order parameters but q, which is held at q = (1 - gap) q_d.

    Gaps are powers of two, so that with a fixed self-overlap 1 - q is exact; unknowns are scaled by their sizes, since
    conjugates grow like powers of 1/gap.
    """
    names = list(system.module.ORDER_PARAMETERS)
    q = names.index("q")
    bound = system.module.SATURATING["q"]
    diagonal = names.index(bound) if bound in names else None
    x, value = x0.copy(), value0
    scale = _gap(system, x) / gap
    for j, name in enumerate(names):
        if name.endswith("_hat"):
            x[0, j] *= scale**2 if name == "q_hat" else scale
    previous = np.inf
    for _ in range(60):
        x[0, q] = (1.0 - gap) * _self_overlap(system, x)
        p = follower.point(value)
        f, jacobian = system.residual_and_jacobian(x, p)
        matrix = jacobian[0].copy()
        if diagonal is not None:
            matrix[:, diagonal] += (1.0 - gap) * matrix[:, q]
        matrix[:, q] = system.parameter_derivative(x, p)[0, :, follower.along.column]
        if not np.all(np.isfinite(matrix)) or not np.all(np.isfinite(f)):
            return None
        sizes = np.abs(x[0]) + 1e-300
        rows = sizes.copy()
        sizes[q], rows[q] = max(abs(value), 1e-3), gap
        try:
            step = np.linalg.solve(matrix * sizes / rows[:, None], f[0] / rows)
        except np.linalg.LinAlgError:
            return None
        size = float(np.max(np.abs(step)))
        damp = 1.0 if size < 0.5 else 0.5 / size
        value -= damp * float(step[q]) * sizes[q]
        step[q] = 0.0
        x = x - damp * step * sizes
        if size < 1e-14 or (size < 1e-6 and size >= previous * 0.5):
            x[0, q] = (1.0 - gap) * _self_overlap(system, x)
            return x, value
        previous = size
    return None


def extrapolate(gaps: Array, values: Array) -> tuple[float, float]:
    """The limit of values(g) at g = 0 by polynomials in g or in sqrt(g), with an error estimate.

    The estimate is the largest difference between the chosen extrapolation and its neighbours (the one from the points
    before, and one order lower), so that rounding noise, which grows as g falls, is seen as well as truncation.
    """
    best, error = float(values[-1]), float("inf")
    for power in (0.5, 1.0):
        t = gaps**power
        for order in (1, 2, 3, 4, 5, 6):
            for stop in range(order + 2, len(t) + 1):
                fit = _neville(t[stop - order - 1 : stop], values[stop - order - 1 : stop])
                before = _neville(t[stop - order - 2 : stop - 1], values[stop - order - 2 : stop - 1])
                lower = _neville(t[stop - order : stop], values[stop - order : stop])
                change = max(abs(fit - before), abs(fit - lower)) + 1e-15 * abs(fit)
                if change < error:
                    best, error = fit, change
    # the smallest of many differences is an optimistic one
    return best, 16.0 * error + 4e-12 * abs(best)


def _neville(t: Array, values: Array) -> float:
    """Polynomial through the points, at t = 0."""
    table = values.astype(float).copy()
    for k in range(1, len(t)):
        table[:-k] = (t[k:] * table[:-k] - t[:-k] * table[1 : len(table) - k + 1]) / (t[k:] - t[:-k])
    return float(table[0])
