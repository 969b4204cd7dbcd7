r"""Definitions: of two that differ none is taken, and none that the document makes in a case only."""

from __future__ import annotations

import pytest
from notation import TANH, document, only

from spinodal.spec import SpecError
from spinodal.verify import Status
from spinodal.verify.documents import read_document
from spinodal.verify.run import Session

Q = r"\[ q = \int Dz \tanh^2(\sqrt{A}z) \]"
GAMMA = r"\[ q = \Gamma \]"
UPDATE = rf"\int Dz {TANH}"
PHI = (
    r"\[ \phi = \mathop{\mathrm{extr}}_{VARIABLES}\left[-\frac12\hat q(1-q)+\int Dz\ln2\cosh(\sqrt{\hat q}z)"
    r"+\alpha\int Dz\ln H\left(\frac{\kappa-\sqrt q z}{\sqrt{1-q}}\right)\right] \]"
)


TRUE = [
    # said twice, the same
    Q + r" where $A = \hat q$. Also, $A = 2\hat q - \hat q$.",
    Q + "\n" + r"\begin{align} A &= \hat q, \\ A &= \hat q + 0 \end{align}",
    # another section's, and another claim's
    Q + r" where $A = \hat q$." + "\n\n" + r"\section{Other} Here $A = 2\hat q$.",
    r"\[ q = \int Dz \tanh^2(\sqrt{A}z), \quad A = \hat q \]" + "\n\n" + r"\section{Other} Here $A = 2\hat q$.",
    # words that take nothing back
    Q + r" where $A = \hat q$ and $z$ is Gaussian, for all $\kappa$.",
    GAMMA + rf"\[ \Gamma = {UPDATE} \] for the overlap of two replicas.",
    Q + r" where $A = \hat q$ denotes the conjugate.",
    GAMMA + rf"\[ \Gamma = {UPDATE}, \qquad \forall z \]",
    GAMMA + rf"\[ \Gamma = {UPDATE} \quad (3) \]",
    GAMMA + rf"\[ \Gamma = \frac{{1}}{{\alpha}}{UPDATE} \quad\cdot\quad \alpha \]",
]  # fmt: skip


@pytest.mark.parametrize("body", TRUE)
def test_definitions_that_agree_and_hold_are_used(session: Session, body: str) -> None:
    outcome = only(session, document("q", body))
    assert outcome.status is Status.VERIFIED, outcome.detail


TWICE = [
    Q + r" where $A = \hat q$. Also, $A = 2\hat q$.",
    Q + "\n" + r"\begin{align} A &= \hat q, \\ A &= 2\hat q \end{align}",
    Q + "\n" + r"\begin{equation} A = \hat q \end{equation}" + "\n" + r"\begin{equation} A = 2\hat q \end{equation}",
    r"\[ q = \int Dz \tanh^2(\sqrt{A}z), \quad A = \hat q \]" + "\n\n" + r"In general $A = 2\hat q$.",
    r"\[ q = f(\hat q) \]" + r" where $f(x) = \int Dz \tanh^2(\sqrt x z)$ and $f(y) = \int Dz \tanh^4(\sqrt y z)$",
]


@pytest.mark.parametrize("body", TWICE)
def test_two_definitions_that_differ_are_refused(session: Session, body: str) -> None:
    outcome = only(session, document("q", body))
    assert outcome.status is Status.NOT_CHECKED
    assert "is defined twice, differently (lines" in outcome.detail


def test_the_same_function_of_another_letter_is_the_same(session: Session) -> None:
    body = r"\[ q = f(\hat q) \] where $f(x) = \int Dz \tanh^2(\sqrt x z)$ and $f(y) = \int Dz \tanh^2(\sqrt y z)$"
    assert only(session, document("q", body)).status is Status.VERIFIED


