r"""Derivatives in documents: \partial_q, fractions, primes, values at a point; of what is written out and of the free entropy."""

from __future__ import annotations

import pytest
from notation import ENTROPY, U, document, only

from spinodal.verify.documents import read_document
from spinodal.verify.results import Status
from spinodal.verify.run import Session

ENERGY = r", \quad G_E = \int Dz \ln H\left(" + U + r"\right)"
PRIOR = r", \quad G_S = \int Dz \ln 2\cosh(\sqrt{\hat q} z)"
PRIOR_OF = r", \quad G_S(\hat q) = \int Dz \ln 2\cosh(\sqrt{\hat q} z)"
F = r", \quad F = " + ENTROPY


#: Quantity, equation, what an error replaces, and by what.
CLAIMS = [
    ("q_hat", r"\hat q = -2\alpha\,\partial_q G_E" + ENERGY, r"-2\alpha", r"2\alpha"),
    ("q", r"q = 1-2\partial_{\hat q} G_S" + PRIOR, r"-2\partial", r"-\partial"),
    ("q", r"q = 1-2\frac{\partial G_S}{\partial\hat q}" + PRIOR, r"\ln 2\cosh", r"\ln 2\sinh"),
    ("q", r"q = 1-2\frac{d}{d\hat{q}} G_S" + PRIOR, "1-2", "1-4"),
    ("q", r"q = 1-2\frac{\mathrm d}{\mathrm d\hat q} \int Dz \ln 2\cosh(\sqrt{\hat q} z)", r"\sqrt{\hat q}", r"\hat q"),
    ("q", r"q = 1-2\frac{\rm d}{{\rm d}\hat q} \left(\int Dz \ln 2\cosh(\sqrt{\hat q} z)\right)", r"\sqrt{\hat q}", r"\hat q"),
    ("q", r"q = 1-2 G_S'(\hat q)" + PRIOR_OF, "1-2", "1-"),
    ("q", r"q = \int Dz\, [f'(\sqrt{\hat q}z)]^2, \quad f(x) = \ln 2\cosh x", "f'", "f''"),
    ("q", r"q = 1-\int Dz\, f''(\sqrt{\hat q}z), \quad f(x) = \ln 2\cosh x", "f''", "f'''"),
    ("q", r"q = 1-\int Dz \left.\frac{\partial^2\ln\cosh(x)}{\partial x^2}\right|_{x=\sqrt{\hat q}z}", r"\hat q", "q"),
    ("q_hat", r"\hat q = \frac{\alpha}{1-q}\int Dz \left[\left.\partial_x \ln H(x)\right|_{x=" + U + r"}\right]^2", r"\right]^2",
     r"\right]^4"),
    # in a letter that the document defines, at its value
    ("q_hat", r"\hat q = \alpha\int Dz \left[\frac{d}{dh}\ln H\left(\frac{\kappa-h}{\sqrt{1-q}}\right)\right]^2, \quad h = \sqrt q z",
     r"\sqrt q z", "q z"),
    ("q_hat", r"\hat q = \frac{\alpha}{1-q}\int Dz \left[\partial_X \ln H(X)\right]^2, \quad X = " + U, r"\partial_X", r"\partial_X^2"),
    ("q_hat", r"\frac{\partial\phi}{\partial q}=0", r"{\partial\phi}", r"{\partial\phi^2}"),
    ("q_hat", r"\partial_q\phi(q,\hat q)=0", r"=0", r"=\hat q"),
    ("q_hat", r"\frac{\partial F}{\partial q}=0" + F, r"\alpha\int", r"2\alpha\int"),
    ("q_hat", r"0 = \partial_q \left[" + ENTROPY + r"\right]", r"\frac{\hat q}{2}(1-q)", r"\hat q(1-q)"),
]  # fmt: skip


@pytest.mark.parametrize(("quantity", "equation", "right", "planted"), CLAIMS)
def test_derivatives_are_taken(session: Session, quantity: str, equation: str, right: str, planted: str) -> None:
    outcome = only(session, document(quantity, rf"\[ {equation} \]"))
    assert outcome.status is Status.VERIFIED, outcome.detail
    wrong = only(session, document(quantity, rf"\[ {equation.replace(right, planted, 1)} \]"))
    if r"\phi^2" in planted:  # 2 phi times the derivative vanishes where it does
        assert wrong.status is Status.VERIFIED
        return
    assert wrong.status in (Status.WRONG, Status.OFF_BY_FACTOR), wrong.detail


def test_a_derivative_in_the_conjugate_gives_the_other_equation(session: Session) -> None:
    outcome = only(session, document("q_hat", r"\[ \partial_{\hat q}\phi = 0 \]"))
    assert outcome.kind == "wrong quantity", outcome.detail


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        (r"\hat q = -2\alpha\partial_q G_E\, q" + ENERGY, "what this derivative acts on"),
        (r"\hat q = -2\partial_q G_E/2" + ENERGY, "what this derivative acts on"),
        (r"\hat q = \frac{\partial^2 F}{\partial q\,\partial\hat q}" + F, "more than one variable"),
        (r"\hat q = \frac{\partial^2 F}{\partial q}" + F, "order"),
        (r"\hat q = -2\alpha\partial_x G_E" + ENERGY, "no meaning"),
        (r"\hat q = -2\alpha\partial_q \int_{\sqrt q}^\infty Dz", "no derivative"),
        (r"\hat q = \partial_q^2\phi", "second derivative"),
    ],
)
def test_a_derivative_that_is_not_clear_is_not_checked(session: Session, equation: str, message: str) -> None:
    outcome = only(session, document("q_hat", rf"\[ {equation} \]"))
    assert outcome.status is Status.NOT_CHECKED, outcome.detail
    assert message in outcome.detail


def test_a_letter_of_the_free_entropy_that_is_a_function_elsewhere_stays_one(session: Session) -> None:
    first = document("free-entropy", rf"\[ G(q,\hat q) = {ENTROPY} \]")
    second = document("q_hat", rf"\[ \hat q = \frac{{\alpha}}{{1-q}}\int Dz\left[\frac{{G(X)}}{{H(X)}}\right]^2, X = {U} \]")
    third = document("q_hat", r"\[ \frac{\partial G}{\partial q} = 0 \]")
    outcomes = list(session.outcomes(read_document(first + second + third, "text", "latex")))
    assert [outcome.status for outcome in outcomes] == [Status.VERIFIED] * 3, [o.detail for o in outcomes]


def test_a_quantity_whose_dependence_is_not_written_is_not_differentiated(session: Session) -> None:
    equation = r"\[ \hat p = -2\alpha_T\partial_p \left(2\int Dz H\left(-\frac{M z}{\sqrt{Q-M^2}}\right)\ln H(z)\right) \]"
    text = document("p_hat", equation).replace("binary-perceptron", "random-features-binary")
    outcome = only(session, text)
    assert outcome.status is Status.NOT_CHECKED
    assert "how M, Q depends on the others" in outcome.detail


def test_a_derivative_beside_what_its_variable_is_made_of_is_refused(session: Session) -> None:
    """d/dh at fixed z, or along h = sqrt(q) z: the formula does not say."""
    equation = r"q = \int Dz \left[\frac{d}{dh}\ln\cosh(h + z)\right]^2, \quad h = \sqrt{\hat q}z"
    outcome = only(session, document("q", rf"\[ {equation} \]"))
    reason = "h, in which this is differentiated, is defined by z, which stands beside it: write the formula in one of them"
    assert outcome.detail == reason
