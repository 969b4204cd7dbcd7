"""The check of a ground state against what it is the limit of: replicas at small temperatures, energies minimised on a grid.

* pairing and feature block: the replica algebra at temperatures T, 2T, 4T with the overlaps and conjugates that the scaling
  says, times T, extrapolated to T = 0;
* channels: E_omega of the largest value of minus energy and pull on a dense grid of fields and of maximisers; in blocks of
  mu T copies (1/mu) log of its exponential's average over a grid.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp

from spinodal.numeric.results import Array
from spinodal.replicated_checks import fields_of, normal_grid, number
from spinodal.symbolic.action import Action
from spinodal.symbolic.channel import Branch, Channel
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.symbols import ALPHA, INVERSE_TEMPERATURE

#: The inverse temperatures of the replica algebra.
_BETAS = (1e3, 2e3, 4e3)
#: Half-width and size of the grid of fields; size of the grid of maximisers.
_EDGE, _FIELDS, _GRID = 8.5, 2001, 16001

Table = Mapping[sp.Symbol, sp.Float]


def ground_free_entropy(action: Action, table: Table) -> float | None:
    """T phi at a state, independently of its closed forms; None where that is not possible."""
    values = []
    for beta in _BETAS:
        replicated = action.replicated_pieces.subs(INVERSE_TEMPERATURE, sp.Float(beta)) / beta
        values.append(float(sp.N(replicated.xreplace(dict(table)))))
    a, b, c = values
    total = (4.0 * (2.0 * c - b) - (2.0 * b - a)) / 3.0
    for use in action.identified_uses:
        found = _channel(use.channel, table)
        if found is None:
            return None
        total += found * (1.0 if use.channel.name == "prior" else float(table[ALPHA]))
    return total


def _channel(channel: Channel, table: Table) -> float | None:
    """E_omega max_t, branch by branch, with the teacher's weight by its own closed form."""
    overlap, teacher, variance = (number(e, table) for e in (channel.overlap, channel.teacher, channel.variance))
    z, weight = normal_grid(_EDGE, _FIELDS)
    total = 0.0
    for branch in channel.branches:
        if branch.planted:
            return None
        omega = fields_of(branch, teacher, overlap, z, table)
        if len(channel.levels) == 1:
            heights = _heights(channel.leaves[branch.student], omega, variance, table)
        else:
            spread = number(channel.levels[1] - channel.levels[0], table)
            size = number(channel.sizes[0], table)
            heights = _in_blocks(channel.leaves[branch.student], omega, variance, table, spread, size)
        if heights is None:
            return None
        total += number(branch.weight, table) * float(np.sum(weight * _seen(channel, branch, z, table) * heights))
    return total


def _in_blocks(leaf: Leaf, centres: Array, variance: float, table: Table, spread: float, size: float) -> Array | None:
    """(1/mu) log E e^(mu Lambda) over fields of variance ``spread`` around the centres, by sums over a grid."""
    reach = 12.0 * np.sqrt(spread)
    ends = _heights(leaf, np.array([centres[-1], centres[-1] + reach]), variance, table)
    if ends is not None:  # the weight pulls its field outwards
        reach += 2.0 * size * spread * max(0.0, float(ends[1] - ends[0]) / reach)
    omega = np.linspace(centres[0] - reach, centres[-1] + reach, 4 * _FIELDS + 1)
    heights = _heights(leaf, omega, variance, table)
    if heights is None:
        return None
    found = np.empty_like(centres)
    for part in np.array_split(np.arange(centres.size), 20):
        exponent = size * heights - (omega - centres[part][:, None]) ** 2 / (2.0 * spread)
        top = exponent.max(axis=1)
        found[part] = top + np.log(np.exp(exponent - top[:, None]).sum(axis=1))
    return np.asarray((found + np.log((omega[1] - omega[0]) / np.sqrt(2.0 * np.pi * spread))) / size)


def _seen(channel: Channel, branch: Branch, z: Array, table: Table) -> Array:
    """What the teacher weighs fields by."""
    if branch.teacher is None:
        return np.ones_like(z)
    omega = sp.Symbol("_seen", real=True)
    partition = channel.leaves[branch.teacher].partition(0, omega, channel.teacher_residual)
    slope = channel.teacher / sp.sqrt(channel.overlap)
    function = sp.lambdify(omega, partition.xreplace(dict(table)), modules=[{"Tail": _tail}, "scipy", "numpy"])
    return np.asarray(function(float(sp.N(slope.xreplace(dict(table)))) * z) + 0.0 * z)


def _heights(leaf: Leaf, omega: Array, variance: float, table: Table) -> Array | None:
    """The maxima at all fields."""
    potential = sp.sympify(leaf.log_weight).xreplace(dict(table))
    if potential.free_symbols - {leaf.variable}:
        return None
    function = sp.lambdify(leaf.variable, potential, modules=[{"Heaviside": np.heaviside}, "numpy"])
    pulled = leaf.variable.name == "w"
    t = np.array([number(value, table) for value in leaf.values]) if leaf.values else _grid(leaf, omega, variance, table)
    level = np.asarray(function(t)) + 0.0 * t
    step = float(np.max(np.diff(t), initial=0.0))
    found = np.empty_like(omega)
    for part in np.array_split(np.arange(omega.size), 50):
        field = omega[part][:, None]
        pull = field * t + 0.5 * variance * t * t if pulled else -((t - field) ** 2) / (2.0 * variance)
        value = level + pull
        found[part] = value.max(axis=1)
        if leaf.values:
            continue
        near = t[np.argmax(value, axis=1)][:, None] + step * np.linspace(-1.0, 1.0, 41)
        pull = field * near + 0.5 * variance * near * near if pulled else -((near - field) ** 2) / (2.0 * variance)
        found[part] = np.maximum(found[part], np.max(np.asarray(function(near)) + 0.0 * near + pull, axis=1))
    return found


def _grid(leaf: Leaf, omega: Array, variance: float, table: Table) -> Array:
    """Candidates for the maximiser, with the energy's kinks and points just beside them."""
    scale = -1.0 / variance if leaf.variable.name == "w" and variance < 0.0 else 1.0
    reach = 4.0 * (1.0 + np.max(np.abs(omega))) * max(scale, 1e-2)
    kinks = [number(split, table) for split in leaf.splits]
    beside = [kink + side for kink in kinks for side in (-1e-12, 0.0, 1e-12)]
    return np.unique(np.concatenate([np.linspace(-reach, reach, _GRID), beside]))


def _tail(x: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(ndtr(-x))
