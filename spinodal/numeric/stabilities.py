"""The distribution of stabilities of a solved state, on a grid, with error estimates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from spinodal.numeric.bound import Bound
from spinodal.numeric.finish import quadrature_error
from spinodal.numeric.quadrature import Automatic
from spinodal.numeric.results import Array, State

if TYPE_CHECKING:
    import xarray as xr

#: Densities below this part of their maximum are not shown by a grid that is chosen here.
_SHOWN = 1e-6
#: Points of a grid that is chosen here, and of the search for its ends.
_POINTS, _SEARCHED = 161, 41
#: The coarser of the two rules: densities are smooth, and of probes expensive.
RULE = Automatic(50)
_WIDEST = 1e6
#: How close to an edge, relative to 1 + its size, its two sides are shown.
_BESIDE = 1e-12


def densities(system: Bound, state: State, at: Array | None = None) -> tuple[Array, dict[str, tuple[Array, Array]]]:
    """Densities of y h by name, with their error estimates.

    A density is computed once more with twice the nodes, at the state corrected by one Newton step of the finer equations;
    the change bounds the error of quadrature and of the state together.

    Args:
        system: a module that has ``stabilities``, with a quadrature rule.
        state: a converged state of it.
        at: places [points]; chosen where the densities are not negligible if not given.

    Returns:
        The places [points], and (values, absolute errors) [points] by name.
    """
    module, finer = system.module, system.refined()
    x = np.array([[state.order_parameters[name] for name in module.ORDER_PARAMETERS]])
    p = np.array([[state.parameters[name] for name in module.PARAMETERS]])
    places = _places(system, x, p) if at is None else np.atleast_1d(np.asarray(at, dtype=float))
    _, _, shift = quadrature_error(system, x, p)
    coarse = _values(system, x, p, places)
    fine = _values(finer, x - shift, p, places)
    rounding = 16.0 * np.finfo(float).eps
    return places, {n: (fine[n], np.abs(fine[n] - coarse[n]) + rounding * np.abs(fine[n])) for n in fine}


def _values(system: Bound, x: Array, p: Array, places: Array) -> dict[str, Array]:
    states = np.repeat(x, places.size, axis=0)
    return dict(system.module.stabilities(states, p, places, system.rule))


def _places(system: Bound, x: Array, p: Array) -> Array:
    """A grid over where any of the densities exceeds a millionth of its maximum: even, with both sides of every edge."""
    edges = np.unique(system.module.stability_edges(x, p)[0])
    sides = np.concatenate([edges - _BESIDE * (1.0 + np.abs(edges)), edges + _BESIDE * (1.0 + np.abs(edges))])
    width = 1.0
    while width < _WIDEST:
        grid = np.unique(np.concatenate([np.linspace(-width, width, _SEARCHED), sides[np.abs(sides) < width]]))
        inside = np.zeros(grid.size, dtype=bool)
        for values in _values(system, x, p, grid).values():
            inside |= values > _SHOWN * np.max(values)
        if inside.any() and not (inside[0] or inside[-1]):
            break
        width *= 2.0
    chosen = np.flatnonzero(inside)
    low, high = grid[max(chosen[0] - 1, 0)], grid[min(chosen[-1] + 1, grid.size - 1)]
    return np.unique(np.concatenate([np.linspace(low, high, _POINTS), sides[(sides >= low) & (sides <= high)]]))


def labelled(places: Array, found: Mapping[str, tuple[Array, Array]], **attributes: str | float) -> xr.Dataset:
    """Densities and errors of :func:`densities` over ``stability``."""
    import xarray as xr

    table = {}
    for name, (values, errors) in found.items():
        table[name] = ("stability", values)
        table[f"{name}_error"] = ("stability", errors)
    return xr.Dataset(table, {"stability": places}, attrs=attributes)
