"""Lowering of averages at a maximiser: one kernel per maximiser and measure, with the sums over its kinks.

The kernel's nodes are maximisers t (``numeric/envelope.py``): integrands are functions of two node arrays, z and t, and sums
over kinks are functions of three, the field and the maximisers on the two sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from spinodal.codegen.ir import Assign, Call, Inner, PeakKernel, Planted, StepInZ
from spinodal.codegen.nodes import Context, NodeBuilder, reads, targets
from spinodal.symbolic.averages import Average, Evaluated, explicit_fields, standard_normals
from spinodal.symbolic.maximisers import ABOVE, BELOW, UNIQUE, Follower, Kinks, follower_in
from spinodal.symbolic.peaks import Peak, Peaked, Response, T

#: Node arrays: the maximiser, and at a kink the field and the maximisers on its two sides.
NODE = sp.Symbol("_peak", real=True)
FIELD, LOWER, UPPER = (sp.Symbol(f"_{name}", real=True) for name in ("kink", "below", "above"))


@dataclass(frozen=True)
class PeakGroup:
    """What the averages and sums of one kernel share.

    Attributes:
        peak: the maximiser.
        mean, variance: of its field.
        planted: outer variables.
    """

    peak: Follower
    mean: sp.Expr
    variance: sp.Expr
    planted: tuple[tuple[sp.Symbol, sp.Symbol], ...]


def peak_group(node: Evaluated) -> PeakGroup | None:
    """The kernel that an average or a sum over kinks belongs to; None for averages without a maximiser."""
    planted: tuple[tuple[sp.Symbol, sp.Symbol], ...] = ()
    inner: sp.Expr = node
    if isinstance(node, Average):
        planted, inner = node.measure.planted, node.integrand
        point = follower_in(inner)
        if point is not None and point.omega in node.measure.fields:
            place = node.measure.fields.index(point.omega)
            return PeakGroup(point, node.measure.means[place], node.measure.covariance[place, place], planted)
    if isinstance(inner, Kinks):
        return PeakGroup(inner.peak, inner.mean, inner.variance, planted)
    return None


def peak_kernel(
    context: Context,
    index: int,
    group: PeakGroup,
    nodes: Sequence[tuple[sp.Symbol, Evaluated]],
    splits: Mapping[sp.Symbol, tuple[sp.Expr, ...]],
) -> PeakKernel:
    """Lower the averages and sums of one group."""
    assert isinstance(group.peak, Peak)
    plain, sums = parted(nodes)
    z, fields = coordinates(plain)
    builder = ManyBuilder(context, (z, NODE), fields)
    expressions = [builder.rewrite(_at_node(node.integrand)) for _, node in plain]
    body, values = named(builder, expressions)
    potential = group.peak.potential
    level_builder, slope_builder = (ManyBuilder(context, (NODE,), {}, shared=builder) for _ in range(2))
    level, *derivatives = (potential.diff(T, k).xreplace({T: NODE}) for k in range(3))
    level_body, (height,) = named(level_builder, [level_builder.rewrite(level)])
    slopes_body, slopes = named(slope_builder, [slope_builder.rewrite(derivative) for derivative in derivatives])
    kink_builder = ManyBuilder(context, (FIELD, LOWER, UPPER), {}, shared=builder)
    at_kinks = [kink_builder.rewrite(_at_kink(found)) for _, found in sums]
    kink_body, kink_values = named(kink_builder, at_kinks)
    mean, spread = builder.scalar(group.mean), builder.scalar(group.peak.spread)
    root = builder.scalar(sp.sqrt(group.variance))
    bound = {variable for variable, _ in group.planted}
    planted = tuple(Planted(variable, str(kind), splits[variable]) for variable, kind in group.planted)
    items = [*builder.hoisted, *level_body, *slopes_body, *body, *kink_body]
    read = set().union(*(reads(item) for item in items))
    t_steps = tuple(dict.fromkeys((*level_builder.along(NODE), *slope_builder.along(NODE), *builder.along(NODE))))
    z_steps = builder.along(z)
    scalars = [mean, root, spread, height, *slopes, *values, *kink_values]
    scalars += [part for step in (*t_steps, *z_steps) for part in step.parts]
    scalars += [split for variable in planted for split in variable.splits]
    read = read.union(*(e.free_symbols for e in scalars))
    produced = {s for item in items for s in targets(item)} | {z, NODE, FIELD, LOWER, UPPER}
    hidden = builder.leaf_symbols | level_builder.leaf_symbols | slope_builder.leaf_symbols | kink_builder.leaf_symbols
    return PeakKernel(
        name=f"average_{index}",
        comment=f"{group.peak.omega} = {group.mean} + {sp.sqrt(group.variance)} z, at the maximiser that follows it",
        z=z,
        t=NODE,
        planted=planted,
        inputs=tuple(sorted((read | hidden) - produced - bound, key=str)),
        hoisted=tuple(builder.hoisted),
        mean=mean,
        root=root,
        spread=spread,
        t_steps=t_steps,
        z_steps=z_steps,
        level_body=tuple(level_body),
        level=height,
        slopes_body=tuple(slopes_body),
        slopes=tuple(slopes),
        body=tuple(body),
        averages=tuple((mark, e) for (mark, _), e in zip(plain, values, strict=True)),
        kink_variables=(FIELD, LOWER, UPPER),
        kink_body=tuple(kink_body),
        kink_sums=tuple((mark, e) for (mark, _), e in zip(sums, kink_values, strict=True)),
        single=group.peak.which == UNIQUE,
    )


def parted(
    nodes: Sequence[tuple[sp.Symbol, Evaluated]],
) -> tuple[list[tuple[sp.Symbol, Average]], list[tuple[sp.Symbol, Kinks]]]:
    """Averages, and sums over kinks."""
    plain = [(mark, node) for mark, node in nodes if _kinks_of(node) is None and isinstance(node, Average)]
    sums = [(mark, found) for mark, node in nodes if (found := _kinks_of(node)) is not None]
    return plain, sums


def _kinks_of(node: Evaluated) -> Kinks | None:
    inner = node.integrand if isinstance(node, Average) else node
    return inner if isinstance(inner, Kinks) else None


def coordinates(nodes: Sequence[tuple[sp.Symbol, Average]]) -> tuple[sp.Symbol, dict[sp.Symbol, sp.Expr]]:
    """The standard normal, and every field in terms of it."""
    fields: dict[sp.Symbol, sp.Expr] = {}
    z = sp.Symbol("_z", real=True)
    for _, node in nodes:
        normals = standard_normals(node.measure)
        if len(normals) != 1:
            raise NotImplementedError("averages over several standard normals are not lowered yet")
        fields.update({f: e.xreplace({normals[0]: z}) for f, e in explicit_fields(node.measure, normals).items()})
    return z, fields


def _explicit(expression: sp.Expr, table: Mapping[sp.Expr, sp.Expr]) -> sp.Expr:
    """Heights and responses written out, maximisers replaced by node arrays."""
    written = expression.xreplace({node: node.doit() for node in expression.atoms(Peaked)})
    peaks = {node: table[node.which] for node in written.atoms(Peak)}
    written = written.xreplace(peaks)
    return written.xreplace({node: node.doit() for node in written.atoms(Response)})


def _at_node(expression: sp.Expr) -> sp.Expr:
    point = follower_in(expression)
    return _explicit(expression, {point.which: NODE}) if point is not None else expression


def _at_kink(found: Kinks) -> sp.Expr:
    return _explicit(found.summand.xreplace({found.omega: FIELD}), {BELOW: LOWER, ABOVE: UPPER})


def named(builder: NodeBuilder, expressions: list[sp.Expr]) -> tuple[list[Assign | Call | Inner], list[sp.Expr]]:
    """The body of a pass with common subexpressions named, and the expressions that are left."""
    shared, reduced = sp.cse(expressions, symbols=sp.numbered_symbols("_t"), order="none")
    return [*builder.finished_body(), *(Assign(s, e) for s, e in shared)], list(reduced)


class ManyBuilder(NodeBuilder):
    """A builder whose arguments are linear in several node arrays."""

    def __init__(
        self,
        context: Context,
        variables: tuple[sp.Symbol, ...],
        fields: Mapping[sp.Symbol, sp.Expr],
        shared: NodeBuilder | None = None,
    ) -> None:
        super().__init__(context, None, fields)
        self.variables = variables
        self.found: dict[sp.Symbol, dict[StepInZ, None]] = {variable: {} for variable in variables}
        if shared is not None:
            self.hoisted, self._scalars = shared.hoisted, shared._scalars

    def along(self, variable: sp.Symbol) -> tuple[StepInZ, ...]:
        """Steps of functions of one node array."""
        return tuple(self.found[variable])

    def _linear(self, expression: sp.Expr) -> tuple[sp.Expr, dict[sp.Symbol, sp.Expr]]:
        explicit = sp.expand_mul(sp.expand(expression.xreplace(self.fields), deep=False), deep=False)
        slopes = {v: sp.diff(explicit, v) for v in self.variables if explicit.has(v)}
        if any(slope.has(*self.variables) for slope in slopes.values()):
            raise NotImplementedError(f"{expression} is not linear in the field")
        return explicit.xreplace(dict.fromkeys(self.variables, sp.Integer(0))), slopes

    def _argument(self, expression: sp.Expr) -> sp.Expr:
        offset, slopes = self._linear(expression)
        value = self.scalar(offset) + sp.Add(*(self.scalar(slope) * v for v, slope in slopes.items()))
        if value in self.variables:
            return value
        if value not in self._arguments:  # by value: one argument may be written in several ways
            mark = sp.Symbol(f"_x{len(self._arguments)}", real=True)
            self._arguments[value] = mark
            self.body.append(Assign(mark, value))
            self._refresh()
        return self._arguments[value]

    def step(self, expression: sp.Expr, sharpness: sp.Expr = sp.S.One) -> None:
        """Note a step of a function of one node array."""
        offset, slopes = self._linear(expression)
        for variable, slope in slopes.items():
            if len(slopes) == 1:
                self.found[variable].setdefault(StepInZ(self.scalar(offset), self.scalar(slope), sharpness))
