r"""What binds a variable: integrals, expectations, sums.

An integral sign governs the rest of the product that it stands in.
"""

from __future__ import annotations

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.core import Frame
from spinodal.verify.grammar.extrema import Extrema
from spinodal.verify.grammar.measures import Drawn
from spinodal.verify.symbols import ACCENTS, FONTS, GREEK
from spinodal.verify.tree import Bound, Node, mul, neg, num, sym

_NO_VALUES = (
    r"the values of what is summed over are not said: a sum over values is written \sum_{s=\pm1} or \sum_{s\in\{-1,0,1\}}"
)


class Binders(Extrema):
    """Reads integrals, expectations and sums."""

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
        gaussian = letter == "D"
        if (variable := self._measured()) is not None:
            key, gaussian = self._of_measure(key, variable, gaussian, token.start)
        if any(key == known for known, _, _ in self.frames[-1].variables):
            raise UnreadableError(f"{key} is integrated over twice", token.start)
        self.frames[-1].variables.append((key, gaussian, token.start))

    def _measured(self) -> str | None:
        r"""The variable of ``d\mu(z)``, which is taken, if a lone symbol in brackets stands here."""
        if not self.at("mark", "("):
            return None
        save = self.next
        self.take()
        try:
            key = self.symbol_key()
        except UnreadableError:
            key = ""
        if key and self.at("mark", ")"):
            self.take()
            return key
        self.next = save
        return None

    def _of_measure(self, key: str, variable: str, gaussian: bool, start: int) -> tuple[str, bool]:
        r"""The variable of ``d\mu(z)`` and whether its measure is Gaussian apart from the weight, which is kept."""
        if key in self.declared.measures:
            own, weight, before_gaussian = self.declared.measures[key]
            if own != variable:
                weight = Node("let", (own,), (sym(variable, start, start), weight), start, start)
            self.frames[-1].weights.append(weight)
            return variable, before_gaussian
        if key == "gamma" and gaussian:  # the standard Gaussian measure
            return variable, True
        raise UnreadableError("this measure is not defined in the document", start)

    def measure(self, variable: str) -> tuple[Node, bool]:
        """The weight of a measure that is being defined, and whether it stands before a Gaussian differential.

        Raises:
            UnreadableError: if its differential is missing or another one.
        """
        self.frames.append(Frame())
        weight = self.product()
        (frame, end) = (self.frames.pop(), self.peek())
        if end.kind != "end" or [key for key, _, _ in frame.variables] != [variable]:
            raise UnreadableError(f"a measure without the differential of {variable} alone", end.start)
        return weight, frame.variables[0][1]

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
        frame = self.frames.pop()
        variables = frame.variables
        if not variables:
            raise UnreadableError("the integral has no differential (Dz, dz)", start)
        if len(variables) < len(signs):
            raise UnreadableError("fewer differentials than integral signs", start)
        if len(variables) > len(signs):
            if any(lower is not None for lower, _ in signs):
                raise UnreadableError("limits that belong to several differentials; write one sign for each", start)
            signs = [(None, None)] * len(variables)
        end = max(body.end, self.peek(-1).end)
        if frame.weights:
            body = mul(*frame.weights, body)
        for (key, gaussian, _), (lower, upper) in reversed(list(zip(variables, signs, strict=True))):
            low = lower if lower is not None else neg(Node("const", "inf", (), start, start))
            high = upper if upper is not None else Node("const", "inf", (), start, start)
            body = Node("int", Bound(key, gaussian), (body, low, high), start, end)
        return body

    def _averaged(self, drawn: list[Drawn], body: Node, start: int) -> Node:
        for variable in reversed(drawn):
            body = variable.averaged(body, start)
        return body

    def _set_letter(self) -> None:
        r"""Take ``\mathbb{E}`` or a word."""
        if self.take().text == "mathbb":
            braced = self.at("mark", "{")
            self.take()
            if braced:
                self.take()
                self.expect("}")

    def _expectation(self, start: int) -> Node:
        r"""``\mathbb{E}_z f(z)``, ``\mathbb{E}_{z,t}[f(z, t)]``."""
        self._set_letter()
        if self.at("mark", "_"):
            self.take()
            keys = self._drawn()
        else:
            keys = self._standard(start)
        if self.at("mark", "^"):
            raise UnreadableError("a power of an expectation: write it around brackets", self.peek().start)
        if self.at("mark", "[", "(") or self.at("command", "{"):
            self.averages += 1
            body = self._curly() if self.at("command", "{") else self._bracket(self.peek().text)
            self.averages -= 1
            if self.at("mark", "^"):
                raise UnreadableError(
                    "a power after the brackets of an expectation may belong to either; bracket it", self.peek().start
                )
            return self._averaged(keys, body, start)
        return self._averaged(keys, self.product(), start)

    def _standard(self, start: int) -> list[Drawn]:
        r"""The variables of ``\mathbb{E}[..]``: those that the document says to be standard normal."""
        if not self.declared.drawn:
            raise UnreadableError(r"\mathbb{E} needs its variable, as in \mathbb{E}_z", start)
        if self.frames or self.averages:
            raise UnreadableError(r"\mathbb{E} inside an average needs its variable, as in \mathbb{E}_z", start)
        if not (self.at("mark", "[", "(") or self.at("command", "{")):
            raise UnreadableError(r"\mathbb{E} without a variable needs brackets", start)
        return [Drawn(key) for key in sorted(self.declared.drawn)]

    def _probability(self, start: int) -> Node:
        r"""``\mathbb{P}_z(z > \kappa)``."""
        self._set_letter()
        if not self.at("mark", "_"):
            raise UnreadableError(r"\mathbb{P} needs its variable, as in \mathbb{P}_z", start)
        self.take()
        drawn = self._drawn()
        if not (self.at("mark", "(", "[") or self.at("command", "{")):
            raise UnreadableError("a probability without its event", start)
        return self._averaged(drawn, self._event(start), start)

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
        return self._averaged(self._drawn(), body, first.start)

    def _sum(self) -> Node:
        sign = self.take()
        if not self.at("mark", "_"):
            raise UnreadableError("a sum without its range", sign.start)
        self.take()
        save = self.next
        if (said := self._said_range()) is not None:
            return Node("sum", said[0], (self.product(), *said[1]), sign.start, self.peek(-1).end)
        self.next = save
        if not self.at("mark", "{"):
            raise UnreadableError(_NO_VALUES, sign.start)
        self.take()
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
            raise UnreadableError(_NO_VALUES, sign.start)
        self.expect("}")
        if self.at("mark", "^"):
            self.take()
            top = self._limit()
            values = _integers(values, top, sign.start)
        return Node("sum", key, (self.product(), *values), sign.start, self.peek(-1).end)

    def _said_range(self) -> tuple[str, tuple[Node, ...]] | None:
        r"""The variable of ``\sum_w`` and its values, if the text says them."""
        braced = self.at("mark", "{")
        if braced:
            self.take()
        try:
            key = self.symbol_key()
        except UnreadableError:
            return None
        values = self.declared.ranges.get(key)
        if values is None or (braced and not self.at("mark", "}")):
            return None
        if braced:
            self.take()
        return key, values


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
