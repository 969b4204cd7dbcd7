"""Whether a claimed equation follows from the derivation by exact rearrangement, without numbers.

The document's tree is written in the derivation's own nodes; both are brought to a normal form, where the same is equal. It
is tried for what is compared at random states: an order parameter's own equation, the free entropy, observables. What is
not proved within a second or so is left to the numbers, which decide in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import sympy as sp
from sympy.polys.polyerrors import BasePolynomialError

from spinodal.spec.names import BLOCK_SIZE
from spinodal.symbolic.averages import Average, Measure
from spinodal.symbolic.channel import Covariance, Ratio, Root, Unexplained
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.functions import Density, Tail
from spinodal.verify.compare import Sides, Target
from spinodal.verify.normal_form import BeyondError, NormalForm, points_of
from spinodal.verify.reference import PARTS, Points, Reference
from spinodal.verify.tree import Node, integral_depth, walk

#: Computing time that a proof may take.
_SECONDS = 2.0

_FUNCTIONS: Mapping[str, Callable[..., sp.Expr]] = {
    "exp": sp.exp,
    "log": sp.log,
    "tanh": sp.tanh,
    "cosh": sp.cosh,
    "sinh": sp.sinh,
    "coth": lambda x: sp.cosh(x) / sp.sinh(x),
    "sech": lambda x: 1 / sp.cosh(x),
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": lambda x: sp.sin(x) / sp.cos(x),
    "arccos": sp.acos,
    "arcsin": sp.asin,
    "arctan": sp.atan,
    "arctanh": sp.atanh,
    "erf": sp.erf,
    "erfc": sp.erfc,
    "sign": sp.sign,
    "abs": sp.Abs,
    "relu": lambda x: sp.Max(0, x),
    "mills": lambda x: Density(x) / Tail(x),
    "step": lambda x: sp.Heaviside(x, sp.Rational(1, 2)),
    "tail": Tail,
    "normal": lambda x: Tail(-x),
    "density": Density,
    "sqrt": sp.sqrt,
    "max": sp.Max,
    "min": sp.Min,
}


def is_proved(target: Target, sides: Sides, at: Points) -> bool:
    """Whether the equation is the derivation's, by exact rearrangement. False says nothing.

    Args:
        target: what is claimed.
        sides: both sides of the claim.
        at: points where it should hold; they tell the signs of what stands under roots.
    """
    if any(integral_depth(s) > 1 or any(n.kind == "max" for n in walk(s)) for s in (sides.left, sides.right)):
        return False
    return any(_attempt(target, sides, at, constants) for constants in (False, True))


def _attempt(target: Target, sides: Sides, at: Points, constants: bool) -> bool:
    try:
        return _Dictionary(target, at, constants).proves(sides)
    except (BeyondError, BasePolynomialError, NotImplementedError, RecursionError):
        return False


class _Dictionary:
    """The derivation's expressions for a model's names.

    Args:
        target: what is claimed.
        at: points of the domain.
        constants: whether definitions without order parameters (an activation's moments) are written out, too.
    """

    def __init__(self, target: Target, at: Points, constants: bool) -> None:
        self.target = target
        self.stated = target.reference.formulation
        names = target.reference.names(at)
        self.numbers = {symbol(k): sp.Rational(Fraction(repr(float(v)))) for k, v in target.reference.fixed.items()}
        pairs = [(symbol(k), v) for k, v in self.stated.fixed.items()]
        pairs += [(d.symbol, d.expression) for d in self.stated.definitions]
        self.marks = {str(mark).lstrip("_"): mark for mark, _ in pairs}
        moving = {symbol(name) for name in target.reference.order_parameters}
        self.table: dict[sp.Symbol, sp.Expr] = {}
        for mark, expression in pairs:
            written = sp.sympify(expression).xreplace(self.table)
            if _is_algebraic(written) and (constants or written.free_symbols & moving or written.is_Rational):
                self.table[mark] = written  # else it stays a letter, here and in the document
        known = [*moving, *(symbol(n) for n in target.reference.parameters)]
        self.form = NormalForm(points_of(names, [*known, *self.marks.values()]), _SECONDS)

    def proves(self, sides: Sides) -> bool:
        difference = self._form(_written(sides.left, {}, self.meaning) - _written(sides.right, {}, self.meaning))
        if not self.target.is_equation:
            return bool(difference == 0)
        row = self.target.reference.order_parameters.index(self.target.quantity)
        left, right = self.stated.textbook[row]
        own = self._form(left - right)
        if difference == 0 or own == 0:
            return False
        # a multiple of the equation, by a factor that is finite at the points
        _, below = sp.fraction(self.form(difference / own))
        return self.form.sign(sp.expand(below)) is not None

    def _form(self, expression: sp.Expr) -> sp.Expr:
        return self.form(expression.xreplace(self.table).xreplace(self.numbers))

    def meaning(self, name: str) -> sp.Expr:
        """What a model name stands for."""
        reference: Reference = self.target.reference
        if name in (*reference.order_parameters, *reference.parameters):
            return symbol(name)
        if name in self.marks:
            return self.marks[name]
        if name == "free_entropy":
            return self.stated.free_entropy
        if name in PARTS:
            return self.stated.parts[name.removeprefix("free_entropy_")]
        if name in self.stated.observables:
            return self.stated.observables[name]
        if name == BLOCK_SIZE.get(reference.model.ansatz):
            return symbol("copies")
        if f"{name}_sq" in self.marks:
            return sp.sqrt(self.marks[f"{name}_sq"])
        raise BeyondError(f"{name} has no expression")


def _is_algebraic(expression: sp.Expr) -> bool:
    kinds = (sp.Symbol, sp.Rational, sp.Add, sp.Mul, sp.Pow, Root, Ratio, Unexplained, Covariance)
    return all(isinstance(node, kinds) or node == sp.pi for node in sp.preorder_traversal(expression))


def _written(node: Node, scope: Mapping[str, sp.Expr], meaning: Callable[[str], sp.Expr]) -> sp.Expr:
    """A resolved tree in the derivation's nodes.

    Args:
        node: the tree.
        scope: what bound variables stand for.
        meaning: what model names stand for.
    """
    match node.kind:
        case "num":
            return sp.Rational(node.value.numerator, node.value.denominator)
        case "const":
            return sp.pi if node.value == "pi" else sp.oo
        case "sym":
            key = str(node.value)
            return meaning(key[1:]) if key.startswith("@") else scope[key]
        case "int":
            return _integral(node, scope, meaning)
        case "sum":
            terms = ({**scope, node.value: _written(value, scope, meaning)} for value in node.args[1:])
            return sp.Add(*(_written(node.args[0], inner, meaning) for inner in terms))
        case "let":
            values = [_written(a, scope, meaning) for a in node.args[:-1]]
            return _written(node.args[-1], {**scope, **dict(zip(node.value, values, strict=True))}, meaning)
        case "max" | "call":
            raise BeyondError(f"{node.kind} is left to numbers")
    arguments = [_written(a, scope, meaning) for a in node.args]
    match node.kind:
        case "add":
            return sp.Add(*arguments)
        case "neg":
            return -arguments[0]
        case "mul":
            return sp.Mul(*arguments)
        case "div":
            return arguments[0] / arguments[1]
        case "pow":
            return arguments[0] ** arguments[1]
        case "named":
            return arguments[0]
    return _FUNCTIONS[str(node.value)](*arguments)


def _integral(node: Node, scope: Mapping[str, sp.Expr], meaning: Callable[[str], sp.Expr]) -> sp.Expr:
    """An average over a standard normal variable; a tail where only the limits matter."""
    variable = sp.Dummy(str(node.value.key), real=True)
    body = _written(node.args[0], {**scope, node.value.key: variable}, meaning)
    low, high = (_written(a, scope, meaning) for a in node.args[1:])
    if not node.value.gaussian:
        body *= sp.sqrt(2 * sp.pi) * sp.exp(variable**2 / 2)
    if variable not in body.free_symbols:
        above = sp.Integer(0) if high == sp.oo else Tail(high)
        return body * ((sp.Integer(1) if low == -sp.oo else Tail(low)) - above)
    if (low, high) != (-sp.oo, sp.oo):
        raise BeyondError("an integral between limits")
    one = sp.Matrix([[1]])
    return Average(body, Measure((variable,), (sp.Integer(0),), one, one))
