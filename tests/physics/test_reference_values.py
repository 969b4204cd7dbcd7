"""States and zeros of the entropy that the literature (or independent numerics) gives, to every digit shown.

Values: binary perceptron (Krauth & Mezard 1989: 0.833), spherical perceptron (Gardner 1988: 2 at zero margin, the integral
below otherwise), binary teacher-student (Gyorgyi 1990: entropy zero at 1.245, spinodal at 1.493), random features
(Baldassi et al., arXiv:2110.00683, and independent dense quadrature with automatic differentiation).
"""

from __future__ import annotations

import numpy as np
import pytest
from declared import declare
from direct import SIGN, gaussian, kappas, log_h, random_features, storage
from scipy.integrate import quad
from scipy.optimize import brentq

import spinodal


def shown(value: float, digits: int) -> float:
    return pytest.approx(value, abs=0.51 * 10.0**-digits)


@pytest.mark.parametrize("kind", ["zero-entropy", "capacity"])
def test_capacity_of_the_binary_perceptron(kind: str) -> None:
    (point,) = spinodal.load("binary-perceptron").locus(of=kind, along="alpha", kappa=0.0).special_points
    assert point.converged
    assert point.parameters["alpha"] == shown(0.8330785997, 10)
    assert point.order_parameters["q"] == shown(0.56394908, 8)
    assert point.order_parameters["q_hat"] == shown(2.57635132, 8)
    assert abs(point.free_entropy) < 1e-10
    assert point.error_estimate < 1e-9


def test_capacity_of_the_binary_perceptron_with_margin() -> None:
    (point,) = spinodal.load("binary-perceptron").locus(of="zero-entropy", along="alpha", kappa=0.5).special_points
    assert point.parameters["alpha"] == shown(0.4556645645, 10)


def test_largest_margin_is_the_inverse_of_the_capacity() -> None:
    model = spinodal.load("binary-perceptron")
    locus = model.locus(of="zero-entropy", along="kappa", bounds=(-1.0, 1.5), alpha=0.4556645645)
    assert locus.special_points[0].parameters["kappa"] == pytest.approx(0.5, abs=2e-9)


def gardner(kappa: float) -> float:
    """alpha_c(kappa) of Gardner 1988: 1 / int_{-kappa}^inf Dz (z + kappa)^2."""

    def integrand(z: float) -> float:
        return np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * (z + kappa) ** 2

    return 1 / quad(integrand, -kappa, 40, epsabs=1e-14, epsrel=1e-13)[0]


@pytest.mark.parametrize(("kappa", "value", "digits"), [(0.0, 2.0, 9), (0.5, 0.9612050528, 10), (1.0, 0.5195722296, 10)])
def test_capacity_of_the_spherical_perceptron(kappa: float, value: float, digits: int) -> None:
    (point,) = spinodal.load("spherical-perceptron").locus(of="capacity", along="alpha", kappa=kappa).special_points
    assert point.converged
    assert point.parameters["alpha"] == shown(value, digits)
    assert point.parameters["alpha"] == pytest.approx(gardner(kappa), abs=max(point.error_estimate, 1e-13))


@pytest.mark.parametrize("kappa", [-0.4, 0.27, 1.8])
def test_capacity_of_the_spherical_perceptron_at_unlisted_margins(kappa: float) -> None:
    (point,) = spinodal.load("spherical-perceptron").locus(of="capacity", along="alpha", kappa=kappa).special_points
    assert point.parameters["alpha"] == pytest.approx(gardner(kappa), rel=1e-9)
    assert abs(point.parameters["alpha"] - gardner(kappa)) <= point.error_estimate


def test_entropy_zero_of_the_bayes_optimal_student() -> None:
    model = spinodal.load("binary-teacher-student", ansatz="bayes-optimal")
    (point,) = model.locus(of="zero-entropy", along="alpha").special_points
    assert point.parameters["alpha"] == shown(1.2446839899, 10)
    assert point.order_parameters["q"] == shown(0.69376022, 8)


def test_typical_student_of_a_binary_teacher_is_the_bayes_optimal_one_at_zero_margin() -> None:
    typical = spinodal.load("binary-teacher-student")
    (point,) = typical.locus(of="zero-entropy", along="alpha", kappa=0.0).special_points
    assert point.parameters["alpha"] == shown(1.2446839899, 10)
    assert point.order_parameters["r"] == pytest.approx(point.order_parameters["q"], abs=1e-9)


@pytest.mark.parametrize("constraint", ["abs(h) < K", "h > -K and h < K"])
def test_capacity_of_the_symmetric_binary_perceptron(constraint: str) -> None:
    # Aubin, Perkins, Zdeborova 2019: alpha_c = -log 2 / log P(|z| < K), at q = 0
    model = declare("symmetric-perceptron", loss={"constraint": constraint}, alpha=0.5, K=1.0)
    (point,) = model.locus(of="zero-entropy", along="alpha").special_points
    assert point.parameters["alpha"] == shown(1.8158755, 7)
    for width in (0.4, 1.7):
        exact = -np.log(2) / np.log(1 - 2 * np.exp(log_h(width)))
        (point,) = model.locus(of="zero-entropy", along="alpha", K=width, bounds=(1e-3, 40)).special_points
        assert point.parameters["alpha"] == pytest.approx(float(exact), rel=1e-11)


@pytest.mark.parametrize(("alpha_T", "value"), [(3.0, 1.139622), (1.0, 0.941804)])
def test_capacity_of_random_features(alpha_T: float, value: float) -> None:
    model = spinodal.load("random-features-binary")
    (point,) = model.locus(of="zero-entropy", along="alpha", alpha_T=alpha_T, kappa=0.0).special_points
    assert point.converged
    assert point.parameters["alpha"] == shown(value, 6)


