"""The feature block of nested copies in the eigenvalues of its matrices, in which its derivatives stay short.

An overlap matrix of nested copies has one eigenvalue per level: A = q_d - q within a state, and for every level further out
the size of its blocks times the step of the overlap more. The block is a function of these, of those of the conjugates, and
of the outermost overlaps; written in overlaps alone, its second derivatives have thousands of terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from spinodal.symbolic.features import random_feature_block
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.structure import Structure
from spinodal.symbolic.symbols import WITHIN_P_HAT, WITHIN_Q


@dataclass(frozen=True)
class SectorBlock:
    """The feature block per replica and input.

    Attributes:
        value: in eigenvalues, outermost overlaps, sizes and the source.
        eigenvalues: the symbols of eigenvalues by what they are in order parameters, the innermost first.
    """

    value: sp.Expr
    eigenvalues: Mapping[sp.Symbol, sp.Expr]

    def slope(self, x: sp.Symbol) -> sp.Expr:
        """The derivative in an order parameter or in a size, in the same symbols."""
        total = sp.factor(self.value.diff(x))
        for mark, meaning in self.eigenvalues.items():
            total += sp.factor(self.value.diff(mark)) * meaning.diff(x)
        return total


def sector_block(structure: Structure, q: tuple[sp.Expr, ...], p_hat: tuple[sp.Expr, ...], source: sp.Expr) -> SectorBlock:
    """The block of overlaps ``q`` and conjugates ``p_hat``, from the outermost level to the diagonal.

    Args:
        structure: nested copies with finite sizes.
        q: overlaps of weights.
        p_hat: conjugates of the overlaps of projected weights.
        source: what couples to the teacher.
    """
    sizes = (*structure.finite_sizes, sp.Integer(1))
    marks_q, marks_p = _marks(WITHIN_Q, len(sizes)), _marks(WITHIN_P_HAT, len(sizes))
    first_q, first_p = q[0], p_hat[0]
    plain = random_feature_block(structure.tree, _levels(first_q, marks_q, sizes), _levels(first_p, marks_p, sizes), source)
    logs = {log: sp.log(sp.factor(sp.cancel(log.args[0]))) for log in plain.atoms(sp.log)}
    terms = sp.Add.make_args(sp.expand_mul(plain.xreplace(logs), deep=False))
    value = sp.Add(*(term if term.has(sp.log) else sp.factor(sp.cancel(term)) for term in terms))
    meanings = {**_meanings(marks_q, q, sizes), **_meanings(marks_p, p_hat, sizes)}
    return SectorBlock(value, meanings)


def _marks(first: sp.Symbol, count: int) -> tuple[sp.Symbol, ...]:
    return (first, *(symbol(f"{first}{k}") for k in range(1, count)))


def _levels(first: sp.Expr, marks: tuple[sp.Symbol, ...], sizes: tuple[sp.Expr, ...]) -> tuple[sp.Expr, ...]:
    """Overlaps from the outermost one to the diagonal, given the eigenvalues."""
    found = [first]
    outward = (*reversed(marks), sp.Integer(0))
    for size, outer, inner in zip(sizes, outward, outward[1:], strict=False):
        found.append(found[-1] + (outer - inner) / size)
    return tuple(found)


def _meanings(
    marks: tuple[sp.Symbol, ...], levels: tuple[sp.Expr, ...], sizes: tuple[sp.Expr, ...]
) -> dict[sp.Symbol, sp.Expr]:
    """The eigenvalues in order parameters; each is written with the one inside it."""
    found: dict[sp.Symbol, sp.Expr] = {}
    total: sp.Expr = sp.Integer(0)
    for k, mark in enumerate(marks):
        total += sizes[-1 - k] * (levels[-1 - k] - levels[-2 - k])
        found[mark] = total
    return found
