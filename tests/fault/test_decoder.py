"""Decoders killed, stopped and orphaned: the caller is told, the next one is served."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.errors import InvalidRequestError
from domains.music.audio import decoder
from domains.music.audio.intake import AudioIntake, DecodeLimits

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
"""What has not happened by then never will."""


def tone(seconds: int = 2) -> bytes:
    stream = io.BytesIO()
    wave = 0.5 * np.sin(np.arange(seconds * 22_050))
    soundfile.write(stream, wave, 22_050, format="FLAC")
    return stream.getvalue()


def exists(pid: int, zombies: bool) -> bool:
    """Whether the system still lists the process, be it as a zombie."""
    if sys.platform == "linux":  # where small images lack `ps`
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2]
        except (FileNotFoundError, ProcessLookupError):
            return False
    else:
        command = ["ps", "-o", "stat=", "-p", str(pid)]
        state = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return bool(state) and (zombies or not state.startswith("Z"))


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_until_gone(pids: Iterable[int]) -> None:
    # Orphans are collected by the system's first process, which is not our concern.
    wait_for(lambda: not any(exists(pid, zombies=False) for pid in pids))


def asked_while_stopped(intake: AudioIntake, then: int | None) -> tuple[int, str]:
    """Stop the only decoder, ask it, and send it a signal meanwhile: its number, what is said."""
    (pid,) = intake.idle_pids()
    os.kill(pid, signal.SIGSTOP)
    said: list[str] = []

    def ask() -> None:
        try:
            intake.decode(tone())
            said.append("decoded")
        except InvalidRequestError as error:
            said.append(str(error))

    caller = threading.Thread(target=ask)
    caller.start()
    wait_for(lambda: not intake.idle_pids())
    if then is not None:
        time.sleep(0.1)  # let the request be under way
        os.kill(pid, then)
    caller.join()
    return pid, said[0]


def test_a_decoder_killed_at_work_is_told_and_replaced() -> None:
    with AudioIntake(n_processes=1) as intake:
        intake.warm_up()
        killed, said = asked_while_stopped(intake, then=signal.SIGKILL)
        assert "audio: the decoder could not survive it" in said
        assert not exists(killed, zombies=True)
        assert intake.idle_pids() not in ((), (killed,))
        assert len(intake.decode(tone())) == 2 * 22_050
        assert intake.n_lost == 1


def test_a_stopped_decoder_is_killed_at_the_limit_and_replaced() -> None:
    with AudioIntake(DecodeLimits(wall_seconds=1.0), n_processes=1) as intake:
        intake.warm_up()
        stopped, said = asked_while_stopped(intake, then=None)
        assert "audio: decoding it took longer than 1 s" in said
        assert not exists(stopped, zombies=True)
        assert len(intake.decode(tone())) == 2 * 22_050


def test_an_upload_that_nobody_reads_does_not_block_for_ever() -> None:
    """More bytes than a pipe holds, and a decoder that does not take them."""
    with AudioIntake(DecodeLimits(wall_seconds=1.0), n_processes=1) as intake:
        intake.warm_up()
        os.kill(intake.idle_pids()[0], signal.SIGSTOP)
        with pytest.raises(InvalidRequestError, match="longer than 1 s"):
            intake.decode(tone() + bytes(5_000_000))


def test_a_decoder_that_died_idle_is_replaced_without_the_caller_noticing() -> None:
    with AudioIntake(n_processes=1) as intake:
        intake.warm_up()
        (pid,) = intake.idle_pids()
        os.kill(pid, signal.SIGKILL)
        wait_until_gone([pid])
        assert len(intake.decode(tone())) == 2 * 22_050


def test_a_decoder_told_to_end_still_serves_a_server_that_drains() -> None:
    with AudioIntake(n_processes=1) as intake:
        intake.warm_up()
        (pid,) = intake.idle_pids()
        for told in (signal.SIGTERM, signal.SIGINT):
            os.kill(pid, told)
        assert len(intake.decode(tone())) == 2 * 22_050
        assert intake.n_lost == 0


def test_close_leaves_nothing_behind_not_even_of_a_stopped_decoder() -> None:
    intake = AudioIntake(n_processes=3)
    intake.warm_up()
    pids = intake.idle_pids()
    os.kill(pids[0], signal.SIGSTOP)
    intake.close()
    assert not any(exists(pid, zombies=True) for pid in pids)


PARENT = """
import sys, time
from domains.music.audio.intake import AudioIntake
intake = AudioIntake(n_processes=2)
intake.warm_up()
print(*intake.idle_pids(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_decoders_die_with_their_parent(death: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(death)
    wait_until_gone(pids)


def test_a_decoder_in_an_endless_loop_whose_parent_died_ends_itself() -> None:
    """A request whose payload never comes stands for the loop."""
    limits = DecodeLimits(wall_seconds=-0.9)  # a tenth of a second after the parent's kill
    with subprocess.Popen(
        [sys.executable, "-P", decoder.__file__, json.dumps(asdict(limits))],
        stdin=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(decoder.FRAME.pack(decoder.UPLOAD, 1_000))
        process.stdin.flush()
        assert process.wait(PATIENCE_S) == -signal.SIGALRM


def test_however_many_die_one_is_left() -> None:
    with AudioIntake(n_processes=1) as intake:
        pids = set[int]()
        for _ in range(10):
            intake.warm_up()
            (pid,) = intake.idle_pids()
            pids.add(pid)
            os.kill(pid, signal.SIGKILL)
            with suppress(InvalidRequestError):  # it may be noticed before or amid the request
                intake.decode(tone())
        (last,) = intake.idle_pids()
        assert [pid for pid in pids | {last} if exists(pid, zombies=True)] == [last]


def test_under_a_hail_of_kills_each_caller_gets_its_own_answer_or_a_refusal() -> None:
    seconds = (1, 2, 3, 4)
    files = [tone(length) for length in seconds]
    lengths: list[tuple[int, int]] = []
    refusals: list[str] = []
    with AudioIntake(n_processes=2) as intake:

        def ask(who: int) -> None:
            for _ in range(30):
                try:
                    lengths.append((len(intake.decode(files[who])), seconds[who] * 22_050))
                except InvalidRequestError as error:
                    refusals.append(str(error))

        callers = [threading.Thread(target=ask, args=(who,)) for who in range(len(files))]
        for caller in callers:
            caller.start()
        while any(caller.is_alive() for caller in callers):
            for pid in intake.idle_pids():  # some are asked meanwhile
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        assert len(lengths) + len(refusals) == 30 * len(files)
        assert all(got == expected for got, expected in lengths)
        assert all("could not survive" in said for said in refusals)
        intake.warm_up()
        assert len(intake.idle_pids()) == 2
