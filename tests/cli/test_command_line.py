"""The command line itself: help, versions, unknown words, and that nothing heavy is imported too early."""

import os
import subprocess
import sys

import pytest

from spinodal import __version__
from spinodal.cli.app import COMMANDS

HEAVY = ("numpy", "scipy", "sympy", "rich", "xarray", "matplotlib")


def loaded_after(*arguments: str) -> list[str]:
    code = (
        "import sys\n"
        "from spinodal.__main__ import main\n"
        "main(sys.argv[1:])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return eval(done.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["solve", "--help"],
        ["models"],
        ["solve", "binary-perceptron", "--set", "alpha=-1"],
        ["solve", "binary-perceptron", "--start", "qq=0.3"],
        ["locus", "binary-perceptron", "--of", "capacity", "--along", "alpha", "--over", "kappa=0:1"],
    ],
)
def test_help_and_mistakes_import_nothing_heavy(arguments: list[str]) -> None:
    assert loaded_after(*arguments) == []


def test_help_names_every_command(run) -> None:
    outcome = run("--help")
    assert outcome.status == 0
    assert all(f"  {name} " in outcome.out for name in COMMANDS)
    assert "simulate" not in outcome.out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(run, name: str) -> None:
    outcome = run(name, "--help")
    assert outcome.status == 0
    assert f"usage: spinodal {name}" in outcome.out
    assert outcome.err == ""


def test_version(run) -> None:
    assert run("--version").out == f"spinodal {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "usage: spinodal COMMAND"),
        (["slove"], "spinodal: 'slove': no such command; did you mean solve?"),
        (["brunch"], "no such command"),
        (["--josn"], "no such option"),
        (["solve", "binary-perceptron", "--toll", "1"], "no option --toll, did you mean --tol?"),
        (["solve", "binary-perceptron", "--tol", "0"], "not a number between 0 and 1"),
        (["models", "extra"], "'extra' is one argument too many"),
        (["derive", "binary-perceptron", "--to", "pdf"], "invalid choice: 'pdf'"),
        (["locus", "binary-perceptron", "--of", "capacity"], "--along"),
    ],
)
def test_mistakes_in_the_command_line(run, arguments: list[str], message: str) -> None:
    outcome = run(*arguments)
    assert outcome.status == 2
    assert outcome.out == ""
    assert message in outcome.err


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "spinodal", "slove"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_closed_pipe_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "spinodal", "models"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == ""


def test_an_interrupt_ends_with_130(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("spinodal.cli.models.run", interrupted)
    outcome = run("models")
    assert (outcome.status, outcome.out, outcome.err) == (130, "", "interrupted\n")


def test_a_narrow_encoding_shows_question_marks() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "spinodal", "models"], capture_output=True, text=True, env=environment, check=True
    )
    assert "M?zard" in done.stdout
