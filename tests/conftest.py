"""Bundles that are trained once for a whole test run, and no test that fails for being slow."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

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
