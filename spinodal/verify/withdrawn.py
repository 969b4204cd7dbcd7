r"""Words around a claim that withdraw it or change what it says: ``it is not true that``, ``(up to a factor of two)``.

Sentences are not understood. The lists are short and of standing phrases: what one of them stands at does not pass.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from spinodal.verify.descriptions import descriptions
from spinodal.verify.documents import Document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.functions import FUNCTIONS, LETTER_FUNCTIONS
from spinodal.verify.grammar.lexer import tokenize
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.laws import UNIT, laws_in_words
from spinodal.verify.sentences import Piece, around
from spinodal.verify.statements import Statement
from spinodal.verify.vocabulary import contradiction, other_function

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
#: What is to be corrected in what has been claimed.
_CORRECTED = re.compile(
    r"\b(?:signs?|sides?|exponents?|factors?|equations?|formulas?|terms?|prefactors?|arguments?)\b[^.;]{0,60}\b(?:should|must|has\s+to|"
    r"have\s+to|needs?\s+to)\s+be\s+(?:reversed|flipped|changed|inverted|squared|halved|doubled|corrected|replaced|removed)\b|"
    r"\bsee\s+(?:the|our|an)\s+errat(?:um|a)\b|\bmisprint|\btypographical\s+error",
    re.I,
)
_WHICH = re.compile(r"[\s,;.(]*(?:which|that)\s+is\s*,?\s+(?=the\b|an?\b|our\b)", re.I)
#: Numbers of patterns in words, as a multiple of what is written.
_AS_MANY = re.compile(
    r"\b(?:twice|half|three\s+times|thrice)\s+as\s+many\s+(?:patterns|examples|samples|constraints)\s+as\s+\$[^$]*\\alpha[^$]*\$",
    re.I,
)
_HAT = re.compile(
    r"\b(?:the\s+)?hats?\s+(?:denotes?|means?|stands?\s+for|indicates?|marks?)\s+(?:the\s+|an?\s+)?"
    r"(?:[a-z]+\s+){0,2}(?:inverse|reciprocal|negative|double|square|logarithm|average|mean|estimate|derivative)\w*",
    re.I,
)
#: Integrals that do not run over the whole line.
_RANGE = re.compile(
    r"\bintegrals?\b[^.;]{0,40}\b(?:runs?|extends?|ranges?|is|are)\b[^.;]{0,30}"
    r"\b(?:half[- ]line|half[- ]axis|(?:positive|negative)\s+(?:half|real|numbers|values|axis)[^.;]{0,20})",
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
_UNITS_BESIDE = re.compile(rf"\bper\s+{_PATTERNS}|\bin\s+bits\b", re.I)
#: The same of every quantity of the document.
_UNITS_OF_ALL = re.compile(
    r"\b(?:entrop(?:y|ies)|free\s+entrop(?:y|ies)|complexit(?:y|ies))\s+(?:is|are)\s+(?:(?:given|measured|expressed|quoted|stated)\s+)?"
    r"in\s+bits\b",
    re.I,
)
_BASE = re.compile(
    r"\b(?:logarithms?|log)\b[^.;$]{0,40}\bbase[- ]?(?:\s|\$)*(?:2|two|10|ten)\b|"
    r"\bbase[- ](?:2|two|10|ten)\s+logarithms?\b|\b(?:binary|decimal)\s+logarithms?\b",
    re.I,
)
#: The letter of the Gaussian differential, defined as a derivative.
_DERIVATIVE = re.compile(r"\$\s*(?:\\mathrm\{D\}|D)\s*(?:=|:=|\\equiv)\s*\\[dt]?frac\s*\{?\s*(?:d|\\partial|\\mathrm\{d\})")
_VARIANCE = re.compile(
    r"(?:\$\s*(?:\\int\s*)?(?:\\mathcal\s*\{?\s*D\s*\}?|\\mathrm\s*\{\s*D\s*\}|D)\s*[a-z]\s*\$|\b(?:Gaussian|normal)\s+measures?)"
    r"[^.;]{0,60}?(?:\bvariance\s+(?:of\s+|equal\s+to\s+)?(?P<value>[a-z]+(?:\s+half)?|\$[^$]+\$|[\d./]+)|"
    r"\b(?P<other>unit\s+mean|uniform))",
    re.I,
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
    text, everywhere = around(document, statement), Piece(document.visible, 0)
    yield from _matches(_BEFORE, text.before)
    for found, place in _matches(_AFTER, text.after):
        if _VANISHING.search(text.after.text, place - text.after.start) is None:
            yield found, place
    yield from _matches(_NEXT, text.following)
    for piece in (text.after, text.following):
        yield from _matches(_CORRECTED, piece)
    if (which := _WHICH.match(text.after.text)) is not None:
        span = _other_quantity(text.after.text[which.end() :], quantity)
        if span is not None:
            yield text.after.text[: which.end() + span[1]], text.after.start
    yield from _matches(_AS_MANY, everywhere)
    if "hat" in used:
        yield from _matches(_HAT, everywhere)
    if not {"int", "D"}.isdisjoint(used):
        yield from _matches(_RANGE, everywhere)
    if any(part in quantity for part in _DENSITIES):
        yield from _matches(_CALLED_BEFORE, text.before)
        yield from _matches(_UNITS_OF_ALL, everywhere)
    if "log" in used:
        yield from _matches(_BASE, everywhere)
    if any(t.text == "D" for side in statement.sides for t in side):
        yield from _matches(_DERIVATIVE, everywhere)
    if "D" in used:
        for match in _VARIANCE.finditer(document.visible):
            if match.group("other") or match.group("value").lower() not in UNIT:
                yield match.group(), match.start()
    yield from _called(document, statement, quantity, used)
    yield from _laws(document, statement, used)


def _called(document: Document, statement: Statement, quantity: str, used: Collection[str]) -> Iterator[tuple[str, int]]:
    """Words that call the letter of a function, a measure or the claimed quantity something else."""
    left = [t.text for t in statement.sides[0]]
    for said in descriptions(document.visible):
        try:
            tokens = [t for t in tokenize(said.formula, macros=document.macros) if t.kind != "end"]
        except UnreadableError:
            continue
        words = said.words
        if said.is_before:
            words = re.split(r"\b(?:the|an?|with|our|its|and)\s+", f"{words} ")[-1].rstrip()
        name = _function(tokens)
        place = None
        if name is not None and {t.text for t in tokens[:1]} | ({"D"} & {t.text for t in tokens}) <= {
            *used,
            "mathrm",
            "mathcal",
        }:
            place = other_function(words, name)
        if [t.text for t in tokens] == left and not said.is_before:
            place = place or _other_quantity(words, quantity)
        if place is not None:
            yield f"{said.shown[: len(said.shown) - len(said.words)]}{words[: place[1]]}", said.start


def _laws(document: Document, statement: Statement, used: Collection[str]) -> Iterator[tuple[str, int]]:
    """Words that give the variable of a Gaussian integral another law."""
    if "D" not in used:
        return
    texts = [t.text for side in statement.sides for t in side if t.text not in ("{", "}")]
    variables = {after for before, after in pairwise(texts) if before == "D"}
    for law in laws_in_words(document):
        if law.variable in variables:
            yield document.visible[law.offset : law.offset + 60].partition(".")[0], law.offset


def _function(tokens: Sequence[Token]) -> str | None:
    """The function whose name or letter is written, alone or before a variable; ``measure`` for that of ``Dz``."""
    texts = [t.text for t in tokens if t.text not in ("{", "}")]
    if not texts:
        return None
    if texts[0] in ("mathrm", "mathcal"):
        texts = texts[1:]
    if len(texts) == 2 and texts[0] == "D" and texts[1].isalpha():
        return "density"
    alone = len(texts) == 1 or (len(texts) == 4 and texts[1] == "(" and texts[3] == ")")
    return {**FUNCTIONS, **LETTER_FUNCTIONS}.get(texts[0]) if alone else None


def _other_quantity(words: str, quantity: str) -> tuple[int, int] | None:
    """The words that call the claimed quantity another one, or one in other units."""
    place = contradiction(words, quantity, "", (), is_control=False)
    if place is None and any(part in quantity for part in _DENSITIES):
        match = _UNITS_BESIDE.search(words)
        place = match.span() if match is not None else None
    return place


def _matches(pattern: re.Pattern[str], piece: Piece) -> Iterator[tuple[str, int]]:
    for match in pattern.finditer(piece.text):
        yield match.group(), piece.start + match.start()
