"""What a media service says is believed field by field, and never more than was asked."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media import UNAVAILABLE, Media
from server.media.answers import MAX_TITLE, MAX_URL, MediaAnswerError, read_answer

GOOD = {"title": "Song", "cover_url": "https://c/1.jpg", "preview_url": "https://p/1.mp3"}


def said(media: object) -> dict[str, Media]:
    return read_answer(json.dumps({"media": {"t1": media}}).encode(), ["t1"])


def test_all_three_fields_are_read() -> None:
    assert said(GOOD) == {"t1": Media("Song", "https://c/1.jpg", "https://p/1.mp3")}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", 7),
        ("title", ["Song"]),
        ("title", None),
        ("title", "x" * (MAX_TITLE + 1)),
        ("title", "a\x00b"),
        ("title", "\ud800"),
        ("cover_url", "javascript:alert(1)"),
        ("cover_url", "file:///etc/passwd"),
        ("cover_url", "//no-scheme/1.jpg"),
        ("cover_url", "https://"),
        ("cover_url", "http://[broken"),
        ("cover_url", "https://c/" + "x" * MAX_URL),
        ("cover_url", {}),
    ],
)
def test_a_field_that_is_not_as_agreed_is_left_empty_and_the_others_stay(
    field: str, value: object
) -> None:
    media = said({**GOOD, field: value})["t1"]
    assert getattr(media, field) == ""
    assert media.preview_url == "https://p/1.mp3"


@pytest.mark.parametrize("missing", [{"preview_url": None}, {"preview_url": ""}, {}])
def test_without_a_preview_the_note_says_so(missing: dict[str, Any]) -> None:
    assert said({"title": "Song", **missing})["t1"] == Media("Song", note=UNAVAILABLE)


def test_what_is_said_of_others_is_ignored_and_what_is_not_said_is_left_out() -> None:
    body = json.dumps({"media": {"t1": "a text", "t9": GOOD}}).encode()
    assert read_answer(body, ["t1", "t2"]) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'"media"',
        b'{"media": []}',
        b'{"media": null}',
        b"{}",
        b'{"media": {"t1": 1',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"media": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_body_that_is_something_else_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(MediaAnswerError):
        read_answer(body, ["t1"])


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    with suppress(MediaAnswerError):
        assert read_answer(body, ["t1"]).keys() <= {"t1"}
