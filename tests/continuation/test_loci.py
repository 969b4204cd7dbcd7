"""Loci, crossings, branch switching, deflation and checkpoints of the engine alone."""

from __future__ import annotations

import numpy as np
import pytest
from problems import curie_weiss_spinodal, cusp_form

from spinodal.numeric import CheckpointError, Settings, continue_branch
from spinodal.numeric.continuation import continue_locus
from spinodal.numeric.continuation.crossing import CrossingProblem, crossings, follow_crossing, locate_crossing
from spinodal.numeric.continuation.deflation import all_roots
from spinodal.numeric.continuation.problem import Problem
from spinodal.numeric.continuation.switching import switch_branches


def two_parameter_curie_weiss(m, h, beta):
    return m - np.tanh(beta * (m + h))


def potential(x, h, beta):
    """Variational free entropy of the Curie-Weiss model: -beta m^2/2 + log 2cosh(beta (m + h))."""
    return float(-beta * x[0] ** 2 / 2 + np.logaddexp(beta * (x[0] + h), -beta * (x[0] + h)))


def test_the_fold_curve_of_the_normal_form_passes_its_cusp_once():
    branch = continue_locus(lambda x, mu, lam: mu + lam * x - x**3, [1.0], -2.0, 3.0, bounds=(-1.0, 5.0))
    (cusp,) = branch.special_points
    assert cusp.kind == "cusp"
    assert abs(cusp.p) < 1e-9
    assert abs(cusp.order_parameters["x0"]) < 1e-9
    exact = 2.0 * (np.maximum(branch.p, 0.0) / 3.0) ** 1.5
    assert np.max(np.abs(np.abs(branch["p"]) - exact)) < 1e-10


def test_the_curie_weiss_cusp_is_the_critical_point():
    beta = 1.7
    start = np.sqrt(1.0 - 1.0 / beta)
    branch = continue_locus(
        two_parameter_curie_weiss, [start], -curie_weiss_spinodal(beta), beta, bounds=(0.5, 3.0), parameters=("h", "beta")
    )
    (cusp,) = branch.special_points
    assert cusp.kind == "cusp"
    assert abs(cusp.parameters["beta"] - 1.0) < 1e-9
    assert abs(cusp.order_parameters["h"]) < 1e-9
    assert abs(cusp.parameters["beta"] - 1.0) <= cusp.error_estimate + 1e-14


def test_a_cusp_is_found_whichever_of_the_parameters_is_varied():
    """Along beta over h the fold curve of Curie-Weiss turns back in beta alone: h goes on through the critical point."""
    beta = 1.7
    start = np.sqrt(1.0 - 1.0 / beta)
    branch = continue_locus(
        lambda m, beta, h: m - np.tanh(beta * (m + h)), [start], beta, -curie_weiss_spinodal(beta), bounds=(-0.3, 0.3),
        parameters=("beta", "h"),
    )  # fmt: skip
    (cusp,) = branch.special_points
    assert cusp.kind == "cusp"
    assert abs(cusp.parameters["h"]) <= cusp.error_estimate
    assert abs(cusp.order_parameters["beta"] - 1.0) < 1e-9


def test_a_locus_of_branch_points_keeps_to_the_symmetry():
    branch = continue_locus(
        lambda x, p, q: (p - np.sin(q)) * x - x**3, [0.0], 0.0, 0.0, of="branch-point", bounds=(-2.0, 2.0)
    )
    assert np.max(np.abs(branch["p"] - np.sin(branch.p))) < 1e-12


def test_the_birth_of_an_isola_is_no_cusp():
    branch = continue_locus(lambda x, p, q: x**2 + p**2 - q, [0.0], 1.0, 1.0, bounds=(-1.0, 2.0))
    assert [point.kind for point in branch.special_points] == ["branch-point"]
    assert abs(branch.special_points[0].p) < 1e-10


def test_a_locus_of_zeros_of_an_observable():
    branch = continue_locus(
        lambda x, p, q: x - p**2 - q, [0.5], 0.5, 0.25, of="zero", observable=lambda x, p, q: x[0] - 0.5, bounds=(0.0, 0.4)
    )
    assert np.max(np.abs(branch["p"] ** 2 + branch.p - 0.5)) < 1e-12


def test_branches_switched_to_at_a_pitchfork_are_its_two_sides():
    def function(x, p):
        return p * x - x**3

    branch = continue_branch(function, [0.0], -1.0, bounds=(-1.0, 1.0))
    known = branch.tangents[int(branch.positions[0])]
    sides = switch_branches(Problem(function), branch.special_points[0], known, bounds=(-1.0, 1.0))
    assert sorted(float(side.x[-1, 0]) for side in sides) == pytest.approx([-1.0, 1.0])


