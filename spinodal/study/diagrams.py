"""Phase diagrams as figures: lines, special points marked and named, regions named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from spinodal.plots import PAGE, PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _RED, _GREEN = PALETTE[0], PALETTE[1], PALETTE[2]


def teacher_student(data: xr.Dataset) -> Any:
    """Branch without noise, phase diagrams over both kinds of noise. To be called inside ``style()``."""
    figure, (left, middle, right) = new_figure(PAGE, 2.7, columns=3)
    _branch(left, data)
    if "critical_Delta" in data:
        _field_noise(middle, data)
    if "rho" in data.coords:
        _flips(right, data)
    for axes, letter in ((left, "(a) no noise"), (middle, "(b) noisy field"), (right, "(c) flipped labels")):
        axes.set_title(letter, loc="left")
    return figure


def _branch(axes: Axes, data: xr.Dataset) -> None:
    alpha, q = np.asarray(data["alpha"]), np.asarray(data["q"])
    steady = np.asarray(data["stability"]) < 2
    turn = int(np.argmax(alpha))
    axes.plot(alpha[: turn + 1], q[: turn + 1], "-", color=_BLUE)
    axes.plot(alpha[turn:], q[turn:], "-" if steady[turn + 1 :].any() else "--", color=_BLUE)
    special = {
        str(kind): (float(a), float(height))
        for kind, a, height in zip(
            data["special_kind"].values, data["special_alpha"].values, data["special_q"].values, strict=True
        )
    }
    end = 1.9
    if "crossing" in special:
        where, height = special["crossing"]
        # the perfect state: metastable below the transition, the equilibrium above it
        axes.plot([where, end], [1.0, 1.0], "-", color=_GREEN)
        axes.plot([0.2, where], [1.0, 1.0], "-", color=_GREEN, alpha=0.4)
        axes.plot([where, where], [height, 1.0], ":", color="0.4", lw=0.9)
        axes.plot(where, height, "D", color=_RED, mfc="white", mew=1.1, zorder=5)
        _name(axes, "transition\n(zero entropy)", (where, height), (-11, 3), "right")
        _name(axes, "perfect state", (0.25, 1.0), (0, -3), "left", "top", color=_GREEN)
    if "fold" in special:
        where, height = special["fold"]
        axes.plot(where, height, "o", color=_RED, mfc="white", mew=1.1, zorder=5)
        _name(axes, "spinodal", (where, height), (6, -2), "left", "top")
    axes.set_xlim(0.2, end)
    axes.set_ylim(0.0, 1.05)
    axes.set_xlabel(r"$\alpha = P/N$")
    axes.set_ylabel(r"overlap with the teacher $q$")


def _field_noise(axes: Axes, data: xr.Dataset) -> None:
    noise, alpha = np.asarray(data["spinodals_Delta"]), np.asarray(data["spinodals_alpha"])
    end, top = float(data["critical_Delta"]), float(data["critical_alpha"])
    axes.plot(noise, alpha, "-", color=_BLUE)
    x = np.append(np.asarray(data["transition_curve_Delta"]), end)
    y = np.append(np.asarray(data["transition_curve_alpha"]), top)
    order = np.argsort(x)
    axes.plot(x[order], y[order], "-", color=_RED)
    axes.plot(end, top, "^", color="k", mfc="white", mew=1.1, ms=4.5, zorder=5)
    _name(axes, "critical\npoint", (end, top), (0, 5), "center", "bottom")
    # between the transition and the upper spinodal the good state exists and is best, but is not reached
    upper = slice(0, int(np.argmax(alpha)) + 1) if alpha[0] > alpha[-1] else slice(int(np.argmax(alpha)), None)
    ahead = np.argsort(noise[upper])
    axes.fill_between(
        x[order], y[order], np.interp(x[order], noise[upper][ahead], alpha[upper][ahead]), color="0.92", lw=0, zorder=0
    )
    at = 0.45 * end
    _name(
        axes,
        "spinodals",
        (at, _on(noise[alpha > y.min()], alpha[alpha > y.min()], at)),
        (0, 4),
        "center",
        "bottom",
        color=_BLUE,
    )
    _name(
        axes,
        "first-order\ntransition",
        (0.5 * end, float(np.interp(0.5 * end, x[order], y[order]))),
        (16, -13),
        "left",
        "top",
        color=_RED,
    )
    axes.text(0.155 * end, 1.45, "hard", fontsize=8, ha="center", va="center", color="0.25")
    axes.text(0.62 * end, 1.0, "poor state only", fontsize=8, ha="center", va="center", color="0.25")
    axes.text(0.35 * end, 1.75, "easy", fontsize=8, ha="center", va="center", color="0.25")
    axes.set_xlim(0.0, 1.2 * end)
    axes.set_ylim(top=1.9)
    axes.set_xticks([0.0, 0.005, 0.01, 0.015], ["0", "0.005", "0.01", "0.015"])
    axes.set_xlabel(r"variance $\Delta$ of the noise")
    axes.set_ylabel(r"$\alpha = P/N$")


def _on(x: Any, y: Any, at: float) -> float:
    """The highest of a curve's crossings of a vertical line."""
    return float(max(y[i] for i in np.argsort(np.abs(x - at))[:2]))


