"""A derivation for its reader: numbered steps with reasons, LaTeX and Markdown, and what was checked."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from spinodal.checks import Check, run_checks
from spinodal.report.markup import address, claim, letters
from spinodal.report.steps import Step, steps_of
from spinodal.report.symbols import check_letters
from spinodal.spec import Spec, SpecError
from spinodal.spec.errors import did_you_mean
from spinodal.symbolic.derivation import Derived
from spinodal.symbolic.derive import derive


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

    @property
    def _warning(self) -> str:
        """What a reader must know before anything else: that a check failed."""
        failed = [check.name for check in self.checks if check.made and not check.passed]
        return f"Not to be relied on: this derivation fails its own check ({'; '.join(failed)})." if failed else ""

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The derivation, step by step."""
        return tuple(steps_of(self.derived))

    def names(self) -> frozenset[str]:
        """The names that an author may write with letters of their own: order parameters, parameters, definitions."""
        derived = self.derived
        own = {str(d.symbol).lstrip("_") for d in (*derived.definitions, *derived.shorthand.definitions)}
        own |= {name.removesuffix("_sq") for name in own}
        return frozenset({*derived.order_parameters, *derived.parameters, *derived.fixed, *own})

    def steps_in(self, symbols: Mapping[str, str] | None) -> tuple[Step, ...]:
        """The steps in an author's letters, ``{name: LaTeX}``.

        Raises:
            SpecError: for a name that the derivation does not have, and for a letter that would stand for two things.
        """
        if not symbols:
            return self.steps
        for name in symbols:
            if name not in self.names():
                cure = did_you_mean(name, self.names()) or f"use one of {', '.join(sorted(self.names()))}"
                raise SpecError(f"{name}: no symbol of this derivation", cure=cure, source="--symbols")
        derived = self.derived  # letters of definitions give way
        check_letters(symbols, (*derived.order_parameters, *derived.parameters, *derived.fixed))
        return tuple(steps_of(self.derived, symbols))

    def to_markdown(self, symbols: Mapping[str, str] | None = None) -> str:
        r"""The derivation as Markdown with dollar mathematics, equations numbered.

        Comments before equations say what they claim, so that ``spinodal verify`` checks a derivation that has been saved.

        Args:
            symbols: an author's letters, ``{"r": "R", "r_hat": r"\hat{R}"}``.

        Raises:
            SpecError: for a name that the derivation does not have.
        """
        spec = self.derived.spec
        lines = [f"# {spec.name}: the {spec.ansatz.scheme} theory", ""]
        lines += [paragraph for text in (spec.description, self._warning) if text for paragraph in (text, "")]
        place, named = address(spec), letters(self.derived, symbols)
        lines += [f"<!-- {named} -->", ""] if place is not None and named else []
        count = 0
        for number, step in enumerate(self.steps_in(symbols), 1):
            lines += [f"## {number}. {step.title}", "", step.reason, ""]
            for equation, quantity in zip(step.equations, step.claimed(), strict=True):
                count += 1
                lines += [f"<!-- {claim(place, quantity)} -->"] if place is not None and quantity else []
                lines += ["$$", rf"{equation} \tag{{{count}}}", "$$", ""]
        lines += [
            "## What was checked",
            "",
            "| check | largest deviation | tolerance | result |",
            "| --- | --- | --- | --- |",
        ]
        lines += [
            f"| {c.name} | {_short(c.deviation)} | {_short(c.tolerance) if c.made else '-'} | {c.verdict} |"
            for c in self.checks
        ]
        return "\n".join(lines) + "\n"

    def to_latex(self, symbols: Mapping[str, str] | None = None) -> str:
        """The derivation as a LaTeX document that compiles as it stands; what is too wide for a line is scaled to it.

        Comments say what its equations claim, as in :meth:`to_markdown`.

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
            *(["", rf"\textbf{{{_text(self._warning)}}}"] if self._warning else []),
        ]
        place, named = address(spec), letters(self.derived, symbols)
        lines += [f"% {named}"] if place is not None and named else []
        for step in self.steps_in(symbols):
            lines += [rf"\section{{{_text(step.title)}}}", _text(step.reason)]
            for equation, quantity in zip(step.equations, step.claimed(), strict=True):
                lines += [f"% {claim(place, quantity)}"] if place is not None and quantity else []
                lines += [r"\begin{equation}", rf"\fitted{{{equation}}}", r"\end{equation}"]
        lines += [r"\section{What was checked}", r"\begin{itemize}"]
        lines += [
            rf"\item {_text(c.name)}: {c.verdict}"
            + (rf", deviation ${_power(c.deviation)}$, tolerance ${_power(c.tolerance)}$." if c.made else ".")
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


_ESCAPES = {
    **{"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}"},
    **{"^": r"\^{}", "~": r"\~{}", "<": "$<$", ">": "$>$", "\\": r"\textbackslash{}"},
}
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi psi "
    "omega"
)


def _text(text: str) -> str:
    """A paragraph as LaTeX; what stands between dollars is mathematics already."""
    parts = text.split("$")
    if len(parts) % 2 == 0:  # a dollar that belongs to no other
        return _plain(text)
    return "".join(f"${part}$" if k % 2 else _plain(part) for k, part in enumerate(parts))


def _plain(text: str) -> str:
    return "".join(_ESCAPES.get(character) or _letter(character) for character in text)


def _letter(character: str) -> str:
    """A letter in LaTeX that needs no encoding or font beside the default ones: accents by command, Greek as mathematics."""
    if character.isascii():
        return character
    if character in _LETTERS:
        return _LETTERS[character]
    greek = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", unicodedata.name(character, ""))
    if greek is not None and (name := greek[2].lower().replace("lamda", "lambda")) in _GREEK.split():
        return rf"$\{name if greek[1] == 'SMALL' else name.capitalize()}$"
    parts = unicodedata.normalize("NFKD", character)
    text = parts[0] if parts[0].isascii() else "?"
    for mark in parts[1:]:
        text = rf"\{_ACCENTS[mark]}{{{text}}}" if mark in _ACCENTS else text
    return text


#: Letters and signs that no accent makes.
_LETTERS = {
    **{"ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}"},
    **{"Œ": r"\OE{}", "ı": r"\i{}", "\N{EN DASH}": "--", "\N{EM DASH}": "---", "\N{LEFT SINGLE QUOTATION MARK}": "`"},
    **{
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": "``",
        "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    },
}
#: Combining marks: grave, acute, circumflex, tilde, macron, breve, dot, diaeresis, ring, double acute, caron, cedilla.
_ACCENTS = dict(
    zip("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327", "`'^~=u.\"rHvc", strict=True)
)
