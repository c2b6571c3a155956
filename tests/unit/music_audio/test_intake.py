from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InvalidDataError, InvalidRequestError, NotReadyError
from domains.music.audio import decoder
from domains.music.audio.clips import Clip
from domains.music.audio.decode import decode_bytes, decode_file
from domains.music.audio.decoder_process import DecoderStartError
from domains.music.audio.intake import AudioIntake, DecodeLimits

Encode = Callable[..., bytes]
Samples = NDArray[np.float64]


@pytest.fixture(scope="module")
def intake() -> Iterator[AudioIntake]:
    with AudioIntake(n_processes=2) as opened:
        yield opened


def violation(intake: AudioIntake, audio: bytes) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        intake.decode(audio)
    (found,) = caught.value.violations
    assert found.field == "audio"
    return found.description


@pytest.fixture(scope="session")
def costly(encode: Encode) -> bytes:
    """A small file of many samples: eight channels at the highest rate."""
    return encode(np.zeros((20 * 192_000, 8), np.int16), "FLAC", None, 192_000)


def test_samples_are_those_of_this_process(
    intake: AudioIntake, clips: tuple[Clip, ...], encode: Encode, tone: Samples
) -> None:
    for audio in (encode(tone, "FLAC"), encode(tone, rate=44_100), clips[0].path.read_bytes()):
        np.testing.assert_array_equal(intake.decode(audio), decode_bytes(audio))
    np.testing.assert_array_equal(intake.decode_file(clips[1].path), decode_file(clips[1].path))


@pytest.mark.parametrize("audio", [b"", b"a letter", b"fLaC" + bytes(500), b"PK\x03\x04"])
def test_refusals_are_those_of_this_process(intake: AudioIntake, audio: bytes) -> None:
    with pytest.raises(InvalidRequestError) as expected:
        decode_bytes(audio)
    assert violation(intake, audio) == expected.value.violations[0].description
    assert intake.n_lost == 0


def test_a_bad_file_is_named(intake: AudioIntake, tmp_path: Path) -> None:
    path = tmp_path / "bad.wav"
    with pytest.raises(InvalidDataError, match=r"bad\.wav: cannot be read \(No such file"):
        intake.decode_file(path)
    path.write_bytes(b"a letter")
    with pytest.raises(InvalidDataError, match=r"bad\.wav: it is not wav"):
        intake.decode_file(path)


def test_relative_and_unusual_paths_are_read(
    intake: AudioIntake, encode: Encode, tone: Samples, tmp_path: Path
) -> None:
    path = tmp_path / os.fsdecode(b"caf\xc3\xa9 \xff.wav")
    path.write_bytes(encode(tone))
    relative = Path(os.path.relpath(path))
    np.testing.assert_allclose(intake.decode_file(relative), tone, atol=1e-4)


def test_many_threads_get_their_own_answers(intake: AudioIntake, encode: Encode) -> None:
    seconds = np.linspace(1, 3, 24)
    files = [encode(np.sin(np.arange(int(s * 22_050))), "FLAC") for s in seconds]
    with ThreadPoolExecutor(8) as threads:
        lengths = [len(samples) for samples in threads.map(intake.decode, files)]
    assert lengths == [int(s * 22_050) for s in seconds]
    assert len(intake.idle_pids()) <= 2


def test_processes_start_when_first_needed_or_all_at_once(encode: Encode, tone: Samples) -> None:
    with AudioIntake(n_processes=3) as intake:
        assert intake.idle_pids() == ()
        intake.decode(encode(tone))
        intake.decode(encode(tone))
        assert len(intake.idle_pids()) == 1
        first = intake.idle_pids()
        intake.warm_up()
        assert len(intake.idle_pids()) == 3
        assert set(first) <= set(intake.idle_pids())


def test_by_default_there_is_a_process_for_each_core() -> None:
    assert AudioIntake().n_processes == os.cpu_count()


