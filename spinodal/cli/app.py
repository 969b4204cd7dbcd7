"""From a command line to an exit status: find the command, run it, report what goes wrong.

Exit statuses: 0 success, 1 not converged, 2 bad input (nothing on stdout), 130 interrupted, 141 nobody reads stdout.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

NOT_CONVERGED = 1
BAD_INPUT = 2
INTERRUPTED = 130
BROKEN_PIPE = 141

#: The commands in the order of the help, each a module of this package.
COMMANDS = {
    "models": "list the shipped specs",
    "check": "is a spec well formed, and can it be derived?",
    "derive": "show the derivation, step by step",
    "generate": "write the generated solver module",
    "solve": "solve the saddle-point equations at one parameter point",
    "branch": "follow a state along a parameter, through its folds, to what is special on the way",
    "locus": "locate a special point, once or as a locus over a second parameter",
    "verify": "check the equations that a document claims against the derivation",
    "reproduce": "run the study of arXiv:2110.00683: typical and atypical solutions, phase diagrams",
}

_HELP = """\
usage: spinodal COMMAND ...

Replica theory of learning, from a declarative spec to derived equations, a generated solver, and phase transitions.

commands:
{commands}

  spinodal COMMAND --help   its arguments and options
  spinodal --version        the version

A SPEC is a TOML file, or the name of a shipped spec. For example:

  spinodal solve binary-perceptron --set alpha=0.8
  spinodal locus binary-perceptron --of zero-entropy --along alpha --over kappa=0:1:21
"""


class Parser(argparse.ArgumentParser):
    """A parser that answers a mistake with one message instead of its whole usage."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with status 2."""
        self.exit(BAD_INPUT, f"{self.prog}: {message}; {self.prog} --help lists what there is\n")


def run(arguments: list[str]) -> int:
    """Run a command line, without the program's name, and return its exit status."""
    _tolerate_narrow_encodings()
    try:
        status = _dispatch(arguments)
        sys.stdout.flush()
    except SystemExit as leaving:  # argparse leaves by --help and by mistakes
        return leaving.code if isinstance(leaving.code, int) else BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at exit: give it a place to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return status


def _tolerate_narrow_encodings() -> None:
    """Let a terminal that cannot show a letter show a question mark."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")


def _dispatch(arguments: list[str]) -> int:
    if not arguments:
        print(_help(), end="", file=sys.stderr)
        return BAD_INPUT
    if arguments[0] in ("-h", "--help", "help"):
        print(_help(), end="")
        return 0
    if arguments[0] in ("-V", "--version"):
        from spinodal import __version__

        print(f"spinodal {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        return _unknown_command(name)
    return _run_command(name, rest)


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = (f"  {name:{width}}   {what}" for name, what in COMMANDS.items())
    return _HELP.format(commands="\n".join(lines))


def _unknown_command(name: str) -> int:
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    cure = f"did you mean {close[0]}?" if close else f"the commands are {', '.join(COMMANDS)}"
    what = "no such option" if name.startswith("-") else "no such command"
    print(f"spinodal: {name[:60]!r}: {what}; {cure}", file=sys.stderr)
    return BAD_INPUT


def _run_command(name: str, rest: Sequence[str]) -> int:
    module = import_module(f"spinodal.cli.{name}")
    description = (module.__doc__ or "").strip()
    parser = Parser(
        prog=f"spinodal {name}",
        description=description,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.declare(parser)
    parsed, unknown = parser.parse_known_args(rest)
    if unknown:
        parser.error(_unknown_argument(unknown[0], parser.format_help()))

    from spinodal.spec.errors import SpecError

    try:
        status: int = module.run(parsed)
    except SpecError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    return status


def _unknown_argument(argument: str, help_text: str) -> str:
    option = argument.partition("=")[0]
    if not option.startswith("-"):
        return f"{argument[:60]!r} is one argument too many"
    close = difflib.get_close_matches(option, re.findall(r"--[a-z]+", help_text), n=1)
    return f"no option {option[:60]}" + (f", did you mean {close[0]}?" if close else "")
