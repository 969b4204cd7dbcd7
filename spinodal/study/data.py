"""The study's data on disk: one NetCDF file for each part, with everything needed to know what the numbers are."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import xarray as xr

from spinodal.model import Model
from spinodal.spec import canonical_json
from spinodal.study.plan import Plan

_SOURCE = "typical solutions of arXiv:2110.00683"


def combine(datasets: Mapping[str, xr.Dataset], models: Mapping[str, Model], plan: Plan, part: str) -> xr.Dataset:
    """One dataset with dimension ``activation``; its attributes tell specs, versions, tolerance and date.

    Args:
        datasets: by activation.
        models: by activation; their canonical specs are stored as one JSON object.
        plan: the grids.
        part: the part's name.
    """
    together = xr.concat(
        list(datasets.values()), dim="activation", join="outer", data_vars="all", coords="different", compat="equals"
    )
    together = together.assign_coords(activation=list(datasets))
    return together.assign_attrs(
        title=f"{part}: {_SOURCE}",
        model=plan.model,
        ansatz=next(iter(models.values())).ansatz,
        spec=json.dumps({name: json.loads(canonical_json(models[name].spec)) for name in datasets}, sort_keys=True),
        alpha_T=plan.fixed_alpha_T if part != "thresholds" else "varied",
        tolerance=plan.tolerance,
        spinodal_version=version("spinodal"),
        sympy_version=version("sympy"),
        numpy_version=version("numpy"),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def write(data: xr.Dataset, path: Path) -> Path:
    """Write a NetCDF file beside its place and move it there when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        data.to_netcdf(temporary, engine="scipy")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_text(text: str, path: Path) -> Path:
    """Write a text file beside its place and move it there when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
