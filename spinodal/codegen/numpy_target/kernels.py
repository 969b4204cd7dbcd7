"""Kernels as numpy source: their nodes, their inner passes, the calls of special functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sympy as sp

from spinodal.codegen.ir import (
    Assign,
    Call,
    GroundBlocksKernel,
    GroundKernel,
    Inner,
    Kernel,
    PeakKernel,
    Program,
    Routine,
    SearchedSteps,
    StepInZ,
)
from spinodal.codegen.nodes import reads
from spinodal.codegen.numpy_target.densities import free_symbols_of, leaf_parameters
from spinodal.codegen.numpy_target.ground import ground_blocks_kernel, ground_kernel
from spinodal.codegen.numpy_target.leaves import (
    is_numerical,
    measure_name,
    measure_parameters,
    rule_argument,
    tilt_parameters,
)
from spinodal.codegen.numpy_target.peaks import peak_kernel
from spinodal.codegen.numpy_target.printer import name_of, source
from spinodal.codegen.numpy_target.products import weighted_sums
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.observables import Tilt

_INDENT = "    "


def kernel_function(
    routine: Routine,
    kernel: Kernel | PeakKernel | GroundKernel,
    leaves: Mapping[str, Leaf],
    tilts: Mapping[tuple[str, str], Tilt],
    program: Program,
) -> str:
    """The function of a kernel: all its averages for all rows."""
    inputs = [name_of(s) for s in kernel.inputs]
    rows = kernel.z is None or bool(kernel.planted)  # whether it meets rows itself, or leaves them to runtime.average
    lines = [
        f"def _{routine.name}_{kernel.name}({', '.join([*(['b'] if rows else []), 'rule', *inputs])}):",
        f'    """Averages over {kernel.comment}."""'.replace("\\", ""),
    ]
    if rows and inputs:
        lines.append(f"    {', '.join(inputs)}{',' if len(inputs) == 1 else ''} = runtime.columns(b, {', '.join(inputs)})")
    weights: list[str] = []
    planted_so_far: list[str] = []
    for planted in kernel.planted:
        name = name_of(planted.symbol)
        splits = ", ".join(source(s) for s in planted.splits)
        if planted.kind == "teacher_density":
            assert program.teacher_density is not None
            free = free_symbols_of(program.teacher_density.expressions, {"w"})
            arguments = "".join(f", {name_of(s)}" for s in free)
            call = f"_teacher_density(rule.n{arguments})"
        elif planted.kind == "label":
            assert program.label is not None
            arguments = "".join(f", {name_of(s)}" for s in free_symbols_of(program.label, {"u"}))
            call = f"_label_nodes(rule.n{arguments})"
        else:
            call = f"runtime.{planted.kind}_nodes([{splits}], rule.n)"
        others = [*inputs, *planted_so_far]
        lines.append(f"    nodes, density = {call}")
        targets = ", ".join([name, f"weight_{name}", *others])
        lines.append(f"    {targets} = runtime.plant(b, nodes, density{''.join(f', {o}' for o in others)})")
        weights.append(f"weight_{name}")
        planted_so_far += [name, f"weight_{name}"]
    for assign in kernel.hoisted:
        lines.append(f"    {name_of(assign.target)} = {source(assign.expression)}")
    outer = [*kernel.inputs, *(planted.symbol for planted in kernel.planted), *(a.target for a in kernel.hoisted)]
    read = _read(kernel, leaves, tilts)
    arguments = "".join(f", {name_of(symbol)}" for symbol in dict.fromkeys(outer) if symbol in read)
    owner = f"_{routine.name}_{kernel.name}"
    if isinstance(kernel, GroundBlocksKernel):
        return ground_blocks_kernel(kernel, lines, weights, arguments, lambda items: _body(items, leaves, tilts, owner))
    if isinstance(kernel, GroundKernel):
        return ground_kernel(kernel, lines, weights, arguments, lambda items: _body(items, leaves, tilts, owner))
    if isinstance(kernel, PeakKernel):
        return peak_kernel(kernel, lines, weights, arguments, lambda items: _body(items, leaves, tilts, owner))
    total = " * ".join(weights)
    values = [source(expression) for _, expression in kernel.outputs]
    if kernel.z is None:
        lines += [f"    {line}" for line in _body(kernel.body, leaves, tilts, owner)]
        lines += _returned(f"runtime.gather(b, {value}, {total})" for value in values)
        return "\n".join(lines)
    for k, step in enumerate(kernel.steps):
        lines.append(f"    step_{k} = runtime.step({_step_arguments(step)})")
    steps = ", ".join([*(f"step_{k}" for k in range(len(kernel.steps))), *(_searched(s, leaves) for s in kernel.searched)])
    lines += ["", f"    def integrands({name_of(kernel.z)}, weight{arguments}):"]
    on_nodes, sums = weighted_sums(kernel.body, [expression for _, expression in kernel.outputs])
    lines += [f"        {line}" for line in _body(on_nodes, leaves, tilts, owner)]
    lines += [f"        {line}" for line in sums.lines]
    lines += [_INDENT + line for line in _returned(sums.values)]
    call = f"runtime.average(integrands, rule, [{steps}]{arguments}{_block(kernel.body, leaves, tilts)})"
    if total:
        lines += ["", f"    return [runtime.gather(b, average, {total}) for average in {call}]"]
    else:
        lines += ["", f"    return {call}"]
    return "\n".join(lines)


def _block(body: Sequence[Assign | Call | Inner], leaves: Mapping[str, Leaf], tilts: Mapping[tuple[str, str], Tilt]) -> str:
    """The argument that keeps blocks small where a body calls averages whose nodes follow the rule."""
    numerical: list[Leaf | None] = []
    for item in body:
        if isinstance(item, Call) and item.function == "primitive" and rule_argument(leaves[item.tag[0]]):
            numerical.append(leaves[item.tag[0]])
        if isinstance(item, Call) and item.function == "tilted" and is_numerical(tilts[item.tag[0], item.tag[1]], leaves):
            numerical.append(leaves.get(item.tag[0]))
    if not numerical:
        return ""
    of_rows = all(leaf is not None and leaf.places is not None for leaf in numerical)
    return f", elements=runtime.{'BLOCK_OF_ROWS' if of_rows else 'BLOCK_NESTED'}"


def _searched(search: SearchedSteps, leaves: Mapping[str, Leaf]) -> str:
    leaf = leaves[search.leaf]
    symbols = (*sorted(leaf.label.free_symbols, key=str), *leaf_parameters(leaf))
    arguments = ", ".join([*map(source, search.parts), *map(name_of, symbols)])
    return f"*_{search.kind}_{leaf.tag}({arguments})"


def _step_arguments(step: StepInZ) -> str:
    parts = step.parts[:2] if step.sharpness == 1 else step.parts
    return ", ".join(source(part) for part in parts)


def inner_functions(
    owner: str,
    body: Sequence[Assign | Call | Inner],
    leaves: Mapping[str, Leaf],
    tilts: Mapping[tuple[str, str], Tilt],
) -> list[str]:
    """The functions of a body's inner passes, innermost first."""
    text: list[str] = []
    for inner in (item for item in body if isinstance(item, Inner)):
        text += inner_functions(owner, inner.body, leaves, tilts)
        text += inner_functions(f"{owner}_search", inner.search_body, leaves, tilts)
        text += _inner(inner, owner, leaves, tilts)
    return text


