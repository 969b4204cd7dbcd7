"""Perceptrons that store random patterns: capacity and de Almeida-Thouless line over the margin, each one locus."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr

from spinodal.model import Model
from spinodal.study.curves import line
from spinodal.study.piece import Number, Part, Piece, Section, Tick
from spinodal.study.plan import Perceptron, Plan

_RANGE = (1e-3, 20.0)
#: Margins at which the table shows the lines.
_SHOWN = (0.0, 0.5, 1.0)


def lines(model: Model, label: str, plan: Plan, tick: Tick, *, which: Perceptron) -> Part:
    """Both lines of one perceptron, over the margins of each."""
    kappas = np.unique(np.concatenate([which.margins, which.unstable]))
    data = xr.Dataset(coords={"kappa": kappas})
    numbers: list[Number] = []
    notes: tuple[str, ...] = ()
    complete = True
    for name, kind, text, margins in (
        ("alpha_c", "capacity", "capacity alpha_c", which.margins),
        ("alpha_AT", "replicon", "de Almeida-Thouless alpha", which.unstable),
    ):
        curve, _ = line(
            model, kind, "alpha", "kappa", margins, _RANGE, name=f"{label} perceptron, {kind}", tolerance=plan.tolerance,
            tick=tick,
        )  # fmt: skip
        at = np.searchsorted(kappas, margins)
        for suffix, values in (("", curve.values["alpha"]), ("_error", curve.errors["alpha"])):
            column = np.full(kappas.size, np.nan)
            column[at] = values
            data[name + suffix] = ("kappa", column)
        numbers += [
            Number(text, {"kappa": kappa}, float(curve.values["alpha"][i]), float(curve.errors["alpha"][i]))
            for i, kappa in enumerate(margins)
            if kappa in _SHOWN
        ]
        # that conjugates diverge at a capacity, and where replica symmetry fails, is what the figure shows
        notes += tuple(note for note in curve.notes if "no value" in note)
        complete &= bool(curve.converged.all())
    return Part(data, tuple(numbers), notes, complete)


def _pieces(plan: Plan) -> tuple[Piece, ...]:
    return tuple(
        Piece(one.label, one.model, partial(lines, which=one), len(one.margins) + len(one.unstable))
        for one in plan.perceptrons
    )


SECTION = Section("perceptrons", "storage by binary and spherical perceptrons", _pieces, "weights")
