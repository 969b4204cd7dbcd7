"""Numerical inner averages against closed forms and mpmath."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinodal.numeric import special
from spinodal.numeric.interval import log_mass_derivatives
from spinodal.numeric.tilted import density_averages, density_cumulants, log_average, tilted_averages

OMEGA = np.array([-1000.0, -30.0, -3.0, -0.4, 0.0, 1.0, 6.0])


def close(got, expected, sigma, rtol=1e-11, atol=2e-13):
    """Relative to the derivative, and absolute relative to its natural unit sigma^-k."""
    for k, (a, b) in enumerate(zip(got, expected, strict=True)):
        np.testing.assert_array_less(np.abs(a - b), rtol * np.abs(b) + atol * sigma ** (-k), err_msg=f"order {k}")


@pytest.mark.parametrize("sigma", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("beta", [0.5, 100.0, np.inf])
def test_steps(sigma, beta):
    omega = 0.2 + OMEGA * sigma
    got = log_average(lambda h: np.where(h > 0.2, 0.0, -beta), omega, sigma**2, [0.2], 4)
    edges = [(0.2, np.inf)] if np.isinf(beta) else [(-np.inf, 0.2), (0.2, np.inf)]
    expected = log_mass_derivatives(omega, sigma**2, edges, [0.0] if np.isinf(beta) else [-beta, 0.0], 4)
    close(got, expected, sigma, rtol=1e-10)


def test_intervals_with_splits_in_any_order():
    got = log_average(lambda h: np.where(np.abs(h) < 1, 0.0, -np.inf), OMEGA, 1.0, [1.0, -1.0], 4)
    close(got, log_mass_derivatives(OMEGA, 1.0, [(-1.0, 1.0)], None, 4), 1.0)


@settings(max_examples=40, deadline=None)
@given(st.floats(-2, 4), st.floats(-4, 4), st.floats(-100, 100))
def test_square_loss_is_found_however_narrow_and_far(log_beta, log_variance, omega):
    beta, variance = 10**log_beta, 10**log_variance
    got = log_average(lambda h: -0.5 * beta * (h - 1.0) ** 2, omega, variance, (), 4)
    s = 1.0 + beta * variance
    expected = (
        -0.5 * np.log(s) - 0.5 * beta * (omega - 1.0) ** 2 / s,
        -beta * (omega - 1.0) / s,
        -beta / s,
        0.0,
        0.0,
    )
    # log f itself, up to 1e8 here, is rounded; its noise comes back divided by sigma^k.
    noise = 1e-15 * beta * (abs(omega) + 1.0 + 10 * variance**0.5) ** 2
    close(got, expected, variance**0.5, rtol=1e-11, atol=1e-12 + noise)


def hinge_reference(omega, beta):
    with mp.workdps(40):
        omega = mp.mpf(omega)

        def log_z(t):
            def tail(x):
                return mp.erfc(x / mp.sqrt(2)) / 2

            return mp.log(tail(1 - t) + mp.exp(-beta * (1 - t) + mp.mpf(beta) ** 2 / 2) * tail(beta + t - 1))

        return [float(c * mp.factorial(k)) for k, c in enumerate(mp.taylor(log_z, omega, 4))]


@pytest.mark.parametrize("beta", [0.3, 5.0, 40.0])
@pytest.mark.parametrize("omega", [-12.0, -1.0, 0.7, 2.5])
def test_hinge_loss_with_its_kink_declared(beta, omega):
    got = log_average(lambda h: -beta * np.maximum(1.0 - h, 0.0), omega, 1.0, [1.0], 4)
    close(got, hinge_reference(omega, beta), 1.0, rtol=1e-10, atol=1e-11)


def test_error_estimate_by_doubling_is_honest_where_it_is_not_converged():
    def log_f(h):
        return -special.log1p_exp(-40.0 * h)

    coarse, fine, exact = (log_average(log_f, OMEGA, 1.0, (), 2, nodes=n) for n in (48, 96, 768))
    for a, b, c in zip(coarse, fine, exact, strict=True):
        assert np.max(np.abs(b - c)) < 1e-4
        assert np.max(np.abs(b - c)) <= np.max(np.abs(a - b)) + 1e-13


def test_splits_around_a_steep_but_smooth_region_restore_the_accuracy():
    def log_f(h):
        return -special.log1p_exp(-40.0 * h)

    exact = log_average(log_f, OMEGA, 1.0, (), 2, nodes=768)
    for a, b in zip(log_average(log_f, OMEGA, 1.0, [-0.2, 0.0, 0.2], 2), exact, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_batch_parameters_shapes_and_infinite_splits():
    beta = np.array([[1.0], [2.0]])
    omega = np.array([0.1, 0.2, 0.3])
    got = log_average(lambda h: -0.5 * beta[..., None] * h * h, omega + 0 * beta, 1.0, [np.inf, np.nan], 2)
    assert got[2].shape == (2, 3)
    np.testing.assert_allclose(got[2], np.broadcast_to(-beta / (1 + beta), (2, 3)), rtol=1e-12)
    nothing = log_average(lambda h: np.full(h.shape, -np.inf), omega, 1.0, [0.0], 4)
    assert np.all(nothing[0] == -np.inf)
    for part in nothing[1:]:
        np.testing.assert_array_equal(part, 0.0)
    with pytest.raises(ValueError, match="order must be 0 to 4"):
        log_average(lambda h: h, 0.0, 1.0, (), 5)


def test_tilted_averages_of_functions_and_their_derivatives():
    beta, variance = 3.0, 0.7
    s = 1.0 + beta * variance
    derivatives, averages = tilted_averages(
        lambda h: -0.5 * beta * h * h, [lambda h: h, lambda h: h * h, np.ones_like], OMEGA, variance, (), 2, 3
    )
    mean, spread = OMEGA / s, variance / s
    np.testing.assert_allclose(derivatives[1], -beta * OMEGA / s, rtol=1e-12, atol=1e-13)
    close(averages[0], (mean, 1 / s + 0 * mean, 0 * mean, 0 * mean), 1.0, rtol=1e-11, atol=1e-11)
    squares = (mean**2 + spread, 2 * mean / s, 2 / s**2 + 0 * mean, 0 * mean)
    close(averages[1], squares, 1.0, rtol=1e-10, atol=1e-8)
    close(averages[2], (1 + 0 * mean, 0 * mean, 0 * mean, 0 * mean), 1.0)


def test_energy_is_the_derivative_with_respect_to_beta():
    def value(beta):
        return log_average(lambda h: -beta * np.maximum(1.0 - h, 0.0) ** 2, OMEGA[1:], 0.5, [1.0], 0)[0]

    _, ((energy,),) = tilted_averages(
        lambda h: -2.0 * np.maximum(1.0 - h, 0.0) ** 2,
        [lambda h: np.maximum(1.0 - h, 0.0) ** 2],
        OMEGA[1:],
        0.5,
        [1.0],
    )
    slope = (value(2.0 + 1e-4) - value(2.0 - 1e-4)) / 2e-4
    np.testing.assert_allclose(-energy, slope, rtol=1e-7, atol=1e-11)


@pytest.mark.parametrize("v", [-1e6, -50.0, -1.0, 0.0, 0.9])
def test_gaussian_density(v):
    h = np.array([-1e3, -5.0, 0.0, 0.1, 40.0]) * max(1.0, abs(v)) ** 0.5
    got = density_cumulants(lambda w: -0.5 * w * w - 0.5 * np.log(2 * np.pi), h, v, (), 4)
    width = (1 - v) ** -0.5
    expected = (0.5 * h * h / (1 - v) - 0.5 * np.log(1 - v), h / (1 - v), width**2, 0.0, 0.0)
    # The log-density at the peak, up to 1e8, is rounded.
    noise = 1e-15 * h**2 / (1 - v) ** 2
    for k, (a, b) in enumerate(zip(got, expected, strict=True)):
        assert np.all(np.abs(a - b) <= 1e-12 * np.abs(b) + (1e-11 + 30 * noise) * width**k), k


@pytest.mark.parametrize("h", [-1e4, -3.0, 1e-3, 0.8, 60.0])
def test_uniform_density_between_declared_ends(h):
    got = density_cumulants(lambda w: np.where(np.abs(w) < 1, -np.log(2.0), -np.inf), h, 0.0, [-1.0, 1.0], 4)
    with mp.workdps(60):
        t = mp.mpf(h)
        sinh2 = mp.csch(t) ** 2
        expected = (
            mp.log(mp.sinh(t) / t),
            mp.coth(t) - 1 / t,
            1 / t**2 - sinh2,
            2 * mp.coth(t) * sinh2 - 2 / t**3,
            6 / t**4 - 4 * mp.coth(t) ** 2 * sinh2 - 2 * sinh2**2,
        )
        expected = [float(e) for e in expected]
    width = expected[2] ** 0.5
    for k, (a, b) in enumerate(zip(got, expected, strict=True)):
        assert abs(a - b) <= 1e-12 * abs(b) + 1e-13 * width**k, k


def test_density_with_a_kink_and_its_averages():
    # Laplace density: cumulant function -log(1 - h^2).
    h = np.array([-0.9, -0.2, 0.0, 0.5])
    got = density_cumulants(lambda w: -np.abs(w) - np.log(2.0), h, 0.0, [0.0], 3)
    np.testing.assert_allclose(got[0], -np.log1p(-h * h), atol=1e-11)
    np.testing.assert_allclose(got[1], 2 * h / (1 - h * h), rtol=1e-10, atol=1e-12)
    ((mean, slope),) = density_averages(lambda w: -np.abs(w), [lambda w: w], h, 0.0, [0.0], 1)
    np.testing.assert_allclose(mean, got[1], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(slope, got[2], rtol=1e-12)


def test_no_mass_is_lost_between_two_panels():
    """At a step far from both ends of a panel; it once hung on rounding, for some omega of many."""
    omega = np.linspace(-6.0, 6.0, 2001)
    got = log_average(lambda h: np.where(h > 0.5, 0.0, -2.5), omega, 0.6, [0.5], 2)
    for value, exact in zip(
        got, log_mass_derivatives(omega, 0.6, [(-np.inf, 0.5), (0.5, np.inf)], [-2.5, 0.0], 2), strict=True
    ):
        np.testing.assert_allclose(value, exact, rtol=0.0, atol=1e-12)
    smooth = log_average(lambda h: -2.5 * np.maximum(0.0, 0.5 - h) ** 3, omega, 0.6, [0.5], 0)[0]
    assert np.max(np.abs(np.diff(smooth, 4))) < 2e-9  # 6e-10 where nothing is lost, 3e-8 from one lost strip of 6e-9
