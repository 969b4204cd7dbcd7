"""The body of a displayed equation into statements ``left = right (= ...)``.

Rows, commas and words separate statements; a row that goes on with an operator, or says nothing by itself, continues the
one before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.parser import Declared, Parser
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.tree import Node, num, number_of

_RELATIONS = frozenset(["approx", "asymp", "propto", "sim", "leq", "geq", "to", "neq", "ll", "gg", "in", "mapsto", "gets"])
_CONTINUES = frozenset("+-*/")
_SEPARATING_WORDS = frozenset(("and where with for if when or while otherwise here both then so that is by").split())
#: Signs between two statements of which both are claimed.
_IMPLIES = frozenset(["Rightarrow", "Longrightarrow", "implies"])
#: Words of text between formulas that neither withdraw nor weaken a claim.
_NEUTRAL = frozenset(
    (
        "a again all also an and any are argument arguments as at average averaged averages be being between "
        "binary both by case conjugate conjugates define defined defines definition denote denotes denoting "
        "distributed distribution e each else eq eqs equation equations every field fields find following for from "
        "function functions gaussian get given has have hence here i if in input integral integrals is it its let "
        "margin means measure namely normal now obey obeys obtain of on one or order otherwise output over overlap "
        "overlaps parameter parameters perceptron point real replica respectively rs rsb saddle satisfies satisfy "
        "so spherical standard student symmetric teacher that the their then therefore these this thus two "
        "variable variables we weight weights when where which while whose with "
    ).split()
)

#: Words after which a statement holds in a case only.
_CONDITIONAL = re.compile(
    r"\b(?:if|when|whenever|otherwise|unless|else|for(?!\s+(?:all|any|every|each)\b)(?!\w)(?=\s*$|\s+\w))\b", re.I
)
#: Words that may be the name of a quantity.
_NAME = re.compile(r"[A-Za-z]+(?:\s+[A-Za-z0-9]+){1,3}")
#: Commands after which a formula has to go on.
_OPERATORS = frozenset("int sum prod lim frac sqrt log exp forall pm mp langle { left".split())
#: Beyond all places of a document.
_APART = 1 << 40
_FENCES = frozenset("rangle } end at forall to".split())


@dataclass(frozen=True, slots=True)
class Statement:
    """``sides[0] = sides[1] = ...``, each side as tokens; ``relations`` between them; a ``remark`` in brackets."""

    sides: tuple[tuple[Token, ...], ...]
    relations: tuple[str, ...]
    remark: tuple[Token, ...] = ()

    @property
    def start(self) -> int:
        """The offset of its first character."""
        return self.sides[0][0].start if self.sides[0] else 0

    @property
    def end(self) -> int:
        """The offset after its last character."""
        return self.sides[-1][-1].end if self.sides[-1] else self.start

    def parse(self, index: int, declared: Declared) -> Node:
        """The tree of one side.

        Raises:
            UnreadableError: with reason and offset.
        """
        tokens = self.sides[index]
        if not tokens:
            near = self.end if index else self.start
            raise UnreadableError("a side of the equation is empty", near)
        return parsed(tokens, declared)

    def header(self) -> tuple[str, tuple[str, ...] | None] | None:
        """``(key, arguments)`` if the left side is a symbol, or a symbol with symbols as arguments; else None."""
        tokens = self.sides[0]
        if not tokens:
            return None
        parser = parser_of(tokens)
        try:
            key = parser.symbol_key()
            if parser.at("mark", "^"):
                parser = parser_of(tokens, Declared(Superscripted()))
                key = parser.symbol_key()
            if parser.at("end"):
                return key, None
            if not parser.at("mark", "(", "["):
                return None
            parser.take()
            arguments = [parser.symbol_key()]
            while parser.at("mark", ",", ";", "|"):
                parser.take()
                arguments.append(parser.symbol_key())
            parser.take()
        except UnreadableError:
            return None
        return (key, tuple(arguments)) if parser.at("end") else None

    def at_value(self) -> tuple[str, Fraction] | None:
        """The key and the number if the left side is a function at a number, ``P(0)`` or ``P(-1)``."""
        tokens = self.sides[0]
        if not tokens:
            return None
        parser = parser_of(tokens)
        try:
            key = parser.symbol_key()
            parser.expect("(")
            number = parser.expression()
            parser.expect(")")
        except UnreadableError:
            return None
        value = number_of(number)
        return (key, value) if value is not None and parser.at("end") else None

    def squared(self) -> str | None:
        r"""The key of ``\sigma`` if the left side is its square, ``\sigma^2``."""
        tokens = self.sides[0]
        if not tokens:
            return None
        parser = parser_of(tokens)
        try:
            key = parser.symbol_key()
            parser.expect("^")
            exponent = parser.argument()
        except UnreadableError:
            return None
        return key if exponent == num(2) and parser.at("end") else None

    def standard(self) -> frozenset[str]:
        r"""The variables that ``z, t\sim\mathcal{N}(0,1)`` says to be standard normal."""
        if self.relations != ("sim",) or not all(self.sides):
            return frozenset()
        law = "".join(t.text for t in self.sides[1] if t.text not in "{}")
        if law not in ("mathcalN(0,1)", "N(0,1)"):
            return frozenset()
        tokens = self.sides[0]
        parser = parser_of(tokens)
        try:
            keys = {parser.symbol_key()}
            while parser.at("mark", ","):
                parser.take()
                keys.add(parser.symbol_key())
        except UnreadableError:
            return frozenset()
        return frozenset(keys) if parser.at("end") else frozenset()

    def measured(self) -> tuple[str, str] | None:
        r"""``(mu, z)`` if the left side is the measure ``d\mu(z)``."""
        tokens = self.sides[0]
        if not tokens or tokens[0].text not in ("d", "D", "mathcal"):
            return None
        parser = parser_of(tokens)
        try:
            sign = parser.symbol_key()
            key = parser.symbol_key()
            parser.expect("(")
            variable = parser.symbol_key()
            parser.expect(")")
        except UnreadableError:
            return None
        return (key, variable) if sign in ("d", "D", "D@cal") and parser.at("end") else None

    def measure(self, variable: str, declared: Declared) -> tuple[Node, bool]:
        """The weight of the measure that the right side defines, and whether it stands before a Gaussian differential.

        Raises:
            UnreadableError: with reason and offset.
        """
        tokens = self.sides[1]
        if not tokens:
            raise UnreadableError("a side of the equation is empty", self.end)
        return parser_of(tokens, declared).measure(variable)


def parser_of(tokens: Sequence[Token], declared: Declared | None = None) -> Parser:
    """A parser of some tokens of a statement, at least one."""
    end = Token("end", "", tokens[-1].end, tokens[-1].end)
    return Parser([*tokens, end], declared)


def signed(statement: Statement) -> tuple[Statement, ...]:
    r"""Both statements of ``x_\pm = \pm a``, upper signs and lower signs; the statement itself if its left side has none."""
    if not any(t.kind == "command" and t.text == "pm" for t in statement.sides[0]):
        return (statement,)
    found = []
    for signs in ({"pm": "+", "mp": "-"}, {"pm": "-", "mp": "+"}):
        sides = tuple(
            tuple(
                Token("mark", signs[t.text], t.start, t.end) if t.kind == "command" and t.text in signs else t for t in side
            )
            for side in statement.sides
        )
        found.append(Statement(sides, statement.relations, statement.remark))
    return tuple(found)


def parsed(tokens: Sequence[Token], declared: Declared) -> Node:
    """The tree of tokens (no end mark among them), its averages taken with the measures that the document defines.

    Raises:
        UnreadableError: with reason and offset.
    """
    averages = declared.averages
    starts = [token.start for token in tokens]
    if averages is None or len(set(starts)) == len(starts):
        tree = parser_of(tokens, declared).whole()
        return tree if averages is None else averages.applied(tree, tokens)
    # what an author's command writes stands all at one place: averages are told apart by places of their own
    apart = [Token(t.kind, t.text, _APART + k, _APART + k + 1) for k, t in enumerate(tokens)]
    end = _APART + len(apart)
    try:
        tree = Parser([*apart, Token("end", "", end, end)], declared).whole()
        return _together(averages.applied(tree, apart), tokens)
    except UnreadableError as error:
        place = error.offset
        if place is not None and place >= _APART:
            place = tokens[min(place - _APART, len(tokens) - 1)].start
        raise UnreadableError(error.reason, place) from None


def _together(node: Node, tokens: Sequence[Token]) -> Node:
    """A tree with the places of its tokens in the document."""
    args = tuple(_together(a, tokens) for a in node.args)
    start, end = node.start, node.end
    if start >= _APART:
        start = tokens[min(start - _APART, len(tokens) - 1)].start
    if end >= _APART:
        end = tokens[max(0, end - 1 - _APART)].end
    return Node(node.kind, node.value, args, start, end)


def symbol_alone(tokens: Sequence[Token]) -> str | None:
    """The key of a lone symbol, superscript included (the left side of an entry of a symbol map); None if it is more."""
    if not tokens:
        return None
    plain = parser_of(tokens)
    if plain.at("command", "delta", "Delta") and len(tokens) > 1:
        plain.take()
        key = f"delta {plain.symbol_key()}"
        return key if plain.at("end") else None
    key = plain.symbol_key()
    return key if plain.at("end") else _with_superscript([*plain.tokens], key)


class Superscripted(frozenset[str]):
    """Every key whose superscript belongs to its name, as on the left of its definition: no number, but a mark."""

    def __contains__(self, item: object) -> bool:
        mark = str(item).rpartition("^")[2]
        return "^" in str(item) and not mark.isdigit() and not set(mark) & set("+-*/=") - ({"*"} if mark == "*" else set())


def _with_superscript(tokens: list[Token], key: str) -> str | None:
    """The key of a symbol whose superscript belongs to its name."""
    parser = Parser(tokens, Declared(Superscripted()))
    try:
        found = parser.symbol_key()
    except UnreadableError:
        return None
    return found if parser.at("end") and found != key else None


def split(tokens: Sequence[Token]) -> list[Statement]:
    """The statements of an equation's body."""
    return [found for chunk in _pieces(tokens) if (found := _statement(chunk)) is not None]


