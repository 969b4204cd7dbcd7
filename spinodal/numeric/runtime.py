"""What generated modules call besides special functions: batching, nodes of planted variables, guards."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinodal.numeric import special
from spinodal.numeric.quadrature import Rule

Array = NDArray[np.float64]

#: States times nodes in one block of averages: few enough for the cache, many enough for what each call costs.
_BLOCK_ELEMENTS = 32000
#: The same where integrands are numerical averages of their own, with a hundred nodes and more inside each of these.
BLOCK_NESTED = 400
#: The same where the fields of a row share those nodes, and are averaged row by row.
BLOCK_OF_ROWS = 8000
#: States for which the algebra before and after the averages is done at once.
_BLOCK_STATES = 4096
#: Half-width of the domain of a standard normal variable; the density there is 1e-18.
_EDGE = 9.0
#: Steps farther out than this need no nodes.
_FAR = 60.0


def batched(core: Callable[..., tuple[Array, ...]], x: Any, p: Any, rule: Rule, v: Any = None) -> tuple[Array, ...]:
    """Run a routine over the rows of x [B, n] and p [B, k], some thousands at a time.

    The routine is given them by columns, [n, B] and [k, B]; it takes its averages in smaller blocks. A single state may
    be given as x [n], p [k]; p [1, k] serves all rows.

    Raises:
        ValueError: if the shapes do not fit.
    """
    states, parameters = np.asarray(x, dtype=float), np.asarray(p, dtype=float)
    if states.ndim != 2 or parameters.ndim != 2:
        states, parameters = np.atleast_2d(states), np.atleast_2d(parameters)
    rows = max(len(states), len(parameters))
    if len(states) != rows or len(parameters) != rows:
        if len(states) not in (1, rows) or len(parameters) not in (1, rows):
            raise ValueError(f"{len(states)} states and {len(parameters)} parameter points cannot be paired")
        states = np.broadcast_to(states, (rows, states.shape[1]))
        parameters = np.broadcast_to(parameters, (rows, parameters.shape[1]))
    directions = None if v is None else np.broadcast_to(np.asarray(v, dtype=float), states.shape)
    blocks = []
    with np.errstate(all="ignore"):  # states outside the domain give nan, which callers read as "outside"
        if rows == 1:  # a single state runs on scalars, whose arithmetic costs a tenth of that of one-element arrays
            extra = () if directions is None else (directions[0],)
            return tuple(np.asarray(out)[None] for out in core(states[0], parameters[0], *extra, rule))
        for start in range(0, rows, _BLOCK_STATES):
            part = slice(start, start + _BLOCK_STATES)
            given = (states, parameters) if directions is None else (states, parameters, directions)
            blocks.append(core(*(np.ascontiguousarray(array[part].T) for array in given), rule))
    if len(blocks) == 1:
        return blocks[0]
    return tuple(np.concatenate(pieces) for pieces in zip(*blocks, strict=True))


def rows(x: Array) -> int:
    """The number of states in x [n, b], or 1 for a single state [n]."""
    return int(x.shape[1]) if x.ndim == 2 else 1


def columns(b: int, *scalars: Any) -> tuple[Any, ...]:
    """Arrays [b] as columns [b, 1]; scalars (of a single state) stay what they are."""
    if b == 1 and not any(isinstance(s, np.ndarray) and s.ndim for s in scalars):
        return scalars
    return tuple(s[:, None] if isinstance(s, np.ndarray) and s.ndim == 1 else np.full((b, 1), float(s)) for s in scalars)


def average(
    integrands: Callable[..., tuple[Any, ...]],
    rule: Rule,
    steps: Sequence[tuple[Array, Array]],
    *arguments: Any,
    elements: int = _BLOCK_ELEMENTS,
) -> tuple[Any, ...]:
    """Averages over a standard normal z, for all rows in cache-sized blocks; each is an array [b], or a number.

    Args:
        integrands: the averages from (z, weight, *arguments), with nodes and weights [b, n] and arguments [b, 1].
        rule: the quadrature rule.
        steps: centres and widths [b] (or [1]) of the integrands' steps.
        arguments: what does not depend on z, as numbers or arrays [b] or [b, 1].
        elements: states times nodes in one block.
    """
    centres, widths = [s[0] for s in steps], [s[1] for s in steps]
    count = max([1, *(len(a) for a in (*arguments, *centres) if isinstance(a, np.ndarray) and a.ndim)])
    if count == 1:
        z, weight = rule.nodes(centres, widths)
        return integrands(z, weight, *(a[:, None] if isinstance(a, np.ndarray) and a.ndim == 1 else a for a in arguments))
    block = max(1, elements // (rule.n * max(1, len(steps))))
    pieces, start = [], 0
    while start < count:
        part = slice(start, start + block)
        z, weight = rule.nodes([_part(c, part) for c in centres], [_part(w, part) for w in widths])
        pieces.append(integrands(z, weight, *(_column(a, part) for a in arguments)))
        start += block
        block = max(1, elements // z.shape[1])  # steps that coincide share their nodes
    if len(pieces) == 1:
        return pieces[0]
    return tuple(np.concatenate([np.atleast_1d(one) for one in piece]) for piece in zip(*pieces, strict=True))


def _part(a: Array, part: slice) -> Array:
    """A block of a centre or width, which all rows may share."""
    return a[part] if len(a) > 1 else a


def _column(a: Any, part: slice) -> Any:
    """A block of an argument as a column; numbers and what all rows share stay what they are."""
    if not isinstance(a, np.ndarray) or not a.ndim:
        return a
    shared = a if len(a) == 1 else a[part]
    return shared[:, None] if shared.ndim == 1 else shared


def blocked(kernel: Callable[..., tuple[Any, ...]], b: int, rule: Rule, *scalars: Any) -> tuple[Any, ...]:
    """A kernel with outer variables, whose nodes multiply the rows, on blocks of rows that keep its memory bounded."""
    block = max(1, _BLOCK_ELEMENTS // rule.n)
    if b <= block:
        return kernel(b, rule, *scalars)
    pieces = []
    for start in range(0, b, block):
        part = slice(start, start + block)
        given = (s[part] if isinstance(s, np.ndarray) and s.ndim else s for s in scalars)
        pieces.append(kernel(min(block, b - start), rule, *given))
    return tuple(np.concatenate(piece) for piece in zip(*pieces, strict=True))


def deepen(value: Any) -> Any:
    """A column [b, 1] as [b, 1, 1], for functions of an inner integration variable; node arrays [b, n] as [b, n, 1]."""
    return value[..., None] if isinstance(value, np.ndarray) else value


def stack(values: Sequence[Any]) -> Array:
    """Per-value numbers or columns as an array with the values last: [K] or [b, 1, K]."""
    if not any(isinstance(value, np.ndarray) for value in values):
        return np.array([float(value) for value in values])
    return np.stack(np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values)), axis=-1)


def dot(weight: Array, values: Any) -> Any:
    """Weighted sums over nodes: [b, n] (or [1, n]) -> [b], a number for one row."""
    if isinstance(values, np.ndarray) and values.shape[-1] == weight.shape[-1]:
        return np.dot(weight[0], values[0]) if len(weight) == len(values) == 1 else np.vecdot(weight, values)
    return (weight * values).sum(axis=1)  # one value for all nodes


def total(weight: Array) -> Any:
    """Sums of weights over nodes: [b, n] -> [b], a number for one row."""
    sums = np.add.reduce(weight, axis=1)
    return sums[0] if len(weight) == 1 else sums


def gather(b: int, values: Any, weight: Array) -> Array:
    """Weighted sums over planted nodes: values [b K] or [b K, 1], weights [b K, 1] -> [b]."""
    flat = np.asarray(values, dtype=float).reshape(-1) * np.asarray(weight).reshape(-1)
    result: Array = flat.reshape(b, -1).sum(axis=1)
    return result


def _is_number(a: Any) -> bool:
    return isinstance(a, float) or np.ndim(a) == 0


def ratio(a: Any, b: Any) -> Any:
    """a/b with 0/0 = 0, a numerator a rounding error from zero included."""
    if _is_number(a) and _is_number(b):
        return a / b if b != 0.0 else (0.0 if abs(a) < 1e-12 else np.float64(np.nan))
    numerator, denominator = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    empty = (denominator == 0.0) & (np.abs(numerator) < 1e-12)
    result: Array = np.where(empty, 0.0, numerator / np.where(empty, 1.0, denominator))
    return result


def root(variance: Any) -> Any:
    """The square root of a variance; a rounding error below zero counts as zero, more gives nan."""
    if _is_number(variance):
        return np.sqrt(variance) if not -1e-12 < variance < 0.0 else np.float64(0.0)
    value = np.asarray(variance, dtype=float)
    result: Array = np.sqrt(np.where((value < 0.0) & (value > -1e-12), 0.0, value))
    return result


#: What is kept of a variance that another one explains completely, and of the distance of a correlation from 1.
_LEFT, _INDEPENDENT = 1e-14, 1e-6
#: Iterates may explain this much more of a variance than there is.
_OVERSHOOT = 0.05


def unexplained(variance: Any, explained: Any) -> Any:
    """What is left of a variance, at least 1e-14 of it, so that its root can divide; nan where far more is explained."""
    left = variance - explained
    least = _LEFT * variance
    if _is_number(left):
        return left if left >= least else np.float64(least if left > -_OVERSHOOT * variance else np.nan)
    result: Array = np.where(left >= least, left, np.where(left > -_OVERSHOOT * variance, least, np.nan))
    return result


def covariance(value: Any, first: Any, second: Any) -> Any:
    """A covariance between quantities of two variances, with its correlation inside +-1."""
    largest = (1.0 - _INDEPENDENT) * np.sqrt(first * second)
    return np.clip(value, -largest, largest)


def log(x: Any) -> Array:
    """The logarithm, -inf at 0 and nan below, without warnings."""
    result: Array = np.log(np.asarray(x, dtype=float))
    return result


def arccos(x: Any) -> Array:
    """arccos, with arguments a rounding error outside [-1, 1] pulled back."""
    value = np.asarray(x, dtype=float)
    result: Array = np.arccos(np.where(np.abs(value) < 1.0 + 1e-9, np.clip(value, -1.0, 1.0), value))
    return result


def step(offset: Any, slope: Any, sharpness: Any = 1.0) -> tuple[Array, Array]:
    """Centre and width [b] in z of a function of ``offset + slope z`` that changes over 1/sharpness of that expression.

    A step beyond +-60 lies far outside the Gaussian's bulk, where its function is smooth; a vanishing slope is no step.
    """
    if _is_number(offset) and _is_number(slope) and _is_number(sharpness):
        return _step_of_one(float(offset), float(slope), float(sharpness))
    parts = np.broadcast_arrays(*(np.asarray(part, dtype=float) for part in (offset, slope, sharpness)))
    a, b, sharp = (part.reshape(-1) for part in parts)
    size = np.maximum(np.abs(b), 1e-12)
    centre = -a / np.where(np.abs(b) < 1e-12, 1e-12, b)
    width = np.maximum(1.0 / (sharp * size), np.abs(centre) - _FAR)
    centre = np.where(np.isfinite(centre), np.clip(centre, -_FAR, _FAR), 0.0)
    return centre, np.clip(np.where(np.isfinite(width), width, 1.0), 1e-13, 1e6)


def _step_of_one(a: float, b: float, sharpness: float) -> tuple[Array, Array]:
    """The same for a single state, without array overheads."""
    if abs(b) < 1e-12:
        b = 1e-12
    centre = -a / b
    width = max(1.0 / (sharpness * abs(b)), abs(centre) - _FAR)
    if not (math.isfinite(width) and math.isfinite(centre)):
        return np.zeros(1), np.ones(1)
    return np.array([min(max(centre, -_FAR), _FAR)]), np.array([min(max(width, 1e-13), 1e6)])


@lru_cache(maxsize=32)
def _legendre(n: int) -> tuple[Array, Array]:
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (nodes + 1.0) / 2.0, weights / 2.0


def _panels(low: float, high: float, splits: Sequence[Any], n: int) -> tuple[Array, Array]:
    """Gauss-Legendre on panels of [low, high], cut at the splits [b, 1]: nodes and weights [b or 1, K]."""
    nodes, weights = _legendre(16)
    regular = np.linspace(low, high, max(2, n // 16) + 1)
    rows = max([1, *(np.asarray(s).size for s in splits)])
    edges = np.concatenate(
        [np.broadcast_to(regular, (rows, regular.size))]
        + [np.broadcast_to(np.clip(np.asarray(s, dtype=float).reshape(-1, 1), low, high), (rows, 1)) for s in splits],
        axis=1,
    )
    edges = np.sort(edges, axis=1)
    lengths = np.diff(edges, axis=1)[..., None]
    points = edges[:, :-1, None] + lengths * nodes
    return points.reshape(rows, -1), (lengths * weights).reshape(rows, -1)


def normal_nodes(splits: Sequence[Any], n: int) -> tuple[Array, Array]:
    """Nodes of a standard normal planted variable, [b or 1, K], weights summing to 1."""
    if not splits:
        z = np.linspace(-_EDGE, _EDGE, 6 * n // 10 + 1)[None, :]
        weight = np.exp(-z * z / 2.0)
        return z, weight / weight.sum()
    z, weight = _panels(-_EDGE, _EDGE, splits, n)
    return z, weight * np.exp(-z * z / 2.0) / np.sqrt(2.0 * np.pi)


def half_normal_nodes(splits: Sequence[Any], n: int) -> tuple[Array, Array]:
    """Nodes of |z|, z standard normal."""
    s, weight = _panels(0.0, _EDGE, splits, n // 3)
    return s, weight * np.exp(-s * s / 2.0) * np.sqrt(2.0 / np.pi)


def plant(b: int, nodes: Array, density: Array, *others: Any) -> tuple[Array, ...]:
    """Pair every row with every planted node: returns node and weight columns [b K, 1] and the other columns repeated."""
    columns_of = [np.asarray(other, dtype=float).reshape(-1, 1) for other in others]
    rows = max([b, *(other.shape[0] for other in columns_of)])
    k = nodes.shape[1]

    def spread(values: Array) -> Array:
        repeats = rows // values.shape[0]
        return (
            np.repeat(values, repeats, axis=0).reshape(-1, 1)
            if values.shape[0] > 1
            else np.tile(values, (rows, 1)).reshape(-1, 1)
        )

    return (
        spread(nodes),
        spread(density),
        *(np.repeat(np.broadcast_to(other, (rows, 1)), k, axis=0) for other in columns_of),
    )


def fill_parameter_columns(
    residual: Callable[..., Array],
    known: Array,
    x: Any,
    p: Any,
    rule: Rule,
    missing: Sequence[int],
) -> Array:
    """Complete dF/dp by Richardson-extrapolated central differences in the missing columns."""
    for j in missing:
        known[:, :, j] = difference(lambda q: residual(x, q, rule), np.atleast_2d(np.asarray(p, dtype=float)), j)
    return known


def missing_columns(names: Sequence[str], without: Sequence[str], wanted: Collection[int] | None) -> list[int]:
    """Which wanted parameters (None: all) have no symbolic derivative; each costs six evaluations of F."""
    return [j for j, name in enumerate(names) if name in without and (wanted is None or j in wanted)]


def difference(function: Callable[[Array], Array], at: Array, j: int, step: float = 2e-3) -> Array:
    """D function / d at[:, j] by central differences at h, h/2, h/4, extrapolated: error O(h^6) + eps/h; h is relative."""
    h = step * np.maximum(1e-2, np.abs(at[:, j]))

    def central(scale: float) -> Array:
        up, down = at.copy(), at.copy()
        up[:, j] += scale * h
        down[:, j] -= scale * h
        change = function(up) - function(down)
        return change / (2.0 * scale * h.reshape((-1,) + (1,) * (change.ndim - 1)))

    coarse, middle, fine = central(1.0), central(0.5), central(0.25)
    first, second = (4.0 * middle - coarse) / 3.0, (4.0 * fine - middle) / 3.0
    return (16.0 * second - first) / 15.0


def directional_difference(jacobian: Callable[..., Array], x: Any, p: Any, v: Any, rule: Rule) -> Array:
    """d/dt jacobian(x + t v) by extrapolated central differences, for leaves without high derivatives."""
    states = np.atleast_2d(np.asarray(x, dtype=float))
    direction = np.broadcast_to(np.asarray(v, dtype=float), states.shape)
    zero = np.zeros((len(states), 1))
    return difference(lambda t: jacobian(states + (t - 1.0) * direction, p, rule), zero + 1.0, 0)


def log_tail_slopes(x: Any, order: int) -> tuple[Array, ...]:
    """Derivatives 1 to order of log H, beyond the fourth by differentiating l2 = -l1 (l1 + x).

    The fifth and sixth (needed only for the derivative of a Jacobian with a free self-overlap) lose relative accuracy as
    x^5 in the far tail, where they vanish.
    """
    slopes = [*special.log_tail_slopes(x, min(order, 4))]
    for n in range(3, order - 1):
        products = sum(math.comb(n, k) * slopes[k] * slopes[n - k] for k in range(n + 1))
        slopes.append(np.asarray(-products - x * slopes[n] - n * slopes[n - 1]))
    return tuple(slopes)
