"""Branches of infinitely many replicas in variables of order one, see :mod:`spinodal.numeric.scaled`.

In its own variables such a branch turns into the direction of the difference of levels, which grows exponentially as
replicas come close, and ever shorter steps in the parameter are taken along it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from spinodal.numeric.bound import Bound
from spinodal.numeric.continuation.branch import Branch
from spinodal.numeric.continuation.locate import Event
from spinodal.numeric.module_problem import ModuleProblem
from spinodal.numeric.results import Array, SpecialPoint
from spinodal.numeric.scaled import scaled_system


class ScaledProblem(ModuleProblem):
    """The equations of a module that names powers, in its scaled variables."""

    def __init__(self, system: Bound, p: Array, columns: tuple[int, ...]) -> None:
        self.scaled = scaled_system(system)
        super().__init__(system, p, columns)
        self._second = None  # differences of the Jacobian

    def _f(self, x: Array, *values: float) -> Array:
        return self._f_and_jacobian(x, *values)[0]

    def _f_and_jacobian(self, x: Array, *values: float) -> tuple[Array, Array]:
        f, jacobian = self.scaled.residual_and_jacobian(x[None], self.point(*values))
        return f[0], jacobian[0]

    def _slope(self, i: int) -> Callable[..., Array]:
        column = self.columns[i]

        def slope(x: Array, *values: float) -> Array:
            return self.scaled.parameter_derivative(x[None], self.point(*values), [column])[0, :, column]

        return slope

    def calm(self, u: Array, shift: Array) -> float:
        """Displacements of scaled variables are small."""
        return 1.0

    def inside(self, u: Array) -> bool:
        """Whether the module's conditions hold."""
        n = u.size - len(self.columns)
        with np.errstate(all="ignore"):
            return super().inside(np.append(self.scaled.states(u[None, :n])[0], u[n:]))

    def events(self, events: Mapping[str, Event]) -> dict[str, Event]:
        """Events as functions of the scaled variables."""
        states = self.scaled.states
        return {name: lambda y, *values, event=event: event(states(y[None])[0], *values) for name, event in events.items()}

    def undone(self, branch: Branch) -> Branch:
        """A branch of scaled variables as one of the module's own."""
        tangents = np.array([self._moved(y, t) for y, t in zip(branch.x, branch.tangents, strict=True)])
        points = tuple(self._undone(point, branch) for point in branch.special_points)
        return replace(branch, x=self.scaled.states(branch.x), tangents=tangents, special_points=points)

    def _moved(self, y: Array, direction: Array) -> Array:
        """A direction (dy, dp) as (dx, dp)."""
        scaled, (x,) = self.scaled, self.scaled.states(y[None])
        size = np.exp(y[scaled.driver])
        moved = direction.copy()
        moved[: y.size] = direction[: y.size] * size**scaled.powers + scaled.powers * x * direction[scaled.driver]
        moved[scaled.driver] = size * direction[scaled.driver]
        return moved

    def _undone(self, point: SpecialPoint, branch: Branch) -> SpecialPoint:
        assert point.x is not None
        (x,) = self.scaled.states(point.x[None])
        scales = np.exp(point.x[self.scaled.driver] * self.scaled.powers)
        null = None if point.null is None else np.array([self._moved(point.x, row) for row in point.null])
        left = None if point.left is None else point.left / scales
        return replace(
            point, x=x, null=null, left=left, order_parameters=dict(zip(branch.names, map(float, x), strict=True))
        )
