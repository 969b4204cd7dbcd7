"""A hand-written solver core of the storage problem with weights +-1, as a peer of the generated one.

What a careful author writes for this one model: residual and Jacobian of the two saddle-point equations

    q = E tanh(sqrt(q_hat) z)^2,    q_hat = alpha/(1 - q) E Mills(x)^2,    x = (kappa - sqrt(q) z)/sqrt(1 - q)

in one cache-blocked pass with buffers that are used again, nodes under the sinh map centred at each step, and Mills from
``scipy.special.erfcx``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx

Array = NDArray[np.float64]

_EDGE = 9.0
_BLOCK_ROWS = 80


def _nodes(centre: Array, width: Array, n: int) -> tuple[Array, Array]:
    """Trapezoid nodes of z = c + w sinh(t) on |z| <= 9, and weights with the Gaussian density; [b, n]."""
    first, last = np.arcsinh((-_EDGE - centre) / width), np.arcsinh((_EDGE - centre) / width)
    h = (last - first) / n
    grown = np.multiply.outer(h, np.arange(n) + 0.5)
    grown += first[:, None]
    np.exp(grown, out=grown)
    weight = 1.0 / grown
    z = grown - weight
    weight += grown
    z *= 0.5 * width[:, None]
    z += centre[:, None]
    np.multiply(z, z, out=grown)
    grown *= -0.5
    np.exp(grown, out=grown)
    weight *= grown
    weight *= (h * width * (0.5 / math.sqrt(2.0 * math.pi)))[:, None]
    return z, weight


def residual_and_jacobian(x: Array, p: Array, n: int = 100) -> tuple[Array, Array]:
    """F [B, 2] and dF/dx [B, 2, 2] at states (q, q_hat) and parameters (alpha, kappa), both [B, 2]; 0 < q < 1."""
    residual, jacobian = np.empty((len(x), 2)), np.empty((len(x), 2, 2))
    for start in range(0, len(x), _BLOCK_ROWS):
        part = slice(start, start + _BLOCK_ROWS)
        _block(x[part], p[part], n, residual[part], jacobian[part])
    return residual, jacobian


def _block(x: Array, p: Array, n: int, residual: Array, jacobian: Array) -> None:
    q, q_hat, alpha, kappa = x[:, 0], x[:, 1], p[:, 0], p[:, 1]
    # prior: E t^2 and d/dq_hat E t^2 = E (s^2 - 2 t^2 s), s = 1 - t^2
    root = np.sqrt(q_hat)
    z, weight = _nodes(np.zeros_like(q), np.maximum(1.0 / np.maximum(root, 1e-8), 1e-8), n)
    z *= root[:, None]
    square = np.tanh(z, out=z)
    square *= square
    rest = 1.0 - square
    mean = np.einsum("bn,bn->b", weight, square)
    rest *= 1.0 - 3.0 * square
    slope = np.einsum("bn,bn->b", weight, rest)
    # output: E M^2, and by Stein's identity (1 - q)^2 d/dq [E M^2/(1 - q)] = E M'^2 + 2 E M^2 M', with M' = M (M - x)
    variance = 1.0 - q
    z, weight = _nodes(kappa / np.sqrt(q), np.sqrt(variance / q), n)
    z *= -np.sqrt(q / variance)[:, None]
    z += (kappa / np.sqrt(variance))[:, None]
    mills = erfcx(z * math.sqrt(0.5))
    np.divide(math.sqrt(2.0 / math.pi), mills, out=mills)
    bend = mills - z
    bend *= mills
    mills *= mills
    second = np.einsum("bn,bn->b", weight, mills)
    mills *= bend
    third = np.einsum("bn,bn->b", weight, mills)
    bend *= bend
    fourth = np.einsum("bn,bn->b", weight, bend)
    residual[:, 0] = q - mean
    residual[:, 1] = q_hat - alpha * second / variance
    jacobian[:, 0, 0] = 1.0
    jacobian[:, 0, 1] = -slope
    jacobian[:, 1, 0] = -alpha * (fourth + 2.0 * third) / variance**2
    jacobian[:, 1, 1] = 1.0