def test_a_file_that_takes_too_long_costs_its_decoder_and_nobody_else(costly: bytes) -> None:
    with AudioIntake(DecodeLimits(wall_seconds=0.05), n_processes=1) as intake:
        intake.warm_up()
        assert "longer than 0.05 s" in violation(intake, costly)
        assert intake.n_lost == 1
        assert len(intake.idle_pids()) == 1
    with pytest.raises(InvalidRequestError, match="silent"):
        decode_bytes(costly)  # given time it is decoded


def test_a_file_made_to_be_searched_for_long_is_given_up(clips: tuple[Clip, ...]) -> None:
    """What looks like the start of a page everywhere: seconds for a megabyte."""
    audio = clips[0].path.read_bytes()[:4_000] + b"OggS\0" * 400_000
    with AudioIntake(DecodeLimits(wall_seconds=0.2), n_processes=1) as intake:
        assert "longer than 0.2 s" in violation(intake, audio)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is not bounded")
def test_a_file_that_takes_too_much_memory_is_not_survived(
    costly: bytes, encode: Encode, tone: Samples, tmp_path: Path
) -> None:
    (tmp_path / "costly.flac").write_bytes(costly)
    with AudioIntake(DecodeLimits(max_memory_bytes=130_000_000), n_processes=1) as intake:
        assert "could not survive" in violation(intake, costly)
        with pytest.raises(InvalidDataError, match=r"costly\.flac: the decoder could not survive"):
            intake.decode_file(tmp_path / "costly.flac")
        assert intake.n_lost == 2
        assert len(intake.decode(encode(tone))) == len(tone)


@pytest.mark.parametrize("program", ["/nowhere/python", "/bin/false", "/bin/echo"])
def test_a_decoder_that_cannot_start_is_no_fault_of_the_audio(
    program: str, encode: Encode, tone: Samples
) -> None:
    with AudioIntake(n_processes=2, executable=program) as intake:
        for _ in range(3):
            with pytest.raises(DecoderStartError, match="install Encore's dependencies anew"):
                intake.decode(encode(tone))
        with pytest.raises(DecoderStartError):
            intake.warm_up()
        assert intake.idle_pids() == ()


def test_why_a_decoder_does_not_start_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encode: Encode, tone: Samples
) -> None:
    (tmp_path / "soxr.py").write_text("raise ImportError('libsoxr is gone')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        AudioIntake(n_processes=1) as intake,
        pytest.raises(DecoderStartError, match="ImportError: libsoxr is gone"),
    ):
        intake.warm_up()


def test_after_close_nothing_runs_and_nothing_is_decoded(encode: Encode, tone: Samples) -> None:
    intake = AudioIntake(n_processes=1)
    intake.decode(encode(tone))
    intake.close()
    intake.close()
    assert intake.idle_pids() == ()
    for call in (intake.warm_up, lambda: intake.decode(encode(tone))):
        with pytest.raises(NotReadyError):
            call()


def test_close_lets_a_decoder_finish_and_sends_those_in_line_away(costly: bytes) -> None:
    intake = AudioIntake(n_processes=1)
    intake.warm_up()
    answers: list[type[Exception]] = []

    def ask() -> None:
        try:
            intake.decode(costly)
        except (InvalidRequestError, NotReadyError) as error:
            answers.append(type(error))

    callers = [threading.Thread(target=ask) for _ in range(3)]
    for caller in callers:
        caller.start()
    while intake.idle_pids():
        pass
    intake.close()
    for caller in callers:
        caller.join()
    assert sorted(kind.__name__ for kind in answers) == [
        "InvalidRequestError",
        "NotReadyError",
        "NotReadyError",
    ]


def test_a_decoder_imports_nothing_of_encore_and_nothing_heavy() -> None:
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1]);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    printed = subprocess.run(
        [sys.executable, "-P", "-c", code, decoder.__file__],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    heavy = {"torch", "librosa", "scipy", "numba", "pandas", "sklearn"}
    assert not set(printed.split()) & {"core", "domains", "server", *heavy}
