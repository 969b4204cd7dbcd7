"""What the study computes: grids and names, and nothing about how a model is solved."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


def _grid(low: float, high: float, points: int) -> tuple[float, ...]:
    return tuple(float(value) for value in np.round(np.linspace(low, high, points), 12))


@dataclass(frozen=True)
class Perceptron:
    """A perceptron that stores random patterns, and the margins over which its lines are followed.

    Attributes:
        label: of the kind of weights.
        model: the shipped spec.
        margins: of the capacity.
        unstable: of the de Almeida-Thouless line (for continuous weights it ends where it meets the capacity).
    """

    label: str
    model: str
    margins: tuple[float, ...]
    unstable: tuple[float, ...]


@dataclass(frozen=True)
class Plan:
    """The grids of the study: typical solutions of arXiv:2110.00683, and the phase diagrams of its simplest relatives.

    Attributes:
        model: the shipped spec.
        activations: name and formula of each activation.
        alpha_T: patterns per input, for the interpolation thresholds (must hold those of the reference table, 1 and 3).
        fixed_alpha_T: its value for the curves along 1/alpha.
        largest: the largest 1/alpha of these curves, which begin at the interpolation threshold.
        points: how many points they have.
        entropy_at: the 1/alpha at which entropy is shown against the margin.
        margins: how many margins between 0 and kappa_max.
        transition_at: patterns per input, for the local-entropy transition (in between it is followed).
        sides: where local entropies are shown, alpha in units of the gap from the local-entropy transition (0) to the
            interpolation threshold (1); the first and the last also with Franz-Parisi.
        distances: how many distances between the typical one and the closest.
        closest: the overlap at the closest distance.
        around: how many distances from a Franz-Parisi reference.
        nearest: the overlap at the closest distance from typical references, which are isolated.
        nearest_of_largest: the same from references of the largest margin.
        alpha_range: where interpolation thresholds are looked for.
        kappa_range: where the largest margin is looked for.
        teacher_student: the shipped spec of the student that knows how its teacher was drawn.
        learning_range: alphas of its branch and of its lines.
        smallest_noise: variance of the field's noise at which its lines begin; they end at their critical point.
        noises: how many noises between the two.
        flips: probabilities that a label is flipped.
        perceptrons: those whose capacity and de Almeida-Thouless lines are followed.
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
    transition_at: tuple[float, ...] = (0.1, 0.3, 1.0, 2.0, 3.0, 5.0, 10.0)
    sides: tuple[float, ...] = (-1.0, 0.0, 0.5)
    distances: int = 24
    closest: float = 0.995
    around: int = 16
    nearest: float = 0.97
    nearest_of_largest: float = 0.999
    alpha_range: tuple[float, float] = (0.4, 5.2)
    kappa_range: tuple[float, float] = (-0.4, 4.4)
    teacher_student: str = "binary-teacher-student"
    learning_range: tuple[float, float] = (0.2, 5.0)
    smallest_noise: float = 1e-3
    noises: int = 12
    flips: tuple[float, ...] = (0.001, *_grid(0.02, 0.1, 5))
    perceptrons: tuple[Perceptron, ...] = (
        Perceptron("binary", "binary-perceptron", _grid(-1.0, 2.0, 25), _grid(-1.0, 2.0, 25)),
        Perceptron("spherical", "spherical-perceptron", _grid(-1.0, 2.0, 25), (*_grid(-1.0, -0.125, 8), -0.0625, -0.03125)),
    )
    tolerance: float = 1e-10
