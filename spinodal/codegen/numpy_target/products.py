"""Weighted sums of products over nodes with few passes over memory.

Averages of products such as f1 f1 g, f2 g, f1 f2 g are sums of weight * product. Each is split into two factors, A B, of
which A carries the weight; the sum is then one dot product, and partial products are shared between averages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TypeAlias

import sympy as sp

from spinodal.codegen.ir import Assign, Call, Inner
from spinodal.codegen.nodes import reads
from spinodal.codegen.numpy_target.printer import source

Item: TypeAlias = Assign | Call | Inner
#: The factors of a product with their powers, in the order of their text.
_Monomial: TypeAlias = tuple[tuple[sp.Expr, int], ...]
_ONE: _Monomial = ()
#: Products of more factors are left as they are: the number of splits grows exponentially.
_MOST_FACTORS = 8


@dataclass
class Sums:
    """What computes the sums: ``lines`` that come first, and one expression for each sum."""

    lines: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)


def weighted_sums(body: Sequence[Item], outputs: Sequence[sp.Expr]) -> tuple[list[Item], Sums]:
    """Rewrite sums over nodes of weight * output.

    Args:
        body: what a kernel computes on its nodes, in order.
        outputs: the expressions to be summed.

    Returns:
        The body without the products that only outputs used, and the sums.
    """
    body, outputs = _inlined(list(body), list(outputs))
    monomials = [_factors(output) for output in outputs]
    frequency = Counter(factor for monomial in monomials for factor, _ in monomial)
    splits = _Splits(frequency)
    for index in sorted(range(len(monomials)), key=lambda k: (_degree(monomials[k]), k)):
        splits.add(index, monomials[index])
    sums = Sums(splits.lines)
    for index in range(len(monomials)):
        weighted, plain = splits.chosen[index]
        sums.values.append(f"runtime.dot({weighted}, {plain})" if plain else f"runtime.total({weighted})")
    return body, sums


def _inlined(body: list[Item], outputs: list[sp.Expr]) -> tuple[list[Item], list[sp.Expr]]:
    """Products that were named for the outputs' sake, put back into them."""
    special = {symbol for item in body if isinstance(item, Call) for _, symbol in item.outputs}
    special |= {symbol for item in body if isinstance(item, Inner) for symbol, _ in item.outputs}
    changed = True
    while changed:
        changed = False
        products = {item.target for item in body if isinstance(item, Assign)}
        for item in body:
            if not isinstance(item, Assign) or not _is_product(item.expression, special):
                continue
            readers = [other for other in body if item.target in reads(other)]
            if all(isinstance(reader, Assign) and _is_product(reader.expression, special | products) for reader in readers):
                replacement = {item.target: item.expression}
                outputs = [output.xreplace(replacement) for output in outputs]
                body = [
                    Assign(other.target, other.expression.xreplace(replacement)) if isinstance(other, Assign) else other
                    for other in body
                    if other is not item
                ]
                changed = True
                break
    return body, outputs


def _is_product(expression: sp.Expr, arrays: set[sp.Symbol]) -> bool:
    """Whether an expression is a product of these arrays and nothing else."""
    return all(factor in arrays for factor, _ in _factors(expression)) and not expression.is_Symbol


def _factors(expression: sp.Expr) -> _Monomial:
    powers: Counter[sp.Expr] = Counter()
    for factor in sp.Mul.make_args(expression):
        base, exponent = factor.as_base_exp()
        if base.is_Symbol and exponent.is_Integer and 0 < exponent <= _MOST_FACTORS:
            powers[base] += int(exponent)
        elif factor != 1:
            powers[factor] += 1
    return _ordered(powers)


def _ordered(powers: Counter[sp.Expr]) -> _Monomial:
    return tuple(sorted(((f, n) for f, n in powers.items() if n), key=lambda pair: str(pair[0])))


def _degree(monomial: _Monomial) -> int:
    return sum(power for _, power in monomial)


def _without(monomial: _Monomial, part: _Monomial) -> _Monomial:
    powers = Counter(dict(monomial))
    powers.subtract(dict(part))
    return _ordered(powers)


def _parts(monomial: _Monomial) -> list[_Monomial]:
    """Every product of some of the factors."""
    ranges = [range(power + 1) for _, power in monomial]
    return [_ordered(Counter({f: n for (f, _), n in zip(monomial, powers, strict=True)})) for powers in product(*ranges)]


class _Splits:
    """Products computed so far, with the weight and without, by their factors."""

    def __init__(self, frequency: Counter[sp.Expr]) -> None:
        self.frequency = frequency
        self.weighted: dict[_Monomial, str] = {_ONE: "weight"}
        self.plain: dict[_Monomial, str] = {}
        self.lines: list[str] = []
        self.chosen: dict[int, tuple[str, str]] = {}

    def add(self, index: int, monomial: _Monomial) -> None:
        """Choose the split of one product that needs the fewest new ones; then the one whose parts are shared most."""
        if _degree(monomial) > _MOST_FACTORS:
            candidates = [_ONE]
        else:
            candidates = [part for part in _parts(monomial) if part != monomial or not monomial]

        def cost(part: _Monomial) -> tuple[int, int, str]:
            rest = _without(monomial, part)
            new = self._missing(part, self.weighted) + self._missing(rest, self.plain)
            shared = sum(self.frequency[factor] * power for factor, power in part)
            return new, -shared, str(part)

        best = min(candidates, key=cost)
        self.chosen[index] = self._make(best, weighted=True), self._make(_without(monomial, best), weighted=False)

    def _missing(self, monomial: _Monomial, known: dict[_Monomial, str]) -> int:
        """The multiplications that a product still needs."""
        if monomial in known:
            return 0
        base = _degree(self._largest(monomial, known))
        return _degree(monomial) - base - (0 if base or known is self.weighted else 1)

    def _largest(self, monomial: _Monomial, known: dict[_Monomial, str]) -> _Monomial:
        inside = [part for part in known if not _exceeds(part, monomial)]
        return max(inside, key=lambda part: (_degree(part), str(part)), default=_ONE)

    def _make(self, monomial: _Monomial, *, weighted: bool) -> str:
        """The name of a product, computed factor by factor (the most frequent first) from the largest known one."""
        known = self.weighted if weighted else self.plain
        if monomial in known:
            return known[monomial]
        if not monomial:
            return ""
        if not weighted and _degree(monomial) == 1:
            return source(monomial[0][0])
        have = self._largest(monomial, known)
        rest = [factor for factor, power in _without(monomial, have) for _ in range(power)]
        rest.sort(key=lambda factor: (-self.frequency[factor], str(factor)))
        name = known.get(have, "")
        for factor in rest:
            have = _ordered(Counter(dict(have)) + Counter({factor: 1}))
            if not name:
                name = source(factor)
                continue
            new = f"{'weight_' if weighted else '_product_'}{len(known)}"
            self.lines.append(f"{new} = {name}*{source(factor)}")
            known[have] = name = new
        return name


def _exceeds(part: _Monomial, monomial: _Monomial) -> bool:
    powers = dict(monomial)
    return any(power > powers.get(factor, 0) for factor, power in part)
