"""Functions, with and without brackets, and letters that are functions when a bracket follows."""

from __future__ import annotations

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.binders import Binders
from spinodal.verify.grammar.cursor import show
from spinodal.verify.grammar.slopes import primed
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.symbols import default_name, plain
from spinodal.verify.tree import Node, fn, free_symbols, mul, neg, num, number_of, power, sym, walk

#: Functions by the name of their command or upright word.
FUNCTIONS = {
    "log": "log", "exp": "exp", "tanh": "tanh", "cosh": "cosh", "sinh": "sinh", "coth": "coth", "sech": "sech",
    "sin": "sin", "cos": "cos", "tan": "tan", "arccos": "arccos", "arcsin": "arcsin", "arctan": "arctan", "acos": "arccos",
    "arctanh": "arctanh", "artanh": "arctanh", "atanh": "arctanh", "erf": "erf", "erfc": "erfc", "Erfc": "erfc",
    "Erf": "erf", "sign": "sign", "abs": "abs", "relu": "relu", "ReLU": "relu", "Mills": "mills", "mills": "mills",
    "Theta": "step", "arcosh": "arccosh", "arccosh": "arccosh", "sgn": "sign", "th": "tanh", "ch": "cosh", "sh": "sinh",
    "cth": "coth", "tg": "tan", "arctg": "arctan", "erfcx": "erfcx",
}  # fmt: skip

#: Letters that are functions when an argument in brackets follows.
LETTER_FUNCTIONS = {"H": "tail", "G": "density", "Phi": "normal", "Theta": "step", "theta": "step"}

_INVERSE = {"cos": "arccos", "sin": "arcsin", "tan": "arctan", "tanh": "arctanh"}

_REMAINDERS = frozenset(["O", "o", "O@cal", "o@cal"])


