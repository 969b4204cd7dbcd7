"""Special functions against mpmath, and their identities."""

import itertools

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_ndtr

from spinodal.numeric import special

POINTS = np.concatenate([[-40.0, -37.0, -20.0, -8.0, -3.0, -1.0, -0.3, -1e-9, 0.0], np.geomspace(1e-9, 1e8, 35)])
REAL = st.floats(-700, 700)


def tail_reference(x):
    """Derivatives 0 to 4 of log H, and Mills(x) - x, from the polynomials in Mills with enough digits to cancel."""
    with mp.workdps(120):
        x = mp.mpf(x)
        h = mp.erfc(x / mp.sqrt(2)) / 2
        m = mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi) / h
        d = m - x
        log_h = mp.log1p(-mp.erfc(-x / mp.sqrt(2)) / 2) if x < 0 else mp.log(h)
        third = m * (1 - d * (m + d))
        fourth = m * (d * (1 - d * (m + d)) - (m * d - 1) * (m + d) - d * (m * d + m * d - 1))
        return [float(v) for v in (log_h, -m, -m * d, third, fourth, d)]


@pytest.fixture(scope="module")
def references():
    return np.array([tail_reference(x) for x in POINTS]).T


@pytest.mark.parametrize("order", range(5))
def test_log_tail_derivatives_have_relative_accuracy_everywhere(references, order):
    value = special.log_tail_derivatives(POINTS, 4)[order]
    right = POINTS >= 0
    np.testing.assert_allclose(value[right], references[order][right], rtol=3e-15)
    np.testing.assert_allclose(value[~right], references[order][~right], rtol=1e-12, atol=1e-300)


def test_mills_minus_x_does_not_cancel(references):
    np.testing.assert_allclose(special.mills_minus_x(POINTS), references[5], rtol=1e-14)
    np.testing.assert_allclose(special.mills(POINTS), -references[1], rtol=1e-12, atol=1e-300)
    assert special.mills(1e30) == 1e30
    assert special.mills_minus_x(1e30) == pytest.approx(1e-30, rel=1e-15)


def test_reference_is_itself_a_derivative():
    with mp.workdps(40):
        for x in (-2.5, 0.3, 4.0):
            taylor = mp.taylor(lambda t: mp.log(mp.erfc(t / mp.sqrt(2)) / 2), x, 4)
            derivatives = [float(c * mp.factorial(k)) for k, c in enumerate(taylor)]
            np.testing.assert_allclose(tail_reference(x)[:5], derivatives, rtol=1e-10)


@pytest.mark.parametrize("order", range(1, 5))
def test_slopes_are_the_derivatives_without_the_value(order):
    full = special.log_tail_derivatives(POINTS, order)
    for slope, derivative in zip(special.log_tail_slopes(POINTS, order), full[1:], strict=True):
        np.testing.assert_array_equal(slope, derivative)


@given(REAL)
def test_tail_agrees_with_scipy_and_reflects(x):
    assert special.log_gaussian_tail(x) == pytest.approx(log_ndtr(-x), rel=1e-12)
    assert special.gaussian_tail(x) + special.gaussian_tail(-x) == pytest.approx(1.0, rel=1e-15)
    m, d = special.mills_family(x)
    assert m == special.mills(x)
    assert m > max(x, 0.0) or x < -38
    assert d == pytest.approx(float(m) - x, abs=1e-13 * max(1.0, abs(x)))


def test_error_functions_are_the_tail():
    x = np.array([-3.0, -0.2, 0.0, 1e-12, 1.0, 20.0])
    np.testing.assert_allclose(special.erfc(x), 2 * special.gaussian_tail(np.sqrt(2) * x), rtol=1e-12)
    np.testing.assert_allclose(special.erf(x)[:5], 1 - special.erfc(x)[:5], atol=2e-16)


