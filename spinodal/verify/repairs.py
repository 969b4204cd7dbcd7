"""Which small change would make a wrong equation right? The change names the kind of error and its place.

Every node of the equation is varied in the ways in which papers and typists err. A variant counts only if the
comparison that the equation failed verifies it; variants of the likelier kinds are tried first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, combinations
from typing import Protocol

from spinodal.verify.compare import Sides
from spinodal.verify.reference import Points
from spinodal.verify.tree import Bound, Node, add, fn, mul, neg, num, power, sym, walk
from spinodal.verify.wording import PLAIN, Wording

#: Seconds of computing spent on one equation.
PATIENCE = 25.0

_ORDER = (
    "sign",
    "factor",
    "hat missing",
    "hat too many",
    "wrong measure",
    "wrong argument",
    "wrong power",
    "wrong function",
    "term too many",
    "factor missing",
)


@dataclass(frozen=True, slots=True)
class Repair:
    """A change that makes an equation right.

    Attributes:
        kind: one of the kinds above.
        text: what is wrong, for the author.
        offset: where, in the document.
    """

    kind: str
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Variant:
    """An equation with one change."""

    repair: Repair
    sides: Sides


class Judge(Protocol):
    """What decides whether a variant is right."""

    @property
    def vocabulary(self) -> frozenset[str]:
        """The names that have a value where it judges."""

    def holds(self, sides: Sides, at: Points) -> bool:
        """Whether both sides agree at points."""

    def trivial(self, sides: Sides) -> bool:
        """Whether they agree whatever the quantity is."""


def find_repair(
    target: Judge,
    sides: Sides,
    places: Sequence[Points],
    weights: Sequence[Node] = (),
    others: Sequence[tuple[str, Node]] = (),
    wording: Wording = PLAIN,
) -> Repair | None:
    """The first variant, in order of likelihood, that holds on one of the sets of points.

    Args:
        target: what it is compared with.
        sides: the equation as claimed.
        places: sets of points, the strongest first.
        weights: factors that the derivation's own measures carry (the teacher's), which a claim may have forgotten.
        others: the document's definitions, one of which may stand where another belongs.
        wording: what messages call things.
    """
    deadline = time.process_time() + PATIENCE
    ordered = sorted(_variants(target, sides, weights, others, wording), key=lambda v: _ORDER.index(v.repair.kind))
    for at in places:
        if len(at) == 0:
            continue
        for variant in ordered:
            if time.process_time() > deadline:
                return None
            if target.holds(variant.sides, at) and not target.trivial(variant.sides):
                return variant.repair
    return None


def _variants(
    target: Judge, sides: Sides, weights: Sequence[Node], others: Sequence[tuple[str, Node]], wording: Wording
) -> Iterator[Variant]:
    names = sorted(target.vocabulary)
    for side, tree in (("right", sides.right), ("left", sides.left)):
        linear = _linear_nodes(tree)
        for node, exponent in _distinct(tree):
            changes = chain(
                _changes(node, id(node) in linear, exponent, names, weights, wording), _mixed_up(node, others, wording)
            )
            for kind, text, new in changes:
                if new == node:
                    continue
                changed = _replaced(tree, node, new)
                offset = node.start if node.start >= 0 else tree.start
                both = replace(sides, **{side: changed})
                yield Variant(Repair(kind, text, offset), both)
        for text, changed in _exchanges(tree, wording):
            yield Variant(Repair("wrong argument", text, tree.start), replace(sides, **{side: changed}))


def _exchanges(tree: Node, wording: Wording) -> Iterator[tuple[str, Node]]:
    """The tree with two of its names in each other's place."""
    used = sorted({str(node.value) for node in walk(tree) if node.kind == "sym" and str(node.value).startswith("@")})
    for one, other in combinations(used, 2):
        if one.endswith("_hat") != other.endswith("_hat"):  # a hat that is missing or too many, which is another error
            continue
        swap = {one: other, other: one}
        changed = _renamed(tree, swap)
        yield f"{wording.name(one[1:])} and {wording.name(other[1:])} stand in each other's place", changed


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    if node.kind == "sym":
        return sym(names.get(str(node.value), node.value), node.start, node.end)
    return node.with_args(tuple(_renamed(a, names) for a in node.args)) if node.args else node


