"""A claim with all that is needed to check it, and the outcome that it begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from spinodal.model import Model
from spinodal.verify.documents import Claim, Document
from spinodal.verify.reference import Reference
from spinodal.verify.results import Outcome, Status
from spinodal.verify.statements import Statement

#: Names of quantities that mean the same.
SYNONYMS = {"phi": "free_entropy", "entropy_density": "entropy", "generalisation_error": "generalization_error"}


@dataclass(frozen=True)
class Task:
    """A claim, the statement that it is about (or why it is not read, and where), and how to get at the model's side.

    ``reference`` gives it with further parameters fixed; ``letters`` are those of the quantities that the document claims.
    """

    document: Document
    claim: Claim
    statement: Statement | None
    model: Model
    reference: Callable[[Mapping[str, float]], Reference]
    claims: frozenset[int] = frozenset()
    unread: tuple[str, int] | None = None
    potentials: frozenset[str] = frozenset(["phi"])
    letters: Mapping[str, str] = field(default_factory=dict)

    @property
    def quantity(self) -> str:
        """The claimed quantity's name."""
        return SYNONYMS.get(self.claim.quantity, self.claim.quantity)


def outcome_of(task: Task, status: Status, detail: str) -> Outcome:
    """An outcome at the place of the claim's equation."""
    offset = task.statement.start if task.statement is not None else task.claim.offset
    line, column = task.document.position(offset)
    return Outcome(
        document=task.document.file(offset),
        line=line,
        column=column,
        model=task.claim.model,
        quantity=task.claim.quantity,
        ansatz=task.model.ansatz,
        status=status,
        detail=detail,
        claimed=task.claim.status,
    )


def not_checked(task: Task, reason: str, offset: int | None, *, kind: str = "") -> Outcome:
    """The outcome of what could not be read or decided, and where."""
    outcome = outcome_of(task, Status.NOT_CHECKED, reason)
    return replace(outcome, kind=kind, place=task.document.position(offset) if offset is not None else None)
