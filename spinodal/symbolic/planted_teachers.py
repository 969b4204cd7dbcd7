"""A teacher's field outermost: labels +-1 of the side of zero as a half-normal variable that the student's field follows.

Beside a reference whose weight is a Boltzmann factor, the joint probability of label and reference has no closed form. Given
the label, what is inside its sign (the field, with the noise) is half-normal up to its scale; at a given value the
remaining fields are Gaussian as they are without a teacher.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from spinodal.symbolic.channel import Branch, Channel
from spinodal.symbolic.leaves import Leaf

_XI = sp.Symbol("_xi", real=True)
_LAW = ((_XI, sp.Symbol("half_normal")),)


def sides_of_zero(leaf: Leaf) -> tuple[tuple[sp.Expr, sp.Expr], ...] | None:
    """(+-1, probability of the label there) for a teacher's leaf that asks for a side of zero; None for another label."""
    ends = {end for interval in leaf.edges for end in (interval.lower, interval.upper)} - {sp.oo, -sp.oo}
    if leaf.kind not in ("half-line", "intervals") or ends != {sp.Integer(0)}:
        return None
    levels = leaf.log_levels or (sp.Integer(0),) * len(leaf.edges)
    sides = [sp.Integer(1 if interval.upper == sp.oo else -1) for interval in leaf.edges]
    return tuple((side, sp.exp(level)) for side, level in zip(sides, levels, strict=True))


def is_one_threshold(leaf: Leaf) -> bool:
    """Whether a label's probability takes two values at most, on the two sides of one threshold (noise blurs it)."""
    ends = {end for interval in leaf.edges for end in (interval.lower, interval.upper)} - {sp.oo, -sp.oo}
    return leaf.kind in ("half-line", "intervals") and len(ends) == 1


def with_planted_teacher(channel: Channel, teachers: dict[str, Leaf]) -> Channel | None:
    """The same channel with the teacher's field a planted variable; None where a label is not the side of zero.

    Args:
        channel: an output channel, whose branches have teachers among
        teachers: the teachers' leaves by the student's tag.
    """
    branches: list[Branch] = []
    for branch in channel.branches:
        leaf = teachers[branch.student]
        sides = sides_of_zero(leaf)
        if sides is None:
            return None
        spread = channel.teacher_variance + leaf.smoothing
        branches += [
            replace(
                branch,
                weight=branch.weight * share / 2,
                teacher=None,
                mean_slope=side * _XI / sp.sqrt(spread),
                planted=_LAW,
                planted_variance=1 / spread,
            )
            for side, share in sides
        ]
    return replace(channel, branches=tuple(branches))
