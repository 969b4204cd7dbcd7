r"""What a document says of the model's own letters: ``\hat q \to \alpha\hat q``, ``T = 2/\beta``.

A definition of another letter is honoured (``\beta = 2/T``, ``\hat q = 2\tilde q``). What is said of an order parameter or a
parameter itself cannot change what the model has; where it contradicts how letters are read, what uses them is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from spinodal.verify.derivatives import derivative
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.cursor import Declared
from spinodal.verify.grammar.functions import FUNCTIONS
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.meaning import Definition, Meaning, used_names
from spinodal.verify.sizes import SIZES, Stated, alone_on, symbols_in
from spinodal.verify.statements import Statement, parsed
from spinodal.verify.symbols import default_name, plain
from spinodal.verify.tree import Node, free_symbols, mul, neg, num, substituted, sym, walk

#: Where both sides of what is said of parameters are compared.
_VALUES = (0.37, 1.21, 0.83, 1.57)


def contradictions(statements: Iterable[Stated], meaning: Meaning, declared: Declared) -> dict[str, tuple[str, int]]:
    r"""Letters of parameters and of conventions that what the document says of them contradicts, with reason and place.

    Args:
        statements: the document's.
        meaning: of the letters.
        declared: how mathematics is parsed.
    """
    found: dict[str, tuple[str, int]] = {}
    meaning = replace(meaning, touched=set())  # nothing of this is a use of a definition
    for stated in statements:
        statement = stated.statement
        if set(statement.relations) != {"="} or not all(statement.sides):
            continue
        keys = {key for side in statement.sides for key in symbols_in(side)}
        read = {k for k in keys & meaning.conventions.keys() - meaning.author.keys() if meaning.conventions[k].kind != "num"}
        if not read or any(alone_on(statement.sides[0]) == key for key in read):
            continue
        try:
            trees = [meaning.resolve(statement.parse(k, declared)) for k in range(len(statement.sides))]
            if default_name(alone_on(statement.sides[0]) or "", meaning.controls) is not None:
                trees = [tree for tree in trees if used_names(tree)]  # a number is its value here
            used = frozenset[str]().union(*(used_names(tree) for tree in trees))
            if not used or not used <= set(meaning.controls):
                continue
            names = {name: np.roll(np.array(_VALUES), k) for k, name in enumerate(sorted(used))}
            first, *others = (Evaluator(names)(tree) for tree in trees)
        except UnreadableError:
            continue
        if all(np.allclose(first, other, rtol=1e-10, atol=0.0) for other in others):
            continue
        own = [key for key in keys if default_name(key, meaning.controls) is not None]
        shown = " and ".join(plain(key) for key in sorted(read))
        said = " and ".join(plain(key) for key in sorted({*read, *own}))
        reason = f"what line {stated.line} says of {said} is not so as {shown} is read: define {shown} itself"
        found |= dict.fromkeys((*read, *own), (reason, statement.start))
    return found


def redefined_functions(statements: Iterable[Stated], declared: Declared) -> dict[str, tuple[str, int]]:
    r"""Functions that have a name of their own and that a document defines otherwise: ``\log\equiv\log_2``.

    Args:
        statements: the document's.
        declared: how mathematics is parsed.

    Returns:
        The reason and its place by the name.
    """
    found: dict[str, tuple[str, int]] = {}
    for stated in statements:
        left, *others = stated.statement.sides
        if set(stated.statement.relations) != {"="} or not left or left[0].text not in FUNCTIONS or not all(others):
            continue
        variable = alone_on(left[1:]) or alone_on(left[2:-1])
        if (len(left) > 1 and variable is None) or any(t.text in "_^" for t in left):
            continue
        written = [left, *others] if len(left) > 1 else [(*side, *_applied(side[-1].end)) for side in (left, *others)]
        if not _are_same([*map(tuple, written)], variable or "x", declared):
            reason = f"line {stated.line} defines the function \\{left[0].text} otherwise: write what is meant by it instead"
            found[left[0].text] = reason, stated.statement.start
    return found


def _applied(at: int) -> tuple[Token, ...]:
    return Token("mark", "(", at, at), Token("letter", "x", at, at), Token("mark", ")", at, at)


def _are_same(sides: Sequence[tuple[Token, ...]], variable: str, declared: Declared) -> bool:
    """Whether functions of a variable have the same values; also where they are functions of something else as well."""
    try:
        own = replace(declared, symbols=declared.symbols | {variable})
        trees = [_differentiated(parsed(side, own)) for side in sides]
        if any(node.kind == "call" for tree in trees for node in walk(tree)):
            return False
        if any(free_symbols(tree).keys() != {variable} for tree in trees):
            return any(free_symbols(tree).keys() - {variable} for tree in trees)
        first, *others = (Evaluator({"x": np.array(_VALUES)})(substituted(tree, variable, sym("@x"))) for tree in trees)
    except UnreadableError:
        return False
    return all(np.allclose(first, other, rtol=1e-10, atol=0.0) for other in others)


def _differentiated(tree: Node) -> Node:
    """A tree with its derivatives taken."""
    tree = tree.with_args(tuple(_differentiated(a) for a in tree.args)) if tree.args else tree
    if tree.kind != "diff":
        return tree
    key, order = tree.value
    body = tree.args[0]
    for _ in range(order):
        body = derivative(body, key)
    return body


def microscopic(statements: Iterable[Stated], meaning: Meaning) -> dict[str, tuple[str, int]]:
    r"""Order parameters that a document defines by weights with other numbers than 1/N: ``q = \frac2N\sum_i w_i^2``.

    Sums over sites are not read; with ``\frac1N`` before them they are taken for what the model has.

    Returns:
        The reason and its place by key.
    """
    found: dict[str, tuple[str, int]] = {}
    for stated in statements:
        statement = stated.statement
        key = alone_on(statement.sides[0]) if statement.relations == ("=",) and all(statement.sides) else None
        mapped = meaning.author.get(key) if key is not None else None
        name = default_name(key, meaning.names) if key is not None else None
        if mapped is not None:
            name = str(mapped.value)[1:] if mapped.kind == "sym" else None
        if key is None or name is None or name in meaning.controls:
            continue
        right = statement.sides[1]
        texts = [token.text for token in right]
        # the D of Dz and the N of a normal law are no sizes
        if "N" not in texts or {"int", "mathcal", "mathbb", "langle"} & set(texts[: texts.index("N")]):
            continue
        before = texts[: texts.index("sum")] if "sum" in texts else texts
        numbers = [text for text, token in zip(before, right, strict=False) if token.kind == "number"]
        if "sum" not in texts:  # squares of vectors
            powers = [text for sign, text in pairwise(before) if sign == "^"]
            numbers = [n for n in numbers if n != "1"][len([p for p in powers if p == "2"]) :]
            if not numbers:
                continue
        elif numbers in ([], ["1"]) and "-" not in before[: before.index("N") if "N" in before else None]:
            if _weights_in(right[texts.index("sum") :]) >= 2:
                continue
            shown = plain(key)
            reason = f"{shown} is defined in line {stated.line} by a sum of single weights, where {name} is one of products"
            cure = f"say what it stands for, as in '% spinodal-symbols: {shown} = {name}'"
            found[key] = f"{reason}: {cure if mapped is None else 'one of the two is wrong'}", statement.start
            continue
        if mapped is not None:
            continue
        shown = plain(key)
        reason = f"{shown} is defined in line {stated.line} by weights, with numbers that are not read"
        found[key] = f"{reason}: say what it stands for, as in '% spinodal-symbols: {shown} = {name}'", statement.start
    return found


def _weights_in(tokens: Sequence[Token]) -> int:
    r"""How many weights stand in a sum over sites: letters with its index, squares twice; two where no index is written."""
    texts = [token.text for token in tokens]
    if texts[:2] != ["sum", "_"]:
        return 2
    index = texts[3] if texts[2] == "{" else texts[2]
    stop = next((k for k, t in enumerate(texts) if k > 2 and t == "}"), 2) if texts[2] == "{" else 2
    if texts[stop + 1 : stop + 2] == ["^"]:  # the upper bound
        stop += 2
        level = texts[stop] == "{"
        while level and texts[stop] != "}":
            stop += 1
    rest = texts[stop + 1 :]
    count = sum(1 for sign, text in pairwise(rest) if sign in "_{,}" and text == index)
    squares = sum(1 for sign, text in pairwise(rest) if sign == "^" and text.startswith("2"))
    return count + squares if count else 2


def inverted(statements: Iterable[Stated], meaning: Meaning, declared: Declared) -> dict[str, Definition]:
    r"""Letters that a document relates to the model's by a factor: ``\hat q = 2\tilde q`` says what ``\tilde q`` is.

    Args:
        statements: the document's.
        meaning: of the letters that have one.
        declared: how mathematics is parsed.
    """
    found: dict[str, Definition] = {}
    for stated in statements:
        statement = stated.statement
        key = alone_on(statement.sides[0]) if statement.relations == ("=",) and all(statement.sides) else None
        name = default_name(key, meaning.names) if key is not None else None
        # of a parameter it is a condition, as in "at alpha = 2 alpha_c"
        if key is None or stated.condition is not None or key in meaning.author or name is None or name in meaning.controls:
            continue
        try:
            body = statement.parse(1, declared)
        except UnreadableError:
            continue
        letters = free_symbols(body)
        strange = [k for k in letters if _is_unknown(k, meaning)]
        known = {default_name(k, meaning.controls) for k in letters if k not in strange}
        if len(strange) != 1 or None in known or any(k in meaning.author for k in letters):
            continue
        base = strange[0].partition("_")[0].partition("^")[0]
        if body.kind == "sym" or default_name(base, meaning.names) is not None:  # q = q_c, q = 2 q_c say where something is
            continue
        if (factor := factor_of(body, strange[0])) is None:
            continue
        value = Node("div", None, (sym(key), factor), statement.start, statement.end)
        own = Definition(strange[0], None, value, offset=statement.start)
        earlier = found.setdefault(strange[0], own)
        if earlier.body != own.body:
            twice = f"it is related to the model's letters twice, differently (line {stated.line})"
            found[strange[0]] = Definition(strange[0], None, None, twice, statement.start)
    return found


def _is_unknown(key: str, meaning: Meaning) -> bool:
    named = default_name(key, [*meaning.names, *meaning.derived]) is not None
    return not (
        named or key in ("e", *meaning.author, *meaning.definitions, *meaning.conventions, *meaning.potentials, *SIZES)
    )


def factor_of(body: Node, key: str) -> Node | None:
    """What a letter is multiplied by, if that is all that is done with it."""
    if body.kind == "sym":
        return num(1) if body.value == key else None
    if body.kind == "neg":
        inner = factor_of(body.args[0], key)
        return None if inner is None else neg(inner)
    if body.kind == "div" and key not in free_symbols(body.args[1]):
        inner = factor_of(body.args[0], key)
        return None if inner is None else body.with_args((inner, body.args[1]))
    if body.kind == "mul":
        with_key = [k for k, a in enumerate(body.args) if key in free_symbols(a)]
        inner = factor_of(body.args[with_key[0]], key) if len(with_key) == 1 else None
        return None if inner is None else mul(*(inner if k == with_key[0] else a for k, a in enumerate(body.args)))
    return None


def rescaled_through(
    rescaled: Mapping[str, tuple[str, int]], conventions: Mapping[str, Node], names: Collection[str]
) -> dict[str, tuple[str, int]]:
    r"""Letters that are read through a rescaled one: ``\beta`` where ``T \to T/2``, with its reason and place."""
    found = {}
    for key, (reason, place) in rescaled.items():
        own = sym(f"@{default_name(key, names)}")
        for other, tree in conventions.items():
            if own in walk(tree):
                found[other] = f"{plain(other)} is read through {plain(key)}: {reason}", place
    return found


def rescalings(
    statements: Iterable[tuple[Statement, int]], names: Collection[str], offset: int, declared_at: Mapping[str, int]
) -> dict[str, tuple[str, int]]:
    r"""Letters of the model that the text before a claim rescales (``\hat q \to \alpha\hat q``), with reason and place.

    Which side of such an arrow is the letter from there on is a matter of habit, so that what uses it is refused unless a
    symbol map below the arrow says what the letter stands for.

    Args:
        statements: the document's, with their lines.
        names: order parameters and parameters.
        offset: of the claim.
        declared_at: the place of the last entry of the symbol map for each key.
    """
    found = {}
    for statement, line in statements:
        if (
            statement.relations not in (("to",), ("mapsto",), ("gets",))
            or statement.start > offset
            or not all(statement.sides)
        ):
            continue
        key = alone_on(statement.sides[0])
        right = statement.sides[1]
        if key is None or alone_on(right) is not None or key not in symbols_in(right):
            continue
        name = default_name(key, names)
        if (name is None and key not in declared_at) or declared_at.get(key, -1) > statement.start:
            continue
        shown = plain(key)
        example = f"'% spinodal-symbols: {shown} = {name or 'NAME'}'"
        reason = f"{shown} is rescaled in line {line}: say below it what {shown} stands for from there on, as in {example}"
        found[key] = f"{reason} or with its factor", statement.start
    return found
