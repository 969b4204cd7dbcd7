"""The output channel: the student's loss averaged over its field, under the labels a teacher (or chance) gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise, product

import sympy as sp

from spinodal.spec.types import Loss, Spec
from spinodal.symbolic.channel import Branch, Channel
from spinodal.symbolic.errors import DerivationError, placed
from spinodal.symbolic.formulas import Interval, breakpoints, kinks, region, sample_points, symbol, to_sympy
from spinodal.symbolic.functions import Tail
from spinodal.symbolic.labels import LABEL, NOISE, DiscreteLabels, H, LabelLaw, RealLabels, U, mirrored, signal_and_noise
from spinodal.symbolic.leaves import Leaf, LeafKind
from spinodal.symbolic.pieces import coefficients_in_pieces, quadratic_pieces
from spinodal.symbolic.predictions import FIELD, Prediction, bayes_prediction, loss_prediction
from spinodal.symbolic.residuals import Residual, residual_of
from spinodal.symbolic.structure import Structure
from spinodal.symbolic.symbols import VARIANCE_H, VARIANCE_U

_Y = symbol("y")
#: The edges of a constraint that every field satisfies.
_EVERYTHING = (Interval(-sp.oo, sp.oo),)
_XI = symbol("_xi")
#: Fields at which a label's turns are looked for.
_FIELDS = [0.0173 * k + 0.0041 for k in range(-520, 521)]
#: How far from a pole an energy is looked at.
_NEAR_POLE = 1e-8
#: How low an energy is there that falls to minus infinity.
_DEEP = -1e4
#: Planted variables at which the kinks of an energy are sought: no value that anyone declares.
_GENERIC_LABELS = (0.7307, -1.3719, 2.9143)
#: Standard deviations of fields and noise at which the order of a constraint's bounds is looked at, at the defaults and in
#: a solver.
_LABEL_FIELDS, _FEW_FIELDS = tuple(k / 4.0 for k in range(-34, 35)), (-8.5, 0.0, 8.5)


@dataclass(frozen=True, slots=True)
class Output:
    """An output channel and what observables need to know about it.

    Attributes:
        channel: the channel in (diagonal, overlap, teacher).
        law: the teacher's labels, or None for random labels.
        label: the label of a branch as an expression in its planted variables, by student tag.
        energy: the loss V(y, h) of a branch, by student tag (empty for constraints and Bayes-optimal likelihoods).
        blind: whether the loss does not read the label.
        prediction: the label that the student gives to a field; None where the loss does not say which.
    """

    channel: Channel
    law: LabelLaw | None
    energy: Mapping[str, sp.Expr]
    blind: bool = False
    prediction: Prediction | None = FIELD


def is_ground(loss: Loss) -> bool:
    """Whether an energy is to be minimised: its temperature is the number 0."""
    return loss.temperature is not None and to_sympy(loss.temperature.root) == 0


def inverse_temperature(loss: Loss) -> sp.Expr:
    """1/T of an energy; 1 for a constraint, whose regularization then counts as it stands, and for a ground state.

    (There energies are in units of T, which goes to 0.)
    """
    if loss.temperature is None or is_ground(loss):
        return sp.Integer(1)
    return 1 / to_sympy(loss.temperature.root)


def output_channel(
    spec: Spec,
    variables: tuple[sp.Expr, tuple[sp.Symbol, ...], sp.Expr],
    structure: Structure,
    teacher_variance: sp.Expr,
    law: LabelLaw | None,
    at: Mapping[sp.Symbol, float],
    *,
    bayes_optimal: bool,
) -> Output:
    """Build the output channel of a spec.

    Args:
        spec: the model.
        variables: the symbols (diagonal, overlap levels, teacher overlap) of the student's field.
        structure: the ansatz' tree of replicas.
        teacher_variance: the variance of the teacher's field.
        law: the label law, or None for random labels.
        at: generic parameter values.
        bayes_optimal: take the likelihood of the labels instead of the declared loss.
    """
    diagonal, levels, teacher = variables
    make = _LikelihoodLeaves(law, at) if bayes_optimal else _LossLeaves(spec.loss, at)
    branches: list[Branch] = []
    leaves: dict[str, Leaf] = {}
    energies: dict[str, sp.Expr] = {}
    blind = symmetric = False

    def add(label: sp.Expr, tag: str) -> Leaf:
        leaf, energy = make(label, tag)
        leaves[tag] = leaf
        if energy is not None:
            energies[tag] = energy
        return leaf

    if law is None or isinstance(law, DiscreteLabels):
        values = (sp.Integer(1), sp.Integer(-1)) if law is None else law.values
        students = [add(value, _student_tag(value)) for value in values]
        blind = all(_same_leaf(students[0], other) for other in students[1:])
        if all(leaf.edges == _EVERYTHING for leaf in students) and not any(leaf.log_levels[0] for leaf in students):
            raise _nothing_learnt(bayes_optimal=bayes_optimal)
        symmetric = len(students) == 2 and mirrored(students[0], students[1])
        odd = symmetric and (law is None or law.is_odd)
        if blind:  # the loss does not read the label
            branches = [Branch(sp.Integer(1), students[0].tag)]
        elif law is None:
            count = 1 if odd else 2
            branches = [Branch(sp.Rational(1, count), leaf.tag) for leaf in students[:count]]
        else:
            chosen = list(zip(values, students, strict=True))[: 1 if odd else len(values)]
            for value, leaf in chosen:
                weight_leaf = replace(law.leaf(value), tag="teacher_" + leaf.tag)
                leaves[weight_leaf.tag] = weight_leaf
                branches.append(Branch(sp.Integer(2 if odd else 1), leaf.tag, teacher=weight_leaf.tag))
        if blind or law is None:
            teacher = sp.Integer(0)
    elif bayes_optimal and law.affine is None:
        add(LABEL, "student")
        branches = [Branch(sp.Integer(1), "student", teacher="student", planted=((LABEL, sp.Symbol("label")),))]
    else:
        residual = None if bayes_optimal else residual_of(spec.loss, law, loss_prediction(spec.loss, law, at, odd=False))
        if residual is None:
            branches = [_real_label_branch(law, teacher_variance, add)]
        else:
            add(sp.Integer(0), "student")
            leaves["student"] = replace(leaves["student"], taken=residual.scale)
            branches = [_residual_branch(residual, teacher_variance)]
    used = {tag for branch in branches for tag in (branch.student, branch.teacher) if tag}
    channel = Channel(
        "output",
        diagonal,
        levels,
        teacher,
        teacher_variance,
        tuple(branches),
        {tag: leaf for tag, leaf in leaves.items() if tag in used},
        diagonal if structure.ground else VARIANCE_H,
        VARIANCE_U,
        sizes=structure.finite_sizes,
        concentrated=structure.infinite is not None,
        ground=structure.ground,
    )
    if bayes_optimal:
        assert law is not None
        assert spec.teacher is not None
        flip = spec.teacher.flip_probability
        rule, flipped = to_sympy(spec.teacher.label.root), None if flip is None else to_sympy(flip.root)
        prediction = bayes_prediction(law, rule, flipped, at)
    else:
        prediction = loss_prediction(spec.loss, law, at, odd=blind or symmetric)
    return Output(channel, law, energies, blind, prediction)


def _real_label_branch(law: RealLabels, variance: sp.Expr, add: object) -> Branch:
    assert callable(add)
    if law.affine is not None:
        a, b, c = law.affine
        spread = sp.sqrt(sp.simplify(a**2 * variance + c**2))
        add(b + spread * _XI, "student")
        normal = sp.Symbol("normal")
        slope = sp.simplify(a / spread)
        return Branch(sp.Integer(1), "student", mean_slope=slope * _XI, planted=((_XI, normal),), planted_variance=slope**2)
    # the label is a nonlinear function of the field: average over the teacher's field (and its noise) outermost
    root = sp.sqrt(variance)
    add(law.formula.subs({U: root * _XI, NOISE: symbol("_xi_noise")}), "student")
    planted = [(_XI, sp.Symbol("normal"))]
    if law.formula.has(NOISE):
        planted.append((symbol("_xi_noise"), sp.Symbol("normal")))
    return Branch(sp.Integer(1), "student", mean_slope=_XI / root, planted=tuple(planted), planted_variance=1 / variance)


def _nothing_learnt(*, bayes_optimal: bool) -> DerivationError:
    """Why a loss that allows every field cannot be learnt from."""
    if bayes_optimal:
        return DerivationError(
            "the label is the same at every field u: there is nothing to learn from it",
            place="teacher.label",
            cure="change the rule, or its parameters",
        )
    return DerivationError("the constraint holds for every field h", place="loss.constraint", cure="it must restrict h")


def _residual_branch(residual: Residual, variance: sp.Expr) -> Branch:
    """The measure of the difference h - lambda y, for a teacher's field of that variance."""
    if residual.affine is not None:
        slope, offset = residual.affine
        added = sp.expand(slope**2 * variance + residual.amplitude**2)
        return Branch(sp.Integer(1), "student", subtracted=offset, correlated=-2 * slope, added=added)
    root = sp.sqrt(variance)  # the teacher's field outermost
    signal, amplitude = (part.subs(U, root * _XI) for part in (residual.signal, residual.amplitude))
    return Branch(
        sp.Integer(1),
        "student",
        mean_slope=_XI / root,
        planted=((_XI, sp.Symbol("normal")),),
        planted_variance=1 / variance,
        subtracted=signal,
        added=amplitude**2,
    )


