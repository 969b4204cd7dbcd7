"""How the documentation site is built: ``sphinx-build -W -b html docs docs/_build/html``.

Everything that can be wrong is computed while the site is built: examples are run, claimed equations verified, and the
pages of the shipped models generated from their specs. Mathematics is rendered by the copy of MathJax in ``_static``.
"""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import spinodal

project = "spinodal"
author = "The spinodal authors"
copyright = author
version = release = spinodal.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "live",
    "evidence",
    "model_pages",
]
myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3
myst_dmath_double_inline = True
exclude_patterns = ["_build"]

mathjax_path = "mathjax/tex-svg-full.js"
mathjax3_config = {"options": {"enableMenu": False}}

html_theme = "furo"
html_title = "spinodal"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
suppress_warnings = ["myst.header"]


def absolute_values(app: Any, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Docstrings write ``|x|`` for absolute values, which reStructuredText takes for a substitution."""
    for k, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = re.split(r"(``.*?``)", line)
            lines[k] = "".join(part if part.startswith("``") else part.replace("|", r"\|") for part in parts)


def setup(app: Any) -> None:
    """Register what docstrings need."""
    app.connect("autodoc-process-docstring", absolute_values)
