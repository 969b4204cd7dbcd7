"""What a teacher's label formula says: which labels occur, and with which probability given the teacher's field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import sympy as sp

from spinodal.spec.types import Teacher
from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.formulas import Interval, kinks, sample_points, symbol, to_sympy, where
from spinodal.symbolic.functions import Tail
from spinodal.symbolic.leaves import Leaf

U = symbol("u")
NOISE = symbol("noise")
H = symbol("h")
#: A real label that is integrated over, with the teacher's likelihood as its weight.
LABEL = symbol("_y")
_PLACE = "teacher.label"


@dataclass(frozen=True, slots=True)
class DiscreteLabels:
    """Finitely many labels, each with P(y | u) averaged over the teacher's residual field as a leaf."""

    values: tuple[sp.Expr, ...]
    leaves: tuple[Leaf, ...]

    @property
    def is_binary(self) -> bool:
        """Whether the labels are +1 and -1 (or one of them only)."""
        return set(self.values) <= {sp.Integer(1), sp.Integer(-1)}

    def leaf(self, value: sp.Expr) -> Leaf:
        """P(y | u) for one label."""
        return self.leaves[self.values.index(value)]

    @property
    def is_odd(self) -> bool:
        """Whether (y, u) -> (-y, -u) leaves the law unchanged."""
        return self.is_binary and len(self.values) == 2 and mirrored(self.leaf(sp.Integer(1)), self.leaf(sp.Integer(-1)))


@dataclass(frozen=True, slots=True)
class RealLabels:
    """A continuous label ``y = formula(u, noise)``; affine labels know their coefficients (u, 1, noise)."""

    formula: sp.Expr
    affine: tuple[sp.Expr, sp.Expr, sp.Expr] | None


LabelLaw = DiscreteLabels | RealLabels


def label_law(teacher: Teacher, at: Mapping[sp.Symbol, float]) -> LabelLaw:
    """Classify a label formula.

    Raises:
        DerivationError: for a discrete label whose noise is not inside one sign or step and additive there.
    """
    formula = to_sympy(teacher.label.root)
    flip = None if teacher.flip_probability is None else to_sympy(teacher.flip_probability.root)
    pieces = [p for p in formula.atoms(sp.sign, sp.Heaviside) if p.has(U, NOISE)]
    outer = [p for p in pieces if not any(p is not q and q.has(p) for q in pieces)]
    marks = {p: sp.Dummy() for p in outer}
    if outer and not formula.xreplace(marks).has(U, NOISE):
        law = _discrete(formula, outer, at)
        return law if flip is None else _flipped(law, flip)
    if not formula.has(U):
        raise DerivationError(
            "the label does not depend on the teacher's field u",
            place=_PLACE,
            cure="for random labels remove [teacher]",
        )
    if flip is not None:
        raise DerivationError(
            "flip_probability needs labels +1 and -1", place="teacher.flip_probability", cure="add noise to the label"
        )
    polynomial = formula.as_poly(U, NOISE)
    affine = None
    if polynomial is not None and polynomial.total_degree() == 1:
        affine = (
            polynomial.coeff_monomial(U),
            polynomial.coeff_monomial(1),
            polynomial.coeff_monomial(NOISE),
        )
    return RealLabels(formula, affine)


def _discrete(formula: sp.Expr, pieces: list[sp.Expr], at: Mapping[sp.Symbol, float]) -> DiscreteLabels:
    if formula.has(NOISE):
        return _noisy(formula, pieces, at)
    edges = kinks(formula, U, at)
    numbers = [float(sp.N(edge.subs(at))) for edge in edges]
    values = [sp.nsimplify(_value(formula, U, point, at)) for point in sample_points(numbers)]
    distinct = sorted(set(values), key=float, reverse=True)
    leaves = []
    for value in distinct:
        region = where(
            lambda point, value=value: sp.nsimplify(_value(formula, U, point, at)) == value,
            [U - edge for edge in edges],
            U,
            at,
        )
        kind = "half-line" if len(region) == 1 and (region[0].upper == sp.oo or region[0].lower == -sp.oo) else "intervals"
        leaves.append(
            Leaf(_tag(value), kind, H, label=value, edges=region, log_levels=(sp.Integer(0),) * len(region))  # type: ignore[arg-type]
        )
    return DiscreteLabels(tuple(distinct), tuple(leaves))


def _value(formula: sp.Expr, variable: sp.Symbol, point: float, at: Mapping[sp.Symbol, float]) -> sp.Expr:
    """The label at a point: its signs and steps evaluated, anything else kept exact."""
    table = {}
    for piece in formula.atoms(sp.sign, sp.Heaviside):
        if piece.has(variable):
            table[piece] = sp.nsimplify(sp.N(piece.subs(at).subs(variable, point)))
    return formula.xreplace(table)


