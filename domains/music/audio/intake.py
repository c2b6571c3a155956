"""Audio from outside: decoded in processes that can be killed, so that no file harms the server."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from core.errors import NotReadyError
from domains.music.audio.decode import file_refused, file_unreadable, upload_refused
from domains.music.audio.decoder import (
    DEFAULT_LIMITS,
    FILE,
    UNREADABLE,
    UPLOAD,
    DecodeLimits,
    RefusedError,
    check_size,
)
from domains.music.audio.decoder_process import DecoderLostError, DecoderProcess, DecoderStartError


class _Slot:
    """A place for one process, which may not have been started."""

    def __init__(self) -> None:
        self.decoder: DecoderProcess | None = None

    def stop(self) -> None:
        if self.decoder is not None:
            self.decoder.stop()
            self.decoder = None


def _stop_all(slots: Iterable[_Slot]) -> None:
    for slot in slots:
        slot.stop()


class AudioIntake:
    """A pool of decoder processes, safe to call from several threads.

    Each process has one request at a time; callers beyond their number wait in line. The processes
    start when first needed, end with `close` or with this process, and one that is lost is replaced
    before its caller gets the error. Not to be used on both sides of a fork.
    """

    def __init__(
        self,
        limits: DecodeLimits = DEFAULT_LIMITS,
        n_processes: int | None = None,
        executable: str = sys.executable,
    ) -> None:
        """Start nothing yet.

        Args:
            limits: bounds of each piece of audio.
            n_processes: decoders at most; by default one for each core.
            executable: the Python that runs them.
        """
        self._limits = limits
        self._executable = executable
        self._n_processes = n_processes or os.cpu_count() or 1
        # Those that run lie on the right, where they are taken, so that none is started in vain.
        self._idle = deque(_Slot() for _ in range(self._n_processes))
        self._changed = threading.Condition()
        self._closed = False
        self._n_lost = 0
        # Of an intake that nobody closed: no child is left behind, and none is a zombie.
        weakref.finalize(self, _stop_all, self._idle)

    @property
    def limits(self) -> DecodeLimits:
        """Bounds of each piece of audio."""
        return self._limits

    @property
    def n_processes(self) -> int:
        """How many pieces are decoded at the same time."""
        return self._n_processes

    @property
    def n_lost(self) -> int:
        """How many processes died, or were killed, since the beginning."""
        return self._n_lost

    def idle_pids(self) -> tuple[int, ...]:
        """Return the processes that run and have nothing to do."""
        with self._changed:
            return tuple(slot.decoder.pid for slot in self._idle if slot.decoder is not None)

    def warm_up(self) -> None:
        """Start all processes at once and wait until each has answered; DecoderStartError."""
        with self._changed:
            self._check_open()
            slots = list(self._idle)
            self._idle.clear()
        try:
            for slot in slots:
                self._launch(slot)
            for slot in slots:
                self._await(slot)
        except DecoderStartError:
            for slot in slots:
                slot.stop()
            raise
        finally:
            for slot in slots:
                self._put_back(slot)

    def decode(self, audio: bytes) -> NDArray[np.float32]:
        """Decode an upload.

        Args:
            audio: one whole wav, flac, ogg (Vorbis, Opus) or mp3 file.

        Returns:
            As `decode_bytes`.

        Raises:
            InvalidRequestError: field `audio`, as `decode_bytes`, and if it takes too long or the
                decoder dies of it.
            DecoderStartError: if no decoder can be started.
            NotReadyError: after `close`.
        """
        try:
            check_size(len(audio), self._limits)
            _, answer = self._ask(UPLOAD, audio)
        except RefusedError as refusal:
            raise upload_refused(str(refusal)) from refusal
        except DecoderLostError as error:
            raise upload_refused(self._why(error)) from error
        if isinstance(answer, str):
            raise upload_refused(answer)
        return answer

    def decode_file(self, path: Path) -> NDArray[np.float32]:
        """Decode a file of the operator's own; the decoder reads it from disk.

        Args:
            path: a wav, flac, ogg or mp3 file of any size.

        Returns:
            As `decode_bytes`.

        Raises:
            InvalidDataError: if the file cannot be read, is not usable audio, takes too long or the
                decoder dies of it.
            DecoderStartError: if no decoder can be started.
            NotReadyError: after `close`.
        """
        try:
            status, answer = self._ask(FILE, os.fsencode(path.absolute()))
        except DecoderLostError as error:
            raise file_refused(path, self._why(error)) from error
        if isinstance(answer, str):
            raise (file_unreadable if status == UNREADABLE else file_refused)(path, answer)
        return answer

    def close(self) -> None:
        """Let what is being decoded finish, then end all processes; the second time does nothing.

        Callers in line, and all later ones, get NotReadyError.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(self._idle) == self._n_processes)
            for slot in self._idle:
                slot.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, kind: int, payload: bytes) -> tuple[int, NDArray[np.float32] | str]:
        slot = self._take()
        try:
            self._launch(slot)
            decoder = self._await(slot)
            try:
                return decoder.ask(kind, payload, self._limits.wall_seconds)
            except DecoderLostError:
                # Now, not when the next caller waits for it; that one will hear if it fails.
                with suppress(DecoderStartError):
                    self._launch(slot)
                    self._await(slot)
                raise
        finally:
            self._put_back(slot)

    def _take(self) -> _Slot:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._idle)
            self._check_open()
            return self._idle.pop()

    def _put_back(self, slot: _Slot) -> None:
        with self._changed:
            if slot.decoder is None:
                self._idle.appendleft(slot)
            else:
                self._idle.append(slot)
            self._changed.notify_all()

    def _launch(self, slot: _Slot) -> None:
        """See that a process is there, not yet that it answers."""
        if slot.decoder is not None and not slot.decoder.usable:
            slot.stop()
            with self._changed:
                self._n_lost += 1
        if slot.decoder is None:
            slot.decoder = DecoderProcess(self._limits, self._executable)

    def _await(self, slot: _Slot) -> DecoderProcess:
        """Wait for the first answer of a new process."""
        assert slot.decoder is not None
        try:
            slot.decoder.wait_until_ready()
        except DecoderStartError:
            slot.stop()
            raise
        return slot.decoder

    def _why(self, error: DecoderLostError) -> str:
        if error.overran:
            return (
                f"decoding it took longer than {self._limits.wall_seconds:g} s: "
                "send an excerpt, or export it anew"
            )
        return "the decoder could not survive it: export it anew, or in another format"

    def _check_open(self) -> None:
        if self._closed:
            raise NotReadyError("the audio intake is closed: the server is shutting down")


__all__ = ["DEFAULT_LIMITS", "AudioIntake", "DecodeLimits", "DecoderStartError"]
