r"""An author's letters: read from a symbol map, and refused where they could not be read or would stand for two things."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from spinodal.report.notation import letter
from spinodal.spec import SpecError

_SOURCE = "--symbols"
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\S")
#: Letters that derivations use for what has no name of its own.
_TAKEN = {
    r"\phi": "the free entropy",
    "z": "a standard normal variable",
    "h": "the field of a pattern",
    "u": "the teacher's field",
    r"\omega": "the field of a weight",
    "w": "a weight",
    "y": "the label",
    "H": "the Gaussian tail",
    "G": "the Gaussian density",
    r"\Theta": "the step function",
    "e": "the base of the exponential",
    "d": "a differential",
    "D": "a Gaussian measure",
    r"\pi": "the number pi",
}


def author_symbols(text: str) -> dict[str, str]:
    r"""A symbol map, ``R = r, \hat{R} = r_hat``, as ``{name: LaTeX}``; ``V = -dq_hat`` has a minus in front.

    Raises:
        SpecError: for an entry that is not of the form LETTER = name, or that gives a name two letters.

    >>> author_symbols(r"R = r, \hat{R} = r_hat")
    {'r': 'R', 'r_hat': '\\hat{R}'}
    """
    found: dict[str, str] = {}
    for entry in re.split(r",(?![^{}]*\})", text):
        letters, _, name = (part.strip() for part in entry.rpartition("="))
        sign, name = ("-", name.removeprefix("-").strip()) if name.startswith("-") else ("", name)
        if not letters or not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise SpecError(
                f"{entry.strip()[:60]!r} is no entry of a symbol map",
                cure=r"write 'R = r, \hat{R} = r_hat', or 'V = -dq_hat' for a letter of minus an order parameter",
                source=_SOURCE,
            )
        if found.setdefault(name, sign + letters) != sign + letters:
            first = found[name].removeprefix("-")
            raise SpecError(f"{name}: has two letters, {first} and {letters}", cure="give it one", source=_SOURCE)
    return found


def check_letters(symbols: Mapping[str, str], names: Iterable[str]) -> None:
    """Refuse letters that are no LaTeX, and such that would stand for two things in one derivation.

    Args:
        symbols: an author's letters, ``{name: LaTeX}``.
        names: of what keeps its own letter unless the author gives it another.

    Raises:
        SpecError: naming the letter and both of what it would stand for.
    """
    known: dict[tuple[str, ...], str] = {}
    for name, text in symbols.items():
        own = text.removeprefix("-").strip()
        if (why := _not_a_letter(own)) is not None:
            cure = r"write one letter with its accents, subscripts and primes, as in '\hat{R}_{0}'"
            raise SpecError(f"{own[:40]}: no letter in LaTeX ({why}), for {name}", cure=cure, source=_SOURCE)
        other = known.setdefault(_key(own), name)
        if other != name:
            raise SpecError(
                f"{own}: the letter of both {other} and {name}", cure="give each a letter of its own", source=_SOURCE
            )
    usual = {_key(letter(name)): name for name in names if name not in symbols}
    for key, name in known.items():
        own = symbols[name].removeprefix("-").strip()
        if (other := usual.get(key, name)) != name:
            cure = f"take another letter for {name}, or give {other} one of its own too, as in '{own} = {name}, X = {other}'"
            raise SpecError(f"{own}: the letter of both {name} and {other}", cure=cure, source=_SOURCE)
        if (meaning := {_key(mark): what for mark, what in _TAKEN.items()}.get(key)) is not None:
            raise SpecError(
                f"{own}: the letter of both {name} and {meaning}", cure=f"take another letter for {name}", source=_SOURCE
            )


def _key(text: str) -> tuple[str, ...]:
    r"""The tokens of a letter, without braces around one token: ``\hat{q}_{1}`` is ``\hat q_1``."""
    tokens = _TOKEN.findall(text)
    k = 0
    while k + 2 < len(tokens):
        if tokens[k] == "{" and tokens[k + 2] == "}" and tokens[k + 1] not in "{}":
            tokens[k : k + 3] = [tokens[k + 1]]
        else:
            k += 1
    return tuple(tokens)


def _not_a_letter(text: str) -> str | None:
    """Why a text is no letter with accents, scripts and primes; None if it is."""
    tokens = _TOKEN.findall(text)
    if not any(re.fullmatch(r"\\?[A-Za-z]+", token) for token in tokens):
        return "it has no letter"
    if not re.match(r"\\?[A-Za-z]|\{", tokens[0]):
        return f"it begins with {tokens[0]}"
    open_groups: list[set[str]] = [set()]  # the scripts that the symbol before has, by depth
    before = ""
    for token in tokens:
        if token in {"$", "%", "&", "#", "~", "=", '"'} or re.fullmatch(r"\\[^A-Za-z,;!: ]", token):
            return f"it contains {token}"
        if before in ("_", "^") and token in ("_", "^", "}", "'"):
            return f"nothing stands after {before}"
        if token == "{":
            open_groups.append(set())
        elif token == "}":
            if len(open_groups) == 1:
                return "a brace too many"
            open_groups.pop()
        elif token in ("_", "^"):
            if token in open_groups[-1]:
                return f"two {token} on one letter"
            open_groups[-1].add(token)
        elif before not in ("_", "^") and token != "'":
            open_groups[-1].clear()
        before = token
    if before in ("_", "^"):
        return f"nothing stands after {before}"
    return "a brace is not closed" if len(open_groups) > 1 else None
