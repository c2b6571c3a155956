"""ListenBrainz listens as JSON lines."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidDataError
from core.log import UNKNOWN_LABEL, EventLog
from domains.music.readers import listenbrainz

START = 1_700_000_000
DAY = 86400


def listen(at: object = START, user: str | None = "rob", **track: object) -> str:
    metadata = {"artist_name": "Rick Astley", "track_name": "Never Gonna", **track}
    document: dict[str, object] = {"listened_at": at, "track_metadata": metadata}
    if user is not None:
        document["user_name"] = user
    return json.dumps(document)


def read(directory: Path, *lines: str, name: str = "listens.jsonl") -> EventLog:
    (directory / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return listenbrainz.read(directory)


def test_every_listen_is_an_event_and_labels_are_left_to_returns(tmp_path: Path) -> None:
    log = read(tmp_path, listen(START + DAY), listen(START), listen(START + 40 * DAY, user="ann"))
    assert log.time_s.tolist() == [START, START + DAY, START + 40 * DAY]
    assert log.is_example.tolist() == [True, False, True]
    assert (log.labels == UNKNOWN_LABEL).all()
    assert (log.matures_at_s - log.time_s == 30 * DAY).all()
    assert log.users.ids == ("rob", "ann")


def test_a_track_is_known_by_mbid_then_msid_then_a_hash_of_its_names(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        listen(START, mbid_mapping={"recording_mbid": "M1"}),
        listen(START + 1, additional_info={"recording_mbid": "m1"}),
        listen(START + 2, recording_msid="S2"),
        listen(START + 3, additional_info={"recording_msid": "s2"}),
        listen(START + 4),
        listen(START + 5, artist_name="rick astley"),
        listen(START + 6, track_name="Together"),
    )
    ids = [log.objects.ids[i] for i in log.object_index]
    assert ids[:4] == ["m1", "m1", "s2", "s2"]
    assert ids[4] == ids[5] != ids[6]


def test_what_listens_say_of_a_track_becomes_its_catalogue(tmp_path: Path) -> None:
    info = {"recording_mbid": "m", "duration_ms": 222000, "isrc": "GBARL0700477"}
    log = read(
        tmp_path,
        listen(START, artist_name="A feat. B", additional_info=info),
        listen(START + 1, artist_name="A feat. B", additional_info={"recording_mbid": "m"}),
    )
    values = {name: column[0] for name, column in log.objects.columns.items()}
    assert log.objects.titles == ("Never Gonna",)
    assert (values["artist"], values["artist_count"], values["is_featured"]) == ("A", 2, 1)
    assert (values["isrc_country"], values["release_year"]) == ("GB", 2007)
    assert values["length_s"] == 222


def test_later_listens_tell_nothing_about_a_track(tmp_path: Path) -> None:
    """That somebody listens again, with a client that tells more, is what is to be predicted."""
    known = {"recording_mbid": "m", "duration_ms": 222000, "isrc": "GBARL0700477"}
    first = listen(START, artist_name="A", additional_info={"recording_mbid": "m"})
    (tmp_path / "early").mkdir()
    (tmp_path / "both").mkdir()
    early = read(tmp_path / "early", first)
    both = read(tmp_path / "both", first, listen(START + 1, additional_info=known))
    for name, column in early.objects.columns.items():
        np.testing.assert_array_equal(both.objects.columns[name][:1], column)


def test_a_mapped_artist_credit_knows_where_names_end(tmp_path: Path) -> None:
    artists = [{"artist_credit_name": "Earth, Wind & Fire", "join_phrase": ""}]
    log = read(
        tmp_path,
        listen(artist_name="Earth, Wind & Fire", mbid_mapping={"artists": artists}),
    )
    assert log.objects.columns["artist"][0] == "Earth, Wind & Fire"
    assert log.objects.columns["artist_count"][0] == 1
    assert log.objects.columns["is_featured"][0] == 0


def test_a_personal_export_is_one_users_log_in_folders(tmp_path: Path) -> None:
    folder = tmp_path / "listens" / "2023"
    folder.mkdir(parents=True)
    (folder / "10.jsonl").write_text(listen(START, user=None) + "\n")
    (folder / "11.jsonl.gz").write_bytes(gzip.compress(listen(START + 1, user=None).encode()))
    (tmp_path / "feedback.jsonl").write_text('{"score": 1}\n')
    log = listenbrainz.read(tmp_path)
    assert log.users.ids == ("exporter",)
    assert len(log) == 2
    assert any("names its user" in note for note in log.notes)
    (tmp_path / "user.json").write_text('{"user_id": 7, "username": "rob"}\n')
    assert listenbrainz.read(tmp_path).users.ids == ("rob",)
    (tmp_path / "user.json").write_text('{"user_id"')
    with pytest.raises(InvalidDataError, match=r"user.json: not a JSON document"):
        listenbrainz.read(tmp_path)


def test_a_dump_is_read_from_its_folder_of_listens(tmp_path: Path) -> None:
    folder = tmp_path / "listenbrainz-dump-1-full" / "listens" / "2023"
    folder.mkdir(parents=True)
    (folder / "10.listens").write_text(listen(START) + "\n" + listen(5) + "\n")
    with pytest.raises(InvalidDataError, match=r"full/listens/2023/10.listens:2: listened_at is 5"):
        listenbrainz.read(tmp_path)


@pytest.mark.parametrize("duration", ["unknown", -5, None, True, [1], 10**400])
def test_a_senseless_duration_is_absent(tmp_path: Path, duration: object) -> None:
    log = read(tmp_path, listen(additional_info={"duration_ms": duration}))
    lengths = log.objects.columns["length_s"].astype(float)
    assert np.isnan(lengths[0])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"listened_at": 17', "not a JSON document"),
        ("[]", "track_metadata is missing"),
        ('{"listened_at": 1700000000}', "track_metadata is missing"),
        (listen(None), "listened_at is None"),
        (listen("1700000000"), "listened_at is '1700000000'"),
        (listen(float("nan")), "listened_at is nan"),
        (listen(1_700_000_000_000), "listened_at is 1700000000000"),
        (listen(10**400), "listened_at is 1000"),
        (listen(5), "listened_at is 5"),
        (listen(track_name=""), "track_metadata.track_name is ''"),
        (listen(artist_name=7), "track_metadata.artist_name is 7"),
        (listen(user=None), "no user_name and no user_id"),
        ("9" * 5000, "not a JSON document"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        read(tmp_path, listen(), line, listen())
    assert caught.value.where == "listens.jsonl:2"
    assert problem in caught.value.problem


def test_other_encodings_cut_gzip_and_no_listens_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "listens.jsonl"
    path.write_bytes(listen().encode() + b"\n\xff\xfe\n")
    with pytest.raises(InvalidDataError, match=r"listens.jsonl:2: the line is not UTF-8"):
        listenbrainz.read(tmp_path)
    path.write_text("\n")
    with pytest.raises(InvalidDataError, match="there are no listens"):
        listenbrainz.read(tmp_path)
    path.unlink()
    with pytest.raises(InvalidDataError, match="no listens"):
        listenbrainz.read(tmp_path)
    raw = gzip.compress("\n".join(listen(START + i) for i in range(2000)).encode())
    (tmp_path / "listens.jsonl.gz").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(InvalidDataError, match=r"listens.jsonl.gz: the gzip file is damaged"):
        listenbrainz.read(tmp_path)
