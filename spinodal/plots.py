"""Figures made to be read in a paper: one column wide, colour-blind safe, mathematics in mathtext, PNG and SVG.

Matplotlib is imported when a figure is drawn, and its global settings are left alone: every figure is drawn inside
:func:`style` and belongs to the non-interactive Agg canvas.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spinodal.numeric.continuation.branch import Branch
    from spinodal.numeric.results import Locus

Array = NDArray[np.float64]

#: Colours that stay apart for colour-blind readers and in grey: M. Okabe & K. Ito, Color Universal Design (2008).
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: Widths in inches of one column and of a page of a two-column journal.
COLUMN, PAGE = 3.4, 7.0

_GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "pi",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
    ]
)
_STYLE = {
    "font.family": "serif",
    "font.serif": ["STIXGeneral", "DejaVu Serif"],
    "mathtext.fontset": "stix",
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.titlesize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "savefig.dpi": 300,
    "svg.fonttype": "path",
    "svg.hashsalt": "spinodal",
}
_LABELS = {
    "zero-entropy": "zero of the entropy",
    "capacity": "capacity",
    "replicon": "zero of the replicon",
}


@contextmanager
def style() -> Iterator[None]:
    """The settings of every figure here; the caller's are restored."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        yield


def new_figure(
    width: float = COLUMN, height: float = 2.5, *, rows: int = 1, columns: int = 1, share_y: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure that no window manages, and its axes in reading order. To be called inside :func:`style`.

    Args:
        width: in inches (:data:`COLUMN` or :data:`PAGE`).
        height: in inches.
        rows: of axes.
        columns: of axes.
        share_y: whether the axes of a row share their vertical scale.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=share_y)
    return figure, list(axes.ravel())


