"""Broken symmetry at low temperature, where the scan over overlaps sees no state: against a functional typed here."""

from __future__ import annotations

import numpy as np
import pytest
from declared import declare
from scipy.special import log_ndtr, logsumexp

from spinodal.model import Model, load

Array = np.ndarray
VALUES = np.array([-1.0, 0.0, 1.0])
ALPHA, KAPPA, TEMPERATURE = 2.0, 0.3, 0.05
NAMES = ("q0", "q1", "q_d", "q0_hat", "q1_hat", "q_d_hat", "m")


def nodes(count: int, end: float = 8.5) -> tuple[Array, Array]:
    """Of a standard normal: the trapezoid rule on an interval that holds all of its mass."""
    x = np.linspace(-end, end, count)
    w = np.exp(-(x**2) / 2)
    return x, w / w.sum()


def log_blocks(heights: Array, m: float, weight: Array) -> Array:
    """(1/m) log of the mean of exp(m height) over the inner field."""
    return logsumexp(m * heights + np.log(weight), axis=1) / m


def one_step(x: Array) -> float:
    """The free entropy of weights -1, 0, 1 (counted) with a hinge loss and random labels, one step of breaking."""
    q0, q1, q_d, h0, h1, h_d, m = x
    z, w = nodes(501)
    y, w_y = nodes(901, 16.0)  # blocks tilt it by several standard deviations
    phi = -h_d * q_d / 2 + (1 - m) * h1 * q1 / 2 + m * h0 * q0 / 2
    field = np.sqrt(h0) * z[:, None] + np.sqrt(h1 - h0) * y
    phi += w @ log_blocks(logsumexp(field[..., None] * VALUES + (h_d - h1) / 2 * VALUES**2, axis=-1), m, w_y)
    h = np.sqrt(q0) * z[:, None] + np.sqrt(q1 - q0) * y
    beta, v = 1 / TEMPERATURE, q_d - q1
    gap, s = KAPPA - h, np.sqrt(v)
    level = np.logaddexp(log_ndtr(-gap / s), -beta * gap + beta**2 * v / 2 + log_ndtr(gap / s - beta * s))
    return float(phi + ALPHA * w @ log_blocks(level, m, w_y))


def hinge(**ansatz: float) -> Model:
    return declare(
        "cold",
        weights={"values": [-1, 0, 1]},
        loss={"energy": "max(0, kappa - y*h)", "temperature": "T"},
        scheme="1rsb",
        ansatz=ansatz,
        alpha=ALPHA,
        kappa=KAPPA,
        T=TEMPERATURE,
    )


@pytest.mark.slow
def test_an_unstable_symmetry_breaks_at_temperatures_at_which_states_are_almost_single_configurations() -> None:
    solution = hinge().solve()
    assert solution.converged
    x = np.array([float(solution.order_parameters[name]) for name in NAMES])
    assert x[-1] == pytest.approx(0.5565, abs=1e-4)
    assert float(solution.free_entropy) == pytest.approx(one_step(x), abs=1e-8)
    for j, name in enumerate(NAMES):
        step = 1e-4 * x[j] if name.endswith("_hat") or name == "m" else 1e-6
        ends = np.repeat(x[None], 2, axis=0)
        ends[:, j] += np.array([step, -step])
        slope = (one_step(ends[0]) - one_step(ends[1])) / (2 * step)
        assert slope * x[j] == pytest.approx(0.0, abs=2e-4), name


def test_a_given_size_of_blocks_is_found_at_such_temperatures_too() -> None:
    solution = hinge(m=0.56).solve()
    assert solution.converged
    assert solution["q1"] - solution["q0"] > 0.05
    x = np.array([0.56 if name == "m" else float(solution.order_parameters[name]) for name in NAMES])
    assert float(solution.free_entropy) == pytest.approx(one_step(x), abs=1e-8)


def one_step_of_signs(x: Array, alpha: float, beta: float, m: float) -> float:
    """The free entropy of weights +-1 with a squared hinge and random labels, blocks of given size."""
    q0, q1, h0, h1 = x
    z, w = nodes(501)
    y, w_y = nodes(901, 16.0)
    phi = -h1 / 2 + (1 - m) * h1 * q1 / 2 + m * h0 * q0 / 2
    field = np.sqrt(h0) * z[:, None] + np.sqrt(h1 - h0) * y
    phi += w @ log_blocks(np.logaddexp(field, -field), m, w_y)
    gap = 1 - np.sqrt(q0) * z[:, None] - np.sqrt(q1 - q0) * y
    s, stiff = np.sqrt(1 - q1), 1 + 2 * beta * (1 - q1)
    below = -beta * gap**2 / stiff - np.log(stiff) / 2 + log_ndtr(gap / (s * np.sqrt(stiff)))
    return float(phi + alpha * w @ log_blocks(np.logaddexp(log_ndtr(-gap / s), below), m, w_y))


