"""The README keeps its promises: its spec is read, its numbers are those that are computed, its setup is that of CI."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_and_ci_agree_on_the_test_command() -> None:
    setups = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert len(setups) == 2
    assert setups[0].endswith("spinodal reproduce")
    assert setups[1].endswith("-m pytest -n auto")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "grep -m 1 -E '^python3 -m venv .* -m pytest -n auto$' README.md" in script
    assert 'bash -euo pipefail -c "$tests"' in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_example_gives_the_numbers_shown(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (spec,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    Path("ternary.toml").write_text(spec, encoding="utf-8")
    command, shown = re.findall(r"```\n\$ spinodal (solve .*?)\n(.*?)```", README, re.DOTALL)[0]
    outcome = run(*command.split())
    assert outcome.status == 0
    assert numbers(outcome.out) == pytest.approx(numbers(shown), rel=1e-9)


def numbers(text: str) -> dict[str, float]:
    rows = (line.split() for line in text.splitlines()[3:])
    return {row[0]: float(row[1]) for row in rows if row}


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(((?!http)[^)]+)\)", README)
    assert "CONTRIBUTING.md" in links
    assert [link for link in links if not link.startswith("docs/images/") and not (ROOT / link).exists()] == []
