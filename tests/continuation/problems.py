"""Problems with known special points, for the continuation engine alone."""

from __future__ import annotations

import numpy as np


def chebyshev(nodes: int):
    """Chebyshev differentiation matrix and nodes on [-1, 1] (Trefethen, Spectral Methods in MATLAB, 2000)."""
    x = np.cos(np.pi * np.arange(nodes + 1) / nodes)
    c = np.hstack([2.0, np.ones(nodes - 1), 2.0]) * (-1.0) ** np.arange(nodes + 1)
    spread = np.tile(x, (nodes + 1, 1)).T
    matrix = np.outer(c, 1.0 / c) / (spread - spread.T + np.eye(nodes + 1))
    return matrix - np.diag(matrix.sum(axis=1)), x


def bratu(nodes: int = 24):
    """Equation u'' + lambda exp(u) = 0 on (0, 1), u = 0 at both ends, on Chebyshev nodes."""
    matrix, _ = chebyshev(nodes)
    second = 4.0 * (matrix @ matrix)[1:-1, 1:-1]
    return (lambda u, p: second @ u + p * np.exp(u)), nodes - 1


#: Fold of the one-dimensional Bratu problem: lambda = 8 t^2 / cosh(t)^2 at t tanh t = 1.
BRATU_FOLD = 3.513830719125161


def cusp_form(lam: float):
    """Form mu + lambda x - x^3: folds at mu = +-2 (lambda/3)^(3/2)."""
    return lambda x, mu: mu + lam * x - x**3


def curie_weiss(beta: float):
    """Model m = tanh(beta (m + h)) as a function of h."""
    return lambda m, h: m - np.tanh(beta * (m + h))


def curie_weiss_spinodal(beta: float) -> float:
    """The spinodal field |h|: m^2 = 1 - 1/beta, h = atanh(m)/beta - m."""
    m = np.sqrt(1.0 - 1.0 / beta)
    return float(abs(np.arctanh(m) / beta - m))
