"""`encore genre index` killed amid its work: what was written counts, nobody stays behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from domains.music.audio.clips import CLIPS_DIRECTORY
from domains.music.audio.library import SoundLibrary
from domains.music.audio.library.parts import part_paths

ROOT = Path(__file__).parents[2]
DEADLINE_S = 300.0
"""An index run that wrote nothing by then never will."""
CALL = """
import sys
from pathlib import Path
from domains.music.audio.library import update
if __name__ == "__main__":
    done = update(Path(sys.argv[1]), Path(sys.argv[2]), workers=2, part_tracks=4)
    print(done.heard, done.unchanged)
"""


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    directory = tmp_path / "audio"
    directory.mkdir()
    for path in sorted(CLIPS_DIRECTORY.glob("*.ogg"))[:24]:
        shutil.copy(path, directory)
    return directory


def start(audio: Path, library: Path) -> subprocess.Popen[str]:
    script = library.parent / "index.py"  # spawned workers import it: it must be a file
    script.write_text(CALL, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, script, audio, library],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def children(pid: int) -> set[int]:
    """Processes whose parent it is."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended meanwhile
        if parent == pid:
            found.add(int(path.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_killed_index_run_goes_on_where_it_was_and_leaves_no_worker_behind(
    audio: Path, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    killed = start(audio, library)
    assert killed.stdout is not None
    deadline = time.monotonic() + DEADLINE_S
    while not (library.is_dir() and len(part_paths(library)) >= 2):
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    workers = children(killed.pid)
    assert len(workers) >= 2
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    killed.stdout.close()
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    kept = SoundLibrary.open(library)
    assert 8 <= len(kept) < 24
    resumed = start(audio, library)
    said, _ = resumed.communicate(timeout=DEADLINE_S)
    assert resumed.returncode == 0
    assert said.split() == [str(24 - len(kept)), str(len(kept))]

    library_now = SoundLibrary.open(library)
    assert len(library_now) == 24
    for track_id, row in kept.rows.items():
        now = library_now.rows[track_id]
        assert (library_now.units[now] == kept.units[row]).all()
        assert (library_now.features[now] == kept.features[row]).all()
