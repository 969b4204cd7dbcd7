r"""What a document writes about a special point: its letters, the parameters in brackets, and the conditions beside it.

``\alpha_c``, ``\alpha^*``, ``q_c`` are a parameter's or an order parameter's value at the point. ``\alpha_c(\kappa=0.5)``
says where the point is, ``\alpha_c(\kappa)`` that the claim is made for every margin.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.letters import Letters
from spinodal.verify.meaning import used_names
from spinodal.verify.statements import Statement, parsed, split, symbol_alone, symbol_at
from spinodal.verify.symbols import default_name
from spinodal.verify.tree import Node, free_symbols, sym

_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class PointClaim:
    r"""A statement about a special point: its sides in bound variables and model names.

    Attributes:
        statement: as it stands.
        sides: resolved.
        uncertainties: of each side that is a number with one, ``0.83 \pm 0.01``; else None.
    """

    statement: Statement
    sides: tuple[Node, ...]
    uncertainties: tuple[float | None, ...]


class PointReader:
    """Reads the statements about one special point, and collects the parameters that they give.

    Args:
        letters: what the author's letters mean.
        parameters: the model's, the one that is solved for first.
        order_parameters: the model's.
        given: parameters that the markup gives.

    Attributes:
        settings: parameters with the values that the document gives them beside the claim.
        varied: parameters that the claim is made for all values of.
    """

    def __init__(
        self, letters: Letters, parameters: Sequence[str], order_parameters: Collection[str], given: Mapping[str, float]
    ) -> None:
        self._letters, self._given = letters, given
        self._solved_for, self._others = parameters[0], tuple(parameters[1:])
        self._known = (*parameters, *order_parameters)
        self.settings: dict[str, float] = {}
        self.varied: set[str] = set()

    def name_at_point(self, key: str) -> str | None:
        """The name whose value at the point a decorated letter stands for (``alpha_c``), if it is one."""
        meaning = self._letters.meaning
        if key in meaning.author or default_name(key, (*self._known, *meaning.derived)) is not None:
            return None
        base = key.partition("_")[0].partition("^")[0]
        return meaning.name_of(base) if base != key else None

    def condition(self, statement: Statement) -> bool:
        r"""Whether a statement only says where the point is (``\kappa = 0.5``), which is then taken note of."""
        if statement.relations != ("=",):
            return False
        key = _lone(statement.sides[0])
        name = self._letters.meaning.name_of(key) if key is not None else None
        if name not in self._others:
            return False
        assert name is not None
        value = self._constant(statement.parse(1, self._letters.declared))
        if value is None:
            return False
        self._set(name, value, statement.start)
        return True

    def read(self, statement: Statement) -> PointClaim:
        """A statement with its letters resolved, and what its brackets and its remark say taken note of.

        Raises:
            UnreadableError: with the reason and the place.
        """
        if statement.remark and not self.conditions(statement.remark):
            raise UnreadableError(
                "the remark in brackets is not read: nothing is known of what it says", statement.remark[0].start
            )
        found = [_with_uncertainty(side) for side in statement.sides]
        sides = tuple(self._side(side, statement) for side, _ in found)
        return PointClaim(statement, sides, tuple(uncertainty for _, uncertainty in found))

    def _side(self, tokens: Sequence[Token], statement: Statement) -> Node:
        if not tokens:
            raise UnreadableError("a side of the equation is empty", statement.start)
        end = Token("end", "", tokens[-1].end, tokens[-1].end)
        replaced, names = self._without_brackets([*tokens, end])
        tree = parsed(replaced[:-1], self._letters.declared)
        return self._letters.meaning.resolve(_renamed(tree, names))

    def _without_brackets(self, tokens: list[Token]) -> tuple[list[Token], dict[str, str]]:
        """The tokens with every letter of the point as one word, and what the words stand for."""
        found: list[Token] = []
        names: dict[str, str] = {}
        index = 0
        while index < len(tokens):
            key, width = symbol_at(tokens, index)
            name = self.name_at_point(key) if key else None
            plain = self._letters.meaning.name_of(key) if key and name is None else None
            after = index + width
            if name is None and plain != self._solved_for:
                found.append(tokens[index])
                index += 1
                continue
            assert key is not None
            if "=" in key:
                raise UnreadableError(
                    "a condition in a subscript is not read: write it in brackets or in the markup", tokens[index].start
                )
            bracket = self._bracket(tokens, after)
            if bracket is not None:
                inside, stop = bracket
                if self._arguments(inside):
                    after = stop
                elif name is not None:
                    raise UnreadableError(
                        f"the bracket after {key} may be an argument or a factor: write \\cdot before a factor, "
                        "and an argument as (\\kappa=0)",
                        tokens[after].start,
                    )
            if name is None:
                found += tokens[index : index + width]
            else:
                word = f"{name} of the point"
                names[word] = name
                found.append(Token("word", word, tokens[index].start, tokens[index + width - 1].end))
            index = after
        return found, names

    def _bracket(self, tokens: list[Token], index: int) -> tuple[list[Token], int] | None:
        """What stands in the bracket that opens here, and the place after it; also ``|_{..}``."""
        if tokens[index].kind == "mark" and tokens[index].text == "|" and tokens[index + 1].text == "_":
            index += 2
        elif not (tokens[index].kind == "mark" and tokens[index].text in ("(", "[")):
            return None
        opening = tokens[index].text
        if opening not in _CLOSING:
            return None
        level = 0
        for stop in range(index, len(tokens)):
            level += (tokens[stop].text == opening) - (tokens[stop].text == _CLOSING[opening])
            if level == 0:
                return tokens[index + 1 : stop], stop + 1
        return None

    def _arguments(self, inside: list[Token]) -> bool:
        """Take note of a bracket's conditions, names or number; whether it is made of them."""
        if not inside:
            return False
        if any(t.kind == "mark" and t.text == "=" for t in inside):
            return self.conditions(inside)
        parts = _listed(inside)
        names = [self._letters.meaning.name_of(key) if (key := _lone(part)) else None for part in parts]
        if all(name in (self._solved_for, *self._others) for name in names):
            self.varied |= {name for name in names if name is not None}
            return True
        if len(parts) == 1 and len(self._others) == 1:
            value = self._value(parts[0])
            if value is not None:
                self._set(self._others[0], value, inside[0].start)
                return True
        return False

    def conditions(self, tokens: Sequence[Token]) -> bool:
        """Whether tokens are conditions and nothing else, which are then taken note of."""
        statements = split(tokens)
        return bool(statements) and len(statements) == len(_listed(list(tokens))) and all(map(self.condition, statements))

    def _value(self, tokens: list[Token]) -> float | None:
        try:
            return self._constant(parsed(tokens, self._letters.declared))
        except UnreadableError:
            return None

    def _constant(self, tree: Node) -> float | None:
        try:
            resolved = self._letters.meaning.resolve(tree)
            if used_names(resolved):
                return None
            return float(Evaluator({"": np.zeros(1)})(resolved)[0])
        except UnreadableError:
            return None

    def _set(self, name: str, value: float, offset: int) -> None:
        before = self.settings.get(name, self._given.get(name, value))
        if before != value:
            raise UnreadableError(f"{name} is said to be {before:g} and {value:g}: one claim is about one of them", offset)
        self.settings[name] = value


def _with_uncertainty(side: Sequence[Token]) -> tuple[Sequence[Token], float | None]:
    r"""The number of ``0.83308 \pm 0.00001``, and its uncertainty; any other side as it is.

    Raises:
        UnreadableError: if the uncertainty is as large as the number, so that nothing is claimed.
    """
    if [token.kind for token in side] != ["number", "command", "number"] or side[1].text != "pm":
        return side, None
    value, uncertainty = float(side[0].text), float(side[2].text)
    if not uncertainty < value:
        raise UnreadableError("an uncertainty as large as the number claims nothing", side[2].start)
    return side[:1], uncertainty


def _lone(tokens: Sequence[Token]) -> str | None:
    """The key of a lone symbol; None for anything else."""
    try:
        return symbol_alone(tokens)
    except UnreadableError:
        return None


def _listed(tokens: list[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind == "mark" and token.text in (",", ";"):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _renamed(tree: Node, names: Mapping[str, str]) -> Node:
    if tree.kind == "sym" and tree.value in names:
        return sym(f"@{names[tree.value]}", tree.start, tree.end)
    return tree.with_args(tuple(_renamed(a, names) for a in tree.args)) if free_symbols(tree).keys() & names.keys() else tree
