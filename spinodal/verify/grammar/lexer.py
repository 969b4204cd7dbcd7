r"""LaTeX mathematics into tokens with positions.

What only moves ink (spaces, sizes, ``\left``, ``\displaystyle``, ``\label{..}``) disappears here; words set upright
(``\mathrm{erfc}``, ``\operatorname{sign}``, ``{\rm d}``) become one token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.macros import Macro, after_bracket, expansion, group_end
from spinodal.verify.grammar.spellings import (
    COLOURS,
    DECLARED_FONTS,
    DROPPED,
    DROPPED_WITH_ARGUMENT,
    GREEK,
    INVISIBLE,
    MATHEMATICAL,
    PLAIN_FONTS,
    REMARKS,
    SIZES,
    SUPERSCRIPTS,
    SYNONYMS,
    UNICODE,
    UPRIGHT,
)
from spinodal.verify.grammar.tidy import tidy
from spinodal.verify.grammar.tokens import Token

MAX_LENGTH = 20_000
MAX_TOKENS = 6_000


#: A single letter in braces, which a font may set.
_LONE = re.compile(r"\s*\{\s*([A-Za-z]|\\[A-Za-z]+)\s*\}")
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?")
_FONT_GROUP = re.compile(rf"\{{\s*\\({'|'.join(sorted(DECLARED_FONTS))})(?![A-Za-z])\s*")
_WORD = re.compile(r"\s*([A-Za-z]+)")
_ANGLE = re.compile(r"\s*([<>])")
_DELIMITER = re.compile(r"\s*(\.|\||\\[lr]?vert(?![A-Za-z]))")
_EXPECTATION = re.compile(r"\s*(?:\{\s*E\s*\}|E(?![A-Za-z]))")
#: The indicator function: a one (or an I) in a font for sets.
_INDICATOR = re.compile(
    r"\\(?:mathbb|mathbbm|mathds|mathbf|bm|boldsymbol)\s*(?:\{\s*1\s*\}|1)|\\(?:mathbb|mathbbm|mathds)\s*(?:\{\s*I\s*\}|I)|"
    r"\\(?:bbone|indicator|ind)(?![A-Za-z])"
)
_SKIP = re.compile(r"\\(?:hskip|kern|mskip|mkern|vskip)\s*-?[\d.]+\s*(?:true)?[a-z]{2}")
_STACKED = re.compile(r"\\(stackrel|overset|underset)(?![A-Za-z])")
#: What may stand above a relation without a change of its meaning: a label, def, !.
_ABOVE = re.compile(
    r"(?:\s|[{}()!*.]|\\(?:text|mathrm|rm|mbox|scriptstyle|scriptsize|triangle|Delta|star|ast|dagger)(?![A-Za-z])|"
    r"(?<![A-Za-z])(?:[A-Za-z]|def|RS|[ivx]+|\d+)(?![A-Za-z]))*"
)
_RELATION = re.compile(r"\s*(=|:=|\\(?:equiv|approx|simeq|coloneqq|triangleq|doteq|sim|propto|leq?|geq?)(?![A-Za-z]))\s*")


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
    return tidy(_scan(text, start, macros=macros, limit=limit))


def _scan(text: str, start: int = 0, *, macros: Mapping[str, Macro] | None = None, limit: int = MAX_LENGTH) -> list[Token]:
    """Tokens as they come, the fences of delimiters not yet matched."""
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
        elif character in SUPERSCRIPTS:
            digits = re.compile(f"[{''.join(SUPERSCRIPTS)}]+").match(text, position)
            end = digits.end() if digits else position + 1
            number = "".join(SUPERSCRIPTS[c] for c in text[position:end])
            tokens += [Token("mark", "^", at, at), Token("mark", "{", at, at), Token("number", number, at, start + end)]
            tokens.append(Token("mark", "}", start + end, start + end))
            position = end
        elif character.isalpha():
            tokens.append(_letter(character, at))
            position += 1
        elif character == "{" and (match := _FONT_GROUP.match(text, position)):
            position = _font_group(text, position, match, start, tokens, macros or {})
        elif character in "+-*/^_=()[]{}|,;:.!'<>":
            if text.startswith(":=", position):
                tokens.append(Token("mark", "=", at, at + 2))
                position += 2
                continue
            tokens.append(Token("mark", character, at, at + 1))
            position += 1
        elif character in UNICODE:
            kind, replacement = UNICODE[character]
            tokens.append(Token(kind, replacement, at, at + 1))
            position += 1
        else:
            raise UnreadableError(f"{character!r} is not read as mathematics", at)
    tokens.append(Token("end", "", start + len(text), start + len(text)))
    return tokens


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
    if macros[name].text == "#1" and macros[name].default is None:  # what is set as it is stands where it stands
        (low, high), position = group_end(text, position, start)
        tokens += _scan(text[low:high], start + low, macros=macros)[:-1]
        return position
    body, position = expansion(text, position, macros[name], start)
    # a macro may not expand to itself, so that every expansion ends
    inner = {other: m for other, m in macros.items() if other != name}
    try:
        content = _scan(body, macros=inner)[:-1]
    except UnreadableError as error:
        raise UnreadableError(f"\\{name}: {error.reason}", at) from None
    tokens += [Token(token.kind, token.text, at, start + position) for token in content]
    return position


def _letter(character: str, at: int) -> Token:
    if character in GREEK:
        return Token("command", GREEK[character], at, at + 1)
    return Token("letter", character, at, at + 1)


def _font_group(
    text: str, position: int, match: re.Match[str], start: int, tokens: list[Token], macros: Mapping[str, Macro]
) -> int:
    r"""``{\rm erfc}``, ``{\cal D}``, ``{\bf w}``: a font declared inside a group."""
    (_, high), end = group_end(text, position, start)
    name, low = match.group(1), match.end()
    at, inside = start + position, text[low:high]
    if name in UPRIGHT:
        _upright("mathrm", inside, (at, start + end), start + low, tokens, macros)
        return end
    content = _scan(inside, start + low, macros=macros)[:-1]
    if name == "cal":
        tokens.append(Token("command", "mathcal", at, start + low))
    elif name == "bf" and [t.text for t in content] == ["E"]:
        tokens.append(Token("word", "E", at, start + end))
        return end
    tokens += [Token("mark", "{", at, at + 1), *content, Token("mark", "}", start + high, start + end)]
    return end


def _command(text: str, position: int, start: int, tokens: list[Token], macros: Mapping[str, Macro]) -> int:
    """Read a command at a backslash; return the position after it."""
    at = start + position
    match = _COMMAND.match(text, position)
    if match is None:
        return _control_symbol(text, position, start, tokens)
    name, after = match.group(1), match.end()
    if text[after - 1] == "*" and name not in ("operatorname", "tag", "hspace", "vspace") and name not in macros:
        after -= 1
    if name in macros and macros[name].alias:
        name = macros[name].alias
    elif name in macros:
        # a star belongs to what was declared as a pair of delimiters alone
        after -= text[after - 1] == "*" and not macros[name].delimiter
        return _expanded(text, after, (at, name), start, tokens, macros)
    if found := _INDICATOR.match(text, position):
        tokens.append(Token("command", "indicator", at, start + found.end()))
        return found.end()
    if name in SIZES and (angle := _ANGLE.match(text, after)):
        if name in ("left", "right"):
            tokens.append(Token("fence", name, at, start + after))
        tokens.append(Token("command", "langle" if angle.group(1) == "<" else "rangle", at, start + angle.end()))
        return angle.end()
    if name in ("left", "right"):
        return _fence(text, name, after, (at, start), tokens)
    if name == "middle" and text[after:].lstrip()[:1] == ".":
        return text.index(".", after) + 1
    if name in ("mathbf", "bm", "boldsymbol", "bf") and (letter := _EXPECTATION.match(text, after)):
        tokens.append(Token("word", "E", at, start + letter.end()))
        return letter.end()
    if name in PLAIN_FONTS and (alone := _LONE.match(text, after)):
        tokens.extend(_scan(alone.group(1), start + alone.start(1), macros=macros)[:-1])
        return alone.end()
    if name in INVISIBLE or name in PLAIN_FONTS:
        return after
    if skip := _SKIP.match(text, position):
        return skip.end()
    if name in DROPPED:
        return after_bracket(text, after)
    if name in DROPPED_WITH_ARGUMENT:
        return group_end(text, after_bracket(text, after), start)[1]
    if name in REMARKS:
        (low, high), stop = group_end(text, after_bracket(text, after), start)
        tokens.append(Token("prose", text[low:high].strip(), at, start + stop))
        return stop
    if name in COLOURS:
        return group_end(text, after_bracket(text, after), start)[1]
    if name in ("underbrace", "overbrace"):
        return _without_label(text, after, start, tokens, macros)
    if name == "dd" or name == "differential":  # the physics package
        tokens.append(Token("word", "d", at, start + after))
        return after
    if stacked := _STACKED.match(text, position):
        end = _stacked(text, stacked.end(), start, tokens, macros)
        if end is not None:
            return end
    if name in ("rm", "sf", "tt") and (word := _WORD.match(text, after)):
        tokens.append(Token("word", word.group(1), at, start + word.end()))
        return word.end()
    if name in UPRIGHT:
        inner, end = group_end(text, after, start)
        _upright(name, text[inner[0] : inner[1]], (at, start + end), start + inner[0], tokens, macros)
        return end
    replacement = SYNONYMS.get(name, name)
    kind = "mark" if not replacement.isalpha() and replacement not in ("{", "}") else "command"
    tokens.append(Token(kind, replacement, at, start + after))
    return after


def _control_symbol(text: str, position: int, start: int, tokens: list[Token]) -> int:
    r"""A backslash before what is no letter: braces, bars, rows; \, \; \! \: and the like only move ink."""
    at = start + position
    following = text[position + 1 : position + 2]
    if following in ("#", "$", "&"):
        raise UnreadableError(f"\\{following} is not read", at)
    if following in ("{", "}"):
        tokens.append(Token("command", following, at, at + 2))
    elif following == "|":
        tokens.append(Token("mark", "|", at, at + 2))
    elif following == "\\":
        tokens.append(Token("row", "", at, at + 2))
        spacing = re.compile(r"\\\\\*?(\s*\[\s*-?[\d.]+\s*\\?[a-z]+\s*\])?").match(text, position)
        return spacing.end() if spacing else position + 2
    return position + 2


def _fence(text: str, name: str, after: int, place: tuple[int, int], tokens: list[Token]) -> int:
    r"""``\left`` and ``\right``; ``\left.`` and ``\right|`` keep their delimiters: they may evaluate what is inside."""
    at, start = place
    delimiter = _DELIMITER.match(text, after)
    if delimiter is None or (delimiter.group(1) != "." and name == "left"):
        tokens.append(Token("fence", name, at, start + after))
        return after
    mark = "." if delimiter.group(1) == "." else "|"
    tokens.append(Token("fence", name + mark, at, start + delimiter.end()))
    return delimiter.end()


_RELATION_AT_BRACE = re.compile(r"[=<>]|\\(?:equiv|neq|ne|leq?|geq?|approx|simeq|sim)(?![A-Za-z])")

_OPERATOR_AT_BRACE = re.compile(r"\s*(?:[-+*/]|\\(?:times|cdot|ast|pm|mp)(?![A-Za-z]))\s*\S")


def _without_label(text: str, after: int, start: int, tokens: list[Token], macros: Mapping[str, Macro]) -> int:
    r"""``\underbrace{formula}_{words}``: the formula."""
    (low, high), end = group_end(text, after, start)
    tokens.append(Token("mark", "{", start + low - 1, start + low))
    tokens += _scan(text[low:high], start + low, macros=macros)[:-1]
    tokens.append(Token("mark", "}", start + high, start + end))
    label = re.compile(r"\s*[_^]").match(text, end)
    if not label:
        return end
    (low, high), after_label = group_end(text, label.end(), start)
    if _RELATION_AT_BRACE.search(re.sub(r"\\text\{[^{}]*\}", "", text[low:high])):
        raise UnreadableError("what stands at a brace is an equation of its own: write it as one", start + low)
    if _OPERATOR_AT_BRACE.match(text, low, high):
        raise UnreadableError("what stands at a brace would change what it holds: write it into the formula", start + low)
    return after_label


def _stacked(text: str, after: int, start: int, tokens: list[Token], macros: Mapping[str, Macro]) -> int | None:
    r"""``\stackrel{(a)}{=}``: the relation, unless what stands at it is a limit; None where it is no relation."""
    (low, high), middle = group_end(text, after, start)
    (low_2, high_2), end = group_end(text, middle, start)
    if not _RELATION.fullmatch(text[low_2:high_2]):
        return None
    if re.search(r"\\(?:to|rightarrow|longrightarrow|infty)(?![A-Za-z])", text[low:high]):
        raise UnreadableError("a relation that holds in a limit is not read", start + low)
    if not _ABOVE.fullmatch(text[low:high]):
        raise UnreadableError("what stands above the relation is not read: it may withdraw it", start + low)
    tokens += _scan(text[low_2:high_2], start + low_2, macros=macros)[:-1]
    return end


def _upright(
    name: str, inside: str, place: tuple[int, int], low: int, tokens: list[Token], macros: Mapping[str, Macro]
) -> None:
    """Words set upright: one token; mathematics in them is read as such."""
    word = re.sub(r"\\[,;:!/ ]|[~\s]|\{\}", "", inside)
    if name not in MATHEMATICAL and (" " in inside.strip() or "\\" in word):
        tokens.append(Token("prose", inside.strip(), *place))
    elif "\\" in word:
        tokens.extend(_scan(inside, low, macros=macros)[:-1])
    elif name == "mathrm" and " " in inside.strip():
        tokens.append(Token("prose", inside.strip(), *place))
    elif word.isalpha() and word.isascii():
        tokens.append(Token("word", word, *place))
    elif word:
        tokens.append(Token("prose", word, *place))


__all__ = ["MAX_LENGTH", "MAX_TOKENS", "Macro", "Token", "tokenize"]
