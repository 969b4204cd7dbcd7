"""A module that is derived and generated only if something beyond its names is asked for.

A transition of local entropies is looked for along curves at a given overlap; the equations in which that overlap is an
order parameter, whose derivation may take a minute, are needed only where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any


class Deferred(ModuleType):
    """A generated module with an extremised overlap, known by its names until another attribute is read."""

    def __init__(self, given: ModuleType, parameters: Sequence[str], build: Callable[[], ModuleType]) -> None:
        """Name what is known.

        Args:
            given: the module with the overlap given.
            parameters: of the deferred module.
            build: derives and loads it.
        """
        super().__init__(f"{given.__name__}_extremised")
        overlap = [name for name in given.PARAMETERS if name not in parameters]
        vars(self).update(
            CONSTRAINED_MODULE=given,
            PARAMETERS=tuple(parameters),
            ORDER_PARAMETERS=(*overlap, *given.ORDER_PARAMETERS),
            RULE=given.RULE,
            _build=build,
        )

    def __getattr__(self, name: str) -> Any:
        """What is not known yet: the module takes over, its own order of unknowns included."""
        if name.startswith("__") or "_build" not in vars(self):
            raise AttributeError(name)
        build = vars(self).pop("_build")
        vars(self).update({key: value for key, value in vars(build()).items() if not key.startswith("__")})
        return getattr(self, name)
