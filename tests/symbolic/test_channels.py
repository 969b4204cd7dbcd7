"""Channels: the n -> 0 limit, Price's theorem, the replicon, against numerics that never differentiate symbolically.

A channel is evaluated here by an evaluator of its own: nested dense quadrature of mpmath-free numpy closures, with every
partition function computed from its definition (an integral over the field or a sum over weights).
"""

from __future__ import annotations

from dataclasses import replace
from math import comb

import numpy as np
import pytest
import sympy as sp
from direct import gaussian, h, log_h, log_two_cosh, mills
from numpy.polynomial.hermite_e import hermegauss

from spinodal.symbolic.averages import Average, Measure, average, averages_in, explicit_fields, standard_normals
from spinodal.symbolic.channel import Branch, Channel
from spinodal.symbolic.formulas import Interval, symbol
from spinodal.symbolic.functions import LinearPartition, LogPartition
from spinodal.symbolic.leaves import Leaf

QD, Q, M, S = sp.symbols("Q_d Q M kappa", real=True)
V, VU = sp.symbols("_variance_h _variance_u", real=True)
H_FIELD, W_FIELD = symbol("h"), symbol("w")
KAPPA = 0.2


def step_channel(teacher: bool) -> Channel:
    student = Leaf("up", "half-line", H_FIELD, edges=(Interval(sp.Rational(1, 5), sp.oo),), log_levels=(sp.Integer(0),))
    truth = Leaf("truth", "half-line", H_FIELD, edges=(Interval(sp.Integer(0), sp.oo),), log_levels=(sp.Integer(0),))
    branch = Branch(sp.Integer(2 if teacher else 1), "up", teacher="truth" if teacher else None)
    leaves = {"up": student, "truth": truth} if teacher else {"up": student}
    return Channel("output", QD, (Q,), M if teacher else sp.Integer(0), sp.Integer(1), (branch,), leaves, V, VU)


def binary_channel(planted: bool) -> Channel:
    leaf = Leaf(
        "student",
        "two-cosh",
        W_FIELD,
        quadratic=(sp.Integer(0), sp.Integer(1), sp.Integer(0)),
        values=(sp.Integer(-1), sp.Integer(1)),
        log_levels=(sp.Integer(0),) * 2,
    )
    slope = sp.Integer(1) if planted else sp.Integer(0)
    branch = Branch(sp.Integer(1), "student", mean_slope=slope)
    return Channel(
        "prior", sp.Integer(0), (Q,), M if planted else sp.Integer(0), sp.Integer(0), (branch,), {"student": leaf}, V, VU
    )


def numerical(expression: sp.Expr, at: dict[sp.Symbol, float]) -> float:
    """A closed expression evaluated by a dense trapezoid over each average's own standard normal."""

    def log_tail(k: int, x: np.ndarray) -> np.ndarray:
        if k == 0:
            return log_h(x)
        slopes = [-mills(x)]  # l1' = -l1 (l1 + x), differentiated by Leibniz' rule
        for n in range(k - 1):
            products = sum(comb(n, j) * slopes[j] * slopes[n - j] for j in range(n + 1))
            slopes.append(-products - x * slopes[n] - (n * slopes[n - 1] if n else 0))
        return slopes[k - 1]

    def cosh_derivative(k: int, x: np.ndarray) -> np.ndarray:
        t = np.tanh(x)
        s = 1 - t**2
        return [log_two_cosh(x), t, s, -2 * t * s, s * (6 * t**2 - 2), s * t * (16 - 24 * t**2)][k]

    tables = {
        "LogTail": lambda k, x: log_tail(int(k), x),
        "Tail": h,
        "LogTwoCosh": lambda k, x: cosh_derivative(int(k), x),
        "Density": lambda x: np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi),
        "Ratio": lambda a, b: a / b,
        "Root": np.sqrt,
    }
    values = {}
    for node in averages_in(expression):
        (z,) = standard_normals(node.measure)
        body = node.integrand.xreplace(explicit_fields(node.measure, (z,))).subs(at).doit()
        function = sp.lambdify(z, body, [tables, "numpy"])
        values[node] = sp.Float(gaussian(function), 17)
    rest = sp.sympify(expression.xreplace(values)).subs(at)
    return float(rest)


def closed_at(channel: Channel, expression: sp.Expr, point: dict[sp.Symbol, float]) -> float:
    at = dict(point)
    q_d = float(sp.sympify(channel.diagonal).subs(point))
    at[V] = q_d - point[Q]
    at[VU] = 1.0 - point.get(M, 0.0) ** 2 / point[Q]
    return numerical(channel.closed(expression), at)


