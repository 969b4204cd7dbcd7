"""Limits that a derivation must respect, without knowing its closed form."""

from __future__ import annotations

import numpy as np
import pytest
from declared import declare
from direct import SIGN, kappas, storage
from scipy.special import ndtr

import spinodal


@pytest.mark.parametrize(("activation", "sigma"), [("sign(x)", None), ("tanh(x)", np.tanh)])
def test_many_inputs_make_random_features_a_storage_problem(activation: str, sigma: object) -> None:
    # alpha_T -> 0: margin kappa / sqrt(kappa_1^2 + kappa_*^2), corrections of order alpha_T
    k = SIGN if sigma is None else kappas(sigma)  # type: ignore[arg-type]
    alpha, kappa = 0.4, 0.2
    scaled = kappa / np.sqrt(k.linear**2 + k.nonlinear)
    target = spinodal.load("binary-perceptron").solve(alpha=alpha, kappa=scaled)
    assert storage(target["q"], target["q_hat"], alpha, scaled) == pytest.approx(target.free_entropy, abs=1e-10)
    model = spinodal.load("random-features-binary", overrides={"student.features.activation": activation})
    values = {t: model.solve(alpha=alpha, alpha_T=t, kappa=kappa) for t in (2e-3, 1e-3)}
    for name in ("q", "q_hat", "entropy"):
        extrapolated = 2 * values[1e-3][name] - values[2e-3][name]
        assert extrapolated == pytest.approx(target[name], abs=2e-5), name
        first, second = (abs(values[t][name] - target[name]) for t in (2e-3, 1e-3))
        assert first == pytest.approx(2 * second, rel=0.02), name
    assert values[1e-3]["generalization_error"] == pytest.approx(0.5, abs=0.03)


def test_few_patterns_make_random_features_a_gaussian_student() -> None:
    # alpha -> 0 at alpha_T = 3: THEORY's values of p, p_d - p and r
    model = spinodal.load("random-features-binary")
    values = {a: model.solve(alpha=a, alpha_T=3.0, kappa=0.0) for a in (2e-4, 1e-4)}

    def limit(read: object) -> float:
        return 2 * read(values[1e-4]) - read(values[2e-4])  # type: ignore[operator]

    assert limit(lambda s: s["p"]) == pytest.approx(0.834421, abs=1e-6)
    assert limit(lambda s: s["p_d"] - s["p"]) == pytest.approx(0.414888, abs=1e-6)
    assert limit(lambda s: s["r"]) == pytest.approx(0.816607, abs=1e-6)
    assert limit(lambda s: s["q"]) == pytest.approx(0.0, abs=1e-6)

    # the same problem solved by the package as a Gaussian student on the inputs, with likelihood H((kappa - k1 y h)/k*)
    student = declare(
        "gaussian-student",
        weights="gaussian",
        teacher={"weights": "gaussian", "label": "sign(u)"},
        loss={"energy": "-log(H(-a*y*h))", "temperature": 1},
        alpha=3.0,
        a=1.3,
    )
    direct = student.solve(alpha=3.0, a=float(np.sqrt(SIGN.linear**2 / SIGN.nonlinear)))
    assert direct["q"] == pytest.approx(0.834421, abs=1e-6)
    assert direct["q_d"] - direct["q"] == pytest.approx(0.414888, abs=1e-6)
    assert direct["r"] == pytest.approx(0.816607, abs=1e-6)
    slope = limit(lambda s: (s["entropy"] - np.log(2)) / s["alpha"])
    assert slope == pytest.approx(direct.free_entropy / 3.0, abs=1e-5)


def test_linear_features_of_a_linear_activation_have_no_noise() -> None:
    model = spinodal.load("random-features-binary", overrides={"student.features.activation": "2*x"})
    from spinodal.symbolic.derive import gather

    moments = gather(model.spec).moments
    assert (moments.linear, moments.nonlinear) == (2, 0)
    scaled = model.solve(alpha=0.4, alpha_T=1.5, kappa=0.4)
    unit = spinodal.load("random-features-binary", overrides={"student.features.activation": "x"})
    other = unit.solve(alpha=0.4, alpha_T=1.5, kappa=0.2)
    for name in ("q", "p", "r", "entropy"):
        assert scaled[name] == pytest.approx(other[name], abs=1e-8), name


def test_an_even_activation_learns_nothing_from_an_odd_teacher() -> None:
    # kappa_1 = 0: the student's field is independent of the teacher, storage with a rescaled margin
    model = spinodal.load("random-features-binary", overrides={"student.features.activation": "abs(x)"})
    state = model.solve(alpha=0.4, alpha_T=2.0, kappa=0.2)
    width = np.sqrt(1 - 2 / np.pi)
    target = spinodal.load("binary-perceptron").solve(alpha=0.4, kappa=float(0.2 / width))
    assert state.converged, state.reason
    assert state["q"] == pytest.approx(target["q"], abs=1e-9)
    assert state["entropy"] == pytest.approx(target["entropy"], abs=1e-9)
    assert state["r"] == pytest.approx(0.0, abs=1e-9)
    assert state["generalization_error"] == pytest.approx(0.5, abs=1e-9)


