"""What a reader must know about a state, from its observables."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence

#: A replicon within this of zero is at its zero (a point located there would otherwise be called unstable by rounding).
REPLICON_NOISE = 1e-10
#: A complexity, or an entropy of references, that is imposed to vanish does so to this accuracy.
COMPLEXITY_NOISE, ENTROPY_NOISE = 1e-6, 1e-9
#: Observables that change by less, absolute and relative, under a finer quadrature rule are reported without a remark.
UNRESOLVED = 1e-6
#: Those that change by more, relatively, are averages that do not converge.
_UNSETTLED = 0.3
#: Those that rounding changes by more have no value.
_BLURRED = 0.02
#: How the names of observables begin that every model may have; those that a spec declares have others.
_STANDARD = ("entropy", "energy", "training_error", "generalization_error", "replicon", "slope", "complexity")


def reliable(values: Mapping[str, float], spread: float) -> dict[str, float]:
    """Observables without a complexity in which rounding has taken over.

    Args:
        values: by name.
        spread: the largest difference of levels, as y -> infinity; terms of its size cancel in the complexity.
    """
    noisy = 64.0 * sys.float_info.epsilon * spread > COMPLEXITY_NOISE
    return {name: value for name, value in values.items() if not (noisy and name == "complexity")}


def not_finite(values: Mapping[str, float]) -> Sequence[str]:
    """Warnings about declared observables without a value: they are left out of the result."""
    names = [name for name, value in values.items() if not math.isfinite(value) and not name.startswith(_STANDARD)]
    return [f"{name} is not finite at this state" for name in names]


def settled(values: Mapping[str, float], coarse: Mapping[str, float]) -> dict[str, float]:
    """Observables without those that a finer quadrature rule makes another number of."""
    return {name: value for name, value in values.items() if not abs(value - coarse[name]) > _UNSETTLED * (1.0 + abs(value))}


def without_value(values: Mapping[str, float], kept: Mapping[str, float]) -> Sequence[str]:
    """Warnings about observables that are finite on every rule but not kept: averages over ever rarer fields."""
    names = [name for name, value in values.items() if math.isfinite(value) and name not in kept]
    return [
        f"{name} has no value: every refinement of the quadrature changes it (its average may be infinite)" for name in names
    ]


def unresolved(values: Mapping[str, float], coarse: Mapping[str, float]) -> Sequence[str]:
    """Warnings about observables that a finer quadrature rule changes: their averages are not the free entropy's."""
    found = []
    for name, value in values.items():
        change = abs(value - coarse[name])
        if change > UNRESOLVED * (1.0 + abs(value)):
            found.append(
                f"{name} is accurate to about {change:.1g} only: its average is sharper than the quadrature rule resolves"
            )
    return found


def blurred(values: Mapping[str, float], nearby: Sequence[Mapping[str, float]]) -> tuple[dict[str, float], Sequence[str]]:
    """Observables that rounding leaves something of, and warnings about those that it changes.

    Args:
        values: by name.
        nearby: the same at states that double precision cannot tell from theirs, where overlaps are tiny beside 1.
    """
    kept, found = dict(values), []
    for name, value in values.items():
        changes = [abs(value - other[name]) for other in nearby]
        change = math.nan if any(map(math.isnan, changes)) else max(changes, default=0.0)
        if not change <= _BLURRED * (1.0 + abs(value)):
            del kept[name]
            found.append(f"{name} has no value: overlaps are so small that rounding decides their ratios")
        elif change > UNRESOLVED * (1.0 + abs(value)):
            found.append(f"{name} is accurate to about {change:.1g} only: rounding is felt in ratios of overlaps this small")
    return kept, found


def warnings_of(values: Mapping[str, float], error: float, tolerance: float, *, counted: bool) -> Sequence[str]:
    """Warnings about a state: instabilities, and measures without members.

    Args:
        values: its observables by name.
        error: the error estimate of its free entropy.
        tolerance: the wanted one.
        counted: whether entropies are logarithms of numbers of configurations; those of volumes may well be negative.
    """
    found = []
    broken = "complexity" in values
    for name, value in values.items():
        if name == "replicon" and value == -math.inf:
            what = "the symmetry between replicas breaks further" if broken else "the replica-symmetric state is unstable"
            found.append(
                "the ground state of a pattern or a weight jumps as its field varies, so that the replicon goes to minus "
                f"infinity as T goes to 0: {what} (de Almeida-Thouless)"
            )
        elif name.startswith("replicon") and value < -REPLICON_NOISE:
            what = "the symmetry between replicas breaks further" if broken else "the replica-symmetric state is unstable"
            found.append(f"{name} = {value:.4g} < 0: {what} (de Almeida-Thouless)")
    if counted and values.get("entropy", 0.0) < -max(ENTROPY_NOISE, 10.0 * error):
        found.append(
            f"entropy = {values['entropy']:.4g} < 0: a typical sample has no such configurations; the free entropy is a "
            "value within this ansatz"
        )
    if counted and values.get("entropy_ref", 0.0) < -ENTROPY_NOISE:
        found.append(f"entropy_ref = {values['entropy_ref']:.4g} < 0: there are no such references")
    if values.get("complexity", 0.0) < -COMPLEXITY_NOISE:
        found.append(
            f"complexity = {values['complexity']:.4g} < 0: a typical sample has no such states or groups of replicas; the "
            "free entropy is a value within this ansatz"
        )
    if error > tolerance:
        found.append(f"the free entropy's error estimate {error:.1e} exceeds the tolerance {tolerance:.1e}")
    return found
