"""One decoder process as its parent sees it: started, asked, killed when it takes too long."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import EncoreError, NotReadyError
from domains.music.audio import decoder
from domains.music.audio.decoder import DecodeLimits

START_SECONDS = 60.0
"""A process that does not answer by then never will."""

_SCRIPT = Path(decoder.__file__)
_ENVIRONMENT = (
    *("PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "HOME", "LANG", "LC_ALL"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR"),
)
"""What a decoder is told of the environment: enough to start, and none of the server's secrets."""
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_MAX_TEXT_BYTES = 10_000


class DecoderStartError(NotReadyError):
    """No decoder process can be started; nothing is wrong with the audio."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"a decoder process cannot be started ({problem}): install Encore's dependencies anew, "
            "and see that memory and the number of processes are not exhausted"
        )


class DecoderLostError(EncoreError):
    """The process ended, or was killed, before it had answered."""

    def __init__(self, overran: bool) -> None:
        self.overran = overran
        """Whether it was killed for taking too long."""
        super().__init__("the decoder process " + ("took too long" if overran else "ended"))


class DecoderProcess:
    """A running decoder; for one request at a time, and of no use after DecoderLostError."""

    def __init__(self, limits: DecodeLimits, executable: str = sys.executable) -> None:
        """Start the process without waiting for it; DecoderStartError if there is none."""
        self._limits = limits
        self._ready = False
        self._midway = False
        self._overran = False
        # -P: what lies beside the script, or in the working directory, is not imported.
        command = [executable, "-P", str(_SCRIPT), json.dumps(asdict(limits))]
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - fixed arguments
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=environment | _ONE_THREAD,
            )
        except (OSError, ValueError) as error:
            raise DecoderStartError(str(error)) from error

    @property
    def pid(self) -> int:
        """The system's number of the process."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it can be asked again: it lives, and no answer of before is still to come."""
        return not (self._midway or self._overran) and self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Wait for its first answer, if it has not come yet; DecoderStartError if it never does."""
        if self._ready:
            return
        try:
            self.ask(decoder.PING, b"", START_SECONDS)
        except DecoderLostError as error:
            problem = self._last_words() or (
                f"no answer within {START_SECONDS:g} s" if error.overran else "it ended at once"
            )
            raise DecoderStartError(problem) from error
        self._ready = True

    def ask(
        self, kind: int, payload: bytes, seconds: float
    ) -> tuple[int, NDArray[np.float32] | str]:
        """Send one request and wait for the answer.

        Args:
            kind: `PING`, `UPLOAD` or `FILE` of `decoder`.
            payload: the upload, or the path as the system encodes it.
            seconds: time for all of it; then the process is killed.

        Returns:
            `SAMPLES` with the samples `(n,)`, or another status of `decoder` with its text.

        Raises:
            DecoderLostError: if it ended before it had answered.
        """
        self._midway = True
        watch = threading.Timer(seconds, self._kill_overrun)
        watch.daemon = True
        watch.start()
        try:
            try:
                self._send(decoder.FRAME.pack(kind, len(payload)))
                self._send(payload)
                answer = self._receive()
            finally:
                watch.cancel()
                watch.join()  # so that it cannot kill in the midst of the next request
        except OSError as error:  # the pipe is broken, or ended
            raise DecoderLostError(self._overran or self._ended_by_alarm()) from error
        self._midway = False
        return answer

    def stop(self) -> None:
        """End the process, whatever it does, and leave nothing of it behind."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _kill_overrun(self) -> None:
        self._overran = True
        self._process.kill()

    def _ended_by_alarm(self) -> bool:
        """Whether it ended itself for taking too long, which it does a little after the limit."""
        self._process.kill()
        return self._process.wait() == -getattr(signal, "SIGALRM", 0)

    def _send(self, content: bytes) -> None:
        assert self._process.stdin is not None
        view = memoryview(content)
        while view:
            # Typed as buffered, opened unbuffered: part of it may be written.
            view = view[self._process.stdin.write(view) :]

    def _receive(self) -> tuple[int, NDArray[np.float32] | str]:
        status, n_bytes = decoder.FRAME.unpack(self._read(decoder.FRAME.size).data)
        if status == decoder.SAMPLES:
            most = 4 * (int(self._limits.max_seconds * decoder.SAMPLE_RATE) + 1)
            if n_bytes > most or n_bytes % 4:
                raise OSError("more samples than asked for")
            return status, self._read(n_bytes).view(np.float32)
        if status > decoder.UNREADABLE or n_bytes > _MAX_TEXT_BYTES:
            raise OSError("not an answer")
        return status, self._read(n_bytes).tobytes().decode(errors="replace")

    def _read(self, n_bytes: int) -> NDArray[np.uint8]:
        content = np.empty(n_bytes, np.uint8)
        view = content.data
        stream = self._process.stdout
        assert stream is not None
        while view:
            n_read = stream.readinto(view)  # type: ignore[attr-defined]
            if not n_read:
                raise BrokenPipeError("the process ended")
            view = view[n_read:]
        return content

    def _last_words(self) -> str:
        """Return the last line that a process which did not start has printed."""
        self._process.kill()
        assert self._process.stderr is not None
        lines = self._process.stderr.read(_MAX_TEXT_BYTES).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