def test_infinities_nan_shapes_and_blocks():
    assert special.gaussian_tail([np.inf, -np.inf]).tolist() == [0.0, 1.0]
    assert special.log_gaussian_tail([np.inf, -np.inf]).tolist() == [-np.inf, 0.0]
    derivatives = special.log_tail_derivatives(np.array([np.inf, -np.inf, 1e300, -1e300]), 4)
    np.testing.assert_array_equal(derivatives[2], [-1.0, 0.0, -1.0, 0.0])
    for part in derivatives[3:]:
        np.testing.assert_array_equal(part, np.zeros(4))
    assert np.isnan(special.mills(np.array([np.nan, 1.0]))).tolist() == [True, False]
    assert special.mills(0.5).shape == ()
    assert special.mills(np.zeros((0, 3))).shape == (0, 3)
    x = np.linspace(-9, 30, 20001).reshape(3, -1)
    np.testing.assert_allclose(special.mills(x)[1], special.mills(x[1]), rtol=1e-15)
    np.testing.assert_array_equal(special.mills(x.T), special.mills(x).T)


@pytest.mark.parametrize("function", [special.log_tail_derivatives, special.binary_cumulants])
def test_orders_are_checked(function):
    with pytest.raises(ValueError, match="order must be 0 to 4, not 5"):
        function(0.0, 5)


def test_binary_cumulants_keep_relative_precision():
    h = np.array([-100.0, -3.0, -1e-8, 0.0, 0.2, 20.0, 100.0, 300.0])
    got = special.binary_cumulants(h, 4)
    fifth, sixth = special.binary_slopes(h, 6)[4:]
    with mp.workdps(400):
        for k, x in enumerate(h):
            t = mp.tanh(mp.mpf(x))
            s = 1 - t * t
            expected = [mp.log(2 * mp.cosh(mp.mpf(x))), t, s, -2 * t * s, s * (4 - 6 * s)]
            np.testing.assert_allclose([part[k] for part in got], [float(e) for e in expected], rtol=2e-15)
            higher = [t * s * (24 * s - 8), s * (16 - 120 * s + 120 * s * s)]
            np.testing.assert_allclose([fifth[k], sixth[k]], [float(e) for e in higher], rtol=2e-14)
    np.testing.assert_array_equal(special.sech2(h), got[2])
    np.testing.assert_array_equal(special.log_two_cosh(h), got[0])
    np.testing.assert_allclose(special.log1p_exp([-800.0, -50.0, 0.0, 800.0]), [0, np.exp(-50.0), np.log(2), 800])


@given(st.floats(-300, 300), st.floats(-1e6, 1e6))
def test_two_values_are_binary(h, v):
    discrete = special.discrete_cumulants(h, v, [-1.0, 1.0], [0.0, 0.0], 4)
    binary = list(special.binary_cumulants(h, 4))
    binary[0] = binary[0] + v / 2
    for a, b in zip(discrete, binary, strict=True):
        assert a == pytest.approx(float(b), rel=1e-13, abs=1e-300)


@given(st.floats(-700, 700), st.floats(-50, 50), st.sampled_from([(-1.0, 1.0), (0.0, 1.0), (-2.0, 0.5)]))
def test_two_values_agree_with_the_general_case(h, v, values):
    two = special.discrete_cumulants(h, v, values, [0.2, -0.5], 4)
    general = special.discrete_cumulants(h, v, [*values, 0.0], [0.2, -0.5, -np.inf], 4)
    for k, (a, b) in enumerate(zip(two, general, strict=True)):
        scale = 0.0 if k in (0, 2) else 1e-14 if k == 1 else 1e-13 * float(two[2])
        assert a == pytest.approx(float(b), rel=1e-12, abs=scale + 1e-300)


def discrete_reference(h, v, values, log_weights):
    with mp.workdps(700):
        w = [mp.mpf(x) for x in values]
        p = [mp.exp(mp.mpf(lw) + mp.mpf(h) * x + mp.mpf(v) * x * x / 2) for lw, x in zip(log_weights, w, strict=True)]
        z = mp.fsum(p)
        mean = mp.fsum(a * x for a, x in zip(p, w, strict=True)) / z
        m = [mp.fsum(a * (x - mean) ** k for a, x in zip(p, w, strict=True)) / z for k in range(5)]
        return [float(c) for c in (mp.log(z), mean, m[2], m[3], m[4] - 3 * m[2] ** 2)]


