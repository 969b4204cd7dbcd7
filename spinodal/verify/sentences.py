"""The sentences of the text around a display."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spinodal.verify.documents import Document
from spinodal.verify.statements import Statement

_OPENING = re.compile(r"(?:\\\[|\$\$|\\begin\{[A-Za-z]+\*?\}(?:\{[^{}]*\})?)\s*(?:\\label\{[^{}]*\}\s*)?\Z")
_CLOSING = re.compile(r"\s*(?:\\label\{[^{}]*\}\s*)?(?:\\\]|\$\$|\\end\{[A-Za-z]+\*?\})?(?:\s*\{#[^}]*\})?")
_SECTION = re.compile(r"\\(?:sub)*section\b[^\n]*|\\chapter\b[^\n]*|^#+ [^\n]*", re.M)
_FORMULA = r"\$\$.*?\$\$|\$[^$]*\$|\\\(.*?\\\)|\\\[.*?\\\]|\\begin\{(?P<name>[A-Za-z]+\*?)\}.*?\\end\{(?P=name)\}"
#: How far sentences are followed after a display.
_REACH = 2000
_END = re.compile(r"[.!?](?:\s+|\Z)|\n[ \t]*\n")


@dataclass(frozen=True)
class Piece:
    """A part of the text, with its place."""

    text: str
    start: int


@dataclass(frozen=True)
class Around:
    """The text around a display.

    Attributes:
        before: the sentence that the display ends or follows.
        after: the rest of the sentence after it.
        following: the sentence after that.
        above: the sentences before, from the beginning of the section.
    """

    before: Piece
    after: Piece
    following: Piece
    above: tuple[Piece, ...]


def around(document: Document, statement: Statement) -> Around:
    """The sentences around the display of a statement."""
    text = _flowing(document)
    equation = next((e for e in document.equations if any(s is statement for s in e.statements)), None)
    start, end = (equation.start, equation.end) if equation is not None else (statement.start, statement.end)
    opening = _OPENING.search(text, max(0, start - 200), start)
    start = opening.start() if opening is not None else start
    closing = _CLOSING.match(text, end)
    end = closing.end() if closing is not None else end
    section = max((match.end() for match in _SECTION.finditer(text, 0, start)), default=0)
    pieces = _sentences(text, section, start)
    stops = [*((match.start(), match.end()) for match in _ends(text, end, min(len(text), end + _REACH))), (len(text),) * 2][
        :2
    ]
    (stop, begin), (last, _) = stops[0], stops[-1]
    before = pieces[-1] if pieces else Piece("", start)
    return Around(before, Piece(text[end:stop], end), Piece(text[begin:last], begin), tuple(pieces[:-1]))


def _sentences(text: str, start: int, stop: int) -> list[Piece]:
    found, low = [], start
    for match in _ends(text, start, stop):
        if text[low : match.start()].strip():
            found.append(Piece(text[low : match.start()], low))
        low = match.end()
    if text[low:stop].strip():
        found.append(Piece(text[low:stop], low))
    return found


def _ends(text: str, start: int, stop: int) -> list[re.Match[str]]:
    """Where sentences end: not inside a formula."""
    masked = re.sub(_FORMULA, lambda match: re.sub(r"\S", "x", match.group()), text[start:stop], flags=re.S)
    return list(_END.finditer(text[:start] + masked, start))


def _flowing(document: Document) -> str:
    """What is typeset, without the breaks of lines that are comments: a paragraph goes on behind them."""
    lines = []
    for typeset, written in zip(document.visible.split("\n"), document.text.split("\n"), strict=False):
        lines.append(typeset + (" " if written.strip() and not typeset.strip() else "\n"))
    return "".join(lines)[: len(document.visible)]
