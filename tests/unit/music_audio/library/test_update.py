from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import BundleError, InvalidDataError
from domains.music.audio.library import Description, SoundLibrary, describe_file
from domains.music.audio.library import compact as compacting
from domains.music.audio.library.lock import writing
from domains.music.audio.library.parts import part_paths, write_part
from tests.unit.music_audio.library.conftest import Catalogue

T = TypeVar("T")


def test_every_file_is_a_track_with_what_was_heard_of_it(catalogue: Catalogue) -> None:
    catalogue.put("b.mp3", content=b"1234567")
    catalogue.put("a/x.flac", content=b"123")
    done = catalogue.update()
    assert (done.heard, done.unchanged, done.removed, done.failed) == (2, 0, 0, ())
    library = SoundLibrary.open(catalogue.library)
    assert library.track_ids == ("a/x", "b")
    assert library.files == ("a/x.flac", "b.mp3")
    assert library.rows == {"a/x": 0, "b": 1}
    assert library.seconds.tolist() == [3.0, 7.0]
    assert library.features.shape == (2, 89)
    assert library.tags.shape == (2, 50)
    assert library.units.shape == (2, 200)
    assert library.features.dtype == library.tags.dtype == library.units.dtype == np.float32
    assert library.units[:, 0].tolist() == [3.0, 7.0]
    assert library.previews.tolist() == [[1_000, 15_000]] * 2


def test_a_second_run_hears_nothing_and_writes_nothing(catalogue: Catalogue) -> None:
    catalogue.put(*(f"{i}.ogg" for i in range(10)))
    catalogue.update()
    catalogue.heard_now()
    before = {path: path.stat().st_mtime_ns for path in part_paths(catalogue.library)}
    done = catalogue.update()
    assert (done.heard, done.unchanged) == (0, 10)
    assert catalogue.heard_now() == []
    assert {p: p.stat().st_mtime_ns for p in part_paths(catalogue.library)} == before


def test_only_new_and_changed_files_are_heard_and_removed_ones_leave(catalogue: Catalogue) -> None:
    catalogue.put("same.ogg", "longer.ogg", "touched.ogg", "gone.ogg")
    catalogue.update()
    catalogue.heard_now()
    catalogue.put("longer.ogg", content=b"sound and more")
    catalogue.touch("touched.ogg")
    catalogue.put("new.ogg")
    (catalogue.audio / "gone.ogg").unlink()
    done = catalogue.update()
    assert (done.heard, done.unchanged, done.removed) == (3, 1, 1)
    assert catalogue.heard_now() == ["longer.ogg", "new.ogg", "touched.ogg"]
    library = SoundLibrary.open(catalogue.library)
    assert library.track_ids == ("longer", "new", "same", "touched")
    assert library.seconds.tolist() == [14.0, 5.0, 5.0, 5.0]


def test_a_file_that_cannot_be_heard_is_named_each_time_and_retried_when_it_may_be_mended(
    catalogue: Catalogue,
) -> None:
    catalogue.put("good.ogg")
    catalogue.put("broken.ogg", content=b"bad")
    failure = (("broken.ogg", "it is no music. Replace the file."),)
    done = catalogue.update()
    assert (done.heard, done.failed) == (1, failure)
    library = SoundLibrary.open(catalogue.library)
    assert (library.track_ids, library.errors) == (("good",), failure)
    catalogue.heard_now()

    assert catalogue.update().failed == failure
    assert catalogue.heard_now() == []
    assert catalogue.update(retry_failed=True).failed == failure
    assert catalogue.heard_now() == ["broken.ogg"]

    catalogue.put("broken.ogg", content=b"mended")
    assert catalogue.update().failed == ()
    library = SoundLibrary.open(catalogue.library)
    assert (library.track_ids, library.errors) == (("broken", "good"), ())


def test_a_catalogue_none_of_whose_files_can_be_heard_is_an_empty_library(
    catalogue: Catalogue,
) -> None:
    catalogue.put("a.ogg", "b.ogg", content=b"bad")
    assert len(catalogue.update().failed) == 2
    library = SoundLibrary.open(catalogue.library)
    assert (len(library), library.units.shape, len(library.errors)) == (0, (0, 200), 2)