def _noisy(formula: sp.Expr, pieces: list[sp.Expr], at: Mapping[sp.Symbol, float]) -> DiscreteLabels:
    cure = "write the noise as one additive term, as in sign(u + sqrt(Delta)*noise)"
    if len(pieces) != 1:
        raise DerivationError("noise inside several signs or steps", place=_PLACE, cure=cure)
    (piece,) = pieces
    argument = piece.args[0]
    polynomial = argument.as_poly(NOISE)
    if polynomial is None or polynomial.degree() != 1 or polynomial.coeff_monomial(NOISE).has(U):
        raise DerivationError("noise must enter linearly", place=_PLACE, cure=cure)
    amplitude, signal = polynomial.coeff_monomial(NOISE), polynomial.coeff_monomial(1)
    low = sp.Integer(-1) if isinstance(piece, sp.sign) else sp.Integer(0)
    up, down = (sp.nsimplify(formula.xreplace({piece: s})) for s in (sp.Integer(1), low))
    linear = signal.as_poly(U)
    if linear is not None and linear.degree() == 1:
        slope, offset = linear.coeff_monomial(U), linear.coeff_monomial(1)
        edge, spread = sp.cancel(-offset / slope), sp.simplify(amplitude**2 / slope**2)
        regions = [(Interval(edge, sp.oo),), (Interval(-sp.oo, edge),)]
        if float(sp.N(slope.subs(at))) < 0:
            regions.reverse()
        leaves = [
            Leaf(_tag(v), "half-line", H, label=v, edges=r, log_levels=(sp.Integer(0),), smoothing=spread)
            for v, r in zip((up, down), regions, strict=True)
        ]
    else:
        scale = sp.sqrt(amplitude**2)
        leaves = [
            Leaf(
                _tag(v),
                "numerical",
                H,
                label=v,
                log_weight=sp.log(Tail(s * signal.subs(U, H) / scale)),
                splits=tuple(kinks(signal.subs(U, H), H, at)),
            )
            for v, s in ((up, -1), (down, 1))
        ]
    return DiscreteLabels((up, down), tuple(leaves))


def _flipped(law: DiscreteLabels, flip: sp.Expr) -> DiscreteLabels:
    if not law.is_binary:
        raise DerivationError(
            "flip_probability needs labels +1 and -1", place="teacher.flip_probability", cure="add noise to the label"
        )
    if len(law.values) == 1:
        raise DerivationError(
            f"the label is {law.values[0]} at every field", place=_PLACE, cure="for random labels remove [teacher]"
        )
    if flip == 0:
        return law
    leaves = []
    if flip == 1:
        leaves = [replace(law.leaf(-value), tag=law.leaf(value).tag, label=value) for value in law.values]
        return DiscreteLabels(law.values, tuple(leaves))
    for value in law.values:
        kept, swapped = law.leaf(value), law.leaf(-value)
        if kept.kind == "numerical":
            weight = sp.log((1 - flip) * sp.exp(kept.log_weight) + flip * sp.exp(swapped.log_weight))
            leaves.append(Leaf(kept.tag, "numerical", H, label=value, log_weight=weight, splits=kept.splits))
            continue
        edges = sorted(
            [(i, sp.log(1 - flip)) for i in kept.edges] + [(i, sp.log(flip)) for i in swapped.edges],
            key=lambda pair: 0 if pair[0].lower == -sp.oo else 1,
        )
        leaves.append(
            Leaf(
                kept.tag,
                "intervals",
                H,
                label=value,
                edges=tuple(i for i, _ in edges),
                log_levels=tuple(level for _, level in edges),
                smoothing=kept.smoothing,
            )
        )
    return DiscreteLabels(law.values, tuple(leaves))


def signal_and_noise(law: RealLabels) -> tuple[sp.Expr, sp.Expr]:
    """s(u) and a(u) of a label s(u) + a(u) noise.

    Raises:
        DerivationError: where noise does not enter linearly.
    """
    polynomial = law.formula.as_poly(NOISE)
    if polynomial is None or polynomial.degree() != 1:
        raise DerivationError(
            "the likelihood of this real-valued label is singular or unknown",
            place=_PLACE,
            cure="bayes-optimal needs additive noise, as in u + sqrt(Delta)*noise",
        )
    return polynomial.coeff_monomial(1), polynomial.coeff_monomial(NOISE)


def _tag(value: sp.Expr) -> str:
    return "label_" + str(value).replace("-", "m").replace("/", "_over_").replace(".", "_")


def mirrored(up: Leaf, down: Leaf) -> bool:
    """Whether two leaves are images of each other under h -> -h."""
    if up.kind != down.kind:
        return False
    if up.kind in ("numerical", "pieces", "quadratic"):
        return bool(sp.simplify(up.log_weight - down.log_weight.subs(H, -H)) == 0)
    image = tuple(interval.mirrored() for interval in reversed(up.edges))
    levels = tuple(reversed(up.log_levels))
    same = len(image) == len(down.edges) and all(
        same_end(a.lower, b.lower) and same_end(a.upper, b.upper) for a, b in zip(image, down.edges, strict=True)
    )
    return same and levels == down.log_levels


def same_end(first: sp.Expr, second: sp.Expr) -> bool:
    """Whether two ends of intervals are the same point (infinities included)."""
    if first == second:
        return True
    if sp.oo in (first, second) or -sp.oo in (first, second):
        return False
    difference = sp.simplify(first - second)
    return bool(difference == 0) or _vanishes(difference)


def _vanishes(expression: sp.Expr) -> bool:
    """Whether an expression is zero at three random points, where simplification may not see that it is."""
    symbols = sorted(expression.free_symbols, key=str)
    for k in range(3):
        value = sp.N(expression.subs({s: 0.1 + (0.618 * (i + 1) + 0.27 * k) % 0.8 for i, s in enumerate(symbols)}), 30)
        if not value.is_number or abs(sp.re(value)) + abs(sp.im(value)) > 1e-14:
            return False
    return True
