"""The values of a run: defaults filled in, everything else refused with a reason."""

import numpy as np
import pytest

from spinodal.spec import SpecError, check_parameters, read_spec, spec_from_text

DILUTED = spec_from_text(
    """
format = 1
[student]
weights = { values = [-1, 0, 1], probabilities = ["rho/2", "1-rho", "rho/2"] }
[teacher]
weights = "gaussian"
label = "sign(u)"
flip_probability = "eps"
[loss]
energy = "step(-y*h)"
temperature = "T"
[parameters]
alpha = {}
rho = 0.5
eps = 0.0
T = 1.0
"""
)


def test_defaults_are_filled_in_and_the_order_is_that_of_the_spec():
    values = check_parameters(read_spec("random-features-binary"), {"kappa": 1, "alpha": np.float64(0.5)})
    assert list(values.items()) == [("alpha", 0.5), ("alpha_T", 3.0), ("kappa", 1.0)]
    assert all(type(value) is float for value in values.values())


def test_names_that_the_ansatz_adds_are_accepted():
    values = check_parameters(read_spec("binary-perceptron"), {"q1": 0.9}, extra=["q1"])
    assert values == {"alpha": 0.5, "kappa": 0.0, "q1": 0.9}
    assert check_parameters(read_spec("binary-perceptron"), {}, extra=["q1"]) == {"alpha": 0.5, "kappa": 0.0}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"alhpa_T": 3.0}, "--set: alhpa_T: unknown parameter; did you mean alpha_T?"),
        ({"zeta": 3.0}, "--set: zeta: unknown parameter; the model has alpha, alpha_T, kappa"),
        ({"alpha": -0.1}, "--set: alpha: -0.1 is negative; alpha counts patterns per weight (P/N): 0 or more"),
        ({"alpha_T": 0}, "--set: alpha_T: 0 is not positive; alpha_T counts patterns per input (P/D): more than 0"),
        ({"kappa": float("nan")}, "--set: kappa: nan is not a number; write a finite number"),
        ({"kappa": float("inf")}, "--set: kappa: inf is not a number; write a finite number"),
        ({"kappa": True}, "--set: kappa: true is not a number; write a finite number"),
        ({"kappa": "0.5"}, '--set: kappa: the text "0.5" is not a number; write a finite number'),
        ({"kappa": 10**400}, f"--set: kappa: 1{'0' * 36}... is not a number; write a finite number"),
        ({"kappa": [1.0]}, "--set: kappa: [1.0] is not a number; write a finite number"),
    ],
)
def test_wrong_values_are_refused(values, message):
    with pytest.raises(SpecError) as caught:
        check_parameters(read_spec("random-features-binary"), values)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "--set: alpha: no value given and no default; give alpha a number"),
        (
            {"alpha": 1, "rho": 1.5},
            "--set: student.weights.probabilities[1]: a negative probability, -0.5 at rho = 1.5; 0 or more",
        ),
        (
            {"alpha": 1, "eps": 1.5},
            "--set: teacher.flip_probability: flip_probability is 1.5 at eps = 1.5; a probability lies between 0 and 1",
        ),
        ({"alpha": 1, "T": -1}, "--set: loss.temperature: temperature is -1 at T = -1; a temperature is 0 or more"),
    ],
)
def test_values_are_checked_through_the_formulas_that_use_them(values, message):
    with pytest.raises(SpecError) as caught:
        check_parameters(DILUTED, values)
    assert str(caught.value) == message


def test_the_source_of_the_values_is_named():
    with pytest.raises(SpecError, match=r"^solve\(\): beta: unknown parameter"):
        check_parameters(DILUTED, {"beta": 1.0}, source="solve()")


@pytest.mark.parametrize(
    ("ansatz", "message"),
    [
        ({"scheme": "real-replicas", "replicas": "size"}, "replicas is -1 at size = -1; a number of replicas is positive"),
        ({"scheme": "1rsb", "m": "size"}, "m is -1 at size = -1; a size of blocks is positive"),
    ],
)
def test_sizes_of_blocks_that_parameters_make_negative_are_refused(ansatz: dict[str, str], message: str) -> None:
    spec = read_spec(
        "binary-perceptron", overrides={"ansatz": ansatz, "parameters": {"alpha": 0.5, "kappa": 0.0, "size": 2.0}}
    )
    with pytest.raises(SpecError, match=message):
        check_parameters(spec, {"size": -1.0, "q1": 0.5} if ansatz["scheme"] == "real-replicas" else {"size": -1.0})
