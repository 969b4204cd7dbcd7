"""Derivation to module source, in one call: the only entry point that needs SymPy."""

from __future__ import annotations

from spinodal.codegen.lower import lower
from spinodal.codegen.numpy_target.emit import emit
from spinodal.spec import Spec
from spinodal.symbolic.derive import derive


def generate(spec: Spec, identity: str) -> str:
    """The source of a spec's solver module.

    Raises:
        DerivationError: if the spec has no theory here.
    """
    derived = derive(spec)
    equations = {str(left): str(right) for left, right in derived.textbook}
    return emit(lower(derived), identity=identity, equations=equations)
