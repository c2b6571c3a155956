from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.errors import InvalidDataError
from domains.music.audio.clips import (
    ATTRIBUTION_FILE,
    CLIPS_DIRECTORY,
    Clip,
    shipped_clips,
)

LICENCES = {
    "CC BY 3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC0 1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "Public Domain Mark 1.0": "https://creativecommons.org/publicdomain/mark/1.0/",
}


def test_the_manifest_and_the_directory_hold_the_same_36_clips(clips: tuple[Clip, ...]) -> None:
    assert len(clips) == 36
    assert {clip.path for clip in clips} == set(CLIPS_DIRECTORY.glob("*.ogg"))


def test_no_clip_of_doubtful_licence_ships(clips: tuple[Clip, ...]) -> None:
    assert not list(CLIPS_DIRECTORY.glob("ambient_piano_*"))
    assert {clip.licence for clip in clips} == set(LICENCES)


def test_the_attribution_gives_each_clip_its_artist_title_licence_and_original(
    clips: tuple[Clip, ...],
) -> None:
    lines = ATTRIBUTION_FILE.read_text(encoding="utf-8").splitlines()
    for clip in clips:
        (line,) = [line for line in lines if f"`{clip.path.name}`" in line]
        for fact in (clip.title, clip.artist, LICENCES[clip.licence], clip.source_url):
            assert fact in line


def test_the_attribution_says_what_was_changed() -> None:
    text = " ".join(ATTRIBUTION_FILE.read_text(encoding="utf-8").split())
    for change in ("10 seconds", "mono", "22.05 kHz", "OGG Vorbis"):
        assert change in text


def test_excerpts_of_one_recording_share_it_and_their_genre(clips: tuple[Clip, ...]) -> None:
    by_id = {clip.track_id: clip for clip in clips}
    first, second = by_id["classical_brahms_0"], by_id["classical_brahms_1"]
    assert first.recording == second.recording
    assert first.genre == second.genre == "classical"
    assert len({clip.recording for clip in clips if clip.genre}) == 7


def test_a_clip_that_nobody_labelled_has_no_genre(clips: tuple[Clip, ...]) -> None:
    unlabelled = [clip for clip in clips if clip.genre is None]
    assert len(unlabelled) == 25
    assert all(clip.track_id.startswith(("km_", "cc0_")) for clip in unlabelled)


def test_a_manifest_that_names_a_missing_file_is_refused_with_its_line(tmp_path: Path) -> None:
    shutil.copy(CLIPS_DIRECTORY / "manifest.csv", tmp_path)
    with pytest.raises(InvalidDataError, match=r"manifest\.csv:2: .* is not there"):
        shipped_clips(tmp_path)


def test_a_manifest_without_a_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,track_id\na.ogg,a\n", encoding="utf-8")
    with pytest.raises(InvalidDataError, match="column 'recording' is missing"):
        shipped_clips(tmp_path)
