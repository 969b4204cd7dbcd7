"""Real replicas without external complexity, against nested integrals written out, and the switch to infinitely many."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from declared import declare
from scipy.optimize import brentq, root
from scipy.special import log_ndtr

import spinodal
from spinodal.model import Model

ALPHA, Q1 = 0.75, 0.9


@lru_cache
def storage(replicas: str) -> Model:
    overrides = {"ansatz": {"scheme": "real-replicas", "replicas": replicas}}
    return spinodal.load("binary-perceptron", overrides=overrides)


#: The outer variable, and the inner one: its weight Z^y peaks at z of 10 and more, which 9 standard deviations would cut.
_Z = np.linspace(-8.0, 8.0, 161)
_V = np.linspace(-30.0, 40.0, 3501)


def _outer(values: np.ndarray) -> float:
    weight = np.exp(-(_Z**2) / 2) / np.sqrt(2 * np.pi) * (_Z[1] - _Z[0])
    return float(weight @ values)


def _inner(log_z: np.ndarray, y: float) -> np.ndarray:
    """The logarithm of E[Z^y] over the inner variable, at each outer one."""
    exponent = y * log_z - _V**2 / 2
    top = exponent.max(axis=1, keepdims=True)
    total = np.exp(exponent - top).sum(axis=1) * (_V[1] - _V[0]) / np.sqrt(2 * np.pi)
    return np.asarray(top[:, 0] + np.log(total))


def _functional(q0: float, q0_hat: float, q1_hat: float, y: float) -> float:
    """The free entropy of y replicas at overlap q1 for storage: 1RSB with m = y (Krauth and Mezard 1989, at given q1)."""
    field = np.sqrt(q0_hat) * _Z[:, None] + np.sqrt(q1_hat - q0_hat) * _V
    prior = _outer(_inner(np.logaddexp(field, -field), y)) / y
    h = np.sqrt(q0) * _Z[:, None] + np.sqrt(Q1 - q0) * _V
    output = _outer(_inner(log_ndtr(h / np.sqrt(1 - Q1)), y)) / y
    pairing = -0.5 * q1_hat * (1 - Q1) - 0.5 * y * (Q1 * q1_hat - q0 * q0_hat)
    return pairing + prior + ALPHA * output


def _stationary(y: float, start: np.ndarray) -> np.ndarray:
    steps = np.array([1e-4, 1e-4, 1e-4])

    def gradient(x: np.ndarray) -> np.ndarray:
        sides = [[_functional(*(x + s * h * e), y) for s in (1, -1)] for h, e in zip(steps, np.eye(3), strict=True)]
        return np.array([(up - down) / (2 * h) for (up, down), h in zip(sides, steps, strict=True)])

    return np.asarray(root(gradient, start, tol=1e-7).x)


@pytest.mark.slow
def test_the_number_of_replicas_without_complexity_by_plain_integrals() -> None:
    """THEORY's 5.675 comes of a sum that ends where the inner weight peaks; with its whole domain y* = 5.652."""
    solution = storage("zero-complexity").solve(alpha=ALPHA, q1=Q1)
    state = {k: float(v) for k, v in solution.order_parameters.items()}
    y, x = state["y"], np.array([state[name] for name in ("q0", "q0_hat", "q1_hat")])
    assert _functional(*x, y) == pytest.approx(float(solution.free_entropy), abs=1e-9)
    h = 0.02

    def phi(size: float) -> float:
        return _functional(*_stationary(size, x), size)

    slope = (phi(y + h) - phi(y - h)) / (2 * h)
    assert abs(y * y * slope) < 1e-4
    assert y == pytest.approx(5.6521, abs=2e-4)
    assert float(solution.free_entropy) == pytest.approx(0.030406, abs=1e-6)


