"""A derivation for its reader: numbered steps with reasons, LaTeX and Markdown, and what was checked."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import sympy as sp
from sympy.printing.latex import LatexPrinter

from spinodal.checks import Check, run_checks
from spinodal.spec import Spec, SpecError
from spinodal.spec.errors import did_you_mean
from spinodal.symbolic.averages import averages_in
from spinodal.symbolic.channel import Channel
from spinodal.symbolic.derivation import Derived
from spinodal.symbolic.derive import derive
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.leaves import Leaf
from spinodal.symbolic.probe import ProbeChannel

#: LaTeX names of the derivation's own symbols.
_NAMES = {
    "_Q": "Q",
    "_Q_d": "Q_d",
    "_M": "M",
    "_kappa_1": r"\kappa_1",
    "_kappa_star_sq": r"\kappa_\star^2",
    "_variance_h": "V",
    "_variance_u": "V_u",
    "_variance_w": r"\hat v",
    "_teacher_rms": r"\sigma_\star",
    "_A": "A",
    "_B": "B",
    "q_d": "q_d",
    "p_d": "p_d",
    "q_hat": r"\hat q",
    "q_d_hat": r"\hat q_d",
    "p_hat": r"\hat p",
    "p_d_hat": r"\hat p_d",
    "r_hat": r"\hat r",
    "_prior_gap": "g",
    "_dQ": r"\delta Q",
    "dq": r"\delta q",
    "dp": r"\delta p",
    "dq_hat": r"\delta\hat q",
    "dp_hat": r"\delta\hat p",
    **{f"_Q{level}": f"Q_{level}" for level in range(3)},
    **{f"{x}{level}": f"{x}_{level}" for x in "qp" for level in range(3)},
    **{f"{x}{level}_hat": rf"\hat {x}_{level}" for x in "qp" for level in range(3)},
    "_t": "t",
    "_s": "s",
    "_w_star": r"w_\star",
    "_xi": r"\xi",
    "_xi_noise": r"\xi_n",
}


#: The author's letters for the names of a derivation, while one is being written.
_AUTHOR: ContextVar[Mapping[str, str]] = ContextVar("author", default=MappingProxyType({}))


class _Printer(LatexPrinter):
    """LaTeX in the field's notation."""

    def __init__(self) -> None:
        super().__init__({"fold_short_frac": False, "mul_symbol": None, "parenthesize_super": True})

    def _print_Symbol(self, expr: sp.Symbol, style: str = "plain") -> str:
        name = str(expr)
        author = _AUTHOR.get()
        if name.lstrip("_") in author:
            return author[name.lstrip("_")]
        if name in _NAMES:
            return _NAMES[name]
        if name.startswith("_z"):
            return "z"
        if name.startswith("_omega"):
            return r"\omega"
        return str(super()._print_Symbol(expr, style))

    def _print_Pow(self, expr: sp.Pow) -> str:
        # sqrt(kappa_*^2) and the like keep their braces
        if isinstance(expr.base, sp.Symbol) and "^" in self._print_Symbol(expr.base) and expr.exp.is_Integer:
            return rf"\left({self._print_Symbol(expr.base)}\right)^{{{expr.exp}}}"
        return str(super()._print_Pow(expr))


