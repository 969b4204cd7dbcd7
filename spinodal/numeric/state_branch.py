"""A branch of a model: the engine's curve with labelled states, observables and special points."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinodal.numeric.continuation.branch import Branch
from spinodal.numeric.results import State
from spinodal.numeric.tracking import Tracked

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, repr=False)
class StateBranch(Branch):
    """A branch of a model's states along a parameter.

    Attributes:
        states: the points, with error estimates, observables and stability.
        model: the model's name.
        ansatz: the ansatz' name.

    >>> import spinodal
    >>> branch = spinodal.load("binary-perceptron").branch("alpha", (0.7, 0.9))
    >>> branch.x.shape == (len(branch), 2), branch.names
    (True, ('q', 'q_hat'))
    >>> bool((branch["free_entropy"][branch.p < 0.83] > 0.0).all())
    True
    """

    states: tuple[State, ...] = ()
    model: str = ""
    ansatz: str = ""

    @property
    def converged(self) -> bool:
        """Whether every special point met was located."""
        return all(point.converged for point in self.special_points)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The distinct warnings of the special points, and on how many states each other one was given."""
        # messages that differ in their numbers only are one: the first is shown
        groups: dict[str, list[str]] = {}
        for state in self.states:
            for warning in state.warnings:
                groups.setdefault(re.sub(r"[-+\d.e]*\d", "#", warning), []).append(warning)
        counted = [f"{texts[0]} (so or alike at {len(texts)} of {len(self.states)} points)" for texts in groups.values()]
        return (*self.remarks, *counted)

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters that are fixed along the branch."""
        return {k: v for k, v in self.states[0].parameters.items() if k != self.parameter}

    def to_json(self) -> dict[str, Any]:
        """The object of ``spinodal branch --json``."""
        return {
            "model": self.model,
            "ansatz": self.ansatz,
            "along": self.parameter,
            "points": [state.to_json() for state in self.states],
            "special_points": [point.to_json() for point in self.special_points],
            "stop_reason": self.stop_reason,
            "closed": self.closed,
            "warnings": list(self.warnings),
        }

    def to_xarray(self) -> xr.Dataset:
        """A labelled dataset over ``point``, with error estimates and stability; special points over ``special_point``."""
        dataset = super().to_xarray()
        dataset["error_estimate"] = ("point", np.array([state.error_estimate for state in self.states]))
        dataset["residual"] = ("point", np.array([state.residual for state in self.states]))
        dataset["stability"] = ("point", np.array([state.stability for state in self.states], dtype=object).astype(str))
        points = self.special_points
        dataset["special_free_entropy"] = ("special_point", np.array([s.free_entropy for s in points], dtype=float))
        return dataset.assign_attrs(model=self.model, ansatz=self.ansatz, **self.parameters)


def state_branch(tracked: Tracked, model: str, ansatz: str) -> StateBranch:
    """The labelled branch of a tracked one."""
    branch, states = tracked.branch, tracked.states
    quantities: Mapping[str, Any] = {
        "free_entropy": np.array([state.free_entropy for state in states]),
        **{
            name: np.array([state.observables.get(name, np.nan) for state in states])
            for name in dict.fromkeys(name for state in states for name in state.observables)
        },
    }
    return StateBranch(
        x=branch.x,
        p=branch.p,
        special_points=tracked.special_points,
        stop_reason=branch.stop_reason,
        tangents=branch.tangents,
        unstable=branch.unstable,
        quantities=quantities,
        start=branch.start,
        closed=branch.closed,
        positions=tracked.positions,
        names=branch.names,
        parameter=branch.parameter,
        remarks=branch.remarks,
        evaluations=branch.evaluations,
        states=states,
        model=model,
        ansatz=ansatz,
    )
