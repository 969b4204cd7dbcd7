"""Replica algebra: trees of replicas with symbolic sizes, and the matrices that are invariant under permuting them.

An ansatz is a tree of two constructors, :class:`Copies` (k equivalent copies of a structure) and :class:`Join` (different
kinds side by side); the leaves are single replicas. A matrix that commutes with every permutation the tree allows is
block diagonal in a basis that depends on the tree alone:

* the *trivial sector* (vectors constant on equivalent copies), of dimension 1 for a replica, that of X for
  ``Copies(k, X)``, the sum for ``Join``;
* for every ``Copies(k, X)`` a sector of multiplicity k - 1 carrying the trivial sector of X (differences between copies),
  and k times the non-trivial sectors of X.

Matrix functions therefore act on a short list of small blocks, and sizes stay symbols, so that ``n -> 0`` is a derivative
at n = 0 and not a numerical extrapolation. This is the recursion ``log det(I (x) A + J (x) B) = (k-1) log det A +
log det(A + k B)`` of the textbooks (Mezard, Parisi & Virasoro 1987), written once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import sympy as sp


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica of a kind (student, teacher, reference, probe)."""

    kind: str = "student"


@dataclass(frozen=True, slots=True)
class Copies:
    """``size`` equivalent copies of ``inner``; the size may be a symbol that later goes to 0 or infinity.

    >>> n, m = sp.symbols("n m")
    >>> number_of_replicas(Copies(n, Copies(m, Replica())))
    m*n
    """

    size: sp.Expr
    inner: Tree


@dataclass(frozen=True, slots=True)
class Join:
    """Different structures side by side.

    >>> number_of_replicas(Join((Replica("reference"), Copies(sp.Integer(3), Replica("probe")))))
    4
    """

    parts: tuple[Tree, ...]


Tree = Replica | Copies | Join


def nested_copies(outermost: sp.Expr, sizes: Sequence[sp.Expr]) -> Copies:
    """Copies inside copies of one kind of replica, by how many replicas the inner ones hold.

    Args:
        outermost: the number of the outermost copies.
        sizes: the numbers of replicas in the inner copies, from the outermost inwards (Parisi's m_1, m_2, ...).
    """
    tree: Tree = Replica()
    held: sp.Expr = sp.Integer(1)
    for size in reversed(sizes):
        tree, held = Copies(size / held, tree), size
    return Copies(outermost, tree)


def trivial_dimension(tree: Tree) -> int:
    """Dimension of the sector of vectors that are constant on equivalent copies."""
    match tree:
        case Replica():
            return 1
        case Copies(inner=inner):
            return trivial_dimension(inner)
        case Join(parts=parts):
            return sum(trivial_dimension(part) for part in parts)


def depth(tree: Tree) -> int:
    """The number of nested ``Copies`` above the deepest replica."""
    match tree:
        case Replica():
            return 0
        case Copies(inner=inner):
            return 1 + depth(inner)
        case Join(parts=parts):
            return max(depth(part) for part in parts)


@dataclass(frozen=True, slots=True)
class Sector:
    """One block of an invariant matrix and how often it occurs."""

    multiplicity: sp.Expr
    block: sp.ImmutableDenseMatrix


