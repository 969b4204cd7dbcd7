"""The kinds of special points that are located by name. Importing this is cheap."""

from __future__ import annotations

#: Kinds that are located with the constrained overlap among the order parameters.
EXTREMISED = ("local-entropy-transition", "energetic-barrier")
#: Kinds that have a name of their own.
NAMED = (
    *("fold", "branch-point", "cusp", "crossing", "boundary", "zero-entropy", "capacity", "replicon"),
    *EXTREMISED,
)
#: What a user may write; NAME is one of the model's observables.
KINDS = (*NAMED, "zero:NAME")
