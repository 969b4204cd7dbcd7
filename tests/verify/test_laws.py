r"""What a document says of the laws of variables: values, densities, moments, what an integral sign means."""

from __future__ import annotations

import pytest
from notation import document, only

from spinodal.verify import Status
from spinodal.verify.run import Session


@pytest.mark.parametrize(
    ("equation", "text"),
    [
        (r"\[ q = \int Dz \tanh^2(\sqrt{\hat q} z) \]", r"where $\int Dz f(z) = \int\frac{dz}{\sqrt{2\pi}}e^{-z^2/2}f(z)$."),
        (
            r"\[ q = \int Dz \tanh^2(\sqrt{\hat q} z) \]",
            r"where $\int Dz\,(\cdot)\equiv\int_{-\infty}^\infty\frac{dz}{\sqrt{2\pi}}e^{-z^2/2}(\cdot)$.",
        ),
        (r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]", r"where $\mathbb{E}[z^2]=1$ and $\mathbb E[z]=0$."),
        (r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]", r"with $P(z)=\frac{e^{-z^2/2}}{\sqrt{2\pi}}$."),
        (r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]", r"where $\mathbb{E}[f(z)]=\int Dz f(z)$"),
        (
            r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]",
            r"where $z\in\mathbb{R}$ and the labels $y=\pm1$, $w_i\in\{-1,1\}$; weights $w$ are binary.",
        ),
        (
            r"\[ q = \int Dz \tanh^2(\sqrt{\hat q} z) \]",
            r"where $y_\mu=\pm1$ with equal probability and for $t\in[0,1]$ we interpolate.",
        ),
        (
            r"\[ q = \int Dz \tanh^2(\sqrt{\hat q} z) \]",
            r"The labels $\sigma^\mu$ are uniform signs. $\langle\xi^2\rangle=1$.",
        ),
        (r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q/2} z) \]", r"where $P(z)=\frac{e^{-z^2/4}}{\sqrt{4\pi}}$."),
        (r"\[ q = \int Dz \tanh^2(\sqrt{\hat q/2} z) \]", r"where $\int Dz f(z)=\int\frac{dz}{\sqrt{4\pi}}e^{-z^2/4}f(z)$."),
        (r"\[ q = \int Dz \tanh^2(\sqrt{\hat q} z) \]", r"The integral $\int Dz\,z^2=1$, and $H(0)=1/2$."),
        (r"\[ q = \mathbb{E}_t \tanh^2(\sqrt{\hat q} t) \]", r"The interpolation uses $s\in[0,1]$."),
        (
            r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]",
            r"with $z$ a Gaussian variable of unit mean square; $x$ has variance $2$.",
        ),
        (
            r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]",
            r"where $z$ is a Gaussian variable with zero mean and variance one, $\mathbb{E}z^2=1$.",
        ),
    ],
)
def test_laws_that_are_standard_normal_or_of_other_variables_change_nothing(
    session: Session, equation: str, text: str
) -> None:
    outcome = only(session, document("q", equation) + text)
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize(
    ("equation", "text"),
    [
        (r"\[ q = \int Dz \tanh^2(\sqrt{\hat q} z) \]", r"where $\int Dz f(z)\equiv\int_{-1}^{1}\frac{dz}2f(z)$."),
        (
            r"\[ q = \int Dz \tanh^2(\sqrt{\hat q} z) \]",
            r"where $\int Dz\,(\cdot)=\int\frac{dz}{\sqrt{\pi}}e^{-z^2}(\cdot)$.",
        ),
        (r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]", r"where $\mathbb{E}[z^2]=\frac12$."),
        (r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]", r"where $P(z)=\frac12\delta(z-1)+\frac12\delta(z+1)$."),
        (r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]", r"where $\mathbb{E}[f(z)]=\frac12 f(1)+\frac12 f(-1)$."),
        (r"\[ q = \mathbb{E}_t \tanh^2(\sqrt{\hat q} t) \]", r"where $t=\pm1$ with equal probability."),
        (r"\[ q = \mathbb{E}_t \tanh^2(\sqrt{\hat q} t) \]", r"where $t\in[0,1]$ is uniform."),
        (r"\[ q = \mathbb{E}_t \tanh^2(\sqrt{\hat q} t) \]", r"where $t$ is uniformly distributed."),
        (r"\[ q = \mathbb{E}_t \tanh^2(\sqrt{\hat q} t) \]", r"The label $t$ is $\pm1$ with probability $1/2$."),
        (r"\[ q = \mathbb{E}_t \tanh^2(\sqrt{\hat q} t) \]", r"with Rademacher variables $t$."),
        (r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]", r"with $p(z)=\frac12e^{-|z|}$."),
        (r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]", r"where $\langle z^4\rangle=1$"),
        (r"\[ q = \mathbb{E}_t \tanh^2(\sqrt{\hat q} t) \]", r"with $t\in\{-1,+1\}$."),
        (r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]", r"with $z$ a Gaussian of variance $2$."),
        (r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]", r"with $z$ uniform on $[-1,1]$."),
        (r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]", r"with $\mathbb{E}z^2=2$."),
        (
            r"\[ q = \int Dz \tanh^2(\sqrt{\hat q} z) \]",
            r"where $z$ is a Gaussian variable of zero mean and variance $1/2$.",
        ),
        (r"\[ q = \mathbb{E}_z \tanh^2(\sqrt{\hat q} z) \]", r"where $\langle z^2\rangle=\hat q$."),
    ],
)
def test_averages_are_not_standard_normal_where_the_document_says_otherwise(
    session: Session, equation: str, text: str
) -> None:
    outcome = only(session, document("q", equation) + text)
    assert not outcome.passed, outcome.detail
