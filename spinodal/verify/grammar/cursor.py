"""The tokens of an expression and a place among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.tree import Node


class Averages(Protocol):
    """The measures that a document defines for its averages."""

    def applied(self, tree: Node, tokens: Sequence[Token]) -> Node:
        """A tree that was parsed from tokens, with these measures."""


@dataclass(frozen=True, slots=True)
class Declared:
    r"""What the document says about letters.

    Attributes:
        symbols: keys that are symbols of their own.
        functions: keys that are functions.
        drawn: keys of standard normal variables.
        potentials: keys of the model's free entropy, which may be written with its arguments.
        names: order parameters and parameters of the model.
        measures: keys of measures, ``mu`` of ``d\mu(z)``, with the variable, the weight and whether it stands before ``Dz``.
        ranges: by key, the values that the text says letters are summed over.
        averages: what the document says of the measures of its averages.
    """

    symbols: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    drawn: frozenset[str] = frozenset()
    potentials: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    measures: Mapping[str, tuple[str, Node, bool]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[Node, ...]] = field(default_factory=dict)
    averages: Averages | None = None


class Cursor:
    """A place among tokens."""

    def __init__(self, tokens: Sequence[Token], declared: Declared | None = None) -> None:
        self.tokens = tokens
        self.declared = declared or Declared()
        self.next = 0

    def peek(self, ahead: int = 0) -> Token:
        """A token ahead, without taking it."""
        return self.tokens[min(self.next + ahead, len(self.tokens) - 1)]

    def take(self) -> Token:
        """The next token."""
        token = self.peek()
        if self.next < len(self.tokens) - 1:
            self.next += 1
        return token

    def at(self, kind: str, *texts: str) -> bool:
        """Whether the next token is one of these."""
        token = self.peek()
        return token.kind == kind and (not texts or token.text in texts)

    def expect(self, text: str) -> Token:
        """Take a mark, or refuse."""
        if not self.at("mark", text) and not (self.at("command", text) and text in "{}"):
            token = self.peek()
            what = f"{show(token)} stands where {text} belongs" if token.kind != "end" else f"{text} is missing"
            raise UnreadableError(what, token.start)
        return self.take()


def show(token: Token) -> str:
    """A token as its author wrote it, for messages."""
    return {"command": "\\" + token.text, "end": "the end"}.get(token.kind, token.text[:40])


_REASONS = {
    "partial": "derivatives of this form",
    "lim": "limits",
    "prod": "products",
    "begin": "an environment inside an equation",
    "ldots": "an ellipsis leaves something out; it",
    "cdots": "an ellipsis leaves something out; it",
    "nabla": "gradients",
    "det": "determinants",
    "binom": "binomials",
    "propto": "a proportionality claims no value; it",
    "to": "a limit",
    "mapsto": "a map",
}


def advice(token: Token, otherwise: str) -> str:
    """Why a token cannot be checked, where that is known."""
    reason = _REASONS.get(token.text) if token.kind == "command" else None
    if reason is None:
        return otherwise
    return f"{reason} ({show(token)}) cannot be checked here"
