"""One step of symmetry breaking of ground states: functionals written out here, small temperatures, published values.

Number of errors of the spherical perceptron: Majer, Engel & Zippelius, J. Phys. A 26, 7405 (1993); Erichsen & Theumann,
J. Phys. A 26, L61 (1993). As T -> 0 with q1 = 1 - T x, m = mu T,

    phi = log(1 + mu (1 - q0)/x)/(2 mu) + q0/(2 (x + mu (1 - q0))) + (alpha/mu) E_t log E_u exp(mu Lambda),

Lambda being minus the number of errors that is left where the field may be moved at the cost d^2/(2x).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from declared import declare
from scipy.special import log_ndtr, logsumexp, ndtr

import spinodal
from spinodal.checks import run_checks
from spinodal.model import Model
from spinodal.numeric.results import State
from spinodal.numeric.solve import solve_points
from spinodal.symbolic.derive import derive

Z = np.linspace(-9.5, 9.5, 2001)
DZ = np.exp(-Z * Z / 2) / np.sqrt(2 * np.pi) * (Z[1] - Z[0])
COUNTED = {"energy": "step(kappa-y*h)", "temperature": 0}


def perceptron(name: str, loss: dict[str, Any] | None = None, **ansatz: Any) -> Model:
    """A shipped perceptron whose errors are counted instead of forbidden."""
    overrides = {"loss": loss or COUNTED, "ansatz": {"scheme": "1rsb", **ansatz}}
    return spinodal.load(name, overrides=overrides)


def errors(alpha: float, kappa: float, q0: float, x: float, mu: float) -> float:
    """The free entropy over 1/T as T -> 0: the inner average in closed form on three pieces, the outer one on a grid."""
    centre, variance, width = np.sqrt(q0) * Z, 1 - q0, np.sqrt(2 * x)
    right = log_ndtr((centre - kappa) / np.sqrt(variance))
    wrong = -mu + log_ndtr((kappa - width - centre) / np.sqrt(variance))
    gain = 1 + mu * variance / x  # the pieces' weight exp(-mu (kappa - omega)^2/(2x)) makes another Gaussian
    mean, spread = kappa + (centre - kappa) / gain, np.sqrt(variance / gain)
    up, low = (kappa - mean) / spread, (kappa - width - mean) / spread
    share = np.where(up + low > 0, ndtr(-low) - ndtr(-up), ndtr(up) - ndtr(low))
    moved = -mu * (centre - kappa) ** 2 / (2 * x * gain) - np.log(gain) / 2 + np.log(np.maximum(share, 1e-300))
    inside = logsumexp([right, moved, wrong], axis=0)
    room = x + mu * variance
    return float(np.log(room / x) / (2 * mu) + q0 / (2 * room) + alpha / mu * (DZ @ inside))


def slopes(alpha: float, kappa: float, *at: float) -> np.ndarray:
    """Of the free entropy in q0, x and mu."""
    found = []
    for j in range(3):
        step = 5e-4 * at[j]
        near = [errors(alpha, kappa, *(a + k * step * (i == j) for i, a in enumerate(at))) for k in (-2, -1, 1, 2)]
        found.append((near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * step))
    return np.array(found)


@lru_cache
def ground(alpha: float, kappa: float) -> State:
    (state,) = perceptron("spherical-perceptron").solve(alpha=alpha, kappa=kappa).states
    return state


@pytest.mark.parametrize(("alpha", "kappa"), [(4.0, 0.0), (2.0, 0.5)])
def test_fewest_errors_of_a_spherical_perceptron(alpha: float, kappa: float) -> None:
    state = ground(alpha, kappa)
    assert state.converged, state.failure
    at = [state.order_parameters[name] for name in ("q0", "dq", "mu")]
    assert state.free_entropy == pytest.approx(errors(alpha, kappa, *at), abs=1e-11)
    assert np.max(np.abs(slopes(alpha, kappa, *at))) < 1e-8
    assert state.observables["energy"] == pytest.approx(-state.free_entropy, abs=1e-10)
    assert state.observables["complexity"] == pytest.approx(0.0, abs=1e-10)
    # more errors than without breaking, which the functional says by its maximum over mu
    symmetric = perceptron("spherical-perceptron").solver().SYMMETRIC_MODULE
    (other,) = solve_points(symmetric, np.array([[alpha, kappa]]))
    assert state.observables["energy"] > other.observables["energy"] + 1e-3


def test_complexity_at_a_given_mu() -> None:
    """The energy of the states that are counted there, and their number: minus the free entropy's slope."""
    alpha, kappa, mu = 3.0, 0.3, 1.5
    (state,) = perceptron("spherical-perceptron", mu=mu).solve(alpha=alpha, kappa=kappa).states
    assert state.converged, state.failure
    at = state.order_parameters["q0"], state.order_parameters["dq"], mu
    slope = slopes(alpha, kappa, *at)
    assert np.max(np.abs(slope[:2])) < 1e-8
    complexity, energy = state.observables["complexity"], state.observables["energy"]
    assert complexity == pytest.approx(-(mu**2) * slope[2], abs=1e-7)
    assert complexity > 0.0
    assert energy == pytest.approx(complexity / mu - state.free_entropy, abs=1e-11)
    assert energy == pytest.approx(alpha * state.observables["training_error"], rel=0.5)  # errors, those at the margin not


