"""Piecewise quadratic weights against mpmath quadrature: every temperature, field and kind of loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from spinodal.numeric import pieces
from spinodal.numeric.special import log_tail_derivatives

Loss = Callable[[Any, float], Any]


def hinge(h: Any, beta: float) -> Any:
    return -beta * max(0, 0.3 - h)


def squared_hinge(h: Any, beta: float) -> Any:
    return -beta * max(0, 0.3 - h) ** 2


def absolute(h: Any, beta: float) -> Any:
    return -beta * abs(h - 0.3)


def huber(h: Any, beta: float) -> Any:
    a = abs(h)
    return -beta * (a * a / 2 if a < 0.5 else 0.5 * (a - 0.25))


def jump(h: Any, beta: float) -> Any:
    return -beta * (h * h / 2 if h < 0 else 1 + h)


def by_hand(loss: str, beta: float) -> tuple[list[float], list[tuple[float, float, float]]]:
    """The ends of the pieces and (c, A, B) of each."""
    table: dict[str, tuple[list[float], list[tuple[float, float, float]]]] = {
        "hinge": ([0.3], [(-0.3 * beta, 0, -beta), (0, 0, 0)]),
        "squared_hinge": ([0.3], [(-0.09 * beta, 2 * beta, -0.6 * beta), (0, 0, 0)]),
        "absolute": ([0.3], [(-0.3 * beta, 0, -beta), (0.3 * beta, 0, beta)]),
        "huber": ([-0.5, 0.5], [(0.125 * beta, 0, -0.5 * beta), (0, beta, 0), (0.125 * beta, 0, 0.5 * beta)]),
        "jump": ([0.0], [(0, beta, 0), (-beta, 0, beta)]),
    }
    return table[loss]


def coefficients(loss: str, beta: float) -> tuple[pieces.Coefficients, list[float]]:
    splits, rows = by_hand(loss, beta)

    def read(h: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        index = np.searchsorted(splits, h)
        a, b, c = (np.array([row[k] for row in rows], dtype=float)[index] for k in range(3))
        return a, b, c

    return read, splits


def exact(loss: Loss, beta: float, omega: float, variance: float, splits: list[float]) -> list[float]:
    """Cumulants of h by quadrature with 25 digits, as derivatives of log Z in omega."""
    with mp.workdps(25):
        v, w = mp.mpf(variance), mp.mpf(omega)

        def density(h: Any) -> Any:
            return mp.exp(loss(h, beta) - (h - w) ** 2 / (2 * v)) / mp.sqrt(2 * mp.pi * v)

        scale = mp.sqrt(v)
        grid = sorted({w + s * scale for s in (-12, -8, -4, -2, 0, 2, 4, 8, 12)} | set(map(mp.mpf, splits)))
        moments = [mp.quad(lambda h, k=k: density(h) * (h - w) ** k, grid) for k in range(5)]
        z, m1, m2, m3, m4 = moments[0], *(m / moments[0] for m in moments[1:])
        k2 = m2 - m1**2
        k3 = m3 - 3 * m2 * m1 + 2 * m1**3
        k4 = m4 - 4 * m3 * m1 - 3 * m2**2 + 12 * m2 * m1**2 - 6 * m1**4
        return [float(value) for value in (mp.log(z), m1 / v, (k2 - v) / v**2, k3 / v**3, k4 / v**4)]


def closed(loss: str, beta: float, omega: float, variance: float) -> list[float]:
    """The sum of complementary error functions as it stands, with digits enough for all that cancels."""
    splits, rows = by_hand(loss, beta)
    with mp.workdps(150 + int(beta * beta * variance / 4 + beta + omega**2 / variance)):
        v = mp.mpf(variance)
        ends = [-mp.inf, *map(mp.mpf, splits), mp.inf]

        def log_z(w: Any) -> Any:
            total = mp.mpf(0)
            for row, a, b in zip(rows, ends, ends[1:], strict=False):
                c, curvature, slope = map(mp.mpf, row)
                gain = 1 + curvature * v
                mean, width = (w - slope * v) / gain, mp.sqrt(2 * v / gain)
                exponent = c - (curvature * w * w / 2 + slope * w - slope * slope * v / 2) / gain
                mass = (mp.erfc((a - mean) / width) - mp.erfc((b - mean) / width)) / 2
                total += mp.exp(exponent) * mass / mp.sqrt(gain)
            return mp.log(total)

        step = mp.mpf(10) ** -20
        f = {k: log_z(mp.mpf(omega) + k * step) for k in (-2, -1, 0, 1, 2)}
        first, second = (f[1] - f[-1]) / (2 * step), (f[1] - 2 * f[0] + f[-1]) / step**2
        third = (f[2] - 2 * f[1] + 2 * f[-1] - f[-2]) / (2 * step**3)
        fourth = (f[2] - 4 * f[1] + 6 * f[0] - 4 * f[-1] + f[-2]) / step**4
        return [float(value) for value in (f[0], first, second, third, fourth)]


def _compare(got: tuple[np.ndarray, ...], expected: list[float], omega: float, variance: float) -> None:
    assert got[0] == pytest.approx(expected[0], rel=3e-14, abs=3e-14)
    for k in range(1, 5):
        scale = variance ** (-k / 2) * max(1.0, abs(omega) / variance**0.5)
        assert got[k] == pytest.approx(expected[k], rel=1e-11, abs=2e-12 * scale)


@pytest.mark.parametrize("loss", [hinge, squared_hinge, absolute, huber, jump])
@pytest.mark.parametrize(("omega", "variance"), [(-0.2, 0.8)])
def test_against_quadrature(loss: Loss, omega: float, variance: float) -> None:
    read, splits = coefficients(loss.__name__, 3.0)
    got = pieces.log_average(read, omega, variance, splits, 4)
    _compare(got, exact(loss, 3.0, omega, variance, splits), omega, variance)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "absolute", "huber", "jump"])
@pytest.mark.parametrize("beta", [0.1, 10.0, 50.0])
@pytest.mark.parametrize(("omega", "variance"), [(0.2, 1.0), (-2.5, 0.4), (3.0, 0.05), (0.31, 1e-3)])
def test_at_every_temperature(loss: str, beta: float, omega: float, variance: float) -> None:
    read, splits = coefficients(loss, beta)
    got = pieces.log_average(read, omega, variance, splits, 4)
    _compare(got, closed(loss, beta, omega, variance), omega, variance)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_zero_temperature_is_the_constraint(loss: str) -> None:
    omega = np.linspace(-4.0, 4.0, 9)
    constraint = log_tail_derivatives(0.3 - omega, 1)
    errors = []
    for beta in (1e6, 1e8):
        read, splits = coefficients(loss, beta)
        got = pieces.log_average(read, omega, 1.0, splits, 1)
        errors.append(max(np.max(np.abs(got[0] - constraint[0])), np.max(np.abs(got[1] + constraint[1]))))
    assert errors[1] < 0.11 * errors[0]
    assert errors[1] < 5e-4


def test_splits_in_any_order_and_pieces_without_width() -> None:
    read, _ = coefficients("huber", 2.0)
    omega = np.linspace(-3.0, 3.0, 7)
    expected = pieces.log_average(read, omega, 0.7, [-0.5, 0.5], 3)
    for splits in ([0.5, -0.5], [0.5, -0.5, 0.5], [-0.5, 0.1, 0.5]):
        for a, b in zip(pieces.log_average(read, omega, 0.7, splits, 3), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_shapes_broadcast() -> None:
    read, _ = coefficients("hinge", 2.0)
    out = pieces.log_average(read, np.zeros((4, 5)), np.ones((4, 1)), [np.full((4, 1), 0.3)], 2)
    assert [part.shape for part in out] == [(4, 5)] * 3


def test_a_weight_that_outgrows_the_gaussian_is_outside_the_domain() -> None:
    out = pieces.log_average(lambda h: (0.0, -2.0, 0.0), 0.1, 1.0, [0.0], 1)
    assert np.isnan(out[0])


def test_an_order_beyond_four_is_refused() -> None:
    with pytest.raises(ValueError, match="order must be 0 to 4"):
        pieces.log_average(lambda h: (0.0, 1.0, 0.0), 0.1, 1.0, [0.0], 5)


@pytest.mark.parametrize("loss", [hinge, squared_hinge, absolute, huber, jump])
@pytest.mark.parametrize("beta", [0.1, 10.0, 1e4])
@pytest.mark.parametrize(("omega", "variance"), [(0.2, 1.0), (-2.5, 0.4), (3.0, 0.05), (0.31, 1e-3)])
def test_averages_of_piecewise_quadratic_functions(loss: Loss, beta: float, omega: float, variance: float) -> None:
    """G = 2 - h + 3 h^2 below 0.1 and 1 + h above, whose ends are no ends of the loss."""
    read, splits = coefficients(loss.__name__, beta)

    def g(h: Any) -> tuple[Any, Any, Any]:
        below = np.asarray(h) < 0.1
        return np.where(below, 2.0, 1.0), np.where(below, -1.0, 1.0), np.where(below, 3.0, 0.0)

    got = pieces.tilted_average(read, g, omega, variance, [*splits, 0.1])
    with mp.workdps(30):
        w, scale = mp.mpf(omega), mp.sqrt(mp.mpf(variance))
        narrow = [mp.mpf(10) ** -k for k in range(7)]
        near = {mp.mpf(s) + side * d for s in (*splits, 0.1) for d in narrow for side in (-1, 1)}
        grid = sorted(
            {w + s * scale for s in (-40, -20, -8, -4, -2, 0, 2, 4, 8, 20, 40)}
            | {*map(mp.mpf, splits), mp.mpf("0.1")}
            | near
        )
        exponents = [loss(h, beta) - (h - w) ** 2 / (2 * variance) for h in grid]
        highest = max(exponents)

        def weighted(of: Callable[[Any], Any]) -> Any:
            return mp.quad(lambda h: of(h) * mp.exp(loss(h, beta) - (h - w) ** 2 / (2 * variance) - highest), grid)

        expected = weighted(lambda h: 2 - h + 3 * h * h if h < mp.mpf("0.1") else 1 + h) / weighted(lambda h: 1)
    assert got == pytest.approx(float(expected), rel=1e-12)


def test_averages_of_one_and_of_the_field_agree_with_the_log_average() -> None:
    omega = np.linspace(-5.0, 5.0, 21)
    read, splits = coefficients("huber", 30.0)
    slope = pieces.log_average(read, omega, 0.7, splits, 1)[1]
    np.testing.assert_allclose(pieces.tilted_average(read, lambda h: (1.0, 0.0, 0.0), omega, 0.7, splits), 1.0, rtol=1e-15)
    mean = pieces.tilted_average(read, lambda h: (0.0, 1.0, 0.0), omega, 0.7, splits)
    np.testing.assert_allclose(mean, omega + 0.7 * slope, rtol=1e-13, atol=1e-14)


def test_a_weight_that_no_gaussian_tames_has_no_average() -> None:
    got = pieces.tilted_average(lambda h: (0.0, -2.0, 0.0), lambda h: (0.0, 1.0, 0.0), 0.3, 1.0, [0.0])
    assert np.isnan(got)
