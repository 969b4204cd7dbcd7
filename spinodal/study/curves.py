"""The study's curves: special points along one parameter over another, and observables along a parameter.

Only names of parameters and observables appear here; the formulas are those of the derivation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinodal.model import Model
from spinodal.numeric.bound import Bound
from spinodal.numeric.finish import quadrature_error
from spinodal.numeric.quadrature import Rule
from spinodal.numeric.results import Array, Locus, SpecialPoint, State
from spinodal.study.piece import Tick


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


def line(
    model: Model,
    of: str,
    along: str,
    over: str,
    over_values: Sequence[float],
    bounds: tuple[float, float],
    *,
    name: str,
    tolerance: float,
    tick: Tick,
    **fixed: float,
) -> tuple[Curve, Locus]:
    """A line of special points: one locus over a second parameter, read off at given values of it.

    Args:
        model: the model.
        of: the kind of special point.
        along: the parameter that is located.
        over: the second parameter; ``1/NAME`` is allowed.
        over_values: its values [points].
        bounds: range of the located parameter.
        name: what the line shows, for messages.
        tolerance: wanted absolute error.
        tick: called once for each value.
        **fixed: the other parameters.

    Returns:
        Values and errors of the located parameter, and the locus with its points and its curve.
    """
    values = [float(value) for value in over_values]
    told = 0

    def progress(count: int) -> None:
        nonlocal told
        for _ in range(count - told):
            tick()
        told = max(told, count)

    locus = model.locus(of, along, (over, values), fixed, bounds=bounds, tol=tolerance, progress=progress)
    points = locus.special_points
    converged = np.array([point.converged for point in points])
    found = np.array([point.parameters[along] if point.converged else np.nan for point in points])
    error = np.array([point.error_estimate if point.converged else np.nan for point in points])
    where = [f"{over} = {value:.6g}" for value in values]
    notes = _failures(name, where, points) + _warnings(name, where, points)
    return Curve(name, {along: found}, {along: error}, converged, notes), locus


def single(
    model: Model,
    of: str,
    along: str,
    bounds: tuple[float, float],
    *,
    name: str,
    tolerance: float,
    rule: Rule | None = None,
    **fixed: float,
) -> tuple[SpecialPoint, tuple[str, ...]]:
    """One special point along a parameter, and what is to be said about it."""
    (point,) = model.locus(of, along, None, fixed, bounds=bounds, tol=tolerance, rule=rule).special_points
    where = [", ".join(f"{key} = {value:.6g}" for key, value in fixed.items())]
    return point, _failures(name, where, [point]) + _warnings(name, where, [point])


def along_curve(
    model: Model, observables: Sequence[str], where: Sequence[str], *, name: str, tolerance: float, **parameters: Any
) -> Curve:
    """Observables at a batch of parameter points.

    Args:
        model: the model.
        observables: which observables, order parameters or ``free_entropy``.
        where: a description of each point, for messages.
        name: what the curve shows, for messages.
        tolerance: wanted absolute error of the free entropy.
        **parameters: values [points], or numbers.
    """
    solution = model.solve(tol=tolerance, **parameters)
    converged = np.array([state.converged for state in solution.states])

    def of(state: State, observable: str) -> float:
        known = observable == "free_entropy" or observable in {**state.order_parameters, **state.observables}
        return state[observable] if state.converged and known else np.nan

    values = {o: np.array([of(state, o) for state in solution.states]) for o in observables}
    errors = observable_errors(model, solution.states, observables)
    notes = _failures(name, where, solution.states) + _warnings(name, where, solution.states)
    return Curve(name, values, errors, converged, notes)


def observed(
    model: Model, points: Sequence[SpecialPoint], observables: Sequence[str]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Observables and their absolute errors at special points [points] by name; nan where not located."""
    module = model.solver()
    states = []
    for point in points:
        table: dict[str, float] = {}
        if point.converged:
            x = np.array([[point.order_parameters[name] for name in module.ORDER_PARAMETERS]])
            p = np.array([[point.parameters[name] for name in module.PARAMETERS]])
            table = {name: float(value[0]) for name, value in module.observables(x, p).items()}
        located = point.parameters, point.order_parameters, point.free_entropy
        states.append(State(*located, table, point.converged, point.error_estimate, 0.0))
    values = {name: np.array([state.observables.get(name, np.nan) for state in states]) for name in observables}
    return values, observable_errors(model, states, observables)


def observable_errors(model: Model, states: Sequence[State], observables: Sequence[str]) -> dict[str, Array]:
    """Absolute error estimates of observables, order parameters, ``free_entropy`` [points] by name; nan if not converged.

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
        if name == "free_entropy":
            errors[name][good] = [states[i].error_estimate for i in good]
            continue
        coarse = np.array([{**states[i].observables, **states[i].order_parameters}.get(name, np.nan) for i in good])
        if name in module.ORDER_PARAMETERS:
            change = np.abs(shift[:, module.ORDER_PARAMETERS.index(name)])
        else:
            change = np.abs(fine.get(name, np.full(len(good), np.nan)) - coarse)
        errors[name][good] = change + 4.0 * np.finfo(float).eps * np.abs(coarse)
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
