"""The functions that papers use, in double precision, and the logarithms of those that leave its range."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

from spinodal.verify.quadrature import ROOT_2PI
from spinodal.verify.tree import Node, add, bound_here, free_symbols, neg, substituted

Array = NDArray[np.float64]


def _mills(x: Array) -> Array:
    return np.asarray(np.exp(-0.5 * x * x - np.log(ROOT_2PI) - special.log_ndtr(-x)))


FUNCTIONS: dict[str, Callable[..., Array]] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "cosh": np.cosh,
    "sinh": np.sinh,
    "coth": lambda x: 1.0 / np.tanh(x),
    "sech": lambda x: np.exp(-LOGARITHMS["cosh"](x)),
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arccos": np.arccos,
    "arcsin": np.arcsin,
    "arctan": np.arctan,
    "arctanh": np.arctanh,
    "arccosh": np.arccosh,
    "erf": special.erf,
    "erfc": special.erfc,
    "sign": np.sign,
    "abs": np.abs,
    "relu": lambda x: np.maximum(x, 0.0),
    "mills": _mills,
    "step": lambda x: np.heaviside(x, 0.5),
    "tail": lambda x: special.ndtr(-x),
    "normal": special.ndtr,
    "density": lambda x: np.exp(-0.5 * x * x) / ROOT_2PI,
    "sqrt": np.sqrt,
    "max": lambda *a: np.maximum.reduce(np.broadcast_arrays(*a)),
    "min": lambda *a: np.minimum.reduce(np.broadcast_arrays(*a)),
}

#: Logarithms of positive functions that under- or overflow.
LOGARITHMS: dict[str, Callable[[Array], Array]] = {
    "exp": lambda x: x,
    "cosh": lambda x: np.logaddexp(x, -x) - np.log(2.0),
    "sech": lambda x: np.log(2.0) - np.logaddexp(x, -x),
    "erfc": lambda x: np.log(2.0) + special.log_ndtr(-np.sqrt(2.0) * x),
    "tail": lambda x: special.log_ndtr(-x),
    "normal": special.log_ndtr,
    "density": lambda x: -0.5 * x * x - np.log(ROOT_2PI),
}

#: Functions that are not smooth where their argument vanishes.
KINKED = frozenset(["step", "sign", "abs", "relu"])


def kinked(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[Node]:
    """The arguments at whose zeros a tree is not smooth, as far as no variable that is bound inside enters them."""
    if node.kind == "let":
        *values, body = node.args
        for key, value in zip(node.value, values, strict=True):
            body = substituted(body, key, value)
            yield from kinked(value, bound)
        yield from kinked(body, bound)
        return
    if node.kind == "fn":
        found: tuple[Node, ...] = ()
        if node.value in KINKED:
            found = node.args[:1]
        elif node.value in ("max", "min"):
            found = tuple(add(a, neg(b)) for k, a in enumerate(node.args) for b in node.args[:k])
        elif node.value == "sqrt" and node.args[0].kind == "pow":  # of a square: |x|
            found = node.args[0].args[:1]
        yield from (argument for argument in found if not bound & free_symbols(argument).keys())
    inside = bound | bound_here(node)
    for inner in node.args:
        yield from kinked(inner, inside)
