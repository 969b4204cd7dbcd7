r"""What the words of a document call letters: ``the margin $\kappa_0$``, ``rescaling $\hat q$``, ``$yh \ge 2\kappa$``.

Sentences are not understood. Where words that have one meaning in the field stand right beside a letter that is read as
something else, or say that a letter is rescaled, what uses that letter is refused until a symbol map says what it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from spinodal.spec import ast as formula
from spinodal.spec.types import Loss
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

_FORMULA = r"(?:\$(?P<dollar>[^$\n]{1,60})\$|\\\((?P<bracket>[^$\n]{1,60}?)\\\))"
_PER = r"(?:number|density)\s+of\s+(?:patterns|examples|samples)\s+per\s+"
#: Words that mean one thing wherever replicas are used, and its name.
PARAMETER_WORDS = {
    "kappa": r"margin|stability\s+(?:threshold|parameter)",
    "beta": r"inverse\s+temperature",
    "T": r"(?<!inverse )temperature",
    "alpha": rf"(?:storage\s+)?load(?:ing)?|constraint\s+density|{_PER}(?:weight|synapse|spin)",
    "alpha_T": rf"{_PER}input",
    "r": (
        r"(?:teacher[-\u2013 ]+student|student[-\u2013 ]+teacher)\s+overlap|overlap\s+with\s+the\s+teacher|"
        r"overlap\s+(?:between|of)\s+(?:the\s+)?(?:student|teacher)\s+(?:and|with)\s+(?:the\s+)?(?:teacher|student)"
    ),
    "q": (
        r"overlap\s+(?:between|of)\s+(?:two\s+)?(?:different\s+|distinct\s+)?(?:replicas|solutions|students)|"
        r"mutual\s+overlap"
    ),
}
_UNITS = r"(?:weights|synapses|spins|neurons|inputs|parameters)"
#: What says that a letter is the inverse of alpha.
_INVERTED = re.compile(
    rf"{_FORMULA}\s*,?\s*(?:(?:is|denotes|stands\s+for|represents|being|means|=)\s+)?(?:now\s+|here\s+)?the\s+"
    rf"(?:(?:number\s+of\s+)?{_UNITS}\s+per\s+(?:pattern|example|sample|constraint)|ratio\s+of\s+(?:the\s+)?(?:number\s+of\s+)?"
    rf"{_UNITS}\s+(?:to|and|over)\s+(?:the\s+)?(?:number\s+of\s+)?(?:patterns|examples|samples|constraints))\b",
    re.I,
)
#: What says that a letter is a function of what it is read as.
_FUNCTION_OF = re.compile(
    rf"{_FORMULA}\s*,?\s*(?:is|denotes|stands\s+for|represents)\s+(?:minus\s+the|twice\s+the|half\s+the|"
    r"the\s+(?:square|negative|square\s+root)\s+of\s+the|the\s+(?:Euclidean\s+|squared\s+|Hamming\s+)?distance)\b(?:\s+(?P<what>[a-z-]+))?",
    re.I,
)
#: What makes a letter one point of many, or somebody else's: "the margin $\kappa_c$ at which".
_SOMEWHERE = re.compile(
    r"\s*(?:,\s*)?(?:at\s+which|where|beyond|above|below|of\s+(?:the\s+)?(?:reference|teacher)|for\s+which)\b"
)
_COPULA = (
    r"\s*,?\s*(?:is|denotes|stands\s+for|represents|being|means|=)\s+(?:now\s+|here\s+|just\s+|again\s+)?"
    r"(?:the|a|an|our|its)\s+(?:usual\s+|typical\s+)?"
)
_NAMED = r"\s*(?:,\s*|\(\s*|(?:is\s+)?(?:called|denoted\s+by|written(?:\s+as)?)\s+|is\s+)?"
_DETERMINER = r"\b(?:the|a|an|with|at|of|our)\s+"
_RESCALING = r"\b(?:rescal(?:e|ed|ing)|redefin(?:e|ed|ing)|re-?normali[sz](?:e|ed|ing))\s+"
_CHANGED = r"(?:rescaled|redefined|multiplied|divided)\b"
_RESCALED = (
    re.compile(rf"{_RESCALING}(?:(?:the|all|conjugates?|letters?)\s+)*{_FORMULA}", re.I),
    re.compile(
        rf"\babsorb(?:s|ed|ing)?\b[^.;]{{0,60}}?\b(?:in|into)\s+(?:(?:the|a|conjugate|definition|of)\s+)*{_FORMULA}", re.I
    ),
    re.compile(
        rf"{_FORMULA}\s*,?\s*(?:is|are|has\s+been|have\s+been|was|being)\s+(?:then\s+|here\s+|now\s+)?{_CHANGED}", re.I
    ),
)
#: Values of parameters at which bounds are compared.
_PLACES = (0.37, 1.21, 0.83, 1.57)

Refusals = dict[str, tuple[str, int]]


def called(document: Document, meaning: Meaning) -> Refusals:
    """Letters that are read otherwise than the words beside them say, or that words rescale, with reason and place.

    Args:
        document: the document.
        meaning: of the letters of a claim.
    """
    found: Refusals = {}
    for name, words in PARAMETER_WORDS.items():
        if name in meaning.names or name in meaning.conventions:
            for match in _beside(document.visible, words):
                found |= _misread(document, meaning, name, match)
    for match in _FUNCTION_OF.finditer(document.visible):
        key = _letter(document, _inside(match))
        own = None if key is None or key in meaning.author else default_name(key, meaning.names)
        # of a parameter it may be a value: "half the capacity"
        of_itself = own is not None and re.fullmatch(PARAMETER_WORDS.get(own, ""), match.group("what") or "", re.I)
        if key is not None and own is not None and (own not in meaning.controls or of_itself):
            said = " ".join(re.sub(_FORMULA, " ", match.group()).split())
            line, shown = document.position(match.start())[0], plain(key)
            cure = f"say what it stands for, as in '% spinodal-symbols: {shown} = {own}' or with its factor"
            found[key] = f"line {line} says {said!r} of {shown}, which is read as {own}: {cure}", match.start()
    for match in _INVERTED.finditer(document.visible):
        key = _letter(document, _inside(match))
        if key is not None and key not in meaning.author and default_name(key, meaning.names) == "alpha":
            line = document.position(match.start())[0]
            reason = f"line {line} says that {plain(key)} counts weights per pattern, and it is read as patterns per weight"
            found[key] = f"{reason}: say what is meant, as in '% spinodal-symbols: {plain(key)} = 1/alpha'", match.start()
    for pattern in _RESCALED:
        for match in pattern.finditer(document.visible):
            key = _letter(document, _inside(match))
            own = None if key is None or key in meaning.author else default_name(key, meaning.names)
            if key is not None and own is not None:
                line, shown = document.position(match.start())[0], plain(key)
                example = f"'% spinodal-symbols: {shown} = {own}' or with its factor"
                reason = f"the text of line {line} rescales {shown}: say what it stands for, as in {example}"
                found[key] = reason, match.start()
    return found


def _beside(text: str, words: str) -> Iterator[re.Match[str]]:
    yield from re.finditer(_FORMULA + _COPULA + rf"(?:{words})\b(?!\s+of\s+the\s+(?:reference|teacher))", text, re.I)
    for match in re.finditer(_DETERMINER + rf"(?:{words}){_NAMED}{_FORMULA}", text, re.I):
        if _SOMEWHERE.match(text, match.end()) is None:
            yield match


def _inside(match: re.Match[str]) -> str:
    return match.group("dollar") or match.group("bracket") or ""


def _letter(document: Document, text: str) -> str | None:
    try:
        return symbol_alone([t for t in tokenize(text, macros=document.macros) if t.kind != "end"])
    except UnreadableError:
        return None


def _misread(document: Document, meaning: Meaning, name: str, match: re.Match[str]) -> Refusals:
    """What words call ``name`` where it is read as something else."""
    text = _inside(match)
    line, place = document.position(match.start())[0], match.start()
    words = " ".join(re.sub(_FORMULA, " ", match.group()).split())
    key = _letter(document, text)
    if key is None:
        return _with_factor(document, meaning, name, text, line, place)
    if key in meaning.author or key in meaning.refused:
        return {}
    own = default_name(key, meaning.names) or default_name(key, meaning.conventions)
    if own is not None and own.partition("_")[0] == name.partition("_")[0]:  # kappa_ref is a margin, too
        return {}
    if own is not None:
        reason = f"line {line} says {words!r} of {plain(key)}, which is read as {own}"
        return {key: (f"{reason}: say what is meant, as in '% spinodal-symbols: {plain(key)} = {name}'", place)}
    scripted = key.partition("_")[2]
    if key in meaning.definitions or (scripted not in ("", "0") and "_" in key) or name in meaning.author:
        return {}
    letter = plain(name)
    reason = f"line {line} says {words!r} of {plain(key)}, and {letter} is read as {name} here"
    cure = f"say what is meant: '% spinodal-symbols: {plain(key)} = {name}', or '{letter} = {name}'"
    return {name: (f"{reason}; {cure}", place)}


def _with_factor(document: Document, meaning: Meaning, name: str, text: str, line: int, place: int) -> Refusals:
    r"""``the margin $2\kappa$``: a letter of the model with something done to it."""
    try:
        tokens = [t for t in tokenize(text, macros=document.macros) if t.kind != "end"]
        tree = parsed(tokens, Declared())
    except UnreadableError:
        return {}
    names = {key: default_name(key, meaning.names) for key in free_symbols(tree)}
    if list(names.values()) != [name] or any(n.kind in ("call", "int", "sum", "diff") for n in walk(tree)):
        return {}
    key = next(iter(names))
    if key in meaning.author:
        return {}
    shown = plain(key)
    cure = f"say what is meant, as in '% spinodal-symbols: {shown} = {name}/2'"
    return {key: (f"line {line} calls ${text}$ what {shown} is read as here: {cure}", place)}


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
