"""The overlaps that weights can have with one another: a constrained one beyond them is bad input."""

from __future__ import annotations

from collections.abc import Mapping

from spinodal.spec.checks import number_at
from spinodal.spec.errors import SpecError
from spinodal.spec.names import CONSTRAINED
from spinodal.spec.types import Formula, Spec


def largest_overlap(spec: Spec, values: Mapping[str, float]) -> float | None:
    """The largest w v of two weights, which no overlap exceeds in absolute value; None where weights are not bounded.

    Weights on a sphere have the radius 1 (in units of sqrt N), so that their overlaps are cosines.
    """
    weights = spec.student.weights
    if weights.kind in ("binary", "spherical"):
        return 1.0
    if weights.kind != "discrete":
        return None

    def complain(formula: Formula, message: str, cure: str | None) -> SpecError:
        return SpecError(f"{formula.place}: {message}", cure=cure, source=spec.source)

    return max(number_at(value, values, complain) ** 2 for value in weights.values)


def check_overlap(spec: Spec, values: Mapping[str, float], *, source: str, reached: bool) -> None:
    """Refuse a constrained overlap that no two weights have.

    Args:
        spec: the model.
        values: of all parameters.
        source: what the values came from, for messages.
        reached: whether the largest overlap itself may stand there, as the end of a range that a branch approaches.

    Raises:
        SpecError: for an overlap beyond the largest one.
    """
    name = CONSTRAINED.get(spec.ansatz.scheme, "")
    if name not in values or spec.ansatz.overlap != "given":
        return
    largest, value = largest_overlap(spec, values), values[name]
    if largest is None or abs(value) < largest or (reached and abs(value) == largest):
        return
    what = "only equal weights have" if value == largest else "no two weights have"
    raise SpecError(
        f"{name} = {value:g} is an overlap that {what}",
        cure=f"overlaps of the student's weights lie between {-largest:g} and {largest:g}",
        source=source,
    )
