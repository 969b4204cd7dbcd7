r"""What stands in quotations, in directives and in files that a document reads in is looked at, or it is said that it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinodal.__main__ import main
from spinodal.verify import verify_documents
from spinodal.verify.documents import read_document
from spinodal.verify.fences import unquoted
from spinodal.verify.results import Status
from spinodal.verify.run import verify_text

RIGHT = r"q = \int Dz \tanh^2(\sqrt{\hat q} z)"  # Krauth and Mezard 1989
DOUBLE = RIGHT.replace(r"\int", r"2\int")
BLOCK = "```{saddle-point} binary-perceptron q\n" + DOUBLE + "\n```\n"
COMMENT = "<!-- spinodal: binary-perceptron q -->\n$$\n" + DOUBLE + "\n$$\n"
FIRST = BLOCK.replace(DOUBLE, RIGHT) + "\n"


def behind(mark: str, text: str) -> str:
    """A text with a mark before each line."""
    return "".join(f"{mark}{line}\n" for line in text.splitlines())


WHERE = {
    "quotation": lambda t: behind("> ", t),
    "quotation in a quotation": lambda t: behind("> > ", t),
    "quotation in a list": lambda t: "- item\n\n" + behind("  > ", t),
    "note": lambda t: f"````{{note}}\n{t}````\n",
    "admonition": lambda t: f"````{{admonition}} Result\n:class: tip\n\n{t}````\n",
    "tab": lambda t: f"`````{{tab-set}}\n````{{tab-item}} One\n{t}````\n`````\n",
    "proof": lambda t: f"~~~~{{prf:proof}}\n{t}~~~~\n",
    "colons": lambda t: f":::{{note}}\n{t}:::\n",
    "note in a quotation": lambda t: behind("> ", f"````{{note}}\n{t}````\n"),
}


@pytest.mark.parametrize("claim", [BLOCK, COMMENT], ids=["block", "comment"])
@pytest.mark.parametrize("where", WHERE)
def test_a_false_claim_is_found_wherever_text_stands(claim: str, where: str) -> None:
    document = read_document(WHERE[where](claim), "text", "markdown")
    assert len(document.claims) == len(document.equations) == 1
    (statement,) = document.equations[0].statements
    assert document.text[statement.start : statement.end] == DOUBLE


def test_a_false_claim_beside_a_true_one_is_told() -> None:
    report = verify_text(FIRST + behind("> ", BLOCK) + "\n" + WHERE["admonition"](COMMENT))
    verdicts = [outcome.status for outcome in report.outcomes]
    assert verdicts == [Status.VERIFIED, Status.OFF_BY_FACTOR, Status.OFF_BY_FACTOR]


def test_a_relation_at_the_beginning_of_a_line_is_no_quotation() -> None:
    text = "> quoted\n\n$$\na\n> b\n$$\n\n```{math}\nc\n> d\n```\n\n\\begin{align}\ne\n> f\n\\end{align}\n> g\n"
    assert unquoted(text) == text.replace("> quoted", "  quoted").replace("> g", "  g")


def test_markup_in_code_is_an_example_and_said_to_be_one() -> None:
    report = verify_text(FIRST + "```latex\n% spinodal: binary-perceptron q\n```\n")
    assert report.passed
    assert report.notes == ("text: the markup of line 6 stands in code or a comment: it is an example and claims nothing",)


def test_nothing_passes_beside_markup_in_a_language_that_is_not_read() -> None:
    report = verify_text(FIRST + "```{raw} latex\n% spinodal: binary-perceptron q\n\\[ q = 1 \\]\n```\n")
    assert [outcome.status for outcome in report.outcomes] == [Status.VERIFIED]
    assert not report.passed
    assert "line 6" in report.unread[0]


MAIN = (
    "\\documentclass{article}\n\\newcommand{\\Q}{\\hat q}\n\\begin{document}\n% \\input{comment}\n"
    "% spinodal: binary-perceptron q\n\\[ " + RIGHT + " \\]\n%s\nThe end.\n"
    "% spinodal: binary-perceptron q\n\\[ " + DOUBLE + " \\]\n\\end{document}\n"
)
CHAPTER = "A chapter.\n\n% spinodal: binary-perceptron q\n\\[ " + DOUBLE.replace(r"\hat q", r"\Q") + " \\]"


@pytest.mark.parametrize(
    ("command", "file", "text"),
    [
        (r"\input{chapter}", "chapter.tex", CHAPTER),
        (r"\input chapter", "chapter.tex", CHAPTER),
        (r"\include{parts/chapter}", "parts/chapter.tex", CHAPTER),
        (r"\input{chapter.tex} % the first", "chapter.tex", CHAPTER + "\n% the end"),
        (r"\import{parts/}{chapter}", "parts/chapter.tex", CHAPTER),
        (
            r"\subfile{chapter}",
            "chapter.tex",
            "\\documentclass{subfiles}\\begin{document}\n" + CHAPTER + "\n\\end{document}\nnotes",
        ),
        (r"\input{chapter}", "chapter.tex", CHAPTER + "\n\\endinput\n% spinodal: binary-perceptron q\n\\[ q = 1 \\]"),
    ],
)
def test_claims_of_files_that_are_read_in_are_checked_at_their_place(
    tmp_path: Path, command: str, file: str, text: str
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    main_file = tmp_path / "main.tex"
    main_file.write_text(MAIN.replace("%s", command))
    report = verify_documents([main_file])
    first, second, third = report.outcomes
    assert [o.status for o in report.outcomes] == [Status.VERIFIED, Status.OFF_BY_FACTOR, Status.OFF_BY_FACTOR]
    line = text[: text.index("\\[")].count("\n") + 1
    assert (Path(second.document), second.line, second.column) == (tmp_path / file, line, 4)
    assert (Path(first.document), first.line) == (main_file, 6)
    assert (Path(third.document), third.line) == (main_file, 10)
    assert report.notes == ()


def test_included_markdown_is_read(tmp_path: Path) -> None:
    (tmp_path / "part.md").write_text("Text.\n\n" + COMMENT)
    (tmp_path / "main.md").write_text(FIRST + "````{note}\n```{include} part.md\n```\n````\n")
    first, second = verify_documents([tmp_path / "main.md"]).outcomes
    assert (first.status, second.status) == (Status.VERIFIED, Status.OFF_BY_FACTOR)
    assert (Path(second.document), second.line) == (tmp_path / "part.md", 5)


def test_files_that_are_not_there_or_not_read_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "main.tex"
    once = MAIN.replace("% spinodal: binary-perceptron q\n\\[ " + DOUBLE + " \\]\n", "")
    document.write_text(once.replace("%s", r"\input{absent}"))
    assert main(["verify", str(document)]) == 0
    assert "main.tex:7: absent is read in here and was not found" in capsys.readouterr().err
    document.write_text(once.replace("%s", r"\input{table.dat}"))
    (tmp_path / "table.dat").write_text(CHAPTER)
    assert main(["verify", str(document), "--quiet"]) == 1
    assert "table.dat is read in here and makes claims, which are not looked at" in capsys.readouterr().err
    document.write_text(once.replace("%s", r"\input{main}"))  # no end of it in LaTeX
    assert main(["verify", str(document), "--quiet"]) == 0
