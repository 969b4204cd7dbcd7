r"""The author's own commands: ``\newcommand``, ``\def``, ``\let``, ``\DeclareMathOperator``, ``\DeclarePairedDelimiter``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spinodal.verify.errors import UnreadableError

_MAX_BODY = 500
_DEFINITION = re.compile(
    r"(?P<global>\\global\s*)?(?:"
    r"\\(?:re|DeclareRobust|(?P<provides>provide))?(?:newcommand|command|Command)\*?\s*\{?\s*\\(?P<command>[A-Za-z]+)\s*\}?\s*"
    r"(?:\[(?P<count>\d)\])?\s*(?:\[(?P<default>[^\]]*)\])?\s*(?=\{)"
    r"|\\(?P<reach>[egx]?)def\s*\\(?P<defined>[A-Za-z]+)\s*(?P<hashes>(?:#\d)*)\s*(?=\{)"
    r"|\\DeclareMathOperator\*?\s*\{?\s*\\(?P<operator>[A-Za-z]+)\s*\}?\s*(?=\{)"
    r"|\\DeclarePairedDelimiter\s*\{?\s*\\(?P<delimiter>[A-Za-z]+)\s*\}?\s*(?=\{)"
    r"|\\(?:New|Renew|Declare|(?P<lets>Provide))(?:Expandable)?DocumentCommand\s*\{?\s*\\(?P<document>[A-Za-z]+)\s*\}?\s*"
    r"\{(?P<kinds>(?:[^{}]|\{[^{}]*\})*)\}\s*(?=\{)"
    r"|\\let\s*\\(?P<let>[A-Za-z]+)\s*=?\s*(?P<meant>\\[A-Za-z]+|[^\s\\{}]))"
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
        alias: the command of LaTeX whose other name it is; empty if it is none.
    """

    arguments: int
    text: str
    default: str | None = None
    delimiter: bool = False
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition, where it stands, and whether it yields to what is defined or reaches beyond its group."""

    name: str
    macro: Macro
    start: int
    end: int
    provides: bool = False
    is_global: bool = False


#: What an author's command comes to that is not read.
_UNREAD = Macro(0, r"\undefined")


def without_definitions(text: str) -> str:
    """A document with the definitions of commands blanked, every other character in its place."""
    for found in definitions(text):
        text = text[: found.start] + re.sub(r"[^\n]", " ", text[found.start : found.end]) + text[found.end :]
    return text


def definitions(text: str) -> list[Definition]:
    """The definitions of a document in their order, those inside others apart."""
    found: list[Definition] = []
    for match in _DEFINITION.finditer(text):
        if found and match.start() < found[-1].end:
            continue
        try:
            name, macro, end = _defined(text, match)
        except UnreadableError:
            continue
        macro = macro if len(macro.text) <= _MAX_BODY else _UNREAD
        provides, is_global = bool(match["provides"] or match["lets"]), bool(match["global"]) or match["reach"] in ("g", "x")
        found.append(Definition(name, macro, match.start(), end, provides, is_global))
    return found


def _defined(text: str, match: re.Match[str]) -> tuple[str, Macro, int]:
    """The name, the meaning and the end of a definition.

    Raises:
        UnreadableError: if a brace is not closed.
    """
    if match["let"]:
        meant = match["meant"]
        macro = Macro(0, meant, alias=meant[1:]) if meant.startswith("\\") else Macro(0, meant)
        return match["let"], macro, match.end()
    (low, high), end = group_end(text, match.end(), 0)
    body = text[low:high]
    if match["delimiter"]:
        (low, high), end = group_end(text, end, 0)
        return match["delimiter"], Macro(1, rf"\left{body.strip()} #1 \right{text[low:high].strip()}", delimiter=True), end
    if match["operator"]:
        return match["operator"], Macro(0, rf"\operatorname{{{body}}}"), end
    if match["document"]:
        kinds = match["kinds"].replace(" ", "")
        return match["document"], Macro(len(kinds), body) if set(kinds) <= {"m"} else _UNREAD, end
    if "#1" in body and _BOX.search(body) and not _MOVES_INK.sub("", _ARGUMENT.sub("", body)):
        body = "#1"  # sets its argument as it is, in another size
    count = int(match["count"] or len(match["hashes"] or "") // 2)
    return match["command"] or match["defined"], Macro(count, body, match["default"]), end


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
