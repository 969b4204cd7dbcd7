"""Losses of a residual: those that read a real label and the field only through the difference h - lambda y.

The difference of two Gaussian fields is Gaussian. Noise of the label, and of an affine label its field too, is then
integrated out exactly: it belongs to the measure of the difference, and is the same for all replicas.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from spinodal.spec.types import Loss
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.labels import NOISE, H, RealLabels, U
from spinodal.symbolic.predictions import Prediction, loss_formulas

_Y = symbol("y")


@dataclass(frozen=True, slots=True)
class Residual:
    """What a label takes from the student's field, lambda y = signal(u) + amplitude(u) noise.

    Attributes:
        scale: lambda.
        signal: as an expression in u.
        amplitude: as an expression in u.
    """

    scale: sp.Expr
    signal: sp.Expr
    amplitude: sp.Expr

    @property
    def affine(self) -> tuple[sp.Expr, sp.Expr] | None:
        """(slope, offset) of an affine signal beside noise of constant amplitude."""
        line = self.signal.as_poly(U)
        if self.amplitude.has(U) or line is None or line.degree() > 1:
            return None
        return line.coeff_monomial(U), line.coeff_monomial(1)


def residual_of(loss: Loss, law: RealLabels, prediction: Prediction | None) -> Residual | None:
    """The residual that a loss, and the error of its answer, are functions of; None where there is none.

    Noise has to enter the label linearly.
    """
    polynomial = law.formula.as_poly(NOISE)
    if polynomial is None or polynomial.degree() > 1:
        return None
    formulas = list(loss_formulas(loss))
    if prediction is not None:
        formulas.append(_Y - prediction.value)
    for scale in _scales(formulas):
        if not any(_reads_label(formula.subs(H, H + scale * _Y)) for formula in formulas):
            signal, amplitude = (sp.expand(scale * polynomial.coeff_monomial(NOISE**k)) for k in (0, 1))
            return Residual(scale, signal, amplitude)
    return None


def _scales(formulas: list[sp.Expr]) -> dict[sp.Expr, None]:
    """Candidates for lambda from the parts of the formulas that are linear in y and in h."""
    found: dict[sp.Expr, None] = {}
    for formula in formulas:
        for part in sp.preorder_traversal(formula):
            if not isinstance(part, sp.Expr) or not (part.has(_Y) and part.has(H)):
                continue
            line = part.as_poly(_Y, H)
            if line is not None and line.total_degree() == 1:
                found.setdefault(sp.cancel(-line.coeff_monomial(_Y) / line.coeff_monomial(H)))
            elif line is not None and line.total_degree() == 2:
                square, mixed = line.coeff_monomial(H**2), line.coeff_monomial(H * _Y)
                if square != 0 and mixed != 0:
                    found.setdefault(sp.cancel(-mixed / (2 * square)))
    return found


def _reads_label(formula: sp.Expr) -> bool:
    if not formula.has(_Y):
        return False
    expanded = sp.expand(formula)
    return bool(expanded.has(_Y) and sp.simplify(expanded).has(_Y))