def remarks(tokens: Sequence[Token]) -> list[tuple[str, int]]:
    r"""What a body says besides its statements, with offsets: words that may withdraw a claim, formulas without relation.

    Words that only introduce or separate (``\text{for all}``, ``where``) are none.
    """
    found = [(t.text, t.start) for t in _top_level(tokens) if t.kind == "prose" and not _is_neutral(t.text)]
    pieces = _pieces(tokens)
    for index, chunk in enumerate(pieces):
        if _statement(chunk) is None and not _says_nothing(chunk, pieces[index + 1 :]):
            found.append((" ".join(t.text for t in chunk), chunk[0].start))
    return sorted(found, key=lambda pair: pair[1])


def conditional(tokens: Sequence[Token]) -> tuple[str, int] | None:
    r"""What makes what a body says conditional (``\text{if}``, ``\text{for}``, ``\Rightarrow``), and its offset."""
    for token in _top_level(tokens):
        if token.kind == "command" and token.text in _IMPLIES:
            return f"\\{token.text}", token.start
        if token.kind in ("prose", "word") and (found := _CONDITIONAL.search(token.text)):
            return found.group(), token.start
    return None


def named(tokens: Sequence[Token]) -> list[Token]:
    r"""Tokens with words that stand alone on a left side, ``\text{training error} =``, as the name that they are."""
    found: list[Token] = []
    for index, token in enumerate(tokens):
        before, after = (tokens[index - 1] if index else None), tokens[index + 1] if index + 1 < len(tokens) else None
        begins = before is None or before.kind == "row" or (before.kind == "mark" and before.text in ",;")
        if token.kind == "prose" and begins and after is not None and _is_relation(after) and _NAME.fullmatch(token.text):
            token = Token("word", "_".join(token.text.split()), token.start, token.end)
        found.append(token)
    return found


