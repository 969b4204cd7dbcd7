"""What a derivation's checks of itself say: of correct derivations that they are, of wrong ones that they are not."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from declared import declare

import spinodal
from spinodal import checks
from spinodal.checks import Check, run_checks

SYMMETRIC = """format = 1
[student]
weights = "binary"
[loss]
constraint = "h <= kappa and h >= -kappa"
[ansatz]
scheme = "1rsb"
{size}
[parameters]
alpha = 0.5
kappa = 0.4
"""

CLOSE_PROBES = """format = 1
[student]
weights = "binary"
features = { map = "random", activation = "sign(x)" }
[teacher]
weights = "gaussian"
label = "sign(u)"
[loss]
constraint = "y*h >= kappa"
[ansatz]
scheme = "franz-parisi"
[parameters]
alpha = 0.5
alpha_T = 2.0
kappa = 0.0
kappa_ref = 0.3
t = 0.9
"""


def checked(text: str, folder: Path) -> dict[str, Check]:
    spec = folder / "model.toml"
    spec.write_text(text)
    return {check.name.split()[0]: check for check in spinodal.load(spec).derive().checks}


@pytest.mark.parametrize("size", ["m = 0.5", ""])
def test_broken_symmetry_of_overlaps_that_vanish_is_checked(size: str, tmp_path: Path) -> None:
    """All overlaps of the symmetric binary perceptron vanish, at the edge of the domain."""
    found = checked(SYMMETRIC.format(size=size), tmp_path)
    assert all(check.passed for check in found.values() if check.made)
    assert {"Jacobian", "parameter", "replicated"} <= {name for name, check in found.items() if check.made}


@pytest.mark.slow
def test_probes_close_to_references_on_random_features_are_checked_inside_the_domain(tmp_path: Path) -> None:
    """Moved a little, these states leave less of the reference's variance unexplained than any rule resolves."""
    found = checked(CLOSE_PROBES, tmp_path)
    assert all(check.passed for check in found.values() if check.made)
    assert {"gradient", "Jacobian", "parameter"} <= {name for name, check in found.items() if check.made}


@pytest.mark.parametrize(("name", "routine"), [("Jacobian", "jacobian"), ("parameter", "parameter_derivative")])
def test_a_derivative_that_is_wrong_by_a_little_fails_at_every_step(
    name: str, routine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed = checks._executed

    def spoilt(derived: Any) -> ModuleType:
        module = executed(derived)
        right = vars(module)[routine]

        def wrong(*arguments: Any) -> Any:
            found = np.array(right(*arguments))
            found[:, 0, 0] += 1e-5
            return found

        vars(module)[routine] = wrong
        return module

    monkeypatch.setattr(checks, "_executed", spoilt)
    found = {check.name.split()[0]: check for check in run_checks(spinodal.load("binary-perceptron").derive().derived)}
    assert found[name].verdict == "FAILED"


def test_states_outside_the_domain_are_not_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none of the states that are drawn is inside, no check is made, and it is said."""
    executed = checks._executed

    def outside(derived: Any) -> ModuleType:
        module = executed(derived)
        vars(module)["conditions"] = lambda x, p: np.full((len(x), 1), -1.0)
        return module

    monkeypatch.setattr(checks, "_executed", outside)
    (check,) = run_checks(spinodal.load("binary-perceptron").derive().derived)
    assert check.verdict == "not checked"


def test_a_given_number_of_coupled_copies_is_checked() -> None:
    model = spinodal.load(
        "binary-perceptron",
        overrides={"ansatz": {"scheme": "real-replicas", "replicas": "y_c"}, "parameters.y_c": 3.0, "parameters.q1": 0.7},
    )
    found = {check.name.split()[0]: check for check in model.derive().checks}
    assert all(check.passed for check in found.values() if check.made)
    assert {"Jacobian", "parameter"} <= {name for name, check in found.items() if check.made}


def test_probes_beside_references_whose_overlap_vanishes_by_symmetry_are_checked_where_derivatives_exist() -> None:
    """|h| <= kappa: q_ref = s = 0, where a covariance with the references' common field cannot be moved."""
    model = declare("window", loss={"constraint": "abs(h) <= kappa"}, scheme="franz-parisi", alpha=0.9, kappa=0.9)
    found = {check.name: check for check in model.derive().checks}
    gradient = next(check for name, check in found.items() if name.startswith("gradient"))
    assert gradient.passed
    assert gradient.name.endswith("; not in s, s_hat: 0 by symmetry, where phi has no differences")
    assert found["Jacobian against Taylor slopes of the equations"].passed
    assert found["parameter derivatives against Taylor slopes"].passed
