"""Closed forms of the literature that are not special cases of the shipped specs: ridge regression, linear models, errors.

Ridge regression: the Gibbs measure is Gaussian, so that its averages follow from the Marchenko-Pastur law alone
(Marchenko & Pastur 1967; Krogh & Hertz 1992). Bayes-optimal linear model: Verdu & Shamai 1999, Tanaka 2002.
"""

from __future__ import annotations

import numpy as np
import pytest
from declared import declare
from direct import gaussian, h, log_h, log_two_cosh
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar

import spinodal

NOISY = "u + sqrt(Delta)*noise"


def marchenko_pastur(f: object, alpha: float) -> float:
    """(1/N) E tr f(X^T X / N) for P x N i.i.d. standard X, P = alpha N."""
    low, high = (1 - np.sqrt(alpha)) ** 2, (1 + np.sqrt(alpha)) ** 2

    def integrand(t: float) -> float:
        # x = centre + radius cos t: the square roots of the density become smooth
        radius = (high - low) / 2
        x = (high + low) / 2 + radius * np.cos(t)
        return f(x) * (radius * np.sin(t)) ** 2 / (2 * np.pi * x)  # type: ignore[operator]

    bulk = quad(integrand, 0, np.pi, epsabs=1e-13, epsrel=1e-12)[0]
    return bulk + max(0.0, 1 - alpha) * f(0.0)  # type: ignore[operator]


def ridge() -> object:
    return declare(
        "ridge-regression",
        weights="unconstrained",
        teacher={"weights": "gaussian", "label": NOISY},
        loss={"energy": "(y-h)**2/2", "temperature": "T", "regularization": "lam*w**2/2"},
        alpha=1.3,
        T=0.5,
        lam=0.7,
        Delta=0.3,
    )


@pytest.mark.parametrize(
    ("alpha", "lam", "delta", "temperature"), [(1.3, 0.7, 0.3, 0.5), (0.6, 0.2, 0.1, 0.05), (3.0, 0.05, 1.0, 1.4)]
)
def test_ridge_regression_at_finite_temperature(alpha: float, lam: float, delta: float, temperature: float) -> None:
    # Z = int dw exp(-(|y - Xw/sqrt N|^2 + lam |w|^2) / 2T): Gaussian with A = X^T X / N, y = X w*/sqrt N + noise
    state = ridge().solve(alpha=alpha, lam=lam, Delta=delta, T=temperature)  # type: ignore[attr-defined]

    def trace(f: object) -> float:
        return marchenko_pastur(f, alpha)

    variance = temperature * trace(lambda x: 1 / (x + lam))
    q = trace(lambda x: (x**2 + delta * x) / (x + lam) ** 2)
    r = trace(lambda x: x / (x + lam))
    # |y|^2 - y^T X (A + lam)^-1 X^T y / N, per weight
    rest = alpha * delta + trace(lambda x: x) - trace(lambda x: (x**2 + delta * x) / (x + lam))
    log_z = 0.5 * np.log(2 * np.pi * temperature) - 0.5 * trace(lambda x: np.log(x + lam)) - rest / (2 * temperature)
    assert state["q_d"] - state["q"] == pytest.approx(variance, rel=1e-9)
    assert state["q"] == pytest.approx(q, rel=1e-9)
    assert state["r"] == pytest.approx(r, rel=1e-9)
    assert state.free_entropy == pytest.approx(log_z, rel=1e-9)
    # equipartition: N quadratic degrees of freedom above the ground state
    assert state["energy"] == pytest.approx(rest / 2 + temperature / 2, rel=1e-9)
    assert state["generalization_error"] == pytest.approx(1 + delta - 2 * r + q + variance, rel=1e-9)
    assert state["generalization_error_barycentre"] == pytest.approx(1 + delta - 2 * r + q, rel=1e-9)
    assert state["replicon"] > 0


@pytest.mark.parametrize(("alpha", "delta"), [(1.2, 0.3), (0.4, 0.05), (5.0, 2.0)])
def test_bayes_optimal_linear_model(alpha: float, delta: float) -> None:
    model = declare(
        "bayes-linear",
        weights="gaussian",
        teacher={"weights": "gaussian", "label": NOISY},
        scheme="bayes-optimal",
        alpha=1.0,
        kappa=0.0,
        Delta=0.3,
    )
    state = model.solve(alpha=alpha, Delta=delta)
    mmse = marchenko_pastur(lambda x: delta / (x + delta), alpha)
    information = 0.5 * marchenko_pastur(lambda x: np.log1p(x / delta), alpha)  # I(w; y) / N
    assert state["q"] == pytest.approx(1 - mmse, rel=1e-9)
    # phi = E log P(y) / N = -I / N - alpha (1 + log 2 pi Delta) / 2
    assert state.free_entropy == pytest.approx(-information - alpha / 2 * (1 + np.log(2 * np.pi * delta)), rel=1e-9)
    assert state["generalization_error_barycentre"] == pytest.approx(mmse + delta, rel=1e-9)


