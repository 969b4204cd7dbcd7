"""The options that commands share, and the spec they ask for."""

from __future__ import annotations

import argparse
import math

from spinodal.cli.values import assignments, override
from spinodal.schemes import check_scheme
from spinodal.spec import Spec, SpecError, read_spec, shipped_models

DEFAULT_TOLERANCE = 1e-10


def declare_spec(parser: argparse.ArgumentParser) -> None:
    """Declare SPEC and the options that say which model is meant."""
    # Optional for argparse alone: --set takes several values and may swallow a SPEC that follows it.
    parser.add_argument("spec", metavar="SPEC", nargs="?", help="a TOML file, or the name of a shipped spec")
    parser.add_argument(
        "--set",
        metavar="NAME=NUMBER",
        nargs="+",
        action="extend",
        default=[],
        help="values of parameters, instead of the spec's defaults",
    )
    parser.add_argument(
        "--with",
        dest="overrides",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="override an entry of the spec, as in student.features.activation='tanh(x)' (repeatable)",
    )
    parser.add_argument("--ansatz", metavar="SCHEME", help="replace the spec's [ansatz] by this scheme")
    parser.add_argument(
        "--tol",
        type=_tolerance,
        default=DEFAULT_TOLERANCE,
        metavar="NUMBER",
        help=f"wanted absolute error of the free entropy (default {DEFAULT_TOLERANCE:g})",
    )
    declare_output(parser)


def declare_output(parser: argparse.ArgumentParser) -> None:
    """Declare the options about what is printed."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress and no notes (warnings remain)")


def read_model(arguments: argparse.Namespace) -> tuple[Spec, dict[str, float]]:
    """The spec that the arguments name, and the numbers given with ``--set``, not yet checked against it.

    Raises:
        SpecError: about the spec, its ansatz, an override, or a text that is no ``NAME=NUMBER``.
    """
    settings = list(arguments.set)
    source = arguments.spec
    if source is None:
        source = next((text for text in settings if "=" not in text), None)
        if source is None:
            raise SpecError(
                "SPEC is missing",
                cure=f"name a TOML file, or one of {', '.join(shipped_models())}",
            )
        settings.remove(source)
    overrides = dict(override(text) for text in arguments.overrides)
    given = assignments(settings, option="--set", example="alpha=0.8")
    spec = read_spec(source, overrides=overrides, ansatz=arguments.ansatz)
    check_scheme(spec)  # before its parameters: one that only this ansatz has says little while it is not derived
    return spec, given


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number between 0 and 1, as in 1e-10")
    return value
