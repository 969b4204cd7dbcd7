"""Atypical solutions of a student on random features, for one activation (arXiv:2110.00683): the second transition.

Real replicas at mutual overlap q1, infinitely many of them: the local entropy phi(d) at d = (1 - q1)/2 on both sides of the
local-entropy transition, the transition over alpha_T, and the states that are stationary in q1 along 1/alpha. Beside every
curve stands Sigma, the external complexity: where it is negative, the ansatz counts sets of replicas that typical samples
do not have.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr

from spinodal.model import Model, load
from spinodal.numeric.bound import Bound
from spinodal.numeric.module_problem import ModuleProblem
from spinodal.numeric.polish import solve_defining
from spinodal.numeric.results import Array, SpecialPoint
from spinodal.numeric.state_branch import StateBranch
from spinodal.numeric.tracking import NoStateError
from spinodal.study.curves import along_curve, line, single
from spinodal.study.piece import Number, Part, Section, Tick, each_activation
from spinodal.study.plan import Plan
from spinodal.study.typical import with_curve

TRANSITION = "local-entropy-transition"
#: What is kept along curves of real replicas; ``complexity`` is Sigma.
ALONG = ("generalization_error", "generalization_error_barycentre", "complexity", "slope")
#: Names of data that say more than those of observables.
_NAMES = {"free_entropy": "local_entropy", "complexity": "sigma"}
#: Rows of the table.
_AT_FOLD = {
    "q1 at alpha_LE": "q1",
    "local entropy at alpha_LE": "free_entropy",
    "sigma at alpha_LE": "complexity",
    "generalization_error of dense solutions at alpha_LE": "generalization_error",
    "generalization_error of their centre at alpha_LE": "generalization_error_barycentre",
}
TYPICAL = {"scheme": "replica-symmetric"}
REPLICAS = {"scheme": "real-replicas"}
STATIONARY = {"scheme": "real-replicas", "overlap": "extremised"}
BESIDE = {"scheme": "franz-parisi", "kappa_ref": "max"}


def under(plan: Plan, activation: str, **ansatz: Any) -> Model:
    """The study's model with one of its activations, under an ansatz."""
    formula = dict(plan.activations)[activation]
    return load(plan.model, overrides={"student.features.activation": formula, "ansatz": ansatz})


@lru_cache(maxsize=16)
def thresholds_at(plan: Plan, activation: str) -> tuple[SpecialPoint, SpecialPoint, tuple[str, ...]]:
    """Interpolation threshold and local-entropy transition at the fixed alpha_T, and what is to be said about them."""
    known: dict[str, Any] = {"alpha_T": plan.fixed_alpha_T, "tolerance": plan.tolerance}
    typical, dense = under(plan, activation, **TYPICAL), under(plan, activation, **STATIONARY)
    first, notes = single(typical, "zero-entropy", "alpha", plan.alpha_range, name=f"{activation}, alpha_c", **known)
    second, more = single(dense, TRANSITION, "alpha", plan.alpha_range, name=f"{activation}, {TRANSITION}", **known)
    if not second.converged and plan.transition_at[0] < plan.fixed_alpha_T:
        # the transition is easiest to find where the labels are nearly random, and is followed from there
        way = [plan.transition_at[0], plan.fixed_alpha_T]
        _, locus = line(
            dense, TRANSITION, "alpha", "alpha_T", way, plan.alpha_range, name=f"{activation}, {TRANSITION}",
            tolerance=plan.tolerance, tick=lambda: None,
        )  # fmt: skip
        if locus.special_points[-1].converged:
            second, more = locus.special_points[-1], ()
    return first, second, notes + more


