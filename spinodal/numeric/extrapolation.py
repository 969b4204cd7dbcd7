"""Limits of sequences in a vanishing gap, with error estimates."""

from __future__ import annotations

import numpy as np

from spinodal.numeric.results import Array

_ORDERS = 6
#: What the smallest of many differences is multiplied by.
_OPTIMISM = 16.0


def extrapolate(gaps: Array, values: Array, rounding: Array | None = None) -> tuple[float, float]:
    """The limit of values(g) at g = 0 by polynomials in g or in sqrt(g), with an error estimate.

    The estimate is the largest difference between the chosen extrapolation and its neighbours (the one from the points
    before, and one order lower), so that rounding noise, which grows as g falls, is seen as well as truncation. Where
    bounds of that noise are known, what it can become in an extrapolation is added: differences may be small by chance.

    Args:
        gaps: falling, [points].
        values: at the gaps, [points].
        rounding: what each value may be wrong by, [points].
    """
    uncertain = np.zeros(len(gaps)) if rounding is None else np.asarray(rounding, dtype=float)
    best, error = float(values[-1]), float("inf")
    for power in (0.5, 1.0):
        lower, t = np.array(values, dtype=float), np.asarray(gaps, dtype=float) ** power
        noise = uncertain
        for order in range(1, min(_ORDERS, len(t) - 2) + 1):
            # Neville: row i is the polynomial through the points i ... i + order, at t = 0
            fits = (t[order:] * lower[:-1] - t[:-order] * lower[1:]) / (t[order:] - t[:-order])
            noise = (t[order:] * noise[:-1] + t[:-order] * noise[1:]) / np.abs(t[order:] - t[:-order])
            change = np.maximum(np.abs(fits[1:] - fits[:-1]), np.abs(fits[1:] - lower[2:])) + 1e-15 * np.abs(fits[1:])
            change = change + noise[1:] / _OPTIMISM
            if np.any(np.isfinite(change)):
                chosen = int(np.nanargmin(change))
                if change[chosen] < error:
                    best, error = float(fits[1 + chosen]), float(change[chosen])
            lower = fits
    # the smallest of many differences is an optimistic one
    return best, _OPTIMISM * error + 4e-12 * abs(best)
