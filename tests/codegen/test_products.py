"""Weighted sums of products: the emitted lines give the sums, with fewer products than outputs need one by one."""

from __future__ import annotations

import numpy as np
import sympy as sp

from spinodal.codegen.ir import Assign, Call
from spinodal.codegen.numpy_target.products import weighted_sums
from spinodal.numeric import runtime

A, B, C, D, Z, T = sp.symbols("f g k d z t")
BODY = [Call("tail", (Z,), ((0, A), (1, B), (2, C))), Assign(D, 2 * Z), Assign(T, A**2 * B)]
OUTPUTS = [A * B, A * C, T, T * C, A, sp.Integer(1), B * D, A**2 * C**2, sp.exp(D) * A, 3 * A * B, A + B]


def test_sums_are_those_of_the_outputs() -> None:
    body, sums = weighted_sums(BODY, OUTPUTS)
    assert [type(item) for item in body] == [Call, Assign]  # the product named for the outputs' sake is gone
    assert body[1] == BODY[1]
    generator = np.random.default_rng(1)
    for rows in (1, 3):
        arrays = {name: generator.normal(size=(rows, 7)) for name in ("f", "g", "k", "z", "weight")}
        space = {**arrays, "d": 2 * arrays["z"], "runtime": runtime, "np": np}
        exec("\n".join(sums.lines), space)
        for text, output in zip(sums.values, OUTPUTS, strict=True):
            exact = sp.lambdify((A, B, C, Z), output.subs(T, A**2 * B).subs(D, 2 * Z))(*(arrays[name] for name in "fgkz"))
            np.testing.assert_allclose(eval(text, space), (arrays["weight"] * exact).sum(axis=1), rtol=1e-12)


def test_products_are_shared() -> None:
    _, sums = weighted_sums(BODY, [A * B, A * C, A * B**2, A * B * C, A**2])
    assert len(sums.lines) == 2  # weight f and weight f g serve all


def test_many_factors_are_left_alone() -> None:
    _, sums = weighted_sums(BODY, [A**5 * B**4 * C**3])
    assert len(sums.values) == 1
