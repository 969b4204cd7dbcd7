"""Formulas with parameters at values where they cut the line otherwise than at the defaults.

Expected values come from other models that must agree: an order of edges that does not matter, a sign that can be
absorbed, labels that are constant.
"""

from __future__ import annotations

import numpy as np
import pytest
from declared import declare

from spinodal import Model, SpecError

POINT = {"alpha": 0.6, "theta": 0.4, "a": -0.5, "b": 0.5, "T": 0.5}


def labelled(label: str, loss: str = "log(1+exp(-y*h))", **defaults: float) -> Model:
    return declare(
        "regions", weights="gaussian", teacher={"weights": "gaussian", "label": label},
        loss={"energy": loss, "temperature": "T"}, **{**POINT, **defaults},
    )  # fmt: skip


def stored(constraint: str, **defaults: float) -> Model:
    return declare("regions", weights="spherical", loss={"constraint": constraint}, **{**POINT, **defaults})


def phi(model: Model, **parameters: float) -> float:
    state = model.solve(parameters).states[0]
    assert state.converged, state.failure
    return state.free_entropy


def test_labels_that_become_constant_are_those_of_a_constant_label() -> None:
    model = labelled("sign(abs(u)-theta)")
    far = phi(model, theta=9.0)  # always -1, which is +1 with h -> -h
    assert phi(model, theta=-1.0) == pytest.approx(far, abs=1e-10)
    assert phi(labelled("2*step(u-a)*step(b-u)-1"), a=0.5, b=-0.5) == pytest.approx(far, abs=1e-10)
    state = model.solve(theta=-1.0)
    assert state.states[0].observables["generalization_error"] == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize(
    ("label", "moved", "same"),
    [
        ("sign(u-a)*sign(u-b)", {"a": 0.5, "b": -0.5}, "sign((u-0.5)*(u+0.5))"),
        ("sign(theta*u+0.1)", {"theta": -1.0}, "sign(0.1-u)"),
        ("sign(u**2-theta)", {"theta": -1.0}, "sign(abs(u)-theta)"),
        ("sign(u**3-theta*u)", {"theta": -1.0}, "sign(u)"),
    ],
)
def test_labels_whose_edges_change_places_or_vanish_agree_with_labels_that_say_the_same(
    label: str, moved: dict[str, float], same: str
) -> None:
    assert phi(labelled(label), **moved) == pytest.approx(phi(labelled(same), **moved), abs=1e-10)


@pytest.mark.parametrize(
    ("constraint", "moved", "same"),
    [
        ("theta*y*h >= a", {"theta": -1.0}, "y*h <= 0.5"),
        ("y*h/theta >= a", {"theta": -1.0}, "y*h <= 0.5"),
        ("y*h >= theta or (h > a and h < b)", {"theta": 0.6}, "y*h >= 0.6 or (h > -0.5 and h < 0.5)"),
        ("y*h**3 >= theta", {"theta": -0.027}, "y*h >= -0.3"),
        ("y*h**3 >= theta", {"theta": 0.027}, "y*h >= 0.3"),
    ],
)
def test_constraints_whose_edges_change_sides_agree_with_constraints_that_say_the_same(
    constraint: str, moved: dict[str, float], same: str
) -> None:
    assert phi(stored(constraint), **moved) == pytest.approx(phi(stored(same)), abs=1e-10)


def test_an_energy_that_vanishes_at_the_parameters_asked_for_leaves_everything_free() -> None:
    model = declare(
        "regions", weights="spherical", loss={"energy": "step(h-a)*step(b-h)", "temperature": "T"}, **POINT
    )  # fmt: skip
    assert phi(model, a=0.5, b=-0.5) == pytest.approx(0.0, abs=1e-12)


def test_a_batch_across_regions_is_solved_in_each_where_it_belongs() -> None:
    model = labelled("sign(theta*u+0.1)")
    thetas = (-1.0, 1.0, -2.0)
    both = model.solve(theta=np.array(thetas))
    singles = [model.solve(theta=theta) for theta in thetas]
    assert both.free_entropy == pytest.approx([float(s.free_entropy) for s in singles], abs=1e-13)
    assert [float(np.sign(s["r"])) for s in singles] == [-1.0, 1.0, -1.0]
    assert [float(r) for r in both["r"]] == pytest.approx([float(s["r"]) for s in singles], abs=1e-9)


def test_a_constraint_without_solutions_at_the_parameters_asked_for_is_refused_with_its_reason() -> None:
    with pytest.raises(SpecError, match="no field h satisfies the constraint"):
        stored("max(h,a) <= b").solve(a=0.6)


def test_ranges_must_not_cross_where_intervals_change() -> None:
    model = labelled("sign(abs(u)-theta)")
    with pytest.raises(SpecError, match=r"theta=-1:1: at theta = -?0 intervals of the label or the loss change"):
        model.branch("theta", (-1.0, 1.0))
    assert model.branch("theta", (0.5, 0.6)).p[-1] == pytest.approx(0.6)


def test_defaults_in_another_region_are_not_taken_from_the_cache() -> None:
    assert phi(labelled("sign(abs(u)-theta)", theta=-0.5)) == pytest.approx(
        phi(labelled("sign(abs(u)-theta)"), theta=-0.5), abs=1e-12
    )
