"""Settings of the story backend come from STORIES_* variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from encore_stories.settings import Settings


def test_what_is_not_set_keeps_its_default() -> None:
    assert Settings.from_environment({"PATH": "/bin"}) == Settings()


def test_every_kind_of_value_is_read() -> None:
    read = Settings.from_environment(
        {
            "STORIES_ENCORE": "encore:50051",
            "STORIES_PORT": "9000",
            "STORIES_TIMEOUT_S": "0.5",
            "STORIES_OUTBOX": "/data/outbox.sqlite3",
            "STORIES_FALLBACK_TRACKS": "t1, t2,,t3 ",
        }
    )
    assert read == Settings(
        encore="encore:50051",
        port=9000,
        timeout_s=0.5,
        outbox=Path("/data/outbox.sqlite3"),
        fallback_tracks=("t1", "t2", "t3"),
    )


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("STORIES_PROT", "1", "not a setting"),
        ("STORIES_PORT", "many", "cannot be read as int"),
        ("STORIES_TIMEOUT_S", "0", "above 0"),
        ("STORIES_TIMEOUT_S", "nan", "above 0"),
        ("STORIES_RUNNERS_UP", "100", "0 to 99"),
        ("STORIES_OUTBOX_EVENTS", "0", "at least 1"),
    ],
)
def test_what_cannot_be_is_refused_by_name(name: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings.from_environment({name: text})
