"""Lowering: from closed averages to one pass over quadrature nodes per measure.

Averages over the same Gaussian measure share a kernel. Inside it, every special function is called once per argument for all
the derivative orders that are needed, what does not depend on the node is hoisted, and common subexpressions are named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import sympy as sp

from spinodal.codegen.ground import ground_kernel
from spinodal.codegen.ground_blocks import ground_blocks_kernel, has_blocks
from spinodal.codegen.ir import (
    Assign,
    Call,
    GroundKernel,
    Inner,
    Kernel,
    PeakKernel,
    Planted,
    Program,
    Result,
    Routine,
    WeightDensity,
)
from spinodal.codegen.nodes import NodeBuilder, reads, targets
from spinodal.codegen.peaks import PeakGroup, peak_group, peak_kernel
from spinodal.symbolic.averages import Average, Evaluated, Measure, averages_in, explicit_fields, standard_normals
from spinodal.symbolic.channel import Ratio
from spinodal.symbolic.derivation import Derived
from spinodal.symbolic.formulas import generic_values, kinks, symbol, to_sympy
from spinodal.symbolic.functions import Primitive, Tail
from spinodal.symbolic.ground import Ground
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.places import places
from spinodal.symbolic.priors import density_leaf
from spinodal.symbolic.stabilities import STABILITY

#: A sigmoid of larger slope is not resolved by the even nodes of a standard normal variable.
_STEEP = 2.5
#: Arguments of a sigmoid at which panels around it end: three times further each, to where it is constant.
_AROUND_SIGMOID = tuple(sp.Integer(k) for k in (-18, -6, -2, 0, 2, 6, 18))
#: Derivatives of this order of a numerical partition function are available; higher ones fall back to differences.
HIGHEST_ORDER = 4


def lower(derived: Derived) -> Program:
    """Lower a derivation to a program."""
    context = _Context(derived)
    system = derived.system
    n = len(system.unknowns)
    routines = [
        context.routine("residual", "F(x), shape [n].", [Result("residual", (n,), system.residual)]),
        context.routine(
            "residual_and_jacobian",
            "F(x) and dF/dx in one pass over the nodes.",
            [Result("residual", (n,), system.residual), Result("jacobian", (n, n), tuple(system.jacobian))],
        ),
        context.routine("free_entropy", "phi per weight, in nats.", [Result("free_entropy", (), (derived.free_entropy,))]),
        context.routine(
            "observables", "Observables by name.", [Result(k, (), (v,)) for k, v in derived.observables.items()]
        ),
        context.routine(
            "conditions",
            "Expressions that must not be negative.",
            [Result("conditions", (len(derived.conditions),), tuple(c.expression for c in derived.conditions))],
        ),
    ]
    stabilities = derived.stabilities
    if stabilities.densities:
        densities = [Result(k, (), (e,)) for k, e in stabilities.densities.items()]
        edges = [Result("edges", (len(stabilities.edges),), stabilities.edges)]
        routines.append(context.routine("stabilities", "The density of y h at v.", densities, directions=(STABILITY,)))
        routines.append(context.routine("stability_edges", "Values of y h where a density is not smooth.", edges))
    missing = tuple(
        name for j, name in enumerate(derived.parameters) if any(row[j] is None for row in derived.parameter_derivative)
    )
    columns = tuple(sp.nan if entry is None else entry for row in derived.parameter_derivative for entry in row)
    routines.append(
        context.routine(
            "parameter_derivative", "dF/dp.", [Result("parameter_derivative", (n, len(derived.parameters)), columns)]
        )
    )
    directional = None
    if system.directional is not None:
        directional = context.routine(
            "jacobian_directional",
            "d/dt (dF/dx)(x + t v) at t = 0.",
            [Result("jacobian_directional", (n, n), tuple(system.directional))],
            directions=system.directions,
        )
    if directional is None or _too_high(directional):
        missing = (*missing, "jacobian_directional")
    else:
        routines.append(directional)
    spec = derived.spec
    return Program(
        name=spec.name,
        description=spec.description,
        scheme=spec.ansatz.scheme,
        order_parameters=derived.order_parameters,
        conjugates=derived.conjugates,
        parameters=derived.parameters,
        saturating=tuple((k, str(v)) for k, v in derived.saturating.items()),
        routines=tuple(routines),
        leaves=tuple(leaf for leaf in derived.leaves.values() if not leaf.is_closed and not leaf.ground),
        tilts=tuple(derived.tilts.values()),
        densities=_densities(derived, context.at),
        observables=tuple(derived.observables),
        conditions=tuple(c.meaning for c in derived.conditions),
        finite_difference=missing,
        comments=tuple(f"{d.symbol}: {d.meaning}" for d in derived.definitions),
        unbounded=derived.unbounded,
        symmetric=derived.symmetric,
        breaking=derived.breaking,
        origin=tuple(derived.origin.items()),
        trivial=tuple(derived.trivial.items()),
        reference=tuple(derived.reference.items()),
        follower=tuple(derived.follower.items()),
        constrained=derived.constrained,
        stabilities=tuple(stabilities.densities),
        ground=derived.ground,
        counted=spec.student.weights.is_discrete,
        is_count=spec.student.weights.is_counted and spec.loss.energy is None and spec.loss.regularization is None,
        partitions=derived.partitions,
        label=derived.label,
        alphabets=derived.alphabets,
    )


def _densities(derived: Derived, at: Mapping[sp.Symbol, float]) -> tuple[WeightDensity, ...]:
    """The densities of weights that a spec declares."""
    found = []
    for owner in (derived.spec.student, derived.spec.teacher):
        if owner is None or owner.weights.density is None:
            continue
        declared = density_leaf(to_sympy(owner.weights.density.root), at)
        name, where = "student", declared.places
        if owner is derived.spec.teacher:  # its own nodes are sampled: a single mode may be narrow and far as well
            name, where = "teacher", places(sp.exp(declared.log_weight), declared.variable, at)
        found.append(WeightDensity(name, declared.log_weight, declared.splits, where))
    return tuple(found)


def _too_high(routine: Routine) -> bool:
    return any(
        call.function == "primitive" and any(k > HIGHEST_ORDER for k, _ in call.outputs)
        for stage in routine.stages
        if not isinstance(stage, Assign)
        for call in _calls(stage.items if isinstance(stage, PeakKernel | GroundKernel) else stage.body)
    )


def _calls(body: Iterable[Assign | Call | Inner]) -> Iterator[Call]:
    """Every call of a body, those of inner passes included."""
    for item in body:
        if isinstance(item, Call):
            yield item
        elif isinstance(item, Inner):
            yield from _calls(item.body)


@dataclass
class _Context:
    """What every routine of one derivation shares."""

    derived: Derived
    at: Mapping[sp.Symbol, float] = field(init=False)
    leaves: Mapping[str, Leaf] = field(init=False)

    def __post_init__(self) -> None:
        self.at = generic_values({p.name: p.default for p in self.derived.spec.parameters})
        self.leaves = self.derived.leaves

    def routine(self, name: str, doc: str, results: Sequence[Result], directions: tuple[sp.Symbol, ...] = ()) -> Routine:
        """Lower one set of results."""
        marks: dict[Evaluated, sp.Symbol] = {}
        expressions = [self._explicit(e) for r in results for e in r.expressions]
        finals = [self._mark(e, marks) for e in expressions]
        prelude = self._prelude(finals, list(marks), marks)
        replacements, reduced = sp.cse(finals, symbols=sp.numbered_symbols("_s"), order="none")
        stages: list[Assign | Kernel | PeakKernel | GroundKernel] = []
        pending = dict(marks)

        def emit_kernels(available: set[sp.Symbol] | None) -> None:
            """Kernels whose measures are known; definitions may themselves be averages, so this runs twice."""
            ready = {a: m for a, m in pending.items() if available is None or m in available}
            for kernel in self._kernels(ready, start=sum(not isinstance(s, Assign) for s in stages)):
                stages.append(kernel)
            for a in ready:
                del pending[a]

        for definition in prelude:
            inner = definition.expression.free_symbols & set(marks.values())
            if inner:
                emit_kernels(inner)
            stages.append(definition)
        emit_kernels(None)
        stages.extend(Assign(s, e) for s, e in replacements)
        out: list[Result] = []
        position = 0
        for r in results:
            size = len(r.expressions)
            out.append(Result(r.name, r.shape, tuple(reduced[position : position + size])))
            position += size
        return Routine(name, doc, tuple(stages), tuple(out), directions)

    def _explicit(self, expression: sp.Expr) -> sp.Expr:
        """In closed averages; quantities that are others by another name under those, so that one call serves both."""
        known = {d.symbol for d in self.derived.definitions}
        same = {d.symbol: d.expression for d in self.derived.definitions if d.expression in known}
        return expression.xreplace(dict(self.derived.channel_values)).xreplace(same)

    def _mark(self, expression: sp.Expr, marks: dict[Evaluated, sp.Symbol]) -> sp.Expr:
        table = {}
        for node in averages_in(expression):
            mark = marks.setdefault(node, sp.Symbol(f"_average_{len(marks)}", real=True))
            table[node] = mark
        return expression.xreplace(table)

    def _prelude(self, finals: Iterable[sp.Expr], nodes: list[Evaluated], marks: dict[Evaluated, sp.Symbol]) -> list[Assign]:
        """The definitions that are needed, in order; averages inside definitions get marks too."""
        needed: set[sp.Symbol] = set().union(*(e.free_symbols for e in finals), *(a.free_symbols for a in nodes))
        for node in nodes:  # planted variables' splits and leaves' data read parameters, which are always there
            needed |= node.measure.free_symbols if isinstance(node, Average) else node.free_symbols
        chosen: list[Assign] = []
        for definition in reversed(self.derived.definitions):
            if definition.symbol in needed:
                needed |= definition.expression.free_symbols
                expression = definition.expression
                if expression.is_number:  # activation moments: exact until here
                    expression = sp.Float(sp.N(expression, 30), 17)
                chosen.append(Assign(definition.symbol, self._mark(expression, marks)))
        return chosen[::-1]

    def _kernels(self, marks: Mapping[Evaluated, sp.Symbol], start: int) -> list[Kernel | PeakKernel | GroundKernel]:
        groups: dict[Measure | PeakGroup, list[tuple[sp.Symbol, Evaluated]]] = {}
        for node, mark in marks.items():
            groups.setdefault(peak_group(node) or node.measure, []).append((mark, node))
        found: list[Kernel | PeakKernel | GroundKernel] = []
        for index, (key, nodes) in enumerate(groups.items(), start):
            averaged = [*_moments(key), *(node.integrand if isinstance(node, Average) else node for _, node in nodes)]
            splits = {
                v: self._density_data if str(kind) == "teacher_density" else self._planted_splits(v, averaged)
                for v, kind in key.planted
            }
            if isinstance(key, PeakGroup):
                lowered = ground_kernel if isinstance(key.peak, Ground) else peak_kernel
                found.append(lowered(self, index, key, nodes, splits))
            elif has_blocks(nodes):
                found.append(ground_blocks_kernel(self, index, key, nodes, splits))
            else:
                found.append(self._kernel(index, key, [(mark, node.integrand) for mark, node in nodes], splits))
        return found

    def _kernel(
        self,
        index: int,
        measure: Measure,
        outputs: list[tuple[sp.Symbol, sp.Expr]],
        splits: Mapping[sp.Symbol, tuple[sp.Expr, ...]],
    ) -> Kernel:
        normals = standard_normals(measure)
        if len(normals) > 1:
            raise NotImplementedError("averages over several standard normals are not lowered yet")
        z = normals[0] if normals else None
        fields = explicit_fields(measure, normals)
        builder = NodeBuilder(self, z, fields)
        expressions = [builder.rewrite(expression) for _, expression in outputs]
        shared, reduced = sp.cse(expressions, symbols=sp.numbered_symbols("_t"), order="none")
        body = [*builder.finished_body(), *(Assign(s, e) for s, e in shared)]
        planted = tuple(Planted(variable, str(kind), splits[variable]) for variable, kind in measure.planted)
        bound = {variable for variable, _ in measure.planted}
        produced = {a.target for a in builder.hoisted}
        produced |= {s for item in body for s in targets(item)}
        read: set[sp.Symbol] = set()
        for item in (*builder.hoisted, *body):
            read |= reads(item)
        for expression in reduced:
            read |= expression.free_symbols
        steps = builder.step_list()
        for step in steps:
            read = read.union(*(part.free_symbols for part in step.parts))
        for search in builder.searched:
            read = read.union(*(part.free_symbols for part in search.parts))
        for variable in planted:
            read |= {s for split in variable.splits for s in split.free_symbols}
        inputs = read - produced - bound - ({z} if z is not None else set())
        inputs |= builder.leaf_symbols - bound
        return Kernel(
            name=f"average_{index}",
            comment=", ".join(f"{f} = {e}" for f, e in fields.items()) or "planted variables only",
            z=z,
            planted=planted,
            inputs=tuple(sorted(inputs, key=str)),
            hoisted=tuple(builder.hoisted),
            steps=steps,
            body=tuple(body),
            outputs=tuple((mark, e) for (mark, _), e in zip(outputs, reduced, strict=True)),
            searched=tuple(builder.searched),
        )

    @cached_property
    def _density_data(self) -> tuple[sp.Expr, ...]:
        """The parameters that the teacher's weight density depends on."""
        teacher = next(density for density in _densities(self.derived, self.at) if density.owner == "teacher")
        free: set[sp.Symbol] = set().union(*(e.free_symbols for e in teacher.expressions)) - {symbol("w")}
        return tuple(sorted(free, key=str))

    def _planted_splits(self, variable: sp.Symbol, expressions: list[sp.Expr]) -> tuple[sp.Expr, ...]:
        at = dict(self.at)
        for e in expressions:
            at.update({s: 0.5 for s in e.free_symbols if s not in at and s != variable})
        found: dict[sp.Expr, None] = {}
        for e in expressions:
            for atom in (e, *(a.args[-1] for a in e.atoms(Primitive))):
                if not atom.has(Average) and atom.has(variable) and atom.has(sp.sign, sp.Abs, sp.Max, sp.Min, sp.Heaviside):
                    found.update(dict.fromkeys(kinks(atom, variable, at)))
            found.update(dict.fromkeys(_around_sigmoids(e, variable, at)))
        return tuple(found)


def _moments(key: Measure | PeakGroup) -> tuple[sp.Expr, ...]:
    """Means and covariances of fields, which planted variables may move."""
    return (key.mean, key.variance) if isinstance(key, PeakGroup) else (*key.means, *key.covariance)


def _around_sigmoids(expression: sp.Expr, variable: sp.Symbol, at: Mapping[sp.Symbol, float]) -> list[sp.Expr]:
    """Where panels end that resolve steep sigmoids of a planted variable, each longer than the one before it."""
    found = []
    for sigmoid in sorted(expression.atoms(sp.tanh, sp.erf, sp.erfc, Tail), key=str):
        line = sigmoid.args[0].as_poly(variable)
        if line is None or line.degree() != 1:
            continue
        slope, offset = line.coeff_monomial(variable), line.coeff_monomial(1)
        if slope.free_symbols or abs(float(sp.N(slope.subs(at)))) > _STEEP:
            found += [(distance - offset) / slope for distance in _AROUND_SIGMOID]
    return found


__all__ = ["HIGHEST_ORDER", "Ratio", "lower"]
