"""Run the study: solve, save, draw, print."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

from spinodal.model import Model, load
from spinodal.spec import SpecError
from spinodal.spec.errors import clip, did_you_mean
from spinodal.study import data, figures, table
from spinodal.study.parts import FUNCTIONS, Number, Part, steps
from spinodal.study.plan import PARTS, Plan


class Summary(TypedDict):
    """What a run of the study found and wrote; ready for JSON.

    Attributes:
        model: the shipped spec.
        parts: the parts that were run.
        rows: the table's numbers: ``quantity, activation, parameters, value, error_estimate, reference, agrees``.
        converged: whether every point of every curve has a value.
        notes: failures and warnings, each once for a curve.
        files: what was written.
        seconds: wall time.
    """

    model: str
    parts: list[str]
    rows: list[dict[str, Any]]
    converged: bool
    notes: list[str]
    files: list[str]
    seconds: float


def reproduce(folder: Path | str, *, name: str | None = None, quiet: bool = False, plan: Plan | None = None) -> Summary:
    """Solve the study of typical solutions, print its table, and write figures and data.

    For each activation: the interpolation threshold over alpha_T, the generalization errors of typical solutions and of
    their barycentre along 1/alpha, the largest margin along 1/alpha and the entropy against the margin. The table goes
    to stdout, failures and warnings to stderr, with a progress bar there on a terminal.

    Args:
        folder: receives ``table.txt``, ``figures/*.png``, ``figures/*.svg`` and ``data/*.nc``; created if missing.
        name: one part only: ``thresholds``, ``errors`` or ``margins``.
        quiet: no progress bar and no closing note.
        plan: other grids.

    Returns:
        The numbers and the files.

    Raises:
        SpecError: for an unknown name.
    """
    if name is not None and name not in PARTS:
        cure = did_you_mean(name, PARTS) or f"use one of {', '.join(PARTS)}, or none of them for the whole study"
        raise SpecError(f"{clip(name)}: not a part of the study", cure=cure, source="reproduce")
    plan = plan or Plan()
    chosen = [name] if name else list(PARTS)
    root = Path(folder)
    begin = time.perf_counter()
    models, found = _solve(plan, chosen, quiet)

    together = {part: data.combine({a: found[a][part].data for a in found}, models, plan, part) for part in chosen}
    files = [data.write(dataset, root / "data" / f"{part}.nc") for part, dataset in together.items()]
    files += figures.draw(together, root / "figures")
    numbers: dict[str, list[Number]] = {a: [n for part in chosen for n in found[a][part].numbers] for a in found}
    records = table.rows(numbers)
    headers, body = table.cells(records, list(found))
    table.print_table(headers, body)
    notes = list(dict.fromkeys(note for a in found for part in chosen for note in found[a][part].notes))
    files.append(data.write_text(table.plain(headers, body) + "".join(f"{note}\n" for note in notes), root / "table.txt"))
    for note in notes:
        print(f"warning: {note}", file=sys.stderr)
    seconds = time.perf_counter() - begin
    if not quiet:
        print(
            f"{len(files)} files in {root} after {seconds:.0f} s; digits shown exceed the error estimates", file=sys.stderr
        )
    return Summary(
        model=plan.model,
        parts=chosen,
        rows=[{key: value for key, value in record.items() if key != "reference_text"} for record in records],
        converged=all(bool(part.complete) for parts in found.values() for part in parts.values()),
        notes=notes,
        files=[str(path) for path in files],
        seconds=seconds,
    )


def _solve(plan: Plan, chosen: list[str], quiet: bool) -> tuple[dict[str, Model], dict[str, dict[str, Part]]]:
    """The models, and the parts by activation and name."""
    models: dict[str, Model] = {}
    found: dict[str, dict[str, Part]] = {}
    total = len(plan.activations) * (1 + sum(steps(plan, part) for part in chosen))
    with _progress(total, quiet) as (tick, say):
        for activation, formula in plan.activations:
            say(f"{activation}: derivation")
            model = load(plan.model, overrides={"student.features.activation": formula})
            model.solver()
            tick()
            models[activation], found[activation] = model, {}
            for part in chosen:
                say(f"{activation}: {part}")
                found[activation][part] = FUNCTIONS[part](model, activation, plan, tick)
    return models, found


@contextmanager
def _progress(total: int, quiet: bool) -> Iterator[tuple[Callable[[], None], Callable[[str], None]]]:
    """(advance, describe) of a progress bar on stderr, when that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield (lambda: None), (lambda _text: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield (lambda: bar.advance(task)), (lambda text: bar.update(task, description=text))
