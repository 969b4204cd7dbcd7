"""Franz-Parisi: the free entropy of a probe at fixed overlap t with a reference drawn from a typical measure.

The joint action lives on the tree Copies(n, Join(Reference, Copies(s, Probe))); n -> 0 is a derivative, and so is the first
order in s (S. Franz and G. Parisi, J. Phys. I France 5, 1401 (1995)). At order 0 the reference is a replica-symmetric theory
with a saddle point of its own; its equations are taken over with ``_ref`` in every name. At first order:

* pairing and feature block from the replica algebra, with the probe's overlap across blocks absent: it cancels;
* channels as means in the reference's measure (probe.py);
* stationarity in the probe's overlaps (q, s, r, with random features also p, p_s, p_t, p_d) and in every conjugate; t is
  given, its conjugate solves its equation, and ``slope`` is what stationarity in t would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import sympy as sp

from spinodal.spec.coupled import given_margin, reference_spec
from spinodal.spec.types import Ansatz, Spec
from spinodal.symbolic.action import P_D, Q_D, Q_D_HAT, R_HAT, Action, R, action_of
from spinodal.symbolic.channel import Branch, Channel, Ratio, Root
from spinodal.symbolic.derivation import Condition, Definition, Derived
from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.ingredients import gather
from spinodal.symbolic.largest_margin import at_largest_margin
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.observables import generalization_errors
from spinodal.symbolic.probe import ProbeChannel
from spinodal.symbolic.replicas import Copies, InvariantMatrix, Join, Replica, invariant, kinds_of
from spinodal.symbolic.stabilities import STABILITY, Stabilities, stabilities
from spinodal.symbolic.symbols import (
    ALPHA,
    FIELD_DIAGONAL,
    FIELD_TEACHER,
    KAPPA_1,
    KAPPA_STAR_SQ,
    N_REPLICAS,
    VARIANCE_H,
    VARIANCE_W,
    with_hat,
)
from spinodal.symbolic.system import Alias, ChannelUse, Differentiator, System

_PROBES = sp.Symbol("_probes")
TREE = Copies(N_REPLICAS, Join((Replica("reference"), Copies(_PROBES, Replica("probe")))))
Q, S, T, P = symbol("q"), symbol("s"), symbol("t"), symbol("p")
P_S, P_T = symbol("p_s"), symbol("p_t")
_Q, _S, _T = symbol("_Q"), symbol("_S"), symbol("_T")
_SUFFIX = "_ref"


class Renamer:
    """Gives every symbol of the reference's theory, but for parameters and what both share, a name of its own."""

    def __init__(self, shared: Iterable[sp.Symbol]) -> None:
        self.shared = {str(s) for s in shared}

    def name(self, text: str) -> str:
        """``q_hat`` becomes ``q_ref_hat``."""
        if text in self.shared:
            return text
        stem = text.removesuffix("_hat")
        return stem + _SUFFIX + text[len(stem) :]

    def __call__(self, expression: sp.Expr) -> sp.Expr:
        """Rename every symbol of an expression, bound ones and tags of leaves included."""
        expression = sp.sympify(expression)
        table = {s: sp.Symbol(self.name(str(s)), **s.assumptions0) for s in expression.atoms(sp.Symbol)}
        return expression.xreplace(table)

    def leaf(self, leaf: Leaf) -> Leaf:
        """A leaf under another tag."""
        return replace(leaf, tag=self.name(leaf.tag))

    def channel(self, channel: Channel) -> Channel:
        """A channel in renamed variables with renamed leaves."""

        def branch(b: Branch) -> Branch:
            return replace(b, student=self.name(b.student), teacher=None if b.teacher is None else self.name(b.teacher))

        return replace(
            channel,
            diagonal=self(channel.diagonal),
            levels=tuple(self(v) for v in channel.levels),
            teacher=self(channel.teacher),
            branches=tuple(branch(b) for b in channel.branches),
            leaves={self.name(tag): self.leaf(leaf) for tag, leaf in channel.leaves.items()},
            variance=self(channel.variance),
            teacher_residual=self(channel.teacher_residual),
        )


