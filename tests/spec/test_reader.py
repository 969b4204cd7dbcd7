"""Reading specs: what each entry becomes, and what overrides do."""

import pickle
import subprocess
import sys
from fractions import Fraction

import pytest

from spinodal.spec import (
    SpecError,
    canonical_json,
    located,
    read_spec,
    shipped_models,
    spec_from_dict,
    spec_from_text,
    to_text,
)
from spinodal.spec.ast import Name, Number

STORAGE = """
format = 1
[student]
weights = "binary"
[loss]
constraint = "y*h >= kappa"
[parameters]
alpha = 1.0
kappa = { default = 0.5, description = "margin" }
rho = 0.5
T = { description = "temperature" }
"""
TEACHER = {"weights": "gaussian", "label": "sign(u)"}


def read(overrides=None, ansatz=None):
    return spec_from_text(STORAGE, overrides=overrides, ansatz=ansatz)


def refused(message=None, **kwargs):
    with pytest.raises(SpecError, match=message) as caught:
        read(**kwargs)
    return caught.value


@pytest.mark.parametrize("name", sorted(shipped_models()))
def test_a_shipped_model_is_named_by_its_file_and_says_what_it_is(name):
    spec = read_spec(name)
    assert spec.name == name
    assert spec.description
    assert spec.ansatz.scheme == "replica-symmetric"
    assert all(parameter.default is not None and parameter.description for parameter in spec.parameters)


def test_the_shipped_models_are_those_of_the_documentation():
    assert set(shipped_models()) >= {
        "binary-perceptron",
        "spherical-perceptron",
        "binary-teacher-student",
        "random-features-binary",
    }


def test_the_random_features_model_reads_as_declared():
    spec = read_spec("random-features-binary")
    assert spec.student.features == "random"
    assert to_text(spec.student.activation.root) == "sign(x)"
    assert spec.teacher.weights.kind == "gaussian"
    assert to_text(spec.loss.constraint.root) == "y*h >= kappa"
    assert spec.parameter_names() == ("alpha", "alpha_T", "kappa")


def test_features_are_direct_and_the_ansatz_replica_symmetric_unless_said():
    spec = read()
    assert (spec.student.features, spec.ansatz.scheme, spec.teacher) == ("direct", "replica-symmetric", None)


def test_parameters_have_defaults_or_none():
    assert [(p.name, p.default, p.description) for p in read().parameters] == [
        ("alpha", 1.0, ""),
        ("kappa", 0.5, "margin"),
        ("rho", 0.5, ""),
        ("T", None, "temperature"),
    ]


def test_values_without_probabilities_are_counted():
    weights = read({"student.weights": "{ values = [-1, 0, 1] }"}).student.weights
    assert weights.kind == "discrete"
    assert weights.probabilities is None
    assert [to_text(value.root) for value in weights.values] == ["-1", "0", "1"]


def test_probabilities_may_be_formulas_in_parameters():
    weights = read(
        {"student.weights": '{ values = [-1, 0, 1], probabilities = ["rho/2", "1-rho", "rho/2"] }'}
    ).student.weights
    assert weights.probabilities[1].place == "student.weights.probabilities[1]"
    assert to_text(weights.probabilities[1].root) == "1 - rho"


def test_numbers_are_kept_as_the_decimals_that_were_written():
    weights = read({"student.weights": "{ values = [0.1, 1], probabilities = [0.3, 0.7] }"}).student.weights
    assert weights.values[0].root == Number(Fraction(1, 10))


@pytest.mark.parametrize(
    "density", ["exp(-abs(w))/2", "exp(-w**2/2)/sqrt(2*pi)", "step(1 - abs(w))/2", "exp(-abs(w)*1000)*500",
                "exp(-(w - 100)**2*5000)*100/sqrt(2*pi)", "2/(pi*(1 + w**2)**2)"],
)  # fmt: skip
def test_densities_of_any_width_and_tail_are_found_normalised(density):
    assert read({"student.weights": {"density": density}}).student.weights.kind == "density"


