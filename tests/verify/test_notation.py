r"""LaTeX as papers write it: right equations verify, and an error planted in the same notation is caught."""

from __future__ import annotations

import pytest
from notation import ENTROPY, TAIL, TANH, Paper, U, document, only

from spinodal.verify.results import Status
from spinodal.verify.run import Session

BOTH = r"q &= \int Dz " + TANH + r",\\ \hat q &= " + TAIL
COLUMNS = r"q &=& \int Dz " + TANH + r",\\ \hat q &=& " + TAIL
HALF = (r"\frac{\alpha}{1-q}", r"\frac{\alpha}{2(1-q)}")
POWER = (r"\tanh^2", r"\tanh^4")
ROOT = (r"\sqrt{\hat q}", r"\sqrt{2\hat q}")

PAPERS = {
    # groups of nothing, fonts declared in groups
    "={}&": Paper("free-entropy", r"\begin{align} \phi ={}& " + ENTROPY.replace(r" + \alpha", r" \\ &{}+\alpha")
                  + r"\end{align}", r"&{}+\alpha", r"&{}-\alpha", display=False),
    "= {}": Paper("q", r"q = {}\int\mathop{}\!\mathrm{d}z \frac{e^{-z^2/2}}{\sqrt{2\pi}}" + TANH, *POWER),
    "function and nothing": Paper("q", r"q = \int Dz \tanh{}^2(\sqrt{\hat q}z)", "{}^2", "{}^4"),
    r"{\rm d}z": Paper("q", r"q = \int \frac{{\rm d}z}{\sqrt{2\pi}}\, {\rm e}^{-z^2/2} {\rm tanh}^2(\sqrt{\hat q}z)", "z^2/2",
                       "z^2"),
    r"{\cal D}z": Paper("q", r"q = \int {\cal D}z " + TANH, *ROOT),
    r"{\mathcal D}z": Paper("q", r"q = \int_{-\infty}^{\infty}{\mathcal D}z " + TANH, *ROOT),
    r"{\rm erfc}": Paper("free-entropy", r"\phi = -\frac{\hat q}{2}(1-q) + \int {\cal D}z\ln 2\cosh(\sqrt{\hat q}z) + \alpha\int Dz"
                         r"\ln\left[\frac12{\rm erfc}\left(\frac{\kappa-\sqrt q z}{\sqrt{2(1-q)}}\right)\right]", "2(1-q)", "(1-q)"),
    # layout
    "brace and aligned": Paper("q_hat", r"\left\{\begin{aligned}" + BOTH + r"\end{aligned}\right.", *HALF),
    "cases": Paper("q_hat", r"\begin{cases}" + BOTH + r"\end{cases}", *HALF),
    "array": Paper("q_hat", r"\begin{array}{rcl}" + COLUMNS + r"\end{array}", *HALF),
    "brace and array": Paper("q_hat", r"\left\{\begin{array}{rcl}" + COLUMNS + r"\end{array}\right.", *HALF),
    "eqnarray": Paper("q_hat", r"\begin{eqnarray}" + COLUMNS + r"\end{eqnarray}", *HALF, display=False),
    "IEEEeqnarray": Paper("q_hat", r"\begin{IEEEeqnarray}{rCl}" + COLUMNS + r"\end{IEEEeqnarray}", *HALF, display=False),
    "empheq": Paper("q_hat", r"\begin{empheq}[left=\empheqlbrace]{align}" + BOTH + r"\end{empheq}", *HALF, display=False),
    "stackrel": Paper("q", r"q \stackrel{(a)}{=} \int Dz " + TANH, *POWER),
    "overset": Paper("q", r"q \overset{!}{=} \int Dz " + TANH, *POWER),
    "starred row": Paper("free-entropy", r"\begin{align} \phi &= " + ENTROPY.replace(r" + \alpha", r" \\*& +\alpha")
                         + r"\end{align}", r"& +\alpha", r"& -\alpha", display=False),
    "superscript two": Paper("q", r"q = \int Dz \tanh²(\sqrt{\hat q}z)", "²", "³"),
    "underbrace": Paper("q", r"q = \underbrace{\int Dz " + TANH + r"}_{\text{average}}", *POWER),
    # the author's commands
    "optional argument": Paper("q", r"q=\avg{\tanh^2(\sqrt{\hat q}z)}", *POWER,
                               before=r"\newcommand{\avg}[2][z]{\mathbb{E}_{#1}\left[#2\right]}"),
    "optional argument given": Paper("q", r"q=\avg[t]{\tanh^2(\sqrt{\hat q}t)}", *POWER,
                                     before=r"\newcommand{\avg}[2][z]{\mathbb{E}_{#1}\left[#2\right]}"),
    r"\be": Paper("q", r"\be q = \int Dz " + TANH + r"\ee", *POWER, display=False,
                  before=r"\newcommand{\be}{\begin{equation}}\newcommand{\ee}{\end{equation}}"),
    r"\def\bea": Paper("q", r"\bea q &=& \int Dz " + TANH + r"\eea", *POWER, display=False,
                       before=r"\def\bea{\begin{eqnarray}} \def\eea{\end{eqnarray}}"),
    "paired delimiter": Paper("q", r"q = \int Dz \abs*{\tanh(\sqrt{\hat q}z)}^2", "}^2", "}^3",
                              before=r"\DeclarePairedDelimiter{\abs}{\lvert}{\rvert}"),
    "physics": Paper("q", r"q=\int \dd z\, e^{-\nicefrac{z^2}{2}}/\sqrt{2\pi}\ \tanh^2\qty(\sqrt{\hat q}z)", *POWER),
    "colour and footnote": Paper("q", r"q=\int Dz\, \textcolor{red}{\tanh^2(\sqrt{\hat q}z)}\footnotemark[1]", *POWER),
    # averages, functions, extrema
    "double angles": Paper("q", r"q=\left\langle\!\left\langle" + TANH + r"\right\rangle\!\right\rangle_z", *POWER),
    "overline": Paper("q", r"q=\overline{" + TANH + r"}^{\,z}", *POWER),
    "square brackets": Paper("q", r"q=\left[" + TANH + r"\right]_z", *POWER),
    "bar at a point": Paper(
        "q_hat", r"\hat q=\alpha\int Dz\,[\partial_\omega g(\omega)]^2\Big|_{\omega=\sqrt q z}", r"]^2\Big", r"]^4\Big",
        before=r"Let $g(\omega)=\ln H\left(\frac{\kappa-\omega}{\sqrt{1-q}}\right)$."),
    "functions in a where": Paper(
        "free-entropy", r"\mathcal{S}(\alpha)=\operatorname*{extr}_{q,\hat q}\left[\mathcal{G}_0(q,\hat q)+\alpha\,\mathcal{G}_1(q)\right]",
        r"+\alpha", r"-\alpha", before=r"Let $\mathcal{G}_0=-\frac{\hat q}{2}(1-q)+\int Dz\ln2\cosh(\sqrt{\hat q}z)$ and "
        r"$\mathcal{G}_1=\int Dz\ln H\left(" + U + r"\right)$."),
    "range in words": Paper(
        "q", r"q=\int Dz\left[\frac{\sum_w w\,e^{\sqrt{\hat q}zw}}{\sum_w e^{\sqrt{\hat q}zw}}\right]^2", r"\{-1,1\}", r"\{-2,2\}",
        before=r"Here the sums run over $w\in\{-1,1\}$."),
    "angles": Paper("q", r"q=\left<" + TANH + r"\right>_z", *POWER),
    r"\operatorname{\mathbb E}": Paper("q", r"q=\operatorname*{\mathbb{E}}_{z} " + TANH, *POWER),
    r"\mathbf E": Paper("q", r"q=\mathbf E_z " + TANH, *POWER),
    "stars": Paper("q", r"q^{*}=\int Dz\tanh^2(\sqrt{\hat q^{*}}z)", r"\sqrt{\hat q^{*}}", r"\sqrt{q^{*}}"),
    "th": Paper("q", r"q=\int Dz\,\mathrm{th}^2(\sqrt{\hat q}z)", "^2", "^3"),
    "sgn": Paper("q", r"q=\int Dz\operatorname{sgn}(z)\tanh(\sqrt{\hat q}z)\left|\tanh(\sqrt{\hat q}z)\right|",
                 r"\tanh(\sqrt{\hat q}z)\left", r"2\tanh(\sqrt{\hat q}z)\left"),
    "Dz over": Paper("q", r"q=1-\int Dz/\cosh^2(\sqrt{\hat q}z)", "^2", "^3"),
    "extremum": Paper("free-entropy", r"\phi=\mathop{\mathrm{extr}}_{q,\hat q}\left\{" + ENTROPY + r"\right\}", r"\alpha\int",
                      r"\int"),
    "either extremum": Paper("free-entropy", r"\phi=" + ENTROPY + r"+\mathrm{extr}_E\left\{E q-\ln E\right\}-1-\ln q", r"E q",
                             r"2E q"),
    "minimum over what is positive": Paper("free-entropy", r"\phi=" + ENTROPY + r"+\min_{E>0}\left\{E q-\ln E\right\}-1-\ln q",
                                           r"E q", r"2E q"),
    # laws, densities, measures, events
    "law in a subscript": Paper("q", r"q=\mathbb{E}_{h\sim\mathcal N(0,\hat q)}\tanh^2 h", r"\hat q)", r"2\hat q)"),
    "law in the text": Paper("q", r"q=\mathbb{E}\left[" + TANH + r"\right]", *POWER, before=r"with $z\sim\mathcal{N}(0,1)$"),
    "density after a bar": Paper("q", r"q=\int dh\, \mathcal N(h|0,\hat q)\tanh^2 h", r"0,\hat q", "0,q"),
    "density after a semicolon": Paper("q", r"q=\int dz\, \mathcal N(z;0,1) " + TANH, "0,1", "0,2"),
    "measure defined": Paper("q", r"q=\int d\mu(x)\tanh^2(\sqrt{\hat q}x)", "z^2/2", "z^2",
                             before=r"with $\mathrm d\mu(z)=\mathrm dz\,e^{-z^2/2}/\sqrt{2\pi}$"),
    "Gaussian measure": Paper("q", r"q=\int D\gamma(z)" + TANH, *POWER),
    "indicator": Paper("free-entropy", r"\phi=" + ENTROPY.replace(r"H\left(" + U + r"\right)", r"\int Dx\, \mathbb 1(\sqrt{q}z+"
                       r"\sqrt{1-q}x > \kappa)"), "> ", "< "),
    "probability": Paper("free-entropy", r"\phi=" + ENTROPY.replace(r"H\left(" + U + r"\right)", r"\mathbb{P}_x(\sqrt{q}z+"
                         r"\sqrt{1-q}x > \kappa)"), "> ", "< "),
    # letters
    "Euler's number": Paper("free-entropy", r"\phi=" + ENTROPY + r"+\ln(2\pi e q)-\ln(2\pi q)-1", "e q", "e^2 q"),
    "a square defined": Paper("q", r"q=\int Dz\tanh^2(\sigma z)", r"=\hat q", r"=2\hat q", before=r"with $\sigma^2=\hat q$"),
    # the solidus
    "Gaussian of physicists": Paper("q", r"q=\int\frac{dh}{\sqrt{2\pi\hat q}}e^{-h^2/2\hat q}\tanh^2 h", r"/2\hat q", r"/\hat q"),
    "normalised measure": Paper("q", r"q=\int dz/\sqrt{2\pi}\, e^{-z^2/2} " + TANH, "z^2/2", "z^2"),
    "before an integral": Paper("q_hat", r"\hat q=\alpha/(1-q)\int Dz[G(X)/H(X)]^2, X=" + U, r"\alpha/", r"2\alpha/"),
}  # fmt: skip


