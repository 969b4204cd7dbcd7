"""The tree of a mathematical expression.

One uniform node, so that walking, rebuilding and repairing need no case for each kind. ``kind`` and ``value``:

    num       a Fraction
    sym       the canonical key of a symbol (see :mod:`spinodal.verify.symbols`)
    const     "pi", "inf"
    add       terms
    neg       one operand
    mul       factors
    div       numerator, denominator
    pow       base, exponent
    fn        a function's name; arguments
    call      a function defined in the document; arguments
    int       a Bound; body, then the lower limit and the upper limit (always given)
    sum       a key; body, then the values that it takes
    max       (word, keys); body: an extremum over real variables
    let       keys; their values, then the body
    named     the key of a definition; what it stands for
    diff      (key, order): a derivative in a variable; what is differentiated (in trees that are not resolved)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

Kind = Literal[
    "num", "sym", "const", "add", "neg", "mul", "div", "pow", "fn", "call", "int", "sum", "max", "let", "named", "diff"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bound:
    """A variable of integration: its key, and whether its measure is Gaussian (``Dz``) or Lebesgue (``dz``)."""

    key: str
    gaussian: bool


@dataclass(frozen=True, slots=True)
class Node:
    """A node; ``start`` and ``end`` are offsets in the document and take no part in equality."""

    kind: Kind
    value: Any = None
    args: tuple[Node, ...] = ()
    start: int = field(default=-1, compare=False)
    end: int = field(default=-1, compare=False)

    def with_args(self, args: tuple[Node, ...]) -> Node:
        """The same node on other arguments."""
        return replace(self, args=args)


def num(value: int | Fraction, start: int = -1, end: int = -1) -> Node:
    """A number."""
    return Node("num", Fraction(value), (), start, end)


def sym(key: str, start: int = -1, end: int = -1) -> Node:
    """A symbol."""
    return Node("sym", key, (), start, end)


def fn(name: str, *args: Node) -> Node:
    """A function of arguments, at the first argument's place."""
    return Node("fn", name, args, args[0].start, args[-1].end)


def neg(node: Node) -> Node:
    """Minus a node."""
    return Node("neg", None, (node,), node.start, node.end)


def mul(*args: Node) -> Node:
    """A product, flat."""
    flat = [part for a in args for part in (a.args if a.kind == "mul" else (a,))]
    return flat[0] if len(flat) == 1 else Node("mul", None, tuple(flat), flat[0].start, flat[-1].end)


def add(*args: Node) -> Node:
    """A sum, flat."""
    flat = [part for a in args for part in (a.args if a.kind == "add" else (a,))]
    return flat[0] if len(flat) == 1 else Node("add", None, tuple(flat), flat[0].start, flat[-1].end)


def power(base: Node, exponent: Node) -> Node:
    """A power."""
    return Node("pow", None, (base, exponent), base.start, exponent.end)


def number_of(node: Node) -> Fraction | None:
    """The value of a number with or without a sign; None for anything else."""
    if node.kind == "neg":
        value = number_of(node.args[0])
        return None if value is None else -value
    if node.kind == "add" and len(node.args) == 1:
        return number_of(node.args[0])
    return Fraction(node.value) if node.kind == "num" else None


def walk(node: Node) -> Iterator[Node]:
    """Every node, parents first."""
    stack = [node]
    while stack:
        top = stack.pop()
        yield top
        stack.extend(reversed(top.args))


def bound_here(node: Node) -> frozenset[str]:
    """The symbols that a node binds in its body."""
    if node.kind == "int":
        return frozenset({node.value.key})
    if node.kind == "sum":
        return frozenset({node.value})
    if node.kind == "max":
        return frozenset(node.value[1])
    if node.kind == "let":
        return frozenset(node.value)
    return frozenset()


def free_symbols(node: Node) -> dict[str, Node]:
    """The symbols that are not bound inside, each with its first occurrence."""
    found: dict[str, Node] = {}

    def visit(part: Node, bound: frozenset[str]) -> None:
        if part.kind == "sym":
            if part.value not in bound:
                found.setdefault(part.value, part)
            return
        here = bound | bound_here(part)
        body = len(part.args) - 1 if part.kind == "let" else 0
        for index, argument in enumerate(part.args):
            binds = part.kind in ("int", "sum", "max", "let") and index == body
            visit(argument, here if binds else bound)

    visit(node, frozenset())
    return found


def substituted(node: Node, key: str, value: Node) -> Node:
    """A tree with a free symbol replaced; variables bound inside are renamed where they would catch what it is replaced by.

    >>> substituted(add(sym("x"), sym("y")), "x", num(2)).args[0].value
    Fraction(2, 1)
    """
    if key not in free_symbols(node):
        return node
    if node.kind == "sym":
        return value
    bound = bound_here(node)
    if not bound:
        return node.with_args(tuple(substituted(a, key, value) for a in node.args))
    caught = bound & free_symbols(value).keys()
    for name in sorted(caught):
        fresh = f"{name} renamed"
        while fresh in free_symbols(value) or fresh in free_symbols(node):
            fresh += "'"
        node = with_variable(node, name, fresh)
    body = len(node.args) - 1 if node.kind == "let" else 0
    here = bound_here(node)
    return node.with_args(
        tuple(a if k == body and key in here else substituted(a, key, value) for k, a in enumerate(node.args))
    )


def with_variable(node: Node, name: str, fresh: str) -> Node:
    """A node that binds a variable, with another name for it."""
    body = len(node.args) - 1 if node.kind == "let" else 0
    args = tuple(substituted(a, name, sym(fresh)) if k == body else a for k, a in enumerate(node.args))
    value = node.value
    if node.kind == "int":
        value = replace(value, key=fresh)
    elif node.kind == "sum":
        value = fresh
    elif node.kind == "max":
        value = (value[0], tuple(fresh if k == name else k for k in value[1]))
    else:
        value = tuple(fresh if k == name else k for k in value)
    return replace(node, value=value, args=args)


def depth(node: Node) -> int:
    """How deeply a tree is nested."""
    deepest, stack = 0, [(node, 1)]
    while stack:
        top, level = stack.pop()
        deepest = max(deepest, level)
        stack.extend((a, level + 1) for a in top.args)
    return deepest


def integral_depth(node: Node) -> int:
    """How many integrals stand inside one another."""
    inner = max((integral_depth(a) for a in node.args), default=0)
    return inner + (node.kind == "int")
