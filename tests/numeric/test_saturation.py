"""The saturated (perfect) state: its free entropy against what is known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest

import spinodal
from spinodal.numeric.bound import Bound
from spinodal.numeric.extrapolation import extrapolate
from spinodal.numeric.saturation import saturated_state


@pytest.fixture(scope="module")
def noisy() -> spinodal.Model:
    overrides = {"teacher.flip_probability": "rho", "parameters.rho": 0.05}
    return spinodal.load("binary-teacher-student", ansatz="bayes-optimal", overrides=overrides)


@pytest.mark.parametrize(("alpha", "rho"), [(0.5, 0.45), (1.2, 0.001), (1.4, 0.01), (1.8, 0.05), (2.5, 0.1), (3.0, 0.2)])
def test_free_entropy_of_the_teacher_itself(noisy: spinodal.Model, alpha: float, rho: float) -> None:
    """A student frozen onto the teacher has nothing left but the noise of the labels: phi = -alpha H(rho)."""
    module = noisy.solver()
    state = saturated_state(Bound(module, module.RULE), np.array([[alpha, 0.0, rho]]), "", with_observables=False)
    assert state is not None
    error = abs(state.free_entropy - alpha * (rho * math.log(rho) + (1.0 - rho) * math.log(1.0 - rho)))
    assert error < 5e-11
    assert error <= state.error_estimate < 1e-9


def test_with_bayes_optimality_the_transition_is_where_the_entropy_vanishes(noisy: spinodal.Model) -> None:
    """On the Nishimori line the perfect state has entropy 0, so that equal free entropies mean zero entropy."""
    (crossing,) = noisy.locus("crossing", "alpha", bounds=(0.5, 3.0), rho=0.05).special_points
    (zero,) = noisy.locus("zero-entropy", "alpha", bounds=(0.5, 3.0), rho=0.05).special_points
    difference = abs(crossing.parameters["alpha"] - zero.parameters["alpha"])
    assert difference < 1e-9
    assert difference <= crossing.error_estimate + zero.error_estimate


@pytest.mark.parametrize("scheme", ["replica-symmetric", "bayes-optimal"])
def test_the_error_of_a_free_entropy_that_vanishes_is_honest(scheme: str) -> None:
    """A student that is the teacher without noise: phi = 0 exactly, of terms that cancel and grow with alpha."""
    module = spinodal.load("binary-teacher-student", ansatz=scheme).solver()
    for alpha in (1.5, 3.0, 5.0, *np.geomspace(1.6, 1000.0, 40)):
        state = saturated_state(Bound(module, module.RULE), np.array([[alpha, 0.0]]), "", with_observables=False)
        assert state is not None
        assert abs(state.free_entropy) <= state.error_estimate < 1e-10 * (1.0 + alpha)


def test_extrapolations_of_rounded_values_carry_what_rounding_may_become() -> None:
    """Values a + b g^(1/2) + c g rounded as sums of terms of size g^(-1/2) are: the limit is a."""
    gaps = 2.0 ** -np.arange(10.0, 50.0, 2.0)
    generator = np.random.default_rng(7)
    rounding = 4.0 * np.finfo(float).eps / np.sqrt(gaps)
    for _ in range(200):
        limit, slope, curvature = generator.normal(size=3)
        exact = limit + slope * np.sqrt(gaps) + curvature * gaps
        found, error = extrapolate(gaps, exact + rounding * generator.uniform(-1.0, 1.0, gaps.size), rounding)
        assert abs(found - limit) <= error < 1e-9
