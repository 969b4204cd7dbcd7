"""Single-site partition functions: the leaves of a channel, each with the closed form it has, if it has one.

A leaf is Z(omega, V): the weight prior tilted by a field, ``Tr_w exp(omega w + V w^2 / 2)``, or the loss averaged over the
last level of the student's field, ``E_{h ~ N(omega, V)} f(y, h)``. It knows its logarithm's derivatives in omega, where in
omega it changes fast (for the quadrature), and the function it averages (for tilted averages and independent checks).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import sympy as sp

from spinodal.symbolic.formulas import Interval, Region
from spinodal.symbolic.functions import Density, LogDensity, LogTail, LogTwoCosh, Primitive, Tail
from spinodal.symbolic.ground import Ground
from spinodal.symbolic.maximisers import HIGHEST, UNIQUE

LeafKind = Literal["half-line", "intervals", "quadratic", "two-cosh", "discrete", "density", "pieces", "numerical"]


@dataclass(frozen=True, slots=True)
class Step:
    """A place in omega where a leaf changes over a distance ``sqrt(spread)`` (+ V when ``smoothed``)."""

    position: sp.Expr
    spread: sp.Expr
    smoothed: bool = True


#: How far beside a point one of its sides is looked at.
_BESIDE = sp.Rational(1, 10**9)
#: Where concavity is looked at: around splits, and far from them.
_AROUND, _FAR = (-0.5, -0.01, -1e-4, 1e-4, 0.01, 0.5), (-20.0, -8.0, -4.1, -1.9, -0.77, 0.83, 2.1, 3.9, 8.0, 20.0)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One partition function Z(omega, V).

    Attributes:
        tag: its name in expressions and in the generated module.
        kind: which closed form or primitive evaluates it.
        label: the label it is conditioned on (an expression in planted variables, a number, or 0 for none).
        edges: for ``half-line`` and ``intervals``: the intervals of h.
        log_levels: one log weight per interval; for ``discrete`` one per value.
        values: for ``discrete``: the values of w.
        quadratic: for ``quadratic``: (c, A, B) of ``log f = c - A h^2/2 - B h``; for ``two-cosh``: (c, a, b) of
            ``Z = e^(c + V a^2/2) 2 cosh(a omega + b)``; for ``pieces``: (c, A, B) as step functions of a point h.
        log_weight: log f as an expression in ``variable`` (and the label), for numerical leaves and tilted averages.
        variable: ``h`` or ``w``.
        splits: where ``log_weight`` is not smooth.
        places: where a density that may have several modes has narrow ones; None where it has one for all that is known.
        smoothing: a variance added to V (a label's own noise).
        domain: conditions, each an expression that must stay positive, with what it means.
        taken: lambda, where the variable is the difference h - lambda y that a loss reads of a real label; else 0.
        ground: whether this is the limit T -> 0 of T log Z (``ground.py``); ``log_weight`` is then minus the energy.
    """

    tag: str
    kind: LeafKind
    variable: sp.Symbol
    label: sp.Expr = sp.Integer(0)
    edges: Region = ()
    log_levels: tuple[sp.Expr, ...] = ()
    values: tuple[sp.Expr, ...] = ()
    quadratic: tuple[sp.Expr, ...] = ()
    log_weight: sp.Expr = sp.Integer(0)
    splits: tuple[sp.Expr, ...] = ()
    places: tuple[sp.Expr, ...] | None = None
    smoothing: sp.Expr = sp.Integer(0)
    domain: tuple[tuple[sp.Expr, str], ...] = field(default=())
    taken: sp.Expr = sp.Integer(0)
    ground: bool = False

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """What a solver evaluates besides edges."""
        places = self.places or ()
        return (*self.log_levels, *self.values, self.log_weight, self.smoothing, *self.splits, *places)

    @property
    def is_closed(self) -> bool:
        """Whether log Z is an elementary expression, integrable or not."""
        return self.kind == "quadratic" or (self.kind in ("half-line", "two-cosh") and not self.ground)

    @property
    def single_peaked(self) -> bool:
        """Whether ``log Z(t) - (t - omega)^2/(2D)`` is known to have one maximum only: Z log-concave, or quadratic.

        An indicator of an interval is log-concave, and so is its average over a Gaussian (Prekopa). Of energies no convexity
        is assumed: where the maximiser never jumps, the sums over its jumps are empty.
        """
        return self.kind in ("half-line", "quadratic") or (self.kind == "intervals" and len(self.edges) == 1)

    def log_derivative(self, order: int, omega: sp.Expr, variance: sp.Expr) -> sp.Expr:
        """The derivative of that order in omega of log Z, in closed form or as a :class:`Primitive`."""
        if self.ground:
            return self._ground_derivative(order, omega, variance)
        match self.kind:
            case "half-line":
                (interval,) = self.edges
                scale = 1 / sp.sqrt(variance + self.smoothing)
                if interval.upper == sp.oo:
                    return (-scale) ** order * LogTail(sp.Integer(order), (interval.lower - omega) * scale)
                return scale**order * LogTail(sp.Integer(order), (omega - interval.upper) * scale)
            case "quadratic" if self.variable.name == "h":
                c, a, b = self.quadratic
                gain = 1 + a * variance
                value = c - sp.log(gain) / 2 - (a * omega**2 / 2 + b * omega - b**2 * variance / 2) / gain
                return value if order == 0 else _polynomial_derivative(value, omega, order)
            case "quadratic":
                c, a, b = self.quadratic
                stiffness = a - variance
                value = c - sp.log(stiffness) / 2 + (omega - b) ** 2 / (2 * stiffness)
                return value if order == 0 else _polynomial_derivative(value, omega, order)
            case "two-cosh":
                c, a, b = self.quadratic
                value = a**order * LogTwoCosh(sp.Integer(order), a * omega + b)
                return value + c + a**2 * variance / 2 if order == 0 else value
            case _:
                return Primitive(sp.Symbol(self.tag), sp.Integer(order), omega, variance, self.label)

    def _ground_derivative(self, order: int, omega: sp.Expr, variance: sp.Expr) -> sp.Expr:
        """The same for the limit of T log Z."""
        if self.kind != "quadratic":
            which = UNIQUE if self.single_peaked else HIGHEST
            return Ground(which, sp.Integer(order), sp.Symbol(self.tag), omega, variance, self.label)
        c, a, b = self.quadratic
        if self.variable.name == "h":
            value = c - (a * omega**2 / 2 + b * omega - b**2 * variance / 2) / (1 + a * variance)
        else:
            value = c + (omega - b) ** 2 / (2 * (a - variance))
        return value if order == 0 else _polynomial_derivative(value, omega, order)

    @property
    def has_closed_partition(self) -> bool:
        """Whether Z itself is a sum of Gaussian tails that loses no accuracy.

        Where an interval between two edges, or a gap between two intervals, is excluded, Z is a small difference of tails; a
        student's score is large just where it vanishes, so that the terms of the difference must not be averaged one by one.
        """
        ends = {e for i in self.edges for e in (i.lower, i.upper) if e not in (sp.oo, -sp.oo)}
        whole = self.kind == "intervals" and self.edges[0].lower == -sp.oo and self.edges[-1].upper == sp.oo
        gapless = whole and all(a.upper == b.lower for a, b in pairwise(self.edges))
        return self.kind == "half-line" or (self.kind == "intervals" and (gapless or len(ends) < 2))

    def partition(self, order: int, omega: sp.Expr, variance: sp.Expr) -> sp.Expr:
        """The derivative of that order in omega of Z itself (used for a teacher, whose Z enters linearly)."""
        # at a given field nothing diverges beside a difference of tails
        if self.has_closed_partition or (self.kind == "intervals" and omega.is_number):
            scale = 1 / sp.sqrt(variance + self.smoothing)
            total: sp.Expr = sp.Integer(0)
            levels = self.log_levels or (sp.Integer(0),) * len(self.edges)
            for interval, level in zip(self.edges, levels, strict=True):
                weight = level.args[0] if isinstance(level, sp.log) else sp.exp(level)
                total += weight * _mass_derivative(order, interval, omega, scale)
            return total
        return _bell(order, [self.log_derivative(k, omega, variance) for k in range(order + 1)])

    @property
    def kinks(self) -> tuple[sp.Expr, ...]:
        """Where f is not smooth."""
        ends = [e for i in self.edges for e in (i.lower, i.upper) if e not in (sp.oo, -sp.oo)]
        return tuple(dict.fromkeys((*ends, *self.splits))) if self.smoothing == 0 else ()

    def weight(self, point: sp.Expr) -> sp.Expr:
        """The averaged function f itself, at a point."""
        if self.kind not in ("half-line", "intervals"):
            return sp.exp(self.log_weight.subs(self.variable, point))
        if self.smoothing != 0:
            return self.partition(0, point, sp.Integer(0))
        pieces = []
        for interval, level in zip(self.edges, self.log_levels, strict=True):
            inside = [point >= interval.lower] if interval.lower != -sp.oo else []
            inside += [point <= interval.upper] if interval.upper != sp.oo else []
            pieces.append((level.args[0] if isinstance(level, sp.log) else sp.exp(level), sp.And(*inside)))
        return sp.Piecewise(*pieces, (0, True))

    def field_density(self, h: sp.Expr, omega: sp.Expr, variance: sp.Expr) -> sp.Expr:
        """The density of the field h under N(omega, V), over Z(omega, V): in the exponent, where both may be tiny."""
        peak = LogDensity((h - omega) / sp.sqrt(variance))
        return sp.exp(peak - self.log_derivative(0, omega, variance)) / sp.sqrt(variance)

    def _takeovers(self, variance: sp.Expr) -> tuple[Step, ...]:
        """Where the tail of a heavier neighbour drowns in an interval of lower level: H(x) = exp(-difference).

        That is about x = sqrt(2 difference) standard deviations inside the lighter interval, over 1/x of them.
        """
        found = []
        for left, right, first, second in zip(
            self.edges, self.edges[1:], self.log_levels, self.log_levels[1:], strict=False
        ):
            difference = first - second
            if left.upper != right.lower or difference == 0 or difference.has(sp.oo):
                continue
            size = sp.Abs(difference)
            depth = sp.sqrt(2 * size * variance)
            for side in (-1, 1):
                found.append(Step(left.upper + side * depth, variance / (1 + 2 * size), smoothed=False))
        return tuple(found)

    def _crossings(self, variance: sp.Expr) -> tuple[Step, ...]:
        """Where two weights of a discrete prior exchange dominance, over the inverse of their difference."""

        def size(j: int) -> float:
            value = self.values[j]
            return float(sp.N(value.subs(dict.fromkeys(value.free_symbols, 1))))

        order = sorted(range(len(self.values)), key=size)
        found = []
        for a, b in _pairs(len(order)):
            low, high = order[a], order[b]
            gap = self.values[high] - self.values[low]
            tilt = self.log_levels[high] - self.log_levels[low]
            tilt += variance * (self.values[high] ** 2 - self.values[low] ** 2) / 2
            found.append(Step(sp.expand(-tilt / gap), 1 / gap**2, smoothed=False))
        return tuple(found)

    def steps(self, variance: sp.Expr) -> tuple[Step, ...]:
        """Where log Z changes fast in omega, at a given V."""
        match self.kind:
            case "half-line" | "intervals":
                ends = [e for i in self.edges for e in (i.lower, i.upper) if e not in (sp.oo, -sp.oo)]
                own = tuple(Step(end, self.smoothing) for end in dict.fromkeys(ends))
                return (*own, *self._takeovers(variance + self.smoothing))
            case "two-cosh":
                _c, a, b = self.quadratic
                return (Step(-b / a, 1 / a**2, smoothed=False),)
            case "numerical" | "pieces":
                return tuple(Step(split, self.smoothing) for split in self.splits) or (Step(sp.Integer(0), sp.Integer(1)),)
            case "discrete":
                return self._crossings(variance)
            case "density":
                # a kink at w is felt where the tilted weight sits on it, omega = -V w, over the tilted weight's width
                places = dict.fromkeys((sp.Integer(0), *self.splits))
                return tuple(Step(-variance * w, 1 + sp.Abs(variance), smoothed=False) for w in places)
            case _:
                return ()


