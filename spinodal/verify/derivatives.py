"""The derivative of a resolved tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


#: Between jumps steps are constant.
_BETWEEN_JUMPS: dict[str, Callable[[Node], Node]] = {**_SLOPES, "step": lambda _: _ZERO, "sign": lambda _: _ZERO}


def derivative(node: Node, key: str, *, between_jumps: bool = False) -> Node:
    """The derivative of a tree in one of its free symbols.

    Args:
        node: the tree.
        key: the symbol.
        between_jumps: whether the derivative is wanted where steps do not jump, so that it has no peaks there.

    Raises:
        UnreadableError: where it has no derivative that is a tree (steps, extrema, limits that move).
    """
    return _along(node, key, _BETWEEN_JUMPS if between_jumps else _SLOPES)


def _along(node: Node, key: str, slopes: Mapping[str, Callable[[Node], Node]]) -> Node:
    if key not in free_symbols(node):
        return _ZERO
    match node.kind:
        case "sym":
            return _ONE
        case "add":
            return _sum([_along(a, key, slopes) for a in node.args])
        case "neg":
            return _minus(_along(node.args[0], key, slopes))
        case "mul":
            terms = []
            for k, factor in enumerate(node.args):
                rest = node.args[:k] + node.args[k + 1 :]
                terms.append(_product(_along(factor, key, slopes), *rest))
            return _sum(terms)
        case "div":
            above, below = node.args
            slope = _minus(_product(above, _along(below, key, slopes)))
            first, second = _along(above, key, slopes), _over(slope, power(below, _TWO)) if slope != _ZERO else _ZERO
            return _sum([_over(first, below) if first != _ZERO else _ZERO, second])
        case "pow":
            base, exponent = node.args
            along_base = _product(exponent, power(base, add(exponent, num(-1))), _along(base, key, slopes))
            slope = _along(exponent, key, slopes)
            return _sum([along_base, _product(node, fn("log", base), slope) if slope != _ZERO else _ZERO])
        case "fn" if node.value == "log" and node.args[0].kind == "fn" and node.args[0].value == "tail":
            inner = node.args[0].args[0]  # without the quotient of two numbers that no double holds
            return _product(_minus(fn("mills", inner)), _along(inner, key, slopes))
        case "fn" if node.value in slopes and len(node.args) == 1:
            return _product(slopes[str(node.value)](node.args[0]), _along(node.args[0], key, slopes))
        case "fn" if node.value in ("max", "min"):
            return _sum([_product(*_chosen(node, k), _along(a, key, slopes)) for k, a in enumerate(node.args)])
        case "named":
            return _along(node.args[0], key, slopes)
        case "let":
            return _of_let(node, key, slopes)
        case "int" | "sum" if not any(key in free_symbols(a) for a in node.args[1:]):
            # a step inside an integral jumps at some value of its variable wherever one is
            within = _SLOPES if node.kind == "int" else slopes
            return node.with_args((_along(node.args[0], key, within), *node.args[1:]))
    raise UnreadableError(f"no derivative of this in {key} is known", node.start)


def _chosen(node: Node, index: int) -> list[Node]:
    """Factors that are one where an argument of ``max`` or ``min`` is the chosen one, and zero where it is not."""
    sign = neg if node.value == "min" else _same
    own = node.args[index]
    return [fn("step", sign(add(own, neg(other)))) for k, other in enumerate(node.args) if k != index]


def _same(node: Node) -> Node:
    return node


def _of_let(node: Node, key: str, slopes: Mapping[str, Callable[[Node], Node]]) -> Node:
    *values, body = node.args
    terms = [] if key in bound_here(node) else [_along(body, key, slopes)]
    for bound, value in zip(node.value, values, strict=True):
        slope = _along(value, key, slopes)
        if slope != _ZERO:
            fresh = f"{bound} of {key}"  # the value's slope must not meet the bound variables
            inner = node.with_args((*values, _along(body, bound, slopes)))
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
