"""The steps of a derivation, each with a one-line reason and its equations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sympy as sp

from spinodal.report import ground, sites
from spinodal.report.declared import formula
from spinodal.report.jumps import jumping, without_jumps
from spinodal.report.markup import claimable
from spinodal.report.notation import FIELD, VARIANCE, Scribe, relation, with_mills
from spinodal.report.terms import plain, terms_of
from spinodal.spec.ast import names
from spinodal.spec.names import BLOCK_SIZE
from spinodal.symbolic.averages import averages_in
from spinodal.symbolic.channel import Channel
from spinodal.symbolic.derivation import Derived
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.functions import Tilted
from spinodal.symbolic.ground import Ground
from spinodal.symbolic.largest_margin import KAPPA_REF
from spinodal.symbolic.peaks import Peaked
from spinodal.symbolic.probe import ProbeChannel
from spinodal.symbolic.symbols import ALPHA, KAPPA_1, KAPPA_STAR_SQ


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a title, a one-line reason, and LaTeX equations.

    Attributes:
        title: of its section.
        reason: in a line.
        equations: LaTeX.
        claims: the quantities that the first equations are about, empty for those that are about none.
    """

    title: str
    reason: str
    equations: tuple[str, ...]
    claims: tuple[str, ...] = ()

    def claimed(self) -> tuple[str, ...]:
        """What each equation claims to be the model's, as ``spinodal verify`` names it; empty where it defines letters."""
        named = (*self.claims, *("" for _ in self.equations[len(self.claims) :]))
        return tuple(n if n and claimable(e) else "" for n, e in zip(named, self.equations, strict=True))


#: The letters of the parts of the free entropy.
_PART = {name: rf"\phi_{{\mathrm{{{name}}}}}" for name in ("prior", "block", "output")}


def steps_of(derived: Derived, symbols: Mapping[str, str] | None = None) -> list[Step]:
    """The steps, in an author's letters ``{name: LaTeX}`` where they are given."""
    scribe = Scribe(symbols, r"\mu" if derived.ground else BLOCK_SIZE.get(derived.spec.ansatz.scheme, "m"))
    scribe.short = derived.shorthand.table
    scribe.yield_to_author([(d.symbol, d.expression) for d in (*derived.definitions, *derived.shorthand.definitions)])
    found = [_declared(derived, scribe)]
    if derived.moments is not None:
        found.append(_features(derived, scribe))
    found += [_replicas(derived, scribe), _covariances(derived, scribe)]
    prior, output = derived.channels
    found.append(_part(prior, "Prior channel", "prior", derived.parts.prior, scribe))
    if derived.parts.block != 0:
        found.append(_block(derived, scribe))
    found.append(_part(output, "Output channel", "output", derived.parts.output, scribe))
    whole = all(name in _claims_of(found) for name in ("free_entropy_prior", "free_entropy_output"))
    found += [_free_entropy(derived, scribe, whole=whole), _saddle_point(derived, scribe)]
    if "replicon" in derived.observables:
        found.append(_stability(derived, scribe))
    found.append(_observables(derived, scribe, read="free_entropy" in _claims_of(found)))
    notation = _notation(derived, "\n".join(text for step in found for text in (step.reason, *step.equations)))
    return [notation, *found] if notation.equations else found


# ---- equations


def _equation(scribe: Scribe, left: str, right: sp.Expr) -> str:
    return relation(left, [scribe.write(term) for term in terms_of(with_mills(without_jumps(right)), scribe.short)])


def _stationary(scribe: Scribe, left: sp.Expr, right: sp.Expr) -> str:
    """An equation ``x = update(x)``; where the update only adds to x, what it adds vanishes."""
    table = {node: sp.Dummy() for node in averages_in(right)}
    flat = right.xreplace(table)
    if not left.is_Symbol or sp.Add(*(t for t in sp.Add.make_args(flat) if t == left)) != left:
        if left in scribe.negated:
            left, right = -scribe.negated[left], -right
        return _equation(scribe, scribe.write(left), right)
    back = {mark: node for node, mark in table.items()}
    return _equation(scribe, "0", (flat - left).xreplace(back))


def _with_definitions(scribe: Scribe, equations: list[str]) -> tuple[str, ...]:
    """The equations, then what defines the letters that they have brought in."""
    return (*equations, *scribe.definitions())


# ---- steps


