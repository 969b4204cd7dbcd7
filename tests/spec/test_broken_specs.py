"""Every broken input gets its one message: tests/spec/broken/NAME.toml gives the text of NAME.expected.

To add a message, add a broken spec and the text that a user ought to see.
"""

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spinodal.spec import SpecError, read_spec, shipped_models, spec_from_text

BROKEN = Path(__file__).parent / "broken"
NAMES = sorted(path.stem for path in BROKEN.glob("*.toml"))
SHIPPED = [entry.read_text(encoding="utf-8") for entry in shipped_models().values()]


def refusal(*args, **kwargs):
    with pytest.raises(SpecError) as caught:
        read_spec(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_spec_gets_its_message(name, monkeypatch):
    monkeypatch.chdir(BROKEN)
    start = time.perf_counter()
    message = str(refusal(f"{name}.toml"))
    assert time.perf_counter() - start < 1
    assert message + "\n" == (BROKEN / f"{name}.expected").read_text(encoding="utf-8")


def test_every_expected_message_has_its_spec():
    assert sorted(path.stem for path in BROKEN.glob("*.expected")) == NAMES


def test_an_error_carries_its_place_in_fields(monkeypatch):
    monkeypatch.chdir(BROKEN)
    error = refusal("misspelt-parameter.toml")
    assert (error.source, error.line, error.column) == ("misspelt-parameter.toml", 7, 22)
    assert (error.message, error.cure) == ("kapa: unknown parameter", "did you mean kappa?")
    assert error.snippet is not None
    assert error.snippet.splitlines()[1].index("^") == error.snippet.splitlines()[0].index("kapa")


def test_a_file_over_64_kib_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Not even TOML: the size alone is what the message is about.
    Path("big.toml").write_bytes(b"[" * (64 * 1024 + 1))
    assert str(refusal("big.toml")) == (
        "big.toml: larger than 64 KiB; a spec is a short TOML file; was this the right file?"
    )


def test_a_file_of_64_kib_is_read(tmp_path):
    text = SHIPPED[0]
    path = tmp_path / "padded.toml"
    path.write_bytes((text + "#" * (64 * 1024 - len(text.encode()))).encode())
    assert read_spec(path).student.weights.kind == "binary"


def test_a_directory_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("specs").mkdir()
    assert str(refusal("specs")) == "specs: a directory; name a spec file inside it"


def test_a_missing_file_names_the_shipped_model_that_is_meant():
    assert str(refusal("binary-percepton")) == (
        "binary-percepton: no such file and no such shipped model; did you mean binary-perceptron (a shipped model)?"
    )


def test_a_missing_file_lists_the_shipped_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(refusal("nothing.toml")) == (
        "nothing.toml: no such file and no such shipped model; the shipped models are "
        "binary-perceptron, binary-teacher-student, random-features-binary, spherical-perceptron"
    )


@pytest.mark.parametrize("name", ["", "\0", "a" * 5000, "nothing/there"])
def test_no_file_name_is_too_strange_to_be_refused(name):
    refusal(name)


def test_control_characters_never_reach_the_terminal():
    with pytest.raises(SpecError) as caught:
        spec_from_text('format = 1\n[model]\nname = "\\u001b[31m"\n')
    assert "\x1b" not in str(caught.value)


@settings(deadline=1000, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(SHIPPED),
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 8), st.text("x\"'[]{}=.,*()-+/ \n19kapyhw\\#_", max_size=6)),
        max_size=4,
    ),
)
def test_a_damaged_spec_is_read_or_refused_and_never_crashes(text, damages):
    for where, length, replacement in damages:
        start = int(where * len(text))
        text = text[:start] + replacement + text[start + length :]
    with contextlib.suppress(SpecError):
        spec_from_text(text)
