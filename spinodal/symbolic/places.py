"""Where a density may have narrow modes: the places that its formula singles out, as expressions in the parameters.

A mode of any width shows in numbers once its place is known. Formulas put modes where a base of a power vanishes (a square
in an exponent), where an exponent is stationary, and where the argument of a sigmoid vanishes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sympy as sp

from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.formulas import real_roots
from spinodal.symbolic.functions import Tail

#: More are left to the search in numbers.
_MOST = 24
_SIGMOIDS = (sp.tanh, sp.erf, sp.erfc, Tail)


def places(density: sp.Expr, variable: sp.Symbol, at: Mapping[sp.Symbol, float]) -> tuple[sp.Expr, ...]:
    """0, and where the formula may have narrow modes; real at the parameters ``at``, elsewhere they may be no number."""
    found: dict[sp.Expr, None] = {sp.Integer(0): None}
    for expression in _vanishing(density, variable):
        try:
            roots = real_roots(expression, variable, at)
        except (DerivationError, TypeError):
            continue  # no closed form: the search in numbers is all there is
        found.update(dict.fromkeys(sp.N(root) if root.has(sp.RootOf) else root for root in roots if not root.has(sp.I)))
    return tuple(found)[:_MOST]


def _vanishing(density: sp.Expr, variable: sp.Symbol) -> Iterator[sp.Expr]:
    """Expressions at whose zeros the density may have a mode, each once, in the order of the formula."""
    seen: set[sp.Expr] = set()
    for node in sp.preorder_traversal(density):
        if not node.has(variable):
            continue
        for expression in _of_node(node, variable):
            if expression.has(variable) and expression not in seen:
                seen.add(expression)
                yield expression


def _of_node(node: sp.Basic, variable: sp.Symbol) -> Iterator[sp.Expr]:
    if isinstance(node, sp.exp):
        yield from _stationary(node.args[0], variable)
    elif isinstance(node, sp.Pow):
        yield node.base
        yield from _stationary(node.base, variable)
    elif isinstance(node, _SIGMOIDS):
        yield node.args[0]


def _stationary(expression: sp.Expr, variable: sp.Symbol) -> Iterator[sp.Expr]:
    """Factors of the derivative of a polynomial."""
    polynomial = expression.as_poly(variable)
    if polynomial is None or polynomial.degree() < 2:
        return
    for factor, _ in sp.factor_list(polynomial.diff(variable).as_expr(), variable)[1]:
        yield factor
