"""Whether an energy is known to be convex: a ground state then never jumps, and what is said of its jumps is left out."""

from __future__ import annotations

import sympy as sp


def is_convex(expression: sp.Expr, variable: sp.Symbol) -> bool:
    """Whether an expression is convex by the rules of composition; False where they do not tell.

    >>> h, a = sp.symbols("h a", real=True)
    >>> is_convex(sp.log(1 + sp.exp(-h)) + sp.Max(0, 1 - h) ** 2, h), is_convex(sp.Heaviside(-h), h), is_convex(a * h**2, h)
    (True, False, False)
    """
    if not expression.has(variable) or _is_affine(expression, variable):
        return True
    if expression.is_Add:
        return all(is_convex(term, variable) for term in expression.args)
    if expression.is_Mul:
        constant, rest = expression.as_independent(variable)
        return bool(constant.is_nonnegative) and not rest.is_Mul and is_convex(rest, variable)
    if isinstance(expression, sp.Max):
        return all(is_convex(argument, variable) for argument in expression.args)
    if isinstance(expression, sp.Abs | sp.cosh):
        return _is_affine(expression.args[0], variable)
    if isinstance(expression, sp.exp):
        return is_convex(expression.args[0], variable)
    if isinstance(expression, sp.log):  # of a sum of exponentials
        return all(_is_log_affine(term, variable) for term in sp.Add.make_args(expression.args[0]))
    base, exponent = expression.as_base_exp()
    if exponent.is_number and exponent >= 1:
        even = exponent.is_integer and exponent % 2 == 0 and _is_affine(base, variable)
        return bool(even or (_is_nonnegative(base) and is_convex(base, variable)))
    return False


def _is_affine(expression: sp.Expr, variable: sp.Symbol) -> bool:
    polynomial = expression.as_poly(variable)
    return polynomial is not None and polynomial.degree() <= 1


def _is_nonnegative(expression: sp.Expr) -> bool:
    if isinstance(expression, sp.Max):
        return any(argument.is_nonnegative for argument in expression.args)
    return bool(expression.is_nonnegative)


def _is_log_affine(term: sp.Expr, variable: sp.Symbol) -> bool:
    """Whether a term is a positive number times the exponential of an affine function."""
    constant, rest = term.as_independent(variable, as_Add=False)
    affine = rest == 1 or (isinstance(rest, sp.exp) and _is_affine(rest.args[0], variable))
    return bool(constant.is_positive) and affine
