"""An expression's terms as a reader wants them: what can be integrated is, what is common stands in front."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import sympy as sp

from spinodal.symbolic.averages import Average, Evaluated, Measure, average
from spinodal.symbolic.channel import Covariance, Ratio, Root, Unexplained
from spinodal.symbolic.functions import Density, LogTail, Tail
from spinodal.symbolic.nested import LogAverage
from spinodal.symbolic.peaks import Response

#: Expressions with more operations than this are not factored: it would take longer than all else.
_LONG = 400
#: Fractions with more operations than this are taken apart where what they consist of has this part of them at most.
_CROWDED, _MUCH = 16, 0.8
#: In more symbols than this partial fractions take minutes.
_FEW = 9


def terms_of(expression: sp.Expr, short: Mapping[sp.Symbol, sp.Expr] | None = None) -> list[sp.Expr]:
    """The terms of a sum: what needs no average first, over common denominators; averages with factored coefficients.

    Args:
        expression: the sum.
        short: what symbols are in terms of others that make fractions shorter.
    """
    flat, back = _marked(integrated(plain(expression)), _is_average)
    slopes = {mark: sp.diff(flat, mark) for mark in back}
    if any(slope.free_symbols & back.keys() for slope in slopes.values()):  # products of averages
        return [tidy(term).xreplace(back) for term in sp.Add.make_args(flat)]
    terms = _without_averages(flat.xreplace(dict.fromkeys(back, sp.Integer(0))), short or {})
    averages = [_times(tidy(slope), back[mark]) for mark, slope in slopes.items() if slope != 0]
    return [*terms, *averages] or [sp.Integer(0)]


def _marked(expression: sp.Expr, chosen: Callable[[sp.Basic], bool]) -> tuple[sp.Expr, dict[sp.Symbol, sp.Expr]]:
    """The expression with the outermost nodes of a kind replaced by symbols, and what these stand for."""
    found: dict[sp.Basic, sp.Symbol] = {}

    def visit(node: sp.Basic) -> None:
        if chosen(node):
            found.setdefault(node, sp.Dummy(real=True))
        else:
            for argument in node.args:
                visit(argument)

    visit(expression)
    return expression.xreplace(found), {mark: node for node, mark in found.items()}


def _is_average(node: sp.Basic) -> bool:
    return isinstance(node, Evaluated | LogAverage)


def _is_opaque(node: sp.Basic) -> bool:
    """Whether a node is no rational expression and no root of one."""
    return not isinstance(node, sp.Add | sp.Mul | sp.Pow | sp.Symbol | sp.Number | sp.NumberSymbol)


def _times(factor: sp.Expr, node: sp.Expr) -> sp.Expr:
    if not factor.is_Add:
        return factor * node
    number, rest = factor.primitive()
    return sp.Mul(-number, -rest, node) if _backwards(rest) else sp.Mul(number, rest, node)


def plain(expression: sp.Expr) -> sp.Expr:
    """The expression without what only solvers need: roots and quotients that survive rounding, edges term by term."""
    guarded = (Ratio, Root, Unexplained, Covariance, Response)
    found = sp.sympify(expression).replace(lambda node: isinstance(node, guarded), lambda node: node.doit())
    found = found.replace(_is_log_of_inverse, lambda node: -sp.log(1 / node.args[0]))
    found = found.replace(lambda node: isinstance(node, sp.acos), lambda node: sp.acos(_one_root(node.args[0])))
    return sp.sympify(found.replace(lambda node: isinstance(node, LogTail | Tail | Density), _with_one_fraction))


def _one_root(ratio: sp.Expr) -> sp.Expr:
    """A correlation Q / sqrt(Q rho) as sqrt(Q / rho): what stands under a root beside itself is a variance."""
    rooted = set().union(*(power.base.free_symbols for power in ratio.atoms(sp.Pow) if not power.exp.is_Integer))
    outside = set().union(*(f.free_symbols for f in sp.Mul.make_args(ratio) if f.as_base_exp()[1].is_Integer))
    if not rooted & outside or ratio.has(sp.Add):
        return ratio
    marks = {sp.Dummy(positive=True): s for s in rooted | outside}
    positive = ratio.xreplace({s: mark for mark, s in marks.items()})
    return sp.sqrt(sp.powsimp(positive**2).xreplace(marks))


def _is_log_of_inverse(node: sp.Basic) -> bool:
    return isinstance(node, sp.log) and node.args[0].is_Pow and node.args[0].exp == -1


def _with_one_fraction(node: sp.Expr) -> sp.Expr:
    *others, edge = node.args
    whole = sp.together(edge)
    return node.func(*others, whole) if sp.count_ops(whole) < sp.count_ops(edge) else node


def integrated(expression: sp.Expr) -> sp.Expr:
    """The expression with averages carried out: of polynomials in normal variables, a label's among them, of odd tails."""
    return sp.sympify(expression.replace(lambda node: isinstance(node, Average), _integrated))