def _inner(inner: Inner, owner: str, leaves: Mapping[str, Leaf], tilts: Mapping[tuple[str, str], Tilt]) -> list[str]:
    """The integrands of an inner pass, and the search for the maxima of its weight."""
    name = f"{owner}_{inner.name}"
    z, inputs = name_of(inner.z), "".join(f", {name_of(s)}" for s in inner.inputs)
    comment = inner.comment.replace("\\", "")
    values = [f"runtime.dot(weight, {source(e)})" for _, e in inner.outputs]
    if inner.exponent is None:
        lines = [f"def {name}(rule, {z}, weight{inputs}):", f'    """Averages over {comment}."""']
        lines += [f"    {line}" for line in _body(inner.body, leaves, tilts, owner)]
        return ["\n".join([*lines, *_returned(values)])]
    lines = [f"def {name}(rule, {z}, weight, shift{inputs}):", f'    """Tilted averages over {comment}."""']
    lines += [f"    {line}" for line in _body(inner.body, leaves, tilts, owner)]
    lines.append(f"    weight, log_norm = nested.tilt(weight, shift, {source(inner.exponent)})")
    lines += _returned(["log_norm", *values])
    search = [f"def {name}_search(rule, {z}{inputs}):", '    """The exponent of the tilt and its derivatives in z."""']
    search += [f"    {line}" for line in _body(inner.search_body, leaves, tilts, f"{owner}_search")]
    return ["\n".join([*search, *_returned(source(e) for e in inner.search)]), "\n".join(lines)]


