"""Tangents, the bordered corrector, and the first point.

Scaled variables y = u / scale are used in every linear solve, so that conjugates of 1e3 and overlaps near 1 count alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinodal.numeric.continuation.problem import Evaluation, EvaluationError, Problem
from spinodal.numeric.results import Array


@dataclass(frozen=True, slots=True)
class Scaling:
    """The scaled variables: every unknown by 1 + its size, the parameter by no more than the width of its bounds."""

    width: float = np.inf

    def at(self, u: Array) -> Array:
        """Scale of each component of u, [n + 1]."""
        scale = 1.0 + np.abs(u)
        scale[-1] = min(scale[-1], self.width)
        return scale


@dataclass(frozen=True, slots=True)
class Corrected:
    """A point on the branch.

    Attributes:
        u: the point.
        evaluation: the last evaluation (one Newton step before u).
        step: scaled size of what is left: the next Newton step as far as it can be foreseen.
        iterations: Newton iterations used.
    """

    u: Array
    evaluation: Evaluation
    step: float
    iterations: int


class NotCorrectedError(Exception):
    """The corrector did not converge; the message says why."""


def solve(matrix: Array, right: Array) -> Array:
    """A dense solve after row equilibration.

    Raises:
        NotCorrectedError: for a singular matrix.
    """
    rows = np.max(np.abs(matrix), axis=1)
    if not np.all(rows > 0.0):
        raise NotCorrectedError("a bordered matrix is singular")
    try:
        result = np.linalg.solve(matrix / rows[:, None], (right.T / rows).T)
    except np.linalg.LinAlgError as error:
        raise NotCorrectedError("a bordered matrix is singular") from error
    if not np.all(np.isfinite(result)):
        raise NotCorrectedError("a bordered matrix is singular")
    return np.asarray(result)


def correct(problem: Problem, guess: Array, row: Array, scale: Array, tolerance: float, iterations: int) -> Corrected:
    """Newton for F = 0 in the plane ``row . (u - guess) = 0``.

    Raises:
        NotCorrectedError: if it does not converge.
        EvaluationError: if F cannot be evaluated on the way.
    """
    u = guess.copy()
    previous = np.inf
    border = row * scale
    for iteration in range(1, iterations + 1):
        here = problem(u)
        matrix = np.vstack([here.f_u * scale, border])
        step = solve(matrix, -np.append(here.f, row @ (u - guess)))
        size = float(np.max(np.abs(step)))
        u = u + scale * step
        if not size < 1e6:
            raise NotCorrectedError("the corrector diverges")
        # the next step of a quadratically convergent iteration
        ahead = size**3 / previous**2 if np.isfinite(previous) else np.inf
        stalled = size < 1e-8 and size > 0.5 * previous
        if size <= tolerance or (ahead <= tolerance and size < 0.1 * previous) or stalled:
            return Corrected(u, here, size if stalled or not np.isfinite(ahead) else min(size, ahead), iteration)
        if size > 2.0 * previous or size > 10.0:
            raise NotCorrectedError("the corrector diverges")
        previous = size
    raise NotCorrectedError(f"the corrector has not converged in {iterations} iterations")


def tangent(f_u: Array, scale: Array, along: Array | None) -> Array:
    """The unit tangent (in scaled variables) of the branch, oriented along ``along``.

    Raises:
        NotCorrectedError: if it is not unique (a branch point).
    """
    scaled = f_u * scale
    if along is not None:
        border = along / scale
        try:
            t = solve(np.vstack([scaled, border]), np.append(np.zeros(len(f_u)), 1.0))
        except NotCorrectedError:
            t = np.linalg.svd(scaled)[2][-1]
    else:
        t = np.linalg.svd(scaled)[2][-1]
    t = t / np.linalg.norm(t)
    if along is not None and float(t @ (along / scale)) < 0.0:
        t = -t
    return np.asarray(scale * t)


def orientation(f_u: Array, t: Array, scale: Array) -> tuple[float, float]:
    """Sign and logarithm of |det [F_u; t]| in scaled variables; the sign changes where branches cross."""
    matrix = np.vstack([f_u * scale, t / scale])
    rows = np.max(np.abs(matrix), axis=1)
    rows[rows == 0.0] = 1.0
    sign, log = np.linalg.slogdet(matrix / rows[:, None])
    return float(sign), float(log + np.sum(np.log(rows)))


def first_point(problem: Problem, x0: Array, p0: float, scaling: Scaling, tolerance: float) -> Corrected:
    """A point of the branch from a guess: at p0 itself where Newton finds one there, else the nearest one found.

    Raises:
        NotCorrectedError: if no root is found near the guess.
        EvaluationError: if F cannot be evaluated at the guess.
    """
    guess = np.append(np.asarray(x0, dtype=float), float(p0))
    scale = scaling.at(guess)
    fixed = np.zeros(guess.size)
    fixed[-1] = 1.0
    start = problem(guess)
    singular = np.linalg.svd(start.jacobian * scale[:-1], compute_uv=False)
    regular = singular[-1] > 1e-5 * singular[0] if singular.size else True
    if regular:
        try:
            found = correct(problem, guess, fixed / scale**2, scale, tolerance, 25)
            if np.max(np.abs(found.u - guess) / scale) < 1.0:
                return found
        except (NotCorrectedError, EvaluationError):
            pass
    nearest = _nearest(problem, guess, scale, tolerance)
    if abs(nearest.u[-1] - guess[-1]) <= _MOVED * scale[-1]:
        return nearest
    # not on a fold: where the guess only has a singular Jacobian, there are roots at p0 to both sides of it
    directions = np.linalg.svd(start.jacobian * scale[:-1])[2][::-1][:1] if singular.size else np.zeros((0, 0))
    beside = []
    for direction in directions:
        for length in (0.1, -0.1, 1.0, -1.0):
            try:
                shifted = guess + np.append(scale[:-1] * length * direction, 0.0)
                found = correct(problem, shifted, fixed / scale**2, scale, tolerance, 25)
            except (NotCorrectedError, EvaluationError):
                continue
            beside.append((float(np.max(np.abs(found.u - guess) / scale)), found))
    distance, found = min(beside, key=lambda pair: pair[0], default=(np.inf, nearest))
    return found if distance <= float(np.max(np.abs(nearest.u - guess) / scale)) else nearest


#: A first point whose parameter is farther from the wanted one (scaled) has moved there.
_MOVED = 1e-3


def _nearest(problem: Problem, guess: Array, scale: Array, tolerance: float) -> Corrected:
    """The nearest root, the parameter being free (Gauss-Newton, least change): beside or on a fold."""
    u, previous = guess.copy(), np.inf
    for iteration in range(1, 61):
        here = problem(u)
        step = np.linalg.lstsq(here.f_u * scale, -here.f, rcond=1e-10)[0]
        size = float(np.max(np.abs(step)))
        u = u + scale * step * min(1.0, 0.3 / max(size, 1e-300))
        if size <= tolerance or (size < 1e-8 and size > 0.5 * previous):
            # a least-squares step vanishes where |F| is smallest, too
            if np.any(np.abs(here.f) > 1e3 * problem.noise(here) + 1e-8 * np.max(np.abs(here.f_u * scale), axis=1)):
                raise NotCorrectedError("F does not vanish anywhere near the start")
            return Corrected(u, here, size, iteration)
        previous = size
    raise NotCorrectedError("no root was found near the start")
