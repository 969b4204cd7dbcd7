"""The free entropy of finitely many replicas, by replica algebra and sums over sampled fields, to check limits against.

* n -> 0: pairing and block at small real n, channels as (1/n) log E[Z^n] by nested Gauss-Hermite sums;
* y -> infinity: the tree with y copies, channels as (1/y) log E_xi[Z^y] by sums over a dense grid.

No closed form of the limit is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import sympy as sp

from spinodal.numeric.results import Array
from spinodal.symbolic.action import Action
from spinodal.symbolic.channel import Branch, Channel
from spinodal.symbolic.derivation import Derived
from spinodal.symbolic.features import pairing, random_feature_block
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.observables import log_weight


def coupled_free_entropies(
    derived: Derived, action: Action, point: dict[sp.Symbol, sp.Float], copies: Sequence[float]
) -> list[float] | None:
    """The free entropies of numbers of coupled copies; None where a channel is not of the kinds that are sampled."""
    structure = action.structure
    assert structure.infinite is not None
    table = with_definitions(derived, point)
    if table is None or (symbol("q_d_hat") not in table and action.diagonal_hat != 0):
        return None

    q, q_hat = (*structure.levels("q"), action.diagonal), (*structure.levels("q", hat=True), action.diagonal_hat)
    total = pairing(structure.tree, q, q_hat)
    if action.random:
        p = (*structure.levels("p"), symbol("p_d"))
        p_hat = (*structure.levels("p", hat=True), symbol("p_d_hat"))
        source = symbol("r_hat") * sp.sqrt(action.teacher_variance) if action.has_teacher else sp.Integer(0)
        inputs = pairing(structure.tree, p, p_hat) + random_feature_block(structure.tree, q, p_hat, source)
        total += action.inputs_per_weight * inputs
    if action.has_teacher:
        total -= action.inputs_per_weight * symbol("r") * symbol("r_hat")
    values = [float(sp.N(total.xreplace({structure.infinite: sp.Float(y)}).xreplace(table))) for y in copies]
    for channel in derived.channels:
        if not isinstance(channel, Channel):
            return None
        found = _coupled_channel(derived, channel, table, copies)
        if found is None:
            return None
        factor = 1.0 if channel.name == "prior" else float(point[symbol("alpha")])
        values = [value + factor * part for value, part in zip(values, found, strict=True)]
    return values


def _coupled_channel(
    derived: Derived, channel: Channel, table: dict[sp.Symbol, sp.Float], copies: Sequence[float]
) -> list[float] | None:
    """E_omega (1/y) log E_xi Z(omega + xi)^y, xi ~ N(0, D/y), from the leaves' defining sums and integrals, for each y."""
    top, spread = (float(table[v]) for v in channel.levels)
    outer = [top - spread / y for y in copies]
    teacher = number(channel.teacher, table)
    z, weight = normal_grid(8.5, 2001)  # fine enough for slopes that jump
    totals = [0.0] * len(copies)
    for branch in channel.branches:
        if branch.planted:
            return None
        share = number(branch.weight, table)
        fields = [fields_of(branch, teacher, variance, z, table) for variance in outer]
        reach = 8.0 * np.sqrt(spread) + 2.0 * spread
        t = np.linspace(min(omega[0] for omega in fields) - reach, max(omega[-1] for omega in fields) + reach, 8001)
        logs = _direct_log_partition(derived, branch.student, t, float(table[channel.variance]), table)
        if logs is None:
            return None
        for k, (y, variance, omega) in enumerate(zip(copies, outer, fields, strict=True)):
            norm = np.log((t[1] - t[0]) / np.sqrt(2.0 * np.pi * spread / y))
            parts = np.array_split(omega, 20)
            logs_of = [_log_sums(y * (logs - (t - part[:, None]) ** 2 / (2.0 * spread))) for part in parts]
            heights = (np.concatenate(logs_of) + norm) / y
            factor = weight
            if branch.teacher is not None:
                residual = number(channel.teacher_variance, table) - teacher**2 / variance
                seen = _direct_log_partition(derived, branch.teacher, teacher / np.sqrt(variance) * z, residual, table)
                if seen is None:
                    return None
                factor = weight * np.exp(seen)
            totals[k] += share * float(np.sum(factor * heights))
    return totals


