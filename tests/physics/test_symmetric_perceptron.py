"""The symmetric binary perceptron, abs(h) <= kappa: typical overlaps vanish, and typical solutions are isolated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from declared import central, declare
from scipy.optimize import root
from scipy.special import log_ndtr, ndtr

import spinodal
from spinodal.model import Model
from spinodal.numeric.bound import Bound
from spinodal.numeric.module_problem import ModuleProblem

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
Array = np.ndarray


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


def test_the_slope_along_one_parameter_is_a_column_of_the_derivative(spec: Path) -> None:
    module = spinodal.load(spec, ansatz="franz-parisi").solver()
    assert "kappa" in module.FINITE_DIFFERENCES
    state = spinodal.load(spec, ansatz="franz-parisi").solve(kappa_ref=0.8, t=0.9).states[0]
    x = np.array([state.order_parameters[name] for name in module.ORDER_PARAMETERS])
    p = np.array([state.parameters[name] for name in module.PARAMETERS])
    for column, name in enumerate(module.PARAMETERS):
        problem = ModuleProblem(Bound(module, module.RULE), p, (column,))
        slope = problem(np.append(x, p[column])).dfdp
        assert slope == pytest.approx(module.parameter_derivative(x[None], p[None])[0, :, column], abs=1e-14), name


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


def _without_complexity(q1: float, alpha: float) -> tuple[float, float, float]:
    """(y, q1_hat, phi) of replicas whose groups share nothing: plain sums over the field of one group, solved by SciPy."""
    z = np.linspace(-40.0, 40.0, 16001)

    def log_average(log_z: np.ndarray, y: float) -> float:
        exponent = y * log_z - z**2 / 2
        top = exponent.max()
        return float(top + np.log(np.exp(exponent - top).sum() * (z[1] - z[0]) / np.sqrt(2 * np.pi)))

    upper, lower = ((sign * KAPPA - np.sqrt(q1) * z) / np.sqrt(1 - q1) for sign in (1.0, -1.0))
    upper, lower = np.where(z > 0, upper, -lower), np.where(z > 0, lower, -upper)  # the small tails' difference
    log_inside = log_ndtr(upper) + np.log1p(-np.exp(log_ndtr(lower) - log_ndtr(upper)))

    def phi(y: float, q1_hat: float) -> float:
        field = np.sqrt(q1_hat) * z
        prior = log_average(np.logaddexp(field, -field), y) / y
        return -0.5 * q1_hat * (1 - q1) - 0.5 * y * q1 * q1_hat + prior + alpha * log_average(log_inside, y) / y

    def slopes(logs: np.ndarray) -> list[float]:
        points = [phi(*np.exp(logs + step)) for h in ([1e-4, 0.0], [0.0, 1e-4]) for step in (np.array(h), -np.array(h))]
        return [points[0] - points[1], points[2] - points[3]]

    found = root(slopes, np.log([100.0, 0.01]), tol=1e-12)
    y, q1_hat = np.exp(found.x)
    return float(y), float(q1_hat), phi(y, q1_hat)


def test_ever_more_replicas_have_no_complexity_as_their_overlap_falls(spec: Path) -> None:
    model = spinodal.load(spec, overrides={"ansatz": {"scheme": "real-replicas", "replicas": "zero-complexity"}})
    solution = model.solve(alpha=1.0, q1=np.array([0.2, 0.3]))
    assert np.all(solution.converged)
    assert np.all(np.abs(solution.order_parameters["q0"]) < 1e-9)
    for index, q1 in enumerate((0.2, 0.3)):
        y, q1_hat, phi = _without_complexity(q1, 1.0)
        assert float(solution.order_parameters["y"][index]) == pytest.approx(y, rel=1e-4)
        assert float(solution.order_parameters["q1_hat"][index]) == pytest.approx(q1_hat, rel=1e-4)
        assert float(solution.free_entropy[index]) == pytest.approx(phi, abs=1e-8)


def test_where_too_many_replicas_would_be_needed_the_reason_says_how_many_still_have_complexity(spec: Path) -> None:
    model = spinodal.load(spec, overrides={"ansatz": {"scheme": "real-replicas", "replicas": "zero-complexity"}})
    (state,) = model.solve(alpha=1.0, q1=0.001).states
    assert state.failure is not None
    assert "the complexity is still positive" in state.failure.reason
    assert "typical overlap" in state.failure.advice


def _outside(kappa: float, centre: np.ndarray, spread: float) -> np.ndarray:
    """Log P(|h| >= kappa) of Gaussian fields."""
    return np.asarray(np.logaddexp(log_ndtr((centre - kappa) / spread), log_ndtr((-centre - kappa) / spread)))


def _beside_outside(q: float, q_hat: float, t_hat: float, t: float, alpha: float, margin: float) -> float:
    """The local entropy of abs(h) >= margin around typical solutions of the same, whose overlap with others vanishes."""
    weight = np.exp(-(_Y**2) / 2) / np.sqrt(2 * np.pi) * (_Y[1] - _Y[0])
    u, measure = np.polynomial.legendre.leggauss(160)
    fields = margin + 4.5 * (1 + u)  # of the reference, one side: the other is its mirror image
    measure = measure * np.exp(-(fields**2) / 2)
    logs = _outside(margin, t * fields[:, None] + np.sqrt(q - t * t) * _Y, np.sqrt(1 - q)) @ weight
    site = weight @ np.logaddexp(np.sqrt(q_hat) * _Y + t_hat, -np.sqrt(q_hat) * _Y - t_hat)
    return float(-q_hat * (1 - q) / 2 - t * t_hat + site + alpha * (measure @ logs) / measure.sum())


@pytest.mark.parametrize(("alpha", "t", "expected"), [(1.0, 0.2, 0.1966443), (1.0, 0.5, 0.1202947), (0.1, 0.2, None)])
def test_references_of_the_students_own_margin_that_share_nothing(alpha: float, t: float, expected: float | None) -> None:
    """Their overlap is 0 to the last bit, and what probes of different references share is 0/0 of it."""
    loss = {"constraint": "abs(h) >= kappa"}
    model = declare("outside", loss=loss, scheme="franz-parisi", alpha=alpha, kappa=0.5)
    (state,) = model.solve(kappa_ref=0.5, t=t).states
    assert state.converged, state.failure
    at = np.array([state[name] for name in ("q", "q_hat", "t_hat")])
    assert state.free_entropy == pytest.approx(_beside_outside(*at, t, alpha, 0.5), abs=1e-10)
    assert max(abs(state[name]) for name in ("q_ref", "s")) < 1e-12
    slopes = central(lambda x: np.array(_beside_outside(*x, t, alpha, 0.5)), at, 1e-2)
    assert np.max(np.abs(slopes)) < 1e-7
    if expected is not None:
        assert state.free_entropy == pytest.approx(expected, abs=1e-7)


@pytest.mark.slow
def test_a_local_entropy_transition_beyond_the_last_reference_says_so() -> None:
    """References at abs(h) >= 0.7 end where log 2 + alpha log P(|h| >= 0.7) = 0."""
    last = -np.log(2.0) / np.log(2.0 * ndtr(-0.7))
    model = declare("outside", loss={"constraint": "abs(h) >= kappa"}, scheme="franz-parisi", alpha=1.0, kappa=0.5)
    (point,) = model.locus("local-entropy-transition", "alpha", kappa_ref=0.7).special_points
    assert point.converged, point.failure
    assert point.parameters["alpha"] > last
    entropy = np.log(2.0) * (1.0 - point.parameters["alpha"] / last)
    assert f"entropy_ref = {entropy:.4g} < 0: there are no such references" in point.warnings


def free_entropy_of_replicas(x: Array, q1: float, y: float, alpha: float, kappa: float) -> float:
    """Of each of y replicas at mutual overlap q1, in groups whose overlap is q0: sums over grids of the two fields."""
    q0, hat0, hat1 = x
    z = np.linspace(-9.0, 9.0, 801)
    weight = np.exp(-z * z / 2) / np.exp(-z * z / 2).sum()

    def blocks(heights: Array) -> float:
        return float(weight @ (np.log(np.exp(y * heights) @ weight) / y))

    def fields(outer: float, inner: float) -> Array:
        return np.asarray(np.sqrt(outer) * z[:, None] + np.sqrt(inner - outer) * z)

    u = fields(hat0, hat1)
    h, s = fields(q0, q1), np.sqrt(1 - q1)
    inside = np.log(np.maximum(ndtr((kappa - h) / s) - ndtr((-kappa - h) / s), 1e-300))
    pairing = -hat1 / 2 + (1 - y) * hat1 * q1 / 2 + y * hat0 * q0 / 2
    return float(pairing + blocks(np.logaddexp(u, -u)) + alpha * blocks(inside))


def test_groups_of_replicas_that_lose_their_symmetry_are_followed_to_overlaps_with_one_another() -> None:
    """Between two branch points in q1 the state of vanishing q0 is unstable; the one that grows out of it is reported."""
    model = spinodal.load(
        "binary-perceptron",
        overrides={"loss": {"constraint": "abs(h) <= kappa"}, "ansatz": {"scheme": "real-replicas", "replicas": 3}},
    )
    state = model.solve(alpha=1.5, kappa=1.0, q1=0.7)
    assert state.converged
    assert "branch point near q1 = 0.48" in state.states[0].warnings[0]
    x = np.array([float(state[name]) for name in ("q0", "q0_hat", "q1_hat")])
    assert x[0] > 0.05
    assert float(state.free_entropy) == pytest.approx(free_entropy_of_replicas(x, 0.7, 3.0, 1.5, 1.0), abs=1e-10)
    for j in range(3):
        ends = [free_entropy_of_replicas(x + sign * 1e-5 * np.eye(3)[j], 0.7, 3.0, 1.5, 1.0) for sign in (1, -1)]
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(0.0, abs=1e-8)
    assert model.solve(alpha=1.5, kappa=1.0, q1=0.95)["q0"] == pytest.approx(0.0, abs=1e-12)
