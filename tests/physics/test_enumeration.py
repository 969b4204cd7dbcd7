"""The theory against the model itself: all 2^N weight vectors counted, averaged over samples, extrapolated in 1/N."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import spinodal


def signs(n: int) -> np.ndarray:
    """All vectors of n signs [2^n, n]."""
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    return (2 * bits - 1).astype(np.float32)


def solutions(patterns: np.ndarray, margin: float = 0.0) -> int:
    """How many w in {-1, 1}^N have w . patterns_mu >= margin sqrt N for all mu; patterns [P, N] carry their labels."""
    n = patterns.shape[1]
    left = signs(n // 2) @ patterns[:, : n // 2].T.astype(np.float32)
    right = signs(n - n // 2) @ patterns[:, n // 2 :].T.astype(np.float32)
    # bit-parallel: for each pattern and each left half, the right halves that satisfy it are a bit mask
    order = np.argsort(right, axis=0)
    alive: np.ndarray | None = None
    for mu in range(len(patterns)):
        needed = np.searchsorted(right[order[:, mu], mu], margin * np.sqrt(n) - left[:, mu])
        rank = np.empty(len(right), dtype=np.int32)
        rank[order[:, mu]] = np.arange(len(right))
        mask = np.packbits(rank[None, :] >= needed[:, None], axis=1)
        alive = mask if alive is None else alive & mask
    assert alive is not None
    return int(np.bitwise_count(alive).sum())


def brute_force(patterns: np.ndarray, margin: float = 0.0) -> int:
    n = patterns.shape[1]
    return int(np.all(signs(n) @ patterns.T >= margin * np.sqrt(n), axis=1).sum())


def random_features(n: int, generator: np.random.Generator) -> np.ndarray:
    """Labelled features of one sample: alpha = 0.5, alpha_T = 1, tanh, Gaussian teacher."""
    p = d = n // 2
    inputs = generator.normal(size=(p, d))
    teacher = generator.normal(size=d)
    features = np.tanh(inputs @ generator.normal(size=(d, n)) / np.sqrt(d))
    return features * np.sign(inputs @ teacher)[:, None]


def storage(n: int, generator: np.random.Generator) -> np.ndarray:
    return generator.normal(size=(n // 2, n))


def binary_teacher(n: int, generator: np.random.Generator) -> np.ndarray:
    patterns = generator.normal(size=(n // 2, n))
    return patterns * np.sign(patterns @ generator.choice([-1.0, 1.0], n))[:, None]


def mean_log(
    make: Callable[[int, np.random.Generator], np.ndarray], n: int, samples: int, seed: int
) -> tuple[float, float, float]:
    """(mean of log(count)/N over samples with solutions, its standard error, fraction without)."""
    generator = np.random.default_rng([seed, n])
    counts = np.array([solutions(make(n, generator)) for _ in range(samples)])
    logs = np.log(counts[counts > 0]) / n
    return float(logs.mean()), float(logs.std() / np.sqrt(logs.size)), float(np.mean(counts == 0))


def extrapolated(table: dict[int, tuple[float, float, float]]) -> tuple[float, float]:
    """Weighted fit of mean = s + a / N: (s, its standard error)."""
    n = np.array(list(table))
    values, errors = np.array([[v[0], v[1]] for v in table.values()]).T
    design = np.stack([np.ones(len(n)), 1.0 / n], axis=1) / errors[:, None]
    covariance = np.linalg.inv(design.T @ design)
    return float(covariance[0] @ design.T @ (values / errors)), float(np.sqrt(covariance[0, 0]))


@pytest.mark.parametrize("margin", [0.0, 0.3, -0.2])
def test_counting_is_right(margin: float) -> None:
    generator = np.random.default_rng(1)
    for n in (8, 11):
        patterns = generator.normal(size=(4, n))
        assert solutions(patterns, margin) == brute_force(patterns, margin)


SAMPLES = {8: 4000, 12: 2500, 16: 1200, 20: 400}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "model", "parameters"),
    [
        (random_features, "random-features-binary", {"alpha": 0.5, "alpha_T": 1.0, "kappa": 0.0}),
        (storage, "binary-perceptron", {"alpha": 0.5, "kappa": 0.0}),
        (binary_teacher, "binary-teacher-student", {"alpha": 0.5, "kappa": 0.0}),
    ],
    ids=["random features", "storage", "binary teacher"],
)
def test_entropy_against_exact_enumeration(
    make: Callable[[int, np.random.Generator], np.ndarray], model: str, parameters: dict[str, float]
) -> None:
    overrides = {"student.features.activation": "tanh(x)"} if model.startswith("random") else None
    entropy = spinodal.load(model, overrides=overrides).solve(**parameters)["entropy"]
    table = {n: mean_log(make, n, samples, seed=7) for n, samples in SAMPLES.items()}
    assert table[20][2] < 0.02, "samples without a solution would bias the mean"
    limit, error = extrapolated(table)
    # the next correction, of order 1/N^2, is bounded by how far the fit moves when the smallest size is left out
    shifted, _ = extrapolated({n: v for n, v in table.items() if n > 8})
    assert abs(limit - entropy) < 3 * error + abs(shifted - limit) + 0.003, (limit, error, shifted, table)
    assert abs(table[20][0] - entropy) < 0.05
