"""Lowering of averages over ground states in blocks of copies: one kernel per outer measure, with one inner pass.

Nested nodes of an outer integrand become arrays (``numeric/ground_blocks.py``): log E[e^w], tilted means, sums over jumps.
Their own integrands are functions of six inner arrays: the field, its displacement from its mean, what is observed at the
maximiser, Lambda and its derivatives; at a jump of the field, its displacement and Lambda' on the two sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from spinodal.codegen.ground import BEND, HEIGHT, PLACE, SEEN, SLOPE, observed_in, site_of, steps_and_splits
from spinodal.codegen.ir import GroundBlocksKernel, Planted
from spinodal.codegen.nodes import NESTED, Context, leaf_data, reads, targets
from spinodal.codegen.peaks import LOWER, UPPER, ManyBuilder, named
from spinodal.symbolic.averages import Average, Evaluated, Measure, explicit_fields, standard_normals
from spinodal.symbolic.ground import ANSWERED, Ground, InfiniteAtJump, Observed
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.maximisers import ABOVE, Follower
from spinodal.symbolic.nested import Displacement, LogAverage, TiltedKinks
from spinodal.symbolic.peaks import T

#: Inner node arrays: the field and its displacement from its mean.
OMEGA, AWAY = (sp.Symbol(f"_{name}", real=True) for name in ("field", "away"))
#: Outer node array: log E[e^w].
LOG_NORM = sp.Symbol("_log_norm", real=True)
_BY_ORDER = (HEIGHT, SLOPE, BEND)


def has_blocks(nodes: Sequence[tuple[sp.Symbol, Evaluated]]) -> bool:
    """Whether averages of one measure contain averages over ground states."""
    return any(inner.has(Follower) for _, node in nodes for inner in node.atoms(*NESTED) if inner != node)


def ground_blocks_kernel(
    context: Context,
    index: int,
    measure: Measure,
    nodes: Sequence[tuple[sp.Symbol, Evaluated]],
    splits: Mapping[sp.Symbol, tuple[sp.Expr, ...]],
) -> GroundBlocksKernel:
    """Lower the averages over one outer measure."""
    plain = [(mark, node) for mark, node in nodes if isinstance(node, Average)]
    normals = standard_normals(measure)
    if len(normals) != 1 or len(plain) != len(nodes):
        raise NotImplementedError("averages over several standard normals are not lowered yet")
    (z,) = normals
    builder = _OuterBuilder(context, (z,), explicit_fields(measure, normals))
    body, values = named(builder, [builder.rewrite(node.integrand) for _, node in plain])
    found = builder.collected()
    inner_builder, jump_builder = (ManyBuilder(context, (), {}, shared=builder) for _ in range(2))
    inner_body, means = named(inner_builder, [inner_builder.rewrite(found.at_node(g)) for g in found.means])
    jump_body, sums = named(jump_builder, [jump_builder.rewrite(found.at_jump(g)) for g in found.sums])
    site = found.site
    leaf = found.leaf(context)
    offset, slopes = builder._linear(found.measure.means[0])
    centre = (builder.scalar(offset), builder.scalar(slopes.get(z, sp.Integer(0))))
    spread, size = builder.scalar(found.measure.loading[0, 0]), builder.scalar(found.size)
    variance = builder.scalar(site.variance)
    what = site_of(leaf, site.label, observed_in(found.means))
    planted = tuple(Planted(variable, str(kind), splits[variable]) for variable, kind in measure.planted)
    z_steps = builder.along(z)
    items = [*builder.hoisted, *body, *inner_body, *jump_body]
    scalars = [*centre, spread, size, variance, *values, *means, *sums, *what.expressions]
    scalars += steps_and_splits(what, z_steps, planted)
    read = set().union(*(reads(item) for item in items), *(e.free_symbols for e in scalars))
    arrays = {
        z,
        T,
        PLACE,
        OMEGA,
        AWAY,
        SEEN,
        *_BY_ORDER,
        LOWER,
        UPPER,
        LOG_NORM,
        *found.means.values(),
        *found.sums.values(),
    }
    produced = {s for item in items for s in targets(item)} | arrays
    hidden = builder.leaf_symbols | inner_builder.leaf_symbols | jump_builder.leaf_symbols | leaf_data(leaf, context)
    bound = {variable for variable, _ in measure.planted}
    return GroundBlocksKernel(
        name=f"average_{index}",
        comment=", ".join(f"{f} = {e}" for f, e in builder.fields.items()) + f"; inside, ground states at {site.omega}",
        z=z,
        planted=planted,
        inputs=tuple(sorted((read | hidden) - produced - bound, key=str)),
        hoisted=tuple(builder.hoisted),
        mean=centre[0],
        root=centre[1],
        variance=variance,
        site=what,
        z_steps=z_steps,
        node_variables=(z, LOG_NORM),
        body=tuple(body),
        averages=tuple((mark, e) for (mark, _), e in zip(plain, values, strict=True)),
        kink_variables=(OMEGA, AWAY, LOWER, UPPER),
        kink_body=tuple(jump_body),
        kink_sums=(),
        spread=spread,
        size=size,
        inner_variables=(OMEGA, AWAY, SEEN, *_BY_ORDER),
        inner_body=tuple(inner_body),
        inner_means=tuple(zip(found.means.values(), means, strict=True)),
        inner_sums=tuple(zip(found.sums.values(), sums, strict=True)),
    )


class _Collected:
    """What the nested nodes of one kernel share, and what they average."""

    def __init__(self) -> None:
        self.means: dict[sp.Expr, sp.Symbol] = {}
        self.sums: dict[sp.Expr, sp.Symbol] = {}
        self.keys: set[tuple[Measure, sp.Expr | None]] = set()
        self.followers: set[Ground] = set()

    @property
    def measure(self) -> Measure:
        """The inner measure."""
        ((measure, _exponent),) = self.keys
        return measure

    @property
    def site(self) -> Ground:
        """The ground state that is followed: cut most finely, where several are."""
        return min(self.followers, key=lambda point: (not str(point.tag).endswith(ANSWERED), str(point)))

    @property
    def size(self) -> sp.Expr:
        """Mu in the exponent mu Lambda; 0 without one."""
        ((_measure, exponent),) = self.keys
        if exponent is None:
            return sp.Integer(0)
        (height,) = exponent.atoms(Ground)
        size = exponent / height
        if size.has(Ground):
            raise NotImplementedError(f"{exponent} is not a number of replicas times a ground state")
        return size

    def leaf(self, context: Context) -> Leaf:
        """The site's leaf."""
        return context.leaves[str(self.site.tag)]

    def note(self, node: sp.Expr) -> sp.Symbol:
        """The outer node array that a nested node becomes."""
        self.keys.add((node.measure, None if isinstance(node, Average) else node.exponent))
        if len(self.keys) > 1:
            raise NotImplementedError("several inner averages over ground states inside one outer average")
        followers = (f.point for f in node.atoms(Follower))
        self.followers |= {f for f in followers if isinstance(f, Ground)}
        if isinstance(node, LogAverage):
            return LOG_NORM
        kept, letter = (self.sums, "s") if isinstance(node, TiltedKinks) else (self.means, "u")
        return kept.setdefault(node.integrand, sp.Symbol(f"_{letter}{len(kept)}", real=True))

    def at_node(self, expression: sp.Expr) -> sp.Expr:
        """The integrand of a mean in inner node arrays."""
        table: dict[sp.Expr, sp.Expr] = dict.fromkeys(expression.atoms(Observed), SEEN)
        table |= {node: _BY_ORDER[node.order] for node in expression.atoms(Ground)}
        return self._in_arrays(expression, table)

    def at_jump(self, expression: sp.Expr) -> sp.Expr:
        """The summand of a sum over jumps in arrays."""
        expression = expression.xreplace({node: node.doit() for node in expression.atoms(InfiniteAtJump)})
        table: dict[sp.Expr, sp.Expr] = {}
        for node in expression.atoms(Ground):
            if node.order != 1:
                raise NotImplementedError("only first derivatives jump at a kink")
            table[node] = UPPER if node.which == ABOVE else LOWER
        return self._in_arrays(expression, table)

    def _in_arrays(self, expression: sp.Expr, table: dict[sp.Expr, sp.Expr]) -> sp.Expr:
        table |= dict.fromkeys(expression.atoms(Displacement), AWAY)
        return expression.xreplace(table).xreplace({self.measure.fields[0]: OMEGA})


class _OuterBuilder(ManyBuilder):
    """The builder of the outer integrands: nested nodes become arrays."""

    def collected(self) -> _Collected:
        """The nested nodes met so far."""
        if not hasattr(self, "_collected"):
            self._collected = _Collected()
        return self._collected

    def _nested(self, node: sp.Expr) -> sp.Expr:
        return self.collected().note(node)