def _student_tag(value: sp.Expr) -> str:
    return "student_y_" + str(value).replace("-", "m").replace("/", "_over_").replace(".", "_")


def _at_labels(gap: sp.Expr, label: sp.Expr, at: Mapping[sp.Symbol, float]) -> list[sp.Expr]:
    """The distance between two edges of a constraint: as it is, or where it is smallest and at the ends of all labels.

    Raises:
        DerivationError: if at the defaults the edges change their order with the label.
    """
    planted = sorted(gap.free_symbols & label.free_symbols - at.keys(), key=str)
    if not planted:
        return [gap]
    unread = label.free_symbols - at.keys() - set(planted)
    distance, where = (
        sp.lambdify(planted, e.subs(at).replace(Tail, lambda x: sp.erfc(x / sp.sqrt(2)) / 2), ["scipy", "numpy"])
        for e in (gap, label.subs(dict.fromkeys(unread, 0)))
    )
    points = list(product(_LABEL_FIELDS, repeat=len(planted)))
    narrowest = min(points, key=lambda point: float(distance(*point)))
    if not float(distance(*narrowest)) > 0.0:
        raise DerivationError(
            f"the constraint's bounds change their order with the label (at y = {float(where(*narrowest)):.3g})",
            place="loss.constraint",
            cure="for such labels other fields, or none, meet it: write bounds that keep their order for every label",
        )
    corners = (narrowest, *product(_FEW_FIELDS, repeat=len(planted)))
    return [gap.subs(dict(zip(planted, corner, strict=True))) for corner in corners]


