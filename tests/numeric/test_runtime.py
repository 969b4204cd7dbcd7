"""What generated modules call: steps, planted nodes, differences, high derivatives of log H."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.special import sici

from spinodal.numeric import densities, runtime


def test_ratio_of_nothing_to_nothing_is_nothing() -> None:
    np.testing.assert_array_equal(runtime.ratio(np.array([0.0, 1.0]), np.array([0.0, 4.0])), [0.0, 0.25])


def test_arccos_forgives_rounding_only() -> None:
    with np.errstate(invalid="ignore"):
        found = runtime.arccos(np.array([1.0 + 1e-12, -1.0 - 1e-12, 0.5, 1.1]))
    np.testing.assert_allclose(found[:3], [0.0, np.pi, np.pi / 3])
    assert np.isnan(found[3])


def test_steps_are_finite_whatever_the_slope() -> None:
    centre, width = runtime.step(np.array([1.0, 1.0, 0.0, -3.0, np.nan]), np.array([0.0, 1e-14, 0.0, 1e8, 1.0]))
    assert np.all(np.isfinite(centre))
    assert np.all(width > 0)
    centre, width = runtime.step(np.array([-2.0]), np.array([4.0]))
    assert centre[0] == pytest.approx(0.5)
    assert width[0] == pytest.approx(0.25)


@pytest.mark.parametrize("order", range(1, 7))
def test_derivatives_of_log_h(order: int) -> None:
    x = np.array([-6.0, -2.0, 0.0, 1.5, 4.0])
    found = runtime.log_tail_slopes(x, order)[order - 1]
    with mpmath.workdps(60):
        exact = [
            float(mpmath.diff(lambda t: mpmath.log(mpmath.erfc(t / mpmath.sqrt(2)) / 2), mpmath.mpf(v), order)) for v in x
        ]
    np.testing.assert_allclose(found, exact, rtol=1e-7 if order > 4 else 1e-11, atol=1e-12)


@pytest.mark.parametrize("cuts", [[], [0.3], [-1.0, 0.3, 2.0]])
def test_planted_normal_nodes(cuts: list[float]) -> None:
    z, w = runtime.normal_nodes([np.full((1, 1), c) for c in cuts], 100)
    assert float(np.sum(w)) == pytest.approx(1.0, abs=1e-13)
    assert float(np.sum(w * z**2)) == pytest.approx(1.0, abs=1e-12)
    for c in cuts:
        from scipy.special import ndtr

        assert float(np.sum(w * (z > c))) == pytest.approx(ndtr(-c), abs=1e-12)


def test_half_normal_nodes() -> None:
    s, w = runtime.half_normal_nodes([], 100)
    assert np.all(s >= 0)
    assert float(np.sum(w)) == pytest.approx(1.0, abs=1e-13)
    assert float(np.sum(w * s)) == pytest.approx(np.sqrt(2 / np.pi), abs=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_density_nodes_find_the_mass(scale: float) -> None:
    z, w = densities.density_nodes(lambda x: -np.abs(x) / scale, [np.zeros((1, 1))], 100)
    assert float(np.sum(w * z**2)) == pytest.approx(2 * scale**2, rel=1e-9)
    z, w = densities.density_nodes(lambda x: -((x / scale - 3.0) ** 2) / 2, [], 100)
    assert float(np.sum(w * z)) == pytest.approx(3 * scale, rel=1e-9)
    assert float(np.sum(w * np.cos(z / scale))) == pytest.approx(np.cos(3.0) * np.exp(-0.5), rel=1e-8)


def test_differences_are_accurate() -> None:
    at = np.array([[0.7, 2.0], [1.3, -1.0]])
    found = runtime.difference(lambda p: np.sin(p[:, 0]) * np.exp(p[:, 1]), at, 1)
    np.testing.assert_allclose(found, np.sin(at[:, 0]) * np.exp(at[:, 1]), rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_what_changes_fast_beside_the_kink_of_a_density_is_averaged_to_all_digits(scale: float) -> None:
    """E 1/(1 + x^2/s^2) over e^-x: s (Ci(s) sin s + (pi/2 - Si(s)) cos s); one Gauss rule has 1e-2 at s = 0.3."""
    errors = []
    for n in (60, 120, 240):
        z, w = densities.density_nodes(lambda x: -np.abs(x) / scale, [np.zeros((1, 1))], n)
        for s in (0.3, 1.0):
            sine, cosine = sici(s)
            exact = s * (cosine * np.sin(s) + (np.pi / 2 - sine) * np.cos(s))
            errors.append(abs((w / (1.0 + (z / (s * scale)) ** 2)).sum() - exact))
    wide = np.array(errors).reshape(3, 2)
    assert np.all(wide[0] < 2e-4)
    assert np.all(wide[1] < 2e-8)
    assert np.all(wide[2] < 1e-13)


def test_intervals_of_a_density_meet_between_two_of_its_splits() -> None:
    ends = [np.full((1, 1), -1.0), np.full((1, 1), 1.0)]
    for n, accuracy in ((60, 1e-6), (120, 1e-12)):
        z, w = densities.density_nodes(lambda x: np.where(np.abs(x) < 1, 0.0, -np.inf), ends, n)
        assert (w * np.exp(z)).sum() == pytest.approx(np.sinh(1.0), abs=accuracy)
        assert (w * np.cosh(3 * z)).sum() == pytest.approx(np.sinh(3.0) / 3, abs=accuracy)