CASES = {
    "constraint, random labels": (step_channel(False), {QD: 1.1, Q: 0.45}),
    "constraint, teacher": (step_channel(True), {QD: 1.1, Q: 0.45, M: 0.33}),
    "binary weights": (binary_channel(False), {Q: 0.8}),
    "binary weights, binary teacher": (binary_channel(True), {Q: 0.8, M: 0.6}),
}


def direct_value(name: str, point: dict[sp.Symbol, float]) -> float:
    """The channel itself, typed from the literature."""
    q = point[Q]
    if name == "constraint, random labels":
        return gaussian(lambda z: log_h((KAPPA - np.sqrt(q) * z) / np.sqrt(point[QD] - q)))
    if name == "constraint, teacher":
        m = point[M]
        return 2 * gaussian(
            lambda z: h(-m * z / np.sqrt(q - m**2)) * log_h((KAPPA - np.sqrt(q) * z) / np.sqrt(point[QD] - q))
        )
    mean = point.get(M, 0.0)
    return gaussian(lambda z: log_two_cosh(mean + np.sqrt(q) * z)) - q / 2


def derivative(function: object, point: dict[sp.Symbol, float], key: tuple[sp.Symbol, ...], step: float) -> float:
    """Mixed central differences of any order, extrapolated once."""
    if not key:
        return function(point)  # type: ignore[operator]

    def slope(width: float) -> float:
        up, down = dict(point), dict(point)
        up[key[0]] += width
        down[key[0]] -= width
        return (derivative(function, up, key[1:], step) - derivative(function, down, key[1:], step)) / (2 * width)

    return (4 * slope(step / 2) - slope(step)) / 3


@pytest.mark.parametrize("name", CASES)
def test_value_is_the_textbook_channel(name: str) -> None:
    channel, point = CASES[name]
    assert closed_at(channel, channel.value, point) == pytest.approx(direct_value(name, point), abs=1e-11)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", CASES)
def test_derivatives_by_prices_theorem_against_differences(name: str, order: int) -> None:
    channel, point = CASES[name]
    table = {key: channel.derivative(key) for key in channel.keys(order)}
    step, tolerance = {1: (4e-3, 1e-8), 2: (1e-2, 1e-6), 3: (2e-2, 1e-4)}[order]
    assert len(table) == {1: 1, 2: 3, 3: 6}[len(channel.variables)] if order == 2 else len(table) > 0
    for key, expression in table.items():
        expected = derivative(lambda at: direct_value(name, at), point, key, step)
        assert closed_at(channel, expression, point) == pytest.approx(expected, abs=tolerance, rel=tolerance), key


def replicated_output(n: float, q_d: float, q: float) -> float:
    """(1/n) log E prod_a Theta(h_a - kappa) for n replicas of covariance q: E_z H(..)^n, at a real n."""
    return np.log(gaussian(lambda z: np.exp(n * log_h((KAPPA - np.sqrt(q) * z) / np.sqrt(q_d - q))))) / n


def test_replicated_expression_at_small_n_tends_to_the_channel() -> None:
    channel, point = CASES["constraint, random labels"]
    limit = closed_at(channel, channel.value, point)
    values = [replicated_output(n, point[QD], point[Q]) for n in (0.04, 0.02, 0.01)]
    first = [2 * values[1] - values[0], 2 * values[2] - values[1]]
    assert (4 * first[1] - first[0]) / 3 == pytest.approx(limit, abs=2e-6)
    assert abs(values[0] - limit) > 1e-3  # it is a limit


def test_replicated_prior_by_enumeration_of_integer_replicas() -> None:
    # Tr over n spins exp(q_hat/2 sum_{a != b} s_a s_b) at n = 1, 2, 3 equals E_z [2 cosh(sqrt(q_hat) z)]^n e^{-n q_hat/2}
    from itertools import product

    q_hat = 0.6
    for n in (1, 2, 3):
        total = sum(np.exp(q_hat / 2 * (sum(s) ** 2 - n)) for s in product((-1, 1), repeat=n))
        field = gaussian(lambda z, n=n: np.exp(n * (log_two_cosh(np.sqrt(q_hat) * z) - q_hat / 2)))
        assert total == pytest.approx(field, rel=1e-10)
    channel = CASES["binary weights"][0]
    small = [
        np.log(gaussian(lambda z, n=n: np.exp(n * (log_two_cosh(np.sqrt(q_hat) * z) - q_hat / 2)))) / n for n in (2e-3, 1e-3)
    ]
    assert 2 * small[1] - small[0] == pytest.approx(closed_at(channel, channel.value, {Q: q_hat}), abs=1e-6)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [2, 3, sp.Rational(1, 2)])
def test_replicon_curvature_does_not_depend_on_the_size_of_the_inserted_blocks(name: str, size: sp.Expr) -> None:
    channel, point = CASES[name]
    reference = closed_at(channel, channel.replicon_curvature(), point)
    assert closed_at(channel, channel.replicon_curvature_at(sp.sympify(size)), point) == pytest.approx(reference, abs=1e-11)


