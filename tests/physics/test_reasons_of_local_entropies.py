"""What a search for a local-entropy transition may say: numbers of solutions only where the free entropy counts them."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from declared import declare

from spinodal.numeric.local_entropy import Profile, Search, _Uniform, _why_none
from spinodal.numeric.tracking import Line

SIGNS = {"values": [-1, 0, 1]}
PROBABLE = {"values": [-1, 0, 1], "probabilities": [0.25, 0.5, 0.25]}
HINGE = {"energy": "max(0, kappa - y*h)", "temperature": 0.5}


@pytest.mark.parametrize(
    ("weights", "loss", "counts"),
    [
        ("binary", None, True),
        (SIGNS, None, True),
        (PROBABLE, None, False),
        ("binary", HINGE, False),
        ("spherical", None, False),
    ],
)
def test_free_entropies_are_numbers_of_configurations_of_counted_weights_under_constraints(
    weights: Any, loss: Any, counts: bool
) -> None:
    assert declare("count", weights=weights, loss=loss, alpha=0.3, kappa=0.0).solver().IS_COUNT is counts


@pytest.mark.parametrize(("counts", "what"), [(True, True), (False, False)])
def test_solutions_are_spoken_of_only_where_they_are_counted(counts: bool, what: bool) -> None:
    overlaps = np.array([0.9, 0.99, 1.0])
    falling = Profile(0.5, overlaps, np.full(3, -1.0), np.zeros((3, 1)), np.array([0.1, -0.2, -0.5]))
    module = cast(ModuleType, SimpleNamespace(IS_COUNT=counts))
    line = Line("alpha", 0, 0.1, 2.0)
    search = cast(Search, SimpleNamespace(line=line, overlap="q1", system=SimpleNamespace(module=module)))
    failure = _why_none(search, _Uniform(False, (falling,), (1.5,)), "always", "phi falls")
    assert ("there are no solutions, or hardly any states, at 1.5" in failure.reason) is what
    assert ("nothing else is so near" in failure.reason) is what
    assert ("hardly any states were found at 1.5" in failure.reason) is not what
