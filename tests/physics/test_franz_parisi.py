"""Franz-Parisi: published values, identities, the functional against its storage form, and exact enumeration."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from declared import declare
from direct import log_h, log_two_cosh
from scipy.optimize import brentq
from scipy.special import gammaln, log_ndtr

import spinodal
from spinodal.model import Model


@lru_cache
def storage() -> Model:
    return spinodal.load("binary-perceptron", ansatz="franz-parisi")


@lru_cache
def typical(kappa: float) -> tuple[float, float]:
    """(q, entropy) of the typical solutions at alpha = 0.5."""
    solution = spinodal.load("binary-perceptron").solve(alpha=0.5, kappa=kappa)
    return float(solution.order_parameters["q"]), float(solution.free_entropy)


# alpha 0.5, margin 0; independent numerics with dense quadrature (docs: reference values)
ROWS = [
    (0.0, 0.6, 0.26590239),
    (0.0, 0.9, 0.08652617),
    (0.0, 0.99, -0.00383780),
    (0.3, 0.7, 0.25707828),
    (0.3, 0.9, 0.14019299),
]


@pytest.mark.parametrize(("margin", "t", "expected"), ROWS)
def test_local_entropy_around_typical_solutions(margin: float, t: float, expected: float) -> None:
    solution = storage().solve(alpha=0.5, kappa_ref=margin, t=t)
    assert solution.converged
    assert float(solution.free_entropy) == pytest.approx(expected, abs=6e-9)
    assert float(solution.error_estimate) < 1e-10
    if margin == 0.3:
        assert float(solution.order_parameters["q_ref"]) == pytest.approx(0.51904168, abs=6e-9)
    assert float(solution.order_parameters["q_ref"]) == pytest.approx(typical(margin)[0], abs=1e-9)


def test_at_the_typical_overlap_the_probe_is_one_more_typical_solution() -> None:
    q, entropy = typical(0.0)
    solution = storage().solve(alpha=0.5, kappa_ref=0.0, t=q)
    assert solution.converged
    assert float(solution.free_entropy) == pytest.approx(entropy, abs=1e-9)
    for name in ("q", "s"):
        assert float(solution.order_parameters[name]) == pytest.approx(q, abs=1e-6)
    hat = float(solution.order_parameters["q_ref_hat"])
    for name in ("q_hat", "s_hat", "t_hat"):
        assert float(solution.order_parameters[name]) == pytest.approx(hat, abs=1e-6)


@pytest.mark.parametrize("margin", [-0.2, 0.3])
def test_the_maximum_over_t_is_the_typical_entropy_of_the_students_margin(margin: float) -> None:
    model = storage()

    def slope(t: float) -> float:
        return float(model.solve(alpha=0.5, kappa_ref=margin, t=t).observables["slope"])

    t = brentq(slope, 0.15, 0.6, xtol=1e-9)
    solution = model.solve(alpha=0.5, kappa_ref=margin, t=t)
    state = solution.order_parameters
    assert float(solution.free_entropy) == pytest.approx(typical(0.0)[1], abs=1e-9)
    assert float(state["t_hat"]) == pytest.approx(float(state["s_hat"]), abs=1e-6)
    assert float(state["s"]) == pytest.approx(t, abs=1e-6)
    assert float(state["q"]) == pytest.approx(typical(0.0)[0], abs=1e-6)


def test_below_the_typical_overlap_the_entropy_falls_again() -> None:
    q, entropy = typical(0.0)
    solution = storage().solve(alpha=0.5, kappa_ref=0.0, t=np.array([q - 0.01, q - 0.2]))
    assert np.all(solution.converged)
    assert np.all(np.asarray(solution.free_entropy) < entropy)
    assert np.all(np.asarray(solution.observables["slope"]) > 0)


def test_slope_is_the_derivative_of_the_local_entropy() -> None:
    t, h = 0.8, 2e-3
    solution = storage().solve(alpha=0.5, kappa_ref=0.3, t=np.array([t - h, t - h / 2, t, t + h / 2, t + h]))
    phi = np.asarray(solution.free_entropy)
    wide, narrow = (phi[4] - phi[0]) / (2 * h), (phi[3] - phi[1]) / h
    assert float(np.asarray(solution.observables["slope"])[2]) == pytest.approx((4 * narrow - wide) / 3, abs=1e-8)


_X = np.linspace(-9.0, 9.0, 181)
_WX = np.exp(-(_X**2) / 2) / np.sqrt(2 * np.pi) * (_X[1] - _X[0])


def storage_form(state: dict[str, float], p: dict[str, float]) -> float:
    """The functional as written for storage: a sum over the reference's weight; the output in three dimensions (x, u, y)."""
    q_ref, h_ref = state["q_ref"], state["q_ref_hat"]
    q, s, t, q_hat, s_hat, t_hat = (state[k] for k in ("q", "s", "t", "q_hat", "s_hat", "t_hat"))
    x, y = _X[:, None], _X[None, :]
    prior = 0.0
    for w in (1, -1):
        weight = np.exp(np.sqrt(h_ref) * x * w - log_two_cosh(np.sqrt(h_ref) * x))
        field = np.sqrt(q_hat - s_hat**2 / h_ref) * y + s_hat / np.sqrt(h_ref) * x + (t_hat - s_hat) * w
        prior += float(_WX @ (weight * log_two_cosh(field)) @ _WX)
    # u > u0 by u = H^-1(v H(u0)): smooth in v
    v, wv = np.polynomial.legendre.leggauss(160)
    v, wv = (v + 1) / 2, wv / 2
    u0 = (p["kappa_ref"] - np.sqrt(q_ref) * _X) / np.sqrt(1 - q_ref)
    from scipy.special import ndtri_exp

    power = 6  # more nodes where u is large
    u = -ndtri_exp(log_ndtr(-u0)[:, None] + power * np.log(v)[None, :])
    jac = power * v ** (power - 1) * wv
    rest = np.sqrt(q - s**2 / q_ref - (t - s) ** 2 / (1 - q_ref))
    mean = s / np.sqrt(q_ref) * _X[:, None] + (t - s) / np.sqrt(1 - q_ref) * u
    inner = log_h((p["kappa"] - mean[:, :, None] - rest * _X[None, None, :]) / np.sqrt(1 - q)) @ _WX
    output = float(_WX @ (inner @ jac))
    return -0.5 * q_hat * (1 - q) - t_hat * t + s_hat * s + prior + p["alpha"] * output


