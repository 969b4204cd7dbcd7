"""The function that tells whether formulas still cut the line as they did when the equations were derived."""

from __future__ import annotations

import sympy as sp

from spinodal.codegen.ir import Program
from spinodal.codegen.numpy_target.printer import name_of, source
from spinodal.symbolic.partitions import Partition


def partitions_function(program: Program) -> str:
    """``holds_at(p)``: at which parameter points the module's equations are those of its spec."""
    used = {str(s) for partition in program.partitions for e in _formulas(partition) for s in e.free_symbols}
    lines = [
        f"CUTTING = {tuple(name for name in program.parameters if name in used)!r}  # parameters that move intervals",
        "",
        "",
        "def holds_at(p):",
        '    """Whether intervals are in the order, and conditions as true between them, as at the defaults, shape [B]."""',
        "    p = np.atleast_2d(np.asarray(p, dtype=float))",
        *(f"    {name_of(sp.Symbol(name))} = p[:, {j}]" for j, name in enumerate(program.parameters) if name in used),
        '    with np.errstate(all="ignore"):  # edges may be none',
        "        return partitions.same_partitions(len(p), [",
    ]
    for partition in program.partitions:
        variable = name_of(partition.variable)
        edges = ", ".join(source(edge) for edge in partition.edges)
        signs = ", ".join(source(expression) for expression in partition.expressions)
        lines.append(f"            ([{edges}], lambda {variable}: [{signs}], {partition.signs!r}),")
    return "\n".join([*lines, "        ])"])


def _formulas(partition: Partition) -> tuple[sp.Expr, ...]:
    return (*partition.edges, *partition.expressions)
