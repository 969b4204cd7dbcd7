"""The conditional bivariate tail against mpmath."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from spinodal.numeric.bivariate import conditional_tail


def exact(x: float, y: float, r: float) -> float:
    with mp.workdps(40):
        x, y, r = mp.mpf(x), mp.mpf(y), mp.mpf(r)
        width = mp.sqrt(1 - r**2)
        points = sorted({y, max(y, mp.mpf(0)) + 1, max(y, mp.mpf(0)) + 4, max(y, mp.mpf(0)) + 12})
        joint = mp.quad(lambda t: mp.npdf(t) * mp.erfc((x - r * t) / width / mp.sqrt(2)) / 2, points)
        return float(joint / (mp.erfc(y / mp.sqrt(2)) / 2))


@pytest.mark.parametrize("r", [-0.85, -0.3, 0.0, 0.5, 0.85])
@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (1.5, -2.0), (-2.0, 3.0), (2.5, 8.0), (-4.0, -4.0)])
def test_against_mpmath(x: float, y: float, r: float) -> None:
    assert float(conditional_tail(x, y, r)) == pytest.approx(exact(x, y, r), abs=2e-13)


def test_certain_and_impossible() -> None:
    assert conditional_tail(-9.0, 1.0, 0.4) == pytest.approx(1.0, abs=1e-15)
    assert float(conditional_tail(9.0, 0.0, -0.5)) == pytest.approx(0.0, abs=1e-15)


def test_probabilities_stay_probabilities_far_out() -> None:
    x, y = np.meshgrid(np.linspace(-30, 30, 41), np.linspace(-30, 60, 41))
    for r in (-0.95, -0.2, 0.6, 0.95):
        values = conditional_tail(x, y, r)
        assert np.all((values >= 0.0) & (values <= 1.0))


def test_no_correlation_of_one() -> None:
    assert not np.isfinite(conditional_tail(0.0, 0.0, 1.1))
