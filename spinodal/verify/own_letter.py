r"""What formulas of a document say of the claimed quantity's own letter: ``s = \frac1P\langle\ln\mathcal N\rangle``.

A letter alone on the left of a claim is taken for the quantity. Where the document defines that letter by the logarithm of a
volume, by the growth of a volume (``\mathcal N\sim e^{Ns}``) or by another formula, it must be the same quantity; else
nothing is known of what is claimed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spinodal.spec.types import Spec
from spinodal.verify.asides import asides
from spinodal.verify.compare import TOLERANCE
from spinodal.verify.documents import Document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.left_sides import LeftSides
from spinodal.verify.letters import Letters
from spinodal.verify.meaning import used_names
from spinodal.verify.reference import NoStatesError, Points, Reference
from spinodal.verify.sizes import Stated, alone_on, symbols_in
from spinodal.verify.statements import Statement, parsed, symbol_at
from spinodal.verify.symbols import default_name, plain
from spinodal.verify.tree import Node, free_symbols, mul, sym

#: Letters of volumes and partition functions, and of entropies and free energies.
_VOLUMES = frozenset(["V", "Z", "Omega", "Xi", "W", "N"])
_FORMAL = frozenset(["N", "beta", "T", "k_B"])
_ENERGIES = frozenset("fF")
_SIZES = frozenset("NPDMK")
#: Quantities that are per weight.
_DENSITIES = frozenset(["free_entropy", "entropy", "energy", "complexity"])
_LOGARITHMIC = frozenset(["free_entropy", "entropy"])
_GROWS = frozenset(["sim", "approx", "asymp", "propto", "=", "to"])
_AVERAGES = {"langle": "rangle", "[": "]", "(": ")", "{": "}"}
_CLOSE = {"own": 0, "after": 0, "common": 1, "other": 2}
#: Where both sides of a definition are compared.
_VALUES = (0.37, 1.21, 0.83, 1.57)
#: A subscript that makes a volume that of another system.
_OTHER_SYSTEM = re.compile(r"=|\d+[NPDM]|^[PDM]$")


@dataclass(frozen=True)
class OwnLetter:
    """The letter of a claim's left side, and what else the document says of it.

    Attributes:
        document: the document.
        statement: the claim.
        quantity: what is claimed.
        letters: what the author's letters mean.
        named: reads sides that name the quantity.
        spec: the model's.
        reference: the model's side.
    """

    document: Document
    statement: Statement
    quantity: str
    letters: Letters
    named: LeftSides
    spec: Spec
    reference: Reference

    def refuse(self) -> None:
        """Refuse a claim whose letter the document defines otherwise.

        Raises:
            UnreadableError: at the definition, or at the volume on the left that is another system's.
        """
        keys = self._keys()
        volumes = set(self._volumes(self.statement.sides[0]))
        others = [Stated(s, "common", None, self.document.position(s.start)[0]) for s in asides(self.document)]
        found: list[tuple[Stated, str, int]] = []
        counted: list[Stated] = []
        for stated in [*self.letters.stated, *others]:
            said = self._of_volume(stated.statement, keys) if keys else None
            if said is not None:
                counted.append(stated)
                volumes |= {key for side in stated.statement.sides for key in self._volumes(side)}
                if said[0]:
                    found.append((stated, *said))
            elif keys and stated.scope != "other" and stated.condition is None:
                self._of_formula(stated, keys)
        nearest = min((_CLOSE[stated.scope] for stated in counted), default=0)
        for stated, reason, place in found:
            if _CLOSE[stated.scope] == nearest:
                raise self._refused(stated.line, reason, place)
        if self.spec.student.weights.is_counted and volumes:
            self._counted(volumes)

    def _refused(self, line: int, reason: str, place: int) -> UnreadableError:
        shown = " or ".join(plain(key) for key in sorted(self._keys())) or "the letter"
        cure = f"if {self.quantity} is meant all the same, say so: '% spinodal-symbols: {shown} = {self.quantity}'"
        return UnreadableError(
            f"line {line} says what {shown} is, and that is not the {self.quantity} ({reason}); {cure}", place
        )

    def _keys(self) -> set[str]:
        """The letters of the left side that nothing but the claim gives a meaning."""
        side = self.statement.sides[0]
        found = set()
        meaning = self.letters.meaning
        for key in symbols_in(side):
            own = default_name(key, (*meaning.names, *meaning.derived)) in (None, self.quantity)
            volume = any(key == volume for volume in self._volumes(side))
            if own and not volume and key not in meaning.author and key not in (*_FORMAL, "e"):
                found.add(key)
        return found

    # ---- volumes

    def _volumes(self, tokens: Sequence[Token]) -> Iterator[str]:
        r"""The keys of the volumes that logarithms are taken of.

        Raises:
            UnreadableError: for one that is another system's, ``Z_{2N}``, ``Z(\kappa=1)``.
        """
        if self.quantity not in _LOGARITHMIC or not tokens:
            return
        padded = [*tokens, Token("end", "", tokens[-1].end, tokens[-1].end)]
        for index, token in enumerate(tokens[:-1]):
            key, width = symbol_at(padded, index + 1) if token.text == "log" else (None, 0)
            if key is None or _base(key) not in _VOLUMES:
                continue
            place = tokens[index + 1].start
            inside = _bracket(tokens, index + 1 + width)
            if _OTHER_SYSTEM.search(key.partition("_")[2]) or not _is_list(inside):
                shown = self.document.text[place : tokens[min(index + width + len(inside) + 2, len(tokens) - 1)].end]
                cure = "write the letter of the volume alone, and values of parameters in the markup, as in kappa=1"
                raise UnreadableError(f"the logarithm is that of another system's volume, {shown}: {cure}", place)
            yield key

    def _counted(self, volumes: set[str]) -> None:
        """Refuse a volume of counted weights that the document defines with a normalisation.

        Raises:
            UnreadableError: at the definition.
        """
        for stated in self.letters.stated:
            statement = stated.statement
            header = statement.header()
            if header is None or header[0] not in volumes or statement.relations[0] != "=":
                continue
            for side in statement.sides[1:]:
                if _is_normalised(side):
                    reason = "configurations are counted here, and it is normalised there"
                    cure = f"name the {self.quantity} by a letter of its own"
                    raise UnreadableError(
                        f"line {stated.line} defines {plain(header[0])} with a factor: {reason}; {cure}", side[0].start
                    )

    def _of_volume(self, statement: Statement, keys: set[str]) -> tuple[str, int] | None:
        """Why what a statement says of the letter and a volume is not so; empty if it is so, None if it says nothing."""
        if self.quantity not in _LOGARITHMIC or not all(statement.sides):
            return None
        if set(statement.relations) <= {"=", "to", "approx"}:
            said = self._of_logarithm(statement, keys)
            if said is not None:
                return said
        return self._of_growth(statement, keys)

    def _of_logarithm(self, statement: Statement, keys: set[str]) -> tuple[str, int] | None:
        own = [k for k, side in enumerate(statement.sides) if symbols_in(side) & keys]
        logs = [
            k
            for k, side in enumerate(statement.sides)
            if k not in own and (self.named.names_quantity(statement, k) or _other_base(side))
        ]
        if not own or not logs:
            return None
        place = statement.sides[logs[0]][0].start
        strange = symbols_in(statement.sides[own[0]]) - keys - _FORMAL - {"P"}
        strange = {key for key in strange if default_name(key, self.letters.meaning.controls) is None}
        if strange:  # a relation with further quantities
            return None
        if any(_other_base(side) for side in statement.sides):
            return "the logarithm has a base of its own", place
        sides = [_without_limits(statement.sides[k]) for k in (*own, *logs)]
        reason = ""
        for each in self._multiples(sides):
            try:
                trees = [self._density(side) for side in each]
            except UnreadableError as error:
                reason = reason or error.reason.partition(";")[0]
                continue
            return ("" if _agree(trees) else "the two differ by a factor or a sign"), place
        return reason, place

    def _multiples(self, sides: Sequence[Sequence[Token]]) -> Iterator[Sequence[Sequence[Token]]]:
        """Both sides, and both per size or times beta: the model's quantity has neither, and the letter may have both."""
        yield sides
        yield [_times_beta(side) for side in sides]
        sized = any(t.text in ("N", "P") for t in (*sides[0], *self.statement.sides[0]))
        if sized:
            yield [_per_size(side) for side in sides]

    def _density(self, tokens: Sequence[Token]) -> Node:
        """A side in model names."""
        meaning = self.letters.meaning
        patterns = {"P": mul(sym("@alpha"), sym("@#N"))} if "alpha" in meaning.controls else {}
        author = {**patterns, **meaning.author}
        letters = replace(self.letters, meaning=replace(meaning, author=author))
        named = LeftSides(self.quantity, self.named.claimed, letters, self.named.loss, self.named.others)
        return named.read(Statement((tuple(tokens),), ()))[0]

    def _of_growth(self, statement: Statement, keys: set[str]) -> tuple[str, int] | None:
        r"""``\mathcal N\sim e^{Ns}``, ``Z = e^{-\beta N f}``."""
        if len(statement.sides) != 2 or statement.relations[0] not in _GROWS:
            return None
        left, right = statement.sides
        volume, averaged = _volume_alone(left)
        if volume is None:
            return None
        declared = replace(self.letters.declared, symbols=self.letters.declared.symbols | keys)
        try:
            letters = set(free_symbols(parsed(right, declared)))
        except UnreadableError:
            letters = {t.text for t in right}
        if not letters & {*keys, *(_base(key) for key in keys)}:
            return None
        place = right[0].start
        if averaged:
            return "the logarithm of an average is the annealed one", place
        logarithm = [_mark(place, "log", "command"), _mark(place, "("), *right, _mark(place, ")")]
        try:
            tree = self._density(_per_size(logarithm))
        except UnreadableError as error:
            return error.reason.partition(";")[0], place
        return ("" if _agree([sym(f"@{self.quantity}"), tree]) else "the two differ by a factor, a sign or a base"), place

    # ---- other formulas

    def _of_formula(self, stated: Stated, keys: set[str]) -> None:
        """Refuse another formula for the letter than that of the quantity.

        Raises:
            UnreadableError: there.
        """
        statement = stated.statement
        if set(statement.relations) != {"="} or not all(statement.sides) or alone_on(statement.sides[0]) not in keys:
            return
        for side in statement.sides[1:]:
            try:
                tree = self.letters.meaning.resolve(parsed(side, self.letters.declared))
            except UnreadableError:
                if self.quantity in _DENSITIES and (reason := self._not_per_weight(statement, side)):
                    raise self._refused(stated.line, reason, side[0].start) from None
                continue
            used = used_names(tree)
            if not used or self.quantity in used or not self._comparable(used):
                continue  # a number is a value at some place
            if self._differs(statement, tree):
                raise self._refused(stated.line, "another formula", side[0].start)

    def _comparable(self, used: Iterable[str]) -> bool:
        known = {*self.reference.order_parameters, *self.reference.parameters, *self.reference.all_names}
        return set(used) <= {*known, *self.reference.observables, "free_entropy"}

    def _differs(self, statement: Statement, tree: Node) -> bool:
        """Whether a formula for the letter differs from the quantity at states and at solved ones."""
        try:
            left = self.named.read(statement)[0]
            return not self._equal(left, tree, self.reference.free) and not self._equal(left, tree, self.reference.solved)
        except (UnreadableError, NoStatesError):
            return True

    def _equal(self, left: Node, right: Node, at: Points) -> bool:
        names = self.reference.names(at)
        for name in (used_names(left) | used_names(right)) - names.keys():
            names[name] = self.reference.quantity(name, at)
        evaluator = Evaluator(names, deadline=self.reference.deadline)
        return bool(np.allclose(evaluator(left), evaluator(right), rtol=TOLERANCE, atol=1e-10))

    def _not_per_weight(self, statement: Statement, side: Sequence[Token]) -> str:
        """Why a mean over sizes that is not read is no density per weight; empty if it may be one."""
        letters = _base(alone_on(statement.sides[0]) or "")
        negative = side[0].text == "-"
        rest = side[1:] if negative else side
        if rest and rest[0].text in _SIZES - {"N"} and rest[1:2] and rest[1].text == "^":
            return f"it is per {rest[0].text}"
        below = _denominator(rest)
        sizes = {t.text for t in below} & _SIZES
        if not sizes:
            return ""
        numbers = {t.text for t in below if t.kind == "number"} - {"1"}
        if negative and letters not in _ENERGIES:
            return "its sign"
        if numbers or sizes != {"N"}:
            return f"it is per {''.join(t.text for t in below if t.text not in '{}')}"
        return ""


