"""Special points by Newton on their defining systems (minimally augmented where a Jacobian is singular).

    fold            [ F  ]        unknowns (x, p);  g from   [ J  b ] [v]   [0]     g_u = -w . D2F[v, .]
                    [ g  ] = 0                               [ c  0 ] [g] = [1]

    branch point    [ F + mu b ]  unknowns (x, p, mu);       [ F_u  b ]^T [w]   [0]
                    [ g_1, g_2 ] = 0                         [ C    0 ]   [g] = [e_3]   with two rows C

    zero of g       [ F ]         unknowns (x, p)
                    [ g ] = 0

    cusp            [ F ]         unknowns (x, p, p2);  a = w . D2F[v, v]   (in loci.py)
                    [ g ]
                    [ a ] = 0

Beyn, Champneys, Doedel, Govaerts, Kuznetsov, Sandstede, Handbook of Dynamical Systems 2 (2002) 149; Govaerts, Numerical
Methods for Bifurcations of Dynamical Equilibria (SIAM 2000).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from spinodal.numeric.continuation.corrector import NotCorrectedError, correct, solve, tangent
from spinodal.numeric.continuation.problem import Evaluation, EvaluationError, Problem
from spinodal.numeric.continuation.segment import Segment
from spinodal.numeric.results import Array

Event = Callable[[Array, float], float]

#: What remains of F (scaled) at a branch point is an imperfection from here on, and two branches do not meet.
_UNFOLDED = 1e-12
_EPS = float(np.finfo(float).eps)
_ITERATIONS = 20


@dataclass(frozen=True, slots=True)
class Located:
    """A special point of a branch.

    Attributes:
        kind: ``fold``, ``branch-point``, ``cusp``, ``boundary``, or an event's name.
        u: the point (x, p), [n + 1].
        error: absolute error estimate of the parameter.
        converged: whether Newton on the defining system converged.
        position: arclength index: the number of the node before, plus the fraction of the step.
        null: null vectors of F_u there, one per row (fold: one; branch point: two).
        left: left null vector of F_u or J, [n].
        reason: why it did not converge, or a remark.
    """

    kind: str
    u: Array
    error: float
    converged: bool
    position: float = 0.0
    null: Array | None = None
    left: Array | None = None
    reason: str = ""


class Border:
    """The bordered Jacobian of a fold: g, its vectors and its gradient; the borders are renewed from the vectors."""

    def __init__(self, evaluation: Evaluation, scale: Array) -> None:
        self.scale = scale
        self.rows = np.max(np.abs(evaluation.f_u * scale), axis=1)
        self.rows[self.rows == 0.0] = 1.0
        left, _, right = np.linalg.svd(self._scaled(evaluation))
        self.b, self.c = left[:, -1], right[-1]

    def _scaled(self, evaluation: Evaluation) -> Array:
        return np.asarray(evaluation.jacobian * self.scale[:-1] / self.rows[:, None])

    def vectors(self, evaluation: Evaluation) -> tuple[float, Array, Array]:
        """(g, v [n + 1] with v_p = 0, w [n]) at a point.

        Raises:
            NotCorrectedError: if the bordered matrix is singular (the kernel has more than one dimension).
        """
        n = len(self.b)
        matrix = np.zeros((n + 1, n + 1))
        matrix[:n, :n] = self._scaled(evaluation)
        matrix[:n, n], matrix[n, :n] = self.b, self.c
        unit = np.append(np.zeros(n), 1.0)
        if np.linalg.cond(matrix) > 1e13:
            raise NotCorrectedError("a bordered matrix is singular")
        right, left = np.linalg.solve(matrix, unit), np.linalg.solve(matrix.T, unit)
        v = np.append(right[:n] * self.scale[:-1], 0.0)
        return float(right[n]), v, np.asarray(left[:n] / self.rows)

    def renewed(self, v: Array, w: Array) -> None:
        """Take the vectors found as the next borders."""
        c, b = v[:-1] / self.scale[:-1], w * self.rows
        self.c, self.b = c / np.linalg.norm(c), b / np.linalg.norm(b)


def _parameter_error(matrix: Array, noise: Array, step: Array, scale: Array, at: int) -> float:
    """Error of one unknown: the noise carried through the defining system, plus what Newton's last step leaves."""
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return float("inf")
    width = float(scale[at])
    carried = float(np.abs(inverse[at]) @ noise) * width
    # quadratic convergence: the error after the last step is at most of the size of that step, squared if it is small
    left = float(np.max(np.abs(step)))
    return carried + min(left, 1e3 * left**2 + 1e-2 * abs(float(step[at]))) * width


