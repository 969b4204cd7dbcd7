"""The channel of a probe beside a reference: first order in the number of probes, hence a mean in the reference's measure.

On the tree Copies(n, Join(Reference, Copies(s, Probe))) the term of first order in s is

    E_omega E_u [ f_ref(H) E_y log Z(h) ] / Z_ref(omega),

with the reference's field H = omega + u. The fields are jointly Gaussian: h has variance Q, covariance T with the H of its
own block and S with those of other blocks, that is with omega. H is integrated out last, at given omega and h:

    E [ Z_ref(a; v) log Z(h; Q_d - Q) / Z_ref(omega; V) ],    a = E[H | omega, h],  v = Var[H | omega, h],

two integrals for any measure of the reference. A prior channel is the same expression in the conjugates, where Z_ref(a; v) =
Tr exp(a w + v w^2 / 2); a discrete reference weight is then summed over instead, which needs no division by Var[h | omega].
The value does not depend on how much of H's variance a carries (the heat equation), so that the share ``explained`` counts
as a constant while the channel is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement

import sympy as sp

from spinodal.symbolic.averages import Average, Measure, average, expand_outside, map_averages
from spinodal.symbolic.channel import Branch, Channel, Ratio, Root
from spinodal.symbolic.functions import ConditionalTail, FieldDensity, LinearPartition, LogPartition
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.nested import tilted_average


def share(across: sp.Expr, spread: sp.Expr) -> sp.Expr:
    """A covariance over a variance: 0, and not 0/0, where references share nothing, and so nothing with their probes.

    A teacher's part never vanishes; there the quotient stays open to cancellations, on which close probes depend.
    """
    return Ratio(across, spread) if spread.is_Symbol else across / spread


@dataclass(frozen=True)
class ProbeChannel:
    """A channel of the probe, given the reference's and the probe's own replica-symmetric channels.

    Attributes:
        name: its name in symbols.
        reference: the reference's channel, in symbols of its own.
        probe: the probe's channel.
        across: the covariance of a probe with the references of other blocks.
        own: its covariance with the reference of its own block.
        explained: the symbol of the variance of the reference's field that the probe's explains beyond omega.
        residual: the symbol of what is left of it.
        teacher_residual: the symbol of what is left of the teacher's variance, omega and h given.
        common: the symbol of the covariance of teacher and reference, omega and h given.
    """

    name: str
    reference: Channel
    probe: Channel
    across: sp.Symbol
    own: sp.Symbol
    explained: sp.Symbol
    residual: sp.Symbol
    teacher_residual: sp.Symbol
    common: sp.Symbol

    @cached_property
    def variables(self) -> tuple[sp.Symbol, ...]:
        """The covariance variables: the probe's first, then the reference's."""
        probe, reference = self.probe, self.reference
        found = (
            probe.diagonal,
            probe.overlap,
            self.across,
            self.own,
            probe.teacher,
            reference.diagonal,
            reference.overlap,
            reference.teacher,
        )
        return tuple(v for v in found if isinstance(v, sp.Symbol))

    @property
    def variance(self) -> sp.Symbol:
        """The symbol for the variance of a probe's field within a state."""
        return self.probe.variance

    @property
    def leaves(self) -> dict[str, Leaf]:
        """The partition functions of both."""
        return {**self.reference.leaves, **self.probe.leaves}

    @cached_property
    def value(self) -> sp.Expr:
        """The channel per reference, in averages of partition functions."""
        return self._log_partition(0)

    def curvature(self) -> sp.Expr:
        """E[d2 log Z / dh2], which equals q_d - q for a prior."""
        return self._log_partition(2)

    def _log_partition(self, order: int) -> sp.Expr:
        variance = self.probe.diagonal - self.probe.overlap
        return self.tilted(lambda b, _, h: LogPartition(sp.Symbol(b.student), sp.Integer(order), h, variance))

    def tilted(self, integrand: Callable[[Branch, Leaf, sp.Expr], sp.Expr]) -> sp.Expr:
        """Average ``integrand(branch, leaf, field)`` of a probe's field over references and probes."""
        total: sp.Expr = sp.Integer(0)
        for index, (branch, reference) in enumerate(self._branches()):
            inner = integrand(branch, self.probe.leaves[branch.student], self._fields(index)[2])
            total += branch.weight * self._average(index, branch, reference, inner)
        return total

    def _branches(self) -> list[tuple[Branch, Branch]]:
        return list(zip(self.probe.branches, self.reference.branches, strict=True))

    def _fields(self, index: int) -> tuple[sp.Symbol, sp.Symbol, sp.Symbol]:
        """(a, omega, h) of a branch."""
        suffix = "" if len(self.probe.branches) == 1 else f"_{index}"
        names = (f"_omega_{self.name}_own{suffix}", f"_omega_{self.name}{suffix}", f"_omega_{self.name}_probe{suffix}")
        own, outer, probe = (sp.Symbol(name, real=True) for name in names)
        return own, outer, probe

    def _covariances(self, branch: Branch) -> tuple[sp.Expr, sp.Expr, sp.Expr, sp.Expr]:
        """(Var omega, Cov(omega, h), Cov(H, h), Var h) at given planted variables."""
        m, m_ref = self.probe.teacher, self.reference.teacher
        return (
            branch.covariance(self.reference.overlap, m_ref, m_ref),
            branch.covariance(self.across, m_ref, m),
            branch.covariance(self.own, m_ref, m),
            branch.covariance(self.probe.overlap, m, m),
        )

    def _means(self, branch: Branch) -> tuple[sp.Expr, sp.Expr]:
        """Means of omega and h."""
        return branch.mean(self.reference.teacher), branch.mean(self.probe.teacher)

    def _average(self, index: int, branch: Branch, reference: Branch, inner: sp.Expr) -> sp.Expr:
        a, omega, h = self._fields(index)
        spread, across, own, probe = self._covariances(branch)
        mean_omega, mean_h = self._means(branch)
        within = self.reference.diagonal - self.reference.overlap
        tag = sp.Symbol(reference.student)
        weight = LinearPartition(tag, sp.Integer(0), a, within - self.explained)
        norm = sp.exp(-LogPartition(tag, sp.Integer(0), omega, within))
        covariance = sp.Matrix([[spread + self.explained, spread, own], [spread, spread, across], [own, across, probe]])
        # the average is never sampled in this form (see closed), so that its loading is not needed
        if branch.teacher is None:
            measure = Measure([a, omega, h], [mean_omega, mean_omega, mean_h], covariance, sp.zeros(3, 2), branch.planted)
            return average(weight * norm * inner, measure)
        # the teacher's field shares m_ref with H and with omega, m with h; its own share is as free as H's
        tau = self._teacher_field(index)
        m, m_ref = self.probe.teacher, self.reference.teacher
        column = sp.Matrix([[m_ref], [m_ref], [m]])
        covariance = covariance.row_join(column).col_join(column.T.row_join(sp.Matrix([[self.teacher_residual]])))
        weight *= LinearPartition(sp.Symbol(branch.teacher), sp.Integer(0), tau, self.teacher_residual)
        return average(weight * norm * inner, Measure([a, omega, h, tau], [0, 0, 0, 0], covariance, sp.zeros(4, 2)))

    def _teacher_field(self, index: int) -> sp.Symbol:
        suffix = "" if len(self.probe.branches) == 1 else f"_{index}"
        return sp.Symbol(f"_omega_{self.name}_teacher{suffix}", real=True)

    def keys(self, order: int) -> tuple[tuple[sp.Symbol, ...], ...]:
        """The derivatives of one order, as sorted tuples of variables."""
        return tuple(combinations_with_replacement(self.variables, order))

    @cached_property
    def _derivatives(self) -> dict[tuple[sp.Symbol, ...], sp.Expr]:
        return {(): self.value}

    @property
    def weights(self) -> dict[sp.Symbol, sp.Expr]:
        """No slope is proportional to a step of block sizes here (see :class:`Channel`)."""
        return {}

    def ordered(self, key: Sequence[sp.Symbol]) -> tuple[sp.Symbol, ...]:
        """The variables of a derivative in the order in which it is named."""
        return tuple(sorted(key, key=self.variables.index))

    def derivative(self, key: Sequence[sp.Symbol]) -> sp.Expr:
        """The derivative in the given variables; each is derived once."""
        ordered = self.ordered(key)
        if ordered not in self._derivatives:
            self._derivatives[ordered] = expand_outside(self.derivative(ordered[:-1]).diff(ordered[-1]))
        return self._derivatives[ordered]

    def restricted(self, expression: sp.Expr, _substitution: object) -> sp.Expr:
        """Nothing is identified inside these averages."""
        return expression

    def closed(self, expression: sp.Expr) -> sp.Expr:
        """An outer average over omega, an inner one over h, and closed forms of the partition functions."""
        return map_averages(expression, self._close)

    def _close(self, node: Average) -> sp.Expr:
        a, omega, h, *_teacher = node.measure.fields
        index = next(i for i in range(len(self.probe.branches)) if self._fields(i)[0] == a)
        branch, reference = self._branches()[index]
        order = teacher_order = sp.Integer(0)
        rest: sp.Expr = sp.S.One
        for factor in sp.Mul.make_args(node.integrand):
            if isinstance(factor, LinearPartition) and factor.args[2] == a:
                order = factor.args[1]
            elif isinstance(factor, LinearPartition):
                teacher_order = factor.args[1]
            elif not _normalises(factor, omega):  # by 1/Z_ref(omega), which is done here otherwise
                rest *= factor
        leaf = self.reference.leaves[reference.student]
        closed = rest.replace(LogPartition, lambda tag, k, field, _v: self._log(str(tag), int(k), field))
        closed = closed.replace(FieldDensity, self.probe.close_density)
        spread, across, own, probe = self._covariances(branch)
        mean_omega, mean_h = self._means(branch)
        slope = share(across, spread)
        centre = mean_h + slope * (omega - mean_omega)
        free = probe - slope * across  # Var[h | omega]
        outer = Measure([omega], [mean_omega], sp.Matrix([[spread]]), sp.Matrix([[Root(spread)]]), branch.planted)
        if branch.teacher is not None:
            inner = self._beside_teacher(
                index, branch, leaf, (int(teacher_order), int(order)), closed, (centre, own - across, free)
            )
        elif leaf.kind in ("two-cosh", "discrete"):
            inner = self._summed(leaf, int(order), closed, omega, h, centre, own - across, free)
        elif leaf.kind == "quadratic":
            return self._beside_gaussian(leaf, int(order), closed, outer, h, (centre, own - across, free))
        else:
            root = Root(free)
            gain = Ratio(own - across, root)
            measure = Measure(
                [a, h],
                [omega, centre],
                sp.Matrix([[gain**2, own - across], [own - across, free]]),
                sp.Matrix([[gain], [root]]),
            )
            exponent = leaf.log_derivative(0, a, self.residual)
            inner = tilted_average(_bell(int(order), leaf, a, self.residual) * closed, exponent, measure)
        return average(inner, outer)

    def _beside_teacher(
        self,
        index: int,
        branch: Branch,
        leaf: Leaf,
        orders: tuple[int, int],
        integrand: sp.Expr,
        given: tuple[sp.Expr, sp.Expr, sp.Expr],
    ) -> sp.Expr:
        """Given omega and h, teacher and reference are two correlated Gaussians that both have to lie beyond an edge.

        The reference's weight tilts h; beside it stands the derivative of the joint probability over the reference's.
        """
        assert branch.teacher is not None
        teacher = self.probe.leaves[branch.teacher]
        a, omega, h = self._fields(index)
        tau = self._teacher_field(index)
        centre, coupling, free = given
        m, m_ref, spread = self.probe.teacher, self.reference.teacher, self.reference.overlap
        root = Root(free)
        gains = sp.Matrix([[Ratio(coupling, root)], [root], [Ratio(m - self.across * m_ref / spread, root)]])
        measure = Measure([a, h, tau], [omega, centre, m_ref / spread * omega], gains * gains.T, gains)
        first, y = _edge(leaf, a, self.residual)
        second, x = _edge(teacher, tau, self.teacher_residual)
        within, beyond = _levels(teacher)
        width = sp.sqrt((self.residual + leaf.smoothing) * (self.teacher_residual + teacher.smoothing))
        ratio: sp.Expr = beyond + (within - beyond) * ConditionalTail(x, y, first * second * self.common / width)
        log_weight = leaf.log_derivative(0, a, self.residual)
        for _ in range(orders[0]):
            ratio = ratio.diff(tau)
        for _ in range(orders[1]):  # d(g Z)/da over Z
            ratio = ratio.diff(a) + ratio * log_weight.diff(a)
        return tilted_average(expand_outside(ratio) * integrand, log_weight, measure)

    def _log(self, tag: str, order: int, field: sp.Expr) -> sp.Expr:
        channel = self.probe if tag in self.probe.leaves else self.reference
        return channel.leaves[tag].log_derivative(order, field, channel.variance)

    def _summed(
        self,
        leaf: Leaf,
        order: int,
        integrand: sp.Expr,
        omega: sp.Symbol,
        h: sp.Symbol,
        centre: sp.Expr,
        coupling: sp.Expr,
        free: sp.Expr,
    ) -> sp.Expr:
        """The sum over a discrete reference weight w: it shifts the probe's field by ``coupling w``."""
        variance = self.reference.variance
        norm = leaf.log_derivative(0, omega, variance)
        total: sp.Expr = sp.Integer(0)
        if order == 0:  # the weights sum to 1 where they meet nothing that depends on them
            terms = sp.Add.make_args(expand_outside(integrand))
            total = sp.Add(*(term for term in terms if not term.has(h)))
            integrand = sp.Add(*(term for term in terms if term.has(h)))
        for value, level in zip(leaf.values, leaf.log_levels, strict=True):
            if order and value == 0:
                continue
            weight = sp.exp(sp.expand(level + value * omega + value**2 * variance / 2 - norm))
            measure = Measure([h], [centre + coupling * value], sp.Matrix([[free]]), sp.Matrix([[Root(free)]]))
            total += value**order * weight * average(integrand, measure)
        return expand_outside(total)

    def _beside_gaussian(
        self,
        leaf: Leaf,
        order: int,
        integrand: sp.Expr,
        outer: Measure,
        h: sp.Symbol,
        given: tuple[sp.Expr, sp.Expr, sp.Expr],
    ) -> sp.Expr:
        """A Gaussian reference weight w at given omega, of which h = centre + coupling w + noise of variance ``free``.

        Each derivative of Z_ref in its field is a factor w, whose moments at given h follow from Stein's identity.
        Nothing is singular where h carries no noise. Long coefficients are symbols while averages are taken.
        """
        centre, coupling, free = given
        (omega,), planted = outer.fields, {symbol for symbol, _ in outer.planted}
        mean, variance = (leaf.log_derivative(k, omega, self.reference.variance) for k in (1, 2))
        known: dict[sp.Symbol, sp.Expr] = {}

        def short(name: str, value: sp.Expr) -> sp.Expr:
            if value.free_symbols & planted:  # what a planted variable moves stays inside the average over it
                parts = [term.as_independent(*planted, as_Add=False) for term in sp.Add.make_args(sp.expand(value))]
                moved = dict.fromkeys(dependent for _, dependent in parts)
                coefficients = [sp.Add(*(a for a, other in parts if other == dependent)) for dependent in moved]
                named = [short(f"{name}_{k}", coefficient) for k, coefficient in enumerate(coefficients)]
                return sp.Add(*(coefficient * other for coefficient, other in zip(named, moved, strict=True)))
            found = sp.Symbol(f"_gaussian_{name}", real=True)
            known[found] = value
            return found

        def linear(name: str, value: sp.Expr) -> sp.Expr:
            slope = value.diff(omega)
            start = value.subs(omega, 0)
            return (short(f"{name}_0", start) if start != 0 else sp.S.Zero) + short(f"{name}_1", slope) * omega

        total = free + coupling**2 * variance
        spread = short("spread", total)
        middle = linear("middle", centre + coupling * mean)
        gain = short("gain", coupling * variance / total)
        rest = short("rest", variance * free / total)
        at_h = linear("start", mean - gain * (centre + coupling * mean)) + gain * h
        moments: list[sp.Expr] = [sp.S.One, at_h]
        for n in range(1, order):
            moments.append(at_h * moments[n] + n * rest * moments[n - 1])
        measure = Measure([h], [middle], sp.Matrix([[spread]]), sp.Matrix([[Root(spread)]]))
        found = average(average(moments[order] * integrand, measure), outer)
        return found.xreplace(known).xreplace(known)


