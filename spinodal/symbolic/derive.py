"""From a spec to its theory.

1. moments of the activation, prior leaf, label law, output leaves    ingredients.py, structure.py
2. channels and feature block on the ansatz' tree of replicas          action.py (replica algebra, n -> 0)
3. the free entropy as their sum, with the pairing of conjugates       action.py
4. stationarity, one equation for each order parameter                 stationarity.py (Price's theorem, textbook form)
5. Jacobian, its directional derivative, parameter derivatives         stationarity.py, system.py
6. replicon and observables                                            replicon.py, observables.py

Nothing here knows a model by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from spinodal.spec import canonical_json
from spinodal.spec.ast import Name
from spinodal.spec.types import Ansatz, Observable, Spec
from spinodal.symbolic.action import Q_D_HAT, Action, action_of
from spinodal.symbolic.derivation import Alphabets, Breaking, Derived, Origin
from spinodal.symbolic.domain import conditions_of, definitions_of
from spinodal.symbolic.errors import DerivationError, placed
from spinodal.symbolic.formulas import symbol, to_sympy
from spinodal.symbolic.franz_parisi import derive_franz_parisi
from spinodal.symbolic.ground_observables import answered_leaves, ground_observables
from spinodal.symbolic.ingredients import gather
from spinodal.symbolic.labels import LABEL, RealLabels, signal_and_noise
from spinodal.symbolic.observables import Tilt, derive_observables
from spinodal.symbolic.outputs import label_leaves
from spinodal.symbolic.partitions import note, recorded
from spinodal.symbolic.replicon import replicons_of
from spinodal.symbolic.shorthand import shorthand_of
from spinodal.symbolic.stabilities import Stabilities, stabilities
from spinodal.symbolic.stationarity import completed, complexity, parameter_derivative, saddle_of, slope
from spinodal.symbolic.symbols import ALPHA, FIELD_DIAGONAL, FIELD_TEACHER, KAPPA_1, KAPPA_STAR_SQ, with_hat

#: Theories by all of their spec but the activation; the oldest makes room.
_ALIKE: dict[str, Derived] = {}
_MOST_ALIKE = 8
#: The multiplier of a ground state that Newton's method begins from: weights that are nearly free.
_GUESSED_MULTIPLIER = sp.Float(-0.01)


def derive(spec: Spec) -> Derived:
    """Derive a spec's theory under its ansatz.

    An activation without parameters enters through the values of its moments only, so that models which differ in it are
    derived once.

    Raises:
        DerivationError: if the declared model has no theory here; says where in the spec and why.
    """
    if spec.student.activation is None or spec.student.features != "random":
        return _derive(spec)
    moments = gather(replace(spec, ansatz=Ansatz("replica-symmetric"))).moments
    if moments is None or moments.linear.free_symbols | moments.nonlinear.free_symbols:
        return _derive(spec)
    defaults = [(p.name, p.default) for p in spec.parameters]
    key = f"{canonical_json(replace(spec, student=replace(spec.student, activation=None)))} {defaults}"
    if key not in _ALIKE:
        if len(_ALIKE) >= _MOST_ALIKE:
            _ALIKE.pop(next(iter(_ALIKE)))
        _ALIKE[key] = _derive(spec)
    found = _ALIKE[key]
    note(found.partitions)
    values = {KAPPA_1: moments.linear, KAPPA_STAR_SQ: moments.nonlinear}
    definitions = tuple(replace(d, expression=values.get(d.symbol, d.expression)) for d in found.definitions)
    return replace(found, spec=spec, definitions=definitions, moments=moments)


def _derive(spec: Spec) -> Derived:
    with recorded() as made:
        derived = _stages(spec)
    names = [symbol(name) for name in spec.parameter_names()]
    return replace(derived, partitions=tuple(p for p in dict.fromkeys(made) if p.varies_with(names)))


def _stages(spec: Spec) -> Derived:
    if spec.ansatz.scheme == "franz-parisi":
        return derive_franz_parisi(spec, derive)
    action = action_of(gather(spec))
    saddle = saddle_of(action)
    definitions = definitions_of(action)
    observables, tilts = observables_of(action)
    parameters = tuple(spec.parameter_names())
    unknowns = saddle.system.unknowns
    derivative = parameter_derivative(action, saddle, definitions, parameters)
    return Derived(
        spec=spec,
        order_parameters=tuple(str(x) for x in unknowns),
        conjugates=tuple(str(x) for x in unknowns if str(x).endswith("_hat")),
        parameters=parameters,
        definitions=definitions,
        free_entropy=action.free_entropy,
        system=saddle.system,
        channel_values=completed(action, saddle, derivative),
        parameter_derivative=derivative,
        textbook=saddle.textbook,
        observables=observables,
        tilts=tilts,
        conditions=conditions_of(action),
        leaves={
            **action.prior.leaves,
            **action.output.channel.leaves,
            **label_leaves(action.output),
            **(answered_leaves(action) if action.ground else {}),
        },
        channels=(action.prior, action.output.channel),
        fixed={str(k): v for k, v in action.fixed().items()},
        saturating={str(action.top): action.identified(action.diagonal)}
        if action.top in unknowns and not action.ground
        else {},
        moments=action.given.moments,
        pieces={"pairing": action.identified(action.pairing), "block": action.identified(action.block)},
        parts=action.parts,
        unbounded=_unbounded(action),
        symmetric=_origin(action, tuple(str(x) for x in unknowns)),
        breaking=_breaking(action, tuple(str(x) for x in unknowns)),
        stabilities=_stabilities(action),
        shorthand=shorthand_of(action),
        ground=action.ground,
        label=_label(action),
        alphabets=_alphabets(action),
    )


def _alphabets(action: Action) -> Alphabets | None:
    given = action.given
    if not (given.prior.discrete and given.teacher is not None and given.teacher.values) or action.random or action.ground:
        return None
    return Alphabets(given.prior.leaf.values, given.teacher.values, given.teacher.probabilities)


def _label(action: Action) -> tuple[sp.Expr, sp.Expr, sp.Expr] | None:
    law = action.output.law
    if not isinstance(law, RealLabels) or all(leaf.label != LABEL for leaf in action.output.channel.leaves.values()):
        return None
    return (*signal_and_noise(law), sp.sqrt(action.teacher_variance))


def _unbounded(action: Action) -> tuple[str, ...]:
    structure = action.structure
    if structure.infinite is None:
        return ()
    return tuple(str(structure.names(letter)[-1]) for letter in (("q", "p") if action.random else ("q",)))


def _origin(action: Action, unknowns: tuple[str, ...]) -> Origin | None:
    """With a constrained overlap, the replica-symmetric state: all levels coincide there, at a regular root."""
    if not action.structure.constrained:
        return None
    structure = action.structure
    (parameter,) = structure.constrained
    table: dict[sp.Symbol, sp.Expr] = {**structure.collapsed("q"), **structure.collapsed("p")}
    state, guessed = _state_of_fewer_levels(action, unknowns, table)
    sizes = tuple(str(size) for size in structure.extremised)
    return Origin(str(parameter), str(table[parameter]), state, "".join(sizes), guessed, _powers(action, unknowns))


def _breaking(action: Action, unknowns: tuple[str, ...]) -> Breaking | None:
    """Where levels are free to coincide, what they are in the state of one level less."""
    structure = action.structure
    if not structure.breaks:
        return None
    count, letters = len(structure.labels), ("q", "p") if action.random else ("q",)
    levels = tuple(tuple(str(x) for x in structure.names(letter)[:count]) for letter in letters)
    *outer, inner = structure.sizes
    table: dict[sp.Symbol, sp.Expr] = {**structure.merged("q"), **structure.merged("p")}
    table |= {size: symbol("m") for size in outer if size in structure.extremised}
    fixed: dict[str, float] = {}
    if action.ground and not action.free_diagonal:  # the innermost level is the self-overlap
        fixed[str(action.top)] = float(action.diagonal)
        table = {x: action.diagonal if value == symbol("q") else value for x, value in table.items()}
    state, guessed = _state_of_fewer_levels(action, unknowns, table)
    return Breaking(
        levels,
        str(inner) if inner in structure.extremised else "",
        tuple(str(size) for size in structure.extremised),
        state,
        guessed,
        action.given.prior.is_counted,
        fixed,
        next(iter(structure.given_sizes.values()), None) if action.ground else None,
        _temperature(action.given.spec),
    )


def _temperature(spec: Spec) -> str:
    """The parameter that is the temperature of the loss, and nothing else; empty where there is none."""
    declared = spec.loss.temperature
    return declared.root.name if declared is not None and isinstance(declared.root, Name) else ""


def _state_of_fewer_levels(
    action: Action, unknowns: tuple[str, ...], table: Mapping[sp.Symbol, sp.Expr]
) -> tuple[dict[str, str | float], tuple[str, ...]]:
    """Order parameters in terms of those of fewer levels, and those of them that are a guess; free sizes have no value."""
    symmetric = table.get(action.top) == symbol("q")
    state: dict[str, str | float] = {}
    for name in unknowns:
        if symbol(name) in action.structure.extremised and symbol(name) not in table:
            continue
        value = table.get(symbol(name), symbol(name))
        if (
            action.imposed and symmetric and value == Q_D_HAT
        ):  # eliminated in the replica-symmetric theory: a guess is enough
            value = table[with_hat(action.top)]
        if action.ground and action.imposed and symbol(name) == action.diagonal_conjugate:
            value = _GUESSED_MULTIPLIER
        state[name] = float(value) if value.is_number else str(value)
    eliminated = action.imposed and (symmetric or action.ground)
    return state, (str(action.diagonal_conjugate),) if eliminated else ()


def _powers(action: Action, unknowns: tuple[str, ...]) -> tuple[int, ...]:
    """How order parameters scale as infinitely many replicas come close and the difference of their levels diverges.

    The maximiser then obeys the loss, t* = omega + D L'(t*): L' vanishes as 1/D, so that conjugates of levels (averages of
    L'^2) vanish as 1/D^2, and those of the diagonal, the teacher and the differences (of L'' or L') as 1/D. The conjugate
    that imposes the overlap stays, and so do the self-overlap and the multiplier of the weights.
    """
    structure = action.structure
    if structure.infinite is None:
        return ()
    table: dict[str, int] = {"p_d_hat": -1, "r_hat": -1}
    for letter in ("q", "p"):
        *levels, spread = structure.names(letter)
        table |= {str(with_hat(x)): -2 for x in levels}
        table[str(spread)] = 1
    table["dp_hat"] = -1
    return tuple(table.get(name, 0) for name in unknowns)


def observables_of(action: Action) -> tuple[dict[str, sp.Expr], dict[tuple[str, str], Tilt]]:
    """What can be observed, the spec's own formulas last; and the numerical tilted averages that it uses."""
    found, tilts = _derived_observables(action)
    return {**found, **{o.name: _user_observable(action, o) for o in action.given.spec.observables}}, tilts


