r"""What formulas of a document say of the letter on the left of a claim: it counts, and what agrees changes nothing."""

from __future__ import annotations

import pytest
from notation import ENTROPY, document, only

from spinodal.verify import Status
from spinodal.verify.run import Session


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (r"s", r"where $s=\frac1N\langle\log\mathcal N\rangle$."),
        (r"\phi", r"with \[ \phi = \lim_{N\to\infty}\frac1N\ln Z \]"),
        (r"s", r"where $\mathcal N\sim e^{Ns}$."),
        (r"s", r"where $\mathcal N\simeq\exp(Ns)$."),
        (r"-\beta f", r"where $f=-\frac{1}{\beta N}\langle \ln Z\rangle$."),
        (r"-\beta f", r"where $\beta f=-\frac{1}{N}\langle \ln Z\rangle$."),
        (r"-\beta f", r"where $Z = e^{-\beta N f}$ and $T=1/\beta$."),
        (r"\frac{S}{N}", r"where $S=\langle\ln\Omega\rangle$ and $\Omega=\sum_w\prod_\mu\Theta(h_\mu-\kappa)$."),
        (r"\phi", r"with $\phi=\lim_{n\to0}\lim_{N\to\infty}\frac{1}{nN}\ln\langle Z^n\rangle$."),
        (r"\phi", r"with $\phi=\lim_{n\to0}\frac{\langle Z^n\rangle-1}{nN}$."),
        (r"s", r"with $s=\frac{\alpha}{P}\mathbb{E}\ln Z$."),
        (r"s", r"At $\alpha=0$ one has $s=\ln 2$. The annealed entropy is $s_{\rm ann}=\ln2+\alpha\ln H(\kappa)$."),
        (r"s", r"The capacity is where $s=0$."),
        (r"\frac1N\langle\ln Z\rangle", r"with $Z=\sum_{w\in\{\pm1\}^N}\prod_{\mu=1}^P\Theta(h_\mu-\kappa)$."),
        (r"s", r"where $s=\phi$."),
        (r"\phi", r"Here $s=\phi$ counts."),
        (r"s", r"where $\log\equiv\ln$"),
        (r"s", r"where $\mathcal N(\kappa)\asymp e^{N s}$"),
        (r"s(q,\hat q)", r"where $s=N^{-1}\overline{\ln V}$."),
        (r"s", r"where $\ln\mathcal N\simeq N s$."),
        (
            r"s",
            r"Then $s=\mathrm{extr}_{q,\hat q}[-\frac{\hat q}{2}(1-q)+\int Dz\ln 2\cosh(\sqrt{\hat q}z)+\alpha\int Dz\ln H(\frac{\kappa-z\sqrt q}{\sqrt{1-q}})]$.",
        ),
        (r"-\beta f", r"where $Z=\sum_w e^{-\beta E}$ and $f=-\lim_{N\to\infty}\frac{T}{N}\ln Z$."),
        (r"s", r"where $\langle\log\mathcal N\rangle=\frac{P}{\alpha}s$."),
    ],
)
def test_definitions_of_the_letter_that_agree_change_nothing(session: Session, left: str, text: str) -> None:
    outcome = only(session, document("free-entropy", rf"\[ {left} = {ENTROPY} \]") + text)
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (r"s", r"where $s:=\frac1P\langle\log\mathcal N\rangle$."),
        (r"s", r"where $\mathcal N\simeq e^{Ps}$."),
        (r"s", r"where $\mathcal N\sim10^{Ns}$."),
        (r"s", r"where $\overline{\mathcal N}\sim e^{Ns}$."),
        (r"s", r"where $\mathcal N\sim e^{N s/2}$."),
        (r"s", r"where $\mathcal N\sim e^{-N s}$."),
        (r"s", r"where $s=\frac1N\log_2\mathcal N$."),
        (r"s", r"where $s=\ln\mathcal N$."),
        (r"-\beta f", r"where $f=-\frac1N\ln Z$."),
        (r"-\beta f", r"where $Z=e^{\beta Nf}$."),
        (r"s", r"where $s = \frac{1}{P}\sum_\mu\langle \ln\Omega_\mu\rangle$."),
        (r"s", r"with $s=\frac{1}{\alpha P}\mathbb{E}\ln Z$."),
        (r"\frac1N\langle\ln Z\rangle", r"with $Z=\frac{1}{2^N}\sum_{w}\prod\Theta(h-\kappa)$"),
        (r"s", r"where $\ln\mathcal N\simeq 2N s$."),
        (r"s", r"where $\log x=\log_2x$"),
        (r"s", r"where $\ln\equiv\log_{10}$"),
        (r"s", r"with \[ s=\lim_{N\to\infty}\frac{1}{2N}\mathbb{E}\log Z. \]"),
        (r"s", r"where \[ s=-\lim_{N\to\infty}\frac1N\langle\log\mathcal N\rangle. \]"),
        (r"s", r"where $s=\hat q$."),
        (r"-\beta f", r"where $f=-\frac{1}{\beta P}\langle\log Z\rangle$."),
        (r"-\beta f", r"where $\beta f=\frac{1}{N}\langle\log Z\rangle$."),
        (r"\frac1N\langle\ln\Omega\rangle", r"where $\Omega=2^{-N}\sum_{w}\prod_\mu\Theta(h_\mu-\kappa)$."),
        (r"\frac1N\langle\ln Z(\kappa=1)\rangle", ""),
        (r"\frac1N\langle\ln Z_{2N}\rangle", ""),
        (r"s", r"where $\langle\log\mathcal N\rangle=Ps$."),
    ],
)
def test_a_letter_that_the_document_defines_as_something_else_is_refused(session: Session, left: str, text: str) -> None:
    outcome = only(session, document("free-entropy", rf"\[ {left} = {ENTROPY} \]") + text)
    assert outcome.status is Status.NOT_CHECKED, outcome.detail


def test_a_symbol_map_settles_what_the_letter_is(session: Session) -> None:
    text = r"where $s=\frac1P\langle\log\mathcal N\rangle$ elsewhere."
    markup = "% spinodal-symbols: s = free_entropy\n"
    outcome = only(session, document("free-entropy", rf"\[ s = {ENTROPY} \]", markup) + text)
    assert outcome.status is Status.VERIFIED, outcome.detail
