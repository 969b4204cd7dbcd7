"""Nodes and weights for one variable of integration, and sums whose terms no double holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROOT_2PI = float(np.sqrt(2.0 * np.pi))


@dataclass(frozen=True, slots=True)
class Terms:
    """An integrand at nodes, its weight included: ``value exp(exponent)``, known to ``noise exp(exponent)``.

    Attributes:
        value: [n, l], one column for each integrand.
        exponent: [n, l], or 0 where everything is in the range of doubles.
        noise: [n, l], or 0: what the errors of integrals inside make of it.
    """

    value: Array
    exponent: Array | float = 0.0
    noise: Array | float = 0.0


@dataclass(frozen=True, slots=True)
class Sum:
    """``value exp(shift)``, an array [l]; sum of the terms' absolute values, and error, in the same scale."""

    value: Array
    size: Array
    shift: Array
    error: Array

    def __add__(self, other: Sum) -> Sum:
        shift = np.maximum(np.where(self.size > 0.0, self.shift, -np.inf), np.where(other.size > 0.0, other.shift, -np.inf))
        shift = np.where(np.isfinite(shift), shift, 0.0)
        a, b = _exp(self.shift - shift), _exp(other.shift - shift)
        return Sum(self.value * a + other.value * b, self.size * a + other.size * b, shift, self.error * a + other.error * b)

    def times(self, factor: float | Array) -> Sum:
        """The sum times a plain number."""
        positive = np.abs(factor)
        return Sum(self.value * factor, self.size * positive, self.shift, self.error * positive)

    def at(self, lanes: NDArray[np.intp]) -> Sum:
        """Some of the sums."""
        return Sum(self.value[lanes], self.size[lanes], self.shift[lanes], self.error[lanes])

    def put(self, lanes: NDArray[np.intp], other: Sum) -> None:
        """Replace some of the sums."""
        self.value[lanes], self.size[lanes] = other.value, other.size
        self.shift[lanes], self.error[lanes] = other.shift, other.error


def zeros(count: int) -> Sum:
    """Empty sums."""
    return Sum(np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count))


def _exp(exponent: Array) -> Array:
    return np.exp(np.minimum(exponent, 700.0))


def summed(terms: Terms, weights: Array) -> tuple[Sum, Array]:
    """Sums over nodes under several rows of weights.

    Args:
        terms: [n, l].
        weights: [n, k]; the first column is the rule.

    Returns:
        The sums under the rule, and the values under every column in the same scale, [k, l].
    """
    values = terms.value
    if isinstance(terms.exponent, float):
        shift = np.full(values.shape[1], terms.exponent)
        scaled, noise = values, terms.noise
    else:
        exponent = np.where(values != 0.0, terms.exponent, -np.inf)
        shift = np.max(exponent, axis=0)
        shift = np.where(np.isfinite(shift), shift, 0.0)
        weight = _exp(exponent - shift)
        # what vanishes must not meet an exponent that is no number
        scaled, noise = np.where(values != 0.0, values * weight, 0.0), terms.noise * weight
    every = weights.T @ scaled
    size = np.abs(weights[:, 0]) @ np.abs(scaled)
    error = np.zeros_like(size) if isinstance(noise, float) else np.abs(weights[:, 0]) @ np.broadcast_to(noise, scaled.shape)
    return Sum(every[0], size, shift, error), every


@lru_cache(maxsize=8)
def fejer(order: int) -> tuple[Array, Array]:
    """Fejér's second rule on [-1, 1] and the rules of a half and a quarter of its order, on some of its nodes.

    Waldvogel, BIT 46, 195 (2006); ``order`` is 2^k - 1. Nodes [order], weights [order, 3].
    """

    def weights(n: int) -> Array:
        theta = np.arange(1, n + 1) * np.pi / (n + 1)
        j = np.arange(1, (n + 1) // 2 + 1)
        sums = np.sin(np.outer(theta, 2 * j - 1)) @ (1.0 / (2 * j - 1))
        return np.asarray(4.0 * np.sin(theta) / (n + 1) * sums)

    nodes = -np.cos(np.arange(1, order + 1) * np.pi / (order + 1))
    table = np.zeros((order, 3))
    for column, step in enumerate((1, 2, 4)):
        table[step - 1 :: step, column] = weights((order + 1) // step - 1)
    return nodes, table
