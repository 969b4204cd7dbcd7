"""What the study is made of: sections of pieces, each piece one model's contribution to one section.

A section is a set of figures and one data file (``thresholds``, ``teacher-student``, ...). Its pieces differ in a label:
the activation, the kind of weights, or what is varied. A piece is a function of (model, label, plan, tick) and returns a
:class:`Part`: the dataset that is saved and plotted, the key numbers for the table, and notes about everything that a
reader of the numbers must know. Pieces know nothing of each other, so that each is computed, and kept, on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from spinodal.model import Model, load
from spinodal.study.plan import Plan

#: Called after each piece of work.
Tick = Callable[[], None]


@dataclass(frozen=True)
class Number:
    """A key number of the table.

    Attributes:
        quantity: its name.
        parameters: where, by name.
        value: nan where there is none.
        error: its absolute error estimate.
    """

    quantity: str
    parameters: dict[str, float]
    value: float
    error: float


@dataclass(frozen=True)
class Part:
    """What one piece of the study found; ``complete`` if every point of every curve has a value."""

    data: xr.Dataset
    numbers: tuple[Number, ...]
    notes: tuple[str, ...]
    complete: bool


@dataclass(frozen=True)
class Piece:
    """One model's contribution to a section.

    Attributes:
        label: tells the pieces of a section apart; coordinate of the data along the section's dimension.
        source: the shipped spec.
        overrides: entries of the spec that are replaced, by dotted key.
        solve: the computation.
        steps: how many times it ticks.
    """

    label: str
    source: str
    solve: Callable[[Model, str, Plan, Tick], Part]
    steps: int
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def model(self) -> Model:
        """The model, its entries replaced."""
        return load(self.source, overrides=self.overrides)


@dataclass(frozen=True)
class Section:
    """A part of the study with its own data file.

    Attributes:
        name: as on the command line, and of the data file.
        title: in the data file.
        pieces: for a plan.
        dimension: along which the pieces' datasets are put together; empty: each has variables of its own.
    """

    name: str
    title: str
    pieces: Callable[[Plan], tuple[Piece, ...]]
    dimension: str = ""


def each_activation(
    solve: Callable[[Model, str, Plan, Tick], Part],
    steps: Callable[[Plan], int],
    ansatz: Mapping[str, Any] | None = None,
    *,
    only_first: bool = False,
) -> Callable[[Plan], tuple[Piece, ...]]:
    """The pieces of a section that are made for each activation of the plan.

    Args:
        solve: the computation.
        steps: how many times it ticks.
        ansatz: replaces the spec's.
        only_first: for the first activation alone.
    """

    def pieces(plan: Plan) -> tuple[Piece, ...]:
        chosen = plan.activations[:1] if only_first else plan.activations
        changed = {"ansatz": dict(ansatz)} if ansatz else {}
        return tuple(
            Piece(name, plan.model, solve, steps(plan), {"student.features.activation": formula, **changed})
            for name, formula in chosen
        )

    return pieces