def _newton_size(step: Array) -> float:
    return float(np.max(np.abs(step)))


def locate_fold(problem: Problem, guess: Array, scale: Array, tolerance: float) -> Located:
    """Newton on [F; g] from a guess near a fold."""
    u = guess.copy()
    border: Border | None = None
    previous = np.inf
    reason = f"Newton on the fold's defining system has not converged in {_ITERATIONS} iterations"
    try:
        for _ in range(_ITERATIONS):
            here = problem(u)
            border = border or Border(here, scale)
            g, v, w = border.vectors(here)
            matrix = np.vstack([here.f_u, -problem.second_row(u, w, v)]) * scale
            step = solve(matrix, -np.append(here.f, g))
            size = _newton_size(step)
            if size > 1.0 or not np.isfinite(size):
                reason = "Newton on the fold's defining system left the neighbourhood"
                break
            u = u + scale * step
            if size <= tolerance or (size < 1e-7 and size > 0.3 * previous):
                noise = problem.noise(here)
                extended = np.append(noise, problem.derivative_noise)
                error = _parameter_error(matrix, extended, step, scale, -1)
                # an error of g moves the point along the branch, where p is stationary: only F's own noise counts for p
                force = abs(float(w @ here.dfdp))
                if force > 0.0:
                    direct = float(np.abs(w) @ noise) / force
                    error = min(error, direct + 4.0 * _EPS * abs(float(u[-1])) + 10.0 * size**2)
                return Located("fold", u, error, True, null=v[None], left=w)
            border.renewed(v, w)
            previous = size
    except (NotCorrectedError, EvaluationError) as failure:
        reason = str(failure)
    return Located("fold", u, float("nan"), False, reason=reason)


def _row_sizes(problem: Problem, here: Evaluation, scale: Array) -> Array:
    """Size of each equation's derivatives around a point [n]: at a branch point itself a whole row may vanish."""
    rows = np.max(np.abs(here.f_u * scale), axis=1)
    for sign in (1.0, -1.0):
        try:
            beside = problem(here.u + sign * 0.03 * scale * np.cos(np.arange(scale.size) + 1.0))
        except EvaluationError:
            continue
        rows = np.maximum(rows, np.max(np.abs(beside.f_u * scale), axis=1))
    return np.where(rows > 0.0, rows, 1.0)