def test_replicon_curvature_is_the_de_almeida_thouless_one() -> None:
    channel, point = CASES["constraint, random labels"]
    q_d, q = point[QD], point[Q]

    def second(z: np.ndarray) -> np.ndarray:
        x = (KAPPA - np.sqrt(q) * z) / np.sqrt(q_d - q)
        g = np.exp(-(x**2) / 2 - log_h(x)) / np.sqrt(2 * np.pi)
        return (g * (x - g) / (q_d - q)) ** 2

    assert closed_at(channel, channel.replicon_curvature(), point) == pytest.approx(gaussian(second), abs=1e-11)
    prior, at = CASES["binary weights"]
    expected = gaussian(lambda z: 1 / np.cosh(np.sqrt(at[Q]) * z) ** 4)
    assert closed_at(prior, prior.replicon_curvature(), at) == pytest.approx(expected, abs=1e-11)


def one_step(channel: Channel, levels: list[float], m: float) -> float:
    """A 1RSB channel by nested Gauss-Hermite quadrature of the direct closed form."""
    z, w = hermegauss(120)
    w = w / np.sqrt(2 * np.pi)
    q0, q1 = levels
    omega = np.sqrt(q0) * z[:, None] + np.sqrt(q1 - q0) * z[None, :]
    prior = channel.name == "prior"
    inner = log_two_cosh(omega) - q1 / 2 if prior else log_h((KAPPA - omega) / np.sqrt(1.1 - q1))
    return float(w @ np.log(np.exp(m * inner) @ w)) / m


@pytest.mark.parametrize("name", ["constraint, random labels", "binary weights"])
def test_channel_with_one_more_level_is_the_nested_average(name: str) -> None:
    # second order in the splitting: phi(q0, q1) - phi(q, q) at (m - 1) dq1 = m dq0 is m (m - 1) / 4 x the curvature
    channel, point = CASES[name]
    m, q = 2.0, point[Q]
    e = 0.02
    values = [one_step(channel, [q + (m - 1) * s, q + m * s], m) for s in (e, e / 2)]
    flat = direct_value(name, point)
    quadratic = [(v - flat) / s**2 for v, s in zip(values, (e, e / 2), strict=True)]
    curvature = closed_at(channel, channel.replicon_curvature(), point) * m * (m - 1) / 4
    assert 2 * quadratic[1] - quadratic[0] == pytest.approx(curvature, rel=2e-2)


def test_heat_equation_of_the_partition_functions() -> None:
    omega, v = sp.symbols("omega v", real=True)
    tag = sp.Symbol("leaf")
    for k in range(3):
        z = LinearPartition(tag, k, omega, v)
        assert z.diff(v) == z.diff(omega, 2) / 2
        log = LogPartition(tag, k, omega, v)
        base = LogPartition(tag, 0, omega, v)
        assert sp.expand(log.diff(v) - ((base.diff(omega, 2) + base.diff(omega) ** 2) / 2).diff(omega, k)) == 0


def test_price_theorem_on_polynomials_is_exact() -> None:
    # E[(f^4 + f g^2)] for centred Gaussians: 3 a^2 + 0; derivatives of Wick's closed form
    a, b, c, mu = sp.symbols("a b c mu", real=True)
    f, g = sp.symbols("f g", real=True)
    covariance = sp.Matrix([[a, c], [c, b]])
    measure = Measure([f, g], [mu, 0], covariance, sp.eye(2))
    wick = {  # exact moments with mean mu in f
        f**2 * g**2: mu**2 * b + a * b + 2 * c**2,
        f * g: c,
        f**3: mu**3 + 3 * mu * a,
    }

    def reduced(expression: sp.Expr) -> sp.Expr:
        table = {**wick, f: mu, g: sp.Integer(0), f**2: mu**2 + a, g**2: b, f * g**2: mu * b, f**2 * g: 2 * mu * c}
        return sp.expand(expression.replace(lambda n: isinstance(n, Average), lambda n: table[n.integrand]))

    for integrand, value in wick.items():
        for x in (a, b, c, mu):
            assert sp.expand(reduced(average(integrand, measure).diff(x)) - value.diff(x)) == 0


@pytest.mark.parametrize("level", [0, 1])
def test_replicon_curvature_of_a_level_is_the_second_variation_with_one_more_level_inserted(level: int) -> None:
    broken = replace(step_channel(teacher=True), levels=(symbol("_Q0"), symbol("_Q1")), sizes=(symbol("m"),))
    inserted = broken.replicon_curvature_at(sp.Integer(3), level)
    assert sp.expand(inserted - broken.replicon_curvature(level)) == 0
