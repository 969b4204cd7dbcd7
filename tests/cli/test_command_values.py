"""Assignments and ranges: what is read, and the message of each mistake."""

import pytest

from spinodal.cli.values import assignments, grid_range, override, search_range
from spinodal.spec import SpecError


def test_assignments_are_separated_by_blanks_or_commas() -> None:
    read = assignments(["alpha=0.8", "kappa=-1e-1,rho=2", "alpha=1"], option="--set", example="alpha=0.8")
    assert read == {"alpha": 1.0, "kappa": -0.1, "rho": 2.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alpha=abc", "--set alpha: 'abc' is not a finite number; as in --set alpha=0.8"),
        ("alpha=nan", "--set alpha: 'nan' is not a finite number; as in --set alpha=0.8"),
        ("alpha=inf", "--set alpha: 'inf' is not a finite number; as in --set alpha=0.8"),
        ("alpha", "--set: 'alpha' is not NAME=NUMBER; as in --set alpha=0.8"),
        ("alpha=", "--set: 'alpha=' is not NAME=NUMBER; as in --set alpha=0.8"),
        ("=1", "--set: '=1' is not NAME=NUMBER; as in --set alpha=0.8"),
        ("alpha=0,8", "--set: '8' is not NAME=NUMBER; as in --set alpha=0.8"),
    ],
)
def test_assignments_that_are_none(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        assignments([text], option="--set", example="alpha=0.8")
    assert str(caught.value) == message


def test_an_override_is_split_at_its_first_equals_sign() -> None:
    assert override("loss.constraint=y*h == 1") == ("loss.constraint", "y*h == 1")
    with pytest.raises(SpecError, match="is not KEY=VALUE"):
        override("student.weights")


def test_ranges() -> None:
    plain = search_range("alpha=0.5:2")
    assert (plain.name, plain.bounds, plain.ends(), plain.variable) == ("alpha", (0.5, 2.0), (0.5, 2.0), "alpha")
    inverse = search_range("1/alpha=0.5:2")
    assert (inverse.name, inverse.variable, inverse.ends()) == ("alpha", "1/alpha", (2.0, 0.5))
    assert search_range("alpha").bounds is None
    grid = grid_range("kappa=1:-1:21")
    assert (grid.bounds, grid.points) == ((1.0, -1.0), 21)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alpha=2:1", "the range is empty"),
        ("alpha=1:1", "the range is empty"),
        ("alpha=1:2:3", "a number of points means nothing here"),
        ("alpha=1", "'1' is not a range"),
        ("alpha=", "is not NAME=LOW:HIGH"),
        ("alpha=a:2", "'a' is not a finite number"),
        ("alpha=0:inf", "'inf' is not a finite number"),
        ("1/alpha=0:3", "0 has no inverse"),
        ("2/alpha=1:3", "is not NAME=LOW:HIGH"),
        ("", "is not NAME=LOW:HIGH"),
    ],
)
def test_search_ranges_that_are_none(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        search_range(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("--along")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kappa", "a range is missing"),
        ("kappa=0:1", "the number of points is missing; write NAME=FIRST:LAST:POINTS, as in --over kappa=0:1:21"),
        ("kappa=0:1:2.5", "'2.5' is not a number of points"),
        ("kappa=0:1:0", "'0' is not a number of points"),
        ("kappa=0:1:999999999", "is not a number of points"),
        ("kappa=0:1:1", "a grid has two different points at least"),
        ("kappa=1:1:5", "a grid has two different points at least"),
        ("kappa=0:1:2:3", "is not a range"),
    ],
)
def test_grids_that_are_none(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        grid_range(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("--over")