def _derived_observables(action: Action) -> tuple[dict[str, sp.Expr], dict[tuple[str, str], Tilt]]:
    given = action.given
    loss = given.spec.loss
    if action.ground:
        return ground_observables(action), {}
    found, tilts = derive_observables(
        free_entropy=action.free_entropy,
        prior=given.prior,
        prior_channel=action.prior,
        output=action.output,
        output_channel=action.output.channel,
        alpha=ALPHA,
        beta=given.beta,
        penalty=given.penalty,
        has_energy=loss.energy is not None and not given.bayes,
        covariance=(FIELD_DIAGONAL, action.structure.innermost("_Q"), FIELD_TEACHER),
        teacher_variance=action.teacher_variance,
    )
    found = {name: action.inside_identified(e) for name, e in found.items()}
    found.update(replicons_of(action))
    sizes = action.structure.finite_sizes
    for size, declared in zip(sizes, ("m1", "m2") if len(sizes) > 1 else ("",), strict=False):
        first = {mark: use.expression(key) for use in action.identified_uses for mark, key in use.names(1)}
        value = action.identified(complexity(action, size)).xreplace(first)
        found[f"complexity_{declared}" if declared else "complexity"] = value
        if "entropy" in found:  # of a replica: for one size d(size phi)/d size
            found["entropy"] -= value / size
    if action.structure.infinite is not None:  # -y^2 dphi/dy of y copies, as y goes to infinity
        found["complexity"] = action.compact(action.first_correction)
        for use in action.identified_uses:
            found["complexity"] += use.factor * use.finish(use.channel.first_correction)
    along = slope(action)
    if along is not None:
        found["slope"] = along
    return found, tilts


def _stabilities(action: Action) -> Stabilities:
    if action.ground:  # patterns held at a kink of the energy make atoms: no density
        return Stabilities()
    found = stabilities(action.output, action.output.channel)
    if found is None:
        return Stabilities()
    density, edges = found
    return Stabilities({"density": action.inside_identified(action.output.channel.closed(density))}, edges)


def _user_observable(action: Action, observable: Observable) -> sp.Expr:
    unknowns = [x for x in action.unknowns if x not in action.identify]
    with placed(f"observables.{observable.name}"):
        expression = action.identified(to_sympy(observable.formula.root)).subs(action.fixed())
    known = {*unknowns, *(symbol(name) for name in action.given.spec.parameter_names())}
    unknown = sorted(str(s) for s in expression.free_symbols - known)
    if unknown:
        raise DerivationError(
            f"{unknown[0]}: not an order parameter of this model",
            place=f"observables.{observable.name}",
            cure=f"use {', '.join(str(x) for x in unknowns)}, or parameters",
        )
    return expression


__all__ = ["derive", "gather", "observables_of"]
