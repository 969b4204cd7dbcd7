"""The one error of bad input: where it is, what is wrong, what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_WIDEST_SNIPPET = 100
_LONGEST_NAME = 40


class SpecError(Exception):
    """Something a user wrote cannot be used.

    Attributes:
        message: what is wrong.
        cure: what would be right (optional).
        source: the file, option or argument that holds the mistake.
        line: its 1-based line (None where lines make no sense, as in an option).
        column: its 1-based column.
        snippet: the offending line with a caret below it.
    """

    def __init__(
        self,
        message: str,
        *,
        cure: str | None = None,
        source: str | None = None,
        line: int | None = None,
        column: int | None = None,
        snippet: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure
        self.source = source
        self.line = line
        self.column = column
        self.snippet = snippet

    def __str__(self) -> str:
        place = self.source or ""
        if place and self.line is not None:
            place += f":{self.line}"
            if self.column is not None:
                place += f":{self.column}"
        text = f"{place}: {self.message}" if place else self.message
        if self.cure:
            text += f"; {self.cure}"
        if self.snippet:
            text += f"\n{self.snippet}"
        return text


class FormulaError(Exception):
    """A formula cannot be used: the message, the cure, and the 0-based column inside the formula's text.

    The reader turns it into a :class:`SpecError`, since only the reader knows the file the formula stands in.
    """

    def __init__(self, message: str, column: int, cure: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.cure = cure


def snippet(line: str, column: int) -> str:
    """A line of a file with a caret under its 0-based ``column``; long lines are cut around the caret."""
    shown = "".join(character if character.isprintable() else " " for character in line)
    if len(shown) > _WIDEST_SNIPPET:
        start = max(0, min(column - _WIDEST_SNIPPET // 2, len(shown) - _WIDEST_SNIPPET))
        shown = shown[start : start + _WIDEST_SNIPPET]
        column -= start
    return f"    {shown.rstrip()}\n    {' ' * column}^"


def clip(text: object, length: int = _LONGEST_NAME) -> str:
    """What a user wrote, short and printable enough to stand inside a message."""
    shown = "".join(character if character.isprintable() else "?" for character in str(text))
    return shown if len(shown) <= length else shown[: length - 3] + "..."


def did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    """``did you mean alpha_T?``, or None when no candidate is close."""
    known = {candidate.lower(): candidate for candidate in candidates}
    if len(name) > 2 * _LONGEST_NAME:
        return None
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.65)
    begun = [candidate for candidate in known if len(name) > 2 and candidate.startswith(name.lower())]
    close = begun if len(begun) == 1 else close
    return f"did you mean {known[close[0]]}?" if close else None
