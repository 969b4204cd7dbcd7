r"""An author's commands mean what LaTeX would print: where they are defined, where they are not overridden, where they end."""

from __future__ import annotations

import pytest

from spinodal.verify.documents import read_document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.lexer import tokenize
from spinodal.verify.grammar.parser import Parser
from spinodal.verify.grammar.scopes import Commands
from spinodal.verify.results import Status
from spinodal.verify.run import verify_text

#: What stands before \x, and the text that pdflatex prints for it.
PRINTED = {
    r"\newcommand{\x}{a}": "a",
    r"\newcommand{\x}{a}\renewcommand{\x}{b}": "b",
    r"\newcommand{\x}{a}\providecommand{\x}{b}": "a",
    r"\providecommand{\x}{a}\providecommand{\x}{b}": "a",
    r"\newcommand{\x}{a}{\renewcommand{\x}{b}}": "a",
    r"{\newcommand{\x}{b}}\providecommand{\x}{a}": "a",
    r"\newcommand{\x}{a}{\renewcommand{\x}{b}\providecommand{\x}{c}": "b",
    r"\newcommand{\x}{a}\begin{center}\renewcommand{\x}{b}\end{center}": "a",
    r"\newcommand{\x}{a}\begin{center}\renewcommand{\x}{b}": "b",
    r"\newcommand{\x}{a}\begingroup\def\x{b}\endgroup": "a",
    r"\newcommand{\x}{a}\begingroup\gdef\x{b}\endgroup": "b",
    r"\newcommand{\x}{a}{\global\def\x{b}}": "b",
    r"\newcommand{\x}{a}$\renewcommand{\x}{b}$": "a",
    r"\newcommand{\x}{a}\[\renewcommand{\x}{b}\]": "a",
    r"\newcommand{\x}{a}\{\renewcommand{\x}{b}\}": "b",
    r"\AtBeginDocument{\newcommand{\x}{a}}": "a",
    r"\newcommand{\x}{a}\newcommand{\y}{\renewcommand{\x}{b}}": "a",
    r"\newcommand{\y}{a}\let\x\y\renewcommand{\y}{b}": "a",
    r"\newcommand{\y}{a}\let\x=\y": "a",
    r"\let\x=a": "a",
    r"\newcommand{\x}{a}\RenewDocumentCommand{\x}{}{b}": "b",
    r"\newcommand{\x}{a}\ProvideDocumentCommand\x{}{b}": "a",
}


@pytest.mark.parametrize("before", PRINTED)
def test_a_command_means_what_is_printed(before: str) -> None:
    end = len(before) + 1
    assert Commands(f"{before} ").at(end, end)["x"].text == PRINTED[before]


@pytest.mark.parametrize(("inside", "means"), [(r"\renewcommand{\tanh}{t}", "t"), (r"\providecommand{\tanh}{t}", None)])
def test_commands_of_latex_are_defined_already(inside: str, means: str | None) -> None:
    found = Commands(inside).at(len(inside), len(inside)).get("tanh")
    assert (found.text if found is not None else None) == means


def test_a_definition_below_is_none_of_what_stands_above() -> None:
    text = r"\newcommand{\x}{a} ... \renewcommand{\x}{b}"
    assert Commands(text).at(20, 22)["x"].text == "a"


def test_a_command_with_two_meanings_in_one_equation_is_refused() -> None:
    text = r"\newcommand{\x}{a}\[ \x \renewcommand{\x}{b} \x \]"
    with pytest.raises(UnreadableError, match="defined anew"):
        Commands(text).at(20, len(text) - 2)


@pytest.mark.parametrize("body", ["{" + "a" * 1000 + "}", "{O{2}m}{a}"])
def test_a_definition_that_is_not_read_leaves_no_other_in_force(body: str) -> None:
    command = "NewDocumentCommand" if body.count("{") > 1 else "renewcommand"
    text = rf"\newcommand{{\x}}{{b}}\{command}{{\x}}{body}"
    with pytest.raises(UnreadableError, match="undefined"):
        Parser(tokenize(r"\x", macros=Commands(text).at(len(text), len(text)))).whole()


@pytest.mark.parametrize(
    ("before", "right"),
    [
        (r"\let\th\tanh", r"\th"),
        (r"\let\old\tanh\renewcommand{\tanh}{\old}", r"\tanh"),
        (r"\let\oldroot\sqrt\let\oldtanh\tanh", r"\oldtanh"),
    ],
)
def test_other_names_of_commands_are_read(before: str, right: str) -> None:
    text = f"{before}\n% spinodal: binary-perceptron q\n\\[ q = \\int Dz\\, {right}^2(\\sqrt{{\\hat q}}z) \\]\n"
    (statement,) = read_document(text, "text", "latex").equations[-1].statements
    assert "tanh" in [token.text for token in statement.sides[1]]


@pytest.mark.parametrize(
    ("before", "status"),
    [
        (r"\newcommand{\Q}{\hat q}\providecommand{\Q}{q}", Status.VERIFIED),
        (r"\newcommand{\Q}{q}\providecommand{\Q}{\hat q}", Status.WRONG),
        (r"\newcommand{\Q}{\hat q}\begin{center}\renewcommand{\Q}{q}\end{center}", Status.VERIFIED),
        (r"\newcommand{\Q}{q}\begin{center}\renewcommand{\Q}{\hat q}\end{center}", Status.WRONG),
    ],
)
def test_what_is_printed_is_compared(before: str, status: Status) -> None:
    text = f"{before}\n% spinodal: binary-perceptron q\n\\[ q = \\int Dz\\, \\tanh^2(\\sqrt{{\\Q}}z) \\]\n"
    (outcome,) = verify_text(text, form="latex").outcomes
    assert outcome.status is status  # Krauth and Mezard 1989
