"""Where pieces of a weight exchange dominance: against places known by symmetry, and by brute force on a grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinodal.numeric.takeovers import takeovers


def test_two_wells_exchange_where_symmetry_says_so() -> None:
    def wells(h):
        side = np.where(h < 0.0, -1.0, 1.0)
        return -0.5 * 50.0, 50.0, -50.0 * side  # -25 (h - side)^2

    ((centre, width),) = takeovers(wells, 0.2, [0.0], 0.3, 1.5)
    assert centre == pytest.approx([-0.2], abs=1e-10)  # omega = 0
    assert width == pytest.approx([0.2 / (2.0 / (1.0 + 1.0 / (50.0 * 0.2)) * 1.5)], rel=1e-6)


def test_a_hinge_has_no_exchange() -> None:
    def hinge(h):
        return np.where(h < 1.0, -100.0, 0.0), 0.0, np.where(h < 1.0, -100.0, 0.0)

    assert takeovers(hinge, 0.3, [1.0], 0.0, 1.0) == []


@given(st.lists(st.floats(-3.0, 3.0), min_size=2, max_size=4, unique=True), st.floats(0.05, 2.0))
def test_steps_of_the_highest_point_are_found_where_a_grid_sees_them(levels: list[float], variance: float) -> None:
    cuts = np.arange(len(levels) - 1) - 0.5

    def staircase(h):
        return 40.0 * np.asarray(levels)[np.searchsorted(cuts, h)], 0.0, 0.0

    found = np.sort([centre[0] for centre, _ in takeovers(staircase, variance, list(cuts), 0.0, 1.0)])
    z = np.linspace(-9.0, 9.0, 3601)
    h = np.linspace(-12.0, 12.0, 4801)
    best = h[np.argmax(staircase(h)[0] - 0.5 * (h - z[:, None]) ** 2 / variance, axis=1)]
    jumps = z[:-1][np.abs(np.diff(best)) > max(0.3, 1.2 * variance)]  # wider ones need no nodes of their own
    for jump in jumps:
        assert np.min(np.abs(found - jump), initial=9.0) < 0.03


def test_rows_have_exchanges_of_their_own() -> None:
    def wells(h):
        side = np.where(h < 0.0, -1.0, 1.0)
        return -25.0, 50.0, -50.0 * side

    offsets = np.array([[0.0], [0.3], [40.0]])
    ((centre, width),) = takeovers(wells, np.full((3, 1), 0.2), [np.zeros((3, 1))], offsets, np.ones((3, 1)))
    assert centre[:2] == pytest.approx([0.0, -0.3], abs=1e-10)
    assert width[2] == 1.0  # out of reach: no step