def _distinct(tree: Node) -> list[tuple[Node, bool]]:
    """Every node once for each place in the document, and whether it stands in an exponent."""
    seen: set[tuple[int, int, str, object]] = set()
    found: list[tuple[Node, bool]] = []

    def visit(node: Node, exponent: bool) -> None:
        mark = (node.start, node.end, node.kind, node)
        if mark not in seen:
            seen.add(mark)
            found.append((node, exponent))
        for index, argument in enumerate(node.args):
            visit(argument, exponent or (node.kind == "pow" and index == 1))

    visit(tree, False)
    return found


def _linear_nodes(tree: Node) -> set[int]:
    """Nodes whose factor is a factor of a term of the whole: reached through sums, products and integrals only."""
    found: set[int] = set()

    def visit(node: Node) -> None:
        found.add(id(node))
        if node.kind in ("add", "mul", "neg"):
            for argument in node.args:
                visit(argument)
        elif node.kind in ("int", "sum", "div", "named"):
            visit(node.args[0])
        elif node.kind == "let":
            visit(node.args[-1])

    visit(tree)
    return found


def _replaced(tree: Node, target: Node, new: Node) -> Node:
    """The tree with every copy of a node that stands at the same place replaced."""
    if tree.kind == target.kind and tree.start == target.start and tree.end == target.end and tree == target:
        return new
    if not tree.args:
        return tree
    args = tuple(_replaced(a, target, new) for a in tree.args)
    return tree if all(a is b for a, b in zip(args, tree.args, strict=True)) else tree.with_args(args)


_FACTORS = (Fraction(2), Fraction(1, 2), Fraction(4), Fraction(1, 4), Fraction(-2), Fraction(-1, 2))
_SWAPS = {
    "tanh": ("sinh", "cosh"),
    "cosh": ("sinh",),
    "sinh": ("cosh", "tanh"),
    "tail": ("density", "erfc", "normal"),
    "density": ("tail",),
    "normal": ("tail",),
    "erfc": ("tail", "erf"),
    "erf": ("erfc",),
    "sin": ("cos",),
    "cos": ("sin",),
    "arccos": ("arcsin",),
    "arcsin": ("arccos",),
    "sech": ("tanh", "cosh"),
}

_Change = tuple[str, str, Node]


def _changes(
    node: Node, linear: bool, exponent: bool, names: Sequence[str], weights: Sequence[Node], wording: Wording
) -> Iterator[_Change]:
    if node.kind == "sym":
        yield from _symbol_changes(node, names, wording)
    if node.kind == "num":
        yield from _number_changes(node, linear, exponent)
    if node.kind == "add":
        yield from _sum_changes(node, linear, exponent)
        yield from _factors_of_terms(node, names, wording)
    if node.kind == "fn":
        yield from _function_changes(node, wording)
    if node.kind == "pow":
        yield "wrong power", "the power is too much", node.args[0]
        yield "wrong power", "the power must be -1 times what it is", power(node.args[0], neg(node.args[1]))
    if node.kind in ("fn", "int") and not exponent:
        yield "wrong power", "a square is missing", power(node, num(2))
    if node.kind == "div":
        above, below = node.args
        yield "wrong power", "the denominator must be squared", Node("div", None, (above, power(below, num(2))))
        yield "wrong argument", "a square root of the denominator is missing", Node("div", None, (above, fn("sqrt", below)))
        yield "wrong function", "the fraction is upside down", Node("div", None, (below, above))
    if node.kind == "int":
        yield from _measure_changes(node, weights, wording)
    if node.kind in ("mul", "div", "fn", "int", "pow") and linear:
        yield "sign", "the sign of this factor is wrong", neg(node)


