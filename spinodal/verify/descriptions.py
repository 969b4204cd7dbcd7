r"""Where a text says what a letter is: ``$\kappa$ is the margin``, ``with $\alpha$ the load``, ``the overlap $q$``.

Sentences are not understood: the finders know the few ways in which papers introduce letters, in sentences, lists and
tables, and give the words up to the end of the clause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from spinodal.verify.vocabulary import STARTS

FORMULA = r"(?:\$(?P<dollar>[^$\n]{1,60})\$|\\\((?P<bracket>[^$\n]{1,60}?)\\\))"
_VERB = (
    r"(?:is|are|denotes?|denoting|being|stands?\s+for|represents?|means?|designates?|will\s+be|is\s+called|is\s+defined\s+as|"
    r"was|equals)"
)
_AFTER = re.compile(rf"{FORMULA}\s*,?\s*(?:(?P<verb>{_VERB})\s+|=\s*(?=[A-Za-z]))", re.I)
#: Before a letter that a preposition belongs to, so that the verb after it has another subject: "the maximum over $t$ is".
_OBJECT = re.compile(r"\b(?:over|of|in|at|to|from|by|on|between|respect\s+to)\s+\Z")
_NEAR = 40
#: ``with $\kappa$ the margin``; in a list that began so, also after a comma.
_APPOSED = re.compile(
    rf"\b(?P<word>with|where|and|denote\s+by|call)\s+{FORMULA}\s*,?\s+(?=(?:the|an?|its|our|that|minus|twice|half)\b)", re.I
)
_IN_LIST = re.compile(rf",\s*{FORMULA}\s+(?=(?:the|an?|its|that)\b)", re.I)
_LIST_BEGUN = re.compile(r"\b(?:with|where)\s+(?:\$[^$]*\$|\\\()[^.;]*\Z", re.I)
#: At the beginning of a line, an item or a cell: ``$X$: ..``, ``$X$ --- ..``, ``$X$ & ..``, ``| $X$ | .. |``.
_LISTED = re.compile(
    r"(?:\A|[\n;&|(]|\.\s|,\s|:\s|\\\\|\\item\s*\[?|[-*+]\s|\}\s*|\d[.)]\s|"
    r"\\(?:hline|toprule|midrule))\s*"
    rf"{FORMULA}\s*(?P<mark>\]|:|\u2014|\u2013|-{{2,3}}|&|\||\(|=(?=\s*[A-Za-z]))\s*"
)
_CELLS = frozenset("&|")
_BEFORE = re.compile(
    rf"(?P<words>(?:[A-Za-z][A-Za-z'\u2013-]*\s+){{1,9}}){FORMULA}",
)
_LINK = re.compile(
    r"\s+(?:is|are|equals?|called|denoted\s+by|written(?:\s+as)?|given\s+by|named)(?:\s+(?:by|as))?\s*\Z", re.I
)
#: What makes a letter one point of many, or somebody else's: "the margin $\kappa_c$ at which".
_SOMEWHERE = re.compile(r"\s*(?:,\s*)?(?:at\s+which|where|beyond|above|below|for\s+which)\b")
_STOP = re.compile(
    r"[.;](?=\s|\Z|[\])])|\n[ \t]*\n|\\\\|\\(?:begin|end|item|caption|hline|(?:sub)*section)\b|\n[ \t]*(?:[-*+]|\d+[.)])\s|"
    r"\b(?:while|whereas|which|so\s+that|but|if|when|then|where)\b|\band\s+(?=\$|\\\(|let\b|we\b)|"
    r",(?!\s*(?:rescaled|multiplied|divided|times|measured|un-?normali[sz]ed|in\s+(?:units|bits|degrees)))|"
    r"\$\$|\\\[|\$[^$]*\$\s+(?:is|are|denotes?|the)\b",
    re.I,
)
_LONGEST = 200


@dataclass(frozen=True)
class Description:
    r"""What a text says of a letter.

    Attributes:
        formula: the letter as it is written, ``\hat q``; or a formula.
        words: the description.
        shown: for messages, with what joins it to the letter.
        start: where it begins.
        is_before: whether it stands before the letter, as in "the margin $\kappa$".
    """

    formula: str
    words: str
    shown: str
    start: int
    is_before: bool = False


def descriptions(text: str) -> Iterator[Description]:
    """Whatever a text says of letters, in no order."""
    for match in _AFTER.finditer(text):
        words = _clause(text, match.end())
        if _OBJECT.search(text, max(0, match.start() - _NEAR), match.start()) is not None:
            continue
        if match.group("verb") is None or STARTS.match(words):
            yield _described(match, words)
    for match in _APPOSED.finditer(text):
        word = match.group("word").lower()
        if word != "and" or _LIST_BEGUN.search(text, max(0, match.start() - 300), match.start()):
            yield _described(match, _clause(text, match.end()))
    for match in _IN_LIST.finditer(text):
        if _LIST_BEGUN.search(text, max(0, match.start() - 300), match.start()):
            yield _described(match, _clause(text, match.end()))
    for match in _LISTED.finditer(text):
        words = _clause(text, match.end())
        if match.group("mark") in _CELLS:
            words = re.split(r"[&|]|\n", words)[0]
        if match.group("mark") != "(" or STARTS.match(words):
            yield _described(match, words)
    for match in _BEFORE.finditer(text):
        words = _LINK.sub("", match.group("words").rstrip())
        if words and _SOMEWHERE.match(text, match.end()) is None:
            yield Description(_inside(match), words, words, match.start(), is_before=True)


def _described(match: re.Match[str], words: str) -> Description:
    start = match.start("dollar") if match.group("dollar") is not None else match.start("bracket")
    verb = match.groupdict().get("verb") or ""
    return Description(_inside(match), words, f"{verb} {words}" if verb else words, start)


def _inside(match: re.Match[str]) -> str:
    return (match.group("dollar") or match.group("bracket") or "").strip()


def _clause(text: str, start: int) -> str:
    """The words from a place to the end of the clause, formulas included."""
    stop = _STOP.search(text, start, start + _LONGEST)
    return text[start : stop.start() if stop is not None else start + _LONGEST]
