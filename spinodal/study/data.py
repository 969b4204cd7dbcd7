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
from spinodal.study.piece import Section
from spinodal.study.plan import Plan


def combine(datasets: Mapping[str, xr.Dataset], models: Mapping[str, Model], plan: Plan, section: Section) -> xr.Dataset:
    """One dataset of a section; its attributes tell specs, versions, tolerance and date.

    Args:
        datasets: by the pieces' labels; put together along the section's dimension, or variable beside variable.
        models: by label; their canonical specs are stored as one JSON object.
        plan: the grids.
        section: what they belong to.
    """
    if section.dimension:
        together = xr.concat(
            list(datasets.values()), dim=section.dimension, join="outer", data_vars="all", coords="different",
            compat="equals",
        )  # fmt: skip
        together = together.assign_coords({section.dimension: list(datasets)})
    else:
        together = xr.merge(list(datasets.values()), join="exact", compat="no_conflicts")
    ansatz = sorted({model.ansatz for model in models.values()})
    return together.assign_attrs(
        title=f"{section.name}: {section.title}",
        model=", ".join(sorted({model.name for model in models.values()})),
        ansatz=", ".join(ansatz),
        spec=json.dumps({name: json.loads(canonical_json(models[name].spec)) for name in datasets}, sort_keys=True),
        plan=repr(plan),
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