def field_crossings(leaf: Leaf, point: sp.Expr, variance: sp.Expr) -> tuple[Step, ...]:
    """Where in omega the field in a leaf's tilted measure crosses a point h: averages of what jumps there change fast.

    The most probable field is the point at omega = h - V (log f)'(h), where its standard deviation s is felt over V/s in
    omega. Where log f has a kink at the point, both sides count.
    """
    if leaf.variable.name != "h" or leaf.ground:
        return ()
    if leaf.kind not in ("quadratic", "pieces", "numerical"):
        return (Step(point, leaf.smoothing),)
    found: dict[Step, None] = {}
    for side in (-_BESIDE, _BESIDE):
        if leaf.kind == "numerical":
            at = {leaf.variable: point + side}
            slope, curvature = (sp.diff(leaf.log_weight, leaf.variable, n).subs(at) for n in (1, 2))
            if (slope + curvature).has(sp.Derivative, sp.DiracDelta, sp.nan, sp.zoo, sp.oo, sp.Subs):
                return (Step(point, leaf.smoothing),)
            curvature = sp.Min(curvature, sp.S.Half / variance)  # beyond it the tilted measure has two peaks
        else:
            at = {leaf.variable: point + side if leaf.kind == "pieces" else point}
            _c, a, b = (sp.sympify(part).subs(at) for part in leaf.quadratic)
            slope, curvature = -a * point - b, -a
        found[Step(point - variance * slope, leaf.smoothing - variance**2 * curvature)] = None
    return tuple(found)


