r"""What a document says of its measures and letters is used: Dz, \sim, averages, squares; what cannot be read is not passed."""

from __future__ import annotations

import pytest

from spinodal.verify import Status
from spinodal.verify.documents import read_document
from spinodal.verify.results import Outcome
from spinodal.verify.run import Session

SQUARE = r"\tanh^2(\sqrt{\hat q} z)"
INTEGRAL = rf"q = \int Dz\, {SQUARE}"
EXPECTATION = rf"q = \mathbb{{E}}_z {SQUARE}"
BRACKETS = rf"q = \langle {SQUARE} \rangle_z"
RATIO = r"\hat q = \frac{\alpha}{1-q}\int Dz\left[\frac{G(X)}{H(X)}\right]^2, X = \frac{\kappa-\sqrt q z}{\sqrt{1-q}}"
BLOCK = (
    r"\hat p = \frac{2\kappa_1^2 \alpha_T}{Q_d - Q} \int Dz H\left(-\frac{M z}{\sqrt{Q-M^2}}\right)"
    r" \left[\frac{G(x)}{H(x)}\right]^2, x = \frac{\kappa - \sqrt Q z}{\sqrt{Q_d-Q}},"
    r" Q = \kappa_1^2 p + \kappa_\star^2 q, Q_d = \kappa_1^2 p_d + \kappa_\star^2"
)


def outcome_of(session: Session, equation: str, text: str, markup: str = "binary-perceptron q") -> Outcome:
    (outcome,) = session.outcomes(read_document(f"% spinodal: {markup}\n\\[ {equation} \\]\n{text}\n", "text", "latex"))
    return outcome


RIGHT = [
    (INTEGRAL, r"where $Dz = \frac{dz}{\sqrt{2\pi}} e^{-z^2/2}$"),
    (INTEGRAL, r"with $Dx \equiv \frac{\mathrm{d}x\, e^{-\frac{x^2}{2}}}{\sqrt{2\pi}}$"),
    (EXPECTATION, r"where $z\sim\mathcal N(0,1)$"),
    (BRACKETS, r"\[ \langle f(z)\rangle_z \equiv \int \frac{dz}{\sqrt{2\pi}} e^{-z^2/2} f(z) \]"),
    (BRACKETS, r"\[ \langle f(z)\rangle_z \equiv \int Dz\, f(z) \]"),
    (r"q = \int Dz \tanh^2 z", r"with $Dz = \frac{dz}{\sqrt{2\pi\hat q}} e^{-z^2/(2\hat q)}$"),
    (r"q = \mathbb{E}_h \tanh^2 h", r"where $h \sim \mathcal{N}(0, \hat q)$"),
    (r"q = \mathbb{E}_z \tanh^2(\sqrt{\hat q/2} z)", r"where $z \sim \mathcal{N}(0, 2)$"),
    (r"q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} (z - 1))", r"where $z \sim \mathcal{N}(1, 1)$"),
    (INTEGRAL, r"and $z \sim \mathcal{N}(0, 2)$ is drawn, which is no $Dz$"),
]


@pytest.mark.parametrize(("equation", "text"), RIGHT)
def test_averages_are_taken_with_the_measure_that_the_document_defines(session: Session, equation: str, text: str) -> None:
    outcome = outcome_of(session, equation, text)
    assert outcome.status is Status.VERIFIED, outcome.detail


WRONG = [
    (INTEGRAL + r", \qquad Dz = \frac{dz}{\sqrt{2\pi}} e^{-z^2}", ""),
    (INTEGRAL, r"where $Dz = \frac{dz}{\sqrt{2\pi}} e^{-z^2}$"),
    (INTEGRAL, r"\[ \mathcal{D}z = \frac{dz}{\sqrt{\pi}} e^{-z^2/2} \]"),
    (EXPECTATION + r", \qquad z\sim\mathcal N(0,2)", ""),
    (EXPECTATION, r"where $z\sim\mathcal N(0,2)$"),
    (BRACKETS, r"\[ \langle f(z)\rangle_z \equiv \int \frac{dz}{\sqrt{2\pi}} e^{-z^2} f(z) \]"),
    (BRACKETS, r"\[ \langle f(z)\rangle_z \equiv \int Dz\, f(z), \quad Dz = \frac{dz}{\sqrt{2\pi}} e^{-z^2} \]"),
]


