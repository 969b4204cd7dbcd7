"""First-order transitions: where two branches have the same free energy (or free entropy) phi.

[ F(x_a, p)                 ]
[ F(x_b, p)                 ] = 0        unknowns (x_a, x_b, p); with a second parameter, the line of transitions
[ phi(x_a, p) - phi(x_b, p) ]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations_with_replacement, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from spinodal.numeric.continuation.branch import Branch
from spinodal.numeric.continuation.corrector import NotCorrectedError, solve
from spinodal.numeric.continuation.engine import Bounds, follow_problem
from spinodal.numeric.continuation.locate import Located
from spinodal.numeric.continuation.problem import Evaluation, EvaluationError, Problem
from spinodal.numeric.continuation.settings import Settings
from spinodal.numeric.results import Array

#: phi(x, p) or phi(x, p, q).
Potential = Callable[..., float]

_EPS = float(np.finfo(float).eps)


class CrossingProblem(Problem):
    """The doubled system with equal phi; u = (x_a, x_b, p) or (x_a, x_b, p, q).

    Args:
        base: F, with one or two parameters.
        potential: phi(x, p) or phi(x, p, q).
        stationary: whether phi is stationary in x where F = 0 (its x derivatives are then not needed).
    """

    def __init__(self, base: Problem, potential: Potential, *, stationary: bool = False) -> None:
        self.base, self.potential, self.stationary = base, potential, stationary
        self.parameters = 1
        self.evaluations = self.residuals = 0
        self._second = None

    @property
    def derivative_noise(self) -> float:
        """Relative accuracy of phi."""
        return 1e-14

    def phi(self, x: Array, parameters: Array) -> float:
        """The potential.

        Raises:
            EvaluationError: if it raises or is not finite.
        """
        try:
            value = float(self.potential(x, *map(float, parameters)))
        except Exception as error:
            raise EvaluationError(f"the potential raised {type(error).__name__}: {error}") from error
        if not np.isfinite(value):
            raise EvaluationError("the potential is not finite")
        return value

    def _gradient(self, x: Array, parameters: Array) -> tuple[Array, Array]:
        """Derivatives d phi/dx [n] and d phi/dp [k] by central differences."""
        dx, dp = np.zeros(x.size), np.zeros(parameters.size)
        for values, result in ((x, dx), (parameters, dp)):
            if values is x and self.stationary:
                continue
            for j in range(values.size):
                h = 1e-5 * (1.0 + abs(values[j]))
                keep = values[j]
                values[j] = keep + h
                up = self.phi(x, parameters)
                values[j] = keep - h
                down = self.phi(x, parameters)
                values[j] = keep
                result[j] = (up - down) / (2 * h)
        return dx, dp

    def residual(self, u: Array) -> Array:
        """G alone."""
        return self(u).f

    def __call__(self, u: Array) -> Evaluation:
        """G and its derivatives."""
        self.evaluations += 1
        k = self.base.parameters
        n = (u.size - k) // 2
        a, b, parameters = u[:n].copy(), u[n : 2 * n].copy(), u[2 * n :].copy()
        first, second = self.base(np.append(a, parameters)), self.base(np.append(b, parameters))
        matrix = np.zeros((2 * n + 1, u.size))
        matrix[:n, :n], matrix[:n, 2 * n :] = first.f_u[:, :n], first.f_u[:, n:]
        matrix[n : 2 * n, n:] = second.f_u
        difference = self.phi(a, parameters) - self.phi(b, parameters)
        (da, pa), (db, pb) = self._gradient(a, parameters), self._gradient(b, parameters)
        matrix[2 * n] = np.concatenate([da, -db, pa - pb])
        return Evaluation(u.copy(), np.concatenate([first.f, second.f, [difference]]), matrix)


def locate_crossing(problem: CrossingProblem, a: Array, b: Array, p: float, tolerance: float = 1e-12) -> Located:
    """Newton on the doubled system from two states at nearly equal phi."""
    n = a.size
    u = np.concatenate([a, b, [p]])
    scale = 1.0 + np.abs(u)
    previous = np.inf
    try:
        for _ in range(25):
            here = problem(u)
            step = solve(here.f_u * scale, -here.f)
            size = float(np.max(np.abs(step)))
            if size > 1.0:
                return Located("crossing", u, float("nan"), False, reason="Newton left the neighbourhood")
            u = u + scale * step
            if size <= tolerance or (size < 1e-8 and size > 0.3 * previous):
                if float(np.max(np.abs(u[:n] - u[n : 2 * n]) / scale[:n])) < 1e-6:
                    return Located("crossing", u, float("nan"), False, reason="both branches became the same state")
                phi = abs(problem.phi(u[:n], u[2 * n :])) + 1.0
                noise = np.append(problem.noise(here)[:-1], 4.0 * _EPS * phi + problem.derivative_noise)
                error = float(np.abs(np.linalg.inv(here.f_u)[-1]) @ noise) + size**2 * scale[-1]
                return Located("crossing", u, error, True)
            previous = size
    except (NotCorrectedError, EvaluationError, np.linalg.LinAlgError) as failure:
        return Located("crossing", u, float("nan"), False, reason=str(failure))
    return Located("crossing", u, float("nan"), False, reason="Newton has not converged in 25 iterations")


def crossings(
    problem: Problem,
    potential: Potential,
    branches: Sequence[Branch],
    values: Sequence[Array],
    *,
    stationary: bool = False,
    stable_only: bool = True,
) -> list[Located]:
    """Every crossing of phi between pieces of branches over the parameter (a folded branch crosses itself).

    Args:
        problem: F.
        potential: phi(x, p).
        branches: over the same parameter.
        values: phi along each branch, [points] each.
        stationary: see :class:`CrossingProblem`.
        stable_only: only crossings of pieces that are stable somewhere.
    """
    doubled = CrossingProblem(problem, potential, stationary=stationary)
    pieces = [piece for branch, phi in zip(branches, values, strict=True) for piece in _monotone(branch, phi, stable_only)]
    found: list[Located] = []
    for one, other in combinations_with_replacement(range(len(pieces)), 2):
        if one == other:
            continue
        for a, b, p in _meetings(pieces[one], pieces[other]):
            point = locate_crossing(doubled, a, b, p)
            fresh = all(np.max(np.abs(point.u - known.u) / (1.0 + np.abs(known.u))) > 1e-7 for known in found)
            if point.converged and fresh:
                found.append(point)
    return found


_Piece = tuple[Array, Array, Array]


def _monotone(branch: Branch, phi: Array, stable_only: bool) -> list[_Piece]:
    """(p, x, phi) on the pieces of a branch between turns of the parameter, p ascending."""
    signs = np.sign(np.diff(branch.p))
    cuts = [0, *(np.flatnonzero(signs[1:] * signs[:-1] < 0) + 1).tolist(), len(branch.p) - 1]
    pieces = []
    for low, high in pairwise(cuts):
        part = slice(low, high + 1)
        known = branch.unstable[part] >= 0
        if stable_only and known.all() and not np.any(branch.unstable[part] == 0):
            continue
        p, x, values = branch.p[part], branch.x[part], np.asarray(phi)[part]
        if p[0] > p[-1]:
            p, x, values = p[::-1], x[::-1], values[::-1]
        if len(p) > 1 and p[-1] > p[0]:
            pieces.append((p, x, values))
    return pieces


def _meetings(one: _Piece, other: _Piece) -> list[tuple[Array, Array, float]]:
    low, high = max(one[0][0], other[0][0]), min(one[0][-1], other[0][-1])
    if not low < high:
        return []
    grid = np.unique(np.clip(np.concatenate([one[0], other[0], [low, high]]), low, high))
    difference = np.interp(grid, one[0], one[2]) - np.interp(grid, other[0], other[2])
    found = []
    for i in np.flatnonzero(difference[1:] * difference[:-1] < 0.0):
        s = difference[i] / (difference[i] - difference[i + 1])
        p = float(grid[i] + s * (grid[i + 1] - grid[i]))
        states = [np.array([np.interp(p, piece[0], column) for column in piece[1].T]) for piece in (one, other)]
        if np.max(np.abs(states[0] - states[1]) / (1.0 + np.abs(states[0]))) > 1e-4:
            found.append((states[0], states[1], p))
    return found


def follow_crossing(
    base: Problem,
    potential: Potential,
    a: Array,
    b: Array,
    p: float,
    q: float,
    *,
    stationary: bool = False,
    bounds: Bounds | None = None,
    settings: Settings | None = None,
    names: Sequence[str] | None = None,
    parameters: tuple[str, str] = ("p", "q"),
    events: Mapping[str, Callable[..., float]] | None = None,
    checkpoint: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Branch:
    """The line of first-order transitions through a crossing, in two parameters, up to where both states merge.

    Args:
        base: F(x, p, q).
        potential: phi(x, p, q).
        a: one state, [n].
        b: the other, [n].
        p: first parameter.
        q: second parameter.
        stationary: see :class:`CrossingProblem`.
        bounds: as in :func:`continue_branch`, of q.
        settings: of the engine.
        names: of the components of x; those of the second state are marked with a prime.
        parameters: names of p and q.
        events: ``{name: g(x_a, x_b, p, q)}``.
        checkpoint: as in :func:`continue_branch`.
        progress: called with the number of points so far.

    Returns:
        A branch over q with components (x_a, x_b', p); it ends (reason ``distance``) near the critical point, where the
        two states are the same.
    """
    n = a.size
    labels = tuple(names) if names is not None else tuple(f"x{i}" for i in range(n))
    apart = float(np.max(np.abs(a - b) / (1.0 + np.abs(a))))

    # signed, in the component that differs most: past the critical point the two states have changed places
    chosen = int(np.argmax(np.abs(a - b) / (1.0 + np.abs(a))))
    sign = float(np.sign(a[chosen] - b[chosen]))

    def distance(X: Array, _q: float) -> float:
        return sign * float((X[chosen] - X[n + chosen]) / (1.0 + abs(X[chosen])))

    located: dict[str, Any] = {"distance": distance}
    for name, event in (events or {}).items():
        located[name] = lambda X, q, event=event: event(X[:n], X[n : 2 * n], float(X[-1]), q)
    table: dict[Any, tuple[float, float]] = {}
    if bounds is not None:
        table = dict(bounds) if isinstance(bounds, Mapping) else {parameters[1]: (bounds[0], bounds[1])}
    table["distance"] = (min(1e-2, 0.5 * apart), np.inf)
    return follow_problem(
        CrossingProblem(base, potential, stationary=stationary), np.concatenate([a, b, [p]]), q, bounds=table,
        settings=settings, events=located, names=(*labels, *(f"{name}'" for name in labels), parameters[0]),
        parameter=parameters[1], checkpoint=checkpoint, progress=progress, crossings=False,
    )  # fmt: skip
