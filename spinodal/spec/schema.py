"""The JSON schema of spec files, for editors and for programs that write specs.

It describes the structure: tables, entries, types. Formulas, names and numbers are checked by the reader.
"""

from __future__ import annotations

from typing import Any

from spinodal.spec.ansatz import ENTRIES, OVERLAPS, SCHEMES
from spinodal.spec.sections import MAX_VALUES, MODEL_NAME, WEIGHT_WORDS
from spinodal.spec.tokens import MAX_LENGTH

_FORMULA = {"$ref": "#/$defs/formula"}
_PARAMETER = {"$ref": "#/$defs/parameter"}
_WEIGHTS = {"$ref": "#/$defs/weights"}
_LOSS_FORMULAS = {"constraint": _FORMULA, "energy": _FORMULA, "temperature": _FORMULA}
_EITHER_CONSTRAINT_OR_ENERGY = {
    "oneOf": [
        {
            "required": ["constraint"],
            "not": {"anyOf": [{"required": [entry]} for entry in ("energy", "temperature", "regularization")]},
        },
        {"required": ["energy", "temperature"], "not": {"required": ["constraint"]}},
    ]
}


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a spec."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "spinodal model spec, format 1",
        **_table(
            {
                "format": {"const": 1},
                "model": _table(
                    {"name": {"type": "string", "pattern": f"^{MODEL_NAME}$"}, "description": {"type": "string"}}
                ),
                "student": _table({"weights": _WEIGHTS, "features": _features()}, "weights"),
                "teacher": _table(
                    {
                        "weights": _WEIGHTS,
                        "label": _FORMULA,
                        "flip_probability": _FORMULA,
                        "normalise": {"type": "boolean", "default": True},
                    },
                    "weights",
                    "label",
                ),
                "loss": _table({**_LOSS_FORMULAS, "regularization": _FORMULA}) | _EITHER_CONSTRAINT_OR_ENERGY,
                "ansatz": _ansatz(),
                "parameters": {
                    "type": "object",
                    "properties": {"alpha": _PARAMETER, "alpha_T": _PARAMETER},
                    "patternProperties": {"^[A-Za-z][A-Za-z0-9_]{0,39}$": _PARAMETER},
                    "required": ["alpha"],
                    "additionalProperties": False,
                },
                "observables": {"type": "object", "additionalProperties": _FORMULA},
            },
            "format",
            "student",
            "loss",
            "parameters",
        ),
        "$defs": {
            "formula": {
                "description": "a formula in the variables of its place and the parameters, or a number",
                "anyOf": [{"type": "string", "minLength": 1, "maxLength": MAX_LENGTH}, {"type": "number"}],
            },
            "parameter": {
                "description": "a default, or a table with a default and a description",
                "anyOf": [
                    {"type": "number"},
                    _table({"default": {"type": "number"}, "description": {"type": "string"}}),
                ],
            },
            "weights": _weights(),
        },
    }


def _table(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    table: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return table | {"required": list(required)} if required else table


def _weights() -> dict[str, Any]:
    array = {"type": "array", "items": _FORMULA, "minItems": 2, "maxItems": MAX_VALUES}
    normalise = {"type": "boolean", "default": True}
    return {
        "description": "a weight prior",
        "anyOf": [
            {"enum": list(WEIGHT_WORDS)},
            _table({"values": array, "probabilities": array, "normalise": normalise}, "values"),
            _table({"density": _FORMULA, "normalise": normalise}, "density"),
        ],
    }


def _features() -> dict[str, Any]:
    return {
        "default": "direct",
        "anyOf": [
            {"const": "direct"},
            _table({"map": {"const": "direct"}}, "map"),
            _table({"map": {"const": "random"}, "activation": _FORMULA}, "map", "activation"),
        ],
    }


def _ansatz() -> dict[str, Any]:
    entries: dict[str, Any] = {
        "m": _FORMULA,
        "mu": _FORMULA,
        "m1": _FORMULA,
        "m2": _FORMULA,
        "replicas": _FORMULA,
        "reference": _table(_LOSS_FORMULAS) | _EITHER_CONSTRAINT_OR_ENERGY,
        "kappa_ref": {"const": "max"},
        "overlap": {"enum": list(OVERLAPS)},
    }
    default = SCHEMES[0]
    alternatives = []
    for scheme in SCHEMES:
        own = {name: entries[name] for name in ENTRIES[scheme]}
        required = [] if scheme == default else ["scheme"]
        alternatives.append(_table({"scheme": {"const": scheme}, **own}, *required))
    return {"anyOf": alternatives}
