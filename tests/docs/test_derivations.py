"""Derivations for readers: LaTeX that compiles as it stands, with nothing too wide, in the author's letters."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
from declared import declare, spec_text
from printed import outcomes_of

import spinodal
from spinodal.checks import Check
from spinodal.report import author_symbols, latex
from spinodal.report.document import _text
from spinodal.report.symbols import check_letters
from spinodal.spec import SpecError, shipped_models
from spinodal.symbolic.functions import LogTwoCosh
from spinodal.verify import Status, verify_text
from spinodal.verify.results import Outcome

NEEDS_LATEX = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")


@NEEDS_LATEX
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "ansatz"),
    [
        *((name, None) for name in shipped_models()),
        ("binary-teacher-student", "bayes-optimal"),
        ("spherical-perceptron", "1rsb"),
        ("binary-teacher-student", "real-replicas"),
    ],
)
def test_latex_compiles_as_it_stands(name: str, ansatz: str | None, tmp_path: Path) -> None:
    try:
        derivation = spinodal.load(name, ansatz=ansatz).derive()
    except SpecError as error:
        pytest.skip(error.message)
    (tmp_path / "derivation.tex").write_text(derivation.to_latex(), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "derivation.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


def test_equations_are_numbered_in_the_authors_letters() -> None:
    derivation = spinodal.load("binary-teacher-student").derive()
    text = derivation.to_markdown(author_symbols(r"R = r, \hat{R} = r_hat"))
    assert re.search(r"^R = \\int Dz.*\\tanh.*\\tag\{\d+\}$", text, re.M)
    assert re.search(r"^\\omega = .*\\hat\{R\}.*\\tag\{\d+\}$", text, re.M)
    numbers = [int(n) for n in re.findall(r"\\tag\{(\d+)\}", text)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert r"\hat r" not in text
    assert r"\hat{R}" not in derivation.to_markdown()


def test_a_symbol_map_names_what_the_derivation_has() -> None:
    derivation = spinodal.load("binary-perceptron").derive()
    with pytest.raises(SpecError, match="no symbol of this derivation"):
        derivation.to_markdown({"nonsense": "X"})
    with pytest.raises(SpecError, match="no entry of a symbol map"):
        author_symbols("R r")


@pytest.mark.parametrize(
    ("letters", "message"),
    [
        ("R = r, R = q", "R: the letter of both r and q"),
        (r"\hat{R} = r_hat, \hat R = q_hat", "the letter of both r_hat and q_hat"),
        (r"\alpha = r", r"\alpha: the letter of both r and alpha"),
        (r"\hat{q} = r", "the letter of both r and q_hat"),
        (r"\phi = r", "the letter of both r and the free entropy"),
        ("x_{ = r", "a brace is not closed"),
        ("x_ = r", "nothing stands after _"),
        ("x_a_b = r", "two _ on one letter"),
        ("x}{ = r", "a brace too many"),
        ("$x$ = r", "it begins with $"),
        ("R = r, S = r", "r: has two letters, R and S"),
    ],
)
def test_letters_that_would_stand_for_two_things_are_refused(letters: str, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)) as caught:
        check_letters(author_symbols(letters), ["q", "q_hat", "r", "r_hat", "alpha"])
    assert caught.value.cure


def test_letters_may_be_exchanged() -> None:
    derivation = spinodal.load("binary-teacher-student").derive()
    assert derivation.steps_in(author_symbols("r = q, q = r"))
    assert derivation.steps_in(author_symbols(r"\tilde{q}_{\mathrm{ts}}' = r, q^{(0)} = q, Q = q_hat"))
    with pytest.raises(SpecError, match="the letter of both r and alpha"):
        derivation.to_latex(author_symbols(r"\alpha = r"))


def test_copies_inside_copies_are_written_as_papers_write_them() -> None:
    """Krauth and Mezard's one-step equations: powers of partition functions, and means that they tilt."""
    text = spinodal.load("binary-perceptron", ansatz="1rsb").derive().to_markdown()
    assert r"\frac{1}{m} \int Dz\; \log \int Dz_1\; \left[2\cosh\!\left(\omega_1\right)\right]^{m}" in text
    assert r"q_1 = \int Dz\; \left\langle \tanh^{2}\!\left(\omega_1\right) \right\rangle_{\omega_1}" in text
    assert r"\langle\,\cdot\,\rangle_{\omega_1} = " in text


