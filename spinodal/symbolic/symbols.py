"""Symbols that several stages of a derivation share. With an underscore in front, no parameter can collide with them."""

from __future__ import annotations

import sympy as sp

from spinodal.symbolic.formulas import symbol

N_REPLICAS = sp.Symbol("n")
#: 1/T, where it goes to infinity.
INVERSE_TEMPERATURE = sp.Symbol("_beta", positive=True)
ALPHA, ALPHA_T = symbol("alpha"), symbol("alpha_T")
#: Moments of a random-feature activation.
KAPPA_1, KAPPA_STAR_SQ = symbol("_kappa_1"), symbol("_kappa_star_sq")
#: The variance of a student's field, and its covariance with the teacher's.
FIELD_DIAGONAL, FIELD_TEACHER = symbol("_Q_d"), symbol("_M")
#: What the variance of a student's field exceeds the innermost covariance by, over T, as T -> 0.
FIELD_SPREAD = symbol("_dQ")
#: Variances within a state: of the student's field, of the teacher's given the student's; and the tilt of the prior.
VARIANCE_H, VARIANCE_U, VARIANCE_W = symbol("_variance_h"), symbol("_variance_u"), symbol("_variance_w")
#: q_d - q and p_d_hat - p_hat within a state, in which the feature block is short.
WITHIN_Q, WITHIN_P_HAT = symbol("_A"), symbol("_B")


def with_hat(x: sp.Symbol) -> sp.Symbol:
    """The conjugate's symbol."""
    return symbol(f"{x}_hat")
