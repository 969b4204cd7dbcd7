"""Documents in, outcomes out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from spinodal.model import Model, load
from spinodal.spec import SpecError, check_parameters, shipped_models
from spinodal.spec.errors import did_you_mean
from spinodal.spec.names import BLOCK_SIZE
from spinodal.verify.check import check
from spinodal.verify.documents import Claim, Document, Equation, read_document
from spinodal.verify.meaning import used_names
from spinodal.verify.reference import Reference
from spinodal.verify.results import Outcome, Report
from spinodal.verify.sources import SUFFIXES, with_included
from spinodal.verify.statements import Statement
from spinodal.verify.symbol_maps import symbol_map
from spinodal.verify.symbols import default_name
from spinodal.verify.task import SYNONYMS, Task
from spinodal.verify.text_values import meant_for_all

Progress = Callable[[int], None]
Begun = Callable[[str], None]


def verify_documents(paths: Iterable[str | Path], *, progress: Progress | None = None, begun: Begun | None = None) -> Report:
    """Check every equation that some documents claim.

    Args:
        paths: LaTeX (.tex) or Markdown (.md) files.
        progress: called with the number of equations done, if given.
        begun: called with what is being checked (``paper.tex:12: binary-perceptron q``), if given.

    Raises:
        SpecError: for a file that cannot be read, markup that is not well formed, or documents that claim nothing.

    >>> verify_documents(["missing.tex"])
    Traceback (most recent call last):
        ...
    spinodal.spec.errors.SpecError: missing.tex: cannot be read: No such file or directory
    """
    documents = [_read(Path(path)) for path in paths]
    silent = [document.name for document in documents if not document.claims]
    if silent or not documents:  # a document in which nothing is checked must not pass beside others
        raise SpecError(
            "no equation is claimed",
            source=", ".join(silent) or "verify",
            cure="put '% spinodal: MODEL QUANTITY' before an equation, as in '% spinodal: binary-perceptron q_hat'",
        )
    session = Session()
    outcomes: list[Outcome] = []
    for document in documents:
        for outcome in session.outcomes(document, begun):
            outcomes.append(outcome)
            if progress is not None:
                progress(len(outcomes))
    return _report(outcomes, documents)


def _report(outcomes: Iterable[Outcome], documents: Sequence[Document]) -> Report:
    notes = tuple(note for document in documents for note in _notes(document))
    return Report(tuple(outcomes), notes, tuple(note for document in documents for note in _unread(document)))


def _notes(document: Document) -> list[str]:
    """What of a document's markup claims nothing, and which files it reads in that are not there."""
    kinds = [
        (document.unset, r"stands after \end{document} or between \iffalse and \fi: it is not typeset and claims nothing"),
        (document.examples, "stands in code or a comment: it is an example and claims nothing"),
    ]
    found = [note for offsets, what in kinds for note in _listed(document, offsets, what)]
    missing = document.source.missing if document.source is not None else ()
    return found + [_located(document, reason, offset) for reason, offset, claims in missing if not claims]


def _unread(document: Document) -> list[str]:
    """What of a document may claim something and has not been looked at."""
    found = _listed(document, document.unread, "stands in a block of another language: it is not looked at")
    missing = document.source.missing if document.source is not None else ()
    return found + [_located(document, reason, offset) for reason, offset, claims in missing if claims]


def _located(document: Document, reason: str, offset: int) -> str:
    return f"{document.file(offset)}:{document.position(offset)[0]}: {reason}"


def _listed(document: Document, offsets: Sequence[int], what: str) -> list[str]:
    """A note for each file that markup stands in."""
    files: dict[str, list[str]] = {}
    for offset in offsets:
        files.setdefault(document.file(offset), []).append(str(document.position(offset)[0]))
    return [f"{file}: the markup of line {', '.join(lines)} {what}" for file, lines in files.items()]


def verify_text(text: str, *, form: str = "markdown", name: str = "text") -> Report:
    r"""Check every equation that a text claims.

    Args:
        text: the document.
        form: ``markdown`` or ``latex``.
        name: what messages call it.

    Raises:
        SpecError: as for :func:`verify_documents`; a text without claims gives an empty report.

    >>> right = "% spinodal: binary-perceptron q\n$$ q = \\int Dz \\tanh^2(\\sqrt{\\hat q} z) $$"
    >>> verify_text(right).passed  # Krauth and Mezard 1989
    True
    >>> verify_text(right.replace("\\hat ", "")).outcomes[0].kind
    'hat missing'
    """
    source = with_included(text.removeprefix("\ufeff").replace("\ufeff", " "), name, form, None)
    document = read_document(source.text, name, form, source)
    return _report(Session().outcomes(document), [document])


def _read(path: Path) -> Document:
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise SpecError("not a document that is read here", source=str(path), cure=f"use {', '.join(sorted(SUFFIXES))}")
    source = with_included(_text(path), str(path), form, _text)
    return read_document(source.text, str(path), form, source)


