"""What a student answers: errors of models whose student does not answer sign(h), against plain integrals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from declared import declare
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from spinodal import Model, load

SPEC = """
format = 1
[model]
name = "answers"
description = "a student that does not answer sign(h)"
[student]
weights = "binary"
features = "direct"
[teacher]
weights = "binary"
label = "{label}"
[loss]
{loss}
[ansatz]
scheme = "{scheme}"
[parameters]
alpha = 0.5
K = 0.7
Delta = 0.3
"""


def declared(tmp_path, label: str, loss: str = 'constraint = "y*h >= 0"', scheme: str = "bayes-optimal") -> Model:
    path = tmp_path / "answers.toml"
    path.write_text(SPEC.format(label=label, loss=loss, scheme=scheme))
    return load(path)


def both_beyond(threshold: float, variance: float, m: float) -> float:
    """P(u > threshold, h > threshold) for E u^2 = 1, E h^2 = variance, E u h = m."""
    return float(multivariate_normal([0.0, 0.0], [[1.0, m], [m, variance]]).cdf([-threshold, -threshold]))


def noisy_error(probability: Callable[[np.ndarray], np.ndarray], threshold: float, v: float, m: float) -> float:
    """P(y = -sign(|h| - threshold)) for a smooth P(y = 1 | u), as a plain double integral."""
    s = np.sqrt(1.0 - m * m / v)
    z = np.linspace(-9.0, 9.0, 20001)
    weights = norm.pdf(z) * (z[1] - z[0])

    def wrong(h: float) -> float:
        up = float(np.sum(weights * probability(m / v * h + s * z)))
        return norm.pdf(h, 0.0, np.sqrt(v)) * (1.0 - up if abs(h) > threshold else up)

    return 2 * (quad(wrong, 0, threshold)[0] + quad(wrong, threshold, threshold + 9)[0])


def observed(model: Model, q: float, **parameters: float) -> dict[str, float]:
    """Observables at a state of given overlap (the conjugate does not matter for errors of new patterns)."""
    solver = model.solver()
    defaults = {"alpha": 0.5, "K": 0.7, "Delta": 0.3} | parameters
    x = np.array([[q if not name.endswith("_hat") else 0.8 for name in solver.ORDER_PARAMETERS]])
    p = np.array([[defaults[name] for name in solver.PARAMETERS]])
    return {name: float(value[0]) for name, value in solver.observables(x, p, solver.RULE.refined()).items()}


def test_bayes_optimal_students_know_a_shifted_rule(tmp_path):
    found = observed(declared(tmp_path, "sign(u - K)"), 0.5)
    tail, inner = norm.sf(0.7), norm.sf(0.7 / np.sqrt(0.5))
    assert found["training_error"] == 0.0
    assert found["generalization_error"] == pytest.approx(2 * tail - 2 * both_beyond(0.7, 1.0, 0.5), abs=1e-9)
    expected = tail + inner - 2 * both_beyond(0.7, 0.5, 0.5)
    assert found["generalization_error_barycentre"] == pytest.approx(expected, abs=1e-9)


def test_bayes_optimal_students_know_a_symmetric_noisy_rule(tmp_path):
    found = observed(declared(tmp_path, "sign(abs(u) - K + Delta*noise)"), 0.6)

    def up(u: np.ndarray) -> np.ndarray:
        return norm.cdf((np.abs(u) - 0.7) / 0.3)

    assert found["generalization_error"] == pytest.approx(noisy_error(up, 0.7, 1.0, 0.6), abs=2e-8)
    assert found["generalization_error_barycentre"] == pytest.approx(noisy_error(up, 0.7, 0.6, 0.6), abs=2e-8)
    # on the patterns learnt, the Bayes-optimal student errs as often as the teacher's noise does
    noise = quad(lambda u: norm.pdf(u) * norm.sf(abs(abs(u) - 0.7) / 0.3), -9, 9, points=[-0.7, 0.7], limit=400)[0]
    assert found["training_error"] == pytest.approx(noise, abs=1e-6)


def test_bayes_optimal_students_of_real_labels_answer_with_the_teachers_function(tmp_path):
    found = observed(declared(tmp_path, "2*u + K + Delta*noise"), 0.4)
    assert found["generalization_error"] == pytest.approx(4 * (2 - 2 * 0.4) + 0.09, abs=1e-10)
    assert found["generalization_error_barycentre"] == pytest.approx(4 * (1 - 0.4) + 0.09, abs=1e-10)


def test_a_loss_of_the_absolute_field_is_answered_by_it(tmp_path):
    loss = 'energy = "(y - abs(h))**2/2"\ntemperature = 0.5'
    found = observed(declared(tmp_path, "abs(u)", loss, "replica-symmetric"), 0.6)
    # E|u||h| of unit Gaussians with correlation c is 2/pi (sqrt(1 - c^2) + c arcsin c)
    moment = 2 / np.pi * (np.sqrt(1 - 0.36) + 0.6 * np.arcsin(0.6))
    assert found["generalization_error"] == pytest.approx(2 - 2 * moment, abs=1e-7)


def test_a_margin_of_the_absolute_field_is_answered_by_its_sign(tmp_path):
    model = declared(tmp_path, "sign(abs(u) - K)", 'constraint = "y*(abs(h) - K) >= 0"', "replica-symmetric")
    found = observed(model, 0.6)
    assert found["training_error"] == 0.0
    outside = 2 * norm.sf(0.7)
    both = 2 * (both_beyond(0.7, 1.0, 0.6) + both_beyond(0.7, 1.0, -0.6))
    assert found["generalization_error"] == pytest.approx(2 * outside - 2 * both, abs=1e-8)


def test_a_loss_that_asks_for_no_answer_has_no_errors(tmp_path):
    loss = 'constraint = "(y+1)*(h - 0.1) >= 0 and (y-1)*(h - 0.4) >= 0 and h < 2"'
    model = declared(tmp_path, "sign(u - K)", loss, "replica-symmetric")
    names = set(model.solver().OBSERVABLES)
    assert "entropy" in names
    assert not names & {"training_error", "generalization_error", "generalization_error_barycentre"}


def test_a_squared_loss_of_a_shifted_rule_is_answered_by_its_sign(tmp_path):
    loss = 'energy = "(y - (abs(h) - K))**2"\ntemperature = 0.5'
    found = observed(declared(tmp_path, "sign(abs(u) - K)", loss, "replica-symmetric"), 0.6)
    both = 2 * (both_beyond(0.7, 1.0, 0.8) + both_beyond(0.7, 1.0, -0.8))
    r = 0.8  # the overlap with the teacher is set to 0.8 below
    model = declared(tmp_path, "sign(abs(u) - K)", loss, "replica-symmetric")
    assert found.keys() >= {"training_error", "generalization_error"}
    assert at_overlap(model, r)["generalization_error"] == pytest.approx(4 * norm.sf(0.7) - 2 * both, abs=1e-8)


def at_overlap(model: Model, r: float) -> dict[str, float]:
    solver = model.solver()
    values = {"q": 0.9, "r": r, "alpha": 0.5, "K": 0.7, "Delta": 0.3}
    x = np.array([[values.get(name, 0.8) for name in solver.ORDER_PARAMETERS]])
    p = np.array([[values[name] for name in solver.PARAMETERS]])
    found = solver.observables(x, p, solver.RULE.refined())
    return {name: float(value[0]) for name, value in found.items()}


def test_ground_states_of_a_bent_rule_have_its_training_error(tmp_path):
    # the squared loss is its own training error
    loss = 'energy = "(y - 2*tanh(h))**2"\ntemperature = 0'
    path = tmp_path / "bent.toml"
    text = SPEC.format(label="sign(u-1)+sign(u+1)", loss=loss, scheme="replica-symmetric")
    path.write_text(text.replace('weights = "binary"', 'weights = "spherical"'))
    found = load(path).solve(alpha=3.0).states[0].observables
    assert found["training_error"] == pytest.approx(found["energy"] / 3.0, abs=1e-10)


def test_a_laplace_student_of_a_binary_teacher_is_followed_from_small_alpha(tmp_path):
    path = tmp_path / "laplace.toml"
    text = SPEC.format(label="sign(u)", loss='constraint = "y*h >= 0"', scheme="replica-symmetric")
    path.write_text(text.replace('weights = "binary"', 'weights = { density = "exp(-abs(w))/2" }', 1))
    model = load(path)
    start = {"q": 0.4, "q_d": 2.0, "r": 0.3, "q_hat": 0.3, "q_d_hat": 0.1, "r_hat": 0.3}
    assert model.solve()["q"] == pytest.approx(model.solve(start=start)["q"], abs=1e-9)


@pytest.mark.parametrize(
    ("turned", "straight"),
    [
        ({"constraint": "-y*h >= 0.5"}, {"constraint": "y*h >= 0.5"}),
        ({"constraint": "a*y*h >= 0.35"}, {"constraint": "y*h >= 0.5"}),
        ({"energy": "log(1+exp(-a*y*h))", "temperature": 0.5}, {"energy": "log(1+exp(-0.7*y*h))", "temperature": 0.5}),
        ({"energy": "(y-tanh(a*h))**2", "temperature": 0.5}, {"energy": "(y-tanh(0.7*h))**2", "temperature": 0.5}),
    ],
)
def test_a_student_that_is_asked_for_negative_margins_answers_with_the_opposite_sign(turned: dict, straight: dict) -> None:
    """Reflecting all weights turns one model into the other, answers included."""
    states = [
        declare(
            "margins", weights="binary", teacher={"weights": "binary", "label": "sign(u)"}, loss=loss, alpha=0.3, a=-0.7
        ).solve()
        for loss in (turned, straight)
    ]
    for name in ("training_error", "generalization_error", "generalization_error_barycentre"):
        assert states[0][name] == pytest.approx(states[1][name], abs=1e-12)


def test_where_a_parameter_turns_the_margin_its_sign_decides_the_answer() -> None:
    loss = {"energy": "log(1+exp(-a*y*h))", "temperature": 0.5}
    model = declare(
        "margins", weights="binary", teacher={"weights": "binary", "label": "sign(u)"}, loss=loss, alpha=0.3, a=0.7
    )
    states = model.solve(a=np.array([-0.7, 0.7])).states
    assert states[0].observables["training_error"] == pytest.approx(states[1].observables["training_error"], abs=1e-12)
