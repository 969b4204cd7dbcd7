"""What a solve returns: values, how they were obtained, how accurate they are, and what went wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

    from spinodal.numeric.continuation.branch import Branch

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a point has no solution here, and what to try.

    Attributes:
        reason: a sentence.
        advice: what may help; may be empty.
    """

    reason: str
    advice: str


@dataclass(frozen=True, slots=True)
class State:
    """One solved (or failed) parameter point.

    Attributes:
        parameters: by name.
        order_parameters: by name; nan where not converged.
        free_entropy: per weight, in nats.
        observables: by name.
        converged: whether the equations hold.
        error_estimate: absolute error of the free entropy (quadrature and state).
        residual: ``max_i |F_i| / (1 + |x_i|)``.
        warnings: what a reader of the numbers must know.
        failure: set when not converged.
        method: how the state was reached.
        stability: ``stable``, ``metastable`` or ``unstable`` on a branch and among the roots of ``--all``; empty where it is
            not known. At a given overlap: compared with the branch from small alpha, folds exchanging the sides.

    >>> state = State({"alpha": 0.0}, {"q": 0.0}, 0.693, {}, True, 1e-15, 0.0)
    >>> state["free_entropy"], state["alpha"]
    (0.693, 0.0)
    """

    parameters: Mapping[str, float]
    order_parameters: Mapping[str, float]
    free_entropy: float
    observables: Mapping[str, float]
    converged: bool
    error_estimate: float
    residual: float
    warnings: tuple[str, ...] = ()
    failure: Failure | None = None
    method: str = ""
    stability: str = ""

    def __getitem__(self, name: str) -> float:
        """An order parameter, observable, parameter or ``free_entropy`` by name.

        Raises:
            KeyError: for another name.
        """
        if name == "free_entropy":
            return self.free_entropy
        for table in (self.order_parameters, self.observables, self.parameters):
            if name in table:
                return table[name]
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """The object of the command line's ``--json``; numbers are null where there are none."""
        document: dict[str, Any] = {
            "parameters": dict(self.parameters),
            "converged": self.converged,
            "order_parameters": {k: number(v) for k, v in self.order_parameters.items()},
            "free_entropy": number(self.free_entropy),
            "observables": {k: number(v) for k, v in self.observables.items()},
            "error_estimate": number(self.error_estimate),
            "residual": number(self.residual),
            "warnings": list(self.warnings),
        }
        if self.stability:
            document["stability"] = self.stability
        if self.failure is not None:
            document["reason"] = self.failure.reason
            document["advice"] = self.failure.advice
        return document


def number(value: float) -> float | None:
    """A finite float, or None."""
    return float(value) if math.isfinite(value) else None


def failed(module: ModuleType, p: Array, failure: Failure, residual: float = float("nan")) -> State:
    """A failure as a result: every number is nan, and it says why and what to try.

    Args:
        module: the generated module.
        p: the parameters, shape [k].
        failure: the reason and the advice.
        residual: of the equations, where the attempt ended.
    """
    nan = float("nan")
    return State(
        parameters=dict(zip(module.PARAMETERS, map(float, p), strict=True)),
        order_parameters=dict.fromkeys(module.ORDER_PARAMETERS, nan),
        free_entropy=nan,
        observables=dict.fromkeys(module.OBSERVABLES, nan),
        converged=False,
        error_estimate=nan,
        residual=residual,
        failure=failure,
    )


