"""Identities, links and names in the documentation, and the examples of docstrings; building the site checks the rest."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import spinodal
from spinodal.spec import shipped_models

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS / "_ext"))
from identities import IdentityError, check_identity, identities_of  # noqa: E402

VALUES = tomllib.loads((DOCS / "reference-values.toml").read_text("utf-8"))["value"]

PAGES = sorted(p for p in DOCS.rglob("*.md") if not {"models", "_build"} & set(p.relative_to(DOCS).parts))


@pytest.mark.parametrize("page", [p for p in PAGES if "```{identity}" in p.read_text("utf-8")], ids=lambda p: p.stem)
def test_identities_of_the_documentation_hold(page: Path) -> None:
    found = identities_of(page.read_text("utf-8"))
    assert found
    for latex, letters in found:
        assert check_identity(latex, letters).points > 0


def test_a_wrong_identity_is_refused() -> None:
    with pytest.raises(IdentityError, match="differ"):
        check_identity(r"\int Dz\, z \tanh(a z) = \int Dz\, \operatorname{sech}^2(a z)", ["a"])


def test_pages_link_to_pages_that_exist() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            generated = "models" in Path(link).parts and Path(link).stem in {"index", *shipped_models()}
            assert generated or (page.parent / link).exists(), f"{page}: {link}"


def test_files_that_the_documentation_names_exist() -> None:
    for page in PAGES:
        for name in re.findall(r"`((?:tests|docs|spinodal)/[\w/]+\.\w+)`", page.read_text("utf-8")):
            assert (DOCS.parent / name).exists(), f"{page}: {name}"


def test_the_modules_of_the_architecture_exist_and_no_room_is_missing() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    package = Path(spinodal.__file__).parent
    files = {path.name for path in [*package.rglob("*.py"), *DOCS.rglob("*.py")]}
    assert set(re.findall(r"`(?:_ext/)?([a-z_]+\.py)`", text)) <= files
    rooms = {path.parent.relative_to(package).as_posix() for path in package.rglob("*.py")} - {"."}
    assert [room for room in rooms if f"`{Path(room).name}/`" not in text and f"`{room}/`" not in text] == []


@pytest.mark.parametrize("entry", VALUES, ids=lambda e: e["quantity"])
def test_reference_values_are_numbers_with_a_source_about_models_that_exist(entry: dict[str, Any]) -> None:
    model = DOCS / entry["model"] if entry["model"].endswith(".toml") else entry["model"]
    loaded = spinodal.load(model, ansatz=entry.get("ansatz"), overrides=entry.get("overrides"))
    assert set(entry.get("parameters", {})) <= set(loaded.spec.parameter_names())
    assert ("locus" in entry) != ("state" in entry)
    assert float(entry["reference"]) > 0.0
    assert len(entry["source"]) > 10


def modules() -> list[str]:
    """Every module of the package."""
    found = pkgutil.walk_packages(spinodal.__path__, "spinodal.")
    return [m.name for m in found if not m.name.endswith("__main__") and "quadpy" not in m.name]


@pytest.mark.parametrize("name", modules())
def test_examples_of_docstrings(name: str) -> None:
    failures, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failures == 0
