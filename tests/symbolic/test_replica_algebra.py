"""The replica algebra against explicit matrices of integer sizes, and the n -> 0 limit against fits over integers."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import comb

from spinodal.symbolic.features import pairing, random_feature_block
from spinodal.symbolic.replicas import (
    Copies,
    Join,
    Replica,
    constant_form,
    depth,
    hierarchical,
    number_of_replicas,
    per_replica_limit,
    trivial_dimension,
)

N, M1, M2 = sp.symbols("n m1 m2")
TREES = {
    "replica symmetric": (Copies(N, Replica()), (N,)),
    "one step": (Copies(N, Copies(M1, Replica())), (N, M1)),
    "two steps": (Copies(N, Copies(M1, Copies(M2, Replica()))), (N, M1, M2)),
}
LEVELS = {"replica symmetric": (0.3, 1.0), "one step": (0.3, 0.5, 1.0), "two steps": (0.2, 0.35, 0.6, 1.1)}


def explicit(sizes: tuple[int, ...], levels: tuple[float, ...]) -> np.ndarray:
    """The overlap matrix written out: replicas are words, and share the level of their first difference."""
    words = list(np.ndindex(*sizes))

    def overlap(a: tuple[int, ...], b: tuple[int, ...]) -> float:
        common = next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), len(sizes))
        return levels[common]

    return np.array([[overlap(a, b) for b in words] for a in words])


@pytest.mark.parametrize("sizes", [(4, 2, 3), (2, 3, 2), (3, 1, 2)])
@pytest.mark.parametrize("name", TREES)
def test_matrix_functions_against_explicit_matrices(name: str, sizes: tuple[int, ...]) -> None:
    tree, symbols = TREES[name]
    at = dict(zip(symbols, sizes, strict=False))
    number = tuple(sizes[: len(symbols)])
    a_levels = LEVELS[name]
    b_levels = tuple(0.004 * (i + 1) ** 1.5 - 0.01 for i in range(len(a_levels)))
    a, b = hierarchical(tree, tuple(map(sp.Float, a_levels))), hierarchical(tree, tuple(map(sp.Float, b_levels)))
    big_a, big_b = explicit(number, a_levels), explicit(number, b_levels)

    def value(expression: sp.Expr) -> float:
        return float(sp.sympify(expression).subs(at))

    assert value(a.trace()) == pytest.approx(np.trace(big_a))
    assert value((a @ b).trace()) == pytest.approx(np.trace(big_a @ big_b))
    assert value(a.log_det()) == pytest.approx(np.linalg.slogdet(big_a)[1])
    assert value((a.identity() - a @ b).log_det()) == pytest.approx(np.linalg.slogdet(np.eye(len(big_a)) - big_a @ big_b)[1])
    ones = np.full(len(big_a), 0.7)
    assert value(constant_form(a.inverse(), tree, sp.Float(0.7))) == pytest.approx(ones @ np.linalg.inv(big_a) @ ones)
    both = (a.inverse() - b).inverse()
    assert value(constant_form(both, tree, sp.Float(0.7))) == pytest.approx(
        ones @ np.linalg.inv(np.linalg.inv(big_a) - big_b) @ ones
    )
    assert value(number_of_replicas(tree)) == len(big_a)


@given(
    q=st.floats(-0.2, 0.8),
    gap=st.floats(0.05, 1.0),
    n=st.integers(1, 6),
    b=st.floats(-0.5, 0.5),
    c=st.floats(-0.5, 0.5),
)
@settings(max_examples=25, deadline=None)
def test_replica_symmetric_determinant_for_any_overlaps(q: float, gap: float, n: int, b: float, c: float) -> None:
    a = hierarchical(Copies(N, Replica()), (sp.Float(q), sp.Float(q + gap)))
    matrix = explicit((n,), (q, q + gap))
    for s in a.sectors:
        if float(s.block[0, 0].subs(N, n)) <= 0:
            return
    assert float(a.log_det().subs(N, n)) == pytest.approx(np.linalg.slogdet(matrix)[1], abs=1e-10)
    other = hierarchical(Copies(N, Replica()), (sp.Float(b), sp.Float(c)))
    assert float((a @ other).trace().subs(N, n)) == pytest.approx(np.trace(matrix @ explicit((n,), (b, c))), abs=1e-10)


@pytest.mark.parametrize("name", TREES)
def test_limit_of_no_replicas_against_interpolation_over_integers(name: str) -> None:
    # (tr A, 1^T A 1) are polynomials in n: their slope at 0 follows from their values at small integers
    tree, symbols = TREES[name]
    levels = LEVELS[name]
    inner = {M1: 2, M2: 3}
    matrix = hierarchical(tree, tuple(map(sp.Rational, map(str, levels))))
    sizes = [inner[s] for s in symbols[1:]]
    values = []
    for n in range(4):
        if n == 0:
            values.append(0.0)
            continue
        big = explicit((n, *sizes), levels)
        values.append(np.sum(big @ big))
    cubic = np.polynomial.polynomial.polyfit(np.arange(4.0), values, 3)
    form = constant_form(matrix @ matrix, tree, sp.Integer(1))
    limit = per_replica_limit(form, tree).subs(inner)
    assert float(limit) == pytest.approx(cubic[1] / np.prod([1, *sizes]), rel=1e-9)


def test_log_determinant_per_replica_is_the_textbook_one() -> None:
    q, d, m, q0, q1 = sp.symbols("q d m q0 q1", positive=True)
    rs = Copies(N, Replica())
    limit = per_replica_limit(hierarchical(rs, (q, d)).log_det(), rs)
    assert sp.simplify(limit - (sp.log(d - q) + q / (d - q))) == 0
    tree = Copies(N, Copies(m, Replica()))  # Gardner-type 1RSB determinant
    limit = per_replica_limit(hierarchical(tree, (q0, q1, d)).log_det(), tree)
    inner = d - q1
    textbook = (m - 1) / m * sp.log(inner) + sp.log(inner + m * (q1 - q0)) / m + q0 / (inner + m * (q1 - q0))
    point = {q0: 0.2, q1: 0.5, d: 1.1, m: 0.37}
    assert float((limit - textbook).subs(point)) == pytest.approx(0.0, abs=1e-14)


def test_feature_block_is_the_closed_form() -> None:
    tree = Copies(N, Replica())
    q, q_d, p, p_d, ph, pdh, rh, r = sp.symbols("q q_d p p_d p_hat p_d_hat r_hat r")
    found = pairing(tree, (p, p_d), (ph, pdh)) - r * rh + random_feature_block(tree, (q, q_d), (ph, pdh), rh)
    gap = pdh - ph
    det = 1 - (q_d - q) * gap
    closed = -pdh * p_d / 2 + ph * p / 2 - r * rh - sp.log(det) / 2 + (q * gap + (q_d - q) * (ph + rh**2)) / det / 2
    assert sp.simplify(found - closed) == 0


def test_feature_block_at_one_step_against_explicit_matrices() -> None:
    m = sp.Symbol("m")
    tree = Copies(N, Copies(m, Replica()))
    levels, hats, source = (0.2, 0.5, 1.0), (-0.001, -0.0016, -0.004), 0.3
    expression = random_feature_block(tree, tuple(map(sp.Float, levels)), tuple(map(sp.Float, hats)), sp.Float(source))
    found = float(expression.subs(m, 3))

    def total(n: int) -> float:
        q, p = explicit((n, 3), levels), explicit((n, 3), hats)
        ones = np.full(len(q), source)
        return -0.5 * np.linalg.slogdet(np.eye(len(q)) - q @ p)[1] + 0.5 * ones @ np.linalg.inv(np.linalg.inv(q) - p) @ ones

    # analytic in n: the polynomial through n = 1 .. 12, at n = 0
    ns = np.arange(1, 13)
    values = np.array([total(int(n)) / n for n in ns])
    assert np.sum(-((-1.0) ** ns) * comb(12, ns) * values) / 3 == pytest.approx(found, abs=1e-8)


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="levels"):
        hierarchical(Copies(N, Replica()), (sp.Integer(1),))
    with pytest.raises(ValueError, match="levels"):
        hierarchical(Join((Replica(), Replica())), (sp.Integer(1),))
    with pytest.raises(ValueError, match="limit"):
        per_replica_limit(sp.Integer(0), Replica())
    tree = Join((Replica("teacher"), Copies(N, Copies(M1, Replica()))))
    assert trivial_dimension(tree) == 2
    assert depth(tree) == 2
    assert number_of_replicas(tree) == 1 + N * M1
