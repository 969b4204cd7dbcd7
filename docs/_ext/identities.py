"""General identities of the theory pages, checked by numbers while the page is read.

A page states, say, Stein's identity for a definite function. Both sides are read by the grammar of ``spinodal verify`` and
evaluated at random values of the letters that the block declares; nothing here knows a model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from spinodal.verify.documents import read_document
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.cursor import Declared
from spinodal.verify.meaning import Definition, Meaning
from spinodal.verify.tree import sym

_POINTS = 5
_SEED = 1972
#: Steps under an integral are bisected, not known: both sides agree less well than those of smooth integrands.
TOLERANCE = 1e-7
ACCURACY = 1e-6


class IdentityError(Exception):
    """The identity cannot be read, or does not hold; the message says which."""


@dataclass(frozen=True)
class Checked:
    """How well the sides of an identity agree: largest relative deviation, accuracy of the values, number of points."""

    deviation: float
    accuracy: float
    points: int


def check_identity(latex: str, letters: list[str]) -> Checked:
    """Compare the sides of the first statement of an equation; further statements define letters.

    Args:
        latex: the equation's body.
        letters: free letters as ``LETTER=LOW:HIGH`` (drawn there) or ``LETTER`` (drawn in 0.2 to 0.9), in the names that
            the verifier gives them (``hat(q)`` for a q with a hat).

    Raises:
        IdentityError: if it is not read, has no value, or is wrong.
    """
    ranges = dict(_letter(word) for word in letters)
    document = read_document(f"$$\n{latex}\n$$\n", "identity", "markdown")
    if not document.equations or document.equations[0].unreadable:
        raise IdentityError(f"it is not read: {document.equations[0].unreadable if document.equations else 'empty'}")
    statements = document.equations[0].statements
    defined = {h[0]: (h[1], s) for s in statements[1:] if (h := s.header()) is not None}
    plain = [key for key, (arguments, _) in defined.items() if arguments is None]
    functions = frozenset(key for key, (arguments, _) in defined.items() if arguments is not None)
    declared = Declared(frozenset([*ranges, *plain]), functions)
    definitions = {}
    for key, (arguments, statement) in defined.items():
        own = Declared(declared.symbols | frozenset(arguments or ()), functions)
        definitions[key] = Definition(key, arguments, statement.parse(1, own))
    meaning = Meaning(author={key: sym(f"@{key}") for key in ranges}, names=list(ranges), definitions=definitions)
    generator = np.random.default_rng(_SEED)
    names = {key: generator.uniform(low, high, _POINTS) for key, (low, high) in ranges.items()} or {"": np.zeros(1)}
    first = statements[0]
    sides = range(len(first.sides))
    evaluator = Evaluator(names)
    values = [evaluator(meaning.resolve(first.parse(k, declared))) for k in sides]
    scale = np.maximum(np.max(np.abs(values), axis=0), 1e-12)
    deviation = float(np.max(np.ptp(values, axis=0) / scale))
    if len(values) < 2 or not deviation <= max(TOLERANCE, 10 * evaluator.error) or evaluator.error > ACCURACY:
        raise IdentityError(f"the sides differ by {deviation:.1e} (accuracy {evaluator.error:.1e}): {values}")
    return Checked(deviation, evaluator.error, len(next(iter(names.values()))))


def identities_of(text: str) -> list[tuple[str, list[str]]]:
    """The (equation, letters) of every ``{identity}`` block of a page."""
    blocks = re.findall(r"^```\{identity\}([^\n]*)\n(.*?)^```", text, re.M | re.S)
    return [(body, head.split()) for head, body in blocks]


def _letter(word: str) -> tuple[str, tuple[float, float]]:
    name, mark, span = word.partition("=")
    low, _, high = span.partition(":")
    return name, (float(low), float(high)) if mark else (0.2, 0.9)
