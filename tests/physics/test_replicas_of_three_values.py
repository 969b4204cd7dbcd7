"""Infinitely many replicas of weights -1, 0, 1: where 0 is the best weight between close fields only, or at none.

The values are those of a calculation apart from this package: the stationarity equations with averages cut at the kinks
of the maximum over a grid of 12001 fields, solved by Newton's method, and the action evaluated there.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from declared import declare
from scipy.special import log_ndtr

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


def highest(values: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The maxima of rows over a grid t, by the parabola through the three points around each."""
    k = np.clip(values.argmax(axis=1), 1, t.size - 2)
    a, b, c = (np.take_along_axis(values, (k + side)[:, None], axis=1)[:, 0] for side in (-1, 0, 1))
    return np.asarray(b + 0.125 * (a - c) ** 2 / (2.0 * b - a - c))


def action(order: dict[str, float], q1: float, alpha: float) -> float:
    """THEORY.md section 3 with y -> infinity, every maximum searched directly: no kinks are known of."""
    dq, q_d, q1_hat, dq_hat, q_d_hat = (order[name] for name in ("dq", "q_d", "q1_hat", "dq_hat", "q_d_hat"))
    t = np.linspace(-9.0, 9.0, 6001)
    total = -0.5 * (q_d_hat * q_d - q1_hat * q1) - 0.5 * (q1_hat * dq + q1 * dq_hat)
    z = np.linspace(-8.5, 8.5, 6001)
    weight = np.exp(-0.5 * z * z)
    weight /= weight.sum()
    for part, share in zip(np.array_split(z, 60), np.array_split(weight, 60), strict=True):
        field = np.sqrt(q1_hat) * part[:, None] + np.sqrt(dq_hat) * t
        site = np.logaddexp(0.0, 0.5 * (q_d_hat - q1_hat) + np.logaddexp(field, -field))
        total += float(share @ highest(site - 0.5 * t * t, t))
        margin = (np.sqrt(q1) * part[:, None] + np.sqrt(dq) * t) / np.sqrt(q_d - q1)
        total += alpha * float(share @ highest(log_ndtr(margin) - 0.5 * t * t, t))
    return total


@pytest.mark.parametrize("alpha", [0.906, 0.9066, 0.9067, 0.908])
def test_free_entropies_are_those_of_maxima_that_are_searched_directly(model: Model, alpha: float) -> None:
    """On both sides of the load, 0.90674, beyond which the weight 0 is the best one at some fields.

    At a kink with a jump of the slope of 5, the trapezoid rule over z errs by 0.4 * 5 dz^2 / 12 = 1.3e-6.
    """
    state = model.solve(alpha=alpha).states[0]
    assert state.free_entropy == pytest.approx(action(dict(state.order_parameters), 0.9, alpha), abs=2e-6)


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
