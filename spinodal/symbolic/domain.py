"""The auxiliary quantities that equations refer to, and the conditions under which the equations make sense."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import sympy as sp

from spinodal.symbolic.action import P_D_HAT, Action
from spinodal.symbolic.averages import average, planted_measure
from spinodal.symbolic.channel import Ratio, Root
from spinodal.symbolic.derivation import Condition, Definition
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.replicas import hierarchical, nested_copies
from spinodal.symbolic.symbols import (
    FIELD_DIAGONAL,
    FIELD_SPREAD,
    FIELD_TEACHER,
    KAPPA_1,
    KAPPA_STAR_SQ,
    N_REPLICAS,
    VARIANCE_H,
    VARIANCE_U,
    VARIANCE_W,
    WITHIN_P_HAT,
    WITHIN_Q,
    with_hat,
)

#: Where the tails of a density are compared with a Gaussian's: powers of ten.
_FAR = (3, 5)
SLOW_TAILS = "q_hat - q_d_hat (the density of a weight falls more slowly than every Gaussian: the integral over it diverges)"


def definitions_of(action: Action) -> tuple[Definition, ...]:
    """The auxiliary quantities in order of evaluation."""
    found: list[Definition] = []
    moments, teacher, structure = action.given.moments, action.given.spec.teacher, action.structure
    if teacher is not None and teacher.weights.kind == "density":
        w = sp.Symbol("_w_star", real=True)
        measure = planted_measure(((w, sp.Symbol("teacher_density")),))
        rms = sp.Symbol("_teacher_rms", positive=True)
        found.append(Definition(rms, sp.sqrt(average(w**2, measure)), "teacher's weight scale"))
    if moments is not None:
        found.append(Definition(KAPPA_1, moments.linear, "E[x sigma(x)]"))
        found.append(Definition(KAPPA_STAR_SQ, moments.nonlinear, "E[sigma(x)^2] - E[sigma(x)]^2 - kappa_1^2"))
    for size, value in structure.given_sizes.items():
        unit = " over T" if action.ground else ""
        found.append(Definition(size, value, f"number of replicas in an inner block{unit}"))
    levels = structure.names("_Q")
    meanings = {FIELD_DIAGONAL: "variance of the student's field", FIELD_TEACHER: "its covariance with the teacher's field"}
    if action.ground:
        meanings[levels[-2]] = meanings[FIELD_DIAGONAL]
        meanings[levels[-1]] = "variance of the field within a state, over T"
    for variable in (FIELD_DIAGONAL, *levels, FIELD_TEACHER):
        if variable not in action.covariance or (variable == FIELD_TEACHER and not action.has_teacher):
            continue
        meaning = meanings.get(variable, "its covariance between replicas")
        if structure.infinite is not None and variable == levels[-1]:
            meaning = "number of replicas times what their covariance exceeds the next level's by"
        found.append(Definition(variable, action.identified(action.covariance[variable]), meaning))
    if action.random and not action.ground:
        top_p_hat = with_hat(structure.innermost("p"))
        found.append(Definition(WITHIN_Q, action.diagonal - action.top, "variance of a weight within a state, q_d - q"))
        found.append(Definition(WITHIN_P_HAT, P_D_HAT - top_p_hat, "p_d_hat - p_hat"))
        for mark, meaning in (action.sectors.eigenvalues if action.sectors is not None else {}).items():
            if mark not in (WITHIN_Q, WITHIN_P_HAT):
                matrix = "overlaps" if str(mark).startswith(str(WITHIN_Q)) else "conjugates p_hat"
                found.append(Definition(mark, meaning, f"eigenvalue of the {matrix} of vectors that differ between blocks"))
    if not action.ground:
        residual = action.identified(action.residual_variance)
        found.append(Definition(VARIANCE_H, residual, "variance of the field within a state"))
    if action.has_teacher:
        explained = action.teacher_variance - Ratio(FIELD_TEACHER, Root(action.output.channel.overlap)) ** 2
        unexplained = VARIANCE_H if action.identify else explained
        found.append(Definition(VARIANCE_U, unexplained, "variance of the teacher's field given the student's"))
    tilt = action.identified(action.multiplier)
    meaning = "quadratic tilt of the prior, " + ("T (q_d_hat - q_hat)" if action.ground else "q_d_hat - q_hat")
    found.append(Definition(VARIANCE_W, tilt, meaning, action.imposing))
    return tuple(found)


def conditions_of(action: Action) -> tuple[Condition, ...]:
    """What must not be negative: variances, level by level, and the determinants of the feature block."""
    channel = action.output.channel
    overlap = channel.overlap
    outer_hat = action.prior.overlap
    residual = FIELD_SPREAD if action.ground else VARIANCE_H
    found = [
        Condition(residual, "the variance of the field within a state"),
        Condition(overlap, "the covariance of two replicas' fields"),
        Condition(outer_hat, f"the conjugate {outer_hat} (a variance)"),
    ]
    found += _between_levels(action)
    if action.has_teacher and not action.identify:
        found.append(Condition(VARIANCE_U, "the variance of the teacher's field given the student's"))
    if action.random:
        found += [Condition(inside, "the determinant of the feature block") for inside in _block_determinants(action)]
    prior_leaf = action.given.prior.leaf
    if action.ground:
        found.append(Condition(action.structure.names("q")[-1], "how much the weights give way to a field"))
        if prior_leaf.kind == "pieces":
            found.append(Condition(-VARIANCE_W, "the stiffness of the weights"))
    if prior_leaf.kind == "quadratic":
        stiffness = prior_leaf.quadratic[1] - VARIANCE_W
        found.append(Condition(stiffness, "the inverse variance of a weight"))
        if action.ground and not action.structure.is_replica_symmetric:
            (size,), (outer, inner) = action.structure.sizes, action.prior.levels
            found.append(Condition(stiffness - size * (inner - outer), "the inverse variance of a weight between levels"))
    if prior_leaf.kind == "density" and _falls_slowly(prior_leaf, action.given.at):
        found.append(Condition(-VARIANCE_W, SLOW_TAILS))
    for leaf in channel.leaves.values():
        if leaf.kind == "quadratic":
            found.append(Condition(1 + leaf.quadratic[1] * residual, "the curvature of the loss"))
        found.extend(Condition(expression, meaning) for expression, meaning in leaf.domain)
    for branch in channel.branches:
        if branch.planted_variance != 0:
            explained = (overlap if action.identify else FIELD_TEACHER) ** 2 * branch.planted_variance
            found.append(Condition(overlap - explained, "the variance of the student's field given the label"))
    return tuple(dict.fromkeys(found))


def _falls_slowly(leaf: Leaf, at: Mapping[sp.Symbol, float]) -> bool:
    """Whether a weight's density falls more slowly than every Gaussian on some side: a convex tilt cannot be integrated."""
    others = leaf.log_weight.free_symbols - {leaf.variable, *at}
    formula = leaf.log_weight.subs({**at, **dict.fromkeys(others, 1.0)})
    for side in (-1, 1):
        drops = [sp.N(-formula.subs(leaf.variable, side * sp.Integer(10) ** k)) / 10 ** (2 * k) for k in _FAR]
        if all(drop.is_real and drop.is_finite for drop in drops) and bool(drops[1] < 0.1 * drops[0]):
            return True
    return False


