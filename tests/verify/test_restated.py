r"""What a document says of parameters themselves: ``T = 2/\beta`` contradicts how beta is read, ``\beta = 2/T`` defines it."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinodal.verify import Status
from spinodal.verify.documents import read_document
from spinodal.verify.results import Outcome
from spinodal.verify.run import Session

THERMAL = """format = 1
[student]
weights = "binary"
[loss]
energy = "step(kappa - y*h)"
temperature = "T"
[parameters]
alpha = 1.0
kappa = 0.0
T = 0.5
"""
#: Gardner and Derrida 1988: the energy of errors at an inverse temperature.
ENERGY = r"e = \alpha\int Dt \frac{e^{-BETA}H(-X)}{e^{-BETA}H(-X)+H(X)}, \quad X = \frac{\kappa-\sqrt q t}{\sqrt{1-q}}"


def outcome_of(session: Session, folder: Path, words: str, beta: str) -> Outcome:
    (folder / "hot.toml").write_text(THERMAL, encoding="utf-8")
    text = f"{words}\n\n% spinodal: hot.toml energy\n\\[ {ENERGY.replace('BETA', beta)} \\]\n"
    (outcome,) = session.outcomes(read_document(text, str(folder / "text.tex"), "latex"))
    return outcome


@pytest.mark.parametrize(
    ("words", "beta"),
    [
        ("", r"\beta"),
        (r"At $T = 1/\beta$.", r"\beta"),
        (r"At $\beta = 2/T$.", r"\beta/2"),
        (r"At $T = 2/\beta$. Thus $\beta = 2/T$.", r"\beta/2"),
        (r"At $T = 1/\beta = 0.5$.", r"\beta"),
        (r"With $\gamma = \beta^2$.", r"\beta"),
    ],
)
def test_beta_is_what_the_document_defines_it_to_be(session: Session, tmp_path: Path, words: str, beta: str) -> None:
    outcome = outcome_of(session, tmp_path, words, beta)
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize("words", [r"At temperature $T = 2/\beta$.", r"With $\beta T = 2$."])
def test_what_contradicts_how_beta_is_read_is_refused(session: Session, tmp_path: Path, words: str) -> None:
    outcome = outcome_of(session, tmp_path, words, r"\beta")
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail == r"what line 1 says of T and \beta is not so as \beta is read: define \beta itself"
