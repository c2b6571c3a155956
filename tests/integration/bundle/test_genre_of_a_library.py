"""From a directory of audio and a CSV of labels to answers: `encore genre train`, then a bundle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.engine import load_bundle
from domains import DOMAINS
from domains.music.audio.clips import CLIPS_DIRECTORY
from encore_client import NO_RETRIES, ClientOptions, EncoreClient, GenreStatus
from server.cli import app
from server.testing import ManualClock
from server.testing.bundles import TinyBundle, serving_bundles, train_tiny_bundle

LABELS = {
    "classical_brahms_0": ("classical", "Brahms"),
    "classical_sugarplum_0": ("classical", "Tchaikovsky"),
    "jazz_trumpet_0": ("jazz", "sorohanro"),
    "jazz_vibeace_0": ("jazz|lounge", "MacLeod"),
}
UNLABELLED = ("km_scheming_weasel",)
COPY = "copies/trumpet again"
DAY_S = 86_400.0


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five clips, one of them twice, and a file that is no music."""
    directory = tmp_path_factory.mktemp("audio")
    for name in (*LABELS, *UNLABELLED):
        shutil.copy(CLIPS_DIRECTORY / f"{name}.ogg", directory)
    (directory / "copies").mkdir()
    shutil.copy(CLIPS_DIRECTORY / "jazz_trumpet_0.ogg", directory / f"{COPY}.ogg")
    (directory / "letter.mp3").write_text("Dear listener, this is no music.")
    rows = [f"{name}.ogg,{genre},{artist}\n" for name, (genre, artist) in LABELS.items()]
    (directory / "labels.csv").write_text("file,genre,artist\n" + "".join(rows), encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("library") / "sounds"


@pytest.fixture(scope="module")
def trained(audio: Path, library: Path) -> dict[str, Any]:
    """What `encore genre train` says of the library."""
    options = ["--audio", str(audio), "--labels", str(audio / "labels.csv"), "--out", str(library)]
    result = CliRunner().invoke(app, ["genre", "train", *options, "--workers", "1", "--json"])
    assert result.exit_code == 0, result.output
    content: dict[str, Any] = json.loads(result.stdout)
    return content


@pytest.fixture(scope="module")
def bundle(
    trained: dict[str, Any], library: Path, tmp_path_factory: pytest.TempPathFactory
) -> TinyBundle:
    assert trained["library"] == str(library)
    return train_tiny_bundle(tmp_path_factory.mktemp("bundles"), "music", sounds=library)


@pytest.fixture(scope="module")
def client(bundle: TinyBundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EncoreClient]:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/encore.sqlite3"
    clock = ManualClock(bundle.end_s + DAY_S)
    with (
        serving_bundles(bundle.root, url, clock) as encore,
        EncoreClient(
            f"127.0.0.1:{encore.ports.api}",
            domain="music",
            options=ClientOptions(retry=NO_RETRIES),
        ) as connected,
    ):
        yield connected


def test_training_tells_what_was_heard_and_how_far_the_model_can_be_believed(
    trained: dict[str, Any],
) -> None:
    assert trained["tracks"] == 6
    assert [failed["file"] for failed in trained["failed"]] == ["letter.mp3"]
    assert trained["genres"] == ["classical", "jazz", "lounge"]
    assert trained["several"]
    report = trained["report"]
    assert (report["n_tracks"], report["n_groups"], report["n_tested"]) == (4, 4, 3)
    assert report["untested_genres"] == ["lounge"]
    assert trained["note"].startswith("Demonstration only: fitted on 4 labelled tracks of 4")


def test_genres_are_those_of_the_labels(client: EncoreClient, trained: dict[str, Any]) -> None:
    answer = client.genre_neighbor(track_id="jazz_vibeace_0", k=10)
    assert answer.status is GenreStatus.OK
    assert sorted(genre.genre for genre in answer.genres) == trained["genres"]
    assert answer.note == trained["note"]
    assert answer.moods
    assert answer.instruments


def test_a_copy_is_named_and_is_no_neighbour(client: EncoreClient) -> None:
    by_track = client.genre_neighbor(track_id="jazz_trumpet_0", k=10)
    assert by_track.same_recording_ids == (COPY,)
    by_audio = client.genre_neighbor(audio=CLIPS_DIRECTORY / "jazz_trumpet_0.ogg", k=10)
    assert sorted(by_audio.same_recording_ids) == [COPY, "jazz_trumpet_0"]
    others = sorted({*LABELS, *UNLABELLED} - {"jazz_trumpet_0"})
    for answer in (by_track, by_audio):
        assert sorted(neighbour.track_id for neighbour in answer.neighbors) == others


def test_neighbours_of_the_same_genre_have_it_by_label(client: EncoreClient) -> None:
    answer = client.genre_neighbor(track_id="classical_brahms_0", k=10, same_genre=True)
    assert "classical_sugarplum_0" in {neighbour.track_id for neighbour in answer.neighbors}
    assert {neighbour.genre for neighbour in answer.neighbors} == {"classical"}


def test_a_clip_that_ships_with_encore_is_not_in_this_bundle(client: EncoreClient) -> None:
    answer = client.genre_neighbor(track_id="km_hustle")
    assert answer.status is GenreStatus.TRACK_WITHOUT_AUDIO


def test_the_bundle_holds_all_that_it_answers_with(bundle: TinyBundle, library: Path) -> None:
    away = library.with_name("elsewhere")
    library.rename(away)
    try:
        genre = load_bundle(bundle.directory, DOMAINS["music"]).genre
        assert genre is not None
        answer = genre.by_track("jazz_vibeace_0", 1, same_genre=True, pool_ids=None)
        assert answer.neighbours[0][2] in {"jazz", "lounge"}
    finally:
        away.rename(library)


def test_training_again_hears_nothing_anew_and_fits_the_same(
    audio: Path, library: Path, trained: dict[str, Any]
) -> None:
    before = {path.name: path.read_bytes() for path in (library / "genre").iterdir()}
    options = ["--audio", str(audio), "--labels", str(audio / "labels.csv"), "--out", str(library)]
    result = CliRunner().invoke(app, ["genre", "train", *options])
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert "6 tracks heard, 1 failed" in said
    assert trained["note"] in said
    assert {path.name: path.read_bytes() for path in (library / "genre").iterdir()} == before
