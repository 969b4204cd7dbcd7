r"""What a left side says about the quantity that is claimed: its letter, and every sign and factor that stand before it.

A letter alone is the author's name of the quantity. The free entropy has conventions besides: ``\phi``, ``S``, ``G`` are the
free entropy, ``f`` and ``F`` are free energies, minus it divided by beta, and ``\frac{1}{N}\langle\ln Z\rangle`` is what it
is defined as. What else stands on a left side is evaluated as it stands, or refused.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from spinodal.spec.types import Loss
from spinodal.verify.conventions import other_meaning, refusal
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.cursor import Declared
from spinodal.verify.grammar.functions import LETTER_FUNCTIONS
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.letters import Letters
from spinodal.verify.meaning import used_names
from spinodal.verify.replicas import limit, without_limit
from spinodal.verify.statements import Statement, parsed, symbol_at
from spinodal.verify.symbol_maps import temperature_of
from spinodal.verify.symbols import default_name, plain
from spinodal.verify.tree import Node, free_symbols, mul, neg, num, sym

#: Letters of the free entropy, and of the free energy; scripts and fonts of the first kind do not matter.
_ENTROPIES = frozenset(["phi", "varphi", "Phi", "s", "S", "G"])
_ENERGIES = frozenset(["f", "F"])
#: What a logarithm is taken of where it is the free entropy: volumes and partition functions.
_VOLUMES = frozenset(["V", "Z", "Omega", "Xi", "W", "N"])
#: Quantities that the logarithm of the volume stands for.
_LOGARITHMIC = frozenset(["free_entropy", "entropy"])
#: The word that stands for the logarithm of the volume while a side is parsed; no document can contain it.
_LOG_VOLUME = "log of the volume"
#: The same for the average of its power, with the letter of the power behind it.
_MOMENT = "average of the volume to the power "
_SIZE = "N"
_PATTERNS = "P"
#: Letters that a left side may contain without its value depending on them.
_FORMAL = (_SIZE, _PATTERNS, "beta", "T")

_OPENING = {"(": ")", "[": "]", "{": "}"}


class LeftSides:
    """Reads the sides that name a quantity.

    Args:
        quantity: its name.
        claimed: as the markup calls it.
        letters: what the author's letters mean.
        loss: the model's; its temperature tells a free energy from a free entropy.
        others: the model's quantities, whose names in words are theirs.
    """

    def __init__(
        self, quantity: str, claimed: str, letters: Letters, loss: Loss, others: Collection[str] = frozenset()
    ) -> None:
        self.quantity, self.claimed, self.letters, self.loss, self.others = quantity, claimed, letters, loss, others

    @property
    def _itself(self) -> Node:
        return sym(f"@{self.quantity}")

    def names_quantity(self, statement: Statement, index: int) -> bool:
        """Whether a further side of a chain is the logarithm of a volume, which has no other meaning."""
        if self.quantity not in _LOGARITHMIC:
            return False
        texts = {t.text for t in self._with_volume(statement.sides[index])}
        volume = any(text.startswith((_LOG_VOLUME, _MOMENT)) for text in texts)
        return volume and not texts & {"int", "sum"}  # under an integral it is a function

    def read(self, statement: Statement, index: int = 0) -> tuple[Node, tuple[str, ...]]:
        """A side in bound variables and model names, the quantity's among them; and what was assumed.

        Raises:
            UnreadableError: if its letters or its form cannot be known.
        """
        tokens = self._prepared(statement.sides[index])
        if not tokens:
            raise UnreadableError("a side of the equation is empty", statement.start)
        first, last = tokens[0].start, tokens[-1].end
        try:
            tree = self._without_replicas(parsed(tokens, self._declared(tokens)))
        except UnreadableError as error:
            raise UnreadableError(f"the left side is not read ({error.reason}); {self._cure()}", error.offset) from None
        if tree.kind == "sym" and self._is_its_letter(str(tree.value), first):
            # a letter alone is what the author calls the quantity, whatever else the document says of it
            known = self.quantity not in _LOGARITHMIC or _base(str(tree.value)) in _ENTROPIES
            notes = () if known else (f"{plain(str(tree.value))} is taken for the {self.claimed}",)
            return _placed(self._itself, first, last), notes
        unknown = self._unknown(tree)
        size = _SIZE in unknown
        meant: dict[str, Node] = {}
        strange = [key for key in unknown if key not in _FORMAL and not self._conventional(key, size, meant)]
        named = bool(meant) or any(self.letters.meaning.name_of(k) == self.quantity for k in free_symbols(tree))
        lone = len(strange) == 1 and not named and self.quantity not in _LOGARITHMIC
        if lone and not self._other_meaning(strange[0]):
            key = strange.pop()
            # beside the size a capital is the energy of the whole system
            whole = size and self.quantity == "energy" and _base(key).isupper()
            meant[key] = mul(sym("@#N"), self._itself) if whole else self._itself
        if len(meant) > 1:
            several = " and ".join(plain(key) for key in meant if key != _LOG_VOLUME)
            raise UnreadableError(f"{several} cannot all be the {self.claimed}; {self._cure()}", first)
        if strange:
            reason = f"the left side is not read: the symbol {plain(strange[0])} has no meaning"
            raise UnreadableError(f"{reason}; {self._cure()}", first)
        author = {k: _placed(_substituted(v, {"@#beta": self._beta()}), first, last) for k, v in meant.items()}
        formal = {"beta": sym("@#beta"), "T": Node("div", None, (num(1), sym("@#beta"))), _SIZE: sym("@#N")}
        if "alpha" in self.letters.meaning.controls:
            formal[_PATTERNS] = mul(sym("@alpha"), sym("@#N"))
        if self._temperature is not None:
            formal |= {"beta": self._beta(), "T": Node("div", None, (num(1), self._beta()))}
        author |= {key: tree for key, tree in formal.items() if key in unknown}
        # a definition of the letter elsewhere says how the author computes it, not what it is
        meaning = replace(self.letters.meaning, author={**self.letters.meaning.author, **author})
        return self._without_formal(meaning.resolve(tree), first), ()

    @staticmethod
    def _without_replicas(tree: Node) -> Node:
        moment = next((key for key in free_symbols(tree) if key.startswith(_MOMENT)), None)
        return tree if moment is None else limit(tree, moment.removeprefix(_MOMENT), moment, _LOG_VOLUME)

    def _is_its_letter(self, key: str, place: int) -> bool:
        meaning = self.letters.meaning
        if key in meaning.author or meaning.name_of(key) is not None or key == _LOG_VOLUME:
            return False
        if key != self.quantity and key in self.others:
            words = key.replace("_", " ")
            raise UnreadableError(f"the left side names the {words}, and the claim is about the {self.claimed}", place)
        if what := self._other_meaning(key):
            raise UnreadableError(refusal(key, what, self.quantity), place)
        return not (self.quantity == "free_entropy" and _base(key) in _ENERGIES)

    def _other_meaning(self, key: str) -> str:
        return other_meaning(key, self.quantity, self.letters.meaning.derived, is_equation=False)

    def _cure(self) -> str:
        if self.quantity in _LOGARITHMIC:
            return (
                f"write its letter alone, -\\beta f or \\frac{{1}}{{N}}\\langle\\ln Z\\rangle, or declare its letter as in "
                f"'% spinodal-symbols: f = {self.quantity}'"
            )
        return f"name the {self.claimed} by a letter, or declare one as in '% spinodal-symbols: x = {self.quantity}'"

    def _declared(self, tokens: Sequence[Token]) -> Declared:
        declared = self.letters.declared
        functions = frozenset(key for key in declared.functions if key.split("_")[0] not in _ENTROPIES | _ENERGIES)
        key = symbol_at([*tokens, Token("end", "", tokens[-1].end, tokens[-1].end)], 0)[0]
        mark = key.partition("^")[2] if key is not None else ""
        # a superscript of words is part of a name (S^RS); e^S and phi^m are powers
        named = {key} if key is not None and mark and key[0] != "e" and self.letters.meaning.name_of(mark) is None else set()
        return replace(declared, symbols=declared.symbols | named, functions=functions)

    def _unknown(self, tree: Node) -> list[str]:
        """Letters without a meaning, conventions of the free entropy included."""
        found = []
        for key, node in free_symbols(tree).items():
            base = _base(key)
            if self.quantity in _LOGARITHMIC and (base in _ENTROPIES | _ENERGIES or key in (_LOG_VOLUME, *_FORMAL)):
                if key not in self.letters.meaning.author and self.letters.meaning.name_of(key) is None:
                    found.append(key)
                continue
            try:
                self.letters.meaning.resolve(node)
            except UnreadableError:
                found.append(key)
        return found

    def _conventional(self, key: str, size: bool, meant: dict[str, Node]) -> bool:
        """Give a letter its conventional meaning; where the size stands beside it, a capital is extensive."""
        if self.quantity not in _LOGARITHMIC:
            return False
        base = _base(key)
        if key == _LOG_VOLUME:
            meant[key] = mul(sym("@#N"), self._itself)
        elif base in _ENTROPIES or (base in _ENERGIES and self.quantity == "free_entropy"):
            found = self._itself if base in _ENTROPIES else neg(Node("div", None, (self._itself, sym("@#beta"))))
            meant[key] = mul(sym("@#N"), found) if size and base.isupper() else found
        else:
            return False
        return True

    @property
    def _temperature(self) -> Node | None:
        """The model's temperature, if it has one that is not 0."""
        return temperature_of(self.loss)

    def _beta(self) -> Node:
        """The inverse temperature: the model's; 1 for its ground state, whose free entropy is T phi; or any number."""
        if self._temperature is not None:
            return Node("div", None, (num(1), self._temperature))
        return sym("@#beta") if self.loss.temperature is None else num(1)

    def _without_formal(self, tree: Node, offset: int) -> Node:
        """The tree with sizes and temperatures that no model has set to 1, if it does not depend on them.

        A logarithm that stands for an intensive quantity without its 1/N, or a free energy without its beta, does.
        """
        used = used_names(tree)
        formal = {name for name in used if name.startswith("#")}
        if not formal:
            return tree
        generator = np.random.default_rng(7)
        names = {name: np.full(2, generator.uniform(0.2, 0.8)) for name in sorted(used - formal)}
        for name in sorted(formal):
            one, other = Evaluator({**names, **{f: np.array([1.0, 1.0]) for f in formal}, name: np.array([2.0, 3.0])})(tree)
            if abs(one - other) > 1e-12 * (abs(one) + abs(other)):
                reason = "a free energy is minus the free entropy divided by beta, and the model has no temperature"
                if name == "#N":
                    reason = "the left side depends on the size N: it is no density"
                elif self.loss.temperature is not None:
                    reason = "at temperature 0 the free entropy is compared as T phi, which is -f, without beta"
                raise UnreadableError(f"{reason}; {self._cure()}", offset)
        return _substituted(tree, {f"@{name}": num(1) for name in formal})

    # ---- tokens

    def _prepared(self, tokens: Sequence[Token]) -> list[Token]:
        """A side without limits and arguments of its letters, the logarithm of the volume in one word."""
        return self._without_arguments(self._with_volume(tokens))

    def _with_volume(self, tokens: Sequence[Token]) -> list[Token]:
        """A side without limits, the logarithm of the volume in one word."""
        found = _without_limits(list(tokens))
        if self.quantity in _LOGARITHMIC:
            written_out = [
                k for k, d in self.letters.meaning.definitions.items() if d.parameters is not None and d.body is not None
            ]
            found = _with_moment(_with_log_volume(found, written_out), written_out)
        return found

    def _without_arguments(self, tokens: list[Token]) -> list[Token]:
        r"""``f(q, \hat q)`` as ``f``: brackets of symbols after a letter that is not the model's.

        Raises:
            UnreadableError: for a letter at several points, or at one that is not that of the other side.
        """
        found: list[Token] = []
        points: dict[str, list[str]] = {}
        index = 0
        padded = [*tokens, Token("end", "", tokens[-1].end, tokens[-1].end)] if tokens else []
        while index < len(tokens):
            key, width = symbol_at(padded, index)
            found += tokens[index : index + width]
            index += width
            if key is None or key == "e" or self.letters.meaning.name_of(key) not in (None, self.quantity):
                continue
            stop = _closing(tokens, index)
            inside = tokens[index + 1 : stop or index]
            if stop is not None and _is_list_of_symbols(inside):
                said = [token.text for token in inside]
                if points.setdefault(key, said) != said:
                    raise UnreadableError(f"{plain(key)} at several points is not read; {self._cure()}", inside[0].start)
                index = stop + 1
            elif stop is not None and self._is_point(key, inside):
                reason = f"what stands in brackets after {plain(key)} may be where it is taken, or a factor"
                raise UnreadableError(f"{reason}: write \\cdot for a product, or {self._cure()}", inside[0].start)
        return found

    def _is_point(self, key: str, inside: Sequence[Token]) -> bool:
        """Whether brackets after a letter hold a point: a formula of no order parameter."""
        declared, meaning = self.letters.declared, self.letters.meaning
        known = key in ("pi", *_FORMAL, *meaning.definitions) or default_name(key, meaning.derived) not in (
            None,
            self.quantity,
        )
        if not inside or known or key in declared.functions or (key in LETTER_FUNCTIONS and len(inside) > 1):
            return False
        padded = [*inside, Token("end", "", inside[-1].end, inside[-1].end)]
        keys = [symbol_at(padded, place)[0] for place in range(len(inside))]
        return all(key is None or meaning.name_of(key) in (None, *meaning.controls) for key in keys)


