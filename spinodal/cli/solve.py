"""Solve the saddle-point equations at one parameter point: the root connected to small alpha, another, or all."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinodal.cli.app import NOT_CONVERGED
from spinodal.cli.files import DATA, PICTURES, output_file, write
from spinodal.cli.options import declare_spec, read_model
from spinodal.cli.terminal import note, print_json, print_table, show, show_error, show_point, warn, working
from spinodal.cli.values import assignments
from spinodal.spec import Spec, SpecError, check_parameters
from spinodal.spec.errors import clip, did_you_mean
from spinodal.spec.names import ORDER_PARAMETERS
from spinodal.spec.overlaps import check_start_overlaps

if TYPE_CHECKING:
    from spinodal.model import Model
    from spinodal.numeric.results import Solution, State


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments and options."""
    declare_spec(parser)
    parser.add_argument(
        "--start",
        metavar="q=0.9,...",
        action="append",
        default=[],
        help="order parameters to start from, instead of following the root from small alpha",
    )
    parser.add_argument("--all", action="store_true", help="report every root found, not only the connected one")
    parser.add_argument(
        "--stabilities",
        metavar="FILE",
        help="write the distribution of stabilities y*h: .nc, .csv, or a figure .png, .svg, .pdf",
    )


def run(arguments: argparse.Namespace) -> int:
    """Solve, and print the solution."""
    spec, given = read_model(arguments)
    check_parameters(spec, given)
    start = start_of(arguments.start, spec, given)
    file = arguments.stabilities
    place = output_file(file, option="--stabilities", suffixes=(*DATA, *PICTURES)) if file else None

    from spinodal.model import Model

    model = Model(spec)
    numbers: dict[str, Any] = dict(given)
    with working(arguments, f"deriving {spec.name}"):
        model.solver()
    with working(arguments, f"solving {spec.name}"):
        solution = model.solve(numbers, start=start or None, all=arguments.all, tol=arguments.tol)
    if place is not None and solution.converged:
        _write_stabilities(model, solution.states[0], place, arguments)
    if arguments.json:
        document = solution.to_json()
        if arguments.all:
            document.setdefault("solutions", [])
        print_json(document)
    else:
        _print(solution)
    _report(solution)
    return 0 if solution.converged else NOT_CONVERGED


def _write_stabilities(model: Model, state: State, place: Path, arguments: argparse.Namespace) -> None:
    with working(arguments, f"distribution of stabilities of {model.name}"):
        found = model.stabilities(state=state)
    if place.suffix.lower() in PICTURES:
        from spinodal.plots import plot_stabilities

        write(place, lambda path: plot_stabilities(found, path), option="--stabilities")
        return
    from spinodal.cli.data import save_table

    write(place, lambda path: save_table(found, model.spec, arguments.tol, path), option="--stabilities")


def start_of(texts: Sequence[str], spec: Spec, given: Mapping[str, float]) -> dict[str, float]:
    """The start, as far as it can be checked without the solver: the names that any ansatz has, and their overlaps."""
    start = assignments(texts, option="--start", example="q=0.9,r=0.8")
    for name in start:
        if name not in ORDER_PARAMETERS:
            cure = did_you_mean(name, sorted(ORDER_PARAMETERS)) or "spinodal check SPEC lists the order parameters"
            raise SpecError(f"{clip(name)}: not an order parameter", cure=cure, source="--start")
    check_start_overlaps(spec, start, given)
    return start


def _print(solution: Solution) -> None:
    state = solution.states[0]
    if state.converged:
        print(f"{solution.model} ({solution.ansatz}) at {show_point(state.parameters)}")
        print()
        rows = [(name, show(value), "") for name, value in state.order_parameters.items()]
        rows.append(("free_entropy", show(state.free_entropy), show_error(state.error_estimate)))
        rows += [(name, show(value), "") for name, value in state.observables.items()]
        print_table(("quantity", "value", "error"), rows)
    if solution.alternatives:
        print()
        print(f"roots found: {len(solution.alternatives)}, largest free entropy first")
        print()
        _print_roots(solution.alternatives)


def _print_roots(states: Sequence[State]) -> None:
    overlaps = [name for name in states[0].order_parameters if not name.endswith("_hat")]
    rows = [
        [str(index), state.stability, show(state.free_entropy), show_error(state.error_estimate)]
        + [show(state.order_parameters[name]) for name in overlaps]
        for index, state in enumerate(states, 1)
    ]
    print_table(["root", "", "free_entropy", "error", *overlaps], rows, left=2)


def _report(solution: Solution) -> None:
    warn(solution.warnings)
    for index, state in enumerate(solution.alternatives, 1):
        warn([text for text in state.warnings if text not in solution.warnings], at=f"root {index}")
    if not solution.converged:
        note(f"not converged: {solution.reason}")
        if solution.advice:
            note(f"advice: {solution.advice}")