def _same_leaf(first: Leaf, second: Leaf) -> bool:
    def body(leaf: Leaf) -> tuple[object, ...]:
        return (leaf.kind, leaf.edges, leaf.log_levels, leaf.quadratic, leaf.log_weight, leaf.smoothing)

    return body(first) == body(second)


class _LossLeaves:
    """Leaves from the declared loss: a constraint in closed form, an energy in closed form where it has one."""

    def __init__(self, loss: Loss, at: Mapping[sp.Symbol, float]) -> None:
        self.loss, self.at = loss, at
        self.beta, self.ground = inverse_temperature(loss), is_ground(loss)

    def __call__(self, label: sp.Expr, tag: str) -> tuple[Leaf, sp.Expr | None]:
        if self.loss.constraint is not None:
            with placed("loss.constraint"):
                return self._constraint(label, tag), None
        assert self.loss.energy is not None
        with placed("loss.energy"):
            energy = to_sympy(self.loss.energy.root).subs(_Y, label)
            _check_poles(energy, {**self.at, **{s: 0.7 for s in label.free_symbols if s not in self.at}})
            return self._energy(energy, label, tag), energy

    def _constraint(self, label: sp.Expr, tag: str) -> Leaf:
        assert self.loss.constraint is not None
        at = dict(self.at)
        at.update({s: _GENERIC_LABELS[0] for s in label.free_symbols if s not in at})
        intervals = region(self.loss.constraint.root, H, at, {_Y: label})
        if not intervals:
            raise DerivationError(
                f"no field h satisfies the constraint when y = {label}",
                place="loss.constraint",
                cure="check the comparison's direction",
            )
        zero = (sp.Integer(0),) * len(intervals)
        ends = [e for i in intervals for e in (i.lower, i.upper) if e not in (sp.oo, -sp.oo)]
        gaps = [sp.simplify(b - a) for a, b in pairwise(ends)]
        gaps = [kept for gap in gaps for kept in _at_labels(gap, label, self.at)]
        domain = tuple((gap, "the constraint's edges") for gap in dict.fromkeys(gaps) if not gap.is_positive)
        half = len(intervals) == 1 and (intervals[0].lower == -sp.oo) != (intervals[0].upper == sp.oo)
        return Leaf(
            tag, "half-line" if half else "intervals", H, label=label, edges=intervals, log_levels=zero, domain=domain
        )

    def _energy(self, energy: sp.Expr, label: sp.Expr, tag: str) -> Leaf:
        at = {**self.at, **{s: _GENERIC_LABELS[0] for s in energy.free_symbols if s not in self.at and s != H}}
        if not energy.has(H):
            raise DerivationError(
                "the energy does not depend on the student's field h", place="loss.energy", cure="use h in the formula"
            )
        splits = self._kinks(energy)
        log_weight = -self.beta * energy
        polynomial = energy.as_poly(H) if not splits else None
        if polynomial is not None and polynomial.degree() <= 2:
            a, b, c = (polynomial.coeff_monomial(H**n) for n in (2, 1, 0))
            beta = self.beta
            quadratic = (-beta * c, 2 * beta * a, beta * b)
            return Leaf(tag, "quadratic", H, label=label, quadratic=quadratic, log_weight=log_weight, ground=self.ground)
        if self.ground:
            kind: LeafKind = "pieces" if coefficients_in_pieces(energy, H) else "numerical"
            return Leaf(tag, kind, H, label=label, log_weight=log_weight, splits=splits, ground=True)
        steps = [p for p in energy.atoms(sp.sign, sp.Heaviside) if p.has(H)]
        if splits and not energy.xreplace({p: sp.Dummy() for p in steps}).has(H):
            return self._levels(energy, splits, label, tag, at)
        for end in (-30, 30):
            exponent = sp.N(log_weight.subs(at).subs(H, end))
            if exponent.is_real and exponent > 30**2 / 4:
                raise DerivationError(
                    "exp(-energy/temperature) grows faster than a Gaussian field's density decays",
                    place="loss.energy",
                    cure="the energy must be bounded from below, or fall no faster than -h**2 times a small number",
                )
        pieces = quadratic_pieces(log_weight, H, splits, at) if splits else None
        if pieces is not None:
            return Leaf(tag, "pieces", H, label=label, quadratic=pieces, log_weight=log_weight, splits=splits)
        splits = tuple(dict.fromkeys((*splits, *_barriers(energy, at))))
        return Leaf(tag, "numerical", H, label=label, log_weight=log_weight, splits=splits)

    def _kinks(self, energy: sp.Expr) -> tuple[sp.Expr, ...]:
        """Where the energy is not smooth in h, for any label: kinks may exist, or coincide, at some labels only."""
        found: dict[sp.Expr, None] = {}
        labels = [s for s in energy.free_symbols if s not in self.at and s != H]
        for value in _GENERIC_LABELS if labels else (0.0,):
            found.update(dict.fromkeys(kinks(energy, H, {**self.at, **dict.fromkeys(labels, value)})))
        return tuple(found)

    def _levels(
        self, energy: sp.Expr, splits: tuple[sp.Expr, ...], label: sp.Expr, tag: str, at: Mapping[sp.Symbol, float]
    ) -> Leaf:
        """A piecewise constant energy (the number of errors): intervals with Boltzmann levels."""
        bounds = [-sp.oo, *splits, sp.oo]
        points = sample_points([float(sp.N(s.subs(at))) for s in splits])
        levels = []
        for point in points:
            table = {
                p: sp.nsimplify(sp.N(p.subs(at).subs(H, point))) for p in energy.atoms(sp.sign, sp.Heaviside) if p.has(H)
            }
            levels.append(-self.beta * energy.xreplace(table))
        intervals = tuple(Interval(a, b) for a, b in pairwise(bounds))
        return Leaf(
            tag,
            "intervals",
            H,
            label=label,
            edges=intervals,
            log_levels=tuple(levels),
            log_weight=-self.beta * energy,
            splits=splits,
        )


