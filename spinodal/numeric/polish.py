"""Special points of a generated module: solved again with more quadrature nodes, with the difference as error estimate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spinodal.numeric.continuation.corrector import NotCorrectedError, solve
from spinodal.numeric.continuation.locate import Located, locate_branch_point, locate_fold
from spinodal.numeric.continuation.problem import EvaluationError
from spinodal.numeric.module_problem import ModuleProblem, Observed
from spinodal.numeric.results import Array

_REFINEMENTS = 3
_EPS = float(np.finfo(float).eps)


def solve_defining(problem: ModuleProblem, kind: str, observable: str, u: Array, tolerance: float = 1e-12) -> Located:
    """Newton on a special point's defining system from a nearby guess u = (x, p).

    Args:
        problem: F along one parameter.
        kind: ``fold``, ``branch-point``, or the kind of an observable's zero.
        observable: whose zero it is, if it is one (``a - b`` for the difference of two).
        u: the guess.
        tolerance: on the scaled Newton step.
    """
    scale = 1.0 + np.abs(u)
    if kind == "fold":
        return locate_fold(problem, u, scale, tolerance)
    if kind == "branch-point":
        return locate_branch_point(problem, u, scale, tolerance)
    return replace(_zero(problem, observable, u, scale, tolerance), kind=kind)


def _zero(problem: ModuleProblem, observable: str, u: Array, scale: Array, tolerance: float) -> Located:
    gradient = Observed(problem).gradient(observable)
    u, previous = u.copy(), np.inf
    reason = "Newton on the zero's defining system has not converged in 20 iterations"
    row: Array | None = None
    try:
        for _ in range(20):
            here = problem(u)
            value, slopes = gradient(u)
            if not np.isfinite(value) or not np.all(np.isfinite(slopes)):
                raise EvaluationError(f"{observable} is not finite")
            row = slopes
            matrix = np.vstack([here.f_u, row]) * scale
            step = solve(matrix, -np.append(here.f, value))
            size = float(np.max(np.abs(step)))
            if size > 1.0:
                reason = "Newton on the zero's defining system left the neighbourhood"
                break
            u = u + scale * step
            if size <= tolerance or (size < 1e-8 and size > 0.3 * previous):
                noise = np.append(problem.noise(here), 8.0 * _EPS * (1.0 + float(np.abs(row) @ np.abs(u))))
                inverse = np.linalg.inv(matrix)
                error = float(np.abs(inverse[-1]) @ noise + 10.0 * size**2) * float(scale[-1])
                return Located("", u, error, True)
            previous = size
    except (NotCorrectedError, EvaluationError, np.linalg.LinAlgError) as failure:
        reason = str(failure)
    return Located("", u, float("nan"), False, reason=reason)


def polished(
    problem: ModuleProblem, kind: str, observable: str, u: Array, tolerance: float
) -> tuple[Located, ModuleProblem]:
    """A special point with quadrature error below the tolerance where that can be had, and the problem it was solved in.

    The point is solved with a rule and with the refined rule; their difference, added to the error of the solution of
    the equations themselves, is the error estimate.
    """
    coarse = solve_defining(problem, kind, observable, u)
    if not coarse.converged:
        return coarse, problem
    for _ in range(_REFINEMENTS):
        finer = problem.refined()
        fine = solve_defining(finer, kind, observable, coarse.u)
        if not fine.converged:
            return fine, finer
        drift = abs(float(fine.u[-1] - coarse.u[-1]))
        result = replace(fine, error=fine.error + drift)
        if drift <= tolerance:
            return result, finer
        problem, coarse = finer, fine
    return result, finer
