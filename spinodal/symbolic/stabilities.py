r"""The distribution of stabilities: the density of y h, the label times the field, in the measure of one replica.

Given the field omega that a replica shares with others, its own field is h ~ N(omega, V), weighted by the loss f:

    P(y h = x) = E_omega f(y, h) N(h; omega, V) / Z(omega; V)   at h = y x,      y = +-1,

averaged over omega as any observable of a replica: over the replica-symmetric field, over nested levels, at the maximiser
that infinitely many coupled replicas concentrate on, or over the references of a Franz-Parisi probe. The weight f is outside
of the average. (For perceptrons: T. B. Kepler & L. F. Abbott, J. Phys. France 49, 1657 (1988).)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp

from spinodal.symbolic.channel import Branch, Channel
from spinodal.symbolic.functions import FieldDensity
from spinodal.symbolic.labels import DiscreteLabels
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.outputs import Output
from spinodal.symbolic.probe import ProbeChannel

#: Where the density is taken.
STABILITY = sp.Symbol("_stability", real=True)


@dataclass(frozen=True)
class Stabilities:
    """Densities of y h.

    Attributes:
        densities: at :data:`STABILITY`, explicit, by name.
        edges: values of y h where a density jumps or has a kink.
    """

    densities: Mapping[str, sp.Expr] = field(default_factory=dict, hash=False)
    edges: tuple[sp.Expr, ...] = ()


def stabilities(output: Output, channel: Channel | ProbeChannel) -> tuple[sp.Expr, tuple[sp.Expr, ...]] | None:
    """The density of y h at :data:`STABILITY`, to be closed by the channel, and its edges; None where labels are not +-1.

    Args:
        output: says which labels there are, and whether the loss reads them.
        channel: the output channel in whose measure the replica is: the output's own, or a probe's beside a reference.
    """
    law = output.law
    if law is not None and not (isinstance(law, DiscreteLabels) and law.is_binary):
        return None
    if output.blind and law is not None and not law.is_odd:
        return None
    own = channel.probe if isinstance(channel, ProbeChannel) else channel
    variance = own.diagonal - (own.overlap if own.concentrated else own.levels[-1])
    students = [own.leaves[branch.student] for branch in own.branches]
    # a field that knows nothing of the label meets both signs equally often
    signs = (sp.Integer(1), sp.Integer(-1)) if output.blind else (None,)

    def at(sign: sp.Expr | None) -> sp.Expr:
        def integrand(branch: Branch, leaf: Leaf, shared: sp.Expr) -> sp.Expr:
            h = (leaf.label if sign is None else sign) * STABILITY
            return leaf.weight(h) * FieldDensity(sp.Symbol(branch.student), h, shared, variance)

        return channel.tilted(integrand) / len(signs)

    edges = [(leaf.label if sign is None else sign) * edge for sign in signs for leaf in students for edge in leaf.kinks]
    return sp.Add(*(at(sign) for sign in signs)), tuple(dict.fromkeys(edges))
