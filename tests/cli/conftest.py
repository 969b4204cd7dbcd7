"""Commands run in this process: ``run("solve", "binary-perceptron")`` gives status, stdout and stderr."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spinodal.__main__ import main


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """The one strict JSON object on stdout."""

        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is not JSON")

        document = json.loads(self.out, parse_constant=refuse)
        assert isinstance(document, dict)
        return document


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("NO_COLOR", raising=False)

    def call(*arguments: str) -> Outcome:
        capsys.readouterr()
        status = main(arguments)
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(
        'format = 1\n[student]\nweights = "binary"\n[loss]\nconstraint = "y*h >= kappa"\n'
        "[parameters]\nalpha = 0.5\nkappa = 0.0\n",
        encoding="utf-8",
    )
    return path
