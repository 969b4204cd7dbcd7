"""Stages 2 and 3 of a derivation: channels and feature block on the ansatz' tree, and the free entropy they sum to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import sympy as sp

from spinodal.symbolic.channel import Branch, Channel
from spinodal.symbolic.derivation import Parts
from spinodal.symbolic.features import pairing, random_feature_block
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.ingredients import Ingredients
from spinodal.symbolic.outputs import Output, output_channel
from spinodal.symbolic.priors import TeacherPrior
from spinodal.symbolic.sectors import SectorBlock, sector_block
from spinodal.symbolic.structure import Structure
from spinodal.symbolic.symbols import (
    ALPHA,
    ALPHA_T,
    FIELD_DIAGONAL,
    FIELD_SPREAD,
    FIELD_TEACHER,
    INVERSE_TEMPERATURE,
    KAPPA_1,
    KAPPA_STAR_SQ,
    VARIANCE_W,
    WITHIN_P_HAT,
    WITHIN_Q,
    with_hat,
)
from spinodal.symbolic.system import ChannelUse

Q_D, P_D, R = symbol("q_d"), symbol("p_d"), symbol("r")
Q_D_HAT, P_D_HAT, R_HAT = with_hat(Q_D), with_hat(P_D), with_hat(R)
#: Differences that take the self-overlaps' place as the temperature goes to 0.
D_Q_HAT, D_P_HAT = with_hat(symbol("dq")), with_hat(symbol("dp"))


@dataclass(frozen=True)
class Action:
    """The free entropy as a function of order parameters, channels still symbols; build with :func:`action_of`.

    Attributes:
        given: the declared ingredients.
        output: the output channel in the field's covariances.
        prior: the prior channel in the conjugates.
        identify: order parameters that the ansatz identifies (Nishimori), applied after differentiation.
    """

    given: Ingredients
    output: Output
    prior: Channel
    identify: Mapping[sp.Symbol, sp.Expr] = field(hash=False)

    @property
    def structure(self) -> Structure:
        """The tree of replicas."""
        return self.given.structure

    @property
    def random(self) -> bool:
        """Whether random features stand between weights and field."""
        return self.given.moments is not None

    @property
    def has_teacher(self) -> bool:
        """Whether the field is correlated with a teacher's."""
        return self.output.channel.teacher != 0

    @property
    def teacher_variance(self) -> sp.Expr:
        """The variance of the teacher's field."""
        return self.given.teacher.second_moment if self.given.teacher else sp.Integer(1)

    @property
    def free_diagonal(self) -> bool:
        """Whether the self-overlap is an order parameter."""
        return self.given.prior.fixed_overlap is None

    @property
    def ground(self) -> bool:
        """Whether the temperature goes to 0: self-overlaps then equal the innermost levels."""
        return self.structure.ground

    @property
    def diagonal_conjugate(self) -> sp.Symbol:
        """The conjugate of the self-overlap (as T -> 0, of its difference to the innermost level)."""
        return D_Q_HAT if self.ground else Q_D_HAT

    @property
    def imposed(self) -> bool:
        """Whether a fixed self-overlap is imposed by a multiplier (spherical weights)."""
        return self.given.prior.multiplier

    @property
    def eliminated(self) -> bool:
        """Whether that multiplier is eliminated in closed form; else it is an order parameter."""
        return self.imposed and self.structure.is_replica_symmetric

    @property
    def diagonal(self) -> sp.Expr:
        """The self-overlap of the weights."""
        if self.given.prior.fixed_overlap is not None:
            return self.given.prior.fixed_overlap
        return self.structure.innermost("q") if self.ground else Q_D

    @property
    def inputs_per_weight(self) -> sp.Expr:
        """D/N for random features; 1 for direct ones."""
        return ALPHA / ALPHA_T if self.random else sp.Integer(1)

    # ---- order parameters

    @cached_property
    def pairs(self) -> tuple[tuple[sp.Symbol, sp.Symbol], ...]:
        """Every overlap with its partner: in the stationarity of the one stands the other, alone."""
        found = [*self.structure.pairs("q")]
        if self.ground and not self.free_diagonal:  # the innermost level is the self-overlap, which is fixed
            found = [pair for pair in found if pair[0] != self.structure.innermost("q")]
        elif self.free_diagonal and not self.ground:
            found.append((Q_D, Q_D_HAT))
        if self.random:
            found += [*self.structure.pairs("p"), *(() if self.ground else ((P_D, P_D_HAT),))]
        if self.has_teacher:
            found.append((R, R_HAT))
        return tuple(found)

    @cached_property
    def partner(self) -> Mapping[sp.Symbol, sp.Symbol]:
        """The partner of an overlap or a conjugate."""
        return {**dict(self.pairs), **{b: a for a, b in self.pairs}}

    @cached_property
    def unknowns(self) -> tuple[sp.Symbol, ...]:
        """The order parameters solved for, overlaps first."""
        overlaps = [x for x, _ in self.pairs if x not in self.structure.constrained]
        multipliers = (self.diagonal_conjugate,) if self.imposed and not self.eliminated else ()
        hats = [with_hat(x) for x, _ in self.pairs]
        if self.ground and not self.free_diagonal:  # crosswise partners: that of the fixed level is left
            spread = self.structure.names("q")[-1]
            hats = [partner if x == spread else with_hat(x) for x, partner in self.pairs]
        return (*overlaps, *hats, *multipliers, *self.structure.extremised)

    @cached_property
    def top(self) -> sp.Symbol:
        """The overlap of replicas within one state."""
        return self.structure.innermost("q")

    # ---- the parts of the free entropy

    @cached_property
    def covariance(self) -> Mapping[sp.Symbol, sp.Expr]:
        """The field's covariances in terms of overlaps: linear, level by level."""
        rows = [] if self.ground else [(FIELD_DIAGONAL, P_D, self.diagonal)]
        rows += zip(*(self.structure.names(letter) for letter in ("_Q", "p", "q")), strict=True)
        if self.ground and not self.free_diagonal:
            rows = [(name, p, self.diagonal if q == self.top else q) for name, p, q in rows]
        table = {name: KAPPA_1**2 * p + KAPPA_STAR_SQ * q if self.random else q for name, p, q in rows}
        table[FIELD_TEACHER] = KAPPA_1 * R if self.random else R
        return table

    @cached_property
    def residual_variance(self) -> sp.Expr:
        """The variance of the field within a state."""
        if self.ground:
            return self.covariance[FIELD_SPREAD]
        if not self.random:
            return self.diagonal - self.top
        return KAPPA_1**2 * (P_D - self.structure.innermost("p")) + KAPPA_STAR_SQ * (self.diagonal - self.top)

    @cached_property
    def diagonal_hat(self) -> sp.Expr:
        """The conjugate of the self-overlap; 0 where that is a property of the prior."""
        return self.diagonal_conjugate if self.free_diagonal or self.imposed else sp.Integer(0)

    @cached_property
    def multiplier(self) -> sp.Expr:
        """The quadratic tilt of the prior, variance_w = q_d_hat - q_hat.

        Where the self-overlap is imposed (spherical) it is solved from its own equation: with a Gaussian leaf of
        stiffness a the posterior variance s = 1/(a - variance_w) obeys ``q_d = s + X s^2``, X = E (omega)^2, a quadratic
        equation with one positive root.
        """
        top_hat = with_hat(self.top)
        if not self.eliminated:
            if self.ground:
                return self.diagonal_hat
            return Q_D_HAT - top_hat if self.free_diagonal or self.imposed else -top_hat
        stiffness, strength = self.given.prior.leaf.quadratic[1], self._power_of_field
        if self.ground:  # s -> T s: the fluctuations within the state drop out
            return stiffness - sp.sqrt(strength / self.diagonal)
        return stiffness - (1 + sp.sqrt(1 + 4 * strength * self.diagonal)) / (2 * self.diagonal)

    @property
    def imposing(self) -> tuple[sp.Expr, sp.Expr] | None:
        """The equation, left and right, whose root an eliminated multiplier is."""
        if not self.eliminated:
            return None
        width = 1 / (self.given.prior.leaf.quadratic[1] - VARIANCE_W)
        thermal = sp.Integer(0) if self.ground else width
        return self.diagonal, self.identified(thermal + self._power_of_field * width**2)

    @property
    def _power_of_field(self) -> sp.Expr:
        """E (omega)^2 of the prior's field."""
        strength: sp.Expr = with_hat(self.top)
        if self.prior.teacher != 0:
            assert self.given.teacher is not None
            strength += R_HAT**2 * _teacher_power(self.given.teacher)
        return strength

    @cached_property
    def pairing(self) -> sp.Expr:
        """-1/2 sum q^ q and the same for the other overlaps, per replica and weight."""
        return self.structure.limit(self._pairing)

    @cached_property
    def block(self) -> sp.Expr:
        """The feature block; 0 for direct features."""
        return self.inputs_per_weight * self.structure.limit(self._block)

    @cached_property
    def first_correction(self) -> sp.Expr:
        """The coefficient of 1/y in pairing and block, as the number y of copies goes to infinity."""
        correct = self.structure.first_correction
        return correct(self._pairing) + self.inputs_per_weight * correct(self._block)

    @property
    def replicated_pieces(self) -> sp.Expr:
        """Pairing and feature block as n -> 0, before any other limit."""
        return self._pairing + self.inputs_per_weight * self._block

    @cached_property
    def _pairing(self) -> sp.Expr:
        return self._pairing_of_weights + self.inputs_per_weight * self._pairing_of_inputs

    @cached_property
    def _pairing_of_weights(self) -> sp.Expr:
        total = self._pairing_of("q", self.diagonal, self.diagonal_hat)
        return total if self.random else total + self._pairing_with_teacher

    @cached_property
    def _pairing_of_inputs(self) -> sp.Expr:
        return self._pairing_of("p", *self._input_diagonal) + self._pairing_with_teacher if self.random else sp.Integer(0)

    @property
    def _pairing_with_teacher(self) -> sp.Expr:
        return -R * self._teacher_conjugate if self.has_teacher else sp.Integer(0)

    def _pairing_of(self, letter: str, diagonal: sp.Expr, diagonal_hat: sp.Expr) -> sp.Expr:
        structure = self.structure
        levels = self._levels if letter == "q" else structure.levels(letter)
        overlaps = (*levels, structure.diagonal(letter, diagonal))
        conjugates = (*structure.levels(letter, hat=True), structure.diagonal(letter, diagonal_hat, hat=True))
        return pairing(structure.tree, overlaps, conjugates)

    @property
    def _levels(self) -> tuple[sp.Expr, ...]:
        """The overlaps of weights between replicas; in a ground state the innermost is the self-overlap."""
        levels = self.structure.levels("q")
        return (*levels[:-1], self.diagonal) if self.ground else levels

    @property
    def _input_diagonal(self) -> tuple[sp.Symbol, sp.Symbol]:
        """The self-overlap of projected weights, and its conjugate."""
        return (self.structure.innermost("p"), D_P_HAT) if self.ground else (P_D, P_D_HAT)

    @property
    def _teacher_conjugate(self) -> sp.Expr:
        """Its scale as T -> 0 is that of the differences' conjugates."""
        return INVERSE_TEMPERATURE * R_HAT if self.ground else R_HAT

    @cached_property
    def _block(self) -> sp.Expr:
        return random_feature_block(self.structure.tree, *self._block_arguments) if self.random else sp.Integer(0)

    @property
    def _block_arguments(self) -> tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...], sp.Expr]:
        """Overlaps of weights, conjugates of those of projected weights, and what couples to the teacher."""
        structure = self.structure
        source = self._teacher_conjugate * sp.sqrt(self.teacher_variance) if self.has_teacher else sp.Integer(0)
        q = (*self._levels, structure.diagonal("q", self.diagonal))
        p_hat = (*structure.levels("p", hat=True), structure.diagonal("p", self._input_diagonal[1], hat=True))
        return q, p_hat, source

    @cached_property
    def sectors(self) -> SectorBlock | None:
        """The feature block in the eigenvalues of its matrices, where copies inside copies make it long."""
        if not self.random or self.ground or not self.structure.finite_sizes or self.structure.infinite is not None:
            return None
        return sector_block(self.structure, *self._block_arguments)

    def block_slope(self, x: sp.Symbol) -> sp.Expr:
        """The derivative of the feature block in an order parameter or a size, in eigenvalues where there are several."""
        if self.sectors is None:
            return self.block.diff(x)
        return self.inputs_per_weight * self.sectors.slope(x)

    @cached_property
    def uses(self) -> tuple[ChannelUse, ChannelUse]:
        """Prior and output channel with their arguments in order parameters, not identified yet."""
        arguments: dict[sp.Symbol, sp.Expr] = {x: x for x in (with_hat(name) for name in self.structure.names("q"))}
        if self.ground:
            arguments = {v: e for v, e in {**arguments, D_Q_HAT: self.multiplier}.items() if v in self.prior.variables}
        elif self.diagonal_hat != 0:
            arguments[Q_D_HAT] = self.multiplier + with_hat(self.top) if self.eliminated else Q_D_HAT
        if self.prior.teacher != 0:
            arguments[R_HAT] = R_HAT
        arguments.update({size: size for size in self.structure.sizes if size in self.prior.variables})
        fields = {v: self.covariance.get(v, v) for v in self.output.channel.variables}
        nishimori: tuple[dict[sp.Symbol, sp.Expr], ...] = ({}, {})
        if self.identify:
            nishimori = ({R_HAT: with_hat(self.top)}, {FIELD_TEACHER: self.structure.innermost("_Q")})
        return (
            ChannelUse(self.prior, sp.Integer(1), arguments, nishimori[0]),
            ChannelUse(self.output.channel, ALPHA, fields, nishimori[1]),
        )

    @cached_property
    def identified_uses(self) -> tuple[ChannelUse, ChannelUse]:
        """The same with the ansatz' identifications made."""
        first, second = (
            ChannelUse(u.channel, u.factor, {v: self.identified(e) for v, e in u.arguments.items()}, u.substitution)
            for u in self.uses
        )
        return first, second

    @cached_property
    def free_entropy(self) -> sp.Expr:
        """Pairing, block and channels, all closed."""
        total = self._stated(self.pairing + self._compact_block(self.inputs_per_weight))
        for use in self.identified_uses:
            total += use.factor * use.finish(use.channel.value)
        return total

    @cached_property
    def parts(self) -> Parts:
        """What the free entropy consists of, each with the pairing of its own overlaps."""
        prior, output = (use.finish(use.channel.value) for use in self.identified_uses)
        limit = self.structure.limit
        block = limit(self._pairing_of_inputs) + self._compact_block(sp.Integer(1))
        return Parts(
            prior=self._stated(limit(self._pairing_of_weights)) + prior,
            block=self._stated(block),
            output=output,
            inputs_per_weight=self.inputs_per_weight,
        )

    def _compact_block(self, factor: sp.Expr) -> sp.Expr:
        """A factor times the feature block of an input, term by term as short as it gets."""
        if self.sectors is not None:
            return factor * self.sectors.value
        block = factor * self.structure.limit(self._block)
        return sp.Add(*(self.compact(term) for term in sp.Add.make_args(sp.expand_mul(block, deep=False))))

    def _stated(self, expression: sp.Expr) -> sp.Expr:
        """An expression of order parameters after the ansatz' identifications, an imposed multiplier by its own name."""
        found = self.identified(expression)
        if self.eliminated:
            found = found.subs(self.diagonal_conjugate, VARIANCE_W + (0 if self.ground else with_hat(self.top)))
        return found

    # ---- rewriting

    def identified(self, expression: sp.Expr) -> sp.Expr:
        """Identify order parameters (after differentiation)."""
        return expression.subs(self.identify, simultaneous=True) if self.identify else expression

    def inside_identified(self, expression: sp.Expr) -> sp.Expr:
        """Identify order parameters and channel variables, inside averages too."""
        if not self.identify:
            return expression
        table = {**self.identify, FIELD_TEACHER: self.structure.innermost("_Q")}
        return expression.subs(table, simultaneous=True)

    @property
    def _eigenvalues(self) -> set[sp.Symbol]:
        return set() if self.sectors is None else set(self.sectors.eigenvalues)

    def compact(self, expression: sp.Expr) -> sp.Expr:
        """Rational expressions of the feature block in A = q_d - q and B = p_d_hat - p_hat, factored."""
        expression = sp.sympify(expression)
        if not self.random or expression.free_symbols & self._eigenvalues:
            return expression
        if self.ground:  # it is written in differences already
            return sp.Add(*(term if term.has(sp.log) else sp.factor(term) for term in sp.Add.make_args(expression)))
        top_hat = with_hat(self.structure.innermost("p"))
        parts = []
        for term in sp.Add.make_args(expression):
            if term.free_symbols & {P_D_HAT, top_hat, self.top} and not term.is_Symbol:
                shift = {self.top: self.diagonal - WITHIN_Q, P_D_HAT: top_hat + WITHIN_P_HAT}
                shifted = term.subs(shift, simultaneous=True)
                logs = {log: sp.log(sp.factor(log.args[0])) for log in shifted.atoms(sp.log)}
                shifted = shifted.xreplace(logs)
                marks = {log: sp.Dummy() for log in shifted.atoms(sp.log)}
                term = sp.factor(shifted.xreplace(marks)).xreplace({d: log for log, d in marks.items()})
            parts.append(term)
        return sp.Add(*parts)

    def fixed(self) -> dict[sp.Symbol, sp.Expr]:
        """Order parameters that the prior or the ansatz fixes."""
        found: dict[sp.Symbol, sp.Expr] = {}
        if self.ground:
            if not self.free_diagonal:
                found[self.top] = self.diagonal
            found[Q_D] = self.diagonal
            if self.random:
                found[P_D] = self.structure.innermost("p")
        elif not self.free_diagonal:
            found[Q_D] = self.diagonal
        elif self.identify:
            found[Q_D] = self.teacher_variance
        if self.identify:
            found[R] = self.top
        return found


