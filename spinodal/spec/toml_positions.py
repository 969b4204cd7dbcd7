"""Where each key of a TOML text stands: what ``tomllib`` knows while parsing and does not tell.

The scanner runs after ``tomllib`` has accepted the text, so it need not find mistakes, only places.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Path = tuple[str | int, ...]

# Deeper paths are never a spec's; their places are not kept, so that a hostile text costs no memory.
_MAX_DEPTH = 16

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_BLANK = re.compile(r"[ \t]*")
_FILLER = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\", "e": "\x1b"}


@dataclass(frozen=True, slots=True)
class Position:
    """Offsets into the text of a key and of its value; ``value`` is the first character after an opening quote.

    ``value`` is None for tables, which have a heading but no value.
    """

    key: int
    value: int | None = None


def scan(text: str) -> dict[Path, Position]:
    """The position of every key and array element of a valid TOML text (line ends must be LF)."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.positions


def string_offset(text: str, start: int, index: int) -> int:
    """The offset in ``text`` of character ``index`` of the string value whose first character is at ``start``."""
    if start == 0 or text[start - 1] not in "\"'":
        return min(start + index, len(text))
    quote = text[start - 1]
    multiline = text[start - 3 : start] == quote * 3
    offset = start + 1 if multiline and text[start : start + 1] == "\n" else start
    for _ in range(index):
        offset = _after_character(text, offset, escapes=quote == '"')
    if quote == '"':
        offset = _after_continuation(text, offset)
    return min(offset, len(text))


def _after_character(text: str, offset: int, *, escapes: bool) -> int:
    if escapes:
        offset = _after_continuation(text, offset)
        if text[offset : offset + 1] == "\\":
            return offset + {"x": 4, "u": 6, "U": 10}.get(text[offset + 1 : offset + 2], 2)
    return offset + 1


def _after_continuation(text: str, offset: int) -> int:
    """Skip a backslash at the end of a line, and the blank space it swallows."""
    while match := re.compile(r"\\[ \t]*\n[ \t\n]*").match(text, offset):
        offset = match.end()
    return offset


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.positions: dict[Path, Position] = {}
        self._at = 0
        self._array_sizes: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while True:
            self._skip(_FILLER)
            if self._at >= len(self.text):
                return
            if self.text.startswith("[[", self._at):
                table = self._array_heading()
            elif self.text[self._at] == "[":
                table = self._heading()
            else:
                self._pair(table)

    def _heading(self) -> Path:
        self._at += 1
        path = self._record_key((), self._key())
        self._skip(_BLANK)
        self._at += 1
        return path

    def _array_heading(self) -> Path:
        self._at += 2
        keys = self._key()
        path = self._record_key((), keys, array=True)
        size = self._array_sizes.get(path, 0)
        self._array_sizes[path] = size + 1
        element = (*path, size)
        self._record(element, Position(keys[0][1]))
        self._skip(_BLANK)
        self._at += 2
        return element

    def _pair(self, table: Path) -> None:
        keys = self._key()
        self._skip(_BLANK)
        self._at += 1  # the equals sign
        self._skip(_BLANK)
        path = self._record_key(table, keys)
        self._value(path, keys[-1][1])

    def _key(self) -> list[tuple[str, int]]:
        """A dotted key: its parts and their offsets."""
        parts: list[tuple[str, int]] = []
        while True:
            self._skip(_BLANK)
            start = self._at
            if self.text[start] in "\"'":
                parts.append((self._string(), start))
            else:
                match = _BARE_KEY.match(self.text, start)
                assert match is not None  # tomllib has accepted the text
                self._at = match.end()
                parts.append((match.group(), start))
            self._skip(_BLANK)
            if not self.text.startswith(".", self._at):
                return parts
            self._at += 1

    def _record_key(self, table: Path, keys: list[tuple[str, int]], *, array: bool = False) -> Path:
        """Note each part of a dotted key; a part that names an array of tables means its latest table."""
        path = table
        for index, (name, offset) in enumerate(keys):
            path = (*path[-_MAX_DEPTH:], name)
            self._record(path, Position(offset))
            if path in self._array_sizes and not (array and index == len(keys) - 1):
                path = (*path, self._array_sizes[path] - 1)
        return path

    def _record(self, path: Path, position: Position) -> None:
        if len(path) < _MAX_DEPTH:
            self.positions.setdefault(path, position)

    def _value(self, path: Path, key: int) -> None:
        start = self._at
        first = self.text[start]
        if first in "\"'":
            self._string()
            quotes = 3 if self.text.startswith(first * 3, start) else 1
            self._place(path, key, start + quotes)
        elif first == "[":
            self._place(path, key, start)
            self._array(path)
        elif first == "{":
            self._place(path, key, start)
            self._inline_table(path)
        else:
            self._place(path, key, start)
            self._skip(_SCALAR)

    def _place(self, path: Path, key: int, value: int) -> None:
        if len(path) < _MAX_DEPTH:
            self.positions[path] = Position(key, value)

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_FILLER)
            if self.text[self._at] == "]":
                self._at += 1
                return
            if self.text[self._at] == ",":
                self._at += 1
                continue
            self._value((*path[-_MAX_DEPTH:], index), self._at)
            index += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while True:
            self._skip(_FILLER)
            if self.text[self._at] == "}":
                self._at += 1
                return
            if self.text[self._at] == ",":
                self._at += 1
                continue
            self._pair(path[-_MAX_DEPTH:])

    def _string(self) -> str:
        """Pass over a string; its value, which only keys need (so multi-line ones are not decoded)."""
        quote = self.text[self._at]
        if self.text.startswith(quote * 3, self._at):
            self._at += 3
            while not self.text.startswith(quote * 3, self._at):
                self._at += 2 if quote == '"' and self.text[self._at] == "\\" else 1
            self._at += 3
            # A multi-line string may end in one or two quotes of its own.
            while self.text.startswith(quote, self._at):
                self._at += 1
            return ""
        self._at += 1
        characters: list[str] = []
        while (character := self.text[self._at]) != quote:
            if quote == '"' and character == "\\":
                end = _after_character(self.text, self._at, escapes=True)
                letter = self.text[self._at + 1]
                code = self.text[self._at + 2 : end]
                characters.append(_ESCAPES[letter] if letter in _ESCAPES else chr(int(code, 16)))
                self._at = end
            else:
                characters.append(character)
                self._at += 1
        self._at += 1
        return "".join(characters)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self._at)
        if match is not None:
            self._at = match.end()
