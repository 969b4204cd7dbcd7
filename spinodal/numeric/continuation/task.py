"""What a running continuation is: the task, which does not change, and the trace, which grows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from spinodal.numeric.continuation.corrector import Corrected, Scaling, correct, orientation, tangent
from spinodal.numeric.continuation.locate import Event, Located, value_of
from spinodal.numeric.continuation.problem import Problem
from spinodal.numeric.continuation.segment import Node, Segment
from spinodal.numeric.continuation.settings import Settings
from spinodal.numeric.results import Array


@dataclass(frozen=True)
class Limit:
    """A quantity g(x, p) that must stay between two values; the branch ends where it reaches one.

    Attributes:
        name: for the stop reason.
        function: the quantity.
        low: lower bound (-inf: none).
        high: upper bound (inf: none).
        validity: whether leaving it ends the equations' validity (a special point ``boundary``).
        is_parameter: whether it is the parameter itself (the branch can end on it exactly).
    """

    name: str
    function: Event
    low: float
    high: float
    validity: bool = False
    is_parameter: bool = False


@dataclass(frozen=True)
class Trace:
    """One direction of a branch so far.

    Attributes:
        nodes: accepted points, the start first.
        located: special points in the order met.
        step: length of the next step.
        stop: why it ended; empty while it goes on.
        remarks: what a reader must know (an event that could not be evaluated, ...).
    """

    nodes: tuple[Node, ...]
    located: tuple[Located, ...] = ()
    step: float = 0.01
    stop: str = ""
    remarks: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Task:
    """Everything a trace's next step depends on besides the trace.

    Attributes:
        problem: F and derivatives.
        scaling: of the variables.
        settings: of the engine.
        events: names and functions whose zeros are special points.
        limits: where the branch ends.
        classify: turns a located fold or branch point into what it is in a larger context (loci), or drops it.
        crossings: whether the sign of the determinant means anything (on fold curves a row's sign is arbitrary).
    """

    problem: Problem
    scaling: Scaling
    settings: Settings
    events: Mapping[str, Event]
    limits: Sequence[Limit]
    classify: Callable[[Located], Located | None] | None = None
    crossings: bool = True

    def node(self, corrected: Corrected, along: Array | None) -> Node:
        """A node at a corrected point, its tangent along a direction."""
        scale = self.scaling.at(corrected.u)
        t = tangent(corrected.evaluation.f_u, scale, along)
        sign, log = orientation(corrected.evaluation.f_u, t, scale) if self.crossings else (0.0, 0.0)
        values = tuple(value_of(event, corrected.u) for event in self.events.values())
        return Node(corrected.u, t, sign, log, values, self._unstable(corrected), corrected.step)

    def _unstable(self, corrected: Corrected) -> int:
        if not self.crossings:
            return -1
        try:
            real = np.linalg.eigvals(corrected.evaluation.jacobian).real
        except np.linalg.LinAlgError:
            return -1
        return int(np.sum(real > 0.0) if self.settings.flow == "F" else np.sum(real < 0.0))

    def node_on(self, segment: Segment, s: float) -> Node:
        """The node of the branch at a fraction of a segment.

        Raises:
            NotCorrectedError: if the corrector does not converge there.
            EvaluationError: if F cannot be evaluated there.
        """
        slope = segment.slope(s)
        row = slope / segment.scale**2
        row = row / np.linalg.norm(row * segment.scale)
        found = correct(self.problem, segment.at(s), row, segment.scale, self.settings.tolerance, 12)
        return self.node(found, slope)
