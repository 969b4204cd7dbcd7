"""``solve``: numbers, JSON, failures, warnings."""

import pytest

KEYS = [
    "model",
    "ansatz",
    "parameters",
    "converged",
    "order_parameters",
    "free_entropy",
    "observables",
    "error_estimate",
    "residual",
    "warnings",
]


def test_json_is_that_of_the_contract(run) -> None:
    outcome = run("solve", "binary-perceptron", "--set", "alpha=0.8330785997395795", "--json")
    assert outcome.status == 0
    assert outcome.err == ""
    document = outcome.json()
    assert list(document) == KEYS
    assert document["model"] == "binary-perceptron"
    assert document["ansatz"] == "replica-symmetric"
    assert document["parameters"] == {"alpha": 0.8330785997395795, "kappa": 0.0}
    assert document["converged"] is True
    assert document["order_parameters"]["q"] == pytest.approx(0.56394908, abs=1e-8)
    assert document["order_parameters"]["q_hat"] == pytest.approx(2.57635132, abs=1e-8)
    assert abs(document["free_entropy"]) < 1e-12
    assert 0 < document["error_estimate"] < 1e-10
    assert document["residual"] < 1e-10
    assert document["warnings"] == []


def test_a_table_where_stdout_is_no_terminal(run) -> None:
    outcome = run("solve", "binary-perceptron", "--set", "alpha=0.8", "kappa=0.1")
    assert outcome.status == 0
    assert outcome.err.startswith("warning: entropy = -0.")  # beyond the capacity there are no solutions
    assert len(outcome.err.splitlines()) == 1
    assert outcome.out.startswith("binary-perceptron (replica-symmetric) at alpha = 0.8, kappa = 0.1\n")
    cells = {line.split()[0]: line.split()[1:] for line in outcome.out.splitlines()[3:]}
    assert float(cells["q"][0]) == pytest.approx(0.6450572676834547)
    assert cells["free_entropy"][1] == "±"
    assert "\x1b" not in outcome.out


def test_a_spec_may_follow_the_values(run) -> None:
    before = run("solve", "binary-perceptron", "--set", "alpha=0.8", "kappa=0.1", "--json")
    after = run("solve", "--json", "--set", "alpha=0.8,kappa=0.1", "binary-perceptron")
    assert before == after


def test_a_start_and_the_tolerance_are_used(run) -> None:
    document = run("solve", "binary-perceptron", "--start", "q=0.3,q_hat=0.6", "--tol", "1e-8", "--json").json()
    assert document["order_parameters"]["q"] == pytest.approx(0.3223853632, abs=1e-9)


def test_all_roots(run) -> None:
    document = run("solve", "binary-perceptron", "--all", "--json").json()
    assert list(document) == [*KEYS, "solutions"]
    assert document["solutions"][0]["stability"] == "stable"
    assert document["solutions"][0]["order_parameters"]["q"] == pytest.approx(0.3223853632, abs=1e-9)
    outcome = run("solve", "binary-perceptron", "--all")
    assert f"roots found: {len(document['solutions'])}" in outcome.out


def test_a_failure_has_a_reason_and_advice(run) -> None:
    outcome = run("solve", "spherical-perceptron", "--set", "alpha=3")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith("not converged: ")
    assert "\nadvice: " in outcome.err
    outcome = run("solve", "spherical-perceptron", "--set", "alpha=3", "--json")
    document = outcome.json()
    assert outcome.status == 1
    assert document["converged"] is False
    assert document["free_entropy"] is None
    assert document["error_estimate"] is None
    assert set(document["order_parameters"].values()) == {None}
    assert document["reason"]
    assert document["advice"]


def test_a_negative_replicon_is_a_warning(run) -> None:
    outcome = run("solve", "binary-perceptron", "--set", "alpha=1.2", "--quiet")
    assert outcome.status == 0
    assert outcome.err.startswith("warning: replicon = -")
    document = run("solve", "binary-perceptron", "--set", "alpha=1.2", "--json").json()
    assert document["warnings"][0].startswith("replicon = -")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "alpha=abc"], "--set alpha: 'abc' is not a finite number"),
        (["--set", "alpha=nan"], "--set alpha: 'nan' is not a finite number"),
        (["--set", "alpha=-1"], "--set: alpha: -1 is negative"),
        (["--set", "alhpa=1"], "did you mean alpha?"),
        (["--start", "q=x"], "--start q: 'x' is not a finite number"),
        (["--start", "qq=0.3"], "--start: qq: not an order parameter; did you mean q?"),
        (["--start", "r=0.3"], "--start: r: not an order parameter of this model; use q, q_hat"),
        (["--start", "0.3"], "--start: '0.3' is not NAME=NUMBER"),
        (["--start", "q=2"], "--start: q: 2 is no overlap of this model; it lies between 0 and 1"),
    ],
)
def test_bad_values(run, arguments: list[str], message: str) -> None:
    outcome = run("solve", "binary-perceptron", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    "command", [["solve"], ["branch", "--along", "alpha=0.1:1"], ["locus", "--of", "fold", "--along", "alpha"]]
)
def test_a_start_at_an_impossible_overlap_is_refused_before_anything_is_derived(run, monkeypatch, command) -> None:
    def derived(self: object) -> None:
        raise AssertionError("derived")

    monkeypatch.setattr("spinodal.model.Model.solver", derived)
    outcome = run(command[0], "binary-perceptron", *command[1:], "--start", "q=2")
    assert (outcome.status, outcome.out) == (2, "")
    assert "--start: q: 2 is no overlap of this model" in outcome.err


@pytest.mark.parametrize("suffix", ["nc", "csv", "png"])
def test_stabilities_are_written_as_data_or_drawn(run, tmp_path, suffix) -> None:
    path = tmp_path / f"stabilities.{suffix}"
    outcome = run("solve", "binary-perceptron", "--set", "alpha=0.6", "--stabilities", str(path), "--json")
    assert outcome.status == 0
    assert list(outcome.json()) == KEYS
    head = path.read_bytes()[:40]
    assert {"nc": b"CDF", "csv": b"stability,density,density_error", "png": b"PNG"}[suffix] in head


def test_stabilities_of_real_labels_are_refused(run, tmp_path) -> None:
    loss = 'loss={ energy = "(y-h)**2", temperature = 1 }'
    model = ("binary-teacher-student", "--with", "teacher.label=u", "--with", loss)
    outcome = run("solve", *model, "--stabilities", str(tmp_path / "s.csv"))
    assert outcome.status == 2
    assert outcome.out == ""
    assert "labels +1 and -1" in outcome.err
    assert not list(tmp_path.iterdir())
