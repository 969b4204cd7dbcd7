"""Parameters may have any name the contract allows: none may collide with what derivations and solvers call their own."""

from __future__ import annotations

import pytest
from declared import declare

NAMES = [
    "b", "weight", "c0", "t0", "s0", "x0", "f0_1", "step_0", "average_0", "variance_h", "variance_w", "Q_", "M_", "xi", "m", "n",
    "E", "I", "S", "N", "O", "lambda", "rule", "np", "len", "z", "omega_prior", "prior_gap", "field_overlap", "feature_kappa_1",
]


@pytest.fixture(scope="module")
def reference() -> float:
    return float(declare("margin-named", loss={"constraint": "y*h >= K"}, alpha=0.4, K=0.2).solve().free_entropy)


@pytest.mark.parametrize("name", NAMES)
def test_a_margin_of_any_name(name: str, reference: float) -> None:
    state = declare("margin-named", loss={"constraint": f"y*h >= {name}"}, alpha=0.4, **{name: 0.2}).solve()
    assert state.free_entropy == pytest.approx(reference, abs=1e-12), state.reason


@pytest.mark.parametrize("name", ["b", "x0", "xi", "teacher_rms", "v_q"])
def test_a_noise_level_of_any_name(name: str) -> None:
    teacher = {"weights": "binary", "label": f"sign(u + sqrt({name})*noise)"}
    reference = declare("noise-named", teacher={"weights": "binary", "label": "sign(u + sqrt(K)*noise)"}, alpha=0.4, kappa=0.0, K=0.2)
    state = declare("noise-named", teacher=teacher, alpha=0.4, kappa=0.0, **{name: 0.2}).solve()
    assert state.free_entropy == pytest.approx(reference.solve().free_entropy, abs=1e-12), state.reason
