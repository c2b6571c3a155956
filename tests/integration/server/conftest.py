"""One running server a module for calls that leave no trace behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from server.testing import RunningServer, running_server


@pytest.fixture(scope="module")
def encore() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running
