"""The checks that integrate: densities of weights, variances of activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from spinodal.spec.ast import Arithmetic, Call, Name, Negate, Node, Number, names, walk
from spinodal.spec.errors import SpecError
from spinodal.spec.evaluation import FLOATS, UndeterminedError, evaluate
from spinodal.spec.quadrature import integrate
from spinodal.spec.types import Formula

Complain = Callable[[Formula, str, str | None], SpecError]
Function = Callable[[float], float]

_DENSITY_TOLERANCE = 1e-6
_ACTIVATION_TOLERANCE = 1e-4
_SMALLEST_RELATIVE_VARIANCE = 1e-10
_MAX_SPLITS = 40
# How many nodes of formulas one check may evaluate: a few tenths of a second.
_WORK = 200_000
_LARGEST_EXPONENT = 700.0
_ROOT = math.sqrt(2 * math.pi)
_PLAIN_DEGREE = 20  # powers up to this one are far smaller than exp(x^2/4) wherever tails are looked at
_BOUNDED = frozenset({"sign", "step", "tanh", "erf", "sin", "cos", "erfc", "H"})
_NO_LARGER = frozenset({"abs", "relu", "min", "max"})
_KINKED = frozenset({"abs", "sign", "step", "relu", "log", "sqrt"})

# Where zeros are looked for: evenly near the origin, geometrically beyond it.
_SEARCH = [step / 8 for step in range(-80, 81)]
_SEARCH = [*(-10 * 1.3**k for k in range(30, 0, -1)), *_SEARCH, *(10 * 1.3**k for k in range(1, 31))]


def check_density(density: Formula, values: Mapping[str, float], complain: Complain, *, teacher: bool) -> None:
    """A density is never negative and integrates to 1; a teacher's has a finite variance.

    Raises:
        SpecError: otherwise.
    """
    value = _function(density, "w", values, complain)

    def positive(w: float) -> float:
        result = value(w)
        if result < 0:
            raise complain(density, f"the density is negative at w = {w:.3g}", "a density is 0 or more")
        return result

    splits = _splits(density.root, "w", values)
    calls = _WORK // _size(density.root)
    integral = integrate(positive, [-math.inf, *splits, math.inf], tolerance=_DENSITY_TOLERANCE / 10, calls=calls)
    total = integral.value
    if integral.exhausted:
        raise complain(density, "the density is too intricate to be integrated", "simplify it")
    if not integral.settled or total > 1e100:
        raise complain(density, "the density cannot be integrated over all w", "as in exp(-abs(w))/2")
    if abs(total - 1) > _DENSITY_TOLERANCE:
        cure = f"divide it by {total:.10g}" if total > 0 else None
        raise complain(density, f"the density integrates to {total:.10g}, not 1", cure)
    if teacher and any(_tail_power(positive, side) >= -3.01 for side in (1.0, -1.0)):
        raise complain(density, "the teacher's weights have an infinite variance", "take a density with lighter tails")


def _tail_power(density: Function, side: float) -> float:
    """The power of ``w`` that a density falls with far out; minus infinity where it falls faster than any."""
    near, far = density(side * 1e8), density(side * 1e10)
    return math.log(far / near) / math.log(100) if near > 0 and far > 0 else -math.inf


def check_activation(activation: Formula, values: Mapping[str, float], complain: Complain) -> None:
    """An activation is real, has a finite variance at a Gaussian argument, and is not constant.

    Raises:
        SpecError: otherwise.
    """
    value = _function(activation, "x", values, complain)
    splits = _splits(activation.root, "x", values)
    infinite = "the activation has an infinite variance: E sigma(z)^2 diverges"
    scale = max(abs(value(x)) for x in (-3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0)) or 1.0
    degree = _degree(activation.root)
    plain = degree is not None and degree <= _PLAIN_DEGREE
    if not (plain or _tails_are_light(activation, values, scale, complain)):
        raise complain(activation, f"{infinite} at large |z|", "it must grow more slowly than exp(x**2/4)")
    for split in splits:
        if not plain and _is_singular(activation, values, split):
            raise complain(
                activation, f"{infinite} at z = {split:.4g}", "its square must be integrable, as that of log(abs(x)) is"
            )

    def moment(power: int) -> float:
        def integrand(x: float) -> float:
            size = value(x) / scale
            if size == 0:
                return 0.0
            exponent = power * math.log(abs(size)) - x * x / 2
            if exponent > _LARGEST_EXPONENT:
                return math.inf
            return math.copysign(1.0, size) ** power * math.exp(exponent) / _ROOT

        ends = [-37.0, *(split for split in splits if abs(split) < 37), 37.0]
        calls = _WORK // _size(activation.root)
        integral = integrate(integrand, ends, tolerance=_ACTIVATION_TOLERANCE, calls=calls)
        # Work that ran out says nothing against the activation: tails and poles have been looked at already.
        if not (integral.settled or integral.exhausted):
            message = "the activation varies too fast, or has an infinite variance: E sigma(z)^2 cannot be computed"
            raise complain(activation, message, "take a smoother one")
        return integral.value

    second = moment(2)
    seen = [value(x / 8 + 0.01) for x in range(-24, 25)]
    # The mean is worth an integral only where the activation looks constant.
    looks_constant = max(seen) - min(seen) <= 1e-3 * max(map(abs, seen))
    if second == 0 or (looks_constant and second - moment(1) ** 2 < _SMALLEST_RELATIVE_VARIANCE * second):
        raise complain(activation, "the activation is constant: its centred features vanish", "take one that varies with x")


def _function(formula: Formula, variable: str, values: Mapping[str, float], complain: Complain) -> Function:
    """The formula as a function of floats; isolated points without a value count as 0."""
    env = dict(values)

    def call(x: float) -> float:
        env[variable] = x
        try:
            result = float(evaluate(formula.root, env, context=FLOATS))
        except ValueError as error:
            raise complain(
                formula, f"not a real number at {variable} = {x:.3g}: {error}", f"it must be real for all {variable}"
            ) from None
        except ArithmeticError:
            return 0.0
        return result if math.isfinite(result) else 0.0

    return call


def _splits(root: Node, variable: str, values: Mapping[str, float]) -> list[float]:
    """Where the formula may have kinks, jumps or poles, or a peak; 0 and a few other points always."""
    found = {0.0, 3.0, -3.0, 8.0, -8.0}
    most = max(8, min(_MAX_SPLITS, 6000 // _size(root)))
    brackets: list[tuple[float, float, Function]] = []
    for argument in _critical_arguments(root):
        if variable in names(argument):
            brackets += _brackets(_sign_of(argument, variable, values))
    # Near the origin is where both Gaussians and densities have their weight.
    for low, high, sign in sorted(brackets, key=lambda bracket: abs(bracket[1]))[: 2 * most]:
        found.add(_zero(low, high, sign))
    return sorted(sorted(found, key=abs)[:most])


def _size(root: Node) -> int:
    return sum(1 for _ in walk(root))


def _critical_arguments(root: Node) -> set[Node]:
    """The expressions whose zeros are special points of the formula."""
    found: set[Node] = set()
    for node in walk(root):
        match node:
            case Call(function=function, arguments=(argument,)) if function in _KINKED:
                found.add(argument)
            case Call(function="max" | "min", arguments=arguments):
                found.update(Arithmetic("-", a, b) for index, a in enumerate(arguments) for b in arguments[index + 1 :])
            case Arithmetic(operator="/", right=right):
                found.add(right)
            case Arithmetic(operator="**", left=left):
                found.add(left)
            case _:
                pass
    return found


def _sign_of(argument: Node, variable: str, values: Mapping[str, float]) -> Function:
    env = dict(values)

    def sign(x: float) -> float:
        env[variable] = x
        try:
            value = evaluate(argument, env, context=FLOATS)
        except (ArithmeticError, ValueError):
            return 0.0
        return float(value > 0) - float(value < 0)

    return sign


def _brackets(sign: Function) -> list[tuple[float, float, Function]]:
    """Intervals between neighbouring search points that hold a zero; empty ones where it is a search point itself."""
    found: list[tuple[float, float, Function]] = []
    signs = [sign(x) for x in _SEARCH]
    for index, x in enumerate(_SEARCH):
        # A run of zeros is a flat piece such as relu's: only its beginning is special.
        if signs[index] == 0 and not (index and signs[index - 1] == 0):
            found.append((x, x, sign))
        elif index and signs[index] * signs[index - 1] < 0:
            found.append((_SEARCH[index - 1], x, sign))
    return found


def _zero(low: float, high: float, sign: Function) -> float:
    """Bisection down to neighbouring doubles."""
    at_low = sign(low)
    while low < (middle := (low + high) / 2) < high:
        if sign(middle) == at_low:
            low = middle
        else:
            high = middle
    return high


def _mp_function(formula: Formula, values: Mapping[str, float], mp: Any) -> Callable[[Any], Any]:
    env = {name: mp.mpf(value) for name, value in values.items()}

    def call(x: Any) -> Any:
        return evaluate(formula.root, {**env, "x": x}, context=mp)

    return call


def _degree(node: Node) -> int | None:
    """A power of x that bounds the formula everywhere; None unless its form shows that there is one.

    Most activations are of this kind, and need not be looked at with many digits.
    """
    match node:
        case Number():
            return 0
        case Name(name=name):
            return int(name == "x")
        case Negate(operand=operand):
            return _degree(operand)
        case Call(function=function, arguments=arguments) if function in _BOUNDED:
            return None if None in map(_degree, arguments) else 0
        case Call(function=function, arguments=arguments) if function in _NO_LARGER:
            degrees = [degree for degree in map(_degree, arguments) if degree is not None]
            return max(degrees) if len(degrees) == len(arguments) else None
        case Arithmetic(operator="+" | "-" | "*" as operator, left=left, right=right):
            first, second = _degree(left), _degree(right)
            if first is None or second is None:
                return None
            return first + second if operator == "*" else max(first, second)
        case Arithmetic(operator="/", left=left, right=Number(value=value)) if value:
            return _degree(left)
        case Arithmetic(operator="**", left=left, right=Number(value=value)) if value.denominator == 1 and value >= 0:
            degree = _degree(left)
            return None if degree is None else degree * int(value)
        case _:
            return None


def _tails_are_light(activation: Formula, values: Mapping[str, float], scale: float, complain: Complain) -> bool:
    """Whether the Gaussian weight times the square of the activation falls faster than 1/x far out.

    Looked at in logarithms, where exp(x**2) is a plain number at any x.
    """
    from mpmath import mp

    with mp.workdps(30):
        function = _mp_function(activation, values, mp)
        for size in (40, 80, 1000, 10000, 1000000):
            for x in (mp.mpf(size), -mp.mpf(size)):
                try:
                    value = abs(function(x))
                except ValueError as error:
                    raise complain(
                        activation, f"not a real number at x = {float(x):g}: {error}", "it must be real for all x"
                    ) from None
                except (ZeroDivisionError, UndeterminedError):
                    continue
                except ArithmeticError:
                    return False
                if value > 0 and 2 * mp.log(value / scale) - x**2 / 2 >= -1.01 * mp.log(size):
                    return False
    return True


def _is_singular(activation: Formula, values: Mapping[str, float], point: float) -> bool:
    """Whether the square of the activation cannot be integrated across a point: a power law of -1/2 or below."""
    from mpmath import mp

    with mp.workdps(60):
        function = _mp_function(activation, values, mp)

        def size(x: Any) -> Any:
            try:
                return abs(function(x))
            except OverflowError:
                return mp.inf
            except (ArithmeticError, ValueError):
                return mp.zero

        for side in (1, -1):
            # Most special points are harmless kinks, which one glance settles.
            if size(point + side * mp.mpf("1e-12")) <= 3 * size(point + side * mp.mpf("1e-3")):
                continue
            centre = _refined(activation.root, values, point, mp)
            near, far = size(centre + side * mp.mpf("1e-30")), size(centre + side * mp.mpf("1e-20"))
            if near == mp.inf:
                return True
            if near > 0 and far > 0 and mp.log(near / far) / mp.log(mp.mpf("1e-10")) <= mp.mpf("-0.4999"):
                return True
    return False


def _refined(root: Node, values: Mapping[str, float], point: float, mp: Any) -> Any:
    """The special point to high precision: the exact formula's zero rather than the nearest double."""
    env = {name: mp.mpf(value) for name, value in values.items()}
    for argument in _critical_arguments(root):
        if "x" not in names(argument):
            continue
        low, high = mp.mpf(point) - mp.mpf("1e-11"), mp.mpf(point) + mp.mpf("1e-11")

        def sign(x: Any, argument: Node = argument) -> int:
            try:
                value = evaluate(argument, {**env, "x": x}, context=mp)
            except (ArithmeticError, ValueError):
                return 0
            return int(value > 0) - int(value < 0)

        at_low = sign(low)
        if at_low * sign(high) >= 0:
            continue
        for _ in range(150):
            middle = (low + high) / 2
            if sign(middle) == at_low:
                low = middle
            else:
                high = middle
        return high
    return mp.mpf(point)