def number(expression: sp.Expr | float, table: Mapping[sp.Symbol, sp.Float]) -> float:
    """The value of an expression at a state."""
    if isinstance(expression, int | float):
        return float(expression)
    return float(sp.N(expression.xreplace(dict(table))))


def normal_grid(edge: float, size: int) -> tuple[Array, Array]:
    """Evenly spaced nodes of a standard normal variable and their weights, which sum to 1."""
    z = np.linspace(-edge, edge, size)
    weight = np.exp(-z * z / 2)
    return z, weight / weight.sum()


def fields_of(branch: Branch, teacher: float, variance: float, z: Array, table: Mapping[sp.Symbol, sp.Float]) -> Array:
    """A branch's fields at standard normal nodes.

    Args:
        branch: what the teacher's label says of the field's mean and of its variance.
        teacher: the overlap with the teacher.
        variance: of the field under the outermost average, where nothing of the teacher is known.
        z: standard normal nodes, [n].
        table: the state.
    """
    m = sp.Float(teacher)
    spread = number(branch.covariance(sp.Float(variance), m, m), table)
    return np.asarray(number(branch.mean(m), table) + np.sqrt(spread) * z)


def with_definitions(derived: Derived, point: dict[sp.Symbol, sp.Float]) -> dict[sp.Symbol, sp.Float] | None:
    """Order parameters, parameters and auxiliary quantities at a point; None where these are not numbers."""
    table = dict(point)
    for definition in derived.definitions:
        value = sp.N(sp.sympify(definition.expression).xreplace(table).doit())
        if value.free_symbols or not value.is_number:
            return None
        table[definition.symbol] = sp.Float(value)
    return table


def replicated_free_entropy(derived: Derived, point: dict[sp.Symbol, sp.Float]) -> float | None:
    """The free entropy with channels at small real n, extrapolated to 0; None where a channel cannot be sampled."""
    table = with_definitions(derived, point)
    if table is None:
        return None
    pieces = sp.Add(*derived.pieces.values())
    if symbol("q_d_hat") in pieces.free_symbols and symbol("q_d_hat") not in table:
        table[symbol("q_d_hat")] = table[symbol("_variance_w")] + table[symbol("q_hat")]
    total = float(pieces.xreplace(table))
    bayes = derived.spec.ansatz.scheme == "bayes-optimal"
    for channel in derived.channels:
        if not isinstance(channel, Channel):
            return None
        overlap = channel.overlap
        teacher = channel.teacher
        lookup = dict(table)
        if bayes and isinstance(teacher, sp.Symbol):
            lookup[teacher] = lookup[overlap]
        limits = []
        for n in (2e-4, 1e-4):
            value = _replicated_channel(derived, channel, lookup, n)
            if value is None:
                return None
            limits.append(value)
        factor = 1.0 if channel.name == "prior" else point[symbol("alpha")]
        total += factor * (2.0 * limits[1] - limits[0])
    return total


def _replicated_channel(derived: Derived, channel: Channel, table: dict[sp.Symbol, sp.Float], n: float) -> float | None:
    """(1/n) log E_teacher E_omega [Z(omega)^n], from the leaves' defining sums and integrals."""
    assert isinstance(channel, Channel)
    overlap = float(table[channel.overlap])
    variance = float(table[channel.variance])
    teacher = number(channel.teacher, table)
    z, weight = normal_grid(9.0, 1201)
    total, norm = 0.0, 0.0
    for branch in channel.branches:
        if branch.planted:
            return None
        share = number(branch.weight, table)
        omega = fields_of(branch, teacher, overlap, z, table)
        logs = _block_heights(derived, channel, branch.student, omega, variance, table)
        if logs is None:
            return None
        factor = weight
        if branch.teacher is not None:
            residual = float(table[channel.teacher_residual])
            teacher_logs = _direct_log_partition(derived, branch.teacher, teacher / np.sqrt(overlap) * z, residual, table)
            if teacher_logs is None:
                return None
            factor = weight * np.exp(teacher_logs)
        total += share * float(np.sum(factor * np.exp(n * logs)))
        norm += share * float(np.sum(factor))
    return float(np.log(total / norm) / n) * norm


