"""The value a derivation ends in: everything later stages read, immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp

from spinodal.spec.types import Spec
from spinodal.symbolic.channel import Channel
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.moments import Moments
from spinodal.symbolic.observables import Tilt
from spinodal.symbolic.partitions import Partition
from spinodal.symbolic.probe import ProbeChannel
from spinodal.symbolic.stabilities import Stabilities
from spinodal.symbolic.symbols import ALPHA
from spinodal.symbolic.system import System


@dataclass(frozen=True, slots=True)
class Definition:
    """A quantity that equations refer to by a symbol."""

    symbol: sp.Symbol
    expression: sp.Expr
    meaning: str
    #: The equation (left, right) whose root the expression is, where it is one.
    solves: tuple[sp.Expr, sp.Expr] | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression that must not be negative for the equations to make sense."""

    expression: sp.Expr
    meaning: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the branch of a model with a constrained overlap begins: at the replica-symmetric state.

    Attributes:
        parameter: the constrained overlap.
        overlap: the replica-symmetric order parameter that it equals there.
        state: every order parameter there, as a replica-symmetric one or a number.
        guessed: those of them that the replica-symmetric theory eliminates, whose value there is a guess.
        powers: of the first unbounded difference of levels, with which each order parameter scales as it diverges.
        size: the order parameter that is a number of copies, or empty: the branch then continues from a given number.
    """

    parameter: str
    overlap: str
    state: Mapping[str, str | float] = field(hash=False)
    size: str = ""
    guessed: tuple[str, ...] = ()
    powers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Breaking:
    """How a state of broken symmetry differs from the one of a level less, where the two innermost levels coincide.

    Attributes:
        levels: the overlaps, outermost level first, one row for each kind of overlap.
        size: the size of the innermost blocks (the last Parisi parameter) where it is an order parameter, else empty.
        sizes: all sizes of blocks that are order parameters.
        state: every other order parameter there, as one of the theory of a level less or a number.
        guessed: those of them that the replica-symmetric theory eliminates, whose value there is a guess.
        counted: whether weights are counted, so that states may freeze to single configurations.
        fixed: levels that are no order parameters: a self-overlap that the prior fixes, which a ground state's innermost is.
        given: of a ground state, the size of its blocks over T where that is given.
        temperature: the parameter that is the temperature, along which states are followed; empty where none is it.
    """

    levels: tuple[tuple[str, ...], ...]
    size: str
    sizes: tuple[str, ...]
    state: Mapping[str, str | float] = field(hash=False)
    guessed: tuple[str, ...] = ()
    counted: bool = False
    fixed: Mapping[str, float] = field(hash=False, default_factory=dict)
    given: sp.Expr | None = None
    temperature: str = ""


@dataclass(frozen=True, slots=True)
class Alphabets:
    """Discrete weights beside a discrete teacher's, onto which a student may freeze; expressions in parameters.

    Attributes:
        student: the values that a student's weight takes.
        teacher: those of the teacher's, in the units of its field.
        probabilities: of the teacher's values.
    """

    student: tuple[sp.Expr, ...]
    teacher: tuple[sp.Expr, ...]
    probabilities: tuple[sp.Expr, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a free entropy consists of: phi = prior + (D/N) block + alpha output.

    Attributes:
        prior: of the weights, with the pairing of their overlaps.
        block: of the features, with the pairing of the projected weights' overlaps; 0 for direct features.
        output: of the patterns.
        inputs_per_weight: D/N.
    """

    prior: sp.Expr
    block: sp.Expr
    output: sp.Expr
    inputs_per_weight: sp.Expr

    def total(self) -> sp.Expr:
        """The free entropy that the parts make up."""
        return self.prior + self.inputs_per_weight * self.block + ALPHA * self.output


@dataclass(frozen=True)
class Shorthand:
    """Letters beside those of the system.

    Attributes:
        definitions: what the letters stand for.
        table: order parameters in terms of the letters, which replace them in fractions.
    """

    definitions: tuple[Definition, ...] = ()
    table: Mapping[sp.Symbol, sp.Expr] = field(hash=False, default_factory=dict)


