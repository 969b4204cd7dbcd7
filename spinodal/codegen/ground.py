"""Lowering of averages over ground states: one kernel per site and measure, with the sums over its kinks.

Integrands are functions of five node arrays (z, what is observed at the maximiser, Lambda and its derivatives), sums over
kinks of three: the field and Lambda' on the two sides (``numeric/ground.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sympy as sp

from spinodal.codegen.ir import GroundKernel, GroundSite, Planted, StepInZ
from spinodal.codegen.nodes import Context, leaf_data, reads, targets
from spinodal.codegen.peaks import FIELD, LOWER, UPPER, ManyBuilder, PeakGroup, coordinates, named, parted
from spinodal.symbolic.averages import Evaluated
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.ground import Ground, InfiniteAtJump, Observed
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.maximisers import ABOVE, Kinks
from spinodal.symbolic.peaks import T
from spinodal.symbolic.pieces import branch_at

#: Node arrays: what is observed, Lambda, and its first and second derivative.
SEEN, HEIGHT, SLOPE, BEND = (sp.Symbol(f"_{name}", real=True) for name in ("seen", "height", "slope", "bend"))
#: A point of the piece on which the potential is evaluated.
PLACE = sp.Symbol("_place", real=True)
_BY_ORDER = (HEIGHT, SLOPE, BEND)


def ground_kernel(
    context: Context,
    index: int,
    group: PeakGroup,
    nodes: Sequence[tuple[sp.Symbol, Evaluated]],
    splits: Mapping[sp.Symbol, tuple[sp.Expr, ...]],
) -> GroundKernel:
    """Lower the averages and sums of one group."""
    site = group.peak
    assert isinstance(site, Ground)
    leaf = context.leaves[str(site.tag)]
    plain, sums = parted(nodes)
    z, fields = coordinates(plain)
    arrays = (SEEN, *_BY_ORDER)
    builder = ManyBuilder(context, (z,), fields)
    body, values = named(builder, [builder.rewrite(_at_node(node.integrand)) for _, node in plain])
    kink_builder = ManyBuilder(context, (FIELD,), {}, shared=builder)
    kink_body, kink_values = named(kink_builder, [kink_builder.rewrite(_at_kink(found)) for _, found in sums])
    mean, variance = builder.scalar(group.mean), builder.scalar(site.variance)
    root = builder.scalar(sp.sqrt(group.variance))
    what = site_of(leaf, site.label, observed_in([node.integrand for _, node in plain]))
    planted = tuple(Planted(variable, str(kind), splits[variable]) for variable, kind in group.planted)
    z_steps = builder.along(z)
    items = [*builder.hoisted, *body, *kink_body]
    scalars = [mean, root, variance, *values, *kink_values, *what.expressions, *steps_and_splits(what, z_steps, planted)]
    read = set().union(*(reads(item) for item in items), *(e.free_symbols for e in scalars))
    produced = {s for item in items for s in targets(item)} | {z, *arrays, FIELD, LOWER, UPPER, T, PLACE}
    hidden = builder.leaf_symbols | kink_builder.leaf_symbols | leaf_data(leaf, context)
    return GroundKernel(
        name=f"average_{index}",
        comment=f"{site.omega} = {group.mean} + {sp.sqrt(group.variance)} z, in the ground state that follows it",
        z=z,
        planted=planted,
        inputs=tuple(sorted((read | hidden) - produced - {variable for variable, _ in group.planted}, key=str)),
        hoisted=tuple(builder.hoisted),
        mean=mean,
        root=root,
        variance=variance,
        site=what,
        z_steps=z_steps,
        node_variables=(z, *arrays),
        body=tuple(body),
        averages=tuple((mark, e) for (mark, _), e in zip(plain, values, strict=True)),
        kink_variables=(FIELD, LOWER, UPPER),
        kink_body=tuple(kink_body),
        kink_sums=tuple((mark, e) for (mark, _), e in zip(sums, kink_values, strict=True)),
    )


def observed_in(integrands: Iterable[sp.Expr]) -> sp.Expr | None:
    """The function of the maximiser that integrands read, if any."""
    found = {node.function for integrand in integrands for node in integrand.atoms(Observed)}
    if len(found) > 1:
        raise NotImplementedError("several functions of one maximiser")
    return found.pop() if found else None


def site_of(leaf: Leaf, label: sp.Expr, observed: sp.Expr | None = None) -> GroundSite:
    """What is maximised: minus the energy with its derivatives in ``T`` and its pieces, or a discrete weight's points."""
    steps = tuple(StepInZ(-split, sp.Integer(1)) for split in leaf.splits) or (StepInZ(sp.Integer(0), sp.Integer(1)),)
    if leaf.kind == "discrete":
        potential, cuts, points = (), (), tuple(zip(leaf.values, leaf.log_levels, strict=True))
    else:
        assert label == leaf.label
        minus_energy = _on_piece(leaf, leaf.log_weight)
        potential, cuts, points = tuple(minus_energy.diff(T, k) for k in range(3)), leaf.splits, ()
    seen = None if observed is None else _on_piece(leaf, observed)
    return GroundSite(leaf.variable == symbol("w"), T, PLACE, potential, leaf.kind == "pieces", cuts, points, steps, seen)


def _on_piece(leaf: Leaf, formula: sp.Expr) -> sp.Expr:
    """A formula at ``T`` on the piece that holds ``PLACE``."""
    return branch_at(formula, leaf.variable, T).xreplace({leaf.variable: PLACE})


def steps_and_splits(site: GroundSite, z_steps: Sequence[StepInZ], planted: Sequence[Planted]) -> list[sp.Expr]:
    """What the places of nodes depend on."""
    places = [part for step in (*site.t_steps, *z_steps) for part in step.parts]
    return places + [split for variable in planted for split in variable.splits]


def _at_node(expression: sp.Expr) -> sp.Expr:
    table: dict[sp.Expr, sp.Expr] = dict.fromkeys(expression.atoms(Observed), SEEN)
    return expression.xreplace(table | {node: _BY_ORDER[node.order] for node in expression.atoms(Ground)})


def _at_kink(found: Kinks) -> sp.Expr:
    table: dict[sp.Expr, sp.Expr] = {}
    summand = found.summand.xreplace({node: node.doit() for node in found.summand.atoms(InfiniteAtJump)})
    for node in summand.atoms(Ground):
        if node.order != 1:
            raise NotImplementedError("only first derivatives jump at a kink")
        table[node] = UPPER if node.which == ABOVE else LOWER
    return summand.xreplace({**table, found.omega: FIELD})