def exchanges(leaf: Leaf, at: Mapping[sp.Symbol, float]) -> bool:
    """Whether pieces of a leaf's weight may exchange dominance where only numbers tell (``Leaf.steps`` knows the rest)."""
    if leaf.kind == "intervals":
        return leaf.smoothing == 0 and len(leaf.splits) > 1 and len(set(leaf.log_levels)) > 2
    if leaf.kind == "density":
        return leaf.places is not None
    return leaf.kind == "pieces" and not is_concave(leaf, at)


def is_concave(leaf: Leaf, at: Mapping[sp.Symbol, float]) -> bool:
    """Whether a leaf's log-weight is concave in its variable, at generic parameters: its tilted measure has one peak."""
    x = leaf.variable
    table = {**at, **{s: 0.7 for s in leaf.log_weight.free_symbols if s not in at and s != x}}
    places = sorted(
        {*(float(sp.N(s.subs(table))) + d for s in (*leaf.splits, *(leaf.places or ())) for d in _AROUND), *_FAR}
    )
    formula = leaf.log_weight.subs(table)
    numbers = [sp.N(formula.subs(x, place)) for place in places]
    inside = [k for k, number in enumerate(numbers) if number.is_real and number.is_finite]  # elsewhere f vanishes
    if not inside or inside[-1] - inside[0] >= len(inside):
        return False
    places, values = [places[k] for k in inside], [float(numbers[k]) for k in inside]
    slopes = [(b - a) / (q - p) for (p, q), (a, b) in zip(pairwise(places), pairwise(values), strict=True)]
    return all(after <= before + 1e-7 * (1.0 + abs(before)) for before, after in pairwise(slopes))


