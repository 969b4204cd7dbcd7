r"""What derivations print and papers seldom write: averages of a dot, derivatives of log H, names in words, boxes."""

from __future__ import annotations

from pathlib import Path

import pytest
from notation import ENTROPY, TANH, U, document, only

from spinodal import load
from spinodal.verify import Status
from spinodal.verify.documents import read_document
from spinodal.verify.run import Session

Q = r"q = \int Dz \left\langle \tanh(h) \right\rangle_{h}^{2}"
#: de Almeida and Thouless 1978, for the perceptron: Gardner 1988.
REPLICON = (
    r"\mathrm{replicon} = 1 - \frac{\alpha}{(1-q)^2} \left[\int Dz \left[\left(\log H\right)''\!\left("
    + U
    + r"\right)\right]^2\right] \left[\int Dz \operatorname{sech}^4\!\left(\sqrt{\hat q}z\right)\right]"
)
TAIL = r"\[ H(x) = \int_x^\infty Dt \]"


@pytest.mark.parametrize("before", ["", TAIL, r"\[ H(x) = \frac12\operatorname{erfc}\frac{x}{\sqrt 2} \]"])
def test_derivatives_of_the_logarithm_of_a_function_are_taken(session: Session, before: str) -> None:
    assert only(session, document("replicon", rf"\[ {REPLICON} \]", before)).status is Status.VERIFIED
    wrong = REPLICON.replace("''", "'")
    assert only(session, document("replicon", rf"\[ {wrong} \]", before)).status is Status.WRONG


def test_a_function_that_is_defined_otherwise_is_the_documents(session: Session) -> None:
    other = r"\[ H(x) = \int_x^\infty dt\, e^{-t^2} \]"
    outcome = only(session, document("free-entropy", rf"\[ \phi = {ENTROPY} \]", other))
    assert outcome.status is not Status.VERIFIED


def test_a_function_that_the_document_writes_out_has_a_logarithm_with_derivatives(session: Session) -> None:
    equation = r"q = 1 - \int Dz (\log f)''(\sqrt{\hat q}z), \quad f(x) = 2\cosh x"
    assert only(session, document("q", rf"\[ {equation} \]")).status is Status.VERIFIED


@pytest.mark.parametrize(
    "dot", [r"\langle\cdot\rangle_{h}", r"\langle\,\cdot\,\rangle_h", r"\left\langle \cdot \right\rangle_{h}"]
)
def test_the_average_of_a_dot_defines_a_bracket(session: Session, dot: str) -> None:
    """Two steps in a weight that is flat are one: blocks of no size."""
    text = (
        rf"\[ q = \int Dz \left\langle \tanh^2 h \right\rangle_h \] \[ {dot} = \frac{{\int Dz_1 W (\cdot)}}{{\int Dz_1 W}}, "
    )
    text += r"\quad h = \sqrt{\hat q/2}(z + z_1), \quad W = WEIGHT \]"
    assert only(session, document("q", text.replace("WEIGHT", "1 + 0 z_1"))).status is Status.VERIFIED
    assert only(session, document("q", text.replace("WEIGHT", r"\cosh h"))).status is Status.WRONG


ERROR = r"\text{generalization error} = \frac1\pi\arccos\frac{r}{\sqrt q}"


def teacher(equation: str, quantity: str = "generalization-error-barycentre") -> str:
    return f"% spinodal: binary-teacher-student {quantity}\n\\[ {equation} \\]\n"


def test_a_name_in_words_is_a_left_side(session: Session) -> None:
    words = ERROR.replace("error}", "error barycentre}")
    assert only(session, teacher(words)).status is Status.VERIFIED
    assert only(session, teacher(r"\text{the error} = \frac1\pi\arccos\frac{r}{\sqrt q}")).status is Status.VERIFIED


def test_words_that_name_another_quantity_are_not_taken_for_this_one(session: Session) -> None:
    outcome = only(session, teacher(ERROR))
    assert outcome.status is Status.NOT_CHECKED
    reason = "the left side names the generalization error, and the claim is about the generalization_error_barycentre"
    assert outcome.detail == reason


