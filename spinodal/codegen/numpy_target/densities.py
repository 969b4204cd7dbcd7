"""What kernels call for densities of weights: nodes, steps between modes, masses; and the symbols that leaves take."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from spinodal.codegen.ir import Program, WeightDensity
from spinodal.codegen.numpy_target.printer import name_of, source
from spinodal.symbolic.leaves import Leaf

_INDENT = "    "


def free_symbols_of(expressions: Iterable[sp.Expr], reserved: set[str]) -> list[sp.Symbol]:
    """The symbols of expressions but for reserved names, in the order of their names."""
    found: set[sp.Symbol] = set()
    for expression in expressions:
        found |= expression.free_symbols
    return sorted((s for s in found if str(s) not in reserved), key=str)


def leaf_parameters(leaf: Leaf) -> list[sp.Symbol]:
    """The parameters that a leaf's function takes."""
    expressions = list(leaf.expressions)
    expressions += [e for i in leaf.edges for e in (i.lower, i.upper)]
    return free_symbols_of(expressions, {"h", "w"} | {str(s) for s in leaf.label.free_symbols})


def deepened(symbols: Iterable[sp.Symbol]) -> str:
    """Columns [b, 1] as [b, 1, 1], for functions of an inner integration variable."""
    return "".join(f"{_INDENT}{name_of(s)} = runtime.deepen({name_of(s)})\n" for s in symbols)


def _columns(symbols: Iterable[sp.Symbol]) -> str:
    """Numbers, [b] or [b, 1] as [b, 1, 1], for functions of an inner integration variable."""
    return "".join(f"{_INDENT}{name_of(s)} = np.reshape({name_of(s)}, (-1, 1, 1))\n" for s in symbols)


def places_line(leaf: Leaf | WeightDensity | None) -> str:
    """The line that names a density's places, if it has any."""
    if leaf is None or leaf.places is None:
        return ""
    return f"{_INDENT}places = [{', '.join(source(s) for s in leaf.places)}]\n"


def at_places(leaf: Leaf | WeightDensity | None) -> str:
    """The argument of averages over a density that may have several modes."""
    return "" if leaf is None or leaf.places is None else "places=places, "


def exchanges_function(leaf: Leaf, names: str) -> str:
    """The function of the places where modes of a density exchange their order."""
    variable, splits = name_of(leaf.variable), ", ".join(source(s) for s in leaf.splits)
    return (
        f"def _takeovers_{leaf.tag}(variance, offset, slope{names}):\n"
        f'    """Where in z two modes exchange their order, omega = offset + slope z: centres and widths."""\n'
        f"    splits = [{splits}]\n{places_line(leaf)}{_columns(leaf_parameters(leaf))}"
        f"    return modes.exchanges(\n        lambda {variable}: {source(leaf.log_weight)} + 0.0*{variable},"
        f" variance, splits, places, offset, slope\n    )"
    )


def teacher_density_function(program: Program) -> str:
    """The function of the nodes and weights of the teacher's weight density."""
    density = program.teacher_density
    assert density is not None
    w = name_of(sp.Symbol("w", real=True))
    parameters = free_symbols_of(density.expressions, {"w"})
    names = "".join(f", {name_of(s)}" for s in parameters)
    return (
        f"def _teacher_density(nodes{names}):\n"
        f'    """Nodes and weights of the teacher\'s weight density."""\n'
        f"    splits = [{', '.join(source(s) for s in density.splits)}]\n{places_line(density)}{deepened(parameters)}"
        f"    return densities.density_nodes(\n        lambda {w}: {source(density.log_density)} + 0.0*{w},"
        f" splits, nodes{', places' if density.places is not None else ''}\n    )"
    )


def masses_function(program: Program) -> str:
    """``log_masses(p)``: the integrals of densities on the nodes that averages over them have."""
    used = {str(s) for density in program.densities for e in density.expressions for s in e.free_symbols}
    lines = [
        f"OWNERS = {tuple(density.owner for density in program.densities)!r}  # of densities of weights",
        "",
        "",
        "def log_masses(p):",
        '    """Logarithms of the integrals of densities on the nodes of averages, in the order of OWNERS, [B, m]."""',
        "    p = np.atleast_2d(np.asarray(p, dtype=float))",
        *(f"    {name_of(sp.Symbol(name))} = p[:, {j}, None]" for j, name in enumerate(program.parameters) if name in used),
        "    found = []",
    ]
    w = name_of(sp.Symbol("w", real=True))
    for density in program.densities:
        lines.append(f"    splits = [{', '.join(source(s) for s in density.splits)}]")
        lines += places_line(density).splitlines()
        parameters = ", ".join(f"{name_of(s)}={name_of(s)}[..., None]" for s in free_symbols_of(density.expressions, {"w"}))
        function = f"lambda {', '.join(filter(None, (w, parameters)))}: {source(density.log_density)} + 0.0*{w}"
        if density.owner == "teacher":
            rest = f"splits{', places' if density.places is not None else ''}"
            lines.append(f"    found.append(densities.log_mass({function}, {rest}))")
        else:
            numbers = f"np.zeros((len(p), modes.FEWEST_FIELDS)), 0.0, splits, 0, {at_places(density)}".rstrip(", ")
            lines.append(f"    found.append(tilted.density_cumulants({function}, {numbers})[0][:, 0])")
    return "\n".join([*lines, "    return np.stack(np.broadcast_arrays(*found, p[:, 0])[:-1], axis=1)"])
