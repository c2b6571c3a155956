from __future__ import annotations

import struct
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidRequestError
from core.requests import RankedItem
from server.ports import QueueKey, QueueRecord, QueueStore
from server.store import Store
from server.store.blobs import decode_queue, encode_queue

KEY = QueueKey("music", "u:ann", "f" * 64)


def queue(queue_id: str, key: QueueKey = KEY, created_at_s: float = 100.0) -> QueueRecord:
    items = tuple(
        RankedItem(f"{queue_id}-{i}", 1 / (i + 3), ("als", "popular")[: i % 3], (f"reason {i}",))
        for i in range(10)
    )
    return QueueRecord(
        key, queue_id, "music-1", created_at_s, created_at_s + 0.5, items, ("source als failed",)
    )


def test_a_queue_is_read_back_as_it_was_put(store: Store) -> None:
    queues: QueueStore = store.queues
    record = queue("q1")
    queues.put(record)
    assert queues.get(KEY) == record


def test_a_key_that_was_never_put_has_no_queue(store: Store) -> None:
    assert store.queues.get(KEY) is None


def test_a_queue_may_be_empty(store: Store) -> None:
    record = QueueRecord(KEY, "q1", "music-1", 1.0, 1.0, ())
    store.queues.put(record)
    assert store.queues.get(KEY) == record


def test_a_new_version_replaces_the_old_one(store: Store) -> None:
    store.queues.put(queue("q1"))
    store.queues.put(queue("q2", created_at_s=101.0))
    assert store.queues.get(KEY) == queue("q2", created_at_s=101.0)
    assert store.queues.drop_before(1e12) == 1


def test_a_version_that_was_succeeded_is_still_found_by_its_id(store: Store) -> None:
    store.queues.put(queue("q1"))
    assert store.queues.succeed(queue("q2"), "q1")
    assert store.queues.get(KEY) == queue("q2")
    assert store.queues.version(KEY, "q1") == queue("q1")
    assert store.queues.version(KEY, "q2") == queue("q2")
    assert store.queues.version(replace(KEY, user_key="u:bob"), "q1") is None


def test_only_the_latest_of_those_that_were_succeeded_is_kept(store: Store) -> None:
    store.queues.put(queue("q1"))
    assert store.queues.succeed(queue("q2"), "q1")
    assert store.queues.succeed(queue("q3"), "q2")
    assert store.queues.version(KEY, "q1") is None
    assert store.queues.version(KEY, "q2") == queue("q2")
    assert store.queues.get(KEY) == queue("q3")


def test_who_comes_second_after_the_same_predecessor_stores_nothing(store: Store) -> None:
    store.queues.put(queue("q1"))
    assert store.queues.succeed(queue("q2"), "q1")
    assert not store.queues.succeed(queue("q3"), "q1")
    assert not store.queues.succeed(queue("q4"), "never stored")
    assert store.queues.get(KEY) == queue("q2")
    assert store.queues.version(KEY, "q3") is None


def test_succeeding_twice_by_the_same_version_is_one_success(store: Store) -> None:
    """After a lost connection the work is done again."""
    store.queues.put(queue("q1"))
    assert store.queues.succeed(queue("q2"), "q1")
    assert store.queues.succeed(queue("q2"), "q1")
    assert store.queues.version(KEY, "q1") == queue("q1")


def test_of_many_successors_at_once_exactly_one_comes_first(store: Store) -> None:
    store.queues.put(queue("q0"))
    start, won = threading.Barrier(5), list[str]()

    def succeed(queue_id: str) -> None:
        start.wait()
        if store.queues.succeed(queue(queue_id), "q0"):
            won.append(queue_id)

    threads = [threading.Thread(target=succeed, args=(f"q{i}",)) for i in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = won
    assert store.queues.get(KEY) == queue(winner)
    assert store.queues.version(KEY, "q0") == queue("q0")


def test_both_versions_are_dropped_when_they_are_old(store: Store) -> None:
    store.queues.put(queue("q1", created_at_s=1.0))
    store.queues.succeed(queue("q2", created_at_s=2.0), "q1")
    assert store.queues.drop_before(2.0) == 1
    assert store.queues.version(KEY, "q1") is None
    assert store.queues.get(KEY) == queue("q2", created_at_s=2.0)
    assert store.queues.drop_before(3.0) == 1


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, domain="travel"),
        replace(KEY, user_key="a:ann"),
        replace(KEY, fingerprint="0" * 64),
        replace(KEY, user_key="u:" + "ж" * 128),
    ],
)
def test_queues_of_different_keys_live_side_by_side(store: Store, other: QueueKey) -> None:
    store.queues.put(queue("q1"))
    store.queues.put(queue("q2", other))
    assert store.queues.get(KEY) == queue("q1")
    assert store.queues.get(other) == queue("q2", other)


