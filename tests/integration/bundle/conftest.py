"""One server over real bundles and a real database for a module; its books must balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from encore_client import NO_RETRIES, ClientOptions, EncoreClient
from server.testing import ManualClock, RunningServer
from server.testing.bundles import TinyBundle, serving_bundles

DAY_S = 86_400.0


def handled_codes(encore: RunningServer) -> Counter[str]:
    """Code -> calls of both services that ended with it."""
    codes: Counter[str] = Counter()
    for labels, value in encore.counted("grpc_server_handled_total").items():
        codes[dict(labels)["grpc_code"]] += int(value)
    return codes


@pytest.fixture(scope="module")
def encore(
    tiny_music: TinyBundle, tiny_shopping: TinyBundle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """Music and shopping, a day after the end of their logs; nothing may end as INTERNAL."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/encore.sqlite3"
    clock = ManualClock(max(tiny_music.end_s, tiny_shopping.end_s) + DAY_S)
    with serving_bundles(tiny_music.root, url, clock) as running:
        yield running
        assert running.health() == "SERVING"
    codes = handled_codes(running)
    assert sum(running.counted("grpc_server_started_total").values()) == codes.total() > 0
    assert not codes["Internal"] + codes["Unknown"], codes
    assert not running.parts.log.lines("a part failed")


@pytest.fixture(scope="module")
def client(encore: RunningServer) -> Iterator[EncoreClient]:
    with EncoreClient(
        f"127.0.0.1:{encore.ports.api}",
        domain="music",
        options=ClientOptions(retry=NO_RETRIES),
    ) as connected:
        yield connected
