r"""The limit of no replicas on a left side, ``\lim_{n\to0}\frac{\langle V^n\rangle-1}{n}``: the average of the logarithm.

As n goes to 0 the average of the n-th power is one plus n times the average of the logarithm, and no more of it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from spinodal.verify.derivatives import derivative
from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.tokens import Token
from spinodal.verify.tree import Node, fn, free_symbols, mul, neg, num, substituted, sym


def without_limit(tokens: Sequence[Token]) -> tuple[list[Token], str]:
    r"""Tokens without a ``\lim_{n\to0}``, and the letter that vanishes; empty where there is none."""
    for at, token in enumerate(tokens):
        inside = [t.text for t in tokens[at + 1 : at + 7]]
        if token.kind == "command" and token.text == "lim" and inside[:2] == ["_", "{"] and inside[3:] == ["to", "0", "}"]:
            return [*tokens[:at], *tokens[at + 7 :]], inside[2]
    return list(tokens), ""


def limit(tree: Node, replicas: str, moment: str, log_volume: str) -> Node:
    """What a side tends to as the number of replicas vanishes.

    Args:
        tree: the side.
        replicas: the key of the number of replicas.
        moment: that of the average of the volume's power.
        log_volume: that of the average of its logarithm, in which the limit is written.

    Raises:
        UnreadableError: if it is no ratio that vanishes above and below.
    """
    power = fn("exp", mul(sym(replicas, tree.start, tree.start), sym(log_volume, tree.start, tree.end)))
    halves = _ratio(substituted(tree, moment, power))
    if not all(_vanishes(substituted(half, replicas, num(0))) for half in halves):
        raise UnreadableError(
            "this limit of no replicas is not read: it is no ratio that vanishes above and below", tree.start
        )
    above, below = (substituted(derivative(half, replicas), replicas, num(0)) for half in halves)
    return Node("div", None, (above, below), tree.start, tree.end)


def _vanishes(tree: Node) -> bool:
    """Whether a tree is 0 whatever its letters are."""
    for count, key in enumerate(sorted(free_symbols(tree)), 1):
        tree = substituted(tree, key, num(Fraction(2 * count + 1, 7)))
    try:
        return bool(np.all(np.abs(Evaluator({"": np.zeros(1)})(tree)) < 1e-14))
    except UnreadableError:
        return False


def _ratio(tree: Node) -> tuple[Node, Node]:
    """A product of ratios as one."""
    if tree.kind == "neg":
        above, below = _ratio(tree.args[0])
        return neg(above), below
    if tree.kind == "div":
        (above, below), (under, over) = _ratio(tree.args[0]), _ratio(tree.args[1])
        return mul(above, over), mul(below, under)
    if tree.kind == "mul":
        halves = [_ratio(a) for a in tree.args]
        return mul(*(above for above, _ in halves)), mul(*(below for _, below in halves))
    return tree, num(1, tree.start, tree.start)
