"""Replica theory of learning from a declarative spec: derivations, generated solvers, phase transitions."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spinodal.model import Model, load
    from spinodal.numeric.results import Locus, Solution, SpecialPoint, State
    from spinodal.spec import Spec, SpecError

__version__ = version("spinodal")
__all__ = ["Locus", "Model", "Solution", "Spec", "SpecError", "SpecialPoint", "State", "__version__", "load"]

_HOME = {
    "load": "spinodal.model",
    "Model": "spinodal.model",
    "Solution": "spinodal.numeric.results",
    "State": "spinodal.numeric.results",
    "Locus": "spinodal.numeric.results",
    "SpecialPoint": "spinodal.numeric.results",
    "Spec": "spinodal.spec",
    "SpecError": "spinodal.spec",
}


def __getattr__(name: str) -> Any:
    """Import public names when they are first used, so that ``spinodal --help`` loads nothing heavy."""
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'spinodal' has no attribute {name!r}")
