from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import BundleError, InvalidRequestError
from domains.music.audio.answer import GenreAnswer, GenreStatus
from domains.music.audio.capability import GenreNeighbors
from domains.music.audio.clips import Clip
from domains.music.audio.decode import decode_file
from domains.music.audio.genre_source import TagGenres
from domains.music.audio.heard_tracks import AudioTrack, HeardTracks
from domains.music.audio.intake import AudioIntake
from domains.music.audio.sound import Ear
from domains.music.audio.tagger import MSD_TAGS, TagKind, kind_of

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


def test_moods_and_instruments_are_what_the_tagger_hears(neighbours: GenreNeighbors) -> None:
    answer = neighbours.by_track("jazz_trumpet_0", k=1)
    for told, kind in ((answer.moods, TagKind.MOOD), (answer.instruments, TagKind.INSTRUMENT)):
        tags, probabilities = zip(*told, strict=True)
        assert set(tags) == {tag for tag in MSD_TAGS if kind_of(tag) is kind}
        assert list(probabilities) == sorted(probabilities, reverse=True)
        assert 0 < probabilities[-1] <= probabilities[0] < 1
    assert answer.instruments[0][0] == "instrumental"


def test_a_clip_sent_as_bytes_is_its_own_recording_and_not_its_neighbour(
    neighbours: GenreNeighbors, clips: tuple[Clip, ...]
) -> None:
    for clip in clips[::9]:
        answer = neighbours.by_audio(clip.path.read_bytes(), k=5)
        assert answer.same_recording == (clip.track_id,)
        assert ids(answer) == ids(neighbours.by_track(clip.track_id, k=5))
        assert not answer.labelled


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_quieter_copy_in_another_container_is_still_the_same_recording(
    container: str, neighbours: GenreNeighbors, trumpet: Clip, encode: Encode
) -> None:
    quieter = decode_file(trumpet.path) * 0.5
    answer = neighbours.by_audio(encode(quieter, container), k=35)
    assert answer.same_recording == (trumpet.track_id,)
    assert len(ids(answer)) == 35
    assert trumpet.track_id not in ids(answer)


@pytest.fixture(scope="module")
def copied(heard: HeardTracks, neighbours: GenreNeighbors) -> GenreNeighbors:
    """The clips, and the trumpet a second time under an id of its own."""
    rows = sorted([*range(len(heard.track_ids)), heard.track_ids.index("jazz_trumpet_0")])
    names = [heard.track_ids[row] for row in rows]
    names[names.index("jazz_trumpet_0") + 1] = "jazz_trumpet_0 remastered"
    twice = HeardTracks(
        tuple(names),
        heard.features[rows],
        heard.tags[rows],
        heard.units[rows],
        tuple(heard.labels[row] for row in rows),
        tuple(heard.artists[row] for row in rows),
    )
    return GenreNeighbors.build(neighbours.source, twice, neighbours.ear, neighbours.intake)


def test_copies_are_named_and_are_never_neighbours(copied: GenreNeighbors, trumpet: Clip) -> None:
    copy = "jazz_trumpet_0 remastered"
    by_track = copied.by_track(trumpet.track_id, k=100)
    assert by_track.same_recording == (copy,)
    assert copied.by_track(copy, k=100).same_recording == (trumpet.track_id,)
    by_audio = copied.by_audio(trumpet.path.read_bytes(), k=100)
    assert by_audio.same_recording == (trumpet.track_id, copy)
    for answer in (by_track, by_audio):
        assert len(ids(answer)) == 35
        assert not {trumpet.track_id, copy} & set(ids(answer))


def test_of_a_recording_that_is_there_twice_one_track_is_a_neighbour(
    copied: GenreNeighbors,
) -> None:
    near = ids(copied.by_track("km_scheming_weasel", k=100))
    assert len(near) == 35
    assert "jazz_trumpet_0" in near
    assert "jazz_trumpet_0 remastered" not in near


