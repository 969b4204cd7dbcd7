"""Names that the package gives to what it computes, so that no parameter may take them."""

from __future__ import annotations

_OVERLAPS = (
    "q q_d r p p_d q0 q1 q2 p0 p1 p2 dq dp q_ref q_d_ref p_ref p_d_ref r_ref s t p_s p_t".split()  # noqa: SIM905
)

#: Order parameters of every ansatz, their conjugates, and the Parisi parameters.
ORDER_PARAMETERS = frozenset([*_OVERLAPS, *(f"{name}_hat" for name in _OVERLAPS), "m", "m1", "m2"])
#: The Parisi parameter of a ground state, in units of the temperature.
SCALED_SIZE = "mu"

#: The overlap that a scheme constrains: a parameter of its models.
CONSTRAINED = {"real-replicas": "q1", "franz-parisi": "t"}

#: The size of the inner blocks of copies, as a scheme's equations call it.
BLOCK_SIZE = {"1rsb": "m", "real-replicas": "y"}

_RS, _GROUND = ("q", "q_d", "q_hat", "q_d_hat"), ("q", "dq", "q_hat", "dq_hat")
_PROJECTED, _GROUND_PROJECTED = ("p", "p_d", "p_hat", "p_d_hat"), ("p", "dp", "p_hat", "dp_hat")
_TEACHER = ("r", "r_hat")


def order_parameters(scheme: str, *, random_features: bool, teacher: bool, ground: bool = False) -> frozenset[str]:
    """The order parameters (and Parisi parameters) that a model has; every other name is the user's.

    Args:
        scheme: the ansatz' scheme.
        random_features: whether the student acts on random features.
        teacher: whether there is a teacher.
        ground: whether an energy is minimised.
    """
    if scheme not in ("replica-symmetric", "bayes-optimal"):
        # Franz-Parisi has no levels: a file may declare the overlap of real replicas beside its own
        given = set(CONSTRAINED.values()) if scheme == "franz-parisi" else {CONSTRAINED.get(scheme, "")}
        return (ORDER_PARAMETERS | ({SCALED_SIZE} if ground else set())) - given
    own, projected = (_GROUND, _GROUND_PROJECTED) if ground else (_RS, _PROJECTED)
    return frozenset((*own, *(projected if random_features else ()), *(_TEACHER if teacher else ())))


#: Observables that derivations define themselves.
OBSERVABLES = frozenset(
    {
        "free_entropy",
        "entropy",
        "energy",
        "training_error",
        "generalization_error",
        "generalization_error_barycentre",
        "replicon",
        "slope",
        "complexity",
    }
)