@dataclass(frozen=True)
class Coupled:
    """The action at first order in the number of probes.

    Attributes:
        spec: the model.
        student: the probe's own replica-symmetric action (never solved; its channels and features are used).
        reference: the reference's action.
        rename: what turns the reference's symbols into those of the joint theory.
    """

    spec: Spec
    student: Action
    reference: Action
    rename: Renamer

    @property
    def random(self) -> bool:
        """Whether random features stand between weights and field."""
        return self.student.random

    @property
    def has_teacher(self) -> bool:
        """Whether the fields are correlated with a teacher's."""
        return self.student.has_teacher

    @property
    def diagonal(self) -> sp.Expr:
        """The probe's self-overlap."""
        return self.student.diagonal

    @cached_property
    def pairs(self) -> tuple[tuple[sp.Symbol, sp.Symbol], ...]:
        """Every overlap of the probe with its conjugate; t is among them."""
        overlaps = [Q, S, T]
        if self.student.free_diagonal:
            overlaps.append(Q_D)
        if self.random:
            overlaps += [P, P_S, P_T, P_D]
        if self.has_teacher:
            overlaps.append(R)
        return tuple((x, with_hat(x)) for x in overlaps)

    @cached_property
    def unknowns(self) -> tuple[sp.Symbol, ...]:
        """The probe's order parameters, overlaps first; the multiplier of an imposed self-overlap is one of them."""
        overlaps = [x for x, _ in self.pairs if x != T]
        hats = [hat for _, hat in self.pairs]
        return (*overlaps, *hats, *([Q_D_HAT] if self.student.imposed else []))

    def _matrix(self, letter: str, *, hat: bool) -> InvariantMatrix:
        """The joint overlap matrix of weights (``q``) or of projected weights (``p``), or of their conjugates."""
        names = {"q": (Q, S, T, Q_D), "p": (P, P_S, P_T, P_D)}[letter]
        inner, across, own, diagonal = (with_hat(x) for x in names) if hat else names
        action, r = self.reference, self.rename
        ref_diagonal: sp.Expr = r(diagonal)
        if letter == "q":
            fixed = action.diagonal_hat if hat else action.diagonal
            ref_diagonal = r(fixed)
            diagonal = self.student.diagonal_hat if hat else self.student.diagonal
        table = {
            ("reference", "reference"): (r(inner), ref_diagonal),
            ("reference", "probe"): (across, own),
            ("probe", "reference"): (across, own),
            ("probe", "probe"): (sp.Integer(0), inner, diagonal),  # across blocks: cancels at first order
        }
        return invariant(TREE, lambda kind, other, shared: table[kind, other][shared])

    @staticmethod
    def _first_order(expression: sp.Expr) -> sp.Expr:
        """Per reference as n -> 0, at first order in the number of probes."""
        return expression.diff(N_REPLICAS).subs(N_REPLICAS, 0).diff(_PROBES).subs(_PROBES, 0)

    @cached_property
    def pairing(self) -> sp.Expr:
        """-1/2 tr(q^ q) and the same for the other overlaps."""

        def of(letter: str) -> sp.Expr:
            product = self._matrix(letter, hat=False) @ self._matrix(letter, hat=True)
            return sp.expand(self._first_order(-product.trace() / 2))

        total = of("q")
        if self.random:
            total += self.student.inputs_per_weight * of("p")
        if self.has_teacher:
            total += -self.student.inputs_per_weight * R * R_HAT
        return total

    @cached_property
    def block(self) -> sp.Expr:
        """The feature block; 0 for direct features."""
        if not self.random:
            return sp.Integer(0)
        overlap, conjugate = self._matrix("q", hat=False), self._matrix("p", hat=True)
        kernel = overlap.identity() - overlap @ conjugate
        total = -_log_det_order(kernel) / 2
        if self.has_teacher:
            norm = sp.sqrt(self.student.teacher_variance)
            total += _source_order(kernel, overlap, (self.rename(R_HAT) * norm, R_HAT * norm)) / 2
        return self.student.inputs_per_weight * total

    @cached_property
    def covariance(self) -> Mapping[sp.Symbol, sp.Expr]:
        """The covariances of the probe's field, by symbol."""
        rows = ((FIELD_DIAGONAL, P_D, self.diagonal), (_Q, P, Q), (_S, P_S, S), (_T, P_T, T))
        table = {name: KAPPA_1**2 * p + KAPPA_STAR_SQ * q if self.random else q for name, p, q in rows}
        table[FIELD_TEACHER] = KAPPA_1 * R if self.random else R
        return table

    @cached_property
    def channels(self) -> tuple[ProbeChannel, ProbeChannel]:
        """Prior and output channel of the probe."""
        prior_ref, output_ref = (self.rename.channel(u.channel) for u in self.reference.uses)
        prior = ProbeChannel(
            "probe_prior",
            prior_ref,
            self.student.prior,
            with_hat(S),
            with_hat(T),
            symbol("_explained_w_ref"),
            symbol("_residual_w_ref"),
            symbol("_unused"),
            symbol("_unused"),
        )
        output = ProbeChannel(
            "probe_output",
            output_ref,
            self.student.output.channel,
            _S,
            _T,
            symbol("_explained_h_ref"),
            symbol("_residual_h_ref"),
            symbol("_residual_u"),
            symbol("_common_u_h"),
        )
        return prior, output

    @cached_property
    def uses(self) -> tuple[ChannelUse, ChannelUse]:
        """Prior and output channel of the probe, with their arguments in order parameters."""
        prior, output = self.channels
        ref_arguments = [
            {self.rename(k): self.rename(v) for k, v in u.arguments.items()} for u in self.reference.identified_uses
        ]
        hats = {v: v for v in (Q_D_HAT, with_hat(Q), with_hat(S), with_hat(T), R_HAT)}
        first = {v: {**hats, **ref_arguments[0]}[v] for v in prior.variables}
        second = {v: {**self.covariance, **ref_arguments[1]}[v] for v in output.variables}
        return ChannelUse(prior, sp.Integer(1), first), ChannelUse(output, ALPHA, second)  # type: ignore[arg-type]

    @cached_property
    def free_entropy(self) -> sp.Expr:
        """Pairing, block and channels, closed."""
        return self.pairing + self.block + sp.Add(*(u.factor * u.finish(u.channel.value) for u in self.uses))


