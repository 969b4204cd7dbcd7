"""Branches as figures: solid where stable, dashed where not, special points marked and named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from spinodal.numeric.continuation.branch import Branch

#: Markers by kind; further kinds take the last.
_MARKERS: Mapping[str, str] = {
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


def draw_branches(
    branches: Sequence[Branch],
    path: str | Path | None = None,
    *,
    y: str,
    inverse: bool = False,
    labels: Mapping[str, str] | None = None,
    title: str = "",
) -> Any:
    """A figure of branches over their parameter.

    Args:
        branches: to draw together.
        path: where to save it (the suffix is the format).
        y: what is drawn upwards: a component of x or a quantity.
        inverse: draw against 1/parameter.
        labels: how names are written on the axes (LaTeX).
        title: above the figure.

    Returns:
        The matplotlib figure.
    """
    from matplotlib.figure import Figure

    labels = labels or {}
    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.subplots()
    seen: dict[str, int] = {}
    for index, branch in enumerate(branches):
        colour = f"C{index}"
        p = 1.0 / branch.p if inverse else branch.p
        values = branch[y]
        for part, stable in stretches(branch):
            axes.plot(p[part], values[part], color=colour, ls="-" if stable else "--", lw=1.5)
        for point, position in zip(branch.special_points, branch.positions, strict=True):
            at = point.order_parameters.get(y)
            if at is None:
                at = float(np.interp(position, np.arange(len(values)), values))
            where = 1.0 / point.p if inverse and point.p else point.p
            if not (np.isfinite(where) and np.isfinite(at)):
                continue
            label = point.kind if seen.setdefault(point.kind, 0) == 0 else None
            seen[point.kind] += 1
            marker = _MARKERS.get(point.kind, "d")
            axes.plot(where, at, marker, ms=6, mfc="white", mec="black", mew=1.1, label=label, ls="none", zorder=5)
    parameter = branches[0].parameter if branches else "p"
    name = labels.get(parameter, parameter)
    axes.set_xlabel((f"$1/{name.strip('$')}$" if name.startswith("$") else f"1/{name}") if inverse else name)
    axes.set_ylabel(labels.get(y, y))
    if title:
        axes.set_title(title, fontsize=10)
    if seen:
        axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    if path is not None:
        figure.savefig(path, dpi=200)
    return figure


def stretches(branch: Branch) -> list[tuple[slice, bool]]:
    """Stretches of equal stability as overlapping slices; a branch of unknown stability is drawn solid."""
    stable = (branch.unstable == 0) | (branch.unstable < 0)
    edges = [0, *(np.flatnonzero(stable[1:] != stable[:-1]) + 1).tolist(), len(stable)]
    runs = []
    for low, high in pairwise(edges):
        steady = bool(stable[low])
        # a dashed stretch reaches to its solid neighbours, so that no gap is left between them
        begin, end = (low, high) if steady else (max(low - 1, 0), min(high + 1, len(stable)))
        runs.append((slice(begin, end), steady))
    return runs
