"""``reproduce``: the command's own part; the study has its own tests."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    called: dict[str, Any] = {"converged": True}

    def reproduce(folder: Path, *, name: str | None = None, quiet: bool = False) -> dict[str, Any]:
        called.update(folder=folder, name=name, quiet=quiet)
        print("the table")
        return {"converged": called["converged"], "rows": [1.0]}

    monkeypatch.setattr("spinodal.study.reproduce", reproduce)
    return called


def test_the_folder_is_results_unless_given(run, study: dict[str, Any], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("reproduce").out == "the table\n"
    assert (study["folder"], study["name"], study["quiet"]) == (Path("results"), None, False)
    run("reproduce", "thresholds", "-o", "elsewhere", "--quiet")
    assert (study["folder"], study["name"], study["quiet"]) == (Path("elsewhere"), "thresholds", True)


def test_json_is_alone_on_stdout(run, study: dict[str, Any], tmp_path: Path) -> None:
    outcome = run("reproduce", "-o", str(tmp_path), "--json")
    assert outcome.json() == {"converged": True, "rows": [1.0]}
    assert outcome.err == "the table\n"


def test_a_curve_with_a_hole_ends_with_1(run, study: dict[str, Any], tmp_path: Path) -> None:
    study["converged"] = False
    assert run("reproduce", "-o", str(tmp_path)).status == 1


def test_a_file_is_no_folder(run, tmp_path: Path) -> None:
    path = tmp_path / "results"
    path.write_text("", encoding="utf-8")
    outcome = run("reproduce", "-o", str(path))
    assert (outcome.status, outcome.out) == (2, "")
    assert "is a file; name a folder" in outcome.err


def test_an_unknown_part(run, tmp_path: Path) -> None:
    outcome = run("reproduce", "thresholdz", "-o", str(tmp_path / "results"))
    assert (outcome.status, outcome.out) == (2, "")
    assert "did you mean thresholds?" in outcome.err
    assert not (tmp_path / "results").exists()