def locate_branch_point(problem: Problem, guess: Array, scale: Array, tolerance: float) -> Located:
    """Newton on [F + mu b; g_1; g_2] from a guess near a point where two branches cross."""
    u, mu = guess.copy(), 0.0
    n = u.size - 1
    previous = np.inf
    reason = f"Newton on the branch point's defining system has not converged in {_ITERATIONS} iterations"
    b: Array | None = None
    try:
        for _ in range(_ITERATIONS):
            here = problem(u)
            scaled = here.f_u * scale
            if b is None:
                rows = _row_sizes(problem, here, scale)
                left, _, right = np.linalg.svd(scaled / rows[:, None])
                b, kernel = left[:, -1], right[-2:]
            # bordered matrix of the (n, n + 1) Jacobian: one column, two rows
            matrix = np.zeros((n + 2, n + 2))
            matrix[:n, : n + 1] = scaled / rows[:, None]
            matrix[:n, n + 1] = b
            matrix[n:, : n + 1] = kernel
            if np.linalg.cond(matrix) > 1e13:
                raise NotCorrectedError("more than two branches meet here (a kernel of three dimensions)")
            vectors = np.linalg.solve(matrix, np.eye(n + 2)[:, n:])
            v, g = vectors[: n + 1].T, vectors[n + 1]
            w = np.linalg.solve(matrix.T, np.eye(n + 2)[:, n + 1])[:n]
            raw = w / rows
            # [F_u b; C 0]^T [w; h] = e: w F_u + h C = 0 and w b = 1, so that d g_j = -w . D2F[v_j, .]
            gradient = np.stack([-problem.second_row(u, raw, vj * scale) for vj in v]) * scale
            full = np.zeros((n + 2, n + 2))
            full[:n, : n + 1], full[:n, n + 1] = scaled / rows[:, None], b
            full[n:, : n + 1] = gradient
            step = np.linalg.solve(full, -np.concatenate([here.f / rows + mu * b, g]))
            size = _newton_size(step[: n + 1])
            if size > 1.0 or not np.isfinite(size):
                reason = "Newton on the branch point's defining system left the neighbourhood"
                break
            u, mu = u + scale * step[: n + 1], mu + float(step[n + 1])
            if size <= tolerance or (size < 1e-7 and size > 0.3 * previous):
                slopes = np.maximum(problem.derivative_noise, problem.scatter_of_slopes(here, raw, v * scale))
                own = problem.noise(here) / rows
                noise = np.concatenate([own, slopes])
                error = _parameter_error(full, noise, step, np.append(scale, 1.0), n)
                if size > tolerance:  # Newton wanders in the noise of its own derivatives: by steps of this size
                    error += 4.0 * abs(float(step[n])) * float(scale[n])
                if abs(mu) > _UNFOLDED + 1e3 * float(np.max(own)):  # an imperfection, and not rounding
                    return Located("branch-point", u, float("nan"), False, reason="the branches do not quite meet")
                return Located("branch-point", u, error, True, null=v * scale, left=raw)
            kernel = np.linalg.qr(v.T)[0].T
            b = w / np.linalg.norm(w)
            previous = size
    except (NotCorrectedError, EvaluationError, np.linalg.LinAlgError) as failure:
        reason = str(failure)
    return Located("branch-point", u, float("nan"), False, reason=reason)


def value_of(event: Event, u: Array) -> float:
    """An event's value; nan where it cannot be evaluated."""
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(event(u[:-1].copy(), float(u[-1])), dtype=float)
            return float(value.reshape(-1)[0]) if value.size == 1 else float("nan")
    except Exception:
        return float("nan")


def locate_zero(
    problem: Problem, segment: Segment, event: Event, kind: str, values: tuple[float, float], tolerance: float
) -> Located:
    """Newton on [F; g] for an event g that changes sign on a segment, kept inside its bracket.

    g is corrected along the branch: its change across the branch is of second order in the corrector's step, since every
    iterate is first put back on the branch.
    """
    low, high = 0.0, 1.0
    g_low, g_high = values
    s = g_low / (g_low - g_high)
    u = segment.at(s)
    best: tuple[float, Array, Evaluation, Array] | None = None
    last = np.inf
    reason = "the zero's defining system has not converged"
    points = [(0.0, g_low), (1.0, g_high)]
    size = np.inf
    try:
        for _ in range(60):
            row = segment.slope(s) / segment.scale**2
            row = row / np.linalg.norm(row * segment.scale)
            found = correct(problem, segment.at(s), row, segment.scale, tolerance, 12)
            u = found.u
            g = value_of(event, u)
            if not np.isfinite(g):
                reason = f"{kind} cannot be evaluated on the way to its zero"
                break
            t = tangent(found.evaluation.f_u, segment.scale, segment.slope(s))
            if best is None or abs(g) <= abs(best[0]):
                best = (g, u, found.evaluation, t)
            if g == 0.0:
                size = 0.0
                break
            if g * g_low < 0.0:
                high, g_high = s, g
            else:
                low, g_low = s, g
            points.append((s, g))
            new = _next_point(points, low, high, g_low, g_high)
            size = abs(new - s)
            if size <= 1e-15 or (size < 1e-11 and size > 0.5 * last) or high - low < 4e-16:
                break
            last, s = size, new
    except (NotCorrectedError, EvaluationError) as failure:
        reason = str(failure)
    if best is None:
        return Located(kind, u, float("nan"), False, reason=reason)
    g, u, here, t = best
    slope = (value_of(event, u + 1e-5 * segment.length * t) - value_of(event, u - 1e-5 * segment.length * t)) / (
        2e-5 * segment.length
    )
    spread = abs(g_high - g_low) / max(high - low, 1e-300) / max(segment.length, 1e-300)
    steep = abs(slope) if np.isfinite(slope) and slope != 0.0 else spread
    noise = abs(g) + _scatter(event, u, t, segment.length) + problem.derivative_noise * 1e-1 * abs(spread)
    noise += 4.0 * _EPS * (abs(values[0]) + abs(values[1]))
    along = noise / max(steep, 1e-300)
    matrix = np.vstack([here.f_u * segment.scale, t / segment.scale])
    across = _parameter_error(matrix, np.append(problem.noise(here), 0.0), np.zeros(1), segment.scale, -1)
    error = along * abs(float(t[-1])) + across + 4.0 * _EPS * abs(float(u[-1]))
    jump = min(abs(values[0]), abs(values[1]))
    good = abs(g) <= 1e-6 * max(abs(values[0]), abs(values[1])) or size < 1e-9
    if good and abs(g) > 1e-3 * jump and jump > 0.0:
        return Located(kind, u, float("nan"), False, reason=f"{kind} jumps across zero: it is not continuous there")
    return Located(kind, u, float(error), bool(good), null=t[None], reason="" if good else reason)