def test_other_ids_are_taken_over_without_hearing_anything_again(catalogue: Catalogue) -> None:
    catalogue.put("a.ogg", "b.ogg", "c.ogg")
    catalogue.update()
    catalogue.heard_now()
    done = catalogue.update(ids={"a.ogg": "track 9", "b.ogg": "track 1", "lost.ogg": "track 2"})
    assert (done.heard, done.unchanged, done.removed, done.unlisted) == (0, 2, 1, 1)
    assert done.failed == (("lost.ogg", "is listed and not there: restore it or leave it out."),)
    assert catalogue.heard_now() == []
    library = SoundLibrary.open(catalogue.library)
    assert dict(zip(library.track_ids, library.files, strict=True)) == {
        "track 1": "b.ogg",
        "track 9": "a.ogg",
    }


def test_small_parts_become_one_and_full_ones_are_left_alone(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compacting, "FULL_PART_TRACKS", 8)
    catalogue.put(*(f"{i}.ogg" for i in range(10)))
    catalogue.update()  # of 4, 4 and 2 tracks
    full, rest = part_paths(catalogue.library)
    assert full.name.startswith("part-000004-")
    assert rest.name.startswith("part-000005-")
    assert pq.read_metadata(full).num_rows == 8
    catalogue.put("new.ogg")
    catalogue.update()
    assert full.exists()
    assert len(catalogue.parts()) == 2
    catalogue.audio.joinpath("new.ogg").unlink()
    catalogue.update()
    assert len(SoundLibrary.open(catalogue.library)) == 10


