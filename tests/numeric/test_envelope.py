"""Averages at a maximiser that follows a Gaussian field, against direct maximisation."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import erf

from spinodal.numeric import envelope, runtime, special
from spinodal.numeric.quadrature import Automatic

WELLS = np.array([-1.5, 0.2, 1.4])
DEPTHS = np.array([0.1, 0.3, -0.2])


def log_cosh(t, *_):
    th = np.tanh(t)
    return np.logaddexp(t, -t), th, 1.0 - th * th


def log_tail(t, kappa=0.3, variance=0.1):
    root = np.sqrt(variance)
    level, slope, curvature = special.log_tail_derivatives((kappa - t) / root, 2)
    return level, -slope / root, curvature / variance


def three_wells(t, *_):
    """Log of a sum over three weights of unequal mass: several maxima compete, and no symmetry says where."""
    exponent = 2.0 * (np.multiply.outer(t, WELLS)) + DEPTHS
    top = exponent.max(axis=-1, keepdims=True)
    weight = np.exp(exponent - top)
    norm = weight.sum(axis=-1)
    mean = (weight * 2.0 * WELLS).sum(axis=-1) / norm
    second = (weight * (2.0 * WELLS) ** 2).sum(axis=-1) / norm
    return np.log(norm) + top[..., 0], mean, second - mean**2


def parts(potential):
    """A potential and its slopes, as the two functions they are to the averages."""
    return (lambda t: potential(t)[:1]), (lambda t: potential(t)[1:])


def averages(functions, slopes, spread, variance, *, n=100, mean=0.0, t_steps=((0.0, 1.0),), single=False):
    def integrands(z, t, weight):
        return tuple(runtime.dot(weight, function(z, t)) for function in functions)

    return np.array(
        envelope.averages(
            integrands, None, *parts(slopes), Automatic(n), mean, np.sqrt(variance), spread, list(t_steps), [], single=single
        )
    )


def height(slopes, spread):
    return lambda _z, t: slopes(t)[0] - spread * slopes(t)[1] ** 2 / 2.0


def directly(slopes, spread, variance, mean=0.0):
    """E[max_t ...] by the trapezoid rule, each maximum from a dense grid and the parabola through its three points."""
    nodes = np.linspace(-8.5, 8.5, 6001)
    density = np.exp(-nodes * nodes / 2.0)
    reach = np.sqrt(variance) * 9.0 + 4.0 * spread + 1.0
    grid = np.linspace(mean - reach, mean + reach, 6001)
    level = slopes(grid)[0]
    total = 0.0
    for part, shares in zip(np.array_split(nodes, 60), np.array_split(density / density.sum(), 60), strict=True):
        omega = mean + np.sqrt(variance) * part[:, None]
        heights = level - (grid - omega) ** 2 / (2.0 * spread)
        i = np.clip(np.argmax(heights, axis=1), 1, grid.size - 2)
        left, top, right = (np.take_along_axis(heights, (i + k)[:, None], axis=1)[:, 0] for k in (-1, 0, 1))
        total += float(shares @ (top - (right - left) ** 2 / (8.0 * (left - 2.0 * top + right))))
    return total


CASES = {
    "one flat maximum": (log_cosh, 0.8, 1.3, 0.0, ((0.0, 1.0),), False),
    "a kink at zero": (log_cosh, 2.0, 0.7, 0.0, ((0.0, 1.0),), False),
    "a kink off centre": (log_cosh, 1.6, 0.7, 0.45, ((0.0, 1.0),), False),
    "several kinks": (three_wells, 1.5, 2.0, 0.1, ((0.0, 2.0), (0.3, 2.0)), False),
    "a step": (log_tail, 3.0, 0.8, 0.0, ((0.3 / np.sqrt(0.1), -1.0 / np.sqrt(0.1)),), True),
}


@pytest.mark.parametrize("name", CASES)
def test_the_average_height_is_that_of_the_highest_maximum(name: str) -> None:
    slopes, spread, variance, mean, steps, single = CASES[name]
    (found,) = averages([height(slopes, spread)], slopes, spread, variance, mean=mean, t_steps=steps, single=single)
    # the trapezoid rule of the direct sum is limited by the kinks themselves
    assert found == pytest.approx(directly(slopes, spread, variance, mean), abs=3e-6)


@pytest.mark.parametrize("spread", [1e-9, 0.3, 0.999, 1.0, 1.001, 1.3, 30.0])
@pytest.mark.parametrize("variance", [1e-4, 0.3, 30.0])
def test_the_weights_are_a_probability_whatever_jumps(spread: float, variance: float) -> None:
    (total,) = averages([lambda _z, t: np.ones_like(t)], log_cosh, spread, variance)
    assert total == pytest.approx(1.0, abs=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_refinement_converges_and_the_difference_of_two_rules_is_honest(name: str) -> None:
    slopes, spread, variance, mean, steps, single = CASES[name]
    functions = [height(slopes, spread), lambda z, t: slopes(t)[1] ** 2, lambda z, t: z * slopes(t)[1]]
    run = partial(averages, functions, slopes, spread, variance, mean=mean, t_steps=steps, single=single)
    coarse, fine, finest = run(n=50), run(n=100), run(n=400)
    error = np.abs(fine - finest)
    assert np.all(error < 1e-11)
    assert np.all(error <= np.abs(fine - coarse) + 1e-13)


def test_kinks_are_where_two_maxima_are_equally_high() -> None:
    spread = 1.5

    def summands(omega, below, above):
        return omega, below, above, np.ones_like(omega)

    omega, below, above, count = envelope.averages(
        None, summands, *parts(three_wells), Automatic(100), 0.0, 1.5, spread, [(0.0, 2.0)], [], single=False
    )
    assert count >= 1

    def balance(field: float) -> float:
        """Height of the best maximum above zero minus that of the best below."""
        grid = np.linspace(-12.0, 12.0, 200001)
        heights = three_wells(grid)[0] - (grid - field) ** 2 / (2.0 * spread)
        return float(heights[grid > 0.0].max() - heights[grid <= 0.0].max())

    if count == 1:
        assert omega == pytest.approx(brentq(balance, -3.0, 3.0), abs=1e-7)
        for t in (below, above):
            assert t - spread * three_wells(np.array(t))[1] == pytest.approx(omega, abs=1e-12)


def test_a_symmetric_kink_lies_at_zero_with_the_two_magnetisations_of_the_mean_field_equation() -> None:
    spread = 1.7
    magnetisation = brentq(lambda m: m - np.tanh(spread * m), 0.1, 1.0)
    omega, below, above = envelope.averages(
        None, lambda *k: k, *parts(log_cosh), Automatic(100), 0.0, 1.0, spread, [(0.0, 1.0)], [], single=False
    )
    assert omega == pytest.approx(0.0, abs=1e-14)
    assert [below, above] == pytest.approx([-spread * magnetisation, spread * magnetisation], abs=1e-13)


@pytest.mark.parametrize("mean", [0.0, 0.3])
def test_a_shallow_fold_is_one_gap_however_coarse_the_grid(mean: float) -> None:
    spreads = np.array([1.0003, 1.003, 1.01, 1.0229, 1.03, 1.05, 1.1, 1.2])
    magnetisations = np.array([brentq(lambda m, d=d: m - np.tanh(d * m), 1e-3, 1.0) for d in spreads])

    def summands(omega, below, above):
        return np.ones_like(omega), omega, below, above

    count, omega, below, above = envelope.averages(
        None, summands, *parts(log_cosh), Automatic(100), mean, 0.744, spreads, [(0.0, 1.0)], [], single=False
    )
    assert np.all(count == 1)
    assert omega == pytest.approx(np.zeros(8), abs=1e-13)
    assert above == pytest.approx(spreads * magnetisations, abs=1e-11)
    assert below == pytest.approx(-spreads * magnetisations, abs=1e-11)


def test_rows_of_a_batch_are_independent() -> None:
    spreads = np.array([0.5, 1.2, 3.0, 0.9])

    def run(spread):
        return envelope.averages(
            lambda z, t, w: (runtime.dot(w, np.tanh(t) ** 2),), None, *parts(log_cosh), Automatic(100), 0.0, 1.0, spread,
            [(0.0, 1.0)], [], single=False,
        )[0]  # fmt: skip

    assert run(spreads) == pytest.approx([float(run(float(s))) for s in spreads], abs=1e-13)


def test_states_outside_the_domain_are_nan_and_stop_nothing() -> None:
    with np.errstate(all="ignore"):
        found = envelope.averages(
            lambda z, t, w: (runtime.dot(w, np.tanh(t)),), None, *parts(log_cosh), Automatic(100), 0.0,
            np.sqrt(np.array([1.0, -1.0])), 0.5, [(0.0, 1.0)], [], single=False,
        )[0]  # fmt: skip
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


def test_a_kink_at_the_mean_is_there_on_the_scale_of_the_narrowest_field() -> None:
    spreads = np.linspace(1.1, 3.0, 20)
    omega, _, _ = envelope.averages(
        None, lambda *k: k, *parts(log_cosh), Automatic(100), 0.0, 1e-30, spreads, [(0.0, 1.0)], [], single=False
    )
    assert np.all(np.abs(omega) < 1e-32)


@pytest.mark.parametrize("variance", [1e-12, 1e-20, 1e-60])
def test_a_narrow_field_sees_the_two_ends_of_a_kink(variance: float) -> None:
    spread = 3.0
    magnetisation = brentq(lambda m: m - np.tanh(spread * m), 0.1, 1.0)
    total, square, tilt = averages(
        [lambda _z, t: np.ones_like(t), lambda _z, t: np.tanh(t) ** 2, lambda z, t: z * np.tanh(t)],
        log_cosh,
        spread,
        variance,
    )
    assert total == pytest.approx(1.0, abs=1e-12)
    assert square == pytest.approx(magnetisation**2, abs=1e-12 + 4.0 * np.sqrt(variance))
    assert tilt == pytest.approx(magnetisation * np.sqrt(2.0 / np.pi), abs=1e-12 + 4.0 * np.sqrt(variance))


def test_narrow_and_wide_fields_share_a_batch() -> None:
    roots = np.array([1.0, 1e-8, 0.3, 1e-9])

    def run(root):
        return envelope.averages(
            lambda z, t, w: (runtime.dot(w, np.tanh(t) ** 2),), None, *parts(log_cosh), Automatic(100), 0.0, root, 1.5,
            [(0.0, 1.0)], [], single=False,
        )[0]  # fmt: skip

    assert run(roots) == pytest.approx([float(run(float(r))) for r in roots], abs=1e-13)


@pytest.mark.parametrize("root", [1e-8, 1e-12, 1e-20, 1e-60])
def test_a_narrow_field_beside_zero_sees_a_symmetric_kink_at_zero(root: float) -> None:
    """The sign of a magnetisation whose field N(root/2, root^2) is the narrower, the closer its mean is to zero."""
    spread = 3.0
    magnetisation = brentq(lambda m: m - np.tanh(spread * m), 0.1, 1.0)
    (found,) = averages([lambda _z, t: np.tanh(t)], log_cosh, spread, root**2, mean=0.5 * root)
    assert float(np.squeeze(found)) == pytest.approx(magnetisation * erf(0.5 / np.sqrt(2.0)), abs=1e-10 + 4.0 * root)


def ternary(depth):
    """Log (1 + exp(depth) 2 cosh t): with many replicas the weight 0 competes with +-1."""

    def slopes(t, *_):
        top = depth + np.logaddexp(t, -t)
        share, th = 1.0 / (1.0 + np.exp(-top)), np.tanh(t)
        return np.logaddexp(0.0, top), share * th, share * (1.0 - th * th) + share * (1.0 - share) * th * th

    return slopes


def highest_of_ternary(depth, spread, fields):
    """The height of the maximum near 0 and of that far out at fields >= 0, by Newton from the sides of both wells."""
    heights = []
    for start in (np.zeros_like(fields), fields + spread):
        t = start.copy()
        for _ in range(80):
            _, force, curvature = ternary(depth)(t)
            t = t - np.clip((t - fields - spread * force) / np.maximum(1.0 - spread * curvature, 0.05), -1.0, 1.0)
        heights.append(ternary(depth)(t)[0] - (t - fields) ** 2 / (2.0 * spread))
    return heights


@pytest.mark.parametrize("spread", [9.0, 14.0])
@pytest.mark.parametrize("offset", [-1e-1, -1e-2, -1e-3, -1e-5, -1e-9, 1e-9, 1e-5, 1e-3, 1e-2, 1e-1])
def test_a_maximum_that_is_the_highest_between_close_fields_only_is_found(spread, offset):
    """Its interval of fields shrinks to nothing as the depth grows to a critical one; beyond, it is the highest nowhere."""
    zero = np.zeros(1)
    about = -0.5 * spread
    critical = brentq(
        lambda depth: float(np.subtract(*highest_of_ternary(depth, spread, zero))[0]), about - 0.5, about + 0.5, xtol=1e-14
    )
    depth, deviation = critical + offset, 0.8
    x, w = np.polynomial.legendre.leggauss(40)

    def difference(field):
        return float(np.subtract(*highest_of_ternary(depth, spread, np.array([field])))[0])

    kink = brentq(difference, 0.0, 0.3, xtol=1e-14) if offset < 0.0 else 0.0
    expected = 0.0
    for low, high in ((0.0, kink), (kink, 2.0), (2.0, 4.0), (4.0, 8.0)):
        fields = low + 0.5 * (high - low) * (x + 1.0)
        density = 2.0 * np.exp(-0.5 * (fields / deviation) ** 2) / np.sqrt(2.0 * np.pi) / deviation
        expected += float(0.5 * (high - low) * (w * density) @ np.maximum(*highest_of_ternary(depth, spread, fields)))
    (got,) = averages([height(ternary(depth), spread)], ternary(depth), spread, deviation**2)
    assert got == pytest.approx(expected, abs=1e-11)
