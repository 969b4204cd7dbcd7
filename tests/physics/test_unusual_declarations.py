"""Declarations at the edge of what has a theory: each against a model that says the same, or refused with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from declared import declare
from scipy.optimize import brentq
from scipy.stats import norm

from spinodal import Model, SpecError, load

POINT = {"alpha": 0.6, "kappa": -0.3, "T": 0.5}


def taught(constraint: str = "y*h >= 0", **teacher: Any) -> Model:
    return declare(
        "unusual", weights="gaussian", teacher={"weights": "gaussian", "label": "sign(u)", **teacher},
        loss={"constraint": constraint}, **POINT,
    )  # fmt: skip


def bayes(label: str = "sign(u)", **teacher: Any) -> Model:
    return declare(
        "unusual", weights="gaussian", teacher={"weights": "gaussian", "label": label, **teacher},
        loss={"constraint": "y*h >= 0"}, scheme="bayes-optimal", **POINT,
    )  # fmt: skip


def phi(model: Model) -> float:
    return float(model.solve().free_entropy)


def test_labels_that_are_never_or_always_flipped_are_the_rule_or_its_opposite() -> None:
    assert phi(taught(flip_probability=0)) == pytest.approx(phi(taught()), abs=1e-12)
    assert phi(taught(flip_probability=1)) == pytest.approx(phi(taught(label="sign(-u)")), abs=1e-12)


def test_a_bayes_optimal_student_answers_the_opposite_where_most_labels_are_flipped() -> None:
    few, most = bayes(flip_probability=0.2).solve(), bayes("sign(-u)", flip_probability=0.8).solve()
    for name in ("training_error", "generalization_error", "generalization_error_barycentre"):
        assert most[name] == pytest.approx(few[name], abs=1e-10)
    assert most["training_error"] == pytest.approx(0.2, abs=1e-10)


def test_a_loss_that_does_not_read_the_label_has_no_errors() -> None:
    state = declare("unusual", weights="spherical", loss={"constraint": "h > 0.3 or h < -0.9"}, **POINT).solve()
    assert not {"training_error", "generalization_error"} & set(state.states[0].observables)


@pytest.mark.parametrize(
    ("constraint", "same"),
    [
        ("y*exp(h) >= kappa", "y > 0 or h <= log(0.3)"),
        ("y*relu(h) >= kappa", "y > 0 or h <= 0.3"),
        ("y*erf(h) >= kappa", "y*h >= -0.27246271472675435"),  # erf of it is -0.3
    ],
)
def test_constraints_that_bind_for_one_label_or_need_an_inverse_agree_with_plain_ones(constraint: str, same: str) -> None:
    assert phi(taught(constraint)) == pytest.approx(phi(taught(same)), abs=1e-9)


def test_an_energy_that_falls_to_minus_infinity_at_a_pole_is_refused() -> None:
    model = declare("unusual", weights="spherical", loss={"energy": "1/h", "temperature": "T"}, **POINT)
    with pytest.raises(SpecError, match="falls to minus infinity at h = 0"):
        model.solver()
    bounded = declare("unusual", weights="spherical", loss={"energy": "1/h**2", "temperature": "T"}, **POINT)
    assert bounded.solve().states[0].converged


def test_observables_that_divide_by_zero_are_refused_where_they_stand() -> None:
    import spinodal

    model = spinodal.load("binary-perceptron", overrides={"observables.z": "1/(q-q)"})
    with pytest.raises(SpecError, match="division by zero"):
        model.solver()


def test_empty_batches_and_starts_that_are_no_overlaps_are_refused() -> None:
    import spinodal

    model = spinodal.load("binary-perceptron")
    with pytest.raises(SpecError, match="an array of values is empty"):
        model.solve(alpha=[])
    with pytest.raises(SpecError, match="q: 2 is no overlap"):
        model.solve(start={"q": 2.0})


@pytest.mark.parametrize("constraint", ["H(y*h) <= 0.3", "erfc(y*h/sqrt(2)) <= 0.6", "erf(y*h/sqrt(2)) >= 0.4"])
def test_constraints_on_error_functions_are_margins(constraint: str) -> None:
    """H(0.5244005...) = 0.3."""
    states = [
        declare("margin", weights="binary", loss={"constraint": text}, alpha=0.3).solve()
        for text in (constraint, f"y*h >= {float(norm.isf(0.3))!r}")
    ]
    assert states[0]["free_entropy"] == pytest.approx(states[1]["free_entropy"], abs=1e-13)


@pytest.mark.parametrize(
    ("label", "values"),
    [("step(u) - 2*step(u-1)", (0, 1, -1)), ("step(u) - step(u-1)", (0, 1, 0)), ("sign(u) + 2*sign(u-1)", (-3, -1, 3))],
)
def test_ridge_regression_of_labels_with_three_values_in_closed_form(label: str, values: tuple[float, ...]) -> None:
    """At T = 1/2 the loss (y-h)^2 is noise of variance D = 1/4: linear response, of which only E[u y] and E[y^2] matter."""
    model = declare(
        "three", weights="gaussian", teacher={"weights": "gaussian", "label": label},
        loss={"energy": "(y-h)**2", "temperature": 0.5}, alpha=1.4,
    )  # fmt: skip
    state = model.solve()
    noise, alpha = 0.25, 1.4
    variance = brentq(lambda v: v * (1 + alpha / (v + noise)) - 1, 1e-6, 1, xtol=1e-15)
    below, between, above = values
    slope = (between - below) * norm.pdf(0) + (above - between) * norm.pdf(1)
    square = below**2 / 2 + between**2 * (norm.cdf(1) - 0.5) + above**2 * norm.sf(1)
    r, gain = variance * alpha * slope / (variance + noise), alpha * variance**2 / (variance + noise) ** 2
    q = (r * r + gain * (square - 2 * slope * r)) / (1 - gain)
    found = [float(state[name]) for name in ("q", "r", "q_d")]
    assert found == pytest.approx([q, r, q + variance], abs=1e-10)
    student = square - 2 * slope * r + q
    assert float(state["generalization_error_barycentre"]) == pytest.approx(student, abs=1e-10)


def test_bounds_that_a_bounded_label_keeps_in_order_are_a_constraint() -> None:
    """Of bounds that no field meets, h <= 5, only the other one is felt: |tanh(u)| < 1."""
    teacher = {"weights": "gaussian", "label": "tanh(u)"}
    both, one = (
        declare("bounds", weights="spherical", teacher=teacher, loss={"constraint": constraint}, alpha=0.4, eps=0.8)
        for constraint in ("y - h <= eps and h <= 9", "y - h <= eps")
    )
    assert phi(both) == pytest.approx(phi(one), abs=1e-10)


def test_bounds_that_change_their_order_with_the_label_are_refused_with_the_label() -> None:
    model = declare(
        "bounds", weights="spherical", teacher={"weights": "gaussian", "label": "u"},
        loss={"constraint": "y - h <= eps and h <= 1.5"}, alpha=0.4, eps=0.8,
    )  # fmt: skip
    with pytest.raises(SpecError) as caught:
        model.solve()
    assert "the constraint's bounds change their order with the label (at y = 8.5); for such labels other fields" in str(
        caught.value
    )


def test_observables_of_ground_states_are_formulas_in_their_order_parameters(tmp_path: Path) -> None:
    path = tmp_path / "ground.toml"
    path.write_text(
        """
