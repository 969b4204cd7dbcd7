r"""Branches and loci follow the root that ``solve`` reports, also through a branch point out of which it grows.

Spherical weights with |h| <= kappa: q = 0 by symmetry at small alpha, unstable beyond a branch point, and the state that
grows out of it ends where the volume vanishes, at alpha = 1 / (2 int_kappa^inf Dz (z - kappa)^2) (the argument of Gardner
and Derrida 1988, for a band).
"""

from __future__ import annotations

import numpy as np
import pytest
from declared import declare
from scipy.integrate import quad

BAND = {"constraint": "abs(h) <= kappa"}


def capacity(low: float, high: float) -> float:
    """A pattern whose field is low < abs(z) < high costs the square of its distance from the allowed fields beside."""
    edge = low if np.isinf(high) else high

    def cost(z: float) -> float:
        return float((z - edge) ** 2 * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi))

    return float(1.0 / (2.0 * quad(cost, low, min(high, 20.0))[0]))


@pytest.mark.parametrize("kappa", [0.3, 0.55])
def test_the_capacity_of_a_band_is_that_of_the_state_that_grows_out_of_the_branch_point(kappa: float) -> None:
    model = declare("band", weights="spherical", loss=BAND, alpha=0.5, kappa=kappa)
    locus = model.locus("capacity", "alpha", bounds=(0.001, 20.0))
    (point,) = locus.special_points
    assert point.converged
    assert point.parameters["alpha"] == pytest.approx(capacity(kappa, np.inf), abs=2e-7)


def test_a_branch_goes_over_to_the_state_that_solve_reports() -> None:
    model = declare("band", weights="spherical", loss=BAND, alpha=0.5, kappa=0.3)
    branch = model.branch("alpha", bounds=(0.5, 1.4))
    assert [p.kind for p in branch.special_points][:1] == ["branch-point"]
    assert any("the stable one that grows out of it is followed" in remark for remark in branch.remarks)
    alphas = [state.parameters["alpha"] for state in branch.states]
    assert alphas == sorted(alphas)
    for state in branch.states[::15]:
        alone = model.solve(alpha=state.parameters["alpha"]).states[0]
        assert state.order_parameters["q"] == pytest.approx(alone.order_parameters["q"], abs=1e-7)


def test_a_state_that_grew_out_of_a_branch_point_is_followed_to_its_capacity() -> None:
    """Outside a band conjugates reach 1e6 before; beyond the capacity the reason is that q reaches 1."""
    outside = declare("outside", weights="spherical", loss={"constraint": "h >= kappa or h <= -kappa"}, alpha=1.0, kappa=0.3)
    largest = capacity(0.0, 0.3)
    state = outside.solve(alpha=0.98 * largest).states[0]
    assert state.converged
    assert 0.998 < state.order_parameters["q"] < 1.0
    beyond = outside.solve(alpha=1.02 * largest).states[0]
    assert not beyond.converged
    assert beyond.failure is not None
    assert "where q reaches 1" in beyond.failure.reason
