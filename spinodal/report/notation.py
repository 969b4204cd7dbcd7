r"""A derivation's expressions as LaTeX in the field's notation.

Gaussian averages are written as papers write them: the fields that an average runs over have letters (``h`` in the output
channel, ``\omega`` in the prior), a weight e^{m log Z} is the power Z^m, and a mean in a tilted measure is an angle bracket.
Fields and brackets are defined where they are first used; :meth:`Scribe.definitions` hands their definitions out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter

from spinodal.report.terms import plain
from spinodal.symbolic.averages import Average, Measure
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.functions import LogDensity, LogPartition, LogTail, LogTwoCosh, Primitive, subscript
from spinodal.symbolic.ground import ANSWERED, Observed
from spinodal.symbolic.maximisers import ABOVE, BELOW, Kinks
from spinodal.symbolic.nested import LogAverage, TiltedAverage, TiltedKinks
from spinodal.symbolic.peaks import Peak

#: The arguments of functions of one site where these are defined: a field and a variance.
FIELD, VARIANCE = symbol("omega"), symbol("_any_variance")

#: LaTeX names of the derivation's own symbols; those of order parameters are made by rule.
_NAMES = {
    "_kappa_star_sq": r"\kappa_\star^2",
    "_variance_h": "V",
    "_variance_u": "V_u",
    "_variance_w": r"\hat v",
    "_variance_h_ref": r"\tilde V",
    "_variance_w_ref": r"\tilde{\hat v}",
    "_residual_h_ref": r"\tilde V_{\mathrm{own}}",
    "_residual_w_ref": r"\tilde{\hat v}_{\mathrm{own}}",
    "_residual_u": r"V_{u}^{\mathrm{own}}",
    "_common_u_h": r"C_{uh}",
    "_teacher_rms": r"\sigma_\star",
    "_prior_gap": "g",
    "_copies": "m",
    "_copies_1": "m_1",
    "_copies_2": "m_2",
    "_w_star": r"w_\star",
    "_xi": r"\xi",
    "_xi_noise": r"\xi_n",
    "lam": r"\lambda",
}
_GREEK = frozenset("alpha beta gamma delta epsilon kappa lambda mu nu rho sigma tau theta eta phi chi psi xi zeta".split())  # noqa: SIM905
#: What ends a row of cases.
_ROW = r" \\ "
_NESTED = (Average, LogAverage, TiltedAverage)


class _Mills(sp.Function):
    """G/H with a name of its own, so that the signs of (log H)' = -G/H are multiplied out."""

    nargs = 1

    def _latex(self, printer: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\operatorname{{Mills}}{power}\!\left({printer._print(self.args[0])}\right)"


def is_renamed(name: str) -> bool:
    r"""Whether the letter of a name is not the one that it looks like, as ``\lambda`` of ``lam``."""
    return name in _NAMES


def letter(name: str) -> str:
    r"""The letter of an order parameter, a parameter or a definition: ``q1_hat`` is ``\hat q_1``, ``q_ref`` ``\tilde q``."""
    if name in _NAMES:
        return _NAMES[name]
    rest = name.lstrip("_")
    accents = []
    if rest.endswith("_hat"):
        rest = rest.removesuffix("_hat")
        accents.append(r"\hat")
    if rest.endswith("_ref"):
        rest = rest.removesuffix("_ref")
        accents.append(r"\tilde")
    match = re.fullmatch(r"(d(?=[a-zA-Z]$))?([a-zA-Z]+?)(\d*)(?:_(\w+))?", rest)
    if match is None:
        return rf"\mathrm{{{rest}}}".replace("_", r"\_")
    difference, stem, level, subscript = match.groups()
    body = stem if len(stem) == 1 else f"\\{stem}" if stem.lower() in _GREEK else rf"\mathrm{{{stem}}}"
    for accent in reversed(accents):
        body = f"{accent}{{{body}}}" if body.startswith("\\") and not body[1:].isalpha() else f"{accent} {body}"
    lower = ",".join(part for part in (level, _subscript(subscript)) if part)
    return (r"\delta " if difference else "") + body + (f"_{{{lower}}}" if len(lower) > 1 else f"_{lower}" if lower else "")


def _subscript(text: str | None) -> str:
    if text is None:
        return ""
    return r"\star" if text == "star" else text if len(text) == 1 else rf"\mathrm{{{text}}}".replace("_", r"\,")


def _field_letter(name: str) -> str:
    """The letter of a field: its channel, its level, whether it is the teacher's or the reference's."""
    parts = name.removeprefix("_omega_").split("_")
    base = "h" if "output" in parts or name == "h" else r"\omega"
    own = [p for p in parts if p not in ("prior", "output")]
    level = next((p for p in own if p.isdigit()), "")
    if "teacher" in own:
        return "u" if base == "h" else r"\omega_\star"
    reference = "ref" in own or (own[:1] == ["probe"] and own[-1:] != ["probe"]) or own == ["probe"]
    if own == ["probe"]:
        level = "0"
    if reference:
        base = rf"\tilde {base}"
    return f"{base}_{level}" if level else base


class Scribe(LatexPrinter):
    """Writes the expressions of one document.

    Args:
        symbols: an author's letters, ``{name: LaTeX}``.
        block_size: the letter of the number of copies in an inner block.
    """

    def __init__(self, symbols: Mapping[str, str] | None = None, block_size: str = "m") -> None:
        super().__init__(
            {"fold_short_frac": False, "mul_symbol": None, "parenthesize_super": True, "inv_trig_style": "full"}
        )
        given = dict(symbols or {})
        self.symbols = {name: text.removeprefix("-").strip() for name, text in given.items()}
        #: What the author calls minus an order parameter: those are what is written.
        self.negated = {symbol(name): -symbol(f"_minus_{name}") for name, text in given.items() if text.startswith("-")}
        self.symbols |= {f"minus_{s}": self.symbols[str(s)] for s in self.negated}
        self.block_size = block_size
        self._fields: dict[tuple[sp.Symbol, sp.Expr, sp.Expr], str] = {}
        self._here: dict[sp.Symbol, str] = {
            FIELD: self._free(r"\omega", r"\zeta", "x"),
            VARIANCE: self._free("V", r"\mathcal{V}", r"\Sigma"),
        }
        self._spelled = False
        #: Order parameters in terms of letters that make fractions shorter.
        self.short: Mapping[sp.Symbol, sp.Expr] = {}
        self._tilts: dict[str, str] = {}
        self._known: set[str] = set()
        self._pending: list[str] = []
        self._depth = 0

    def _free(self, *letters: str) -> str:
        """The first of some letters that the author has given no other meaning."""
        return next((x for x in letters if x not in self.symbols.values()), letters[-1])

    def yield_to_author(self, definitions: Iterable[tuple[sp.Symbol, sp.Expr]]) -> None:
        """Give quantities other letters whose usual ones the author uses for something else."""
        taken = {text: name for name, text in self.symbols.items()}
        for mark, meaning in definitions:
            usual, own = letter(str(mark)), str(mark).lstrip("_")
            if usual in taken and own not in self.symbols and meaning != symbol(taken[usual]):
                self.symbols[own] = rf"\mathcal{{{usual}}}" if len(usual) == 1 and usual.isupper() else f"{{{usual}}}'"

    def write(self, expression: sp.Expr) -> str:
        """The LaTeX of an expression."""
        return str(self.doprint(with_mills(plain(expression).xreplace(self.negated))))

    @contextmanager
    def spelled(self) -> Iterator[None]:
        """Means in tilted measures are written as the quotients that they are, not as brackets."""
        before, self._spelled = self._spelled, True
        try:
            yield
        finally:
            self._spelled = before

    def definitions(self) -> tuple[str, ...]:
        """Equations that define the letters that have been used since this was last asked."""
        found, self._pending = tuple(self._pending), []
        return found

    def within(self, average: Any, write: Callable[[], str]) -> str:
        """What ``write`` gives while the fields of an average have their letters."""
        self._depth += 1
        before = dict(self._here)
        try:
            self._name_fields(average.measure)
            return write()
        finally:
            self._depth -= 1
            self._here = before

    # ---- symbols

    def _print_Symbol(self, expr: sp.Symbol, style: str = "plain") -> str:
        name = str(expr)
        if name.lstrip("_") in self.symbols:
            return self.symbols[name.lstrip("_")]
        root = name.lstrip("_").removesuffix("_sq")
        if name.endswith("_sq") and root in self.symbols:
            return rf"{{{self.symbols[root]}}}^2" if "^" in self.symbols[root] else f"{self.symbols[root]}^2"
        if expr in self._here:
            return self._here[expr]
        if name.startswith("_z"):
            return "z"
        if name == "_copies":
            return self.block_size
        return letter(name)

    def _print_Heaviside(self, expr: sp.Heaviside, exp: Any = None) -> str:
        # not theta, which may be a parameter
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\Theta{power}\!\left({self._print(expr.args[0])}\right)"

    def _print_Pow(self, expr: sp.Pow) -> str:
        if isinstance(expr.base, _NESTED) and expr.exp.is_Rational and expr.exp > 0:
            return rf"\left[{self._print(expr.base)}\right]^{{{self._print(expr.exp)}}}"
        if isinstance(expr.base, LogTwoCosh) and expr.base.args[0] == 2 and expr.exp.is_Integer and expr.exp > 0:
            return rf"\operatorname{{sech}}^{{{2 * expr.exp}}}\!\left({self._print(expr.base.args[1])}\right)"
        if isinstance(expr.base, sp.Symbol) and "^" in (text := self._print_Symbol(expr.base)) and expr.exp > 0:
            power = 2 * expr.exp
            if text.endswith("^2") and power.is_Integer:  # of a letter that is a square
                return text.removesuffix("^2") + ("" if power == 1 else f"^{{{power}}}")
            return rf"\left({text}\right)^{{{self._print(expr.exp)}}}"
        return str(super()._print_Pow(expr))

    def _print_Add(self, expr: sp.Add, order: Any = None) -> str:
        """Positive terms first, as in kappa - h, of them numbers."""
        terms = sorted(
            self._as_ordered_terms(expr, order=order),
            key=lambda term: (bool(term.could_extract_minus_sign()), not term.is_number),
        )
        text = self._print(terms[0])
        for term in terms[1:]:
            printed = self._print(term)
            text += f" - {printed[1:].lstrip()}" if printed.startswith("-") else f" + {printed}"
        return str(text)

    def _print_Mul(self, expr: sp.Mul) -> str:
        """Averages and logarithms come last, so that their signs govern what follows."""
        factors = sp.Mul.make_args(expr)
        last = [f for f in factors if isinstance(f, (Average, LogAverage)) or _is_log(f)]
        if not last or (len(last) == 1 and last[0] == expr):
            return str(super()._print_Mul(expr))
        others = [f for f in factors if f not in last]
        rest = sp.Mul(*others, evaluate=False) if len(others) > 1 else sp.Mul(*others)
        front = "" if rest == 1 else "-" if rest == -1 else self._print(rest)
        if rest.is_Add:
            front = rf"\left({front}\right)"
        if len(last) == 1:
            return f"{front} {self._print(last[0])}".strip()
        return f"{front} " + " ".join(rf"\left[{self._print(node)}\right]" for node in last)

    def _print_Float(self, expr: sp.Float) -> str:
        return str(super()._print_Float(sp.Float(float(expr))))  # constants are kept to more digits than anyone reads

    def _print_Function(self, expr: sp.Function, exp: Any = None) -> str:
        return _with_plain_parentheses(str(super()._print_Function(expr, exp)))

    def _print_log(self, expr: sp.log, exp: Any = None) -> str:
        return _with_plain_parentheses(str(super()._print_log(expr, exp)))

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        rows = [
            rf"{self._print(value)} & "
            + (r"\text{otherwise}" if condition is sp.true else rf"\text{{for }} {self._condition(condition)}")
            for value, condition in expr.args
        ]
        return rf"\begin{{cases}} {_ROW.join(rows)} \end{{cases}}"

    def _condition(self, condition: sp.Basic) -> str:
        if not isinstance(condition, sp.Or | sp.And):
            return str(self._print(condition))
        word = "or" if isinstance(condition, sp.Or) else "and"
        parts = [self._condition(part) for part in sorted(condition.args, key=sp.default_sort_key)]
        return rf" \text{{ {word} }} ".join(parts)

    def _print_ExpBase(self, expr: Any, exp: Any = None) -> str:
        text = self._weight(expr.args[0])
        return text if exp is None else rf"\left[{text}\right]^{{{exp}}}"

    _print_exp = _print_ExpBase

    def _print_Peak(self, expr: Peak) -> str:
        mark = {BELOW: "_-", ABOVE: "_+"}.get(expr.which, "")
        return rf"t^\star{mark}({self._print(expr.omega)})"

    def _observed(self, expr: Observed) -> str:
        """What a ground state answers: the function at the maximiser."""
        point = expr.point
        words = subscript(str(point.tag).removesuffix(ANSWERED))
        given = "" if point.label.is_number else rf"{self._print(point.label)} \mid "
        place = rf"({given}{self._print(point.omega)}; {self._print(point.variance)})"
        before = dict(self._here)
        self._here[symbol("h")] = rf"h^\star_{{{words}}}{place}"
        try:
            return self._print(expr.function)
        finally:
            self._here = before

    def _over_kinks(self, field: sp.Symbol, density: str, summand: sp.Expr) -> str:
        before = dict(self._here)
        self._here[field] = _kink(field)
        self._define(rf"{_kink(field)} = \text{{the fields at which the maximiser jumps}}")
        if density:
            self._define(r"\rho = \text{the density of the field in the tilted measure}")
        try:
            return rf"\sum_{{{_kink(field)}}} {density}{self._print(summand)}"
        finally:
            self._here = before

    def _define(self, definition: str) -> None:
        if definition not in self._known:
            self._known.add(definition)
            self._pending.append(definition)

    # ---- averages

    def _print(self, expr: Any, **kwargs: Any) -> str:
        match expr:
            case Peak():
                text = self._print_Peak(expr)
            case Observed():
                text = self._observed(expr)
            case Kinks():
                text = self._over_kinks(expr.omega, "", expr.summand)
            case TiltedKinks():
                (field,) = expr.measure.fields
                text = self._over_kinks(field, rf"\rho\!\left({_kink(field)}\right)\, ", expr.integrand)
            case Average() | LogAverage() | TiltedAverage():
                text = self._average(expr)
            case _:
                return str(super()._print(expr, **kwargs))
        return text if not kwargs.get("exp") else rf"\left[{text}\right]^{{{kwargs['exp']}}}"

    def _average(self, expr: Any) -> str:
        measure: Measure = expr.measure
        self._depth += 1
        before = dict(self._here)
        try:
            differentials = self._name_fields(measure)
            if isinstance(expr, Average):
                body = self._print(expr.integrand)
                if expr.integrand.is_Add:
                    body = rf"\left[{body}\right]"
                return rf"\int {differentials}\; {body}"
            weight = self._weight(expr.exponent)
            if isinstance(expr, LogAverage):
                return rf"\log \int {differentials}\; {weight}"
            if self._spelled:
                value = expr.integrand
                inner = rf"\left[{self._print(value)}\right]" if value.is_Add else self._print(value)
                return rf"\frac{{\int {differentials}\; {weight}\, {inner}}}{{\int {differentials}\; {weight}}}"
            mark = self._here[measure.fields[-1]]
            bracket = rf"\frac{{\int {differentials}\; {weight}\,(\,\cdot\,)}}{{\int {differentials}\; {weight}}}"
            primes = ""
            while self._tilts.setdefault(mark + primes, bracket) != bracket:
                primes += "'"
            name = rf"\rangle_{{{mark}{primes}}}"
            self._define(rf"\langle\,\cdot\,{name} = {bracket}")
            return rf"\left\langle {self._print(expr.integrand)} \right{name}"
        finally:
            self._depth -= 1
            self._here = before

    def _name_fields(self, measure: Measure) -> str:
        """Give the fields of a measure their letters, define them, and return the differentials."""
        count = measure.loading.cols if measure.fields else 0
        level = self._depth - 1
        z = ["z" if level == 0 else f"z_{level}"] if count == 1 else [f"z_{{{level}{k}}}" for k in "abcd"[:count]]
        normals = [sp.Symbol(f"_standard_{level}_{k}", real=True) for k in range(count)]
        self._here |= dict(zip(normals, z, strict=True))
        flat = [f"d{self._print(variable)}" for variable, kind in measure.planted if str(kind) == "label"]
        planted = [self._print(variable) for variable, kind in measure.planted if str(kind) != "label"]
        shifts = measure.loading * sp.Matrix(normals) if count else []
        for field, mean, shift in zip(measure.fields, measure.means, shifts, strict=True):
            key = (field, mean, shift)
            name = self._fields.get(key)
            if name is None:
                name = _field_letter(str(field))
                while name in self._fields.values():
                    name += "'"
                self._fields[key] = name
                terms = [self._print(part) for part in (mean, shift) if part != 0]
                value = " + ".join(terms).replace("+ -", "-")
                self._pending.append(f"{name} = {value or '0'}")
            self._here[field] = name
        # a half-normal variable is a positive one: twice the normal density where it is
        halves = [self._print(variable) for variable, kind in measure.planted if str(kind) == "half_normal"]
        sides = [rf"2\Theta({variable})" for variable in halves]
        return r"\,".join([*flat, *(f"D{variable}" for variable in (*z, *planted)), *sides])

    def _weight(self, exponent: sp.Expr) -> str:
        """``e^w`` as a product of powers of partition functions and the exponential of what is left."""
        above, below, rest = [], [], []
        for term in sp.Add.make_args(sp.expand_mul(exponent, deep=False)):
            logs = [f for f in sp.Mul.make_args(term) if isinstance(f, (LogTail, LogTwoCosh)) and f.args[0] == 0]
            if len(logs) != 1:
                rest.append(term)
                continue
            power = sp.Mul(*(f for f in sp.Mul.make_args(term) if f is not logs[0]))
            if power.could_extract_minus_sign():
                below.append(self._powered(logs[0], -power))
            else:
                above.append(self._powered(logs[0], power))
        if rest and sp.Add(*rest) != 0:
            above.append(rf"e^{{{self._print(sp.Add(*rest))}}}")
        numerator = r"\, ".join(above) or "1"
        return rf"\frac{{{numerator}}}{{{' '.join(below)}}}" if below else numerator

    def _powered(self, log: sp.Expr, power: sp.Expr) -> str:
        argument = self._print(log.args[1])
        exponent = "" if power == 1 else f"^{{{self._print(power)}}}"
        if isinstance(log, LogTail):
            return rf"H{exponent}\!\left({argument}\right)"
        cosh = rf"2\cosh\!\left({argument}\right)"
        return rf"\left[{cosh}\right]{exponent}" if exponent else cosh


def _with_plain_parentheses(text: str) -> str:
    r"""``\tanh{\left(x \right)}`` as ``\tanh\!\left(x\right)``: without SymPy's braces, and the space after them."""
    name, opened, rest = text.partition(r"{\left(")
    closing = r" \right)}"
    return rf"{name}\!\left({rest.removesuffix(closing)}\right)" if opened and rest.endswith(closing) else text


def _is_log(factor: sp.Expr) -> bool:
    """Whether a factor is printed with a logarithm in front, whose argument would seem to go on."""
    if isinstance(factor, (sp.log, LogDensity)):
        return True
    if isinstance(factor, (LogPartition, Primitive)):
        return bool(factor.args[1] == 0)
    return isinstance(factor, (LogTail, LogTwoCosh)) and bool(factor.args[0] == 0)


def _kink(field: sp.Symbol) -> str:
    base, _, level = _field_letter(str(field)).partition("_")
    return f"{base}_{{{level},k}}" if level else f"{base}_k"


def with_mills(expression: sp.Expr) -> sp.Expr:
    """The expression with G/H instead of minus (log H)', and the numbers that this leaves in front of averages."""
    first = sp.sympify(expression).replace(_is_first_derivative, lambda e: -_Mills(e.args[1]))
    return sp.sympify(first.replace(_has_number, _number_in_front))


def _is_first_derivative(node: sp.Basic) -> bool:
    return isinstance(node, LogTail) and node.args[0] == 1


def _has_number(node: sp.Basic) -> bool:
    return isinstance(node, (Average, TiltedAverage)) and node.integrand.as_coeff_Mul()[0] != 1


def _number_in_front(node: Average | TiltedAverage) -> sp.Expr:
    number, rest = node.integrand.as_coeff_Mul()
    return number * node.func(rest, *node.args[1:])


def latex(expression: sp.Expr) -> str:
    """The LaTeX of an expression of a derivation."""
    return Scribe().write(expression)


#: Roughly how many letters fit on a line.
_LINE = 95


def relation(left: str, terms: Sequence[str]) -> str:
    """``left = sum of terms``, broken between terms where it is too long."""
    signed = [terms[0], *(f" - {t[1:].lstrip()}" if t.startswith("-") else f" + {t}" for t in terms[1:])]
    whole = f"{left} = {''.join(signed)}"
    if len(signed) == 1 or _width(whole) <= _LINE:
        return whole
    rows = [signed[0]]
    for term in signed[1:]:
        if _width(rows[-1] + term) > _LINE:
            rows.append(rf"\quad{term}")
        else:
            rows[-1] += term
    body = r" \\ &".join(rows)
    return rf"\begin{{aligned}} {left} &= {body} \end{{aligned}}"


def _width(text: str) -> int:
    """The letters that a formula shows, a command counted as one, and of a fraction its wider part."""
    bare = re.sub(r"\\(?:left|right|!|,|;|displaystyle)", "", text)
    bare = re.sub(r"\\[A-Za-z]+", "x", bare)
    return int(0.75 * len(re.sub(r"[{}^_ ]", "", bare)))
