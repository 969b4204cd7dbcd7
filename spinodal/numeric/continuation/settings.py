"""All settings of the continuation engine, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Settings:
    """How a branch is followed.

    Lengths are measured in scaled variables: an unknown changes by ``dx / (1 + |x|)``, the parameter by ``dp / (1 + |p|)``,
    or by ``dp / width`` where the width of its bounds is smaller than that.

    Attributes:
        step: first step of the arclength.
        smallest_step: below it a branch is given up, with the reason.
        largest_step: never a longer step, so that a plotted branch is smooth.
        points: accepted points in each direction at most.
        both_directions: follow the branch to both sides of the start; else towards growing parameter only.
        backwards: with ``both_directions`` off, start towards falling parameter instead.
        tolerance: on the scaled Newton step of the corrector and of every special point.
        newton: corrector iterations at most.
        prediction: wanted distance between prediction and corrected point; it sets the step.
        angle: largest angle between successive tangents (radians); a larger turn refuses the step.
        wanted_angle: the turn per step aimed at.
        consistency: largest difference, relative to the step, between a step and the trapezoid rule of its two tangents:
            a corrector that has jumped to another branch fails it.
        stop_at: kinds of special points at which to stop.
        special_points: stop after this many special points (0: no limit).
        flow: ``"F"`` if a state is stable where x' = F(x, p) returns to it, ``"-F"`` for x' = -F (saddle-point equations
            written as x - update).

    >>> Settings(stop_at="fold", largest_step=0.02).stop_at
    ('fold',)
    """

    step: float = 0.01
    smallest_step: float = 1e-9
    largest_step: float = 0.08
    points: int = 2000
    both_directions: bool = True
    backwards: bool = False
    tolerance: float = 1e-12
    newton: int = 8
    prediction: float = 1e-3
    angle: float = 0.5
    wanted_angle: float = 0.12
    consistency: float = 0.05
    stop_at: tuple[str, ...] = ()
    special_points: int = 0
    flow: Literal["F", "-F"] = "F"

    def __post_init__(self) -> None:
        """A single kind stands for itself."""
        if isinstance(self.stop_at, str):
            object.__setattr__(self, "stop_at", (self.stop_at,))
