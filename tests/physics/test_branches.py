"""Branches, spinodals and loci of models against values obtained elsewhere (THEORY section 5, direct root finding)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr

import spinodal
from spinodal.numeric import Settings
from spinodal.numeric.tracking import NoStateError


@pytest.fixture(scope="module")
def bayes():
    return spinodal.load("binary-teacher-student", ansatz="bayes-optimal")


@pytest.fixture(scope="module")
def bayes_branch(bayes):
    return bayes.branch("alpha", (0.1, 1.6))


def test_spinodal_of_the_binary_teacher_student(bayes):
    (fold,) = bayes.locus("fold", "alpha").special_points
    assert fold.converged
    assert fold.parameters["alpha"] == pytest.approx(1.4926318182, abs=6e-11)
    assert fold.order_parameters["q"] == pytest.approx(0.89366142, abs=6e-9)
    assert fold.error_estimate < 1e-10


def test_spinodal_is_the_maximum_of_alpha_over_q_by_quadrature(bayes):
    """Alpha(q) from E tanh and alpha/(1-q) E Mills, by scipy's adaptive quadrature and none of our code."""

    def q_of(q_hat):
        return quad(lambda z: np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * np.tanh(q_hat + np.sqrt(q_hat) * z), -12, 12)[0]

    def strength(q):
        ratio = np.sqrt(q / (1 - q))

        def integrand(z):
            return np.exp(-z * z * (1 + 2 * ratio**2) / 2 - log_ndtr(ratio * z)) / (2 * np.pi) ** 1.5

        return 2 * quad(integrand, -30, 30, epsabs=1e-14)[0] / (1 - q)

    def alpha(q_hat):
        return q_hat / strength(q_of(q_hat))

    def slope(q_hat):
        return (alpha(q_hat + 1e-4) - alpha(q_hat - 1e-4)) / 2e-4

    at = brentq(slope, 2.5, 4.0, xtol=1e-9)
    (fold,) = bayes.locus("fold", "alpha").special_points
    assert fold.parameters["alpha"] == pytest.approx(alpha(at), abs=1e-9)


def test_entropy_zero_is_the_crossing_with_the_perfect_state(bayes_branch):
    found = {point.kind: point for point in bayes_branch.special_points}
    assert found["zero-entropy"].p == pytest.approx(1.2446839899, abs=6e-11)
    assert abs(found["crossing"].p - 1.2446839899) <= found["crossing"].error_estimate + 5e-11
    assert found["zero-entropy"].order_parameters["q"] == pytest.approx(0.69376022, abs=6e-9)


def test_stability_along_the_branch(bayes_branch):
    """Stable up to the first-order transition, metastable to the spinodal, unstable on the way back."""
    fold = int(np.argmax(bayes_branch.p))
    for index, state in enumerate(bayes_branch.states):
        alpha = state.parameters["alpha"]
        expected = "unstable" if index > fold else "stable" if alpha < 1.2446 else "metastable"
        assert state.stability == expected


def test_every_point_solves_the_equations(bayes_branch, bayes):
    for state in bayes_branch.states[::7]:
        again = bayes.solve(alpha=state.parameters["alpha"], start=dict(state.order_parameters))
        assert again["q"] == pytest.approx(state["q"], abs=1e-10)
        assert state.error_estimate < 1e-10


def test_a_branch_is_one_strict_json_object(bayes_branch):
    document = json.loads(json.dumps(bayes_branch.to_json(), allow_nan=False))
    assert len(document["points"]) == len(bayes_branch)
    assert {"kind", "parameters", "order_parameters", "free_entropy", "error_estimate", "converged"} <= set(
        document["special_points"][0]
    )


def test_a_branch_is_a_dataset(bayes_branch):
    dataset = bayes_branch.to_xarray()
    assert dataset.sizes["point"] == len(bayes_branch)
    assert dataset.attrs["model"] == "binary-teacher-student"
    assert "free_entropy" in dataset


