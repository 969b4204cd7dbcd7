"""The formula parser: precedence climbing over the words of :mod:`spinodal.spec.tokens`.

Formulas come from files that a user may not have written, so nothing here evaluates Python, and the limits on length,
depth and powers hold for the tree as a whole: what the parser returns is safe to hand to a computer algebra system.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from fractions import Fraction

from spinodal.spec.ast import (
    Arithmetic,
    ArithmeticOperator,
    Call,
    Compare,
    Comparison,
    Logic,
    Name,
    Negate,
    Node,
    Number,
    children,
    names,
    walk,
)
from spinodal.spec.errors import FormulaError, clip, did_you_mean
from spinodal.spec.evaluation import FLOATS, evaluate
from spinodal.spec.tokens import FUNCTIONS, VARIABLES, Token, stray_error, tokenize
from spinodal.spec.types import Formula

MAX_DEPTH = 50
MAX_OPERATORS_IN_A_ROW = 100
MAX_POWER = 64
MAX_DIGITS = 50
MAX_EXPONENT = 300

# Binding strengths, weakest first, as in Python.
_OR, _AND, _COMPARISON, _SUM, _PRODUCT, _SIGN, _POWER = range(1, 8)
_BINARY: dict[str, int] = {
    "or": _OR,
    "and": _AND,
    "<": _COMPARISON,
    "<=": _COMPARISON,
    ">": _COMPARISON,
    ">=": _COMPARISON,
    "+": _SUM,
    "-": _SUM,
    "*": _PRODUCT,
    "/": _PRODUCT,
    "**": _POWER,
}
_COMPARISONS: dict[str, Comparison] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
_ARITHMETIC: dict[str, ArithmeticOperator] = {"+": "+", "-": "-", "*": "*", "/": "/", "**": "**"}

_NO_PYTHON = "a formula is arithmetic and cannot call Python"
_PYTHON_WORDS = frozenset(
    {"import", "lambda", "if", "else", "for", "while", "in", "is", "def", "return", "eval", "exec", "open", "print"}
)


def parse_formula(
    text: str,
    *,
    variables: Collection[str] = (),
    parameters: Collection[str] = (),
    truth: bool | None = False,
    place: str = "",
) -> Formula:
    """Parse a formula.

    Args:
        text: the formula as the user wrote it.
        variables: the names that the formula's place defines, such as ``h`` and ``y`` in a loss.
        parameters: the declared parameters.
        truth: True for a formula that must be a truth value (a constraint), False for one that must be a number,
            None to accept either.
        place: where the formula stands in the spec, such as ``student.features.activation``.

    Raises:
        FormulaError: with the column of the mistake.
    """
    parser = _Parser(tokenize(text), frozenset(variables), frozenset(parameters))
    root = parser.parse()
    _check_constants(root)
    if truth is True and not is_truth(root):
        raise FormulaError("a truth value is needed here, this is a number", 0, "compare it, as in y*h >= 0")
    if truth is False and is_truth(root):
        raise FormulaError("a number is needed here, this is a truth value", 0, "use step(...) for an indicator")
    return Formula(text, root, place)


def is_truth(node: Node) -> bool:
    """Whether the formula is a truth value rather than a number."""
    return isinstance(node, Compare | Logic)


def _check_constants(node: Node) -> None:
    """Refuse constant parts without a finite value, which a computer algebra system may take for ever to look at."""
    if isinstance(node, Call | Arithmetic | Negate) and not names(node):
        try:
            finite = math.isfinite(evaluate(node, {}, context=FLOATS))
        except ArithmeticError:
            finite = False
        except ValueError:  # not real: the checks of meaning say where
            return
        if not finite:
            raise FormulaError("this number is infinite or too large", node.column, "a constant needs a finite value")
        return
    for child in children(node):
        _check_constants(child)


class _Parser:
    def __init__(self, tokens: list[Token], variables: frozenset[str], parameters: frozenset[str]) -> None:
        self._tokens = tokens
        self._next = 0
        self._variables = variables
        self._parameters = parameters
        self._depth = 0

    def parse(self) -> Node:
        if self._tokens[0].kind == "end":
            raise FormulaError("the formula is empty", 0, "write one, such as sign(x)")
        root = self._expression(0)
        token = self._peek()
        if token.kind != "end":
            raise self._unexpected(token)
        if _depth(root) > MAX_OPERATORS_IN_A_ROW:
            raise FormulaError(f"more than {MAX_OPERATORS_IN_A_ROW} operations in a row", 0, "simplify the formula")
        return root

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _expression(self, weakest: int) -> Node:
        """An expression whose operators all bind at least as strongly as ``weakest``."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FormulaError("the formula is nested too deeply", self._peek().column, f"the limit is {MAX_DEPTH} levels")
        start = self._peek().column
        left = self._operand()
        while (strength := _BINARY.get(self._peek().text, 0)) and strength >= weakest:
            operator = self._take()
            if strength == _POWER:
                # The exponent may carry a sign, and ** associates to the right.
                left = self._power(left, self._expression(_SIGN), operator, start)
            elif strength == _COMPARISON:
                left = self._comparison(left, operator, start)
            elif strength in (_AND, _OR):
                left = self._logic(left, operator, strength, start)
            else:
                left = self._arithmetic(left, self._expression(strength + 1), operator, start)
        self._depth -= 1
        return left

    def _operand(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return Number(_literal(token), token.column)
        if token.kind == "name":
            return self._named(token)
        if token.text == "(":
            inner = self._expression(0)
            self._close(token)
            return inner
        if token.text in ("-", "+"):
            operand = self._expression(_SIGN)
            _require_number(operand, f"{token.text} needs a number")
            return operand if token.text == "+" else Negate(operand, token.column)
        raise self._unexpected(token)

    def _close(self, opening: Token) -> None:
        token = self._peek()
        if token.text == ")":
            self._next += 1
        elif token.kind == "end":
            raise FormulaError("this ( is never closed", opening.column, "add the missing )")
        else:
            raise self._unexpected(token)

    def _named(self, token: Token) -> Node:
        name = token.text
        called = self._peek().text == "("
        known = name == "pi" or name in self._variables or name in self._parameters
        if called and name in FUNCTIONS:
            return self._call(token)
        if name in ("and", "or"):
            raise self._unexpected(token)
        if known and called:
            raise FormulaError(f"{name} is not a function", token.column, f"write {name}*( for a product")
        if known:
            return Name(name, token.column)
        if name in FUNCTIONS:
            raise FormulaError(f"{name} is a function and needs its argument", token.column, f"write {name}(...)")
        if name == "not":
            raise FormulaError("not cannot be used", token.column, "turn the comparison round instead: < for not >=")
        if name in _PYTHON_WORDS or name.startswith("__"):
            raise FormulaError(f"{clip(name)} has no place in a formula", token.column, _NO_PYTHON)
        if called:
            cure = did_you_mean(name, FUNCTIONS) or f"formulas know {', '.join(FUNCTIONS)} and cannot call Python"
            raise FormulaError(f"{clip(name)}: unknown function", token.column, cure)
        raise self._unknown_name(token)

    def _unknown_name(self, token: Token) -> FormulaError:
        if token.text in VARIABLES:
            own = ", ".join(sorted(self._variables)) or "none"
            return FormulaError(f"{token.text} is no variable of this formula", token.column, f"its variables: {own}")
        candidates = [*sorted(self._variables), *sorted(self._parameters), "pi"]
        cure = did_you_mean(token.text, self._parameters) or did_you_mean(token.text, candidates)
        if cure is None:
            cure = "declare it under [parameters]"
        return FormulaError(f"{clip(token.text)}: unknown parameter", token.column, cure)

    def _call(self, name: Token) -> Node:
        opening = self._take()
        arguments: list[Node] = []
        if self._peek().text != ")":
            arguments.append(self._expression(0))
            while self._peek().text == ",":
                self._next += 1
                arguments.append(self._expression(0))
        self._close(opening)
        fewest, most = FUNCTIONS[name.text]
        if len(arguments) < fewest or (most is not None and len(arguments) > most):
            wanted = "one argument" if most == 1 else f"{fewest} or more arguments"
            raise FormulaError(f"{name.text} takes {wanted}, not {len(arguments)}", name.column)
        for argument in arguments:
            _require_number(argument, f"{name.text} needs a number")
        return Call(name.text, tuple(arguments), name.column)

    def _arithmetic(self, left: Node, right: Node, operator: Token, start: int) -> Node:
        for operand in (left, right):
            _require_number(operand, f"{operator.text} needs numbers on both sides")
        if operator.text == "/" and _constant(right) == 0:
            raise FormulaError("division by zero", operator.column)
        return Arithmetic(_ARITHMETIC[operator.text], left, right, start)

    def _power(self, base: Node, exponent: Node, operator: Token, start: int) -> Node:
        for operand in (base, exponent):
            _require_number(operand, "** needs numbers on both sides")
        if any(isinstance(part, Arithmetic) and part.operator == "**" for part in walk(exponent)):
            raise FormulaError("a tower of powers", operator.column, "an exponent may not hold a power itself")
        size = _constant(exponent)
        if size is not None and abs(size) > MAX_POWER:
            raise FormulaError("the exponent is too large", exponent.column, f"the limit is {MAX_POWER}")
        node = Arithmetic("**", base, exponent, start)
        if _degree(node) > MAX_POWER:
            raise FormulaError(
                "a power of a power is too large", operator.column, f"the exponents may multiply to {MAX_POWER}"
            )
        value = _constant(base)
        if value is not None and size is not None:
            if value == 0 and size < 0:
                raise FormulaError("division by zero", operator.column)
            if value != 0 and abs(size * Fraction(_log10(value))) > MAX_EXPONENT:
                raise FormulaError("the number is too large or too small", operator.column, _literal_limits())
        return node

    def _comparison(self, first: Node, operator: Token, start: int) -> Node:
        """``a < b``, or a chain ``a < b < c``, which means ``a < b and b < c``."""
        links: list[Node] = []
        left = first
        while True:
            right = self._expression(_COMPARISON + 1)
            for operand in (left, right):
                _require_number(operand, f"{operator.text} needs numbers on both sides")
            links.append(Compare(_COMPARISONS[operator.text], left, right, left.column if links else start))
            if self._peek().text not in _COMPARISONS:
                break
            operator = self._take()
            left = right
        return links[0] if len(links) == 1 else Logic("and", tuple(links), start)

    def _logic(self, first: Node, operator: Token, strength: int, start: int) -> Node:
        operands = [first]
        while True:
            operands.append(self._expression(strength + 1))
            if self._peek().text != operator.text:
                break
            self._next += 1
        for operand in operands:
            if not is_truth(operand):
                raise FormulaError(
                    f"{operator.text} joins truth values, this is a number", operand.column, "compare it with another"
                )
        return Logic("and" if operator.text == "and" else "or", tuple(operands), start)

    def _unexpected(self, token: Token) -> FormulaError:
        if token.kind == "stray":
            return stray_error(token)
        before = self._tokens[self._tokens.index(token) - 1] if token is not self._tokens[0] else None
        if token.kind == "end":
            shown = before.text if before is not None else ""
            return FormulaError(f"the formula breaks off after {clip(shown)}", token.column, "finish it")
        if token.text == ")":
            if before is not None and (before.text in _BINARY or before.text in ("(", ",")):
                return FormulaError(f"a number is missing after {before.text}", token.column)
            return FormulaError("this ) closes nothing", token.column, "remove it or add the missing (")
        if token.text == ",":
            return FormulaError("this comma stands outside a function's arguments", token.column, "decimals take a point")
        if token.text in _BINARY:
            return FormulaError(f"a number is missing before {token.text}", token.column)
        return FormulaError(f"no operator before {clip(token.text)}", token.column, "write * for a product")


def _require_number(node: Node, message: str) -> None:
    if is_truth(node):
        raise FormulaError(f"{message}, this is a truth value", node.column, "use step(...) for an indicator")


def _literal(token: Token) -> Fraction:
    mantissa, _, exponent = token.text.lower().partition("e")
    digits = sum(character.isdigit() for character in mantissa)
    # The exponent is looked at as text first: a Fraction of 1e999999999 would not fit into memory.
    if digits > MAX_DIGITS or len(exponent.lstrip("+-0")) > 3:
        raise FormulaError("the number is too long or too large", token.column, _literal_limits())
    value = Fraction(token.text)
    if value != 0 and not Fraction(1, 10**MAX_EXPONENT) <= value <= 10**MAX_EXPONENT:
        raise FormulaError("the number is too large or too small", token.column, _literal_limits())
    return value


def _literal_limits() -> str:
    return f"numbers have at most {MAX_DIGITS} digits and lie between 1e-{MAX_EXPONENT} and 1e{MAX_EXPONENT}"


def _constant(node: Node) -> Fraction | None:
    """The exact value of a formula without names, functions and powers; None for any other."""
    match node:
        case Number(value=value):
            return value
        case Negate(operand=operand):
            value_or_none = _constant(operand)
            return None if value_or_none is None else -value_or_none
        case Arithmetic(operator=operator, left=left, right=right) if operator != "**":
            a, b = _constant(left), _constant(right)
            if a is None or b is None:
                return None
            if operator == "/":
                return a / b if b else None
            return a + b if operator == "+" else a - b if operator == "-" else a * b
        case _:
            return None


def _log10(value: Fraction) -> float:
    return math.log10(abs(value.numerator)) - math.log10(value.denominator)


def _degree(node: Node) -> int:
    """A bound on the exponent that multiplying out the powers of a formula can reach; 0 without powers."""
    match node:
        case Arithmetic(operator="**", left=left, right=right):
            size = _constant(right)
            times = 1 if size is None else max(1, -(-abs(size.numerator) // size.denominator))
            return times * max(1, _degree(left))
        case Arithmetic(operator="*" | "/", left=left, right=right):
            return _degree(left) + _degree(right)
        case Call() | Number() | Name():
            return 0
        case _:
            return max(_degree(child) for child in children(node))


def _depth(node: Node) -> int:
    """The height of the tree, found without recursion since long sums are deep trees."""
    height, level = 0, [node]
    while level:
        height += 1
        level = [child for parent in level for child in children(parent)]
    return height
