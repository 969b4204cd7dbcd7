r"""Mathematics as replica papers write it, into a tree.

A small grammar: sums, implicit products, fractions, roots, powers, functions with or without brackets, Gaussian integrals
(``\int Dz``, ``\int \mathcal{D}z\,Dt``, ``\int \frac{dz}{\sqrt{2\pi}} e^{-z^2/2}``), expectations (``\mathbb{E}_z``,
``\langle .. \rangle_z``), finite sums and maxima. What it does not know it refuses, with the position; nothing is guessed.

An integral sign governs the rest of the product that it stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from spinodal.verify.errors import UnreadableError
from spinodal.verify.lexer import Token, tokenize
from spinodal.verify.symbols import ACCENTS, FONTS, join
from spinodal.verify.tree import Bound, Node, add, depth, fn, free_symbols, mul, neg, num, power, sym

MAX_DEPTH = 60
_OPENING = {"(": ")", "[": "]", "{": "}"}

#: Functions by the name of their command or upright word.
FUNCTIONS = {
    "log": "log", "exp": "exp", "tanh": "tanh", "cosh": "cosh", "sinh": "sinh", "coth": "coth", "sech": "sech",
    "sin": "sin", "cos": "cos", "tan": "tan", "arccos": "arccos", "arcsin": "arcsin", "arctan": "arctan", "acos": "arccos",
    "arctanh": "arctanh", "artanh": "arctanh", "atanh": "arctanh", "erf": "erf", "erfc": "erfc", "Erfc": "erfc",
    "Erf": "erf", "sign": "sign", "abs": "abs", "relu": "relu", "ReLU": "relu", "Mills": "mills", "mills": "mills",
    "Theta": "step", "arcosh": "arccosh", "arccosh": "arccosh",
}  # fmt: skip
#: Letters that are functions when an argument in brackets follows.
LETTER_FUNCTIONS = {"H": "tail", "G": "density", "Phi": "normal", "Theta": "step", "theta": "step"}
_INVERSE = {"cos": "arccos", "sin": "arcsin", "tan": "arctan", "tanh": "arctanh"}
_EXTREMA = frozenset(["extr", "Extr", "ext", "extremum", "stat", "max", "min", "sup", "inf"])
_GREEK = frozenset(
    (
        "alpha beta gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi rho varrho sigma varsigma "
        "tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar varpi"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Declared:
    """What the document says about letters: keys that are symbols of their own, and keys that are functions."""

    symbols: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()


@dataclass
class _Frame:
    """An integral being read: the differentials met so far."""

    variables: list[tuple[str, bool, int]] = field(default_factory=list)


class Parser:
    """A recursive-descent parser over tokens."""

    def __init__(self, tokens: Sequence[Token], declared: Declared | None = None) -> None:
        self.tokens = tokens
        self.declared = declared or Declared()
        self.next = 0
        self.level = 0
        self.bars = 0
        self.frames: list[_Frame] = []

    # ---- tokens

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
            what = f"{_show(token)} stands where {text} belongs" if token.kind != "end" else f"{text} is missing"
            raise UnreadableError(what, token.start)
        return self.take()

    # ---- expressions

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
            raise UnreadableError(f"{_show(token)} is not expected here", token.start)
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
        result: Node | None = None
        factors: list[Node] = []
        while True:
            if self.at("mark", "*"):
                if not factors and result is None:
                    raise UnreadableError("a product sign without a left factor", self.peek().start)
                self.take()
                if not self._starts_factor():
                    raise UnreadableError("a factor is missing after the product sign", self.peek().start)
                continue
            if self.at("mark", "/"):
                if not factors:
                    raise UnreadableError("a fraction bar without a numerator", self.peek().start)
                self.take()
                below = self.factor()
                if below is None:
                    raise UnreadableError("a differential cannot be divided by", self.peek().start)
                above = mul(*factors)
                factors = [Node("div", None, (above, below), above.start, below.end)]
                continue
            if self._at_differential():
                self._differential()
                continue
            if not self._starts_factor():
                break
            found = self.factor()
            if found is not None:
                factors.append(found)
        if not factors:
            if self.frames and self.frames[-1].variables:
                here = self.peek().start
                return num(1, here, here)
            token = self.peek()
            what = "the expression ends where something belongs" if token.kind == "end" else f"{_show(token)} is not read"
            raise UnreadableError(what if token.kind == "end" else _advice(token, what), token.start)
        return mul(*factors)

    def _starts_factor(self) -> bool:
        token = self.peek()
        if token.kind == "end":
            return False
        if token.kind == "mark":
            return token.text in "([{" or (token.text == "|" and self.bars == 0)
        if token.kind == "command":
            return token.text not in ("}", "rangle", "over", "pm", "mp", "approx", "rvert", "leq", "geq", "to", "neq")
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
            elif self.at("mark", "_") or self.at("mark", "'"):
                raise UnreadableError(f"{_show(self.peek())} has no meaning here", self.peek().start)
            else:
                return node

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

    def group(self) -> Node:
        """``{ expression }``."""
        self.expect("{")
        bars, self.bars = self.bars, 0
        node = self.expression()
        self.bars = bars
        self.expect("}")
        return node

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
            if token.text in "([":
                return self._bracket(token.text)
            if token.text == "|":
                return self._absolute()
        if token.kind == "command" and token.text in _COMMANDS:
            return _COMMANDS[token.text](self)
        if token.kind in ("command", "word") and token.text in FUNCTIONS and not self._is_declared_symbol():
            return self._function(FUNCTIONS[token.text])
        if token.kind in ("command", "word") and token.text in _EXTREMA:
            return self._extremum()
        if token.kind == "command" and token.text == "mathbb" and "E" in (self.peek(1).text, self.peek(2).text):
            return self._expectation(token.start)
        if self._at_symbol():
            return self._symbol_or_call()
        if token.kind == "prose":
            raise UnreadableError(f"the words {token.text[:40]!r} stand inside the formula", token.start)
        raise UnreadableError(_advice(token, f"{_show(token)} is not read"), token.start)

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
        raise UnreadableError(_advice(token, f"{_show(token)} is not expected inside the bracket"), token.start)

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
        self.bars += 1
        node = self.expression()
        self.bars -= 1
        if not self.at("mark", "|"):
            raise UnreadableError("the bar | is not closed", first.start)
        last = self.take()
        return Node("fn", "abs", (node,), first.start, last.end)

    # ---- symbols

    def _at_symbol(self) -> bool:
        token = self.peek()
        if token.kind == "letter":
            return True
        if token.kind == "word":
            return True
        return token.kind == "command" and (token.text in _GREEK or token.text in ACCENTS or token.text in FONTS)

    def _is_declared_symbol(self) -> bool:
        save = self.next
        try:
            key = self.symbol_key()
        except UnreadableError:
            return False
        finally:
            self.next = save
        return key in self.declared.symbols

    def symbol_key(self) -> str:
        """Read a symbol with its accents, subscript, primes and (if declared) superscript; its canonical key."""
        token = self.take()
        if token.kind == "command" and token.text in ("delta", "Delta") and self._at_symbol():
            save = self.next
            key = f"delta {self.symbol_key()}"
            if key in self.declared.symbols:
                return key
            self.next = save
            return self._decorated(token.text)
        if token.kind == "command" and token.text in ACCENTS | FONTS:
            inner = self._accented()
            return self._decorated(f"{token.text}({inner})" if token.text in ACCENTS else f"{inner}@{_font(token.text)}")
        if token.kind in ("letter", "word") or (token.kind == "command" and token.text in _GREEK):
            return self._decorated(token.text)
        raise UnreadableError(f"{_show(token)} is no symbol", token.start)

    def _accented(self) -> str:
        if self.at("mark", "{"):
            self.take()
            key = self.symbol_key()
            self.expect("}")
            return key
        token = self.peek()
        if token.kind == "command" and token.text in ACCENTS | FONTS:
            self.take()
            inner = self._accented()
            return f"{token.text}({inner})" if token.text in ACCENTS else f"{inner}@{_font(token.text)}"
        if not self._at_symbol():
            raise UnreadableError("an accent without a letter", token.start)
        self.take()
        return token.text

    def _decorated(self, base: str) -> str:
        """Attach subscript, primes and declared superscripts; ``hat(q_d)`` and ``hat(q)_d`` are the same."""
        subscript, primes, superscript = "", "", ""
        for _ in range(3):
            if self.at("mark", "_") and not subscript:
                self.take()
                subscript = self._script()
            elif self.at("mark", "'") and not primes:
                while self.at("mark", "'"):
                    self.take()
                    primes += "'"
            elif self.at("mark", "^") and not superscript:
                save = self.next
                self.take()
                try:
                    text = self._script()
                except UnreadableError:
                    text = ""
                later = ""
                if self.at("mark", "_") and not subscript:
                    after = self.next
                    self.take()
                    try:
                        later = self._script()
                    except UnreadableError:
                        self.next = after
                        later = ""
                key = _normal(join(base, subscript or later, primes + text))
                if text and (key in self.declared.symbols or key in self.declared.functions):
                    superscript, subscript = text, subscript or later
                else:
                    self.next = save
                    break
        return _normal(join(base, subscript, primes + superscript))

    def _script(self) -> str:
        """The text of a subscript or superscript."""
        if not self.at("mark", "{"):
            token = self.take()
            if token.kind == "end":
                raise UnreadableError("a subscript is missing", token.start)
            return token.text[:1] if token.kind == "number" else token.text
        opening = self.take()
        parts: list[str] = []
        level = 0
        while True:
            token = self.take()
            if token.kind == "end":
                raise UnreadableError("a brace that is not closed", opening.start)
            if token.kind == "mark" and token.text == "{":
                level += 1
            elif token.kind == "mark" and token.text == "}":
                if level == 0:
                    return "".join(parts)
                level -= 1
            else:
                parts.append(token.text)

    def _symbol_or_call(self) -> Node:
        start = self.peek().start
        first = self.peek()
        key = self.symbol_key()
        end = self.peek(-1).end
        if key in self.declared.functions and (self.at("mark", "(", "[") or self._power_then_bracket()):
            return self._applied(lambda arguments: Node("call", key, arguments, start, self.peek(-1).end))
        if key in self.declared.symbols:
            return sym(key, start, end)
        if key == "e" and self.at("mark", "^"):
            self.take()
            exponent = self.argument()
            return Node("fn", "exp", (exponent,), start, exponent.end)
        name = _letter_function(key) if first.kind in ("letter", "command") else None
        bracket = self.at("mark", "(", "[") or self.at("command", "{") or self._power_then_bracket()
        if name is not None and bracket:
            return self._applied(lambda arguments: _letter_call(name, key, arguments, start))
        if key == "e":
            raise UnreadableError("e without an exponent", start)
        return sym(key, start, end)

    def _power_then_bracket(self) -> bool:
        """``H^2(x)``: a power between a function's name and its argument."""
        if not self.at("mark", "^"):
            return False
        ahead = 1
        if self.peek(1).text == "{" and self.peek(1).kind == "mark":
            level = 0
            while True:
                token = self.peek(ahead)
                if token.kind == "end":
                    return False
                if token.kind == "mark" and token.text == "{":
                    level += 1
                if token.kind == "mark" and token.text == "}":
                    level -= 1
                    if level == 0:
                        break
                ahead += 1
        following = self.peek(ahead + 1)
        return following.kind == "mark" and following.text in ("(", "[")

    # ---- functions

    def _applied(self, build: object) -> Node:
        """A function whose argument is in brackets, with a power before them."""
        exponent: Node | None = None
        if self.at("mark", "^"):
            caret = self.take()
            exponent = self.argument()
            if exponent.kind == "neg":
                raise UnreadableError("a negative power of a function's name may mean its inverse", caret.start)
        node: Node = build(self._arguments())  # type: ignore[operator]
        return node if exponent is None else power(node, exponent)

    def _arguments(self) -> tuple[Node, ...]:
        if self.at("command", "{"):
            return (self._curly(),)
        opening = self.take()
        bars, self.bars = self.bars, 0
        arguments = [self.expression()]
        while self.at("mark", ",", ";", "|"):
            self.take()
            arguments.append(self.expression())
        self.bars = bars
        self._close(opening.text, opening)
        return tuple(arguments)

    def _function(self, name: str) -> Node:
        token = self.take()
        exponent: Node | None = None
        while self.at("mark", "^", "_", "'"):
            if self.at("mark", "_", "'") or exponent is not None:
                raise UnreadableError(f"{_show(self.peek())} after {token.text} is not read", self.peek().start)
            self.take()
            exponent = self.argument()
        if exponent == neg(num(1)):
            if name not in _INVERSE:
                raise UnreadableError(f"{token.text}^{{-1}} may mean the inverse function or the reciprocal", token.start)
            name, exponent = _INVERSE[name], None
        if self.at("mark", "(", "[") or self.at("command", "{"):
            arguments = self._arguments()
            if len(arguments) != 1:
                raise UnreadableError(f"{token.text} takes one argument", token.start)
            argument = arguments[0]
        elif self.at("mark", "{"):
            argument = self._braced()
        else:
            argument = self._loose_argument(token, name)
        node = Node("fn", name, (argument,), token.start, self.peek(-1).end)
        return node if exponent is None else power(node, exponent)

    def _loose_argument(self, function: Token, name: str) -> Node:
        """The argument of a function without brackets: the factors up to the next function, operator or differential."""
        factors: list[Node] = []
        while self._starts_factor() and not self._at_differential():
            token = self.peek()
            opens = token.kind == "mark" and token.text in ("(", "[")
            if opens and factors:
                break
            callable_ = self._at_function()
            if callable_ and factors and not (name == "log" and all(not free_symbols(f) for f in factors)):
                break
            factors.append(self.factor())
            if callable_:
                break
        if not factors:
            raise UnreadableError(f"the argument of {function.text} is missing", self.peek().start)
        return mul(*factors)

    def _at_function(self) -> bool:
        token = self.peek()
        if token.kind in ("command", "word") and (token.text in FUNCTIONS or token.text in ("int", "sum")):
            return True
        if token.kind == "letter" and token.text in LETTER_FUNCTIONS:
            save = self.next
            key = self.symbol_key()
            bracket = self.at("mark", "(", "[") or self._power_then_bracket()
            self.next = save
            return bracket and key in LETTER_FUNCTIONS
        if self._at_symbol():
            save = self.next
            try:
                key = self.symbol_key()
            except UnreadableError:
                return False
            finally:
                self.next = save
            return key in self.declared.functions
        return False

    # ---- integrals, expectations, sums, extrema

    def _at_differential(self) -> bool:
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
            return following.text in _GREEK or following.text in ACCENTS
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
        self.frames.append(_Frame())
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
        if token.kind != "letter" and not (token.kind == "command" and token.text in _GREEK):
            raise UnreadableError(f"{_show(token)} is no variable", token.start)
        return token.text

    def _averaged(self, keys: list[str], body: Node, start: int) -> Node:
        infinity = Node("const", "inf", (), start, start)
        for key in reversed(keys):
            body = Node("int", Bound(key, True), (body, neg(infinity), infinity), start, max(body.end, start))
        return body

    def _expectation(self, start: int) -> Node:
        r"""``\mathbb{E}_z f(z)``, ``\mathbb{E}_{z,t}[f(z, t)]``."""
        self.take()
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
        if braced:
            self.expect("}")
        if word.text not in _EXTREMA:
            raise UnreadableError(f"{_show(word)} over a subscript is not read", word.start)
        body = self.product()
        return Node("max", (word.text, tuple(keys)), (body,), token.start, body.end)

    # ---- commands with arguments

    def _fraction(self) -> Node:
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


