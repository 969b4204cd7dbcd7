"""Franz-Parisi as the distance goes to 0: what is left of the entropy close to references, and where isolated ones end it.

A probe that patterns do not pull is its reference with weights changed at random. Close to a reference of larger margin the
pull is exponentially small, so that phi is the entropy of the sphere around the reference plus the mean logarithm of the
probability that a pattern is kept,

    phi = S(t) + alpha int dH P_ref(H) log H[(kappa - t H)/sqrt(1 - t^2)],

with the references' density of stabilities P_ref: one integral in their own theory.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy.special import log_ndtr

import spinodal

Array = NDArray[np.float64]


def sphere(t: float) -> float:
    """The entropy of the +-1 weights at overlap t with a given one."""
    d = (1.0 - t) / 2.0
    return float(-d * np.log(d) - (1.0 - d) * np.log1p(-d))


def storage_density(fields: Array, q: float, margin: float) -> Array:
    """P_ref for random patterns [n]: the field's Gaussian cut at the margin, averaged over its mean."""
    root = np.sqrt(1.0 - q)
    x = np.linspace(-9.0, 9.0, 801)
    weight = np.exp(-x * x / 2.0 - log_ndtr((np.sqrt(q) * x - margin) / root))
    bell = np.exp(-(((fields[:, None] - np.sqrt(q) * x) / root) ** 2) / 2.0)
    return np.asarray(bell @ weight) * (x[1] - x[0]) / (2.0 * np.pi * root)


def kept(t: float, margin: float, alpha: float, density: Callable[[Array], Array]) -> float:
    """Alpha times the mean logarithm of the probability that a pattern is kept at random changes."""
    width = np.sqrt(1.0 - t * t)
    nodes, weights = leggauss(300)
    reach = 12.0 * width  # beyond, nothing is lost
    fields = margin + 0.5 * reach * (nodes + 1.0)
    return alpha * 0.5 * reach * float(weights @ (density(fields) * log_ndtr(t * fields / width)))


def test_close_to_references_of_larger_margin_weights_are_free() -> None:
    model = spinodal.load("binary-perceptron", ansatz="franz-parisi")
    gaps = np.array([3e-3, 2e-3, 1e-3, 1e-5, 1e-8])
    solution = model.solve(alpha=0.5, kappa_ref=0.3, t=1.0 - gaps)
    assert np.all(solution.converged)
    q = float(solution.states[0].order_parameters["q_ref"])
    phi = np.asarray(solution.free_entropy)
    for gap, value in zip(gaps, phi, strict=True):
        t = 1.0 - gap
        expected = sphere(t) + kept(t, 0.3, 0.5, lambda h: storage_density(h, q, 0.3))
        assert value == pytest.approx(expected, abs=1e-11 if gap < 2.5e-3 else 1e-9)
    assert phi[0] - sphere(1.0 - gaps[0]) == pytest.approx(-8.363e-7, abs=1e-9)  # the pull is seen there
    assert np.all(np.asarray(solution.error_estimate) < 1e-10)
    assert np.asarray(solution.observables["replicon"])[2:] == pytest.approx(1.0, abs=1e-9)  # free weights


@pytest.mark.slow
def test_close_to_references_beside_a_teacher_on_random_features() -> None:
    name, point = "random-features-binary", {"alpha_T": 3.0}
    model = spinodal.load(name, ansatz="franz-parisi")
    gaps = np.array([2e-3, 1e-5, 1e-7])
    solution = model.solve(alpha=0.5, kappa_ref=0.3, t=1.0 - gaps, **point)
    assert np.all(solution.converged)
    typical = spinodal.load(name)
    state = typical.solve(alpha=0.5, kappa=0.3, **point).states[0]

    def density(fields: Array) -> Array:
        return np.asarray(typical.stabilities(state=state, at=fields)["density"])

    for gap, value in zip(gaps, np.asarray(solution.free_entropy), strict=True):
        t = 1.0 - gap
        expected = sphere(t) + kept(t, 0.3, 0.5, density)
        assert value == pytest.approx(expected, abs=2e-11)


