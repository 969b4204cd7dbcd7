"""Ground states (temperature 0): published closed forms, convex optimisation at finite size, small temperatures.

Least squares: the ground state is a function of the pattern matrix alone (Marchenko & Pastur 1967). Number of errors:
Gardner & Derrida, J. Phys. A 21, 271 (1988). LASSO: Bayati & Montanari, IEEE Trans. Inf. Theory 58, 1997 (2012). Logistic
regression: Sur & Candes, PNAS 116, 14516 (2019). Every formula is typed here, with integrals by scipy.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from declared import declare
from scipy.integrate import quad
from scipy.optimize import brentq, fsolve
from scipy.stats import norm
from test_published import NOISY, marchenko_pastur

from spinodal.model import Model
from spinodal.spec import SpecError

COLD = 1e-9


def normal(f: Callable[[float], float], *cuts: float) -> float:
    """E f(z), the integral cut where f is not smooth."""
    edges = [-10.0, *sorted(c for c in cuts if -10 < c < 10), 10.0]
    return sum(quad(lambda z: f(z) * norm.pdf(z), a, b, epsabs=1e-13, epsrel=1e-12)[0] for a, b in pairwise(edges))


def ground(name: str, energy: str, regularization: str = "", temperature: Any = 0, **entries: Any) -> Model:
    loss = {"energy": energy, "temperature": temperature}
    if regularization:
        loss["regularization"] = regularization
    return declare(name, loss=loss, **entries)


@pytest.mark.parametrize(("alpha", "energy"), [(2.5, 0.0390067), (4.0, 0.2480130)])
def test_fewest_errors_of_a_spherical_perceptron(alpha: float, energy: float) -> None:
    state = ground("errors", "step(-y*h)", weights="spherical", alpha=1.0).solve(alpha=alpha)
    assert state["energy"] == pytest.approx(energy, abs=6e-8)
    assert state.free_entropy == pytest.approx(-state["energy"], abs=1e-12)
    assert state["training_error"] == pytest.approx(state["energy"] / alpha, abs=1e-12)
    # a pattern's field jumps from error to the edge: unstable against replica symmetry breaking at every alpha
    assert "replicon" not in state.states[0].observables
    assert any("jumps" in warning for warning in state.states[0].warnings)


@pytest.mark.parametrize(("alpha", "kappa"), [(1.3, 0.5), (9.0, -0.4), (30.0, 1.0)])
def test_fewest_errors_at_a_margin(alpha: float, kappa: float) -> None:
    # Gardner & Derrida 1988, eqs. (38)-(40): alpha int_{kappa - X}^kappa Dz (kappa - z)^2 = 1, X^2 = 2 dq
    def stationarity(x: float) -> float:
        return alpha * quad(lambda z: (kappa - z) ** 2 * norm.pdf(z), kappa - x, kappa, epsabs=1e-14)[0] - 1.0

    x = brentq(stationarity, 1e-6, 20.0, xtol=1e-14)
    state = ground("margin-errors", "step(kappa-y*h)", weights="spherical", alpha=1.0, kappa=0.0).solve(
        alpha=alpha, kappa=kappa
    )
    assert state["dq"] == pytest.approx(x**2 / 2, rel=1e-9)
    assert state["energy"] == pytest.approx(alpha * norm.cdf(kappa - x), rel=1e-9)


def test_below_capacity_many_states_have_no_errors_and_none_is_reported() -> None:
    state = ground("errors", "step(-y*h)", weights="spherical", alpha=1.0).solve(alpha=1.5).states[0]
    assert not state.converged
    assert state.failure is not None
    assert "not unique" in state.failure.reason
    assert "constraint" in state.failure.advice


@pytest.mark.parametrize(("alpha", "lam", "delta"), [(1.3, 0.7, 0.3), (0.6, 0.2, 0.1), (3.0, 0.05, 1.0)])
def test_ridge_regression(alpha: float, lam: float, delta: float) -> None:
    model = ground(
        "cold-ridge", "(y-h)**2/2", "lam*w**2/2", weights="unconstrained", alpha=1.0, lam=0.1, Delta=0.1,
        teacher={"weights": "gaussian", "label": NOISY},
    )  # fmt: skip
    state = model.solve(alpha=alpha, lam=lam, Delta=delta)

    def trace(f: Callable[[float], float]) -> float:
        return marchenko_pastur(f, alpha)

    q = trace(lambda x: (x**2 + delta * x) / (x + lam) ** 2)
    r = trace(lambda x: x / (x + lam))
    rest = alpha * delta + trace(lambda x: x) - trace(lambda x: (x**2 + delta * x) / (x + lam))
    assert state["q"] == pytest.approx(q, rel=COLD)
    assert state["r"] == pytest.approx(r, rel=COLD)
    assert state["dq"] == pytest.approx(trace(lambda x: 1 / (x + lam)), rel=COLD)
    assert state["energy"] == pytest.approx(rest / 2, rel=COLD)
    assert state.free_entropy == pytest.approx(-rest / 2, rel=COLD)
    assert state["training_error"] == pytest.approx((rest - lam * q) / alpha, rel=COLD)
    assert state["generalization_error"] == pytest.approx(1 + delta - 2 * r + q, rel=COLD)
    assert state["replicon"] > 0


@pytest.mark.parametrize("power", [1.05, 1.2, 1.5, 1.9])
def test_powers_of_the_residual_whose_curvature_diverges(power: float) -> None:
    # labels +-1 at random: alpha E (h* - z)^2 = 1 with h* at distance u of the label, u + dq p u^(p - 1) = |1 - z|
    alpha = 3.0

    def distance(w: float, dq: float) -> float:
        return brentq(lambda u: u + dq * power * u ** (power - 1.0) - w, 0.0, w, xtol=1e-300, rtol=1e-13) if w > 0 else 0.0

    def mean(f: Callable[[float], float]) -> float:
        parts = ((sign, a, b) for sign in (-1.0, 1.0) for a, b in pairwise((0.0, 1e-4, 0.03, 0.3, 1.0, 3.0, 12.0)))
        return sum(quad(lambda w, s=s: f(w) * norm.pdf(1.0 + s * w), a, b, epsabs=1e-13)[0] for s, a, b in parts)

    def stationarity(dq: float) -> float:
        return alpha * mean(lambda w: (w - distance(w, dq)) ** 2) - 1.0

    dq = brentq(stationarity, 0.05, 5.0, xtol=1e-12)
    state = ground(f"power-{power}", f"abs(y-h)**{power}", weights="spherical", alpha=3.0).solve(alpha=alpha)
    assert state["dq"] == pytest.approx(dq, rel=1e-8)
    assert state["energy"] == pytest.approx(alpha * mean(lambda w: distance(w, dq) ** power), rel=1e-8)


def test_least_squares_without_regularization() -> None:
    alpha, delta = 1.7, 0.4
    model = ground(
        "least-squares", "(y-h)**2/2", weights="gaussian", alpha=2.0, Delta=0.1,
        teacher={"weights": "gaussian", "label": NOISY},
    )  # fmt: skip
    state = model.solve(alpha=alpha, Delta=delta)
    assert state["q"] == pytest.approx(1 + delta / (alpha - 1), rel=COLD)  # inverse Wishart
    assert state["energy"] == pytest.approx(delta * (alpha - 1) / 2, rel=COLD)
    below = model.solve(alpha=0.8, Delta=delta).states[0]
    assert not below.converged
    assert below.failure is not None
    assert "not unique" in below.failure.reason


def test_lasso_is_its_state_evolution() -> None:
    alpha, lam, delta = 0.9, 0.3, 0.2

    def threshold(x: float, t: float) -> float:
        return np.sign(x) * max(abs(x) - t, 0.0)

    # z = w* + tau noise is N(0, 1 + tau^2); w* = z/(1 + tau^2) + independent
    def equations(v: Any) -> Any:
        tau, theta = v
        s = np.sqrt(1 + tau**2)
        cut = theta / s
        second = normal(lambda z: threshold(s * z, theta) ** 2, -cut, cut)
        first = normal(lambda z: threshold(s * z, theta) * z / s, -cut, cut)
        mse = second - 2 * first + 1
        response = 2 * norm.cdf(-cut)
        return [tau**2 - (delta + mse) / alpha, theta * (1 - response / alpha) - lam / alpha]

    tau, theta = fsolve(equations, [1.0, 0.5], xtol=1e-13)
    s = np.sqrt(1 + tau**2)
    q = normal(lambda z: threshold(s * z, theta) ** 2, -theta / s, theta / s)
    model = ground(
        "lasso", "(y-h)**2/2", "lam*abs(w)", weights="unconstrained", alpha=0.9, lam=0.3, Delta=0.2,
        teacher={"weights": "gaussian", "label": NOISY},
    )  # fmt: skip
    state = model.solve(alpha=alpha, lam=lam, Delta=delta)
    assert state["q"] == pytest.approx(q, rel=COLD)
    assert state["generalization_error"] == pytest.approx(alpha * tau**2, rel=COLD)
    assert state["replicon"] > 0


def test_logistic_regression_of_random_labels() -> None:
    # Sur & Candes 2019, without signal, at N/P = 1/4: alpha E (prox - omega)^2 = q, alpha E (1 - prox') = 1
    alpha = 4.0

    def prox(omega: float, v: float) -> float:
        return brentq(lambda t: t - omega - v / (1 + np.exp(t)), omega - 1, omega + v + 1, xtol=1e-14)

    def equations(u: Any) -> Any:
        root, v = u

        def moved(z: float) -> float:
            return (prox(root * z, v) - root * z) ** 2

        def response(z: float) -> float:
            t = prox(root * z, v)
            return 1 / (1 + v / (2 + np.exp(t) + np.exp(-t)))

        return [alpha * normal(moved) - root**2, alpha * (1 - normal(response)) - 1]

    root, v = fsolve(equations, [2.0, 4.0], xtol=1e-12)
    state = ground("logistic", "log(1+exp(-y*h))", weights="gaussian", alpha=4.0).solve(alpha=alpha)
    assert state["q"] == pytest.approx(root**2, rel=1e-8)
    assert state["dq"] == pytest.approx(v, rel=1e-8)
    loss = normal(lambda z: np.log1p(np.exp(-prox(root * z, v))))
    assert state["energy"] == pytest.approx(alpha * loss, rel=1e-8)
    assert state["replicon"] == pytest.approx(1.0 - _logistic_instability(alpha, prox, root, v), abs=1e-7)


def _logistic_instability(alpha: float, prox: Any, root: float, v: float) -> float:
    def bend(z: float) -> float:
        t = prox(root * z, v)
        return (1 - 1 / (1 + v / (2 + np.exp(t) + np.exp(-t)))) ** 2

    return alpha * normal(bend)


def test_ridge_on_random_features_at_finite_size() -> None:
    # the Gaussian equivalent of the features, its regression solved exactly: no replicas
    alpha, alpha_t, lam, delta = 1.5, 2.0, 0.2, 0.1
    model = ground(
        "features-ridge", "(y-h)**2/2", "lam*w**2/2", weights="unconstrained", alpha=1.5, alpha_T=2.0, lam=0.2, Delta=0.1,
        features={"map": "random", "activation": "tanh(x)"}, teacher={"weights": "gaussian", "label": NOISY},
    )  # fmt: skip
    state = model.solve(alpha=alpha, alpha_T=alpha_t, lam=lam, Delta=delta)
    linear, nonlinear = 0.6057055096, 0.1655757411  # kappa_1, kappa_* of tanh
    generator = np.random.default_rng(5)
    n = 600
    p, d = int(alpha * n), int(alpha * n / alpha_t)
    found = []
    for _ in range(6):
        inputs, features = generator.standard_normal((p, d)), generator.standard_normal((n, d))
        teacher = generator.standard_normal(d)
        phi = (linear * inputs @ features.T / np.sqrt(d) + nonlinear * generator.standard_normal((p, n))) / np.sqrt(n)
        y = inputs @ teacher / np.sqrt(d) + np.sqrt(delta) * generator.standard_normal(p)
        w = np.linalg.solve(phi.T @ phi + lam * np.eye(n), phi.T @ y)
        s = features.T @ w / np.sqrt(n)
        rest = np.sum((y - phi @ w) ** 2) / 2 + lam * w @ w / 2
        found.append([w @ w / n, s @ s / d, s @ teacher / d, rest / n])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
    wanted = [state["q"], state["p"], state["r"], state["energy"]]
    assert np.all(np.abs(mean - wanted) < 4 * error + 3.0 / n)


WARM = {
    "hinge": ("max(0,1-y*h)", {"weights": "spherical"}),
    "perceptron": ("max(0,-y*h)", {"weights": "spherical"}),
    "errors-binary": ("step(-y*h)", {"weights": "binary"}),
    "three-values": ("(1-y*h)**2/2", {"weights": {"values": [-1, 0, 1]}}),
}


@pytest.mark.parametrize("name", WARM)
def test_ground_state_is_the_limit_of_small_temperatures(name: str) -> None:
    energy, entries = WARM[name]
    cold = ground(f"cold-{name}", energy, alpha=3.0, **entries).solve(alpha=3.0)
    warm = ground(f"warm-{name}", energy, temperature="T", alpha=3.0, T=0.1, **entries).solve(
        alpha=3.0, T=np.array([0.004, 0.002])
    )
    for observable in ("energy", "training_error"):
        first, second = (state.observables[observable] - cold[observable] for state in warm.states)
        assert abs(second) < 3e-3
        if abs(second) > 2e-4:  # between T log T and T^2, were the limit right; towards 1 were it not
            assert 1.3 < first / second < 4.5


def test_branch_along_alpha_has_the_states_that_solve_finds() -> None:
    model = ground("errors", "step(-y*h)", weights="spherical", alpha=1.0)
    branch = model.branch("alpha", (2.2, 6.0))
    assert min(branch.p) == pytest.approx(2.2)
    assert max(branch.p) == pytest.approx(6.0)
    middle = len(branch.states) // 2
    state = branch.states[middle]
    again = model.solve(alpha=state.parameters["alpha"])
    assert state.observables["energy"] == pytest.approx(again["energy"], rel=1e-9)


@pytest.mark.parametrize(
    ("weights", "alpha"), [("spherical", 2.0), pytest.param("binary", 4 / np.pi, marks=pytest.mark.slow)]
)
def test_errors_appear_at_the_replica_symmetric_capacity(weights: str, alpha: float) -> None:
    # dq -> infinity from above: Gardner 1988 (spherical, 2), Gardner & Derrida 1988 (binary, 4/pi)
    found = ground(f"capacity-{weights}", "step(-y*h)", weights=weights, alpha=1.0).locus(
        "capacity", "alpha", bounds=(0.9 * alpha, 1.3 * alpha)
    )
    (point,) = found.special_points
    assert point.converged
    assert point.parameters["alpha"] == pytest.approx(alpha, abs=1e-9)
    assert abs(point.parameters["alpha"] - alpha) <= point.error_estimate


@pytest.mark.parametrize("scheme", ["real-replicas", "2rsb", "franz-parisi"])
def test_other_ansaetze_refuse_the_ground_state_where_it_stands(scheme: str) -> None:
    model = ground("refused", "step(-y*h)", scheme=scheme, alpha=1.0)
    with pytest.raises(SpecError, match="ground state") as refusal:
        model.solver()
    assert "temperature = 0" in str(refusal.value)


def test_derivation_of_a_ground_state_shows_its_steps_and_checks_itself() -> None:
    derivation = ground(
        "shown", "max(0,1-y*h)", "lam*w**2/2", weights="unconstrained", alpha=3.0, lam=0.1, alpha_T=2.0,
        features={"map": "random", "activation": "sign(x)"}, teacher={"weights": "gaussian", "label": "sign(u)"},
    ).derive()  # fmt: skip
    text = derivation.to_markdown()
    assert r"\max_{h}\left[- \max\left(0, 1 - h\right) - \frac{(h - \omega)^2}{2 V}\right]" in text
    assert "minus the energy of the ground state" in text
    made = {check.name: check for check in derivation.checks}
    assert all(check.passed for check in made.values() if check.made)
    assert any("energies minimised on a grid" in name and check.made for name, check in made.items())
