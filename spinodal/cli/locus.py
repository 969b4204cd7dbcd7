"""Locate a special point along one parameter, once or for each value of a second parameter.

KIND is fold, branch-point, cusp, crossing, zero-entropy, capacity, replicon; of real replicas and of Franz-Parisi also
local-entropy-transition (phi rises again beyond the typical overlap) and energetic-barrier (it is negative before); or
zero:NAME for the zero of an observable.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinodal.cli.app import NOT_CONVERGED
from spinodal.cli.files import DATA, PICTURES, output_file, write
from spinodal.cli.options import declare_spec, read_model
from spinodal.cli.solve import start_of
from spinodal.cli.terminal import note, print_json, print_table, progress, show, show_error, show_point, warn, working
from spinodal.cli.values import Range, grid_range, search_range
from spinodal.kinds import EXTREMISED, NAMED
from spinodal.spec import Spec, SpecError, check_parameters, with_overlap
from spinodal.spec.errors import clip, did_you_mean
from spinodal.spec.names import CONSTRAINED, OBSERVABLES

if TYPE_CHECKING:
    from spinodal.numeric.results import Locus, SpecialPoint

_ZERO = "zero:"


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments and options."""
    declare_spec(parser)
    parser.add_argument("--of", required=True, metavar="KIND", help="what to locate")
    parser.add_argument(
        "--along",
        required=True,
        metavar="NAME[=LOW:HIGH]",
        help="the parameter to solve for and where to search; 1/NAME=LOW:HIGH means the inverse. alpha has a default",
    )
    parser.add_argument("--over", metavar="NAME=FIRST:LAST:POINTS", help="a grid of a second parameter, as kappa=0:1:21")
    parser.add_argument(
        "--start", metavar="q=0.9,...", action="append", default=[], help="order parameters to start the search from"
    )
    parser.add_argument("--checkpoint", metavar="FILE", help="keep the state there while it runs, and resume from it")
    parser.add_argument("-o", dest="output", metavar="FILE", help="write the points: NetCDF (.nc) or CSV (.csv)")
    parser.add_argument("--plot", metavar="FILE", help="draw the points: .png, .svg or .pdf (needs --over)")


def run(arguments: argparse.Namespace) -> int:
    """Locate, write, and print the points."""
    spec, given = read_model(arguments)
    kind = _kind(arguments.of, spec)
    if kind in EXTREMISED and spec.ansatz.overlap == "given":
        given.pop(CONSTRAINED.get(spec.ansatz.scheme, ""), None)
        spec = with_overlap(spec, "extremised")
    along = search_range(arguments.along)
    over = grid_range(arguments.over) if arguments.over else None
    output = output_file(arguments.output, suffixes=DATA) if arguments.output else None
    plot = output_file(arguments.plot, option="--plot", suffixes=PICTURES) if arguments.plot else None
    if plot is not None and over is None:
        raise SpecError("one point is no curve", cure="give a grid, as in --over kappa=0:1:21", source="--plot")
    start = start_of(arguments.start, spec, given)
    _check_point(spec, given, along, over)

    import numpy as np

    from spinodal.model import Model

    varied = {role.name for role in (along, over) if role is not None}
    for name in sorted(varied & given.keys()):
        note(f"note: --set {name} is not used: {name} is varied")
    fixed: dict[str, Any] = {k: v for k, v in given.items() if k not in varied}
    model = Model(spec)
    with working(arguments, f"deriving {spec.name}"):
        # of an extremised overlap the equations are derived where there is something to solve them for
        (Model(with_overlap(spec, "given")) if kind in EXTREMISED else model).solver()
    grid = None if over is None or over.bounds is None else np.linspace(*over.bounds, over.points or 2)
    with progress(arguments, kind, 1 if grid is None else len(grid)) as advance:
        locus = model.locus(
            kind,
            along.variable if along.bounds else along.name,
            None if over is None else (over.variable, grid),
            fixed,
            bounds=along.bounds,
            start=start or None,
            tol=arguments.tol,
            checkpoint=arguments.checkpoint,
            progress=advance,
        )
    if output is not None:
        write(output, lambda place: _save(locus, spec, arguments.tol, place))
    if plot is not None:
        from spinodal.plots import plot_locus

        inverse = [role.name for role in (along, over) if role is not None and role.inverse]
        write(plot, lambda place: plot_locus(locus, place, inverse=inverse), option="--plot")
    if arguments.json:
        print_json(locus.to_json())
    else:
        _print(locus)
    _report(locus)
    return 0 if locus.converged else NOT_CONVERGED