@pytest.mark.parametrize("name", ["binary-perceptron", "binary-teacher-student"])
def test_delimiters_of_markdown_mathematics_balance(name: str) -> None:
    text = spinodal.load(name).derive().to_markdown()
    assert text.count("$$") % 2 == 0
    for block in re.findall(r"\$\$\n(.*?)\n\$\$", text, re.S):
        assert block.count(r"\left") == block.count(r"\right")
        assert block.count("{") == block.count("}")


def test_a_derivation_beside_a_reference_checks_itself() -> None:
    checks = spinodal.load("binary-perceptron", ansatz="franz-parisi").derive().checks
    assert all(check.deviation <= check.tolerance for check in checks if check.made)
    assert {"gradient", "Jacobian", "parameter"} <= {check.name.split()[0] for check in checks if check.made}


@pytest.mark.parametrize(
    "loss",
    [
        'constraint = "abs(h) <= kappa"',
        'constraint = "y*h >= -kappa and abs(h) < 2"',
        'energy = "max(0, 1-y*h)**3"\ntemperature = 0.5',
        'energy = "step(-y*h)"\ntemperature = 0.5',
    ],
)
def test_every_symbol_of_one_site_is_defined(loss: str, tmp_path: Path) -> None:
    spec = tmp_path / "model.toml"
    head = '[model]\nname = "m"\ndescription = "d"\n[student]\nweights = { values = [-2, 0, 2] }\nfeatures = "direct"\n'
    tail = '[teacher]\nweights = "binary"\nlabel = "sign(u + 0.1*noise)"\n[parameters]\nalpha = 0.5\nkappa = 0.9\n'
    spec.write_text(f'format = 1\n{head}[loss]\n{loss}\n[ansatz]\nscheme = "replica-symmetric"\n{tail}')
    equations = re.findall(r"\$\$\n(.*?)\n\$\$", spinodal.load(spec).derive().to_markdown(), re.S)
    sides = [re.sub(r" \\tag\{\d+\}", "", e).split(" = ", 1) for e in equations]
    assert not [left for left, *right in sides if right == [left]], "a tautology defines nothing"
    lefts = " ".join(left for left, *_ in sides)
    text = " ".join(equations)
    for name in set(re.findall(r"\\log Z_\{\\text\{(.*?)\}\}", text)):
        assert rf"\log Z_{{\text{{{name}}}}}" in lefts, name
    for name in set(re.findall(r"\\left\\langle \\text\{(.*?)\} \\right\\rangle", text)):
        assert rf"\text{{{name}}}(" in lefts, name


RIDGE = {
    "weights": "unconstrained",
    "teacher": {"weights": "gaussian", "label": "u + sqrt(Delta)*noise"},
    "Delta": 0.25,
    "lam": 0.2,
    "alpha": 1.5,
}
SQUARED = {"energy": "(y - h)**2/2", "regularization": "lam*w**2/2"}
#: Declarations whose channels have constants, closed averages and labels with noise.
DECLARED: dict[str, dict[str, Any]] = {
    "ridge": {**RIDGE, "loss": {**SQUARED, "temperature": 0.3}},
    "ridge, ground state": {**RIDGE, "loss": {**SQUARED, "temperature": 0}},
    "ridge on features": {
        **RIDGE,
        "loss": {**SQUARED, "temperature": 0.3},
        "features": {"map": "random", "activation": "erf(x)"},
        "alpha_T": 2.0,
    },
    "noisy real labels, Bayes-optimal": {
        "weights": "gaussian",
        "teacher": {"weights": "gaussian", "label": "u + sqrt(Delta)*noise"},
        "scheme": "bayes-optimal",
        "alpha": 1.0,
        "Delta": 0.1,
        "kappa": 0.0,
    },
}


