r"""Values of parameters in the text around a claim: ``we fix $\kappa=1$``, ``for any $\kappa$``, ``a margin of one``.

A claim that does not contain a parameter is compared at one value of it. Where the sentences around the claim give another
one, nothing is known of the claim there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spinodal.verify.documents import Document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.lexer import tokenize
from spinodal.verify.letters import Letters
from spinodal.verify.meaning import used_names
from spinodal.verify.sentences import Piece, around
from spinodal.verify.sizes import alone_on
from spinodal.verify.statements import Statement, split
from spinodal.verify.vocabulary import PARAMETERS, of_parameter

_FORMULA = re.compile(r"\$\$?(?P<dollar>[^$]{1,120}?)\$|\\\((?P<round>.{1,120}?)\\\)|\\\[(?P<square>.{1,120}?)\\\]", re.S)
_FIXES = re.compile(
    r"\b(?:fix(?:ed|ing)?|set(?:ting)?|tak(?:e|ing)|choos(?:e|ing)|let|put|throughout|consider|restrict)\b", re.I
)
_ANY = re.compile(r"\b(?:any|all|every|each|arbitrary)\s+(?:[a-z-]+\s+){0,2}\Z", re.I)
_ANY_NAMED = re.compile(
    r"\b(?:any|all|every|each|arbitrary)\s+(?:values?\s+of\s+the\s+)?(?P<words>[a-z]+(?:\s+temperatures?)?)\b", re.I
)
_NUMBERS = {"zero": 0.0, "vanishing": 0.0, "one": 1.0, "unity": 1.0, "unit": 1.0, "two": 2.0, "half": 0.5}
_NUMBER = r"(?P<number>zero|one|unity|two|half)\b"


@dataclass(frozen=True)
class Said:
    """What the text says of a parameter: its value or its bound (None: any), and where."""

    name: str
    value: float | None
    place: int
    relation: str = "="

    def allows(self, value: float) -> bool:
        """Whether a value is one that the text speaks of."""
        if self.value is None:
            return True
        return {"=": value == self.value, "<": value < self.value, ">": value > self.value}[self.relation]


def refuse_other_values(document: Document, statement: Statement, letters: Letters, at: Mapping[str, float]) -> None:
    """Refuse a claim that is compared at other values of parameters than the text around it gives.

    Args:
        document: the document.
        statement: the claim.
        letters: what the author's letters mean.
        at: the values of the parameters that have one in the comparison.

    Raises:
        UnreadableError: at the value in the text.
    """
    said = values_in_text(document, statement, letters, at.keys())
    for name, value in at.items():
        own = [one for one in said if one.name == name and one.value is not None]
        if own and not any(one.allows(value) for one in own):
            line, other = document.position(own[-1].place)[0], own[-1].value
            relation = {"=": "is", "<": "is below", ">": "is above"}[own[-1].relation]
            reason = f"line {line} says that {name} {relation} {other:g}, and the claim is compared at {name} = {value:g}"
            example = f", as in {name}={other:g}" if own[-1].relation == "=" else ""
            raise UnreadableError(f"{reason}: say in the markup which is meant{example}", own[-1].place)


def values_in_text(document: Document, statement: Statement, letters: Letters, names: Collection[str]) -> list[Said]:
    """What the sentences around a claim say of parameters; where they say nothing, what is fixed above in the section."""
    text = around(document, statement)
    near = [one for piece in (text.before, text.after) for one in _values(document, piece, letters, names)]
    found = list(near)
    for piece in reversed(text.above):
        known = {one.name for one in found}
        if _FIXES.search(piece.text) or _FORMULA.fullmatch(piece.text.strip()):
            found += [one for one in _values(document, piece, letters, names) if one.name not in known]
    return found


def meant_for_all(document: Document) -> frozenset[str]:
    r"""The texts of the letters of which the text says ``for any $\kappa$``."""
    found: set[str] = set()
    for match in _FORMULA.finditer(document.visible):
        if _ANY.search(document.visible, max(0, match.start() - 60), match.start()):
            try:
                found |= {t.text for t in tokenize(next(filter(None, match.groups())), macros=document.macros)}
            except UnreadableError:
                continue
    for match in _ANY_NAMED.finditer(document.visible):
        found |= {name for name in PARAMETERS if re.fullmatch(of_parameter(name), match.group("words"), re.I)}
    return frozenset(found)


def _values(document: Document, piece: Piece, letters: Letters, names: Collection[str]) -> Iterator[Said]:
    for match in _FORMULA.finditer(piece.text):
        group = next(name for name in ("dollar", "round", "square") if match.group(name) is not None)
        place = piece.start + match.start(group)
        try:
            tokens = [t for t in tokenize(match.group(group), place, macros=document.macros) if t.kind != "end"]
        except UnreadableError:
            continue
        key = alone_on(tokens)
        name = _name(key, letters) if key is not None else None
        if name in names and name is not None and _ANY.search(piece.text, 0, match.start()):
            yield Said(name, None, place)
        for each in split(tokens):
            name = _name(alone_on(each.sides[0]), letters)
            related = each.relations in (("=",), ("<",), (">",)) and name in names
            value = _number(each, letters) if related else None
            if name is not None and value is not None:
                yield Said(name, value, place, each.relations[0])
    for name in names:
        if words := of_parameter(name):
            for match in _in_words(words, piece.text):
                yield Said(name, _NUMBERS[match.group("number").lower()], piece.start + match.start())


def _in_words(words: str, text: str) -> Iterator[re.Match[str]]:
    letter = r"\s*(?:\$[^$]{1,20}\$\s*)?"
    joined = r"(?:(?:is|be|of|to|equals?|equal|set|fixed)\s+){1,3}"
    yield from re.finditer(rf"\b(?:{words}){letter}\s*{joined}{_NUMBER}", text, re.I)
    yield from re.finditer(rf"\b(?P<number>unit|zero|vanishing)\s+(?:{words})\b", text, re.I)


def _name(key: str | None, letters: Letters) -> str | None:
    try:
        return letters.meaning.name_of(key) if key is not None else None
    except UnreadableError:
        return None


def _number(statement: Statement, letters: Letters) -> float | None:
    """The value of a right side without letters."""
    try:
        tree = letters.meaning.resolve(statement.parse(1, letters.declared))
        return None if used_names(tree) else float(Evaluator({"": np.zeros(1)})(tree)[0])
    except UnreadableError:
        return None


def single_values(places: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The parameters that have the same value at all places."""
    return {name: value for name, value in places[0].items() if all(place[name] == value for place in places)}
