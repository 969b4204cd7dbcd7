r"""What the words beside letters call them: nothing passes that is read otherwise than the document says."""

from __future__ import annotations

import pytest
from notation import document, only

from spinodal.verify import Status
from spinodal.verify.run import Session

PRIOR = r"\[ q = \int Dz \tanh^2(\sqrt{\hat q} z) \]"
OUTPUT = r"\[ \hat q = \frac{\alpha}{1-q}\int Dz \left[\frac{G(X)}{H(X)}\right]^2, X=\frac{\kappa-\sqrt q z}{\sqrt{1-q}} \]"


@pytest.mark.parametrize(
    ("quantity", "equation", "words", "reason"),
    [
        (
            "q_hat",
            OUTPUT,
            r"We write $\kappa = 2\kappa_0$, where $\kappa_0$ is the margin.",
            r"'is the margin' of \kappa_{0}",
        ),
        ("q_hat", OUTPUT, r"Patterns are stored with the margin $2\kappa$.", r"calls $2\kappa$ what \kappa is read as"),
        (
            "q_hat",
            OUTPUT,
            r"where $\alpha$ is the margin and $\kappa$ the load",
            r"'is the margin' of \alpha, which is read as",
        ),
        ("q_hat", OUTPUT, r"A pattern is stored if $y h \ge 2\kappa$.", "another bound than the model's constraint"),
        ("q_hat", OUTPUT, r"The constraints are $\kappa + 1 \le \sigma^\mu h^\mu$.", "another bound than the model's"),
        ("q", PRIOR, r"after rescaling $\hat q$ by two,", r"rescales \hat{q}"),
        ("q", PRIOR, r"A factor 2 has been absorbed into the conjugate $\hat q$.", r"rescales \hat{q}"),
        ("q", PRIOR, r"where $\hat q$ has been multiplied by $\alpha$", r"rescales \hat{q}"),
        ("q", PRIOR, r"Here $q = \frac1N\sum_i\langle w_i\rangle$.", "a sum of single weights"),
        ("q_hat", OUTPUT, r"Here $\kappa$ is minus the margin.", "'is minus the margin' of \\kappa"),
        ("q", PRIOR, r"Here $\hat q$ is twice the conjugate of $q$.", "'is twice the conjugate'"),
        ("q", PRIOR, r"where $q$ is the square of the overlap", "'is the square of the overlap'"),
        ("q", PRIOR, r"Throughout, $q$ stands for the distance $(1-q_{ab})/2$.", "'stands for the distance'"),
        ("q", PRIOR, r"where \( q = \frac{1}{N}\sum_{i=1}^N w_i \)", "a sum of single weights"),
    ],
)
def test_letters_that_words_call_something_else_are_refused(
    session: Session, quantity: str, equation: str, words: str, reason: str
) -> None:
    outcome = only(session, document(quantity, equation, words))
    assert outcome.status is Status.NOT_CHECKED, outcome.detail
    assert reason in outcome.detail


@pytest.mark.parametrize(
    ("quantity", "equation", "words"),
    [
        ("q_hat", OUTPUT, r"where $\kappa$ is the margin and $\alpha$ is the load; the margin $\kappa_c$ at which it ends"),
        ("q_hat", OUTPUT, r"Patterns with $y^\mu h^\mu\ge\kappa$, or $\xi\cdot w \ge \kappa\sqrt N$, for any $\kappa > 0$."),
        (
            "q_hat",
            OUTPUT,
            r"where $\alpha$ is half the capacity and $\kappa$ is the margin; $q$ is the overlap of two solutions",
        ),
        ("q_hat", OUTPUT, r"with $\kappa_r$, the margin of the reference; $0 \le q \le 1$ and $\alpha < 2\kappa$."),
        ("q", PRIOR, r"Here $q = \frac1N\sum_i w_i^a w_i^b$ is the overlap between two replicas. The inputs are rescaled."),
        ("q", PRIOR, r"We rescale the inputs $\xi$ by $\sqrt N$ and absorb a factor $1/\sqrt N$ into $x$."),
        ("q_hat", OUTPUT, "% spinodal-symbols: \\kappa = kappa\nwhere $\\kappa = 2\\kappa_0$ and $\\kappa_0$ is the margin"),
    ],
)
def test_words_that_agree_with_how_letters_are_read_change_nothing(
    session: Session, quantity: str, equation: str, words: str
) -> None:
    outcome = only(session, document(quantity, equation, words))
    assert outcome.status is Status.VERIFIED, outcome.detail


def test_what_was_read_by_its_looks_is_listed(session: Session) -> None:
    outcome = only(session, document("q", PRIOR, "% spinodal-symbols: q = q"))
    assert outcome.letters == ((r"\hat q", "q_hat"),)
    assert outcome.to_json()["letters"] == {r"\hat q": "q_hat"}
