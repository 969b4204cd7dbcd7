"""Every derivation's checks of itself, numerically and by independent routes.

* the replicated expression at small real n against its n -> 0 limit: the channels are recomputed as (1/n) log E[Z^n] by
  nested Gauss-Hermite sums over explicitly sampled fields, with no closed form of the limit;
* the saddle-point equations against the raw gradient of the free entropy (central differences, extrapolated);
* the Jacobian and its directional derivative by Taylor slopes;
* averages in closed form against mpmath quadrature of the same integrands.

Points are drawn in the domain with a fixed seed. A check that cannot be made says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import mpmath
import numpy as np
import sympy as sp

from spinodal.codegen.cache import execute
from spinodal.codegen.lower import lower
from spinodal.codegen.numpy_target.emit import emit
from spinodal.companions import companions
from spinodal.ground_checks import ground_free_entropy
from spinodal.numeric.bound import Bound, is_overlap
from spinodal.numeric.finish import quadrature_error
from spinodal.numeric.ground_breaking import at_unit
from spinodal.numeric.origins import begins_inside
from spinodal.numeric.quadrature import Automatic
from spinodal.numeric.results import Array
from spinodal.numeric.roots import NewtonSettings, newton
from spinodal.numeric.runtime import difference
from spinodal.numeric.solve import from_small_alpha, solve_points, trivial_state
from spinodal.replicated_checks import coupled_free_entropies, replicated_free_entropy, with_definitions
from spinodal.symbolic.action import action_of
from spinodal.symbolic.channel import Unexplained
from spinodal.symbolic.derivation import Breaking, Derived
from spinodal.symbolic.derive import derive, gather
from spinodal.symbolic.formulas import symbol

#: The rule for the free entropy, whose differences are taken.
_FINE = Automatic(120)
#: What derivatives are checked to, relative to one plus their size.
_DERIVATIVES = 1e-6
#: Relative steps of differences: long ones have the smaller rounding errors, short ones stay inside a narrow domain.
_STEPS = (2e-3, 2e-4, 5e-5)
#: How many states are drawn at once.
_DRAWN = 8
#: How far from solved states derivatives are compared, relative to the states; the first at which there is room enough.
_PARTS = tuple(0.005 * 0.5**k for k in range(8))

#: What vanishes by symmetry does so to this, and how far it is moved off, the first at which the domain is entered.
_STILL, _MOVED = 1e-9, (0.1, 0.05, 0.02, 0.01, 0.005)


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was compared, the largest deviation found, and the tolerance it was held to."""

    name: str
    deviation: float
    tolerance: float
    made: bool = True

    @property
    def passed(self) -> bool:
        """Whether the deviation is within the tolerance (a check that was not made has not passed)."""
        return self.made and self.deviation <= self.tolerance

    @property
    def verdict(self) -> str:
        """``verified``, ``FAILED`` or ``not checked``."""
        return ("verified" if self.passed else "FAILED") if self.made else "not checked"


def run_checks(derived: Derived) -> tuple[Check, ...]:
    """Run every check of a derivation (a few seconds)."""
    module = _executed(derived)
    x, p = _points(derived, module)
    if len(x) == 0:
        return (Check("no state inside the domain was found at the default parameters", float("nan"), 0.0, made=False),)
    made = (
        _stationarity(module, x, p),
        _jacobian(module, x, p),
        _directional(module, x, p),
        _parameters(module, x, p),
        _limit(derived)(derived, module, x, p),
        _moments(derived),
    )
    return tuple(check for check in made if check is not None)


def _executed(derived: Derived) -> ModuleType:
    """The solver module of a derivation, in memory alone; those that it asks for are derived when it does."""
    module = execute(emit(lower(derived), identity="check", equations={}), "spinodal_check", Path("<check>"))
    others = companions(module, derived.spec)

    def companion(name: str) -> ModuleType:
        if name not in others:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        found = module if others[name] is derived.spec else _executed(derive(others[name]))
        vars(module)[name] = found
        return found

    vars(module)["__getattr__"] = companion
    return module


def _limit(derived: Derived) -> Callable[..., Check]:
    """The check of the limit that the ansatz takes."""
    if derived.ground:
        return _ground
    return _coupled if getattr(derived.channels[0], "concentrated", False) else _replicated


