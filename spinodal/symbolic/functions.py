"""The functions that replica theory is written in, as SymPy functions with their exact differentiation rules.

``LogPartition`` and ``LinearPartition`` stand for a single-site (or single-pattern) partition function Z(omega, V) of which
only one thing need be known to derive saddle-point equations: it obeys the heat equation dZ/dV = (1/2) d2Z/domega2. This
holds for an output channel, Z = E_{h ~ N(omega, V)} f(h), and for a prior, Z = Tr_w exp(omega w + V w^2 / 2). Closed
forms replace them afterwards, where there are any.
"""

from __future__ import annotations

import re
from typing import Any

import sympy as sp
from sympy.core.function import ArgumentIndexError

#: A leaf's tag: which site, of which label, and what it is beside.
_LABELLED = re.compile(r"(?:(?P<site>\w+?)_)?(?:y|label)_(?P<sign>m?)(?P<value>\d+(?:_over_\d+|_\d+)?)(?P<rest>_[a-z]\w*)?")


def subscript(tag: Any) -> str:
    r"""What tells a site's functions from another's, in LaTeX: words, and the value of its label.

    >>> subscript("weight"), subscript("student_y_m1"), subscript("teacher_student_y_1")
    ('\\text{weight}', '\\text{label -1}', '\\text{teacher, label +1}')
    """
    found = _LABELLED.fullmatch(str(tag))
    if found is None:
        return rf"\text{{{_words(tag)}}}"
    value = found["value"].replace("_over_", "/").replace("_", ".")
    sign = "-" if found["sign"] else "+" if value == "1" else ""
    # the law of a label is not the weight that a student gives to it
    site = [part for part in (found["site"] or "law").split("_") if part != "student"] + (found["rest"] or "").split("_")
    words = " ".join(filter(None, site))
    return rf"\text{{{words}{', ' if words else ''}label {sign}{value}}}"


def _words(tag: Any) -> str:
    return str(tag).replace("_", " ")


def _indexed(label: str, index: int, arguments: str) -> str:
    primes = {0: "", 1: "'", 2: "''", 3: "'''"}.get(index, f"^{{({index})}}")
    return rf"{label}{primes}\!\left({arguments}\right)"


class LinearPartition(sp.Function):
    """``LinearPartition(tag, k, omega, V)``: the k-th derivative with respect to omega of Z(omega, V)."""

    nargs = 4

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """The derivative in omega raises the index; the heat equation gives that in V."""
        tag, k, omega, variance = self.args
        if argindex == 3:
            return LinearPartition(tag, k + 1, omega, variance)
        if argindex == 4:
            return LinearPartition(tag, k + 2, omega, variance) / 2
        raise ArgumentIndexError(self, argindex)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        tag, k, omega, variance = self.args
        body = _indexed(f"Z_{{{subscript(tag)}}}", int(k), f"{printer._print(omega)}; {printer._print(variance)}")
        return body if exp is None else rf"{body}^{{{printer._print(exp) if not isinstance(exp, str) else exp}}}"


class LogPartition(sp.Function):
    """``LogPartition(tag, k, omega, V)``: the k-th derivative with respect to omega of log Z(omega, V)."""

    nargs = 4

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """The derivative in omega raises the index; the heat equation, written for log Z, gives that in V."""
        tag, k, omega, variance = self.args
        order = int(k)

        def log(index: int) -> sp.Expr:
            return LogPartition(tag, sp.Integer(index), omega, variance)

        if argindex == 3:
            return log(order + 1)
        if argindex == 4:
            products = sp.Add(*(sp.binomial(order, j) * log(1 + j) * log(1 + order - j) for j in range(order + 1)))
            return (log(order + 2) + products) / 2
        raise ArgumentIndexError(self, argindex)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        tag, k, omega, variance = self.args
        label = rf"\log Z_{{{subscript(tag)}}}"
        if k != 0:
            label = rf"\left({label}\right)"
        body = _indexed(label, int(k), f"{printer._print(omega)}; {printer._print(variance)}")
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


class Density(sp.Function):
    """The density G(x) of the standard normal distribution."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """G' = -x G."""
        if argindex != 1:
            raise ArgumentIndexError(self, argindex)
        return -self.args[0] * Density(self.args[0])

    def _eval_evalf(self, prec: int) -> sp.Expr:
        return (sp.exp(-(self.args[0] ** 2) / 2) / sp.sqrt(2 * sp.pi))._eval_evalf(prec)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"G{power}\!\left({printer._print(self.args[0])}\right)"


class LogDensity(sp.Function):
    """The logarithm of the standard normal density: a peak of width 1 that quadrature has to find."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """(log G)' = -x."""
        if argindex != 1:
            raise ArgumentIndexError(self, argindex)
        return -self.args[0]

    def _latex(self, printer: Any, exp: Any = None) -> str:
        body = rf"\log G\!\left({printer._print(self.args[0])}\right)"
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


class FieldDensity(sp.Function):
    """``FieldDensity(tag, h, omega, V)``: the density of h under N(omega, V), over Z(omega, V) of a leaf.

    Times the leaf's weight f(h) it is the density of a replica's own field, given the field that it shares with others.
    """

    nargs = 4

    def _latex(self, printer: Any, exp: Any = None) -> str:
        h, omega, variance = (printer._print(argument) for argument in self.args[1:])
        name = f"Z_{{{subscript(self.args[0])}}}"
        body = rf"\frac{{\mathcal{{N}}({h};\, {omega}, {variance})}}{{{name}({omega}; {variance})}}"
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


