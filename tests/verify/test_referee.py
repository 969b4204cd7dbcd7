r"""Equations as referees meet them: other letters, \mathbb{E}, erfc, ratios, definitions; right, wrong, and not to be read."""

from __future__ import annotations

import pytest

from spinodal.verify.documents import read_document
from spinodal.verify.results import Outcome
from spinodal.verify.run import Session


def outcome_of(session: Session, markup: str, equation: str) -> Outcome:
    """The outcome of the only claim of a text."""
    (outcome,) = session.outcomes(read_document(f"% spinodal: {markup}\n\\[ {equation} \\]\n", "text", "latex"))
    return outcome


RIGHT = [
    (
        "spherical-perceptron free-entropy",
        r"G(q) = \alpha \int_{-\infty}^{\infty} \frac{\mathrm{d}t}{\sqrt{2\pi}} e^{-t^2/2} \ln \left\{ \frac{1}{2} \operatorname{erfc}\left( \frac{\kappa+\sqrt{q}\,t}{\sqrt{2(1-q)}} \right) \right\} + \frac12 \ln(1-q) + \frac12 \frac{q}{1-q}",
    ),
    (
        "binary-perceptron q_hat",
        r"\hat{q} = \frac{\alpha}{1-q} \, \mathbb{E}_{\xi \sim \mathcal{N}(0,1)} \left[ \mathcal{M}\!\left( \frac{\kappa - \sqrt{q}\, \xi}{\sqrt{1-q}} \right)^{2} \right], \qquad \mathcal{M}(x) \equiv \frac{e^{-x^2/2}}{\sqrt{2\pi}\, H(x)}",
    ),
    (
        "binary-teacher-student q_hat ansatz=bayes-optimal",
        r"\hat q = \frac{\alpha}{\pi\sqrt{1-q}} \int Dx \frac{ e^{-\frac{q x^2}{2}}}{H(-\sqrt{q} x)}",
    ),
    (
        "binary-teacher-student q_hat ansatz=bayes-optimal",
        r"\hat q = \frac{2\alpha}{1-q} \int Dt\, \frac{G\left(\sqrt{\frac{q}{1-q}} t\right)^2}{H\left(\sqrt{\frac{q}{1-q}} t\right)}",
    ),
    ("binary-teacher-student generalization-error", r"\varepsilon_g = \frac{1}{\pi} \arccos R, \quad R = r"),
    (
        "binary-perceptron q0_hat ansatz=1rsb",
        r"\hat q_0 = \frac{\alpha}{1-q_1} \int Dz_0 \left[ \frac{\int Dz_1 H^{m-1}(u) G(u)}{\int Dz_1 H^m(u)} \right]^2, u = \frac{\kappa - \sqrt{q_0} z_0 - \sqrt{q_1-q_0} z_1}{\sqrt{1-q_1}}",
    ),
    (
        "random-features-binary p_hat",
        r"\hat p = \frac{2\kappa_1^2 \alpha_T}{Q_d - Q} \int Dz H\left(-\frac{M z}{\sqrt{Q-M^2}}\right) \left[\frac{G(x)}{H(x)}\right]^2, x = \frac{\kappa - \sqrt Q z}{\sqrt{Q_d-Q}}",
    ),
    (
        "binary-perceptron t ansatz=franz-parisi",
        r"t = \int Dx \sum_{w=\pm 1} \frac{w e^{w\sqrt{\hat{\tilde q}} x}}{2\cosh\sqrt{\hat{\tilde q}} x} \int Dy \tanh\left( \sqrt{\hat q - \hat s^2/\hat{\tilde q}} y + \hat s x/\sqrt{\hat{\tilde q}} + (\hat t - \hat s) w \right)",
    ),
    (
        "binary-perceptron q_hat",
        r"\hat q = \frac{\alpha}{1-q} \int Dz \left( \frac{H'(X)}{H(X)} \right)^2, X = \frac{\kappa - \sqrt q z}{\sqrt{1-q}}",
    ),
    (
        "binary-perceptron free-entropy",
        r"\phi = \frac{\hat q}{2}(q-1) + \int \mathcal{D}z \ln\left( e^{\sqrt{\hat q} z} + e^{-\sqrt{\hat q} z} \right) + \alpha \int \mathcal{D}z \ln\left[\frac{1 - \operatorname{erf}(X/\sqrt 2)}{2}\right], X = \frac{\kappa - \sqrt q z}{\sqrt{1-q}}",
    ),
]

