"""Priors with several modes, narrow or far ones among them, against scipy's quadrature and closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import spinodal
from spinodal import SpecError

_STUDENT = """
format = 1
[student]
weights = {{ density = "{density}" }}
[loss]
constraint = "y*h >= 0"
[parameters]
alpha = 0.5
"""
_TWO = "0.5*exp(-(w-c)**2*a)/sqrt(pi/a) + 0.5*exp(-(w+c)**2*a)/sqrt(pi/a)"


def _model(tmp_path: Path, text: str) -> spinodal.Model:
    path = tmp_path / "model.toml"
    path.write_text(text)
    return spinodal.load(path)


@pytest.mark.parametrize(
    ("density", "second"),
    [
        ("0.5*exp(-w**2/2)/sqrt(2*pi) + 0.5*exp(-(w-3)**2*200)/sqrt(pi/200)", 0.5 + 0.5 * (9 + 1 / 400)),
        ("0.9*exp(-w**2/2)/sqrt(2*pi) + 0.1*exp(-(w-4)**2*200)/sqrt(pi/200)", 0.9 + 0.1 * (16 + 1 / 400)),
        ("0.5*exp(-w**2/2)/sqrt(2*pi) + 0.5*exp(-(w-5)**2*10)/sqrt(pi/10)", 0.5 + 0.5 * (25 + 1 / 20)),
        ("0.3*exp(-50*w**2 + 200*w - 200)/sqrt(pi/50) + 0.7*exp(-(w+1)**2/2)/sqrt(2*pi)", 0.3 * (4 + 0.01) + 0.7 * 2),
    ],
)
def test_a_normalised_density_has_no_free_entropy_without_patterns(tmp_path: Path, density: str, second: float) -> None:
    state = _model(tmp_path, _STUDENT.format(density=density)).solve(alpha=0.0)
    assert state.converged
    assert state.free_entropy == pytest.approx(0.0, abs=1e-12)
    assert state["q_d"] == pytest.approx(second, rel=1e-12)


@pytest.mark.parametrize(("c", "a"), [(2, 20), (3, 20), (2, 2000)])
def test_modes_are_found_wherever_parameters_put_them(tmp_path: Path, c: float, a: float) -> None:
    """phi(alpha) <= 0, and the state solves q = E <w>^2, q_d = E <w^2> by scipy's quadrature."""
    model = _model(tmp_path, _STUDENT.format(density=_TWO) + "c = 1\na = 2\n")
    state = model.solve(alpha=0.3, c=c, a=a)
    assert state.converged
    assert state.free_entropy < 0.0
    v, q_hat = state["q_d_hat"] - state["q_hat"], state["q_hat"]

    def moment(field: float, power: int) -> float:
        def integrand(w: float) -> float:
            logs = [-a * (w - s * c) ** 2 + field * w + v * w * w / 2 for s in (-1, 1)]
            return float(w**power * np.exp(logs).sum())

        reach = 12 / np.sqrt(2 * a)
        return float(sum(quad(integrand, s * c - reach, s * c + reach, points=[s * c], limit=200)[0] for s in (-1, 1)))

    def averaged(f: object) -> float:
        assert callable(f)
        gauss = quad(lambda z: np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * f(np.sqrt(q_hat) * z), -9, 9, epsabs=1e-11)
        return float(gauss[0])

    assert averaged(lambda h: (moment(h, 1) / moment(h, 0)) ** 2) == pytest.approx(state["q"], abs=1e-8)
    assert averaged(lambda h: moment(h, 2) / moment(h, 0)) == pytest.approx(state["q_d"], abs=1e-8)


def test_a_teachers_narrow_modes_agree_with_quadrature(tmp_path: Path) -> None:
    text = """
format = 1
[student]
weights = "binary"
[teacher]
weights = { density = "0.5*exp(-w**2/2)/sqrt(2*pi) + 0.5*exp(-(w-3)**2*2000)/sqrt(pi/2000)" }
label = "sign(u)"
[loss]
constraint = "y*h >= 0"
[parameters]
alpha = 0.6
"""
    state = _model(tmp_path, text).solve()
    assert state.converged
    rms, q_hat, r_hat = np.sqrt(0.5 + 0.5 * (9 + 1 / 4000)), state["q_hat"], state["r_hat"]

    def response(w: float) -> float:
        def integrand(z: float) -> float:
            return float(np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * np.tanh(np.sqrt(q_hat) * z + r_hat * w / rms))

        return float(w / rms * quad(integrand, -9, 9)[0])

    wide = quad(lambda w: np.exp(-w * w / 2) / np.sqrt(2 * np.pi) * response(w), -9, 9)[0]
    sd = 1 / np.sqrt(4000)
    narrow = quad(lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * response(3 + sd * x), -9, 9)[0]
    assert 0.5 * wide + 0.5 * narrow == pytest.approx(state["r"], abs=1e-9)


