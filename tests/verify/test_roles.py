r"""Overlaps in their roles, and functions of the model, as a document defines them: nothing passes that is another one's."""

from __future__ import annotations

from pathlib import Path

import pytest
from notation import THERMAL, only

from spinodal.verify import Status
from spinodal.verify.run import Session


@pytest.mark.parametrize(
    ("markup", "equation", "text"),
    [
        (
            r"binary-teacher-student generalization-error",
            r"\[ \epsilon=\frac1\pi\arccos r \]",
            r"where $r=\frac1N w\cdot w_T$ and $q=\frac1N w^1\cdot w^2$.",
        ),
        (
            r"binary-teacher-student generalization-error",
            r"\[ \epsilon=\frac1\pi\arccos r \]",
            r"where $r=\frac1N\sum_i w_i w^\star_i$.",
        ),
        (
            r"binary-teacher-student generalization-error",
            r"\[ \epsilon=\frac1\pi\arccos r \]",
            r"where $r=\frac1N\sum_i w_i w^T_i$.",
        ),
        (
            r"binary-teacher-student generalization-error",
            r"\[ \epsilon=\frac1\pi\arccos r \]",
            r"where $r=\frac1N \mathbf w^T\mathbf w_\star$, $q=\frac1N \mathbf w_a^T\mathbf w_b$.",
        ),
        (
            r"binary-teacher-student generalization-error",
            r"\[ \epsilon=\frac1\pi\arccos r \]",
            r"where $r=\frac1N\sum_i w_i B_i$.",
        ),
        (
            r"binary-perceptron q",
            r"\[ q=\int Dz\tanh^2(\sqrt{\hat q}z) \]",
            r"where $q=\frac1N \mathbf{w}^T\mathbf{w}'$ and $\hat q_{ab}=\hat q$ for $a\ne b$, $\hat q_{aa}=0$.",
        ),
        (
            r"binary-perceptron q",
            r"\[ q=\int Dz\tanh^2(\sqrt{\hat q}z) \]",
            r"where $\hat q_{ab}=\hat q$, $q_{ab}=q$ and $q_{aa}=1$.",
        ),
        (
            r"random-features-binary kappa_1",
            r"\[ \kappa_1 = \sqrt{2/\pi} \]",
            r"where the activation is $\sigma(x)=\mathrm{sign}(x)$.",
        ),
        (
            r"random-features-binary kappa_1",
            r"\[ \kappa_1 = \sqrt{2/\pi} \]",
            r"with features $\varphi(x)=\operatorname{sgn}(x)$.",
        ),
        (r"random-features-binary kappa_1", r"\[ \kappa_1 = \sqrt{2/\pi} \]", r"The teacher's label is $f(u)=\tanh u$."),
        (
            r"random-features-binary kappa_1",
            r"\[ \kappa_1 = \sqrt{2/\pi} \]",
            r"Other features, $\sigma(\cdot)$, are treated elsewhere.",
        ),
    ],
)
def test_roles_and_functions_that_are_the_models_change_nothing(
    session: Session, markup: str, equation: str, text: str
) -> None:
    outcome = only(session, f"% spinodal: {markup}\n{equation}\n{text}\n")
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize(
    ("markup", "equation", "text"),
    [
        (
            r"binary-teacher-student generalization-error",
            r"\[ \epsilon=\frac1\pi\arccos r \]",
            r"where $r=\frac1N w^1\cdot w^2$.",
        ),
        (
            r"binary-teacher-student generalization-error",
            r"\[ \epsilon=\frac1\pi\arccos r \]",
            r"where $r=\frac1N\sum_i w^a_iw^b_i$.",
        ),
        (
            r"binary-teacher-student generalization-error",
            r"\[ \epsilon=\frac1\pi\arccos r \]",
            r"Let $r=\frac1N w\cdot w'$.",
        ),
        (
            r"binary-teacher-student r",
            r"\[ r=\int Dz\tanh(\sqrt{\hat q}z+\hat r) \]",
            r"Let $q=\frac1N\sum_i w_i w^T_i$ and $r=\frac1N\sum_i w_i^aw_i^b$.",
        ),
        (r"binary-teacher-student q", r"\[ q=\int Dz\tanh^2(\sqrt{\hat q}z+\hat r) \]", r"Let $q=\frac1N w\cdot w_\star$."),
        (r"binary-perceptron q", r"\[ q=\int Dz\tanh^2(\sqrt{\hat q}z) \]", r"where $\hat q_{ab}=2\hat q$."),
        (r"binary-perceptron q", r"\[ q=\int Dz\tanh^2(\sqrt{\hat q}z) \]", r"where $\hat q_{ab}=-\hat q$."),
        (r"binary-perceptron q", r"\[ q=\int Dz\tanh^2(\sqrt{\hat q}z) \]", r"Let $\hat q := \alpha \hat q'$."),
        (r"binary-perceptron q", r"\[ q=\int Dz\tanh^2(\sqrt{\hat q}z) \]", r"Let $\hat q=2\hat q'$."),
        (
            r"random-features-binary kappa_1",
            r"\[ \kappa_1 = \sqrt{2/\pi} \]",
            r"where the activation is $\sigma(x)=\tanh x$.",
        ),
        (r"random-features-binary kappa_1", r"\[ \kappa_1 = \sqrt{2/\pi} \]", r"with $\sigma(x)=\max(0,x)$."),
        (
            r"random-features-binary kappa_1",
            r"\[ \kappa_1 = \sqrt{2/\pi} \]",
            r"For features with $\varphi(x)=2\,\mathrm{sign}(x)$.",
        ),
        (r"binary-perceptron q", r"\[ q=\int Dz\tanh^2(\sqrt{\hat q}z) \]", r"where $q=\frac{1}{P}\sum_i w_i^a w_i^b$."),
    ],
)
def test_overlaps_in_other_roles_and_other_functions_are_refused(
    session: Session, markup: str, equation: str, text: str
) -> None:
    outcome = only(session, f"% spinodal: {markup}\n{equation}\n{text}\n")
    assert outcome.status is Status.NOT_CHECKED, outcome.detail


@pytest.mark.parametrize(("loss", "is_own"), [(r"(1-x)^2", False), (r"\Theta(-x)", True), (r"2\Theta(-x)", False)])
def test_a_loss_that_is_stated_is_compared_with_the_models(
    session: Session, tmp_path: Path, loss: str, is_own: bool
) -> None:
    (tmp_path / "errors.toml").write_text(THERMAL.replace("kappa - y*h", "-y*h").replace("kappa = 0.0\n", ""))
    claim = r"\[ q = \int Dz \tanh^2(\sqrt{\hat q}z) \]"
    text = f"% spinodal: {tmp_path / 'errors.toml'} q\n{claim}\nwith the loss $\\ell(x)={loss}$."
    assert only(session, text).passed is is_own
