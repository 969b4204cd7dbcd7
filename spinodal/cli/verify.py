"""Check the equations that documents claim against the derivation of the models they are about.

An equation is claimed by '% spinodal: MODEL QUANTITY [ansatz=..] [name=value ..]' before it (in LaTeX, or in Markdown),
or in a Markdown block ```{saddle-point} MODEL QUANTITY. The author's letters: '% spinodal-symbols: R = r'.
The exit status is 0 if all of them hold (at the saddle point only where the markup says 'saddle-point-only'), else 1.
"""

from __future__ import annotations

import argparse

from spinodal.cli.app import NOT_CONVERGED
from spinodal.cli.options import declare_output
from spinodal.cli.terminal import note, print_json, telling


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments and options."""
    parser.add_argument("documents", metavar="DOC", nargs="+", help="LaTeX (.tex) or Markdown (.md)")
    declare_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check every claim and print one line for each."""
    from spinodal.verify import verify_documents

    with telling(arguments, "checking equations") as tell:
        report = verify_documents(arguments.documents, begun=tell)
    if arguments.json:
        print_json(report.to_json())
    else:
        for outcome in report.outcomes:
            print(f"{outcome.where}: {outcome.model} {outcome.quantity} ({outcome.ansatz}): {outcome.status.value}")
            if not (arguments.quiet and outcome.passed):
                at = f" [line {outcome.place[0]}, column {outcome.place[1]}]" if outcome.place else ""
                print(f"    {outcome.detail}{at}")
    if not arguments.quiet:
        counts = ", ".join(f"{report.count(s)} {s.value}" for s in type(report.outcomes[0].status) if report.count(s))
        note(f"{len(report.outcomes)} equations: {counts}")
        for name in dict.fromkeys(outcome.document for outcome in report.outcomes):
            if letters := report.letters(name):
                read = ", ".join(f"{written} as {meant}" for written, meant in sorted(letters.items()))
                note(f"{name}: read by their looks, as no symbol map says otherwise: {read}")
        for text in report.notes:
            note(text)
    for text in report.unread:
        note(text)
    return 0 if report.passed else NOT_CONVERGED
