"""Numerics that know no models: quadrature, special functions, roots, continuation, results.

The continuation engine is reached as ``spinodal.numeric.continue_branch`` (imported on first use: it is not needed to
run a generated module).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spinodal.numeric.continuation import (
        Branch,
        CheckpointError,
        NoBranchError,
        Settings,
        continue_branch,
        continue_locus,
    )

__all__ = ["Branch", "CheckpointError", "NoBranchError", "Settings", "continue_branch", "continue_locus"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from spinodal.numeric import continuation

        return getattr(continuation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
