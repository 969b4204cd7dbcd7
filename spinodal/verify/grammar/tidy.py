r"""Tokens as they stand, into tokens as they are meant.

Groups that hold nothing, a lone word or a lone operator vanish (``={}&``, ``{\rm d}z``, ``1{-}q``), fences are matched, and
``\left. .. \right|_{..}`` becomes ``evaluated .. at``, as does ``[..]\Big|_{x=..}``. Averages are written in one way:
``[..]_z``, ``\overline{..}^z`` and ``\langle\langle .. \rangle\rangle_z`` become ``\langle .. \rangle_z``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spinodal.verify.grammar.tokens import Token
from spinodal.verify.symbols import ACCENTS, FONTS, GREEK

#: Commands whose next group is an argument, so that its braces stay.
_TAKES_ARGUMENT = ACCENTS | FONTS | {"frac", "sqrt", "underset", "overset", "stackrel", "begin", "end", "over", "binom"}
#: After these an empty group cannot be an argument.
_BEFORE_NOTHING = frozenset("=+-*/(,;<>[|!")
_OPERATORS = frozenset(["max", "min", "sup", "inf", "argmax", "argmin", "extr"])
_CLOSED_BY = {"(": ")", "[": "]", "{": "}", "langle": "rangle"}
#: Signs and relations: braces around one change the space beside it and nothing else.
_SIGNS = frozenset("+-*/=<>")
_SIGN_COMMANDS = frozenset(["pm", "mp", "approx", "propto", "sim", "leq", "geq", "neq", "to", "in"])


def tidy(tokens: Sequence[Token]) -> list[Token]:
    """The tokens without what only moves ink."""
    found = _without_groups(_matched(tokens))
    texts = {t.text for t in found}
    if "langle" in texts:
        found = _single_angles(found)
    if "bar" in texts:
        found = _overlined(found)
    return _bracketed(found) if texts & {"]", ")"} and "_" in texts else found


def _pairs(tokens: Sequence[Token]) -> dict[int, int]:
    """The places of opening brackets by those that close them."""
    opened: list[int] = []
    found: dict[int, int] = {}
    for index, token in enumerate(tokens):
        if token.text in _CLOSED_BY:
            opened.append(index)
        elif opened and token.text == _CLOSED_BY[tokens[opened[-1]].text]:
            found[index] = opened.pop()
        elif token.text in _CLOSED_BY.values():
            return {}
    return found


def _single_angles(tokens: list[Token]) -> list[Token]:
    r"""One pair of angles for two right around each other, ``\langle\!\langle .. \rangle\!\rangle_z``."""
    pairs = _pairs(tokens)
    doubled = [
        (low, high) for high, low in pairs.items() if tokens[low].text == "langle" and pairs.get(high + 1) == low - 1
        and tokens[low - 1].text == "langle"
    ]  # fmt: skip
    gone = {place for pair in doubled for place in pair}
    return [token for index, token in enumerate(tokens) if index not in gone]


def _averaged_over(tokens: Sequence[Token], index: int, inside: Sequence[Token]) -> tuple[int, int] | None:
    """Where the variable in a script begins and the place after the script, if it stands inside as well."""
    first = index + (tokens[index].text == "{") if index < len(tokens) else index
    if first >= len(tokens) or not (
        tokens[first].kind == "letter" or (tokens[first].kind == "command" and tokens[first].text in GREEK)
    ):
        return None
    stop = first + 1
    if first > index:
        if stop >= len(tokens) or tokens[stop].text != "}":
            return None
        stop += 1
    return (first, stop) if any(t.text == tokens[first].text and t.kind == tokens[first].kind for t in inside) else None


def _overlined(tokens: list[Token]) -> list[Token]:
    r"""``\overline{f(z)}^z``: an average; a bar over a lone letter is an accent."""
    pairs = {low: high for high, low in _pairs(tokens).items()}
    found = list(tokens)
    for index, token in enumerate(tokens[:-1]):
        stop = pairs.get(index + 1)
        if token.text != "bar" or token.kind != "command" or stop is None or stop - index < 4 or stop + 1 >= len(tokens):
            continue
        over = _averaged_over(tokens, stop + 2, tokens[index + 2 : stop]) if tokens[stop + 1].text == "^" else None
        if over is not None:
            found[index] = replace(token, text="langle")
            found[index + 1] = replace(tokens[index + 1], kind="nothing")
            found[stop] = replace(tokens[stop], kind="command", text="rangle")
            found[stop + 1] = replace(tokens[stop + 1], text="_")
    return [token for token in found if token.kind != "nothing"]


def _bracketed(tokens: list[Token]) -> list[Token]:
    r"""``[f(z)]_z`` as an average, ``[f(x)]^2\Big|_{x=a}`` as a value; not where the bracket is an argument."""
    pairs = _pairs(tokens)
    found = list(tokens)
    before: dict[int, Token] = {}
    for high, low in pairs.items():
        if tokens[high].text not in (")", "]") or not _begins_factor(tokens, low) or high + 1 >= len(tokens):
            continue
        if tokens[high].text == "]" and tokens[high + 1].text == "_":
            if _averaged_over(tokens, high + 2, tokens[low + 1 : high]) is not None:
                found[low] = replace(tokens[low], kind="command", text="langle")
                found[high] = replace(tokens[high], kind="command", text="rangle")
            continue
        bar = high + 1
        if tokens[bar].text == "^" and bar + 1 < len(tokens):
            opened = {start: stop for stop, start in pairs.items()}
            bar = opened.get(bar + 1, bar + 1) + 1
        if [t.text for t in tokens[bar : bar + 3]] == ["|", "_", "{"]:
            found[bar] = replace(tokens[bar], kind="command", text="at")
            before[low] = replace(tokens[low], kind="command", text="evaluated", end=tokens[low].start)
    return [part for index, token in enumerate(found) for part in ((before[index], token) if index in before else (token,))]


def _begins_factor(tokens: Sequence[Token], index: int) -> bool:
    """Whether a bracket is a factor by itself: after a sign, a number or a differential."""
    if index == 0 or tokens[index - 1].kind in ("row", "number"):
        return True
    last, second = tokens[index - 1], tokens[max(0, index - 2)]
    if last.kind == "mark" and last.text in "=+-*/,;([{":
        return not (last.text == "{" and second.kind == "command" and second.text in _TAKES_ARGUMENT - {"frac", "sqrt"})
    if last.kind == "command" and last.text in ("{", "langle"):
        return True
    return last.kind in ("letter", "command") and second.text in ("D", "d")


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
