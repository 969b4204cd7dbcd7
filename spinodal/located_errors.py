"""Errors of a derivation as located errors of the spec it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from spinodal.spec import Spec, located


@contextmanager
def located_errors(spec: Spec) -> Iterator[None]:
    """Say where in a spec the reason lies when its derivation, or the generation of its solver, is refused.

    Raises:
        SpecError: with the place, what is wrong and what would be right. A combination of entries that is well formed but
            that no rule of the replica algebra or of the code generator covers yet is named as such, at its ansatz.
    """
    from spinodal.symbolic.errors import DerivationError

    try:
        yield
    except DerivationError as error:
        raise located(spec, error.place, error.message, error.cure or None, column=error.column) from error
    except NotImplementedError as error:  # raised where the generator meets an average that it has no kernel for
        raise located(
            spec,
            "ansatz.scheme",
            f"the {spec.ansatz.scheme} ansatz is not available for this model: {error}",
            "derive it with a simpler ansatz, label or loss",
        ) from error
