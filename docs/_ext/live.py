"""Directives that are carried out while the site is built: examples, commands, and equations that are verified.

``{example}``      Python, run in one namespace for each page; what it prints is shown below it
``{command}``      ``spinodal`` command lines; their output is shown below them. ``:status: 2``: it is meant to fail,
                   ``:lines: 12`` to show the beginning of a long output
``{file}``         a file that the page's commands and examples find beside them
``{picture}``      a picture that a command or an example has written
``{saddle-point}`` an equation of a model, checked by ``spinodal verify``
``{identity}``     an identity for numbers, both sides evaluated at random values of its letters

What fails is a warning, and the site is built with warnings as errors.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from identities import IdentityError, check_identity
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from spinodal.__main__ import main
from spinodal.spec import SpecError
from spinodal.verify.documents import read_document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.run import Session

_LOG = logging.getLogger(__name__)
_SESSION = Session()
#: Where pictures made on pages are kept, below the source folder.
_PICTURES = "_live"


class _Live(SphinxDirective):
    """What all have in common: the page's own folder."""

    has_content = True

    @property
    def folder(self) -> str:
        """The folder in which the page's commands and examples run."""
        return str(self.env.temp_data.setdefault("live_folder", tempfile.mkdtemp(prefix="spinodal-docs-")))

    @contextlib.contextmanager
    def captured(self) -> Iterator[io.StringIO]:
        """Run in the page's folder; everything printed is collected."""
        output, before = io.StringIO(), Path.cwd()
        os.chdir(self.folder)
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                yield output
        finally:
            os.chdir(before)


class Example(_Live):
    """Python code that is run."""

    def run(self) -> list[nodes.Node]:
        """Run the code, and show it with what it prints."""
        code = "\n".join(self.content)
        spaces = self.env.temp_data.setdefault("live_namespace", {})
        with self.captured() as output:
            try:
                exec(compile(code, f"<{self.env.docname}>", "exec"), spaces)
            except Exception as error:
                _LOG.warning("the example fails: %r", error, location=self.get_location())
        return _shown(code, "python", output.getvalue())


class Command(_Live):
    """Command lines that are run; a line that ends in a backslash goes on."""

    option_spec: ClassVar = {"status": directives.nonnegative_int, "lines": directives.positive_int}

    def run(self) -> list[nodes.Node]:
        """Run each line, and show it with its output."""
        found: list[nodes.Node] = []
        wanted = self.options.get("status", 0)
        for line in "\n".join(self.content).replace("\\\n", "\\\0").splitlines():
            arguments = shlex.split(line.replace("\\\0", " "))
            with self.captured() as output:
                status = main(arguments[1:])
            if status != wanted:
                _LOG.warning("%s ends with status %s: %s", line, status, output.getvalue(), location=self.get_location())
            shown = output.getvalue().splitlines()
            limit = self.options.get("lines", len(shown))
            text = "\n".join(shown[:limit] + (["..."] if len(shown) > limit else []))
            found += _shown("$ " + line.replace("\0", "\n"), "console", text)
        return found


class File(_Live):
    """A file that the page's commands can use."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the file, and show it."""
        name = self.arguments[0]
        text = "\n".join(self.content) + "\n"
        Path(self.folder, name).write_text(text, encoding="utf-8")
        language = {".toml": "toml", ".tex": "latex", ".py": "python"}.get(Path(name).suffix, "text")
        return [nodes.paragraph("", "", nodes.literal("", name)), nodes.literal_block(text, text, language=language)]


class Picture(_Live):
    """A picture that the page has made, with its description as content."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Keep the picture below the source folder, and show it."""
        made = Path(self.folder, self.arguments[0])
        if not made.exists():
            _LOG.warning("no command or example has written %s", made.name, location=self.get_location())
            return []
        place = Path(self.env.srcdir, _PICTURES)
        place.mkdir(exist_ok=True)
        name = f"{self.env.docname.replace('/', '-')}-{made.name}"
        shutil.copyfile(made, place / name)
        description = " ".join(self.content)
        _, path = self.env.relfn2path(f"/{_PICTURES}/{name}")
        image = nodes.image(uri=f"/{os.path.relpath(path, self.env.srcdir)}", alt=description, classes=["made"])
        return [nodes.figure("", image, nodes.caption("", description))]