def _between_levels(action: Action) -> list[Condition]:
    """The variances between one level and the next."""
    if action.structure.is_replica_symmetric:
        return []
    found = []
    for levels, what in ((action.output.channel.levels, "fields"), (action.prior.levels, "conjugates")):
        if action.structure.infinite is not None:
            steps = [levels[-1]]
        else:
            steps = [inner - outer for outer, inner in pairwise(levels)]
        found += [Condition(step, f"the variance of the {what} between levels") for step in steps]
    return found


def _block_determinants(action: Action) -> list[sp.Expr]:
    """The sectors of 1 - q P^, but for the trivial one, whose limit n -> 0 is among them."""
    structure = action.structure
    if action.ground:  # the powers of T cancel: at T = 1
        tree = nested_copies(N_REPLICAS, structure.sizes)
        *outer, _top, spread = structure.names("q")
        *outer_hat, top_hat, spread_hat = (with_hat(x) for x in structure.names("p"))
        q = hierarchical(tree, (*outer, action.diagonal, action.diagonal + spread))
        p_hat = hierarchical(tree, (*outer_hat, top_hat, top_hat + spread_hat))
        return [sp.factor(sector.block[0, 0]) for sector in (q.identity() - q @ p_hat).sectors[1:]]
    q = hierarchical(structure.tree, (*structure.levels("q"), action.diagonal))
    p_hat = hierarchical(structure.tree, (*structure.levels("p", hat=True), P_D_HAT))
    kernel = q.identity() - q @ p_hat
    return [structure.limit(sector.block[0, 0]) for sector in kernel.sectors[1:]]
