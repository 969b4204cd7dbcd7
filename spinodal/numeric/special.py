"""Special functions with stable tails, under one name for generated modules and for formulas.

The Gaussian tail and its logarithm are in :mod:`spinodal.numeric.gaussian_tail`, cumulants of discrete variables in
:mod:`spinodal.numeric.cumulants`.
"""

from spinodal.numeric.cumulants import (
    binary_cumulants,
    binary_slopes,
    discrete_cumulants,
    discrete_mean,
    log1p_exp,
    log_sum,
    log_two_cosh,
    sech2,
)
from spinodal.numeric.gaussian_tail import (
    erf,
    erfc,
    erfcinv,
    erfinv,
    gaussian,
    gaussian_tail,
    gaussian_tail_and_density,
    log_gaussian,
    log_gaussian_tail,
    log_tail_derivatives,
    log_tail_slopes,
    mills,
    mills_family,
    mills_minus_x,
)

__all__ = [
    "binary_cumulants",
    "binary_slopes",
    "discrete_cumulants",
    "discrete_mean",
    "erf",
    "erfc",
    "erfcinv",
    "erfinv",
    "gaussian",
    "gaussian_tail",
    "gaussian_tail_and_density",
    "log1p_exp",
    "log_gaussian",
    "log_gaussian_tail",
    "log_sum",
    "log_tail_derivatives",
    "log_tail_slopes",
    "log_two_cosh",
    "mills",
    "mills_family",
    "mills_minus_x",
    "sech2",
]
