"""The label that a student gives to a pattern: what training and generalization errors compare with the teacher's.

A student of +-1 labels answers sign(h) where its loss is odd under (y, h) -> (-y, -h), as in ``y*h >= kappa``. A loss of a
margin ``y g(h)``, as ``y*(abs(h) - K) >= 0``, asks for the sign of g; one of a difference ``y - g(h)``, as
``(y - abs(h))**2``, for g itself. The Bayes-optimal student answers with the teacher's own rule, without its noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from spinodal.spec import ast
from spinodal.spec.types import Loss
from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.formulas import breakpoints, condition, kinks, symbol, to_sympy
from spinodal.symbolic.labels import NOISE, DiscreteLabels, H, LabelLaw, U
from spinodal.symbolic.partitions import record

_Y = symbol("y")
_MARGIN = sp.Dummy("margin", real=True)
#: Margins by which a loss tells right from wrong, the largest first of all.
_MARGINS = (1000.0, 3.0, 1.0, 0.3, 0.1)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A student's answer as a function of its field.

    Attributes:
        value: the label g(h); for labels +-1 any function of its sign.
        edges: where g changes sign or is not smooth.
    """

    value: sp.Expr
    edges: tuple[sp.Expr, ...]

    @property
    def is_field(self) -> bool:
        """Whether the answer is the field, or its sign."""
        return bool(self.value == H)


#: What a student answers whose loss does not say otherwise.
FIELD = Prediction(H, (sp.Integer(0),))


def bayes_prediction(
    law: LabelLaw, label: sp.Expr, flip: sp.Expr | None, at: Mapping[sp.Symbol, float]
) -> Prediction | None:
    """The teacher's rule without its noise, applied to the student's field; None where its edges have no closed form.

    Args:
        law: the labels.
        label: the teacher's formula in u and noise.
        flip: the probability with which labels +-1 are flipped.
        at: generic parameter values.
    """
    rule = label.subs({U: H, NOISE: 0})
    if flip is not None:  # where most labels are flipped, the best answer is the opposite of the rule
        kept = 1 - 2 * flip
        record(H, (), (kept,), at)
        if float(sp.N(kept.subs(at))) < 0.0:
            rule = -rule
    if isinstance(law, DiscreteLabels) and law.is_binary and isinstance(rule, sp.sign):
        rule = rule.args[0]
        if _is_positive_multiple_of_field(rule, at):
            return FIELD
    return _with_edges(rule, at)


def loss_prediction(loss: Loss, law: LabelLaw | None, at: Mapping[sp.Symbol, float], *, odd: bool) -> Prediction | None:
    """What a declared loss asks for; None where it asks for no answer that could be found.

    Args:
        loss: the declared loss.
        law: the labels; None for labels +-1 at random.
        at: generic parameter values.
        odd: whether the loss of +-1 labels is invariant under (y, h) -> (-y, -h).
    """
    binary = law is None or (isinstance(law, DiscreteLabels) and law.is_binary)
    formulas = list(loss_formulas(loss))
    if not any(formula.has(_Y) for formula in formulas):
        return None
    if binary and odd:  # a function of y h: the other sign where it asks for negative margins
        return Prediction(-H, FIELD.edges) if _direction(loss, H, at) < 0 else FIELD
    if binary:
        for g in _candidates(formulas, lambda slope: slope.has(H)):
            reduced = [sp.simplify(f.subs(_Y, _MARGIN / g)) for f in formulas]
            if not any(f.has(H) or f.has(_Y) for f in reduced):
                direction = _direction(loss, g, at)
                return None if direction == 0 else _with_edges(direction * g, at)
    for g in _candidates(formulas, lambda slope: not slope.has(H)):
        if not any(sp.simplify(f.subs(_Y, _MARGIN + g)).has(H) for f in formulas):
            return _with_edges(g, at)
    return None if binary else FIELD


def loss_formulas(loss: Loss) -> Iterator[sp.Expr]:
    """The energy, or the two sides' differences in the comparisons of a constraint."""
    if loss.energy is not None:
        yield to_sympy(loss.energy.root)
        return
    assert loss.constraint is not None
    nodes: list[ast.Node] = [loss.constraint.root]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Logic):
            nodes.extend(node.operands)
        elif isinstance(node, ast.Compare):
            yield to_sympy(node.left) - to_sympy(node.right)


def _candidates(formulas: list[sp.Expr], wanted: object) -> Iterator[sp.Expr]:
    """Functions g(h) from parts that are linear in y: the coefficient of y, or the y at which such a part vanishes."""
    assert callable(wanted)
    seen: dict[sp.Expr, None] = {}
    for formula in formulas:
        for part in sp.preorder_traversal(formula):
            if not isinstance(part, sp.Expr) or not (part.has(_Y) and part.has(H)):
                continue
            polynomial = part.as_poly(_Y)
            if polynomial is None or polynomial.degree() not in (1, 2):
                continue
            constant, slope, square = (polynomial.coeff_monomial(_Y**k) for k in range(3))
            if square != 0:
                if not square.has(H):
                    seen.setdefault(sp.simplify(-slope / (2 * square)))
            elif wanted(slope):
                seen.setdefault(slope if slope.has(H) else sp.simplify(-constant / slope))
    yield from (g for g in seen if g.has(H))


def _direction(loss: Loss, g: sp.Expr, at: Mapping[sp.Symbol, float]) -> int:
    """1 where positive margins y g are right, -1 where they are wrong, 0 where the loss does not tell."""
    if loss.energy is not None:
        energy = _of_margin(to_sympy(loss.energy.root), g)
        preference = sp.Add(*(energy.subs(_MARGIN, -margin) - energy.subs(_MARGIN, margin) for margin in _MARGINS))
        record(H, (), (preference,), at)
        value = float(sp.N(preference.subs(at)))
        return 1 if value > 0.0 else -1 if value < 0.0 else 0
    assert loss.constraint is not None
    holds = _of_margin(condition(loss.constraint.root), g).subs(at)
    right, wrong = (sum(holds.subs(_MARGIN, side * margin) == sp.true for margin in _MARGINS) for side in (1.0, -1.0))
    return 1 if right > wrong else -1 if right < wrong else 0


def _of_margin(formula: sp.Basic, g: sp.Expr) -> Any:
    """A formula of y and h at given margins y g, at the label y = 1 where it does not follow by itself."""
    reduced = sp.simplify(formula.subs(_Y, _MARGIN / g))
    return reduced if not reduced.has(H) else formula.subs(_Y, 1).subs(H, _MARGIN)


def _is_positive_multiple_of_field(rule: sp.Expr, at: Mapping[sp.Symbol, float]) -> bool:
    slope = rule / H
    return not slope.has(H) and float(sp.N(slope.subs(at))) > 0.0


def _with_edges(g: sp.Expr, at: Mapping[sp.Symbol, float]) -> Prediction | None:
    try:
        edges = [*breakpoints([g], H, at), *kinks(g, H, at)]
    except DerivationError:
        return None
    return Prediction(g, tuple(dict.fromkeys(edges)))
