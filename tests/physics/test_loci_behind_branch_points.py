"""Zeros along a branch that has lost its stability: they are those of the state that ``solve`` reports.

Binary weights whose fields must all leave a window, |h| >= kappa: the state q = 0 turns unstable at a branch point below the
capacity, and a state with q > 0 grows out of it (replica-symmetric formulas by hand below).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from declared import declare, spec_text
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_ndtr
from scipy.stats import norm

from spinodal import load

Z = np.linspace(-9.0, 9.0, 4001)
DZ = norm.pdf(Z) * (Z[1] - Z[0])


def window(kappa: float = 1.0):
    return declare("window", weights="binary", loss={"constraint": "abs(h) >= kappa"}, alpha=0.5, kappa=kappa)


def entropy(q: float, alpha: float, kappa: float) -> float:
    """Phi at q with q_hat from its saddle-point equation, q = E tanh^2, on the q > 0 state."""

    def overlap(q_hat: float) -> float:
        return float(np.sum(DZ * np.tanh(np.sqrt(q_hat) * Z) ** 2)) - q

    q_hat = brentq(overlap, 1e-12, 50.0, xtol=1e-15)
    width = np.sqrt(1.0 - q)
    outside = np.logaddexp(log_ndtr((np.sqrt(q) * Z - kappa) / width), log_ndtr((-np.sqrt(q) * Z - kappa) / width))
    prior = -q_hat * (1.0 - q) / 2.0 + np.sum(DZ * np.logaddexp(np.sqrt(q_hat) * Z, -np.sqrt(q_hat) * Z))
    return float(prior + alpha * np.sum(DZ * outside))


@pytest.mark.parametrize("kappa", [1.0, 1.2])
def test_the_capacity_is_that_of_the_state_that_grew_out_of_the_branch_point(kappa: float) -> None:
    """As a function of q alone, phi is smallest at the state with q > 0, and 0 there at the capacity."""

    def lowest(alpha: float) -> float:
        found = minimize_scalar(
            lambda q: entropy(q, alpha, kappa), bounds=(0.02, 0.5), method="bounded", options={"xatol": 1e-9}
        )
        return float(found.fun)

    expected = brentq(lowest, 0.3, 0.9, xtol=1e-12)
    (point,) = window(kappa).locus("capacity", along="alpha").special_points
    assert point.p == pytest.approx(expected, abs=1e-9)
    assert window(kappa).solve(alpha=point.p)["q"] == pytest.approx(point.order_parameters["q"], abs=1e-7)


def test_a_locus_keeps_to_that_state_over_margins() -> None:
    over = window().locus("capacity", along="alpha", over=("kappa", np.array([1.0, 1.2])))
    alone = [window(kappa).locus("capacity", along="alpha").special_points[0].p for kappa in (1.0, 1.2)]
    assert [point.p for point in over.special_points] == pytest.approx(alone, abs=1e-10)


def test_a_zero_on_the_unstable_piece_behind_a_fold_says_so() -> None:
    """Binary teacher-student counting errors at T = 0.4: the stable states' entropy is positive up to their fold."""
    model = declare(
        "steps", weights="binary", teacher={"weights": "binary", "label": "sign(u)"},
        loss={"energy": "step(-y*h)", "temperature": 0.4}, alpha=1.0,
    )  # fmt: skip
    (point,) = model.locus("zero-entropy", along="alpha").special_points
    assert any("unstable" in warning for warning in point.warnings)
    assert model.solve(alpha=point.p)["entropy"] > 0.05


def test_zeros_beyond_a_branch_point_that_stops_the_branch_are_those_of_the_state_that_solve_reports(tmp_path: Path) -> None:
    """A student of sign(|u| - 0.6): q = r = 0 up to alpha = 1.609, where rounding loses the branch."""
    text = spec_text(
        "even", weights="spherical", teacher={"weights": "gaussian", "label": "sign(abs(u) - 0.6)"},
        loss={"energy": "relu(0.2 - y*(abs(h)-0.6))", "temperature": 0.2}, alpha=1.5,
    )  # fmt: skip
    path = tmp_path / "even.toml"
    path.write_text(text + '[observables]\nhalf = "q - 0.4"\n', encoding="utf-8")
    model = load(path)
    (point,) = model.locus("zero:half", along="alpha", bounds=(0.1, 8.0)).special_points
    assert point.order_parameters["q"] == pytest.approx(0.4, abs=1e-9)
    assert model.solve(alpha=point.p)["q"] == pytest.approx(0.4, abs=1e-7)
