"""Terms that are infinite where a ground state jumps as its field varies: taken out of sums, and said in words."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from spinodal.report.convexity import is_convex
from spinodal.symbolic.averages import Average
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.ground import Ground, InfiniteAtJump
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.maximisers import Kinks
from spinodal.symbolic.nested import TiltedKinks


def without_jumps(expression: sp.Expr) -> sp.Expr:
    """The expression where no ground state jumps."""
    if not expression.has(InfiniteAtJump):
        return expression
    found = expression.replace(_is_infinite, lambda node: sp.Integer(0))
    empty = found.replace(lambda node: isinstance(node, Average) and node.integrand == 0, lambda node: sp.Integer(0))
    return sp.sympify(empty)


def jumping(expression: sp.Expr, leaves: Mapping[str, Leaf]) -> list[Ground]:
    """The ground states whose jumps an expression counts, but for those of convex energies, which have none."""
    found: dict[Ground, None] = {}
    for node in sorted(filter(_is_infinite, sp.preorder_traversal(expression)), key=sp.default_sort_key):
        site = node.peak if isinstance(node, Kinks) else node.point
        leaf = leaves[str(site.tag)]
        if not (leaf.variable == symbol("h") and is_convex(-leaf.log_weight, leaf.variable)):
            found.setdefault(site.derivative(0))
    return list({(site.tag, site.label): site for site in found}.values())


def _is_infinite(node: sp.Basic) -> bool:
    return isinstance(node, (Kinks, TiltedKinks)) and node.has(InfiniteAtJump)
