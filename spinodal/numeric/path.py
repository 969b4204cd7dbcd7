"""Following a root along a straight path in parameter space without leaving its branch."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinodal.numeric.roots import NewtonSettings, Root, Roots, newton, newton_row, together
from spinodal.numeric.rows import Array, Inside, Mask, Row, System, Tangent, run, unstable_directions

#: Roots at the start of the rows of a path with these indices.
Origins = Callable[[NDArray[np.int64]], Roots]
#: Unknowns smaller than this vanish.
_VANISHES = 1e-14
#: The shortest step towards a zero of det J, as a part of what is left of its bracket.
_SHORTEST_PART = 1e-3
#: At the secant's zero itself, where det J is linear, no tangent exists.
_SHORT_OF = 0.98
#: Relative changes of a state that errors of quadrature may make.
_UNMOVED = 1e-4


@dataclass(frozen=True, slots=True)
class PathSettings:
    """How far a step along the branch from small alpha may go before it is shortened.

    Attributes:
        overlap_error: largest difference between an overlap's change and the trapezoid rule of its two tangents.
        relative_error: the same for conjugates, relative to their size.
        overlap_change: largest change of an overlap in one step.
        smallest: the step, as a part of the path up to it, below which the branch is said to end (before the first step its
            square, of the whole path).
        steps: steps tried at most: only where the equations are not resolved do steps stay short without shrinking.
        corrections: Newton iterations allowed per step.
        reach: how far (scaled) a prediction may be from the root: farther ones are refused after one evaluation.
        contraction: the largest ratio of one of its steps to the one before.
        aim: how far predictions should be, which sets the next step's length.
        unseen: the step (in units of the whole path) below which two eigenvalues may change sides together: a pair of
            complex ones does so without any other branch.
        loose: tolerance on the last Newton step (which is taken) of the points before the last, where steps are long.
    """

    overlap_error: float = 0.03
    relative_error: float = 0.2
    overlap_change: float = 0.5
    smallest: float = 1e-8
    steps: int = 200
    corrections: int = 8
    reach: float = 0.3
    contraction: float = 2.0
    aim: float = 0.05
    unseen: float = 0.01
    loose: float = 3e-2


@dataclass(frozen=True, slots=True)
class Path:
    """The end of a branch followed from one parameter point to another.

    Attributes:
        roots: the Newton result at the end (or at the last point reached).
        reached: the fraction of the path that was followed [B]; 1 where the end was reached.
        fold: where the path stopped because the Jacobian became singular [B].
    """

    roots: Roots
    reached: Array
    fold: Mask


def nowhere(p: Array, n: int, reached: float) -> Path:
    """No states of n unknowns at p [B, k]: rows in which others are put; ``reached`` says why."""
    unknown, count = np.full(len(p), np.inf), np.zeros(len(p), dtype=int)
    nothing = np.zeros(len(p), dtype=bool)
    roots = Roots(np.full((len(p), n), np.nan), nothing, unknown, unknown, count, 0.0 * count, np.zeros((len(p), n, n)))
    return Path(roots, np.full(len(p), reached), nothing)


def follow(
    system: System,
    start: Array,
    p_start: Array,
    p_end: Array,
    bounded: Mask,
    newton_settings: NewtonSettings | None = None,
    settings: PathSettings | None = None,
    origins: Origins | None = None,
) -> Path:
    """Follow a root along the straight path from p_start to p_end, each row with its own step.

    Tangent predictor, Newton corrector; a step counts only if the corrector stays near the prediction and the sign of
    det dF/dx does not change, so that the branch is not left for another one beyond a fold.

    Args:
        system: the equations.
        start: a root at p_start, or a state close to one [B, n].
        p_start: parameters there [B, k].
        p_end: parameters where the root is wanted [B, k].
        bounded: which unknowns are overlaps of order one (their changes are compared absolutely) [n].
        newton_settings: tolerance of the final point.
        settings: step control.
        origins: where else to look for roots at p_start if Newton fails from the start.
    """
    settings = settings or PathSettings()
    final = newton_settings or NewtonSettings()
    origin = _origin(system, start, p_start, final, origins)
    quick = replace(
        final,
        iterations=settings.corrections,
        halvings=0,
        fall_back=False,
        reach=settings.reach,
        contraction=settings.contraction,
    )
    walk = _Walk(bounded, settings, final, quick)
    rows = [walk.row(_row(origin, i), p_start[i], p_end[i] - p_start[i]) for i in range(len(start))]
    ends = run(system, rows)
    # a branch that begins has been reached, though no farther
    least = np.where(origin.converged, np.finfo(float).tiny, 0.0)
    reached = np.maximum([s for _, s in ends], least)
    converged = origin.converged & (reached >= 1.0)
    roots = replace(together([root for root, _ in ends]), converged=converged)
    return Path(roots, reached, origin.converged & ~converged)


@dataclass(frozen=True, slots=True)
class _Zero:
    """A zero of det J at which a branch goes on (a branch point), bracketed by a step that passed it.

    Attributes:
        beyond: where that step ended.
        x: the state there [n].
        jacobian: dF/dx there.
        accepted: whether the last step ended before the zero.
    """

    beyond: float
    x: Array
    jacobian: Array
    accepted: bool

    def step(self, s: float, jacobian: Array) -> float:
        """The next step from s: to the secant's zero, or past it if the last step fell short, so that both ends close in."""
        part = self._part(jacobian)
        part = min(2.0 * part, 0.9) if self.accepted else _SHORT_OF * part
        return max(part, _SHORTEST_PART) * (self.beyond - s)

    def between(self, s: float, root: Root) -> tuple[Root, float] | None:
        """The secant's zero, if the state hardly moves across the bracket: errors of quadrature may leave no root in it."""
        move = self.x - root.x
        if float((np.abs(move) / (1.0 + np.abs(root.x))).max()) > _UNMOVED:
            return None
        part = self._part(root.jacobian)
        return replace(root, x=root.x + part * move), s + part * (self.beyond - s)

    def _part(self, jacobian: Array) -> float:
        """Where in the bracket det J vanishes, were it linear."""
        _, logs = np.linalg.slogdet(np.array([jacobian, self.jacobian]))
        with np.errstate(over="ignore"):
            return float(1.0 / (1.0 + np.exp(logs[1] - logs[0])))