def test_a_density_of_infinite_variance_is_for_students_only():
    cauchy = {"density": "1/(pi*(1 + w**2))"}
    assert read({"student.weights": cauchy}).student.weights.kind == "density"
    refused("infinite variance", overrides={"teacher": {"weights": cauchy, "label": "sign(u)"}})


@pytest.mark.parametrize(
    "activation", ["sign(x)", "tanh(x)", "relu(x)", "erf(x)", "x", "exp(x)", "exp(x**2/5)", "log(abs(x))", "x**64",
                   "1/abs(x - 0.3)**0.4", "exp(-1000*(x - 1)**2)", "sin(exp(x))", "1e200*x", "1e-200*x",
                   "max(-1, min(1, x))", "abs(sin(10*x))", "x**3 - 3*x", "max(x, -1)*erf(x)", "x/2"],
)  # fmt: skip
def test_activations_of_finite_variance_are_accepted(activation):
    spec = read_spec("random-features-binary", overrides={"student.features.activation": activation})
    assert spec.student.activation.text == activation


@pytest.mark.parametrize(
    "activation", ["exp(x**2/4)", "exp(x**2)", "exp(exp(x))", "exp(exp(exp(x)))", "1/x", "1/sqrt(abs(x - 0.3))",
                   "1/(x*x - 2*x + 1)", "1/(exp(x) - 1)", "exp(abs(x)**3/1000000)", "exp(3/x)", "exp(1/x**2)",
                   "tanh(1/x)/x", "sin(x)/abs(x)**1.5", "x*sign(x)/x**3"],
)  # fmt: skip
def test_activations_of_infinite_variance_are_refused(activation):
    with pytest.raises(SpecError, match="infinite variance"):
        read_spec("random-features-binary", overrides={"student.features.activation": activation})


def test_a_teacher_is_normalised_unless_it_says_no():
    values = {"values": [-2, 2]}
    assert read({"teacher": {"weights": values, "label": "sign(u)"}}).teacher.weights.normalise
    for table in (
        {"weights": values, "label": "sign(u)", "normalise": False},
        {"weights": values | {"normalise": False}, "label": "sign(u)"},
    ):
        assert not read({"teacher": table}).teacher.weights.normalise


def test_a_noisy_label_and_a_flip_probability():
    teacher = read({"teacher": TEACHER | {"label": "sign(u + sqrt(rho)*noise)", "flip_probability": "rho/10"}}).teacher
    assert to_text(teacher.label.root) == "sign(u + sqrt(rho)*noise)"
    assert to_text(teacher.flip_probability.root) == "rho/10"


def test_an_energy_takes_a_temperature_and_a_regularization():
    spec = read(
        {
            "student.weights": "unconstrained",
            "loss": {"energy": "(y - h)**2", "temperature": "T", "regularization": "w**2/2"},
        }
    )
    assert spec.loss.temperature.root == Name("T")
    assert spec.loss.constraint is None


def test_a_temperature_may_be_0():
    assert read({"loss": {"energy": "step(-y*h)", "temperature": 0}}).loss.temperature.root == Number(Fraction(0))


def test_a_band_is_a_constraint():
    assert to_text(read({"loss.constraint": "-kappa < h < kappa"}).loss.constraint.root) == "-kappa < h and h < kappa"


