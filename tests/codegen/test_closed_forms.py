"""The emitted numbers of the shipped models against the closed forms of the literature, at states that solve nothing."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from direct import (
    RELU,
    SIGN,
    Kappas,
    gaussian,
    h,
    kappas,
    log_h,
    log_two_cosh,
    mills,
    random_features,
    storage,
    teacher_output,
)

import spinodal


def test_storage_equations_and_free_entropy() -> None:
    module = spinodal.load("binary-perceptron").solver()
    generator = np.random.default_rng(0)
    for _ in range(6):
        q, q_hat = generator.uniform(0.05, 0.95), generator.uniform(0.1, 20)
        alpha, kappa = generator.uniform(0.1, 2), generator.uniform(-1, 1.5)
        x, p = np.array([[q, q_hat]]), np.array([[alpha, kappa]])
        assert module.free_entropy(x, p)[0] == pytest.approx(storage(q, q_hat, alpha, kappa), abs=1e-11)
        f = module.residual(x, p)[0]
        assert f[0] == pytest.approx(q - gaussian(lambda z: np.tanh(np.sqrt(q_hat) * z) ** 2), abs=1e-11)  # noqa: B023
        width = np.sqrt(1 - q)
        pull = alpha / (1 - q) * gaussian(lambda z: mills((kappa - np.sqrt(q) * z) / width) ** 2)  # noqa: B023
        assert f[1] == pytest.approx(q_hat - pull, rel=1e-10)


def test_storage_against_mpmath() -> None:
    module = spinodal.load("binary-perceptron").solver()
    mp = mpmath.mp.clone()
    mp.dps = 30
    for q, q_hat, alpha, kappa in ((0.56, 2.5, 0.83, 0.0), (0.97, 40.0, 0.6, 0.7), (0.02, 0.03, 0.2, -1.0)):

        def integrand(z: mpmath.mpf) -> mpmath.mpf:
            a = mp.sqrt(mp.mpf(q_hat)) * z  # noqa: B023
            b = (kappa - mp.sqrt(mp.mpf(q)) * z) / mp.sqrt(1 - mp.mpf(q))  # noqa: B023
            return mp.npdf(z) * (mp.log(2 * mp.cosh(a)) + alpha * mp.log(mp.erfc(b / mp.sqrt(2)) / 2))  # noqa: B023

        exact = -mp.mpf(q_hat) * (1 - mp.mpf(q)) / 2 + mp.quad(integrand, [-12, -5, -2, -1, -0.3, 0, 0.3, 0.7, 1, 2, 5, 12])
        found = module.free_entropy(np.array([[q, q_hat]]), np.array([[alpha, kappa]]))[0]
        assert found == pytest.approx(float(exact), abs=2e-12)


def test_teacher_student_free_entropy() -> None:
    module = spinodal.load("binary-teacher-student").solver()
    assert module.ORDER_PARAMETERS == ("q", "r", "q_hat", "r_hat")
    generator = np.random.default_rng(1)
    for _ in range(6):
        q, q_hat, r_hat = generator.uniform(0.1, 0.9), generator.uniform(0.1, 5), generator.uniform(-1, 4)
        r = np.sqrt(q) * generator.uniform(-0.5, 0.97)
        alpha, kappa = generator.uniform(0.1, 2), generator.uniform(-0.5, 0.8)
        prior = gaussian(lambda z: log_two_cosh(np.sqrt(q_hat) * z + r_hat))  # noqa: B023
        exact = -q_hat * (1 - q) / 2 - r * r_hat + prior + alpha * teacher_output(1.0, q, r, kappa)
        found = module.free_entropy(np.array([[q, r, q_hat, r_hat]]), np.array([[alpha, kappa]]))[0]
        assert found == pytest.approx(exact, abs=1e-10)
        errors = module.observables(np.array([[q, r, q_hat, r_hat]]), np.array([[alpha, kappa]]))
        assert errors["generalization_error"][0] == pytest.approx(np.arccos(r) / np.pi, abs=1e-12)
        assert errors["generalization_error_barycentre"][0] == pytest.approx(np.arccos(r / np.sqrt(q)) / np.pi, abs=1e-12)


def test_bayes_optimal_equations() -> None:
    module = spinodal.load("binary-teacher-student", ansatz="bayes-optimal").solver()
    assert module.ORDER_PARAMETERS == ("q", "q_hat")
    for q, q_hat, alpha in ((0.3, 0.5, 0.4), (0.7, 2.4, 1.2), (0.95, 9.0, 1.4)):
        x, p = np.array([[q, q_hat]]), np.array([[alpha, 0.0]])
        ratio = np.sqrt(q / (1 - q))
        output = gaussian(lambda z: 2 * h(-ratio * z) * log_h(-ratio * z))  # noqa: B023
        prior = gaussian(lambda z: log_two_cosh(np.sqrt(q_hat) * z + q_hat))  # noqa: B023
        assert module.free_entropy(x, p)[0] == pytest.approx(-q_hat * (1 + q) / 2 + prior + alpha * output, abs=1e-10)
        f = module.residual(x, p)[0]
        assert f[0] == pytest.approx(q - gaussian(lambda z: np.tanh(np.sqrt(q_hat) * z + q_hat)), abs=1e-10)  # noqa: B023
        pull = gaussian(lambda z: 2 * h(-ratio * z) * mills(-ratio * z) ** 2)  # noqa: B023
        assert f[1] == pytest.approx(q_hat - alpha / (1 - q) * pull, rel=1e-9)


def test_spherical_free_entropy_after_eliminating_the_conjugate() -> None:
    # Gardner 1988: (log(1 - q) + q / (1 - q)) / 2 + alpha E log H, at q^ = q / (1 - q)^2
    module = spinodal.load("spherical-perceptron").solver()
    for q, alpha, kappa in ((0.3, 0.7, 0.2), (0.8, 1.5, -0.4), (0.97, 1.9, 0.0)):
        x = np.array([[q, q / (1 - q) ** 2]])
        exact = 0.5 * (np.log(1 - q) + q / (1 - q)) + alpha * gaussian(
            lambda z: log_h((kappa - np.sqrt(q) * z) / np.sqrt(1 - q))  # noqa: B023
        )
        p = np.array([[alpha, kappa]])
        assert module.free_entropy(x, p)[0] == pytest.approx(exact, abs=1e-10)
        assert module.residual(x, p)[0, 0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("activation", "k"), [("sign(x)", SIGN), ("relu(x)", RELU), ("tanh(x)", kappas(np.tanh))], ids=["sign", "relu", "tanh"]
)
def test_random_features_free_entropy(activation: str, k: Kappas) -> None:
    module = spinodal.load("random-features-binary", overrides={"student.features.activation": activation}).solver()
    generator = np.random.default_rng(2)
    for _ in range(4):
        s = {"q": generator.uniform(0.1, 0.8), "p": generator.uniform(0.2, 0.9), "p_d": generator.uniform(1.0, 1.4)}
        s |= {"r": np.sqrt(s["p"]) * generator.uniform(-0.4, 0.8), "q_hat": generator.uniform(0.1, 3)}
        s |= {
            "p_hat": generator.uniform(0.05, 0.6),
            "p_d_hat": generator.uniform(-0.6, 0.2),
            "r_hat": generator.uniform(-0.3, 0.6),
        }
        at = {
            "alpha": generator.uniform(0.1, 1.5),
            "alpha_T": generator.uniform(0.3, 4),
            "kappa": generator.uniform(-0.3, 0.5),
        }
        x = np.array([[s[name] for name in module.ORDER_PARAMETERS]])
        p = np.array([[at[name] for name in module.PARAMETERS]])
        assert module.free_entropy(x, p)[0] == pytest.approx(random_features(s, **at, k=k), abs=1e-9)
