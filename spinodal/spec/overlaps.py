"""The overlaps that weights can have with one another: a constrained one beyond them is bad input."""

from __future__ import annotations

from collections.abc import Mapping

from spinodal.spec.checks import number_at
from spinodal.spec.errors import SpecError
from spinodal.spec.names import CONSTRAINED
from spinodal.spec.types import Formula, Spec

#: Overlaps of a student's replicas with one another.
_OF_REPLICAS = ("q", "q0", "q1", "q2", "q_ref")


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


def check_start_overlaps(spec: Spec, start: Mapping[str, float], values: Mapping[str, float]) -> None:
    """Refuse a start at an overlap that no two weights have, before anything is derived.

    Args:
        spec: the model.
        start: order parameters by name.
        values: of the parameters that are given; the others are at their defaults.

    Raises:
        SpecError: for an overlap of replicas beyond the largest one.
    """
    overlaps = [name for name in _OF_REPLICAS if name in start]
    if not overlaps:
        return
    defaults = {parameter.name: parameter.default for parameter in spec.parameters if parameter.default is not None}
    largest = largest_overlap(spec, {**defaults, **values})
    for name in overlaps:
        if largest is not None and abs(start[name]) > largest:
            raise SpecError(
                f"{name}: {start[name]:g} is no overlap of this model",
                cure=f"it lies between 0 and {largest:g}",
                source="--start",
            )


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
