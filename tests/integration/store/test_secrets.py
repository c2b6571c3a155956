from __future__ import annotations

import threading

from server.ports import SecretStore
from server.store import Store, open_store


def test_the_first_proposal_is_the_secret_also_for_who_opens_the_store_later(
    store: Store, url: str
) -> None:
    secrets: SecretStore = store.secrets
    assert secrets.agreed("key", b"\0first") == b"\0first"
    assert secrets.agreed("key", b"second") == b"\0first"
    assert secrets.agreed("other", b"third") == b"third"
    with open_store(url) as again:
        assert again.secrets.agreed("key", b"fourth") == b"\0first"


def test_replicas_that_start_at_once_agree(store: Store) -> None:
    start, agreed = threading.Barrier(6), set[bytes]()

    def propose(proposal: bytes) -> None:
        start.wait()
        agreed.add(store.secrets.agreed("key", proposal))

    threads = [threading.Thread(target=propose, args=(bytes([i]),)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(agreed) == 1