def test_bayes_optimal_binary_weights_on_a_linear_channel() -> None:
    # Tanaka 2002: 1 - q = E[1 - tanh(sqrt(s) z + s)], s = alpha / (Delta + 1 - q)
    alpha, delta = 0.8, 0.25
    model = declare(
        "cdma", teacher={"weights": "binary", "label": NOISY}, scheme="bayes-optimal", alpha=0.8, kappa=0.0, Delta=0.25
    )

    def equation(q: float) -> float:
        s = alpha / (delta + 1 - q)
        return gaussian(lambda z: np.tanh(np.sqrt(s) * z + s)) - q

    q = brentq(equation, 0.0, 0.999, xtol=1e-14)
    state = model.solve(alpha=alpha, Delta=delta)
    s = alpha / (delta + 1 - q)
    phi = (
        -0.5 * s * (1 + q)
        + gaussian(lambda z: log_two_cosh(np.sqrt(s) * z + s))
        - 0.5 * alpha * (np.log(2 * np.pi * (delta + 1 - q)) + 1)
    )
    assert state["q"] == pytest.approx(q, abs=1e-10)
    assert state["q_hat"] == pytest.approx(s, abs=1e-9)
    assert state["entropy"] - state.free_entropy == pytest.approx(0.5 * alpha * (np.log(2 * np.pi * delta) + 1), abs=1e-9)
    # binary weights are counted: Z = sum_w P(y|w), with the field's average over the prior 2^-N taken out or not
    assert state.free_entropy == pytest.approx(phi, abs=1e-9)


@pytest.mark.parametrize("flip", [None, 0.08])
def test_nishimori_identity_of_a_matched_student(flip: float | None) -> None:
    # a student at the teacher's own temperature is Bayes-optimal: the replica-symmetric state has q = r
    delta = 0.3
    if flip is None:
        energy, label = "-log(H(-y*h/sqrt(Delta)))", {"label": "sign(u + sqrt(Delta)*noise)"}
        extra = {"Delta": delta}
    else:
        energy, label = "-log(eps + (1-2*eps)*step(y*h))", {"label": "sign(u)", "flip_probability": "eps"}
        extra = {"eps": flip}
    common = {"teacher": {"weights": "binary", **label}, "alpha": 0.9, **extra}
    matched = declare("matched", loss={"energy": energy, "temperature": 1}, **common)
    optimal = declare("optimal", loss={"energy": energy, "temperature": 1}, scheme="bayes-optimal", **common)
    state, best = matched.solve(), optimal.solve()
    assert state["q"] == pytest.approx(state["r"], abs=1e-9)
    assert state["q_hat"] == pytest.approx(state["r_hat"], abs=1e-8)
    assert best["q"] == pytest.approx(state["q"], abs=1e-9)
    assert best.free_entropy == pytest.approx(state.free_entropy, abs=1e-9)
    assert best["entropy"] == pytest.approx(state["entropy"], abs=1e-9)


def test_spherical_errors_at_finite_temperature() -> None:
    # Gardner & Derrida 1988: phi(q) = (log(1-q) + q/(1-q))/2 + alpha E log(e^-b + (1 - e^-b) H(-sqrt(q/(1-q)) z))
    alpha, temperature = 2.5, 0.3
    model = declare(
        "gardner-derrida", weights="spherical", loss={"energy": "step(-y*h)", "temperature": "T"}, alpha=2.5, T=0.3
    )
    small = np.exp(-1 / temperature)

    def phi(q: float) -> float:
        ratio = np.sqrt(q / (1 - q))
        pattern = gaussian(lambda z: np.log(small + (1 - small) * h(-ratio * z)))
        return 0.5 * (np.log(1 - q) + q / (1 - q)) + alpha * pattern

    best = minimize_scalar(phi, bounds=(1e-6, 0.95), method="bounded", options={"xatol": 1e-12})
    state = model.solve(alpha=alpha, T=temperature)
    assert state["q"] == pytest.approx(best.x, abs=1e-6)
    assert state.free_entropy == pytest.approx(best.fun, abs=1e-10)
    ratio = np.sqrt(best.x / (1 - best.x))
    wrong = gaussian(lambda z: small * h(ratio * z) / (small + (1 - small) * h(-ratio * z)))
    assert state["energy"] == pytest.approx(alpha * wrong, abs=1e-7)
    assert state["training_error"] == pytest.approx(wrong, abs=1e-7)
    assert state["entropy"] == pytest.approx(best.fun + alpha * wrong / temperature, abs=1e-6)


