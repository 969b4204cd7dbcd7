"""The derivative of a resolved tree."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from spinodal.verify.errors import UnreadableError
from spinodal.verify.tree import Node, add, bound_here, fn, free_symbols, mul, neg, num, power, sym

_ZERO, _ONE, _TWO = num(0), num(1), num(2)
_PI = Node("const", "pi")


def _over(above: Node, below: Node) -> Node:
    return Node("div", None, (above, below), above.start, below.end)


def _reciprocal_root(sign: int) -> Callable[[Node], Node]:
    def slope(x: Node) -> Node:
        found = _over(_ONE, fn("sqrt", add(_ONE, neg(power(x, _TWO)))))
        return found if sign > 0 else neg(found)

    return slope


_SLOPES: dict[str, Callable[[Node], Node]] = {
    "exp": lambda x: fn("exp", x),
    "log": lambda x: _over(_ONE, x),
    "tanh": lambda x: power(fn("sech", x), _TWO),
    "cosh": lambda x: fn("sinh", x),
    "sinh": lambda x: fn("cosh", x),
    "coth": lambda x: neg(power(fn("sinh", x), num(-2))),
    "sech": lambda x: neg(mul(fn("sech", x), fn("tanh", x))),
    "sin": lambda x: fn("cos", x),
    "cos": lambda x: neg(fn("sin", x)),
    "tan": lambda x: power(fn("cos", x), num(-2)),
    "arccos": _reciprocal_root(-1),
    "arcsin": _reciprocal_root(1),
    "arctan": lambda x: _over(_ONE, add(_ONE, power(x, _TWO))),
    "arctanh": lambda x: _over(_ONE, add(_ONE, neg(power(x, _TWO)))),
    "arccosh": lambda x: _over(_ONE, fn("sqrt", add(power(x, _TWO), num(-1)))),
    "erf": lambda x: mul(_over(_TWO, fn("sqrt", _PI)), fn("exp", neg(power(x, _TWO)))),
    "erfc": lambda x: neg(mul(_over(_TWO, fn("sqrt", _PI)), fn("exp", neg(power(x, _TWO))))),
    "abs": lambda x: fn("sign", x),
    "relu": lambda x: fn("step", x),
    "mills": lambda x: mul(fn("mills", x), add(fn("mills", x), neg(x))),
    "tail": lambda x: neg(fn("density", x)),
    "normal": lambda x: fn("density", x),
    "density": lambda x: neg(mul(x, fn("density", x))),
    "sqrt": lambda x: _over(num(Fraction(1, 2)), fn("sqrt", x)),
}


def derivative(node: Node, key: str) -> Node:
    """The derivative of a tree in one of its free symbols.

    Raises:
        UnreadableError: where it has no derivative that is a tree (steps, extrema, limits that move).
    """
    if key not in free_symbols(node):
        return _ZERO
    match node.kind:
        case "sym":
            return _ONE
        case "add":
            return _sum([derivative(a, key) for a in node.args])
        case "neg":
            return _minus(derivative(node.args[0], key))
        case "mul":
            terms = []
            for k, factor in enumerate(node.args):
                rest = node.args[:k] + node.args[k + 1 :]
                terms.append(_product(derivative(factor, key), *rest))
            return _sum(terms)
        case "div":
            above, below = node.args
            slope = _minus(_product(above, derivative(below, key)))
            first, second = derivative(above, key), _over(slope, power(below, _TWO)) if slope != _ZERO else _ZERO
            return _sum([_over(first, below) if first != _ZERO else _ZERO, second])
        case "pow":
            base, exponent = node.args
            along_base = _product(exponent, power(base, add(exponent, num(-1))), derivative(base, key))
            slope = derivative(exponent, key)
            return _sum([along_base, _product(node, fn("log", base), slope) if slope != _ZERO else _ZERO])
        case "fn" if node.value == "log" and node.args[0].kind == "fn" and node.args[0].value == "tail":
            inner = node.args[0].args[0]  # without the quotient of two numbers that no double holds
            return _product(_minus(fn("mills", inner)), derivative(inner, key))
        case "fn" if node.value in _SLOPES and len(node.args) == 1:
            return _product(_SLOPES[str(node.value)](node.args[0]), derivative(node.args[0], key))
        case "named":
            return derivative(node.args[0], key)
        case "let":
            return _of_let(node, key)
        case "int" | "sum" if not any(key in free_symbols(a) for a in node.args[1:]):
            return node.with_args((derivative(node.args[0], key), *node.args[1:]))
    raise UnreadableError(f"no derivative of this in {key} is known", node.start)


def _of_let(node: Node, key: str) -> Node:
    *values, body = node.args
    terms = [] if key in bound_here(node) else [derivative(body, key)]
    for bound, value in zip(node.value, values, strict=True):
        slope = derivative(value, key)
        if slope != _ZERO:
            fresh = f"{bound} of {key}"  # the value's slope must not meet the bound variables
            inner = node.with_args((*values, derivative(body, bound)))
            terms.append(Node("let", (fresh,), (slope, _product(sym(fresh), inner))))
    return _sum([node.with_args((*values, t)) if t.kind != "let" and t != _ZERO else t for t in terms])


def _sum(terms: list[Node]) -> Node:
    kept = [t for t in terms if t != _ZERO]
    return add(*kept) if kept else _ZERO


def _minus(node: Node) -> Node:
    return _ZERO if node == _ZERO else neg(node)


def _product(*factors: Node) -> Node:
    if any(f == _ZERO for f in factors):
        return _ZERO
    kept = [f for f in factors if f != _ONE]
    return mul(*kept) if kept else _ONE