def test_spherical_probes_lie_on_a_shrinking_cap() -> None:
    model = spinodal.load("spherical-perceptron", ansatz="franz-parisi")
    overlaps = 1.0 - np.array([1e-3, 1e-5, 1e-7])
    solution = model.solve(alpha=0.5, kappa_ref=0.3, t=overlaps)
    assert np.all(solution.converged)
    error = np.asarray(solution.error_estimate)
    assert np.all(np.abs(np.asarray(solution.free_entropy) - 0.5 * np.log1p(-(overlaps**2))) < error + 1e-11)


def test_around_isolated_references_the_branch_ends_where_probes_freeze() -> None:
    # the edge of a typical reference's field is met by sqrt(d) N patterns as d -> 0, many more than the d N weights changed
    model = spinodal.load("binary-perceptron", ansatz="franz-parisi")
    solution = model.solve(alpha=0.5, kappa_ref=0.0, t=np.array([0.99, 0.999, 0.9995, 1.0 - 1e-6]))
    assert np.array_equal(np.asarray(solution.converged), [True, True, False, False])
    near, nearer = (state for state in solution.states[:2])
    assert nearer.free_entropy < near.free_entropy < 0.0
    assert nearer.order_parameters["q"] > 0.9999
    assert nearer.order_parameters["q_hat"] > 1e3
    assert near.observables["replicon"] > 0.0 > nearer.observables["replicon"]  # beyond, the probes' symmetry is broken
    assert any("replicon" in warning or "unstable" in warning for warning in nearer.warnings)
    for state in solution.states[2:]:
        assert state.failure is not None
        assert "ends near t = 0.99908" in state.failure.reason
        assert "q reaches its bound" in state.failure.reason


def test_a_window_without_solutions_lies_between_probes_and_references_of_a_slightly_larger_margin() -> None:
    model = spinodal.load("binary-perceptron", ansatz="franz-parisi")
    gaps = np.array([1e-1, 1e-3, 1e-4, 1e-5])
    solution = model.solve(alpha=0.5, kappa_ref=0.02, t=1.0 - gaps)
    assert np.all(solution.converged)
    assert np.array_equal(np.sign(np.asarray(solution.free_entropy)), [1.0, -1.0, 1.0, 1.0])


@pytest.mark.slow
@pytest.mark.parametrize(("margin", "close"), [(0.3, 0.1), (0.02, 1e-3)])
def test_the_transition_around_references_of_a_given_margin(margin: float, close: float) -> None:
    """At alpha_LE phi ceases to fall everywhere beyond its maximum: seen on curves of given t just before and behind."""
    overrides = {"ansatz.overlap": "extremised"}
    model = spinodal.load("binary-perceptron", ansatz="franz-parisi", overrides=overrides)
    (point,) = model.locus("local-entropy-transition", "alpha", kappa_ref=margin).special_points
    assert point.converged
    assert point.error_estimate < 1e-9
    t = float(point.order_parameters["t"])
    assert 0.0 < 1.0 - t < close
    curve = spinodal.load("binary-perceptron", ansatz="franz-parisi")
    overlaps = 1.0 - (1.0 - t) * np.linspace(0.8, 1.25, 9)
    for alpha, sign in ((point.p * (1.0 - 2e-3), -1.0), (point.p * (1.0 + 2e-3), 1.0)):
        slopes = np.asarray(curve.solve(alpha=alpha, kappa_ref=margin, t=overlaps).observables["slope"])
        assert np.sign(slopes.max()) == sign


def test_without_references_nothing_is_looked_for() -> None:
    # RS states of random patterns end at (2/pi) / int_{-kappa}^inf Dz (z + kappa)^2: at 0.808 for margin 0.3
    model = spinodal.load("binary-perceptron", ansatz="franz-parisi")
    state = model.solve(alpha=0.95, kappa_ref=0.3, t=np.array([0.5, 0.9])).states[0]
    assert state.failure is not None
    assert "there are no references" in state.failure.reason