def assert_parts_verify(outcomes: dict[str, Outcome], *, block: bool) -> None:
    """Every part was claimed, and each claim holds."""
    parts = {"free_entropy_prior", "free_entropy_output", "free_entropy"} | ({"free_entropy_block"} if block else set())
    assert set(outcomes) == parts
    assert {k: o.detail for k, o in outcomes.items() if o.status is not Status.VERIFIED} == {}


@pytest.mark.parametrize(
    ("name", "ansatz"),
    [
        *((name, None) for name in shipped_models()),
        ("binary-teacher-student", "bayes-optimal"),
        ("binary-perceptron", "1rsb"),
        ("binary-perceptron", "real-replicas"),
        ("binary-perceptron", "franz-parisi"),
    ],
)
def test_printed_parts_of_a_free_entropy_are_what_verify_takes_them_for(
    name: str, ansatz: str | None, tmp_path: Path
) -> None:
    assert_parts_verify(outcomes_of(name, tmp_path, ansatz), block="features" in name)


@pytest.mark.parametrize("name", DECLARED)
def test_printed_parts_of_declared_models_verify(name: str, tmp_path: Path) -> None:
    spec = tmp_path / "model.toml"
    spec.write_text(spec_text("m", **DECLARED[name]), encoding="utf-8")
    assert_parts_verify(outcomes_of(spec, tmp_path), block="features" in name)


@pytest.mark.parametrize("flip", [{}, {"flip_probability": "eta"}])
@pytest.mark.parametrize("label", ["sign(u)", "sign(u + sqrt(Delta)*noise)", "sign(abs(u) - 0.7)"])
def test_derivations_with_label_noise_pass_their_own_checks(label: str, flip: dict[str, str]) -> None:
    """Replicas at small n see the same label law as the limit: noise inside the sign, flips, and both."""
    teacher = {"weights": "binary", "label": label, **flip}
    checks = declare("noisy", teacher=teacher, alpha=0.5, kappa=0.0, Delta=0.3, eta=0.1).derive().checks
    assert [check.name for check in checks if not check.passed] == []


def test_a_binary_student_of_a_gaussian_teacher_is_derived() -> None:
    """The teacher smears the field of a weight: two derivatives of log 2cosh for each in the teacher's conjugate."""
    teacher = {"weights": "gaussian", "label": "sign(u)"}
    derivation = declare("smeared", teacher=teacher, alpha=0.5, kappa=0.0).derive()
    assert [check.name for check in derivation.checks if not check.passed] == []


