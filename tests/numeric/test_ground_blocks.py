"""Averages over ground states in blocks of copies, against sums on dense grids."""

from __future__ import annotations

import numpy as np
import pytest

from spinodal.numeric.ground_blocks import averages
from spinodal.numeric.quadrature import Automatic
from spinodal.numeric.site import Array, Site

Z = np.linspace(-9.0, 9.0, 801)
DZ = np.exp(-Z * Z / 2) / np.sqrt(2 * np.pi) * (Z[1] - Z[0])


def errors(t: Array, place: Array, *_: object) -> tuple[Array, Array, Array]:
    """Minus one error for a negative field."""
    return np.where(place < 0.0, -1.0, 0.0) + 0.0 * t, 0.0 * t, 0.0 * t


COUNTED = Site(errors, [0.0], quadratic=True, steps=[(0.0, 1.0)])
BINARY = Site(None, (), [(1.0, 0.0), (-1.0, 0.0)], weight=True)
TERNARY = Site(None, (), [(-1.0, 0.0), (0.0, 0.0), (1.0, 0.0)], weight=True)


def dense(site: Site, omega: Array, variance: float) -> tuple[Array, Array]:
    """Lambda and its derivative."""
    if site.weight:
        heights = np.array([level + omega * t + 0.5 * variance * t**2 for t, level in site.points])
        return heights.max(axis=0), np.array([t for t, _ in site.points])[heights.argmax(axis=0)]
    close = (omega < 0.0) & (omega > -np.sqrt(2 * variance))
    height = np.where(omega >= 0.0, 0.0, np.where(close, -(omega**2) / (2 * variance), -1.0))
    return height, np.where(close, -omega / variance, 0.0)


def outer(z: Array, weight: Array, log_norm: Array, found: tuple[Array, ...]) -> tuple[Array, ...]:
    return np.vecdot(weight, log_norm), np.vecdot(weight, found[0] ** 2), np.vecdot(weight, found[1] * z)


def inner(_omega: Array, away: Array, _share: Array, _height: Array, slope: Array, _bend: Array) -> tuple[Array, ...]:
    return slope, slope**2 * away


CASES = [
    (COUNTED, 0.3, 1.0, 0.6, 2.0, 0.4),  # site, mean, root, spread, size, variance
    (COUNTED, 0.0, 0.7, 0.05, 8.0, 0.01),
    (COUNTED, -0.5, 1.2, 1.0, 0.01, 3.0),
    (BINARY, 0.0, 0.8, 0.5, 1.5, 0.0),
    (BINARY, 0.2, 0.1, 2.0, 3.0, 0.0),
    (TERNARY, 0.1, 0.2, 3.0, 8.0, -72.0),  # peaks of equal weight at 0 and +-72, and nothing pulls up to 36
]


@pytest.mark.parametrize(("site", "mean", "root", "spread", "size", "variance"), CASES)
def test_nested_averages(site: Site, mean: float, root: float, spread: float, size: float, variance: float) -> None:
    found = averages(outer, inner, None, site, Automatic(100), (mean, root), spread, size, variance, [])
    centre = mean + root * Z
    reach = 12.0 * spread + size * spread**2
    omega = np.linspace(centre[0] - reach, centre[-1] + reach, 20001)
    height, slope = dense(site, omega, variance)
    logs, first, second = (np.empty_like(Z) for _ in range(3))
    for i, c in enumerate(centre):
        exponent = size * height - (omega - c) ** 2 / (2 * spread**2)
        top = exponent.max()
        weight = np.exp(exponent - top)
        norm = weight.sum()
        logs[i] = top + np.log(norm * (omega[1] - omega[0]) / np.sqrt(2 * np.pi * spread**2))
        first[i], second[i] = weight @ slope / norm, weight @ (slope**2 * (omega - c)) / norm
    expected = [DZ @ logs, DZ @ first**2, DZ @ (second * Z)]
    # the sums cross jumps of the integrand: an error of a grid's step
    assert np.allclose(np.ravel(found), expected, rtol=2e-3, atol=2e-4 * (1 + np.max(np.abs(slope))))
    assert found[0] == pytest.approx(expected[0], abs=1e-6)


@pytest.mark.parametrize(("site", "mean", "root", "spread", "size", "variance"), CASES)
def test_refined_rules_agree(site: Site, mean: float, root: float, spread: float, size: float, variance: float) -> None:
    coarse, fine = (
        averages(outer, inner, None, site, rule, (mean, root), spread, size, variance, [])
        for rule in (Automatic(100), Automatic(100).refined())
    )
    assert np.ravel(coarse) == pytest.approx(np.ravel(fine), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("site", "mean", "root", "spread", "size", "variance"), CASES[:4])
def test_sums_over_jumps_are_derivatives_of_means(
    site: Site, mean: float, root: float, spread: float, size: float, variance: float
) -> None:
    """d/dc of a mean of a function that jumps by 1 at each break: the density there, and the weight's slope times it."""

    def step(omega: Array, away: Array, _share: Array, _height: Array, slope: Array, _bend: Array) -> tuple[Array, ...]:
        return slope, slope * away / spread**2, size * slope * slope

    def jumps(_omega: Array, _away: Array, below: Array, above: Array) -> tuple[Array, ...]:
        return (above - below,)

    def sums(_z: Array, weight: Array, _log: Array, found: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(np.vecdot(weight, part) for part in found)

    values = averages(
        sums,
        lambda *a: (*step(*a), a[5]),
        jumps,
        site,
        Automatic(100),
        (mean, 1e-12 * root),
        spread,
        size,
        variance,
        [],
    )
    slope, scored, squared, bend, kinks = np.ravel(values)
    # Stein: E[(omega - c) g e^w]/C = E[(g' + g w') e^w], g = Lambda' and w = mu Lambda
    assert scored == pytest.approx(bend + squared + kinks, rel=1e-9, abs=1e-10)
    assert np.isfinite(slope)
