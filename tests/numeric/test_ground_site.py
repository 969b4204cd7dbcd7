"""Averages over ground states of one site: closed forms, dense grids, several maxima, and honest error estimates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from spinodal.numeric import ground, runtime
from spinodal.numeric.ground import Site
from spinodal.numeric.quadrature import Automatic

MEAN, ROOT = 0.1, 1.3
RULE = Automatic(100)


def moments(z: Any, seen: Any, height: Any, slope: Any, bend: Any, weight: Any) -> tuple[Any, ...]:
    return tuple(runtime.dot(weight, part) for part in (height, slope, slope**2, seen, z * slope, bend))


def jumps(omega: Any, below: Any, above: Any) -> tuple[Any, ...]:
    return ((above - below) * norm.pdf((omega - MEAN) / ROOT) / ROOT,)


def positive(t: Any, _place: Any) -> Any:
    """Whether the maximiser is positive, where it is not held at 0."""
    return step(t)


def values(site: Site, variance: float, rule: Any = RULE) -> np.ndarray:
    site = replace(site, observed=site.observed or positive)
    return np.array([float(np.ravel(v)[0]) for v in ground.averages(moments, jumps, site, rule, MEAN, ROOT, variance, [])])


def step(x: Any) -> Any:
    return np.heaviside(x, 0.5)


def on_grid(level: Callable[[Any], Any], t: np.ndarray, variance: float, weight: bool) -> tuple[float, float, float]:
    z = np.linspace(-9, 9, 4001)
    omega, mass = MEAN + ROOT * z, np.exp(-z * z / 2)
    mass /= mass.sum()
    heights, slopes = np.empty_like(z), np.empty_like(z)
    for part in np.array_split(np.arange(z.size), 40):
        field = omega[part][:, None]
        value = level(t) + (field * t + variance * t * t / 2 if weight else -((t - field) ** 2) / (2 * variance))
        best = t[value.argmax(axis=1)]
        heights[part], slopes[part] = value.max(axis=1), best if weight else (best - omega[part]) / variance
    return float(mass @ heights), float(mass @ slopes), float(mass @ slopes**2)


GRID = np.linspace(-12, 12, 6001)
#: name: (site, V, the potential on a grid)
SITES = {
    "errors": (
        Site(lambda t, p: (-step(0.3 - p) + 0 * t, 0 * t, 0 * t), [np.array([0.3])], quadratic=True),
        2.0, lambda t: -1.0 * (t < 0.3 - 1e-9),
    ),
    "hinge": (
        Site(lambda t, p: (-(0.3 - t) * step(0.3 - p), step(0.3 - p) + 0 * t, 0 * t), [np.array([0.3])], quadratic=True),
        0.7, lambda t: -np.maximum(0, 0.3 - t),
    ),
    "absolute value and a step": (
        Site(lambda t, p: (-np.sign(p) * t - 0.5 * step(p - 1), -np.sign(p) + 0 * t, 0 * t),
             [np.array([1.0]), np.array([0.0])], quadratic=True),
        0.7, lambda t: -abs(t) - 0.5 * (t > 1 + 1e-9),
    ),
    "logistic": (
        Site(lambda t, p: (-np.logaddexp(0, -t), 1 / (1 + np.exp(t)), -1 / (2 + np.exp(t) + np.exp(-t))),
             steps=[(0.0, 1.0)]),
        2.7, lambda t: -np.logaddexp(0, -t),
    ),
    "two wells": (
        Site(lambda t, p: (-((t * t - 1) ** 2), -4 * t * (t * t - 1), 4 - 12 * t * t), steps=[(0.0, 1.0)]),
        1.7, lambda t: -((t * t - 1) ** 2),
    ),
    "bounded loss": (
        Site(lambda t, p: (np.tanh(3 * t), 3 / np.cosh(3 * t) ** 2, -18 * np.tanh(3 * t) / np.cosh(3 * t) ** 2),
             steps=[(0.0, 1.0)]),
        2.7, lambda t: np.tanh(3 * t),
    ),
    "cubic hinge": (
        Site(lambda t, p: (-((1 - t) ** 3) * step(1 - p), 3 * (1 - t) ** 2 * step(1 - p), -6 * (1 - t) * step(1 - p)),
             [np.array([1.0])], steps=[(-1.0, 1.0)]),
        2.7, lambda t: -(np.maximum(0, 1 - t) ** 3),
    ),
    "soft threshold": (
        Site(lambda t, p: (-0.4 * np.sign(p) * t, -0.4 * np.sign(p) + 0 * t, 0 * t), [np.array([0.0])], quadratic=True,
             weight=True),
        -0.7, lambda t: -0.4 * abs(t),
    ),
    "quartic weight in a convex field": (
        Site(lambda t, p: (-(t**4) / 4, -(t**3), -3 * t * t), weight=True, steps=[(0.0, 1.0)]), 0.7, lambda t: -(t**4) / 4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SITES)
def test_averages_are_those_of_the_global_maximum(name: str) -> None:
    site, variance, level = SITES[name]
    found = values(site, variance)
    # where the maximiser jumps a grid of fields is good to its spacing
    assert np.allclose(found[:3], on_grid(level, GRID, variance, site.weight), atol=8e-3)
    assert found[0] == pytest.approx(on_grid(level, GRID, variance, site.weight)[0], abs=5e-5)


@pytest.mark.parametrize("name", SITES)
def test_refinement_converges_and_estimates_the_error(name: str) -> None:
    site, variance, _ = SITES[name]
    # (what jumps at 0 needs a cut there)
    coarse, fine, finest = (np.delete(values(site, variance, Automatic(n)), 3) for n in (100, 200, 400))
    assert np.max(np.abs(fine - finest)) < 1e-9
    assert np.max(np.abs(coarse - finest)) <= 1.5 * np.max(np.abs(coarse - fine)) + 1e-14


@pytest.mark.parametrize("name", SITES)
def test_steins_identity_holds_with_the_jumps(name: str) -> None:
    site, variance, _ = SITES[name]
    _height, _slope, _square, _share, against_z, bend, jump = values(site, variance, Automatic(200))
    assert against_z / ROOT == pytest.approx(bend + jump, abs=1e-9)


def test_number_of_errors_in_closed_form() -> None:
    site, variance, _ = SITES["errors"]
    height, slope, square, share, *_ = values(site, variance)
    low, high = ((0.3 - x - MEAN) / ROOT for x in (np.sqrt(2 * variance), 0.0))
    x = np.linspace(low, high, 20001)
    pull = (0.3 - MEAN - ROOT * x) / variance
    w = norm.pdf(x)
    assert height == pytest.approx(-norm.cdf(low) - np.trapezoid(w * pull**2, x) * variance / 2, abs=1e-9)
    assert slope == pytest.approx(np.trapezoid(w * pull, x), abs=1e-9)
    assert square == pytest.approx(np.trapezoid(w * pull**2, x), abs=1e-9)
    assert share == pytest.approx(1 - norm.cdf(low), abs=1e-12)  # held at 0.3 > 0


def test_discrete_weights_of_any_order_and_tilt() -> None:
    points = [(1.0, 0.0), (-1.0, 0.1), (0.0, 0.4)]
    site = Site(None, points=[(np.array([t]), np.array([level])) for t, level in points], weight=True)
    table = dict(points)
    for variance in (-0.2, 0.9, 3.0):  # the middle value wins in a gap or nowhere
        found = values(site, variance)
        t = np.array(sorted(table))
        wanted = on_grid(lambda t: np.array([table[x] for x in t]), t, variance, True)
        assert np.allclose(found[:3], wanted, atol=8e-3)
        assert found[0] == pytest.approx(wanted[0], abs=2e-5)
        assert found[4] / ROOT == pytest.approx(found[6], abs=1e-12)


@pytest.mark.parametrize("cuts", [[0.0], [0.0, 0.0], [-0.4, 0.0, 0.0]])
def test_share_of_a_maximiser_held_at_zero(cuts: list[float]) -> None:
    # V = max(0, -h): held at 0 for -D < omega < 0, where it falls at rates 1 + omega/D to the left and -omega/D to the right
    variance = 0.8
    site = Site(
        lambda t, p: (t * step(-p), step(-p) + 0 * t, 0 * t), [np.array([c]) for c in cuts], quadratic=True,
        observed=lambda _t, p: step(p),
    )  # fmt: skip
    share = values(site, variance)[3]
    omega = np.linspace(-variance, 0.0, 20001)
    held = np.trapezoid((1 + omega / variance) * norm.pdf((omega - MEAN) / ROOT) / ROOT, omega)
    assert share == pytest.approx(held + norm.cdf(MEAN / ROOT), abs=1e-9)


def test_what_is_observed_of_a_maximiser_held_at_another_place() -> None:
    # V = 2|h - c|: held at c for |omega - c| < 2D; the function is h^2 below c and 3 above
    variance, c = 0.6, 0.35
    site = Site(
        lambda t, p: (-2 * np.abs(t - c) + 0 * p, 2 * np.sign(c - p) + 0 * t, 0 * t), [np.array([c])], quadratic=True,
        observed=lambda t, p: np.where(p < c, t * t, 3.0),
    )  # fmt: skip
    reach = 2 * variance
    omega = np.linspace(c - reach, c + reach, 200001)
    left, right = 2 + (omega - c) / variance, 2 - (omega - c) / variance  # the rates at which the weight falls off
    held = (c * c * right + 3.0 * left) / (left + right)
    density = norm.pdf((omega - MEAN) / ROOT) / ROOT
    below = np.linspace(MEAN - 12 * ROOT, c - reach, 200001)
    moved = np.trapezoid((below + reach) ** 2 * norm.pdf((below - MEAN) / ROOT) / ROOT, below)
    wanted = moved + np.trapezoid(held * density, omega) + 3.0 * norm.sf((c + reach - MEAN) / ROOT)
    assert values(site, variance)[3] == pytest.approx(wanted, abs=1e-8)


def test_rows_are_independent() -> None:
    site = Site(
        lambda t, p, k: (-step(k - p) + 0 * t, 0 * t, 0 * t), [np.array([0.3, -0.2, 0.3])], quadratic=True,
    )  # fmt: skip
    variances, cuts = np.array([2.0, 0.4, 2.0]), np.array([0.3, -0.2, 0.3])

    def one(z: Any, seen: Any, height: Any, slope: Any, bend: Any, weight: Any, _k: Any) -> tuple[Any, ...]:
        return (runtime.dot(weight, height),)

    (together,) = ground.averages(one, None, site, RULE, MEAN, ROOT, variances, [], cuts)
    assert np.allclose(together[[0, 2]], values(SITES["errors"][0], 2.0)[0], atol=1e-14)
    assert together[1] != together[0]