def test_binary_errors_at_finite_temperature() -> None:
    alpha, temperature, kappa = 1.4, 0.7, 0.0
    model = declare("binary-errors", loss={"energy": "step(-y*h)", "temperature": "T"}, alpha=1.4, T=0.7)
    small = np.exp(-1 / temperature)
    state = model.solve()
    q, q_hat = state["q"], state["q_hat"]

    def weight(z: np.ndarray) -> np.ndarray:
        return small + (1 - small) * h((kappa - np.sqrt(q) * z) / np.sqrt(1 - q))

    phi = (
        -0.5 * q_hat * (1 - q)
        + gaussian(lambda z: log_two_cosh(np.sqrt(q_hat) * z))
        + alpha * gaussian(lambda z: np.log(weight(z)))
    )
    assert gaussian(lambda z: np.tanh(np.sqrt(q_hat) * z) ** 2) == pytest.approx(q, abs=1e-10)
    density = lambda z: (1 - small) * np.exp(-q / (1 - q) * z**2 / 2) / np.sqrt(2 * np.pi * (1 - q)) / weight(z)  # noqa: E731
    assert alpha * gaussian(lambda z: density(z) ** 2) == pytest.approx(q_hat, abs=1e-9)
    assert state.free_entropy == pytest.approx(phi, abs=1e-10)


def test_discrete_weights_with_parameters_in_their_probabilities() -> None:
    # w in {-1, 0, 1}, P(0) = 1 - rho: the equations written out
    rho, alpha, kappa = 0.35, 0.5, 0.1
    model = declare(
        "sparse-storage",
        weights={"values": [-1, 0, 1], "probabilities": ["rho/2", "1-rho", "rho/2"]},
        alpha=0.5,
        rho=0.35,
        kappa=0.1,
    )
    state = model.solve()
    q, q_d, q_hat, q_d_hat = (state[n] for n in ("q", "q_d", "q_hat", "q_d_hat"))
    tilt = q_d_hat - q_hat

    def moments(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        up = rho / 2 * np.exp(np.sqrt(q_hat) * z + tilt / 2)
        down = rho / 2 * np.exp(-np.sqrt(q_hat) * z + tilt / 2)
        total = up + down + 1 - rho
        return total, (up - down) / total, (up + down) / total

    assert gaussian(lambda z: moments(z)[1] ** 2) == pytest.approx(q, abs=1e-9)
    assert gaussian(lambda z: moments(z)[2]) == pytest.approx(q_d, abs=1e-9)
    phi = (
        -0.5 * q_d * q_d_hat
        + 0.5 * q * q_hat
        + gaussian(lambda z: np.log(moments(z)[0]))
        + alpha * gaussian(lambda z: log_h((kappa - np.sqrt(q) * z) / np.sqrt(q_d - q)))
    )
    assert state.free_entropy == pytest.approx(phi, abs=1e-10)
    log_p = np.log(1 - rho) * (1 - q_d) + np.log(rho / 2) * q_d
    assert state["entropy"] == pytest.approx(phi - log_p, abs=1e-9)


def test_gaussian_weights_are_a_sphere_of_free_radius() -> None:
    # rescaling: int dmu(R) e^{N phi_sphere(kappa / R)}; at kappa = 0 the constraint does not see R
    gauss = declare("gaussian-zero-margin", weights="gaussian", alpha=0.7, kappa=0.0)
    sphere = spinodal.load("spherical-perceptron")
    one, other = gauss.solve(alpha=0.7, kappa=0.0), sphere.solve(alpha=0.7, kappa=0.0)
    assert one["q_d"] == pytest.approx(1.0, abs=1e-9)
    assert one["q"] == pytest.approx(other["q"], abs=1e-9)
    assert one.free_entropy == pytest.approx(other.free_entropy, abs=1e-9)
    gauss_margin = gauss.solve(alpha=0.7, kappa=0.4)
    radius = np.sqrt(gauss_margin["q_d"])
    scaled = sphere.solve(alpha=0.7, kappa=0.4 / radius)
    assert gauss_margin.free_entropy == pytest.approx(scaled.free_entropy + 0.5 * (1 - radius**2) + np.log(radius), abs=1e-9)


def test_perceptron_learning_curve_of_the_bayes_optimal_sphere() -> None:
    # Gyorgyi & Tishby 1990: q/sqrt(1-q) = (alpha/pi) E exp(-q z^2/2) / H(sqrt(q) z)
    model = declare(
        "bayes-sphere",
        weights="spherical",
        teacher={"weights": "spherical", "label": "sign(u)"},
        scheme="bayes-optimal",
        alpha=1.0,
        kappa=0.0,
    )
    for alpha in (0.7, 3.0, 12.0):
        state = model.solve(alpha=alpha)
        q = state["q"]
        ratio = np.sqrt(q / (1 - q))

        def integrand(z: np.ndarray, ratio: float = ratio) -> np.ndarray:
            return np.exp(-(ratio**2) * z**2 - log_h(-ratio * z)) / (2 * np.pi)

        assert q / (1 - q) == pytest.approx(2 * alpha / (1 - q) * gaussian(integrand), rel=1e-7)
        assert state["generalization_error"] == pytest.approx(np.arccos(q) / np.pi, abs=1e-10)
