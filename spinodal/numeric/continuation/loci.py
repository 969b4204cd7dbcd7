"""Loci: a special point followed in two parameters, with the same loop and the same events.

The special point's defining system G(X, q) = 0, X = (x, p), is one more problem for the engine; only its derivatives are
built here. Where the smallest singular value of dF/dx vanishes (folds), g is that value with the sign of the determinant:
smooth across zero, and a function of the point alone, so that a resumed run is the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spinodal.numeric.continuation.branch import Branch
from spinodal.numeric.continuation.engine import Bounds, follow_problem
from spinodal.numeric.continuation.locate import Located, locate_branch_point
from spinodal.numeric.continuation.problem import Evaluation, EvaluationError, Problem
from spinodal.numeric.continuation.settings import Settings
from spinodal.numeric.results import Array

#: A direction in the plane of the two parameters along which no model is special.
_DIRECTION = (0.54, 0.84)
#: g(x, p, q).
Observable = Callable[[Array, float, float], float]


class Extended(Problem):
    """G(X, q) = [F; further equations] over a base problem of two parameters; X = (x, p)."""

    def __init__(self, base: Problem) -> None:
        self.base = base
        self.parameters = 1
        self.evaluations = self.residuals = 0
        self._second = None

    @property
    def derivative_noise(self) -> float:
        """Relative accuracy of the defining functions."""
        return max(1e-14, self.base.derivative_noise)

    def rows(self, u: Array, here: Evaluation) -> tuple[Array, Array]:
        """The further equations [m] and their gradients [m, n + 2]."""
        raise NotImplementedError

    def residual(self, u: Array) -> Array:
        """G alone."""
        return self(u).f

    def __call__(self, u: Array) -> Evaluation:
        """G and its derivatives in (x, p, q)."""
        self.evaluations += 1
        here = self.base(u)
        values, gradients = self.rows(u, here)
        return Evaluation(u.copy(), np.append(here.f, values), np.vstack([here.f_u, gradients]))


def singular_vectors(here: Evaluation) -> tuple[float, Array, Array]:
    """(g, v [n], w [n]): the signed smallest singular value of the scaled dF/dx, its vectors in the problem's own units.

    Unknowns are scaled smoothly; equations are not: with a symmetry all derivatives of one may vanish together.
    """
    n = len(here.f)
    scale = np.sqrt(1.0 + here.u[:n] ** 2)
    left, singular, right = np.linalg.svd(here.jacobian * scale)
    sign = np.sign(np.linalg.det(left) * np.linalg.det(right)) or 1.0
    return float(sign * singular[-1]), right[-1] * scale, sign * left[:, -1]


class FoldProblem(Extended):
    """[F; g], g the signed smallest singular value of dF/dx."""

    def rows(self, u: Array, here: Evaluation) -> tuple[Array, Array]:
        """G and its gradient w . D2F[v, .]."""
        g, v, w = singular_vectors(here)
        return np.array([g]), self.base.second_row(u, w, np.append(v, [0.0, 0.0]))[None]

    def cusp(self, x: Array, q: float) -> float:
        """(w . D2F[v, v]) (w . dF), even in v and w, which are defined up to their signs; x includes the first parameter.

        The first factor vanishes at a cusp. dF is F's derivative along a fixed direction in the plane of both parameters: at
        a cusp whose axis lies along q, w . F_p vanishes as well. Zeros of the second factor mean nothing
        (:meth:`is_cusp`).
        """
        u = np.append(x, q)
        here = self.base(u)
        _, v, w = singular_vectors(here)
        forces = (w @ here.f_u[:, -2:]) * (1.0 + np.abs(u[-2:]))
        return self.base.second_form(u, w, np.append(v, [0.0, 0.0])) * float(forces @ _DIRECTION)

    def force(self, u: Array) -> float:
        """|w . F_p|, which vanishes where branches meet."""
        here = self.base(u)
        _, _, w = singular_vectors(here)
        return abs(float(w @ here.dfdp)) * (1.0 + abs(float(u[-2])))

    def is_cusp(self, u: Array) -> bool:
        """Whether it is the first factor alone that vanishes at a zero of :meth:`cusp`, or at a turn of q."""
        here = self.base(u)
        _, v, w = singular_vectors(here)
        curvature = abs(self.base.second_form(u, w, np.append(v, [0.0, 0.0])))
        forces = np.abs(w @ here.f_u[:, -2:]) * (1.0 + np.abs(u[-2:]))
        # with a symmetry both may vanish together (a tricritical point): that is no cusp
        return bool(curvature < 1e-3 * np.max(forces) and np.max(forces) > 1e-3)


class ZeroProblem(Extended):
    """[F; g] for an observable g(x, p, q); its gradient by differences unless given."""

    def __init__(
        self, base: Problem, observable: Observable, gradient: Callable[[Array], tuple[float, Array]] | None = None
    ) -> None:
        super().__init__(base)
        self.observable, self._gradient = observable, gradient

    def rows(self, u: Array, here: Evaluation) -> tuple[Array, Array]:
        """G and its gradient."""
        if self._gradient is not None:
            value, row = self._gradient(u)
        else:
            value, row = self._value(u), self._differences(u)
        if not (np.isfinite(value) and np.all(np.isfinite(row))):
            raise EvaluationError("the observable is not finite")
        return np.array([value]), row[None]

    def _value(self, u: Array) -> float:
        try:
            return float(self.observable(u[:-2], float(u[-2]), float(u[-1])))
        except Exception as error:
            raise EvaluationError(f"the observable raised {type(error).__name__}: {error}") from error

    def _differences(self, u: Array) -> Array:
        row = np.zeros(u.size)
        for j in range(u.size):
            h = 1e-5 * (1.0 + abs(u[j]))
            up, down = u.copy(), u.copy()
            up[j] += h
            down[j] -= h
            row[j] = (self._value(up) - self._value(down)) / (2 * h)
        return row


class BranchPointProblem(Extended):
    """[F + mu w; g; w . F_p] with unknowns (x, mu, p): the locus of points where branches cross (with a symmetry).

    The base is given in the order (x, p, q); here X = (x, mu, p), mu being zero on the locus.
    """

    def __call__(self, u: Array) -> Evaluation:
        """G and its derivatives; those of g and w . F_p by differences."""
        self.evaluations += 1
        n = u.size - 3
        f, w = self._values(u)
        matrix = np.zeros((n + 2, u.size))
        here = self.base(np.delete(u, n))
        matrix[:n, :n], matrix[:n, n], matrix[:n, n + 1 :] = here.jacobian, w, here.f_u[:, n:]
        for j in [*range(n), n + 1, n + 2]:
            h = 1e-5 * (1.0 + abs(u[j]))
            up, down = u.copy(), u.copy()
            up[j] += h
            down[j] -= h
            (more, _), (less, _) = self._values(up, w), self._values(down, w)
            matrix[n:, j] = (more[n:] - less[n:]) / (2 * h)
        return Evaluation(u.copy(), f, matrix)

    def _values(self, u: Array, reference: Array | None = None) -> tuple[Array, Array]:
        n = u.size - 3
        here = self.base(np.delete(u, n))
        g, _, w = singular_vectors(here)
        along = reference if reference is not None else np.where(np.arange(n) == np.argmax(np.abs(w)), w, 0.0) * np.sign(w)
        if float(along @ w) < 0.0:
            w = -w
        return np.concatenate([here.f + u[n] * w, [g, float(w @ here.dfdp)]]), w


def fold_classes(problem: FoldProblem) -> Callable[[Located], Located | None]:
    """What a turn of the second parameter on a fold curve is: a cusp (located as such), or branches that meet."""

    def classify(point: Located) -> Located | None:
        if point.kind == "cusp":
            return point if problem.is_cusp(point.u) else None
        if point.kind != "fold":
            return point
        if problem.is_cusp(point.u):
            return None  # both parameters turn there, or one turns and the other stops
        if problem.force(point.u) > 1e-3:
            return replace(point, kind="branch-point")  # an isola is born, or branches cross
        # with a symmetry the fold curve may meet its mirror image (a tricritical point): two curves of G cross there
        scale = 1.0 + np.abs(point.u)
        meeting = locate_branch_point(problem, point.u, scale, 1e-12)
        if meeting.converged and float(np.max(np.abs(meeting.u - point.u) / scale)) < 1e-2:
            point = replace(meeting, position=point.position)
        return replace(point, kind="branch-point")

    return classify


def continue_locus(
    F: Callable[[Array, float, float], Array],
    x0: Any,
    p0: float,
    q0: float,
    *,
    of: str = "fold",
    observable: Observable | None = None,
    jac: Callable[..., Array] | None = None,
    dFdp: Callable[..., Array] | None = None,
    dFdq: Callable[..., Array] | None = None,
    bounds: Bounds | None = None,
    settings: Settings | None = None,
    events: Mapping[str, Observable] | None = None,
    second: Callable[..., Array] | None = None,
    names: Sequence[str] | None = None,
    parameters: tuple[str, str] = ("p", "q"),
    checkpoint: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Branch:
    """Follow a special point of F(x, p, q) = 0 in p as q varies.

    Args:
        F: (x [n], p, q) -> [n].
        x0: the special point at q0, or near it, [n].
        p0: its first parameter.
        q0: the second parameter at the start.
        of: ``fold``, ``branch-point`` (where a symmetry keeps branches crossing), or ``zero`` of the ``observable``.
        observable: g(x, p, q) -> float, for ``zero``.
        jac: dF/dx; default: complex step or differences.
        dFdp: dF/dp; default: the same.
        dFdq: dF/dq; default: the same.
        bounds: ``(low, high)`` of q; or a mapping from names (parameters, components of x, events) to bounds.
        settings: of the engine.
        events: ``{name: g(x, p, q) -> float}``.
        second: d(J v)/dx, (x, p, q, v) -> [n, n].
        names: of the components of x.
        parameters: names of p and q.
        checkpoint: as in :func:`continue_branch`.
        progress: called with the number of points so far.

    Returns:
        A branch over q, its components those of x and then p. On a fold curve, ``cusp`` is a special point.

    Raises:
        NoBranchError: if there is no such point near the start.
        ValueError: for an unknown ``of`` and for bounds that are none.

    Source: Govaerts, Numerical Methods for Bifurcations of Dynamical Equilibria (2000). The folds of p + q x - x^3 = 0
    lie at p = -2 (q/3)^(3/2) and end in a cusp at q = 0:

    >>> line = continue_locus(lambda x, p, q: p + q * x - x**3, 1.0, -2.0, 3.0, bounds=(-1.0, 4.0))
    >>> [f"{abs(point.p):.6f}" for point in line.of_kind("cusp")]
    ['0.000000']
    >>> bool(np.all(np.abs(np.abs(line["p"]) - 2.0 * (line.p / 3.0) ** 1.5) < 1e-9))
    True
    """
    base = Problem(F, jac, [dFdp, dFdq], second, parameters=2)
    base.check_derivatives(np.concatenate([np.atleast_1d(np.asarray(x0, dtype=float)).ravel(), [float(p0), float(q0)]]))
    return follow_locus(
        base, x0, p0, q0, of=of, observable=observable, bounds=bounds, settings=settings, events=events, names=names,
        parameters=parameters, checkpoint=checkpoint, progress=progress,
    )  # fmt: skip


def follow_locus(
    base: Problem,
    x0: Any,
    p0: float,
    q0: float,
    *,
    of: str = "fold",
    observable: Observable | None = None,
    gradient: Callable[[Array], tuple[float, Array]] | None = None,
    bounds: Bounds | None = None,
    settings: Settings | None = None,
    events: Mapping[str, Observable] | None = None,
    names: Sequence[str] | None = None,
    parameters: tuple[str, str] = ("p", "q"),
    checkpoint: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Branch:
    """:func:`continue_locus` for a :class:`Problem` of two parameters."""
    start = np.atleast_1d(np.asarray(x0, dtype=float)).ravel()
    labels = tuple(names) if names is not None else tuple(f"x{i}" for i in range(start.size))
    extra: tuple[str, ...] = (parameters[0],)
    problem: Extended
    located: dict[str, Callable[[Array, float], float]] = {}
    classify, crossings = None, True
    if of == "fold":
        problem = fold = FoldProblem(base)
        located["cusp"] = fold.cusp
        classify, crossings = fold_classes(fold), False
    elif of == "branch-point":
        problem, extra = BranchPointProblem(base), ("_unfolding", parameters[0])
    elif of == "zero" and observable is not None:
        problem = ZeroProblem(base, observable, gradient)
    else:
        raise ValueError(f"{of}: loci are of 'fold', 'branch-point', or 'zero' with an observable")
    n = start.size
    for name, event in (events or {}).items():
        located[name] = lambda X, q, event=event: event(X[:n], float(X[-1]), q)  # type: ignore[misc]
    unknowns = np.concatenate([start, np.zeros(len(extra) - 1), [float(p0)]])
    branch = follow_problem(
        problem, unknowns, float(q0), bounds=bounds, settings=settings, events=located, names=(*labels, *extra),
        parameter=parameters[1], checkpoint=checkpoint, progress=progress, classify=classify, crossings=crossings,
    )  # fmt: skip
    return replace(branch, evaluations=base.evaluations)