def _flips(axes: Axes, data: xr.Dataset) -> None:
    high: dict[str, tuple[Any, Any]] = {}
    for name, colour in (("flip_spinodal", _BLUE), ("flip_transition", _RED)):
        x, y = np.asarray(data[f"{name}_curve_rho"]), np.asarray(data[f"{name}_curve_alpha"])
        order = np.argsort(x)
        high[name] = x[order], y[order]
        axes.plot(x[order], y[order], "-", color=colour)
    end = float(high["flip_spinodal"][0][-1])
    (x1, y1), (x2, y2) = high["flip_spinodal"], high["flip_transition"]
    top = float(y1[-1])
    axes.fill_between(x1, np.interp(x1, x2, y2), y1, color="0.92", lw=0, zorder=0)
    _name(axes, "spinodal", (0.45 * end, float(np.interp(0.45 * end, x1, y1))), (-3, 4), "right", "bottom", color=_BLUE)
    _name(
        axes,
        "first-order\ntransition",
        (0.55 * end, float(np.interp(0.55 * end, x2, y2))),
        (4, -3),
        "left",
        "top",
        color=_RED,
    )
    axes.text(0.3 * end, 0.87 * top, "easy", fontsize=8, ha="center", color="0.25")
    axes.text(
        0.88 * end,
        float(0.5 * (np.interp(0.88 * end, x1, y1) + np.interp(0.88 * end, x2, y2))),
        "hard",
        fontsize=8,
        ha="center",
        va="center",
        color="0.25",
    )
    axes.text(0.6 * end, 0.38 * top, "impossible", fontsize=8, ha="center", color="0.25")
    axes.set_xlim(0.0, end)
    axes.set_ylim(bottom=0.8)
    axes.set_xlabel(r"probability $\rho$ of a flip")
    axes.set_ylabel(r"$\alpha = P/N$")


def perceptrons(data: xr.Dataset) -> Any:
    """Capacity and de Almeida-Thouless lines over the margin, a panel for each kind of weights."""
    names = [str(name) for name in data["weights"].values]
    figure, panels = new_figure(PAGE, 2.7, columns=len(names), share_y=True)
    kappa = np.asarray(data["kappa"])
    for axes, name, letter in zip(panels, names, "abcdef", strict=False):
        here = data.sel(weights=name)
        capacity, unstable = np.asarray(here["alpha_c"]), np.asarray(here["alpha_AT"])
        both = np.isfinite(capacity) & np.isfinite(unstable)
        # beyond the de Almeida-Thouless line the replica-symmetric capacity is not the true one
        wrong = np.zeros_like(both)
        wrong[both] = unstable[both] < capacity[both]
        if wrong.any():
            last = float(kappa[wrong].max())
            shown = np.isfinite(capacity)
            right, left = shown & (kappa >= last), shown & (kappa <= max(last, 0.0))
            axes.plot(kappa[left], capacity[left], "--", color=_BLUE, label="capacity, replica symmetry unstable")
            right = shown & (kappa >= kappa[left].max())
        else:
            right = np.isfinite(capacity)
        axes.plot(kappa[right], capacity[right], "-", color=_BLUE, label=r"capacity $\alpha_c$")
        shown = np.isfinite(unstable)
        axes.plot(kappa[shown], unstable[shown], "-", color=_RED, label="de Almeida-Thouless line")
        axes.set_yscale("log")
        axes.set_title(f"({letter}) {name} weights", loc="left")
        axes.set_xlabel(r"margin $\kappa$")
        axes.text(0.08, 0.12, "solutions exist", transform=axes.transAxes, fontsize=8, color="0.25")
        axes.text(0.62, 0.55, "no solutions", transform=axes.transAxes, fontsize=8, color="0.25")
        axes.legend(loc="upper right")
        axes.yaxis.set_major_formatter(lambda value, _position: f"{value:g}")
    panels[0].set_ylabel(r"patterns per weight $\alpha = P/N$")
    return figure


def _name(
    axes: Axes, text: str, where: tuple[float, float], offset: tuple[float, float], horizontal: str,
    vertical: str = "center", *, color: str = "0.15",
) -> None:  # fmt: skip
    axes.annotate(
        text, where, xytext=offset, textcoords="offset points", ha=horizontal, va=vertical, fontsize=8, color=color
    )
