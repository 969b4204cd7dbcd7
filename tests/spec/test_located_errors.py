"""What a derivation refuses is said at the entry of the spec that it comes from."""

import pytest

from spinodal.located_errors import located_errors
from spinodal.spec import SpecError, spec_from_text
from spinodal.symbolic.errors import DerivationError

TEXT = """format = 1
[student]
weights = "binary"
[loss]
constraint = "y*h >= 0"
[ansatz]
scheme = "1rsb"
[parameters]
alpha = 0.5
"""


def refusal(error: Exception) -> SpecError:
    with pytest.raises(SpecError) as caught, located_errors(spec_from_text(TEXT, source="model.toml")):
        raise error
    return caught.value


def test_a_derivation_error_is_placed_in_the_file():
    error = refusal(DerivationError("no field", place="loss.constraint", column=4, cure="turn it round"))
    assert (error.source, error.line, error.column) == ("model.toml", 5, 19)
    assert (error.message, error.cure) == ("no field", "turn it round")


def test_what_no_rule_covers_is_a_refusal_of_the_ansatz_and_not_a_traceback():
    error = refusal(NotImplementedError("several inner averages"))
    assert error.line == 7
    assert error.message == "the 1rsb ansatz is not available for this model: several inner averages"


def test_other_errors_are_left_as_they_are():
    with pytest.raises(ZeroDivisionError), located_errors(spec_from_text(TEXT, source="model.toml")):
        raise ZeroDivisionError
