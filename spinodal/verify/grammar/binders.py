r"""What binds a variable: integrals, expectations, sums and extrema.

An integral sign governs the rest of the product that it stands in.
"""

from __future__ import annotations

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.core import Core, Frame
from spinodal.verify.grammar.cursor import show
from spinodal.verify.grammar.lexer import Token
from spinodal.verify.symbols import ACCENTS, FONTS, GREEK
from spinodal.verify.tree import Bound, Node, neg, num

EXTREMA = frozenset(["argmax", "argmin", "extr", "Extr", "ext", "extremum", "stat", "max", "min", "sup", "inf"])


class Binders(Core):
    """Reads integrals, expectations, sums and extrema."""

    def at_differential(self) -> bool:
        """Whether a differential of the integral that is being read begins here."""
        if not self.frames:
            return False
        token = self.peek()
        ahead = 1
        if token.kind == "command" and token.text in FONTS:
            ahead = 4 if self.peek(1).text == "{" else 2
            letter = self.peek(2) if ahead == 4 else self.peek(1)
            if letter.text not in ("D", "d"):
                return False
        elif not (token.kind in ("letter", "word") and token.text in ("D", "d")):
            return False
        following = self.peek(ahead)
        if following.kind == "mark" and following.text in "{[":
            following = self.peek(ahead + 1)
        if following.kind == "command":
            return following.text in GREEK or following.text in ACCENTS
        return following.kind == "letter"

    def _differential(self) -> None:
        token = self.take()
        letter = token.text
        if token.kind == "command":
            braced = self.at("mark", "{")
            if braced:
                self.take()
            letter = self.take().text
            if braced:
                self.expect("}")
        closing = ""
        if self.at("mark", "{", "["):
            closing = {"{": "}", "[": "]"}[self.take().text]
        key = self.symbol_key()
        if closing:
            self.expect(closing)
        if any(key == known for known, _, _ in self.frames[-1].variables):
            raise UnreadableError(f"{key} is integrated over twice", token.start)
        self.frames[-1].variables.append((key, letter == "D", token.start))

    def _limit(self) -> Node:
        if self.at("mark", "{"):
            return self.group()
        if self.at("mark", "-", "+"):
            sign = self.take()
            value = self.atom()
            return neg(value) if sign.text == "-" else value
        return self.atom()

    def _integral(self) -> Node:
        start = self.peek().start
        signs: list[tuple[Node | None, Node | None]] = []
        while self.at("command", "int", "iint", "iiint"):
            sign = self.take()
            lower: Node | None = None
            upper: Node | None = None
            while self.at("mark", "_", "^"):
                if self.take().text == "_":
                    lower = self._limit()
                else:
                    upper = self._limit()
            signs += [(None, None)] * (len(sign.text) - 3)
            if (lower is None) != (upper is None):
                if lower is not None and lower.kind == "sym" and lower.value in ("R@bb",):
                    lower = None
                else:
                    raise UnreadableError("an integral with one limit", sign.start)
            signs.append((lower, upper))
        self.frames.append(Frame())
        body = self.product()
        variables = self.frames.pop().variables
        if not variables:
            raise UnreadableError("the integral has no differential (Dz, dz)", start)
        if len(variables) < len(signs):
            raise UnreadableError("fewer differentials than integral signs", start)
        if len(variables) > len(signs):
            if any(lower is not None for lower, _ in signs):
                raise UnreadableError("limits that belong to several differentials; write one sign for each", start)
            signs = [(None, None)] * len(variables)
        end = max(body.end, self.peek(-1).end)
        for (key, gaussian, _), (lower, upper) in reversed(list(zip(variables, signs, strict=True))):
            low = lower if lower is not None else neg(Node("const", "inf", (), start, start))
            high = upper if upper is not None else Node("const", "inf", (), start, start)
            body = Node("int", Bound(key, gaussian), (body, low, high), start, end)
        return body

    def _variables(self) -> list[str]:
        r"""``z``, ``z,t`` or ``z\sim\mathcal{N}(0,1)`` in a subscript."""
        braced = self.at("mark", "{")
        if braced:
            self.take()
        keys = [self.symbol_key()] if braced else [self._single_symbol()]
        while braced and self.at("mark", ","):
            self.take()
            keys.append(self.symbol_key())
        if braced and self.at("command", "sim"):
            self.take()
            words = []
            level = 0
            while not self.at("end") and not (self.at("mark", "}") and level == 0):
                token = self.take()
                level += (token.text == "{") - (token.text == "}")
                words.append(token.text)
            text = "".join(words)
            if text not in ("mathcalN(0,1)", "mathcal{N}(0,1)", "N(0,1)"):
                raise UnreadableError("only standard normal variables are averaged over", self.peek().start)
        if braced:
            self.expect("}")
        return keys

    def _single_symbol(self) -> str:
        token = self.take()
        if token.kind != "letter" and not (token.kind == "command" and token.text in GREEK):
            raise UnreadableError(f"{show(token)} is no variable", token.start)
        return token.text

    def _averaged(self, keys: list[str], body: Node, start: int) -> Node:
        infinity = Node("const", "inf", (), start, start)
        for key in reversed(keys):
            body = Node("int", Bound(key, True), (body, neg(infinity), infinity), start, max(body.end, start))
        return body

    def _expectation(self, start: int) -> Node:
        r"""``\mathbb{E}_z f(z)``, ``\mathbb{E}_{z,t}[f(z, t)]``."""
        if self.take().text == "mathbb":
            if self.at("mark", "{"):
                self.take()
                self.take()
                self.expect("}")
            else:
                self.take()
        if not self.at("mark", "_"):
            raise UnreadableError(r"\mathbb{E} needs its variable, as in \mathbb{E}_z", start)
        self.take()
        keys = self._variables()
        if self.at("mark", "^"):
            raise UnreadableError("a power of an expectation: write it around brackets", self.peek().start)
        if self.at("mark", "[", "(") or self.at("command", "{"):
            body = self._curly() if self.at("command", "{") else self._bracket(self.peek().text)
            if self.at("mark", "^"):
                raise UnreadableError(
                    "a power after the brackets of an expectation may belong to either; bracket it", self.peek().start
                )
            return self._averaged(keys, body, start)
        return self._averaged(keys, self.product(), start)

    def _angle(self) -> Node:
        first = self.take()
        bars, self.bars = self.bars, 0
        body = self.expression()
        self.bars = bars
        if not self.at("command", "rangle"):
            raise UnreadableError(r"\langle is not closed", first.start)
        self.take()
        if not self.at("mark", "_"):
            raise UnreadableError(r"an average \langle..\rangle needs its variable as a subscript", first.start)
        self.take()
        return self._averaged(self._variables(), body, first.start)

    def _sum(self) -> Node:
        sign = self.take()
        if not self.at("mark", "_"):
            raise UnreadableError("a sum without its range", sign.start)
        self.take()
        self.expect("{")
        key = self.symbol_key()
        if self.at("mark", "="):
            self.take()
            if self.at("command", "pm"):
                self.take()
                size = self.expression()
                values: tuple[Node, ...] = (size, neg(size))
            else:
                values = self._listed()
        elif self.at("command", "in"):
            self.take()
            if not self.at("command", "{"):
                raise UnreadableError(r"the range of the sum is not a list \{..\}", self.peek().start)
            self.take()
            values = self._listed()
            if not self.at("command", "}"):
                raise UnreadableError("the list of the sum is not closed", self.peek().start)
            self.take()
        else:
            raise UnreadableError("the range of the sum is not read", self.peek().start)
        self.expect("}")
        if self.at("mark", "^"):
            self.take()
            top = self._limit()
            values = _integers(values, top, sign.start)
        return Node("sum", key, (self.product(), *values), sign.start, self.peek(-1).end)

    def _listed(self) -> tuple[Node, ...]:
        if self.at("command", "pm"):
            self.take()
            size = self.expression()
            return (size, neg(size))
        values = [self.expression()]
        while self.at("mark", ","):
            self.take()
            values.append(self.expression())
        return tuple(values)

    def _extremum(self) -> Node:
        r"""``\max_t f``, ``\max(a, b)``, ``\operatorname{extr}_{q, \hat q} f``."""
        token = self.take()
        if token.text == "arg" and self.at("command", "max", "min"):
            token = Token("word", f"arg{self.take().text}", token.start, self.peek(-1).end)
        keys: list[str] = []
        if self.at("mark", "_"):
            self.take()
            keys = self._variables()
        elif token.text in ("max", "min") and (self.at("mark", "(", "[") or self.at("command", "{")):
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
        body = self.product()
        return Node("max", (token.text, tuple(keys)), (body,), token.start, body.end)

    def _underset(self) -> Node:
        token = self.take()
        self.expect("{")
        keys = [self.symbol_key()]
        while self.at("mark", ","):
            self.take()
            keys.append(self.symbol_key())
        self.expect("}")
        braced = self.at("mark", "{")
        if braced:
            self.take()
        word = self.take()
        if word.text == "arg" and self.at("command", "max", "min"):
            word = Token("word", f"arg{self.take().text}", word.start, self.peek(-1).end)
        if braced:
            self.expect("}")
        if word.text not in EXTREMA:
            raise UnreadableError(f"{show(word)} over a subscript is not read", word.start)
        body = self.product()
        return Node("max", (word.text, tuple(keys)), (body,), token.start, body.end)


def _integers(values: tuple[Node, ...], top: Node, start: int) -> tuple[Node, ...]:
    def integer(node: Node) -> int:
        sign = -1 if node.kind == "neg" else 1
        inner = node.args[0] if node.kind == "neg" else node
        if inner.kind != "num" or inner.value.denominator != 1:
            raise UnreadableError("a sum over a range that is not of integers", start)
        return sign * int(inner.value)

    low, high = integer(values[0]), integer(top)
    if len(values) != 1 or not 0 <= high - low <= 64:
        raise UnreadableError("a sum over more than 64 integers", start)
    return tuple(num(k, start, start) if k >= 0 else neg(num(-k, start, start)) for k in range(low, high + 1))
