r"""What a printed derivation says of its own equations, so that ``spinodal verify`` checks it again.

A comment before an equation names the model, the ansatz and the quantity; one at the top maps letters that are no names.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress

from spinodal.report.notation import is_renamed, letter
from spinodal.spec import Spec, SpecError, canonical_json, read_spec, shipped_models
from spinodal.symbolic.derivation import Derived

#: What is read by people alone: single-site functions by name, words, sums over jumps, probabilities, maximisers.
_FOR_PEOPLE = re.compile(r"Z_\{|[th]\^\\star|\\text\{|\\sum_|\\mid|\\infty \\quad|P_\{|\\begin\{cases\}|_\{[^{}]*,k\}")


def claimable(equation: str) -> bool:
    r"""Whether an equation is written in mathematics alone, the words on its left side apart.

    >>> claimable(r"\text{training error} = 1 - q"), claimable(r"\phi = \log Z_{\text{weight}}(0; 1)")
    (True, False)
    """
    left, mark, right = equation.partition("=")
    return bool(mark) and not _FOR_PEOPLE.search(right) and not _FOR_PEOPLE.search(re.sub(r"\\text\{[a-z0-9 ]+\}", "", left))


def address(spec: Spec) -> str | None:
    """How a markup names a spec: its source and, where that is another one than the source's, its ansatz.

    None where no source says what the spec is: entries have been overridden, or it was read from no file.
    """
    wanted = canonical_json(spec)
    stem = spec.source.removesuffix(".toml")
    for source in dict.fromkeys((stem, spec.source) if stem in shipped_models() else (spec.source,)):
        for ansatz in (None, spec.ansatz.scheme):
            with suppress(SpecError, OSError):
                if canonical_json(read_spec(source, ansatz=ansatz)) == wanted:
                    return shlex.quote(source) + (f" ansatz={ansatz}" if ansatz else "")
    return None


def claim(place: str, quantity: str) -> str:
    """The markup of a claim, without the sign of a comment."""
    model, _, rest = place.partition(" ansatz=")
    return f"spinodal: {model} {quantity}" + (f" ansatz={rest}" if rest else "")


def letters(derived: Derived, symbols: Mapping[str, str] | None) -> str:
    """The symbol map of a printed derivation, without the sign of a comment; empty where every letter is a name."""
    given = dict(symbols or {})
    names = [*derived.order_parameters, *derived.parameters, *derived.fixed]
    entries = list(_entries(names, given))
    return f"spinodal-symbols: {', '.join(entries)}" if entries else ""


def _entries(names: Iterable[str], given: Mapping[str, str]) -> Iterable[str]:
    for name in names:
        if name in given:
            negative = given[name].startswith("-")
            yield f"{given[name].removeprefix('-').strip()} = {'-' if negative else ''}{name}"
        elif is_renamed(name):
            yield f"{letter(name)} = {name}"
