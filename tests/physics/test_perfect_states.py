"""The perfect state q = 1 of noiseless teachers, whatever their label: where it exists, and where it takes over."""

from __future__ import annotations

import numpy as np
import pytest

from tests.declared import declare

LABELS = ["sign(u-0.4)", "2*sign(u)", "sign(u-0.001)", "sign(u-1)+sign(u+1)", "3*sign(u)+sign(u-1)"]


def declared(label, scheme="bayes-optimal", constraint="y*h >= 0"):
    teacher = {"weights": "binary", "label": label}
    return declare("noiseless", teacher=teacher, loss={"constraint": constraint}, scheme=scheme, alpha=0.5)


@pytest.mark.parametrize("label", LABELS)
def test_the_perfect_state_is_found_beyond_the_spinodal(label):
    model = declared(label)
    solution = model.solve(alpha=2.5)
    assert solution["q"] == 1.0
    assert abs(solution["free_entropy"]) <= solution.states[0].error_estimate
    assert abs(solution.states[0].observables["generalization_error"]) < 1e-12


@pytest.mark.parametrize("label", LABELS)
def test_conjugates_grow_as_the_inverse_root_of_the_gap(label):
    # a label's probability must vanish with full relative accuracy where the score of the student diverges
    solver = declared(label).solver()
    gaps = 2.0 ** -np.arange(20.0, 46.0, 5.0)
    x = np.stack([1.0 - gaps, np.zeros_like(gaps)], axis=1)
    conjugates = -solver.residual(x, np.full((len(gaps), 1), 3.0))[:, 1]
    assert np.allclose(np.diff(np.log2(conjugates)), 2.5, atol=2e-3)


def test_twice_the_sign_says_what_the_sign_says():
    found = [declared(label).locus("crossing", "alpha", bounds=(0.5, 1.6)) for label in ("2*sign(u)", "sign(u)")]
    values = [locus.special_points[0].parameters["alpha"] for locus in found]
    assert values[0] == pytest.approx(values[1], abs=1e-9)
    assert values[1] == pytest.approx(1.245, abs=5e-4)  # Gyorgyi 1990; Sompolinsky, Tishby and Seung 1990


def test_the_perfect_state_takes_over_where_the_entropy_of_the_other_vanishes():
    model = declared("sign(u-0.4)")
    crossing = model.locus("crossing", "alpha", bounds=(0.5, 1.8)).special_points[0]
    entropy = model.locus("zero-entropy", "alpha", bounds=(0.5, 1.8)).special_points[0]
    assert crossing.parameters["alpha"] == pytest.approx(entropy.parameters["alpha"], abs=1e-8)


def test_a_student_with_the_teachers_shift_finds_the_perfect_state():
    model = declared("sign(u-0.4)", "replica-symmetric", "y*(h-0.4) >= 0")
    solution = model.solve(alpha=2.5)
    assert solution["q"] == solution["r"] == 1.0
