"""Models declared in a few lines: ``declare(weights=..., ...)`` writes a spec file and loads it."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import spinodal
from spinodal.model import Model


def toml_value(value: Any) -> str:
    """A Python value as inline TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value + '"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    return repr(value)


def spec_text(
    name: str,
    *,
    weights: Any = "binary",
    features: Any = None,
    teacher: dict[str, Any] | None = None,
    loss: dict[str, Any] | None = None,
    scheme: str = "replica-symmetric",
    ansatz: dict[str, Any] | None = None,
    **parameters: float,
) -> str:
    """The text of a spec file."""
    lines = ["format = 1", "[model]", f'name = "{name}"', "[student]", f"weights = {toml_value(weights)}"]
    if features is not None:
        lines.append(f"features = {toml_value(features)}")
    if teacher is not None:
        lines += ["[teacher]", *(f"{k} = {toml_value(v)}" for k, v in teacher.items())]
    lines += ["[loss]", *(f"{k} = {toml_value(v)}" for k, v in (loss or {"constraint": "y*h >= kappa"}).items())]
    lines += ["[ansatz]", f'scheme = "{scheme}"', *(f"{k} = {toml_value(v)}" for k, v in (ansatz or {}).items())]
    lines.append("[parameters]")
    lines += [f"{k} = {toml_value(v)}" for k, v in parameters.items()]
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=256)
def _load(text: str) -> Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.toml"
        path.write_text(text, encoding="utf-8")
        return spinodal.load(path)


def declare(name: str, **entries: Any) -> Model:
    """A model from its declaration (see :func:`spec_text`), loaded once per session."""
    return _load(spec_text(name, **entries))


def central(function: Any, at: np.ndarray, step: float) -> np.ndarray:
    """D function / d at by central differences extrapolated twice, one column per entry of ``at`` (a vector)."""
    columns = []
    for j in range(at.size):
        h = step * max(0.1, abs(at[j]))

        def slope(width: float, j: int = j) -> np.ndarray:
            up, down = at.copy(), at.copy()
            up[j] += width
            down[j] -= width
            return (function(up) - function(down)) / (2.0 * width)

        one, two, four = slope(h), slope(h / 2), slope(h / 4)
        first, second = (4 * two - one) / 3, (4 * four - two) / 3
        columns.append((16 * second - first) / 15)
    return np.stack(columns, axis=-1)