def test_copies_are_named_whatever_the_neighbours_are_narrowed_to(copied: GenreNeighbors) -> None:
    answer = copied.by_track("jazz_trumpet_0", k=1, same_genre=True, pool=frozenset())
    assert answer.same_recording == ("jazz_trumpet_0 remastered",)
    assert ids(answer) == []


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
        note = neighbours.by_track(track_id, k=1).note
        assert note.startswith("Demonstration only: fitted on 11 labelled tracks of 7 artists or")
        assert "of 9, always guessing" in note
        assert note.endswith("not tested, one artist or recording each: folk.")


def test_without_labels_genres_are_tags_and_the_note_says_so(
    by_tags: GenreNeighbors, trumpet: Clip
) -> None:
    answer = by_tags.by_track(trumpet.track_id, k=5, same_genre=True)
    assert answer.genre == answer.genres[0][0] == "jazz"
    assert len(answer.genres) == len(TagGenres.genres)
    assert sum(probability for _, probability in answer.genres) == pytest.approx(1.0, abs=1e-6)
    assert {neighbour.genre for neighbour in answer.neighbours} == {"jazz"}
    assert "no model was fitted to labels" in answer.note
    assert by_tags.by_audio(trumpet.path.read_bytes(), k=1).genre == "jazz"


def test_a_label_counts_only_where_the_genre_is_known(by_tags: GenreNeighbors) -> None:
    folk, classical = (
        by_tags.by_track(f"{name}_1", k=1) for name in ("folk_fishin", "classical_brahms")
    )
    assert folk.genres[0][0] != "folk"
    assert (folk.genre, folk.labelled) == ("folk", True)
    assert (classical.genre, classical.labelled) == (classical.genres[0][0], False)


def test_where_tracks_have_several_genres_any_of_them_makes_a_neighbour(
    by_tags: GenreNeighbors,
) -> None:
    # The trumpet is also blues, and asks for jazz; two others are labelled, the second as both.
    given = {
        "jazz_trumpet_0": frozenset({"jazz", "blues"}),
        "km_hustle": frozenset({"blues"}),
        "km_sneaky_snitch": frozenset({"blues", "jazz"}),
    }
    pool = frozenset(given)
    tracks = by_tags.tracks.labelled(given, {})
    told = replace(by_tags, tracks=tracks)
    assert told.by_track("jazz_trumpet_0", k=5).genre == "jazz"
    assert ids(told.by_track("jazz_trumpet_0", 5, same_genre=True, pool=pool)) == [
        "km_sneaky_snitch"
    ]
    assert ids(told.by_track("km_hustle", 5, same_genre=True, pool=pool)) != []
    assert set(ids(told.by_track("km_hustle", 5, same_genre=True, pool=pool))) == {
        "jazz_trumpet_0",
        "km_sneaky_snitch",
    }


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


FITTED = {
    "genre.cbm",
    "genre.json",
    "genre_discriminant.safetensors",
    "genre_kernel.safetensors",
}
ALWAYS = {"genres.safetensors", "index.safetensors", "tracks.safetensors"}


