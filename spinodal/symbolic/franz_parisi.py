"""Franz-Parisi: the free entropy of a probe at overlap t with a reference drawn from a typical measure.

1. the joint action of references and probes     coupled.py, probe.py
2. its equations and their derivatives           coupled_saddle.py
3. domain, observables, where branches begin     here
4. references of zero entropy                    largest_margin.py
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from spinodal.spec.coupled import given_margin, reference_spec
from spinodal.spec.types import Spec
from spinodal.symbolic.action import P_D, P_D_HAT, Q_D, Q_D_HAT, Action, R
from spinodal.symbolic.channel import Covariance, Ratio, Root, Unexplained
from spinodal.symbolic.coupled import (
    FIELD_ACROSS,
    FIELD_OWN,
    FIELD_PROBES,
    P_S,
    P_T,
    SUFFIX,
    Coupled,
    P,
    Q,
    Renamer,
    S,
    T,
    coupled_of,
)
from spinodal.symbolic.coupled_saddle import CoupledSaddle
from spinodal.symbolic.derivation import Condition, Definition, Derived
from spinodal.symbolic.errors import DerivationError
from spinodal.symbolic.functions import LogPartition
from spinodal.symbolic.largest_margin import at_largest_margin
from spinodal.symbolic.observables import Tilt, derive_observables
from spinodal.symbolic.outputs import is_ground, label_leaves
from spinodal.symbolic.probe import ProbeChannel, share
from spinodal.symbolic.replicon import replicon_of
from spinodal.symbolic.stabilities import STABILITY, Stabilities, stabilities
from spinodal.symbolic.symbols import (
    ALPHA,
    FIELD_DIAGONAL,
    FIELD_TEACHER,
    VARIANCE_H,
    VARIANCE_W,
    WITHIN_P_HAT,
    WITHIN_Q,
    with_hat,
)
from spinodal.symbolic.system import ChannelUse


def _refuse_ground_states(spec: Spec) -> None:
    declared = spec.ansatz.reference
    for loss, place in ((spec.loss, "loss.temperature"), (reference_spec(spec).loss, "ansatz.reference.temperature")):
        if is_ground(loss):
            raise DerivationError(
                "the ground state (temperature 0) is not derived under the ansatz franz-parisi",
                place=place if declared is not None else "loss.temperature",
                cure='use a small positive temperature, or the ansatz "replica-symmetric" for ground states alone',
            )


def derive_franz_parisi(spec: Spec, derive_reference: Callable[[Spec], Derived]) -> Derived:
    """Derive a spec's Franz-Parisi theory; ``derive_reference(spec)`` derives a replica-symmetric one.

    Raises:
        DerivationError: if the declared model has no theory here.
    """
    _refuse_ground_states(spec)
    if spec.ansatz.kappa_ref_max:
        return at_largest_margin(spec, *_derive(given_margin(spec), derive_reference))
    return _derive(spec, derive_reference)[0]


def _derive(spec: Spec, derive_reference: Callable[[Spec], Derived]) -> tuple[Derived, Action, Derived, Renamer]:
    """The theory; the reference's action and theory under their own names, and what renames them."""
    coupled = coupled_of(spec)
    base: Derived = derive_reference(coupled.reference.given.spec)
    rename = coupled.rename
    definitions = joint_definitions(coupled, base.definitions)
    saddle = CoupledSaddle(coupled, base)
    values = saddle.channel_values
    observables, tilts = _observables(coupled, base, saddle.slope, values)
    rows = [
        *((None if e is None else rename(e) for e in row) for row in base.parameter_derivative),
        *saddle.parameter_rows(definitions),
    ]
    names = tuple(str(x) for x in saddle.unknowns)
    conditions = [Condition(rename(c.expression), f"{c.meaning} (reference)") for c in base.conditions]
    textbook = tuple((rename(a), rename(b)) for a, b in base.textbook)
    derived = Derived(
        spec=spec,
        order_parameters=names,
        conjugates=tuple(name for name in names if name.endswith("_hat")),
        parameters=tuple(spec.parameter_names()),
        definitions=definitions,
        free_entropy=coupled.free_entropy,
        system=saddle.system,
        channel_values=values,
        parameter_derivative=tuple(tuple(rows[i]) for i in saddle.order),
        textbook=(*textbook, *saddle.textbook),
        observables=observables,
        tilts=tilts,
        conditions=tuple(dict.fromkeys([*conditions, *_conditions(coupled)])),
        leaves={
            **coupled.uses[0].channel.leaves,
            **coupled.uses[1].channel.leaves,
            **label_leaves(coupled.student.output),
        },
        channels=coupled.channels,
        fixed={},
        saturating={
            **{rename.name(k): rename(v) for k, v in base.saturating.items()},
            "q": coupled.diagonal,
        },
        moments=coupled.student.given.moments,
        pieces={"pairing": coupled.pairing, "block": coupled.block},
        parts=coupled.parts,
        **_start(coupled, saddle, base),
        stabilities=_stabilities(coupled),
    )
    return derived, coupled.reference, base, rename


