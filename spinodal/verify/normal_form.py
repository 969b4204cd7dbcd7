"""A normal form of expressions of roots, exponentials, Gaussian tails and averages: equal ones tend to be identical.

Everything becomes a quotient of polynomials in symbols: the model's own; *atoms*, one for each function of a normal form
(``exp``, ``cosh``, ``H``, ``log``, an average over a standard normal variable, ...); and *roots*, whose squares are known
(the square roots of irreducible polynomials, and ``sinh^2 = cosh^2 - 1``), reduced to first powers and out of denominators.
Averages are split into their terms, and each is the same whether its variable is z or -z.

The steps are identities of real numbers. Square roots and logarithms are taken apart where each factor has one sign at all
points that are given; nothing else is assumed. What does not fit raises :class:`BeyondError`: two forms that are the same
prove equality, two that differ prove nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import comb, prod
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from spinodal.symbolic.averages import Average, averages_in, explicit_fields
from spinodal.symbolic.channel import Covariance, Ratio, Root, Unexplained
from spinodal.symbolic.functions import Density, LogDensity, LogTail, LogTwoCosh, Tail

Array = NDArray[np.float64]

#: Exponents are collected in multiples of one over this.
_PARTS = 4
#: Beyond so many operations an expression is left alone.
_LARGEST = 3000
#: Nor is what has more terms than this when it is multiplied out.
_MOST_TERMS = 20_000
#: Values smaller than this, relative to their terms, have no sign.
_VANISHING = 1e-6
_PI = sp.Symbol("_pi", positive=True)
#: The variable of every average.
_Z = sp.Symbol("_Z", real=True)
_POSITIVE = frozenset(["exp", "cosh"])


class BeyondError(Exception):
    """An expression that has no normal form here, or takes too long."""


def _expanded(expression: sp.Expr) -> sp.Expr:
    """A product multiplied out, unless it is too long to be."""
    if sum(_terms(expression)) > _MOST_TERMS:
        raise BeyondError("too long")
    return sp.expand(expression)


def _cancelled(expression: sp.Expr) -> sp.Expr:
    """A quotient in lowest terms, unless what is above or below the bar is too long."""
    if sum(_terms(expression)) > _MOST_TERMS:
        raise BeyondError("too long")
    return sp.cancel(expression)


def _terms(node: sp.Expr) -> tuple[int, int]:
    """At most how many terms stand above and below the bar once products are multiplied out over a common denominator."""
    if isinstance(node, sp.Pow) and node.exp.is_Integer:
        n, parts = abs(int(node.exp)), _terms(node.base)
        above, below = (comb(part + n - 1, n) for part in parts)
        return (above, below) if node.exp > 0 else (below, above)
    if isinstance(node, sp.Mul):
        factors = [_terms(a) for a in node.args]
        return prod(a for a, _ in factors), prod(b for _, b in factors)
    if isinstance(node, sp.Add):
        bars: dict[sp.Expr, list[tuple[int, int]]] = {}
        for term in node.args:
            bars.setdefault(sp.fraction(term)[1], []).append(_terms(term))
        common = prod(terms[0][1] for terms in bars.values())
        return sum(a * common // terms[0][1] for terms in bars.values() for a, _ in terms), common
    return 1, 1


class NormalForm:
    """Brings expressions to a normal form; forms made by the same object can be compared.

    Args:
        values: the values of the model's symbols at some points of the domain, each [B].
        seconds: of computing time, after which every call raises :class:`BeyondError`.
    """

    def __init__(self, values: Mapping[sp.Symbol, Array], seconds: float) -> None:
        self._values: dict[sp.Symbol, Array] = {**values, _PI: np.float64(np.pi)}  # type: ignore[dict-item]
        self._until = time.process_time() + seconds
        self._atoms: dict[tuple[Any, ...], sp.Symbol] = {}
        self._meaning: dict[sp.Symbol, tuple[Any, ...]] = {}
        self._squares: dict[sp.Symbol, sp.Expr] = {}
        self._fluctuating: set[sp.Symbol] = {_Z}
        self._inside = False

    def __call__(self, expression: sp.Expr) -> sp.Expr:
        """The normal form.

        Raises:
            BeyondError: if there is none.
        """
        return self._reduced(self._rational(sp.sympify(expression)))

    def sign(self, polynomial: sp.Expr) -> int | None:
        """The sign of a polynomial where it is known to be the same, and not zero, at all points."""
        symbols = sorted(polynomial.free_symbols, key=str)
        if any(s not in self._values for s in symbols):
            return next((s for s in (1, -1) if self._is_positive(_expanded(s * polynomial))), None)
        at = [self._values[s] for s in symbols]
        terms = [np.asarray(sp.lambdify(symbols, t, "numpy")(*at), float) for t in sp.Add.make_args(polynomial)]
        value, size = sum(terms), sum(np.abs(t) for t in terms)
        if not np.all(np.abs(value) > _VANISHING * size):
            return None
        return 1 if np.all(value > 0.0) else (-1 if np.all(value < 0.0) else None)

    # ---- quotients of polynomials

    def _reduced(self, quotient: sp.Expr) -> sp.Expr:
        """In lowest terms, roots to the first power and above the bar only."""
        self._check(quotient)
        above, below = sp.fraction(_cancelled(quotient))
        for root in reversed(list(self._squares)):
            if below.has(root):
                conjugate = below.xreplace({root: -root})
                self._check_product(above, conjugate)
                self._check_product(below, conjugate)
                above, below = above * conjugate, self._lowered(_expanded(below * conjugate), root)
            above = self._lowered(_expanded(above), root)
            below = self._lowered(below, root)
        if not self._squares:
            return above / below
        self._check(above / below)
        return _cancelled(above / below)

    def _lowered(self, polynomial: sp.Expr, root: sp.Symbol) -> sp.Expr:
        if not polynomial.has(root):
            return polynomial
        self._check(polynomial)
        square, total = self._squares[root], sp.Integer(0)
        for (power,), coefficient in sp.Poly(polynomial, root).terms():
            total += coefficient * root ** (power % 2) * square ** (power // 2)
        return _expanded(total)

    def _check(self, expression: sp.Expr) -> None:
        if time.process_time() > self._until or expression.count_ops() > _LARGEST:
            raise BeyondError("too long")

    def _check_product(self, one: sp.Expr, other: sp.Expr) -> None:
        """That expanding a product will not take longer than a proof may: nothing stops it once it has begun."""
        if len(sp.Add.make_args(one)) * len(sp.Add.make_args(other)) > _LARGEST:
            raise BeyondError("too long")

    def _rational(self, node: sp.Expr) -> sp.Expr:
        """Every function replaced by its atom."""
        if node.is_Rational:
            return node
        if node == sp.pi:
            return _PI
        if node.is_Symbol:
            return node
        if isinstance(node, (sp.Add, sp.Mul)):
            return node.func(*(self._rational(a) for a in node.args))
        if isinstance(node, sp.exp):
            return self._exponential(self(node.args[0]))
        if isinstance(node, sp.Pow):
            if node.exp.is_Integer:
                return self._rational(node.base) ** node.exp
            if node.exp.is_Rational and node.exp.q == 2:
                return self._root(self(node.base)) ** node.exp.p
            raise BeyondError("a power that is no root")
        if isinstance(node, Average):
            return self._average(node)
        if isinstance(node, (LogTail, LogTwoCosh)):
            return self._rational(_written_out(node))
        if isinstance(node, (Root, Ratio)):
            quotient = node.args[0] / node.args[1] if isinstance(node, Ratio) else sp.sqrt(node.args[0])
            return self._rational(quotient)
        if isinstance(node, Unexplained):
            return self._rational(node.args[0] - node.args[1])
        if isinstance(node, Covariance):
            return self._rational(node.args[0])
        if isinstance(node, Density):
            return self._rational(sp.exp(-(node.args[0] ** 2) / 2) / sp.sqrt(2 * sp.pi))
        if isinstance(node, LogDensity):
            return self._rational(-(node.args[0] ** 2) / 2 - sp.log(2 * sp.pi) / 2)
        build = self._builder(_KINDS.get(node.func, ""))
        if build is None:
            raise BeyondError(f"{node.func} is not known here")
        return build(*(self(a) for a in node.args))

    # ---- atoms

    def _builder(self, kind: str) -> Callable[..., sp.Expr] | None:
        known: dict[str, Callable[..., sp.Expr]] = {
            "log": self._logarithm,
            "exp": self._exponential,
            "tail": self._tail,
            "sqrt": self._root,
            "cosh": lambda x: self._atom("cosh", -x if _is_minus(x) else x),
            "sinh": self._sinh,
            "tanh": lambda x: self._sinh(x) / self._atom("cosh", -x if _is_minus(x) else x),
            "erfc": lambda x: 2 * self._tail(self._reduced(self._root(sp.Integer(2)) * x)),
            "erf": lambda x: 1 - 2 * self._tail(self._reduced(self._root(sp.Integer(2)) * x)),
            "acos": lambda x: _PI - self._atom("acos", -x) if _is_minus(x) else self._atom("acos", x),
            "asin": lambda x: _PI / 2 - (_PI - self._atom("acos", -x) if _is_minus(x) else self._atom("acos", x)),
            "abs": self._absolute,
            "cos": lambda x: self._atom("cos", -x if _is_minus(x) else x),
            **{kind: partial(self._odd, kind) for kind in ("T", "sin", "atan", "atanh", "sign")},
            "max": lambda *a: self._atom("max", *sorted(a, key=sp.default_sort_key)),
            "min": lambda *a: self._atom("min", *sorted(a, key=sp.default_sort_key)),
            "step": lambda *a: self._atom("step", *a),
        }
        return known.get(kind)

    def _atom(self, kind: str, *arguments: sp.Expr) -> sp.Symbol:
        key = (kind, *arguments)
        if key not in self._atoms:
            mark = sp.Symbol(f"_{kind}_{len(self._atoms)}", real=True)
            self._atoms[key], self._meaning[mark] = mark, key
            if kind != "mean" and any(self._fluctuates(a) for a in arguments):
                self._fluctuating.add(mark)
        return self._atoms[key]

    def _fluctuates(self, expression: sp.Expr) -> bool:
        return bool(expression.free_symbols & self._fluctuating)

    def _is_positive(self, expression: sp.Expr) -> bool:
        kinds = [self._meaning.get(s, ("",))[0] for s in expression.free_symbols]
        if len(kinds) == 1 and expression.is_Symbol:
            return kinds[0] in _POSITIVE
        return kinds == ["T"] and (expression - 1) ** 2 == next(iter(expression.free_symbols)) ** 2  # 1 - T, 1 + T

    def _odd(self, kind: str, x: sp.Expr) -> sp.Expr:
        return -self._atom(kind, -x) if _is_minus(x) else self._atom(kind, x)

    def _sinh(self, x: sp.Expr) -> sp.Expr:
        positive = -x if _is_minus(x) else x
        mark = self._atom("sinh", positive)
        self._squares.setdefault(mark, self._atom("cosh", positive) ** 2 - 1)
        return -mark if _is_minus(x) else mark

    def _tail(self, x: sp.Expr) -> sp.Expr:
        """H = (1 - T)/2 with T odd: H(x) + H(-x) = 1 is built in, and -z in place of z keeps products of T products."""
        return sp.Rational(1, 2) if x == 0 else (1 - self._odd("T", x)) / 2

    def _absolute(self, x: sp.Expr) -> sp.Expr:
        above, below = sp.fraction(x)
        signs = self.sign(_expanded(above)), self.sign(_expanded(below))
        if None not in signs:
            return x * signs[0] * signs[1]
        return self._atom("abs", -x if _is_minus(x) else x)

    def _exponential(self, x: sp.Expr) -> sp.Expr:
        """One factor for each term, so that products of exponentials are powers of the same atoms."""
        above, below = sp.fraction(x)
        content = sp.Integer(1)
        if below.free_symbols:
            content, primitive = sp.Poly(below).primitive()
            below = primitive.as_expr()
        else:
            content, below = below, sp.Integer(1)
        product: sp.Expr = sp.Integer(1)
        for term in sp.Add.make_args(_expanded(above)):
            number, rest = (term / content).as_coeff_Mul()
            kind, *arguments = self._meaning.get(rest, ("",))
            if kind == "log" and below == 1 and number.is_Integer:
                product *= arguments[0] ** number
                continue
            parts = _PARTS if (number * _PARTS).is_Integer else number.q
            product *= self._atom("exp", _cancelled(rest / below) / parts) ** (number * parts)
        return product

    def _factors(self, x: sp.Expr) -> tuple[sp.Rational, list[tuple[sp.Expr, int]]] | None:
        """A positive number and positive factors with their powers, whose product x is; None where signs are unknown."""
        above, below = sp.fraction(x)
        (p, first), (q, second) = sp.factor_list(above), sp.factor_list(below)
        number = sp.Rational(p) / q
        found = []
        for factor, power in [*first, *((f, -e) for f, e in second)]:
            sign = self.sign(factor)
            if sign is None:
                return None
            number *= sp.Integer(sign) ** power
            found.append((_expanded(sign * factor), power))
        if number < 0:
            raise BeyondError("a root or a logarithm of what is negative")
        primes = [(sp.Integer(n), int(e)) for n, e in sp.factorrat(number).items()] if number != 1 else []
        return sp.Integer(1), [*primes, *found]

    def _root(self, x: sp.Expr) -> sp.Expr:
        if x == 0:
            return x
        factors = self._factors(x)
        if factors is None:
            return self._atom("sqrt", x)
        product: sp.Expr = sp.Integer(1)
        for factor, power in factors[1]:
            product *= factor ** (power // 2)
            if power % 2:
                product *= self._root_of(factor)
        return product

    def _root_of(self, factor: sp.Expr) -> sp.Symbol:
        mark = self._atom("root", factor)
        self._squares.setdefault(mark, factor)
        symbols = sorted(factor.free_symbols, key=str)
        if all(s in self._values for s in symbols):
            inner = sp.lambdify(symbols, factor, "numpy")(*(self._values[s] for s in symbols))
            self._values[mark] = np.sqrt(np.asarray(inner, float))
        return mark

    def _logarithm(self, x: sp.Expr) -> sp.Expr:
        factors = self._factors(x)
        if factors is None:
            return self._atom("log", x)
        total: sp.Expr = sp.Integer(0)
        for factor, power in factors[1]:
            kind, *arguments = self._meaning.get(factor, ("",))
            if kind == "exp":
                total += power * arguments[0]
            elif kind == "root":
                total += sp.Rational(power, 2) * self._atom("log", arguments[0])
            else:
                total += power * self._atom("log", factor)
        return total

    # ---- averages

    def _average(self, node: Average) -> sp.Expr:
        measure, integrand = node.measure, node.integrand
        if measure.planted or measure.loading.cols != 1 or (self._inside and _Z in node.free_symbols):
            raise BeyondError("averages inside averages")
        if any(inner.measure.bound & measure.bound for inner in averages_in(integrand) if isinstance(inner, Average)):
            raise BeyondError("a variable with two meanings")
        before, self._inside = self._inside, True
        try:
            body = self(integrand.xreplace(explicit_fields(measure, (_Z,))))
        finally:
            self._inside = before
        above, below = sp.fraction(body)
        number, factors = sp.factor_list(below)
        constant = sp.Mul(number, *(f**e for f, e in factors if not self._fluctuates(f)))
        inner = sp.Mul(*(f**e for f, e in factors if self._fluctuates(f)))
        variables = sorted((above.free_symbols) & self._fluctuating, key=str)
        if not variables:
            return above / constant * (self._mean(1 / inner) if inner != 1 else 1)
        total: sp.Expr = sp.Integer(0)
        for powers, coefficient in sp.Poly(above, *variables).terms():
            monomial = sp.Mul(*(v**k for v, k in zip(variables, powers, strict=True)))
            total += coefficient / constant * self._mean(monomial / inner)
        return total

    def _mean(self, body: sp.Expr) -> sp.Expr:
        """The average of a single term: a moment, or an atom."""
        number, body = _cancelled(body).as_coeff_Mul()
        if not self._fluctuates(body):
            return number * body
        if body.is_polynomial(_Z) and body.free_symbols == {_Z}:
            power = sp.degree(body, _Z)
            return number * (sp.factorial2(power - 1) if power % 2 == 0 else sp.Integer(0))
        sign, mirrored = self._reduced(self._mirrored(body)).as_coeff_Mul()
        if mirrored == body and sign == -1:
            return sp.Integer(0)
        if not sp.fraction(mirrored)[0].is_Add and sp.default_sort_key(mirrored) < sp.default_sort_key(body):
            number, body = number * sign, mirrored
        return number * self._atom("mean", body)

    def _mirrored(self, expression: sp.Expr) -> sp.Expr:
        """At -z in place of z."""
        table: dict[sp.Symbol, sp.Expr] = {}
        for mark in expression.free_symbols & self._fluctuating:
            if mark == _Z:
                table[mark] = -_Z
                continue
            kind, *arguments = self._meaning[mark]
            build = self._builder(kind)
            if build is None:
                raise BeyondError(f"{kind} is not mirrored")
            table[mark] = build(*(self._reduced(self._mirrored(a)) for a in arguments))
        return expression.xreplace(table)


def _is_minus(x: sp.Expr) -> bool:
    return bool(x.could_extract_minus_sign())


_KINDS: dict[Any, str] = {
    sp.log: "log",
    Tail: "tail",
    sp.cosh: "cosh",
    sp.sinh: "sinh",
    sp.tanh: "tanh",
    sp.erf: "erf",
    sp.erfc: "erfc",
    sp.acos: "acos",
    sp.asin: "asin",
    sp.atan: "atan",
    sp.atanh: "atanh",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.Abs: "abs",
    sp.sign: "sign",
    sp.Max: "max",
    sp.Min: "min",
    sp.Heaviside: "step",
}


def _written_out(node: sp.Expr) -> sp.Expr:
    """A derivative of log H or of log 2cosh in H and G, or in tanh."""
    order, x = int(node.args[0]), node.args[1]
    y, ratio = sp.Symbol("_y", real=True), sp.Symbol("_ratio", real=True)
    if isinstance(node, LogTail):  # with the ratio G/H, whose derivative is (G/H)^2 - y G/H
        whole, first, slope, value = sp.log(Tail(x)), -ratio, ratio**2 - y * ratio, Density(x) / Tail(x)
    else:
        whole, first, slope, value = sp.log(2 * sp.cosh(x)), ratio, 1 - ratio**2, sp.tanh(x)
    if order == 0:
        return whole
    for _ in range(order - 1):
        first = first.diff(y) + first.diff(ratio) * slope
    return _expanded(first).subs({y: x, ratio: value}, simultaneous=True)


def points_of(names: Mapping[str, Array], symbols: Sequence[sp.Symbol]) -> dict[sp.Symbol, Array]:
    """The values of symbols by their names without leading underscores."""
    return {s: names[str(s).lstrip("_")] for s in symbols if str(s).lstrip("_") in names}
