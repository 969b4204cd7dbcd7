"""What every test shares: a cache of generated modules, which the processes of a parallel run share too."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# how long an example takes says nothing on a machine that others use
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


def pytest_configure(config: pytest.Config) -> None:
    """Generated modules are kept for this run of the tests and not in the user's cache, unless a folder is given.

    The processes of a parallel run inherit the folder. Each core has a test of its own: threads of BLAS would be in the way.
    """
    if hasattr(config, "workerinput"):
        return
    environment = pytest.MonkeyPatch()
    if not os.environ.get("SPINODAL_CACHE"):
        folder = tempfile.TemporaryDirectory(prefix="spinodal-tests-")
        environment.setenv("SPINODAL_CACHE", folder.name)
        config.add_cleanup(folder.cleanup)
    if not os.environ.get("OPENBLAS_NUM_THREADS"):
        environment.setenv("OPENBLAS_NUM_THREADS", "1")
    config.add_cleanup(environment.undo)