def test_where_the_complexity_stays_positive_replicas_are_infinitely_many() -> None:
    """At small q1 the measure is the limit y -> infinity, at large q1 a finite y; they meet where Sigma(inf) = 0."""
    many = storage("inf")

    def complexity(q1: float) -> float:
        return float(many.solve(alpha=ALPHA, q1=q1).observables["complexity"])

    switch = brentq(complexity, 0.65, 0.85, xtol=1e-6)
    below = storage("zero-complexity").solve(alpha=ALPHA, q1=switch - 0.02)
    assert below.converged
    assert below.order_parameters["y"] == np.inf
    assert float(below.free_entropy) == pytest.approx(
        float(many.solve(alpha=ALPHA, q1=switch - 0.02).free_entropy), abs=1e-10
    )
    assert float(below.observables["complexity"]) > 0.0
    assert any("y -> infinity" in warning for warning in below.warnings)
    above = storage("zero-complexity").solve(alpha=ALPHA, q1=switch + 0.02)
    assert above.converged
    assert 20.0 < float(above.order_parameters["y"]) < 1000.0
    assert abs(float(above.observables["complexity"])) < 1e-6
    assert float(above.free_entropy) < float(many.solve(alpha=ALPHA, q1=switch + 0.02).free_entropy)


def test_hundreds_of_replicas_without_complexity_by_plain_integrals() -> None:
    """Weights -1, 0, 1 with probabilities, at an overlap just above the one at which no number of replicas is enough."""
    rho, alpha, kappa, q1 = 0.6, 0.4, 0.1, 0.6
    weights = {"values": [-1, 0, 1], "probabilities": ["rho/2", "1-rho", "rho/2"]}
    ansatz = {"replicas": "zero-complexity"}
    model = declare(
        "ternary-groups", weights=weights, scheme="real-replicas", ansatz=ansatz, alpha=alpha, kappa=kappa, rho=rho
    )
    (state,) = model.solve(q1=q1).states
    assert state.converged, state.failure
    q0, q_d, q0_hat, q1_hat, q_d_hat, copies = (state[name] for name in ("q0", "q_d", "q0_hat", "q1_hat", "q_d_hat", "y"))
    # which of two groups of weights wins changes over 1/y in the outer variable
    t = np.linspace(-1.0, 1.0, 401)
    outer, stretch = 8.0 * np.sinh(8.0 * t) / np.sinh(8.0), 64.0 * np.cosh(8.0 * t) / np.sinh(8.0)
    weight = np.exp(-(outer**2) / 2) / np.sqrt(2 * np.pi) * stretch * (t[1] - t[0])
    inner = np.linspace(-140.0, 140.0, 5601)

    def free_entropy(y: float) -> float:
        def mean(log_z: np.ndarray) -> float:
            exponent = y * log_z - inner**2 / 2
            top = exponent.max(axis=1, keepdims=True)
            total = np.exp(exponent - top).sum(axis=1) * (inner[1] - inner[0]) / np.sqrt(2 * np.pi)
            return float(weight @ (top[:, 0] + np.log(total))) / y

        field = np.sqrt(q0_hat) * outer[:, None] + np.sqrt(q1_hat - q0_hat) * inner
        prior = mean(np.log(1 - rho + rho * np.exp((q_d_hat - q1_hat) / 2) * np.cosh(field)))
        h = np.sqrt(q0) * outer[:, None] + np.sqrt(q1 - q0) * inner
        output = mean(log_ndtr((h - kappa) / np.sqrt(q_d - q1)))
        pairing = (q1 * q1_hat - q_d * q_d_hat - y * (q1 * q1_hat - q0 * q0_hat)) / 2
        return pairing + prior + alpha * output

    assert state.free_entropy == pytest.approx(free_entropy(copies), abs=1e-12)
    slopes = [(free_entropy(copies + step) - free_entropy(copies - step)) / (2 * step) for step in (2.0, 1.0)]
    complexity = -(copies**2) * (4 * slopes[1] - slopes[0]) / 3
    assert complexity == pytest.approx(0.0, abs=1e-6)
    assert 600.0 < copies < 620.0
