"""What a derivation says where the temperature goes to 0."""

from __future__ import annotations

import sympy as sp

from spinodal.report.notation import Scribe
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.leaves import Leaf

MODEL = (
    "As the temperature T goes to 0, T log Z of a single site tends to the maximum of minus its energy and the "
    "pull of its field (Laplace's method), and the heat equation of Z to the Hamilton-Jacobi equation of that maximum:"
)
REPLICAS = (
    "As T goes to 0 the replicas are ground states, and differ by thermal fluctuations: q_d = q + T dq (and "
    "likewise p), while conjugates grow, of levels as q_hat/T^2, of the differences as dq_hat/T, of the teacher as r_hat/T."
)
BLOCKS = (
    "Replicas form blocks that hold a number of them that vanishes with T, m = mu T: level 1 is the self-overlap, which "
    "two in a block have as well, level 0 the overlap across blocks."
)
COPIES = (
    " In blocks of mu T copies the maximum Lambda of one of them stands for T log Z: (1/mu) log of the average of "
    "exp(mu Lambda) over the field that a block shares."
)
ENTROPY = "T times the free entropy per weight as T goes to 0, at leading order: minus the energy of the ground state."
EQUATIONS = (
    "phi is stationary in every order parameter. Averages are differentiated by Stein's identity and the "
    "Hamilton-Jacobi equation; where a ground state jumps as its field varies, its slope's jump adds a term in second "
    "derivatives (the Jacobian)."
)
REPLICON = (
    "One more level of replicas with zero row sums is inserted; powers of T cancel in the determinant. It goes "
    "to minus infinity where a ground state jumps. Negative: unstable (de Almeida-Thouless)."
)


def ground_state(leaf: Leaf, scribe: Scribe) -> str:
    """The maximum that a leaf's T log Z tends to, and its closed form where it has one."""
    omega, variance = symbol("omega"), symbol("V")
    name = rf"\Lambda_{{\text{{{leaf.tag.replace('_', ' ')}}}}}(\omega, V)"
    x = scribe.write(leaf.variable)
    if leaf.variable == symbol("w"):
        domain = "" if leaf.kind != "discrete" else r" \in \{" + ", ".join(scribe.write(v) for v in leaf.values) + r"\}"
        pull = rf"\omega {x} + \frac{{V {x}^2}}{{2}}"
    else:
        domain, pull = "", rf"- \frac{{({x} - \omega)^2}}{{2 V}}"
    energy = scribe.write(leaf.log_weight) if leaf.log_weight != 0 else ""
    joined = energy + ("" if pull.startswith("-") or not energy else " + ") + pull
    body = rf"{name} = \max_{{{x}{domain}}}\left[{joined}\right]"
    return body if not leaf.is_closed else rf"{body} = {scribe.write(sp.factor(leaf.log_derivative(0, omega, variance)))}"
