"""Outer Gaussian averages: the rules converge, and their error estimates are honest (asserted separately)."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinodal.numeric import quadrature, special
from spinodal.numeric.quadrature import Automatic, EvenTrapezoid, GaussHermite, SinhPanels, SinhTrapezoid

# Integrands f(u), u = (z - c)/w, by what makes them hard.
LOCALISED = {  # of width w around the step
    "G^2": lambda u: special.gaussian(u) ** 2,
    "H log H": lambda u: special.gaussian_tail(u) * special.log_gaussian_tail(u),
}
SATURATING = {"tanh^2": lambda u: np.tanh(u) ** 2}  # matter everywhere, with a notch at the step
GROWING = {"log 2cosh": special.log_two_cosh, "Mills^2": lambda u: special.mills(u) ** 2}  # up to (8/w)^2
BOUNDED = LOCALISED | SATURATING
ALL = BOUNDED | GROWING


def dense(f, steps):
    """An independent reference, E f(z) and E|f(z)|: many Gauss-Legendre panels, geometrically refined at all steps."""
    s, weights = np.polynomial.legendre.leggauss(40)
    cuts = [np.linspace(-9.5, 9.5, 30)]
    for c, w in steps:
        distance = np.geomspace(1e-2 * w, 30, 40)
        cuts += [c + distance, c - distance, [c]]
    edges = np.unique(np.clip(np.concatenate(cuts), -9.5, 9.5))
    half, middle = 0.5 * np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    z = middle[:, None] + half[:, None] * s
    terms = f(z) * special.gaussian(z) * weights * half[:, None]
    return terms.sum(), np.abs(terms).sum()


def apply(rule, f, steps):
    z, weights = rule.nodes([np.array([c]) for c, _ in steps], [np.array([w]) for _, w in steps])
    return float((weights * f(z)).sum())


def at_step(f, c, w):
    return lambda z: f((z - c) / w)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("c", [0.0, 0.37, -2.2, 5.5, 9.0, -50.0])
@pytest.mark.parametrize("w", [0.01, 0.1, 1.0, 100.0, 1e8])
def test_trapezoid_reaches_rounding_with_100_nodes(name, c, w):
    f = at_step(ALL[name], c, w)
    exact, size = dense(f, [(c, w)])
    assert abs(apply(SinhTrapezoid(100), f, [(c, w)]) - exact) <= 2e-13 * max(size, 1.0)


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("c", [0.0, -1.3, 4.0])
@pytest.mark.parametrize("w", [1e-3, 1e-6])
def test_narrower_steps_converge_with_more_nodes(name, c, w):
    f = at_step(BOUNDED[name], c, w)
    exact, _ = dense(f, [(c, w)])
    errors = [abs(apply(SinhTrapezoid(n), f, [(c, w)]) - exact) for n in (50, 100, 200)]
    assert errors[1] <= max(1e-2 * errors[0], 1e-14)
    assert errors[1] <= 1e-8
    assert errors[2] <= 1e-14


@pytest.mark.parametrize(("name", "a", "b"), [("G^2", 50.0, 20.0), ("H log H", 7.0, -3.0), ("tanh^2", 30.0, 11.0)])
def test_against_mpmath(name, a, b):
    functions = {
        "G^2": lambda u: mp.npdf(u) ** 2,
        "H log H": lambda u: mp.erfc(u / mp.sqrt(2)) / 2 * mp.log(mp.erfc(u / mp.sqrt(2)) / 2),
        "tanh^2": lambda u: mp.tanh(u) ** 2,
    }
    c = -b / a
    cuts = sorted({-10.0, *(c + k / a for k in (-30, -8, -3, 0, 3, 8, 30)), 10.0})
    with mp.workdps(25):
        exact = float(mp.quad(lambda z: mp.npdf(z) * functions[name](a * z + b), cuts))
    value = apply(SinhTrapezoid(100), lambda z: ALL[name](a * z + b), [(c, 1 / a)])
    assert value == pytest.approx(exact, abs=2e-13)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(BOUNDED)), st.floats(-12, 12), st.floats(-8, 3), st.sampled_from([50, 70, 100]))
def test_trapezoid_estimate_is_honest(name, c, log_w, n):
    w = 10.0**log_w
    f = at_step(BOUNDED[name], c, w)
    exact, size = dense(f, [(c, w)])
    rule = SinhTrapezoid(n)
    coarse, fine = apply(rule, f, [(c, w)]), apply(rule.refined(), f, [(c, w)])
    estimate = quadrature.average_error(coarse, fine, size)
    # 3e-16: the width over which a step far narrower than any node spacing is allowed to be smeared.
    assert abs(fine - exact) <= estimate + 3e-16
    assert abs(coarse - exact) <= 2 * estimate + 3e-16


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("c", [0.0, 0.37, -2.2, 9.0, -50.0])
@pytest.mark.parametrize("n", [40, 100, 200])
@pytest.mark.parametrize("scale", [1.0, 2.0, 1e6])
def test_even_nodes_reach_rounding_for_the_steps_they_resolve(name, c, n, scale):
    w = scale * 80.0 / n
    rule = EvenTrapezoid(n)
    assert rule.resolves([w])
    assert not rule.resolves([w, 0.99 * 80.0 / n])
    f = at_step(ALL[name], c, w)
    exact, size = dense(f, [(c, w)])
    assert abs(apply(rule, f, [(c, w)]) - exact) <= 1e-14 * max(size, 1.0)


def test_even_nodes_are_chosen_for_wide_steps_only():
    wide, narrow = (np.array([1.0, 2.0]), np.array([1.0, 0.1]))
    assert Automatic(100).choose([wide, wide + 1], [wide, wide])[0] == EvenTrapezoid(100)
    assert Automatic(100).choose([wide], [narrow])[0] == SinhTrapezoid(100)
    assert not EvenTrapezoid(100).resolves([np.array([np.nan])])
    z, weights = Automatic(100).nodes([wide, wide + 1], [wide, wide])
    assert z.shape == weights.shape == (2, 100)


STEPS = st.lists(st.tuples(st.floats(-6, 6), st.floats(-4, 2)), min_size=2, max_size=3)


def several(names, steps):
    return lambda z: np.prod([1.0 + ALL[name]((z - c) / w) for name, (c, w) in zip(names, steps, strict=True)], axis=0)


@settings(max_examples=50, deadline=None)
@given(STEPS, st.sampled_from(sorted(BOUNDED)))
def test_panels_converge_and_are_honest(drawn, name):
    steps = [(c, 10.0**log_w) for c, log_w in drawn]
    f = several([name] * len(steps), steps)
    exact, size = dense(f, steps)
    coarse, fine = (apply(SinhPanels(n), f, steps) for n in (60, 120))
    assert abs(coarse - exact) <= 1e-6 * size
    assert abs(fine - exact) <= 1e-10 * size
    assert abs(fine - exact) <= quadrature.average_error(coarse, fine, size) + 1e-15


def test_panels_resolve_a_narrow_step_inside_a_wide_one():
    steps = [(0.3, 1e-3), (0.3005, 1.0), (-2.0, 0.05)]
    f = several(["tanh^2", "G^2", "H log H"], steps)
    exact, _ = dense(f, steps)
    errors = [abs(apply(SinhPanels(n), f, steps) - exact) for n in (30, 60, 120)]
    assert errors[2] <= 1e-14
    assert errors[1] <= max(1e-3 * errors[0], 1e-14)


def test_batches_are_treated_one_by_one():
    c, w = np.array([0.0, -3.0, 60.0]), np.array([0.1, 1e-7, 2.0])
    for rule, steps in ((SinhTrapezoid(30), 1), (SinhPanels(20), 2)):
        centres, widths = [c, -c][:steps], [w, w][:steps]
        z, weights = rule.nodes(centres, widths)
        assert z.shape == weights.shape == (3, rule.n * steps)
        assert np.all(np.isfinite(z))
        assert np.all(np.isfinite(weights))
        for k in range(3):
            single = rule.nodes([x[k : k + 1] for x in centres], [x[k : k + 1] for x in widths])
            np.testing.assert_allclose(z[k], single[0][0], atol=1e-14)
            np.testing.assert_allclose(weights[k], single[1][0], rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("rule", [GaussHermite(30), SinhTrapezoid(60), SinhPanels(40), Automatic(60)])
def test_moments(rule):
    z, weights = rule.nodes([0.7], [3.0])
    for k, moment in ((0, 1), (1, 0), (2, 1), (4, 3), (6, 15)):
        assert (weights * z**k).sum() == pytest.approx(moment, abs=1e-12)


def test_automatic_chooses_and_merges():
    c = np.array([0.0, 1.0])
    rule = Automatic(40)
    assert rule.choose([], [])[0] == GaussHermite(40)
    assert rule.choose([c], [c + 1])[0] == SinhTrapezoid(40)
    chosen, centres, widths = rule.choose([c, c.copy()], [np.array([0.5, 0.1]), np.array([0.2, 3.0])])
    assert chosen == SinhTrapezoid(40)
    assert len(centres) == 1
    np.testing.assert_array_equal(widths[0], [0.2, 0.1])
    assert rule.choose([c, c + 1, c], [c, c, c])[0] == SinhPanels(40)
    assert rule.nodes([], [])[0].shape == (1, 40)
    assert rule.nodes([c, c + 1], [1.0, 1.0])[0].shape == (2, 80)
    assert rule.refined() == Automatic(80)


def test_gauss_hermite_estimate_reports_a_step_it_sees_badly():
    f = at_step(LOCALISED["G^2"], 0.1, 0.2)
    exact, size = dense(f, [(0.1, 0.2)])
    coarse, fine = (apply(GaussHermite(n), f, [(0.1, 0.2)]) for n in (20, 40))
    assert abs(fine - exact) > 1e-3 * exact
    assert abs(fine - exact) <= quadrature.average_error(coarse, fine, size)


def test_gauss_hermite_misses_a_narrow_step_without_noticing():
    """Why the steps are declared: both rules fall between the nodes, and agree that there is nothing."""
    f = at_step(LOCALISED["G^2"], 0.1, 0.02)
    exact, size = dense(f, [(0.1, 0.02)])
    coarse, fine = (apply(GaussHermite(n), f, [(0.1, 0.02)]) for n in (40, 80))
    assert abs(fine - exact) > 0.9 * exact
    assert quadrature.average_error(coarse, fine, size) < 1e-3 * exact
    rule = SinhTrapezoid(40)
    coarse, fine = (apply(r, f, [(0.1, 0.02)]) for r in (rule, rule.refined()))
    assert abs(fine - exact) <= quadrature.average_error(coarse, fine, size) < 1e-4 * exact


def test_gauss_legendre_is_exact_to_rounding():
    for n in (2, 33, 60, 120, 400):
        s, weights = quadrature.gauss_legendre(n)
        assert weights.sum() == pytest.approx(2.0, abs=5e-15)
        assert (weights * s**2).sum() == pytest.approx(2 / 3, abs=2e-15)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="takes one step"):
        SinhTrapezoid(10).nodes([0.0, 1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="2 centres but 1 widths"):
        SinhPanels(10).nodes([0.0, 1.0], [1.0])
