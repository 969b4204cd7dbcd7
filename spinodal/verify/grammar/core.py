"""What every part of the grammar may ask of the others: sums, products, factors, arguments and brackets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.cursor import Declared, advice, show
from spinodal.verify.grammar.names import Names
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.tree import Node, neg, sym

_OPENING = {"(": ")", "[": "]", "{": "}"}


@dataclass
class Frame:
    """An integral being read: the differentials met so far (key, Gaussian or not, offset), and the weights of measures."""

    variables: list[tuple[str, bool, int]] = field(default_factory=list)
    weights: list[Node] = field(default_factory=list)


class Core(Names, ABC):
    """Brackets, and the rules that refer to each other."""

    def __init__(self, tokens: Sequence[Token], declared: Declared | None = None) -> None:
        super().__init__(tokens, declared)
        self.bars = 0
        self.frames: list[Frame] = []
        self.exponents = 0
        self.averages = 0

    @abstractmethod
    def expression(self) -> Node:
        """A sum."""

    @abstractmethod
    def product(self) -> Node:
        """Factors side by side."""

    @abstractmethod
    def factor(self) -> Node:
        """An atom with its powers."""

    @abstractmethod
    def atom(self) -> Node:
        """What is no sum, product or power."""

    @abstractmethod
    def argument(self) -> Node:
        r"""What stands after ^, or as an argument of \frac: a group, or a single token."""

    @abstractmethod
    def starts_factor(self) -> bool:
        """Whether a factor begins here."""

    @abstractmethod
    def at_differential(self) -> bool:
        """Whether the differential of an integral that is being read begins here."""

    def skip_nothing(self) -> bool:
        """Whether an empty group stood here; it is taken."""
        if not (self.at("mark", "{") and self.peek(1).kind == "mark" and self.peek(1).text == "}"):
            return False
        self.take()
        self.take()
        return True

    def group(self) -> Node:
        """``{ expression }``."""
        self.expect("{")
        bars, self.bars = self.bars, 0
        node = self.expression()
        self.bars = bars
        self.expect("}")
        return node

    def at_signed_group(self) -> bool:
        r"""Whether a group begins here with a sign, ``{-1}``: beside a factor it is the next term of a sum."""
        return self.at("mark", "{") and self.peek(1).kind == "mark" and self.peek(1).text in "+-"

    def open_group(self) -> None:
        """Take away the braces of the group that begins here, which nobody sees."""
        stop = self.next + self._group_width() - 1
        self.tokens = [*self.tokens[: self.next], *self.tokens[self.next + 1 : stop], *self.tokens[stop + 1 :]]

    def _group_width(self) -> int:
        """How many tokens the group that begins here takes.

        Raises:
            UnreadableError: if it is not closed.
        """
        level = 0
        for count, token in enumerate(self.tokens[self.next :], 1):
            if token.kind == "mark":
                level += (token.text == "{") - (token.text == "}")
            if level == 0:
                return count
        raise UnreadableError("a brace that is not closed", self.peek().start)

    def _is_sum_in_braces(self) -> bool:
        r"""Whether a group begins here that holds a sum, ``{1-q}``; ``{a-b \over c}`` is a fraction."""
        if not self.at("mark", "{"):
            return False
        inside = self.tokens[self.next + 1 : self.next + self._group_width() - 1]
        level = bars = 0
        found = False
        for before, token in pairwise(inside):
            level += before.text in ("(", "[", "{", "langle", "evaluated")
            level -= token.text in (")", "]", "}", "rangle", "at")
            bars += before.kind == "mark" and before.text == "|"
            if level or bars % 2:
                continue
            if token.kind == "command" and token.text == "over":
                return False
            sign = token.text in ("+", "-", "pm", "mp") and token.kind in ("mark", "command")
            found |= sign and before.text not in ("_", "^")
        return found

    def seen_factor(self, *, beside: bool) -> Node:
        """A factor; a sum or product in braces is read only where it is the same without them, for nobody sees them.

        Args:
            beside: whether something stands to its left that would take a part of it.
        """
        if not self.at("mark", "{"):
            return self.factor()
        first, inside, after = self.peek(), self.peek(1), self.peek(self._group_width())
        minus = self.next > 0 and self.peek(-1).kind == "mark" and self.peek(-1).text == "-"
        is_sum, scripted = self._is_sum_in_braces(), after.kind == "mark" and after.text in "^_"
        node = self.factor()
        follows = self.at("mark", "*", "/") or (
            self.starts_factor() and not (self.at_signed_group() or self.at_differential())
        )
        several = node.kind == "pow" and node.args[0].kind in ("mul", "neg") and inside.text not in "([{"
        if several or (is_sum and (beside or minus or scripted or follows)):
            raise UnreadableError("the braces around this are not seen: write brackets", first.start)
        return node

    def _braced(self) -> Node:
        """A group: TeX's braces only group, so that a lone symbol in them may still take a subscript."""
        node = self.group()
        if node.kind == "sym" and (self.at("mark", "_") or self.at("mark", "'")):
            key = self._decorated(node.value)
            return sym(key, node.start, self.peek(-1).end)
        return node

    def _bracket(self, opening: str) -> Node:
        first = self.take()
        bars, self.bars = self.bars, 0
        node = self.expression()
        self.bars = bars
        last = self._close(opening, first)
        return Node(node.kind, node.value, node.args, first.start if node.kind != "sym" else node.start, last)

    def _close(self, opening: str, first: Token) -> int:
        wanted = _OPENING[opening]
        token = self.peek()
        if (token.kind == "mark" and token.text == wanted) or (token.kind == "command" and token.text == wanted):
            return self.take().end
        if token.kind == "end" or token.text in (")", "]", "}"):
            raise UnreadableError(f"the bracket {opening} is not closed", first.start)
        raise UnreadableError(advice(token, f"{show(token)} is not expected inside the bracket"), token.start)

    def _curly(self) -> Node:
        first = self.take()
        bars, self.bars = self.bars, 0
        node = self.expression()
        self.bars = bars
        if not self.at("command", "}"):
            raise UnreadableError(r"the bracket \{ is not closed", first.start)
        self.take()
        return node

    def _absolute(self) -> Node:
        first = self.take()
        if self.at("mark", "_"):
            raise UnreadableError(r"what is evaluated at a point is written \left. .. \right|_{x=a}", first.start)
        self.bars += 1
        node = self.expression()
        self.bars -= 1
        if not self.at("mark", "|"):
            raise UnreadableError("the bar | is not closed", first.start)
        last = self.take()
        return Node("fn", "abs", (node,), first.start, last.end)

    def _listed(self) -> tuple[Node, ...]:
        values = [*self._one_or_both()]
        while self.at("mark", ","):
            self.take()
            values += self._one_or_both()
        return tuple(values)

    def _one_or_both(self) -> tuple[Node, ...]:
        r"""A value, or both of ``\pm 3``."""
        if not self.at("command", "pm"):
            return (self.expression(),)
        self.take()
        size = self.expression()
        return (size, neg(size))

    def _bars_ahead(self) -> int:
        """How many bars stand in the bracket that has been opened, those in inner brackets apart."""
        level = count = 0
        for token in self.tokens[self.next :]:
            level += token.text in ("(", "[", "{", "langle")
            level -= token.text in (")", "]", "}", "rangle")
            if level < 0:
                break
            count += level == 0 and token.kind == "mark" and token.text == "|"
        return count

    def _arguments(self) -> tuple[Node, ...]:
        if self.at("command", "{"):
            return (self._curly(),)
        opening = self.take()
        bars, self.bars = self.bars, int(self._bars_ahead() % 2)  # an odd one separates, as in p(y|u)
        arguments = [self.expression()]
        while self.at("mark", ",", ";", "|"):
            self.bars = 0 if self.take().text == "|" else self.bars
            arguments.append(self.expression())
        self.bars = bars
        self._close(opening.text, opening)
        return tuple(arguments)
