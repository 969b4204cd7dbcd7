"""A program as a readable, standalone numpy module."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from spinodal.codegen.ir import Assign, GroundKernel, Kernel, PeakKernel, Program, Result, Routine
from spinodal.codegen.numpy_target.densities import masses_function, teacher_density_function
from spinodal.codegen.numpy_target.frame import alphabets, block_size, follower, header, interface, origin
from spinodal.codegen.numpy_target.kernels import inner_functions, kernel_function
from spinodal.codegen.numpy_target.leaves import (
    bumps_function,
    label_function,
    leaf_function,
    takeovers_function,
    tilt_functions,
)
from spinodal.codegen.numpy_target.partitions import partitions_function
from spinodal.codegen.numpy_target.printer import name_of, source


def emit(program: Program, *, identity: str, equations: Mapping[str, str]) -> str:
    """The source of a solver module.

    Args:
        program: what to compute.
        identity: the content hash of spec and options, written into the header.
        equations: the saddle-point equations as plain text, by order parameter, for the header.
    """
    parts = [
        header(program, identity, equations),
        *(leaf_function(leaf) for leaf in program.leaves),
        *(takeovers_function(leaf) for leaf in program.leaves if ("takeovers", leaf.tag) in _searches(program)),
        *(bumps_function(leaf) for leaf in program.leaves if ("bumps", leaf.tag) in _searches(program)),
        *tilt_functions(program),
    ]
    if program.teacher_density is not None:
        parts.append(teacher_density_function(program))
    if program.densities:
        parts.append(masses_function(program))
    if program.label is not None:
        parts.append(label_function(program))
    for routine in program.routines:
        parts.append(_routine(routine, program))
    if program.origin:
        parts.append(origin(program))
    if program.follower:
        parts.append(follower(program))
    if program.breaking is not None and program.breaking.given is not None:
        parts.append(block_size(program, program.breaking.given))
    if program.alphabets is not None:
        parts.append(alphabets(program, program.alphabets))
    if program.partitions:
        parts.append(partitions_function(program))
    parts.append(interface(program))
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def _searches(program: Program) -> set[tuple[str, str]]:
    """What is searched for of which leaf, as (kind, tag)."""
    kernels = [stage for routine in program.routines for stage in routine.stages if isinstance(stage, Kernel)]
    return {(search.kind, search.leaf) for kernel in kernels for search in kernel.searched}


def _routine(routine: Routine, program: Program) -> str:
    leaves = {leaf.tag: leaf for leaf in program.leaves}
    tilts = {(t.leaf, t.name): t for t in program.tilts}
    kernels = [stage for stage in routine.stages if not isinstance(stage, Assign)]
    text = []
    for kernel in kernels:
        items = kernel.items if isinstance(kernel, PeakKernel | GroundKernel) else kernel.body
        text += inner_functions(f"_{routine.name}_{kernel.name}", items, leaves, tilts)
        text.append(kernel_function(routine, kernel, leaves, tilts, program))
    extra = ", v" if routine.directions else ""
    lines = [f"def _{routine.name}(x, p{extra}, rule):", f'    """{routine.doc}"""']
    used = _used_symbols(routine)
    for j, name in enumerate(program.order_parameters):
        if name in used:
            lines.append(f"    {name_of(sp.Symbol(name))} = x[{j}]")
    for j, name in enumerate(program.parameters):
        if name in used:
            lines.append(f"    {name_of(sp.Symbol(name))} = p[{j}]")
    for j, direction in enumerate(routine.directions):
        if str(direction) in used:
            lines.append(f"    {name_of(direction)} = v[{j}]")
    for stage in routine.stages:
        if isinstance(stage, Assign):
            lines.append(f"    {name_of(stage.target)} = {source(stage.expression)}")
        else:
            targets = ", ".join(name_of(s) for s, _ in stage.outputs)
            comma = "," if len(stage.outputs) == 1 else ""
            function = f"_{routine.name}_{stage.name}"
            arguments = ", ".join(["rule", *(name_of(s) for s in stage.inputs)])
            if stage.z is None or stage.planted:
                lines.append(f"    {targets}{comma} = runtime.blocked({function}, runtime.rows(x), {arguments})")
            else:
                lines.append(f"    {targets}{comma} = {function}({arguments})")
    returned: list[str] = []
    for result in routine.results:
        lines.extend(_result(result, returned))
    lines.append(f"    return {', '.join(returned)}{',' if len(returned) == 1 else ''}")
    text.append("\n".join(lines))
    return "\n\n\n".join(text)


def _result(result: Result, returned: list[str]) -> list[str]:
    name = f"out_{result.name}"
    returned.append(name)
    shape = "".join(f"{n}, " for n in result.shape)
    lines = [f"    {name} = np.zeros((*x.shape[1:], {shape.rstrip(', ')}))"]
    for index, expression in enumerate(result.expressions):
        if expression == 0:
            continue
        if not result.shape:
            lines.append(f"    {name}[...] = {source(expression)}")
        elif len(result.shape) == 1:
            lines.append(f"    {name}[..., {index}] = {source(expression)}")
        else:
            lines.append(f"    {name}[..., {index // result.shape[1]}, {index % result.shape[1]}] = {source(expression)}")
    return lines


def _used_symbols(routine: Routine) -> set[str]:
    found: set[sp.Symbol] = set()
    for stage in routine.stages:
        found |= stage.expression.free_symbols if isinstance(stage, Assign) else set(stage.inputs)
    for result in routine.results:
        for expression in result.expressions:
            found |= expression.free_symbols
    return {str(s) for s in found}
