"""A channel: nested Gaussian averages over the replicas' fields around single-site partition functions.

Prior channel and output channel are the same object. Under an ansatz, n replicas with field covariance Q_ab become a
tree of Gaussian fields; the three node rules turn the tree into an expression:

* a power ``k -> 0`` of copies becomes the average of a logarithm,
* a block of m copies becomes ``(1/m) log E[Z^m]``,
* a teacher beside the replicas becomes a weight Z_T under the outermost average.

Derivatives in the covariance variables come from Price's theorem (averages.py) and the heat equation (functions.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations_with_replacement, pairwise
from typing import Any

import sympy as sp

from spinodal.symbolic.averages import Average, Evaluated, Measure, average, averages_in, expand_outside, map_averages
from spinodal.symbolic.functions import FieldDensity, LinearPartition, LogPartition
from spinodal.symbolic.ground import InfiniteAtJump
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.maximisers import HIGHEST, UNIQUE, Edge, follower_in
from spinodal.symbolic.nested import log_average, renested, tilted_average, tilted_kinks
from spinodal.symbolic.peaks import Peak, Peaked, T, closed_peaks


class Ratio(sp.Function):
    """``Ratio(a, b)`` = a/b, with 0/0 = 0: the loading of a field whose variance may vanish."""

    nargs = 2

    @classmethod
    def eval(cls, above: sp.Expr, below: sp.Expr) -> sp.Expr | None:
        """A variance over its root is the root."""
        return below if isinstance(below, Root) and below.args[0] == above else None

    def doit(self, **hints: object) -> sp.Expr:
        """The quotient itself."""
        return self.args[0].doit() / self.args[1].doit()

    def _latex(self, printer: object, exp: object = None) -> str:
        body = printer._print(self.args[0] / self.args[1])  # type: ignore[attr-defined]
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


class Root(sp.Function):
    """``Root(v)`` = sqrt(v), with a variance a rounding error below zero taken as zero: a field's loading."""

    nargs = 1

    def doit(self, **hints: object) -> sp.Expr:
        """The square root itself."""
        return sp.sqrt(self.args[0].doit())

    def _latex(self, printer: object, exp: object = None) -> str:
        body = printer._print(sp.sqrt(self.args[0]))  # type: ignore[attr-defined]
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


class Unexplained(sp.Function):
    """``Unexplained(v, e)`` = v - e: what is left of a variance; where nothing is, a rounding error of v.

    At a saddle point it is not negative, since overlaps are averages; the states on the way there may lie a little outside.
    """

    nargs = 2

    def doit(self, **hints: object) -> sp.Expr:
        """The difference itself."""
        return self.args[0].doit() - self.args[1].doit()

    def _latex(self, printer: object, exp: object = None) -> str:
        body = printer._print(self.args[0] - self.args[1])  # type: ignore[attr-defined]
        return rf"\left({body}\right)" if exp is None else rf"\left({body}\right)^{{{exp}}}"


class Covariance(sp.Function):
    """``Covariance(c, u, v)`` = c between quantities of variances u and v, whose correlation stays within +-1."""

    nargs = 3

    def doit(self, **hints: object) -> sp.Expr:
        """The covariance itself."""
        return self.args[0].doit()

    def _latex(self, printer: object, exp: object = None) -> str:
        body = printer._print(self.args[0])  # type: ignore[attr-defined]
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


@dataclass(frozen=True, slots=True)
class Branch:
    """One term of a channel: a student leaf, a teacher weight or planted variables, and the multiplicity.

    Attributes:
        weight: how often the term counts (2 for a symmetric pair of labels, a probability, ...).
        student: the tag of the student's leaf.
        teacher: the tag of the teacher's leaf, when it is averaged conditionally on the student's field.
        mean_slope: the mean of the student's outermost field per unit of the teacher overlap (planted teachers).
        planted: planted variables with their distributions (a label that is integrated over, beside a teacher's leaf).
        planted_variance: the variance that the mean removes from the field's per (teacher overlap)^2.
        smeared: for a Gaussian teacher integrated out exactly: variance *added* per (teacher overlap)^2.
        subtracted: what is taken from the field's mean (the label, of a loss that reads the difference only).
        correlated: variance added per unit of the teacher overlap (minus twice the label's slope).
        added: variance added whatever the overlaps are (the label's own).
    """

    weight: sp.Expr
    student: str
    teacher: str | None = None
    mean_slope: sp.Expr = sp.Integer(0)
    planted: tuple[tuple[sp.Symbol, sp.Symbol], ...] = ()
    planted_variance: sp.Expr = sp.Integer(0)
    smeared: sp.Expr = sp.Integer(0)
    subtracted: sp.Expr = sp.Integer(0)
    correlated: sp.Expr = sp.Integer(0)
    added: sp.Expr = sp.Integer(0)

    def mean(self, teacher: sp.Expr) -> sp.Expr:
        """The mean of a field of that covariance with the teacher's, at given planted variables."""
        return teacher * self.mean_slope - self.subtracted

    def covariance(self, own: sp.Expr, first: sp.Expr, second: sp.Expr) -> sp.Expr:
        """The covariance of two fields at given planted variables: their own, and each one's with the teacher's."""
        shared = first * second * (self.smeared - self.planted_variance)
        return own + shared + self.correlated * (first + second) / 2 + self.added


