"""Finished pieces of an unfinished run: a run that is killed goes on where it stopped.

Each piece is one NetCDF file in a folder that is removed when the study is complete. A file's name holds a hash of all
that the piece depends on: the spec, the plan, the versions, and the sources that derive and solve.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import xarray as xr

import spinodal
from spinodal.codegen import cache
from spinodal.study.data import write
from spinodal.study.piece import Number, Part, Piece, Section
from spinodal.study.plan import Plan

_FOLDER = ".unfinished"
_ATTRIBUTE = "piece"


class Store:
    """The finished pieces in a results folder.

    Args:
        root: the results folder.
        plan: of the study.
    """

    def __init__(self, root: Path, plan: Plan) -> None:
        self.folder, self.plan = root / _FOLDER, plan

    def load(self, section: Section, piece: Piece) -> Part | None:
        """A piece that an earlier run has finished, or None; a damaged file counts as none."""
        path = self._path(section, piece)
        try:
            data = xr.load_dataset(path, engine="scipy")
            record = json.loads(data.attrs.pop(_ATTRIBUTE))
            numbers = tuple(Number(**number) for number in record["numbers"])
            return Part(data, numbers, tuple(record["notes"]), record["complete"])
        except FileNotFoundError:
            return None
        except Exception:
            path.unlink(missing_ok=True)
            return None

    def save(self, section: Section, piece: Piece, part: Part) -> None:
        """Keep a finished piece."""
        record = {"numbers": [vars(number) for number in part.numbers], "notes": part.notes, "complete": part.complete}
        write(part.data.assign_attrs({_ATTRIBUTE: json.dumps(record)}), self._path(section, piece))

    def clear(self) -> None:
        """Remove everything: the study is complete."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, section: Section, piece: Piece) -> Path:
        text = "\n".join(
            [section.name, piece.label, cache.key(piece.model().spec), repr(self.plan), _sources(), version("numpy")]
        )
        name = f"{section.name}-{piece.label.replace(' ', '-')}"
        return self.folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:24]}.nc"


@lru_cache(maxsize=1)
def _sources() -> str:
    """A hash of the sources that solve and arrange (those that derive are in the key of the generated module)."""
    package = Path(spinodal.__file__).resolve().parent
    digest = hashlib.sha256()
    for path in sorted([package / "model.py", *(package / "numeric").rglob("*.py"), *(package / "study").rglob("*.py")]):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
