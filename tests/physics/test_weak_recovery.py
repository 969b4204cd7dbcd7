"""Labels that do not tell u from -u: nothing is learnt up to a branch point, from which the informative state grows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from spinodal import Model, load

SPEC = """
format = 1
[model]
name = "symmetric-labels"
description = "labels even in the teacher's field"
[student]
weights = {weights}
features = "direct"
[teacher]
weights = {weights}
label = "sign(abs(u) - K)"
[ansatz]
scheme = "bayes-optimal"
[parameters]
alpha = 1.0
K = 0.7
"""


@pytest.fixture
def model(tmp_path, request) -> Model:
    path = tmp_path / "symmetric.toml"
    path.write_text(SPEC.format(weights=request.param))
    return load(path)


def weak_recovery(threshold: float) -> float:
    """1/alpha = sum over labels of E[P(y|u) (u^2 - 1)]^2 / E[P(y|u)] (Mondelli and Montanari, arXiv:1708.05932)."""
    outside = 2 * norm.sf(threshold)
    moment = 2 * threshold * norm.pdf(threshold)
    return 1.0 / (moment**2 * (1 / outside + 1 / (1 - outside)))


FOUR, SPHERICAL = "{ values = [-3, -1, 1, 3] }", '"spherical"'


@pytest.mark.parametrize("model", [FOUR, SPHERICAL], indirect=True)
def test_nothing_is_learnt_up_to_the_known_threshold(model):
    alpha = weak_recovery(0.7)
    below = model.solve(alpha=alpha * 0.99)
    assert below["q"] == pytest.approx(0.0, abs=1e-10)
    above = model.solve(alpha=alpha * 1.02)
    assert above.converged
    assert 1e-3 < above["q"] < 0.1
    assert f"branch point near alpha = {alpha:.6g}" in above.states[0].warnings[0]


@pytest.mark.parametrize("model", [FOUR, SPHERICAL], indirect=True)
def test_the_state_that_grows_is_that_of_an_informed_start(model):
    alpha = 1.2 * weak_recovery(0.7)
    followed, started = model.solve(alpha=alpha), model.solve(alpha=alpha, start={"q": 0.35})
    assert followed["q"] == pytest.approx(started["q"], abs=1e-9)
    assert followed["free_entropy"] > 1e-3 + model.solve(alpha=alpha, start={"q": 0.0, "q_hat": 0.0})["free_entropy"]


@pytest.mark.parametrize("model", [FOUR], indirect=True)
def test_labels_between_two_edges_keep_their_accuracy_near_the_perfect_state(model):
    # q_hat = alpha c / sqrt(1 - q): a label's probability must not be a difference of tails under a diverging score
    solver = model.solver()
    gaps = 2.0 ** -np.arange(20.0, 46.0, 5.0)
    x = np.stack([1.0 - gaps, np.zeros_like(gaps)], axis=1)
    p = np.array([[{"alpha": 3.0, "K": 0.7}[name] for name in solver.PARAMETERS]] * len(gaps))
    conjugates = -solver.residual(x, p)[:, 1]
    assert np.allclose(conjugates * np.sqrt(gaps), conjugates[-1] * np.sqrt(gaps[-1]), rtol=3e-3)
    assert np.allclose(np.diff(np.log2(conjugates)), 2.5, atol=1e-3)
    assert model.solve(alpha=3.0)["q"] == 1.0