def test_small_temperatures_tend_to_the_ground_state() -> None:
    """The one-step free entropy at m = mu T, overlaps and conjugates scaled: T phi = limit + a T log T + b T + c T^(3/2)."""
    alpha, mu = 4.0, 2.0
    cold = declare(
        "cold-errors", weights="spherical", loss={"energy": "step(-y*h)", "temperature": "T"}, scheme="1rsb",
        ansatz={"m": "mu*T"}, alpha=alpha, T=0.05, mu=mu,
    ).solver()  # fmt: skip
    assert cold.ORDER_PARAMETERS == ("q0", "q1", "q0_hat", "q1_hat", "q_d_hat")
    warm = perceptron("spherical-perceptron", mu=mu).solver()
    x = {"q0": 0.6, "dq": 0.4, "q0_hat": 0.45, "q1_hat": 1.3, "dq_hat": -2.7}  # near the saddle point, not at it
    limit = warm.free_entropy(np.array([[x[name] for name in warm.ORDER_PARAMETERS]]), np.array([[alpha, 0.0]]))[0]
    found = []
    temperatures = np.array([0.004, 0.002, 0.001, 0.0005])
    for t in temperatures:
        hats = [x["q0_hat"] / t**2, x["q1_hat"] / t**2, x["q1_hat"] / t**2 + x["dq_hat"] / t]
        state = np.array([[x["q0"], 1 - t * x["dq"], *hats]])
        values = {"alpha": alpha, "T": t, "mu": mu}
        phi = cold.free_entropy(state, np.array([[values[name] for name in cold.PARAMETERS]]))[0]
        found.append(t * phi)
    powers = [temperatures**0, temperatures * np.log(temperatures), temperatures, temperatures**1.5]
    assert abs(found[-1] - limit) < 0.01
    assert np.linalg.solve(np.transpose(powers), found)[0] == pytest.approx(limit, abs=1e-4)


def test_equal_levels_are_the_symmetric_state_for_every_mu() -> None:
    module = perceptron("spherical-perceptron").solver()
    p = np.array([[4.0, 0.2]])
    (state,) = solve_points(module.SYMMETRIC_MODULE, p)
    dq, q_hat = state.order_parameters["dq"], state.order_parameters["q_hat"]
    for mu in (0.3, 3.0):
        gaps = np.array([1e-4, 1e-6])
        x = np.array([[1 - gap, dq, q_hat * (1 - gap), q_hat, -np.sqrt(q_hat), mu] for gap in gaps])
        assert module.ORDER_PARAMETERS == ("q0", "dq", "q0_hat", "q1_hat", "dq_hat", "mu")
        away = np.abs(module.free_entropy(x, p) - state.free_entropy)
        assert away[1] < 5e-6 * mu
        assert away[1] < 0.1 * away[0]


