r"""Mathematics as replica papers write it, into a tree.

A small grammar: sums, implicit products, fractions, roots, powers, functions with or without brackets, Gaussian integrals
(``\int Dz``, ``\int \mathcal{D}z\,Dt``, ``\int \frac{dz}{\sqrt{2\pi}} e^{-z^2/2}``), expectations (``\mathbb{E}_z``,
``\langle .. \rangle_z``), finite sums, extrema and derivatives. What it does not know it refuses, with the position; nothing
is guessed.

An integral sign governs the rest of the product that it stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.cursor import Declared, advice, show
from spinodal.verify.grammar.extrema import EXTREMA
from spinodal.verify.grammar.functions import FUNCTIONS, Functions
from spinodal.verify.grammar.lexer import tokenize
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.tree import Node, add, depth, fn, free_symbols, mul, neg, num, power, sym

MAX_DEPTH = 60
_NO_FACTORS = frozenset("} rangle over pm mp approx rvert leq geq to neq at in sim lt gt".split())


class Parser(Functions):
    """A recursive-descent parser over tokens."""

    def __init__(self, tokens: Sequence[Token], declared: Declared | None = None) -> None:
        super().__init__(tokens, declared)
        self.level = 0

    def whole(self) -> Node:
        """The whole of the tokens as one expression.

        Raises:
            UnreadableError: if it is none, or anything is left over.
        """
        node = self.expression()
        while self.at("mark", ".", ",", ";"):  # punctuation at the end of a sentence
            self.take()
        if not self.at("end"):
            token = self.peek()
            raise UnreadableError(f"{show(token)} is not expected here", token.start)
        return node

    def expression(self) -> Node:
        """A sum."""
        self.level += 1
        if self.level > MAX_DEPTH:
            raise UnreadableError(f"nested more than {MAX_DEPTH} levels deep", self.peek().start)
        start = self.peek().start
        terms: list[Node] = []
        sign = 1
        while self.at("mark", "+", "-"):
            sign = -sign if self.take().text == "-" else sign
        while True:
            term = self.product()
            terms.append(neg(term) if sign < 0 else term)
            if self.at("command", "pm", "mp"):
                raise UnreadableError("a double sign has two meanings", self.peek().start)
            if not self.at("mark", "+", "-"):
                break
            sign = 1
            while self.at("mark", "+", "-"):
                sign = -sign if self.take().text == "-" else sign
        self.level -= 1
        node = add(*terms)
        if self.at("command", "over"):
            self.take()
            below = self.expression()
            return Node("div", None, (node, below), start, below.end)
        return node

    def product(self) -> Node:
        """Factors side by side; an integral takes all that follows."""
        factors: list[Node] = []
        begun = after_sign = False  # something stands to the left; its last token is a product sign
        while True:
            if self.skip_nothing():
                continue
            if self.at("mark", "*"):
                if not begun:
                    raise UnreadableError("a product sign without a left factor", self.peek().start)
                self.take()
                if not self.starts_factor():
                    raise UnreadableError("a factor is missing after the product sign", self.peek().start)
                after_sign = True
                continue
            if self.at("mark", "/"):
                # dz/\sqrt{2\pi}: one over what follows
                of_measure = not factors and bool(self.frames and self.frames[-1].variables)
                if not factors and not of_measure:
                    raise UnreadableError("a fraction bar without a numerator", self.peek().start)
                here = self.peek().start
                above = mul(*factors) if factors else num(1, here, here)
                factors = [self._solidus(above, of_measure)]
                continue
            if self.at_differential():
                self._differential()
                begun = True
                continue
            if not self.starts_factor():
                break
            if self._at_integral_in_braces():
                self.open_group()
                continue
            if self.at_signed_group() and begun and not after_sign:
                self.open_group()
                break
            factors.append(self.seen_factor(beside=begun))
            begun, after_sign = True, False
        if not factors:
            if self.frames and self.frames[-1].variables:
                here = self.peek().start
                return num(1, here, here)
            token = self.peek()
            what = "the expression ends where something belongs" if token.kind == "end" else f"{show(token)} is not read"
            raise UnreadableError(what if token.kind == "end" else advice(token, what), token.start)
        return mul(*factors)

    def _at_integral_in_braces(self) -> bool:
        r"""Whether a group begins here with an integral, ``\underbrace{\int Dz}_{..} f``, which governs what follows."""
        if not (self.at("mark", "{") and self.peek(1).kind == "command" and self.peek(1).text in ("int", "iint", "iiint")):
            return False
        after = self.peek(self._group_width())
        return not self._is_sum_in_braces() and not (after.kind == "mark" and after.text in "^_/")

    def _solidus(self, above: Node, of_measure: bool) -> Node:
        r"""``a/b``; what stands beside b may belong below the bar or not.

        Before an integral, a sum or an average the fraction ends, as it does behind the root that normalises a measure.
        In an exponent such as ``-h^2/2\hat q``, with a square above, all that stands beside b is below, as in physicists'
        Gaussians.
        Anything else is refused.
        """
        bar = self.take()
        if not self.starts_factor() or self.at_differential():
            raise UnreadableError("nothing that can be divided by stands behind the fraction bar", bar.start)
        below = [self.seen_factor(beside=True)]
        while self.starts_factor() and not (self.at_differential() or self._at_binder() or self.at_signed_group()):
            root = below[0].kind == "fn" and below[0].value == "sqrt"
            if root and len(below) == 1 and (of_measure or not free_symbols(below[0])):
                break
            if not (self.exponents and _is_square(above)):
                raise UnreadableError(
                    r"it is not clear what belongs below this fraction bar; write \frac{..}{..} or brackets", bar.start
                )
            below.append(self.seen_factor(beside=True))
        node = mul(*below)
        return Node("div", None, (above, node), above.start, node.end)

    def _at_binder(self) -> bool:
        """Whether an integral, a sum or an average begins here."""
        token = self.peek()
        if token.kind == "command":
            of_set = token.text == "mathbb" and "E" in (self.peek(1).text, self.peek(2).text)
            return of_set or token.text in ("int", "iint", "iiint", "sum", "langle")
        return token.kind == "word" and token.text == "E"

    def starts_factor(self) -> bool:
        """Whether a factor begins here."""
        token = self.peek()
        if token.kind == "end":
            return False
        if token.kind == "mark":
            return token.text in "([{" or (token.text == "|" and self.bars == 0)
        if token.kind == "command":
            return token.text not in _NO_FACTORS
        return token.kind in ("letter", "number", "word", "prose")

    def factor(self) -> Node:
        """An atom with its powers."""
        node = self.atom()
        return self._powers(node)

    def _powers(self, node: Node) -> Node:
        while True:
            if self.at("mark", "^"):
                caret = self.take()
                if self.at("command", "prime", "dagger", "top", "star") or self.at("mark", "*"):
                    raise UnreadableError("a superscript that is no power; declare the symbol in a symbol map", caret.start)
                exponent = self.argument()
                node = power(node, exponent)
            elif self.at("mark", "!"):
                raise UnreadableError("factorials are not read", self.peek().start)
            elif self._at_positive_part(node):
                node = self._positive_part(node)
            elif self.at("mark", "_") and node.kind != "sym":
                reason = (
                    r"a subscript of brackets is not read: what is evaluated at a point is written \left. .. \right|_{x=a}"
                )
                raise UnreadableError(reason, self.peek().start)
            elif self.at("mark", "_") or self.at("mark", "'"):
                raise UnreadableError(f"{show(self.peek())} has no meaning here", self.peek().start)
            else:
                return node

    def _at_positive_part(self, node: Node) -> bool:
        r"""Whether ``_+`` follows brackets or their power: ``(\kappa-h)_+``, ``[\kappa-h]^2_+``."""
        if not self.at("mark", "_") or node.kind in ("sym", "num"):
            return False
        texts = [self.peek(ahead).text for ahead in (1, 2, 3)]
        return texts[0] == "+" or texts == ["{", "+", "}"]

    def _positive_part(self, node: Node) -> Node:
        self.take()
        braced = self.at("mark", "{")
        for _ in range(3 if braced else 1):
            self.take()
        if node.kind == "pow":
            return node.with_args((fn("relu", node.args[0]), node.args[1]))
        return fn("relu", node)

    def argument(self) -> Node:
        r"""What stands after ^, or as an argument of \frac: a group, or a single token."""
        if self.at("mark", "{"):
            return self.group()
        token = self.peek()
        if token.kind == "number" and len(token.text) > 1:
            # TeX takes one digit
            self.tokens = [
                *self.tokens[: self.next],
                Token("number", token.text[0], token.start, token.start + 1),
                Token("number", token.text[1:], token.start + 1, token.end),
                *self.tokens[self.next + 1 :],
            ]
        if self.at("mark", "-", "+"):
            raise UnreadableError("braces are missing around an exponent with a sign", token.start)
        return self.atom()

    def atom(self) -> Node:
        """A number, symbol, group, bracket, function, integral, ..."""
        self.level += 1
        if self.level > MAX_DEPTH:
            raise UnreadableError(f"nested more than {MAX_DEPTH} levels deep", self.peek().start)
        try:
            return self._atom()
        finally:
            self.level -= 1

    def _atom(self) -> Node:
        token = self.peek()
        if token.kind == "number":
            self.take()
            return num(Fraction(token.text), token.start, token.end)
        if token.kind == "mark":
            if token.text == "{":
                return self._braced()
            if token.text == "(" and (composed := self._composed()) is not None:
                return composed
            if token.text in "([":
                return self._bracket(token.text)
            if token.text == "|":
                return self._absolute()
        if token.kind == "command" and token.text in _COMMANDS:
            return _COMMANDS[token.text](self)
        if token.kind in ("command", "word") and token.text in FUNCTIONS and not self._is_declared_symbol():
            return self._function(FUNCTIONS[token.text])
        if token.kind in ("command", "word") and (token.text in EXTREMA or token.text == "arg"):
            return self._extremum()
        if token.kind == "command" and token.text == "mathbb" and "E" in (self.peek(1).text, self.peek(2).text):
            return self._expectation(token.start)
        if token.kind == "command" and token.text == "mathbb" and "P" in (self.peek(1).text, self.peek(2).text):
            return self._probability(token.start)
        if token.kind == "word" and token.text == "E" and self.peek(1).text == "_" and not self._is_declared_symbol():
            return self._expectation(token.start)
        if self._at_symbol():
            return self._symbol_or_call()
        if token.kind == "prose":
            raise UnreadableError(f"the words {token.text[:40]!r} stand inside the formula", token.start)
        raise UnreadableError(advice(token, f"{show(token)} is not read"), token.start)

    def _fraction(self) -> Node:
        if self._at_slope():
            return self._slope_fraction()
        token = self.take()
        above = self._numerator()
        below = self.argument()
        return Node("div", None, (above, below), token.start, max(below.end, self.peek(-1).end))

    def _numerator(self) -> Node:
        return self.argument()

    def _root(self) -> Node:
        token = self.take()
        order: Node | None = None
        if self.at("mark", "["):
            self.take()
            order = self.expression()
            self.expect("]")
        inside = self.argument()
        node = Node("fn", "sqrt", (inside,), token.start, max(inside.end, self.peek(-1).end))
        if order is None:
            return node
        return power(inside, Node("div", None, (num(1, token.start, token.start), order), order.start, order.end))

    def _pi(self) -> Node:
        token = self.peek()
        if "pi" in self.declared.symbols:
            self.take()
            return sym(self._decorated("pi"), token.start, token.end)
        self.take()
        return Node("const", "pi", (), token.start, token.end)

    def _infinity(self) -> Node:
        token = self.take()
        return Node("const", "inf", (), token.start, token.end)


_COMMANDS = {
    "frac": Parser._fraction,
    "sqrt": Parser._root,
    "int": Parser._integral,
    "iint": Parser._integral,
    "iiint": Parser._integral,
    "sum": Parser._sum,
    "langle": Parser._angle,
    "{": Parser._curly,
    "pi": Parser._pi,
    "infty": Parser._infinity,
    "underset": Parser._underset,
    "partial": Parser._partial,
    "evaluated": Parser._evaluated,
    "indicator": Parser._indicator,
}


def _is_square(above: Node) -> bool:
    last = above.args[-1] if above.kind == "mul" else above
    return last.kind == "pow" and last.args[1] == num(2)


def parse(text: str, declared: Declared | None = None, start: int = 0) -> Node:
    """Parse an expression.

    Raises:
        UnreadableError: with the reason and the offset.
    """
    node = Parser(tokenize(text, start), declared).whole()
    if depth(node) > 4 * MAX_DEPTH:
        raise UnreadableError(f"nested more than {MAX_DEPTH} levels deep", start)
    return node


__all__ = ["Declared", "Parser", "parse"]
