"""``spinodal branch``: output, files, exit status, and one deliberately wrong input per message."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

BAYES = ("branch", "binary-teacher-student", "--ansatz", "bayes-optimal")


def test_a_branch_with_its_special_points(run) -> None:
    outcome = run(*BAYES, "--along", "alpha=0.1:1.6")
    assert outcome.status == 0
    assert "fold" in outcome.out
    assert "1.49263181823" in outcome.out
    assert "metastable" in outcome.out


def test_json_is_one_strict_object(run) -> None:
    outcome = run(*BAYES, "--along", "alpha=0.5:1.6", "--json")
    document = json.loads(outcome.out, parse_constant=pytest.fail)
    assert document["along"] == "alpha"
    assert [point["kind"] for point in document["special_points"]].count("fold") == 1
    assert all(point["converged"] for point in document["points"])
    assert document["points"][0]["stability"] == "stable"


def test_files_hold_the_branch(run, tmp_path) -> None:
    import xarray as xr

    netcdf, table, picture = (tmp_path / f"b.{suffix}" for suffix in ("nc", "csv", "png"))
    assert run(*BAYES, "--along", "alpha=0.5:1.6", "-o", str(netcdf), "--plot", str(picture)).status == 0
    assert run(*BAYES, "--along", "alpha=0.5:1.6", "-o", str(table)).status == 0
    with xr.open_dataset(netcdf, engine="scipy") as data:
        assert data.attrs["model"] == "binary-teacher-student"
        assert "spec_canonical" in data.attrs
        points = data.sizes["point"]
    rows = table.read_text(encoding="utf-8").splitlines()
    assert sum(row.startswith("point,") for row in rows) == points
    assert picture.stat().st_size > 5000


def test_the_inverse_as_an_axis(run, tmp_path) -> None:
    outcome = run("branch", "binary-perceptron", "--along", "1/alpha=1:5", "--plot", str(tmp_path / "b.svg"))
    assert outcome.status == 0
    assert "zero-entropy" in outcome.out


def test_a_resumed_run_gives_the_same_numbers(run, tmp_path) -> None:
    state = str(tmp_path / "state")
    first = run(*BAYES, "--along", "alpha=0.5:1.6", "--checkpoint", state)
    again = run(*BAYES, "--along", "alpha=0.5:1.6", "--checkpoint", state)
    assert first.out == again.out
    other = run(*BAYES, "--along", "alpha=0.5:1.7", "--checkpoint", state)
    assert (other.status, other.out) == (2, "")
    assert "another run" in other.err


def test_nothing_to_start_from(run) -> None:
    outcome = run(*BAYES, "--along", "alpha=50:60", "--json")
    assert outcome.status == 1
    assert json.loads(outcome.out)["points"] == []
    assert "not converged" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--along", "alhpa=0:1"], "--along: alhpa: unknown parameter; did you mean alpha?"),
        (["--along", "kappa"], "--along: kappa: a range is needed"),
        (["--along", "alpha=1:0.5"], "the range is empty"),
        (["--along", "alpha=-1:1"], "-1 is negative"),
        (["--along", "alpha=0.1:1", "--zero", "nosuch"], "--zero: zero:nosuch"),
        (["--along", "alpha=0.1:1", "--stop-at", "fld"], "--stop-at: fld"),
        (["--along", "alpha=0.1:1", "--start", "z=1"], "--start: z: not an order parameter"),
        (["--along", "alpha=0.1:1", "--points", "0"], "--points: 0 is no number of points"),
        (["--along", "alpha=0.1:1", "--step", "-1"], "--step: -1 is no step"),
        (["--along", "alpha=0.1:1", "-o", "x.txt"], "use .nc or .csv"),
        (["--along", "alpha=0.1:1", "--plot", "x.gif"], "the suffix says the format"),
        (["--along", "alpha=0.1:1", "--plot", "x.png", "--y", "zz"], "--y: zz: not on this branch"),
        (["--along", "alpha=0.1:1", "--plot", "x.png", "--distance"], "--distance: only a figure along an overlap"),
    ],
)
def test_bad_input(run, arguments: list[str], message: str) -> None:
    outcome = run("branch", "binary-perceptron", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err


def test_local_entropies_are_drawn_over_the_distance(run, tmp_path: Path) -> None:
    picture = tmp_path / "phi.svg"
    model = ("binary-perceptron", "--ansatz", "real-replicas", "--set", "alpha=0.7")
    outcome = run("branch", *model, "--along", "q1=0.7:0.75", "--plot", str(picture), "--distance")
    assert outcome.status == 0
    assert b"<svg" in picture.read_bytes()
