r"""Where an author's commands hold: from their definition to the end of the group or the environment that it stands in.

As in LaTeX, ``\providecommand`` defines nothing that is defined, and ``\gdef`` and ``\global`` reach beyond groups. In
Markdown a definition holds from its place on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.macros import Definition, Macro, definitions, without_definitions
from spinodal.verify.symbols import ACCENTS, GREEK

#: Commands that LaTeX itself defines, so that no document provides them.
_LATEX = (GREEK | ACCENTS) - {"ring"} | frozenset(
    (
        "log ln exp tanh cosh sinh coth sin cos tan arccos arcsin arctan max min sup inf det lim frac sqrt int sum prod "
        "partial infty pm mp to in sim approx propto leq le geq ge neq ne equiv cdot times ast langle rangle left right "
        "mathrm mathcal mathbf mathit mathsf mathtt text overline underline widehat widetilde prime star"
    ).split()
)
#: Commands whose argument is carried out as if it stood without braces.
_AS_IT_STANDS = re.compile(r"\\(?:AtBeginDocument|AtEndPreamble|AtEndOfClass|AtEndOfPackage)\s*\Z")
_BOUND = re.compile(
    r"\\(?P<word>begin|end)\s*\{(?P<environment>[^{}]*)\}|\\(?P<group>begingroup|bgroup|endgroup|egroup)(?![A-Za-z])"
    r"|\\(?P<display>[\[\]()])|\\.|(?P<dollar>\$\$?)|(?P<brace>[{}])",
    re.S,
)
_CLOSING = {"endgroup": "begingroup", "egroup": "bgroup", "]": "[", ")": "(", "}": "{"}


@dataclass(frozen=True, slots=True)
class _Held:
    """A definition that holds from a place until another."""

    name: str
    macro: Macro
    place: int
    until: int


class Commands:
    """The commands that a document defines.

    Args:
        text: the document, without comments.
        local: whether definitions end with the group that they stand in.
    """

    def __init__(self, text: str, *, local: bool = True) -> None:
        self._end = len(text) + 1
        self._held: list[_Held] = []
        found = definitions(text)
        scopes = _scopes(without_definitions(text)) if local else []
        for definition in found:
            if definition.provides and (definition.name in _LATEX or definition.name in self._in_force(definition.start)):
                continue
            inside = [stop for start, stop in scopes if start < definition.start < stop and not definition.is_global]
            macro = self._meant(definition)
            self._held.append(_Held(definition.name, macro, definition.end, min(inside, default=self._end)))

    def _meant(self, definition: Definition) -> Macro:
        r"""What a definition says; ``\let`` takes what a command means where it stands."""
        alias = definition.macro.alias
        return self._in_force(definition.start).get(alias, definition.macro) if alias else definition.macro

    def _in_force(self, place: int) -> dict[str, Macro]:
        return {held.name: held.macro for held in self._held if held.place <= place < held.until}

    def at(self, start: int, stop: int) -> dict[str, Macro]:
        """The commands for mathematics between two places, its own definitions among them.

        Raises:
            UnreadableError: if one of them changes its meaning there.
        """
        found = self._in_force(start)
        for held in self._held:
            if start < held.place <= stop:
                if found.setdefault(held.name, held.macro) != held.macro:
                    raise UnreadableError(f"\\{held.name} is defined anew inside this equation", held.place)
            elif held.place > stop and held.until == self._end and held.name not in _LATEX:
                found.setdefault(held.name, held.macro)  # where LaTeX knows no such command
        return found

    def everywhere(self) -> Mapping[str, Macro]:
        """Those that hold at the end of the document."""
        return self._in_force(self._end - 1)

    def ever(self) -> Mapping[str, Macro]:
        """All of them, whether they still hold or not."""
        return {held.name: held.macro for held in self._held}


def macros_in(text: str) -> dict[str, Macro]:
    """The commands that a document defines, as they are at its end."""
    return dict(Commands(text).everywhere())


def _scopes(text: str) -> list[tuple[int, int]]:
    """From where to where groups, environments and mathematics reach."""
    opened: list[tuple[str, int]] = []
    found: list[tuple[int, int]] = []
    for match in _BOUND.finditer(text):
        sign = match["group"] or match["display"] or match["dollar"] or match["brace"]
        if match["word"]:
            sign = f"{match['word']} {match['environment']}"
        if sign is None or sign.endswith(" document"):
            continue
        opening = sign.replace("end ", "begin ", 1) if match["word"] == "end" else _CLOSING.get(sign, "")
        if match["dollar"] and any(other == sign for other, _ in opened):
            opening = sign
        if not opening:
            transparent = sign == "{" and _AS_IT_STANDS.search(text, max(0, match.start() - 40), match.start()) is not None
            opened.append((sign, -1 if transparent else match.start()))
            continue
        while any(other == opening for other, _ in opened):
            other, start = opened.pop()
            if start >= 0:
                found.append((start, match.end()))
            if other == opening:
                break
    return found
