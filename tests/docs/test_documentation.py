"""The documentation's claims and examples, and the examples of docstrings, without building the site."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import pkgutil
import re
from pathlib import Path

import pytest

import spinodal
from spinodal.verify.documents import read_document
from spinodal.verify.run import Session

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if not {"models", "_build"} & set(p.relative_to(DOCS).parts))


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if "```{saddle-point}" in p.read_text("utf-8")], ids=lambda p: p.stem)
def test_every_equation_of_the_documentation_verifies(page: Path) -> None:
    outcomes = list(Session().outcomes(read_document(page.read_text("utf-8"), str(page), "markdown")))
    assert outcomes
    assert [o.detail for o in outcomes if not o.passed] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if "```{example}" in p.read_text("utf-8")], ids=lambda p: p.stem)
def test_examples_of_the_documentation_run(page: Path) -> None:
    names: dict[str, object] = {}
    for code in re.findall(r"^```\{example\}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, str(page), "exec"), names)
        assert "nan" not in output.getvalue()


def test_pages_link_to_pages_that_exist() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page}: {link}"


def modules() -> list[str]:
    """Every module of the package."""
    found = pkgutil.walk_packages(spinodal.__path__, "spinodal.")
    return [m.name for m in found if not m.name.endswith("__main__") and "quadpy" not in m.name]


@pytest.mark.parametrize("name", modules())
def test_examples_of_docstrings(name: str) -> None:
    failures, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failures == 0
