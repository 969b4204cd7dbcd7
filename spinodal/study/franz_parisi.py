"""Local entropy around solutions of a given margin (Franz-Parisi), for the first activation of the random-features model."""

from __future__ import annotations

import numpy as np
import xarray as xr

from spinodal.model import Model
from spinodal.spec.coupled import given_margin
from spinodal.study.atypical import BESIDE, TYPICAL, sides, thresholds_at, under
from spinodal.study.curves import along_curve
from spinodal.study.piece import Part, Section, Tick, each_activation
from spinodal.study.plan import Plan

_ALONG = ("generalization_error", "generalization_error_barycentre", "slope")
_REFERENCE = ("replicon", "replicon_ref", "entropy_ref", "generalization_error_ref")


def around(model: Model, activation: str, plan: Plan, tick: Tick) -> Part:
    """The local entropy around typical solutions and around those of the largest margin, on both sides of the transition.

    The distance is that between reference and solution, d = (1 - t)/2. It begins at the distance of typical solutions from
    one another, and ends where typical references are isolated (their branch ends a little closer), while those of the
    largest margin are followed on. Stability of reference and solutions: their replicons.
    """
    symmetric = under(plan, activation, **TYPICAL)
    first, second, notes = thresholds_at(plan, activation)
    if not (first.converged and second.converged):
        return Part(xr.Dataset(), (), notes, False)
    chosen = sides(first, second, plan)[[0, -1]]
    typical = along_curve(
        symmetric, ("q",), [f"alpha = {alpha:.6g}" for alpha in chosen], name=f"{activation}, typical solutions",
        tolerance=plan.tolerance, alpha=chosen, alpha_T=np.array(plan.fixed_alpha_T),
    )  # fmt: skip
    low = 0.5 * (1.0 - np.array([plan.nearest, plan.nearest_of_largest]))[:, None, None]
    far = 0.5 * (1.0 - typical.values["q"][:, None])
    share = np.linspace(1.0, 0.0, plan.around) ** 1.5
    d = low + (far - low) * share  # [reference, side, distance]
    given = Model(given_margin(model.spec))
    grid = ("reference", "side", "distance")
    shape = d.shape
    names = ("free_entropy", *_ALONG, *_REFERENCE)
    table = {name: np.full(shape, np.nan) for name in (*names, *(f"{name}_error" for name in names), "kappa_ref")}
    complete = True
    for i, (label, which) in enumerate((("typical", given), ("largest margin", model))):
        margin = {"kappa_ref": np.array(0.0)} if which is given else {}
        shown = names if which is given else (*names, "kappa_ref")
        where = [f"alpha = {a:.6g}, d = {x:.4g}" for a, row in zip(chosen, d[i], strict=True) for x in row]
        curve = along_curve(
            which, shown, where, name=f"{activation}, Franz-Parisi, {label} references", tolerance=plan.tolerance,
            alpha=np.repeat(chosen, d.shape[2]), alpha_T=np.array(plan.fixed_alpha_T), t=1.0 - 2.0 * d[i].ravel(), **margin,
        )  # fmt: skip
        tick()
        for name in names:
            table[name][i] = curve.values[name].reshape(d.shape[1:])
            table[f"{name}_error"][i] = curve.errors[name].reshape(d.shape[1:])
        table["kappa_ref"][i] = curve.values["kappa_ref"].reshape(d.shape[1:]) if "kappa_ref" in shown else 0.0
        notes += curve.notes
        complete = complete and bool(curve.converged.all())
    data = xr.Dataset(
        {name.replace("free_entropy", "local_entropy"): (grid, values) for name, values in table.items()},
        {
            "reference": ["typical", "largest margin"],
            "side": [plan.sides[0], plan.sides[-1]],
            "alpha": ("side", chosen),
            "d": (grid, d),
        },
    )
    return Part(data, (), notes, complete)


SECTION = Section(
    "franz-parisi",
    "local entropy around typical and maximum-margin solutions",
    each_activation(around, lambda _plan: 2, BESIDE, only_first=True),
    "activation",
)
