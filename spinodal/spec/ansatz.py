"""The ``[ansatz]`` table: a scheme, the entries that belong to it, and what it asks of the model."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal, get_args

from spinodal.spec.ast import Arithmetic, Call, Compare, Logic, Name, Negate, Node, Number, names
from spinodal.spec.errors import SpecError, clip, did_you_mean
from spinodal.spec.formula import to_text
from spinodal.spec.names import CONSTRAINED
from spinodal.spec.origin import Origin
from spinodal.spec.tables import Table
from spinodal.spec.types import Ansatz, Formula, Loss, Parameter, Reference, Scheme, Spec

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

#: The entries that belong to each scheme.
ENTRIES: dict[Scheme, tuple[str, ...]] = {
    "replica-symmetric": (),
    "bayes-optimal": (),
    "1rsb": ("m", "mu"),
    "2rsb": ("m1", "m2"),
    "real-replicas": ("replicas", "overlap"),
    "franz-parisi": ("reference", "kappa_ref", "overlap"),
}

#: What may be done with a constrained overlap.
OVERLAPS: tuple[Literal["given", "extremised"], ...] = ("given", "extremised")
#: The words for a size of blocks that is an order parameter.
_FREE = ("extremised", "zero-complexity")
_MEANINGS: dict[str, str] = {
    "real-replicas": "overlap of the real replicas with one another",
    "franz-parisi": "overlap with the reference",
}


def read_ansatz(table: Table, loss: Loss) -> tuple[Ansatz, tuple[Parameter, ...]]:
    """The ansatz, and the parameters it adds to the declared ones.

    Raises:
        SpecError: an unknown scheme, or an entry that belongs to another scheme.
    """
    scheme = _scheme(table)
    owners = {entry: owner for owner, entries in ENTRIES.items() for entry in entries}
    table.allow(
        ("scheme", *ENTRIES[scheme]),
        reasons={
            entry: f'contradictory ansatz: {entry} belongs to scheme "{owner}", the scheme here is "{scheme}"'
            for entry, owner in owners.items()
        },
    )
    if scheme == "1rsb" and is_ground(loss):
        return Ansatz(scheme, mu=_scaled_size(table)), ()
    if scheme in ("1rsb", "2rsb"):
        if "mu" in table:
            message = "mu = m/T belongs to ground states (temperature = 0)"
            raise table.error("mu", message, "give the Parisi parameter m", at_key=True)
        entries = tuple(entry for entry in ENTRIES[scheme] if entry != "mu")
        sizes = {key: _word_or_formula(table, key, ("extremised",), at_most_one=True) for key in entries}
        _check_order(table, *sizes.values())
        return Ansatz(scheme, **sizes), ()
    if scheme == "real-replicas":
        overlap, added = _overlap(table, scheme)
        return Ansatz(scheme, replicas=_replicas(table), overlap=overlap), added
    if scheme == "franz-parisi":
        return _franz_parisi(table, loss)
    return Ansatz(scheme), ()


def is_ground(loss: Loss) -> bool:
    """Whether an energy is to be minimised: its temperature is the number 0."""
    return loss.temperature is not None and loss.temperature.root == Number(Fraction(0))


def _scaled_size(table: Table) -> Any:
    """Mu = m/T of a ground state: m itself vanishes with the temperature."""
    if "m" in table and table.data["m"] != "extremised":
        message = "m vanishes in a ground state (temperature = 0)"
        raise table.error("m", message, "give mu, the limit of m/T", at_key=True)
    return _word_or_formula(table, "mu", ("extremised",))


def _overlap(table: Table, scheme: Scheme) -> tuple[Literal["given", "extremised"], tuple[Parameter, ...]]:
    """What is done with the constrained overlap, and the parameter that it is where it is given."""
    chosen = table.choice("overlap", OVERLAPS) if "overlap" in table else "given"
    overlap = next(known for known in OVERLAPS if known == chosen)
    given = Parameter(CONSTRAINED[scheme], None, _MEANINGS[scheme])
    return overlap, (given,) if overlap == "given" else ()


def with_overlap(spec: Spec, overlap: Literal["given", "extremised"]) -> Spec:
    """The same model with its constrained overlap given (a parameter) or extremised (an order parameter).

    Raises:
        SpecError: if the ansatz has no such overlap.
    """
    scheme = spec.ansatz.scheme
    name = CONSTRAINED.get(scheme)
    if name is None:
        raise SpecError(
            f"the ansatz {scheme} has no constrained overlap",
            cure="use --ansatz real-replicas or --ansatz franz-parisi",
            source="ansatz",
        )
    parameters = tuple(p for p in spec.parameters if p.name != name)
    if overlap == "given":
        parameters = (*parameters, Parameter(name, None, _MEANINGS[scheme]))
    return replace(spec, ansatz=replace(spec.ansatz, overlap=overlap), parameters=parameters)


def with_copies(spec: Spec) -> Spec:
    """The same ansatz with the size of its innermost blocks the last parameter: a free size, or mu of a ground state."""
    given = getattr(spec.ansatz.mu, "root", None)
    if isinstance(given, Name) and given.name == spec.parameter_names()[-1]:
        return spec
    free = (name for name in ("replicas", "m", "m2") if getattr(spec.ansatz, name) in _FREE)
    entry = "mu" if spec.ansatz.mu is not None else next(free)
    name = fresh_name(spec, "copies" if entry == "replicas" else f"block_{entry}")
    parameters = (*spec.parameters, Parameter(name, None, "number of replicas in a block"))
    sized: dict[str, Any] = {entry: Formula(name, Name(name))}
    return replace(spec, ansatz=replace(spec.ansatz, **sized), parameters=parameters, observables=())


def with_fewer_levels(spec: Spec) -> Spec:
    """The same model under the ansatz of one level less, from whose state the symmetry breaks once more."""
    fewer = Ansatz("1rsb", m=spec.ansatz.m1) if spec.ansatz.scheme == "2rsb" else Ansatz("replica-symmetric")
    return replace(spec, ansatz=fewer, observables=())


def fresh_name(spec: Spec, stem: str) -> str:
    """A name that no parameter of the model has."""
    return next(f"{stem}{k}" for k in ("", *range(99)) if f"{stem}{k}" not in spec.parameter_names())


def _scheme(table: Table) -> Scheme:
    if "scheme" not in table:
        return "replica-symmetric"
    chosen = table.choice("scheme", SCHEMES)
    return next(scheme for scheme in SCHEMES if scheme == chosen)


def _word_or_formula(table: Table, key: str, words: tuple[str, ...], *, at_most_one: bool = False) -> Any:
    """A word such as "inf" (the first is the default), or else a formula in the parameters with a positive value."""
    value = table.data.get(key, words[0])
    if value in words:
        return value
    if isinstance(value, str) and value not in table.parameters and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", value):
        message = f"{clip(value)}: neither a parameter nor {' or '.join(words)}"
        raise table.error(key, message, did_you_mean(value, [*words, *table.parameters]))
    formula = table.formula(key)
    if isinstance(formula.root, Negate) or (isinstance(formula.root, Number) and formula.root.value <= 0):
        raise table.error(key, f"{key}: {formula.text} is not positive", f"give a positive number or {' or '.join(words)}")
    if at_most_one and isinstance(formula.root, Number) and formula.root.value > 1:
        raise table.error(key, f"{key}: {formula.text} is larger than 1", f"give a number up to 1 or {' or '.join(words)}")
    return formula


def _check_order(table: Table, *sizes: Any) -> None:
    """Refuse inner blocks that are smaller numbers than the blocks around them, where both are numbers."""
    numbers = [size.root.value for size in sizes if isinstance(getattr(size, "root", None), Number)]
    if len(numbers) == len(sizes) and any(inner < outer for outer, inner in pairwise(numbers)):
        raise table.error("m2", "m2 is smaller than m1", "give m1 <= m2 <= 1: the outer blocks' parameter comes first")


def _replicas(table: Table) -> Any:
    # TOML has an inf of its own.
    if table.data.get("replicas") == float("inf"):
        return "inf"
    return _word_or_formula(table, "replicas", ("inf", "zero-complexity"))


def _franz_parisi(table: Table, loss: Loss) -> tuple[Ansatz, tuple[Parameter, ...]]:
    largest = "kappa_ref" in table
    if largest and table.data["kappa_ref"] != "max":
        raise table.error("kappa_ref", 'kappa_ref: only "max" can stand here', "give a number by --set kappa_ref=NUMBER")
    added = Parameter("kappa_ref", None, "margin of the reference")
    if "reference" in table:
        inner = Table(
            table.table("reference").data,
            (*table.path, "reference"),
            table.origin,
            tuple(dict.fromkeys([*table.parameters, "kappa_ref"])),
        )
        reference = _reference(inner)
    else:
        reference = Reference(_at_reference(loss.constraint), _at_reference(loss.energy), _at_reference(loss.temperature))
    mentioned = any(
        formula is not None and "kappa_ref" in names(formula.root)
        for formula in (reference.constraint, reference.energy, reference.temperature)
    )
    if largest and not mentioned:
        raise table.error(
            "kappa_ref", 'kappa_ref = "max" needs a reference that depends on kappa_ref', "write it into the reference"
        )
    overlap, parameters = _overlap(table, "franz-parisi")
    ansatz = Ansatz("franz-parisi", reference=reference, kappa_ref_max=largest, overlap=overlap)
    return ansatz, (added, *parameters) if mentioned and not largest else parameters


def _reference(table: Table) -> Reference:
    table.allow(("constraint", "energy", "temperature"))
    if ("constraint" in table) == ("energy" in table):
        raise table.error(None, "a reference has either a constraint or an energy", 'as in constraint = "y*h >= 0"')
    if "constraint" in table:
        if "temperature" in table:
            raise table.error("temperature", "a constraint has no temperature", "remove it", at_key=True)
        return Reference(constraint=table.formula("constraint", variables=("y", "h"), truth=True))
    table.require("temperature", "add temperature = 1.0, or 0 for the ground state")
    return Reference(energy=table.formula("energy", variables=("y", "h")), temperature=table.formula("temperature"))


def _at_reference(formula: Formula | None) -> Formula | None:
    """A formula of the student's loss with its margin replaced by the reference's."""
    if formula is None:
        return None
    root = _rename(formula.root)
    return Formula(to_text(root), root, formula.place)


def _rename(node: Node) -> Node:
    match node:
        case Name(name="kappa"):
            return replace(node, name="kappa_ref")
        case Number() | Name():
            return node
        case Negate(operand=operand):
            return replace(node, operand=_rename(operand))
        case Arithmetic(left=left, right=right) | Compare(left=left, right=right):
            return replace(node, left=_rename(left), right=_rename(right))
        case Call(arguments=arguments):
            return replace(node, arguments=tuple(map(_rename, arguments)))
        case Logic(operands=operands):
            return replace(node, operands=tuple(map(_rename, operands)))


def check_ansatz(spec: Spec, origin: Origin) -> None:
    """Refuse an ansatz that contradicts the model.

    Raises:
        SpecError: Bayes-optimal without a teacher of the student's form.
    """
    if spec.ansatz.scheme != "bayes-optimal":
        return
    place = "ansatz.scheme"
    what = "contradictory ansatz: bayes-optimal"
    if spec.teacher is None:
        raise origin.error(place, f"{what} needs a [teacher]", 'random labels take "replica-symmetric"')
    if spec.student.features == "random":
        raise origin.error(
            place, f"{what} needs direct features", "with random features the student is not of the teacher's form"
        )
    student, teacher = spec.student.weights, spec.teacher.weights
    if (student.kind, student.values, student.probabilities, student.density) != (
        teacher.kind,
        teacher.values,
        teacher.probabilities,
        teacher.density,
    ):
        raise origin.error(
            place,
            f"{what} needs a student with the teacher's weights, here {student.kind} and {teacher.kind}",
            "make student.weights and teacher.weights equal",
        )
