"""Rows of inner averages on nodes that they share, against mpmath, closed forms and the search of each peak."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinodal.numeric import tilted
from spinodal.numeric.interval import log_mass_derivatives
from spinodal.numeric.shared_nodes import FEWEST, shared_nodes

ROW = np.linspace(-6.0, 6.0, 40)[None, :]


def shared(log_f, omega, variance, splits=(), order=4, nodes=80):
    """log_average, where the row must not have been declined."""
    cuts = [np.full((len(omega), 1), split) for split in splits]
    assert shared_nodes(log_f, omega, np.sqrt(variance), cuts, nodes) is not None
    return tilted.log_average(log_f, omega, variance, splits, order, nodes=nodes)


def moments_of(log_f, omega, variance, splits):
    """Log Z and its first two derivatives in omega, by mpmath on the pieces between splits."""
    with mp.workdps(25):
        sigma = mp.sqrt(variance)
        cuts = sorted({mp.mpf(-14) + omega, *(mp.mpf(s) for s in splits), mp.mpf(omega), mp.mpf(14) + omega})

        def moment(k):
            return mp.quad(lambda h: mp.exp(log_f(h) - (h - omega) ** 2 / (2 * variance)) * ((h - omega) / sigma) ** k, cuts)

        z, first, second = moment(0), moment(1), moment(2)
        mean = first / z
        return (
            float(mp.log(z / (sigma * mp.sqrt(2 * mp.pi)))),
            float(mean / sigma),
            float((second / z - mean**2 - 1) / variance),
        )


@pytest.mark.parametrize("power", [0.7, 1.0, 1.5, 2.5])
@pytest.mark.parametrize("variance", [0.3, 2.0])
def test_powers_of_a_distance_are_as_accurate_as_smooth_losses(power, variance):
    got = shared(lambda h: -2.0 * np.abs(h - 0.4) ** power, ROW, np.array([[variance]]), [0.4], 2)
    for i in (0, 13, 21, 39):
        expected = moments_of(lambda h: -2 * abs(h - mp.mpf("0.4")) ** power, ROW[0, i], variance, [0.4])
        np.testing.assert_allclose([part[0, i] for part in got], expected, rtol=2e-10, atol=2e-11)


@pytest.mark.parametrize("slope", [1.0, 8.0, 60.0])
def test_steep_sigmoids_need_no_declared_splits(slope):
    got = shared(lambda h: -((0.5 - np.tanh(slope * h)) ** 2) / 0.2, ROW, np.ones((1, 1)), (), 2)
    for i in (2, 19, 30):
        expected = moments_of(
            lambda h: -((mp.mpf("0.5") - mp.tanh(slope * h)) ** 2) * 5,
            ROW[0, i],
            1.0,
            [k / slope for k in (-4, -1, 0, 1, 4)],
        )
        np.testing.assert_allclose([part[0, i] for part in got], expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("centre", [0.5, 6.0, 74.0])
def test_wells_that_fall_between_nodes_are_found(centre):
    """Log f is a polynomial that few nodes know, f is not: at y = 74 its wells are a hundredth wide."""
    omega = 0.01 * ROW
    got = shared(lambda h: -5.0 * (centre - h * h) ** 2, omega, np.ones((1, 1)), (), 2)
    wells = [sign * centre**0.5 for sign in (-1, 1)]
    edges = [well + side * width for well in wells for width in (0.1, 0.4) for side in (-1, 1)]
    for i in (0, 20):
        expected = moments_of(lambda h: -5 * (centre - h * h) ** 2, omega[0, i], 1.0, [*wells, *edges])
        np.testing.assert_allclose([part[0, i] for part in got], expected, rtol=1e-9, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(st.floats(-1.0, 1.0), st.floats(-1.5, 1.0), st.floats(-20.0, 20.0))
def test_square_losses_in_closed_form(log_beta, log_variance, origin):
    beta, variance = 10**log_beta, 10**log_variance
    omega = origin + ROW * np.sqrt(variance)
    got = shared(lambda h: -0.5 * beta * (h - origin - 1.0) ** 2, omega, np.array([[variance]]))
    s, distance = 1.0 + beta * variance, omega - origin - 1.0
    expected = [
        -0.5 * np.log(s) - 0.5 * beta * distance**2 / s,
        -beta * distance / s,
        np.full(omega.shape, -beta / s),
        0.0,
        0.0,
    ]
    for k, (a, b) in enumerate(zip(got, expected, strict=True)):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11 * variance ** (-k / 2))


def test_every_row_has_its_own_variance_label_and_splits():
    omega, edge = np.stack([ROW[0], ROW[0] / 3.0]), np.array([[0.2], [-1.0]])
    variance = np.array([[1.0], [0.05]])
    got = tilted.log_average(lambda h: np.where(h > edge[..., None], 0.0, -2.0), omega, variance, [edge], 4)
    for row in range(2):
        bound = edge[row, 0]
        expected = log_mass_derivatives(omega[row], variance[row, 0], [(-np.inf, bound), (bound, np.inf)], [-2.0, 0.0], 4)
        for k, (a, b) in enumerate(zip(got, expected, strict=True)):
            np.testing.assert_allclose(a[row], b, rtol=1e-10, atol=1e-11 * variance[row, 0] ** (-k / 2))


def test_tilted_averages_and_their_derivatives_agree_with_the_search(monkeypatch):
    def run():
        return tilted.tilted_averages(
            lambda h: -np.abs(h) / 0.3, [np.sign, lambda h: h * h], ROW, np.full((1, 1), 0.6), [0.0], 4, 2, nodes=320
        )

    together = run()
    monkeypatch.setattr(tilted, "_on_shared_nodes", lambda *_: None)
    apart = run()
    for a, b in zip((together[0], *together[1]), (apart[0], *apart[1]), strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-11)


def test_more_nodes_converge_and_their_change_is_the_error():
    def log_f(h):
        return -(np.abs(h - 0.123) ** 0.3)  # its split is not declared at the kink but beside it

    results = [tilted.log_average(log_f, ROW, np.ones((1, 1)), [0.124], 2, nodes=n) for n in (80, 320, 20480)]
    errors = [max(np.abs(a - b).max() for a, b in zip(one, results[-1], strict=True)) for one in results[:-1]]
    change = max(np.abs(a - b).max() for a, b in zip(*results[:2], strict=True))
    assert errors[1] < errors[0]
    assert errors[0] < 3.0 * change


@pytest.mark.parametrize(
    ("omega", "variance", "log_f"),
    [
        (ROW * 100.0, 1e-4, lambda h: -h * h),  # hundreds of panels
        (ROW, 1.0, lambda h: 1e6 * np.cos(h)),  # log f beyond what doubles resolve
        (ROW, 1.0, lambda h: np.full(h.shape, -np.inf)),  # no mass
        (ROW, 1.0, lambda h: -np.abs(h - np.zeros((1, ROW.size, 1)))),  # a label that is integrated in the row
        (np.full((1, 40), np.nan), 1.0, lambda h: -h * h),
    ],
)
def test_rows_for_which_sharing_is_not_meant_are_declined(omega, variance, log_f):
    assert shared_nodes(log_f, omega, np.full((1, 1), variance**0.5), [], 80) is None


def test_few_fields_are_searched_one_by_one(monkeypatch):
    def refuse(*_):
        raise AssertionError("asked for shared nodes")

    monkeypatch.setattr(tilted, "shared_nodes", refuse)
    tilted.log_average(lambda h: -h * h, ROW[:, : FEWEST - 1], np.ones((1, 1)))


@settings(max_examples=40, deadline=None)
@given(
    width=st.floats(0.02, 1.0),
    centre=st.floats(-4.0, 4.0),
    deviation=st.floats(0.2, 0.5),
    slope=st.floats(0.5, 4.0),
)
def test_fields_far_from_where_a_rows_nodes_crowd_are_as_accurate_as_those_there(width, centre, deviation, slope):
    """Rules for steps crowd their nodes: few fields of a row lie far out, and their panels are their own."""
    far = np.array([-8.9, -7.4, -5.6, -5.1, 4.9, 5.5, 7.3, 8.8])
    omega = np.concatenate([centre + width * np.linspace(-1.0, 1.0, 200), far])[None]
    got = shared(lambda h: -2.0 * np.logaddexp(0.0, -slope * h), omega, np.array([[deviation**2]]), (), 2)
    t, weights = np.polynomial.hermite_e.hermegauss(120)
    h = far[:, None] + deviation * t
    mass = np.exp(-2.0 * np.logaddexp(0.0, -slope * h)) * weights / np.sqrt(2.0 * np.pi)
    mean, square = ((mass * t**k).sum(1) / mass.sum(1) for k in (1, 2))
    np.testing.assert_allclose(got[0][0, -8:], np.log(mass.sum(1)), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(got[1][0, -8:], mean / deviation, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(got[2][0, -8:], (square - mean**2 - 1.0) / deviation**2, rtol=1e-8, atol=1e-8)
