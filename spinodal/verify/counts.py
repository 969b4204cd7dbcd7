r"""What may be numbers of patterns: ``$2\alpha N$ patterns``, ``$M = \alpha N/2$``, ``\mu = 1, \dots, 2\alpha N``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from spinodal.verify.grammar.tokens import Token

_SIZES = frozenset("PND")
#: Letters that are sizes where the text speaks of patterns.
LOWER = frozenset("nd")
_CUTS = frozenset(", ; = < > : . |".split())
_CUT_COMMANDS = frozenset(
    "approx propto sim leq geq le ge to neq ll gg in mapsto simeq equiv ldots dots cdots { } forall lfloor rfloor lceil "
    "rceil quad qquad".split()
)
_PATTERNS = (
    r"(?:patterns?|examples?|samples?|data|datapoints?|points|constraints?|pairs|inputs|associations?|measurements?)\b"
)
_AFTER = re.compile(r"\)?\$?[^.;$\n]{0,40}?\b" + _PATTERNS, re.I)
_BEFORE = re.compile(r"\b" + _PATTERNS + r"[^.;]{0,60}\Z", re.I)


def speaks_of_patterns(text: str, start: int, stop: int) -> bool:
    """Whether the text right around a formula calls something a number of patterns."""
    return _AFTER.match(text, stop) is not None or _BEFORE.search(text[max(0, start - 120) : start]) is not None


def sized(tokens: Sequence[Token], patterns: bool) -> tuple[tuple[Token, ...], ...]:
    """The parts of a formula that contain a size beside something else.

    Args:
        tokens: of the formula.
        patterns: whether the text around it speaks of patterns, so that ``n`` and ``d`` may be sizes as well.
    """
    sizes = _SIZES | LOWER if patterns else _SIZES
    found = []
    for part in _parts(tokens):
        if len(part) > 1 and any(t.kind == "letter" and t.text in sizes for t in part):
            found.append(tuple(part))
    return tuple(found)


def _parts(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Between relations, commas and dots; and the upper bounds of sums and products."""
    part: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.kind == "command" and token.text in ("sum", "prod"):
            yield from ([*bound] for bound in _bounds(tokens, index + 1))
        cut = token.text in _CUTS if token.kind == "mark" else token.kind in ("prose", "row", "end", "word")
        if cut or (token.kind == "command" and token.text in _CUT_COMMANDS):
            yield part
            part = []
        else:
            part.append(token)
        index += 1
    yield part


def _bounds(tokens: Sequence[Token], index: int) -> Iterator[Sequence[Token]]:
    while index + 1 < len(tokens) and tokens[index].text in ("_", "^"):
        upper, start, level = tokens[index].text == "^", index + 1, 0
        for stop in range(start, len(tokens)):
            level += (tokens[stop].text == "{") - (tokens[stop].text == "}")
            if level == 0:
                break
        else:
            return
        if upper:
            yield tokens[start + 1 : stop]
        index = stop + 1