def joint_definitions(coupled: Coupled, reference: tuple[Definition, ...]) -> tuple[Definition, ...]:
    """The reference's definitions, renamed, then the probe's."""
    rename = coupled.rename
    found = [Definition(rename(d.symbol), rename(d.expression), f"{d.meaning} (reference)") for d in reference]
    meanings = {
        FIELD_DIAGONAL: "variance of the probe's field",
        FIELD_PROBES: "its covariance between probes of one reference",
        FIELD_ACROSS: "its covariance with other references' fields",
        FIELD_OWN: "its covariance with its reference's field",
        FIELD_TEACHER: "its covariance with the teacher's field",
    }
    for variable, meaning in meanings.items():
        if variable != FIELD_TEACHER or coupled.has_teacher:
            found.append(Definition(variable, coupled.covariance[variable], meaning))
    found.append(Definition(VARIANCE_H, FIELD_DIAGONAL - FIELD_PROBES, "variance of the probe's field within a state"))
    hat = Q_D_HAT if coupled.student.diagonal_hat != 0 else sp.Integer(0)
    found.append(Definition(VARIANCE_W, hat - with_hat(Q), "quadratic tilt of the probe's prior"))
    if coupled.random:
        found.append(Definition(WITHIN_Q, coupled.diagonal - Q, "variance of a probe's weight within a state"))
        found.append(Definition(WITHIN_P_HAT, P_D_HAT - with_hat(P), "p_d_hat - p_hat of the probe"))
    for channel, within in zip(coupled.channels, (rename(VARIANCE_W), rename(VARIANCE_H)), strict=True):
        explained = _explained(channel)
        # a probe without data of its own follows its reference: nothing is left of its field. The channel does not depend on
        # the share explained, so that a rounding error may stay. Of a prior this is no variance, and may be negative
        left = Unexplained(within, explained) if channel is coupled.channels[1] else within - explained
        found.append(Definition(channel.residual, left, "what is left of a reference's variance given its probe"))
    output = coupled.channels[1]
    if coupled.has_teacher and output.probe.branches[0].teacher is not None:
        own, teacher = _gains(output)
        left = coupled.student.teacher_variance - output.reference.teacher**2 / output.reference.overlap - teacher**2
        found.append(Definition(output.teacher_residual, left, "what is left of the teacher's variance given the others"))
        common = Covariance(-own * teacher, output.residual, output.teacher_residual)
        found.append(Definition(output.common, common, "covariance of teacher and reference given the others"))
    return tuple(dict.fromkeys(found))


def _gains(channel: ProbeChannel) -> tuple[sp.Expr, sp.Expr]:
    """How reference and teacher follow the probe's field at given omega, in units of its standard deviation."""
    root = Root(_free(channel))
    beyond = channel.probe.teacher - channel.across * channel.reference.teacher / channel.reference.overlap
    return Ratio(channel.own - channel.across, root), Ratio(beyond, root)


def _free(channel: ProbeChannel) -> sp.Expr:
    """The variance of the probe's field given omega (of the first branch; all branches share it)."""
    spread, across, _own, probe = channel._covariances(channel.probe.branches[0])
    return probe - share(across, spread) * across


