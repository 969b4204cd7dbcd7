"""The feature block: what lies between the student's weights and its field.

Direct features need none: the field's covariance is the weights' overlap. Random features sigma(F x) add the overlaps of
the projected weights s = F^T w / sqrt(N) in input space; integrating the random matrix out exactly leaves

    -1/2 tr(P^ P) - r^ . r - 1/2 log det(1 - q P^) + 1/2 r^T (q^-1 - P^)^-1 r^

per input (Gerace et al., ICML 2020; Goldt et al., PRX 10, 041044), evaluated on any tree of replicas.
"""

from __future__ import annotations

import sympy as sp

from spinodal.symbolic.replicas import Tree, constant_form, hierarchical, per_replica_limit


def pairing(tree: Tree, overlaps: tuple[sp.Expr, ...], conjugates: tuple[sp.Expr, ...]) -> sp.Expr:
    """``-1/2 sum_ab q^_ab q_ab`` per replica as n -> 0, for levels from the outermost to the diagonal."""
    product = hierarchical(tree, overlaps) @ hierarchical(tree, conjugates)
    return sp.expand(per_replica_limit(-product.trace() / 2, tree))


def random_feature_block(tree: Tree, q: tuple[sp.Expr, ...], p_hat: tuple[sp.Expr, ...], r_hat: sp.Expr) -> sp.Expr:
    """The determinant and source terms of the block, per replica and per input, as n -> 0."""
    overlap, conjugate = hierarchical(tree, q), hierarchical(tree, p_hat)
    identity = overlap.identity()
    kernel = identity - overlap @ conjugate
    # (q^-1 - P^)^-1 = (1 - q P^)^-1 q, which needs no inverse of q
    source = constant_form(kernel.inverse() @ overlap, tree, r_hat) / 2
    return per_replica_limit(-kernel.log_det() / 2 + source, tree)
