"""Densities with several modes under a tilt, against closed forms: a mixture of Gaussians stays one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import logsumexp

from spinodal.numeric import modes
from spinodal.numeric.densities import density_nodes, log_mass
from spinodal.numeric.tilted import density_averages, density_cumulants

Array = NDArray[np.float64]
#: Weights, centres and standard deviations.
MIXTURES = [
    ((0.5, 0.5), (-3.0, 3.0), (0.16, 0.16)),
    ((0.5, 0.5), (0.0, 3.0), (1.0, 0.05)),
    ((0.9, 0.1), (0.0, 4.0), (1.0, 0.05)),
    ((0.5, 0.5), (0.0, 37.0), (1.0, 1e-4)),
    ((0.3, 0.3, 0.4), (-2.0, 0.5, 250.0), (1e-3, 2.0, 7.0)),
]


def _log_density(mixture: tuple[tuple[float, ...], ...], w: Array) -> Array:
    p, centre, width = (np.array(part) for part in mixture)
    logs = -(((w[..., None] - centre) / width) ** 2) / 2 - np.log(width) - 0.5 * np.log(2 * np.pi)
    return np.asarray(logsumexp(logs, b=p, axis=-1))


def _tilted(mixture: tuple[tuple[float, ...], ...], h: Array, v: float) -> tuple[Array, Array, Array]:
    """Log Z, mean and variance of p(w) exp(h w + v w^2/2) in closed form."""
    p, centre, width = (np.array(part) for part in mixture)
    k, field = 1 / width**2, h[..., None]
    square = (field**2 + 2 * field * centre * k + centre**2 * k * v) / (2 * (k - v))  # no large terms cancel
    logs = square - np.log(width * np.sqrt(k - v)) + np.log(p)
    total = logsumexp(logs, axis=-1)
    share, means = np.exp(logs - total[..., None]), (field + centre * k) / (k - v)
    mean = (share * means).sum(-1)
    return total, mean, (share * ((means - mean[..., None]) ** 2 + 1 / (k - v))).sum(-1)


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize(("v", "slope"), [(0.0, 0.0), (0.0, 0.3), (-0.5, 1.0), (-30.0, 40.0), (-1e5, 1e5)])
def test_tilted_mixtures_keep_the_mass_of_every_mode(mixture: tuple[tuple[float, ...], ...], v: float, slope: float) -> None:
    h = slope * np.linspace(-8.0, 8.0, 60)[None]
    places = [np.full((1, 1), c) for c in (0.0, *mixture[1])]
    got = density_cumulants(lambda w: _log_density(mixture, w), h, v, [], 2, places=places)
    for found, expected in zip(got, _tilted(mixture, h, v), strict=True):
        scale = 1.0 + np.abs(expected)
        assert np.abs((found - expected) / scale).max() < (1e-11 if v > -1e4 else 1e-8)


def test_averages_over_a_density_share_the_nodes_of_its_cumulants() -> None:
    mixture, h = MIXTURES[1], np.linspace(-3.0, 3.0, 40)[None]
    places = [np.full((1, 1), c) for c in (0.0, 3.0)]
    ((square,),) = density_averages(lambda w: _log_density(mixture, w), [lambda w: w * w], h, -0.2, [], places=places)
    _, mean, variance = _tilted(mixture, h, -0.2)
    assert np.abs(square - (mean**2 + variance)).max() < 1e-12


def test_rows_with_other_parameters_have_nodes_of_their_own() -> None:
    centre = np.array([2.0, 3.0, 5.0])[:, None]
    places = [np.zeros((3, 1)), centre, -centre]
    h = np.array([[0.5], [1.0], [2.0]]) * np.linspace(-2.0, 2.0, 30)
    deep = centre[..., None]

    def log_p(w: Array) -> Array:
        return np.asarray(np.logaddexp(-20 * (w - deep) ** 2, -20 * (w + deep) ** 2) - 0.5 * np.log(4 * np.pi / 20))

    got = density_cumulants(log_p, h, np.array([[-0.1], [0.0], [-3.0]]), [], 2, places=places)
    for row, (c, v) in enumerate(((2.0, -0.1), (3.0, 0.0), (5.0, -3.0))):
        sd = 1 / np.sqrt(40)
        expected = _tilted(((0.5, 0.5), (-c, c), (sd, sd)), h[row], v)
        for found, value in zip(got, expected, strict=True):
            assert np.abs(found[row] - value).max() < 1e-11


@pytest.mark.parametrize("slope", [1.5, 20.0, 300.0])
def test_modes_that_exchange_their_order_are_found_with_their_width(slope: float) -> None:
    """Of 0.8 at -c and 0.2 at c: log-odds 2 c h + log(0.2/0.8), so that tanh(c (h - h0)) is the mean over c."""
    c, sd = 3.0, 1e-3
    mixture = ((0.8, 0.2), (-c, c), (sd, sd))
    places = [np.full((1, 1), x) for x in (0.0, -c, c)]
    ((centre, width),) = modes.exchanges(lambda w: _log_density(mixture, w), 0.0, [], places, 0.1, slope)
    crossing = np.log(4.0) / (2 * c)
    assert centre[0] == pytest.approx((crossing - 0.1) / slope, abs=0.02 / slope)
    assert width[0] == pytest.approx(1 / (c * slope), rel=1e-2)


def test_densities_with_one_mode_exchange_nothing() -> None:
    assert modes.exchanges(lambda w: -w * w / 2, -0.5, [], [np.zeros((1, 1))], 0.0, 30.0) == []


@pytest.mark.parametrize("mixture", MIXTURES)
def test_nodes_of_a_teachers_density_have_all_of_its_moments(mixture: tuple[tuple[float, ...], ...]) -> None:
    p, centre, width = (np.array(part) for part in mixture)
    places = [np.full((1, 1), c) for c in centre]
    nodes, weights = density_nodes(lambda w: _log_density(mixture, w), [], 100, places)
    assert log_mass(lambda w: _log_density(mixture, w), [], places) == pytest.approx(0.0, abs=1e-12)
    for power, moment in ((0, 1.0), (1, p @ centre), (2, p @ (centre**2 + width**2))):
        assert (weights * nodes**power).sum() == pytest.approx(moment, rel=1e-12)


def test_a_teachers_density_whose_modes_are_connected_has_one_gauss_rule() -> None:
    nodes, weights = density_nodes(lambda w: -2 * (w**2 - 1) ** 2, [], 60, [0.0, 1.0, -1.0])
    assert nodes.shape == (1, 15)
    mass = quad(lambda w: np.exp(-2 * (w**2 - 1) ** 2), -5, 5, epsabs=0)[0]
    for power in (2, 8, 14):
        moment = quad(lambda w, k=power: w**k * np.exp(-2 * (w**2 - 1) ** 2), -5, 5, epsabs=0)[0] / mass
        assert (weights * nodes**power).sum() == pytest.approx(moment, rel=1e-10)


def test_rows_of_one_density_share_their_nodes_and_those_that_cannot_have_any_do_not_cost_the_others_theirs() -> None:
    mixture, places = MIXTURES[0], [np.full((6, 1), c) for c in (0.0, -3.0, 3.0)]
    offsets, v = np.array([-1.0, -0.5, 0.0, 0.4, 900.0, np.nan])[:, None], -0.7
    h = offsets + 0.8 * np.linspace(-8.0, 8.0, 60)
    variance = np.full((6, 1), v)
    variance[2] = np.nan
    shared = modes.shared_density_nodes(lambda w: _log_density(mixture, w), h, variance, [], places, nodes=80)
    assert shared is not None
    assert len({int(g) for g in shared.group[[0, 1, 3]]}) < 3  # neighbours
    assert shared.group[4] not in shared.group[[0, 1, 3]]  # far out
    assert list(shared.left) == [2, 5]
    got = density_cumulants(lambda w: _log_density(mixture, w), h, variance, [], 2, places=places)
    for found, expected in zip(got, _tilted(mixture, h, v), strict=True):
        for row in (0, 1, 3, 4):
            assert np.abs((found[row] - expected[row]) / (1.0 + np.abs(expected[row]))).max() < 1e-11


def test_exchanges_of_rows_with_one_slope_are_those_of_each_row() -> None:
    mixture = ((0.8, 0.2), (-3.0, 3.0), (1e-3, 1e-3))
    places = [np.full((1, 1), x) for x in (0.0, -3.0, 3.0)]
    offset = np.array([-60.0, -1.0, 0.0, 0.3, 2.0, 500.0, np.nan])
    steps = modes.exchanges(lambda w: _log_density(mixture, w), 0.0, [], places, offset, np.full((7, 1), 20.0))
    ((centre, width),) = steps
    expected = (np.log(4.0) / 6.0 - offset) / 20.0
    assert np.abs(centre[:5] - expected[:5]).max() < 1e-3
    assert np.allclose(width[:5], 1 / 60.0, rtol=1e-2)
    assert list(width[5:]) == [1.0, 1.0]  # too far out, and none
