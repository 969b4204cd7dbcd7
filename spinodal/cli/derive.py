"""Show a model's derivation, step by step: the free entropy, the saddle-point equations, and what was checked."""

from __future__ import annotations

import argparse

from spinodal.cli.app import NOT_CONVERGED
from spinodal.cli.files import output_file, write_text
from spinodal.cli.options import declare_spec, read_model
from spinodal.cli.terminal import finite, print_json, warn, working
from spinodal.spec import check_parameters


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments and options."""
    declare_spec(parser)
    parser.add_argument("--to", choices=("md", "tex"), help="Markdown or LaTeX (default: by the suffix of FILE, else md)")
    parser.add_argument("--symbols", metavar="MAP", help=r"an author's letters, as in 'R = r, \hat{R} = r_hat'")
    parser.add_argument("-o", dest="output", metavar="FILE", help="write to a file instead of stdout")


def run(arguments: argparse.Namespace) -> int:
    """Derive, and print or write the document."""
    spec, given = read_model(arguments)
    if given:
        check_parameters(spec, given)
    path = output_file(arguments.output) if arguments.output else None
    form = arguments.to or ("tex" if path is not None and path.suffix == ".tex" else "md")

    from spinodal.model import Model
    from spinodal.report import author_symbols

    symbols = author_symbols(arguments.symbols) if arguments.symbols else None

    with working(arguments, f"deriving {spec.name}"):
        derivation = Model(spec).derive()
        document = derivation.to_latex(symbols) if form == "tex" else derivation.to_markdown(symbols)
    if path is not None:
        write_text(path, document)
    if arguments.json:
        kept = {"file": str(path)} if path is not None else {"document": document}
        checks = [
            {"name": c.name, "deviation": finite(c.deviation), "tolerance": c.tolerance, "verdict": c.verdict}
            for c in derivation.checks
        ]
        print_json({"model": spec.name, "ansatz": spec.ansatz.scheme, "format": form, **kept, "checks": checks})
    elif path is None:
        print(document, end="" if document.endswith("\n") else "\n")
    failed = [check.name for check in derivation.checks if check.made and not check.passed]
    warn([f"the derivation does not pass its own check: {name}" for name in failed])
    return NOT_CONVERGED if failed else 0
