"""From the syntax tree of a formula to SymPy, and the regions of the line that a condition selects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import sympy as sp

from spinodal.spec import ast
from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.functions import Tail
from spinodal.symbolic.partitions import record

_FUNCTIONS = {
    "sign": sp.sign,
    "abs": sp.Abs,
    "sqrt": sp.sqrt,
    "exp": sp.exp,
    "log": sp.log,
    "erf": sp.erf,
    "erfc": sp.erfc,
    "tanh": sp.tanh,
    "sin": sp.sin,
    "cos": sp.cos,
    "relu": lambda x: sp.Max(0, x),
    "max": sp.Max,
    "min": sp.Min,
    "step": lambda x: sp.Heaviside(x, sp.Rational(1, 2)),
    "H": Tail,
}


def symbol(name: str) -> sp.Symbol:
    """The real symbol of a parameter, order parameter or variable; no sign is ever assumed (conjugates change sign)."""
    return sp.Symbol(name, real=True)


def to_sympy(node: ast.Node) -> sp.Expr:
    """The SymPy expression of a formula that is a number (conditions: see :func:`region`)."""
    match node:
        case ast.Number(value=value):
            return sp.Rational(value.numerator, value.denominator)
        case ast.Name(name=name):
            return sp.pi if name == "pi" else symbol(name)
        case ast.Negate(operand=operand):
            return -to_sympy(operand)
        case ast.Arithmetic(operator=operator, left=left, right=right):
            a, b = to_sympy(left), to_sympy(right)
            match operator:
                case "+":
                    return a + b
                case "-":
                    return a - b
                case "*":
                    return a * b
                case "/" if b == 0:
                    raise DerivationError("division by zero", column=node.column)
                case "/":
                    return a / b
                case "**" if a == 0 and b.is_negative:
                    raise DerivationError("division by zero", column=node.column)
                case "**":
                    return a**b
        case ast.Call(function=function, arguments=arguments):
            return _FUNCTIONS[function](*(to_sympy(argument) for argument in arguments))
    raise DerivationError("a condition stands where a number is needed", column=node.column)


def condition(node: ast.Node) -> sp.Basic:
    """The truth value of a condition as a SymPy relation."""
    match node:
        case ast.Compare(operator=operator, left=left, right=right):
            difference = to_sympy(left) - to_sympy(right)
            return difference >= 0 if operator in (">", ">=") else difference <= 0
        case ast.Logic(operator=operator, operands=operands):
            parts = [condition(operand) for operand in operands]
            return reduce((lambda a, b: a & b) if operator == "and" else (lambda a, b: a | b), parts)
    raise DerivationError("a number stands where a condition is needed", column=node.column)


@dataclass(frozen=True, slots=True)
class Interval:
    """An open interval with symbolic ends (``-oo`` and ``oo`` allowed)."""

    lower: sp.Expr
    upper: sp.Expr

    def mirrored(self) -> Interval:
        """The image under h -> -h."""
        return Interval(-self.upper, -self.lower)


Region = tuple[Interval, ...]


def generic_values(defaults: Mapping[str, float | None]) -> dict[sp.Symbol, float]:
    """Numbers for the parameters, near their defaults but not on special values, to order symbolic edges with.

    They lie on the defaults' side of zero.
    """
    values = {}
    for index, (name, default) in enumerate(sorted(defaults.items())):
        base = 1.0 if default is None else default
        shift = 1e-3 * (1.0 + 0.618 * index)
        values[symbol(name)] = base + shift if base >= 0.0 else base - shift
    return values


def real_roots(expression: sp.Expr, variable: sp.Symbol, at: Mapping[sp.Symbol, float]) -> list[sp.Expr]:
    """The points where ``expression`` vanishes or jumps through zero, as symbolic expressions, checked at ``at``.

    Raises:
        DerivationError: if no closed form of the roots is known.
    """
    if not expression.has(variable):
        return []
    for piece in expression.atoms(sp.Abs, sp.Max, sp.Min, sp.sign, sp.Heaviside):
        if not piece.has(variable):
            continue
        if isinstance(piece, sp.Abs):
            branches = [piece.args[0], -piece.args[0]]
        elif isinstance(piece, (sp.Max, sp.Min)):
            branches = list(piece.args)
        else:
            low = sp.Integer(-1) if isinstance(piece, sp.sign) else sp.Integer(0)
            edges = real_roots(piece.args[0], variable, at)
            inner = [r for b in (low, sp.Integer(1)) for r in real_roots(expression.xreplace({piece: b}), variable, at)]
            return _genuine([*edges, *inner], expression, variable, at)
        found = [r for b in branches for r in real_roots(expression.xreplace({piece: b}), variable, at)]
        return _genuine(found, expression, variable, at)
    roots = _genuine(_smooth_roots(expression, variable, at), expression, variable, at)
    if not sp.numer(sp.together(expression)).is_polynomial(variable):
        _complete(roots, expression, variable, at)
    return roots


def _complete(roots: list[sp.Expr], expression: sp.Expr, variable: sp.Symbol, at: Mapping[sp.Symbol, float]) -> None:
    """Refuse roots between which the expression changes its sign: of a periodic function only some are ever listed."""
    places = sorted(float(sp.N(root.subs(at))) for root in roots)
    number, last = expression.subs(at), None
    for point in sorted(_scattered(8.0 + max(map(abs, places), default=0.0), places)):
        value = sp.N(number.subs(variable, point))
        if not value.is_real or value == 0:
            continue
        piece, positive = sum(place < point for place in places), bool(value > 0)
        if last is not None and last[0] == piece and last[1] != positive:
            raise _too_many()
        last = piece, positive


def _scattered(reach: float, edges: Sequence[float]) -> Iterator[float]:
    """Points of [-reach, reach] that no period repeats, away from the edges."""
    for k in range(97):
        point = reach * (2.0 * ((k + 0.5) * 0.6180339887498949 % 1.0) - 1.0)
        if all(abs(point - edge) >= 1e-6 for edge in edges):
            yield point


def _too_many() -> DerivationError:
    return DerivationError(
        "the condition has more solutions than closed forms were found for",
        cure="write it as comparisons with finitely many closed-form solutions",
    )


def _smooth_roots(expression: sp.Expr, variable: sp.Symbol, at: Mapping[sp.Symbol, float]) -> list[sp.Expr]:
    # of these only the error function has an inverse that can be evaluated
    expression = expression.replace(sp.erfc, lambda x: 1 - sp.erf(x))
    expression = expression.replace(Tail, lambda x: (1 - sp.erf(x / sp.sqrt(2))) / 2)
    numerator = sp.numer(sp.together(expression))
    polynomial = numerator.as_poly(variable)
    if polynomial is not None and polynomial.degree() <= 2:
        if polynomial.degree() == 1:
            a, b = polynomial.all_coeffs()
            return [sp.cancel(-b / a)]
        if polynomial.degree() == 2:
            a, b, c = polynomial.all_coeffs()
            root = sp.sqrt(b**2 - 4 * a * c)
            return [sp.simplify((-b - root) / (2 * a)), sp.simplify((-b + root) / (2 * a))]
        return []
    if polynomial is not None and len(polynomial.terms()) == 2 and polynomial.monoms()[1] == (0,):
        return _binomial_roots(polynomial, at)
    try:
        return [root for root in sp.solve(expression, variable) if not root.has(variable)]
    except (NotImplementedError, ValueError, TypeError) as error:
        raise DerivationError(
            f"cannot solve {expression} = 0 for {variable}", cure="write it as comparisons with closed-form solutions"
        ) from error


def _binomial_roots(polynomial: sp.Poly, at: Mapping[sp.Symbol, float]) -> list[sp.Expr]:
    """The real roots of a x^n + c: one for an odd n, of the sign of -c/a; two for an even n, where there are any."""
    n, power = polynomial.degree(), sp.cancel(-polynomial.nth(0) / polynomial.LC())
    if n % 2:
        record(polynomial.gen, [], [power], at)
        sign = 1 if float(sp.N(power.subs(at))) >= 0.0 else -1
        return [sign * (sign * power) ** sp.Rational(1, n)]
    size = power ** sp.Rational(1, n)
    return [-size, size]


def _genuine(roots: list[sp.Expr], expression: sp.Expr, variable: sp.Symbol, at: Mapping[sp.Symbol, float]) -> list[sp.Expr]:
    """The distinct real roots at which the sign of the expression really changes or touches zero."""
    kept: dict[sp.Expr, None] = {}
    for root in roots:
        place = sp.N(root.subs(at))
        if not place.is_real:
            continue
        sides = [float(sp.re(sp.N(expression.subs(at).subs(variable, place + d)))) for d in (-1e-6, 1e-6)]
        if sides[0] * sides[1] <= 0 or min(map(abs, sides)) < 1e-5 * (1 + abs(float(place))):
            kept.setdefault(root)
    return list(kept)


def region(node: ast.Node, variable: sp.Symbol, at: Mapping[sp.Symbol, float], fixed: Mapping[sp.Symbol, sp.Expr]) -> Region:
    """The set of ``variable`` that satisfies a condition, as disjoint intervals in increasing order.

    Args:
        node: the condition's syntax tree.
        variable: the variable to solve for.
        at: generic parameter values that order the symbolic edges.
        fixed: substitutions made first (the label's value).

    Raises:
        DerivationError: if the comparisons cannot be solved.
    """
    relation = condition(node).subs(dict(fixed))
    if relation in (sp.true, sp.false):
        return (Interval(-sp.oo, sp.oo),) if relation == sp.true else ()
    expressions = sorted({atom.lhs - atom.rhs for atom in relation.atoms(sp.core.relational.Relational)}, key=str)
    return where(lambda point: bool(relation.subs(at).subs(variable, point)), expressions, variable, at)


def where(holds: object, expressions: list[sp.Expr], variable: sp.Symbol, at: Mapping[sp.Symbol, float]) -> Region:
    """The intervals between the roots of ``expressions`` on which the predicate ``holds(point)`` is true."""
    assert callable(holds)
    edges = breakpoints(expressions, variable, at)
    bounds: list[sp.Expr] = [-sp.oo, *edges, sp.oo]
    numbers = [float(sp.N(edge.subs(at))) for edge in edges]
    samples = sample_points(numbers)
    intervals: list[Interval] = []
    for index, sample in enumerate(samples):
        if not holds(sample):
            continue
        if intervals and intervals[-1].upper == bounds[index]:
            intervals[-1] = Interval(intervals[-1].lower, bounds[index + 1])
        else:
            intervals.append(Interval(bounds[index], bounds[index + 1]))
    _verify(holds, intervals, numbers, at)
    return tuple(intervals)


def _verify(holds: object, intervals: list[Interval], edges: list[float], at: Mapping[sp.Symbol, float]) -> None:
    """Compare the intervals with the condition at many points: a root that was missed would be a wrong theory."""
    assert callable(holds)
    reach = 8.0 + max((abs(edge) for edge in edges), default=0.0)
    ends = [(float(sp.N(i.lower.subs(at))), float(sp.N(i.upper.subs(at)))) for i in intervals]
    for point in _scattered(reach, edges):
        if bool(holds(point)) != any(low < point < high for low, high in ends):
            raise _too_many()


def breakpoints(expressions: list[sp.Expr], variable: sp.Symbol, at: Mapping[sp.Symbol, float]) -> list[sp.Expr]:
    """The distinct roots of all expressions, in increasing order at the generic parameter values."""
    table: dict[float, sp.Expr] = {}
    for expression in expressions:
        for root in real_roots(expression, variable, at):
            table.setdefault(round(float(sp.N(root.subs(at))), 9), root)
    edges = [table[key] for key in sorted(table)]
    record(variable, edges, expressions, at)
    return edges


def sample_points(edges: list[float]) -> list[float]:
    """One point inside each interval that the sorted edges cut the line into."""
    if not edges:
        return [0.3]
    middle = [(a + b) / 2 for a, b in pairwise(edges)]
    return [edges[0] - 1.0, *middle, edges[-1] + 1.0]


def kinks(expression: sp.Expr, variable: sp.Symbol, at: Mapping[sp.Symbol, float]) -> list[sp.Expr]:
    """Where an expression is not smooth in ``variable``: the edges of its signs, steps, absolute values, maxima."""
    arguments: list[sp.Expr] = []
    for piece in expression.atoms(sp.Abs, sp.sign, sp.Heaviside):
        arguments.append(piece.args[0])
    for piece in expression.atoms(sp.Max, sp.Min):
        terms = list(piece.args)
        arguments.extend(a - b for i, a in enumerate(terms) for b in terms[i + 1 :])
    return breakpoints([a for a in arguments if a.has(variable)], variable, at)
