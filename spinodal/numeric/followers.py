"""Probes that follow their reference: where the branch of a constrained overlap begins near 1.

A probe that its own patterns do not pull is its reference with some weights changed at random: in all that it shares with
other probes it follows its reference, and its conjugates vanish but for the one that holds the overlap. Probes without data
are so at any overlap, and so are, up to an exponentially small pull, probes close to a reference whose margin is the larger
one. A generated module gives that state in terms of the reference's (``follower``), which has a module of its own
(``REFERENCE_MODULE``, its order parameters by name in ``REFERENCE``).
"""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from spinodal.numeric.path import Path, nowhere
from spinodal.numeric.results import Array
from spinodal.numeric.roots import NewtonSettings, newton
from spinodal.numeric.rows import Mask

if TYPE_CHECKING:
    from spinodal.numeric.bound import Bound

#: Sweeps for the conjugate that holds the overlap, whose logarithmic divergence they climb, and then for the overlaps.
_CLIMB, _SWEEPS = 80, 3
_HELD = 1e-10
#: The scaled Newton step from a follower to a state that is followed from it.
_REACH = 0.1


def from_reference(system: Bound, p: Array, base: Array, chosen: Mask, settings: NewtonSettings) -> Path:
    """The states at p [B, k] that Newton's method reaches from followers without leaving their neighbourhood.

    Args:
        system: a module bound to a rule.
        p: parameters [B, k].
        base: the references' states [B, m].
        chosen: the rows that are tried [B].
        settings: of Newton's method.
    """
    path = nowhere(p, len(system.module.ORDER_PARAMETERS), 0.0)
    rows = np.flatnonzero(chosen)
    if rows.size == 0:
        return path
    start = followers(system, p[rows], base[rows])
    good = np.isfinite(start).all(axis=1)
    near = replace(settings, iterations=12, halvings=0, fall_back=False, reach=_REACH, contraction=1.0)
    found = newton(system, start[good], p[rows[good]], near)
    roots = path.roots.replaced(rows[good], found, np.ones(int(good.sum()), dtype=bool))
    return Path(roots, roots.converged.astype(float), path.fold)


def followers(system: Bound, p: Array, base: Array) -> Array:
    """Probes at p [B, k] that follow references whose states are base [B, m], [B, n]."""
    module = system.module
    names = list(module.ORDER_PARAMETERS)
    x = np.full((len(p), len(names)), np.nan)
    for name, own in module.REFERENCE.items():
        x[:, names.index(name)] = base[:, module.REFERENCE_MODULE.ORDER_PARAMETERS.index(own)]
    with np.errstate(all="ignore"):  # overlaps that no weights have are not followed
        x = module.follower(x, p)
    driver = names.index(f"{module.CONSTRAINED}_hat")
    probe = np.array([name not in module.REFERENCE and name not in module.CONJUGATES for name in names])
    with np.errstate(all="ignore"):
        for _ in range(_CLIMB):  # the overlap grows ever more slowly with its conjugate: Newton does not overshoot
            f, jacobian = system.residual_and_jacobian(x, p)
            step = np.nan_to_num(f[:, driver] / jacobian[:, driver, driver])
            x[:, driver] -= step
            if not np.any(np.abs(step) > _HELD * (1.0 + np.abs(x[:, driver]))):
                break
        for _ in range(_SWEEPS):
            f = system.residual(x, p)
            x = np.where(probe, x - f, x)
    return np.asarray(x)


def references(system: Bound, p: Array) -> Array:
    """States of the references at p [B, k], nan where they were not found; those at equal parameters are found once."""
    from spinodal.numeric.solve import from_small_alpha  # which imports this module

    reference: ModuleType = system.module.REFERENCE_MODULE
    columns = [system.module.PARAMETERS.index(name) for name in reference.PARAMETERS]
    points, which = np.unique(p[:, columns], axis=0, return_inverse=True)
    roots = from_small_alpha(type(system)(reference, system.rule), points, NewtonSettings(tolerance=1e-9)).roots
    return np.asarray(np.where(roots.converged[:, None], roots.x, np.nan)[which.ravel()])