def _points(derived: Derived, module: ModuleType, count: int = 2) -> tuple[Array, Array]:
    """States and parameters inside the domain, off the saddle point [B, n], [B, k]."""
    generator = np.random.default_rng(1988)
    defaults = {d.name: d.default for d in derived.spec.parameters}
    p = np.array([[_default(defaults[n]) for n in module.PARAMETERS]])
    p = np.repeat(p, 64, axis=0)
    column = list(module.PARAMETERS).index("alpha")
    p[:, column] = generator.uniform(0.2, 0.9, len(p))
    if derived.ground:  # with few patterns the ground state may not be unique
        p[:, column] = generator.uniform(2.5, 4.0, len(p))
    if derived.ground and derived.breaking is not None:
        x, p = _broken_ground_states(module, p[:2])
        return x * (1.0 + 0.005 * generator.uniform(-1.0, 1.0, x.shape)), p
    if begins_inside(module) or derived.ground:
        return _near_the_branch(derived, module, p[: 2 * count], generator, count)
    x = trivial_state(module, len(p))
    overlap = is_overlap(module)
    for j, name in enumerate(module.ORDER_PARAMETERS):
        if name in ("q", "p"):
            x[:, j] = generator.uniform(0.15, 0.7, len(p))
        elif name == "r":
            x[:, j] = generator.uniform(0.05, 0.35, len(p))
        elif name in ("q_d", "p_d"):
            x[:, j] = generator.uniform(0.9, 1.4, len(p))
    if derived.symmetric is not None:
        p[:, list(module.PARAMETERS).index(derived.symmetric.parameter)] = generator.uniform(0.55, 0.8, len(p))
        for j, name in enumerate(module.ORDER_PARAMETERS):
            if name == "p1":
                x[:, j] = generator.uniform(0.5, 0.8, len(p))
            elif name in ("q0", "p0"):
                x[:, j] = generator.uniform(0.15, 0.4, len(p))
            elif name.removesuffix("_hat") in module.UNBOUNDED:
                x[:, j] = generator.uniform(0.1, 0.6, len(p))
    if derived.breaking is not None:
        _spread_levels(derived.breaking, module, x, generator)
    free = ~overlap & np.array(
        [n.removesuffix("_hat") not in getattr(module, "UNBOUNDED", ()) for n in module.ORDER_PARAMETERS]
    )
    factor = generator.uniform(0.7, 1.2, x.shape)
    above = None
    if derived.symmetric is not None and "q0_hat" in module.ORDER_PARAMETERS and "q1_hat" in module.ORDER_PARAMETERS:
        # the equation of a given overlap does not say what its conjugate is: a little above the other level's
        above = [module.ORDER_PARAMETERS.index(name) for name in ("q1_hat", "q0_hat")]
    states, points = x[:0], p[:0]
    for start in range(0, len(x), _DRAWN):  # averages inside averages take long: no more than are needed
        part = slice(start, start + _DRAWN)
        f = module.residual(x[part], p[part])
        moved = np.where(free & np.isfinite(f), x[part] - f * factor[part], x[part])
        if above is not None:
            moved[:, above[0]] = moved[:, above[1]] + factor[part, above[0]] - 0.5
        good = np.all(module.conditions(moved, p[part]) > 0.02, axis=1)
        if not good.any():
            continue
        moved, at = moved[good][: 2 * count], p[part][good][: 2 * count]
        f, j = module.residual_and_jacobian(moved, at)
        good = np.all(np.isfinite(f), axis=1) & np.all(np.isfinite(j), axis=(1, 2))
        states, points = np.concatenate([states, moved[good]]), np.concatenate([points, at[good]])
        if len(states) >= count:
            break
    return states[:count], points[:count]


def _spread_levels(breaking: Breaking, module: ModuleType, x: Array, generator: np.random.Generator) -> None:
    """Fill in overlaps that rise from level to level, and sizes of blocks that do the same."""
    names = list(module.ORDER_PARAMETERS)
    for levels in breaking.levels:
        value = generator.uniform(0.15, 0.35, len(x))
        for name in levels:
            x[:, names.index(name)] = value
            value = value + generator.uniform(0.1, 0.2, len(x))
    for k, name in enumerate(breaking.sizes):
        x[:, names.index(name)] = generator.uniform(0.3 + 0.35 * k, 0.6 + 0.35 * k, len(x))