@pytest.mark.parametrize(
    ("table", "field", "expected"),
    [
        ({"scheme": "1rsb"}, "m", "extremised"),
        ({"scheme": "1rsb", "m": 0.5}, "m", "0.5"),
        ({"scheme": "1rsb", "m": "rho"}, "m", "rho"),
        ({"scheme": "2rsb"}, "m1", "extremised"),
        ({"scheme": "2rsb", "m1": 0.2, "m2": 0.6}, "m2", "0.6"),
        ({"scheme": "real-replicas"}, "replicas", "inf"),
        ({"scheme": "real-replicas", "replicas": float("inf")}, "replicas", "inf"),
        ({"scheme": "real-replicas", "replicas": 20}, "replicas", "20"),
        ({"scheme": "real-replicas", "replicas": "zero-complexity"}, "replicas", "zero-complexity"),
        ({"scheme": "real-replicas", "replicas": "rho"}, "replicas", "rho"),
    ],
)
def test_an_ansatz_has_the_entries_of_its_scheme(table, field, expected):
    value = getattr(read({"ansatz": table}).ansatz, field)
    assert (value if isinstance(value, str) else value.text) == expected


def test_a_franz_parisi_reference_is_the_student_with_a_margin_of_its_own():
    spec = read(ansatz="franz-parisi")
    assert to_text(spec.ansatz.reference.constraint.root) == "y*h >= kappa_ref"
    assert [p.name for p in spec.parameters[-2:]] == ["kappa_ref", "t"]
    assert [p.default for p in spec.parameters[-2:]] == [None, None]


def test_the_largest_margin_of_a_reference_is_no_parameter():
    spec = read({"ansatz.kappa_ref": "max"}, ansatz="franz-parisi")
    assert spec.ansatz.kappa_ref_max
    assert "kappa_ref" not in spec.parameter_names()


def test_a_franz_parisi_reference_may_be_given():
    spec = read({"ansatz.reference": '{ energy = "relu(-y*h)", temperature = 0.5 }'}, ansatz="franz-parisi")
    assert to_text(spec.ansatz.reference.energy.root) == "relu(-y*h)"
    assert "kappa_ref" not in spec.parameter_names()


def test_bayes_optimal_takes_a_student_of_the_teachers_form():
    assert read_spec("binary-teacher-student", ansatz="bayes-optimal").ansatz.scheme == "bayes-optimal"


def test_observables_are_formulas_in_order_parameters():
    spec = read({"observables": {"distance": "(1 - q)/2", "stiffness": "q_hat*kappa"}})
    assert [(o.name, to_text(o.formula.root)) for o in spec.observables] == [
        ("distance", "(1 - q)/2"),
        ("stiffness", "q_hat*kappa"),
    ]


def test_an_override_is_a_toml_value_if_it_parses_as_one_else_a_text():
    assert read({"parameters.kappa": "0.25"}).parameters[1].default == 0.25
    assert read({"student.weights": "spherical"}).student.weights.kind == "spherical"
    assert read({"student.weights": '"spherical"'}).student.weights.kind == "spherical"
    assert read({"parameters.kappa": 0.25}).parameters[1].default == 0.25


def test_an_override_makes_the_tables_it_needs():
    spec = read({"teacher.weights": "gaussian", "teacher.label": "sign(u)"})
    assert spec.teacher.weights.kind == "gaussian"


def test_an_ansatz_replaces_the_whole_table():
    spec = spec_from_text(STORAGE + '[ansatz]\nscheme = "1rsb"\nm = 0.5\n', ansatz="replica-symmetric")
    assert spec.ansatz.m is None


def test_a_mistake_in_an_override_is_blamed_on_the_override():
    error = refused("unknown parameter", overrides={"loss.constraint": "y*h >= kapa"})
    assert str(error) == (
        "--with loss.constraint: kapa: unknown parameter; did you mean kappa?\n    y*h >= kapa\n           ^"
    )
    error = refused("unknown parameter", overrides={"student.weights": '{ values = [-1, "roh"] }'})
    assert str(error).splitlines()[1:] == ['    { values = [-1, "roh"] }', "                     ^"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"paramters.kappa": "1"}, "--with paramters.kappa: paramters: unknown table; did you mean parameters?"),
        ({"student.wieghts": "binary"}, "--with student.wieghts: wieghts: unknown entry; did you mean weights?"),
        (
            {"student.weights.values": "[1, 2]"},
            '--with student.weights.values: student.weights is the text "binary", not a table, '
            "and has no entry values; give the whole of it: student.weights={...}",
        ),
        ({"not a key": "1"}, "--with not a key: not a dotted key; as in student.weights"),
        ({"parameters.kappa": "nan"}, "--with parameters.kappa: kappa: nan is not a number; write a finite number"),
        (
            {"parameters.kappa": "1\nalpha=2"},
            '--with parameters.kappa: kappa: the text "1?alpha=2" where a number is needed; as in kappa = 1.0',
        ),
    ],
)  # fmt: skip
def test_wrong_overrides_are_refused(overrides, message):
    assert str(refused(overrides=overrides)).splitlines()[0] == message


