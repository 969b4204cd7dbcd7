"""Averages inside averages: log E[e^w] and means tilted by e^w, at every node of an outer pass.

Every outer node is a row with an inner variable z ~ N(0, 1) of its own. With w = m log Z the weight e^(w - z^2/2) may sit
far from z = 0 and be much narrower than 1, or have two maxima (m copies choose between two states together). So the nodes
of a row follow its weight:

1. the maxima of S(z) = w(z) - z^2/2 are bracketed by the sign changes of S' on a grid that reaches 10^4, and found by a
   safeguarded Newton iteration; the four highest are kept, those that matter;
2. the domain ends where S has fallen by 45 below its maximum;
3. the domain is mapped to that of the quadrature rule, which is graded around each maximum (over its curvature radius)
   and around the integrand's own steps.

Sums are taken in the log domain. A rule's ``refined`` doubles the nodes and refines the grid of the search.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinodal.numeric import runtime
from spinodal.numeric.quadrature import Rule

Array = NDArray[np.float64]
#: ``search(rule, z, *arguments)`` gives w, dw/dz and d2w/dz2 at z [R, k].
Search = Callable[..., tuple[Any, Any, Any]]

_BLOCK_ELEMENTS = 32000
_FARTHEST = 1e4  # of a maximum of S
_FALL = 45.0  # S falls by this much inside the domain: what is left out weighs 1e-19
#: The domain in the rule's own variable: rules do not grade finely near their edge (+-9), where their weight is negligible.
_EXTENT = 7.0
#: Steps wider than this (in the inner variable) are resolved without panels of their own.
_WIDE = 1.0
#: Steps narrower than the first take more nodes: by the second for each factor 10.
_NARROW, _MORE = 1e-2, 0.15
_NEWTON = 12
_MAXIMA = 4
_EXTENSIONS = 40  # of the domain, each by 1.6


def tilted(
    kernel: Callable[..., tuple[Any, ...]],
    search: Search,
    rule: Rule,
    steps: Sequence[tuple[Any, ...]],
    *arguments: Any,
) -> tuple[Array, ...]:
    """Log E[e^w] and tilted means, at every outer node.

    Args:
        kernel: ``kernel(rule, z, weight, shift, *arguments)`` returns log E[e^w] and the means [R]; it calls :func:`tilt`.
        search: w and its first two derivatives in z.
        rule: the quadrature rule of the inner variable.
        steps: (offset, slope) or (offset, slope, sharpness) of the integrands' steps at the outer nodes.
        arguments: what the integrands read: numbers, columns [b, 1] or outer node arrays [b, n].

    Returns:
        Arrays of the outer nodes' shape [b, n].
    """
    shape, flat, centres, widths = _rows(steps, arguments)
    count = math.prod(shape)
    pieces = []
    reach = max(1, _BLOCK_ELEMENTS // len(_grid(rule.n)))
    for begin in range(0, count, reach):
        outer = slice(begin, min(begin + reach, count))
        block = tuple(_cut(a, outer) for a in flat)
        modes, widths_of_modes, low, high = _domain(search, rule, outer.stop - outer.start, block)
        places, sizes = ([array[:, k] for k in range(array.shape[1])] for array in (modes, widths_of_modes))
        for centre, width in zip(centres, widths, strict=True):
            if np.any(_cut(width, outer) < _WIDE):
                places.append(_cut(centre, outer))
                sizes.append(_cut(width, outer))
        narrowest = min(float(np.nanmin(size, initial=1.0)) for size in sizes)
        thin = _thinned(rule, len(places), narrowest)
        size = max(1, _BLOCK_ELEMENTS // (thin.n * len(places)))
        for start in range(0, outer.stop - outer.start, size):
            part = slice(start, start + size)
            z, weight, shift = _nodes(
                thin, [_cut(c, part) for c in places], [_cut(w, part) for w in sizes], low[part], high[part]
            )
            pieces.append(kernel(rule, z, weight, shift, *(_column(a, part) for a in block)))
    return tuple(np.concatenate([np.atleast_1d(p) for p in piece]).reshape(shape) for piece in zip(*pieces, strict=True))


def _thinned(rule: Rule, places: int, narrowest: float) -> Rule:
    """The rule for a domain that is cut between several places: each panel is simpler than the whole.

    Derivatives of steps of width w are larger than their integrals by powers of 1/w: more nodes where they are narrow.
    """
    if not is_dataclass(rule) or isinstance(rule, type):
        return rule
    share = (1.0 if places == 1 else 0.6) * (1.0 + _MORE * math.log10(_NARROW / min(max(narrowest, 1e-12), _NARROW)))
    if share == 1.0:
        return rule
    thinned: Rule = replace(rule, n=max(12, int(share * rule.n)))
    return thinned


def plain(
    kernel: Callable[..., tuple[Any, ...]], rule: Rule, steps: Sequence[tuple[Any, ...]], *arguments: Any
) -> tuple[Array, ...]:
    """E[g] over an inner standard normal variable at every outer node; ``kernel(rule, z, weight, *arguments)``."""
    shape, flat, centres, widths = _rows(steps, arguments)
    values = runtime.average(
        lambda z, weight, *given: kernel(rule, z, weight, *given), rule, list(zip(centres, widths, strict=True)), *flat
    )
    return tuple(np.broadcast_to(np.asarray(value), (math.prod(shape),)).reshape(shape) for value in values)


def tilt(weight: Array, shift: Array, exponent: Any) -> tuple[Array, Array]:
    """(Normalised tilted weights [R, n], log E[e^w] [R]) from w at the nodes and what :func:`tilted` hands to a kernel."""
    total = exponent + shift
    top = total.max(axis=1, keepdims=True)
    total -= top
    np.exp(total, out=total)
    total *= weight
    norm = total.sum(axis=1, keepdims=True)
    total /= norm
    return total, (top + np.log(norm))[:, 0]


def _rows(
    steps: Sequence[tuple[Any, ...]], arguments: Sequence[Any]
) -> tuple[tuple[int, ...], tuple[Any, ...], list[Array], list[Array]]:
    """The outer nodes' shape, the arguments by row, and the steps' centres and widths by row."""
    shapes = [np.shape(a) for a in (*arguments, *(part for step in steps for part in step))]
    shape = np.broadcast_shapes((1, 1), *shapes)
    flat = tuple(_flat(a, shape) for a in arguments)
    located = [_located(*(_flat(part, shape) for part in step)) for step in steps]
    return shape, flat, [c for c, _ in located], [w for _, w in located]


def _located(offset: Any, slope: Any, sharpness: Any = 1.0) -> tuple[Array, Array]:
    """As :func:`runtime.step`, but as far out as the domain may reach."""
    a, b, sharp = (np.atleast_1d(np.asarray(part, dtype=float)) for part in (offset, slope, sharpness))
    b = np.where(np.abs(b) < 1e-12, 1e-12, b)
    centre, width = np.broadcast_arrays(-a / b, 1.0 / (sharp * np.abs(b)))
    return np.where(np.isfinite(centre), np.clip(centre, -1e9, 1e9), 0.0), np.clip(width, 1e-13, 1e9)


def _flat(a: Any, shape: tuple[int, ...]) -> Any:
    """Numbers stay numbers; arrays become one value per row."""
    if not isinstance(a, np.ndarray) or a.ndim == 0:
        return a
    return np.broadcast_to(a, shape).reshape(-1)


def _cut(a: Any, part: slice) -> Any:
    return a[part] if isinstance(a, np.ndarray) and a.ndim and len(a) > 1 else a


def _column(a: Any, part: slice) -> Any:
    return _cut(a, part)[:, None] if isinstance(a, np.ndarray) and a.ndim else a


@lru_cache(maxsize=16)
def _grid(n: int) -> Array:
    """Where S' is sampled: dense around 0, out to +-10^4; an odd number of points, so that no symmetry is met exactly."""
    count = 40 + n // 8
    end = math.asinh(_FARTHEST)
    grid = np.sinh(np.linspace(-end, end, count + count % 2) + 0.013)
    grid.setflags(write=False)
    return grid