def _explained(channel: ProbeChannel) -> sp.Expr:
    _spread, across, own, _probe = channel._covariances(channel.probe.branches[0])
    return Ratio(own - across, Root(_free(channel))) ** 2


def _conditions(coupled: Coupled) -> list[Condition]:
    """The probe's domain; that a probe cannot know more of its reference than there is follows from the equations."""
    found = [Condition(VARIANCE_H, "the variance of the probe's field within a state")]
    prior, output = coupled.channels
    free_hat = _free(prior).subs(dict(coupled.uses[0].arguments))
    found.append(Condition(free_hat, "the variance of the probe's conjugate field given the references'"))
    found.append(Condition(_free(output), "the variance of the probe's field given the references'"))
    if output.probe.branches[0].teacher is not None:
        found.append(Condition(output.teacher_residual, "the variance of the teacher's field given the others"))
    return found


def _observables(
    coupled: Coupled, base: Derived, slope: sp.Expr, values: Mapping[sp.Symbol, sp.Expr]
) -> tuple[dict[str, sp.Expr], dict[tuple[str, str], Tilt]]:
    """Of a probe, then those of its reference; and the tilted averages that either needs."""
    student = coupled.student
    prior, output = coupled.channels
    found, tilts = derive_observables(
        free_entropy=coupled.free_entropy,
        prior=student.given.prior,
        prior_channel=prior,
        output=student.output,
        output_channel=output,
        alpha=ALPHA,
        beta=student.given.beta,
        penalty=student.given.penalty,
        has_energy=coupled.spec.loss.energy is not None,
        covariance=(FIELD_DIAGONAL, FIELD_PROBES, FIELD_TEACHER),
        teacher_variance=student.teacher_variance,
    )
    if not coupled.extremised:
        found["slope"] = slope.xreplace(dict(values))
    found["replicon"] = _replicon(coupled)
    rename = coupled.rename
    for name in ("entropy", "energy", "replicon", "generalization_error"):
        if name in base.observables:
            found[f"{name}{SUFFIX}"] = rename(base.observables[name])
    for tilt in base.tilts.values():
        pieces = None
        if tilt.pieces is not None:
            of_weight, of_function = (tuple(map(rename, triple)) for triple in tilt.pieces)
            pieces = (of_weight, of_function)
        splits, crossings = (tuple(map(rename, points)) for points in (tilt.splits, tilt.crossings))
        names = (rename.name(tilt.leaf), rename.name(tilt.name))
        tilts[names] = Tilt(*names, rename(tilt.function), rename(tilt.log_weight), splits, crossings, pieces)
    return found, tilts


def _replicon(coupled: Coupled) -> sp.Expr:
    """Of the probes of one reference, against breaking the symmetry between them; the reference stays as it is."""

    def curvature(use: ChannelUse, channel: ProbeChannel) -> sp.Expr:
        variance = channel.probe.diagonal - channel.probe.overlap
        return use.finish(
            channel.tilted(lambda b, _, h: LogPartition(sp.Symbol(b.student), sp.Integer(2), h, variance) ** 2)
        )

    return replicon_of(coupled.student, 0, [curvature(*pair) for pair in zip(coupled.uses, coupled.channels, strict=True)])


def _stabilities(coupled: Coupled) -> Stabilities:
    """Of a probe, and of its reference in the reference's own measure."""
    channel = coupled.channels[1]
    found = stabilities(coupled.student.output, channel)
    reference = stabilities(coupled.reference.output, coupled.reference.output.channel)
    if found is None or reference is None:
        return Stabilities()
    own = coupled.rename(coupled.reference.output.channel.closed(reference[0]))
    place = {coupled.rename(STABILITY): STABILITY}
    densities = {"density": channel.closed(found[0]), f"density{SUFFIX}": own.xreplace(place)}
    return Stabilities(densities, tuple(dict.fromkeys((*found[1], *(coupled.rename(e) for e in reference[1])))))