@dataclass(frozen=True, slots=True)
class InvariantMatrix:
    """A matrix invariant under the permutations of its tree, as its blocks; the first sector is the trivial one.

    All operations are block by block; two matrices must live on the same tree.
    """

    sectors: tuple[Sector, ...]

    def _with(self, function: Callable[[sp.Matrix], sp.Matrix]) -> InvariantMatrix:
        return InvariantMatrix(
            tuple(Sector(s.multiplicity, sp.ImmutableDenseMatrix(function(s.block))) for s in self.sectors)
        )

    def _zip(self, other: InvariantMatrix) -> Iterator[tuple[Sector, Sector]]:
        return zip(self.sectors, other.sectors, strict=True)

    def __matmul__(self, other: InvariantMatrix) -> InvariantMatrix:
        return InvariantMatrix(
            tuple(Sector(a.multiplicity, sp.ImmutableDenseMatrix(a.block * b.block)) for a, b in self._zip(other))
        )

    def __sub__(self, other: InvariantMatrix) -> InvariantMatrix:
        return InvariantMatrix(
            tuple(Sector(a.multiplicity, sp.ImmutableDenseMatrix(a.block - b.block)) for a, b in self._zip(other))
        )

    def identity(self) -> InvariantMatrix:
        """The identity on the same tree."""
        return self._with(lambda block: sp.eye(block.rows))

    def inverse(self) -> InvariantMatrix:
        """The matrix inverse."""
        return self._with(lambda block: block.inv())

    def trace(self) -> sp.Expr:
        """The trace, with symbolic sizes."""
        return sp.Add(*(s.multiplicity * s.block.trace() for s in self.sectors))

    def log_det(self) -> sp.Expr:
        """The logarithm of the determinant, with symbolic sizes."""
        return sp.Add(*(s.multiplicity * sp.log(s.block.det()) for s in self.sectors))

    def trivial(self) -> sp.ImmutableDenseMatrix:
        """The block on vectors that are constant on equivalent copies."""
        return self.sectors[0].block


def hierarchical(tree: Tree, levels: tuple[sp.Expr, ...]) -> InvariantMatrix:
    """The overlap matrix of nested copies of one kind of replica.

    Args:
        tree: nested ``Copies`` around one ``Replica`` (no ``Join``), of depth K.
        levels: K + 1 overlaps from the outermost (replicas that share least) to the diagonal: ``(q, q_d)`` for replica
            symmetry, ``(q0, q1, q_d)`` for one step of symmetry breaking.

    Raises:
        ValueError: if the number of levels does not fit the tree.

    >>> n, q = sp.symbols("n q")
    >>> matrix = hierarchical(Copies(n, Replica()), (q, sp.Integer(1)))
    >>> sp.factor(matrix.trace())
    n
    >>> sp.factor(sp.simplify(sp.exp(matrix.log_det().subs(n, 3))))
    (q - 1)**2*(2*q + 1)
    """
    if isinstance(tree, Replica):
        if len(levels) != 1:
            raise ValueError(f"{len(levels)} overlap levels do not fit the tree")
        return InvariantMatrix((Sector(sp.Integer(1), sp.ImmutableDenseMatrix([[levels[0]]])),))
    if isinstance(tree, Join) or len(levels) != depth(tree) + 1:
        raise ValueError(f"{len(levels)} overlap levels do not fit the tree")
    # I (x) A + J (x) B: within one copy the overlaps are the inner ones, across copies the constant levels[0]. The
    # vector of ones on X has norm sqrt(|X|), hence |X| levels[0] on the normalised trivial vector.
    outer, size = levels[0], tree.size
    inner = hierarchical(tree.inner, tuple(levels[1:]))
    population = number_of_replicas(tree.inner)
    trivial = inner.trivial()[0, 0]
    across = population * outer
    alike = Sector(sp.Integer(1), sp.ImmutableDenseMatrix([[trivial + (size - 1) * across]]))
    differences = Sector(size - 1, sp.ImmutableDenseMatrix([[trivial - across]]))
    rest = tuple(Sector(size * s.multiplicity, s.block) for s in inner.sectors[1:])
    return InvariantMatrix((alike, differences, *rest))


#: The overlap of two replicas by their kinds and by how many ``Copies`` they are in the same copy of.
Overlap = Callable[[str, str, int], sp.Expr]


def invariant(tree: Tree, overlap: Overlap) -> InvariantMatrix:
    """The overlap matrix on any tree, kinds side by side included; every kind must occur at one place of the tree.

    The trivial sector is the quotient matrix on vectors that are constant on each kind (not symmetric: its entry (a, b) is
    the overlap times the number of replicas of kind b), which has the trace, determinant and products of the sector.

    Args:
        tree: the tree.
        overlap: ``overlap(kind, other, shared)``; a replica's overlap with itself has ``shared`` equal to its depth.
    """
    sectors, _kinds = _sectors(tree, overlap, 0)
    return InvariantMatrix(tuple(sectors))