def _base(key: str) -> str:
    return key.partition("_")[0].partition("^")[0].partition("@")[0]


def _mark(at: int, text: str, kind: str = "mark") -> Token:
    return Token(kind, text, at, at)


def _other_base(tokens: Sequence[Token]) -> bool:
    r"""Whether a side takes the logarithm of a volume to a base: ``\log_2\mathcal N``."""
    for index, token in enumerate(tokens[:-1]):
        if token.text == "log" and tokens[index + 1].text == "_":
            after = _after(tokens, index + 2)
            if after < len(tokens) and _base(symbol_at([*tokens, _mark(0, "", "end")], after)[0] or "") in _VOLUMES:
                return True
    return False


def _per_size(tokens: Sequence[Token]) -> tuple[Token, ...]:
    at = tokens[0].start
    front = [_mark(at, "frac", "command"), *(_mark(at, t, k) for t, k in (("{", "mark"), ("1", "number"), ("}", "mark")))]
    below = [_mark(at, "{"), _mark(at, "N", "letter"), _mark(at, "}")]
    inside = list(tokens) if tokens[0].text == "log" else [_mark(at, "("), *tokens, _mark(at, ")")]
    return (*front, *below, *inside)


def _times_beta(tokens: Sequence[Token]) -> list[Token]:
    at = tokens[0].start
    return [_mark(at, "beta", "command"), _mark(at, "*"), _mark(at, "("), *tokens, _mark(at, ")")]