def test_old_queues_are_dropped_and_counted(store: Store) -> None:
    for i in range(5):
        store.queues.put(queue(f"q{i}", replace(KEY, user_key=f"a:{i}"), created_at_s=float(i)))
    assert store.queues.drop_before(3.0) == 3
    left = [i for i in range(5) if store.queues.get(replace(KEY, user_key=f"a:{i}"))]
    assert left == [3, 4]
    assert store.queues.drop_before(3.0) == 0


def test_dropping_goes_on_beyond_one_step(store: Store) -> None:
    for i in range(1201):
        store.queues.put(QueueRecord(replace(KEY, user_key=f"a:{i}"), f"q{i}", "m", 1.0, 1.0, ()))
    assert store.queues.drop_before(2.0) == 1201


def test_text_that_a_database_cannot_keep_is_refused(store: Store) -> None:
    with pytest.raises(InvalidRequestError, match="user_key"):
        store.queues.put(queue("q1", replace(KEY, user_key="u:a\0")))
    with pytest.raises(InvalidRequestError, match="user_key"):
        store.queues.get(replace(KEY, user_key="u:a\0"))


def test_readers_see_whole_versions_while_writers_replace_them(store: Store) -> None:
    store.queues.put(queue("start"))
    done = threading.Event()
    torn: list[QueueRecord | None] = []

    def read() -> None:
        while not done.is_set():
            found = store.queues.get(KEY)
            if found is None or any(
                not item.object_id.startswith(f"{found.queue_id}-") for item in found.items
            ):
                torn.append(found)

    def write(name: str) -> None:
        for i in range(40):
            store.queues.put(queue(f"{name}{i}"))

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert torn == []


any_text = st.text(st.characters(exclude_categories=()))  # lone surrogates and NUL included
ranked = st.builds(
    RankedItem,
    object_id=any_text,
    probability=st.floats(allow_nan=False),
    sources=st.lists(any_text).map(tuple),
    reasons=st.lists(any_text).map(tuple),
)


@given(items=st.lists(ranked), fallbacks=st.lists(any_text))
def test_any_list_survives_the_blob_bit_for_bit(
    items: list[RankedItem], fallbacks: list[str]
) -> None:
    found, found_fallbacks, seed = decode_queue(encode_queue(items, fallbacks, 2**63 - 1))
    assert seed == 2**63 - 1
    assert found == tuple(items)
    assert found_fallbacks == tuple(fallbacks)
    assert [i.probability.hex() for i in found] == [i.probability.hex() for i in items]


def test_a_blob_of_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 99"):
        decode_queue(b"\x04\0\0\0[99]")


def test_how_each_item_came_to_its_place_survives(store: Store) -> None:
    drawn = (
        RankedItem("t1", 0.3, ("als",), (), propensity=0.1 + 0.2, choices=50, passed_over=1 / 3),
        RankedItem("t2", 1 / 3, ("als",), (), propensity=0.75, choices=49),
        RankedItem("t3", 0.2, ("als",), ()),
    )
    record = replace(queue("q1"), items=drawn, seed=2**62 + 1)
    store.queues.put(record)
    assert store.queues.get(KEY) == record
    (first, second, third) = drawn
    assert (first.explored, second.explored, third.explored) == (True, False, False)


def test_a_queue_from_before_there_was_any_chance_is_read() -> None:
    head = b'[1,[["t1"],[0],[0]],[["als"]],["fell back"]]'
    blob = len(head).to_bytes(4, "little") + head + struct.pack("<d", 0.5)
    items = (RankedItem("t1", 0.5, ("als",), ("als",)),)
    assert decode_queue(blob) == (items, ("fell back",), 0)
