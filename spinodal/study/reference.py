"""Reference values that the study is read against.

Values at alpha_LE are those of real replicas with y to infinity, all others are replica-symmetric, to the digits given.
Where no other source is named they are of the model of C. Baldassi et al., Phys. Rev. E 106, 014116 (2022),
arXiv:2110.00683, at margin 0, and were obtained by numerics that share nothing with this package (free entropies coded by
hand, automatic differentiation, dense quadrature).
"""

from __future__ import annotations

from typing import Final

#: (quantity, label, parameters) -> value, as the text that holds all known digits.
REFERENCES: Final[dict[tuple[str, str, tuple[tuple[str, float], ...]], str]] = {
    ("alpha_c", "sign", (("alpha_T", 1.0),)): "0.941804",
    ("alpha_c", "sign", (("alpha_T", 3.0),)): "1.139622",
    ("generalization_error at alpha_c", "sign", (("alpha_T", 3.0),)): "0.319664",
    ("generalization_error_barycentre at alpha_c", "sign", (("alpha_T", 3.0),)): "0.278121",
    ("generalization_error", "sign", (("1/alpha", 2.0), ("alpha_T", 3.0))): "0.302173",
    ("generalization_error_barycentre", "sign", (("1/alpha", 2.0), ("alpha_T", 3.0))): "0.210473",
    ("entropy", "sign", (("1/alpha", 2.0), ("alpha_T", 3.0), ("kappa", 0.0))): "0.423477",
    ("alpha_LE", "sign", (("alpha_T", 3.0),)): "1.03207416",
    ("q1 at alpha_LE", "sign", (("alpha_T", 3.0),)): "0.929946",
    ("local entropy at alpha_LE", "sign", (("alpha_T", 3.0),)): "0.03408416",
    # E. Gardner (1988) in closed form: 1/alpha_c is the integral of Dt (t + kappa)^2 over t > -kappa
    ("capacity alpha_c", "spherical", (("kappa", 0.0),)): "2.0000000000",
    ("capacity alpha_c", "spherical", (("kappa", 0.5),)): "0.9612050528",
    ("capacity alpha_c", "spherical", (("kappa", 1.0),)): "0.5195722296",
    # W. Krauth and M. Mezard (1989)
    ("capacity alpha_c", "binary", (("kappa", 0.0),)): "0.8330785997",
    ("capacity alpha_c", "binary", (("kappa", 0.5),)): "0.4556645645",
    # G. Gyorgyi (1990)
    ("alpha at zero entropy", "no noise", ()): "1.2446839899",
    ("alpha at the first-order transition", "no noise", ()): "1.2446839899",
    ("alpha at the spinodal", "no noise", ()): "1.4926318182",
}

#: Storage capacity of the binary perceptron, the limit of alpha_c at alpha_T = 0 (Krauth & Mezard 1989).
STORAGE_CAPACITY: Final = 0.8330785997
#: Its local-entropy transition, real replicas with y to infinity.
STORAGE_TRANSITION: Final = 0.755302026


def reference(quantity: str, label: str, parameters: dict[str, float]) -> str | None:
    """The reference value as text, or None where none is known."""
    return REFERENCES.get((quantity, label, tuple(sorted(parameters.items()))))


def agrees(value: float, error: float, text: str) -> bool:
    """Whether a value with its error estimate agrees with all digits of a reference."""
    decimals = len(text.partition(".")[2])
    return bool(abs(value - float(text)) <= 0.51 * 10.0**-decimals + error)
