"""Overlaps that no two weights have, and names of other ansaetze."""

from __future__ import annotations

from typing import Any

import pytest
from declared import declare

from spinodal.spec import SpecError

SIGNS = "; overlaps of the student's weights lie between -1 and 1"


@pytest.mark.parametrize(
    ("weights", "scheme", "value", "message"),
    [
        ("binary", "real-replicas", 1.2, "q1 = 1.2 is an overlap that no two weights have" + SIGNS),
        ("binary", "real-replicas", 1.0, "q1 = 1 is an overlap that only equal weights have" + SIGNS),
        ("spherical", "franz-parisi", 1.0, "t = 1 is an overlap that only equal weights have" + SIGNS),
        ("binary", "franz-parisi", -1.5, "t = -1.5 is an overlap that no two weights have" + SIGNS),
        (
            {"values": [-3, -1, 1, 3]},
            "franz-parisi",
            9.5,
            "t = 9.5 is an overlap that no two weights have; overlaps of the student's weights lie between -9 and 9",
        ),
    ],
)
def test_overlaps_that_no_weights_have_are_bad_input(weights: Any, scheme: str, value: float, message: str) -> None:
    given = {"q1" if scheme == "real-replicas" else "t": value}
    more = {} if scheme == "real-replicas" else {"kappa_ref": 0.1}
    model = declare("overlaps", weights=weights, scheme=scheme, alpha=0.3, kappa=0.0, **more)
    with pytest.raises(SpecError) as caught:
        model.solve(**given)
    assert message in str(caught.value)


def test_a_sphere_has_no_capacity_where_its_probe_meets_the_reference() -> None:
    """The volume at overlap t shrinks as t comes close to 1; that is the curve, and nothing that failed."""
    model = declare("sphere", weights="spherical", scheme="franz-parisi", alpha=0.5, kappa=0.0, kappa_ref=0.3, t=0.9)
    branch = model.branch("t", bounds=(0.9, 0.999))
    assert branch.converged
    assert [point.kind for point in branch.special_points] == []
    assert branch.stop_reason.endswith("forward: t reached 0.999")


def test_a_file_may_declare_the_overlap_of_real_replicas_beside_that_with_a_reference() -> None:
    model = declare("both", scheme="franz-parisi", alpha=0.3, kappa=0.0, kappa_ref=0.1, t=0.6, q1=0.8)
    alone = declare("one", scheme="franz-parisi", alpha=0.3, kappa=0.0, kappa_ref=0.1, t=0.6)
    assert float(model.solve().free_entropy) == pytest.approx(float(alone.solve().free_entropy), abs=1e-14)


def test_a_single_replica_on_random_features_is_refused() -> None:
    model = declare(
        "single",
        features={"map": "random", "activation": "sign(x)"},
        teacher={"weights": "gaussian", "label": "sign(u)"},
        scheme="real-replicas",
        ansatz={"replicas": "copies"},
        alpha=0.5,
        alpha_T=2.0,
        kappa=0.0,
        copies=2.0,
        q1=0.8,
    )
    with pytest.raises(SpecError) as caught:
        model.solve(copies=1.0)
    message = (
        "parameters: ansatz.replicas: a single replica has no overlap with others: whatever q1, its free entropy is that of "
        'replica symmetry at copies = 1; take more replicas, or the ansatz "replica-symmetric"'
    )
    assert str(caught.value) == message


def test_an_overlap_that_references_without_data_cannot_have_is_named() -> None:
    """Weights 0 and 1 without data: E w w' is at most P(w = 1) = 1/2."""
    model = declare("sparse", weights={"values": [0, 1]}, scheme="franz-parisi", alpha=0.3, kappa=-0.1, kappa_ref=0.2, t=0.6)
    (state,) = model.solve().states
    assert not state.converged
    assert state.failure is not None
    reason = "t = 0.6: no start of the branch, beside references that know few patterns, is known for t above 0.5"
    assert state.failure.reason == reason
    assert state.failure.advice == "take t below 0.5, or follow t upwards from there (the branch command)"
