"""Models with a constrained overlap: their branch begins at the replica-symmetric state of the same model.

The generated module names that state (``SYMMETRIC``: the constrained parameter, the overlap that it equals there, and every
order parameter in terms of replica-symmetric ones) and carries the replica-symmetric module, which has the same parameters
(``SYMMETRIC_MODULE``). All levels of overlaps coincide there, at a regular root of the constrained system.
"""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Protocol

import numpy as np

from spinodal.numeric.path import Path, follow
from spinodal.numeric.results import Array, State
from spinodal.numeric.roots import NewtonSettings
from spinodal.numeric.rows import Mask, System

#: A constrained overlap may be this far below that of the symmetric state (rounding).
_ROUNDING = 1e-12


class ModuleSystem(System, Protocol):
    """A module bound to a quadrature rule."""

    @property
    def module(self) -> ModuleType:
        """The module."""
        ...


def symmetric_start(module: ModuleType, base: Array) -> Array:
    """The state [B, n] where the branch begins, from replica-symmetric states [B, m]."""
    names = list(module.SYMMETRIC_MODULE.ORDER_PARAMETERS)

    def column(name: str) -> Array:
        entry = module.SYMMETRIC["state"][name]
        return base[:, names.index(entry)] if isinstance(entry, str) else np.full(len(base), float(entry))

    return np.stack([column(name) for name in module.ORDER_PARAMETERS], axis=1)


def follow_constraint(system: ModuleSystem, first: Path, p: Array, overlaps: Mask, settings: NewtonSettings) -> Path:
    """Follow the constrained overlap from the replica-symmetric state to its wanted value.

    Args:
        system: the constrained system.
        first: the replica-symmetric states at the same parameters.
        p: parameters [B, k].
        overlaps: which order parameters are overlaps [n].
        settings: of Newton's method.

    Returns:
        The path along the constrained overlap; ``reached`` is -1 where there is none: the symmetric state was not found, or
        the wanted overlap is below its own.
    """
    module = system.module
    start = symmetric_start(module, first.roots.x)
    names = list(module.SYMMETRIC_MODULE.ORDER_PARAMETERS)
    column = module.PARAMETERS.index(module.SYMMETRIC["parameter"])
    begin = p.copy()
    begin[:, column] = first.roots.x[:, names.index(module.SYMMETRIC["overlap"])]
    usable = first.roots.converged & (p[:, column] >= begin[:, column] - _ROUNDING)
    bounded = overlaps & np.array([name not in module.UNBOUNDED for name in module.ORDER_PARAMETERS])
    path = follow(system, start, begin, np.where(usable[:, None], p, begin), bounded, settings)
    roots = replace(path.roots, converged=path.roots.converged & usable)
    return Path(roots, np.where(usable, path.reached, -1.0), path.fold & usable)


def why_not_reached(module: ModuleType, p: Array, base: State, reached: float) -> tuple[str, str]:
    """Why the constrained overlap was not reached, and what to try."""
    name, wanted = module.SYMMETRIC["parameter"], float(p[module.PARAMETERS.index(module.SYMMETRIC["parameter"])])
    if not base.converged:
        reason = base.failure.reason if base.failure is not None else "it was not found"
        advice = base.failure.advice if base.failure is not None else "solve the replica-symmetric model first"
        return f"there is no replica-symmetric state to begin from: {reason}", advice
    overlap = module.SYMMETRIC["overlap"]
    typical = base.order_parameters[overlap]
    if reached < 0.0:
        return (
            f"{name} = {wanted:.6g} is below the typical overlap {overlap} = {typical:.6g}, where the branch begins",
            f"take {name} between {typical:.6g} and 1",
        )
    end = typical + reached * (wanted - typical)
    return f"the branch from the replica-symmetric state ends in a fold near {name} = {end:.6g}", f"take a smaller {name}"
