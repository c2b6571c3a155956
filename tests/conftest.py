"""Bundles that are trained once for a whole test run, and no test that fails for being slow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# With a test process on each core, threads of OpenMP would wait for each other most of the time.
# Read once, when the first library with threads is loaded: so before them.
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from server.testing.bundles import TinyBundle, train_tiny_bundle

# A deadline would be an assertion on the machine's other work.
settings.register_profile("encore", deadline=None)
settings.load_profile("encore")


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the bundles that all tests share: nobody writes to it."""
    return tmp_path_factory.mktemp("bundles")


@pytest.fixture(scope="session")
def tiny_music(tiny_root: Path) -> TinyBundle:
    return train_tiny_bundle(tiny_root, "music")


@pytest.fixture(scope="session")
def tiny_shopping(tiny_root: Path) -> TinyBundle:
    return train_tiny_bundle(tiny_root, "shopping")
