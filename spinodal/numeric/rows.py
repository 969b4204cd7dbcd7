"""Iterations written for one state and run for many.

An iteration (Newton, a branch that is followed) is a generator: it yields what it needs to know about the equations at a
state, a request, and goes on when the request has been answered. ``run`` advances many of them together and answers all
requests of a kind by one call of the vectorised equations. So each row takes its own decisions in plain scalar code, a
batch costs one evaluation for all of its rows, and a single state pays for no bookkeeping of batches.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Result = TypeVar("Result")

#: A condition violated by less than this is met (overlaps that vanish come out as -1e-17).
_ROUNDING = 1e-12


class System(Protocol):
    """F(x; p) = 0 for a batch of states."""

    def residual_and_jacobian(self, x: Array, p: Array) -> tuple[Array, Array]:
        """F [B, n] and dF/dx [B, n, n]."""
        ...

    def parameter_derivative(self, x: Array, p: Array, wanted: Collection[int] | None = None) -> Array:
        """dF/dp [B, n, k]; columns that are not wanted may be nan (None: all are wanted)."""
        ...

    def conditions(self, x: Array, p: Array) -> Array:
        """Expressions that must not be negative [B, m]."""
        ...


class Request:
    """What is asked about one state x [n] at the parameters p [k]; ``run`` fills in the answer."""

    __slots__ = ("p", "x")
    #: The order in which the kinds are answered.
    kinds: tuple[type[Request], ...] = ()

    def __init__(self, x: Array, p: Array) -> None:
        self.x, self.p = x, p

    @staticmethod
    def answer(system: System, group: Sequence[Request]) -> None:
        """Fill in the answers of requests of this kind."""
        raise NotImplementedError


class Evaluate(Request):
    """The equations at a state.

    Answers:
        residual: F [n].
        jacobian: dF/dx [n, n].
        step: J^-1 F [n], what a Newton iteration subtracts; nan where J is singular.
        merit: max_i |F_i| / (1 + |x_i|); nan outside the domain (F or its Jacobian is not finite).
        size: max_i |step_i| / (1 + |x_i|), nan where there is no step.
    """

    __slots__ = ("jacobian", "merit", "residual", "size", "step")
    residual: Array
    jacobian: Array
    step: Array
    merit: float
    size: float

    @staticmethod
    def answer(system: System, group: Sequence[Request]) -> None:
        """Answer by one pass over the nodes and one batched linear solve."""
        x, p = _states(group)
        f, j = system.residual_and_jacobian(x, p)
        with np.errstate(all="ignore"):
            step = solve_linear(j, f)
            scale = 1.0 + np.abs(x)
            merit = (np.abs(f) / scale).max(axis=1)
            merit += 0.0 * j.sum(axis=(1, 2))  # nan where the Jacobian is not finite, though F may be
            size = (np.abs(step) / scale).max(axis=1)
        for request, *values in zip(group, f, j, step, merit.tolist(), size.tolist(), strict=True):
            assert isinstance(request, Evaluate)
            request.residual, request.jacobian, request.step, request.merit, request.size = values


class Inside(Request):
    """Whether a state is finite and meets the conditions of the equations' domain (``inside``)."""

    __slots__ = ("inside",)
    inside: bool

    @staticmethod
    def answer(system: System, group: Sequence[Request]) -> None:
        """Answer by one call of the conditions."""
        for request, verdict in zip(group, is_inside(system, *_states(group)).tolist(), strict=True):
            assert isinstance(request, Inside)
            request.inside = verdict


class Tangent(Request):
    """How a root moves with the parameters.

    Args:
        x: the root [n].
        p: its parameters [k].
        change: direction in parameter space [k].
        jacobian: dF/dx at the root [n, n].

    Answers:
        tangent: dx/ds where p moves by ``change`` ds [n]; nan where J is singular.
        sign: the sign of det J, 0 where J is singular or not finite.
    """

    __slots__ = ("change", "jacobian", "sign", "tangent")
    tangent: Array
    sign: float

    def __init__(self, x: Array, p: Array, change: Array, jacobian: Array) -> None:
        super().__init__(x, p)
        self.change, self.jacobian = change, jacobian

    @staticmethod
    def answer(system: System, group: Sequence[Request]) -> None:
        """Answer by one call of the parameter derivative."""
        asked = [request for request in group if isinstance(request, Tangent)]
        change = np.array([request.change for request in asked])
        jacobian = np.array([request.jacobian for request in asked])
        # a parameter that does not move may sit where the derivative with respect to it does not exist
        moving = change != 0.0
        derivative = system.parameter_derivative(*_states(group), np.flatnonzero(moving.any(axis=0)).tolist())
        slope = np.einsum("bnk,bk->bn", np.where(moving[:, None, :], derivative, 0.0), change)
        with np.errstate(all="ignore"):
            tangents = -solve_linear(jacobian, slope)
        for request, tangent, sign in zip(asked, tangents, determinant_signs(jacobian).tolist(), strict=True):
            request.tangent, request.sign = tangent, sign


Request.kinds = (Inside, Evaluate, Tangent)
Row = Generator[Request, None, Result]


def _states(group: Sequence[Request]) -> tuple[Array, Array]:
    if len(group) == 1:
        return group[0].x[None], group[0].p[None]
    return np.array([request.x for request in group]), np.array([request.p for request in group])


def is_inside(system: System, x: Array, p: Array) -> Mask:
    """Which states [B, n] are finite and meet all conditions [B]."""
    margins = system.conditions(x, p)
    return np.asarray(np.isfinite(x).all(axis=1) & (margins >= -_ROUNDING).all(axis=1))


def solve_linear(jacobian: Array, right: Array) -> Array:
    """J^-1 b for each row, [B, n, n] and [B, n]; nan where J is singular or not finite."""
    try:
        return np.asarray(np.linalg.solve(jacobian, right[..., None])[..., 0])
    except np.linalg.LinAlgError:
        steps = np.full_like(right, np.nan)
        for i in range(len(right)):
            if np.all(np.isfinite(jacobian[i])) and np.linalg.matrix_rank(jacobian[i]) == right.shape[1]:
                steps[i] = np.linalg.solve(jacobian[i], right[i])
        return steps


def determinant_signs(jacobian: Array) -> Array:
    """The sign of det J for each row [B]; 0 where J is not finite."""
    finite: Mask = np.asarray(np.isfinite(jacobian).all(axis=(1, 2)))
    if not finite.all():
        jacobian = np.where(finite[:, None, None], jacobian, 0.0)
    return np.asarray(np.linalg.slogdet(jacobian)[0])


def unstable_directions(jacobian: Array) -> int:
    """The number of eigenvalues of J [n, n] with negative real part; -1 where J is not finite."""
    if not np.all(np.isfinite(jacobian)):
        return -1
    return int(np.sum(np.linalg.eigvals(jacobian).real < 0.0))


def run(system: System, rows: Sequence[Row[Result]]) -> list[Result]:
    """Run every row to its end and return their results in order; requests of a kind are answered together."""
    results: dict[int, Result] = {}
    waiting = list(enumerate(rows))
    while waiting:
        asked: dict[type[Request], list[Request]] = {}
        going = []
        for index, row in waiting:
            try:
                request = next(row)
            except StopIteration as end:
                results[index] = end.value
                continue
            going.append((index, row))
            asked.setdefault(type(request), []).append(request)
        for kind in Request.kinds:
            if kind in asked:
                kind.answer(system, asked[kind])
        waiting = going
    return [results[index] for index in range(len(rows))]
