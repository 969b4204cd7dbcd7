"""Checks of labels, losses and regularizations by sampling: they must be real wherever they are averaged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from spinodal.spec.errors import SpecError
from spinodal.spec.evaluation import FLOATS, evaluate
from spinodal.spec.types import Formula

Complain = Callable[[Formula, str, str | None], SpecError]

_GRID = (-4.1, -2.03, -1.07, -0.51, -0.13, 0.11, 0.53, 1.03, 2.07, 4.3)
_MOST_LABELS = 12


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
    for u, noise in ((u, noise) for u in _GRID for noise in _GRID):
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
