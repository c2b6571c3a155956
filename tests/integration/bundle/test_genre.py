"""GenreNeighbor from a real bundle: the clips that ship with Encore, by id and by ear."""

from __future__ import annotations

import math

import pytest

from domains.music.audio.clips import shipped_clips
from encore.v1 import recommender_service_pb2 as pb
from encore_client import EncoreClient, GenreNeighbors, GenreStatus, InvalidRequestError
from server.testing import RunningServer, reason, refused
from server.testing.bundles import TinyBundle

CLIPS = {clip.track_id: clip for clip in shipped_clips()}
SOME = ("jazz_vibeace_0", "classical_brahms_0", "km_sneaky_snitch", "cc0_loop_tabla")


def near(answer: GenreNeighbors) -> list[str]:
    return [neighbour.track_id for neighbour in answer.neighbors]


@pytest.mark.parametrize("track_id", SOME)
def test_a_track_has_genres_and_neighbours_other_than_itself(
    client: EncoreClient, track_id: str
) -> None:
    answer = client.genre_neighbor(track_id=track_id, k=8)
    assert answer.status is GenreStatus.OK
    assert math.fsum(g.probability for g in answer.genres) == pytest.approx(1.0, abs=1e-6)
    assert len(set(near(answer))) == 8
    assert track_id not in near(answer)
    assert set(near(answer)) < set(CLIPS)
    cosines = [neighbour.cosine for neighbour in answer.neighbors]
    assert cosines == sorted(cosines, reverse=True)
    assert answer.note
    assert answer.model_version == "v1"


@pytest.mark.parametrize("track_id", SOME)
def test_a_sound_is_its_own_recording_and_has_its_tracks_neighbours(
    client: EncoreClient, track_id: str
) -> None:
    answer = client.genre_neighbor(audio=CLIPS[track_id].path, k=3)
    assert answer.same_recording_ids == (track_id,)
    by_id = client.genre_neighbor(track_id=track_id, k=3)
    assert near(answer) == near(by_id)
    assert answer.genres[0].genre == by_id.genres[0].genre
    assert by_id.same_recording_ids == ()


def test_genres_without_labels_are_tags_and_the_note_says_so(client: EncoreClient) -> None:
    answer = client.genre_neighbor(track_id="jazz_trumpet_0")
    assert answer.genres[0].genre == "jazz"
    assert "no model was fitted to labels" in answer.note


def test_moods_and_instruments_are_heard(client: EncoreClient) -> None:
    answer = client.genre_neighbor(track_id="folk_fishin_0")
    for tags in (answer.moods, answer.instruments):
        probabilities = [tag.probability for tag in tags]
        assert probabilities == sorted(probabilities, reverse=True)
    assert {"happy", "sad"} <= {mood.tag for mood in answer.moods}
    assert {"guitar", "acoustic"} <= {instrument.tag for instrument in answer.instruments}


def test_neighbours_of_the_same_genre(client: EncoreClient) -> None:
    answer = client.genre_neighbor(track_id="jazz_vibeace_0", k=5, same_genre=True)
    assert {neighbour.genre for neighbour in answer.neighbors} == {"jazz"}


@pytest.mark.parametrize("known", [True, False])
def test_a_track_without_sound_is_an_answer(
    client: EncoreClient, tiny_music: TinyBundle, known: bool
) -> None:
    answer = client.genre_neighbor(track_id=tiny_music.objects[0] if known else "never heard of")
    assert answer.status is GenreStatus.TRACK_WITHOUT_AUDIO
    assert (answer.genres, answer.neighbors) == ((), ())
    assert (answer.moods, answer.instruments, answer.same_recording_ids) == ((), (), ())


@pytest.mark.parametrize("kind", ["text", "half a file", "header only", "silence of no length"])
def test_what_is_no_sound_is_refused_and_the_next_call_is_served(
    encore: RunningServer, client: EncoreClient, kind: str
) -> None:
    whole = CLIPS["km_hustle"].path.read_bytes()
    audio = {
        "text": b"this is not a sound file, whatever it says",
        "half a file": whole[100 : len(whole) // 2],
        "header only": whole[:60],
        "silence of no length": b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"
        b"\x44\xac\x00\x00\x88\x58\x01\x00\x02\x00\x10\x00data\x00\x00\x00\x00",
    }[kind]
    with pytest.raises(InvalidRequestError) as refusal:
        client.genre_neighbor(audio=audio)
    assert [v.field for v in refusal.value.violations] == ["audio"]
    assert encore.health() == "SERVING"
    assert client.genre_neighbor(track_id="km_hustle").status is GenreStatus.OK


def test_a_domain_without_sound_says_why(encore: RunningServer) -> None:
    request = pb.GenreNeighborRequest(domain="shopping", track_id="x")
    error = refused("UNIMPLEMENTED", lambda: encore.api.GenreNeighbor(request))
    assert reason(error) == "CAPABILITY_MISSING"
    assert "its objects have no sound" in str(error.details())
