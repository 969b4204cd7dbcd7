"""Gaussian averages as SymPy expressions, differentiated by Price's theorem.

An :class:`Average` is E[F] over Gaussian fields whose means and covariances are expressions in the order parameters.
Differentiating it never differentiates a square root of a variance: Price's theorem,

    d/dC_ij E[F] = (1/2)(1 + [i != j]) E[d2F / df_i df_j],      d/dm_i E[F] = E[dF/df_i]

(R. Price, IRE Trans. Inf. Theory 4, 69 (1958)), together with the heat equation that inner partition functions obey, gives
the "textbook" saddle-point equations directly: the Stein identity is built in, and nothing is singular at zero overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp


class Measure(sp.Basic):
    """Jointly Gaussian fields: ``Measure(fields, means, covariance, loading, planted)``.

    Args:
        fields: the bound symbols f_i.
        means: their means; may contain order parameters, fields of an outer average and planted variables.
        covariance: their covariance matrix.
        loading: a matrix Lambda with Lambda Lambda^T = covariance, used only to sample the fields as
            ``mean + Lambda z`` with independent standard normal z.
        planted: outer variables that the means depend on: pairs (symbol, distribution tag); the tag ``normal`` is N(0, 1).
    """

    def __new__(
        cls,
        fields: Sequence[sp.Symbol],
        means: Sequence[sp.Expr],
        covariance: sp.Matrix,
        loading: sp.Matrix,
        planted: Sequence[tuple[sp.Symbol, sp.Symbol]] = (),
    ) -> Measure:
        """Freeze the arguments into SymPy containers."""
        return sp.Basic.__new__(
            cls,
            sp.Tuple(*fields),
            sp.Tuple(*means),
            sp.ImmutableDenseMatrix(covariance),
            sp.ImmutableDenseMatrix(loading),
            sp.Tuple(*(sp.Tuple(*pair) for pair in planted)),
        )

    @property
    def fields(self) -> tuple[sp.Symbol, ...]:
        """The bound field symbols."""
        return tuple(self.args[0])

    @property
    def means(self) -> tuple[sp.Expr, ...]:
        """The means of the fields."""
        return tuple(self.args[1])

    @property
    def covariance(self) -> sp.ImmutableDenseMatrix:
        """The covariance matrix of the fields."""
        return self.args[2]

    @property
    def loading(self) -> sp.ImmutableDenseMatrix:
        """Lambda, with Lambda Lambda^T the covariance."""
        return self.args[3]

    @property
    def planted(self) -> tuple[tuple[sp.Symbol, sp.Symbol], ...]:
        """The planted variables and their distributions."""
        return tuple((pair[0], pair[1]) for pair in self.args[4])

    @property
    def bound(self) -> frozenset[sp.Symbol]:
        """Every symbol this measure integrates over."""
        return frozenset(self.fields) | frozenset(symbol for symbol, _ in self.planted)


class Evaluated(sp.Expr):
    """What a solver evaluates by a pass over quadrature nodes of its own: averages, and sums over kinks."""

    is_commutative = True


class Average(Evaluated):
    """``Average(F, measure)``: the average of F over a Gaussian measure. Build with :func:`average`."""

    @property
    def integrand(self) -> sp.Expr:
        """What is averaged."""
        return self.args[0]

    @property
    def measure(self) -> Measure:
        """What it is averaged over."""
        return self.args[1]

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """The symbols the value depends on: bound fields are not among them."""
        return set(super().free_symbols) - set(self.measure.bound)

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        from spinodal.symbolic.maximisers import derivative_of_average, follower_in

        integrand, measure = self.integrand, self.measure
        if follower_in(integrand, measure.fields) is not None:  # not smooth, and not differentiated twice
            return derivative_of_average(integrand, measure, symbol)
        total = average(integrand.diff(symbol), measure)
        for field, mean in zip(measure.fields, measure.means, strict=True):
            slope = mean.diff(symbol)
            if slope != 0:
                total += average(slope * integrand.diff(field), measure)
        for i, first in enumerate(measure.fields):
            for j, second in enumerate(measure.fields):
                slope = measure.covariance[i, j].diff(symbol)
                if slope != 0:
                    total += average(slope * integrand.diff(first, second) / 2, measure)
        return total

    def _sympystr(self, printer: Any) -> str:
        return f"E[{printer._print(self.integrand)}]"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        measure = self.measure
        zs = standard_normals(measure)
        variables = [*zs, *(symbol for symbol, _ in measure.planted)]
        differentials = r"\,".join(f"D{printer._print(v)}" for v in variables)
        body = self.integrand.subs(explicit_fields(measure, zs))
        inner = printer._print(body)
        if body.is_Add:
            inner = rf"\left[{inner}\right]"
        text = rf"\int {differentials}\; {inner}"
        return rf"\left[{text}\right]" if exp is None else rf"\left[{text}\right]^{{{exp}}}"


def standard_normals(measure: Measure) -> tuple[sp.Symbol, ...]:
    """The independent standard normal variables that sample the fields of a measure."""
    count = measure.loading.cols
    if not measure.fields:
        return ()
    suffix = str(measure.fields[0]).removeprefix("_omega")
    if count == 1:
        return (sp.Symbol(f"_z{suffix}", real=True),)
    return tuple(sp.Symbol(f"_z{suffix}_{i}", real=True) for i in range(count))


def planted_measure(planted: Sequence[tuple[sp.Symbol, sp.Symbol]]) -> Measure:
    """The measure of planted variables alone."""
    none = sp.ImmutableDenseMatrix(0, 0, [])
    return Measure([], [], none, none, planted)


def explicit_fields(measure: Measure, normals: Sequence[sp.Symbol]) -> dict[sp.Symbol, sp.Expr]:
    """Each field as ``mean + loading . z``."""
    if not measure.fields:
        return {}
    shifts = measure.loading * sp.Matrix(list(normals))
    return {f: m + s for f, m, s in zip(measure.fields, measure.means, shifts, strict=True)}


def average(integrand: sp.Expr, measure: Measure) -> sp.Expr:
    """E[integrand], with sums split and factors that do not fluctuate taken out: a canonical linear combination.

    A polynomial in the fields is integrated exactly over them.
    """
    terms = sp.Add.make_args(expand_outside(integrand))
    total: list[sp.Expr] = []
    bound = measure.bound
    for term in terms:
        outside, inside = sp.S.One, sp.S.One
        for factor in sp.Mul.make_args(term):
            if factor.free_symbols & bound:
                inside *= factor
            else:
                outside *= factor
        total.append(outside * _average_term(inside, measure))
    return sp.Add(*total)


def expand_outside(expression: sp.Expr) -> sp.Expr:
    """Expand products and powers of sums, but not the arguments of functions."""
    if expression.is_Add:
        return sp.Add(*(expand_outside(term) for term in expression.args))
    if expression.is_Pow and expression.base.is_Add and expression.exp.is_Integer and expression.exp > 1:
        return expand_outside(sp.expand(expand_outside(expression.base) ** expression.exp, deep=False))
    if expression.is_Mul:
        factors = [expand_outside(factor) for factor in expression.args]
        terms: list[sp.Expr] = [sp.S.One]
        for factor in factors:
            terms = [term * part for term in terms for part in sp.Add.make_args(factor)]
        return sp.Add(*terms)
    return expression


def _average_term(inside: sp.Expr, measure: Measure) -> sp.Expr:
    if inside == 1:
        return sp.S.One
    if all(c == 0 for c in measure.covariance) and not measure.planted:
        return inside.subs(dict(zip(measure.fields, measure.means, strict=True)))
    if measure.fields and inside.is_polynomial(*measure.fields):
        exact = _polynomial_average(inside, measure)
        return average(exact, planted_measure(measure.planted)) if measure.planted else exact
    return Average(inside, measure)


def _polynomial_average(polynomial: sp.Expr, measure: Measure) -> sp.Expr:
    """E of a polynomial in the fields, by Stein's identity E[f g] = E[f] E[g] + sum_j C_fj E[dg/df_j]."""
    total: sp.Expr = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand(polynomial)):
        first = next((k for k, f in enumerate(measure.fields) if term.has(f)), None)
        if first is None:
            total += term
            continue
        rest = sp.cancel(term / measure.fields[first])
        total += measure.means[first] * _polynomial_average(rest, measure)
        for j, other in enumerate(measure.fields):
            total += measure.covariance[first, j] * _polynomial_average(rest.diff(other), measure)
    return total


def averages_in(expression: sp.Expr) -> tuple[Any, ...]:
    """The distinct averages (and sums over kinks) of an expression, outermost only, in a reproducible order."""
    found: dict[Evaluated, None] = {}

    def visit(node: sp.Basic) -> None:
        if isinstance(node, Evaluated):
            found.setdefault(node)
            return
        for argument in node.args:
            visit(argument)

    visit(expression)
    return tuple(sorted(found, key=sp.default_sort_key))


def map_averages(expression: sp.Expr, function: Any) -> sp.Expr:
    """Replace every outermost average by ``function(average)``."""
    table = {node: function(node) for node in averages_in(expression)}
    return expression.xreplace(table)
