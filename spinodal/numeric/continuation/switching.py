"""Branch switching: the tangents of all branches through a branch point, and the branches along them.

With v_1, v_2 spanning the kernel of F_u and w its left null vector, tangents v = a v_1 + b v_2 solve the algebraic branching
equation w . D2F[v, v] = 0 (Keller 1977). A pitchfork and a transcritical point both have two real directions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spinodal.numeric.continuation.branch import Branch
from spinodal.numeric.continuation.corrector import NotCorrectedError, Scaling, correct
from spinodal.numeric.continuation.engine import Bounds, NoBranchError, follow_problem
from spinodal.numeric.continuation.problem import EvaluationError, Problem
from spinodal.numeric.continuation.settings import Settings
from spinodal.numeric.results import Array, SpecialPoint


def tangents_at(problem: Problem, point: SpecialPoint) -> list[Array]:
    """The tangents of the branches through a located branch point, unit vectors in scaled variables, [n + 1] each.

    Raises:
        NoBranchError: if the point is no converged branch point, or the branches do not cross there (an isolated point).
    """
    if point.kind != "branch-point" or not point.converged or point.null is None or point.left is None:
        raise NoBranchError("only a converged branch point has branches to switch to")
    assert point.x is not None
    u = np.append(point.x, point.p)
    scale = Scaling().at(u)
    kernel = np.linalg.qr((point.null / scale).T)[0].T * scale
    first = problem.second_row(u, point.left, kernel[0], accurate=True)
    second = problem.second_row(u, point.left, kernel[1], accurate=True)
    a, b, c = float(first @ kernel[0]), float(first @ kernel[1]), float(second @ kernel[1])
    size = max(abs(a), abs(b), abs(c))
    if size == 0.0:
        raise NoBranchError("the branching equation is degenerate: more than two branches may meet here")
    discriminant = b * b - a * c
    if discriminant < -1e-9 * size**2:
        raise NoBranchError("no real branches cross here: the point is isolated")
    root = np.sqrt(max(discriminant, 0.0))
    # a x^2 + 2 b x y + c y^2 = 0, without cancellation
    q = -(b + np.copysign(root, b))
    pairs = [(q, a), (c, q)] if max(abs(q), abs(a)) > 0 and max(abs(q), abs(c)) > 0 else [(1.0, 0.0), (0.0, 1.0)]
    directions = []
    for x, y in pairs:
        t = x * kernel[0] + y * kernel[1]
        directions.append(t / np.linalg.norm(t / scale))
    return directions


def switch_branches(
    problem: Problem,
    point: SpecialPoint,
    known: Array,
    *,
    settings: Settings | None = None,
    bounds: Bounds | None = None,
    **options: Any,
) -> tuple[Branch, ...]:
    """The branches through a branch point other than the one travelled, each half followed away from the point.

    Args:
        problem: F.
        point: a located branch point.
        known: tangent of the branch already known, [n + 1].
        settings: of the engine.
        bounds: as in :func:`continue_branch`.
        **options: further arguments of :func:`follow_problem`.
    """
    assert point.x is not None
    settings = settings or Settings()
    u = np.append(point.x, point.p)
    scale = Scaling().at(u)
    travelled = known / scale
    travelled = travelled / np.linalg.norm(travelled)
    found = []
    others = sorted(tangents_at(problem, point), key=lambda t: abs(float((t / scale) @ travelled)))
    for t in others[:1]:
        if abs(float((t / scale) @ travelled)) > 1.0 - 1e-6:
            continue
        for sign in (1.0, -1.0):
            start = _off(problem, u, sign * t, scale, settings)
            if start is None:
                continue
            try:
                branch = follow_problem(
                    problem, start[:-1], float(start[-1]), settings=settings, direction=sign * t, bounds=bounds, **options
                )
                found.append(branch)
            except NoBranchError:
                continue
    return tuple(found)


def _off(problem: Problem, u: Array, t: Array, scale: Array, settings: Settings) -> Array | None:
    """A point of the branch with tangent t, a little off the branch point."""
    step = settings.step
    for _ in range(8):
        try:
            found = correct(problem, u + step * t, t / scale**2, scale, settings.tolerance, settings.newton)
        except (NotCorrectedError, EvaluationError):
            step *= 0.3
            continue
        offset = (found.u - u) / scale
        if abs(float(offset @ (t / scale))) > 0.9 * float(np.linalg.norm(offset)):
            return found.u
        step *= 0.3
    return None
