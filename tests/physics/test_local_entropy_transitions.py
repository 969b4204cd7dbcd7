"""Transitions of local entropies, against scans of the curves themselves."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

import spinodal
from spinodal.model import Model
from spinodal.numeric.deferred import Deferred
from tests.declared import declare


@lru_cache
def storage() -> Model:
    return spinodal.load("binary-perceptron", ansatz="franz-parisi")


@lru_cache
def around_largest_margins() -> Model:
    return spinodal.load("binary-perceptron", overrides={"ansatz": {"scheme": "franz-parisi", "kappa_ref": "max"}})


def _curve(model: Model, **parameters: float) -> tuple[np.ndarray, np.ndarray]:
    """Overlaps beyond the maximum and phi there."""
    overlaps = 1.0 - np.geomspace(0.3, 0.005, 25)
    solution = model.solve(t=overlaps, **parameters)
    good = np.asarray(solution.converged)
    assert good.sum() > 20
    return overlaps[good], np.asarray(solution.free_entropy)[good]


def test_around_references_of_a_given_margin_phi_rises_again_beyond_the_transition_only() -> None:
    (point,) = storage().locus("local-entropy-transition", "alpha", bounds=(0.3, 0.8), kappa_ref=0.1).special_points
    assert point.converged
    assert point.error_estimate < 1e-8
    assert point.order_parameters["q"] > point.order_parameters["q_ref"]
    below = _curve(storage(), alpha=point.p - 4e-3, kappa_ref=0.1)[1]
    above = _curve(storage(), alpha=point.p + 4e-3, kappa_ref=0.1)[1]
    assert np.all(np.diff(below) < 0)
    assert np.any(np.diff(above) > 0)


def test_at_the_transition_two_derivatives_of_phi_vanish() -> None:
    (point,) = storage().locus("local-entropy-transition", "alpha", bounds=(0.3, 0.8), kappa_ref=0.1).special_points
    t, h = point.order_parameters["t"], 5e-4
    phi = np.asarray(storage().solve(alpha=point.p, kappa_ref=0.1, t=t + h * np.arange(-2, 3)).free_entropy)
    first = (phi[0] - 8 * phi[1] + 8 * phi[3] - phi[4]) / (12 * h)
    second = (-phi[0] + 16 * phi[1] - 30 * phi[2] + 16 * phi[3] - phi[4]) / (12 * h * h)
    assert phi[2] == pytest.approx(point.free_entropy, abs=1e-9)
    assert abs(first) < 1e-5  # elsewhere slopes are of order 0.1, second derivatives of order 10
    assert abs(second) < 0.05


@pytest.mark.slow
def test_around_references_of_the_largest_margin() -> None:
    (point,) = around_largest_margins().locus("local-entropy-transition", "alpha", bounds=(0.5, 0.82)).special_points
    assert point.converged
    assert point.error_estimate < 1e-8
    margin = point.order_parameters["kappa_ref"]
    assert spinodal.load("binary-perceptron").solve(alpha=point.p, kappa=margin).observables["entropy"] == pytest.approx(
        0.0, abs=1e-8
    )
    # the same references by their margin: the same point of the same curve
    other = storage().solve(alpha=point.p, kappa_ref=margin, t=point.order_parameters["t"])
    assert float(other.free_entropy) == pytest.approx(point.free_entropy, abs=1e-9)
    assert float(other.observables["slope"]) == pytest.approx(0.0, abs=1e-7)


def test_no_range_is_needed_though_there_are_no_solutions_where_the_search_begins() -> None:
    (point,) = around_largest_margins().locus("local-entropy-transition", "alpha", kappa=0.2).special_points
    assert point.converged
    # the same references by their margin: the same point of the same curve, flat there
    parameters = {"alpha": point.p, "kappa": 0.2, "kappa_ref": point.order_parameters["kappa_ref"]}
    other = storage().solve(t=point.order_parameters["t"], **parameters)
    assert float(other.free_entropy) == pytest.approx(point.free_entropy, abs=1e-9)
    assert float(other.observables["slope"]) == pytest.approx(0.0, abs=1e-7)


def test_isolated_references_have_no_transition_and_the_reason_says_so() -> None:
    (point,) = storage().locus("local-entropy-transition", "alpha", bounds=(0.4, 0.55), kappa_ref=0.0).special_points
    assert not point.converged
    assert point.failure is not None
    assert "phi decreases monotonically" in point.failure.reason
    assert "it is negative there" in point.failure.reason  # binary weights: typical solutions are isolated
    assert "alpha between 0.4 and 0.55 (0.4525, 0.55)" in point.failure.reason
    assert "try larger alpha" in point.failure.advice


@pytest.mark.slow
def test_where_the_curve_ends_before_phi_rises_the_reason_names_its_fold() -> None:
    model = declare(
        "ternary", weights={"values": [-1, 0, 1]}, loss={"constraint": "y*h >= 0"}, scheme="real-replicas",
        ansatz={"replicas": "zero-complexity"}, alpha=1.03, q1=0.8,
    )  # fmt: skip
    (point,) = model.locus("local-entropy-transition", "alpha", bounds=(1.03, 1.031)).special_points
    assert point.failure is not None
    fold = float(point.failure.reason.split("fold at q1 = ")[1].split(";")[0])
    q1 = np.array([fold - 1e-3, fold + 1e-3])
    below, above = model.solve(alpha=1.031, q1=q1).states
    assert below.converged
    assert above.failure is not None
    assert f"ends in a fold at q1 = {fold:.6g}" in above.failure.reason


def test_the_energetic_barrier_is_where_phi_has_its_minimum_at_zero() -> None:
    (point,) = storage().locus("energetic-barrier", "alpha", bounds=(0.6, 0.8), kappa_ref=0.1).special_points
    assert point.converged
    t, h = point.order_parameters["t"], 1e-3
    phi = np.asarray(storage().solve(alpha=point.p, kappa_ref=0.1, t=t + h * np.arange(-2, 3)).free_entropy)
    assert phi[2] == pytest.approx(0.0, abs=1e-9)
    assert np.all(phi[[0, 1, 3, 4]] > 0.0)
    below = np.asarray(storage().solve(alpha=point.p + 0.005, kappa_ref=0.1, t=t + h * np.arange(-2, 3)).free_entropy)
    assert np.any(below < 0.0)


def test_where_nothing_is_found_the_equations_of_the_transition_are_not_derived(monkeypatch: pytest.MonkeyPatch) -> None:
    def derived(_module: Deferred, name: str) -> None:
        if not name.startswith("__"):
            raise AssertionError(f"{name} was asked for")

    monkeypatch.setattr(Deferred, "__getattr__", derived)
    model = spinodal.load("binary-perceptron", ansatz="real-replicas")
    (point,) = model.locus("local-entropy-transition", "alpha", bounds=(0.2, 0.4)).special_points
    assert point.failure is not None
    assert "alpha between 0.2 and 0.4" in point.failure.reason  # the transition is at 0.7553
    assert "larger alpha" in point.failure.advice
