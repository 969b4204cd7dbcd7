"""The cache of generated modules: the same source every time, damage repaired, no SymPy on the way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import spinodal
from spinodal.codegen import cache
from spinodal.codegen.generate import generate
from spinodal.spec import read_spec


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPINODAL_CACHE", str(tmp_path))
    return tmp_path


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.py"))


def solve() -> float:
    return float(spinodal.load("binary-perceptron").solve(alpha=0.5, kappa=0.1).free_entropy)


@pytest.mark.parametrize("name", ["binary-perceptron", "spherical-perceptron", "binary-teacher-student"])
def test_generating_again_gives_the_same_source(name: str) -> None:
    spec = read_spec(name)
    assert generate(spec, "identity") == generate(spec, "identity")


def test_another_process_generates_the_same_source() -> None:
    # hash randomisation must not reorder anything
    code = (
        "from spinodal.codegen.generate import generate; from spinodal.spec import read_spec; import hashlib;"
        "print(hashlib.sha256(generate(read_spec('binary-teacher-student'), 'x').encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_an_entry_is_written_once_and_read_back(empty_cache: Path) -> None:
    first = solve()
    (entry,) = entries(empty_cache)
    written = entry.stat().st_mtime_ns
    assert solve() == first
    assert entry.stat().st_mtime_ns == written
    assert not list(empty_cache.glob("*.tmp"))


@pytest.mark.parametrize("damage", ["deleted", "truncated", "garbage", "not text", "empty", "not python"])
def test_a_damaged_entry_is_regenerated(empty_cache: Path, damage: str) -> None:
    value = solve()
    (entry,) = entries(empty_cache)
    intact = entry.read_text(encoding="utf-8")
    match damage:
        case "deleted":
            entry.unlink()
        case "truncated":
            entry.write_text(intact[: len(intact) // 2], encoding="utf-8")
        case "garbage":
            entry.write_text("}{" + intact, encoding="utf-8")
        case "not text":
            entry.write_bytes(b"\xff\xfe\x00" * 100)
        case "empty":
            entry.write_text("", encoding="utf-8")
        case "not python":
            entry.write_text("x = (\n# end of generated module\n", encoding="utf-8")
    assert solve() == value
    assert entries(empty_cache)[0].read_text(encoding="utf-8") == intact


def test_an_altered_number_in_an_entry_is_noticed(empty_cache: Path) -> None:
    value = solve()
    (entry,) = entries(empty_cache)
    intact = entry.read_text(encoding="utf-8")
    altered = intact.replace("2.0*", "3.0*", 1) if "2.0*" in intact else intact.replace("alpha*", "2.0*alpha*", 1)
    assert altered != intact
    entry.write_text(altered, encoding="utf-8")
    assert solve() == value


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    monkeypatch.setenv("SPINODAL_CACHE", str(blocked / "inside"))
    assert np.isfinite(solve())


def test_the_key_depends_on_what_is_declared() -> None:
    spec = read_spec("binary-perceptron")
    others = [
        read_spec("spherical-perceptron"),
        read_spec("binary-perceptron", overrides={"loss.constraint": "y*h >= kappa/2"}),
        read_spec("binary-teacher-student"),
        read_spec("binary-teacher-student", ansatz="bayes-optimal"),
    ]
    keys = [cache.key(s) for s in (spec, *others)]
    assert len(set(keys)) == len(keys)
    assert cache.key(read_spec("binary-perceptron")) == keys[0]


def test_a_cached_module_is_loaded_without_sympy(empty_cache: Path) -> None:
    code = (
        "import sys, spinodal; s = spinodal.load('binary-perceptron').solve(alpha=0.5);"
        "assert s.converged; print('sympy' in sys.modules)"
    )
    environment = {"SPINODAL_CACHE": str(empty_cache)}
    seen = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
        ).stdout.strip()
        for _ in range(2)
    ]
    assert seen == ["True", "False"]
