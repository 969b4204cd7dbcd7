"""Formulas: parsing, printing, evaluation, limits."""

import contextlib
import math
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinodal.spec.ast import Arithmetic, Call, Compare, Logic, Name, Negate, Number, names
from spinodal.spec.errors import FormulaError
from spinodal.spec.evaluation import FLOATS, evaluate
from spinodal.spec.parser import parse_formula
from spinodal.spec.printing import to_text

X, Y, Z = Name("x"), Name("y"), Name("z")


def parse(text, truth=None):
    return parse_formula(text, variables=["x", "y", "h"], parameters=["z", "kappa"], truth=truth).root


def value(text, **env):
    return evaluate(parse(text), {"x": 0.0, "y": 0.0, "h": 0.0, "z": 0.0, "kappa": 0.0} | env, context=FLOATS)


# Trees the parser can make: literals are decimals that are not negative, logic joins truth values.
literals = st.builds(
    lambda digits, exponent: Number(Fraction(digits) * Fraction(10) ** exponent),
    st.integers(min_value=0, max_value=10**15),
    st.integers(min_value=-30, max_value=30),
)
atoms = literals | st.sampled_from([X, Y, Z, Name("pi")])


def extend(numbers):
    return st.one_of(
        st.builds(Negate, numbers),
        st.builds(Arithmetic, st.sampled_from("+-*"), numbers, numbers),
        st.builds(Arithmetic, st.just("/"), numbers, st.sampled_from([X, Call("exp", (Y,)), Negate(Z)])),
        st.builds(Arithmetic, st.just("**"), st.builds(lambda a: Call("abs", (a,)), numbers), atoms_in_exponents),
        st.builds(Arithmetic, st.just("**"), numbers.filter(has_no_power), st.sampled_from([Number(Fraction(2)), Y])),
        st.builds(lambda f, a: Call(f, (a,)), st.sampled_from(["sign", "tanh", "H", "relu"]), numbers),
        st.builds(
            lambda f, a: Call(f, tuple(a)), st.sampled_from(["max", "min"]), st.lists(numbers, min_size=2, max_size=3)
        ),
    )


def has_no_power(node):
    return "**" not in to_text(node)


atoms_in_exponents = st.sampled_from([X, Negate(Y), Arithmetic("/", Number(Fraction(1)), Number(Fraction(3))), Negate(X)])
numbers = st.recursive(atoms, extend, max_leaves=12)
comparisons = st.builds(Compare, st.sampled_from(["<", "<=", ">", ">="]), numbers, numbers)
truths = st.recursive(
    comparisons,
    lambda inner: st.builds(
        lambda word, operands: Logic(word, tuple(operands)),
        st.sampled_from(["and", "or"]),
        st.lists(inner, min_size=2, max_size=3),
    ),
    max_leaves=4,
)


@given(numbers | truths)
def test_printing_a_tree_and_parsing_it_gives_the_same_tree(tree):
    text = to_text(tree)
    if len(text) <= 1000:
        assert parse(text) == tree


@given(numbers | truths)
def test_printed_parentheses_are_needed(tree):
    text = to_text(tree)
    for index, character in enumerate(text):
        # Those around arguments belong to the call, and a*(-b) keeps its own for the reader.
        if character != "(" or (index and (text[index - 1].isalpha())) or text[index + 1] == "-" or len(text) > 1000:
            continue
        depth, end = 0, index
        for end in range(index, len(text)):
            depth += (text[end] == "(") - (text[end] == ")")
            if depth == 0:
                break
        bare = text[:index] + text[index + 1 : end] + text[end + 1 :]
        with contextlib.suppress(FormulaError):
            assert parse(bare) != tree


@given(st.text(alphabet="xyzh0123456789.+-*/()<>=, eandorpisqtm^'[]_", max_size=40) | st.text(max_size=30))
def test_any_text_is_parsed_or_refused_at_a_column_inside_it(text):
    column = 0
    try:
        parse(text)
    except FormulaError as error:
        column = error.column
    assert 0 <= column <= len(text)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("x + y*z", Arithmetic("+", X, Arithmetic("*", Y, Z))),
        ("x - y - z", Arithmetic("-", Arithmetic("-", X, Y), Z)),
        ("x/y/z", Arithmetic("/", Arithmetic("/", X, Y), Z)),
        ("-x**y", Negate(Arithmetic("**", X, Y))),
        ("x**-y", Arithmetic("**", X, Negate(Y))),
        ("-x*y", Arithmetic("*", Negate(X), Y)),
        ("+x", X),
        (
            "x < y and y < z or z >= x",
            Logic("or", (Logic("and", (Compare("<", X, Y), Compare("<", Y, Z))), Compare(">=", Z, X))),
        ),
        ("-z <= x <= z", Logic("and", (Compare("<=", Negate(Z), X), Compare("<=", X, Z)))),
        ("max(x, y, z)", Call("max", (X, Y, Z))),
        ("0.1", Number(Fraction(1, 10))),
        ("1e-3", Number(Fraction(1, 1000))),
        (".5", Number(Fraction(1, 2))),
    ],
)
def test_precedence_is_that_of_python(text, tree):
    assert parse(text) == tree


def test_powers_associate_to_the_right_as_in_python():
    with pytest.raises(FormulaError, match="tower"):
        parse("x**y**z")
    assert parse("(x**2)**3") == Arithmetic("**", Arithmetic("**", X, Number(Fraction(2))), Number(Fraction(3)))