def _text(path: Path) -> str:
    """The text of a file.

    Raises:
        SpecError: if it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror or error}", source=str(path)) from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"not UTF-8 (byte {error.start})", source=str(path), cure="save it as UTF-8") from None
    return text.removeprefix("\ufeff").replace("\ufeff", " ").replace("\r\n", "\n")


class Session:
    """Models and references, each made once for any number of documents."""

    def __init__(self) -> None:
        self._models: dict[tuple[object, ...], Model] = {}
        self._references: dict[tuple[object, ...], Reference] = {}

    def outcomes(self, document: Document, begun: Begun | None = None) -> Iterable[Outcome]:
        """The outcome of every claim of a document, in order; each is announced before it is checked."""
        tasks = []
        for claim in document.claims:
            tasks.append((claim, self._model(document, claim)))
        attached = attach(document, tasks)
        mentioned = _mentioned(document, [model for _, model in tasks])
        claimed = frozenset(statement.start for statement in attached if statement is not None)
        # what is wrong with the markup is said before anything is compared
        everything_fixed = [self._fixed(document, claim, model, mentioned) for claim, model in tasks]
        found = list(zip(tasks, attached, everything_fixed, strict=True))
        for (claim, model), statement, fixed in sorted(found, key=_place):
            if begun is not None:
                line, _ = document.position(claim.offset)
                begun(f"{document.file(claim.offset)}:{line}: {claim.model} {claim.quantity}")
            reference = partial(self._reference, model, fixed)
            letters = _claimed_letters(claim, tasks, attached)
            potentials = frozenset(["phi", *(key for key, name in letters.items() if name == "free_entropy")])
            why = unread(document, claim)
            yield check(Task(document, claim, statement, model, reference, claimed, why, potentials, letters))

    def _model(self, document: Document, claim: Claim) -> Model:
        entries = tuple(sorted({**claim.overrides, **claim.entries}.items()))
        folders = [Path(name).parent for name in (document.name, document.file(claim.offset))]
        key = (*folders, claim.model, claim.ansatz, entries)
        if key not in self._models:
            shipped = shipped_models()
            source: str | Path = claim.model
            if claim.model not in shipped:
                places = [*(folder / claim.model for folder in folders), Path(claim.model)]
                source = next((place for place in places if place.exists()), places[0])
                if not source.exists():
                    cure = did_you_mean(claim.model, shipped) or f"the shipped models are {', '.join(shipped)}"
                    raise document.error(f"{claim.model}: no such model", claim.offset, cure)
            try:
                self._models[key] = load(source, ansatz=claim.ansatz, overrides=_overrides(source, claim))
            except SpecError as error:
                raise document.error(error.message, claim.offset, error.cure or "") from None
        return self._models[key]

    def _fixed(self, document: Document, claim: Claim, model: Model, mentioned: frozenset[str]) -> dict[str, float]:
        """Parameters given in the markup, and those that vanish by default and that the document never mentions."""
        declared = {p.name: p.default for p in model.spec.parameters}
        for name in claim.values:
            if name not in declared and (name in claim.entries or name.startswith("alpha")):
                continue
            if name not in declared:
                cure = did_you_mean(name, declared) or f"the model has {', '.join(declared)}"
                raise document.error(f"{name}: no parameter of {claim.model}", claim.offset, cure)
        given = {name: value for name, value in claim.values.items() if name in declared}
        # what is left open is drawn later; here it only must not be missed
        unset = {name: 0.5 for name, default in declared.items() if default is None and name not in given}
        try:
            check_parameters(model.spec, {**unset, **given})
        except SpecError as error:
            raise document.error(error.message, claim.offset, error.cure or "") from None
        silent = {name: 0.0 for name, default in declared.items() if default == 0.0 and name not in mentioned}
        return {**silent, **given}

    def _reference(self, model: Model, silent: Mapping[str, float], given: Mapping[str, float]) -> Reference:
        fixed = {**silent, **given}
        key = (id(model), tuple(sorted(fixed.items())))
        if key not in self._references:
            self._references[key] = Reference(model, fixed)
        return self._references[key]


def _place(found: tuple[tuple[Claim, Model], Statement | None, dict[str, float]]) -> tuple[int, int]:
    (claim, _), statement, _ = found
    return (claim.offset if statement is None else statement.start), claim.offset


def _claimed_letters(
    claim: Claim, tasks: Sequence[tuple[Claim, Model]], attached: Sequence[Statement | None]
) -> dict[str, str]:
    """Letters that a document claims to be quantities of a claim's model: what stands alone on the left of other claims."""
    found: dict[str, str] = {}
    for (other, _), statement in zip(tasks, attached, strict=True):
        header = statement.header() if statement is not None else None
        if header is not None and (other.model, other.ansatz) == (claim.model, claim.ansatz):
            found.setdefault(header[0], SYNONYMS.get(other.quantity, other.quantity))
    return found


