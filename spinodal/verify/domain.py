r"""Parameters far from the usual ones: other signs, other sizes, and both sides of what a claim is not smooth in.

An equation with ``|\kappa|`` or ``\Theta(\alpha - 2)`` has been checked only where it was compared on either side, as far as
the model has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.functions import kinked
from spinodal.verify.reference import Array, Points, Reference
from spinodal.verify.tree import Node, free_symbols

#: Decades around the usual values that parameters are drawn from, the closest first, and how many of each.
_DECADES, _DRAWS = (0.5, 1.5, 3.0), 1500
#: Candidates whose equations are evaluated.
_TRIED = 40
_WANTED = 2
_SEED = 1907


def kinks(tree: Node) -> Iterator[Node]:
    """The arguments of functions that are not smooth, if they depend on nothing but names of the model."""
    for argument in kinked(tree):
        if (free := free_symbols(argument)) and all(str(key).startswith("@") for key in free):
            yield argument


def values_at(argument: Node, reference: Reference, at: Points) -> Array:
    """The values of a formula in the model's names; nan where it has none."""
    names = reference.names(at)
    try:
        return Evaluator(names)(argument)
    except (UnreadableError, KeyError):
        pass
    found = np.full(len(at), np.nan)
    for k in range(len(at)):
        try:
            found[k] = Evaluator({name: values[k : k + 1] for name, values in names.items()})(argument)[0]
        except (UnreadableError, KeyError):
            continue
    return found


def other_side(reference: Reference, argument: Node, sign: float) -> Points:
    """A few states of the domain at which a formula has a sign; none if it seems to have the other sign everywhere."""
    generator = np.random.default_rng(_SEED)
    for decades in _DECADES:
        drawn = _draws(reference, generator, decades)
        with np.errstate(all="ignore"):
            there = np.flatnonzero(sign * values_at(argument, reference, drawn) > 0.0)
            some = Points(drawn.x[there], drawn.p[there])
            margins = np.asarray(reference.module.conditions(some.x, some.p)) if len(some) else np.zeros((0, 1))
        inside = np.flatnonzero(np.all(margins > 1e-3, axis=1))
        kept: list[int] = []
        for k in inside[:_TRIED]:
            point = Points(some.x[k : k + 1], some.p[k : k + 1])
            if len(kept) < _WANTED and reference.allows(point.p[0]) and reference.inside(point):
                kept.append(int(k))
        if kept:
            return Points(some.x[kept], some.p[kept])
    return drawn.head(0)


def _draws(reference: Reference, generator: np.random.Generator, decades: float) -> Points:
    """States and parameters of either sign and several sizes."""
    count = _DRAWS
    columns = []
    for name in reference.parameters:
        if name in reference.fixed:
            columns.append(np.full(count, reference.fixed[name]))
            continue
        default = reference.defaults.get(name)
        if default is None:  # a given overlap
            columns.append(generator.uniform(0.02, 0.98, count))
            continue
        size = 10.0 ** generator.uniform(-decades, decades, count) * (abs(default) or 0.5)
        columns.append(size * (generator.choice([-1.0, 1.0], count) if name not in _POSITIVE else 1.0))
    x = generator.uniform(0.02, 0.98, (count, len(reference.order_parameters)))
    x *= np.array([2.0 if name.endswith("_hat") else 1.0 for name in reference.order_parameters])
    x *= np.where(generator.uniform(size=x.shape) < 0.2, -1.0, 1.0)
    base = reference.free.x[generator.integers(len(reference.free), size=count)]
    near = base * (1.0 + generator.uniform(-0.2, 0.2, x.shape))
    return Points(np.where(generator.uniform(size=(count, 1)) < 0.7, near, x), np.stack(columns, axis=1))


_POSITIVE = frozenset(["alpha", "alpha_T", "T"])


def one_sided(arguments: Sequence[Node], reference: Reference, at: Points) -> list[tuple[Node, float]]:
    """The arguments that have one sign at all points, each with the sign that is missing."""
    found = []
    for argument in arguments:
        values = values_at(argument, reference, at)
        if np.all(values >= 0.0):
            found.append((argument, -1.0))
        elif np.all(values <= 0.0):
            found.append((argument, 1.0))
    return found