@dataclass(frozen=True)
class Solution:
    """Solved parameter points of one model: a single one, or a batch of any shape.

    A single point's values are reached directly (``solution["q"]``, ``solution.free_entropy``); in a batch the same
    expressions give arrays of the batch's shape, nan where a point did not converge.

    Attributes:
        model: the model's name.
        ansatz: the ansatz' name.
        states: one per point, in C order.
        shape: the batch's shape; () for a single point.
        alternatives: further roots at the same point (``all=True``), largest free entropy first.

    >>> import spinodal
    >>> solution = spinodal.load("binary-perceptron").solve(alpha=[0.2, 0.4, 0.6])
    >>> solution.shape, bool(solution.converged.all()), bool((solution.error_estimate < 1e-10).all())
    ((3,), True, True)
    >>> sorted(solution.order_parameters)
    ['q', 'q_hat']
    >>> solution.to_xarray().sizes["point"]
    3
    """

    model: str
    ansatz: str
    states: tuple[State, ...]
    shape: tuple[int, ...] = ()
    alternatives: tuple[State, ...] = field(default=())

    def _collect(self, values: list[float]) -> Any:
        return values[0] if self.shape == () else np.array(values).reshape(self.shape)

    def __getitem__(self, name: str) -> Any:
        return self._collect([state[name] for state in self.states])

    @property
    def free_entropy(self) -> Any:
        """Phi per weight in nats."""
        return self["free_entropy"]

    @property
    def converged(self) -> Any:
        """Whether each point converged."""
        flags = [state.converged for state in self.states]
        return flags[0] if self.shape == () else np.array(flags).reshape(self.shape)

    @property
    def error_estimate(self) -> Any:
        """Absolute error estimate of the free entropy."""
        return self._collect([state.error_estimate for state in self.states])

    @property
    def order_parameters(self) -> dict[str, Any]:
        """Order parameters by name."""
        return {name: self[name] for name in self.states[0].order_parameters}

    @property
    def observables(self) -> dict[str, Any]:
        """Observables by name."""
        return {name: self[name] for name in self.states[0].observables}

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters by name."""
        return {name: self[name] for name in self.states[0].parameters}

    @property
    def warnings(self) -> tuple[str, ...]:
        """All distinct warnings."""
        return tuple(dict.fromkeys(w for state in self.states for w in state.warnings))

    @property
    def reason(self) -> str:
        """Why the first failed point failed; empty when all converged."""
        return next((s.failure.reason for s in self.states if s.failure), "")

    @property
    def advice(self) -> str:
        """What to try about it."""
        return next((s.failure.advice for s in self.states if s.failure), "")

    def to_json(self) -> dict[str, Any]:
        """The ``--json`` object of a single point (``solutions`` beside it when all roots were asked for).

        Raises:
            ValueError: for a batch.
        """
        if self.shape != ():
            raise ValueError("to_json describes a single point; use to_xarray() for a batch")
        document = {"model": self.model, "ansatz": self.ansatz, **self.states[0].to_json()}
        if self.alternatives:
            document["solutions"] = [state.to_json() for state in self.alternatives]
        return document

    def to_xarray(self) -> xr.Dataset:
        """The points as a labelled dataset with dimension ``point`` (flattened) and one variable per quantity."""
        import xarray as xr

        first = self.states[0]
        names = ["free_entropy", *first.order_parameters, *first.observables]
        data = {name: ("point", np.array([state[name] for state in self.states])) for name in names}
        data["converged"] = ("point", np.array([state.converged for state in self.states]))
        data["error_estimate"] = ("point", np.array([state.error_estimate for state in self.states]))
        coordinates = {
            name: ("point", np.array([state.parameters[name] for state in self.states])) for name in first.parameters
        }
        return xr.Dataset(data, coordinates, attrs={"model": self.model, "ansatz": self.ansatz})

    def __repr__(self) -> str:
        if self.shape != ():
            good = sum(state.converged for state in self.states)
            return f"Solution({self.model}, {self.ansatz}: {good} of {len(self.states)} points converged)"
        state = self.states[0]
        if not state.converged:
            return f"Solution({self.model}, not converged: {self.reason})"
        values = ", ".join(f"{k}={v:.10g}" for k, v in state.order_parameters.items())
        return f"Solution({self.model}, {values}, free_entropy={state.free_entropy:.10g})"

    def _repr_html_(self) -> str:
        """A table, for notebooks."""
        rows: list[str] = []
        for state in self.states[:50]:
            cells = {
                **state.parameters,
                **state.order_parameters,
                "free_entropy": state.free_entropy,
                **state.observables,
            }
            if not rows:
                rows.append("<tr>" + "".join(f"<th>{name}</th>" for name in cells) + "</tr>")
            rows.append("<tr>" + "".join(f"<td>{value:.8g}</td>" for value in cells.values()) + "</tr>")
        return f"<p>{self.model} ({self.ansatz})</p><table>{''.join(rows)}</table>"


@dataclass(frozen=True, slots=True)
class SpecialPoint:
    """A located point: where a named condition holds.

    Attributes:
        kind: ``zero-entropy``, ``capacity``, ``zero:NAME``, ...
        parameters: by name, the located one included.
        order_parameters: by name.
        free_entropy: per weight.
        error_estimate: absolute error of the located parameter.
        converged: whether it was located.
        failure: why not, and what to try.
        warnings: what a reader must know.
        along: the parameter that was solved for.
        x: the state as it was solved for, [n].
        null: null vectors of [dF/dx, dF/dp] there, one per row (of dF/dx at a fold).
        left: the left null vector, [n].
        partner: at a crossing of two states, the other one, [n].

    >>> SpecialPoint("fold", {"alpha": 1.5}, {"q": 0.9}, -0.08, 1e-12, True, along="alpha").p
    1.5
    """

    kind: str
    parameters: Mapping[str, float]
    order_parameters: Mapping[str, float]
    free_entropy: float
    error_estimate: float
    converged: bool
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()
    along: str = ""
    x: Array | None = field(default=None, repr=False, compare=False)
    null: Array | None = field(default=None, repr=False, compare=False)
    left: Array | None = field(default=None, repr=False, compare=False)
    partner: Array | None = field(default=None, repr=False, compare=False)

    @property
    def p(self) -> float:
        """The located parameter."""
        return self.parameters[self.along] if self.along else float("nan")

    def to_json(self) -> dict[str, Any]:
        """The entry of ``special_points`` in ``--json``."""
        document: dict[str, Any] = {
            "kind": self.kind,
            "parameters": {k: number(v) for k, v in self.parameters.items()},
            "order_parameters": {k: number(v) for k, v in self.order_parameters.items()},
            "free_entropy": number(self.free_entropy),
            "error_estimate": number(self.error_estimate),
            "converged": self.converged,
        }
        if self.warnings:
            document["warnings"] = list(self.warnings)
        if self.failure is not None:
            document["reason"] = self.failure.reason
            document["advice"] = self.failure.advice
        return document


@dataclass(frozen=True)
class Locus:
    """Special points of one kind, one for each value of a second parameter (or a single one).

    Attributes:
        model: the model's name.
        ansatz: the ansatz' name.
        kind: of the special points.
        along: the parameter that was solved for.
        over: the parameter that was varied, or empty.
        special_points: in the order of its values.
        events: what is special along the locus itself (cusps, folds of the locus, replicon zeros on it).
        curve: the locus as one continuation over the varied parameter, between the grid's ends; None for a single point.
        positive_side: where what vanishes on the locus is positive: 1 above it, at larger values of ``along``, -1 below,
            0 where it has no such sides. (At a capacity of continuous weights: where solutions exist.)

    >>> import spinodal
    >>> line = spinodal.load("spherical-perceptron").locus("capacity", "alpha", over=("kappa", [0.0, 0.5, 1.0]))
    >>> line.values.round(8)  # Gardner 1988
    array([2.        , 0.96120505, 0.51957223])
    """

    model: str
    ansatz: str
    kind: str
    along: str
    over: str
    special_points: tuple[SpecialPoint, ...]
    events: tuple[SpecialPoint, ...] = ()
    curve: Branch | None = field(default=None, repr=False, compare=False)
    positive_side: int = 0

    @property
    def converged(self) -> bool:
        """Whether every point was located."""
        return all(point.converged for point in self.special_points)

    @property
    def values(self) -> Array:
        """The located parameter, [points]."""
        return np.array([point.parameters[self.along] for point in self.special_points])

    @property
    def over_values(self) -> Array:
        """The varied parameter, [points] (empty for a single point)."""
        return np.array([point.parameters[self.over] for point in self.special_points] if self.over else [])

    def to_json(self) -> dict[str, Any]:
        """The ``--json`` object."""
        return {
            "model": self.model,
            "ansatz": self.ansatz,
            "kind": self.kind,
            "along": self.along,
            "over": self.over or None,
            "special_points": [point.to_json() for point in self.special_points],
            "events": [point.to_json() for point in self.events],
        }

    def to_xarray(self) -> xr.Dataset:
        """A labelled dataset: the located parameter and order parameters over the varied parameter."""
        import xarray as xr

        dimension = self.over or "point"
        first = self.special_points[0]
        data = {
            name: (dimension, np.array([point.order_parameters[name] for point in self.special_points]))
            for name in first.order_parameters
        }
        data[self.along] = (dimension, self.values)
        data["free_entropy"] = (dimension, np.array([point.free_entropy for point in self.special_points]))
        data["error_estimate"] = (dimension, np.array([point.error_estimate for point in self.special_points]))
        data["converged"] = (dimension, np.array([point.converged for point in self.special_points]))
        coordinates = {self.over: self.over_values} if self.over else {}
        fixed = {k: v for k, v in first.parameters.items() if k not in (self.along, self.over)}
        return xr.Dataset(data, coordinates, attrs={"model": self.model, "ansatz": self.ansatz, "kind": self.kind, **fixed})

    def __repr__(self) -> str:
        return f"Locus({self.model}, {self.kind}: {len(self.special_points)} points, along {self.along})"
