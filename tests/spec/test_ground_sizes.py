"""The Parisi parameter of ground states: mu, the limit of m/T."""

from __future__ import annotations

from typing import Any

import pytest

import spinodal
from spinodal.spec import SpecError

COUNTED = {"energy": "step(kappa-y*h)", "temperature": 0}
WARM = {"energy": "step(kappa-y*h)", "temperature": 0.5}


def load(loss: dict[str, Any], **ansatz: Any) -> spinodal.Model:
    return spinodal.load("spherical-perceptron", overrides={"loss": loss, "ansatz": {"scheme": "1rsb", **ansatz}})


@pytest.mark.parametrize(
    ("loss", "ansatz", "message"),
    [
        (COUNTED, {"m": 0.5}, "m vanishes in a ground state"),
        (WARM, {"mu": 0.5}, "mu = m/T belongs to ground states"),
        (COUNTED, {"mu": -1.0}, "not positive"),
        (COUNTED, {"mu": "extremized"}, "extremised"),
    ],
)
def test_entries_that_belong_elsewhere_are_refused(loss: dict[str, Any], ansatz: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        load(loss, **ansatz)


def test_mu_is_larger_than_one_where_it_has_to_be() -> None:
    assert load(COUNTED, mu=7.5).spec.ansatz.mu is not None
    assert load(COUNTED).spec.ansatz.mu == load(COUNTED, m="extremised").spec.ansatz.mu == "extremised"


def test_two_steps_of_a_ground_state_are_refused() -> None:
    model = spinodal.load("spherical-perceptron", overrides={"loss": COUNTED}, ansatz="2rsb")
    with pytest.raises(SpecError, match="not derived under the ansatz 2rsb"):
        model.derive()
