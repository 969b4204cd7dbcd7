r"""What the document itself says of the measures that its averages are taken with.

``Dz = \frac{dz}{\sqrt{2\pi}} e^{-z^2/2}`` defines every ``\int Dt``; ``z\sim\mathcal{N}(0, 2)`` the averages over z;
``\langle f(z)\rangle_z = \int Dz f(z)`` what brackets mean. What uses a definition that cannot be read is not read, either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.cursor import Declared
from spinodal.verify.grammar.parser import Parser
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.quadrature import ROOT_2PI
from spinodal.verify.symbols import plain
from spinodal.verify.tree import Bound, Node, add, bound_here, fn, free_symbols, mul, num, sym, walk, with_variable

#: Where an integrand belongs in a definition; no document can contain it.
HERE = "the integrand"
#: Signs of averages that name their variable but not its measure: expectations, brackets, probabilities.
_AVERAGES = frozenset("E<P")
#: Letters that papers give to standard normal variables; weights, signals, labels and fields have others.
_NORMAL = frozenset(["z", "t", "u", "v", "g", "xi", "zeta", "eta", "nu", "Z"])
#: Stands for the dot of an average of anything.
_ANYTHING = "anything"
#: Where a weight is compared with the normal density.
_PLACES = (Fraction(-5, 2), Fraction(-1), Fraction(-1, 3), Fraction(0), Fraction(1, 2), Fraction(2), Fraction(4))


@dataclass(frozen=True)
class Measure:
    r"""One definition: an integral over its variable with a mark where the integrand belongs.

    Attributes:
        sign: ``D`` (``\int Dz``), ``E`` or ``<`` (an average over a subscript), ``~`` (a variable's distribution), or
            ``density`` and ``values`` (what averages that name their variable alone are taken with).
        variable: its key.
        tree: the integral; None where it cannot be read.
        reason: why not.
        offset: where it stands.
        is_template: whether the tree is any formula with marks (``(1-\rho) f(0) + \rho f(1)``, a ratio of integrals).
    """

    sign: str
    variable: str
    tree: Node | None
    reason: str = ""
    offset: int = 0
    is_template: bool = False


@dataclass(frozen=True)
class Measures:
    """The definitions that count at a place of a document, the closest first.

    Attributes:
        known: those that are not the standard normal one.
        normal: variables that the document says to be standard normal.
        usual: ``D``, ``E`` and ``<``, where the document says that they are standard normal averages.
    """

    known: tuple[Measure, ...] = ()
    normal: frozenset[str] = frozenset()
    usual: frozenset[str] = frozenset()

    def applied(self, tree: Node, tokens: Sequence[Token]) -> Node:
        """A tree that was parsed from tokens, its averages taken with the measures that the document defines.

        Raises:
            UnreadableError: where a measure is defined by what cannot be read.
        """
        return self._applied(tree, _signs(tokens))

    def _applied(self, node: Node, signs: dict[int, str]) -> Node:
        inner = node.with_args(tuple(self._applied(a, signs) for a in node.args))
        if node.kind != "int" or not node.value.gaussian:
            return inner
        sign = _sign_of(node, signs)
        measure = self._of(sign, node.value.key)
        if measure is None:
            self._normal(node, sign)
            self._undisputed(node, sign)
            return inner
        if measure.tree is None:
            raise UnreadableError(f"its measure is defined by what cannot be read: {measure.reason}", measure.offset)
        if measure.is_template:
            return self._written_out(measure, measure.tree, inner)
        own, key = measure.tree, node.value.key
        body, low, high = inner.args
        weighted = _filled(_renamed(own.args[0], measure.variable, key), body)
        limits = (low, high) if measure.sign == "D" else own.args[1:]
        found = Node("int", Bound(key, own.value.gaussian), (weighted, *limits), node.start, node.end)
        if own.value.gaussian and measure.sign in "E<":  # defined by an integral whose measure has its own definition
            outer = self._of("D", key)
            return found if outer is None else Measures((outer,))._applied(found, {node.start: "D"})
        return found

    def _normal(self, node: Node, sign: str) -> None:
        """Refuse an average over what is no normal variable by habit, and of which the document does not say that it is."""
        key = str(node.value.key)
        if sign not in _AVERAGES or key in self.normal or sign in self.usual or _is_normal_letter(key, sign):
            return
        shown = plain(key)
        raise UnreadableError(
            f"over what {shown} is averaged is not said: write {shown}\\sim\\mathcal{{N}}(0,1) if it is standard normal, "
            f"else define the average, as in \\mathbb{{E}}_{{{shown}}} f({shown}) = \\frac12 f(1) + \\frac12 f(-1)",
            node.start,
        )

    def _undisputed(self, node: Node, sign: str) -> None:
        """Refuse Dz where the document says that z is distributed otherwise and not what Dz is."""
        key = str(node.value.key)
        law = next((m for m in self.known if m.sign == "~" and m.variable == key), None)
        if sign == "D" and law is not None and "D" not in self.usual:
            shown = plain(key)
            reason = f"the document says that {shown} is not standard normal, and D{shown} is that by habit"
            raise UnreadableError(f"{reason}: define D{shown}, or call one of them by another letter", law.offset)

    def _written_out(self, measure: Measure, template: Node, inner: Node) -> Node:
        key = inner.value.key
        if key != measure.variable:
            what = f"the document defines the average over {plain(measure.variable)}, not that over {plain(key)}"
            raise UnreadableError(what, inner.start)
        if any(m.sign == "D" for m in self.known) and any(n.kind == "int" and n.value.gaussian for n in walk(template)):
            raise UnreadableError("its measure is defined by another one that has its own definition", measure.offset)
        return placed(_put_in(template, key, inner.args[0]), inner)

    def _of(self, sign: str, key: str) -> Measure | None:
        if not sign:
            return None
        sign = "E" if sign == "P" else sign
        signs = (sign, "~", "density", "values") if sign in "E<" else (sign,)
        exact = next((m for each in signs for m in self.known if (m.sign, m.variable) == (each, key)), None)
        return exact if exact is not None else next((m for m in self.known if m.sign == sign), None)


def _sign_of(node: Node, signs: dict[int, str]) -> str:
    """How an average is written: its first sign, which brackets around it may come before."""
    inside = [offset for offset in signs if node.start <= offset < max(node.end, node.start + 1)]
    return signs[min(inside)] if inside else ""


def _signs(tokens: Sequence[Token]) -> dict[int, str]:
    """How the averages that begin at each offset are written; those that name their distribution themselves are left out."""
    found: dict[int, str] = {}
    for index, token in enumerate(tokens):
        sign = {"int": "D", "iint": "D", "iiint": "D", "mathbb": "E", "E": "E", "langle": "<"}.get(token.text)
        if token.text == "mathbb" and any(t.text == "P" for t in tokens[index + 1 : index + 3]):
            sign = "P"
        if sign is None or token.start in found:
            continue
        if sign in ("E", "P") and any(t.text == "sim" for t in _subscript(tokens, index)):
            sign = ""
        found[token.start] = sign
    return found


def _subscript(tokens: Sequence[Token], index: int) -> Sequence[Token]:
    """The group after the first subscript sign close to a place."""
    opening = next((k for k in range(index, min(index + 6, len(tokens) - 1)) if tokens[k].text == "_"), None)
    if opening is None or tokens[opening + 1].text != "{":
        return ()
    level = 0
    for stop in range(opening + 1, len(tokens)):
        level += (tokens[stop].text == "{") - (tokens[stop].text == "}")
        if level == 0:
            return tokens[opening + 1 : stop]
    return ()


def defined_measure(left: Sequence[Token], relation: str, right: Sequence[Token], declared: Declared) -> Measure | None:
    """The measure that a statement defines, or None if it defines none. Standard ones are definitions, too."""
    if not left or not right:
        return None
    start = left[0].start
    if relation == "sim":
        key = _alone(left)
        return None if key is None else guarded("~", key, start, lambda: _normal(key, right, declared))
    if relation != "=":
        return None
    variable = _differential(left)
    if variable is not None:
        if not any(t.text in ("d", "D") for t in right):
            return None
        return guarded("D", variable, start, lambda: _weight(variable, right, declared))
    if left[0].text in ("langle", "mathbb", "E", "int"):
        return _average(left, right, declared)
    return None


def guarded(sign: str, key: str, start: int, tree: Callable[[], Node]) -> Measure:
    """A measure whose tree is made here, or why there is none."""
    try:
        return Measure(sign, key, tree(), offset=start)
    except UnreadableError as error:
        return Measure(sign, key, None, error.reason, error.offset if error.offset is not None else start)


def _end(tokens: Sequence[Token]) -> Token:
    return Token("end", "", tokens[-1].end, tokens[-1].end)


def _alone(tokens: Sequence[Token]) -> str | None:
    parser = Parser([*tokens, _end(tokens)])
    try:
        key = parser.symbol_key()
    except UnreadableError:
        return None
    return key if parser.at("end") else None


def _differential(tokens: Sequence[Token]) -> str | None:
    """The variable of ``Dz``, if that is all there is."""
    parser = Parser([*tokens, _end(tokens)])
    try:
        sign, key = parser.symbol_key(), parser.symbol_key()
    except UnreadableError:
        return None
    return key if sign in ("D", "D@cal") and parser.at("end") else None


def _weight(variable: str, right: Sequence[Token], declared: Declared) -> Node:
    at = right[0].start
    own = replace(declared, symbols=declared.symbols | {HERE}, averages=None)
    tokens = [Token("command", "int", at, at), *right, Token("word", HERE, right[-1].end, right[-1].end), _end(right)]
    tree = Parser(tokens, own).whole()
    infinite = Node("const", "inf")
    if tree.kind != "int" or tree.value.gaussian or tree.value.key != variable or tree.args[2] != infinite:
        raise UnreadableError(f"no weight before the differential of {variable} alone", at)
    return tree


def _normal(key: str, right: Sequence[Token], declared: Declared) -> Node:
    at = right[0].start
    texts = [t.text for t in right]
    opening = texts.index("(") if "(" in texts else len(texts)
    if "".join(texts[:opening]) not in ("N", "mathcal{N}", "mathcalN") or texts[-1] != ")":
        raise UnreadableError("only normal distributions are read", at)
    level, comma = 0, None
    for k in range(opening, len(texts)):
        level += (texts[k] in "([{") - (texts[k] in ")]}")
        if level == 1 and texts[k] in (",", ";"):
            comma = k
    if comma is None:
        raise UnreadableError("a normal distribution without mean and variance", at)
    mean, variance = (
        Parser([*part, _end(part)], declared).whole() if part else num(0)
        for part in (right[opening + 1 : comma], right[comma + 1 : -1])
    )
    scaled = mul(fn("sqrt", variance), sym(key))
    body = Node("let", (key,), (scaled if mean == num(0) else add(mean, scaled), sym(HERE)), at, at)
    infinity = Node("const", "inf")
    return Node("int", Bound(key, True), (body, Node("neg", None, (infinity,)), infinity), at, at)


def _average(left: Sequence[Token], right: Sequence[Token], declared: Declared) -> Measure | None:
    r"""``\langle f(z)\rangle_z = \int Dz\, w(z) f(z)``; None for what only looks like it."""
    sign, start = {"langle": "<", "int": "D"}.get(left[0].text, "E"), left[0].start
    left, right = _with_letter(left), _with_letter(right)
    of_variable = _with_subscript(left)
    if of_variable is not None:  # of a function of a variable: what it is distributed by
        sign, left = "~", of_variable
    functions = frozenset(token.text for token, after in pairwise(left) if token.kind == "letter" and after.text == "(")
    own = replace(declared, functions=declared.functions | functions - {"E"}, averages=None)
    try:
        shown = Parser([*left, _end(left)], own).whole()
    except UnreadableError as error:
        if sign == "D" or not any(t.text == "_" for t in left):
            return None
        return Measure(sign, "", None, error.reason, start)
    if shown.kind != "int" or shown.args[0].kind not in ("call", "sym") or shown.args[0].value == shown.value.key:
        return None
    variable, argument = shown.value.key, shown.args[0]
    texts = {t.text for t in right}
    # a sum over values is one of any function, which is no letter and no function that the document writes out
    anything = argument.kind == "call" and argument.value not in declared.functions and argument.value in texts
    if not anything and not texts & {"int", "langle"}:
        return None
    try:
        whole = Parser([*right, _end(right)], own).whole()
    except UnreadableError as error:
        return Measure(sign, variable, None, error.reason, error.offset if error.offset is not None else start)
    template = _template(whole, argument)
    written_out = Measure(sign, variable, template, offset=start, is_template=True) if template != whole else None
    if sign != "D" and written_out is not None and (whole.kind != "int" or argument.kind == "sym"):
        return written_out

    def tree() -> Node:
        found = whole
        if found.kind != "int":
            raise UnreadableError("no single integral", right[0].start)
        inside = _renamed(found.args[0], found.value.key, variable)
        marked = _replaced(inside, argument)
        factors = marked.args if marked.kind == "mul" else (marked,)
        if sum(f == sym(HERE) for f in factors) != 1 or marked == inside:
            raise UnreadableError("the function that is averaged is no factor of the integrand", right[0].start)
        if sign == "D" and found.args[2] != Node("const", "inf"):
            raise UnreadableError("it has limits of its own", right[0].start)
        return Node("int", Bound(variable, found.value.gaussian), (marked, *found.args[1:]), start, start)

    if sign == "D":
        return guarded(sign, variable, start, tree)
    measure = guarded(sign, variable, start, tree)
    return written_out if measure.tree is None and written_out is not None else measure


def _with_subscript(left: Sequence[Token]) -> Sequence[Token] | None:
    r"""``\mathbb{E}[g(\xi)]`` as ``\mathbb{E}_\xi[g(\xi)]``; None for what is not the mean of a function of a variable."""
    texts = [t.text for t in left]
    if texts[0] == "int" or "_" in texts or texts.count("(") not in (1, 2):
        return None
    opening = max(k for k, text in enumerate(texts) if text == "(")
    closing = texts.index(")", opening) if ")" in texts[opening:] else opening
    variable = left[opening + 1 : closing]
    if not variable or _alone(variable) is None or left[opening - 1].kind != "letter" or texts[opening - 1] == "E":
        return None
    at = left[0].start
    script = [Token("mark", "_", at, at), Token("mark", "{", at, at), *variable, Token("mark", "}", at, at)]
    place = texts.index("E") + 1 if "E" in texts else len(left)
    place += texts[place : place + 1] == ["}"]
    return [*left[:place], *script, *left[place:]]


def _with_letter(tokens: Sequence[Token]) -> Sequence[Token]:
    r"""Tokens with a letter for the dot of ``\langle\cdot\rangle_z``, ``(\cdot)``."""
    found: list[Token] = []
    pairs = {"langle": "rangle", "(": ")", "[": "]"}
    for index, token in enumerate(tokens):
        between = 0 < index < len(tokens) - 1 and pairs.get(tokens[index - 1].text) == tokens[index + 1].text
        if between and token.kind == "mark" and token.text == "*":
            if tokens[index - 1].text != "langle":  # after a differential a bracket would be its argument
                found.pop()
            found.append(Token("word", _ANYTHING, token.start, token.end))
        elif not (found and found[-1].text == _ANYTHING and token.text in (")", "]")):
            found.append(token)
    return found


def _template(tree: Node, argument: Node) -> Node:
    """A formula with a mark wherever the function that is averaged stands, at whatever value.

    A function that is written with its argument knows nothing of the variables of the formula, whose names are changed; one
    that is written without depends on them.
    """
    if argument.kind == "sym":
        return _replaced(tree, argument)
    args = tuple(_template(a, argument) for a in tree.args)
    if tree.kind == "call" and tree.value == argument.value and len(args) == 1:
        return Node("call", HERE, args)
    found = tree.with_args(args)
    for key in sorted(bound_here(found)):
        if found.kind in ("int", "sum"):
            found = with_variable(found, key, f"{key} of the average")
    return found


def _put_in(template: Node, key: str, body: Node) -> Node:
    if template.kind == "sym" and template.value == HERE:
        return body
    args = tuple(_put_in(a, key, body) for a in template.args)
    if template.kind == "call" and template.value == HERE:
        return Node("let", (key,), (*args, body))
    return template.with_args(args)


def placed(tree: Node, at: Node) -> Node:
    """A tree whose outermost node stands at another one's place."""
    return replace(tree, start=at.start, end=at.end)


def _is_normal_letter(key: str, sign: str) -> bool:
    """Whether a letter is one of those that papers give to standard normal variables."""
    base = key.partition("_")[0].partition("^")[0]
    return base in _NORMAL or (sign == "P" and key == "x")


def _replaced(tree: Node, argument: Node) -> Node:
    if tree == argument:
        return sym(HERE)
    return tree.with_args(tuple(_replaced(a, argument) for a in tree.args))


def _renamed(tree: Node, old: str, new: str) -> Node:
    """A weight in another variable; weights bind none but in the ``let`` that scales it."""
    if old == new:
        return tree
    if tree.kind == "sym":
        return replace(tree, value=new) if tree.value == old else tree
    value = tuple(new if k == old else k for k in tree.value) if tree.kind == "let" else tree.value
    return replace(tree, value=value, args=tuple(_renamed(a, old, new) for a in tree.args))


def _filled(tree: Node, body: Node) -> Node:
    if tree.kind == "sym":
        return body if tree.value == HERE else tree
    return tree.with_args(tuple(_filled(a, body) for a in tree.args))


def is_standard(measure: Measure) -> bool:
    """Whether a measure is the standard normal one, which averages have without a definition."""
    tree = measure.tree
    if tree is None or measure.is_template:
        return False
    key = tree.value.key
    weight = _filled(tree.args[0], num(1))
    if tree.value.gaussian:
        if tree.args[0].kind != "let":
            return tree.args[0] == sym(HERE) and measure.sign == "~"
        return tree.args[0].args[0] == mul(fn("sqrt", num(1)), sym(key))
    if free_symbols(weight).keys() - {key}:
        return False
    found = Evaluator({"": np.zeros(1)})
    try:
        for place in _PLACES:
            density = float(np.exp(-(float(place) ** 2) / 2.0)) / ROOT_2PI
            here = num(place) if place >= 0 else Node("neg", None, (num(-place),))
            value = float(found(Node("let", (key,), (here, weight)))[0])
            if abs(value - density) > 1e-12:
                return False
    except UnreadableError:
        return False
    return True


__all__ = ["HERE", "Measure", "Measures", "defined_measure", "guarded", "is_standard"]
