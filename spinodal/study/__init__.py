"""The study of typical solutions of arXiv:2110.00683: tables, figures and data from the shipped spec.

* ``plan``: the grids; ``reference``: known values
* ``curves``: special points and observables along curves, of any model
* ``parts``: thresholds, errors, margins, as labelled datasets
* ``data``, ``figures``, ``table``: what is written and printed
* ``run``: :func:`reproduce`
"""

from spinodal.study.plan import PARTS, Plan
from spinodal.study.run import Summary, reproduce

__all__ = ["PARTS", "Plan", "Summary", "reproduce"]
