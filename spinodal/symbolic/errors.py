"""What a derivation raises when a declared model has no theory here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class DerivationError(Exception):
    """A well-formed spec that cannot be derived: says where in the spec, why, and what would help.

    Attributes:
        place: the dotted entry of the spec (``loss.constraint``).
        column: 0-based offset inside that entry's formula, where one is known.
        cure: what would be right.
    """

    def __init__(self, message: str, *, place: str = "", column: int | None = None, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.column = column
        self.cure = cure

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        cure = f"; {self.cure}" if self.cure else ""
        return f"{where}{self.message}{cure}"


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Give errors that do not know where in the spec they come from a place."""
    try:
        yield
    except DerivationError as error:
        if error.place:
            raise
        raise DerivationError(error.message, place=place, column=error.column, cure=error.cure) from error
