"""Nested averages as symbols: what the heat equation makes cancel does cancel, and closed forms are used."""

from __future__ import annotations

import pytest
import sympy as sp
from test_channels import QD, M, binary_channel, step_channel

from spinodal.symbolic.averages import Average, Measure
from spinodal.symbolic.functions import LogPartition
from spinodal.symbolic.nested import LogAverage, TiltedAverage, log_average, renested, tilted_average

Q0, Q1, Q2, SIZE, SIZE2 = sp.symbols("q0 q1 q2 m m2", real=True)
F, MU, D = sp.symbols("f mu D", real=True)
A, B, C = sp.symbols("a b c", real=True)
ONE_FIELD = Measure([F], [MU], sp.Matrix([[D]]), sp.Matrix([[sp.sqrt(D)]]))


def single(expression: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """(Coefficient, the average) of an expression with one outer average."""
    (node,) = expression.atoms(Average)
    return sp.simplify(expression / node), node


@pytest.mark.parametrize("channel", [step_channel(False), binary_channel(False)], ids=["constraint", "weights"])
def test_levels_give_the_textbook_squares(channel: object) -> None:
    # d/dQ_l = -1/2 (m_{l+1} - m_l) E[(conditional field derivative at level l)^2]
    value = channel.value_at([Q0, Q1], [SIZE])
    outer, node = single(value.diff(Q0))
    assert outer == -SIZE / 2
    assert isinstance(sp.sqrt(node.integrand), sp.Abs) or node.integrand.exp == 2
    assert isinstance(node.integrand.base, TiltedAverage)
    inner = value.diff(Q1)
    assert {n.integrand.func for n in inner.atoms(Average)} == {TiltedAverage}
    (average,) = inner.atoms(Average)
    assert sp.expand(inner - (SIZE - 1) / 2 * average) == 0
    assert average.integrand.integrand.func is sp.Pow


def test_two_levels_more_cost_a_line() -> None:
    value = step_channel(False).value_at([Q0, Q1, Q2], [SIZE, SIZE2])
    for level, factor in ((Q0, -SIZE), (Q1, SIZE - SIZE2), (Q2, SIZE2 - 1)):
        derivative = sp.expand(value.diff(level))
        (average,) = derivative.atoms(Average)
        assert sp.expand(derivative - factor / 2 * average) == 0


def test_the_teacher_sees_the_mean_of_a_state() -> None:
    derivative = step_channel(True).value_at([Q0, Q1], [SIZE]).diff(M)
    factor, node = single(derivative)
    assert factor == 2
    assert len(node.integrand.atoms(TiltedAverage)) == 1


def test_diagonal_moves_only_the_innermost_variance() -> None:
    derivative = step_channel(False).value_at([Q0, Q1], [SIZE]).diff(QD)
    tilted = derivative.atoms(TiltedAverage)
    assert {type(t.integrand) for t in tilted} == {sp.Pow, LogPartition}


def test_derivatives_of_a_gaussian_tilt_are_those_of_its_closed_form() -> None:
    exponent = A * F**2 / 2 + B * F
    raw = LogAverage(exponent, ONE_FIELD)
    closed = log_average(exponent, ONE_FIELD)
    assert not closed.has(LogAverage)
    for x in (A, B, MU, D):
        assert sp.simplify(renested(raw.diff(x)) - closed.diff(x)) == 0
    mean = TiltedAverage(F**3, exponent, ONE_FIELD)
    value = renested(mean)
    assert not value.has(TiltedAverage)
    for x in (A, B, MU, D):
        assert sp.simplify(renested(mean.diff(x)) - value.diff(x)) == 0


def test_a_vanishing_covariance_collapses() -> None:
    sharp = Measure([F], [MU], sp.Matrix([[0]]), sp.Matrix([[0]]))
    g = sp.Function("g")
    assert log_average(C + g(F), sharp) == C + g(MU)
    assert tilted_average(F * g(F) + C, g(F), sharp) == MU * g(MU) + C


def test_what_does_not_fluctuate_is_taken_out() -> None:
    g = sp.Function("g")(F)
    assert log_average(A + SIZE * g, ONE_FIELD) == A + LogAverage(SIZE * g, ONE_FIELD)
    assert tilted_average(A * g + B, C + g, ONE_FIELD) == A * TiltedAverage(g, g, ONE_FIELD) + B


def test_planted_variables_stay_outside() -> None:
    planted = Measure([F], [MU], sp.Matrix([[D]]), sp.Matrix([[sp.sqrt(D)]]), ((A, sp.Symbol("normal")),))
    with pytest.raises(ValueError, match="outermost"):
        log_average(sp.Function("g")(F), planted)