def _letter_function(key: str) -> str | None:
    return LETTER_FUNCTIONS.get(key.split("^")[0]) if set(key.partition("^")[2]) <= {"'"} else None


def _letter_call(name: str, key: str, arguments: tuple[Node, ...], start: int) -> Node:
    if len(arguments) != 1:
        raise UnreadableError(f"{key} takes one argument", start)
    (x,) = arguments
    primes = len(key.partition("^")[2])
    node = Node("fn", name, (x,), start, x.end)
    if primes == 0:
        return node
    density = Node("fn", "density", (x,), start, x.end)
    if name == "tail" and primes == 1:
        return neg(density)
    if (name == "tail" and primes == 2) or (name == "density" and primes == 1):
        return mul(x, density) if name == "tail" else neg(mul(x, density))
    raise UnreadableError(f"the derivative {key} is not read", start)


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


def _font(name: str) -> str:
    return {"mathcal": "cal", "mathscr": "cal", "cal": "cal", "mathfrak": "frak", "mathbb": "bb"}[name]


def _normal(key: str) -> str:
    """``hat(q_d)`` as ``hat(q)_d``."""
    for accent in ACCENTS:
        head = f"{accent}("
        if key.startswith(head) and key.endswith(")") and "_" in key and key.count("(") == 1:
            base, _, subscript = key[len(head) : -1].partition("_")
            return f"{head}{base})_{subscript}"
    return key


def _show(token: Token) -> str:
    return {"command": "\\" + token.text, "end": "the end"}.get(token.kind, token.text[:40])


_REASONS = {
    "partial": "derivatives",
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


def _advice(token: Token, otherwise: str) -> str:
    reason = _REASONS.get(token.text) if token.kind == "command" else None
    if reason is None:
        return otherwise
    return f"{reason} ({_show(token)}) cannot be checked here"


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
}


def parse(text: str, declared: Declared | None = None, start: int = 0) -> Node:
    """Parse an expression.

    Raises:
        UnreadableError: with the reason and the offset.
    """
    node = Parser(tokenize(text, start), declared).whole()
    if depth(node) > 4 * MAX_DEPTH:
        raise UnreadableError(f"nested more than {MAX_DEPTH} levels deep", start)
    return node


__all__ = ["Declared", "Parser", "fn", "parse"]
