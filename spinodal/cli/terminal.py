"""What goes to stdout and stderr: JSON, tables, warnings, progress. Colours and boxes only on a terminal."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

_DIGITS = 12
_MISSING = "-"


def print_json(document: Mapping[str, Any]) -> None:
    """Print one strict JSON object (no NaN, no Infinity)."""
    print(json.dumps(document, indent=2, allow_nan=False))


def note(message: str) -> None:
    """Print a line on stderr."""
    print(message, file=sys.stderr)


def warn(messages: Sequence[str], *, at: str = "") -> None:
    """Print warnings on stderr, each with the point that it is about."""
    for message in messages:
        note(f"warning: {at}: {message}" if at else f"warning: {message}")


def finite(value: float) -> float | None:
    """The value for JSON: null where there is no number."""
    return float(value) if math.isfinite(value) else None


def show(value: float) -> str:
    """A value for readers; a dash where there is none."""
    return f"{value:.{_DIGITS}g}" if math.isfinite(value) else _MISSING


def show_error(value: float) -> str:
    """An error estimate for readers."""
    return f"± {value:.1e}" if math.isfinite(value) else ""


def show_point(parameters: Mapping[str, float]) -> str:
    """``alpha = 0.5, kappa = 0``."""
    return ", ".join(f"{name} = {value:.{_DIGITS}g}" for name, value in parameters.items() if math.isfinite(value))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """Print a table: boxed on a terminal, else aligned columns that other programs can split at two blanks.

    Args:
        headers: of the columns.
        rows: of cells.
        left: how many columns, from the first, are aligned to the left; the others to the right.
    """
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        _print_rich(headers, rows, left)
        return
    widths = [max(len(row[j]) for row in (headers, *rows)) for j in range(len(headers))]
    for row in (headers, *rows):
        cells = (f"{cell:{'<' if j < left else '>'}{widths[j]}}" for j, cell in enumerate(row))
        print("  ".join(cells).rstrip())


def _print_rich(headers: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for j, header in enumerate(headers):
        table.add_column(Text(header), justify="left" if j < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    # A number cut in two cannot be read: let the terminal wrap a row that is too long.
    natural = console.measure(table, options=console.options.update(max_width=10_000)).maximum
    Console(width=max(console.width, natural)).print(table)


def _lively(arguments: argparse.Namespace) -> bool:
    return not arguments.quiet and sys.stderr.isatty()


@contextmanager
def working(arguments: argparse.Namespace, what: str) -> Iterator[None]:
    """Show on a terminal's stderr what takes its time."""
    if not _lively(arguments):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


@contextmanager
def progress(arguments: argparse.Namespace, what: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """A progress bar on a terminal's stderr, as a function of the number of points done; None elsewhere."""
    if not _lively(arguments) or total < 2:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def counting(arguments: argparse.Namespace, what: str) -> Iterator[Callable[[int], None] | None]:
    """A count of points on a terminal's stderr, for work whose length is not known before; None elsewhere."""
    if not _lively(arguments):
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield lambda done: status.update(f"{what}: {done} points")


@contextmanager
def telling(arguments: argparse.Namespace, what: str) -> Iterator[Callable[[str], None] | None]:
    """What is being done at the moment, on a terminal's stderr, as a function of a text; None elsewhere."""
    if not _lively(arguments):
        yield None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(what) as status:
        yield lambda text: status.update(Text(f"{what}: {text}"))
