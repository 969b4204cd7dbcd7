"""The other models whose solver modules a module's solver asks for: states that branches begin at, references, copies."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

from spinodal.spec import Ansatz, Spec, with_copies, with_fewer_levels, with_overlap
from spinodal.spec.coupled import frozen_spec, given_margin, reference_spec


def companions(module: ModuleType, spec: Spec) -> dict[str, Spec]:
    """Which models' modules the module of a spec has to carry, by the name that solvers look for.

    Args:
        module: the solver module.
        spec: what it was derived from; where that is a companion itself the module is its own.
    """
    found: dict[str, Spec] = {}
    if getattr(module, "SYMMETRIC", None) is not None:  # the branch begins at the replica-symmetric state
        found["SYMMETRIC_MODULE"] = replace(spec, ansatz=Ansatz("replica-symmetric"), observables=())
        if module.SYMMETRIC["size"]:  # and continues with a given number of copies
            found["SIZED_MODULE"] = with_copies(spec)
            found["INFINITE_MODULE"] = replace(spec, ansatz=replace(spec.ansatz, replicas="inf"), observables=())
    if getattr(module, "BREAKING", None) is not None:  # the state is looked for from that of one level less
        found["SYMMETRIC_MODULE"] = with_fewer_levels(spec)
        if module.BREAKING["size"] or spec.ansatz.mu is not None:
            found["SIZED_MODULE"] = with_copies(spec)
        if (frozen := frozen_spec(spec)) is not None:
            found["FROZEN_MODULE"] = frozen
    given = given_margin(spec) if spec.ansatz.kappa_ref_max else spec
    if given is not spec:
        found["GIVEN_MODULE"] = given
    if spec.ansatz.scheme == "franz-parisi":
        found["REFERENCE_MODULE"] = reference_spec(given)
    if spec.ansatz.overlap == "extremised":
        found["CONSTRAINED_MODULE"] = with_overlap(spec, "given")
    return found
