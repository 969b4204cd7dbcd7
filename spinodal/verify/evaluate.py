"""The value of a resolved tree at many points at once.

An integral is taken for every combination of the points and of the nodes of the integrals around it that its integrand
depends on, each a lane of its own (``integrate.py``): arrays have the lanes as their last axis, and in an integrand the
nodes as their first. What leaves the range of doubles (tails, powers of partition functions) is carried as
``value exp(exponent)``.

How errors of integrals act on what is made of them is measured: the formula around them is evaluated again with each
integral moved by its error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spinodal.verify.errors import UnreadableError
from spinodal.verify.extrema import maximise
from spinodal.verify.functions import FUNCTIONS, KINKED, LOGARITHMS
from spinodal.verify.integrate import Effort, Lanes, between, whole_line
from spinodal.verify.quadrature import ROOT_2PI, Sum, Terms
from spinodal.verify.tails import not_finite
from spinodal.verify.tree import Node, free_symbols, integral_depth, walk

Array = NDArray[np.float64]
_T = TypeVar("_T")
Scaled = tuple[Array, Array | float]

_MAX_WORK = 1_500_000_000
#: Elementary values between two looks at the clock.
_ASK_AFTER = 2_000_000
#: Integrands times nodes evaluated together where there are integrals inside.
_NESTED_WIDTH = 6_000
#: Of an integral inside others: halvings of its step, rounds of bisection.
_INNER_HALVINGS, _INNER_ROUNDS = 3, 20
#: Of the only, rough sum; finer for a single integral, which costs little, and where an accurate one needed it.
_ROUGH_STEP, _ROUGH_SINGLE = 0.4, 0.125
#: Errors of integrals inside others are followed if they are larger than this, relatively.
_SHAKY = 1e-13
#: Where sign changes of arguments that are not linear are looked for, how many, and how closely.
_ROOT_GRID = np.linspace(-9.03, 9.07, 363)
_MOST_ROOTS, _ROOT_BISECTIONS = 4, 52
#: So many integrals are moved by their errors one by one; more of them together, in two groups.
_ONE_BY_ONE = 4


@dataclass(frozen=True, slots=True)
class _Item:
    """What an integral or an extremum came to: ``value exp(exponent)``, and its error in the same scale."""

    value: Array
    exponent: Array | float
    error: Array


@dataclass
class Evaluator:
    """Evaluates trees at fixed points.

    Integrals over nothing but the points are remembered, so that trees which share parts are evaluated quickly one after
    the other.

    Attributes:
        names: model names to arrays of one shape [B].
        fine: adaptive and accurate; else one coarse rule (to try many variants of an equation quickly).
        error: the largest relative error estimate of a value found so far.
        noise: the absolute error estimates of the last value, [B].
        limit: how many elementary values one tree may need.
        deadline: of the computing clock: when a value counts as too expensive.
        scale: of the first steps of rules; another one gives values that are independent in their errors of quadrature.
        steps: the steps that integrals over a variable needed, by its key; coarse rules follow them.
    """

    names: dict[str, Array]
    fine: bool = True
    error: float = 0.0
    limit: int = _MAX_WORK
    deadline: float = np.inf
    scale: float = 1.0
    steps: dict[str, float] = field(default_factory=dict)
    noise: Array = field(default_factory=lambda: np.zeros(0))
    _scope: dict[str, Array] = field(default_factory=dict)
    _depth: int = 0
    _work: int = 0
    _asked: int = 0
    _trace: list[_Item] = field(default_factory=list)
    _replay: Iterator[_Item] | None = None
    _wild: dict[int, tuple[Node, bool]] = field(default_factory=dict)
    _free: dict[int, tuple[Node, tuple[str, ...]]] = field(default_factory=dict)
    _known: dict[tuple[int, ...], tuple[Any, _Item]] = field(default_factory=dict)
    _arrays: dict[Any, tuple[Any, Array]] = field(default_factory=dict)

    def __call__(self, tree: Node) -> Array:
        """The value at every point, shape [B].

        Raises:
            UnreadableError: if it has no real finite value at some point, or costs too much.
        """
        count = len(next(iter(self.names.values())))
        self._scope = {f"@{name}": values for name, values in self.names.items()}
        self._depth, self._work, self._asked = 0, 0, 0
        with np.errstate(all="ignore"):
            terms = self._with_noise(tree, 0.0)
            value = np.broadcast_to(_unscaled(terms.value, terms.exponent), (count,)).astype(float)
            noise = _unscaled(np.asarray(terms.noise), terms.exponent)
            self.noise = np.broadcast_to(noise, (count,)).astype(float)
            error = np.max(np.where(value == 0.0, 0.0, self.noise / np.abs(value)), initial=0.0)
        if not np.all(np.isfinite(value)):
            raise UnreadableError(not_finite(tree), tree.start)
        self.error = max(self.error, float(error) if np.isfinite(error) else np.inf)
        return value

    def _value(self, node: Node) -> Array:
        match node.kind:
            case "num":
                return np.float64(float(node.value))  # type: ignore[return-value]
            case "const":
                return np.float64(np.pi if node.value == "pi" else np.inf)  # type: ignore[return-value]
            case "sym":
                return self._scope[str(node.value)]
            case "named":
                return self._value(node.args[0])
            case "let":
                with self._binding(self._let(node)):
                    return self._value(node.args[-1])
            case "sum":
                return sum((part for part in self._terms(node, self._value)), start=np.zeros(()))
            case "max":
                return self._maximum(node)
            case "int":
                item = self._integral(node)
                return _unscaled(item.value, item.exponent)
            case "div" | "mul" if self._is_wild(node):
                value, exponent = self._scaled(node)
                return _unscaled(value, exponent)
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

    def _let(self, node: Node) -> dict[str, Array]:
        return dict(zip(node.value, (self._value(a) for a in node.args[:-1]), strict=True))

    def _terms(self, node: Node, evaluate: Callable[[Node], _T]) -> Iterator[_T]:
        for value in node.args[1:]:
            with self._binding({node.value: self._value(value)}):
                yield evaluate(node.args[0])

    @contextmanager
    def _binding(self, values: Mapping[str, Array]) -> Iterator[None]:
        before = self._scope
        self._scope = {**before, **values}
        try:
            yield
        finally:
            self._scope = before

    def _worked(self, count: int, node: Node) -> None:
        self._work += count
        if self._work > self.limit or (self._work - self._asked > _ASK_AFTER and self._is_late()):
            raise UnreadableError("its integrals are too expensive to evaluate", node.start)

    def _is_late(self) -> bool:
        self._asked = self._work
        return time.process_time() > self.deadline

    def _free_in(self, node: Node) -> tuple[str, ...]:
        known = self._free.get(id(node))
        if known is None or known[0] is not node:
            known = self._free[id(node)] = (node, tuple(free_symbols(node)))
        return known[1]

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
                with self._binding(self._let(node)):
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
                item = self._integral(node)
                return item.value, item.exponent
        return self._value(node), 0.0

    # ---- errors

    def _with_noise(self, node: Node, shaky: float) -> Terms:
        """A tree's value, and what the errors of the integrals in it make of it; those below ``shaky`` are passed over."""
        trace, replay = self._trace, self._replay
        self._trace, self._replay = [], None
        try:
            value, exponent = self._scaled(node)
            items = self._trace
            noise: Array | float = 0.0
            if self.fine:
                for moved in self._moved(items, shaky):
                    self._replay = iter(moved)
                    other, scale = self._scaled(node)
                    difference = other * np.exp(np.minimum(scale - exponent, 700.0)) - value
                    noise = noise + np.abs(difference)
        finally:
            self._trace, self._replay = trace, replay
        return Terms(np.asarray(value), exponent, noise)

    @staticmethod
    def _moved(items: Sequence[_Item], shaky: float) -> Iterator[list[_Item]]:
        loose = [k for k, item in enumerate(items) if not np.all(item.error <= shaky * np.abs(item.value))]
        groups = [loose[0::2], loose[1::2]] if len(loose) > _ONE_BY_ONE else [[k] for k in loose]
        for group in groups:
            yield [replace(item, value=item.value + item.error) if k in group else item for k, item in enumerate(items)]

    # ---- integrals

    def _integral(self, node: Node) -> _Item:
        if self._replay is not None:
            return next(self._replay)
        arrays = [self._scope[s] for s in self._free_in(node)]
        key = (id(node), *(id(a) for a in arrays))
        known = self._known.get(key)
        if known is None:
            found = self._computed(node, arrays)
            known = ((node, arrays), found)
            if self._depth == 0 or not self.fine:
                self._known[key] = known  # the arrays are kept, too, so that no other can take their place
        self._trace.append(known[1])
        return known[1]

    def _computed(self, node: Node, arrays: list[Array]) -> _Item:
        body, low_node, high_node = node.args
        key, gaussian = node.value.key, node.value.gaussian
        trace, self._trace = self._trace, []
        low, high = self._value(low_node), self._value(high_node)
        shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
        lanes = {s: self._flat(a, shape) for s, a in zip(self._free_in(node), arrays, strict=True)}
        count = int(np.prod(shape))
        effort = self._effort(node, gaussian)
        outside, depth = self._scope, self._depth
        self._scope, self._depth = lanes, depth + 1
        try:
            low, high = (self._flat(np.asarray(limit), shape) for limit in (low, high))
            flip = np.where(low <= high, 1.0, -1.0)
            low, high = np.minimum(low, high), np.maximum(low, high)
            breaks = self._kinks(body, key)

            def sample(z: Array, some: Lanes) -> Terms:
                return self._sample(body, key, gaussian, z, lanes, some)

            if gaussian and not breaks and np.all(np.isneginf(low)) and np.all(np.isposinf(high)):
                found, step = whole_line(sample, count, effort)
                if self.fine:
                    self.steps[key] = min(step, self.steps.get(key, step))
            else:
                inner = [np.clip(b, low, high) for b in breaks]
                edges = [low, *_ordered([np.broadcast_to(b, (count,)) for b in inner]), high]
                pieces = [between(sample, start, stop, gaussian, effort) for start, stop in pairwise(edges)]
                found = sum(pieces[1:], start=pieces[0]).times(flip)
        finally:
            self._scope, self._depth, self._trace = outside, depth, trace
        return _item(found, shape, wild=self._is_wild(body))

    def _effort(self, node: Node, gaussian: bool) -> Effort:
        """How an integral is taken: accurately, or by one sum."""
        nested = integral_depth(node) > 1 or any(n.kind == "max" for n in walk(node.args[0]))
        width = _NESTED_WIDTH if nested else 200_000
        if not self.fine:
            single = self._depth == 0 and not nested
            step = 2.0 * self.steps.get(node.value.key, np.inf)
            return Effort(min(step, _ROUGH_SINGLE if single else _ROUGH_STEP), halvings=0, rounds=1, width=width)
        if self._depth == 0:
            return Effort(0.8 * self.scale, halvings=5, width=width)
        return Effort(0.8 * self.scale, halvings=_INNER_HALVINGS, rounds=_INNER_ROUNDS, width=width)

    def _flat(self, array: Array, shape: tuple[int, ...]) -> Array:
        """An array spread over lanes; the same one again for the same array, so that what depends on it is recognised."""
        if np.shape(array) == shape and len(shape) == 1:
            return array
        known = self._arrays.get((id(array), shape))
        if known is None:
            known = (array, np.broadcast_to(array, shape).reshape(-1))
            if not self.fine:
                self._arrays[id(array), shape] = known
        return known[1]

    def _kinks(self, body: Node, key: str) -> list[Array]:
        """Where the integrand has a step or a kink whose place is a linear equation in the variable."""
        found: list[Array] = []
        for node in walk(body):
            if node.kind != "fn" or node.value not in KINKED or key not in self._free_in(node.args[0]):
                continue
            (argument,) = node.args
            if any(name not in self._scope and name != key for name in self._free_in(argument)):
                continue  # it depends on a variable of an inner integral, which meets it itself
            values = []
            for place in (0.0, 1.0, 2.0):
                with self._binding({key: np.float64(place)}):  # type: ignore[dict-item]
                    values.append(self._value(argument))
            slope = values[1] - values[0]
            if np.all(np.abs(values[2] - values[1] - slope) <= 1e-9 * (1.0 + np.abs(slope))) and np.all(slope != 0.0):
                found.append(-values[0] / slope)
            else:
                found += self._roots(argument, key)
        return found

    def _roots(self, argument: Node, key: str) -> list[Array]:
        """Where an argument that is not linear in the variable changes its sign, as in a step of ``kappa - |h|``.

        A lane with fewer sign changes than another has the missing ones at infinity.
        """

        def value(points: Array) -> Array:
            with self._binding({key: points}):
                found = self._value(argument)
            return np.broadcast_to(found, np.broadcast_shapes(points.shape, np.shape(found)))

        grid = _ROOT_GRID[:, None]
        sampled = value(grid)
        changes = (sampled[1:] > 0.0) != (sampled[:-1] > 0.0)
        columns = np.arange(sampled.shape[1])
        roots: list[Array] = []
        for _ in range(_MOST_ROOTS):
            index = np.argmax(changes, axis=0)
            there = changes[index, columns]
            if not np.any(there):
                break
            changes[index, columns] = False
            low, high = _ROOT_GRID[index], _ROOT_GRID[index + 1]
            below = sampled[index, columns] > 0.0
            for _ in range(_ROOT_BISECTIONS):
                middle = 0.5 * (low + high)
                same = (value(middle[None, :])[0] > 0.0) == below
                low, high = np.where(same, middle, low), np.where(same, high, middle)
            roots.append(np.where(there, 0.5 * (low + high), np.inf))
        return roots

    def _sample(self, body: Node, key: str, gaussian: bool, z: Array, lanes: Mapping[str, Array], some: Lanes) -> Terms:
        """The integrand with the variable's weight at nodes z ([n, 1] or [n, l]) of some lanes."""
        if not self.fine:
            mark = (z.shape, z.tobytes())
            z = self._arrays.setdefault(mark, (None, z))[1]
        count = len(next(iter(lanes.values()))) if lanes else 1
        every = len(some) == count and bool(np.all(some[:-1] < some[1:]))
        scope = dict(lanes) if every else {s: a[some] for s, a in lanes.items()}
        before = self._scope
        self._scope = {**scope, key: z}
        try:
            terms = self._with_noise(body, _SHAKY)
        finally:
            self._scope = before
        shape = (len(z), len(some))
        self._worked(int(np.prod(shape)), body)
        value, exponent, noise = terms.value, terms.exponent, terms.noise
        if gaussian:
            if isinstance(exponent, float):
                density = np.exp(-0.5 * z * z) / ROOT_2PI
                value, noise = value * density, noise * density
            else:
                exponent = exponent - (0.5 * z * z + np.log(ROOT_2PI))
            # far in a tail: what has underflowed outweighs what has overflowed
            value = np.where(~np.isfinite(value) & (z * z > 60.0), 0.0, value)
        if not isinstance(exponent, float):
            exponent = np.broadcast_to(exponent, shape)
        if not isinstance(noise, float):
            noise = np.broadcast_to(noise, shape)
        return Terms(np.broadcast_to(value, shape), exponent, noise)

    # ---- extrema

    def _maximum(self, node: Node) -> Array:
        """The extremum over one real variable, or where it is attained."""
        if self._replay is not None:
            return next(self._replay).value
        word, (key,) = node.value
        (body,) = node.args
        arrays = [self._scope[s] for s in self._free_in(node)]
        shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
        lanes = {s: np.broadcast_to(a, shape).reshape(-1) for s, a in zip(self._free_in(node), arrays, strict=True)}
        outside, depth = self._scope, self._depth
        self._depth = depth + 1

        def value(tree: Node, points: Array, some: Lanes) -> Array:
            self._scope = {**{s: a[some] for s, a in lanes.items()}, key: points}
            self._worked(points.shape[0] * len(some), node)
            found = self._with_noise(tree, _SHAKY)
            return np.broadcast_to(_unscaled(found.value, found.exponent), (points.shape[0], len(some)))

        try:
            found, error = maximise(word, key, body, value, int(np.prod(shape)))
        finally:
            self._scope, self._depth = outside, depth
        item = _Item(found.reshape(shape), 0.0, error.reshape(shape))
        self._trace.append(item)
        return item.value


