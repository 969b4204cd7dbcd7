"""Gaussian averages E f(z), z ~ N(0, 1), of functions with steps.

A rule turns the list of an integrand's steps, each a (centre, width) pair per batch element, into nodes and weights:

    z, weights = rule.nodes(centres, widths)      # both [B, n]; the weights contain the Gaussian density
    value = (weights * f(z)).sum(-1)

A step of width w at c means that f varies there as a smooth function of (z - c)/w. Gauss-Hermite rules do not see steps
narrower than their node spacing. The rules here substitute

    z = c + LINEAR log[ (1 + e exp(t)) / (1 + e exp(-t)) ],   e = w/(2 LINEAR),

which is c + w sinh(t) near the step and becomes linear, dz/dt = LINEAR, in the bulk of the Gaussian. The same number of
nodes is spent on every scale between w and 1, and none is wasted on the far side of an off-centre step. Both f and G
then have their nearest singularities, or begin to grow, at a fixed distance from the real t axis whatever w and c are,
so the trapezoid rule in t converges geometrically (Trefethen & Weideman, SIAM Review 56, 385, 2014).

Error estimates. Averages from `rule` and from `rule.refined()` differ by the error of the former; see `average_error`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.float64]

EDGE = 9.0  # the domain is |z| <= EDGE: the density there is 1e-18 and the mass beyond it 2e-19
_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
LINEAR = 2.75  # largest spacing dz/dt
_WIDE = 80.0  # steps wider than this over n need no grading: see EvenTrapezoid
_UNRESOLVED = 1e-16  # a step may be smeared over a width whose mass is below this


class Rule(Protocol):
    """A quadrature rule for Gaussian averages: what may be given as ``rule=`` to :meth:`spinodal.Model.solve`.

    An integrand's steps are (centre, width) pairs, arrays [B] or scalars; nodes and weights are [B, n] and the weights
    contain the Gaussian density.
    """

    @property
    def name(self) -> str:
        """Short name, for headers and messages."""
        ...

    @property
    def n(self) -> int:
        """Size: the number of nodes (per step, for rules on panels)."""
        ...

    def nodes(self, centres: Sequence[ArrayLike], widths: Sequence[ArrayLike]) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights [B, n] for steps given as arrays [B] (or scalars); [1, n] when there are no steps."""
        ...

    def refined(self) -> Rule:
        """The same rule with twice the nodes."""
        ...


def average_error(coarse: ArrayLike, fine: ArrayLike, magnitude: ArrayLike = 0.0) -> FloatArray:
    """Bound on the error of averages computed with `rule.refined()`, given the averages of rule and rule.refined().

    magnitude is E|f|, or any number of that size: it sets the floor of rounding errors, 32 eps E|f|. The rules converge
    geometrically, so |coarse - fine| is the error of the coarse value and exceeds that of the fine one by far. The
    bound is honest once the coarse rule begins to resolve the integrand: from 50 nodes on for the sinh rules, whatever
    the width. Gauss-Hermite rules can agree with each other and both miss a narrow step.

    >>> rule, step = Automatic(60), ([[0.3]], [0.01])
    >>> values = []
    >>> for r in (rule, rule.refined()):
    ...     z, weights = r.nodes(*step)
    ...     values.append((weights * np.tanh((z - 0.3) / 0.01)).sum(-1))
    >>> bool(average_error(*values)[0] < 1e-9)
    True
    """
    difference = np.abs(np.asarray(fine, dtype=np.float64) - np.asarray(coarse, dtype=np.float64))
    scale = np.maximum(np.abs(np.asarray(magnitude, dtype=np.float64)), np.abs(fine))
    return np.asarray(difference + 32.0 * np.finfo(np.float64).eps * scale)


@functools.lru_cache(maxsize=64)
def _hermite(n: int) -> tuple[FloatArray, FloatArray]:
    from scipy.special import roots_hermitenorm

    z, weights = roots_hermitenorm(n)
    return np.asarray(z), np.asarray(weights / weights.sum())


