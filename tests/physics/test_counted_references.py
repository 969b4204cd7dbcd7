"""References of the largest margin for counted weights of any values: the zero of their entropy, and probes beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from declared import central, declare
from scipy.optimize import root
from scipy.special import log_ndtr, logsumexp, ndtr

from spinodal.spec import SpecError

Array = np.ndarray
VALUES = np.array([-1.0, 0.0, 1.0])
ALPHA, KAPPA, DELTA, T = 0.7, -0.1, 0.2, 0.5


def nodes(count: int, end: float = 8.5) -> tuple[Array, Array]:
    """Of a standard normal: Gauss-Legendre on an interval that holds all of its mass."""
    x, w = np.polynomial.legendre.leggauss(count)
    w = w * np.exp(-((end * x) ** 2) / 2)
    return end * x, w / w.sum()


Z, W = nodes(201)


def weights_of_fields(field: Array, curvature: float) -> Array:
    """Log of the unnormalised weight of each value."""
    return field[..., None] * VALUES + curvature / 2 * VALUES**2


def entropy_of_references(x: Array) -> float:
    """The replica-symmetric entropy of weights -1, 0, 1 (their number counted), Gaussian teacher with label noise."""
    q, q_d, r, q_hat, q_d_hat, r_hat, kappa = x
    pairing = -q_d_hat * q_d / 2 + q_hat * q / 2 - r * r_hat
    field = np.sqrt(q_hat + r_hat**2) * Z
    prior = W @ logsumexp(weights_of_fields(field, q_d_hat - q_hat), axis=-1)
    sees = ndtr(r * Z / np.sqrt(q * (1 + DELTA) - r**2))
    output = 2 * W @ (sees * log_ndtr((np.sqrt(q) * Z - kappa) / np.sqrt(q_d - q)))
    return float(pairing + prior + ALPHA * output)


def largest_margin(*, teacher: bool) -> Array:
    """The stationary state of vanishing entropy: (q, q_d, r, conjugates, kappa); without a teacher r = 0."""
    kept = np.array([0, 1, 2, 3, 4, 5, 6] if teacher else [0, 1, 3, 4, 6])

    def whole(some: Array) -> Array:
        full = np.zeros(7)
        full[kept] = some
        return full

    def equations(some: Array) -> Array:
        gradient = central(lambda x: np.array([entropy_of_references(whole(x))]), some, 1e-4)[0]
        return np.array([*gradient[:-1], entropy_of_references(whole(some))])

    guess = np.array([0.6, 0.75, 0.3, 18.0, 15.0, 2.0, 0.4])[kept]
    found = root(equations, guess, tol=1e-11)
    assert np.max(np.abs(equations(found.x))) < 1e-8
    return whole(found.x)


def potential(reference: Array, probe: Array) -> float:
    """Franz and Parisi's: E log Z of a probe at overlap T with a reference of that state, per weight."""
    q_r, q_dr, r_r, hat_r, hat_dr, r_hat_r, kappa_r = reference
    q, s, q_d, r, q_hat, s_hat, t_hat, q_d_hat, r_hat = probe
    y, w_y = nodes(41)
    pairing = -q_d_hat * q_d / 2 + q_hat * q / 2 - T * t_hat + s * s_hat - r * r_hat
    # prior: the teacher's Gaussian weight joins the fields
    spread, across, own = hat_r + r_hat_r**2, s_hat + r_hat_r * r_hat, q_hat + r_hat**2
    level = weights_of_fields(np.sqrt(spread) * Z, hat_dr - hat_r)
    shares = np.exp(level - logsumexp(level, axis=-1, keepdims=True))
    field = np.sqrt(own - across**2 / spread) * y + (across / np.sqrt(spread)) * Z[:, None, None]
    field = field + (t_hat - s_hat) * VALUES[None, :, None]
    prior = np.einsum("z,zw,y,zwy->", W, shares, w_y, logsumexp(weights_of_fields(field, q_d_hat - q_hat), axis=-1))
    # output: u = what is left of the reference's field, beyond its edge
    left = q_dr - q_r
    edge = (kappa_r - np.sqrt(q_r) * Z) / np.sqrt(left)
    g, w_g = np.polynomial.legendre.leggauss(61)
    low = np.maximum(edge, -8.5)
    high = np.maximum(low + 3.0, 8.5)
    u = low[:, None] + (high - low)[:, None] * (g + 1) / 2
    w_u = w_g * np.exp(-(u**2) / 2 + low[:, None] ** 2 / 2)
    w_u /= w_u.sum(axis=1, keepdims=True)
    beside = np.sqrt(q - s**2 / q_r - (T - s) ** 2 / left)
    h = (s / np.sqrt(q_r) * Z)[:, None, None] + ((T - s) / np.sqrt(left)) * u[:, :, None] + beside * y
    one, other = r_r / np.sqrt(q_r), (r - s * r_r / q_r) / beside
    sees = 2 * ndtr((one * Z[:, None] + other * y) / np.sqrt(1 + DELTA - one**2 - other**2))
    log_mass = log_ndtr((h - KAPPA) / np.sqrt(q_d - q))
    return float(pairing + prior + ALPHA * np.einsum("z,zu,y,zy,zuy->", W, w_u, w_y, sees, log_mass))


