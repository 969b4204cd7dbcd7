"""Gaussian masses of intervals against mpmath."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinodal.numeric import special
from spinodal.numeric.interval import edge_derivatives, log_mass_derivatives

INF = np.inf


def reference(omega, variance, edges, levels, order=4):
    """Derivatives 0 to order of log Z, from raw derivatives of Z with as many digits as their cancellation eats."""
    omega, variance = mp.mpf(omega), mp.mpf(variance)
    sigma = mp.sqrt(variance)

    def tail(x):
        return mp.erfc(x / mp.sqrt(2)) / 2

    raw = [mp.mpf(0)] * 5
    for (a, b), level in zip(edges, levels, strict=True):
        weight = mp.exp(mp.mpf(level))
        x, y = (mp.mpf(a) - omega) / sigma, (mp.mpf(b) - omega) / sigma
        if x > 0:
            mass = tail(x) - tail(y)
        elif y < 0:
            mass = tail(-y) - tail(-x)
        else:
            mass = 1 - tail(-x) - tail(y)
        raw[0] += weight * mass
        for edge, sign in ((x, 1), (y, -1)):
            if mp.isinf(edge):
                continue
            density = sign * weight * mp.npdf(edge)
            for k, hermite in enumerate((1, edge, edge**2 - 1, edge**3 - 3 * edge), 1):
                raw[k] += density * hermite / sigma**k
    r = [part / raw[0] for part in raw]
    cumulants = (
        mp.log(raw[0]),
        r[1],
        r[2] - r[1] ** 2,
        r[3] - 3 * r[2] * r[1] + 2 * r[1] ** 3,
        r[4] - 4 * r[3] * r[1] - 3 * r[2] ** 2 + 12 * r[2] * r[1] ** 2 - 6 * r[1] ** 4,
    )
    return cumulants[: order + 1]


def compare(omega, variance, edges, levels, rtol, slack=0.0):
    """slack, times the natural scale of each derivative at this distance, where a derivative may change sign."""
    with mp.workdps(160):
        expected = [float(c) for c in reference(omega, variance, edges, levels)]
    got = log_mass_derivatives(omega, variance, edges, levels, 4)
    for k, (a, b) in enumerate(zip(got, expected, strict=True)):
        assert abs(a - b) <= rtol[k] * abs(b) + slack * variance ** (-k / 2) + 1e-100, (k, float(a), b)


TIGHT = [2e-13, 2e-13, 2e-13, 5e-12, 1e-11]
SIGN = st.sampled_from([-1.0, 1.0])


@settings(max_examples=60, deadline=None)
@given(st.floats(-3, 4), SIGN, st.sampled_from([1e-3, 1.0, 50.0]))
def test_half_lines(log_distance, sign, variance):
    c = sign * 10**log_distance * variance**0.5
    # The fourth derivative of log H changes sign near x = -1: absolute there.
    slack = 1e-12 if abs(c) < 2 * variance**0.5 else 0.0
    compare(0.25, variance, [(0.25 + c, INF)], [0.0], TIGHT, slack)
    compare(0.25, variance, [(-INF, 0.25 - c)], [0.0], TIGHT, slack)


@settings(max_examples=120, deadline=None)
@given(st.floats(-3, 4), SIGN, st.floats(-6, 2), st.sampled_from([1e-3, 1.0, 50.0]))
def test_one_interval_in_either_tail_narrow_or_wide(log_distance, sign, log_width, variance):
    sigma = variance**0.5
    a = 0.25 + sign * 10**log_distance * sigma
    b = a + 10**log_width * sigma
    # a and b are rounded at the size of the distance: that is the width the function is given, exactly.
    near = min(abs(a), abs(b)) < 3 * sigma
    compare(0.25, variance, [(a, b)], [0.3], TIGHT, 1e-12 if near else 0.0)


@settings(max_examples=60, deadline=None)
@given(st.floats(-3, 1.3), st.floats(0.1, 3.0))
def test_interval_around_the_mean(log_width, asymmetry):
    d = 10**log_width
    compare(0.0, 1.0, [(-d, asymmetry * d)], [0.0], TIGHT, 1e-14)


def test_symmetric_interval_has_no_odd_derivatives():
    for d in (1e-8, 1.0, 20.0):
        parts = log_mass_derivatives(0.0, 1.0, [(-d, d)], order=4)
        assert parts[1] == pytest.approx(0.0, abs=1e-15)
        assert parts[3] == pytest.approx(0.0, abs=1e-15)


@settings(max_examples=60, deadline=None)
@given(st.floats(-40, 40), st.floats(0.5, 700.0), st.sampled_from([0.01, 1.0, 9.0]))
def test_step_with_errors_allowed_at_a_price(x, beta, variance):
    omega = x * variance**0.5
    edges, levels = [(-INF, 0.0), (0.0, INF)], [-beta, 0.0]
    slack = 1e-13 if abs(x) < 3 else 0.0
    compare(omega, variance, edges, levels, [1e-12] * 5, slack * max(1.0, beta))


def test_several_intervals_far_and_near():
    edges, levels = [(-INF, -2.0), (-1.0, 0.5), (0.5, 4.0)], [1.0, -3.0, 0.2]
    for omega in (-1e3, -50.0, -2.5, -1.5, 0.1, 2.0, 30.0, 1e3):
        compare(omega, 1.0, edges, levels, [1e-12] * 5, 1e-13 if abs(omega) < 10 else 0.0)


def test_far_out_step_between_two_heavy_levels():
    # exp(-700) on the right of the edge against a Gaussian tail of exp(-450) there: the components exchange weight.
    for x in (-37.5, -37.40, -37.3):
        compare(x, 1.0, [(-INF, 0.0), (0.0, INF)], [-700.0, 0.0], [1e-10] * 5)


@given(st.floats(-1e4, 1e4), st.sampled_from([1e-6, 1.0, 1e4]))
def test_half_line_reduces_to_the_gaussian_tail(omega, variance):
    sigma = variance**0.5
    direct = special.log_tail_derivatives((0.5 - omega) / sigma, 4)
    for k, part in enumerate(log_mass_derivatives(omega, variance, [(0.5, INF)], order=4)):
        assert part == pytest.approx((-1 / sigma) ** k * direct[k], rel=1e-13, abs=1e-300)


def test_empty_whole_and_mixed_batches():
    lower, upper = np.array([1.0, -INF, 2.0, -INF, 0.0, INF]), np.array([0.0, INF, INF, -1.0, 1e-9, INF])
    parts = log_mass_derivatives(0.3, 2.0, [(lower, upper)], order=4)
    assert parts[0][0] == -INF
    assert parts[0][1] == 0.0
    assert parts[0][5] == -INF
    for part in parts[1:]:
        np.testing.assert_array_equal(part[[0, 1, 5]], 0.0)
    for k in (2, 3, 4):
        alone = log_mass_derivatives(0.3, 2.0, [(lower[k], upper[k])], order=4)
        np.testing.assert_allclose([part[k] for part in parts], alone, rtol=1e-12)
    # An empty interval among others changes nothing.
    two = log_mass_derivatives(0.3, 2.0, [(1.0, 0.0), (0.0, 3.0)], order=4)
    np.testing.assert_allclose(two, log_mass_derivatives(0.3, 2.0, [(0.0, 3.0)], order=4), rtol=1e-14)
    assert log_mass_derivatives(0.3, 2.0, [(1.0, 0.0), (4.0, 3.0)])[0] == -INF
    assert log_mass_derivatives(np.zeros((2, 1)), np.ones(3), [(0.0, 1.0)])[2].shape == (2, 3)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="at least one interval"):
        log_mass_derivatives(0.0, 1.0, [])
    with pytest.raises(ValueError, match="2 intervals but 1 levels"):
        log_mass_derivatives(0.0, 1.0, [(0, 1), (2, 3)], [0.0])
    with pytest.raises(ValueError, match="order must be 0 to 4"):
        log_mass_derivatives(0.0, 1.0, [(0, 1)], order=5)


CASES = {
    "half line": ([(1.0, INF)], [0.0]),
    "interval": ([(1.0, 1.7)], [0.2]),
    "narrow": ([(1.0, 1.001)], [0.2]),
    "two levels": ([(-INF, 1.0), (1.0, INF)], [0.0, -2.0]),
    "three": ([(-INF, -1.0), (-0.5, 1.0), (2.0, 2.5)], [0.0, -2.0, 1.0]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("omega", [-60.0, -2.0, 0.3, 9.0])
def test_derivatives_with_respect_to_edges_and_levels(case, omega):
    edges, levels = CASES[case]
    got = edge_derivatives(omega, 0.8, edges, levels)
    step = mp.mpf(10) ** -40
    for j in range(len(edges)):
        for name, column in (("lower", 0), ("upper", 1), ("log_level", 2)):
            rows = [[mp.mpf(a), mp.mpf(b), mp.mpf(level)] for (a, b), level in zip(edges, levels, strict=True)]
            parts = getattr(got, name)[j]
            if mp.isinf(rows[j][column]):
                assert all(part == 0.0 for part in parts)
                continue
            with mp.workdps(300):
                sides = []
                for sign in (1, -1):
                    moved = [list(row) for row in rows]
                    moved[j][column] += sign * step
                    pairs = [(row[0], row[1]) for row in moved]
                    sides.append(reference(omega, 0.8, pairs, [row[2] for row in moved], 2))
                expected = [float((p - m) / (2 * step)) for p, m in zip(*sides, strict=True)]
            for a, b in zip(parts, expected, strict=True):
                assert a == pytest.approx(b, rel=1e-10, abs=1e-60)


def test_scale_of_speed_is_linear_not_per_element():
    # A guard against Python loops over the batch, not a timing: half a million elements in one call.
    omega = np.linspace(-5, 5, 100_000)
    assert np.all(np.isfinite(log_mass_derivatives(omega, 1.0, [(-1.0, 1.0)])[2]))
