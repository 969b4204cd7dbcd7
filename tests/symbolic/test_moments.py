"""Moments of activations against mpmath, closed forms and quadrature alike."""

from __future__ import annotations

import mpmath
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.formulas import generic_values
from spinodal.symbolic.functions import Tail
from spinodal.symbolic.moments import activation_moments

X = sp.Symbol("x", real=True)


def direct(function: object, cuts: tuple[float, ...] = ()) -> tuple[mpmath.mpf, mpmath.mpf]:
    """(kappa_1, kappa_*^2) by quadrature with 30 digits."""
    with mpmath.workdps(30):
        points = sorted({mpmath.mpf(c) for c in (-14, -4, -1, 0, 1, 4, 14, *cuts)})

        def expectation(f: object) -> mpmath.mpf:
            return mpmath.quad(lambda z: f(z) * mpmath.npdf(z), points)  # type: ignore[operator]

        mean, linear = expectation(function), expectation(lambda z: z * function(z))  # type: ignore[operator]
        return linear, expectation(lambda z: function(z) ** 2) - mean**2 - linear**2  # type: ignore[operator]


ACTIVATIONS = {
    "sign": (sp.sign(X), mpmath.sign, ()),
    "relu": (sp.Max(0, X), lambda z: max(z, 0), ()),
    "leaky relu": (sp.Max(X / 10, X), lambda z: max(z / 10, z), ()),
    "tanh": (sp.tanh(X), mpmath.tanh, ()),
    "erf": (sp.erf(X), mpmath.erf, ()),
    "scaled erf": (sp.erf(X / sp.sqrt(2)), lambda z: mpmath.erf(z / mpmath.sqrt(2)), ()),
    "shifted step": (sp.Heaviside(X - sp.Rational(1, 2)), lambda z: mpmath.mpf(z > 0.5), (0.5,)),
    "softplus": (sp.log(1 + sp.exp(X)), lambda z: mpmath.log1p(mpmath.exp(z)), ()),
    "sine": (sp.sin(2 * X), lambda z: mpmath.sin(2 * z), ()),
    "cubic": (X**3 - X / 2, lambda z: z**3 - z / 2, ()),
    "exponential": (sp.exp(X / 2), lambda z: mpmath.exp(z / 2), ()),
    "absolute": (sp.Abs(X), abs, ()),
    "clipped": (sp.Min(1, sp.Max(-1, X)), lambda z: min(1, max(-1, z)), (-1, 1)),
    "bump": (sp.exp(-(X**2)) * X, lambda z: mpmath.exp(-(z**2)) * z, ()),
    "swish": (X / (1 + sp.exp(-X)), lambda z: z / (1 + mpmath.exp(-z)), ()),
    "a cosine with a phase": (sp.cos(3 * X + 1), lambda z: mpmath.cos(3 * z + 1), ()),
    "phases that meet": (X + sp.sin(X) * sp.cos(2 * X - 1), lambda z: z + mpmath.sin(z) * mpmath.cos(2 * z - 1), ()),
    "tail": (Tail(X), lambda z: mpmath.ncdf(-z), ()),
    "shifted tail": (Tail(3 * X - 1), lambda z: mpmath.ncdf(1 - 3 * z), ()),
    "log of a tail": (sp.log(Tail(X)), lambda z: mpmath.log(mpmath.ncdf(-z)), ()),
    "three levels": (sp.sign(X - 1) + sp.sign(X + 1), lambda z: mpmath.sign(z - 1) + mpmath.sign(z + 1), (-1, 1)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_moments_against_quadrature(name: str) -> None:
    expression, function, cuts = ACTIVATIONS[name]
    moments = activation_moments(expression, X, {})
    linear, nonlinear = direct(function, cuts)
    assert float(moments.linear) == pytest.approx(float(linear), abs=1e-14, rel=1e-14)
    assert float(moments.nonlinear) == pytest.approx(float(nonlinear), abs=1e-13, rel=1e-13)


def test_closed_forms_of_the_literature() -> None:
    # Goldt et al. 2020, Gerace et al. 2020
    sign = activation_moments(sp.sign(X), X, {})
    assert sp.simplify(sign.linear - sp.sqrt(2 / sp.pi)) == 0
    assert sp.simplify(sign.nonlinear - (1 - 2 / sp.pi)) == 0
    relu = activation_moments(sp.Max(0, X), X, {})
    assert relu.linear == sp.Rational(1, 2)
    assert sp.simplify(relu.nonlinear - (sp.Rational(1, 4) - 1 / (2 * sp.pi))) == 0
    erf = activation_moments(sp.erf(X), X, {})
    assert sp.simplify(erf.linear - 2 / sp.sqrt(3 * sp.pi)) == 0
    assert float(erf.nonlinear) == pytest.approx(float(2 / sp.pi * sp.asin(sp.Rational(2, 3)) - 4 / (3 * sp.pi)), rel=1e-14)


@given(a=st.floats(-2, 2), b=st.floats(-2, 2), c=st.floats(-1, 1))
@settings(max_examples=15, deadline=None)
def test_hermite_polynomials_split_as_they_should(a: float, b: float, c: float) -> None:
    # a He_1 + b He_2 + c He_3 + 7: kappa_1 = a, kappa_*^2 = 2 b^2 + 6 c^2, whatever the constant
    if abs(a) + abs(b) + abs(c) < 1e-3:
        return
    a, b, c = (sp.nsimplify(round(v, 3), rational=True) for v in (a, b, c))
    if a == b == c == 0:
        return
    moments = activation_moments(7 + a * X + b * (X**2 - 1) + c * (X**3 - 3 * X), X, {})
    assert sp.expand(moments.linear - a) == 0
    assert sp.expand(moments.nonlinear - 2 * b**2 - 6 * c**2) == 0


@pytest.mark.parametrize("expression", [sp.exp(X**2), sp.exp(X**2 / 4), 1 / X, sp.Integer(3)])
def test_activations_without_a_variance_are_refused(expression: sp.Expr) -> None:
    with pytest.raises(DerivationError):
        activation_moments(expression, X, generic_values({}))


@pytest.mark.parametrize("power", ["-2/5", "-1/4", "1/3", "5/2"])
def test_powers_have_the_moments_of_the_gamma_function(power: str) -> None:
    """E |z|^s = 2^(s/2) Gamma((s+1)/2)/sqrt(pi), finite for s > -1."""
    s = sp.Rational(power)
    moments = activation_moments(sp.Abs(X) ** s, X, {})
    first, second = (2 ** (p / 2) * mpmath.gamma((p + 1) / 2) / mpmath.sqrt(mpmath.pi) for p in (float(s), 2 * float(s)))
    assert float(moments.mean) == pytest.approx(float(first), rel=1e-14)
    assert float(moments.nonlinear) == pytest.approx(float(second - first**2), rel=1e-12)
    assert moments.method == "closed form"


def test_a_pole_away_from_zero_is_integrated() -> None:
    """E |z - 1|^(-4/5) by scipy's rule for algebraic end points."""
    from scipy.integrate import quad
    from scipy.stats import norm

    expected = sum(
        quad(lambda u, side=side: norm.pdf(1 + side * u), 0, 5, weight="alg", wvar=(-0.8, 0))[0]
        + quad(lambda u, side=side: norm.pdf(1 + side * u) * u**-0.8, 5, 40)[0]
        for side in (-1, 1)
    )
    moments = activation_moments(sp.Abs(X - 1) ** sp.Rational(-2, 5), X, {})
    assert float(moments.nonlinear + moments.linear**2 + moments.mean**2) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("scale", ["1e200", "1e-200"])
def test_activations_beyond_double_precision_are_refused_with_their_size(scale: str) -> None:
    with pytest.raises(DerivationError, match=rf"a mean square of about 1\.0e[+-]?{abs(2 * int(scale[2:]))}"):
        activation_moments(sp.Rational(scale) * X, X, {})
