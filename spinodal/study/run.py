"""Run the study: solve, save, draw, print."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

from spinodal.model import Model
from spinodal.spec import SpecError
from spinodal.spec.errors import clip, did_you_mean
from spinodal.study import atypical, data, fields, figures, franz_parisi, perceptrons, table, teacher_student, typical
from spinodal.study.piece import Part, Section
from spinodal.study.plan import Plan
from spinodal.study.store import Store

#: The study, in the order in which it runs and is shown. A further section is one more entry here and one in ``figures``.
SECTIONS: tuple[Section, ...] = (
    *typical.SECTIONS,
    *atypical.SECTIONS,
    franz_parisi.SECTION,
    fields.SECTION,
    teacher_student.SECTION,
    perceptrons.SECTION,
)
#: Their names.
PARTS = tuple(section.name for section in SECTIONS)


class Summary(TypedDict):
    """What a run of the study found and wrote; ready for JSON.

    Attributes:
        model: the shipped spec of the study's own model.
        parts: the parts that were run.
        rows: the table's numbers: ``part, model, label, activation, quantity, parameters, value, error_estimate, reference,
            agrees`` (activation: null where there is none).
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
    """Solve the study, print its table, and write figures and data.

    For each activation of the random-features model: the interpolation threshold over alpha_T, the generalization errors
    of typical solutions and of their barycentre along 1/alpha, the largest margin along 1/alpha and the entropy against
    the margin; the local-entropy transition over alpha_T, local entropies on both sides of it, and generalization errors
    of dense regions. For the first activation: local entropies around typical and maximum-margin solutions, distributions
    of stabilities. Beside them: the phase diagrams of the Bayes-optimal binary teacher-student perceptron, and capacity
    and de Almeida-Thouless lines of the binary and the spherical perceptron. The table goes to stdout, failures and
    warnings to stderr, with a progress bar there on a terminal.

    A run that was killed is resumed: what it had finished, for the same plan, specs and version, is not computed again.

    Args:
        folder: receives ``table.txt``, ``figures/*.png``, ``figures/*.svg`` and ``data/*.nc``; created if missing.
        name: one part only, of :data:`PARTS`.
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
    chosen = [section for section in SECTIONS if name in (None, section.name)]
    root = Path(folder)
    begin = time.perf_counter()
    store = Store(root, plan)
    solved, resumed = _solve(plan, chosen, store, quiet)

    together, files = {}, []
    for section in chosen:
        models, found = solved[section.name]
        dataset = data.combine({label: part.data for label, part in found.items()}, models, plan, section)
        together[section.name] = dataset
        files.append(data.write(dataset, root / "data" / f"{section.name}.nc"))
    files += figures.draw(together, root / "figures")
    records = [record for section in chosen for record in table.rows(section, *solved[section.name])]
    blocks = table.blocks(records)
    for headers, body in blocks:
        table.print_table(headers, body)
    parts = [part for section in chosen for part in solved[section.name][1].values()]
    notes = list(dict.fromkeys(note for part in parts for note in part.notes))
    text = "\n".join(table.plain(headers, body) for headers, body in blocks) + "".join(f"{note}\n" for note in notes)
    files.append(data.write_text(text, root / "table.txt"))
    for note in notes:
        print(f"warning: {note}", file=sys.stderr)
    store.clear()
    seconds = time.perf_counter() - begin
    if not quiet:
        if resumed:
            print(f"resumed: {resumed} of {len(parts)} pieces were there from an unfinished run", file=sys.stderr)
        print(
            f"{len(files)} files in {root} after {seconds:.0f} s; digits shown exceed the error estimates", file=sys.stderr
        )
    return Summary(
        model=plan.model,
        parts=[section.name for section in chosen],
        rows=[{key: value for key, value in record.items() if key != "reference_text"} for record in records],
        converged=all(part.complete for part in parts),
        notes=notes,
        files=[str(path) for path in files],
        seconds=seconds,
    )


#: By section: models and parts, both by label.
_Solved = dict[str, tuple[dict[str, Model], dict[str, Part]]]


def _solve(plan: Plan, chosen: Sequence[Section], store: Store, quiet: bool) -> tuple[_Solved, int]:
    """Models and parts of each section, and how many parts were there already."""
    solved: _Solved = {}
    resumed = 0
    pieces = {section.name: section.pieces(plan) for section in chosen}
    with _progress(sum(piece.steps for those in pieces.values() for piece in those), quiet) as (tick, say):
        for section in chosen:
            models: dict[str, Model] = {}
            found: dict[str, Part] = {}
            for piece in pieces[section.name]:
                say(f"{section.name}: {piece.label}")
                models[piece.label] = model = piece.model()
                part = store.load(section, piece)
                if part is None:
                    part = piece.solve(model, piece.label, plan, tick)
                    if part.complete:
                        store.save(section, piece, part)
                else:
                    resumed += 1
                    for _ in range(piece.steps):
                        tick()
                found[piece.label] = part
            solved[section.name] = models, found
    return solved, resumed


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