def _normalises(factor: sp.Expr, omega: sp.Symbol) -> bool:
    """Whether a factor is 1/Z_ref(omega)."""
    return isinstance(factor, sp.exp) and any(log.args[2] == omega for log in factor.atoms(LogPartition))


def _edge(leaf: Leaf, field: sp.Expr, variance: sp.Expr) -> tuple[int, sp.Expr]:
    """(+-1, x) such that the leaf asks a standard normal, times the sign, to exceed x (on its last interval)."""
    interval = leaf.edges[-1]
    scale = 1 / sp.sqrt(variance + leaf.smoothing)
    if interval.upper == sp.oo:
        return 1, (interval.lower - field) * scale
    return -1, (field - interval.upper) * scale


def _levels(leaf: Leaf) -> tuple[sp.Expr, sp.Expr]:
    """The weight of a leaf with one edge beyond that edge, and on its other side."""
    weights = [sp.exp(level) for level in leaf.log_levels or (sp.Integer(0),)]
    return weights[-1], weights[0] if len(leaf.edges) == 2 else sp.Integer(0)


def _bell(order: int, leaf: Leaf, field: sp.Expr, variance: sp.Expr) -> sp.Expr:
    """The derivative of Z in its field over Z (complete Bell polynomials of the logarithm's derivatives)."""
    bell: list[sp.Expr] = [sp.Integer(1)]
    for n in range(order):
        terms = (sp.binomial(n, k) * bell[n - k] * leaf.log_derivative(k + 1, field, variance) for k in range(n + 1))
        bell.append(sp.expand(sp.Add(*terms)))
    return bell[order]
