"""Franz-Parisi references with losses of their own beside a teacher: a functional typed here, identities, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
from declared import declare
from scipy.special import log_ndtr, logsumexp, ndtr

from spinodal.report.notation import Scribe
from spinodal.spec import SpecError
from spinodal.symbolic.averages import average, planted_measure

Array = np.ndarray
VALUES = np.array([-1.0, 1.0])


def nodes(count: int, end: float = 8.5) -> tuple[Array, Array]:
    """Of a standard normal: Gauss-Legendre on an interval that holds all of its mass."""
    x, w = np.polynomial.legendre.leggauss(count)
    w = w * np.exp(-((end * x) ** 2) / 2)
    return end * x, w / w.sum()


def log_mass(edge: float) -> Callable[[Array, float], Array]:
    """Log Z of the constraint h >= edge."""
    return lambda h, v: log_ndtr((h - edge) / np.sqrt(v))


def log_hinge(edge: float, beta: float) -> Callable[[Array, float], Array]:
    """Log Z of exp[-beta max(0, edge - h)]: an exponential tail times a Gaussian, and a Gaussian tail."""

    def log_z(h: Array, v: float) -> Array:
        gap, s = edge - h, np.sqrt(v)
        return np.logaddexp(log_ndtr(-gap / s), -beta * gap + beta**2 * v / 2 + log_ndtr(gap / s - beta * s))

    return log_z


def potential(
    x: dict[str, float],
    alpha: float,
    reference: Callable[[Array, Array], tuple[Array, Array]],
    log_z: Callable[[Array, float], Array],
    flip: float,
) -> float:
    """E log Z of +-1 weights at overlap t with a reference; a Gaussian teacher of labels sign(u), flipped at times.

    ``reference(mean, sigma)``: nodes and normalised weights of the reference's field.
    """
    z, w = nodes(121)
    y, w_y = nodes(51)
    pairing = -x["q_hat"] * (1 - x["q"]) / 2 - x["t"] * x["t_hat"] + x["s"] * x["s_hat"] - x["r"] * x["r_hat"]
    spread, across = x["q_ref_hat"] + x["r_ref_hat"] ** 2, x["s_hat"] + x["r_ref_hat"] * x["r_hat"]
    own = x["q_hat"] + x["r_hat"] ** 2
    level = np.sqrt(spread) * z[:, None] * VALUES
    shares = np.exp(level - logsumexp(level, axis=1, keepdims=True))
    field = np.sqrt(own - across**2 / spread) * y + (across / np.sqrt(spread)) * z[:, None, None]
    field = field + (x["t_hat"] - x["s_hat"]) * VALUES[None, :, None]
    prior = np.einsum("z,zw,y,zwy->", w, shares, w_y, np.logaddexp(field, -field))
    left = 1 - x["q_ref"]
    omega = np.sqrt(x["q_ref"]) * z
    h_ref, w_ref = reference(omega[:, None], np.sqrt(left))
    beside = np.sqrt(x["q"] - x["s"] ** 2 / x["q_ref"] - (x["t"] - x["s"]) ** 2 / left)
    mean = (x["s"] / x["q_ref"] * omega)[:, None] + (x["t"] - x["s"]) / left * (h_ref - omega[:, None])
    h = mean[:, :, None] + beside * y
    one, other = x["r_ref"] / np.sqrt(x["q_ref"]), (x["r"] - x["s"] * x["r_ref"] / x["q_ref"]) / beside
    right = ndtr((one * z[:, None] + other * y) / np.sqrt(1 - one**2 - other**2))
    sees = 2 * (flip + (1 - 2 * flip) * right)
    output = np.einsum("z,zu,y,zy,zuy->", w, w_ref, w_y, sees, log_z(h, 1 - x["q"]))
    return float(pairing + prior + alpha * output)


def beyond(edge: float) -> Callable[[Array, Array], tuple[Array, Array]]:
    """A Gaussian beyond an edge."""

    def weighted(mean: Array, sigma: Array) -> tuple[Array, Array]:
        g, w = np.polynomial.legendre.leggauss(61)
        low = np.maximum((edge - mean) / sigma, -8.5)
        high = np.maximum(low + 3.0, 8.5)
        u = low + (high - low) * (g + 1) / 2
        w = w * np.exp((low**2 - u**2) / 2)
        return mean + sigma * u, w / w.sum(axis=1, keepdims=True)

    return weighted


def hinged(edge: float, beta: float) -> Callable[[Array, Array], tuple[Array, Array]]:
    """A Gaussian times exp[-beta max(0, edge - h)], on panels that meet at the edge."""

    def weighted(mean: Array, sigma: Array) -> tuple[Array, Array]:
        g, w = np.polynomial.legendre.leggauss(61)
        cut = np.clip((edge - mean) / sigma, -9.0, 9.0)
        panels = [-9.0 + (cut + 9.0) * (g + 1) / 2, cut + (9.0 - cut) * (g + 1) / 2]
        u = np.concatenate(panels, axis=1)
        mass = np.concatenate([w * (cut + 9.0), w * (9.0 - cut)], axis=1)
        h = mean + sigma * u
        mass = mass * np.exp(-(u**2) / 2 - beta * np.maximum(0.0, edge - h))
        return h, mass / mass.sum(axis=1, keepdims=True)

    return weighted


CASES: list[tuple[dict[str, Any], Any, Any, float]] = [
    # labels flipped at random; references and probes with margins
    (
        {"loss": {"constraint": "y*h >= -0.1"}, "ansatz": {"reference": {"constraint": "y*h >= 0.2"}}},
        beyond(0.2),
        log_mass(-0.1),
        0.15,
    ),
    # references at a temperature of their own
    (
        {
            "loss": {"energy": "max(0, 0.1 - y*h)", "temperature": 0.5},
            "ansatz": {"reference": {"energy": "max(0, 0.4 - y*h)", "temperature": 0.8}},
        },
        hinged(0.4, 1.25),
        log_hinge(0.1, 2.0),
        0.0,
    ),
    (
        {
            "loss": {"constraint": "y*h >= -0.1"},
            "ansatz": {"reference": {"energy": "max(0, 0.4 - y*h)", "temperature": 0.8}},
        },
        hinged(0.4, 1.25),
        log_mass(-0.1),
        0.1,
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("entries", "reference", "log_z", "flip"), CASES)
def test_a_probe_beside_a_reference_that_a_teacher_taught(
    entries: dict[str, Any], reference: Any, log_z: Any, flip: float
) -> None:
    rule = {"weights": "gaussian", "label": "sign(u)"} | ({"flip_probability": flip} if flip else {})
    model = declare("beside", teacher=rule, scheme="franz-parisi", alpha=0.6, t=0.7, **entries)
    solution = model.solve()
    assert solution.converged
    x = {k: float(v) for k, v in solution.order_parameters.items()} | {"t": 0.7}
    assert float(solution.free_entropy) == pytest.approx(potential(x, 0.6, reference, log_z, flip), abs=1e-8)
    for name in ("q", "s", "r", "q_hat", "s_hat", "t_hat", "r_hat"):
        up, down = (potential(x | {name: x[name] + d}, 0.6, reference, log_z, flip) for d in (1e-4, -1e-4))
        assert (up - down) / 2e-4 == pytest.approx(0.0, abs=1e-6), name
    up, down = (potential(x | {"t": 0.7 + d}, 0.6, reference, log_z, flip) for d in (1e-4, -1e-4))
    assert float(solution.observables["slope"]) == pytest.approx((up - down) / 2e-4, abs=1e-6)


@pytest.mark.slow
def test_at_the_typical_overlap_a_probe_beside_a_warm_reference_is_typical() -> None:
    """The same loss and temperature for both: the probe is one more configuration of the Gibbs measure."""
    loss = {"energy": "max(0, 0.3 - y*h)", "temperature": 0.5}
    rule = {"weights": "binary", "label": "sign(u + sqrt(Delta)*noise)"}
    typical = declare("warm", teacher=rule, loss=loss, alpha=0.8, Delta=0.2).solve()
    model = declare("warm", teacher=rule, loss=loss, scheme="franz-parisi", alpha=0.8, Delta=0.2, t=0.5)
    solution = model.solve(t=float(typical["q"]))
    assert solution.converged
    assert float(solution.free_entropy) == pytest.approx(float(typical.free_entropy), abs=1e-9)
    for name in ("energy", "entropy", "generalization_error", "replicon"):
        assert float(solution.observables[name]) == pytest.approx(float(typical.observables[name]), abs=1e-7)


def test_a_half_normal_variable_is_printed_with_its_side() -> None:
    xi = sp.Symbol("_xi", real=True)
    node = average(xi**2, planted_measure([(xi, sp.Symbol("half_normal"))]))
    assert Scribe().doprint(node) == r"\int D\xi\,2\Theta(\xi)\; \xi^{2}"


@pytest.mark.parametrize(
    ("label", "reference", "message"),
    [
        (
            "sign(abs(u) - 0.6)",
            "y*h >= 0.2",
            "a reference beside a teacher is not derived for labels of several thresholds in the field; "
            "take labels such as sign(u + sqrt(Delta)*noise)",
        ),
        (
            "sign(u - 0.3)",
            "y*h >= 0.2 or y*h <= -1",
            "a reference whose loss is not one threshold, beside a teacher, is derived for labels sign(u) only "
            "(noise and flip_probability included); take such labels, or a reference such as "
            '{ constraint = "y*h >= kappa_ref" }',
        ),
    ],
)
def test_labels_that_no_reference_is_derived_for_are_named(label: str, reference: str, message: str) -> None:
    model = declare(
        "refused",
        teacher={"weights": "gaussian", "label": label},
        scheme="franz-parisi",
        ansatz={"reference": {"constraint": reference}},
        alpha=0.5,
        kappa=0.0,
        t=0.7,
    )
    with pytest.raises(SpecError) as caught:
        model.solve()
    assert message in str(caught.value)
