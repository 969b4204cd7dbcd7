"""Quadrature rules from quadpy, for those who have it.

quadpy is imported only when a rule is made, so nothing else here depends on it. Its current releases are closed source
and refuse to run without a paid licence; whatever way it fails, the error says so and names the built-in alternative.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .quadrature import FloatArray, Rule


class QuadpyUnavailableError(ImportError):
    """Raised when quadpy cannot be imported or refuses to work."""


def _refusal(cause: BaseException) -> QuadpyUnavailableError:
    reason = " ".join(str(cause).split()) or type(cause).__name__
    return QuadpyUnavailableError(
        f"quadpy is not usable here ({reason}). Its current releases require a paid licence. "
        "The built-in quadrature rules cover everything: leave the rule on automatic, or choose Gauss-Hermite."
    )


def _scheme(family: str, size: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of quadpy.e1r2.<family>(size), rescaled to the standard Gaussian."""
    try:
        module: Any = importlib.import_module("quadpy")
        factory = getattr(module.e1r2, family)
        scheme = factory(size)
        points = np.asarray(scheme.points, dtype=np.float64).reshape(-1)
        weights = np.asarray(scheme.weights, dtype=np.float64).reshape(-1)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a licence check may well end in SystemExit
        raise _refusal(error) from error
    # quadpy integrates against exp(-x^2); normalising makes the rule independent of its convention for the weights.
    return math.sqrt(2.0) * points, weights / weights.sum()


@dataclass(frozen=True, eq=False)
class QuadpyRule:
    """A fixed rule of quadpy's e1r2 families. Like Gauss-Hermite it does not resolve steps, and ignores them."""

    family: str
    size: int
    z: FloatArray
    weights: FloatArray

    @property
    def name(self) -> str:
        """Name for headers and messages."""
        return f"quadpy {self.family}"

    @property
    def n(self) -> int:
        """Number of nodes."""
        return int(self.z.size)

    def nodes(self, centres: Sequence[ArrayLike] = (), widths: Sequence[ArrayLike] = ()) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights, read-only views [B, n] ([1, n] without steps)."""
        shape = np.broadcast_shapes(*(np.shape(part) for part in (*centres, *widths))) if centres else (1,)
        return np.broadcast_to(self.z, (*shape, self.n)), np.broadcast_to(self.weights, (*shape, self.n))

    def refined(self) -> Rule:
        """The same family at twice the size."""
        return quadpy_rule(2 * self.size, self.family)


def quadpy_rule(size: int, family: str = "gauss_hermite") -> QuadpyRule:
    """The rule quadpy.e1r2.<family>(size); raises QuadpyUnavailableError where quadpy does not work."""
    z, weights = _scheme(family, size)
    return QuadpyRule(family, size, z, weights)
