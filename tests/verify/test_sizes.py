r"""Definitions of parameters by sizes: ``\alpha = 2P/N`` has the document's meaning, or what uses it is refused.

The equation of the conjugate is Gardner's, 1988: the number of patterns enters as P/N, whatever letters a document has for it.
"""

from __future__ import annotations

import pytest
from notation import document, only

from spinodal.verify import Status
from spinodal.verify.run import Session


def hat(factor: str, words: str = "") -> str:
    """The equation of q_hat with the number of patterns per weight written as some factor."""
    return (
        words + "\n\n" + rf"\[ \hat q = \frac{{{factor}}}{{1-q}}\int Dz \left[\frac{{G(X)}}{{H(X)}}\right]^2, \quad "
        r"X = \frac{\kappa-\sqrt{q}z}{\sqrt{1-q}} \]"
    )


def claim(body: str, before: str = "") -> str:
    """A document whose text stands before the markup."""
    return before + "\n\n" + document("q_hat", body)


TRUE = [
    (r"Let $\alpha = P/N$.", r"\alpha"),
    (r"Let $\alpha = 2P/N$.", r"\frac{\alpha}{2}"),
    (r"Let $\alpha = \frac{P}{2N}$.", r"2\alpha"),
    (r"Let $\alpha \equiv \frac{N}{P}$.", r"\frac{1}{\alpha}"),
    (r"\[ \alpha = \frac{2P}{N} \]", r"\frac12\alpha"),
    (r"Let $\alpha = \lim_{N\to\infty} \frac{P}{N}$.", r"\alpha"),
    (r"As $P, N\to\infty$ with $P/N\to\alpha$ fixed.", r"\alpha"),
    (r"There are $P = \alpha N$ patterns.", r"\alpha"),
    (r"With $\gamma = N/P$.", r"\frac{1}{\gamma}"),
    (r"With $R = 2P/N$ and $\alpha = R/2$.", r"\alpha"),
    (r"At $\alpha = 0.83$.", r"\alpha"),
    ("% spinodal-symbols: \\alpha = alpha\n" + r"Let $\alpha = 2M/N$.", r"\alpha"),
]


@pytest.mark.parametrize(("words", "factor"), TRUE)
def test_alpha_is_what_the_document_defines_it_to_be(session: Session, words: str, factor: str) -> None:
    outcome = only(session, claim(hat(factor), words))
    assert outcome.status is Status.VERIFIED, outcome.detail


FACTORS = [
    (r"Let $\alpha = 2P/N$.", "the right side must be multiplied by 1/2"),
    (r"Let $\alpha = P/(2N)$.", "the right side must be multiplied by 2"),
    (r"Let $\alpha = N/P$.", "the right side must be multiplied by alpha^2"),
    (r"\begin{equation}\alpha = \frac{2P}{N}\end{equation}", "the right side must be multiplied by 1/2"),
]


@pytest.mark.parametrize(("words", "message"), FACTORS)
def test_an_equation_in_another_alpha_is_not_true_of_the_documents(session: Session, words: str, message: str) -> None:
    outcome = only(session, claim(hat(r"\alpha"), words))
    assert outcome.status is Status.OFF_BY_FACTOR
    assert outcome.detail.startswith(message)


def test_a_definition_in_the_claims_own_display_counts_as_well(session: Session) -> None:
    body = hat(r"\frac{\alpha}{2}").replace(r"\]", r", \quad \alpha = \frac{2P}{N} \]")
    outcome = only(session, claim(body))
    assert outcome.status is Status.VERIFIED, outcome.detail


REFUSED = [
    (
        r"Let $\alpha = 2M/N$.",
        r"\alpha is defined by sizes that are not known here (M; known are P patterns, N weights) (line 1); "
        r"say what is meant: '% spinodal-symbols: \alpha = alpha'",
    ),
    (
        r"There are $P = 2\alpha N$ patterns.",
        r"what is said of \alpha and the sizes is not so where alpha is P/N (line 1); "
        r"say what is meant: '% spinodal-symbols: \alpha = alpha/2' if it is so, '\alpha = alpha' if \alpha is P/N all the same",
    ),
    (
        r"Let $\alpha = P N$.",
        r"\alpha is defined by what depends on the sizes themselves, not on ratios (line 1); "
        r"say what is meant: '% spinodal-symbols: \alpha = alpha'",
    ),
    (
        r"Let $\alpha = P/N$; also, $\alpha = 2P/N$.",
        r"\alpha is defined twice, differently (line 1); say what is meant: '% spinodal-symbols: \alpha = alpha'",
    ),
    (
        r"For $\kappa > 0$ we have $\alpha = 2P/N$.",
        r"beside the definition of \alpha (line 1) stands 'For $\\kappa > 0$ we have', which is not read; "
        r"say what is meant: '% spinodal-symbols: \alpha = alpha'",
    ),
    (
        r"After the rescaling $\hat q \to \alpha\hat q$ we have",
        r"\hat{q} is rescaled in line 1: say below it what \hat{q} stands for from there on, as in "
        r"'% spinodal-symbols: \hat{q} = q_hat' or with its factor",
    ),
]


