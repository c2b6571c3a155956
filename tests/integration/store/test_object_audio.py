from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import InvalidRequestError
from server.ports import ObjectAudio, ObjectAudioStore
from server.store import Store
from server.store.object_audio import MOST_IDS

HEARD = ObjectAudio("曲", 12_000, 15_000, ("happy", "Mellow"), ("J-Pop",), "library")


def test_what_was_heard_is_read_back_by_domain_and_id(store: Store) -> None:
    audio: ObjectAudioStore = store.object_audio
    audio.replace("music", [HEARD, replace(HEARD, object_id="t2", moods=())])
    assert audio.get("music", ["曲", "never heard"]) == {"曲": HEARD}
    assert audio.get("other", ["曲"]) == {}
    assert audio.get("music", []) == {}


def test_writing_again_replaces_all_rows_of_the_domain_and_no_other(store: Store) -> None:
    store.object_audio.replace("music", [HEARD])
    store.object_audio.replace("films", [HEARD])
    later = replace(HEARD, object_id="t3", preview_start_ms=1)
    store.object_audio.replace("music", [later])
    store.object_audio.replace("music", [later])
    assert store.object_audio.get("music", ["曲", "t3"]) == {"t3": later}
    assert store.object_audio.get("films", ["曲"]) == {"曲": HEARD}


def test_rows_that_cannot_all_be_written_leave_the_old_ones(store: Store) -> None:
    store.object_audio.replace("music", [HEARD])
    with pytest.raises(InvalidRequestError, match="NUL"):
        store.object_audio.replace("music", [replace(HEARD, source="a\0b")])
    with pytest.raises(Exception, match=r"(?i)unique"):
        store.object_audio.replace("music", [replace(HEARD, object_id="t9")] * 2)
    assert store.object_audio.get("music", ["曲", "t9"]) == {"曲": HEARD}


def test_more_ids_than_one_statement_takes_are_all_answered(store: Store) -> None:
    rows = [replace(HEARD, object_id=f"t{n}") for n in range(2 * MOST_IDS + 1)]
    store.object_audio.replace("music", rows)
    assert len(store.object_audio.get("music", [row.object_id for row in rows])) == len(rows)
