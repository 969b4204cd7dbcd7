"""Root finding on systems that are no models: convergence, failure, folds, all roots."""

from __future__ import annotations

import numpy as np
import pytest

from spinodal.numeric.path import follow, prediction
from spinodal.numeric.roots import NewtonSettings, fixed_point, multi_start, newton


class Toy:
    """A system written as x - update(x); subclasses give F and its derivatives for one state."""

    def residual_and_jacobian(self, x: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(all="ignore"):
            return self.f(x, p), self.j(x, p)

    def conditions(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.ones((len(x), 1))


class Cubic(Toy):
    """x - (x^3 + p) / 3 ... the normal form x^3 - 3 x + p = 0 with folds at p = +-2."""

    def f(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return x - (x**3 + p[:, :1]) / 3

    def j(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return (1 - x**2)[:, :, None]

    def parameter_derivative(self, x: np.ndarray, p: np.ndarray, wanted: object = None) -> np.ndarray:
        return np.full((len(x), 1, 1), -1 / 3)


class Exchange(Toy):
    """x ((s - p) (1 + 5 p^3) + x) = 0: the branch x = 0 exchanges its stability at p = s with one that crosses it."""

    at, calls = 0.7310585, 0

    def f(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return x * (self.slope(p) + x)

    def j(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        self.calls += 1
        return (self.slope(p) + 2 * x)[:, :, None]

    def slope(self, p: np.ndarray) -> np.ndarray:
        return (self.at - p) * (1 + 5 * p**3)

    def parameter_derivative(self, x: np.ndarray, p: np.ndarray, wanted: object = None) -> np.ndarray:
        return (x * (15 * p**2 * (self.at - p) - 1 - 5 * p**3))[:, :, None]


class Logarithm(Toy):
    """log x + y = 0, y - p = 0: defined for x > 0 only."""

    def f(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.stack([np.log(x[:, 0]) + x[:, 1], x[:, 1] - p[:, 0]], axis=1)

    def j(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        one, zero = np.ones(len(x)), np.zeros(len(x))
        return np.stack([np.stack([1 / x[:, 0], one], 1), np.stack([zero, one], 1)], 1)

    def parameter_derivative(self, x: np.ndarray, p: np.ndarray, wanted: object = None) -> np.ndarray:
        return np.tile(np.array([[[0.0], [-1.0]]]), (len(x), 1, 1))

    def conditions(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return x[:, :1]


class Valley(Toy):
    """1e4 (x - y^2) = 0, 1e-3 (y - 1) = 0: residuals rise along any step of some length, though Newton's converge."""

    def f(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.stack([1e4 * (x[:, 0] - x[:, 1] ** 2), 1e-3 * (x[:, 1] - 1.0)], axis=1)

    def j(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        one = np.ones(len(x))
        return np.moveaxis(np.array([[1e4 * one, -2e4 * x[:, 1]], [0.0 * one, 1e-3 * one]]), 2, 0)


class Nowhere(Cubic):
    """x^2 + 1 = 0."""

    def f(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return x**2 + 1

    def j(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return 2 * x[:, :, None]


def test_newton_converges_row_by_row() -> None:
    p = np.array([[0.0], [1.0], [-1.5]])
    roots = newton(Cubic(), np.array([[0.1], [0.3], [-0.4]]), p)
    assert roots.converged.all()
    np.testing.assert_allclose(roots.x**3 - 3 * roots.x + p, 0.0, atol=1e-12)
    assert np.all(roots.determinant_sign == 1.0)
    assert np.all(roots.iterations < 10)


def test_newton_says_when_there_is_no_root() -> None:
    roots = newton(Nowhere(), np.array([[0.7], [3.0]]), np.zeros((2, 1)))
    assert not roots.converged.any()
    assert np.all(roots.residual > 0)


def test_newton_stays_in_the_domain() -> None:
    roots = newton(Logarithm(), np.array([[9.0, 0.0], [1e-3, 5.0], [-1.0, 0.0]]), np.full((3, 1), 0.7))
    assert roots.converged.tolist() == [True, True, False]
    np.testing.assert_allclose(roots.x[:2, 0], np.exp(-0.7), rtol=1e-12)


def test_newton_follows_a_stiff_curved_valley_to_its_root() -> None:
    roots = newton(Valley(), np.array([[1.001**2, 1.001]]), np.zeros((1, 0)))
    assert roots.converged[0]
    assert roots.x[0] == pytest.approx([1.0, 1.0], abs=1e-12)


def test_newton_at_a_singular_jacobian() -> None:
    roots = newton(Cubic(), np.array([[1.0]]), np.array([[0.0]]), NewtonSettings(iterations=80))
    assert not roots.converged[0] or abs(roots.x[0, 0] ** 3 - 3 * roots.x[0, 0]) < 1e-10


@pytest.mark.parametrize("end", [1.9, 1.999, 1.999999])
def test_following_a_branch_towards_its_fold(end: float) -> None:
    path = follow(Cubic(), np.zeros((1, 1)), np.zeros((1, 1)), np.array([[end]]), np.array([True]))
    assert path.roots.converged[0]
    assert path.reached[0] == 1.0
    exact = 2 * np.sin(np.arcsin(end / 2) / 3)  # the middle root
    assert path.roots.x[0, 0] == pytest.approx(exact, abs=1e-9)


def test_following_a_branch_beyond_its_fold_stops_there() -> None:
    path = follow(Cubic(), np.zeros((2, 1)), np.zeros((2, 1)), np.array([[2.5], [1.0]]), np.array([True]))
    assert path.roots.converged.tolist() == [False, True]
    assert path.fold.tolist() == [True, False]
    assert path.reached[0] * 2.5 == pytest.approx(2.0, abs=1e-3)
    assert path.reached[0] * 2.5 <= 2.0 + 1e-9


def test_a_branch_that_goes_on_beyond_a_branch_point_stops_there_after_few_evaluations() -> None:
    system = Exchange()
    path = follow(system, np.zeros((1, 1)), np.zeros((1, 1)), np.array([[2.0]]), np.array([True]))
    assert not path.roots.converged[0]
    assert 2.0 * path.reached[0] == pytest.approx(system.at, abs=1e-7)
    assert 2.0 * path.reached[0] < system.at
    assert system.calls < 40  # steps that halve take more than 70


def test_following_to_where_one_starts() -> None:
    path = follow(Cubic(), np.array([[0.05]]), np.zeros((1, 1)), np.zeros((1, 1)), np.array([True]))
    assert path.roots.converged[0]
    assert path.reached[0] == 1.0


class Counted(Cubic):
    """The cubic, counting calls."""

    def __init__(self) -> None:
        self.calls = 0

    def residual_and_jacobian(self, x: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.calls += 1
        return super().residual_and_jacobian(x, p)


class Norm(Counted):
    """log(1 + x) - p = 0: a norm that grows to exp(p) - 1."""

    def f(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.log1p(x) - p[:, :1]

    def j(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return (1.0 / (1.0 + x))[:, :, None]

    def parameter_derivative(self, x: np.ndarray, p: np.ndarray, wanted: object = None) -> np.ndarray:
        return np.full((len(x), 1, 1), -1.0)


def test_norms_far_above_one_are_followed_in_steps_of_their_size() -> None:
    system = Norm()
    path = follow(system, np.zeros((1, 1)), np.zeros((1, 1)), np.array([[8.0]]), np.array([True]))
    assert path.roots.converged[0]
    assert path.roots.x[0, 0] == pytest.approx(np.expm1(8.0))
    assert system.calls < 150  # in steps of at most 0.5 there would be 6000


def test_rows_do_not_depend_on_their_company_and_share_their_evaluations() -> None:
    ends = np.array([[0.3], [1.5], [1.99], [2.5], [-1.0]])
    system = Counted()
    zero = np.zeros_like(ends)
    path = follow(system, zero, zero, ends, np.array([True]))
    together, alone = system.calls, []
    for i, end in enumerate(ends):
        system.calls = 0
        one = follow(system, zero[:1], zero[:1], end[None], np.array([True]))
        alone.append(system.calls)
        assert one.roots.x[0] == path.roots.x[i]
        assert one.reached[0] == path.reached[i]
    assert together < 1.2 * max(alone)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_a_diverging_conjugate_is_predicted_by_its_pole(power: float) -> None:
    """The change of (1 - s)^-power at s = 0.4 from value, slope and curvature at 0; exact for a simple pole."""
    linear, quadratic = np.array([0.4 * power]), np.array([0.08 * power * (power + 1)])
    exact = 0.6**-power - 1.0
    error = abs(prediction(linear, quadratic)[0] - exact)
    assert error < (1e-14 if power == 1.0 else 0.5 * abs(linear[0] + quadratic[0] - exact))
    assert prediction(linear, None)[0] == linear[0]
    assert prediction(linear, -quadratic)[0] == pytest.approx(linear[0] - quadratic[0])


def test_all_roots_are_found_once() -> None:
    starts = np.linspace(-3, 3, 40)[:, None]
    kept, batch = multi_start(Cubic(), starts, np.array([[1.0]]))
    found = np.sort(batch.x[kept, 0])
    exact = np.sort(np.roots([1, 0, -3, 1]).real)
    np.testing.assert_allclose(found, exact, atol=1e-10)


def test_fixed_point_sweeps_leave_the_outside_alone() -> None:
    x = fixed_point(Logarithm(), np.array([[0.5, 0.7], [1e-9, 60.0]]), np.full((2, 1), 0.7), sweeps=3)
    assert np.all(np.isfinite(x))
    assert np.all(x[:, 0] > 0)
