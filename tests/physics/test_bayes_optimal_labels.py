"""Bayes-optimal students of real labels s(u) + a noise, against plain sums over label, field and posterior.

The output channel is E_z int dy Z log Z, Z(y, z) = E_x P(y | sqrt(q) z + sqrt(1 - q) x) (Barbier, Krzakala, Macris, Miolane
and Zdeborova, PNAS 116, 5451 (2019)).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from declared import declare
from scipy.stats import norm

from spinodal.numeric.label import label_nodes
from spinodal.numeric.takeovers import bumps

NORMAL = np.linspace(-8.5, 8.5, 205)
WEIGHT = norm.pdf(NORMAL) * (NORMAL[1] - NORMAL[0])
LABELS = {
    "tanh(u)+sqrt(Delta)*noise": np.tanh,
    "u**2+sqrt(Delta)*noise": np.square,
    "abs(u)+sqrt(Delta)*noise": np.abs,
    "sin(2*u)+sqrt(Delta)*noise": lambda u: np.sin(2 * u),
}
DELTA = 0.3


def channel(signal: Callable[[np.ndarray], np.ndarray], q: float) -> float:
    total = 0.0
    kinked = signal is np.abs  # needs a finer grid of fields, but none of labels beyond 13
    y = np.linspace(-5.0, 13.0, 181) if kinked else np.linspace(-7.0, 80.0, 901)
    x = np.linspace(-8.5, 8.5, 1301) if kinked else NORMAL
    chance = norm.pdf(x) * (x[1] - x[0])
    for z, weight in zip(NORMAL, WEIGHT, strict=True):
        if weight < 1e-14:
            continue
        u = np.sqrt(q) * z + np.sqrt(1.0 - q) * x
        likelihood = norm.pdf(y[:, None], signal(u), np.sqrt(DELTA)) @ chance
        likelihood = np.maximum(likelihood, 1e-300)
        total += weight * np.sum(likelihood * np.log(likelihood)) * (y[1] - y[0])
    return float(total)


def student(label: str, weights: str = "gaussian"):
    return declare(
        "labels", weights=weights, teacher={"weights": weights, "label": label}, scheme="bayes-optimal",
        loss={"constraint": "y*h >= 0"},
        alpha=1.0, Delta=DELTA,
    )  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("q", [0.2, 0.7])
def test_output_channels_of_nonlinear_labels_are_those_of_plain_sums(label: str, q: float) -> None:
    module = student(label).solver()
    x = np.array([[q, q / (1.0 - q)]])
    rule = module.RULE.refined()
    values = [module.free_entropy(x, np.array([[alpha, DELTA]]), rule)[0] for alpha in (1.0, 0.0)]
    assert values[0] - values[1] == pytest.approx(channel(LABELS[label], q), abs=5e-6 if "abs" in label else 2e-8)


def test_the_weak_recovery_threshold_of_noisy_phase_retrieval_is_the_literature_s() -> None:
    """1/alpha = int dy (E[(u^2 - 1) P(y|u)])^2 / E[P(y|u)] (Mondelli and Montanari 2019)."""
    y = np.linspace(-6.0, 80.0, 8601)
    u = np.linspace(-9.0, 9.0, 1201)
    w = norm.pdf(u) * (u[1] - u[0])
    likelihood = norm.pdf(y[:, None], u**2, np.sqrt(DELTA))
    share = (likelihood @ (w * (u**2 - 1))) ** 2 / np.maximum(likelihood @ w, 1e-300)
    threshold = 1.0 / (np.sum(share) * (y[1] - y[0]))
    module = student("u**2+sqrt(Delta)*noise").solver()
    x = np.array([[1e-13, 1e-13]])
    signs = [np.linalg.det(module.jacobian(x, np.array([[threshold * f, DELTA]]))[0]) for f in (0.999, 1.001)]
    assert signs[0] > 0.0 > signs[1]


def test_the_training_error_of_a_bayes_optimal_student_is_the_noise() -> None:
    state = student("tanh(u)+sqrt(Delta)*noise").solve(alpha=0.8)
    assert state["training_error"] == pytest.approx(DELTA, abs=1e-9)  # Nishimori's identity
    assert state["q"] > 0.2


def test_nodes_of_a_label_integrate_its_probability_to_one() -> None:
    for signal, noise in ((np.square, 0.5), (np.tanh, 0.05), (lambda u: u**3 / 3, 0.5), (lambda u: 0.0 * u, 1.0)):
        y, weight = label_nodes(signal, lambda u, noise=noise: noise + 0.0 * u, 1.0, 100)
        u = np.linspace(-8.5, 8.5, 17001)
        chance = norm.pdf(u) * (u[1] - u[0])
        density = np.array([chance @ norm.pdf(one, signal(u), noise) for one in y[0]])
        assert weight[0] @ density == pytest.approx(1.0, abs=1e-10)
        assert len(y[0]) <= 800


def test_nodes_of_labels_follow_parameters_row_by_row() -> None:
    scale = np.array([[1.0], [3.0]])
    y, weight = label_nodes(lambda u: scale * u, lambda u: 0.5 + 0.0 * u * scale, 1.0, 100)
    assert y.shape == weight.shape
    spread = np.sqrt(scale[:, 0] ** 2 + 0.25)
    for row, s in enumerate(spread):
        assert weight[row] @ norm.pdf(y[row], 0.0, s) == pytest.approx(1.0, abs=1e-9)
        assert weight[row] @ (y[row] ** 2 * norm.pdf(y[row], 0.0, s)) == pytest.approx(s**2, abs=1e-7)


def test_bumps_stand_where_a_label_is_most_probable() -> None:
    found = bumps(lambda h: -((2.0 - h * h) ** 2) / 0.02, 0.01, 0.0, 1.0)
    centres = sorted(centre[0] for centre, _ in found)
    assert centres == pytest.approx([-np.sqrt(2.0), np.sqrt(2.0)], abs=1e-3)
