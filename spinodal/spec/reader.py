"""From TOML to a complete, validated :class:`~spinodal.spec.types.Spec`.

1. find the text: a file, or a shipped model          (spinodal.spec.documents)
2. TOML, with the place of every key                  (spinodal.spec.documents, toml_positions)
3. lay the overrides over it                          (spinodal.spec.overrides)
4. read the tables: structure, names, formulas        (here, and sections)
5. check what the formulas mean, at the defaults      (spinodal.spec.checks)
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from spinodal.spec import ast
from spinodal.spec.ansatz import check_ansatz, is_ground, read_ansatz
from spinodal.spec.checks import check_meaning, default_values
from spinodal.spec.documents import parse_document, read_text
from spinodal.spec.errors import SpecError, clip
from spinodal.spec.names import order_parameters
from spinodal.spec.origin import Document, Origin
from spinodal.spec.overrides import apply_overrides
from spinodal.spec.parameters import read_parameters, refuse_order_parameters
from spinodal.spec.sections import read_loss, read_model, read_observables, read_student, read_teacher
from spinodal.spec.tables import Table, describe
from spinodal.spec.types import Loss, Spec

FORMAT = 1

_TABLES = ("format", "model", "student", "teacher", "loss", "ansatz", "parameters", "observables")
_CURES = {
    "student": 'add [student] with weights = "binary"',
    "loss": 'add [loss] with constraint = "y*h >= 0"',
    "parameters": "add [parameters] with alpha = 1.0",
}


def read_spec(source: str | PathLike[str], *, overrides: Mapping[str, Any] | None = None, ansatz: str | None = None) -> Spec:
    """Read a spec.

    Args:
        source: the path of a TOML file, or the name of a shipped model.
        overrides: values for dotted keys, such as ``{"student.features.activation": "tanh(x)"}``. A text is taken as a
            TOML value if it parses as one, else as it stands.
        ansatz: a scheme that replaces the whole ``[ansatz]`` table.

    Raises:
        SpecError: with the place of the mistake and, where there is one, its cure.
    """
    text, name, stem = read_text(source)
    return spec_from_text(text, source=name, name=stem, overrides=overrides, ansatz=ansatz)


def spec_from_text(
    text: str,
    *,
    source: str = "<spec>",
    name: str = "model",
    overrides: Mapping[str, Any] | None = None,
    ansatz: str | None = None,
) -> Spec:
    """Read a spec from TOML text.

    Args:
        text: the TOML document.
        source: what messages call it.
        name: the model's name where the declaration gives none.
        overrides: entries to override, by dotted key.
        ansatz: replaces the whole ``[ansatz]`` table.

    Raises:
        SpecError: as in :func:`read_spec`.
    """
    data, document = parse_document(text, source)
    return _build(data, document, name, overrides, ansatz)


def spec_from_dict(
    data: Mapping[str, Any],
    *,
    source: str = "<spec>",
    name: str = "model",
    overrides: Mapping[str, Any] | None = None,
    ansatz: str | None = None,
) -> Spec:
    """Read a spec from the nested dict that its TOML would give.

    Args:
        data: the tables.
        source: what messages call it.
        name: the model's name where the declaration gives none.
        overrides: entries to override, by dotted key.
        ansatz: replaces the whole ``[ansatz]`` table.

    Raises:
        SpecError: as in :func:`read_spec`, without lines and columns.
    """
    return _build(data, Document(source, None), name, overrides, ansatz)


def _build(
    data: Mapping[str, Any], document: Document, name: str, overrides: Mapping[str, Any] | None, ansatz: str | None
) -> Spec:
    merged, origin = apply_overrides(data, document, overrides or {}, ansatz)
    root = Table(merged, (), origin)
    _check_format(root)
    root.allow(_TABLES)
    for key in _TABLES[1:]:
        if key in root:
            root.table(key)
    lossless = _is_bayes_optimal(merged)  # its likelihood is the teacher's: a loss would not be read
    for key, cure in _CURES.items():
        if not (key == "loss" and lossless):
            root.require(key, cure)

    parameters = read_parameters(root.table("parameters"))
    root = Table(merged, (), origin, tuple(parameter.name for parameter in parameters))
    model_name, description = read_model(root.table("model") if "model" in root else None, name)
    student = read_student(root.table("student"))
    teacher = read_teacher(root.table("teacher")) if "teacher" in root else None
    loss = read_loss(root.table("loss")) if "loss" in root else Loss()
    _require_parameters(root.table("parameters"), random_features=student.features == "random")
    ansatz_table = root.table("ansatz") if "ansatz" in root else Table({}, ("ansatz",), origin, root.parameters)
    if student.weights.kind == "unconstrained" and loss.regularization is None:
        raise origin.error(
            ("student", "weights"),
            "unconstrained weights need a regularization",
            'add [loss] regularization = "w**2/2" to an energy, or take "gaussian"',
        )
    chosen, added = read_ansatz(ansatz_table, loss)
    refuse_order_parameters(
        root.table("parameters"),
        order_parameters(
            chosen.scheme,
            random_features=student.features == "random",
            teacher=teacher is not None,
            ground=is_ground(loss),
        ),
    )
    known = {parameter.name for parameter in parameters}
    parameters += tuple(parameter for parameter in added if parameter.name not in known)
    observables = read_observables(root.table("observables")) if "observables" in root else ()
    spec = Spec(
        name=model_name,
        description=description,
        student=student,
        teacher=teacher,
        loss=loss,
        ansatz=chosen,
        parameters=parameters,
        observables=observables,
        source=document.name,
        origin=origin,
    )
    if chosen.scheme in ("replica-symmetric", "bayes-optimal"):
        _refuse_others_order_parameters(spec, origin)
    check_ansatz(spec, origin)
    check_meaning(spec, default_values(spec))
    return spec


def _refuse_others_order_parameters(spec: Spec, origin: Origin) -> None:
    """Say without a derivation that an observable names an order parameter of another ansatz.

    Raises:
        SpecError: about the first.
    """
    known = order_parameters(
        spec.ansatz.scheme,
        random_features=spec.student.features == "random",
        teacher=spec.teacher is not None,
        ground=is_ground(spec.loss),
    )
    for observable in spec.observables:
        unknown = sorted(ast.names(observable.formula.root) - known - set(spec.parameter_names()))
        if unknown:
            cure = f"use {', '.join(sorted(known))} where the model has them, or parameters"
            message = f"{unknown[0]}: not an order parameter of this model"
            raise origin.error(f"observables.{observable.name}", message, cure)


def _is_bayes_optimal(data: Mapping[str, Any]) -> bool:
    ansatz = data.get("ansatz")
    return isinstance(ansatz, Mapping) and ansatz.get("scheme") == "bayes-optimal"


def _check_format(root: Table) -> None:
    root.require("format", "begin the file with format = 1")
    value = root.data["format"]
    if isinstance(value, bool) or value != FORMAT:
        raise root.error("format", f"format: {clip(describe(value))}, but this version reads format 1", "write format = 1")


def _require_parameters(table: Table, *, random_features: bool) -> None:
    """Refuse a spec without the reserved parameters that its model needs."""
    if "alpha" not in table:
        raise table.error(None, "[parameters] has no alpha (patterns per student weight, P/N)", "add alpha = 1.0")
    if random_features and "alpha_T" not in table:
        raise table.error(
            None, "[parameters] has no alpha_T (patterns per input, P/D): random features need it", "add alpha_T = 1.0"
        )


def located(spec: Spec, place: str, message: str, cure: str | None = None, *, column: int | None = None) -> SpecError:
    """An error at an entry of a spec, for stages that find mistakes later.

    Args:
        spec: the spec that was read.
        place: the entry, such as ``student.features.activation`` (``Formula.place`` has it).
        message: what is wrong.
        cure: what would be right.
        column: 0-based column inside the entry's formula (``column`` of a tree's node).
    """
    if spec.origin is None:
        return SpecError(f"{place}: {message}", cure=cure, source=spec.source)
    return spec.origin.error(place, message, cure, column=column)
