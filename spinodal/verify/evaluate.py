"""The value of a resolved tree at many points at once.

Arrays carry one leading axis for each variable of integration in scope, innermost first, and the points last, so that
numpy's broadcasting aligns what depends on fewer variables.

A Gaussian average over the whole line is a trapezoid sum whose step is halved until nothing changes: for analytic integrands
it converges geometrically, inside other integrals too. Other integrals, and integrands that are not smooth, take a composite
Fejér rule, split where a step or an absolute value is and refined by bisection. The disagreement that is left is the error
estimate. What leaves the range of doubles (tails, powers of partition functions) is carried as ``value exp(exponent)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spinodal.verify.errors import UnreadableError
from spinodal.verify.extrema import maximise
from spinodal.verify.functions import FUNCTIONS, KINKED, LOGARITHMS
from spinodal.verify.quadrature import CUT, ROOT_2PI, Sum, fejer, finite, gaussian_place, lebesgue_place, weighted
from spinodal.verify.tree import Node, free_symbols, integral_depth, walk

Array = NDArray[np.float64]
_T = TypeVar("_T")
Scaled = tuple[Array, Array | float]

_MAX_ELEMENTS = 40_000_000
_MAX_WORK = 1_500_000_000
#: Steps of the trapezoid rule: this one, halved up to so many times.
_STEP, _HALVINGS = 0.5, 3
#: The step of the only, rough sum of a single integral: conjugates of 20 and more make it sharp, and it costs little.
_ROUGH_STEP = 0.125
#: Two rules that agree to this are followed by one that is right to its power of 3/2.
_AGREE = 2e-9


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
    _importance: Array | float = 1.0
    _wild: dict[int, tuple[Node, bool]] = field(default_factory=dict)

    def __call__(self, tree: Node) -> Array:
        """The value at every point, shape [B].

        Raises:
            UnreadableError: if it has no real finite value at some point, or costs too much.
        """
        count = len(next(iter(self.names.values())))
        if integral_depth(tree) < 3:
            return self._at(tree, count)
        everything, found = self.names, []
        try:  # deep integrals point by point: their tables fill the memory
            for k in range(count):
                self.names = {name: values[k : k + 1] for name, values in everything.items()}
                found.append(self._at(tree, 1))
        finally:
            self.names = everything
        return np.concatenate(found)

    def _at(self, tree: Node, count: int) -> Array:
        with np.errstate(all="ignore"):
            value = np.broadcast_to(self._value(tree), (count,)).astype(float)
        if not np.all(np.isfinite(value)):
            raise UnreadableError("the formula has no finite real value at a random point of the domain", tree.start)
        return value

    def _value(self, node: Node) -> Array:
        match node.kind:
            case "num":
                return np.float64(float(node.value))  # type: ignore[return-value]
            case "const":
                return np.float64(np.pi if node.value == "pi" else np.inf)  # type: ignore[return-value]
            case "sym":
                key = str(node.value)
                return self.names[key[1:]] if key.startswith("@") else self._bound[key]
            case "named":
                return self._value(node.args[0])
            case "let":
                values = [self._value(a) for a in node.args[:-1]]
                with self._binding(dict(zip(node.value, values, strict=True))):
                    return self._value(node.args[-1])
            case "sum":
                return sum((part for part in self._terms(node, self._value)), start=np.zeros(()))
            case "max":
                return self._maximum(node)
            case "int":
                return self._integral(node).plain
            case "div" | "mul" if self._is_wild(node):
                value, exponent = self._scaled(node)
                return value if isinstance(exponent, float) and exponent == 0.0 else _times_exp(value, exponent)
            case "fn" if node.value == "log":
                value, exponent = self._scaled(node.args[0])
                return np.log(value) + exponent
        arguments = [self._value(a) for a in node.args]
        self._worked(max(np.size(a) for a in arguments), node)
        match node.kind:
            case "add":
                return sum(arguments[1:], arguments[0])
            case "mul":
                product = arguments[0]
                for factor in arguments[1:]:
                    product = product * factor
                return product
            case "div":
                return arguments[0] / arguments[1]
            case "neg":
                return -arguments[0]
            case "pow":
                return np.power(arguments[0], arguments[1])
        return FUNCTIONS[str(node.value)](*arguments)

    def _terms(self, node: Node, evaluate: Callable[[Node], _T]) -> Iterator[_T]:
        for value in node.args[1:]:
            with self._binding({node.value: self._value(value)}):
                yield evaluate(node.args[0])

    @contextmanager
    def _binding(self, values: Mapping[str, Array]) -> Iterator[None]:
        before = dict(self._bound)
        self._bound.update(values)
        try:
            yield
        finally:
            self._bound = before

    def _worked(self, count: int, node: Node) -> None:
        self.work += count
        if count > _MAX_ELEMENTS or self.work > self.limit:
            raise UnreadableError("its integrals are too expensive to evaluate", node.start)

    # ---- numbers that double precision cannot hold

    def _is_wild(self, node: Node) -> bool:
        """Whether a tree's factors may leave the range of doubles."""
        known = self._wild.get(id(node))
        if known is None or known[0] is not node:
            wild = (node.kind == "fn" and node.value in LOGARITHMS) or any(self._is_wild(a) for a in node.args)
            known = self._wild[id(node)] = (node, wild)
        return known[1]

    def _scaled(self, node: Node) -> Scaled:
        """``(value, exponent)``: the value is value times exp(exponent)."""
        if not self._is_wild(node):
            return self._value(node), 0.0
        match node.kind:
            case "fn" if node.value in LOGARITHMS:
                argument = self._value(node.args[0])
                self._worked(np.size(argument), node)
                return np.float64(1.0), LOGARITHMS[str(node.value)](argument)  # type: ignore[return-value]
            case "fn" if node.value == "sqrt":
                value, exponent = self._scaled(node.args[0])
                return np.sqrt(value), exponent / 2.0
            case "named":
                return self._scaled(node.args[0])
            case "let":
                values = [self._value(a) for a in node.args[:-1]]
                with self._binding(dict(zip(node.value, values, strict=True))):
                    return self._scaled(node.args[-1])
            case "neg":
                value, exponent = self._scaled(node.args[0])
                return -value, exponent
            case "mul":
                value, exponent = self._scaled(node.args[0])
                for factor in node.args[1:]:
                    more, further = self._scaled(factor)
                    value, exponent = value * more, exponent + further
                return value, exponent
            case "div":
                (above, up), (below, down) = (self._scaled(a) for a in node.args)
                return above / below, up - down
            case "pow":
                (value, exponent), power = self._scaled(node.args[0]), self._value(node.args[1])
                return np.power(value, power), exponent * power
            case "add":
                return _added([self._scaled(a) for a in node.args])
            case "sum":
                return _added(list(self._terms(node, self._scaled)))
            case "int":
                found = self._integral(node)
                return found.value, found.shift
        return self._value(node), 0.0

    # ---- integrals

    def _integral(self, node: Node) -> Sum:
        body, low_node, high_node = node.args
        key, gaussian = node.value.key, node.value.gaussian
        low, high = self._value(low_node), self._value(high_node)
        flip = np.where(low <= high, 1.0, -1.0)
        low, high = np.minimum(low, high), np.maximum(low, high)
        breaks = self._kinks(body, key)
        if gaussian and not breaks and np.ndim(low) == np.ndim(high) == 0 and np.isneginf(low) and np.isposinf(high):
            found = self._trapezoid(body, key)
            if found is not None:
                return found
        edges = [low, *_ordered([np.clip(b, low, high) for b in breaks]), high]
        total: Sum | None = None
        for start, stop in pairwise(edges):
            piece = self._composite(body, key, gaussian, start, stop)
            total = piece if total is None else total + piece
        assert total is not None
        return total.times(flip)

    def _kinks(self, body: Node, key: str) -> list[Array]:
        """Where the integrand has a step or a kink whose place is a linear equation in the variable."""
        found: list[Array] = []
        for node in walk(body):
            if node.kind != "fn" or node.value not in KINKED or key not in free_symbols(node.args[0]):
                continue
            (argument,) = node.args
            if any(name not in self._bound and name != key and not name.startswith("@") for name in free_symbols(argument)):
                continue  # it depends on a variable of an inner integral, which meets it itself
            values = []
            for place in (0.0, 1.0, 2.0):
                with self._binding({key: np.float64(place)}):  # type: ignore[dict-item]
                    values.append(self._value(argument))
            slope = values[1] - values[0]
            if np.all(np.abs(values[2] - values[1] - slope) <= 1e-9 * (1.0 + np.abs(slope))) and np.all(slope != 0.0):
                found.append(-values[0] / slope)
        return found

    def _sample(self, body: Node, key: str, gaussian: bool, z: Array, reference: Array | float) -> Scaled:
        """The integrand with the variable's weight at nodes z [n, outer.., B], in scaled numbers."""
        depth, importance = self._depth, self._importance
        self._depth = depth + 1
        if gaussian:
            self._importance = np.exp(-0.5 * z * z + reference) * importance
        try:
            with self._binding({key: z}):
                value, exponent = self._scaled(body)
        finally:
            self._depth, self._importance = depth, importance
        shape = np.broadcast_shapes(np.shape(z), np.shape(value), np.shape(exponent))
        self._worked(int(np.prod(shape)), body)
        if not gaussian:
            return np.broadcast_to(value, shape), exponent
        if not isinstance(exponent, float):
            weight = exponent - 0.5 * z * z - np.log(ROOT_2PI)
            gone = ~np.isfinite(value) & (-0.5 * z * z < -30.0)
            return np.where(gone, 0.0, np.broadcast_to(value, shape)), weight
        product = value * (np.exp(-0.5 * z * z) / ROOT_2PI)
        gone = ~np.isfinite(product) & (-0.5 * z * z < -30.0)
        return np.broadcast_to(np.where(gone, 0.0, product), shape), exponent

    def _column(self, nodes: Array, *others: Array) -> Array:
        return nodes.reshape((len(nodes),) + (1,) * max(self._depth + 1, *(np.ndim(o) for o in others), 0))

    def _trapezoid(self, body: Node, key: str) -> Sum | None:
        """The whole line by halved steps; None where that does not converge."""
        single = self._depth == 0 and integral_depth(body) == 0
        reach, step = CUT, _ROUGH_STEP if single and not self.fine else _STEP

        def added(nodes: Array) -> Sum:
            z = self._column(nodes)
            return weighted(*self._sample(body, key, True, z, 0.0), np.ones(len(nodes)))

        total = added(np.arange(-reach, reach + step / 2, step))
        while self._is_wild(body) and reach < 48.0 and self._weighs_at_ends(body, key, reach, total):
            outer = np.arange(reach + step, 2.0 * reach + step / 2, step)
            total, reach = total + added(np.concatenate([-outer[::-1], outer])), 2.0 * reach
        if not self.fine:
            return total.times(step)
        for _ in range(_HALVINGS if self._depth < 2 else 2):
            finer = total + added(np.arange(-reach + step / 2, reach, step))
            scale = np.exp(np.minimum(total.shift - finer.shift, 700.0)) if not isinstance(finer.shift, float) else 1.0
            gap = np.abs(0.5 * finer.value - total.value * scale) / np.maximum(finer.size, 1e-300)
            worst = self._worst(gap)
            total, step = finer, step / 2
            if worst <= _AGREE:
                self.error = max(self.error, worst**1.5, 1e-15)
                return total.times(step)
        return None

    def _weighs_at_ends(self, body: Node, key: str, reach: float, total: Sum) -> bool:
        ends = weighted(*self._sample(body, key, True, self._column(np.array([-reach, reach])), 0.0), np.ones(2))
        scale = np.exp(np.minimum(ends.shift - total.shift, 700.0)) if not isinstance(ends.shift, float) else 1.0
        return self._worst(ends.size * scale / np.maximum(total.size, 1e-300)) > 1e-13

    def _worst(self, relative: Array) -> float:
        """The largest of relative deviations, each as far as the outer variables' weight makes it matter."""
        return float(np.max(np.nan_to_num(relative * self._importance, nan=0.0, posinf=np.inf), initial=0.0))

    def _composite(self, body: Node, key: str, gaussian: bool, low: Array, high: Array) -> Sum:
        place = gaussian_place(low, high) if gaussian else lebesgue_place(low, high)
        # the weight is measured against its largest value in the range
        nearest = np.where(low > 0.0, low, np.where(high < 0.0, high, 0.0))
        reference = 0.5 * np.minimum(nearest * nearest, 1e4) if gaussian else 0.0
        panels, order = (6, 31) if self._depth == 0 else (4, 31)
        if not self.fine:
            panels, order = (6, 31) if self._depth == 0 else (4, 15)
        pending = list(pairwise(np.linspace(0.0, 1.0, panels + 1)))
        total: Sum | None = None
        whole: Sum | None = None
        error = 0.0
        rounds = 1 if not self.fine else (30 if self._depth == 0 else 5)
        for k in range(rounds):
            found = [self._panel(body, key, gaussian, place, reference, edges, order) for edges in pending]
            if whole is None:
                whole = found[0][0]
                for value, _ in found[1:]:
                    whole = whole + value
            again = []
            last = k == rounds - 1 or len(pending) > 400
            for edges, (value, gap) in zip(pending, found, strict=True):
                scale = np.exp(np.minimum(gap.shift - whole.shift, 700.0)) if not isinstance(gap.shift, float) else 1.0
                worst = self._worst(np.abs(gap.value) * scale / np.maximum(whole.size, 1e-300))
                if worst > 1e-13 and not last:
                    again.append(edges)
                else:  # where nothing more is gained, the disagreement is the error
                    total = value if total is None else total + value
                    error += worst
            if not again:
                break
            pending = [half for a, b in again for half in ((a, (a + b) / 2), ((a + b) / 2, b))]
        if self.fine:
            self.error = max(self.error, error)
        assert total is not None
        return total

    def _panel(
        self,
        body: Node,
        key: str,
        gaussian: bool,
        place: Callable[[Array], tuple[Array, Array]],
        reference: Array | float,
        edges: tuple[float, float],
        order: int,
    ) -> tuple[Sum, Sum]:
        """One panel, and what it differs by from the rule of half the order."""
        nodes, weights, embedded = fejer(order)
        low, high = edges
        z, width = place(self._column(low + (high - low) * (nodes + 1.0) / 2.0))
        value, exponent = self._sample(body, key, gaussian, z, reference)
        half = (high - low) / 2.0
        value = value * width * half
        both = np.stack([weights, weights], axis=1)
        both[1::2, 1] -= embedded
        return weighted(value, exponent, both[:, 0]), weighted(value, exponent, both[:, 1])

    # ---- extrema

    def _maximum(self, node: Node) -> Array:
        """The extremum over one real variable, or where it is attained."""
        word, (key,) = node.value
        depth, importance = self._depth, self._importance
        self._depth = depth + 1

        def value(points: Array) -> Array:
            with self._binding({key: points}):
                found = np.asarray(self._value(node.args[0]))
            found = np.broadcast_to(found, np.broadcast_shapes(points.shape, found.shape))
            self._worked(found.size, node)
            return found

        try:
            return maximise(word, key, value, depth + 1, node.start)
        finally:
            self._depth, self._importance = depth, importance


def _times_exp(value: Array, exponent: Array | float) -> Array:
    # far in a tail: what has underflowed outweighs what has overflowed
    return np.where(value == 0.0, 0.0, value * np.exp(exponent))


def _added(terms: list[Scaled]) -> Scaled:
    if all(isinstance(e, float) and e == 0.0 for _, e in terms):
        return sum((v for v, _ in terms[1:]), terms[0][0]), 0.0
    shift = terms[0][1]
    for value, exponent in terms[1:]:
        shift = np.maximum(shift, np.where(value == 0.0, -np.inf, exponent))
    shift = finite(np.asarray(shift))
    return sum((v * np.exp(e - shift) for v, e in terms), start=np.zeros(())), shift


def _ordered(breaks: list[Array]) -> list[Array]:
    return list(np.sort(np.stack(np.broadcast_arrays(*breaks)), axis=0)) if breaks else []
