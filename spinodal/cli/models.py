"""List the shipped specs: the name and the description of each."""

from __future__ import annotations

import argparse

from spinodal.cli.options import declare_output
from spinodal.cli.terminal import print_json, print_table
from spinodal.spec import read_spec, shipped_models


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    declare_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """List the specs."""
    specs = {name: read_spec(name) for name in shipped_models()}
    if arguments.json:
        print_json({"models": [{"name": name, "description": spec.description} for name, spec in specs.items()]})
    else:
        print_table(("name", "description"), [(name, spec.description) for name, spec in specs.items()], left=2)
    return 0
