"""Data files of results: NetCDF with everything needed to repeat the run, CSV with the numbers alone."""

from __future__ import annotations

import csv
import math
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from spinodal.numeric.results import Locus
from spinodal.spec import Spec, canonical_json

if TYPE_CHECKING:
    import xarray as xr

    from spinodal.numeric.state_branch import StateBranch

_VERSIONS = ("spinodal", "numpy", "scipy", "sympy", "xarray")


def provenance(spec: Spec, tolerance: float) -> dict[str, str | float]:
    """What a data file says about its origin: the spec, the versions, the tolerance."""
    versions = {f"version_{name}": version(name) for name in _VERSIONS}
    file = spec.origin.file.text if spec.origin is not None else None
    changes = spec.origin.overrides if spec.origin is not None else ()
    return {
        "spec": file or "",
        "spec_overrides": "\n".join(f"{change.name}={change.text}" for change in changes),
        "spec_canonical": canonical_json(spec),
        "tolerance": tolerance,
        "version_python": platform.python_version(),
        **versions,
    }


def save_netcdf(locus: Locus, spec: Spec, tolerance: float, path: Path) -> None:
    """Write the points as NetCDF (version 3), spec, versions and tolerance among the attributes."""
    dataset = locus.to_xarray().assign_attrs(provenance(spec, tolerance))
    dataset.to_netcdf(path, engine="scipy")


def save_csv(locus: Locus, path: Path) -> None:
    """Write the points as CSV: a row for each, every digit, empty cells where there is no number."""
    first = locus.special_points[0]
    header = ["kind", *first.parameters, "error_estimate", "converged", "free_entropy", *first.order_parameters]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        for point in locus.special_points:
            numbers = [*map(_cell, point.parameters.values()), _cell(point.error_estimate)]
            rest = [_cell(point.free_entropy), *map(_cell, point.order_parameters.values())]
            writer.writerow([point.kind, *numbers, str(point.converged).lower(), *rest])


def save_branch_netcdf(branch: StateBranch, spec: Spec, tolerance: float, path: Path) -> None:
    """Write a branch as NetCDF (version 3), spec, versions and tolerance among the attributes."""
    dataset = branch.to_xarray().assign_attrs(provenance(spec, tolerance))
    dataset.to_netcdf(path, engine="scipy")


def save_branch_csv(branch: StateBranch, path: Path) -> None:
    """Write a branch as CSV: a row for each point, then one for each special point; every digit."""
    first = branch.states[0]
    header = ["kind", *first.parameters, "error_estimate", "stability", "free_entropy", *first.order_parameters]
    names = list(dict.fromkeys(name for state in branch.states for name in state.observables))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*header, *names])
        for state in branch.states:
            numbers = [*map(_cell, state.parameters.values()), _cell(state.error_estimate), state.stability]
            rest = [_cell(state.free_entropy), *map(_cell, state.order_parameters.values())]
            writer.writerow(["point", *numbers, *rest, *(_cell(state.observables.get(name, math.nan)) for name in names)])
        for point in branch.special_points:
            numbers = [*map(_cell, point.parameters.values()), _cell(point.error_estimate), ""]
            rest = [_cell(point.free_entropy), *map(_cell, point.order_parameters.values())]
            writer.writerow([point.kind, *numbers, *rest, *("" for _ in names)])


def save_table(dataset: xr.Dataset, spec: Spec, tolerance: float, path: Path) -> None:
    """Write a dataset over one dimension: NetCDF (version 3) with spec, versions and tolerance, or CSV."""
    if path.suffix.lower() != ".csv":
        dataset.assign_attrs(provenance(spec, tolerance)).to_netcdf(path, engine="scipy")
        return
    columns = {name: dataset[name].values for name in (*dataset.coords, *dataset.data_vars)}
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))


def _cell(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else ""
