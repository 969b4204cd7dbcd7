"""The engine alone, on problems whose special points are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import BRATU_FOLD, bratu, curie_weiss, curie_weiss_spinodal, cusp_form

from spinodal.numeric import NoBranchError, Settings, continue_branch


def kinds(branch):
    return [point.kind for point in branch.special_points]


def test_bratu_fold_to_eleven_digits_with_an_honest_estimate():
    function, n = bratu(24)
    branch = continue_branch(function, np.zeros(n), 0.0, bounds={"p": (0.0, 4.0), n // 2: (-1.0, 8.0)})
    assert kinds(branch) == ["fold"]
    (fold,) = branch.special_points
    assert abs(fold.p - BRATU_FOLD) < 1e-11
    assert abs(fold.p - BRATU_FOLD) <= fold.error_estimate
    assert fold.converged


def test_a_branch_of_two_hundred_points_costs_at_most_four_evaluations_each():
    function, n = bratu(16)
    steps = Settings(largest_step=0.02)
    branch = continue_branch(function, np.zeros(n), 0.0, bounds={"p": (0.0, 4.0), n // 2: (-1.0, 8.0)}, settings=steps)
    assert len(branch) > 200
    assert branch.evaluations <= 4 * len(branch)


@given(st.floats(0.05, 20.0))
@settings(max_examples=15, deadline=None)
def test_folds_of_the_cusp_normal_form(lam):
    exact = 2.0 * (lam / 3.0) ** 1.5
    x0 = -2.0 * np.sqrt(lam)
    mu0 = x0**3 - lam * x0
    branch = continue_branch(cusp_form(lam), [x0], mu0, bounds=(-abs(mu0) - 1.0, abs(mu0) + 1.0))
    assert kinds(branch) == ["fold", "fold"]
    for fold, sign in zip(branch.special_points, (1.0, -1.0), strict=True):
        assert abs(fold.p - sign * exact) <= 1e-13 * (1.0 + exact)
        assert abs(fold.p - sign * exact) <= fold.error_estimate + 4e-16 * exact


@pytest.mark.parametrize("beta", [1.01, 1.5, 3.0])
def test_spinodal_fields_of_the_curie_weiss_model(beta):
    flow = Settings(flow="-F")
    field = curie_weiss_spinodal(beta)
    branch = continue_branch(curie_weiss(beta), [0.99], 0.5, bounds=(-0.5 - field, 0.5 + field), settings=flow)
    assert kinds(branch) == ["fold", "fold"]
    for fold in branch.special_points:
        assert abs(abs(fold.p) - field) <= max(fold.error_estimate, 1e-15)
    unstable = ~branch.stable
    assert np.all(np.abs(branch.x[unstable, 0]) < np.sqrt(1.0 - 1.0 / beta) + 1e-12)


def test_a_pitchfork_is_a_branch_point_from_the_symmetric_side():
    branch = continue_branch(lambda x, p: p * x - x**3, [0.0], -1.0, bounds=(-1.0, 1.0))
    assert kinds(branch) == ["branch-point"]
    assert abs(branch.special_points[0].p) <= max(branch.special_points[0].error_estimate, 1e-15)


def test_a_pitchfork_is_one_branch_point_and_no_fold_from_the_side_branch():
    branch = continue_branch(lambda x, p: p * x - x**3, [1.0], 1.0, bounds=(-1.0, 1.0))
    assert kinds(branch) == ["branch-point"]
    assert abs(branch.special_points[0].p) < 1e-12
    assert branch.x[0, 0] * branch.x[-1, 0] == pytest.approx(-1.0)


def test_a_transcritical_point_is_a_branch_point():
    branch = continue_branch(lambda x, p: p * x - x**2, [0.0], -1.0, bounds=(-1.0, 1.0))
    assert kinds(branch) == ["branch-point"]


@pytest.mark.parametrize("imperfection", [1e-2, 1e-4, 1e-6, 1e-8])
def test_an_imperfect_pitchfork_has_a_fold_and_no_branch_point(imperfection):
    branch = continue_branch(lambda x, p: imperfection + p * x - x**3, [-1.0], 1.0, bounds=(-1.0, 1.0))
    assert kinds(branch) == ["fold"]
    exact = (27.0 / 4.0 * imperfection**2) ** (1.0 / 3.0)
    assert branch.special_points[0].p == pytest.approx(exact, rel=1e-12)


def test_branches_that_meet_with_a_kernel_of_two_dimensions_are_found():
    def function(x, p):
        return np.array([p * x[0] - x[0] ** 3 - 2 * x[0] * x[1] ** 2, p * x[1] - x[1] ** 3 - 2 * x[1] * x[0] ** 2])

    branch = continue_branch(function, [0.0, 0.0], -1.0, bounds=(-1.0, 1.0))
    assert kinds(branch) == ["branch-point"]
    assert abs(branch.special_points[0].p) < 1e-12


@pytest.mark.parametrize("start", [(1.0, 0.2), (0.0, 0.7), (0.0, -0.3)])
def test_an_isola_is_traversed_once(start):
    branch = continue_branch(lambda x, p: x**2 + 4.0 * (p - 0.2) ** 2 - 1.0, [start[0]], start[1])
    assert branch.closed
    assert branch.stop_reason == "closed loop"
    assert sorted(point.p for point in branch.special_points) == pytest.approx([-0.3, 0.7], abs=1e-13)
    turned = np.unwrap(np.arctan2(branch.x[:, 0], 2.0 * (branch.p - 0.2)))
    assert abs(turned[-1] - turned[0]) == pytest.approx(2.0 * np.pi, abs=1e-6)


def test_a_start_on_a_fold_reports_it_and_follows_both_sides():
    branch = continue_branch(lambda x, p: p - x**2, [0.0], 0.0, bounds=(-1.0, 1.0))
    assert kinds(branch) == ["fold"]
    assert sorted([branch.x[0, 0], branch.x[-1, 0]]) == pytest.approx([-1.0, 1.0])


def test_a_start_beside_a_fold_takes_the_nearest_solution():
    branch = continue_branch(lambda x, p: p - x**2, [0.01], -0.01, bounds=(-1.0, 1.0))
    assert kinds(branch) == ["fold"]


def test_zeros_of_events_are_special_points_of_their_name():
    events = {"height": lambda x, p: x[0] - 0.25, "p-half": lambda x, p: p - 0.5}
    branch = continue_branch(lambda x, p: x - p**2, [0.01], 0.1, bounds=(0.0, 1.0), events=events)
    assert len(branch.special_points) == 2
    for point in branch.special_points:
        assert abs(point.p - 0.5) <= max(point.error_estimate, 1e-15)


def test_two_zeros_of_an_event_within_one_step_are_both_found():
    events = {"dip": lambda x, p: (p - 0.503) ** 2 - 1e-6}
    steps = Settings(largest_step=0.05, step=0.05)
    branch = continue_branch(lambda x, p: x - p, [0.0], 0.0, bounds=(0.0, 1.0), events=events, settings=steps)
    assert sorted(point.p for point in branch.special_points) == pytest.approx([0.502, 0.504], abs=1e-12)


def test_an_event_that_jumps_is_not_called_a_zero():
    events = {"jump": lambda x, p: 1.0 if p > 0.5 else -1.0}
    branch = continue_branch(lambda x, p: x - p, [0.0], 0.0, bounds=(0.0, 1.0), events=events)
    assert all(not point.converged for point in branch.special_points)


def test_bounds_on_a_component_end_the_branch_exactly_there():
    branch = continue_branch(lambda x, p: x - np.exp(p), [1.0], 0.0, bounds={"p": (0.0, 5.0), "x0": (0.0, 3.0)})
    assert branch.x[-1, 0] == pytest.approx(3.0, abs=1e-12)
    assert "x0 reached 3" in branch.stop_reason


def test_the_ends_of_the_parameter_range_are_reached_exactly():
    branch = continue_branch(lambda x, p: x - np.tanh(p), [0.0], 0.0, bounds=(-1.5, 2.5))
    assert branch.p[0] == -1.5
    assert branch.p[-1] == 2.5
    assert np.max(np.abs(branch.x[:, 0] - np.tanh(branch.p))) < 1e-12


@pytest.mark.parametrize("failure", ["raise", "nan"])
def test_a_function_that_fails_returns_the_branch_so_far_with_the_reason(failure):
    def function(x, p):
        if p > 0.5:
            if failure == "raise":
                raise RuntimeError("no further")
            return np.full_like(x, np.nan)
        return x - p

    branch = continue_branch(function, [0.0], 0.0, bounds=(0.0, 1.0))
    assert branch.p[-1] == pytest.approx(0.5, abs=1e-6)
    assert ("no further" if failure == "raise" else "not finite") in branch.stop_reason


def test_no_solution_at_the_start_is_said():
    with pytest.raises(NoBranchError, match="no solution at the start"):
        continue_branch(lambda x, p: x**2 + 1.0 + 0.0 * p, [0.5], 0.0)


@pytest.mark.parametrize(
    ("bounds", "message"), [((1.0, 0.0), "not below"), ((0.5, 1.0), "outside its bounds"), ({"z": (0.0, 1.0)}, "neither")]
)
def test_bounds_that_are_none_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        continue_branch(lambda x, p: x - p, [0.0], 0.0, bounds=bounds)


def test_it_stops_at_the_kinds_asked_for():
    branch = continue_branch(cusp_form(1.0), [-2.0], -6.0, settings=Settings(stop_at=("fold",), both_directions=False))
    assert kinds(branch) == ["fold"]
    assert "stopped" in branch.stop_reason


def test_a_given_wrong_shape_is_said():
    with pytest.raises(NoBranchError, match="shape"):
        continue_branch(lambda x, p: np.array([1.0, 2.0]), [0.0], 0.0)


def test_functions_that_take_no_complex_numbers_are_differentiated_otherwise():
    def function(x, p):
        return np.array([float(np.real(x[0])) - abs(float(np.real(p))) ** 3 - 0.1])

    branch = continue_branch(function, [0.225], 0.5, bounds=(0.2, 1.0))
    assert np.max(np.abs(branch.x[:, 0] - branch.p**3 - 0.1)) < 1e-11


def test_a_branch_becomes_a_dataset_and_a_figure(tmp_path):
    branch = continue_branch(cusp_form(1.0), [-2.0], -6.0, bounds=(-6.0, 6.0))
    dataset = branch.to_xarray()
    assert dataset.sizes == {"point": len(branch), "special_point": 2}
    branch.plot(tmp_path / "branch.png")
    assert (tmp_path / "branch.png").stat().st_size > 5000


def test_a_start_between_two_points_of_one_kind():
    branch = continue_branch(lambda x, p: p + x - x**3, [0.0], 0.0, bounds=(-1.0, 1.0))
    assert sorted(point.p for point in branch.special_points) == pytest.approx([-2.0 / 27.0**0.5, 2.0 / 27.0**0.5])


@pytest.mark.parametrize("width", [1e3, 1e5])
def test_wide_bounds_are_crossed_in_few_points(width):
    branch = continue_branch(lambda x, p: x * (p - width / 2), [0.0], 0.0, bounds=(0.0, width))
    assert kinds(branch) == ["branch-point"]
    assert len(branch) < 300
    assert branch.p[-1] == width


def test_a_large_isola_closes():
    branch = continue_branch(lambda x, p: x**2 + (p / 1e3) ** 2 - 1.0, [1.0], 0.0, bounds=(-2000.0, 2000.0))
    assert branch.closed
    assert sorted(point.p for point in branch.special_points) == pytest.approx([-1000.0, 1000.0], abs=1e-9)


def test_two_branch_points_within_one_step_are_both_found():
    one = continue_branch(lambda x, p: x * p * (p - 0.1) - x**3, [0.0], -1.0, bounds=(-1.0, 1.3))
    assert [point.p for point in one.special_points] == pytest.approx([0.0, 0.1], abs=1e-12)

    def function(x, p):
        return np.array([p * x[0] - x[0] ** 3 - 2 * x[0] * x[1] ** 2, (p - 0.1) * x[1] - x[1] ** 3 - 2 * x[1] * x[0] ** 2])

    two = continue_branch(function, [0.0, 0.0], -1.0, bounds=(-1.0, 1.3))
    assert [point.p for point in two.special_points] == pytest.approx([0.0, 0.1], abs=1e-12)


@pytest.mark.parametrize("states", [3, 4, 5])
def test_the_potts_branch_point_of_several_dimensions(states):
    """x_i = softmax(p x)_i - 1/q: the symmetric state loses stability at p = q in q - 1 directions at once."""

    def function(x, p):
        return x - (np.exp(p * x) / np.exp(p * x).sum() - 1.0 / states)

    branch = continue_branch(function, np.zeros(states), 1.0, bounds=(0.5, states + 2.0))
    (point,) = branch.special_points
    assert point.kind == "branch-point"
    assert abs(point.p - states) <= point.error_estimate


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_error_estimates_see_cancellation_inside_the_function(offset):
    fold = continue_branch(lambda x, p: (offset + x * x - p + 0.1) - offset, [1.0], 1.1, bounds=(-1.0, 2.0)).special_points[
        0
    ]
    assert abs(fold.p - 0.1) <= fold.error_estimate
    events = {"e": lambda x, p: float((x[0] - 0.1 + offset) - offset)}
    zero = continue_branch(lambda x, p: x - p, [0.0], 0.0, bounds=(-1.0, 2.0), events=events).special_points[0]
    assert abs(zero.p - 0.1) <= zero.error_estimate


def test_a_loose_tolerance_is_no_noise():
    branch = continue_branch(lambda x, p: x**2 - p, [1.0], 1.0, bounds=(-1.0, 2.0), settings=Settings(tolerance=1e-4))
    assert branch.p[0] == 2.0
    assert branch.p[-1] == 2.0


def test_a_wrong_jacobian_is_named():
    with pytest.raises(ValueError, match="jac disagrees with F"):
        continue_branch(lambda x, p: x**2 - p, [1.0], 1.0, jac=lambda x, p: np.array([[5.0 * x[0] + 1.0]]))


def test_events_that_say_nothing_are_remarked_upon():
    def broken(x, p):
        raise ZeroDivisionError

    events = {"broken": broken, "zero": lambda x, p: 0.0, "vector": lambda x, p: x - 0.3}
    branch = continue_branch(lambda x, p: x - p, [0.0], 0.0, bounds=(-1.0, 1.0), events=events)
    assert kinds(branch) == ["vector"]
    assert any("broken could not be evaluated" in remark for remark in branch.remarks)
    assert any("zero vanishes identically" in remark for remark in branch.remarks)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bounds": {3: (0.0, 1.0)}}, "neither"),
        ({"bounds": (0.0, 1.0, 2.0)}, "give"),
        ({"bounds": {0: (1.5, 3.0)}}, "outside the bounds of x0"),
        ({"names": ["a", "b"]}, "2 names for 1 unknowns"),
        ({"settings": Settings(stop_at=("fld",))}, "'fld' is no special point"),
        ({"settings": Settings(step=-0.1)}, "settings.step must be positive"),
        ({"settings": Settings(newton=0)}, "settings.newton"),
    ],
)
def test_arguments_that_cannot_be_meant(arguments, message):
    with pytest.raises(ValueError, match=message):
        continue_branch(lambda x, p: x - p, [0.0], 0.0, **arguments)


@pytest.mark.parametrize(("x_size", "p_size"), [(1e4, 1e-5), (1e-4, 1.0), (1e-4, 1e-5), (1e3, 1e3)])
def test_isolas_of_any_shape_have_two_folds(x_size, p_size):
    branch = continue_branch(
        lambda x, p: (x / x_size) ** 2 + (p / p_size) ** 2 - 1.0, [x_size], 0.0, bounds=(-3.0 * p_size, 3.0 * p_size)
    )
    assert branch.closed
    assert kinds(branch) == ["fold", "fold"]
    for point in branch.special_points:
        assert abs(abs(point.p) - p_size) <= point.error_estimate


@pytest.mark.parametrize("distance", [0.1, 0.01, 0.001])
def test_neighbouring_branch_points_of_one_equation(distance):
    branch = continue_branch(lambda x, p: x * p * (p - distance) - x**3, [0.0], -1.0, bounds=(-1.0, 1.3))
    assert [point.p for point in branch.special_points] == pytest.approx([0.0, distance], abs=1e-12)


@pytest.mark.parametrize("width", [1e-3, 1e-4, 1e-6, 1e-8])
def test_two_folds_that_have_hardly_separated_are_both_found(width):
    """For p = y^3 - w y, y = x - 0.1: folds at +-2 (w/3)^(3/2), nearer to each other than any step."""
    branch = continue_branch(
        lambda x, p: p - (x - 0.1) ** 3 + width * (x - 0.1), [-1.0], -(1.1**3) + 1.1 * width, bounds=(-1.5, 1.5)
    )
    assert kinds(branch) == ["fold", "fold"]
    for point, exact in zip(branch.special_points, (1.0, -1.0), strict=True):
        assert abs(point.p - exact * 2.0 * (width / 3.0) ** 1.5) <= point.error_estimate
        assert point.error_estimate < 1e-14


def test_a_point_of_inflection_is_no_pair_of_folds():
    assert not kinds(continue_branch(lambda x, p: p - x**3, [-1.0], -1.0, bounds=(-1.0, 1.0)))


@pytest.mark.parametrize("distance", [1e-2, 1e-4])
def test_branch_points_much_nearer_than_a_step_are_not_reported_twice(distance):
    branch = continue_branch(
        lambda x, p: np.array([p * x[0] - x[0] ** 3, (p - distance) * x[1] - x[1] ** 3]),
        [0.0, 0.0],
        -1.0,
        bounds=(-1.0, 1.0),
    )
    assert [point.p for point in branch.special_points] == pytest.approx([0.0, distance], abs=1e-14)


@pytest.mark.parametrize("function", [lambda x, p: x - np.log(p), lambda x, p: x - np.sqrt(0.5 - p)])
def test_f_can_be_evaluated_at_every_point_returned(function):
    branch = continue_branch(function, function(np.zeros(1), 0.4) * -1.0, 0.4, bounds=(-1.0, 1.0))
    assert all(np.isfinite(function(x, p)) for x, p in zip(branch.x, branch.p, strict=True))
    assert "F is not finite" in branch.stop_reason


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5, 1e7])
def test_a_branch_points_estimate_sees_cancellation_and_differences(offset):
    """Branches x = p and (x - p) exp(x) = p - 0.3 cross at p = 0.3; float() leaves only differences for derivatives."""

    def function(x, p):
        y = float(x[0])
        return np.array([(offset + (p - 0.3) * (y - p) - (y - p) ** 2 * np.exp(y)) - offset])

    (point,) = continue_branch(function, [-1.0], -1.0, bounds=(-1.0, 1.0)).special_points
    assert point.kind == "branch-point"
    assert abs(point.p - 0.3) <= point.error_estimate
    assert point.error_estimate <= 1e-10 + 1e-12 * offset


@pytest.mark.parametrize("size", [1e-5, 1e-8])
def test_unknowns_of_any_size_have_their_folds(size):
    branch = continue_branch(
        lambda x, p: p + x / size - (x / size) ** 3,
        [-2.0 * size],
        -6.0,
        bounds={"p": (-7.0, 7.0)},
        events={"x": lambda x, p: x[0]},
    )
    assert kinds(branch) == ["fold", "x", "fold"]
    for point in branch.of_kind("fold"):
        assert abs(abs(point.p) - 2.0 * 3.0**-1.5) <= point.error_estimate
        assert abs(abs(point.order_parameters["x0"]) / size - 3.0**-0.5) < 1e-6


@pytest.mark.parametrize("imperfection", [1e-8, 1e-9, 1e-10, 1e-11])
def test_an_imperfect_pitchfork_is_no_branch_point(imperfection: float) -> None:
    branch = continue_branch(lambda x, p: p * x - x**3 + imperfection, [1.0], 1.0 - imperfection, bounds=(-1.0, 1.5))
    assert not branch.special_points
    assert branch.p.min() == pytest.approx(-1.0)
    assert branch.x.min() > 0.0


@pytest.mark.parametrize("imperfection", [1e-8, 1e-10])
def test_an_imperfect_transcritical_point_is_two_folds(imperfection: float) -> None:
    start = (1.0 + np.sqrt(1.0 - 4.0 * imperfection)) / 2.0
    branch = continue_branch(lambda x, p: p * x - x**2 - imperfection, [start], 1.0, bounds=(-1.0, 1.5))
    (fold,) = branch.special_points
    assert fold.kind == "fold"
    assert fold.p == pytest.approx(2.0 * np.sqrt(imperfection), abs=1e-12)


@pytest.mark.parametrize(
    ("equations", "start"),
    [
        (lambda x, p: np.array([x[0] ** 2 + 1.0 + p * p]), [0.0]),
        (lambda x, p: np.array([x[0] + x[1] - p, 2.0 * (x[0] + x[1] - p) + 1.0]), [0.0, 0.0]),
    ],
)
def test_where_the_residual_is_smallest_but_does_not_vanish_there_is_no_branch(equations, start) -> None:
    with pytest.raises(NoBranchError, match="does not vanish"):
        continue_branch(equations, start, 0.0, bounds=(-1.0, 1.0))


def test_a_start_without_a_solution_at_its_parameter_says_where_the_branch_starts():
    branch = continue_branch(lambda x, p: x**2 + 1.0 + p, 0.0, 0.0, bounds=(-3.0, 1.0))
    assert branch.p[branch.start] == pytest.approx(-1.0, abs=1e-9)
    assert "no solution was found at p = 0 near the start; the nearest one found is at p = -1" in branch.remarks[0]
    with pytest.raises(NoBranchError, match=r"found is at p = -1, x = \[.*\], which lies outside the bounds of p"):
        continue_branch(lambda x, p: x**2 + 1.0 + p, 0.0, 0.0, bounds=(-0.5, 1.0))


def test_a_start_with_a_singular_jacobian_finds_the_solutions_beside_it():
    branch = continue_branch(lambda x, p: x**2 - 4.0 + p, 0.0, 0.0, bounds=(-3.0, 3.0))
    assert branch.p[branch.start] == 0.0
    assert abs(branch.x[branch.start, 0]) == pytest.approx(2.0, abs=1e-12)
    assert not branch.remarks


def test_a_start_on_a_fold_is_no_move():
    branch = continue_branch(lambda x, p: x**2 - p, 0.0, 0.0, bounds=(-1.0, 1.0))
    assert not branch.remarks
    assert [point.kind for point in branch.special_points] == ["fold"]


def test_a_parameter_that_decays_below_rounding_has_no_folds_there():
    # p = x exp(-x) turns once, at x = 1; beyond x = 40 p is below the rounding of anything of order one
    branch = continue_branch(lambda x, p: x - p * np.exp(x), [0.0], 0.0, bounds=(-0.5, 1.0))
    assert kinds(branch) == ["fold"]
    assert branch.special_points[0].p == pytest.approx(np.exp(-1.0), abs=1e-14)


@pytest.mark.parametrize("slope", [0.001, 1000.0, -1.0, -0.2])
def test_a_branch_goes_on_beyond_a_corner_of_f(slope: float) -> None:
    """P = x below x = 1, and 1 + slope (x - 1) above: where slope < 0 the parameter turns there."""

    def f(x: np.ndarray, p: float) -> np.ndarray:
        return p - np.where(x < 1.0, x, 1.0 + slope * (x - 1.0))

    def jac(x: np.ndarray, p: float) -> np.ndarray:
        return -np.where(x < 1.0, 1.0, slope)[:, None]

    low, high = (-2.0, 1.5) if slope > 0.0 else (0.5, 1.5)
    one_side = Settings(both_directions=False)
    branch = continue_branch(f, [0.7], 0.7, jac=jac, dFdp=lambda x, p: np.ones(1), bounds=(low, high), settings=one_side)
    assert branch.p[-1] == pytest.approx(high if slope > 0.0 else low, abs=1e-9)
    assert branch.x[-1, 0] == pytest.approx(1.0 + (branch.p[-1] - 1.0) / slope, rel=1e-9)


def test_a_corner_may_turn_by_more_than_a_right_angle() -> None:
    """The second unknown falls steeply beyond the corner: in scaled variables the branch turns back, and p goes on."""

    def f(x: np.ndarray, p: float) -> np.ndarray:
        return np.array([x[0] - p, x[1] - 2.0 * p + 902.0 * max(x[0] - 1.0, 0.0)])

    def jac(x: np.ndarray, p: float) -> np.ndarray:
        return np.array([[1.0, 0.0], [902.0 * (x[0] > 1.0), 1.0]])

    one_side = Settings(both_directions=False)
    slope = np.array([-1.0, -2.0])
    branch = continue_branch(f, [0.5, 1.0], 0.5, jac=jac, dFdp=lambda x, p: slope, bounds=(0.2, 1.2), settings=one_side)
    assert branch.p[-1] == pytest.approx(1.2, abs=1e-9)
    np.testing.assert_allclose(branch.x[-1], [1.2, 2.4 - 902.0 * 0.2], rtol=1e-9)
    assert "the branch has a corner at p = 1" in branch.remarks[0]


def test_a_branch_whose_steps_do_not_follow_their_tangents_ends() -> None:
    """Of x = exp(1e4 p), dF/dp being said to be a fifth of what it is from some p on: so it seems to turn on every step."""
    branch = continue_branch(
        lambda x, p: np.array([x[0] - np.exp(1e4 * p)]),
        np.array([1.0]),
        0.0,
        jac=lambda x, p: np.eye(1),
        dFdp=lambda x, p: np.array([-1e4 * np.exp(1e4 * p) * (1.0 if p < 2e-4 else 0.2)]),
        bounds=(0.0, 1e-2),
    )
    assert "no longer follow their tangents" in branch.stop_reason
    assert len(branch) < 60


def test_what_rounding_makes_of_a_tangent_is_no_corner() -> None:
    """Beyond p = 1 F is not finite, and its derivatives at the edge are noise: the branch ends there."""
    noise = np.random.default_rng(0)

    def f(x: np.ndarray, p: float) -> np.ndarray:
        return np.array([x[0] - np.sqrt(1.0 - p), x[1] - p])

    def jac(x: np.ndarray, p: float) -> np.ndarray:
        return np.eye(2) if p < 1.0 - 1e-7 else noise.normal(size=(2, 2))

    def slope(x: np.ndarray, p: float) -> np.ndarray:
        return np.array([0.5 / np.sqrt(1.0 - p), -1.0]) if p < 1.0 - 1e-7 else noise.normal(size=2)

    one_side = Settings(both_directions=False)
    branch = continue_branch(f, [1.0, 0.0], 0.0, jac=jac, dFdp=slope, bounds=(-1.0, 2.0), settings=one_side)
    assert branch.p[-1] <= 1.0
    assert len(branch) < 1000
    assert len(branch.remarks) <= 5
