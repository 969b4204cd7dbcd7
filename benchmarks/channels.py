"""Residual and Jacobian of a batch of states, over scipy.special.log_ndtr once on all the nodes of its averages."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr

import spinodal
from benchmarks import peer
from benchmarks.timing import interleaved

Array = NDArray[np.float64]

BAR = 2.0
CASES = (
    ("binary-perceptron", "replica-symmetric"),
    ("spherical-perceptron", "replica-symmetric"),
    ("binary-teacher-student", "replica-symmetric"),
    ("binary-teacher-student", "bayes-optimal"),
    ("random-features-binary", "replica-symmetric"),
)


@dataclass
class Recording:
    """A quadrature rule that keeps the nodes it hands out."""

    rule: Any
    kept: list[Array]

    @property
    def n(self) -> int:
        return int(self.rule.n)

    @property
    def name(self) -> str:
        return str(self.rule.name)

    def nodes(self, centres: ArrayLike, widths: ArrayLike) -> tuple[Array, Array]:
        z, weights = self.rule.nodes(centres, widths)
        self.kept.append(np.array(z))
        return z, weights


def states(model: Any, batch: int) -> tuple[Array, Array]:
    """Solved states along alpha, repeated to a batch: x [batch, n] and p [batch, k]."""
    module = model.solver()
    solution = model.solve(alpha=np.linspace(0.1, 0.6, 25))
    good = [state for state in solution.states if state.converged]
    x = np.array([[state.order_parameters[name] for name in module.ORDER_PARAMETERS] for state in good])
    p = np.array([[state.parameters[name] for name in module.PARAMETERS] for state in good])
    return np.resize(x, (batch, x.shape[1])), np.resize(p, (batch, p.shape[1]))


def nodes(module: ModuleType, x: Array, p: Array) -> Array:
    """All nodes at which a batch is averaged, flat; nodes that all states share are counted once for each call."""
    recording = Recording(module.RULE, [])
    module.residual_and_jacobian(x, p, recording)
    return np.concatenate([z.ravel() for z in recording.kept])


def measure(batch: int = 10_000, rounds: int = 9) -> dict[str, dict[str, float]]:
    """Ratios by case, and the peer's; seconds beside them."""
    results: dict[str, dict[str, float]] = {}
    for name, ansatz in CASES:
        model = spinodal.load(name, ansatz=ansatz)
        module = model.solver()
        x, p = states(model, batch)
        z = nodes(module, x, p)
        candidates = {"floor": lambda z=z: log_ndtr(z), "ours": lambda m=module, x=x, p=p: m.residual_and_jacobian(x, p)}
        if name == "binary-perceptron":
            candidates["peer"] = lambda x=x, p=p: peer.residual_and_jacobian(x, p)
        best = interleaved(candidates, rounds)
        label = f"{name} ({ansatz})"
        results[label] = {
            "ratio": best["ours"] / best["floor"],
            "bar": BAR,
            "seconds": best["ours"],
            "floor_seconds": best["floor"],
            "nodes_per_state": z.size / batch,
        }
        if "peer" in best:
            results["hand-written storage model (peer)"] = {
                "ratio": best["peer"] / best["floor"],
                "seconds": best["peer"],
                "floor_seconds": best["floor"],
                "nodes_per_state": z.size / batch,
            }
    return results
