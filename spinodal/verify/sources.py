r"""A document with the files that it reads in (``\input``, ``\include``, ``\subfile``, ``{include}``), as one text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spinodal.verify.fences import MARK, fences, unquoted
from spinodal.verify.layout import blank

#: The form of a document by the end of its name.
SUFFIXES = {
    ".tex": "latex",
    ".ltx": "latex",
    ".latex": "latex",
    ".md": "markdown",
    ".myst": "markdown",
    ".markdown": "markdown",
}
VERBATIM = re.compile(r"\\begin\{(verbatim|lstlisting|comment)\}.*?\\end\{\1\}", re.S)
COMMENT = re.compile(r"((?<!\\)(?:\\\\)*)(%[^\n]*)")
_INPUT = re.compile(
    r"\\(?:input|include|subfile|subfileinclude|InputIfFileExists)\s*(?:\{\s*([^{}\\#]+?)\s*\}|(?<=input)\s+([^\s{}\\%#]+))"
    r"|\\(?:(?:sub)?import|inputfrom|includefrom)\*?\s*\{\s*([^{}\\#]*?)\s*\}\s*\{\s*([^{}\\#]+?)\s*\}"
)
_BODY = re.compile(r"\\begin\s*\{document\}(.*?)(?:\\end\s*\{document\}|\Z)", re.S)
_ENDINPUT = re.compile(r"\\endinput(?![A-Za-z])")
_MAX_FILES = 200

Read = Callable[[Path], str]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the whole text: where it begins, the file that it is from, that file's text and the place there."""

    start: int
    name: str
    text: str
    offset: int


@dataclass(frozen=True)
class Source:
    """A text and its pieces, with what was not read in: a reason and the offset, and whether it may claim something."""

    text: str
    pieces: tuple[Piece, ...]
    missing: tuple[tuple[str, int, bool], ...] = ()

    def place(self, offset: int) -> tuple[str, int, int]:
        """The file, 1-based line and column of an offset."""
        offset = max(0, min(offset, len(self.text)))
        piece = self.pieces[max(0, bisect_right([p.start for p in self.pieces], offset) - 1)]
        before = piece.text[: piece.offset + offset - piece.start]
        return piece.name, before.count("\n") + 1, len(before) - before.rfind("\n")

    def line(self, offset: int) -> str:
        """The line that an offset stands in."""
        name, number, _ = self.place(offset)
        lines = next(p.text for p in self.pieces if p.name == name).splitlines()
        return lines[number - 1] if number <= len(lines) else ""


def alone(text: str, name: str) -> Source:
    """A text that reads nothing in."""
    return Source(text, (Piece(0, name, text, 0),))


def with_included(text: str, name: str, form: str, read: Read | None) -> Source:
    """A text with the files that it reads in.

    Args:
        text: the document.
        name: its path, which those of the files are relative to.
        form: ``latex`` or ``markdown``.
        read: the text of a file; None where there are no files.
    """
    return _Splicer(Path(name).parent, form, read).whole(text, name)


class _Splicer:
    def __init__(self, folder: Path, form: str, read: Read | None) -> None:
        self.folder, self.form, self.read = folder, form, read
        self.chunks: list[tuple[str, str, int, int]] = []
        self.missing: list[tuple[str, int, bool]] = []
        self.length = 0

    def whole(self, text: str, name: str) -> Source:
        self._add(text, name, (0, len(text)), (), self.folder)
        pieces, start = [], 0
        for file, content, low, high in self.chunks:
            pieces.append(Piece(start, file, content, low))
            start += high - low
        whole = "".join(content[low:high] for _, content, low, high in self.chunks)
        return Source(whole, tuple(pieces) or (Piece(0, name, text, 0),), tuple(self.missing))

    def _add(self, text: str, name: str, bounds: tuple[int, int], stack: Sequence[Path], folder: Path) -> None:
        position, end = bounds
        for low, high, path, base in self._calls(text, folder):
            if not position <= low < end:
                continue
            self._chunk(name, text, position, low)
            found = self._found(path, base)
            position = high if found is not None and self._included(found, [*stack, Path(name)], base) else low
        self._chunk(name, text, position, end)

    def _chunk(self, name: str, text: str, low: int, high: int) -> None:
        if high > low:
            self.chunks.append((name, text, low, high))
            self.length += high - low

    def _calls(self, text: str, folder: Path) -> list[tuple[int, int, str, Path]]:
        """Where files are read in: from, to, which, and the folder that its own files are relative to."""
        if self.form == "markdown":
            return [(low, high, path, folder) for low, high, path in _directives(unquoted(text), 0)]
        seen = COMMENT.sub(lambda m: m.group(1) + " " * len(m.group(2)), VERBATIM.sub(blank, text))
        calls = []
        for match in _INPUT.finditer(seen):
            plain, bare, inside, name = match.groups()
            base = folder / inside if inside else folder
            calls.append((match.start(), match.end(), name or plain or bare, base))
        return calls

    def _found(self, path: str, folder: Path) -> Path | None:
        """The file that is meant, as LaTeX finds it; what is missing is taken note of."""
        if self.read is not None:
            names = [path] if self.form == "markdown" or Path(path).suffix else [f"{path}.tex", path]
            names += [f"{path}.tex"] if self.form == "latex" and Path(path).suffix else []
            for base in dict.fromkeys((folder, self.folder)):
                for name in names:
                    if (base / name).is_file():
                        return base / name
        reason = f"{path} is read in here and was not found: nothing is known of what it claims"
        self.missing.append((reason, self.length, False))
        return None

    def _included(self, path: Path, stack: Sequence[Path], folder: Path) -> bool:
        """Add the text of a file, if it is one that can be read here."""
        assert self.read is not None
        if SUFFIXES.get(path.suffix.lower()) != self.form or path in stack or len(self.chunks) > _MAX_FILES:
            if path not in stack and MARK.search(path.read_bytes().decode("utf-8", "replace")):
                self.missing.append((f"{path} is read in here and makes claims, which are not looked at", self.length, True))
            return False
        text = self.read(path)
        text += "" if text.endswith("\n") else "\n"
        low, high = 0, len(text)
        if self.form == "latex":
            body = _BODY.search(text)
            low, high = body.span(1) if body is not None else (low, high)
            ended = _ENDINPUT.search(COMMENT.sub(lambda m: m.group(1) + " " * len(m.group(2)), text), low, high)
            high = ended.start() if ended is not None else high
        self._add(text, str(path), (low, high), stack, folder)
        return True


def _directives(text: str, base: int) -> Iterator[tuple[int, int, str]]:
    """Where Markdown reads files in: from, to, and which."""
    for fence in fences(text):
        if fence.directive == "include":
            yield base + fence.opening, base + fence.after, fence.info.partition("}")[2].strip()
        elif fence.holds_text and not fence.goes_on:
            yield from _directives(text[fence.start : fence.stop], base + fence.start)
