"""`encore genre index`: from a directory of audio to a sound library and content vectors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import Result

from core.errors import EncoreError
from domains.music.audio.clips import shipped_clips
from domains.music.audio.library import SoundLibrary
from domains.music.audio.neighbours import TrackIndex

Encore = Callable[..., Result]
Plain = Callable[[str], str]
N_CLIPS = 8


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the shipped clips, and a file that is no music."""
    directory = tmp_path_factory.mktemp("audio")
    for clip in shipped_clips()[7 : 7 + N_CLIPS]:
        shutil.copy(clip.path, directory)
    (directory / "letter.mp3").write_text("Dear listener, this is no music.")
    return directory


def test_a_catalogue_is_indexed_once_and_its_neighbours_and_vectors_are_there(
    encore: Encore, plain: Plain, audio: Path, tmp_path: Path
) -> None:
    out, content = tmp_path / "library", tmp_path / "content.parquet"
    first = encore("genre", "index", "--audio", audio, "--out", out, "--content", content)
    assert first.exit_code == 0, first.output
    said = plain(first.stdout)
    assert f"holds {N_CLIPS} tracks" in said
    assert "letter.mp3: it is not wav, flac, ogg or mp3" in said
    assert "content vectors" in said

    again = encore("genre", "index", "--audio", audio, "--out", out, "--json")
    told = json.loads(again.stdout)
    assert (told["heard"], told["unchanged"], told["tracks"]) == (0, N_CLIPS + 1, N_CLIPS)
    assert [failure["file"] for failure in told["failed"]] == ["letter.mp3"]

    library = SoundLibrary.open(out)
    assert set(library.track_ids) == {path.stem for path in audio.glob("*.ogg")}
    index = TrackIndex.build(library.track_ids, library.features, library.units)
    rows, _ = index.search(index.track(index.rows["classical_brahms_0"])).nearest(1)
    assert library.track_ids[rows[0]] == "classical_brahms_1"

    table = pq.read_table(content)
    assert table.column_names == ["object_id", "vector"]
    assert table["object_id"].to_pylist() == list(library.track_ids)
    vectors = np.array(table["vector"].to_pylist(), np.float32)
    assert vectors.shape[1] <= 24
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--audio", "nowhere"), "no such directory"),
        (("--content", "vectors.csv"), "does not end in .parquet"),
        (("--content", "nowhere/vectors.parquet"), "there is no directory nowhere"),
        (("--ids", "nowhere.csv"), "cannot be read"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_heard(
    options: tuple[str, str], said: str, encore: Encore, audio: Path, tmp_path: Path
) -> None:
    result = encore("genre", "index", "--audio", audio, "--out", tmp_path / "library", *options)
    assert isinstance(result.exception, EncoreError), result.output
    assert result.exit_code == 1
    assert said in str(result.exception)
    assert not (tmp_path / "library").exists()