def _scatter(event: Event, u: Array, t: Array, length: float) -> float:
    """Rounding level of an event: the fourth difference over points very near, which sees no smooth change."""
    steps = 1e-9 * length * np.arange(-2.0, 3.0)
    values = np.array([value_of(event, u + step * t) for step in steps])
    if not np.all(np.isfinite(values)):
        return 0.0
    return float(abs(values @ np.array([1.0, -4.0, 6.0, -4.0, 1.0]))) / 4.0


def _next_point(points: list[tuple[float, float]], low: float, high: float, g_low: float, g_high: float) -> float:
    """Inverse quadratic or secant step through the latest points, kept inside the bracket; else its middle."""
    width = high - low
    candidate = float("nan")
    (s0, g0), (s1, g1) = points[-1], points[-2]
    if len(points) >= 5:
        s2, g2 = points[-3]
        if g0 != g1 and g1 != g2 and g0 != g2:
            candidate = (
                s0 * g1 * g2 / ((g0 - g1) * (g0 - g2))
                + s1 * g0 * g2 / ((g1 - g0) * (g1 - g2))
                + s2 * g0 * g1 / ((g2 - g0) * (g2 - g1))
            )
    if not low < candidate < high and g0 != g1:
        candidate = s0 - g0 * (s1 - s0) / (g1 - g0)
    if not low < candidate < high:
        candidate = low - g_low * width / (g_high - g_low)
    slow = len(points) > 8 and len(points) % 3 == 0 and width > 1e-12
    if slow or not low < candidate < high:
        return 0.5 * (low + high)
    return candidate


def fold_guess(segment: Segment) -> Array:
    """Where the interpolated parameter turns round."""
    turns = segment.turning()
    return segment.at(turns[0] if turns else 0.5)


def branch_point_guess(segment: Segment) -> Array:
    """Where the determinant's linear interpolant vanishes."""
    ratio = float(np.exp(np.clip(segment.end.log - segment.start.log, -50.0, 50.0)))
    return segment.at(1.0 / (1.0 + ratio))


def placed(located: Located, segment: Segment, index: int) -> Located:
    """With its position along the branch: the index of the segment plus the fraction of its chord."""
    chord = (segment.end.u - segment.start.u) / segment.scale
    offset = (located.u - segment.start.u) / segment.scale
    fraction = float(np.clip(chord @ offset / max(float(chord @ chord), 1e-300), 0.0, 1.0))
    return replace(located, position=index + fraction)
