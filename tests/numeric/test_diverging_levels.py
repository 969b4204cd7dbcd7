"""Infinitely many replicas close to one another below capacity: the spread of their field explodes, phi has a limit."""

from __future__ import annotations

import numpy as np
import pytest
from declared import declare
from numpy.typing import NDArray
from scipy.special import log_ndtr

from spinodal import load
from spinodal.numeric import envelope
from spinodal.numeric.bound import Bound
from spinodal.numeric.ends import fold_at

Array = NDArray[np.float64]


def ball_entropy(q1: float) -> float:
    """Of +-1 weights at overlap sqrt(q1) with a centre, which is where replicas at mutual overlap q1 are."""
    up = 0.5 * (1.0 + np.sqrt(q1))
    return float(-up * np.log(up) - (1.0 - up) * np.log1p(-up))


def half_line(points: int, longest: float) -> tuple[Array, Array]:
    x, w = np.polynomial.legendre.leggauss(points)
    z = 0.5 * longest * (x + 1.0)
    return z, 0.5 * longest * w * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)


def increasing_root(function: object, low: Array, high: Array) -> Array:
    for _ in range(90):
        middle = 0.5 * (low + high)
        above = function(middle) > 0.0  # type: ignore[operator]
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray(0.5 * (low + high))


@pytest.mark.parametrize("q1", [0.95, 0.97])
def test_close_replicas_obey_the_textbook_equations_by_dense_quadrature(q1: float) -> None:
    alpha = 0.3
    state = load("binary-perceptron", ansatz="real-replicas").solve(alpha=alpha, q1=q1).states[0]
    assert state.converged, state.failure
    dq, q_hat, dq_hat = (state.order_parameters[name] for name in ("dq", "q1_hat", "dq_hat"))
    assert dq > 1e4
    # THEORY.md section 3: t* = omega + dq_hat tanh t*, the root of the sign of omega
    z, weight = half_line(80, 9.0)
    omega = np.sqrt(q_hat) * z
    t = increasing_root(lambda t: t - omega - dq_hat * np.tanh(t), np.full_like(z, 1.0), np.full_like(z, 20.0))
    assert 2.0 * weight @ np.tanh(t) ** 2 == pytest.approx(q1, abs=1e-9)
    assert 2.0 * weight @ (omega * np.tanh(t)) / q_hat == pytest.approx(dq + 1.0 - q1, rel=1e-8)
    # t* = h + dq/sqrt(V) Mills(-t*/sqrt(V))
    v = 1.0 - q1

    def mills(x: Array) -> Array:
        return np.exp(-0.5 * x * x - 0.5 * np.log(2.0 * np.pi) - log_ndtr(-x))

    h, step = np.linspace(-8.0, 8.0, 40001, retstep=True)
    h = h * np.sqrt(q1)
    t = increasing_root(lambda t: t - h - dq / np.sqrt(v) * mills(-t / np.sqrt(v)), h, np.maximum(h, 0.0) + 20.0)
    density = np.exp(-0.5 * h * h / q1) / np.sqrt(2.0 * np.pi)
    assert alpha / v * step * np.sum(density * mills(-t / np.sqrt(v)) ** 2) == pytest.approx(q_hat, rel=1e-7)
    # what violations cost is of the order of 1/dq
    assert 0.0 < ball_entropy(q1) - state.free_entropy < 1.0 / dq * 100.0


@pytest.mark.parametrize(
    ("model", "alpha", "q1"),
    [
        ("binary-perceptron", 0.3, 0.99),
        ("binary-perceptron", 0.3, 0.999),
        ("binary-perceptron", 0.3, 0.99999),
        ("random-features-binary", 0.9, 0.9999),
    ],
)
def test_the_local_entropy_of_close_replicas_tends_to_that_of_a_ball(model: str, alpha: float, q1: float) -> None:
    state = load(model, ansatz="real-replicas").solve(alpha=alpha, q1=q1).states[0]
    assert state.converged, state.failure
    assert abs(state.free_entropy - ball_entropy(q1)) <= state.error_estimate < 1e-13
    # d phi / d q1 of the ball
    slope = -np.arctanh(np.sqrt(q1)) / (2.0 * np.sqrt(q1))
    assert state.observables["slope"] == pytest.approx(slope, rel=1e-9)


@pytest.mark.parametrize("root", [1e-2, 1e-4, 2e-5, 1.1e-5, 9e-6])
def test_a_field_much_narrower_than_the_jump_of_its_maximiser_is_resolved(root: float) -> None:
    spread = 2.2
    level = lambda t: (np.logaddexp(t, -t),)  # noqa: E731
    slopes = lambda t: (np.tanh(t), 1.0 - np.tanh(t) ** 2)  # noqa: E731
    integrands = lambda z, t, w: (np.sum(w * z * np.tanh(t), axis=1), np.sum(w * np.tanh(t) ** 2, axis=1))  # noqa: E731
    found = envelope.averages(
        integrands, None, level, slopes, load("binary-perceptron").solver().RULE, 0.0, root, spread, [(0.0, 1.0)], [],
        single=False,
    )  # fmt: skip
    z, weight = half_line(80, 9.0)
    t = increasing_root(lambda t: t - root * z - spread * np.tanh(t), np.full_like(z, 0.5), np.full_like(z, 20.0))
    assert found[0] == pytest.approx(2.0 * weight @ (z * np.tanh(t)), abs=1e-9)
    assert found[1] == pytest.approx(2.0 * weight @ np.tanh(t) ** 2, abs=1e-9)


@pytest.mark.parametrize(("alpha", "expected"), [(1.492, 1.4926318182), (1.2, None)])
def test_a_fold_is_named_only_where_the_branch_turns(alpha: float, expected: float | None) -> None:
    # Bayes-optimal teacher-student: spinodal at alpha = 1.4926318182 (THEORY.md section 5)
    model = load("binary-teacher-student", ansatz="bayes-optimal")
    module = model.solver()
    state = model.solve(alpha=alpha).states[0]
    x = np.array([state.order_parameters[name] for name in module.ORDER_PARAMETERS])
    p = np.array([state.parameters[name] for name in module.PARAMETERS])
    found = fold_at(Bound(module, module.RULE), x, p, module.PARAMETERS.index("alpha"))
    assert found is None if expected is None else found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["binary-perceptron", "random-features-binary"])
def test_a_branch_comes_as_close_as_double_precision_and_says_so(name: str) -> None:
    model = load(name, ansatz="real-replicas")
    branch = model.branch("q1", bounds=(0.9, 0.99999), alpha=0.75)
    assert len(branch.states) < 200
    last = branch.states[-1]
    assert last.order_parameters["dq"] > 1e60
    assert "replicas are so close" in branch.stop_reason
    for state in branch.states[:: len(branch.states) // 4]:
        (other,) = model.solve(alpha=0.75, q1=state.parameters["q1"]).states
        assert state.free_entropy == pytest.approx(other.free_entropy, abs=1e-10)


@pytest.mark.parametrize("q1", [0.992, 0.995, 0.999])
def test_close_replicas_that_a_teacher_taught_count_a_ball_beside_negative_margins(q1: float) -> None:
    """Patterns stop costing anything as the replicas come close; what is left is the ball around their centre."""
    teacher = {"weights": "binary", "label": "sign(u + sqrt(Delta)*noise)"}
    model = declare("taught", teacher=teacher, scheme="real-replicas", alpha=0.7, Delta=0.8, kappa=-0.25, q1=q1)
    solution = model.solve()
    assert solution.converged
    assert float(solution.free_entropy) == pytest.approx(ball_entropy(q1), abs=1e-12)
