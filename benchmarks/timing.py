"""Timings that can be compared: the candidates take turns, and the best of all rounds counts.

On a machine that others use too, a mean measures the others. The best round is the one least disturbed, and taking
turns lets every candidate meet the same disturbances.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


def interleaved(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Best wall time in seconds of each candidate over ``rounds`` rounds, after one unmeasured call of each."""
    for call in candidates.values():
        call()
    best = dict.fromkeys(candidates, float("inf"))
    for _ in range(rounds):
        for name, call in candidates.items():
            begin = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - begin)
    return best
