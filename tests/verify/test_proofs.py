"""Equations proved by exact rearrangement; what is not equal is never proved, and numbers confirm what is."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from spinodal.symbolic.averages import Average, Measure
from spinodal.symbolic.functions import Density, LogTail, LogTwoCosh, Tail
from spinodal.verify import Status
from spinodal.verify import check as check_module
from spinodal.verify.documents import read_document
from spinodal.verify.normal_form import BeyondError, NormalForm
from spinodal.verify.results import Outcome
from spinodal.verify.run import Session

a, b, z = sp.symbols("a b z", real=True)
VALUES = {a: np.array([0.3, 0.52, 0.71]), b: np.array([1.4, 0.9, 2.3])}
ONE = sp.Matrix([[1]])


def mean(body: sp.Expr) -> sp.Expr:
    """The average over a standard normal z."""
    return Average(body, Measure((z,), (sp.Integer(0),), ONE, ONE))


def same(left: sp.Expr, right: sp.Expr) -> bool:
    """Whether two expressions have one normal form."""
    form = NormalForm(VALUES, 20.0)
    return bool(form(left - right) == 0)


#: Identities, from the functions' definitions; a and b are positive, a < 1.
IDENTITIES = [
    (sp.sqrt(a / (1 - a)), sp.sqrt(a * (1 - a)) / (1 - a)),
    (1 / (1 + sp.sqrt(a)), (1 - sp.sqrt(a)) / (1 - a)),
    (sp.sqrt(8 * a**3), 2 * a * sp.sqrt(2) * sp.sqrt(a)),
    (sp.log(4 * a / (1 - a) ** 2), 2 * sp.log(2) + sp.log(a) - 2 * sp.log(1 - a)),
    (sp.sqrt((a - 1) ** 2), 1 - a),
    (sp.exp((a + b) ** 2 / (1 - a)), sp.exp(a**2 / (1 - a)) * sp.exp(b * (2 * a + b) / (1 - a))),
    (sp.asin(a), sp.pi / 2 - sp.acos(a)),
    (sp.acos(-a * sp.sqrt(b)), sp.pi - sp.acos(sp.sqrt(a**2 * b))),
    (Tail(b - a), 1 - Tail(a - b)),
    (sp.erfc(a / sp.sqrt(2)) / 2, Tail(a)),
    (Density(a), sp.exp(-(a**2) / 2) / sp.sqrt(2 * sp.pi)),
    (LogTail(1, a), -Density(a) / Tail(a)),
    (LogTail(2, a), a * Density(a) / Tail(a) - (Density(a) / Tail(a)) ** 2),
    (LogTwoCosh(2, a), 1 - sp.tanh(a) ** 2),
    (LogTwoCosh(2, a), 1 / sp.cosh(a) ** 2),
    (LogTwoCosh(3, a), -2 * sp.tanh(a) / sp.cosh(a) ** 2),
    (mean(z**4), sp.Integer(3)),
    (mean(sp.tanh(b * z)), sp.Integer(0)),
    (mean(sp.tanh(b * z + a)), mean(-sp.tanh(b * z - a))),
    (mean(a * sp.tanh(b * z) ** 2 + z**2), 1 + a - a * mean(1 / sp.cosh(b * z) ** 2)),
    (mean(Tail(a * z) * sp.log(Tail(-a * z))), mean(Tail(-a * z) * sp.log(Tail(a * z)))),
    (mean(Tail(a * z)), sp.Rational(1, 2)),
    (mean(sp.log(2 * sp.cosh(z * sp.sqrt(a)))), sp.log(2) + mean(LogTwoCosh(0, sp.sqrt(a) * z)) - sp.log(2)),
]

#: Equalities that hold for other signs or not at all.
FALSE = [
    (sp.sqrt((a - 1) ** 2), a - 1),
    (sp.sqrt(a) * sp.sqrt(1 - a), sp.sqrt(a - a**2) + sp.Rational(1, 10**9)),
    (Tail(a), Tail(-a)),
    (sp.acos(-a), -sp.acos(a)),
    (LogTail(2, a), -a * Density(a) / Tail(a) - (Density(a) / Tail(a)) ** 2),
    (mean(z**4), sp.Integer(2)),
    (mean(sp.tanh(b * z + a)), mean(sp.tanh(b * z - a))),
    (mean(sp.tanh(b * z) ** 2), mean(sp.tanh(b * z)) ** 2),
    (mean(Tail(a * z) * sp.log(Tail(a * z))), mean(Tail(-a * z) * sp.log(Tail(a * z)))),
    (sp.exp(a + b), sp.exp(a) + sp.exp(b)),
]


@pytest.mark.parametrize(("left", "right"), IDENTITIES, ids=str)
def test_identities_have_one_normal_form(left: sp.Expr, right: sp.Expr) -> None:
    assert same(left, right)


@pytest.mark.parametrize(("left", "right"), FALSE, ids=str)
def test_what_is_not_equal_is_not_proved(left: sp.Expr, right: sp.Expr) -> None:
    assert not same(left, right)


def test_a_root_of_what_is_negative_has_no_normal_form() -> None:
    with pytest.raises(BeyondError, match="negative"):
        NormalForm(VALUES, 20.0)(sp.sqrt(a - 1))


def test_averages_inside_averages_are_left_to_numbers() -> None:
    t = sp.Symbol("t", real=True)
    inner = Average(sp.tanh(z + t), Measure((t,), (sp.Integer(0),), ONE, ONE))
    with pytest.raises(BeyondError):
        NormalForm(VALUES, 20.0)(mean(inner**2))


LEAVES = st.sampled_from([a, b, sp.Integer(2), sp.Rational(1, 3), sp.sqrt(a), sp.sqrt(1 - a), sp.sqrt(b)])


def _grown(parts: st.SearchStrategy[sp.Expr]) -> st.SearchStrategy[sp.Expr]:
    pairs = st.tuples(parts, parts)
    return st.one_of(
        pairs.map(lambda p: p[0] + p[1]),
        pairs.map(lambda p: p[0] - p[1]),
        pairs.map(lambda p: p[0] * p[1]),
        pairs.map(lambda p: p[0] / (1 + p[1] ** 2)),
        parts.map(lambda x: x**2),
    )


FORMULAS = st.recursive(LEAVES, _grown, max_leaves=5)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(left=FORMULAS, right=FORMULAS)
def test_random_equalities_are_proved_exactly_where_they_hold(left: sp.Expr, right: sp.Expr) -> None:
    # 40 digits decide, independently of the normal form
    at = {a: sp.Rational(47, 100) - sp.sqrt(7) / 50, b: sp.pi / 2}
    difference = sp.N((left - right).subs(at), 40, maxn=200)
    equal = bool(abs(difference) < 1e-30)
    assert same(left, right) == equal
    assert same(left * (1 - sp.sqrt(a)) / (1 - a), left / (1 + sp.sqrt(a)))
    assert not same(left, left + sp.Rational(1, 7**9) * (1 + right**2))


# ---- claims

X = r", \quad X = \frac{\kappa-\sqrt q z}{\sqrt{1-q}}"
PROVED = [
    ("binary-perceptron", "q", r"q = \int Dz \tanh^2(\sqrt{\hat q} z)"),
    ("binary-perceptron", "q", r"1 - q = \int Dz\, \operatorname{sech}^2(\sqrt{\hat q} z)"),
    ("binary-perceptron", "q_hat", r"\hat q (1-q) = \alpha \int Dz \left[\frac{G(X)}{H(X)}\right]^2" + X),
    (
        "binary-perceptron",
        "q_hat",
        r"\hat q = \frac{2\alpha}{\pi(1-q)} \int \frac{dz}{\sqrt{2\pi}} e^{-z^2/2} \frac{e^{-X^2}}{\operatorname{erfc}^2(X/\sqrt2)}"
        + X,
    ),
    (
        "binary-perceptron",
        "free-entropy",
        r"\phi = \frac{\hat q}{2} (q-1) + \log 2 + \int Dz \log\cosh\sqrt{\hat q}z + \alpha\int Dz\log H(X)" + X,
    ),
    ("binary-teacher-student", "r", r"r = \int Dz \tanh(\hat r - \sqrt{\hat q} z)"),
    ("random-features-binary", "r", r"r = \frac{(1-q) \hat r}{1 - (1-q)(\hat p_d - \hat p)}"),
    ("random-features-binary", "generalization-error", r"\epsilon = \frac1\pi \arccos\frac{\kappa_1 r}{\sqrt{Q_d}}"),
    (
        "random-features-binary",
        "generalization-error-barycentre",
        r"\epsilon = \frac12 - \frac1\pi \arcsin\frac{\kappa_1 r}{\sqrt{\kappa_1^2 p + \kappa_\star^2 q}}",
    ),
]


def outcome_of(session: Session, model: str, quantity: str, equation: str) -> Outcome:
    """The outcome of the only claim of a text."""
    (outcome,) = session.outcomes(read_document(f"% spinodal: {model} {quantity}\n\\[ {equation} \\]\n", "text", "latex"))
    return outcome


@pytest.mark.parametrize(("model", "quantity", "equation"), PROVED)
def test_claims_are_proved_and_confirmed_by_numbers(session: Session, model: str, quantity: str, equation: str) -> None:
    outcome = outcome_of(session, model, quantity, equation)
    assert outcome.status is Status.VERIFIED, outcome.detail
    assert outcome.method == outcome.to_json()["method"] == "symbolic"
    assert outcome.detail.startswith("proved symbolically; equal at")
    assert outcome.deviation < 1e-8


def test_what_needs_an_integration_by_parts_is_compared_numerically(session: Session) -> None:
    equation = r"1-q = \frac{1}{\sqrt{\hat q}}\int Dz\, z \tanh(\sqrt{\hat q} z)"
    outcome = outcome_of(session, "binary-perceptron", "q", equation)
    assert outcome.status is Status.VERIFIED
    assert outcome.method.startswith("numerical at 6 points to ")


def test_a_proof_that_the_numbers_contradict_passes_nothing(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_module, "is_proved", lambda *_: True)
    outcome = outcome_of(session, "binary-perceptron", "q", r"q = 2 \int Dz \tanh^2(\sqrt{\hat q} z)")
    assert outcome.status is Status.NOT_CHECKED
    assert not outcome.passed
    assert "please report" in outcome.detail


def test_wrong_claims_are_not_proved_with_the_numbers_silenced(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from spinodal.verify.proof import is_proved

    verdicts = []

    def noted(*arguments: object) -> bool:
        verdicts.append(is_proved(*arguments))  # type: ignore[arg-type]
        return verdicts[-1]

    monkeypatch.setattr(check_module, "is_proved", noted)
    wrong = [
        ("random-features-binary", "r", r"r = \frac{(1-q) \hat r}{1 + (1-q)(\hat p_d - \hat p)}"),
        ("random-features-binary", "generalization-error", r"\epsilon = \frac1\pi \arccos\frac{\kappa_1 r}{Q_d}"),
        ("binary-perceptron", "q", r"q = \int Dz \tanh^2(\hat q z)"),
    ]
    for model, quantity, equation in wrong:
        assert not outcome_of(session, model, quantity, equation).passed
    assert verdicts == [False] * len(wrong)
