"""The declared model: immutable values that the reader makes and the derivation starts from.

A :class:`Spec` is complete and validated: every formula is parsed, every name known, every default filled in. It
carries no numbers of a run (those are arguments of ``solve``), only the declared defaults.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from spinodal.spec.ast import Node
from spinodal.spec.origin import Origin

WeightKind = Literal["binary", "spherical", "gaussian", "unconstrained", "discrete", "density"]
FeatureMap = Literal["direct", "random"]
Scheme = Literal["replica-symmetric", "bayes-optimal", "1rsb", "2rsb", "real-replicas", "franz-parisi"]


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed formula with the text it was written as.

    Equality and hash follow the tree alone: two spellings of one formula are the same formula. ``place`` is where it
    stands, such as ``student.features.activation``; with ``Spec.origin`` it leads back to a line of the file.
    """

    text: str
    root: Node
    place: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and self.root == other.root

    def __hash__(self) -> int:
        return hash(self.root)


@dataclass(frozen=True, slots=True)
class Weights:
    """The weight prior of a student or a teacher.

    ``values``/``probabilities`` belong to ``discrete`` (no probabilities: counting measure), ``density`` to
    ``density``. ``normalise`` (teachers only): rescale to unit second moment.
    """

    kind: WeightKind
    values: tuple[Formula, ...] = ()
    probabilities: tuple[Formula, ...] | None = None
    density: Formula | None = None
    normalise: bool = True

    @property
    def is_discrete(self) -> bool:
        """Whether weights take finitely many values, so that their configurations are counted."""
        return self.kind in ("binary", "discrete")

    @property
    def is_counted(self) -> bool:
        """Whether every configuration has the weight one: finitely many values without probabilities."""
        return self.is_discrete and self.probabilities is None


@dataclass(frozen=True, slots=True)
class Student:
    """The student: weights on direct features, or on random features through a centred activation in ``x``."""

    weights: Weights
    features: FeatureMap
    activation: Formula | None = None


@dataclass(frozen=True, slots=True)
class Teacher:
    """The teacher: weights, a label formula in ``u`` and ``noise``, and the probability that a +-1 label is flipped."""

    weights: Weights
    label: Formula
    flip_probability: Formula | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """A constraint on the student's field, or an energy with a temperature; optional regularization of the weights."""

    constraint: Formula | None = None
    energy: Formula | None = None
    temperature: Formula | None = None
    regularization: Formula | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """The measure of a Franz-Parisi reference."""

    constraint: Formula | None = None
    energy: Formula | None = None
    temperature: Formula | None = None


@dataclass(frozen=True, slots=True)
class Ansatz:
    """The replica ansatz. ``m`` (``m1``, ``m2``), ``replicas`` and ``reference`` belong to the schemes that take them.

    Parisi parameters count the replicas of a block, outermost blocks first; in a ground state ``mu``, the limit of m/T as T
    goes to 0, takes the place of ``m``. ``overlap`` says whether the constrained overlap
    (of real replicas with one another, of a probe with its reference) is a parameter or extremised.
    """

    scheme: Scheme
    m: Formula | Literal["extremised"] | None = None
    mu: Formula | Literal["extremised"] | None = None
    m1: Formula | Literal["extremised"] | None = None
    m2: Formula | Literal["extremised"] | None = None
    replicas: Formula | Literal["inf", "zero-complexity"] | None = None
    reference: Reference | None = None
    kappa_ref_max: bool = False
    overlap: Literal["given", "extremised"] = "given"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter with its default (None: must be given) and description."""

    name: str
    default: float | None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Observable:
    """A user's named formula in order parameters and parameters."""

    name: str
    formula: Formula


@dataclass(frozen=True, slots=True)
class Spec:
    """A complete, validated model.

    ``source`` and ``origin`` say where it was read from; they take no part in equality.
    """

    name: str
    description: str
    student: Student
    teacher: Teacher | None
    loss: Loss
    ansatz: Ansatz
    parameters: tuple[Parameter, ...]
    observables: tuple[Observable, ...] = ()
    source: str = field(default="<spec>", compare=False)
    origin: Origin | None = field(default=None, compare=False, repr=False)

    def parameter_names(self) -> tuple[str, ...]:
        """The declared parameters, in the order of the file."""
        return tuple(parameter.name for parameter in self.parameters)