def _near_the_branch(
    derived: Derived, module: ModuleType, p: Array, generator: np.random.Generator, count: int
) -> tuple[Array, Array]:
    """States close to solved ones, where the domain is too narrow to be met at random: those with the most room.

    The domain ends where a variance is explained by other fields altogether. How far a state is moved from the solved one is
    halved until at least half of what that one has left is left; one that the rule does not resolve there is dropped.
    """
    system = Bound(module, module.RULE)
    roots = from_small_alpha(system, p, NewtonSettings()).roots
    direction = generator.uniform(-1.0, 1.0, roots.x.shape)
    found: list[tuple[float, Array, Array]] = []
    for root, along, point, converged in zip(roots.x, direction, p, roots.converged, strict=True):
        if not converged:
            continue
        start = _inside(module, root, point)
        if start is None:
            continue
        room = _room(derived, module, start, point)
        for part in _PARTS:
            x = start * (1.0 + part * along)
            if module.conditions(x[None], point[None]).min() > 0.0 and _room(derived, module, x, point) >= 0.5 * room:
                if _is_resolved(module, x, point):
                    found.append((room, x, point))
                break
    best = sorted(found, key=lambda entry: -entry[0])[:count]
    states = np.array([x for _, x, _ in best]).reshape(-1, len(module.ORDER_PARAMETERS))
    return states, np.array([point for _, _, point in best]).reshape(-1, p.shape[1])


def _inside(module: ModuleType, root: Array, p: Array) -> Array | None:
    """A solved state [n], with what vanishes by symmetry moved to where covariances are smaller than variances.

    There the domain ends: the equations have derivatives to one side only. None where no such state is found.
    """
    still = np.abs(root) < _STILL
    if not still.any():
        return root
    levels = np.array([name.replace("_hat", "") in module.SATURATING for name in module.ORDER_PARAMETERS])
    for part in _MOVED:
        x = np.where(still, np.where(levels, part, 0.5 * part), root)
        if module.conditions(x[None], p[None]).min() > 0.0 and np.all(np.isfinite(module.residual(x[None], p[None]))):
            return x
    return None


def _room(derived: Derived, module: ModuleType, x: Array, p: Array) -> float:
    """The smallest part of a variance that other fields leave unexplained at a state; 1 where nothing explains any."""
    table = with_definitions(derived, _numbers(module, x, p))
    if table is None:
        return 1.0
    parts = [
        float(sp.N((node.doit() / node.args[0]).xreplace(table)))
        for definition in derived.definitions
        for node in sp.sympify(definition.expression).atoms(Unexplained)
    ]
    return min(parts, default=1.0)


def _is_resolved(module: ModuleType, x: Array, p: Array) -> bool:
    """Whether twice the nodes leave the Jacobian at a state as it is, to a tenth of what it is checked to."""
    coarse, fine = (module.jacobian(x[None], p[None], rule) for rule in (module.RULE, module.RULE.refined()))
    return _relative(coarse, fine) < 0.1 * _DERIVATIVES


def _numbers(module: ModuleType, x: Array, p: Array) -> dict[sp.Symbol, sp.Float]:
    """A state and its parameters by their symbols."""
    names = (*module.ORDER_PARAMETERS, *module.PARAMETERS)
    return {symbol(name): sp.Float(value) for name, value in zip(names, (*x, *p), strict=True)}


def _broken_ground_states(module: ModuleType, p: Array) -> tuple[Array, Array]:
    """Ground states of broken symmetry, with their parameters."""
    system = Bound(module, module.RULE)
    base = from_small_alpha(Bound(module.SYMMETRIC_MODULE, module.RULE), p, NewtonSettings()).roots
    found, points = [], []
    for row, point, good in zip(base.x, p, base.converged, strict=True):
        x = at_unit(system, row, point) if good else None
        if x is not None:
            found.append(x)
            points.append(point)
    return np.array(found).reshape(-1, len(module.ORDER_PARAMETERS)), np.array(points).reshape(-1, p.shape[1])


def _default(value: float | None) -> float:
    return 0.7 if value is None else value


def _relative(found: Array, expected: Array) -> float:
    if found.size == 0:
        return 0.0
    return float(np.max(np.abs(found - expected) / (1.0 + np.abs(expected))))


