"""What a call of the facade asks for: the line, the point, the special points, checked against spec and module."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinodal.kinds import KINDS
from spinodal.spec import Spec, SpecError, check_parameters

if TYPE_CHECKING:
    from spinodal.numeric.special_loci import Wanted
    from spinodal.numeric.tracking import Line

Values = NDArray[np.float64]
#: Where special points along alpha are searched by default.
_ALPHA_RANGE = (1e-3, 20.0)


def check_start(module: ModuleType, start: Mapping[str, float] | None) -> None:
    """A start names order parameters and gives them finite values.

    Raises:
        SpecError: otherwise.
    """
    for name, value in (start or {}).items():
        if name not in module.ORDER_PARAMETERS:
            known = ", ".join(module.ORDER_PARAMETERS)
            raise SpecError(f"{name}: not an order parameter of this model", cure=f"use {known}", source="--start")
        if not np.isfinite(value):
            raise SpecError(f"{name}: {value} is not a number", cure="give a finite number", source="--start")
        bound = module.SATURATING.get(name, "").replace(".", "", 1)
        if bound.isdigit() and not 0.0 <= value <= float(module.SATURATING[name]):
            raise SpecError(
                f"{name}: {value:g} is no overlap of this model",
                cure=f"it lies between 0 and {module.SATURATING[name]}",
                source="--start",
            )


def together(values: Mapping[str, Any]) -> tuple[dict[str, Values], tuple[int, ...]]:
    """Values of parameters as arrays, and the shape that they broadcast to.

    Raises:
        SpecError: for values that are no real numbers, and for arrays that do not go together.
    """
    arrays: dict[str, Values] = {}
    for name, value in values.items():
        try:
            arrays[name] = np.asarray(value, dtype=float)
        except (TypeError, ValueError) as error:
            raise SpecError(
                f"{name}: {value!r} is no real number", cure="give a number or an array of numbers", source="parameters"
            ) from error
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError as error:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items() if array.shape)
        raise SpecError(
            f"the arrays of values do not go together: {shapes}",
            cure="give arrays of one shape, or of shapes that broadcast (a column and a row for a grid)",
            source="parameters",
        ) from error
    return arrays, shape


def standard_kinds(spec: Spec, module: ModuleType) -> dict[str, str]:
    """Zeros that every branch is watched for."""
    kinds = {}
    if spec.student.weights.is_discrete and "entropy" in module.OBSERVABLES:
        kinds["zero-entropy"] = "entropy"
    # the replicon of a ground state is minus infinity as soon as a maximiser jumps: it need not pass through 0
    if "replicon" in module.OBSERVABLES and not getattr(module, "GROUND_STATE", False):
        kinds["replicon"] = "replicon"
    return kinds


def line_of(spec: Spec, along: str, bounds: tuple[float, float] | None, option: str) -> Line:
    """The parameter that is varied, and its range.

    Raises:
        SpecError: for an unknown parameter and a range that is none.
    """
    from spinodal.numeric.tracking import Line

    inverse = along.startswith("1/")
    name = along.removeprefix("1/")
    names = spec.parameter_names()
    if name not in names:
        check_parameters(spec, {name: 0.0}, source=option)
    if bounds is None:
        if name != "alpha" or inverse:
            raise SpecError(f"{along}: a range is needed", cure=f"as in {option} {along}=0.1:2", source=option)
        bounds = _ALPHA_RANGE
    low, high = sorted(1.0 / b if b else np.inf for b in bounds) if inverse else bounds
    if not (np.isfinite(low) and np.isfinite(high)) or low >= high:
        raise SpecError(f"{along}={bounds[0]:g}:{bounds[1]:g} is not a range", cure="write LOW:HIGH", source=option)
    return Line(name, names.index(name), float(low), float(high))


def point_of(spec: Spec, varied: Mapping[str, float], *tables: Mapping[str, float] | None) -> np.ndarray[Any, Any]:
    """All parameters [k], checked, the varied ones at a value of their range."""
    given = {name: float(value) for table in tables for name, value in (table or {}).items()}
    checked = check_parameters(spec, {**given, **varied}, source="parameters")
    return np.array([checked[name] for name in spec.parameter_names()])


def wanted_of(spec: Spec, module: ModuleType, of: str, option: str = "--of") -> Wanted:
    """The special point that a kind names.

    Raises:
        SpecError: for an unknown kind, and an observable that the model has not.
    """
    from spinodal.numeric.special_loci import Wanted

    if of in ("fold", "branch-point", "crossing", "boundary", "cusp", "local-entropy-transition"):
        return Wanted(of)
    if of == "capacity" and getattr(module, "GROUND_STATE", False):
        return Wanted(of, "", True)
    if of == "energetic-barrier":
        return Wanted(of, "free_entropy")
    if of == "zero-entropy" or (of == "capacity" and spec.student.weights.is_discrete):
        return Wanted(of, "entropy")
    if of == "capacity":
        return Wanted(of, continuous_capacity=True)
    name = "replicon" if of == "replicon" else of.removeprefix("zero:")
    if (of == "replicon" or of.startswith("zero:")) and (name in module.OBSERVABLES or name == "free_entropy"):
        return Wanted(of, name)
    raise SpecError(
        f"{of}: not a kind of special point that this version locates",
        cure=f"use one of {', '.join(KINDS)}, NAME being one of {', '.join(module.OBSERVABLES)}",
        source=option,
    )