def _orders(matrix: sp.Matrix) -> tuple[sp.Matrix, sp.Matrix, sp.Matrix, sp.Matrix]:
    """A matrix polynomial in n and the number of probes at 0, and its derivatives in n, in probes, and in both."""
    origin = {N_REPLICAS: 0, _PROBES: 0}
    in_n = matrix.diff(N_REPLICAS)
    found = [m.subs(origin).applyfunc(sp.expand) for m in (matrix, in_n, matrix.diff(_PROBES), in_n.diff(_PROBES))]
    return found[0], found[1], found[2], found[3]


def _inverse(matrix: sp.Matrix) -> sp.Matrix:
    """The inverse of a block at no probes, which is triangular: probes do not act on references."""
    return matrix.inv().applyfunc(sp.factor)


def _log_det_order(kernel: InvariantMatrix) -> sp.Expr:
    """The first order in n and in probes of the logarithm of a determinant, without forming it: traces of small blocks."""
    total: sp.Expr = sp.Integer(0)
    for sector in kernel.sectors:
        zero, in_n, in_probes, mixed = _orders(sp.Matrix(sector.block))
        times, times_n, times_probes, times_both = (m[0, 0] for m in _orders(sp.Matrix([[sector.multiplicity]])))
        inverse = _inverse(zero)
        second = (inverse * mixed).trace() - (inverse * in_probes * inverse * in_n).trace()
        total += times_both * sp.log(sp.factor(zero.det()))
        total += times_n * (inverse * in_probes).trace() + times_probes * (inverse * in_n).trace() + times * second
    return total


def _source_order(kernel: InvariantMatrix, overlap: InvariantMatrix, source: tuple[sp.Expr, sp.Expr]) -> sp.Expr:
    """The same order of the quadratic form of ``kernel^-1 overlap`` on a source constant on each kind."""
    weights = sp.Matrix([[number * v for (_, number), v in zip(kinds_of(TREE), source, strict=True)]])
    column = overlap.trivial() * sp.Matrix(list(source))
    _, row, _, row_probes = _orders(weights)
    right, _, right_probes, _ = _orders(sp.Matrix(column))
    zero, _, in_probes, _ = _orders(sp.Matrix(kernel.trivial()))
    inverse = _inverse(zero)
    terms = row_probes * inverse * right - row * inverse * in_probes * inverse * right + row * inverse * right_probes
    return terms[0, 0]


