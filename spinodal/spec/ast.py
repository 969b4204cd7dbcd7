"""The syntax tree of a formula: what the parser makes and every later stage reads.

Nodes are immutable and hashable. ``column`` is the 0-based offset of the node's first character inside the formula's
text (it takes no part in equality), so that a later stage can still point at the place an error comes from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

ArithmeticOperator = Literal["+", "-", "*", "/", "**"]
Comparison = Literal["<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric literal, kept exactly: ``0.1`` is 1/10, not the nearest double."""

    value: Fraction
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A parameter, a variable of the formula's place, or the constant ``pi``."""

    name: str
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Negate:
    """Unary minus."""

    operand: Node
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``left operator right``."""

    operator: ArithmeticOperator
    left: Node
    right: Node
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one of the known functions."""

    function: str
    arguments: tuple[Node, ...]
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """``left operator right``, a truth value."""

    operator: Comparison
    left: Node
    right: Node
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Logic:
    """Two or more truth values joined by ``and`` or by ``or``."""

    operator: Literal["and", "or"]
    operands: tuple[Node, ...]
    column: int = field(default=0, compare=False)


Node = Number | Name | Negate | Arithmetic | Call | Compare | Logic


def children(node: Node) -> tuple[Node, ...]:
    """The direct sub-expressions of a node, left to right."""
    match node:
        case Number() | Name():
            return ()
        case Negate(operand=operand):
            return (operand,)
        case Arithmetic(left=left, right=right) | Compare(left=left, right=right):
            return (left, right)
        case Call(arguments=arguments):
            return arguments
        case Logic(operands=operands):
            return operands


def walk(node: Node) -> Iterator[Node]:
    """Every node of the tree, parents before children."""
    yield node
    for child in children(node):
        yield from walk(child)


def names(node: Node) -> frozenset[str]:
    """The names a formula mentions (``pi`` excluded)."""
    return frozenset(part.name for part in walk(node) if isinstance(part, Name) and part.name != "pi")