@settings(max_examples=60)
@given(
    st.sampled_from([-1e6, -300.0, -20.0, -1.5, 0.0, 0.7, 8.0, 90.0, 1e6]),
    st.sampled_from([-1e6, -40.0, 0.0, 3.0, 1e6]),
    st.lists(st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.3, 1.0, 3.0]), min_size=2, max_size=5, unique=True),
)
def test_discrete_cumulants_against_mpmath(h, v, values):
    log_weights = np.log(np.arange(1.0, len(values) + 1))
    got = special.discrete_cumulants(h, v, values, log_weights, 4)
    expected = discrete_reference(h, v, values, log_weights)
    # The exponents, up to 1e7, are rounded; beyond that everything is relative, third and fourth up to their zeros.
    rounding = 1e-15 * (abs(h) + abs(v)) * 10 + 1e-13
    floor = [1e-15, 1e-15 * max(map(abs, values)), 0.0, 0.0, 0.0]  # the logarithm and the mean may vanish by cancellation
    for k, (a, b) in enumerate(zip(got, expected, strict=True)):
        scale = abs(b) if k < 3 else max(abs(b), abs(expected[2]))
        assert abs(a - b) <= rounding * scale + 1e-300 + floor[k], k


def test_discrete_batches_excluded_values_and_extra_axes():
    h = np.linspace(-2, 2, 6).reshape(2, 3)
    values = np.array([-1.0, 0.0, 1.0])
    weights = np.array([0.0, -np.inf, 0.0])
    got = special.discrete_cumulants(h, 0.5, values, weights, 2)
    assert got[0].shape == (2, 3)
    np.testing.assert_allclose(got[1], np.tanh(h), rtol=1e-14)
    batch = np.stack([values, 2 * values])[:, None, :]
    got = special.discrete_cumulants(h, 0.0, batch, weights, 2)
    np.testing.assert_allclose(got[1], [np.tanh(h[0]), 2 * np.tanh(2 * h[1])], rtol=1e-14)


@pytest.mark.parametrize(("h", "v"), list(itertools.product([-30.0, 0.0, 0.4, 50.0], [-2.0, 0.0, 1.0])))
def test_discrete_mean_and_its_derivatives(h, v):
    values, log_weights, observable = [-1.0, 0.0, 0.5, 2.0], [0.0, 0.3, -1.0, -2.0], [3.0, -1.0, 0.2, 1.0]
    got = special.discrete_mean(h, v, values, log_weights, observable, 3)

    def average(t):
        p = [mp.exp(lw + t * w + v * mp.mpf(w) ** 2 / 2) for lw, w in zip(log_weights, values, strict=True)]
        return mp.fsum(a * o for a, o in zip(p, observable, strict=True)) / mp.fsum(p)

    with mp.workdps(50):
        expected = [float(c * mp.factorial(k)) for k, c in enumerate(mp.taylor(average, mp.mpf(h), 3))]
    np.testing.assert_allclose(got[:3], expected[:3], rtol=1e-11)
    np.testing.assert_allclose(got[3], expected[3], rtol=1e-9, atol=1e-12 * abs(expected[1]))


def test_a_value_without_weight_counts_for_nothing():
    h = np.array([-3.0, 0.0, 0.7])
    values, log_weights = [-1.0, 0.0, 1.0], [np.log(0.5), -np.inf, np.log(0.5)]
    got = special.discrete_mean(h, 0.3, values, log_weights, log_weights, 1)  # its log-probability is infinite
    np.testing.assert_allclose(got[0], np.log(0.5), rtol=1e-15)
    np.testing.assert_allclose(got[1], 0.0, atol=1e-15)


def test_mean_of_the_values_is_the_first_cumulant():
    h = np.linspace(-40, 40, 9)
    values, log_weights = [-1.0, 0.2, 1.0], [0.0, 0.0, 0.5]
    cumulants = special.discrete_cumulants(h, 0.3, values, log_weights, 4)
    means = special.discrete_mean(h, 0.3, values, log_weights, values, 3)
    for a, b in zip(cumulants[1:], means, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
