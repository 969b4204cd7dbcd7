"""Two steps of replica symmetry breaking: where levels or sizes of blocks coincide they are one step."""

from __future__ import annotations

import numpy as np
import pytest

import spinodal
from spinodal.numeric.quadrature import Automatic

STATE = {"q0": 0.4, "q1": 0.6, "q2": 0.8, "q0_hat": 1.0, "q1_hat": 1.5, "q2_hat": 2.2, "q_d_hat": 0.3}
RULE = Automatic(60)


def free_entropy(scheme: str, state: dict[str, float], a: float, b: float) -> float:
    sizes = {"m1": "a", "m2": "b"} if scheme == "2rsb" else {"m": "a"}
    overrides = {"ansatz": {"scheme": scheme, **sizes}, "parameters.a": 0.3, "parameters.b": 0.7}
    module = spinodal.load("spherical-perceptron", overrides=overrides).solver()
    x = np.array([[state[name] for name in module.ORDER_PARAMETERS]])
    return float(module.free_entropy(x, np.array([[20.0, -1.5, a, b]]), RULE)[0])


def one(q0: str, q1: str, m: float) -> float:
    state = {"q0": STATE[q0], "q1": STATE[q1], "q0_hat": STATE[f"{q0}_hat"], "q1_hat": STATE[f"{q1}_hat"]}
    return free_entropy("1rsb", {**state, "q_d_hat": STATE["q_d_hat"]}, m, 0.7)


@pytest.mark.slow
def test_two_steps_are_one_where_sizes_or_levels_coincide() -> None:
    equal_levels = {**STATE, "q2": STATE["q1"], "q2_hat": STATE["q1_hat"]}
    assert free_entropy("2rsb", equal_levels, 0.3, 0.7) == pytest.approx(one("q0", "q1", 0.3), abs=1e-9)
    outer_levels = {**STATE, "q1": STATE["q0"], "q1_hat": STATE["q0_hat"]}
    assert free_entropy("2rsb", outer_levels, 0.3, 0.7) == pytest.approx(one("q0", "q2", 0.7), abs=1e-9)
    assert free_entropy("2rsb", STATE, 0.5, 0.5) == pytest.approx(one("q0", "q2", 0.5), abs=1e-9)
    # blocks of one replica forget the innermost level, blocks of no replicas the outermost
    assert free_entropy("2rsb", STATE, 0.3, 1.0) == pytest.approx(one("q0", "q1", 0.3), abs=1e-8)
    assert free_entropy("2rsb", STATE, 1e-6, 0.7) == pytest.approx(one("q1", "q2", 0.7), abs=1e-5)
