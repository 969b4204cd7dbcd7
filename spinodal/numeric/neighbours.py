"""Curves along one parameter: one row reached by other means, the others from one another.

Rows of a batch that differ in a constrained overlap alone lie on one curve. Each is reached from its nearest neighbour that
is known: first the row in the middle of a gap, then those in the middles of the two gaps that it leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinodal.numeric.path import Path, follow
from spinodal.numeric.roots import NewtonSettings
from spinodal.numeric.rows import Array, Mask, System

#: How a state is followed from one point to another: the arguments and the result of :func:`spinodal.numeric.path.follow`.
Walk: TypeAlias = Callable[[System, Array, Array, Array, Mask, NewtonSettings], Path]


def improved(path: Path, rows: NDArray[np.intp], other: Path) -> Path:
    """The path with some of its rows replaced where another one got farther."""
    better = other.roots.converged | (other.reached > path.reached[rows])
    reached = path.reached.copy()
    reached[rows[better]] = other.reached[better]
    roots = path.roots.replaced(rows[better], other.roots, better)
    return Path(roots, reached, ~roots.converged & (reached > 0.0))


def along(
    system: System,
    p: Array,
    column: int,
    begin: Callable[[Array], Path],
    anchors: Sequence[float],
    bounded: Mask,
    settings: NewtonSettings,
    walk: Walk = follow,
) -> Path:
    """All rows of p [B, k]: of each curve along a column one by ``begin``, the others from their nearest neighbours.

    Args:
        system: the equations.
        p: parameters [B, k].
        column: the parameter along the curves.
        begin: the states at some points, reached by other means.
        anchors: where on a curve ``begin`` is asked: at the row nearest to the first of these, else at the others.
        bounded: which unknowns are overlaps of order one [n].
        settings: of Newton's method.
        walk: how a row is reached from its neighbour.
    """
    curve = _curves(p, column)
    members = [np.flatnonzero(curve == k) for k in range(int(curve.max()) + 1)]

    def nearest(rows: NDArray[np.intp], value: float) -> int:
        return int(rows[np.argmin(np.abs(p[rows, column] - value))])

    first = np.array([nearest(rows, anchors[0]) for rows in members])
    path = begin(p[first])
    tried = [{row} for row in first.tolist()]
    for value in anchors[1:]:
        rows = np.array([nearest(rows, value) for rows in members])
        fresh = [k for k in np.flatnonzero(~path.roots.converged).tolist() if rows[k] not in tried[k]]
        if not fresh:
            continue
        first[fresh] = rows[fresh]
        path = improved(path, np.array(fresh), begin(p[rows[fresh]]))
        for k in fresh:
            tried[k].add(int(rows[k]))
    begun = np.zeros(len(p), dtype=bool)
    begun[first] = path.roots.converged
    roots = replace(path.roots.taken(curve), converged=begun)
    return from_known(system, p, column, Path(roots, path.reached[curve], path.fold[curve]), bounded, settings, walk)


def _curves(p: Array, column: int) -> NDArray[np.intp]:
    """Which curve along a column each row belongs to [B]."""
    _, curve = np.unique(np.delete(p, column, axis=1), axis=0, return_inverse=True)
    return curve.ravel()


def from_known(
    system: System, p: Array, column: int, known: Path, bounded: Mask, settings: NewtonSettings, walk: Walk = follow
) -> Path:
    """The rows of p [B, k] where ``known`` has not converged, from their nearest neighbours on their curves.

    Of a row that was not reached, the state is the last one on the way there.
    """
    curve = _curves(p, column)
    groups = [np.flatnonzero(curve == k) for k in range(int(curve.max()) + 1)]
    curves = [_Curve(rows[np.argsort(p[rows, column])], p, column) for rows in groups]
    spread = known
    state, good = known.roots.x.copy(), known.roots.converged.copy()
    for group, rows in zip(curves, groups, strict=True):
        group.learn(rows[good[rows]], state[rows[good[rows]]], good[rows[good[rows]]])
    while True:
        asked = [request for group in curves for request in group.wanted()]
        if not asked:
            break
        rows = np.array([row for row, _, _ in asked])
        origin = p[rows].copy()
        origin[:, column] = [value for _, value, _ in asked]
        start = np.array([x for _, _, x in asked])
        found = walk(system, start, origin, p[rows], bounded, settings)
        spread = Path(spread.roots.replaced(rows, found.roots, np.ones(len(rows), dtype=bool)), spread.reached, spread.fold)
        good[rows] = found.roots.converged
        state[rows] = found.roots.x
        for k, group in enumerate(curves):
            mine = curve[rows] == k
            for failed, beyond in group.learn(rows[mine], state[rows[mine]], good[rows[mine]]):
                last = spread.roots.taken(np.full(len(beyond), failed))
                everyone = np.ones(len(beyond), dtype=bool)
                spread = Path(spread.roots.replaced(beyond, last, everyone), spread.reached, spread.fold)
    # what is negative says why there is no path
    reached = np.where(good, 1.0, np.minimum(spread.reached, 0.9 * spread.reached))
    return Path(replace(spread.roots, converged=good), reached, ~good & (reached > 0.0))


class _Curve:
    """Rows along the column, in ascending order, and which of their states are known."""

    def __init__(self, rows: NDArray[np.intp], p: Array, column: int) -> None:
        self.rows = rows
        self.overlaps = p[rows, column]
        self.known: list[tuple[float, Array]] = []
        self.open = np.ones(len(rows), dtype=bool)

    def wanted(self) -> list[tuple[int, float, Array]]:
        """Of every gap between known states the row in its middle, with the nearest known state: (row, overlap, state)."""
        if not self.known:
            return []
        found = []
        edges = [-np.inf, *sorted(overlap for overlap, _ in self.known), np.inf]
        for low, high in pairwise(edges):
            inside = np.flatnonzero(self.open & (self.overlaps >= low) & (self.overlaps < high))
            if inside.size:
                middle = inside[inside.size // 2]
                overlap, x = min(self.known, key=lambda pair: abs(pair[0] - self.overlaps[middle]))
                found.append((int(self.rows[middle]), overlap, x))
        return found

    def learn(self, rows: NDArray[np.intp], states: Array, good: Mask) -> list[tuple[int, NDArray[np.intp]]]:
        """What became of the rows asked for; where one was not reached, those beyond it are not either.

        Returns:
            Each row that was not reached, with those beyond it.
        """
        given_up = []
        for row, x, reached in zip(rows, states, good, strict=True):
            place = int(np.flatnonzero(self.rows == row)[0])
            overlap = float(self.overlaps[place])
            self.open[place] = False
            if reached:
                self.known.append((overlap, x))
                continue
            above = [k for k, _ in self.known if k > overlap]
            below = [k for k, _ in self.known if k <= overlap]
            beyond = np.zeros_like(self.open)
            if not above:
                beyond |= self.overlaps >= overlap
            if not below:
                beyond |= self.overlaps <= overlap
            given_up.append((int(row), self.rows[self.open & beyond]))
            self.open &= ~beyond
        return given_up
