r"""LaTeX, Markdown and MyST documents: what they claim, about which equation, in which letters.

LaTeX: ``% spinodal: MODEL QUANTITY [ansatz=..] [name=value ..]`` before an equation (or before a row of one), and
``% spinodal-symbols: R = r, \hat{R} = r_hat``. Markdown: the same in lines or HTML comments before ``$$``, or a block
`` ```{saddle-point} MODEL QUANTITY .. ``. Offsets are kept throughout, so that every message has its line and column.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from spinodal.spec import shipped_models
from spinodal.spec.ansatz import ENTRIES
from spinodal.spec.errors import SpecError, snippet
from spinodal.verify.counts import sized, speaks_of_patterns
from spinodal.verify.errors import UnreadableError
from spinodal.verify.fences import HTML_MARK, MARK, Blocks, unquoted, without_fences
from spinodal.verify.grammar.lexer import tokenize
from spinodal.verify.grammar.macros import Macro, environments, without_definitions
from spinodal.verify.grammar.scopes import Commands
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.layout import ENVIRONMENTS, blank, flattened
from spinodal.verify.sources import COMMENT, VERBATIM, Source, alone
from spinodal.verify.statements import Statement, conditional, named, remarks, separated, split

MAX_DOCUMENT = 2_000_000
#: Stands for every character that is not typeset; no document that is read contains it.
_UNSET = "\x00"

_DISPLAY = rf"\\begin\{{({ENVIRONMENTS})(\*?)\}}|\\\[|\$\$|\\\(|\$"
#: What may stand between an environment's beginning and its first row.
_COLUMNS = {
    "alignat": r"\s*\{\d+\}",
    "xalignat": r"\s*\{\d+\}",
    "IEEEeqnarray": r"\s*(?:\[[^\]]*\])?\{[^{}]*\}",
    "empheq": r"\s*(?:\[[^\]]*\])?\{[a-z]+\*?(?:=\d+)?\}",
}
#: What inline mathematics must contain to define a letter.
_DEFINES = re.compile(
    r"=|\\(?:sim|equiv|coloneqq|coloneq|triangleq|doteq|to|rightarrow|longrightarrow|mapsto|leftarrow|longleftarrow|gets)"
    r"(?![A-Za-z])"
)
#: Where an entry of a list or a table begins, and what its letter is said to be.
_ENTRY = re.compile(r"(?:\A|\n|\\\\|\\item\s*\[?|[&|]|[-*+]|\}|\d[.)]|\\(?:hline|toprule|midrule))\s*\Z")
_VALUE = re.compile(
    r"\s*(?:\]|:|\u2014|\u2013|-{2,3}|&|\||\b(?:is|denotes|stands\s+for|means)\b)\s*"
    r"(?:\$(?P<dollar>[^$\n]{1,200})\$|\\\((?P<bracket>[^$\n]{1,200}?)\\\))"
)
_GAP = re.compile(r"\\q?quad(?![A-Za-z])")
#: Where a clause about a formula in the text ends: another formula, a full stop, another clause.
_CLAUSE_END = re.compile(
    r"\$|\\[(\[]|\\begin\b|[.;](?=\s|$)|\n[ \t]*\n|\b(?:and|which|so|then|while|where|with)\b|\\(?:sub)*section|^#", re.M
)
#: Words after a formula that make it hold in a case only, or that change it.
_WITHDRAWING = re.compile(
    r"\b(?:for(?!\s+(?:all|any|every|each|brevity|convenience|simplicity|short)\b)|if|when|whenever|otherwise|unless|"
    r"except|only|provided|up\s+to|plus|minus|times|divided|multiplied|apart\s+from|approximately|roughly|nearly|"
    r"as\s+long\s+as|in\s+the\s+limit|(?:to|at)\s+(?:the\s+)?(?:leading|lowest|first|second)|not|wrong|incorrect|corrections?)\b",
    re.I,
)
#: A condition in brackets after a formula.
_BRACKET = re.compile(r"\s*\(\s*\$[^$]*(?:[=<>]|\\(?:leq?|geq?|neq?|ll|gg)(?![A-Za-z]))")
#: The same after a display, whose sentence goes on with them.
_AFTER_DISPLAY = re.compile(
    r"(?:\\\]|\$\$|\\end\{[^{}]*\})?\s*(?P<words>if|when|whenever|unless|otherwise|except|only|provided|up\s+to|plus|minus|times|"
    r"\(?for\s+\$[^$]*(?:[=<>]|\\(?:leq?|geq?|neq?|ll|gg)(?![A-Za-z])))(?![A-Za-z])"
)
#: Words before a formula with which the text does not say that it holds.
_SUPPOSING = re.compile(r"\b(?:if|suppose|unless|not|instead\s+of|rather\s+than|unlike|except)\b", re.I)
#: A condition in a formula before another one: "for $\\kappa = 0$ we have $A = B$".
_IN_CASE = re.compile(
    r"\b(?:for|if|when|at)\s+\$[^$]*(?:[=<>]|\\(?:leq?|geq?|neq?|ll|gg)(?![A-Za-z]))[^$]*\$[^.;$]{0,60}\Z", re.I
)
#: What was meant as markup and is not: another case, no colon, other marks between the words.
_NEAR_MARK = re.compile(r"%+[ \t]*(spinodal(?:[ \t_-]*symbols?)?)(?P<colon>[ \t]*[:;])?[ \t]*(?P<words>[^\n]*)", re.I)
_NEAR_HTML_MARK = re.compile(_NEAR_MARK.pattern.replace("%+", "<!--", 1).replace("[^\\n]*", ".*?") + "-->", re.I | re.S)
_END = re.compile(r"\\end\s*\{document\}")
_CONDITIONAL = re.compile(r"\\(iffalse|fi|else|if[a-zA-Z@]+)(?![A-Za-z@])")
#: Whichever begins first: markup inside inline code is an example, and backticks inside a comment are no code.
_COMMENT_OR_CODE = re.compile(r"<!--.*?-->|(?<!`)(`+)(?!`)(?:[^\n]|\n(?!\s*\n))*?(?<!`)\1(?!`)", re.S)

#: Entries of the ansatz that a claim may give like parameters: m=0.5, replicas=inf.
_ENTRIES = frozenset(entry for entries in ENTRIES.values() for entry in entries)
_WORDS = {"saddle-point-only", "saddle-point"}
_CLAIM_KEYS = {"claim", "status", "at", "on", "expect"}


@dataclass(frozen=True, slots=True)
class Claim:
    """What a document says an equation is.

    Attributes:
        offset: of the markup.
        model: a shipped name or a path.
        quantity: the quantity's name, with underscores.
        ansatz: the scheme, or None for the spec's own.
        values: parameters with the values the equation is stated for.
        overrides: entries of the spec, by dotted key.
        entries: entries of the ansatz (``m``, ``replicas``, ...) as text; a parameter of that name comes first.
        status: ``saddle-point-only`` where no more is claimed, else empty.
    """

    offset: int
    model: str
    quantity: str
    ansatz: str | None
    values: Mapping[str, float]
    overrides: Mapping[str, str]
    entries: Mapping[str, str]
    status: str


@dataclass(frozen=True, slots=True)
class Equation:
    """A piece of mathematics: its statements, or why it cannot be read.

    Attributes:
        start: offset of its body.
        end: offset after its body.
        display: whether it is displayed (inline mathematics only defines letters).
        statements: in order.
        unreadable: the reason and offset, if the lexer refuses it.
        remarks: what it says besides, in words or without a relation, with offsets.
        condition: a word that says when it holds only, in it or in the text around it, with its offset.
        sized: its parts that contain a size beside something else.
    """

    start: int
    end: int
    display: bool
    statements: tuple[Statement, ...]
    unreadable: tuple[str, int] | None = None
    remarks: tuple[tuple[str, int], ...] = ()
    condition: tuple[str, int] | None = None
    sized: tuple[tuple[Token, ...], ...] = ()


@dataclass(frozen=True)
class Document:
    """A document that has been read.

    ``unset`` are offsets of markup in what is not typeset and ``examples`` of that in code, which claim nothing; ``unread``
    those of markup that is not looked at; ``visible`` is the text with blanks for everything that is no text to read
    (comments, code, definitions of commands); ``source`` the files that the text is from.
    """

    name: str
    text: str
    equations: tuple[Equation, ...]
    claims: tuple[Claim, ...]
    symbols: tuple[tuple[int, str, str], ...]
    macros: Mapping[str, Macro]
    unset: tuple[int, ...] = ()
    visible: str = ""
    examples: tuple[int, ...] = ()
    unread: tuple[int, ...] = ()
    source: Source | None = None

    def _place(self, offset: int) -> tuple[str, int, int]:
        return (self.source or alone(self.text, self.name)).place(offset)

    def file(self, offset: int) -> str:
        """The file that an offset stands in."""
        return self._place(offset)[0]

    def position(self, offset: int) -> tuple[int, int]:
        """1-based line and column of an offset, in its file."""
        return self._place(offset)[1:]

    def error(self, message: str, offset: int, cure: str = "") -> SpecError:
        """A located error about the markup."""
        file, line, column = self._place(offset)
        whole = (self.source or alone(self.text, self.name)).line(offset)
        return SpecError(
            message, cure=cure or None, source=file, line=line, column=column, snippet=snippet(whole, column - 1)
        )


def read_document(text: str, name: str, form: str, source: Source | None = None) -> Document:
    """Read a document.

    Args:
        text: its text.
        name: for messages.
        form: ``latex`` or ``markdown``.
        source: the files that the text is from, if it is not from one alone.

    Raises:
        SpecError: if the markup is not well formed (line, column, cure), or the document too large.
    """
    if len(text) > MAX_DOCUMENT:
        raise SpecError(f"more than {MAX_DOCUMENT} characters", source=name, cure="split the document")
    shell = Document(name, text, (), (), (), {}, source=source)
    read = unquoted(text) if form == "markdown" else text
    visible, found = _marks(read, form)
    marks, blocks = found.marks, found.bodies
    for offset, words in _near_marks(read, form):
        cure = _SYMBOLS_EXAMPLE if "symbol" in words.lower() else _EXAMPLE
        raise shell.error(f"this is no markup that is read: {words[:60]!r}", offset, cure)
    unset: tuple[int, ...] = ()
    if form == "latex":
        typeset = _typeset(visible)
        unset = tuple(offset for offset, is_symbols, _ in marks if typeset[offset : offset + 1] == _UNSET and not is_symbols)
        marks = [mark for mark in marks if typeset[mark[0] : mark[0] + 1] != _UNSET]
        visible = typeset.replace(_UNSET, " ")
    commands = Commands(visible, local=form == "latex")
    visible = without_definitions(visible)
    inline = [e for e in _equations(visible, commands) if not any(low <= e.start < high for low, high in blocks)]
    equations = sorted([*inline, *(_equation(visible, *b, True, commands) for b in blocks)], key=_start)
    claims, symbols = [], []
    for offset, is_symbols, content in marks:
        if is_symbols:
            symbols += _symbol_entries(content, offset, shell)
        else:
            claims.append(_claim(content, offset, shell))
    return Document(
        name=name,
        text=text,
        equations=tuple(equations),
        claims=tuple(claims),
        symbols=tuple(symbols),
        macros=commands.everywhere(),
        unset=unset,
        visible=visible,
        examples=tuple(found.examples),
        unread=tuple(found.foreign),
        source=source,
    )


def _near_marks(text: str, form: str) -> list[tuple[int, str]]:
    """Comments that were meant as markup: with a colon, or naming a model."""
    if form == "markdown":
        text = without_fences(text)
        text = re.sub(r"(?<!`)(`+)(?!`)[^\n]*?(?<!`)\1(?!`)", blank, text)
    else:
        text = VERBATIM.sub(blank, text)
    found = []
    models = shipped_models()
    pattern, exact = (_NEAR_HTML_MARK, HTML_MARK) if form == "markdown" else (_NEAR_MARK, MARK)
    for match in [*_NEAR_MARK.finditer(text), *(pattern.finditer(text) if form == "markdown" else ())]:
        whole = match.group()
        if MARK.match(whole) or exact.match(whole) or (form == "latex" and _is_escaped(text, match.start())):
            continue
        first = (match.group("words").strip("-.,=> \t").split() or [""])[0]
        named = first in models or first.endswith(".toml")
        symbols = "symbol" in match.group(1).lower() and "=" in match.group("words")
        if match.group("colon") or named or symbols:
            found.append((match.start(), " ".join(whole.split())))
    return sorted(found)


def _is_escaped(text: str, offset: int) -> bool:
    before = text[:offset]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _typeset(visible: str) -> str:
    r"""The text with what LaTeX does not typeset marked: after ``\end{document}``, between ``\iffalse`` and its ``\fi``."""
    end = _END.search(visible)
    if end is not None:
        visible = visible[: end.end()] + re.sub(r"[^\n]", _UNSET, visible[end.end() :])
    position = 0
    while (opening := re.compile(r"\\iffalse(?![A-Za-z@])").search(visible, position)) is not None:
        level, stop = 1, len(visible)
        for match in _CONDITIONAL.finditer(visible, opening.end()):
            word = match.group(1)
            level += (word.startswith("if")) - (word == "fi")
            if level == 0 or (level == 1 and word == "else"):
                stop = match.end()
                break
        visible = visible[: opening.start()] + re.sub(r"[^\n]", _UNSET, visible[opening.start() : stop]) + visible[stop:]
        position = stop
    return visible


def _start(equation: Equation) -> int:
    return equation.start


# ---- marks and equations


def _marks(text: str, form: str) -> tuple[str, Blocks]:
    """The text with everything blanked that is no mathematics to read, and the markup, in its order."""
    found = Blocks([], [], [], [])
    marks = found.marks
    visible = text
    if form == "markdown":
        visible = found.read(text)
        for match in list(_COMMENT_OR_CODE.finditer(visible)):
            mark = HTML_MARK.fullmatch(match.group())
            if mark is not None:
                marks.append((match.start(), bool(mark.group(1)), " ".join(mark.group(2).split())))
        visible = _COMMENT_OR_CODE.sub(blank, visible)
        pattern = re.compile(r"^[ \t]*" + MARK.pattern, re.M)
        for match in list(pattern.finditer(visible)):
            marks.append(
                (match.start() + len(match.group()) - len(match.group().lstrip()), bool(match.group(1)), match.group(2))
            )
        visible = re.sub(r"^[ \t]*%[^\n]*", blank, visible, flags=re.M)
    else:
        found.examples += [m.start() for span in VERBATIM.finditer(visible) for m in MARK.finditer(visible, *span.span())]
        visible = VERBATIM.sub(blank, visible)
        for match in re.finditer(r"(?<!\\)(?:\\\\)*%[^\n]*", visible):
            mark = MARK.search(match.group())
            if mark is not None:
                marks.append((match.start() + mark.start(), bool(mark.group(1)), mark.group(2).strip()))
        visible = COMMENT.sub(lambda m: m.group(1) + " " * len(m.group(2)), visible)
    marks.sort()
    return visible, found


def _equations(visible: str, commands: Commands) -> list[Equation]:
    found: list[Equation] = []
    position = 0
    named = environments(commands.ever())
    display_ = re.compile("|".join([_DISPLAY, *(rf"\\({name})(?![A-Za-z])" for name, v in named.items() if "begin" in v)]))
    while (match := display_.search(visible, position)) is not None:
        if match.start() > 0 and visible[match.start() - 1] == "\\" and match.group() in ("$", "$$"):
            position = match.start() + 1
            continue
        start = match.end()
        if match.group(1):
            ending = rf"\end{{{match.group(1)}{match.group(2)}}}"
        elif match.group()[1:] in named:  # the author's own name for the beginning
            ending = named[match.group()[1:]].replace("begin", "end", 1)
        else:
            ending = {r"\[": r"\]", r"\(": r"\)"}.get(match.group(), match.group())
        if columns := re.compile(_COLUMNS.get(match.group(1) or "", "")).match(visible, start):
            start = columns.end()
        stop, after = _ending(visible, start, ending, named)
        if stop < 0:
            if match.group() != "$":
                reason = f"{match.group()} is not closed: {ending} is missing"
                found.append(Equation(start, start + 1, True, (), (reason, match.start())))
            position = match.end()
            continue
        display = match.group() not in ("$", r"\(")
        value = None if display else _VALUE.match(visible, after)
        if value is not None and _ENTRY.search(visible[max(0, match.start() - 40) : match.start()]):
            found += _entry(visible, (start, stop), value, commands)
        equation = _equation(visible, start, stop, display, commands)
        if display or _DEFINES.search(visible, start, stop) or equation.sized:
            found.append(equation)
        position = after
    return found


def _entry(visible: str, key: tuple[int, int], value: re.Match[str], commands: Commands) -> list[Equation]:
    r"""The definition that an entry of a list or a table is: ``$G(x)$: $e^{-x^2/2}$``; none where it is none."""
    group = "dollar" if value.group("dollar") is not None else "bracket"
    start, stop = value.span(group)
    try:
        left = [t for t in tokenize(visible[slice(*key)], key[0], macros=commands.at(*key)) if t.kind != "end"]
        right = tokenize(visible[start:stop], start, macros=commands.at(start, stop))
    except UnreadableError:
        return []
    mark = Token("mark", "=", key[1], key[1])
    statements = split([*left, mark, *right])
    # a row of letters or of numbers defines nothing
    if len(statements) != 1 or statements[0].relations != ("=",) or len(statements[0].sides[1]) < 2:
        return []
    after = re.compile(r"[^\n&|;]*").match(visible, value.end())
    condition = _WITHDRAWING.search(after.group()) if after is not None else None
    beside = (condition.group(), value.end() + condition.start()) if condition is not None else None
    return [Equation(key[0], stop, False, tuple(statements), condition=beside)]


def _ending(visible: str, start: int, ending: str, named: Mapping[str, str]) -> tuple[int, int]:
    """Where a display ends, and the position after that; the author may have a name for it."""
    names = [rf"\\{name}(?![A-Za-z])" for name, value in named.items() if value == ending]
    match = re.compile("|".join([re.escape(ending), *names])).search(visible, start)
    return (match.start(), match.end()) if match else (-1, -1)


def _equation(visible: str, start: int, stop: int, display: bool, commands: Commands) -> Equation:
    try:
        body = flattened(visible[start:stop])
        gaps = [start + gap.start() for gap in _GAP.finditer(body)]
        tokens = separated(named(tokenize(body, start, macros=commands.at(start, stop))), gaps)
        around = _condition_after if display else _condition_around
        condition = conditional(tokens) or around(visible, start, stop)
        found = tuple(split(tokens))
        counts = sized(tokens, speaks_of_patterns(visible, start, stop))
        return Equation(start, stop, display, found, None, tuple(remarks(tokens)), condition, counts)
    except UnreadableError as error:
        return Equation(start, stop, display, (), (error.reason, error.offset if error.offset is not None else start))


def _condition_after(visible: str, start: int, stop: int) -> tuple[str, int] | None:
    """What the sentence that goes on after a display says to withdraw it or to make it conditional, and where."""
    found = _AFTER_DISPLAY.match(visible, max(start, stop))
    return (" ".join(found.group("words").split()), found.start("words")) if found is not None else None


def _condition_around(visible: str, start: int, stop: int) -> tuple[str, int] | None:
    """What the sentence says of a formula in the text that withdraws it or makes it conditional, and where."""
    low, high = start - len("$"), stop + len("$")
    if visible.startswith(r"\)", stop):
        low, high = start - 2, stop + 2
    end = _CLAUSE_END.search(visible, high)
    after = _WITHDRAWING.search(visible, high, end.start() if end else len(visible))
    if after is not None:
        return " ".join(after.group().split()), after.start()
    if bracket := _BRACKET.match(visible, high):
        return "a condition in brackets", bracket.start()
    bounds = [m.end() for m in _CLAUSE_END.finditer(visible, max(0, low - 200), low)]
    before = _SUPPOSING.search(visible, bounds[-1] if bounds else max(0, low - 200), low)
    before = before or _IN_CASE.search(visible[:low], max(0, low - 200))
    return (" ".join(before.group().split()), before.start()) if before is not None else None


# ---- markup


def _claim(content: str, offset: int, document: Document) -> Claim:
    try:
        words = shlex.split(content)
    except ValueError as error:
        raise document.error(f"the markup cannot be read: {error}", offset, _EXAMPLE) from None
    words = [w for w in words if w]
    if len(words) < 2 or "=" in words[0] or "=" in words[1]:
        raise document.error("the markup names no MODEL and QUANTITY", offset, _EXAMPLE)
    values: dict[str, float] = {}
    overrides: dict[str, str] = {}
    entries: dict[str, str] = {}
    ansatz, status = None, ""
    for word in words[2:]:
        key, mark, value = word.rstrip(",").partition("=")
        if not mark and key in _WORDS:
            status = "saddle-point-only"
        elif not mark or not value:
            raise document.error(f"{word}: not of the form name=value", offset, _EXAMPLE)
        elif key == "ansatz":
            ansatz = value
        elif key in _CLAIM_KEYS:
            if value not in (*_WORDS, "verified", "everywhere"):
                raise document.error(f"{word}: no such claim", offset, f"{key}=saddle-point-only")
            status = "saddle-point-only" if value in _WORDS else ""
        elif "." in key:
            overrides[key] = value
        else:
            if key in _ENTRIES:
                entries[key] = value
            try:
                values[key] = float(Fraction(value)) if "/" in value else _finite(value, key in _ENTRIES)
            except (ValueError, ZeroDivisionError):
                if key in entries:
                    continue
                raise document.error(f"{word}: {value} is not a number", offset, f"as in {key}=0") from None
    return Claim(offset, words[0], words[1].replace("-", "_"), ansatz, values, overrides, entries, status)


def _finite(text: str, infinite: bool) -> float:
    value = float(text)
    if not math.isfinite(value) and not infinite:
        raise ValueError(text)
    return value


_SYMBOLS_EXAMPLE = r"write '% spinodal-symbols: R = r, \hat{R} = r_hat'"
_EXAMPLE = "write '% spinodal: MODEL QUANTITY', as in '% spinodal: binary-perceptron q_hat kappa=0'"


def _symbol_entries(content: str, offset: int, document: Document) -> list[tuple[int, str, str]]:
    entries, level, piece = [], 0, ""
    for character in content + ",":
        level += (character in "{([") - (character in "})]")
        if character == "," and level == 0:
            if piece.strip():
                left, mark, right = piece.rpartition("=")
                if not mark or not left.strip() or not right.strip():
                    raise document.error(
                        f"{piece.strip()[:60]!r} is no entry of a symbol map", offset, r"write 'R = r, \hat{R} = r_hat'"
                    )
                entries.append((offset, left.strip(), right.strip()))
            piece = ""
        else:
            piece += character
    return entries
