r"""What a document says of the ratios of sizes: ``\alpha = P/N``, ``P = \alpha N``, ``\alpha = P/D``, ``\alpha = 2P/N``.

The model's ``alpha`` is P/N and its ``alpha_T`` P/D, with P patterns, N weights and D inputs. A letter that looks
like one of them and that the document defines by sizes has the document's meaning; where that cannot be told, what
uses it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import islice

import numpy as np

from spinodal.verify.counts import LOWER
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.cursor import Declared
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.meaning import Definition
from spinodal.verify.statements import Statement, parsed, symbol_at
from spinodal.verify.symbols import default_name, plain
from spinodal.verify.tree import Node, free_symbols, mul, num, substituted, sym, walk

#: Patterns, weights, inputs.
SIZES = ("P", "N", "D")
_RATIOS = ("alpha", "alpha_T")
_RELATIONS = frozenset(["=", "approx", "to"])
_WHAT = {"alpha": "the number of patterns per weight", "alpha_T": "the number of patterns per input"}
_MAX_LEVELS, _MOST_NODES = 8, 500
#: Parameters and the size N at which formulas are compared: two sizes for the same ratios, and other ratios.
_PLACES = ((0.73, 1.31, 1.0), (0.73, 1.31, 3.0), (1.9, 0.57, 1.0))
#: How close a definition stands to a claim; the closest ones count.
_CLOSE = {"own": 0, "after": 0, "common": 1, "other": 2}


@dataclass(frozen=True)
class Stated:
    """A statement about sizes: where it stands, and whether that is close to the claim and unconditional.

    Attributes:
        statement: as it stands.
        scope: seen from the claim (own, after, common, other).
        condition: what is said beside it that is not read.
        line: of the document.
    """

    statement: Statement
    scope: str
    condition: tuple[str, int] | None
    line: int


@dataclass
class Ratios:
    """What letters stand for by what the document says of sizes.

    Attributes:
        author: keys that stand for something else than they look like.
        refused: keys that nothing is known of, with the reason and its place.
        read: the starts of the statements that have been understood.
        notes: by key, what is assumed of letters that stand for sizes.
        counted: the starts of the sides of the statements that have been understood.
    """

    author: dict[str, Node] = field(default_factory=dict)
    refused: dict[str, tuple[str, int]] = field(default_factory=dict)
    read: set[int] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)
    counted: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Found:
    """What one statement says of a ratio's letter: the tree, or why there is none; a note; a cure of its own."""

    stated: Stated
    tree: Node | None
    reason: str = ""
    note: str = ""
    cure: str = ""