def test_small_mu_is_the_symmetric_state() -> None:
    """For any q0: what the blocks share no longer weighs."""
    model = perceptron("spherical-perceptron", mu=1e-3)
    (state,) = model.solve(alpha=4.0, kappa=0.0).states
    (symmetric,) = solve_points(model.solver().SYMMETRIC_MODULE, np.array([[4.0, 0.0]]))
    assert state.converged, state.failure
    assert state["q0"] < 0.5
    assert state["dq"] == pytest.approx(symmetric["dq"], rel=1e-3)
    assert state.free_entropy == pytest.approx(symmetric.free_entropy, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spherical-perceptron", "binary-perceptron"])
def test_derivations_check_themselves(name: str) -> None:
    """Gradient, Jacobian, and replicas at small T in blocks of mu T with energies minimised on a grid."""
    derived = derive(perceptron(name).spec)
    found = {check.name: check for check in run_checks(derived)}
    assert len(found) == 5
    assert all(check.passed for check in found.values() if "directional" not in check.name), found


@pytest.mark.slow
def test_a_teacher_in_blocks_of_copies() -> None:
    """The same, with labels of a teacher some of which are wrong."""
    model = declare(
        "noisy-teacher", weights="spherical", teacher={"weights": "gaussian", "label": "sign(u)", "flip_probability": 0.2},
        loss={"energy": "step(-y*h)", "temperature": 0}, scheme="1rsb", alpha=3.5,
    )  # fmt: skip
    found = run_checks(derive(model.spec))
    assert all(check.passed for check in found if "directional" not in check.name), found


def test_errors_between_the_capacities_of_one_step_and_of_none() -> None:
    """At kappa = -1.5, M. Stojnic, arXiv:2312.16531: 36.57 and 43.77; in between only the broken state has errors."""
    begin = {"q0": 0.5709, "dq": 0.1592, "q0_hat": 0.1839, "q1_hat": 1.713, "dq_hat": -6.280, "mu": 3.735}
    (state,) = perceptron("spherical-perceptron").solve(alpha=40.0, kappa=-1.5, start=begin).states
    assert state.converged, state.failure
    at = [state.order_parameters[name] for name in ("q0", "dq", "mu")]
    assert state.observables["energy"] == pytest.approx(-errors(40.0, -1.5, *at), abs=1e-10)
    assert state.observables["energy"] > 0.03
    assert np.max(np.abs(slopes(40.0, -1.5, *at))) < 1e-7


# ---- binary weights


def test_binary_weights_are_frozen_single_configurations() -> None:
    """Krauth & Mezard, J. Phys. (France) 50, 3057 (1989): the energy is that at which the entropy of errors vanishes."""
    model = perceptron("binary-perceptron")
    below, above = model.solve(alpha=np.array([0.8, 1.2]), kappa=0.0).states
    assert not below.converged  # their capacity is 0.833: many configurations make no error
    assert above.converged, above.failure
    loss = {"energy": "step(-y*h)", "temperature": "1/beta"}
    warm = declare("warm-errors", weights="binary", loss=loss, alpha=1.2, beta=1.0)
    (copy,) = warm.solve(beta=above["mu"]).states
    assert copy.observables["entropy"] == pytest.approx(0.0, abs=1e-9)
    assert above.observables["energy"] == pytest.approx(copy.observables["energy"], abs=1e-10)
    assert any("frozen" in text for text in above.warnings)
    (given,) = perceptron("binary-perceptron", mu=2.0).solve(alpha=1.2, kappa=0.0).states
    assert given.observables["complexity"] > 0.1
    assert given.observables["energy"] > above.observables["energy"]
    assert given.free_entropy == pytest.approx(given.observables["complexity"] / 2.0 - given.observables["energy"], abs=1e-9)


@pytest.mark.parametrize(
    ("values", "temperature", "energy"), [([-1, 0, 1], 0.229320461, 0.164618022), ([-2, -1, 1, 2], None, None)]
)
def test_discrete_weights_of_several_sizes_are_frozen_single_configurations(
    values: list[int], temperature: float | None, energy: float | None
) -> None:
    """The energy at which the entropy of errors vanishes, at the temperature where it does."""
    weights = {"values": values}
    name = f"sized-{len(values)}"
    model = declare(
        f"{name}-ground", weights=weights, loss={"energy": "step(-y*h)", "temperature": 0}, scheme="1rsb", alpha=2.0
    )
    (state,) = model.solve().states
    assert state.converged, state.failure
    assert any("frozen" in text for text in state.warnings)
    loss = {"energy": "step(-y*h)", "temperature": "1/beta"}
    (copy,) = declare(f"{name}-warm", weights=weights, loss=loss, alpha=2.0, beta=1.0).solve(beta=state["mu"]).states
    assert copy.observables["entropy"] == pytest.approx(0.0, abs=1e-9)
    assert state.observables["energy"] == pytest.approx(copy.observables["energy"], abs=1e-10)
    if temperature is not None:
        assert state["mu"] == pytest.approx(1.0 / temperature, rel=1e-8)
        assert state.observables["energy"] == pytest.approx(energy, abs=1e-9)
    # overlaps that are the copy's, stable or not
    unstable = copy.observables["replicon"] < 0.0
    assert any("replicon_q0" in text for text in state.warnings) == unstable
    assert state.free_entropy == pytest.approx(-state.observables["energy"], abs=1e-9)


@pytest.mark.slow
def test_the_sherrington_kirkpatrick_model_is_the_limit_of_many_patterns() -> None:
    """Binary weights that minimise sum h^2/2: couplings of variance alpha/N, Gaussian for many patterns.

    Parisi, J. Phys. A 13, 1101 (1980); Mezard, Parisi & Virasoro 1987: ground-state energy -0.798 without breaking (exactly
    -sqrt(2/pi)), -0.7652 with one step.
    """
    loss = {"energy": "h**2/2", "temperature": 0}
    broken = perceptron("binary-perceptron", loss)
    symmetric = spinodal.load("binary-perceptron", overrides={"loss": loss})
    for model, published in ((symmetric, -0.7979), (broken, -0.7652)):
        energies = []
        for alpha in (100.0, 400.0, 1600.0):
            (state,) = model.solve(alpha=alpha, kappa=0.0).states
            assert state.converged, state.failure
            energies.append((state.observables["energy"] - alpha / 2) / np.sqrt(alpha))
        first, second = 2 * energies[1] - energies[0], 2 * energies[2] - energies[1]
        assert (4 * second - first) / 3 == pytest.approx(published, abs=1e-4)
