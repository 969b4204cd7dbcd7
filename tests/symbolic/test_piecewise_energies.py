"""Losses that are quadratic between kinks: which are recognised, and their coefficients on each piece."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from spinodal import load
from spinodal.spec.parser import parse_formula
from spinodal.symbolic.formulas import kinks, symbol, to_sympy
from spinodal.symbolic.labels import H
from spinodal.symbolic.pieces import quadratic_pieces

KAPPA, DELTA = symbol("kappa"), symbol("delta")
AT = {KAPPA: 0.3, DELTA: 0.7}


def energy(text: str) -> sp.Expr:
    return to_sympy(parse_formula(text, variables=("h",), parameters=("kappa", "delta")).root)


@pytest.mark.parametrize(
    "text",
    [
        "max(0, kappa - h)",
        "max(0, kappa - h)**2",
        "abs(h - kappa)",
        "max(0, min(abs(h - kappa) - delta/2, (h - kappa)**2/(2*delta)))",
        "max(0, kappa - h, 2*(kappa - delta - h))",
        "h**2*step(-h) + abs(abs(h) - delta)",
        "min(abs(h), 1)",
    ],
)
def test_coefficients_reproduce_the_formula_on_every_piece(text: str) -> None:
    formula = energy(text)
    splits = kinks(formula, H, AT)
    pieces = quadratic_pieces(-formula, H, splits, AT)
    assert pieces is not None
    for values in (AT, {KAPPA: -0.4, DELTA: 0.2}):  # kinks may change their order
        for h in np.linspace(-3.0, 3.0, 41) + 0.0137:
            c, curvature, slope = (float(sp.N(part.subs(values).subs(H, h))) for part in pieces)
            assert c - curvature * h**2 / 2 - slope * h == pytest.approx(float(-formula.subs(values).subs(H, h)), abs=1e-12)


@pytest.mark.parametrize(
    "text", ["max(0, kappa - h)**3", "abs(h)*exp(h)", "sqrt(abs(h))", "max(0, 1 - h**2)", "abs(h**3 - 1)"]
)
def test_what_is_not_quadratic_or_not_convex_on_a_piece_is_left_to_numerical_averages(text: str) -> None:
    formula = energy(text)
    assert quadratic_pieces(-formula, H, kinks(formula, H, AT), AT) is None


def test_smooth_energies_with_two_wells_are_averaged_well_by_well(tmp_path):
    # (y - h^2)^2 with y = u^2: at q = r = 0 phi is log 2 + alpha E_u log E_h exp(-(u^2 - h^2)^2)
    spec = tmp_path / "wells.toml"
    spec.write_text(
        'format = 1\n[student]\nweights = "binary"\n[teacher]\nweights = "binary"\nlabel = "u**2"\n'
        '[loss]\nenergy = "(y-h**2)**2"\ntemperature = 1\n[parameters]\nalpha = 0.5\n'
    )
    solver = load(spec).solver()
    h, u = np.linspace(0.0, 10.0, 20001), np.linspace(0.0, 9.0, 1501)
    weight = np.exp(-(h**2) / 2) * np.sqrt(2 / np.pi) * (h[1] - h[0])
    weight[0] /= 2
    logs = np.array([np.log(np.sum(weight * np.exp(-((x * x - h * h) ** 2)))) for x in u])
    outer = np.exp(-(u**2) / 2) * np.sqrt(2 / np.pi) * (u[1] - u[0])
    outer[0] /= 2
    found = solver.free_entropy(np.zeros((1, 4)), np.array([[0.5]]), solver.RULE.refined().refined())[0]
    assert found == pytest.approx(np.log(2) + 0.5 * np.sum(outer * logs), abs=1e-8)
