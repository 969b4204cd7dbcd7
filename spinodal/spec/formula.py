"""Formulas: parse them, print them, evaluate them."""

from spinodal.spec.errors import FormulaError
from spinodal.spec.evaluation import evaluate
from spinodal.spec.parser import is_truth, parse_formula
from spinodal.spec.printing import to_text
from spinodal.spec.tokens import FUNCTIONS, VARIABLES

__all__ = ["FUNCTIONS", "VARIABLES", "FormulaError", "evaluate", "is_truth", "parse_formula", "to_text"]
