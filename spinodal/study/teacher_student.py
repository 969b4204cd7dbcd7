"""A binary student that knows how its binary teacher was drawn: branch, spinodals and first-order lines.

Bayes-optimality means q = r, and the perfect state q = 1 beside the branch from small alpha. Noise in the labels' signs
leaves the perfect state where it is; noise in the teacher's field replaces it by a second fold, and both folds meet in a
critical point.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from spinodal.model import Model
from spinodal.numeric.results import Locus, SpecialPoint
from spinodal.study.curves import Curve, line
from spinodal.study.piece import Number, Part, Piece, Section, Tick
from spinodal.study.plan import Plan

_NAMES = {
    "zero-entropy": "alpha at zero entropy",
    "crossing": "alpha at the first-order transition",
    "fold": "alpha at the spinodal",
}


def noiseless(model: Model, label: str, plan: Plan, tick: Tick) -> Part:
    """The branch over alpha through its spinodal, and what is special on it."""
    branch = model.branch("alpha", plan.learning_range, tol=plan.tolerance)
    tick()
    data = branch.to_xarray().drop_attrs()
    # a string for each point would be stored as a table of letters
    codes = ("stable", "metastable", "unstable")
    data["stability"] = ("point", np.array([codes.index(str(s)) for s in data["stability"].values], dtype=np.int8))
    data["stability"].attrs["meaning"] = ", ".join(f"{i}: {name}" for i, name in enumerate(codes))
    data["special_converged"] = data["special_converged"].astype(np.int8)
    numbers = []
    for kind, name in _NAMES.items():
        for point in [point for point in branch.special_points if point.kind == kind][:1]:
            numbers.append(Number(name, {}, point.p, point.error_estimate))
    missing = [kind for kind in _NAMES if not branch.of_kind(kind)]
    notes = tuple(f"{label}: no {kind} on the branch" for kind in missing) + branch.remarks
    return Part(data, tuple(numbers), notes, branch.converged and not missing)


def field_noise(model: Model, label: str, plan: Plan, tick: Tick) -> Part:
    """Spinodals and first-order line over the noise of the teacher's field, up to their critical point."""
    low = plan.smallest_noise
    # beyond the critical point there is no spinodal: the locus turns around in it, and the second value is far beyond
    folds = model.locus("fold", "alpha", ("Delta", [low, 100.0 * low]), bounds=plan.learning_range, tol=plan.tolerance)
    tick()
    cusps = [event for event in folds.events if event.kind == "cusp" and event.converged]
    if folds.curve is None or not cusps:
        return Part(xr.Dataset(), (), (f"{label}: the spinodals do not meet in a critical point",), False)
    cusp, curve = cusps[0], folds.curve
    end = cusp.parameters["Delta"]
    grid = low + (end - low) * (1.0 - np.linspace(1.0, 0.0, plan.noises + 1)[:-1] ** 2)
    spinodal, _ = _line(model, "fold", "Delta", grid, plan, label, tick)
    transition, locus = _line(model, "crossing", "Delta", grid, plan, label, tick)
    data = xr.Dataset(
        {
            **_columns("spinodal", spinodal, "Delta"),
            **_columns("transition", transition, "Delta"),
            "spinodals_alpha": ("fold_curve", curve["alpha"]),
            "spinodals_Delta": ("fold_curve", curve.p),
            "spinodals_q": ("fold_curve", curve["q"]),
            "critical_alpha": cusp.parameters["alpha"],
            "critical_Delta": end,
            "critical_q": cusp.order_parameters["q"],
            "critical_error": cusp.error_estimate,
        },
        {"Delta": grid},
    )
    data = _with_line(data, locus, "transition_curve", {"alpha": "alpha", "Delta": "Delta"})
    numbers = (
        Number("Delta at the critical point", {}, end, cusp.error_estimate),
        Number("alpha at the critical point", {}, *_along(cusp, curve)),
    )
    notes = spinodal.notes + transition.notes
    return Part(data, numbers, notes, bool(spinodal.converged.all() and transition.converged.all()))


def _along(cusp: SpecialPoint, curve: Any) -> tuple[float, float]:
    """The first parameter at a critical point, its error from that of the second and the slope of the lines there."""
    near = np.argsort(np.abs(curve.p - cusp.parameters["Delta"]))[:8]
    slope = abs(float(np.polyfit(curve.p[near], curve["alpha"][near], 1)[0]))
    return cusp.parameters["alpha"], slope * cusp.error_estimate + 1e-12


def flipped_labels(model: Model, label: str, plan: Plan, tick: Tick) -> Part:
    """Spinodal and first-order line, against the perfect state, over the probability that a label is flipped."""
    spinodal, folds = _line(model, "fold", "rho", plan.flips, plan, label, tick)
    transition, locus = _line(model, "crossing", "rho", plan.flips, plan, label, tick)
    data = xr.Dataset(
        {**_columns("flip_spinodal", spinodal, "rho"), **_columns("flip_transition", transition, "rho")},
        {"rho": np.array(plan.flips)},
    )
    data = _with_line(data, folds, "flip_spinodal_curve", {"alpha": "alpha", "rho": "rho"})
    data = _with_line(data, locus, "flip_transition_curve", {"alpha": "alpha", "rho": "rho"})
    at = plan.flips[-1]
    numbers = tuple(
        Number(_NAMES[kind], {"rho": at}, float(curve.values["alpha"][-1]), float(curve.errors["alpha"][-1]))
        for kind, curve in (("crossing", transition), ("fold", spinodal))
    )
    complete = bool(spinodal.converged.all() and transition.converged.all())
    return Part(data, numbers, spinodal.notes + transition.notes, complete)


def _line(model: Model, of: str, over: str, values: Any, plan: Plan, label: str, tick: Tick) -> tuple[Curve, Locus]:
    return line(
        model, of, "alpha", over, values, plan.learning_range, name=f"teacher-student, {label}, {of}",
        tolerance=plan.tolerance, tick=tick,
    )  # fmt: skip


def _columns(name: str, curve: Curve, over: str) -> dict[str, Any]:
    return {
        f"{name}_alpha": (over, curve.values["alpha"]),
        f"{name}_alpha_error": (over, curve.errors["alpha"]),
        f"{name}_converged": (over, curve.converged.astype(np.int8)),
    }


def _with_line(data: xr.Dataset, locus: Locus, name: str, columns: dict[str, str]) -> xr.Dataset:
    """The data with the points of a locus' continuation, over a dimension of their own."""
    if locus.curve is None:
        return data
    return data.assign({f"{name}_{column}": (name, np.asarray(locus.curve[s])) for column, s in columns.items()})


def _pieces(plan: Plan) -> tuple[Piece, ...]:
    bayes = {"ansatz.scheme": "bayes-optimal"}
    noise = {"default": plan.smallest_noise, "description": "variance of the noise of the teacher's field"}
    flips = {"default": plan.flips[0], "description": "probability that a label is flipped"}
    source = plan.teacher_student
    return (
        Piece("no noise", source, noiseless, 1, bayes),
        Piece(
            "noisy field", source, field_noise, 1 + 2 * plan.noises,
            bayes | {"teacher.label": "sign(u + sqrt(Delta)*noise)", "parameters.Delta": noise},
        ),
        Piece(
            "flipped labels", source, flipped_labels, 2 * len(plan.flips),
            bayes | {"teacher.flip_probability": "rho", "parameters.rho": flips},
        ),
    )  # fmt: skip


SECTION = Section("teacher-student", "phase diagrams of the Bayes-optimal binary teacher-student perceptron", _pieces)
