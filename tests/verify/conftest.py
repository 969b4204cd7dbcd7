"""What tests of ``verify`` share: models and states, once for each module of tests."""

from __future__ import annotations

import pytest

from spinodal.verify.run import Session


@pytest.fixture(scope="module")
def session() -> Session:
    """Models and their states."""
    return Session()
