"""The value of a resolved tree at many points at once.

Arrays carry one leading axis for each variable of integration in scope, innermost first, and the points last, so that
numpy's broadcasting aligns what depends on fewer variables.

An integral is a composite Fejér rule, refined by bisection where its embedded rule of half the order disagrees; the
disagreement that is left is the error estimate. A Gaussian variable is cut at twelve standard deviations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special

from spinodal.verify.errors import UnreadableError
from spinodal.verify.tree import Node

Array = NDArray[np.float64]

_CUT = 12.0
_ROOT_2PI = np.sqrt(2.0 * np.pi)
_NEGLIGIBLE = 1e-16
_MAX_ELEMENTS = 4_000_000
_MAX_WORK = 1_500_000_000


@dataclass
class Evaluator:
    """Evaluates trees at fixed points.

    Attributes:
        names: model names to arrays of one shape [B].
        fine: adaptive and accurate; else one coarse rule (to try many variants of an equation quickly).
        error: the largest relative error estimate of an integral met so far.
        work: how many values have been computed.
    """

    names: Mapping[str, Array]
    fine: bool = True
    error: float = 0.0
    work: int = 0
    limit: int = _MAX_WORK
    _bound: dict[str, Array] = field(default_factory=dict)
    _depth: int = 0

    def __call__(self, tree: Node) -> Array:
        """The value at every point, shape [B].

        Raises:
            UnreadableError: if it has no real finite value at some point, or costs too much.
        """
        count = len(next(iter(self.names.values())))
        with np.errstate(all="ignore"):
            value = np.broadcast_to(self._value(tree), (count,)).astype(float)
        if not np.all(np.isfinite(value)):
            raise UnreadableError("the formula has no finite real value at a random point of the domain", tree.start)
        return value

    def _value(self, node: Node) -> Array:
        kind = node.kind
        if kind == "num":
            return np.float64(float(node.value))  # type: ignore[return-value]
        if kind == "const":
            return np.float64(np.pi if node.value == "pi" else np.inf)  # type: ignore[return-value]
        if kind == "sym":
            key = str(node.value)
            return self.names[key[1:]] if key.startswith("@") else self._bound[key]
        if kind == "int":
            return self._integral(node)
        if kind == "let":
            return self._let(node)
        if kind == "named":
            return self._value(node.args[0])
        if kind == "sum":
            return self._sum(node)
        if kind == "max":
            return self._maximum(node)
        if kind == "div":
            return self._quotient(node)
        if kind == "fn" and node.value == "log":
            logarithm = self._log(node.args[0])
            return logarithm if logarithm is not None else np.log(self._value(node.args[0]))
        arguments = [self._value(a) for a in node.args]
        self.work += max(np.size(a) for a in arguments)
        if self.work > self.limit:
            raise UnreadableError("its integrals are too expensive to evaluate", node.start)
        if kind == "add":
            return sum(arguments[1:], arguments[0])
        if kind == "mul":
            product = arguments[0]
            for factor in arguments[1:]:
                product = product * factor
            if self._depth and not np.all(np.isfinite(product)):
                # far in a tail: what has underflowed outweighs what has overflowed
                zero = np.any(np.broadcast_arrays(*(a == 0.0 for a in arguments)), axis=0)
                product = np.where(zero & ~np.isfinite(product), 0.0, product)
            return product
        if kind == "neg":
            return -arguments[0]
        if kind == "pow":
            return np.power(arguments[0], arguments[1])
        return _FUNCTIONS[str(node.value)](*arguments)

    def _let(self, node: Node) -> Array:
        values = [self._value(a) for a in node.args[:-1]]
        before = dict(self._bound)
        self._bound.update(dict(zip(node.value, values, strict=True)))
        try:
            return self._value(node.args[-1])
        finally:
            self._bound = before

    def _sum(self, node: Node) -> Array:
        before = self._bound.get(node.value)
        total: Array = np.zeros(())
        for value in node.args[1:]:
            self._bound[node.value] = self._value(value)
            total = total + self._value(node.args[0])
        if before is None:
            del self._bound[node.value]
        else:
            self._bound[node.value] = before
        return total

    # ---- numbers that double precision cannot hold, through their logarithms

    def _log(self, node: Node) -> Array | None:
        """The logarithm of a product of tails, exponentials and the like without under- or overflow, else None."""
        if node.kind == "num" and node.value > 0:
            return np.float64(np.log(float(node.value)))  # type: ignore[return-value]
        if node.kind == "fn":
            if node.value == "tail":
                return np.asarray(special.log_ndtr(-self._value(node.args[0])))
            if node.value == "normal":
                return np.asarray(special.log_ndtr(self._value(node.args[0])))
            if node.value == "erfc":
                return np.asarray(np.log(2.0) + special.log_ndtr(-np.sqrt(2.0) * self._value(node.args[0])))
            if node.value == "density":
                return np.asarray(-0.5 * self._value(node.args[0]) ** 2 - np.log(_ROOT_2PI))
            if node.value == "exp":
                return self._value(node.args[0])
            if node.value == "cosh":
                x = self._value(node.args[0])
                return np.asarray(np.logaddexp(x, -x) - np.log(2.0))
            return None
        if node.kind == "named":
            return self._log(node.args[0])
        if node.kind in ("mul", "div"):
            logs = [self._log(a) for a in node.args]
            if any(part is None for part in logs) or not any(a.kind in ("fn", "div", "mul", "pow") for a in node.args):
                return None
            total: Array = np.zeros(())
            for k, part in enumerate(logs):
                assert part is not None
                total = total - part if node.kind == "div" and k == 1 else total + part
            return total
        if node.kind == "pow":
            inner = self._log(node.args[0])
            return None if inner is None else inner * self._value(node.args[1])
        return None

    def _quotient(self, node: Node) -> Array:
        above, below = node.args
        if any(part.kind in ("fn", "mul", "pow") for part in (below, *below.args)):
            denominator = self._log(below)
            if denominator is not None:
                numerator = self._log(above)
                if numerator is not None:
                    return np.exp(numerator - denominator)
                small = denominator < -600.0
                if not np.any(small):
                    return self._value(above) / np.exp(denominator)
        return self._value(above) / self._value(below)

    # ---- integrals

    def _integral(self, node: Node) -> Array:
        body, low_node, high_node = node.args
        bound = node.value
        low, high = self._value(low_node), self._value(high_node)
        place = _gaussian_place(low, high) if bound.gaussian else _lebesgue_place(low, high)
        flip = np.where(low <= high, 1.0, -1.0)
        before, depth = self._bound.get(bound.key), self._depth
        self._depth = depth + 1

        def values(t: Array) -> Array:
            """The integrand on nodes t of the unit interval, times the weight of the variable: [n, outer.., B]."""
            column = t.reshape((len(t),) + (1,) * max(np.ndim(low), np.ndim(high), depth + 1))
            z, width = place(column)
            self._bound[bound.key] = z
            inside = self._value(body)
            weight = np.exp(-0.5 * z * z) / _ROOT_2PI if bound.gaussian else np.ones_like(z)
            product = inside * weight * width
            if bound.gaussian:
                product = np.where(np.isfinite(product) | (weight > _NEGLIGIBLE), product, 0.0)
            self.work += product.size
            return np.broadcast_to(product, (len(t), *np.broadcast_shapes(product.shape[1:])))

        try:
            total = self._adaptive(values, depth)
        finally:
            self._depth = depth
            if before is None:
                self._bound.pop(bound.key, None)
            else:
                self._bound[bound.key] = before
        return total * flip

    def _adaptive(self, values: Callable[[Array], Array], depth: int) -> Array:
        panels, order = (12, 31) if self.fine else ((8, 31) if depth == 0 else (6, 15))
        if self.fine and depth >= 2:
            panels, order = 8, 15
        edges = np.linspace(0.0, 1.0, panels + 1)
        pending = list(pairwise(edges))
        total: Array = np.zeros(())
        scale, error = 1e-300, 0.0
        rounds = 1 if not self.fine else (30 if depth == 0 else 3)
        for k in range(rounds):
            found = [self._panel(values, low, high, order) for low, high in pending]
            if k == 0:
                scale = max(float(np.max(sum(np.abs(value) for value, _ in found), initial=0.0)), scale)
            again = []
            last = not self.fine or k == rounds - 1 or len(pending) > 400 or self.work > self.limit
            for (low, high), (value, deviation) in zip(pending, found, strict=True):
                worst = float(np.max(np.nan_to_num(deviation, nan=np.inf), initial=0.0)) / scale
                if worst > 1e-13 and not last:
                    again.append((low, high))
                else:  # where nothing more is gained, the disagreement is the error
                    total = total + value
                    error += worst
            if not again:
                break
            pending = [half for low, high in again for half in ((low, (low + high) / 2), ((low + high) / 2, high))]
        if self.fine:
            self.error = max(self.error, float(error))
        return total

    def _panel(self, values: Callable[[Array], Array], low: float, high: float, order: int) -> tuple[Array, Array]:
        nodes, weights, embedded = fejer(order)
        t = low + (high - low) * (nodes + 1.0) / 2.0
        table = values(t)
        if table.size > _MAX_ELEMENTS * 8:
            raise UnreadableError("its integrals are nested too deeply to evaluate")
        half = (high - low) / 2.0
        fine = half * np.tensordot(weights, table, axes=(0, 0))
        coarse = half * np.tensordot(embedded, table[1::2], axes=(0, 0))
        # the embedded rule has half the order: its deviation bounds the finer rule's error generously
        return fine, np.abs(fine - coarse) ** 1.5 if order < 31 else np.abs(fine - coarse)

    def _maximum(self, node: Node) -> Array:
        """The extremum over one real variable: a grid, zoomed in on its best point."""
        word, (key,) = node.value
        sign = -1.0 if word in ("min", "inf") else 1.0
        before, depth = self._bound.get(key), self._depth
        self._depth = depth + 1
        centre: Array = np.zeros((1,) * (depth + 1))
        reach, count = 40.0, 321
        try:
            for k in range(9):
                t = np.linspace(-reach, reach, count).reshape((count,) + (1,) * max(depth + 1, np.ndim(centre)))
                points = centre + t
                self._bound[key] = points
                values = sign * np.asarray(self._value(node.args[0]))
                found = np.broadcast_to(values, np.broadcast_shapes(points.shape, values.shape))
                self.work += found.size
                best = np.argmax(found, axis=0)
                if k == 0 and np.any((best == 0) | (best == count - 1)):
                    raise UnreadableError(f"{word} over {key} is not attained within {reach:g}", node.start)
                value = np.take_along_axis(found, best[None], axis=0)[0]
                centre = np.take_along_axis(np.broadcast_to(points, found.shape), best[None], axis=0)[0]
                reach, count = 2.0 * 2.0 * reach / (count - 1), 17
        finally:
            self._depth = depth
            if before is None:
                self._bound.pop(key, None)
            else:
                self._bound[key] = before
        return np.asarray(sign * value)


_Place = Callable[[Array], tuple[Array, Array]]


def _gaussian_place(low: Array, high: Array) -> _Place:
    """From the unit interval to the limits, in order; a half line ends where the Gaussian weight does."""
    low, high = np.minimum(low, high), np.maximum(low, high)
    start = np.maximum(low, np.where(np.isfinite(high), np.minimum(high, 0.0), 0.0) - _CUT)
    stop = np.maximum(start, np.minimum(high, np.maximum(start, 0.0) + _CUT))
    return lambda t: (start + (stop - start) * t, stop - start)


def _lebesgue_place(low: Array, high: Array) -> _Place:
    """From the unit interval to the limits, in order; infinity by a rational map."""
    low, high = np.minimum(low, high), np.maximum(low, high)
    if np.all(np.isfinite(low)) and np.all(np.isfinite(high)):
        return lambda t: (low + (high - low) * t, high - low)
    if np.all(np.isfinite(low)) and not np.any(np.isfinite(high)):
        return lambda t: (low + t / (1.0 - t), (1.0 - t) ** -2.0)
    if np.all(np.isfinite(high)) and not np.any(np.isfinite(low)):
        return lambda t: (high - t / (1.0 - t), (1.0 - t) ** -2.0)
    return lambda t: ((t - 0.5) / (t * (1.0 - t)), (t * t - t + 0.5) / (t * (1.0 - t)) ** 2)


@lru_cache(maxsize=8)
def fejer(order: int) -> tuple[Array, Array, Array]:
    """Fejér's second rule on [-1, 1]: nodes, weights, and the weights of the embedded rule on every second node.

    Waldvogel, BIT 46, 195 (2006); ``order`` is 2^k - 1.
    """

    def weights(n: int) -> Array:
        theta = np.arange(1, n + 1) * np.pi / (n + 1)
        j = np.arange(1, (n + 1) // 2 + 1)
        sums = np.sin(np.outer(theta, 2 * j - 1)) @ (1.0 / (2 * j - 1))
        return np.asarray(4.0 * np.sin(theta) / (n + 1) * sums)

    nodes = -np.cos(np.arange(1, order + 1) * np.pi / (order + 1))
    return nodes, weights(order), weights((order - 1) // 2)


def _mills(x: Array) -> Array:
    return np.asarray(np.exp(-0.5 * x * x - np.log(_ROOT_2PI) - special.log_ndtr(-x)))


_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "exp": np.exp,
    "tanh": np.tanh,
    "cosh": np.cosh,
    "sinh": np.sinh,
    "coth": lambda x: 1.0 / np.tanh(x),
    "sech": lambda x: 1.0 / np.cosh(x),
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arccos": np.arccos,
    "arcsin": np.arcsin,
    "arctan": np.arctan,
    "arctanh": np.arctanh,
    "arccosh": np.arccosh,
    "erf": special.erf,
    "erfc": special.erfc,
    "sign": np.sign,
    "abs": np.abs,
    "relu": lambda x: np.maximum(x, 0.0),
    "mills": _mills,
    "step": lambda x: np.heaviside(x, 0.5),
    "tail": lambda x: special.ndtr(-x),
    "normal": special.ndtr,
    "density": lambda x: np.exp(-0.5 * x * x) / _ROOT_2PI,
    "sqrt": np.sqrt,
    "max": lambda *a: np.maximum.reduce(np.broadcast_arrays(*a)),
    "min": lambda *a: np.minimum.reduce(np.broadcast_arrays(*a)),
}