def test_branches_switched_to_at_a_transcritical_point_go_through_it():
    def function(x, p):
        return p * x - x**2

    branch = continue_branch(function, [0.0], -1.0, bounds=(-1.0, 1.0))
    known = branch.tangents[int(branch.positions[0])]
    sides = switch_branches(Problem(function), branch.special_points[0], known, bounds=(-1.0, 1.0))
    assert sorted(float(side.p[-1]) for side in sides) == pytest.approx([-1.0, 1.0])
    assert all(np.allclose(side.x[:, 0], side.p) for side in sides)


def test_deflation_finds_every_root_once():
    problem = Problem(lambda x, p: np.array([x[0] ** 3 - x[0], x[1] ** 2 - p]))
    roots = all_roots(problem, [np.array([0.3, 0.3])], 4.0)
    found = sorted(tuple(np.round(root, 9) + 0.0) for root in roots)
    assert found == sorted((a, b) for a in (-1.0, 0.0, 1.0) for b in (-2.0, 2.0))


def test_a_folded_branch_crosses_itself_where_the_potentials_are_equal():
    beta = 1.5
    problem = Problem(lambda m, h: two_parameter_curie_weiss(m, h, beta))
    branch = continue_branch(
        lambda m, h: two_parameter_curie_weiss(m, h, beta), [0.95], 0.3, bounds=(-0.3, 0.3), settings=Settings(flow="-F")
    )
    values = np.array([potential(x, p, beta) for x, p in zip(branch.x, branch.p, strict=True)])
    (point,) = crossings(problem, lambda x, h: potential(x, h, beta), [branch], [values])
    assert abs(point.u[-1]) <= point.error
    assert point.error < 1e-12


def test_the_line_of_transitions_ends_where_the_states_merge():
    base = Problem(two_parameter_curie_weiss, parameters=2)
    m = 0.8585597
    doubled = CrossingProblem(Problem(lambda x, h: two_parameter_curie_weiss(x, h, 1.5)), lambda x, h: potential(x, h, 1.5))
    point = locate_crossing(doubled, np.array([m]), np.array([-m]), 0.01)
    line = follow_crossing(base, potential, point.u[:1], point.u[1:2], 0.0, 1.5, bounds=(0.5, 3.0))
    assert np.max(np.abs(line["p"])) < 1e-12
    assert min(line.p) == pytest.approx(1.0, abs=1e-3)
    assert "distance" in line.stop_reason


class Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [1, 7, 40, 90])
def test_a_run_killed_at_any_moment_resumes_to_the_same_branch(tmp_path, after, monkeypatch):
    monkeypatch.setattr("spinodal.numeric.continuation.checkpoint._SECONDS_BETWEEN_WRITES", 0.0)
    arguments = {"bounds": (-6.0, 6.0), "settings": Settings(largest_step=0.03)}
    whole = continue_branch(cusp_form(1.0), [-2.0], -6.0, **arguments)

    def kill(count):
        if count > after:
            raise Killed

    file = tmp_path / "state"
    with pytest.raises(Killed):
        continue_branch(cusp_form(1.0), [-2.0], -6.0, checkpoint=file, progress=kill, **arguments)
    resumed = continue_branch(cusp_form(1.0), [-2.0], -6.0, checkpoint=file, **arguments)
    assert np.array_equal(whole.x, resumed.x)
    assert np.array_equal(whole.p, resumed.p)
    assert repr(whole.special_points) == repr(resumed.special_points)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    file = tmp_path / "state"
    continue_branch(lambda x, p: x - p, [0.0], 0.0, bounds=(0.0, 1.0), checkpoint=file)
    with pytest.raises(CheckpointError, match="another run"):
        continue_branch(lambda x, p: x - p, [0.0], 0.0, bounds=(0.0, 2.0), checkpoint=file)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    file = tmp_path / "state"
    file.write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match="damaged"):
        continue_branch(lambda x, p: x - p, [0.0], 0.0, bounds=(0.0, 1.0), checkpoint=file)


def test_the_tricritical_point_of_the_blume_capel_model():
    """Spinodals of m = 2 sinh(m/T) / (2 cosh(m/T) + exp(D/T)) meet their mirror image at T = 1/3, D = (2/3) log 2."""

    def function(m, d, t):
        return m - 2.0 * np.sinh(m / t) / (2.0 * np.cosh(m / t) + np.exp(d / t))

    branch = continue_locus(function, [0.75], 0.477, 0.25, bounds={"q": (0.2, 0.5), "p": (0.2, 1.0)})
    (point,) = [special for special in branch.special_points if abs(special.p - 1.0 / 3.0) < 1e-3]
    assert point.kind == "branch-point"
    assert abs(point.p - 1.0 / 3.0) <= point.error_estimate
    assert point.order_parameters["p"] == pytest.approx(2.0 / 3.0 * np.log(2.0), abs=1e-7)
