"""The stability of the replica-symmetric saddle point against breaking the symmetry between replicas."""

from __future__ import annotations

import sympy as sp

from spinodal.symbolic.action import P_D, P_D_HAT, Q_D_HAT, Action
from spinodal.symbolic.features import pairing, random_feature_block
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.replicas import Copies, Replica
from spinodal.symbolic.symbols import ALPHA, KAPPA_1, KAPPA_STAR_SQ, N_REPLICAS, with_hat


def replicon_of(action: Action) -> sp.Expr:
    """The determinant of the second variation with zero row sums, conjugates eliminated, 1 without data.

    One more level of m copies is inserted in every matrix, (m - 1) dq1 = m dq0; the common factor m (m - 1) / 2 is
    taken out. Rows: q (and p), then their conjugates.
    """
    m = sp.Integer(2)  # any size gives the same
    refined = Copies(N_REPLICAS, Copies(m, Replica()))
    q, p, scale = action.top, symbol("p"), action.inputs_per_weight

    def levels(off: sp.Expr, diagonal: sp.Expr, e: sp.Expr) -> tuple[sp.Expr, ...]:
        return (off + (m - 1) * e, off + m * e, diagonal)

    prior_use, output_use = action.identified_uses
    e_q, e_qh, e_p, e_ph = (sp.Symbol(f"e_{x}", real=True) for x in ("q", "qh", "p", "ph"))
    # as T -> 0 powers of T cancel in the determinant: T = 1 in front of the differences between diagonal and levels
    q_d, q_d_hat, p_d, p_d_hat = action.diagonal, Q_D_HAT, P_D, P_D_HAT
    if action.ground:
        q_d, q_d_hat = (x + symbol(f"dq{suffix}") for x, suffix in ((q, ""), (with_hat(q), "_hat")))
        p_d, p_d_hat = (x + symbol(f"dp{suffix}") for x, suffix in ((p, ""), (with_hat(p), "_hat")))
    second = pairing(refined, levels(q, q_d, e_q), levels(with_hat(q), q_d_hat, e_qh))
    variables = [e_q, e_qh]
    if action.random:
        variables = [e_q, e_p, e_qh, e_ph]
        second += scale * pairing(refined, levels(p, p_d, e_p), levels(with_hat(p), p_d_hat, e_ph))
        # the source term stays out: constant vectors do not feel perturbations with zero row sums to second order
        second += scale * random_feature_block(
            refined, levels(q, q_d, e_q), levels(with_hat(p), p_d_hat, e_ph), sp.Integer(0)
        )
    origin = dict.fromkeys(variables, 0)
    normal = m * (m - 1) / 2
    matrix = sp.Matrix(
        len(variables),
        len(variables),
        lambda i, j: action.compact(second.diff(variables[i], variables[j]).subs(origin) / normal),
    )
    prior_curve, output_curve = (sp.Symbol(f"_{use.channel.name}_replicon", real=True) for use in action.uses)
    fields = {e_q: KAPPA_STAR_SQ, e_p: KAPPA_1**2} if action.random else {e_q: sp.Integer(1)}
    for a, gain_a in fields.items():
        for b, gain_b in fields.items():
            matrix[variables.index(a), variables.index(b)] += ALPHA * output_curve * gain_a * gain_b
    hat = variables.index(e_qh)
    matrix[hat, hat] += prior_curve
    pairs = 1 if not action.random else scale**2
    sign = -1 if not action.random else 1
    compact = action.compact(sign * matrix.det(method="berkowitz") / pairs)
    determinant = _by_curvature(compact, prior_curve, output_curve)
    values = {
        prior_curve: prior_use.finish(prior_use.channel.replicon_curvature),
        output_curve: output_use.finish(output_use.channel.replicon_curvature),
    }
    return action.identified(determinant).xreplace(values)


def _by_curvature(determinant: sp.Expr, *curvatures: sp.Symbol) -> sp.Expr:
    """A polynomial in the channels' curvatures, with factored coefficients."""
    polynomial = sp.Poly(sp.together(determinant), *curvatures)
    return sp.Add(
        *(
            sp.factor(coefficient) * sp.Mul(*(c**k for c, k in zip(curvatures, powers, strict=True)))
            for powers, coefficient in polynomial.terms()
        )
    )