def kinds_of(tree: Tree) -> tuple[tuple[str, sp.Expr], ...]:
    """The kinds of replicas in the order of the trivial sector, with how many there are."""
    match tree:
        case Replica(kind=kind):
            return ((kind, sp.Integer(1)),)
        case Copies(size=size, inner=inner):
            return tuple((kind, size * number) for kind, number in kinds_of(inner))
        case Join(parts=parts):
            return tuple(pair for part in parts for pair in kinds_of(part))


def _sectors(tree: Tree, overlap: Overlap, shared: int) -> tuple[list[Sector], tuple[tuple[str, sp.Expr], ...]]:
    kinds = kinds_of(tree)
    size = len(kinds)
    # replicas of different copies: constant between kinds
    constant = sp.ImmutableDenseMatrix(size, size, lambda i, j: kinds[j][1] * overlap(kinds[i][0], kinds[j][0], shared))
    match tree:
        case Replica(kind=kind):
            return [Sector(sp.Integer(1), sp.ImmutableDenseMatrix([[overlap(kind, kind, shared)]]))], kinds
        case Join(parts=parts):
            trivial = constant.as_mutable()
            rest: list[Sector] = []
            at = 0
            for part in parts:
                (first, *others), inner_kinds = _sectors(part, overlap, shared)
                end = at + len(inner_kinds)
                trivial[at:end, at:end] = first.block
                rest += others
                at = end
            return [Sector(sp.Integer(1), sp.ImmutableDenseMatrix(trivial)), *rest], kinds
        case Copies(size=number, inner=inner):
            (first, *others), inner_kinds = _sectors(inner, overlap, shared + 1)
            across = sp.ImmutableDenseMatrix(
                size, size, lambda i, j: inner_kinds[j][1] * overlap(inner_kinds[i][0], inner_kinds[j][0], shared)
            )
            alike = Sector(sp.Integer(1), sp.ImmutableDenseMatrix(first.block + (number - 1) * across))
            differences = Sector(number - 1, sp.ImmutableDenseMatrix(first.block - across))
            return [alike, differences, *(Sector(number * s.multiplicity, s.block) for s in others)], kinds


def form(matrix: InvariantMatrix, tree: Tree, vector: Sequence[sp.Expr]) -> sp.Expr:
    """The quadratic form of an :func:`invariant` matrix on a vector that is constant on each kind."""
    numbers = [number for _, number in kinds_of(tree)]
    column = matrix.trivial() * sp.Matrix(list(vector))
    return sp.Add(*(n * v * c for n, v, c in zip(numbers, vector, column, strict=True)))


def number_of_replicas(tree: Tree) -> sp.Expr:
    """How many replicas the tree holds (a polynomial in the sizes)."""
    match tree:
        case Replica():
            return sp.Integer(1)
        case Copies(size=size, inner=inner):
            return size * number_of_replicas(inner)
        case Join(parts=parts):
            return sp.Add(*(number_of_replicas(part) for part in parts))


def constant_form(matrix: InvariantMatrix, tree: Tree, vector: sp.Expr) -> sp.Expr:
    """The quadratic form of ``matrix`` on the vector with every entry equal to ``vector`` (trees without ``Join``)."""
    return number_of_replicas(tree) * vector**2 * matrix.trivial()[0, 0]


def per_replica_limit(expression: sp.Expr, tree: Tree) -> sp.Expr:
    """``lim expression / (number of replicas)`` as the number of outermost copies goes to 0.

    The expression must vanish with the size of the outermost ``Copies``, so that the limit is its derivative there.

    Raises:
        ValueError: if the tree has no outermost ``Copies`` with a symbolic size.

    >>> n, q = sp.symbols("n q")
    >>> tree = Copies(n, Replica())
    >>> limit = per_replica_limit(hierarchical(tree, (q, sp.Integer(1))).log_det(), tree)
    >>> sp.simplify(limit - sp.log(1 - q) - q / (1 - q))
    0
    """
    if not isinstance(tree, Copies) or not isinstance(tree.size, sp.Symbol):
        raise ValueError("the n -> 0 limit needs a tree of Copies(n, ...) with a symbol n")
    return expression.diff(tree.size).subs(tree.size, 0) / number_of_replicas(tree.inner)
