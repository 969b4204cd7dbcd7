r"""Overlaps that a document defines by weights in other roles, or with factors: ``q = \frac1N w\cdot w_T``.

The model's ``q`` is an overlap of students and its ``r`` one with the teacher. Nothing is known of a letter that is said to
be the other one, or of which a matrix element or a letter with a prime is a multiple (``\hat q_{ab} = 2\hat q``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.cursor import Declared
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.meaning import Meaning
from spinodal.verify.restated import factor_of
from spinodal.verify.sizes import SIZES, Stated, alone_on
from spinodal.verify.statements import Statement, symbol_at
from spinodal.verify.symbols import default_name, plain
from spinodal.verify.tree import free_symbols, num

#: Scripts of a teacher's weights, and of students' as replicas.
_TEACHER = frozenset(["T", "star", "teacher"])
_REPLICAS = frozenset(["a", "b", "1", "2", "alpha", "beta", "'"])
#: Scripts of the elements of a matrix of overlaps off its diagonal.
_PAIRS = frozenset(["ab", "alphabeta", "12", "rs", "munu"])

Refusals = dict[str, tuple[str, int]]


def other_roles(statements: Iterable[Stated], meaning: Meaning, declared: Declared) -> Refusals:
    """Letters of order parameters that a document says to be other overlaps, or of which it gives multiples; with place.

    Args:
        statements: the document's.
        meaning: of the letters.
        declared: how mathematics is parsed.
    """
    found: Refusals = {}
    for stated in statements:
        statement = stated.statement
        key = alone_on(statement.sides[0]) if statement.relations[0] == "=" and all(statement.sides) else None
        if key is None:
            continue
        said = _weights(statement, key, meaning)
        if said is None and key not in meaning.author:
            said = _multiple(statement, key, meaning, declared)
        if said is not None:
            letter, what = said
            shown, name = plain(letter), _name(letter, meaning) or default_name(letter, meaning.names)
            cure = f"say what it stands for, as in '% spinodal-symbols: {shown} = {name}'"
            if letter in meaning.author:  # weights say more than a map
                cure = "one of the two is wrong"
            found[letter] = f"line {stated.line} says {what}, and {shown} is read as {name}: {cure}", statement.start
    return found


def _name(key: str, meaning: Meaning) -> str | None:
    """The order parameter that a letter is read as."""
    mapped = meaning.author.get(key)
    if mapped is not None:
        name = str(mapped.value)[1:] if mapped.kind == "sym" else None
    else:
        name = default_name(key, meaning.names)
    return None if name in meaning.controls else name


def _weights(statement: Statement, key: str, meaning: Meaning) -> tuple[str, str] | None:
    """What weights in other roles define a letter."""
    name = _name(key, meaning)
    right = statement.sides[1]
    if name is None or name.endswith("_hat"):
        return None
    first = "".join(t.text for t in right[:7] if t.text not in "{}")
    if first.startswith(("frac1P", "P^-1")) and any(t.text in ("sum", "*") for t in right):
        return key, f"that {plain(key)} is divided by a number of patterns"
    if not any(t.text == "N" for t in right):
        return None
    weights = list(_letters(right, _summed(right), meaning))
    scripts = [marks for _, marks in weights]
    if name[0] == "q" and any(marks & _TEACHER for marks in scripts):
        return key, f"that {plain(key)} is an overlap with the teacher"
    bases = {base for base, _ in weights}
    students = all(marks and marks <= _REPLICAS for marks in scripts) or sorted(map(sorted, scripts)) == [[], ["'"]]
    if name.partition("_")[0] == "r" and len(weights) == 2 and len(bases) == 1 and students:
        return key, f"that {plain(key)} is an overlap of two students"
    return None


def _letters(tokens: Sequence[Token], index: str, meaning: Meaning) -> Iterator[tuple[str, set[str]]]:
    """The letters of weights, without their scripts, and these; a number above one is its replica's."""
    padded = [*tokens, Token("end", "", tokens[-1].end, tokens[-1].end)] * 2
    place = 0
    while place < len(tokens):
        key, width = symbol_at(padded, place)
        place += width
        if key is None or key in (*SIZES, index) or default_name(key, meaning.names) is not None:
            continue
        marks = _scripts(key, index)
        if padded[place].text == "^" and padded[place + 1].kind == "number":
            marks |= {padded[place + 1].text}
        yield _parted(key)[0], marks


def _summed(tokens: Sequence[Token]) -> str:
    """The index of a sum over sites."""
    texts = [t.text for t in tokens]
    if "sum" not in texts:
        return ""
    rest = [text for text in texts[texts.index("sum") + 1 :] if text not in ("_", "{")]
    return rest[0] if rest else ""


def _scripts(key: str, index: str) -> set[str]:
    """What stands below and above a letter besides the index of its site; T above a vector is its transpose."""
    below, _, above = key.partition("_")[2].partition("^") if "_" in key else ("", "", key.partition("^")[2])
    marks = {mark for mark in re.split(r"[,\s()]+", f"{below},{above}") if mark}
    transposed = above == "T" and index not in below.split(",") if index else above == "T"
    return marks - {index} - ({"T"} if transposed else set())


def _multiple(statement: Statement, key: str, meaning: Meaning, declared: Declared) -> tuple[str, str] | None:
    r"""``\hat q_{ab} = 2\hat q``, ``\hat q := \alpha\hat q'``: the letter that a multiple is said of."""
    try:
        body = statement.parse(1, declared)
    except UnreadableError:
        return None
    base, script = _parted(key)
    for other in free_symbols(body):
        element = script in _PAIRS and _name(base, meaning) is not None and other == base
        primed = _name(key, meaning) is not None and _parted(other) in ((key, "'"), (key, "''"))
        factor = factor_of(body, other) if element or primed else None
        if factor is not None and factor != num(1):
            return (other if element else key), f"that {plain(key)} is a multiple of {plain(other)}"
    return None


def _parted(key: str) -> tuple[str, str]:
    """A letter and its scripts in one word."""
    cut = re.search(r"[_^]", key)
    return (key, "") if cut is None else (key[: cut.start()], re.sub(r"[_^,\s]", "", key[cut.start() :]))


__all__ = ["other_roles"]
