"""The model's side of a comparison: states on and off the saddle point, and what the derivation says there.

Only the generated solver and the derivation's definitions are used, so that every ansatz that the package derives can be
checked, and nothing here knows a model.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinodal.model import Model
from spinodal.numeric.quadrature import Automatic
from spinodal.regions import holds
from spinodal.spec import SpecError, check_parameters
from spinodal.spec.names import BLOCK_SIZE
from spinodal.verify.differences import slope
from spinodal.verify.errors import UnreadableError

if TYPE_CHECKING:
    from spinodal.symbolic.formulation import Formulation

Array = NDArray[np.float64]

#: The parts of the free entropy: prior + D/N block + P/N output, each with the pairing of its overlaps.
PARTS = ("free_entropy_prior", "free_entropy_block", "free_entropy_output")
SADDLE_POINTS = 5
FREE_POINTS = 6
#: Of these, at parameters of other signs and sizes.
FAR_POINTS = 3
_SEED = 1988
#: Definitions whose names are the derivation's own.
_INTERNAL = frozenset(["A", "B", "teacher_rms"])
#: Nodes of the rules for values that are compared, and for what only leads to them.
_NODES, _FEW_NODES = 300, 64
#: Attempts without any solved state after which no more are made.
_HOPELESS = 9
#: Random states that are tried where none is solved.
_DRAWS = 4000
_STEPS = 25
#: A root whose unknown is smaller than this, relative to where it was looked for, is trivial.
_TRIVIAL = 1e-4
#: Values that nothing has at states of order one, unless an integral that diverges was cut off.
_DIVERGED = 1e8
#: Points of a surface, fewer than which are looked for in another direction.
_FEW = 3
#: Seconds that a residual may take at one point with few nodes before it counts as slow.
_SLOW = 0.03
#: An entry of a matrix of overlaps: q0, q_d, dq.
_LEVEL = re.compile(r"d?([a-z])(?:_?[0-9]+|_d)?")


class NoStatesError(Exception):
    """The model could not be solved anywhere near the parameters asked for; the message says why."""


@dataclass(frozen=True)
class Points:
    """States and parameters, [B, n] and [B, k]."""

    x: Array
    p: Array

    def __len__(self) -> int:
        return len(self.x)

    def only(self, index: int) -> Points:
        """One of the points, as a batch of one."""
        return Points(self.x[index : index + 1], self.p[index : index + 1])

    def head(self, count: int) -> Points:
        """The first few."""
        return Points(self.x[:count], self.p[:count])


@dataclass(frozen=True)
class _Rows:
    """Some equations of a system, what is solved for, and an equation that is added to each."""

    equations: list[int]
    unknowns: list[int]
    added: int | None

    @classmethod
    def of(
        cls, names: tuple[str, ...], equations: tuple[str, ...], unknowns: tuple[str, ...] | None, added: str | None
    ) -> _Rows:
        rows = [names.index(name) for name in equations]
        columns = rows if unknowns is None else [names.index(name) for name in unknowns]
        return cls(rows, columns, None if added is None else names.index(added))

    def values(self, every: Array) -> Array:
        """The equations' rows of [B, n] or [B, n, n]."""
        found = every[:, self.equations]
        return found if self.added is None else found + every[:, [self.added]]


