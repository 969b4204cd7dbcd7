"""The stability of a saddle point against breaking the symmetry between replicas further, level by level.

Replicas that share the overlap of a level form blocks of S replicas (n at the outermost level), made of sub-blocks of S'
(single replicas at the innermost). One more level of k sub-blocks is inserted there, with zero row sums,

    inside the inserted blocks  dq = (S - k S') e,      outside  dq = -(k - 1) S' e,

and the second variation in e is taken (de Almeida & Thouless 1978). It contains a channel through E[(d2 g / d omega^2)^2],
g being log Z per replica of a sub-block given the field that they share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from spinodal.symbolic.action import P_D, P_D_HAT, Q_D_HAT, Action
from spinodal.symbolic.features import pairing, random_feature_block
from spinodal.symbolic.replicas import nested_copies
from spinodal.symbolic.symbols import ALPHA, INVERSE_TEMPERATURE, KAPPA_1, KAPPA_STAR_SQ, N_REPLICAS, with_hat


def replicons_of(action: Action) -> Mapping[str, sp.Expr]:
    """The replicon of each level: ``replicon`` of the innermost, ``replicon_q0`` and so on of those outside it.

    Overlaps that are given cannot break; their level has no replicon, and the next one outside is then ``replicon``.
    """
    structure = action.structure
    if structure.infinite is not None:
        return {}
    free = [level for level in range(len(structure.labels)) if structure.names("q")[level] not in structure.constrained]
    found = {"replicon": replicon_of(action, free[-1])}
    for level in free[-2::-1]:
        found[f"replicon_{structure.names('q')[level]}"] = replicon_of(action, level)
    return found


def replicon_of(action: Action, level: int, curvatures: Sequence[sp.Expr] | None = None) -> sp.Expr:
    """The determinant of the second variation with zero row sums at a level, conjugates eliminated, 1 without data.

    The common factor, half the sum of squares of a row, is taken out. Rows: q (and p), then their conjugates.

    Args:
        action: of replicas.
        level: of overlaps.
        curvatures: those of prior and output channel, where their fields have another measure than the action's: that of
            probes of one reference, whose perturbations with zero row sums neither the reference nor other probes feel.
    """
    structure, scale = action.structure, action.inputs_per_weight
    k = sp.Integer(2)  # any number of sub-blocks gives the same
    sizes = (sp.Integer(0), *structure.sizes, sp.Integer(1))
    block, part = sizes[level], sizes[level + 1]
    refined = nested_copies(N_REPLICAS, (*structure.sizes[:level], k * part, *structure.sizes[level:]))
    within, without = block - k * part, -(k - 1) * part

    def levels(letter: str, e: sp.Expr, *, hat: bool = False) -> tuple[sp.Expr, ...]:
        # as T -> 0 powers of T cancel in the determinant: T = 1 in front of the differences between diagonal and levels
        plain = tuple(x.subs(INVERSE_TEMPERATURE, 1) for x in structure.levels(letter, hat=hat))
        changed = (plain[level] + without * e, plain[level] + within * e)
        return (*plain[:level], *changed, *plain[level + 1 :], _diagonal(action, letter, hat=hat))

    e_q, e_qh, e_p, e_ph = (sp.Symbol(f"e_{x}", real=True) for x in ("q", "qh", "p", "ph"))
    variables = [e_q, e_qh]
    second = pairing(refined, levels("q", e_q), levels("q", e_qh, hat=True))
    if action.random:
        variables = [e_q, e_p, e_qh, e_ph]
        p_hat = levels("p", e_ph, hat=True)
        second += scale * pairing(refined, levels("p", e_p), p_hat)
        # the source term stays out: constant vectors do not feel perturbations with zero row sums to second order
        second += scale * random_feature_block(refined, levels("q", e_q), p_hat, sp.Integer(0))
    origin = dict.fromkeys(variables, 0)
    normal = (k - 1) * part * within * (block - part) / 2
    entries: dict[sp.Symbol, sp.Expr] = {}  # of the second variation, each a symbol in the determinant

    def entry(i: int, j: int) -> sp.Expr:
        value = sp.factor(second.diff(variables[i], variables[j]).subs(origin) / normal)
        if value == 0:
            return value
        mark = sp.Dummy(f"entry_{i}_{j}")
        entries[mark] = action.compact(value)
        return mark

    upper = {(i, j): entry(i, j) for j in range(len(variables)) for i in range(j + 1)}
    matrix = sp.Matrix(len(variables), len(variables), lambda i, j: upper[min(i, j), max(i, j)])
    marks = [sp.Symbol(f"_{use.channel.name}_replicon", real=True) for use in action.uses]
    prior_curve, output_curve = marks
    fields = {e_q: KAPPA_STAR_SQ, e_p: KAPPA_1**2} if action.random else {e_q: sp.Integer(1)}
    for a, gain_a in fields.items():
        for b, gain_b in fields.items():
            matrix[variables.index(a), variables.index(b)] += ALPHA * output_curve * gain_a * gain_b
    hat = variables.index(e_qh)
    matrix[hat, hat] += prior_curve
    pairs = 1 if not action.random else scale**2
    sign = -1 if not action.random else 1
    determinant = sp.Poly(sign * matrix.det(method="berkowitz") / pairs, *marks)
    values = curvatures or [use.finish(use.channel.replicon_curvature(level)) for use in action.identified_uses]
    total: sp.Expr = sp.Integer(0)
    for powers, coefficient in determinant.terms():
        written = coefficient.xreplace(entries)
        if structure.is_replica_symmetric:
            written = sp.factor(action.compact(written))
        total += action.identified(written) * sp.Mul(*(v**n for v, n in zip(values, powers, strict=True)))
    return total.subs(action.fixed()) if action.ground else total


def _diagonal(action: Action, letter: str, *, hat: bool) -> sp.Expr:
    """The self-overlap, or its conjugate."""
    if action.ground:
        return sp.Add(*(with_hat(x) if hat else x for x in action.structure.names(letter)[-2:]))
    return {"q": (action.diagonal, Q_D_HAT), "p": (P_D, P_D_HAT)}[letter][hat]
