"""The prior channel of a declared weight prior: binary, discrete, Gaussian, spherical, any density."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import sympy as sp

from spinodal.spec.types import Formula, Weights
from spinodal.symbolic.channel import Branch
from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.formulas import kinks, symbol, to_sympy
from spinodal.symbolic.leaves import Leaf, LeafKind, is_concave
from spinodal.symbolic.pieces import coefficients_in_pieces
from spinodal.symbolic.places import places

_W = symbol("w")


@dataclass(frozen=True, slots=True)
class Prior:
    """A student's prior.

    Attributes:
        leaf: its single-site partition function.
        fixed_overlap: the self-overlap q_d where it is fixed (binary, spherical), else None.
        multiplier: whether the fixed self-overlap has to be imposed by a Lagrange multiplier (spherical).
        discrete: whether weights are discrete, so that entropies count configurations.
        log_probability: log P(w), as an expression in w, added when ``entropy`` counts configurations.
        symmetric: whether w and -w have the same weight.
    """

    leaf: Leaf
    fixed_overlap: sp.Expr | None
    multiplier: bool = False
    discrete: bool = False
    log_probability: sp.Expr = sp.Integer(0)
    symmetric: bool = True

    @property
    def is_counted(self) -> bool:
        """Whether configurations of discrete weights are counted, each with weight one."""
        return self.discrete and all(level == 0 for level in self.leaf.log_levels)


@dataclass(frozen=True, slots=True)
class TeacherPrior:
    """What a direct teacher's weights do to the student's prior channel.

    Attributes:
        branches: of the channel, one for each value up to symmetry.
        second_moment: of the teacher's weights.
        scale: what the declared weights are divided by.
        values: of discrete weights, in units of ``scale``.
        probabilities: of these values.
    """

    branches: tuple[Branch, ...]
    second_moment: sp.Expr
    scale: sp.Expr = sp.Integer(1)
    values: tuple[sp.Expr, ...] = ()
    probabilities: tuple[sp.Expr, ...] = ()


def student_prior(
    weights: Weights,
    regularization: Formula | None,
    inverse_temperature: sp.Expr,
    at: Mapping[sp.Symbol, float],
    place: str = "student.weights",
    scale: sp.Expr = sp.Integer(1),
) -> Prior:
    """The leaf of a weight prior, regularization included; ``scale`` divides the weights (a normalised teacher's).

    Raises:
        DerivationError: if the measure cannot be normalised.
    """
    penalty = -inverse_temperature * to_sympy(regularization.root) if regularization else sp.Integer(0)
    match weights.kind:
        case "binary":
            return _discrete((sp.Integer(-1), sp.Integer(1)), None, penalty)
        case "discrete":
            values = tuple(sp.simplify(to_sympy(value.root) / scale) for value in weights.values)
            probabilities = None if weights.probabilities is None else tuple(to_sympy(p.root) for p in weights.probabilities)
            return _discrete(values, probabilities, penalty)
        case "gaussian":
            return _continuous(-(_W**2) / 2 - sp.log(2 * sp.pi) / 2, penalty, at, place)
        case "spherical":
            prior = _continuous(-(_W**2) / 2 - sp.log(2 * sp.pi) / 2, penalty, at, place)
            if prior.leaf.kind != "quadratic" or penalty != 0:
                raise DerivationError(
                    "a regularization on the sphere changes nothing or breaks its symmetry",
                    place="loss.regularization",
                    cure="use gaussian or unconstrained weights",
                )
            return Prior(prior.leaf, sp.Integer(1), multiplier=True)
        case "unconstrained":
            return _continuous(sp.Integer(0), penalty, at, place)
        case "density":
            assert weights.density is not None
            density = to_sympy(weights.density.root)
            if scale != 1:
                density = scale * density.subs(_W, scale * _W)
            return _continuous(sp.log(density), penalty, {**at, **dict.fromkeys(scale.free_symbols, 1.0)}, place)
    raise DerivationError(f"unknown weights {weights.kind}", place=place)


def ground_prior(
    weights: Weights, regularization: Formula | None, at: Mapping[sp.Symbol, float], place: str = "student.weights"
) -> Prior:
    """The leaf of a weight as the temperature goes to 0: of the prior only its support is left, and the regularization.

    Raises:
        DerivationError: for a density that vanishes somewhere, and for a regularization on the sphere.
    """
    penalty = -to_sympy(regularization.root) if regularization else sp.Integer(0)
    if weights.is_discrete:
        values = (sp.Integer(-1), sp.Integer(1))
        if weights.kind == "discrete":
            values = tuple(sp.simplify(to_sympy(value.root)) for value in weights.values)
        prior = _discrete(values, None, penalty)
        levels = tuple(penalty.subs(_W, value) for value in values)
        leaf = Leaf("weight", "discrete", _W, values=values, log_levels=levels, log_weight=penalty, ground=True)
        return replace(prior, leaf=leaf, log_probability=sp.Integer(0))
    if weights.kind == "spherical":
        if penalty != 0:
            raise DerivationError(
                "a regularization on the sphere changes nothing or breaks its symmetry",
                place="loss.regularization",
                cure="use gaussian or unconstrained weights",
            )
        none = (sp.Integer(0),) * 3
        return Prior(Leaf("weight", "quadratic", _W, quadratic=none, ground=True), sp.Integer(1), multiplier=True)
    if weights.density is not None:
        density = to_sympy(weights.density.root).subs(at)
        if any(sp.N(density.subs(_W, sp.Rational(k, 4))) == 0 for k in range(-100, 101)):
            raise DerivationError(
                "the ground state of weights whose density vanishes somewhere is not derived by this version",
                place=place,
                cure="use a density that is positive everywhere, discrete weights, or a positive temperature",
            )
    splits = tuple(kinks(penalty, _W, at))
    symmetric = bool(sp.expand(penalty - penalty.subs(_W, -_W)) == 0)
    polynomial = penalty.as_poly(_W) if not splits else None
    if penalty == 0 or (polynomial is not None and polynomial.degree() <= 2):
        square, linear, constant = (sp.Integer(0),) * 3
        if polynomial is not None:
            square, linear, constant = (polynomial.coeff_monomial(_W**n) for n in (2, 1, 0))
        quadratic = (constant, -2 * square, -linear)
        return Prior(
            Leaf("weight", "quadratic", _W, quadratic=quadratic, log_weight=penalty, ground=True), None, symmetric=symmetric
        )
    kind: LeafKind = "pieces" if coefficients_in_pieces(penalty, _W) else "numerical"
    return Prior(Leaf("weight", kind, _W, log_weight=penalty, splits=splits, ground=True), None, symmetric=symmetric)


def _discrete(values: tuple[sp.Expr, ...], probabilities: tuple[sp.Expr, ...] | None, penalty: sp.Expr) -> Prior:
    logs = [sp.Integer(0) if probabilities is None else sp.log(p) for p in probabilities or values]
    levels = tuple(sp.expand_log(log) + penalty.subs(_W, value) for log, value in zip(logs, values, strict=True))
    squares = {sp.expand(value**2) for value in values}
    fixed = squares.pop() if len(squares) == 1 else None
    pairs = dict(zip(values, levels, strict=True))
    symmetric = all(sp.expand(pairs.get(-value, sp.nan) - level) == 0 for value, level in pairs.items())
    log_probability = (
        sp.Integer(0)
        if probabilities is None
        else sp.Piecewise(*((sp.log(p), sp.Eq(_W, v)) for p, v in zip(probabilities, values, strict=True)))
    )
    if len(values) == 2 and fixed is not None:
        low, high = values
        common = (levels[0] + levels[1]) / 2
        leaf = Leaf(
            "weight",
            "two-cosh",
            _W,
            quadratic=(common, (high - low) / 2, sp.expand((levels[1] - levels[0]) / 2)),
            values=values,
            log_levels=levels,
        )
    else:
        leaf = Leaf("weight", "discrete", _W, values=values, log_levels=levels)
    return Prior(leaf, fixed, discrete=True, log_probability=log_probability, symmetric=symmetric)


def _continuous(base: sp.Expr, penalty: sp.Expr, at: Mapping[sp.Symbol, float], place: str) -> Prior:
    log_weight = sp.expand(base + penalty)
    splits = tuple(kinks(log_weight, _W, at))
    symmetric = bool(sp.expand(log_weight - log_weight.subs(_W, -_W)) == 0)
    polynomial = log_weight.as_poly(_W) if not splits else None
    if polynomial is not None and polynomial.degree() <= 2:
        curvature = -2 * polynomial.coeff_monomial(_W**2)
        if curvature == 0 or float(sp.N(curvature.subs(at))) <= 0:
            raise DerivationError(
                "the weight measure cannot be normalised: it does not decay",
                place=place,
                cure="add a [loss] regularization that grows with w, such as lambda*w**2/2",
            )
        slope = -polynomial.coeff_monomial(_W)
        constant = polynomial.coeff_monomial(1) + sp.log(2 * sp.pi) / 2
        leaf = Leaf(
            "weight",
            "quadratic",
            _W,
            quadratic=(sp.expand(sp.expand_log(constant)), curvature, slope),
            log_weight=log_weight,
        )
        return Prior(leaf, None, symmetric=symmetric)
    for side in (-1, 1):
        tails = [sp.N(log_weight.subs(at).subs(_W, side * 10**k)) + 3 * k * sp.log(10) for k in (3, 4)]
        if all(tail.is_real for tail in tails) and tails[1] >= tails[0]:
            raise DerivationError(
                "the weights have no finite variance", place=place, cure="a density must fall faster than 1/abs(w)**3"
            )
    return Prior(density_leaf(sp.exp(base), at, penalty), None, symmetric=symmetric)


def density_leaf(density: sp.Expr, at: Mapping[sp.Symbol, float], penalty: sp.Expr = sp.S.Zero) -> Leaf:
    """The leaf of a density in w, times the exponential of a penalty, that no closed form is known of."""
    # as it was written: products of exponentials overflow where their sum does not
    log_weight = sp.expand_log(sp.log(density)) + penalty
    found = places(density * sp.exp(penalty), _W, at)
    leaf = Leaf("weight", "density", _W, log_weight=log_weight, splits=tuple(kinks(log_weight, _W, at)), places=found)
    return replace(leaf, places=None) if is_concave(leaf, at) else leaf


def teacher_prior(weights: Weights, prior: Prior, at: Mapping[sp.Symbol, float]) -> TeacherPrior:
    """The branches of the student's prior channel when a teacher of that prior acts on the same inputs.

    A discrete teacher is summed over, a Gaussian (or spherical, equivalent as N grows) one is integrated exactly; for any
    other density one average over the teacher's weight remains.
    """
    match weights.kind:
        case "gaussian" | "spherical":
            return TeacherPrior((Branch(sp.Integer(1), "weight", smeared=sp.Integer(1)),), sp.Integer(1))
        case "binary":
            values: tuple[sp.Expr, ...] = (sp.Integer(-1), sp.Integer(1))
            probabilities: tuple[sp.Expr, ...] = (sp.Rational(1, 2),) * 2
        case "discrete":
            values = tuple(to_sympy(value.root) for value in weights.values)
            count = len(values)
            probabilities = (
                (sp.Rational(1, count),) * count
                if weights.probabilities is None
                else tuple(to_sympy(p.root) for p in weights.probabilities)
            )
        case "density":
            assert weights.density is not None
            w = sp.Symbol("_w_star", real=True)
            rms = sp.Symbol("_teacher_rms", positive=True)
            scale = 1 / rms if weights.normalise else sp.Integer(1)
            branch = Branch(sp.Integer(1), "weight", mean_slope=w * scale, planted=((w, sp.Symbol("teacher_density")),))
            return TeacherPrior((branch,), sp.Integer(1) if weights.normalise else rms**2, 1 / scale)
        case _:
            raise DerivationError("a teacher needs a normalised prior", place="teacher.weights")
    second = sp.Add(*(p * v**2 for p, v in zip(probabilities, values, strict=True)))
    norm = sp.sqrt(second) if weights.normalise else sp.Integer(1)
    slopes = tuple(sp.simplify(value / norm) for value in values)
    table: dict[sp.Expr, sp.Expr] = {}
    for slope, probability in zip(slopes, probabilities, strict=True):
        if prior.symmetric and -slope in table:  # (w*, omega) -> -(w*, omega) maps one branch onto the other
            table[-slope] += probability
        else:
            table[slope] = table.get(slope, sp.Integer(0)) + probability
    if prior.symmetric:  # show the positive representative of a pair
        table = {(-slope if float(sp.N(slope.subs(at))) < 0 else slope): probability for slope, probability in table.items()}
    branches = tuple(Branch(sp.simplify(probability), "weight", mean_slope=slope) for slope, probability in table.items())
    return TeacherPrior(branches, sp.Integer(1) if weights.normalise else second, norm, slopes, probabilities)