def coupled_of(spec: Spec) -> Coupled:
    """The joint action that a spec with a Franz-Parisi ansatz declares.

    Raises:
        DerivationError: where the reference or the probe has no theory here.
    """
    symmetric = Ansatz("replica-symmetric")
    student = action_of(gather(replace(spec, ansatz=symmetric)))
    reference = action_of(gather(reference_spec(spec)))
    first, second = student.output.channel.branches, reference.output.channel.branches
    if [b.weight for b in first] != [b.weight for b in second]:
        raise DerivationError(
            "the reference's and the student's loss treat the labels differently",
            place="ansatz.reference",
            cure="let both read the label y, or neither",
        )
    names = [symbol(name) for name in (*spec.parameter_names(), "_kappa_1", "_kappa_star_sq", "_w_star", "h", "w", "_s")]
    names += [symbol(name) for name in ("_xi", "_xi_noise", "_teacher_rms", "normal", "half_normal", "teacher_density")]
    return Coupled(spec, student, reference, Renamer([*names, ALPHA, symbol("alpha_T"), T]))


def derive_franz_parisi(spec: Spec, derive_reference: Callable[[Spec], Derived]) -> Derived:
    """Derive a spec's Franz-Parisi theory; ``derive_reference(spec)`` derives a replica-symmetric one.

    Raises:
        DerivationError: if the declared model has no theory here.
    """
    if spec.ansatz.kappa_ref_max:
        return at_largest_margin(spec, *_derive(given_margin(spec), derive_reference))
    return _derive(spec, derive_reference)[0]


def _derive(spec: Spec, derive_reference: Callable[[Spec], Derived]) -> tuple[Derived, Action, Derived, Renamer]:
    """The theory; the reference's action and theory under their own names, and what renames them."""
    coupled = coupled_of(spec)
    base: Derived = derive_reference(coupled.reference.given.spec)
    rename = coupled.rename
    definitions = _definitions(coupled, base)
    saddle = _Saddle(coupled, base)
    values = saddle.channel_values
    observables = _observables(coupled, base, saddle.slope, values)
    rows = [
        *((None if e is None else rename(e) for e in row) for row in base.parameter_derivative),
        *saddle.parameter_rows(definitions),
    ]
    names = tuple(str(x) for x in saddle.unknowns)
    conditions = [Condition(rename(c.expression), f"{c.meaning} (reference)") for c in base.conditions]
    textbook = tuple((rename(a), rename(b)) for a, b in base.textbook)
    derived = Derived(
        spec=spec,
        order_parameters=names,
        conjugates=tuple(name for name in names if name.endswith("_hat")),
        parameters=tuple(spec.parameter_names()),
        definitions=definitions,
        free_entropy=coupled.free_entropy,
        system=saddle.system,
        channel_values=values,
        parameter_derivative=tuple(tuple(rows[i]) for i in saddle.order),
        textbook=(*textbook, *saddle.textbook),
        observables=observables,
        tilts={},
        conditions=tuple(dict.fromkeys([*conditions, *_conditions(coupled)])),
        leaves={**coupled.uses[0].channel.leaves, **coupled.uses[1].channel.leaves},
        channels=coupled.channels,
        fixed={},
        saturating={
            **{rename.name(k): rename(v) for k, v in base.saturating.items()},
            "q": coupled.diagonal,
        },
        moments=coupled.student.given.moments,
        pieces={"pairing": coupled.pairing, "block": coupled.block},
        origin=_origin(coupled, saddle),
        trivial=_trivial(coupled),
        constrained=str(T),
        stabilities=_stabilities(coupled),
    )
    return derived, coupled.reference, base, rename