def _without_limits(tokens: Sequence[Token]) -> list[Token]:
    r"""Without ``\lim_{N\to\infty}``: densities are meant in that limit."""
    found: list[Token] = []
    index = 0
    while index < len(tokens):
        stop = _after(tokens, index + 2) if [t.text for t in tokens[index : index + 2]] == ["lim", "_"] else index
        if stop > index and {t.text for t in tokens[index + 3 : stop - 1]} <= {*_SIZES, "to", "infty", ","}:
            index = stop
        else:
            found.append(tokens[index])
            index += 1
    return found


def _agree(trees: Sequence[Node]) -> bool:
    """Whether trees in model names have the same values wherever these are."""
    used = sorted(frozenset[str]().union(*(used_names(tree) for tree in trees)))
    names = {name: np.roll(np.array(_VALUES), k) for k, name in enumerate(used)}
    try:
        first, *others = (Evaluator(names)(tree) for tree in trees)
    except UnreadableError:
        return False
    return all(np.allclose(first, other, rtol=1e-10, atol=0.0) for other in others)


def _bracket(tokens: Sequence[Token], index: int) -> Sequence[Token]:
    """What stands in the bracket that opens at a place; nothing if none does."""
    if index >= len(tokens) or tokens[index].text not in ("(", "["):
        return ()
    closing, level = _AVERAGES[tokens[index].text], 0
    for stop in range(index, len(tokens)):
        level += (tokens[stop].text == tokens[index].text) - (tokens[stop].text == closing)
        if level == 0:
            return tokens[index + 1 : stop]
    return ()


