"""What an ansatz says about n replicas: the tree of their overlaps, its levels by name, and the limits of its sizes.

    RS                  Copies(n, Replica)               levels  q
    1RSB                Copies(n, Copies(m, Replica))    levels  q0, q1
    2RSB                the same once more               levels  q0, q1, q2
    real replicas       Copies(n, Copies(y, Replica))    levels  q0, q1 (q1 given)
    the same, y -> inf  q0 = q1 - dq/y                   levels  q1, dq (q1 given)
    RS, T -> 0          q_d = q + T dq                   levels  q, dq
    1RSB, T -> 0        q_d = q1 + T dq, m = mu T        levels  q0, q1, dq

At T -> 0 conjugates of levels grow as 1/T^2, the conjugate of a difference ``d`` and the free entropy as 1/T: ``limit``
takes its coefficient, minus the ground-state energy. Blocks weigh if they hold a number of replicas that vanishes as T does.

Everything else (pairing, feature block, channels, stationarity) is derived on the tree, for any number of levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import sympy as sp

from spinodal.spec.types import Ansatz
from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.formulas import symbol, to_sympy
from spinodal.symbolic.replicas import Copies, Replica, Tree, nested_copies
from spinodal.symbolic.symbols import INVERSE_TEMPERATURE, N_REPLICAS, with_hat

#: The given size of the inner blocks of copies.
COPIES = symbol("_copies")
#: Given sizes of blocks inside blocks, outermost first.
BLOCKS = (symbol("_copies_1"), symbol("_copies_2"))


@dataclass(frozen=True)
class Structure:
    """Nested copies of one kind of replica.

    Attributes:
        tree: the tree, n copies outermost.
        labels: one per level of overlap from the outermost inwards, without the diagonal.
        sizes: how many replicas the inner copies hold, outermost first (Parisi's m_1, m_2), one fewer than the levels.
        infinite: the size of the innermost copies where it goes to infinity: the last two levels then differ by
            ``d/size``, and the order parameters are the innermost level and ``d``.
        constrained: overlaps that are parameters; their equations are solved for the conjugates.
        extremised: sizes that are order parameters.
        given_sizes: sizes that are given, with their declared values.
        breaks: whether levels differ because the symmetry breaks by itself (and may coincide).
        ground: whether the temperature goes to 0: the self-overlap then exceeds the innermost level by ``T d``, and the
            order parameters are the levels and ``d``, and sizes of blocks are in units of T.
    """

    tree: Copies
    labels: tuple[str, ...]
    sizes: tuple[sp.Expr, ...] = ()
    infinite: sp.Symbol | None = None
    constrained: tuple[sp.Symbol, ...] = ()
    extremised: tuple[sp.Symbol, ...] = ()
    given_sizes: Mapping[sp.Symbol, sp.Expr] = field(hash=False, default_factory=dict)
    breaks: bool = False
    ground: bool = False

    @property
    def is_replica_symmetric(self) -> bool:
        """Whether all replicas are equivalent."""
        return len(self.labels) == 1

    @property
    def finite_sizes(self) -> tuple[sp.Expr, ...]:
        """The sizes that channels depend on."""
        return self.sizes if self.infinite is None else self.sizes[:-1]

    def names(self, letter: str) -> tuple[sp.Symbol, ...]:
        """The order parameters of one kind of overlap, outermost level first (``q0, q1``), without the diagonal."""
        if not self.has_spread:
            return tuple(symbol(letter + label) for label in self.labels)
        prefix, base = ("_", letter[1:]) if letter.startswith("_") else ("", letter)
        kept = self.labels if self.ground else (*self.labels[:-2], self.labels[-1])
        return (*(symbol(letter + label) for label in kept), symbol(f"{prefix}d{base}"))

    @property
    def has_spread(self) -> bool:
        """Whether the last order parameter of a kind is a difference of levels that has been scaled up."""
        return self.ground or self.infinite is not None

    def innermost(self, letter: str) -> sp.Symbol:
        """The overlap of replicas that share most."""
        return self.names(letter)[-2 if self.has_spread else -1]

    def levels(self, letter: str, *, hat: bool = False) -> tuple[sp.Expr, ...]:
        """The values at each level of the tree, outermost first, without the diagonal."""
        names = tuple(with_hat(x) for x in self.names(letter)) if hat else self.names(letter)
        if self.ground:
            return tuple(INVERSE_TEMPERATURE**2 * x for x in names[:-1]) if hat else names[:-1]
        if self.infinite is None:
            return names
        *outer, top, spread = names
        return (*outer, top - spread / self.infinite, top)

    def diagonal(self, letter: str, value: sp.Expr, *, hat: bool = False) -> sp.Expr:
        """The self-overlap (or its conjugate) that the replica algebra sees; ``value`` unless the temperature goes to 0.

        There ``value`` is the innermost level (a symbol, or the number that it is fixed at).
        """
        if not self.ground:
            return value
        spread = self.names(letter)[-1]
        if not hat:
            return value + spread / INVERSE_TEMPERATURE
        return INVERSE_TEMPERATURE**2 * with_hat(self.innermost(letter)) + INVERSE_TEMPERATURE * value

    def pairs(self, letter: str) -> tuple[tuple[sp.Symbol, sp.Symbol], ...]:
        """Each overlap with the conjugate in whose stationarity it stands alone."""
        names = self.names(letter)
        hats = [with_hat(x) for x in names]
        if self.has_spread:  # -(1/2)(dq q1_hat + q1 dq_hat): crosswise
            hats[-2:] = hats[:-3:-1]
        return tuple(zip(names, hats, strict=True))

    def collapsed(self, letter: str) -> dict[sp.Symbol, sp.Expr]:
        """The order parameters where all levels coincide: each in terms of the replica-symmetric overlap or conjugate."""
        symmetric = symbol(letter)
        table: dict[sp.Symbol, sp.Expr] = dict.fromkeys(self.names(letter), symmetric)
        if self.infinite is not None:
            table[self.names(letter)[-1]] = sp.Integer(0)
        return {**table, **{with_hat(x): with_hat(symmetric) if e == symmetric else e for x, e in table.items()}}

    def merged(self, letter: str) -> dict[sp.Symbol, sp.Symbol]:
        """The order parameters where the two innermost levels coincide, in terms of those of one level less."""
        last = len(self.labels) - 2
        table: dict[sp.Symbol, sp.Symbol] = {}
        for level, name in enumerate(self.names(letter)[: len(self.labels)]):
            merged = symbol(letter + (str(min(level, last)) if last > 0 else ""))
            table |= {name: merged, with_hat(name): with_hat(merged)}
        return table

    def limit(self, expression: sp.Expr) -> sp.Expr:
        """Take an inner size to infinity where it does so: rational terms and logarithms, each at 1/size = 0.

        As T -> 0: the coefficient of 1/T, to which logarithms of determinants contribute as often as there are blocks.
        """
        if self.ground:
            return self._per_temperature(expression)
        if self.infinite is None:
            return expression
        return self._expanded(expression)[0]

    @staticmethod
    def _per_temperature(expression: sp.Expr) -> sp.Expr:
        """The coefficient of 1/T, of rational terms and of logarithms times rational factors."""
        temperature = sp.Dummy("temperature", positive=True)
        rest: list[sp.Expr] = []
        factors: dict[sp.Expr, sp.Expr] = {}
        for term in sp.Add.make_args(sp.expand(expression.subs(INVERSE_TEMPERATURE, 1 / temperature))):
            logs = [f for f in sp.Mul.make_args(term) if isinstance(f, sp.log)]
            if logs:
                (log,) = logs
                factors[log] = factors.get(log, sp.Integer(0)) + term / log
            else:
                rest.append(temperature * term)
        total = sp.cancel(sp.together(sp.Add(*rest))).subs(temperature, 0)
        for log, factor in factors.items():
            leading = sp.cancel(sp.together(temperature * factor)).subs(temperature, 0)
            if leading != 0:
                total += leading * sp.log(sp.cancel(sp.together(log.args[0])).subs(temperature, 0))
        return total

    def first_correction(self, expression: sp.Expr) -> sp.Expr:
        """The coefficient of 1/size where an inner size goes to infinity."""
        return self._expanded(expression)[1]

    def _expanded(self, expression: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
        """The first two coefficients in 1/size: of rational terms and of logarithms times rational factors."""
        inverse = sp.Dummy("inverse", positive=True)
        rest: list[sp.Expr] = []
        regular: sp.Expr = sp.Integer(0)
        for term in sp.Add.make_args(sp.expand(expression.subs(self.infinite, 1 / inverse))):
            logs = [f for f in sp.Mul.make_args(term) if isinstance(f, sp.log)]
            if logs:
                (log,) = logs
                regular += sp.cancel(term / log) * sp.log(sp.cancel(log.args[0]))
            else:
                rest.append(term)
        regular += sp.cancel(sp.together(sp.Add(*rest)))
        return regular.subs(inverse, 0), regular.diff(inverse).subs(inverse, 0)


def structure_of(ansatz: Ansatz, *, ground: bool = False) -> Structure:
    """The structure that a spec's ansatz declares; ``ground``: in the limit of vanishing temperature.

    Raises:
        DerivationError: for a scheme that is not derived here.
    """
    replica: Tree = Replica()
    if ground and ansatz.scheme not in ("replica-symmetric", "1rsb"):
        raise DerivationError(
            f"the ground state (temperature 0) is not derived under the ansatz {ansatz.scheme}",
            place="loss.temperature",
            cure='use the ansatz "replica-symmetric" or "1rsb", or a small positive temperature',
        )
    match ansatz.scheme:
        case "replica-symmetric" | "bayes-optimal":
            return Structure(Copies(N_REPLICAS, replica), ("",), ground=ground)
        case "real-replicas":
            constrained = () if ansatz.overlap == "extremised" else (symbol("q1"),)
            if ansatz.replicas in ("inf", None):
                size = sp.Symbol("y", positive=True)
                tree = Copies(N_REPLICAS, Copies(size, replica))
                return Structure(tree, ("0", "1"), (size,), infinite=size, constrained=constrained)
            return _nested((ansatz.replicas,), (symbol("y"),), (COPIES,), constrained)
        case "1rsb" if ground:
            found = _nested((ansatz.mu,), (symbol("mu"),), (COPIES,), breaks=True)
            return replace(found, tree=nested_copies(N_REPLICAS, (found.sizes[0] / INVERSE_TEMPERATURE,)), ground=True)
        case "1rsb":
            return _nested((ansatz.m,), (symbol("m"),), (COPIES,), breaks=True)
        case "2rsb":
            return _nested((ansatz.m1, ansatz.m2), (symbol("m1"), symbol("m2")), BLOCKS, breaks=True)
    raise DerivationError(
        f"the ansatz {ansatz.scheme} is not derived by this version",
        place="ansatz.scheme",
        cure='use "replica-symmetric", "bayes-optimal", "1rsb", "2rsb" or "real-replicas"',
    )


def _nested(
    declared: Sequence[object],
    unknown: Sequence[sp.Symbol],
    given: Sequence[sp.Symbol],
    constrained: tuple[sp.Symbol, ...] = (),
    *,
    breaks: bool = False,
) -> Structure:
    """Blocks inside blocks, each size declared (the symbol in ``given``) or left free (``unknown``, an order parameter)."""
    free = [size in (None, "extremised", "zero-complexity") for size in declared]
    sizes = tuple(u if f else g for u, g, f in zip(unknown, given, free, strict=True))
    return Structure(
        nested_copies(N_REPLICAS, sizes),
        tuple(str(level) for level in range(len(sizes) + 1)),
        sizes,
        constrained=constrained,
        extremised=tuple(s for s, f in zip(sizes, free, strict=True) if f),
        given_sizes={s: size_of(d) for s, d, f in zip(sizes, declared, free, strict=True) if not f},
        breaks=breaks,
    )


def size_of(formula: object) -> sp.Expr:
    """A declared size (the Parisi parameter, the number of real replicas) as an expression."""
    root = getattr(formula, "root", None)
    if root is None:
        raise TypeError(f"{formula!r} is not a formula")
    return to_sympy(root)
