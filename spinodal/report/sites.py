r"""What the symbols of a derivation stand for that have no closed form: single-site log Z, and means in their measures."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from spinodal.report.notation import Scribe
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.functions import Tail
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.observables import Tilt

_OMEGA, _V = symbol("omega"), symbol("_variance_h")


def partition_function(leaf: Leaf, scribe: Scribe) -> str:
    """The definition of log Z(omega, V) of one site: a closed form where there is one, else its sum or integral."""
    value = leaf.log_derivative(0, _OMEGA, _V)
    if leaf.is_closed:
        name = rf"\log Z_{{\text{{{leaf.tag.replace('_', ' ')}}}}}(\omega, V)"
        return f"{name} = {scribe.write(value)}"
    return rf"{scribe.write(value)} = \log {_body(leaf, scribe)}"


def _body(leaf: Leaf, scribe: Scribe) -> str:
    variable = scribe.write(leaf.variable)
    pull = rf"e^{{\omega {variable} + V {variable}^{{2}}/2}}"
    if leaf.kind == "discrete":
        if all(level == 0 for level in leaf.log_levels):
            values = ",\\, ".join(scribe.write(value) for value in leaf.values)
            return rf"\sum_{{{variable} \in \{{{values}\}}}} {pull}"
        terms = [
            rf"{scribe.write(sp.simplify(sp.exp(level)))}\, {scribe.write(sp.exp(_OMEGA * value + _V * value**2 / 2))}"
            for value, level in zip(leaf.values, leaf.log_levels, strict=True)
        ]
        return rf"\left[{' + '.join(terms)}\right]"
    if leaf.kind in ("half-line", "intervals"):
        scale = 1 / sp.sqrt(_V + leaf.smoothing)
        total = sp.Add(
            *(
                sp.exp(level) * (_tail(interval.lower, scale) - _tail(interval.upper, scale))
                for interval, level in zip(leaf.edges, leaf.log_levels, strict=True)
            )
        )
        return rf"\left[{scribe.write(total)}\right]"
    weight = scribe.write(sp.exp(leaf.log_weight))
    if leaf.variable == symbol("w"):
        return rf"\int d{variable}\; {weight}\, {pull}"
    gaussian = rf"\frac{{e^{{-({variable} - \omega)^{{2}}/2V}}}}{{\sqrt{{2\pi V}}}}"
    return rf"\int d{variable}\; {gaussian}\; {weight}"


def _tail(edge: sp.Expr, scale: sp.Expr) -> sp.Expr:
    if edge in (sp.oo, -sp.oo):
        return sp.Integer(0) if edge == sp.oo else sp.Integer(1)
    return Tail((edge - _OMEGA) * scale)


def tilted_means(tilts: Iterable[Tilt], leaves: dict[str, Leaf], scribe: Scribe) -> list[str]:
    """What angle brackets of named functions are: the measure of one site, then each function, label by label."""
    found = [tilt for tilt in tilts if tilt.leaf in leaves]
    equations = []
    for letter in dict.fromkeys(leaves[tilt.leaf].variable for tilt in found):
        x = scribe.write(letter)
        integral = rf"\int d{x}\; f({x})\, e^{{-({x} - \omega)^{{2}}/2V}}"
        if letter == symbol("w"):
            integral = rf"\int d{x}\; f({x})\, e^{{\omega {x} + V {x}^{{2}}/2}}"
        numerator = integral.replace(rf"f({x})", rf"f({x})\, g({x})")
        equations.append(rf"\left\langle g \right\rangle_{{\omega, V}} = \frac{{{numerator}}}{{{integral}}}")
    for tilt in found:
        leaf = leaves[tilt.leaf]
        given = rf" \quad (y = {scribe.write(leaf.label)})" if leaf.label != 0 else ""
        name = rf"\text{{{tilt.name.replace('_', ' ')}}}({scribe.write(leaf.variable)})"
        equations.append(f"{name} = {scribe.write(tilt.function)}{given}")
    return equations
