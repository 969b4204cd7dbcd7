"""Standard observables of a replica-symmetric theory: entropy, energy, errors, replicon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from spinodal.symbolic.averages import Measure, average, planted_measure
from spinodal.symbolic.channel import Branch, Channel, Ratio, Root
from spinodal.symbolic.formulas import Interval
from spinodal.symbolic.functions import LogTail, LogTwoCosh, Tail, Tilted
from spinodal.symbolic.labels import LABEL, NOISE, DiscreteLabels, H, LabelLaw, RealLabels, U, same_end
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.outputs import Output
from spinodal.symbolic.pieces import coefficients_in_pieces
from spinodal.symbolic.predictions import Prediction
from spinodal.symbolic.priors import Prior
from spinodal.symbolic.probe import ProbeChannel


@dataclass(frozen=True, slots=True)
class Tilt:
    """A function averaged in the measure a leaf tilts: ``<g> = E[f g] / E[f]``.

    ``pieces`` are (c, A, B) of the log-weight c - A h^2/2 - B h and the function's coefficients of 1, h and h^2, all step
    functions of h, where both are quadratic between the splits: then the average is a sum over pieces, else numerical.
    ``crossings`` are those of the splits where the function or the log-weight is not smooth: the average changes fast
    where the tilted field crosses one (not where it crosses the barrier between two wells of a smooth energy).
    """

    leaf: str
    name: str
    function: sp.Expr
    log_weight: sp.Expr
    splits: tuple[sp.Expr, ...]
    crossings: tuple[sp.Expr, ...] = ()
    pieces: tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...]] | None = None


class Tilts:
    """Collects the tilted averages that are not elementary while observables are derived."""

    def __init__(self) -> None:
        self.table: dict[tuple[str, str], Tilt] = {}

    def mean(
        self,
        channel: Channel | ProbeChannel,
        name: str,
        functions: Mapping[str, sp.Expr],
        edges: Sequence[sp.Expr] = (),
    ) -> sp.Expr:
        """``E_branches E_fields < g >`` for one function g per student leaf, in closed form where there is one.

        ``edges`` are where the functions jump or are not smooth.
        """

        def inner(_branch: Branch, leaf: Leaf, omega: sp.Symbol) -> sp.Expr:
            return self._tilted(leaf, name, functions[leaf.tag], omega, channel.variance, edges)

        return channel.closed(channel.tilted(inner))

    def _tilted(
        self,
        leaf: Leaf,
        name: str,
        function: sp.Expr,
        omega: sp.Expr,
        variance: sp.Expr,
        edges: Sequence[sp.Expr],
    ) -> sp.Expr:
        x = leaf.variable
        if not function.has(x):
            return function
        if leaf.kind == "quadratic":
            polynomial = function.as_poly(x)
            if polynomial is not None and polynomial.degree() <= 2:
                mean, spread = _posterior(leaf, omega, variance)
                a, b, c = (polynomial.coeff_monomial(x**n) for n in (2, 1, 0))
                return sp.expand(a * (mean**2 + spread) + b * mean + c)
        if leaf.kind == "two-cosh":
            low, high = (function.subs(x, value) for value in leaf.values)
            _c, a, b = leaf.quadratic
            return (low + high) / 2 + (high - low) / 2 * LogTwoCosh(sp.Integer(1), a * omega + b)
        if function == wrong(leaf, H) and leaf.kind == "half-line" and leaf.smoothing == 0:
            return _misclassified_fraction(leaf, omega, variance)
        splits = dict.fromkeys(leaf.splits)
        splits.update(dict.fromkeys(e for i in leaf.edges for e in (i.lower, i.upper) if e not in (sp.oo, -sp.oo)))
        splits.update(dict.fromkeys(edges))
        of_weight = _quadratic_weight(leaf) if len(splits) > 0 else None
        of_function = coefficients_in_pieces(function, x) if of_weight is not None else None
        pieces = None if of_weight is None or of_function is None else (of_weight, of_function)
        weight = log_weight(leaf)
        # of a polynomial, or beside a label that is integrated over, splits are where modes are, and nothing is rough
        smooth = weight.is_polynomial(x) or leaf.label == LABEL
        crossings = edges if leaf.kind == "numerical" and smooth else splits
        self.table[leaf.tag, name] = Tilt(leaf.tag, name, function, weight, tuple(splits), tuple(crossings), pieces)
        return Tilted(sp.Symbol(leaf.tag), sp.Symbol(name), omega, variance, leaf.label)


def _quadratic_weight(leaf: Leaf) -> tuple[sp.Expr, ...] | None:
    """(c, A, B) of log f = c - A h^2/2 - B h on every piece; None where it is no such function of a field."""
    if leaf.variable != H:
        return None
    if leaf.kind in ("quadratic", "pieces"):
        return leaf.quadratic
    if leaf.kind in ("half-line", "intervals") and leaf.smoothing == 0:
        return log_weight(leaf), sp.Integer(0), sp.Integer(0)
    return None


def _misclassified_fraction(leaf: Leaf, omega: sp.Expr, variance: sp.Expr) -> sp.Expr:
    """The part of a half-line constraint's mass on the wrong side of h = 0: none where the margin is not negative."""
    (interval,) = leaf.edges
    scale = 1 / sp.sqrt(variance)
    upward = interval.upper == sp.oo
    right_is_wrong = leaf.label.is_negative
    edge = interval.lower if upward else interval.upper
    if upward == bool(right_is_wrong):  # the constraint asks for the wrong side: count what is on it
        return _misclassified_beyond(upward, edge, omega, scale)
    clipped = sp.Max(edge, 0) if upward else sp.Min(edge, 0)
    sign = 1 if upward else -1
    return 1 - sp.exp(
        LogTail(sp.Integer(0), sign * (clipped - omega) * scale) - LogTail(sp.Integer(0), sign * (edge - omega) * scale)
    )


