r"""What a document says of its measures and letters is used: Dz, \sim, averages, squares; what cannot be read is not passed."""

from __future__ import annotations

import pytest
from notation import document, only

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
    (INTEGRAL, r"where $Dz = \frac{dz}{\sqrt{2\pi}} e^{-z^2/2}$, and $z \sim \mathcal{N}(0, 2)$ is drawn elsewhere"),
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
        (INTEGRAL, r"where $z \sim \mathcal{N}(0, 2)$"),
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


#: Gyorgyi 1990: the overlap with a teacher of +-1 weights, whose average is over their two values.
TEACHER = r"r = \mathbb{E}_{w^\star}\int Dz\, w^\star\tanh\left(\sqrt{\hat q}z+\hat r w^\star\right)"
TWO_VALUES = r"\mathbb{E}_{w^\star} f(w^\star) = "
NOT_SAID = (
    r"over what w^{\star} is averaged is not said: write w^{\star}\sim\mathcal{N}(0,1) if it is standard normal, else define the "
    r"average, as in \mathbb{E}_{w^{\star}} f(w^{\star}) = \frac12 f(1) + \frac12 f(-1)"
)


def test_an_average_over_a_weight_is_never_taken_for_a_normal_one(session: Session) -> None:
    outcome = outcome_of(session, TEACHER, "", "binary-teacher-student r")
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail == NOT_SAID


@pytest.mark.parametrize(
    "average", [r"\left\langle X \right\rangle_{x_0}", r"\mathbb{E}_x X", r"\mathbb{E}_{S} X", r"\mathbb{E}_y X"]
)
def test_neither_is_one_over_a_signal_or_a_label(session: Session, average: str) -> None:
    outcome = outcome_of(session, "q = " + average.replace("X", r"\tanh^2(\hat q)"), "")
    assert outcome.status is Status.NOT_CHECKED
    assert "is averaged is not said" in outcome.detail


@pytest.mark.parametrize(
    "definition",
    [
        r"\tfrac12 f(1)+\tfrac12 f(-1)",
        r"\frac12\sum_{t=\pm1} f(t)",
        r"\int Dt\, f(\operatorname{sign}(t))",
    ],
)
def test_an_average_over_values_that_the_document_defines_is_taken_over_them(session: Session, definition: str) -> None:
    outcome = outcome_of(session, TEACHER, f"where ${TWO_VALUES}{definition}$", "binary-teacher-student r")
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize("definition", [r"f(1)+f(-1)", r"\frac23 f(1)+\frac13 f(-2)"])
def test_an_error_in_the_values_of_an_average_is_caught(session: Session, definition: str) -> None:
    outcome = outcome_of(session, TEACHER, f"where ${TWO_VALUES}{definition}$", "binary-teacher-student r")
    assert outcome.status in (Status.WRONG, Status.OFF_BY_FACTOR), outcome.detail


def test_a_signal_that_is_said_to_be_normal_is_averaged_over_as_one(session: Session) -> None:
    equation = r"q = \mathbb{E}_{x_0} \tanh^2(\sqrt{\hat q} x_0)"
    assert outcome_of(session, equation, r"where $x_0\sim\mathcal N(0,1)$").status is Status.VERIFIED


def test_a_tilted_average_over_the_inner_field_is_written_as_a_ratio(session: Session) -> None:
    """Replicas in blocks: an average at a given outer field; the weight cosh^0 of blocks of no size leaves the plain one."""
    text = r"\[ \langle f\rangle_{z_0} = \frac{\int Dz_1 f \cosh^{k} h}{\int Dz_1 \cosh^{k} h}, \quad h = \sqrt{\hat q/2}(z_0 + z_1) \]"
    equation = r"q = \int Dz_0 \left\langle \tanh^2 h \right\rangle_{z_0}"
    assert outcome_of(session, equation, text.replace("{k}", "0")).status is Status.VERIFIED
    assert outcome_of(session, equation, text.replace("{k}", "2")).status is Status.WRONG


def test_the_variables_of_a_definition_catch_none_of_the_integrand(session: Session) -> None:
    r"""The average over +-1 is written with t, which is also the Gaussian variable of what it is applied to."""
    equation = TEACHER.replace("Dz", "Dt").replace("z+", "t+")
    text = r"where $\mathbb{E}_{w^\star} f(w^\star) = \frac12\sum_{t=\pm1} f(t)$"
    assert outcome_of(session, equation, text, "binary-teacher-student r").status is Status.VERIFIED
    turned = equation.replace(r"\mathbb{E}_{w^\star}\int Dt\,", r"\int Dt\,\mathbb{E}_{w^\star}")
    assert outcome_of(session, turned, text, "binary-teacher-student r").status is Status.VERIFIED


def test_a_superscript_in_the_subscript_of_an_average_is_refused(session: Session) -> None:
    outcome = outcome_of(session, TEACHER.replace(r"w^\star", "w^0"), "", "binary-teacher-student r")
    assert (
        outcome.detail
        == "the superscript of w, which is averaged over, is read as a power elsewhere: write it as a subscript"
    )


def test_the_average_over_another_letter_is_not_the_one_that_is_defined(session: Session) -> None:
    text = r"where $\mathbb{E}_{s} f(s) = \tfrac12 f(1)+\tfrac12 f(-1)$"
    outcome = outcome_of(session, TEACHER, text, "binary-teacher-student r")
    assert outcome.detail == r"the document defines the average over s, not that over w^{\star}"


@pytest.mark.parametrize(
    "text", [r"$\mathbb{E}_z[q] = q$", r"$\mathbb{E}_z f(z) = f(0)$ and $f(x) = x$", r"$\mathbb{E}_z z = 0$"]
)
def test_an_average_that_is_evaluated_is_no_definition(session: Session, text: str) -> None:
    assert outcome_of(session, EXPECTATION, f"Here {text}.").passed


def test_an_average_that_is_defined_twice_is_refused(session: Session) -> None:
    text = rf"where ${TWO_VALUES}\tfrac12 f(1)+\tfrac12 f(-1)$, and ${TWO_VALUES}f(1)$"
    outcome = outcome_of(session, TEACHER, text, "binary-teacher-student r")
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail.endswith(r"the average over w^{\star} is defined twice, differently")


FITTED = r"\newcommand{\fitted}[1]{#1} Averages are $\langle f(z)\rangle_z = \frac12 f(1) + \frac12 f(-1)$." + "\n\n"


def test_averages_in_the_argument_of_an_authors_command_have_their_definition(session: Session) -> None:
    r"""tanh^2(a u z) does not see a sign z; (u+z)/sqrt(2) is standard normal for a normal z alone."""
    right = r"\[ \fitted{q = \int Du \left\langle\tanh^2(\sqrt{\hat q}\,u z)\right\rangle_z} \]"
    wrong = r"\[ \fitted{q = \int Du \left\langle\tanh^2\left(\sqrt{\frac{\hat q}{2}}\,(u+z)\right)\right\rangle_z} \]"
    assert only(session, document("q", right, FITTED)).status is Status.VERIFIED
    assert only(session, document("q", wrong, FITTED)).status is Status.WRONG


def test_what_is_unread_in_the_argument_of_an_authors_command_is_shown_at_the_command(session: Session) -> None:
    outcome = only(session, document("q", r"\[ \fitted{q = \int Du \left\langle\tanh^2 u z/2\right\rangle_z} \]", FITTED))
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail == "it is not clear whether the argument of tanh ends before this fraction bar; bracket it"
    assert outcome.place is not None
    assert outcome.place[0] == 5
