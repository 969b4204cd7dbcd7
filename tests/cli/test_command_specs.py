"""``models``, ``check``, ``derive``, ``generate``: the commands about a spec."""

import json
import os
from pathlib import Path

import pytest

from spinodal.spec import json_schema, shipped_models


def test_models_lists_names_and_descriptions(run) -> None:
    outcome = run("models")
    assert outcome.status == 0
    lines = outcome.out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(shipped_models())
    listed = run("models", "--json").json()["models"]
    assert [entry["name"] for entry in listed] == list(shipped_models())
    assert all(entry["description"] for entry in listed)


def test_check_says_what_was_found(run, spec_file: Path) -> None:
    outcome = run("check", str(spec_file))
    assert outcome.status == 0
    assert outcome.out.startswith("mine (replica-symmetric): well formed, derivable\norder parameters: q, q_hat\n")
    document = run("check", "binary-perceptron", "--json", "--set", "kappa=0.25").json()
    assert document["order_parameters"] == ["q", "q_hat"]
    assert document["parameters"] == {"alpha": 0.5, "kappa": 0.25}
    assert "entropy" in document["observables"]


def test_check_prints_the_schema(run) -> None:
    assert run("check", "--schema").json() == json_schema()
    outcome = run("check", "--schema", "binary-perceptron")
    assert (outcome.status, outcome.out) == (2, "")


@pytest.mark.parametrize("command", ["check", "generate", "solve"])
def test_an_ansatz_that_is_not_derived_yet_is_named_before_its_parameters(run, monkeypatch, command: str) -> None:
    monkeypatch.setattr("spinodal.schemes.DERIVED", ("replica-symmetric",))
    outcome = run(command, "binary-perceptron", "--ansatz", "franz-parisi", "--set", "kappa=0.1")
    assert (outcome.status, outcome.out) == (2, "")
    assert "the ansatz franz-parisi is not derived by this version; use replica-symmetric" in outcome.err
    assert "kappa_ref" not in outcome.err


@pytest.mark.parametrize("command", ["check", "derive", "generate", "solve"])
def test_every_command_reports_a_broken_spec_in_the_same_way(run, tmp_path: Path, command: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(
        'format = 1\n[student]\nwieghts = "binary"\n[loss]\nconstraint = "h >= 0"\n[parameters]\nalpha = 1\n',
        encoding="utf-8",
    )
    outcome = run(command, str(path))
    assert (outcome.status, outcome.out) == (2, "")
    assert f"{path}:3:1:" in outcome.err
    assert "did you mean weights?" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "SPEC is missing"),
        (["binary-percepton"], "did you mean binary-perceptron (a shipped model)?"),
        (["binary-perceptron", "--with", "student.weights"], "'student.weights' is not KEY=VALUE"),
        (["binary-perceptron", "--with", "student.weights=ternary"], "--with student.weights"),
        (["binary-perceptron", "--ansatz", "replica-symetric"], "did you mean replica-symmetric?"),
        (["binary-perceptron", "--set", "alhpa=1"], "--set: alhpa: unknown parameter; did you mean alpha?"),
    ],
)
def test_bad_specs_and_options(run, arguments: list[str], message: str) -> None:
    outcome = run("check", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err


def test_generate_writes_the_solver(run, tmp_path: Path) -> None:
    printed = run("generate", "binary-perceptron")
    assert printed.status == 0
    compile(printed.out, "solver.py", "exec")
    path = tmp_path / "solver.py"
    outcome = run("generate", "binary-perceptron", "-o", str(path), "--json")
    assert outcome.json() == {"model": "binary-perceptron", "ansatz": "replica-symmetric", "file": str(path)}
    assert path.read_text(encoding="utf-8") == printed.out
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("place", "message"), [("nowhere/solver.py", "no such directory"), (".", "is a directory")])
def test_generate_refuses_a_place_it_cannot_write(run, tmp_path: Path, place: str, message: str) -> None:
    outcome = run("generate", "binary-perceptron", "-o", str(tmp_path / place))
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("-o: ")
    assert message in outcome.err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_generate_refuses_a_folder_without_permission(run, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        outcome = run("generate", "binary-perceptron", "-o", str(tmp_path / "solver.py"))
    finally:
        tmp_path.chmod(0o700)
    assert (outcome.status, outcome.out) == (2, "")


def test_a_link_is_followed_and_a_device_is_not_replaced(run, tmp_path: Path) -> None:
    target, link = tmp_path / "target.py", tmp_path / "link.py"
    target.write_text("old", encoding="utf-8")
    link.symlink_to(target)
    assert run("generate", "binary-perceptron", "-o", str(link)).status == 0
    assert link.is_symlink()
    assert "ORDER_PARAMETERS" in target.read_text(encoding="utf-8")
    assert run("generate", "binary-perceptron", "-o", "/dev/null").status == 0
    assert Path("/dev/null").is_char_device()


def test_derive_prints_markdown_and_writes_latex(run, tmp_path: Path) -> None:
    document = run("derive", "binary-perceptron", "--json").json()
    assert document["format"] == "md"
    assert document["document"].startswith("# binary-perceptron")
    assert document["checks"]
    assert all(set(check) == {"name", "deviation", "tolerance", "verdict"} for check in document["checks"])
    path = tmp_path / "theory.tex"
    outcome = run("derive", "binary-perceptron", "-o", str(path))
    assert (outcome.status, outcome.out) == (0, "")
    assert r"\begin{document}" in path.read_text(encoding="utf-8")


def test_derive_says_when_a_check_fails(run, monkeypatch: pytest.MonkeyPatch) -> None:
    from spinodal.checks import Check
    from spinodal.model import Model

    class Derivation:
        checks = (Check("gradient", 0.1, 1e-7), Check("limit", float("nan"), 0.0, made=False))

        def to_markdown(self, symbols: object = None) -> str:
            return "# theory\n"

    monkeypatch.setattr(Model, "derive", lambda self: Derivation())
    outcome = run("derive", "binary-perceptron")
    assert (outcome.status, outcome.out) == (1, "# theory\n")
    assert outcome.err == "warning: the derivation does not pass its own check: gradient\n"
    checks = json.loads(run("derive", "binary-perceptron", "--json").out)["checks"]
    assert checks[1]["deviation"] is None