COUNTS = [
    (r"We store $2\alpha N$ patterns.", "alpha/2"),
    (r"We store $p=2\alpha N$ patterns.", "alpha/2"),
    (r"Let $M = \alpha N/2$ be the number of patterns.", "2*alpha"),
    (r"The number of patterns is $\alpha N/2$.", "2*alpha"),
    (r"The patterns $\xi^\mu$, $\mu = 1,\dots,2\alpha N$, are random.", "alpha/2"),
    (r"Let $\mu\in\{1,\dots,2\alpha N\}$.", "alpha/2"),
    (r"\[ E = \sum_{\mu=1}^{2\alpha N} \theta(-h^\mu) \]", "alpha/2"),
    (r"We store $p=2\alpha n$ patterns.", "alpha/2"),
]


@pytest.mark.parametrize(("words", "meant"), COUNTS)
def test_a_number_of_patterns_with_a_factor_is_not_passed_over(session: Session, words: str, meant: str) -> None:
    outcome = only(session, claim(hat(r"\alpha"), words))
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail == (
        r"line 1 has a number of order N that contains \alpha and is not the number of patterns as \alpha is read; "
        rf"say what is meant: '% spinodal-symbols: \alpha = {meant}' if it is so, "
        r"'\alpha = alpha' if \alpha is P/N all the same"
    )


def test_the_symbol_map_that_is_advised_makes_the_consistent_equation_true(session: Session) -> None:
    text = "% spinodal-symbols: \\alpha = alpha/2\n" + claim(hat(r"2\alpha"), r"We store $P = 2\alpha N$ patterns.")
    outcome = only(session, text)
    assert outcome.status is Status.VERIFIED, outcome.detail


def test_a_ratio_with_an_unknown_letter_and_a_factor_is_refused(session: Session) -> None:
    outcome = only(session, claim(hat(r"\alpha"), r"Here $M/N = 2\alpha$."))
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail == (
        r"M is no size of which this is so where alpha is P/N (line 1); "
        r"say what is meant: '% spinodal-symbols: \alpha = alpha'"
    )


@pytest.mark.parametrize(
    ("words", "factor"),
    [
        (r"We store $\alpha N$ patterns, $\mu = 1,\dots,\alpha N$, out of $2^{\alpha N}$ labellings.", r"\alpha"),
        (r"With $M=\alpha N$ patterns and $M/N = \alpha$.", r"\alpha"),
        (r"With $\alpha = 2P/N$, hence $\alpha N/2$ patterns.", r"\frac{\alpha}{2}"),
    ],
)
def test_numbers_of_patterns_that_agree_with_alpha_change_nothing(session: Session, words: str, factor: str) -> None:
    outcome = only(session, claim(hat(factor), words))
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize("arrow", [r"\leftarrow", r"\gets", r"\longleftarrow"])
def test_an_arrow_to_the_left_rescales_as_well(session: Session, arrow: str) -> None:
    outcome = only(session, claim(hat(r"\alpha"), rf"We redefine $\hat q {arrow} \alpha\hat q$."))
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail.startswith(r"\hat{q} is rescaled in line 1: say below it what \hat{q} stands for")


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_cannot_be_told_of_sizes_is_refused(session: Session, words: str, message: str) -> None:
    outcome = only(session, claim(hat(r"\alpha"), words))
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail == message


def test_letters_of_which_nothing_is_known_are_noted(session: Session) -> None:
    outcome = only(session, claim(hat(r"\alpha"), r"Let $\alpha = M/N$."))
    assert outcome.status is Status.VERIFIED
    assert outcome.notes == (r"\alpha = M/N is taken for the number of patterns per weight",)


def test_an_inequality_or_a_limit_in_the_text_rescales_nothing(session: Session) -> None:
    outcome = only(session, claim(hat(r"\alpha"), r"As $q\to 1$ and for $\alpha\to\infty$, $\hat q\to\infty$."))
    assert outcome.status is Status.VERIFIED, outcome.detail


def test_a_symbol_map_below_says_what_a_rescaled_letter_is(session: Session) -> None:
    words = r"After the rescaling $\hat q \to \alpha\hat q$ we have"
    body = hat("1")
    text = words + "\n" + "% spinodal-symbols: \\hat q = q_hat/alpha\n" + document("q_hat", body)
    outcome = only(session, text)
    assert outcome.status is Status.VERIFIED, outcome.detail


def test_patterns_per_input_are_alpha_t_of_random_features(session: Session) -> None:
    r"""The parts of the free entropy of arXiv:2110.00683 count weights, inputs and patterns: 1, D/N and P/N."""
    text = (
        r"Let $\alpha = P/D$ and $\gamma = D/N$." + "\n"
        "% spinodal-symbols: S = free_entropy_prior, B = free_entropy_block, E = free_entropy_output\n"
        "% spinodal: random-features-binary free-entropy\n"
        r"\[ \phi = S + \gamma B + FACTOR E \]"
    )
    assert only(session, text.replace("FACTOR", r"\gamma\alpha")).status is Status.VERIFIED
    assert only(session, text.replace("FACTOR", r"\alpha")).status is Status.WRONG
