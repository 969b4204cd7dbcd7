"""What kernels call for leaves without a closed form in the package: partition functions, tilted averages, densities."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from spinodal.codegen.ir import Program
from spinodal.codegen.numpy_target.printer import name_of, source
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.observables import Tilt

_INDENT = "    "


def free_symbols_of(expressions: Iterable[sp.Expr], reserved: set[str]) -> list[sp.Symbol]:
    """The symbols of expressions but for reserved names, in the order of their names."""
    found: set[sp.Symbol] = set()
    for expression in expressions:
        found |= expression.free_symbols
    return sorted((s for s in found if str(s) not in reserved), key=str)


def leaf_parameters(leaf: Leaf) -> list[sp.Symbol]:
    """The parameters that a leaf's function takes."""
    expressions = [*leaf.log_levels, *leaf.values, leaf.log_weight, leaf.smoothing, *leaf.splits]
    expressions += [e for i in leaf.edges for e in (i.lower, i.upper)]
    return free_symbols_of(expressions, {"h", "w"} | {str(s) for s in leaf.label.free_symbols})


def _deepen(symbols: Iterable[sp.Symbol]) -> str:
    """Columns [b, 1] as [b, 1, 1], for functions of an inner integration variable."""
    return "".join(f"{_INDENT}{name_of(s)} = runtime.deepen({name_of(s)})\n" for s in symbols)


def leaf_function(leaf: Leaf) -> str:
    """The function that a leaf's kernels call: log Z(omega, variance) and its derivatives in omega."""
    parameters = leaf_parameters(leaf)
    labels = sorted(leaf.label.free_symbols, key=str)
    names = "".join(f", {name_of(s)}" for s in (*labels, *parameters))
    variable, smoothed = name_of(leaf.variable), f"variance + {source(leaf.smoothing)}"
    splits = f"[{', '.join(source(s) for s in leaf.splits)}]"
    weight = f"lambda {variable}: {source(leaf.log_weight)} + 0.0*{variable}"
    match leaf.kind:
        case "intervals":
            what, before = "log P of the field inside its intervals", ""
            edges = ", ".join(f"({source(i.lower)}, {source(i.upper)})" for i in leaf.edges)
            levels = ", ".join(source(v) for v in leaf.log_levels)
            call = f"interval.log_mass_derivatives(\n        omega, {smoothed}, [{edges}], [{levels}], order\n    )"
        case "discrete":
            what, before = "log sum over discrete weights", ""
            values = ", ".join(source(v) for v in leaf.values)
            levels = ", ".join(source(v) for v in leaf.log_levels)
            stacks = f"runtime.stack([{values}]), runtime.stack([{levels}])"
            call = f"special.discrete_cumulants(\n        omega, variance, {stacks}, order\n    )"
        case "density":
            what, before = "log integral over a weight density", f"    splits = {splits}\n{_deepen(parameters)}"
            numbers = "omega, variance, splits, order, nodes=tilted.nodes(rule)"
            call = f"tilted.density_cumulants(\n        {weight}, {numbers}\n    )"
        case "pieces":
            what, before = "log average of a piecewise quadratic loss over the field", ""
            coefficients = ", ".join(source(part) for part in leaf.quadratic)
            numbers = f"omega, {smoothed}, {splits}, order"
            call = f"pieces.log_average(\n        lambda {variable}: ({coefficients}),\n        {numbers}\n    )"
        case _:
            what = "log average of the loss over the field"
            before = f"    splits = {splits}\n{_deepen((*labels, *parameters))}"
            numbers = f"omega, {smoothed}, splits, order, nodes=tilted.nodes(rule)"
            call = f"tilted.log_average(\n        {weight}, {numbers}\n    )"
    return (
        f"def _leaf_{leaf.tag}(omega, variance, order{names}{rule_argument(leaf)}):\n"
        f'    """{what}, and its derivatives in omega."""\n{before}    return {call}'
    )


def rule_argument(leaf: Leaf | None) -> str:
    """The quadrature rule as a last argument, for averages whose inner nodes are to be refined with it."""
    return "" if leaf is not None and leaf.kind in ("intervals", "discrete", "pieces") else ", rule"