@pytest.mark.parametrize("alpha", [1.5, 1.7])
def test_a_state_that_a_scan_at_its_own_parameters_misses_is_followed_from_more_patterns(alpha: float) -> None:
    loss = {"energy": "(1-y*h)**2*step(1-y*h)", "temperature": 0.12}
    solution = declare("cold", weights="binary", loss=loss, scheme="1rsb", ansatz={"m": 0.5}, alpha=2.5).solve(alpha=alpha)
    assert solution.converged
    assert solution["q1"] - solution["q0"] > 0.05
    names = ("q0", "q1", "q0_hat", "q1_hat")
    x = np.array([float(solution.order_parameters[name]) for name in names])
    assert float(solution.free_entropy) == pytest.approx(one_step_of_signs(x, alpha, 1 / 0.12, 0.5), abs=1e-8)
    for j, name in enumerate(names):
        step = 1e-4 * x[j] if name.endswith("_hat") else 1e-6
        ends = [one_step_of_signs(x + sign * step * np.eye(4)[j], alpha, 1 / 0.12, 0.5) for sign in (1, -1)]
        assert (ends[0] - ends[1]) / (2 * step) * x[j] == pytest.approx(0.0, abs=2e-4), name


def log_gaussian(constant: Array, slope: Array, curvature: Array | float, low: Array, high: Array) -> Array:
    """Log of the integral from low to high of exp(constant + slope z + curvature z^2 / 2) with the normal density of z."""
    s = 1 / np.sqrt(1 - curvature)
    low, high = low / s - slope * s, high / s - slope * s
    low, high = np.where(low > 0, -high, low), np.where(low > 0, -low, high)
    mass = log_ndtr(high) + np.log(-np.expm1(np.minimum(log_ndtr(low) - log_ndtr(high), -1e-300)))
    return constant + slope**2 * s**2 / 2 + np.log(s) + mass


def ground_one_step(x: dict[str, float]) -> float:
    """Minus the energy of the same weights at T = 0 with one step of breaking: inner integrals in closed form."""
    z, w = nodes(2001)
    mu, ends = x["mu"], np.full_like(z, np.inf)
    field, s = np.sqrt(x["q0_hat"]) * z, np.sqrt(x["q1_hat"] - x["q0_hat"])
    edge, none = -x["dq_hat"] / 2, np.zeros_like(z)
    up, down = (edge - field) / s, (-edge - field) / s
    parts = [
        log_gaussian(mu * (field - edge), mu * s + none, 0.0, up, ends),
        log_gaussian(mu * (-field - edge), -mu * s + none, 0.0, -ends, down),
        log_gaussian(none, none, 0.0, down, up),
    ]
    total = w @ logsumexp(parts, axis=0) / mu
    gap, s = KAPPA - np.sqrt(x["q0"]) * z, np.sqrt(x["q1"] - x["q0"])
    k, far = mu / x["dq"], (gap - x["dq"]) / s
    parts = [
        log_gaussian(none, none, 0.0, gap / s, ends),
        log_gaussian(-k * gap**2 / 2, k * gap * s, -k * s**2, far, gap / s),
        log_gaussian(-mu * (gap - x["dq"] / 2), mu * s + none, 0.0, -ends, far),
    ]
    total += ALPHA * (w @ logsumexp(parts, axis=0)) / mu
    pairing = x["dq_hat"] * x["q1"] + x["q1_hat"] * x["dq"] + mu * (x["q1_hat"] * x["q1"] - x["q0_hat"] * x["q0"])
    return float(total - pairing / 2)


def test_the_error_estimate_of_a_broken_ground_state_is_of_the_size_of_its_error() -> None:
    loss = {"energy": "max(0, kappa - y*h)", "temperature": 0}
    solution = declare("cold", weights={"values": [-1, 0, 1]}, loss=loss, scheme="1rsb", alpha=ALPHA, kappa=KAPPA).solve()
    assert solution.converged
    x = {name: float(value) for name, value in solution.order_parameters.items()}
    error = float(solution.error_estimate)
    assert abs(float(solution.free_entropy) - ground_one_step(x)) < error + 1e-13
    assert error < 1e-10
    assert not [warning for warning in solution.warnings if "tolerance" in warning]


def test_errors_of_random_features_freeze_below_the_temperature_at_which_the_entropy_vanishes() -> None:
    """From there on the energy stays what it is, and m = T/T_c (as in the random energy model)."""
    counting = {"energy": "step(-y*h)", "temperature": "T"}
    parameters = {"alpha": 2.0, "alpha_T": 3.0, "T": 0.4}
    name, loss = "random-features-binary", {"loss": counting, "parameters": parameters}
    symmetric = load(name, overrides=loss)
    (freezing,) = symmetric.locus("zero-entropy", "T", bounds=(0.2, 0.6)).special_points
    critical = freezing.parameters["T"]
    energy = float(symmetric.solve(T=critical).observables["energy"])
    cold = load(name, overrides=loss, ansatz="1rsb").solve(T=0.1)
    assert cold.converged
    assert float(cold["m"]) == pytest.approx(0.1 / critical, rel=1e-9)
    assert float(cold.observables["energy"]) == pytest.approx(energy, rel=1e-9)
    assert float(cold.free_entropy) == pytest.approx(-energy / 0.1, rel=1e-9)
