"""GenreNeighbor over the wire, in a domain that has sound and in one that has none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from encore.v1 import recommender_service_pb2 as pb
from server.serving import Capabilities
from server.testing import (
    FakeEngine,
    FakeGenre,
    Parts,
    RunningServer,
    bad_fields,
    reason,
    refused,
    running_server,
)
from server.warmup import test_sound as a_wav_file


@pytest.fixture(scope="module")
def encore() -> Iterator[RunningServer]:
    engines = {name: FakeEngine(name) for name in ("music", "travel", "shopping")}
    sound = Capabilities(FakeGenre(), pools={"royalty_free": frozenset({"t02"})})
    silent = Capabilities(genre_missing="trips make no sound")
    parts = Parts(engines={**engines}, capabilities={"music": sound, "travel": silent})
    with running_server(parts) as running:
        yield running


def near(reply: pb.GenreNeighborResponse) -> list[str]:
    return [neighbour.track_id for neighbour in reply.neighbors]


def test_everything_heard_of_a_track_is_told(encore: RunningServer) -> None:
    reply = encore.api.GenreNeighbor(pb.GenreNeighborRequest(domain="music", track_id="t00"))
    assert reply.status == pb.GENRE_STATUS_OK
    assert [(g.genre, g.probability) for g in reply.genres] == [("rock", 0.75), ("jazz", 0.25)]
    assert [(n.track_id, n.cosine, n.genre) for n in reply.neighbors] == [
        ("t01", 0.9, "rock"),
        ("t02", 0.5, "jazz"),
    ]
    assert [(m.tag, m.probability) for m in reply.moods] == [
        ("happy", 0.5),
        ("sad", pytest.approx(0.1)),
    ]
    assert [i.tag for i in reply.instruments] == ["guitar"]
    assert list(reply.same_recording_ids) == ["t-copy"]
    assert (reply.note, reply.model_version) == ("two clips", "v1")


@pytest.mark.parametrize(
    ("narrowed", "expected"),
    [({"k": 1}, ["t01"]), ({"same_genre": True}, ["t01"]), ({"pool": "royalty_free"}, ["t02"])],
    ids=str,
)
def test_neighbours_can_be_narrowed(
    encore: RunningServer, narrowed: dict[str, object], expected: list[str]
) -> None:
    ask = pb.GenreNeighborRequest(domain="music", track_id="t00", **narrowed)  # type: ignore[arg-type]
    assert near(encore.api.GenreNeighbor(ask)) == expected


def test_a_sound_sent_along_is_heard(encore: RunningServer) -> None:
    ask = pb.GenreNeighborRequest(domain="music", audio=a_wav_file())
    assert near(encore.api.GenreNeighbor(ask)) == ["t01", "t02"]


def test_a_track_without_sound_is_no_error(encore: RunningServer) -> None:
    reply = encore.api.GenreNeighbor(pb.GenreNeighborRequest(domain="music", track_id="t24"))
    assert reply.status == pb.GENRE_STATUS_TRACK_WITHOUT_AUDIO
    told = (reply.genres, reply.neighbors, reply.moods, reply.instruments, reply.same_recording_ids)
    assert [len(part) for part in told] == [0] * 5


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (pb.GenreNeighborRequest(domain="music"), "query"),
        (pb.GenreNeighborRequest(domain="music", audio=b"MZ not a sound"), "audio"),
        (pb.GenreNeighborRequest(domain="music", audio=b"x" * (20 * 2**20 + 1)), "audio"),
        (pb.GenreNeighborRequest(domain="music", track_id=""), "track_id"),
        (pb.GenreNeighborRequest(domain="music", track_id="t00", k=101), "k"),
        (pb.GenreNeighborRequest(domain="music", track_id="t00", pool="x"), "pool"),
        (pb.GenreNeighborRequest(domain="opera", track_id="t00"), "domain"),
    ],
    ids=["nothing", "no sound", "too long", "no id", "too many", "no such pool", "no such domain"],
)
def test_malformed_questions_name_the_field(
    encore: RunningServer, ask: pb.GenreNeighborRequest, field: str
) -> None:
    error = refused("INVALID_ARGUMENT", lambda: encore.api.GenreNeighbor(ask))
    assert list(bad_fields(error)) == [field]


@pytest.mark.parametrize(
    ("domain", "why"), [("travel", "trips make no sound"), ("shopping", "objects have no sound")]
)
def test_a_domain_without_sound_says_why(encore: RunningServer, domain: str, why: str) -> None:
    ask = pb.GenreNeighborRequest(domain=domain, track_id="t00")
    error = refused("UNIMPLEMENTED", lambda: encore.api.GenreNeighbor(ask))
    assert reason(error) == "CAPABILITY_MISSING"
    assert why in str(error.details())