def tilt_function(tilt: Tilt, program: Program) -> str:
    """The function of a tilted average, E[g] under a leaf's weight."""
    leaves = {leaf.tag: leaf for leaf in program.leaves}
    leaf = leaves.get(tilt.leaf)
    parameters = tilt_parameters(tilt, leaf)
    names = "".join(f", {name_of(s)}" for s in parameters)
    head = (
        f"def _tilted_{tilt.leaf}_{tilt.name}(omega, variance{names}{tilt_rule(tilt, leaf)}):\n"
        f'    """The average of {tilt.name} in the tilted measure."""\n'
    )
    if leaf is not None and leaf.kind == "discrete":
        values = ", ".join(source(v) for v in leaf.values)
        levels = ", ".join(source(v) for v in leaf.log_levels)
        of_value = ", ".join(source(tilt.function.subs(leaf.variable, v)) for v in leaf.values)
        return head + (
            f"    return special.discrete_mean(\n        omega, variance, runtime.stack([{values}]),"
            f" runtime.stack([{levels}]), runtime.stack([{of_value}])\n    )[0]"
        )
    symbol_w, symbol_h = sp.Symbol("w", real=True), sp.Symbol("h", real=True)
    variable = name_of(symbol_w if tilt.log_weight.has(symbol_w) or tilt.function.has(symbol_w) else symbol_h)
    splits = ", ".join(source(s) for s in tilt.splits)
    if tilt.pieces is not None:
        weights, parts = (", ".join(source(part) for part in triple) for triple in tilt.pieces)
        return head + (
            f"    return pieces.tilted_average(\n        lambda {variable}: ({weights}), lambda {variable}: ({parts}),"
            f" omega, variance, [{splits}]\n    )"
        )
    weight, function = source(tilt.log_weight), source(tilt.function)
    body = f"    splits = [{splits}]\n{_deepen(parameters)}"
    if variable == name_of(symbol_w):
        return (
            head
            + body
            + (
                f"    return tilted.density_averages(\n        lambda {variable}: {weight} + 0.0*{variable},"
                f" [lambda {variable}: {function} + 0.0*{variable}],"
                f" omega, variance, splits, nodes=tilted.nodes(rule)\n    )[0][0]"
            )
        )
    return (
        head
        + body
        + (
            f"    return tilted.tilted_averages(\n        lambda {variable}: {weight} + 0.0*{variable},"
            f" [lambda {variable}: {function} + 0.0*{variable}],"
            f" omega, variance, splits, 0, nodes=tilted.nodes(rule)\n    )[1][0][0]"
        )
    )


def tilt_rule(tilt: Tilt, leaf: Leaf | None) -> str:
    """The quadrature rule as a last argument, as :func:`rule_argument`."""
    return "" if tilt.pieces is not None or (leaf is not None and leaf.kind == "discrete") else ", rule"


def tilt_parameters(tilt: Tilt, leaf: Leaf | None) -> list[sp.Symbol]:
    """The parameters that a tilted average's function takes."""
    data = [*leaf.log_levels, *leaf.values] if leaf is not None and leaf.kind == "discrete" else []
    data += [part for triple in tilt.pieces or () for part in triple]
    return free_symbols_of([tilt.function, tilt.log_weight, *tilt.splits, *data], {"h", "w"})


def teacher_density_function(program: Program) -> str:
    """The function of the nodes and weights of the teacher's weight density."""
    assert program.teacher_density is not None
    log_density, splits = program.teacher_density
    w = name_of(sp.Symbol("w", real=True))
    parameters = free_symbols_of([log_density, *splits], {"w"})
    names = "".join(f", {name_of(s)}" for s in parameters)
    return (
        f"def _teacher_density(nodes{names}):\n"
        f'    """Nodes and weights of the teacher\'s weight density."""\n'
        f"    splits = [{', '.join(source(s) for s in splits)}]\n{_deepen(parameters)}"
        f"    return runtime.density_nodes(lambda {w}: {source(log_density)} + 0.0*{w}, splits, nodes)"
    )