def _pass(inner: Inner, owner: str) -> str:
    """The line that runs an inner pass."""
    name = f"{owner}_{inner.name}"
    steps = ", ".join(f"({_step_arguments(step)})" for step in inner.steps)
    inputs = "".join(f", {name_of(s)}" for s in inner.inputs)
    results = [name_of(s) for s, _ in inner.outputs]
    if inner.exponent is None:
        return f"{', '.join(results)}, = nested.plain({name}, rule, [{steps}]{inputs})"
    results.insert(0, name_of(inner.log_output))
    return f"{', '.join(results)}, = nested.tilted({name}, {name}_search, rule, [{steps}]{inputs})"


def _body(
    body: Sequence[Assign | Call | Inner],
    leaves: Mapping[str, Leaf],
    tilts: Mapping[tuple[str, str], Tilt],
    owner: str,
) -> list[str]:
    """The lines of a body; what one call answers together (tail and density, averages in one measure) is asked once."""
    calls = {(item.function, item.arguments): item for item in body if isinstance(item, Call)}
    lines: list[str] = []
    paired: set[sp.Symbol] = set()
    for item in body:
        if isinstance(item, Inner):
            lines.append(_pass(item, owner))
            continue
        if isinstance(item, Call) and item.function in ("tail", "density"):
            tail, density = (calls.get((function, item.arguments)) for function in ("tail", "density"))
            if tail is not None and density is not None:
                names = [call.outputs[0][1] for call in (tail, density)]
                if not paired.issuperset(names):
                    targets = ", ".join(name_of(name) for name in names)
                    argument = source(item.arguments[0])
                    lines.append(f"{targets} = special.gaussian_tail_and_density({argument})")
                paired.update(names)
                continue
        if isinstance(item, Call) and item.function == "tilted" and is_numerical(tilts[item.tag[0], item.tag[1]], leaves):
            if item.outputs[0][1] not in paired:
                together = _same_measure(item, body, tilts)
                paired.update(call.outputs[0][1] for call in together)
                lines.append(_averages(together, tilts))
            continue
        lines.append(_item(item, leaves, tilts))
    return lines


def _same_measure(item: Call, body: Sequence[Assign | Call | Inner], tilts: Mapping[tuple[str, str], Tilt]) -> list[Call]:
    """The calls of a body for tilted averages in the measure of one of them."""
    tilt = tilts[item.tag[0], item.tag[1]]
    found = []
    for other in body:
        if isinstance(other, Call) and other.function == "tilted" and other.arguments == item.arguments:
            one = tilts[other.tag[0], other.tag[1]]
            if (one.leaf, one.log_weight, one.splits, one.pieces) == (tilt.leaf, tilt.log_weight, tilt.splits, None):
                found.append(other)
    return found


def _averages(calls: Sequence[Call], tilts: Mapping[tuple[str, str], Tilt]) -> str:
    """The line that takes several averages in one measure."""
    tilt = tilts[calls[0].tag[0], calls[0].tag[1]]
    targets = ", ".join(name_of(call.outputs[0][1]) for call in calls)
    arguments = [*map(source, calls[0].arguments[:2]), *(name_of(s) for s in measure_parameters(tilt, tilts.values()))]
    names = ", ".join(f'"{call.tag[1]}"' for call in calls)
    return f"{targets}, = {measure_name(tilt, tilts.values())}({', '.join(arguments)}, rule, {names})"


