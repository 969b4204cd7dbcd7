"""Checks of labels, losses and regularizations by sampling: they must be real wherever they are averaged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

from spinodal.spec.ast import Compare, Logic, Node, names
from spinodal.spec.errors import SpecError
from spinodal.spec.evaluation import FLOATS, evaluate
from spinodal.spec.types import Formula

Complain = Callable[[Formula, str, str | None], SpecError]

_GRID = (-4.1, -2.03, -1.07, -0.51, -0.13, 0.11, 0.53, 1.03, 2.07, 4.3)
_MOST_LABELS = 12
#: Where a comparison is asked whether it ever stops changing, and how often one of closed form may change.
_WIDE_REACH, _WIDE_POINTS, _MOST_CHANGES = 700.0, 500, 50


def check_label(
    label: Formula, flip_probability: Formula | None, values: Mapping[str, float], complain: Complain
) -> list[float]:
    """A label is a real number at every field; only labels of +-1 can be flipped.

    Returns:
        Some of the labels that occur.

    Raises:
        SpecError: otherwise.
    """
    found: set[float] = set()
    noises = _GRID if "noise" in names(label.root) else _GRID[:1]
    for u, noise in ((u, noise) for u in _GRID for noise in noises):
        found.update(_real(label, {**values, "u": u, "noise": noise}, ("u", "noise"), complain))
    if flip_probability is not None and not found <= {-1.0, 1.0}:
        raise complain(flip_probability, "only labels of +-1 can be flipped", 'as those of label = "sign(u)"')
    ordered = sorted(found)
    return ordered[:: 1 + len(ordered) // _MOST_LABELS]


def check_loss_is_real(loss: Formula, labels: list[float], values: Mapping[str, float], complain: Complain) -> None:
    """A loss has a value at every student's field.

    Raises:
        SpecError: otherwise.
    """
    for y, h in ((y, h) for y in labels for h in _GRID):
        for _ in _real(loss, {**values, "y": y, "h": h}, ("y", "h"), complain):
            pass


def check_constraint_can_hold(
    constraint: Formula, labels: list[float], values: Mapping[str, float], complain: Complain
) -> None:
    """A constraint whose comparisons are linear in h leaves some field for labels of +-1; others are left to the derivation.

    Raises:
        SpecError: otherwise.
    """
    for y in (y for y in labels if abs(y) == 1.0):
        env = {**values, "y": y}
        if any(_changes(comparison, env) > _MOST_CHANGES for comparison in _comparisons(constraint.root)):
            raise complain(
                constraint,
                "the condition has more solutions than closed forms were found for",
                "write it as comparisons with finitely many closed-form solutions",
            )
        try:
            edges = sorted({edge for comparison in _comparisons(constraint.root) for edge in _edge(comparison, env)})
            between = [(a + b) / 2 for a, b in pairwise(edges)] if edges else [0.0]
            beyond = [edges[0] - 1.0, edges[-1] + 1.0] if edges else []
            possible = any(evaluate(constraint.root, {**env, "h": h}, context=FLOATS) for h in (*between, *beyond))
        except (ArithmeticError, ValueError):
            continue
        if not possible:
            raise complain(
                constraint, f"no field h satisfies the constraint when y = {y:g}", "check the comparison's direction"
            )


def _comparisons(node: Node) -> Iterator[Compare]:
    if isinstance(node, Logic):
        for operand in node.operands:
            yield from _comparisons(operand)
    elif isinstance(node, Compare):
        yield node


def _changes(comparison: Compare, env: Mapping[str, float]) -> int:
    """How often a comparison changes its truth on a wide grid: a periodic function of h never stops."""
    truths = []
    for k in range(_WIDE_POINTS):
        at = {**env, "h": _WIDE_REACH * (2.0 * (k + 0.5) / _WIDE_POINTS - 1.0)}
        try:
            truths.append(bool(evaluate(comparison, at, context=FLOATS)))
        except (ArithmeticError, ValueError):
            continue
    return sum(a != b for a, b in pairwise(truths))


def _edge(comparison: Compare, env: Mapping[str, float]) -> Iterator[float]:
    """Where a comparison linear in h changes its truth.

    Raises:
        ValueError: if it is not linear.
    """

    def excess(h: float) -> float:
        at = {**env, "h": h}
        left, right = (evaluate(side, at, context=FLOATS) for side in (comparison.left, comparison.right))
        return float(left) - float(right)

    level, slope = excess(0.0), excess(1.0) - excess(0.0)
    for h in _GRID:
        if abs(excess(h) - level - slope * h) > 1e-12 * (abs(level) + abs(slope * h)):
            raise ValueError("not linear")
    if slope:
        yield -level / slope


def check_regularization(
    regularization: Formula, values: Mapping[str, float], complain: Complain, *, must_confine: bool
) -> None:
    """A regularization is real; that of unconstrained weights keeps them from running away.

    Raises:
        SpecError: otherwise.
    """

    def at(w: float) -> float:
        return next(_real(regularization, {**values, "w": w}, ("w",), complain), math.inf)

    for w in _GRID:
        at(w)
    if must_confine and min(at(1e3), at(-1e3)) <= max(at(w) for w in _GRID):
        raise complain(
            regularization,
            "the regularization does not grow with |w|, so that unconstrained weights run away",
            "as w**2/2 does",
        )


def _real(formula: Formula, env: Mapping[str, float], variables: tuple[str, ...], complain: Complain) -> Iterator[float]:
    """The formula's value; nothing at a pole or beyond the range of floats."""
    try:
        value = float(evaluate(formula.root, env, context=FLOATS))
    except ArithmeticError:
        return
    except ValueError as error:
        where = ", ".join(f"{name} = {env[name]:.3g}" for name in variables)
        raise complain(formula, f"not a real number at {where}: {error}", "it must be real everywhere") from None
    if math.isfinite(value):
        yield value
