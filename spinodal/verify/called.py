r"""What the words of a document call letters: ``the margin $\kappa_0$``, ``rescaling $\hat q$``, ``$yh \ge 2\kappa$``.

Sentences are not understood. Where words that have one meaning in the field stand right beside a letter that is read as
something else, or say that a letter is rescaled, what uses that letter is refused until a symbol map says what it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from spinodal.spec import ast as formula
from spinodal.spec.types import Loss, Spec
from spinodal.verify.descriptions import FORMULA, Description, descriptions
from spinodal.verify.documents import Document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.cursor import Declared
from spinodal.verify.grammar.lexer import tokenize
from spinodal.verify.meaning import Meaning, used_names
from spinodal.verify.statements import parsed, symbol_alone
from spinodal.verify.symbol_maps import formula_tree
from spinodal.verify.symbols import default_name, plain
from spinodal.verify.tree import Node, free_symbols, walk
from spinodal.verify.vocabulary import CHANGES, PATTERNS, UNITS, allowed, contradiction, names_in

#: What a name that has one meaning wherever replicas are used says of a letter.
_PARAMETERS = {
    "margin": "kappa",
    "inverse temperature": "beta",
    "temperature": "T",
    "load": "alpha",
    "teacher overlap": "r",
    "student overlap": "q",
}
_OTHERS = re.compile(r"\bof\s+(?:the\s+|a\s+)?(?:reference|teacher)\b", re.I)
_PROBES = re.compile(r"\bof\s+(?:the\s+|a\s+)?(?:probe|student)\b", re.I)
_ARTICLES = re.compile(r"\b(?:the|an?|with|has|have|at|our|its|and|of)\s+", re.I)
_RESCALING = r"\b(?:rescal(?:e|ed|ing)|redefin(?:e|ed|ing)|re-?normali[sz](?:e|ed|ing))\s+"
_CHANGED = r"(?:rescaled|redefined|multiplied|divided)\b"
_RESCALED = (
    re.compile(rf"{_RESCALING}(?:(?:the|all|conjugates?|letters?)\s+)*{FORMULA}", re.I),
    re.compile(
        rf"\babsorb(?:s|ed|ing)?\b[^.;]{{0,60}}?\b(?:in|into)\s+(?:(?:the|a|conjugate|definition|of)\s+)*{FORMULA}", re.I
    ),
    re.compile(
        rf"{FORMULA}\s*,?\s*(?:is|are|has\s+been|have\s+been|was|being)\s+(?:then\s+|here\s+|now\s+)?{_CHANGED}", re.I
    ),
)
#: ``$X$ is replaced by $2X$``; of another letter it is a case.
_REPLACED = (
    re.compile(
        rf"{FORMULA}\s+(?:is|are|gets|was|being)\s+(?:(?:to\s+be|then|now)\s+)?replaced\s+(?:by|with)\s+\$(?P<by>[^$]+)\$",
        re.I,
    ),
    re.compile(rf"\b(?:replac(?:e|ed|ing)|substitut(?:e|ed|ing))\s+{FORMULA}\s+(?:by|with)\s+\$(?P<by>[^$]+)\$", re.I),
)
#: ``\alpha = n/m`` beside ``$m$ measurements``: sizes by other letters.
_QUOTIENT = re.compile(
    r"\$(?P<dollar>[^$=]{1,20})=\s*(?:\\[dt]?frac\{(?P<above>[a-zA-Z])\}\{(?P<below>[a-zA-Z])\}|(?P<over>[a-zA-Z])\s*/\s*(?P<under>[a-zA-Z]))\s*\$"
)
#: Values of parameters at which bounds are compared.
_PLACES = (0.37, 1.21, 0.83, 1.57)

Refusals = dict[str, tuple[str, int]]


def called(document: Document, meaning: Meaning, spec: Spec | None) -> Refusals:
    """Letters that are read otherwise than the words beside them say, or that words rescale, with reason and place.

    Args:
        document: the document.
        meaning: of the letters of a claim.
        spec: the model's, whose formulas say what declared parameters are.
    """
    found: Refusals = {}
    roles = roles_of(spec) if spec is not None else {}
    known = {*meaning.names, *meaning.conventions}
    for said in descriptions(document.visible):
        found = {**_described(document, meaning, said, roles, known), **found}
    found |= _inverted(document, meaning)
    for pattern in (*_RESCALED, *_REPLACED):
        for match in pattern.finditer(document.visible):
            key = _letter(document, _inside(match))
            own = None if key is None or key in meaning.author else default_name(key, meaning.names)
            if key is None or own is None or (pattern in _REPLACED and not _contains(document, match.group("by"), key)):
                continue
            line, shown = document.position(match.start())[0], plain(key)
            example = f"'% spinodal-symbols: {shown} = {own}' or with its factor"
            reason = f"the text of line {line} rescales {shown}: say what it stands for, as in {example}"
            found[key] = reason, match.start()
    return found


def _described(
    document: Document, meaning: Meaning, said: Description, roles: Mapping[str, str], known: Collection[str]
) -> Refusals:
    """What one description refuses."""
    names = names_in(said.words)
    words, shown = said.words, said.shown
    if said.is_before:  # the name stands right before its letter
        if not names or names[-1].end != len(words):
            return {}
        cuts = list(_ARTICLES.finditer(words, 0, names[-1].start))
        words = words[cuts[-1].end() if cuts else 0 :]
        names, shown = names_in(words), words
    key = _letter(document, said.formula)
    if key is None:
        return _with_factor(document, meaning, said, words, roles, known)
    name = _read_as(key, meaning)
    if name is None:
        first = _PARAMETERS.get(names[0].quantity) if names else None
        if first is None or _OTHERS.search(words):
            return {}
        return _misread(document, meaning, first, key, _up_to(shown, words, names[0].end), said.start)
    place = _contradicted(words, name, roles.get(name, ""), known, is_control=name in meaning.controls)
    if place is None:
        return {}
    end = max(place[1], *(one.end for one in names[:1]), 0)
    line, what = document.position(said.start)[0], plain(key)
    reason = f"line {line} says {_up_to(shown, words, end)!r} of {what}, which is read as {name}"
    other = next((_PARAMETERS[n.quantity] for n in names if n.quantity in _PARAMETERS), name)
    if other == name or other not in known:
        cure = f"correct the text, or say with its factor what it stands for, as in '% spinodal-symbols: {what} = {name}/2'"
    else:
        cure = f"correct the text, or say what it stands for, as in '% spinodal-symbols: {what} = {other}'"
    return {key: (f"{reason}: {cure}", said.start)}


def _contradicted(words: str, name: str, role: str, known: Collection[str], *, is_control: bool) -> tuple[int, int] | None:
    other = _PROBES if name.endswith("_ref") else _OTHERS
    if f"{name}_ref" in known or name.endswith("_ref"):
        match = other.search(words)
        if match is not None:
            return match.span()
    return contradiction(words, name, role, known, is_control=is_control)


def _up_to(shown: str, words: str, end: int) -> str:
    """A description up to what matters in it."""
    return " ".join(re.sub(r"\s+", " ", shown[: len(shown) - len(words) + end]).split())[-80:]


def _read_as(key: str, meaning: Meaning) -> str | None:
    """The name that a letter is read as; None if it is another's or an expression's."""
    mapped = meaning.author.get(key)
    if mapped is not None:
        return str(mapped.value)[1:] if mapped.kind == "sym" else None
    name = default_name(key, meaning.names)
    return name if name is not None else default_name(key, meaning.conventions)


def roles_of(spec: Spec) -> dict[str, str]:
    """What the formulas of a spec make of its declared parameters: the variance or the deviation of the noise, and so on."""
    found: dict[str, str] = {}
    label = spec.teacher.label.root if spec.teacher is not None else None
    for factors in _products(label) if label is not None else ():
        if not any(isinstance(f, formula.Name) and f.name == "noise" for f in factors):
            continue
        for factor in factors:
            if isinstance(factor, formula.Name) and factor.name != "noise":
                found[factor.name] = "standard deviation of the noise"
            elif (
                isinstance(factor, formula.Call)
                and factor.function == "sqrt"
                and isinstance(factor.arguments[0], formula.Name)
            ):
                found[factor.arguments[0].name] = "variance of the noise"
    flips = spec.teacher.flip_probability.root if spec.teacher is not None and spec.teacher.flip_probability else None
    if isinstance(flips, formula.Name):
        found[flips.name] = "flip probability"
    return {name: role for name, role in found.items() if name in spec.parameter_names()}


def _products(node: formula.Node) -> Iterator[list[formula.Node]]:
    """The factors of every product in a formula."""
    if isinstance(node, formula.Arithmetic):
        if node.operator == "*":
            yield list(_factors(node))
            return
        yield from _products(node.left)
        yield from _products(node.right)
    elif isinstance(node, formula.Call):
        for argument in node.arguments:
            yield from _products(argument)
    elif isinstance(node, formula.Negate):
        yield from _products(node.operand)


def _factors(node: formula.Node) -> Iterator[formula.Node]:
    if isinstance(node, formula.Arithmetic) and node.operator == "*":
        yield from _factors(node.left)
        yield from _factors(node.right)
    else:
        yield node


def _inverted(document: Document, meaning: Meaning) -> Refusals:
    r"""``\alpha = n/m`` where the text speaks of ``$m$ measurements``."""
    found: Refusals = {}
    for match in _QUOTIENT.finditer(document.visible):
        key = _letter(document, match.group("dollar"))
        if key is None or _read_as(key, meaning) != "alpha":
            continue
        above, below = match.group("above") or match.group("over"), match.group("below") or match.group("under")
        patterns, units = (rf"\$\s*{letter}\s*\$\s+{what}\b" for letter, what in ((below, PATTERNS), (above, UNITS)))
        if re.search(patterns, document.visible, re.I) or re.search(units, document.visible, re.I):
            line, shown = document.position(match.start())[0], plain(key)
            reason = f"line {line} says that {shown} counts weights per pattern, and it is read as patterns per weight"
            found[key] = f"{reason}: say what is meant, as in '% spinodal-symbols: {shown} = 1/alpha'", match.start()
    return found


def _inside(match: re.Match[str]) -> str:
    return match.group("dollar") or match.group("bracket") or ""


def _letter(document: Document, text: str) -> str | None:
    try:
        return symbol_alone([t for t in tokenize(text, macros=document.macros) if t.kind != "end"])
    except UnreadableError:
        return None


def _contains(document: Document, text: str, key: str) -> bool:
    """Whether a formula contains a letter beside something else."""
    try:
        tree = parsed([t for t in tokenize(text, macros=document.macros) if t.kind != "end"], Declared())
    except UnreadableError:
        return False
    return tree.kind != "sym" and key in free_symbols(tree)


def _misread(document: Document, meaning: Meaning, name: str, key: str, words: str, place: int) -> Refusals:
    """What words call a parameter where another letter is read as it."""
    if name not in meaning.names and name not in meaning.conventions:
        return {}
    scripted = key.partition("_")[2]
    if key in meaning.author or key in meaning.refused or name in meaning.author:
        return {}
    if key in meaning.definitions or (scripted not in ("", "0") and "_" in key):
        return {}
    letter, line = plain(name), document.position(place)[0]
    reason = f"line {line} says {words!r} of {plain(key)}, and {letter} is read as {name} here"
    cure = f"say what is meant: '% spinodal-symbols: {plain(key)} = {name}', or '{letter} = {name}'"
    return {name: (f"{reason}; {cure}", place)}


def _with_factor(
    document: Document, meaning: Meaning, said: Description, words: str, roles: Mapping[str, str], known: Collection[str]
) -> Refusals:
    r"""``the margin $2\kappa$``, ``$1-\epsilon$ is the probability of a flip``: a letter with something done to it."""
    names = names_in(words)
    if not names or CHANGES.search(words):
        return {}
    try:
        tokens = [t for t in tokenize(said.formula, macros=document.macros) if t.kind != "end"]
        tree = parsed(tokens, Declared())
    except UnreadableError:
        return {}
    letters = list(free_symbols(tree))
    if len(letters) != 1 or tree.kind in ("fn", "sym") or any(n.kind in ("call", "int", "sum", "diff") for n in walk(tree)):
        return {}
    name = _read_as(letters[0], meaning)
    if name is None or names[0].quantity not in allowed(name, roles.get(name, ""), known):
        return {}
    shown, line = plain(letters[0]), document.position(said.start)[0]
    cure = f"say what is meant, as in '% spinodal-symbols: {shown} = {name}/2'"
    return {letters[0]: (f"line {line} calls ${said.formula}$ what {shown} is read as here: {cure}", said.start)}


def bounded(document: Document, meaning: Meaning, loss: Loss) -> Refusals:
    r"""Letters in bounds that are not those of the model's constraint: ``y h \ge 2\kappa`` where it is ``y*h >= kappa``.

    Args:
        document: the document.
        meaning: of the letters of a claim.
        loss: the model's.
    """
    if loss.constraint is None:
        return {}
    own = list(_values(_bounds(loss.constraint.root), meaning.controls))
    found: Refusals = {}
    for left, right, place in _stored(document):
        letters = free_symbols(right)
        read = [k for k in letters if k not in meaning.author and default_name(k, meaning.controls) is not None]
        if not letters or len(read) != len(letters) or any(default_name(k, meaning.names) for k in free_symbols(left)):
            continue
        try:
            value = next(_values([meaning.resolve(right)], meaning.controls), None)
        except UnreadableError:
            continue
        if value is None or any(np.allclose(value, other, rtol=1e-10, atol=0.0) for other in own):
            continue
        line, shown = document.position(place)[0], " and ".join(plain(k) for k in read)
        reason = f"line {line} states another bound than the model's constraint, {loss.constraint.text}"
        found |= dict.fromkeys(read, (f"{reason}: say what {shown} stands for in a symbol map", place))
    return found


_RELATION = re.compile(r"\\(?:geqslant|geq|ge|leqslant|leq|le)(?![A-Za-z])|[<>]")
_MATHEMATICS = re.compile(r"\$\$?([^$]{1,200}?)\$|\\[(\[](.{1,200}?)\\[)\]]", re.S)


def _stored(document: Document) -> Iterator[tuple[Node, Node, int]]:
    """Both sides of bounds on labels and fields, the larger one first, with their places."""
    for match in _MATHEMATICS.finditer(document.visible):
        text = match.group(1) or match.group(2)
        relations = list(_RELATION.finditer(text))
        if len(relations) != 1:
            continue
        parts = text[: relations[0].start()], text[relations[0].end() :]
        try:
            sides = [
                parsed([t for t in tokenize(part, macros=document.macros) if t.kind != "end"], Declared()) for part in parts
            ]
        except UnreadableError:
            continue
        left, right = sides if relations[0].group().startswith(("\\g", ">")) else sides[::-1]
        if {str(key).partition("^")[0].partition("_")[0] for key in free_symbols(left)} & _FIELDS:
            yield left, right, match.start()


#: Letters of labels, fields and stabilities.
_FIELDS = frozenset("y h Delta sigma xi tau zeta".split())


def _bounds(node: formula.Node) -> Iterator[Node]:
    if isinstance(node, formula.Logic):
        for operand in node.operands:
            yield from _bounds(operand)
    elif isinstance(node, formula.Compare):
        for side in (node.left, node.right):
            if not formula.names(side) & {"y", "h"}:
                yield formula_tree(side)


def _values(trees: Iterable[Node], controls: Collection[str]) -> Iterator[NDArray[np.float64]]:
    """Trees in parameters at some of their values; others are left out."""
    names = {name: np.roll(np.array(_PLACES), k) for k, name in enumerate(sorted(controls))}
    for tree in trees:
        if used_names(tree) <= set(controls):
            yield np.broadcast_to(Evaluator(names)(tree), (len(_PLACES),))