def _integrated(node: Average) -> sp.Expr:
    measure, polynomial = node.measure, node.integrand
    if isinstance(polynomial, Tail) and not measure.planted and not any(measure.means):
        (edge,) = polynomial.args
        opposite = edge.subs({field: -field for field in measure.fields}, simultaneous=True)
        return sp.Rational(1, 2) if sp.expand(edge + opposite) == 0 else node  # H(x) + H(-x) = 1
    labels = [variable for variable, _ in measure.planted]
    if any(str(tag) != "normal" for _, tag in measure.planted):
        return node
    if not polynomial.is_polynomial(*measure.bound) or not all(mean.is_polynomial(*labels) for mean in measure.means):
        return node
    table = {field: sp.Dummy() for field in measure.fields}
    centred = polynomial.subs({f: m + table[f] for f, m in zip(measure.fields, measure.means, strict=True)})
    given_labels = average(centred, _centred(list(table.values()), measure.covariance))
    return sp.sympify(sp.cancel(average(given_labels, _centred(labels, sp.eye(len(labels))))))


def _centred(fields: list[sp.Symbol], covariance: sp.Matrix) -> Measure:
    return Measure(fields, [sp.Integer(0)] * len(fields), covariance, covariance)


def _without_averages(expression: sp.Expr, short: Mapping[sp.Symbol, sp.Expr]) -> list[sp.Expr]:
    """Rational terms over common denominators where that is shorter; logarithms with the same factor together."""
    if short:
        terms = sp.Add.make_args(sp.expand_mul(expression, deep=False))
        expression = sp.Add(*(term.subs(short, simultaneous=True) if _has_fractions(term) else term for term in terms))
    flat, logs = _marked(expression, lambda node: isinstance(node, sp.log))
    slopes = {mark: sp.diff(flat, mark) for mark in logs}
    if any(slope.free_symbols & logs.keys() for slope in slopes.values()):
        return [tidy(term) for term in sp.Add.make_args(expression)]
    found = _joined(flat.xreplace(dict.fromkeys(logs, sp.Integer(0))))
    factors: dict[sp.Expr, sp.Expr] = {}
    for mark, slope in slopes.items():
        factor = sp.Add(*_joined(slope))
        argument = logs[mark].args[0]
        if -factor in factors:
            factor, argument = -factor, 1 / argument
        factors[factor] = factors.get(factor, sp.Integer(1)) * argument
    return [*found, *(_times(factor, sp.log(_factored(inside))) for factor, inside in factors.items() if factor != 0)]


def _has_fractions(term: sp.Expr) -> bool:
    """Whether sums stand in denominators or logarithms anywhere in a term."""
    return term.has(sp.log) or any(power.base.is_Add and power.exp.is_negative for power in term.atoms(sp.Pow))


def _joined(expression: sp.Expr) -> list[sp.Expr]:
    """The terms of a rational sum, those brought over a common denominator that are shorter so, or apart."""
    parts: dict[sp.Expr, sp.Expr] = {}
    for term in map(tidy, sp.Add.make_args(expression)):
        parts[sp.denom(term)] = parts.get(sp.denom(term), sp.Integer(0)) + term
    terms = [
        part
        for total in parts.values()
        for part in (_tidied(total) if _is_fraction(total) else sp.Add.make_args(_expanded(total)))
    ]
    terms = [term for term in terms if term != 0]
    if len(terms) > 1 and any(map(_is_fraction, terms)) and sum(map(_length, terms)) <= _LONG // 4:
        whole = tidy(sp.together(sp.Add(*terms)))
        if _length(whole) < sum(map(_length, terms)) - 1:
            terms = [whole] if whole != 0 else []
    while (pair := _shorter_pair(terms)) is not None:
        first, second, whole = pair
        terms = [term for term in terms if term not in (first, second)] + ([whole] if whole != 0 else [])
    return _collected([part for term in terms for part in _apart(term)])


def _collected(terms: list[sp.Expr]) -> list[sp.Expr]:
    """The terms, those together that differ by a number."""
    found: dict[sp.Expr, sp.Expr] = {}
    for term in terms:
        number, rest = term.as_coeff_Mul()
        found[rest] = found.get(rest, sp.Integer(0)) + number
    if len(found) == len(terms):
        return terms
    return [sp.Mul(number, rest) for rest, number in found.items() if number != 0]


