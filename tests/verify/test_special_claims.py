"""Claims about special points: the whole equation is compared, where the document says that the point is."""

from __future__ import annotations

import pytest

from spinodal.verify import Status
from spinodal.verify.documents import read_document
from spinodal.verify.results import Outcome
from spinodal.verify.run import Session

INVERSE = r"\int_{-\kappa}^\infty Dt\,(\kappa+t)^2"
CAPACITY = rf"\left[{INVERSE}\right]^{{-1}}"
SPHERICAL, BINARY = "spherical-perceptron capacity", "binary-perceptron capacity"


def outcome_of(session: Session, markup: str, equation: str) -> Outcome:
    (outcome,) = session.outcomes(read_document(f"% spinodal: {markup}\n\\[ {equation} \\]\n", "text", "latex"))
    return outcome


RIGHT = [
    (SPHERICAL, rf"\alpha_c(\kappa) = {CAPACITY}"),
    (SPHERICAL, rf"\frac{{1}}{{\alpha_c(\kappa)}} = {INVERSE}"),
    (SPHERICAL, rf"\alpha_c^{{-1}} = {INVERSE}"),
    (SPHERICAL, rf"\alpha_c\, A = 1, \quad A = {INVERSE}"),
    (BINARY + " kappa=0", r"\frac{1}{\alpha_c} \approx 1.2004"),
    (SPHERICAL, r"\alpha_c(\kappa=1) \approx 0.5196"),
    (SPHERICAL, r"\alpha_c(0) = 2"),
    (SPHERICAL, r"\alpha_c|_{\kappa=0} = 2"),
    (SPHERICAL, r"\alpha_c = 2 \qquad (\kappa = 0)"),
    (SPHERICAL, r"\alpha_c = 2 \quad\text{for}\quad \kappa = 0"),
    (BINARY, r"\alpha_c \approx 0.8331, \quad q_c \approx 0.564"),
    (BINARY, r"\alpha_c \approx 0.8331, \quad q^* \approx 0.564"),
]


@pytest.mark.parametrize(("markup", "equation"), RIGHT)
def test_what_stands_around_the_letter_of_a_point_is_part_of_the_claim(session: Session, markup: str, equation: str) -> None:
    outcome = outcome_of(session, markup, equation)
    assert outcome.status is Status.VERIFIED, outcome.detail


WRONG = [
    (SPHERICAL, rf"\frac{{\alpha_c}}{{2}} = {CAPACITY}"),
    (SPHERICAL, rf"\alpha_c^2 = {CAPACITY}"),
    (SPHERICAL, rf"\kappa_c(\alpha) = {CAPACITY}"),
    (BINARY + " kappa=0", r"\frac{1}{\alpha_c} \approx 0.8331"),
    (SPHERICAL, r"\alpha_c(\kappa=0.5) = 2"),
    (SPHERICAL, r"\alpha_c(\kappa) = 2"),
    (SPHERICAL, r"\alpha_c = 2 \qquad (\kappa = 0.5)"),
    (BINARY, r"\alpha_c \approx 0.8331, \quad q_c \approx 0.9"),
    (SPHERICAL, r"\alpha_c = \frac{2}{1+\kappa^2}"),
    (SPHERICAL, rf"\alpha_c = {INVERSE}"),
    (BINARY, r"\alpha_c = 0.833 (1-\kappa)"),
]


@pytest.mark.parametrize(("markup", "equation"), WRONG)
def test_a_wrong_equation_about_a_point_is_refuted(session: Session, markup: str, equation: str) -> None:
    outcome = outcome_of(session, markup, equation)
    assert outcome.status in (Status.WRONG, Status.OFF_BY_FACTOR), outcome.detail
    assert outcome.values is not None
    assert outcome.values[0] != pytest.approx(outcome.values[1], rel=1e-5)


UNCHECKED = [
    (SPHERICAL, r"\alpha_c = \alpha_c", "tautology"),
    (SPHERICAL, r"\alpha_c = 2, \quad x = 3", "claimed|meaning"),
    (SPHERICAL, r"\alpha_c (1-\kappa) = 2", r"argument or a factor"),
    (SPHERICAL + " kappa=0", r"\alpha_c(\kappa=0.5) \approx 0.961", "0 and 0.5"),
    (SPHERICAL, r"\alpha_c = 2 \qquad (x = 0)", "remark"),
    (SPHERICAL, r"\alpha_c \leq 2", "no equation"),
    (SPHERICAL, r"\alpha_c = 2, \quad \hat q_c = 1", "no value"),
]


@pytest.mark.parametrize(("markup", "equation", "reason"), UNCHECKED)
def test_what_is_said_of_a_point_and_not_checked_does_not_pass(
    session: Session, markup: str, equation: str, reason: str
) -> None:
    import re

    outcome = outcome_of(session, markup, equation)
    assert outcome.status is Status.NOT_CHECKED, outcome.detail
    assert re.search(reason, outcome.detail), outcome.detail


def test_a_rounded_number_after_an_equality_sign_is_told_how_to_be_written(session: Session) -> None:
    outcome = outcome_of(session, BINARY, r"\alpha_c = 0.833")
    assert outcome.status is Status.WRONG
    assert r"write \approx" in outcome.detail
    assert r"\approx" not in outcome_of(session, BINARY, r"\alpha_c = 0.834").detail


def test_a_rounded_number_that_is_wrong_is_not_called_right(session: Session) -> None:
    outcome = outcome_of(session, BINARY, r"\alpha_c \approx 0.834")
    assert outcome.status is Status.WRONG
    assert "right to the digits" not in outcome.detail


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (r"0.8331 \pm 0.0005", Status.VERIFIED),  # 0.833 in Krauth and Mezard 1989
        (r"0.83 \pm 0.01", Status.VERIFIED),
        (r"0.83 \pm 0.001", Status.WRONG),
        (r"0.84 \pm 0.005", Status.WRONG),
        (r"1 \pm 2", Status.NOT_CHECKED),
    ],
)
@pytest.mark.parametrize("relation", ["=", r"\approx"])
def test_a_number_with_an_uncertainty_claims_that_much(session: Session, relation: str, number: str, status: Status) -> None:
    outcome = outcome_of(session, "binary-perceptron capacity kappa=0", rf"\alpha_c {relation} {number}")
    assert outcome.status is status, outcome.detail
