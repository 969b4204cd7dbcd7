"""Losses of the difference of label and field: their noise belongs to the field, against sums over every variable.

The sums go over the teacher's field, the noise, the student's shared field and its own, as the channel is defined.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from declared import declare
from scipy.stats import norm

from spinodal.numeric.quadrature import Automatic

NODES = np.linspace(-7.5, 7.5, 61)
WEIGHTS = norm.pdf(NODES) * (NODES[1] - NODES[0])
R, Q = 0.4, 0.6


def student(label: str, energy: str, scheme: str = "replica-symmetric", temperature: object = "T", **parameters: float):
    return declare(
        "residuals", weights={"values": [-1, 1]}, teacher={"weights": {"values": [-1, 1]}, "label": label},
        loss={"energy": energy, "temperature": temperature}, scheme=scheme, alpha=1.0, **parameters,
    )  # fmt: skip


def channel(label: Callable, log_z: Callable, q: float = Q, r: float = R) -> float:
    """E log Z over the teacher's field u, the noise and what else the replicas share, omega."""
    u, noise, z = np.meshgrid(NODES, NODES, NODES, indexing="ij")
    weight = WEIGHTS[:, None, None] * WEIGHTS[None, :, None] * WEIGHTS[None, None, :]
    omega = r * u + np.sqrt(q - r * r) * z
    return float(np.sum(weight * log_z(label(u, noise), omega)))


def average(energy: Callable, temperature: float, variance: float) -> Callable:
    """The logarithm of E exp(-energy(y, h) / T) over h = omega + sqrt(variance) x, by a sum over x."""
    x = np.linspace(-8.0, 8.0, 401)
    chance = norm.pdf(x) * (x[1] - x[0])

    def log_z(y: np.ndarray, omega: np.ndarray) -> np.ndarray:
        total = np.zeros_like(omega)
        for point, share in zip(x, chance, strict=True):
            total += share * np.exp(-energy(y, omega + np.sqrt(variance) * point) / temperature)
        return np.log(total)

    return log_z


@pytest.mark.parametrize(
    ("label", "rule", "loss", "energy"),
    [
        ("tanh(u)+0.5*noise", lambda u, e: np.tanh(u) + 0.5 * e, "(y-h)**2/2", lambda y, h: (y - h) ** 2 / 2),
        ("u+0.3+0.5*noise", lambda u, e: u + 0.3 + 0.5 * e, "(y-2*h)**4/20", lambda y, h: (y - 2 * h) ** 4 / 20),
        ("sin(u)+u*noise/2", lambda u, e: np.sin(u) + u * e / 2, "log(1+exp(y-h))", lambda y, h: np.logaddexp(0, y - h)),
        ("0.7*u-noise", lambda u, e: 0.7 * u - e, "min((y-h-0.2)**2,1)", lambda y, h: np.minimum((y - h - 0.2) ** 2, 1)),
    ],
)
def test_the_output_channel_is_that_of_sums_over_label_noise_and_field(
    label: str, rule: Callable, loss: str, energy: Callable
) -> None:
    module = student(label, loss, T=0.8).solver()
    x = np.array([[{"q": Q, "r": R, "q_hat": 0.9, "r_hat": 0.3}[name] for name in module.ORDER_PARAMETERS]])
    table = {"alpha": 1.0, "T": 0.8}
    points = [np.array([[{**table, "alpha": a}[name] for name in module.PARAMETERS]]) for a in (1.0, 0.0)]
    with_patterns, without = (float(module.free_entropy(x, p)[0]) for p in points)
    kinked = "min" in loss  # a sum over 401 points sees a kink to 1e-4 only
    assert with_patterns - without == pytest.approx(channel(rule, average(energy, 0.8, 1 - Q)), abs=1e-4 if kinked else 2e-8)


