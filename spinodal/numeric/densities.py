"""Nodes of a probability density on the line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinodal.numeric.quadrature import gauss_legendre

Array = NDArray[np.float64]

#: The shortest interval beside a split, in standard deviations of the density, and how many times its length doubles.
_NEAREST, _DOUBLINGS = 0.25, 10
#: Mass that is left out.
_LEAST = 1e-25
#: How far a density falls, in its logarithm, between modes that have rules of their own.
_VALLEY = 40.0


def log_mass(log_density: Callable[[Array], Array], splits: Sequence[Any], places: Sequence[Any] = ()) -> Array:
    """The logarithm of a density's integral on the panels that its nodes come from, [b or 1]."""
    _, mass, _ = _sampled(log_density, splits, places)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(mass.sum(-1)))


def density_nodes(
    log_density: Callable[[Array], Array], splits: Sequence[Any], n: int, places: Sequence[Any] = ()
) -> tuple[Array, Array]:
    """Gauss rules of a probability density on the line, [b or 1, K] nodes and weights.

    The density is sampled on panels wherever its mass lies (scales 1e-12 to 1e6, around 0 and around places where it may
    have narrow modes), and recurrence coefficients follow by the Lanczos process (Gautschi, Orthogonal Polynomials, 2004,
    section 2.2): what is averaged is smooth even where the density is not. A smooth density has one rule of about n/4 nodes;
    one with splits (kinks, steps, the ends of its support) has a small rule on each of a few intervals that grow with the
    distance from the splits: what a student makes of a weight changes fast near a kink of its prior, and slowly out in the
    tails. Modes that almost nothing connects have rules of their own.

    ``log_density`` maps [b, 1, m] (or [1, 1, m]) to log-densities; weights are normalised to 1.
    """
    points, mass, logs = _sampled(log_density, splits, places)
    if len(logs) > 1 and np.all(logs == logs[0]) and np.all(points == points[0]):
        points, mass, logs = points[:1], mass[:1], logs[:1]
    if splits:
        ends = [
            np.unique([np.asarray(s, dtype=float).reshape(-1)[i % np.size(s)] for s in splits]) for i in range(len(mass))
        ]
        rules = [_rules_between(p, m, e, n) for p, m, e in zip(points, mass, ends, strict=True)]
    else:
        rules = [_rules_of_modes(p, m, log, n) for p, m, log in zip(points, mass, logs, strict=True)]
    most = max(len(rule[0]) for rule in rules)
    padded = [(np.pad(x, (0, most - len(x)), mode="edge"), np.pad(w, (0, most - len(w)))) for x, w in rules]
    return np.stack([rule[0] for rule in padded]), np.stack([rule[1] for rule in padded])


def _sampled(
    log_density: Callable[[Array], Array], splits: Sequence[Any], places: Sequence[Any]
) -> tuple[Array, Array, Array]:
    """Ascending points, the mass of a density at each, and its logarithm, [b or 1, m] each."""
    t = np.linspace(-42.0, 42.0, 673)
    edges = np.sinh(t) * 1e-12
    columns = [np.asarray(s, dtype=float).reshape(-1, 1) for s in splits]
    centres = [np.nan_to_num(np.asarray(s, dtype=float).reshape(-1, 1), posinf=0.0, neginf=0.0) for s in (0.0, *places)]
    count = max([1, *(len(column) for column in (*columns, *centres))])
    cuts = [np.broadcast_to(centre + edges, (count, edges.size)) for centre in centres]
    cuts += [np.broadcast_to(column, (count, 1)) for column in columns]
    grid = np.sort(np.concatenate(cuts, axis=1), axis=1)
    nodes, weights = gauss_legendre(12)
    nodes, weights = 0.5 * (nodes + 1.0), 0.5 * weights
    lengths = np.diff(grid, axis=1)[..., None]
    points = (grid[:, :-1, None] + lengths * nodes).reshape(count, -1)
    with np.errstate(all="ignore"):
        sampled = np.asarray(log_density(points[:, None, :]))
    logs = np.broadcast_to(sampled, (max(count, len(sampled)), 1, points.shape[1]))[:, 0, :]
    points = np.broadcast_to(points, logs.shape)
    mass = np.broadcast_to((lengths * weights).reshape(count, -1), logs.shape)
    logs = np.where(np.isnan(logs), -np.inf, logs)
    with np.errstate(all="ignore"):  # where edges coincide a panel has no mass, but the density goes on across it
        return points, np.where(mass > 0.0, mass * np.exp(logs), 0.0), logs