def _stationarity(module: ModuleType, x: Array, p: Array) -> Check:
    """The gradient of phi vanishes with F: at a root of F, and grad phi = C F at first order nearby.

    Off the saddle point the equations are linear combinations of gradient components, so that the comparison that holds
    anywhere is: phi's gradient (by differences) at the solved state vanishes.
    """
    name = "gradient of the free entropy at the state that solves the equations (differences)"
    system = Bound(module, _FINE)
    held = getattr(module, "GROUND_STATE", False) and hasattr(module, "BREAKING")  # sizes of blocks are not stationary
    if held:
        states, points = _broken_ground_states(module, p)
    else:
        reached = from_small_alpha(Bound(module, module.RULE), p, NewtonSettings()).roots
        roots = newton(system, np.where(reached.converged[:, None], reached.x, x), p)
        good = roots.converged & (np.max(np.abs(roots.x), axis=1) < 1e3)
        states, points = roots.x[good], p[good]
        edge = np.array([name in module.SATURATING for name in module.ORDER_PARAMETERS])
        if len(states) and np.all(np.max(np.abs(states[:, edge]), axis=1, initial=0.0) < 1e-6) and edge.any():
            # overlaps that vanish by symmetry lie on the domain's edge, where phi has no differences to both sides
            grown, at = _off_the_edge(system, x, p, edge) if hasattr(module, "BREAKING") else _informed(module, p)
            states, points = (grown, at) if len(grown) else (states, points)
    if len(states) == 0:
        return Check(name, float("nan"), 1e-8, made=False)
    # the saddle point of a reference belongs to the order below: phi is not stationary there
    own = [j for j, name in enumerate(module.ORDER_PARAMETERS) if "_ref" not in name]
    if begins_inside(module):  # covariances with what does not fluctuate cannot be moved: phi has no slope in them
        moved = [j for j in own if np.all(np.abs(states[:, j]) >= _STILL)]
        if len(moved) < len(own):
            still = ", ".join(module.ORDER_PARAMETERS[j] for j in own if j not in moved)
            name = f"{name}; not in {still}: 0 by symmetry, where phi has no differences"
        own = moved
    slopes = [difference(lambda s: module.free_entropy(s, points, _FINE), states, j) for j in own]
    if held:  # their equation is the complexity
        for j in (module.ORDER_PARAMETERS.index(size) for size in module.BREAKING["sizes"]):
            slopes[j] += system.residual(states, points)[:, j] / states[:, j] ** 2
    usable = np.isfinite(np.array(slopes))
    # the differences see the quadrature error of phi divided by their step
    noise = 0.0 if held else float(np.max(quadrature_error(system, states, points)[0])) / (2e-3 * 1e-2)
    largest = float(np.max(np.abs(np.array(slopes)[usable]), initial=0.0))
    # where a kink is born phi has a finite number of derivatives, which differences feel
    smooth = 1e-6 if getattr(module, "UNBOUNDED", ()) else 1e-7
    return Check(name, largest, max(smooth, 4.0 * noise), made=bool(usable.any()))


def _off_the_edge(system: Bound, x: Array, p: Array, edge: Array) -> tuple[Array, Array]:
    """Solved states of broken symmetry that Newton finds from states off the saddle point; and their parameters."""
    roots = newton(system, x, p)
    overlaps = np.abs(roots.x[:, edge])
    good = roots.converged & np.all((overlaps > 1e-2) & (overlaps < 0.99), axis=1)
    return roots.x[good], p[good]


def _informed(module: ModuleType, p: Array) -> tuple[Array, Array]:
    """Solved states at more patterns, beyond a symmetry's branch point, that are not saturated; with their parameters."""
    column = list(module.PARAMETERS).index("alpha")
    for factor in (1.5, 2.0, 4.0):
        more = p.copy()
        more[:, column] *= factor
        found = [
            (list(state.order_parameters.values()), point)
            for state, point in zip(solve_points(module, more, tolerance=1e-8), more, strict=True)
            if state.converged and 1e-2 < abs(state.order_parameters.get("q", 0.0)) < 0.99
        ]
        if found:
            return np.array([x for x, _ in found]), np.array([point for _, point in found])
    return np.zeros((0, len(module.ORDER_PARAMETERS))), p[:0]


def _jacobian(module: ModuleType, x: Array, p: Array) -> Check:
    exact = module.jacobian(x, p)
    worst = max(_slope(lambda s: module.residual(s, p), x, j, exact[:, :, j], partial=False) for j in range(x.shape[1]))
    return Check("Jacobian against Taylor slopes of the equations", worst, _DERIVATIVES)


def _slope(function: Callable[[Array], Array], at: Array, j: int, exact: Array, *, partial: bool) -> float:
    """The deviation of a derivative from differences of the step at which they are best: of a wrong one there is none.

    Args:
        function: what is differentiated, [B, n] to [B, m].
        at: where [B, n].
        j: in which variable.
        exact: the derivative [B, m].
        partial: differences that are not finite are left out.
    """
    best = np.full(len(at), np.inf)
    for step in _STEPS:
        found = difference(function, at, j, step)
        deviation = np.abs(found - exact) / (1.0 + np.abs(exact))
        if partial:
            deviation = np.where(np.isfinite(found), deviation, 0.0)
        best = np.fmin(best, np.max(deviation, axis=1))
        if np.max(best) < 0.1 * _DERIVATIVES:
            break
    return float(np.max(best))


