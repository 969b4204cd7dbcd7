r"""Derivatives: ``\partial_q F``, ``\frac{\partial F}{\partial q}``, ``\frac{d}{dq} [..]``, ``f'(x)``, values at a point.

What a derivative acts on must be clear: one factor, an integral, or a bracket. Where more could be meant, it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.measures import Measures
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.tree import Node, sym

_MAX_ORDER = 4
#: What begins a formula that takes the rest of its product.
_TAKES_ALL = frozenset(["int", "iint", "iiint", "sum"])


class Slopes(Measures):
    """Reads derivatives."""

    def _partial(self) -> Node:
        r"""``\partial_q F``, ``\partial_q^2 F``."""
        first = self.take()
        order, key = 1, ""
        for _ in range(2):
            if self.at("mark", "^"):
                self.take()
                order = self._order()
            elif self.at("mark", "_") and not key:
                self.take()
                if self.at("mark", "{"):
                    self.take()
                    key = self.symbol_key()
                    if not self.at("mark", "}"):
                        raise UnreadableError("a derivative in more than one variable is not read", self.peek().start)
                    self.take()
                else:
                    key = self._single_symbol()
        if not key:
            raise UnreadableError(r"derivatives are read as \partial_x or \frac{\partial}{\partial x}", first.start)
        return self._slope(key, order, first.start)

    def _order(self) -> int:
        token = self.peek()
        node = self.argument()
        if node.kind != "num" or node.value.denominator != 1 or not 1 <= node.value <= _MAX_ORDER:
            raise UnreadableError(f"derivatives are read up to order {_MAX_ORDER}", token.start)
        return int(node.value)

    def _slope(self, key: str, order: int, start: int) -> Node:
        body = self._operand()
        return Node("diff", (key, order), (body,), start, self.peek(-1).end)

    def _operand(self) -> Node:
        """What a derivative acts on."""
        place = self.peek()
        bracketed = self.at("mark", "(", "[") or self.at("command", "{")
        if not self.starts_factor() or self.at_differential():
            raise UnreadableError("it is not clear what this derivative acts on", place.start)
        node = (
            self.atom()
            if bracketed or (place.kind == "command" and place.text in _TAKES_ALL)
            else self.seen_factor(beside=True)
        )
        if bracketed and self.at("mark", "^", "_"):
            raise UnreadableError(
                "what stands at the brackets of a derivative may belong to either; bracket it", self.peek().start
            )
        follows = self.at("mark", "/", "*") or (self.starts_factor() and not self.at_differential())
        if follows and not bracketed:
            raise UnreadableError("it is not clear what this derivative acts on; bracket it", place.start)
        return node

    # ---- fractions

    def _at_slope(self) -> bool:
        r"""Whether ``\frac{\partial ..}{\partial ..}`` or ``\frac{d..}{dq}`` begins here."""
        above, below, _ = self._halves()
        for sign in ("partial", "d"):
            if all(_begins(half, sign) for half in (above, below)):
                return sign == "partial" or ("d" not in self.declared.symbols and self._variable(below) is not None)
        return False

    def _halves(self) -> tuple[list[Token], list[Token], int]:
        """The tokens above and below the bar of the fraction that begins here, and the place after it."""
        halves: list[list[Token]] = []
        index = self.next + 1
        for _ in range(2):
            token = self.tokens[min(index, len(self.tokens) - 1)]
            if token.kind != "mark" or token.text != "{":
                halves.append([token])
                index += 1
                continue
            level, stop = 0, index
            while stop < len(self.tokens) - 1:
                if self.tokens[stop].kind == "mark":
                    level += (self.tokens[stop].text == "{") - (self.tokens[stop].text == "}")
                if level == 0:
                    break
                stop += 1
            halves.append(list(self.tokens[index + 1 : stop]))
            index = stop + 1
        return halves[0], halves[1], index

    def _variable(self, below: Sequence[Token]) -> tuple[str, int] | None:
        r"""What ``\partial q^2`` differentiates in, and how often; None if it is no such thing."""
        parser = self._at(below[1:])
        try:
            key = parser.symbol_key()
            order = 1
            if parser.at("mark", "^"):
                parser.take()
                order = parser._order()
        except UnreadableError:
            return None
        return (key, order) if parser.at("end") else None

    def _at(self, tokens: Sequence[Token]) -> Slopes:
        """A reader of some of the tokens."""
        end = tokens[-1].end if tokens else self.peek().start
        return type(self)([*tokens, Token("end", "", end, end)], self.declared)

    def _slope_fraction(self) -> Node:
        start = self.peek().start
        above, below, index = self._halves()
        found = self._variable(below)
        if found is None:
            raise UnreadableError("a derivative in more than one variable is not read", below[0].start)
        key, order = found
        top = self._at(above[1:])
        times = 1
        if top.at("mark", "^"):
            top.take()
            times = top._order()
        if times != order:
            raise UnreadableError("the order of the derivative differs above and below", start)
        self.next = min(index, len(self.tokens) - 1)
        if top.at("end"):
            return self._slope(key, order, start)
        body = top.expression()
        if not top.at("end"):
            raise UnreadableError("what this derivative acts on is not read", top.peek().start)
        return Node("diff", (key, order), (body,), start, self.peek(-1).end)

    # ---- at a point

    def _evaluated(self) -> Node:
        r"""``\left. F \right|_{x = a}``."""
        first = self.take()
        bars, self.bars = self.bars, 0
        body = self.expression()
        self.bars = bars
        if not self.at("command", "at"):
            raise UnreadableError("what is evaluated here is not read to its end", self.peek().start)
        self.take()
        self.expect("_")
        self.expect("{")
        keys: list[str] = []
        values: list[Node] = []
        while True:
            keys.append(self.symbol_key())
            self.expect("=")
            values.append(self.expression())
            if not self.at("mark", ","):
                break
            self.take()
        self.expect("}")
        return Node("let", tuple(keys), (*values, body), first.start, self.peek(-1).end)


def primed(key: str, base: str, primes: int, arguments: tuple[Node, ...], start: int) -> Node:
    """``f'(x)`` of a function that the document defines."""
    if len(arguments) != 1:
        raise UnreadableError(f"{key}: a derivative of a function of several arguments", start)
    (x,) = arguments
    variable = f"argument of {key}"
    inside = Node("call", base, (sym(variable, start, x.end),), start, x.end)
    return Node("let", (variable,), (x, Node("diff", (variable, primes), (inside,), start, x.end)), start, x.end)


def _begins(tokens: Sequence[Token], sign: str) -> bool:
    if not tokens:
        return False
    kinds = ("command",) if sign == "partial" else ("letter", "word")
    return tokens[0].kind in kinds and tokens[0].text == sign


__all__ = ["Slopes", "primed"]