def _check_poles(energy: sp.Expr, at: Mapping[sp.Symbol, float]) -> None:
    """Refuse an energy that falls to minus infinity at a pole: its weight exp(-E/T) cannot be normalised."""
    denominator = sp.denom(sp.together(energy))
    if not denominator.has(H):
        return
    try:
        poles = breakpoints([denominator], H, at)
    except DerivationError:
        return
    for pole in poles:
        place = float(sp.N(pole.subs(at)))
        beside = [sp.N(energy.subs(at).subs(H, place + side)) for side in (-_NEAR_POLE, _NEAR_POLE)]
        if any(value.is_real and value < _DEEP for value in beside):
            raise DerivationError(
                f"the energy falls to minus infinity at h = {place:.4g}",
                cure="it must be bounded below, or exp(-energy/temperature) has no finite average",
            )


def _barriers(energy: sp.Expr, at: Mapping[sp.Symbol, float]) -> list[sp.Expr]:
    """Where a smooth energy has maxima between wells, as (y - h^2)^2: a numerical average takes one peak at a time."""
    slope = sp.diff(energy, H)
    if not energy.is_polynomial(H):
        return []
    try:
        places = breakpoints([slope], H, at)
    except DerivationError:
        return []
    bend = sp.diff(slope, H)
    bends = [(place, sp.N(bend.subs(H, place).subs(at))) for place in places]
    return [place for place, value in bends if value.is_real and value < 0]


