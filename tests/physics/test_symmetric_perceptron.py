"""The symmetric binary perceptron, abs(h) <= kappa: typical overlaps vanish, and typical solutions are isolated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

import spinodal
from spinodal.model import Model

SPEC = """\
format = 1
[model]
name = "symmetric-perceptron"
[student]
weights = "binary"
features = "direct"
[loss]
constraint = "abs(h) <= kappa"
[parameters]
alpha = 0.8
kappa = 1.0
"""
ALPHA, KAPPA = 0.8, 1.0


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("specs") / "symmetric.toml"
    path.write_text(SPEC, encoding="utf-8")
    return path


_Y = np.linspace(-9.0, 9.0, 361)
_DY = np.exp(-(_Y**2) / 2) / np.sqrt(2 * np.pi) * (_Y[1] - _Y[0])


def _functional(q: float, q_hat: float, t_hat: float, t: float, margin: float) -> float:
    """Franz-Parisi where the overlap with other references vanishes: the reference's field is a normal cut at +-margin."""
    field = np.sqrt(q_hat) * _Y + t_hat
    prior = float(_DY @ np.logaddexp(field, -field))
    u, weight = np.polynomial.legendre.leggauss(60)
    u, weight = margin * u, margin * weight * np.exp(-((margin * u) ** 2) / 2)
    weight /= weight.sum()
    h = t * u[:, None] + np.sqrt(q - t * t) * _Y[None, :]
    inside = ndtr((KAPPA - h) / np.sqrt(1 - q)) - ndtr((-KAPPA - h) / np.sqrt(1 - q))
    output = float(weight @ np.log(inside) @ _DY)
    return -0.5 * q_hat * (1 - q) - t_hat * t + prior + ALPHA * output


@pytest.mark.parametrize(("margin", "t"), [(1.0, 0.5), (0.8, 0.9)])
def test_the_local_entropy_is_stationary_without_other_references(spec: Path, margin: float, t: float) -> None:
    solution = spinodal.load(spec, ansatz="franz-parisi").solve(alpha=ALPHA, kappa=KAPPA, kappa_ref=margin, t=t)
    assert solution.converged
    assert abs(float(solution.order_parameters["s"])) < 1e-9
    state = np.array([float(solution.order_parameters[name]) for name in ("q", "q_hat", "t_hat")])
    assert _functional(*state, t, margin) == pytest.approx(float(solution.free_entropy), abs=1e-9)
    for direction in 1e-4 * np.eye(3):
        sides = [_functional(*(state + sign * direction), t, margin) for sign in (1, -1)]
        assert (sides[0] - sides[1]) / 2e-4 == pytest.approx(0.0, abs=1e-6)


def test_replicas_start_where_the_typical_overlap_vanishes(spec: Path) -> None:
    given = spinodal.load(spec, overrides={"ansatz": {"scheme": "real-replicas", "replicas": "3"}})
    solution = given.solve(q1=0.6)
    assert solution.converged
    assert abs(float(solution.order_parameters["q0"])) < 1e-9
    many: Model = spinodal.load(spec, ansatz="real-replicas")
    (state,) = many.solve(q1=0.6).states
    assert not state.converged
    assert state.failure is not None
    assert "vanishes by symmetry" in state.failure.reason