def _falls(before: Array, after: Array) -> bool:
    """Whether a step towards a zero of det J has made det J smaller by what a secant must."""
    _, logs = np.linalg.slogdet(np.array([before, after]))
    return bool(logs[1] < logs[0] - 0.3)


def prediction(linear: Array, quadratic: Array | None) -> Array:
    """The change of a state from the first and second term of its Taylor series.

    Conjugates grow like a power of the distance to where they diverge, for which the Pade approximant l/(1 - q/l) is far
    better than l + q; it is used where its pole is not near.
    """
    if quadratic is None:
        return linear
    straight = (quadratic * linear <= 0.0) | (np.abs(quadratic) > 0.75 * np.abs(linear))
    with np.errstate(all="ignore"):
        return np.where(straight, linear + quadratic, linear * linear / (linear - quadratic))


def _without_rounding(x: Array) -> Array:
    """Unknowns that vanish set to 0: r = 1e-16 beside q = 1e-32 would say that a student is its teacher."""
    return np.where(np.abs(x) < _VANISHES, 0.0, x)


def _row(roots: Roots, i: int) -> Root:
    diagnostics = float(roots.residual[i]), float(roots.step[i]), int(roots.iterations[i])
    return Root(roots.x[i], bool(roots.converged[i]), *diagnostics, roots.jacobian[i])


