"""A generated module as a problem for the continuation engine, along one of its parameters or in two of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spinodal.numeric.bound import Bound
from spinodal.numeric.continuation.problem import Problem
from spinodal.numeric.results import Array

#: Differences along a direction reach this far; a condition's margin may change by that part of itself on the way.
_REACH, _KEPT = 2e-3, 0.05
#: The same where rounding is looked for: changes of F must be far smaller.
_UNCHANGED = 1e-4
#: How the margins' slopes are found, and the margins that count: smaller ones are zero by rounding.
_PROBE, _TINY = 1e-4, 1e-9
#: The shortest reach, in units of the whole: rounding grows as it shrinks.
_LEAST = 1e-4


class ModuleProblem(Problem):
    """F(x, p) of a module bound to a quadrature rule.

    Args:
        system: the module and its rule.
        p: all parameters, [k].
        columns: which of them vary, one or two.
    """

    def __init__(self, system: Bound, p: Array, columns: tuple[int, ...]) -> None:
        self.system, self.p, self.columns = system, np.array(p, dtype=float).ravel(), columns
        super().__init__(
            self._f,
            dfdp=[self._slope(i) for i in range(len(columns))],
            second=self._directional if hasattr(system.module, "jacobian_directional") else None,
            joint=self._f_and_jacobian,
            parameters=len(columns),
        )
        self._complex = None

    @property
    def derivative_noise(self) -> float:
        """Relative accuracy of F_u: differences are used for parameters inside numerical leaves only."""
        varied = {self.system.module.PARAMETERS[column] for column in self.columns}
        return 1e-10 if varied & set(getattr(self.system.module, "FINITE_DIFFERENCES", ())) else 1e-14

    def point(self, *values: float) -> Array:
        """The parameter point with the varied parameters set, [1, k]."""
        p = self.p.copy()
        for column, value in zip(self.columns, values, strict=True):
            p[column] = value
        return p[None]

    def _f(self, x: Array, *values: float) -> Array:
        return np.asarray(self.system.residual(x[None], self.point(*values))[0])

    def _f_and_jacobian(self, x: Array, *values: float) -> tuple[Array, Array]:
        f, jacobian = self.system.residual_and_jacobian(x[None], self.point(*values))
        return f[0], jacobian[0]

    def _slope(self, i: int) -> Callable[..., Array]:
        column = self.columns[i]

        def slope(x: Array, *values: float) -> Array:
            return np.asarray(self.system.parameter_derivative(x[None], self.point(*values), [column])[0, :, column])

        return slope

    def _directional(self, x: Array, *rest: float | Array) -> Array:
        values, v = np.array(rest[:-1], dtype=float), np.asarray(rest[-1])
        at = self.point(*values)
        share = self._room(np.append(x, values), _REACH * np.append(v, np.zeros(len(values))), _KEPT)
        return np.asarray(self.system.module.jacobian_directional(x[None], at, share * v[None], self.system.rule)[0]) / share

    def calm(self, u: Array, shift: Array) -> float:
        """The part of a displacement that changes no margin of the domain noticeably."""
        return self._room(u, shift, _UNCHANGED)

    def _room(self, u: Array, shift: Array, kept: float) -> float:
        """The part of a displacement over which every margin of the domain keeps its size but for the part ``kept``.

        It is below 1 where differences are taken close to an end of the domain, as of a probe whose overlap is close to 1.
        """
        if "jacobian_directional" not in getattr(self.system.module, "FINITE_DIFFERENCES", ()):
            return 1.0
        n = u.size - len(self.columns)
        with np.errstate(all="ignore"):
            here, there = (self.system.conditions(at[None, :n], self.point(*at[n:]))[0] for at in (u, u + _PROBE * shift))
            allowed = kept * np.abs(here) / (np.abs(there - here) / _PROBE)
        allowed = allowed[np.isfinite(allowed) & (here > _TINY)]
        return float(np.clip(allowed.min(initial=1.0), _LEAST, 1.0))

    def inside(self, u: Array) -> bool:
        """Whether the module's conditions hold: a variance just below zero is evaluated as zero, which is no derivative."""
        n = u.size - len(self.columns)
        with np.errstate(all="ignore"):
            margins = self.system.conditions(u[None, :n], self.point(*u[n:]))
        return bool(np.all(margins >= -1e-13))

    def refined(self) -> ModuleProblem:
        """The same with twice the quadrature nodes."""
        return ModuleProblem(self.system.refined(), self.p, self.columns)

    def at(self, value: float) -> ModuleProblem:
        """Of two varied parameters, the problem in the first alone, the second being fixed."""
        p = self.p.copy()
        p[self.columns[1]] = value
        return ModuleProblem(self.system, p, self.columns[:1])


class Observed:
    """The observables of a problem, each point evaluated once however many of them are asked for."""

    def __init__(self, problem: ModuleProblem) -> None:
        self.problem = problem
        self._key = b""
        self._values: dict[str, float] = {}

    def value(self, name: str, x: Array, *values: float) -> float:
        """One observable, or the free entropy, at a point; nan where it has none."""
        point, system = self.problem.point(*values), self.problem.system
        if name == "free_entropy":
            return float(system.module.free_entropy(x[None], point, system.rule)[0])
        key = x.tobytes() + point.tobytes()
        if key != self._key:
            found = system.module.observables(x[None], point, system.rule)
            self._values = {key: float(column[0]) for key, column in found.items()}
            self._key = key
        return self._values.get(name, float("nan"))

    def gradient(self, name: str) -> Callable[[Array], tuple[float, Array]]:
        """U = (x, parameters) -> an observable and its gradient by central differences, in one batch."""

        def evaluate(u: Array) -> tuple[float, Array]:
            n = u.size - len(self.problem.columns)
            h = 1e-5 * (1.0 + np.abs(u))
            rows = np.concatenate([u[None], u + np.diag(h), u - np.diag(h)])
            points = np.concatenate([self.problem.point(*row[n:]) for row in rows])
            system = self.problem.system
            with np.errstate(all="ignore"):
                if name == "free_entropy":
                    values = system.module.free_entropy(rows[:, :n], points, system.rule)
                else:
                    values = system.module.observables(rows[:, :n], points, system.rule)[name]
            count = u.size
            return float(values[0]), np.asarray((values[1 : count + 1] - values[count + 1 :]) / (2 * h))

        return evaluate