def latex(expression: sp.Expr) -> str:
    """The LaTeX of an expression of a derivation."""
    return str(_Printer().doprint(expression))


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a title, a one-line reason, and LaTeX equations."""

    title: str
    reason: str
    equations: tuple[str, ...]


@dataclass(frozen=True)
class Derivation:
    """A model's derivation.

    Attributes:
        derived: the symbolic result (free entropy, system, observables).
    """

    derived: Derived

    @property
    def free_entropy(self) -> sp.Expr:
        """Phi per weight as a SymPy expression with ``Average`` nodes."""
        return self.derived.free_entropy

    @property
    def equations(self) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
        """The saddle-point equations in textbook form, (left, right)."""
        return self.derived.textbook

    @property
    def jacobian(self) -> sp.ImmutableDenseMatrix:
        """dF_i/dx_j of F = x - update, averages written out."""
        return self.derived.system.jacobian.xreplace(dict(self.derived.channel_values))

    @property
    def replicon(self) -> sp.Expr | None:
        """The determinant of the replicon sector, under an ansatz for which it is derived."""
        return self.derived.observables.get("replicon")

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """The derivation's checks of itself, run when first asked for."""
        return run_checks(self.derived)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The derivation, step by step."""
        return tuple(_steps(self.derived))

    def names(self) -> frozenset[str]:
        """The names that an author may write with letters of their own: order parameters, parameters, definitions."""
        derived = self.derived
        own = {str(d.symbol).lstrip("_") for d in derived.definitions}
        return frozenset({*derived.order_parameters, *derived.parameters, *derived.fixed, *own})

    def steps_in(self, symbols: Mapping[str, str] | None) -> tuple[Step, ...]:
        """The steps in an author's letters, ``{name: LaTeX}``.

        Raises:
            SpecError: for a name that the derivation does not have.
        """
        if not symbols:
            return self.steps
        for name in symbols:
            if name not in self.names():
                cure = did_you_mean(name, self.names()) or f"use one of {', '.join(sorted(self.names()))}"
                raise SpecError(f"{name}: no symbol of this derivation", cure=cure, source="--symbols")
        with _letters(symbols):
            return tuple(_steps(self.derived))

    def to_markdown(self, symbols: Mapping[str, str] | None = None) -> str:
        r"""The derivation as Markdown with dollar mathematics, equations numbered.

        Args:
            symbols: an author's letters, ``{"r": "R", "r_hat": r"\hat{R}"}``.

        Raises:
            SpecError: for a name that the derivation does not have.
        """
        spec = self.derived.spec
        lines = [f"# {spec.name}: the {spec.ansatz.scheme} theory", "", spec.description, ""]
        count = 0
        for number, step in enumerate(self.steps_in(symbols), 1):
            lines += [f"## {number}. {step.title}", "", step.reason, ""]
            for equation in step.equations:
                count += 1
                lines += ["$$", rf"{equation} \tag{{{count}}}", "$$", ""]
        lines += [
            "## What was checked",
            "",
            "| check | largest deviation | tolerance | result |",
            "| --- | --- | --- | --- |",
        ]
        lines += [f"| {c.name} | {_short(c.deviation)} | {_short(c.tolerance)} | {c.verdict} |" for c in self.checks]
        return "\n".join(lines) + "\n"

    def to_latex(self, symbols: Mapping[str, str] | None = None) -> str:
        """The derivation as a LaTeX document that compiles as it stands; what is too wide for a line is scaled to it.

        Args:
            symbols: as for :meth:`to_markdown`.

        Raises:
            SpecError: for a name that the derivation does not have.
        """
        spec = self.derived.spec
        lines = [
            r"\documentclass{article}",
            r"\usepackage{amsmath,amssymb,graphicx}",
            r"\usepackage[margin=2cm,landscape]{geometry}",
            r"\allowdisplaybreaks",
            r"\newcommand{\fitted}[1]{\sbox0{$\displaystyle #1$}\ifdim\wd0>0.9\linewidth"
            r"\resizebox{0.9\linewidth}{!}{\usebox0}\else\usebox0\fi}",
            rf"\title{{{_text(spec.name)}: the {_text(spec.ansatz.scheme)} theory}}",
            r"\author{derived by spinodal}",
            r"\begin{document}",
            r"\maketitle",
            _text(spec.description),
        ]
        for step in self.steps_in(symbols):
            lines += [rf"\section{{{_text(step.title)}}}", _text(step.reason)]
            for equation in step.equations:
                lines += [r"\begin{equation}", rf"\fitted{{{equation}}}", r"\end{equation}"]
        lines += [r"\section{What was checked}", r"\begin{itemize}"]
        lines += [
            rf"\item {_text(c.name)}: {c.verdict}, deviation ${_power(c.deviation)}$, tolerance ${_power(c.tolerance)}$."
            for c in self.checks
        ]
        lines += [r"\end{itemize}", r"\end{document}"]
        return "\n".join(lines) + "\n"

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def __repr__(self) -> str:
        return f"Derivation({self.derived.spec.name}, {self.derived.spec.ansatz.scheme}, {len(self.steps)} steps)"


def derivation(spec: Spec) -> Derivation:
    """Derive a spec for a reader.

    Raises:
        DerivationError: if the spec has no theory here.
    """
    return Derivation(derive(spec))


def _short(value: float) -> str:
    return f"{value:.1e}" if math.isfinite(value) else "-"


def _power(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    if value == 0.0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    return rf"{mantissa}\times 10^{{{int(exponent)}}}"


def _text(text: str) -> str:
    table = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "^": r"\^{}", "~": r"\~{}", "<": "$<$", ">": "$>$"}
    escaped = "".join(table.get(character, character) for character in text)
    return escaped.encode("ascii", "ignore").decode() if not escaped.isascii() else escaped


#: Roughly how many letters fit on a line.
_LINE = 95


def _relation(left: str, right: sp.Expr) -> str:
    """``left = right``; a long sum is broken between its terms."""
    whole = f"{left} = {latex(right)}"
    if not right.is_Add or _width(whole) <= _LINE:
        return whole
    printed = [latex(term) for term in right.as_ordered_terms()]
    rows = [printed[0]]
    for term in printed[1:]:
        signed = f" - {term[1:].lstrip()}" if term.startswith("-") else f" + {term}"
        if _width(rows[-1] + signed) > _LINE:
            rows.append(rf"\quad{signed}")
        else:
            rows[-1] += signed
    body = r" \\ & ".join(rows)
    return rf"\begin{{aligned}} {left} = {{}} & {body} \end{{aligned}}"


def _width(text: str) -> int:
    """The letters that a formula shows, a command counted as one, and of a fraction its wider part."""
    bare = re.sub(r"\\(?:left|right|!|,|;|displaystyle)", "", text)
    bare = re.sub(r"\\[A-Za-z]+", "x", bare)
    return int(0.75 * len(re.sub(r"[{}^_ ]", "", bare)))


@contextmanager
def _letters(symbols: Mapping[str, str]) -> Iterator[None]:
    token = _AUTHOR.set(MappingProxyType(dict(symbols)))
    try:
        yield
    finally:
        _AUTHOR.reset(token)


def author_symbols(text: str) -> dict[str, str]:
    r"""A symbol map, ``R = r, \hat{R} = r_hat``, as ``{name: LaTeX}``.

    Raises:
        SpecError: for an entry that is not of the form LETTER = name.
    """
    found: dict[str, str] = {}
    for entry in re.split(r",(?![^{}]*\})", text):
        letter, _, name = entry.rpartition("=")
        if not letter.strip() or not re.fullmatch(r"[A-Za-z_]\w*", name.strip()):
            raise SpecError(
                f"{entry.strip()[:60]!r} is no entry of a symbol map",
                cure=r"write 'R = r, \hat{R} = r_hat'",
                source="--symbols",
            )
        found[name.strip()] = letter.strip()
    return found


def _steps(derived: Derived) -> list[Step]:
    spec = derived.spec
    found = [_declared(derived)]
    if derived.moments is not None:
        moments = derived.moments
        found.append(
            Step(
                "Random features",
                "Gaussian equivalence keeps two moments of the centred activation "
                f"({moments.method}); the random matrix is then integrated out exactly.",
                (
                    _relation(r"\kappa_1 = \mathbb{E}\, x\,\sigma(x)", moments.linear),
                    _relation(
                        r"\kappa_\star^2 = \mathbb{E}\,\sigma^2 - (\mathbb{E}\,\sigma)^2 - \kappa_1^2",
                        moments.nonlinear,
                    ),
                ),
            )
        )
    names = [symbol(name) for name in derived.order_parameters]
    found.append(
        Step(
            "Replicas",
            "Overlaps of replicas of the student (and of the teacher) are introduced with their conjugates; under the "
            f"{spec.ansatz.scheme} ansatz they are the following numbers"
            + ("; q_d, the self-overlap, is fixed by the prior." if "q_d" in derived.fixed and not derived.ground else ".")
            + (" " + _GROUND["replicas"] if derived.ground else ""),
            (r",\;".join(latex(x) for x in names), *(_relation(latex(symbol(k)), v) for k, v in derived.fixed.items())),
        )
    )
    found.append(
        Step(
            "Field covariances",
            "What the channels see of the overlaps.",
            tuple(
                _relation(latex(d.symbol), sp.sympify(d.expression).doit(deep=True))
                for d in derived.definitions
                if not str(d.symbol).startswith("_kappa")
            ),
        )
    )
    for channel in derived.channels:
        found.append(_channel_step(channel, derived))
    found.append(
        Step(
            "Free entropy",
            "Pairing of overlaps and conjugates, feature block and channels, per weight, as n goes to 0."
            + (" " + _GROUND["entropy"] if derived.ground else ""),
            (_relation(r"\phi", derived.free_entropy),),
        )
    )
    found.append(
        Step(
            "Saddle-point equations",
            _GROUND["equations"] if derived.ground else _STATIONARITY + _given(derived),
            tuple(_relation(latex(left), right) for left, right in derived.textbook),
        )
    )
    if "replicon" in derived.observables:
        found.append(
            Step(
                "Stability",
                _GROUND["replicon"]
                if derived.ground
                else "One more level of replicas with zero row sums is inserted; the determinant of the second variation, "
                "conjugates eliminated. Negative: unstable (de Almeida-Thouless).",
                (_relation(r"\mathrm{replicon}", derived.observables["replicon"]),),
            )
        )
    others = {k: v for k, v in derived.observables.items() if k != "replicon"}
    found.append(
        Step(
            "Observables",
            "Averages in the same measure.",
            tuple(_relation(rf"\text{{{k.replace('_', ' ')}}}", v) for k, v in others.items()),
        )
    )
    return found


def _given(derived: Derived) -> str:
    if derived.symmetric is None:
        return ""
    return f" The overlap {derived.symmetric.parameter} is given; its equation determines a conjugate."


def _declared(derived: Derived) -> Step:
    spec = derived.spec
    parts = [f"student weights: {spec.student.weights.kind}"]
    if spec.student.activation is not None:
        parts.append(f"random features sigma(x) = {spec.student.activation.text}")
    if spec.teacher is not None:
        parts.append(f"teacher weights: {spec.teacher.weights.kind}, label y = {spec.teacher.label.text}")
    else:
        parts.append("labels +1 and -1 at random")
    if spec.ansatz.scheme == "bayes-optimal":
        parts.append("loss: minus the log-likelihood of the teacher's labels")
    elif spec.loss.constraint is not None:
        parts.append(f"constraint {spec.loss.constraint.text}")
    elif spec.loss.energy is not None:
        temperature = spec.loss.temperature.text if spec.loss.temperature else "1"
        parts.append(f"energy {spec.loss.energy.text} at temperature {temperature}")
    equations = []
    if derived.ground:
        channels = [channel for channel in derived.channels if isinstance(channel, Channel)]
        tags = dict.fromkeys(branch.student for channel in channels for branch in channel.branches)
        equations = [_ground_state(derived.leaves[tag]) for tag in tags]
        return Step("The model", "; ".join(parts) + ". " + _GROUND["model"], tuple(equations))
    for leaf in derived.leaves.values():
        name = rf"\log Z_{{\text{{{leaf.tag.replace('_', ' ')}}}}}(\omega, V)"
        equations.append(_relation(name, leaf.log_derivative(0, symbol("omega"), symbol("_variance_h"))))
    return Step("The model", "; ".join(parts) + ". Single-site partition functions:", tuple(equations))


_STATIONARITY = (
    "phi is stationary in every order parameter; derivatives of Gaussian averages by Price's theorem and the heat equation "
    "of the partition functions, so that no square root of an overlap is differentiated."
)
#: What a derivation says where the temperature goes to 0.
_GROUND = {
    "model": "As the temperature T goes to 0, T log Z of a single site tends to the maximum of minus its energy and the "
    "pull of its field (Laplace's method), and the heat equation of Z to the Hamilton-Jacobi equation of that maximum:",
    "replicas": "As T goes to 0 the replicas are ground states, and differ by thermal fluctuations: q_d = q + T dq (and "
    "likewise p), while conjugates grow, of levels as q_hat/T^2, of the differences as dq_hat/T, of the teacher as r_hat/T.",
    "entropy": "T times the free entropy per weight as T goes to 0, at leading order: minus the energy of the ground state.",
    "equations": "phi is stationary in every order parameter. Averages are differentiated by Stein's identity and the "
    "Hamilton-Jacobi equation; where a ground state jumps as its field varies, its slope's jump adds a term in second "
    "derivatives (the Jacobian).",
    "replicon": "One more level of replicas with zero row sums is inserted; powers of T cancel in the determinant. It goes "
    "to minus infinity where a ground state jumps. Negative: unstable (de Almeida-Thouless).",
}


def _ground_state(leaf: Leaf) -> str:
    """The maximum that a leaf's T log Z tends to, and its closed form where it has one."""
    omega, variance = symbol("omega"), symbol("V")
    name = rf"\Lambda_{{\text{{{leaf.tag.replace('_', ' ')}}}}}(\omega, V)"
    x = latex(leaf.variable)
    if leaf.variable == symbol("w"):
        domain = "" if leaf.kind != "discrete" else r" \in \{" + ", ".join(latex(v) for v in leaf.values) + r"\}"
        pull = rf"\omega {x} + \frac{{V {x}^2}}{{2}}"
    else:
        domain, pull = "", rf"- \frac{{({x} - \omega)^2}}{{2 V}}"
    energy = latex(leaf.log_weight) if leaf.log_weight != 0 else ""
    joined = energy + ("" if pull.startswith("-") or not energy else " + ") + pull
    body = rf"{name} = \max_{{{x}{domain}}}\left[{joined}\right]"
    return body if not leaf.is_closed else rf"{body} = {latex(sp.factor(leaf.log_derivative(0, omega, variance)))}"


def _channel_step(channel: Channel | ProbeChannel, derived: Derived) -> Step:
    title = "Prior channel" if channel.name.endswith("prior") else "Output channel"
    if isinstance(channel, ProbeChannel):
        reason = "first order in the number of probes: a mean in the measure of the reference"
    else:
        reason = _copies(channel)
    nodes = [a for a in averages_in(derived.free_entropy) if str(a.measure.fields[:1]).find(channel.name) >= 0]
    total = sp.Add(*(derived.free_entropy.coeff(node) * node for node in nodes))
    if not nodes and isinstance(channel, Channel):  # a quadratic one: its average is elementary
        total = channel.closed(channel.value)
    return Step(title, reason, (_relation(rf"\phi_{{\mathrm{{{channel.name.replace('_', ' ')}}}}}", total),))


def _copies(channel: Channel) -> str:
    reason = "n copies with a common field: the power n becomes a logarithm as n goes to 0" + (
        "; the teacher weighs the common field." if channel.teacher != 0 else "."
    )
    if channel.ground:
        reason += " As T goes to 0 each is in its ground state."
    if channel.concentrated:
        reason += " Infinitely many coupled copies concentrate at the maximum of their weight (Laplace's method)."
    return reason
