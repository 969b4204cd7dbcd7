"""From a spec to its theory.

1. moments of the activation, prior leaf, label law, output leaves    (what the spec declares)
2. channels and feature block on the ansatz' tree of replicas          (replica algebra, n -> 0)
3. the free entropy as their sum, with the pairing of conjugates
4. stationarity, one equation for each order parameter                 (Price's theorem, textbook form)
5. Jacobian, its directional derivative, parameter derivatives
6. replicon and observables

The functions below are these stages; nothing here knows a model by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from spinodal.spec.types import Observable, Spec
from spinodal.symbolic.averages import Measure, average
from spinodal.symbolic.channel import Branch, Channel, Ratio, Root
from spinodal.symbolic.derivation import Condition, Definition, Derived
from spinodal.symbolic.errors import DerivationError, placed
from spinodal.symbolic.features import pairing, random_feature_block
from spinodal.symbolic.formulas import generic_values, symbol, to_sympy
from spinodal.symbolic.functions import LogPartition
from spinodal.symbolic.labels import LabelLaw, label_law
from spinodal.symbolic.moments import Moments, activation_moments, parametric_moments
from spinodal.symbolic.observables import derive_observables
from spinodal.symbolic.outputs import Output, inverse_temperature, output_channel
from spinodal.symbolic.priors import Prior, TeacherPrior, student_prior, teacher_prior
from spinodal.symbolic.replicas import Copies, Replica
from spinodal.symbolic.system import Alias, ChannelUse, Differentiator, System, assemble

_N = sp.Symbol("n")
_ALPHA, _ALPHA_T = symbol("alpha"), symbol("alpha_T")
_K1, _KS = symbol("_kappa_1"), symbol("_kappa_star_sq")
_QD, _Q, _M = symbol("_Q_d"), symbol("_Q"), symbol("_M")
_VH, _VU, _VW = symbol("_variance_h"), symbol("_variance_u"), symbol("_variance_w")
_A, _B = symbol("_A"), symbol("_B")


@dataclass(frozen=True)
class Ingredients:
    """Stage 1: everything the spec declares, as symbolic objects."""

    spec: Spec
    at: Mapping[sp.Symbol, float]
    bayes: bool
    prior: Prior
    teacher: TeacherPrior | None
    law: LabelLaw | None
    moments: Moments | None
    beta: sp.Expr


def derive(spec: Spec) -> Derived:
    """Derive a spec's theory under its ansatz.

    Raises:
        DerivationError: if the declared model has no theory here; says where in the spec and why.
    """
    ingredients = gather(spec)
    theory = _Theory(ingredients)
    return theory.finish()


def gather(spec: Spec) -> Ingredients:
    """Stage 1."""
    if spec.ansatz.scheme not in ("replica-symmetric", "bayes-optimal"):
        raise DerivationError(
            f"the ansatz {spec.ansatz.scheme} is not derived by this version",
            place="ansatz.scheme",
            cure='use "replica-symmetric" or "bayes-optimal"',
        )
    bayes = spec.ansatz.scheme == "bayes-optimal"
    if bayes and (spec.teacher is None or spec.student.features != "direct"):
        raise DerivationError(
            "bayes-optimal needs a [teacher] on the student's own (direct) features", place="ansatz.scheme"
        )
    at = generic_values({p.name: p.default for p in spec.parameters})
    beta = sp.Integer(1) if bayes else inverse_temperature(spec.loss)
    prior = student_prior(spec.student.weights, None if bayes else spec.loss.regularization, beta, at)
    teacher, law = None, None
    if spec.teacher is not None:
        with placed("teacher.label"):
            law = label_law(spec.teacher, at)
        teacher = teacher_prior(spec.teacher.weights, prior, at)
        if bayes:  # the student's prior is the teacher's, at the teacher's scale
            prior = student_prior(spec.teacher.weights, None, beta, at, scale=teacher.scale)
            teacher = teacher_prior(spec.teacher.weights, prior, at)
    moments = None
    if spec.student.activation is not None and spec.student.features == "random":
        activation = to_sympy(spec.student.activation.root)
        x = symbol("x")
        free = activation.free_symbols - {x}
        with placed("student.features.activation"):
            moments = parametric_moments(activation, x) if free else activation_moments(activation, x, at)
    return Ingredients(spec, at, bayes, prior, teacher, law, moments, beta)


def _pair(name: str) -> tuple[sp.Symbol, sp.Symbol]:
    return symbol(name), symbol(f"{name}_hat")


class _Theory:
    """Stages 2 to 6, on the replica-symmetric tree."""

    def __init__(self, ingredients: Ingredients) -> None:
        self.given = ingredients
        self.tree = Copies(_N, Replica())
        prior, spec = ingredients.prior, ingredients.spec
        self.random = ingredients.moments is not None
        self.q, self.q_hat = _pair("q")
        self.q_d, self.q_d_hat = _pair("q_d")
        self.p, self.p_hat = _pair("p")
        self.p_d, self.p_d_hat = _pair("p_d")
        self.r, self.r_hat = _pair("r")
        self.rho = ingredients.teacher.second_moment if ingredients.teacher else sp.Integer(1)
        self.output = self._output()
        self.has_teacher = self.output.channel.teacher != 0
        self.identify: dict[sp.Symbol, sp.Expr] = {}
        if ingredients.bayes:  # Nishimori: the teacher is one more replica
            self.identify = {self.r: self.q, self.r_hat: self.q_hat, self.q_d: self.rho, self.q_d_hat: sp.Integer(0)}
        self.diagonal = self.q_d if prior.fixed_overlap is None else prior.fixed_overlap
        self.free_diagonal = prior.fixed_overlap is None
        self.prior = self._prior()
        self.spec = spec

    # ---- stage 2: channels and block

    def _output(self) -> Output:
        given = self.given
        teacher = _M if given.law is not None else sp.Integer(0)
        return output_channel(given.spec, (_QD, _Q, teacher), self.rho, given.law, given.at, bayes_optimal=given.bayes)

    def _prior(self) -> Channel:
        prior, given = self.given.prior, self.given
        bare = prior.fixed_overlap is not None and not prior.multiplier
        diagonal = sp.Integer(0) if bare else self.q_d_hat
        direct = self.has_teacher and not self.random
        branches: tuple[Branch, ...] = (Branch(sp.Integer(1), "weight"),)
        if direct:
            assert given.teacher is not None
            branches = given.teacher.branches
        return Channel(
            "prior",
            diagonal,
            self.q_hat,
            self.r_hat if direct else sp.Integer(0),
            sp.Integer(0),
            branches,
            {"weight": prior.leaf},
            _VW,
            symbol("_unused"),
        )

    def levels(self) -> tuple[dict[sp.Symbol, sp.Expr], sp.Expr, sp.Expr]:
        """The field's covariance and its residual variance in terms of overlaps."""
        if self.random:
            covariance = {
                _QD: _K1**2 * self.p_d + _KS * self.diagonal,
                _Q: _K1**2 * self.p + _KS * self.q,
                _M: _K1 * self.r,
            }
            residual = _K1**2 * (self.p_d - self.p) + _KS * (self.diagonal - self.q)
        else:
            covariance = {_QD: self.diagonal, _Q: self.q, _M: self.r}
            residual = self.diagonal - self.q
        return covariance, residual, self.rho - Ratio(_M, Root(_Q)) ** 2

    def multiplier(self) -> sp.Expr:
        """variance_w = q_d_hat - q_hat, solved from its own equation where the self-overlap is imposed (spherical).

        With a Gaussian leaf of stiffness a the posterior variance s = 1/(a - variance_w) obeys
        ``q_d = s + X s^2``, X = E (omega)^2, a quadratic equation with one positive root.
        """
        prior = self.given.prior
        if not prior.multiplier:
            return self.q_d_hat - self.q_hat if self.free_diagonal else -self.q_hat
        stiffness = prior.leaf.quadratic[1]
        strength = self.q_hat
        if self.prior.teacher != 0:
            assert self.given.teacher is not None
            strength += self.r_hat**2 * _teacher_power(self.given.teacher)
        return stiffness - (1 + sp.sqrt(1 + 4 * strength * self.diagonal)) / (2 * self.diagonal)

    # ---- stages 3 to 6

    def finish(self) -> Derived:
        """The free entropy, its stationarity, its derivatives, its observables."""
        covariance, residual_variance, teacher_residual = self.levels()
        multiplier = self.multiplier()
        imposed = self.given.prior.multiplier
        scale = _ALPHA / _ALPHA_T if self.random else sp.Integer(1)

        diagonal_hat = self.q_d_hat if (self.free_diagonal or imposed) else sp.Integer(0)
        pairs = pairing(self.tree, (self.q, self.diagonal), (self.q_hat, diagonal_hat))
        block: sp.Expr = sp.Integer(0)
        if self.random:
            pairs += scale * pairing(self.tree, (self.p, self.p_d), (self.p_hat, self.p_d_hat))
            source = self.r_hat * sp.sqrt(self.rho) if self.has_teacher else sp.Integer(0)
            block = scale * random_feature_block(self.tree, (self.q, self.diagonal), (self.p_hat, self.p_d_hat), source)
        if self.has_teacher:
            pairs += -scale * self.r * self.r_hat

        hat_arguments: dict[sp.Symbol, sp.Expr] = {self.q_hat: self.q_hat}
        if diagonal_hat != 0:
            hat_arguments[self.q_d_hat] = multiplier + self.q_hat if imposed else self.q_d_hat
        if self.prior.teacher != 0:
            hat_arguments[self.r_hat] = self.r_hat
        out_arguments = {v: covariance[v] for v in self.output.channel.variables}
        inside = (
            {self.r_hat: self.q_hat} if self.identify else {},
            {_M: _Q} if self.identify else {},
        )
        bare = (
            ChannelUse(self.prior, sp.Integer(1), hat_arguments, inside[0]),
            ChannelUse(self.output.channel, _ALPHA, out_arguments, inside[1]),
        )
        unknowns = self._unknowns()
        updates = {x: self._update(x, pairs, block, bare, diagonal_hat) for x in unknowns}
        uses = tuple(
            ChannelUse(u.channel, u.factor, {v: self._identified(e) for v, e in u.arguments.items()}, u.substitution)
            for u in bare
        )
        prior_use = uses[0]
        gap = self._gap_alias(prior_use)
        if self.identify:
            unknowns = tuple(x for x in unknowns if x not in self.identify)
        final = {x: self._identified(updates[x]) for x in unknowns}
        residual = [self.q - self._identified(self.diagonal) + gap.symbol if x == self.q else x - final[x] for x in unknowns]
        system = assemble(unknowns, [final[x] for x in unknowns], residual, uses, (gap,))
        plain = system
        system = system.mapped(self._compact)

        marks = _symbols_in(system)
        values = {mark: use.expression(key) for use in uses for mark, key in use.names() if mark in marks}
        values[gap.symbol] = gap.value
        textbook = tuple(
            (x, self._compact(final[x]).xreplace({m: u.expression(k) for u in uses for m, k in u.names(1)}))
            for x in unknowns
        )
        definitions = self._definitions(covariance, residual_variance, teacher_residual, multiplier)
        block = sp.Add(*(self._compact(term) for term in sp.Add.make_args(sp.expand_mul(block, deep=False))))
        free_entropy = self._identified(pairs + block)
        if imposed:
            free_entropy = free_entropy.subs(self.q_d_hat, _VW + self.q_hat)
        for use in uses:
            free_entropy += use.factor * use.finish(use.channel.value)
        spec = self.spec
        penalty = (
            sp.Integer(0)
            if self.given.bayes or spec.loss.regularization is None
            else -self.given.beta * to_sympy(spec.loss.regularization.root)
        )
        observables, tilts = derive_observables(
            free_entropy=free_entropy,
            prior=self.given.prior,
            prior_channel=self.prior,
            output=self.output,
            alpha=_ALPHA,
            beta=self.given.beta,
            penalty=penalty,
            has_energy=spec.loss.energy is not None and not self.given.bayes,
            covariance=(_QD, _Q, _M),
            teacher_variance=self.rho,
        )
        observables = {name: self._inside_identified(e) for name, e in observables.items()}
        observables["replicon"] = self._replicon(uses, scale)
        user = {o.name: self._user_observable(o, unknowns) for o in spec.observables}
        parameters = tuple(spec.parameter_names())
        derivative = self._parameter_derivative(plain, uses, gap, definitions, parameters, values)
        return Derived(
            spec=spec,
            order_parameters=tuple(str(x) for x in unknowns),
            conjugates=tuple(str(x) for x in unknowns if str(x).endswith("_hat")),
            parameters=parameters,
            definitions=definitions,
            free_entropy=free_entropy,
            system=system,
            channel_values=values,
            parameter_derivative=derivative,
            textbook=textbook,
            observables={**observables, **user},
            tilts=tilts,
            conditions=self._conditions(block),
            leaves={**self.prior.leaves, **self.output.channel.leaves},
            channels=(self.prior, self.output.channel),
            fixed={str(k): v for k, v in self._fixed().items()},
            saturating={str(self.q): self._identified(self.diagonal)},
            moments=self.given.moments,
            pieces={"pairing": self._identified(pairs), "block": self._identified(block)},
        )

    def _unknowns(self) -> tuple[sp.Symbol, ...]:
        overlaps, conjugates = [self.q], [self.q_hat]
        if self.free_diagonal:
            overlaps.append(self.q_d)
            conjugates.append(self.q_d_hat)
        if self.random:
            overlaps += [self.p, self.p_d]
            conjugates += [self.p_hat, self.p_d_hat]
        if self.has_teacher:
            overlaps.append(self.r)
            conjugates.append(self.r_hat)
        return (*overlaps, *conjugates)

    def _update(
        self, x: sp.Symbol, pairs: sp.Expr, block: sp.Expr, uses: tuple[ChannelUse, ...], diagonal_hat: sp.Expr
    ) -> sp.Expr:
        """Stationarity in the partner of x, solved for x: the pairing is bilinear, so that this is always possible."""
        name = str(x)
        partner = symbol(name.removesuffix("_hat")) if name.endswith("_hat") else symbol(f"{name}_hat")
        coefficient = pairs.diff(x, partner)
        rational = sp.factor(-block.diff(partner) / coefficient) if block.has(partner) else sp.Integer(0)
        others: sp.Expr = sp.Integer(0)
        for use in uses:
            for variable, argument in use.arguments.items():
                # an imposed multiplier is stationary by itself: only the explicit dependence counts
                explicit = argument if variable != self.q_d_hat or self.free_diagonal else sp.Integer(0)
                slope = explicit.diff(partner)
                if slope != 0:
                    others += use.factor * use.name((variable,)) * slope
        return rational + sp.Add(*(sp.cancel(-term / coefficient) for term in sp.Add.make_args(sp.expand(others))))

    def _identified(self, expression: sp.Expr) -> sp.Expr:
        return expression.subs(self.identify, simultaneous=True) if self.identify else expression

    def _inside_identified(self, expression: sp.Expr) -> sp.Expr:
        """Nishimori identification in channel variables and order parameters, inside averages too."""
        if not self.identify:
            return expression
        return expression.subs({**self.identify, _M: _Q}, simultaneous=True)

    def _compact(self, expression: sp.Expr) -> sp.Expr:
        """Rational expressions of the feature block in A = q_d - q and B = p_d_hat - p_hat, factored."""
        expression = sp.sympify(expression)
        if not self.random:
            return expression
        parts = []
        for term in sp.Add.make_args(expression):
            if term.free_symbols & {self.p_d_hat, self.p_hat, self.q} and not term.is_Symbol:
                shifted = term.subs({self.q: self.diagonal - _A, self.p_d_hat: self.p_hat + _B}, simultaneous=True)
                logs = {log: sp.log(sp.factor(log.args[0])) for log in shifted.atoms(sp.log)}
                shifted = shifted.xreplace(logs)
                marks = {log: sp.Dummy() for log in shifted.atoms(sp.log)}
                term = sp.factor(shifted.xreplace(marks)).xreplace({d: log for log, d in marks.items()})
            parts.append(term)
        return sp.Add(*parts)

    def _fixed(self) -> dict[sp.Symbol, sp.Expr]:
        fixed: dict[sp.Symbol, sp.Expr] = {}
        if not self.free_diagonal:
            fixed[self.q_d] = self.diagonal
        elif self.identify:
            fixed[self.q_d] = self.rho
        if self.identify:
            fixed[self.r] = self.q
        return fixed

    def _gap_alias(self, use: ChannelUse) -> Alias:
        """E[d2 log Z], which equals q_d - q without the cancellation that E[(d log Z)^2] has as q -> q_d."""
        channel = use.channel
        raw = channel.tilted(
            lambda branch, _leaf, omega: LogPartition(
                sp.Symbol(branch.student), sp.Integer(2), omega, channel.diagonal - channel.overlap
            )
        )
        combination = 2 * use.name((self.q_hat,))
        if self.q_d_hat in channel.variables:
            combination += 2 * use.name((self.q_d_hat,))
        return Alias(symbol("_prior_gap"), use.finish(raw), combination)

    def _definitions(
        self,
        covariance: Mapping[sp.Symbol, sp.Expr],
        residual: sp.Expr,
        teacher_residual: sp.Expr,
        multiplier: sp.Expr,
    ) -> tuple[Definition, ...]:
        found: list[Definition] = []
        moments = self.given.moments
        teacher = self.spec.teacher
        if teacher is not None and teacher.weights.kind == "density":
            w = sp.Symbol("_w_star", real=True)
            none = sp.ImmutableDenseMatrix(0, 0, [])
            measure = Measure([], [], none, none, ((w, sp.Symbol("teacher_density")),))
            found.append(
                Definition(
                    sp.Symbol("_teacher_rms", positive=True), sp.sqrt(average(w**2, measure)), "teacher's weight scale"
                )
            )
        if moments is not None:
            found.append(Definition(_K1, moments.linear, "E[x sigma(x)]"))
            found.append(Definition(_KS, moments.nonlinear, "E[sigma(x)^2] - E[sigma(x)]^2 - kappa_1^2"))
        meanings = {
            _QD: "variance of the student's field",
            _Q: "its covariance between replicas",
            _M: "its covariance with the teacher's field",
        }
        for variable in (_QD, _Q, _M):
            if variable == _M and not self.has_teacher:
                continue
            found.append(Definition(variable, self._identified(covariance[variable]), meanings[variable]))
        if self.random:
            found.append(Definition(_A, self.diagonal - self.q, "variance of a weight within a state, q_d - q"))
            found.append(Definition(_B, self.p_d_hat - self.p_hat, "p_d_hat - p_hat"))
        found.append(Definition(_VH, self._identified(residual), "variance of the field within a state"))
        if self.has_teacher:
            unexplained = _VH if self.identify else teacher_residual
            found.append(Definition(_VU, unexplained, "variance of the teacher's field given the student's"))
        found.append(Definition(_VW, self._identified(multiplier), "quadratic tilt of the prior, q_d_hat - q_hat"))
        return tuple(found)

    def _conditions(self, block: sp.Expr) -> tuple[Condition, ...]:
        found = [
            Condition(_VH, "the variance of the field within a state"),
            Condition(_Q, "the covariance of two replicas' fields"),
            Condition(self.q_hat, "the conjugate q_hat (a variance)"),
        ]
        if self.has_teacher and not self.identify:
            found.append(Condition(_VU, "the variance of the teacher's field given the student's"))
        if self.random:
            inside = 1 - (self.diagonal - self.q) * (self.p_d_hat - self.p_hat)
            found.append(Condition(inside, "the determinant of the feature block"))
        prior_leaf = self.given.prior.leaf
        if prior_leaf.kind == "quadratic":
            found.append(Condition(prior_leaf.quadratic[1] - _VW, "the inverse variance of a weight"))
        for leaf in self.output.channel.leaves.values():
            if leaf.kind == "quadratic":
                found.append(Condition(1 + leaf.quadratic[1] * _VH, "the curvature of the loss"))
            found.extend(Condition(expression, meaning) for expression, meaning in leaf.domain)
        for branch in self.output.channel.branches:
            if branch.planted_variance != 0:
                spread = _Q - (_Q if self.identify else _M) ** 2 * branch.planted_variance
                found.append(Condition(spread, "the variance of the student's field given the label"))
        return tuple(dict.fromkeys(found))

    def _replicon(self, uses: tuple[ChannelUse, ...], scale: sp.Expr) -> sp.Expr:
        """The determinant of the second variation with zero row sums, conjugates eliminated, 1 without data.

        One more level of m copies is inserted in every matrix, (m - 1) dq1 = m dq0; the common factor m (m - 1) / 2 is
        taken out. Rows: q (and p), then their conjugates.
        """
        m = sp.Integer(2)  # any size gives the same
        refined = Copies(_N, Copies(m, Replica()))

        def levels(off: sp.Expr, diagonal: sp.Expr, e: sp.Expr) -> tuple[sp.Expr, ...]:
            return (off + (m - 1) * e, off + m * e, diagonal)

        prior_use, output_use = uses
        e_q, e_qh, e_p, e_ph = (sp.Symbol(f"e_{x}", real=True) for x in ("q", "qh", "p", "ph"))
        diagonal_hat = self.q_d_hat
        action = pairing(refined, levels(self.q, self.diagonal, e_q), levels(self.q_hat, diagonal_hat, e_qh))
        variables = [e_q, e_qh]
        if self.random:
            variables = [e_q, e_p, e_qh, e_ph]
            action += scale * pairing(refined, levels(self.p, self.p_d, e_p), levels(self.p_hat, self.p_d_hat, e_ph))
            # the source term stays out: constant vectors do not feel perturbations with zero row sums to second order
            action += scale * random_feature_block(
                refined, levels(self.q, self.diagonal, e_q), levels(self.p_hat, self.p_d_hat, e_ph), sp.Integer(0)
            )
        origin = dict.fromkeys(variables, 0)
        normal = m * (m - 1) / 2
        matrix = sp.Matrix(
            len(variables),
            len(variables),
            lambda i, j: self._compact(action.diff(variables[i], variables[j]).subs(origin) / normal),
        )
        prior_curve, output_curve = (sp.Symbol(f"_{use.channel.name}_replicon", real=True) for use in uses)
        fields = {e_q: _KS, e_p: _K1**2} if self.random else {e_q: sp.Integer(1)}
        for a, gain_a in fields.items():
            for b, gain_b in fields.items():
                matrix[variables.index(a), variables.index(b)] += _ALPHA * output_curve * gain_a * gain_b
        hat = variables.index(e_qh)
        matrix[hat, hat] += prior_curve
        pairs = 1 if not self.random else scale**2
        sign = -1 if not self.random else 1
        determinant = _by_curvature(self._compact(sign * matrix.det(method="berkowitz") / pairs), prior_curve, output_curve)
        values = {
            prior_curve: prior_use.finish(prior_use.channel.replicon_curvature),
            output_curve: output_use.finish(output_use.channel.replicon_curvature),
        }
        return self._identified(determinant).xreplace(values)

    def _user_observable(self, observable: Observable, unknowns: tuple[sp.Symbol, ...]) -> sp.Expr:
        expression = self._identified(to_sympy(observable.formula.root)).subs(self._fixed())
        known = {*unknowns, *(symbol(name) for name in self.spec.parameter_names())}
        unknown = sorted(str(s) for s in expression.free_symbols - known)
        if unknown:
            raise DerivationError(
                f"{unknown[0]}: not an order parameter of this model",
                place=f"observables.{observable.name}",
                cure=f"use {', '.join(str(x) for x in unknowns)}, or parameters",
            )
        return expression

    def _parameter_derivative(
        self,
        system: System,
        uses: tuple[ChannelUse, ...],
        gap: Alias,
        definitions: tuple[Definition, ...],
        parameters: tuple[str, ...],
        values: Mapping[sp.Symbol, sp.Expr],
    ) -> tuple[tuple[sp.Expr | None, ...], ...]:
        differentiator = Differentiator(uses, (gap,))
        columns: list[list[sp.Expr | None]] = []
        moments = {d.symbol: d.expression for d in definitions if d.symbol in (_K1, _KS)}
        opaque = set().union(*(_hidden_parameters(use.channel) for use in uses))
        opaque |= self.rho.free_symbols
        for name in parameters:
            s = symbol(name)
            inner = {k: e.diff(s) for k, e in moments.items() if e.diff(s) != 0}
            # a step that moves with the parameter: differences see it, since panels are cut at the step
            if s in opaque or any(slope.has(sp.DiracDelta) for slope in inner.values()):
                columns.append([None] * len(system.residual))
                continue
            column: list[sp.Expr | None] = []
            for f in system.residual:
                total = differentiator.total(f, s)
                for k, slope in inner.items():
                    total += differentiator.total(f, k) * slope
                for mark in sorted(f.free_symbols & set(values), key=str):
                    total += f.diff(mark) * values[mark].diff(s)
                column.append(total)
            columns.append(column)
        return tuple(tuple(column[i] for column in columns) for i in range(len(system.residual)))


