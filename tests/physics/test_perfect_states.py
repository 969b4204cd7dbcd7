"""The perfect state of a student frozen onto its teacher, whatever label and weights: where it is, where it takes over."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spinodal.numeric.bound import Bound
from spinodal.numeric.saturation import frozen_overlaps, saturated_state
from tests.declared import declare

LABELS = ["sign(u-0.4)", "2*sign(u)", "sign(u-0.001)", "sign(u-1)+sign(u+1)", "3*sign(u)+sign(u-1)"]


def declared(label, scheme="bayes-optimal", constraint="y*h >= 0"):
    teacher = {"weights": "binary", "label": label}
    return declare("noiseless", teacher=teacher, loss={"constraint": constraint}, scheme=scheme, alpha=0.5)


@pytest.mark.parametrize("label", LABELS)
def test_the_perfect_state_is_found_beyond_the_spinodal(label):
    model = declared(label)
    solution = model.solve(alpha=2.5)
    assert solution["q"] == 1.0
    assert abs(solution["free_entropy"]) <= solution.states[0].error_estimate
    assert abs(solution.states[0].observables["generalization_error"]) < 1e-12


@pytest.mark.parametrize("label", LABELS)
def test_conjugates_grow_as_the_inverse_root_of_the_gap(label):
    # a label's probability must vanish with full relative accuracy where the score of the student diverges
    solver = declared(label).solver()
    gaps = 2.0 ** -np.arange(20.0, 46.0, 5.0)
    x = np.stack([1.0 - gaps, np.zeros_like(gaps)], axis=1)
    conjugates = -solver.residual(x, np.full((len(gaps), 1), 3.0))[:, 1]
    assert np.allclose(np.diff(np.log2(conjugates)), 2.5, atol=2e-3)


def test_twice_the_sign_says_what_the_sign_says():
    found = [declared(label).locus("crossing", "alpha", bounds=(0.5, 1.6)) for label in ("2*sign(u)", "sign(u)")]
    values = [locus.special_points[0].parameters["alpha"] for locus in found]
    assert values[0] == pytest.approx(values[1], abs=1e-9)
    assert values[1] == pytest.approx(1.245, abs=5e-4)  # Gyorgyi 1990; Sompolinsky, Tishby and Seung 1990


def test_the_perfect_state_takes_over_where_the_entropy_of_the_other_vanishes():
    model = declared("sign(u-0.4)")
    crossing = model.locus("crossing", "alpha", bounds=(0.5, 1.8)).special_points[0]
    entropy = model.locus("zero-entropy", "alpha", bounds=(0.5, 1.8)).special_points[0]
    assert crossing.parameters["alpha"] == pytest.approx(entropy.parameters["alpha"], abs=1e-8)


def test_a_student_with_the_teachers_shift_finds_the_perfect_state():
    model = declared("sign(u-0.4)", "replica-symmetric", "y*(h-0.4) >= 0")
    solution = model.solve(alpha=2.5)
    assert solution["q"] == solution["r"] == 1.0


THREE = {"values": [-1, 0, 1], "probabilities": [0.25, 0.5, 0.25]}
COUNTED = {"values": [-1, 0, 1]}


def beside(student, teacher, scheme="replica-symmetric", label="sign(u)", constraint="y*h >= 0"):
    law = {"weights": teacher, "label": label, "normalise": False}
    return declare("planted", weights=student, teacher=law, loss={"constraint": constraint}, scheme=scheme, alpha=1.0)


@pytest.mark.parametrize("size", [2.0, 0.3, 3.0])
def test_weights_of_another_size_have_the_states_of_plus_minus_one(size):
    values = {"values": [-size, size]}
    plain, scaled = beside("binary", "binary"), beside(values, values)
    for alpha in (0.8, 1.6, 3.0):
        expected, found = plain.solve(alpha=alpha), scaled.solve(alpha=alpha)
        for name in ("q", "r"):
            assert found[name] == pytest.approx(size**2 * expected[name], rel=1e-9)
        for name in ("free_entropy", "generalization_error"):
            assert found[name] == pytest.approx(expected[name], abs=1e-10)
    expected, found = (model.solve(alpha=1.3, all=True).alternatives for model in (plain, scaled))
    assert [s.stability for s in found] == [s.stability for s in expected]
    assert [s.free_entropy for s in found] == pytest.approx([s.free_entropy for s in expected], abs=1e-10)
    (expected,), (found,) = (model.locus("crossing", "alpha", bounds=(0.5, 1.6)).special_points for model in (plain, scaled))
    assert found.parameters["alpha"] == pytest.approx(expected.parameters["alpha"], abs=2e-10)


def test_the_size_of_weights_may_be_a_parameter():
    values = {"values": ["-a", "a"]}
    law = {"weights": "binary", "label": "sign(u)"}
    model = declare("sized", weights=values, teacher=law, loss={"constraint": "y*h >= 0"}, alpha=1.3, a=2.0)
    expected = beside("binary", "binary").solve(alpha=1.3, all=True).alternatives
    found = model.solve(alpha=1.3, a=3.0, all=True).alternatives
    assert [s.order_parameters["r"] / 3.0 for s in found] == pytest.approx([s.order_parameters["r"] for s in expected])
    assert [s.free_entropy for s in found] == pytest.approx([s.free_entropy for s in expected], abs=1e-10)


@pytest.mark.parametrize(
    ("student", "teacher", "overlaps"),
    [
        ("binary", {"values": [-2, 2]}, {"q": 1.0, "r": 2.0}),
        ({"values": [-2, 2]}, "binary", {"q": 4.0, "r": 2.0}),
        (COUNTED, "binary", {"q": 1.0, "q_d": 1.0, "r": 1.0}),
        (COUNTED, THREE, {"q": 0.5, "q_d": 0.5, "r": 0.5}),
        ({"values": [-3, 0, 3]}, THREE, {"q": 4.5, "q_d": 4.5, "r": 1.5}),
        ({"values": [0, 1]}, {"values": [0, 2]}, {"q": 0.5, "q_d": 0.5, "r": 1.0}),
        ({"values": [-1, 2]}, {"values": [-1, 2], "probabilities": [0.6, 0.4]}, {"q": 2.2, "q_d": 2.2, "r": 2.2}),
    ],
)
def test_counted_weights_freeze_onto_their_teacher(student, teacher, overlaps):
    """One configuration is left, the teacher's in the student's units: its logarithm is 0."""
    found = beside(student, teacher).solve(alpha=5.0, all=True).alternatives[0]
    assert {name: found.order_parameters[name] for name in overlaps} == pytest.approx(overlaps, rel=1e-12)
    assert abs(found.free_entropy) <= found.error_estimate < 1e-9
    assert found.stability == "stable"
    assert found.observables["entropy"] == found.observables["generalization_error"] == 0.0


@pytest.mark.parametrize("scheme", ["replica-symmetric", "bayes-optimal"])
def test_weights_with_probabilities_keep_those_of_the_teacher(scheme):
    found = beside(THREE, THREE, scheme).solve(alpha=5.0)
    exact = 0.5 * math.log(0.25) + 0.5 * math.log(0.5)
    assert found["q"] == pytest.approx(0.5, rel=1e-12)
    assert abs(found["free_entropy"] - exact) <= found.states[0].error_estimate < 1e-9
    assert found["entropy"] == 0.0


def three_values(scheme, loss):
    weights = {"values": ["-a", "b", "a"], "probabilities": ["rho/2", "1-rho", "rho/2"]}
    teacher = {"weights": weights, "label": "sign(u)", "flip_probability": "eps", "normalise": False}
    parameters = {"alpha": 6.0, "a": 1.5, "b": 0.25, "rho": 0.3, "eps": 0.1}
    return declare("three", weights=weights, teacher=teacher, loss=loss, scheme=scheme, **parameters)


def test_values_and_probabilities_may_be_parameters():
    rho, eps, beta = 0.4, 0.05, 2.0
    model = three_values("replica-symmetric", {"energy": "step(-y*h)", "temperature": 1.0 / beta})
    found = model.solve(alpha=6.0, rho=rho, eps=eps, a=0.8)
    exact = rho * math.log(rho / 2.0) + (1.0 - rho) * math.log(1.0 - rho) - 6.0 * beta * eps
    assert found["q"] == pytest.approx(rho * 0.8**2 + (1.0 - rho) * 0.25**2, rel=1e-12)
    assert abs(found["free_entropy"] - exact) <= found.states[0].error_estimate < 1e-9
    assert found["training_error"] == pytest.approx(eps, abs=1e-10)


def test_three_values_take_over_where_the_entropy_of_the_others_vanishes():
    """On the Nishimori line the perfect state has entropy 0 at every alpha, and so has the other one where they cross."""
    model = three_values("bayes-optimal", {"constraint": "y*h >= 0"})
    crossing = model.locus("crossing", "alpha", bounds=(1.0, 3.7)).special_points[0]
    entropy = model.locus("zero-entropy", "alpha", bounds=(1.0, 3.7)).special_points[0]
    assert crossing.parameters["alpha"] == pytest.approx(entropy.parameters["alpha"], abs=1e-9)


def test_all_roots_of_three_values_that_are_parameters():
    """The perfect state, with phi = -(entropy of the weights) - alpha (entropy of the flips), and two ordinary roots."""
    states = three_values("bayes-optimal", {"constraint": "y*h >= 0"}).solve(alpha=3.6, all=True).alternatives
    exact = 0.3 * math.log(0.15) + 0.7 * math.log(0.7) + 3.6 * (0.1 * math.log(0.1) + 0.9 * math.log(0.9))
    assert [state.stability for state in states] == ["stable", "metastable", "unstable"]
    assert abs(states[0].free_entropy - exact) <= states[0].error_estimate < 1e-9
    assert states[0].order_parameters["q"] == pytest.approx(0.3 * 1.5**2 + 0.7 * 0.25**2, rel=1e-12)


def test_where_two_sizes_of_the_student_say_what_the_teacher_says_both_are_listed():
    model = beside({"values": [-2, -1, 0, 1, 2]}, THREE)
    perfect = [s for s in model.solve(alpha=5.0, all=True).alternatives if s.observables["generalization_error"] == 0.0]
    assert sorted(s.order_parameters["q_d"] for s in perfect) == pytest.approx([0.5, 2.0], rel=1e-12)
    for state in perfect:
        assert abs(state.free_entropy) <= state.error_estimate


def test_values_that_lie_close_to_one_another_freeze_too():
    """In larger gaps only their signs are known, and many students are left."""
    values = {"values": [-1, -0.9, 0.9, 1]}
    module = beside(values, values).solver()
    state = saturated_state(Bound(module, module.RULE), np.array([[5.0]]), "")
    assert state is not None
    assert state.order_parameters["q"] == pytest.approx(0.905, rel=1e-12)
    assert abs(state.free_entropy) <= state.error_estimate < 1e-8


def test_a_student_of_opposite_labels_freezes_opposite_to_the_teacher():
    found = beside({"values": [-2, 2]}, "binary", label="sign(-u)").solve(alpha=3.0)
    assert (found["q"], found["r"]) == (4.0, -2.0)
    assert abs(found["free_entropy"]) <= found.states[0].error_estimate


@pytest.mark.parametrize(
    ("student", "teacher", "constraint"),
    [
        (COUNTED, "binary", "y*h >= 0.1"),  # the teacher itself violates a margin
        ({"values": [-1, 2]}, "binary", "y*h >= 0"),  # no value of the student is minus another
        ({"values": [1, -2]}, {"values": [-1, 2]}, "y*h >= 0"),  # only the teacher's opposite has these values
    ],
)
def test_no_perfect_state_where_no_student_says_what_the_teacher_says(student, teacher, constraint):
    module = beside(student, teacher, constraint=constraint).solver()
    assert saturated_state(Bound(module, module.RULE), np.array([[5.0]]), "") is None


def test_a_match_of_values_may_hold_at_one_parameter_only():
    law = {"weights": "binary", "label": "sign(u)"}
    weights = {"values": [-1, 0, "a"]}
    model = declare("one", weights=weights, teacher=law, loss={"constraint": "y*h >= 0"}, alpha=1.0, a=1.5)
    module = model.solver()
    assert frozen_overlaps(module, np.array([[1.0, 1.5]])) == []
    assert frozen_overlaps(module, np.array([[1.0, 1.0]]))[0] == {"q": 1.0, "q_d": 1.0, "r": 1.0}


@pytest.mark.parametrize("start", [{"q": 3.99, "r": 1.99}, {"q": 4.0, "r": 2.0}, {"q": 3.999}])
def test_a_start_beside_the_perfect_state_ends_on_it(start):
    found = beside({"values": [-2, 2]}, "binary").solve(alpha=1.2, start=start)
    assert (found["q"], found["r"]) == (4.0, 2.0)
    assert "saturated" in found.states[0].warnings[0]