def _kind(text: str, spec: Spec) -> str:
    if text in NAMED:
        return text
    if text.startswith(_ZERO):
        # That the model has this observable is known once its solver is there.
        possible = sorted(OBSERVABLES | {observable.name for observable in spec.observables})
        name = text.removeprefix(_ZERO)
        if name in possible:
            return text
        cure = did_you_mean(name, possible) or f"{_ZERO}NAME takes one of {', '.join(possible)}"
        raise SpecError(f"{clip(text)}: not an observable", cure=cure, source="--of")
    known = f"the kinds are {', '.join(NAMED)}, and {_ZERO}NAME for the zero of an observable"
    raise SpecError(
        f"{clip(text)}: not a kind of special point that this version locates",
        cure=did_you_mean(text, NAMED) or known,
        source="--of",
    )


def _check_point(spec: Spec, given: dict[str, float], along: Range, over: Range | None) -> None:
    """Check names and values before anything heavy is imported.

    Raises:
        SpecError: about the first that is wrong.
    """
    names = spec.parameter_names()
    roles = [("--along", along)] if over is None else [("--along", along), ("--over", over)]
    for option, role in roles:
        if role.name not in names:
            cure = did_you_mean(role.name, names) or f"the model has {', '.join(names)}"
            raise SpecError(f"{clip(role.name)}: unknown parameter", cure=cure, source=option)
    if over is not None and over.name == along.name:
        raise SpecError(f"{over.name} is what --along solves for", cure="vary another parameter", source="--over")
    if along.bounds is None and along.name != "alpha":
        raise SpecError(
            f"{along.variable}: a range is needed", cure=f"as in --along {along.variable}=0.1:2", source="--along"
        )
    ends: dict[str, tuple[float, ...]] = {role.name: role.ends() or (1.0,) for _, role in roles}
    without = {p.name for p in spec.parameters if p.default is None}
    base = {name: values[0] for name, values in ends.items() if name in without} | given
    check_parameters(spec, base, source="--set")
    for option, role in roles:
        for value in ends[role.name]:
            check_parameters(spec, base | {role.name: value}, source=option)


def _save(locus: Locus, spec: Spec, tolerance: float, path: Path) -> None:
    from spinodal.cli.data import save_csv, save_netcdf

    if path.suffix.lower() == ".csv":
        save_csv(locus, path)
    else:
        save_netcdf(locus, spec, tolerance, path)


def _print(locus: Locus) -> None:
    points = locus.special_points
    varied = {locus.along, locus.over}
    fixed = {name: value for name, value in points[0].parameters.items() if name not in varied}
    at = f" at {show_point(fixed)}" if fixed else ""
    print(f"{locus.model} ({locus.ansatz}): {locus.kind} along {locus.along}{at}")
    print()
    overlaps = [name for name in points[0].order_parameters if not name.endswith("_hat")]
    headers = [*([locus.over] if locus.over else []), locus.along, "error", *overlaps, "free_entropy"]
    rows = []
    for point in points:
        cells = [show(point.parameters[locus.over])] if locus.over else []
        cells += [show(point.parameters[locus.along]), show_error(point.error_estimate)]
        cells += [show(point.order_parameters[name]) for name in overlaps]
        rows.append([*cells, show(point.free_entropy)])
    print_table(headers, rows, left=0)
    for event in locus.events:
        place = f"{locus.over} = {show(event.parameters[locus.over])}, {locus.along} = {show(event.parameters[locus.along])}"
        print(f"{event.kind} on the locus at {place} ({show_error(event.error_estimate)})")


def _report(locus: Locus) -> None:
    for point in locus.special_points:
        at = _place(locus, point)
        warn(point.warnings, at=at)
        if not point.converged:
            where = f" at {at}" if at else ""
            if point.failure is None:
                note(f"not converged{where}: the error estimate is {point.error_estimate:.1e}")
                continue
            note(f"not converged{where}: {point.failure.reason}")
            if point.failure.advice:
                note(f"advice: {point.failure.advice}")


def _place(locus: Locus, point: SpecialPoint) -> str:
    return f"{locus.over} = {point.parameters[locus.over]:.12g}" if locus.over else ""
