"""Real replicas, y -> infinity: reference values, derivatives across kinks, and where the branch begins and ends."""

from __future__ import annotations

import json

import numpy as np
import pytest

import spinodal
from spinodal.checks import run_checks
from spinodal.cli.app import run
from spinodal.numeric.bound import Bound
from spinodal.numeric.module_problem import ModuleProblem
from spinodal.numeric.polish import polished
from spinodal.numeric.runtime import difference
from spinodal.symbolic.derive import derive
from tests.declared import declare

SCHEME = "real-replicas"


def storage() -> spinodal.model.Model:
    return spinodal.load("binary-perceptron", ansatz=SCHEME)


@pytest.mark.parametrize(("q1", "phi"), [(0.5, 0.086477), (0.7, 0.065865), (0.9, 0.042237)])
def test_storage_at_given_overlap(q1: float, phi: float) -> None:
    """Independent dense quadrature with autodiff."""
    (state,) = storage().solve(alpha=0.75, q1=q1).states
    assert state.converged
    assert state.free_entropy == pytest.approx(phi, abs=6e-7)
    assert state.error_estimate < 1e-11


@pytest.mark.slow
def test_random_features_at_given_overlap() -> None:
    (state,) = spinodal.load("random-features-binary", ansatz=SCHEME).solve(alpha=1.0, alpha_T=3.0, q1=0.7).states
    assert state.free_entropy == pytest.approx(0.0782387, abs=6e-8)
    # the centre of the replicas generalises better than they do
    assert state.observables["generalization_error_barycentre"] < state.observables["generalization_error"]


def local_entropy_fold(name: str, alpha: float, q1: float, **parameters: float) -> tuple[float, dict[str, float], float]:
    (state,) = spinodal.load(name, ansatz=SCHEME).solve(alpha=alpha, q1=q1, **parameters).states
    table = {"scheme": SCHEME, "overlap": "extremised"}
    module = spinodal.load(name, overrides={"ansatz": table}).solver()
    values = {**state.order_parameters, **state.parameters}
    guess = np.array([*(values[n] for n in module.ORDER_PARAMETERS), alpha])
    p = np.array([values[n] for n in module.PARAMETERS])
    column = module.PARAMETERS.index("alpha")
    located, _problem = polished(ModuleProblem(Bound(module, module.RULE), p, (column,)), "fold", "", guess, 1e-10)
    assert located.converged
    p[column] = located.u[-1]
    phi = float(module.free_entropy(located.u[None, :-1], p[None])[0])
    return float(located.u[-1]), dict(zip(module.ORDER_PARAMETERS, located.u, strict=False)), phi


def test_local_entropy_transition_of_storage_is_a_fold_of_the_extremised_system() -> None:
    alpha, state, _phi = local_entropy_fold("binary-perceptron", 0.75, 0.9)
    assert alpha == pytest.approx(0.755302026, abs=6e-10)
    assert state["q1"] == pytest.approx(0.91962183, abs=6e-9)


@pytest.mark.slow
def test_local_entropy_transition_with_random_features() -> None:
    alpha, state, phi = local_entropy_fold("random-features-binary", 1.0, 0.9, alpha_T=3.0)
    assert alpha == pytest.approx(1.03207416, abs=6e-9)
    assert state["q1"] == pytest.approx(0.929946, abs=6e-7)
    assert phi == pytest.approx(0.03408416, abs=6e-9)


def test_the_typical_state_is_a_regular_root_where_phi_has_its_maximum() -> None:
    symmetric = spinodal.load("binary-perceptron").solve(alpha=0.6).states[0]
    (state,) = storage().solve(alpha=0.6, q1=symmetric.order_parameters["q"]).states
    assert state.free_entropy == pytest.approx(symmetric.free_entropy, abs=1e-12)
    assert state.order_parameters["q1_hat"] == pytest.approx(symmetric.order_parameters["q_hat"], abs=1e-9)
    assert [state.order_parameters["dq"], state.order_parameters["dq_hat"]] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert state.observables["slope"] == pytest.approx(0.0, abs=1e-9)


