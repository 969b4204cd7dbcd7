"""Where a spec came from: the way back from an entry to a line and a column, for error messages."""

from __future__ import annotations

from dataclasses import dataclass, field

from spinodal.spec.errors import SpecError, snippet
from spinodal.spec.toml_positions import Path, Position, string_offset


def place_name(path: Path) -> str:
    """``("student", "weights", "values", 0)`` as ``student.weights.values[0]``."""
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name


@dataclass(frozen=True)
class Document:
    """A text that holds entries of a spec: its file, or the value of one override.

    ``root`` is the entry that the whole text is the value of (empty for a file).
    """

    name: str
    text: str | None
    positions: dict[Path, Position] = field(default_factory=dict)
    root: Path = ()

    def error(self, message: str, cure: str | None, offset: int | None) -> SpecError:
        """The error, placed at an offset of the text."""
        if self.text is None or offset is None:
            return SpecError(message, cure=cure, source=self.name)
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        line = self.text[start:] if end < 0 else self.text[start:end]
        # A value given on the command line has no line number to speak of.
        number = None if self.root else self.text.count("\n", 0, offset) + 1
        return SpecError(
            message,
            cure=cure,
            source=self.name,
            line=number,
            column=offset - start + 1,
            snippet=snippet(line, offset - start),
        )


@dataclass(frozen=True)
class Origin:
    """The file of a spec and the overrides laid over it."""

    file: Document
    overrides: tuple[Document, ...] = ()

    def error(
        self,
        place: Path | str,
        message: str,
        cure: str | None = None,
        *,
        column: int | None = None,
        at_key: bool = False,
    ) -> SpecError:
        """A located error.

        Args:
            place: the entry, as a path or as its dotted name; the nearest entry above it where it is absent.
            message: what is wrong.
            cure: what would be right.
            column: 0-based index into the entry's text, for a mistake inside a formula.
            at_key: point at the entry's name rather than at its value.
        """
        path = self._path(place) if isinstance(place, str) else place
        document = self._document(path)
        if document.text is None and path != document.root:
            message = f"{place_name(path)}: {message}"
        while path and path not in document.positions:
            path = path[:-1]
            column, at_key = None, True
        position = document.positions.get(path)
        if position is None:
            return document.error(message, cure, None)
        if at_key or position.value is None:
            return document.error(message, cure, position.key)
        if column is None or document.text is None:
            return document.error(message, cure, position.value)
        return document.error(message, cure, string_offset(document.text, position.value, column))

    def _document(self, path: Path) -> Document:
        """The override that gave an entry its value, the latest first, else the file."""
        for override in reversed(self.overrides):
            if path[: len(override.root)] == override.root:
                return override
            # A table that only an override brought into being.
            if override.root[: len(path)] == path and path and path not in self.file.positions:
                return override
        return self.file

    def _path(self, place: str) -> Path:
        for document in (self.file, *self.overrides):
            for path in document.positions:
                if place_name(path) == place:
                    return path
        return tuple(place.split("."))
