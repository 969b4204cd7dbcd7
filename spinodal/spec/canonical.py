"""One text for each model, however it is spelt: what caches and generated modules are named by."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

from spinodal.spec.printing import to_text
from spinodal.spec.types import Formula, Parameter, Spec

_LEFT_OUT = frozenset({"description", "source", "origin"})


def canonical_json(spec: Spec) -> str:
    """The canonical form of a spec.

    Formulas are printed from their trees, so spelling does not count; nor do descriptions, the file, and the defaults
    of parameters. The order of the parameters does: generated solvers take them by position.
    """
    return json.dumps(_plain(spec), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Formula):
        return {"formula": to_text(value.root)}
    if isinstance(value, Parameter):
        return value.name
    if isinstance(value, tuple):
        return [_plain(element) for element in value]
    if is_dataclass(value):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value) if entry.name not in _LEFT_OUT}
    return value
