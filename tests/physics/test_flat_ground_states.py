"""Ground states that little pins down: weak regularizations, few patterns, students on random features.

Least squares are functions of the pattern matrix alone (Marchenko & Pastur 1967). Elsewhere the fixed-point equations of a
student in direct features are typed here, with averages by their own quadrature: the energy is strictly convex, so that
there is one solution. Values on random features are those of an independent fixed-point iteration.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from declared import declare
from numpy.polynomial.legendre import leggauss
from scipy.special import expit, ndtr
from test_published import NOISY, marchenko_pastur

from spinodal.model import Model

RIDGE = "lam*w**2/2"
SQUARE = "(y-h)**2/2"
LOGISTIC = "log(1+exp(-y*h))"
Proximal = Callable[[np.ndarray, float], np.ndarray]


def flat(name: str, energy: str, label: str, features: str = "", regularization: str = RIDGE, **entries: Any) -> Model:
    on_features = {"features": {"map": "random", "activation": features}, "alpha_T": 2.5} if features else {}
    return declare(
        name, weights="unconstrained", teacher={"weights": "gaussian", "label": label},
        loss={"energy": energy, "temperature": 0, "regularization": regularization},
        alpha=1.0, lam=0.1, **on_features, **entries,
    )  # fmt: skip


@pytest.mark.parametrize("lam", [1e-2, 1e-3, 1e-4, 1e-6, 1e-9])
@pytest.mark.parametrize("alpha", [0.3, 0.5, 1.0, 1.7])
def test_ridge_regression_with_little_ridge(alpha: float, lam: float) -> None:
    delta = 0.3
    state = flat("weak-ridge", SQUARE, NOISY, Delta=0.3).solve(alpha=alpha, lam=lam).states[0]
    assert state.converged, state.failure
    assert state.error_estimate < 1e-10 * (1.0 + state.order_parameters["q"])

    # (1/N) tr 1/(X^T X/N + lam) is the root of a parabola (Marchenko & Pastur); its slope by lam in closed form
    root = np.sqrt((lam + alpha - 1.0) ** 2 + 4.0 * lam)
    response = (1.0 - alpha - lam + root) / (2.0 * lam) if alpha <= 1.0 else 2.0 / (alpha - 1.0 + lam + root)
    second = response * (1.0 + response) / root  # tr 1/(...)^2
    if lam > 1e-5:  # a difference quotient loses digits
        assert second == pytest.approx(-slope_of_response(alpha, lam), rel=1e-5)
    r = 1.0 - lam * response
    q = 1.0 - 2.0 * lam * response + lam**2 * second + delta * (response - lam * second)
    assert state.order_parameters["dq"] == pytest.approx(response, rel=1e-9)
    assert state.order_parameters["r"] == pytest.approx(r, rel=1e-7)
    assert state.order_parameters["q"] == pytest.approx(q, rel=1e-6)
    if lam >= 1e-3:
        assert response == pytest.approx(marchenko_pastur(lambda x: 1.0 / (x + lam), alpha), rel=1e-8)


def slope_of_response(alpha: float, lam: float) -> float:
    def response(at: float) -> float:
        return 2.0 / (alpha - 1.0 + at + np.sqrt((at + alpha - 1.0) ** 2 + 4.0 * at))

    step = 1e-4 * lam
    return (response(lam + step) - response(lam - step)) / (2.0 * step)


def proximal_logistic(omega: np.ndarray, spread: float) -> np.ndarray:
    """argmin_h log(1 + exp(-h)) + (h - omega)^2/(2 spread), by bisection."""
    low, high = omega.copy(), omega + spread
    for _ in range(200):
        middle = 0.5 * (low + high)
        above = middle - omega - spread * expit(-middle) > 0.0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return 0.5 * (low + high)


def proximal_squared_hinge(omega: np.ndarray, spread: float) -> np.ndarray:
    return np.where(omega < 1.0, (omega + spread) / (1.0 + spread), omega)


def proximal_hinge(omega: np.ndarray, spread: float) -> np.ndarray:
    return np.clip(1.0, omega, omega + spread)


def implied(proximal: Proximal, state: dict[str, float], alpha: float, lam: float) -> dict[str, float]:
    """The overlaps that the overlaps of a state imply, for labels sign(u) and a loss of the stability y h.

    A stability before the loss pulls at it is s = sqrt(q) z, of weight 2 Dz Phi(slope z); derivatives are taken by parts.
    """
    q, dq, r = state["q"], state["dq"], state["r"]
    nodes, weights = leggauss(40)
    far = 9.0 * np.sqrt(q)
    edges = np.unique(np.clip([*np.linspace(-far, far, 37), 1.0, 1.0 - dq], -far, far))
    half = 0.5 * np.diff(edges)[:, None]
    s = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * nodes).ravel()
    z, slope, unknown = s / np.sqrt(q), r / np.sqrt(q - r**2), 1.0 - r**2 / q
    density = 2.0 * (half * weights).ravel() * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi * q)
    pull, edge = (proximal(s, dq) - s) / dq, np.exp(-0.5 * (slope * z) ** 2) / np.sqrt(2.0 * np.pi)
    q_hat = alpha * np.sum(density * ndtr(slope * z) * pull**2)
    r_hat = alpha * np.sum(density * pull * edge) / np.sqrt(unknown)
    dq_hat = alpha * np.sum(density * pull * (z * ndtr(slope * z) - slope * edge)) / np.sqrt(q)
    return {"q": (q_hat + r_hat**2) / (lam - dq_hat) ** 2, "dq": 1.0 / (lam - dq_hat), "r": r_hat / (lam - dq_hat)}


LOSSES = {
    "logistic": (LOGISTIC, proximal_logistic),
    "hinge": ("max(0, 1-y*h)", proximal_hinge),
    "squared-hinge": ("max(0, 1-y*h)**2/2", proximal_squared_hinge),
}


@pytest.mark.parametrize("lam", [1e-1, 3e-3, 1e-4, 1e-6])
@pytest.mark.parametrize("alpha", [0.3, 1.5])
@pytest.mark.parametrize("loss", LOSSES)
def test_classifiers_with_little_ridge(loss: str, alpha: float, lam: float) -> None:
    energy, proximal = LOSSES[loss]
    state = flat(f"weak-{loss}", energy, "sign(u)").solve(alpha=alpha, lam=lam).states[0]
    assert state.converged, state.failure
    for name, value in implied(proximal, dict(state.order_parameters), alpha, lam).items():
        assert state.order_parameters[name] == pytest.approx(value, rel=1e-7), name


def test_logistic_regression_at_a_value_from_elsewhere() -> None:
    state = flat("weak-logistic", LOGISTIC, "sign(u)").solve(alpha=1.5, lam=1e-3).states[0]
    wanted = {"q": 48.896966, "dq": 294.44369, "r": 5.506129}
    assert {name: state.order_parameters[name] for name in wanted} == pytest.approx(wanted, rel=1e-7)


def test_a_branch_of_little_ridge_has_the_states_that_solve_finds() -> None:
    model = flat("weak-ridge", SQUARE, NOISY, Delta=0.3)
    branch = model.branch(along="alpha", bounds=(0.4, 1.6), lam=1e-4)
    for point in branch.states[:: max(1, len(branch.states) // 5)]:
        alone = model.solve(alpha=point.parameters["alpha"], lam=1e-4).states[0]
        assert point.order_parameters["q"] == pytest.approx(alone.order_parameters["q"], rel=1e-6)


@pytest.mark.parametrize("lam", [1e-2, 1e-4, 1e-6])
def test_a_teacher_without_noise_is_learnt_up_to_the_ridge(lam: float) -> None:
    alpha = 2.0
    state = flat("no-noise", SQUARE, "u").solve(alpha=alpha, lam=lam).states[0]
    assert state.converged, state.failure
    second = marchenko_pastur(lambda x: 1.0 / (x + lam) ** 2, alpha)
    assert state.observables["generalization_error"] == pytest.approx(lam**2 * second, rel=1e-3, abs=1e-15)
    assert state.observables["energy"] == pytest.approx(lam * marchenko_pastur(lambda x: x / (x + lam), alpha) / 2, rel=1e-7)


def test_a_ridge_beyond_double_precision_is_called_weak_and_not_absent() -> None:
    state = flat("weak-ridge", SQUARE, NOISY, Delta=0.3).solve(alpha=0.5, lam=1e-13).states[0]
    assert state.failure is not None
    assert "not unique" not in state.failure.reason
    assert "stronger regularization" in state.failure.advice


@pytest.mark.parametrize("alpha", [0.5, 0.9])
def test_without_ridge_few_patterns_leave_many_ground_states(alpha: float) -> None:
    model = declare(
        "no-ridge", weights="gaussian", teacher={"weights": "gaussian", "label": NOISY},
        loss={"energy": SQUARE, "temperature": 0}, alpha=2.0, Delta=0.1,
    )  # fmt: skip
    state = model.solve(alpha=alpha).states[0]
    assert state.failure is not None
    assert "not unique" in state.failure.reason


def test_random_features_at_values_from_elsewhere() -> None:
    model = declare(
        "feature-ridge", weights="unconstrained", features={"map": "random", "activation": "tanh(x)**3 + 0.4*x**2"},
        teacher={"weights": "spherical", "label": "sin(2*u) + u + 0.3*noise"},
        loss={"energy": SQUARE, "temperature": 0, "regularization": RIDGE}, alpha=1.2, alpha_T=2.5, lam=0.05,
    )  # fmt: skip
    state = model.solve(alpha=0.5, lam=0.3).states[0]
    assert state.converged, state.failure
    assert state.order_parameters["q"] == pytest.approx(0.66299565320, rel=1e-10)
    assert state.order_parameters["dq"] == pytest.approx(2.46227549692, rel=1e-10)


@pytest.mark.parametrize("lam", [0.3, 1e-2, 1e-3, 1e-6])
@pytest.mark.parametrize(("activation", "energy", "label"), [
    ("tanh(x)", SQUARE, "u+0.5*noise"), ("tanh(x)", SQUARE, "sign(u)"), ("relu(x)", LOGISTIC, "sign(u)"),
    ("sign(x)", "max(0, 1-y*h)", "sign(u)"), ("x", SQUARE, "u+0.1*noise"),
])  # fmt: skip
def test_students_on_few_random_features_have_a_ground_state(activation: str, energy: str, label: str, lam: float) -> None:
    state = flat("on-features", energy, label, activation).solve(alpha=0.3, lam=lam).states[0]
    assert state.converged, state.failure
    # P = 0.3 N patterns leave 0.7 N directions to the ridge alone, each of which gives way by 1/lam
    response = lam * state.order_parameters["dq"]
    assert 0.7 < response < 1.0
    if energy == SQUARE and lam < 1e-5 and activation != "x":
        assert response == pytest.approx(0.7, rel=1e-4)
        assert state.observables["training_error"] == pytest.approx(0.0, abs=1e-9)


def test_logistic_ground_states_of_real_labels_are_solved_with_as_many_nodes_as_they_need() -> None:
    """Values from a proximal operator by bisection and Gauss-Legendre sums on four grids, which agree to 1e-9."""
    state = declare(
        "logistic", weights="unconstrained", teacher={"weights": "gaussian", "label": "-1.5*u + 0.2"},
        loss={"energy": "log(1+exp(-y*h))", "temperature": 0, "regularization": "lam*w**2/2"}, alpha=1.4, lam=0.01,
    ).solve()  # fmt: skip
    assert state["q"] == pytest.approx(15.25542480, abs=2e-6)
    assert state["dq"] == pytest.approx(46.13613883, abs=2e-6)
    assert state["r"] == pytest.approx(-2.61417363, abs=2e-6)
    assert state["energy"] == pytest.approx(0.256207034051, abs=2e-9)
    assert state["free_entropy"] == pytest.approx(-state["energy"], abs=1e-10)
