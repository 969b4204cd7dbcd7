"""Variables that stay of order one where conjugates vanish and differences of levels diverge.

At small distances between infinitely many replicas the first difference of levels, lambda, grows without bound, and the
others scale with powers of it. A module names these powers (``POWERS``); with s = 1 + lambda the unknowns are

    log s for lambda itself,      y_i = x_i / s^k_i for the others,      and the equations are F_i / s^k_i.

Newton's method and its step control then see variables and residuals of order one, whatever lambda is. The same holds of
ground states, whose dq = lim (q_d - q)/T is large where their energy is flat; there s = dq, small in strong fields.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from types import ModuleType
from typing import Protocol

import numpy as np

from spinodal.numeric.results import Array
from spinodal.numeric.rows import System

#: How order parameters of ground states (levels without their numbers) scale with dq as it diverges.
GROUND_POWERS = {"dq": 1, "dp": 1, "mu": 1, "q_hat": -2, "p_hat": -2, "dq_hat": -1, "dp_hat": -1, "r_hat": -1}


@dataclass(frozen=True)
class ScaledSystem:
    """A system in scaled variables.

    Attributes:
        system: the equations in their own variables.
        powers: the power of s in each unknown [n].
        driver: the index of lambda.
        offset: s - lambda.
    """

    system: System
    powers: Array = field(compare=False)
    driver: int
    offset: float = 1.0

    def scaled(self, x: Array) -> Array:
        """The scaled variables of states x [B, n]."""
        size = self.offset + x[:, self.driver : self.driver + 1]
        with np.errstate(all="ignore"):
            y = x / size**self.powers
            y[:, self.driver] = np.log(size[:, 0])
        return np.asarray(y)

    def states(self, y: Array) -> Array:
        """The states of scaled variables y [B, n]."""
        x = y * np.exp(y[:, self.driver : self.driver + 1] * self.powers)
        x[:, self.driver] = np.expm1(y[:, self.driver]) if self.offset else np.exp(y[:, self.driver])
        return np.asarray(x)

    def _scales(self, y: Array) -> Array:
        return np.asarray(np.exp(y[:, self.driver : self.driver + 1] * self.powers))

    def residual_and_jacobian(self, y: Array, p: Array) -> tuple[Array, Array]:
        """The scaled equations [B, n] and their derivatives [B, n, n]."""
        with np.errstate(all="ignore"):
            x, scales = self.states(y), self._scales(y)
            f, jacobian = self.system.residual_and_jacobian(x, p)
            g = f / scales
            along = self.powers * x  # dx/d log s
            along[:, self.driver] = scales[:, self.driver]
            slopes = jacobian * scales[:, None, :]
            slopes[:, :, self.driver] = np.einsum("bij,bj->bi", jacobian, along)
            slopes = slopes / scales[:, :, None]
            slopes[:, :, self.driver] -= self.powers * g
        return g, slopes

    def parameter_derivative(self, y: Array, p: Array, wanted: Collection[int] | None = None) -> Array:
        """Of the scaled equations [B, n, k]."""
        with np.errstate(all="ignore"):
            return np.asarray(self.system.parameter_derivative(self.states(y), p, wanted) / self._scales(y)[:, :, None])

    def conditions(self, y: Array, p: Array) -> Array:
        """Those of the system [B, m]."""
        with np.errstate(all="ignore"):
            return self.system.conditions(self.states(y), p)


class _BoundModule(System, Protocol):
    @property
    def module(self) -> ModuleType: ...


def scaled_system(system: _BoundModule) -> ScaledSystem:
    """The system of a module that names powers, in scaled variables."""
    module = system.module
    driver = module.ORDER_PARAMETERS.index(module.UNBOUNDED[0])
    return ScaledSystem(system, np.array(module.POWERS, dtype=float), driver)


def ground_powers(module: ModuleType) -> Array:
    """The powers of dq in the order parameters of a ground state [n]."""
    levels = (name.replace("0", "").replace("1", "") for name in module.ORDER_PARAMETERS)
    return np.array([GROUND_POWERS.get(name, 0) for name in levels], dtype=float)


def scaled_ground(system: System, module: ModuleType) -> ScaledSystem:
    """A system of the order parameters of a ground state, in scaled variables."""
    return ScaledSystem(system, ground_powers(module), module.ORDER_PARAMETERS.index("dq"), 0.0)
