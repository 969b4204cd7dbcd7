"""At which parameters a derivation holds: formulas with parameters may cut the line into other pieces elsewhere.

The order of edges and what is true between them are decided at the parameters' defaults. Where it is otherwise at the values
that are asked for, the model is derived at those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from spinodal.spec import Spec, SpecError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Points of a range at which a derivation must hold.
_LOOKS = 65
#: Halvings of the stretch in which it ceases to.
_HALVINGS = 40


def holds(module: ModuleType, points: Array) -> Mask:
    """At which parameter points [B, k] a module's equations are those of its spec [B]."""
    if not hasattr(module, "holds_at"):
        return np.ones(len(points), dtype=bool)
    return np.asarray(module.holds_at(points))


def defaults(spec: Spec) -> Array:
    """The parameters' defaults [k]; 1 where there is none."""
    return np.array([1.0 if p.default is None else p.default for p in spec.parameters])


def cutting_defaults(spec: Spec, module: ModuleType) -> str:
    """The defaults that a module's intervals depend on, as one text."""
    return ", ".join(f"{p.name}={p.default!r}" for p in spec.parameters if p.name in module.CUTTING)


def derived_at(spec: Spec, module: ModuleType, point: Array) -> Spec:
    """The same model with those defaults at a point [k] that its module's intervals depend on."""
    values = dict(zip(spec.parameter_names(), map(float, point), strict=True))
    moved = tuple(replace(p, default=values[p.name]) if p.name in module.CUTTING else p for p in spec.parameters)
    return replace(spec, parameters=moved)


def check_derived(module: ModuleType, names: tuple[str, ...], point: Array) -> None:
    """Refuse a point [k] at which a derivation made for it does not hold either: edges are too close to be told apart.

    Raises:
        SpecError: there.
    """
    if not holds(module, point[None])[0]:
        text = ", ".join(f"{name} = {value:g}" for name, value in zip(names, point, strict=True))
        raise SpecError(
            f"at {text} intervals of the label or the loss change their order",
            cure="move the parameters by 0.01",
            source="parameters",
        )


def check_range(module: ModuleType, names: tuple[str, ...], point: Array, ends: Mapping[int, tuple[float, float]]) -> None:
    """Refuse ranges within which a derivation made at their beginning ceases to hold.

    Args:
        module: the derivation's solver.
        names: of the parameters.
        point: the parameters [k].
        ends: the range of each parameter that is varied, by its place.

    Raises:
        SpecError: naming the value where the range must be split.
    """
    for place, (low, high) in ends.items():
        points = np.repeat(point[None], _LOOKS, axis=0)
        points[:, place] = np.linspace(low, high, _LOOKS)
        good = holds(module, points)
        if good.all():
            continue
        first = int(np.argmin(good))
        a, b = points[max(first - 1, 0), place], points[first, place]
        for _ in range(_HALVINGS):
            middle = point.copy()
            middle[place] = 0.5 * (a + b)
            a, b = (middle[place], b) if holds(module, middle[None])[0] else (a, middle[place])
        edge = round(0.5 * (a + b), 6) + 0.0
        raise SpecError(
            f"{names[place]}={low:g}:{high:g}: at {names[place]} = {edge:g} intervals of the label or the loss change",
            cure=f"split the range there: {names[place]}={low:g}:{edge:g} and {names[place]}={edge:g}:{high:g}",
            source="range",
        )


#: How far from 1 the integral of a density may be on a solver's nodes: what a spec's check of it allows.
_NORMALISED = 1e-5


def check_masses(module: ModuleType, names: tuple[str, ...], points: Array) -> None:
    """Refuse points [B, k] at which a solver's nodes do not see all of a density of weights.

    Raises:
        SpecError: at the first of them.
    """
    if not hasattr(module, "log_masses"):
        return
    with np.errstate(all="ignore"):  # a density may vanish
        masses = np.exp(module.log_masses(points))
    lost = ~(np.abs(masses - 1.0) < _NORMALISED)
    if not lost.any():
        return
    row, which = map(int, np.argwhere(lost)[0])
    text = ", ".join(f"{name} = {value:g}" for name, value in zip(names, points[row], strict=True))
    raise SpecError(
        f"at {text} the density of the {module.OWNERS[which]}'s weights has modes that are not resolved:"
        f" its nodes see a mass of {masses[row, which]:.6g}",
        cure="write narrow modes around their centres, as in exp(-a*(w-c)**2)",
        source=f"{module.OWNERS[which]}.weights",
    )
