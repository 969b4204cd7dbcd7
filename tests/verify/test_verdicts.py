"""Verdicts at the edge: equations of one matrix, states that test nothing, integrals that vanish, parameters left unsaid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from notation import ENTROPY, document, only

from spinodal.__main__ import main
from spinodal.verify import Status
from spinodal.verify.compare import name_factor
from spinodal.verify.documents import read_document
from spinodal.verify.results import Outcome
from spinodal.verify.run import Session

SPECS = {
    "laplace": """format = 1
[student]
weights = { density = "exp(-abs(w))/2" }
[loss]
constraint = "y*h >= kappa"
[parameters]
alpha = 0.5
kappa = 0.0
""",
    "logistic": """format = 1
[student]
weights = "gaussian"
[teacher]
weights = "gaussian"
label = "sign(u)"
[loss]
energy = "log(1+exp(-y*h))"
temperature = "T"
[parameters]
alpha = 1.5
T = 0.5
""",
    "symmetric": """format = 1
[student]
weights = "binary"
[loss]
constraint = "abs(h) <= kappa"
[parameters]
alpha = 0.5
kappa = 1.0
""",
    "ground": """format = 1
[student]
weights = "spherical"
[loss]
energy = "step(-y*h)"
temperature = 0
[parameters]
alpha = 3.0
""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("specs")
    for name, text in SPECS.items():
        (found / f"{name}.toml").write_text(text, encoding="utf-8")
    return found


def outcome_of(session: Session, folder: Path, markup: str, equation: str, text: str = "") -> Outcome:
    document = read_document(f"{text}\n% spinodal: {markup}\n\\[ {equation} \\]\n", str(folder / "text.tex"), "latex")
    (outcome,) = session.outcomes(document)
    return outcome


WEIGHT = r"e^{-|w| + \sqrt{\hat q} z w - \frac{\hat q - \hat q_d}{2} w^2}"
MEAN = r"\frac{\hat q + \hat r^2}{(1 + \hat q - \hat q_d)^2}"
GAP = r"\frac{1}{1 + \hat q - \hat q_d}"
#: Equations of one matrix of overlaps, each in the forms in which it is given.
MATRIX = [
    ("logistic.toml q", rf"q = {MEAN}"),
    ("logistic.toml q", rf"q = q_d - {GAP}"),
    ("logistic.toml q_d", rf"q_d = {MEAN} + {GAP}"),
    ("logistic.toml q_d", rf"q_d = q + {GAP}"),
    ("logistic.toml q_d", rf"q_d - q = {GAP}"),
    ("laplace.toml q", rf"q = \int Dz \left[ \frac{{\int dw\, w {WEIGHT}}}{{\int dw\, {WEIGHT}}} \right]^2"),
    ("random-features-binary p_d", r"p_d = p + \frac{1-q}{1-(1-q)(\hat p_d-\hat p)}"),
]


@pytest.mark.parametrize(("markup", "equation"), MATRIX)
def test_equations_of_one_matrix_may_use_one_another(session: Session, folder: Path, markup: str, equation: str) -> None:
    outcome = outcome_of(session, folder, markup, equation)
    assert outcome.status is Status.VERIFIED, outcome.detail


def test_the_equation_of_one_entry_is_not_that_of_another(session: Session, folder: Path) -> None:
    outcome = outcome_of(session, folder, "logistic.toml q_d", rf"q = {MEAN}")
    assert (outcome.status, outcome.kind) == (Status.WRONG, "wrong quantity")
    both = r"\hat q + q = \hat q + \int Dz \tanh^2(\sqrt{\hat q} z)"
    assert outcome_of(session, folder, "binary-perceptron q_hat", both).kind == "wrong quantity"
    assert not outcome_of(session, folder, "logistic.toml q_d", rf"q_d = q + 2 \cdot {GAP}").passed
    assert not outcome_of(session, folder, "logistic.toml q", rf"q = {MEAN.replace('2}', '}')}").passed


PHI = r"\phi = -\frac{\hat q}{2}(1-q) + \int Dz \ln 2\cosh(\sqrt{\hat q} z) + \alpha\int Dz "


