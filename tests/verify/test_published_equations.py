"""Published equations verify as they stand; with one planted error each, every one is caught and its kind named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from planted import PLANTED

from spinodal.verify import Outcome, Status
from spinodal.verify.documents import read_document
from spinodal.verify.run import Session

FOLDER = Path(__file__).parent / "documents"
TEXT = (FOLDER / "published.tex").read_text(encoding="utf-8")
MARKS = [match.start() for match in re.finditer(r"^% spinodal: ", TEXT, re.M)]


@pytest.fixture(scope="module")
def session() -> Session:
    """Models and reference states shared by the tests of this module."""
    return Session()


def only_claim(index: int, old: str = "", new: str = "") -> str:
    """The document with one claim, and one replacement in the equation that follows it."""
    text = TEXT
    if old:
        at = text.find(old, MARKS[index])
        assert at >= 0, f"{old} is not in the equation of claim {index}"
        text = text[:at] + new + text[at + len(old) :]
    marks = [match.start() for match in re.finditer(r"^% spinodal: ", text, re.M)]
    kept = marks[index]
    lines = text[:kept].replace("% spinodal: ", "% claim: ") + text[kept : kept + 12]
    return lines + text[kept + 12 :].replace("% spinodal: ", "% claim: ")


def outcome_of(session: Session, text: str) -> Outcome:
    """The outcome of the only claim of a text."""
    (outcome,) = session.outcomes(read_document(text, "published.tex", "latex"))
    return outcome


@pytest.mark.slow
def test_published_equations_verify(session: Session) -> None:
    outcomes = list(session.outcomes(read_document(TEXT, "published.tex", "latex")))
    assert len(outcomes) == len(MARKS) >= 20
    assert [o for o in outcomes if not o.passed] == []
    assert all(o.deviation < 1e-8 and o.accuracy < 1e-6 for o in outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(PLANTED)))
def test_planted_error_is_caught_and_named(session: Session, index: int) -> None:
    old, new, kinds = PLANTED[index]
    outcome = outcome_of(session, only_claim(index, old, new))
    assert not outcome.passed
    assert outcome.status in (Status.WRONG, Status.OFF_BY_FACTOR)
    assert outcome.kind in kinds, outcome.detail
    assert outcome.place is not None


def test_every_claim_has_a_planted_error() -> None:
    assert len(PLANTED) == len(MARKS)