class _Saddle:
    """Stationarity of the joint action: the reference's equations, then the probe's."""

    def __init__(self, coupled: Coupled, base: Derived) -> None:
        self.coupled, self.base = coupled, base
        rename = coupled.rename
        self.reference = tuple(rename(x) for x in base.system.unknowns)
        # overlaps first, conjugates after, each with the reference's in front
        own = coupled.unknowns
        self.order = [
            *(i for i, x in enumerate((*self.reference, *own)) if not str(x).endswith("_hat")),
            *(i for i, x in enumerate((*self.reference, *own)) if str(x).endswith("_hat")),
        ]
        self.joint = (*self.reference, *own)
        self.unknowns = tuple(self.joint[i] for i in self.order)
        use, channel = coupled.uses[0], coupled.channels[0]
        combination = 2 * use.name((with_hat(Q),))
        if Q_D_HAT in channel.variables:
            combination += 2 * use.name((Q_D_HAT,))
        self.gap = Alias(symbol("_probe_gap"), use.finish(channel.curvature()), combination)
        self.differentiator = Differentiator(coupled.uses, (self.gap,))
        self.updates = [self._update(x) for x in own]
        self.residual = [self._residual(x, update) for x, update in zip(own, self.updates, strict=True)]

    def _gradient(self, x: sp.Symbol) -> sp.Expr:
        """The channels' part of d phi / dx, in channel symbols."""
        total: sp.Expr = sp.Integer(0)
        for use in self.coupled.uses:
            for variable, argument in use.arguments.items():
                slope = argument.diff(x)
                if slope != 0:
                    total += use.factor * use.name((variable,)) * slope
        return total

    def _update(self, x: sp.Symbol) -> sp.Expr:
        """Stationarity in the partner of x, solved for x; for the conjugate of t, what t should be."""
        coupled = self.coupled
        if x == Q_D_HAT and coupled.student.imposed:
            return 2 * self._gradient(Q_D_HAT)
        partner = x if x == with_hat(T) else dict([*coupled.pairs, *((b, a) for a, b in coupled.pairs)])[x]
        bare = T if x == with_hat(T) else x
        coefficient = coupled.pairing.diff(bare, partner)
        # the feature block is long and rational: it stays as it is
        block = -coupled.block.diff(partner) / coefficient
        terms = sp.Add.make_args(sp.expand(self._gradient(partner)))
        return block + sp.Add(*(sp.cancel(-term / coefficient) for term in terms))

    def _residual(self, x: sp.Symbol, update: sp.Expr) -> sp.Expr:
        if x == Q:
            return x - self.coupled.diagonal + self.gap.symbol
        if x == with_hat(T):
            return update - T
        if x == Q_D_HAT and self.coupled.student.imposed:
            return update - self.coupled.diagonal
        return x - update

    @cached_property
    def system(self) -> System:
        """Residual and Jacobian; the reference's rows do not know the probe."""
        base, rename = self.base.system, self.coupled.rename
        count = len(self.reference)
        residual = [*(rename(e) for e in base.residual), *self.residual]
        updates = [*(rename(e) for e in base.updates), *self.updates]

        def entry(i: int, j: int) -> sp.Expr:
            if i < count:
                return rename(base.jacobian[i, j]) if j < count else sp.Integer(0)
            return self.differentiator.total(self.residual[i - count], self.joint[j])

        size = len(self.joint)
        order = self.order
        jacobian = sp.ImmutableDenseMatrix(size, size, lambda i, j: entry(order[i], order[j]))
        return System(
            self.unknowns,
            tuple(updates[i] for i in order),
            tuple(residual[i] for i in order),
            jacobian,
            None,
            (),
        )

    @cached_property
    def channel_values(self) -> dict[sp.Symbol, sp.Expr]:
        """What every channel symbol stands for."""
        rename = self.coupled.rename
        found = {rename(k): rename(v) for k, v in self.base.channel_values.items()}
        for use in self.coupled.uses:
            for order in (1, 2):
                found.update({mark: use.expression(key) for mark, key in use.names(order)})
        found[self.gap.symbol] = self.gap.value
        return found

    @property
    def slope(self) -> sp.Expr:
        """The derivative of phi in t, in channel symbols."""
        return self.coupled.pairing.diff(T) + self.coupled.block.diff(T) + self._gradient(T)

    @property
    def textbook(self) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
        """The probe's equations with channel symbols written out."""
        table = {m: u.expression(k) for u in self.coupled.uses for m, k in u.names(1)}
        return tuple(
            (T if x == with_hat(T) else x, update.xreplace(table))
            for x, update in zip(self.coupled.unknowns, self.updates, strict=True)
        )

    def parameter_rows(self, definitions: tuple[Definition, ...]) -> list[tuple[sp.Expr | None, ...]]:
        """dF/dparameter of the probe's equations; None where only differences are available."""
        values = self.channel_values
        moments = {d.symbol: d.expression for d in definitions if d.symbol in (KAPPA_1, KAPPA_STAR_SQ)}
        rows: list[list[sp.Expr | None]] = [[] for _ in self.residual]
        closed = all(leaf.is_closed for use in self.coupled.uses for leaf in use.channel.leaves.values())
        for name in self.coupled.spec.parameter_names():
            s = symbol(name)
            inner = {k: e.diff(s) for k, e in moments.items() if e.diff(s) != 0}
            for row, f in zip(rows, self.residual, strict=True):
                if not closed or any(slope.has(sp.DiracDelta) for slope in inner.values()):
                    row.append(None)
                    continue
                total = self.differentiator.total(f, s)
                for k, slope in inner.items():
                    total += self.differentiator.total(f, k) * slope
                for mark in sorted(f.free_symbols & set(values), key=str):
                    total += f.diff(mark) * values[mark].diff(s)
                row.append(total)
        return [tuple(row) for row in rows]