def _base(key: str) -> str:
    base = key.partition("_")[0].partition("^")[0]
    letter, mark, font = base.partition("@")
    # a calligraphic F is a free energy here and a free entropy there
    return letter if not mark or (font == "cal" and letter in ("G", "S")) else base


def _substituted(tree: Node, values: dict[str, Node]) -> Node:
    if tree.kind == "sym":
        return values.get(str(tree.value), tree)
    return tree.with_args(tuple(_substituted(a, values) for a in tree.args))


def _placed(tree: Node, start: int, end: int) -> Node:
    return replace(tree, args=tuple(_placed(a, start, end) for a in tree.args), start=start, end=end)


def _closing(tokens: Sequence[Token], index: int) -> int | None:
    """The index of the bracket that closes the one at a place, if one opens there."""
    if index >= len(tokens) or tokens[index].kind != "mark" or tokens[index].text not in _OPENING:
        return None
    opening, level = tokens[index].text, 0
    for stop in range(index, len(tokens)):
        if tokens[stop].kind == "mark":
            level += (tokens[stop].text == opening) - (tokens[stop].text == _OPENING[opening])
        if level == 0:
            return stop
    return None


def _is_list_of_symbols(tokens: Sequence[Token]) -> bool:
    index, expected = 0, True
    while index < len(tokens):
        token = tokens[index]
        if not expected and token.kind == "mark" and token.text in (",", ";", "|"):
            expected, index = True, index + 1
            continue
        key, width = symbol_at([*tokens, Token("end", "", token.end, token.end)], index)
        if key is None or not expected:
            return False
        expected, index = False, index + width
    return bool(tokens) and not expected


