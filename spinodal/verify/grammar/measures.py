r"""Laws and events: ``h\sim\mathcal{N}(m, v)``, ``\mathcal{N}(x; m, v)``, ``\mathbb{1}(x > 0)``."""

from __future__ import annotations

from dataclasses import dataclass

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.core import Core
from spinodal.verify.grammar.cursor import show
from spinodal.verify.symbols import GREEK, plain
from spinodal.verify.tree import Bound, Node, add, fn, mul, neg, num, power, sym

_BELOW = {("mark", "<"), ("command", "leq"), ("command", "lt")}
_ABOVE = {("mark", ">"), ("command", "geq"), ("command", "gt")}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A normal variable that is averaged over; without mean and variance it is standard."""

    key: str
    mean: Node | None = None
    variance: Node | None = None

    @property
    def standard(self) -> bool:
        """Whether its mean is 0 and its variance 1."""
        return self.mean in (None, num(0)) and self.variance in (None, num(1))

    def averaged(self, body: Node, start: int) -> Node:
        """The average of a formula over it."""
        infinity = Node("const", "inf", (), start, start)
        if not self.standard:
            assert self.mean is not None
            assert self.variance is not None
            wide = mul(fn("sqrt", self.variance), sym(self.key, start, start))
            value = wide if self.mean == num(0) else add(self.mean, wide)
            body = Node("let", (self.key,), (value, body), body.start, body.end)
        return Node("int", Bound(self.key, True), (body, neg(infinity), infinity), start, max(body.end, start))


class Measures(Core):
    """Reads laws of variables, densities and indicator functions."""

    def _single_symbol(self) -> str:
        token = self.take()
        if token.kind != "letter" and not (token.kind == "command" and token.text in GREEK):
            raise UnreadableError(f"{show(token)} is no variable", token.start)
        return token.text

    def _drawn(self) -> list[Drawn]:
        r"""``z``, ``z,t`` or ``z\sim\mathcal{N}(0,q)`` in a subscript."""
        if not self.at("mark", "{"):
            return [Drawn(self._single_symbol())]
        opening = self.peek()
        self.take()
        found: list[Drawn] = []
        keys: list[str] = []
        while True:
            keys.append(self.symbol_key())
            if self.at("command", "sim"):
                self.take()
                mean, variance = self._law()
                found += [Drawn(key, mean, variance) for key in keys]
                keys = []
            if self.at("mark", "^"):
                reason = f"the superscript of {plain(keys[-1])}, which is averaged over, is read as a power elsewhere"
                raise UnreadableError(f"{reason}: write it as a subscript", self.peek().start)
            if not self.at("mark", ",", ";"):
                break
            self.take()
        if not self.at("mark", "}"):
            raise UnreadableError(
                "the subscript of an average names its variables, and their normal law, alone", opening.start
            )
        self.take()
        return [*found, *(Drawn(key) for key in keys)]

    def _law(self) -> tuple[Node, Node]:
        r"""Mean and variance of ``\mathcal{N}(m, v)``."""
        place = self.peek().start
        try:
            key = self.symbol_key()
        except UnreadableError:
            key = ""
        if key not in ("N@cal", "N") or not self.at("mark", "("):
            raise UnreadableError(
                "only normal variables are averaged over: define the average, as in "
                r"\mathbb{E}_{s} f(s) = \frac12 f(1) + \frac12 f(-1)",
                place,
            )
        opening = self.take()
        mean = self.expression()
        self.expect(",")
        variance = self.expression()
        self._close("(", opening)
        return mean, variance

    def _normal_density(self, start: int) -> Node:
        r"""``\mathcal{N}(x; m, v)`` or ``\mathcal{N}(x | m, v)``, from its bracket on."""
        opening = self.take()
        bars, self.bars = self.bars, 1  # here a bar separates
        x = self.expression()
        if not self.at("mark", ";", "|"):
            raise UnreadableError(
                r"a normal density is written \mathcal{N}(x; m, v), with its mean and its variance", self.peek().start
            )
        self.take()
        self.bars = 0
        mean = self.expression()
        self.expect(",")
        variance = self.expression()
        self.bars = bars
        end = self._close(opening.text, opening)
        square = power(x if mean == num(0) else add(x, neg(mean)), num(2))
        exponent = neg(Node("div", None, (square, mul(num(2), variance)), start, end))
        norm = fn("sqrt", mul(num(2), Node("const", "pi"), variance))
        return Node("div", None, (fn("exp", exponent), norm), start, end)

    def _indicator(self) -> Node:
        r"""``\mathbb{1}(h > \kappa)``, ``\mathbb{1}_{h > \kappa}``."""
        token = self.take()
        return self._event(token.start)

    def _event(self, start: int) -> Node:
        """The indicator function of a condition in brackets or in a subscript."""
        subscript = self.at("mark", "_")
        if subscript:
            self.take()
        if not (self.at("mark", "{") if subscript else self.at("mark", "(", "[") or self.at("command", "{")):
            raise UnreadableError("an indicator function without its condition", start)
        opening = self.take()
        factors = [self._condition()]
        while self.at("mark", ","):
            self.take()
            factors.append(self._condition())
        end = self._close(opening.text, opening)
        node = mul(*factors)
        return Node(node.kind, node.value, node.args, start, end)

    def _condition(self) -> Node:
        """``a < b < c`` as a product of steps."""
        bars, self.bars = self.bars, 0
        left = self.expression()
        steps: list[Node] = []
        while True:
            token = self.peek()
            if (token.kind, token.text) in _BELOW:
                self.take()
                right = self.expression()
                steps.append(_below(left, right))
            elif (token.kind, token.text) in _ABOVE:
                self.take()
                right = self.expression()
                steps.append(_below(right, left))
            else:
                break
            left = right
        self.bars = bars
        if not steps:
            raise UnreadableError(f"{show(self.peek())} stands where a condition (<, >) is read", self.peek().start)
        return mul(*steps)


def _below(low: Node, high: Node) -> Node:
    """The step at low < high, its kinks linear: what is between two bars lies between two numbers."""
    if low.kind == "fn" and low.value == "abs":
        x = low.args[0]
        return mul(fn("step", add(high, neg(x))), fn("step", add(high, x)))
    if high.kind == "fn" and high.value == "abs":
        return add(num(1), neg(_below(high, low)))
    return fn("step", add(high, neg(low)))
