"""The problem F(x, p) = 0 as the engine sees it: derivatives filled in, failures caught, evaluations counted.

The unknowns and the parameters are one vector u = (x, p) of length n + k (k = 1 but for loci); ``F_u`` is the n by n + k
matrix [dF/dx, dF/dp].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spinodal.numeric.results import Array

#: F(x, p) of one parameter, F(x, p, q) of two.
Function = Callable[..., Array]

_COMPLEX_STEP = 1e-30
#: Relative steps of the central differences that stand in for derivatives nobody gave.
_DIFFERENCE = 1e-3
_SECOND_DIFFERENCE = 1e-5
#: Relative distances of the points whose scatter is taken for rounding.
_SCATTER = (1e-9, 1e-6)


class EvaluationError(Exception):
    """F or its derivative cannot be evaluated at a point; the message says why."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """F and F_u at a point.

    Attributes:
        u: the point (x, p), [n + k].
        f: F, [n].
        f_u: [dF/dx, dF/dp], [n, n + k].
    """

    u: Array
    f: Array
    f_u: Array

    @property
    def jacobian(self) -> Array:
        """dF/dx, [n, n]."""
        return self.f_u[:, : len(self.f)]

    @property
    def dfdp(self) -> Array:
        """dF/dp in the first parameter, [n]."""
        return self.f_u[:, len(self.f)]


class Problem:
    """F with its first and second derivatives.

    Args:
        function: F(x, p) -> [n].
        jac: dF/dx(x, p) -> [n, n]; default: complex step where F allows it, else extrapolated central differences.
        dfdp: dF/dp(x, p) -> [n]; default: the same.
        second: d(J v)/dx (x, p, v) -> [n, n]; default: differences of the Jacobian.
        joint: F and dF/dx from one call, (x, p) -> ([n], [n, n]), used instead of ``function`` and ``jac``.
        parameters: k, how many parameters F takes after x; ``dfdp`` is then a sequence of derivatives.
    """

    def __init__(
        self,
        function: Function,
        jac: Function | None = None,
        dfdp: Function | Sequence[Function | None] | None = None,
        second: Callable[..., Array] | None = None,
        joint: Callable[..., tuple[Array, Array]] | None = None,
        parameters: int = 1,
    ) -> None:
        self._function, self._jac, self._second, self._joint = function, jac, second, joint
        slopes = dfdp if isinstance(dfdp, Sequence) else [dfdp]
        self._dfdp = [*slopes, *([None] * (parameters - len(slopes)))]
        self.parameters = parameters
        self._complex: bool | None = None
        self.evaluations = 0
        self.residuals = 0

    @property
    def derivative_noise(self) -> float:
        """Relative accuracy of F_u: rounding where it is given or a complex step, less for differences."""
        return 1e-15 if self._complex is not False else 1e-10

    def _split(self, u: Array) -> tuple[Array, tuple[float, ...]]:
        k = self.parameters
        return u[:-k].copy(), tuple(map(float, u[-k:]))

    def residual(self, u: Array) -> Array:
        """F alone.

        Raises:
            EvaluationError: if F raises or is not finite.
        """
        self.residuals += 1
        x, p = self._split(u)
        try:
            with np.errstate(all="ignore"):
                value = np.atleast_1d(np.array(self._function(x, *p), dtype=float))
        except Exception as error:
            raise EvaluationError(f"F raised {type(error).__name__}: {error}") from error
        return self._checked(value, (x.size,), "F")

    def _checked(self, value: Array, shape: tuple[int, ...], name: str) -> Array:
        if value.shape != shape:
            raise EvaluationError(f"{name} has shape {value.shape}, not {shape}")
        if not np.all(np.isfinite(value)):
            raise EvaluationError(f"{name} is not finite")
        return value

    def __call__(self, u: Array) -> Evaluation:
        """F and F_u.

        Raises:
            EvaluationError: if F or a given derivative raises, has the wrong shape, or is not finite.
        """
        self.evaluations += 1
        x, p = self._split(u)
        n = x.size
        if self._joint is not None:
            try:
                with np.errstate(all="ignore"):
                    f, jacobian = self._joint(x, *p)
            except Exception as error:
                raise EvaluationError(f"F raised {type(error).__name__}: {error}") from error
            f = self._checked(np.array(f, dtype=float), (n,), "F")
            jacobian = self._checked(np.array(jacobian, dtype=float), (n, n), "dF/dx")
        else:
            f = self.residual(u)
            jacobian = self._given(self._jac, u, (n, n), "dF/dx") if self._jac else self._columns(u, range(n))
        slopes = [
            self._given(slope, u, (n,), "dF/dp") if slope else self._columns(u, [n + i])[:, 0]
            for i, slope in enumerate(self._dfdp)
        ]
        return Evaluation(u.copy(), f, np.column_stack([jacobian, *slopes]))

    def _given(self, function: Function, u: Array, shape: tuple[int, ...], name: str) -> Array:
        x, p = self._split(u)
        try:
            with np.errstate(all="ignore"):
                value = np.array(function(x, *p), dtype=float).reshape(shape)
        except Exception as error:
            raise EvaluationError(f"{name} raised {type(error).__name__}: {error}") from error
        return self._checked(value, shape, name)

    def _columns(self, u: Array, columns: range | list[int]) -> Array:
        """Columns of F_u by complex step, or by differences where F does not take complex arguments."""
        if self._complex is None:
            self._complex = self._takes_complex(u)
        if self._complex:
            result = np.stack([self._complex_column(u, j) for j in columns], axis=1)
        else:
            result = np.stack([self._difference_column(u, j) for j in columns], axis=1)
        return self._checked(result, (u.size - self.parameters, len(columns)), "a derivative of F")

    def _complex_column(self, u: Array, j: int) -> Array:
        shifted = u.astype(complex)
        shifted[j] += 1j * _COMPLEX_STEP
        n = u.size - self.parameters
        # a component that is not shifted stays a real number: user code may compare parameters
        x = shifted[:n] if j < n else u[:n]
        p = tuple(shifted[i] if i == j else float(u[i]) for i in range(n, u.size))
        with np.errstate(all="ignore"):
            value = np.atleast_1d(np.asarray(self._function(x, *p)))
        if not np.iscomplexobj(value):
            return np.zeros(n)
        return np.asarray(value.imag / _COMPLEX_STEP)

    def _takes_complex(self, u: Array) -> bool:
        """Whether complex-step derivatives exist and agree with differences (abs(), for one, breaks them silently)."""
        import warnings

        direction = np.cos(np.arange(u.size) + 1.0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                exact = np.stack([self._complex_column(u, j) for j in range(u.size)], axis=1) @ direction
        except Exception:
            return False
        try:
            rough = np.stack([self._difference_column(u, j) for j in range(u.size)], axis=1) @ direction
        except EvaluationError:
            return bool(np.all(np.isfinite(exact)))
        scale = 1.0 + np.max(np.abs(rough))
        return bool(np.all(np.abs(exact - rough) < 1e-5 * scale))

    def _difference_column(self, u: Array, j: int) -> Array:
        h = _DIFFERENCE * (1.0 + abs(u[j]))
        for _ in range(4):
            try:
                values = [self.residual(_shifted(u, j, k * h)) for k in (-2, -1, 1, 2)]
            except EvaluationError:
                h /= 30.0  # the edge of the domain is near
                continue
            near, far = (values[2] - values[1]) / (2 * h), (values[3] - values[0]) / (4 * h)
            return np.asarray((4.0 * near - far) / 3.0)
        raise EvaluationError("F cannot be differentiated: it is not finite beside this point")

    def check_derivatives(self, u: Array) -> None:
        """Compare given derivatives with a difference of F along one direction.

        Raises:
            ValueError: if they disagree by more than a hundredth.
        """
        if self._jac is None and not any(self._dfdp):
            return
        try:
            here = self(u)
        except EvaluationError:
            return
        n = u.size - self.parameters
        for name, part in (("jac", slice(0, n)), ("dFdp", slice(n, u.size))):
            if not (self._jac if name == "jac" else any(self._dfdp)):
                continue
            direction = np.zeros(u.size)
            direction[part] = np.cos(np.arange(u.size)[part] + 1.0)
            h = 1e-5 * (1.0 + float(np.max(np.abs(u[part]))))
            try:
                difference = (self.residual(u + h * direction) - self.residual(u - h * direction)) / (2 * h)
            except EvaluationError:
                continue
            given = here.f_u @ direction
            # the scale of each equation's own terms: large ones may cancel along the direction
            size = np.abs(here.f_u) @ np.abs(direction) + np.abs(difference)
            if np.any(np.abs(given - difference) > 1e-2 * size + 1e-7):
                worst = int(np.argmax(np.abs(given - difference) - 1e-2 * size))
                raise ValueError(
                    f"{name} disagrees with F at the start: along one direction it gives {given[worst]:.6g} for equation "
                    f"{worst}, a difference of F gives {difference[worst]:.6g}"
                )

    def noise(self, here: Evaluation) -> Array:
        """Rounding level of F at a point [n]: its scatter over a few points nearby, and a floor.

        The floor are the terms of the linearisation; cancellation inside F (a large number added and taken away) shows in
        the scatter alone.
        """
        floor = 4.0 * np.finfo(float).eps * (np.abs(here.f_u) @ np.abs(here.u) + np.abs(here.f))
        scatter = np.zeros_like(floor)
        for k in (1, 2):
            scatter = np.maximum(scatter, _scatter(self, self.residual, here.u, here.f, k))
        return np.asarray(np.maximum(floor, scatter))

    def scatter_of_slopes(self, here: Evaluation, w: Array, v: Array) -> Array:
        """Scatter of w . F_u v over a few points nearby, for w [n] and the rows of v [m, n + k]; [m]."""
        value = np.asarray(w @ here.f_u @ v.T)
        samples = [_scatter(self, lambda u: np.asarray(w @ self(u).f_u @ v.T), here.u, value, k) for k in (1, 2)]
        return np.asarray(np.max(samples, axis=0))

    def inside(self, u: Array) -> bool:
        """Whether F is meant at a point: where it is defined but not smooth on one side, differences keep to the other."""
        return True

    def calm(self, u: Array, shift: Array) -> float:
        """The part of a small displacement over which F hardly changes: less than 1 close to where its domain ends."""
        return 1.0

    def second_row(self, u: Array, w: Array, v: Array, *, accurate: bool = False) -> Array:
        """The row w . D2F(u)[v, .] [n + 1]; ``accurate`` asks for it to about 1e-12, else to about 1e-9.

        D2F is symmetric, so that one directional difference of w . F_u along v gives the whole row.
        """
        if self._second is not None and accurate:
            try:
                return self._second_row_given(u, w, v)
            except EvaluationError:
                pass
        return self._row_difference(u, w, v, accurate)

    def _second_row_given(self, u: Array, w: Array, v: Array) -> Array:
        assert self._second is not None
        x, p = self._split(u)
        n = x.size
        try:
            directional = np.array(self._second(x, *p, v[:n]), dtype=float)
        except Exception as error:
            raise EvaluationError(f"the second derivative raised {type(error).__name__}: {error}") from error
        row = np.append(w @ self._checked(directional, (n, n), "the second derivative of F"), np.zeros(self.parameters))
        for i in range(n, u.size):
            e = np.zeros(u.size)
            e[i] = 1.0
            mixed = self._row_difference(u, w, e, accurate=True)  # w . D2F[e_p, .]
            row[i] += mixed[:n] @ v[:n]
            row += v[i] * np.where(np.arange(u.size) < n, mixed, 0.0)
            row[n:] += v[i] * mixed[n:]
        return np.asarray(row)

    def second_form(self, u: Array, w: Array, v: Array) -> float:
        """W . D2F(u)[v, v] for a v without parameter components, accurately."""
        x, p = self._split(u)
        n = x.size
        if self._second is not None and not np.any(v[n:]):
            try:
                directional = np.array(self._second(x, *p, v[:n]), dtype=float)
                return float(w @ self._checked(directional, (n, n), "the second derivative of F") @ v[:n])
            except (EvaluationError, ArithmeticError, ValueError):
                pass
        return float(self._row_difference(u, w, v, accurate=True) @ v)

    def _row_difference(self, u: Array, w: Array, v: Array, accurate: bool) -> Array:
        size = float(np.max(np.abs(v) / (1.0 + np.abs(u))))
        if size == 0.0:
            return np.zeros(u.size)
        h = (_DIFFERENCE if accurate else _SECOND_DIFFERENCE) / size
        for _ in range(4):
            sides = [self.inside(u + 2 * h * v), self.inside(u - 2 * h * v)]
            try:
                if sides[0] != sides[1]:  # beside the edge of the domain: from the inner side
                    step = h if sides[0] else -h
                    at = [w @ self(u + k * step * v).f_u for k in (0, 1, 2, 3)]
                    return np.asarray((-11.0 * at[0] + 18.0 * at[1] - 9.0 * at[2] + 2.0 * at[3]) / (6.0 * step))
                if accurate:
                    near = (w @ self(u + h * v).f_u - w @ self(u - h * v).f_u) / (2 * h)
                    far = (w @ self(u + 2 * h * v).f_u - w @ self(u - 2 * h * v).f_u) / (4 * h)
                    return np.asarray((4.0 * near - far) / 3.0)
                return np.asarray((w @ self(u + h * v).f_u - w @ self(u - h * v).f_u) / (2 * h))
            except EvaluationError:
                h /= 30.0
        raise EvaluationError("F cannot be differentiated twice: it is not finite beside this point")


def _scatter(problem: Problem, function: Callable[[Array], Array], u: Array, value: Array, k: int) -> Array:
    """Rounding level of a function with a value at u: its fourth difference along the k-th of some fixed directions.

    The fourth difference over points so near sees no smooth change; of noise it is sqrt(70) times as large. Where F is
    stationary the nearest points may all be rounded alike, hence two distances.
    """
    shift = _SCATTER[k - 1] * (1.0 + np.abs(u)) * np.cos(k * (np.arange(u.size) + 1.0))
    shift *= problem.calm(u, shift)
    try:
        values = [function(u + m * shift) for m in (-2, -1, 1, 2)]
    except EvaluationError:
        return np.zeros_like(value)
    fourth = values[0] - 4.0 * values[1] + 6.0 * value - 4.0 * values[2] + values[3]
    return np.asarray(np.abs(fourth) / 4.0)


def _shifted(u: Array, j: int, h: float) -> Array:
    shifted = u.copy()
    shifted[j] += h
    return shifted
