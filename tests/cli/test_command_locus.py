"""``locus``: points, grids, files, pictures, mistakes."""

import csv
from pathlib import Path

import pytest
import xarray as xr

from spinodal import __version__

LOCUS = ("locus", "binary-perceptron", "--of", "zero-entropy", "--along")
CAPACITY = 0.8330785997


def test_a_single_point_is_the_contract_s_json(run) -> None:
    outcome = run(*LOCUS, "alpha", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    document = outcome.json()
    assert document["model"] == "binary-perceptron"
    assert document["ansatz"] == "replica-symmetric"
    (point,) = document["special_points"]
    assert list(point) == ["kind", "parameters", "order_parameters", "free_entropy", "error_estimate", "converged"]
    assert point["kind"] == "zero-entropy"
    assert point["converged"] is True
    assert point["parameters"] == {"alpha": pytest.approx(CAPACITY, abs=5e-11), "kappa": 0.0}
    assert 0 < point["error_estimate"] < 1e-9


def test_along_the_inverse(run) -> None:
    (point,) = run(*LOCUS, "1/alpha=0.8:3", "--json").json()["special_points"]
    assert point["parameters"]["alpha"] == pytest.approx(CAPACITY, abs=5e-11)


def test_a_grid_with_its_files(run, tmp_path: Path) -> None:
    data, table, plot = tmp_path / "points.nc", tmp_path / "points.csv", tmp_path / "points.png"
    grid = ("alpha", "--over", "kappa=0:0.5:2", "--tol", "1e-9")
    outcome = run(*LOCUS, *grid, "-o", str(data), "--plot", str(plot))
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[2].split() == ["kappa", "alpha", "error", "q", "free_entropy"]
    assert float(lines[4].split()[1]) == pytest.approx(0.4556645645, abs=5e-11)
    assert plot.read_bytes().startswith(b"\x89PNG")
    with xr.open_dataset(data, engine="scipy") as saved:
        assert saved["kappa"].values == pytest.approx([0.0, 0.5])
        assert saved["alpha"].values == pytest.approx([CAPACITY, 0.4556645645])
        assert 'weights = "binary"' in saved.attrs["spec"]
        assert saved.attrs["spec_canonical"].startswith("{")
        assert saved.attrs["version_spinodal"] == __version__
        assert saved.attrs["tolerance"] == 1e-9
    assert run(*LOCUS, *grid, "-o", str(table)).status == 0
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["kappa"]) for row in rows] == [0.0, 0.5]
    assert float(rows[0]["alpha"]) == pytest.approx(CAPACITY, abs=5e-11)
    assert rows[0]["converged"] == "true"
    assert sorted(tmp_path.iterdir()) == sorted([data, table, plot])


def test_a_point_that_is_not_there(run, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    outcome = run(*LOCUS, "alpha=0.1:0.2", "-o", str(path))
    assert outcome.status == 1
    assert "nan" not in outcome.out
    assert "not converged: " in outcome.err
    assert "advice: " in outcome.err
    assert "nan" not in path.read_text(encoding="utf-8")
    outcome = run(*LOCUS, "alpha=0.1:0.2", "--json")
    (point,) = outcome.json()["special_points"]
    assert outcome.status == 1
    assert point["converged"] is False
    assert point["parameters"]["alpha"] is None
    assert point["reason"]


def test_a_value_for_what_is_varied_is_a_note(run) -> None:
    outcome = run(*LOCUS, "alpha", "--set", "alpha=3", "kappa=0.5", "--json")
    assert outcome.err == "note: --set alpha is not used: alpha is varied\n"
    (point,) = outcome.json()["special_points"]
    assert point["parameters"]["alpha"] == pytest.approx(0.4556645645, abs=5e-11)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--of", "capacty", "--along", "alpha"], "did you mean capacity?"),
        (["--of", "saddle", "--along", "alpha"], "not a kind of special point that this version locates"),
        (["--of", "zero:", "--along", "alpha"], "zero:NAME takes one of"),
        (["--of", "zero:entrpy", "--along", "alpha"], "--of: zero:entrpy: not an observable; did you mean entropy?"),
        (["--of", "zero:generalization_error", "--along", "alpha"], "NAME being one of entropy"),
        (["--of", "capacity", "--along", "alhpa"], "--along: alhpa: unknown parameter; did you mean alpha?"),
        (["--of", "capacity", "--along", "kappa"], "--along: kappa: a range is needed"),
        (["--of", "capacity", "--along", "alpha=-1:2"], "--along: alpha: -1 is negative"),
        (["--of", "capacity", "--along", "alpha", "--over", "kapa=0:1:3"], "--over: kapa: unknown parameter"),
        (["--of", "capacity", "--along", "alpha", "--over", "alpha=0:1:3"], "alpha is what --along solves for"),
        (["--of", "capacity", "--along", "kappa=0:1", "--over", "alpha=-1:1:3"], "--over: alpha: -1 is negative"),
        (["--of", "capacity", "--along", "alpha", "--plot", "x.png"], "--plot: one point is no curve"),
        (["--of", "capacity", "--along", "alpha", "-o", "x.txt"], "use .nc or .csv"),
        (["--of", "capacity", "--along", "alpha", "-o", "/nowhere/x.nc"], "no such directory"),
        (["--of", "capacity", "--along", "alpha", "--set", "alpha=-3"], "--set: alpha: -3 is negative"),
    ],
)
def test_bad_input(run, arguments: list[str], message: str) -> None:
    outcome = run("locus", "binary-perceptron", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