def test_the_output_channel_of_ground_states_is_that_of_energies_minimised_beside_the_noise() -> None:
    module = student("tanh(2*u)+0.5*noise", "abs(y-h)", temperature=0).solver()
    dq = 0.7

    def huber(y: np.ndarray, omega: np.ndarray) -> np.ndarray:
        """max_h -|y - h| - (h - omega)^2 / (2 dq)."""
        gap = np.abs(y - omega)
        return -np.where(gap < dq, gap * gap / (2 * dq), gap - dq / 2)

    table = {"q": 1.0, "dq": dq, "r": R, "q_hat": 0.9, "r_hat": 0.3, "dq_hat": 0.0}
    x = np.array([[table[name] for name in module.ORDER_PARAMETERS]])
    values = [float(module.free_entropy(x, np.array([[alpha]]))[0]) for alpha in (1.0, 0.0)]
    expected = channel(lambda u, e: np.tanh(2 * u) + 0.5 * e, huber, q=1.0)
    assert values[0] - values[1] == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize(
    ("label", "energy"),
    [("0.8*u+0.1*noise", "abs(y-h)"), ("0.8*u+0.1*noise", "(y-h)**2"), ("tanh(u)+0.3*noise", "(y-h)**2")],
)
def test_probes_at_the_typical_overlap_of_a_residual_loss_are_typical(label: str, energy: str) -> None:
    """Franz-Parisi beside t = q, where probes merge: the probe's free entropy is the reference's (THEORY.md section 3)."""
    typical = student(label, energy, T=0.5).solve(alpha=0.4)
    near = student(label, energy, "franz-parisi", T=0.5, t=0.9).solve(alpha=0.4, t=typical["q"] + 1e-6)
    assert near["free_entropy"] == pytest.approx(typical["free_entropy"], abs=1e-9)
    assert near["s"] == pytest.approx(typical["q"], abs=1e-5)


@pytest.mark.parametrize("label", ["tanh(40*u)+0.3*noise", "abs(u-0.5)+0.3*noise", "erf(6*u-2)"])
def test_steep_and_bent_labels_are_averaged_to_all_digits(label: str) -> None:
    module = student(label, "(y-h)**2", T=0.8).solver()
    table = {"q": Q, "r": R, "q_hat": 0.9, "r_hat": 0.3, "alpha": 1.0, "T": 0.8}
    x, p = (np.array([[table[name] for name in names]]) for names in (module.ORDER_PARAMETERS, module.PARAMETERS))
    coarse, fine = (float(module.free_entropy(x, p, Automatic(n))[0]) for n in (100, 3000))
    assert coarse == pytest.approx(fine, abs=1e-12)


def test_replicas_at_their_typical_overlap_are_those_of_the_simplest_tree() -> None:
    """Copies that overlap as typical ones do: q0 = q1 = q solves their equations."""
    typical = student("tanh(u)+0.3*noise", "(y-h)**2", T=0.5).solve(alpha=0.4)
    copies = declare(
        "residuals", weights={"values": [-1, 1]},
        teacher={"weights": {"values": [-1, 1]}, "label": "tanh(u)+0.3*noise"},
        loss={"energy": "(y-h)**2", "temperature": "T"}, scheme="real-replicas", ansatz={"replicas": "n"},
        alpha=0.4, T=0.5, n=3.0, q1=0.5,
    ).solve(q1=typical["q"])  # fmt: skip
    assert copies["q0"] == pytest.approx(typical["q"], abs=1e-6)
    assert copies["free_entropy"] == pytest.approx(typical["free_entropy"], abs=1e-9)


def test_ground_states_beside_noise_whose_amplitude_follows_the_field() -> None:
    """The energy per pattern is the Moreau envelope of |v| averaged over teacher, noise and field."""
    state = declare(
        "amplitude", weights="unconstrained", teacher={"weights": "gaussian", "label": "u + u*noise/2"},
        loss={"energy": "abs(y-h)", "temperature": 0, "regularization": "0.1*w**2"}, alpha=1.4,
    ).solve()  # fmt: skip
    q, r, dq = state["q"], state["r"], state["dq"]

    def loss_at_the_minimum(y: np.ndarray, omega: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(y - omega) - dq, 0.0)

    loss = channel(lambda u, e: u + u * e / 2, loss_at_the_minimum, q=q, r=r)
    assert state["energy"] == pytest.approx(1.4 * loss + 0.1 * q, abs=2e-4)
    assert state["free_entropy"] == pytest.approx(-state["energy"], abs=1e-10)
