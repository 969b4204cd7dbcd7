"""The study on tiny grids: what is written, what is printed, and that its numbers are those of the references."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import xarray as xr

from spinodal import SpecError
from spinodal.study import Plan, reproduce
from spinodal.study.curves import _warnings, zeros
from spinodal.study.parts import inverse_alphas
from spinodal.study.table import show

#: Two activations of one formula: all that several activations need, with one derivation.
PLAN = Plan(
    activations=(("sign", "sign(x)"), ("again", "sign(x)")),
    alpha_T=(1.0, 3.0),
    points=5,
    margins=4,
    entropy_at=(1.0, 2.0),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return folder, reproduce(folder, quiet=True, plan=PLAN)


def value(summary, quantity, activation="sign", **parameters):
    (row,) = (
        row
        for row in summary["rows"]
        if row["quantity"] == quantity
        and row["activation"] == activation
        and row["parameters"].items() >= parameters.items()
    )
    return row


def test_numbers_agree_with_the_references(run):
    _, summary = run
    assert summary["converged"]
    compared = [row for row in summary["rows"] if row["reference"] is not None]
    assert len(compared) == 7
    assert all(row["agrees"] for row in compared)
    assert value(summary, "alpha_c", alpha_T=3.0)["value"] == pytest.approx(1.139622, abs=1e-6)


def test_every_number_exists_with_a_small_error_estimate(run):
    _, summary = run
    for row in summary["rows"]:
        assert math.isfinite(row["value"])
        assert 0.0 <= row["error_estimate"] < 1e-9
    json.dumps(summary, allow_nan=False)


def test_physics_of_the_curves(run):
    folder, _ = run
    errors = xr.open_dataset(folder / "data" / "errors.nc", engine="scipy")
    assert (errors["generalization_error_barycentre"] <= errors["generalization_error"]).all()
    assert (errors["generalization_error"].diff("point") < 0).all()
    assert abs(errors["entropy"].isel(point=0)).max() < 1e-10
    margins = xr.open_dataset(folder / "data" / "margins.nc", engine="scipy")
    assert abs(margins["kappa_max"].isel(point=0)).max() < 1e-10
    assert (margins["kappa_max"].diff("point") > 0).all()
    assert (margins["entropy"].diff("margin") < 0).all()
    assert abs(margins["entropy"].isel(margin=-1)).max() < 1e-10
    thresholds = xr.open_dataset(folder / "data" / "thresholds.nc", engine="scipy")
    assert (thresholds["inverse_alpha_c"].diff("alpha_T") < 0).all()


def test_data_say_what_they_are(run):
    folder, _ = run
    for part in ("thresholds", "errors", "margins"):
        data = xr.open_dataset(folder / "data" / f"{part}.nc", engine="scipy")
        assert list(data["activation"].values) == ["sign", "again"]
        spec = json.loads(data.attrs["spec"])
        assert spec["again"]["student"]["activation"] == {"formula": "sign(x)"}
        for key in ("spinodal_version", "sympy_version", "numpy_version", "date", "tolerance", "ansatz", "model"):
            assert data.attrs[key]


def test_figures_are_drawn(run):
    folder, summary = run
    names = {"interpolation-threshold", "generalization-errors", "largest-margin", "entropy-margin", "interpolation"}
    figures = folder / "figures"
    assert {path.stem for path in figures.iterdir()} == names
    for name in names:
        assert (figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (figures / f"{name}.svg").read_bytes()
    assert sorted(summary["files"]) == sorted(str(path) for path in folder.rglob("*") if path.is_file())


def test_table_is_deterministic_and_has_no_nan(run, tmp_path, capsys):
    folder, summary = run
    again = reproduce(tmp_path, name="thresholds", quiet=True, plan=PLAN)
    printed = capsys.readouterr()
    assert printed.out == (tmp_path / "table.txt").read_text(encoding="utf-8")
    assert printed.err == ""
    assert again["rows"] == [row for row in summary["rows"] if row["quantity"] == "alpha_c"]
    table = (folder / "table.txt").read_text(encoding="utf-8")
    assert "nan" not in table
    assert "inf" not in table
    assert "DIFFERS" not in table
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"thresholds.nc"}


def test_unknown_part_is_refused(tmp_path):
    with pytest.raises(SpecError, match=r"treshold.*did you mean thresholds\?"):
        reproduce(tmp_path / "none", name="treshold")
    with pytest.raises(SpecError, match="use one of thresholds, errors, margins"):
        reproduce(tmp_path / "none", name="xyz")
    assert not (tmp_path / "none").exists()


class _Point:
    def __init__(self, *warnings):
        self.warnings = warnings


def test_warnings_are_told_once_for_a_curve():
    points = [_Point(), _Point("replicon = -0.1 < 0: unstable"), _Point("replicon = -2e-05 < 0: unstable"), _Point("other")]
    notes = _warnings("curve", ["a", "b", "c", "d"], points)
    assert notes == (
        "curve: at b: replicon = -0.1 < 0: unstable (and at 1 more of 4 points, up to c)",
        "curve: at d: other",
    )


class _Missing:
    """A model in which nothing is ever located."""

    def locus(self, of, along, over, *, bounds, tol, **fixed):
        from spinodal.numeric.results import Failure, Locus, SpecialPoint

        nan = float("nan")
        point = SpecialPoint(
            of, {along: nan, over[0]: over[1][0]}, {}, nan, nan, False, Failure("no zero", "look elsewhere")
        )
        return Locus("m", "a", of, along, over[0], (point,))


def test_missing_points_are_gaps_and_listed():
    curve, _ = zeros(
        _Missing(),
        "zero-entropy",
        "alpha",
        "alpha_T",
        [1.0, 2.0],
        (0.1, 1.0),
        name="curve",
        tolerance=1e-8,
        tick=lambda: None,
    )
    assert np.isnan(curve.values["alpha"]).all()
    assert not curve.converged.any()
    assert curve.notes == ("curve: no value at alpha_T = 1, alpha_T = 2: no zero; look elsewhere",)


def test_grid_begins_at_the_threshold_and_holds_the_listed_points():
    grid = inverse_alphas(Plan(), 0.877)
    assert grid[0] == 0.877
    assert grid[-1] == 5.0
    assert len(grid) == Plan().points
    assert (np.diff(grid) > 0).all()
    assert set(Plan().entropy_at) <= set(grid)


@pytest.mark.parametrize(
    ("number", "error", "text"),
    [
        (1.13962156581, 3e-14, "1.13962157"),
        (1.13962156581, 3e-5, "1.1396"),
        (-1e-16, 1e-15, "0.00000000"),
        (None, None, "-"),
        (12.3, 2.0, "12.3 ± 2"),
    ],
)
def test_digits_are_justified(number, error, text):
    assert show(number, error) == text