@dataclass(frozen=True)
class Channel:
    """A channel in its own covariance variables.

    Attributes:
        name: ``prior`` or ``output``.
        diagonal: the self-covariance (a symbol, or a number that is fixed).
        levels: the covariances between replicas from the outermost level inwards (symbols, one for replica symmetry).
        teacher: the covariance with the teacher (a symbol, or 0 without a teacher).
        teacher_variance: the teacher field's own variance.
        branches: the terms.
        leaves: the partition functions by tag.
        variance: the symbol that closed forms use for ``diagonal - overlap``.
        teacher_residual: the symbol for ``teacher_variance - teacher^2/overlap``.
        sizes: the sizes of the inner blocks of copies, one fewer than the levels.
        concentrated: whether the innermost copies are infinitely many; the last of ``levels`` is then the size times the
            covariance that they share more than the level outside, and its field concentrates at a maximum.
        ground: whether the temperature goes to 0: ``diagonal`` is then what the self-covariance exceeds the innermost level
            by, over T, and leaves are ground states.
    """

    name: str
    diagonal: sp.Expr
    levels: tuple[sp.Symbol, ...]
    teacher: sp.Expr
    teacher_variance: sp.Expr
    branches: tuple[Branch, ...]
    leaves: Mapping[str, Leaf] = field(hash=False)
    variance: sp.Symbol
    teacher_residual: sp.Symbol
    sizes: tuple[sp.Expr, ...] = ()
    concentrated: bool = False
    ground: bool = False

    @property
    def overlap(self) -> sp.Symbol:
        """The covariance of replicas that share least: the variance of the outermost field."""
        return self.levels[0]

    @cached_property
    def variables(self) -> tuple[sp.Symbol, ...]:
        """What the channel depends on: diagonal, levels, teacher, and the sizes of blocks that are symbols."""
        return tuple(v for v in (self.diagonal, *self.levels, self.teacher, *self.sizes) if isinstance(v, sp.Symbol))

    def value_at(self, levels: Sequence[sp.Expr], sizes: Sequence[sp.Expr]) -> sp.Expr:
        """The channel per replica, n -> 0, for nested copies of the given sizes and covariance levels.

        Args:
            levels: covariances from the outermost level inwards, without the diagonal (one for replica symmetry).
            sizes: block sizes, one fewer than levels.
        """
        total: sp.Expr = sp.Integer(0)
        for index, branch in enumerate(self.branches):
            total += branch.weight * self._branch_value(branch, index, levels, sizes)
        return total

    def _branch_value(self, branch: Branch, index: int, levels: Sequence[sp.Expr], sizes: Sequence[sp.Expr]) -> sp.Expr:
        fields, heights, _measures = self._levels_of(branch, index, levels, sizes)
        return average(*self._outermost(branch, fields[0], levels[0], heights[0], self._suffix(index)))

    def _suffix(self, index: int) -> str:
        return "" if len(self.branches) == 1 else f"_{index}"

    def _levels_of(
        self, branch: Branch, index: int, levels: Sequence[sp.Expr], sizes: Sequence[sp.Expr]
    ) -> tuple[list[sp.Symbol], list[sp.Expr], list[Measure]]:
        """Per level, outermost first: its field, log Z of a replica given it, and the next level's measure given it."""
        depth = len(levels)
        fields = [
            sp.Symbol(f"_omega_{self.name}{self._suffix(index)}" + (f"_{level}" if depth > 1 else ""), real=True)
            for level in range(depth)
        ]
        inner: sp.Expr
        if self.ground:
            inner = self.leaves[branch.student].log_derivative(0, fields[-1], self.diagonal)
        else:
            inner = LogPartition(sp.Symbol(branch.student), sp.Integer(0), fields[-1], self.diagonal - levels[-1])
        heights = [inner]
        measures: list[Measure] = []
        for level in range(depth - 1, 0, -1):
            size = sizes[level - 1]
            spread = levels[level] - levels[level - 1]
            measure = Measure([fields[level]], [fields[level - 1]], sp.Matrix([[spread]]), sp.Matrix([[Root(spread)]]))
            inner = log_average(size * inner, measure) / size
            heights.insert(0, inner)
            measures.insert(0, measure)
        return fields, heights, measures

    def _outermost(
        self, branch: Branch, omega: sp.Symbol, overlap: sp.Expr, inner: sp.Expr, suffix: str
    ) -> tuple[sp.Expr, Measure]:
        m = self.teacher
        if branch.teacher is not None:
            root = Root(overlap)
            field_t = sp.Symbol(f"_omega_{self.name}_teacher{suffix}", real=True)
            explained = m**2 / overlap
            weight = LinearPartition(sp.Symbol(branch.teacher), sp.Integer(0), field_t, self.teacher_variance - explained)
            measure = Measure(
                [field_t, omega],
                [0, 0],
                sp.Matrix([[explained, m], [m, overlap]]),
                sp.Matrix([[Ratio(m, root)], [root]]),
                branch.planted,
            )
            return weight * inner, measure
        spread = branch.covariance(overlap, m, m)
        measure = Measure([omega], [branch.mean(m)], sp.Matrix([[spread]]), sp.Matrix([[Root(spread)]]), branch.planted)
        return inner, measure

    @cached_property
    def value(self) -> sp.Expr:
        """The channel at its own levels."""
        if not self.concentrated:
            return self.value_at(self.levels, self.sizes)
        return self._at_peaks(lambda _branch, _leaf, point: Peaked(point))

    @cached_property
    def first_correction(self) -> sp.Expr:
        """The coefficient of 1/y in the channel of y copies, as y -> infinity.

        The outer field's variance is smaller by D/y, and the Gaussian integral around the maximum leaves
        ``-(1/2) log(1 - D L'')``.
        """
        outer, spread = self.levels
        variance = sp.Dummy("outer", positive=True)
        value = self._at_peaks(lambda _branch, _leaf, point: Peaked(point), variance)
        around = self._at_peaks(lambda _branch, _leaf, point: sp.log(point.response) / 2)
        return expand_outside(around - spread * value.diff(variance).xreplace({variance: outer}))

    def _at_peaks(
        self, integrand: Callable[[Branch, Leaf, Any], sp.Expr], variance_of_field: sp.Expr | None = None
    ) -> sp.Expr:
        """Averages over the outer field of functions of the maximiser that infinitely many copies concentrate on."""
        outer, spread = self.levels
        total: sp.Expr = sp.Integer(0)
        for index, branch in enumerate(self.branches):
            suffix = "" if len(self.branches) == 1 else f"_{index}"
            omega = sp.Symbol(f"_omega_{self.name}{suffix}", real=True)
            leaf = self.leaves[branch.student]
            variance = self.diagonal - outer
            if leaf.kind == "two-cosh":  # depends on the variance through a constant: no heat equation, half the derivatives
                potential = leaf.log_derivative(0, T, variance)
            else:
                potential = LogPartition(sp.Symbol(branch.student), sp.Integer(0), T, variance)
            point = Peak(UNIQUE if leaf.single_peaked else HIGHEST, omega, spread, potential)
            inner = integrand(branch, leaf, point)
            field = outer if variance_of_field is None else variance_of_field
            total += branch.weight * average(*self._outermost(branch, omega, field, inner, suffix))
        return total

    @cached_property
    def weights(self) -> Mapping[sp.Symbol, sp.Expr]:
        """What the slope in each level is proportional to: the step of block sizes there, m_{l+1} - m_l, between 0 and 1.

        It may vanish (m -> 1, or two sizes that coincide) where the equation of the level stays meaningful.
        """
        if not self.sizes:
            return {}
        steps = size_steps(self.sizes)
        # as T -> 0 the innermost level moves with the self-covariance: its slope has no step in front
        return (
            dict(zip(self.levels, steps, strict=True))
            if not self.ground
            else dict(zip(self.levels[:-1], steps[:-1], strict=True))
        )

    def keys(self, order: int) -> tuple[tuple[sp.Symbol, ...], ...]:
        """The derivatives of one order, as ordered tuples of variables."""
        if not self.weights:
            return tuple(combinations_with_replacement(self.variables, order))
        rest = list(combinations_with_replacement(self.variables, order - 1))
        return tuple(dict.fromkeys(self.ordered((first, *others)) for first in self.variables for others in rest))

    def ordered(self, key: Sequence[sp.Symbol]) -> tuple[sp.Symbol, ...]:
        """The variables of a derivative in the order in which it is named.

        A level that comes first has been divided by its weight before the other derivatives were taken.
        """
        ranked = sorted(key, key=self.variables.index)
        first = next((v for v in ranked if v not in self.weights), ranked[0]) if key[0] not in self.weights else key[0]
        ranked.remove(first)
        return (first, *ranked)

    @cached_property
    def _derivatives(self) -> dict[tuple[sp.Symbol, ...], sp.Expr]:
        return {}

    def derivative(self, key: Sequence[sp.Symbol]) -> sp.Expr:
        """The derivative in the given variables, in averages of partition functions; each is derived once.

        The slope in a level with a weight comes divided by it (see :attr:`weights`), and so do its derivatives.
        """
        ordered = self.ordered(key)
        if ordered not in self._derivatives:
            if len(ordered) == 1:
                slope = expand_outside(self.value.diff(ordered[0]))
                found = divided(slope, self.weights[ordered[0]]) if ordered[0] in self.weights else slope
            else:
                found = expand_outside(self.derivative(ordered[:-1]).diff(ordered[-1]))
                if self.ground and self.sizes:  # what cancels stands over differences of levels, written both ways round
                    found = divided(found, sp.Integer(1), factored=True)
            self._derivatives[ordered] = found
        return self._derivatives[ordered]

    def replicon_curvature(self, level: int = 0) -> sp.Expr:
        """The second variation with zero row sums at a level, per half the sum of squares of a row.

        It is E[(d^2 g / d omega^2)^2], g being log Z per replica of the blocks that share the level, given their field; see
        :meth:`replicon_curvature_at` for the derivation. In a ground state it is infinite as soon as the maximiser jumps:
        then two replicas are far apart as often as their fields are within T of the jump.
        """
        if self.ground and level == len(self.levels) - 1:
            return self._ground_curvature()
        total: sp.Expr = sp.Integer(0)
        for index, branch in enumerate(self.branches):
            fields, heights, measures = self._levels_of(branch, index, self.levels, self.sizes)
            inner = expand_outside(heights[level].diff(fields[level], 2) ** 2)
            for outer in range(level, 0, -1):
                inner = tilted_average(inner, self.sizes[outer - 1] * heights[outer], measures[outer - 1])
            total += branch.weight * average(*self._outermost(branch, fields[0], self.overlap, inner, self._suffix(index)))
        return expand_outside(total)

    def _ground_curvature(self) -> sp.Expr:
        def bend(_branch: Branch, leaf: Leaf, omega: sp.Expr) -> sp.Expr:
            return leaf.log_derivative(2, omega, self.diagonal) ** 2

        total: sp.Expr = self.tilted(bend)
        if self.sizes:
            return total + self._infinite_at_jumps()
        for node in averages_in(self.value):
            point = follower_in(node.integrand)
            if point is not None:
                total += Edge(node.measure, point).term(InfiniteAtJump(point.jump_of_height(point.omega)))
        return total

    def _infinite_at_jumps(self) -> sp.Expr:
        """Infinite where the maximiser jumps at a field that occurs inside a block of copies."""
        total: sp.Expr = sp.Integer(0)
        for index, branch in enumerate(self.branches):
            fields, heights, measures = self._levels_of(branch, index, self.levels, self.sizes)
            point = follower_in(heights[-1])
            if point is None:
                continue
            jump = InfiniteAtJump(point.jump_of_height(fields[-1]))
            inner = tilted_kinks(jump, point, self.sizes[-1] * heights[-1], measures[-1])
            total += branch.weight * average(*self._outermost(branch, fields[0], self.overlap, inner, self._suffix(index)))
        return total

    def replicon_curvature_at(self, k: sp.Expr, level: int = 0) -> sp.Expr:
        """The same by inserting one more level of copies, in blocks of k; the result does not depend on k.

        Blocks inside the same inserted one share ``(S - k S') e`` more, S and S' being the sizes of the blocks that share
        this level and the next; the others of the level ``(k - 1) S' e`` less. At e = 0 the inserted average collapses.
        """
        e = sp.Symbol("epsilon", real=True)
        block, part = (sp.Integer(0), *self.sizes, sp.Integer(1))[level : level + 2]
        within, without = block - k * part, -(k - 1) * part
        here = self.levels[level]
        levels = [*self.levels[:level], here + without * e, here + within * e, *self.levels[level + 1 :]]
        value = self.value_at(levels, [*self.sizes[:level], k * part, *self.sizes[level:]])
        second = expand_outside(collapse(value.diff(e, 2).subs(e, 0)))
        found = divided(second, (k - 1) * part * within * (block - part) / 2)
        return self._without_inserted(found, level)

    def _without_inserted(self, expression: sp.Expr, level: int) -> sp.Expr:
        """The fields of an expression from which a level's average has gone, named as those of the channel."""
        depth = len(self.levels)
        names: dict[sp.Symbol, sp.Symbol] = {}
        for branch in range(len(self.branches)):
            base = f"_omega_{self.name}{self._suffix(branch)}"
            for inner in range(depth + 1):
                if inner == level + 1:
                    continue
                outside = inner if inner <= level else inner - 1
                name = f"{base}_{outside}" if depth > 1 else base
                names[sp.Symbol(f"{base}_{inner}", real=True)] = sp.Symbol(name, real=True)
        return expand_outside(expression.xreplace(names))

    def closed(self, expression: sp.Expr) -> sp.Expr:
        """Replace every partition function by its leaf's closed form (or numerical primitive)."""
        if self.ground and isinstance(self.diagonal, sp.Symbol):
            expression = expression.xreplace({self.diagonal: self.variance})

        def close(node: Evaluated) -> sp.Expr:
            return average(self._close(node.integrand), node.measure) if isinstance(node, Average) else self._close(node)

        return map_averages(expression, close)

    def _close(self, expression: sp.Expr) -> sp.Expr:
        logs = expression.replace(LogPartition, self._close_log).replace(LinearPartition, self._close_partition)
        return closed_peaks(renested(logs.replace(FieldDensity, self.close_density)))

    def _close_log(self, tag: sp.Symbol, k: sp.Integer, omega: sp.Expr, _variance: sp.Expr) -> sp.Expr:
        return self.leaves[str(tag)].log_derivative(int(k), omega, self.variance)

    def _close_partition(self, tag: sp.Symbol, k: sp.Integer, omega: sp.Expr, _variance: sp.Expr) -> sp.Expr:
        return self.leaves[str(tag)].partition(int(k), omega, self.teacher_residual)

    def close_density(self, tag: sp.Symbol, h: sp.Expr, omega: sp.Expr, _variance: sp.Expr) -> sp.Expr:
        """The closed form of a :class:`FieldDensity`."""
        return self.leaves[str(tag)].field_density(h, omega, self.variance)

    def restricted(self, expression: sp.Expr, substitution: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
        """Substitute covariance variables inside the averages too (Nishimori: teacher -> overlap)."""
        return expression.subs(dict(substitution)) if substitution else expression

    def tilted(self, integrand: Callable[[Branch, Leaf, sp.Expr], sp.Expr]) -> sp.Expr:
        """Average ``integrand(branch, leaf, field)`` in the measure of one replica (for observables)."""
        if self.concentrated:
            return self._at_peaks(integrand)
        total: sp.Expr = sp.Integer(0)
        for index, branch in enumerate(self.branches):
            fields, heights, measures = self._levels_of(branch, index, self.levels, self.sizes)
            inner = integrand(branch, self.leaves[branch.student], fields[-1])
            for level in range(len(measures), 0, -1):
                inner = tilted_average(inner, self.sizes[level - 1] * heights[level], measures[level - 1])
            suffix = self._suffix(index)
            total += branch.weight * average(*self._outermost(branch, fields[0], self.overlap, inner, suffix))
        return total


def size_steps(sizes: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
    """m_{l+1} - m_l from the outermost level inwards, with m_0 = 0 and a last size of 1."""
    bounds = (sp.Integer(0), *sizes, sp.Integer(1))
    return tuple(inner - outer for outer, inner in pairwise(bounds))


def divided(expression: sp.Expr, divisor: sp.Expr, *, factored: bool = False) -> sp.Expr:
    """A linear combination of averages divided by an expression that all of its coefficients contain.

    ``factored``: write coefficients as products, so that powers of differences are not expanded.
    """
    simplest = sp.factor if factored else sp.cancel
    coefficients: dict[sp.Expr, list[sp.Expr]] = {}
    for term in sp.Add.make_args(expression):
        averaged = [f for f in sp.Mul.make_args(term) if f.has(Average)]
        key = sp.Mul(*averaged)
        coefficients.setdefault(key, []).append(sp.Mul(*(f for f in sp.Mul.make_args(term) if f not in averaged)))
    return sp.Add(*(simplest(sp.Add(*terms) / divisor) * key for key, terms in coefficients.items()))


def collapse(expression: sp.Expr) -> sp.Expr:
    """Evaluate the averages whose covariance vanishes, everywhere inside an expression."""
    return renested(expression)
