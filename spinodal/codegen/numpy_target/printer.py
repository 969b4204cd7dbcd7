"""SymPy expressions as numpy source."""

from __future__ import annotations

import keyword
import re
from typing import Any

import sympy as sp
from sympy.printing.numpy import NumPyPrinter

#: Names that generated code uses itself. The derivation's own symbols begin with an underscore, which no parameter may.
_TAKEN = frozenset({"np", "special", "interval", "pieces", "tilted", "nested", "bivariate", "quadrature", "runtime"})
_TAKEN |= {"densities", "partitions", "takeovers", "label", "modes", "places"}
_TAKEN |= {
    "x",
    "p",
    "v",
    "w",
    "h",
    "b",
    "omega",
    "variance",
    "order",
    "rule",
    "nodes",
    "density",
    "weight",
    "shift",
    "log_norm",
    "splits",
}
_TAKEN |= {
    "len",
    "dict",
    "zip",
    "strict",
    "envelope",
    "level",
    "slopes",
    "integrands",
    "summands",
    "average",
    "single",
    "ground",
    "site",
    "potential",
}
_PATTERN = re.compile(r"(out|step|weight)_.*")


def name_of(symbol: sp.Symbol) -> str:
    """The Python identifier of a symbol; a parameter whose name is taken gets a suffix."""
    text = str(symbol)
    return f"{text}_par" if keyword.iskeyword(text) or text in _TAKEN or _PATTERN.fullmatch(text) else text


