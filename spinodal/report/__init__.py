"""A derivation for its reader.

notation   the field's letters: SymPy expressions as LaTeX, with fields, powers and tilted means named where they are defined
symbols    an author's letters, and which are refused
terms      a sum's terms over common denominators, averages carried out where they can be
declared   formulas of the spec
sites      what single-site symbols stand for
ground     what is said where the temperature goes to 0
jumps      terms that are infinite where a ground state jumps; convexity tells where none does
markup     what its equations claim, for verify to check again
steps      the steps of a derivation, each with its reason
document   the whole of it: Markdown, LaTeX, what was checked
"""

from spinodal.report.document import Derivation, derivation
from spinodal.report.notation import latex
from spinodal.report.steps import Step
from spinodal.report.symbols import author_symbols

__all__ = ["Derivation", "Step", "author_symbols", "derivation", "latex"]