class _LikelihoodLeaves:
    """Leaves from the teacher's own label law: the likelihood of the Bayes-optimal student."""

    def __init__(self, law: LabelLaw | None, at: Mapping[sp.Symbol, float]) -> None:
        self.law, self.at = law, at

    def __call__(self, label: sp.Expr, tag: str) -> tuple[Leaf, sp.Expr | None]:
        if isinstance(self.law, DiscreteLabels):
            return replace(self.law.leaf(label), tag=tag), None
        assert self.law is not None
        signal, amplitude = (part.subs(U, H) for part in signal_and_noise(self.law))
        log_weight = sp.expand(-((label - signal) ** 2) / (2 * amplitude**2) - sp.log(2 * sp.pi * amplitude**2) / 2)
        quadratic = log_weight.as_poly(H) if not amplitude.has(H) else None
        if quadratic is not None and quadratic.degree() <= 2:
            a, b, c = (quadratic.coeff_monomial(H**n) for n in (2, 1, 0))
            return Leaf(tag, "quadratic", H, label=label, quadratic=(c, -2 * a, -b), log_weight=log_weight), None
        at = {**self.at, **{s: _GENERIC_LABELS[0] for s in log_weight.free_symbols if s not in self.at and s != H}}
        splits = tuple(kinks(signal, H, at))
        pieces = quadratic_pieces(log_weight, H, splits, at) if splits else None
        kind: LeafKind = "numerical" if pieces is None else "pieces"
        if pieces is None:
            log_weight = -((label - signal) ** 2) / (2 * amplitude**2) - sp.log(2 * sp.pi * amplitude**2) / 2
            # a label may have one most probable field wherever the signal rises or falls
            splits = tuple(dict.fromkeys((*splits, *_turns(signal, at))))
        return Leaf(tag, kind, H, label=label, quadratic=pieces or (), log_weight=log_weight, splits=splits), None


def _turns(signal: sp.Expr, at: Mapping[sp.Symbol, float]) -> list[sp.Expr]:
    """Where a smooth signal turns: in closed form, or in numbers where there are many such places.

    Raises:
        DerivationError: where there is no closed form and parameters move these places.
    """
    slope = sp.diff(signal, H)
    try:
        return breakpoints([slope], H, at)
    except DerivationError:
        pass
    if slope.free_symbols != {H}:
        raise DerivationError(
            "where this label turns as a function of u has no closed form",
            place="teacher.label",
            cure="write numbers for the parameters in it",
        )
    values = [float(sp.N(slope.subs(H, point))) for point in _FIELDS]
    pairs = [(a, b) for (a, b), (f, g) in zip(pairwise(_FIELDS), pairwise(values), strict=True) if f * g < 0.0]
    return [sp.nsimplify(sp.nsolve(slope, H, pair, solver="bisect"), rational=True) for pair in pairs]


def label_leaves(output: Output) -> dict[str, Leaf]:
    """The probabilities of the labels that have no closed form, by tag: errors of new patterns average them."""
    leaves = output.law.leaves if isinstance(output.law, DiscreteLabels) else ()
    return {leaf.tag: leaf for leaf in leaves if not leaf.has_closed_partition}


def constraint_indicator(leaf: Leaf) -> sp.Expr:
    """Log f of an interval leaf as a piecewise expression in h (for tilted averages)."""
    pieces = [
        (level, sp.And(*(c for c in (leaf.variable > i.lower, leaf.variable < i.upper) if c is not sp.true)))
        for i, level in zip(leaf.edges, leaf.log_levels, strict=True)
    ]
    return sp.Piecewise(*pieces, (-sp.oo, True))