def _misclassified_beyond(upward: bool, edge: sp.Expr, omega: sp.Expr, scale: sp.Expr) -> sp.Expr:
    sign = 1 if upward else -1
    clipped = sp.Max(edge, 0) if upward else sp.Min(edge, 0)
    return sp.exp(
        LogTail(sp.Integer(0), sign * (clipped - omega) * scale) - LogTail(sp.Integer(0), sign * (edge - omega) * scale)
    )


def _posterior(leaf: Leaf, omega: sp.Expr, variance: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    _c, a, b = leaf.quadratic
    if leaf.variable == H:
        gain = 1 + a * variance
        return (omega - b * variance) / gain, variance / gain
    return (omega - b) / (a - variance), 1 / (a - variance)


def log_weight(leaf: Leaf) -> sp.Expr:
    """Log f of a leaf as an expression in its variable, -oo where f vanishes."""
    if leaf.kind in ("half-line", "intervals") and leaf.smoothing != 0:  # noise is averaged over: every edge is a tail
        root = sp.sqrt(leaf.smoothing)
        total: sp.Expr = sp.Integer(0)
        for interval, level in zip(leaf.edges, leaf.log_levels, strict=True):
            inside: sp.Expr
            if interval.upper == sp.oo:
                inside = Tail((interval.lower - H) / root)
            elif interval.lower == -sp.oo:
                inside = Tail((H - interval.upper) / root)
            else:
                inside = Tail((interval.lower - H) / root) - Tail((interval.upper - H) / root)
            total += sp.exp(level) * inside
        return sp.log(total)
    if leaf.kind in ("half-line", "intervals"):
        pieces = []
        for interval, level in zip(leaf.edges, leaf.log_levels, strict=True):
            inside = []
            if interval.lower != -sp.oo:
                inside.append(leaf.variable > interval.lower)
            if interval.upper != sp.oo:
                inside.append(leaf.variable < interval.upper)
            pieces.append((level, sp.And(*inside)))
        return sp.Piecewise(*pieces, (-sp.oo, True))
    return leaf.log_weight


def _log_weight_on_support(leaf: Leaf) -> sp.Expr:
    """Log f where f > 0; zero for a plain constraint."""
    if leaf.kind in ("half-line", "intervals") and leaf.smoothing == 0 and all(v == 0 for v in leaf.log_levels):
        return sp.Integer(0)
    if leaf.kind == "intervals":
        return log_weight(leaf).subs(-sp.oo, 0)
    return log_weight(leaf)


def derive_observables(
    *,
    free_entropy: sp.Expr,
    prior: Prior,
    prior_channel: Channel | ProbeChannel,
    output: Output,
    output_channel: Channel | ProbeChannel,
    alpha: sp.Expr,
    beta: sp.Expr,
    penalty: sp.Expr,
    has_energy: bool,
    covariance: Sequence[sp.Symbol],
    teacher_variance: sp.Expr,
) -> tuple[dict[str, sp.Expr], dict[tuple[str, str], Tilt]]:
    """Every standard observable that the model has, and the tilted averages they use.

    The channels are those whose measure is averaged over: of a solution, or of a probe beside its reference.
    ``entropy`` counts configurations for discrete weights; ``energy`` is the loss and the regularization per weight, so
    that ``entropy = free_entropy + energy / temperature`` (discrete counted weights).
    """
    tilts = Tilts()
    found: dict[str, sp.Expr] = {}
    students = {b.student: output.channel.leaves[b.student] for b in output.channel.branches}
    log_loss = {tag: _log_weight_on_support(leaf) for tag, leaf in students.items()}
    loss_term = alpha * tilts.mean(output_channel, "log_likelihood", log_loss)
    w = prior.leaf.variable
    bias = penalty
    if prior.discrete:
        bias = sp.Piecewise(
            *((level, sp.Eq(w, value)) for value, level in zip(prior.leaf.values, prior.leaf.log_levels, strict=True))
        )
        if all(level == prior.leaf.log_levels[0] for level in prior.leaf.log_levels):
            bias = prior.leaf.log_levels[0]
    bias_term = tilts.mean(prior_channel, "log_probability", {prior.leaf.tag: bias})
    found["entropy"] = free_entropy - bias_term - loss_term
    if has_energy:
        energy = alpha * tilts.mean(output_channel, "loss", dict(output.energy))
        if penalty != 0:
            energy += tilts.mean(prior_channel, "regularization", {prior.leaf.tag: -penalty / beta})
        found["energy"] = energy
    found.update(_training_error(output, output_channel, students, tilts))
    found.update(generalization_errors(output, covariance, teacher_variance))
    return found, tilts.table


def _training_error(
    output: Output, channel: Channel | ProbeChannel, students: Mapping[str, Leaf], tilts: Tilts
) -> dict[str, sp.Expr]:
    law, prediction = output.law, output.prediction
    found: dict[str, sp.Expr] = {}
    if prediction is None:
        return found
    edges = prediction.edges
    if isinstance(law, RealLabels) or (law is not None and not law.is_binary):
        squares = {tag: sp.expand((leaf.label - prediction.value) ** 2) for tag, leaf in students.items()}
        edges = () if prediction.is_field else edges
        found["training_error"] = tilts.mean(channel, "squared_error", squares, edges)
    elif len({leaf.label for leaf in students.values()}) and not _blind(output):
        wrong = {tag: _wrong_side(leaf, prediction) for tag, leaf in students.items()}
        found["training_error"] = tilts.mean(channel, "misclassified", wrong, edges)
    return found


def generalization_errors(output: Output, covariance: Sequence[sp.Symbol], rho: sp.Expr) -> dict[str, sp.Expr]:
    """Of one solution and of the centre of a state, from (variance, covariance within the state, with the teacher).

    Empty for random labels, and where the student's answer is not known.
    """
    law, channel, prediction = output.law, output.channel, output.prediction
    diagonal, overlap, teacher = covariance
    if law is None or prediction is None:
        return {}
    m = teacher if channel.teacher != 0 else sp.Integer(0)

    def error(variance: sp.Expr) -> sp.Expr:
        if isinstance(law, DiscreteLabels) and law.is_binary:
            if prediction.is_field:
                return _classification_error(law, variance, m, rho)
            return _error_of_rule(law, prediction.value, variance, m, rho)
        if prediction.is_field:
            first, second = _label_moments(law, rho)
            return second - 2 * m * first + variance
        return _squared_error_of_rule(law, prediction.value, variance, m, rho)

    return {"generalization_error": error(diagonal), "generalization_error_barycentre": error(overlap)}


def _blind(output: Output) -> bool:
    """A loss that does not read the label cannot misclassify."""
    branches = output.channel.branches
    return len(branches) == 1 and branches[0].weight == 1 and branches[0].teacher is None and output.law is not None


def wrong(leaf: Leaf, margin: sp.Expr) -> sp.Expr:
    """1 where the sign of g(h) differs from the label."""
    return sp.Heaviside(-leaf.label * margin, sp.Rational(1, 2))


def _wrong_side(leaf: Leaf, prediction: Prediction) -> sp.Expr:
    """1 where the student's answer differs from the label; known to vanish on the support of a constraint when it does."""
    step = wrong(leaf, prediction.value)
    hard = leaf.kind in ("half-line", "intervals") and leaf.smoothing == 0 and all(level == 0 for level in leaf.log_levels)
    ends = [e for i in leaf.edges for e in (i.lower, i.upper) if e not in (sp.oo, -sp.oo)]
    if not hard or not all(any(same_end(edge, end) for end in ends) for edge in prediction.edges):
        return step
    # the answer changes only where the support ends: one point of each interval tells
    never = all(step.subs(H, inside) == 0 for inside in map(_point_inside, leaf.edges))
    return sp.Integer(0) if never else step


def _point_inside(interval: Interval) -> sp.Expr:
    if interval.lower == -sp.oo:
        return interval.upper - 1
    return interval.lower + 1 if interval.upper == sp.oo else (interval.lower + interval.upper) / 2


def _error_of_rule(law: DiscreteLabels, margin: sp.Expr, variance: sp.Expr, m: sp.Expr, rho: sp.Expr) -> sp.Expr:
    """P(y g(h) < 0) for a Gaussian student field of given variance and covariance m with the teacher's."""
    mean, residual, field = _teacher_given_student(variance, m, rho)
    half = sp.Rational(1, 2)
    wrong = (law.leaf(y).partition(0, mean, residual) * sp.Heaviside(-y * margin, half) for y in law.values)
    return average(sp.Add(*wrong), field)


def _squared_error_of_rule(law: LabelLaw, rule: sp.Expr, variance: sp.Expr, m: sp.Expr, rho: sp.Expr) -> sp.Expr:
    """E[(y - g(h))^2]."""
    mean, residual, field = _teacher_given_student(variance, m, rho)
    if isinstance(law, DiscreteLabels):
        weights = [(y, law.leaf(y).partition(0, mean, residual)) for y in law.values]
        return average(sp.Add(*(weight * (y - rule) ** 2 for y, weight in weights)), field)
    if law.affine is not None:
        a, b, c = law.affine
        return average((a * mean + b - rule) ** 2, field) + a**2 * residual + c**2
    _first, second = _label_moments(law, rho)
    xi, eta, normal = sp.Symbol("_xi", real=True), sp.Symbol("_xi_noise", real=True), sp.Symbol("normal")
    # the teacher's field outermost: E[g(h)] given it is one more average, of the field around its mean
    slope = Ratio(m, Root(rho))
    planted = [(xi, normal), (eta, normal)] if law.formula.has(NOISE) else [(xi, normal)]
    spread = sp.ImmutableDenseMatrix([[variance - slope**2]])
    given = Measure([H], [slope * xi], spread, spread.applyfunc(Root), planted)
    y = law.formula.subs({U: sp.sqrt(rho) * xi, NOISE: eta})
    return second - 2 * average(y * rule, given) + average(rule**2, field)


def _teacher_given_student(variance: sp.Expr, m: sp.Expr, rho: sp.Expr) -> tuple[sp.Expr, sp.Expr, Measure]:
    """The mean and variance of the teacher's field given the student's h, and the measure of h."""
    spread = sp.ImmutableDenseMatrix([[variance]])
    field = Measure([H], [sp.Integer(0)], spread, spread.applyfunc(Root))
    return Ratio(m, variance) * H, rho - Ratio(m, Root(variance)) ** 2, field


def _classification_error(law: DiscreteLabels, variance: sp.Expr, m: sp.Expr, rho: sp.Expr) -> sp.Expr:
    """P(y sign(h) < 0) for a Gaussian student field of given variance and covariance m with the teacher's."""
    if len(law.values) == 1:  # the sign of a field of mean zero is wrong half of the time
        return sp.S.Half
    up = law.leaf(sp.Integer(1))
    if up.kind == "half-line" and up.edges[0].lower == 0 and up.edges[0].upper == sp.oo:
        return sp.acos(Ratio(m, Root(variance * (rho + up.smoothing)))) / sp.pi
    if _is_flip(up):
        flip = sp.exp(next(level for i, level in zip(up.edges, up.log_levels, strict=True) if i.upper == 0))
        angle = sp.acos(Ratio(m, Root(variance * (rho + up.smoothing)))) / sp.pi
        return flip + (1 - 2 * flip) * angle
    return _error_of_rule(law, H, variance, m, rho)


def _is_flip(leaf: Leaf) -> bool:
    ends = [(i.lower, i.upper) for i in leaf.edges]
    return leaf.kind == "intervals" and ends == [(-sp.oo, sp.Integer(0)), (sp.Integer(0), sp.oo)]


def _label_moments(law: LabelLaw, rho: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """(E[y u] / rho, E[y^2]) of a label that is not +-1."""
    xi, eta = sp.Symbol("_xi", real=True), sp.Symbol("_xi_noise", real=True)
    root = sp.sqrt(rho)
    if isinstance(law, RealLabels):
        if law.affine is not None:
            a, b, c = law.affine
            return a, sp.expand(a**2 * rho + b**2 + c**2)
        planted = [(xi, sp.Symbol("normal"))]
        if law.formula.has(NOISE):
            planted.append((eta, sp.Symbol("normal")))
        measure = planted_measure(planted)
        y = law.formula.subs({U: root * xi, NOISE: eta})
        return average(y * xi, measure) / root, average(y**2, measure)
    # discrete labels: E[u P(y|u)] = rho E[d/du P(y|u)] by Stein, at vanishing conditioning
    zero = sp.Integer(0)
    first = sp.Add(*(v * leaf.partition(1, zero, rho) for v, leaf in zip(law.values, law.leaves, strict=True)))
    second = sp.Add(*(v**2 * leaf.partition(0, zero, rho) for v, leaf in zip(law.values, law.leaves, strict=True)))
    return first, second