def _block_heights(
    derived: Derived, channel: Channel, tag: str, omega: Array, variance: float, table: dict[sp.Symbol, sp.Float]
) -> Array | None:
    """Log Z per replica of the outermost blocks at their fields: (1/m) log E[Z^m], level by level, by sums on a grid."""
    levels = [float(table[v]) for v in channel.levels]
    if len(levels) == 1:
        return _direct_log_partition(derived, tag, omega, variance, table)
    sizes = [number(size, table) for size in channel.sizes]
    reach = 12.0 * np.sqrt(levels[-1] - levels[0])
    t = np.linspace(omega[0] - reach, omega[-1] + reach, 2401)
    logs = _direct_log_partition(derived, tag, t, variance, table)
    if logs is None:
        return None
    for level in range(len(levels) - 1, 0, -1):
        spread, size = levels[level] - levels[level - 1], sizes[level - 1]
        target = omega if level == 1 else t
        norm = np.log((t[1] - t[0]) / np.sqrt(2.0 * np.pi * spread))
        logs = (_log_sums(size * logs - (t - target[:, None]) ** 2 / (2.0 * spread)) + norm) / size
    return np.asarray(logs)


def _direct_log_partition(
    derived: Derived, tag: str, omega: Array, variance: float, table: dict[sp.Symbol, sp.Float]
) -> Array | None:
    """Log Z from the definition: a sum over weights, or Gauss-Hermite free trapezoid over the field."""
    leaf = derived.leaves[tag]
    if leaf.values:
        values = [number(v, table) for v in leaf.values]
        levels = [number(v, table) for v in leaf.log_levels]
        exponents = np.stack([lv + omega * w + variance * w * w / 2 for lv, w in zip(levels, values, strict=True)])
        top = exponents.max(axis=0)
        return np.asarray(top + np.log(np.exp(exponents - top).sum(axis=0)))
    log_f = sp.sympify(log_weight(leaf)).xreplace(table)
    if log_f.free_symbols - {leaf.variable}:
        return None
    function = sp.lambdify(leaf.variable, log_f, modules=[{"Tail": _tail, "Heaviside": np.heaviside}, "numpy"])
    if leaf.variable == symbol("w"):
        gauss_nodes, gauss_weights = np.polynomial.legendre.leggauss(24)
        grid = np.unique([*np.linspace(-60.0, 60.0, 241), *(number(s, table) for s in (*leaf.splits, *(leaf.places or ())))])
        width = np.diff(grid)[:, None] / 2
        w, log_mass = (grid[:-1, None] + width + width * gauss_nodes).ravel(), np.log(width * gauss_weights).ravel()
        with np.errstate(all="ignore"):
            exponent = np.asarray(function(w)) + 0.0 * w + log_mass
        return np.array([_log_sum(exponent + o * w + variance * w * w / 2, 1.0) for o in omega])
    # panels cut at the loss's edges, so that the defining integral is smooth on each
    edges = [e for i in leaf.edges for e in (i.lower, i.upper) if e not in (sp.oo, -sp.oo)] + list(leaf.splits)
    cuts = sorted({number(e, table) for e in edges})
    nodes, gauss = np.polynomial.legendre.leggauss(24)
    result = np.empty_like(omega)
    sigma = np.sqrt(variance)
    for k, o in enumerate(omega):
        grid = np.unique(np.concatenate([np.linspace(o - 12 * sigma, o + 12 * sigma, 25), cuts]))
        half = np.diff(grid)[:, None] / 2
        h = (grid[:-1, None] + half + half * nodes).ravel()
        mass = (half * gauss).ravel()
        with np.errstate(all="ignore"):
            log_density = np.asarray(function(h)) + 0.0 * h - (h - o) ** 2 / (2 * variance)
        top = np.max(log_density)
        if top == -np.inf:
            result[k] = top
            continue
        result[k] = top + np.log(np.sum(mass * np.exp(log_density - top)) / np.sqrt(2 * np.pi * variance))
    return result


def _log_sums(logs: Array) -> Array:
    top = np.max(logs, axis=1)
    return np.asarray(top + np.log(np.sum(np.exp(logs - top[:, None]), axis=1)))


def _log_sum(logs: Array, spacing: float) -> float:
    top = float(np.max(logs))
    return top + float(np.log(np.sum(np.exp(logs - top)) * spacing))


def _tail(x: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(ndtr(-x))