@dataclass(frozen=True, slots=True)
class _Walk:
    """The steps of one row; arguments as in :func:`follow`."""

    bounded: Mask
    settings: PathSettings
    final: NewtonSettings
    quick: NewtonSettings

    def row(self, root: Root, p: Array, change: Array) -> Row[tuple[Root, float]]:
        """Follow a root from p to p + change: the last root accepted and the fraction of the path up to it.

        Two eigenvalues that change sign within one step leave the sign of det J as it was: where their number has changed at
        the end, the path is walked again with an eye on it.
        """
        last, reached = yield from self._walk(root, p, change, careful=False)
        if reached >= 1.0 and unstable_directions(last.jacobian) != unstable_directions(root.jacobian):
            last, reached = yield from self._walk(root, p, change, careful=True)
        return last, reached

    def _walk(self, root: Root, p: Array, change: Array, *, careful: bool) -> Row[tuple[Root, float]]:
        if not root.converged:
            return root, 0.0
        if not np.count_nonzero(change):
            return root, 1.0
        settings = self.settings
        here = Tangent(root.x, p, change, root.jacobian)
        yield here
        tangent, sign, curvature = np.nan_to_num(here.tangent), here.sign, None
        s, h, refused, iterations, rough = 0.0, 1.0, False, root.iterations, True
        failed = False  # whether the last step led nowhere: at a singular Jacobian Newton makes none
        zero: _Zero | None = None  # of det J, which lies between s and a state of the same branch beyond it
        for _ in range(settings.steps):
            if zero is not None:
                h = min(zero.step(s, root.jacobian), h if failed else np.inf)
            if s >= 1.0 or h <= settings.smallest * max(s, settings.smallest):
                break
            target = min(1.0, s + h)
            length = target - s
            there = p + target * change
            guess = root.x + prediction(length * tangent, curvature if curvature is None else 0.5 * length**2 * curvature)
            allowed = Inside(guess, there)
            yield allowed
            # short steps are taken near an end of the branch, where a loose "root" may lie beyond it
            tolerance = settings.loose if target < 1.0 and h > 1e-2 else self.final.tolerance
            inside = allowed.inside
            found = yield from newton_row(guess if inside else root.x, there, self.quick, tolerance, checked=inside)
            ahead = None
            if found.converged and self._near(found.x, root.x):
                ahead = Tangent(found.x, there, change, found.jacobian)
                yield ahead
                crossed = ahead.sign != sign
                unseen = careful and not crossed and length > settings.unseen
                if unseen:
                    unseen = unstable_directions(found.jacobian) != unstable_directions(root.jacobian)
                same = self._reproduced(root.x, found.x, 0.5 * length * (tangent + ahead.tangent))
                loose = tolerance > self.final.tolerance
                if crossed and same and (yield from self._goes_on(found, there, ahead.sign, loose=loose)):
                    zero, failed = _Zero(target, found.x, found.jacobian, accepted=False), False
                    continue
                if crossed or unseen or not same:
                    ahead = None
            failed = ahead is None
            if ahead is None and zero is not None:
                end = zero.between(s, root)
                if end is not None:
                    return end
            if ahead is None:
                h = 0.45 * length
                if refused and rough:  # a second time: the root's own error may be what the step does not reproduce
                    rough = False
                    again = yield from newton_row(root.x, p + s * change, self.quick, self.final.tolerance)
                    again = replace(again, x=_without_rounding(again.x))
                    if again.converged and self._near(again.x, root.x):
                        here = Tangent(again.x, p + s * change, change, again.jacobian)
                        yield here
                        root, tangent, sign, curvature = again, np.nan_to_num(here.tangent), here.sign, None
                refused = True
                continue
            # predictions are wrong by the second or third power of the length
            error = float((np.abs(found.x - guess) / (1.0 + np.abs(found.x))).max())
            growth = (settings.aim / (error + 1e-300)) ** (1.0 / 2.0 if curvature is None else 1.0 / 3.0)
            iterations += found.iterations
            curvature = (ahead.tangent - tangent) / length
            if zero is not None:
                # where det J does not fall towards the zero, the state beyond was one of another branch
                zero = replace(zero, accepted=True) if _falls(root.jacobian, found.jacobian) else None
            root, s, tangent = replace(found, iterations=iterations), target, ahead.tangent
            rough = tolerance > self.final.tolerance
            # the first step after a refusal gets no longer: a longer one has just been refused
            h = length * min(max(growth, 0.5), 1.0 if refused else 3.0)
            refused = False
        return root, s

    def _goes_on(self, found: Root, p: Array, sign: float, *, loose: bool) -> Row[bool]:
        """Whether a state beyond a change of sign of det J is one: a loose root may have the wrong sign."""
        if sign == 0.0 or not loose:
            return sign != 0.0
        again = yield from newton_row(found.x, p, self.quick, self.final.tolerance)
        return again.converged and self._near(again.x, found.x) and float(np.linalg.slogdet(again.jacobian)[0]) == sign

    def _near(self, found: Array, x: Array) -> bool:
        """Whether no overlap changed by more than one step may change it; norms may be large, and change with their size."""
        change = np.abs(found - x) / np.maximum(1.0, np.abs(x))
        return float(change[self.bounded].max(initial=0.0)) <= self.settings.overlap_change

    def _reproduced(self, x: Array, found: Array, trapezoid: Array) -> bool:
        """Whether the trapezoid rule of the two tangents reproduces the step, or the corrector has left the branch."""
        error = np.abs(found - x - trapezoid)
        relative = error / (1.0 + np.abs(x) + np.abs(found))
        allowed = self.settings.overlap_error * np.maximum(1.0, np.abs(x))
        small = np.where(self.bounded, error <= allowed, relative <= self.settings.relative_error)
        return bool(small.all())


