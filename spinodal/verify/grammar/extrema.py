r"""Extrema: ``\max_t f``, ``\min_{E>0} f``, ``\underset{t}{\operatorname{arg\,max}} f``, ``\max(a, b)``."""

from __future__ import annotations

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.cursor import show
from spinodal.verify.grammar.slopes import Slopes
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.tree import Node, fn, num, sym

EXTREMA = frozenset(["argmax", "argmin", "extr", "Extr", "ext", "extremum", "stat", "max", "min", "sup", "inf"])


class Extrema(Slopes):
    """Reads extrema."""

    def _variables(self) -> tuple[list[str], bool]:
        r"""``t``, ``t,u``, ``t\in\mathbb{R}`` or ``t>0`` under an extremum, and whether they are positive."""
        if not self.at("mark", "{"):
            return [self._single_symbol()], False
        self.take()
        keys = [self.symbol_key()]
        while self.at("mark", ","):
            self.take()
            keys.append(self.symbol_key())
        positive = self._domain()
        if not self.at("mark", "}"):
            raise UnreadableError("an extremum under a condition is not read", self.peek().start)
        self.take()
        return keys, positive

    def _domain(self) -> bool:
        r"""Take ``\in\mathbb{R}`` or ``> 0``, if it stands here: whether only what is positive is meant."""
        if self.at("mark", ">"):
            place = self.take().start
            if self.expression() != num(0):
                raise UnreadableError("only extrema over the real line or what is positive are read", place)
            return True
        if not self.at("command", "in"):
            return False
        place = self.take().start
        if self.symbol_key() != "R@bb":
            raise UnreadableError("only extrema over the real line or what is positive are read", place)
        return False

    def _extremum(self) -> Node:
        r"""``\max_t f``, ``\max(a, b)``, ``\operatorname{extr}_{q, \hat q} f``."""
        token = self._arg(self.take())
        keys: list[str] = []
        positive = False
        if self.at("mark", "_"):
            self.take()
            keys, positive = self._variables()
        elif token.text in ("max", "min") and (self.at("mark", "(", "[") or self.at("command", "{")):
            return self._of_list(token)
        return self._of_body(token.text, keys, positive, token.start)

    def _arg(self, token: Token) -> Token:
        """``arg`` and ``max`` as one word."""
        if token.text == "arg" and self.at("command", "max", "min"):
            return Token("word", f"arg{self.take().text}", token.start, self.peek(-1).end)
        return token

    def _of_list(self, token: Token) -> Node:
        if self.at("command", "{"):
            self.take()
            arguments = self._listed()
            if not self.at("command", "}"):
                raise UnreadableError(r"the bracket \{ is not closed", token.start)
            self.take()
        else:
            arguments = self._arguments()
        if len(arguments) < 2:
            raise UnreadableError(f"{token.text} of one number", token.start)
        return Node("fn", token.text, arguments, token.start, self.peek(-1).end)

    def _of_body(self, word: str, keys: list[str], positive: bool, start: int) -> Node:
        """An extremum of the rest of the product; over what is positive, by its logarithm."""
        body = self.product()
        if not positive:
            return Node("max", (word, tuple(keys)), (body,), start, body.end)
        logarithms = tuple(f"log of {key}" for key in keys)
        values = tuple(fn("exp", sym(name, start, start)) for name in logarithms)
        inside = Node("let", tuple(keys), (*values, body), start, body.end)
        node = Node("max", (word, logarithms), (inside,), start, body.end)
        return Node("fn", "exp", (node,), start, body.end) if word.startswith("arg") else node

    def _underset(self) -> Node:
        token = self.take()
        self.expect("{")
        keys = [self.symbol_key()]
        while self.at("mark", ","):
            self.take()
            keys.append(self.symbol_key())
        positive = self._domain()
        self.expect("}")
        braced = self.at("mark", "{")
        if braced:
            self.take()
        word = self._arg(self.take())
        if braced:
            self.expect("}")
        if word.text not in EXTREMA:
            raise UnreadableError(f"{show(word)} over a subscript is not read", word.start)
        return self._of_body(word.text, keys, positive, token.start)