format = 1
[student]
weights = "spherical"
features = { map = "random", activation = "tanh(x)" }
[loss]
energy = "max(0, kappa - y*h)**2/2"
temperature = 0
[parameters]
alpha = 2.5
alpha_T = 1.5
kappa = 0.4
[observables]
stiffness = "kappa/dq + dp"
"""
    )
    state = load(path).solve()
    assert float(state["stiffness"]) == pytest.approx(0.4 / float(state["dq"]) + float(state["dp"]), rel=1e-12)
    path.write_text(path.read_text().replace("kappa/dq + dp", "q_d"))
    with pytest.raises(SpecError, match="q_d: not an order parameter of this model; use dp, dp_hat, dq, dq_hat, p, "):
        load(path)


def test_weights_of_slow_tails_have_no_state_where_their_stiffness_is_negative() -> None:
    """At small alpha q_d_hat - q_hat = alpha d^2/dm^2 log P(field m allowed) at variance E w^2 = 120: a convex tilt."""
    model = declare(
        "slow", weights={"density": "exp(-sqrt(abs(w)))/4"}, loss={"constraint": "y*h >= 0.5 or y*h <= -2"}, alpha=0.5
    )

    def log_allowed(mean: float) -> float:
        return float(np.log(norm.sf((0.5 - mean) / np.sqrt(120)) + norm.cdf((-2.0 - mean) / np.sqrt(120))))

    step = 0.05
    assert log_allowed(step) - 2.0 * log_allowed(0.0) + log_allowed(-step) > 0.0
    failure = model.solve().states[0].failure
    assert failure is not None
    assert "falls more slowly than every Gaussian" in failure.reason


def test_slow_tails_do_no_harm_where_weights_are_stiff() -> None:
    """A half-line is log-concave in the field, so that its tilt is concave."""
    model = declare("slow", weights={"density": "exp(-sqrt(abs(w)))/4"}, loss={"constraint": "y*h >= 0"}, alpha=0.5)
    state = model.solve()
    assert state.converged
    assert state["q_d_hat"] < state["q_hat"]


def test_errors_that_are_infinite_have_no_value() -> None:
    """E exp(u^2)^2 over a standard normal u diverges."""
    model = declare(
        "infinite", weights="binary", teacher={"weights": "gaussian", "label": "exp(u**2)"},
        loss={"constraint": "y*h >= 0"}, alpha=0.5,
    )  # fmt: skip
    state = model.solve()
    assert state.converged
    assert "generalization_error" not in state.states[0].observables
    assert any(text.startswith("generalization_error has no value") for text in state.states[0].warnings)


def test_many_patterns_per_input_are_reached_on_their_power_laws() -> None:
    """The output's conjugates vanish there, and r grows as alpha_T^(1/3), p as its square, log 2 - phi falls as 1/r."""
    model = declare(
        "features", weights="binary", features={"map": "random", "activation": "sign(x-0.5)"},
        teacher={"weights": "gaussian", "label": "sign(u)"}, loss={"constraint": "y*h >= 0"}, alpha=0.6, alpha_T=1e5,
    )  # fmt: skip
    many, more = (model.solve(alpha_T=value).states[0] for value in (1e5, 1e6))
    assert many.converged
    assert more.converged
    factor = 10 ** (1 / 3)
    assert more.order_parameters["r"] / many.order_parameters["r"] == pytest.approx(factor, rel=5e-3)
    assert more.order_parameters["p"] / many.order_parameters["p"] == pytest.approx(factor**2, rel=5e-3)
    assert (np.log(2) - many.free_entropy) / (np.log(2) - more.free_entropy) == pytest.approx(factor, rel=1e-2)