class SizeReader:
    """Reads what a document says of sizes.

    Args:
        controls: the model's parameters.
        author: the symbol map; its letters have been declared and are no sizes.
        declared: how mathematics is parsed.
        definitions: the document's definitions of other letters.
    """

    def __init__(
        self,
        controls: Collection[str],
        author: Mapping[str, Node],
        declared: Declared,
        definitions: Mapping[str, Definition],
    ) -> None:
        self._ratios = tuple(name for name in _RATIOS if name in controls)
        self._author, self._declared, self._definitions = author, declared, definitions
        self._sizes = tuple(size for size in SIZES if size not in author)

    def read(self, statements: Iterable[Stated]) -> Ratios:
        """What all statements together say."""
        found: dict[str, list[_Found]] = {}
        result = Ratios()
        for stated in statements:
            for key, one in self._of(stated):
                found.setdefault(key, []).append(one)
                result.read.add(stated.statement.start)
                result.counted |= {side[0].start for side in stated.statement.sides if side}
        for key, several in found.items():
            self._decide(key, several, result)
        return result

    def in_units(self, body: Node) -> Node | None:
        """A body with its sizes in units of N, if they enter it through ratios alone; None if there are none."""
        inside = [size for size in self._sizes if size in free_symbols(body)]
        if not inside or not self._ratios:
            return None
        try:
            others = sorted(free_symbols(body).keys() - set(inside))
            first, second, _ = (self._value(body, place, others) for place in _PLACES)
        except UnreadableError:
            return None
        return self._united(body) if _close(first, second) else None

    def count(self, formulas: Iterable[tuple[Sequence[Token], int]], result: Ratios) -> None:
        r"""Refuse letters of ratios that a number of patterns contains which is not theirs: ``$2\alpha N$ patterns``.

        Args:
            formulas: parts of the document's formulas that contain sizes, with their lines.
            result: what the document's statements say; what is refused is added.
        """
        for tokens, line in formulas:
            if tokens[0].start in result.counted:
                continue
            try:
                tree = self._expanded(parsed(tokens, self._declared))
                letters = free_symbols(tree).keys()
                own = [key for key in letters if self._ratio(key) is not None and key not in result.refused]
                lower = [key for key in letters if key in LOWER and key not in self._definitions]
                if not own or any(key not in (*self._sizes, *lower) and self._ratio(key) is None for key in letters):
                    continue
                for key in lower:
                    tree = substituted(tree, key, sym("N"))
                for key in own:
                    tree = substituted(tree, key, result.author.get(key, sym(key)))
                values = [self._value(tree, place, ()) for place in _PLACES]
                known = [[self._value(sym(size), place, ()) for place in _PLACES] for size in SIZES]
            except UnreadableError:
                continue
            extensive = _close(values[1], 3.0 * values[0])
            if not extensive or any(all(map(_close, values, others)) for others in known):
                continue
            shown = " and ".join(plain(key) for key in sorted(own))
            key, cure = own[0], ""
            if len(own) == 1 and key not in result.author:
                cure = self._scaled(own[0], partial(self._is_size, tree, own[0]))
            reason = f"line {line} has a number of order {'N' if self._ratio(key) == 'alpha' else 'D'} that contains {shown}"
            reason += f" and is not the number of patterns as {shown} is read"
            result.refused |= dict.fromkeys(own, (f"{reason}; {cure or self._cure(key)}", tokens[0].start))

    def _is_size(self, tree: Node, key: str, scale: float) -> bool:
        """Whether a tree is the number of patterns if the letter of a ratio is a multiple of it."""
        scaled = substituted(tree, key, mul(num(Fraction(scale)), sym(key)))
        return all(_close(self._value(scaled, place, ()), self._value(sym("P"), place, ())) for place in _PLACES)

    def _cure(self, key: str) -> str:
        return f"say what is meant: '% spinodal-symbols: {plain(key)} = {self._ratio(key)}'"

    def _scaled(self, key: str, holds: Callable[[float], bool]) -> str:
        """The cure where a simple multiple of a ratio makes what is said of it true; empty if none does."""
        name = self._ratio(key)
        for text, scale in (("/2", 0.5), ("2*", 2.0), ("/4", 0.25), ("4*", 4.0)):
            if holds(scale):
                meant = f"{name}{text}" if text.startswith("/") else f"{text}{name}"
                return (
                    f"say what is meant: '% spinodal-symbols: {plain(key)} = {meant}' if it is so, "
                    f"'{plain(key)} = {name}' if {plain(key)} is {'P/N' if name == 'alpha' else 'P/D'} all the same"
                )
        return ""

    # ---- one statement

    def _of(self, stated: Stated) -> Iterable[tuple[str, _Found]]:
        statement = stated.statement
        keys = {key: name for key in _symbols(statement) if (name := self._ratio(key)) is not None}
        if not keys or statement.relations[0] not in _RELATIONS or not all(statement.sides[:2]):
            return
        left, right = (_without_limits(side) for side in statement.sides[:2])
        alone = [key for side in (left, right) if (key := alone_on(side)) in keys]
        if len(alone) == 1:
            key = alone[0]
            other = right if alone_on(left) == key else left
            one = self._definition(stated, key, keys[key], other)
            if one is not None:
                yield key, one
            return
        for key in keys if not alone else ():
            one = self._relation(stated, left, right)
            if one is not None:
                yield key, one

    def _ratio(self, key: str) -> str | None:
        return None if key in self._author else default_name(key, self._ratios)

    def _definition(self, stated: Stated, key: str, name: str, side: Sequence[Token]) -> _Found | None:
        try:
            tree = self._expanded(parsed(side, self._declared))
        except UnreadableError as error:
            if not any(t.text in self._sizes for t in side):
                return None
            return _Found(stated, None, f"{plain(key)} is defined by what cannot be read: {error.reason}")
        letters = free_symbols(tree).keys()
        if any(self._ratio(k) is not None for k in letters):
            return self._relation(stated, *stated.statement.sides[:2]) if letters & set(self._sizes) else None
        unknown = letters - set(self._sizes)
        sized = bool(letters & set(self._sizes))
        if not unknown and not sized:  # a value
            return None
        if unknown:
            if not sized and not (len(letters) > 1 and all(len(k) == 1 and k.isascii() for k in letters)):
                return None  # it says something of another letter
            return self._of_unknown(stated, key, name, tree)
        try:
            values = [self._value(tree, place, ()) for place in _PLACES]
        except UnreadableError as error:
            return _Found(stated, None, f"{plain(key)} is defined by what cannot be read: {error.reason}")
        if not _close(values[0], values[1]):
            return _Found(stated, None, f"{plain(key)} is defined by what depends on the sizes themselves, not on ratios")
        for other in (name, *self._ratios):
            if all(_close(v, self._value(sym(other), place, ())) for v, place in zip(values, _PLACES, strict=True)):
                return _Found(stated, sym(f"@{other}"))
        return _Found(stated, self._united(tree))

    def _of_unknown(self, stated: Stated, key: str, name: str, tree: Node) -> _Found:
        """``M/N``, ``n/d``: a ratio of two letters of which nothing else is known is what the model's own stands for."""
        if tree.kind == "div" and all(a.kind == "sym" for a in tree.args):
            above, below = (str(a.value) for a in tree.args)
            own = ("D",) if name == "alpha_T" else ("N",) if "alpha_T" in self._ratios else ("N", "D")
            if above not in ("N", "D") and (below not in self._sizes or below in own):
                note = f"{plain(key)} = {above}/{below} is taken for {_WHAT[name]}"
                return _Found(stated, sym(f"@{name}"), note=note)
        strange = ", ".join(plain(k) for k in sorted(free_symbols(tree).keys() - set(self._sizes)))
        which = "P patterns, N weights" + (", D inputs" if "alpha_T" in self._ratios else "")
        return _Found(
            stated, None, f"{plain(key)} is defined by sizes that are not known here ({strange}; known are {which})"
        )

    def _relation(self, stated: Stated, left: Sequence[Token], right: Sequence[Token]) -> _Found | None:
        r"""``P = \alpha N``: true in the model's own meaning, or no meaning at all."""
        if not any(t.text in self._sizes for t in (*left, *right)):
            return None
        try:
            # what the statement itself defines would make it true of itself
            trees = [self._expanded(parsed(side, self._declared), alone_on(left)) for side in (left, right)]
        except UnreadableError:
            return None
        letters = free_symbols(trees[0]).keys() | free_symbols(trees[1]).keys()
        strange = [k for k in letters if k not in self._sizes and self._ratio(k) is None]
        if len(strange) == 1 and len(strange[0]) == 1 and alone_on(left) is None and alone_on(right) is None:
            return self._of_strange(stated, trees, strange[0])
        if not letters & set(self._sizes) or any(k not in self._sizes and self._ratio(k) is None for k in letters):
            return None
        own = [key for key in letters if self._ratio(key) is not None]
        try:
            for place in _PLACES:
                first, second = (self._value(tree, place, ()) for tree in trees)
                if not _close(first, second):
                    shown = " and ".join(plain(k) for k in sorted(own))
                    reason = f"what is said of {shown} and the sizes is not so where alpha is P/N"
                    cure = self._scaled(own[0], lambda scale: self._agree(trees, own[0], scale)) if len(own) == 1 else ""
                    return _Found(stated, None, reason, cure=cure)
        except UnreadableError:
            return None
        return _Found(stated, None, note="true")

    def _agree(self, trees: Sequence[Node], key: str, scale: float) -> bool:
        """Whether both sides agree if the letter of a ratio is a multiple of it."""
        first, second = (substituted(tree, key, mul(num(Fraction(scale)), sym(key))) for tree in trees)
        return all(_close(self._value(first, place, ()), self._value(second, place, ())) for place in _PLACES)

    def _of_strange(self, stated: Stated, trees: Sequence[Node], letter: str) -> _Found | None:
        r"""``M/N = 2\alpha``: a letter of which nothing else is known would have to be a size."""
        try:
            for size in SIZES:
                first, second = (substituted(tree, letter, sym(size)) for tree in trees)
                if all(_close(self._value(first, place, ()), self._value(second, place, ())) for place in _PLACES):
                    return None
        except UnreadableError:
            return None
        return _Found(stated, None, f"{plain(letter)} is no size of which this is so where alpha is P/N")

    # ---- several statements

    def _decide(self, key: str, several: Sequence[_Found], result: Ratios) -> None:
        name = self._ratio(key)
        assert name is not None
        own = sym(f"@{name}")
        nearest = min(_CLOSE[one.stated.scope] for one in several)
        counted = [one for one in several if _CLOSE[one.stated.scope] == nearest]
        trees = [own if one.note == "true" else one.tree for one in counted]
        cure = self._cure(key)
        for one, tree in zip(counted, trees, strict=True):
            place = one.stated.statement.start
            if tree is None:
                result.refused[key] = f"{one.reason} (line {one.stated.line}); {one.cure or cure}", place
                return
            if one.stated.condition is not None and tree != own:
                reason = f"beside the definition of {plain(key)} (line {one.stated.line}) stands {one.stated.condition[0]!r}"
                result.refused[key] = f"{reason}, which is not read; {cure}", place
                return
            if not self._same(tree, trees[0]):
                lines = sorted({counted[0].stated.line, one.stated.line})
                where = f"lines {lines[0]} and {lines[-1]}" if len(lines) > 1 else f"line {lines[0]}"
                result.refused[key] = f"{plain(key)} is defined twice, differently ({where}); {cure}", place
                return
        meant = trees[0]
        assert meant is not None
        if meant != own:
            result.author[key] = meant
        note = next((one.note for one in counted if one.note not in ("", "true")), "")
        if note:
            result.notes[key] = note

    def _same(self, one: Node | None, other: Node | None) -> bool:
        if one is None or other is None:
            return one is other
        places = [{"alpha": place[0], "alpha_T": place[1]} for place in _PLACES]
        return all(_close(_evaluated(one, at), _evaluated(other, at)) for at in places)

    # ---- values

    def _expanded(self, tree: Node, kept: str | None = None) -> Node:
        """A tree with the letters that the document defines written out, but those of sizes and ratios and one more."""
        for _ in range(_MAX_LEVELS):
            known = [
                (key, definition.body)
                for key in free_symbols(tree)
                if key not in (*SIZES, kept)
                and self._ratio(key) is None
                and (definition := self._definitions.get(key)) is not None
                and definition.parameters is None
                and definition.body is not None
                and free_symbols(definition.body)
            ]
            if not known:
                return tree
            for key, body in known:
                tree = substituted(tree, key, body)
                if sum(1 for _ in islice(walk(tree), _MOST_NODES + 1)) > _MOST_NODES:
                    raise UnreadableError("no ratio of sizes is that long", tree.start)
        raise UnreadableError("definitions are nested too deeply", tree.start)

    def _value(self, tree: Node, place: tuple[float, float, float], others: Sequence[str]) -> float:
        alpha, per_input, size = place
        values = {"P": alpha * size, "N": size, "D": alpha * size / per_input if "alpha_T" in self._ratios else size}
        own = {"alpha": alpha, "alpha_T": per_input}
        for key in free_symbols(tree):
            if (name := self._ratio(key)) is not None:
                values[key] = own[name]
        values |= {key: 0.3 + 0.17 * k for k, key in enumerate(others) if key not in values}
        return _evaluated(tree, values)

    def _united(self, tree: Node) -> Node:
        per_input = Node("div", None, (sym("@alpha"), sym("@alpha_T"))) if "alpha_T" in self._ratios else num(1)
        for size, value in (("P", sym("@alpha")), ("N", num(1)), ("D", per_input)):
            if size in self._sizes:
                tree = substituted(tree, size, value)
        return tree