def _by_curvature(determinant: sp.Expr, *curvatures: sp.Symbol) -> sp.Expr:
    """A polynomial in the channels' curvatures, with factored coefficients."""
    polynomial = sp.Poly(sp.together(determinant), *curvatures)
    return sp.Add(
        *(
            sp.factor(coefficient) * sp.Mul(*(c**k for c, k in zip(curvatures, powers, strict=True)))
            for powers, coefficient in polynomial.terms()
        )
    )


def _teacher_power(teacher: TeacherPrior) -> sp.Expr:
    """E[w*^2] as the prior channel's branches see it."""
    total: sp.Expr = sp.Integer(0)
    for branch in teacher.branches:
        total += branch.weight * (branch.mean_slope**2 if not branch.planted else teacher.second_moment)
        total += branch.weight * branch.smeared
    return total


def _hidden_parameters(channel: Channel) -> set[sp.Symbol]:
    """Parameters inside leaves without a closed form, and inside a teacher's weight density."""
    hidden: set[sp.Symbol] = set()
    for leaf in channel.leaves.values():
        if leaf.is_closed:
            continue
        for expression in (*leaf.log_levels, *leaf.values, leaf.log_weight, leaf.smoothing, *leaf.splits):
            hidden |= expression.free_symbols
        hidden |= {s for i in leaf.edges for e in (i.lower, i.upper) for s in e.free_symbols}
    return hidden - {symbol("h"), symbol("w")}


def _symbols_in(system: System) -> set[sp.Symbol]:
    found: set[sp.Symbol] = set()
    for expression in (*system.residual, *system.jacobian, *system.directional):
        found |= expression.free_symbols
    return found
