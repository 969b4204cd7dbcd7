"""Every public name is on the page of the API, and its docstring says what a user must know."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

import spinodal
import spinodal.numeric
import spinodal.numeric.special
import spinodal.study
import spinodal.verify

API = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
LISTED = re.findall(r"^\.\. auto(?:function|class|data):: (\S+)", API, re.M)
#: What is said of arguments that every reader knows.
SELF_EXPLAINING = {"self", "args", "kwargs"}


def resolved(path: str) -> Any:
    """The object at a dotted path."""
    parts = path.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            found = getattr(found, name)
        return found
    raise AssertionError(path)


def functions() -> dict[str, Any]:
    """The functions of the API page, and the public methods of its classes, by name."""
    found: dict[str, Any] = {}
    for path in LISTED:
        thing = resolved(path)
        if inspect.isclass(thing):
            members = {k: v for k, v in vars(thing).items() if not k.startswith("_") and inspect.isfunction(v)}
            found |= {f"{path}.{name}": member for name, member in members.items()}
        elif callable(thing):
            found[path] = thing
    return found


FUNCTIONS = functions()


@pytest.mark.parametrize("module", [spinodal, spinodal.numeric, spinodal.verify, spinodal.study])
def test_what_a_module_offers_is_on_the_page_of_the_api(module: Any) -> None:
    for name in module.__all__:
        thing = getattr(module, name)
        if callable(thing):
            assert any(resolved(path) is thing for path in LISTED), f"{module.__name__}.{name}"


@pytest.mark.parametrize("path", LISTED)
def test_what_is_listed_has_a_docstring(path: str) -> None:
    thing = resolved(path)
    if callable(thing):
        text = inspect.getdoc(thing) or ""
        assert len(text) > 20, path
        assert "(" not in text[:1], "a generated signature is no docstring"


@pytest.mark.parametrize("path", FUNCTIONS)
def test_many_arguments_are_explained_one_by_one(path: str) -> None:
    function = FUNCTIONS[path]
    text = inspect.getdoc(function) or ""
    assert text, path
    names = [n for n in inspect.signature(function).parameters if n not in SELF_EXPLAINING]
    if len(names) >= 4 and "Arguments and errors are those of" not in text:
        assert "Args:" in text, path
        assert [n for n in names if not re.search(rf"^\s+\**{n}: ", text, re.M)] == [], path


@pytest.mark.parametrize("path", FUNCTIONS)
def test_errors_that_are_raised_are_named(path: str) -> None:
    function = FUNCTIONS[path]
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except OSError:
        pytest.skip("no source")
    raised = {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
    }
    text = inspect.getdoc(function) or ""
    assert [name for name in raised if name not in text] == [], path


@pytest.mark.parametrize("name", spinodal.numeric.special.__all__)
def test_special_functions_say_what_they_compute(name: str) -> None:
    assert inspect.getdoc(getattr(spinodal.numeric.special, name))


def test_the_main_names_show_an_example() -> None:
    for path in ("spinodal.load", "spinodal.Solution", "spinodal.Locus", "spinodal.numeric.continue_branch"):
        assert ">>>" in (inspect.getdoc(resolved(path)) or ""), path
    for name in ("solve", "branch", "branches", "locus", "derive", "solver", "stabilities"):
        assert ">>>" in (inspect.getdoc(getattr(spinodal.Model, name)) or ""), name
