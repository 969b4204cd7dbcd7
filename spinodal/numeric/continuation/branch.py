"""A branch of solutions: what the continuation engine returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinodal.numeric.results import Array, SpecialPoint

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Branch:
    """Solutions of F(x, p) = 0 along a curve, in the order of travel (towards growing parameter at the start).

    Attributes:
        x: the solutions, [points, n].
        p: the parameter, [points].
        special_points: folds, branch points, zeros of events, boundaries, in the order of the curve.
        stop_reason: why the branch ends on its two sides.
        tangents: unit tangents in scaled variables, [points, n + 1].
        unstable: number of eigenvalues of dF/dx on the unstable side, [points]; -1 where unknown.
        quantities: further values along the branch by name (events included), [points] each.
        start: index of the point where the continuation began.
        closed: whether the branch is a closed loop (its last point repeats the first).
        positions: fractional index of each special point along the branch.
        names: of the components of x.
        parameter: name of p.
        remarks: what a reader must know.
        evaluations: evaluations of F with its Jacobian, special points included.

    >>> from spinodal.numeric import continue_branch
    >>> branch = continue_branch(lambda x, p: p - x**2, 1.0, 1.0, bounds=(-1.0, 1.0))
    >>> branch["x0"].shape == branch.p.shape == (len(branch),)
    True
    >>> [point.kind for point in branch.special_points]
    ['fold']
    """

    x: Array
    p: Array
    special_points: tuple[SpecialPoint, ...]
    stop_reason: str
    tangents: Array = field(repr=False)
    unstable: NDArray[np.int64] = field(repr=False)
    quantities: Mapping[str, Array] = field(default_factory=dict, repr=False)
    start: int = 0
    closed: bool = False
    positions: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    parameter: str = "p"
    remarks: tuple[str, ...] = ()
    evaluations: int = 0

    @property
    def stable(self) -> NDArray[np.bool_]:
        """Which points are stable under the flow of the settings, [points]."""
        return np.asarray(self.unstable == 0)

    def of_kind(self, kind: str) -> tuple[SpecialPoint, ...]:
        """The special points of one kind."""
        return tuple(point for point in self.special_points if point.kind == kind)

    def __len__(self) -> int:
        return len(self.p)

    def __getitem__(self, name: str) -> Array:
        """A quantity, a component of x, or the parameter, along the branch."""
        if name == self.parameter:
            return self.p
        if name in self.quantities:
            return self.quantities[name]
        if name in self.names:
            return np.asarray(self.x[:, self.names.index(name)])
        raise KeyError(name)

    def to_xarray(self) -> xr.Dataset:
        """A labelled dataset over ``point``; special points over ``special_point``."""
        import xarray as xr

        data: dict[str, Any] = {name: ("point", self.x[:, j]) for j, name in enumerate(self.names)}
        data |= {name: ("point", np.asarray(values)) for name, values in self.quantities.items()}
        data["unstable_directions"] = ("point", self.unstable)
        points = self.special_points
        data["special_kind"] = ("special_point", np.array([s.kind for s in points], dtype=object).astype(str))
        data[f"special_{self.parameter}"] = ("special_point", np.array([s.p for s in points], dtype=float))
        data["special_error_estimate"] = ("special_point", np.array([s.error_estimate for s in points], dtype=float))
        data["special_converged"] = ("special_point", np.array([s.converged for s in points], dtype=bool))
        for j, name in enumerate(self.names):
            column = np.array([s.x[j] if s.x is not None else np.nan for s in points], dtype=float)
            data[f"special_{name}"] = ("special_point", column)
        attributes = {"stop_reason": self.stop_reason, "closed": int(self.closed), "parameter": self.parameter}
        return xr.Dataset(data, {self.parameter: ("point", self.p)}, attrs=attributes)

    def plot(self, path: str | Path | None = None, *, y: str | None = None, inverse: bool = False) -> Any:
        """Draw the branch (solid where stable, dashed where not), its special points marked and named.

        Args:
            path: where to save the figure; without it the matplotlib figure is returned only.
            y: what is drawn upwards; default: the first component of x.
            inverse: draw against 1/parameter.
        """
        from spinodal.numeric.continuation.drawing import draw_branches

        return draw_branches([self], path, y=y or self.names[0], inverse=inverse)

    def _repr_html_(self) -> str:
        """The special points as a table, for notebooks."""
        rows = "".join(
            f"<tr><td>{s.kind}</td><td>{s.p:.12g}</td><td>{s.error_estimate:.1e}</td></tr>" for s in self.special_points
        )
        head = f"<p>Branch of {len(self)} points ({self.stop_reason})</p>"
        return f"{head}<table><tr><th>kind</th><th>{self.parameter}</th><th>error estimate</th></tr>{rows}</table>"

    def __repr__(self) -> str:
        lines = [
            f"Branch({len(self)} points, {self.parameter} from {self.p[0]:.8g} to {self.p[-1]:.8g}; {self.stop_reason})"
        ]
        for point in self.special_points:
            state = "converged" if point.converged else "not converged"
            lines.append(f"  {point.kind} at {self.parameter} = {point.p:.12g} +- {point.error_estimate:.1e} [{state}]")
        return "\n".join(lines)