def test_a_derivation_that_fails_its_own_check_says_so_first(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = (Check("the limit", 0.1, 1e-6), Check("the Jacobian", 1e-9, 1e-6))
    monkeypatch.setattr("spinodal.report.document.run_checks", lambda derived: failed)
    derivation = spinodal.load("spherical-perceptron").derive()
    for text in (derivation.to_markdown(), derivation.to_latex()):
        assert "fails its own check (the limit)" in text
        assert text.index("Not to be relied on") < text.index("Notation")


def equations_of(text: str) -> list[str]:
    """The equations of a derivation in Markdown, without their numbers."""
    return [re.sub(r" \\tag\{\d+\}", "", e) for e in re.findall(r"\$\$\n(.*?)\n\$\$", text, re.S)]


def equation(text: str, left: str) -> str:
    """The last equation with a left side."""
    return [e for e in equations_of(text) if e.startswith(rf"{left} =") or e.startswith(rf"\begin{{aligned}} {left} &=")][-1]


GROUND: dict[str, Any] = {
    "weights": "unconstrained",
    "teacher": {"weights": "gaussian", "label": "sign(u)"},
    "alpha": 1.5,
    "lam": 0.2,
}


def ground_text(energy: str) -> str:
    """The derivation of a ground state of an energy."""
    loss = {"energy": energy, "temperature": 0, "regularization": "lam*w**2/2"}
    return declare("ground", loss=loss, **GROUND).derive().to_markdown()


def test_convex_energies_have_no_jumps_to_speak_of() -> None:
    for energy in ("log(1 + exp(-y*h))", "max(0, 1 - y*h)", "max(0, 1 - y*h)**2 + abs(h)"):
        text = ground_text(energy)
        assert r"\infty" not in equation(text, r"\mathrm{replicon}"), energy
        assert "jumps at a field" not in text
        assert "omega_" not in text


def test_what_a_jump_does_to_the_replicon_is_said_in_words() -> None:
    text = ground_text("step(-y*h)")
    assert r"\mathrm{replicon} = -\infty \quad \text{where }" in text
    assert r"\ne 0" not in text
    assert r"\sum" not in text


def test_every_function_is_defined_where_it_is_used() -> None:
    smeared = declare("smeared", teacher={"weights": "gaussian", "label": "sign(u)"}, alpha=0.5, kappa=0.0)
    for text in (smeared.derive().to_markdown(), ground_text("log(1 + exp(-y*h))"), ground_text("(y - h)**2")):
        body = " ".join(equations_of(text))
        for mark, left in (
            (r"G\!", "G(x) ="),
            (r"H\!", "H(x) ="),
            (r"\Theta\!", r"\Theta(x) ="),
            (r"h^\star", "at } h = h^\\star"),
        ):
            assert (mark not in body) or left in body, mark
        assert r"1 \mid" not in body, "a label that the name tells"
        assert "P\\left(" not in body


def test_a_real_label_is_defined_and_its_averages_are_carried_out() -> None:
    ridge = declare("ridge", **RIDGE, loss={**SQUARED, "temperature": 0}).derive().to_markdown()
    assert "the loss reads the difference $h - y$ only" in ridge
    assert r"\int" not in " ".join(equations_of(ridge))
    assert (
        equation(ridge, r"\hat q")
        == r"\hat q = \frac{\alpha \left(1 + \Delta + Q - 2 M\right)}{\left(1 + \delta Q\right)^{2}}"
    )
    margin = declare(
        "margin", **RIDGE, loss={"energy": "log(1+exp(-y*h))", "temperature": 0.5, "regularization": "lam*w**2/2"}
    )
    equations = equations_of(margin.derive().to_markdown())
    assert any(e.startswith(r"y = ") and r"\xi \sim \mathcal{N}(0, 1)" in e for e in equations)


def test_means_in_two_measures_have_two_notations() -> None:
    loss = {"energy": "step(-y*h)", "temperature": 0.5}
    text = declare("errors", loss=loss, scheme="1rsb", ansatz={"m": 0.5}, alpha=1.0).derive().to_markdown()
    lefts = [e.split(" = ")[0] for e in equations_of(text) if e.startswith((r"\langle", r"\left\langle"))]
    assert len(lefts) == len(set(lefts)) >= 2
    assert any(r"\rangle^{\text{" in left for left in lefts)


def test_equations_are_as_short_as_papers_write_them() -> None:
    spherical = spinodal.load("spherical-perceptron").derive().to_markdown()
    assert equation(spherical, "q") == r"q = \frac{\hat q}{\left(1 - \hat v\right)^{2}}"
    assert "1 = " in spherical, "the equation that the multiplier solves"
    bayes = spinodal.load("binary-teacher-student", ansatz="bayes-optimal").derive().to_markdown()
    assert r"\frac{Q}{\sqrt{Q}}" not in bayes
    assert r"\log H\!\left(- \frac{h}{\sqrt{V}}\right) H" not in bayes, "a logarithm comes last"
    sparse = {"values": [-1, 0, 1], "probabilities": ["rho/2", "1-rho", "rho/2"]}
    assert r"\rho\, 1" not in declare("sparse", weights=sparse, alpha=0.5, rho=0.5, kappa=0.0).derive().to_markdown()


@pytest.mark.parametrize(("name", "ansatz"), [("spherical-perceptron", "1rsb"), ("random-features-binary", "real-replicas")])
def test_equations_of_broken_symmetry_fit_on_a_few_lines(name: str, ansatz: str) -> None:
    text = spinodal.load(name, ansatz=ansatz).derive().to_markdown()
    for line in equations_of(text):
        for row in line.split(r"\\ &"):
            widest = max([len(part) for part in re.findall(r"\\frac\{([^\\]|\\[^i])*\}", row)], default=0)
            assert widest < 250, row
            assert row.count("+") + row.count(" - ") < 25, row


def test_powers_parentheses_and_numbers_are_written_as_papers_write_them() -> None:
    x, rho = sp.symbols("x rho", real=True)
    written = {
        LogTwoCosh(2, x) ** 2: r"\operatorname{sech}^{4}\!\left(x\right)",
        sp.tanh(2 * x): r"\tanh\!\left(2 x\right)",
        sp.tanh(sp.sin(x)) ** 2: r"\tanh^{2}\!\left(\sin\!\left(x\right)\right)",
        sp.acos(x / sp.sqrt(x * rho)): r"\arccos\!\left(\sqrt{\frac{x}{\rho}}\right)",
        sp.Float("0.6057055094763728491325346", 25): "0.605705509476373",
    }
    for expression, text in written.items():
        assert latex(expression) == text


def test_sites_of_labels_are_told_apart_by_their_values() -> None:
    teacher = {"weights": "binary", "label": "sign(abs(u) - 0.7)"}
    text = declare("bands", teacher=teacher, loss={"constraint": "y*(abs(h) - 0.7) >= 0"}, alpha=0.5).derive().to_markdown()
    assert "student y" not in text
    names = set(re.findall(r"^\\log Z_\{\\text\{(.*?)\}\}", text, re.M))
    assert {"label +1", "label -1"} <= names


def test_log_probabilities_of_weights_are_cases_of_their_values() -> None:
    sparse = {"values": [-1, 0, 1], "probabilities": ["rho/2", "1-rho", "rho/2"]}
    text = declare("sparse", weights=sparse, alpha=0.5, rho=0.5, kappa=0.0).derive().to_markdown()
    assert r"\log\!\left(\frac{\rho}{2}\right) & \text{for } w = -1 \text{ or } w = 1 \\ " in text


def test_terms_of_an_entropy_are_collected() -> None:
    text = spinodal.load("binary-perceptron", ansatz="1rsb").derive().to_markdown()
    assert r"m q_0 \hat q_0 - m q_1 \hat q_1 +" in equation(text, r"\text{entropy}")


def test_what_is_declared_is_typeset() -> None:
    teacher = {"weights": "binary", "label": "sign(u + sqrt(Delta)*noise)", "flip_probability": "eta"}
    derivation = declare("noisy", teacher=teacher, alpha=0.5, kappa=0.0, Delta=0.3, eta=0.1).derive()
    text = derivation.to_markdown()
    assert r"constraint $y\, h \geq \kappa$" in text
    assert r"flipped with probability $\eta$" in text
    assert "y*h" not in text
    assert r"$y\, h \geq \kappa$" in derivation.to_latex()
    assert r"\mathrm{lam}" not in ground_text("log(1 + exp(-y*h))")


def test_letters_that_are_not_ascii_are_kept() -> None:
    text = spinodal.load("binary-teacher-student").derive().to_latex()
    assert r"Gy\"{o}rgyi" in text
    assert text.isascii()
    assert (
        _text("Erdős, Mézard, Łukasz, α_1 & 50%: $a_b$") == r"Erd\H{o}s, M\'{e}zard, \L{}ukasz, $\alpha$\_1 \& 50\%: $a_b$"
    )
    assert _text("a $ b") == r"a \$ b"


def test_authors_letters_of_squares_and_of_minus_an_order_parameter() -> None:
    features = spinodal.load("random-features-binary").derive()
    text = features.to_markdown(author_symbols(r"\mu_\star = kappa_star, \mu_1 = kappa_1, Q = q"))
    assert r"\mu_\star^2 = \mathbb{E}\,\sigma^2" in text
    assert r"\kappa_" not in text
    assert any(e.startswith(r"\mathcal{Q} = \mu_\star^2 Q") for e in equations_of(text)), "Q is taken"
    loss = {"energy": "log(1 + exp(-y*h))", "temperature": 0, "regularization": "lam*w**2/2"}
    ground = declare("ground", loss=loss, **GROUND).derive().to_markdown(author_symbols(r"\hat V = -dq_hat, V = dq, Q = q"))
    assert equation(ground, r"\hat V")
    assert r"\delta \hat q" not in " ".join(equations_of(ground))
    assert r"\Lambda_{\text{weight}}(\omega; V)" not in ground, "V is the author's"
    assert "Q = Q" not in ground


def claims_that_fail(text: str, form: str) -> tuple[list[str], list[str]]:
    """The quantities that a derivation claims, and what verify says of those that it does not find true."""
    outcomes = verify_text(text, form=form).outcomes
    return [o.quantity for o in outcomes], [f"{o.quantity}: {o.detail}" for o in outcomes if not o.passed]


@pytest.mark.parametrize("form", ["markdown", "latex"])
@pytest.mark.parametrize(
    ("name", "ansatz"),
    [
        ("binary-perceptron", None),
        ("spherical-perceptron", None),
        pytest.param("binary-teacher-student", None, marks=pytest.mark.slow),
        ("binary-teacher-student", "bayes-optimal"),
        pytest.param("random-features-binary", None, marks=pytest.mark.slow),
        pytest.param("binary-perceptron", "1rsb", marks=pytest.mark.slow),
    ],
)
def test_a_saved_derivation_verifies(name: str, ansatz: str | None, form: str) -> None:
    derivation = spinodal.load(name, ansatz=ansatz).derive()
    text = derivation.to_markdown() if form == "markdown" else derivation.to_latex()
    quantities, failures = claims_that_fail(text, form)
    assert failures == []
    own = derivation.derived
    assert set(quantities) >= {"free_entropy", *own.order_parameters, *own.observables}


#: Declarations some of whose single-site functions have names only, which verify does not read: those claim nothing.
NAMED: dict[str, dict[str, Any]] = {
    "logistic, ground state": {
        **GROUND,
        "loss": {"energy": "log(1+exp(-y*h))", "temperature": 0, "regularization": "lam*w**2/2"},
    },
    "sparse": {"weights": {"values": [-1, 0, 1], "probabilities": ["rho/2", "1-rho", "rho/2"]}, "rho": 0.5, "kappa": 0.0},
}


@pytest.mark.parametrize("name", ["ridge", "ridge, ground state", "noisy real labels, Bayes-optimal", *NAMED])
def test_a_saved_derivation_of_a_declared_model_verifies(name: str, tmp_path: Path) -> None:
    spec = tmp_path / "model.toml"
    spec.write_text(spec_text("m", **{"alpha": 0.5, **{**DECLARED, **NAMED}[name]}), encoding="utf-8")
    quantities, failures = claims_that_fail(spinodal.load(spec).derive().to_markdown(), "markdown")
    assert failures == []
    assert {"sparse": "q_hat"}.get(name, "q") in quantities


def test_a_derivation_in_an_authors_letters_verifies() -> None:
    derivation = spinodal.load("binary-teacher-student", ansatz="bayes-optimal").derive()
    text = derivation.to_markdown(author_symbols(r"R = q, \hat{R} = q_hat, a = alpha"))
    assert r"<!-- spinodal-symbols: R = q, \hat{R} = q_hat, a = alpha -->" in text
    assert claims_that_fail(text, "markdown")[1] == []


def test_an_error_in_a_saved_derivation_is_found() -> None:
    text = spinodal.load("binary-perceptron").derive().to_markdown()
    wrong = text.replace(r"\hat q = \frac{\alpha}{V}", r"\hat q = \frac{2\alpha}{V}")
    assert wrong != text
    assert [failure.partition(":")[0] for failure in claims_that_fail(wrong, "markdown")[1]] == ["q_hat"]


def test_a_spec_of_a_file_is_named_by_it_and_one_with_overridden_entries_claims_nothing(tmp_path: Path) -> None:
    path = tmp_path / "my model.toml"
    path.write_text(spec_text("m", alpha=0.5, kappa=0.0), encoding="utf-8")
    text = spinodal.load(path).derive().to_markdown()
    assert f"<!-- spinodal: '{path}' q_hat -->" in text
    assert claims_that_fail(text, "markdown")[1] == []
    under = spinodal.load(path, ansatz="1rsb").derive().to_latex()
    assert f"% spinodal: '{path}' q1_hat ansatz=1rsb" in under
    changed = spinodal.load(path, overrides={"loss.constraint": "y*h >= 2*kappa"}).derive()
    assert "spinodal:" not in changed.to_markdown()
