r"""What a document says of parameters themselves: ``T = 2/\beta`` contradicts how beta is read, ``\beta = 2/T`` defines it."""

from __future__ import annotations

from pathlib import Path

import pytest
from notation import THERMAL, document, only

from spinodal.verify import Status
from spinodal.verify.documents import read_document
from spinodal.verify.results import Outcome
from spinodal.verify.run import Session

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
        (r"At $k_B T = 1/\beta$.", r"\beta"),
        (r"At $\beta = \frac{2}{k_B T}$.", r"\beta/2"),
        (r"With $\gamma = \beta^2$.", r"\beta"),
    ],
)
def test_beta_is_what_the_document_defines_it_to_be(session: Session, tmp_path: Path, words: str, beta: str) -> None:
    outcome = outcome_of(session, tmp_path, words, beta)
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize("words", [r"At temperature $T = 2/\beta$.", r"With $\beta T = 2$.", r"With $k_B T = 2/\beta$."])
def test_what_contradicts_how_beta_is_read_is_refused(session: Session, tmp_path: Path, words: str) -> None:
    outcome = outcome_of(session, tmp_path, words, r"\beta")
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail == r"what line 1 says of T and \beta is not so as \beta is read: define \beta itself"


def test_a_temperature_that_is_rescaled_rescales_beta(session: Session, tmp_path: Path) -> None:
    outcome = outcome_of(session, tmp_path, r"We measure $T \to T/2$.", r"\beta")
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail == (
        r"\beta is read through T: T is rescaled in line 1: say below it what T stands for from there on, as in "
        "'% spinodal-symbols: T = T' or with its factor"
    )


SCALED = r"\[ q = \int Dz \tanh^2(\sqrt{FACTOR\,\tilde q}z) \]"


@pytest.mark.parametrize(
    ("words", "factor"),
    [
        (r"We write $\hat q = 2\tilde q$.", "2"),
        (r"We write $\hat q = \alpha\tilde q$.", r"\alpha"),
        (r"We write $\hat q = \frac{\tilde q}{\alpha}$.", r"\frac{1}{\alpha}"),
        (r"\[ \hat q = -\tilde q \]", "(-1)"),
    ],
)
def test_a_letter_that_is_related_to_the_models_by_a_factor_is_defined(session: Session, words: str, factor: str) -> None:
    outcome = only(session, document("q", SCALED.replace("FACTOR", factor), words))
    assert outcome.status is Status.VERIFIED, outcome.detail
    assert not only(session, document("q", SCALED.replace("FACTOR", "3"), words)).passed


@pytest.mark.parametrize(
    "words", [r"For $\kappa>0$, $\hat q = 2\tilde q$.", r"Here $\hat q = 2 + \tilde q$.", r"Here $\hat q = \tilde q^2$."]
)
def test_other_relations_define_no_letter(session: Session, words: str) -> None:
    outcome = only(session, document("q", SCALED.replace("FACTOR", "2"), words))
    assert outcome.status is Status.NOT_CHECKED
    assert "the symbol tilde(q) has no meaning here" in outcome.detail


@pytest.mark.parametrize("words", [r"At $\alpha = 2\alpha_c$.", r"At $\alpha = \alpha_c$.", r"At $\alpha = 2 a$."])
def test_where_something_is_defines_no_letter(session: Session, words: str) -> None:
    letter = words.rpartition("=")[2].strip("$. 2")
    equation = rf"\hat q = \frac{{{letter}}}{{1-q}}\int Dz \left[\frac{{G(X)}}{{H(X)}}\right]^2, X=\frac{{\kappa-\sqrt q z}}{{\sqrt{{1-q}}}}"
    assert not only(session, document("q_hat", rf"\[ {equation} \]", words)).passed


def test_a_letter_that_is_related_twice_differently_is_refused(session: Session) -> None:
    words = r"Here $\hat q = 2\tilde q$, and $\hat q = 3\tilde q$."
    outcome = only(session, document("q", SCALED.replace("FACTOR", "2"), words))
    assert "it is related to the model's letters twice, differently (line 1)" in outcome.detail


def test_what_defines_a_letter_by_the_quantity_itself_claims_nothing_of_it(session: Session) -> None:
    outcome = only(session, document("q_hat", r"\[ \hat q = 2\tilde q \]", r"Here $\hat q = 2\tilde q$."))
    assert outcome.status is Status.NOT_CHECKED
    assert "tautology" in outcome.detail


TEXTBOOK = (
    r"\[ \hat q = \frac{\alpha}{1-q}\int Dz \left[\frac{G(X)}{H(X)}\right]^2, "
    r"X=\frac{\kappa-\sqrt q z}{\sqrt{1-q}} \]"
)


@pytest.mark.parametrize(
    "words",
    [
        r"where $q = \frac{2}{N}\sum_i \langle w_i\rangle^2$.",
        r"where $q = \frac{1}{2N}\sum_i \langle w_i\rangle^2$.",
        r"where $q = -\frac{1}{N}\sum_i \langle w_i\rangle^2$.",
        r"where $q=1-\frac{\|w-w'\|^2}{4N}$.",
    ],
)
def test_an_overlap_that_is_defined_with_other_numbers_is_not_the_models(session: Session, words: str) -> None:
    outcome = only(session, document("q_hat", TEXTBOOK, words))
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail == (
        "q is defined in line 1 by weights, with numbers that are not read: "
        "say what it stands for, as in '% spinodal-symbols: q = q'"
    )


@pytest.mark.parametrize(
    "words",
    [
        r"where $q = \frac{1}{N}\sum_i \langle w_i\rangle^2$.",
        r"where $q = \frac1N\sum_{i=1}^N w_i^1 w_i^2$.",
        r"where $q = N^{-1}\sum_{i=1}^N w_i w_i'$.",
        r"where $q = \frac{w\cdot w'}{N}$.",
        r"\[ q = \int Dz \tanh^2\left(\frac{2}{2}\sqrt{\hat q} z\right) \]",
        r"\[ q = 2 \cdot \frac12 \int dz\, \mathcal{N}(z; 0, 1) \tanh^2(\sqrt{\hat q} z) \]",
        r"where $q = \lim_{N\to\infty}\frac1N\mathbb{E}\sum_i \langle w_i\rangle^2$.",
        "% spinodal-symbols: q = q\nwhere $q=1-\\frac{\\|w-w'\\|^2}{2N}$.",
    ],
)
def test_an_overlap_per_site_is_the_models(session: Session, words: str) -> None:
    outcome = only(session, document("q_hat", TEXTBOOK, words))
    assert outcome.status is Status.VERIFIED, outcome.detail