def separated(tokens: Sequence[Token], gaps: Sequence[int]) -> list[Token]:
    r"""Tokens with a separator at every wide gap (``\quad``) between two factors: nobody multiplies across one."""
    found: list[Token] = []
    places = list(gaps)
    for index, (token, level) in enumerate(zip(tokens, _levels(tokens), strict=True)):
        crossed = [place for place in places if place <= token.start]
        places = places[len(crossed) :]
        before = tokens[index - 1] if index else None
        if crossed and level == 0 and before is not None and _ends_factor(before) and _begins_factor(tokens, index):
            found.append(Token("mark", ",", crossed[-1], crossed[-1]))
        found.append(token)
    return found


def _ends_factor(token: Token) -> bool:
    if _is_relation(token) or _separates(token):
        return False
    if token.kind == "mark":
        return token.text in ")]}!'"
    return token.kind in ("letter", "number") or (token.kind == "command" and token.text not in _OPERATORS)


def _begins_factor(tokens: Sequence[Token], index: int) -> bool:
    token = tokens[index]
    if _is_relation(token) or _separates(token):
        return False
    if token.kind == "mark":
        if token.text != "(":
            return False
        level = 0
        for other in tokens[index:]:
            level += (other.text == "(") - (other.text == ")")
            if level == 0 or _is_relation(other):
                return level == 0
        return False
    return token.kind in ("letter", "number", "word") or (token.kind == "command" and token.text not in _FENCES)


def _is_neutral(text: str) -> bool:
    """Whether text between formulas is made of words that neither withdraw nor weaken what they stand beside."""
    words = re.findall(r"[A-Za-z]+", text)
    return not set(text) & set("$\\?=<>0123456789") and all(word.lower() in _NEUTRAL for word in words)


def _says_nothing(chunk: Sequence[Token], after: Sequence[Sequence[Token]]) -> bool:
    r"""Whether a piece without a relation claims nothing: a number in brackets, ``\forall z``, ``z`` of ``z, t\sim``."""
    texts = [t.text for t in chunk if not (t.kind == "mark" and t.text in ".,;:{}")]
    if not texts or (len(texts) == 3 and texts[0] == "(" and texts[2] == ")" and chunk[1].kind == "number"):
        return True
    if texts[0] == "forall":
        return True
    try:
        lone = symbol_alone(chunk) is not None
    except UnreadableError:
        return False
    following = next((_statement(list(c)) for c in after if _statement(list(c)) is not None), None)
    return lone and following is not None and set(following.relations) <= {"sim", "in"}