class SaddlePoint(SphinxDirective):
    """An equation with its verdict below it."""

    has_content = True
    required_arguments = 2
    optional_arguments = 20
    option_spec: ClassVar = {"symbols": str}

    def run(self) -> list[nodes.Node]:
        """Show the equation; its verdict was found when the page was read."""
        outcomes = self.env.temp_data.get("live_outcomes", {})
        outcome = outcomes.pop(min(outcomes)) if outcomes else None
        block = _equation(self)
        if outcome is None or not outcome.passed:
            why = "was not found" if outcome is None else f"{outcome.status.value}: {outcome.detail}"
            _LOG.warning("the equation is not verified: %s", why, location=self.get_location())
            return [block]
        words = {"verified": "verified", "saddle-point-only": "verified at the saddle point"}[outcome.status.value]
        about = f"{outcome.model}, {outcome.ansatz}, {outcome.quantity}: {outcome.detail.partition('; if no more')[0]}"
        return [block, _note(words, about)]


class Identity(SphinxDirective):
    """An identity for numbers; the arguments are its letters, each with the range that it is drawn from."""

    has_content = True
    optional_arguments = 20

    def run(self) -> list[nodes.Node]:
        """Check the identity, and show it."""
        block = _equation(self)
        try:
            found = check_identity("\n".join(self.content), self.arguments)
        except (IdentityError, UnreadableError) as error:
            _LOG.warning("the identity does not hold: %s", error, location=self.get_location())
            return [block]
        times = f"at {found.points} random points" if self.arguments else "once"
        return [block, _note("checked by numbers", f"{times}, largest deviation {found.deviation:.0e}")]


def _equation(directive: SphinxDirective) -> nodes.Node:
    latex = "\n".join(directive.content).strip().removeprefix("$$").removesuffix("$$")
    latex = latex.replace(r"\begin{align}", r"\begin{aligned}").replace(r"\end{align}", r"\end{aligned}")
    latex = latex.replace(r"\argmax", r"\operatorname{argmax}")
    return nodes.math_block(latex, latex, nowrap=False, number=None, label=None, docname=directive.env.docname)


def _note(words: str, about: str) -> nodes.Node:
    note = nodes.paragraph(classes=["verified"])
    note += nodes.strong("", words)
    note += nodes.Text(f" {about}")
    return note


def _shown(code: str, language: str, output: str) -> list[nodes.Node]:
    found: list[nodes.Node] = [nodes.literal_block(code, code, language=language)]
    if output.strip():
        found.append(nodes.literal_block(output, output, language="text", classes=["output"]))
    return found


def _verify(app: Sphinx, docname: str, source: list[str]) -> None:
    """Verify a page's equations before it is parsed."""
    if "{saddle-point}" not in source[0]:
        return
    # specs that a page names are found beside it
    document = read_document(source[0], str(Path(app.srcdir, f"{docname}.md")), "markdown")
    found = app.env.temp_data["live_outcomes"] = {}
    try:
        for outcome in _SESSION.outcomes(document):
            found[len(found)] = outcome
    except SpecError as error:
        _LOG.warning("the page's equations cannot be checked: %s", error, location=docname)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    for name, directive in (
        ("example", Example),
        ("command", Command),
        ("file", File),
        ("picture", Picture),
        ("saddle-point", SaddlePoint),
        ("identity", Identity),
    ):
        app.add_directive(name, directive)
    app.connect("source-read", _verify)
    return {"parallel_read_safe": True}  # what a page leaves lies in its own folder and among its temporary data
