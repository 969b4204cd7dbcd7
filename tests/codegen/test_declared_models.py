"""Generated solvers of many declared models: derivatives are derivatives, the free entropy is stationary at solutions.

The free entropy and the residual come from different formulas (one is not differentiated numerically to get the other), and
the Jacobian, its directional derivative and the parameter derivative from others again; here they are compared by
central differences, which know nothing of any of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from declared import central, declare

NOISY = "u + sqrt(Delta)*noise"
NOISY_SIGN = "sign(u + sqrt(Delta)*noise)"
SPARSE = {"values": [-1, 0, 1], "probabilities": ["rho/2", "1-rho", "rho/2"]}
SQUARE = {"energy": "(y-h)**2/2", "temperature": "T"}


def random_map(activation: str) -> dict[str, str]:
    return {"map": "random", "activation": activation}


FAST: dict[str, dict[str, Any]] = {
    "interval": {"loss": {"constraint": "y*h >= kappa and y*h <= K"}, "alpha": 0.5, "kappa": 0.1, "K": 2.0},
    "union": {"loss": {"constraint": "y*h >= 1.0 or abs(h) < kappa"}, "alpha": 0.5, "kappa": 0.3},
    "errors": {"loss": {"energy": "step(-y*h)", "temperature": "T"}, "alpha": 0.7, "T": 0.6},
    "hinge": {"loss": {"energy": "relu(kappa-y*h)", "temperature": "T"}, "alpha": 0.7, "T": 0.6, "kappa": 0.5},
    "logistic": {
        "weights": "gaussian",
        "loss": {"energy": "log(1+exp(-y*h))", "temperature": "T"},
        "alpha": 0.7,
        "T": 0.6,
    },
    "counted-values": {"weights": {"values": [-2, "-a", 0, 1]}, "alpha": 0.4, "kappa": 0.0, "a": 0.6},
    "gaussian-storage": {"weights": "gaussian", "alpha": 0.7, "kappa": 0.2},
    "flipped": {
        "teacher": {"weights": "binary", "label": "sign(u)", "flip_probability": "eps"},
        "loss": {"energy": "step(-y*h)", "temperature": "T"},
        "alpha": 0.5,
        "eps": 0.1,
        "T": 0.5,
    },
    "laplace-teacher": {
        "teacher": {"weights": {"density": "exp(-abs(w))/2"}, "label": NOISY_SIGN},
        "alpha": 0.6,
        "kappa": -0.2,
        "Delta": 0.2,
    },
    "spherical-noisy": {
        "weights": "spherical",
        "teacher": {"weights": "binary", "label": NOISY_SIGN},
        "alpha": 0.9,
        "kappa": -0.3,
        "Delta": 0.2,
    },
    "binary-linear": {
        "teacher": {"weights": "binary", "label": NOISY},
        "loss": SQUARE,
        "alpha": 0.6,
        "T": 0.5,
        "Delta": 0.3,
    },
    "noisy-bayes": {
        "teacher": {"weights": "binary", "label": NOISY_SIGN},
        "scheme": "bayes-optimal",
        "alpha": 0.7,
        "kappa": 0.0,
        "Delta": 0.3,
    },
    "gaussian-bayes": {
        "weights": "gaussian",
        "teacher": {"weights": "gaussian", "label": NOISY},
        "scheme": "bayes-optimal",
        "alpha": 1.2,
        "kappa": 0.0,
        "Delta": 0.3,
    },
    "features-spherical": {
        "weights": "spherical",
        "features": random_map("relu(x)"),
        "teacher": {"weights": "gaussian", "label": "sign(u)"},
        "alpha": 0.5,
        "alpha_T": 2.0,
        "kappa": 0.1,
    },
}
SLOW: dict[str, dict[str, Any]] = {
    "ridge": {
        "weights": "unconstrained",
        "teacher": {"weights": "gaussian", "label": NOISY},
        "loss": {**SQUARE, "regularization": "lam*w**2/2"},
        "alpha": 1.3,
        "T": 0.5,
        "lam": 0.7,
        "Delta": 0.3,
    },
    "sparse": {
        "weights": SPARSE,
        "teacher": {"weights": SPARSE, "label": "sign(u)"},
        "alpha": 0.6,
        "rho": 0.4,
        "kappa": 0.1,
    },
    "sparse-bayes": {
        "weights": SPARSE,
        "teacher": {"weights": SPARSE, "label": NOISY},
        "scheme": "bayes-optimal",
        "alpha": 0.6,
        "rho": 0.4,
        "kappa": 0.1,
        "Delta": 0.2,
    },
    "zero-one": {"teacher": {"weights": "binary", "label": "step(u)"}, "loss": SQUARE, "alpha": 0.8, "T": 0.4},
    "nonlinear-label": {
        "weights": "gaussian",
        "teacher": {"weights": "gaussian", "label": "tanh(u)+0.3*noise"},
        "loss": SQUARE,
        "alpha": 0.8,
        "T": 0.4,
    },
    "features-parametric": {
        "features": random_map("tanh(g*x)"),
        "teacher": {"weights": "gaussian", "label": "sign(u)"},
        "alpha": 0.5,
        "alpha_T": 2.0,
        "kappa": 0.1,
        "g": 1.3,
    },
    "features-gaussian": {
        "weights": "gaussian",
        "features": random_map("tanh(x)"),
        "teacher": {"weights": "gaussian", "label": NOISY},
        "loss": SQUARE,
        "alpha": 0.5,
        "alpha_T": 2.0,
        "T": 0.4,
        "Delta": 0.1,
    },
}
MODELS = {**FAST, **SLOW}
NAMES = [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


def close(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    assert found.shape == expected.shape
    scale = 1e-2 + np.max(np.abs(expected))
    assert np.max(np.abs(found - expected)) <= tolerance * scale, (found, expected)


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_and_stationarity(name: str) -> None:
    model = declare(name, **MODELS[name])
    module = model.solver()
    solution = model.solve()
    assert solution.converged, solution.reason
    root = np.array(list(solution.order_parameters.values()))
    p = np.array(list(solution.parameters.values()))
    noise = 1e-6 if name == "hinge" else 1e-8  # its inner average is numerical

    def phi(x: np.ndarray) -> np.ndarray:
        return module.free_entropy(x[None], p[None], module.RULE.refined())[0]  # the rule that the solution satisfies

    assert np.max(np.abs(central(phi, root, 2e-3))) < max(noise, 1e-7), "the free entropy is not stationary at the solution"

    generator = np.random.default_rng(5)
    for _ in range(2):
        x = root * (1 + 0.06 * generator.uniform(-1, 1, root.size))
        close(module.jacobian(x[None], p[None])[0], central(lambda y: module.residual(y[None], p[None])[0], x, 2e-3), noise)
        slope = central(lambda y, x=x: module.residual(x[None], y[None])[0], p, 2e-3)
        close(module.parameter_derivative(x[None], p[None])[0], slope, noise)
        v = generator.normal(size=x.size) * np.abs(x)
        along = central(lambda t, x=x, v=v: module.jacobian((x + t[0] * v)[None], p[None])[0], np.zeros(1), 2e-2)[..., 0]
        close(module.jacobian_directional(x[None], p[None], v[None])[0], along, 100 * noise)


@pytest.mark.parametrize("name", ["errors", "noisy-bayes", "laplace-teacher", "gaussian-storage"])
def test_a_taylor_remainder_falls_as_it_should(name: str) -> None:
    model = declare(name, **MODELS[name])
    module = model.solver()
    solution = model.solve()
    x = np.array(list(solution.order_parameters.values())) * 0.97
    p = np.array(list(solution.parameters.values()))[None]
    v = np.random.default_rng(2).normal(size=x.size) * np.abs(x)
    f, j = module.residual(x[None], p)[0], module.jacobian(x[None], p)[0]
    d = module.jacobian_directional(x[None], p, v[None])[0]
    first, second = [], []
    for t in (2e-2, 1e-2, 5e-3):
        moved = module.residual((x + t * v)[None], p)[0]
        first.append(np.linalg.norm(moved - f - t * j @ v))
        second.append(np.linalg.norm(moved - f - t * j @ v - t * t / 2 * d @ v))
    assert np.allclose(np.log2(np.array(first[:-1]) / first[1:]), 2.0, atol=0.1)
    assert np.allclose(np.log2(np.array(second[:-1]) / second[1:]), 3.0, atol=0.2)


@pytest.mark.parametrize("name", ["union", "laplace-teacher", "noisy-bayes", "features-spherical", "hinge"])
def test_one_state_at_a_time_or_many_at_once(name: str) -> None:
    model = declare(name, **MODELS[name])
    module = model.solver()
    solution = model.solve()
    root = np.array(list(solution.order_parameters.values()))
    p = np.array(list(solution.parameters.values()))
    generator = np.random.default_rng(3)
    count = {"hinge": 41, "laplace-teacher": 5}.get(name, 173)
    states = root * (1 + 0.1 * generator.uniform(-1, 1, (count, root.size)))
    points = np.tile(p, (count, 1))
    points[:, 0] *= generator.uniform(0.8, 1.2, count)
    many = {
        "residual": module.residual(states, points),
        "jacobian": module.jacobian(states, points),
        "free_entropy": module.free_entropy(states, points),
        **module.observables(states, points),
        "parameter_derivative": module.parameter_derivative(states, points),
    }
    for i in (0, 1, count // 2, count - 1):
        one = {
            "residual": module.residual(states[i], points[i]),
            "jacobian": module.jacobian(states[i], points[i]),
            "free_entropy": module.free_entropy(states[i], points[i]),
            **module.observables(states[i], points[i]),
            "parameter_derivative": module.parameter_derivative(states[i], points[i]),
        }
        for key, value in one.items():
            assert value.shape[0] == 1
            np.testing.assert_allclose(value[0], many[key][i], rtol=1e-9, atol=1e-10, err_msg=key)
    shared = module.residual(states, p)
    assert shared.shape == states.shape
    with pytest.raises(ValueError, match="paired"):
        module.residual(states[:3], points[:2])


def test_a_grid_of_parameters_is_a_batch() -> None:
    model = declare("union", **FAST["union"])
    alpha, kappa = np.linspace(0.1, 0.6, 4)[:, None], np.array([0.2, 0.5])
    batch = model.solve(alpha=alpha, kappa=kappa)
    assert batch.shape == (4, 2)
    assert batch["q"].shape == (4, 2)
    single = model.solve(alpha=float(alpha[2, 0]), kappa=0.5)
    assert batch["q"][2, 1] == pytest.approx(single["q"], abs=1e-10)
    assert batch.free_entropy[2, 1] == pytest.approx(single.free_entropy, abs=1e-11)
