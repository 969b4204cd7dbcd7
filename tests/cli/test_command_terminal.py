"""What a terminal gets that a pipe does not."""

import argparse
import sys

import pytest

from spinodal.cli.terminal import finite, print_json, print_table, progress, show, show_error, working


class Terminal:
    """Says that a stream is a terminal, and keeps what is written."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True

    encoding = "utf-8"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    return Terminal()


def test_a_table_on_a_terminal_keeps_its_rows_whole(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", terminal)
    print_table(("name", "value"), [("x" * 30, "0.123456789012"), ("[bold]", "-")])
    assert f"{'x' * 30}   0.123456789012" in terminal.text
    assert "[bold]" in terminal.text
    assert "\x1b" in terminal.text


def test_no_colours_when_asked_for_none(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    print_table(("name", "value"), [("x", "1")])
    assert terminal.text == "name  value\nx         1\n"


@pytest.mark.parametrize("quiet", [False, True])
def test_progress_is_for_terminals_and_not_for_the_quiet(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, quiet: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal)
    arguments = argparse.Namespace(quiet=quiet)
    with progress(arguments, "capacity", 3) as advance:
        assert (advance is None) is quiet
        if advance is not None:
            advance(2)
    with working(arguments, "deriving"):
        pass
    assert (terminal.text == "") is quiet


def test_progress_is_nothing_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(argparse.Namespace(quiet=False), "capacity", 3) as advance:
        assert advance is None
    assert capsys.readouterr().err == ""


def test_no_nan_is_ever_printed() -> None:
    assert show(float("nan")) == show(float("inf")) == "-"
    assert show_error(float("nan")) == ""
    assert finite(float("nan")) is None
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"value": float("nan")})
