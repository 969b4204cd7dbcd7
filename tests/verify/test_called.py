r"""What the words beside letters call them: nothing passes that is read otherwise than the document says."""

from __future__ import annotations

from pathlib import Path

import pytest
from notation import THERMAL, document, only

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
        ("q_hat", OUTPUT, r"With $\kappa$ the negative of the margin,", "'the negative of the margin' of \\kappa"),
        ("q_hat", OUTPUT, "$\\kappa$ = twice the margin.", "'twice the margin' of \\kappa"),
        ("q", PRIOR, r"Notation: $\hat q$ --- inverse of the conjugate;", "'inverse of the conjugate' of \\hat{q}"),
        ("q", PRIOR, r"\begin{itemize}\item $q$: Hamming distance of solutions\end{itemize}", "'Hamming distance' of q"),
        (
            "q",
            PRIOR,
            r"\begin{tabular}{ll} $\alpha$ & load \\ $q$ & reciprocal overlap \end{tabular}",
            "'reciprocal overlap' of q",
        ),
        ("q", PRIOR, r"where $q$ is the mean squared error of a weight.", "'is the mean squared error' of q"),
        ("q", PRIOR, r"where $\hat q$ is conjugate to $q$, rescaled by $\alpha$.", "rescaled' of \\hat{q}"),
        ("q", PRIOR, r"In the following $\hat q$ is replaced by $2\hat q$ everywhere.", r"rescales \hat{q}"),
        ("q_hat", OUTPUT, r"Here $\alpha=n/m$ for $m$ measurements of $n$ unknowns.", "counts weights per pattern"),
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
        ("q_hat", OUTPUT, r"The maximum over $\kappa$ is the typical entropy, and the derivative in $q$ is the energy."),
        (
            "q_hat",
            OUTPUT,
            r"where $\alpha$ is half the capacity and $\kappa$ is the margin; $q$ is the overlap of two solutions",
        ),
        ("q_hat", OUTPUT, r"with $\kappa_r$, the margin of the reference; $0 \le q \le 1$ and $\alpha < 2\kappa$."),
        ("q", PRIOR, r"Here $q = \frac1N\sum_i w_i^a w_i^b$ is the overlap between two replicas. The inputs are rescaled."),
        ("q", PRIOR, r"We rescale the inputs $\xi$ by $\sqrt N$ and absorb a factor $1/\sqrt N$ into $x$."),
        (
            "q_hat",
            OUTPUT,
            r"where $q$ denotes the typical overlap between two solutions drawn at random, and $\hat q$ its conjugate parameter",
        ),
        ("q_hat", OUTPUT, r"At fixed $\alpha$ the overlap $q$ grows with the margin $\kappa$; the distance is $d=(1-q)/2$."),
        ("q_hat", OUTPUT, r"Because $\hat q$ is minus the derivative of the free entropy in $q/2$, it is positive."),
        (
            "q_hat",
            OUTPUT,
            r"$\kappa$ is the minimal distance of a pattern to the hyperplane; $1-q$ is the variance of the field.",
        ),
        ("q_hat", OUTPUT, r"Notation: $\alpha$: load; $\kappa$: margin; $q$: overlap; $\hat q$: conjugate of $q$."),
        ("q_hat", OUTPUT, "% spinodal-symbols: \\kappa = kappa\nwhere $\\kappa = 2\\kappa_0$ and $\\kappa_0$ is the margin"),
    ],
)
def test_words_that_agree_with_how_letters_are_read_change_nothing(
    session: Session, quantity: str, equation: str, words: str
) -> None:
    outcome = only(session, document(quantity, equation, words))
    assert outcome.status is Status.VERIFIED, outcome.detail