def test_modes_that_no_node_sees_are_refused_with_the_mass_that_is_seen(tmp_path: Path) -> None:
    """A quintic with a parameter has no roots in closed form; its root at b = 3 is a mode of width 5e-6."""
    b, a = 3.0, 1e8
    root = float(np.roots([1, 0, 0, 0, -1, -b]).real[np.abs(np.roots([1, 0, 0, 0, -1, -b]).imag) < 1e-9][0])
    width = 1 / (np.sqrt(2 * a) * (5 * root**4 - 1))
    mass = quad(lambda x: width * np.exp(-a * ((root + width * x) ** 5 - (root + width * x) - b) ** 2), -12, 12)[0]
    density = f"0.5*exp(-w**2/2)/sqrt(2*pi) + 0.5*exp(-(w**5-w-b)**2*{a})/{mass!r}"
    model = _model(tmp_path, _STUDENT.format(density=density) + f"b = {b}\n")
    with pytest.raises(SpecError, match=r"not resolved: its nodes see a mass of 0\.5"):
        model.solve(alpha=0.3)


_TAUGHT = """
format = 1
[student]
weights = "{student}"
[teacher]
weights = {{ density = "{density}" }}
label = "sign(u)"
[loss]
constraint = "y*h >= 0"
[parameters]
alpha = 0.5
"""


def test_a_teachers_density_may_have_parameters(tmp_path: Path) -> None:
    """Only its shape matters: the teacher's weights are normalised."""
    fixed = _model(tmp_path, _TAUGHT.format(student="binary", density="exp(-abs(w))/2")).solve()
    free = _model(tmp_path, _TAUGHT.format(student="binary", density="a*exp(-abs(w)*a)/2") + "a = 1\n").solve(a=3.0)
    assert free.converged
    assert free.free_entropy == pytest.approx(fixed.free_entropy, abs=1e-12)
    assert free["r"] == pytest.approx(fixed["r"], abs=1e-10)


@pytest.mark.parametrize(
    ("density", "second"),
    [
        ("step(1 - abs(w))/2", 1 / 3),
        ("0.5*(step(w-1)*step(2-w) + step(w+7)*step(-6-w))", 0.5 * (7 / 3 + 127 / 3)),
        ("abs(w)**(-0.5)*exp(-abs(w))/(2*sqrt(pi))", 0.75),  # Gamma(5/2)/Gamma(1/2)
        ("0.5*exp(-20*(abs(w)-3)**2)/sqrt(pi/20)", 9 + 1 / 40),
    ],
)
def test_steps_and_poles_of_a_density_keep_their_mass(tmp_path: Path, density: str, second: float) -> None:
    state = _model(tmp_path, _STUDENT.format(density=density)).solve(alpha=0.0)
    assert state.converged
    assert state.free_entropy == pytest.approx(0.0, abs=1e-8)
    assert state["q_d"] == pytest.approx(second, rel=1e-8)


def test_a_teachers_single_mode_may_be_narrow_and_far(tmp_path: Path) -> None:
    """Its weights are normalised: of one narrow mode all have the same size."""
    far = _model(tmp_path, _TAUGHT.format(student="binary", density="exp(-(w-100)**2*5000)*100/sqrt(2*pi)")).solve()
    same = tmp_path / "same.toml"
    same.write_text(
        _TAUGHT.format(student="binary", density="0").replace(
            '{ density = "0" }', "{ values = [1, 2], probabilities = [1, 0] }"
        )
    )
    assert far.converged
    assert far.free_entropy == pytest.approx(spinodal.load(same).solve().free_entropy, abs=1e-6)


def test_a_double_well_of_student_and_teacher_solves_its_equations(tmp_path: Path) -> None:
    """Of the optimal student by sums over grids: q = E <w>^2 over teacher and field, q_hat of the sign channel."""
    density = "exp(-2*(w**2-1)**2)/1.410914703"
    text = _STUDENT.format(density=density).replace(
        "[loss]", f'[teacher]\nweights = {{ density = "{density}" }}\nlabel = "sign(u)"\n[loss]'
    )
    path = tmp_path / "model.toml"
    path.write_text(text)
    state = spinodal.load(path, ansatz="bayes-optimal").solve(alpha=0.7)
    assert state.converged
    q, q_hat = state["q"], state["q_hat"]
    w = np.linspace(-3.5, 3.5, 701)
    p = np.exp(-2 * (w**2 - 1) ** 2)
    p /= p.sum()
    unit = w / np.sqrt((p * w * w).sum())
    z = np.linspace(-9.0, 9.0, 601)
    gauss = np.exp(-z * z / 2) / np.exp(-z * z / 2).sum()
    field = q_hat * unit[:, None] + np.sqrt(q_hat) * z
    tilted = p * np.exp(field[..., None] * unit - q_hat * unit**2 / 2)
    mean = (tilted @ unit) / tilted.sum(-1)
    assert q == pytest.approx(p @ (mean**2 @ gauss), rel=1e-9)

    def channel(t: float) -> float:
        x = np.sqrt(q / (1 - q)) * t
        return float(norm.pdf(t) * norm.pdf(x) ** 2 / norm.sf(x))

    assert q_hat == pytest.approx(2 * 0.7 / (1 - q) * quad(channel, -12, 12, epsabs=1e-14)[0], rel=1e-9)
