"""Units for unknowns that are much smaller than one.

The engine measures an unknown by 1 + |x|. One of size 1e-8 would be nothing to it: its folds would lie within the
corrector's tolerance. Such an unknown is given a unit of its own, x = s y, and its equation (the flow's component) the same,
so that dF/dx keeps its eigenvalues. Nothing is done about large unknowns: what is special may happen where they are small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spinodal.numeric.continuation.branch import Branch
from spinodal.numeric.continuation.locate import Event
from spinodal.numeric.continuation.problem import EvaluationError, Problem
from spinodal.numeric.results import Array, SpecialPoint

#: Unknowns that start, and answer to the parameter, on a smaller scale than this get a unit of their own.
_SMALL = 1e-3


def natural_units(problem: Problem, x0: Array, p0: float, width: float) -> Array | None:
    """Units [n] from a guess and the linear answer to the parameter's change over ``width``; None if all are one.

    Unknowns that are zero and do not answer (by a symmetry) keep the unit one: nothing is known of their size.
    """
    size = np.abs(x0)
    if not np.any(size < _SMALL):
        return None
    try:
        here = problem(np.append(x0, p0))
    except EvaluationError:
        return None
    rows = np.max(np.abs(here.jacobian), axis=1)
    columns = np.max(np.abs(here.jacobian) / np.where(rows > 0.0, rows, 1.0)[:, None], axis=0)
    if not (np.all(rows > 0.0) and np.all(columns > 0.0)):
        return None
    right = np.column_stack([here.f, here.dfdp * min(width, 1.0 + abs(p0))]) / rows[:, None]
    try:
        answer = np.linalg.solve(here.jacobian / rows[:, None] / columns, right) / columns[:, None]
    except np.linalg.LinAlgError:
        return None
    size = np.maximum(size, np.max(np.abs(answer), axis=1))
    small = (size > 0.0) & (size < _SMALL)
    # powers of two, so that nothing is rounded
    return np.where(small, np.exp2(np.round(np.log2(np.where(small, size, 1.0)))), 1.0) if np.any(small) else None


@dataclass(frozen=True)
class Units:
    """The change of variables x = s y."""

    s: Array

    def function(self, f: Callable[[Array, float], Array]) -> Callable[[Array, float], Array]:
        """F/s as a function of y."""
        return lambda y, p: np.atleast_1d(np.asarray(f(self.s * y, p))) / self.s

    def matrix(self, jac: Callable[[Array, float], Array] | None) -> Callable[[Array, float], Array] | None:
        """Its Jacobian."""
        n = self.s.size
        return jac and (lambda y, p: np.asarray(jac(self.s * y, p)).reshape(n, n) * self.s / self.s[:, None])

    def second(self, second: Callable[[Array, float, Array], Array] | None) -> Callable[..., Array] | None:
        """The Jacobian's derivative along a vector."""
        return second and (lambda y, p, v: np.asarray(second(self.s * y, p, self.s * v)) * self.s / self.s[:, None])

    def events(self, events: Mapping[str, Event] | None) -> Mapping[str, Event]:
        """Events as functions of y."""
        return {
            name: lambda y, p, event=event: event(self.s * y, p)  # type: ignore[misc]
            for name, event in (events or {}).items()
        }

    def bounds(self, bounds: Any, names: Sequence[str]) -> Any:
        """Bounds on components in the new units."""
        if not isinstance(bounds, Mapping):
            return bounds
        unit: dict[Any, float] = dict(enumerate(self.s))
        unit.update(zip(names, self.s, strict=False))
        return {key: tuple(np.divide(pair, unit.get(key, 1.0)).tolist()) for key, pair in bounds.items()}

    def undone(self, branch: Branch) -> Branch:
        """A branch of y as one of x."""
        both = np.append(self.s, 1.0)
        return replace(
            branch,
            x=branch.x * self.s,
            tangents=branch.tangents * both,
            special_points=tuple(self._undone(point, branch.names) for point in branch.special_points),
        )

    def _undone(self, point: SpecialPoint, names: Sequence[str]) -> SpecialPoint:
        assert point.x is not None
        x = point.x * self.s
        null = None if point.null is None else point.null * np.append(self.s, np.ones(point.null.shape[1] - x.size))
        left = None if point.left is None else point.left / self.s
        return replace(point, x=x, null=null, left=left, order_parameters=dict(zip(names, map(float, x), strict=True)))
