"""What the page on correctness shows that is not written by hand: reference values computed again, and the list of tests.

``{reference-values} [MODEL]``  a table from ``reference-values.toml``: published, computed, deviation, source
``{tests} FOLDER``              the test files of a folder with what they say of themselves
``{modules}``                   the modules of the package with what they say of themselves
"""

from __future__ import annotations

import ast
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import spinodal

_LOG = logging.getLogger(__name__)
_HERE = Path(__file__).parent
VALUES = _HERE.parent / "reference-values.toml"
TESTS = _HERE.parent.parent / "tests"


@dataclass(frozen=True)
class Compared:
    """A reference value and what the package computes.

    Attributes:
        entry: of the file.
        value: computed now.
        error: its error estimate.
    """

    entry: Mapping[str, Any]
    value: float
    error: float

    @property
    def deviation(self) -> float:
        """Computed minus reference."""
        return self.value - float(self.entry["reference"])

    @property
    def agrees(self) -> bool:
        """Whether all digits of the reference are reproduced."""
        decimals = len(self.entry["reference"].partition(".")[2])
        return abs(self.deviation) <= 0.51 * 10.0**-decimals + self.error


def entries() -> list[dict[str, Any]]:
    """The entries of the file of reference values."""
    return list(tomllib.loads(VALUES.read_text(encoding="utf-8"))["value"])


@functools.cache
def computed(index: int) -> Compared:
    """A value computed again (once for a build)."""
    entry = entries()[index]
    source = entry["model"]  # a shipped name, or a spec beside the pages
    source = VALUES.parent / source if source.endswith(".toml") else source
    model = spinodal.load(source, ansatz=entry.get("ansatz"), overrides=entry.get("overrides"))
    parameters = entry.get("parameters", {})
    if "locus" in entry:
        point = model.locus(entry["locus"], "alpha", values=parameters).special_points[0]
        return Compared(entry, point.parameters["alpha"], point.error_estimate)
    state = model.solve(parameters)
    return Compared(entry, state[entry["state"]], state.error_estimate)


def compared(model: str | None = None) -> list[Compared]:
    """All values, or those of a shipped model as it stands."""
    return [computed(k) for k, e in enumerate(entries()) if model is None or (e["model"] == model and "overrides" not in e)]


def rows(found: list[Compared], *, with_model: bool) -> list[list[str]]:
    """A header and a row for each value."""
    head = ["quantity", "reference", "computed", "deviation", "source"]
    table = [["model", *head] if with_model else head]
    for one in found:
        entry = one.entry
        about = entry["quantity"] + (f" ({entry['ansatz']})" if "ansatz" in entry and not with_model else "")
        cells = [about, entry["reference"], f"{one.value:.12g} ± {one.error:.0e}", f"{one.deviation:+.0e}", entry["source"]]
        table.append(
            [" ".join(filter(None, [Path(entry["model"]).stem, entry.get("ansatz")])), *cells] if with_model else cells
        )
    return table


class ReferenceValues(SphinxDirective):
    """The table of reference values; a digit that differs is a warning."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Compute, compare, and show."""
        found = compared(self.arguments[0] if self.arguments else None)
        for one in found:
            if not one.agrees:
                _LOG.warning("%s is %r", dict(one.entry), one.value, location=self.get_location())
        return [_table(rows(found, with_model=not self.arguments))]


class Tests(SphinxDirective):
    """The test files of a folder: what each is about, in its own words."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Read the files."""
        table = [["file", "what is tested", "tests"]]
        for path in sorted((TESTS / self.arguments[0]).glob("test_*.py")):
            tree, about = _about(path)
            count = sum(isinstance(n, ast.FunctionDef) and n.name.startswith("test_") for n in tree.body)
            table.append([path.name, about, str(count)])
        return [_table(table)]


class Modules(SphinxDirective):
    """Every module of the package."""

    def run(self) -> list[nodes.Node]:
        """Read the sources."""
        package = Path(spinodal.__file__).parent
        table = [["module", "what it is for"]]
        for path in sorted(package.rglob("*.py")):
            name = path.relative_to(package.parent).with_suffix("").as_posix().removesuffix("/__init__").replace("/", ".")
            table.append([name, _about(path)[1]])
        return [_table(table)]


def _about(path: Path) -> tuple[ast.Module, str]:
    """A file's tree and the first paragraph of its docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tree, (ast.get_docstring(tree) or "").partition("\n\n")[0].replace("\n", " ").replace("``", "")


def _inline(text: str) -> list[nodes.Node]:
    """Text with dollar mathematics."""
    parts = text.split("$")
    return [nodes.math("", part) if k % 2 else nodes.Text(part) for k, part in enumerate(parts) if part]


def _table(lines: list[list[str]]) -> nodes.Node:
    columns = len(lines[0])
    group = nodes.tgroup(cols=columns)
    group += [nodes.colspec(colwidth=1) for _ in range(columns)]
    head, body = nodes.thead(), nodes.tbody()
    for k, line in enumerate(lines):
        row = nodes.row()
        for cell in line:
            row += nodes.entry("", nodes.paragraph("", "", *_inline(cell)))
        (body if k else head).append(row)
    group += [head, body]
    return nodes.table("", group)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("reference-values", ReferenceValues)
    app.add_directive("tests", Tests)
    app.add_directive("modules", Modules)
    return {"parallel_read_safe": True}
