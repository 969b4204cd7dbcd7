"""Reading mathematics: forms that papers write, positions of what is refused, and what nobody should write."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from spinodal.verify.errors import UnreadableError
from spinodal.verify.evaluate import Evaluator
from spinodal.verify.grammar.lexer import tokenize
from spinodal.verify.grammar.parser import Parser, parse
from spinodal.verify.grammar.scopes import macros_in
from spinodal.verify.meaning import Meaning
from spinodal.verify.tree import Node, add, fn, mul, neg, num, power, sym

NAMES = {"q": 0.37, "q_hat": 0.81, "alpha": 0.6, "kappa": 0.25, "p_d_hat": 1.3, "q_1": 0.4}


def value(text: str) -> float:
    """The value of a piece of LaTeX."""
    points = {name: np.array([number]) for name, number in NAMES.items()}
    return float(Evaluator(points)(Meaning({}, list(NAMES)).resolve(parse(text)))[0])


def gaussian(function: object, low: float = -np.inf, high: float = np.inf) -> float:
    """An independent Gaussian average."""
    density = lambda z: np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * function(z)  # type: ignore[operator] # noqa: E731
    return float(integrate.quad(density, low, high, epsabs=1e-13, epsrel=1e-12)[0])


ROOT = np.sqrt(NAMES["q_hat"])
EQUIVALENT = [
    (r"\int Dz \tanh^2(\sqrt{\hat q} z)", gaussian(lambda z: np.tanh(ROOT * z) ** 2)),
    (r"\int \mathcal{D}z\, \left[\tanh\left(\sqrt{\hat{q}}\,z\right)\right]^2", gaussian(lambda z: np.tanh(ROOT * z) ** 2)),
    (r"\mathbb{E}_{z\sim\mathcal{N}(0,1)}\left[\tanh^{2}\sqrt{\hat q}z\right]", gaussian(lambda z: np.tanh(ROOT * z) ** 2)),
    (r"\left\langle \tanh^2 (\sqrt{\hat q}\xi) \right\rangle_{\xi}", gaussian(lambda z: np.tanh(ROOT * z) ** 2)),
    (r"\frac{1}{\sqrt{2\pi}}\int dx\, e^{-\frac{x^2}{2}} \cosh x", np.exp(0.5)),
    (r"\int \frac{\mathrm{d}x\; e^{-x^2/2}}{\sqrt{2\pi}} \ln 2\cosh x", gaussian(lambda z: np.logaddexp(z, -z))),
    (r"\int_\kappa^\infty Dz\, z", np.exp(-(0.25**2) / 2) / np.sqrt(2 * np.pi)),
    (r"H(\kappa) - \frac12\operatorname{erfc}\!\left(\frac{\kappa}{\sqrt2}\right)", 0.0),
    (r"\log H(40)", special.log_ndtr(-40.0)),
    (r"G(50)/H(50) - 50", 1.0 / 50.0 - 2.0 / 50.0**3 + 10.0 / 50.0**5 - 74.0 / 50.0**7),
    (r"\sum_{w=\pm 1} e^{\kappa w}", 2 * np.cosh(0.25)),
    (r"\sum_{k=0}^{3} k^2", 14.0),
    (r"\max_t\left[ -\frac{t^2}{2} + \kappa t\right]", 0.25**2 / 2),
    (r"\int Dx\,Dy\, (x+y)^2", 2.0),
    (r"\int Dx \int Dy\, (x y)^2", 1.0),
    (r"\left| -3 \right| + |q-1|", 3.63),
    (r"{1 \over 1-q}", 1 / 0.63),
    (r"\sqrt[3]{8}", 2.0),
    (r"\cos^{-1}(q)/\pi", np.arccos(0.37) / np.pi),
    (r"\tfrac{1}{2}\,\alpha\cdot\kappa \times 2", 0.15),
    (r"\frac12 \hat p_d \hat{q}", 0.5 * 1.3 * 0.81),
    (r"e^{-q} - \exp(-q) + \mathrm{e}^{0}", 1.0),
    (r"q (1-q)", 0.37 * 0.63),
    (r"H(0) q", 0.5 * 0.37),
    (r"e^{2} q", np.exp(2.0) * 0.37),
    (r"2\pi e q", 2.0 * np.pi * np.e * 0.37),
    (r"\max_t\left[H(0) t - \frac{t^2}{2}\right]", 0.125),
    (r"\int Dz\, e^{1} z^2 H(0)", np.e / 2.0),
    (r"2^{10}", 1024.0),
    (r"\sum_{w\in\{\pm1,\pm3\}} e^{\kappa w}", 2 * np.cosh(0.25) + 2 * np.cosh(0.75)),
    (r"(\kappa-q)_+ + (q-\kappa)_+", 0.12),
    (r"[q-\kappa]_{+}^2 + (q-\kappa)^2_+", 2 * 0.12**2),
    (r"\left[x^2\right]\Big|_{x=q}", 0.37**2),
    (r"\overline{\cosh z}^{z}", np.exp(0.5)),
    (r"\overline{z^2\,\overline{t^2}^{t}}^{\,z} + [z^4]_z", 4.0),
]


@pytest.mark.parametrize(("text", "expected"), EQUIVALENT)
def test_forms_that_papers_write_have_their_value(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, rel=1e-10, abs=1e-11)


@pytest.mark.parametrize(
    ("text", "offset", "reason"),
    [
        (r"\alpha (1-q", 7, "not closed"),
        (r"q + \partial f", 4, "derivatives"),
        (r"q + \partial_q f", 15, "no meaning"),
        (r"\int \tanh(z)", 0, "no differential"),
        (r"\frac{1}{2", 10, "missing"),
        (r"q + x", 4, "no meaning"),
        (r"\lim q", 0, "limits"),
        (r"q \pm 1", 2, "double sign"),
        (r"H^{-1}(q)", 1, "inverse"),
        (r"\mathbb{E}[q]", 0, "variable"),
        (r"1 + ", 4, "ends"),
        (r"2^*", 1, "superscript"),
        (r"x^*", 0, "no meaning"),
        (r"q^* + q", 0, "with a star and without"),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_stands(text: str, offset: int, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason) as caught:
        value(text)
    assert caught.value.offset == offset


def test_the_authors_macros_are_expanded() -> None:
    macros = macros_in(r"\newcommand{\Dz}{\mathcal{D}z}\def\qh{\hat q}\newcommand{\avg}[2]{\mathbb{E}_{#1}\left[#2\right]}")
    tree = Parser(tokenize(r"\int \Dz \tanh^2(\sqrt{\qh} z) - \avg{x}{\tanh^2(\sqrt{\qh} x)}", macros=macros)).whole()
    points = {"q_hat": np.array([0.81])}
    assert Evaluator(points)(Meaning({}, ["q_hat"]).resolve(tree))[0] == pytest.approx(0.0, abs=1e-13)


def test_a_macro_that_expands_to_itself_ends() -> None:
    macros = macros_in(r"\newcommand{\a}{\a + \b}\newcommand{\b}{\a}")
    assert len(tokenize(r"\a", macros=macros)) < 10


def test_error_estimate_of_an_integral_is_honest() -> None:
    evaluator = Evaluator({"kappa": np.array([0.25])})
    found = evaluator(Meaning({}, ["kappa"]).resolve(parse(r"\int Dz\, |z - \kappa|")))
    exact = gaussian(lambda z: 0.25 - z, high=0.25) + gaussian(lambda z: z - 0.25, low=0.25)
    assert abs(found[0] - exact) <= max(evaluator.error, 1e-14) * 10
    assert evaluator.error < 1e-6


# ---- properties


def latex(node: Node) -> str:
    """A tree as unambiguous LaTeX."""
    match node.kind:
        case "num":
            return str(node.value)
        case "sym":
            return {"hat(q)": r"\hat{q}", "alpha": r"\alpha"}.get(node.value, node.value)
        case "add":
            return "+".join(f"({latex(a)})" if a.kind in ("add", "neg") else latex(a) for a in node.args)
        case "neg":
            return f"-({latex(node.args[0])})"
        case "mul":
            return r" \cdot ".join(f"({latex(a)})" if a.kind in ("add", "neg", "mul") else latex(a) for a in node.args)
        case "div":
            return rf"\frac{{{latex(node.args[0])}}}{{{latex(node.args[1])}}}"
        case "pow":
            return rf"({latex(node.args[0])})^{{{latex(node.args[1])}}}"
        case _:
            name = {"tail": "H", "sqrt": None}.get(node.value, "\\" + node.value)
            inner = latex(node.args[0])
            return rf"\sqrt{{{inner}}}" if name is None else rf"{name}\left({inner}\right)"


LEAVES = st.one_of(st.integers(1, 9).map(num), st.sampled_from(["q", "hat(q)", "alpha", "q_1"]).map(sym))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: add(*p)),
        st.tuples(inner, inner).map(lambda p: mul(*p)),
        st.tuples(inner, inner).map(lambda p: Node("div", None, p)),
        st.tuples(inner, st.integers(2, 3)).map(lambda p: power(p[0], num(p[1]))),
        inner.map(neg),
        st.tuples(st.sampled_from(["tanh", "log", "exp", "tail", "sqrt"]), inner).map(lambda p: fn(*p)),
    ),
    max_leaves=12,
)


def flat(node: Node) -> Node:
    """Sums and products flattened, as the parser does."""
    args = tuple(flat(a) for a in node.args)
    if node.kind == "add":
        return add(*args)
    if node.kind == "mul":
        return mul(*args)
    return node.with_args(args)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_what_is_written_is_read_back(tree: Node) -> None:
    assert flat(parse(latex(tree))) == flat(tree)


ALPHABET = st.sampled_from(
    [*r"q z 2 + - = ( ) [ ] { } ^ _ | , ' / . 12 d D".split(), " ", r"\int", r"\frac", r"\hat", r"\sqrt", r"\left", r"\\",
     r"\mathbb{E}", r"\mathcal{D}", r"\log", r"\sum", r"\max", r"\langle", r"\rangle", r"\{", r"\}", "H", "e", r"\text{ab}"]
)  # fmt: skip


@settings(max_examples=400, deadline=2000)
@given(st.lists(ALPHABET, max_size=40))
def test_nothing_crashes_the_parser(pieces: list[str]) -> None:
    with suppress(UnreadableError):
        parse(" ".join(pieces))


@pytest.mark.parametrize(
    "text", ["(" * 5000, "{" * 5000, r"\frac" * 3000, "-" * 10000, "q^" * 3000, r"\sqrt" * 4000, "q" * 30000]
)
def test_hostile_depth_and_size_are_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        parse(text)


def test_numbers_are_exact() -> None:
    assert parse("0.1").value == Fraction(1, 10)
