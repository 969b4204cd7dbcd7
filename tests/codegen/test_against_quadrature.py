"""Generated free entropies against the definition, integrated directly: any prior, any label law, any loss.

    phi = -q_d q_d^/2 + q q^/2 - r r^ + E_{w*, z} log Tr_w exp(...) + alpha E_omega sum_y P(y | omega) log E_h f(y, h)

with u, omega Gaussian of covariance ((rho, r), (r, q)) and h ~ N(omega, q_d - q). Nothing is integrated analytically here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from declared import declare
from scipy.special import log_ndtr, logsumexp

Array = np.ndarray
Real = Callable[[Array], Array]

_X, _WX = np.polynomial.legendre.leggauss(24)


def panels(low: float, high: float, cuts: Sequence[float], count: int = 24) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights, with panel ends at the cuts."""
    edges = np.unique(np.concatenate([np.linspace(low, high, count + 1), [c for c in cuts if low < c < high]]))
    lengths = np.diff(edges)[:, None]
    return (edges[:-1, None] + lengths * (_X + 1) / 2).ravel(), (lengths * _WX / 2).ravel()


def field_average(f: Real, mean: Array, variance: float, cuts: Sequence[float]) -> Array:
    """E f(x), x ~ N(mean_i, variance), for many means at once."""
    width = np.sqrt(variance)
    x, w = panels(mean.min() - 9 * width, mean.max() + 9 * width, cuts, 48)
    kernel = np.exp(-((x[None] - mean[:, None]) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    return kernel @ (w * f(x))


@dataclass(frozen=True)
class Weights:
    """A measure over weights: values and log weights (a fine grid stands for a density)."""

    values: Array
    logs: Array


def counted(values: Sequence[float], probabilities: Sequence[float] | None = None) -> Weights:
    return Weights(np.array(values, dtype=float), np.zeros(len(values)) if probabilities is None else np.log(probabilities))


def density(log: Real, cuts: Sequence[float] = (0.0,), edge: float = 14.0) -> Weights:
    w, step = panels(-edge, edge, cuts, 60)
    return Weights(w, log(w) + np.log(step))


GAUSS = density(lambda w: -(w**2) / 2 - np.log(2 * np.pi) / 2)
LAPLACE = density(lambda w: -np.abs(w) - np.log(2), edge=36.0)
BINARY = counted([-1, 1])


def prior(weights: Weights, teacher: Weights, s: dict[str, float]) -> float:
    """E_{w*} E_z log Tr_w exp((sqrt(q^) z + r^ w*) w + (q_d^ - q^) w^2 / 2)."""
    z, dz = panels(-9, 9, [])
    total = 0.0
    tilt = s["q_d_hat"] - s["q_hat"]
    for w_star, log_p in zip(teacher.values, teacher.logs, strict=True):
        omega = np.sqrt(s["q_hat"]) * z + s["r_hat"] * w_star
        inner = logsumexp(omega[:, None] * weights.values + tilt * weights.values**2 / 2 + weights.logs, axis=1)
        total += np.exp(log_p) * float(np.sum(dz * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * inner))
    return total


def output(
    labels: dict[float, Real],
    f: Callable[[float, Array], Array],
    s: dict[str, float],
    cuts: Sequence[float],
    rho: float = 1.0,
) -> float:
    """E_omega sum_y P(y | omega) log E_h f(y, h)."""
    z, dz = panels(-9, 9, [])
    omega = np.sqrt(s["q"]) * z
    dz = dz * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    total = 0.0
    for y, law in labels.items():
        inner = np.log(field_average(lambda h, y=y: f(y, h), omega, s["q_d"] - s["q"], cuts))
        weight = field_average(law, s["r"] / s["q"] * omega, rho - s["r"] ** 2 / s["q"], cuts)
        total += float(np.sum(dz * weight * inner))
    return total


def up(x: Array) -> Array:
    return (x > 0).astype(float)


def sign_noise(delta: float) -> dict[float, Real]:
    return {y: (lambda u, y=y: np.exp(log_ndtr(y * u / np.sqrt(delta)))) for y in (1.0, -1.0)}


SIGN = {1.0: up, -1.0: lambda u: up(-u)}
HALF = {y: (lambda u: np.full_like(u, 0.5)) for y in (1.0, -1.0)}
NOBODY = Weights(np.array([0.0]), np.array([0.0]))
COIN = counted([-1, 1], [0.5, 0.5])


@dataclass(frozen=True)
class Case:
    """A declared model beside its definition."""

    entries: dict[str, Any]
    weights: Weights
    labels: dict[float, Real]
    f: Callable[[float, Array], Array]
    cuts: tuple[float, ...]
    teacher: Weights = NOBODY
    fixed: bool = True


def three(a: float) -> dict[float, Real]:
    return {2.0: lambda u: up(u - a), 0.0: lambda u: up(a - np.abs(u)), -2.0: lambda u: up(-u - a)}


SPARSE = {"values": [-1, 0, 1], "probabilities": ["rho/2", "1-rho", "rho/2"]}
CASES = {
    "margin beyond a threshold teacher": Case(
        {"teacher": {"weights": "binary", "label": "sign(u - b)"}, "alpha": 0.5, "kappa": 0.1, "b": 0.4},
        BINARY,
        {1.0: lambda u: up(u - 0.4), -1.0: lambda u: up(0.4 - u)},
        lambda y, h: up(y * h - 0.1),
        (0.1, -0.1, 0.4),
        COIN,
    ),
    "asymmetric constraint": Case(
        {"loss": {"constraint": "y*h >= kappa and h < K"}, "alpha": 0.5, "kappa": -0.3, "K": 1.1},
        BINARY,
        HALF,
        lambda y, h: up(y * h + 0.3) * up(1.1 - h),
        (0.3, -0.3, 1.1),
    ),
    "outside a gap": Case(
        {"loss": {"constraint": "abs(h) >= K"}, "alpha": 0.6, "K": 0.4},
        BINARY,
        {1.0: lambda u: np.ones_like(u)},
        lambda y, h: up(np.abs(h) - 0.4),
        (0.4, -0.4),
    ),
    "two intervals": Case(
        {"loss": {"constraint": "y*h >= 1.0 or abs(h) < kappa"}, "alpha": 0.5, "kappa": 0.3},
        BINARY,
        HALF,
        lambda y, h: np.maximum(up(y * h - 1), up(0.3 - np.abs(h))),
        (1.0, -1.0, 0.3, -0.3),
    ),
    "door teacher, door student": Case(
        {
            "teacher": {"weights": "binary", "label": "sign(abs(u)-theta)"},
            "loss": {"constraint": "y*(abs(h)-theta) >= 0"},
            "alpha": 0.5,
            "theta": 0.7,
        },
        BINARY,
        {1.0: lambda u: up(np.abs(u) - 0.7), -1.0: lambda u: up(0.7 - np.abs(u))},
        lambda y, h: up(y * (np.abs(h) - 0.7)),
        (0.7, -0.7),
        COIN,
    ),
    "three labels": Case(
        {
            "teacher": {"weights": "binary", "label": "sign(u-a)+sign(u+a)"},
            "loss": {"energy": "step(abs(y-h)-0.8)", "temperature": "T"},
            "alpha": 0.7,
            "a": 0.5,
            "T": 0.8,
        },
        BINARY,
        three(0.5),
        lambda y, h: np.exp(-up(np.abs(y - h) - 0.8) / 0.8),
        (0.5, -0.5, 2.8, 1.2, 0.8, -0.8, -1.2, -2.8),
        COIN,
    ),
    "number of errors, flipped labels": Case(
        {
            "teacher": {"weights": "binary", "label": "sign(u)", "flip_probability": "eps"},
            "loss": {"energy": "step(-y*h)", "temperature": "T"},
            "alpha": 0.5,
            "eps": 0.1,
            "T": 0.5,
        },
        BINARY,
        {1.0: lambda u: 0.1 + 0.8 * up(u), -1.0: lambda u: 0.1 + 0.8 * up(-u)},
        lambda y, h: np.exp(-up(-y * h) / 0.5),
        (0.0,),
        COIN,
    ),
    "hinge": Case(
        {"loss": {"energy": "relu(kappa-y*h)", "temperature": "T"}, "alpha": 0.7, "T": 0.6, "kappa": 0.5},
        BINARY,
        HALF,
        lambda y, h: np.exp(-np.maximum(0.5 - y * h, 0) / 0.6),
        (0.5, -0.5),
    ),
    "logistic, noisy teacher": Case(
        {
            "weights": "gaussian",
            "teacher": {"weights": "binary", "label": "sign(u + sqrt(Delta)*noise)"},
            "loss": {"energy": "log(1+exp(-y*h))", "temperature": "T"},
            "alpha": 0.7,
            "T": 0.6,
            "Delta": 0.3,
        },
        GAUSS,
        sign_noise(0.3),
        lambda y, h: np.exp(-np.logaddexp(0, -y * h) / 0.6),
        (),
        COIN,
        fixed=False,
    ),
    "sparse student and teacher": Case(
        {
            "weights": SPARSE,
            "teacher": {"weights": {**SPARSE}, "label": "sign(u)"},
            "alpha": 0.6,
            "rho": 0.4,
            "kappa": 0.1,
        },
        counted([-1, 0, 1], [0.2, 0.6, 0.2]),
        SIGN,
        lambda y, h: up(y * h - 0.1),
        (0.0, 0.1, -0.1),
        counted(list(np.array([-1, 0, 1]) / np.sqrt(0.4)), [0.2, 0.6, 0.2]),
        fixed=False,
    ),
    "unequal values": Case(
        {"weights": {"values": [-2, "-a", 0, 1]}, "alpha": 0.4, "kappa": 0.2, "a": 0.6},
        counted([-2, -0.6, 0, 1]),
        HALF,
        lambda y, h: up(y * h - 0.2),
        (0.2, -0.2),
        fixed=False,
    ),
    "laplace student": Case(
        {"weights": {"density": "exp(-abs(w))/2"}, "alpha": 0.7, "kappa": 0.2},
        LAPLACE,
        HALF,
        lambda y, h: up(y * h - 0.2),
        (0.2, -0.2),
        fixed=False,
    ),
    "laplace teacher": Case(
        {
            "teacher": {"weights": {"density": "exp(-abs(w))/2"}, "label": "sign(u + sqrt(Delta)*noise)"},
            "alpha": 0.6,
            "kappa": -0.2,
            "Delta": 0.2,
        },
        BINARY,
        sign_noise(0.2),
        lambda y, h: up(y * h + 0.2),
        (0.2, -0.2),
        Weights(LAPLACE.values / np.sqrt(2), LAPLACE.logs),
    ),
    "regularised quartic": Case(
        {
            "weights": "unconstrained",
            "loss": {"energy": "step(-y*h)", "temperature": "T", "regularization": "w**4/4 + abs(w)/5"},
            "alpha": 0.5,
            "T": 0.5,
        },
        density(lambda w: -(w**4 / 4 + np.abs(w) / 5) / 0.5),
        HALF,
        lambda y, h: np.exp(-up(-y * h) / 0.5),
        (0.0,),
        fixed=False,
    ),
}
SLOW = {"laplace teacher", "laplace student", "regularised quartic", "three labels", "sparse student and teacher"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in CASES])
def test_free_entropy_is_the_definition(name: str) -> None:
    case = CASES[name]
    model = declare(name.replace(" ", "-").replace(",", ""), **case.entries)
    module = model.solver()
    p = np.array([p.default for p in model.spec.parameters])
    generator = np.random.default_rng(17)
    taught = "r" in module.ORDER_PARAMETERS
    for _ in range(2):
        s = {"q_d": 1.0 if case.fixed else float(generator.uniform(0.9, 1.4)), "q_d_hat": 0.0, "r": 0.0, "r_hat": 0.0}
        s["q"] = float(generator.uniform(0.2, 0.7))
        s["q_hat"] = float(generator.uniform(0.2, 1.2))
        if not case.fixed:
            s["q_d_hat"] = s["q_hat"] - float(generator.uniform(0.1, 0.8))
        if taught:
            s["r"] = float(np.sqrt(s["q"]) * generator.uniform(-0.4, 0.8))
            s["r_hat"] = float(generator.uniform(-0.3, 0.6))
        teacher = case.teacher if taught else NOBODY
        pairing = s["q"] * s["q_hat"] / 2 - s["r"] * s["r_hat"]
        pairing -= s["q_d"] * s["q_d_hat"] / 2
        exact = pairing + prior(case.weights, teacher, s) + p[0] * output(case.labels, case.f, s, case.cuts)
        x = np.array([s[n] for n in module.ORDER_PARAMETERS])
        assert module.free_entropy(x[None], p[None])[0] == pytest.approx(exact, abs=2e-8), s


def test_real_labels_against_two_dimensional_quadrature() -> None:
    # y = tanh(u) + 0.3 noise, energy (y - h)^2 / 2: E over (u, noise, omega) of the Gaussian integral over h
    model = declare(
        "nonlinear-label",
        weights="gaussian",
        teacher={"weights": "gaussian", "label": "tanh(u)+0.3*noise"},
        loss={"energy": "(y-h)**2/2", "temperature": "T"},
        alpha=0.8,
        T=0.4,
    )
    module = model.solver()
    s = {"q": 0.45, "q_d": 1.2, "r": 0.5, "q_hat": 0.8, "q_d_hat": 0.3, "r_hat": 0.6}
    z, dz = panels(-9, 9, [])
    g = dz * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    second_y = float(np.sum(g * np.tanh(z) ** 2)) + 0.09
    cross = float(np.sum(g * z * np.tanh(z))) * s["r"]
    spread = 1 + (s["q_d"] - s["q"]) / 0.4
    exact = -0.5 * np.log(spread) - (second_y - 2 * cross + s["q"]) / (2 * 0.4 * spread)
    total = s["q"] * s["q_hat"] / 2 - s["q_d"] * s["q_d_hat"] / 2 - s["r"] * s["r_hat"]
    stiffness = 1 - s["q_d_hat"] + s["q_hat"]  # Gaussian weights and teacher
    total += -0.5 * np.log(stiffness) + (s["q_hat"] + s["r_hat"] ** 2) / (2 * stiffness)
    x = np.array([s[n] for n in module.ORDER_PARAMETERS])
    assert module.free_entropy(x[None], np.array([[0.8, 0.4]]))[0] == pytest.approx(total + 0.8 * exact, abs=1e-10)


@pytest.mark.parametrize(
    ("energy", "loss"),
    [
        ("1-cos(3*h-y)", lambda y, h: 1.0 - np.cos(3.0 * h - y)),
        ("(y-tanh(h))**2", lambda y, h: (y - np.tanh(h)) ** 2),
        ("max(0, 0.5-y*h)**3", lambda y, h: np.maximum(0.0, 0.5 - y * h) ** 3),
    ],
)
def test_error_estimates_cover_what_inner_averages_miss(energy: str, loss: Callable[[float, Array], Array]) -> None:
    state = declare("smooth-loss", loss={"energy": energy, "temperature": "T"}, alpha=0.9, T=0.4).solve()
    q, q_hat = state.order_parameters["q"], state.order_parameters["q_hat"]
    s = {"q": q, "q_hat": q_hat, "q_d": 1.0, "q_d_hat": 0.0, "r": 0.0, "r_hat": 0.0}
    exact = -q_hat * (1.0 - q) / 2 + prior(BINARY, NOBODY, s) + q_hat / 2
    exact += 0.9 * output(HALF, lambda y, h: np.exp(-loss(y, h) / 0.4), s, (0.5, -0.5))
    assert state.error_estimate < 1e-10
    assert abs(state.free_entropy - exact) <= state.error_estimate + 2e-14