def test_capacity_and_de_almeida_thouless_points_of_the_binary_perceptron():
    branch = spinodal.load("binary-perceptron").branch("alpha", (0.1, 1.1))
    found = {point.kind: point.p for point in branch.special_points}
    assert found["zero-entropy"] == pytest.approx(0.8330785997, abs=6e-11)
    assert found["replicon"] == pytest.approx(1.015, abs=1e-3)  # Krauth & Mezard 1989: 1.015


def test_the_spherical_branch_ends_in_its_capacity():
    branch = spinodal.load("spherical-perceptron").branch("alpha", (0.1, 3.0))
    (capacity,) = branch.of_kind("capacity")
    assert abs(capacity.p - 2.0) <= capacity.error_estimate < 1e-8
    assert "freeze" in branch.stop_reason


def test_symmetric_binary_perceptron_capacity():
    """|h| < 1: the entropy is log 2 + alpha log(1 - 2 H(1)) on the branch q = 0 (Aubin, Perkins, Zdeborova 2019)."""
    model = spinodal.load("binary-perceptron", overrides={"loss.constraint": "h > -1 and h < 1"})
    (point,) = model.locus("zero-entropy", "alpha").special_points
    assert point.parameters["alpha"] == pytest.approx(1.8158755, abs=6e-8)


def test_capacity_locus_agrees_with_independent_points():
    model = spinodal.load("binary-perceptron")
    margins = np.linspace(-1.0, 2.0, 13)
    locus = model.locus("zero-entropy", "alpha", over=("kappa", margins))
    assert locus.converged
    assert locus.values[margins == 0.5][0] == pytest.approx(0.4556645645, abs=6e-11)
    for index in (0, 5, 12):
        (alone,) = model.locus("zero-entropy", "alpha", kappa=margins[index]).special_points
        assert locus.values[index] == pytest.approx(alone.parameters["alpha"], abs=1e-11)


def test_gardner_line_of_the_spherical_perceptron():
    """1/alpha_c = int_{-kappa}^inf Dz (z + kappa)^2 (Gardner 1988)."""
    margins = np.array([-0.5, 0.0, 0.5, 1.0])
    locus = spinodal.load("spherical-perceptron").locus("capacity", "alpha", over=("kappa", margins))
    for kappa, point in zip(margins, locus.special_points, strict=True):
        gauss = np.exp(-kappa * kappa / 2) / np.sqrt(2 * np.pi)
        exact = 1.0 / ((1.0 + kappa**2) * ndtr(kappa) + kappa * gauss)
        assert abs(point.parameters["alpha"] - exact) <= point.error_estimate
        assert point.error_estimate < 1e-7


def test_the_interpolation_line_is_one_locus():
    model = spinodal.load("random-features-binary")
    locus = model.locus("zero-entropy", "alpha", over=("alpha_T", [1.0, 2.0, 3.0]))
    np.testing.assert_allclose(locus.values[[0, 2]], [0.941804, 1.139622], atol=6e-7)
    assert locus.curve is not None
    assert locus.curve.p[0] == pytest.approx(1.0)


def test_spinodals_of_a_noisy_teacher_meet_in_a_cusp():
    """The first-order transition of the teacher-student ends where label noise grows: both spinodals meet."""
    model = spinodal.load(
        "binary-teacher-student",
        overrides={"teacher.label": "sign(u)", "teacher.flip_probability": "eps", "parameters.eps": 0.05},
        ansatz="bayes-optimal",
    )
    branch = model.branch("alpha", (0.5, 4.0), eps=0.05)
    folds = branch.of_kind("fold")
    assert len(folds) >= 1
    for fold in folds:
        assert fold.converged


def test_the_inverse_of_a_parameter_may_be_varied():
    model = spinodal.load("random-features-binary")
    branch = model.branch("1/alpha", (0.8, 2.0))
    assert branch.p.min() == pytest.approx(0.5)
    assert branch.p.max() == pytest.approx(1.25)
    assert [point.kind for point in branch.special_points] == ["zero-entropy"]


