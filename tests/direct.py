"""Independent numerics: closed forms of the literature, typed here, on a dense trapezoid grid.

Nothing in this file calls the package. The trapezoid rule converges geometrically for analytic integrands that vanish at
both ends, so that a fixed fine grid is as good as adaptive quadrature for the widths used in these tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

Array = np.ndarray

_Z = np.linspace(-14.0, 14.0, 56001)
_W = np.exp(-(_Z**2) / 2) / np.sqrt(2 * np.pi) * (_Z[1] - _Z[0])


def gaussian(f: Callable[[Array], Array]) -> float:
    """E f(z), z standard normal."""
    return float(np.sum(_W * f(_Z)))


def log_h(x: Array | float) -> Array:
    """Log H(x)."""
    return log_ndtr(-np.asarray(x, dtype=float))


def h(x: Array | float) -> Array:
    """H(x)."""
    return np.exp(log_h(x))


def mills(x: Array | float) -> Array:
    """G(x) / H(x)."""
    x = np.asarray(x, dtype=float)
    return np.exp(-(x**2) / 2 - log_h(x)) / np.sqrt(2 * np.pi)


def log_two_cosh(x: Array | float) -> Array:
    """Log 2 cosh x."""
    return np.logaddexp(x, -np.asarray(x))


def binary_prior(q: float, q_hat: float) -> float:
    """Replica-symmetric prior channel of weights +-1."""
    return -0.5 * q_hat * (1 - q) + gaussian(lambda z: log_two_cosh(np.sqrt(q_hat) * z))


def storage(q: float, q_hat: float, alpha: float, kappa: float) -> float:
    """Free entropy of the binary perceptron with random labels."""
    output = gaussian(lambda z: log_h((kappa - np.sqrt(q) * z) / np.sqrt(1 - q)))
    return binary_prior(q, q_hat) + alpha * output


def block(q: float, p: float, p_d: float, r: float, p_hat: float, p_d_hat: float, r_hat: float, q_d: float = 1.0) -> float:
    """The Gaussian block of random features, per input (THEORY: RS)."""
    gap = p_d_hat - p_hat
    det = 1 - (q_d - q) * gap
    quotient = (q * gap + (q_d - q) * (p_hat + r_hat**2)) / det
    return -0.5 * p_d_hat * p_d + 0.5 * p_hat * p - r_hat * r - 0.5 * np.log(det) + 0.5 * quotient


def teacher_output(q_d: float, q: float, m: float, kappa: float) -> float:
    """Output channel of a sign teacher and the constraint y h >= kappa."""
    return 2 * gaussian(lambda z: h(-m * z / np.sqrt(q - m**2)) * log_h((kappa - np.sqrt(q) * z) / np.sqrt(q_d - q)))


@dataclass(frozen=True)
class Kappas:
    """kappa_1 and kappa_*^2 of an activation."""

    linear: float
    nonlinear: float


#: From their integrals: sign and relu in closed form; tanh and erf below.
SIGN = Kappas(np.sqrt(2 / np.pi), 1 - 2 / np.pi)
RELU = Kappas(0.5, 0.25 - 1 / (2 * np.pi))


def kappas(sigma: Callable[[Array], Array]) -> Kappas:
    """The same for any smooth activation."""
    mean, linear = gaussian(sigma), gaussian(lambda z: z * sigma(z))
    return Kappas(linear, gaussian(lambda z: sigma(z) ** 2) - mean**2 - linear**2)


def random_features(state: dict[str, float], alpha: float, alpha_T: float, kappa: float, k: Kappas) -> float:
    """Free entropy of binary weights on random features, perceptron teacher (THEORY: RS)."""
    s = state
    k1, ks = k.linear, k.nonlinear
    q_d, q, m = k1**2 * s["p_d"] + ks, k1**2 * s["p"] + ks * s["q"], k1 * s["r"]
    middle = block(s["q"], s["p"], s["p_d"], s["r"], s["p_hat"], s["p_d_hat"], s["r_hat"])
    return binary_prior(s["q"], s["q_hat"]) + alpha / alpha_T * middle + alpha * teacher_output(q_d, q, m, kappa)