def _mixed_up(node: Node, others: Sequence[tuple[str, Node]], wording: Wording) -> Iterator[_Change]:
    if node.kind == "named":
        for key, other in others:
            if key != node.value:
                yield "wrong argument", f"{wording.key(node.value)} stands where {wording.key(key)} belongs", other


def _symbol_changes(node: Node, names: Sequence[str], wording: Wording) -> Iterator[_Change]:
    key = str(node.value)
    if not key.startswith("@"):  # an argument of the document's function
        yield "wrong argument", f"the square root of {wording.key(key)} is missing", fn("sqrt", node)
        yield "wrong power", f"the square of {wording.key(key)} is missing", power(node, num(2))
        return
    name = key[1:]
    shown = wording.name(name)
    if name.endswith("_hat"):
        other = name.removesuffix("_hat")
        if other in names:
            yield "hat too many", f"{shown} stands where {wording.name(other)} belongs", sym(f"@{other}")
    elif f"{name}_hat" in names:
        yield "hat missing", f"{shown} stands where {wording.name(f'{name}_hat')} belongs", sym(f"@{name}_hat")
    for other in names:
        if other != name and other not in (f"{name}_hat", name.removesuffix("_hat")):
            yield "wrong argument", f"{shown} stands where {wording.name(other)} belongs", sym(f"@{other}")
    one = num(1)
    yield "wrong argument", f"{shown} stands where 1 - {shown} belongs", add(one, neg(node))
    yield "wrong argument", f"the square root of {shown} is missing", fn("sqrt", node)
    yield "wrong power", f"the square of {shown} is missing", power(node, num(2))


def _number_changes(node: Node, linear: bool, exponent: bool) -> Iterator[_Change]:
    value = node.value
    kind = "wrong power" if exponent else ("factor" if linear else "wrong argument")
    for other in dict.fromkeys([value * 2, value / 2, value + 1, value - 1, value * 4, value / 4]):
        if other > 0 or (other == 0 and not exponent):
            yield kind, f"the number {value} should be {other}", num(other)


def _sum_changes(node: Node, linear: bool, exponent: bool) -> Iterator[_Change]:
    inside = "wrong power" if exponent else "" if linear else "wrong argument"
    for k, term in enumerate(node.args):
        rest = node.args[:k] + node.args[k + 1 :]
        yield inside or "sign", "the sign of this term is wrong", _summed(node, k, neg(term))
        for factor in _FACTORS:
            text = f"this term must be multiplied by {factor}"
            yield inside or "factor", text, _summed(node, k, mul(_number(factor), term))
        yield inside or "term too many", f"term {k + 1} of the sum does not belong there", add(*rest)
    if len(node.args) == 2 and not linear:
        yield "wrong argument", "the square root of this sum is missing", fn("sqrt", node)
    yield "wrong power", "the square of this sum is missing", power(node, num(2))


def _factors_of_terms(node: Node, names: Sequence[str], wording: Wording) -> Iterator[_Change]:
    """A parameter that a term should have as a factor, or has and should not."""
    parameters = [name for name in names if not name.endswith(("_hat", "_d", "_sq")) and f"{name}_hat" not in names]
    for k, term in enumerate(node.args):
        for name in parameters:
            factor, shown = sym(f"@{name}"), wording.name(name)
            yield "factor missing", f"this term must be multiplied by {shown}", _summed(node, k, mul(factor, term))
            divided = Node("div", None, (term, factor))
            yield "factor missing", f"this term must be divided by {shown}", _summed(node, k, divided)


def _number(value: Fraction) -> Node:
    return num(value) if value > 0 else neg(num(-value))


def _summed(node: Node, index: int, term: Node) -> Node:
    return node.with_args((*node.args[:index], term, *node.args[index + 1 :]))