def test_what_is_multiplied_by_order_parameters_that_vanish_everywhere_is_not_tested(session: Session, folder: Path) -> None:
    one_sided = PHI + r"\ln\left[ 1 - 2H\left( \frac{\kappa-\sqrt q z}{\sqrt{1-q}} \right) \right]"
    outcome = outcome_of(session, folder, "symmetric.toml free-entropy saddle-point-only", one_sided)
    assert outcome.status is Status.NOT_CHECKED
    assert "q = 0" in outcome.detail
    assert not outcome_of(session, folder, "symmetric.toml free-entropy", one_sided).passed
    right = PHI + r"\ln\left[ H(\frac{-\kappa-\sqrt q z}{\sqrt{1-q}}) - H(\frac{\kappa-\sqrt q z}{\sqrt{1-q}}) \right]"
    assert outcome_of(session, folder, "symmetric.toml free-entropy", right).status is Status.VERIFIED
    there = r"\phi = \ln 2 + \alpha\ln[1 - 2H(\kappa)]"
    assert outcome_of(session, folder, "symmetric.toml free-entropy saddle-point-only", there).passed


def test_an_integral_that_vanishes_has_a_value(session: Session, folder: Path) -> None:
    odd = r"\int Dz \tanh(\sqrt{\hat q} z)"
    outcome = outcome_of(session, folder, "binary-perceptron q", rf"q = {odd}")
    assert (outcome.status, outcome.kind) == (Status.WRONG, "wrong power")
    assert outcome.values is not None
    assert outcome.values[0] == 0.0
    outcome = outcome_of(session, folder, "binary-perceptron q", rf"q = \left[ {odd} \right]^2")
    assert outcome.status is Status.WRONG
    assert "vanishes" in outcome.detail


RATIO = r"\hat q = \frac{\alpha}{1-q}\int Dz \left[\frac{G(X)}{H(X)}\right]^2"
AT_ZERO = r"X = \sqrt{\frac{q}{1-q}}\, z"


def test_an_equation_at_zero_margin_is_told_to_say_so(session: Session, folder: Path) -> None:
    text = r"For $\kappa=0$:"
    outcome = outcome_of(session, folder, "binary-perceptron q_hat", f"{RATIO}, {AT_ZERO}", text)
    assert outcome.status is Status.WRONG
    assert "kappa=0" in outcome.detail
    assert outcome_of(session, folder, "binary-perceptron q_hat kappa=0", f"{RATIO}, {AT_ZERO}", text).passed


def test_a_condition_in_the_display_is_where_the_equation_is_compared(session: Session, folder: Path) -> None:
    for condition in (r"\qquad (\kappa = 0)", r"\quad\text{for}\quad \kappa = 0"):
        assert outcome_of(session, folder, "binary-perceptron q_hat", f"{RATIO}, {AT_ZERO} {condition}").passed
        other = condition.replace("= 0", "= 0.3")
        assert not outcome_of(session, folder, "binary-perceptron q_hat", f"{RATIO}, {AT_ZERO} {other}").passed
    outcome = outcome_of(session, folder, "binary-perceptron q_hat", rf"{RATIO} \qquad (\kappa > 0), {AT_ZERO}")
    assert outcome.status is Status.NOT_CHECKED