def _is_list(tokens: Sequence[Token]) -> bool:
    """Whether tokens are symbols with commas between them, or none."""
    if not tokens:
        return True
    padded = [*tokens, Token("end", "", tokens[-1].end, tokens[-1].end)]
    index = 0
    while index < len(tokens):
        if tokens[index].text not in (",", ";", "|"):
            key, width = symbol_at(padded, index)
            if key is None:
                return False
            index += width
        else:
            index += 1
    return True


def _volume_alone(tokens: Sequence[Token]) -> tuple[str | None, bool]:
    """The key of a volume that stands alone, and whether in the brackets of an average."""
    averaged = False
    rest = list(tokens)
    while len(rest) > 2:
        if [t.text for t in rest[:2]] == ["mathbb", "E"] or rest[0].text == "bar":
            rest = rest[2:] if rest[0].text == "mathbb" else rest[1:]
        elif rest[0].text in _AVERAGES and rest[-1].text == _AVERAGES[rest[0].text]:
            rest = rest[1:-1]
        else:
            break
        averaged = True
    if not rest:
        return None, averaged
    key, width = symbol_at([*rest, Token("end", "", rest[-1].end, rest[-1].end)], 0)
    alone = key is not None and (width == len(rest) or len(_bracket(rest, width)) + width + 2 == len(rest))
    is_volume = key is not None and alone and _base(key) in _VOLUMES and key != "N"
    return (key if is_volume else None), averaged


def _denominator(tokens: Sequence[Token]) -> Sequence[Token]:
    """What stands below the line of a fraction that comes first."""
    if not tokens or tokens[0].text != "frac":
        return ()
    index = _after(tokens, 1)
    return tokens[index : _after(tokens, index)]


def _after(tokens: Sequence[Token], index: int) -> int:
    """The place after the group or the token at a place."""
    if index >= len(tokens) or tokens[index].text != "{":
        return index + 1
    level = 0
    for stop in range(index, len(tokens)):
        level += (tokens[stop].text == "{") - (tokens[stop].text == "}")
        if level == 0:
            return stop + 1
    return len(tokens)


def _is_normalised(tokens: Sequence[Token]) -> bool:
    r"""Whether a number stands before a sum over configurations, or to a power of N beside it: ``2^{-N}\sum_w``."""
    texts = [t.text for t in tokens]
    if not {"sum", "Tr"} & set(texts):
        return False
    first = next(k for k, text in enumerate(texts) if text in ("sum", "Tr"))
    if any(t.kind == "number" for t in tokens[:first] if t.text != "1") or _denominator(tokens):
        return True
    index = first
    while index + 1 < len(tokens):
        if tokens[index].text == "_":  # what is summed over, as in {\pm1}^N
            index = _after(tokens, index + 1)
            continue
        if tokens[index].kind == "number" and tokens[index + 1].text == "^":
            power = tokens[index + 2 : _after(tokens, index + 2)]
            if any(t.text == "N" for t in power):
                return True
        index += 1
    return False


__all__ = ["OwnLetter"]
