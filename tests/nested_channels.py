"""Closed expressions with nested averages, compiled as the package compiles a derivation, for tests of code generation."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from spinodal.codegen.ir import Result
from spinodal.codegen.lower import _Context, lower
from spinodal.codegen.numpy_target.emit import emit
from spinodal.numeric import runtime
from spinodal.spec import read_spec
from spinodal.symbolic.channel import Channel
from spinodal.symbolic.derivation import Definition
from spinodal.symbolic.derive import derive


class Compiled:
    """Expressions in ``names``, evaluated by a generated module on a batch."""

    def __init__(
        self,
        expressions: Mapping[str, sp.Expr],
        names: Sequence[str],
        definitions: Sequence[Definition],
        channels: Sequence[Channel],
    ) -> None:
        base = derive(read_spec("binary-perceptron"))
        leaves = {tag: leaf for channel in channels for tag, leaf in channel.leaves.items()}
        derived = replace(base, definitions=tuple(definitions), parameters=(), leaves=leaves, channel_values={}, tilts={})
        routine = _Context(derived).routine(
            "residual", "Values.", [Result(k.replace(" ", "_"), (), (e,)) for k, e in expressions.items()]
        )
        program = replace(
            lower(base),
            order_parameters=tuple(names),
            parameters=(),
            routines=(routine,),
            leaves=tuple(leaf for leaf in leaves.values() if not leaf.is_closed),
        )
        self.source = emit(program, identity="test", equations={})
        self.module = types.ModuleType("compiled")
        exec(compile(self.source, "compiled", "exec"), self.module.__dict__)
        self.names, self.keys = tuple(names), tuple(expressions)

    def __call__(self, rule: Any = None, **values: Any) -> dict[str, np.ndarray]:
        """The expressions at the values, each of shape [B]."""
        columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(values[n], dtype=float)) for n in self.names))
        x = np.stack(columns, axis=-1)
        out = runtime.batched(self.module._residual, x, np.zeros((1, 0)), rule or self.module.RULE)
        return dict(zip(self.keys, out, strict=True))
