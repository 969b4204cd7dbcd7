"""Rules for one variable of integration, and sums whose terms no double holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: A Gaussian variable is cut at this many standard deviations (further out where the integrand still weighs there).
CUT = 12.0
ROOT_2PI = float(np.sqrt(2.0 * np.pi))


@dataclass(frozen=True, slots=True)
class Sum:
    """``value exp(shift)``, beside the sum of the terms' absolute values in the same scale."""

    value: Array
    size: Array
    shift: Array | float = 0.0

    def __add__(self, other: Sum) -> Sum:
        if isinstance(self.shift, float) and isinstance(other.shift, float) and self.shift == other.shift:
            return Sum(self.value + other.value, self.size + other.size, self.shift)
        shift = finite(np.maximum(self.shift, other.shift))
        a, b = np.exp(self.shift - shift), np.exp(other.shift - shift)
        return Sum(self.value * a + other.value * b, self.size * a + other.size * b, shift)

    def times(self, factor: float | Array) -> Sum:
        """The sum times a plain number."""
        return Sum(self.value * factor, self.size * np.abs(factor), self.shift)

    @property
    def plain(self) -> Array:
        """The value itself."""
        return self.value if isinstance(self.shift, float) and self.shift == 0.0 else self.value * np.exp(self.shift)


def weighted(values: Array, exponents: Array | float, weights: Array) -> Sum:
    """``sum_k weights[k] values[k] exp(exponents[k])`` over the first axis."""
    if isinstance(exponents, float):
        column = weights.reshape((-1,) + (1,) * (np.ndim(values) - 1))
        return Sum(np.sum(column * values, axis=0), np.sum(np.abs(column * values), axis=0), exponents)
    values, exponents = np.broadcast_arrays(values, exponents)
    shift = finite(np.max(np.where(values != 0.0, exponents, -np.inf), axis=0))
    column = weights.reshape((-1,) + (1,) * (values.ndim - 1))
    terms = column * np.where(values != 0.0, values * np.exp(np.minimum(exponents - shift, 700.0)), 0.0)
    return Sum(np.sum(terms, axis=0), np.sum(np.abs(terms), axis=0), shift)


def finite(shift: Array) -> Array:
    """Zero where every term vanishes."""
    return np.where(np.isfinite(shift), shift, 0.0)


Place = Callable[[Array], tuple[Array, Array]]


def gaussian_place(low: Array, high: Array) -> Place:
    """From the unit interval to ordered limits: (z, dz); a half line ends where the Gaussian weight does."""
    start = np.maximum(low, np.where(np.isfinite(high), np.minimum(high, 0.0), 0.0) - CUT)
    stop = np.maximum(start, np.minimum(high, np.maximum(start, 0.0) + CUT))
    return lambda t: (start + (stop - start) * t, stop - start)


def lebesgue_place(low: Array, high: Array) -> Place:
    """From the unit interval to ordered limits; infinity by a rational map."""
    if np.all(np.isfinite(low)) and np.all(np.isfinite(high)):
        return lambda t: (low + (high - low) * t, high - low)
    if np.all(np.isfinite(low)) and not np.any(np.isfinite(high)):
        return lambda t: (low + t / (1.0 - t), (1.0 - t) ** -2.0)
    if np.all(np.isfinite(high)) and not np.any(np.isfinite(low)):
        return lambda t: (high - t / (1.0 - t), (1.0 - t) ** -2.0)
    return lambda t: ((t - 0.5) / (t * (1.0 - t)), (t * t - t + 0.5) / (t * (1.0 - t)) ** 2)


@lru_cache(maxsize=8)
def fejer(order: int) -> tuple[Array, Array, Array]:
    """Fejér's second rule on [-1, 1]: nodes, weights, and the weights of the embedded rule on every second node.

    Waldvogel, BIT 46, 195 (2006); ``order`` is 2^k - 1.
    """

    def weights(n: int) -> Array:
        theta = np.arange(1, n + 1) * np.pi / (n + 1)
        j = np.arange(1, (n + 1) // 2 + 1)
        sums = np.sin(np.outer(theta, 2 * j - 1)) @ (1.0 / (2 * j - 1))
        return np.asarray(4.0 * np.sin(theta) / (n + 1) * sums)

    nodes = -np.cos(np.arange(1, order + 1) * np.pi / (order + 1))
    return nodes, weights(order), weights((order - 1) // 2)
