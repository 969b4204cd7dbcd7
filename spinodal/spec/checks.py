"""What the formulas of a spec mean in numbers: probabilities, densities, activations, temperatures.

Each check runs once the parameters it depends on have values: at the defaults when a spec is read, and at the values of
a run. The checks that integrate are imported when a spec needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from spinodal.spec.ast import names
from spinodal.spec.errors import SpecError
from spinodal.spec.evaluation import FLOATS, evaluate
from spinodal.spec.field_checks import check_constraint_can_hold, check_label, check_loss_is_real, check_regularization
from spinodal.spec.tokens import VARIABLES
from spinodal.spec.types import Formula, Spec, Weights

_SUM_TOLERANCE = 1e-9

Complain = Callable[[Formula, str, str | None], SpecError]


def default_values(spec: Spec) -> dict[str, float]:
    """The defaults of the parameters that have one."""
    return {parameter.name: parameter.default for parameter in spec.parameters if parameter.default is not None}


def check_meaning(
    spec: Spec,
    values: Mapping[str, float],
    *,
    source: str | None = None,
    only_depending_on: frozenset[str] | None = None,
) -> None:
    """Check every formula whose parameters have values.

    Args:
        spec: the model.
        values: values of parameters.
        source: what to blame; None blames the place of the formula in the spec.
        only_depending_on: skip formulas that depend on none of these parameters.

    Raises:
        SpecError: a formula cannot mean what its place asks for.
    """

    def complain(formula: Formula, message: str, cure: str | None) -> SpecError:
        if source is not None:
            used = ", ".join(f"{name} = {values[name]:g}" for name in sorted(_parameters([formula]) & values.keys()))
            where = f" at {used}" if used and " at " not in message else ""
            return SpecError(f"{formula.place}: {message}{where}", cure=cure, source=source)
        if spec.origin is None:
            return SpecError(f"{formula.place}: {message}", cure=cure, source=spec.source)
        return spec.origin.error(formula.place, message, cure)

    def known(formulas: Iterable[Formula]) -> bool:
        return _parameters(formulas) <= values.keys()

    def due(formulas: Iterable[Formula]) -> bool:
        return known(formulas) and (only_depending_on is None or bool(_parameters(formulas) & only_depending_on))

    for weights, is_teacher in _priors(spec):
        if weights.kind == "discrete" and due([*weights.values, *(weights.probabilities or ())]):
            _check_discrete(weights, values, complain, teacher=is_teacher)
        if weights.density is not None and due([weights.density]):
            from spinodal.spec.integrals import check_density

            check_density(weights.density, values, complain, teacher=is_teacher)
    if spec.student.activation is not None and due([spec.student.activation]):
        from spinodal.spec.integrals import check_activation

        check_activation(spec.student.activation, values, complain)
    labels = [-1.0, 1.0]
    if (teacher := spec.teacher) is not None:
        flip = teacher.flip_probability
        if flip is not None and due([flip]):
            _check_range(flip, values, complain, "a probability lies between 0 and 1", 0.0, 1.0)
        if known([teacher.label]):
            labels = check_label(teacher.label, flip, values, complain)
    loss = spec.loss.constraint or spec.loss.energy
    if loss is not None and due([loss]):
        check_loss_is_real(loss, labels, values, complain)
    if spec.loss.constraint is not None and due([spec.loss.constraint]):
        check_constraint_can_hold(spec.loss.constraint, labels, values, complain)
    if spec.loss.regularization is not None and due([spec.loss.regularization]):
        must_confine = spec.student.weights.kind == "unconstrained"
        check_regularization(spec.loss.regularization, values, complain, must_confine=must_confine)
    for temperature in (spec.loss.temperature, spec.ansatz.reference.temperature if spec.ansatz.reference else None):
        if temperature is not None and due([temperature]):
            _check_range(temperature, values, complain, "a temperature is 0 or more", 0.0, None)
            if _parameters([temperature]) and number_at(temperature, values, complain) == 0.0:
                raise complain(
                    temperature,
                    f"the temperature vanishes{_at([temperature], values)}",
                    "a ground state is a theory of its own: declare temperature = 0 (--with loss.temperature=0)",
                )
    for size in ("m", "m1", "m2", "mu", "replicas"):
        formula = getattr(spec.ansatz, size)
        if isinstance(formula, Formula) and due([formula]) and (value := number_at(formula, values, complain)) <= 0.0:
            rule = "a number of replicas is positive" if size == "replicas" else "a size of blocks is positive"
            raise complain(formula, f"{size} is {value:.6g}{_at([formula], values)}", rule)
    replicas = spec.ansatz.replicas
    divided = spec.student.features == "random"  # by what a replica shares with the others
    if divided and isinstance(replicas, Formula) and due([replicas]) and number_at(replicas, values, complain) == 1.0:
        raise complain(
            replicas,
            "a single replica has no overlap with others: whatever q1, its free entropy is that of replica symmetry",
            'take more replicas, or the ansatz "replica-symmetric"',
        )


def _parameters(formulas: Iterable[Formula]) -> frozenset[str]:
    return frozenset[str]().union(*(names(formula.root) for formula in formulas)) - VARIABLES


def _priors(spec: Spec) -> list[tuple[Weights, bool]]:
    priors = [(spec.student.weights, False)]
    return priors if spec.teacher is None else [*priors, (spec.teacher.weights, True)]


def number_at(formula: Formula, values: Mapping[str, float], complain: Complain) -> float:
    """The finite value of a formula in parameters."""
    try:
        value = float(evaluate(formula.root, values, context=FLOATS))
    except (ArithmeticError, ValueError):
        value = float("nan")
    if not abs(value) < float("inf"):
        raise complain(formula, f"{formula.text} has no finite value{_at([formula], values)}", None)
    return value


def _at(formulas: Iterable[Formula], values: Mapping[str, float]) -> str:
    """`` at rho = 0.5``: the values that formulas were evaluated at."""
    used = sorted(_parameters(formulas) & values.keys())
    return f" at {', '.join(f'{name} = {values[name]:.6g}' for name in used)}" if used else ""


def _check_range(
    formula: Formula, values: Mapping[str, float], complain: Complain, rule: str, lowest: float, highest: float | None
) -> None:
    value = number_at(formula, values, complain)
    if value < lowest or (highest is not None and value > highest):
        entry = formula.place.rpartition(".")[2]
        raise complain(formula, f"{entry} is {value:.6g}{_at([formula], values)}", rule)


def _check_discrete(weights: Weights, values: Mapping[str, float], complain: Complain, *, teacher: bool) -> None:
    points = [number_at(value, values, complain) for value in weights.values]
    for index, point in enumerate(points):
        if point in points[:index]:
            raise complain(weights.values[index], f"the value {point:.6g} stands twice", "values must differ")
    masses = [1.0 / len(points)] * len(points)
    if weights.probabilities is not None:
        masses = [number_at(probability, values, complain) for probability in weights.probabilities]
        for probability, mass in zip(weights.probabilities, masses, strict=True):
            if mass < 0:
                raise complain(probability, f"a negative probability, {mass:.6g}{_at([probability], values)}", "0 or more")
        total = sum(masses)
        if abs(total - 1) > _SUM_TOLERANCE:
            # Close to 1 but not 1: somebody rounded.
            cure = 'write fractions as formulas, as in "1/3"' if abs(total - 1) < 0.01 else None
            message = f"the probabilities sum to {total:.10g}{_at(weights.probabilities, values)}, not 1"
            raise complain(_whole(weights.probabilities[0]), message, cure)
    if teacher and sum(mass * point**2 for mass, point in zip(masses, points, strict=True)) == 0:
        raise complain(_whole(weights.values[0]), "the teacher's weights are all 0", "give them a variance above 0")


def _whole(element: Formula) -> Formula:
    """Stands for the array that a formula is the first element of, when a message is about the array."""
    return Formula(element.text, element.root, element.place.removesuffix("[0]"))