def test_a_command_that_sets_its_argument_into_a_box_is_its_argument(session: Session) -> None:
    command = r"\newcommand{\fitted}[1]{\sbox0{$\displaystyle #1$}\resizebox{0.9\linewidth}{!}{\usebox0}}" + "\n"
    body = rf"\[ \fitted{{q = \int Dz {TANH}}} \]"
    assert only(session, document("q", body, command)).status is Status.VERIFIED
    for more in ("2 #1", "#1 + 1"):
        assert not only(session, document("q", body, command.replace("#1", more))).passed
    assert not only(session, document("q", body.replace(")} ", ")} + 1 "), command)).passed


def test_averages_that_are_defined_in_boxes_are_those_of_the_document(session: Session) -> None:
    """A field that is itself defined in a box: the average over it is no standard normal one."""
    command = r"\newcommand{\fitted}[1]{\sbox0{$\displaystyle #1$}\resizebox{0.9\linewidth}{!}{\usebox0}}" + "\n"
    field = r"\[ \fitted{\omega_1 = z\sqrt{\hat q_0} + z_1 \sqrt{\hat q_1 - \hat q_0}} \]"
    weight = r"\left[2\cosh\left(\omega_1\right)\right]^m"
    average = rf"\[ \fitted{{\langle\,\cdot\,\rangle_{{\omega_1}} = \frac{{\int Dz_1 {weight}(\,\cdot\,)}}{{\int Dz_1 {weight}}}}} \]"
    claim = r"\[ \fitted{q_1 = \int Dz \left\langle \tanh^2\left(\omega_1\right) \right\rangle_{\omega_1}} \]"
    for right, status in ((field, Status.VERIFIED), (field.replace(r"\hat q_1 - ", r"\hat q_1 + "), Status.WRONG)):
        text = document("q1 ansatz=1rsb", claim, command + right + average)
        assert only(session, text).status is status


def test_an_error_that_vanishes_at_some_points_is_compared_relative_to_its_terms(session: Session) -> None:
    """Patterns stored at a margin below zero are misclassified with some probability, those above it never."""
    right = (
        r"\epsilon = 1 - \int Dz \frac{H\left(\frac{\max(0,\kappa)-\sqrt q z}{\sqrt{1-q}}\right)}{H\left(" + U + r"\right)}"
    )
    assert only(session, document("training-error", rf"\[ {right} \]")).status is Status.VERIFIED
    wrong = right.replace(r"\max(0,\kappa)", r"\max(\kappa/2,\kappa)")
    assert only(session, document("training-error", rf"\[ {wrong} \]")).status is Status.WRONG


def test_the_statements_of_a_document_with_words_keep_their_remarks(session: Session) -> None:
    document_ = read_document(
        r"% spinodal: binary-perceptron q" + "\n" + rf"\[ q = \int Dz {TANH} \text{{ up to a factor}} \]", "t", "latex"
    )
    (outcome,) = session.outcomes(document_)
    assert outcome.status is Status.NOT_CHECKED


WINDOW = """format = 1
[student]
weights = "binary"
[loss]
constraint = "abs(h) <= kappa"
[parameters]
alpha = 0.9
kappa = 0.9
"""


def test_an_entropy_that_is_a_free_entropy_for_readers_alone_is_not_claimed(session: Session, tmp_path: Path) -> None:
    """Two edges are printed as a partition function by name, which only people read: nothing printed is left unchecked."""
    path = tmp_path / "window.toml"
    path.write_text(WINDOW, encoding="utf-8")
    text = load(str(path)).derive().to_latex()
    outcomes = list(session.outcomes(read_document(text, str(tmp_path / "window.tex"), "latex")))
    assert len(outcomes) > 1
    assert [one.status for one in outcomes] == [Status.VERIFIED] * len(outcomes)
    perceptron = load("binary-perceptron").derive().to_latex()
    assert "% spinodal: binary-perceptron entropy" in perceptron
