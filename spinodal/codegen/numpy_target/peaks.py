"""Kernels at a maximiser as numpy source: levels, slopes, integrands and sums over kinks for ``numeric/envelope.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy as sp

from spinodal.codegen.ir import Assign, Call, Inner, PeakKernel, StepInZ
from spinodal.codegen.numpy_target.printer import name_of, source

Body = Sequence[Assign | Call | Inner]


def peak_kernel(
    kernel: PeakKernel,
    head: Sequence[str],
    weights: Sequence[str],
    arguments: str,
    body_of: Callable[[Body], list[str]],
) -> str:
    """The function of a kernel.

    Args:
        kernel: what it computes.
        head: its first lines: signature, planted variables, hoisted assignments.
        weights: the weights of planted variables.
        arguments: what does not depend on nodes, as ``, a, b``.
        body_of: the lines of a body.
    """
    lines = list(head)
    lines += function("level", [kernel.t], arguments, body_of(kernel.level_body), [source(kernel.level)])
    lines += function("slopes", [kernel.t], arguments, body_of(kernel.slopes_body), map(source, kernel.slopes))
    functions = ["None", "None", "level", "slopes"]
    if kernel.averages:
        values = [f"runtime.dot(weight, {source(e)})" for _, e in kernel.averages]
        nodes = [kernel.z, kernel.t, sp.Symbol("weight")]
        lines += function("integrands", nodes, arguments, body_of(kernel.body), values)
        functions[0] = "integrands"
    if kernel.kink_sums:
        values = [source(e) for _, e in kernel.kink_sums]
        lines += function("summands", kernel.kink_variables, arguments, body_of(kernel.kink_body), values)
        functions[1] = "summands"
    scale = ", ".join(source(e) for e in (kernel.mean, kernel.root, kernel.spread))
    call = (
        f"envelope.averages({', '.join(functions)}, rule, {scale}, {steps_of(kernel.t_steps)}, {steps_of(kernel.z_steps)}"
        f"{arguments}, single={kernel.single})"
    )
    if weights:
        call = f"[runtime.gather(b, average, {' * '.join(weights)}) for average in {call}]"
    return "\n".join([*lines, "", f"    return {call}"])


def function(
    name: str, nodes: Sequence[sp.Symbol], arguments: str, body: list[str], values: Sequence[str] | map[str]
) -> list[str]:
    """The lines of an inner function that returns a tuple."""
    parameters = ", ".join("weight" if str(s) == "weight" else name_of(s) for s in nodes)
    lines = ["", f"    def {name}({parameters}{arguments}):", *(f"        {line}" for line in body)]
    return [*lines, "        return (", *(f"            {value}," for value in values), "        )"]


def steps_of(steps: Sequence[StepInZ]) -> str:
    """The list of (offset, slope) of steps."""
    return "[" + ", ".join(f"({source(s.offset)}, {source(s.slope)})" for s in steps) + "]"
