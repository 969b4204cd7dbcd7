r"""Tokens as they stand, into tokens as they are meant.

Groups that hold nothing, a lone word or a lone operator vanish (``={}&``, ``{\rm d}z``, ``1{-}q``), fences are matched, and
``\left. .. \right|_{..}`` becomes ``evaluated .. at``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spinodal.verify.grammar.tokens import Token
from spinodal.verify.symbols import ACCENTS, FONTS

#: Commands whose next group is an argument, so that its braces stay.
_TAKES_ARGUMENT = ACCENTS | FONTS | {"frac", "sqrt", "underset", "overset", "stackrel", "begin", "end", "over", "binom"}
#: After these an empty group cannot be an argument.
_BEFORE_NOTHING = frozenset("=+-*/(,;<>[|!")
_OPERATORS = frozenset(["max", "min", "sup", "inf", "argmax", "argmin", "extr"])
#: Signs and relations: braces around one change the space beside it and nothing else.
_SIGNS = frozenset("+-*/=<>")
_SIGN_COMMANDS = frozenset(["pm", "mp", "approx", "propto", "sim", "leq", "geq", "neq", "to", "in"])


def tidy(tokens: Sequence[Token]) -> list[Token]:
    """The tokens without what only moves ink."""
    return _without_groups(_matched(tokens))


def _matched(tokens: Sequence[Token]) -> list[Token]:
    r"""The tokens without ``\left`` and ``\right``."""
    found: list[Token | None] = list(tokens)
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind != "fence":
            continue
        bar = replace(token, kind="mark", text="|")
        found[index] = bar if token.text.endswith("|") else None
        if token.text.startswith("left"):
            opened.append(index)
            continue
        first = opened.pop() if opened else None
        following = tokens[min(index + 1, len(tokens) - 1)]
        subscript = following.kind == "mark" and following.text == "_"
        if token.text == "right|" and first is not None and tokens[first].text == "left." and subscript:
            found[first] = replace(tokens[first], kind="command", text="evaluated")
            found[index] = replace(token, kind="command", text="at")
    return [token for token in found if token is not None]


def _without_groups(tokens: list[Token]) -> list[Token]:
    kept: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.kind == "mark" and token.text == "{":
            inside = _lone(tokens, index)
            if inside is not None and _may_go(kept, inside):
                kept += inside
                index = _closing(tokens, index) + 1
                continue
        kept.append(token)
        index += 1
    return kept


def _closing(tokens: Sequence[Token], index: int) -> int:
    level = 0
    for k in range(index, min(index + 8, len(tokens))):
        if tokens[k].kind == "mark":
            level += (tokens[k].text == "{") - (tokens[k].text == "}")
            if level == 0:
                return k
    return len(tokens)


def _lone(tokens: Sequence[Token], index: int) -> list[Token] | None:
    r"""What a group holds, if that is nothing, a word, a letter in a font (``{\cal D}``), an operator or its name."""
    inside = list(tokens[index + 1 : _closing(tokens, index)])
    while len(inside) > 2 and (inside[0].text, inside[-1].text) == ("{", "}") and _is_sign(inside[len(inside) // 2]):
        inside = inside[1:-1]
    if len(inside) > 4:
        return None
    if not inside:
        return inside
    first = inside[0]
    if len(inside) == 1:
        named = first.kind == "word" or (first.kind == "command" and first.text in _OPERATORS)
        return inside if named or _is_sign(first) else None
    letters = [t for t in inside[1:] if t.kind in ("letter", "word")]
    braces = [t for t in inside[1:] if t.kind == "mark" and t.text in "{}"]
    is_font = first.kind == "command" and first.text in FONTS
    return inside if is_font and len(letters) == 1 and len(letters) + len(braces) == len(inside) - 1 else None


def _is_sign(token: Token) -> bool:
    """Whether a token is an operator or a relation."""
    return (token.kind == "mark" and token.text in _SIGNS) or (token.kind == "command" and token.text in _SIGN_COMMANDS)


def _may_go(kept: Sequence[Token], inside: Sequence[Token]) -> bool:
    """Whether the braces around something make no argument of it."""
    if not kept or kept[-1].kind == "row":
        return True
    before = kept[-1]
    if not inside:
        return before.kind == "mark" and before.text in _BEFORE_NOTHING
    if before.kind == "command":
        return before.text not in _TAKES_ARGUMENT
    return not (before.kind == "mark" and before.text in "^_")