def test_a_document_without_claims_does_not_pass_beside_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, empty = tmp_path / "good.tex", tmp_path / "empty.tex"
    good.write_text("% spinodal: binary-perceptron q\n\\[ q = \\int Dz \\tanh^2(\\sqrt{\\hat q} z) \\]\n", encoding="utf-8")
    empty.write_text("Nothing is claimed here: \\[ q = 1 \\]\n", encoding="utf-8")
    assert main(["verify", str(good)]) == 0
    capsys.readouterr()
    assert main(["verify", str(good), str(empty)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "empty.tex" in shown.err
    assert "good.tex" not in shown.err


def test_conjugates_of_ground_states_are_eliminated_by_stationarity(session: Session, folder: Path) -> None:
    """Griniasty and Gutfreund 1991: the number of errors at zero temperature, as a function of x alone."""
    letters = "% spinodal-symbols: x = dq"
    errors = r"\alpha\left\{ H(\sqrt{2x}) + \frac{1}{2x}\int_{-\sqrt{2x}}^0 Dt\, t^2 \right\}"
    outcome = outcome_of(session, folder, "ground.toml free-entropy", rf"\phi = \frac{{1}}{{2x}} - {errors}", letters)
    assert outcome.status is Status.VERIFIED, outcome.detail
    assert "q_hat eliminated" in outcome.detail
    outcome = outcome_of(session, folder, "ground.toml free-entropy", rf"\phi = \frac{{1}}{{x}} - {errors}", letters)
    assert outcome.kind == "factor"
    assert outcome_of(session, folder, "ground.toml free-entropy", rf"-f = \frac{{1}}{{2x}} - {errors}", letters).passed
    assert not outcome_of(session, folder, "ground.toml free-entropy", rf"f = \frac{{1}}{{2x}} - {errors}", letters).passed
    outcome = outcome_of(session, folder, "ground.toml free-entropy", rf"-\beta f = \frac{{1}}{{2x}} - {errors}", letters)
    assert "temperature 0" in outcome.detail


def test_repairs_are_told_in_the_letters_of_the_document(session: Session, folder: Path) -> None:
    letters = "% spinodal-symbols: \\chi = q"
    outcome = outcome_of(session, folder, "binary-perceptron q", r"\chi = \int Dz \tanh^2(\sqrt{\chi} z)", letters)
    assert outcome.kind == "hat missing"
    assert r"\chi stands where q_hat belongs" in outcome.detail
    tail = RATIO.replace("H(X)", "H(2X)") + r", X = \frac{\kappa - \sqrt q z}{\sqrt{1-q}}"
    assert "argument of H must" in outcome_of(session, folder, "binary-perceptron q_hat", tail).detail


def test_a_comparison_that_takes_too_long_is_not_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinodal.verify.check.PATIENCE", 0.0)
    equation = r"q = \int Dz \tanh^2(\sqrt{\hat q} z)"
    outcome = outcome_of(Session(), folder, "binary-perceptron q", equation)
    assert outcome.status is Status.NOT_CHECKED
    assert "not decided within" in outcome.detail


def test_what_is_being_checked_is_announced(session: Session) -> None:
    text = "% spinodal: binary-perceptron q\n\\[ q = \\int Dz \\tanh^2(\\sqrt{\\hat q} z) \\]\n"
    told: list[str] = []
    list(session.outcomes(read_document(text, "text.tex", "latex"), told.append))
    assert told == ["text.tex:1: binary-perceptron q"]


@pytest.mark.parametrize(
    "step",
    [
        r"\Theta\left(\kappa - |\sqrt q z + \sqrt{1-q} x|\right)",
        r"\Theta\left(\kappa^2 - (\sqrt q z + \sqrt{1-q} x)^2\right)",
    ],
)
def test_steps_of_arguments_that_are_not_linear_are_resolved(session: Session, folder: Path, step: str) -> None:
    outcome = outcome_of(session, folder, "symmetric.toml free-entropy", PHI + rf"\ln \int Dx\, {step}")
    assert outcome.status is Status.VERIFIED, outcome.detail


def test_a_star_above_an_order_parameter_is_no_other_letter(session: Session, folder: Path) -> None:
    outcome = outcome_of(session, folder, "binary-perceptron q", r"q^\star = \int Dz \tanh^2(\sqrt{\hat q} z)")
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "1/2"), (1 / (2 * np.pi), "1/(2 pi)"), (-1 / np.pi, "-1/pi"), (2 * np.pi, "2 pi"), (1.5 / np.pi, "3/2 1/pi")],
)
def test_factors_are_printed_with_one_bar(value: float, text: str) -> None:
    assert name_factor(value) == text


def test_a_parameter_that_one_term_lacks_is_named(session: Session) -> None:
    right, term = rf"\phi = {ENTROPY}", r"\alpha\int Dz\ln H"
    assert term in right
    outcome = only(session, document("free_entropy", rf"\[ {right.replace(term, term.removeprefix(chr(92) + 'alpha'))} \]"))
    assert (outcome.status, outcome.kind) == (Status.WRONG, "factor missing")
    assert "this term must be multiplied by alpha" in outcome.detail
    twice = only(session, document("free_entropy", rf"\[ {right.replace(term, chr(92) + 'alpha' + term)} \]"))
    assert (twice.status, twice.kind) == (Status.WRONG, "factor missing")
    assert r"this term must be divided by \alpha" in twice.detail


def test_two_letters_in_each_others_place_are_named(session: Session) -> None:
    swapped = r"\frac{\alpha}{1-\kappa}\int Dz\left[\frac{G(X)}{H(X)}\right]^2, X=\frac{q-\sqrt{\kappa}z}{\sqrt{1-\kappa}}"
    outcome = only(session, document("q_hat", rf"\[ \hat q = {swapped} \]"))
    assert (outcome.status, outcome.kind) == (Status.WRONG, "wrong argument")
    assert r"\kappa and q stand in each other's place" in outcome.detail
