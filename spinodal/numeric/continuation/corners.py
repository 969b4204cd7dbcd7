"""Corners: where F is continuous and its derivative jumps, a branch goes on in another direction.

Equations may contain a maximum (of a field inside an average): F has a corner where a second maximum becomes the highest
at one field. The corrector then meets the derivatives of one side on the other and does not converge, however short the
step. On both sides F is smooth, and a curve of zeros keeps its orientation, the sign of det [F_u; t], across: this gives
the direction in which it leaves (Allgower and Georg, Numerical Continuation Methods, 1990, on piecewise smooth maps).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spinodal.numeric.continuation.corrector import NotCorrectedError, orientation, tangent
from spinodal.numeric.continuation.problem import EvaluationError
from spinodal.numeric.continuation.segment import Node
from spinodal.numeric.continuation.task import Task
from spinodal.numeric.results import Array

#: How far beyond the last point the other side is sought, in smallest steps.
_BEYOND = (3.0, 30.0, 300.0, 3000.0)


def turned(task: Task, start: Node, scale: Array) -> Node | None:
    """The node at a corner with the direction in which the branch leaves it; None where F has no corner ahead.

    Args:
        task: with F.
        start: the last node, closer to the corner than the smallest step; its tangent has unit length in ``scale``.
        scale: of the variables.
    """
    before = start.t / scale
    for distance in _BEYOND:
        try:
            there = task.problem(start.u + distance * task.settings.smallest_step * start.t)
            t = tangent(there.f_u, scale, None)
        except (NotCorrectedError, EvaluationError):
            return None
        sign, log = orientation(there.f_u, t, scale)
        t, sign = (t, sign) if sign * start.sign > 0.0 else (-t, -sign)
        if float(np.arccos(np.clip(before @ (t / scale), -1.0, 1.0))) > task.settings.angle:
            return replace(start, t=t, sign=sign, log=log) if sign * start.sign > 0.0 else None
    return None
