"""The study: solutions of arXiv:2110.00683, typical and atypical, and phase diagrams of their simplest relatives.

* ``plan``: the grids; ``reference``: known values
* ``piece``: what the study is made of; ``store``: finished pieces of a run that was killed
* ``curves``: special points and observables along curves, of any model
* ``typical``: thresholds, errors, margins of the random-features model; ``atypical``: its local entropies, the second
  transition, dense regions; ``franz_parisi``: local entropies around solutions; ``fields``: stabilities
* ``teacher_student``, ``perceptrons``: phase diagrams of simpler models
* ``data``, ``figures``, ``diagrams``, ``landscapes``, ``table``: what is written and printed
* ``run``: the sections in order, and :func:`reproduce`
"""

from spinodal.study.plan import Plan
from spinodal.study.run import PARTS, Summary, reproduce

__all__ = ["PARTS", "Plan", "Summary", "reproduce"]