class Functions(Binders):
    """Reads functions and symbols."""

    def _symbol_or_call(self) -> Node:
        start = self.peek().start
        first = self.peek()
        key = self.symbol_key()
        end = self.peek(-1).end
        opens = self.at("mark", "(", "[") or self.at("command", "{")
        if key in self.declared.functions and (opens or self._power_then_bracket()):
            return self._applied(lambda arguments: Node("call", key, arguments, start, self.peek(-1).end))
        base, _, primes = key.partition("^")
        if primes and set(primes) == {"'"} and base in self.declared.functions and (opens or self._power_then_bracket()):
            return self._applied(lambda arguments: primed(key, base, len(primes), arguments, start))
        if key in self.declared.symbols:
            if opens and self._is_written_with_arguments(key):
                self._skip_letters(key, start)
                return sym(key, start, end)
            self._refuse_value(key, start)
            return sym(key, start, end)
        if key in self.declared.potentials and self.at("mark", "(", "["):
            self._skip_letters(key, start)
            return sym(key, start, end)
        if key == "e" and self.at("mark", "^"):
            self.take()
            self.exponents += 1
            exponent = self.argument()
            self.exponents -= 1
            return Node("fn", "exp", (exponent,), start, exponent.end)
        name = _letter_function(key) if first.kind in ("letter", "command") else None
        bracket = self.at("mark", "(", "[") or self.at("command", "{") or self._power_then_bracket()
        if name is not None and bracket:
            return self._applied(lambda arguments: _letter_call(name, key, arguments, start))
        if key in _REMAINDERS and bracket:
            raise UnreadableError("a remainder leaves something out: write the leading term alone", start)
        if key == "N@cal" and opens:
            return self._normal_density(start)
        if key == "Q" and opens:
            raise UnreadableError(
                "Q before a bracket may be a function or a factor: define Q in the document, or write Q \\cdot", start
            )
        self._refuse_value(key, start)
        return sym(key, start, end)

    def _refuse_value(self, key: str, start: int) -> None:
        """Refuse a number alone in brackets after a letter: nobody multiplies by one, it is where the letter is taken."""
        if not self.at("mark", "(", "["):
            return
        save = self.next
        try:
            inside = self._bracket(self.peek().text)
        except UnreadableError:
            return
        finally:
            self.next = save
        if not free_symbols(inside) and not any(node.kind in ("fn", "int", "sum") for node in walk(inside)):
            shown = f"{plain(key)} before a number in brackets"
            raise UnreadableError(f"{shown} is a value that nothing here says; write \\cdot for a product", start)

    def _composed(self) -> Node | None:
        r"""``(\log H)''(x)``: a derivative of the logarithm of a function; None where no such thing begins."""
        save, first = self.next, self.take()
        if self.at("command", "log"):
            self.take()
            key = self._function_key()
            if key and self.at("mark", ")"):
                self.take()
                primes = 0
                while self.at("mark", "'"):
                    primes += 1
                    self.take()
                if primes and self.at("mark", "(", "["):
                    return self._slope_of_log(key, primes, first.start)
        self.next = save
        return None

    def _function_key(self) -> str:
        """The key of the function whose name stands here; empty if none does."""
        try:
            key = self.symbol_key() if self._at_symbol() else ""
        except UnreadableError:
            return ""
        return key if key in self.declared.functions or key in LETTER_FUNCTIONS else ""

    def _slope_of_log(self, key: str, primes: int, start: int) -> Node:
        arguments = self._arguments()
        if len(arguments) != 1:
            raise UnreadableError("a derivative of a function of several arguments", start)
        variable = f"argument of log {key}"
        inner = sym(variable, start, start)
        name = LETTER_FUNCTIONS.get(key) if key not in self.declared.functions else None
        body = Node("call", key, (inner,), start, start) if name is None else Node("fn", name, (inner,), start, start)
        slope = Node("diff", (variable, primes), (Node("fn", "log", (body,), start, start),), start, start)
        return Node("let", (variable,), (*arguments, slope), start, self.peek(-1).end)

    def _is_written_with_arguments(self, key: str) -> bool:
        r"""Whether a list of letters of the model follows, ``\mathcal{G}_0(q, \hat q)``: nobody multiplies by one.

        A lone letter is an argument after a calligraphic one.
        """
        save = self.next
        opening = self.take()
        keys = []
        try:
            keys.append(self.symbol_key())
            while self.at("mark", ",", ";"):
                self.take()
                keys.append(self.symbol_key())
        except UnreadableError:
            keys = []
        closed = opening.text in "([" and self.at("mark", ")" if opening.text == "(" else "]")
        self.next = save
        return closed and (len(keys) > 1 or (len(keys) == 1 and "@cal" in key))

    def _skip_letters(self, function: str, start: int) -> None:
        r"""Take the arguments of ``\phi(q, \hat q)``: letters of the model alone, else something else is meant."""
        opening = self.take()
        keys = [self.symbol_key()] if self._at_symbol() else []
        while keys and self.at("mark", ",", ";"):
            self.take()
            keys.append(self.symbol_key())
        known = [key in self.declared.symbols or default_name(key, self.declared.names) is not None for key in keys]
        if not keys or not all(known) or not self.at("mark", ")", "]"):
            reason = f"{function} before a bracket may be a function or a factor: define it in the document"
            raise UnreadableError(reason, start)
        self._close(opening.text, opening)

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

    def _function(self, name: str) -> Node:
        token = self.take()
        exponent: Node | None = None
        self.skip_nothing()
        while self.at("mark", "^", "_", "'"):
            if self.at("mark", "_", "'") or exponent is not None:
                raise UnreadableError(f"{show(self.peek())} after {token.text} is not read", self.peek().start)
            self.take()
            exponent = self.argument()
            self.skip_nothing()
        self.exponents += name == "exp"
        node = self._of_argument(token, name, exponent)
        self.exponents -= name == "exp"
        return node

    def _of_argument(self, token: Token, name: str, exponent: Node | None) -> Node:
        """A function whose name and power are read."""
        if exponent == neg(num(1)):
            if name not in _INVERSE:
                raise UnreadableError(f"{token.text}^{{-1}} may mean the inverse function or the reciprocal", token.start)
            name, exponent = _INVERSE[name], None
        if self.at("mark", "(", "[") or self.at("command", "{"):
            arguments = self._arguments()
            if len(arguments) != 1:
                raise UnreadableError(f"{token.text} takes one argument", token.start)
            argument = arguments[0]
            if name == "log" and _is_fraction(argument) and (self.at("mark", "(", "[") or self._at_function()):
                raise UnreadableError(
                    f"it is not clear whether the argument of {token.text} ends with this number; bracket all of it",
                    argument.start,
                )
        elif self.at("mark", "{"):
            argument = self._braced()
        else:
            argument = self._loose_argument(token, name)
            if self.at("mark", "/"):
                raise UnreadableError(
                    f"it is not clear whether the argument of {token.text} ends before this fraction bar; bracket it",
                    self.peek().start,
                )
        node = Node("fn", name, (argument,), token.start, self.peek(-1).end)
        if name == "erfcx":
            node = mul(Node("fn", "exp", (power(argument, num(2)),), node.start, node.end), fn("erfc", argument))
        return node if exponent is None else power(node, exponent)

    def _loose_argument(self, function: Token, name: str) -> Node:
        """The argument of a function without brackets: the factors up to the next function, operator or differential."""
        factors: list[Node] = []
        while self.starts_factor() and not self.at_differential():
            token = self.peek()
            opens = token.kind == "mark" and token.text in ("(", "[")
            if factors and self.at_signed_group():
                break
            if opens and factors:
                if all(not free_symbols(f) for f in factors):
                    factors += self._bracket_after_number(function, name, mul(*factors))
                break
            callable_ = self._at_function()
            if callable_ and factors and not (name == "log" and all(not free_symbols(f) for f in factors)):
                break
            factors.append(self.seen_factor(beside=bool(factors)))
            if callable_:
                break
        if not factors:
            raise UnreadableError(f"the argument of {function.text} is missing", self.peek().start)
        return mul(*factors)

    def _bracket_after_number(self, function: Token, name: str, number: Node) -> list[Node]:
        r"""The bracket of ``\log\frac12[1+x]``, ``\tanh 2(x+y)``, if the argument goes on with it; else nothing.

        Nobody writes the logarithm of a half, or a hyperbolic tangent of 2, as a factor; ``\log 2(1-q)`` may mean both.
        """
        save = self.next
        token = self.peek()
        bracket = self.factor()
        if name == "log" and not _is_fraction(number):
            if free_symbols(bracket):
                shown = function.text
                raise UnreadableError(
                    f"it is not clear whether the argument of {shown} ends before this bracket; write "
                    rf"(\{shown} ..)(..) or \{shown}(..(..))",
                    token.start,
                )
            self.next = save
            return []
        if self.at("mark", "(", "["):
            raise UnreadableError(
                f"it is not clear where the argument of {function.text} ends; bracket it", self.peek().start
            )
        return [bracket]

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


def _is_fraction(node: Node) -> bool:
    r"""Whether a node is a positive number below 1 (``\frac12``, ``2^{-1}``), whose logarithm nobody writes as a factor."""
    if node.kind == "pow":
        base, exponent = (number_of(a) for a in node.args)
        return base is not None and exponent is not None and base > 1 and exponent < 0
    if node.kind == "div":
        above, below = (number_of(a) for a in node.args)
        return above is not None and below is not None and 0 < above < below
    value = number_of(node)
    return value is not None and 0 < value < 1


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
