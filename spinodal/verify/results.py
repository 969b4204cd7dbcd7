"""What checking a document says, equation by equation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The outcome for one equation: its text is what the command prints.

    >>> [status.value for status in Status]
    ['verified', 'saddle-point-only', 'off-by-factor', 'wrong', 'not-checked']
    """

    VERIFIED = "verified"
    SADDLE_POINT_ONLY = "saddle-point-only"
    OFF_BY_FACTOR = "off-by-factor"
    WRONG = "wrong"
    NOT_CHECKED = "not-checked"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one claim.

    Attributes:
        document: the file (or the name given for a text).
        line: 1-based line of the equation.
        column: 1-based column.
        model: the model it is about.
        quantity: what it is claimed to be.
        ansatz: the scheme.
        status: the verdict.
        detail: one line for the author: what was found, and the cure where there is one.
        kind: the kind of error, where it is known (``sign``, ``factor``, ``hat missing``, ``wrong argument``,
            ``wrong measure``, ``wrong parameters``, ...); empty otherwise.
        method: how it was compared: ``symbolic`` (an exact rearrangement, which the numbers confirm), or
            ``numerical at 6 points to 2e-13`` (see :func:`numerical`); empty where it was not.
        deviation: largest relative deviation met where it was found equal (or the one that refutes it).
        accuracy: relative accuracy of the values compared.
        point: the state and parameters at which a refutation was found.
        values: the claimed and the derived value there.
        expected: whether this status is what the document asked for.
        place: where exactly in the document (line, column) the error stands, if that is known.
        notes: what was assumed (parameters at their default, ...).
        letters: what has been read by its looks, for the reader to check: as it is written, and the name of the model.
    """

    document: str
    line: int
    column: int
    model: str
    quantity: str
    ansatz: str
    status: Status
    detail: str
    kind: str = ""
    method: str = ""
    deviation: float = math.nan
    accuracy: float = math.nan
    point: tuple[tuple[str, float], ...] = ()
    values: tuple[float, float] | None = None
    claimed: str = ""
    place: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    letters: tuple[tuple[str, str], ...] = ()

    @property
    def passed(self) -> bool:
        """Verified, or equal at the saddle point only where the document claims no more."""
        if self.status is Status.VERIFIED:
            return True
        return self.status is Status.SADDLE_POINT_ONLY and self.claimed == Status.SADDLE_POINT_ONLY.value

    @property
    def where(self) -> str:
        """``FILE:LINE:COLUMN``."""
        return f"{self.document}:{self.line}:{self.column}"

    def to_json(self) -> dict[str, Any]:
        """A JSON object; numbers are null where there are none."""
        claimed, derived = self.values if self.values is not None else (math.nan, math.nan)
        return {
            "document": self.document,
            "line": self.line,
            "column": self.column,
            "model": self.model,
            "quantity": self.quantity,
            "ansatz": self.ansatz,
            "status": self.status.value,
            "passed": self.passed,
            "kind": self.kind or None,
            "detail": self.detail,
            "method": self.method or None,
            "deviation": _number(self.deviation),
            "accuracy": _number(self.accuracy),
            "point": {k: _number(v) for k, v in self.point} if self.point else None,
            "claimed": _number(claimed),
            "derived": _number(derived),
            "error_line": self.place[0] if self.place else None,
            "error_column": self.place[1] if self.place else None,
            "notes": list(self.notes),
            "letters": dict(self.letters),
        }


def numerical(points: int, accuracy: float) -> str:
    """The method of a comparison at points, to a relative accuracy.

    >>> numerical(6, 2e-13)
    'numerical at 6 points to 2e-13'
    """
    return f"numerical at {points} point{'' if points == 1 else 's'} to {accuracy:.0e}"


@dataclass(frozen=True, slots=True)
class Report:
    """The outcomes of every claim of some documents, in their order.

    Attributes:
        outcomes: one per claim.
        notes: what has been passed over, and why.
        unread: what may claim something and has not been looked at, and why; nothing passes beside it.

    >>> Report(()).passed  # what claims nothing has passed nothing
    False
    """

    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every claim passed (and there is one), and all of them were looked at."""
        return bool(self.outcomes) and not self.unread and all(outcome.passed for outcome in self.outcomes)

    def count(self, status: Status) -> int:
        """How many claims have a status."""
        return sum(outcome.status is status for outcome in self.outcomes)

    def letters(self, document: str) -> dict[str, str]:
        """What has been read by its looks in the equations of a document that passed: as it is written, to its name."""
        return {k: v for o in self.outcomes if o.document == document and o.passed for k, v in o.letters}

    def to_json(self) -> dict[str, Any]:
        """The object of ``spinodal verify --json``."""
        return {
            "passed": self.passed,
            "counts": {status.value: self.count(status) for status in Status},
            "notes": [*self.notes, *self.unread],
            "equations": [outcome.to_json() for outcome in self.outcomes],
        }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
