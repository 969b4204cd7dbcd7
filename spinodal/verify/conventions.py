"""Letters that mean something by themselves wherever replicas are used: they are not taken for any other quantity."""

from __future__ import annotations

import re
from collections.abc import Collection

from spinodal.verify.reference import PARTS
from spinodal.verify.symbols import default_name, plain

#: Quantities whose letters are those of entropies and free energies.
_POTENTIALS = ("free_entropy", "entropy", "complexity", *PARTS)
_ERRORS = ("error", "energy", "loss")

#: The letter without its scripts, what it is, and parts of the names of the quantities that it may be as well.
_MEANINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "alpha": ("the number of patterns per weight", ()),
    "kappa": ("the margin", ()),
    "beta": ("the inverse temperature", ()),
    "T": ("the temperature", ()),
    "N": ("a size", ()),
    "P": ("a size", ()),
    "D": ("a size", ()),
    "phi": ("the free entropy", _POTENTIALS),
    "varphi": ("the free entropy", _POTENTIALS),
    "Phi": ("the free entropy", _POTENTIALS),
    "epsilon": ("an error or an energy", _ERRORS),
    "varepsilon": ("an error or an energy", _ERRORS),
}
#: The same for what no order parameter is: conjugates, too, have been called E, F and S.
_MEANINGS_OF_VALUES: dict[str, tuple[str, tuple[str, ...]]] = {
    "f": ("a free energy", _POTENTIALS),
    "F": ("a free energy", _POTENTIALS),
    "s": ("an entropy", _POTENTIALS),
    "S": ("an entropy", _POTENTIALS),
    "e": ("an energy", _ERRORS),
    "E": ("an energy", _ERRORS),
    "U": ("an energy", _ERRORS),
    "Sigma": ("a complexity", ("complexity",)),
    "lambda": ("a stability", ("replicon", "stability", "eigenvalue")),
}


#: Words in scripts and names that say which quantity a letter is, what that is, and parts of the names of such quantities.
_NAMED: tuple[tuple[frozenset[str], str, tuple[str, ...]], ...] = (
    (frozenset(["train", "training", "tr"]), "a training error", ("training", "energy")),
    (frozenset(["gen", "test", "generalization", "generalisation"]), "a generalization error", ("generalization",)),
    (frozenset(["Bayes", "Bayesian"]), "the Bayes-optimal error", ("barycentre",)),
    (frozenset(["ann", "annealed"]), "an annealed average", ()),
    (frozenset(["pattern", "patterns", "P"]), "a quantity per pattern", ("training",)),
    (frozenset(["bound"]), "a bound", ()),
    (frozenset(["bit", "bits"]), "an entropy in bits", ()),
)
#: Letters of errors and energies, whose scripts are short.
_SHORT = {"t": ("a training error", ("training", "energy")), "g": ("a generalization error", ("generalization", "energy"))}
#: Words for ansaetze, with the schemes that they may name.
_ANSAETZE = {
    "RS": ("replica-symmetric", "bayes-optimal"),
    "1RSB": ("1rsb", "real-replicas"),
    "2RSB": ("2rsb",),
    "FRSB": (),
    "RSB": ("1rsb", "2rsb", "real-replicas"),
}


def named_otherwise(name: str, quantity: str, ansatz: str) -> str:
    r"""What the scripts or the words of a name say that it is, if that is not the quantity; empty otherwise.

    Args:
        name: the key of a letter, or words joined by underscores.
        quantity: what is claimed.
        ansatz: with which.

    >>> named_otherwise("epsilon_train", "generalization_error", "replica-symmetric")
    'a training error'
    >>> named_otherwise("s_RS", "free_entropy", "1rsb")
    'what the ansatz RS gives'
    >>> named_otherwise("s^RS", "free_entropy", "replica-symmetric")
    ''
    """
    if name.startswith("dot(") or name.endswith("^'"):
        return "a derivative"
    base, *scripts = re.split(r"[^A-Za-z0-9]+", name)
    words = {base, *scripts} if len(base) > 1 and base.isascii() and "_" in name else set(scripts)
    for marks, what, quantities in _NAMED:
        if words & marks and not any(part in quantity for part in quantities):
            return what
    for word in words & _SHORT.keys():
        what, quantities = _SHORT[word]
        if base in ("epsilon", "varepsilon") and not any(part in quantity for part in quantities):
            return what
    other = next((word for word in sorted(words & _ANSAETZE.keys()) if ansatz not in _ANSAETZE[word]), None)
    return f"what the ansatz {other} gives" if other is not None else ""


def other_meaning(key: str, quantity: str, derived: Collection[str], *, is_equation: bool) -> str:
    r"""What a letter stands for if that is not the quantity; empty if it may be the author's name of it.

    Args:
        key: the letter's.
        quantity: what is claimed.
        derived: names of the derivation's definitions.
        is_equation: whether the quantity is an order parameter.

    >>> other_meaning("kappa_star", "kappa_1", ["kappa_1", "kappa_star"], is_equation=False)
    'kappa_star, a quantity of the derivation'
    >>> other_meaning("beta", "free_entropy", [], is_equation=False)
    'the inverse temperature'
    >>> other_meaning("epsilon_g", "generalization_error", [], is_equation=False)
    ''
    """
    name = default_name(key, derived)
    if name is not None:
        return "" if name == quantity else f"{name}, a quantity of the derivation"
    base = key.partition("_")[0].partition("^")[0]
    table = _MEANINGS if is_equation else {**_MEANINGS, **_MEANINGS_OF_VALUES}
    what, quantities = table.get(base, ("", ()))
    return "" if any(part in quantity for part in quantities) else what


def refusal(key: str, what: str, quantity: str) -> str:
    """Why a letter is not taken for a quantity, and what to do if it is meant."""
    shown = plain(key)
    return f"{shown} is the letter of {what}; if {quantity} is meant, say so: '% spinodal-symbols: {shown} = {quantity}'"
