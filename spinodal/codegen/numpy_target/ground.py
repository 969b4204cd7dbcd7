"""Kernels over ground states as numpy source: the potential, integrands and sums over kinks for ``numeric/ground.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy as sp

from spinodal.codegen.ir import GroundBlocksKernel, GroundKernel, GroundSite
from spinodal.codegen.numpy_target.peaks import Body, function, steps_of
from spinodal.codegen.numpy_target.printer import name_of, source


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
    lines = [*head, *_potential(kernel.site, arguments)]
    functions = ["None", "None"]
    if kernel.averages:
        values = [f"runtime.dot(weight, {source(e)})" for _, e in kernel.averages]
        nodes = [*kernel.node_variables, sp.Symbol("weight")]
        lines += function("integrands", nodes, arguments, body_of(kernel.body), values)
        functions[0] = "integrands"
    if kernel.kink_sums:
        values = [source(e) for _, e in kernel.kink_sums]
        lines += function("summands", kernel.kink_variables, arguments, body_of(kernel.kink_body), values)
        functions[1] = "summands"
    lines += _site(kernel.site)
    scale = ", ".join(source(e) for e in (kernel.mean, kernel.root, kernel.variance))
    call = f"ground.averages({', '.join(functions)}, site, rule, {scale}, {steps_of(kernel.z_steps)}{arguments})"
    if weights:
        call = f"[runtime.gather(b, average, {' * '.join(weights)}) for average in {call}]"
    return "\n".join([*lines, "", f"    return {call}"])


def ground_blocks_kernel(
    kernel: GroundBlocksKernel,
    head: Sequence[str],
    weights: Sequence[str],
    arguments: str,
    body_of: Callable[[Body], list[str]],
) -> str:
    """The function of a kernel with ground states inside blocks; arguments as for :func:`ground_kernel`."""
    lines = [*head, *_potential(kernel.site, arguments)]
    functions = ["integrands", "None", "None"]
    if kernel.inner_means:
        values = [source(e) for _, e in kernel.inner_means]
        lines += function("inner", kernel.inner_variables, arguments, body_of(kernel.inner_body), values)
        functions[1] = "inner"
    if kernel.inner_sums:
        values = [source(e) for _, e in kernel.inner_sums]
        lines += function("jumps", kernel.kink_variables, arguments, body_of(kernel.kink_body), values)
        functions[2] = "jumps"
    results = [name_of(mark) for mark, _ in (*kernel.inner_means, *kernel.inner_sums)]
    z, log_norm = kernel.node_variables
    opened = [f"{', '.join(results)}, = found"] if results else []
    values = [f"runtime.dot(weight, {source(e)})" for _, e in kernel.averages]
    nodes = [z, sp.Symbol("weight"), log_norm, sp.Symbol("found")]
    lines += function("integrands", nodes, arguments, [*opened, *body_of(kernel.body)], values)
    lines += _site(kernel.site)
    mean = f"({source(kernel.mean)}, {source(kernel.root)})"
    scale = ", ".join(source(e) for e in (kernel.spread, kernel.size, kernel.variance))
    call = f"ground_blocks.averages({', '.join(functions)}, site, rule, {mean}, {scale}, {steps_of(kernel.z_steps)}"
    call += f"{arguments})"
    if weights:
        call = f"[runtime.gather(b, average, {' * '.join(weights)}) for average in {call}]"
    return "\n".join([*lines, "", f"    return {call}"])


def _potential(site: GroundSite, arguments: str) -> list[str]:
    """The lines of the functions of minus the energy and its derivatives, and of what is observed."""
    if not site.potential:
        return []
    shared, reduced = sp.cse(list(site.potential), symbols=sp.numbered_symbols("_u"), order="none")
    body = [f"{target} = {source(expression)}" for target, expression in shared]
    lines = function("potential", [site.t, site.place], arguments, body, [source(e) for e in reduced])
    if site.observed is not None:
        lines += ["", f"    def observed({name_of(site.t)}, {name_of(site.place)}{arguments}):"]
        lines.append(f"        return {source(site.observed)}")
    return lines


def _site(site: GroundSite) -> list[str]:
    """The lines that say what is maximised."""
    cuts = ", ".join(source(cut) for cut in site.cuts)
    points = ", ".join(f"({source(value)}, {source(level)})" for value, level in site.points)
    potential = "potential" if site.potential else "None"
    observed = "" if site.observed is None else ", observed=observed"
    return [
        "",
        f"    site = ground.Site({potential}, [{cuts}], [{points}], weight={site.weight}, quadratic={site.quadratic},"
        f" steps={steps_of(site.t_steps)}{observed})",
    ]