WRONG = [
    (
        "spherical-perceptron free-entropy",
        r"G(q) = \alpha \int_{-\infty}^{\infty} \frac{\mathrm{d}t}{\sqrt{2\pi}} e^{-t^2/2} \ln \left\{ \frac{1}{2} \operatorname{erfc}\left( \frac{\kappa+\sqrt{q}\,t}{\sqrt{(1-q)}} \right) \right\} + \frac12 \ln(1-q) + \frac12 \frac{q}{1-q}",
        "wrong argument",
    ),
    (
        "binary-perceptron q_hat",
        r"\hat{q} = \frac{\alpha}{1-q} \, \int_0^\infty Dz \left[ \frac{G(X)}{H(X)} \right]^{2}, \quad X= \frac{\kappa - \sqrt{q}\, z}{\sqrt{1-q}}",
        "wrong measure",
    ),
    (
        "binary-perceptron q1 ansatz=1rsb",
        r"q_1 = \int Dz_0\, \frac{\int Dz_1 \cosh^m(h) \tanh^2(h)}{\int Dz_1 \cosh^m(h)}, h = \sqrt{\hat q_0}\, z_0 + \sqrt{\hat q_1 - q_0}\, z_1",
        "hat missing",
    ),
    (
        "binary-perceptron q1_hat ansatz=1rsb",
        r"\hat q_1 = \frac{\alpha}{1-q_1} \int Dz_0 \frac{\int Dz_1 H^{m-2}(u) G^2(u)}{\int Dz_1 H^m(u)}, u = \frac{\kappa - \sqrt{q_0} z_0 - \sqrt{q_1+q_0} z_1}{\sqrt{1-q_1}}",
        "wrong argument",
    ),
    (
        "binary-perceptron q1_hat ansatz=1rsb",
        r"\hat q_1 = \frac{\alpha}{1-q_1} \int Dz_0 \frac{\int Dz_1 H^{m-1}(u) G^2(u)}{\int Dz_1 H^m(u)}, u = \frac{\kappa - \sqrt{q_0} z_0 - \sqrt{q_1-q_0} z_1}{\sqrt{1-q_1}}",
        "wrong power",
    ),
    (
        "binary-perceptron t ansatz=franz-parisi",
        r"t = \int Dx \sum_{w=\pm 1} \frac{w e^{w\sqrt{\hat{\tilde q}} x}}{2\cosh\sqrt{\hat{\tilde q}} x} \int Dy \tanh\left( \sqrt{\hat q - \hat s^2/\hat{\tilde q}} y + \hat s x/\sqrt{\hat{\tilde q}} + (\hat t + \hat s) w \right)",
        "wrong argument",
    ),
    (
        "binary-perceptron t ansatz=franz-parisi",
        r"t = \int Dx \sum_{w=\pm 1} \frac{w e^{w\sqrt{\hat{\tilde q}} x}}{\cosh\sqrt{\hat{\tilde q}} x} \int Dy \tanh\left( \sqrt{\hat q - \hat s^2/\hat{\tilde q}} y + \hat s x/\sqrt{\hat{\tilde q}} + (\hat t - \hat s) w \right)",
        "factor",
    ),
]

UNREAD = [
    (
        "binary-perceptron dq_hat ansatz=real-replicas",
        r"\delta\hat q = -\alpha \int Dz \frac{\partial}{\partial x} f(x), \quad f(x) = x",
    ),
    ("binary-perceptron q", r"q = \lim_{n\to0} \int Dz \tanh^2(\sqrt{\hat q} z)"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("markup", "equation"), RIGHT)
def test_right_equations_verify(session: Session, markup: str, equation: str) -> None:
    outcome = outcome_of(session, markup, equation)
    assert outcome.passed, outcome.detail


@pytest.mark.slow
@pytest.mark.parametrize(("markup", "equation", "kind"), WRONG)
def test_wrong_equations_are_caught_and_named(session: Session, markup: str, equation: str, kind: str) -> None:
    outcome = outcome_of(session, markup, equation)
    assert not outcome.passed
    assert outcome.kind == kind, outcome.detail


@pytest.mark.slow
@pytest.mark.parametrize(("markup", "equation"), UNREAD)
def test_what_is_not_read_is_not_checked(session: Session, markup: str, equation: str) -> None:
    outcome = outcome_of(session, markup, equation)
    assert outcome.status == "not-checked"