def _item(found: Sum, shape: tuple[int, ...], *, wild: bool) -> _Item:
    exponent = found.shift.reshape(shape) if wild else 0.0
    return _Item(found.value.reshape(shape), exponent, found.error.reshape(shape))


def _unscaled(value: Array, exponent: Array | float) -> Array:
    # the exponent of a constant, of H(0), is a number, too
    return value if isinstance(exponent, float) and exponent == 0.0 else _times_exp(value, exponent)


def _times_exp(value: Array, exponent: Array | float) -> Array:
    # far in a tail: what has underflowed outweighs what has overflowed
    return np.where(value == 0.0, 0.0, value * np.exp(exponent))


def _added(terms: list[Scaled]) -> Scaled:
    if all(isinstance(e, float) and e == 0.0 for _, e in terms):
        return sum((v for v, _ in terms[1:]), terms[0][0]), 0.0
    shift = terms[0][1]
    for value, exponent in terms[1:]:
        shift = np.maximum(shift, np.where(value == 0.0, -np.inf, exponent))
    shift = np.where(np.isfinite(shift), shift, 0.0)
    return sum((v * np.exp(e - shift) for v, e in terms), start=np.zeros(())), shift


def _ordered(breaks: list[Array]) -> list[Array]:
    return list(np.sort(np.stack(np.broadcast_arrays(*breaks)), axis=0)) if breaks else []
