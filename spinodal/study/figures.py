"""The study's figures, drawn from its datasets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from spinodal.plots import COLUMN, PAGE, PALETTE, new_figure, save, style
from spinodal.study import diagrams, landscapes
from spinodal.study.reference import STORAGE_CAPACITY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = ("o", "s", "^", "D", "v", "P")
_INVERSE_ALPHA = r"overparameterization $1/\alpha = N/P$"


def draw(parts: Mapping[str, xr.Dataset], folder: Path) -> list[Path]:
    """Write the figures of the parts that there are, as PNG and SVG; returns the files."""
    figures: list[tuple[str, Any]] = []
    with style():
        if "thresholds" in parts:
            figures.append(("interpolation-threshold", _single(_thresholds, parts["thresholds"])))
        if "errors" in parts:
            figures.append(("generalization-errors", _single(_errors, parts["errors"])))
        if "margins" in parts:
            figures.append(("largest-margin", _single(_largest_margin, parts["margins"])))
            figures.append(("entropy-margin", _entropy_margin(parts["margins"])))
        if "thresholds" in parts and "errors" in parts:
            figures.append(("interpolation", overview(parts["thresholds"], parts["errors"])))
        if "local-entropy" in parts and "d" in parts["local-entropy"].coords:
            figures.append(("local-entropy", landscapes.local_entropy(parts["local-entropy"])))
            figures.append(("errors-by-distance", landscapes.errors_by_distance(parts["local-entropy"])))
        if "thresholds" in parts and "transition" in parts:
            figures.append(("gap", landscapes.gap(parts["thresholds"], parts["transition"])))
        if {"errors", "margins", "dense"} <= set(parts) and "maximum" in parts["dense"].coords:
            figures.append(("dense-regions", landscapes.errors(parts)))
            if {"thresholds", "transition"} <= set(parts):
                figures.append(("overview", landscapes.overview(parts)))
        if "franz-parisi" in parts and "d" in parts["franz-parisi"].coords:
            figures.append(("franz-parisi", landscapes.around_references(parts["franz-parisi"])))
        if "stabilities" in parts and "density" in parts["stabilities"]:
            figures.append(("stabilities", landscapes.stabilities(parts["stabilities"])))
        if "teacher-student" in parts and "alpha" in parts["teacher-student"]:
            figures.append(("teacher-student", diagrams.teacher_student(parts["teacher-student"])))
        if "perceptrons" in parts:
            figures.append(("perceptrons", diagrams.perceptrons(parts["perceptrons"])))
    return [path for name, figure in figures for path in save(figure, folder / name)]


def overview(thresholds: xr.Dataset, errors: xr.Dataset) -> Any:
    """Thresholds and generalization errors side by side, a page wide. To be called inside ``style()``."""
    figure, (left, right) = new_figure(PAGE, 2.6, columns=2)
    _thresholds(left, thresholds)
    _errors(right, errors)
    for axes, letter in ((left, "(a)"), (right, "(b)")):
        axes.set_title(letter, loc="left")
    return figure


def _single(paint: Any, data: xr.Dataset) -> Any:
    figure, (axes,) = new_figure(COLUMN, 2.6)
    paint(axes, data)
    return figure


def _names(data: xr.Dataset) -> list[str]:
    return [str(name) for name in data["activation"].values]


def _of(data: xr.Dataset, i: int, name: str) -> Any:
    values = data[name]
    return np.asarray(values.isel(activation=i) if "activation" in values.dims else values)


def _thresholds(axes: Axes, data: xr.Dataset) -> None:
    for i, name in enumerate(_names(data)):
        x, y = _of(data, i, "alpha_T"), _of(data, i, "inverse_alpha_c")
        if "curve_alpha_T" in data:  # the continuation's own points; markers at the grid's
            axes.plot(_of(data, i, "curve_alpha_T"), 1.0 / _of(data, i, "curve_alpha_c"), "-", color=PALETTE[i % 7])
            axes.plot(x, y, ls="none", marker=_MARKERS[i % 6], color=PALETTE[i % 7], ms=3)
            axes.plot([], [], "-", marker=_MARKERS[i % 6], color=PALETTE[i % 7], label=name)
        else:
            axes.plot(x, y, "-", marker=_MARKERS[i % 6], color=PALETTE[i % 7], label=name)
    axes.set_xscale("log")
    axes.axhline(1.0 / STORAGE_CAPACITY, color="0.5", lw=0.7, ls=(0, (4, 3)), zorder=0)
    axes.annotate(
        "random labels", (1.0, 1.0 / STORAGE_CAPACITY), xycoords=("axes fraction", "data"), xytext=(0, -2),
        textcoords="offset points", ha="right", va="top", color="0.35", fontsize=8,
    )  # fmt: skip
    axes.set_ylim(top=1.0 / STORAGE_CAPACITY + 0.03)
    axes.xaxis.set_major_formatter(_plain)
    axes.set_xlabel(r"patterns per input $\alpha_T = P/D$")
    axes.set_ylabel(r"interpolation threshold $1/\alpha_c$")
    axes.legend(loc="lower left", title=None)


def _plain(value: float, _position: float) -> str:
    return f"{value:g}"


def _errors(axes: Axes, data: xr.Dataset) -> None:
    from matplotlib.lines import Line2D

    for i, name in enumerate(_names(data)):
        x = _of(data, i, "inverse_alpha")
        axes.plot(x, _of(data, i, "generalization_error"), "-", color=PALETTE[i % 7], label=name)
        axes.plot(x, _of(data, i, "generalization_error_barycentre"), "--", color=PALETTE[i % 7])
        axes.plot(x[:1], _of(data, i, "generalization_error")[:1], _MARKERS[i % 6], color=PALETTE[i % 7])
        axes.plot(x[:1], _of(data, i, "generalization_error_barycentre")[:1], _MARKERS[i % 6], color=PALETTE[i % 7])
    kinds = [
        Line2D([], [], color="0.3", ls="-", label="typical solution"),
        Line2D([], [], color="0.3", ls="--", label="barycentre"),
    ]
    lines = [Line2D([], [], color=PALETTE[i % 7], marker=_MARKERS[i % 6], label=n) for i, n in enumerate(_names(data))]
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.3 * (high - low))
    first = axes.legend(handles=lines, loc="upper right", ncols=2, columnspacing=1.0)
    axes.add_artist(first)
    axes.legend(handles=kinds, loc="upper left")
    axes.set_xlabel(_INVERSE_ALPHA)
    axes.set_ylabel(r"generalization error $\epsilon_g$")


def _largest_margin(axes: Axes, data: xr.Dataset) -> None:
    for i, name in enumerate(_names(data)):
        x, y = _of(data, i, "inverse_alpha"), _of(data, i, "kappa_max")
        axes.plot(x, y, "-", marker=_MARKERS[i % 6], markevery=3, color=PALETTE[i % 7], label=name)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel(_INVERSE_ALPHA)
    axes.set_ylabel(r"largest margin $\kappa_{\max}$")
    axes.legend(loc="upper left")


def _entropy_margin(data: xr.Dataset) -> Any:
    from matplotlib import colormaps

    names = _names(data)
    columns = 2 if len(names) > 1 else 1
    rows = -(-len(names) // columns)
    figure, panels = new_figure(PAGE if columns > 1 else COLUMN, 2.3 * rows, rows=rows, columns=columns, share_y=True)
    inverse = np.asarray(data["inverse_alpha_shown"])
    shades = colormaps["viridis"](np.linspace(0.0, 0.85, len(inverse)))
    for i, (name, axes) in enumerate(zip(names, panels, strict=False)):
        for j, value in enumerate(inverse):
            kappa, entropy = _of(data, i, "kappa")[j], _of(data, i, "entropy")[j]
            axes.plot(kappa, entropy, "-", color=shades[j], label=rf"$1/\alpha = {value:g}$")
        axes.set_title(name)
        axes.set_xlim(left=0.0)
        axes.set_ylim(bottom=0.0)
        if i >= len(names) - columns:
            axes.set_xlabel(r"margin $\kappa$")
        if i % columns == 0:
            axes.set_ylabel(r"entropy $S(\kappa)$ per weight")
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels) if columns > 1 else 2)
    return figure
