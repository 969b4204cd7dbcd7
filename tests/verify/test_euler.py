"""The letter e beside a temperature: an energy where the document says so, Euler's number where nothing else can be meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from notation import THERMAL

from spinodal.verify.documents import read_document
from spinodal.verify.results import Outcome, Status
from spinodal.verify.run import Session

ENTROPY = r"s = \beta(e - f)"  # f = e - T s


def outcome_of(session: Session, folder: Path, equation: str, before: str = "") -> Outcome:
    (folder / "thermal.toml").write_text(THERMAL)
    text = f"{before}% spinodal: thermal.toml entropy\n\\[ {equation} \\]\n"
    (outcome,) = session.outcomes(read_document(text, str(folder / "text.tex"), "latex"))
    return outcome


def test_it_may_be_an_energy_beside_a_temperature(session: Session, tmp_path: Path) -> None:
    outcome = outcome_of(session, tmp_path, ENTROPY)
    assert outcome.status is Status.NOT_CHECKED
    assert "e = energy" in outcome.detail


def test_it_is_the_energy_where_that_is_declared(session: Session, tmp_path: Path) -> None:
    outcome = outcome_of(session, tmp_path, ENTROPY, "% spinodal-symbols: e = energy\n")
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize("number", [r"\ln(2\pi e) - \ln 2\pi", r"e^{0}", r"\frac{e^{\beta}}{e^\beta}"])
def test_among_numbers_and_below_exponents_it_is_eulers(session: Session, tmp_path: Path, number: str) -> None:
    equation = ENTROPY.replace("e - f", rf"E - f)({number}")
    outcome = outcome_of(session, tmp_path, equation, "% spinodal-symbols: E = energy\n")
    assert outcome.status is Status.VERIFIED, outcome.detail
