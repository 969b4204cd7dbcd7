r"""Arguments of functions that no bracket encloses: ``\log\frac12[..]`` is the logarithm of the product.

The free entropy is that of Krauth and Mezard, 1989; H(x) = erfc(x/sqrt(2))/2.
"""

from __future__ import annotations

import pytest
from notation import document, only

from spinodal.verify import Status
from spinodal.verify.run import Session

X = r"\left(\frac{\kappa-\sqrt q z}{\sqrt{2(1-q)}}\right)"
ENTROPY = r"\[ \phi=-\frac{\hat q}{2}(1-q)+\int Dz COSH+\alpha\int Dz TAIL \]"
COSH = r"\ln 2\cosh(\sqrt{\hat q}z)"


def entropy(tail: str, cosh: str = COSH) -> str:
    return document("free-entropy", ENTROPY.replace("COSH", cosh).replace("TAIL", tail))


@pytest.mark.parametrize(
    "tail",
    [
        r"\ln\frac{1}{2}\left[1-\mathrm{erf}" + X + r"\right]",
        r"\log\tfrac12\,\left(\mathrm{erfc}" + X + r"\right)",
        r"\ln 2^{-1}\bigl[\mathrm{erfc}" + X + r"\bigr]",
        r"\ln 0.5\left[\mathrm{erfc}" + X + r"\right]",
    ],
)
def test_the_logarithm_of_a_fraction_before_a_bracket_is_that_of_their_product(session: Session, tail: str) -> None:
    assert only(session, entropy(tail)).status is Status.VERIFIED
    assert not only(session, entropy(tail.replace("{erfc}", "{erf}").replace("1-", "1+"))).passed


def test_an_integer_between_a_function_and_a_bracket_belongs_to_its_argument(session: Session) -> None:
    r"""Here ``tanh 2(x/2)`` is ``tanh x``."""
    outcome = only(session, document("q", r"\[ q = \int Dz \tanh^2 2\left(\frac{\sqrt{\hat q}z}{2}\right) \]"))
    assert outcome.status is Status.VERIFIED, outcome.detail


REFUSED = [
    (
        entropy(r"\ln H(\frac{\kappa-\sqrt q z}{\sqrt{1-q}})", r"\ln 2\left[\cosh(\sqrt{\hat q}z)\right]"),
        r"it is not clear whether the argument of log ends before this bracket; write (\log ..)(..) or \log(..(..))",
    ),
    (
        entropy(r"\ln\left(\frac12\right)\mathrm{erfc}" + X),
        "it is not clear whether the argument of log ends with this number; bracket all of it",
    ),
    (
        entropy(r"\ln\frac12[\mathrm{erfc}" + X + "](1+q)"),
        "it is not clear where the argument of log ends; bracket it",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_arguments_that_can_be_read_in_two_ways_are_refused(session: Session, text: str, message: str) -> None:
    outcome = only(session, text)
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail == message


def test_a_sum_of_error_functions_that_cancels_in_its_tails_is_said_to_be_rounding(session: Session) -> None:
    """Here erf(11+z^2) - erf(10+z^2) = erfc(10+z^2) - erfc(11+z^2) is positive, and 0 in doubles."""
    small = r"\ln\left[\mathrm{erf}(11+z^2) - \mathrm{erf}(10+z^2)\right]"
    outcome = only(session, entropy(small))
    assert outcome.status is Status.NOT_CHECKED
    assert outcome.detail == (
        "in double precision, the formula has no finite real value at a random point of the domain; a sum of erf, Phi or tanh "
        "may cancel there in their tails: write what is small itself, as erfc(x) for 1 - erf(x)"
    )