class Reference:
    """A model whose derivation is the truth, at parameters that are fixed by the document or drawn at random.

    Args:
        model: the model under its ansatz.
        fixed: parameters with the value that they have in every comparison.
    """

    def __init__(self, model: Model, fixed: Mapping[str, float]) -> None:
        self.model = model
        self.fixed = dict(fixed)
        self.module = model.solver()
        self.order_parameters: tuple[str, ...] = tuple(self.module.ORDER_PARAMETERS)
        self.parameters: tuple[str, ...] = tuple(self.module.PARAMETERS)
        self.observables: tuple[str, ...] = tuple(self.module.OBSERVABLES)
        self.rule, self._coarse = Automatic(_NODES), Automatic(_FEW_NODES)
        self._decided = False
        self._unsolved: NoStatesError | None = None
        #: Of the computing clock: when no further states are looked for.
        self.deadline = math.inf

    def allow(self, seconds: float) -> None:
        """Look for states for so many seconds of computing from now on, and no longer."""
        self.deadline = time.process_time() + seconds

    @property
    def in_time(self) -> bool:
        """Whether there is computing time left."""
        return time.process_time() < self.deadline

    def _decide(self, at: Points) -> None:
        """Use fewer nodes if many are slow and change nothing: averages inside averages inside averages."""
        if self._decided or len(at) == 0:
            return
        self._decided = True
        one = at.head(1)
        with np.errstate(all="ignore"):
            begun = time.perf_counter()
            few = np.asarray(self.module.residual(one.x, one.p, self._coarse))
            if time.perf_counter() - begun < _SLOW:
                return
            rule = Automatic(2 * _FEW_NODES)
            more = np.asarray(self.module.residual(one.x, one.p, rule))
        if np.all(np.abs(more - few) <= 1e-12 * (1.0 + np.abs(more))):
            self.rule = rule

    # ---- values

    def residual(self, at: Points) -> Array:
        """F(x) = x - update(x), [B, n]."""
        return np.asarray(self.module.residual(at.x, at.p, self.rule))

    def free_entropy(self, at: Points) -> Array:
        """Phi, [B]."""
        return np.asarray(self.module.free_entropy(at.x, at.p, self.rule))

    def observable(self, name: str, at: Points) -> Array:
        """An observable, [B]."""
        return np.asarray(self.module.observables(at.x, at.p, self.rule)[name])

    def quantity(self, name: str, at: Points) -> Array:
        """The free entropy, a derivative or a part of it, or an observable, [B]."""
        if name.startswith("free_entropy:"):
            return self._slope(name.removeprefix("free_entropy:"), at)
        if name in PARTS:
            return self._part(name, at)
        return self.free_entropy(at) if name == "free_entropy" else self.observable(name, at)

    def _slope(self, name: str, at: Points) -> Array:
        """The derivative of the free entropy in an order parameter or a parameter, [B]."""
        moves = name in self.order_parameters
        column = (self.order_parameters if moves else self.parameters).index(name)

        def value(argument: Array) -> Array:
            x, p = at.x.copy(), at.p.copy()
            (x if moves else p)[:, column] = argument
            return self.free_entropy(Points(x, p))

        return slope(value, (at.x if moves else at.p)[:, column], f"the free entropy in {name}")

    def _part(self, name: str, at: Points) -> Array:
        """At given order parameters the free entropy is linear in patterns and inputs per weight, which tells its parts.

        Raises:
            UnreadableError: where it is not.
        """

        def at_scaled(patterns: float, inputs: float) -> Array:
            scales = {"alpha": patterns, "alpha_T": patterns / inputs}
            p = at.p * np.array([scales.get(parameter, 1.0) for parameter in self.parameters])
            return self.free_entropy(Points(at.x, p))

        whole = at_scaled(1.0, 1.0)
        output, block = at_scaled(2.0, 1.0) - whole, at_scaled(1.0, 2.0) - whole
        if not np.allclose(at_scaled(3.0, 2.0), whole + 2.0 * output + block, rtol=1e-9, atol=1e-11):
            raise UnreadableError(f"the parts of the free entropy of {self.model.name} have no values of their own", None)
        columns = {name: at.p[:, k] for k, name in enumerate(self.parameters)}
        if name == PARTS[2]:
            return output / columns["alpha"]
        if name == PARTS[1]:
            return block * columns["alpha_T"] / columns["alpha"] if "alpha_T" in columns else block
        return whole - output - block

    def names(self, at: Points) -> dict[str, Array]:
        """Every name that an equation may use, each an array [B]: order parameters, parameters, definitions."""
        found = {name: at.x[:, j] for j, name in enumerate(self.order_parameters)}
        found |= {name: at.p[:, j] for j, name in enumerate(self.parameters)}
        import sympy as sp

        for name, expression in self._definitions:
            symbols = sorted(expression.free_symbols, key=str)
            if any(str(s) not in found for s in symbols):
                continue
            function = sp.lambdify(symbols, expression, modules=["numpy", "scipy"])
            value = np.asarray(function(*(found[str(s)] for s in symbols)), dtype=float)
            found[name] = np.broadcast_to(value, (len(at),)) + 0.0
        letter = BLOCK_SIZE.get(self.model.ansatz)
        if letter is not None and "copies" in found:
            found.setdefault(letter, found["copies"])
        for name in [n for n in found if n.endswith("_sq")]:
            found.setdefault(name.removesuffix("_sq"), np.sqrt(np.abs(found[name])))
        return found

    @cached_property
    def formulation(self) -> Formulation:
        """The derivation's expressions."""
        from spinodal.symbolic.formulation import formulate

        return formulate(self.model.spec)

    @cached_property
    def _definitions(self) -> tuple[tuple[str, Any], ...]:
        """Auxiliary quantities in order of evaluation, named as a reader would name them."""
        from spinodal.symbolic.formulas import symbol

        stated = self.formulation
        pairs = [(symbol(k), v) for k, v in stated.fixed.items()]
        pairs += [(d.symbol, d.expression) for d in stated.definitions]
        if stated.moments is not None:
            pairs.append((symbol("_kappa_0"), stated.moments.mean))
        table: dict[Any, Any] = {}
        found: list[tuple[str, Any]] = []
        import sympy as sp

        for mark, expression in pairs:
            written = sp.sympify(expression).doit(deep=True).xreplace(table)
            name = str(mark).lstrip("_")
            table[mark] = sp.Symbol(name, real=True)
            renamed = {s: sp.Symbol(str(s).lstrip("_"), real=True) for s in written.free_symbols}
            found.append((name, written.xreplace(renamed)))
        return tuple(found)

    @cached_property
    def all_names(self) -> frozenset[str]:
        """Every name that :meth:`names` gives a value."""
        anywhere = Points(np.full((1, len(self.order_parameters)), 0.5), np.full((1, len(self.parameters)), 0.5))
        with np.errstate(all="ignore"):
            return frozenset(self.names(anywhere))

    @cached_property
    def derived_names(self) -> frozenset[str]:
        """The names of the definitions that a reader would use too."""
        known = self.all_names - set(self.order_parameters) - set(self.parameters)
        return frozenset(name for name in known if name not in _INTERNAL and not name.startswith("variance"))

    @cached_property
    def renamed(self) -> frozenset[str]:
        """Names of definitions that are other names only (Q of q, where a student sees the inputs themselves) or numbers."""
        plain = {name for name, expression in self._definitions if expression.is_Symbol or expression.is_Rational}
        return frozenset(plain | {name.removesuffix("_sq") for name in plain})

    @cached_property
    def constants(self) -> frozenset[str]:
        """The names of definitions that are numbers (an activation's moments)."""
        fixed: set[str] = set()
        for name, expression in self._definitions:
            if {str(s) for s in expression.free_symbols} <= fixed:
                fixed |= {name, name.removesuffix("_sq")}
        return frozenset(fixed)

    # ---- states

    @cached_property
    def saddle(self) -> Points:
        """Solved states at random parameters.

        Raises:
            NoStatesError: if none converges.
        """
        if self._unsolved is not None:
            raise self._unsolved
        generator = np.random.default_rng(_SEED)
        defaults = self.defaults
        rows: list[list[float]] = []
        states: list[list[float]] = []
        reason = "no parameters in the model's domain"
        for attempt in range(12 * SADDLE_POINTS):
            values = {name: self._drawn(name, defaults.get(name), generator, attempt) for name in self.parameters}
            self._widened(values, attempt)
            try:
                solution = self.model.solve(values)
            except SpecError as error:
                reason = error.message
                continue
            state = solution.states[0]
            found = [state.order_parameters[name] for name in self.order_parameters]
            if state.converged and all(math.isfinite(v) for v in found):
                row = [values[name] for name in self.parameters]
                if not self.fixed.keys() >= set(self.parameters) or not rows:
                    states.append(found)
                    rows.append(row)
            elif state.failure is not None:
                reason = state.failure.reason
            elif state.converged:
                reason = "the solved states have order parameters without a value"
            if len(states) == SADDLE_POINTS or (states and self.fixed.keys() >= set(self.parameters)):
                break
            if not states and attempt >= _HOPELESS:
                break
            if not self.in_time:
                reason = "it takes too long to solve"
                break
        if not states:
            self._unsolved = NoStatesError(f"no state of {self.model.name} was found to compare at: {reason}")
            raise self._unsolved
        return self._polished(Points(np.array(states), np.array(rows)))

    @cached_property
    def defaults(self) -> dict[str, float | None]:
        """Of every parameter; a reference's own, which has none, is drawn like the student's."""
        declared: dict[str, float | None] = {d.name: d.default for d in self.model.spec.parameters}
        found = {name: declared.get(name) for name in self.parameters}
        return {k: declared.get(k.removesuffix("_ref")) if v is None else v for k, v in found.items()}

    @property
    def solved(self) -> Points:
        """The solved states; none where no state was solved."""
        try:
            return self.saddle
        except NoStatesError:
            return self.free.head(0)

    def _polished(self, at: Points) -> Points:
        self._decide(at)
        x = at.x.copy()
        jacobian = np.asarray(self.module.jacobian(x, at.p, self._coarse))
        for _ in range(3):
            f = np.asarray(self.module.residual(x, at.p, self.rule))
            step = np.linalg.solve(jacobian, f[..., None])[..., 0]
            good = np.all(np.isfinite(step), axis=1) & (np.max(np.abs(step), axis=1) < 1e-4)
            x = np.where(good[:, None], x - step, x)
        return Points(x, at.p)

    def _drawn(self, name: str, default: float | None, generator: np.random.Generator, attempt: int) -> float:
        if name in self.fixed:
            return self.fixed[name]
        span = generator.uniform(0.6, 1.1) if name == "alpha" else generator.uniform(0.75, 1.3)
        if attempt >= 4 * SADDLE_POINTS and name == "alpha":
            span *= 0.3
        if default is None:  # a given overlap: low, high, between
            low, high = ((0.1, 0.4), (0.7, 0.95), (0.4, 0.7))[attempt % 3]
            return float(generator.uniform(low, high))
        if default == 0.0:
            return float(generator.uniform(0.1, 0.4))
        return float(default * span)

    def allows(self, p: Array) -> bool:
        """Whether the model's parameters may have these values [k], and its derivation holds there."""
        spec = self.model.spec
        declared = set(spec.parameter_names())
        values = {name: float(v) for name, v in zip(self.parameters, p, strict=True) if name in declared}
        try:
            check_parameters(spec, values)
        except SpecError:
            return False
        return bool(holds(self.module, p[None])[0])

    def _widened(self, values: dict[str, float], attempt: int) -> None:
        """Some solved states are at a parameter of the other sign, or at fewer or more patterns."""
        changed = dict(values)
        constrained = any(default is None for default in self.defaults.values())
        for name, default in self.defaults.items():
            if name in self.fixed:
                continue
            if default == 0.0 and attempt % 4 == 1:
                changed[name] *= -1.0
            elif name == "alpha" and not constrained:
                changed[name] *= {2: 0.4, 4: 1.6}.get(attempt % 5, 1.0)
        if self.allows(np.array([changed[name] for name in self.parameters])):
            values |= changed

    def _far(self, p: Array, generator: np.random.Generator, attempt: int) -> Array:
        """Parameters of another sign or another size, those that are fixed or given overlaps apart."""
        found = p.copy()
        for k, name in enumerate(self.parameters):
            default = self.defaults.get(name)
            if name in self.fixed or default is None:
                continue
            if default == 0.0:
                found[k] = generator.uniform(0.2, 0.9) * (1.0 if attempt % 3 == 2 else -1.0)
            elif name == "alpha":
                found[k] = default * (generator.uniform(0.15, 0.4) if attempt % 3 == 1 else generator.uniform(3.0, 6.0))
            else:
                found[k] = default * generator.uniform(0.5, 1.8)
        return found

    @cached_property
    def free(self) -> Points:
        """Random states inside the domain, near solved ones but on no equation."""
        generator = np.random.default_rng(_SEED + 1)
        try:
            base = self.saddle
        except NoStatesError:
            return self._drawn_states(generator)
        xs: list[Array] = []
        ps: list[Array] = []
        for attempt in range(400):
            if len(xs) == FREE_POINTS:
                break
            k = attempt % len(base)
            spread = 0.25 if attempt < 150 else (0.1 if attempt < 300 else 0.02)
            x = base.x[k] * (1.0 + generator.uniform(-spread, spread, base.x.shape[1]))
            x = np.where(np.abs(base.x[k]) < 1e-3, generator.uniform(0.02, 0.1, x.shape), x)
            p = base.p[k]
            if len(xs) >= FREE_POINTS - FAR_POINTS and attempt < 150:  # what holds near solved states only is refuted here
                p = self._far(p, generator, len(xs))
                if not self.allows(p):
                    continue
            if self.inside(Points(x[None], p[None])):
                xs.append(x)
                ps.append(p)
        if not xs:
            raise NoStatesError(f"no state off the saddle point of {self.model.name} was found to compare at")
        return Points(np.array(xs), np.array(ps))

    def _drawn_states(self, generator: np.random.Generator) -> Points:
        """Random states inside the domain, where none was solved: overlaps in (0, 1), conjugates in (0, 2)."""
        defaults = self.defaults
        x = generator.uniform(0.05, 0.95, (_DRAWS, len(self.order_parameters)))
        x *= np.array([2.0 if name.endswith("_hat") else 1.0 for name in self.order_parameters])
        p = np.array([[self._drawn(n, defaults.get(n), generator, 0) for n in self.parameters] for _ in range(_DRAWS)])
        for k in range(0, _DRAWS, 2):
            p[k] = self._far(p[k], generator, k // 2)
        with np.errstate(all="ignore"):
            margins = np.asarray(self.module.conditions(x, p))
        inside = np.flatnonzero(np.all(margins > 0.02, axis=1))
        kept: list[int] = []
        for k in inside[: 10 * FREE_POINTS]:
            if len(kept) < FREE_POINTS and self.allows(p[k]) and self.inside(Points(x[k : k + 1], p[k : k + 1])):
                kept.append(int(k))
        if not kept:
            raise NoStatesError(f"no state of {self.model.name} was found to compare at, solved or not")
        found = Points(x[kept], p[kept])
        self._decide(found)
        return found

    def inside(self, point: Points) -> bool:
        """Whether a state is in the model's domain and has finite values.

        Where the integral over a density diverges (``exp(-abs(w))`` times ``exp(a*w**2)``), its nodes end somewhere and its
        value is huge.
        """
        with np.errstate(all="ignore"):
            margins = np.asarray(self.module.conditions(point.x, point.p))
            if not np.all(margins > 0.0):
                return False
            residual = np.asarray(self.module.residual(point.x, point.p, self._coarse))
            phi = np.asarray(self.module.free_entropy(point.x, point.p, self._coarse))
            # also false where a value is not a number
            return bool(np.all(np.abs(residual) < _DIVERGED) and np.all(np.abs(phi) < _DIVERGED))

    def on_surface(
        self, equations: tuple[str, ...], unknowns: tuple[str, ...] | None = None, *, added: str | None = None
    ) -> Points:
        """The free points moved onto the surface where some order parameters' equations hold.

        Args:
            equations: the order parameters whose equations hold.
            unknowns: what Newton's method changes to get there (default: the same order parameters).
            added: an order parameter whose equation is added to each of these.
        """
        key = (equations, unknowns, added)
        if key not in self._surfaces:
            rows = _Rows.of(self.order_parameters, equations, unknowns, added)
            found = self._moved(rows)
            if unknowns is None and added is None and len(equations) == 1 and len(found) < _FEW:
                found = self._moved_otherwise(rows, found)
            if not self.in_time:  # less than there is
                return found
            self._surfaces[key] = found
        return self._surfaces[key]

    @cached_property
    def _surfaces(self) -> dict[tuple[object, ...], Points]:
        return {}

    def from_points(self, at: Points, equations: tuple[str, ...], unknowns: tuple[str, ...] | None) -> Points:
        """Other points, moved as those of :meth:`on_surface` are; as they are where no equation is to hold."""
        return self._moved(_Rows.of(self.order_parameters, equations, unknowns, None), at) if equations else at

    def _moved(self, rows: _Rows, at: Points | None = None) -> Points:
        at = self.free if at is None else at
        x, p = at.x.copy(), at.p
        with np.errstate(all="ignore"):
            for rule, tolerance in ((self._coarse, 1e-8), (self.rule, 1e-13)):
                self._newton(x, p, rows, rule, tolerance)
            if not self.in_time:
                return Points(x[:0], p[:0])
            f = rows.values(np.asarray(self.module.residual(x, p, self.rule)))
            good = np.all(np.abs(f) < 1e-12 * (1.0 + np.abs(x[:, rows.equations])), axis=1)
            # where an unknown has vanished, so has every term of its equation
            good &= np.all(np.abs(x[:, rows.unknowns]) >= _TRIVIAL * np.abs(at.x[:, rows.unknowns]), axis=1)
            kept = [i for i in range(len(x)) if good[i] and self.inside(Points(x[i : i + 1], p[i : i + 1]))]
        return Points(x[kept], p[kept])

    def _moved_otherwise(self, rows: _Rows, found: Points) -> Points:
        """The surface of one equation, met by changing another order parameter than its own: there its root is trivial."""
        for column in range(len(self.order_parameters)):
            if column not in rows.unknowns and len(found) < _FEW and self.in_time:
                other = self._moved(_Rows(rows.equations, [column], rows.added))
                found = other if len(other) > len(found) else found
        return found

    def _newton(self, x: Array, p: Array, rows: _Rows, rule: Automatic, tolerance: float) -> None:
        """Move points to where some equations hold under a rule; the derivatives need fewer nodes."""
        moving, columns = np.arange(len(x)), list(rows.unknowns)
        for _ in range(_STEPS):
            f = rows.values(np.asarray(self.module.residual(x[moving], p[moving], rule)))
            still = ~np.all(np.abs(f) < tolerance * (1.0 + np.abs(x[moving][:, rows.equations])), axis=1)
            moving, f = moving[still], f[still]
            if len(moving) == 0 or not self.in_time:
                break
            jacobian = rows.values(np.asarray(self.module.jacobian(x[moving], p[moving], self._coarse)))[:, :, columns]
            step = _solved(jacobian, f)
            at = x[np.ix_(moving, columns)]
            damp = np.minimum(1.0, 0.5 * (0.1 + np.abs(at)) / np.maximum(np.abs(step), 1e-300))
            x[np.ix_(moving, columns)] = at - step * np.min(damp, axis=1, keepdims=True)

    def family(self, name: str) -> tuple[str, ...]:
        """The order parameters of the same matrix of overlaps (q, q_d; q0, q1, dq), or of its conjugate, itself included.

        Where a norm is fixed, the equation of its multiplier is that of the overlaps' diagonal.
        """
        letter, conjugate = _matrix(name)
        same = [other for other in self.order_parameters if _matrix(other) == (letter, conjugate)]
        norm, multiplier = f"{letter}_d", f"{letter}_d_hat"
        if multiplier in self.order_parameters and norm not in self.order_parameters:
            same = [n for n in same if n != multiplier] if conjugate and name != multiplier else [*same, multiplier]
        return tuple(n for n in self.order_parameters if n in same)

    def partner(self, name: str) -> str | None:
        """The order parameter that is conjugate to another, if it is one."""
        other = name.removesuffix("_hat") if name.endswith("_hat") else f"{name}_hat"
        return other if other in self.order_parameters else None

    def stationarity(self, name: str) -> str:
        """The order parameter whose equation makes the free entropy stationary in another: its conjugate.

        Where none has the name of a conjugate (in limits of large blocks or of zero temperature, q_hat pairs with dq), it
        is the one on whose surface the free entropy does not change; the order parameter itself if there is none.
        """
        partner = self.partner(name)
        if partner is None:
            partner = next((n for n in self.order_parameters if n != name and self._is_stationary(name, n)), None)
        return partner or name

    def _is_stationary(self, name: str, equation: str) -> bool:
        at = self.on_surface((equation,), (name,)).head(2)
        if len(at) == 0:
            return False
        column = self.order_parameters.index(name)
        values = []
        for shift in (1e-3, -1e-3):
            x = at.x.copy()
            x[:, column] *= 1.0 + shift
            values.append(self.free_entropy(Points(x, at.p)))
        here = self.free_entropy(at)
        change = np.abs(values[0] - values[1])
        curvature = np.abs(values[0] + values[1] - 2.0 * here)
        # where it is stationary, only the curvature's change along the step is left
        return bool(np.all(np.isfinite(change)) and np.all(change < 0.05 * curvature + 1e-12))

    def alias(self, name: str) -> str:
        """The order parameter that the ansatz identifies a name with (r with q when Bayes-optimal), or the name.

        For an overlap that is given, the order parameter that its equation determines.
        """
        if name in self.order_parameters:
            return name
        if name in self.parameters:  # a given overlap: its equation determines the order parameter of that row
            rows = [str(left) for left, _ in self.formulation.textbook]
            return self.order_parameters[rows.index(name)] if name in rows else name
        value = str(self.formulation.fixed.get(name, name))
        return value if value in self.order_parameters else name


def _matrix(name: str) -> tuple[str, bool]:
    """The letter of an overlap's matrix, and whether it is the conjugate's."""
    stem = name.removesuffix("_hat")
    level = _LEVEL.fullmatch(stem)
    return (level.group(1) if level is not None else stem), name.endswith("_hat")


def _solved(jacobian: Array, f: Array) -> Array:
    """J^-1 f point by point; a singular point gets no step and is left behind."""
    step = np.full(f.shape, np.nan)
    for k in range(len(f)):
        if np.all(np.isfinite(jacobian[k])) and np.all(np.isfinite(f[k])):
            step[k] = np.linalg.lstsq(jacobian[k], f[k], rcond=None)[0]
    return np.where(np.isfinite(step), step, 0.0)
