"""The tokens that mathematics is read in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Token:
    r"""A token.

    Its kind is ``command`` (``\frac`` without its backslash), ``word``, ``letter``, ``number``, ``mark``, ``prose``,
    ``row`` (a line break), ``fence`` (\left and \right, until they are matched) or ``end``.
    """

    kind: str
    text: str
    start: int
    end: int
