"""Words around a claim that withdraw it or change it; ordinary sentences of papers do neither."""

from __future__ import annotations

import pytest
from notation import ENTROPY, TAIL, only

from spinodal.verify import Status
from spinodal.verify.run import Session

OVERLAP = r"\[ q=\int Dz\tanh^2(\sqrt{\hat q}z) \]"
FREE_ENTROPY = rf"\[ s = {ENTROPY} \]"
CONJUGATE = rf"\[ \hat q = {TAIL} \]"


@pytest.mark.parametrize(
    ("quantity", "before", "equation", "after"),
    [
        ("q", r"As one might expect, the overlap obeys", OVERLAP, r"up to corrections that vanish as $N\to\infty$."),
        ("q", r"It is not hard to show that", OVERLAP, r"which holds up to finite-size corrections."),
        (
            "q",
            r"The fraction of incorrectly classified patterns vanishes, and",
            OVERLAP,
            r"where $Dz$ is the Gaussian measure with zero mean and unit variance.",
        ),
        (
            "q",
            r"It is true that",
            OVERLAP,
            r"which must be solved with the equation of $\hat q$. For real weights this has to be replaced by another equation.",
        ),
        ("q", r"We do not repeat the derivation. One finds", OVERLAP, r"where $Dz$ denotes the standard Gaussian measure."),
        ("q", r"The inputs are Gaussian with variance $1/N$. Then", OVERLAP, r"and $\hat q$ vanishes at $\alpha=0$."),
        (
            "free-entropy",
            r"The entropy per weight is",
            FREE_ENTROPY,
            r"and the energy per pattern vanishes. The number of bits per weight is at most one.",
        ),
        ("free-entropy", r"The entropy (in nats) is", FREE_ENTROPY, r"with natural logarithms."),
        (
            "free-entropy",
            r"The information per pattern is at most $1/\alpha_c$ bits. The entropy reads",
            FREE_ENTROPY,
            r"It is not negative below the capacity.",
        ),
        (
            "q_hat",
            r"Here $\alpha$ is the number of patterns per weight.",
            CONJUGATE,
            r"where $H(x)$ is the probability that a standard Gaussian variable exceeds $x$ and $G$ is the Gaussian density.",
        ),
        (
            "q_hat",
            r"With $\alpha$ the ratio of the number of patterns to the number of weights,",
            CONJUGATE,
            r"where $H$ is the tail of the normal distribution.",
        ),
        (
            "q_hat",
            r"It is wrong to expect a simple capacity. The conjugate obeys",
            CONJUGATE,
            r"which is not solved in closed form.",
        ),
        ("q", r"If replica symmetry is not broken,", OVERLAP, r""),
        ("free-entropy", "", FREE_ENTROPY, r"where $s$ is the entropy; $f$ is minus the entropy."),
        ("q", r"To leading order in $1/N$ one finds", OVERLAP, ""),
        (
            "free-entropy",
            r"Unlike for spherical weights, nothing is convex. The annealed entropy is only an upper bound.",
            FREE_ENTROPY,
            "",
        ),
        ("free-entropy", r"We assume replica symmetry; one step of breaking is treated later. Then", FREE_ENTROPY, ""),
        (
            "free-entropy",
            r"The patterns have entries $\xi_i^\mu=\pm1$ with equal probability and the weights $w_i=\pm1$.",
            FREE_ENTROPY,
            "",
        ),
        (
            "q_hat",
            r"For real weights one finds a different prior term.",
            CONJUGATE,
            r"with $G(x)$ the standard Gaussian density and $H(x)$ its tail.",
        ),
        ("q", r"Here $z$ is a Gaussian random variable with zero mean and unit variance.", OVERLAP, ""),
    ],
)
def test_ordinary_sentences_withdraw_nothing(
    session: Session, quantity: str, before: str, equation: str, after: str
) -> None:
    outcome = only(session, f"{before}\n% spinodal: binary-perceptron {quantity}\n{equation}\n{after}\n")
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize(
    ("quantity", "before", "equation", "after"),
    [
        ("free-entropy", r"", FREE_ENTROPY, r"where $s$ is the entropy per pattern."),
        ("q", r"It is not true that", OVERLAP, r""),
        ("q", r"One might be tempted to write", OVERLAP, r"but this is wrong by a factor of two."),
        ("q", r"", OVERLAP, r"(up to a factor of two)"),
        ("q", r"", OVERLAP, r"which holds up to corrections of order $\hat q^2$."),
        ("q", r"", OVERLAP, r"up to an overall sign."),
        ("q", r"It is wrong that", OVERLAP, r""),
        ("q", r"Some authors erroneously wrote", OVERLAP, r""),
        ("q", r"", OVERLAP, r"This equation is incorrect."),
        ("q", r"", OVERLAP, r"which should be multiplied by two."),
        ("q", r"The overlap does not obey", OVERLAP, r""),
        ("q", r"", OVERLAP, r"where $Dz$ denotes the Gaussian measure of variance one half."),
        ("q", r"", OVERLAP, r"where $Dz$ is the Gaussian measure with variance $1/2$."),
        ("free-entropy", r"The entropy per pattern is", FREE_ENTROPY, r""),
        ("free-entropy", r"The entropy in bits is", FREE_ENTROPY, r""),
        ("free-entropy", "All logarithms are to base 2.\n\n", FREE_ENTROPY, r""),
        ("free-entropy", r"We use base-2 logarithms.", FREE_ENTROPY, r""),
        ("q_hat", r"Here $\alpha$ denotes the number of weights per pattern.", CONJUGATE, r""),
        ("q_hat", r"", CONJUGATE, r"with $\alpha$ the ratio of the number of weights to the number of patterns."),
        ("q_hat", r"", CONJUGATE, r"where $H(x)$ is the probability that a standard Gaussian variable is smaller than $x$."),
        ("q_hat", r"", CONJUGATE, r"where $G$ denotes the cumulative distribution function of the standard normal."),
        ("q_hat", r"Patterns have the margin $-\kappa$.", CONJUGATE, r""),
        ("q", "", OVERLAP, r"where $Dz$ is the Gaussian measure of unit mean and unit variance."),
        ("q", "", OVERLAP, r"where $\int Dz$ denotes an integral over the uniform distribution."),
        ("free-entropy", "", FREE_ENTROPY, r"where $s$ is minus the entropy."),
        ("q", r"To leading order in $\alpha$ one finds", OVERLAP, ""),
        ("q", "", OVERLAP, r"instead of the correct equation."),
        ("q_hat", r"where $H(x)$ is the Heaviside step function.", CONJUGATE, ""),
        ("q_hat", "", CONJUGATE, r"with $G(x)$ the Gaussian density of variance $1/2$."),
        ("q_hat", "", CONJUGATE, r"with the error function $H$ and its derivative $G$."),
        ("q_hat", "", CONJUGATE, r"where $G$ is a Gaussian of zero mean and variance two."),
        ("free-entropy", "", FREE_ENTROPY, r"Here $\cosh$ denotes the hyperbolic sine."),
        ("free-entropy", "", FREE_ENTROPY, r"where $s$ is the free energy per weight."),
        ("free-entropy", "", FREE_ENTROPY, r"Here $Dz$ is the flat measure."),
        ("free-entropy", "", FREE_ENTROPY, r"There are twice as many patterns as $\alpha N$."),
        ("free-entropy", "All entropies are given in bits.", FREE_ENTROPY, ""),
        ("free-entropy", "The annealed entropy is", FREE_ENTROPY, ""),
        ("free-entropy", "With one step of replica symmetry breaking,", FREE_ENTROPY, ""),
        ("free-entropy", "For continuous weights on the sphere one finds", FREE_ENTROPY, ""),
        ("free-entropy", r"for patterns of variance $\sigma^2=2$,", FREE_ENTROPY, ""),
        ("free-entropy", r"The weights take the values $W_i=\pm 2$.", FREE_ENTROPY, ""),
        ("free-entropy", r"Patterns have independent entries $\xi_i^\mu\in\{0,1\}$.", FREE_ENTROPY, ""),
        ("free-entropy", r"We demand $\xi^\mu\cdot W/N \geq \kappa$.", FREE_ENTROPY, ""),
        ("q", r"The integrals over $z$ run over the positive half line.", OVERLAP, ""),
        ("q", "", OVERLAP, r"The sign of the right side should be reversed, see the erratum."),
        ("q", "", OVERLAP, r"where $z$ is drawn from a Laplace distribution."),
        ("q", "", OVERLAP, r"Here and in all equations the hat denotes the inverse."),
        ("q", r"Let $D = \frac{d}{dz}$.", OVERLAP, ""),
    ],
)
def test_a_claim_that_its_sentence_withdraws_or_changes_is_refused(
    session: Session, quantity: str, before: str, equation: str, after: str
) -> None:
    outcome = only(session, f"{before}\n% spinodal: binary-perceptron {quantity}\n{equation}\n{after}\n")
    assert outcome.status is Status.NOT_CHECKED, outcome.detail