CASES = [
    Q + r" where $A = \hat q$ for $\alpha<1$ and $A = \hat q$ otherwise.",
    Q + r" where $A \equiv \hat q$ when $\kappa = 0$.",
    Q + " If we had $A = \\hat q$ it would be easy.",
    Q + r" For $\kappa = 0$ we have $A = \hat q$.",
    Q + r" where $A = \hat q$ ($\kappa > 0$).",
    Q + r" where $A = \hat q$ to first order.",
    GAMMA + rf" where $\Gamma = {UPDATE}$ plus 3",
    GAMMA + rf"\[ \Gamma = {UPDATE} \] if $\kappa>0$.",
    GAMMA + rf"\[ \kappa = 0 \quad\Rightarrow\quad \Gamma = {UPDATE} \]",
    rf"\[ q = \Gamma, \quad \kappa > 0 \Rightarrow \Gamma = {UPDATE} \]",
    GAMMA + rf"\[ \Gamma = {UPDATE} \] up to a factor of two.",
    GAMMA + rf"\[ \Gamma = {UPDATE} \quad\text{{for }} \kappa>0, \]",
    GAMMA + rf"\[ \Gamma = {UPDATE} \quad(\kappa>0) \]",
    GAMMA + rf"\[ \Gamma = {UPDATE} \quad\text{{up to a factor }} 2 \]",
    GAMMA + rf"\[ \Gamma = {UPDATE} \quad\text{{plus corrections}} \]",
    GAMMA + rf"\[ \Gamma = {UPDATE} \qquad \text{{if }} \kappa>0, \qquad \Gamma = 7 \quad\text{{otherwise}} \]",
    GAMMA + rf"\[ \Gamma = \frac{{1}}{{\kappa}}{UPDATE} \quad \kappa > 0 \]",
    GAMMA + rf"\[ \Gamma = \frac{{1}}{{\alpha}}{UPDATE} \qquad \alpha \]",
    rf"\[ q = \frac{{1}}{{\alpha}}{UPDATE} \qquad \alpha \]",
]  # fmt: skip


@pytest.mark.parametrize("body", CASES)
def test_what_holds_in_a_case_only_or_is_taken_back_is_no_definition(session: Session, body: str) -> None:
    outcome = only(session, document("q", body))
    assert outcome.status is Status.NOT_CHECKED, outcome.detail


def test_extrema_are_taken_over_order_parameters_only(session: Session) -> None:
    assert only(session, document("free-entropy", PHI.replace("VARIABLES", r"q,\hat q"))).status is Status.VERIFIED
    outcome = only(session, document("free-entropy", PHI.replace("VARIABLES", r"\alpha")))
    assert outcome.status is Status.NOT_CHECKED
    assert "a parameter of the model" in outcome.detail


def test_a_map_gives_a_letter_one_meaning(session: Session) -> None:
    body = rf"\[ q = {UPDATE} \]"
    with pytest.raises(SpecError, match="one letter stands for one quantity"):
        only(session, document("q", body, "% spinodal-symbols: a = alpha, a = kappa\n"))
    assert only(session, document("q", body, "% spinodal-symbols: a = alpha, k = kappa\n")).status is Status.VERIFIED


#: Aubin, Perkins and Zdeborova 2019: patterns inside a window, between two edges of opposite signs.
WINDOW = r"\[ q = \int Dz \left[\frac{e^{x_+} - e^{x_-}}{e^{x_+} + e^{x_-}}\right]^2, \quad x_\pm = \pm\sqrt{\hat q}\,z \]"


@pytest.mark.parametrize("lower", [r"x_\pm", r"x_{\pm}"])
def test_double_signs_define_two_letters(session: Session, lower: str) -> None:
    outcome = only(session, document("q", WINDOW.replace(r"x_\pm", lower)))
    assert outcome.status is Status.VERIFIED, outcome.detail
    both = WINDOW.replace(r"\pm\sqrt", r"\frac12\pm\sqrt")  # the common shift drops out of the ratio
    assert only(session, document("q", both)).status is Status.VERIFIED
    assert only(session, document("q", WINDOW.replace(r"\pm\sqrt", r"\mp2\sqrt"))).status is Status.WRONG


#: The prior of +-1 weights, by its values; tanh^2 is the same at both.
VALUES = (
    r"\[ q = \sum_{s\in\{-1,0,1\}} P_0(s) \int Dz \tanh^2(\sqrt{\hat q}z + 0 s), \quad P_0(0) = A, \quad P_0(\pm1) = B \]"
)