def test_errors_of_random_features_at_the_interpolation_point() -> None:
    model = spinodal.load("random-features-binary")
    (point,) = model.locus(of="zero-entropy", along="alpha", alpha_T=3.0, kappa=0.0).special_points
    state = model.solve(alpha=point.parameters["alpha"], alpha_T=3.0, kappa=0.0)
    assert state["generalization_error"] == shown(0.319664, 6)
    assert state["generalization_error_barycentre"] == shown(0.278121, 6)


def test_state_of_random_features() -> None:
    state = spinodal.load("random-features-binary").solve(alpha=0.5, alpha_T=3.0, kappa=0.0)
    found = {
        "entropy": 0.423477,
        "q": 0.232145,
        "p": 0.778790,
        "r": 0.753426,
        "q_hat": 0.383145,
        "generalization_error": 0.302173,
        "generalization_error_barycentre": 0.210473,
    }
    for name, value in found.items():
        assert state[name] == shown(value, 6), name
    assert state["p_d"] - state["p"] == shown(0.324837, 6)
    assert state.error_estimate < 1e-10


ACTIVATIONS = {
    "sign(x)": (0.7978845608, 0.3633802276),
    "tanh(x)": (0.6057055096, 0.1655757411**2),
    "erf(x)": (0.6514700159, 0.2003643502**2),
    "relu(x)": (0.5, 0.3014051375**2),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_moments_of_the_activations(activation: str) -> None:
    model = spinodal.load("random-features-binary", overrides={"student.features.activation": activation})
    state = model.solve(alpha=0.6, alpha_T=2.0, kappa=0.1)
    linear, nonlinear = ACTIVATIONS[activation]
    from spinodal.symbolic.derive import gather

    moments = gather(model.spec).moments
    assert float(moments.linear.evalf()) == shown(linear, 10)
    assert float(moments.nonlinear.evalf()) == pytest.approx(nonlinear, abs=3e-10)
    assert state.converged


@pytest.mark.parametrize("activation", ["tanh(x)", "relu(x)"])
def test_random_features_reach_a_stationary_point_of_the_textbook_free_entropy(activation: str) -> None:
    sigma = {"tanh(x)": np.tanh, "relu(x)": lambda z: np.maximum(z, 0)}[activation]
    k = kappas(sigma)
    model = spinodal.load("random-features-binary", overrides={"student.features.activation": activation})
    point = {"alpha": 0.8, "alpha_T": 1.7, "kappa": 0.15}
    state = model.solve(**point)
    names = list(state.order_parameters)
    values = dict(state.order_parameters)
    assert random_features(values, **point, k=k) == pytest.approx(state.free_entropy, abs=1e-8)
    for name in names:
        step = 1e-4 * max(0.1, abs(values[name]))
        slope = [random_features({**values, name: values[name] + s * step}, **point, k=k) for s in (1, -1)]
        assert (slope[0] - slope[1]) / (2 * step) == pytest.approx(0.0, abs=1e-6), name


@pytest.mark.parametrize(("alpha", "kappa"), [(0.217077, 0.79635777), (0.2, 0.79635777)])
def test_the_branch_begins_where_the_overlap_of_the_inputs_is_large(alpha: float, kappa: float) -> None:
    from scipy.special import erf

    # p is 5.7 at alpha = 0, so that a root known to 3e-2 of that is farther off than a step may go
    model = spinodal.load("random-features-binary", overrides={"student.features.activation": "erf(x)"})
    point = {"alpha": alpha, "alpha_T": 3.0, "kappa": kappa}
    state = model.solve(**point).states[0]
    assert state.converged, state.failure
    values, k = dict(state.order_parameters), kappas(erf)
    assert random_features(values, **point, k=k) == pytest.approx(state.free_entropy, abs=1e-7)
    for name, value in values.items():
        step = 1e-5 * max(0.1, abs(value))
        slope = [random_features({**values, name: value + s * step}, **point, k=k) for s in (1, -1)]
        assert (slope[0] - slope[1]) * value / (2 * step) == pytest.approx(0.0, abs=2e-4), name


def test_sign_features_reach_a_stationary_point_of_the_textbook_free_entropy() -> None:
    point = {"alpha": 0.9, "alpha_T": 0.7, "kappa": -0.2}
    state = spinodal.load("random-features-binary").solve(**point)
    values = dict(state.order_parameters)
    assert random_features(values, **point, k=SIGN) == pytest.approx(state.free_entropy, abs=1e-10)


def test_entropy_zero_of_storage_against_a_direct_solution() -> None:
    # the textbook equations, iterated here
    def entropy(alpha: float, kappa: float) -> float:
        from direct import mills

        q = 0.3
        for _ in range(400):
            q_hat = alpha / (1 - q) * gaussian(lambda z: mills((kappa - np.sqrt(q) * z) / np.sqrt(1 - q)) ** 2)  # noqa: B023
            new = gaussian(lambda z: np.tanh(np.sqrt(q_hat) * z) ** 2)  # noqa: B023
            if abs(new - q) < 1e-13:
                break
            q = new
        return storage(q, q_hat, alpha, kappa)

    kappa = -0.35
    exact = brentq(lambda a: entropy(a, kappa), 1.0, 1.6, xtol=1e-10)
    (point,) = spinodal.load("binary-perceptron").locus(of="zero-entropy", along="alpha", kappa=kappa).special_points
    assert point.parameters["alpha"] == pytest.approx(exact, abs=1e-8)
