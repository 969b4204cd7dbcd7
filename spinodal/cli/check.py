"""Say whether a spec is well formed and can be derived, and what it declares; or print the JSON schema of specs."""

from __future__ import annotations

import argparse

from spinodal.cli.options import declare_spec, read_model
from spinodal.cli.terminal import print_json, print_table, working
from spinodal.spec import SpecError, check_parameters, json_schema


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments and options."""
    declare_spec(parser)
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of specs, without any SPEC")


def run(arguments: argparse.Namespace) -> int:
    """Check a spec, or print the schema."""
    if arguments.schema:
        if arguments.spec is not None:
            raise SpecError("the schema is the same for every spec", cure="leave SPEC out", source="--schema")
        print_json(json_schema())
        return 0
    spec, given = read_model(arguments)
    if given:
        check_parameters(spec, given)

    from spinodal.model import Model

    model = Model(spec)
    with working(arguments, f"deriving {spec.name}"):
        module = model.solver()
    defaults = {parameter.name: parameter.default for parameter in spec.parameters} | given
    if arguments.json:
        print_json(
            {
                "model": model.name,
                "ansatz": model.ansatz,
                "description": spec.description,
                "order_parameters": list(module.ORDER_PARAMETERS),
                "parameters": defaults,
                "observables": list(module.OBSERVABLES),
            }
        )
        return 0
    print(f"{model.name} ({model.ansatz}): well formed, derivable")
    print(f"order parameters: {', '.join(module.ORDER_PARAMETERS)}")
    print(f"observables: {', '.join(module.OBSERVABLES)}")
    print()
    rows = [
        (p.name, "must be given" if defaults[p.name] is None else f"{defaults[p.name]:.12g}", p.description)
        for p in spec.parameters
    ]
    print_table(("parameter", "value", "description"), rows, left=3)
    return 0
