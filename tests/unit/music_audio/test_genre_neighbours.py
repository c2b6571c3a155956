from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from core.errors import BundleError, InvalidDataError, InvalidRequestError, NotEnoughDataError
from domains.music.audio.answer import GenreAnswer, GenreStatus
from domains.music.audio.capability import AudioTrack, GenreNeighbors
from domains.music.audio.clips import Clip
from domains.music.audio.decode import decode_file

Encode = Callable[..., bytes]


def ids(answer: GenreAnswer) -> list[str]:
    return [neighbour.track_id for neighbour in answer.neighbours]


@pytest.fixture(scope="module")
def trumpet(clips: tuple[Clip, ...]) -> Clip:
    (clip,) = [clip for clip in clips if clip.track_id == "jazz_trumpet_0"]
    return clip


def test_each_track_has_a_distribution_over_all_genres_and_k_others_as_neighbours(
    neighbours: GenreNeighbors, clips: tuple[Clip, ...]
) -> None:
    for clip in clips:
        answer = neighbours.by_track(clip.track_id, k=5)
        assert answer.status is GenreStatus.OK
        names, probabilities = zip(*answer.genres, strict=True)
        assert sorted(names) == ["classical", "folk", "jazz", "polka"]
        assert sum(probabilities) == pytest.approx(1.0, abs=1e-6)
        assert list(probabilities) == sorted(probabilities, reverse=True)
        assert len(set(ids(answer)) - {clip.track_id}) == 5
        assert answer.labelled == (clip.genre is not None)
        assert answer.genre == (clip.genre or names[0])


def test_every_clip_sent_as_bytes_finds_itself(
    neighbours: GenreNeighbors, clips: tuple[Clip, ...]
) -> None:
    for clip in clips[::6]:
        answer = neighbours.by_audio(clip.path.read_bytes(), k=1)
        assert ids(answer) == [clip.track_id]
        assert answer.neighbours[0].cosine == pytest.approx(1.0, abs=1e-6)
        assert not answer.labelled


@pytest.mark.parametrize(
    ("container", "at_least"), [("WAV", 0.99), ("FLAC", 0.99), ("OGG", 0.9), ("MP3", 0.9)]
)
def test_a_quieter_copy_in_another_container_is_still_the_same_track(
    container: str, at_least: float, neighbours: GenreNeighbors, trumpet: Clip, encode: Encode
) -> None:
    quieter = decode_file(trumpet.path) * 0.5
    (nearest,) = neighbours.by_audio(encode(quieter, container), k=1).neighbours
    assert nearest.track_id == trumpet.track_id
    assert nearest.cosine > at_least


@pytest.mark.parametrize("recording", ["classical_brahms", "folk_fishin"])
def test_two_excerpts_of_one_recording_are_each_others_nearest(
    recording: str, neighbours: GenreNeighbors
) -> None:
    first, second = f"{recording}_0", f"{recording}_1"
    assert ids(neighbours.by_track(first, k=1)) == [second]
    assert ids(neighbours.by_track(second, k=1)) == [first]


def test_the_cosine_of_two_tracks_is_the_same_both_ways(neighbours: GenreNeighbors) -> None:
    there = neighbours.by_track("km_hustle", k=35).neighbours
    for neighbour in there[:5]:
        back = {
            n.track_id: n.cosine for n in neighbours.by_track(neighbour.track_id, 35).neighbours
        }
        assert back["km_hustle"] == neighbour.cosine


def test_same_genre_keeps_to_the_genre_known_or_predicted(neighbours: GenreNeighbors) -> None:
    answer = neighbours.by_track("km_four_beers_polka", k=100, same_genre=True)
    assert answer.genre == "polka"
    assert {neighbour.genre for neighbour in answer.neighbours} == {"polka"}
    everyone = neighbours.by_track("km_four_beers_polka", k=100).neighbours
    assert answer.neighbours == tuple(n for n in everyone if n.genre == "polka")
    assert "km_spazzmatica_polka" in ids(answer)


def test_same_genre_of_a_sound_sent_along_is_its_likeliest(
    neighbours: GenreNeighbors, trumpet: Clip
) -> None:
    answer = neighbours.by_audio(trumpet.path.read_bytes(), k=100, same_genre=True)
    assert answer.genre == answer.genres[0][0]
    assert {neighbour.genre for neighbour in answer.neighbours} == {answer.genre}


def test_a_label_is_told_from_a_prediction(
    neighbours: GenreNeighbors, clips: tuple[Clip, ...]
) -> None:
    labels = {clip.track_id: clip.genre for clip in clips}
    for neighbour in neighbours.by_track("cc0_loop_mika", k=100).neighbours:
        label = labels[neighbour.track_id]
        assert neighbour.labelled == (label is not None)
        assert label in {None, neighbour.genre}


def test_a_pool_restricts_the_neighbours_and_not_the_question(neighbours: GenreNeighbors) -> None:
    pool = frozenset({"km_hustle", "km_hyperfun", "without audio"})
    assert sorted(ids(neighbours.by_track("cc0_loop_mika", 5, pool=pool))) == [
        "km_hustle",
        "km_hyperfun",
    ]
    assert ids(neighbours.by_track("cc0_loop_mika", 5, pool=frozenset())) == []


def test_a_track_without_audio_gets_a_status_that_says_so(neighbours: GenreNeighbors) -> None:
    answer = neighbours.by_track("a simulated track", k=5)
    assert answer.status is GenreStatus.TRACK_WITHOUT_AUDIO
    assert (answer.genres, answer.neighbours) == ((), ())


