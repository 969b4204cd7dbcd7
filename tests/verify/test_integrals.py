"""Integrals inside integrals, steps and extrema: values against closed forms and scipy, and estimates that are honest."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, optimize, special

from spinodal.verify.derivatives import derivative
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.parser import parse
from spinodal.verify.meaning import Meaning
from spinodal.verify.tree import Node

NAMES = {
    "q": np.array([0.37, 0.52]),
    "m": np.array([0.075, 0.42]),
    "a": np.array([40.0, 1000.0]),
    "b": np.array([0.3, -1.1]),
    "s": np.array([5.0, 7.5]),
}


def evaluated(text: str, names: dict[str, np.ndarray] | None = None) -> tuple[np.ndarray, float]:
    """Values of a piece of LaTeX, and their error estimate."""
    points = NAMES if names is None else names
    evaluator = Evaluator(points)
    return evaluator(resolved(text, points)), evaluator.error


def resolved(text: str, names: dict[str, np.ndarray]) -> Node:
    """A piece of LaTeX in model names and bound variables."""
    return Meaning({}, list(names)).resolve(parse(text))


q, m, a, b, s = (NAMES[k] for k in "qmabs")
C2 = a**2 / (1 + 2 * a**2)
CLOSED = [
    (r"\int Dx \log \int Dy\, e^{q x + s y}", s**2 / 2),
    (r"\int Dx \log \int Dy\, e^{s y^2/20} ", -0.5 * np.log(1 - s / 10)),
    (r"\int Dx\, \operatorname{erf}(a (x - b))", special.erf(-a * b / np.sqrt(1 + 2 * a**2))),
    (r"\int Dy \left[\int Dx\, \operatorname{erf}(a (x - y))\right]^2", 2 / np.pi * np.arcsin(2 * C2 / (1 + 2 * C2))),
    (r"\int Dy \left[\int Dx\, \theta(x - y)\right]^2", np.full(2, 1 / 3)),
    (r"\int Dx \int_{x}^\infty Dy \int Du\, y^2 u^2", np.full(2, 0.5)),
    (r"\int_0^\infty dx\, e^{-x^2} \int Dy\, e^{y x}", np.full(2, np.sqrt(np.pi / 2))),
    (r"\int Dx \frac{\int Dy\, y\, e^{s y + x y}}{\int Dy\, e^{s y + x y}}", s),
    (r"\int Dx \frac{\int Dy\, \cosh^{m}(s y)\tanh(s y)}{\int Dy\, \cosh^{m}(s y)}", np.zeros(2)),
    (r"1 - \int Dx \left(1 - 10^{-6} x^2\right)", np.full(2, 1e-6)),
    (r"\max_t\left[-\frac{t^2}{2} + q |t - b|\right] - q^2/2 ", q * np.abs(b)),
    (r"\int Dz\, \left(\arg\max_t\left[-\frac{t^2}{2} + s z t\right]\right)^2", s**2),
]


@pytest.mark.parametrize(("text", "exact"), CLOSED)
def test_values_and_estimates_of_integrals(text: str, exact: np.ndarray) -> None:
    text = text.replace("cosh^{m}", r"cosh^m")
    found, error = evaluated(text)
    deviation = np.abs(found - exact)
    assert np.all(deviation <= 1e-9 * np.maximum(np.abs(exact), 1e-3))
    assert np.all(deviation <= np.abs(exact) * (20 * error + 1e-13) + 1e-13)


def test_a_ratio_of_nested_integrals_agrees_with_scipy() -> None:
    """The average of one step of replica symmetry breaking, powers below zero included (Krauth and Mezard 1989)."""
    names = {"m": np.array([0.07]), "q_0": np.array([0.16]), "q_1": np.array([0.8]), "k": np.array([0.4])}
    u = r"\left(\frac{k + \sqrt{q_0} t_0 + \sqrt{q_1-q_0} t_1}{\sqrt{1-q_1}}\right)"
    found, error = evaluated(rf"\int Dt_0 \frac{{\int Dt_1 H{u}^{{m-2}} G{u}^2}}{{\int Dt_1 H{u}^m}}", names)

    def ratio(t0: float) -> float:
        def inside(t1: float, derived: bool) -> float:
            x = (0.4 + 0.4 * t0 + 0.8 * t1) / np.sqrt(0.2)
            log_tail = special.log_ndtr(-x)
            mills = np.exp(-x * x / 2 - log_tail) / np.sqrt(2 * np.pi)
            return float(np.exp(0.07 * log_tail - t1 * t1 / 2) * (mills**2 if derived else 1.0))

        above, below = (integrate.quad(inside, -11, 11, (d,), epsabs=0, epsrel=1e-11, limit=200)[0] for d in (True, False))
        return float(np.exp(-t0 * t0 / 2) / np.sqrt(2 * np.pi) * above / below)

    exact = integrate.quad(ratio, -9, 9, epsabs=0, epsrel=1e-9, limit=100)[0]
    assert found[0] == pytest.approx(exact, rel=1e-9)
    assert error < 1e-12


@pytest.mark.parametrize("spread", [0.5, 3.0, 20.0, 400.0])
def test_maximisers_of_sharp_functions_are_accurate(spread: float) -> None:
    """t* of infinitely many replicas at any distance of their levels."""
    names = {"d": np.array([spread]), "q": np.array([0.87]), "h": np.array([-1.3])}
    function = r"-\frac{t^2}{2} + \log H\left(\frac{h - \sqrt{d} t}{\sqrt{1-q}}\right)"
    found, error = evaluated(rf"\arg\max_t\left[{function}\right]", names)

    def slope(t: float) -> float:
        x = (-1.3 - np.sqrt(spread) * t) / np.sqrt(0.13)
        return -t + np.sqrt(spread / 0.13) * np.exp(-x * x / 2 - special.log_ndtr(-x)) / np.sqrt(2 * np.pi)

    assert found[0] == pytest.approx(optimize.brentq(slope, -50, 50, xtol=1e-15), rel=1e-12)
    assert error < 1e-12


def hinge_envelope(z: float, gap: float, kappa: float) -> float:
    """The smallest value of (h-z)^2/(2 gap) + max(0, kappa - h) over h."""
    below = kappa - z
    return 0.0 if below < 0 else below**2 / (2 * gap) if below < gap else below - gap / 2


GAP, KAPPA = 1.88791, 0.468429


@pytest.mark.parametrize(
    ("function", "corners"),
    [
        (r"\min_h\left[\frac{(h-z)^2}{2c}+\max(0,k-h)\right]", "hinge"),
        (r"\min_h\left[\frac{(h-z)^2}{2c}+(k-h)\Theta(k-h)\right]", "hinge"),
        (r"(-1)\max_h\left[-\frac{(h-z)^2}{2c}-\max(0,k-h)\right]", "hinge"),
        (r"\min_t\left[\frac{t^2}{2}+\max(0,k-z-\sqrt c t)\right]", "hinge"),
        (r"\min_h\left[\frac{(h-z)^2}{2c}+\Theta(k-h)\right]", "count"),
    ],
)
def test_extrema_of_functions_with_kinks_and_jumps_are_exact(function: str, corners: str) -> None:
    def envelope(z: float) -> float:
        if corners == "hinge":
            return hinge_envelope(z, GAP, KAPPA)
        return min(1.0, max(0.0, KAPPA - z) ** 2 / (2 * GAP))

    edge = KAPPA - (GAP if corners == "hinge" else np.sqrt(2 * GAP))
    exact, _ = integrate.quad(
        lambda z: np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * envelope(z), -12, 12, points=[edge, KAPPA], epsabs=1e-13
    )
    names = {"c": np.array([GAP]), "k": np.array([KAPPA])}
    found, error = evaluated(rf"\int Dz\, {function}", names)
    assert abs(found[0] - exact) < 1e-11
    assert abs(found[0] - exact) <= exact * (20 * error + 1e-13)
    assert error < 1e-9


def test_the_place_of_an_extremum_at_a_kink_is_the_kink() -> None:
    names = {"z": np.array([0.1, 0.468429 - 1e-9, -3.0]), "c": np.full(3, GAP), "k": np.full(3, KAPPA)}
    found, error = evaluated(r"\arg\min_h\left[\frac{(h-z)^2}{2c}+\max(0,k-h)\right]", names)
    assert np.allclose(found, [KAPPA, KAPPA, -3.0 + GAP], rtol=0, atol=1e-13)
    assert error < 1e-13


def test_a_minimum_over_a_function_that_is_not_smooth_inside_an_integral_has_an_honest_estimate() -> None:
    # no derivative is known: the limit of the integral moves
    names = {"b": np.array([0.4])}
    found, error = evaluated(r"\max_t\left[-\frac{(t-b)^2}{2} + \int_t^\infty Dz\right]", names)

    def function(t: float) -> float:
        return (t - 0.4) ** 2 / 2 - special.ndtr(-t)

    exact = -optimize.minimize_scalar(function, bounds=(-2, 2), method="bounded", options={"xatol": 1e-12}).fun
    assert abs(found[0] - exact) <= abs(exact) * (20 * error + 1e-13)
    assert error < 1e-8


def test_the_higher_of_two_close_maxima_is_taken() -> None:
    """Near a first-order jump a grid's points rank maxima wrongly; here they differ by 1e-6."""
    names = {"v": np.array([1e-6, -1e-6])}
    found, _ = evaluated(r"\arg\max_t\left[-\frac{t^2}{2} + \log 2\cosh(4.02 t) + v t\right]", names)
    assert np.sign(found[0]) == 1.0
    assert np.sign(found[1]) == -1.0
    assert abs(found[0]) == pytest.approx(4.02, rel=1e-4)