def _expanded(total: sp.Expr) -> sp.Expr:
    """A sum without fractions multiplied out, where that leaves less of it."""
    whole = sp.expand(total)
    return whole if _length(whole) < _length(total) else total


def _tidied(total: sp.Expr) -> tuple[sp.Expr, ...]:
    return (tidy(sp.together(total)),)


def _shorter_pair(terms: list[sp.Expr]) -> tuple[sp.Expr, sp.Expr, sp.Expr] | None:
    for first, second in combinations(terms, 2):
        fractions = _is_fraction(first) + _is_fraction(second)
        if fractions == 0 or _length(first) + _length(second) > _LONG // 5:
            continue
        whole = tidy(sp.together(first + second))
        if _length(whole) <= _length(first) + _length(second) - (2 - fractions):
            return first, second, whole
    return None


def _apart(term: sp.Expr) -> list[sp.Expr]:
    """A fraction as the sum of partial fractions that is shortest, if one is much shorter."""
    if not _is_fraction(term) or not _CROWDED < _length(term) <= _LONG // 2 or len(term.free_symbols) > _FEW:
        return [term]
    best, shortest = [term], int(_MUCH * _length(term))
    sums = [factor for factor in sp.Mul.make_args(sp.denom(term)) if factor.as_base_exp()[0].is_Add]
    for variable in sorted(set().union(*(factor.free_symbols for factor in sums)), key=str):
        try:
            parts = [piece for part in sp.Add.make_args(sp.apart(term, variable)) for piece in _pieces(part)]
        except sp.PolynomialError:  # a root of the variable
            continue
        if (length := sum(map(_length, parts)) + len(parts) - 1) < shortest:
            best, shortest = parts, length
    return best


def _pieces(part: sp.Expr) -> list[sp.Expr]:
    whole = tidy(part)
    return [whole] if _is_fraction(whole) else list(sp.Add.make_args(sp.expand(whole)))


def _length(term: sp.Expr) -> int:
    return int(sp.count_ops(term))


def _is_fraction(term: sp.Expr) -> bool:
    """Whether a term stands over a sum."""
    factors = sp.Mul.make_args(sp.denom(sp.together(term) if term.is_Add else term))
    return any(factor.as_base_exp()[0].is_Add for factor in factors)


def tidy(term: sp.Expr) -> sp.Expr:
    """A term with numbers and common factors taken out of its sums; constants positive in denominators."""
    flat, back = _marked(term, _is_opaque)
    if sp.count_ops(flat) <= _LONG:
        flat = sp.factor(flat)
    inside = {mark: sp.log(_factored(node.args[0])) if isinstance(node, sp.log) else node for mark, node in back.items()}
    return _oriented(flat).xreplace(inside)


def _factored(expression: sp.Expr) -> sp.Expr:
    if sp.count_ops(expression) > _LONG:
        return expression
    found = _oriented(sp.factor(sp.together(expression)))
    return expression if expression.is_Add and found.is_Mul and found.as_coeff_Mul()[0] == -1 else found


def _oriented(product: sp.Expr) -> sp.Expr:
    """A product whose sums begin with what is positive, 1 - x rather than x - 1, their numbers in front."""
    front, factors, either = sp.Integer(1), [], None
    for factor in sp.Mul.make_args(product):
        base, exponent = factor.as_base_exp()
        if not (base.is_Add and exponent.is_Integer):
            factors.append(factor)
            continue
        content, rest = base.primitive()
        backwards = _backwards(rest)
        if backwards:
            content, rest = -content, -rest
        if backwards is None and exponent % 2 == 1:
            either = len(factors)
        front *= content**exponent
        factors.append(rest**exponent)
    numbers = sp.Mul(front, *(factor for factor in factors if factor.is_number))
    if either is not None and numbers.is_negative:  # a - b or b - a: the one that leaves no minus in front
        base, exponent = factors[either].as_base_exp()
        front, factors[either] = -front, (-base) ** exponent
    whole = sp.Mul(*factors)
    if whole.is_Add and front not in (1, -1):  # SymPy would multiply it out
        return sp.Mul(front, whole, evaluate=False)
    return front * whole


def _backwards(terms: sp.Expr) -> bool | None:
    """Whether the negative of a sum reads better; None where neither does."""
    if terms.is_number:
        return bool(terms < 0)
    constant = terms.as_coeff_Add()[0]
    if constant != 0:
        return bool(constant < 0)
    signs = {term: -1 if term.could_extract_minus_sign() else 1 for term in terms.args}
    # lambda - v rather than v - lambda: what is declared before what the derivation adds
    declared = sum(sign for term, sign in signs.items() if not any(str(s).startswith("_") for s in term.free_symbols))
    for balance in (sum(signs.values()), declared):
        if balance != 0:
            return balance < 0
    return None
