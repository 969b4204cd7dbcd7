"""Data that hardly weigh (very negative margins): the state to leading order in a = G(kappa)/H(kappa), in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

import spinodal


def _direct(kappa: float, alpha: float) -> dict[str, float]:
    a = norm.pdf(kappa) / norm.sf(kappa)
    r = 2 * alpha * a / np.sqrt(2 * np.pi)
    return {"r": r, "q": alpha * a**2 + r**2, "M": r, "Q": alpha * a**2 + r**2}


def _random_features(kappa: float, alpha: float, alpha_t: float = 3.0) -> dict[str, float]:
    a, linear, rest = norm.pdf(kappa) / norm.sf(kappa), 2 / np.pi, 1 - 2 / np.pi
    r = 2 * np.sqrt(linear) * alpha_t * a / np.sqrt(2 * np.pi)
    p_hat = linear * alpha_t * a**2
    q = alpha * rest * a**2 + alpha / alpha_t * (p_hat + r**2)
    p = q + p_hat + r**2
    return {"r": r, "q": q, "M": np.sqrt(linear) * r, "Q": linear * p + rest * q}


@pytest.mark.parametrize(
    ("name", "expected"), [("binary-teacher-student", _direct), ("random-features-binary", _random_features)]
)
@pytest.mark.parametrize("kappa", [-4.5, -5.0])
def test_weak_fields_give_the_state_of_first_order_and_no_branch_point(name, expected, kappa) -> None:
    state = spinodal.load(name).solve(alpha=0.5, kappa=kappa).states[0]
    known = expected(kappa, 0.5)
    assert state.converged
    assert not any("branch point" in warning for warning in state.warnings)
    # what the first order leaves out is smaller by alpha_T kappa^2 a; q is known to a unit of rounding
    next_order = 1.5 * 3.0 * kappa**2 * norm.pdf(kappa) / norm.sf(kappa)
    assert state.order_parameters["r"] == pytest.approx(known["r"], rel=next_order)
    assert state.order_parameters["q"] == pytest.approx(known["q"], rel=2 * next_order + 2.3e-16 / known["q"])
    centre = np.arccos(known["M"] / np.sqrt(known["Q"])) / np.pi
    assert state.observables["generalization_error_barycentre"] == pytest.approx(centre, rel=2e-4)


@pytest.mark.parametrize("name", ["binary-teacher-student", "random-features-binary"])
@pytest.mark.parametrize("kappa", [-6.0, -7.0])
def test_ratios_of_overlaps_that_rounding_hides_get_no_value(name: str, kappa: float) -> None:
    state = spinodal.load(name).solve(alpha=0.5, kappa=kappa).states[0]
    assert state.converged
    assert state.free_entropy == pytest.approx(np.log(2) + 0.5 * norm.logsf(kappa), abs=1e-14)
    assert "generalization_error_barycentre" not in state.observables
    assert any(w.startswith("generalization_error_barycentre has no value: overlaps are so small") for w in state.warnings)
