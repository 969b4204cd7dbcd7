r"""The author's own commands: ``\newcommand``, ``\def``, ``\DeclareMathOperator``, ``\DeclarePairedDelimiter``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spinodal.verify.errors import UnreadableError

_MAX_BODY = 500
_DEFINITION = re.compile(
    r"\\(?:re|provide|DeclareRobust)?(?:newcommand|command|Command)\*?\s*\{?\s*\\([A-Za-z]+)\s*\}?\s*(?:\[(\d)\])?\s*"
    r"(?:\[([^\]]*)\])?\s*(?=\{)"
    r"|\\[egx]?def\s*\\([A-Za-z]+)\s*((?:#\d)*)\s*(?=\{)"
    r"|\\DeclareMathOperator\*?\s*\{?\s*\\([A-Za-z]+)\s*\}?\s*(?=\{)"
    r"|\\DeclarePairedDelimiter\s*\{?\s*\\([A-Za-z]+)\s*\}?\s*(?=\{)"
)


#: Commands that put what they set into a box.
_BOX = re.compile(r"\\(?:sbox|resizebox|scalebox)(?![A-Za-z])")
#: Their argument, and whatever else stands in a command that does nothing but that.
_ARGUMENT = re.compile(r"\{?\s*\$\s*(?:\\displaystyle)?\s*#1\s*\$\s*\}?|\{\s*#1\s*\}")
_MOVES_INK = re.compile(
    r"\\(?:sbox|usebox|wd)\s*\d|\d*\.?\d*\\(?:linewidth|textwidth|columnwidth|hsize)|\\scalebox\s*\{[\d.]+\}|"
    r"\\(?:resizebox|ifdim|else|fi)(?![A-Za-z])|[{}!<>\s]"
)


@dataclass(frozen=True, slots=True)
class Macro:
    """An author's command.

    Attributes:
        arguments: how many.
        text: what it stands for, with #1, #2, ...
        default: of the first argument, if that is optional and given in brackets.
        delimiter: whether a star or a size in brackets may follow its name.
    """

    arguments: int
    text: str
    default: str | None = None
    delimiter: bool = False


def macros_in(text: str) -> dict[str, Macro]:
    """The commands that a document defines."""
    return {name: macro for name, macro, _ in _found(text)}


def without_definitions(text: str) -> str:
    """A document with the definitions of commands blanked, every other character in its place."""
    for _, _, (low, high) in _found(text):
        text = text[:low] + re.sub(r"[^\n]", " ", text[low:high]) + text[high:]
    return text


def _found(text: str) -> list[tuple[str, Macro, tuple[int, int]]]:
    found = []
    for match in _DEFINITION.finditer(text):
        try:
            (low, high), end = group_end(text, match.end(), 0)
            command, count, default, defined, hashes, operator, delimiter = match.groups()
            if delimiter:
                (low_2, high_2), end = group_end(text, end, 0)
                pair = rf"\left{text[low:high].strip()} #1 \right{text[low_2:high_2].strip()}"
                found.append((delimiter, Macro(1, pair, delimiter=True), (match.start(), end)))
                continue
        except UnreadableError:
            continue
        body = text[low:high]
        if len(body) > _MAX_BODY:
            continue
        if "#1" in body and _BOX.search(body) and not _MOVES_INK.sub("", _ARGUMENT.sub("", body)):
            body = "#1"  # sets its argument as it is, in another size
        macro = Macro(0, rf"\operatorname{{{body}}}") if operator else Macro(
            int(count or len(hashes or "") // 2), body, default
        )  # fmt: skip
        found.append((operator or command or defined, macro, (match.start(), end)))
    return found


def expansion(text: str, position: int, macro: Macro, start: int) -> tuple[str, int]:
    """What a call stands for, and the position after it.

    Args:
        text: the mathematics.
        position: after the command's name.
        macro: the command.
        start: the offset of the text in the document.
    """
    if macro.delimiter:
        if text[position : position + 1] == "*":
            position += 1
        position = _bracketed(text, position)[1]
    arguments = []
    if macro.default is not None:
        given, position = _bracketed(text, position)
        arguments.append(macro.default if given is None else given)
    while len(arguments) < macro.arguments:
        (low, high), position = group_end(text, position, start)
        arguments.append(text[low:high])
    body = re.sub(r"#(\d)", lambda m: arguments[int(m[1]) - 1] if int(m[1]) <= len(arguments) else "#", macro.text)
    return body, position


def _bracketed(text: str, position: int) -> tuple[str | None, int]:
    """An optional argument, and the position after it."""
    match = re.compile(r"\s*\[([^\[\]]*)\]").match(text, position)
    return (match.group(1), match.end()) if match else (None, position)


def after_bracket(text: str, position: int) -> int:
    """The position after an optional argument, if one stands here."""
    return _bracketed(text, position)[1]


def environments(macros: Mapping[str, Macro]) -> dict[str, str]:
    r"""The commands that stand for the beginning or the end of an environment alone, as ``\be`` does."""
    found = {}
    for name, macro in macros.items():
        body = macro.text.strip()
        if macro.arguments == 0 and re.fullmatch(r"\\(?:begin|end)\s*\{[A-Za-z]+\*?\}", body):
            found[name] = body.replace(" ", "")
    return found


def group_end(text: str, position: int, start: int) -> tuple[tuple[int, int], int]:
    """The inside of the braced group that begins here (or one character or command), and the position after it."""
    while position < len(text) and text[position].isspace():
        position += 1
    if text[position : position + 1] != "{":
        match = re.compile(r"\\[A-Za-z]+|\\.|.", re.S).match(text, position)
        stop = match.end() if match else len(text)
        return (position, stop), stop
    level = 0
    for index in range(position, len(text)):
        if text[index] == "{" and text[index - 1] != "\\":
            level += 1
        elif text[index] == "}" and text[index - 1] != "\\":
            level -= 1
            if level == 0:
                return (position + 1, index), index + 1
    raise UnreadableError("a brace that is not closed", start + position)