def _domain(search: Search, rule: Rule, count: int, block: tuple[Any, ...]) -> tuple[Array, Array, Array, Array]:
    """The maxima of S [R, 1 to 4], their widths, and the ends of the domain [R]."""
    columns = tuple(a[:, None] if isinstance(a, np.ndarray) and a.ndim else a for a in block)
    grid = _grid(rule.n)[None, :]
    value, slope, _ = _action(search, rule, grid, columns, count)
    rises = (slope[:, :-1] > 0.0) & (slope[:, 1:] <= 0.0)
    score = np.where(rises, np.maximum(value[:, :-1], value[:, 1:]), -np.inf)
    several = min(_MAXIMA, max(1, int(np.max(np.count_nonzero(rises, axis=1)))))
    if several == 1:
        index = np.argmax(score, axis=1)[:, None]
    else:
        index = np.argsort(-score, axis=1, kind="stable")[:, :several]
        index = np.where(np.isfinite(np.take_along_axis(score, index, axis=1)), index, index[:, :1])
    rows = np.arange(count)[:, None]
    z, height, curvature = _polish(
        search, rule, columns, grid[0][index], grid[0][index + 1], slope[rows, index], slope[rows, index + 1]
    )
    width = np.minimum(1.0, 1.0 / np.sqrt(np.maximum(-curvature, 1e-300)))
    top = height.max(axis=1)
    if several > 1:  # a maximum that does not count is moved onto the highest
        best = np.argmax(height, axis=1)[:, None]
        idle = height < top[:, None] - _FALL
        z = np.where(idle, np.take_along_axis(z, best, axis=1), z)
        width = np.where(idle, np.take_along_axis(width, best, axis=1), width)
        order = np.argsort(z, axis=1, kind="stable")
        z, width = np.take_along_axis(z, order, axis=1), np.take_along_axis(width, order, axis=1)
        kept = [0, *(k for k in range(1, several) if np.any(z[:, k] != z[:, k - 1]))]
        z, width = z[:, kept], width[:, kept]
    low, high = _ends(search, rule, columns, z, width, top, count)
    return z, width, low, high