def _without_limits(tokens: list[Token]) -> list[Token]:
    r"""Without ``\lim_{N\to\infty}`` at the front: densities are meant in that limit."""
    if not tokens or tokens[0].text != "lim":
        return tokens
    if len(tokens) > 1 and tokens[1].text == "_":
        stop = _closing(tokens, 2)
        inside = {t.text for t in tokens[3 : stop or 3]}
        if stop is not None and inside <= {_SIZE, "to", "infty", "P", "D", ",", "K"}:
            return tokens[stop + 1 :]
    return tokens


def _with_log_volume(tokens: list[Token], written_out: Collection[str]) -> list[Token]:
    r"""``\langle\ln V\rangle``, ``\mathbb{E}_\xi \ln Z``, ``\overline{\ln Z}``, ``\ln\Omega`` as one word.

    Functions that the document writes out (``\mathcal{Z}(x) = ..``) are no volumes.
    """
    for at, token in enumerate(tokens):
        if token.kind not in ("command", "word") or token.text != "log" or at + 1 >= len(tokens):
            continue
        padded = [*tokens, Token("end", "", tokens[-1].end, tokens[-1].end)]
        key, width = symbol_at(padded, at + 1)
        if key is None or key in written_out or key.partition("_")[0].partition("^")[0].partition("@")[0] not in _VOLUMES:
            continue
        stop = at + 1 + width
        bracket = _closing(tokens, stop)
        if bracket is not None and tokens[stop].text in "([":
            stop = bracket + 1
        start, stop = _averaged(tokens, at, stop)
        word = Token("word", _LOG_VOLUME, tokens[start].start, tokens[stop - 1].end)
        return [*tokens[:start], word, *tokens[stop:]]
    return tokens


