r"""What a document says of the model: ``the activation $\sigma(x) = \tanh x$``, ``weights $w_i=\pm2$``, ``annealed``.

Functions are compared with those of the spec. Of weights, inputs and the ansatz only what the claim's own sentence says is
looked at, and values that formulas give them anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from spinodal.spec.types import Formula, Spec
from spinodal.verify.documents import Document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.functions import LETTER_FUNCTIONS
from spinodal.verify.grammar.lexer import tokenize
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.letters import Letters
from spinodal.verify.meaning import used_names
from spinodal.verify.sentences import Piece, around
from spinodal.verify.sizes import Stated
from spinodal.verify.statements import Statement, parsed
from spinodal.verify.symbol_maps import formula_tree
from spinodal.verify.symbols import GREEK, plain
from spinodal.verify.tree import Node, free_symbols, substituted, sym

_ACTIVATION = re.compile(r"\b(?:activation|non-?linearity|transfer\s+function|features)\b", re.I)
_LOSS = re.compile(r"\b(?:loss|cost|energy)(?:\s+function)?\b", re.I)
#: What the letter of activations is in other contexts.
_OTHERWISE = re.compile(r"\b(?:label|teacher|output|loss|cost|probability|field)s?\b", re.I)
#: How far around a formula its words are looked for.
_NEAR = 90
_SENTENCE = r"\.(?=\s|$)|\n[ \t]*\n|\\(?:sub)*section|\\(?:begin|end)\b"
_PLACES = np.array([-2.3, -1.1, -0.4, 0.3, 0.8, 1.7])
_PARAMETERS = (0.37, 1.21, 0.83, 1.57)


_STEPS = r"(?:[- ]?steps?)?(?:\s+of)?(?:\s+|[- ])"
_BREAKING = r"(?:replica[- ]symmetry[- ]breaking|RSB)"
#: Words for ansaetze, and the schemes that they may name.
_ANSAETZE = (
    (rf"(?:one{_STEPS}|1[- ]?(?:step\s+)?){_BREAKING}", ("1rsb", "real-replicas")),
    (rf"(?:two{_STEPS}|2[- ]?(?:step\s+)?){_BREAKING}", ("2rsb",)),
    (rf"(?:full|continuous|infinitely\s+many\s+steps\s+of)\s+{_BREAKING}", ()),
    (r"replica[- ]symmetric(?:\s+(?:ansatz|assumption|approximation|theory|level))", ("replica-symmetric", "bayes-optimal")),
)
_WITHIN = r"\b(?:with|within|at|assuming|under|in|for|using)\s+(?:(?:the|an?|level\s+of)\s+){0,2}"
#: Averages of the volume itself.
_ANNEALED = re.compile(
    r"(?:(?:\A|\n|\})\s*The|\b(?:then|thus|hence|is|find|obtain),?\s+the)\s+annealed\s+"
    r"(?:entropy|free[ -]entropy|free[ -]energy)\b"
)
_REPLICAS = re.compile(
    r"\bfor\s+(?:\$\s*y\s*=\s*\d[\d.]*\s*\$|(?:two|three|four|five|\d+))\s+(?:real\s+|coupled\s+)?replicas\b", re.I
)
_CONTINUOUS = ("spherical", "gaussian", "unconstrained", "density")
_KINDS = (
    (r"(?:binary|Ising)\s+(?:weights|synapses|couplings|perceptron)", ("binary",)),
    (
        r"(?:(?:[a-z]+\s+){0,2}weights\s+)?on\s+the\s+(?:hyper)?sphere|spherical\s+(?:weights|perceptron|student)",
        ("spherical",),
    ),
    (r"(?:continuous|real(?:-valued)?)\s+(?:weights|synapses|couplings)", _CONTINUOUS),
    (r"Gaussian\s+weights", ("gaussian",)),
)
_CONSIDERED = r"\b(?:consider(?:ing)?|stud(?:y|ied)|take)\s+(?:(?:the|a)\s+)?"
_ABOUT = r"\b(?:for|with|consider(?:ing)?|of)\s+(?:(?:the|a)\s+)?"
#: Formulas that say which values weights or inputs have.
_VALUES = re.compile(
    r"\b(?P<what>weights?|synapses|synaptic\s+weights|patterns?|inputs?|entries|components)\b(?P<between>[^.;$]{0,50})\$"
    r"[^$=]{1,30}?(?:=|\\in)\s*(?P<values>\\pm\s*[\d./]+|\\\{[-\d.,/\s\\pm]+\\\})\s*\$",
    re.I,
)
_SPREAD = re.compile(
    r"\b(?:patterns|inputs|examples|entries)\s+(?:of|with|have|having|and)\s+(?:zero\s+mean\s+and\s+)?(?:a\s+)?variance\s+(?:of\s+)?"
    r"(?:\$[^$=]*=\s*(?P<value>[\d./]+)\s*\$|(?P<word>two|three|one\s+half|[\d./]+))",
    re.I,
)
#: A field that is divided by the number of weights instead of its root.
_PER_WEIGHT = re.compile(
    r"\\xi[^$]{0,25}/\s*N\s*(?:\\geq?|\\leq?|>|<)|\\frac\{?1\}?\{?N\}?\s*\\sum[^$]{0,40}\\xi[^$]{0,25}(?:\\geq?|>)"
)


def refuse_other_models(document: Document, statement: Statement, spec: Spec, quantity: str) -> None:
    """Refuse a claim whose sentence names another ansatz or other weights, or whose document gives other values to them.

    Raises:
        UnreadableError: there.
    """
    for text, place in _named_models(document, statement, spec, quantity):
        shown, line = " ".join(text.split()), document.position(place)[0]
        reason = f"line {line} says {shown[:60]!r}, and the model claimed is {spec.name} ({spec.ansatz.scheme})"
        raise UnreadableError(f"{reason}: name the model that is meant in the markup", place)


def _named_models(document: Document, statement: Statement, spec: Spec, quantity: str) -> Iterator[tuple[str, int]]:
    text = around(document, statement)
    before, visible = text.before, document.visible
    end = before.start + len(before.text)
    about = _ABOUT
    if visible[end : end + 1] in (".", "!", "?"):  # a sentence of its own: it may speak of other models
        before, about = Piece("", before.start), _CONSIDERED
    for words, schemes in _ANSAETZE:
        for match in re.finditer(_WITHIN + words, before.text, re.I):
            if spec.ansatz.scheme not in schemes:
                yield match.group(), before.start + match.start()
    if quantity in ("free_entropy", "entropy"):
        for match in _ANNEALED.finditer(before.text):
            yield match.group(), before.start + match.start()
    if spec.ansatz.scheme == "real-replicas" and spec.ansatz.replicas in (None, "inf"):
        for match in _REPLICAS.finditer(before.text):
            yield match.group(), before.start + match.start()
    for words, kinds in _KINDS:
        for match in re.finditer(about + rf"(?:{words})\b", text.before.text, re.I):
            if not _kinds_of(spec) & set(kinds):
                yield match.group(), before.start + match.start()
    for match in _VALUES.finditer(visible):
        values = _listed(match.group("values"))
        is_of_weights = re.match("weight|syna", match.group("what"), re.I) is not None
        if values and not (_are_weights(values, spec) if is_of_weights else _are_standard(values)):
            yield match.group(), match.start()
    for match in _SPREAD.finditer(visible):
        if (match.group("value") or match.group("word")) not in ("1", "1.0"):
            yield match.group(), match.start()
    for match in _PER_WEIGHT.finditer(visible):
        yield match.group(), match.start()


def _kinds_of(spec: Spec) -> set[str]:
    """The kinds of weights of a model."""
    return {spec.student.weights.kind, *((spec.teacher.weights.kind,) if spec.teacher is not None else ())}


def _listed(text: str) -> tuple[float, ...]:
    r"""The numbers of ``\pm 2`` and ``\{-1, 0, 1\}``; none where something else stands among them."""
    found: list[float] = []
    for part in text.removeprefix("\\{").removesuffix("\\}").split(","):
        match = re.fullmatch(r"\s*(\\pm|-)?\s*([\d.]+(?:/[\d.]+)?)\s*", part)
        if match is None:
            return ()
        value = float(Fraction(match.group(2)))
        found += [-value, value] if match.group(1) == "\\pm" else [-value if match.group(1) else value]
    return tuple(sorted(set(found)))


def _are_weights(values: Sequence[float], spec: Spec) -> bool:
    """Whether a list of values is that of the student's or the teacher's weights."""
    for weights in (spec.student.weights, *((spec.teacher.weights,) if spec.teacher is not None else ())):
        if weights.kind == "binary" and list(values) == [-1.0, 1.0]:
            return True
        if weights.kind == "discrete":
            try:
                own = sorted(float(Evaluator({"": np.zeros(1)})(formula_tree(v.root))[0]) for v in weights.values)
            except (UnreadableError, KeyError):
                return True  # values with parameters
            if np.allclose(own, values) if len(own) == len(values) else False:
                return True
    return False


def _are_standard(values: Sequence[float]) -> bool:
    """Whether equally likely values have zero mean and variance one."""
    return bool(np.isclose(np.mean(values), 0.0) and np.isclose(np.var(values), 1.0))


#: A term of the energy that the text writes out, for one weight or one pattern.
_TERM = re.compile(
    r"\b(?P<what>regulari[sz](?:ation|er)|weight\s+decay|penalty|loss|cost|energy)(?:\s+(?:term|function))?\s+(?:is\s+|reads\s+|of\s+)?"
    r"\$(?P<formula>[^$=]{1,120})\$",
    re.I,
)


def _refuse_other_terms(document: Document, letters: Letters, spec: Spec) -> None:
    r"""Refuse another regularization or loss than the model's: ``the regularization is $\lambda\sum_i w_i^2$``.

    Raises:
        UnreadableError: there.
    """
    for match in _TERM.finditer(document.visible):
        is_loss = match.group("what").lower() in ("loss", "cost", "energy")
        own = spec.loss.energy if is_loss else spec.loss.regularization
        variables = {"h": _PLACES, "y": np.roll(_PLACES, 2)} if is_loss else {"w": _PLACES}
        place = match.start("formula")
        try:
            tokens = [t for t in tokenize(match.group("formula"), place, macros=document.macros) if t.kind != "end"]
            tree = parsed(_of_one(tokens, variables), letters.declared)
            if own is None or not variables.keys() & free_symbols(tree).keys():
                continue
            for name in variables:
                tree = substituted(tree, name, sym(f"@{name}"))
            tree = letters.meaning.resolve(tree)
            same = False
            for margin in (_PARAMETERS[0], 0.0):  # a document may leave out a margin that vanishes
                values = {
                    n: np.full(len(_PLACES), _PARAMETERS[k % 4]) for k, n in enumerate(sorted(letters.meaning.controls))
                }
                values |= {"kappa": np.full(len(_PLACES), margin), **variables}
                same |= bool(np.allclose(_value(tree, values), _value(formula_tree(own.root), values), atol=1e-10))
        except UnreadableError:
            continue
        if not same:
            line, what = document.position(place)[0], match.group("what").lower()
            reason = f"line {line} states another {what} than the model's, {own.text}"
            raise UnreadableError(f"{reason}: name the model that is meant in the markup", place)


def _of_one(tokens: Sequence[Token], variables: Collection[str]) -> list[Token]:
    r"""A sum over weights or patterns without its sign and its indices: ``\sum_i w_i^2`` as ``w^2``."""
    found: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.text == "sum":
            index = _after_scripts(tokens, index + 1, "_^")
            continue
        found.append(token)
        index += 1
        if token.kind == "letter" and token.text in variables:
            while index + 1 < len(tokens) and tokens[index].text in ("_", "^"):
                inside = tokens[index + 1 : _after_scripts(tokens, index, tokens[index].text, once=True)]
                if any(t.kind == "number" for t in inside):
                    break
                index += 1 + len(inside)
    return found


def _after_scripts(tokens: Sequence[Token], index: int, marks: str, *, once: bool = False) -> int:
    """The place after the scripts that begin at a place."""
    while index + 1 < len(tokens) and tokens[index].text in marks:
        index += 1
        level = 0
        while index < len(tokens):
            level += (tokens[index].text == "{") - (tokens[index].text == "}")
            index += 1
            if level == 0:
                break
        if once:
            break
    return index


def refuse_other_functions(document: Document, letters: Letters, spec: Spec) -> None:
    """Refuse what is claimed of a model whose functions the document states to be others.

    Raises:
        UnreadableError: there.
    """
    _refuse_other_terms(document, letters, spec)
    for stated in letters.stated:
        header = stated.statement.header()
        if header is None or header[1] is None or len(header[1]) != 1 or stated.statement.relations[0] != "=":
            continue
        key, variable = header[0], header[1][0]
        letter = key.partition("_")[0].partition("@")[0]
        if (len(letter) > 1 and letter not in GREEK) or letter in LETTER_FUNCTIONS:  # names of other functions
            continue
        around = _around(document, stated)
        for what, formula, places in _declared(key, around, spec):
            if not _is_stated(stated, variable, formula, places, letters, up_to_a_constant=what == "activation"):
                reason = f"line {stated.line} states another {what}, {plain(key)}, than the model's, {formula.text}"
                raise UnreadableError(f"{reason}: name the model that is meant in the markup", stated.statement.start)


def _declared(key: str, around: str, spec: Spec) -> Iterator[tuple[str, Formula, Mapping[str, NDArray[np.float64]]]]:
    """Which function of the spec a letter may be by the words around it, with the variables of the function."""
    activation, energy = spec.student.activation, spec.loss.energy
    if activation is not None and (_ACTIVATION.search(around) or (key == "sigma" and not _OTHERWISE.search(around))):
        yield "activation", activation, {"x": _PLACES}
    elif energy is not None and _LOSS.search(around) and not _ACTIVATION.search(around):
        yield "loss", energy, {"h": _PLACES, "y": np.ones_like(_PLACES)}


def _around(document: Document, stated: Stated) -> str:
    """The words of the sentence around a formula."""
    start, end = stated.statement.start, stated.statement.end
    before = re.split(_SENTENCE, document.visible[max(0, start - _NEAR) : start])[-1]
    after = re.split(_SENTENCE, re.sub(r"\A\s*\\end\{[^}]*\}", "", document.visible[end : end + _NEAR]))[0]
    return f"{before} {after}"


def _is_stated(
    stated: Stated,
    variable: str,
    formula: Formula,
    places: Mapping[str, NDArray[np.float64]],
    letters: Letters,
    *,
    up_to_a_constant: bool,
) -> bool:
    """Whether a statement writes out a function of the spec; a centred activation loses its constant."""
    own = formula_tree(formula.root)
    names = {name: np.full(len(_PLACES), _PARAMETERS[k % 4]) for k, name in enumerate(sorted(letters.meaning.controls))}
    names |= {**places, "variable": _PLACES}
    for side in stated.statement.sides[1:]:
        try:
            tree = substituted(parsed(side, letters.declared), variable, sym("@variable"))
            difference = _value(letters.meaning.resolve(tree), names) - _value(own, names)
        except UnreadableError:
            return False
        if not np.allclose(difference, difference[0] if up_to_a_constant else 0.0, atol=1e-10):
            return False
    return True


def _value(tree: Node, names: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    for name in used_names(tree) - names.keys():
        raise UnreadableError(f"{name} has no value", tree.start)
    return Evaluator(dict(names))(tree) + np.zeros(len(_PLACES))