def _pieces(tokens: Sequence[Token]) -> list[list[Token]]:
    """The parts of a body between separators, those that go on with the one before joined to it."""
    statements: list[list[Token]] = []
    for separator, chunk in _chunks(tokens):
        if not chunk:
            continue
        goes_on = _is_relation(chunk[0]) or (chunk[0].kind == "mark" and chunk[0].text in _CONTINUES)
        claims = any(_is_relation(t) for t in _top_level(chunk)) and not goes_on
        if statements and (goes_on or (separator == "row" and not claims)):
            statements[-1] += chunk
            continue
        statements.append(list(chunk))
    return statements


def _statement(chunk: list[Token]) -> Statement | None:
    while chunk and chunk[-1].kind == "mark" and chunk[-1].text in ".,;:":
        chunk = chunk[:-1]
    chunk, remark = _without_remark(chunk)
    top = {id(t) for t in _top_level(chunk)}
    sides: list[list[Token]] = [[]]
    relations: list[str] = []
    for token in chunk:
        if id(token) in top and _is_relation(token):
            relations.append(token.text)
            sides.append([])
        else:
            sides[-1].append(token)
    if not relations:
        return None
    if not sides[0]:
        return None
    return Statement(tuple(tuple(side) for side in sides), tuple(relations), tuple(remark))


def _without_remark(chunk: list[Token]) -> tuple[list[Token], list[Token]]:
    """A statement and the condition in brackets that may follow it: ``a = b (kappa = 0)``."""
    if not chunk or chunk[-1].text != ")" or chunk[-1].kind != "mark":
        return chunk, []
    levels = _levels(chunk)
    opening = max(k for k, level in enumerate(levels) if level == levels[-1] and chunk[k].text in "([{")
    inside = chunk[opening + 1 : -1]
    if _is_event(chunk[:opening]):
        return chunk, []
    return (chunk[:opening], inside) if any(_is_relation(t) for t in _top_level(inside)) else (chunk, [])


def _is_event(before: Sequence[Token]) -> bool:
    r"""Whether an event follows: an indicator function or ``\mathbb{P}_x`` stands before its bracket."""
    texts = [t.text for t in before if t.text not in "{}"]
    if texts[-1:] == ["indicator"]:
        return True
    return "P" in texts[-6:] and "mathbb" in texts[-7:] and "_" in texts[-5:]


def _is_relation(token: Token) -> bool:
    if token.kind == "mark":
        return token.text in "=<>"
    return token.kind == "command" and token.text in _RELATIONS


def _levels(tokens: Sequence[Token]) -> list[int]:
    levels, level = [], 0
    for token in tokens:
        opening = (token.kind == "mark" and token.text in "([{") or (
            token.kind == "command" and token.text in ("{", "langle", "begin", "evaluated")
        )
        closing = (token.kind == "mark" and token.text in ")]}") or (
            token.kind == "command" and token.text in ("}", "rangle", "end", "at")
        )
        if closing:
            level = max(0, level - 1)
        levels.append(level)
        if opening:
            level += 1
    return levels


def _top_level(tokens: Sequence[Token]) -> list[Token]:
    return [token for token, level in zip(tokens, _levels(tokens), strict=True) if level == 0]


def _separates(token: Token) -> bool:
    if token.kind == "mark":
        return token.text in (",", ";")
    if token.kind == "command" and token.text in _IMPLIES:
        return True
    return token.kind == "prose" or (token.kind == "word" and token.text.lower() in _SEPARATING_WORDS)


def _chunks(tokens: Sequence[Token]) -> list[tuple[str, list[Token]]]:
    """Pieces between separators at the top level, each with the separator before it; row marks inside brackets vanish."""
    chunks: list[tuple[str, list[Token]]] = [("", [])]
    for token, level in zip(tokens, _levels(tokens), strict=True):
        if token.kind == "end":
            continue
        if level == 0 and token.kind == "row":
            chunks.append(("row", []))
        elif level == 0 and _separates(token):
            chunks.append(("comma", []))
        elif token.kind != "row":
            chunks[-1][1].append(token)
    return chunks


def symbol_at(tokens: Sequence[Token], index: int) -> tuple[str | None, int]:
    """The key of the symbol that begins at a place (None if none does), and how many tokens it takes."""
    token = tokens[index]
    if token.kind not in ("letter", "command"):
        return None, 1
    parser = Parser(tokens[index:], Declared(Superscripted()))
    try:
        key = parser.symbol_key()
    except UnreadableError:
        return None, 1
    return key, max(1, parser.next)
