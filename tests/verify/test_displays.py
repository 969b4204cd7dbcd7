r"""Whatever else a display says is checked, or keeps its claim from passing: no second equation, no remark is passed over."""

from __future__ import annotations

import pytest
from notation import TAIL, TANH, U, document, only

from spinodal.verify import Status
from spinodal.verify.documents import read_document
from spinodal.verify.run import Session

Q = r"q = \int Dz " + TANH
Q_HAT = r"\hat q = " + TAIL
ODD = r"q = \int Dz \tanh(\sqrt{\hat q}z)"
X = r"X = " + U


def rows(*lines: str) -> str:
    r"""Lines of an ``aligned``."""
    return r"\begin{aligned} " + r" \\ ".join(line.replace(" =", " &=", 1) for line in lines) + r"\end{aligned}"


#: One markup, and a display that says more: quantity, body.
TRUE = [
    ("q", rf"{Q}, \quad 1-q = \int Dz\, \operatorname{{sech}}^2(\sqrt{{\hat q}}z)"),
    ("q", rf"{Q}, \quad \text{{i.e.}}\quad \int Dz\, {TANH} - q = 0"),
    ("q", rows(Q, Q_HAT)),
    ("q_hat", rows(Q, Q_HAT)),
    ("q", rf"{Q}, \quad \int Dz\, z^2 = 1, \quad 0 < \alpha, \quad z\sim\mathcal{{N}}(0,1)"),
    ("q", rf"{Q}, \quad Dz = \frac{{dz}}{{\sqrt{{2\pi}}}} e^{{-z^2/2}}, \quad N\to\infty"),
    ("q", rf"{Q}, \quad Q = q, \quad Q_d = 1"),
    ("q", rf"{Q} \quad\text{{for all}}\quad \alpha > 0"),
    ("q", rf"\frac{{\partial\phi}}{{\partial\hat q}} = 0 \quad\Rightarrow\quad {Q}"),
    ("q", rf"\partial_{{\hat q}}\phi = 0 \implies {Q}"),
    ("q", rf"{Q} \quad\text{{where}}\quad \kappa = 0.3"),
    ("q", r"q = f(\hat q), \quad f(x) = \int Dz \tanh^2(\sqrt x z) = 1 - \int Dz\, \operatorname{sech}^2(\sqrt x z)"),
    ("q_hat", r"\hat q = \frac{\alpha}{1-q}\int Dz M(X)^2, M(x) = \frac{G(x)}{H(x)} = -\frac{d}{dx}\ln H(x), " + X),
    ("q_hat", rf"{Q_HAT} = \kappa (1-q)^{{-1/2}} - z\sqrt{{\frac{{q}}{{1-q}}}}"),
    ("q", rf"q \overset{{!}}{{=}} \int Dz {TANH}, \quad q \overset{{\text{{def}}}}{{=}} \int Dz {TANH}"),
]  # fmt: skip


@pytest.mark.parametrize(("quantity", "body"), TRUE)
def test_a_display_that_says_more_that_is_true_verifies(session: Session, quantity: str, body: str) -> None:
    outcome = only(session, document(quantity, rf"\[ {body} \]"))
    assert outcome.status is Status.VERIFIED, outcome.detail


FALSE = [
    # about the same quantity
    ("q", rf"{ODD} \quad\Rightarrow\quad {Q}"),
    ("q", rf"{Q} \quad\Rightarrow\quad {ODD}"),
    ("q", rf"{Q},\quad {ODD}"),
    ("q", rows(Q, ODD)),
    ("q", rows(Q, ODD.replace("q =", "1-q =", 1))),
    ("q", rf"{Q}, 1-q = \int Dz \tanh(\sqrt{{\hat q}}z)"),
    ("q", rf"{Q}, \quad\text{{i.e.}}\quad 1-q = \int Dz\, \operatorname{{sech}}(\sqrt{{\hat q}}z)"),
    # about others
    ("q", rows(Q, Q_HAT.replace(r"\alpha", r"2\alpha"))),
    ("q", rf"{Q}, \quad \hat q = 7"),
    ("q", rf"{Q}, \quad \alpha = 2q"),
    ("q", rf"{Q}, \quad q = \hat q"),
    ("q", rf"{Q}, \quad q > \frac12"),
    ("q", rf"{Q}, \quad Q = 2q"),
    ("q", rf"{Q}, \quad \phi = \int Dz \ln\cosh(\sqrt{{\hat q}}z)"),
    ("q_hat", rf"{Q_HAT}, \quad {ODD}"),
    # about none
    ("q", rf"{Q}, \quad 1 = 2"),
    ("q", rf"{Q}, \quad \int Dz = 2"),
    ("q", rf"{Q}, \quad \epsilon = \int Dz \tanh^2 z"),
    ("q", rf"{Q}, \quad H(x) = \int_x^\infty \frac{{dz}}{{2\pi}} e^{{-z^2/2}}"),
    ("q", rf"{Q}, \quad \hat q"),
    # sides of definitions
    ("q_hat", r"\hat q = \frac{\alpha}{1-q}\int Dz M(X)^2, M(x) = \frac{G(x)}{H(x)} = \frac{d}{dx}\ln H(x), " + X),
    ("q_hat", rf"{Q_HAT} = \frac{{\kappa+\sqrt q z}}{{1-q}}"),
    ("q", r"q = f(\hat q), \quad f(x) = \int Dz \tanh^2(\sqrt x z) = \int Dz \tanh(\sqrt x z)"),
    # words and signs that withdraw it
    ("q", rf"{Q} \text{{ plus corrections}}"),
    ("q", rf"{Q} \text{{(up to a factor 2)}}"),
    ("q", rf"{Q} \quad\text{{to leading order}}"),
    ("q", rf"q \overset{{?}}{{=}} \int Dz {TANH}"),
    ("q", rf"q \stackrel{{\text{{wrong}}}}{{=}} \int Dz {TANH}"),
]  # fmt: skip


