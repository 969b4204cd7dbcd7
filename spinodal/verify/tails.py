"""Why a formula has no value in double precision: sums that cancel in the tails of their functions."""

from __future__ import annotations

from spinodal.verify.tree import Node, walk

#: Functions of which sums are 1 - 1 in their tails.
_BOUNDED = frozenset(["erf", "normal", "tanh"])


def not_finite(tree: Node) -> str:
    """The reason why a formula has no finite real value, for its author.

    Rounding may be the reason where what a logarithm is taken of, or what is divided by, is a sum that cancels.
    """
    for node in walk(tree):
        inside = None
        if node.kind == "fn" and node.value == "log":
            inside = node.args[0]
        elif node.kind == "div":
            inside = node.args[1]
        if inside is not None and any(_cancels(part) for part in walk(inside)):
            return (
                "in double precision, the formula has no finite real value at a random point of the domain; a sum of "
                "erf, Phi or tanh may cancel there in their tails: write what is small itself, as erfc(x) for 1 - erf(x)"
            )
    return "the formula has no finite real value at a random point of the domain"


def _cancels(node: Node) -> bool:
    return node.kind == "add" and any(part.kind == "fn" and part.value in _BOUNDED for a in node.args for part in walk(a))
