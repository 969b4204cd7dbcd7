"""The joint action of references and probes, at first order in the number of probes.

The tree is Copies(n, Join(Reference, Copies(s, Probe))); n -> 0 is a derivative, and so is the first order in s (S. Franz
and G. Parisi, J. Phys. I France 5, 1401 (1995)). At order 0 the reference is a replica-symmetric theory of its own, whose
symbols are taken over with ``_ref`` in every name. At first order:

* pairing and feature block from the replica algebra, with the probe's overlap across blocks absent: it cancels;
* channels as means in the reference's measure (probe.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import sympy as sp

from spinodal.spec.coupled import reference_spec
from spinodal.spec.types import Ansatz, Spec
from spinodal.symbolic.action import P_D, Q_D, Q_D_HAT, R_HAT, Action, R, action_of
from spinodal.symbolic.channel import Branch, Channel
from spinodal.symbolic.derivation import Parts
from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.ingredients import gather
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.planted_teachers import is_one_threshold, with_planted_teacher
from spinodal.symbolic.probe import ProbeChannel
from spinodal.symbolic.replicas import Copies, InvariantMatrix, Join, Replica, invariant, kinds_of
from spinodal.symbolic.symbols import (
    ALPHA,
    FIELD_DIAGONAL,
    FIELD_TEACHER,
    KAPPA_1,
    KAPPA_STAR_SQ,
    N_REPLICAS,
    with_hat,
)
from spinodal.symbolic.system import ChannelUse

PROBES = sp.Symbol("_probes")
TREE = Copies(N_REPLICAS, Join((Replica("reference"), Copies(PROBES, Replica("probe")))))
Q, S, T, P = symbol("q"), symbol("s"), symbol("t"), symbol("p")
P_S, P_T = symbol("p_s"), symbol("p_t")
FIELD_PROBES, FIELD_ACROSS, FIELD_OWN = symbol("_Q"), symbol("_S"), symbol("_T")
SUFFIX = "_ref"


class Renamer:
    """Gives every symbol of the reference's theory, but for parameters and what both share, a name of its own."""

    def __init__(self, shared: Iterable[sp.Symbol]) -> None:
        self.shared = {str(s) for s in shared}

    def name(self, text: str) -> str:
        """``q_hat`` becomes ``q_ref_hat``."""
        if text in self.shared:
            return text
        stem = text.removesuffix("_hat")
        return stem + SUFFIX + text[len(stem) :]

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

    @property
    def extremised(self) -> bool:
        """Whether t is an order parameter instead of given."""
        return self.spec.ansatz.overlap == "extremised"

    @cached_property
    def unknowns(self) -> tuple[sp.Symbol, ...]:
        """The probe's order parameters, overlaps first; the multiplier of an imposed self-overlap is one of them."""
        overlaps = [x for x, _ in self.pairs if x != T or self.extremised]
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
        return expression.diff(N_REPLICAS).subs(N_REPLICAS, 0).diff(PROBES).subs(PROBES, 0)

    @cached_property
    def pairing(self) -> sp.Expr:
        """-1/2 tr(q^ q) and the same for the other overlaps."""
        return self._pairing_of_weights + self.student.inputs_per_weight * self._pairing_of_inputs

    @cached_property
    def _pairing_of_weights(self) -> sp.Expr:
        total = self._pairing_of("q")
        return total if self.random else total + self._pairing_with_teacher

    @cached_property
    def _pairing_of_inputs(self) -> sp.Expr:
        return self._pairing_of("p") + self._pairing_with_teacher if self.random else sp.Integer(0)

    @property
    def _pairing_with_teacher(self) -> sp.Expr:
        return -R * R_HAT if self.has_teacher else sp.Integer(0)

    def _pairing_of(self, letter: str) -> sp.Expr:
        product = self._matrix(letter, hat=False) @ self._matrix(letter, hat=True)
        return sp.expand(self._first_order(-product.trace() / 2))

    @cached_property
    def block(self) -> sp.Expr:
        """The feature block; 0 for direct features."""
        return self.student.inputs_per_weight * self._block

    @cached_property
    def _block(self) -> sp.Expr:
        if not self.random:
            return sp.Integer(0)
        overlap, conjugate = self._matrix("q", hat=False), self._matrix("p", hat=True)
        kernel = overlap.identity() - overlap @ conjugate
        total = -_log_det_order(kernel) / 2
        if self.has_teacher:
            norm = sp.sqrt(self.student.teacher_variance)
            total += _source_order(kernel, overlap, (self.rename(R_HAT) * norm, R_HAT * norm)) / 2
        return total

    @cached_property
    def covariance(self) -> Mapping[sp.Symbol, sp.Expr]:
        """The covariances of the probe's field, by symbol."""
        rows = (
            (FIELD_DIAGONAL, P_D, self.diagonal),
            (FIELD_PROBES, P, Q),
            (FIELD_ACROSS, P_S, S),
            (FIELD_OWN, P_T, T),
        )
        table = {name: KAPPA_1**2 * p + KAPPA_STAR_SQ * q if self.random else q for name, p, q in rows}
        table[FIELD_TEACHER] = KAPPA_1 * R if self.random else R
        return table

    @cached_property
    def channels(self) -> tuple[ProbeChannel, ProbeChannel]:
        """Prior and output channel of the probe."""
        prior_ref, output_ref = (self.rename.channel(u.channel) for u in self.reference.uses)
        output_probe, output_ref = self._beside(output_ref)
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
            output_probe,
            FIELD_ACROSS,
            FIELD_OWN,
            symbol("_explained_h_ref"),
            symbol("_residual_h_ref"),
            symbol("_residual_u"),
            symbol("_common_u_h"),
        )
        return prior, output

    def _beside(self, reference: Channel) -> tuple[Channel, Channel]:
        """The output channels of probe and reference, their teacher planted where the reference needs that."""
        probe = self.student.output.channel
        teachers = {b.student: probe.leaves[b.teacher] for b in probe.branches if b.teacher is not None}
        references = [reference.leaves[b.student] for b in reference.branches]
        closed = all(leaf.kind == "half-line" for leaf in references)
        if not teachers or (closed and all(is_one_threshold(leaf) for leaf in teachers.values())):
            return probe, reference
        both = dict(zip((b.student for b in reference.branches), (teachers[b.student] for b in probe.branches), strict=True))
        planted = (with_planted_teacher(probe, teachers), with_planted_teacher(reference, both))
        if planted[0] is None or planted[1] is None:
            raise _several_thresholds(closed=closed)
        return planted[0], planted[1]

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

    @cached_property
    def parts(self) -> Parts:
        """What the free entropy consists of, each with the pairing of its own overlaps."""
        prior, output = (use.finish(use.channel.value) for use in self.uses)
        return Parts(
            prior=self._pairing_of_weights + prior,
            block=self._pairing_of_inputs + self._block,
            output=output,
            inputs_per_weight=self.student.inputs_per_weight,
        )


def _orders(matrix: sp.Matrix) -> tuple[sp.Matrix, sp.Matrix, sp.Matrix, sp.Matrix]:
    """A matrix polynomial in n and the number of probes at 0, and its derivatives in n, in probes, and in both."""
    origin = {N_REPLICAS: 0, PROBES: 0}
    in_n = matrix.diff(N_REPLICAS)
    found = [m.subs(origin).applyfunc(sp.expand) for m in (matrix, in_n, matrix.diff(PROBES), in_n.diff(PROBES))]
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


def _several_thresholds(*, closed: bool) -> DerivationError:
    """Why there is no theory of a reference beside this teacher; ``closed``: the reference has one threshold itself."""
    if closed:
        return DerivationError(
            "a reference beside a teacher is not derived for labels of several thresholds in the field",
            place="teacher.label",
            cure="take labels such as sign(u + sqrt(Delta)*noise)",
        )
    return DerivationError(
        "a reference whose loss is not one threshold, beside a teacher, is derived for labels sign(u) only "
        "(noise and flip_probability included)",
        place="ansatz.reference",
        cure='take such labels, or a reference such as { constraint = "y*h >= kappa_ref" }',
    )


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
