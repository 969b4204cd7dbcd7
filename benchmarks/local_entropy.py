"""Atypical solutions, with modules loaded: the local-entropy transition, a Franz-Parisi curve, and y -> infinity states.

Times are of the process: a curve of seconds that others interrupt says nothing by the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

import spinodal
from benchmarks.timing import interleaved
from spinodal.numeric import envelope

Array = NDArray[np.float64]


def _best(call: Callable[[], object], rounds: int) -> float:
    """Seconds of the process, the best of some rounds after one that is not counted."""
    call()
    best = float("inf")
    for _ in range(rounds):
        begin = time.process_time()
        call()
        best = min(best, time.process_time() - begin)
    return best


def transition(rounds: int = 3) -> dict[str, float]:
    """alpha_LE of the random-features model to 1e-8."""
    model = spinodal.load("random-features-binary", ansatz="real-replicas")
    (point,) = model.locus("local-entropy-transition", "alpha").special_points
    seconds = _best(lambda: model.locus("local-entropy-transition", "alpha"), rounds)
    return {"seconds": seconds, "bar": 2.0, "error_estimate": point.error_estimate}


def curve(name: str = "binary-perceptron", points: int = 50, rounds: int = 2) -> dict[str, float]:
    """A Franz-Parisi curve from the typical overlap towards 1, over one residual and Jacobian of its states."""
    model = spinodal.load(name, ansatz="franz-parisi")
    module = model.solver()
    typical = float(model.solve(alpha=0.5, kappa_ref=0.3, t=0.7).order_parameters["q_ref"])
    overlaps = np.linspace(typical, 0.995, points)
    solution = model.solve(alpha=0.5, kappa_ref=0.3, t=overlaps)
    good = [state for state in solution.states if state.converged]
    x = np.array([[state.order_parameters[n] for n in module.ORDER_PARAMETERS] for state in good])
    p = np.array([[state.parameters[n] for n in module.PARAMETERS] for state in good])
    seconds = _best(lambda: model.solve(alpha=0.5, kappa_ref=0.3, t=overlaps), rounds)
    evaluation = _best(lambda: module.residual_and_jacobian(x, p), rounds)
    return {"seconds": seconds, "bar": 10.0, "evaluations": seconds / evaluation, "converged": float(len(good))}


def maximisers(module: ModuleType, x: Array, p: Array) -> Array:
    """All nodes at which a batch is averaged as y -> infinity, where nodes are placed in the maximiser; flat."""
    kept: list[Array] = []
    averages = envelope.averages

    def recording(integrands: Any, *arguments: Any, **options: Any) -> Any:
        def seen(z: Array, t: Array, *rest: Any) -> Any:
            kept.append(np.array(t))
            return integrands(z, t, *rest)

        return averages(None if integrands is None else seen, *arguments, **options)

    with patch.object(envelope, "averages", recording):
        module.residual_and_jacobian(x, p)
    return np.concatenate([t.ravel() for t in kept])


def infinitely_many(batch: int = 1000, rounds: int = 5) -> dict[str, float]:
    """One y -> infinity residual and Jacobian of a batch, over its innermost function (log H) once on the same nodes."""
    model = spinodal.load("random-features-binary", ansatz="real-replicas")
    module = model.solver()
    solution = model.solve(alpha=0.9, q1=np.linspace(0.6, 0.9, 20))
    good = [state for state in solution.states if state.converged]
    states = np.array([[s.order_parameters[n] for n in module.ORDER_PARAMETERS] for s in good])
    points = np.array([[s.parameters[n] for n in module.PARAMETERS] for s in good])
    x, p = np.resize(states, (batch, states.shape[1])), np.resize(points, (batch, points.shape[1]))
    z = maximisers(module, x, p)
    best = interleaved({"floor": lambda: log_ndtr(z), "ours": lambda: module.residual_and_jacobian(x, p)}, rounds)
    return {
        "ratio": best["ours"] / best["floor"], "bar": 10.0, "seconds": best["ours"], "floor_seconds": best["floor"],
        "nodes_per_state": z.size / batch,
    }  # fmt: skip