def transition(model: Model, activation: str, plan: Plan, tick: Tick) -> Part:
    """The local-entropy transition over alpha_T: the fold of the states that are stationary in q1, one line."""
    curve, locus = line(
        model, TRANSITION, "alpha", "alpha_T", plan.transition_at, plan.alpha_range,
        name=f"{activation}, {TRANSITION}", tolerance=plan.tolerance, tick=tick,
    )  # fmt: skip
    found, error = curve.values["alpha"], curve.errors["alpha"]
    points = locus.special_points

    def of(name: str) -> Array:
        return np.array([point.order_parameters[name] if point.converged else np.nan for point in points])

    phi = np.array([point.free_entropy if point.converged else np.nan for point in points])
    data = xr.Dataset(
        {
            "alpha_LE": ("alpha_T", found),
            "alpha_LE_error": ("alpha_T", error),
            "inverse_alpha_LE": ("alpha_T", 1.0 / found),
            "inverse_alpha_LE_error": ("alpha_T", error / found**2),
            "local_entropy": ("alpha_T", phi),
            **{name: ("alpha_T", of(name)) for name in points[0].order_parameters},
            "converged": ("alpha_T", curve.converged.astype(np.int8)),
        },
        {"alpha_T": np.array(plan.transition_at)},
    )
    data = with_curve(data, locus, {"alpha_T": "alpha_T", "alpha_LE": "alpha"})
    numbers = []
    for i, value in enumerate(plan.transition_at):
        if value in (1.0, plan.fixed_alpha_T):
            at = {"alpha_T": value}
            numbers.append(Number("alpha_LE", at, float(found[i]), float(error[i])))
    return Part(data, tuple(numbers), curve.notes, bool(curve.converged.all()))


def sides(first: SpecialPoint, second: SpecialPoint, plan: Plan) -> Array:
    """Alphas on both sides of the transition, in units of its distance from the interpolation threshold."""
    return second.p + np.array(plan.sides) * (first.p - second.p)


def local_entropy(model: Model, activation: str, plan: Plan, tick: Tick) -> Part:
    """The local entropy from the typical overlap towards d = 0, on both sides of the transition, with errors and Sigma."""
    first, second, notes = thresholds_at(plan, activation)
    if not (first.converged and second.converged):
        return Part(xr.Dataset(), (), notes, False)
    alphas = sides(first, second, plan)
    typical = along_curve(
        under(plan, activation, **TYPICAL), ("free_entropy", "q", *ALONG[:2], "replicon"),
        [f"alpha = {alpha:.6g}" for alpha in alphas], name=f"{activation}, typical solutions", tolerance=plan.tolerance,
        alpha=alphas, alpha_T=np.array(plan.fixed_alpha_T),
    )  # fmt: skip
    share = np.linspace(1.0, 0.0, plan.distances + 1)[:-1] ** 1.5
    low = 0.5 * (1.0 - plan.closest)
    # from the typical distance, where phi is the typical entropy, towards the closest one
    far = 0.5 * (1.0 - typical.values["q"][:, None]) * (1.0 - 1e-9)  # rounding must not put it below the typical overlap
    d = low + (far - low) * np.append(share, 0.0)
    where = [f"alpha = {a:.6g}, d = {x:.4g}" for a, row in zip(alphas, d, strict=True) for x in row]
    curve = along_curve(
        model, ("free_entropy", *ALONG), where, name=f"{activation}, local entropy", tolerance=plan.tolerance,
        alpha=np.repeat(alphas, d.shape[1]), alpha_T=np.array(plan.fixed_alpha_T), q1=1.0 - 2.0 * d.ravel(),
    )  # fmt: skip
    tick()
    grid = ("side", "distance")
    data = xr.Dataset(coords={"side": list(plan.sides), "alpha": ("side", alphas), "d": (grid, d)})
    for name, values in curve.values.items():
        data[_NAMES.get(name, name)] = (grid, values.reshape(d.shape))
        data[f"{_NAMES.get(name, name)}_error"] = (grid, curve.errors[name].reshape(d.shape))
    data["converged"] = (grid, curve.converged.reshape(d.shape).astype(np.int8))
    for name, values in typical.values.items():
        data[f"typical_{name}"] = ("side", values)
    complete = bool(curve.converged.all() and typical.converged.all())
    return Part(data, (), notes + typical.notes + curve.notes, complete)


