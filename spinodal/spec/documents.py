"""The text of a spec: found, read, and parsed as TOML, with a located error for everything that can go wrong."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from spinodal.spec.errors import SpecError, clip, did_you_mean
from spinodal.spec.origin import Document
from spinodal.spec.toml_positions import scan

MAX_BYTES = 64 * 1024

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def shipped_models() -> dict[str, Traversable]:
    """The specs that come with the package, by name.

    >>> "binary-perceptron" in shipped_models()
    True
    """
    folder = resources.files("spinodal.spec") / "models"
    files = (entry for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return {entry.name.removesuffix(".toml"): entry for entry in sorted(files, key=lambda entry: entry.name)}


def read_text(source: str | PathLike[str]) -> tuple[str, str, str]:
    """The text of a spec file or shipped model, its name for messages, and the model's name it suggests.

    Raises:
        SpecError: there is no such file, or it is no text of at most 64 KiB.
    """
    name = fspath(source)
    if re.fullmatch(r"[A-Za-z0-9_-]+", name):
        shipped = shipped_models()
        if name in shipped:
            return _decode(shipped[name].read_bytes(), f"{name}.toml"), f"{name}.toml", name
    path = Path(name)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise SpecError("a directory", cure="name a spec file inside it", source=clip(name, 200)) from None
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(name) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
        raise SpecError(f"cannot be read: {reason}", source=clip(name, 200)) from None
    return _decode(content, name), name, path.stem or "model"


def _missing(name: str) -> SpecError:
    shipped = shipped_models()
    stem = Path(name).name.removesuffix(".toml")
    suggestion = did_you_mean(stem, shipped)
    cure = f"{suggestion[:-1]} (a shipped model)?" if suggestion else f"the shipped models are {', '.join(shipped)}"
    return SpecError("no such file and no such shipped model", cure=cure, source=clip(name, 200))


def _decode(content: bytes, name: str) -> str:
    if len(content) > MAX_BYTES:
        raise SpecError("larger than 64 KiB", cure="a spec is a short TOML file; was this the right file?", source=name)
    if b"\0" in content:
        raise SpecError("a binary file", cure="a spec is a TOML text; was this the right file?", source=name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        raise SpecError(
            "not UTF-8 text",
            cure="save the file as UTF-8",
            source=name,
            line=before.count(b"\n") + 1,
            column=len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1,
        ) from None


def parse_document(text: str, source: str) -> tuple[dict[str, Any], Document]:
    """The data of a TOML text, and the places of its keys.

    Raises:
        SpecError: the text is too long, empty, or not TOML.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise SpecError("larger than 64 KiB", cure="a spec is a short TOML text", source=source)
    text = text.replace("\r\n", "\n")
    try:
        data = tomllib.loads(text)
        document = Document(source, text, scan(text))
    except ValueError as error:
        raise _syntax_error(error, text, source) from None
    except RecursionError:
        raise SpecError("nested too deeply", cure="a spec has tables inside tables, no deeper", source=source) from None
    if not data:
        raise SpecError("empty", cure="a spec begins with format = 1; copy a shipped one to start from", source=source)
    return data, document


def _syntax_error(error: ValueError, text: str, source: str) -> SpecError:
    message = str(error)
    match = _PLACE.search(message)
    if match is None:
        return SpecError(f"not valid TOML: {clip(message, 80)}", source=source)
    offset = len(text)
    if match.group(1):
        lines = text.split("\n")
        offset = sum(len(line) + 1 for line in lines[: int(match.group(1)) - 1]) + int(match.group(2)) - 1
    what = message[: match.start()]
    cure = None
    if what == "Illegal character '\\n'":
        what, cure = "a text is not closed", "add the closing quote"
    elif what == "Cannot overwrite a value":
        cure = "an entry stands only once; remove one"
    elif what == "Invalid value" and text[offset : offset + 1] not in ("", "\n", "#"):
        cure = "put texts and formulas in quotes"
    elif what == "Invalid value":
        cure = "write the value after the ="
    return Document(source, text).error(f"not valid TOML: {clip(what[:1].lower() + what[1:], 80)}", cure, offset)
