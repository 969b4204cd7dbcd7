"""The model facade: a spec with an ansatz, and everything that can be done with it from Python.

Deriving needs SymPy, which is imported only when a derivation is asked for or a solver is not in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from spinodal.codegen import cache
from spinodal.companions import companions
from spinodal.kinds import EXTREMISED, KINDS
from spinodal.located_errors import located_errors
from spinodal.numeric.bound import Bound
from spinodal.numeric.every_root import all_states
from spinodal.numeric.quadrature import Rule
from spinodal.numeric.results import Failure, Locus, Solution, State
from spinodal.numeric.solve import solve_points
from spinodal.regions import check_derived, check_masses, check_range, cutting_defaults, defaults, derived_at, holds
from spinodal.requests import check_start, line_of, point_of, standard_kinds, together, wanted_of
from spinodal.schemes import check_scheme
from spinodal.spec import (
    Spec,
    SpecError,
    check_parameters,
    read_spec,
    with_overlap,
)
from spinodal.spec.overlaps import check_overlap

if TYPE_CHECKING:
    import xarray as xr

    from spinodal.numeric.continuation import Settings
    from spinodal.numeric.state_branch import StateBranch
    from spinodal.numeric.tracking import Line
    from spinodal.report import Derivation


def load(source: str | Path, *, ansatz: str | None = None, overrides: Mapping[str, Any] | None = None) -> Model:
    """Load a model from a spec file or a shipped name.

    Args:
        source: a path, or a shipped model's name (``spinodal models``).
        ansatz: replaces the spec's whole ``[ansatz]`` table.
        overrides: entries to override, by dotted key (``{"student.features.activation": "tanh(x)"}``).

    Raises:
        SpecError: if the spec is not well formed.

    >>> model = load("random-features-binary", overrides={"student.features.activation": "tanh(x)"})
    >>> model.name, model.ansatz
    ('random-features-binary', 'replica-symmetric')
    >>> load("binary-perceptron", ansatz="bayes-optimal")
    Traceback (most recent call last):
        ...
    spinodal.spec.errors.SpecError: --ansatz bayes-optimal: contradictory ansatz: bayes-optimal needs a [teacher]; ...
    """
    return Model(read_spec(source, overrides=dict(overrides or {}), ansatz=ansatz))


@dataclass(frozen=True)
class Model:
    """A declared model under an ansatz. Build with :func:`load`.

    Attributes:
        spec: what was declared.

    >>> model = load("binary-perceptron")
    >>> model.spec.parameter_names()
    ('alpha', 'kappa')
    """

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

        >>> derivation = load("binary-perceptron").derive()
        >>> [str(left) for left, right in derivation.equations]  # Krauth and Mezard 1989
        ['q', 'q_hat']
        """
        check_scheme(self.spec)
        from spinodal.report import derivation

        with located_errors(self.spec):
            return derivation(self.spec)

    def source(self) -> str:
        """The source of the generated solver module."""
        module_file = self.solver().__file__
        if module_file and Path(module_file).exists():
            return Path(module_file).read_text(encoding="utf-8")
        from spinodal.codegen.generate import generate

        with located_errors(self.spec):
            return generate(self.spec, cache.key(self.spec))

    @cached_property
    def _module(self) -> ModuleType:
        check_scheme(self.spec)

        def build(identity: str) -> str:
            from spinodal.codegen.generate import generate

            with located_errors(self.spec):
                return generate(self.spec, identity)

        module = cache.load(self.spec, build)
        if not holds(module, defaults(self.spec)[None])[0]:  # it was derived for other defaults
            module = cache.load(self.spec, build, cutting_defaults(self.spec, module))
        for name, other in companions(module, self.spec).items():
            vars(module)[name] = module if other is self.spec else Model(other).solver()
        return module

    def _deferred(self) -> ModuleType | None:
        """The module of an extremised overlap, derived when it is needed: where nothing is found it is not.

        None where it is there already, or where parameters may change what it derives from.
        """
        from spinodal.numeric.deferred import Deferred

        if "_module" in vars(self):
            return None
        check_scheme(self.spec)
        given = Model(with_overlap(self.spec, "given")).solver()
        return None if hasattr(given, "holds_at") else Deferred(given, self.spec.parameter_names(), self.solver)

    def solver(self) -> ModuleType:
        """The generated module: from the cache, or derived and generated now.

        Its functions are vectorised over a leading batch axis: ``residual(x [B, n], p [B, k]) -> [B, n]`` is x - update,
        ``jacobian -> [B, n, n]``, ``parameter_derivative -> [B, n, k]``, ``jacobian_directional(x, p, v) -> [B, n, n]``,
        ``free_entropy -> [B]`` per weight in nats, ``observables`` a dict of [B].

        Raises:
            SpecError: if the spec has no theory here.

        >>> import numpy as np
        >>> solver = load("binary-perceptron").solver()
        >>> solver.ORDER_PARAMETERS, solver.PARAMETERS
        (('q', 'q_hat'), ('alpha', 'kappa'))
        >>> x, p = np.array([[0.56394908, 2.57635132]]), np.array([[0.8330785997, 0.0]])  # the capacity
        >>> bool(np.all(np.abs(solver.residual(x, p)) < 1e-7))
        True
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

        Returns:
            The state, or the batch of states in the broadcast shape. A point without a state is a result that says so
            (``converged``, ``reason``, ``advice``), not an error.

        Raises:
            SpecError: for unknown parameters and values outside their domain.

        >>> model = load("binary-perceptron")
        >>> state = model.solve(alpha=0.8330785997)  # the capacity of Krauth and Mezard 1989: no entropy is left
        >>> f"q = {state['q']:.6f}, phi = {abs(state.free_entropy):.6f}"
        'q = 0.563949, phi = 0.000000'
        >>> model.solve(alpha=[0.0, 0.5]).free_entropy.shape
        (2,)
        """
        arrays, shape = together({**(values or {}), **parameters})
        names = self.spec.parameter_names()
        if 0 in shape:
            raise SpecError("no parameter points: an array of values is empty", cure="give at least one", source="solve")
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
        for point in points:
            check_overlap(self.spec, dict(zip(names, map(float, point), strict=True)), source="parameters", reached=False)
        if all and shape != ():
            raise SpecError("all=True needs a single parameter point", source="solve")
        good = holds(self.solver(), points)
        if not good.all():
            return self._solve_in_regions(points, good, shape, start=start, all=all, tol=tol, rule=rule)
        module = self.solver()
        check_masses(module, names, points)
        check_start(module, start)
        states = solve_points(module, points, tolerance=tol, start=start, rule=rule, iterate=True)
        others = tuple(all_states(module, points, tolerance=tol, rule=rule)) if all else ()
        if all and others and not states[0].converged:
            states = [others[0]]
        return Solution(self.name, self.ansatz, tuple(states), shape, others)

    def _solve_in_regions(
        self,
        points: np.ndarray[Any, Any],
        good: np.ndarray[Any, Any],
        shape: tuple[int, ...],
        *,
        start: Mapping[str, float] | None,
        all: bool,
        tol: float,
        rule: Rule | None,
    ) -> Solution:
        """As :meth:`solve` for points [B, k], of which only the ``good`` ones [B] lie where the model was derived."""
        names, left = self.spec.parameter_names(), np.ones(len(points), dtype=bool)
        states: list[State | None] = [None] * len(points)
        alternatives: tuple[State, ...] = ()
        model, here = self, good
        while True:
            chosen = np.flatnonzero(left & here)
            if chosen.size:
                part = points[chosen] if shape else points[chosen[0]]
                solved = model.solve(dict(zip(names, part.T, strict=True)), start=start, all=all, tol=tol, rule=rule)
                alternatives = solved.alternatives
                for index, state in zip(chosen, solved.states, strict=True):
                    states[index] = state
            left &= ~here
            if not left.any():
                return Solution(self.name, self.ansatz, tuple(s for s in states if s is not None), shape, alternatives)
            first = points[np.flatnonzero(left)[0]]
            model = self._derived_at(first)
            here = holds(model.solver(), points)

    def _derived_at(self, point: np.ndarray[Any, Any]) -> Model:
        """The model derived where its formulas cut the line as at a point [k]: itself, or with other defaults."""
        for model in (self, *self._elsewhere):
            if holds(model.solver(), point[None])[0]:
                return model
        model = Model(derived_at(self.spec, self.solver(), point))
        check_derived(model.solver(), self.spec.parameter_names(), point)
        self._elsewhere.append(model)
        return model

    def _solver_along(self, point: np.ndarray[Any, Any], *lines: Line) -> ModuleType:
        """The solver for ranges of parameters that begin at a point [k].

        Raises:
            SpecError: where formulas do not cut the line in the same way all along the ranges.
        """
        module = self._derived_at(point).solver()
        names = self.spec.parameter_names()
        check_range(module, names, point, {line.column: (line.low, line.high) for line in lines})
        for line in lines:
            ends = np.repeat(point[None], 2, axis=0)
            ends[:, line.column] = line.low, line.high
            check_masses(module, names, ends)
        return module

    @cached_property
    def _elsewhere(self) -> list[Model]:
        """The same model derived at other parameters."""
        return []

    def stabilities(
        self,
        values: Mapping[str, float] | None = None,
        *,
        at: Any = None,
        state: State | None = None,
        start: Mapping[str, float] | None = None,
        tol: float = 1e-10,
        rule: Rule | None = None,
        **parameters: float,
    ) -> xr.Dataset:
        """The distribution of stabilities: the density of y h, label times field, on patterns of the training set.

        It is that of one solution under the model's ansatz; for Franz-Parisi that of the probe, and ``density_ref`` that of
        the reference.

        Args:
            values: parameters by name, for names that are also arguments of this function.
            at: values of y h [stability]; default: an even grid where the density is not negligible.
            state: a state of this model that is solved already, instead of parameters.
            start: order parameters to start from, as for :meth:`solve`.
            tol: wanted absolute error of the free entropy.
            rule: the quadrature rule; densities are those of its refinement.
            **parameters: values.

        Returns:
            ``density`` and ``density_error`` (absolute) over ``stability``; parameters are attributes.

        Raises:
            SpecError: for unknown parameters, and for labels other than +-1.
            NoStateError: if there is no state; its ``failure`` says why.

        Source: Kepler and Abbott (1988) for the perceptron. No pattern lies below the margin:

        >>> data = load("binary-perceptron").stabilities(alpha=0.5, at=[-0.1, 0.1])
        >>> (data["density"].values > 0.0).tolist()
        [False, True]
        """
        from spinodal.numeric.stabilities import RULE, densities, labelled
        from spinodal.numeric.tracking import NoStateError

        module = self.solver()
        if getattr(module, "GROUND_STATE", False):
            raise SpecError(
                "the stabilities of a ground state have no density: patterns are held at kinks of the energy",
                cure="take a small positive temperature",
                source="stabilities",
            )
        if not module.STABILITIES:
            raise SpecError(
                "stabilities y*h need labels +1 and -1", cure="use a label such as sign(u)", source="stabilities"
            )
        if state is None:
            state = self.solve({**(values or {}), **parameters}, start=start, tol=tol, rule=rule).states[0]
        if not state.converged:
            raise NoStateError(state.failure or Failure("the state did not converge", "solve it first"))
        module = self._derived_at(np.array([state.parameters[name] for name in module.PARAMETERS])).solver()
        grid, found = densities(Bound(module, rule or RULE), state, at)
        return labelled(grid, found, model=self.name, ansatz=self.ansatz, **state.parameters)

    def branch(
        self,
        along: str,
        bounds: tuple[float, float] | None = None,
        values: Mapping[str, float] | None = None,
        *,
        start: Mapping[str, float] | None = None,
        zeros: Sequence[str] = (),
        settings: Settings | None = None,
        tol: float = 1e-10,
        rule: Rule | None = None,
        checkpoint: str | Path | None = None,
        progress: Callable[[int], None] | None = None,
        **parameters: float,
    ) -> StateBranch:
        """Follow the branch of the state that :meth:`solve` finds along a parameter, through its folds.

        Args:
            along: the parameter; ``1/NAME`` is allowed (bounds are then of the inverse).
            bounds: its range; alpha defaults to (0.001, 20).
            values: the other parameters by name, for names that are also arguments of this function.
            start: order parameters to start from (at the low end of the range) instead of the root from small alpha.
            zeros: observables whose zeros are special points (``zero:NAME``); entropy (of discrete weights) and replicon
                always are.
            settings: of the continuation engine.
            tol: wanted absolute error of free entropies and of located parameters.
            rule: the quadrature rule.
            checkpoint: a file from which a killed run resumes.
            progress: called with the number of points so far.
            **parameters: the other parameters.

        Returns:
            The branch, with states, stability, and special points (``fold``, ``branch-point``, ``zero-entropy``,
            ``replicon``, ``crossing``, ``capacity``, ``boundary``, ``zero:NAME``) solved on their defining equations.

        Raises:
            SpecError: for unknown parameters or observables and ranges that are none.
            NoStateError: if there is no state to start from; its ``failure`` says why.

        Source of the method: Keller (1977); of the transitions: Gardner (1988), Gyorgyi (1990), de Almeida and
        Thouless (1978).

        >>> branch = load("binary-perceptron").branch("alpha", (0.7, 0.9))
        >>> [(point.kind, round(point.p, 6)) for point in branch.of_kind("zero-entropy")]
        [('zero-entropy', 0.833079)]
        """
        from spinodal.numeric.state_branch import state_branch
        from spinodal.numeric.tracking import track

        line = line_of(self.spec, along, bounds, "--along")
        module = self._solver_along(point_of(self.spec, {line.name: line.low}, values, parameters), line)
        check_start(module, start)
        kinds = standard_kinds(self.spec, module)
        for name in zeros:
            kinds[f"zero:{name}"] = wanted_of(self.spec, module, f"zero:{name}", "--zero").observable
        for kind in settings.stop_at if settings else ():
            if kind not in (*KINDS[:-1], *kinds):
                known = ", ".join(dict.fromkeys((*KINDS[:-1], *kinds)))
                raise SpecError(f"{kind}: not a kind of special point", cure=f"use one of {known}", source="--stop-at")
        tracked = track(
            Bound(module, rule or module.RULE), point_of(self.spec, {line.name: line.low}, values, parameters), line,
            kinds=kinds, continuous=not self.spec.student.weights.is_discrete, start=start, settings=settings, tolerance=tol,
            checkpoint=checkpoint, progress=progress,
        )  # fmt: skip
        return state_branch(tracked, self.name, self.ansatz)

    def branches(
        self,
        along: str,
        bounds: tuple[float, float] | None = None,
        values: Mapping[str, float] | None = None,
        *,
        start: Mapping[str, float] | None = None,
        zeros: Sequence[str] = (),
        settings: Settings | None = None,
        tol: float = 1e-10,
        rule: Rule | None = None,
        progress: Callable[[int], None] | None = None,
        **parameters: float,
    ) -> tuple[StateBranch, ...]:
        """Every branch found along a parameter: that of :meth:`branch` first, those that leave it, disconnected ones.

        Arguments and errors are those of :meth:`branch`. Other states are looked for by deflation (Farrell, Birkisson and
        Funke 2015).

        >>> found = load("binary-perceptron").branches("alpha", (0.3, 0.5))
        >>> len(found), found[0].parameter
        (1, 'alpha')
        """
        from spinodal.numeric.families import track_all
        from spinodal.numeric.state_branch import state_branch

        line = line_of(self.spec, along, bounds, "--along")
        module = self._solver_along(point_of(self.spec, {line.name: line.low}, values, parameters), line)
        check_start(module, start)
        kinds = standard_kinds(self.spec, module)
        for name in zeros:
            kinds[f"zero:{name}"] = wanted_of(self.spec, module, f"zero:{name}", "--zero").observable
        found = track_all(
            Bound(module, rule or module.RULE), point_of(self.spec, {line.name: line.low}, values, parameters), line,
            kinds=kinds, continuous=not self.spec.student.weights.is_discrete, start=start, settings=settings,
            tolerance=tol, progress=progress,
        )  # fmt: skip
        return tuple(state_branch(tracked, self.name, self.ansatz) for tracked in found)

    def locus(
        self,
        of: str,
        along: str,
        over: tuple[str, Any] | None = None,
        values: Mapping[str, float] | None = None,
        *,
        bounds: tuple[float, float] | None = None,
        start: Mapping[str, float] | None = None,
        settings: Settings | None = None,
        tol: float = 1e-10,
        rule: Rule | None = None,
        checkpoint: str | Path | None = None,
        progress: Callable[[int], None] | None = None,
        **parameters: float,
    ) -> Locus:
        """Locate a special point along one parameter, once or as a locus over a second parameter.

        Args:
            of: one of :data:`KINDS`.
            along: the parameter to solve for; ``1/NAME`` is allowed (bounds are then of the inverse).
            over: the second parameter and its values; ``1/NAME`` is allowed.
            values: the other parameters by name, for names that are also arguments of this function.
            bounds: the range searched along the first parameter; alpha defaults to (0.001, 20).
            start: order parameters to start from instead of the root from small alpha.
            settings: of the continuation engine.
            tol: wanted absolute error of free entropies and of located parameters.
            rule: the quadrature rule.
            checkpoint: a file from which a killed run resumes.
            progress: called with the number of points done, if given.
            **parameters: the other parameters.

        Returns:
            The special points, one for each value of the second parameter, each with an error estimate of the located
            parameter; a point that was not located says why.

        Raises:
            SpecError: for unknown kinds, parameters or observables.

        >>> locus = load("spherical-perceptron").locus("capacity", "alpha", kappa=0.0)
        >>> round(float(locus.values[0]), 9)  # Gardner 1988
        2.0
        """
        from spinodal.numeric.sides import positive_side
        from spinodal.numeric.special_loci import Followed, follow, locate_first

        if of in EXTREMISED and self.spec.ansatz.overlap == "given":
            return Model(with_overlap(self.spec, "extremised")).locus(
                of, along, over, values, bounds=bounds, start=start, settings=settings, tol=tol, rule=rule,
                checkpoint=checkpoint, progress=progress, **parameters,
            )  # fmt: skip
        line = line_of(self.spec, along, bounds, "--along")
        grid: list[float] = []
        second = None
        if over is not None:
            numbers = np.atleast_1d(np.asarray(over[1], dtype=float))
            grid = [1.0 / v for v in numbers] if over[0].startswith("1/") else [float(v) for v in numbers]
            second = line_of(
                self.spec, over[0].removeprefix("1/"), (min(grid), max(grid) + (min(grid) == max(grid))), "--over"
            )
        if of == "cusp" and second is None:
            raise SpecError(
                "a cusp lies on a fold curve", cure="give a second parameter: --over NAME=LOW:HIGH:N", source="--of"
            )
        varied = {line.name: line.low}
        rows = [{**varied, second.name: value} for value in grid] if second is not None else [varied]
        points = [point_of(self.spec, row, values, parameters) for row in rows]
        lines = [line] if second is None else [line, second]
        module = (self._deferred() if of in EXTREMISED else None) or self._solver_along(points[0], *lines)
        wanted = wanted_of(self.spec, module, of)
        check_start(module, start)
        system = Bound(module, rule or module.RULE)
        if second is None:
            point = locate_first(system, points[0], line, wanted, start=start, settings=settings, tolerance=tol)
            if progress is not None:
                progress(1)
            followed = Followed((point,))
        else:
            followed = follow(
                system, points[0], line, second, grid, wanted, start=start, settings=settings, tolerance=tol,
                checkpoint=checkpoint, progress=progress,
            )  # fmt: skip
        return Locus(
            self.name,
            self.ansatz,
            of,
            line.name,
            second.name if second else "",
            followed.points,
            followed.events,
            followed.curve,
            positive_side(system, line, wanted, followed.points) if second else 0,
        )

    def _repr_markdown_(self) -> str:
        """The spec's description, for notebooks."""
        return f"**{self.name}** ({self.ansatz}): {self.spec.description}"
