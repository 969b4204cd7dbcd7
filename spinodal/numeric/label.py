"""Nodes of a real label y = s(u) + a(u) noise that is integrated over, with its probability in the integrand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

#: Standard deviations of u and of the noise beyond which nothing counts.
_REACH = 8.6
_FIELDS = np.linspace(-_REACH, _REACH, 1721)
#: A panel of Gauss-Legendre nodes spans this many standard deviations of the noise where labels are frequent.
_ORDER, _SPAN = 16, 3.5
#: Labels that need fields beyond this many standard deviations are rare: fewer digits of what they contribute count.
_FREQUENT = 4.0
_BINS = 800


def label_nodes(signal: Function, amplitude: Function, rms: Any, n: int) -> tuple[Array, Array]:
    """Nodes and weights [1 or b, K] of dy over all labels that occur.

    Gauss-Legendre panels are as long as the noise is wide, longer where only rare fields give such labels: the label's
    density times a function of it is analytic on that scale, being an average over Gaussian noise.

    Args:
        signal: s of fields [1, m]; parameters may make its result [b, m].
        amplitude: a of fields, likewise.
        rms: of the teacher's field, a number or [b, 1].
        n: nodes of the rule (100: the accuracy above).
    """
    u = np.asarray(rms, dtype=float).reshape(-1, 1) * _FIELDS
    s, a = np.broadcast_arrays(*(np.asarray(f(u), dtype=float) for f in (signal, amplitude)))
    rows = [_edges(one, np.abs(width), n) for one, width in zip(s, a, strict=True)]
    most = max(len(edges) for edges in rows)
    edges = np.array([np.interp(np.linspace(0.0, 1.0, most), np.linspace(0.0, 1.0, len(row)), row) for row in rows])
    nodes, weights = np.polynomial.legendre.leggauss(_ORDER)
    half = 0.5 * np.diff(edges, axis=1)[..., None]
    y = edges[:, :-1, None] + half * (1.0 + nodes)
    return y.reshape(len(edges), -1), (half * weights).reshape(len(edges), -1)


def _edges(signal: Array, amplitude: Array, n: int) -> Array:
    """The ends of the panels for one point of the parameters."""
    if not (np.all(np.isfinite(signal)) and np.all(np.isfinite(amplitude))):
        return np.array([np.nan, np.nan])
    unit = max(float(amplitude.min()), 1e-3 * float(amplitude.max()), 1e-12)
    low, high = float((signal - _REACH * amplitude).min()), float((signal + _REACH * amplitude).max())
    bins = np.linspace(low, high, _BINS + 1)
    centres = 0.5 * (bins[1:] + bins[:-1])
    # how rare the nearest field and noise are that give a label
    rare = np.full(_BINS, np.inf)
    for field, s, a in zip(_FIELDS[::8], signal[::8], amplitude[::8], strict=True):
        np.minimum(rare, np.hypot(field, (centres - s) / max(a, 1e-300)), out=rare)
    density = n / 100.0 / (_SPAN * unit * (1.0 + (rare / _FREQUENT) ** 4))
    count = np.concatenate([[0.0], np.cumsum(density * np.diff(bins))])
    panels = max(2, int(np.ceil(count[-1])))
    return np.asarray(np.interp(np.linspace(0.0, count[-1], panels + 1), count, bins))
