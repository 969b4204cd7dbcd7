"""Distributions of stabilities y h of typical and atypical solutions, at one alpha, for the plan's first activation."""

from __future__ import annotations

import numpy as np
import xarray as xr

from spinodal.model import Model
from spinodal.numeric.tracking import NoStateError
from spinodal.study.atypical import REPLICAS, TYPICAL, sides, thresholds_at, under
from spinodal.study.curves import single
from spinodal.study.piece import Number, Part, Section, Tick, each_activation
from spinodal.study.plan import Plan


def distributions(model: Model, activation: str, plan: Plan, tick: Tick) -> Part:
    """Densities of y h: of typical solutions, of those of the largest margin, and of real replicas.

    Real replicas are at the distance of the local-entropy transition, alpha is the last of the plan's sides.
    """
    first, second, notes = thresholds_at(plan, activation)
    if not (first.converged and second.converged):
        return Part(xr.Dataset(), (), notes, False)
    alpha, overlap = float(sides(first, second, plan)[-1]), second.order_parameters["q1"]
    at = {"alpha": alpha, "alpha_T": plan.fixed_alpha_T}
    symmetric = under(plan, activation, **TYPICAL)
    margin, more = single(
        symmetric, "zero-entropy", "kappa", plan.kappa_range, name=f"{activation}, largest margin",
        tolerance=plan.tolerance, alpha=alpha, alpha_T=plan.fixed_alpha_T,
    )  # fmt: skip
    notes += more
    found: dict[str, xr.Dataset] = {}
    try:
        found["typical"] = symmetric.stabilities(at)
        grid = found["typical"]["stability"].values
        tick()
        if margin.converged:
            edge = np.array([margin.p - 1e-12, margin.p + 1e-12])
            grid = np.unique(np.concatenate([grid, edge]))
            found["typical"] = symmetric.stabilities(at, at=grid)
            found["largest margin"] = symmetric.stabilities({**at, "kappa": margin.p}, at=grid)
        found["real replicas"] = model.stabilities({**at, "q1": overlap}, at=grid)
        tick()
    except NoStateError as failure:
        return Part(xr.Dataset(), (), (*notes, f"{activation}, stabilities: {failure}"), False)
    data = xr.Dataset(
        {
            "density": (("solution", "stability"), np.stack([one["density"].values for one in found.values()])),
            "density_error": (("solution", "stability"), np.stack([one["density_error"].values for one in found.values()])),
        },
        {"solution": list(found), "stability": grid},
    )
    data = data.assign(alpha=alpha, overlap=overlap, kappa_max=margin.p)
    numbers = []
    for name, one in found.items():
        values = np.where(grid > 0.0, one["density"].values, 0.0)
        beside = int(np.flatnonzero(values > 0.0)[0])
        error = float(one["density_error"].values[beside])
        numbers.append(Number(f"density of y h at the margin, {name}", at, float(values[beside]), error))
    return Part(data, tuple(numbers), notes, margin.converged)


SECTION = Section(
    "stabilities",
    "distributions of stabilities of typical and atypical solutions",
    each_activation(distributions, lambda _plan: 2, REPLICAS, only_first=True),
    "activation",
)