class SourcePrinter(NumPyPrinter):
    """numpy source with small integer powers as products and the package's own functions."""

    _module = "np"

    def __init__(self) -> None:
        super().__init__({"fully_qualified_modules": True, "allow_unknown_functions": False})

    def _module_format(self, fqn: str, register: bool = True) -> str:
        return fqn.replace("numpy.", "np.", 1) if fqn.startswith("numpy.") else str(super()._module_format(fqn, register))

    def _print_Symbol(self, expr: sp.Symbol) -> str:
        return name_of(expr)

    _print_Dummy = _print_Symbol

    def _print_Pow(self, expr: sp.Pow, rational: bool = False, sqrt: str = "np.sqrt") -> str:
        base, exponent = expr.base, expr.exp
        if exponent.is_Integer and 2 <= abs(int(exponent)) <= 4:
            factor = self._print(base) if base.is_Symbol else f"({self._print(base)})"
            product = "*".join([factor] * abs(int(exponent)))
            return f"({product})" if exponent > 0 else f"(1.0/({product}))"
        if exponent == -1:
            return f"(1.0/({self._print(base)}))"
        if exponent.is_Rational and exponent.q == 2:
            root = f"np.sqrt({self._print(base)})"
            if exponent == sp.Rational(1, 2):
                return root
            if exponent == -sp.Rational(1, 2):
                return f"(1.0/{root})"
            whole = f"({self._print(sp.Pow(base, sp.Integer(abs(exponent.p) // 2)))})"
            return f"({root}*{whole})" if exponent > 0 else f"(1.0/({root}*{whole}))"
        return f"({self._print(base)})**({self._print(exponent)})"

    def _print_Rational(self, expr: sp.Rational) -> str:
        return repr(float(expr)) if expr.q != 1 else f"{expr.p}.0"

    def _print_Integer(self, expr: sp.Integer) -> str:
        return f"{int(expr)}.0"

    def _print_Float(self, expr: sp.Float) -> str:
        return repr(float(expr))

    def _print_Exp1(self, expr: sp.Expr) -> str:
        return repr(float(sp.E))

    def _print_Pi(self, expr: sp.Expr) -> str:
        return "np.pi"

    def _print_Infinity(self, expr: sp.Expr) -> str:
        return "np.inf"

    def _print_NegativeInfinity(self, expr: sp.Expr) -> str:
        return "(-np.inf)"

    def _print_NaN(self, expr: sp.Expr) -> str:
        return "np.nan"

    def _print_Ratio(self, expr: Any) -> str:
        return f"runtime.ratio({self._print(expr.args[0])}, {self._print(expr.args[1])})"

    def _print_Root(self, expr: Any) -> str:
        return f"runtime.root({self._print(expr.args[0])})"

    def _print_Unexplained(self, expr: Any) -> str:
        return f"runtime.unexplained({', '.join(map(self._print, expr.args))})"

    def _print_Covariance(self, expr: Any) -> str:
        return f"runtime.covariance({', '.join(map(self._print, expr.args))})"

    def _print_Tail(self, expr: Any) -> str:
        return f"special.gaussian_tail({self._print(expr.args[0])})"

    def _print_Density(self, expr: Any) -> str:
        return f"special.gaussian({self._print(expr.args[0])})"

    def _print_Heaviside(self, expr: sp.Heaviside) -> str:
        return f"np.heaviside({self._print(expr.args[0])}, 0.5)"

    def _print_Abs(self, expr: sp.Abs) -> str:
        return f"np.abs({self._print(expr.args[0])})"

    def _print_erf(self, expr: sp.erf) -> str:
        return f"special.erf({self._print(expr.args[0])})"

    def _print_erfc(self, expr: sp.erfc) -> str:
        return f"special.erfc({self._print(expr.args[0])})"

    def _print_erfinv(self, expr: sp.erfinv) -> str:
        return f"special.erfinv({self._print(expr.args[0])})"

    def _print_erfcinv(self, expr: sp.erfcinv) -> str:
        return f"special.erfcinv({self._print(expr.args[0])})"

    def _print_log(self, expr: sp.log) -> str:
        (argument,) = expr.args
        if isinstance(argument, sp.Function) and type(argument).__name__ == "Tail":
            return f"special.log_gaussian_tail({self._print(argument.args[0])})"
        if argument.has(sp.exp):
            return self._log_of_exponentials(argument)
        return f"runtime.log({self._print(argument)})"

    def _log_of_exponentials(self, argument: sp.Expr) -> str:
        """The logarithm of a sum of terms f e^w, any of which alone may overflow or vanish in double precision."""
        factors, exponents = [], []
        for term in sp.Add.make_args(argument):
            parts = sp.Mul.make_args(term)
            factors.append(sp.Mul(*(part for part in parts if not isinstance(part, sp.exp))))
            exponents.append(sp.Add(*(part.args[0] for part in parts if isinstance(part, sp.exp))))
        if not any(exponents):
            return f"runtime.log({self._print(argument)})"
        if len(factors) == 1:
            own = "" if factors[0] == 1 else f" + runtime.log({self._print(factors[0])})"
            return f"({self._print(exponents[0])}{own})"
        texts = (", ".join(map(self._print, parts)) for parts in (factors, exponents))
        return "special.log_sum([{}], [{}])".format(*texts)

    def _print_acos(self, expr: sp.acos) -> str:
        return f"runtime.arccos({self._print(expr.args[0])})"

    def _reduce(self, function: str, arguments: tuple[sp.Expr, ...]) -> str:
        text = self._print(arguments[0])
        for argument in arguments[1:]:
            text = f"{function}({text}, {self._print(argument)})"
        return text

    def _print_Max(self, expr: sp.Max) -> str:
        return self._reduce("np.maximum", expr.args)

    def _print_Min(self, expr: sp.Min) -> str:
        return self._reduce("np.minimum", expr.args)

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        text = "np.nan"
        for value, test in reversed(expr.args):
            chosen = self._print(value)
            text = chosen if test == sp.true else f"np.where({self._print(test)}, {chosen}, {text})"
        return text

    def _print_And(self, expr: sp.And) -> str:
        text = self._print(expr.args[0])
        for argument in expr.args[1:]:
            text = f"np.logical_and({text}, {self._print(argument)})"
        return text

    def _print_Relational(self, expr: Any) -> str:
        operator = {"==": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}[expr.rel_op]
        return f"({self._print(expr.lhs)} {operator} {self._print(expr.rhs)})"


def source(expression: sp.Expr) -> str:
    """The numpy source of an expression."""
    return str(SourcePrinter().doprint(expression))
