"""A stretch of branch between two accepted points, interpolated by the cubic through both points and tangents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinodal.numeric.results import Array


@dataclass(frozen=True, slots=True)
class Node:
    """An accepted point of a branch.

    Attributes:
        u: the point (x, p), [n + 1].
        t: its unit tangent in scaled variables, in the direction of travel, [n + 1].
        sign: sign of det [F_u; t].
        log: log |det [F_u; t]|.
        events: values of the events, in their order.
        unstable: eigenvalues of dF/dx on the unstable side; -1 where not computed.
        residual: size of the corrector's last step, an estimate of the point's distance from the branch.
    """

    u: Array
    t: Array
    sign: float
    log: float
    events: tuple[float, ...]
    unstable: int
    residual: float

    def reversed(self) -> Node:
        """The same point travelled in the other direction."""
        return Node(self.u, -self.t, -self.sign, self.log, self.events, self.unstable, self.residual)


@dataclass(frozen=True, slots=True)
class Segment:
    """From one node to the next; ``scale`` are the scaled variables at its beginning, ``length`` its arclength in them."""

    start: Node
    end: Node
    scale: Array
    length: float

    def at(self, s: float) -> Array:
        """The interpolant at s in [0, 1]."""
        a, b = self.start, self.end
        h00, h10 = (1 + 2 * s) * (1 - s) ** 2, s * (1 - s) ** 2
        h01, h11 = s * s * (3 - 2 * s), s * s * (s - 1)
        return h00 * a.u + h01 * b.u + self.length * (h10 * a.t + h11 * b.t)

    def slope(self, s: float) -> Array:
        """d(at)/ds, [n + 1]."""
        a, b = self.start, self.end
        difference = 6 * s * (1 - s) * (b.u - a.u)
        return difference + self.length * ((1 - s) * (1 - 3 * s) * a.t + s * (3 * s - 2) * b.t)

    def turning(self, component: int = -1) -> tuple[float, ...]:
        """Where in (0, 1) the interpolant's component turns round (roots of a quadratic)."""
        a, b = self.start, self.end
        jump = b.u[component] - a.u[component]
        left, right = self.length * a.t[component], self.length * b.t[component]
        # slope(s) = left + s (6 jump - 4 left - 2 right) + s^2 (-6 jump + 3 left + 3 right)
        coefficients = [-6 * jump + 3 * left + 3 * right, 6 * jump - 4 * left - 2 * right, left]
        roots = np.roots(np.trim_zeros(coefficients, "f")) if any(coefficients[:2]) else np.array([])
        return tuple(sorted(float(r.real) for r in roots if abs(r.imag) < 1e-12 and 0.0 < r.real < 1.0))

    def holds(self, u: Array, margin: float = 1.0) -> bool:
        """Whether a point lies near this stretch: within ``margin`` lengths of its ends' neighbourhood."""
        distance = min(float(np.linalg.norm((u - node.u) / self.scale)) for node in (self.start, self.end))
        return distance <= (1.0 + margin) * self.length