def test_nodes_know_their_columns():
    tree = parse("y*h >= kappa")
    assert isinstance(tree, Compare)
    assert (tree.left.column, tree.right.column) == (0, 7)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("x + alhpa_T", 4, "unknown parameter"),
        ("x + (y - (z", 9, r"this \( is never closed"),
        ("x) + 1", 1, r"this \) closes nothing"),
        ("__import__('os')", 0, "no place in a formula"),
        ("x.__class__", 1, "no attributes"),
        ("x[0]", 1, "no brackets"),
        ("'x'", 0, "no text"),
        ("x^2", 1, "not a power"),
        ("x == y", 2, "cannot be used"),
        ("eval(x)", 0, "no place in a formula"),
        ("globals()", 0, "unknown function"),
        ("z(x)", 0, "not a function"),
        ("9**9**9", 1, "tower of powers"),
        ("2**(1 + 9**9)", 1, "tower of powers"),
        ("(x**64)**64", 7, "power of a power"),
        ("(x**9*y**9)**9", 11, "power of a power"),
        ("x**65", 3, "too large"),
        ("x**(60 + 5)", 4, "too large"),
        ("x**-65", 3, "too large"),
        ("1e300**2", 5, "too large"),
        ("1e301", 0, "too large"),
        ("1e-301", 0, "too small"),
        ("1e999999999999", 0, "too long or too large"),
        ("1" * 51, 0, "too long"),
        ("x/(2 - 2)", 1, "division by zero"),
        ("0**-1", 1, "division by zero"),
        ("nan", 0, "unknown parameter"),
        ("max(x)", 0, "2 or more"),
        ("sign()", 0, "one argument, not 0"),
        ("abs(x > 0)", 4, "needs a number"),
        ("x and y", 0, "joins truth values"),
        ("-(x > 0)", 2, "needs a number"),
        ("", 0, "empty"),
        ("x +", 3, "breaks off"),
        ("max(x, )", 7, "missing after ,"),
    ],
)
def test_mistakes_are_found_at_their_column(text, column, message):
    with pytest.raises(FormulaError, match=message) as caught:
        parse(text)
    assert caught.value.column == column


def test_a_truth_value_is_asked_for_and_refused():
    assert parse("x > 0", truth=True) == Compare(">", X, Number(Fraction(0)))
    with pytest.raises(FormulaError, match="a truth value is needed"):
        parse("x", truth=True)
    with pytest.raises(FormulaError, match="a number is needed"):
        parse("x > 0", truth=False)


@pytest.mark.parametrize("text", ["x" + "+x" * 600, "(" * 60 + "x" + ")" * 60, "-" * 60 + "x", "+".join(["x"] * 150)])
def test_length_depth_and_terms_are_limited(text):
    with pytest.raises(FormulaError, match=r"characters|deeply|in a row"):
        parse(text)


def test_a_formula_within_all_limits_is_accepted():
    assert names(parse("+".join(["x"] * 99))) == {"x"}
    assert names(parse("(" * 45 + "x" + ")" * 45)) == {"x"}
    parse("(x**8)**8 + x**64 + (x*y)**40")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sign(x)", -1.0),
        ("abs(x)", 0.7),
        ("sqrt(abs(x))", math.sqrt(0.7)),
        ("exp(x)", math.exp(-0.7)),
        ("log(abs(x))", math.log(0.7)),
        ("erf(x)", math.erf(-0.7)),
        ("erfc(x)", math.erfc(-0.7)),
        ("tanh(x)", math.tanh(-0.7)),
        ("sin(x)*cos(x)", math.sin(-0.7) * math.cos(-0.7)),
        ("relu(x) + relu(-x)", 0.7),
        ("max(x, 0, 1) - min(x, 0, 1)", 1.7),
        ("step(x) + 2*step(-x)", 2.0),
        ("step(0) + sign(0)", 0.5),
        ("H(x)", 0.5 * math.erfc(-0.7 / math.sqrt(2))),
        ("x**2 + x**-1", 0.49 - 1 / 0.7),
        ("abs(x)**0.5", math.sqrt(0.7)),
        ("2*pi", 2 * math.pi),
    ],
)
@pytest.mark.parametrize("context", [FLOATS, mpmath.fp, mpmath.mp], ids=["floats", "fp", "mp"])
def test_every_function_has_its_value_in_every_context(text, expected, context):
    x = context.mpf(-7) / 10
    assert float(evaluate(parse(text), {"x": x}, context=context)) == pytest.approx(expected, rel=1e-14)


def test_truth_values():
    assert value("-1 < x < 1 and y >= 0", x=0.5) is True
    assert value("x > 1 or y > 1", x=0.5) is False


def test_high_precision_reaches_where_floats_overflow():
    with mpmath.mp.workdps(30):
        size = evaluate(parse("exp(x**2)"), {"x": mpmath.mpf(80)}, context=mpmath.mp)
        assert mpmath.log(size) == pytest.approx(6400)
    with pytest.raises(OverflowError):
        value("exp(x**2)", x=80.0)


@pytest.mark.parametrize("text", ["sqrt(x)", "log(x)", "x**0.5"])
def test_a_value_that_is_not_real_is_an_error(text):
    with pytest.raises(ValueError, match="negative"):
        value(text, x=-1.0)


@settings(deadline=1000)
@given(numbers, st.floats(-3, 3), st.floats(0.1, 3), st.floats(-3, 3))
def test_evaluation_never_fails_but_by_arithmetic(tree, x, y, z):
    with contextlib.suppress(ArithmeticError, ValueError):
        evaluate(tree, {"x": x, "y": y, "z": z}, context=FLOATS)
