"""Figures of loci."""

from __future__ import annotations

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from spinodal.numeric.results import Failure, Locus, SpecialPoint
from spinodal.plots import plot_locus, symbol


def locus(over, values, errors=1e-12):
    points = tuple(
        SpecialPoint(
            "zero-entropy",
            {"alpha": v, "kappa": k},
            {"q": 0.5},
            0.0,
            errors,
            bool(np.isfinite(v)),
            None if np.isfinite(v) else Failure("none", "none"),
        )
        for k, v in zip(over, values, strict=True)
    )
    return Locus(
        "binary-perceptron", "replica-symmetric", "zero-entropy", "alpha", "kappa" if len(points) > 1 else "", points
    )


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_writes_the_format_of_the_suffix(tmp_path, suffix):
    path = tmp_path / f"locus.{suffix}"
    before = dict(mpl.rcParams)
    plot_locus(locus([0.0, 0.5, 1.0], [0.83, np.nan, 0.4], errors=0.02), path)
    head = path.read_bytes()[:400]
    assert {"png": b"PNG", "svg": b"<svg", "pdf": b"%PDF"}[suffix] in head + path.read_bytes()[:2000]
    assert dict(mpl.rcParams) == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_refuses_what_is_no_curve(tmp_path):
    with pytest.raises(ValueError, match="single point"):
        plot_locus(locus([0.0], [0.83]), tmp_path / "a.png")
    with pytest.raises(ValueError, match="no point of this locus was located"):
        plot_locus(locus([0.0, 1.0], [np.nan, np.nan]), tmp_path / "a.png")
    with pytest.raises(ValueError, match="suffix says the format"):
        plot_locus(locus([0.0, 1.0], [0.8, 0.5]), tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("alpha", r"\alpha"),
        ("alpha_T", r"\alpha_{T}"),
        ("1/alpha", r"1/\alpha"),
        ("kappa", r"\kappa"),
        ("rho", r"\rho"),
        ("q_hat", r"\hat{q}"),
        ("q1", "q_{1}"),
        ("q1_hat", r"\hat{q}_{1}"),
        ("p_d_hat", r"\hat{p}_{d}"),
        ("Delta", r"\Delta"),
        ("noise", r"\mathrm{noise}"),
        ("kappa_ref", r"\kappa_{\mathrm{ref}}"),
    ],
)
def test_symbols(name, text):
    assert symbol(name) == text


@pytest.mark.parametrize(
    ("side", "inverse", "names"),
    [(-1, (), ["entropy $> 0$", "entropy $< 0$"]), (-1, ("alpha",), ["entropy $< 0$", "entropy $> 0$"])],
)
def test_the_sides_of_a_locus_are_named(tmp_path, monkeypatch, side, inverse, names):
    written = []
    monkeypatch.setattr("matplotlib.axes.Axes.text", lambda self, x, y, s, **_: written.append((y, s)))
    plot_locus(replace(locus([0.0, 0.5, 1.0], [0.83, 0.6, 0.4]), positive_side=side), tmp_path / "a.svg", inverse=inverse)
    assert [text for _, text in sorted(written)] == names


def test_a_parameter_may_be_drawn_by_its_inverse(tmp_path):
    path, inverse = tmp_path / "locus.svg", tmp_path / "inverse.svg"
    plot_locus(locus([0.0, 1.0], [0.8, 0.5]), inverse, inverse=["alpha"])
    plot_locus(locus([0.0, 1.0], [1.25, 2.0]), path)
    curve = '<g id="line2d_'  # the same curve on the same axis, under another label
    assert path.read_text(encoding="utf-8").count(curve) == inverse.read_text(encoding="utf-8").count(curve)
    with pytest.raises(ValueError, match="no point of this locus was located"):
        plot_locus(locus([0.0, 1.0], [0.0, 0.0]), path, inverse=["alpha"])
