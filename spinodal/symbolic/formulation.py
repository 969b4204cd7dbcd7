"""What a spec says before its equations are derived: the free entropy, its parts, and what its letters stand for.

A few seconds where the equations and their derivatives take minutes: enough for those who evaluate the generated module and
only need its definitions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import sympy as sp

from spinodal.spec.coupled import given_margin
from spinodal.spec.types import Spec
from spinodal.symbolic.action import action_of
from spinodal.symbolic.coupled import coupled_of
from spinodal.symbolic.derivation import Definition, Derived, Parts
from spinodal.symbolic.derive import derive, observables_of
from spinodal.symbolic.domain import definitions_of
from spinodal.symbolic.franz_parisi import joint_definitions
from spinodal.symbolic.ingredients import gather
from spinodal.symbolic.moments import Moments
from spinodal.symbolic.stationarity import textbook_of, updates_of


@dataclass(frozen=True)
class Formulation:
    """The first stages of a derivation; the later ones when they are asked for.

    Attributes:
        spec: the model.
        definitions: auxiliary quantities in order of evaluation.
        fixed: order parameters that the ansatz fixes, and their values.
        moments: the activation's moments, for random features.
        free_entropy: phi per weight, explicit.
    """

    spec: Spec
    definitions: tuple[Definition, ...]
    fixed: Mapping[str, sp.Expr] = field(hash=False)
    moments: Moments | None
    free_entropy: sp.Expr
    _parts: Callable[[], Parts] = field(hash=False, repr=False)
    _observables: Callable[[], Mapping[str, sp.Expr]] = field(hash=False, repr=False)
    _textbook: Callable[[], tuple[tuple[sp.Expr, sp.Expr], ...]] = field(hash=False, repr=False)

    @property
    def parts(self) -> Mapping[str, sp.Expr]:
        """``prior``, ``block`` and ``output``: the free entropy is prior + D/N block + P/N output, pairings included."""
        found = self._parts()
        return {"prior": found.prior, "block": found.block, "output": found.output}

    @cached_property
    def observables(self) -> Mapping[str, sp.Expr]:
        """Named quantities, explicit."""
        return self._observables()

    @cached_property
    def textbook(self) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
        """The saddle-point equations, (left, right), in the order of the order parameters."""
        return self._textbook()


def formulate(spec: Spec) -> Formulation:
    """The free entropy of a spec under its ansatz.

    Raises:
        DerivationError: if the declared model has no theory here.
    """
    if spec.ansatz.scheme == "franz-parisi":
        return _coupled(spec)
    action = action_of(gather(spec))
    return Formulation(
        spec=spec,
        definitions=definitions_of(action),
        fixed={str(k): v for k, v in action.fixed().items()},
        moments=action.given.moments,
        free_entropy=action.free_entropy,
        _parts=lambda: action.parts,
        _observables=lambda: observables_of(action)[0],
        _textbook=lambda: textbook_of(action, updates_of(action)),
    )


def _coupled(spec: Spec) -> Formulation:
    """Of a probe beside a reference; at the largest margin, the reference's margin only changes its role."""
    coupled = coupled_of(given_margin(spec) if spec.ansatz.kappa_ref_max else spec)
    whole: list[Derived] = []

    def derived() -> Derived:
        if not whole:
            whole.append(derive(spec))
        return whole[0]

    return Formulation(
        spec=spec,
        definitions=joint_definitions(coupled, definitions_of(coupled.reference)),
        fixed={},
        moments=coupled.student.given.moments,
        free_entropy=coupled.free_entropy,
        _parts=lambda: coupled.parts,
        _observables=lambda: derived().observables,
        _textbook=lambda: _aligned(derived()),
    )


def _aligned(derived: Derived) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
    """The equations in the order of the order parameters; that of a given overlap is its conjugate's."""
    found = {str(left): (left, right) for left, right in derived.textbook}
    system = dict(
        zip(derived.order_parameters, zip(derived.system.unknowns, derived.system.updates, strict=True), strict=True)
    )
    return tuple(found.get(x) or found.get(x.removesuffix("_hat")) or system[x] for x in derived.order_parameters)
