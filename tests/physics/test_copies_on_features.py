"""Copies inside copies with a teacher and random features: identities of the functional, and its derivatives."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import spinodal
from spinodal.model import Model

#: No saddle point: the identities hold in all variables.
STATE = {
    **{"q0": 0.2, "q1": 0.5, "p0": 0.6, "p1": 0.9, "p_d": 1.15, "r": 0.7},
    **{"q0_hat": 0.3, "q1_hat": 0.7, "p0_hat": 1.5, "p1_hat": 2.1, "p_d_hat": 2.2, "r_hat": 1.6},
}
PARAMETERS = {"alpha": 0.8, "alpha_T": 3.0, "kappa": 0.1}


@lru_cache
def broken() -> Model:
    ansatz = {"scheme": "1rsb", "m": "size"}
    return spinodal.load("random-features-binary", overrides={"ansatz": ansatz, "parameters.size": 0.5})


def points(module: ModuleType, **size: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([[{**PARAMETERS, **size}[name] for name in module.PARAMETERS]])


def state(module: ModuleType, **changed: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([[{**STATE, **changed}[name] for name in module.ORDER_PARAMETERS]])


def symmetric(level: str) -> float:
    """The replica-symmetric functional of the overlaps of one level."""
    module = spinodal.load("random-features-binary").solver()
    names = {x: f"{x[0]}{level}{x[1:]}" for x in ("q", "p", "q_hat", "p_hat")}
    x = np.array([[STATE[names.get(name, name)] for name in module.ORDER_PARAMETERS]])
    return float(module.free_entropy(x, points(module))[0])


def one_step(size: float, **changed: float) -> float:
    module = broken().solver()
    return float(module.free_entropy(state(module, **changed), points(module, size=size))[0])


def test_blocks_of_one_copy_are_symmetric_in_the_outer_overlaps() -> None:
    assert one_step(1.0) == pytest.approx(symmetric("0"), abs=1e-12)


def test_small_blocks_tend_to_the_functional_of_the_inner_overlaps() -> None:
    off = [one_step(size) - symmetric("1") for size in (2e-3, 1e-3)]
    assert off[0] == pytest.approx(2.0 * off[1], rel=5e-3)
    assert abs(2.0 * off[1] - off[0]) < 2e-3 * abs(off[1])


@pytest.mark.parametrize("size", [0.2, 0.6, 3.0])
def test_equal_levels_are_symmetric_for_every_size(size: float) -> None:
    equal = {x.replace("0", "1"): v for x, v in STATE.items() if "0" in x}
    assert one_step(size, **equal) == pytest.approx(symmetric("0"), abs=1e-12)


def test_jacobian_and_parameter_derivatives_against_differences() -> None:
    module, h = broken().solver(), 1e-5
    x, p = state(module), points(module, size=0.5)
    for column in range(x.shape[1]):
        step = h * np.eye(x.shape[1])[column]
        slope = (module.residual(x + step, p) - module.residual(x - step, p))[0] / (2.0 * h)
        np.testing.assert_allclose(module.jacobian(x, p)[0, :, column], slope, rtol=1e-7, atol=1e-8)
    size = module.PARAMETERS.index("size")
    step = h * np.eye(p.shape[1])[size]
    slope = (module.residual(x, p + step) - module.residual(x, p - step))[0] / (2.0 * h)
    np.testing.assert_allclose(module.parameter_derivative(x, p)[0, :, size], slope, rtol=1e-7, atol=1e-8)


def test_the_derivation_checks_itself() -> None:
    checks = broken().derive().checks
    assert all(check.deviation <= check.tolerance for check in checks if check.made)
    assert {"gradient", "Jacobian", "replicated"} <= {check.name.split()[0] for check in checks if check.made}
