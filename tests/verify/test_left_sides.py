r"""What stands on the left of a free entropy: signs, factors and functions count; f is a free energy, phi is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinodal.verify import Status
from spinodal.verify.documents import read_document
from spinodal.verify.results import Outcome
from spinodal.verify.run import Session

PHI = (
    r"-\frac{\hat q}{2}(1-q) + \int Dz \ln 2\cosh(\sqrt{\hat q} z)"
    r" + \alpha\int Dz \ln H\left(\frac{\kappa-\sqrt q z}{\sqrt{1-q}}\right)"
)


def outcome_of(session: Session, left: str, right: str = PHI, markup: str = "binary-perceptron free-entropy") -> Outcome:
    text = f"% spinodal: {markup}\n\\[ {left} = {right} \\]\n"
    (outcome,) = session.outcomes(read_document(text, "text", "latex"))
    return outcome


@pytest.mark.parametrize(
    "left",
    [
        r"\phi", "S", r"G(q)", r"\mathcal{G}(q, \hat q)", r"\phi^{RS}", r"\mathcal{L}",
        r"-\beta f", r"-\beta f(q,\hat q)", r"-\frac{f}{T}", r"-\frac{\beta F}{N}", r"\frac{S}{N}",
        r"\frac1N \langle\ln V\rangle", r"\frac{1}{N} \mathbb{E}_\xi \ln Z", r"\lim_{N\to\infty} \frac1N \overline{\ln V}",
        r"\lim_{n\to0}\frac{\langle V^n\rangle-1}{nN}", r"\frac1N\lim_{n\to 0}\frac1n\ln\mathbb{E}[Z^{n}]",
        r"\lim_{N\to\infty}\lim_{n\to0}\frac{\overline{Z^n}-1}{nN}", r"\frac{\alpha}{P}\mathbb{E}\ln Z", r"N^{-1} [\ln Z(\xi)]_{\xi}", r"\phi = \lim_{N\to\infty} \frac{1}{N} \mathbb{E} \ln Z",
    ],
)  # fmt: skip
def test_known_ways_of_writing_the_free_entropy(session: Session, left: str) -> None:
    outcome = outcome_of(session, left)
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize(
    ("left", "kind"),
    [
        (r"-\phi", "sign"),
        (r"\beta f", "sign"),
        (r"2S", "factor"),
        (r"-\frac{1}{N} \langle\ln V\rangle", "sign"),
        (r"\frac{\langle\ln V\rangle}{2N}", "factor"),
        (r"\frac{\alpha}{2P}\mathbb{E}\ln Z", "factor"),
        (r"-\lim_{n\to0}\frac{\langle V^n\rangle-1}{nN}", "sign"),
        (r"\lim_{n\to0}\frac{\langle V^n\rangle^2-1}{nN}", "factor"),
        (r"\phi = -\frac{1}{N} \mathbb{E} \ln Z", "sign"),
    ],
)
def test_signs_and_factors_on_the_left_are_wrong_as_on_the_right(session: Session, left: str, kind: str) -> None:
    outcome = outcome_of(session, left)
    assert outcome.status is Status.OFF_BY_FACTOR, outcome.detail
    assert outcome.kind == kind


def test_a_function_of_the_free_entropy_is_another_quantity(session: Session) -> None:
    assert not outcome_of(session, "e^{S}").passed
    assert not outcome_of(session, r"\phi^2").passed
    assert outcome_of(session, "e^{S}", rf"\exp\left( {PHI} \right)").passed


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        ("f", "no temperature"),
        ("-f", "no temperature"),
        (r"N\langle\ln V\rangle", "depends on the size"),
        (r"\langle\ln V\rangle", "depends on the size"),
        (r"-\mathcal{L}", "no meaning"),
        (r"\frac{1}{N}\ln\langle V\rangle", "not read"),
    ],
)
def test_a_left_side_whose_value_is_not_known_is_not_checked(session: Session, left: str, reason: str) -> None:
    outcome = outcome_of(session, left)
    assert outcome.status is Status.NOT_CHECKED
    assert reason in outcome.detail
    assert "spinodal-symbols: f = free_entropy" in outcome.detail


ENERGY = """format = 1
[model]
name = "errors"
[student]
weights = "spherical"
[loss]
energy = "step(-y*h)"
temperature = "T"
[ansatz]
scheme = "replica-symmetric"
[parameters]
alpha = 1.0
T = 0.5
"""
BOLTZMANN = (
    r"\frac{1}{2}\log(1-q) + \frac{q}{2(1-q)}"
    r" + \alpha\int Dz \log\left[ e^{-1/T} + (1 - e^{-1/T}) H\left(-\sqrt{\frac{q}{1-q}} z\right)\right]"
)


def test_a_free_energy_is_minus_the_temperature_times_the_free_entropy(session: Session, tmp_path: Path) -> None:
    spec = tmp_path / "errors.toml"
    spec.write_text(ENERGY, encoding="utf-8")
    markup = f"{spec} free-entropy"
    assert outcome_of(session, r"-\beta f", BOLTZMANN, markup).passed
    assert outcome_of(session, "f", rf"-T\left\{{ {BOLTZMANN} \right\}}", markup).passed
    assert not outcome_of(session, "f", BOLTZMANN, markup).passed
    assert outcome_of(session, r"\beta f", BOLTZMANN, markup).kind == "sign"


def test_the_energy_of_all_weights_and_its_letter_beside_a_temperature(session: Session, tmp_path: Path) -> None:
    spec = tmp_path / "errors.toml"
    spec.write_text(ENERGY, encoding="utf-8")
    x = r"-\sqrt{\frac{q}{1-q}}z"
    # the mean of an indicator in Boltzmann's measure
    mean = rf"\alpha\int Dz\,\frac{{e^{{-\beta}}H(-X)}}{{e^{{-\beta}}H(-X)+H(X)}},\quad X={x}"
    assert outcome_of(session, r"\frac{E}{N}", mean, f"{spec} energy").passed
    assert not outcome_of(session, r"\frac{e}{N}", mean, f"{spec} energy").passed
    assert outcome_of(session, "s", r"\phi + \beta E", f"{spec} entropy").passed
    assert not outcome_of(session, "s", r"\phi - \beta E", f"{spec} entropy").passed


def test_a_sign_before_the_letter_of_an_error_counts(session: Session) -> None:
    markup = "binary-teacher-student generalization-error"
    error = r"\frac{1}{\pi}\arccos r"
    assert outcome_of(session, r"\varepsilon_g(\alpha)", error, markup).passed
    assert outcome_of(session, r"-\varepsilon_g", error, markup).kind == "sign"
    assert outcome_of(session, r"2\varepsilon_g", error, markup).kind == "factor"


RF = "random-features-binary"
ERROR = r"\frac1\pi\arccos\frac{\kappa_1 r}{\sqrt{Q_d}}"
REPLICON = (
    r"1 - \frac{\alpha}{(1-q)^2}\int Dz\, \operatorname{sech}^4(\sqrt{\hat q}z)\int Dt \left[\frac{G(x)}{H(x)}"
    r"\left(\frac{G(x)}{H(x)}-x\right)\right]^2, x = \frac{\kappa-\sqrt q t}{\sqrt{1-q}}"
)
#: Markup, right side, a letter that may be the author's name of it, and letters that are those of something else.
LETTERS = [
    (f"{RF} kappa_1", r"\sqrt{\frac2\pi}", r"\kappa_1", (r"\kappa_\star", "M", r"\phi")),
    (f"{RF} kappa_star", r"\sqrt{1-\frac2\pi}", r"\kappa_\star", (r"\kappa_1",)),
    (f"{RF} Q", r"\kappa_1^2 p+\kappa_\star^2 q", "Q", ("M", "Q_d", r"\beta")),
    (f"{RF} generalization_error", ERROR, r"\epsilon_g", ("f", r"\kappa_1", r"\alpha", "q")),
    ("binary-perceptron replicon", REPLICON, r"\lambda", (r"\phi", "S", "T", r"\beta/2")),
    ("binary-perceptron free-entropy", PHI, r"\phi", (r"\beta", "E", "T", r"\epsilon", r"\alpha")),
    ("binary-perceptron q", r"\int Dz \tanh^2(\sqrt{\hat q}z)", "Q", (r"\beta", r"\phi", "N")),
]


@pytest.mark.parametrize(("markup", "right", "own", "others"), LETTERS)
def test_letters_of_something_else_are_not_taken_for_a_quantity(
    session: Session, markup: str, right: str, own: str, others: tuple[str, ...]
) -> None:
    assert outcome_of(session, own, right, markup).passed
    for letter in others:
        outcome = outcome_of(session, letter, right, markup)
        assert outcome.status in (Status.NOT_CHECKED, Status.WRONG), (letter, outcome.detail)
    quantity = markup.split()[1].replace("-", "_")
    text = f"% spinodal-symbols: {others[0]} = {quantity}\n% spinodal: {markup}\n\\[ {others[0]} = {right} \\]\n"
    (outcome,) = session.outcomes(read_document(text, "text", "latex"))
    assert outcome.passed, outcome.detail


ERROR = r"\frac1\pi\arccos r"  # of a student whose overlap with the teacher is r: Gyorgyi 1990


@pytest.mark.parametrize(
    "left",
    [
        r"s(\kappa)-s(0)",
        r"s(\kappa)+s(0)",
        r"S[\kappa]-S[0]",
        r"s(\alpha)-s(\tfrac12)",
        r"s(\kappa)-s(-\kappa)",
        r"s(\kappa)+s(\kappa_0)",
        r"s_\kappa+s_0",
        r"s(\kappa,0)",
        r"s+\left.s\right|_{\kappa=0}",
    ],
)
def test_a_value_at_another_point_is_no_factor_of_an_entropy(session: Session, left: str) -> None:
    assert outcome_of(session, left).status is Status.NOT_CHECKED


@pytest.mark.parametrize(
    "left",
    [
        r"\epsilon(\alpha)-\epsilon(0)",
        r"\epsilon(\alpha)+\epsilon(0)",
        r"\epsilon(r)-\epsilon(1)",
        r"\epsilon[\alpha]+\epsilon[0]",
    ],
)
@pytest.mark.parametrize("symbols", ["", "% spinodal-symbols: \\epsilon = generalization_error\n"])
def test_a_value_at_another_point_is_no_factor_of_an_error(session: Session, left: str, symbols: str) -> None:
    text = f"{symbols}% spinodal: binary-teacher-student generalization-error\n\\[ {left} = {ERROR} \\]\n"
    (outcome,) = session.outcomes(read_document(text, "text", "latex"))
    assert outcome.status is Status.NOT_CHECKED


def test_a_value_at_a_point_is_no_factor_on_the_right(session: Session) -> None:
    outcome = outcome_of(
        session, r"\epsilon(\alpha)", rf"{ERROR}+\epsilon(0)", "binary-teacher-student generalization-error"
    )
    assert outcome.status is Status.NOT_CHECKED
    assert r"\epsilon before a number in brackets" in outcome.detail


@pytest.mark.parametrize(
    "left",
    [
        r"\lim_{n\to0}\frac{\langle V^n\rangle}{nN}",  # diverges
        r"\lim_{n\to0}\frac{\langle V^n\rangle-1}{(n+1)N}",  # vanishes
        r"\lim_{n\to0}\frac{\langle V^m\rangle-1}{nN}",
        r"\lim_{n\to1}\frac{\langle V^n\rangle-1}{nN}",
        r"\lim_{n\to0}\frac{\langle V^n\rangle-1}{n}",  # no density
    ],
)
def test_limits_of_no_replicas_that_are_no_free_entropy_do_not_pass(session: Session, left: str) -> None:
    assert outcome_of(session, left).status is Status.NOT_CHECKED


def test_functions_at_several_points_stand_on_the_right(session: Session) -> None:
    entropy = r"-\frac{\hat q}{2}(1-q)-r\hat r+\int Dz\ln 2\cosh(\sqrt{\hat q}z+\hat r)+2\alpha\int Dz\,\ln H(X)\,H(U)"
    text = (
        f"% spinodal: binary-teacher-student free-entropy kappa=0\n\\[ \\phi = {entropy} \\]\n"  # Gyorgyi 1990
        "where $X=-\\sqrt{q/(1-q)}\\,z$ and $U=-rz/\\sqrt{q-r^2}$."
    )
    (outcome,) = session.outcomes(read_document(text, "text", "latex"))
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize("left", [r"\epsilon(\alpha)", r"\epsilon[r]", r"\pi\epsilon(r)/\pi"])
def test_the_point_that_is_meant_may_stand_beside_an_error(session: Session, left: str) -> None:
    outcome = outcome_of(session, left, ERROR, "binary-teacher-student generalization-error")
    assert outcome.status is Status.VERIFIED, outcome.detail