@dataclass(frozen=True)
class Derived:
    """A derived model: free entropy, saddle-point system, observables, all in closed averages.

    Attributes:
        spec: the model.
        order_parameters: names, overlaps first, conjugates after.
        conjugates: the subset that are conjugates.
        parameters: declared parameter names in the spec's order.
        definitions: auxiliary quantities in order of evaluation.
        free_entropy: phi per weight, explicit.
        system: the saddle-point equations in channel symbols.
        channel_values: what every channel symbol stands for (closed averages).
        parameter_derivative: dF_i/dparameter; None where only finite differences are available.
        textbook: the equations with channel symbols written out, (left, right).
        observables: named quantities, explicit.
        tilts: the numerical tilted averages that observables use.
        stabilities: the distributions of y h.
        shorthand: letters that keep equations short for readers.
        conditions: the domain.
        leaves: partition functions by tag, for code generation.
        channels: prior and output channel, for the reader and for self-checks.
        fixed: order parameters that the ansatz fixes, and their values.
        saturating: overlaps bounded by a self-overlap, q <= q_d, with that bound.
        alphabets: of discrete weights of student and teacher, where both are.
        moments: the activation's moments, for random features.
        pieces: what of the free entropy is no channel.
        parts: prior, feature block and output channel, which sum up to the free entropy.
        unbounded: overlaps that may grow without bound (differences of levels times the number of replicas).
        symmetric: the replica-symmetric state where the branch of a constrained overlap begins.
        breaking: how the state differs from the replica-symmetric one, where symmetry may break by itself.
        origin: a guess of each order parameter at small alpha, where the branch cannot begin at alpha = 0.
        trivial: where the ansatz has a trivial state: the order parameters (and the constrained overlap) by what they equal.
        constrained: the overlap that is a parameter.
        reference: the order parameters of a reference, by name in its own theory.
        follower: the state of a probe that knows its reference alone, given the reference's order parameters.
        ground: whether this is the limit of vanishing temperature: the free entropy is then T phi, minus the energy.
        label: s(u), a(u) and the rms of u, where a label s(u) + a(u) noise is integrated over.
        partitions: how formulas cut the line at the defaults, where that may be otherwise at other parameters.
    """

    spec: Spec
    order_parameters: tuple[str, ...]
    conjugates: tuple[str, ...]
    parameters: tuple[str, ...]
    definitions: tuple[Definition, ...]
    free_entropy: sp.Expr
    system: System
    channel_values: Mapping[sp.Symbol, sp.Expr] = field(hash=False)
    parameter_derivative: tuple[tuple[sp.Expr | None, ...], ...]
    textbook: tuple[tuple[sp.Expr, sp.Expr], ...]
    observables: Mapping[str, sp.Expr] = field(hash=False)
    tilts: Mapping[tuple[str, str], Tilt] = field(hash=False)
    conditions: tuple[Condition, ...]
    leaves: Mapping[str, Leaf] = field(hash=False)
    channels: tuple[Channel | ProbeChannel, ...]
    fixed: Mapping[str, sp.Expr] = field(hash=False)
    saturating: Mapping[str, sp.Expr] = field(hash=False)
    moments: Moments | None
    pieces: Mapping[str, sp.Expr] = field(hash=False)
    parts: Parts = field(hash=False)
    unbounded: tuple[str, ...] = ()
    symmetric: Origin | None = None
    breaking: Breaking | None = None
    origin: Mapping[str, sp.Expr] = field(hash=False, default_factory=dict)
    trivial: Mapping[str, str] = field(hash=False, default_factory=dict)
    constrained: str = ""
    reference: Mapping[str, str] = field(hash=False, default_factory=dict)
    follower: Mapping[str, sp.Expr] = field(hash=False, default_factory=dict)
    stabilities: Stabilities = field(default_factory=Stabilities)
    shorthand: Shorthand = field(default_factory=Shorthand)
    ground: bool = False
    partitions: tuple[Partition, ...] = ()
    label: tuple[sp.Expr, sp.Expr, sp.Expr] | None = None
    alphabets: Alphabets | None = None
