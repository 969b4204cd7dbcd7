"""Losses that are quadratic between their kinks (hinge, squared hinge, absolute value, Huber, ...): their coefficients.

A formula in h is rewritten as c - A h^2/2 - B h with coefficients that are step functions of a point: absolute values,
signs, steps, maxima and minima take the branch that holds at the point. The generated module evaluates them at one point
of each piece, so that kinks may lie in any order and depend on parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from spinodal.symbolic.formulas import sample_points

#: Beyond it an expression is left to numerical averages.
_MOST_TERMS = 200


def quadratic_pieces(
    log_weight: sp.Expr, variable: sp.Symbol, splits: Sequence[sp.Expr], at: Mapping[sp.Symbol, float]
) -> tuple[sp.Expr, sp.Expr, sp.Expr] | None:
    """(c, A, B) of ``log_weight = c - A h^2/2 - B h``, each a step function of ``variable``; None where there are none.

    Args:
        log_weight: a formula that may contain absolute values, signs, steps, maxima and minima.
        variable: h.
        splits: where the formula is not smooth.
        at: generic parameter values; there no piece may be concave upwards (A < 0), which a Gaussian might not tame.
    """
    found = coefficients_in_pieces(log_weight, variable)
    if found is None:
        return None
    constant, linear, square = found
    for point in sample_points([float(sp.N(split.subs(at))) for split in splits]):
        value = sp.N(square.subs(at).subs(variable, point))
        if not value.is_real or value > 0:
            return None
    return constant, -2 * square, -linear


def coefficients_in_pieces(formula: sp.Expr, variable: sp.Symbol) -> tuple[sp.Expr, sp.Expr, sp.Expr] | None:
    """The coefficients of 1, h and h^2, step functions of ``variable``; None where there are none."""
    h = sp.Dummy("h", real=True)
    expanded = sp.expand(branch_at(formula, variable, h))
    if not expanded.is_polynomial(h) or len(sp.Add.make_args(expanded)) > _MOST_TERMS:
        return None
    polynomial = sp.Poly(expanded, h)
    if polynomial.degree() > 2:
        return None
    constant, linear, square = (polynomial.coeff_monomial(h**k) for k in range(3))
    return constant, linear, square


def branch_at(node: sp.Expr, variable: sp.Symbol, h: sp.Symbol) -> sp.Expr:
    """The formula in h on the branch that holds at ``variable``: smooth in h, and piecewise constant in ``variable``."""
    if node == variable:
        return h
    if not node.has(variable):
        return node
    if isinstance(node, (sp.sign, sp.Heaviside)):
        return node  # constant on a piece, with its value at the point
    if isinstance(node, sp.Piecewise) and not any(value.has(variable) for value, _ in node.args):
        return node
    if isinstance(node, sp.Abs):
        return sp.sign(node.args[0]) * branch_at(node.args[0], variable, h)
    if isinstance(node, (sp.Max, sp.Min)):
        return _chosen(node, variable, h)
    return node.func(*(branch_at(argument, variable, h) for argument in node.args))


def _chosen(node: sp.Expr, variable: sp.Symbol, h: sp.Symbol) -> sp.Expr:
    """The argument that is largest (smallest) at the point; where two agree they agree on the whole piece."""
    first, *others = node.args
    best, value = first, branch_at(first, variable, h)
    for other in others:
        better = sp.Heaviside(other - best if isinstance(node, sp.Max) else best - other, sp.Rational(1, 2))
        value += better * (branch_at(other, variable, h) - value)
        best = node.func(best, other)
    return value
