"""Double-exponential quadrature for checking what a user wrote, in plain Python.

This serves a handful of one-dimensional integrals while a spec is read, where importing numpy would cost more than the
integrals. The rules cluster their nodes at the ends of every panel, so a kink or a narrow peak at a panel's end is
resolved whatever its width.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_REACH = 6.0
_LEVELS = 6
_HALF_PI = math.pi / 2

Function = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Integral:
    """A value, whether it settled to the tolerance, and whether the work allowed for it ran out before it could."""

    value: float
    settled: bool
    exhausted: bool


def integrate(f: Function, ends: Sequence[float], *, tolerance: float, calls: int) -> Integral:
    """The integral of ``f`` over the panels between ascending ``ends`` (the outer ones may be infinite).

    ``tolerance`` is absolute below 1 and relative above; no more refinement begins after ``calls`` evaluations.
    """
    panels = list(itertools.pairwise(ends))
    sums = [_samples(f, panel, 0.5, 0.0) + _samples(f, panel, 0.5, 0.25) for panel in panels]
    used = len(panels) * _nodes(0.25)
    steps = [0.25] * len(panels)
    values = [total * 0.25 for total in sums]
    errors = [math.inf] * len(panels)
    for _ in range(_LEVELS):
        for index, panel in enumerate(panels):
            done = errors[index] <= tolerance * 0.1 * max(1.0, abs(values[index])) / len(panels)
            if done or used > calls:
                continue
            sums[index] += _samples(f, panel, steps[index], steps[index] / 2)
            used += _nodes(steps[index])
            steps[index] /= 2
            value = sums[index] * steps[index]
            errors[index] = abs(value - values[index])
            values[index] = value
    total = math.fsum(values) if all(map(math.isfinite, values)) else math.inf
    settled = math.isfinite(total) and sum(errors) <= tolerance * max(1.0, abs(total))
    return Integral(total, settled, exhausted=used > calls and not settled)


def _nodes(step: float) -> int:
    return int(2 * _REACH / step) + 1


def _samples(f: Function, panel: tuple[float, float], step: float, offset: float) -> float:
    """The sum of the weighted integrand over the nodes ``offset + step * k``."""
    total = 0.0
    for k in range(_nodes(step)):
        t = -_REACH + offset + k * step
        if t > _REACH:
            break
        x, weight = _node(panel, t)
        if weight > 0.0:
            total += weight * f(x)
    return total


def _node(panel: tuple[float, float], t: float) -> tuple[float, float]:
    a, b = panel
    s, ds = _HALF_PI * math.sinh(t), _HALF_PI * math.cosh(t)
    if math.isinf(b) or math.isinf(a):
        distance = math.exp(min(s, 340.0))
        return (a + distance if math.isinf(b) else b - distance), distance * ds
    # The share of the panel left of the node, precise near either end.
    left = 1 / (1 + math.exp(-2 * s)) if s > -350 else 0.0
    right = 1 / (1 + math.exp(2 * s)) if s < 350 else 0.0
    x = a + (b - a) * left if s < 0 else b - (b - a) * right
    return x, 2 * (b - a) * left * right * ds
