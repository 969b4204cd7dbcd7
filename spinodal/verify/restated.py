r"""What a document says of the model's own letters: ``\hat q \to \alpha\hat q``, ``T = 2/\beta``.

A definition of another letter is honoured (``\beta = 2/T``). What is said of an order parameter or a parameter itself cannot
change what the model has; where it contradicts how letters are read, what uses these letters is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import numpy as np

from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.cursor import Declared
from spinodal.verify.meaning import Meaning, used_names
from spinodal.verify.sizes import Stated, alone_on, symbols_in
from spinodal.verify.statements import Statement
from spinodal.verify.symbols import default_name, plain

#: Where both sides of what is said of parameters are compared.
_VALUES = (0.37, 1.21, 0.83, 1.57)


def contradictions(statements: Iterable[Stated], meaning: Meaning, declared: Declared) -> dict[str, tuple[str, int]]:
    r"""Letters of parameters and of conventions that what the document says of them contradicts, with reason and place.

    Args:
        statements: the document's.
        meaning: of the letters.
        declared: how mathematics is parsed.
    """
    found: dict[str, tuple[str, int]] = {}
    meaning = replace(meaning, touched=set())  # nothing of this is a use of a definition
    for stated in statements:
        statement = stated.statement
        if set(statement.relations) != {"="} or not all(statement.sides):
            continue
        keys = {key for side in statement.sides for key in symbols_in(side)}
        read = keys & meaning.conventions.keys() - meaning.author.keys()
        if not read or any(alone_on(statement.sides[0]) == key for key in read):
            continue
        try:
            trees = [meaning.resolve(statement.parse(k, declared)) for k in range(len(statement.sides))]
            if default_name(alone_on(statement.sides[0]) or "", meaning.controls) is not None:
                trees = [tree for tree in trees if used_names(tree)]  # a number is its value here
            used = frozenset[str]().union(*(used_names(tree) for tree in trees))
            if not used or not used <= set(meaning.controls):
                continue
            names = {name: np.roll(np.array(_VALUES), k) for k, name in enumerate(sorted(used))}
            first, *others = (Evaluator(names)(tree) for tree in trees)
        except UnreadableError:
            continue
        if all(np.allclose(first, other, rtol=1e-10, atol=0.0) for other in others):
            continue
        own = [key for key in keys if default_name(key, meaning.controls) is not None]
        shown = " and ".join(plain(key) for key in sorted(read))
        said = " and ".join(plain(key) for key in sorted({*read, *own}))
        reason = f"what line {stated.line} says of {said} is not so as {shown} is read: define {shown} itself"
        found |= dict.fromkeys((*read, *own), (reason, statement.start))
    return found


def rescalings(
    statements: Iterable[tuple[Statement, int]], names: Collection[str], offset: int, declared_at: Mapping[str, int]
) -> dict[str, tuple[str, int]]:
    r"""Letters of the model that the text before a claim rescales (``\hat q \to \alpha\hat q``), with reason and place.

    Which side of such an arrow is the letter from there on is a matter of habit, so that what uses it is refused unless a
    symbol map below the arrow says what the letter stands for.

    Args:
        statements: the document's, with their lines.
        names: order parameters and parameters.
        offset: of the claim.
        declared_at: the place of the last entry of the symbol map for each key.
    """
    found = {}
    for statement, line in statements:
        if statement.relations not in (("to",), ("mapsto",)) or statement.start > offset or not all(statement.sides):
            continue
        key = alone_on(statement.sides[0])
        right = statement.sides[1]
        if key is None or alone_on(right) is not None or key not in symbols_in(right):
            continue
        name = default_name(key, names)
        if (name is None and key not in declared_at) or declared_at.get(key, -1) > statement.start:
            continue
        shown = plain(key)
        example = f"'% spinodal-symbols: {shown} = {name or 'NAME'}'"
        reason = f"{shown} is rescaled in line {line}: say below it what {shown} stands for from there on, as in {example}"
        found[key] = f"{reason} or with its factor", statement.start
    return found