@functools.lru_cache(maxsize=64)
def gauss_legendre(n: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on [-1, 1] (read-only), to rounding.

    Newton's method from Tricomi's approximation to the zeros, in extended precision where the platform has it: the
    weights of numpy and scipy have errors of 2e-14 at 400 nodes.
    """
    k = np.arange(n, 0, -1, dtype=np.longdouble)
    x = (1 - (n - 1) / (8 * np.longdouble(n) ** 3)) * np.cos(np.pi * (k - 0.25) / (n + 0.5))
    for _ in range(6):
        before, value = np.ones_like(x), x
        for degree in range(2, n + 1):
            before, value = value, ((2 * degree - 1) * x * value - (degree - 1) * before) / degree
        slope = n * (before - x * value) / (1 - x * x)
        x = x - value / slope
    weights = 2 / ((1 - x * x) * slope * slope)
    rule = x.astype(np.float64), weights.astype(np.float64)
    for part in rule:
        part.setflags(write=False)
    return rule


@functools.lru_cache(maxsize=64)
def _even_legendre(n: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes on [-1, 1], transplanted to nearly even spacing.

    The map g(s), the arcsine series cut at s^9 and normalised, sends ellipses to flatter regions: integrands with
    singularities close to the whole interval, as under the sinh map, converge up to 1.3 times faster
    (Hale & Trefethen, SIAM J. Numer. Anal. 46, 930, 2008).
    """
    s, weights = gauss_legendre(n)
    series = np.array([1.0, 1.0 / 6.0, 3.0 / 40.0, 15.0 / 336.0, 105.0 / 3456.0])
    powers = 2 * np.arange(5) + 1
    g = (series * s[:, None] ** powers).sum(-1) / series.sum()
    slope = (series * powers * s[:, None] ** (powers - 1)).sum(-1) / series.sum()
    return g, weights * slope


def _as_steps(centres: Sequence[ArrayLike], widths: Sequence[ArrayLike]) -> list[tuple[FloatArray, FloatArray]]:
    """The steps as pairs of arrays of one batch shape, inside the domain, with widths that are worth resolving.

    A step outside the domain only matters through its distance. A step of weight G(c) need not be graded finer than the
    width whose mass is negligible: this also covers widths of zero.
    """
    if len(centres) != len(widths):
        raise ValueError(f"{len(centres)} centres but {len(widths)} widths")
    arrays = np.broadcast_arrays(*centres, *widths) if centres else []
    steps = []
    for centre, width in zip(arrays[: len(centres)], arrays[len(centres) :], strict=True):
        c, w = np.asarray(centre, dtype=np.float64), np.abs(np.asarray(width, dtype=np.float64))
        inside = np.minimum(np.maximum(c, -EDGE), EDGE)
        w = np.minimum(w + np.abs(c - inside), 1e8)
        w = np.maximum(w, np.minimum(_UNRESOLVED * np.exp(0.5 * inside * inside), 1.0))
        steps.append((inside, w))
    return steps


@dataclass(frozen=True)
class GaussHermite:
    """The n-node Gauss-Hermite rule. It ignores the steps: for integrands that are smooth on the scale 1/sqrt(n).

    >>> z, weights = GaussHermite(5).nodes()
    >>> f"{(weights * z**4).sum():.12f}"
    '3.000000000000'
    """

    n: int
    name: str = "Gauss-Hermite"

    def nodes(self, centres: Sequence[ArrayLike] = (), widths: Sequence[ArrayLike] = ()) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights, read-only views [B, n]."""
        z, weights = _hermite(self.n)
        shape = np.broadcast_shapes(*(np.shape(part) for part in (*centres, *widths))) if centres else (1,)
        return np.broadcast_to(z, (*shape, self.n)), np.broadcast_to(weights, (*shape, self.n))

    def refined(self) -> GaussHermite:
        """The rule with 2n nodes."""
        return GaussHermite(2 * self.n)


@dataclass(frozen=True)
class EvenTrapezoid:
    """The n-node trapezoid rule on |z| <= 9, with the same nodes for every state: for steps none of which is narrow.

    A function of (z - c)/w that is analytic for |Im z| < d, as 1/cosh is with d = 1.57 w and log H with d = 1.99 w, is
    averaged to exp(-2 pi d n/18): for w >= 80/n, below rounding (Trefethen & Weideman, SIAM Review 56, 385, 2014). Several
    such steps share the nodes, and no node costs an exponential.

    >>> z, weights = EvenTrapezoid(100).nodes()
    >>> f"{(weights * z**4).sum():.12f}"
    '3.000000000000'
    """

    n: int
    name: str = "even trapezoid"

    def resolves(self, widths: Sequence[ArrayLike]) -> bool:
        """Whether these steps, of all states, are wide enough."""
        narrow = _WIDE / self.n
        return all((w[0] if _is_one(w) else np.min(w)) >= narrow for w in widths)

    def nodes(self, centres: Sequence[ArrayLike] = (), widths: Sequence[ArrayLike] = ()) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights, read-only views [B, n]."""
        z, weights = _even(self.n)
        if all(_is_one(part) for part in (*centres, *widths)):
            return z, weights
        shape = np.broadcast_shapes(*(np.shape(part) for part in (*centres, *widths)))
        return np.broadcast_to(z[0], (*shape, self.n)), np.broadcast_to(weights[0], (*shape, self.n))

    def refined(self) -> EvenTrapezoid:
        """The rule with 2n nodes."""
        return EvenTrapezoid(2 * self.n)


@functools.lru_cache(maxsize=64)
def _even(n: int) -> tuple[FloatArray, FloatArray]:
    spacing = 2.0 * EDGE / n
    z: FloatArray = spacing * (np.arange(n, dtype=np.float64) - 0.5 * (n - 1))[None]
    weights: FloatArray = spacing * _INV_SQRT_2PI * np.exp(-0.5 * z * z)
    for part in (z, weights):
        part.setflags(write=False)
    return z, weights


@dataclass(frozen=True)
class SinhTrapezoid:
    """The n-node trapezoid rule under the sinh map, for one step.

    With 100 nodes the error, relative to max(1, E|f|), is below 2e-13 for widths from 0.01 up, wherever the centre is,
    for integrands of every kind: localised at the step, saturating, or growing away from it. For widths of 1e-3, 1e-4
    and 1e-6 it is below 2e-12, 4e-12 and 4e-9, and 200 nodes reach rounding. An f that vanishes but for z > 6, say,
    loses relative accuracy to the end of the domain.

    Source: Trefethen and Weideman, SIAM Review 56, 385 (2014), for the convergence of the trapezoid rule. The mean of
    Phi(a z + b) is Phi(b/sqrt(1 + a^2)); here a = 1000, a step of width 1/1000:

    >>> from spinodal.numeric.special import gaussian_tail
    >>> z, weights = SinhTrapezoid(100).nodes([[-0.5]], [1e-3])
    >>> mean = (weights * gaussian_tail(-1000.0 * (z + 0.5))).sum(-1)
    >>> bool(abs(mean - gaussian_tail(-500.0 / np.sqrt(1.0 + 1e6)))[0] < 2e-12)
    True
    """

    n: int
    name: str = "sinh trapezoid"

    def nodes(self, centres: Sequence[ArrayLike], widths: Sequence[ArrayLike]) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights [B, n].

        Raises:
            ValueError: for more than one step.
        """
        if len(centres) == len(widths) == 1 and _is_one(centres[0]) and _is_one(widths[0]):
            return _nodes_of_one(float(centres[0][0]), float(widths[0][0]), self.n)
        steps = _as_steps(centres, widths) or [(np.zeros(1), np.ones(1))]
        if len(steps) > 1:
            raise ValueError("SinhTrapezoid takes one step; use SinhPanels or Automatic for several")
        c, w = steps[0]
        first, last = _to_t(-EDGE - c, w), _to_t(EDGE - c, w)
        spacing = (last - first) / self.n
        epsilon = w * (0.5 / LINEAR)
        right = _geometric(first + 0.5 * spacing + np.log(epsilon), spacing, self.n)
        return _grade(right, epsilon[..., None], c[..., None], spacing[..., None])

    def refined(self) -> SinhTrapezoid:
        """The rule with 2n nodes."""
        return SinhTrapezoid(2 * self.n)


@functools.lru_cache(maxsize=64)
def _trapezoid(n: int) -> SinhTrapezoid:
    return SinhTrapezoid(n)


def _to_t(u: Any, w: Any) -> Any:
    """The inverse of the map: t at z = c + u."""
    half = u * (0.5 / LINEAR)
    return half + np.arcsinh(np.sinh(half) * (2.0 * LINEAR / w))


def _graded_nodes(
    c: FloatArray, w: FloatArray, offset: FloatArray, scale: FloatArray, s: FloatArray, weight_scale: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Nodes z at t = offset + scale s and the weights weight_scale (dz/dt) G(z); [..., n]."""
    epsilon = w * (0.5 / LINEAR)
    t = np.multiply.outer(scale, s)
    t += (offset + np.log(epsilon))[..., None]
    return _grade(np.exp(t, out=t), epsilon[..., None], c[..., None], weight_scale[..., None])


def _geometric(first: FloatArray, spacing: FloatArray, n: int) -> FloatArray:
    """exp(first + k spacing) for k = 0 ... n - 1, [..., n]: a quarter of them by exp, the others as multiples of those."""
    quarter = -(-n // 4)
    start = np.multiply.outer(spacing, np.arange(float(quarter)))
    start += first[..., None]
    np.exp(start, out=start)
    values = np.empty((*first.shape, n))
    values[..., :quarter] = start
    for k in range(quarter, n, quarter):
        part = values[..., k : k + quarter]
        np.multiply(start[..., : part.shape[-1]], np.exp(k * spacing)[..., None], out=part)
    return values


def _grade(right: FloatArray, epsilon: Any, c: Any, weight_scale: Any) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights at t, given as epsilon exp(t) and overwritten; the others are columns, or numbers for a state."""
    square = epsilon * epsilon
    left = square / right
    # dz/dt = LINEAR [right/(1 + right) + left/(1 + left)], where right left = epsilon^2.
    slope = right + left
    weights = slope + 2.0 * square
    slope += 1.0 + square
    weights /= slope
    # Rounding the ratio moves a node by about eps, and the average by eps times the variation of f.
    right += 1.0
    left += 1.0
    right /= left
    z = np.log(right, out=right)
    z *= LINEAR
    z += c
    np.multiply(z, z, out=left)
    left *= -0.5
    np.exp(left, out=left)
    left *= weight_scale * (LINEAR * _INV_SQRT_2PI)
    weights *= left
    return z, weights


def _is_one(part: ArrayLike) -> TypeGuard[FloatArray]:
    return isinstance(part, np.ndarray) and part.shape == (1,)


def _nodes_of_one(c: float, w: float, n: int) -> tuple[FloatArray, FloatArray]:
    """SinhTrapezoid's nodes [1, n] for a single step: the same arithmetic on numbers, in a few microseconds.

    Comparisons keep a first argument that is nan.
    """
    inside = min(max(c, -EDGE), EDGE)
    w = min(abs(w) + abs(c - inside), 1e8)
    w = max(w, min(_UNRESOLVED * float(np.exp(0.5 * inside * inside)), 1.0))
    first, last = _to_t(-EDGE - inside, w), _to_t(EDGE - inside, w)
    spacing = (last - first) / n
    epsilon = w * (0.5 / LINEAR)
    t = spacing * _count(n)
    t += first + 0.5 * spacing + np.log(epsilon)
    return _grade(np.exp(t, out=t), epsilon, inside, spacing)


@functools.lru_cache(maxsize=64)
def _count(n: int) -> FloatArray:
    return np.arange(float(n))[None]


@dataclass(frozen=True)
class SinhPanels:
    """Sinh-graded Gauss-Legendre panels for several steps: the domain is cut midway between neighbouring centres.

    Each step gets n nodes, so the rule has n times the number of steps. Within its panel a step of width w_i is graded
    to min(w_i, min_j (w_j + |c_i - c_j|)/2): a narrow step next to a wide one must be resolved from both sides of the
    cut.

    >>> z, weights = SinhPanels(80).nodes([[-1.0], [2.0]], [1e-2, 1e-4])
    >>> z.shape, f"{weights.sum():.12f}"
    ((1, 160), '1.000000000000')
    """

    n: int
    name: str = "sinh panels"

    def nodes(self, centres: Sequence[ArrayLike], widths: Sequence[ArrayLike]) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights [B, n * steps]."""
        steps = _as_steps(centres, widths) or [(np.zeros(1), np.ones(1))]
        c = np.stack([step[0] for step in steps], axis=-1)
        w = np.stack([step[1] for step in steps], axis=-1)
        order = np.argsort(c, axis=-1, kind="stable")
        c, w = np.take_along_axis(c, order, -1), np.take_along_axis(w, order, -1)
        reach = 0.5 * (w[..., None, :] + np.abs(c[..., :, None] - c[..., None, :]))
        own = np.arange(len(steps))
        reach[..., own, own] = np.inf
        w = np.minimum(w, reach.min(-1)) if len(steps) > 1 else w
        cuts = 0.5 * (c[..., 1:] + c[..., :-1])
        edge = np.full((*c.shape[:-1], 1), EDGE)
        lower, upper = np.concatenate([-edge, cuts], -1), np.concatenate([cuts, edge], -1)
        first, last = _to_t(lower - c, w), _to_t(upper - c, w)
        s, s_weights = _even_legendre(self.n)
        z, weights = _graded_nodes(c, w, 0.5 * (first + last), 0.5 * (last - first), s, 0.5 * (last - first))
        weights *= s_weights
        shape = (*c.shape[:-1], self.n * len(steps))
        return z.reshape(shape), weights.reshape(shape)

    def refined(self) -> SinhPanels:
        """The rule with 2n nodes per step."""
        return SinhPanels(2 * self.n)


def _same(a: ArrayLike, b: ArrayLike) -> bool:
    if _is_one(a) and _is_one(b):
        return bool(abs(a[0] - b[0]) <= 1e-12 * (1.0 + abs(a[0])))
    # centres computed in two ways differ by rounding, and need no panel between them
    first, second = np.asarray(a), np.asarray(b)
    return bool(np.all(np.abs(first - second) <= 1e-12 * (1.0 + np.abs(first))))


@dataclass(frozen=True)
class Automatic:
    """Chooses by the steps: none, Gauss-Hermite; wide ones, EvenTrapezoid; one, SinhTrapezoid; several, SinhPanels.

    >>> rule, centres, widths = Automatic(100).choose([0.5, 0.5, -1.0], [0.1, 0.2, 0.1])
    >>> rule.name, len(centres)
    ('sinh panels', 2)
    """

    n: int = 100
    name: str = "automatic"

    def choose(
        self, centres: Sequence[ArrayLike], widths: Sequence[ArrayLike]
    ) -> tuple[Rule, list[ArrayLike], list[ArrayLike]]:
        """The rule, and the steps with those merged whose centres coincide over the whole batch."""
        even = EvenTrapezoid(self.n)
        if centres and even.resolves(widths):
            return even, list(centres), list(widths)
        merged_centres: list[ArrayLike] = []
        merged_widths: list[ArrayLike] = []
        for centre, width in zip(centres, widths, strict=True):
            for k, known in enumerate(merged_centres):
                if known is centre or _same(known, centre):
                    merged_widths[k] = np.minimum(np.abs(merged_widths[k]), np.abs(width))
                    break
            else:
                merged_centres.append(centre)
                merged_widths.append(width)
        rule: Rule
        if not merged_centres:
            rule = GaussHermite(self.n)
        elif len(merged_centres) == 1:
            rule = _trapezoid(self.n)
        else:
            rule = SinhPanels(self.n)
        return rule, merged_centres, merged_widths

    def nodes(self, centres: Sequence[ArrayLike], widths: Sequence[ArrayLike]) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights of the chosen rule."""
        rule, merged_centres, merged_widths = self.choose(centres, widths)
        return rule.nodes(merged_centres, merged_widths)

    def refined(self) -> Automatic:
        """The rule with 2n nodes."""
        return Automatic(2 * self.n)
