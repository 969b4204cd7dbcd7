r"""LaTeX mathematics into tokens with positions.

What only moves ink (spaces, sizes, ``\left``, ``\displaystyle``, ``\label{..}``) disappears here; words set upright
(``\mathrm{erfc}``, ``\operatorname{sign}``) become one token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spinodal.verify.errors import UnreadableError

MAX_LENGTH = 20_000
MAX_TOKENS = 6_000


@dataclass(frozen=True, slots=True)
class Token:
    r"""A token.

    Its kind is ``command`` (``\frac`` without its backslash), ``word``, ``letter``, ``number``, ``mark``, ``prose``,
    ``row`` (a line break) or ``end``.
    """

    kind: str
    text: str
    start: int
    end: int


#: Commands that leave no trace.
_INVISIBLE = frozenset(
    (
        "left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm Bigm middle limits nolimits "
        "displaystyle textstyle scriptstyle nonumber notag quad qquad thinspace negthinspace allowbreak noindent "
        "enspace mathstrut medspace thickspace mathopen mathclose mathrel mathbin mathord mathop mathinner ensuremath "
        "hfill break newline smallskip medskip"
    ).split()
)
#: Commands that disappear together with their argument.
_DROPPED_WITH_ARGUMENT = frozenset(
    ("label tag hspace vspace phantom hphantom vphantom color eqref ref cite footnote index mspace").split()
)
_UPRIGHT = frozenset(["mathrm", "operatorname", "text", "textrm", "mathsf", "mathtt", "mbox", "textup", "rm", "textnormal"])
#: Fonts that do not change what a letter stands for.
_PLAIN_FONTS = frozenset(["boldsymbol", "bm", "mathbf", "mathit", "pmb"])
_SYNONYMS = {
    "dfrac": "frac",
    "tfrac": "frac",
    "cfrac": "frac",
    "sfrac": "frac",
    "ln": "log",
    "lbrace": "{",
    "rbrace": "}",
    "lbrack": "[",
    "rbrack": "]",
    "lvert": "|",
    "rvert": "|",
    "vert": "|",
    "cdot": "*",
    "times": "*",
    "ast": "*",
    "dots": "ldots",
    "widehat": "hat",
    "widetilde": "tilde",
    "overline": "bar",
    "ne": "neq",
    "le": "leq",
    "ge": "geq",
    "star": "star",
    "equiv": "=",
    "coloneqq": "=",
    "coloneq": "=",
    "triangleq": "=",
    "doteq": "=",
    "simeq": "approx",
    "cong": "approx",
    "varkappa": "kappa",
    "vartheta": "theta",
    "lang": "langle",
    "rang": "rangle",
    "iff": "ldots",
    "sgn": "sign",
    "minus": "-",
    "lparen": "(",
    "rparen": ")",
}
#: A single letter in braces, which a font may set.
_LONE = re.compile(r"\s*\{\s*([A-Za-z]|\\[A-Za-z]+)\s*\}")
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?")


def tokenize(
    text: str, start: int = 0, *, macros: Mapping[str, Macro] | None = None, limit: int = MAX_LENGTH
) -> list[Token]:
    """Tokens of a piece of mathematics.

    Args:
        text: the mathematics, comments included.
        start: the offset of its first character in the document; positions count from there.
        macros: the author's own commands; what they expand to stands at the place of the call.
        limit: the longest text accepted.

    Raises:
        UnreadableError: for what no paper writes, or too much of it.
    """
    if len(text) > limit:
        raise UnreadableError(f"more than {limit} characters in one equation", start)
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        if len(tokens) > MAX_TOKENS:
            raise UnreadableError(f"more than {MAX_TOKENS} symbols in one equation", start)
        character = text[position]
        at = start + position
        if character == "%":
            newline = text.find("\n", position)
            position = len(text) if newline < 0 else newline + 1
        elif character.isspace() or character in "~&":
            position += 1
        elif character == "\\":
            position = _command(text, position, start, tokens, macros or {})
        elif match := _NUMBER.match(text, position):
            tokens.append(Token("number", match.group(), at, start + match.end()))
            position = match.end()
        elif character.isalpha():
            tokens.append(_letter(character, at))
            position += 1
        elif character in "+-*/^_=()[]{}|,;:.!'<>":
            if text.startswith(":=", position):
                tokens.append(Token("mark", "=", at, at + 2))
                position += 2
                continue
            tokens.append(Token("mark", character, at, at + 1))
            position += 1
        elif character in _UNICODE:
            kind, replacement = _UNICODE[character]
            tokens.append(Token(kind, replacement, at, at + 1))
            position += 1
        else:
            raise UnreadableError(f"{character!r} is not read as mathematics", at)
    tokens.append(Token("end", "", start + len(text), start + len(text)))
    return tokens


@dataclass(frozen=True, slots=True)
class Macro:
    """An author's command: how many arguments, and its text with #1, #2, ..."""

    arguments: int
    text: str