@pytest.mark.parametrize("teacher", [False, True])
def test_references_of_the_largest_margin_of_weights_with_zeros_have_no_entropy(teacher: bool) -> None:
    rule = {"weights": "gaussian", "label": "sign(u + sqrt(Delta)*noise)"} if teacher else None
    model = declare(
        "largest",
        weights={"values": [-1, 0, 1]},
        teacher=rule,
        scheme="franz-parisi",
        ansatz={"kappa_ref": "max"},
        alpha=ALPHA,
        kappa=KAPPA,
        t=T,
        **({"Delta": DELTA} if teacher else {}),
    )
    solution = model.solve()
    assert solution.converged
    state = {"r": 0.0, "r_hat": 0.0} | {k: float(v) for k, v in solution.order_parameters.items()}
    reference = largest_margin(teacher=teacher)
    names = ["q_ref", "q_d_ref", *(["r_ref"] if teacher else [])]
    assert [state[name] for name in names] == pytest.approx(list(reference[: len(names)]), abs=1e-7)
    assert state["kappa_ref"] == pytest.approx(reference[-1], abs=1e-8)
    order = ("q", "s", "q_d", "r", "q_hat", "s_hat", "t_hat", "q_d_hat", "r_hat")
    probe = np.array([state[name] for name in order])
    assert float(solution.free_entropy) == pytest.approx(potential(reference, probe), abs=1e-7)
    kept = [k for k, name in enumerate(order) if teacher or not name.startswith("r")]
    step = 2e-4
    slopes = []
    for k in kept:
        ends = [probe.copy(), probe.copy()]
        ends[0][k] -= step
        ends[1][k] += step
        slopes.append((potential(reference, ends[1]) - potential(reference, ends[0])) / (2 * step))
    assert np.max(np.abs(slopes)) < 1e-5


LARGEST = "the largest margin is that at which the references' entropy vanishes: "
CURE = "; give the margin of the reference by --set kappa_ref=NUMBER, without kappa_ref in the ansatz"


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"weights": "spherical"}, "the weights are not counted, so that their entropy has no meaning of its own"),
        (
            {"loss": {"energy": "max(0, kappa - y*h)", "temperature": 0.5}},
            "the references have an energy: no margin is the largest at a temperature",
        ),
        (
            {"loss": {"constraint": "y*h >= kappa and y*h <= kappa + 1"}},
            "the references' constraint has more than one threshold",
        ),
    ],
)
def test_where_there_is_no_largest_margin_the_reason_is_named(entries: dict[str, Any], reason: str) -> None:
    with pytest.raises(SpecError) as caught:
        declare(
            "largest", scheme="franz-parisi", ansatz={"kappa_ref": "max"}, alpha=0.5, kappa=0.0, t=0.7, **entries
        ).solve()
    assert LARGEST + reason + CURE in str(caught.value)


WEIGHED = [
    ([-1, 0, 1], ["rho/2", "1-rho", "rho/2"], [0.3, 0.4, 0.3]),
    ([-1, 1], ["rho/2", "1-rho/2"], [0.3, 0.7]),
    ([-1, 2, 3], [0.5, "rho/2", "0.5-rho/2"], [0.5, 0.3, 0.2]),
]


@pytest.mark.parametrize(("values", "probabilities", "masses"), WEIGHED)
def test_the_largest_margin_of_weights_with_probabilities_is_where_their_configurations_end(
    values: list[float], probabilities: list[float | str], masses: list[float]
) -> None:
    """The entropy by sums over grids: phi less the mean of log P over the tilted weights."""
    weights = {"values": values, "probabilities": probabilities}
    model = declare(
        "weighed", scheme="franz-parisi", ansatz={"kappa_ref": "max"}, weights=weights, alpha=0.5, kappa=0.0, rho=0.6
    )
    square = float(np.mean(np.square(values)))
    state = model.solve(t=0.4 * square).states[0]
    assert state.converged
    at = state.order_parameters
    q, q_d = at["q_ref"], at.get("q_d_ref", square)
    q_hat, v = at["q_ref_hat"], at.get("q_d_ref_hat", 0.0) - at["q_ref_hat"]
    p = np.array(masses)
    w, z = np.array(values, dtype=float), np.linspace(-10.0, 10.0, 4001)
    normal = np.exp(-z * z / 2) / np.exp(-z * z / 2).sum()
    logs = np.log(p) + np.sqrt(q_hat) * z[:, None] * w + v * w * w / 2
    log_z = logsumexp(logs, axis=1)
    mean = normal @ (np.exp(logs - log_z[:, None]) @ np.log(p))
    field = (at["kappa_ref"] - np.sqrt(q) * z) / np.sqrt(q_d - q)
    entropy = q * q_hat / 2 - q_d * at.get("q_d_ref_hat", 0.0) / 2 + normal @ log_z + 0.5 * normal @ log_ndtr(-field) - mean
    assert entropy == pytest.approx(0.0, abs=1e-9)
    module = model.solver()
    x = np.array([[at[name] for name in module.ORDER_PARAMETERS]])
    point = np.array([[state.parameters[name] for name in module.PARAMETERS]])
    last = module.jacobian(x, point)[0, -1]
    for j in range(x.shape[1]):
        step = 1e-5 * max(1.0, abs(x[0, j])) * np.eye(x.shape[1])[j]
        slope = (module.residual(x + step, point) - module.residual(x - step, point))[0, -1] / (2 * step[j])
        assert last[j] == pytest.approx(slope, abs=1e-6)