def _directional(module: ModuleType, x: Array, p: Array) -> Check:
    name = "directional derivative of the Jacobian against Taylor slopes"
    if "jacobian_directional" in module.FINITE_DIFFERENCES:
        return Check(name, float("nan"), _DERIVATIVES, made=False)
    v = np.linspace(0.3, 1.0, x.shape[1])
    exact = module.jacobian_directional(x, p, v)
    at = np.ones((len(x), 1))
    found = difference(lambda t: module.jacobian(x + (t - 1.0) * v, p), at, 0)
    return Check(name, _relative(found, exact), _DERIVATIVES)


def _parameters(module: ModuleType, x: Array, p: Array) -> Check:
    exact = module.parameter_derivative(x, p)
    worst = [
        _slope(lambda q: module.residual(x, q), p, j, exact[:, :, j], partial=True)
        for j, name in enumerate(module.PARAMETERS)
        if name not in module.FINITE_DIFFERENCES
    ]
    return Check("parameter derivatives against Taylor slopes", max(worst, default=0.0), _DERIVATIVES)


def _replicated(derived: Derived, module: ModuleType, x: Array, p: Array) -> Check:
    """Phi assembled from the pieces with channels replaced by their replicated form at n and n/2, extrapolated to 0."""
    name = "replicated channels at small real n against their limit"
    values = module.free_entropy(x, p, _FINE)
    worst = 0.0
    made = False
    for i in range(min(2, len(x))):
        point = _numbers(module, x[i], p[i])
        replicated = replicated_free_entropy(derived, point)
        if replicated is None:
            continue
        made = True
        worst = max(worst, abs(replicated - float(values[i])) / (1.0 + abs(float(values[i]))))
    return Check(name, worst if made else float("nan"), 1e-6, made=made)


def _ground(derived: Derived, module: ModuleType, x: Array, p: Array) -> Check:
    """T phi from the replica algebra at small T and energies minimised on a grid."""
    name = "replicas at small T and energies minimised on a grid against the ground state"
    values = module.free_entropy(x, p, _FINE)
    worst, made = 0.0, False
    action = action_of(gather(derived.spec))
    for i in range(min(2, len(x))):
        point = _numbers(module, x[i], p[i])
        table = with_definitions(derived, point)
        if table is not None and action.eliminated:
            table[action.diagonal_conjugate] = table[symbol("_variance_w")]
        found = ground_free_entropy(action, table) if table is not None else None
        if found is None:
            continue
        made = True
        worst = max(worst, abs(found - float(values[i])) / (1.0 + abs(float(values[i]))))
    return Check(name, worst if made else float("nan"), 1e-5, made=made)


def _coupled(derived: Derived, module: ModuleType, x: Array, p: Array) -> Check:
    """The free entropy of y coupled copies, extrapolated in 1/y, against that of infinitely many.

    Pairing and block are evaluated on the tree with y copies, channels as (1/y) log E_xi [Z^y] by sums over a dense grid.
    """
    name = "y coupled replicas against infinitely many"
    values = module.free_entropy(x, p, _FINE)
    worst, made = 0.0, False
    action = action_of(gather(derived.spec))
    for i in range(min(2, len(x))):
        point = _numbers(module, x[i], p[i])
        found = coupled_free_entropies(derived, action, point, (400.0, 800.0, 1600.0))
        if found is None or not np.isfinite(found).all():
            continue
        a, b, c = found
        first, second = 2.0 * b - a, 2.0 * c - b
        made = True
        worst = max(worst, abs((4.0 * second - first) / 3.0 - float(values[i])) / (1.0 + abs(float(values[i]))))
    return Check(name, worst if made else float("nan"), 1e-6, made=made)


def _moments(derived: Derived) -> Check | None:
    name = "moments of the activation against mpmath quadrature"
    spec = derived.spec
    if derived.moments is None or spec.student.activation is None:
        return None
    from spinodal.symbolic.formulas import generic_values, kinks, to_sympy

    x = symbol("x")
    activation = to_sympy(spec.student.activation.root)
    if activation.free_symbols - {x}:
        return Check(name, float("nan"), 1e-12, made=False)
    edges = [float(k) for k in kinks(activation, x, generic_values({}))]
    worst = 0.0
    centred = activation
    for power, wanted in (
        (1, derived.moments.linear),
        (2, derived.moments.nonlinear + derived.moments.linear**2 + derived.moments.mean**2),
    ):
        integrand = x * centred if power == 1 else centred**2
        function = sp.lambdify(x, integrand * sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi), "mpmath")
        points = sorted({-30.0, -8.0, -3.0, -1.0, 0.0, 1.0, 3.0, 8.0, 30.0, *edges})
        value = mpmath.quad(function, points)
        worst = max(worst, abs(float(value) - float(wanted)))
    return Check(name, worst, 1e-12)