@pytest.mark.parametrize(("equation", "text"), WRONG)
def test_an_error_in_the_definition_of_a_measure_is_caught(session: Session, equation: str, text: str) -> None:
    outcome = outcome_of(session, equation, text)
    assert outcome.status in (Status.WRONG, Status.OFF_BY_FACTOR), outcome.detail


def test_a_tail_is_defined_with_the_documents_measure(session: Session) -> None:
    tail = r"with $Dt = dt\, e^{-t^2/2}%s$ and $H(x) = \int_x^\infty Dt$"
    assert outcome_of(session, RATIO, tail % r"/\sqrt{2\pi}", "binary-perceptron q_hat").passed
    assert not outcome_of(session, RATIO, tail % "", "binary-perceptron q_hat").passed


@pytest.mark.parametrize(
    ("equation", "text"),
    [
        (INTEGRAL, r"with $Dz = dz\, w(z)$"),
        (EXPECTATION, r"where $z \sim P_z$"),
        (BRACKETS, r"\[ \langle \cdots \rangle_z = \int Dz \cdots \]"),
        (BRACKETS, r"\[ \langle f(z)\rangle_z \equiv \int Dz\, g(z) \]"),
    ],
)
def test_a_measure_that_cannot_be_read_leaves_its_averages_unchecked(session: Session, equation: str, text: str) -> None:
    outcome = outcome_of(session, equation, text)
    assert outcome.status is Status.NOT_CHECKED, outcome.detail
    assert outcome.place is not None
    assert outcome.place[0] == 3  # where the definition stands


@pytest.mark.slow
@pytest.mark.parametrize("form", [r"with ${}$", "\\[ {} \\]"])
def test_definitions_of_squares_are_used(session: Session, form: str) -> None:
    right, wrong = r"\kappa_\star^2 = 1 - \frac{2}{\pi}", r"\kappa_\star^2 = 1 - \frac{1}{\pi}"
    markup = "random-features-binary p_hat"
    assert outcome_of(session, BLOCK, form.replace("{}", right), markup).passed
    assert outcome_of(session, BLOCK, form.replace("{}", wrong), markup).status is Status.WRONG


def test_a_letter_of_the_derivation_that_the_document_defines_by_other_means_is_not_taken_for_it(
    session: Session,
) -> None:
    text = r"with $\kappa_1 = \mathbb{E}_z[\sigma(z)]$"
    outcome = outcome_of(session, BLOCK, text, "random-features-binary p_hat")
    assert outcome.status is Status.NOT_CHECKED
    assert "kappa_1" in outcome.detail
    declared = "% spinodal-symbols: \\kappa_1 = kappa_1\n" + text
    assert outcome_of(session, BLOCK, declared, "random-features-binary p_hat").passed


def test_whether_a_stationary_point_is_a_maximum_is_not_passed_over(session: Session) -> None:
    body = (
        r"\left\{ \alpha\int Dt \ln H\left(\frac{\kappa+\sqrt q t}{\sqrt{1-q}}\right) + \frac12\ln(1-q)"
        r" + \frac{q}{2(1-q)} \right\}"
    )
    markup = "spherical-perceptron free-entropy"
    for word in (r"\max_q", r"\min_q", r"\sup_q", r"\inf_{q}"):
        outcome = outcome_of(session, f"s = {word} {body}", "", markup)
        assert outcome.status is Status.NOT_CHECKED
        assert "extr" in outcome.detail
    assert outcome_of(session, rf"s = \operatorname{{extr}}_q {body}", "", markup).passed


@pytest.mark.parametrize("brackets", ["({})", "[{}]", r"\Big[{}\Big]", r"\left[{}\right]", "1-[1-{}]"])
def test_brackets_around_an_average_do_not_hide_its_measure(session: Session, brackets: str) -> None:
    defined = r"where $Dz = dz\,e^{-z^2}/\sqrt\pi$"
    standard = r"where $Dz = dz\,e^{-z^2/2}/\sqrt{2\pi}$"
    bracketed = "q = " + brackets.replace("{}", INTEGRAL.removeprefix("q = "))
    assert outcome_of(session, bracketed, standard).status is Status.VERIFIED
    assert outcome_of(session, bracketed, defined).status is Status.WRONG
    expectation = "q = " + brackets.replace("{}", EXPECTATION.removeprefix("q = "))
    assert outcome_of(session, expectation, r"where $z\sim\mathcal N(0,2)$").status is Status.WRONG
