"""Parameters may have any name the contract allows: none may collide with what derivations and solvers call their own."""

from __future__ import annotations

import pytest
from declared import declare

#: Names of the emitter's temporaries, of derivation symbols, of SymPy and of Python.
NAMES = [
    "b",
    "weight",
    "c0",
    "t0",
    "s0",
    "x0",
    "f0_1",
    "step_0",
    "average_0",
    "variance_h",
    "variance_w",
    "variance_u",
    "Q_",
    "M_",
    "xi",
    "xi_noise",
    "m",
    "n",
    "E",
    "I",
    "S",
    "N",
    "O",
    "lambda",
    "rule",
    "np",
    "len",
    "z",
    "x",
    "p",
    "v",
    "w_star",
    "omega_prior",
    "omega_output",
    "prior_gap",
    "prior_q_hat",
    "output_Q",
    "output_replicon",
    "field_overlap",
    "feature_kappa_1",
    "teacher_rms",
    "v_q",
    "q_d_hat",
    "epsilon",
    "runtime",
    "special",
    "special_",
    "known",
    "out_residual",
]


def allowed(name: str) -> bool:
    """Whether the spec layer takes a parameter of this name (it may refuse one, with a message)."""
    import spinodal

    try:
        declare("name", loss={"constraint": f"y*h >= {name}"}, alpha=0.4, **{name: 0.2})
    except spinodal.SpecError:
        return False
    return True


def test_margins_of_any_name() -> None:
    names = [name for name in NAMES if allowed(name)]
    assert len(names) > 10
    reference = declare("one-margin", loss={"constraint": "y*h >= K"}, alpha=0.4, K=0.2).solve()
    for start in range(0, len(names), 5):  # a few at a time: every parameter has its derivatives
        some = names[start : start + 5]
        total = " + ".join(some)
        several = declare(
            "many-margins", loss={"constraint": f"y*h >= {total}"}, alpha=0.4, **dict.fromkeys(some, 0.2 / len(some))
        )
        state = several.solve()
        assert state.converged, state.reason
        assert state.free_entropy == pytest.approx(reference.free_entropy, abs=1e-12)
        assert state["q"] == pytest.approx(reference["q"], abs=1e-10)


def test_noise_levels_of_any_name() -> None:
    names = [name for name in NAMES if allowed(name)]
    label = {"weights": "binary", "label": "sign(u + sqrt(K)*noise)"}
    reference = declare("one-noise", teacher=label, alpha=0.4, kappa=0.0, K=0.3).solve()
    label = {"weights": "binary", "label": f"sign(u + sqrt({' + '.join(names)})*noise)"}
    state = declare("many-noises", teacher=label, alpha=0.4, kappa=0.0, **dict.fromkeys(names, 0.3 / len(names))).solve()
    assert state.converged, state.reason
    assert state.free_entropy == pytest.approx(reference.free_entropy, abs=1e-12)
