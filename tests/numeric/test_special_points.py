"""Locating special points: extrapolation, ranges, failures with a reason."""

from __future__ import annotations

import numpy as np
import pytest

import spinodal
from spinodal.numeric.extrapolation import extrapolate


def test_extrapolation_recovers_a_limit_and_bounds_its_error() -> None:
    gaps = 0.25 ** np.arange(4, 14)
    for values, limit in (
        (2.0 - 3.0 * gaps + 5.0 * gaps**2, 2.0),
        (0.7 + np.sqrt(gaps) - 0.3 * gaps, 0.7),
        (1.3 + gaps * 0.1, 1.3),
    ):
        found, error = extrapolate(gaps, values)
        assert abs(found - limit) <= error + 1e-13
        assert error < 1e-6


def test_a_grid_of_margins() -> None:
    model = spinodal.load("binary-perceptron")
    locus = model.locus(of="zero-entropy", along="alpha", over=("kappa", [0.0, 0.5]))
    assert locus.converged
    np.testing.assert_allclose(locus.values, [0.8330785997, 0.4556645645], atol=1e-10)
    np.testing.assert_allclose(locus.over_values, [0.0, 0.5])
    assert locus.to_xarray()["alpha"].shape == (2,)


def test_along_the_inverse() -> None:
    model = spinodal.load("binary-perceptron")
    (point,) = model.locus(of="zero-entropy", along="1/alpha", bounds=(0.5, 8.0), kappa=0.0).special_points
    assert point.parameters["alpha"] == pytest.approx(0.8330785997, abs=1e-10)


def test_zero_of_any_observable() -> None:
    # entropy = energy has no meaning, but zero:free_entropy must agree with zero-entropy for counted weights
    model = spinodal.load("binary-perceptron")
    (point,) = model.locus(of="zero:free_entropy", along="alpha", kappa=0.2).special_points
    (other,) = model.locus(of="zero-entropy", along="alpha", kappa=0.2).special_points
    assert point.parameters["alpha"] == pytest.approx(other.parameters["alpha"], abs=1e-11)


def test_nothing_in_the_range_is_a_failure_with_a_reason() -> None:
    model = spinodal.load("binary-perceptron")
    (point,) = model.locus(of="zero-entropy", along="alpha", bounds=(0.1, 0.4), kappa=0.0).special_points
    assert not point.converged
    assert point.failure is not None
    assert "entropy" in point.failure.reason
    assert point.to_json()["parameters"]["alpha"] is None
    (point,) = (
        spinodal.load("spherical-perceptron")
        .locus(of="capacity", along="alpha", bounds=(0.1, 0.5), kappa=0.0)
        .special_points
    )
    assert not point.converged or point.parameters["alpha"] == pytest.approx(2.0, abs=1e-8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"of": "zero-entropie", "along": "alpha"}, "kind of special point"),
        ({"of": "zero-entropy", "along": "alhpa"}, "alhpa"),
        ({"of": "zero-entropy", "along": "kappa"}, "range"),
        ({"of": "zero-entropy", "along": "alpha", "over": ("kapa", [0.1])}, "kapa"),
        ({"of": "zero:nothing", "along": "alpha"}, "zero:nothing"),
        ({"of": "zero-entropy", "along": "alpha", "bounds": (2.0, 2.0)}, "range"),
    ],
)
def test_what_cannot_be_located_is_said_at_once(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(spinodal.SpecError, match=message):
        spinodal.load("binary-perceptron").locus(**arguments)  # type: ignore[arg-type]
