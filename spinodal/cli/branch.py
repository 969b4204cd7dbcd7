"""Follow a state along a parameter, through its folds, and locate what is special on the way.

Special points: fold, branch-point, zero-entropy, replicon, crossing, capacity, boundary, and zero:NAME of any observable
asked for with --zero.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinodal.cli.app import NOT_CONVERGED
from spinodal.cli.files import DATA, PICTURES, output_file, write
from spinodal.cli.options import declare_spec, read_model
from spinodal.cli.solve import start_of
from spinodal.cli.terminal import (
    counting,
    note,
    print_json,
    print_table,
    show,
    show_error,
    show_point,
    warn,
    working,
)
from spinodal.cli.values import search_range
from spinodal.spec import Spec, SpecError, check_parameters
from spinodal.spec.errors import clip, did_you_mean
from spinodal.spec.names import CONSTRAINED

if TYPE_CHECKING:
    from spinodal.numeric.state_branch import StateBranch


#: Overlaps that ansaetze may give, of whose distance a figure can be drawn.
_OVERLAPS = frozenset((*CONSTRAINED.values(), "t"))


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments and options."""
    declare_spec(parser)
    parser.add_argument(
        "--along",
        required=True,
        metavar="NAME=LOW:HIGH",
        help="the parameter and its range; 1/NAME=LOW:HIGH means the inverse",
    )
    parser.add_argument(
        "--start", metavar="q=0.9,...", action="append", default=[], help="order parameters to start from, at the low end"
    )
    parser.add_argument(
        "--zero", metavar="NAME", action="append", default=[], help="locate the zeros of this observable too"
    )
    parser.add_argument(
        "--stop-at", metavar="KIND", action="append", default=[], help="end at the first special point of a kind"
    )
    parser.add_argument("--points", type=int, metavar="N", help="points on each side of the start at most")
    parser.add_argument("--step", type=float, metavar="LENGTH", help="largest step of the scaled arclength (default 0.08)")
    parser.add_argument("--checkpoint", metavar="FILE", help="keep the state there while it runs, and resume from it")
    parser.add_argument("-o", dest="output", metavar="FILE", help="write the branch: NetCDF (.nc) or CSV (.csv)")
    parser.add_argument("--plot", metavar="FILE", help="draw the branch: .png, .svg or .pdf")
    parser.add_argument(
        "--y",
        metavar="NAME",
        help="what the figure shows upwards (default: the first order parameter; free_entropy along an overlap)",
    )
    parser.add_argument(
        "--distance", action="store_true", help="the figure shows the distance (1 - overlap)/2, along an overlap (q1, t)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Follow, write, and print the branch."""
    spec, given = read_model(arguments)
    along = search_range(arguments.along)
    start = start_of(arguments.start, spec, given)
    output = output_file(arguments.output, suffixes=DATA) if arguments.output else None
    plot = output_file(arguments.plot, option="--plot", suffixes=PICTURES) if arguments.plot else None
    _check(spec, given, along.name, along.ends())
    _check_numbers(arguments)
    overlap = spec.ansatz.scheme in ("real-replicas", "franz-parisi") and along.name in _OVERLAPS
    if arguments.distance and not (overlap and plot is not None):
        raise SpecError(
            "only a figure along an overlap has distances", cure="as in --along q1=0.6:0.99 --plot FILE", source="--distance"
        )

    from spinodal.model import Model
    from spinodal.numeric.continuation import CheckpointError, Settings
    from spinodal.numeric.tracking import NoStateError

    if along.name in given:
        note(f"note: --set {along.name} is not used: {along.name} is varied")
    fixed: dict[str, Any] = {name: value for name, value in given.items() if name != along.name}
    settings = Settings(stop_at=tuple(arguments.stop_at))
    if arguments.points or arguments.step:
        settings = Settings(
            stop_at=settings.stop_at,
            points=arguments.points or settings.points,
            largest_step=arguments.step or settings.largest_step,
        )
    model = Model(spec)
    with working(arguments, f"deriving {spec.name}"):
        model.solver()
    try:
        with counting(arguments, f"following {spec.name}") as tell:
            branch = model.branch(
                along.variable if along.bounds else along.name, along.bounds, fixed, start=start or None,
                zeros=arguments.zero, settings=settings, tol=arguments.tol, checkpoint=arguments.checkpoint, progress=tell,
            )  # fmt: skip
    except NoStateError as error:
        if arguments.json:
            print_json(_nothing(model, along.name, error))
        note(f"not converged: {error.failure.reason}")
        note(f"advice: {error.failure.advice}")
        return NOT_CONVERGED
    except CheckpointError as error:
        raise SpecError(str(error), source="--checkpoint") from error
    if output is not None:
        write(output, lambda place: _save(branch, spec, arguments.tol, place))
    if plot is not None:
        from spinodal.plots import plot_branch

        y = arguments.y or ("free_entropy" if overlap else branch.names[0])
        if y not in (*branch.names, *branch.quantities):
            known = (*branch.names, *branch.quantities)
            cure = did_you_mean(y, known) or f"use one of {', '.join(known)}"
            raise SpecError(f"{clip(y)}: not on this branch", cure=cure, source="--y")
        write(
            plot,
            lambda place: plot_branch(branch, place, y=y, inverse=along.inverse, distance=arguments.distance),
            option="--plot",
        )
    if arguments.json:
        print_json(branch.to_json())
    else:
        _print(branch)
    _report(branch)
    return 0 if branch.converged else NOT_CONVERGED


def _check(spec: Spec, given: dict[str, float], name: str, ends: tuple[float, ...] | None) -> None:
    names = spec.parameter_names()
    if name not in names:
        cure = did_you_mean(name, names) or f"the model has {', '.join(names)}"
        raise SpecError(f"{clip(name)}: unknown parameter", cure=cure, source="--along")
    if ends is None and name != "alpha":
        raise SpecError(f"{name}: a range is needed", cure=f"as in --along {name}=0.1:2", source="--along")
    check_parameters(spec, {**given, name: (ends or (1.0,))[0]}, source="--set")
    for value in ends or ():
        check_parameters(spec, {**given, name: value}, source="--along")


def _check_numbers(arguments: argparse.Namespace) -> None:
    if arguments.points is not None and arguments.points < 1:
        raise SpecError(f"{arguments.points} is no number of points", cure="as in --points 200", source="--points")
    if arguments.step is not None and not 0.0 < arguments.step <= 1.0:
        raise SpecError(
            f"{arguments.step:g} is no step", cure="a number above 0 and up to 1, as in --step 0.02", source="--step"
        )


def _nothing(model: Any, name: str, error: Any) -> dict[str, Any]:
    return {
        "model": model.name,
        "ansatz": model.ansatz,
        "along": name,
        "points": [],
        "special_points": [],
        "converged": False,
        "reason": error.failure.reason,
        "advice": error.failure.advice,
    }


def _save(branch: StateBranch, spec: Spec, tolerance: float, path: Path) -> None:
    from spinodal.cli.data import save_branch_csv, save_branch_netcdf

    if path.suffix.lower() == ".csv":
        save_branch_csv(branch, path)
    else:
        save_branch_netcdf(branch, spec, tolerance, path)


def _print(branch: StateBranch) -> None:
    fixed = branch.parameters
    at = f" at {show_point(fixed)}" if fixed else ""
    print(f"{branch.model} ({branch.ansatz}) along {branch.parameter}{at}: {len(branch)} points")
    print(f"{branch.stop_reason}")
    if not any(state.stability for state in branch.states):
        print("stability: not known (the branch from small alpha, with which it is compared, was not found)")
    overlaps = [name for name in branch.names if not name.endswith("_hat")]
    if branch.special_points:
        print()
        rows = []
        for point in branch.special_points:
            cells = [point.kind, show(point.p), show_error(point.error_estimate)]
            cells += [show(point.order_parameters[name]) for name in overlaps]
            rows.append([*cells, show(point.free_entropy)])
        print_table(["special point", branch.parameter, "error", *overlaps, "free_entropy"], rows, left=1)
    print()
    chosen = sorted({round(i * (len(branch) - 1) / 15) for i in range(16)})
    rows = []
    for index in chosen:
        state = branch.states[index]
        cells = [state.stability, show(float(branch.p[index])), show_error(state.error_estimate)]
        cells += [show(state.order_parameters[name]) for name in overlaps]
        rows.append([*cells, show(state.free_entropy)])
    print_table(["", branch.parameter, "error", *overlaps, "free_entropy"], rows, left=1)
    if len(branch) > len(chosen):
        print(f"\n{len(chosen)} of {len(branch)} points shown; -o FILE or --json give all")


def _report(branch: StateBranch) -> None:
    warn(branch.warnings)
    for point in branch.special_points:
        at = f"{point.kind} at {branch.parameter} = {point.p:.10g}"
        warn(point.warnings, at=at)
        if not point.converged and point.failure is not None:
            note(f"not converged: {at}: {point.failure.reason}")
            note(f"advice: {point.failure.advice}")
