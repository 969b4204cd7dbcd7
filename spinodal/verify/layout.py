r"""What only arranges equations on a page, blanked with every character in its place."""

from __future__ import annotations

import re

#: Displays, with a star or without.
ENVIRONMENTS = (
    "equation|align|gather|multline|eqnarray|displaymath|math|alignat|flalign|dmath|dgroup|xalignat|IEEEeqnarray|empheq"
)
_ARRANGING = r"split|aligned|gathered|multlined|subequations|alignedat|subarray"
_BLANKED = re.compile(rf"\\(?:begin|end)\{{(?:{_ARRANGING})\}}(?:\s*\[[a-z]\])?(?:\{{\d+\}})?")
#: Environments that list equations where a body begins with them, and cases of a function elsewhere.
_LISTS = r"cases|dcases|array|matrix|dmath|rcases|IEEEeqnarraybox"
_LIST = re.compile(
    rf"(?:\\(?:left|[bB]igg?l?)\s*(?:\\\{{|\\lbrace|\.)\s*)?\\begin\{{({_LISTS})\*?\}}(?:\s*\[[a-z]\])?(?:\s*\{{[^{{}}]*\}})?"
)
_BRACE_BEFORE = re.compile(rf"\\(?:left|[bB]igg?l?)\s*(?:\\\{{|\\lbrace)(?=\s*\\begin\{{(?:{_ARRANGING})\}})")
_CONDITION = re.compile(r"\\(?:text|textrm|mbox|mathrm)\s*\{\s*(?:if|else|for|when|otherwise)\b")
_INEQUALITY = re.compile(r"[<>]|\\(?:leq?|geq?|leqslant|geqslant|ll|gg|neq?)(?![A-Za-z])")
_NOTHING = re.compile(r"(?:\s|&|\{\}|\\displaystyle|\\label\s*\{[^{}]*\}|\\(?:nonumber|notag)|\\[,;:!])*")
_BOX = re.compile(r"\\(?:boxed|fbox|Aboxed)\s*\{")
_INTERTEXT = re.compile(r"\\(?:short)?intertext\s*\{[^{}]*\}")


def flattened(body: str) -> str:
    """The body of a display as rows of equations."""
    body = _braces_blanked(body)
    body = _BLANKED.sub(blank, body)
    body = re.sub(rf"\\(?:begin|end)\{{(?:{ENVIRONMENTS})\*?\}}", blank, body)
    body = _listed(body)
    body = _INTERTEXT.sub(lambda m: r"\\".ljust(len(m.group())), body)
    return _unboxed(body.replace("$$", "  "))


def blank(match: re.Match[str]) -> str:
    """A match with everything but line breaks made white."""
    return re.sub(r"[^\n]", " ", match.group())


def _braces_blanked(body: str) -> str:
    r"""The body without ``\left\{`` before a list of equations that it begins with."""
    brace = _BRACE_BEFORE.search(body)
    if brace is None or not _NOTHING.fullmatch(body, 0, brace.start()):
        return body
    return body[: brace.start()] + r"\left.".ljust(brace.end() - brace.start()) + body[brace.end() :]


def _listed(body: str) -> str:
    """The body without the environment that it begins with and that lists its equations."""
    start = _NOTHING.match(body)
    opening = _LIST.match(body, start.end() if start else 0)
    if opening is None:
        return body
    ending = re.compile(rf"\\end\{{{opening.group(1)}\*?\}}(?:\s*\\right\s*(?:\.|\\\}}|\\rbrace))?")
    endings = list(ending.finditer(body, opening.end()))
    if not endings:
        return body
    closing = endings[-1]
    if _is_piecewise(body[opening.end() : closing.start()]):
        return body
    white = " " * (closing.end() - closing.start())
    inside = body[opening.end() : closing.start()]
    return body[: opening.start()] + " " * (opening.end() - opening.start()) + inside + white + body[closing.end() :]


def _is_piecewise(inside: str) -> bool:
    """Whether the rows of a list end in conditions, as those of a function's cases do."""
    if _CONDITION.search(inside):
        return True
    cells = [row.rpartition("&") for row in inside.split(r"\\")]
    return any(mark and _INEQUALITY.search(last) and "=" not in last for _, mark, last in cells)


def _unboxed(body: str) -> str:
    r"""The body without the frames of ``\boxed{..}``, every character in its place."""
    while (box := _BOX.search(body)) is not None:
        level = 1
        for index in range(box.end(), len(body)):
            level += (body[index] == "{") - (body[index] == "}")
            if level == 0:
                body = body[:index] + " " + body[index + 1 :]
                break
        body = body[: box.start()] + " " * (box.end() - box.start()) + body[box.end() :]
    return body
