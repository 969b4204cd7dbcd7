"""Ground states under regularizations that bend without end at 0, against plain iteration of their equations on a grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from declared import declare
from numpy.typing import NDArray
from scipy.stats import norm

from spinodal import Model

Array = NDArray[np.float64]
Z = np.linspace(-9.0, 9.0, 20001)
WEIGHT = norm.pdf(Z) * (Z[1] - Z[0])
#: q_hat, the stiffness -dq_hat and r_hat at given q, dq and r.
Output = Callable[[float, float, float], tuple[float, float, float]]
ALPHA, NOISE, SIZE = 2.0, 0.5, 0.3


def _model(energy: str, label: str, power: float) -> Model:
    return declare(
        "powers", weights="unconstrained", teacher={"weights": "gaussian", "label": label},
        loss={"energy": energy, "temperature": 0, "regularization": f"{SIZE}*abs(w)**{power}"}, alpha=ALPHA,
    )  # fmt: skip


def _proximal(field: Array, stiffness: float, power: float) -> Array:
    """The minimum of SIZE |w|^power + stiffness w^2/2 - field w by bisection."""
    size = np.abs(field)
    low, high = np.zeros_like(size), size / stiffness
    for _ in range(100):
        w = 0.5 * (low + high)
        above = SIZE * power * w ** (power - 1.0) + stiffness * w > size
        low, high = np.where(above, low, w), np.where(above, w, high)
    return np.asarray(np.sign(field) * 0.5 * (low + high))


def _iterated(output: Output, power: float) -> dict[str, float]:
    q, dq, r = 0.5, 0.5, 0.5
    for _ in range(300):
        q_hat, stiffness, r_hat = output(q, dq, r)
        size = np.sqrt(q_hat + r_hat**2)
        w = _proximal(size * Z, stiffness, power)
        pull = float(WEIGHT @ (size * Z * w)) / size**2
        new = float(WEIGHT @ (w * w)), pull, r_hat * pull
        change = max(abs(new[0] - q), abs(new[1] - dq), abs(new[2] - r))
        q, dq, r = (0.5 * (a + b) for a, b in zip((q, dq, r), new, strict=True))
        if change < 1e-12:
            break
    return {"q": q, "dq": dq, "r": r}


def _square(q: float, dq: float, r: float) -> tuple[float, float, float]:
    stiffness = ALPHA / (1.0 + dq)
    return ALPHA * (1.0 + NOISE**2 + q - 2.0 * r) / (1.0 + dq) ** 2, stiffness, stiffness


def _labelled(slope: Callable[[Array, float], tuple[Array, Array]], threshold: float, noise: float) -> Output:
    """Of sign(u + noise z - threshold); ``slope(omega, dq)`` gives Lambda' and -Lambda'' at the label +1."""

    def output(q: float, dq: float, r: float) -> tuple[float, float, float]:
        omega, spread = np.sqrt(q) * Z, np.sqrt(1.0 + noise**2 - r**2 / q)
        q_hat = stiffness = r_hat = 0.0
        for y in (-1, 1):
            x = y * (r / q * omega - threshold) / spread
            first, second = slope(y * omega, dq)
            q_hat += float(WEIGHT @ (norm.cdf(x) * first**2))
            # -d/domega of the average score, the label's probability held
            stiffness += float(WEIGHT @ (norm.cdf(x) * second))
            r_hat += float(WEIGHT @ (norm.pdf(x) / spread * first))
        return ALPHA * q_hat, ALPHA * stiffness, ALPHA * r_hat

    return output


def _squared_hinge(omega: Array, dq: float) -> tuple[Array, Array]:
    inside = np.clip((1.0 - omega) / abs(omega[1] - omega[0]) + 0.5, 0.0, 1.0)  # the part of a cell before the kink
    return 2.0 * np.maximum(0.0, 1.0 - omega) / (1.0 + 2.0 * dq), 2.0 * inside / (1.0 + 2.0 * dq)


def _logistic(omega: Array, dq: float) -> tuple[Array, Array]:
    low, high = omega.copy(), omega + dq
    for _ in range(100):
        h = 0.5 * (low + high)
        above = h - omega > dq / (1.0 + np.exp(h))
        low, high = np.where(above, low, h), np.where(above, h, high)
    p = 1.0 / (1.0 + np.exp(0.5 * (low + high)))
    return p, p * (1.0 - p) / (1.0 + dq * p * (1.0 - p))


@pytest.mark.parametrize(
    ("energy", "label", "output", "power"),
    [
        ("(y - h)**2/2", "u + 0.5*noise", _square, 1.2),
        ("(y - h)**2/2", "u + 0.5*noise", _square, 1.5),
        ("(y - h)**2/2", "u + 0.5*noise", _square, 1.8),
        ("max(0, 1-y*h)**2", "sign(u + 0.5*noise - 0.3)", _labelled(_squared_hinge, 0.3, 0.5), 1.5),
        ("log(1 + exp(-y*h))", "sign(u)", _labelled(_logistic, 0.0, 0.0), 1.5),
    ],
)
def test_ground_states_of_power_regularizations_are_those_of_plain_iteration(
    energy: str, label: str, output: Output, power: float
) -> None:
    state = _model(energy, label, power).solve()
    assert state.converged
    for name, value in _iterated(output, power).items():
        assert state[name] == pytest.approx(value, rel=2e-6)