def test_zeros_of_a_named_observable():
    model = spinodal.load("binary-perceptron", overrides={"observables.half": "q - 0.5"})
    branch = model.branch("alpha", (0.1, 1.0), zeros=("half",))
    (point,) = branch.of_kind("zero:half")
    assert point.order_parameters["q"] == pytest.approx(0.5, abs=1e-12)


def test_a_branch_with_nothing_to_start_from_says_why(bayes):
    with pytest.raises(NoStateError) as caught:
        bayes.branch("alpha", (50.0, 60.0))
    assert caught.value.failure.reason


def test_a_killed_branch_resumes_to_the_same_points(tmp_path, bayes, bayes_branch, monkeypatch):
    monkeypatch.setattr("spinodal.numeric.continuation.checkpoint._SECONDS_BETWEEN_WRITES", 0.0)

    class KilledError(BaseException):
        pass

    def kill(count):
        if count > 25:
            raise KilledError

    file = tmp_path / "branch.state"
    with pytest.raises(KilledError):
        bayes.branch("alpha", (0.1, 1.6), checkpoint=file, progress=kill)
    resumed = bayes.branch("alpha", (0.1, 1.6), checkpoint=file)
    assert np.array_equal(resumed.x, bayes_branch.x)


def test_it_stops_at_the_kind_asked_for(bayes):
    branch = bayes.branch("alpha", (0.1, 1.6), settings=Settings(stop_at=("fold",)))
    assert branch.special_points[-1].kind in ("fold", "replicon")
    assert branch.p[-1] > 1.4


def test_the_edge_of_a_noise_parameter_is_its_noiseless_limit():
    model = spinodal.load(
        "binary-teacher-student",
        overrides={"teacher.flip_probability": "eps", "parameters.eps": 0.05},
        ansatz="bayes-optimal",
    )
    (fold,) = model.locus("fold", "alpha", eps=0.0).special_points
    assert fold.parameters["alpha"] == pytest.approx(1.4926318182, abs=6e-11)


def test_the_first_order_line_of_a_noisy_teacher_ends_in_a_critical_point():
    """Both spinodals and the line of equal free entropy meet in the cusp, where Delta is largest."""
    model = spinodal.load(
        "binary-teacher-student",
        overrides={"teacher.label": "sign(u + sqrt(Delta)*noise)", "parameters.Delta": 0.01},
        ansatz="bayes-optimal",
    )
    spinodals = model.locus("fold", "alpha", over=("Delta", [0.008, 0.03]), bounds=(0.1, 5.0))
    (cusp,) = [event for event in spinodals.events if event.kind == "cusp"]
    assert cusp.converged
    assert not any("quadrature" in warning for warning in cusp.warnings)  # located again with a refined rule
    line = model.locus("crossing", "alpha", over=("Delta", [0.008, 0.016, 0.03]), bounds=(0.1, 5.0))
    assert [point.converged for point in line.special_points] == [True, True, False]
    assert line.curve is not None
    assert line.curve.p.max() == pytest.approx(cusp.parameters["Delta"], abs=2e-5)
    branch = model.branch("alpha", (0.5, 3.0), Delta=0.008)
    low, high = sorted(point.p for point in branch.of_kind("fold"))
    assert low < line.values[0] < high


@pytest.mark.parametrize(
    ("model", "of", "along", "over", "bounds"),
    [
        ("binary-perceptron", "zero-entropy", "alpha", ("kappa", [0.0, 0.1]), None),  # fewer patterns leave more solutions
        ("binary-perceptron", "capacity", "kappa", ("alpha", [0.5, 0.6]), (-2.0, 2.0)),  # and so do smaller margins
        ("spherical-perceptron", "capacity", "alpha", ("kappa", [0.0, 0.1]), None),
        ("spherical-perceptron", "replicon", "alpha", ("kappa", [-1.0, -0.9]), None),
    ],
)
def test_the_observable_of_a_locus_is_positive_below_it(model, of, along, over, bounds):
    locus = spinodal.load(model).locus(of, along, over=over, bounds=bounds)
    assert locus.converged
    assert locus.positive_side == -1