def _with_moment(tokens: list[Token], written_out: Collection[str]) -> list[Token]:
    r"""``\lim_{n\to0}`` of a side with ``\langle V^n\rangle``, the average as one word; the limit is taken later."""
    found, replicas = without_limit(tokens)
    for at in range(len(found) if replicas else 0):
        key, width = symbol_at([*found, Token("end", "", found[-1].end, found[-1].end)], at)
        base, _, power = (key or "").partition("^")
        if power == replicas and base not in written_out and base.partition("_")[0].partition("@")[0] in _VOLUMES:
            start, stop = _averaged(found, at, at + width)
            word = Token("word", _MOMENT + replicas, found[start].start, found[stop - 1].end)
            return [*found[:start], word, *found[stop:]]
    return tokens


def _averaged(tokens: list[Token], start: int, stop: int) -> tuple[int, int]:
    """The range with the signs of averages around it: brackets of any kind, bars, expectations."""
    pairs = {"langle": "rangle", "(": ")", "[": "]", "{": "}"}
    while True:
        before = tokens[start - 1].text if start > 0 else ""
        if before in pairs and stop < len(tokens) and tokens[stop].text == pairs[before]:
            start, stop = start - 1, _after_scripts(tokens, stop + 1, before)
            if start > 0 and before == "{" and tokens[start - 1].text == "bar":
                start -= 1
            continue
        front = _expectation_before(tokens, start)
        if front == start:
            return start, stop
        start = front