def test_a_track_outside_the_catalogue_is_told_from_one_without_audio(
    neighbours: GenreNeighbors,
) -> None:
    catalogue = {"in the catalogue"}
    known = neighbours.by_track("in the catalogue", k=5, catalogue=catalogue)
    unknown = neighbours.by_track("never heard of", k=5, catalogue=catalogue)
    assert known.status is GenreStatus.TRACK_WITHOUT_AUDIO
    assert unknown.status is GenreStatus.UNKNOWN_TRACK


def test_every_answer_says_that_it_is_a_demonstration(neighbours: GenreNeighbors) -> None:
    for track_id in ("km_hustle", "a simulated track"):
        note = neighbours.by_track(track_id, k=1).demonstration_note
        assert note.startswith("Demonstration only: fitted on 11 labelled clips of 7 recordings")
        assert "of 9 clips" in note
        assert note.endswith("not tested, one recording each: folk.")


@pytest.mark.parametrize("k", [-1, 0, 101])
def test_k_out_of_range_is_a_violation_of_k(k: int, neighbours: GenreNeighbors) -> None:
    with pytest.raises(InvalidRequestError, match=f"^k: must be between 1 and 100, got {k}"):
        neighbours.by_track("km_hustle", k)
    with pytest.raises(InvalidRequestError, match=f"^k: must be between 1 and 100, got {k}"):
        neighbours.by_audio(b"never looked at", k)


def test_broken_audio_is_a_violation_and_the_next_question_is_answered(
    neighbours: GenreNeighbors, trumpet: Clip
) -> None:
    before = neighbours.by_audio(trumpet.path.read_bytes(), k=3)
    with pytest.raises(InvalidRequestError, match="audio: it is damaged"):
        neighbours.by_audio(trumpet.path.read_bytes()[:2_000], k=3)
    assert neighbours.by_audio(trumpet.path.read_bytes(), k=3) == before


def test_questions_asked_at_once_get_the_answers_they_get_alone(
    neighbours: GenreNeighbors, clips: tuple[Clip, ...]
) -> None:
    uploads = [clip.path.read_bytes() for clip in clips[::9]]
    alone = [neighbours.by_audio(audio, k=5) for audio in uploads]
    with ThreadPoolExecutor(4) as executor:
        at_once = list(executor.map(lambda audio: neighbours.by_audio(audio, k=5), uploads * 4))
    assert at_once == alone * 4


def test_what_is_loaded_answers_as_what_was_saved(
    neighbours: GenreNeighbors, clips: tuple[Clip, ...], tmp_path: Path
) -> None:
    neighbours.save(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "genre.cbm",
        "genre.json",
        "index.safetensors",
        "tracks.safetensors",
    ]
    loaded = GenreNeighbors.load(tmp_path)
    for clip in clips:
        assert loaded.by_track(clip.track_id, 9) == neighbours.by_track(clip.track_id, 9)
    audio = clips[0].path.read_bytes()
    assert loaded.by_audio(audio, 9, same_genre=True) == neighbours.by_audio(audio, 9, True)


@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_a_missing_or_damaged_index_is_refused(
    content: bytes | None, neighbours: GenreNeighbors, tmp_path: Path
) -> None:
    neighbours.save(tmp_path)
    index = tmp_path / "index.safetensors"
    if content is None:
        index.unlink()
    else:
        index.write_bytes(content)
    with pytest.raises(BundleError, match=r"track index .* cannot be read"):
        GenreNeighbors.load(tmp_path)


def test_building_reports_progress_and_the_same_seed_builds_the_same(
    clips: tuple[Clip, ...],
) -> None:
    few = [clip.as_track() for clip in clips if clip.track_id.startswith(("jazz", "folk"))]
    shares: list[float] = []
    first = GenreNeighbors.build(few, seed=3, progress=shares.append)
    second = GenreNeighbors.build(reversed(few), seed=3)
    assert shares == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert first.index.track_ids == second.index.track_ids
    np.testing.assert_array_equal(first.index.vectors, second.index.vectors)
    np.testing.assert_array_equal(first.probabilities, second.probabilities)


def test_an_index_beside_the_wrong_model_is_refused(
    neighbours: GenreNeighbors, clips: tuple[Clip, ...], tmp_path: Path
) -> None:
    few = [clip.as_track() for clip in clips if clip.track_id.startswith(("jazz", "folk"))]
    neighbours.save(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    GenreNeighbors.build(few, seed=3).save(other)
    shutil.copy(other / "index.safetensors", tmp_path)
    with pytest.raises(BundleError, match="does not fit the genre model"):
        GenreNeighbors.load(tmp_path)


def test_a_catalogue_with_a_bad_file_or_an_id_twice_is_refused(
    trumpet: Clip, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.ogg"
    bad.write_bytes(b"not a song")
    with pytest.raises(InvalidDataError, match=r"bad\.ogg"):
        GenreNeighbors.build(
            [AudioTrack("a", bad, "jazz"), AudioTrack("b", trumpet.path, "folk")], seed=1
        )
    with pytest.raises(InvalidDataError, match="occurs twice"):
        GenreNeighbors.build([AudioTrack("a", trumpet.path, "jazz")] * 2, seed=1)


@pytest.mark.parametrize("genres", [[], [None, None], ["jazz", None], ["jazz", "jazz"]])
def test_fewer_than_two_genres_are_not_enough(genres: list[str | None], trumpet: Clip) -> None:
    tracks = [AudioTrack(str(i), trumpet.path, genre) for i, genre in enumerate(genres)]
    with pytest.raises(NotEnoughDataError, match="at least two genres"):
        GenreNeighbors.build(tracks, seed=1)
