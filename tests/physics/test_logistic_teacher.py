r"""Energies of smooth losses beside a teacher are derivatives of the free entropy, at every temperature and load.

E = -d phi / d beta at fixed alpha: the derivative is taken by finite differences of the free entropy, which is averaged on
other nodes than the energy itself.
"""

from __future__ import annotations

import pytest
from declared import declare

CASES = [
    ("log(1+exp(-y*h))", "spherical", "sign(u)", 0.5, 28.85),
    ("log(1+exp(-y*h))", "spherical", "sign(u)", 0.5, 14.0),
    ("exp(-y*h)", "spherical", "sign(u)", 2.0, 50.0),
    ("abs(y-h)**3", "gaussian", "u", 0.5, 8.0),
]


@pytest.mark.parametrize(("energy", "teacher", "label", "temperature", "alpha"), CASES)
def test_the_energy_of_a_smooth_loss_is_the_slope_of_the_free_entropy(
    energy: str, teacher: str, label: str, temperature: float, alpha: float
) -> None:
    model = declare(
        "smooth", teacher={"weights": teacher, "label": label}, loss={"energy": energy, "temperature": "T"}, alpha=alpha,
        T=temperature,
    )  # fmt: skip
    beta, step = 1.0 / temperature, 2e-4 / temperature
    up, low = (float(model.solve(T=1.0 / (beta + sign * step)).free_entropy) for sign in (1.0, -1.0))
    state = model.solve()
    slope = -(up - low) / (2.0 * step)
    assert float(state["energy"]) == pytest.approx(slope, rel=3e-8)
    gap = float(state["entropy"]) - float(state.free_entropy) - beta * float(state["energy"])
    assert gap == pytest.approx(0.0, abs=1e-9)