def _origin(system: System, start: Array, p: Array, settings: NewtonSettings, origins: Origins | None = None) -> Roots:
    """The root where a path begins: Newton from the start; where it fails other ``origins``, then the Newton homotopy.

    The homotopy F(x) - (1 - s) F(x0) = 0 has the root x0 at s = 0 and a root of F at s = 1; it is a path like any other.
    """
    roots = newton(system, start, p, settings)
    roots = replace(roots, x=_without_rounding(roots.x))
    if roots.converged.all() or isinstance(system, _Homotopy):
        return roots
    if origins is not None:
        lost = np.flatnonzero(~roots.converged)
        others = origins(lost)
        roots = roots.replaced(lost[others.converged], others, others.converged)
    for row in np.flatnonzero(~roots.converged):
        one = np.array([row])
        offset, _ = system.residual_and_jacobian(start[one], p[one])
        if not np.all(np.isfinite(offset)):
            continue
        everything = np.zeros(start.shape[1], dtype=bool)  # no unknown is compared absolutely
        homotopy = _Homotopy(system, p[row], offset[0])
        path = follow(homotopy, start[one], np.zeros((1, 1)), np.ones((1, 1)), everything, settings)
        roots = roots.replaced(one, path.roots, np.array([True]))
    return roots


@dataclass(frozen=True)
class _Homotopy:
    """F(x) - (1 - s) F(x0) as a system with the single parameter s."""

    system: System
    point: Array
    offset: Array

    def _points(self, x: Array) -> Array:
        return np.broadcast_to(self.point, (len(x), len(self.point)))

    def residual_and_jacobian(self, x: Array, p: Array) -> tuple[Array, Array]:
        """F [B, n] and its Jacobian [B, n, n]."""
        f, j = self.system.residual_and_jacobian(x, self._points(x))
        return f - (1.0 - p) * self.offset, j

    def parameter_derivative(self, x: Array, p: Array, wanted: Collection[int] | None = None) -> Array:
        """d/ds, [B, n, 1]."""
        return np.broadcast_to(self.offset[None, :, None], (len(x), len(self.offset), 1))

    def conditions(self, x: Array, p: Array) -> Array:
        """Those of the system."""
        return self.system.conditions(x, self._points(x))
