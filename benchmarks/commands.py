"""One solve, one special point, the command's start, and derivation with and without the cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable

import spinodal
from benchmarks.timing import interleaved

MODEL = "random-features-binary"

_COLD = f"""
import time, spinodal
begin = time.perf_counter()
spinodal.load({MODEL!r}).solver()
print(time.perf_counter() - begin)
"""
_CACHED = f"""
import time, numpy, spinodal
begin = time.perf_counter()
spinodal.load({MODEL!r}).solver()
print(time.perf_counter() - begin)
"""


def solve(rounds: int = 40) -> dict[str, float]:
    """One solve from the default guess with the module loaded, over one residual and Jacobian of a single state."""
    model = spinodal.load(MODEL)
    module = model.solver()
    state = model.solve().states[0]
    x = [[state.order_parameters[name] for name in module.ORDER_PARAMETERS]]
    p = [[state.parameters[name] for name in module.PARAMETERS]]
    best = interleaved({"solve": lambda: model.solve(), "evaluation": lambda: module.residual_and_jacobian(x, p)}, rounds)
    return {"seconds": best["solve"], "bar": 0.005, "evaluations": best["solve"] / best["evaluation"]}


def special_point(rounds: int = 8) -> dict[str, float]:
    """The interpolation point of the same model, over one solve."""
    model = spinodal.load(MODEL)
    best = interleaved(
        {
            "locus": lambda: model.locus("zero-entropy", "alpha", bounds=(0.4, 5.2)),
            "solve": lambda: model.solve(),
        },
        rounds,
    )
    return {"seconds": best["locus"], "solves": best["locus"] / best["solve"]}


def _process(arguments: list[str], cache: str | None = None) -> str:
    environment = dict(os.environ, OPENBLAS_NUM_THREADS="1")
    if cache is not None:
        environment["SPINODAL_CACHE"] = cache
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, env=environment, timeout=300
    )
    return done.stdout


def command_start(rounds: int = 5) -> dict[str, float]:
    """``spinodal --help`` in a fresh process, over a process that does nothing."""
    candidates: dict[str, Callable[[], object]] = {
        "help": lambda: _process(["-m", "spinodal", "--help"]),
        "nothing": lambda: _process(["-c", "pass"]),
    }
    best = interleaved(candidates, rounds)
    return {"seconds": best["help"], "bar": 0.3, "processes": best["help"] / best["nothing"]}


def derivation(rounds: int = 3) -> dict[str, dict[str, float]]:
    """Derive and generate in a fresh process with an empty cache, and then from the cache.

    The clock starts after ``import spinodal`` (and, from the cache, ``import numpy``); everything that the package
    itself still has to import counts.
    """
    cold, cached = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(float(_process(["-c", _COLD], folder)))
            cached += [float(_process(["-c", _CACHED], folder)) for _ in range(2)]
    return {
        "derive and generate": {"seconds": min(cold), "bar": 20.0},
        "the same from the cache": {"seconds": min(cached), "bar": 0.2, "of_cold": min(cached) / min(cold)},
    }
