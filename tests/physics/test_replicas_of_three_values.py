"""Infinitely many replicas of weights -1, 0, 1: where 0 is the best weight between close fields only, or at none.

The values are those of a calculation apart from this package: the stationarity equations with averages cut at the kinks
of the maximum over a grid of 12001 fields, solved by Newton's method, and the action evaluated there.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from declared import declare

from spinodal.model import Model


@pytest.fixture(scope="module")
def model() -> Model:
    return declare(
        "three", weights={"values": [-1, 0, 1]}, scheme="real-replicas", ansatz={"replicas": "inf"}, alpha=0.9, kappa=0.0,
        q1=0.9,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("alpha", "q1", "phi"),
    [
        (0.9066, 0.9, 0.1024197),
        (0.9067, 0.9, 0.1023521),
        (1.06, 0.935, 0.02285801),
        (1.06, 0.95, 0.02028026),
        (1.06, 0.99, 0.01388766),
    ],
)
def test_free_entropies_beside_the_place_where_the_weight_zero_is_never_best(
    model: Model, alpha: float, q1: float, phi: float
) -> None:
    state = model.solve(alpha=alpha, q1=q1)
    assert float(state.free_entropy) == pytest.approx(phi, abs=2e-7)


def test_a_curve_goes_on_through_folds_and_corners(model: Model) -> None:
    branch = model.branch("q1", bounds=(0.45, 0.995), alpha=1.06)
    assert branch.stop_reason.endswith("forward: q1 reached 0.995")
    assert [point.kind for point in branch.special_points if point.kind == "fold"] == ["fold", "fold"]
    values = [state.free_entropy for state in branch.states if state.parameters["q1"] > 0.75]
    assert all(later < earlier for earlier, later in pairwise(values))
    along = model.branch("alpha", bounds=(0.85, 0.95), q1=0.9)
    assert along.stop_reason.endswith("forward: alpha reached 0.95")
    assert any("corner at p = 0.9067" in remark for remark in along.remarks)


def test_solve_says_that_it_went_around_folds(model: Model) -> None:
    state = model.solve(alpha=1.06, q1=0.95).states[0]
    assert any("turns at q1 = 0.72354 and q1 = 0.718232" in warning for warning in state.warnings)
