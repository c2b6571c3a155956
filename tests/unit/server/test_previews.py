"""The window to play: what was chosen, shortened to its middle, or a guess that says so."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.ports import ObjectAudio
from server.previews import PreviewWindow, preview_window

HEARD = ObjectAudio("t1", 12_000, 15_000)
UNKNOWN = math.nan


@pytest.mark.parametrize("max_seconds", [None, 15, 600])
def test_a_chosen_window_that_fits_is_played_as_it_is(max_seconds: int | None) -> None:
    assert preview_window(HEARD, UNKNOWN, max_seconds) == PreviewWindow(12_000, 15_000, False)


def test_a_chosen_window_that_is_too_long_is_shortened_to_its_middle() -> None:
    assert preview_window(HEARD, UNKNOWN, 5) == PreviewWindow(17_000, 5_000, False)


@pytest.mark.parametrize("heard", [None, ObjectAudio("t1", 0, 0)])
def test_where_none_was_chosen_it_begins_30_s_into_the_track(heard: ObjectAudio | None) -> None:
    assert preview_window(heard, 240.0, None) == PreviewWindow(30_000, 15_000, True)
    assert preview_window(heard, UNKNOWN, None) == PreviewWindow(30_000, 15_000, True)


@pytest.mark.parametrize(
    ("length_s", "start_ms", "length_ms"),
    [(60.0, 20_000, 15_000), (18.0, 6_000, 12_000), (0.3, 100, 200)],
)
def test_in_a_short_track_it_begins_after_a_third_and_ends_with_it(
    length_s: float, start_ms: int, length_ms: int
) -> None:
    assert preview_window(None, length_s, None) == PreviewWindow(start_ms, length_ms, True)


def test_a_guess_is_no_longer_than_asked() -> None:
    assert preview_window(None, 240.0, 7).length_ms == 7_000


@given(
    start_ms=st.integers(0, 60_000),
    length_ms=st.integers(1, 60_000),
    length_s=st.one_of(st.just(UNKNOWN), st.floats(0.01, 10_000)),
    max_seconds=st.one_of(st.none(), st.integers(1, 600)),
    is_heard=st.booleans(),
)
def test_a_window_is_never_empty_too_long_or_outside(
    start_ms: int, length_ms: int, length_s: float, max_seconds: int | None, is_heard: bool
) -> None:
    heard = ObjectAudio("t1", start_ms, length_ms) if is_heard else None
    window = preview_window(heard, length_s, max_seconds)
    end_ms = window.start_ms + window.length_ms
    assert window.length_ms >= 1
    assert max_seconds is None or window.length_ms <= 1_000 * max_seconds
    if is_heard:
        assert start_ms <= window.start_ms
        assert end_ms <= start_ms + length_ms
    elif not math.isnan(length_s):
        assert end_ms <= 1_000 * length_s
