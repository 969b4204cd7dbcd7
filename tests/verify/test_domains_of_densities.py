"""Densities with exponential tails: states at which the integral over a weight diverges are compared nowhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from spinodal import load
from spinodal.verify import Status
from spinodal.verify.documents import read_document
from spinodal.verify.reference import Reference
from spinodal.verify.run import Session

LAPLACE = """format = 1
[student]
weights = { density = "exp(-abs(w))/2" }
[loss]
constraint = "abs(h) >= kappa"
[parameters]
alpha = 0.5
kappa = 0.4
"""
ENTROPY = (
    r"\phi=\frac12q\hat q-\frac12q_d\hat q_d+\int Dz\ln\zeta(z)+\alpha\int Dz\ln\left[H\left(\frac{\kappa-\sqrt qz}"
    r"{\sqrt{q_d-q}}\right)+H\left(\frac{\kappa+\sqrt qz}{\sqrt{q_d-q}}\right)\right],\quad"
    r"\zeta(z)=\int_{-\infty}^{\infty}dw\,\frac{e^{-|w|}}{2}e^{\frac12(\hat q_d-\hat q)w^2+\sqrt{\hat q}zw}"
)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "laplace.toml"
    path.write_text(LAPLACE, encoding="utf-8")
    return path


def test_states_without_a_convergent_integral_over_weights_are_not_drawn(spec: Path) -> None:
    """E_w exp(a w^2/2 + b w) of a Laplace weight exists for negative a only."""
    reference = Reference(load(str(spec)), {})
    at = reference.free
    names = reference.names(at)
    assert len(at) > 2
    assert np.all(names["q_d_hat"] < names["q_hat"])


def test_a_true_free_entropy_of_laplace_weights_is_verified(session: Session, spec: Path) -> None:
    text = f"% spinodal: laplace.toml free-entropy\n\\[ {ENTROPY} \\]\n"
    (outcome,) = session.outcomes(read_document(text, str(spec.parent / "text.tex"), "latex"))
    assert outcome.status is Status.VERIFIED, outcome.detail


def test_the_weights_part_is_the_integral_over_the_density(spec: Path) -> None:
    """At alpha -> 0 the free entropy is q q_hat/2 - q_d q_d_hat/2 + E_z log E_w: own quadrature."""
    module = load(str(spec)).solver()
    q, q_d, q_hat, q_d_hat = 0.2, 0.6, 0.9, 0.3
    values = {"q": q, "q_d": q_d, "q_hat": q_hat, "q_d_hat": q_d_hat}
    x = np.array([[values[name] for name in module.ORDER_PARAMETERS]])

    def log_zeta(z: float) -> float:
        def weight(w: float) -> float:
            return float(np.exp(-abs(w) + 0.5 * (q_d_hat - q_hat) * w * w + np.sqrt(q_hat) * z * w) / 2)

        return float(np.log(quad(weight, -60, 0)[0] + quad(weight, 0, 60)[0]))

    prior = quad(lambda z: np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * log_zeta(z), -9, 9)[0]
    p = np.array([[{"alpha": 1e-12, "kappa": 0.4}[name] for name in module.PARAMETERS]])
    assert module.free_entropy(x, p)[0] == pytest.approx(0.5 * q * q_hat - 0.5 * q_d * q_d_hat + prior, abs=1e-7)