@pytest.mark.parametrize("name", PAPERS)
def test_a_right_equation_verifies(session: Session, name: str) -> None:
    outcome = only(session, PAPERS[name].text(planted=False))
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize("name", PAPERS)
def test_an_error_in_the_same_notation_is_caught(session: Session, name: str) -> None:
    outcome = only(session, PAPERS[name].text(planted=True))
    assert outcome.status in (Status.WRONG, Status.OFF_BY_FACTOR), outcome.detail


#: Equation, a message, and what stands at the place that it points to.
UNREAD = [
    (r"\[ q = \int Dz \tanh^2(\sqrt{\hat q} z § ) \]", "not read as mathematics", "§"),
    (r"\[ q = \begin{cases} \int Dz " + TANH + r" & \alpha > 0 \\ 0 & \alpha<0\end{cases} \]", "environment", r"\begin"),
    (r"\[ \begin{cases} q = \int Dz " + TANH + r" & \text{if } \alpha < 1 \\ q = 1 & \text{else} \end{cases} \]", "environment",
     r"\begin"),
    (r"\[ \mathcal{F}(q) \]", "no equality", r"\mathcal{F}"),
    (r"\[ q \overset{n\to 0}{=} \int Dz " + TANH + r" \]", "limit", r"n\to"),
    (r"\[ \hat q = \alpha/\pi(1-q) \]", "below this fraction bar", "/"),
    (r"\[ q = \int dh\, e^{-1/2 h^2}\tanh^2 h \]", "below this fraction bar", "/2"),
    (r"\[ q = \int Dz \tanh^2 \hat q z/2 \]", "argument of tanh", "/"),
    (r"\[ q = \int d\mu(z) " + TANH + r" \]", "measure is not defined", r"d\mu"),
    (r"\[ \hat q = \frac{\alpha}{1-q}\int Dz \left[\frac{G(X)}{Q(X)}\right]^2, X=" + U + r" \]", "Q before a bracket", "Q(X)"),
    (r"\[ q = \int Dx\, \mathbb{E}[" + TANH + r"], z\sim\mathcal{N}(0,1) \]", "inside an average", r"\mathbb{E}"),
    (r"\[ q = \mathbb{E}_{z\sim\mathrm{Exp}(1)} " + TANH + r" \]", "only normal variables", r"\mathrm{Exp}"),
    (r"\[ q = \int Dz \tanh^2(\sqrt{\hat q^*\hat q}z) \]", "with a star and without", r"\hat q^*"),
    (r"\[ q = \frac{1}{}\int Dz " + TANH + r" \]", "not read", r"}\int"),
    (r"\[ q = \max_{t>1}\left[t q - t^2\right] \]", "real line or what is positive", ">1"),
]  # fmt: skip


@pytest.mark.parametrize(("equation", "message", "there"), UNREAD)
def test_what_is_not_read_is_not_checked_and_says_where(session: Session, equation: str, message: str, there: str) -> None:
    outcome = only(session, document("q_hat" if r"\[ \hat q" in equation else "q", equation))
    assert outcome.status is Status.NOT_CHECKED, outcome.detail
    assert message in outcome.detail
    assert outcome.place is not None
    line, column = outcome.place
    rest = document("q", equation).splitlines()[line - 1][column - 1 :] if "q_hat" not in equation else ""
    assert rest.startswith(there), rest
