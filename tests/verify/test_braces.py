r"""Braces show nothing: what stands in them is read as it is seen."""

from __future__ import annotations

import numpy as np
import pytest

from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.parser import parse
from spinodal.verify.meaning import Meaning
from spinodal.verify.results import Status
from spinodal.verify.run import verify_text

Q = 0.37


def value(text: str) -> float:
    """The value of a formula of q."""
    return float(Evaluator({"q": np.array([Q])})(Meaning({}, ["q"]).resolve(parse(text)))[0])


SEEN = [
    (r"1{-}q", 1 - Q),
    (r"q{+}1", Q + 1),
    (r"1\mathbin{-}q", 1 - Q),
    (r"q\mathrel{+}1", Q + 1),
    (r"q{{+}}1", Q + 1),
    (r"{-}q", -Q),
    (r"q\smash{+1}", Q + 1),
    (r"q\boldsymbol{+1}", Q + 1),
    (r"q{-1}q", Q - Q),
    (r"\log q{+1}", -0.994252273343867 + 1),  # ln 0.37, from tables
    (r"\frac{1}{2}{-1}", -0.5),
    (r"\int Dz\, z^2{+1}", 2.0),
    (r"q\cdot{-1}", -Q),
    (r"{-2}q", -2 * Q),
    (r"{1-q}", 1 - Q),
    (r"1+{1-q}{-1}", 1 - Q),
    (r"\underbrace{1-q}_{a}\underbrace{+1}_{b}", 2 - Q),
    (r"{1-q \over 2}q", (1 - Q) * Q / 2),
    (r"\underbrace{\int Dz}_{\text{Gaussian}} z^4", 3.0),
    (r"q\underbrace{\int Dz}_{a} z^2 + 1", 1 + Q),
    (r"{\int Dz z^2}{\int Dz z^4}", 3.0),
    (r"\underbrace{\int Dz z^2}_{a}/2", 0.5),
]


@pytest.mark.parametrize(("text", "expected"), SEEN)
def test_a_sign_in_braces_is_the_sign_that_is_seen(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    "text",
    [
        r"2{1-q}",
        r"{1-q}q",
        r"-{1-q}",
        r"2\cdot{1-q}",
        r"2/{1-q}",
        r"{1-q}^2",
        r"{2q}^2",
        r"\log 2{1-q}",
        r"2\boldsymbol{1-q}",
    ],
)
def test_a_sum_whose_braces_alone_hold_it_together_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match="braces around this are not seen"):
        parse(text)


@pytest.mark.parametrize(
    "text", [r"\overbrace{q}^{\times 2}", r"\underbrace{q}_{+1}", r"\underbrace{q}_{= 2}", r"q \#1", r"q \$"]
)
def test_what_stands_at_a_formula_and_may_change_it_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        parse(text)


@pytest.mark.parametrize("minus", ["-", "{-}", r"\mathbin{-}", r"\mathrel{-}"])
def test_tight_signs_do_not_change_a_verdict(minus: str) -> None:
    equation = r"\[ \frac1{\alpha_c} = \int_{-\infty}^\kappa Dt\, (\kappa-t)^2 \]".replace("-t", f"{minus}t")
    text = f"% spinodal: spherical-perceptron capacity\n{equation}"
    (right,) = verify_text(text, form="latex").outcomes
    (planted,) = verify_text(text.replace("{-\\infty}", "0"), form="latex").outcomes
    assert right.status is Status.VERIFIED  # Gardner 1988
    assert not planted.passed
