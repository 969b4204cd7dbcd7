"""What kernels call for leaves without a closed form in the package: partition functions, tilted averages, densities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sympy as sp

from spinodal.codegen.ir import Program
from spinodal.codegen.numpy_target.densities import (
    at_places,
    deepened,
    exchanges_function,
    free_symbols_of,
    leaf_parameters,
    places_line,
)
from spinodal.codegen.numpy_target.printer import name_of, source
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.observables import Tilt

_INDENT = "    "


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
            what = "log integral over a weight density"
            before = f"    splits = {splits}\n{places_line(leaf)}{deepened(parameters)}"
            numbers = f"omega, variance, splits, order, {at_places(leaf)}nodes=tilted.nodes(rule)"
            call = f"tilted.density_cumulants(\n        {weight}, {numbers}\n    )"
        case "pieces":
            what, before = "log average of a piecewise quadratic loss over the field", ""
            coefficients = ", ".join(source(part) for part in leaf.quadratic)
            numbers = f"omega, {smoothed}, {splits}, order"
            call = f"pieces.log_average(\n        lambda {variable}: ({coefficients}),\n        {numbers}\n    )"
        case _:
            what = "log average of the loss over the field"
            before = f"    splits = {splits}\n{deepened((*labels, *parameters))}"
            numbers = f"omega, {smoothed}, splits, order, nodes=tilted.nodes(rule)"
            call = f"tilted.log_average(\n        {weight}, {numbers}\n    )"
    return (
        f"def _leaf_{leaf.tag}(omega, variance, order{names}{rule_argument(leaf)}):\n"
        f'    """{what}, and its derivatives in omega."""\n{before}    return {call}'
    )


def takeovers_function(leaf: Leaf) -> str:
    """The function of the places where pieces of a leaf's weight exchange dominance."""
    symbols = (*sorted(leaf.label.free_symbols, key=str), *leaf_parameters(leaf))
    names = "".join(f", {name_of(s)}" for s in symbols)
    if leaf.kind == "density":
        return exchanges_function(leaf, names)
    coefficients = ", ".join(source(part) for part in leaf.quadratic or (leaf.log_weight, sp.Integer(0), sp.Integer(0)))
    splits = ", ".join(source(s) for s in leaf.splits)
    return (
        f"def _takeovers_{leaf.tag}(variance, offset, slope{names}):\n"
        f'    """Where in z two pieces of the weight are equally high, omega = offset + slope z: centres and widths."""\n'
        f"    return takeovers.takeovers(\n        lambda {name_of(leaf.variable)}: ({coefficients}),"
        f" variance, [{splits}], offset, slope\n    )"
    )


def bumps_function(leaf: Leaf) -> str:
    """The function of the places of a leaf's maxima: what is averaged at one label is narrow around them."""
    symbols = (*sorted(leaf.label.free_symbols, key=str), *leaf_parameters(leaf))
    names = "".join(f", {name_of(s)}" for s in symbols)
    variable = name_of(leaf.variable)
    return (
        f"def _bumps_{leaf.tag}(variance, offset, slope{names}):\n"
        f'    """Where in z the weight has its maxima, omega = offset + slope z: centres and widths."""\n'
        f"    return takeovers.bumps(lambda {variable}: {source(leaf.log_weight)} + 0.0*{variable}, variance, offset, slope)"
    )


def rule_argument(leaf: Leaf | None) -> str:
    """The quadrature rule as a last argument, for averages whose inner nodes are to be refined with it."""
    return "" if leaf is not None and leaf.kind in ("intervals", "discrete", "pieces") else ", rule"


def tilt_functions(program: Program) -> list[str]:
    """The functions of tilted averages, E[g] under a leaf's weight: one for all that share a numerical measure."""
    leaves = {leaf.tag: leaf for leaf in program.leaves}
    functions = [_closed_tilt(tilt, leaves.get(tilt.leaf)) for tilt in program.tilts if not is_numerical(tilt, leaves)]
    groups: dict[str, list[Tilt]] = {}
    for tilt in program.tilts:
        if is_numerical(tilt, leaves):
            groups.setdefault(measure_name(tilt, program.tilts), []).append(tilt)
    return functions + [_numerical_tilts(name, group, leaves.get(group[0].leaf)) for name, group in groups.items()]


def is_numerical(tilt: Tilt, leaves: Mapping[str, Leaf]) -> bool:
    """Whether a tilted average is a numerical one, whose nodes follow the rule."""
    leaf = leaves.get(tilt.leaf)
    return tilt.pieces is None and (leaf is None or leaf.kind != "discrete")


