r"""What the symbols of a derivation stand for that have no closed form: single-site log Z, and means in their measures."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from spinodal.report.notation import FIELD, VARIANCE, Scribe, relation
from spinodal.report.terms import terms_of
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.functions import Tail, subscript
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.observables import Tilt, log_weight


def partition_function(leaf: Leaf, scribe: Scribe) -> str:
    """The definition of log Z(omega, V) of one site: a closed form where there is one, else its sum or integral."""
    value = leaf.log_derivative(0, FIELD, VARIANCE)
    if leaf.is_closed:
        given = "" if leaf.label.is_number else rf"{scribe.write(leaf.label)} \mid "
        arguments = f"{given}{scribe.write(FIELD)}; {scribe.write(VARIANCE)}"
        name = rf"\log Z_{{{subscript(leaf.tag)}}}({arguments})"
        return relation(name, [scribe.write(term) for term in terms_of(value)])
    return rf"{scribe.write(value)} = \log {_body(leaf, scribe)}"


def label_of(leaf: Leaf, scribe: Scribe) -> str | None:
    """What a label is made of, where it is no number."""
    if leaf.label.is_number:
        return None
    normal = ",\\, ".join(scribe.write(s) for s in sorted(leaf.label.free_symbols, key=str) if str(s).startswith("_"))
    return rf"y = {scribe.write(leaf.label)}, \qquad {normal} \sim \mathcal{{N}}(0, 1)"


def difference(leaf: Leaf, scribe: Scribe) -> str:
    """What the field of a loss stands for that reads a real label only in a difference."""
    what = scribe.write(leaf.variable - leaf.taken * symbol("y"))
    return f"the loss reads the difference ${what}$ only, and from here on ${scribe.write(leaf.variable)}$ stands for it"


def _pull(leaf: Leaf, scribe: Scribe) -> str:
    x, field, variance = (scribe.write(s) for s in (leaf.variable, FIELD, VARIANCE))
    if leaf.variable == symbol("w"):
        return rf"e^{{{field} {x} + {variance} {x}^{{2}}/2}}"
    return rf"\frac{{e^{{-({x} - {field})^{{2}}/2{variance}}}}}{{\sqrt{{2\pi {variance}}}}}"


def _body(leaf: Leaf, scribe: Scribe) -> str:
    variable = scribe.write(leaf.variable)
    if leaf.kind == "discrete":
        if all(level == 0 for level in leaf.log_levels):
            values = ",\\, ".join(scribe.write(value) for value in leaf.values)
            return rf"\sum_{{{variable} \in \{{{values}\}}}} {_pull(leaf, scribe)}"
        return rf"\left[{' + '.join(_values(leaf, scribe))}\right]"
    if leaf.kind in ("half-line", "intervals"):
        scale = 1 / sp.sqrt(VARIANCE + leaf.smoothing)
        total = sp.Add(
            *(
                sp.exp(level) * (_tail(interval.lower, scale) - _tail(interval.upper, scale))
                for interval, level in zip(leaf.edges, leaf.log_levels, strict=True)
            )
        )
        return rf"\left[{scribe.write(total)}\right]"
    density = sp.exp(leaf.log_weight)
    weight = rf"\left({scribe.write(density)}\right)" if density.is_Add else scribe.write(density)
    factors = (_pull(leaf, scribe), weight) if leaf.variable == symbol("h") else (weight, _pull(leaf, scribe))
    return rf"\int d{variable}\; {factors[0]}\, {factors[1]}"


def _values(leaf: Leaf, scribe: Scribe, function: str = "") -> list[str]:
    """The terms of a sum over the values of a weight: probability, pull of the field, and a function of the value."""
    terms = []
    for value, level in zip(leaf.values, leaf.log_levels, strict=True):
        probability, pull = sp.simplify(sp.exp(level)), sp.exp(FIELD * value + VARIANCE * value**2 / 2)
        factors = [
            scribe.write(f) if not f.is_Add else rf"\left({scribe.write(f)}\right)" for f in (probability, pull) if f != 1
        ]
        factors += [f"{function}({scribe.write(value)})"] if function else []
        terms.append(r"\, ".join(factors) or "1")
    return terms


def _tail(edge: sp.Expr, scale: sp.Expr) -> sp.Expr:
    if edge in (sp.oo, -sp.oo):
        return sp.Integer(0) if edge == sp.oo else sp.Integer(1)
    return Tail((edge - FIELD) * scale)


def tilted_means(tilts: Iterable[Tilt], leaves: dict[str, Leaf], scribe: Scribe) -> list[str]:
    """What angle brackets of named functions are: the measure of each site, then each function, label by label."""
    found = [tilt for tilt in tilts if tilt.leaf in leaves]
    equations = []
    for tag in dict.fromkeys(tilt.leaf for tilt in found):
        equations += _measure(leaves[tag], scribe)
    for tilt in found:
        leaf = leaves[tilt.leaf]
        given = rf" \quad (y = {scribe.write(leaf.label)})" if leaf.label != 0 else ""
        name = rf"\text{{{tilt.name.replace('_', ' ')}}}({scribe.write(leaf.variable)})"
        value = _cases(tilt.function) if isinstance(tilt.function, sp.Piecewise) else tilt.function
        equations.append(f"{name} = {scribe.write(value)}{given}")
    return equations


def _cases(function: sp.Piecewise) -> sp.Piecewise:
    """A function of the values of a weight with each value of its own once: log(rho/2) for both signs."""
    found: dict[sp.Expr, list[sp.Basic]] = {}
    for value, condition in function.args:
        found.setdefault(sp.logcombine(value, force=True), []).append(condition)
    return sp.Piecewise(*((value, sp.Or(*conditions)) for value, conditions in found.items()), evaluate=False)


def _measure(leaf: Leaf, scribe: Scribe) -> list[str]:
    """The mean of a function g in the measure of one site, and the weight that it is taken with."""
    x, field, variance = (scribe.write(s) for s in (leaf.variable, FIELD, VARIANCE))
    given = "" if leaf.label.is_number else f", {scribe.write(leaf.label)}"
    name = rf"\left\langle g \right\rangle^{{{subscript(leaf.tag)}}}_{{{field}, {variance}{given}}}"
    if leaf.kind == "discrete":
        return [rf"{name} = \frac{{{' + '.join(_values(leaf, scribe, 'g'))}}}{{{' + '.join(_values(leaf, scribe))}}}"]
    weight = rf"f_{{{subscript(leaf.tag)}}}({x})"
    integral = rf"\int d{x}\; {weight}\, {_pull(leaf, scribe)}"
    mean = rf"{name} = \frac{{\int d{x}\; g({x})\, {weight}\, {_pull(leaf, scribe)}}}{{{integral}}}"
    return [mean, f"{weight} = {scribe.write(_weight(leaf))}"]


def _weight(leaf: Leaf) -> sp.Expr:
    """What a site weighs, besides the Gaussian measure or the pull of its field."""
    log = log_weight(leaf)
    if isinstance(log, sp.Piecewise):
        return sp.Piecewise(*((sp.exp(value), condition) for value, condition in log.args))
    return sp.exp(log)
