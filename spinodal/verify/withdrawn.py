r"""Words around a claim that withdraw it or change what it says: ``it is not true that``, ``(up to a factor of two)``.

Sentences are not understood. The lists are short and of standing phrases: what one of them stands at does not pass.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from spinodal.verify.documents import Document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.functions import LETTER_FUNCTIONS
from spinodal.verify.laws import UNIT
from spinodal.verify.sentences import Piece, around
from spinodal.verify.statements import Statement

_WRONG = r"(?:wrong|incorrect|false|erroneous|mistaken|off\s+by|not\s+(?:quite\s+)?(?:true|correct|right|exact|the\s+case))"
_BEFORE = re.compile(
    rf"\b(?:it\s+is|it's|is\s+it)\s+(?:simply\s+|clearly\s+)?{_WRONG}\s+(?:that|to)\b|"
    r"(?<!\bas\s)\bone\s+might\s+(?:(?:naively|well|then|at\s+first)\s+)*(?:be\s+tempted|think|expect|believe|guess)\b|"
    r"\b(?:erroneously|mistakenly|incorrectly|wrongly)\s+(?:wr[io]te?|written|obtain|claim|state|f[io]u?nd|gave|give|read|conclude)|"
    r"\bto\s+(?:leading|lowest|first|second)\s+order\s+in\s+(?!\$\s*(?:1/)?N|\$\s*\\frac\{?1\}?\{?N)|\bapproximately:?\s*\Z|"
    r"\bincorrect\s+(?:equation|formula|expression|result)\s*\Z|"
    r"\b(?:do|does|did)\s+not\s+(?:obey|satisfy|equal)\s*:?\s*\Z|\bis\s+not\s+(?:given\s+by|equal\s+to)?\s*:?\s*\Z",
    re.I,
)
_KIND = r"(?:factors?|signs?|constants?|corrections?|terms?|normali[sz]ations?|order)"
_THIS = r"(?:this|which|it|that)\s+(?:(?:equation|formula|expression|result)\s+)?"
_AFTER = re.compile(
    r"\A[\s,;.(]*(?:instead\s+of|rather\s+than)\b|"
    r"\A[\s,;.(]*(?:(?:which|this|that|it)\s+)?(?:(?:is|holds?|valid|true|correct|only)\s+)*up\s+to\s+"
    rf"(?:[a-z-]+\s+){{0,4}}?{_KIND}\b|"
    rf"\b{_THIS}(?:is|was|turns\s+out\s+to\s+be)\s+{_WRONG}\b|"
    rf"\b{_THIS}(?:should|must|has\s+to|needs\s+to)\s+be\s+(?:multiplied|divided|corrected|replaced|doubled|halved)\b|"
    rf"\b{_THIS}does\s+not\s+hold\s*(?:[.,;]|\Z|in\s+general|exactly)",
    re.I,
)
#: The same at the beginning of the next sentence.
_NEXT = re.compile(rf"\A\s*(?:(?:but|however),?\s+)?{_THIS}(?:is|was|turns\s+out\s+to\s+be)\s+{_WRONG}\b", re.I)
#: Corrections that vanish in the limit in which every claim is meant.
_VANISHING = re.compile(r"finite[- ]size|vanish|thermodynamic|1/N|\\frac\{?1\}?\{?N|N\^\{?-|\bN\s*\\to|o\(|O\(", re.I)
_PATTERNS = r"(?:patterns?|(?:training\s+)?examples?|samples?|constraints?)"
#: Names of quantities in other units than per weight and in nats.
_PER_PATTERN = rf"(?:entropy|energy|complexity)\s+(?:density\s+)?per\s+{_PATTERNS}"
_OTHER_UNITS = rf"(?:{_PER_PATTERN}|(?:entropy|complexity)\s+(?:density\s+)?in\s+bits)\b"
_CALLED_BEFORE = re.compile(rf"\b{_OTHER_UNITS}(?=[^,.;]{{0,60}}\Z)", re.I)
_CALLED_AFTER = re.compile(rf"\$(?P<letter>[^$]{{1,20}})\$\s+(?:is|denotes|being)\s+(?:the|an?|our)\s+{_OTHER_UNITS}", re.I)
_MULTIPLE = re.compile(
    r"\$(?P<letter>[^$]{1,20})\$\s+(?:is|denotes|being)\s+(?:minus|twice|half)\s+the\s+(?:\w+\s+)?(?:entropy|energy|complexity)\b",
    re.I,
)
_BASE = re.compile(
    r"\b(?:logarithms?|log)\b[^.;$]{0,40}\bbase[- ]?(?:\s|\$)*(?:2|two|10|ten)\b|"
    r"\bbase[- ](?:2|two|10|ten)\s+logarithms?\b|\b(?:binary|decimal)\s+logarithms?\b",
    re.I,
)
_VARIANCE = re.compile(
    r"(?:\$\s*(?:\\int\s*)?(?:\\mathcal\s*\{?\s*D\s*\}?|\\mathrm\s*\{\s*D\s*\}|D)\s*[a-z]\s*\$|\b(?:Gaussian|normal)\s+measures?)"
    r"[^.;]{0,60}?(?:\bvariance\s+(?:of\s+|equal\s+to\s+)?(?P<value>[a-z]+(?:\s+half)?|\$[^$]+\$|[\d./]+)|"
    r"\b(?P<other>unit\s+mean|uniform))",
    re.I,
)
_FUNCTION = re.compile(
    r"\$\s*(?P<letter>[HG]|\\Phi)\s*(?:\([^$]{1,10}\))?\s*\$\s*,?\s*(?:is|denotes|being|stands\s+for)\s+(?:the\s+|a\s+)?"
    r"(?P<words>[^.;$]{0,80})",
    re.I,
)
_FUNCTIONS = (
    (re.compile(r"\bcomplementary\s+cumulative|\b(?:larger|greater|above|exceeds?)\b|\btail\b", re.I), "tail"),
    (re.compile(r"\bcumulative\b|\b(?:smaller|less|lower|below)\b", re.I), "normal"),
    (re.compile(r"\bdensity\b", re.I), "density"),
)
#: Quantities that are per weight.
_DENSITIES = ("entropy", "energy", "complexity")


def refuse_withdrawn(document: Document, statement: Statement, quantity: str, used: Collection[str]) -> None:
    """Refuse a claim that the words around it withdraw or change.

    Args:
        document: the document.
        statement: the claim.
        quantity: its name.
        used: the texts of the tokens of its display and of what it uses.

    Raises:
        UnreadableError: at the words.
    """
    for text, place in _words(document, statement, quantity, used):
        place += len(text) - len(text.lstrip(" \n,;.("))
        shown = " ".join(text.strip(" \n,;.(").split())
        line = document.position(place)[0]
        reason = f"the text of line {line} says {shown[:60]!r} of what is claimed"
        raise UnreadableError(f"{reason}: write the equation that is meant, and take these words away from it", place)


def _words(document: Document, statement: Statement, quantity: str, used: Collection[str]) -> Iterator[tuple[str, int]]:
    text = around(document, statement)
    yield from _matches(_BEFORE, text.before)
    for found, place in _matches(_AFTER, text.after):
        if _VANISHING.search(text.after.text, place - text.after.start) is None:
            yield found, place
    yield from _matches(_NEXT, text.following)
    everywhere = Piece(document.visible, 0)
    if any(part in quantity for part in _DENSITIES):
        yield from _matches(_CALLED_BEFORE, text.before)
        for match in (*_CALLED_AFTER.finditer(text.after.text), *_MULTIPLE.finditer(text.after.text)):
            if match.group("letter").strip(" \\") in {t.text for t in statement.sides[0]}:
                yield match.group(), text.after.start + match.start()
    if "log" in used:
        yield from _matches(_BASE, everywhere)
    if "D" in used:
        for match in _VARIANCE.finditer(document.visible):
            if match.group("other") or match.group("value").lower() not in UNIT:
                yield match.group(), match.start()
    yield from _functions(document, used)


def _functions(document: Document, used: Collection[str]) -> Iterator[tuple[str, int]]:
    """Words that call the letter of a function another function."""
    for match in _FUNCTION.finditer(document.visible):
        letter, words = match.group("letter").lstrip("\\"), match.group("words")
        if letter not in used or not re.search(r"\b(?:Gaussian|normal|distribution)\b", words, re.I):
            continue
        kind = next((kind for pattern, kind in _FUNCTIONS if pattern.search(words)), None)
        if kind is not None and kind != LETTER_FUNCTIONS.get(letter):
            yield match.group(), match.start()


def _matches(pattern: re.Pattern[str], piece: Piece) -> Iterator[tuple[str, int]]:
    for match in pattern.finditer(piece.text):
        yield match.group(), piece.start + match.start()