def _pairs(count: int) -> list[tuple[int, int]]:
    """Neighbours, and the two ends (which compete directly when V > 0)."""
    neighbours = [(j, j + 1) for j in range(count - 1)]
    return neighbours if count < 3 else [*neighbours, (0, count - 1)]


@lru_cache(maxsize=4096)
def _polynomial_derivative(value: sp.Expr, omega: sp.Expr, order: int) -> sp.Expr:
    dummy = sp.Dummy("omega")
    return value.subs(omega, dummy).diff(dummy, order).subs(dummy, omega)


def _mass_derivative(order: int, interval: Interval, omega: sp.Expr, scale: sp.Expr) -> sp.Expr:
    """The derivative in omega of a Gaussian's mass on an interval; H of the near side where there is only one edge.

    (1 - H(x) keeps no digits where it vanishes, and a student's score may diverge just there.)
    """
    if interval.lower == -sp.oo and interval.upper != sp.oo:
        return (-1) ** order * _tail_derivative(order, -interval.upper, -omega, scale)
    return _tail_derivative(order, interval.lower, omega, scale) - _tail_derivative(order, interval.upper, omega, scale)


def _tail_derivative(order: int, edge: sp.Expr, omega: sp.Expr, scale: sp.Expr) -> sp.Expr:
    """The derivative of H((edge - omega) scale) in omega: scale^k He_{k-1}(x) G(x)."""
    if edge == sp.oo:
        return sp.Integer(0)
    if edge == -sp.oo:
        return sp.Integer(1 if order == 0 else 0)
    x = (edge - omega) * scale
    if order == 0:
        return Tail(x)
    dummy = sp.Dummy("x")
    hermite = sp.expand(2 ** sp.Rational(1 - order, 2) * sp.hermite(order - 1, dummy / sp.sqrt(2)))
    return scale**order * hermite.subs(dummy, x) * Density(x)


def _bell(order: int, logs: list[sp.Expr]) -> sp.Expr:
    """The derivative of exp(L) from the derivatives of L (complete Bell polynomials)."""
    bell: list[sp.Expr] = [sp.Integer(1)]
    for n in range(order):
        bell.append(sp.Add(*(sp.binomial(n, k) * bell[n - k] * logs[k + 1] for k in range(n + 1))))
    return sp.exp(logs[0]) * bell[order]