def action_of(given: Ingredients) -> Action:
    """Channels on the tree of replicas that the ansatz declares."""
    rho = given.teacher.second_moment if given.teacher else sp.Integer(1)
    structure = given.structure
    teacher: sp.Expr = FIELD_TEACHER if given.law is not None else sp.Integer(0)
    levels, diagonal = structure.names("_Q"), FIELD_DIAGONAL
    if structure.ground:
        levels, diagonal = levels[:-1], FIELD_SPREAD
    output = output_channel(
        given.spec, (diagonal, levels, teacher), structure, rho, given.law, given.at, bayes_optimal=given.bayes
    )
    direct = output.channel.teacher != 0 and given.moments is None
    identify: dict[sp.Symbol, sp.Expr] = {}
    if given.bayes:  # Nishimori: the teacher is one more replica
        q = structure.innermost("q")
        identify = {R: q, R_HAT: with_hat(q), Q_D: rho, Q_D_HAT: sp.Integer(0)}
    return Action(given, output, _prior_channel(given, direct=direct), identify)


def _prior_channel(given: Ingredients, *, direct: bool) -> Channel:
    """The prior channel in the conjugates; a teacher on the same inputs acts on it."""
    prior, structure = given.prior, given.structure
    bare = prior.fixed_overlap is not None and not prior.multiplier
    branches: tuple[Branch, ...] = (Branch(sp.Integer(1), "weight"),)
    if direct:
        assert given.teacher is not None
        branches = given.teacher.branches
    levels = tuple(with_hat(x) for x in structure.names("q"))
    diagonal = sp.Integer(0) if bare else Q_D_HAT
    if structure.ground:  # without effect where all weights have the same square
        levels, diagonal = levels[:-1], sp.Integer(0) if bare else D_Q_HAT
    return Channel(
        "prior",
        diagonal,
        levels,
        R_HAT if direct else sp.Integer(0),
        sp.Integer(0),
        branches,
        {"weight": prior.leaf},
        VARIANCE_W,
        symbol("_unused"),
        sizes=structure.finite_sizes,
        concentrated=structure.infinite is not None,
        ground=structure.ground,
    )


def _teacher_power(teacher: TeacherPrior) -> sp.Expr:
    """E[w*^2] as the prior channel's branches see it."""
    total: sp.Expr = sp.Integer(0)
    for branch in teacher.branches:
        total += branch.weight * (branch.mean_slope**2 if not branch.planted else teacher.second_moment)
        total += branch.weight * branch.smeared
    return total