def _after_scripts(tokens: list[Token], stop: int, bracket: str) -> int:
    """Past the subscript that says what is averaged over; no power, which would be a function of the average."""
    if bracket != "{" and stop < len(tokens) and tokens[stop].text == "_":
        end = _closing(tokens, stop + 1)
        return stop + 2 if end is None else end + 1
    return stop


def _expectation_before(tokens: list[Token], start: int) -> int:
    r"""Where an ``\mathbb{E}_{..}`` that ends at a place begins; the place itself if there is none."""
    at = start
    if at >= 2 and tokens[at - 1].text == "}":
        level = 0
        for index in range(at - 1, -1, -1):
            level += (tokens[index].text == "}") - (tokens[index].text == "{")
            if level == 0:
                if index > 0 and tokens[index - 1].text == "_":
                    at = index - 1
                break
    elif at >= 2 and tokens[at - 2].text == "_":
        at -= 2
    if at >= 4 and [t.text for t in tokens[at - 4 : at]] == ["mathbb", "{", "E", "}"]:
        return at - 4
    if at >= 2 and [t.text for t in tokens[at - 2 : at]] == ["mathbb", "E"]:
        return at - 2
    if at >= 1 and tokens[at - 1].text == "E" and tokens[at - 1].kind == "word":
        return at - 1
    return start