@pytest.mark.parametrize(("quantity", "body"), FALSE)
def test_a_display_that_says_more_that_is_false_or_not_read_does_not_pass(
    session: Session, quantity: str, body: str
) -> None:
    outcome = only(session, document(quantity, rf"\[ {body} \]"))
    assert not outcome.passed
    assert outcome.place is not None
    assert outcome.place[0] == 3


def test_a_further_equation_without_markup_says_what_to_do(session: Session) -> None:
    outcome = only(session, document("q", rf"\[ {Q}, \quad 1 = 2 \]"))
    assert outcome.status is Status.NOT_CHECKED
    assert "the display also says 1 = 2" in outcome.detail
    assert "a markup of its own" in outcome.detail
    wrong = Q_HAT.replace(r"\alpha", r"2\alpha")
    outcome = only(session, document("q", rf"\[ {Q}, \quad {wrong} \]"))
    assert (outcome.status, outcome.kind) == (Status.OFF_BY_FACTOR, "factor")
    assert "a claim about q_hat" in outcome.detail


def test_the_sides_of_a_definition_in_the_text_agree(session: Session) -> None:
    equation = r"\[ \hat q = \frac{\alpha}{1-q}\int Dz \left[\frac{G(X)}{H(X)}\right]^2 \]"
    right = rf"with ${X} = \frac{{\kappa}}{{\sqrt{{1-q}}}} - \sqrt{{\frac{{q}}{{1-q}}}} z$"
    assert only(session, document("q_hat", equation, right)).passed
    outcome = only(session, document("q_hat", equation, right.replace("} - ", "} + ")))
    assert outcome.status is Status.NOT_CHECKED
    assert "definition of X do not agree" in outcome.detail
    assert outcome.place is not None
    assert outcome.place[0] == 1


@pytest.mark.parametrize("braced", [r"\underbrace{{{}}}_{{=\hat q^2}}", r"\overbrace{{{}}}^{{= 3}}"])
def test_equations_at_braces_are_not_passed_over(braced: str) -> None:
    integral = r"\int Dz \tanh^2(\sqrt{\hat q}z)"
    equal = "% spinodal: binary-perceptron q\n\\[ q = " + braced.format(integral) + " \\]\n"
    words = "% spinodal: binary-perceptron q\n\\[ q = \\underbrace{" + integral + "}_{\\text{the update}} \\]\n"
    for text, status in ((equal, Status.NOT_CHECKED), (words, Status.VERIFIED)):
        (outcome,) = Session().outcomes(read_document(text, "text", "latex"))
        assert outcome.status is status


@pytest.mark.parametrize("command", ["footnote", "footnotetext", "thanks", "marginpar", "todo"])
def test_a_footnote_in_a_display_is_a_remark(session: Session, command: str) -> None:
    outcome = only(session, document("q", rf"\[ {Q}\{command}{{up to a factor}} \]"))
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail == (
        "a remark beside the equation is not read (up to a factor): it may withdraw what is claimed; put it into the text"
    )
    neutral = only(session, document("q", rf"\[ {Q}\{command}{{for the spherical student, we find}} \]"))
    assert neutral.status is Status.VERIFIED, neutral.detail


UNCLEAR = [
    (r"q \equiv \frac1N\sum_i\langle w_i\rangle^2 = \int Dz " + TANH,
     r"the values of what is summed over are not said: a sum over values is written \sum_{s=\pm1} or \sum_{s\in\{-1,0,1\}}"),
    (r"q = \int Dz \left[\partial_h\ln\cosh(h)\right]^2_{h=\sqrt{\hat q}z}",
     r"a subscript of brackets is not read: what is evaluated at a point is written \left. .. \right|_{x=a}"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message"), UNCLEAR)
def test_what_is_not_read_says_how_to_write_it(session: Session, body: str, message: str) -> None:
    outcome = only(session, document("q", rf"\[ {body} \]"))
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail == message
