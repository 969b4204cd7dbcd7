r"""Functions of the model that a document writes out: ``the activation $\sigma(x) = \tanh x$``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from spinodal.spec.types import Formula, Spec
from spinodal.verify.documents import Document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.functions import LETTER_FUNCTIONS
from spinodal.verify.letters import Letters
from spinodal.verify.meaning import used_names
from spinodal.verify.sizes import Stated
from spinodal.verify.statements import parsed
from spinodal.verify.symbol_maps import formula_tree
from spinodal.verify.symbols import GREEK, plain
from spinodal.verify.tree import Node, substituted, sym

_ACTIVATION = re.compile(r"\b(?:activation|non-?linearity|transfer\s+function|features)\b", re.I)
_LOSS = re.compile(r"\b(?:loss|cost|energy)(?:\s+function)?\b", re.I)
#: What the letter of activations is in other contexts.
_OTHERWISE = re.compile(r"\b(?:label|teacher|output|loss|cost|probability|field)s?\b", re.I)
#: How far around a formula its words are looked for.
_NEAR = 90
_SENTENCE = r"\.(?=\s|$)|\n[ \t]*\n|\\(?:sub)*section|\\(?:begin|end)\b"
_PLACES = np.array([-2.3, -1.1, -0.4, 0.3, 0.8, 1.7])
_PARAMETERS = (0.37, 1.21, 0.83, 1.57)


def refuse_other_functions(document: Document, letters: Letters, spec: Spec) -> None:
    """Refuse what is claimed of a model whose functions the document states to be others.

    Raises:
        UnreadableError: there.
    """
    for stated in letters.stated:
        header = stated.statement.header()
        if header is None or header[1] is None or len(header[1]) != 1 or stated.statement.relations[0] != "=":
            continue
        key, variable = header[0], header[1][0]
        letter = key.partition("_")[0].partition("@")[0]
        if (len(letter) > 1 and letter not in GREEK) or letter in LETTER_FUNCTIONS:  # names of other functions
            continue
        around = _around(document, stated)
        for what, formula, places in _declared(key, around, spec):
            if not _is_stated(stated, variable, formula, places, letters, up_to_a_constant=what == "activation"):
                reason = f"line {stated.line} states another {what}, {plain(key)}, than the model's, {formula.text}"
                raise UnreadableError(f"{reason}: name the model that is meant in the markup", stated.statement.start)


def _declared(key: str, around: str, spec: Spec) -> Iterator[tuple[str, Formula, Mapping[str, NDArray[np.float64]]]]:
    """Which function of the spec a letter may be by the words around it, with the variables of the function."""
    activation, energy = spec.student.activation, spec.loss.energy
    if activation is not None and (_ACTIVATION.search(around) or (key == "sigma" and not _OTHERWISE.search(around))):
        yield "activation", activation, {"x": _PLACES}
    elif energy is not None and _LOSS.search(around) and not _ACTIVATION.search(around):
        yield "loss", energy, {"h": _PLACES, "y": np.ones_like(_PLACES)}


def _around(document: Document, stated: Stated) -> str:
    """The words of the sentence around a formula."""
    start, end = stated.statement.start, stated.statement.end
    before = re.split(_SENTENCE, document.visible[max(0, start - _NEAR) : start])[-1]
    after = re.split(_SENTENCE, re.sub(r"\A\s*\\end\{[^}]*\}", "", document.visible[end : end + _NEAR]))[0]
    return f"{before} {after}"


def _is_stated(
    stated: Stated,
    variable: str,
    formula: Formula,
    places: Mapping[str, NDArray[np.float64]],
    letters: Letters,
    *,
    up_to_a_constant: bool,
) -> bool:
    """Whether a statement writes out a function of the spec; a centred activation loses its constant."""
    own = formula_tree(formula.root)
    names = {name: np.full(len(_PLACES), _PARAMETERS[k % 4]) for k, name in enumerate(sorted(letters.meaning.controls))}
    names |= {**places, "variable": _PLACES}
    for side in stated.statement.sides[1:]:
        try:
            tree = substituted(parsed(side, letters.declared), variable, sym("@variable"))
            difference = _value(letters.meaning.resolve(tree), names) - _value(own, names)
        except UnreadableError:
            return False
        if not np.allclose(difference, difference[0] if up_to_a_constant else 0.0, atol=1e-10):
            return False
    return True


def _value(tree: Node, names: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    for name in used_names(tree) - names.keys():
        raise UnreadableError(f"{name} has no value", tree.start)
    return Evaluator(dict(names))(tree) + np.zeros(len(_PLACES))
