"""Values of parameters in the sentences around a claim are those that it is compared at."""

from __future__ import annotations

import pytest
from notation import only

from spinodal.verify import Status
from spinodal.verify.run import Session


@pytest.mark.parametrize(
    ("markup", "before", "equation", "after"),
    [
        (r"binary-perceptron capacity", r"We fix $\kappa=0$.", r"\[ \alpha_c\approx0.833 \]", r""),
        (
            r"binary-perceptron capacity",
            r"At $\kappa=0$ the capacity is",
            r"\[ \alpha_c\approx0.833 \]",
            r"as is well known.",
        ),
        (r"binary-perceptron capacity", r"", r"\[ \alpha_c\approx0.833 \]", r"at $\kappa=0$. At $\kappa=1$ it is lower."),
        (
            r"binary-perceptron capacity",
            r"The case $\kappa=1$ has been studied before. Here",
            r"\[ \alpha_c\approx0.833 \]",
            r"",
        ),
        (r"spherical-perceptron capacity", r"At zero margin,", r"\[ \alpha_c = 2 \]", r""),
        (r"spherical-perceptron capacity", r"For the margin $\kappa=0$", r"\[ \alpha_c = 2 \]", r"follows."),
        (
            r"binary-perceptron q",
            r"For any $\kappa$ and $\alpha$ the overlap obeys",
            r"\[ q=\int Dz\tanh^2(\sqrt{\hat q}z) \]",
            r"",
        ),
        (r"binary-perceptron q", r"We fix $\kappa=1$.", r"\[ q=\int Dz\tanh^2(\sqrt{\hat q}z) \]", r""),
        (
            r"binary-perceptron q_hat",
            r"Throughout we set the margin $\kappa$ to zero.",
            r"\[ \hat q=\frac{\alpha}{1-q}\int Dz\Big[\frac{G(X)}{H(X)}\Big]^2, X=-\frac{z\sqrt q}{\sqrt{1-q}} \]",
            r"",
        ),
        (r"spherical-perceptron capacity kappa=1", r"At $\kappa=1$", r"\[ \alpha_c\approx0.5196 \]", r""),
        (
            r"spherical-perceptron capacity",
            r"We compare $\kappa=0$ with $\kappa=1$: for the first",
            r"\[ \alpha_c = 2 \]",
            r"",
        ),
        (r"binary-perceptron capacity", r"With margin $\kappa>-1$ we find", r"\[ \alpha_c\approx0.833 \]", r""),
    ],
)
def test_values_in_the_text_at_which_a_claim_holds(
    session: Session, markup: str, before: str, equation: str, after: str
) -> None:
    outcome = only(session, f"{before}\n% spinodal: {markup}\n{equation}\n{after}\n")
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize(
    ("markup", "before", "equation", "after"),
    [
        (r"binary-perceptron capacity", r"We fix $\kappa=1$.", r"\[ \alpha_c\approx0.833 \]", r""),
        (r"binary-perceptron capacity", r"\[\kappa=1\]", r"\[ \alpha_c\approx0.833 \]", r""),
        (r"binary-perceptron capacity", r"", r"\[ \alpha_c\approx0.833 \]", r"at $\kappa=0.5$."),
        (r"spherical-perceptron capacity", r"At $\kappa=1$,", r"\[ \alpha_c = 2 \]", r""),
        (r"spherical-perceptron capacity", r"For any $\kappa$,", r"\[ \alpha_c = 2 \]", r""),
        (r"spherical-perceptron capacity", r"For every margin $\kappa$ the capacity is", r"\[ \alpha_c = 2 \]", r""),
        (
            r"binary-perceptron q_hat",
            r"Throughout we set the margin $\kappa$ to one.",
            r"\[ \hat q=\frac{\alpha}{1-q}\int Dz\Big[\frac{G(X)}{H(X)}\Big]^2, X=-\frac{z\sqrt q}{\sqrt{1-q}} \]",
            r"",
        ),
        (r"spherical-perceptron capacity", r"At unit margin,", r"\[ \alpha_c = 2 \]", r""),
        (r"spherical-perceptron capacity", r"With a margin of one,", r"\[ \alpha_c = 2 \]", r""),
        (
            r"spherical-perceptron capacity",
            r"We set $\kappa = \frac12$ in this section. The capacity then is",
            r"\[ \alpha_c = 2 \]",
            r"",
        ),
        (r"spherical-perceptron capacity", r"", r"\[ \alpha_c = 2 \]", r"for all $\kappa$."),
        (r"binary-perceptron capacity", r"With margin $\kappa>0$ we find", r"\[ \alpha_c\approx0.833 \]", r""),
        (
            r"binary-perceptron q_hat",
            r"For any margin,",
            r"\[ \hat q=\frac{\alpha}{1-q}\int Dz\Big[\frac{G(X)}{H(X)}\Big]^2, X=-\frac{z\sqrt q}{\sqrt{1-q}} \]",
            r"",
        ),
    ],
)
def test_a_claim_is_not_compared_at_other_values_than_the_text_gives(
    session: Session, markup: str, before: str, equation: str, after: str
) -> None:
    outcome = only(session, f"{before}\n% spinodal: {markup}\n{equation}\n{after}\n")
    assert not outcome.passed, outcome.detail
