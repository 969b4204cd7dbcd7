"""Figures of atypical solutions: the gap between the thresholds, local entropies, errors, distributions of stabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from spinodal.plots import COLUMN, PAGE, PALETTE, new_figure
from spinodal.study.reference import STORAGE_CAPACITY, STORAGE_TRANSITION

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_BLUE, _RED, _GREEN, _GREY = PALETTE[0], PALETTE[1], PALETTE[2], "0.35"
_DISTANCE = r"distance $d = (1 - q_1)/2$"
_INVERSE_ALPHA = r"overparameterization $1/\alpha = N/P$"


def of_activation(data: xr.Dataset, name: str) -> xr.Dataset:
    """One activation's part of a dataset, without what only others have."""
    return data.sel(activation=name)


def panels(
    names: list[str],
    paint: Callable[[Axes, str], None],
    labels: tuple[str, str],
    *,
    handles: Sequence[Artist] = (),
    columns: int = 3,
    share_y: bool = True,
) -> Any:
    """A panel for each activation, one legend above all. To be called inside ``style()``.

    Args:
        names: of the activations.
        paint: draws one of them.
        labels: of the axes.
        handles: of the legend; default: what the first panel labels.
        columns: of the legend.
        share_y: whether all panels have one scale.
    """
    across = 2 if len(names) > 1 else 1
    rows = -(-len(names) // across)
    figure, axes_list = new_figure(
        PAGE if across > 1 else COLUMN, 2.2 * rows + 0.6, rows=rows, columns=across, share_y=share_y
    )
    for i, axes in enumerate(axes_list):
        if i >= len(names):
            axes.set_visible(False)
            continue
        paint(axes, names[i])
        axes.set_title(names[i], loc="left")
        if i >= len(names) - across:
            axes.set_xlabel(labels[0])
        if i % across == 0:
            axes.set_ylabel(labels[1])
    shown = list(handles) or axes_list[0].get_legend_handles_labels()[0]
    columns = columns if across > 1 else 1 + (len(shown) > 3)
    figure.legend(handles=shown, loc="outside upper center", ncols=columns, fontsize=8 if across > 1 else 7)
    return figure


def _line(label: str, style: str = "-", colour: str = "0.3", **keywords: Any) -> Artist:
    """An entry of a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, ls=style, label=label, **keywords)


def names_of(data: xr.Dataset) -> list[str]:
    """The activations of a dataset."""
    return [str(name) for name in data["activation"].values]


def gap(thresholds: xr.Dataset, transition: xr.Dataset) -> Any:
    """Both thresholds over alpha_T, a panel for each activation."""
    return panels(
        names_of(transition),
        lambda axes, name: gap_panel(axes, of_activation(thresholds, name), of_activation(transition, name)),
        (r"patterns per input $\alpha_T = P/D$", _INVERSE_ALPHA),
    )


def gap_panel(axes: Axes, thresholds: xr.Dataset, transition: xr.Dataset) -> None:
    """Interpolation threshold and local-entropy transition of one activation, what is between them shaded."""
    lines = []
    for data, name, colour, label in (
        (transition, "LE", _RED, r"local-entropy transition $1/\alpha_{\mathrm{LE}}$"),
        (thresholds, "c", _BLUE, r"interpolation threshold $1/\alpha_c$"),
    ):
        along, value = (np.asarray(data[f"curve_{key}"]) for key in ("alpha_T", f"alpha_{name}"))
        good = np.isfinite(along) & np.isfinite(value)
        order = np.argsort(along[good])
        along, value = along[good][order], 1.0 / value[good][order]
        axes.plot(along, value, "-", color=colour, label=label)
        axes.plot(np.asarray(data["alpha_T"]), np.asarray(data[f"inverse_alpha_{name}"]), "o", color=colour, ms=2.5)
        lines.append((along, value))
    # the two loci have grids of their own: the gap is shaded where both are known
    fine = np.geomspace(max(along.min() for along, _ in lines), min(along.max() for along, _ in lines), 200)
    upper, lower = (np.interp(np.log(fine), np.log(along), value) for along, value in lines)
    axes.fill_between(fine, lower, upper, color="0.88", lw=0, zorder=0, label="gap")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _position: f"{value:g}")
    for limit, colour in ((STORAGE_TRANSITION, _RED), (STORAGE_CAPACITY, _BLUE)):
        axes.axhline(1.0 / limit, color=colour, lw=0.7, ls=(0, (4, 3)), zorder=0)
    axes.annotate(
        "random labels", (1.0, 1.0 / STORAGE_TRANSITION), xycoords=("axes fraction", "data"), xytext=(0, -2),
        textcoords="offset points", ha="right", va="top", color=_GREY, fontsize=8,
    )  # fmt: skip


def overview(parts: Mapping[str, xr.Dataset]) -> Any:
    """The gap and the errors of the first activation, a page wide. To be called inside ``style()``."""
    name = names_of(parts["transition"])[0]
    figure, (left, right) = new_figure(PAGE, 2.9, columns=2)
    gap_panel(left, of_activation(parts["thresholds"], name), of_activation(parts["transition"], name))
    left.set_xlabel(r"patterns per input $\alpha_T = P/D$")
    left.set_ylabel(_INVERSE_ALPHA)
    left.legend(loc="lower left")
    errors_panel(right, *(of_activation(parts[key], name) for key in ("errors", "margins", "dense")))
    right.set_xlabel(_INVERSE_ALPHA)
    right.set_ylabel(r"generalization error $\epsilon_g$")
    low, high = right.get_ylim()
    right.set_ylim(low, high + 0.5 * (high - low))
    right.legend(handles=_error_handles(), loc="upper right", ncols=2, fontsize=7, columnspacing=1.0)
    for axes, letter in ((left, "(a)"), (right, "(b)")):
        axes.set_title(f"{letter} {name} activation", loc="left")
    return figure


def errors(parts: Mapping[str, xr.Dataset]) -> Any:
    """Generalization errors along 1/alpha of every kind of solution, a panel for each activation."""
    return panels(
        names_of(parts["dense"]),
        lambda axes, name: errors_panel(axes, *(of_activation(parts[key], name) for key in ("errors", "margins", "dense"))),
        (_INVERSE_ALPHA, r"generalization error $\epsilon_g$"),
        handles=_error_handles(),
        columns=4,
        share_y=False,
    )


#: How much of 1/alpha is shown beyond the interpolation threshold: the gap and what follows it.
_SHOWN = 0.8


def _error_handles() -> list[Artist]:
    return [
        _line("typical solutions", colour=_BLUE),
        _line("of the largest margin", colour=_GREEN),
        _line("of dense regions", colour=_RED),
        _line(r"transition $1/\alpha_{\mathrm{LE}}$", "none", _RED, marker="*", ms=5),
        _line("one solution"),
        _line("centre", "--"),
        _line(r"minimum of $\phi$", ":", _RED),
    ]


def errors_panel(axes: Axes, typical: xr.Dataset, margins: xr.Dataset, dense: xr.Dataset) -> None:
    """Errors of one activation: typical, largest margin, dense; solid for solutions, dashed for centres."""
    x, place = np.asarray(typical["inverse_alpha"]), np.asarray(margins["inverse_alpha"])
    fold = float(np.asarray(dense["maximum_inverse_alpha"])[0])
    for style, key in (("-", "generalization_error"), ("--", "generalization_error_barycentre")):
        axes.plot(x, np.asarray(typical[key]), style, color=_BLUE)
        axes.plot(place, np.asarray(margins[f"{key}_kappa_max"]), style, color=_GREEN)
        axes.plot(np.asarray(dense["beyond_inverse_alpha"]), np.asarray(dense[f"beyond_{key}"]), style, color=_RED)
        axes.plot(np.asarray(dense["maximum_inverse_alpha"]), np.asarray(dense[f"maximum_{key}"]), style, color=_RED)
        axes.plot(np.asarray(dense["minimum_inverse_alpha"]), np.asarray(dense[f"minimum_{key}"]), ":", color=_RED, lw=0.9)
        axes.plot(fold, float(np.asarray(dense[f"maximum_{key}"])[0]), "*", color=_RED, ms=5, zorder=5)
    axes.axvspan(float(x[0]), fold, color="0.92", lw=0, zorder=0)
    end = float(x[0]) + _SHOWN
    axes.set_xlim(0.97 * float(x[0]), end)
    low = float(np.interp(end, x, np.asarray(typical["generalization_error_barycentre"])))
    high = float(
        np.nanmax([*np.asarray(dense["maximum_generalization_error"]), *np.asarray(typical["generalization_error"])])
    )
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))


def local_entropy(data: xr.Dataset) -> Any:
    """The local entropy over the distance on both sides of the transition, dashed where Sigma < 0."""
    words = [_line(word, colour=colour) for _, colour, word in _sides(data)]
    return panels(
        names_of(data), lambda axes, name: _local_entropy(axes, of_activation(data, name)),
        (_DISTANCE, r"local entropy $\phi(d)$ per weight"),
        handles=[*words, _line(r"$\Sigma < 0$", "--"), _line("typical solutions", "none", marker="o", ms=3)], columns=5,
    )  # fmt: skip


#: Colours from beyond the transition to the gap.
_SIDES = (PALETTE[0], PALETTE[2], PALETTE[1], PALETTE[3], PALETTE[4])


def _sides(data: xr.Dataset) -> list[tuple[int, str, str]]:
    """(index, colour, what side it is) of each side; 1 is the interpolation threshold."""
    words = {-1: "beyond the transition", 0: "at the transition", 1: "in the gap"}
    return [(i, _SIDES[i % len(_SIDES)], words[int(np.sign(side))]) for i, side in enumerate(data["side"].values)]


def _local_entropy(axes: Axes, data: xr.Dataset) -> None:
    for i, colour, _word in _sides(data):
        here = data.isel(side=i)
        d, phi, sigma = (np.asarray(here[name]) for name in ("d", "local_entropy", "sigma"))
        whole = ~(sigma < -1e-9)  # Sigma is not defined where all replicas are typical
        split = int(np.argmin(whole)) if not whole.all() else whole.size
        axes.plot(d[: split + 1], phi[: split + 1], "-", color=colour)
        axes.plot(d[split:], phi[split:], "--", color=colour)
        axes.plot(d[0], phi[0], "o", color=colour, ms=3)
    axes.axhline(0.0, color="0.6", lw=0.6, zorder=0)
    axes.set_xlim(left=0.0)


def errors_by_distance(data: xr.Dataset) -> Any:
    """Errors of solutions and of their centre over the distance, on both sides of the transition."""
    return panels(
        names_of(data), lambda axes, name: _errors_by_distance(axes, of_activation(data, name)),
        (_DISTANCE, r"generalization error $\epsilon_g$"), columns=2, share_y=False,
    )  # fmt: skip


def _errors_by_distance(axes: Axes, data: xr.Dataset) -> None:
    for i, colour, word in [entry for entry in _sides(data) if data["side"].values[entry[0]] != 0.0]:
        here = data.isel(side=i)
        for style, key, what in (
            ("-", "generalization_error", "solutions"),
            ("--", "generalization_error_barycentre", "centre"),
        ):
            axes.plot(np.asarray(here["d"]), np.asarray(here[key]), style, color=colour, label=f"{what}, {word}")
    axes.set_xlim(left=0.0)


def around_references(data: xr.Dataset) -> Any:
    """Local entropies around typical and maximum-margin references on both sides of the transition."""
    return panels(
        names_of(data), lambda axes, name: _around(axes, of_activation(data, name)),
        (r"distance from the reference $d = (1 - t)/2$", r"local entropy $\phi_{\mathrm{FP}}(d)$ per weight"), columns=2,
    )  # fmt: skip


def _around(axes: Axes, data: xr.Dataset) -> None:
    for i, colour in enumerate((_BLUE, _GREEN)):
        reference = str(data["reference"].values[i])
        for k, (style, word) in enumerate((("-", "beyond the transition"), ("--", "in the gap"))):
            here = data.isel(reference=i, side=k)
            axes.plot(
                np.asarray(here["d"]), np.asarray(here["local_entropy"]), style, color=colour, label=f"{reference}, {word}"
            )
    axes.axhline(0.0, color="0.6", lw=0.6, zorder=0)
    axes.set_xlim(left=0.0)


def stabilities(data: xr.Dataset) -> Any:
    """Densities of y h of several kinds of solutions. To be called inside ``style()``."""
    names = {
        "typical": ("typical", _BLUE, "-"),
        "largest margin": ("typical, largest margin", _GREEN, "-"),
        "real replicas": ("dense region", _RED, "-"),
    }
    figure, (axes,) = new_figure(COLUMN, 2.6)
    for key, (label, colour, style) in names.items():
        if key in data["solution"].values:
            one = data.isel(activation=0).sel(solution=key)
            x = np.asarray(one["stability"])
            axes.plot(x, np.asarray(one["density"]), style, color=colour, label=label)
    axes.set_xlim(-0.1, 4.0)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("stability $y h$")
    axes.set_ylabel("density $P(y h)$")
    axes.legend(loc="upper right")
    return figure
