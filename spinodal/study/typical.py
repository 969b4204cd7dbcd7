"""Typical solutions of a student on random features, for one activation: thresholds, errors, margins (arXiv:2110.00683)."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from spinodal.model import Model
from spinodal.numeric.results import Array, Locus, SpecialPoint
from spinodal.study.curves import Curve, along_curve, line, observed, single
from spinodal.study.piece import Number, Part, Section, Tick, each_activation
from spinodal.study.plan import Plan

_ERRORS = ("generalization_error", "generalization_error_barycentre")


def inverse_alphas(plan: Plan, threshold: float) -> Array:
    """Values of 1/alpha [points] from the threshold on: geometric, so dense at the threshold, with those of the table."""
    even = np.geomspace(threshold, plan.largest, plan.points)
    listed = [value for value in (*plan.entropy_at, 2.0) if threshold < value <= plan.largest]
    # A listed value takes the place of its nearest neighbour: the number of points stays what it is.
    for value in dict.fromkeys(listed):
        inner = np.abs(np.log(even / value))
        inner[0] = np.inf
        even[int(np.argmin(inner))] = value
    return np.sort(even)


def thresholds(model: Model, activation: str, plan: Plan, tick: Tick) -> Part:
    """Interpolation thresholds over alpha_T: where the typical entropy vanishes, one line."""
    curve, locus = line(
        model, "zero-entropy", "alpha", "alpha_T", plan.alpha_T, plan.alpha_range,
        name=f"{activation}, interpolation threshold", tolerance=plan.tolerance, tick=tick,
    )  # fmt: skip
    found, error = curve.values["alpha"], curve.errors["alpha"]
    data = xr.Dataset(
        {
            "alpha_c": ("alpha_T", found),
            "alpha_c_error": ("alpha_T", error),
            "inverse_alpha_c": ("alpha_T", 1.0 / found),
            "inverse_alpha_c_error": ("alpha_T", error / found**2),
            "converged": ("alpha_T", curve.converged.astype(np.int8)),
            **_order_parameters(locus.special_points, "alpha_T"),
        },
        {"alpha_T": np.array(plan.alpha_T)},
    )
    data = with_curve(data, locus, {"alpha_T": "alpha_T", "alpha_c": "alpha"})
    numbers = [
        Number("alpha_c", {"alpha_T": value}, float(found[i]), float(error[i]))
        for i, value in enumerate(plan.alpha_T)
        if value in (1.0, 3.0)
    ]
    return Part(data, tuple(numbers), curve.notes, bool(curve.converged.all()))


def _order_parameters(points: tuple[SpecialPoint, ...], dimension: str) -> dict[str, Any]:
    return {
        name: (dimension, np.array([point.order_parameters[name] if point.converged else np.nan for point in points]))
        for name in points[0].order_parameters
    }


def with_curve(data: xr.Dataset, locus: Locus, names: dict[str, str]) -> xr.Dataset:
    """The data with the points of the continuation themselves, as ``curve_NAME`` over ``curve``: what figures draw."""
    if locus.curve is None:
        return data
    curve = locus.curve
    columns = {f"curve_{name}": ("curve", np.asarray(curve[source])) for name, source in names.items()}
    return data.assign(columns).assign_coords(curve=np.arange(len(curve)))


def _threshold(model: Model, activation: str, plan: Plan) -> tuple[SpecialPoint, tuple[str, ...]]:
    """The interpolation threshold at the fixed alpha_T."""
    name = f"{activation}, interpolation threshold"
    return single(
        model, "zero-entropy", "alpha", plan.alpha_range, name=name, tolerance=plan.tolerance, alpha_T=plan.fixed_alpha_T
    )


def _start(threshold: SpecialPoint) -> float:
    """Where curves along 1/alpha begin; without a threshold, at 1."""
    return 1.0 / threshold.p if threshold.converged else 1.0


def errors(model: Model, activation: str, plan: Plan, tick: Tick) -> Part:
    """Generalization errors of a typical solution and of the barycentre of solutions, along 1/alpha."""
    threshold, notes = _threshold(model, activation, plan)
    inverse = inverse_alphas(plan, _start(threshold))
    curve = along_curve(
        model, (*_ERRORS, "entropy", "replicon"), [f"1/alpha = {value:.6g}" for value in inverse],
        name=f"{activation}, generalization errors", tolerance=plan.tolerance,
        alpha=1.0 / inverse, alpha_T=np.array(plan.fixed_alpha_T),
    )  # fmt: skip
    tick()
    data = xr.Dataset({"converged": ("point", curve.converged.astype(np.int8))}, {"inverse_alpha": ("point", inverse)})
    numbers = []
    shift = threshold.error_estimate / threshold.p**2
    for name, values in curve.values.items():
        data[name] = ("point", values)
        data[f"{name}_error"] = ("point", curve.errors[name])
        if name in _ERRORS:
            slope = abs(float((values[1] - values[0]) / (inverse[1] - inverse[0])))
            at = {"alpha_T": plan.fixed_alpha_T}
            numbers.append(Number(f"{name} at alpha_c", at, float(values[0]), float(curve.errors[name][0]) + slope * shift))
            numbers += _at(name, curve, inverse, 2.0, at)
    return Part(data, tuple(numbers), notes + curve.notes, threshold.converged and _complete(curve))


def _at(name: str, curve: Curve, inverse: Array, value: float, parameters: dict[str, float]) -> list[Number]:
    """The number of a curve at 1/alpha = value, if the curve has that point."""
    found = np.flatnonzero(inverse == value)
    return [
        Number(name, {"1/alpha": value, **parameters}, float(curve.values[name][i]), float(curve.errors[name][i]))
        for i in found[:1]
    ]


def margins(model: Model, activation: str, plan: Plan, tick: Tick) -> Part:
    """The largest margin of typical solutions along 1/alpha, and entropy against margin at a few 1/alpha."""
    threshold, notes = _threshold(model, activation, plan)
    inverse = inverse_alphas(plan, _start(threshold))
    largest, locus = line(
        model, "zero-entropy", "kappa", "1/alpha", inverse.tolist(), plan.kappa_range,
        name=f"{activation}, largest margin", tolerance=plan.tolerance, tick=tick, alpha_T=plan.fixed_alpha_T,
    )  # fmt: skip
    kappa_max = largest.values["kappa"]
    data = xr.Dataset(
        {
            "kappa_max": ("point", kappa_max),
            "kappa_max_error": ("point", largest.errors["kappa"]),
            "kappa_max_converged": ("point", largest.converged.astype(np.int8)),
            **_order_parameters(locus.special_points, "point"),
        },
        {"inverse_alpha": ("point", inverse)},
    )
    data = with_curve(data, locus, {"alpha": "alpha", "kappa_max": "kappa"})
    at = {"alpha_T": plan.fixed_alpha_T}
    numbers = [Number("kappa_max at alpha_c", at, float(kappa_max[0]), float(largest.errors["kappa"][0]))]
    for i in np.flatnonzero(inverse == 2.0)[:1]:
        error = float(largest.errors["kappa"][i])
        numbers.append(Number("kappa_max", {"1/alpha": 2.0, **at}, float(kappa_max[i]), error))

    chosen = [value for value in plan.entropy_at if np.isfinite(_value_at(inverse, kappa_max, value))]
    ends = np.array([_value_at(inverse, kappa_max, value) for value in chosen])
    # Denser towards kappa_max, where the curves are steepest.
    kappas = ends[:, None] * (1.0 - np.linspace(1.0, 0.0, plan.margins) ** 1.5)
    where = [f"1/alpha = {a:g}, kappa = {k:.6g}" for a, row in zip(chosen, kappas, strict=True) for k in row]
    curve = along_curve(
        model, ("entropy", "replicon"), where, name=f"{activation}, entropy against margin", tolerance=plan.tolerance,
        alpha=np.repeat(1.0 / np.array(chosen), plan.margins), alpha_T=np.array(plan.fixed_alpha_T),
        kappa=kappas.ravel(),
    )  # fmt: skip
    tick()
    grid = ("inverse_alpha_shown", "margin")
    data = data.assign_coords(inverse_alpha_shown=chosen, kappa=(grid, kappas))
    for name, values in curve.values.items():
        data[name] = (grid, values.reshape(kappas.shape))
        data[f"{name}_error"] = (grid, curve.errors[name].reshape(kappas.shape))
    data["converged"] = (grid, curve.converged.reshape(kappas.shape).astype(np.int8))
    if 2.0 in chosen:
        i = chosen.index(2.0) * plan.margins
        entropy, error = float(curve.values["entropy"][i]), float(curve.errors["entropy"][i])
        numbers.insert(0, Number("entropy", {"1/alpha": 2.0, "kappa": 0.0, **at}, entropy, error))
    robust, changes = observed(model, locus.special_points, _ERRORS)
    for name, values in robust.items():
        data[f"{name}_kappa_max"] = ("point", values)
        data[f"{name}_kappa_max_error"] = ("point", changes[name])
    complete = threshold.converged and _complete(largest, curve)
    return Part(data, tuple(numbers), notes + largest.notes + curve.notes, complete)


def _complete(*curves: Curve) -> bool:
    return all(bool(curve.converged.all()) for curve in curves)


def _value_at(inverse: Array, values: Array, at: float) -> float:
    found = np.flatnonzero(inverse == at)
    return float(values[found[0]]) if found.size else float("nan")


_TITLE = "typical solutions of arXiv:2110.00683"
#: The parts of the study that are made for each activation.
SECTIONS = (
    Section("thresholds", _TITLE, each_activation(thresholds, lambda plan: len(plan.alpha_T)), "activation"),
    Section("errors", _TITLE, each_activation(errors, lambda plan: 1), "activation"),
    Section("margins", _TITLE, each_activation(margins, lambda plan: 1 + plan.points), "activation"),
)
