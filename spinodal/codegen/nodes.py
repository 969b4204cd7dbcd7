"""Integrands on quadrature nodes: fields in terms of standard normals, special functions as calls, inner passes.

A :class:`NodeBuilder` rewrites the integrands of one pass. Every special function is called once per argument for all the
derivative orders that are needed, what does not depend on any node is hoisted, and nested nodes with the same weight share
one inner pass, whose integrands a builder of the next level rewrites.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import sympy as sp

from spinodal.codegen.ir import Assign, Call, Function, Inner, SearchedSteps, StepInZ
from spinodal.symbolic.averages import Average, Measure, explicit_fields, standard_normals
from spinodal.symbolic.derivation import Derived
from spinodal.symbolic.formulas import kinks, symbol
from spinodal.symbolic.functions import ConditionalTail, Density, LogDensity, LogTail, LogTwoCosh, Primitive, Tail, Tilted
from spinodal.symbolic.labels import LABEL
from spinodal.symbolic.leaves import Leaf, Step, exchanges, field_crossings
from spinodal.symbolic.nested import LogAverage, TiltedAverage, TiltedKinks

NESTED = (LogAverage, TiltedAverage, TiltedKinks, Average)
#: How sharply H and G themselves change: they are entire, where the others have poles at the distance of their step's width.
_ENTIRE = sp.Rational(1, 2)
#: How sharply an integrand jumps or bends in units of its field; errors fall like the width, and its square.
_SHARPNESS = {(sp.sign, sp.Heaviside): sp.Integer(10) ** 9, (sp.Abs, sp.Max, sp.Min): sp.Integer(10) ** 4}
_SPECIAL = (LogTail, Tail, Density, LogDensity, ConditionalTail, LogTwoCosh, Primitive, Tilted)


class Context(Protocol):
    """What every routine of one derivation shares."""

    @property
    def derived(self) -> Derived:
        """The derivation."""
        ...

    @property
    def leaves(self) -> Mapping[str, Leaf]:
        """Partition functions by tag."""
        ...

    @property
    def at(self) -> Mapping[sp.Symbol, float]:
        """Generic values of the parameters."""
        ...


def targets(item: Assign | Call | Inner) -> list[sp.Symbol]:
    """The symbols that an item of a body defines."""
    match item:
        case Assign(target=target):
            return [target]
        case Call(outputs=outputs):
            return [s for _, s in outputs]
        case Inner(log_output=log_output, outputs=results):
            return [log_output, *(s for s, _ in results)]


def reads(item: Assign | Call | Inner) -> set[sp.Symbol]:
    """The symbols that an item of a body reads (a leaf's own data not included, see :func:`leaf_data`)."""
    match item:
        case Assign(expression=expression):
            return set(expression.free_symbols)
        case Call(arguments=arguments):
            return set().union(*(a.free_symbols for a in arguments))
        case Inner(inputs=inputs, steps=steps):
            return set(inputs).union(*(_step_reads(step) for step in steps))


def _step_reads(step: StepInZ) -> set[sp.Symbol]:
    return set().union(*(part.free_symbols for part in step.parts))


def leaf_data(leaf: Leaf, context: Context) -> set[sp.Symbol]:
    """Parameters and definitions that a numerical leaf's data refer to."""
    found: set[sp.Symbol] = set()
    expressions = list(leaf.expressions)
    expressions += [e for i in leaf.edges for e in (i.lower, i.upper)]
    for tilt in context.derived.tilts.values():
        if tilt.leaf == leaf.tag:
            expressions += [tilt.function, tilt.log_weight, *tilt.splits]
    known = {symbol(name) for name in context.derived.parameters} | {d.symbol for d in context.derived.definitions}
    for expression in expressions:
        found |= expression.free_symbols & known
    return found


def outermost_nested(expression: sp.Expr) -> list[sp.Expr]:
    """The nested nodes of an integrand that are not inside others, in a reproducible order."""
    found: dict[sp.Expr, None] = {}

    def visit(node: sp.Basic) -> None:
        if isinstance(node, NESTED):
            found.setdefault(node)
            return
        for argument in node.args:
            visit(argument)

    visit(expression)
    return sorted(found, key=sp.default_sort_key)


class NodeBuilder:
    """Rewrites integrands of one pass over the nodes of ``z``."""

    def __init__(
        self,
        context: Context,
        z: sp.Symbol | None,
        fields: Mapping[sp.Symbol, sp.Expr],
        parent: NodeBuilder | None = None,
        label: str = "",
    ) -> None:
        self.context = context
        self.z = z
        self.fields = dict(fields)
        self.parent = parent
        self.label = label
        self.hoisted: list[Assign] = []
        self.body: list[Assign | Call | Inner] = []
        self.steps: dict[tuple[sp.Expr, sp.Expr], sp.Expr] = {}
        self.searched: dict[SearchedSteps, None] = {}
        self.leaf_symbols: set[sp.Symbol] = set()
        self.known_fields: set[sp.Symbol] = set(fields) | (parent.known_fields if parent else set())
        self._scalars: dict[sp.Expr, sp.Symbol] = {}
        self._arguments: dict[sp.Expr, sp.Symbol] = {}
        self._affines: dict[tuple[sp.Expr, sp.Expr], sp.Symbol] = {}
        self._calls: dict[tuple[str, tuple[sp.Expr, ...], tuple[str, ...]], dict[int, sp.Symbol]] = {}
        self._inners: dict[tuple[Measure, sp.Expr | None], _InnerPass] = {}

    def rewrite(self, expression: sp.Expr) -> sp.Expr:
        """The integrand with every special function and every nested node replaced by the output of a call or a pass."""
        nested: dict[sp.Expr, sp.Expr] = {node: self._nested(node) for node in outermost_nested(expression)}
        flat = expression.xreplace(nested)
        atoms = sorted(flat.atoms(*_SPECIAL), key=sp.default_sort_key)
        table: dict[sp.Expr, sp.Expr] = {atom: self._call(atom) for atom in atoms}
        rewritten = flat.xreplace(table)
        left = {f: self._argument(f) for f in sorted(self.known_fields, key=str) if rewritten.has(f)}
        self._refresh()
        self._jumps(flat)
        return rewritten.xreplace(left)

    def _jumps(self, integrand: sp.Expr) -> None:
        """Note where the integrand itself is not smooth in a field of this pass."""
        if self.z is None:
            return
        for kinds, sharpness in _SHARPNESS.items():
            pieces = sp.Add(*(sp.Dummy() * piece for piece in integrand.atoms(*kinds)))
            for field in self.fields:
                for place in kinks(pieces, field, self.context.at):
                    self.step(field - place, sharpness)

    def finished_body(self) -> list[Assign | Call | Inner]:
        """Assignments, calls and then the inner passes, complete."""
        return [*self.body, *(inner.finish() for inner in self._inners.values())]

    def step_list(self) -> tuple[StepInZ, ...]:
        """Where the integrands change fast."""
        return tuple(StepInZ(offset, slope, sharpness) for (offset, slope), sharpness in self.steps.items())

    def scalar(self, expression: sp.Expr) -> sp.Expr:
        """The symbol of something that does not depend on this pass's node: hoisted, or at the surrounding pass's nodes."""
        if expression.is_number or (expression.is_Symbol and expression not in self.known_fields):
            return expression
        if self.parent is not None:
            outer = expression.free_symbols & self.parent.known_fields
            return self.parent._argument(expression) if outer else self.parent.scalar(expression)
        if expression not in self._scalars:
            mark = sp.Symbol(f"_c{len(self._scalars)}", real=True)
            self._scalars[expression] = mark
            self.hoisted.append(Assign(mark, expression))
        return self._scalars[expression]

    def _affine(self, expression: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
        """(A, B) with expression = A + B z."""
        explicit = sp.expand(expression.xreplace(self.fields), deep=False)
        explicit = sp.expand_mul(explicit, deep=False)
        if self.z is None:
            return explicit, sp.Integer(0)
        slope = sp.diff(explicit, self.z)
        if slope.has(self.z):
            raise NotImplementedError(f"{expression} is not linear in the field")
        return explicit.xreplace({self.z: sp.Integer(0)}), slope

    def _argument(self, expression: sp.Expr) -> sp.Expr:
        """A node array ``A + B z``."""
        if self.parent is not None and not expression.free_symbols & set(self.fields):
            return self.scalar(expression)
        if expression not in self._arguments:
            offset, slope = self._affine(expression)
            a, b = self.scalar(offset), self.scalar(slope)
            if (a, b) not in self._affines:
                mark = sp.Symbol(f"_x{self.label}{len(self._affines)}", real=True)
                self._affines[a, b] = mark
                self.body.append(Assign(mark, a + b * self.z if self.z is not None else a))
                self._refresh()
            self._arguments[expression] = self._affines[a, b]
        return self._arguments[expression]

    def step(self, expression: sp.Expr, sharpness: sp.Expr = sp.S.One) -> None:
        """Note that the integrand changes where the expression vanishes, over 1/sharpness of it.

        The surrounding pass, whose integrand this one's average is, is told how sharp that still is.
        """
        offset, slope = self._affine(expression)
        if slope != 0:
            key = (self.scalar(offset), self.scalar(slope))
            self.steps[key] = sp.Max(self.steps.get(key, sharpness), sharpness)
        if self.parent is not None:
            self.parent.step(offset, self._passed_on(sharpness, slope))

    def _passed_on(self, sharpness: sp.Expr, slope: sp.Expr) -> sp.Expr:
        """How sharp a step still is after this pass's average."""
        return sharpness / sp.sqrt(1 + (sharpness * self.scalar(slope)) ** 2)

    def _call(self, atom: sp.Expr) -> sp.Symbol:
        match atom:
            case LogTail() | LogTwoCosh():
                order, argument = int(atom.args[0]), atom.args[1]
                self.step(argument)
                kind: Function = "log_tail" if isinstance(atom, LogTail) else "log_two_cosh"
                return self._output(kind, (self._argument(argument),), order)
            case Tail() | Density():
                self.step(atom.args[0], _ENTIRE)
                return self._output("tail" if isinstance(atom, Tail) else "density", (self._argument(atom.args[0]),), 0)
            case LogDensity():
                self.step(atom.args[0])
                return self._output("log_density", (self._argument(atom.args[0]),), 0)
            case ConditionalTail():
                x, y, r = atom.args
                self.step(x)
                self.step(y)
                return self._output("conditional_tail", (self._argument(x), self._argument(y), self.scalar(r)), 0)
            case Primitive():
                tag, order, omega, variance, label = atom.args
                self._leaf_steps(self.context.leaves[str(tag)], omega, variance)
                arguments = (self._argument(omega), self.scalar(variance), label)
                return self._output("primitive", arguments, int(order), (str(tag),))
            case Tilted():
                tag, name, omega, variance, label = atom.args
                self._leaf_steps(self.context.leaves[str(tag)], omega, variance)
                for place in self.context.derived.tilts[str(tag), str(name)].crossings:
                    self._steps(field_crossings(self.context.leaves[str(tag)], place, variance), omega, variance)
                arguments = (self._argument(omega), self.scalar(variance), label)
                return self._output("tilted", arguments, 0, (str(tag), str(name)))
        raise NotImplementedError(str(atom))

    def _leaf_steps(self, leaf: Leaf, omega: sp.Expr, variance: sp.Expr) -> None:
        builder: NodeBuilder | None = self
        while builder is not None:
            builder.leaf_symbols |= leaf_data(leaf, self.context) | leaf.label.free_symbols
            builder = builder.parent
        if leaf.label != LABEL:  # of a label that is integrated over, the bumps are all that is narrow
            self._steps(leaf.steps(variance), omega, variance)
        offset, slope = self._affine(omega)
        if self.parent is not None or slope == 0:
            return
        parts = [self.scalar(part) for part in (variance, offset, slope)]
        if exchanges(leaf, self.context.at):
            self.searched.setdefault(SearchedSteps("takeovers", leaf.tag, *parts))
        if leaf.label == LABEL:
            self.searched.setdefault(SearchedSteps("bumps", leaf.tag, *parts))

    def _steps(self, steps: Iterable[Step], omega: sp.Expr, variance: sp.Expr) -> None:
        for step in steps:
            spread = step.spread + (variance if step.smoothed else 0)
            self.step((omega - step.position) / sp.sqrt(spread))

    def _output(self, function: str, arguments: tuple[sp.Expr, ...], order: int, tag: tuple[str, ...] = ()) -> sp.Symbol:
        outputs = self._calls.setdefault((function, arguments, tag), {})
        if order not in outputs:
            number = list(self._calls).index((function, arguments, tag))
            outputs[order] = sp.Symbol(f"_f{self.label}{number}_{order}", real=True)
        return outputs[order]

    def _refresh(self) -> None:
        """Rebuild the calls at the end of the body, with all orders known so far."""
        self.body = [item for item in self.body if isinstance(item, Assign)]
        for (function, arguments, tag), outputs in self._calls.items():
            self.body.append(Call(function, arguments, tuple(sorted(outputs.items())), tag))  # type: ignore[arg-type]

    def _nested(self, node: sp.Expr) -> sp.Expr:
        exponent = None if isinstance(node, Average) else node.exponent
        key = (node.measure, exponent)
        if key not in self._inners:
            self._inners[key] = _InnerPass(self, node.measure, exponent, f"{self.label}i{len(self._inners)}_")
        return self._inners[key].output(node)


class _InnerBuilder(NodeBuilder):
    """The builder of an inner pass: what it tells the surrounding pass about steps depends on its weight."""

    tilt_strength: sp.Expr = sp.S.One

    def _passed_on(self, sharpness: sp.Expr, slope: sp.Expr) -> sp.Expr:
        """With a weight Z^m the average may follow the step, or choose between its two sides m times as sharply."""
        if self.tilt_strength == 1:
            return super()._passed_on(sharpness, slope)
        return sp.Max(sharpness, self.tilt_strength)


class _InnerPass:
    """The nested nodes of one measure and weight."""

    def __init__(self, parent: NodeBuilder, measure: Measure, exponent: sp.Expr | None, label: str) -> None:
        normals = standard_normals(measure)
        if len(normals) != 1 or measure.planted:
            raise NotImplementedError("an inner average over several standard normals")
        (self.z,) = normals
        self.exponent, self.label, self.parent = exponent, label, parent
        self.fields = explicit_fields(measure, normals)
        self.measure = measure
        self.builder = _InnerBuilder(parent.context, self.z, self.fields, parent, label)
        self.builder.tilt_strength = _strength(exponent, measure) if exponent is not None else sp.S.One
        self.log_output = sp.Symbol(f"_u{label}log", real=True)
        self.outputs: dict[sp.Expr, sp.Symbol] = {}
        self.rewritten: dict[sp.Symbol, sp.Expr] = {}
        self.search: list[sp.Expr] = []
        self.searcher: _InnerBuilder | None = None
        self.weight: sp.Expr | None = None
        if exponent is not None:
            self.weight = self.builder.rewrite(exponent)
            # a builder of its own, with the same names: the search is a function of its own
            self.searcher = _InnerBuilder(parent.context, self.z, self.fields, parent, label)
            slope = self._along(exponent)
            self.search = [self.searcher.rewrite(e) for e in (exponent, slope, self._along(slope))]

    def _along(self, expression: sp.Expr) -> sp.Expr:
        """d/dz through the fields."""
        return sp.Add(*(expression.diff(f) * self.builder.scalar(e.diff(self.z)) for f, e in self.fields.items()))

    def output(self, node: sp.Expr) -> sp.Symbol:
        """The symbol of a nested node in the surrounding pass."""
        if isinstance(node, LogAverage):
            return self.log_output
        integrand = node.integrand
        if integrand not in self.outputs:
            mark = sp.Symbol(f"_u{self.label}{len(self.outputs)}", real=True)
            self.outputs[integrand] = mark
            self.rewritten[mark] = self.builder.rewrite(integrand)
        return self.outputs[integrand]

    def finish(self) -> Inner:
        """The pass, with its common subexpressions named."""
        expressions = [*([self.weight] if self.weight is not None else []), *self.rewritten.values()]
        body, reduced = _shared(self.builder, expressions, self.label)
        weight = reduced.pop(0) if self.weight is not None else None
        search_body: list[Assign | Call | Inner] = []
        search: list[sp.Expr] = []
        if self.searcher is not None:
            search_body, search = _shared(self.searcher, self.search, self.label)
        read: set[sp.Symbol] = set()
        produced: set[sp.Symbol] = {self.z}
        for item in (*body, *search_body):
            read |= reads(item)
            produced |= set(targets(item))
        for expression in (*reduced, *search, *([weight] if weight is not None else [])):
            read |= expression.free_symbols
        read |= self.builder.leaf_symbols
        return Inner(
            name=f"inner_{self.label.rstrip('_')}",
            comment=", ".join(f"{f} = {e}" for f, e in self.fields.items()),
            z=self.z,
            inputs=tuple(sorted(read - produced, key=str)),
            steps=self.builder.step_list(),
            body=tuple(body),
            exponent=weight,
            search_body=tuple(search_body),
            search=tuple(search),
            log_output=self.log_output,
            outputs=tuple(zip(self.rewritten, reduced, strict=True)),
        )


def _shared(
    builder: NodeBuilder, expressions: list[sp.Expr], label: str
) -> tuple[list[Assign | Call | Inner], list[sp.Expr]]:
    """The builder's body with the expressions' common subexpressions named at its end."""
    shared, reduced = sp.cse(expressions, symbols=sp.numbered_symbols(f"_t{label}"), order="none")
    return [*builder.finished_body(), *(Assign(s, e) for s, e in shared)], list(reduced)


def _strength(exponent: sp.Expr, measure: Measure) -> sp.Expr:
    """The largest coefficient of what fluctuates in the exponent: m for w = m log Z.

    The average of e^w changes m times faster than Z where Z has two branches to choose from.
    """
    sizes: list[sp.Expr] = []
    for term in sp.Add.make_args(exponent):
        outside = [f for f in sp.Mul.make_args(term) if not f.free_symbols & measure.bound]
        sizes.append(sp.Abs(sp.Mul(*outside)))
    return sp.Max(sp.S.One, *sizes)
