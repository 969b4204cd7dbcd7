"""The continuation engine: evaluations per point, a spinodal, and a locus, with modules loaded."""

from __future__ import annotations

import numpy as np

import spinodal
from benchmarks.timing import interleaved
from spinodal.numeric import Settings, continue_branch


def evaluations_per_point() -> dict[str, float]:
    """Evaluations of F with its Jacobian per point of a branch of at least 200 points, its special points included."""
    nodes = 16
    x = np.cos(np.pi * np.arange(nodes + 1) / nodes)
    c = np.hstack([2.0, np.ones(nodes - 1), 2.0]) * (-1.0) ** np.arange(nodes + 1)
    spread = np.tile(x, (nodes + 1, 1)).T
    matrix = np.outer(c, 1.0 / c) / (spread - spread.T + np.eye(nodes + 1))
    matrix -= np.diag(matrix.sum(axis=1))
    second = 4.0 * (matrix @ matrix)[1:-1, 1:-1]
    branch = continue_branch(
        lambda u, p: second @ u + p * np.exp(u),
        np.zeros(nodes - 1),
        0.0,
        jac=lambda u, p: second + p * np.diag(np.exp(u)),
        dFdp=lambda u, p: np.exp(u),
        bounds={"p": (0.0, 4.0), nodes // 2: (-1.0, 8.0)},
        settings=Settings(largest_step=0.02),
    )
    return {"ratio": branch.evaluations / len(branch), "bar": 4.0, "points": float(len(branch))}


def spinodal_point(rounds: int = 10) -> dict[str, float]:
    """The spinodal of the binary teacher-student, over one residual and Jacobian of a single state."""
    model = spinodal.load("binary-teacher-student", ansatz="bayes-optimal")
    module = model.solver()
    x, p = [[0.7, 1.6]], [[1.2, 0.0]]
    best = interleaved(
        {"fold": lambda: model.locus("fold", "alpha"), "evaluation": lambda: module.residual_and_jacobian(x, p)}, rounds
    )
    return {"seconds": best["fold"], "bar": 0.1, "evaluations": best["fold"] / best["evaluation"]}


def capacity_line(rounds: int = 3) -> dict[str, float]:
    """The locus alpha_c(kappa) of the binary perceptron, kappa in [-1, 2], 31 grid points, over one of its points."""
    model = spinodal.load("binary-perceptron")
    grid = np.linspace(-1.0, 2.0, 31)
    best = interleaved(
        {
            "locus": lambda: model.locus("zero-entropy", "alpha", over=("kappa", grid)),
            "point": lambda: model.locus("zero-entropy", "alpha"),
        },
        rounds,
    )
    return {"seconds": best["locus"], "bar": 2.0, "points": best["locus"] / best["point"]}