def test_slope_is_the_derivative_of_the_local_entropy() -> None:
    h = 1e-4
    below, here, above = storage().solve(alpha=0.7, q1=np.array([0.8 - h, 0.8, 0.8 + h])).states
    assert here.observables["slope"] == pytest.approx((above.free_entropy - below.free_entropy) / (2 * h), abs=1e-7)


MODELS = {
    "ternary weights": {"weights": {"values": [-1, 0, 1]}, "alpha": 0.6, "kappa": 0.1, "q1": 0.6},
    "counted errors": {"loss": {"energy": "step(-y*h)", "temperature": 0.2}, "alpha": 0.6, "q1": 0.6},
    "windows": {"loss": {"constraint": "abs(y*h - 0.2) >= 0.4"}, "alpha": 0.4, "q1": 0.6},
    "squared loss": {"weights": "gaussian", "loss": {"energy": "(y-h)**2/2", "temperature": 0.3}, "alpha": 0.6, "q1": 0.6},
    "spherical": {"weights": "spherical", "alpha": 0.8, "kappa": 0.1, "q1": 0.7},
    "planted": {"teacher": {"weights": "binary", "label": "sign(u)"}, "alpha": 0.6, "kappa": 0.0, "q1": 0.7},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_any_declared_model_has_exact_derivatives_and_the_limit_of_many_copies(name: str) -> None:
    model = declare(name.replace(" ", "-"), scheme=SCHEME, **MODELS[name])
    for check in run_checks(derive(model.spec)):
        assert check.passed or not check.made, check
    (state,) = model.solve().states
    assert state.converged, state.failure


@pytest.mark.parametrize("dq_hat", [0.5, 0.99, 1.3, 2.0])
def test_jacobian_and_its_derivative_across_kinks(dq_hat: float) -> None:
    module = storage().solver()
    x, p = np.array([[0.6, 0.8, dq_hat]]), np.array([[0.75, 0.1, 0.8]])
    v = np.array([[0.3, -0.2, 0.4]])
    slopes = np.stack([difference(lambda s: module.residual(s, p), x, j) for j in range(3)], axis=2)
    assert module.jacobian(x, p) == pytest.approx(slopes, abs=2e-9)
    along = difference(lambda t: module.jacobian(x + (t - 1.0) * v, p), np.ones((1, 1)), 0)
    assert module.jacobian_directional(x, p, v) == pytest.approx(along, rel=1e-7, abs=2e-7)


def test_overlaps_below_the_typical_one_are_refused_with_it() -> None:
    (state,) = storage().solve(alpha=0.75, q1=0.3).states
    assert not state.converged
    assert state.failure is not None
    assert "below the typical overlap q = 0.499699" in state.failure.reason
    assert "above 0.499699" in state.failure.advice


def test_the_command_solves_real_replicas(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["solve", "binary-perceptron", "--ansatz", SCHEME, "--set", "alpha=0.75", "--set", "q1=0.9", "--json"]
    assert run(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"] == {"alpha": 0.75, "kappa": 0.0, "q1": 0.9}
    assert set(found["order_parameters"]) == {"dq", "q1_hat", "dq_hat"}
    assert found["free_entropy"] == pytest.approx(0.042237, abs=6e-7)
    assert {"entropy", "slope"} <= set(found["observables"])


def test_the_command_asks_for_the_overlap(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["solve", "binary-perceptron", "--ansatz", SCHEME, "--set", "alpha=0.75"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "q1" in captured.err


@pytest.mark.slow
@pytest.mark.parametrize(("alpha_T", "alpha", "q1"), [(3.0, 1.03207416, 0.929946)])
def test_locus_locates_the_local_entropy_transition_without_a_start(alpha_T: float, alpha: float, q1: float) -> None:
    model = spinodal.load("random-features-binary", ansatz=SCHEME)
    (point,) = model.locus("local-entropy-transition", "alpha", alpha_T=alpha_T).special_points
    assert point.converged
    assert point.parameters["alpha"] == pytest.approx(alpha, abs=6e-9)
    assert point.order_parameters["q1"] == pytest.approx(q1, abs=6e-7)
    assert point.error_estimate < 1e-8


def test_the_command_locates_the_local_entropy_transition(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["locus", "binary-perceptron", "--ansatz", SCHEME, "--of", "local-entropy-transition", "--along", "alpha"]
    assert run([*arguments, "--json"]) == 0
    (point,) = json.loads(capsys.readouterr().out)["special_points"]
    assert point["kind"] == "local-entropy-transition"
    assert point["parameters"]["alpha"] == pytest.approx(0.755302026, abs=6e-10)


def test_the_transition_needs_real_replicas(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["locus", "binary-perceptron", "--of", "local-entropy-transition", "--along", "alpha"]) == 2
    assert "--ansatz real-replicas" in capsys.readouterr().err


# ---- a finite number of copies


def coupled() -> spinodal.model.Model:
    return spinodal.load(
        "binary-perceptron", overrides={"ansatz": {"scheme": SCHEME, "replicas": "copies"}, "parameters.copies": 20.0}
    )


@pytest.mark.parametrize(
    ("q1", "copies", "phi"),
    [(0.7, 20.0, 0.0665892), (0.7, 100.0, 0.0659954), (0.9, 20.0, 0.0357994), (0.9, 100.0, 0.0407055)],
)
def test_a_finite_number_of_copies(q1: float, copies: float, phi: float) -> None:
    (state,) = coupled().solve(alpha=0.75, q1=q1, copies=copies).states
    assert state.converged, state.failure
    assert state.free_entropy == pytest.approx(phi, abs=6e-8)


def test_many_copies_tend_to_infinitely_many_as_one_over_their_number_with_the_complexity_as_coefficient() -> None:
    (limit,) = storage().solve(alpha=0.75, q1=0.7).states
    states = coupled().solve(alpha=0.75, q1=0.7, copies=np.array([200.0, 400.0])).states
    first, second = (s.parameters["copies"] * (s.free_entropy - limit.free_entropy) for s in states)
    assert 2.0 * second - first == pytest.approx(limit.observables["complexity"], abs=2e-5)


def test_the_complexity_is_the_derivative_in_the_number_of_copies() -> None:
    y, h = 6.0, 1e-3
    below, here, above = coupled().solve(alpha=0.75, q1=0.7, copies=np.array([y - h, y, y + h])).states
    slope = (above.free_entropy - below.free_entropy) / (2 * h)
    assert here.observables["complexity"] == pytest.approx(-(y**2) * slope, abs=1e-7)
    # a replica's entropy is d(y phi)/dy
    assert here.observables["entropy"] == pytest.approx(here.free_entropy + y * slope, abs=1e-7)


def test_one_copy_is_the_replica_symmetric_theory_whatever_the_overlap() -> None:
    symmetric = spinodal.load("binary-perceptron").solve(alpha=0.6).states[0]
    (state,) = coupled().solve(alpha=0.6, q1=0.8, copies=1.0 + 1e-7).states
    assert state.converged, state.failure
    assert state.order_parameters["q0"] == pytest.approx(symmetric.order_parameters["q"], abs=1e-6)
    assert state.free_entropy == pytest.approx(symmetric.free_entropy, abs=1e-6)


def test_infinitely_many_copies_have_no_states_left_at_large_overlap() -> None:
    near, far = storage().solve(alpha=0.75, q1=np.array([0.7, 0.9])).states
    assert near.observables["complexity"] > 0.0
    assert far.observables["complexity"] == pytest.approx(-0.16, abs=0.005)


def test_without_complexity_the_number_of_copies_is_an_order_parameter() -> None:
    """y* and phi by scipy quadrature of the nested sums, the inner one over |z| < 32 (its peak lies at z = 17)."""
    model = spinodal.load("binary-perceptron", overrides={"ansatz": {"scheme": SCHEME, "replicas": "zero-complexity"}})
    (state,) = model.solve(alpha=0.75, q1=0.9).states
    assert state.converged, state.failure
    assert state.order_parameters["y"] == pytest.approx(5.6521, abs=1e-3)
    assert state.free_entropy == pytest.approx(0.03040601, abs=2e-8)
    assert state.observables["complexity"] == pytest.approx(0.0, abs=1e-9)
    assert state.observables["entropy"] == pytest.approx(state.free_entropy, abs=1e-9)


# ---- one step of symmetry breaking


@pytest.mark.parametrize(("m", "kept"), [(1e-6, "1"), (1.0, "0")])
def test_one_step_reduces_to_replica_symmetry_at_both_ends_of_the_parisi_parameter(m: float, kept: str) -> None:
    """M -> 0 leaves the functional of (q1, q1_hat), m = 1 that of (q0, q0_hat), whatever the other level."""
    ansatz = {"scheme": "1rsb", "m": "mm"}
    broken = spinodal.load("binary-perceptron", overrides={"ansatz": ansatz, "parameters.mm": 0.5}).solver()
    symmetric = spinodal.load("binary-perceptron").solver()
    state = {"q0": 0.3, "q1": 0.5, "q0_hat": 0.7, "q1_hat": 1.1}
    x = np.array([[state[name] for name in broken.ORDER_PARAMETERS]])
    other = np.array([[state[f"q{kept}"], state[f"q{kept}_hat"]]])
    found = broken.free_entropy(x, np.array([[0.6, 0.1, m]]))[0]
    assert found == pytest.approx(symmetric.free_entropy(other, np.array([[0.6, 0.1]]))[0], abs=1e-6)


def test_equal_levels_are_stationary_in_all_variables_whatever_the_parisi_parameter() -> None:
    symmetric = spinodal.load("binary-perceptron").solve(alpha=0.6).states[0]
    ansatz = {"scheme": "1rsb", "m": "mm"}
    model = spinodal.load("binary-perceptron", overrides={"ansatz": ansatz, "parameters.mm": 0.4})
    module = model.solver()
    table = {f"{x}{level}{hat}": symmetric.order_parameters[x + hat] for x in "q" for level in "01" for hat in ("", "_hat")}
    x = np.array([[table[name] for name in module.ORDER_PARAMETERS]])
    p = np.array([[0.6, 0.0, 0.4]])
    assert module.residual(x, p) == pytest.approx(np.zeros_like(x), abs=1e-9)
    assert module.free_entropy(x, p)[0] == pytest.approx(symmetric.free_entropy, abs=1e-12)
    assert module.observables(x, p)["complexity"][0] == pytest.approx(0.0, abs=1e-12)


# ---- small distances


@pytest.mark.parametrize("q1", [0.99, 0.997, 0.999])
def test_small_distances_where_conjugates_vanish_and_the_difference_of_levels_diverges(q1: float) -> None:
    h = 1e-6
    below, here, above = storage().solve(alpha=0.75, q1=np.array([q1 - h, q1, q1 + h])).states
    assert here.converged, here.failure
    assert here.error_estimate < 1e-9
    assert here.order_parameters["dq"] > 100.0
    assert here.observables["slope"] == pytest.approx((above.free_entropy - below.free_entropy) / (2 * h), rel=1e-5)
    # no more than all configurations at that distance
    d = (1.0 - q1) / 2.0
    assert 0.0 < here.free_entropy < -d * np.log(d) - (1.0 - d) * np.log1p(-d)


def test_a_complexity_that_rounding_has_taken_over_is_not_shown() -> None:
    (state,) = storage().solve(alpha=0.3, q1=0.99).states
    assert state.converged, state.failure
    assert state.order_parameters["dq"] > 1e20  # the complexity is of order 1, and terms of order dq cancel in it
    assert "complexity" not in state.observables


def test_small_alpha_at_large_overlap_is_no_fold() -> None:
    (state,) = storage().solve(alpha=0.2, q1=0.9).states
    assert state.converged, state.failure
