"""The value of a formula, in floats or at any precision, from one evaluator.

What the evaluator calculates with is handed in as a context: :data:`FLOATS` (the standard library alone, so that
reading a spec stays fast), ``mpmath.fp`` or ``mpmath.mp``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from spinodal.spec.ast import Arithmetic, Call, Compare, Logic, Name, Negate, Node, Number

# Beyond this argument exp, sin and the like are not worth (or not capable of) evaluation at any precision.
_HUGE = 1e12
_MAX_BITS = 100_000


class UndeterminedError(ArithmeticError):
    """The value is finite, but finding it would take unreasonable precision."""


class _Floats:
    """Doubles with the functions of :mod:`math`, under the names that mpmath's contexts have."""

    mpf = float
    zero, one, pi, inf = 0.0, 1.0, math.pi, math.inf
    exp, log, sqrt = staticmethod(math.exp), staticmethod(math.log), staticmethod(math.sqrt)
    sin, cos, tanh = staticmethod(math.sin), staticmethod(math.cos), staticmethod(math.tanh)
    erf, erfc = staticmethod(math.erf), staticmethod(math.erfc)


FLOATS = _Floats()


def evaluate(node: Node, env: Mapping[str, Any], *, context: Any) -> Any:
    """The value of a formula.

    Args:
        node: the formula's tree.
        env: a number of the context for each name the formula mentions.
        context: ``FLOATS``, ``mpmath.fp`` or ``mpmath.mp``.

    Returns:
        A real number of the context, or a bool for a truth value. ``sign(0)`` is 0, ``step(0)`` is 1/2, ``log(0)`` is
        minus infinity.

    Raises:
        KeyError: a name has no value.
        ValueError: the value is not real, as in ``sqrt(-1)``.
        ArithmeticError: division by zero, or a value too large for the context.
    """
    match node:
        case Number(value=value):
            return _exact(value, context)
        case Name(name=name):
            return +context.pi if name == "pi" and name not in env else env[name]
        case Negate(operand=operand):
            return -evaluate(operand, env, context=context)
        case Arithmetic(operator=operator, left=left, right=right):
            a = evaluate(left, env, context=context)
            b = evaluate(right, env, context=context)
            if operator == "+":
                return a + b
            if operator == "-":
                return a - b
            if operator == "*":
                return a * b
            return a / b if operator == "/" else _power(a, b, context)
        case Call(function=function, arguments=arguments):
            values = [evaluate(argument, env, context=context) for argument in arguments]
            return _call(function, values, context)
        case Compare(operator=operator, left=left, right=right):
            a = evaluate(left, env, context=context)
            b = evaluate(right, env, context=context)
            if operator == "<":
                return bool(a < b)
            if operator == "<=":
                return bool(a <= b)
            return bool(a > b) if operator == ">" else bool(a >= b)
        case Logic(operator=word, operands=operands):
            truths = (evaluate(operand, env, context=context) for operand in operands)
            return all(truths) if word == "and" else any(truths)


def _exact(value: Fraction, context: Any) -> Any:
    if context.mpf is float:
        return float(value)
    return context.mpf(value.numerator) / context.mpf(value.denominator)


def _power(base: Any, exponent: Any, context: Any) -> Any:
    if exponent != exponent:
        return exponent
    if exponent == int(exponent) and abs(exponent) < _HUGE:
        return base ** int(exponent)
    if base < 0:
        raise ValueError("a fractional power of a negative number")
    if base == 0:
        return 1 / base if exponent < 0 else base
    return _exp(exponent * context.log(base), context)


def _exp(x: Any, context: Any) -> Any:
    if x > _HUGE:
        raise OverflowError("exp of a huge number")
    return context.zero if x < -_HUGE else context.exp(x)


def _call(function: str, values: list[Any], context: Any) -> Any:
    x = values[0]
    zero, one = context.zero, context.one
    match function:
        case "sign":
            return (x > 0) * one - (x < 0) * one
        case "abs":
            return abs(x)
        case "relu":
            return x if x > 0 else zero
        case "step":
            return one if x > 0 else zero if x < 0 else one / 2
        case "max":
            return max(values)
        case "min":
            return min(values)
        case "sqrt":
            if x < 0:
                raise ValueError("sqrt of a negative number")
            return context.sqrt(x)
        case "log":
            if x < 0:
                raise ValueError("log of a negative number")
            return context.log(x) if x > 0 else -context.inf
        case "exp":
            return _exp(x, context)
        case "sin" | "cos" if context.mpf is not float and context.mag(x) > _MAX_BITS:
            raise UndeterminedError(f"{function} of a huge number")
        case "sin":
            return context.sin(x)
        case "cos":
            return context.cos(x)
        case "tanh":
            return _saturate(x, context.tanh, context)
        case "erf":
            return _saturate(x, context.erf, context)
        case "erfc":
            return _erfc(x, context)
        case "H":
            return _erfc(x / context.sqrt(2 * one), context) / 2
        case _:
            raise ValueError(f"{function}: unknown function")


def _saturate(x: Any, odd_function: Any, context: Any) -> Any:
    """An odd function that tends to 1: at huge arguments the limit itself, which no precision in use tells apart."""
    if abs(x) > _HUGE:
        return context.one if x > 0 else -context.one
    return odd_function(x)


def _erfc(x: Any, context: Any) -> Any:
    if abs(x) > 1e6:
        return context.zero if x > 0 else 2 * context.one
    return context.erfc(x)
