"""Students on random features at a temperature, whose norms are free or whose patterns are many per input.

A Gaussian posterior (square loss, ridge) has the ground state as its mean, whatever the temperature; at alpha = 0 weights
are those of the prior. Other values are those of an independent fixed-point iteration with quadrature of its own.
"""

from __future__ import annotations

from typing import Any

import pytest
from declared import declare

from spinodal.model import Model


def warm(name: str, energy: str, activation: str, label: str, temperature: Any = "T", **entries: Any) -> Model:
    return declare(
        name, weights="unconstrained", features={"map": "random", "activation": activation},
        teacher={"weights": "gaussian", "label": label},
        loss={"energy": energy, "temperature": temperature, "regularization": "lam*w**2/2"},
        alpha=1.5, alpha_T=2.0, lam=0.05, **entries,
    )  # fmt: skip


@pytest.mark.parametrize(("activation", "q", "q_d", "r"), [
    ("tanh(x)", 6.776738815477424, 12.875066053096544, 2.1064146035005296),
    ("relu(x)", 6.807617182160304, 12.583367981074014, 1.9165934209704945),
    ("step(x-1)+x*step(-x)", 6.961503054225339, 12.625470241794833, 2.070260187640607),
])  # fmt: skip
def test_logistic_regression_at_values_from_elsewhere(activation: str, q: float, q_d: float, r: float) -> None:
    state = warm("warm-logistic", "log(1+exp(-y*h))", activation, "sign(u+0.2)", T=0.5).solve()
    found = state.states[0].order_parameters
    assert [found["q"], found["q_d"], found["r"]] == pytest.approx([q, q_d, r], rel=1e-9)


@pytest.mark.parametrize("alpha_T", [0.3, 2.5, 40.0])
@pytest.mark.parametrize(("lam", "temperature"), [(0.05, 0.1), (0.05, 5.0), (1e-3, 0.5), (2.0, 0.02)])
@pytest.mark.parametrize("activation", ["tanh(x)**3 + 0.4*x**2", "relu(x)"])
def test_ridge_regression_has_its_ground_state_as_mean(
    activation: str, lam: float, temperature: float, alpha_T: float
) -> None:
    label = "2*u + 0.3*noise"
    at = {"alpha": 1.2, "alpha_T": alpha_T, "lam": lam}
    cold = warm("cold-mean", "(y-h)**2/2", activation, label, 0).solve(**at).states[0]
    state = warm("warm-mean", "(y-h)**2/2", activation, label, T=0.1).solve(T=temperature, **at).states[0]
    assert cold.converged, cold.failure
    assert state.converged, state.failure
    for name in ("q", "p", "r"):
        assert state.order_parameters[name] == pytest.approx(cold.order_parameters[name], rel=1e-8), name
    for name in ("q", "p"):
        spread = (state.order_parameters[f"{name}_d"] - state.order_parameters[name]) / temperature
        assert spread == pytest.approx(cold.order_parameters[f"d{name}"], rel=1e-7), name


@pytest.mark.parametrize("alpha_T", [10.0, 100.0])
def test_with_few_patterns_per_weight_the_norm_is_that_of_the_prior(alpha_T: float) -> None:
    state = warm("warm-logistic", "log(1+exp(-y*h))", "tanh(x)", "sign(u+0.2)", T=0.5).solve(alpha=1e-7, alpha_T=alpha_T)
    found = state.states[0].order_parameters
    assert found["q_d"] == pytest.approx(0.5 / 0.05, rel=1e-5)
    assert found["q"] == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize(
    ("alpha_T", "q", "r"), [(30.0, 0.0564607400808, 1.37349071272), (100.0, 0.0366009532743, 1.97860260278)]
)
def test_binary_students_of_many_patterns_per_input(alpha_T: float, q: float, r: float) -> None:
    model = declare(
        "many-patterns", weights="binary",
        features={"map": "random", "activation": "sign(x)*sqrt(abs(x)) + step(x-1)"},
        teacher={"weights": "gaussian", "label": "sign(u+0.5+sqrt(0.3)*noise)", "flip_probability": 0.1},
        loss={"energy": "step(0.2-y*h)*(1+0.5*step(y))", "temperature": "T"}, alpha=0.6, alpha_T=3.0, T=0.3,
    )  # fmt: skip
    found = model.solve(T=1.0, alpha_T=alpha_T).states[0].order_parameters
    assert [found["q"], found["r"]] == pytest.approx([q, r], rel=1e-9)
