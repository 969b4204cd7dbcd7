"""A generated module with a quadrature rule: the system that root finding sees."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from spinodal.numeric.quadrature import Rule
from spinodal.numeric.results import Array
from spinodal.numeric.rows import Mask


@dataclass(frozen=True)
class Bound:
    """A module with a quadrature rule: the system that root finding sees."""

    module: ModuleType
    rule: Rule

    def residual_and_jacobian(self, x: Array, p: Array) -> tuple[Array, Array]:
        """F [B, n] and dF/dx [B, n, n]."""
        f, j = self.module.residual_and_jacobian(x, p, self.rule)
        return f, j

    def residual(self, x: Array, p: Array) -> Array:
        """F [B, n]."""
        return np.asarray(self.module.residual(x, p, self.rule))

    def parameter_derivative(self, x: Array, p: Array, wanted: Collection[int] | None = None) -> Array:
        """dF/dp [B, n, k]."""
        return np.asarray(self.module.parameter_derivative(x, p, self.rule, wanted))

    def conditions(self, x: Array, p: Array) -> Array:
        """Expressions that must not be negative [B, m]."""
        return np.asarray(self.module.conditions(x, p, self.rule))

    def refined(self) -> Bound:
        """The same with twice the nodes."""
        return Bound(self.module, self.rule.refined())


def is_overlap(module: ModuleType) -> Mask:
    """Which order parameters are overlaps (not conjugates) [n]."""
    return np.array([name not in module.CONJUGATES for name in module.ORDER_PARAMETERS])