def _function_changes(node: Node, wording: Wording) -> Iterator[_Change]:
    (x, *rest) = node.args
    if rest:
        return
    if node.value == "sqrt":
        yield "wrong argument", "this square root does not belong there", x
        return
    root2 = fn("sqrt", num(2))
    name, shown = node.value, wording.function(str(node.value))
    yield "wrong argument", f"the sign of the argument of {shown} is wrong", fn(name, neg(x))
    for text, changed in (
        ("2", mul(num(2), x)),
        ("1/2", mul(num(Fraction(1, 2)), x)),
        ("sqrt(2)", mul(root2, x)),
        ("1/sqrt(2)", Node("div", None, (x, root2))),
        ("-2", neg(mul(num(2), x))),
    ):
        yield "wrong argument", f"the argument of {shown} must be multiplied by {text}", fn(name, changed)
    yield "wrong argument", f"the argument of {shown} must be the square root of what it is", fn(name, fn("sqrt", x))
    if name == "log":
        yield "wrong function", "the logarithm does not belong there", x
    else:
        yield "wrong function", f"the logarithm of {shown} is missing", fn("log", node)
    for other in _SWAPS.get(str(name), ()):
        yield "wrong function", f"{shown} stands where {wording.function(other)} belongs", fn(other, x)


def _measure_changes(node: Node, weights: Sequence[Node], wording: Wording) -> Iterator[_Change]:
    body, low, high = node.args
    key, gaussian = node.value.key, node.value.gaussian
    measures = ("Lebesgue (dz)", "Gaussian (Dz)")
    other = Node("int", Bound(key, not gaussian), node.args)
    text = f"the measure is {measures[gaussian]} where it must be {measures[not gaussian]}"
    yield "wrong measure", text, other
    infinity, zero = Node("const", "inf"), num(0)
    for low_2, high_2, name in (
        (neg(infinity), infinity, "the whole line"),
        (zero, infinity, "the positive half line"),
        (neg(infinity), zero, "the negative half line"),
    ):
        if (low_2, high_2) != (low, high):
            yield "wrong measure", f"the integral must run over {name}", node.with_args((body, low_2, high_2))
    z = sym(key)
    if not gaussian:
        for factor in _exponentials(body):
            for scale in (Fraction(1, 2), Fraction(2)):
                scaled = Node("fn", "exp", (mul(num(scale), factor.args[0]),))
                text = f"the exponent of the weight must be multiplied by {scale}"
                yield "wrong measure", text, node.with_args((_replaced(body, factor, scaled), low, high))
        for text, factor in _WEIGHT_FACTORS:
            yield "wrong measure", f"the measure must be multiplied by {text}", mul(factor, node)
    if gaussian:
        for text, variance in (("2", num(2)), ("1/2", num(Fraction(1, 2)))):
            wide = mul(fn("sqrt", variance), z)
            changed = Node("let", (key,), (wide, body))
            yield "wrong measure", f"the variance of {wording.key(key)} must be {text}", node.with_args((changed, low, high))
    for weight in weights:
        for sign in (z, neg(z)):
            placed = Node("let", ("$",), (sign, weight))
            for factor in (num(1), num(2)):
                yield (
                    "wrong measure",
                    "the weight of the teacher's field is missing",
                    node.with_args((mul(factor, placed, body), low, high)),
                )


_ROOT_PI = fn("sqrt", Node("const", "pi"))
_WEIGHT_FACTORS = (
    ("1/sqrt(2 pi)", Node("div", None, (num(1), fn("sqrt", mul(num(2), Node("const", "pi")))))),
    ("sqrt(2 pi)", fn("sqrt", mul(num(2), Node("const", "pi")))),
    ("1/sqrt(pi)", Node("div", None, (num(1), _ROOT_PI))),
)


def _exponentials(body: Node) -> list[Node]:
    return [n for n in walk(body) if n.kind == "fn" and n.value == "exp"]
