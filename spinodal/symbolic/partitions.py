"""How formulas cut the line into pieces, as a derivation found it at the parameters' defaults.

Edges are symbolic, but their order, their number, and what is true between them are decided in numbers. A partition says
what was decided, so that a solver can tell whether it still holds at other parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise

import sympy as sp

#: A sign that could not be decided (the expression vanishes, or is not real).
UNDECIDED = 0


@dataclass(frozen=True, slots=True)
class Partition:
    """Edges of intervals in increasing order, and the signs of expressions on every interval.

    Attributes:
        variable: the formula's variable.
        edges: [k] the zeros of the expressions.
        expressions: [m] what changes its sign at the edges.
        signs: [k + 1][m] -1, 1 or ``UNDECIDED``.
    """

    variable: sp.Symbol
    edges: tuple[sp.Expr, ...]
    expressions: tuple[sp.Expr, ...]
    signs: tuple[tuple[int, ...], ...]

    def varies_with(self, parameters: Iterable[sp.Symbol]) -> bool:
        """Whether it may be another one at other values of these parameters, its only symbols besides the variable."""
        known = set(parameters)
        free = set().union(*(e.free_symbols for e in (*self.edges, *self.expressions))) - {self.variable}
        if not free or not free <= known:
            return False
        return len(self.edges) > 1 or not all(self._is_fixed(expression) for expression in self.expressions)

    def _is_fixed(self, expression: sp.Expr) -> bool:
        """Whether an expression crosses zero once, in one direction, at all parameters."""
        polynomial = expression.as_poly(self.variable)
        return polynomial is not None and polynomial.degree() == 1 and bool(polynomial.LC().is_number)


_RECORDS: ContextVar[list[Partition] | None] = ContextVar("partitions", default=None)


@contextmanager
def recorded() -> Iterator[list[Partition]]:
    """The partitions that are made inside; an outer recording gets them as well."""
    found: list[Partition] = []
    outer = _RECORDS.get()
    token = _RECORDS.set(found)
    try:
        yield found
    finally:
        _RECORDS.reset(token)
        if outer is not None:
            outer.extend(found)


def record(
    variable: sp.Symbol, edges: Sequence[sp.Expr], expressions: Sequence[sp.Expr], at: Mapping[sp.Symbol, float]
) -> None:
    """Note a partition found at generic parameter values, where partitions are recorded."""
    records = _RECORDS.get()
    if records is None or not expressions:
        return
    places = [float(sp.N(edge.subs(at))) for edge in edges]
    points = [(a + b) / 2 for a, b in pairwise(places)]
    points = [places[0] - 1.0, *points, places[-1] + 1.0] if places else [0.3]
    numbers = [expression.subs(at) for expression in expressions]
    signs = tuple(tuple(_sign(number, variable, point) for number in numbers) for point in points)
    records.append(Partition(variable, tuple(edges), tuple(expressions), signs))


def note(partitions: Iterable[Partition]) -> None:
    """Add partitions that were made before."""
    records = _RECORDS.get()
    if records is not None:
        records.extend(partitions)


def _sign(expression: sp.Expr, variable: sp.Symbol, point: float) -> int:
    value = sp.N(expression.subs(variable, point))
    if not value.is_real or value == 0:
        return UNDECIDED
    return 1 if value > 0 else -1