def test_an_average_across_a_jump_of_the_maximiser() -> None:
    """E tanh^2(h + t*): its maximiser jumps at h = 0; scipy integrates the half line, where it is smooth."""
    names = {"g": np.array([1.7])}
    found, error = evaluated(
        r"\int Dz\, \left(\arg\max_t\left[-\frac{t^2}{2} + \log 2\cosh(0.3 z + g t)\right]\right)^3 z", names
    )

    def place(z: float) -> float:
        return float(optimize.brentq(lambda t: t - 1.7 * np.tanh(0.3 * z + 1.7 * t), 0.05, 3, xtol=1e-15))

    half = integrate.quad(lambda z: np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * place(z) ** 3 * z, 0, 12, epsabs=1e-13)[0]
    assert found[0] == pytest.approx(2 * half, rel=1e-9)
    assert error < 1e-7


def test_an_average_across_a_kink_has_an_honest_estimate() -> None:
    """The prior's envelope is steeper than its parabola, d > 1: a kink at z = 0, where panels may agree by accident."""
    names = {"c": np.array([0.0016, 0.025, 0.49]), "d": np.array([1.43, 1.62, 1.33])}
    found, error = evaluated(r"\int Dz \max_t\left[-\frac{t^2}{2} + \log 2\cosh(\sqrt{c} z + \sqrt{d} t)\right]", names)

    def envelope(z: float, c: float, d: float) -> float:
        t = optimize.brentq(lambda t: t - np.sqrt(d) * np.tanh(np.sqrt(c) * z + np.sqrt(d) * t), 0.1, 2, xtol=1e-15)
        x = np.sqrt(c) * z + np.sqrt(d) * t
        return float(np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * (-t * t / 2 + np.logaddexp(x, -x)))

    pairs = zip(names["c"], names["d"], strict=True)
    exact = np.array([2 * integrate.quad(envelope, 0, 12, pair, epsabs=1e-14, epsrel=1e-13)[0] for pair in pairs])
    deviation = np.abs(found / exact - 1)
    assert np.all(deviation < 1e-10)
    assert np.all(deviation <= 10 * error + 1e-13)


@pytest.mark.parametrize(
    "text",
    [
        r"\tanh(s t) \log(2 + t^2) e^{-t}",
        r"\frac{H(t)}{G(t) + 1} - \operatorname{erfc}(t)^3",
        r"\log H(3 t - 1)",
        r"\int Dz\, \tanh^2(t z + b)",
        r"\sum_{w=\pm1} \cosh(t w + q) w",
        r"\sqrt{1 + t^2} \sin t \arctan t + \arccos(t/9)",
        r"(1 + t^2)^{t}",
    ],
)
def test_derivatives_of_trees_agree_with_differences(text: str) -> None:
    names = {**NAMES, "t": np.array([0.4, -0.7])}
    tree = derivative(resolved(text, names), "@t")
    values = Evaluator(names)(tree)
    h = 1e-3
    near = [Evaluator({**names, "t": names["t"] + k * h})(resolved(text, names)) for k in (-2, -1, 1, 2)]
    assert values == pytest.approx((near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * h), rel=1e-7)
