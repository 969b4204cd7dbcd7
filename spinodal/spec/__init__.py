"""What a user declares: specs, formulas, and located errors. Reading a spec needs no SymPy."""

from spinodal.spec.ansatz import with_copies, with_fewer_levels, with_overlap
from spinodal.spec.canonical import canonical_json
from spinodal.spec.documents import shipped_models
from spinodal.spec.errors import FormulaError, SpecError
from spinodal.spec.formula import evaluate, parse_formula, to_text
from spinodal.spec.parameters import check_parameters
from spinodal.spec.reader import located, read_spec, spec_from_dict, spec_from_text
from spinodal.spec.schema import json_schema
from spinodal.spec.types import Ansatz, Spec

__all__ = [
    "Ansatz",
    "FormulaError",
    "Spec",
    "SpecError",
    "canonical_json",
    "check_parameters",
    "evaluate",
    "json_schema",
    "located",
    "parse_formula",
    "read_spec",
    "shipped_models",
    "spec_from_dict",
    "spec_from_text",
    "to_text",
    "with_copies",
    "with_fewer_levels",
    "with_overlap",
]