def _overrides(source: str | Path, claim: Claim) -> dict[str, object]:
    """The spec's entries that a claim replaces: by dotted key, or of the ansatz where no parameter has that name."""
    found: dict[str, object] = dict(claim.overrides)
    if not claim.entries:
        return found
    spec = load(source, ansatz=claim.ansatz, overrides=found).spec
    declared = spec.parameter_names()
    for name, value in claim.entries.items():
        if name in declared and name in claim.values:
            continue
        found[f"ansatz.{name}"] = value
        letter = BLOCK_SIZE.get(spec.ansatz.scheme)
        if value == letter:  # a number of copies that the document leaves open
            found[f"ansatz.{name}"] = "copies"
            found["parameters.copies"] = _COPIES[spec.ansatz.scheme]
    return found


#: Where a document leaves the number of copies open, it is drawn around this one.
_COPIES = {"1rsb": 0.5, "real-replicas": 5.0}


def _mentioned(document: Document, models: Sequence[Model]) -> frozenset[str]:
    """The parameters that any mathematics of the document mentions, by letter or through its symbol map."""
    parameters = {name for model in models for name in model.spec.parameter_names()}
    meant = meant_for_all(document)
    found = {name for name in parameters if name.partition("_")[0] in meant}
    for _, _, right in document.symbols:
        found |= {name for name in parameters if name in right}
    for equation in document.equations:
        for statement in equation.statements:
            if not equation.display and statement.relations == ("to",):  # a limit in the text
                continue
            for side in statement.sides:
                texts = {token.text for token in side}
                found |= {name for name in parameters if name.partition("_")[0] in texts}
    return frozenset(found)


def attach(document: Document, tasks: Sequence[tuple[Claim, Model]]) -> list[Statement | None]:
    """The statement that each claim is about: in the equation that follows, the one whose left side names the quantity."""
    displayed = [equation for equation in document.equations if equation.display]
    taken: set[int] = set()
    found: list[Statement | None] = []
    for index, (claim, _) in enumerate(tasks):
        inside = next((e for e in displayed if e.start <= claim.offset < e.end), None)
        equation = inside or next((e for e in displayed if e.end > claim.offset), None)
        statements = [] if equation is None else [s for s in equation.statements if id(s) not in taken]
        if inside is not None:
            statements = [s for s in statements if s.start > claim.offset]
        rivals = [
            c.offset for c, _ in tasks[index + 1 :] if equation and c.offset < equation.end and c.offset > claim.offset
        ]
        first = min((offset for offset in rivals if inside and offset > claim.offset), default=None)
        if first is not None:
            before = [s for s in statements if s.start < first]
            statements = before or statements
        chosen = _matching(document, claim, statements)
        if chosen is not None:
            taken.add(id(chosen))
        found.append(chosen)
    return found


def unread(document: Document, claim: Claim) -> tuple[str, int] | None:
    """Why nothing in the equation that follows a claim can be read, and where; None if there is no equation."""
    equation = next((e for e in document.equations if e.display and e.end > claim.offset), None)
    if equation is None:
        return None
    if equation.unreadable is not None:
        return equation.unreadable
    body = document.text[equation.start : equation.end]
    first = equation.start + len(body) - len(body.lstrip())
    if equation.statements:
        return None
    environment = re.search(r"\\begin\{[a-zA-Z]+\*?\}", body)
    if environment is not None:
        return "an environment inside an equation cannot be checked here", equation.start + environment.start()
    return "the equation that follows this markup states no equality that can be read", first


def _matching(document: Document, claim: Claim, statements: list[Statement]) -> Statement | None:
    if len(statements) <= 1:
        return statements[0] if statements else None
    quantity = SYNONYMS.get(claim.quantity, claim.quantity)
    names = [quantity]
    author, _ = symbol_map(document, claim.offset, _all_names(document))
    unknown = []
    for statement in statements:
        header = statement.header()
        key = header[0] if header is not None else None
        if key is None:
            continue
        mapped = author.get(key)
        if (mapped is not None and quantity in used_names(mapped)) or (mapped is None and default_name(key, names)):
            return statement
        if mapped is None:
            unknown.append(statement)
    # a left side such as 1 - q
    for statement in statements:
        texts = "".join(t.text for t in statement.sides[0])
        if (
            statement.header() is None
            and quantity.removesuffix("_hat") in texts
            and ("hat" in texts) == quantity.endswith("_hat")
        ):
            return statement
    return unknown[0] if unknown and statements[0].header() is not None else statements[0]


def _all_names(document: Document) -> list[str]:
    return sorted({word for _, _, right in document.symbols for word in re.findall(r"[A-Za-z_]\w*", right)})


__all__ = ["Equation", "Session", "attach", "verify_documents", "verify_text"]