STATES: list[dict[str, float]] = [
    {"q_ref": 0.3, "q": 0.5, "s": 0.32, "q_ref_hat": 0.7, "q_hat": 0.6, "s_hat": 0.4, "t_hat": 1.1, "t": 0.55},
    {"q_ref": 0.55, "q": 0.7, "s": 0.5, "q_ref_hat": 1.9, "q_hat": 0.5, "s_hat": 0.8, "t_hat": 0.5, "t": 0.62},
]
POINT = {"alpha": 0.7, "kappa": 0.1, "kappa_ref": 0.25}


def arrays(state: dict[str, float], point: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    module = storage().solver()
    given = {**state, **point}
    return np.array([[given[k] for k in module.ORDER_PARAMETERS]]), np.array([[given[k] for k in module.PARAMETERS]])


@pytest.mark.parametrize("state", STATES)
def test_the_functional_is_the_storage_form(state: dict[str, float]) -> None:
    x, p = arrays(state, POINT)
    assert float(storage().solver().free_entropy(x, p)[0]) == pytest.approx(storage_form(state, POINT), abs=2e-8)


@pytest.mark.parametrize("state", STATES)
def test_equations_and_jacobian_are_derivatives(state: dict[str, float]) -> None:
    module = storage().solver()
    names = list(module.ORDER_PARAMETERS)
    x, p = arrays(state, POINT)
    residual, jacobian = (part[0] for part in module.residual_and_jacobian(x, p))

    def central(function: Any, j: int) -> Any:
        def slope(h: float) -> Any:
            up, down = x.copy(), x.copy()
            up[0, j] += h
            down[0, j] -= h
            return (function(up) - function(down)) / (2 * h)

        return (4 * slope(1e-3) - slope(2e-3)) / 3

    # the pairing is q q_hat / 2 + s s_hat - t t_hat: stationarity in each is the partner's equation
    for name, partner, factor in (("q", "q_hat", 0.5), ("s", "s_hat", 1.0), ("q_hat", "q", 0.5), ("s_hat", "s", 1.0)):
        expected = central(lambda y: float(module.free_entropy(y, p)[0]), names.index(name))
        assert factor * residual[names.index(partner)] == pytest.approx(expected, abs=1e-8), name
    expected = central(lambda y: float(module.free_entropy(y, p)[0]), names.index("t_hat"))
    assert residual[names.index("t_hat")] == pytest.approx(expected, abs=1e-8)
    for j, name in enumerate(names):
        column = central(lambda y: module.residual(y, p)[0], j)
        assert jacobian[:, j] == pytest.approx(column, abs=2e-7), name
    derivative = module.parameter_derivative(x, p)[0]
    for k, name in enumerate(module.PARAMETERS):
        h = 1e-4
        up, down = p.copy(), p.copy()
        up[0, k] += h
        down[0, k] -= h
        column = (module.residual(x, up)[0] - module.residual(x, down)[0]) / (2 * h)
        assert derivative[:, k] == pytest.approx(column, abs=1e-6), name


def test_without_data_it_is_the_entropy_of_a_sphere_around_the_reference() -> None:
    solution = storage().solve(alpha=1e-3, kappa_ref=0.0, t=0.6)
    up, down = 0.8, 0.2
    assert float(solution.free_entropy) == pytest.approx(-up * np.log(up) - down * np.log(down), abs=1e-3)


def test_spherical_weights_without_data_lie_on_a_cap() -> None:
    # at alpha -> 0 the log-volume at overlap t with a given direction is log(1 - t^2) / 2
    model = declare("cap", weights="spherical", scheme="franz-parisi", alpha=0.01, kappa=0.0)
    overlaps = np.array([0.3, 0.6, 0.95])
    solution = model.solve(alpha=0.01, kappa_ref=0.0, t=overlaps)
    assert np.all(solution.converged)
    assert np.asarray(solution.free_entropy) == pytest.approx(0.5 * np.log(1 - overlaps**2), abs=1e-2)


def test_references_of_the_largest_margin_have_no_entropy() -> None:
    # kappa_max(alpha) is the inverse of alpha_c(kappa): 0.4556645645 at 0.5 (Krauth and Mezard's capacity)
    largest = spinodal.load("binary-perceptron", ansatz="franz-parisi", overrides={"ansatz.kappa_ref": "max"})
    assert "kappa_ref" not in largest.spec.parameter_names()
    solution = largest.solve(alpha=0.4556645645, t=0.8)
    assert solution.converged
    margin = float(solution.order_parameters["kappa_ref"])
    assert margin == pytest.approx(0.5, abs=1e-9)
    same = storage().solve(alpha=0.4556645645, kappa_ref=margin, t=0.8)
    assert float(solution.free_entropy) == pytest.approx(float(same.free_entropy), abs=1e-10)
    module = largest.solver()
    x = np.array([[float(solution.order_parameters[k]) for k in module.ORDER_PARAMETERS]])
    p = np.array([[0.4556645645, 0.0, 0.8]])
    _, jacobian = (part[0] for part in module.residual_and_jacobian(x, p))
    for j in range(x.shape[1]):
        up, down = x.copy(), x.copy()
        up[0, j] += 1e-5
        down[0, j] -= 1e-5
        column = (module.residual(up, p)[0] - module.residual(down, p)[0]) / 2e-5
        assert jacobian[:, j] == pytest.approx(column, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("margin", "distances"), [(0.0, (2, 4, 6)), (0.4, (2, 4, 6))])
def test_exact_enumeration_of_solutions_at_a_distance_from_solutions(margin: float, distances: tuple[int, ...]) -> None:
    # (1/N) E log(number at distance d / number of sites at distance d), over patterns and references of given margin
    size, patterns = 20, 8
    rng = np.random.default_rng(5)
    sites = 1 - 2 * ((np.arange(2**size)[:, None] >> np.arange(size)) & 1).astype(np.float32)
    found: dict[int, list[float]] = {d: [] for d in distances}
    for _ in range(60):
        x = rng.standard_normal((size, patterns)).astype(np.float32)
        fields = (sites @ x).min(axis=1) / np.sqrt(size)
        solutions = sites[fields >= 0.0]
        references = sites[fields >= margin]
        if len(references) == 0:
            continue
        chosen = references[rng.choice(len(references), min(20, len(references)), replace=False)]
        apart = np.rint((size - chosen @ solutions.T) / 2).astype(int)
        for row in apart:
            counts = np.bincount(row, minlength=size + 1)
            for d in distances:
                found[d].append(np.log(max(counts[d], 0.5)))
    alpha = patterns / size
    overlaps = np.array([1 - 2 * d / size for d in distances])
    solution = storage().solve(alpha=alpha, kappa_ref=margin, t=overlaps)
    phi = np.asarray(solution.free_entropy)
    for d, t, local in zip(distances, overlaps, phi, strict=True):
        up, down = (1 + t) / 2, (1 - t) / 2
        free = -up * np.log(up) - down * np.log(down)
        binomial = float(gammaln(size + 1) - gammaln(d + 1) - gammaln(size - d + 1))
        measured = (np.mean(found[d]) - binomial) / size
        assert measured == pytest.approx(local - free, abs=0.02), (d, measured, local - free)


def test_references_on_a_sphere_exist_whatever_their_volume() -> None:
    """The entropy of a volume is negative; that of counted weights, where it is, says that there are no references."""
    sphere = spinodal.load("spherical-perceptron", ansatz="franz-parisi").solve(alpha=0.5, kappa=0.0, kappa_ref=0.1, t=0.9)
    assert sphere.converged
    assert float(sphere.observables["entropy_ref"]) < 0.0
    assert not sphere.warnings
    beyond = storage().solve(alpha=0.8, kappa_ref=0.3, t=0.9)
    assert any("no such references" in warning for warning in beyond.warnings)


@pytest.mark.parametrize(
    ("weights", "energy", "reference", "t"),
    [
        ("binary", "step(-y*h)", {"constraint": "y*h >= 0"}, 0.97),
        ("binary", "max(0, 0.3-y*h)", {"energy": "step(-y*h)", "temperature": 0.4}, 0.6),
        ("spherical", "(y-h)**2/2", {"energy": "log(1+exp(-y*h))", "temperature": 0.3}, 0.7),
    ],
)
def test_energy_and_entropy_of_a_probe_are_derivatives_of_its_free_entropy(
    weights: str, energy: str, reference: dict[str, Any], t: float
) -> None:
    """Energy T^2 dphi/dT at a stationary point; the reference keeps its own loss and temperature, without a margin."""
    loss, ansatz = {"energy": energy, "temperature": "T"}, {"reference": reference}
    model = declare("probe", weights=weights, loss=loss, scheme="franz-parisi", ansatz=ansatz, alpha=0.5, T=0.2, t=t)
    step = 2e-4
    below, here, above = (model.solve(T=0.2 + k * step) for k in (-1, 0, 1))
    slope = (float(above.free_entropy) - float(below.free_entropy)) / (2 * step)
    assert float(here.observables["energy"]) == pytest.approx(slope * 0.2**2, rel=1e-6, abs=1e-9)
    entropy = float(here.free_entropy) + float(here.observables["energy"]) / 0.2
    assert float(here.observables["entropy"]) == pytest.approx(entropy, abs=1e-10)
    assert not [w for w in here.warnings if "no such references" in w]


def test_the_observables_of_a_reference_are_those_of_its_own_theory() -> None:
    own = {"energy": "log(1+exp(-y*h))", "temperature": 0.4}
    loss = {"energy": "max(0, 0.3-y*h)", "temperature": 0.2}
    model = declare("beside", loss=loss, scheme="franz-parisi", ansatz={"reference": own}, alpha=0.5, t=0.5)
    found, expected = model.solve(), declare("alone", loss=own, alpha=0.5).solve()
    for name in ("energy", "entropy", "replicon"):
        assert float(found.observables[f"{name}_ref"]) == pytest.approx(float(expected.observables[name]), abs=1e-9)


def test_a_declared_reference_needs_no_margin() -> None:
    """The same reference, once by its margin and once declared."""
    weights = {"values": [-1, 0, 1]}
    ansatz = {"reference": {"constraint": "y*h >= 0.25"}}
    declared = declare("own", weights=weights, scheme="franz-parisi", ansatz=ansatz, alpha=0.5, kappa=0.1, t=0.55)
    by_margin = declare("margin", weights=weights, scheme="franz-parisi", alpha=0.5, kappa=0.1, kappa_ref=0.25, t=0.55)
    one, other = declared.solve(), by_margin.solve()
    assert one.converged
    assert other.converged
    assert float(one.free_entropy) == pytest.approx(float(other.free_entropy), abs=1e-12)


def test_weights_of_any_scale_have_the_potential_of_their_own_units() -> None:
    """Weights and margins times 3, overlaps times 9: the same configurations."""
    big = declare(
        "big", weights={"values": [-3, -1, 1, 3]}, scheme="franz-parisi", alpha=0.3, kappa=0.3, kappa_ref=0.3, t=3.0
    )
    values = [-1, "-1/3", "1/3", 1]
    small = declare("small", weights={"values": values}, scheme="franz-parisi", alpha=0.3, kappa=0.1, kappa_ref=0.1, t=0.3)
    for t in (1.2, 3.0, 4.0):
        one, other = big.solve(t=t), small.solve(t=t / 9.0)
        assert one.converged
        assert other.converged
        assert float(one.free_entropy) == pytest.approx(float(other.free_entropy), abs=1e-10)
    typical_state = declare("typical", weights={"values": [-3, -1, 1, 3]}, alpha=0.3, kappa=0.3).solve()
    there = big.solve(t=float(typical_state.order_parameters["q"]))
    assert float(there.free_entropy) == pytest.approx(float(typical_state.free_entropy), abs=1e-10)


def test_the_free_entropy_is_that_of_the_state_that_is_returned() -> None:
    """It is no stationary function of the reference's overlaps: their errors enter to first order."""
    solution = storage().solve(alpha=0.6, kappa=0.2, kappa_ref=0.25, t=0.85)
    assert float(solution.free_entropy) == pytest.approx(float(solution.observables["entropy"]), abs=1e-14)


@pytest.mark.parametrize("weights", ["binary", {"values": [-1, 0, 2], "probabilities": [0.3, 0.55, 0.15]}])
def test_errors_of_probes_with_negative_margins_beside_the_typical_overlap_are_typical(weights: Any) -> None:
    declared = {"weights": weights, "loss": {"constraint": "y*h >= kappa"}, "alpha": 0.3, "kappa": -0.4}
    typical = declare("negative", **declared).solve()
    near = declare("negative", scheme="franz-parisi", kappa_ref=-0.4, t=0.5, **declared).solve(t=typical["q"] + 1e-7)
    assert typical["training_error"] > 0.1
    assert near["training_error"] == pytest.approx(typical["training_error"], abs=1e-5)
