"""Letters that keep equations of the feature block short, for readers: the eigenvalues of its matrices.

Solvers have those of nested copies of finite sizes as definitions (sectors.py). Infinitely many copies, whose levels differ
by ``d/size``, have one more for each matrix: ``A + d`` of vectors that differ between copies.
"""

from __future__ import annotations

from spinodal.symbolic.action import P_D_HAT, Action
from spinodal.symbolic.derivation import Definition, Shorthand
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.symbols import WITHIN_P_HAT, WITHIN_Q, with_hat


def shorthand_of(action: Action) -> Shorthand:
    """The letters of an action's feature block."""
    if not action.random or action.ground:
        return Shorthand()
    structure = action.structure
    table = {
        action.top: action.identified(action.diagonal) - WITHIN_Q,
        P_D_HAT: with_hat(structure.innermost("p")) + WITHIN_P_HAT,
    }
    if structure.infinite is None:
        return Shorthand((), table)
    spreads = (structure.names("q")[-1], with_hat(structure.names("p")[-1]))
    letters = [
        (symbol(f"{within}_1"), within, spread) for within, spread in zip((WITHIN_Q, WITHIN_P_HAT), spreads, strict=True)
    ]
    table |= {spread: letter - within for letter, within, spread in letters}
    return Shorthand(tuple(Definition(x, within + d, "eigenvalue between copies") for x, within, d in letters), table)