class Tail(sp.Function):
    """The tail H(x) of the standard normal distribution, H(x) = erfc(x / sqrt 2) / 2."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """H' = -G."""
        if argindex != 1:
            raise ArgumentIndexError(self, argindex)
        return -Density(self.args[0])

    def _eval_evalf(self, prec: int) -> sp.Expr:
        return (sp.erfc(self.args[0] / sp.sqrt(2)) / 2)._eval_evalf(prec)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"H{power}\!\left({printer._print(self.args[0])}\right)"


class LogTail(sp.Function):
    """``LogTail(k, x)``: the k-th derivative of log H(x); the first is minus the inverse Mills ratio G/H."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """The derivative raises the index, so that the stable primitive of that order is used, not a polynomial."""
        k, x = self.args
        if argindex != 2:
            raise ArgumentIndexError(self, argindex)
        return LogTail(k + 1, x)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        k, x = int(self.args[0]), printer._print(self.args[1])
        if k == 0:
            body = rf"\log H\!\left({x}\right)"
            return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"
        if k == 1:
            if exp is None:
                return rf"\left[-\operatorname{{Mills}}\!\left({x}\right)\right]"
            sign = "" if str(exp).isdigit() and int(str(exp)) % 2 == 0 else "-"
            return rf"\left[{sign}\operatorname{{Mills}}\!\left({x}\right)\right]^{{{exp}}}"
        body = _indexed(r"\left(\log H\right)", k, x)
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


class ConditionalTail(sp.Function):
    """``ConditionalTail(x, y, r)``: P(X > x | Y > y) for standard normals of correlation r."""

    nargs = 3

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """One variable at its edge leaves the other's tail; quotients of small tails are taken in the exponent."""
        x, y, r = self.args
        width = sp.sqrt(1 - r**2)
        log_tail = LogTail(sp.Integer(0), y)
        if argindex == 1:
            edge = LogTail(sp.Integer(0), (y - r * x) / width)
            return -sp.exp(edge - log_tail - x**2 / 2) / sp.sqrt(2 * sp.pi)
        if argindex == 2:
            return -LogTail(sp.Integer(1), y) * (self - Tail((x - r * y) / width))
        if argindex == 3:
            return sp.exp(-(x**2 - 2 * r * x * y + y**2) / (2 * width**2) - log_tail) / (2 * sp.pi * width)
        raise ArgumentIndexError(self, argindex)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        x, y, r = (printer._print(argument) for argument in self.args)
        body = rf"P_{{{r}}}\!\left(X > {x} \mid Y > {y}\right)"
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


class LogTwoCosh(sp.Function):
    """``LogTwoCosh(k, x)``: the k-th derivative of log(2 cosh x)."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """The derivative raises the index."""
        k, x = self.args
        if argindex != 2:
            raise ArgumentIndexError(self, argindex)
        return LogTwoCosh(k + 1, x)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        k, x = int(self.args[0]), printer._print(self.args[1])
        power = "" if exp is None else f"^{{{exp}}}"
        if k == 0:
            body = rf"\log 2\cosh\!\left({x}\right)"
            return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"
        if k == 1:
            return rf"\tanh{power}\!\left({x}\right)"
        if k == 2:
            body = rf"\operatorname{{sech}}^{{2}}\!\left({x}\right)"
            return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"
        body = _indexed(r"\left(\log 2\cosh\right)", k, x)
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


class Primitive(sp.Function):
    """``Primitive(tag, k, omega, V, y)``: a log partition function without a closed form, evaluated numerically.

    The tag names a :class:`~spinodal.symbolic.leaves.Leaf`; ``y`` is the label it is conditioned on (0 where none is).
    """

    nargs = 5

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """As for :class:`LogPartition`."""
        tag, k, omega, variance, y = self.args
        order = int(k)

        def log(index: int) -> sp.Expr:
            return Primitive(tag, sp.Integer(index), omega, variance, y)

        if argindex == 3:
            return log(order + 1)
        if argindex == 4:
            products = sp.Add(*(sp.binomial(order, j) * log(1 + j) * log(1 + order - j) for j in range(order + 1)))
            return (log(order + 2) + products) / 2
        raise ArgumentIndexError(self, argindex)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        tag, k, omega, variance, y = self.args
        label = rf"\log Z_{{{subscript(tag)}}}"
        if k != 0:
            label = rf"\left({label}\right)"
        given = "" if y.is_number else f"{printer._print(y)} \\mid "  # the name says which number
        body = _indexed(label, int(k), f"{given}{printer._print(omega)}; {printer._print(variance)}")
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


class Tilted(sp.Function):
    """``Tilted(leaf, name, omega, V, y)``: the average of a named function in the measure that a leaf tilts."""

    nargs = 5

    def _latex(self, printer: Any, exp: Any = None) -> str:
        leaf, name, omega, variance, y = self.args
        given = "" if y.is_number else f", {printer._print(y)}"
        inner = f"{printer._print(omega)}, {printer._print(variance)}{given}"
        body = rf"\left\langle \text{{{_words(name)}}} \right\rangle^{{{subscript(leaf)}}}_{{{inner}}}"
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"
