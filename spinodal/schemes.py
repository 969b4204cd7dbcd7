"""The ansaetze that this version derives; known without importing anything heavy."""

from __future__ import annotations

from spinodal.spec import Spec, located

DERIVED = ("replica-symmetric", "bayes-optimal", "real-replicas", "1rsb", "2rsb", "franz-parisi")


def check_scheme(spec: Spec) -> None:
    """Refuse an ansatz that is not derived yet.

    Raises:
        SpecError: located at the ansatz.
    """
    if spec.ansatz.scheme not in DERIVED:
        raise located(
            spec,
            "ansatz.scheme",
            f"the ansatz {spec.ansatz.scheme} is not derived by this version",
            f"use {' or '.join(DERIVED)}",
        )