def _returned(values: Iterable[str]) -> list[str]:
    return ["    return (", *(f"        {value}," for value in values), "    )"]


def _read(
    kernel: Kernel | PeakKernel | GroundKernel, leaves: Mapping[str, Leaf], tilts: Mapping[tuple[str, str], Tilt]
) -> set[sp.Basic]:
    """The symbols that a kernel's nodes need."""
    found: set[sp.Basic] = set()
    for _, expression in kernel.outputs:
        found |= expression.free_symbols
    if isinstance(kernel, PeakKernel):
        found = found.union(*(expression.free_symbols for expression in (kernel.level, *kernel.slopes)))
    if isinstance(kernel, GroundKernel):
        found = found.union(*(expression.free_symbols for expression in kernel.data))
    for item in kernel.items if isinstance(kernel, PeakKernel | GroundKernel) else kernel.body:
        if isinstance(item, Assign | Inner):
            found |= reads(item)
            continue
        for argument in item.arguments:
            found |= argument.free_symbols
        if item.function == "primitive":
            leaf = leaves[item.tag[0]]
            found |= {*leaf.label.free_symbols, *leaf_parameters(leaf)}
        elif item.function == "tilted":
            tilt = tilts[item.tag[0], item.tag[1]]
            if is_numerical(tilt, leaves):
                found |= set(measure_parameters(tilt, tilts.values()))
            else:
                found |= set(tilt_parameters(tilt, leaves.get(tilt.leaf)))
    return found


def _item(item: Assign | Call, leaves: Mapping[str, Leaf], tilts: Mapping[tuple[str, str], Tilt]) -> str:
    if isinstance(item, Assign):
        return f"{name_of(item.target)} = {source(item.expression)}"
    names = dict(item.outputs)
    highest = max(names)
    first = source(item.arguments[0])
    match item.function:
        case "tail":
            return f"{name_of(names[0])} = special.gaussian_tail({first})"
        case "conditional_tail":
            arguments = ", ".join(source(a) for a in item.arguments)
            return f"{name_of(names[0])} = bivariate.conditional_tail({arguments})"
        case "density":
            return f"{name_of(names[0])} = special.gaussian({first})"
        case "log_density":
            return f"{name_of(names[0])} = special.log_gaussian({first})"
        case "tilted":
            tilt = tilts[item.tag[0], item.tag[1]]
            arguments = "".join(f", {name_of(s)}" for s in tilt_parameters(tilt, leaves.get(tilt.leaf)))
            variance = source(item.arguments[1])
            return f"{name_of(names[0])} = _tilted_{item.tag[0]}_{item.tag[1]}({first}, {variance}{arguments})"
        case "log_tail" | "log_two_cosh" | "primitive":
            begin = 0 if 0 in names or item.function == "primitive" else 1
            targets = ", ".join(name_of(names[k]) if k in names else "_" for k in range(begin, highest + 1))
            comma = "," if highest == begin else ""
            if item.function == "primitive":
                leaf = leaves[item.tag[0]]
                labels = sorted(leaf.label.free_symbols, key=str)
                extra = "".join(f", {name_of(s)}" for s in (*labels, *leaf_parameters(leaf)))
                variance = source(item.arguments[1])
                call = f"_leaf_{leaf.tag}({first}, {variance}, {highest}{extra}{rule_argument(leaf)})"
            elif item.function == "log_two_cosh":
                call = f"special.{'binary_slopes' if begin else 'binary_cumulants'}({first}, {highest})"
            elif begin == 0:
                call = f"special.log_tail_derivatives({first}, {highest})"
            else:
                home = "special" if highest <= 4 else "runtime"
                call = f"{home}.log_tail_slopes({first}, {highest})"
            return f"{targets}{comma} = {call}"
    raise ValueError(item.function)
