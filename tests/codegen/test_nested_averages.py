"""Nested averages in generated modules: one-step channels against dense quadrature, published rows, and identities."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import sympy as sp
from declared import declare
from direct import log_h, log_two_cosh
from nested_channels import Compiled
from scipy.special import logsumexp

from spinodal.numeric.quadrature import Automatic
from spinodal.symbolic.channel import Channel
from spinodal.symbolic.derivation import Definition
from spinodal.symbolic.derive import derive
from spinodal.symbolic.formulas import symbol

Q0, Q1, Q2, M, M2, H0, H1 = (symbol(name) for name in ["q0", "q1", "q2", "m", "m2", "q0_hat", "q1_hat"])
_Z = np.linspace(-12.0, 12.0, 1201)
_W = np.exp(-(_Z**2) / 2) / np.sqrt(2 * np.pi) * (_Z[1] - _Z[0])


@lru_cache
def channels(constraint: str = "y*h >= kappa", weights: str = "binary") -> tuple[Channel, Channel]:
    model = declare("storage", loss={"constraint": constraint}, weights=weights, alpha=0.75, kappa=0.0)
    prior, output = derive(model.spec).channels
    return prior, output


@lru_cache
def one_step() -> Compiled:
    prior, output = channels()
    prior_value, output_value = prior.value_at([H0, H1], [M]), output.value_at([Q0, Q1], [M])
    expressions = {
        "prior": prior_value,
        "output": output_value,
        **{f"prior {x}": prior_value.diff(x) for x in (H0, H1, M)},
        **{f"output {x}": output_value.diff(x) for x in (Q0, Q1, M)},
        "output q0 q0": output_value.diff(Q0, Q0),
        "output q1 m": output_value.diff(Q1, M),
    }
    closed = {k: (prior if k.startswith("prior") else output).closed(e) for k, e in expressions.items()}
    definitions = [
        Definition(prior.variance, -H1, ""),
        Definition(output.diagonal, sp.Integer(1), ""),
        Definition(output.variance, 1 - Q1, ""),
    ]
    names = ["q0", "q1", "m", "q0_hat", "q1_hat", "kappa"]
    return Compiled(closed, names, definitions, (prior, output))


def at(rule: Any = None, **values: float) -> dict[str, float]:
    return {k: float(v[0]) for k, v in one_step()(rule=rule, **{"kappa": 0.0, **values}).items()}


def dense(function: Any, level: float, spread: float, m: float) -> float:
    """(1/m) E log E exp(m f) on a grid wide enough for the tilt."""
    reach = 14.0 + 1.2 * m * np.sqrt(spread)
    xi = np.linspace(-reach, reach, 40001)
    base = -(xi**2) / 2 - np.log(2 * np.pi) / 2 + np.log(xi[1] - xi[0])
    inner = [logsumexp(m * function(np.sqrt(level) * z + np.sqrt(spread) * xi) + base) / m for z in _Z]
    return float(_W @ np.array(inner))


POINT = {"q0": 0.4, "q1": 0.65, "q0_hat": 0.9, "q1_hat": 1.2}


@pytest.mark.parametrize("m", [0.3, 5.0, 30.0])
def test_one_step_channels_against_dense_quadrature(m: float) -> None:
    found = at(**POINT, m=m, kappa=0.1)
    output = dense(lambda h: log_h((0.1 - h) / np.sqrt(0.35)), 0.4, 0.25, m)
    prior = dense(log_two_cosh, 0.9, 0.3, m) - 0.6
    assert found["output"] == pytest.approx(output, abs=1e-10)
    assert found["prior"] == pytest.approx(prior, abs=1e-10)


@pytest.mark.parametrize("m", [0.3, 5.0, 100.0])
def test_derivatives_against_differences_of_the_values(m: float) -> None:
    found = at(**POINT, m=m)
    for x, names in (
        ("q0", ("output",)),
        ("q1", ("output",)),
        ("m", ("output", "prior")),
        ("q0_hat", ("prior",)),
        ("q1_hat", ("prior",)),
    ):
        point = {**POINT, "m": m}
        h = 1e-3 * point[x]

        def slope(key: str, width: float, x: str = x, point: dict[str, float] = point) -> float:
            up, down = {**point, x: point[x] + width}, {**point, x: point[x] - width}
            return (at(**up)[key] - at(**down)[key]) / (2 * width)

        for name in names:
            expected = (4 * slope(name, h / 2) - slope(name, h)) / 3
            assert found[f"{name} {x}"] == pytest.approx(expected, rel=2e-7, abs=1e-9), (name, x)
        if x == "q0":
            expected = (4 * slope("output q0", h / 2) - slope("output q0", h)) / 3
            assert found["output q0 q0"] == pytest.approx(expected, rel=1e-6, abs=1e-8)
        if x == "m":
            expected = (4 * slope("output q1", h / 2) - slope("output q1", h)) / 3
            assert found["output q1 m"] == pytest.approx(expected, rel=1e-6, abs=1e-8)


# Storage by +-1 weights at alpha 0.75, y copies at mutual overlap q1: (y (q1 - q0), q1_hat, y (q1_hat - q0_hat)) where the
# functional is stationary, and its value there from independent numerics with dense quadrature.
ROWS = [
    (20.0, 0.7, (0.363929, 1.276994, 0.804010), 0.0665892),
    (100.0, 0.7, (0.368332, 1.239827, 0.789757), 0.0659954),
    (20.0, 0.9, (0.941366, 0.633875, 1.588761), 0.0357994),
    (100.0, 0.9, (0.904148, 0.613727, 1.485859), 0.0407055),
]


@pytest.mark.parametrize(("y", "q1", "state", "expected"), ROWS)
def test_real_replicas_of_the_binary_perceptron_at_finite_y(
    y: float, q1: float, state: tuple[float, float, float], expected: float
) -> None:
    alpha = 0.75
    dq, q1_hat, dq_hat = state
    q0, q0_hat = q1 - dq / y, q1_hat - dq_hat / y
    found = at(q0=q0, q1=q1, m=y, q0_hat=q0_hat, q1_hat=q1_hat)
    pairing = -0.5 * ((y - 1) * q1 * q1_hat - y * q0 * q0_hat)
    assert pairing + found["prior"] + alpha * found["output"] == pytest.approx(expected, abs=6e-8)
    # and it is a stationary point of the functional
    assert found["prior q0_hat"] / y == pytest.approx(-q0 / 2, abs=1e-5)
    assert found["prior q1_hat"] / y == pytest.approx((y - 1) * q1 / (2 * y), abs=1e-5)
    assert alpha * found["output q0"] / y == pytest.approx(-q0_hat / 2, abs=1e-5)


def test_blocks_of_one_replica_forget_the_inner_level() -> None:
    one = at(**POINT, m=1.0)
    for q1 in (0.41, 0.9):
        other = at(**{**POINT, "q1": q1}, m=1.0)
        assert other["output"] == pytest.approx(one["output"], abs=1e-12)
        assert other["output q1"] == pytest.approx(0.0, abs=1e-12)


def test_small_blocks_forget_the_outer_level() -> None:
    first, second = (at(**{**POINT, "q0": q0}, m=1e-7) for q0 in (0.1, 0.5))
    assert first["output"] == pytest.approx(second["output"], abs=3e-7)


def test_error_estimates_of_nested_averages_are_honest() -> None:
    exact = at(Automatic(240), **POINT, m=50.0)
    for n in (20, 30, 40):
        coarse, fine = at(Automatic(n), **POINT, m=50.0), at(Automatic(n).refined(), **POINT, m=50.0)
        for key in ("output", "prior", "output q0"):
            assert abs(fine[key] - exact[key]) <= abs(fine[key] - coarse[key]) + 1e-12


def test_two_steps_with_equal_sizes_are_one_step() -> None:
    _, output = channels()
    two = Compiled(
        {"two": output.closed(output.value_at([Q0, Q1, Q2], [M, M2])), "one": output.closed(output.value_at([Q0, Q2], [M]))},
        ["q0", "q1", "q2", "m", "m2", "kappa"],
        [Definition(output.diagonal, sp.Integer(1), ""), Definition(output.variance, 1 - Q2, "")],
        (output,),
    )
    found = two(rule=Automatic(60), q0=0.3, q1=0.5, q2=0.7, m=4.0, m2=4.0, kappa=0.0)
    assert found["two"][0] == pytest.approx(found["one"][0], abs=1e-10)
    single = two(rule=Automatic(60), q0=0.3, q1=0.5, q2=0.7, m=0.5, m2=1.0, kappa=0.0)
    # inner blocks of one replica: the level q2 is not felt (the variance within a state counts to the diagonal)
    assert single["two"][0] == pytest.approx(_at_variance(output, 0.3, 0.5, 0.5), abs=1e-9)


def _at_variance(output: Channel, q0: float, q1: float, m: float) -> float:
    compiled = Compiled(
        {"one": output.closed(output.value_at([Q0, Q1], [M]))},
        ["q0", "q1", "m", "kappa"],
        [Definition(output.diagonal, sp.Integer(1), ""), Definition(output.variance, 1 - Q1, "")],
        (output,),
    )
    return float(compiled(q0=q0, q1=q1, m=m, kappa=0.0)["one"][0])


def test_a_constraint_on_both_sides_has_no_closed_form_and_is_averaged_all_the_same() -> None:
    _, output = channels("abs(h) <= 1")
    compiled = Compiled(
        {"value": output.closed(output.value_at([Q0, Q1], [M]))},
        ["q0", "q1", "m", "kappa"],
        [Definition(output.diagonal, sp.Integer(1), ""), Definition(output.variance, 1 - Q1, "")],
        (output,),
    )

    def log_inside(h: np.ndarray) -> np.ndarray:
        s = np.sqrt(0.35)
        from scipy.special import log_ndtr

        x = np.abs(h)  # symmetric, and the far side is the stable one
        return log_ndtr((1 - x) / s) + np.log1p(-np.exp(log_ndtr((-1 - x) / s) - log_ndtr((1 - x) / s)))

    found = compiled(q0=0.4, q1=0.65, m=6.0, kappa=0.0)["value"][0]
    assert found == pytest.approx(dense(log_inside, 0.4, 0.25, 6.0), abs=1e-10)


def test_quadratic_channels_need_no_inner_pass() -> None:
    prior, _ = channels(weights="spherical")
    value = prior.closed(prior.value_at([H0, H1], [M]))
    compiled = Compiled(
        {"value": value},
        ["q0_hat", "q1_hat", "m", "stiff"],
        [Definition(prior.diagonal, H1 - symbol("stiff"), ""), Definition(prior.variance, -symbol("stiff"), "")],
        (prior,),
    )
    assert "nested.tilted" not in compiled.source
    h0, h1, m, s = 0.5, 0.8, 3.0, 2.0
    gain = 1 + s
    inner = -0.5 * np.log(gain) - np.log(1 - m * (h1 - h0) / gain) / (2 * m) + h0 / (2 * gain * (1 - m * (h1 - h0) / gain))
    assert compiled(q0_hat=h0, q1_hat=h1, m=m, stiff=s)["value"][0] == pytest.approx(inner, abs=1e-13)
