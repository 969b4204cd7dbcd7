"""The study's curves: special points along one parameter over another, and observables along a parameter.

Only names of parameters and observables appear here; the formulas are those of the derivation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinodal.model import Model
from spinodal.numeric.results import Array, SpecialPoint, State
from spinodal.numeric.solve import Bound, quadrature_error

#: Called after each piece of work.
Tick = Callable[[], None]


@dataclass(frozen=True)
class Curve:
    """Values along one parameter, with error estimates; nan where there is no converged state.

    Attributes:
        name: what the curve shows, for messages.
        values: quantities by name [points].
        errors: their absolute error estimates [points].
        converged: [points].
        notes: failures and warnings, each once for the whole curve.
    """

    name: str
    values: Mapping[str, Array]
    errors: Mapping[str, Array]
    converged: Array
    notes: tuple[str, ...]


def zeros(
    model: Model,
    of: str,
    along: str,
    over: str,
    over_values: Sequence[float],
    full: tuple[float, float],
    *,
    name: str,
    tolerance: float,
    tick: Tick,
    **fixed: Any,
) -> tuple[Curve, list[SpecialPoint]]:
    """Special points along one parameter for each value of another, each searched for near where the last ones point.

    The search runs upwards in 24 steps from the lower end of a range, so a range that begins just below the
    extrapolated value and has steps of the extrapolation's uncertainty ends after a step or two. Where nothing is found
    in it the full range is searched.
    """
    points: list[SpecialPoint] = []
    known: list[tuple[float, float]] = []

    def search(value: float, bounds: tuple[float, float]) -> SpecialPoint:
        located = model.locus(of, along, (over, [value]), bounds=bounds, tol=tolerance, **fixed)
        return located.special_points[0]

    for value in over_values:
        narrow = _window(known, value, full)
        point = search(value, narrow or full)
        if not point.converged and narrow:
            point = search(value, full)
        points.append(point)
        if point.converged:
            known.append((value, point.parameters[along]))
        tick()
    converged = np.array([point.converged for point in points])
    found = np.array([point.parameters[along] if point.converged else np.nan for point in points])
    error = np.array([point.error_estimate if point.converged else np.nan for point in points])
    where = [f"{over} = {value:.6g}" for value in over_values]
    notes = _failures(name, where, points) + _warnings(name, where, points)
    return Curve(name, {along: found}, {along: error}, converged, notes), points


def _window(known: list[tuple[float, float]], at: float, full: tuple[float, float]) -> tuple[float, float] | None:
    """Where to look after the known points (value, located): None until two of them allow an extrapolation."""
    if len(known) < 2:
        return None
    (x1, y1), (x2, y2) = known[-2:]
    slope = (y2 - y1) / (x2 - x1)
    guess = y2 + slope * (at - x2)
    doubt = 0.3 * abs(guess - y2)
    if len(known) > 2:
        x0, y0 = known[-3]
        bend = (slope - (y1 - y0) / (x1 - x0)) / (x2 - x0)
        curved = guess + bend * (at - x2) * (at - x1)
        doubt, guess = 0.5 * abs(curved - guess), curved
    doubt += 1e-3 * (abs(guess) + abs(guess - y2)) + 1e-6
    low = max(full[0], guess - doubt)
    return (low, low + 48.0 * doubt)


def along_curve(
    model: Model, observables: Sequence[str], where: Sequence[str], *, name: str, tolerance: float, **parameters: Any
) -> Curve:
    """Observables at a batch of parameter points.

    Args:
        model: the model.
        observables: which observables.
        where: a description of each point, for messages.
        name: what the curve shows, for messages.
        tolerance: wanted absolute error of the free entropy.
        **parameters: values [points], or numbers.
    """
    solution = model.solve(tol=tolerance, **parameters)
    converged = np.array([state.converged for state in solution.states])

    def of(state: State, observable: str) -> float:
        return state.observables.get(observable, np.nan) if state.converged else np.nan

    values = {o: np.array([of(state, o) for state in solution.states]) for o in observables}
    errors = observable_errors(model, solution.states, observables)
    notes = _failures(name, where, solution.states) + _warnings(name, where, solution.states)
    return Curve(name, values, errors, converged, notes)


def observable_errors(model: Model, states: Sequence[State], observables: Sequence[str]) -> dict[str, Array]:
    """Absolute error estimates of observables [points] by name; nan where not converged.

    A state's observables are computed once more with twice the nodes, at the state corrected by one Newton step of the
    finer equations; the change bounds the error of quadrature and of the state together.
    """
    module = model.solver()
    good = [i for i, state in enumerate(states) if state.converged]
    errors = {name: np.full(len(states), np.nan) for name in observables}
    if not good:
        return errors
    x = np.array([[states[i].order_parameters[name] for name in module.ORDER_PARAMETERS] for i in good])
    p = np.array([[states[i].parameters[name] for name in module.PARAMETERS] for i in good])
    system = Bound(module, module.RULE)
    _, _, shift = quadrature_error(system, x, p)
    fine = module.observables(x - shift, p, system.refined().rule)
    for name in observables:
        coarse = np.array([states[i].observables.get(name, np.nan) for i in good])
        errors[name][good] = np.abs(fine[name] - coarse) + 4.0 * np.finfo(float).eps * np.abs(coarse)
    return errors


def _failures(name: str, where: Sequence[str], points: Sequence[State | SpecialPoint]) -> tuple[str, ...]:
    """What did not converge, listed: one message per reason."""
    reasons: dict[str, list[str]] = {}
    for place, point in zip(where, points, strict=True):
        if not point.converged:
            reason = f"{point.failure.reason}; {point.failure.advice}" if point.failure else "no reason given"
            reasons.setdefault(reason, []).append(place)
    return tuple(f"{name}: no value at {', '.join(places)}: {reason}" for reason, places in reasons.items())


def _warnings(name: str, where: Sequence[str], points: Sequence[State | SpecialPoint]) -> tuple[str, ...]:
    """Each kind of warning once for the whole curve: messages that differ in their numbers only are of one kind."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for place, point in zip(where, points, strict=True):
        for warning in point.warnings:
            kinds.setdefault(re.sub(r"[-+\d.e]*\d", "#", warning), []).append((place, warning))
    notes = []
    for found in kinds.values():
        place, warning = found[0]
        more = f" (and at {len(found) - 1} more of {len(points)} points, up to {found[-1][0]})" if len(found) > 1 else ""
        notes.append(f"{name}: at {place}: {warning}{more}")
    return tuple(notes)
