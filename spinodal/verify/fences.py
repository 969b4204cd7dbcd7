"""Markdown's blocks: quotations and fences, and which of them hold text that is read as any other.

Every character keeps its place; what is no text is made white.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from spinodal.verify.layout import blank

MARK = re.compile(r"%+[ \t]*spinodal(-symbols)?[ \t]*:[ \t]*([^\n]*)")
HTML_MARK = re.compile(r"<!--[ \t]*spinodal(-symbols)?[ \t]*:[ \t]*(.*?)-->", re.S)
_FENCE = re.compile(r"^([ \t]*)(`{3,}|:{3,}|~{3,})[ \t]*(\{?[^\n`]*)$", re.M)
_DIRECTIVE = re.compile(r"\{([^{}\s]+)\}")
#: Directives that hold code, files and what programs print; all others hold text.
_CODE = frozenset(
    (
        "code code-block code-cell sourcecode literalinclude parsed-literal prompt console doctest testcode testoutput "
        "mermaid graphviz plantuml bibliography toctree autodoc automodule autoclass file command example"
    ).split()
)
#: Directives whose content is typeset in another language, which is not read.
_FOREIGN = frozenset(["eval-rst", "raw"])
_MATHEMATICS = frozenset(["math", "saddle-point"])
_QUOTED = re.compile(r"[ \t]*(?:(?:[-*+]|\d+[.)])[ \t]+)*(?:>[ \t]?)+")
#: What opens and closes mathematics that goes on over lines.
_OPENS, _CLOSES = re.compile(r"\\\[|\\begin\{"), re.compile(r"\\\]|\\end\{")


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block: where its opening line, its content and the content's end stand, and what follows it.

    ``info`` is what the opening line says, ``head`` where it stands.
    """

    opening: int
    start: int
    stop: int
    after: int
    sign: str
    info: str
    head: int

    @property
    def directive(self) -> str:
        """The name of its directive; empty for a plain block of code."""
        found = _DIRECTIVE.match(self.info)
        return found.group(1) if found is not None else "math" if self.info == "math" else ""

    @property
    def holds_text(self) -> bool:
        """Whether what it contains is read as any other text."""
        return bool(self.directive) and self.directive not in _CODE | _FOREIGN | _MATHEMATICS

    @property
    def goes_on(self) -> bool:
        """Whether its end is not looked for: between colons text is read as any other."""
        return self.sign == ":" and self.directive not in _MATHEMATICS


def fences(text: str, position: int = 0) -> Iterator[Fence]:
    """The fenced blocks of a text, those inside others apart; the text of those of colons goes on."""
    while (opening := _FENCE.search(text, position)) is not None:
        fence, head = opening.group(2), opening.start(3)
        closing = re.compile(rf"^[ \t]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$", re.M).search(text, opening.end())
        start = min(opening.end() + 1, len(text))
        stop, after = (closing.start(), closing.end()) if closing else (len(text), len(text))
        found = Fence(opening.start(), start, stop, after, fence[0], opening.group(3).strip(), head)
        yield found
        position = start if found.goes_on else after


def unquoted(text: str) -> str:
    """Markdown with the marks of quotations white, but for what looks like one inside mathematics or code."""
    lines: list[str] = []
    fence = ""
    mathematics = 0
    for line in text.split("\n"):
        quoted = _QUOTED.match(line)
        if quoted is not None and not fence and not mathematics:
            lines.append(quoted.group().replace(">", " ") + line[quoted.end() :])
            continue
        lines.append(line)
        mark = re.match(r"[ \t]*(`{3,}|~{3,})[ \t]*([^`]*)$", line)
        if fence:
            fence = "" if mark and not mark.group(2).strip() and mark.group(1).startswith(fence) else fence
        elif mark:
            fence = "" if Fence(0, 0, 0, 0, "", mark.group(2).strip(), 0).holds_text else mark.group(1)
        else:
            mathematics = _depth(line, mathematics)
    return "\n".join(lines)


