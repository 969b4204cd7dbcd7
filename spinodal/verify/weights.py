"""The weights that the derivation's own Gaussian measures carry (a teacher's field), as trees in ``$``."""

from __future__ import annotations

from functools import lru_cache

from spinodal.verify.reference import Reference
from spinodal.verify.tree import Node


def teacher_weights(reference: Reference) -> tuple[Node, ...]:
    """Tails that multiply an integrand of the free entropy, with the standard normal variable written ``$``.

    They are what a claim has forgotten that averages over the student's field alone.
    """
    return _weights(reference)


@lru_cache(maxsize=32)
def _weights(reference: Reference) -> tuple[Node, ...]:
    import sympy as sp

    from spinodal.symbolic.averages import averages_in, explicit_fields, standard_normals
    from spinodal.symbolic.functions import Tail

    found: dict[Node, None] = {}
    z = sp.Symbol("$", real=True)
    for average in averages_in(reference.formulation.free_entropy):
        normals = standard_normals(average.measure)
        if len(normals) != 1:
            continue
        body = average.integrand.subs(explicit_fields(average.measure, normals)).subs(normals[0], z).doit(deep=True)
        for tail in sorted(body.atoms(Tail), key=sp.default_sort_key):
            if body.coeff(tail) == 0:
                continue
            node = _tree(tail.args[0])
            if node is not None:
                found[Node("fn", "tail", (node,))] = None
    return tuple(found)


def _tree(expression: object) -> Node | None:
    """A SymPy expression of plain arithmetic as a tree; None for anything else."""
    import sympy as sp

    expr = sp.sympify(expression)
    if expr.is_Symbol:
        name = str(expr)
        return Node("sym", name if name == "$" else f"@{name.lstrip('_')}")
    if expr.is_Rational:
        from fractions import Fraction

        value = Fraction(int(expr.p), int(expr.q))
        return Node("num", value) if value >= 0 else Node("neg", None, (Node("num", -value),))
    kinds = {sp.Add: "add", sp.Mul: "mul", sp.Pow: "pow"}
    kind = next((k for t, k in kinds.items() if isinstance(expr, t)), None)
    if kind is None:
        return None
    parts = [_tree(a) for a in expr.args]
    if any(p is None for p in parts):
        return None
    return Node(kind, None, tuple(p for p in parts if p is not None))  # type: ignore[arg-type]
