"""A formula's tree as text, with the fewest parentheses that read back as the same tree."""

from __future__ import annotations

from fractions import Fraction

from spinodal.spec.ast import Arithmetic, Call, Compare, Logic, Name, Negate, Node, Number

# Binding strengths, as in the parser; an atom binds strongest.
_OR, _AND, _COMPARISON, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(1, 9)
_STRENGTH = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "**": _POWER}
_LONGEST_PLAIN = 12


def to_text(node: Node) -> str:
    """The formula as text; parsing it gives the same tree."""
    return _print(node)[0]


def _print(node: Node) -> tuple[str, int]:
    """The text of a node and how strongly its outermost operator binds."""
    match node:
        case Number(value=value):
            return _number(value)
        case Name(name=name):
            return name, _ATOM
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(to_text(argument) for argument in arguments)})", _ATOM
        case Negate(operand=operand):
            return f"-{_within(operand, _POWER)}", _SIGN
        case Arithmetic(operator="**", left=left, right=right):
            return f"{_within(left, _ATOM)}**{_within(right, _SIGN)}", _POWER
        case Arithmetic(operator=operator, left=left, right=right):
            strength = _STRENGTH[operator]
            space = " " if strength == _SUM else ""
            # A sign right after an operator parses, but a*(-b) is easier to read than a*-b.
            right_text = f"({to_text(right)})" if isinstance(right, Negate) else _within(right, strength + 1)
            return f"{_within(left, strength)}{space}{operator}{space}{right_text}", strength
        case Compare(operator=operator, left=left, right=right):
            return f"{_within(left, _SUM)} {operator} {_within(right, _SUM)}", _COMPARISON
        case Logic(operator=word, operands=operands):
            strength = _OR if word == "or" else _AND
            return f" {word} ".join(_within(operand, strength + 1) for operand in operands), strength


def _within(node: Node, weakest: int) -> str:
    text, strength = _print(node)
    return text if strength >= weakest else f"({text})"


def _number(value: Fraction) -> tuple[str, int]:
    """An exact decimal; a fraction that no decimal equals is written as a quotient."""
    if value < 0:
        text, _ = _number(-value)
        return f"-{text}", _SIGN
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}", _PRODUCT
    places = max(twos, fives)
    digits = str(value.numerator * 10**places // value.denominator)
    exponent = -places
    stripped = digits.rstrip("0")
    if stripped:
        exponent += len(digits) - len(stripped)
        digits = stripped
    if exponent >= 0 and len(digits) + exponent <= _LONGEST_PLAIN:
        return digits + "0" * exponent, _ATOM
    if exponent < 0 and -exponent <= _LONGEST_PLAIN:
        padded = digits.rjust(1 - exponent, "0")
        return f"{padded[:exponent]}.{padded[exponent:]}", _ATOM
    return f"{digits}e{exponent}", _ATOM
