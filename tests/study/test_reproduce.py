"""The study on tiny grids: what is written and printed, its numbers, and that a killed run goes on."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import xarray as xr

import spinodal
from spinodal import SpecError
from spinodal.study import Plan, reproduce
from spinodal.study.curves import _warnings, line
from spinodal.study.plan import Perceptron
from spinodal.study.table import show
from spinodal.study.typical import inverse_alphas

#: Two activations of one formula: all that several activations need, with one derivation.
PLAN = Plan(
    activations=(("sign", "sign(x)"), ("again", "sign(x)")),
    alpha_T=(1.0, 2.0, 3.0),
    points=5,
    margins=4,
    entropy_at=(1.0, 2.0),
    transition_at=(1.0, 3.0),
    sides=(-1.0, 0.5),
    distances=5,
    around=2,
    noises=3,
    flips=(0.05, 0.1),
    perceptrons=(
        Perceptron("binary", "binary-perceptron", (0.0, 0.5), (0.0, 0.5)),
        Perceptron("spherical", "spherical-perceptron", (-0.5, 0.0, 0.5), (-0.5, -0.25)),
    ),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return folder, reproduce(folder, quiet=True, plan=PLAN)


def value(summary, quantity, activation="sign", **parameters):
    (row,) = (
        row
        for row in summary["rows"]
        if row["quantity"] == quantity
        and row["activation"] == activation
        and row["parameters"].items() >= parameters.items()
    )
    return row


def test_numbers_agree_with_the_references(run):
    _, summary = run
    assert summary["converged"]
    compared = [row for row in summary["rows"] if row["reference"] is not None]
    assert len(compared) == 17
    assert all(row["agrees"] for row in compared)
    assert value(summary, "alpha_c", alpha_T=3.0)["value"] == pytest.approx(1.139622, abs=1e-6)


def test_every_number_exists_with_a_small_error_estimate(run):
    _, summary = run
    for row in summary["rows"]:
        assert math.isfinite(row["value"])
        assert 0.0 <= row["error_estimate"] < 1e-8
    json.dumps(summary, allow_nan=False)


def test_physics_of_the_curves(run):
    folder, _ = run
    errors = xr.open_dataset(folder / "data" / "errors.nc", engine="scipy")
    assert (errors["generalization_error_barycentre"] <= errors["generalization_error"]).all()
    assert (errors["generalization_error"].diff("point") < 0).all()
    assert abs(errors["entropy"].isel(point=0)).max() < 1e-10
    margins = xr.open_dataset(folder / "data" / "margins.nc", engine="scipy")
    assert abs(margins["kappa_max"].isel(point=0)).max() < 1e-10
    assert (margins["kappa_max"].diff("point") > 0).all()
    assert (margins["entropy"].diff("margin") < 0).all()
    assert abs(margins["entropy"].isel(margin=-1)).max() < 1e-10
    thresholds = xr.open_dataset(folder / "data" / "thresholds.nc", engine="scipy")
    assert (thresholds["inverse_alpha_c"].diff("alpha_T") < 0).all()


def test_the_gap_and_what_is_in_it(run):
    folder, _ = run
    data = {
        name: xr.open_dataset(folder / "data" / f"{name}.nc", engine="scipy").sel(activation="sign")
        for name in ("thresholds", "transition", "local-entropy", "dense")
    }
    # solutions exist from 1/alpha_c on; dense regions reach typical distances from 1/alpha_LE on
    names = ("inverse_alpha_LE", "inverse_alpha_c")
    first, second = xr.align(data["transition"][names[0]], data["thresholds"][names[1]], join="inner")
    assert first.sizes["alpha_T"] == 2
    assert (first > second).all()
    curves = data["local-entropy"]
    rises = curves["local_entropy"].diff("distance") > 0  # towards d = 0
    assert not rises.sel(side=-1.0).any()
    assert rises.sel(side=0.5).any()
    np.testing.assert_allclose(curves["local_entropy"].isel(distance=0), curves["typical_free_entropy"], atol=1e-10)
    assert (curves["generalization_error_barycentre"] <= curves["generalization_error"]).all()
    dense = data["dense"]
    assert (dense["maximum_q1"].isel(maximum=0) == dense["minimum_q1"].isel(minimum=0)).all()
    assert (dense["maximum_q1"].dropna("maximum").diff("maximum") > 0).all()
    assert (dense["minimum_q1"].dropna("minimum").diff("minimum") < 0).all()


def test_typical_solutions_are_isolated_and_robust_ones_are_not(run):
    folder, _ = run
    data = xr.open_dataset(folder / "data" / "franz-parisi.nc", engine="scipy").sel(activation="sign")
    nearest = data["local_entropy"].isel(distance=-1)
    assert (nearest.sel(reference="typical") < 0).all()
    assert nearest.sel(reference="largest margin", side=-1.0) > 0
    assert (data["replicon_ref"].sel(reference="typical") > 0).all()


def test_data_say_what_they_are(run):
    folder, _ = run
    for part in ("thresholds", "errors", "margins", "transition", "local-entropy", "dense"):
        data = xr.open_dataset(folder / "data" / f"{part}.nc", engine="scipy")
        assert list(data["activation"].values) == ["sign", "again"]
        spec = json.loads(data.attrs["spec"])
        assert spec["again"]["student"]["activation"] == {"formula": "sign(x)"}
        for key in ("spinodal_version", "sympy_version", "numpy_version", "date", "tolerance", "ansatz", "model"):
            assert data.attrs[key]


def test_figures_are_drawn(run):
    folder, summary = run
    names = {
        *("interpolation-threshold", "generalization-errors", "largest-margin", "entropy-margin", "interpolation"),
        *("gap", "overview", "local-entropy", "errors-by-distance", "dense-regions", "franz-parisi", "stabilities"),
        *("teacher-student", "perceptrons"),
    }
    figures = folder / "figures"
    assert {path.stem for path in figures.iterdir()} == names
    for name in names:
        assert (figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (figures / f"{name}.svg").read_bytes()
    assert sorted(summary["files"]) == sorted(str(path) for path in folder.rglob("*") if path.is_file())


def test_table_is_deterministic_and_has_no_nan(run, tmp_path, capsys):
    folder, summary = run
    again = reproduce(tmp_path, name="thresholds", quiet=True, plan=PLAN)
    printed = capsys.readouterr()
    assert printed.out == (tmp_path / "table.txt").read_text(encoding="utf-8")
    assert printed.err == ""
    assert again["rows"] == [row for row in summary["rows"] if row["part"] == "thresholds"]
    table = (folder / "table.txt").read_text(encoding="utf-8")
    assert "nan" not in table
    assert "inf" not in table
    assert "DIFFERS" not in table
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"thresholds.nc"}


def test_unknown_part_is_refused(tmp_path):
    with pytest.raises(SpecError, match=r"treshold.*did you mean thresholds\?"):
        reproduce(tmp_path / "none", name="treshold")
    with pytest.raises(SpecError, match="use one of thresholds, errors, margins, transition, local-entropy, dense,"):
        reproduce(tmp_path / "none", name="xyz")
    assert not (tmp_path / "none").exists()


class _Point:
    def __init__(self, *warnings):
        self.warnings = warnings


def test_warnings_are_told_once_for_a_curve():
    points = [_Point(), _Point("replicon = -0.1 < 0: unstable"), _Point("replicon = -2e-05 < 0: unstable"), _Point("other")]
    notes = _warnings("curve", ["a", "b", "c", "d"], points)
    assert notes == (
        "curve: at b: replicon = -0.1 < 0: unstable (and at 1 more of 4 points, up to c)",
        "curve: at d: other",
    )


def test_phase_diagrams(run):
    folder, _ = run
    learning = xr.open_dataset(folder / "data" / "teacher-student.nc", engine="scipy")
    # without noise at the branch's values; label noise makes learning harder
    assert (learning["spinodal_alpha"] > 1.4926318182).all()
    assert (learning["transition_alpha"] > 1.2446839899).all()
    assert (learning["spinodal_alpha"] > learning["transition_alpha"]).all()
    assert (learning["flip_spinodal_alpha"].diff("rho") > 0).all()
    assert float(learning["critical_Delta"]) > float(learning["Delta"].max())
    storage = xr.open_dataset(folder / "data" / "perceptrons.nc", engine="scipy")
    binary, spherical = storage.sel(weights="binary"), storage.sel(weights="spherical")
    both = np.isfinite(binary["alpha_AT"])
    assert both.any()
    assert (binary["alpha_AT"] > binary["alpha_c"]).values[both].all()
    # replica symmetry breaks before the capacity at negative margins, and there only
    assert (spherical["alpha_AT"] < spherical["alpha_c"]).sel(kappa=-0.5)


def test_critical_point_is_that_of_an_independent_calculation():
    """Newton on [f, f', f''] of the one-dimensional fixed point q = g(q; alpha, Delta), by quadrature of its own."""
    from scipy.optimize import fsolve
    from scipy.special import log_ndtr, ndtr

    z = np.linspace(-12.0, 12.0, 6001)
    weight = np.exp(-0.5 * z**2) * (z[1] - z[0]) / np.sqrt(2.0 * np.pi)

    def update(q, alpha, noise):
        # for labels sign(u + sqrt(Delta) noise): q_hat = 2 alpha/v E[Mills(x)^2 H(x)], x = sqrt(q) z/sqrt(v)
        v = 1.0 - q + noise
        x = np.sqrt(q / v) * z
        mills = np.exp(-0.5 * x**2 - log_ndtr(-x)) / np.sqrt(2.0 * np.pi)
        q_hat = 2.0 * alpha / v * np.sum(weight * mills**2 * ndtr(-x))
        return np.sum(weight * np.tanh(q_hat + np.sqrt(q_hat) * z)) - q

    def conditions(u):
        # five-point differences in q
        q, alpha, noise = u
        h = 1e-3
        f = [update(q + i * h, alpha, noise) for i in (-2, -1, 0, 1, 2)]
        first = (f[0] - 8 * f[1] + 8 * f[3] - f[4]) / (12 * h)
        second = (-f[0] + 16 * f[1] - 30 * f[2] + 16 * f[3] - f[4]) / (12 * h**2)
        return [f[2], first, second]

    _, alpha, noise = fsolve(conditions, [0.96, 1.66, 0.0172], xtol=1e-12)
    model = spinodal.load(
        "binary-teacher-student",
        ansatz="bayes-optimal",
        overrides={"teacher.label": "sign(u + sqrt(Delta)*noise)", "parameters.Delta": 0.001},
    )
    locus = model.locus("fold", "alpha", ("Delta", [0.001, 0.1]), bounds=(0.2, 5.0))
    (cusp,) = (event for event in locus.events if event.kind == "cusp")
    assert cusp.parameters["alpha"] == pytest.approx(alpha, abs=1e-6)
    assert cusp.parameters["Delta"] == pytest.approx(noise, abs=1e-7)


def test_a_line_agrees_with_independent_root_finding():
    model = spinodal.load("random-features-binary")
    rng = np.random.default_rng(7)
    values = np.sort(rng.uniform(0.2, 9.0, 4))
    curve, _ = line(
        model, "zero-entropy", "alpha", "alpha_T", values, (0.4, 5.2), name="line", tolerance=1e-10, tick=lambda: None
    )
    for value, found, error in zip(values, curve.values["alpha"], curve.errors["alpha"], strict=True):
        low, high = 0.5, 2.5
        while high - low > 1e-9:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if model.solve(alpha=middle, alpha_T=value)["entropy"] > 0.0 else (low, middle)
        assert abs(found - 0.5 * (low + high)) < 1e-8
        assert error < 1e-8


class _Missing:
    """A model in which nothing is ever located."""

    def locus(self, of, along, over, fixed, *, bounds, tol, progress):
        from spinodal.numeric.results import Failure, Locus, SpecialPoint

        nan = float("nan")
        failure = Failure("no zero", "look elsewhere")
        points = tuple(SpecialPoint(of, {along: nan, over[0]: v}, {}, nan, nan, False, failure) for v in over[1])
        progress(len(points))
        return Locus("m", "a", of, along, over[0], points)


def test_missing_points_are_gaps_and_listed():
    ticks = []
    curve, _ = line(
        _Missing(),
        "zero-entropy",
        "alpha",
        "alpha_T",
        [1.0, 2.0],
        (0.1, 1.0),
        name="curve",
        tolerance=1e-8,
        tick=lambda: ticks.append(1),
    )
    assert np.isnan(curve.values["alpha"]).all()
    assert not curve.converged.any()
    assert curve.notes == ("curve: no value at alpha_T = 1, alpha_T = 2: no zero; look elsewhere",)
    assert len(ticks) == 2


def test_a_killed_run_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    """Killed in its last piece; the next run computes that piece only, and its results are those of a whole run."""
    from spinodal.study import perceptrons

    whole = reproduce(tmp_path / "whole", name="perceptrons", quiet=True, plan=PLAN)
    solved = []
    original = perceptrons.line

    def killed(model, *arguments, **keywords):
        if model.name == "spherical-perceptron":
            raise KeyboardInterrupt
        return original(model, *arguments, **keywords)

    def counted(model, *arguments, **keywords):
        solved.append(model.name)
        return original(model, *arguments, **keywords)

    monkeypatch.setattr(perceptrons, "line", killed)
    with pytest.raises(KeyboardInterrupt):
        reproduce(tmp_path / "killed", name="perceptrons", quiet=True, plan=PLAN)
    assert not (tmp_path / "killed" / "data").exists()
    monkeypatch.setattr(perceptrons, "line", counted)
    capsys.readouterr()
    resumed = reproduce(tmp_path / "killed", name="perceptrons", plan=PLAN)
    assert "resumed: 1 of 2 pieces" in capsys.readouterr().err
    assert set(solved) == {"spherical-perceptron"}
    assert resumed["rows"] == whole["rows"]
    one, other = (xr.open_dataset(tmp_path / w / "data" / "perceptrons.nc", engine="scipy") for w in ("whole", "killed"))
    xr.testing.assert_equal(one, other)
    # a complete study leaves nothing to resume from
    assert {path.name for path in (tmp_path / "killed").iterdir()} == {"data", "figures", "table.txt"}


def test_a_damaged_or_foreign_piece_is_computed_again(tmp_path):
    from spinodal.study import Plan, perceptrons
    from spinodal.study.store import Store

    section = perceptrons.SECTION
    (piece, *_) = section.pieces(PLAN)
    store = Store(tmp_path, PLAN)
    part = piece.solve(piece.model(), piece.label, PLAN, lambda: None)
    store.save(section, piece, part)
    again = store.load(section, piece)
    assert again is not None
    assert again.numbers == part.numbers
    assert Store(tmp_path, Plan()).load(section, piece) is None
    (path,) = store.folder.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert store.load(section, piece) is None


def test_grid_begins_at_the_threshold_and_holds_the_listed_points():
    grid = inverse_alphas(Plan(), 0.877)
    assert grid[0] == 0.877
    assert grid[-1] == 5.0
    assert len(grid) == Plan().points
    assert (np.diff(grid) > 0).all()
    assert set(Plan().entropy_at) <= set(grid)


@pytest.mark.parametrize(
    ("number", "error", "text"),
    [
        (1.13962156581, 3e-14, "1.13962157"),
        (1.13962156581, 3e-5, "1.1396"),
        (-1e-16, 1e-15, "0.00000000"),
        (None, None, "-"),
        (12.3, 2.0, "12.3 ± 2"),
    ],
)
def test_digits_are_justified(number, error, text):
    assert show(number, error) == text
