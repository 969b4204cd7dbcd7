r"""What a document says of the values, the density or the moments of a variable: ``t=\pm1``, ``P(z) = ..``, ``E[z^2] = 1``.

An average that names its variable alone is a standard normal one by habit. Where the document says that the variable is
something else, the average is taken with the density that it gives, or is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from spinodal.verify.averages import HERE, Measure, guarded
from spinodal.verify.documents import Document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.cursor import Declared
from spinodal.verify.grammar.lexer import tokenize
from spinodal.verify.grammar.parser import Parser
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.statements import Statement, symbol_alone
from spinodal.verify.symbols import plain
from spinodal.verify.tree import Bound, Node, free_symbols, walk

#: Letters of densities.
_DENSITIES = frozenset(["P", "p", "rho", "varrho", "mu"])
_FORMULA = r"(?:\$(?P<dollar>[^$\n]{1,40})\$|\\\((?P<bracket>[^$\n]{1,40}?)\\\))"
_LAW = (
    r"(?:uniform(?:ly)?|Rademacher|binary|Bernoulli|Poisson(?:ian)?|Laplac(?:e|ian)|Cauchy|exponential|logistic|Student)\b"
)
#: Words that give a variable another law than the normal one.
_WORDS = (
    re.compile(
        rf"{_FORMULA}\s*,?\s*(?:(?:which|that)\s+)?(?:(?:is|are|being|takes?|equals?|has|have)\s+)?"
        rf"(?:(?:a|an|the|values?|random|distributed|drawn|sampled|taken|from|according\s+to|follows?|either)\s+){{0,5}}(?:{_LAW}|\$\\pm\s*1\$|\\\(\\pm\s*1\\\))",
        re.I,
    ),
    re.compile(rf"\b{_LAW}\s+(?:random\s+)?(?:variables?|signs?|numbers?)\s+{_FORMULA}", re.I),
)


#: A normal variable whose variance is said.
_NORMAL = re.compile(
    rf"{_FORMULA}\s*,?\s*(?:(?:is|are|being|denotes?)\s+)?(?:(?:an?|the|independent|random|real|centred|centered)\s+){{0,3}}"
    r"(?:Gaussian|normal)\b[^.;]{0,50}?\bvariance\s+(?:of\s+|equal\s+to\s+)?(?P<value>[a-z]+(?:\s+half)?|\$[^$]+\$|[\d./]+)",
    re.I,
)
#: How a variance of one is written.
UNIT = frozenset(["one", "unity", "1", "$1$"])


def law(statement: Statement, declared: Declared) -> Measure | None:
    """What a statement says of the values, the density or a moment of a variable; None if it says nothing of the kind.

    Args:
        statement: the document's.
        declared: how mathematics is parsed.
    """
    if len(statement.sides) != 2 or not all(statement.sides):
        return None
    left, right = statement.sides
    relation = statement.relations[0]
    if relation in ("=", "in") and (key := _alone(left)) is not None:
        return _values(key, relation, right)
    if relation != "=":
        return None
    header = statement.header()
    if header is not None and header[0].partition("_")[0].partition("@")[0] in _DENSITIES:
        variables = header[1] or ()
        return _density(variables[0], right, declared) if len(variables) == 1 else None
    return _moment(left, right, declared)


def laws_in_words(document: Document) -> Iterator[Measure]:
    r"""What the text says of the laws of variables: ``$u$ is $\pm1$``, ``$t$ is uniform``."""
    for pattern in (*_WORDS, _NORMAL):
        for match in pattern.finditer(document.visible):
            if pattern is _NORMAL and match.group("value").lower() in UNIT:
                continue
            text = re.split(r"=|\\(?:in|sim)(?![A-Za-z])", match.group("dollar") or match.group("bracket"))[0]
            try:
                key = _alone([t for t in tokenize(text, macros=document.macros) if t.kind != "end"])
            except UnreadableError:
                continue
            if key is not None:
                line = document.position(match.start())[0]
                reason = f"line {line} says that {plain(key)} is not standard normal"
                yield Measure("~" if pattern is _NORMAL else "values", key, None, reason, match.start())


def _alone(tokens: Sequence[Token]) -> str | None:
    try:
        return symbol_alone(tokens)
    except UnreadableError:
        return None


def _values(key: str, relation: str, right: Sequence[Token]) -> Measure | None:
    texts = [t.text for t in right]
    listed = relation == "in" and texts[0] in ("[", "(", "{") and "infty" not in texts
    if not any(t.kind == "number" for t in right) or not (listed or texts[0] in ("pm", "mp")):
        return None
    return Measure("values", key, None, f"{plain(key)} takes other values than a normal variable", right[0].start)


def _density(variable: str, right: Sequence[Token], declared: Declared) -> Measure:
    at = right[0].start

    def tree() -> Node:
        own = replace(declared, symbols=declared.symbols | {HERE, variable}, averages=None)
        stop = right[-1].end
        weight = [Token("mark", "(", at, at), *right, Token("mark", ")", stop, stop)]
        letters = [Token("letter", "d", stop, stop), *tokenize(plain(variable), stop)[:-1], Token("word", HERE, stop, stop)]
        end = Token("end", "", stop, stop)
        found = Parser([Token("command", "int", at, at), *weight, *letters, end], own).whole()
        if found.kind != "int" or found.value.gaussian or found.value.key != variable:
            raise UnreadableError("no density", at)
        return found

    return guarded("density", variable, at, tree)


def _moment(left: Sequence[Token], right: Sequence[Token], declared: Declared) -> Measure | None:
    r"""``\mathbb{E}[z^2] = \frac12``, where the moments of a standard normal variable are others."""
    inside = _averaged(left)
    if inside is None:
        return None
    try:
        body, value = (Parser([*t, Token("end", "", t[-1].end, t[-1].end)], declared).whole() for t in (inside, right))
        keys = list(free_symbols(body))
        calls = any(node.kind == "call" for tree in (body, value) for node in walk(tree))
        if len(keys) != 1 or calls or any(n.startswith("@") for n in keys):
            return None
        reason = f"{plain(keys[0])} has other moments than a standard normal variable"
        if free_symbols(value):  # a variance by its letter
            return Measure("~", keys[0], None, reason, left[0].start)
        infinity = Node("const", "inf")
        normal = Node("int", Bound(keys[0], True), (body, Node("neg", None, (infinity,)), infinity))
        evaluator = Evaluator({"": np.zeros(1)})
        if np.allclose(evaluator(normal), evaluator(value), rtol=1e-8, atol=1e-10):
            return None
    except UnreadableError:
        return None
    return Measure("~", keys[0], None, reason, left[0].start)


def _averaged(tokens: Sequence[Token]) -> Sequence[Token] | None:
    """What stands in the only bracket of an average; None if a side is no average."""
    texts = [t.text for t in tokens]
    if texts[0] == "langle":
        stop = texts.index("rangle") if "rangle" in texts else 0
        return tokens[1:stop] if stop > 1 and (stop == len(tokens) - 1 or texts[stop + 1] == "_") else None
    names = "".join(t for t in texts[:4] if t not in "{}")
    if names.startswith("mathbbE") and not {"[", "(", "_"} & set(texts):
        return tokens[texts.index("E") + 1 + (texts[1] == "{") :] or None
    if not names.startswith(("mathbbE", "E")) or texts[-1] not in ("]", ")") or not {"[", "("} & set(texts):
        return None
    opening = next(k for k, text in enumerate(texts) if text in ("[", "("))
    before = {text for text in texts[:opening] if text not in ("mathbb", "E", "{", "}")}
    return tokens[opening + 1 : -1] if not before and opening < len(tokens) - 2 else None


__all__ = ["UNIT", "law", "laws_in_words"]