def _rules_of_modes(points: Array, mass: Array, logs: Array, n: int) -> tuple[Array, Array]:
    """A Gauss rule for each mode that a deep valley separates from the others."""
    lower = np.minimum(np.maximum.accumulate(logs), np.maximum.accumulate(logs[::-1])[::-1])
    with np.errstate(invalid="ignore"):
        deep = ~(lower - logs < _VALLEY)  # inf - inf: nothing on one side
    mode = np.cumsum(np.diff(deep.astype(int), prepend=1) == -1)
    total = mass.sum()
    large = [k for k in np.unique(mode[~deep]) if mass[~deep & (mode == k)].sum() > _LEAST * total]
    if len(large) < 2:
        return _gauss_of_masses(points, mass, max(8, n // 4))
    found = []
    for k in large:
        own = ~deep & (mode == k)
        x, weight = _gauss_of_masses(points[own], mass[own], max(8, n // 6))
        found.append((x, weight * (mass[own].sum() / total)))
    return np.concatenate([x for x, _ in found]), np.concatenate([w for _, w in found])


def _rules_between(points: Array, mass: Array, splits: Array, n: int) -> tuple[Array, Array]:
    """The Gauss rules of a density's mass on intervals whose ends are at distances from the splits that double."""
    total = mass.sum()
    mean = (mass * points).sum() / total
    width = np.sqrt((mass * (points - mean) ** 2).sum() / total)
    distances = np.concatenate([[0.0], width * _NEAREST * 2.0 ** np.arange(_DOUBLINGS)])
    cuts = np.unique(np.concatenate([splits[:, None] - distances, splits[:, None] + distances]))
    nearest = np.abs(cuts[:, None] - splits).min(-1)  # between two splits, distances are from the nearer one
    own = np.isclose(nearest[:, None], distances, rtol=1e-9, atol=0.0).any(-1)
    interval = np.searchsorted(cuts[own], points)
    found = []
    for index in np.unique(interval[mass > _LEAST * total]):
        inside = interval == index
        x, weight = _gauss_of_masses(points[inside], mass[inside], max(4, n // 15))
        found.append((x, weight * (mass[inside].sum() / total)))
    return np.concatenate([x for x, _ in found]), np.concatenate([w for _, w in found])


def _gauss_of_masses(points: Array, mass: Array, size: int) -> tuple[Array, Array]:
    """The Gauss rule of a discrete measure with many points (Lanczos with full reorthogonalisation)."""
    kept = mass > mass.max() * 1e-40
    points, mass = points[kept], mass[kept] / mass[kept].sum()
    basis = [np.sqrt(mass)]
    diagonal, off = [], []
    for _ in range(size):
        vector = points * basis[-1]
        diagonal.append(_product(vector, basis[-1]))
        for _again in range(2):
            for known in basis:
                vector = vector - _product(vector, known) * known
        norm = float(np.sqrt(_product(vector, vector)))
        if norm < 1e-13 * (1.0 + abs(diagonal[-1])):
            break
        off.append(norm)
        basis.append(vector / norm)
    from scipy.linalg import eigh_tridiagonal  # imported here: loading it costs more than most modules that are loaded

    k = len(diagonal)
    values, vectors = eigh_tridiagonal(np.array(diagonal), np.array(off[: k - 1]))
    return np.asarray(values, dtype=float), np.asarray(vectors[0], dtype=float) ** 2


def _product(a: Array, b: Array) -> float:
    """A scalar product of long vectors by one thread: starting those of a linear algebra library takes longer."""
    return float(np.einsum("n,n", a, b))