def stationary(model: Model, activation: str, plan: Plan, tick: Tick) -> Part:
    """Errors of solutions and centres of dense regions along 1/alpha.

    Up to 1/alpha_LE the local entropy has a maximum at a small distance, and a minimum between it and the typical one; both
    are followed from the fold in which they meet. Beyond it phi is monotonic, and the distance of the fold is kept.
    """
    first, second, notes = thresholds_at(plan, activation)
    if not (first.converged and second.converged):
        return Part(xr.Dataset(), (), notes, False)
    fixed = {"alpha_T": plan.fixed_alpha_T}
    try:
        branch = model.branch("alpha", (0.98 * second.p, first.p), fixed, start=second.order_parameters, tol=plan.tolerance)
    except NoStateError as failure:
        return Part(xr.Dataset(), (), (*notes, f"{activation}, stationary overlaps: {failure}"), False)
    tick()
    folds = [i for point, i in zip(branch.special_points, branch.positions, strict=True) if point.kind == "fold"]
    data = xr.Dataset()
    numbers: list[Number] = []
    if len(folds) == 1:
        at_fold, change = _at_fold(model, second)
        data = _both_sides(branch, round(folds[0]), second, at_fold)
        numbers = [Number(text, fixed, float(at_fold[name]), float(change[name])) for text, name in _AT_FOLD.items()]
    else:
        notes += (f"{activation}, stationary overlaps: {len(folds)} folds between the thresholds instead of one",)
    inverse = np.geomspace(1.0 / second.p, plan.largest, plan.points)
    curve = along_curve(
        under(plan, activation, **REPLICAS), ("free_entropy", *ALONG), [f"1/alpha = {value:.6g}" for value in inverse],
        name=f"{activation}, dense regions at the distance of the transition", tolerance=plan.tolerance,
        alpha=1.0 / inverse, alpha_T=np.array(plan.fixed_alpha_T), q1=np.array(second.order_parameters["q1"]),
    )  # fmt: skip
    tick()
    data = data.assign_coords(beyond_inverse_alpha=("beyond", inverse))
    for name, values in curve.values.items():
        data[f"beyond_{_NAMES.get(name, name)}"] = ("beyond", values)
        data[f"beyond_{_NAMES.get(name, name)}_error"] = ("beyond", curve.errors[name])
    return Part(data, tuple(numbers), notes + curve.notes, len(folds) == 1 and bool(curve.converged.all()))


def _at_fold(model: Model, point: SpecialPoint) -> tuple[dict[str, float], dict[str, float]]:
    """The state at the transition, observables included, and their errors: their change when quadrature is refined."""
    module = model.solver()
    column = module.PARAMETERS.index("alpha")
    x = np.array([point.order_parameters[name] for name in module.ORDER_PARAMETERS])
    p = np.array([point.parameters[name] for name in module.PARAMETERS])
    finer = Bound(module, module.RULE.refined())
    again = solve_defining(ModuleProblem(finer, p, (column,)), "fold", "", np.append(x, point.p))
    q = p.copy()
    q[column] = again.u[-1]
    tables = []
    for rule, state, parameters in ((module.RULE, x, p), (finer.rule, again.u[:-1], q)):
        rows = state[None], parameters[None], rule
        table = {name: float(value[0]) for name, value in module.observables(*rows).items()}
        table |= dict(zip(module.ORDER_PARAMETERS, state, strict=True))
        tables.append(table | {"free_entropy": float(module.free_entropy(*rows)[0])})
    values, fine = tables
    return values, {name: abs(fine[name] - value) + 1e-12 for name, value in values.items()}


def _both_sides(branch: StateBranch, fold: int, point: SpecialPoint, at_fold: dict[str, float]) -> xr.Dataset:
    """Maxima and minima of the local entropy over a dimension each, the fold first."""
    names = ("free_entropy", "q1", "generalization_error", "generalization_error_barycentre", "complexity")
    one, other = np.arange(fold, -1, -1), np.arange(fold + 1, len(branch))
    wide, close = sorted((one, other), key=lambda part: float(np.mean(branch["q1"][part])))
    data = xr.Dataset()
    for kind, part in (("maximum", close), ("minimum", wide)):
        part = part[branch.p[part] > point.p * (1.0 + 1e-9)]
        data[f"{kind}_inverse_alpha"] = (kind, np.append(1.0 / point.p, 1.0 / branch.p[part]))
        for name in names:
            values = np.append(at_fold[name], branch[name][part])
            data[f"{kind}_{_NAMES.get(name, name)}"] = (kind, values)
        data = data.assign_coords({kind: np.arange(part.size + 1)})
    return data


_TITLE = "atypical solutions of arXiv:2110.00683: real replicas, y to infinity"
SECTIONS = (
    Section(
        "transition", _TITLE, each_activation(transition, lambda plan: len(plan.transition_at), STATIONARY), "activation"
    ),
    Section("local-entropy", _TITLE, each_activation(local_entropy, lambda _plan: 1, REPLICAS), "activation"),
    Section("dense", _TITLE, each_activation(stationary, lambda _plan: 2, STATIONARY), "activation"),
)