#: What papers take for granted: the letters that bring it in, and what it is.
_TAKEN_FOR_GRANTED = (
    ((r"Dz", r"D\xi"), r"Dz = \frac{dz}{\sqrt{2\pi}}\, e^{-z^2/2}"),
    ((r"G\!", "G^"), r"G(x) = \frac{e^{-x^2/2}}{\sqrt{2\pi}}"),
    ((r"H\!", "H^", r"\log H", "Mills"), r"H(x) = \int_x^\infty Dz"),
    (("Mills",), r"\operatorname{Mills}(x) = -\frac{d}{dx}\log H(x) = \frac{e^{-x^2/2}}{\sqrt{2\pi}\, H(x)}"),
    ((r"\Theta",), r"\Theta(x) = \tfrac{1}{2}(1 + \operatorname{sign} x)"),
    (("P_{",), r"P_c(X > x \mid Y > y) = \text{the probability for standard normals } X, Y \text{ of covariance } c"),
)
_PRIMES = re.compile(r"\\right\)'|\\prime|\}'")


def _notation(derived: Derived, text: str) -> Step:
    """What stands for itself in the other equations."""
    equations = [meaning for marks, meaning in _TAKEN_FOR_GRANTED if any(mark in text for mark in marks)]
    reason = "What papers take for granted"
    if _PRIMES.search(text):
        reason += "; primes are derivatives in the first argument, the field"
    if any(isinstance(channel, ProbeChannel) for channel in derived.channels):
        reason += "; a tilde marks the reference"
    return Step("Notation", f"{reason}.", tuple(equations))


def _declared(derived: Derived, scribe: Scribe) -> Step:
    spec = derived.spec
    parts = [f"student weights: {spec.student.weights.kind}"]
    if spec.student.activation is not None:
        parts.append(rf"random features with $\sigma(x) = {formula(spec.student.activation.root, scribe)}$")
    if spec.teacher is not None:
        label = f"label $y = {formula(spec.teacher.label.root, scribe)}$"
        if "noise" in names(spec.teacher.label.root):
            label += " with standard normal noise"
        if spec.teacher.flip_probability is not None:
            label += f", flipped with probability ${formula(spec.teacher.flip_probability.root, scribe)}$"
        parts.append(f"teacher weights: {spec.teacher.weights.kind}, {label}")
    else:
        parts.append("labels $+1$ and $-1$ at random")
    if spec.ansatz.scheme == "bayes-optimal":
        parts.append("loss: minus the log-likelihood of the teacher's labels")
    elif spec.loss.constraint is not None:
        parts.append(f"constraint ${formula(spec.loss.constraint.root, scribe)}$")
    elif spec.loss.energy is not None:
        temperature = formula(spec.loss.temperature.root, scribe) if spec.loss.temperature else "1"
        parts.append(f"energy ${formula(spec.loss.energy.root, scribe)}$ at temperature ${temperature}$")
        if spec.loss.regularization is not None:
            parts.append(f"regularization ${formula(spec.loss.regularization.root, scribe)}$")
    labels = dict.fromkeys(sites.label_of(leaf, scribe) for leaf in derived.leaves.values())
    equations = [label for label in labels if label is not None]
    parts += [sites.difference(leaf, scribe) for leaf in derived.leaves.values() if leaf.taken != 0]
    if derived.ground:
        channels = [channel for channel in derived.channels if isinstance(channel, Channel)]
        tags = dict.fromkeys(branch.student for channel in channels for branch in channel.branches)
        equations += [ground.ground_state(derived.leaves[tag], scribe) for tag in tags]
        return Step("The model", f"{'; '.join(parts)}. {ground.MODEL}", tuple(equations))
    equations += [sites.partition_function(leaf, scribe) for leaf in derived.leaves.values()]
    return Step("The model", "; ".join(parts) + ". Single-site partition functions:", tuple(equations))


def _features(derived: Derived, scribe: Scribe) -> Step:
    moments = derived.moments
    assert moments is not None
    linear, nonlinear, removed = (scribe.write(x) for x in (KAPPA_1, KAPPA_STAR_SQ, KAPPA_1**2))
    return Step(
        "Random features",
        "Gaussian equivalence keeps two moments of the centred activation "
        f"({moments.method}); the random matrix is then integrated out exactly.",
        (
            _equation(scribe, rf"{linear} = \mathbb{{E}}\, x\,\sigma(x)", moments.linear),
            _equation(
                scribe,
                rf"{nonlinear} = \mathbb{{E}}\,\sigma^2 - (\mathbb{{E}}\,\sigma)^2 - {removed}",
                moments.nonlinear,
            ),
        ),
    )


_TREES = {
    "replica-symmetric": "All pairs of replicas are equivalent.",
    "bayes-optimal": "All pairs of replicas are equivalent, and the teacher is one of them.",
    "1rsb": "Replicas form blocks of m: level 1 is the overlap of two inside a block, level 0 across blocks.",
    "2rsb": "Replicas form blocks of m_1, these blocks of m_2: levels 0, 1, 2 from the outside inwards.",
    "real-replicas": "Each of the n replicas is y coupled copies at a given mutual overlap.",
    "franz-parisi": "Replicas of a reference (tilde), each with probes at overlap t with it, to first order in their "
    "number; probes overlap by q around one reference, by s with the other references.",
}


def _replicas(derived: Derived, scribe: Scribe) -> Step:
    spec = derived.spec
    unknowns = [symbol(name) for name in derived.order_parameters]
    reason = f"{_TREES.get(spec.ansatz.scheme, '')} Overlaps are introduced with their conjugates (hats):"
    if spec.ansatz.scheme == "real-replicas" and spec.ansatz.replicas in ("inf", None):
        reason = (
            "Each of the n replicas is y coupled copies at a given mutual overlap, y going to infinity; across "
            "blocks overlaps are smaller by a difference of order 1/y (delta). Overlaps "
            "are introduced with their conjugates (hats):"
        )
    if derived.ground and derived.breaking is not None:
        reason = f"{ground.REPLICAS} {ground.BLOCKS} Overlaps are introduced with their conjugates (hats):"
    elif derived.ground:
        reason = f"{ground.REPLICAS} {reason}"
    elif "q_d" in derived.fixed:
        reason = f"{reason[:-1]}; the self-overlap is fixed by the prior:"
    equations = [r",\;".join(scribe.write(-scribe.negated[x] if x in scribe.negated else x) for x in unknowns)]
    equations += [_equation(scribe, scribe.write(symbol(k)), v) for k, v in derived.fixed.items()]
    return Step("Replicas", reason, tuple(equations))


def _covariances(derived: Derived, scribe: Scribe) -> Step:
    reason = "What the channels see of the overlaps."
    equations = []
    for d in (*derived.definitions, *derived.shorthand.definitions):
        if str(d.symbol).startswith("_kappa"):
            continue
        if d.solves is not None:
            reason += (
                " A self-overlap that is fixed is imposed by a multiplier, the tilt of the prior: a quadratic equation."
            )
            equations.append(_equation(scribe, scribe.write(d.solves[0]), d.solves[1]))
        terms = terms_of(sp.sympify(d.expression).doit(deep=True))
        equation = relation(scribe.write(d.symbol), [scribe.write(term) for term in terms])
        left, _, right = equation.partition(" = ")
        if left != right:  # an author may call both by one letter
            equations.append(equation)
    return Step("Field covariances", reason, tuple(equations))


def _part(channel: Channel | ProbeChannel, title: str, name: str, value: sp.Expr, scribe: Scribe) -> Step:
    """A channel's part of the free entropy, with the pairing of its overlaps."""
    if isinstance(channel, ProbeChannel):
        reason = "First order in the number of probes: the mean in the measure of the reference of the log of theirs."
    else:
        reason = _copies(channel)
    if name == "prior":
        reason += " With the pairing of the weights' overlaps and their conjugates:"
    with scribe.spelled():
        equations = [_equation(scribe, _PART[name], value)]
    value = plain(value)
    for peaked in sorted(value.atoms(Peaked), key=sp.default_sort_key):
        equations += _maximiser(peaked, value, scribe)
    return Step(title, reason, _with_definitions(scribe, equations), (f"free_entropy_{name}",))


def _block(derived: Derived, scribe: Scribe) -> Step:
    reason = (
        "Given the overlaps of the weights, the projected weights are Gaussian vectors: the average over the feature "
        "matrix and the integral over them are determinants on the tree of replicas, per input, as n goes to 0. With the "
        "pairing of the projected weights' overlaps and their conjugates:"
    )
    equations = [_equation(scribe, _PART["block"], derived.parts.block)]
    return Step("Feature block", reason, _with_definitions(scribe, equations), ("free_entropy_block",))


def _maximiser(peaked: Peaked, total: sp.Expr, scribe: Scribe) -> list[str]:
    """What defines t*, written in the letters of the fields that the channel's average has."""
    node = next((a for a in averages_in(total) if a.has(peaked)), None)
    if node is None:
        return []
    return [scribe.within(node, lambda: f"{scribe.write(peaked.peak)} = \\arg{scribe.write(peaked)}")]


def _copies(channel: Channel) -> str:
    reason = "n copies with a common field: the power n becomes a logarithm as n goes to 0" + (
        "; the teacher weighs the common field." if channel.teacher != 0 else "."
    )
    if channel.ground:
        reason += " As T goes to 0 each is in its ground state." + (ground.COPIES if channel.sizes else "")
    if channel.concentrated:
        reason += " Infinitely many coupled copies concentrate at the maximum of their weight (Laplace's method)."
    return reason


def _claims_of(steps: Iterable[Step]) -> frozenset[str]:
    return frozenset(name for step in steps for name in step.claimed())


def _free_entropy(derived: Derived, scribe: Scribe, *, whole: bool) -> Step:
    """The free entropy, as the sum of its parts (a claim where these are read as a ``whole``) and written out."""
    prior, block, output = (_PART[name] for name in ("prior", "block", "output"))
    inputs = "" if derived.parts.block == 0 else rf" + {scribe.write(derived.parts.inputs_per_weight)}\, {block}"
    parts = rf"\phi = {prior}{inputs} + {scribe.write(ALPHA)}\, {output}"
    with scribe.spelled():
        equations = [parts, _equation(scribe, r"\phi", derived.free_entropy)]
    reason = "The sum of its parts, of which there are D/N and P/N per weight, as n goes to 0."
    if derived.ground:
        reason += f" {ground.ENTROPY}"
    return Step(
        "Free entropy", reason, _with_definitions(scribe, equations), ("free_entropy" if whole else "", "free_entropy")
    )


def _saddle_point(derived: Derived, scribe: Scribe) -> Step:
    reason = (
        r"$\phi$ is stationary in every order parameter; derivatives of Gaussian averages by Price's theorem and the heat "
        "equation of the partition functions, so that no square root of an overlap is differentiated."
    )
    if derived.ground:
        reason = ground.EQUATIONS
    if derived.symmetric is not None:
        reason += f" The overlap {derived.symmetric.parameter} is given; its equation determines a conjugate."
    elif derived.constrained:
        reason += f" The overlap {derived.constrained} is given; its equation determines its conjugate."
    equations = [_stationary(scribe, left, right) for left, right in derived.textbook]
    lefts = [str(left) for left, _ in derived.textbook]
    others = [
        name for name in derived.order_parameters if name not in lefts
    ]  # whose equation has a given overlap on its left
    claims = tuple(left if left in derived.order_parameters else others.pop(0) if others else "" for left in lefts)
    if str(KAPPA_REF) in derived.order_parameters:
        reason += " The references have the largest margin, at which their entropy (below) vanishes."
        equations.append(r"\text{entropy ref} = 0")
    return Step("Saddle-point equations", reason, _with_definitions(scribe, equations), claims)


def _stability(derived: Derived, scribe: Scribe) -> Step:
    replicon = derived.observables["replicon"]
    equations = [_equation(scribe, r"\mathrm{replicon}", replicon)]
    for site in jumping(replicon, derived.leaves):
        slope = scribe.write(Ground(site.which, sp.Integer(1), site.tag, FIELD, VARIANCE, site.label))
        equations.append(
            rf"\mathrm{{replicon}} = -\infty \quad \text{{where }} {slope} \text{{ jumps at a field that occurs}}"
        )
    reason = (
        "One more level of replicas with zero row sums is inserted; the determinant of the second variation, "
        "conjugates eliminated. Negative: unstable (de Almeida-Thouless)."
    )
    if derived.ground:
        reason = ground.REPLICON
    return Step("Stability", reason, _with_definitions(scribe, equations), ("replicon",))


def _observables(derived: Derived, scribe: Scribe, *, read: bool) -> Step:
    r"""The observables; what is ``\phi`` alone claims something where that is written in what is ``read`` again."""
    equations = []
    for name, value in derived.observables.items():
        if name == "replicon":
            continue
        left = rf"\text{{{name.replace('_', ' ')}}}"
        equations.append(rf"{left} = \phi" if value == derived.free_entropy else _equation(scribe, left, value))
    used = {(str(mean.args[0]), str(mean.args[1])) for value in derived.observables.values() for mean in value.atoms(Tilted)}
    means = [tilt for names, tilt in derived.tilts.items() if names in used]
    defined = sites.tilted_means(means, dict(derived.leaves), scribe)
    reason = "Averages in the same measure."
    if defined:
        reason += " A bracket is a mean in the measure of one site; f is its weight: exp(-energy/T), a constraint, ..."
    # where copies are infinitely many, observables are limits of what their formulas contain
    concentrated = any(isinstance(channel, Channel) and channel.concentrated for channel in derived.channels)
    unread = set() if read else {name for name, value in derived.observables.items() if value == derived.free_entropy}
    named = tuple("" if name in unread else name for name in derived.observables if name != "replicon")
    claims = () if concentrated else named
    return Step("Observables", reason, (*_with_definitions(scribe, equations), *defined), claims)
