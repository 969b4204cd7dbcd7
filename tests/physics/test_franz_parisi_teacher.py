"""Franz-Parisi with a teacher, on direct and on random features: identities, limits, and the output channel."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from direct import log_h
from scipy.special import log_ndtr, ndtri_exp

import spinodal
from spinodal.model import Model


@lru_cache
def model(name: str) -> Model:
    return spinodal.load(name, ansatz="franz-parisi")


def test_the_teacher_is_one_more_typical_solution() -> None:
    # Nishimori: at margin 0 references are drawn as the teacher is; the overlaps with either are the same, at any t
    for t in (0.5, 0.8):
        state = model("binary-teacher-student").solve(alpha=0.5, kappa_ref=0.0, t=t).order_parameters
        for probe, teacher in (("s", "r"), ("s_hat", "r_hat"), ("q_ref", "r_ref")):
            assert float(state[probe]) == pytest.approx(float(state[teacher]), abs=1e-9)


@pytest.mark.parametrize("name", ["binary-teacher-student", "random-features-binary"])
def test_at_the_typical_overlap_the_probe_is_one_more_typical_solution(name: str) -> None:
    point = {"alpha": 0.5} | ({"alpha_T": 3.0} if name.startswith("random") else {})
    typical = spinodal.load(name).solve(**point)
    t = float(typical.order_parameters["q"])
    solution = model(name).solve(**point, kappa_ref=0.0, t=t)
    assert solution.converged
    assert float(solution.free_entropy) == pytest.approx(float(typical.free_entropy), abs=1e-9)
    replicon = float(typical.observables["replicon"])
    assert float(solution.observables["replicon"]) == pytest.approx(replicon, abs=1e-7)
    assert float(solution.observables["replicon_ref"]) == pytest.approx(replicon, abs=1e-9)
    for known in typical.order_parameters:
        assert float(solution.order_parameters[known]) == pytest.approx(float(typical.order_parameters[known]), abs=1e-6)
        name_ref = known.replace("_hat", "_ref_hat") if known.endswith("_hat") else f"{known}_ref"
        assert float(solution.order_parameters[name_ref]) == pytest.approx(float(typical.order_parameters[known]), abs=1e-6)


def test_few_patterns_per_input_are_random_labels() -> None:
    # alpha_T -> 0: nothing can be learnt, and the fields' variance is kappa_1^2 + kappa_*^2 = 1
    solution = model("random-features-binary").solve(alpha=0.5, alpha_T=[4e-3, 2e-3], kappa_ref=0.0, t=0.9)
    one, two = np.asarray(solution.free_entropy)
    assert 2 * two - one == pytest.approx(0.08652617, abs=2e-6)


def test_slope_is_the_derivative_of_the_local_entropy() -> None:
    t, h = 0.75, 4e-3
    solution = model("random-features-binary").solve(
        alpha=0.7, alpha_T=3.0, kappa_ref=0.1, t=np.array([t - h, t - h / 2, t, t + h / 2, t + h])
    )
    phi = np.asarray(solution.free_entropy)
    expected = (4 * (phi[3] - phi[1]) / h - (phi[4] - phi[0]) / (2 * h)) / 3
    assert float(np.asarray(solution.observables["slope"])[2]) == pytest.approx(expected, abs=1e-7)


STATE = {"q_ref": 0.45, "r_ref": 0.4, "q": 0.6, "s": 0.4, "r": 0.45, "t": 0.6}
HATS = {"q_ref_hat": 0.9, "r_ref_hat": 0.7, "q_hat": 0.7, "s_hat": 0.5, "t_hat": 0.8, "r_hat": 0.4}
POINT = {"kappa": 0.1, "kappa_ref": 0.25}


def sampled_output() -> float:
    """The average of log H((kappa - h)/sqrt(1 - q)) over omega, u > 0, H > kappa_ref and y, each Gaussian in its turn."""
    s = STATE
    z = np.linspace(-8.0, 8.0, 61)
    wz = np.exp(-(z**2) / 2)
    wz /= wz.sum()
    v, wv = np.polynomial.legendre.leggauss(48)
    v, wv = (v + 1) / 2, wv / 2
    power = 5
    mass, log_v = power * v ** (power - 1) * wv, power * np.log(v)
    omega = np.sqrt(s["q_ref"]) * z
    sigma_u = np.sqrt(1 - s["r_ref"] ** 2 / s["q_ref"])
    sigma_r = np.sqrt(1 - s["q_ref"])
    edge_u = -s["r_ref"] / s["q_ref"] * omega / sigma_u
    edge_r = (POINT["kappa_ref"] - omega) / sigma_r
    # standard normals beyond an edge x: z = -H^-1, with mass v^power H(x) above
    z_u = -ndtri_exp(log_ndtr(-edge_u)[:, None] + log_v)[:, :, None, None]
    z_r = -ndtri_exp(log_ndtr(-edge_r)[:, None] + log_v)[:, None, :, None]
    with_u = (s["r"] - s["s"] * s["r_ref"] / s["q_ref"]) / sigma_u
    with_r = (s["t"] - s["s"]) / sigma_r
    rest = np.sqrt(s["q"] - s["s"] ** 2 / s["q_ref"] - with_u**2 - with_r**2)
    h = (s["s"] / s["q_ref"] * omega)[:, None, None, None] + with_u * z_u + with_r * z_r + rest * z[None, None, None, :]
    values = log_h((POINT["kappa"] - h) / np.sqrt(1 - s["q"])) @ wz
    inner = np.einsum("ouv,u,v->o", values, mass, mass)
    return float(2 * np.sum(wz * np.exp(log_ndtr(-edge_u)) * inner))


def arrays(alpha: float) -> tuple[np.ndarray, np.ndarray]:
    module = model("binary-teacher-student").solver()
    given = {**STATE, **HATS, **POINT, "alpha": alpha}
    return np.array([[given[k] for k in module.ORDER_PARAMETERS]]), np.array([[given[k] for k in module.PARAMETERS]])


def test_output_channel_in_four_dimensions() -> None:
    module = model("binary-teacher-student").solver()
    one, two = (float(module.free_entropy(*arrays(alpha))[0]) for alpha in (1.0, 2.0))
    assert two - one == pytest.approx(sampled_output(), abs=1e-7)


def test_equations_and_jacobian_are_derivatives() -> None:
    module = model("binary-teacher-student").solver()
    names = list(module.ORDER_PARAMETERS)
    x, p = arrays(0.7)
    residual, jacobian = (part[0] for part in module.residual_and_jacobian(x, p))

    def central(function: Any, j: int) -> Any:
        def slope(h: float) -> Any:
            up, down = x.copy(), x.copy()
            up[0, j] += h
            down[0, j] -= h
            return (function(up) - function(down)) / (2 * h)

        return (4 * slope(1e-3) - slope(2e-3)) / 3

    phi = lambda y: float(module.free_entropy(y, p)[0])  # noqa: E731
    for name, partner, factor in (("q", "q_hat", 0.5), ("s", "s_hat", 1.0), ("r", "r_hat", -1.0), ("r_hat", "r", -1.0)):
        assert factor * residual[names.index(partner)] == pytest.approx(central(phi, names.index(name)), abs=1e-8), name
    for j, name in enumerate(names):
        assert jacobian[:, j] == pytest.approx(central(lambda y: module.residual(y, p)[0], j), abs=3e-7), name