def _expanded(
    text: str,
    position: int,
    call: tuple[int, str],
    start: int,
    tokens: list[Token],
    macros: Mapping[str, Macro],
) -> int:
    """Expand a macro; every token of its text stands where the call stands."""
    at, name = call
    macro = macros[name]
    body = macro.text
    for k in range(1, macro.arguments + 1):
        (low, high), position = _group_end(text, position, start)
        body = body.replace(f"#{k}", text[low:high])
    # a macro may not expand to itself, so that every expansion ends
    inner = {other: m for other, m in macros.items() if other != name}
    for token in tokenize(body, macros=inner)[:-1]:
        tokens.append(Token(token.kind, token.text, at, start + position))
    return position


_DEFINITION = re.compile(
    r"\\(?:re)?newcommand\*?\s*\{?\\([A-Za-z]+)\}?\s*(?:\[(\d)\])?\s*(?=\{)"
    r"|\\providecommand\*?\s*\{?\\([A-Za-z]+)\}?\s*(?:\[(\d)\])?\s*(?=\{)"
    r"|\\def\s*\\([A-Za-z]+)((?:#\d)*)\s*(?=\{)"
    r"|\\DeclareMathOperator\*?\s*\{?\\([A-Za-z]+)\}?\s*(?=\{)"
)


def macros_in(text: str) -> dict[str, Macro]:
    """The commands that a document defines."""
    found: dict[str, Macro] = {}
    for match in _DEFINITION.finditer(text):
        try:
            (low, high), _ = _group_end(text, match.end(), 0)
        except UnreadableError:
            continue
        body = text[low:high]
        if len(body) > 500:
            continue
        first, count, second, count_2, third, hashes, operator = match.groups()
        if operator:
            found[operator] = Macro(0, rf"\operatorname{{{body}}}")
        else:
            found[first or second or third] = Macro(int(count or count_2 or len(hashes or "") // 2), body)
    return found


_UNICODE = {"−": ("mark", "-"), "·": ("mark", "*"), "×": ("mark", "*"), "∞": ("command", "infty"), "∫": ("command", "int")}
_GREEK = dict(zip("αβγδεζηθικλμνξπρσςτυφχψωΓΔΘΛΞΠΣΦΨΩ", (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma sigma tau upsilon phi "
    "chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
).split(), strict=True))  # fmt: skip


def _letter(character: str, at: int) -> Token:
    if character in _GREEK:
        return Token("command", _GREEK[character], at, at + 1)
    return Token("letter", character, at, at + 1)


def _command(text: str, position: int, start: int, tokens: list[Token], macros: Mapping[str, Macro]) -> int:
    """Read a command at a backslash; return the position after it."""
    at = start + position
    match = _COMMAND.match(text, position)
    if match is None:
        following = text[position + 1 : position + 2]
        if following in ("{", "}"):
            tokens.append(Token("command", following, at, at + 2))
        elif following == "|":
            tokens.append(Token("mark", "|", at, at + 2))
        elif following == "\\":
            tokens.append(Token("row", "", at, at + 2))
            spacing = re.compile(r"\\\\\*?\s*(\[-?[\d.]+\s*[a-z]{2}\])?").match(text, position)
            return spacing.end() if spacing and spacing.group(1) else position + 2
        # \, \; \! \: \  and \\ only move ink
        return position + 2
    name, after = match.group(1), match.end()
    if text[after - 1] == "*" and name not in ("operatorname", "tag", "hspace", "vspace"):
        after -= 1
    if name in macros:
        return _expanded(text, after, (at, name), start, tokens, macros)
    if name in ("left", "right", "middle") and text[after:].lstrip()[:1] == ".":
        return text.index(".", after) + 1
    if name in _PLAIN_FONTS and (alone := _LONE.match(text, after)):
        tokens.extend(tokenize(alone.group(1), start + alone.start(1), macros=macros)[:-1])
        return alone.end()
    if name in _INVISIBLE or name in _PLAIN_FONTS:
        return after
    if name in _DROPPED_WITH_ARGUMENT:
        return _group_end(text, after, start)[1]
    if name in _UPRIGHT:
        inner, end = _group_end(text, after, start)
        word = re.sub(r"\\[,;:! ]|[~\s]", "", text[inner[0] : inner[1]])
        if name != "operatorname" and " " in text[inner[0] : inner[1]].strip():
            tokens.append(Token("prose", text[inner[0] : inner[1]].strip(), at, start + end))
        elif word.isalpha() and word.isascii():
            tokens.append(Token("word", word, at, start + end))
        elif word:
            tokens.append(Token("prose", word, at, start + end))
        return end
    replacement = _SYNONYMS.get(name, name)
    kind = "mark" if not replacement.isalpha() and replacement not in ("{", "}") else "command"
    tokens.append(Token(kind, replacement, at, start + after))
    return after


def _group_end(text: str, position: int, start: int) -> tuple[tuple[int, int], int]:
    """The inside of the braced group that begins at ``position``, and the position after it."""
    while position < len(text) and text[position].isspace():
        position += 1
    if text[position : position + 1] != "{":
        return (position, min(position + 1, len(text))), min(position + 1, len(text))
    level = 0
    for index in range(position, len(text)):
        if text[index] == "{" and text[index - 1] != "\\":
            level += 1
        elif text[index] == "}" and text[index - 1] != "\\":
            level -= 1
            if level == 0:
                return (position + 1, index), index + 1
    raise UnreadableError("a brace that is not closed", start + position)
