"""From a document's markup and statements to the meaning of its letters, for one claim."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from spinodal.spec.types import Spec
from spinodal.verify.asides import asides
from spinodal.verify.averages import Measure, Measures, defined_measure, is_standard
from spinodal.verify.called import bounded, called
from spinodal.verify.documents import Document, Equation
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.cursor import Declared
from spinodal.verify.grammar.functions import LETTER_FUNCTIONS
from spinodal.verify.grammar.lexer import tokenize
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.laws import law, laws_in_words
from spinodal.verify.meaning import Definition, Meaning
from spinodal.verify.restated import contradictions, inverted, microscopic, rescaled_through, rescalings
from spinodal.verify.roles import other_roles
from spinodal.verify.sizes import SizeReader, Stated
from spinodal.verify.statements import Statement, parser_of, signed, symbol_alone
from spinodal.verify.symbol_maps import symbol_map
from spinodal.verify.symbols import default_name, difference_keys, plain
from spinodal.verify.tree import Node, add, fn, free_symbols, neg, num, substituted, sym


@dataclass(frozen=True)
class Letters:
    """How one claim's mathematics is read: what the parser must know, and what the letters mean.

    Attributes:
        declared: what the parser must know.
        meaning: what the letters mean.
        understood: the starts of statements that say what sizes are, and nothing else.
        notes: by parameter, what is assumed of the sizes that the document defines it by.
        stated: the statements of the document that no markup claims, as seen from the claim.
    """

    declared: Declared
    meaning: Meaning
    understood: frozenset[int] = frozenset()
    notes: Mapping[str, str] = field(default_factory=dict)
    stated: tuple[Stated, ...] = ()

    def shown(self, name: str) -> str:
        """A name of the model as the symbol map writes it, else as it is called here."""
        author = self.meaning.author
        return next((plain(key) for key, meant in sorted(author.items()) if meant == sym(f"@{name}")), name)


def read_letters(
    document: Document,
    claimed: Statement | None,
    offset: int,
    names: Collection[str],
    derived: Collection[str],
    quantities: Collection[str] = (),
    claims: Collection[int] = (),
    potentials: Collection[str] = (),
    constants: Collection[str] = (),
    conventions: Mapping[str, Node] | None = None,
    controls: Collection[str] = (),
    spec: Spec | None = None,
) -> Letters:
    """What the letters of a claim at a place of a document mean.

    Args:
        document: the document.
        claimed: the statement that is checked; it defines nothing for itself.
        offset: its place.
        names: order parameters and parameters of the model.
        derived: names of the derivation's definitions.
        quantities: further names that a symbol map may use.
        potentials: letters of the model's free entropy, where nothing else defines them.
        constants: derived names that no order parameter enters.
        conventions: what letters stand for that nothing else gives a meaning.
        controls: those of the names that are parameters.
        spec: the model's, whose bounds the document may state.
        claims: where claimed statements start; what is claimed of a letter is no definition of it for others.
    """
    author, refused = symbol_map(document, offset, [*names, *derived, *quantities])
    headers: dict[str, tuple[Statement, tuple[str, ...] | None]] = {}
    ranks: dict[str, tuple[int, int]] = {}
    measures: dict[str, tuple[str, Statement, tuple[int, int]]] = {}
    drawn: set[str] = set()
    found: dict[str, list[_Written]] = {}
    scopes = _Scopes(document, claimed, offset, claims)
    points: dict[str, list[tuple[Fraction, _Written]]] = {}
    for equation in document.equations:
        for statement in (each for whole in equation.statements for each in _each(whole, claimed)):
            drawn |= statement.standard()
            if statement is claimed or statement.start in claims or statement.relations[0] != "=":
                continue
            rank = _rank(equation, statement, claimed, offset)
            if (measured := statement.measured()) is not None:
                if measured[0] not in measures or rank > measures[measured[0]][2]:
                    measures[measured[0]] = (measured[1], statement, rank)
                continue
            header = statement.header()
            if header is None and (pointed := statement.at_value()) is not None:
                taken = pointed[0] in author or pointed[0] in LETTER_FUNCTIONS or pointed[0] in potentials
                if not taken and default_name(pointed[0], names) is None:
                    written = _Written(statement, None, scopes.of(equation, statement), equation)
                    points.setdefault(pointed[0], []).append((pointed[1], written))
                continue
            square = statement.squared() if header is None else None
            if header is None and square is None:
                continue
            key, arguments = header if header is not None else (str(square), None)
            if key in author or default_name(key, names) is not None:
                continue
            of_names = arguments is not None and all(default_name(a, names) or a in author for a in arguments)
            if of_names and key in LETTER_FUNCTIONS:  # G(q), of an order parameter: a name, not the Gaussian density
                continue
            if not equation.display and (arguments is None and _is_relabelling(statement)):
                continue
            found.setdefault(key, []).append(_Written(statement, arguments, scopes.of(equation, statement), equation))
            if found[key][-1].scope == "after":  # the text right after the claim, before what stands further above
                rank = (1, statement.start) if statement.start <= offset else (1, offset + 1)
            if key not in headers or rank > ranks[key]:
                headers[key], ranks[key] = (statement, arguments), rank
    points = {key: values for key, values in points.items() if len(values) > 1}  # H(0) = 1/2 defines nothing
    differences = difference_keys([*names, *derived])
    # elsewhere G may be a free entropy; before a bracket it is a function unless the claim's own equation defines it
    # G(q), of order parameters, is also written G
    alone = [
        key
        for key, (_, arguments) in headers.items()
        if (arguments is None or all(default_name(a, names) or a in author for a in arguments))
        and (key not in LETTER_FUNCTIONS or ranks[key][0] == 2)
    ]
    declared = Declared(
        frozenset([*author, *refused, *differences, *alone]),
        frozenset([*points, *(key for key, (_, arguments) in headers.items() if arguments is not None)]),
    )
    declared = replace(
        declared,
        measures=_weights(measures, declared),
        drawn=frozenset(key for key in drawn if key not in author and default_name(key, names) is None),
        # before a bracket G is the Gaussian density
        potentials=frozenset(potentials) - LETTER_FUNCTIONS.keys(),
        names=frozenset(names),
    )
    declared = replace(declared, ranges=_ranges(document, declared))
    declared = replace(declared, averages=_averages(document, claimed, offset, claims, declared))
    usual = {key for key in headers if key in LETTER_FUNCTIONS and _is_usual(key, found[key], declared)}
    declared = replace(declared, functions=declared.functions - usual)
    definitions = {
        key: _with_rivals(_definition(key, s, arguments, declared), s, found[key], declared)
        for key, (s, arguments) in headers.items()
    }
    for key, values in points.items():
        definitions.setdefault(key, _by_values(key, values, declared))
    for key, (reason, place) in refused.items():
        definitions[key] = Definition(key, None, None, reason, place)
    reader = SizeReader(controls, author, declared, definitions)
    stated = _stated(document, claimed, claims, scopes)
    sizes = reader.read(stated)
    reader.count(_sized(document, claimed, claims), sizes)
    for key, definition in definitions.items():
        if definition.body is not None and (united := reader.in_units(definition.body)) is not None:
            definitions[key] = replace(definition, body=united)
    declared_at = _declared_at(document)
    lines = ((s, document.position(s.start)[0]) for equation in document.equations for s in equation.statements)
    rescaled = rescalings(lines, names, offset, declared_at)
    unsaid = {k: v for k, v in (conventions or {}).items() if k not in author and k not in definitions}
    rescaled |= rescaled_through(rescaled, unsaid, names)
    meaning = Meaning(
        {**author, **sizes.author},
        names,
        derived,
        definitions,
        potentials,
        constants,
        conventions or {},
        controls,
        refused={**sizes.refused, **rescaled},
    )
    if related := inverted(stated, meaning, declared):
        meaning = replace(meaning, definitions={**related, **definitions})
    if strange := microscopic(stated, meaning):
        meaning = replace(meaning, refused={**strange, **meaning.refused})
    if others := other_roles(stated, meaning, declared):
        meaning = replace(meaning, refused={**others, **meaning.refused})
    if contradicted := contradictions(stated, meaning, declared):
        meaning = replace(meaning, refused={**contradicted, **meaning.refused})
    said = {**called(document, meaning, spec), **(bounded(document, meaning, spec.loss) if spec is not None else {})}
    if said:
        meaning = replace(meaning, refused={**said, **meaning.refused})
    notes = {str(default_name(key, controls)): note for key, note in sizes.notes.items()}
    return Letters(declared, meaning, frozenset(sizes.read), notes, tuple(stated))


#: ``the sums run over $w\in\{-1, 1\}$``.
_RANGE = re.compile(
    r"\bsums?\b[^.;$]{0,60}\b(?:runs?|extends?|is|are|taken|goes|go|ranges?)\s+(?:taken\s+)?(?:over|through)\s+(?:all\s+|the\s+values\s+)?"
    r"\$(?P<formula>[^$]{1,80})\$",
    re.I,
)


def _ranges(document: Document, declared: Declared) -> dict[str, tuple[Node, ...]]:
    r"""The values that the text says letters are summed over; a letter with two ranges has none."""
    found: dict[str, tuple[Node, ...]] = {}
    twice: set[str] = set()
    for match in _RANGE.finditer(document.visible):
        place = match.start("formula")
        try:
            tokens = [t for t in tokenize(match.group("formula"), place, macros=document.macros) if t.kind != "end"]
            key = symbol_alone(tokens[: next((k for k, t in enumerate(tokens) if t.text in ("in", "=")), 0)])
            if key is None:
                continue
            marks = [Token("mark", text, place, place) for text in "_{"]
            summed = [Token("command", "sum", place, place), *marks, *tokens, Token("mark", "}", place, place)]
            tree = parser_of([*summed, Token("number", "1", place, place)], declared).whole()
        except UnreadableError:
            continue
        if tree.kind == "sum" and tree.args[0] == num(1) and found.setdefault(key, tree.args[1:]) != tree.args[1:]:
            twice.add(key)
    return {key: values for key, values in found.items() if key not in twice}


def _each(statement: Statement, claimed: Statement | None) -> tuple[Statement, ...]:
    """What a statement defines: two letters where its signs are double."""
    return (statement,) if statement is claimed else signed(statement)


def _by_values(key: str, written: Sequence[tuple[Fraction, _Written]], declared: Declared) -> Definition:
    """A function of which the document says the values at some numbers."""
    values: dict[Fraction, Node] = {}
    places = tuple(one.statement.start for _, one in written)
    for number, one in written:
        if one.condition is not None:
            text, place = one.condition
            return Definition(key, ("",), None, f"beside it stands {text!r}, which is not read", place)
        body = _definition(key, one.statement, None, declared)
        if body.body is None:
            return body
        if body.others:
            return Definition(key, ("",), None, "more than one side for its value", one.statement.start)
        if values.setdefault(number, body.body) != body.body:
            return Definition(key, ("",), None, f"its value at {number} is said twice, differently", one.statement.start)
    return Definition(key, ("",), None, offset=places[0], values=tuple(values.items()), places=places)


def _stated(document: Document, claimed: Statement | None, claims: Collection[int], scopes: _Scopes) -> list[Stated]:
    """The statements of a document that no markup claims, as seen from a claim."""
    found = []
    for equation in document.equations:
        for statement in equation.statements:
            if statement is not claimed and statement.start not in claims:
                scope = scopes.of(equation, statement)
                condition = _Written(statement, None, scope, equation).condition
                found.append(Stated(statement, scope, condition, document.position(statement.start)[0]))
    return found


def _sized(
    document: Document, claimed: Statement | None, claims: Collection[int]
) -> Iterator[tuple[tuple[Token, ...], int]]:
    """The parts with sizes of the formulas of a document that contain no claim, with their lines."""
    for equation in document.equations:
        if not any(s is claimed or s.start in claims for s in equation.statements):
            for tokens in equation.sized:
                yield tokens, document.position(tokens[0].start)[0]


def _declared_at(document: Document) -> dict[str, int]:
    """The last place at which a symbol map declares each key."""
    found: dict[str, int] = {}
    for place, left, _ in document.symbols:
        with suppress(UnreadableError):
            key = symbol_alone([t for t in tokenize(left, macros=document.macros) if t.kind != "end"])
            if key is not None:
                found[key] = max(place, found.get(key, -1))
    return found


def _is_usual(key: str, written: Sequence[_Written], declared: Declared) -> bool:
    r"""Whether a document defines a letter as the function that it is anyhow, ``H(x) = \int_x^\infty Dz``."""
    for one in written:
        if one.arguments is None or len(one.arguments) != 1 or one.condition is not None:
            return False
        definition = _definition(key, one.statement, one.arguments, declared)
        if definition.body is None or definition.others:
            return False
        difference = add(definition.body, neg(fn(LETTER_FUNCTIONS[key], sym(one.arguments[0]))))
        places = Node("let", one.arguments, (sym("@x"), difference))
        try:
            if free_symbols(places).keys() != {"@x"}:
                return False
            values = Evaluator({"x": np.array([-5.1, -1.3, -0.2, 0.4, 1.7, 4.3])})(places)
        except UnreadableError:
            return False
        if not np.all(np.abs(values) < 1e-12):
            return False
    return True


@dataclass(frozen=True)
class _Written:
    """A definition of a letter as it stands: its statement, arguments, scope seen from the claim, and equation."""

    statement: Statement
    arguments: tuple[str, ...] | None
    scope: str
    equation: Equation

    @property
    def condition(self) -> tuple[str, int] | None:
        """What is said beside it that is not read: a condition, a remark; it is no definition for all cases then."""
        own = self.scope == "own"
        condition = self.equation.condition
        # what the text after the claim's own display restricts is the claim
        after = condition is not None and condition[1] >= self.equation.end
        bounded = any(set(statement.relations) & _BOUNDS for statement in self.equation.statements)
        # a value that it gives to a parameter is where the claim is compared
        value = condition is not None and condition[0].lower() in ("for", "if", "when") and not bounded
        if condition is not None and not (own and (after or value)):
            return condition
        if own:  # what stands in the claim's own display is looked at with the claim
            return None
        if self.equation.display and self.equation.remarks:
            return self.equation.remarks[0]
        for statement in self.equation.statements:
            if set(statement.relations) & _BOUNDS:
                return "a bound on a letter", statement.start
        return ("a condition in brackets", self.statement.remark[0].start) if self.statement.remark else None


_BOUNDS = frozenset(["<", ">", "leq", "geq", "ll", "gg", "neq"])
_PARAGRAPH = re.compile(r"\n[ \t]*\n|\\(?:sub)*section|\\par(?![a-z])")
_SECTION = re.compile(r"\\(?:sub)*section\b|^#+ ", re.M)


class _Scopes:
    """Where a definition stands, seen from a claim: own, after, other (another claim's, another section), common."""

    def __init__(self, document: Document, claimed: Statement | None, offset: int, claims: Collection[int]) -> None:
        self._document, self._claimed = document, claimed
        self._displays = [e for e in document.equations if self._is_own(e) or any(s.start in claims for s in e.statements)]
        self._sections = [m.start() for m in _SECTION.finditer(document.text)]
        self._section = self._section_of(offset)

    def _is_own(self, equation: Equation) -> bool:
        return any(s is self._claimed for s in equation.statements)

    def _section_of(self, offset: int) -> int:
        return sum(1 for start in self._sections if start <= offset)

    def of(self, equation: Equation, statement: Statement) -> str:
        """The scope of a definition."""
        if self._is_own(equation):
            return "own"
        above = [d for d in self._displays if d.start <= equation.start]
        if above:
            last = above[-1]
            text = self._document.text[last.end : equation.start] if equation is not last else ""
            if equation is last or not _PARAGRAPH.search(text):
                return "after" if self._is_own(last) else "other"
        return "common" if self._section_of(statement.start) == self._section else "other"


def _with_rivals(definition: Definition, chosen: Statement, found: Sequence[_Written], declared: Declared) -> Definition:
    """A definition, with what else the letter is said to be in its scope; none if it holds in a case only."""
    own = next(w for w in found if w.statement is chosen)
    if own.condition is not None and definition.body is not None:
        text, place = own.condition
        reason = f"beside it stands {text!r}, which is not read: it may hold in a case only; write the definition alone"
        return replace(definition, body=None, others=(), reason=reason, offset=place)
    near = own.scope in ("own", "after")
    rivals: list[tuple[Node | None, int]] = []
    for written in found:
        if written is own or (near and written.scope == "other"):
            continue
        rival = _definition(definition.key, written.statement, written.arguments, declared)
        body = rival.body
        if body is not None and (written.arguments or ()) != (own.arguments or ()):
            body = None
            if len(written.arguments or ()) == len(own.arguments or ()):
                body = rival.body
                for old, new in zip(written.arguments or (), own.arguments or (), strict=True):
                    body = substituted(body, old, sym(new)) if body is not None else None
        rivals.append((body, written.statement.start))
    return replace(definition, rivals=tuple(rivals))


def _weights(
    measures: Mapping[str, tuple[str, Statement, tuple[int, int]]], declared: Declared
) -> dict[str, tuple[str, Node, bool]]:
    r"""What the document's measures ``d\mu(z)`` carry; those that are not read stay undefined."""
    found = {}
    for key, (variable, statement, _) in measures.items():
        own = replace(declared, symbols=declared.symbols | {variable})
        with suppress(UnreadableError):
            weight, gaussian = statement.measure(variable, own)
            found[key] = (variable, weight, gaussian)
    return found


def _averages(
    document: Document, claimed: Statement | None, offset: int, claims: Collection[int], declared: Declared
) -> Measures:
    """The measures that the document defines and that are not the standard ones, the closest first."""
    found: list[tuple[tuple[int, int], Measure]] = []
    for equation in document.equations:
        for statement in equation.statements:
            if statement is claimed or statement.start in claims:
                continue
            measure = _measure(statement, declared)
            if measure is not None:
                found.append((_rank(equation, statement, claimed, offset), measure))
    aside = (measure for statement in asides(document) if (measure := law(statement, declared)) is not None)
    found += [((0, -measure.offset), measure) for measure in (*aside, *laws_in_words(document))]
    closest: dict[tuple[str, str], Measure] = {}
    for _, measure in sorted(found, key=lambda pair: pair[0], reverse=True):
        known = closest.setdefault((measure.sign, measure.variable), measure)
        if known.tree != measure.tree and (known.is_template or measure.is_template):
            twice = f"the average over {plain(measure.variable)} is defined twice, differently"
            closest[measure.sign, measure.variable] = Measure(measure.sign, measure.variable, None, twice, measure.offset)
    # a standard one stays where another variable has one that is not
    signs = {measure.sign for measure in closest.values() if not is_standard(measure)}
    kept = tuple(measure for measure in closest.values() if measure.sign in signs)
    standard = [measure for measure in closest.values() if is_standard(measure)]
    normal = declared.drawn | {measure.variable for measure in standard if measure.sign == "~"}
    return Measures(kept, normal, frozenset(measure.sign for measure in standard if measure.sign in "DE<"))


def _measure(statement: Statement, declared: Declared) -> Measure | None:
    """The measure that a statement defines, or the law that it gives to a variable."""
    measure = defined_measure(statement.sides[0], statement.relations[0], statement.sides[1], declared)
    return measure if measure is not None else law(statement, declared)


def _rank(equation: Equation, statement: Statement, claimed: Statement | None, offset: int) -> tuple[int, int]:
    """The claim's own equation wins, then the nearest above, then the first below."""
    if claimed in equation.statements:
        return (2, 0)
    return (1, statement.start) if statement.start <= offset else (0, -statement.start)


def _is_relabelling(statement: Statement) -> bool:
    """Inline text such as ``$N = 1000$`` states a value; it defines nothing that a formula needs."""
    return len(statement.sides[1]) == 0


def _definition(key: str, statement: Statement, arguments: tuple[str, ...] | None, declared: Declared) -> Definition:
    """What a statement defines; of several sides, as a meaning and its value, the first that can be read."""
    own = replace(declared, symbols=declared.symbols | frozenset(arguments or ()))
    unread: UnreadableError | None = None
    bodies: list[Node] = []
    for side in range(1, len(statement.sides)):
        try:
            body = statement.parse(side, own)
        except UnreadableError as error:
            unread = unread or error
            continue
        # of the square: letters are positive where nothing else is said
        squared = statement.header() is None and statement.squared() is not None
        bodies.append(fn("sqrt", body) if squared else body)
    if bodies:
        return Definition(key, arguments, bodies[0], offset=statement.start, others=tuple(bodies[1:]))
    assert unread is not None
    place = unread.offset if unread.offset is not None else statement.start
    return Definition(key, arguments, None, unread.reason, place)