def test_a_wrong_ansatz_is_blamed_on_its_option():
    error = refused("unknown scheme", ansatz="bayes-optimum")
    assert str(error).startswith("--ansatz bayes-optimum: bayes-optimum: unknown scheme; did you mean bayes-optimal?")
    assert "did you mean franz-parisi?" in str(refused("unknown scheme", ansatz="franz"))


def test_a_spec_may_be_a_dict():
    data = {
        "format": 1,
        "student": {"weights": "binary"},
        "loss": {"constraint": "y*h >= 0"},
        "parameters": {"alpha": 1.0},
    }
    assert spec_from_dict(data).student.weights.kind == "binary"
    with pytest.raises(SpecError) as caught:
        spec_from_dict(data | {"loss": {"constraint": "y*h >= kappa"}}, source="my dict")
    assert str(caught.value) == "my dict: loss.constraint: kappa: unknown parameter; declare it under [parameters]"
    # The caller's dict stays the caller's.
    spec_from_dict(data, overrides={"parameters.alpha": 2.0})
    assert data["parameters"] == {"alpha": 1.0}


def test_a_later_stage_can_point_at_a_place_inside_a_formula():
    spec = read()
    node = spec.loss.constraint.root.right
    error = located(spec, spec.loss.constraint.place, "cannot be derived", column=node.column)
    assert str(error) == '<spec>:6:22: cannot be derived\n    constraint = "y*h >= kappa"\n                         ^'


def test_line_ends_of_any_kind_and_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + STORAGE.replace("\n", "\r\n").encode())
    spec = read_spec(path)
    assert spec.name == "windows"
    assert located(spec, "loss.constraint", "here").line == 6


def test_specs_compare_by_content_and_can_be_pickled():
    spec, other = read(), spec_from_text(STORAGE.replace("y*h >= kappa", "y * h>=(kappa)"), source="elsewhere")
    assert spec == other
    assert hash(spec) == hash(other)
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_the_canonical_form_does_not_depend_on_spelling():
    respelt = STORAGE.replace("y*h >= kappa", " y * h >= (kappa)").replace("[loss]", "# a comment\n[loss]")
    assert canonical_json(spec_from_text(respelt, source="other.toml")) == canonical_json(read())
    assert canonical_json(read({"parameters.kappa": 0.1})) == canonical_json(read())


@pytest.mark.parametrize(
    "overrides",
    [
        {"loss.constraint": "y*h > kappa"},
        {"student.weights": "spherical"},
        {"parameters.extra": 1.0},
        {"teacher": TEACHER},
    ],
)
def test_the_canonical_form_depends_on_content(overrides):
    assert canonical_json(read(overrides)) != canonical_json(read())


def test_the_order_of_parameters_is_part_of_the_canonical_form():
    swapped = STORAGE.replace("alpha = 1.0\n", "").replace("rho = 0.5\n", "rho = 0.5\nalpha = 1.0\n")
    assert canonical_json(spec_from_text(swapped)) != canonical_json(read())


def test_reading_a_spec_imports_nothing_heavy():
    code = (
        "import sys; from spinodal.spec import read_spec; read_spec('random-features-binary');"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'sympy', 'scipy', 'mpmath')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