def measure_name(tilt: Tilt, tilts: Iterable[Tilt]) -> str:
    """The function of the measure that a tilt's average is taken in, which others may share."""
    measures = dict.fromkeys((t.log_weight, t.splits) for t in tilts if t.leaf == tilt.leaf and t.pieces is None)
    number = list(measures).index((tilt.log_weight, tilt.splits))
    return f"_tilted_{tilt.leaf}{number + 1 if number else ''}"


def measure_parameters(tilt: Tilt, tilts: Iterable[Tilt]) -> list[sp.Symbol]:
    """The parameters that the function of a tilt's measure takes."""
    group = [t for t in tilts if (t.leaf, t.log_weight, t.splits) == (tilt.leaf, tilt.log_weight, tilt.splits)]
    return free_symbols_of([tilt.log_weight, *tilt.splits, *(t.function for t in group)], {"h", "w"})


def _numerical_tilts(name: str, group: Sequence[Tilt], leaf: Leaf | None) -> str:
    first = group[0]
    parameters = measure_parameters(first, group)
    names = "".join(f", {name_of(s)}" for s in parameters)
    symbol_w, symbol_h = sp.Symbol("w", real=True), sp.Symbol("h", real=True)
    of_weight = any(expression.has(symbol_w) for expression in (first.log_weight, *(t.function for t in group)))
    variable = name_of(symbol_w if of_weight else symbol_h)
    table = "".join(f'        "{t.name}": lambda {variable}: {source(t.function)} + 0.0*{variable},\n' for t in group)
    call, last = ("density_averages", "") if of_weight else ("tilted_averages", "[1]")
    order = "" if of_weight else ", 0"
    leaf = leaf if of_weight else None
    return (
        f"def {name}(omega, variance{names}, rule, *names):\n"
        f'    """Averages of named functions in one tilted measure."""\n'
        f"    splits = [{', '.join(source(s) for s in first.splits)}]\n{places_line(leaf)}{deepened(parameters)}"
        f"    functions = {{\n{table}    }}\n"
        f"    averages = tilted.{call}(\n        lambda {variable}: {source(first.log_weight)} + 0.0*{variable},"
        f" [functions[name] for name in names], omega, variance, splits{order},"
        f" {at_places(leaf)}nodes=tilted.nodes(rule)\n    ){last}\n"
        f"    return [average[0] for average in averages]"
    )


def _closed_tilt(tilt: Tilt, leaf: Leaf | None) -> str:
    """The function of a tilted average that is a sum over values or pieces."""
    names = "".join(f", {name_of(s)}" for s in tilt_parameters(tilt, leaf))
    head = (
        f"def _tilted_{tilt.leaf}_{tilt.name}(omega, variance{names}):\n"
        f'    """The average of {tilt.name} in the tilted measure."""\n'
    )
    if tilt.pieces is not None:
        weights, parts = (", ".join(source(part) for part in triple) for triple in tilt.pieces)
        splits, variable = ", ".join(source(s) for s in tilt.splits), name_of(sp.Symbol("h", real=True))
        return head + (
            f"    return pieces.tilted_average(\n        lambda {variable}: ({weights}), lambda {variable}: ({parts}),"
            f" omega, variance, [{splits}]\n    )"
        )
    assert leaf is not None
    values = ", ".join(source(v) for v in leaf.values)
    levels = ", ".join(source(v) for v in leaf.log_levels)
    of_value = ", ".join(source(tilt.function.subs(leaf.variable, v)) for v in leaf.values)
    return head + (
        f"    return special.discrete_mean(\n        omega, variance, runtime.stack([{values}]),"
        f" runtime.stack([{levels}]), runtime.stack([{of_value}])\n    )[0]"
    )


def tilt_parameters(tilt: Tilt, leaf: Leaf | None) -> list[sp.Symbol]:
    """The parameters that the function of a tilted average without quadrature takes."""
    data = [*leaf.log_levels, *leaf.values] if leaf is not None and leaf.kind == "discrete" else []
    data += [part for triple in tilt.pieces or () for part in triple]
    return free_symbols_of([tilt.function, tilt.log_weight, *tilt.splits, *data], {"h", "w"})


def label_function(program: Program) -> str:
    """The function of the nodes and weights of a label that is integrated over."""
    assert program.label is not None
    signal, amplitude, rms = map(source, program.label)
    names = "".join(f", {name_of(s)}" for s in free_symbols_of(program.label, {"u"}))
    return (
        f"def _label_nodes(nodes{names}):\n"
        f'    """Nodes and weights of the label."""\n'
        f"    return label.label_nodes(lambda u: {signal} + 0.0*u, lambda u: {amplitude} + 0.0*u, {rms}, nodes)"
    )