def _start(coupled: Coupled, saddle: CoupledSaddle, base: Derived) -> dict[str, Any]:
    """Where the branch of a given t begins; an extremised t is found from that of a given one."""
    if coupled.extremised:
        return {}
    return {
        "origin": _origin(coupled, saddle),
        "trivial": _trivial(coupled),
        "constrained": str(T),
        "reference": {coupled.rename.name(name): name for name in base.order_parameters},
        "follower": _follower(coupled),
    }


def _follower(coupled: Coupled) -> dict[str, sp.Expr]:
    """A probe that patterns do not pull: t/q_d times its reference, and what is left of its norm beside it.

    Its weights are tilted by the reference's alone: q_hat = s_hat = 0. For weights whose mean is not linear in the tilt the
    overlaps and t_hat are guesses.
    """
    r = coupled.rename
    norm = r(coupled.reference.diagonal)
    found: dict[sp.Symbol, sp.Expr] = {x: sp.Integer(0) for x in coupled.unknowns}
    share = T / norm
    found |= {Q: share * T, S: share * r(Q), R: share * r(R), P: share**2 * r(P_D), P_S: share * r(P), P_T: share * r(P_D)}
    beside = norm * (1 - share**2)
    found |= {P_D: share**2 * r(P_D) + beside, Q_D: norm, with_hat(T): sp.atanh(share) / norm}
    if coupled.student.imposed:  # a Gaussian of variance 1 - t^2 around t times the reference
        found |= {with_hat(T): T / beside, Q_D_HAT: 1 - 1 / beside}
    return {str(x): found[x] for x in coupled.unknowns}


def _origin(coupled: Coupled, saddle: CoupledSaddle) -> dict[str, sp.Expr]:
    """Without data q = t^2/q_d and s = 0; data make room between them, a little, which the equations need to make sense."""
    norm = _second_moment(coupled)
    t = T / norm
    room = ALPHA * (1 - t**2) ** 2 / 2
    found: dict[sp.Symbol, sp.Expr] = {
        Q: norm * (t**2 + room),
        S: norm * t * ALPHA / 2,
        coupled.rename(Q): norm * ALPHA / 2,
        with_hat(T): t / norm,
        with_hat(S): ALPHA * t / (2 * norm),
        with_hat(Q): ALPHA / (2 * norm),
        coupled.rename(with_hat(Q)): ALPHA / (2 * norm),
    }
    # projections of weights that know nothing of the inputs have the weights' overlaps
    same = {P: Q, P_S: S, coupled.rename(P): coupled.rename(Q)}
    found |= {p: found[q] for p, q in same.items()}
    found |= {P_T: T, **{d: norm for x in (P_D, Q_D) for d in (x, coupled.rename(x))}}
    if coupled.student.free_diagonal:
        found[Q_D] = norm * (1 + t**2)
    if coupled.student.imposed:  # weights on a sphere: a Gaussian of variance 1 - t^2 around t times the reference
        found[with_hat(T)] = T / (1 - T**2)
        found[Q_D_HAT] = 1 - 1 / (1 - T**2) + found[with_hat(Q)]
    return {str(x): found[x] for x in saddle.unknowns if x in found}


def _second_moment(coupled: Coupled) -> sp.Expr:
    """Of weights that know no data, where they take values whose scale is their own; else 1."""
    leaf = coupled.student.given.prior.leaf
    if leaf.kind != "discrete":
        return sp.Integer(1)
    shares = [sp.exp(level) for level in leaf.log_levels]
    return sp.simplify(sp.Add(*(v**2 * s for v, s in zip(leaf.values, shares, strict=True))) / sp.Add(*shares))


def _trivial(coupled: Coupled) -> dict[str, str]:
    """With t at the typical overlap the probe is one more typical solution: every overlap is the reference's."""
    r = coupled.rename
    overlaps = {S: r(Q), T: r(Q), Q: r(Q), Q_D: r(Q_D), P: r(P), P_S: r(P), P_T: r(P), P_D: r(P_D), R: r(R)}
    pairs = {x: y for x, y in overlaps.items() if x in dict(coupled.pairs)}
    return {str(a): str(b) for x, y in pairs.items() for a, b in ((x, y), (with_hat(x), with_hat(y)))}