def _depth(line: str, depth: int) -> int:
    """How deep in displayed mathematics a line ends that begins at a depth."""
    dollars = len(re.findall(r"(?<!\\)\$\$", line)) % 2
    depth = max(0, depth + len(_OPENS.findall(line)) - len(_CLOSES.findall(line)))
    return (0 if depth else 1) if dollars else depth


def without_fences(text: str) -> str:
    """A text without its blocks of code and mathematics, for what may stand in the text alone."""
    pieces: list[str] = []
    position = 0
    for fence in fences(text):
        pieces.append(text[position : fence.opening])
        pieces.append(white(text[fence.opening : fence.start]))
        position = fence.start if fence.goes_on else fence.after
        if not fence.goes_on:
            inside = text[fence.start : fence.stop]
            pieces.append(without_fences(inside) if fence.holds_text else white(inside))
            pieces.append(white(text[fence.stop : fence.after]))
    return "".join([*pieces, text[position:]])


@dataclass
class Blocks:
    """What fenced blocks claim.

    Attributes:
        marks: the markup in them: offset, whether it is a symbol map, and what it says.
        bodies: where the mathematics of claims and of displays stands.
        examples: offsets of markup in code, which claims nothing.
        foreign: offsets of markup in another language, which may be meant to claim something.
    """

    marks: list[tuple[int, bool, str]]
    bodies: list[tuple[int, int]]
    examples: list[int]
    foreign: list[int]

    def read(self, text: str, base: int = 0) -> str:
        """A text that begins at an offset, with claims and displays as mathematics and all code white."""
        pieces: list[str] = []
        position = 0
        for fence in fences(text):
            pieces.append(text[position : fence.opening])
            inside = text[fence.start : fence.stop]
            position = fence.after
            opening, closing = white(text[fence.opening : fence.start]), white(text[fence.stop : fence.after])
            if fence.directive == "saddle-point":
                pieces.append(white(text[fence.opening : fence.start - 1]) + "\n" + self._claim(text, fence, base) + closing)
            elif fence.directive == "math":
                self.bodies.append((base + fence.start, base + fence.stop))
                pieces.append(opening + re.sub(r"^[ \t]*:[a-z-]+:[^\n]*", blank, inside, flags=re.M) + closing)
            elif fence.goes_on:
                pieces.append(opening)
                position = fence.start
            elif fence.holds_text:
                pieces.append(opening + self.read(inside, base + fence.start) + closing)
            else:
                found = self.foreign if fence.directive in _FOREIGN else self.examples
                found += [base + fence.start + m.start() for p in (MARK, HTML_MARK) for m in p.finditer(inside)]
                pieces.append(opening + white(inside) + closing)
        return "".join([*pieces, text[position:]])

    def _claim(self, text: str, fence: Fence, base: int) -> str:
        """Take note of the markup of a block that claims an equation; its mathematics."""
        inside, start = text[fence.start : fence.stop], base + fence.start
        skipped = 0
        for line in inside.splitlines(keepends=True):
            option = re.match(r"[ \t]*:(symbols|name|label|class):[ \t]*(.*)", line)
            if option is None and line.strip():
                break
            if option is not None and option.group(1) == "symbols":
                self.marks.append((start + skipped + option.start(2), True, option.group(2).strip()))
            skipped += len(line)
        for mark in MARK.finditer(inside):
            self.marks.append((start + mark.start(), bool(mark.group(1)), mark.group(2).strip()))
        head = fence.head + text[fence.head : fence.start].index("}") + 1
        self.marks.append((base + head, False, text[head : fence.start].strip()))
        self.bodies.append((start, base + fence.stop))
        body = " " * skipped + inside[skipped:].replace("$$", "  ")
        return re.sub(r"(?<!\\)%[^\n]*", blank, body)


def white(text: str) -> str:
    """As many blanks, with the line breaks."""
    return re.sub(r"[^\n]", " ", text)
