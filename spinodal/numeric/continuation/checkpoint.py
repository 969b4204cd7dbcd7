"""Checkpoints of a running continuation: the traces so far, written atomically, read back exactly.

A trace holds everything that its next step depends on, so that a resumed run gives the same branch to the last bit.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from spinodal.numeric.continuation.locate import Located
from spinodal.numeric.continuation.segment import Node
from spinodal.numeric.continuation.task import Trace

_SECONDS_BETWEEN_WRITES = 0.5
_FORMAT = 1


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message says why."""


class Checkpoint:
    """A file that holds the traces of one run.

    Args:
        path: of the file.
        identity: what the run depends on; a checkpoint of another run is refused.
    """

    def __init__(self, path: str | Path, identity: Any) -> None:
        self.path = Path(path)
        self.identity = hashlib.sha256(repr(identity).encode()).hexdigest()
        self._written = time.monotonic()

    def read(self) -> list[Trace]:
        """The traces in the file; none if there is no file.

        Raises:
            CheckpointError: if the file is damaged or belongs to another run.
        """
        if not self.path.exists():
            return []
        try:
            with self.path.open(encoding="utf-8") as file:
                document = json.load(file)
            if document["format"] != _FORMAT:
                raise CheckpointError(f"{self.path}: a checkpoint of another version; remove it to begin anew")
            if document["identity"] != self.identity:
                raise CheckpointError(f"{self.path}: a checkpoint of another run; remove it, or name another file")
            return [_trace(entry) for entry in document["traces"]]
        except CheckpointError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{self.path}: the checkpoint is damaged ({error}); remove it to begin anew") from error

    def write(self, traces: list[Trace], *, force: bool = False) -> None:
        """Write the traces, at most twice a second; the file is replaced as a whole."""
        now = time.monotonic()
        if not force and now - self._written < _SECONDS_BETWEEN_WRITES:
            return
        self._written = now
        document = {"format": _FORMAT, "identity": self.identity, "traces": [_entry(trace) for trace in traces]}
        write_atomically(self.path, json.dumps(document))


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader, or a kill at any moment, sees the old one or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


# json writes floats with repr: they are read back exactly (nan and inf included)


def _entry(trace: Trace) -> dict[str, Any]:
    return {
        "nodes": [[n.u.tolist(), n.t.tolist(), n.sign, n.log, list(n.events), n.unstable, n.residual] for n in trace.nodes],
        "located": [
            [p.kind, p.u.tolist(), p.error, p.converged, p.position, _list(p.null), _list(p.left), p.reason]
            for p in trace.located
        ],
        "step": trace.step,
        "stop": trace.stop,
        "remarks": list(trace.remarks),
    }


def _trace(entry: dict[str, Any]) -> Trace:
    nodes = tuple(
        Node(np.array(u), np.array(t), sign, log, tuple(events), unstable, residual)
        for u, t, sign, log, events, unstable, residual in entry["nodes"]
    )
    located = tuple(
        Located(kind, np.array(u), error, converged, position, _array(null), _array(left), reason)
        for kind, u, error, converged, position, null, left, reason in entry["located"]
    )
    return Trace(nodes, located, entry["step"], entry["stop"], tuple(entry["remarks"]))


def _list(values: Any) -> Any:
    return None if values is None else values.tolist()


def _array(values: Any) -> Any:
    return None if values is None else np.array(values, dtype=float)
