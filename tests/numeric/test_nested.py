"""Tilted averages on nodes that follow the weight, against closed forms: Gaussian tilts, and integer powers of 2 cosh."""

from __future__ import annotations

from math import lgamma

import numpy as np
import pytest
from scipy.special import logsumexp

from spinodal.numeric import nested, special
from spinodal.numeric.quadrature import Automatic


def gaussian_tilt(rule, centre, stiffness):
    """Log E[e^w], <z> and <z^2> for w = -stiffness (z - centre)^2 / 2, at every outer node."""

    def search(_rule, z, c, a):
        return -0.5 * a * (z - c) ** 2, -a * (z - c), -a + 0.0 * z

    def kernel(_rule, z, weight, shift, c, a):
        t, log_norm = nested.tilt(weight, shift, -0.5 * a * (z - c) ** 2)
        return log_norm, np.vecdot(t, z), np.vecdot(t, z * z)

    return nested.tilted(kernel, search, rule, [], centre, stiffness)


@pytest.mark.parametrize("stiffness", [1e-3, 1.0, 1e3, 1e8])
@pytest.mark.parametrize("centre", [0.0, -7.0, 300.0])
def test_a_gaussian_tilt_anywhere_and_of_any_width(centre: float, stiffness: float) -> None:
    log_norm, mean, square = gaussian_tilt(Automatic(100), np.full((1, 3), centre), np.full((1, 1), stiffness))
    variance = 1 / (1 + stiffness)
    exact = centre * stiffness * variance
    expected = 0.5 * np.log(variance) - 0.5 * stiffness * variance * centre**2
    assert log_norm.shape == (1, 3)
    assert log_norm == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert mean == pytest.approx(exact, rel=1e-12, abs=1e-12)
    # z is rounded by eps times its distance from 0
    assert square - mean**2 == pytest.approx(variance, rel=1e-10, abs=1e-14 * (1 + centre**2))


def two_cosh_power(rule, omega, root, m):
    """Log E[(2 cosh(omega + root z))^m] and the tilted mean of tanh."""

    def search(_rule, z, x0, c, m):
        value, first, second = special.binary_cumulants(x0 + c * z, 2)
        return m * value, m * c * first, m * c * c * second

    def kernel(_rule, z, weight, shift, x0, c, m):
        value, first = special.binary_cumulants(x0 + c * z, 1)
        t, log_norm = nested.tilt(weight, shift, m * value)
        return log_norm, np.vecdot(t, first)

    return nested.tilted(kernel, search, rule, [(omega, root)], omega, root, m)


def binomial(omega: float, root: float, m: int) -> float:
    """The same by expanding the power: sum_k C(m, k) exp((m - 2 k) omega + (m - 2 k)^2 root^2 / 2)."""
    k = np.arange(m + 1)
    chosen = np.array([lgamma(m + 1) - lgamma(j + 1) - lgamma(m - j + 1) for j in k])
    return float(logsumexp(chosen + (m - 2 * k) * omega + ((m - 2 * k) * root) ** 2 / 2))


@pytest.mark.parametrize(
    ("root", "m"), [(r, m) for r in (1e-3, 0.1, 0.5, 2.0) for m in (1, 2, 10, 100, 1000) if r * m <= 200]
)
def test_integer_powers_with_one_and_with_two_maxima(m: int, root: float) -> None:
    omegas = np.array([[0.0, 1e-4, 0.02, 0.7, -3.0]])
    log_norm, _ = two_cosh_power(Automatic(100), omegas, root, float(m))
    for value, omega in zip(log_norm[0], omegas[0], strict=True):
        assert value == pytest.approx(binomial(omega, root, m), rel=2e-12, abs=2e-12)


@pytest.mark.parametrize("n", [12, 20, 30])
def test_the_estimate_from_refined_rules_is_honest(n: int) -> None:
    omegas = np.array([[0.0, 0.01, 0.3, 2.0]])
    coarse, fine = (two_cosh_power(rule, omegas, 1.3, 30.0)[0][0] for rule in (Automatic(n), Automatic(n).refined()))
    exact = np.array([binomial(omega, 1.3, 30) for omega in omegas[0]])
    assert np.all(np.abs(fine - exact) <= np.abs(fine - coarse) + 1e-12)


def test_more_nodes_converge() -> None:
    exact = binomial(0.01, 1.3, 30)
    errors = [abs(two_cosh_power(Automatic(n), np.array([[0.01]]), 1.3, 30.0)[0][0, 0] - exact) for n in (20, 40, 80)]
    assert errors[1] < 0.05 * errors[0] + 1e-12
    assert errors[2] < 1e-10


def test_rows_do_not_depend_on_the_batch() -> None:
    omegas = np.linspace(-3.0, 3.0, 400).reshape(4, 100)
    roots = np.array([[0.1], [0.4], [0.9], [2.0]])
    together = two_cosh_power(Automatic(100), omegas, roots, 7.0)
    for i in range(4):
        alone = two_cosh_power(Automatic(100), omegas[i : i + 1], roots[i : i + 1], 7.0)
        for a, b in zip(together, alone, strict=True):
            assert a[i] == pytest.approx(b[0], rel=1e-12, abs=1e-12)


def test_a_weight_without_finite_values_gives_nan_and_leaves_its_neighbours_alone() -> None:
    with np.errstate(all="ignore"):
        log_norm, _, _ = gaussian_tilt(Automatic(40), np.array([[0.0, np.nan, 1.0]]), 2.0)
    assert np.isnan(log_norm[0, 1])
    assert np.all(np.isfinite(log_norm[0, [0, 2]]))