def test_the_order_of_hearing_does_not_show(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Catalogue(tmp_path / "other")
    for name in "dcba":
        catalogue.put(f"{name}.ogg", content=name.encode() * ord(name))
        catalogue.update()
    for name in "abcd":
        other.put(f"{name}.ogg", content=name.encode() * ord(name))
    other.update(workers=3)
    mine, theirs = SoundLibrary.open(catalogue.library), SoundLibrary.open(other.library)
    assert mine.track_ids == theirs.track_ids
    np.testing.assert_array_equal(mine.units, theirs.units)


def test_progress_rises_to_one(catalogue: Catalogue) -> None:
    catalogue.put(*(f"{i}.ogg" for i in range(4)))
    shares: list[float] = []
    catalogue.update(progress=shares.append)
    assert shares == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


def test_what_was_heard_before_an_interruption_is_kept(catalogue: Catalogue) -> None:
    catalogue.put(*(f"{i}.ogg" for i in range(9)))

    def interrupt(share: float) -> None:
        if share > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalogue.update(progress=interrupt, workers=1)
    kept = SoundLibrary.open(catalogue.library)
    assert len(kept) == 6
    assert catalogue.update().heard == 3


def test_a_compaction_that_was_cut_short_leaves_each_track_once(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue.put(*(f"{i}.ogg" for i in range(10)))

    def die(path: Path, *_: object, **__: object) -> None:
        if path.suffix == ".parquet":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", die)
        with pytest.raises(KeyboardInterrupt):
            catalogue.update()
    assert len(catalogue.parts()) == 4
    assert len(SoundLibrary.open(catalogue.library)) == 10
    done = catalogue.update()
    assert (done.heard, done.unchanged) == (0, 10)
    assert len(catalogue.parts()) == 1


def test_a_part_that_was_not_finished_is_no_part_of_the_library(catalogue: Catalogue) -> None:
    catalogue.put("a.ogg")
    catalogue.update()
    (catalogue.library / ".part.tmp").write_bytes(b"half a part")
    assert len(SoundLibrary.open(catalogue.library)) == 1
    catalogue.update()
    assert not (catalogue.library / ".part.tmp").exists()


@pytest.mark.parametrize("damage", ["cut", "emptied"])
def test_a_damaged_part_is_refused_by_name_and_deleting_it_mends_the_library(
    damage: str, catalogue: Catalogue
) -> None:
    catalogue.put(*(f"{i}.ogg" for i in range(3)))
    catalogue.update()
    (part,) = part_paths(catalogue.library)
    part.write_bytes(part.read_bytes()[:-9] if damage == "cut" else b"")
    for call in (catalogue.update, lambda: SoundLibrary.open(catalogue.library)):
        with pytest.raises(BundleError, match=rf"{part.name} is damaged: delete it and index"):
            call()
    part.unlink()
    assert catalogue.update().heard == 3


def test_a_single_wrong_byte_is_noticed(catalogue: Catalogue) -> None:
    catalogue.put("a.ogg", "b.ogg")
    catalogue.update()
    (part,) = part_paths(catalogue.library)
    intact = part.read_bytes()
    for place in range(0, len(intact), 97):
        content = bytearray(intact)
        content[place] ^= 0x10
        part.write_bytes(content)
        with pytest.raises(BundleError, match=rf"{part.name} is damaged"):
            SoundLibrary.open(catalogue.library)


def test_a_library_that_other_code_described_is_refused_with_what_differs(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue.put("a.ogg")
    catalogue.update()
    monkeypatch.setattr("domains.music.audio.library.parts.N_WINDOWS", 7)
    for call in (catalogue.update, lambda: SoundLibrary.open(catalogue.library)):
        with pytest.raises(BundleError, match=r"differs in windows\): index .* new directory"):
            call()


def test_a_parquet_file_of_someone_else_is_refused(catalogue: Catalogue) -> None:
    catalogue.library.mkdir()
    write_part(catalogue.library, pa.table({"a": [1]}))
    with pytest.raises(BundleError, match="described by other code"):
        SoundLibrary.open(catalogue.library)


def test_a_directory_without_a_library_says_how_to_make_one(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "not there"):
        with pytest.raises(InvalidDataError, match=r"no sound library in it\. Make one with"):
            SoundLibrary.open(directory)


def test_a_second_writer_is_refused_and_told_who_the_first_is(catalogue: Catalogue) -> None:
    catalogue.put("a.ogg")
    catalogue.library.mkdir()
    with (
        writing(catalogue.library),
        pytest.raises(InvalidDataError, match=f"process {os.getpid()} is writing to it"),
    ):
        catalogue.update()
    assert catalogue.update().heard == 1


def test_the_lock_of_a_writer_that_died_holds_nobody_up(catalogue: Catalogue) -> None:
    catalogue.put("a.ogg")
    catalogue.library.mkdir()
    code = (
        "import os, sys; from pathlib import Path\n"
        "from domains.music.audio.library.lock import writing\n"
        "with writing(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    died = subprocess.run([sys.executable, "-c", code, catalogue.library], check=False)
    assert died.returncode == -9
    assert (catalogue.library / "writer.lock").exists()
    assert catalogue.update().heard == 1


class DyingPool(Executor):
    """One worker: dies of files that are named so, and takes along what waits behind them."""

    def __init__(self) -> None:
        self._dead = False

    def submit(self, fn: Callable[..., T], /, *arguments: object, **options: object) -> Future[T]:
        future: Future[T] = Future()
        self._dead = self._dead or "deadly" in str(arguments[0])
        if self._dead:
            future.set_exception(BrokenProcessPool("died"))
        else:
            future.set_result(fn(*arguments, **options))
        return future


def test_a_file_that_kills_its_worker_is_named_and_costs_no_other_track(
    catalogue: Catalogue,
) -> None:
    @contextmanager
    def pool(workers: int) -> Iterator[Executor]:
        yield DyingPool()

    catalogue.put("a.ogg", "b deadly.ogg", "c.ogg", "d deadly.ogg", *(f"{i}.ogg" for i in range(9)))
    done = catalogue.update(pool=pool, workers=3)
    assert done.heard == 11
    assert [file for file, _ in done.failed] == ["b deadly.ogg", "d deadly.ogg"]
    assert {reason for _, reason in done.failed} == {
        "the process that was decoding it died. Convert it to another format."
    }


def test_a_full_disk_is_said_and_what_was_written_stays(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue.put("a.ogg")
    catalogue.update()
    catalogue.put("b.ogg")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full)
        with pytest.raises(InvalidDataError, match=r"No space left on device\). Make room"):
            catalogue.update()
    assert SoundLibrary.open(catalogue.library).track_ids == ("a",)
    assert catalogue.update().heard == 1


def test_a_real_listener_says_why_of_every_bad_file(tmp_path: Path) -> None:
    for name, content in (("empty.wav", b""), ("text.mp3", b"no music"), ("cut.ogg", b"OggS" * 9)):
        (tmp_path / name).write_bytes(content)
        answer = describe_file(tmp_path / name)
        assert isinstance(answer, str)
        assert "Replace the file" in answer
    assert "cannot be read" in str(describe_file(tmp_path / "gone.wav"))
    assert not isinstance(describe_file(tmp_path / "gone.wav"), Description)
