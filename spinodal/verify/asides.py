r"""Formulas in the text of a document that relate but do not equate: ``$\mathcal N\simeq e^{Ns}$``, ``$t\in[0,1]$``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from spinodal.verify.documents import Document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.lexer import tokenize
from spinodal.verify.statements import Statement, split

_INLINE = re.compile(r"(?<![\\$])\$(?P<dollar>[^$]{1,200}?)\$|\\\((?P<bracket>.{1,200}?)\\\)", re.S)
_RELATES = re.compile(r"\\(?:simeq|approx|asymp|propto|in)(?![A-Za-z])")


def asides(document: Document) -> Iterator[Statement]:
    """The statements of the formulas in the text that are not among a document's equations."""
    known = {equation.start for equation in document.equations}
    for match in _INLINE.finditer(document.visible):
        group = "dollar" if match.group("dollar") is not None else "bracket"
        text, start = match.group(group), match.start(group)
        if start in known or _RELATES.search(text) is None:
            continue
        try:
            yield from split(tokenize(text, start, macros=document.macros))
        except UnreadableError:
            continue