def test_a_function_is_defined_by_its_values(session: Session) -> None:
    right = VALUES.replace("A", "1 - r").replace("B", r"\frac{r}{2}") + " where $r = \\alpha$."
    assert only(session, document("q", right)).status is Status.VERIFIED
    twice = only(session, document("q", right.replace("1 - r", "1 - 2r")))
    assert twice.status is Status.OFF_BY_FACTOR
    assert only(session, document("q", right.replace("-1,0,1", "-1,0,1,2"))).detail == "P_{0} is defined at 0, 1, -1 only"
    differs = only(session, document("q", right + " Here $P_0(1) = r$."))
    assert "its value at 1 is said twice, differently" in differs.detail


@pytest.mark.parametrize("value", [r"$H(0) = \frac12$", r"$\phi(0) = \ln 2$", "$f(0) = 1$"])
def test_one_value_of_a_function_defines_nothing(session: Session, value: str) -> None:
    equation = PHI.replace(r"\mathop{\mathrm{extr}}_{VARIABLES}", "")
    outcome = only(session, document("free-entropy", equation, f"Here {value}.\n"))
    assert outcome.status is Status.VERIFIED, outcome.detail


def test_a_partition_function_that_the_document_writes_out_is_no_volume(session: Session) -> None:
    equation = (
        r"\[ \phi = -\frac{\hat q}{2}(1-q) + \int Dz\ln\mathcal{Z}(\sqrt{\hat q}z) + \alpha\int Dz\ln H\left(X\right), \quad "
        r"\mathcal{Z}(x) = 2\cosh x, \quad X = \frac{\kappa-\sqrt q z}{\sqrt{1-q}} \]"
    )
    assert only(session, document("free-entropy", equation)).status is Status.VERIFIED
    assert not only(session, document("free-entropy", equation.replace(r"2\cosh", r"\cosh"))).passed


def test_a_conditional_density_is_a_function_of_two_arguments(session: Session) -> None:
    r"""Tanh is the mean of a Gaussian of any width: the average over y of y p(y|u)."""
    equation = (
        r"q = \int Dz \left[\int dy\, y\, p(y|\sqrt{\hat q}z)\right]^2, \quad "
        r"p(y|u) = \frac{1}{\sqrt{2\pi}} e^{-(y - \tanh|u|)^2/2}"
    )
    assert only(session, document("q", rf"\[ {equation} \]")).status is Status.VERIFIED
    wrong = equation.replace("y, p(y|", "y, p(2y|").replace(r"y\, p(y|", r"y\, p(2y|")
    assert not only(session, document("q", rf"\[ {wrong} \]")).passed


TABLE = r"\begin{{tabular}}{{ll}} $G(x)$ & ${density}$ \\ $H(x)$ & $\int_x^\infty Dt$ \end{{tabular}}"
ITEMS = r"\begin{{itemize}}\item $G(x)$: ${density}$ \item $H(x)$: its tail\end{{itemize}}"
OUTPUT = r"\[ \hat q = \frac{\alpha}{1-q}\int Dz \left[\frac{G(X)}{H(X)}\right]^2, X=\frac{\kappa-\sqrt q z}{\sqrt{1-q}} \]"


@pytest.mark.parametrize("form", [TABLE, ITEMS])
def test_lists_and_tables_define_functions(session: Session, form: str) -> None:
    right = form.format(density=r"e^{-x^2/2}/\sqrt{2\pi}")
    assert only(session, document("q_hat", OUTPUT, right)).status is Status.VERIFIED
    assert not only(session, document("q_hat", OUTPUT, form.format(density="e^{-x^2/2}"))).passed


@pytest.mark.parametrize(
    ("table", "passes"),
    [
        ("| symbol | meaning |\n|---|---|\n| $\\alpha$ | $P/N$ |\n| $\\kappa$ | margin |\n", True),
        ("| symbol | meaning |\n|---|---|\n| $\\alpha$ | $N/P$ |\n", False),
        ("- $\\alpha$: $N/P$\n", False),
        ("| $\\alpha$ | $q$ | $\\hat q$ |\n|---|---|---|\n| $0.1$ | $0.05$ | $0.06$ |\n", True),
    ],
)
def test_tables_in_markdown_define_letters_and_rows_of_numbers_do_not(session: Session, table: str, passes: bool) -> None:
    text = f"{table}\n% spinodal: binary-perceptron q_hat\n$$ {OUTPUT[2:-2]} $$\n"
    (outcome,) = session.outcomes(read_document(text, "text", "markdown"))
    assert outcome.passed is passes, outcome.detail
