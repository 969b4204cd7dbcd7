"""What every test shares: a cache of generated modules for the session, and models declared in a few lines."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _session_cache() -> Iterator[Path]:
    """Generated modules are shared within a test session and never with the user's cache."""
    with tempfile.TemporaryDirectory(prefix="spinodal-tests-") as folder:
        before = os.environ.get("SPINODAL_CACHE")
        os.environ["SPINODAL_CACHE"] = folder
        yield Path(folder)
        if before is None:
            del os.environ["SPINODAL_CACHE"]
        else:
            os.environ["SPINODAL_CACHE"] = before
