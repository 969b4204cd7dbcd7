"""What an ansatz says about n replicas: the tree of their overlaps, its levels by name, and the limits of its sizes.

    RS                  Copies(n, Replica)               levels  q
    1RSB                Copies(n, Copies(m, Replica))    levels  q0, q1
    real replicas       Copies(n, Copies(y, Replica))    levels  q0, q1 (q1 given)
    the same, y -> inf  q0 = q1 - dq/y                   levels  q1, dq (q1 given)

Everything else (pairing, feature block, channels, stationarity) is derived on the tree, for any number of levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from spinodal.spec.types import Ansatz
from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.formulas import symbol, to_sympy
from spinodal.symbolic.replicas import Copies, Replica, Tree
from spinodal.symbolic.symbols import N_REPLICAS, with_hat


@dataclass(frozen=True)
class Structure:
    """Nested copies of one kind of replica.

    Attributes:
        tree: the tree, n copies outermost.
        labels: one per level of overlap from the outermost inwards, without the diagonal.
        sizes: the sizes of the inner copies, one fewer than the levels.
        infinite: the size of the innermost copies where it goes to infinity: the last two levels then differ by
            ``d/size``, and the order parameters are the innermost level and ``d``.
        constrained: overlaps that are parameters; their equations are solved for the conjugates.
        extremised: sizes that are order parameters.
    """

    tree: Copies
    labels: tuple[str, ...]
    sizes: tuple[sp.Expr, ...] = ()
    infinite: sp.Symbol | None = None
    constrained: tuple[sp.Symbol, ...] = ()
    extremised: tuple[sp.Symbol, ...] = ()

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
        if self.infinite is None:
            return tuple(symbol(letter + label) for label in self.labels)
        prefix, base = ("_", letter[1:]) if letter.startswith("_") else ("", letter)
        outer = tuple(symbol(letter + label) for label in self.labels[:-2])
        return (*outer, symbol(letter + self.labels[-1]), symbol(f"{prefix}d{base}"))

    def innermost(self, letter: str) -> sp.Symbol:
        """The overlap of replicas that share most."""
        return self.names(letter)[-1 if self.infinite is None else -2]

    def levels(self, letter: str, *, hat: bool = False) -> tuple[sp.Expr, ...]:
        """The values at each level of the tree, outermost first, without the diagonal."""
        names = tuple(with_hat(x) for x in self.names(letter)) if hat else self.names(letter)
        if self.infinite is None:
            return names
        *outer, top, spread = names
        return (*outer, top - spread / self.infinite, top)

    def pairs(self, letter: str) -> tuple[tuple[sp.Symbol, sp.Symbol], ...]:
        """Each overlap with the conjugate in whose stationarity it stands alone."""
        names = self.names(letter)
        hats = [with_hat(x) for x in names]
        if self.infinite is not None:  # -(1/2)(dq q1_hat + q1 dq_hat): crosswise
            hats[-2:] = hats[:-3:-1]
        return tuple(zip(names, hats, strict=True))

    def limit(self, expression: sp.Expr) -> sp.Expr:
        """Take an inner size to infinity where it does so: rational terms and logarithms, each at 1/size = 0."""
        if self.infinite is None:
            return expression
        inverse = sp.Dummy("inverse", positive=True)
        rest: list[sp.Expr] = []
        total: sp.Expr = sp.Integer(0)
        for term in sp.Add.make_args(sp.expand(expression.subs(self.infinite, 1 / inverse))):
            logs = [f for f in sp.Mul.make_args(term) if isinstance(f, sp.log)]
            if logs:
                (log,) = logs
                total += sp.cancel(term / log).subs(inverse, 0) * sp.log(sp.cancel(log.args[0]).subs(inverse, 0))
            else:
                rest.append(term)
        return total + sp.cancel(sp.together(sp.Add(*rest))).subs(inverse, 0)


def structure_of(ansatz: Ansatz, *, extremise_constraint: bool = False) -> Structure:
    """The structure that a spec's ansatz declares.

    Raises:
        DerivationError: for a scheme that is not derived here.
    """
    replica: Tree = Replica()
    match ansatz.scheme:
        case "replica-symmetric" | "bayes-optimal":
            return Structure(Copies(N_REPLICAS, replica), ("",))
        case "real-replicas" if ansatz.replicas in ("inf", None):
            size = sp.Symbol("y", positive=True)
            constrained = () if extremise_constraint else (symbol("q1"),)
            tree = Copies(N_REPLICAS, Copies(size, replica))
            return Structure(tree, ("0", "1"), (size,), infinite=size, constrained=constrained)
    raise DerivationError(
        f"the ansatz {ansatz.scheme} is not derived by this version",
        place="ansatz.scheme",
        cure='use "replica-symmetric", "bayes-optimal" or "real-replicas"',
    )


def size_of(formula: object) -> sp.Expr:
    """A declared size (the Parisi parameter, the number of real replicas) as an expression."""
    root = getattr(formula, "root", None)
    if root is None:
        raise TypeError(f"{formula!r} is not a formula")
    return to_sympy(root)
