"""What the study computes: grids and names, and nothing about how a model is solved."""

from __future__ import annotations

from dataclasses import dataclass, field

#: The parts of the study, in the order in which they run.
PARTS = ("thresholds", "errors", "margins")


@dataclass(frozen=True)
class Plan:
    """The grids of the study of typical solutions (arXiv:2110.00683).

    Attributes:
        model: the shipped spec.
        activations: name and formula of each activation.
        alpha_T: patterns per input, for the interpolation thresholds (must hold those of the reference table, 1 and 3).
        fixed_alpha_T: its value for the curves along 1/alpha.
        largest: the largest 1/alpha of these curves, which begin at the interpolation threshold.
        points: how many points they have.
        entropy_at: the 1/alpha at which entropy is shown against the margin.
        margins: how many margins between 0 and kappa_max.
        alpha_range: where interpolation thresholds are looked for first.
        kappa_range: where the largest margin is looked for first.
        tolerance: wanted absolute error of free entropies.
    """

    model: str = "random-features-binary"
    activations: tuple[tuple[str, str], ...] = (
        ("sign", "sign(x)"),
        ("tanh", "tanh(x)"),
        ("erf", "erf(x)"),
        ("relu", "relu(x)"),
    )
    alpha_T: tuple[float, ...] = field(  # noqa: N815 - the parameter's name
        default=(0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.5, 8.0, 10.0)
    )
    fixed_alpha_T: float = 3.0  # noqa: N815
    largest: float = 5.0
    points: int = 24
    entropy_at: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0, 5.0)
    margins: int = 25
    alpha_range: tuple[float, float] = (0.4, 5.2)
    kappa_range: tuple[float, float] = (-0.4, 4.4)
    tolerance: float = 1e-10