def _definitions(coupled: Coupled, base: Derived) -> tuple[Definition, ...]:
    """The reference's, renamed, then the probe's."""
    rename = coupled.rename
    found = [Definition(rename(d.symbol), rename(d.expression), f"{d.meaning} (reference)") for d in base.definitions]
    meanings = {
        FIELD_DIAGONAL: "variance of the probe's field",
        _Q: "its covariance between probes of one reference",
        _S: "its covariance with other references' fields",
        _T: "its covariance with its reference's field",
        FIELD_TEACHER: "its covariance with the teacher's field",
    }
    for variable, meaning in meanings.items():
        if variable != FIELD_TEACHER or coupled.has_teacher:
            found.append(Definition(variable, coupled.covariance[variable], meaning))
    found.append(Definition(VARIANCE_H, FIELD_DIAGONAL - _Q, "variance of the probe's field within a state"))
    hat = Q_D_HAT if coupled.student.diagonal_hat != 0 else sp.Integer(0)
    found.append(Definition(VARIANCE_W, hat - with_hat(Q), "quadratic tilt of the probe's prior"))
    for channel, within in zip(coupled.channels, (rename(VARIANCE_W), rename(VARIANCE_H)), strict=True):
        explained = _explained(channel)
        found.append(
            Definition(channel.residual, within - explained, "what is left of a reference's variance given its probe")
        )
    if coupled.has_teacher and coupled.student.output.channel.branches[0].teacher is not None:
        output = coupled.channels[1]
        own, teacher = _gains(output)
        left = coupled.student.teacher_variance - output.reference.teacher**2 / output.reference.overlap - teacher**2
        found.append(Definition(output.teacher_residual, left, "what is left of the teacher's variance given the others"))
        found.append(Definition(output.common, -own * teacher, "covariance of teacher and reference given the others"))
    return tuple(dict.fromkeys(found))


def _gains(channel: ProbeChannel) -> tuple[sp.Expr, sp.Expr]:
    """How reference and teacher follow the probe's field at given omega, in units of its standard deviation."""
    root = Root(_free(channel))
    beyond = channel.probe.teacher - channel.across * channel.reference.teacher / channel.reference.overlap
    return Ratio(channel.own - channel.across, root), Ratio(beyond, root)


def _free(channel: ProbeChannel) -> sp.Expr:
    """The variance of the probe's field given omega (of the first branch; all branches share it)."""
    spread, across, _own, probe = channel._covariances(channel.probe.branches[0])
    return probe - across**2 / spread


def _explained(channel: ProbeChannel) -> sp.Expr:
    _spread, across, own, _probe = channel._covariances(channel.probe.branches[0])
    return Ratio(own - across, Root(_free(channel))) ** 2