#: Specs whose formulas say what their parameters are.
FLIPPED = """format = 1
[student]
weights = "binary"
[teacher]
weights = "binary"
label = "sign(u)"
flip_probability = "eps"
[loss]
constraint = "y*h >= kappa"
[parameters]
alpha = 0.6
kappa = 0.0
eps = 0.1
"""
NOISY = """format = 1
[student]
weights = "gaussian"
[teacher]
weights = "gaussian"
label = "u + sqrt(Delta)*noise"
[ansatz]
scheme = "bayes-optimal"
[parameters]
alpha = 0.8
Delta = 0.4
"""
#: Bayes-optimal linear regression: q_hat = alpha / (Delta + 1 - q).
LINEAR = r"\[ \hat q = \frac{\alpha}{\Delta+1-q} \]"
FLIPS = r"\[ r = \int Dz \tanh(\sqrt{\hat q}z+\hat r) \]"


@pytest.mark.parametrize(
    ("spec", "quantity", "equation", "words", "status"),
    [
        (NOISY, "q_hat", LINEAR, r"The noise has variance $\Delta$.", Status.VERIFIED),
        (NOISY, "q_hat", LINEAR, r"The noise has standard deviation $\Delta$.", Status.NOT_CHECKED),
        (NOISY, "q_hat", LINEAR, r"with the signal-to-noise ratio $\Delta$.", Status.NOT_CHECKED),
        (NOISY, "q_hat", LINEAR, r"The noise has standard deviation $\sigma=\sqrt\Delta$.", Status.VERIFIED),
        (FLIPPED, "r", FLIPS, r"where $\epsilon$ is the probability that a label is flipped.", Status.VERIFIED),
        (
            FLIPPED,
            "r",
            FLIPS.replace("z+", r"z+0\,\epsilon+"),
            "% spinodal-symbols: \\epsilon = eps\nwhere $1-\\epsilon$ is the probability that a label is flipped.",
            Status.NOT_CHECKED,
        ),
    ],
)
def test_what_parameters_are_by_the_specs_formulas(
    session: Session, tmp_path: Path, spec: str, quantity: str, equation: str, words: str, status: Status
) -> None:
    path = tmp_path / "model.toml"
    path.write_text(spec)
    outcome = only(session, f"{words}\n% spinodal: {path} {quantity}\n{equation}\n")
    assert outcome.status is status, outcome.detail


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (r"where $\beta$ is the inverse temperature.", Status.VERIFIED),
        (r"We denote by $\beta$ the temperature.", Status.NOT_CHECKED),
    ],
)
def test_a_temperature_is_not_its_inverse(session: Session, tmp_path: Path, words: str, status: Status) -> None:
    path = tmp_path / "thermal.toml"
    path.write_text(THERMAL)
    equation = r"\[ e = \alpha\int Dz\frac{H(-X)}{H(-X)+e^{\beta}H(X)}, X=\frac{\kappa-\sqrt qz}{\sqrt{1-q}} \]"
    outcome = only(session, f"{words}\n% spinodal: {path} energy\n{equation}\n")
    assert outcome.status is status, outcome.detail


@pytest.mark.parametrize(
    "words",
    [
        r"where $R$ is the Euclidean distance between student and teacher.",
        r"where $R=\frac1N\sum_i w_i^1w_i^2$ is the overlap of two students.",
    ],
)
def test_a_symbol_map_does_not_change_what_the_text_says(session: Session, words: str) -> None:
    claim = r"% spinodal: binary-teacher-student generalization-error"
    text = f"% spinodal-symbols: R = r\n{{}}\n{claim}\n" + r"\[ \epsilon = \frac1\pi\arccos R \]" + "\n"
    assert only(session, text.format(words)).status is Status.NOT_CHECKED
    assert only(session, text.format("where $R$ is the overlap with the teacher")).status is Status.VERIFIED


def test_what_was_read_by_its_looks_is_listed(session: Session) -> None:
    outcome = only(session, document("q", PRIOR, "% spinodal-symbols: q = q"))
    assert outcome.letters == ((r"\hat q", "q_hat"),)
    assert outcome.to_json()["letters"] == {r"\hat q": "q_hat"}
