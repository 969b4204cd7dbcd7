"""Run the study of arXiv:2110.00683, typical and atypical solutions: tables, figures and data in a folder."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext, redirect_stdout

from spinodal.cli.app import NOT_CONVERGED
from spinodal.cli.files import located, output_folder
from spinodal.cli.options import declare_output
from spinodal.cli.terminal import print_json

_DEFAULT_FOLDER = "results"


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments and options."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="one part of the study (default: all of it)")
    parser.add_argument("-o", dest="output", metavar="FOLDER", default=_DEFAULT_FOLDER, help=f"default: {_DEFAULT_FOLDER}")
    declare_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the study."""
    folder = output_folder(arguments.output)

    from spinodal.study import reproduce

    with located(arguments.output), redirect_stdout(sys.stderr) if arguments.json else nullcontext():
        summary = reproduce(folder, name=arguments.name, quiet=arguments.quiet)
    if arguments.json:
        print_json(dict(summary))
    return 0 if summary["converged"] else NOT_CONVERGED
