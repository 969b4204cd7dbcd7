"""The intermediate representation between a derivation and a solver module.

A :class:`Program` is a list of routines; a routine computes some outputs from ``x`` (order parameters) and ``p``
(parameters) in three parts: scalar assignments, kernels (one pass over quadrature nodes each, giving several averages at
once), and scalar assignments again. Expressions are SymPy; all names are explicit; nothing is evaluated here.

What this representation does *not* support, and where it would go:

* several quadrature variables at one level besides planted ones: a kernel has at most one standard normal ``z``, and so
  has every pass inside it (:class:`Inner`, to any depth);
* control flow: a maximum over a field (y -> infinity) is a kernel of its own, :class:`PeakKernel`;
* ground states more than one level inside a pass (:class:`GroundBlocksKernel`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sympy as sp

from spinodal.symbolic.derivation import Alphabets, Breaking, Origin
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.observables import Tilt
from spinodal.symbolic.partitions import Partition

Function = Literal["log_tail", "tail", "density", "log_density", "conditional_tail", "log_two_cosh", "primitive", "tilted"]


@dataclass(frozen=True, slots=True)
class Assign:
    """``target = expression``."""

    target: sp.Symbol
    expression: sp.Expr


@dataclass(frozen=True, slots=True)
class Call:
    """A special function on the nodes; several derivative orders come out of one call.

    Attributes:
        function: which one.
        arguments: its arguments, symbols or scalar expressions.
        outputs: (derivative order, symbol) pairs.
        tag: the leaf (and tilt) it evaluates, for ``primitive`` and ``tilted``.
    """

    function: Function
    arguments: tuple[sp.Expr, ...]
    outputs: tuple[tuple[int, sp.Symbol], ...]
    tag: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planted:
    """An outer variable with nodes of its own: standard normal, a teacher's weight density, or a label.

    Attributes:
        symbol: the variable.
        kind: which of these.
        splits: what its nodes depend on: where integrands are not smooth, or the parameters of its density.
    """

    symbol: sp.Symbol
    kind: str
    splits: tuple[sp.Expr, ...]


@dataclass(frozen=True, slots=True)
class SearchedSteps:
    """Steps in ``omega = offset + slope z`` of a leaf's averages whose places a solver finds.

    Attributes:
        kind: ``takeovers``, where pieces of the weight exchange dominance, or ``bumps``, around its own maxima.
        leaf: the leaf's tag.
        variance: of the field around omega.
        offset: of omega.
        slope: of omega.
    """

    kind: Literal["takeovers", "bumps"]
    leaf: str
    variance: sp.Expr
    offset: sp.Expr
    slope: sp.Expr

    @property
    def parts(self) -> tuple[sp.Expr, ...]:
        """What it is computed from."""
        return (self.variance, self.offset, self.slope)


@dataclass(frozen=True, slots=True)
class StepInZ:
    """The integrand changes around ``offset + slope z = 0``, over ``1/sharpness`` of that expression."""

    offset: sp.Expr
    slope: sp.Expr
    sharpness: sp.Expr = sp.Integer(1)

    @property
    def parts(self) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
        """Everything it depends on."""
        return self.offset, self.slope, self.sharpness


@dataclass(frozen=True, slots=True)
class Inner:
    """One pass over a Gaussian variable inside another pass, at each of its nodes: ``log E[e^w]`` and means tilted by e^w.

    Attributes:
        name: of the function that is emitted, after the kernel's.
        comment: what is averaged over.
        z: the inner standard normal variable.
        inputs: symbols of the surrounding pass that it reads (node arrays, columns and numbers).
        steps: where its integrands change fast.
        body: assignments, calls and passes of the next level, on the inner nodes.
        exponent: w on the inner nodes; None for plain averages.
        search_body: what the search for the weight's maxima computes.
        search: w, dw/dz and d2w/dz2 (empty for plain averages).
        log_output: the symbol of log E[e^w] in the surrounding pass.
        outputs: (symbol in the surrounding pass, expression on the inner nodes).
    """

    name: str
    comment: str
    z: sp.Symbol
    inputs: tuple[sp.Symbol, ...]
    steps: tuple[StepInZ, ...]
    body: tuple[Assign | Call | Inner, ...]
    exponent: sp.Expr | None
    search_body: tuple[Assign | Call | Inner, ...]
    search: tuple[sp.Expr, ...]
    log_output: sp.Symbol
    outputs: tuple[tuple[sp.Symbol, sp.Expr], ...]


@dataclass(frozen=True, slots=True)
class Kernel:
    """One pass over the nodes of a Gaussian measure.

    Attributes:
        name: of the function that is emitted.
        comment: what is averaged over.
        z: the standard normal variable, or None when only planted variables are averaged.
        planted: outer variables.
        inputs: scalar symbols it reads.
        hoisted: assignments that do not depend on z.
        steps: where its integrands change fast.
        body: assignments, calls and inner passes on the nodes.
        outputs: (average's symbol, node expression).
        searched: steps whose places a solver finds.
    """

    name: str
    comment: str
    z: sp.Symbol | None
    planted: tuple[Planted, ...]
    inputs: tuple[sp.Symbol, ...]
    hoisted: tuple[Assign, ...]
    steps: tuple[StepInZ, ...]
    body: tuple[Assign | Call | Inner, ...]
    outputs: tuple[tuple[sp.Symbol, sp.Expr], ...]
    searched: tuple[SearchedSteps, ...] = ()


@dataclass(frozen=True, slots=True)
class PeakKernel:
    """One pass over the nodes of a maximiser that follows a Gaussian field ``omega = mean + root z``, with its kinks.

    Attributes:
        name: of the function that is emitted.
        comment: what is averaged over.
        z: the standard normal variable behind the field.
        t: the maximiser at a node.
        planted: outer variables.
        inputs: scalar symbols it reads.
        hoisted: assignments that do not depend on nodes.
        mean, root, spread: of the field, and D in ``max_t [L(t) - (t - omega)^2/(2D)]``.
        t_steps: where L changes fast.
        z_steps: where other factors of the integrands change fast.
        level_body: what L needs, at ``t``.
        level: L.
        slopes_body: what its derivatives need.
        slopes: L', L''.
        body: assignments and calls on the nodes.
        averages: (average's symbol, node expression).
        kink_variables: omega and the maximisers below and above, at a kink.
        kink_body: assignments and calls at kinks.
        kink_sums: (sum's symbol, expression at a kink).
        single: whether only one maximum is possible, so that there are no kinks.
    """

    name: str
    comment: str
    z: sp.Symbol
    t: sp.Symbol
    planted: tuple[Planted, ...]
    inputs: tuple[sp.Symbol, ...]
    hoisted: tuple[Assign, ...]
    mean: sp.Expr
    root: sp.Expr
    spread: sp.Expr
    t_steps: tuple[StepInZ, ...]
    z_steps: tuple[StepInZ, ...]
    level_body: tuple[Assign | Call | Inner, ...]
    level: sp.Expr
    slopes_body: tuple[Assign | Call | Inner, ...]
    slopes: tuple[sp.Expr, ...]
    body: tuple[Assign | Call | Inner, ...]
    averages: tuple[tuple[sp.Symbol, sp.Expr], ...]
    kink_variables: tuple[sp.Symbol, ...]
    kink_body: tuple[Assign | Call | Inner, ...]
    kink_sums: tuple[tuple[sp.Symbol, sp.Expr], ...]
    single: bool

    @property
    def outputs(self) -> tuple[tuple[sp.Symbol, sp.Expr], ...]:
        """Averages, then sums."""
        return (*self.averages, *self.kink_sums)

    @property
    def items(self) -> tuple[Assign | Call | Inner, ...]:
        """Everything that is computed at nodes."""
        return (*self.level_body, *self.slopes_body, *self.body, *self.kink_body)


@dataclass(frozen=True, slots=True)
class GroundSite:
    """What is maximised at a site: a weight or a student's field, and minus its energy.

    Attributes:
        weight: whether the site is a weight (else a student's field).
        t, place: variables of the potential: where it is evaluated, and a point of the piece it is evaluated on.
        potential: minus the energy and its first two derivatives; empty for discrete weights.
        quadratic: whether it is quadratic on every piece.
        cuts: where pieces meet.
        points: (weight, minus the energy) of discrete weights.
        t_steps: where the potential changes fast.
        observed: a function of the maximiser, in the same variables; None for none.
    """

    weight: bool
    t: sp.Symbol
    place: sp.Symbol
    potential: tuple[sp.Expr, ...]
    quadratic: bool
    cuts: tuple[sp.Expr, ...]
    points: tuple[tuple[sp.Expr, sp.Expr], ...]
    t_steps: tuple[StepInZ, ...]
    observed: sp.Expr | None = None

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """Everything it depends on."""
        seen = () if self.observed is None else (self.observed,)
        return (*self.potential, *seen, *self.cuts, *(part for point in self.points for part in point))


@dataclass(frozen=True, slots=True)
class GroundKernel:
    """One pass over a Gaussian field ``omega = mean + root z`` of functions of a site's ground state, with its kinks.

    Attributes:
        name: of the function that is emitted.
        comment: what is averaged over.
        z: the standard normal variable behind the field.
        planted: outer variables.
        inputs: scalar symbols it reads.
        hoisted: assignments that do not depend on nodes.
        mean, root: of the field.
        variance: V in Lambda(omega, V).
        site: what is maximised.
        z_steps: where other factors of the integrands change fast.
        node_variables: z, what is observed at the maximiser, Lambda and its first two derivatives, at a node.
        body: assignments and calls on the nodes.
        averages: (average's symbol, node expression).
        kink_variables: omega and Lambda' below and above, at a kink.
        kink_body: assignments and calls at kinks.
        kink_sums: (sum's symbol, expression at a kink).
    """

    name: str
    comment: str
    z: sp.Symbol
    planted: tuple[Planted, ...]
    inputs: tuple[sp.Symbol, ...]
    hoisted: tuple[Assign, ...]
    mean: sp.Expr
    root: sp.Expr
    variance: sp.Expr
    site: GroundSite
    z_steps: tuple[StepInZ, ...]
    node_variables: tuple[sp.Symbol, ...]
    body: tuple[Assign | Call | Inner, ...]
    averages: tuple[tuple[sp.Symbol, sp.Expr], ...]
    kink_variables: tuple[sp.Symbol, ...]
    kink_body: tuple[Assign | Call | Inner, ...]
    kink_sums: tuple[tuple[sp.Symbol, sp.Expr], ...]

    @property
    def outputs(self) -> tuple[tuple[sp.Symbol, sp.Expr], ...]:
        """Averages, then sums."""
        return (*self.averages, *self.kink_sums)

    @property
    def items(self) -> tuple[Assign | Call | Inner, ...]:
        """Everything that is computed at nodes."""
        return (*self.body, *self.kink_body)

    @property
    def data(self) -> tuple[sp.Expr, ...]:
        """Expressions that say what the site is."""
        return self.site.expressions


@dataclass(frozen=True, slots=True)
class GroundBlocksKernel(GroundKernel):
    """One pass over an outer field ``z``, with one inner pass over ground states in blocks of copies at each of its nodes.

    The inner field has the mean ``mean + root z``; a node reads z, log E[e^w] and the inner pass's results.

    Attributes:
        spread: the standard deviation of the inner field.
        size: mu in w = mu Lambda.
        inner_variables: the field, its displacement, what is observed at the maximiser, Lambda and its two derivatives.
        inner_body: assignments and calls on inner nodes.
        inner_means: (array of outer nodes, expression on inner nodes whose tilted mean it is).
        inner_sums: (array of outer nodes, expression at a jump); ``kink_variables`` are the field, its displacement, Lambda'
            below and above.
    """

    spread: sp.Expr
    size: sp.Expr
    inner_variables: tuple[sp.Symbol, ...]
    inner_body: tuple[Assign | Call | Inner, ...]
    inner_means: tuple[tuple[sp.Symbol, sp.Expr], ...]
    inner_sums: tuple[tuple[sp.Symbol, sp.Expr], ...]

    @property
    def items(self) -> tuple[Assign | Call | Inner, ...]:
        """Everything that is computed at nodes."""
        return (*self.body, *self.inner_body, *self.kink_body)

    @property
    def data(self) -> tuple[sp.Expr, ...]:
        """Expressions that say what the site is, and what is averaged inside."""
        return (*self.site.expressions, *(e for _, e in (*self.inner_means, *self.inner_sums)))


@dataclass(frozen=True, slots=True)
class Result:
    """An output array: flat expressions and the shape per state."""

    name: str
    shape: tuple[int, ...]
    expressions: tuple[sp.Expr, ...]


@dataclass(frozen=True, slots=True)
class Routine:
    """A function of (x, p): stages of assignments and kernels, then results."""

    name: str
    doc: str
    stages: tuple[Assign | Kernel | PeakKernel | GroundKernel, ...]
    results: tuple[Result, ...]
    directions: tuple[sp.Symbol, ...] = ()


@dataclass(frozen=True, slots=True)
class WeightDensity:
    """A declared density of weights.

    Attributes:
        owner: whose weights, ``student`` or ``teacher``.
        log_density: its logarithm in ``w``.
        splits: where it is not smooth.
        places: where it may have narrow modes; None where it has one mode for all that is known.
    """

    owner: str
    log_density: sp.Expr
    splits: tuple[sp.Expr, ...]
    places: tuple[sp.Expr, ...] | None

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """All that a solver evaluates."""
        return (self.log_density, *self.splits, *(self.places or ()))


@dataclass(frozen=True)
class Program:
    """A complete solver, target-independent."""

    name: str
    description: str
    scheme: str
    order_parameters: tuple[str, ...]
    conjugates: tuple[str, ...]
    parameters: tuple[str, ...]
    saturating: tuple[tuple[str, str], ...]
    routines: tuple[Routine, ...]
    leaves: tuple[Leaf, ...]
    tilts: tuple[Tilt, ...]
    densities: tuple[WeightDensity, ...]
    observables: tuple[str, ...]
    conditions: tuple[str, ...]
    finite_difference: tuple[str, ...]
    comments: tuple[str, ...]
    unbounded: tuple[str, ...] = ()
    symmetric: Origin | None = None
    breaking: Breaking | None = None
    origin: tuple[tuple[str, sp.Expr], ...] = ()
    trivial: tuple[tuple[str, str], ...] = ()
    constrained: str = ""
    reference: tuple[tuple[str, str], ...] = ()
    follower: tuple[tuple[str, sp.Expr], ...] = ()
    stabilities: tuple[str, ...] = ()
    ground: bool = False
    counted: bool = False
    is_count: bool = False
    partitions: tuple[Partition, ...] = ()
    label: tuple[sp.Expr, sp.Expr, sp.Expr] | None = None
    alphabets: Alphabets | None = None

    @property
    def teacher_density(self) -> WeightDensity | None:
        """The teacher's, if it is averaged over."""
        return next((density for density in self.densities if density.owner == "teacher"), None)