def _symbols(statement: Statement) -> set[str]:
    return {key for side in statement.sides[:2] for key in symbols_in(side)}


def symbols_in(side: Sequence[Token]) -> set[str]:
    """The keys of the symbols of a side."""
    if not side:
        return set()
    padded = [*side, Token("end", "", side[-1].end, side[-1].end)]
    found, index = set(), 0
    while index < len(side):
        key, width = symbol_at(padded, index)
        if key is not None:
            found.add(key)
        index += width
    return found


def alone_on(side: Sequence[Token]) -> str | None:
    """The key of the only symbol of a side; None if there is more."""
    if not side:
        return None
    key, width = symbol_at([*side, Token("end", "", side[-1].end, side[-1].end)], 0)
    return key if width == len(side) else None


def _without_limits(side: Sequence[Token]) -> Sequence[Token]:
    r"""Without ``\lim_{N\to\infty}`` at the front: ratios are meant in that limit."""
    if len(side) < 3 or [t.text for t in side[:3]] != ["lim", "_", "{"]:
        return side
    level = 0
    for stop in range(2, len(side)):
        level += (side[stop].text == "{") - (side[stop].text == "}")
        if level == 0:
            return side[stop + 1 :] if {t.text for t in side[3:stop]} <= {*SIZES, "M", "to", "infty", ","} else side
    return side


def _evaluated(tree: Node, values: Mapping[str, float]) -> float:
    if any(node.kind in ("call", "diff") for node in walk(tree)):
        raise UnreadableError("it is no ratio of sizes", tree.start)
    for key in free_symbols(tree):
        if not key.startswith("@"):
            tree = substituted(tree, key, sym(f"@{key}"))
    missing = [key for key in free_symbols(tree) if key[1:] not in values]
    if missing:
        raise UnreadableError(f"the symbol {missing[0][1:]} has no meaning", tree.start)
    return float(Evaluator({name: np.array([value]) for name, value in values.items()})(tree)[0])


def _close(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-10 * max(abs(one), abs(other))
