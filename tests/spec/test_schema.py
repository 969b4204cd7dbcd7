"""The JSON schema accepts what the reader accepts, and refuses what is wrong in structure."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from spinodal.spec import json_schema, shipped_models

BROKEN = Path(__file__).parent / "broken"
#: Broken in structure: what a schema can see (formulas, names inside them and numbers are the reader's).
STRUCTURAL = [
    "alpha-missing",
    "ansatz-contradictory-entry",
    "ansatz-kappa_ref-a-number",
    "ansatz-reference-empty",
    "constraint-and-energy",
    "description-is-a-number",
    "direct-features-with-activation",
    "energy-without-temperature",
    "feature-map-misspelt",
    "features-misspelt",
    "format-is-a-text",
    "format-missing",
    "format-unknown",
    "formula-too-long",
    "loss-empty",
    "loss-missing",
    "margin-is-a-boolean",
    "margin-is-a-text",
    "model-name",
    "parameter-misspelt-entry",
    "parameter-name-with-a-dash",
    "parameters-missing",
    "probabilities-of-a-density",
    "random-features-table-without-activation",
    "random-features-without-activation",
    "regularization-of-a-constraint",
    "scheme-a-number",
    "scheme-misspelt",
    "student-missing",
    "student-without-weights",
    "table-is-a-text",
    "teacher-without-label",
    "teacher-without-weights",
    "temperature-of-a-constraint",
    "unknown-key",
    "unknown-key-like-no-other",
    "unknown-table",
    "weights-a-number",
    "weights-misspelt",
    "weights-neither-values-nor-density",
    "weights-one-value",
    "weights-values-not-an-array",
]


@pytest.fixture(scope="module")
def validator():
    jsonschema.Draft202012Validator.check_schema(json_schema())
    return jsonschema.Draft202012Validator(json_schema())


def test_the_schema_is_json():
    assert json.loads(json.dumps(json_schema())) == json_schema()


@pytest.mark.parametrize("name", sorted(shipped_models()))
def test_shipped_specs_follow_the_schema(name, validator):
    validator.validate(tomllib.loads(shipped_models()[name].read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", STRUCTURAL)
def test_specs_broken_in_structure_violate_the_schema(name, validator):
    assert not validator.is_valid(tomllib.loads((BROKEN / f"{name}.toml").read_text(encoding="utf-8")))
