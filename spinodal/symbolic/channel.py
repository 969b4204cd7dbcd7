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
from itertools import combinations_with_replacement
from typing import Any

import sympy as sp

from spinodal.symbolic.averages import Average, Evaluated, Measure, average, averages_in, expand_outside, map_averages
from spinodal.symbolic.functions import FieldDensity, LinearPartition, LogPartition
from spinodal.symbolic.ground import InfiniteAtJump
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.maximisers import HIGHEST, UNIQUE, Edge, follower_in
from spinodal.symbolic.nested import log_average, renested, tilted_average
from spinodal.symbolic.peaks import Peak, Peaked, T, closed_peaks


class Ratio(sp.Function):
    """``Ratio(a, b)`` = a/b, with 0/0 = 0: the loading of a field whose variance may vanish."""

    nargs = 2

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


@dataclass(frozen=True, slots=True)
class Branch:
    """One term of a channel: a student leaf, a teacher weight or planted variables, and the multiplicity.

    Attributes:
        weight: how often the term counts (2 for a symmetric pair of labels, a probability, ...).
        student: the tag of the student's leaf.
        teacher: the tag of the teacher's leaf, when it is averaged conditionally on the student's field.
        mean_slope: the mean of the student's outermost field per unit of the teacher overlap (planted teachers).
        planted: planted variables with their distributions.
        planted_variance: the variance that the mean removes from the field's per (teacher overlap)^2.
        smeared: for a Gaussian teacher integrated out exactly: variance *added* per (teacher overlap)^2.
    """

    weight: sp.Expr
    student: str
    teacher: str | None = None
    mean_slope: sp.Expr = sp.Integer(0)
    planted: tuple[tuple[sp.Symbol, sp.Symbol], ...] = ()
    planted_variance: sp.Expr = sp.Integer(0)
    smeared: sp.Expr = sp.Integer(0)


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
            )
            return weight * inner, measure
        mean = m * branch.mean_slope
        spread = overlap - m**2 * branch.planted_variance + m**2 * branch.smeared
        measure = Measure([omega], [mean], sp.Matrix([[spread]]), sp.Matrix([[Root(spread)]]), branch.planted)
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

    def keys(self, order: int) -> tuple[tuple[sp.Symbol, ...], ...]:
        """The derivatives of one order, as sorted tuples of variables."""
        return tuple(combinations_with_replacement(self.variables, order))

    @cached_property
    def _derivatives(self) -> dict[tuple[sp.Symbol, ...], sp.Expr]:
        return {(): self.value}

    def derivative(self, key: Sequence[sp.Symbol]) -> sp.Expr:
        """The derivative in the given variables, in averages of partition functions; each is derived once."""
        ordered = tuple(sorted(key, key=self.variables.index))
        if ordered not in self._derivatives:
            self._derivatives[ordered] = expand_outside(self.derivative(ordered[:-1]).diff(ordered[-1]))
        return self._derivatives[ordered]

    @cached_property
    def replicon_curvature(self) -> sp.Expr:
        """The second variation in the replicon sector, per ``m (m - 1) / 2`` and replica.

        One more level of copies is inserted, with zero row sums, ``(m - 1) dq1 = m dq0``; at q1 = q0 the inner average
        collapses. For the replica-symmetric ansatz this gives E[(d^2 log Z / d omega^2)^2]. In a ground state it is infinite
        as soon as the maximiser jumps: then two replicas are far apart as often as their fields are within T of the jump.
        """
        if self.ground:
            return self._ground_curvature()
        return self.replicon_curvature_at(sp.Integer(2))

    def _ground_curvature(self) -> sp.Expr:
        def bend(_branch: Branch, leaf: Leaf, omega: sp.Expr) -> sp.Expr:
            return leaf.log_derivative(2, omega, self.diagonal) ** 2

        total: sp.Expr = self.tilted(bend)
        for node in averages_in(self.value):
            point = follower_in(node.integrand)
            if point is not None:
                total += Edge(node.measure, point).term(InfiniteAtJump(point.jump_of_height(point.omega)))
        return total

    def replicon_curvature_at(self, m: sp.Expr) -> sp.Expr:
        """The same for inserted blocks of any size m; the result must not depend on it."""
        e = sp.Symbol("epsilon", real=True)
        value = self.value_at([self.overlap + (m - 1) * e, self.overlap + m * e], [m])
        second = collapse(value.diff(e, 2).subs(e, 0)) * 2 / (m * (m - 1))
        outer = {s: sp.Symbol(s.name.removesuffix("_0"), real=True) for a in averages_in(second) for s in a.measure.fields}
        return expand_outside(second.xreplace(outer))

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


def collapse(expression: sp.Expr) -> sp.Expr:
    """Evaluate the averages whose covariance vanishes, everywhere inside an expression."""
    return renested(expression)