def test_label_noise_without_bound_makes_labels_random() -> None:
    noisy = declare(
        "very-noisy", teacher={"weights": "binary", "label": "sign(u + sqrt(Delta)*noise)"}, alpha=0.5, kappa=0.1, Delta=1.0
    )
    target = spinodal.load("binary-perceptron").solve(alpha=0.5, kappa=0.1)
    state = noisy.solve(Delta=1e8)
    assert state["r"] == pytest.approx(0.0, abs=1e-4)
    assert state.free_entropy == pytest.approx(target.free_entropy, abs=1e-7)
    flipped = declare(
        "half-flipped",
        teacher={"weights": "binary", "label": "sign(u)", "flip_probability": "eps"},
        alpha=0.5,
        kappa=0.1,
        eps=0.1,
    )
    state = flipped.solve(eps=0.5)
    assert state["r"] == pytest.approx(0.0, abs=1e-9)
    assert state.free_entropy == pytest.approx(target.free_entropy, abs=1e-9)


def test_noise_is_a_rotation_of_the_teacher() -> None:
    # sign(u + sqrt(Delta) noise) with Gaussian noise: the teacher overlap enters only as r / sqrt(1 + Delta)
    delta = 0.4
    noisy = declare(
        "rotated",
        weights="spherical",
        teacher={"weights": "gaussian", "label": "sign(u + sqrt(Delta)*noise)"},
        alpha=0.6,
        kappa=-0.3,
        Delta=0.4,
    )
    state = noisy.solve()
    m, q = state["r"], state["q"]
    assert state["generalization_error"] == pytest.approx(np.arccos(m / np.sqrt(1 + delta)) / np.pi, abs=1e-10)
    barycentre = np.arccos(m / np.sqrt(q * (1 + delta))) / np.pi
    assert state["generalization_error_barycentre"] == pytest.approx(barycentre, abs=1e-10)
    # training error of a constraint with negative margin lies between 0 and the random fraction in the gap
    assert 0 < state["training_error"] < ndtr(0.3)


def test_high_temperature_is_the_prior() -> None:
    hot = declare("hot", loss={"energy": "step(-y*h)", "temperature": "T"}, alpha=0.7, T=0.6)
    state = hot.solve(T=1e6)
    assert state["entropy"] == pytest.approx(np.log(2), abs=1e-6)
    assert state["energy"] == pytest.approx(0.35, abs=1e-5)


def test_low_temperature_is_the_constraint() -> None:
    cold = declare("cold", loss={"energy": "step(-y*h)", "temperature": "T"}, alpha=0.5, T=0.6)
    state = cold.solve(alpha=0.5, T=0.03)
    target = spinodal.load("binary-perceptron").solve(alpha=0.5, kappa=0.0)
    assert state["q"] == pytest.approx(target["q"], abs=1e-9)
    assert state.free_entropy == pytest.approx(target.free_entropy, abs=1e-9)
    assert state["energy"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.slow
def test_very_many_patterns_per_input_have_an_origin() -> None:
    # alpha -> 0 at alpha_T = 1e4: the Gaussian student on the inputs, far from where updates of the trivial state lead
    model = spinodal.load("random-features-binary")
    values = [model.solve(alpha=a, alpha_T=1e4, kappa=0.0) for a in (2e-4, 1e-4)]
    student = declare(
        "gaussian-student",
        weights="gaussian",
        teacher={"weights": "gaussian", "label": "sign(u)"},
        loss={"energy": "-log(H(-a*y*h))", "temperature": 1},
        alpha=3.0,
        a=1.3,
    )
    limit = {
        other: 2 * values[1][name] - values[0][name]
        for name, other in (
            ("p", "q"),
            ("p_d", "q_d"),
            ("r", "r"),
            ("p_hat", "q_hat"),
            ("p_d_hat", "q_d_hat"),
            ("r_hat", "r_hat"),
        )
    }
    a = float(np.sqrt(SIGN.linear**2 / SIGN.nonlinear))
    module = student.solver()
    x = np.array([[limit[name] for name in module.ORDER_PARAMETERS]])
    p = np.array([[{"alpha": 1e4, "a": a}[name] for name in module.PARAMETERS]])
    assert np.max(np.abs(module.residual(x, p)) / (1.0 + np.abs(x))) < 1e-4
    assert all(state.converged for batch in values for state in batch.states)


def test_a_discrete_prior_at_the_edge_of_its_probabilities_is_the_prior_without_that_value() -> None:
    ternary = declare(
        "ternary",
        weights={"values": [-1, 0, 1], "probabilities": ["rho/2", "1-rho", "rho/2"]},
        loss={"constraint": "y*h >= kappa"},
        alpha=0.3,
        kappa=0.0,
        rho=0.5,
    )
    binary = spinodal.load("binary-perceptron").solve(alpha=0.3, kappa=0.0)
    edge = ternary.solve(alpha=0.3, kappa=0.0, rho=1.0)
    assert edge["entropy"] == pytest.approx(binary["entropy"], abs=1e-12)
    assert edge["q"] == pytest.approx(binary["q"], abs=1e-12)


@pytest.mark.parametrize("weights", ["binary", "spherical"])
def test_a_cold_hinge_is_the_constraint(weights: str) -> None:
    # exp(-beta V) counts solutions up to masses of order 1/beta
    hinge = declare(
        "cold-hinge",
        weights=weights,
        loss={"energy": "max(0, kappa - y*h)", "temperature": "T"},
        alpha=0.4,
        kappa=0.2,
        T=1.0,
    )
    storage = spinodal.load(f"{weights if weights == 'spherical' else 'binary'}-perceptron")
    exact = storage.solve(alpha=0.4, kappa=0.2).free_entropy
    errors = [abs(hinge.solve(alpha=0.4, kappa=0.2, T=t).free_entropy - exact) for t in (1e-3, 1e-4, 1e-5)]
    assert errors[1] < 0.11 * errors[0]
    assert errors[2] < 0.11 * errors[1] < 1e-4
