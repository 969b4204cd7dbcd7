r"""Claims are compared where they may differ: other signs and sizes of parameters, both sides of a kink, roots that are not trivial."""

from __future__ import annotations

import pytest
from notation import ENTROPY, TAIL, TANH, document, only

from spinodal.verify import Status
from spinodal.verify.documents import read_document
from spinodal.verify.results import Outcome
from spinodal.verify.run import Session

Q = r"q = \int Dz " + TANH


def outcome_of(session: Session, markup: str, equation: str, text: str = "") -> Outcome:
    (outcome,) = session.outcomes(read_document(f"{text}\n% spinodal: {markup}\n\\[ {equation} \\]\n", "text", "latex"))
    return outcome


ELSEWHERE = [
    ("q", Q + r" + \theta(\alpha-2)"),
    ("q", Q + r" + \theta(\alpha-40)"),
    ("q", Q + r" + \theta(-\kappa)"),
    ("q", Q + r" + \theta(-7-\kappa)"),
    ("q", Q + r" + (\kappa - \sqrt{\kappa^2})"),
    ("q_hat", rf"\hat q = {TAIL}".replace(r"\kappa", r"|\kappa|")),
    ("free-entropy", rf"\phi = {ENTROPY}".replace(r"\kappa", r"|\kappa|")),
]


@pytest.mark.parametrize(("quantity", "equation"), ELSEWHERE)
def test_what_is_wrong_far_from_the_usual_parameters_is_refuted(session: Session, quantity: str, equation: str) -> None:
    outcome = only(session, document(quantity, rf"\[ {equation} \]"))
    assert outcome.status in (Status.WRONG, Status.OFF_BY_FACTOR), outcome.detail


EVERYWHERE = [
    ("q", rf"|q| = \left|\int Dz {TANH}\right|"),
    ("free-entropy", rf"\phi = {ENTROPY}".replace(r"\alpha\int", r"|\alpha|\int")),
    ("q_hat", rf"\hat q = {TAIL}".replace(r"\kappa", r"(|\kappa|\theta(\kappa) - |\kappa|\theta(-\kappa))")),
    ("q_hat kappa=0.2", rf"\hat q = {TAIL}".replace(r"\kappa", r"|\kappa|")),
]


@pytest.mark.parametrize(("quantity", "equation"), EVERYWHERE)
def test_what_is_right_on_both_sides_verifies(session: Session, quantity: str, equation: str) -> None:
    outcome = only(session, document(quantity, rf"\[ {equation} \]"))
    assert outcome.status is Status.VERIFIED, outcome.detail


def test_special_points_are_located_at_negative_margins_too(session: Session) -> None:
    right = r"\alpha_c = \left[\int_{-\kappa}^\infty Dt\,(t+\kappa)^2\right]^{-1}"
    assert outcome_of(session, "spherical-perceptron capacity", right).passed
    wrong = right.replace(r"\kappa", r"|\kappa|")
    assert outcome_of(session, "spherical-perceptron capacity", wrong).status is Status.WRONG
    assert outcome_of(session, "spherical-perceptron capacity kappa=0.4", wrong).passed


PARISI = (
    r"\frac{m^2}{2}(q_1\hat q_1 - q_0\hat q_0) = m\int Dz \frac{\int Du (2\cosh\omega)^m\ln(2\cosh\omega)}{\int Du(2\cosh\omega)^m}"
    r" - \int Dz\ln\int Du(2\cosh\omega)^m + \alpha\left[m\int Dz\frac{\int Du H^m(\Xi)\ln H(\Xi)}{\int Du H^m(\Xi)}"
    r" - \int Dz\ln\int Du H^m(\Xi)\right]"
)
LETTERS = (
    r"$\omega = \sqrt{\hat q_0} z + \sqrt{\hat q_1-\hat q_0}\, u$,"
    r" $\Xi = \frac{\kappa - \sqrt{q_0}z-\sqrt{q_1-q_0}\,u}{\sqrt{1-q_1}}$"
)


@pytest.mark.slow
def test_the_equation_of_the_parisi_parameter_is_compared_at_roots_that_are_not_trivial(session: Session) -> None:
    outcome = outcome_of(session, "binary-perceptron m ansatz=1rsb", PARISI, LETTERS)
    assert outcome.status is Status.VERIFIED, outcome.detail
    wrong = PARISI.replace(r"\frac{m^2}{2}", "m^2", 1)
    assert not outcome_of(session, "binary-perceptron m ansatz=1rsb", wrong, LETTERS).passed
    assert not outcome_of(session, "binary-perceptron m ansatz=1rsb", "m = 0", LETTERS).passed


@pytest.mark.slow
def test_the_given_overlap_is_extremised_at_the_local_entropy_transition(session: Session) -> None:
    """arXiv:2110.00683: 0.755302 at zero margin."""
    markup = "binary-perceptron local-entropy-transition ansatz=real-replicas kappa=0"
    assert outcome_of(session, markup, r"\alpha_{LE} \approx 0.755302").passed
    assert outcome_of(session, markup, r"\alpha_{LE} \approx 0.7563").status is Status.WRONG
    assert outcome_of(session, markup, r"\alpha_{LE} \approx 0.7553, \quad q_1 \approx 0.92").passed
    assert not outcome_of(session, markup, r"\alpha_{LE} \approx 0.7553, \quad q_1 = 0.3").passed


def test_the_equations_of_a_fixed_norm_belong_to_those_of_the_overlaps(session: Session) -> None:
    markup = "spherical-perceptron q0 ansatz=1rsb"
    right = r"\hat q_0 = \frac{q_0}{[1-q_1+m(q_1-q_0)]^2}"
    outcome = outcome_of(session, markup, right)
    assert outcome.status is Status.VERIFIED, outcome.detail
    assert not outcome_of(session, markup, right.replace("]^2", "]")).passed
