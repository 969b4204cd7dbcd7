"""Distributions of stabilities: closed forms, exact identities, and the enumeration of small systems."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from declared import declare
from scipy.special import log_ndtr, ndtr

import spinodal
from spinodal.model import Model
from spinodal.spec import SpecError

_Z = np.linspace(-10.0, 10.0, 2001)
_WZ = np.exp(-(_Z**2) / 2) / np.sqrt(2 * np.pi) * (_Z[1] - _Z[0])


@lru_cache
def load(name: str, ansatz: str | None = None) -> Model:
    if ansatz == "three":
        return spinodal.load(name, overrides={"ansatz": {"scheme": "real-replicas", "replicas": 3}})
    return spinodal.load(name, ansatz=ansatz)


def panels(*ends: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights between neighbouring ends."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    pairs = list(pairwise(ends))
    x = np.concatenate([(a + b) / 2 + (b - a) / 2 * nodes for a, b in pairs])
    return x, np.concatenate([(b - a) / 2 * weights for a, b in pairs])


def test_typical_solutions_have_truncated_gaussian_fields() -> None:
    """The field is sqrt(q) z + sqrt(1 - q) times a normal beyond the margin, averaged over z (Kepler & Abbott 1988)."""
    at = np.array([-0.5, 0.19, 0.21, 0.7, 1.5, 4.0])
    found = load("binary-perceptron").stabilities(alpha=0.6, kappa=0.2, at=at)
    q = float(load("binary-perceptron").solve(alpha=0.6, kappa=0.2)["q"])
    mean, width = np.sqrt(q) * _Z, np.sqrt(1.0 - q)
    inside = np.exp(-((at[:, None] - mean) ** 2) / (2 * width**2) - log_ndtr((mean - 0.2) / width)) / np.sqrt(2 * np.pi)
    expected = np.where(at >= 0.2, inside / width @ _WZ, 0.0)
    assert found["density"].values == pytest.approx(expected, abs=1e-12)
    assert float(found["density_error"].max()) < 1e-12


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_bayes_optimal_student_has_the_teachers_stabilities(noise: float) -> None:
    """The teacher is one more replica: y u is half normal without noise, 2 G(x) H(-x/sqrt(Delta)) with it."""
    label = {"teacher.label": "sign(u + sqrt(Delta)*noise)", "parameters.Delta": 0.1} if noise else {}
    at = np.array([-0.7, -0.1, 0.1, 1.0, 2.5])
    model = spinodal.load("binary-teacher-student", ansatz="bayes-optimal", overrides=label)
    found = model.stabilities(alpha=0.9, at=at)
    chance = ndtr(at / np.sqrt(noise)) if noise else at > 0
    assert found["density"].values == pytest.approx(2 * np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi) * chance, abs=1e-11)


MODELS: dict[str, dict[str, Any]] = {
    "counted errors": {"loss": {"energy": "step(-y*h)", "temperature": 0.3}, "alpha": 1.2},
    "hinge": {"loss": {"energy": "max(0, 0.5 - y*h)", "temperature": 0.1}, "alpha": 1.2, "edge": 0.5},
    "logistic": {"loss": {"energy": "log(1 + exp(-y*h))", "temperature": 0.2}, "alpha": 1.2},
    "window of |h|": {"loss": {"constraint": "abs(h) <= 1"}, "alpha": 0.5, "edge": 1.0},
    "spherical beside a teacher": {
        "weights": "spherical",
        "teacher": {"weights": "gaussian", "label": "sign(u + 0.3*noise)"},
        "loss": {"energy": "max(0, 1 - y*h)**2", "temperature": 0.2},
        "alpha": 1.5,
        "edge": 1.0,
    },
    "coupled, counted errors": {
        "scheme": "real-replicas",
        "loss": {"energy": "step(-y*h)", "temperature": 0.3},
        "alpha": 0.8,
        "q1": 0.7,
    },
}


@pytest.mark.parametrize("name", MODELS)
def test_densities_are_normalised_and_give_energy_and_training_error(name: str) -> None:
    given = dict(MODELS[name])
    edge = float(given.pop("edge", 0.0))
    model = declare(name.replace(" ", "-").replace(",", "").replace("|", ""), **given)
    (state,) = model.solve().states
    x, w = panels(-9.0, -3.0, *sorted({-edge, 0.0, edge}), 3.0, 9.0)
    found = model.stabilities(state=state, at=x)["density"].values
    assert w @ found == pytest.approx(1.0, abs=1e-9)
    if "training_error" in state.observables:
        assert w @ (found * (x < 0)) == pytest.approx(state.observables["training_error"], abs=1e-9)
    energies = {
        "counted errors": lambda s: s < 0,
        "hinge": lambda s: np.maximum(0.0, 0.5 - s),
        "logistic": lambda s: np.log1p(np.exp(-s)),
        "spherical beside a teacher": lambda s: np.maximum(0.0, 1.0 - s) ** 2,
    }
    if name in energies:
        energy = state.parameters["alpha"] * (w @ (found * energies[name](x)))
        assert energy == pytest.approx(state.observables["energy"], abs=1e-8)


EDGES: dict[str, tuple[str, str | None, dict[str, float]]] = {
    "typical": ("binary-perceptron", None, {"alpha": 0.6}),
    "random features": ("random-features-binary", None, {"alpha": 0.7}),
    "real replicas": ("binary-perceptron", "real-replicas", {"alpha": 0.7, "q1": 0.85}),
    "three replicas": ("binary-perceptron", "three", {"alpha": 0.7, "q1": 0.85}),
    "probe": ("binary-perceptron", "franz-parisi", {"alpha": 0.5, "kappa_ref": 0.3, "t": 0.8}),
}


@pytest.mark.parametrize("name", EDGES)
def test_the_density_at_the_margin_is_the_slope_of_the_entropy_in_the_margin(name: str) -> None:
    """A margin larger by dk removes the solutions with a pattern in between: d phi/d kappa = -alpha P(kappa)."""
    source, ansatz, parameters = EDGES[name]
    model = load(source, ansatz)
    h = 2e-3
    margins = 0.1 + h * np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    solution = model.solve(kappa=margins, **parameters)
    phi = np.asarray(solution.free_entropy)
    slope = (4.0 * (phi[3] - phi[1]) / h - (phi[4] - phi[0]) / (2.0 * h)) / 3.0
    found = model.stabilities(state=solution.states[2], at=[0.1 + 1e-12])
    assert -parameters["alpha"] * float(found["density"][0]) == pytest.approx(slope, abs=1e-7)


def test_where_all_measures_coincide_so_do_their_stabilities() -> None:
    at = np.array([0.05, 0.5, 2.0])
    symmetric = load("binary-perceptron")
    q = float(symmetric.solve(alpha=0.5)["q"])
    typical = symmetric.stabilities(alpha=0.5, at=at)["density"].values
    coupled = load("binary-perceptron", "real-replicas").stabilities(alpha=0.5, q1=q, at=at)
    probe = load("binary-perceptron", "franz-parisi").stabilities(alpha=0.5, kappa_ref=0.0, t=q, at=at)
    assert coupled["density"].values == pytest.approx(typical, abs=1e-9)
    assert probe["density"].values == pytest.approx(typical, abs=1e-6)
    assert probe["density_ref"].values == pytest.approx(typical, abs=1e-9)


def test_coupled_solutions_keep_away_from_the_margin() -> None:
    """Solutions of dense regions are robust: fewer patterns just above the margin than a typical solution has."""
    q1 = np.array([0.8, 0.95])
    states = load("binary-perceptron", "real-replicas").solve(alpha=0.6, q1=q1).states
    typical = load("binary-perceptron").stabilities(alpha=0.6, at=[1e-9])
    model = load("binary-perceptron", "real-replicas")
    near, nearer = (float(model.stabilities(state=state, at=[1e-9])["density"][0]) for state in states)
    assert nearer < near < float(typical["density"][0])


def test_small_systems_have_these_stabilities() -> None:
    """All 2^N weights, over random patterns: mean, and the share of stabilities below 1/2, up to terms of order 1/N."""
    n, patterns = 16, 8
    rng = np.random.default_rng(5)
    weights = np.array(list(product((-1.0, 1.0), repeat=n)))
    means, shares = [], []
    for _ in range(150):
        fields = weights @ rng.standard_normal((n, patterns)) / np.sqrt(n)  # labels are absorbed into the patterns
        solutions = fields[(fields >= 0.0).all(axis=1)]
        if len(solutions):
            means.append(solutions.mean())
            shares.append((solutions < 0.5).mean())
    x, w = panels(0.0, 0.5, 3.0, 9.0)
    density = load("binary-perceptron").stabilities(alpha=patterns / n, at=x)["density"].values
    for sampled, expected in ((means, w @ (x * density)), (shares, w @ (density * (x < 0.5)))):
        noise = np.std(sampled) / np.sqrt(len(sampled))
        assert abs(np.mean(sampled) - expected) < 3.0 * noise + 0.5 / n


def test_the_grid_is_chosen_where_the_density_is() -> None:
    found = load("binary-perceptron").stabilities(alpha=0.6, kappa=0.2)
    x, density = found["stability"].values, found["density"].values
    assert np.trapezoid(density, x) == pytest.approx(1.0, abs=1e-3)
    assert x[0] < 0.2 < x[1]
    assert density[0] == 0.0 < density[1]
    assert found.attrs["kappa"] == 0.2


def test_real_labels_have_none() -> None:
    model = declare(
        "regression",
        teacher={"weights": "gaussian", "label": "u"},
        loss={"energy": "(y - h)**2/2", "temperature": 0.3},
        weights="gaussian",
        alpha=0.8,
    )
    with pytest.raises(SpecError, match=r"labels \+1 and -1"):
        model.stabilities()
