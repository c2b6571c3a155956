"""What callers of the story backend may get wrong is said field by field."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encore_client import Outcome
from encore_stories.asks import RefusedError, Told, read_ask, read_told
from encore_stories.soundtracks import Ask

USER = ("user", "ann")
GOOD = {"user": "ann", "track_id": "t1", "action": "like"}


def test_tags_may_be_repeated_or_separated_by_commas() -> None:
    query = [USER, ("tags", "happy, rock"), ("tags", "rock,,jazz"), ("max_seconds", "15")]
    assert read_ask("s1", query) == Ask("s1", "ann", ("happy", "rock", "jazz"), 15)
    assert read_ask("s1", [USER]) == Ask("s1", "ann")


@pytest.mark.parametrize(
    ("story", "query", "field"),
    [
        ("", [USER], "story"),
        ("x" * 257, [USER], "story"),
        ("s1", [], "user"),
        ("s1", [("user", "")], "user"),
        ("s1", [USER, ("user", "bob")], "user"),
        ("s1", [("user", "a\nb")], "user"),
        ("s1", [USER, ("tags", ",".join(map(str, range(21))))], "tags"),
        ("s1", [USER, ("tags", "x" * 129)], "tags"),
        ("s1", [USER, ("max_seconds", "0")], "max_seconds"),
        ("s1", [USER, ("max_seconds", "601")], "max_seconds"),
        ("s1", [USER, ("max_seconds", "9" * 5_000)], "max_seconds"),
        ("s1", [USER, ("max_seconds", "1.5")], "max_seconds"),
        ("s1", [USER, ("max_seconds", "٣")], "max_seconds"),
    ],
)
def test_a_bad_question_names_the_field(
    story: str, query: list[tuple[str, str]], field: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        read_ask(story, query)
    assert list(caught.value.problems) == [field]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"user": ""}, "user"),
        ({"user": 7}, "user"),
        ({"track_id": None}, "track_id"),
        ({"track_id": "\ud800"}, "track_id"),
        ({"action": "love"}, "action"),
        ({"action": ["like"]}, "action"),
        ({"event_id": "x" * 129}, "event_id"),
        ({"event_id": 3}, "event_id"),
        ({"recommendation_id": {}}, "recommendation_id"),
    ],
)
def test_bad_feedback_names_the_field(changed: dict[str, object], field: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_told("s1", json.dumps({**GOOD, **changed}).encode())
    assert list(caught.value.problems) == [field]


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        read_told("s1", body)
    assert list(caught.value.problems) == ["body"]


@given(st.binary(max_size=100))
def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    with suppress(RefusedError):
        read_told("s1", body)


def test_the_same_feedback_has_the_same_event_id_and_no_other_has_it() -> None:
    told = read_told("s1", json.dumps(GOOD).encode())
    assert told == Told("s1", "ann", "t1", Outcome.LIKE, "", "")
    ids = {
        told.event_id_for("r1"),
        told.event_id_for("r2"),
        read_told("s2", json.dumps(GOOD).encode()).event_id_for("r1"),
        *(
            read_told("s1", json.dumps({**GOOD, **changed}).encode()).event_id_for("r1")
            for changed in ({"user": "bob"}, {"track_id": "t2"}, {"action": "skip"})
        ),
    }
    assert len(ids) == 6
    assert told.event_id_for("r1") in ids
    own = read_told("s1", json.dumps({**GOOD, "event_id": "mine"}).encode())
    assert own.event_id_for("r1") == "mine"
