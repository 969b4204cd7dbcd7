"""Whether edges are in order and expressions have the signs that were noted."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spinodal.numeric.partitions import same_partitions

SIGNS = ((-1, -1), (1, -1), (1, 1))
number = st.floats(-5.0, 5.0)


@given(number, number)
def test_two_edges_hold_exactly_where_they_are_in_order(a: float, b: float) -> None:
    found = same_partitions(1, [([a, b], lambda x: [x - a, x - b], SIGNS)])
    assert found[0] == (b - a >= -1e-9 * (1.0 + abs(a)))


@given(st.lists(number.filter(lambda s: abs(s) > 1e-6), min_size=1, max_size=6))
def test_rows_are_independent(slopes: list[float]) -> None:
    slope = np.array(slopes)
    partition = ([np.zeros(len(slope))], lambda x: [slope * x], ((-1,), (1,)))
    with np.errstate(all="ignore"):
        found = same_partitions(len(slope), [partition])
    assert found.tolist() == [s > 0.0 for s in slopes]


def test_edges_that_are_not_real_do_not_hold() -> None:
    with np.errstate(all="ignore"):
        edge = np.sqrt(np.array([1.0, -1.0]))
    found = same_partitions(2, [([-edge, edge], lambda x: [x * x - 1.0], ((1,), (-1,), (1,)))])
    assert found.tolist() == [True, False]


def test_an_expression_that_never_changes_its_sign_must_keep_it() -> None:
    found = same_partitions(2, [([], lambda x: [np.array([0.3, -0.3])], ((1,),))])
    assert found.tolist() == [True, False]
