from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import BundleError, InvalidDataError, NotEnoughDataError
from domains.music.audio.clips import Clip
from domains.music.audio.heard_tracks import AudioTrack, HeardTracks
from domains.music.audio.intake import AudioIntake
from domains.music.audio.sound import Ear


@pytest.fixture
def few(heard: HeardTracks) -> HeardTracks:
    """Two tracks, of which one is labelled."""
    return replace(
        heard,
        track_ids=("a", "b"),
        features=heard.features[:2],
        tags=heard.tags[:2],
        units=heard.units[:2],
        labels=(frozenset({"jazz", "полька"}), frozenset()),
        artists=("Ann", "b"),
    )


def test_tracks_are_heard_in_order_of_id_whatever_order_they_come_in(
    clips: tuple[Clip, ...], heard: HeardTracks, ear: Ear, intake: AudioIntake
) -> None:
    shares: list[float] = []
    backwards = [clip.as_track() for clip in reversed(clips[:2])]
    two = HeardTracks.listen_to(backwards, ear, intake, shares.append)
    assert two.track_ids == heard.track_ids[:2]
    np.testing.assert_array_equal(two.features, heard.features[:2])
    np.testing.assert_array_equal(two.units, heard.units[:2])
    assert shares == [0.5, 1.0]


def test_a_track_is_by_itself_where_nobody_said_by_whom(
    clips: tuple[Clip, ...], ear: Ear, intake: AudioIntake
) -> None:
    tracks = HeardTracks.listen_to([AudioTrack("a", clips[0].path)], ear, intake)
    assert (tracks.labels, tracks.artists) == ((frozenset(),), ("a",))


def test_a_bad_file_an_id_twice_and_no_track_are_refused(
    clips: tuple[Clip, ...], ear: Ear, intake: AudioIntake, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.ogg"
    bad.write_bytes(b"not a song")
    with pytest.raises(InvalidDataError, match=r"bad\.ogg"):
        HeardTracks.listen_to([AudioTrack("a", bad)], ear, intake)
    with pytest.raises(InvalidDataError, match="a: the track id occurs twice"):
        HeardTracks.listen_to([AudioTrack("a", clips[0].path)] * 2, ear, intake)
    with pytest.raises(NotEnoughDataError, match="no track to index"):
        HeardTracks.listen_to([], ear, intake)


def test_labels_and_artists_are_given_by_track_id(few: HeardTracks) -> None:
    told = few.labelled({"b": frozenset({"folk"}), "unheard": frozenset({"rock"})}, {"b": "Bob"})
    assert told.labels == (frozenset(), frozenset({"folk"}))
    assert told.artists == ("a", "Bob")


def test_what_is_loaded_is_what_was_saved_in_the_same_bytes_each_time(
    few: HeardTracks, tmp_path: Path
) -> None:
    written = set()
    for _ in range(8):
        few.save(tmp_path)
        written.add((tmp_path / "tracks.safetensors").read_bytes())
    assert len(written) == 1
    loaded = HeardTracks.load(tmp_path, ("a", "b"))
    assert (loaded.labels, loaded.artists) == (few.labels, few.artists)
    for name in ("features", "tags", "units"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(few, name))


@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_a_missing_or_damaged_file_is_refused(
    content: bytes | None, few: HeardTracks, tmp_path: Path
) -> None:
    few.save(tmp_path)
    file = tmp_path / "tracks.safetensors"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(BundleError, match=r"cannot be read .* build them again"):
        HeardTracks.load(tmp_path, few.track_ids)


def test_tracks_of_another_index_are_refused(few: HeardTracks, tmp_path: Path) -> None:
    few.save(tmp_path)
    with pytest.raises(BundleError, match="do not fit the index beside them: build both again"):
        HeardTracks.load(tmp_path, ("a", "b", "c"))
