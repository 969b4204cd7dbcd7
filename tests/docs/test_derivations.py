"""Derivations for readers: LaTeX that compiles as it stands, with nothing too wide, in the author's letters."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import spinodal
from spinodal.report import author_symbols
from spinodal.spec import SpecError, shipped_models

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
