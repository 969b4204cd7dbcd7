"""Directives that are carried out while the site is built: examples, commands, and equations that are verified.

``{example}``      Python, run in one namespace for each page; what it prints is shown below it
``{command}``      a ``spinodal`` command line; its output is shown below it
``{saddle-point}`` an equation checked by ``spinodal verify``

What fails is a warning, and the site is built with warnings as errors.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import tempfile
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from spinodal.__main__ import main
from spinodal.verify.documents import read_document
from spinodal.verify.run import Session

_LOG = logging.getLogger(__name__)
_SESSION = Session()


class Example(SphinxDirective):
    """Python code that is run."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Run the code, and show it with what it prints."""
        code = "\n".join(self.content)
        spaces = self.env.temp_data.setdefault("live_namespace", {})
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output):
                exec(compile(code, f"<{self.env.docname}>", "exec"), spaces)
        except Exception as error:
            _LOG.warning("the example fails: %r", error, location=self.get_location())
        return _shown(code, "python", output.getvalue())


class Command(SphinxDirective):
    """A command line that is run in the page's own folder of files."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Run each line, and show it with its output."""
        folder = self.env.temp_data.setdefault("live_folder", tempfile.mkdtemp(prefix="spinodal-docs-"))
        found: list[nodes.Node] = []
        for line in self.content:
            arguments = shlex.split(line)
            output = io.StringIO()
            before = Path.cwd()
            os.chdir(folder)
            try:
                with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                    status = main(arguments[1:])
            finally:
                os.chdir(before)
            if status != 0:
                _LOG.warning("%s ends with status %s: %s", line, status, output.getvalue(), location=self.get_location())
            found += _shown(f"$ {line}", "console", output.getvalue())
        return found


class File(SphinxDirective):
    """A file that the page's commands can use."""

    has_content = True
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the file, and show it."""
        folder = self.env.temp_data.setdefault("live_folder", tempfile.mkdtemp(prefix="spinodal-docs-"))
        text = "\n".join(self.content) + "\n"
        Path(folder, self.arguments[0]).write_text(text, encoding="utf-8")
        block = nodes.literal_block(text, text, language="toml" if self.arguments[0].endswith(".toml") else "text")
        return [nodes.paragraph("", "", nodes.literal("", self.arguments[0])), block]


class SaddlePoint(SphinxDirective):
    """An equation with its verdict below it."""

    has_content = True
    required_arguments = 2
    optional_arguments = 20
    option_spec: ClassVar = {"symbols": str}

    def run(self) -> list[nodes.Node]:
        """Show the equation; its verdict was found when the page was read."""
        outcomes = self.env.temp_data.get("live_outcomes", {})
        outcome = outcomes.get(next(iter(sorted(outcomes)), None)) if outcomes else None
        if outcome is not None:
            outcomes.pop(min(outcomes))
        latex = "\n".join(self.content).strip().removeprefix("$$").removesuffix("$$")
        latex = latex.replace(r"\begin{align}", r"\begin{aligned}").replace(r"\end{align}", r"\end{aligned}")
        block = nodes.math_block(latex, latex, nowrap=False, number=None, label=None, docname=self.env.docname)
        if outcome is None or not outcome.passed:
            why = "was not found" if outcome is None else f"{outcome.status.value}: {outcome.detail}"
            _LOG.warning("the equation is not verified: %s", why, location=self.get_location())
            return [block]
        note = nodes.paragraph(classes=["verified"])
        note += nodes.Text(f"{outcome.status.value} while this page was built: {outcome.model}, {outcome.quantity}, ")
        note += nodes.Text(f"{outcome.ansatz}; {outcome.detail}")
        return [block, note]


def _shown(code: str, language: str, output: str) -> list[nodes.Node]:
    found: list[nodes.Node] = [nodes.literal_block(code, code, language=language)]
    if output.strip():
        found.append(nodes.literal_block(output, output, language="text", classes=["output"]))
    return found


def _verify(app: Sphinx, docname: str, source: list[str]) -> None:
    """Verify a page's equations before it is parsed."""
    if "{saddle-point}" not in source[0]:
        return
    document = read_document(source[0], docname, "markdown")
    outcomes = dict(enumerate(_SESSION.outcomes(document)))
    app.env.temp_data["live_outcomes"] = outcomes


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("example", Example)
    app.add_directive("command", Command)
    app.add_directive("file", File)
    app.add_directive("saddle-point", SaddlePoint)
    app.connect("source-read", _verify)
    return {"parallel_read_safe": False}
