"""Files asked for with ``-o``: checked before anything is computed, written beside their place and moved into it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from spinodal.spec import SpecError
from spinodal.spec.errors import clip

#: Suffixes of data files and of figures.
DATA = (".nc", ".csv")
PICTURES = (".png", ".svg", ".pdf")


def output_file(name: str, *, option: str = "-o", suffixes: Sequence[str] = ()) -> Path:
    """The path of a file to write.

    Raises:
        SpecError: it cannot be written, or its suffix is none of those known.
    """
    path = Path(name)
    if suffixes and path.suffix.lower() not in suffixes:
        known = " or ".join(suffixes)
        raise SpecError(f"{clip(name, 200)}: the suffix says the format", cure=f"use {known}", source=option)
    try:
        if path.is_dir():
            raise SpecError(f"{clip(name, 200)} is a directory", cure="name a file inside it", source=option)
        folder = path.resolve().parent
        if not folder.is_dir():
            raise SpecError(f"{clip(str(folder), 200)}: no such directory", cure="create it first", source=option)
    except (OSError, ValueError) as error:
        raise _unwritable(name, option, error) from None
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise SpecError(f"{clip(name, 200)} cannot be written", cure="choose another place", source=option)
    return path


def output_folder(name: str, *, option: str = "-o") -> Path:
    """The path of a folder to write into; it need not exist yet.

    Raises:
        SpecError: it cannot be created or written into.
    """
    path = Path(name)
    try:
        nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
    except (OSError, ValueError) as error:
        raise _unwritable(name, option, error) from None
    if not nearest.is_dir():
        raise SpecError(f"{clip(str(nearest), 200)} is a file", cure="name a folder", source=option)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise SpecError(f"{clip(name, 200)} cannot be written into", cure="choose another place", source=option)
    return path


def write(path: Path, produce: Callable[[Path], object], *, option: str = "-o") -> None:
    """Let ``produce`` write a file beside ``path`` (of the same suffix), then move it into place.

    What is no regular file (a pipe, a device) is written to, not replaced.

    Raises:
        SpecError: the place cannot be written.
    """
    target = path.resolve()
    with located(str(path), option):
        if target.exists() and not target.is_file():
            _write_through(target, produce)
            return
        temporary = target.with_name(f".{target.stem}-{os.getpid()}{target.suffix}")
        try:
            produce(temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text, moved into place when complete.

    Raises:
        SpecError: the place cannot be written.
    """
    write(path, lambda place: place.write_text(text, encoding="utf-8"))


def _write_through(target: Path, produce: Callable[[Path], object]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / f"output{target.suffix}"
        produce(whole)
        with target.open("wb") as stream:
            stream.write(whole.read_bytes())


@contextmanager
def located(name: str, option: str = "-o") -> Iterator[None]:
    """What the system refuses to write, as a message about the option."""
    try:
        yield
    except OSError as error:
        raise _unwritable(name, option, error) from None


def _unwritable(name: str, option: str, error: Exception) -> SpecError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
    return SpecError(f"{clip(name, 200)} cannot be written: {reason}", cure="choose another place", source=option)
