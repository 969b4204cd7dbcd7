"""Solving: the branch from small alpha and its end, saturated and nearly saturated states, all roots, honest errors."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from declared import declare
from direct import gaussian

import spinodal
from spinodal.numeric.bound import Bound
from spinodal.numeric.every_root import all_states
from spinodal.numeric.finish import finish
from spinodal.numeric.quadrature import Automatic
from spinodal.numeric.solve import from_small_alpha, solve_points, trivial_state

FOLD = 1.4926318182  # of the Bayes-optimal binary teacher-student, q 0.89366142


@pytest.fixture(scope="module")
def optimal() -> spinodal.Model:
    return spinodal.load("binary-teacher-student", ansatz="bayes-optimal")


def test_the_branch_exists_up_to_its_fold(optimal: spinodal.Model) -> None:
    before = optimal.solve(alpha=FOLD - 1e-6)
    assert before.converged
    assert before["q"] == pytest.approx(0.89366142, abs=2e-3)
    assert before["q"] < 0.89366142
    # q approaches its value at the fold as a square root
    further = optimal.solve(alpha=FOLD - 4e-6)
    assert (0.89366142 - further["q"]) / (0.89366142 - before["q"]) == pytest.approx(2.0, rel=0.02)


def test_beyond_the_fold_the_path_says_where_it_ended(optimal: spinodal.Model) -> None:
    module = optimal.solver()
    path = from_small_alpha(Bound(module, module.RULE), np.array([[1.55, 0.0]]), _settings())
    assert not path.roots.converged[0]
    assert path.fold[0]
    assert path.reached[0] * 1.55 == pytest.approx(FOLD, abs=1e-3)
    assert path.reached[0] * 1.55 <= FOLD


def _settings() -> object:
    from spinodal.numeric.roots import NewtonSettings

    return NewtonSettings()


def test_beyond_the_fold_the_state_is_the_perfect_one(optimal: spinodal.Model) -> None:
    state = optimal.solve(alpha=1.6)
    assert state.converged
    assert state["q"] == 1.0
    assert state["entropy"] == pytest.approx(0.0, abs=1e-8)
    assert state["generalization_error"] == pytest.approx(0.0, abs=1e-6)
    assert any("fold" in warning for warning in state.warnings)
    document = state.to_json()
    assert all(value is None or np.isfinite(value) for value in document["order_parameters"].values())


def test_all_finds_both_branches_and_the_perfect_state(optimal: spinodal.Model) -> None:
    # alpha = 1.3: a metastable state (entropy below 0), a saddle, and q = 1 (entropy 0)
    solution = optimal.solve(alpha=1.3, all=True)
    overlaps = [state["q"] for state in solution.alternatives]
    direct = [q for q in _roots(1.3) if q < 0.9999]
    for q in direct:
        assert any(abs(q - found) < 1e-7 for found in overlaps), (q, overlaps)
    assert 1.0 in overlaps
    assert solution.alternatives[0]["q"] == 1.0
    assert solution.alternatives[0].stability == "stable"
    assert solution["q"] == pytest.approx(min(direct), abs=1e-9)
    entropies = [state.free_entropy for state in solution.alternatives]
    assert entropies == sorted(entropies, reverse=True)


def _roots(alpha: float) -> list[float]:
    """Roots of the scalar equation q = E tanh(sqrt(q^) z + q^), q^ = 2 alpha E[...], by a direct scan."""
    from direct import log_h
    from scipy.optimize import brentq

    def equation(q: float) -> float:
        ratio = np.sqrt(q / (1 - q))
        q_hat = alpha / (1 - q) / np.pi * gaussian(lambda z: np.exp(-((ratio * z) ** 2) - log_h(-ratio * z)))
        return gaussian(lambda z: np.tanh(np.sqrt(q_hat) * z + q_hat)) - q

    grid = np.concatenate([np.linspace(0.3, 0.95, 66), 1 - np.logspace(-1.3, -3, 20)])
    values = [equation(q) for q in grid]
    return [
        brentq(equation, a, b, xtol=1e-13)
        for a, b, fa, fb in zip(grid, grid[1:], values, values[1:], strict=False)
        if fa * fb < 0
    ]


@pytest.mark.parametrize("alpha", [1.48, 1.4926, 1.49263])
def test_states_just_below_the_fold(optimal: spinodal.Model, alpha: float) -> None:
    state = optimal.solve(alpha=alpha)
    assert state.converged
    q = state["q"]
    assert min(abs(q - root) for root in _roots(alpha)) < 1e-6 if alpha < 1.49 else q < 0.8937
    assert state.states[0].residual < 1e-10


def test_a_start_selects_a_branch(optimal: spinodal.Model) -> None:
    saddle = optimal.solve(alpha=1.4, start={"q": 0.955})
    low = optimal.solve(alpha=1.4)
    roots = _roots(1.4)
    assert saddle.converged
    assert any(abs(saddle["q"] - root) < 1e-8 for root in roots) or saddle["q"] > 0.99
    assert low["q"] == pytest.approx(min(roots), abs=1e-9)
    with pytest.raises(spinodal.SpecError, match="order parameter"):
        optimal.solve(alpha=1.4, start={"Q": 0.9})
    with pytest.raises(spinodal.SpecError, match="number"):
        optimal.solve(alpha=1.4, start={"q": float("nan")})


def test_a_failure_gives_its_reason_and_numbers_that_are_null() -> None:
    model = spinodal.load("random-features-binary")
    state = model.solve(alpha=200.0, alpha_T=3.0, kappa=0.0)
    if state.converged:  # a branch may go on beyond zero entropy: then its numbers must be finite
        assert np.isfinite(state.free_entropy)
        return
    assert state.reason
    assert state.advice
    document = state.to_json()
    assert document["free_entropy"] is None
    assert all(value is None for value in document["order_parameters"].values())


def test_a_nearly_perfect_noisy_student() -> None:
    # 1 - q is about exp(-q_hat / 2): conjugates of 1e3 and more, an overlap that is 1 to double precision
    model = declare(
        "cdma-large",
        teacher={"weights": "binary", "label": "u + sqrt(Delta)*noise"},
        scheme="bayes-optimal",
        alpha=0.8,
        kappa=0.0,
        Delta=0.25,
    )
    for alpha, delta in ((50.0, 0.25), (500.0, 0.25), (4.0, 1e-3)):
        state = model.solve(alpha=alpha, Delta=delta)
        assert state.converged, (alpha, delta, state.reason)
        s = alpha / delta
        if state["q_hat"] < 10:  # another root exists where the noise is small: only its consistency is asked
            continue
        assert state["q"] == pytest.approx(1.0, abs=1e-12)
        assert state["q_hat"] == pytest.approx(s, rel=1e-9)
        # log Z is that of the planted weights alone
        assert state.free_entropy == pytest.approx(-alpha / 2 * (np.log(2 * np.pi * delta) + 1), rel=1e-9)
        assert state["entropy"] == pytest.approx(0.0, abs=1e-9)


def test_large_conjugates_of_a_noisy_sign() -> None:
    model = declare(
        "noisy-large",
        teacher={"weights": "binary", "label": "sign(u + sqrt(Delta)*noise)"},
        scheme="bayes-optimal",
        alpha=0.7,
        kappa=0.0,
        Delta=0.3,
    )
    state = model.solve(alpha=2000.0, Delta=0.3)
    assert state.converged, state.reason
    delta = 0.3
    ratio = 1 / np.sqrt(delta)
    from direct import log_h

    expected = 2000.0 / delta / np.pi * gaussian(lambda z: np.exp(-((ratio * z) ** 2) - log_h(-ratio * z)))
    assert state["q_hat"] == pytest.approx(expected, rel=1e-8)
    assert expected > 1e3
    assert state["q"] == pytest.approx(1.0, abs=1e-14)
    assert np.isfinite(state.free_entropy)
    assert state.error_estimate < 1e-6 * abs(state.free_entropy)


def exact_storage(q: float, q_hat: float, alpha: float, kappa: float) -> mpmath.mpf:
    with mpmath.workdps(25):
        q, q_hat, alpha, kappa = map(mpmath.mpf, (q, q_hat, alpha, kappa))

        def density(z: mpmath.mpf) -> mpmath.mpf:
            return mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)

        def log_cosh(x: mpmath.mpf) -> mpmath.mpf:
            return abs(x) + mpmath.log1p(mpmath.exp(-2 * abs(x)))

        def log_tail(x: mpmath.mpf) -> mpmath.mpf:
            return mpmath.log(mpmath.erfc(x / mpmath.sqrt(2)) / 2)

        centre = kappa / mpmath.sqrt(q)
        width = mpmath.sqrt((1 - q) / q)
        cuts = sorted(
            {-12, -6, -3, 0, 3, 6, 12} | {centre + k * width for k in (-8, -2, 0, 2, 8) if abs(centre + k * width) < 12}
        )
        prior = 2 * mpmath.quad(lambda z: density(z) * log_cosh(mpmath.sqrt(q_hat) * z), [0, 0.3, 1, 3, 6, 14])
        output = mpmath.quad(lambda z: density(z) * log_tail((kappa - mpmath.sqrt(q) * z) / mpmath.sqrt(1 - q)), cuts)
        return -q_hat * (1 - q) / 2 + prior + alpha * output


@pytest.mark.slow
def test_error_estimates_are_honest() -> None:
    model = spinodal.load("binary-perceptron")
    generator = np.random.default_rng(11)
    points = [(0.83, 0.0), (0.02, 3.0), (0.001, 5.0), (1.9, -1.0), (6.0, -2.0)]
    points += [(float(generator.uniform(0.05, 0.8)), float(generator.uniform(-0.5, 0.4))) for _ in range(5)]
    solution = model.solve(alpha=np.array([a for a, _ in points]), kappa=np.array([k for _, k in points]))
    seen = 0
    for (alpha, kappa), state in zip(points, solution.states, strict=True):
        if not state.converged:
            continue
        seen += 1
        exact = exact_storage(state["q"], state["q_hat"], alpha, kappa)
        assert abs(float(exact - mpmath.mpf(state.free_entropy))) <= state.error_estimate, (alpha, kappa)
        assert state.error_estimate < 1e-9
    assert seen >= 8


def test_error_estimate_grows_with_fewer_nodes() -> None:
    from spinodal.numeric.quadrature import Automatic, GaussHermite

    model = spinodal.load("binary-perceptron")
    reference = model.solve(alpha=0.5, kappa=0.4)
    for rule in (Automatic(14), GaussHermite(60)):
        module = model.solver()
        p = np.array([[0.5, 0.4]])
        (state,) = solve_points(module, p, tolerance=1.0, rule=rule)
        assert state.converged
        assert abs(state.free_entropy - reference.free_entropy) <= state.error_estimate + reference.error_estimate


def test_a_rule_too_coarse_to_solve_with_gives_no_number() -> None:
    from spinodal.numeric.quadrature import GaussHermite

    module = spinodal.load("binary-perceptron").solver()
    (state,) = solve_points(module, np.array([[0.5, 0.4]]), tolerance=1.0, rule=GaussHermite(20))
    assert not state.converged or abs(state.free_entropy) < 1.0


def test_storage_has_no_perfect_state() -> None:
    # beyond (2/pi) alpha_Gardner the replica-symmetric branch of the binary perceptron has run into q = 1
    state = spinodal.load("binary-perceptron").solve(alpha=1.5, kappa=0.0)
    assert not state.converged
    assert state.reason


def test_every_root_of_a_convex_problem_is_one_root() -> None:
    module = spinodal.load("spherical-perceptron").solver()
    states = all_states(module, np.array([[1.2, 0.1]]))
    assert len(states) == 1
    assert states[0].stability == "stable"


def test_the_state_without_data(optimal: spinodal.Model) -> None:
    module = optimal.solver()
    assert np.all(trivial_state(module, 3) == 0.0)
    state = optimal.solve(alpha=0.0)
    assert state["q"] == pytest.approx(0.0, abs=1e-12)
    assert state["entropy"] == pytest.approx(np.log(2), abs=1e-12)
    storage = spinodal.load("binary-perceptron").solve(alpha=0.0)
    assert storage.free_entropy == pytest.approx(np.log(2), abs=1e-12)
    assert storage["replicon"] == pytest.approx(1.0, abs=1e-12)
    sphere = spinodal.load("spherical-perceptron").solve(alpha=0.0)
    assert sphere.free_entropy == pytest.approx(0.0, abs=1e-12)


def test_an_unstable_state_is_reported_with_a_warning() -> None:
    # negative margins: the replica-symmetric state is unstable (de Almeida-Thouless) at large alpha
    model = spinodal.load("spherical-perceptron")
    state = model.solve(alpha=60.0, kappa=-1.5)
    if state.converged:
        assert (state["replicon"] < 0) == any("replicon" in w for w in state.warnings)
    locus = model.locus(of="replicon", along="alpha", kappa=-1.5, bounds=(0.1, 60.0))
    (point,) = locus.special_points
    assert point.converged
    q, alpha = point.order_parameters["q"], point.parameters["alpha"]
    from direct import mills

    def second(z: np.ndarray) -> np.ndarray:
        x = (-1.5 - np.sqrt(q) * z) / np.sqrt(1 - q)
        return (mills(x) * (x - mills(x))) ** 2

    # Gardner & Derrida: alpha E[(log H)''^2] = 1 on the line
    assert alpha * gaussian(second) == pytest.approx(1.0, abs=1e-8)


def test_replicon_of_the_binary_perceptron_is_the_known_formula() -> None:
    from direct import mills

    state = spinodal.load("binary-perceptron").solve(alpha=0.7, kappa=0.1)
    q, q_hat = state["q"], state["q_hat"]

    def second(z: np.ndarray) -> np.ndarray:
        x = (0.1 - np.sqrt(q) * z) / np.sqrt(1 - q)
        return (mills(x) * (x - mills(x))) ** 2

    expected = 1 - 0.7 / (1 - q) ** 2 * gaussian(second) * gaussian(lambda z: np.cosh(np.sqrt(q_hat) * z) ** -4)
    assert state["replicon"] == pytest.approx(expected, abs=1e-10)


def test_a_symmetric_state_that_loses_its_stability_is_said_to() -> None:
    """Labels |u| leave q = r = 0 a state at every alpha, unstable from 1/alpha = E_y <h^2 - 1>_y <u^2 - 1>_y on."""
    model = declare(
        "even-labels",
        teacher={"weights": "gaussian", "label": "abs(u)"},
        loss={"energy": "(y-abs(h))**2", "temperature": "T"},
        alpha=0.8,
        T=0.5,
    )
    y, h = np.linspace(0.0, 9.0, 901), np.linspace(0.0, 10.0, 4001)
    density = np.exp(-(h**2) / 2 - (y[:, None] - h) ** 2 / 0.5)
    tilted = np.trapezoid(density * (h**2 - 1), h) / np.trapezoid(density, h)
    threshold = 1.0 / np.trapezoid(np.sqrt(2.0 / np.pi) * np.exp(-(y**2) / 2) * tilted * (y**2 - 1), y)
    state = model.solve().states[0]
    assert f"loses its stability at a branch point near alpha = {threshold:.5f}"[:-1] in state.warnings[0]
    assert "the state reported is the stable one that grows out of it" in state.warnings[0]
    assert abs(state["r"]) > 1e-2  # alpha is just beyond the threshold
    assert model.solve(alpha=0.9 * threshold)["r"] == 0.0


@pytest.mark.parametrize(("values", "words"), [
    ({"alpha": [0.1, 0.2], "kappa": [0.0, 0.1, 0.2]}, "do not go together"), ({"alpha": 1j}, "no real number"),
])  # fmt: skip
def test_values_that_are_no_points_are_refused_with_a_cure(values: dict[str, object], words: str) -> None:
    with pytest.raises(spinodal.SpecError, match=words):
        spinodal.load("binary-perceptron").solve(**values)


def test_a_state_that_needs_more_nodes_costs_its_neighbours_nothing() -> None:
    module = spinodal.load("binary-perceptron").solver()
    p = np.array([[0.05, 0.0], [0.8, 0.0]])
    assert module.PARAMETERS == ("alpha", "kappa")
    states = solve_points(module, p)
    x = np.array([[state.order_parameters[name] for name in module.ORDER_PARAMETERS] for state in states])
    system = Bound(module, Automatic(12))
    together = finish(system, x, p, 1e-9, "known")
    alone = [finish(system, x[k : k + 1], p[k : k + 1], 1e-9, "known")[0] for k in range(2)]
    assert [state.method for state in together] == [state.method for state in alone]
    assert together[0].method != together[1].method
    for one, other in zip(together, states, strict=True):
        assert one.free_entropy == pytest.approx(other.free_entropy, abs=1e-9)