def _conditions(coupled: Coupled) -> list[Condition]:
    found = [Condition(VARIANCE_H, "the variance of the probe's field within a state")]
    prior, output = coupled.channels
    free_hat = _free(prior).subs(dict(coupled.uses[0].arguments))
    found.append(Condition(free_hat, "the variance of the probe's conjugate field given the references'"))
    found.append(Condition(_free(output), "the variance of the probe's field given the references'"))
    found.append(Condition(output.residual, "the variance of the reference's field given the probe's"))
    if output.probe.branches[0].teacher is not None:
        found.append(Condition(output.teacher_residual, "the variance of the teacher's field given the others"))
        joint = output.residual * output.teacher_residual - output.common**2
        found.append(Condition(joint, "the joint variance of teacher and reference given the probe"))
    return found


def _observables(coupled: Coupled, base: Derived, slope: sp.Expr, values: Mapping[sp.Symbol, sp.Expr]) -> dict[str, sp.Expr]:
    found: dict[str, sp.Expr] = {}
    if coupled.student.given.prior.discrete and coupled.spec.loss.constraint is not None:
        levels = coupled.student.given.prior.leaf.log_levels
        if all(level == 0 for level in levels):
            found["entropy"] = coupled.free_entropy
    found["slope"] = slope.xreplace(dict(values))
    rho = coupled.student.teacher_variance
    found.update(generalization_errors(coupled.student.output, (FIELD_DIAGONAL, _Q, FIELD_TEACHER), rho))
    for name in ("entropy", "replicon", "generalization_error"):
        if name in base.observables and not base.tilts:
            found[f"{name}{_SUFFIX}"] = coupled.rename(base.observables[name])
    return found


def _stabilities(coupled: Coupled) -> Stabilities:
    """Of a probe, and of its reference in the reference's own measure."""
    channel = coupled.channels[1]
    found = stabilities(coupled.student.output, channel)
    reference = stabilities(coupled.reference.output, coupled.reference.output.channel)
    if found is None or reference is None:
        return Stabilities()
    own = coupled.rename(coupled.reference.output.channel.closed(reference[0]))
    place = {coupled.rename(STABILITY): STABILITY}
    densities = {"density": channel.closed(found[0]), f"density{_SUFFIX}": own.xreplace(place)}
    return Stabilities(densities, tuple(dict.fromkeys((*found[1], *(coupled.rename(e) for e in reference[1])))))


def _origin(coupled: Coupled, saddle: _Saddle) -> dict[str, sp.Expr]:
    """Without data q = t^2 and s = 0; data make room between them, a little, which the equations need to make sense."""
    room = ALPHA * (1 - T**2) ** 2 / 2
    found: dict[sp.Symbol, sp.Expr] = {
        Q: T**2 + room,
        S: T * ALPHA / 2,
        coupled.rename(Q): ALPHA / 2,
        with_hat(T): T,
        with_hat(S): ALPHA * T / 2,
        with_hat(Q): ALPHA / 2,
        coupled.rename(with_hat(Q)): ALPHA / 2,
    }
    # projections of weights that know nothing of the inputs have the weights' overlaps
    same = {P: Q, P_S: S, coupled.rename(P): coupled.rename(Q)}
    found |= {p: found[q] for p, q in same.items()}
    found |= {P_T: T, **{d: sp.Integer(1) for x in (P_D, Q_D) for d in (x, coupled.rename(x))}}
    if coupled.student.free_diagonal:
        found[Q_D] = 1 + T**2
    if coupled.student.imposed:  # weights on a sphere: a Gaussian of variance 1 - t^2 around t times the reference
        found[with_hat(T)] = T / (1 - T**2)
        found[Q_D_HAT] = 1 - 1 / (1 - T**2) + found[with_hat(Q)]
    return {str(x): found[x] for x in saddle.unknowns if x in found}


def _trivial(coupled: Coupled) -> dict[str, str]:
    """With t at the typical overlap the probe is one more typical solution: every overlap is the reference's."""
    r = coupled.rename
    overlaps = {S: r(Q), T: r(Q), Q: r(Q), Q_D: r(Q_D), P: r(P), P_S: r(P), P_T: r(P), P_D: r(P_D), R: r(R)}
    pairs = {x: y for x, y in overlaps.items() if x in dict(coupled.pairs)}
    return {str(a): str(b) for x, y in pairs.items() for a, b in ((x, y), (with_hat(x), with_hat(y)))}