@pytest.mark.parametrize(("name", "files"), [("neighbours", FITTED | ALWAYS), ("by_tags", ALWAYS)])
def test_what_is_loaded_answers_as_what_was_saved(
    name: str,
    files: set[str],
    clips: tuple[Clip, ...],
    ear: Ear,
    intake: AudioIntake,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    saved: GenreNeighbors = request.getfixturevalue(name)
    saved.save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == files
    loaded = GenreNeighbors.load(tmp_path, ear, intake)
    for clip in clips:
        for same_genre in (False, True):
            asked = (clip.track_id, 9, same_genre)
            assert loaded.by_track(*asked) == saved.by_track(*asked)
    audio = clips[0].path.read_bytes()
    assert loaded.by_audio(audio, 9, same_genre=True) == saved.by_audio(audio, 9, same_genre=True)


@pytest.mark.parametrize("file", sorted(FITTED | ALWAYS))
@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_a_missing_or_damaged_file_is_refused_with_the_remedy(
    file: str, content: bytes | None, neighbours: GenreNeighbors, tmp_path: Path
) -> None:
    neighbours.save(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(BundleError, match=r": build (it|them|both) again"):
        GenreNeighbors.load(tmp_path, neighbours.ear, neighbours.intake)


@pytest.mark.parametrize("file", sorted(ALWAYS))
def test_files_of_two_indexes_are_refused(
    file: str, neighbours: GenreNeighbors, tmp_path: Path
) -> None:
    tracks = neighbours.tracks
    few = HeardTracks(
        tracks.track_ids[:5],
        tracks.features[:5],
        tracks.tags[:5],
        tracks.units[:5],
        tracks.labels[:5],
        tracks.artists[:5],
    )
    other = GenreNeighbors.build(neighbours.source, few, neighbours.ear, neighbours.intake)
    for name, one in (("one", neighbours), ("other", other)):
        (tmp_path / name).mkdir()
        one.save(tmp_path / name)
    shutil.copy(tmp_path / "other" / file, tmp_path / "one")
    with pytest.raises(BundleError, match=r"do(es)? not fit .*: build (it|both) again"):
        GenreNeighbors.load(tmp_path / "one", neighbours.ear, neighbours.intake)


def test_without_the_model_the_genres_of_tracks_do_not_fit(
    neighbours: GenreNeighbors, tmp_path: Path
) -> None:
    neighbours.save(tmp_path)
    for file in FITTED:
        (tmp_path / file).unlink()
    with pytest.raises(BundleError, match="does not fit the genres beside it: build it again"):
        GenreNeighbors.load(tmp_path, neighbours.ear, neighbours.intake)


def test_the_same_tracks_build_the_same(neighbours: GenreNeighbors) -> None:
    again = GenreNeighbors.build(
        neighbours.source, neighbours.tracks, neighbours.ear, neighbours.intake
    )
    np.testing.assert_array_equal(again.index.vectors, neighbours.index.vectors)
    np.testing.assert_array_equal(again.probabilities, neighbours.probabilities)


def test_a_single_track_can_be_indexed_and_has_no_neighbours(
    trumpet: Clip, ear: Ear, intake: AudioIntake
) -> None:
    tracks = HeardTracks.listen_to([AudioTrack("only", trumpet.path)], ear, intake)
    alone = GenreNeighbors.build(TagGenres(), tracks, ear, intake)
    alone.warm_up()
    assert ids(alone.by_track("only", k=5)) == []
    assert alone.by_track("only", k=5).genre == "jazz"


@pytest.mark.parametrize("tag", ["jazz", "happy", "female vocalists", "hip hop"])
def test_a_tag_is_carried_by_some_tracks_and_not_by_all(
    neighbours: GenreNeighbors, clips: tuple[Clip, ...], tag: str
) -> None:
    carriers = neighbours.tagged(tag)
    assert carriers == tuple(sorted(carriers))
    assert 0 < len(carriers) < len(clips)
    assert set(carriers) <= {clip.track_id for clip in clips}


def test_a_mood_is_carried_by_the_tenth_in_which_it_is_heard_most(
    neighbours: GenreNeighbors, clips: tuple[Clip, ...]
) -> None:
    heard = {
        clip.track_id: dict(neighbours.by_track(clip.track_id, 1).moods)["happy"] for clip in clips
    }
    most = sorted(heard, key=lambda track_id: -heard[track_id])
    assert set(neighbours.tagged("happy")) == set(most[:4])  # of 36


def test_a_genre_is_carried_where_it_is_the_label_or_likeliest(
    neighbours: GenreNeighbors, clips: tuple[Clip, ...]
) -> None:
    likeliest = {
        clip.track_id for clip in clips if neighbours.by_track(clip.track_id, 1).genre == "jazz"
    }
    assert set(neighbours.tagged("jazz")) == likeliest


def test_an_unknown_tag_is_carried_by_nothing(neighbours: GenreNeighbors) -> None:
    assert neighbours.tagged("no such tag") == neighbours.tagged("") == ()
