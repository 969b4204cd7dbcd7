"""Deflation: Newton that does not return to known roots (Farrell, Birkisson, Funke, SIAM J. Sci. Comput. 37, 2015).

The deflated residual is M(x) F(x), M(x) = prod_i (1/|x - x_i|^2 + 1). Its Newton step is a multiple of that of F, so that
no other linear system is solved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from spinodal.numeric.continuation.problem import EvaluationError, Problem
from spinodal.numeric.results import Array


def deflated_root(
    problem: Problem,
    guess: Array,
    p: float,
    known: Sequence[Array],
    *,
    tolerance: float = 1e-12,
    iterations: int = 100,
    distance: float = 1e-6,
) -> Array | None:
    """A root of F(., p) other than the known ones, from a guess; None if none is found.

    Args:
        problem: F.
        guess: [n]; it may be a known root itself (it is moved a little).
        p: the parameter.
        known: roots not to return.
        tolerance: on the scaled Newton step.
        iterations: at most.
        distance: a root within this scaled distance of a known one is that one.
    """
    x = np.array(guess, dtype=float)
    if any(np.max(np.abs(x - root) / (1.0 + np.abs(root))) < 1e-3 for root in known):
        x = x + 1e-2 * (1.0 + np.abs(x)) * np.cos(np.arange(x.size) + 1.0)
    for _ in range(iterations):
        try:
            here = problem(np.append(x, p))
            step = -np.linalg.solve(here.jacobian, here.f)
        except (EvaluationError, np.linalg.LinAlgError):
            return None
        plain = float(np.max(np.abs(step) / (1.0 + np.abs(x))))
        # d log M . step
        logarithm = 0.0
        for root in known:
            offset = (x - root) / (1.0 + np.abs(root))
            square = max(float(offset @ offset), 1e-300)
            gradient = -2.0 * offset / (1.0 + np.abs(root)) / (square * (1.0 + square))
            logarithm += float(gradient @ step)
        denominator = 1.0 - logarithm
        factor = 1.0 / denominator if abs(denominator) > 1e-12 else 1.0
        size = plain * abs(factor)
        x = x + step * factor * min(1.0, 1.0 / max(size, 1e-300))
        if not np.all(np.isfinite(x)):
            return None
        if plain <= tolerance or (size <= tolerance and plain < 1e-6):
            new = all(np.max(np.abs(x - root) / (1.0 + np.abs(root))) > distance for root in known)
            return x if new else None
    return None


def all_roots(
    problem: Problem,
    starts: Sequence[Array],
    p: float,
    *,
    known: Sequence[Array] = (),
    accept: Callable[[Array], bool] = lambda x: True,
    misses: int = 3,
    limit: int = 64,
) -> list[Array]:
    """Every root of F(., p) that deflated Newton finds from the starts, the known ones first.

    From each start roots are deflated until ``misses`` attempts in a row (the start, then moved a little) find nothing.

    Args:
        problem: F.
        starts: guesses, [n] each.
        p: the parameter.
        known: roots known beforehand.
        accept: whether a root is one of the problem (inside its domain); others are deflated too but not returned.
        misses: failures in a row before the next start.
        limit: roots at most.
    """
    found = [np.asarray(root, dtype=float) for root in known]
    deflated = list(found)
    for start in starts:
        failures = 0
        while failures < misses and len(deflated) < limit:
            shift = failures * 3e-2 * (1.0 + np.abs(start)) * np.sin(np.arange(start.size) * 2.0 + failures)
            root = deflated_root(problem, start + shift, p, deflated)
            if root is None:
                failures += 1
                continue
            deflated.append(root)
            if accept(root):
                found.append(root)
    return found
