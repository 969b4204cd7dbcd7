"""Kernels over ground states as numpy source: the potential, integrands and sums over kinks for ``numeric/ground.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy as sp

from spinodal.codegen.ir import GroundKernel
from spinodal.codegen.numpy_target.peaks import Body, function, steps_of
from spinodal.codegen.numpy_target.printer import source


def ground_kernel(
    kernel: GroundKernel,
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
    functions = ["None", "None"]
    potential = "None"
    if kernel.potential:
        shared, reduced = sp.cse(list(kernel.potential), symbols=sp.numbered_symbols("_u"), order="none")
        body = [f"{target} = {source(expression)}" for target, expression in shared]
        lines += function("potential", [kernel.t, kernel.place], arguments, body, [source(e) for e in reduced])
        potential = "potential"
    if kernel.averages:
        values = [f"runtime.dot(weight, {source(e)})" for _, e in kernel.averages]
        nodes = [*kernel.node_variables, sp.Symbol("weight")]
        lines += function("integrands", nodes, arguments, body_of(kernel.body), values)
        functions[0] = "integrands"
    if kernel.kink_sums:
        values = [source(e) for _, e in kernel.kink_sums]
        lines += function("summands", kernel.kink_variables, arguments, body_of(kernel.kink_body), values)
        functions[1] = "summands"
    cuts = ", ".join(source(cut) for cut in kernel.cuts)
    points = ", ".join(f"({source(value)}, {source(level)})" for value, level in kernel.points)
    lines += [
        "",
        f"    site = ground.Site({potential}, [{cuts}], [{points}], weight={kernel.weight}, quadratic={kernel.quadratic},"
        f" steps={steps_of(kernel.t_steps)})",
    ]
    scale = ", ".join(source(sp.sympify(e)) for e in (kernel.mean, kernel.root, kernel.variance))
    call = f"ground.averages({', '.join(functions)}, site, rule, {scale}, {steps_of(kernel.z_steps)}{arguments})"
    if weights:
        call = f"[runtime.gather(b, average, {' * '.join(weights)}) for average in {call}]"
    return "\n".join([*lines, "", f"    return {call}"])
