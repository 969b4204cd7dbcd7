"""The model facade: a spec with an ansatz, and everything that can be done with it from Python.

Deriving needs SymPy, which is imported only when a derivation is asked for or a solver is not in the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from spinodal.codegen import cache
from spinodal.numeric.locate import Along, locate_capacity, locate_zero
from spinodal.numeric.quadrature import Rule
from spinodal.numeric.results import Locus, Solution, SpecialPoint
from spinodal.numeric.solve import Bound, all_states, solve_points
from spinodal.spec import Spec, SpecError, check_parameters, located, read_spec

if TYPE_CHECKING:
    from spinodal.report import Derivation

_DISCRETE = ("binary", "discrete")
_DERIVED = ("replica-symmetric", "bayes-optimal", "franz-parisi")
#: The special points that :meth:`Model.locus` locates; ``zero:NAME`` takes any observable.
KINDS = ("zero-entropy", "capacity", "replicon", "zero:NAME")


def load(source: str | Path, *, ansatz: str | None = None, overrides: Mapping[str, Any] | None = None) -> Model:
    """Load a model from a spec file or a shipped name.

    Args:
        source: a path, or a shipped model's name (``spinodal models``).
        ansatz: replaces the spec's whole ``[ansatz]`` table.
        overrides: entries to override, by dotted key (``{"student.features.activation": "tanh(x)"}``).

    Raises:
        SpecError: if the spec is not well formed.
    """
    return Model(read_spec(source, overrides=dict(overrides or {}), ansatz=ansatz))


@dataclass(frozen=True)
class Model:
    """A declared model under an ansatz. Build with :func:`load`."""

    spec: Spec

    @property
    def name(self) -> str:
        """The model's name."""
        return self.spec.name

    @property
    def ansatz(self) -> str:
        """The ansatz' scheme."""
        return self.spec.ansatz.scheme

    def derive(self) -> Derivation:
        """Derive the free entropy and the saddle-point equations, step by step, self-checks included.

        Raises:
            SpecError: if the spec has no theory here (where, why, and what would help).
        """
        self._check_scheme()
        from spinodal.report import derivation

        with _located(self.spec):
            return derivation(self.spec)

    def _check_scheme(self) -> None:
        """Refuse an ansatz that is not derived yet before anything heavy is imported."""
        if self.ansatz not in _DERIVED:
            raise located(
                self.spec,
                "ansatz.scheme",
                f"the ansatz {self.ansatz} is not derived by this version",
                f"use {' or '.join(_DERIVED)}",
            )

    def source(self) -> str:
        """The source of the generated solver module."""
        module_file = self.solver().__file__
        if module_file and Path(module_file).exists():
            return Path(module_file).read_text(encoding="utf-8")
        from spinodal.codegen.generate import generate

        with _located(self.spec):
            return generate(self.spec, cache.key(self.spec))

    @cached_property
    def _module(self) -> ModuleType:
        self._check_scheme()

        def build(identity: str) -> str:
            from spinodal.codegen.generate import generate

            with _located(self.spec):
                return generate(self.spec, identity)

        return cache.load(self.spec, build)

    def solver(self) -> ModuleType:
        """The generated module: from the cache, or derived and generated now.

        Raises:
            SpecError: if the spec has no theory here.
        """
        return self._module

    def solve(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        start: Mapping[str, float] | None = None,
        all: bool = False,
        tol: float = 1e-10,
        rule: Rule | None = None,
        **parameters: Any,
    ) -> Solution:
        """Solve the saddle-point equations.

        Args:
            values: parameters by name, for names that are also arguments of this function.
            start: order parameters to start Newton from; default: follow the branch from alpha = 0.
            all: find every root (single points only), under ``alternatives``; the first is the one of largest
                free entropy, and the solution is the branch's root as without this option.
            tol: wanted absolute error of the free entropy; quadrature is refined until the estimate is below it.
            rule: the quadrature rule (default ``quadrature.Automatic(100)``).
            **parameters: values; arrays broadcast to a batch.

        Raises:
            SpecError: for unknown parameters and values outside their domain.
        """
        arrays = {name: np.asarray(value, dtype=float) for name, value in {**(values or {}), **parameters}.items()}
        shape = np.broadcast_shapes(*(a.shape for a in arrays.values())) if arrays else ()
        names = self.spec.parameter_names()
        if shape == ():
            checked = check_parameters(self.spec, {k: float(v) for k, v in arrays.items()}, source="parameters")
            points = np.array([[checked[name] for name in names]])
        else:
            flat = {k: np.broadcast_to(v, shape).ravel() for k, v in arrays.items()}
            rows = [
                check_parameters(self.spec, {k: float(v[i]) for k, v in flat.items()}, source="parameters")
                for i in range(int(np.prod(shape)))
            ]
            points = np.array([[row[name] for name in names] for row in rows]).reshape(-1, len(names))
        module = self.solver()
        self._check_start(module, start)
        if all and shape != ():
            raise SpecError("all=True needs a single parameter point", source="solve")
        states = solve_points(module, points, tolerance=tol, start=start, rule=rule)
        others = tuple(all_states(module, points, tolerance=tol, rule=rule)) if all else ()
        if all and others and not states[0].converged:
            states = [others[0]]
        return Solution(self.name, self.ansatz, tuple(states), shape, others)

    def _check_start(self, module: ModuleType, start: Mapping[str, float] | None) -> None:
        for name, value in (start or {}).items():
            if name not in module.ORDER_PARAMETERS:
                known = ", ".join(module.ORDER_PARAMETERS)
                raise SpecError(f"{name}: not an order parameter of this model", cure=f"use {known}", source="--start")
            if not np.isfinite(value):
                raise SpecError(f"{name}: {value} is not a number", cure="give a finite number", source="--start")

    def locus(
        self,
        of: str,
        along: str,
        over: tuple[str, Any] | None = None,
        values: Mapping[str, float] | None = None,
        *,
        bounds: tuple[float, float] | None = None,
        tol: float = 1e-10,
        rule: Rule | None = None,
        progress: Any = None,
        **parameters: float,
    ) -> Locus:
        """Locate a special point along one parameter, once or for each value of a second parameter.

        Args:
            of: ``zero-entropy``, ``capacity``, ``replicon``, or ``zero:NAME`` of an observable.
            along: the parameter to solve for; ``1/NAME`` is allowed (bounds are then of the inverse).
            over: the second parameter and its values.
            values: the other parameters by name, for names that are also arguments of this function.
            bounds: the range searched along the first parameter; alpha defaults to (0, 20).
            tol: wanted absolute error of the free entropy.
            rule: the quadrature rule.
            progress: called with the number of points done, if given.
            **parameters: the other parameters.

        Raises:
            SpecError: for unknown kinds, parameters or observables.
        """
        inverse = along.startswith("1/")
        name = along.removeprefix("1/")
        names = self.spec.parameter_names()
        varied = (over[0], np.atleast_1d(np.asarray(over[1], dtype=float))) if over else ("", np.array([np.nan]))
        for parameter in (name, *([varied[0].removeprefix("1/")] if over else [])):
            if parameter not in names:
                check_parameters(self.spec, {parameter: 0.0}, source="--along" if parameter == name else "--over")
        module = self.solver()
        observable = self._observable_of(module, of)
        if bounds is None:
            if name != "alpha" or inverse:
                raise SpecError(f"{along}: a range is needed", cure=f"as in --along {along}=0.1:2", source="--along")
            bounds = (1e-3, 20.0)
        low, high = sorted(1.0 / b if b else np.inf for b in bounds) if inverse else bounds
        if not (np.isfinite(low) and np.isfinite(high)) or low >= high:
            raise SpecError(f"{along}={bounds[0]:g}:{bounds[1]:g} is not a range", cure="write LOW:HIGH", source="--along")
        column = names.index(name)
        system = Bound(module, rule or module.RULE)
        points: list[SpecialPoint] = []
        for count, value in enumerate(varied[1]):
            given = {**(values or {}), **parameters}
            if over:
                given[varied[0].removeprefix("1/")] = 1.0 / value if varied[0].startswith("1/") else value
            given.setdefault(name, max(low, 0.0) if name != "alpha_T" else low)
            checked = check_parameters(self.spec, given, source="parameters")
            p = np.array([[checked[key] for key in names]])
            points.append(self._locate(system, p, Along(name, column, float(low), float(high)), of, observable, tol))
            if progress is not None:
                progress(count + 1)
        return Locus(self.name, self.ansatz, of, name, varied[0].removeprefix("1/"), tuple(points))

    def _observable_of(self, module: ModuleType, of: str) -> str:
        discrete = self.spec.student.weights.kind in _DISCRETE
        if of == "zero-entropy" or (of == "capacity" and discrete):
            return "entropy"
        if of == "capacity":
            return ""
        name = "replicon" if of == "replicon" else of.removeprefix("zero:")
        if (of == "replicon" or of.startswith("zero:")) and (name in module.OBSERVABLES or name == "free_entropy"):
            return name
        raise SpecError(
            f"{of}: not a kind of special point that this version locates",
            cure=f"use one of {', '.join(KINDS)}, NAME being one of {', '.join(module.OBSERVABLES)}",
            source="--of",
        )

    def _locate(self, system: Bound, p: Any, along: Along, of: str, observable: str, tol: float) -> SpecialPoint:
        if observable:
            return locate_zero(system, p, along, of, observable, tolerance=tol)
        return locate_capacity(system, p, along, tolerance=tol)

    def _repr_markdown_(self) -> str:
        """The spec's description, for notebooks."""
        return f"**{self.name}** ({self.ansatz}): {self.spec.description}"


class _located:  # noqa: N801 - a context manager reads as a function
    """Turn a derivation's error into a located error of the spec."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        from spinodal.symbolic.errors import DerivationError

        if isinstance(error, DerivationError):
            raise located(self.spec, error.place, error.message, error.cure or None, column=error.column) from error