def save(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Write ``stem.png`` (300 dpi) and ``stem.svg``, each moved into place when it is complete."""
    written = []
    stem.parent.mkdir(parents=True, exist_ok=True)
    with style():
        for suffix in ("png", "svg"):
            path = stem.with_name(f"{stem.name}.{suffix}")
            _write(figure, path, suffix)
            written.append(path)
    return written[0], written[1]


def _write(figure: Figure, path: Path, kind: str) -> None:
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    # Dates would make every run's file different.
    metadata = {"Date": None} if kind == "svg" else {"Software": "spinodal"}
    try:
        figure.savefig(temporary, format=kind, metadata=metadata)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def symbol(name: str) -> str:
    r"""A parameter's name as mathtext, without the dollars: ``alpha_T`` -> ``\alpha_T``, ``1/alpha`` -> ``1/\alpha``.

    >>> symbol("p_d_hat")
    '\\hat{p}_{d}'
    """
    if name.startswith("1/"):
        return f"1/{symbol(name[2:])}"
    head, *rest = name.split("_")
    if len(head) > 1 and head[0].isalpha() and head[1:].isdigit():  # q1 is q with an index
        head, rest = head[0], [head[1:], *rest]
    base = rf"\{head}" if head in _GREEK else head if len(head) == 1 else rf"\mathrm{{{head}}}"
    for part in rest:
        if part == "hat":
            base = rf"\hat{{{base}}}"
    below = ",".join(
        rf"\{part}" if part in _GREEK else part if len(part) == 1 else rf"\mathrm{{{part}}}"
        for part in rest
        if part != "hat"
    )
    return rf"{base}_{{{below}}}" if below else base


def plot_locus(locus: Locus, path: Path, *, inverse: Collection[str] = ()) -> None:
    """Draw a locus of special points, located parameter against varied parameter, and write one file.

    What a fold curve encloses between its two arms, where states coexist, is shaded; so is the side of another locus where
    what vanishes on it is negative, and both sides are named.

    Args:
        locus: at least two points; those that were not located leave gaps.
        path: the file; its suffix says the format (png, svg or pdf).
        inverse: the parameters to be drawn as 1/parameter.

    Raises:
        ValueError: for a single point, a locus without any located point, or another format.
    """
    if not locus.over or len(locus.special_points) < 2:
        raise ValueError("a single point is no curve: vary a second parameter (over), as in kappa=0:1:21")

    def axis(name: str, at: Any) -> Any:
        numbers = np.asarray(at, dtype=float)
        with np.errstate(divide="ignore"):
            return 1.0 / numbers if name in inverse else numbers

    values, over = axis(locus.along, locus.values), axis(locus.over, locus.over_values)
    located = np.array([point.converged for point in locus.special_points]) & np.isfinite(values)
    if not located.any():
        raise ValueError("no point of this locus was located: there is nothing to draw")
    kind = _format(path)
    errors = np.array([point.error_estimate for point in locus.special_points])
    if locus.along in inverse:
        errors = errors * values**2
    with style():
        figure, (axes,) = new_figure()
        shown = np.where(located, values, np.nan)
        curve = locus.curve
        if curve is not None and locus.along in curve.names:
            # the continuation's own points: smooth between the grid's, and it may fold over a grid value
            x, y = axis(locus.over, curve.p), axis(locus.along, curve[locus.along])
            axes.plot(x, y, "-", color=PALETTE[0])
            turns = np.diff(np.sign(np.diff(curve.p)))
            if locus.kind == "fold" and np.any(turns):
                axes.fill(x, y, color="0.92", lw=0, zorder=0, label="states coexist")
            axes.plot(over, shown, "o", color=PALETTE[0], ms=2.5)
        else:
            axes.plot(over, shown, "-o" if len(over) <= 40 else "-", color=PALETTE[0])
        kinds: set[str] = set()
        for event in locus.events:
            label = None if event.kind in kinds else event.kind
            kinds.add(event.kind)
            place, height = axis(locus.over, event.parameters[locus.over]), axis(locus.along, event.parameters[locus.along])
            if np.isfinite(place) and np.isfinite(height):
                axes.plot(place, height, _MARKERS.get(event.kind, "d"), color=PALETTE[1], mfc="none", mew=1.2, label=label)
        if axes.get_legend_handles_labels()[1]:
            axes.legend()
        if (side := locus.positive_side * (-1 if locus.along in inverse else 1)) and (shape := _graph(locus, axis)):
            _name_regions(axes, *shape, side, _regions(locus.kind))
        span = float(np.nanmax(shown) - np.nanmin(shown)) or 1.0
        visible = located & np.isfinite(errors) & (errors > 2e-3 * span)
        if visible.any():
            axes.errorbar(
                over[visible], values[visible], yerr=errors[visible], fmt="none", ecolor=PALETTE[0], capsize=2, lw=0.8
            )
        names = [f"1/{name}" if name in inverse else name for name in (locus.over, locus.along)]
        axes.set_xlabel(f"${symbol(names[0])}$")
        axes.set_ylabel(f"${symbol(names[1])}$")
        kind_text = _LABELS.get(locus.kind, locus.kind.replace("zero:", "zero of ").replace("_", " "))
        axes.set_title(f"{locus.model}: {kind_text}")
        _write_one(figure, path, kind)


def _graph(locus: Locus, axis: Callable[[str, Any], Array]) -> tuple[Array, Array] | None:
    """The locus as a function of the varied parameter, in its order; None where it folds over or has gaps."""
    if (curve := locus.curve) is not None and locus.along in curve.names:
        if np.any(np.diff(np.sign(np.diff(curve.p)))):
            return None
        x, y = axis(locus.over, curve.p), axis(locus.along, curve[locus.along])
    elif all(point.converged for point in locus.special_points):
        x, y = axis(locus.over, locus.over_values), axis(locus.along, locus.values)
    else:
        return None
    order = np.argsort(x)
    return (x[order], y[order]) if np.all(np.isfinite(x)) and np.all(np.isfinite(y)) else None


def _regions(kind: str) -> tuple[str, str]:
    """What the two sides of a locus are: where its observable is positive, and where it is negative."""
    if kind == "capacity":
        return "solutions", "no solutions"
    if kind == "replicon":
        return "stable", "unstable"
    name = "entropy" if kind == "zero-entropy" else kind.removeprefix("zero:").replace("_", " ")
    return f"{name} $> 0$", f"{name} $< 0$"


def _name_regions(axes: Axes, x: Array, y: Array, side: int, names: tuple[str, str]) -> None:
    """Shade the negative side of a curve and name both, each in the widest part of its region."""
    low, high = float(y.min()), float(y.max())
    margin = 0.18 * (high - low) or 0.1 * abs(high) or 0.1
    limits = (low - margin if low <= 0.0 else max(low - margin, 0.0), high + margin)
    axes.set_ylim(limits)
    axes.margins(x=0.0)
    axes.fill_between(x, y, limits[0] if side > 0 else limits[1], color="0.92", lw=0, zorder=0)
    inner = np.linspace(x.min() + 0.25 * np.ptp(x), x.max() - 0.25 * np.ptp(x), 50)
    heights = np.interp(inner, x, y)
    for name, end in zip(names if side > 0 else names[::-1], (limits[1], limits[0]), strict=True):
        widest = int(np.argmax(np.abs(heights - end)))
        axes.text(inner[widest], 0.5 * (heights[widest] + end), name, ha="center", va="center", fontsize=8, color="0.3")


#: Markers of special points by kind; further kinds take a thin diamond.
_MARKERS = {
    "fold": "o",
    "branch-point": "s",
    "cusp": "^",
    "zero-entropy": "D",
    "capacity": "D",
    "replicon": "v",
    "crossing": "P",
    "boundary": "X",
    "local-entropy-transition": "*",
}


def plot_branch(branch: Branch, path: Path, *, y: str, inverse: bool = False, distance: bool = False) -> None:
    """Draw a branch, solid where stable and dashed where not, its special points marked and named, and write one file.

    Args:
        branch: with at least two points.
        path: the file; its suffix says the format (png, svg or pdf).
        y: what is drawn upwards: an order parameter or an observable.
        inverse: draw against 1/parameter.
        distance: draw against the distance (1 - overlap)/2, the parameter being an overlap.

    Raises:
        ValueError: for another format.
    """
    from spinodal.numeric.continuation.drawing import stretches

    kind = _format(path)

    def place(value: Any) -> Any:
        return 0.5 * (1.0 - value) if distance else 1.0 / value if inverse else value

    p = place(branch.p)
    values = branch[y]
    with style():
        figure, (axes,) = new_figure()
        for part, stable in stretches(branch):
            axes.plot(p[part], values[part], "-" if stable else "--", color=PALETTE[0])
        named: set[str] = set()
        for point, position in zip(branch.special_points, branch.positions, strict=True):
            height = point.order_parameters.get(y, float(np.interp(position, np.arange(len(values)), values)))
            where = place(point.p) if point.p or not inverse else np.inf
            if not (np.isfinite(where) and np.isfinite(height)):
                continue
            label = None if point.kind in named else point.kind
            named.add(point.kind)
            axes.plot(
                where, height, _MARKERS.get(point.kind, "d"), color=PALETTE[1], mfc="none", mew=1.2, label=label, zorder=5
            )
        parameter = f"1/{branch.parameter}" if inverse else branch.parameter
        axes.set_xlabel(f"distance $d = (1 - {symbol(parameter)})/2$" if distance else f"${symbol(parameter)}$")
        axes.set_ylabel(f"${symbol(y)}$" if y in branch.names else y.replace("_", " "))
        if named:
            axes.legend()
        _write_one(figure, path, kind)


def plot_stabilities(data: xr.Dataset, path: Path) -> None:
    """Draw the densities of y h of :meth:`~spinodal.model.Model.stabilities`, and write one file.

    Raises:
        ValueError: for another format than png, svg or pdf.
    """
    kind = _format(path)
    names = {"density": "solution", "density_ref": "reference"}
    shown = [name for name in names if name in data]
    with style():
        figure, (axes,) = new_figure()
        for colour, name in zip(PALETTE, shown, strict=False):
            axes.plot(data["stability"], data[name], "-", color=colour, label=names[name])
        if len(shown) > 1:
            axes.legend()
        axes.set_ylim(bottom=0.0)
        axes.set_xlabel("stability $y h$")
        axes.set_ylabel("density $P(y h)$")
        axes.set_title(f"{data.attrs['model']}, {data.attrs['ansatz']}")
        _write_one(figure, path, kind)


def _format(path: Path) -> str:
    """The format that a suffix says."""
    kind = path.suffix.removeprefix(".").lower()
    if kind not in ("png", "svg", "pdf"):
        raise ValueError(f"{path.suffix or path.name}: the suffix says the format; use .png, .svg or .pdf")
    return kind


def _write_one(figure: Figure, path: Path, kind: str) -> None:
    if kind == "pdf":
        figure.savefig(path, format="pdf", metadata={"CreationDate": None})
        return
    _write(figure, path, kind)
