r"""Scripts and words on the left of a claim that name a quantity: another one than is claimed is refused."""

from __future__ import annotations

import pytest
from notation import ENTROPY

from spinodal.verify import Status
from spinodal.verify.documents import read_document
from spinodal.verify.results import Outcome
from spinodal.verify.run import Session

GIBBS = r"\frac1\pi\arccos r"


def outcome_of(session: Session, markup: str, left: str, right: str, symbols: str = "") -> Outcome:
    text = f"{symbols}\n% spinodal: {markup}\n\\[ {left} = {right} \\]\n"
    (outcome,) = session.outcomes(read_document(text, "text", "latex"))
    return outcome


@pytest.mark.parametrize("left", [r"\epsilon", r"\epsilon_g", r"\epsilon_{\mathrm{gen}}", r"E_g"])
def test_names_of_the_generalization_error(session: Session, left: str) -> None:
    assert outcome_of(session, "binary-teacher-student generalization-error", left, GIBBS).status is Status.VERIFIED


@pytest.mark.parametrize(
    "left",
    [
        r"\epsilon_{\mathrm{train}}",
        r"\epsilon_t",
        r"\epsilon_{\text{Bayes}}",
    ],
)
def test_names_of_other_errors_are_refused(session: Session, left: str) -> None:
    outcome = outcome_of(session, "binary-teacher-student generalization-error", left, GIBBS)
    assert outcome.status is Status.NOT_CHECKED
    assert "the left side calls itself" in outcome.detail


@pytest.mark.parametrize(
    "left", ["s", r"s_{\rm RS}", r"\phi^{\mathrm{RS}}", r"s_{\rm typ}", r"S_0", r"\text{entropy density}"]
)
def test_names_of_the_entropy(session: Session, left: str) -> None:
    assert outcome_of(session, "binary-perceptron free-entropy", left, ENTROPY).status is Status.VERIFIED


@pytest.mark.parametrize(
    "left",
    [
        r"s_P", r"s_{\text{per pattern}}", r"s_{\mathrm{ann}}", r"s^{\rm annealed}", r"s_{\rm bits}", r"\phi_{\rm 1RSB}",
        r"\text{entropy per pattern}", r"-\beta f_{\mathrm{ann}}", r"\Sigma", r"\dot s",
    ],
)  # fmt: skip
def test_names_of_other_entropies_are_refused(session: Session, left: str) -> None:
    assert outcome_of(session, "binary-perceptron free-entropy", left, ENTROPY).status is Status.NOT_CHECKED


@pytest.mark.parametrize(("left", "key"), [(r"s_P", "s_P"), (r"\Sigma", r"\Sigma"), (r"s_{\rm ann}", r"s_{ann}")])
def test_a_symbol_map_says_what_a_name_stands_for(session: Session, left: str, key: str) -> None:
    symbols = f"% spinodal-symbols: {key} = free_entropy"
    outcome = outcome_of(session, "binary-perceptron free-entropy", left, ENTROPY, symbols)
    assert outcome.status is Status.VERIFIED, outcome.detail
