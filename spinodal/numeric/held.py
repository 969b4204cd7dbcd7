"""A system with some of its unknowns held at given values, without their equations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from spinodal.numeric.rows import Array, Mask, System


@dataclass(frozen=True)
class Held:
    """The equations of the free unknowns.

    Attributes:
        system: all equations.
        held: which unknowns are held [n].
        values: their values [n] (those of free unknowns are of no account).
    """

    system: System
    held: Mask = field(compare=False)
    values: Array = field(compare=False)

    def complete(self, y: Array) -> Array:
        """All unknowns [B, n] from the free ones [B, m]."""
        x = np.tile(self.values, (len(y), 1))
        x[:, ~self.held] = y
        return x

    def residual_and_jacobian(self, y: Array, p: Array) -> tuple[Array, Array]:
        """The equations of the free unknowns [B, m] and their derivatives [B, m, m]."""
        f, jacobian = self.system.residual_and_jacobian(self.complete(y), p)
        return f[:, ~self.held], jacobian[:, ~self.held][:, :, ~self.held]

    def parameter_derivative(self, y: Array, p: Array, wanted: Collection[int] | None = None) -> Array:
        """Of the equations of the free unknowns [B, m, k]."""
        return self.system.parameter_derivative(self.complete(y), p, wanted)[:, ~self.held]

    def conditions(self, y: Array, p: Array) -> Array:
        """Those of the system."""
        return self.system.conditions(self.complete(y), p)
