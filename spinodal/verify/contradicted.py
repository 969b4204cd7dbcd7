"""What a document says of the functions and letters of a claim that has been found to hold, and that takes it back."""

from __future__ import annotations

from spinodal.spec.types import Spec
from spinodal.verify.documents import Document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.letters import Letters
from spinodal.verify.restated import redefined_functions
from spinodal.verify.stated_models import refuse_other_functions, refuse_other_models
from spinodal.verify.statements import Statement
from spinodal.verify.withdrawn import refuse_withdrawn


def refuse_contradicted(document: Document, statement: Statement, letters: Letters, spec: Spec, quantity: str) -> None:
    """Refuse a claim that uses what the document defines otherwise than it is read.

    Raises:
        UnreadableError: there.
    """
    used = _used(document, statement, letters)
    for name, (reason, place) in redefined_functions(letters.stated, letters.declared).items():
        if name in used:
            raise UnreadableError(reason, place)
    refuse_other_functions(document, letters, spec)
    refuse_other_models(document, statement, spec, quantity)
    refuse_withdrawn(document, statement, quantity, used - letters.meaning.definitions.keys())


def _used(document: Document, statement: Statement, letters: Letters) -> frozenset[str]:
    """The texts of the tokens of a claim's display and of the definitions that it has used."""
    meaning = letters.meaning
    places = {meaning.definitions[key].offset for key in meaning.touched if key in meaning.definitions}
    own = next((e.statements for e in document.equations if any(s is statement for s in e.statements)), (statement,))
    defining = [stated.statement for stated in letters.stated if stated.statement.start in places]
    return frozenset(token.text for each in (*own, *defining) for side in each.sides for token in side)