def _action(search: Search, rule: Rule, z: Array, columns: tuple[Any, ...], count: int) -> tuple[Array, Array, Array]:
    """S, S' and S'' at z [R or 1, k]."""
    w, slope, curvature = search(rule, z, *columns)
    shape = (count, z.shape[1])
    return (
        np.broadcast_to(w - 0.5 * z * z, shape),
        np.broadcast_to(slope - z, shape),
        np.broadcast_to(curvature - 1.0, shape),
    )


def _polish(
    search: Search, rule: Rule, columns: tuple[Any, ...], left: Array, right: Array, at_left: Array, at_right: Array
) -> tuple[Array, Array, Array]:
    """The zero of S' in each bracket [R, k], with S and S'' there: Newton, or else the bracket's middle in log scale."""
    with np.errstate(invalid="ignore"):
        z = left - at_left * (right - left) / np.where(at_right == at_left, np.inf, at_right - at_left)
    for _ in range(_NEWTON):
        value, slope, curvature = _action(search, rule, z, columns, len(z))
        ahead = slope > 0.0
        left, right = np.where(ahead, z, left), np.where(ahead, right, z)
        step = slope / np.where(curvature < 0.0, -curvature, np.nan)
        trial = z + step
        if np.all(np.abs(step) * np.sqrt(np.abs(curvature)) < 1e-2):
            return z, value, curvature
        middle = np.sinh(0.5 * (np.arcsinh(left) + np.arcsinh(right)))
        z = np.where((trial > left) & (trial < right), trial, middle)
    value, _slope, curvature = _action(search, rule, z, columns, len(z))
    return z, value, curvature


def _ends(
    search: Search, rule: Rule, columns: tuple[Any, ...], z: Array, width: Array, top: Array, count: int
) -> tuple[Array, Array]:
    """Ends of the domain: where S has fallen far enough, ten widths beyond the outermost maxima if it is a parabola."""
    lowest, highest = np.argmin(z, axis=1)[:, None], np.argmax(z, axis=1)[:, None]
    base = np.concatenate([np.take_along_axis(z, k, axis=1) for k in (lowest, highest)], axis=1)
    own = np.concatenate([np.take_along_axis(width, k, axis=1) for k in (lowest, highest)], axis=1)
    reach = 10.0 * own
    outward = np.array([-1.0, 1.0])
    for _ in range(_EXTENSIONS):
        value, _slope, _curvature = _action(search, rule, base + outward * reach, columns, count)
        short = value > top[:, None] - _FALL
        if not short.any():
            break
        reach = np.where(short, 1.6 * reach, reach)
    return base[:, 0] - reach[:, 0], base[:, 1] + reach[:, 1]


def _nodes(
    rule: Rule, centres: Sequence[Array], widths: Sequence[Array], low: Array, high: Array
) -> tuple[Array, Array, Array]:
    """Inner nodes z [R, n], weights, and what to add to w so that weight e^(w + shift) sums to E[e^w]."""
    middle, scale = 0.5 * (low + high), (high - low) / (2.0 * _EXTENT)
    y, weight = rule.nodes([(c - middle) / scale for c in centres], [w / scale for w in widths])
    scale, middle = scale[:, None], middle[:, None]
    z = middle + scale * y
    return z, weight, 0.5 * (y * y - z * z) + np.log(scale)
