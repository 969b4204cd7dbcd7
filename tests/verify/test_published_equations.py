"""Published equations verify as they stand; with one planted error each, every one is caught and its kind named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from planted import ATYPICAL, TYPICAL, Planted

from spinodal.verify import Outcome, Status
from spinodal.verify.documents import read_document
from spinodal.verify.run import Session

FOLDER = Path(__file__).parent / "documents"
DOCUMENTS: dict[str, tuple[Planted, ...]] = {"published.tex": TYPICAL, "atypical.tex": ATYPICAL}
CASES = [(name, index) for name, planted in DOCUMENTS.items() for index in range(len(planted))]


def text_of(name: str) -> str:
    """A document."""
    return (FOLDER / name).read_text(encoding="utf-8")


def claims(text: str) -> list[int]:
    """Where the claims of a text begin."""
    return [match.start() for match in re.finditer(r"^% spinodal: ", text, re.M)]


def only_claim(name: str, index: int, old: str, new: str) -> str:
    """The document with one claim, and one replacement in the equation that follows it."""
    text = text_of(name)
    at = text.find(old, claims(text)[index])
    assert at >= 0, f"{old} is not in the equation of claim {index}"
    text = text[:at] + new + text[at + len(old) :]
    kept = claims(text)[index]
    before, after = text[:kept], text[kept + 12 :]
    return before.replace("% spinodal: ", "% claim: ") + text[kept : kept + 12] + after.replace("% spinodal: ", "% claim: ")


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTS)
def test_published_equations_verify(session: Session, name: str) -> None:
    text = text_of(name)
    outcomes = list(session.outcomes(read_document(text, name, "latex")))
    assert len(outcomes) == len(claims(text)) == len(DOCUMENTS[name])
    assert [o for o in outcomes if not o.passed] == []
    assert all(o.deviation < 1e-8 and o.accuracy < 1e-6 for o in outcomes)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "index"), CASES)
def test_planted_error_is_caught_and_named(session: Session, name: str, index: int) -> None:
    old, new, kinds = DOCUMENTS[name][index]
    outcome: Outcome
    (outcome,) = session.outcomes(read_document(only_claim(name, index, old, new), name, "latex"))
    assert not outcome.passed
    assert outcome.status in (Status.WRONG, Status.OFF_BY_FACTOR), outcome.detail
    assert outcome.kind in kinds, outcome.detail
    assert outcome.place is not None


def test_every_ansatz_has_published_equations() -> None:
    texts = "".join(text_of(name) for name in DOCUMENTS)
    assert len(claims(texts)) >= 20
    for ansatz in ("bayes-optimal", "1rsb", "real-replicas", "franz-parisi"):
        assert f"ansatz={ansatz}" in texts
