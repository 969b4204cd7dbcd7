"""Roots of saddle-point systems: Newton for every state of a batch, and multi-start.

A system is anything with ``residual_and_jacobian(x[B, n], p[B, k])``, ``conditions`` and ``parameter_derivative`` (a
generated module, bound to a quadrature rule); nothing here knows models. F is written as x - update(x), so that a damped
fixed-point step is x - theta F: it globalises Newton where the latter's step leaves the domain or does not descend.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinodal.numeric.rows import Array, Evaluate, Inside, Mask, Row, System, determinant_signs, is_inside, run


@dataclass(frozen=True, slots=True)
class NewtonSettings:
    """How Newton is globalised and when it has converged.

    Attributes:
        tolerance: on the scaled Newton step, max |dx_i| / (1 + |x_i|), or on what is expected of the step after it.
        iterations: Newton iterations at most.
        halvings: step halvings before a damped fixed-point step replaces a Newton step.
        damping: theta of that fixed-point step.
        fall_back: whether to take such steps at all (a corrector near its prediction should rather give up).
        reach: the largest scaled step: a corrector farther than that from its prediction gives up at once.
        contraction: the largest ratio of one scaled step to the one before.
        patience: iterations without progress of max |F_i| / (1 + |x_i|) after which the state is given up.
    """

    tolerance: float = 1e-12
    iterations: int = 60
    halvings: int = 6
    damping: float = 0.5
    fall_back: bool = True
    reach: float = math.inf
    contraction: float = math.inf
    patience: int = 15


#: What counts as progress: the factor by which the residual must fall below its least value so far.
_PROGRESS = 0.9
#: A full step no larger than the first that shortens the step after it to the second, relatively, is a step of a convergent
#: iteration, though residuals rise where a stiff equation curves along it.
_NEAR, _CONTRACTS = 1e-2, 0.1


@dataclass(frozen=True, slots=True)
class Root:
    """Where the Newton iteration of one state ended; see :class:`Roots`."""

    x: Array
    converged: bool
    residual: float
    step: float
    iterations: int
    jacobian: Array


@dataclass(frozen=True, slots=True)
class Roots:
    """Where a batch of Newton iterations ended.

    Attributes:
        x: states [B, n].
        converged: which converged [B].
        residual: max_i |F_i| / (1 + |x_i|) where F was last evaluated, before the last step [B].
        step: the last scaled Newton step [B], a bound on the distance to the root.
        iterations: Newton iterations used [B].
        determinant_sign: sign of det dF/dx [B].
        jacobian: dF/dx where it was last evaluated [B, n, n].
    """

    x: Array
    converged: Mask
    residual: Array
    step: Array
    iterations: NDArray[np.int64]
    determinant_sign: Array
    jacobian: Array

    def replaced(self, rows: NDArray[np.int64], other: Roots, chosen: Mask) -> Roots:
        """These roots with ``rows`` taken from the ``chosen`` rows of another batch."""
        merged = {}
        for name in ("x", "converged", "residual", "step", "iterations", "determinant_sign", "jacobian"):
            values = getattr(self, name).copy()
            values[rows] = getattr(other, name)[chosen]
            merged[name] = values
        return Roots(**merged)

    def taken(self, rows: NDArray[np.int64]) -> Roots:
        """Some of these roots, repeated as often as they are named."""
        names = ("x", "converged", "residual", "step", "iterations", "determinant_sign", "jacobian")
        return Roots(**{name: getattr(self, name)[rows] for name in names})


def concatenated(batches: list[Roots]) -> Roots:
    """Several batches as one."""
    names = ("x", "converged", "residual", "step", "iterations", "determinant_sign", "jacobian")
    return Roots(**{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in names})


def together(found: list[Root]) -> Roots:
    """Single roots as a batch."""
    jacobian = np.array([root.jacobian for root in found])
    return Roots(
        np.array([root.x for root in found]),
        np.array([root.converged for root in found]),
        np.array([root.residual for root in found]),
        np.array([root.step for root in found]),
        np.array([root.iterations for root in found]),
        determinant_signs(jacobian),
        jacobian,
    )


def newton(
    system: System, start: Array, p: Array, settings: NewtonSettings | None = None, tolerance: Array | None = None
) -> Roots:
    """Newton from each row of ``start`` [B, n] at the parameters p [B, k]; rows are independent.

    ``tolerance`` [B] replaces the settings' tolerance row by row. See :func:`newton_row`.
    """
    settings = settings or NewtonSettings()
    x = np.array(start, dtype=float)
    if len(x) == 0:
        nothing = np.zeros(0)
        shape = (0, x.shape[1], x.shape[1])
        return Roots(x, np.zeros(0, bool), nothing, nothing, np.zeros(0, int), nothing, np.zeros(shape))
    wanted = [settings.tolerance] * len(x) if tolerance is None else tolerance.tolist()
    return together(run(system, [newton_row(a, b, settings, goal) for a, b, goal in zip(x, p, wanted, strict=True)]))


def newton_row(x: Array, p: Array, settings: NewtonSettings, tolerance: float, *, checked: bool = False) -> Row[Root]:
    """Newton from one state x [n] at the parameters p [k].

    Convergence asks for a small last step *and* a small residual, or for a step at the rounding level of the equations
    (a further step does not shrink it).

    Args:
        x: the start.
        p: the parameters.
        settings: how the iteration is globalised.
        tolerance: replaces the settings' tolerance.
        checked: whether the start is known to lie inside the domain.
    """
    here = Evaluate(x, p)
    yield here
    usable = not math.isnan(here.merit)
    if usable and not checked:
        start = Inside(x, p)
        yield start
        usable = start.inside
    last, used, converged = math.inf, 0, False
    least, improved = math.inf, 0
    while usable and used < settings.iterations:
        if here.size > min(settings.reach, settings.contraction * last):
            break
        used += 1
        if here.merit < _PROGRESS * least:
            least, improved = here.merit, used
        elif used - improved > settings.patience:
            break
        size, merit = here.size, here.merit
        stalled = 0.5 * last <= size < 1e-7 and merit < 1e-7
        # the last step is taken too: of a quadratically convergent iteration, the next one would have this size
        following_size = 10.0 * size * (size / last) * (size / last) if used > 1 else size
        quadratic = size < 1e-4 and size < 1e-2 * last and merit < 1e-4 and (following_size < tolerance or size < 3e-7)
        # a large tolerance says little where the steps do not contract, as beyond a fold
        wanted = size <= min(tolerance, 1e-3 if used == 1 else max(1e-6, 0.25 * last))
        last = size if not math.isnan(size) else math.inf
        if wanted or quadratic or stalled:
            converged = True
            break
        following = None
        if not math.isnan(size):
            following = yield from _descend(here, settings, used)
        if following is None and settings.fall_back:
            following = yield from _fixed_point_step(here, settings)
        if following is None:
            break
        here = following
    # a state that stopped moving at rounding level has converged
    small = last < 1e-10 and here.merit < 1e-10
    end = here.x
    if converged or small:
        # inside the loop nan marks a state outside the domain; conditions that leave F finite are asked only here
        for end in (here.x - here.step, here.x) if converged else (here.x,):
            final = Inside(end, p)
            yield final
            converged = final.inside
            if converged:
                break
    return Root(end, converged, here.merit, last, used, here.jacobian)


def _descend(here: Evaluate, settings: NewtonSettings, used: int) -> Row[Evaluate | None]:
    """A Newton step, full where that descends and halved otherwise; None where halving does not help."""
    length = 1.0
    for halving in range(settings.halvings + 1):
        trial = Evaluate(here.x - length * here.step, here.p)
        yield trial
        # early full steps may climb a little: asking for descent at once costs more evaluations than it saves
        allowed = 3.0 if used <= 3 and halving == 0 else 1.0 - 1e-4 * length
        if trial.merit < here.merit * allowed or trial.merit < 1e-13:
            return trial
        if halving == 0 and here.size < _NEAR and trial.size < _CONTRACTS * here.size:
            return trial
        length *= 0.5 if halving < 2 else 0.25
    return None


def _fixed_point_step(here: Evaluate, settings: NewtonSettings) -> Row[Evaluate | None]:
    """A damped fixed-point step x - theta F where a Newton step failed, theta halved until inside the domain."""
    theta = settings.damping
    for _ in range(4):
        inside = Inside(here.x - theta * here.residual, here.p)
        yield inside
        if inside.inside:
            trial = Evaluate(inside.x, here.p)
            yield trial
            if not math.isnan(trial.merit):
                return trial
        theta *= 0.5
    return None


def fixed_point(system: System, start: Array, p: Array, sweeps: int, damping: float = 0.5) -> Array:
    """Damped fixed-point sweeps x <- x - damping F; a row that would leave the domain stays where it is."""
    x = np.array(start, dtype=float)
    for _ in range(sweeps):
        f, _ = system.residual_and_jacobian(x, p)
        trial = x - damping * f
        good = np.all(np.isfinite(trial), axis=1)
        if good.any():
            good[good] = is_inside(system, trial[good], p[good])
        x[good] = trial[good]
    return x


def multi_start(
    system: System,
    starts: Array,
    p: Array,
    settings: NewtonSettings | None = None,
    distance: float = 1e-6,
    chunk: int | None = None,
) -> tuple[NDArray[np.int64], Roots]:
    """Every distinct root that Newton finds from many starts [S, n] at one parameter point p [1, k].

    Args:
        system: the equations.
        starts: where Newton begins.
        p: the parameters.
        settings: of Newton.
        distance: the largest relative difference of states that count as one root.
        chunk: take so many starts at a time, and no more after a chunk without a new root (None: all of them).

    Returns:
        The indices of the distinct converged roots in the batch, and the batch itself.
    """
    size = chunk or max(len(starts), 1)
    kept: list[int] = []
    batches: list[Roots] = []
    for begin in range(0, max(len(starts), 1), size):
        some, known = starts[begin : begin + size], len(kept)
        batches.append(newton(system, some, np.broadcast_to(p, (len(some), p.shape[1])), settings))
        x = np.concatenate([batch.x for batch in batches])
        for i in begin + np.flatnonzero(batches[-1].converged):
            if all(np.max(np.abs(x[i] - x[j]) / (1.0 + np.abs(x[j]))) > distance for j in kept):
                kept.append(int(i))
        if begin > 0 and len(kept) == known:
            break
    return np.array(kept, dtype=int), concatenated(batches)
