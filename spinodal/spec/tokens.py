"""The words of a formula: which characters, names and functions there are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from spinodal.spec.errors import FormulaError, clip

#: Every function a formula may call, with the fewest and the most arguments it takes (None: no limit).
FUNCTIONS: dict[str, tuple[int, int | None]] = {
    **dict.fromkeys(["sign", "abs", "sqrt", "exp", "log", "erf", "erfc", "tanh", "sin", "cos", "relu", "step", "H"], (1, 1)),
    "max": (2, None),
    "min": (2, None),
}

#: The variables that some place of a spec has; no parameter may take their names.
VARIABLES = frozenset({"x", "u", "noise", "y", "h", "w"})

MAX_LENGTH = 1000

TokenKind = Literal["number", "name", "operator", "stray", "end"]

_PATTERN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<operator>\*\*|<=|>=|[-+*/<>(),])"
)

#: What people write instead of what a formula has, and what to write.
_CURES: dict[str, tuple[str, str]] = {
    "^": ("^ is not a power here", "write ** for a power"),
    "==": ("== cannot be used", "formulas compare with < <= > >= only"),
    "!=": ("!= cannot be used", "formulas compare with < <= > >= only"),
    "=": ("= cannot be used", "formulas compare with < <= > >= only"),
    "&": ("& cannot be used", "write and"),
    "|": ("| cannot be used", "write or for alternatives, abs(...) for an absolute value"),
    "!": ("! cannot be used", "turn the comparison round instead: < for not >="),
    "%": ("% cannot be used", "formulas have + - * / **"),
    "'": ("a formula holds no text", "a formula is arithmetic and cannot call Python"),
    '"': ("a formula holds no text", "a formula is arithmetic and cannot call Python"),
    ".": ("a formula has no attributes", "a formula is arithmetic and cannot call Python"),
    "[": ("a formula has no brackets", "group with ( and )"),
    "]": ("a formula has no brackets", "group with ( and )"),
    "{": ("a formula has no braces", "group with ( and )"),
    "}": ("a formula has no braces", "group with ( and )"),
    "\N{MINUS SIGN}": ("\N{MINUS SIGN} is not the minus of a keyboard", "write -"),
    "\N{EN DASH}": ("\N{EN DASH} is not the minus of a keyboard", "write -"),
    "\N{MIDDLE DOT}": ("\N{MIDDLE DOT} cannot be used", "write *"),
    "\N{DOT OPERATOR}": ("\N{DOT OPERATOR} cannot be used", "write *"),
    "\N{MULTIPLICATION SIGN}": ("\N{MULTIPLICATION SIGN} cannot be used", "write *"),
    "\N{LESS-THAN OR EQUAL TO}": ("\N{LESS-THAN OR EQUAL TO} cannot be used", "write <="),
    "\N{GREATER-THAN OR EQUAL TO}": ("\N{GREATER-THAN OR EQUAL TO} cannot be used", "write >="),
    "\N{SUPERSCRIPT TWO}": ("\N{SUPERSCRIPT TWO} cannot be used", "write **2"),
}


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a formula and the 0-based column it starts at."""

    kind: TokenKind
    text: str
    column: int


def tokenize(text: str) -> list[Token]:
    """Split a formula into words; the last one is of kind ``end``.

    The first character that has no place in formulas becomes a word of kind ``stray``, and nothing after it is looked
    at: the parser may find a better reason to complain before it gets there.

    Raises:
        FormulaError: the formula is too long.
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"the formula has {len(text)} characters", 0, f"a formula has at most {MAX_LENGTH}; simplify it")
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None:
            tokens.append(Token("stray", _stray_text(text, position), position))
            break
        kind = match.lastgroup
        if kind != "space":
            if kind == "name" and tokens and tokens[-1].kind == "number" and _touch(tokens[-1], position):
                number = tokens[-1].text
                raise FormulaError(f"no operator between {number} and {clip(match.group())}", position, "write *")
            tokens.append(Token(_KINDS[kind or ""], match.group(), position))
        position = match.end()
    tokens.append(Token("end", "", len(text)))
    return tokens


_KINDS: dict[str, TokenKind] = {"number": "number", "name": "name", "operator": "operator"}


def _touch(token: Token, position: int) -> bool:
    return token.column + len(token.text) == position


def _stray_text(text: str, position: int) -> str:
    pair = text[position : position + 2]
    return pair if pair in _CURES else text[position]


def stray_error(token: Token) -> FormulaError:
    """What is wrong with a word of kind ``stray``."""
    message, cure = _CURES.get(
        token.text,
        (f"the character {clip(token.text)} has no place in a formula", "names and numbers are written in ASCII"),
    )
    return FormulaError(message, token.column, cure)
