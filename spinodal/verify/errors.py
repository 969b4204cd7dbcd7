"""What cannot be read or evaluated, and where."""

from __future__ import annotations


class UnreadableError(Exception):
    """An equation, or a part of it, that cannot be read or evaluated: why, and its offset in the document.

    Attributes:
        reason: a sentence for the author.
        offset: of the first character concerned (None: the whole equation).
    """

    def __init__(self, reason: str, offset: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset
