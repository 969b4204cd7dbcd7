"""What a derivation says where the temperature goes to 0."""

from __future__ import annotations

from spinodal.report.notation import FIELD, VARIANCE, Scribe
from spinodal.report.terms import tidy
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.functions import subscript
from spinodal.symbolic.ground import ANSWERED
from spinodal.symbolic.leaves import Leaf

MODEL = (
    "As the temperature T goes to 0, T log Z of a single site tends to the maximum of minus its energy and the "
    "pull of its field (Laplace's method), and the heat equation of Z to the Hamilton-Jacobi equation of that maximum:"
)
REPLICAS = (
    r"As T goes to 0 the replicas are ground states, and differ by thermal fluctuations: $q_d = q + T\,\delta q$ (and "
    r"likewise $p$), while conjugates grow, of levels as $\hat q/T^2$, of the differences as $\delta\hat q/T$, of the "
    r"teacher as $\hat r/T$; the letters below are what stands beside these powers of T."
)
BLOCKS = (
    r"Replicas form blocks that hold a number of them that vanishes with T, $m = \mu T$: level 1 is the self-overlap, which "
    "two in a block have as well, level 0 the overlap across blocks."
)
COPIES = (
    r" In blocks of $\mu T$ copies the maximum $\Lambda$ of one of them stands for T log Z: $1/\mu$ times the log of the "
    r"average of $e^{\mu\Lambda}$ over the field that a block shares."
)
ENTROPY = "T times the free entropy per weight as T goes to 0, at leading order: minus the energy of the ground state."
EQUATIONS = (
    r"$\phi$ is stationary in every order parameter. Averages are differentiated by Stein's identity and the "
    "Hamilton-Jacobi equation; where a ground state jumps as its field varies, its slope's jump adds a term in second "
    "derivatives (the Jacobian)."
)
REPLICON = (
    "One more level of replicas with zero row sums is inserted; powers of T cancel in the determinant. It goes "
    "to minus infinity where a ground state jumps. Negative: unstable (de Almeida-Thouless)."
)


def ground_state(leaf: Leaf, scribe: Scribe) -> str:
    """The maximum that a leaf's T log Z tends to, at h* or w*, and its closed form where it has one."""
    words = subscript(leaf.tag.removesuffix(ANSWERED))
    x, field, variance = (scribe.write(s) for s in (leaf.variable, FIELD, VARIANCE))
    given = "" if leaf.label.is_number else rf"{scribe.write(leaf.label)} \mid "
    arguments = f"{given}{field}; {variance}"
    if leaf.variable == symbol("w"):
        domain = "" if leaf.kind != "discrete" else r" \in \{" + ", ".join(scribe.write(v) for v in leaf.values) + r"\}"
        pull = rf"{field} {x} + \frac{{{variance} {x}^2}}{{2}}"
    else:
        domain, pull = "", rf"- \frac{{({x} - {field})^2}}{{2 {variance}}}"
    energy = scribe.write(leaf.log_weight) if leaf.log_weight != 0 else ""
    joined = energy + (" " if pull.startswith("-") or not energy else " + ") + pull
    body = rf"\Lambda_{{{words}}}({arguments}) = \max_{{{x}{domain}}}\left[{joined}\right]"
    if leaf.is_closed:
        body += f" = {scribe.write(tidy(leaf.log_derivative(0, FIELD, VARIANCE)))}"
    # of weights nothing else is asked
    return body if leaf.variable == symbol("w") else rf"{body} \quad \text{{at }} {x} = {x}^\star_{{{words}}}({arguments})"
