"""Write the generated solver of a model: a Python module that needs numpy, scipy and spinodal.numeric."""

from __future__ import annotations

import argparse

from spinodal.cli.files import output_file, write_text
from spinodal.cli.options import declare_spec, read_model
from spinodal.cli.terminal import print_json, working
from spinodal.spec import check_parameters


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments and options."""
    declare_spec(parser)
    parser.add_argument("-o", dest="output", metavar="FILE", help="write to a file instead of stdout")


def run(arguments: argparse.Namespace) -> int:
    """Generate, and print or write the module."""
    spec, given = read_model(arguments)
    if given:
        check_parameters(spec, given)
    path = output_file(arguments.output) if arguments.output else None

    from spinodal.model import Model

    with working(arguments, f"deriving {spec.name}"):
        source = Model(spec).source()
    if path is not None:
        write_text(path, source)
    if arguments.json:
        kept = {"file": str(path)} if path is not None else {"source": source}
        print_json({"model": spec.name, "ansatz": spec.ansatz.scheme, **kept})
    elif path is None:
        print(source, end="" if source.endswith("\n") else "\n")
    return 0
